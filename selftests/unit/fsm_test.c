// SPDX-License-Identifier: GPL-2.0
/* Both state tables: every pair, every path, and two ends against each other */
#include "unit.h"
#include "../../net/xenvmc/core/fsm.h"

#define P(name)		XVMC_PEER_##name
#define PE(name)	XVMC_PEV_##name
#define PA(name)	XVMC_PACT_##name
#define C(name)		XVMC_CONN_##name
#define CE(name)	XVMC_CEV_##name
#define CA(name)	XVMC_CACT_##name

#define PEER_ACTIONS	(PA(FREE) * 2 - 1)
#define CONN_ACTIONS	(CA(FREE_ID) * 2 - 1)
#define TELLS		(CA(TELL_UP) | CA(TELL_NO) | CA(TELL_DOWN))
#define SENDS		(CA(SEND_ASK) | CA(SEND_YES) | CA(SEND_DETACH))

/* ---- connections ---- */

/* What only a bug of our own can bring about; anything else is in the table */
static bool conn_pair_is_own_bug(u32 state, u32 event)
{
	if (event == CE(ASK) || event == CE(AWAIT))
		return state != C(NEW);
	return state == C(NEW) && event == CE(TIMEOUT);
}

static void every_conn_pair_is_defined(void **state)
{
	u8 s, e;

	(void)state;
	for (s = 0; s < XVMC_CONN_STATES; s++) {
		for (e = 0; e < XVMC_CONN_EVENTS; e++) {
			struct xvmc_fsm_step step = xvmc_conn_step(s, e);

			assert_in_range(step.state, 0, XVMC_CONN_STATES - 1);
			assert_int_equal(step.actions & ~CONN_ACTIONS, 0);
			assert_int_equal(step.known,
					 !conn_pair_is_own_bug(s, e));
			if (step.known)
				continue;
			assert_int_equal(step.state, s);
			assert_int_equal(step.actions, 0);
		}
	}
}

static void a_dead_connection_stays_dead_and_does_nothing(void **state)
{
	u32 e;

	(void)state;
	for (e = 0; e < XVMC_CONN_EVENTS; e++) {
		struct xvmc_fsm_step step = xvmc_conn_step(C(DEAD), (u8)e);

		assert_int_equal(step.state, C(DEAD));
		assert_int_equal(step.actions, 0);
	}
}

static void the_end_of_a_channel_ends_every_connection_silently(void **state)
{
	u8 s;

	(void)state;
	for (s = 0; s < XVMC_CONN_STATES; s++) {
		struct xvmc_fsm_step step = xvmc_conn_step(s, CE(CHAN_DOWN));

		assert_int_equal(step.state, C(DEAD));
		assert_int_equal(step.actions & SENDS, 0);
	}
}

static void conn_steps_are_as_documented(void **state)
{
	static const struct {
		u8 state, event, next;
		u16 actions;
	} doc[] = {
		{ C(NEW), CE(ASK), C(ASKED), CA(SEND_ASK) },
		{ C(NEW), CE(AWAIT), C(AWAIT), 0 },
		{ C(NEW), CE(REQUEST), C(UP),
		  CA(SEND_YES) | CA(LEND) | CA(TELL_UP) },
		{ C(AWAIT), CE(REQUEST), C(UP),
		  CA(SEND_YES) | CA(LEND) | CA(TELL_UP) },
		{ C(ASKED), CE(YES), C(UP), CA(LEND) | CA(TELL_UP) },
		{ C(ASKED), CE(NO), C(DEAD), CA(TELL_NO) | CA(FREE_ID) },
		{ C(ASKED), CE(TIMEOUT), C(LEFT), CA(TELL_NO) },
		{ C(ASKED), CE(LEAVE), C(LEFT), 0 },
		{ C(AWAIT), CE(TIMEOUT), C(DEAD), CA(TELL_NO) | CA(FREE_ID) },
		{ C(UP), CE(LEAVE), C(LEFT),
		  CA(STOP_TX) | CA(RECALL_RX) | CA(SEND_DETACH) },
		{ C(UP), CE(DETACH), C(DEAD),
		  CA(STOP_TX) | CA(RECALL_RX) | CA(SEND_DETACH) |
		  CA(TELL_DOWN) | CA(FREE_ID) },
		{ C(UP), CE(CHAN_DOWN), C(DEAD),
		  CA(STOP_TX) | CA(TELL_DOWN) | CA(FREE_ID) },
		{ C(UP), CE(TIMEOUT), C(UP), 0 },
		{ C(LEFT), CE(YES), C(LEFT), CA(SEND_DETACH) },
		{ C(LEFT), CE(NO), C(DEAD), CA(FREE_ID) },
		{ C(LEFT), CE(DETACH), C(DEAD), CA(FREE_ID) },
	};
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(doc); i++) {
		struct xvmc_fsm_step step = xvmc_conn_step(doc[i].state,
							   doc[i].event);

		assert_int_equal(step.state, doc[i].next);
		assert_int_equal(step.actions, doc[i].actions);
	}
}

