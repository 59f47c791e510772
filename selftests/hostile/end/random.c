// SPDX-License-Identifier: GPL-2.0
/*
 * Random mode: conversations that begin as they should, and lies in them.
 *
 * Each step is a message that would be right now, or something that the victim
 * does, or a word of shared memory. A message may be changed: a field at a bound
 * of its range, a length, its type, an old one once more, one dropped, two in
 * the wrong order. How much is changed is drawn for each pair, so that some live
 * long and get far. A pair that broke is followed by a new one, and now and then
 * the far end is suspended and comes back by another.
 *
 * A message counts as accepted if it changed what the victim has (or the
 * greeting connected them), as refused if the victim counted or refused it. A type
 * of which none was accepted, or none refused, means that the test does not get
 * where it wants to be, and fails it.
 */
#include <linux/prandom.h>
#include <linux/sched/signal.h>
#include "cases.h"

#define RANDOM_CLOSING	24	/* pairs that may still be closing */
#define RANDOM_OLD	16	/* messages that are remembered */
#define RANDOM_CONNS	100	/* of one pair: more only take time */

/**
 * struct play - a run
 * @rnd: the state of the generator
 * @far: the present pair
 * @rate: one message in so many is changed
 * @old: messages that were said
 * @guest: number of the far end's present guest
 * @held: a message that is said after the next one, if its type is not 0
 * @said: messages of each type, from 0, unknown ones in 0
 * @accepted: of them, those that changed something
 * @refused: of them, those that the victim did not want
 * @pairs: pairs made
 * @slowest: longest reaction in us
 */
struct play {
	struct rnd_state rnd;
	struct far *far;
	u32 rate;
	struct far_msg old[RANDOM_OLD];
	u32 guest;
	struct far_msg held;
	u32 said[FAR_TYPES];
	u32 accepted[FAR_TYPES];
	u32 refused[FAR_TYPES];
	u32 pairs;
	s64 slowest;
};

static u32 below(struct play *play, u32 n)
{
	return prandom_u32_state(&play->rnd) % n;
}

static bool one_in(struct play *play, u32 n)
{
	return !below(play, n);
}

/* Values at the bounds of something, or any */
static u32 bound(struct play *play)
{
	static const u32 bounds[] = {
		0, 1, 2, 3, 7, 8, 9, 10, 11, 12, 13, 16, 63, 64, 119, 120, 121,
		133, 134, 255, 256, 257, 512, 4095, 4096, 4097, 8191, 8192,
		8193, 0xffff, 0x10000, 0x10001, S32_MAX - 1, S32_MAX,
		0x80000000, 0x80000001, U32_MAX - 1, U32_MAX,
	};

	return one_in(play, 4) ? prandom_u32_state(&play->rnd) :
				 bounds[below(play, ARRAY_SIZE(bounds))];
}

/* ---- what would be right ---- */

/* A connection in a state, or any if there is none in it */
static u32 pick_conn(struct play *play, u8 state, int tcp)
{
	u32 from = below(play, FAR_CONNS), i, n;

	for (i = 0; i < FAR_CONNS; i++) {
		n = (from + i) % FAR_CONNS;
		if (play->far->conn[n].state == state &&
		    (tcp < 0 || play->far->conn[n].tcp == tcp))
			return n;
	}
	return from;
}

static bool conn_has_ring(const struct far *far, u32 conn)
{
	u32 i;

	for (i = 0; i < FAR_RINGS; i++)
		if (far->own[i].lent && far->own[i].conn == conn)
			return true;
	return false;
}

static u32 pick_ring(struct play *play, bool told, bool lent)
{
	u32 from = below(play, FAR_RINGS), i, n;

	for (i = 0; i < FAR_RINGS; i++) {
		n = (from + i) % FAR_RINGS;
		if (play->far->own[n].told == told &&
		    play->far->own[n].lent == lent)
			return n;
	}
	return from;
}

static struct far_msg make_ring_add(struct play *play)
{
	u32 n = pick_ring(play, false, false);
	struct far_own *own = &play->far->own[n];
	u32 order = below(play, 4);

	if (!own->granted &&
	    !xvmc_loop_ops.ring_grant(NULL, &own->mem, order)) {
		own->granted = true;
		xvmc_ring_cons_init(&own->cons, own->mem.hdr, own->mem.page,
				    order);
	}
	own->told = true;
	return far_msg(XVMC_MSG_RING_ADD, n, own->mem.order, own->mem.token, 0);
}

