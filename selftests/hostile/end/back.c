// SPDX-License-Identifier: GPL-2.0
/*
 * Lies about streams that were cut: the far end is suspended, comes back by
 * another channel as the same guest, and says RESUME as it should not.
 *
 * Two streams with other tokens and positions are cut; bytes of the first are
 * unread. A row says what is false when the far end is back, and which of the
 * two are lost, for what reason. Those that are not must go on, and each byte
 * of theirs is compared.
 */
#include "cases.h"

#define BACK_STREAMS	2
#define BACK_UNREAD	700
#define BACK_MOST	2000	/* bytes of one go */
/* Words of RESUME: the low ones of the positions */
#define W_SENT		6
#define W_RECEIVED	8

/* All that a stream can end by; %XVMC_STAT_CONN_RESUMED: it goes on */
static const enum xvmc_stat back_stats[] = {
	XVMC_STAT_CONN_RESUMED, XVMC_STAT_PARK_FULL, XVMC_STAT_PARK_EXPIRED,
	XVMC_STAT_PARK_REFUSED, XVMC_STAT_PARK_MISMATCH, XVMC_STAT_PARK_TORN,
	XVMC_STAT_PARK_NO_MEMORY, XVMC_STAT_VIOLATIONS,
};

struct back_case;

/**
 * struct back - a play
 * @it: the case
 * @far: the present pair
 * @guest: number of the guest that comes back
 * @sent: bytes that the far end has sent, of each stream
 * @received: and received
 * @answered: it was resumed as it should be
 * @wanted: the stream that something is awaited of
 * @told: what its socket has said
 * @parked: what %XVMC_STAT_CONN_PARKED shows when all are cut
 * @before: &back_stats in front of all
 */
struct back {
	const struct back_case *it;
	struct far *far;
	u32 guest;
	u64 sent[BACK_STREAMS];
	u64 received[BACK_STREAMS];
	bool answered[BACK_STREAMS];
	u32 wanted;
	int told;
	u64 parked;
	u64 before[ARRAY_SIZE(back_stats)];
};

/**
 * struct back_case - a lie
 * @name: of the case
 * @lie: what tells it, or NULL
 * @stat: counter of those that are lost
 * @lost: streams that are, a bit each
 * @waits: nobody is lost, and nobody goes on
 * @breaks: it is a violation: what had gone on already is reset as well
 * @refuses: REFUSE is said
 * @type: of the message that comes in place of RESUME
 * @word: that is false; of a position the lower one
 * @value: what stands there
 * @relative: it is added
 * @no_feature: it comes back without RESUME
 * @other: another guest comes
 * @torn: the ring of the first stream was not stopped
 * @first: RESUME is there before the victim can say its own
 * @crosses: and when it has begun to, but finds no room for it
 * @answers: streams that are resumed, a bit each, if it vanishes then
 * @vanishes: dom0 parts the two, and it says nothing any more
 * @unlent: and no ring was lent to those
 */
struct back_case {
	const char *name;
	int (*lie)(struct back *back, const struct back_case *it);
	enum xvmc_stat stat;
	u8 lost;
	bool waits;
	bool breaks;
	bool refuses;
	u16 type;
	u32 word;
	u64 value;
	bool relative;
	bool no_feature;
	bool other;
	bool torn;
	bool first;
	bool crosses;
	u8 answers;
	bool vanishes;
	bool unlent;
};

/* ---- bytes ---- */

/* What stands at @pos of a stream; the ways differ */
static u8 back_byte(u32 n, bool up, u64 pos)
{
	return pos * 31 + (pos >> 8) + n * 101 + up * 7;
}

static int back_write(struct back *back, u32 n, u32 len)
{
	int ring = far_find_lent(back->far, n);
	static u8 buf[BACK_MOST];
	u32 i;

	if (ring < 0)
		return -EIO;
	for (i = 0; i < len; i++)
		buf[i] = back_byte(n, false, back->sent[n] + i);
	if (far_write_from(back->far, ring, buf, len) != len)
		return -EIO;
	back->sent[n] += len;
	return 0;
}