/* What a connection has been through; all paths end in few such sets */
enum {
	SEEN_UP		= 1 << 0,	/* TELL_UP */
	SEEN_END	= 1 << 1,	/* TELL_NO or TELL_DOWN */
	SEEN_LEAVE	= 1 << 2,	/* LEAVE: nothing is told after it */
	SEEN_FREE	= 1 << 3,
	SEEN_PEER_ID	= 1 << 4,	/* a DETACH can be addressed */
	SEEN_STOP	= 1 << 5,
	SEEN_SETS	= 1 << 6,
};

static u32 conn_check_step(u32 seen, u8 from, u8 event,
			   struct xvmc_fsm_step step)
{
	u16 act = step.actions;
	bool dies = from != C(DEAD) && step.state == C(DEAD);

	if (event == CE(LEAVE))
		seen |= SEEN_LEAVE;
	if (act & CA(SEND_YES) || event == CE(YES))
		seen |= SEEN_PEER_ID;

	/* The id is freed once, by the step that ends the connection */
	assert_int_equal(!!(act & CA(FREE_ID)), dies);
	if (act & CA(FREE_ID))
		seen |= SEEN_FREE;
	if (act & TELLS)
		assert_false(seen & (SEEN_LEAVE | SEEN_END));
	if (act & CA(TELL_UP)) {
		assert_false(seen & SEEN_UP);
		assert_int_equal(step.state, C(UP));
		assert_true(act & CA(LEND));
		seen |= SEEN_UP;
	}
	if (act & CA(TELL_NO)) {
		assert_false(seen & SEEN_UP);
		seen |= SEEN_END;
	}
	if (act & CA(TELL_DOWN)) {
		assert_true(seen & SEEN_UP);
		seen |= SEEN_END;
	}
	if (act & CA(SEND_DETACH))
		assert_true(seen & SEEN_PEER_ID);
	/* Sending stops when and only when a connection that was up is not */
	assert_int_equal(!!(act & CA(STOP_TX)),
			 from == C(UP) && step.state != C(UP));
	/* Who was not told of the end has left by himself */
	if (dies && !(seen & SEEN_END))
		assert_true(seen & SEEN_LEAVE);
	return seen;
}

static void no_path_of_events_breaks_a_rule(void **state)
{
	static bool been[XVMC_CONN_STATES][SEEN_SETS];
	u32 todo[XVMC_CONN_STATES * SEEN_SETS + 1], n = 0, dead = 0;
	u8 e;

	(void)state;
	been[C(NEW)][0] = true;
	todo[n++] = C(NEW) * SEEN_SETS;
	while (n) {
		u32 seen = todo[--n] % SEEN_SETS;
		u8 from = (u8)(todo[n] / SEEN_SETS);

		dead += from == C(DEAD);
		for (e = 0; e < XVMC_CONN_EVENTS; e++) {
			struct xvmc_fsm_step step = xvmc_conn_step(from, e);
			u32 then = conn_check_step(seen, from, e, step);

			if (been[step.state][then])
				continue;
			been[step.state][then] = true;
			todo[n++] = step.state * SEEN_SETS + then;
		}
	}
	assert_true(dead > 3);
}

/*
 * Two ends with a queue each way, in every order in which local events and
 * messages can come. Whatever happens, when both have left and all messages
 * have been read both are dead: no id stays behind.
 */
#define QUEUE		6

struct end {
	u8 state;
	bool left;		/* LEAVE has been: at most once */
	bool timed_out;
	u8 len;			/* queue of events to this end */
	u8 queue[QUEUE];
};

struct world {
	struct end end[2];
};

/* A hash set of worlds that have been visited */
#define WORLDS		(1u << 16)
static struct world been[WORLDS];
static bool used[WORLDS];
static u32 worlds;

static bool world_is_new(const struct world *w)
{
	const u8 *p = (const u8 *)w;
	u32 hash = 5381, i;

	for (i = 0; i < sizeof(*w); i++)
		hash = hash * 33 + p[i];
	for (i = hash % WORLDS; used[i]; i = (i + 1) % WORLDS)
		if (!memcmp(&been[i], w, sizeof(*w)))
			return false;
	used[i] = true;
	been[i] = *w;
	assert_true(++worlds < WORLDS / 2);
	return true;
}

