// SPDX-License-Identifier: GPL-2.0
/*
 * Streams of AF_XENVMC that wait, as a carrier sees them.
 *
 * A carrier that has taken a stream stands in the way of going on by a channel
 * to the guest itself, until what TCP still has is behind what the stream has
 * in private memory. stream_park.c has the rest of a stream's wait.
 */
#include <linux/net.h>
#include "stats.h"
#include "stream_carry.h"

/* Nothing moves: all that was written is told, all that came is saved */
static bool back_is_still(const struct xvmc_stream *stream)
{
	lockdep_assert_held(&xvmc_park_lock);
	return xvmc_park_is_cut(&stream->conn) &&
	       READ_ONCE(stream->conn.tx.closed) &&
	       !READ_ONCE(stream->conn.rx.torn) &&
	       !rcu_access_pointer(stream->conn.rx.ring);
}

/* The guest itself is here */
static bool back_is_met(const struct xvmc_stream *stream)
{
	const struct xvmc_chan *next = stream->park.next;

	lockdep_assert_held(&xvmc_park_lock);
	return next && next->ops != &xvmc_carry_ops &&
	       READ_ONCE(next->state) <= XVMC_CHAN_UP;
}

/* An end that was told is not told again. Who holds a mutex is in the way */
static bool back_read(struct xvmc_carrier *carrier, struct xvmc_conn *conn)
{
	if (!mutex_trylock(&conn->tx.mutex))
		return false;
	carrier->out_fin = conn->tx.fin;
	carrier->sent = conn->tx.bytes + conn->tx.fin;
	mutex_unlock(&conn->tx.mutex);
	if (!mutex_trylock(&conn->rx.mutex))
		return false;
	carrier->in_end = conn->rx.spill ? conn->rx.spill_mark.seq :
					   conn->rx.fin;
	carrier->received = xvmc_park_received(conn);
	mutex_unlock(&conn->rx.mutex);
	return true;
}

/**
 * xvmc_park_positions() - what a stream that waits has sent and received
 * @carrier: its @wanted is the stream; its @sent, @received, @out_fin and
 *	@in_end are set
 *
 * Context: process.
 * Return: false if they are not final, for TCP still has bytes for it, or it
 * does not wait, or is in use just now: a program may make it so for long.
 */
bool xvmc_park_positions(struct xvmc_carrier *carrier)
{
	const struct xvmc_stream *stream = carrier->wanted;
	bool still;

	spin_lock_bh(&xvmc_park_lock);
	still = back_is_still(stream) && !stream->park.carrier &&
		!stream->park.over;
	spin_unlock_bh(&xvmc_park_lock);
	return still && back_read(carrier, &carrier->wanted->conn);
}

/**
 * xvmc_park_named() - find a stream that waits and was accepted here
 * @name: as its token makes it
 *
 * Context: any.
 * Return: the stream, its connection with a reference, or NULL.
 */
struct xvmc_stream *xvmc_park_named(u64 name)
{
	struct xvmc_stream *stream;

	spin_lock_bh(&xvmc_park_lock);
	stream = xvmc_parked_named(name);
	if (stream)
		xvmc_conn_hold(&stream->conn);
	spin_unlock_bh(&xvmc_park_lock);
	return stream;
}

/**
 * xvmc_park_fail() - a stream that waits is lost
 * @stream: the stream
 * @stat: &enum xvmc_stat that counts it
 *
 * Context: any.
 */
void xvmc_park_fail(struct xvmc_stream *stream, u32 stat)
{
	spin_lock_bh(&xvmc_park_lock);
	if (back_is_still(stream) && !back_is_met(stream)) {
		stream->park.over = stat;
		xvmc_conn_meet(&stream->conn);
	}
	spin_unlock_bh(&xvmc_park_lock);
}

/**
 * xvmc_park_dials() - is it time to connect to the other end?
 * @stream: the stream
 * @to: address to do so
 *
 * One after the other, less often from time to time. Those that were tried are
 * behind those that were not, in the order in which the tick looks: there may
 * be places for a few only.
 * Context: any.
 */
