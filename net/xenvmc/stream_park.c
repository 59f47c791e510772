// SPDX-License-Identifier: GPL-2.0
/*
 * Streams of AF_XENVMC: they outlive a suspend of either end.
 *
 * Implementation notes
 *
 * When a channel goes for a suspend, its streams are cut: each is "parked" in
 * the lists of stream_parked.c. Its connection is DEAD, its unread bytes are
 * in private memory, the socket stays ESTABLISHED: to a reader it is empty, to
 * a writer full. When a channel to the same guest is up, a new connection
 * takes over what the old one had and asks by RESUME, as the peer does; each
 * end finds the stream by its token and compares positions. The other one's
 * RESUME is the answer to the own one, in whichever order they come: if the
 * peer's was first the new connection is UP before the own one is sent, so
 * that nothing that the peer sends behind its own comes to a connection that
 * is not. More is in Documentation/migration.rst.
 *
 * A stream is in them from the cut until it is UP again or is lost, first with
 * its old connection, then with the new one. They hold a reference.
 *
 * Contexts. What can wait for a reader in a page fault, and what takes the
 * socket's lock, is done by the connection's own work, as the engine's meet
 * callback; everybody else changes words under xvmc_park_lock and calls for it.
 *
 * Locks, outermost first: rx.mutex of the old connection, that of the new one,
 * the socket's, then xvmc_park_lock, which is BH-safe; inside it a channel's
 * and a connection's.
 */
#include <linux/net.h>
#include <linux/slab.h>
#include "event.h"
#include "fault.h"
#include "guest.h"
#include "peer.h"
#include "stats.h"
#include "stream.h"
#include "trace.h"
#include "xenvmc_priv.h"

#define PARK_TICK	HZ
#define PARK_ANSWER	30			/* seconds, for RESUME */
#define PARK_DIAL	(2 * HZ)		/* before TCP is to carry it */

static void park_tick(struct work_struct *work);

static DECLARE_DELAYED_WORK(park_work, park_tick);

static void park_trace(const struct xvmc_stream *stream, const char *what)
{
	trace_xenvmc_park(stream->conn.chan->peer->domid, stream->conn.id,
			  what, stream->park.sent, stream->park.received);
}

static bool park_is_listed(const struct xvmc_stream *stream)
{
	lockdep_assert_held(&xvmc_park_lock);
	return !list_empty(&stream->park.node);
}

/* With a new connection it is not DEAD, unless that was cut as well */
static bool park_is_dead(const struct xvmc_stream *stream)
{
	return READ_ONCE(stream->conn.state) == XVMC_CONN_DEAD;
}

static void park_refuse(struct xvmc_chan *chan, u32 peer_id)
{
	xvmc_chan_answer(chan, XVMC_MSG_REFUSE, peer_id, ECONNRESET);
}

/* Who has asked already is told. The caller puts the lists' reference */
static void park_unlist(struct xvmc_stream *stream)
{
	struct xvmc_park *park = &stream->park;

	lockdep_assert_held(&xvmc_park_lock);
	xvmc_parked_del(stream);
	if (!park->next)
		return;
	if (park->heard)
		park_refuse(park->next, park->theirs.conn);
	xvmc_chan_put(park->next);
	park->next = NULL;
}

/* Who has no uuid is not the same guest for certain */
static bool park_knows(const struct xvmc_chan *chan)
{
	return chan->guest->ops == &xvmc_loop_ops || chan->guest->uuid[0];
}

/* Are both ends of @chan those of the stream? dom0 attests the uuid */
static bool park_fits(const struct xvmc_stream *stream,
		      const struct xvmc_chan *chan)
{
	return stream->conn.chan->guest == chan->guest && park_knows(chan);
}

/* ---- the channel goes --------------------------------------------------- */

/**
 * xvmc_park_offer() - a stream can go on
 * @stream: the stream
 * @chan: by this channel; its work finds out what is in the way
 *
 * Context: xvmc_park_lock held.
 */
