// SPDX-License-Identifier: GPL-2.0
/*
 * Named lies: a message, a field or a word of shared memory, and what the
 * protocol says about it (Documentation/protocol.rst).
 *
 * Each case has a pair of its own, once with the victim as the lower domain and
 * once as the higher. In front of the lie the two talk as they should, and an
 * honest pair, made before, must still talk afterwards.
 */
#include "cases.h"

static struct far_msg made(u16 type, u32 a, u32 b, u32 c, u32 d)
{
	return far_msg(type, a, b, c, d);
}

/**
 * hostile_honest() - what a message holds when nothing in it is wrong
 * @far: pair, after far_talk()
 * @type: of the message
 *
 * Return: the message.
 */
struct far_msg hostile_honest(const struct far *far, u16 type)
{
	u32 stream = far->conn[0].id, tcp = far->conn[1].id;
	struct far_msg msg;

	switch (type) {
	case XVMC_MSG_HELLO:
	case XVMC_MSG_HELLO_ACK:
		return made(type, XVMC_VERSION, 0, 0, 0);
	case XVMC_MSG_RING_ADD:
		return made(type, 3, 1, far->own[3].mem.token, 0);
	case XVMC_MSG_RING_DEL:
		return made(type, 2, 0, 0, 0);
	case XVMC_MSG_RING_GONE:
		return made(type, far->last[XVMC_MSG_LEND].word[0], ENOMEM, 0,
			    0);
	case XVMC_MSG_LEND:
		return made(type, 2, 1, tcp, 0);
	case XVMC_MSG_RECALL:
		return made(type, 0, far->own[0].epoch, stream, 0);
	case XVMC_MSG_CONNECT:
		return made(type, 5, 9, NEAR_PORT, SOCK_STREAM);
	case XVMC_MSG_RESUME:
		return made(type, 5, 0, 1, 2);
	case XVMC_MSG_UPGRADE:
		msg = made(type, 6, htons(NEAR_TCP_PORT) << 16, 0, 0);
		return msg;
	case XVMC_MSG_UPGRADE_OK:
	case XVMC_MSG_UPGRADE_NO:
		return made(type, tcp, 7, 0, 0);
	case XVMC_MSG_WANT:
		return made(type, stream, 0, 0, 0);
	default:
		return made(type, stream, 7, 0, 0);
	}
}

static bool is_tcp(u16 type)
{
	return type == XVMC_MSG_UPGRADE_OK || type == XVMC_MSG_UPGRADE_NO;
}

/* Own rings 2, announced, and 3, not yet */
static int more_rings(struct far *far)
{
	int err = far_add_ring(far, 2, 1);

	if (!err)
		err = xvmc_loop_ops.ring_grant(NULL, &far->own[3].mem, 1);
	far->own[3].granted = !err;
	return err;
}

/**
 * tell_word() - a message of which one word is not true, or none
 * @far: pair
 * @it: which
 *
 * Return: 0 or a negative errno.
 */
int tell_word(struct far *far, const struct hostile_case *it)
{
	struct far_msg msg = hostile_honest(far, it->type);

	if (it->word < FAR_WORDS)
		msg.word[it->word] = it->value;
	return far_say(far, &msg);
}

/* The greeting, with a grant that is good */
static int tell_greeting(struct far *far, const struct hostile_case *it)
{
	struct far_msg msg;

	far_greeting(far, &msg);
	msg.word[it->word] = it->value;
	return far_say(far, &msg);
}

/**
 * tell_answer() - the first that the victim hears after it has asked
 * @far: pair that talks
 * @it: the message, in which the victim's question is named
 *
 * Return: 0 or a negative errno.
 */
int tell_answer(struct far *far, const struct hostile_case *it)
{
	bool lend = it->type == XVMC_MSG_LEND || it->type == XVMC_MSG_RECALL;
	struct far_msg msg = hostile_honest(far, it->type);
	int n = far_free_conn(far);

	if (near_ask(far, is_tcp(it->type) != it->relative))
		return -ENOENT;
	far_settle(far);
	far_hear(far);
	if (far->conn[n].state != FAR_ASKED)
		return -ENOENT;
	msg.word[lend ? 2 : 0] = far->conn[n].id;
	if (it->word < FAR_WORDS)
		msg.word[it->word] = it->value;
	return far_say(far, &msg);
}