/* The last @len of the bytes that were sent are all that the victim reads */
static int back_check(struct back *back, u32 n, u32 len)
{
	u64 pos = back->sent[n] - len;
	int got = near_recv(near_socket(n), BACK_MOST);
	u32 i;

	if (got != len)
		return -EIO;
	for (i = 0; i < len; i++)
		if (near_bytes()[i] != back_byte(n, false, pos + i))
			return -EIO;
	return 0;
}

static int back_read(struct back *back, u32 n, u32 len)
{
	struct far_own *own = &back->far->own[n];
	static u8 buf[BACK_MOST];
	u64 pos = back->received[n];
	u32 i;

	for (i = 0; i < len; i++)
		near_bytes()[i] = back_byte(n, true, pos + i);
	if (near_send(near_socket(n), len) != len ||
	    xvmc_ring_used(&own->cons) != len)
		return -EIO;
	xvmc_ring_copy_out(&own->cons, 0, buf, len);
	far_read(back->far, n);
	for (i = 0; i < len; i++)
		if (buf[i] != back_byte(n, true, pos + i))
			return -EIO;
	back->received[n] += len;
	return 0;
}

/* Both ways, and nothing is left */
static int back_bytes(struct back *back, u32 n, u32 len)
{
	int err = back_write(back, n, len);

	if (!err)
		err = back_check(back, n, len);
	return err ? err : back_read(back, n, 2 * len);
}

/* ---- cut, and back ---- */

static int back_lend(struct back *back, u32 n)
{
	int err = far_add_ring(back->far, n, 1);

	return err ? err : far_lend(back->far, n, n);
}

static int back_connect(struct back *back, u32 n)
{
	struct far_msg msg = far_msg(XVMC_MSG_CONNECT, n + 1, 9, NEAR_PORT,
				     SOCK_STREAM);
	struct far *far = back->far;
	int err;

	/* heard_resume() knows the stream by the second word */
	msg.word[4] = back->guest;
	msg.word[5] = n + 1;
	far->conn[n] = (struct far_conn){ FAR_ASKING, false, 0 };
	err = far_say(far, &msg);
	if (!err && far->conn[n].state != FAR_UP)
		err = -ECONNREFUSED;
	if (!err)
		err = back_lend(back, n);
	near_accept();
	return err ? err : back_bytes(back, n, 200 + 100 * n);
}

static bool back_until(struct back *back, bool (*done)(struct back *back))
{
	unsigned long end = jiffies + HOSTILE_PATIENCE;

	for (;;) {
		far_settle(back->far);
		far_hear(back->far);
		if (done(back))
			return true;
		if (time_after(jiffies, end))
			return false;
		schedule_timeout_uninterruptible(1);
	}
}

static bool back_is_parked(struct back *back)
{
	return xvmc_stat_read(XVMC_STAT_CONN_PARKED) >= back->parked;
}

static bool back_is_asked(struct back *back)
{
	return back->far->heard[XVMC_MSG_RESUME] ==
	       BACK_STREAMS - back->it->torn;
}

/* The far end is suspended. @torn: in the middle of what it sends */
static int back_cut(struct back *back, bool torn)
{
	struct far_msg bye = far_msg(XVMC_MSG_BYE, XENVMC_REASON_SUSPEND, 0, 0,
				     0);
	struct far *far = back->far;
	u32 ring;

	for (ring = 0; ring < XVMC_MAX_RINGS; ring++)
		if (!torn || far->lent[ring].conn)
			far_stop(far, ring);
	far_say(far, &bye);
	return back_until(back, back_is_parked) ? 0 : -ETIMEDOUT;
}

static struct far_msg back_resume(const struct back *back, u32 n)
{
	struct far_msg msg = far_msg(XVMC_MSG_RESUME, n + 1, 0, back->guest,
				     n + 1);