void xvmc_park_offer(struct xvmc_stream *stream, struct xvmc_chan *chan)
{
	struct xvmc_park *park = &stream->park;

	lockdep_assert_held(&xvmc_park_lock);
	if (stream->conn.chan == chan)
		return;
	if (park->next != chan) {
		if (park->next && park->heard)
			park_refuse(park->next, park->theirs.conn);
		if (park->next)
			xvmc_chan_put(park->next);
		xvmc_chan_hold(chan);
		park->next = chan;
		park->heard = false;
	}
	/* It came back with a module that does not know how */
	if (!(chan->features & XVMC_FEATURE_RESUME))
		park->over = XVMC_STAT_PARK_REFUSED;
	xvmc_conn_meet(&stream->conn);
}

/* The guest may be back before we notice that it was away */
static void park_look(struct xvmc_stream *stream)
{
	const struct xvmc_guest *guest = stream->conn.chan->guest;
	struct xvmc_chan *chan;

	if (guest->ops == &xvmc_loop_ops)
		chan = xvmc_loop_chan_get(stream->park.passive);
	else
		chan = xvmc_peer_chan_by_uuid(guest->uuid);
	if (!chan)
		return;
	spin_lock_bh(&xvmc_park_lock);
	if (park_is_listed(stream) && park_fits(stream, chan) &&
	    READ_ONCE(chan->state) == XVMC_CHAN_UP)
		xvmc_park_offer(stream, chan);
	spin_unlock_bh(&xvmc_park_lock);
	xvmc_chan_put(chan);
}

/* Kept? The program may have closed it, and wants the peer to know, or not */
static bool park_enlist(struct xvmc_stream *stream, bool *full)
{
	lockdep_assert_held(&xvmc_park_lock);
	/* Resumed, and cut before anybody was told */
	if (park_is_listed(stream)) {
		xvmc_parked_hold(stream, xvmc_rx_queued(&stream->conn));
		if (!xvmc_parked_room(stream))
			stream->park.over = XVMC_STAT_PARK_FULL;
		return true;
	}
	/* TCP has carried it, and has ended it */
	if (stream->park.reset || (stream->conn.chan->ops == &xvmc_carry_ops &&
				   !stream->park.carrier))
		return false;
	*full = !xvmc_parked_add(stream);
	if (*full)
		return false;
	xvmc_conn_hold(&stream->conn);
	stream->park.carried = stream->park.carrier;
	stream->park.since = jiffies;
	stream->park.dials = 0;
	stream->park.dial_after = PARK_DIAL;
	stream->park.over = 0;
	return true;
}

/**
 * xvmc_park_cut() - the channel goes for a suspend
 * @conn: connection
 *
 * Context: process, the channel's close work.
 * Return: true if it waits from now on.
 */
bool xvmc_park_cut(struct xvmc_conn *conn)
{
	struct xvmc_stream *stream = xvmc_to_stream(conn);
	bool kept, full = false;

	if ((!READ_ONCE(xvmc_net(sock_net(conn->sk))->park_s) &&
	     conn->chan->ops != &xvmc_carry_ops) ||
	    !memchr_inv(stream->park.token, 0, sizeof(stream->park.token)) ||
	    !park_knows(conn->chan))
		return false;
	xvmc_parked_note_addrs(conn);
	spin_lock_bh(&xvmc_park_lock);
	kept = park_enlist(stream, &full);
	if (!kept && stream->park.carrier)
		xvmc_carrier_drop(stream->park.carrier);
	spin_unlock_bh(&xvmc_park_lock);
	if (full)
		xvmc_stat_inc(XVMC_STAT_PARK_FULL);
	if (!kept)
		return false;
	xvmc_stat_inc(XVMC_STAT_CONN_PARKED);
	park_trace(stream, "parked");
	queue_delayed_work(xvmc_wq, &park_work, PARK_TICK);
	park_look(stream);
	return true;
}

/**
 * xvmc_park_met() - a channel is up
 * @chan: channel, perhaps to a guest that was suspended
 *
 * Context: any.
 */