static void send_event(struct end *to, u8 event)
{
	assert_true(to->len < QUEUE);
	to->queue[to->len++] = event;
}

static void apply(struct world *w, u32 who, u8 event)
{
	struct end *me = &w->end[who], *other = &w->end[!who];
	struct xvmc_fsm_step step = xvmc_conn_step(me->state, event);

	assert_true(step.known);
	me->state = step.state;
	if (event == CE(REQUEST) && !(step.actions & CA(SEND_YES)))
		send_event(other, CE(NO));
	if (step.actions & CA(SEND_ASK))
		send_event(other, CE(REQUEST));
	if (step.actions & CA(SEND_YES))
		send_event(other, CE(YES));
	if (step.actions & CA(SEND_DETACH))
		send_event(other, CE(DETACH));
}

static void receive(struct world *w, u32 who)
{
	struct end *me = &w->end[who];
	u8 event = me->queue[0];

	me->len--;
	memmove(me->queue, me->queue + 1, QUEUE - 1);
	me->queue[QUEUE - 1] = 0;
	apply(w, who, event);
}

static void explore(struct world w)
{
	u32 who;

	if (!world_is_new(&w))
		return;
	for (who = 0; who < 2; who++) {
		struct end *me = &w.end[who];
		struct world next = w;

		if (me->len) {
			receive(&next, who);
			explore(next);
			next = w;
		}
		if (!me->left) {
			next.end[who].left = true;
			apply(&next, who, CE(LEAVE));
			explore(next);
			next = w;
		}
		if (!me->timed_out && me->state != C(NEW)) {
			next.end[who].timed_out = true;
			apply(&next, who, CE(TIMEOUT));
			explore(next);
		}
	}
	if (w.end[0].left && w.end[1].left && !w.end[0].len && !w.end[1].len) {
		assert_int_equal(w.end[0].state, C(DEAD));
		assert_int_equal(w.end[1].state, C(DEAD));
	}
}

static void two_honest_ends_always_get_rid_of_each_other(void **state)
{
	static const u8 begin[][2] = {
		{ CE(ASK), CE(AWAIT) },		/* TCP */
		{ CE(ASK), CE(ASK) },		/* TCP, simultaneous open */
		{ CE(ASK), XVMC_CONN_EVENTS },	/* AF_XENVMC: accepts if NEW */
	};
	u32 i, who;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(begin); i++) {
		struct world w = { 0 };

		for (who = 0; who < 2; who++)
			if (begin[i][who] < XVMC_CONN_EVENTS)
				apply(&w, who, begin[i][who]);
		memset(used, 0, sizeof(used));
		worlds = 0;
		explore(w);
		assert_true(worlds > 40);
	}
}

/* ---- peers ---- */

static bool peer_event_is_the_peers(u32 event)
{
	return event == PE(HELLO) || event == PE(HELLO_ACK) ||
	       event == PE(BYE) || event == PE(VIOLATION);
}

static void every_peer_pair_is_defined(void **state)
{
	u8 s, e;

	(void)state;
	for (s = 0; s < XVMC_PEER_STATES; s++) {
		for (e = 0; e < XVMC_PEER_EVENTS; e++) {
			struct xvmc_fsm_step step = xvmc_peer_step(s, e);

			assert_in_range(step.state, 0, XVMC_PEER_STATES - 1);
			assert_int_equal(step.actions & ~PEER_ACTIONS, 0);
			if (step.known)
				continue;
			assert_false(peer_event_is_the_peers(e));
			assert_int_not_equal(e, PE(UNLISTED));
			assert_int_not_equal(e, PE(LEAVE));
			assert_int_not_equal(e, PE(SUSPEND));
			assert_int_not_equal(e, PE(FAILED));
			assert_int_equal(step.state, s);
			assert_int_equal(step.actions, 0);
		}
	}
}

/* What the actions so far have set up, for the walk over all paths */
enum {
	HAVE_WATCH	= 1 << 0,
	HAVE_OFFER	= 1 << 1,
	HAVE_CHAN	= 1 << 2,
	HAVE_PEER_RING	= 1 << 3,	/* a BYE can be sent */
	HAVE_SETS	= 1 << 4,
};

static u32 peer_check_step(u32 have, u8 from, u8 event,
			   struct xvmc_fsm_step step)
{
	u16 act = step.actions;