/* The ring that is lent to one connection, in the name of another */
static int tell_recall_other(struct far *far, const struct hostile_case *it)
{
	struct far_msg msg = hostile_honest(far, XVMC_MSG_RECALL);

	msg.word[2] = far->conn[1].id;
	return far_say(far, &msg);
}

static int tell_len(struct far *far, const struct hostile_case *it)
{
	struct far_msg msg = hostile_honest(far, it->type);

	msg.len = it->value;
	return far_say(far, &msg);
}

static int tell_twice(struct far *far, const struct hostile_case *it)
{
	struct far_msg msg = hostile_honest(far, it->type);

	far_say(far, &msg);
	return far_say(far, &msg);
}

/* What comes behind a greeting that breaks the channel breaks nothing more */
static int tell_more(struct far *far, const struct hostile_case *it)
{
	struct far_msg hello = hostile_honest(far, it->type);
	struct far_msg more = far_msg(XVMC_MSG_RING_DEL, it->value, 0, 0, 0);

	return far_put(far, &hello) ?: far_say(far, &more);
}

/* Given up before it was answered: what HELLO names is gone when it is read */
static int tell_given_up(struct far *far, const struct hostile_case *it)
{
	struct far_msg hello = hostile_honest(far, XVMC_MSG_HELLO);
	struct far_msg bye = hostile_honest(far, XVMC_MSG_BYE);

	hello.word[2] = U32_MAX;
	return far_put(far, &hello) ?: far_say(far, &bye);
}

/*
 * A channel that closes and never was up, and all the rest in the same breath: of
 * the far end's rings none is mapped on which there could be an answer.
 */
static int tell_behind(struct far *far, const struct hostile_case *it)
{
	struct far_msg msg[] = {
		hostile_honest(far, it->type),
		far_msg(XVMC_MSG_RING_ADD, 3, 1, 0, 0),
		far_msg(XVMC_MSG_LEND, 3, 1, 1, 0),
		far_msg(XVMC_MSG_RECALL, 3, 1, 1, 0),
		far_msg(XVMC_MSG_CONNECT, 1, 9000, NEAR_PORT, SOCK_STREAM),
		far_msg(XVMC_MSG_WANT, 1, 0, 0, 0),
		far_msg(XVMC_MSG_DETACH, 1, 0, 0, 0),
		far_msg(XVMC_MSG_RING_DEL, 3, 0, 0, 0),
	};
	int err = xvmc_loop_ops.ring_grant(NULL, &far->own[3].mem, 1);
	u32 i;

	far->own[3].granted = !err;
	if (it->type == XVMC_MSG_HELLO)
		msg[0].word[2] = U32_MAX;
	msg[1].word[2] = far->own[3].mem.token;
	for (i = 0; i < ARRAY_SIZE(msg) && !err; i++)
		err = far_put(far, &msg[i]);
	if (err)
		return err;
	far_event(far);
	far_settle(far);
	return 0;
}

/* An answer of the one family for a connection of the other */
static int tell_other_kind(struct far *far, const struct hostile_case *it)
{
	struct far_msg msg = hostile_honest(far, it->type);

	msg.word[0] = far->conn[is_tcp(it->type) ? 0 : 1].id;
	return far_say(far, &msg);
}

/* Everything that the ring holds is one event: bounded by the ring */
static int tell_flood(struct far *far, const struct hostile_case *it)
{
	struct far_msg msg = hostile_honest(far, it->type);
	u32 i;

	for (i = 0; i < it->value && far_is_up(far); i++)
		far_say(far, &msg);
	return 0;
}

