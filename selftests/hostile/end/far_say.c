// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of the far end: said, heard, and waited for.
 */
#include "far.h"

/* Works that queue others: channel, connection, channel, connection */
#define SETTLE_ROUNDS	3

/**
 * far_is_up() - can connections be made?
 * @far: pair
 */
bool far_is_up(const struct far *far)
{
	return far->chan && READ_ONCE(far->chan->state) == XVMC_CHAN_UP &&
	       !READ_ONCE(far->chan->violated);
}

/**
 * far_event() - an event for the near end, as the transport would bring it
 * @far: pair, met
 *
 * The softirq has run when this returns.
 */
void far_event(struct far *far)
{
	spin_lock_bh(&far->lock);
	if (!far->closed)
		xvmc_chan_event(far->chan);
	spin_unlock_bh(&far->lock);
}

/**
 * far_settle() - wait until the near end has nothing to do but to wait
 * @far: pair, met
 *
 * Closing is not waited for: it may take seconds.
 */
void far_settle(struct far *far)
{
	struct xvmc_chan *chan = far->chan;
	ktime_t begin = ktime_get();
	struct xvmc_conn *conn;
	unsigned long id;
	int round;
	s64 took;

	for (round = 0; round < SETTLE_ROUNDS; round++) {
		flush_work(&chan->work);
		xa_for_each(&chan->conns, id, conn) {
			conn = xvmc_conn_get_by_id(chan, id);
			if (!conn)
				continue;
			flush_work(&conn->work);
			xvmc_conn_put(conn);
		}
	}
	took = ktime_us_delta(ktime_get(), begin);
	far->slowest = max(far->slowest, took);
}

/**
 * far_msg() - a message of up to four words
 * @type: &enum xvmc_msg_type
 * @a: first word
 * @b: second word
 * @c: third word
 * @d: fourth word
 *
 * Return: the message, with the length that its type has.
 */
struct far_msg far_msg(u16 type, u32 a, u32 b, u32 c, u32 d)
{
	struct far_msg msg = {
		.type = type,
		.len = xvmc_ctlmsg_len(type),
		.word = { a, b, c, d },
	};

	return msg;
}

/**
 * far_put() - say it, and do not tell
 * @far: pair, met
 * @msg: anything
 *
 * Return: 0, or a negative errno if the ring did not take it.
 */
int far_put(struct far *far, const struct far_msg *msg)
{
	u8 body[2 * XVMC_CTL_MAX_BODY] = {};
	int ret;

	memcpy(body, msg->word, sizeof(msg->word));
	ret = xvmc_frame_put(&far->tx, msg->type, body,
			     min_t(u16, msg->len, sizeof(body)));
	return ret < 0 ? ret : 0;
}

/**
 * far_say() - say it, have it acted on, and hear the answers
 * @far: pair, met
 * @msg: anything
 *
 * Return: 0, or a negative errno if the ring did not take it.
 */
int far_say(struct far *far, const struct far_msg *msg)
{
	int err = far_put(far, msg);

	far_event(far);
	far_settle(far);
	far_hear(far);
	return err;
}

static void heard_ring_add(struct far *far, const u32 *word)
{
	struct far_lent *lent = &far->lent[word[0]];

	if (lent->mapped ||
	    xvmc_loop_ops.ring_map(NULL, &lent->mem, word[1], word[2]))
		return;
	lent->mapped = true;
	xvmc_ring_prod_init(&lent->prod, lent->mem.hdr, lent->mem.page,
			    lent->mem.order);
}

static void heard_lend(struct far *far, const u32 *word)
{
	struct far_lent *lent = &far->lent[word[0]];

	if (!lent->mapped)
		return;
	lent->lent = true;
	lent->started = false;
	lent->epoch = word[1];
	lent->conn = word[2] - 1;
}