bool xvmc_park_dials(struct xvmc_stream *stream, struct in6_addr *to)
{
	const struct xvmc_guest *guest = stream->conn.chan->guest;
	struct xvmc_park *park = &stream->park;
	bool dials;

	spin_lock_bh(&xvmc_park_lock);
	dials = back_is_still(stream) && !back_is_met(stream) &&
		!park->carrier && !park->over && guest->naddrs &&
		time_after_eq(jiffies, park->since + park->dial_after);
	if (dials) {
		*to = guest->addrs[park->dials++ % guest->naddrs];
		park->dial_after = jiffies - park->since +
				   min(HZ << min(park->dials, 4U), 16 * HZ);
		list_move_tail(&park->node, &xvmc_parked);
	}
	spin_unlock_bh(&xvmc_park_lock);
	return dials;
}

/**
 * xvmc_park_take() - a carrier takes a stream
 * @stream: the stream; it must wait, and for nothing else
 * @carrier: without one
 *
 * Context: any.
 * Return: true if it did.
 */
bool xvmc_park_take(struct xvmc_stream *stream, struct xvmc_carrier *carrier)
{
	bool taken;

	spin_lock_bh(&xvmc_park_lock);
	taken = back_is_still(stream) && !back_is_met(stream) &&
		!stream->park.carrier && !stream->park.over;
	if (taken) {
		kref_get(&carrier->ref);
		stream->park.carrier = carrier;
		stream->park.carried = true;
		xvmc_conn_hold(&stream->conn);
		carrier->stream = stream;
	}
	spin_unlock_bh(&xvmc_park_lock);
	return taken;
}

/**
 * xvmc_park_untake() - a carrier lets go of its stream, if it has one
 * @carrier: carrier
 * @over: &enum xvmc_stat: the stream is lost for that; 0: it may go on
 *
 * Context: any.
 */
void xvmc_park_untake(struct xvmc_carrier *carrier, u32 over)
{
	struct xvmc_stream *stream;

	spin_lock_bh(&xvmc_park_lock);
	stream = carrier->stream;
	if (stream) {
		carrier->stream = NULL;
		stream->park.carrier = NULL;
		if (over)
			stream->park.over = over;
		xvmc_conn_meet(&stream->conn);
	}
	spin_unlock_bh(&xvmc_park_lock);
	if (!stream)
		return;
	xvmc_conn_put(&stream->conn);
	xvmc_carrier_put(carrier);
}

/* With a reference, for it may get another connection at any time */
static struct xvmc_stream *back_get_stream(struct xvmc_carrier *carrier)
{
	struct xvmc_stream *stream;

	spin_lock_bh(&xvmc_park_lock);
	stream = carrier->stream;
	if (stream)
		xvmc_conn_hold(&stream->conn);
	spin_unlock_bh(&xvmc_park_lock);
	return stream;
}

/**
 * xvmc_park_taken_left() - the peer has closed a carrier's stream
 * @carrier: carrier; nothing if it has none
 *
 * Context: process.
 */
void xvmc_park_taken_left(struct xvmc_carrier *carrier)
{
	struct xvmc_stream *stream = back_get_stream(carrier);

	if (!stream)
		return;
	xvmc_park_left(stream);
	xvmc_conn_put(&stream->conn);
}

/**
 * xvmc_park_board() - a carrier's stream may go on
 * @carrier: carrier
 * @chan: near end of its pair, or NULL if that is closed already
 *
 * Context: any.
 * Return: false if it does not: it goes back at once, or is over.
 */
bool xvmc_park_board(struct xvmc_carrier *carrier, struct xvmc_chan *chan)
{
	struct xvmc_stream *stream;
	bool boards;

	spin_lock_bh(&xvmc_park_lock);
	stream = carrier->stream;
	boards = stream && chan && !back_is_met(stream) &&
		 xvmc_park_is_cut(&stream->conn) && !stream->park.over;
	if (boards)
		xvmc_park_offer(stream, chan);
	spin_unlock_bh(&xvmc_park_lock);
	return boards;
}