	assert_int_equal(!!(act & PA(FREE)),
			 from != P(ABSENT) && step.state == P(ABSENT));
	assert_int_equal(!!(act & PA(UP)),
			 from != P(CONNECTED) && step.state == P(CONNECTED));
	if (act & PA(WATCH)) {
		assert_false(have & HAVE_WATCH);
		have |= HAVE_WATCH;
	}
	if (act & PA(UNWATCH)) {
		assert_true(have & HAVE_WATCH);
		have &= ~HAVE_WATCH;
	}
	if (act & PA(OFFER)) {
		assert_false(have & (HAVE_OFFER | HAVE_CHAN));
		have |= HAVE_OFFER | HAVE_CHAN;
	}
	if (act & PA(WITHDRAW))
		have &= ~HAVE_OFFER;
	if (act & PA(BYE))
		assert_true(have & HAVE_PEER_RING);
	if (act & PA(BIND)) {
		assert_false(have & HAVE_CHAN);
		have |= HAVE_CHAN | HAVE_PEER_RING;
	}
	if (act & PA(ACK))
		have |= HAVE_PEER_RING;
	/* Of a channel that is going, something is left until CLOSED */
	if (act & (PA(CLOSE) | PA(BREAK)))
		have &= ~(HAVE_CHAN | HAVE_PEER_RING);
	/* FAILED in HELLO: the BIND that failed has undone itself */
	if (from == P(HELLO) && event == PE(FAILED))
		have &= ~(HAVE_CHAN | HAVE_PEER_RING);
	if (act & PA(FREE))
		assert_int_equal(have, 0);
	/* A channel that began to close does not come back */
	if (from == P(CLOSING))
		assert_int_equal(step.state, event == PE(CLOSED) ?
				 P(ABSENT) : P(CLOSING));
	return have;
}

static void no_path_of_a_peer_leaves_something_behind(void **state)
{
	static bool seen[XVMC_PEER_STATES][HAVE_SETS];
	u32 todo[XVMC_PEER_STATES * HAVE_SETS + 1], n = 0, states = 0, have;
	bool reached[XVMC_PEER_STATES] = { false };
	u8 e, from;

	(void)state;
	seen[P(ABSENT)][0] = true;
	todo[n++] = P(ABSENT) * HAVE_SETS;
	while (n) {
		have = todo[--n] % HAVE_SETS;
		from = (u8)(todo[n] / HAVE_SETS);
		states += !reached[from];
		reached[from] = true;
		for (e = 0; e < XVMC_PEER_EVENTS; e++) {
			struct xvmc_fsm_step step = xvmc_peer_step(from, e);
			u32 then = peer_check_step(have, from, e, step);

			if (seen[step.state][then])
				continue;
			seen[step.state][then] = true;
			todo[n++] = step.state * HAVE_SETS + then;
		}
	}
	assert_int_equal(states, XVMC_PEER_STATES);
}

static void leaving_or_unlisting_ends_every_peer(void **state)
{
	static const u8 end[] = { PE(LEAVE), PE(SUSPEND), PE(UNLISTED) };
	u32 s, i;

	(void)state;
	for (s = 0; s < XVMC_PEER_STATES; s++) {
		for (i = 0; i < ARRAY_SIZE(end); i++) {
			struct xvmc_fsm_step step = xvmc_peer_step((u8)s,
								   end[i]);

			step = xvmc_peer_step(step.state, PE(CLOSED));
			assert_int_equal(step.state, P(ABSENT));
		}
	}
}

/* Whatever the state is, the peer must be let go of, as when the module goes */
static void a_suspend_does_what_leaving_does(void **state)
{
	u32 s;

	(void)state;
	for (s = 0; s < XVMC_PEER_STATES; s++) {
		struct xvmc_fsm_step left = xvmc_peer_step((u8)s, PE(LEAVE));
		struct xvmc_fsm_step step = xvmc_peer_step((u8)s, PE(SUSPEND));

		assert_true(step.known);
		assert_int_equal(step.state, left.state);
		assert_int_equal(step.actions, left.actions);
		/* Nothing but the end of a channel is left to wait for */
		assert_true(step.state == P(ABSENT) ||
			    step.state == P(CLOSING));
	}
}

static void a_violation_breaks_or_hastens_the_end(void **state)
{
	u32 s;

	(void)state;
	for (s = 0; s < XVMC_PEER_STATES; s++) {
		struct xvmc_fsm_step step = xvmc_peer_step((u8)s,
							   PE(VIOLATION));

		if (s == P(ABSENT) || s == P(BROKEN)) {
			assert_int_equal(step.state, s);
			assert_int_equal(step.actions, 0);
			continue;
		}
		assert_int_equal(step.state,
				 s == P(CLOSING) ? P(CLOSING) : P(BROKEN));
		assert_true(step.actions & PA(BREAK));
	}
}