void xvmc_park_met(struct xvmc_chan *chan)
{
	struct xvmc_stream *stream;

	if (!park_knows(chan))
		return;
	/* Those that TCP carries are cut, and look for this */
	xvmc_carry_met(chan);
	spin_lock_bh(&xvmc_park_lock);
	list_for_each_entry(stream, &chan->guest->parked, park.guest_node)
		xvmc_park_offer(stream, chan);
	spin_unlock_bh(&xvmc_park_lock);
}

/* ---- it is lost --------------------------------------------------------- */

/* For the reason that @stat counts. Process context */
static void park_lose(struct xvmc_stream *stream, enum xvmc_stat stat)
{
	struct xvmc_conn *conn = &stream->conn;
	struct sock *sk = conn->sk;
	bool listed;

	spin_lock_bh(&xvmc_park_lock);
	listed = park_is_listed(stream);
	if (listed)
		park_unlist(stream);
	if (listed && stream->park.carrier)
		xvmc_carrier_drop(stream->park.carrier);
	spin_unlock_bh(&xvmc_park_lock);
	if (!listed)
		return;
	xvmc_stat_inc(stat);
	park_trace(stream, xvmc_stat_name(stat));
	xvmc_event_conn(conn, "closed", 0);
	lock_sock(sk);
	if (xvmc_stream_conn_locked(sk) == conn)
		xvmc_stream_reset(sk, ECONNRESET);
	release_sock(sk);
	xvmc_conn_put(conn);
}

/**
 * xvmc_park_left() - the peer has closed, elsewhere
 * @stream: the stream; nothing if it does not wait
 *
 * What came before is read. Context: process.
 */
void xvmc_park_left(struct xvmc_stream *stream)
{
	struct xvmc_conn *conn = &stream->conn;
	struct sock *sk = conn->sk;
	bool listed;

	spin_lock_bh(&xvmc_park_lock);
	listed = park_is_listed(stream) && park_is_dead(stream);
	if (listed)
		park_unlist(stream);
	spin_unlock_bh(&xvmc_park_lock);
	if (!listed)
		return;
	park_trace(stream, "closed");
	xvmc_event_conn(conn, "closed", 0);
	lock_sock(sk);
	if (xvmc_stream_conn_locked(sk) == conn)
		xvmc_stream_peer_left(sk);
	release_sock(sk);
	xvmc_conn_put(conn);
}

/* Whose time is up is lost; who waits for something else looks again */
static void park_tick(struct work_struct *work)
{
	struct xvmc_stream *stream;
	bool again;
	u32 wait;

	spin_lock_bh(&xvmc_park_lock);
	list_for_each_entry(stream, &xvmc_parked, park.node) {
		wait = READ_ONCE(xvmc_net(sock_net(stream->conn.sk))->park_s);
		/* A new connection has a timer of its own */
		if (!park_is_dead(stream))
			continue;
		if (time_after_eq(jiffies, stream->park.since + wait * HZ))
			stream->park.over = XVMC_STAT_PARK_EXPIRED;
		xvmc_conn_meet(&stream->conn);
	}
	again = !list_empty(&xvmc_parked);
	spin_unlock_bh(&xvmc_park_lock);
	if (xvmc_carry_tick() || again)
		queue_delayed_work(xvmc_wq, &park_work, PARK_TICK);
}

/* ---- it goes on --------------------------------------------------------- */

/* A connection on @chan with the names of @old, not yet known to anybody */
static struct xvmc_stream *park_conn_new(const struct xvmc_stream *old,
					 struct xvmc_chan *chan)
{
	struct xvmc_stream *stream = NULL;
	int err;

	if (!xvmc_should_fail(XVMC_FAULT_RESUME))
		stream = kzalloc(sizeof(*stream), GFP_KERNEL);
	if (!stream)
		return ERR_PTR(-ENOMEM);
	stream->saddr = old->saddr;
	stream->daddr = old->daddr;
	stream->sport = old->sport;
	stream->dport = old->dport;
	/* It may have another id by now, and so may we */
	if (chan->ops != &xvmc_loop_ops && chan->ops != &xvmc_carry_ops) {
		stream->saddr = xvmc_addr_own_domid();
		stream->daddr = chan->peer->domid;
	}
	memcpy(stream->park.token, old->park.token,
	       sizeof(stream->park.token));
	stream->park.passive = old->park.passive;
	INIT_LIST_HEAD(&stream->park.node);
	stream->conn.resumes = true;
	err = xvmc_conn_init(&stream->conn, &xvmc_stream_ops, old->conn.sk,
			     chan);
	if (!err)
		return stream;
	kfree(stream);
	return ERR_PTR(err);
}