	msg.word[W_SENT] = back->sent[n];
	msg.word[W_RECEIVED] = back->received[n];
	return msg;
}

/*
 * As if the far end had much to hear yet: HELLO_ACK finds room, if the victim
 * has that to say, and nothing else does. It is up then, and its streams ask.
 */
static int back_ask_without_room(struct far *far)
{
	u32 ack = far->low ?
		xvmc_frame_bytes(xvmc_ctlmsg_len(XVMC_MSG_HELLO_ACK)) : 0;
	u32 room = far->low ? xvmc_frame_bytes(XVMC_CTL_MAX_BODY) : 0;

	xvmc_store(&far->rx_mem.hdr->cons, far->rx.cons + room - far->rx.size);
	far_event(far);
	far_settle(far);
	return far_is_up(far) && xvmc_ring_used(&far->rx) == ack ? 0 :
								   -EALREADY;
}

/* What it has read shows again */
static void back_make_room(struct far *far)
{
	xvmc_ring_consume(&far->rx, 0);
	far_event(far);
	far_settle(far);
}

static int back_greet(struct back *back, const struct back_case *it)
{
	struct far *far = back->far;
	struct far_msg msg;
	int err;
	u32 n;

	err = far_meet(far);
	if (err)
		return err;
	far_greeting(far, &msg);
	far_put(far, &msg);
	if (it->crosses)
		err = back_ask_without_room(far);
	if (err)
		return err;
	for (n = 0; it->first && n < BACK_STREAMS; n++) {
		msg = back_resume(back, n);
		far_put(far, &msg);
	}
	far_event(far);
	far_settle(far);
	if (it->crosses)
		back_make_room(far);
	far_hear(far);
	return far_is_up(far) ? 0 : -ENOTCONN;
}

/* Another pair, of the same guest or not. The last one is closing */
static int back_come(struct back *back, const struct back_case *it)
{
	bool low = back->far->low;
	struct far *far;
	int err;

	far = far_new(low);
	if (!far)
		return -ENOMEM;
	far_leave(back->far, false);
	back->far = far;
	far->features = it->no_feature ? 0 : XVMC_FEATURES;
	far_name(far, back->guest + it->other);
	err = back_greet(back, it);
	if (err || it->no_feature || it->other)
		return err;
	return back_until(back, back_is_asked) ? 0 : -ETIMEDOUT;
}

/* What the victim has said is right; so is what it hears */
static int back_answer(struct back *back, const struct back_case *it, u32 n)
{
	const u32 *word = back->far->resume[n].word;
	struct far_msg msg = back_resume(back, n);

	back->answered[n] = true;
	if (word[W_SENT] != back->received[n] || word[W_SENT + 1] ||
	    word[W_RECEIVED] != back->sent[n] || word[W_RECEIVED + 1])
		return -EBADMSG;
	if (!it->first)
		far_say(back->far, &msg);
	back->far->conn[n].state = FAR_UP;
	return it->unlent ? 0 : back_lend(back, n);
}

/* ---- lies ---- */

static int lie_word(struct back *back, const struct back_case *it)
{
	struct far_msg msg = back_resume(back, 0);
	u64 value = it->value;

	if (it->relative)
		value += msg.word[it->word];
	msg.word[it->word] = value;
	if (it->word >= W_SENT)
		msg.word[it->word + 1] = value >> 32;
	return far_say(back->far, &msg);
}

/* In place of RESUME: it names the victim's new id */
static int lie_answer(struct back *back, const struct back_case *it)
{
	struct far_msg msg = far_msg(it->type, back->far->conn[0].id, it->value,
				     0, 0);

	return far_say(back->far, &msg);
}

/* To who has asked, and is not UP yet */
static int lie_lend(struct back *back, const struct back_case *it)
{
	int err = far_add_ring(back->far, 5, 1);

	return err ? err : far_lend(back->far, 5, 0);
}