/* One ring under many numbers: its pages count each time that it is mapped */
static int tell_pages(struct far *far, const struct hostile_case *it)
{
	struct xvmc_ring_mem mem = {};
	struct far_msg msg;
	u32 i;
	int err;

	err = xvmc_loop_ops.ring_grant(NULL, &mem, XVMC_RING_MAX_ORDER);
	if (err)
		return err;
	for (i = 0; i < it->value; i++) {
		msg = far_msg(XVMC_MSG_RING_ADD, 100 + i, XVMC_RING_MAX_ORDER,
			      mem.token, 0);
		far_say(far, &msg);
	}
	xvmc_loop_ops.ring_end(NULL, &mem);
	return 0;
}

/* The victim asks and leaves, again and again, and nobody gives a last word */
static int tell_no_last_word(struct far *far, const struct hostile_case *it)
{
	struct far_msg msg = hostile_honest(far, XVMC_MSG_CONNECT);
	u32 i;

	for (i = 0; i < it->value; i++) {
		if (near_ask(far, false))
			return -ENOBUFS;
		/* far_talk() has the first door */
		near_door_leave(1, false, true);
		flush_work(&far->chan->work);
		far_deaf(far);
	}
	return far_say(far, &msg);
}

/* Questions that are refused, while there is no room for the answers */
int tell_unheard(struct far *far, const struct hostile_case *it)
{
	struct far_msg msg = hostile_honest(far, it->type);
	u32 i;

	for (i = 0; i < it->value; i++) {
		msg.word[0] = 1000 + i;
		msg.word[it->word] = 0;
		far_put(far, &msg);
		far_event(far);
		far_settle(far);
	}
	return 0;
}

/*
 * The victim asks while nobody reads: it is not answered before it has, and when
 * its end has left nothing waits for room
 */
static int tell_before_asked(struct far *far, const struct hostile_case *it)
{
	struct xvmc_conn *conn;
	struct far_msg msg;
	u32 n = 0;

	tell_unheard(far, it);
	while (near_door(n))
		n++;
	if (near_ask(far, true))
		return -ENOENT;
	conn = near_door(n);
	msg = far_msg(it->relative ? XVMC_MSG_DETACH : XVMC_MSG_UPGRADE_NO,
		      conn->id, XENVMC_REASON_PEER_LEFT, 0, 0);
	far_put(far, &msg);
	far_event(far);
	far_settle(far);
	if (READ_ONCE(conn->state) != XVMC_CONN_ASKED)
		return -EBADMSG;
	near_door_leave(n, false, true);
	far_settle(far);
	return list_empty(&far->chan->send_list) ? 0 : -EBADMSG;
}

/* BYE, before there is room for the victim's */
static int tell_bye_unheard(struct far *far, const struct hostile_case *it)
{
	struct far_msg bye = hostile_honest(far, XVMC_MSG_BYE);
	u32 i;

	tell_unheard(far, it);
	for (i = 0; i < XVMC_MAX_RINGS; i++)
		far_stop(far, i);
	far_put(far, &bye);
	far_event(far);
	/* It waits for room now, or has given up */
	while (!waitqueue_active(&far->chan->idle) &&
	       READ_ONCE(far->chan->state) != XVMC_CHAN_CLOSED)
		schedule_timeout_uninterruptible(1);
	return 0;
}

/* Bytes after the stop mark, and the mark of another epoch */
static int tell_after_stop(struct far *far, const struct hostile_case *it)
{
	int ring = far_find_lent(far, 0);
	struct far_lent *lent = &far->lent[ring];

	far_write(far, ring, 100);
	far_stop(far, ring);
	lent->lent = true;
	lent->started = true;
	lent->epoch += it->value;
	xvmc_ring_publish(&lent->prod, 100);
	xvmc_ring_stop(&lent->prod, lent->epoch);
	lent->lent = false;
	far_event(far);
	near_recv(near_socket(0), 1000);
	far_settle(far);
	return 0;
}