/* The place in the lists, with what is known of the peer and the program */
static void park_replace(struct xvmc_stream *stream, struct xvmc_stream *old)
{
	struct xvmc_park *park = &stream->park;

	lockdep_assert_held(&xvmc_park_lock);
	park->since = old->park.since;
	park->closed = old->park.closed;
	park->reset = old->park.reset;
	park->over = old->park.over;
	park->carried = old->park.carried;
	park->next = old->park.next;
	park->heard = old->park.heard;
	park->theirs = old->park.theirs;
	old->park.next = NULL;
	xvmc_conn_hold(&stream->conn);
	xvmc_parked_replace(stream, old);
	if (old->park.carrier)
		xvmc_carrier_follow(stream, old);
}

static void park_set_positions(struct xvmc_stream *stream,
			       const struct xvmc_conn *old)
{
	const struct xvmc_conn *conn = &stream->conn;

	stream->park.sent = conn->tx.bytes + conn->tx.fin;
	stream->park.received = xvmc_park_received(old);
}

/*
 * The socket changes over. A reader that finds the old connection empty looks
 * again, for it sees then that there is another one. Who closes has taken the
 * connection from the socket before he says so in xvmc_park_close().
 */
static bool park_swap_locked(struct xvmc_stream *stream,
			     struct xvmc_stream *old)
{
	struct sock *sk = old->conn.sk;
	struct xvmc_sock *xsk = xvmc_sk(sk);
	bool mine = xvmc_stream_conn_locked(sk) == &old->conn;
	bool ok;

	spin_lock_bh(&xvmc_park_lock);
	/* Met elsewhere meanwhile, it goes on there: its carrier knows */
	ok = park_is_listed(old) && (mine || old->park.closed) &&
	     old->park.next == stream->conn.chan;
	if (ok)
		park_replace(stream, old);
	spin_unlock_bh(&xvmc_park_lock);
	if (!ok)
		return false;
	park_set_positions(stream, &old->conn);
	xvmc_conn_inherit_rx(&stream->conn, &old->conn);
	if (!mine) {
		/* Nobody reads it */
		stream->conn.rx.orphan = true;
		return true;
	}
	xsk->remote_domid = stream->daddr;
	xsk->local_domid = stream->saddr;
	xvmc_conn_hold(&stream->conn);
	rcu_assign_pointer(xsk->conn, &stream->conn);
	return true;
}

/* Puts the references of the old one if it did: the lists', the socket's */
static bool park_swap(struct xvmc_stream *stream, struct xvmc_stream *old)
{
	struct sock *sk = old->conn.sk;
	bool ok;

	xvmc_conn_inherit_tx(&stream->conn, &old->conn);
	mutex_lock(&old->conn.rx.mutex);
	/* It may be cut as soon as it is listed, and another one follow */
	mutex_lock_nested(&stream->conn.rx.mutex, SINGLE_DEPTH_NESTING);
	lock_sock(sk);
	ok = park_swap_locked(stream, old);
	release_sock(sk);
	mutex_unlock(&stream->conn.rx.mutex);
	mutex_unlock(&old->conn.rx.mutex);
	if (!ok)
		return false;
	if (!stream->conn.rx.orphan)
		xvmc_conn_put(&old->conn);
	xvmc_conn_put(&old->conn);
	/* Whoever sleeps does so with the old one */
	sk->sk_data_ready(sk);
	xvmc_stream_wake_space(sk);
	return true;
}

/* The ends know of the same bytes, or nothing goes on */
static bool park_agrees(const struct xvmc_stream *stream,
			const struct xvmc_msg_resume *theirs)
{
	const struct xvmc_park *park = &stream->park;

	return theirs->sent == park->received && theirs->received == park->sent;
}

