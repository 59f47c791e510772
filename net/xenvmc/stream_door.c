// SPDX-License-Identifier: GPL-2.0
/*
 * Streams of AF_XENVMC that TCP carries: the far end of a stream's connection.
 *
 * It is a connection of the engine whose door is a carrier: what the engine has
 * to say makes the carrier look. It lives until the stream has let go of it,
 * and so does the pair: the last word is for the stream to hear.
 */
#include <linux/net.h>
#include <linux/slab.h>
#include "fault.h"
#include "stream_carry.h"

static struct carry_door *to_door(struct xvmc_conn *conn)
{
	return container_of(conn, struct carry_door, conn);
}

/* The answer to the stream's RESUME agrees with it: TCP's ends have compared */
static void door_ask(struct xvmc_conn *conn, struct xvmc_ctlmsg *msg)
{
	const struct carry_door *door = to_door(conn);

	msg->type = XVMC_MSG_RESUME;
	memcpy(msg->resume.token, door->token, sizeof(door->token));
	msg->resume.sent = door->sent;
	msg->resume.received = door->received;
}

static void door_news(struct xvmc_conn *conn)
{
	xvmc_carrier_kick(to_door(conn)->carrier);
}

static void door_down(struct xvmc_conn *conn, u32 why)
{
	struct carry_door *door = to_door(conn);

	door->why = why;
	/* Pairs with the acquire in carry_door_is_down() */
	smp_store_release(&door->down, true);
	door_news(conn);
}

static void door_release(struct xvmc_conn *conn)
{
	struct carry_door *door = to_door(conn);

	if (door->pair)
		xvmc_pair_put(door->pair);
	xvmc_carrier_put(door->carrier);
	kfree(door);
}

static const struct xvmc_conn_ops carry_door_ops = {
	.kind		= "carrier",
	.ask		= door_ask,
	.opened		= door_news,
	.refused	= door_down,
	.down		= door_down,
	.tx_lent	= door_news,
	.data_ready	= door_news,
	.write_space	= door_news,
	.release	= door_release,
};

static struct carry_door *door_new(struct xvmc_carrier *carrier,
				   struct xvmc_chan *chan, struct sock *sk,
				   const struct xvmc_msg_resume *msg)
{
	struct carry_door *door = carrier->spare;

	memcpy(door->token, msg->token, sizeof(door->token));
	door->sent = msg->received;
	door->received = msg->sent;
	door->carrier = carrier;
	door->conn.resumes = true;
	if (xvmc_conn_init(&door->conn, &carry_door_ops, sk, chan))
		return NULL;
	carrier->spare = NULL;
	kref_get(&carrier->ref);
	return door;
}

/*
 * The carrier has its first reference, and may put it at once, unless it has
 * let go of the stream. Another one is the caller's then, for door_open().
 */
static bool door_publish(struct xvmc_carrier *carrier, struct carry_door *door)
{
	bool taken;

	spin_lock_bh(&xvmc_park_lock);
	taken = carrier->stream;
	if (taken) {
		door->pair = carrier->pair;
		xvmc_conn_hold(&door->conn);
		/* Pairs with the acquire in carry_door() */
		smp_store_release(&carrier->door, door);
	}
	spin_unlock_bh(&xvmc_park_lock);
	return taken;
}

/*
 * The carrier may find it broken, and leave it, before there is an answer: then
 * the stream, which waits for one, gets a no. The end of a channel is none.
 */
static void door_open(struct xvmc_carrier *carrier, struct carry_door *door,
		      u32 peer_id)
{
	struct xvmc_chan *chan = door->conn.chan;

	xvmc_stall(XVMC_STALL_DOOR, !carrier->dials);
	if (xvmc_conn_accept(&door->conn, peer_id)) {
		door_down(&door->conn, EAGAIN);
		if (READ_ONCE(chan->state) == XVMC_CHAN_UP)
			xvmc_chan_answer(chan, XVMC_MSG_REFUSE, peer_id,
					 ECONNRESET);
	}
	xvmc_carrier_kick(carrier);
	xvmc_conn_put(&door->conn);
}

/**
 * xvmc_carry_resumed() - a stream goes on, by a pair
 * @chan: its far end
 * @msg: RESUME
 *
 * Context: process, the channel's work.
 */
void xvmc_carry_resumed(struct xvmc_chan *chan,
			const struct xvmc_msg_resume *msg)
{
	struct xvmc_carrier *carrier = NULL;
	struct carry_door *door = NULL;
	struct xvmc_stream *stream;
	struct sock *sk = NULL;
	u32 why = ECONNRESET;

	spin_lock_bh(&xvmc_park_lock);
	stream = xvmc_parked_find(chan->guest, msg->token);
	/* A token is the peer's word: two may have the same */
	if (stream && stream->park.carrier && stream->conn.id == msg->conn) {
		carrier = stream->park.carrier;
		kref_get(&carrier->ref);
		sk = stream->conn.sk;
		sock_hold(sk);
	}
	spin_unlock_bh(&xvmc_park_lock);
	if (carrier && !carry_door(carrier)) {
		door = door_new(carrier, chan, sk, msg);
		/* Later, perhaps: it asks again */
		if (!door)
			why = EAGAIN;
	}
	if (door && !door_publish(carrier, door)) {
		xvmc_conn_leave(&door->conn, ECONNRESET, true, true);
		xvmc_conn_put(&door->conn);
		door = NULL;
	}
	if (door)
		door_open(carrier, door, msg->conn);
	else
		xvmc_chan_answer(chan, XVMC_MSG_REFUSE, msg->conn, why);
	if (carrier) {
		xvmc_carrier_put(carrier);
		sock_put(sk);
	}
}