/* Bytes of a lend that was never started: nobody can read them, nor may poll */
static int tell_unstarted(struct far *far, const struct hostile_case *it)
{
	struct far_lent *lent = &far->lent[far_find_lent(far, 0)];

	WRITE_ONCE(lent->mem.hdr->start_epoch, lent->epoch + 1);
	xvmc_ring_publish(&lent->prod, it->value);
	xvmc_bell_set(far->tx_mem.hdr, XVMC_BELL_DATA, far_find_lent(far, 0));
	far_event(far);
	far_settle(far);
	if (near_recv(near_socket(0), 100) != -EAGAIN)
		return -EBADMSG;
	return near_is_readable(near_socket(0)) ? -EBADMSG : 0;
}

/* A frame whose header says @value in the word, behind which there is little */
static int tell_frame(struct far *far, const struct hostile_case *it)
{
	u32 hdr[2] = {};

	hdr[it->word] = it->value;
	xvmc_ring_copy_in(&far->tx, 0, hdr, sizeof(hdr));
	xvmc_ring_publish(&far->tx, it->relative ? 4 : sizeof(hdr));
	far_event(far);
	far_settle(far);
	return 0;
}

#include "table.h"

/* Those of the table first, then those of back.c. NULL: no more */
static const char *case_name(u32 n)
{
	return n < ARRAY_SIZE(hostile_cases) ? hostile_cases[n].name :
		hostile_back_name(n - ARRAY_SIZE(hostile_cases));
}

static int case_find(const char *wanted)
{
	const char *name;
	u32 n;

	for (n = 0; (name = case_name(n)); n++)
		if (!strcmp(name, wanted))
			return n;
	return -ENOENT;
}

/**
 * hostile_list() - names, one a line, as many as there is room for
 * @from: number of the first one
 * @text: where
 * @size: room
 */
void hostile_list(u32 from, char *text, size_t size)
{
	const char *name;
	size_t n = 0;

	for (; (name = case_name(from)); from++) {
		if (n + strlen(name) + 2 > size)
			break;
		n += scnprintf(text + n, size - n, "%s\n", name);
	}
}

/* Of a message of a type, or of a header page */
static bool case_has(const struct hostile_case *it, bool page, u16 type,
		     u32 word)
{
	bool in_page = it->tell == tell_page || it->tell == tell_events;
	bool in_body = it->tell == tell_word || it->tell == tell_greeting ||
		       it->tell == tell_answer;

	return it->type == type && it->word == word &&
	       (page ? in_page : in_body);
}

static bool case_is_lacking(bool page, u16 type, u32 word)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(hostile_cases); i++)
		if (case_has(&hostile_cases[i], page, type, word))
			return false;
	return true;
}

/**
 * hostile_lacking() - words of messages and header pages of which no case lies
 * @text: gets "ok" or their names
 * @size: room
 */
void hostile_lacking(char *text, size_t size)
{
	size_t n = 0;
	u32 word;
	u16 type;

	for (type = 1; type < FAR_TYPES; type++)
		for (word = 0; word < xvmc_ctlmsg_len(type) / 4; word++)
			if (case_is_lacking(false, type, word))
				n += scnprintf(text + n, size - n,
					       "%s has no case of word %u, ",
					       xvmc_ctlmsg_name(type), word);
	for (type = 0; type < FAR_PAGES; type++)
		for (word = 0; word < XVMC_PAGE_SIZE / 4;
		     word = page_next(word))
			if (case_is_lacking(true, type, word))
				n += scnprintf(text + n, size - n,
					       "page %u has no case of word %u, ",
					       type, word);
	if (!n)
		scnprintf(text, size, "ok");
}

/* ---- judging ---- */

/* Counters and state in front of the lie */
struct before {
	u64 violations;
	u64 unknown_type;
	u64 unknown_conn;
	u32 heard[FAR_TYPES];
};

static void note(struct before *before, const struct far *far)
{
	before->violations = xvmc_stat_read(XVMC_STAT_VIOLATIONS);
	before->unknown_type = xvmc_stat_read(XVMC_STAT_CTL_UNKNOWN_TYPE);
	before->unknown_conn = xvmc_stat_read(XVMC_STAT_CTL_UNKNOWN_CONN);
	memcpy(before->heard, far->heard, sizeof(before->heard));
}

static u32 came(const struct before *before, const struct far *far, u16 type)
{
	return far->heard[type] - before->heard[type];
}