/* The peer's RESUME came behind the own one */
static void park_answer(struct xvmc_stream *stream,
			const struct xvmc_msg_resume *theirs)
{
	if (park_agrees(stream, theirs)) {
		xvmc_conn_answer(&stream->conn, theirs->conn);
		return;
	}
	xvmc_conn_no(&stream->conn, EBADMSG);
	park_refuse(stream->conn.chan, theirs->conn);
}

/*
 * Asks, or answers what came for this channel already. Under the lock, so that
 * the peer's RESUME comes in front of this, or is an answer. Returns 0 or why
 * it does not go on.
 */
static u32 park_say(struct xvmc_stream *stream, unsigned long timeout)
{
	struct xvmc_park *park = &stream->park;
	bool heard = false, lost;
	u32 why = EBADMSG;

	lockdep_assert_held(&xvmc_park_lock);
	if (park->next == stream->conn.chan) {
		heard = park->heard;
		xvmc_chan_put(park->next);
		park->next = NULL;
	}
	if (heard && !park_agrees(stream, &park->theirs)) {
		park_refuse(stream->conn.chan, park->theirs.conn);
		return why;
	}
	if (heard) {
		lost = xvmc_conn_accept(&stream->conn, park->theirs.conn);
	} else {
		xvmc_conn_ask(&stream->conn, timeout);
		lost = park_is_dead(stream);
	}
	/* The channel went before there was anything to refuse */
	why = stream->conn.why;
	return lost ? why : 0;
}

static void park_ask(struct xvmc_stream *stream)
{
	struct xvmc_net *xnet = xvmc_net(sock_net(stream->conn.sk));
	long answer = xvmc_limit(XVMC_LIMIT_ANSWER, PARK_ANSWER) * HZ;
	long left;
	u32 why;

	park_trace(stream, "asks");
	left = stream->park.since + READ_ONCE(xnet->park_s) * HZ - jiffies;
	spin_lock_bh(&xvmc_park_lock);
	/* The peer does not answer before it has read what TCP still has */
	if (!stream->park.carried)
		left = min(left, answer);
	why = park_say(stream, max(left, 1L));
	spin_unlock_bh(&xvmc_park_lock);
	if (why)
		xvmc_park_refused(&stream->conn, why);
}

/* Goes on by @chan. If that is closed again, another one may follow */
static void park_resume(struct xvmc_stream *old, struct xvmc_chan *chan)
{
	struct xvmc_stream *stream;

	stream = park_conn_new(old, chan);
	if (IS_ERR(stream)) {
		/* Without memory it keeps its place: see park_tick() */
		if (PTR_ERR(stream) != -ENETDOWN)
			xvmc_stat_inc(XVMC_STAT_PARK_NO_MEMORY);
		return;
	}
	xvmc_stall(XVMC_STALL_SWAP, stream->park.passive);
	if (park_swap(stream, old))
		park_ask(stream);
	else
		xvmc_conn_leave(&stream->conn, ECONNRESET, true, true);
	xvmc_conn_put(&stream->conn);
}

/*
 * The channel to go on by, with a reference, if nothing is in the way: the old
 * connection has written its last byte, and saved what is unread, and so has
 * the TCP connection that carried it.
 */
static struct xvmc_chan *park_get_next(struct xvmc_stream *stream)
{
	struct xvmc_chan *chan = NULL;

	spin_lock_bh(&xvmc_park_lock);
	if (park_is_listed(stream) && park_is_dead(stream) &&
	    READ_ONCE(stream->conn.tx.closed) &&
	    !READ_ONCE(stream->conn.rx.torn) &&
	    !rcu_access_pointer(stream->conn.rx.ring))
		chan = stream->park.next;
	if (chan && READ_ONCE(chan->state) > XVMC_CHAN_UP)
		chan = NULL;
	/* Bytes may be with TCP: its carrier sees to those first */
	if (chan && stream->park.carrier && chan->ops != &xvmc_carry_ops)
		chan = NULL;
	if (chan)
		xvmc_chan_hold(chan);
	spin_unlock_bh(&xvmc_park_lock);
	return chan;
}