static void peer_steps_are_as_documented(void **state)
{
	static const struct {
		u8 state, event, next;
		u16 actions;
	} doc[] = {
		{ P(ABSENT), PE(LISTED_LOW), P(OFFERED), PA(OFFER) },
		{ P(ABSENT), PE(LISTED_HIGH), P(WAITING), PA(WATCH) },
		{ P(OFFERED), PE(HELLO), P(CONNECTED), PA(ACK) | PA(UP) },
		{ P(OFFERED), PE(HELLO_ACK), P(BROKEN),
		  PA(WITHDRAW) | PA(BREAK) },
		{ P(WAITING), PE(OFFER), P(HELLO), PA(BIND) },
		{ P(HELLO), PE(HELLO_ACK), P(CONNECTED), PA(UNWATCH) | PA(UP) },
		{ P(HELLO), PE(HELLO), P(BROKEN),
		  PA(UNWATCH) | PA(BYE) | PA(BREAK) },
		{ P(CONNECTED), PE(BYE), P(CLOSING),
		  PA(WITHDRAW) | PA(BYE) | PA(CLOSE) },
		{ P(CONNECTED), PE(SUSPEND), P(CLOSING),
		  PA(WITHDRAW) | PA(BYE) | PA(CLOSE) },
		{ P(WAITING), PE(SUSPEND), P(ABSENT), PA(UNWATCH) | PA(FREE) },
		{ P(CLOSING), PE(CLOSED), P(ABSENT), PA(FREE) },
		{ P(BROKEN), PE(LISTED_LOW), P(BROKEN), 0 },
		{ P(BROKEN), PE(UNLISTED), P(ABSENT), PA(FREE) },
	};
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(doc); i++) {
		struct xvmc_fsm_step step = xvmc_peer_step(doc[i].state,
							   doc[i].event);

		assert_int_equal(step.state, doc[i].next);
		assert_int_equal(step.actions, doc[i].actions);
	}
}

static void numbers_outside_the_tables_change_nothing(void **state)
{
	struct xvmc_fsm_step step;

	(void)state;
	step = xvmc_peer_step(XVMC_PEER_STATES, 0);
	assert_int_equal(step.state, XVMC_PEER_STATES);
	assert_false(step.known || step.actions);
	step = xvmc_peer_step(0, XVMC_PEER_EVENTS);
	assert_false(step.known || step.actions);
	step = xvmc_conn_step(XVMC_CONN_STATES, 0);
	assert_false(step.known || step.actions);
	step = xvmc_conn_step(C(UP), 255);
	assert_int_equal(step.state, C(UP));
	assert_false(step.known || step.actions);
}

static void every_state_has_a_name_of_its_own(void **state)
{
	u32 i, j;

	(void)state;
	for (i = 0; i <= XVMC_PEER_STATES; i++)
		for (j = 0; j < i; j++)
			assert_string_not_equal(xvmc_peer_state_name((u8)i),
						xvmc_peer_state_name((u8)j));
	for (i = 0; i <= XVMC_CONN_STATES; i++)
		for (j = 0; j < i; j++)
			assert_string_not_equal(xvmc_conn_state_name((u8)i),
						xvmc_conn_state_name((u8)j));
	assert_string_equal(xvmc_conn_state_name(255), "unknown");
	assert_string_equal(xvmc_peer_state_name(255), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_conn_pair_is_defined),
		cmocka_unit_test(a_dead_connection_stays_dead_and_does_nothing),
		cmocka_unit_test(
			the_end_of_a_channel_ends_every_connection_silently),
		cmocka_unit_test(conn_steps_are_as_documented),
		cmocka_unit_test(no_path_of_events_breaks_a_rule),
		cmocka_unit_test(two_honest_ends_always_get_rid_of_each_other),
		cmocka_unit_test(every_peer_pair_is_defined),
		cmocka_unit_test(no_path_of_a_peer_leaves_something_behind),
		cmocka_unit_test(leaving_or_unlisting_ends_every_peer),
		cmocka_unit_test(a_suspend_does_what_leaving_does),
		cmocka_unit_test(a_violation_breaks_or_hastens_the_end),
		cmocka_unit_test(peer_steps_are_as_documented),
		cmocka_unit_test(numbers_outside_the_tables_change_nothing),
		cmocka_unit_test(every_state_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests_name("fsm", tests, NULL, NULL);
}
