// SPDX-License-Identifier: GPL-2.0
/*
 * Connection: its pending control messages, put into words.
 *
 * conn.c says which are pending, a bit each; the channel asks for the next when
 * there is room on its control ring, under chan->lock.
 */
#include "conn.h"
#include "rings.h"

static void conn_fill(struct xvmc_conn *conn, struct xvmc_ctlmsg *msg, u16 type)
{
	msg->type = type;
	switch (type) {
	case XVMC_MSG_CONNECT:
	case XVMC_MSG_UPGRADE:
		conn->ops->ask(conn, msg);
		/* The asking id is the first word of both */
		msg->connect.conn = conn->id;
		break;
	case XVMC_MSG_UPGRADE_OK:
		msg->yes.proof = conn->proof;
		fallthrough;
	case XVMC_MSG_ACCEPT:
		msg->conn.conn = conn->peer_id;
		msg->conn.arg = conn->id;
		break;
	case XVMC_MSG_WANT:
		msg->conn.conn = conn->peer_id;
		break;
	default:
		msg->conn.conn = conn->peer_id;
		msg->conn.arg = conn->why;
	}
}

/*
 * Is an answer, or the end, of somebody who cannot know the id? Nobody can
 * before it was said. But who resumes is answered by the peer's own RESUME,
 * which names a token, and may come in front of ours. Under conn->lock.
 */
bool xvmc_conn_is_guessed(const struct xvmc_conn *conn, u8 event)
{
	const u32 says_id = BIT(XVMC_MSG_CONNECT) | BIT(XVMC_MSG_UPGRADE) |
			    BIT(XVMC_MSG_ACCEPT) | BIT(XVMC_MSG_UPGRADE_OK);

	lockdep_assert_held(&conn->lock);
	if (event != XVMC_CEV_DETACH &&
	    (conn->resumes || (event != XVMC_CEV_YES && event != XVMC_CEV_NO)))
		return false;
	return conn->send & says_id;
}

/*
 * Builds the next pending message, in the order in which the peer must see
 * them. Under chan->lock. False if there is none.
 */
bool xvmc_conn_next_msg(struct xvmc_conn *conn, struct xvmc_ctlmsg *msg)
{
	static const u16 order[] = {
		XVMC_MSG_CONNECT, XVMC_MSG_UPGRADE, XVMC_MSG_ACCEPT,
		XVMC_MSG_UPGRADE_OK, XVMC_MSG_LEND, XVMC_MSG_RECALL,
		XVMC_MSG_WANT, XVMC_MSG_RESET, XVMC_MSG_DETACH,
	};
	bool found = false;
	u32 i;

	lockdep_assert_held(&conn->chan->lock);
	memset(msg, 0, sizeof(*msg));
	spin_lock_bh(&conn->lock);
	for (i = 0; i < ARRAY_SIZE(order) && !found; i++) {
		if (!(conn->send & BIT(order[i])))
			continue;
		if (order[i] == XVMC_MSG_LEND || order[i] == XVMC_MSG_RECALL) {
			found = xvmc_rx_fill(conn, msg, order[i]);
			/* RING_ADD goes first and leaves LEND pending */
			if (found && msg->type != order[i])
				break;
		} else {
			conn_fill(conn, msg, order[i]);
			found = true;
		}
		conn->send &= ~BIT(order[i]);
	}
	spin_unlock_bh(&conn->lock);
	return found;
}