/* Not here: its carrier may wait for it, or it for a carrier */
static void park_look_elsewhere(struct xvmc_stream *stream)
{
	bool alone;

	spin_lock_bh(&xvmc_park_lock);
	alone = !stream->park.carrier;
	if (!alone)
		xvmc_carrier_kick(stream->park.carrier);
	alone = alone && park_is_listed(stream) && park_is_dead(stream);
	spin_unlock_bh(&xvmc_park_lock);
	if (alone)
		xvmc_carry_look(stream);
}

/**
 * xvmc_park_meet() - something has changed for a connection that was cut
 * @conn: connection
 *
 * Context: process, the connection's work.
 */
void xvmc_park_meet(struct xvmc_conn *conn)
{
	struct xvmc_stream *stream = xvmc_to_stream(conn);
	struct xvmc_chan *chan;
	u32 over;

	spin_lock_bh(&xvmc_park_lock);
	over = park_is_dead(stream) ? stream->park.over : 0;
	if (park_is_dead(stream) && park_is_listed(stream))
		xvmc_parked_hold(stream, xvmc_rx_saved(conn));
	/* Also if nobody was told of its end: the program had closed it */
	if (park_is_dead(stream) && READ_ONCE(conn->rx.torn))
		over = XVMC_STAT_PARK_TORN;
	spin_unlock_bh(&xvmc_park_lock);
	if (over) {
		park_lose(stream, over);
		return;
	}
	chan = park_get_next(stream);
	if (!chan) {
		park_look_elsewhere(stream);
		return;
	}
	park_resume(stream, chan);
	xvmc_chan_put(chan);
}

/* It waits for the answer, if only to end */
static bool park_has_asked(const struct xvmc_stream *stream,
			   const struct xvmc_chan *chan)
{
	u8 state = READ_ONCE(stream->conn.state);

	return stream->conn.chan == chan &&
	       (state == XVMC_CONN_ASKED || state == XVMC_CONN_LEFT);
}

/**
 * xvmc_stream_resumed() - RESUME came
 * @chan: channel
 * @msg: the message
 *
 * Context: process, the channel's work.
 */
void xvmc_stream_resumed(struct xvmc_chan *chan,
			 const struct xvmc_msg_resume *msg)
{
	struct xvmc_stream *stream = NULL;
	bool asked = false, takes = false;

	if (xvmc_carry_is_far(chan)) {
		xvmc_carry_resumed(chan, msg);
		return;
	}
	spin_lock_bh(&xvmc_park_lock);
	if (park_knows(chan))
		stream = xvmc_parked_find(chan->guest, msg->token);
	if (stream)
		asked = park_has_asked(stream, chan);
	if (asked) {
		xvmc_conn_hold(&stream->conn);
	} else if (stream) {
		xvmc_park_offer(stream, chan);
		takes = stream->park.next == chan && !stream->park.heard;
	}
	if (takes) {
		stream->park.heard = true;
		stream->park.theirs = *msg;
	}
	spin_unlock_bh(&xvmc_park_lock);
	if (!asked && !takes)
		park_refuse(chan, msg->conn);
	if (!asked)
		return;
	park_answer(stream, msg);
	xvmc_conn_put(&stream->conn);
}

/* ---- callbacks of the engine, and close --------------------------------- */

/**
 * xvmc_park_opened() - a connection is UP
 * @conn: connection
 *
 * Context: process, the connection's work.
 * Return: true if it goes on where another one was cut.
 */
bool xvmc_park_opened(struct xvmc_conn *conn)
{
	struct xvmc_stream *stream = xvmc_to_stream(conn);
	bool listed, closed, reset;

	spin_lock_bh(&xvmc_park_lock);
	/* Cut again, it stays where it is */
	listed = park_is_listed(stream) && !READ_ONCE(conn->cut);
	if (listed)
		park_unlist(stream);
	closed = stream->park.closed;
	reset = stream->park.reset;
	spin_unlock_bh(&xvmc_park_lock);
	if (!listed)
		return conn->resumes;
	xvmc_stat_inc(XVMC_STAT_CONN_RESUMED);
	park_trace(stream, "resumed");
	if (closed)
		xvmc_conn_leave(conn, reset ? ECONNRESET :
				XENVMC_REASON_CLOSED, reset, true);
	xvmc_conn_put(conn);
	return true;
}