static int lie_replay(struct back *back, const struct back_case *it)
{
	struct far_msg msg = back_resume(back, 0);
	int err = back_answer(back, it, 0);

	return err ? err : far_say(back->far, &msg);
}

/* The time is up, and RESUME comes then */
static int lie_late(struct back *back, const struct back_case *it)
{
	struct far_msg msg = back_resume(back, 0);
	struct xvmc_conn *conn;

	conn = xvmc_conn_get_by_id(back->far->chan, back->far->conn[0].id);
	if (!conn)
		return -ENOENT;
	mod_delayed_work(xvmc_wq, &conn->timer, 0);
	flush_delayed_work(&conn->timer);
	xvmc_conn_put(conn);
	far_settle(back->far);
	return it->refuses ? far_say(back->far, &msg) : 0;
}

/* Suspended once more before it has said anything */
static int lie_again(struct back *back, const struct back_case *it)
{
	int err = back_cut(back, false);

	return err ? err : back_come(back, it);
}

static int lie_other(struct back *back, const struct back_case *it)
{
	struct far_msg msg = back_resume(back, 0);

	return far_say(back->far, &msg);
}

/* Those that are UP must hear of it; the others wait for it to come again */
static void back_vanish(struct back *back)
{
	xvmc_peer_event(back->far->peer, XVMC_PEV_UNLISTED, NULL);
}

#define VANISH(n, a, u) \
	{ .name = n, .vanishes = true, .answers = a, .unlent = u }
#define POSITION(n, w, v, r) \
	{ .name = n, .lie = lie_word, .stat = XVMC_STAT_PARK_MISMATCH, \
	  .lost = BIT(0), .refuses = true, .word = w, .value = v, \
	  .relative = r }
#define INSTEAD(n, t, v) \
	{ .name = n, .lie = lie_answer, .stat = XVMC_STAT_PARK_REFUSED, \
	  .lost = BIT(0), .type = XVMC_MSG_##t, .value = v }

static const struct back_case back_cases[] = {
	{ .name = "back" },
	{ .name = "back_first", .first = true },
	{ .name = "back_crosses", .first = true, .crosses = true },
	{ .name = "back_twice", .lie = lie_replay, .refuses = true },
	{ .name = "back_cut_again", .lie = lie_again },
	{ .name = "back_lends_first", .lie = lie_lend },
	{ .name = "back_token_unknown", .lie = lie_word, .refuses = true,
	  .word = 5, .value = 1 },
	{ .name = "back_token_of_another", .lie = lie_word, .refuses = true,
	  .stat = XVMC_STAT_PARK_MISMATCH, .lost = BIT(1), .word = 3,
	  .value = 2 },
	POSITION("back_sent_0", W_SENT, 0, false),
	POSITION("back_sent_less", W_SENT, -1, true),
	POSITION("back_sent_more", W_SENT, 1, true),
	POSITION("back_sent_as_far_as_read", W_SENT, -BACK_UNREAD, true),
	POSITION("back_sent_high", W_SENT, 1ULL << 32, true),
	POSITION("back_sent_max", W_SENT, U64_MAX, false),
	POSITION("back_received_0", W_RECEIVED, 0, false),
	POSITION("back_received_less", W_RECEIVED, -1, true),
	POSITION("back_received_more", W_RECEIVED, 1, true),
	POSITION("back_received_high", W_RECEIVED, 1ULL << 32, true),
	POSITION("back_received_max", W_RECEIVED, U64_MAX, false),
	INSTEAD("back_refuses", REFUSE, ECONNRESET),
	INSTEAD("back_refuses_errno_0", REFUSE, 0),
	INSTEAD("back_refuses_to_come_again", REFUSE, EAGAIN),
	INSTEAD("back_refuses_as_a_mismatch", REFUSE, EBADMSG),
	INSTEAD("back_refuses_as_expired", REFUSE, ETIMEDOUT),
	INSTEAD("back_resets", RESET, ETIMEDOUT),
	INSTEAD("back_detaches", DETACH, 0),
	{ .name = "back_accepts", .lie = lie_answer,
	  .stat = XVMC_STAT_PARK_REFUSED, .lost = BIT(0), .breaks = true,
	  .type = XVMC_MSG_ACCEPT, .value = 1 },
	{ .name = "back_says_nothing", .lie = lie_late,
	  .stat = XVMC_STAT_PARK_EXPIRED, .lost = BIT(0) },
	{ .name = "back_late", .lie = lie_late, .refuses = true,
	  .stat = XVMC_STAT_PARK_EXPIRED, .lost = BIT(0) },
	{ .name = "back_without_the_feature", .no_feature = true,
	  .stat = XVMC_STAT_PARK_REFUSED, .lost = BIT(0) | BIT(1) },
	{ .name = "back_as_another", .lie = lie_other, .other = true,
	  .refuses = true, .waits = true },
	{ .name = "back_not_stopped", .torn = true,
	  .stat = XVMC_STAT_PARK_TORN, .lost = BIT(0) },
	VANISH("back_vanishes_when_greeted", 0, false),
	VANISH("back_vanishes_after_one_resume", BIT(1), true),
	VANISH("back_vanishes_after_resume_and_lend", BIT(1), false),
	VANISH("back_vanishes_after_both", BIT(0) | BIT(1), true),
	VANISH("back_vanishes_after_both_and_lends", BIT(0) | BIT(1), false),
};

/* ---- judging ---- */

static u64 back_want(const struct back_case *it, enum xvmc_stat stat)
{
	u32 lost = hweight8(it->lost);

	if (stat == XVMC_STAT_VIOLATIONS)
		return it->breaks;
	if (stat == XVMC_STAT_CONN_RESUMED && it->vanishes)
		return hweight8(it->answers);
	if (stat == XVMC_STAT_CONN_RESUMED)
		return it->waits ? 0 : BACK_STREAMS - lost;
	return stat == it->stat ? lost : 0;
}

static bool back_is_counted(struct back *back)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(back_stats); i++)
		if (xvmc_stat_read(back_stats[i]) - back->before[i] !=
		    back_want(back->it, back_stats[i]))
			return false;
	return true;
}