/* Of those that a system call may return, whatever the peer has said */
static const char *judge_told(const struct hostile_case *it)
{
	int told = near_told(), want = ECONNRESET;

	if (is_tcp(it->type) != it->relative)
		want = XENVMC_REASON_PEER_LEFT;
	else if (it->type == XVMC_MSG_DETACH)
		want = 0;
	if (told < 0)
		return "the program was not refused";
	return told == want ? NULL : "the program was told something else";
}

static const char *judge_features(const struct far *far,
				  const struct hostile_case *it)
{
	u32 want = it->value & XVMC_FEATURES;

	if (far->chan->features != want)
		return "it has other features";
	if (far->low && far->last[XVMC_MSG_HELLO_ACK].word[1] != want)
		return "other features were said";
	return NULL;
}

/* NULL if the victim did as @it expects, else what it did not do */
static const char *judge(const struct far *far, const struct before *before,
			 const struct hostile_case *it)
{
	enum expected expected = it->expected;
	u64 violations = xvmc_stat_read(XVMC_STAT_VIOLATIONS) -
			 before->violations;
	bool up = far_is_up(far);

	if (expected == BREAKS && violations != 1)
		return "not counted as one violation";
	if (expected == BREAKS)
		return up ? "the channel is up" : NULL;
	if (expected == LEAVES)
		return violations > 1 ? "counted more than once" : NULL;
	if (violations)
		return "counted as a violation";
	if ((expected == CLOSES || expected == ANSWERS) && up)
		return "the channel is up";
	if (expected == ANSWERS && !came(before, far, XVMC_MSG_BYE))
		return "no BYE";
	if (expected == CLOSES || expected == ANSWERS)
		return NULL;
	if (expected == FINE && !far->chan->was_up && !far_is_up(far))
		return NULL;	/* as before: it never was up */
	if (!up)
		return "the channel is down";
	if (expected == NO_TYPE &&
	    xvmc_stat_read(XVMC_STAT_CTL_UNKNOWN_TYPE) == before->unknown_type)
		return "not counted as an unknown type";
	if (expected == NO_CONN &&
	    xvmc_stat_read(XVMC_STAT_CTL_UNKNOWN_CONN) == before->unknown_conn)
		return "not counted as an unknown connection";
	if (expected == REFUSES && !came(before, far, XVMC_MSG_REFUSE) &&
	    !came(before, far, XVMC_MSG_UPGRADE_NO))
		return "not refused";
	if (expected == REFUSES_ALL &&
	    came(before, far, XVMC_MSG_REFUSE) +
	    came(before, far, XVMC_MSG_UPGRADE_NO) != it->value)
		return "not all are refused";
	if (expected == GONE && !came(before, far, XVMC_MSG_RING_GONE))
		return "no RING_GONE";
	if (expected == CONNECTS)
		return judge_features(far, it);
	if (expected == TELLS)
		return judge_told(it);
	if (expected == OPENS && !came(before, far, XVMC_MSG_LEND))
		return "no ring is lent to it";
	if ((expected == FINE || expected == OPENS) &&
	    (came(before, far, XVMC_MSG_RING_GONE) ||
	     came(before, far, XVMC_MSG_REFUSE)))
		return "RING_GONE or REFUSE";
	if (expected == ENDS && !came(before, far, XVMC_MSG_DETACH) &&
	    !came(before, far, XVMC_MSG_RESET))
		return "the connection goes on";
	return NULL;
}

/*
 * What must come may come late: a connection whose id is free says its last
 * words from a work that far_settle() does not find any more.
 */
static const char *judge_in_time(struct far *far, const struct before *before,
				 const struct hostile_case *it)
{
	unsigned long end = jiffies + HOSTILE_PATIENCE;
	const char *why;

	for (;;) {
		far_settle(far);
		far_hear(far);
		why = judge(far, before, it);
		if (!why || time_after(jiffies, end))
			return why;
		schedule_timeout_uninterruptible(1);
	}
}