/**
 * xvmc_park_board_again() - a carrier had no memory for its end of a stream
 * @stream: whose connection was refused for that
 *
 * The tick of the streams that wait, and not we at once, makes the next
 * connection on the same channel.
 * Context: any.
 * Return: false if that channel is closed.
 */
bool xvmc_park_board_again(struct xvmc_stream *stream)
{
	struct xvmc_chan *chan = stream->conn.chan;
	bool up;

	spin_lock_bh(&xvmc_park_lock);
	up = READ_ONCE(chan->state) == XVMC_CHAN_UP;
	if (up && !list_empty(&stream->park.node) && !stream->park.next) {
		xvmc_chan_hold(chan);
		stream->park.next = chan;
		stream->park.heard = false;
	}
	spin_unlock_bh(&xvmc_park_lock);
	return up;
}

/* The channel of the pair that it was offered does not come about any more */
static bool back_is_ashore(const struct xvmc_stream *stream)
{
	const struct xvmc_chan *next = stream->park.next;

	lockdep_assert_held(&xvmc_park_lock);
	return !next || next->ops != &xvmc_carry_ops ||
	       READ_ONCE(next->state) > XVMC_CHAN_UP;
}

/**
 * xvmc_park_is_back() - a carrier's stream waits once more
 * @carrier: carrier whose pair is closed, or that was not offered it
 *
 * Context: any.
 */
bool xvmc_park_is_back(struct xvmc_carrier *carrier)
{
	struct xvmc_stream *stream;
	bool back;

	spin_lock_bh(&xvmc_park_lock);
	stream = carrier->stream;
	back = stream && back_is_still(stream) && back_is_ashore(stream);
	spin_unlock_bh(&xvmc_park_lock);
	return back;
}

/**
 * xvmc_park_is_reset() - the program has closed it, and means the peer to know
 * @carrier: carrier
 *
 * If that was just when the pair closed, nobody keeps it.
 * Context: any.
 */
bool xvmc_park_is_reset(struct xvmc_carrier *carrier)
{
	bool reset;

	spin_lock_bh(&xvmc_park_lock);
	reset = carrier->stream && carrier->stream->park.reset;
	spin_unlock_bh(&xvmc_park_lock);
	return reset;
}

/*
 * May more be kept for it? Not if it has another connection by now: that is not
 * still, or it was cut and has what the old one had.
 */
static bool back_has_room(struct xvmc_carrier *carrier,
			  struct xvmc_stream *stream)
{
	bool room;

	spin_lock_bh(&xvmc_park_lock);
	room = carrier->stream == stream && back_is_still(stream);
	if (room) {
		xvmc_parked_hold(stream, xvmc_rx_saved(&stream->conn));
		room = xvmc_parked_room(stream) ||
		       xvmc_parked_room_anyway(stream);
	}
	spin_unlock_bh(&xvmc_park_lock);
	return room;
}

/**
 * xvmc_park_append() - bytes that came by TCP when the stream was off
 * @carrier: its carrier, see xvmc_park_is_back()
 * @data: the bytes
 * @len: how many
 * @fin: the end of the stream is behind them
 *
 * What one guest can make us keep is bounded as when streams are cut, but for a
 * little of each: a program that reads is not to wait for one that does not.
 * Without room TCP waits, and is looked at each second: it may have read.
 * Context: process.
 * Return: 1, 0 if there is no room, -ENOMEM, or -ENOENT if the stream is over.
 */
int xvmc_park_append(struct xvmc_carrier *carrier, const void *data, u32 len,
		     bool fin)
{
	struct xvmc_stream *stream = back_get_stream(carrier);
	int ret = 0;

	if (!stream)
		return -ENOENT;
	/* Nobody takes what it has to another connection meanwhile */
	mutex_lock(&stream->conn.rx.mutex);
	if (back_has_room(carrier, stream))
		ret = xvmc_conn_append(&stream->conn, data, len, fin) ?: 1;
	mutex_unlock(&stream->conn.rx.mutex);
	if (ret > 0)
		stream->conn.ops->data_ready(&stream->conn);
	xvmc_conn_put(&stream->conn);
	return ret;
}