/* A ring for what the far end sends */
static bool back_is_lent(struct back *back)
{
	return far_find_lent(back->far, back->wanted) >= 0;
}

static bool back_is_told(struct back *back)
{
	if (back->told == -EAGAIN)
		back->told = near_recv(near_socket(back->wanted), BACK_MOST);
	return back->told != -EAGAIN;
}

/* Reads to the end of what came, and then @end */
static const char *judge_end(struct back *back, u32 n, int end)
{
	if (!n && back_check(back, n, BACK_UNREAD))
		return "the unread bytes are not there";
	/* It is counted first, and told by a work */
	back->wanted = n;
	back->told = near_recv(near_socket(n), BACK_MOST);
	if (end != -EAGAIN && !back_until(back, back_is_told))
		return "it hears nothing of it";
	return back->told == end ? NULL : "it has not the end that it should";
}

static const char *judge_vanished(struct back *back,
				  const struct back_case *it, u32 n)
{
	return judge_end(back, n, it->answers & BIT(n) ? -ECONNRESET : -EAGAIN);
}

static const char *judge_stream(struct back *back, const struct back_case *it,
				u32 n)
{
	if (it->vanishes)
		return judge_vanished(back, it, n);
	if (it->waits)
		return judge_end(back, n, -EAGAIN);
	if (it->breaks || it->lost & BIT(n))
		return judge_end(back, n, -ECONNRESET);
	if (!n && back_check(back, n, BACK_UNREAD))
		return "the unread bytes are not there";
	back->wanted = n;
	if (!back_until(back, back_is_lent))
		return "no ring is lent to it";
	if (back_bytes(back, n, 300))
		return "other bytes";
	return NULL;
}