/* Are the connections of far_talk() as they were? */
static const char *judge_ends(struct far *far, const struct hostile_case *it)
{
	switch (it->expected) {
	case CONNECTS:
		if (far_talk(far))
			return "could not talk afterwards";
		break;
	case FINE:
		if (it->early)
			return NULL;
		break;
	case OPENS:
	case TELLS:
		break;
	case VANISHES:
		return judge_gone(far, it);
	default:
		return NULL;
	}
	return far_bytes(far) ? "bytes do not come through any more" : NULL;
}

static const char *play(struct far *far, struct far *honest_pair,
			const struct hostile_case *it, enum far_age age)
{
	struct before before;
	const char *why;
	int err;

	if (it->early ? far_meet(far) : far_greet(far))
		return "could not connect";
	/* With the first places of the victim's arrays */
	if (!it->early && (far_talk(far) || more_rings(far)))
		return "could not talk";
	if (!it->early && far_bytes(far))
		return "bytes did not come through before";
	if (!it->early)
		page_age(far, age);
	note(&before, far);
	/* Others are those of a ring that the lie itself has spoilt */
	err = it->tell(far, it);
	if (err == -ENOENT)
		return "it could not be told";
	if (err == -EBADMSG)
		return "a socket's answers do not agree";
	if (err == -EPERM)
		return "events that bring nothing are taken for work";
	if (err == -EIO)
		return "bytes or messages do not come through meanwhile";
	if (err == -ETIMEDOUT)
		return it->expected == LEAVES ? "it does not leave" :
						"a program sleeps on";
	why = judge_in_time(far, &before, it);
	if (!why)
		why = judge_ends(far, it);
	if (!why && far->slowest > HOSTILE_SLOW_US)
		why = "the victim was busy for too long";
	if (near_leave_all())
		return "the victim can not listen any more";
	if (!why && (far_talk(honest_pair) || far_bytes(honest_pair)))
		why = "the honest pair does not talk any more";
	if (near_leave_all())
		return "the victim can not listen any more";
	return why;
}

static const char *case_run_row(const struct hostile_case *it, bool low,
				enum far_age age)
{
	struct far *far = far_new(low), *honest_pair = far_new(!low);
	const char *why = "no memory";

	if (far && honest_pair)
		why = far_greet(honest_pair) ? "no honest pair" :
					       play(far, honest_pair, it, age);
	if (honest_pair)
		far_leave(honest_pair, true);
	if (far)
		far_leave(far, it->stop);
	return why;
}

/* Lies in pages are told wherever the indices may be */
static u32 case_ages(u32 n)
{
	const struct hostile_case *it;

	if (n >= ARRAY_SIZE(hostile_cases))
		return 1;
	it = &hostile_cases[n];
	return it->tell == tell_page || it->tell == tell_events ||
	       it->tell == tell_asleep ? AGES : 1;
}

static const char *case_run(u32 n, bool low, enum far_age age)
{
	const struct hostile_case *it;

	if (n >= ARRAY_SIZE(hostile_cases))
		return hostile_back(n - ARRAY_SIZE(hostile_cases), low);
	it = &hostile_cases[n];
	if (it->only && it->only != (low ? ONLY_LOW : ONLY_HIGH))
		return NULL;
	return case_run_row(it, low, age);
}

/**
 * hostile_case() - one case, both ways round
 * @name: of the case
 * @why: gets "ok", or the reason of the failure
 * @size: its room
 *
 * Return: 0, or -EINVAL if it failed.
 */
int hostile_case(const char *name, char *why, size_t size)
{
	int n = case_find(name), i;
	const char *said;
	bool low;

	if (n < 0) {
		strscpy(why, "there is no such case", size);
		return -EINVAL;
	}
	far_set_case(case_name(n));
	for (i = 0; i < 2 * case_ages(n); i++) {
		low = !(i & 1);
		said = case_run(n, low, i / 2);
		if (said) {
			snprintf(why, size, "%s, the victim is the %s domain%s",
				 said, low ? "lower" : "higher",
				 page_age_name(i / 2));
			return -EINVAL;
		}
	}
	strscpy(why, "ok", size);
	return 0;
}