static struct far_msg make_ring_del(struct play *play)
{
	u32 n = pick_ring(play, true, false);
	struct far_own *own = &play->far->own[n];

	/* A ring that is announced once more begins anew */
	if (own->granted && own->told && !own->lent) {
		xvmc_loop_ops.ring_end(NULL, &own->mem);
		memset(own, 0, sizeof(*own));
	}
	return far_msg(XVMC_MSG_RING_DEL, n, 0, 0, 0);
}

static struct far_msg make_ring_gone(struct play *play)
{
	u32 n = below(play, 8);

	play->far->lent[n].lent = false;
	return far_msg(XVMC_MSG_RING_GONE, n, ENOMEM, 0, 0);
}

static struct far_msg make_lend(struct play *play)
{
	u32 ring = pick_ring(play, true, false);
	u32 conn = pick_conn(play, FAR_UP, -1);
	struct far_own *own = &play->far->own[ring];

	if (conn_has_ring(play->far, conn))
		conn = pick_conn(play, FAR_UP, -1);
	own->lent = true;
	own->epoch++;
	own->conn = conn;
	return far_msg(XVMC_MSG_LEND, ring, own->epoch,
		       play->far->conn[conn].id, 0);
}

static struct far_msg make_recall(struct play *play)
{
	u32 ring = pick_ring(play, true, true);
	struct far_own *own = &play->far->own[ring];

	return far_msg(XVMC_MSG_RECALL, ring, own->epoch,
		       play->far->conn[own->conn].id, 0);
}

static struct far_msg make_ask(struct play *play, bool tcp)
{
	u32 n = pick_conn(play, FAR_FREE, -1);
	u32 port = one_in(play, 8) ? 0 : NEAR_PORT;
	struct far_msg msg;

	play->far->conn[n] = (struct far_conn){ FAR_ASKING, tcp, 0 };
	if (tcp)
		return far_msg(XVMC_MSG_UPGRADE, n + 1, port ?
			       htons(NEAR_TCP_PORT) << 16 : 0, 0, 0);
	msg = far_msg(XVMC_MSG_CONNECT, n + 1, 9, port, SOCK_STREAM);
	/* heard_resume() */
	msg.word[4] = play->guest;
	msg.word[5] = n + 1;
	msg.word[6] = play->said[XVMC_MSG_CONNECT];
	return msg;
}

/* The victim's own, with the positions the other way round */
static struct far_msg make_resume(struct play *play)
{
	u32 n = pick_conn(play, FAR_CUT, 0);
	struct far_conn *conn = &play->far->conn[n];
	struct far_msg msg = play->far->resume[n];

	if (conn->state != FAR_CUT)
		return far_msg(XVMC_MSG_RESUME, FAR_CONNS + 1, 0,
			       below(play, 2), below(play, 2));
	conn->state = FAR_UP;
	msg.word[0] = n + 1;
	swap(msg.word[6], msg.word[8]);
	swap(msg.word[7], msg.word[9]);
	return msg;
}

static struct far_msg make_answer(struct play *play, u16 type, bool tcp)
{
	u32 n = pick_conn(play, FAR_ASKED, tcp);
	struct far_conn *conn = &play->far->conn[n];
	bool yes = type == XVMC_MSG_ACCEPT || type == XVMC_MSG_UPGRADE_OK;

	conn->state = yes ? FAR_UP : FAR_FREE;
	return far_msg(type, conn->id, yes ? n + 1 : 1, 0, 0);
}

static struct far_msg make_end(struct play *play, u16 type)
{
	u32 n = pick_conn(play, FAR_UP, type == XVMC_MSG_RESET ? 0 : -1);
	struct far_conn *conn = &play->far->conn[n];

	conn->state = FAR_FREE;
	return far_msg(type, conn->id, 1, 0, 0);
}

static struct far_msg make_want(struct play *play)
{
	u32 n = pick_conn(play, FAR_UP, 0);

	return far_msg(XVMC_MSG_WANT, play->far->conn[n].id, 0, 0, 0);
}

static struct far_msg make(struct play *play, u16 type)
{
	struct far_msg msg;