static const char *back_judge(struct back *back, const struct back_case *it)
{
	const char *why = NULL;
	u32 n;

	if (!back_until(back, back_is_counted))
		return "it is not counted so";
	if (it->refuses != !!back->far->heard[XVMC_MSG_REFUSE])
		return it->refuses ? "not refused" : "refused";
	if (far_is_up(back->far) == (it->breaks || it->vanishes))
		return far_is_up(back->far) ? "the channel is up" : "the channel is down";
	for (n = 0; !why && n < BACK_STREAMS; n++)
		why = judge_stream(back, it, n);
	return why;
}

static const char *back_begin(struct back *back, const struct back_case *it)
{
	u32 n;

	back->far->features = XVMC_FEATURES;
	far_name(back->far, back->guest);
	if (far_greet(back->far))
		return "could not connect";
	for (n = 0; n < BACK_STREAMS; n++)
		if (back_connect(back, n))
			return "bytes did not come through before";
	if (back_write(back, 0, BACK_UNREAD))
		return "bytes can not be left unread";
	return back_cut(back, it->torn) ? "it is not cut" : NULL;
}

/* Whoever goes on is answered before the lie, or after it */
static bool back_answers(const struct back *back, const struct back_case *it,
			 u32 n, bool before)
{
	bool after_lie = !n || it->lie == lie_again;

	if (it->no_feature || it->other || back->answered[n] ||
	    before == after_lie)
		return false;
	return it->vanishes ? it->answers & BIT(n) : !(it->lost & BIT(n));
}

static const char *back_play(struct back *back, const struct back_case *it)
{
	const char *why = back_begin(back, it);
	int err = 0;
	u32 n;

	if (why)
		return why;
	if (back_come(back, it))
		return "it could not come back";
	if (back_answers(back, it, 1, true))
		err = back_answer(back, it, 1);
	if (!err && it->lie)
		err = it->lie(back, it);
	for (n = 0; !err && n < BACK_STREAMS; n++)
		if (back_answers(back, it, n, false))
			err = back_answer(back, it, n);
	if (!err && it->vanishes)
		back_vanish(back);
	if (err)
		return err == -EBADMSG ? "it says a wrong position" :
					 "it could not be told";
	return back_judge(back, it);
}

static const char *back_leave(struct back *back, struct far *honest_pair)
{
	const char *why = NULL;

	far_leave(back->far, !back->it->vanishes);
	if (near_leave_all())
		return "the victim can not listen any more";
	if (far_talk(honest_pair) || far_bytes(honest_pair))
		why = "the honest pair does not talk any more";
	if (near_leave_all())
		why = "the victim can not listen any more";
	return why;
}

/**
 * hostile_back() - one of these cases
 * @n: its number
 * @low: the victim is the lower domain
 *
 * Return: NULL, or the reason of the failure.
 */
const char *hostile_back(u32 n, bool low)
{
	struct far *honest_pair = far_new(!low);
	static u32 guest = 1;
	struct back back = {
		.it = &back_cases[n],
		.far = far_new(low),
		.guest = guest,
		.parked = xvmc_stat_read(XVMC_STAT_CONN_PARKED) + BACK_STREAMS,
	};
	const char *why = "no memory", *after;
	u32 i;

	/* The other one is another guest */
	guest += 2;
	for (i = 0; i < ARRAY_SIZE(back_stats); i++)
		back.before[i] = xvmc_stat_read(back_stats[i]);
	if (back.far && honest_pair) {
		why = far_greet(honest_pair) ? "no honest pair" :
					       back_play(&back, back.it);
		after = back_leave(&back, honest_pair);
		why = why ? why : after;
	} else if (back.far) {
		far_leave(back.far, false);
	}
	if (honest_pair)
		far_leave(honest_pair, true);
	return why;
}

/**
 * hostile_back_name() - name of one of these cases
 * @n: its number
 *
 * Return: the name, or NULL if there are no more.
 */
const char *hostile_back_name(u32 n)
{
	return n < ARRAY_SIZE(back_cases) ? back_cases[n].name : NULL;
}