/**
 * xvmc_park_refused() - a connection cannot be made
 * @conn: connection
 * @why: errno, positive; EAGAIN: the channel has gone again, or a carrier
 *	lacks memory for the moment
 *
 * Context: process, the connection's work.
 * Return: true if it was one that had been cut.
 */
bool xvmc_park_refused(struct xvmc_conn *conn, u32 why)
{
	struct xvmc_stream *stream = xvmc_to_stream(conn);
	bool again;

	if (!conn->resumes)
		return false;
	if (why == EAGAIN && (conn->chan->ops == &xvmc_carry_ops ||
			      READ_ONCE(conn->chan->state) != XVMC_CHAN_UP)) {
		/* Before it is still: its carrier would take it for ashore */
		again = xvmc_park_board_again(stream);
		/* It was never UP, nor stopped */
		mutex_lock(&conn->tx.mutex);
		conn->tx.closed = true;
		mutex_unlock(&conn->tx.mutex);
		if (!again)
			xvmc_conn_meet(conn);
		return true;
	}
	park_lose(stream, why == EBADMSG ? XVMC_STAT_PARK_MISMATCH :
		  why == ETIMEDOUT ? XVMC_STAT_PARK_EXPIRED :
		  XVMC_STAT_PARK_REFUSED);
	/* Its unread bytes stay with the socket */
	xvmc_conn_leave(conn, ECONNRESET, true, false);
	return true;
}

/**
 * xvmc_park_down() - a connection has ended
 * @conn: connection
 *
 * Context: process, the connection's work.
 * Return: true if it was cut, and can go on as far as is known.
 */
bool xvmc_park_down(struct xvmc_conn *conn)
{
	struct xvmc_stream *stream = xvmc_to_stream(conn);
	bool cut;

	if (!READ_ONCE(conn->cut))
		return false;
	if (READ_ONCE(conn->rx.torn))
		park_lose(stream, XVMC_STAT_PARK_TORN);
	spin_lock_bh(&xvmc_park_lock);
	cut = park_is_listed(stream);
	spin_unlock_bh(&xvmc_park_lock);
	/* It may have been in the way of going on that this had not run yet */
	if (cut)
		xvmc_conn_meet(conn);
	return cut;
}

/**
 * xvmc_park_close() - the program lets go of a connection
 * @stream: connection that no socket has any more
 * @reset: the peer is to have ECONNRESET, else the end of the stream
 *
 * A peer that is refused has ECONNRESET, so there is nothing to keep for that.
 * Context: any.
 * Return: true if it is cut, and the peer hears of this when they meet.
 */
bool xvmc_park_close(struct xvmc_stream *stream, bool reset)
{
	bool listed, drop;

	spin_lock_bh(&xvmc_park_lock);
	/* Also for who cuts it a moment later */
	stream->park.closed = true;
	stream->park.reset |= reset;
	listed = park_is_listed(stream);
	drop = listed && reset && park_is_dead(stream);
	if (drop)
		park_unlist(stream);
	if (drop && stream->park.carrier)
		xvmc_carrier_drop(stream->park.carrier);
	else if (listed)
		xvmc_conn_meet(&stream->conn);
	else if (reset && stream->park.carrier)
		xvmc_carrier_kick(stream->park.carrier);
	spin_unlock_bh(&xvmc_park_lock);
	if (drop) {
		xvmc_event_conn(&stream->conn, "closed", 0);
		xvmc_conn_put(&stream->conn);
	}
	return listed && !drop;
}

/**
 * xvmc_park_exit() - nothing is parked: each connection holds the module
 *
 * Context: module exit.
 */
void xvmc_park_exit(void)
{
	cancel_delayed_work_sync(&park_work);
}