/* Acted on with the next event. Without room, or a channel, it is left out */
static void reply(struct far *far, u16 type, u32 id)
{
	u32 body[] = { id, XENVMC_REASON_PEER_LEFT };

	xvmc_frame_put(&far->tx, type, body, sizeof(body));
}

/* Without a place for it: no, or the near end would keep it for ever */
static void heard_ask(struct far *far, u32 id, bool tcp)
{
	int n = far_free_conn(far);

	if (n >= 0)
		far->conn[n] = (struct far_conn){ FAR_ASKED, tcp, id };
	else
		reply(far, tcp ? XVMC_MSG_UPGRADE_NO : XVMC_MSG_REFUSE, id);
}

/* The token's second word is our id, see make_ask() and back_connect() */
static void heard_resume(struct far *far, const struct far_msg *msg)
{
	u32 n = msg->word[3] - 1;

	if (n >= FAR_CONNS)
		return;
	far->resume[n] = *msg;
	far->conn[n] = (struct far_conn){ FAR_CUT, false, msg->word[0] };
}

static void heard_of_conn(struct far *far, const struct far_msg *msg)
{
	u32 n = msg->word[0] - 1;
	struct far_conn *conn;

	if (n >= FAR_CONNS)
		return;
	conn = &far->conn[n];
	if (msg->type == XVMC_MSG_ACCEPT || msg->type == XVMC_MSG_UPGRADE_OK) {
		conn->state = FAR_UP;
		conn->id = msg->word[1];
	} else {
		/* The one word that its id is waiting for there */
		if (conn->state == FAR_UP && (msg->type == XVMC_MSG_DETACH ||
					      msg->type == XVMC_MSG_RESET))
			reply(far, XVMC_MSG_DETACH, conn->id);
		conn->state = FAR_FREE;
	}
}

static void heard(struct far *far, const struct far_msg *msg)
{
	far->heard[msg->type]++;
	far->last[msg->type] = *msg;
	switch (msg->type) {
	case XVMC_MSG_RING_ADD:
		heard_ring_add(far, msg->word);
		break;
	case XVMC_MSG_RING_GONE:
		if (msg->word[0] < FAR_RINGS)
			far->own[msg->word[0]].told = false;
		break;
	case XVMC_MSG_LEND:
		heard_lend(far, msg->word);
		break;
	case XVMC_MSG_CONNECT:
	case XVMC_MSG_UPGRADE:
		heard_ask(far, msg->word[0], msg->type == XVMC_MSG_UPGRADE);
		break;
	case XVMC_MSG_RESUME:
		heard_resume(far, msg);
		break;
	case XVMC_MSG_ACCEPT:
	case XVMC_MSG_REFUSE:
	case XVMC_MSG_RESET:
	case XVMC_MSG_UPGRADE_OK:
	case XVMC_MSG_UPGRADE_NO:
	case XVMC_MSG_DETACH:
		heard_of_conn(far, msg);
		break;
	}
}

/**
 * far_hear() - take note of all that the near end has said
 * @far: pair, met
 *
 * The near end is honest: what it says needs no check but against its type.
 */
void far_hear(struct far *far)
{
	u8 body[XVMC_CTL_MAX_BODY];
	struct far_msg msg;
	bool kick;
	int len;

	for (;;) {
		memset(&msg, 0, sizeof(msg));
		len = xvmc_frame_get(&far->rx, &msg.type, body, sizeof(body),
				     &kick);
		if (len < 0)
			break;
		msg.len = len;
		memcpy(msg.word, body, min_t(u32, len, sizeof(msg.word)));
		if (msg.type < FAR_TYPES)
			heard(far, &msg);
		if (kick)
			far_event(far);
	}
}

/**
 * far_deaf() - make room for what the near end says, and hear none of it
 * @far: pair, met
 */
void far_deaf(struct far *far)
{
	int used = xvmc_ring_used(&far->rx);

	if (used > 0)
		xvmc_ring_consume(&far->rx, used);
	far_event(far);
}