	switch (type) {
	case XVMC_MSG_RING_ADD:
		return make_ring_add(play);
	case XVMC_MSG_RING_DEL:
		return make_ring_del(play);
	case XVMC_MSG_RING_GONE:
		return make_ring_gone(play);
	case XVMC_MSG_LEND:
		return make_lend(play);
	case XVMC_MSG_RECALL:
		return make_recall(play);
	case XVMC_MSG_CONNECT:
		return make_ask(play, false);
	case XVMC_MSG_UPGRADE:
		return make_ask(play, true);
	case XVMC_MSG_ACCEPT:
	case XVMC_MSG_REFUSE:
		return make_answer(play, type, false);
	case XVMC_MSG_UPGRADE_OK:
	case XVMC_MSG_UPGRADE_NO:
		return make_answer(play, type, true);
	case XVMC_MSG_RESET:
	case XVMC_MSG_DETACH:
		return make_end(play, type);
	case XVMC_MSG_RESUME:
		return make_resume(play);
	case XVMC_MSG_WANT:
		return make_want(play);
	default:
		far_greeting(play->far, &msg);
		msg.type = type;
		return msg;
	}
}

/* ---- what is wrong ---- */

static void change(struct play *play, struct far_msg *msg)
{
	struct far_msg other;

	switch (below(play, 8)) {
	case 0:
		msg->len = one_in(play, 2) ? below(play, msg->len + 1) :
					     bound(play) % 200;
		break;
	case 1:
		msg->type = one_in(play, 4) ? bound(play) :
					      1 + below(play, FAR_TYPES - 1);
		break;
	case 2:
	case 3:
		*msg = play->old[below(play, RANDOM_OLD)];
		break;
	case 4:
		other = play->held;
		play->held = *msg;
		*msg = other;
		break;
	default:
		msg->word[below(play, DIV_ROUND_UP(msg->len, 4) ? : 1)] =
			bound(play);
	}
}

/* A word of a header page, of either end, with every bell that there is */
static void poke(struct play *play)
{
	struct far *far = play->far;
	u32 ring = below(play, FAR_RINGS);
	u32 field = below(play, 32), word = 0;
	struct xvmc_ring_hdr *hdr = far->tx_mem.hdr;
	u32 *at;

	if (one_in(play, 4))
		hdr = far->rx_mem.hdr;
	else if (far->own[ring].granted && one_in(play, 2))
		hdr = far->own[ring].mem.hdr;
	else if (far->lent[ring].mapped)
		hdr = far->lent[ring].mem.hdr;
	while (field--) {
		word = page_next(word);
		if (word >= XVMC_PAGE_SIZE / 4)
			word = 0;
	}
	at = (u32 *)hdr + word;
	if (one_in(play, 2))
		WRITE_ONCE(*at, bound(play));
	else
		WRITE_ONCE(*at, READ_ONCE(*at) + bound(play));
	memset(far->tx_mem.hdr->bell_data, 0xff, XVMC_MAX_RINGS / 8);
	memset(far->tx_mem.hdr->bell_space, 0xff, XVMC_MAX_RINGS / 8);
	far_event(far);
}

/* ---- what the victim has ---- */

static u64 mix(u64 sum, u64 value)
{
	return (sum ^ value) * 0x100000001b3ULL;
}

/* Of all that a message can change. The task of the channel has nothing to do */
static u64 fingerprint(const struct far *far)
{
	struct xvmc_chan *chan = far->chan;
	u64 sum = mix(READ_ONCE(far->peer->state), READ_ONCE(chan->state));
	struct xvmc_tx_ring *tx;
	struct xvmc_conn *conn;
	unsigned long id;
	u32 i;

	rcu_read_lock();
	for (i = 0; i < XVMC_MAX_RINGS; i++) {
		struct xvmc_rx_ring *rx = READ_ONCE(chan->rx[i]);

		tx = rcu_dereference(chan->tx[i]);
		if (tx)
			sum = mix(sum, i + 1 + (tx->lent ? 1000 : 0));
		if (rx && rx->dead)
			sum = mix(sum, i + 10000);
	}
	xa_for_each(&chan->conns, id, conn)
		sum = mix(mix(sum, id), READ_ONCE(conn->state) + 100000);
	rcu_read_unlock();
	return sum;
}

static u64 complaints(const struct far *far)
{
	return xvmc_stat_read(XVMC_STAT_VIOLATIONS) +
	       xvmc_stat_read(XVMC_STAT_CTL_UNKNOWN_TYPE) +
	       xvmc_stat_read(XVMC_STAT_CTL_UNKNOWN_CONN) +
	       far->heard[XVMC_MSG_REFUSE] + far->heard[XVMC_MSG_UPGRADE_NO];
}

/* Says a message and sees what came of it */
static void say(struct play *play, const struct far_msg *msg)
{
	u16 type = msg->type < FAR_TYPES ? msg->type : 0;
	u64 before = fingerprint(play->far), complained;

	complained = complaints(play->far);
	far_say(play->far, msg);
	play->old[below(play, RANDOM_OLD)] = *msg;
	play->said[type]++;
	if (complaints(play->far) != complained)
		play->refused[type]++;
	else if (fingerprint(play->far) != before)
		play->accepted[type]++;
}

/* ---- what happens ---- */

/* Most often what brings connections forward */
static u16 pick_type(struct play *play)
{
	static const u16 often[] = {
		XVMC_MSG_CONNECT, XVMC_MSG_UPGRADE, XVMC_MSG_ACCEPT,
		XVMC_MSG_ACCEPT, XVMC_MSG_UPGRADE_OK, XVMC_MSG_UPGRADE_OK,
		XVMC_MSG_RING_ADD, XVMC_MSG_LEND, XVMC_MSG_LEND,
		XVMC_MSG_RECALL,
	};

	if (play->far->conn[pick_conn(play, FAR_CUT, 0)].state == FAR_CUT &&
	    one_in(play, 4))
		return XVMC_MSG_RESUME;
	if (one_in(play, 400))
		return XVMC_MSG_HELLO + below(play, 3);
	if (one_in(play, 40))
		return one_in(play, 2) ? XVMC_MSG_RING_GONE : XVMC_MSG_RING_DEL;
	if (one_in(play, 3))
		return XVMC_MSG_LEND + below(play, FAR_TYPES - XVMC_MSG_LEND);
	return often[below(play, ARRAY_SIZE(often))];
}

static bool is_right_now(struct play *play, u16 type)
{
	u32 n;

	switch (type) {
	case XVMC_MSG_RING_ADD:
		n = pick_ring(play, false, false);
		return !play->far->own[n].told;
	case XVMC_MSG_RING_DEL:
	case XVMC_MSG_LEND:
		n = pick_ring(play, true, false);
		if (!play->far->own[n].told || play->far->own[n].lent)
			return false;
		n = pick_conn(play, FAR_UP, -1);
		return type == XVMC_MSG_RING_DEL ||
		       !conn_has_ring(play->far, n);
	case XVMC_MSG_HELLO:
	case XVMC_MSG_HELLO_ACK:
		return false;
	default:
		return true;
	}
}

static void speak(struct play *play)
{
	bool wrong = one_in(play, play->rate);
	struct far_msg msg;
	u16 type;

	type = wrong ? 1 + below(play, FAR_TYPES - 1) : pick_type(play);
	if (!wrong && !is_right_now(play, type))
		return;
	msg = make(play, type);
	if (wrong && one_in(play, 8))
		return;		/* dropped */
	if (wrong)
		change(play, &msg);
	if (wrong && one_in(play, 8))
		poke(play);
	say(play, &msg);
	if (play->held.type && one_in(play, 2)) {
		say(play, &play->held);
		play->held.type = 0;
	}
}

static void far_moves(struct play *play)
{
	struct far *far = play->far;
	int ring = far_find_lent(far, -1);
	u32 own = below(play, FAR_RINGS);

	if (ring >= 0 && one_in(play, 6))
		far_stop(far, ring);
	else if (ring >= 0)
		far_write(far, ring, below(play, 9000));
	if (far->own[own].granted && far->own[own].lent)
		far_read(far, own);
}

static void near_moves(struct play *play)
{
	u32 n = below(play, NEAR_ENDS), len = below(play, 4000);
	struct xvmc_conn *door = near_door(n);
	struct socket *sock = near_socket(n);
	u32 what = below(play, 16);

	if (what < 4) {
		near_ask(play->far, what & 1);
	} else if (what < 6) {
		near_accept();
	} else if (what == 6 && door) {
		near_door_leave(n, one_in(play, 2), one_in(play, 2));
	} else if (what == 7 && sock) {
		near_close(n);
	} else if (what == 8 && sock) {
		kernel_sock_shutdown(sock, SHUT_WR);
	} else {
		if (sock)
			what & 1 ? near_send(sock, len) : near_recv(sock, len);
		if (door)
			what & 1 ? near_door_write(door, len) :
				   near_door_read(door);
	}
	far_settle(play->far);
	far_hear(play->far);
}

/* Meets and greets, mostly as it should */
static int begin(struct play *play)
{
	struct far *far = play->far;
	struct far_msg msg;

	play->pairs++;
	far_name(far, play->guest);
	far->features = one_in(play, 8) ? 0 : XVMC_FEATURES;
	if (far_meet(far))
		return -ENOTCONN;
	far_greeting(far, &msg);
	if (one_in(play, 16))
		change(play, &msg);
	say(play, &msg);
	return 0;
}

/* The far end is suspended, and comes back as it was or has forgotten all */
static int come_back(struct play *play)
{
	struct far_msg bye = far_msg(XVMC_MSG_BYE, XENVMC_REASON_SUSPEND, 0, 0,
				     0);
	struct far *far = play->far;
	unsigned long end;
	u32 i;
	int err;

	for (i = 0; i < XVMC_MAX_RINGS; i++)
		far_stop(far, i);
	say(play, &bye);
	play->slowest = max(play->slowest, far->slowest);
	end = jiffies + HZ;
	xvmc_peer_hold(far->peer);
	play->far = far_new(one_in(play, 2));
	far_leave(far, true);
	/*
	 * What is cut asks as soon as all is closed: a seed gives one run. After
	 * lies about rings that takes seconds, and nothing goes on.
	 */
	while (rcu_access_pointer(far->peer->chan) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	xvmc_peer_put(far->peer);
	flush_workqueue(xvmc_wq);
	if (!play->far)
		return -ENOMEM;
	err = begin(play);
	flush_workqueue(xvmc_wq);
	far_settle(play->far);
	far_hear(play->far);
	return err;
}

static int next_pair(struct play *play)
{
	static const u32 rates[] = { 4, 16, 64, 256 };
	struct far *far;
	int err;

	err = near_leave_all();
	if (err)
		return err;
	if (play->far) {
		play->slowest = max(play->slowest, play->far->slowest);
		far_leave(play->far, !one_in(play, 64));
		play->far = NULL;
	}
	if (far_reap(RANDOM_CLOSING))
		return -EBUSY;
	far = far_new(one_in(play, 2));
	if (!far)
		return -ENOMEM;
	play->far = far;
	play->rate = rates[below(play, ARRAY_SIZE(rates))];
	play->held.type = 0;
	play->guest++;
	return begin(play);
}

/* The first word says whether the run is worth something */
static const char *lacking(const struct play *play)
{
	u16 type;

	if (play->slowest > HOSTILE_SLOW_US)
		return "the victim was busy for too long,";
	/* There are rings for all here: nothing comes of a WANT */
	for (type = 1; type < FAR_TYPES; type++)
		if ((!play->accepted[type] && type != XVMC_MSG_WANT) ||
		    !play->refused[type])
			return "few";
	return "ok";
}

/* The counters. "few": a type was never accepted, or never refused */
static void tell(const struct play *play, char *why, size_t size)
{
	size_t n;
	u16 type;

	n = scnprintf(why, size, "%s %u pairs, slowest %lld us", lacking(play),
		      play->pairs, play->slowest);
	for (type = 0; type < FAR_TYPES; type++)
		n += scnprintf(why + n, size - n,
			       "\n%s said %u accepted %u refused %u",
			       xvmc_ctlmsg_name(type), play->said[type],
			       play->accepted[type], play->refused[type]);
}

/**
 * hostile_random() - a number of random messages
 * @seed: of the generator
 * @count: messages
 * @why: gets "ok" and the counters, or the reason of the failure
 * @size: its room
 *
 * Return: 0, or a negative errno if there was no end to play against.
 */
int hostile_random(u32 seed, u32 count, char *why, size_t size)
{
	static struct play play;	/* too large for the stack */
	u32 done = 0, type;
	int err = 0;

	far_set_case("random messages");
	memset(&play, 0, sizeof(play));
	prandom_seed_state(&play.rnd, seed);
	while (!err && done < count && !signal_pending(current)) {
		if (!play.far || !far_is_up(play.far) ||
		    atomic_read(&play.far->chan->nr_conns) > RANDOM_CONNS)
			err = next_pair(&play);
		else if (one_in(&play, 500))
			err = come_back(&play);
		else if (one_in(&play, 100))
			page_age(play.far, below(&play, AGES));
		else if (one_in(&play, 3))
			near_moves(&play);
		else if (one_in(&play, 3))
			far_moves(&play);
		else
			speak(&play);
		for (done = 0, type = 0; type < FAR_TYPES; type++)
			done += play.said[type];
		cond_resched();
	}
	if (near_leave_all() && !err)
		err = -EADDRINUSE;
	if (play.far)
		far_leave(play.far, true);
	if (err)
		snprintf(why, size, "no next pair: %d", err);
	else
		tell(&play, why, size);
	return err;
}
