// SPDX-License-Identifier: GPL-2.0
/*
 * The data path of a connection: bytes into and out of lent rings.
 *
 * Two copies and no allocation: from the writer's memory into the ring that
 * the peer owns, and from our own ring into the reader's memory. The peer can
 * change ring pages at any time; what it may spoil so is only the bytes of its
 * own stream. Indices are checked by core/ring.c on private copies.
 *
 * A sender that stops writes its marks after the last byte; a receiver looks at
 * the marks before it looks at the index. A ring is counted as borrowed from
 * its lend until the last touch of its pages, which includes the doorbell, so
 * a channel that waits for the count may unmap afterwards. Who looks at the
 * ring of a lend that is over (xvmc_tx_left()) does so under RCU.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "conn.h"
#include "fault.h"
#include "peer.h"
#include "rings.h"
#include "stats.h"
#include "tap.h"
#include "trace.h"

/* The hook asks it as well; core/ knows nothing of modules */
EXPORT_SYMBOL_GPL(xvmc_rx_next);

/* A reader that waits is woken after so many bytes of a longer write */
#define RINGS_CHUNK	(64 * 1024)

static struct xvmc_tx_ring *tx_ring(struct xvmc_conn *conn)
{
	return rcu_dereference_protected(conn->tx.ring,
					 lockdep_is_held(&conn->tx.mutex));
}

static struct xvmc_rx_ring *rx_ring(struct xvmc_conn *conn)
{
	return rcu_dereference_protected(conn->rx.ring,
					 lockdep_is_held(&conn->rx.mutex));
}

/* ---- sending ------------------------------------------------------------ */

/* The marks of a lend that ends. Nobody else writes to the ring by now */
static void tx_end(struct xvmc_chan *chan, struct xvmc_tx_ring *ring,
		   bool started)
{
	u32 epoch;

	/* The peer may take the ring away before the mark: RING_DEL waits */
	rcu_read_lock();
	/* The peer may lend it again as soon as it sees the mark */
	spin_lock_bh(&ring->lock);
	RCU_INIT_POINTER(ring->conn, NULL);
	ring->lent = false;
	epoch = ring->epoch;
	spin_unlock_bh(&ring->lock);

	if (!started)
		xvmc_ring_start(&ring->prod, epoch, 0);
	xvmc_ring_stop(&ring->prod, epoch);
	xvmc_chan_ring_bell(chan, XVMC_BELL_DATA, ring->id);
	rcu_read_unlock();
	xvmc_chan_unborrow(chan);
}

/* A lend that no connection has use for */
void xvmc_tx_return(struct xvmc_chan *chan, struct xvmc_tx_ring *ring)
{
	tx_end(chan, ring, false);
}

/* tx.mutex held. The ring is counted as borrowed already */
bool xvmc_tx_take(struct xvmc_conn *conn)
{
	struct xvmc_tx_ring *ring;

	lockdep_assert_held(&conn->tx.mutex);
	spin_lock_bh(&conn->lock);
	ring = conn->tx.offered;
	conn->tx.offered = NULL;
	spin_unlock_bh(&conn->lock);
	if (!ring)
		return false;
	if (conn->tx.closed || tx_ring(conn)) {
		xvmc_tx_return(conn->chan, ring);
		return false;
	}
	xvmc_conn_hold(conn);
	spin_lock_bh(&ring->lock);
	rcu_assign_pointer(ring->conn, conn);
	spin_unlock_bh(&ring->lock);
	conn->tx.started = false;
	rcu_assign_pointer(conn->tx.ring, ring);
	/* Who looked between the two wants none any more */
	spin_lock_bh(&conn->lock);
	conn->tx.wants = false;
	spin_unlock_bh(&conn->lock);
	return true;
}

/**
 * xvmc_tx_has_ring() - is there a ring to write to?
 * @conn: connection
 *
 * Context: tx.mutex held.
 */
bool xvmc_tx_has_ring(struct xvmc_conn *conn)
{
	lockdep_assert_held(&conn->tx.mutex);
	return tx_ring(conn);
}
EXPORT_SYMBOL_GPL(xvmc_tx_has_ring);

/**
 * xvmc_tx_start() - bytes go to the ring from now on
 * @conn: connection
 * @seq: S, the TCP sequence number that the next byte would have; 0 without TCP
 *
 * Context: tx.mutex held, and for TCP whatever keeps write_seq where it is.
 * Return: 0, also if it was started before; -EAGAIN without a ring, which is
 * asked for if there is no TCP.
 */
int xvmc_tx_start(struct xvmc_conn *conn, u32 seq)
{
	struct xvmc_tx_ring *ring;

	lockdep_assert_held(&conn->tx.mutex);
	ring = tx_ring(conn);
	if (!ring) {
		xvmc_tx_want_ring(conn);
		return -EAGAIN;
	}
	if (conn->tx.started)
		return 0;
	xvmc_ring_start(&ring->prod, ring->epoch, seq);
	conn->tx.started = true;
	conn->tx.seq = seq;
	trace_xenvmc_switch(conn->chan->peer->domid, conn->id, false, true,
			    ring->epoch, seq, conn->tx.bytes);
	xvmc_stat_inc(XVMC_STAT_RING_STARTS);
	return 0;
}
EXPORT_SYMBOL_GPL(xvmc_tx_start);

/*
 * Copies @len bytes, for which there is room. Fewer if the source faults.
 *
 * Without the check of copy_from_iter() that an object of the kernel's is not
 * overrun, which takes as long as copying a KiB: the target is whole pages of
 * a ring, and xvmc_ring_put_at() says how far they go.
 */
static u32 tx_copy(struct xvmc_tx_ring *ring, struct iov_iter *from, u32 len)
{
	u32 done = 0;

	while (done < len) {
		u32 n = len - done;
		void *to = xvmc_ring_put_at(&ring->prod, done, &n);
		u32 copied = _copy_from_iter(to, n, from);

		done += copied;
		if (copied < n)
			break;
	}
	return done;
}

/* @n bytes are in the ring. The first of a lend is where the direction moves */
static void tx_count(struct xvmc_conn *conn, struct xvmc_tx_ring *ring, u32 n)
{
	lockdep_assert_held(&conn->tx.mutex);
	if (!conn->tx.carried) {
		WRITE_ONCE(conn->tx.carried, true);
		WRITE_ONCE(conn->tx.switches, conn->tx.switches + 1);
	}
	if (xvmc_tap_is_up())
		xvmc_tap_tx(conn, ring, n);
	WRITE_ONCE(conn->tx.bytes, conn->tx.bytes + n);
}

/*
 * Up to one chunk, whole or not at all, as TCP fills a segment. Bytes, 0 if the
 * ring is full, -EFAULT, -ECONNRESET
 */
static ssize_t tx_write_chunk(struct xvmc_conn *conn, struct xvmc_tx_ring *ring,
			      struct iov_iter *from, size_t len)
{
	int space = xvmc_ring_space(&ring->prod);
	u32 n;

	if (space < 0) {
		xvmc_chan_violation(conn->chan, "consumer index");
		return -ECONNRESET;
	}
	len = min3(len, (size_t)space, (size_t)RINGS_CHUNK);
	if (!len)
		return 0;
	n = tx_copy(ring, from, len);
	if (n < len) {
		iov_iter_revert(from, n);
		return -EFAULT;
	}
	tx_count(conn, ring, n);
	if (xvmc_ring_publish(&ring->prod, n))
		xvmc_chan_ring_bell(conn->chan, XVMC_BELL_DATA, ring->id);
	return n;
}

/**
 * xvmc_tx_write() - copy bytes into the ring
 * @conn: connection, started
 * @from: source; advanced by what was copied
 * @len: bytes wanted
 *
 * Context: process, tx.mutex held, page faults disabled: faultin.c.
 * Return: bytes, 0 if the ring is full or gone; -EFAULT or -ECONNRESET if
 * nothing was copied.
 */
ssize_t xvmc_tx_write(struct xvmc_conn *conn, struct iov_iter *from, size_t len)
{
	struct xvmc_tx_ring *ring;
	ssize_t total = 0, n = 0;

	lockdep_assert_held(&conn->tx.mutex);
	ring = tx_ring(conn);
	if (!ring || !conn->tx.started)
		return 0;
	do {
		n = tx_write_chunk(conn, ring, from, len - total);
		if (n <= 0)
			break;
		total += n;
	} while (total < len);
	if (total) {
		atomic64_add(total, &conn->chan->tx_bytes);
		xvmc_stat_add(XVMC_STAT_TX_BYTES, total);
	}
	return total ? total : n;
}
EXPORT_SYMBOL_GPL(xvmc_tx_write);

/**
 * xvmc_tx_stop() - end the lend at the present index
 * @conn: connection
 *
 * Nothing without a ring.
 * Context: tx.mutex held.
 */
void xvmc_tx_stop(struct xvmc_conn *conn)
{
	struct xvmc_tx_ring *ring;

	lockdep_assert_held(&conn->tx.mutex);
	ring = tx_ring(conn);
	if (!ring)
		return;
	RCU_INIT_POINTER(conn->tx.ring, NULL);
	conn->tx.last_ring = ring->id;
	conn->tx.last_lend = ring->lend;
	xvmc_stat_inc(XVMC_STAT_RING_STOPS);
	if (conn->tx.started)
		trace_xenvmc_switch(conn->chan->peer->domid, conn->id, false,
				    false, ring->epoch, conn->tx.seq,
				    conn->tx.bytes);
	if (conn->tx.carried)
		WRITE_ONCE(conn->tx.switches, conn->tx.switches + 1);
	WRITE_ONCE(conn->tx.carried, false);
	tx_end(conn->chan, ring, conn->tx.started);
	conn->tx.started = false;
	/* Whoever waits for room is to look where to write now */
	conn->ops->write_space(conn);
	/* The ring's reference; the caller has one of its own */
	xvmc_conn_put(conn);
}
EXPORT_SYMBOL_GPL(xvmc_tx_stop);

/*
 * The lend that RECALL was about may be over, and another one begun. Of a close
 * DETACH tells only when the ring is gone: what is unread is to be seen now.
 */
bool xvmc_tx_give_back(struct xvmc_conn *conn)
{
	struct xvmc_tx_ring *ring = tx_ring(conn);

	if (!ring || !READ_ONCE(ring->recalled))
		return false;
	if (READ_ONCE(conn->recalled_why) == XENVMC_REASON_CLOSED)
		WRITE_ONCE(conn->tx.unread, xvmc_tx_queued(conn));
	xvmc_tx_stop(conn);
	return true;
}

/**
 * xvmc_tx_finish() - end the lend and the stream
 * @conn: connection without TCP
 *
 * As a FIN does, the end takes a sequence number: S is one more than before.
 * The stop mark, written behind it, makes it count. Without a ring one is asked
 * for, and nothing else is done.
 * Context: tx.mutex held.
 */
void xvmc_tx_finish(struct xvmc_conn *conn)
{
	struct xvmc_tx_ring *ring;

	lockdep_assert_held(&conn->tx.mutex);
	ring = tx_ring(conn);
	if (!ring) {
		xvmc_tx_want_ring(conn);
		return;
	}
	xvmc_ring_start(&ring->prod, ring->epoch, 1);
	conn->tx.started = true;
	conn->tx.fin = true;
	xvmc_tx_stop(conn);
}

/* ---- receiving ---------------------------------------------------------- */

/* rx.mutex held: @ring, just taken from the pool, is lent under a new epoch */
void xvmc_rx_install(struct xvmc_conn *conn, struct xvmc_rx_ring *ring)
{
	lockdep_assert_held(&conn->rx.mutex);
	if (!++ring->epoch)
		ring->epoch = 1;
	spin_lock_bh(&conn->lock);
	conn->rx.ring_id = ring->id;
	conn->rx.epoch = ring->epoch;
	spin_unlock_bh(&conn->lock);
	xvmc_conn_hold(conn);
	spin_lock_bh(&ring->lock);
	rcu_assign_pointer(ring->conn, conn);
	/* For readers that sleep already: they could not ask without a ring */
	xvmc_ring_want_data(&ring->cons, 1);
	ring->asked = ring->cons.cons + 1;
	spin_unlock_bh(&ring->lock);
	ring->looked_at = jiffies;
	rcu_assign_pointer(conn->rx.ring, ring);
}

/* conn->lock and chan->lock held */
bool xvmc_rx_fill(struct xvmc_conn *conn, struct xvmc_ctlmsg *msg, u16 type)
{
	struct xvmc_rx_ring *ring = conn->chan->rx[conn->rx.ring_id];

	lockdep_assert_held(&conn->lock);
	lockdep_assert_held(&conn->chan->lock);
	/* The peer has none: xvmc_conn_unlend() is to come */
	if (!ring || ring->gone || ring->dead)
		return false;
	if (type == XVMC_MSG_LEND && !ring->announced) {
		ring->announced = true;
		msg->type = XVMC_MSG_RING_ADD;
		msg->ring_add.ring = ring->id;
		msg->ring_add.order = ring->mem.order;
		msg->ring_add.token = ring->mem.token;
		return true;
	}
	msg->type = type;
	msg->lend.ring = conn->rx.ring_id;
	msg->lend.epoch = conn->rx.epoch;
	msg->lend.conn = conn->peer_id;
	msg->lend.reason = type == XVMC_MSG_RECALL ? conn->recall_why : 0;
	return true;
}

/* Ends the lend here and gives the ring back */
static void rx_end(struct xvmc_conn *conn, struct xvmc_rx_ring *ring)
{
	lockdep_assert_held(&conn->rx.mutex);
	spin_lock_bh(&conn->lock);
	conn->send &= ~(BIT(XVMC_MSG_LEND) | BIT(XVMC_MSG_RECALL));
	spin_unlock_bh(&conn->lock);
	spin_lock_bh(&ring->lock);
	RCU_INIT_POINTER(ring->conn, NULL);
	spin_unlock_bh(&ring->lock);
	/* Whoever sees no ring sees what was saved of it: xvmc_rx_queued() */
	smp_store_release(&conn->rx.ring, NULL);
	WRITE_ONCE(conn->rx.renew, false);
	trace_xenvmc_lend(conn->chan->peer->domid, conn->id, XVMC_TRACE_BACK,
			  ring->id, ring->epoch);
	xvmc_chan_give_rx(conn->chan, ring);
	if (READ_ONCE(conn->cut))
		xvmc_conn_meet(conn);
	/* The ring's reference; the caller has one of its own */
	xvmc_conn_put(conn);
}

/* The ring alone */
static int rx_look_ring(struct xvmc_conn *conn, struct xvmc_rx_ring *ring,
			struct xvmc_rx_view *view)
{
	int used;

	xvmc_ring_mark(&ring->cons, ring->epoch, &view->mark);
	used = xvmc_ring_used(&ring->cons);
	if (used < 0) {
		xvmc_chan_violation(conn->chan, "producer index");
		return -ECONNRESET;
	}
	view->used = used;
	return 0;
}

/* What was saved is read first. Without TCP a ring may be lent behind it */
static int rx_look(struct xvmc_conn *conn, struct xvmc_rx_view *view)
{
	struct xvmc_rx_ring *ring = rx_ring(conn);
	u32 saved = xvmc_rx_saved(conn);

	lockdep_assert_held(&conn->rx.mutex);
	view->lent = ring || conn->rx.spill;
	view->used = 0;
	if (conn->rx.torn && !saved)
		return -ECONNRESET;
	if (ring && rx_look_ring(conn, ring, view))
		return -ECONNRESET;
	if (!ring && conn->rx.spill)
		view->mark = conn->rx.spill_mark;
	/* Bytes of a lend that was not started cannot be read */
	if (saved && !view->mark.started) {
		view->mark.started = true;
		view->used = 0;
	}
	view->used += saved;
	return 0;
}

/**
 * xvmc_rx_view() - look at the ring for the switch-over
 * @conn: connection
 * @view: its TCP members were filled before
 *
 * Context: rx.mutex held.
 * Return: 0, or -ECONNRESET: the peer broke the ring, or bytes were lost with
 * it and all that are there have been read.
 */
int xvmc_rx_view(struct xvmc_conn *conn, struct xvmc_rx_view *view)
{
	lockdep_assert_held(&conn->rx.mutex);
	/* An orphan's ring only waits for its stop mark */
	if (READ_ONCE(conn->rx.orphan)) {
		view->lent = false;
		view->used = 0;
		return 0;
	}
	return rx_look(conn, view);
}
EXPORT_SYMBOL_GPL(xvmc_rx_view);

/* As tx_copy(), @len bytes at @off that are there */
static u32 rx_copy(struct xvmc_rx_ring *ring, struct iov_iter *to, u32 off,
		   u32 len)
{
	u32 done = 0;

	while (done < len) {
		u32 n = len - done;
		void *from = xvmc_ring_get_at(&ring->cons, off + done, &n);
		u32 copied = to ? _copy_to_iter(from, n, to) : n;

		done += copied;
		if (copied < n)
			break;
	}
	return done;
}

/* The first bytes of a lend with these marks are read: the direction moves */
static void rx_on(struct xvmc_conn *conn, const struct xvmc_ring_mark *mark)
{
	lockdep_assert_held(&conn->rx.mutex);
	conn->rx.seq = mark->seq;
	trace_xenvmc_switch(conn->chan->peer->domid, conn->id, true, true,
			    conn->rx.epoch, conn->rx.seq, conn->rx.bytes);
	WRITE_ONCE(conn->rx.carried, true);
	WRITE_ONCE(conn->rx.switches, conn->rx.switches + 1);
}

/* The reader is off the ring: what comes next comes by TCP, or by another */
static void rx_off(struct xvmc_conn *conn)
{
	lockdep_assert_held(&conn->rx.mutex);
	if (!conn->rx.carried)
		return;
	trace_xenvmc_switch(conn->chan->peer->domid, conn->id, true, false,
			    conn->rx.epoch, conn->rx.seq, conn->rx.bytes);
	WRITE_ONCE(conn->rx.switches, conn->rx.switches + 1);
	WRITE_ONCE(conn->rx.carried, false);
}

static void rx_consume(struct xvmc_conn *conn, struct xvmc_rx_ring *ring, u32 n)
{
	struct xvmc_ring_mark mark;

	if (!conn->rx.carried) {
		xvmc_ring_mark(&ring->cons, ring->epoch, &mark);
		rx_on(conn, &mark);
	}
	if (xvmc_tap_is_up())
		xvmc_tap_rx(conn, ring, n);
	if (xvmc_ring_consume(&ring->cons, n))
		xvmc_chan_ring_bell(conn->chan, XVMC_BELL_SPACE, ring->id);
	/* For a moment in neither count rather than in both: hook_count() */
	smp_wmb();
	WRITE_ONCE(conn->rx.bytes, conn->rx.bytes + n);
}

/* Where TCP is, its reader ends what was saved as it does a ring */
static void rx_consume_spill(struct xvmc_conn *conn, u32 n)
{
	if (!conn->rx.carried)
		rx_on(conn, &conn->rx.spill_mark);
	if (xvmc_tap_is_up())
		xvmc_tap_spill(conn, conn->rx.spill + conn->rx.spill_off, n);
	WRITE_ONCE(conn->rx.spill_off, conn->rx.spill_off + n);
	/* As in rx_consume(), pairs with hook_count() */
	smp_wmb();
	WRITE_ONCE(conn->rx.bytes, conn->rx.bytes + n);
	/* The end of a stream is for the reader to find */
	if (conn->ops->tcp || xvmc_rx_saved(conn) || conn->rx.spill_mark.seq)
		return;
	rx_off(conn);
	xvmc_rx_free_spill(conn);
}

static ssize_t rx_read_spill(struct xvmc_conn *conn, struct iov_iter *to,
			     size_t len, size_t skip, bool consume)
{
	u32 off = conn->rx.spill_off + skip;
	size_t done = to ? copy_to_iter(conn->rx.spill + off, len, to) : len;

	if (done < len) {
		iov_iter_revert(to, done);
		return 0;
	}
	if (consume)
		rx_consume_spill(conn, skip + done);
	return done;
}

/*
 * In chunks, so that a writer that waits for room goes on meanwhile, and whole
 * ones, as TCP empties a segment
 */
static ssize_t rx_read_ring(struct xvmc_conn *conn, struct xvmc_rx_ring *ring,
			    struct iov_iter *to, size_t len, size_t skip,
			    bool consume)
{
	size_t total = 0;

	while (total < len) {
		u32 n = min_t(size_t, len - total, RINGS_CHUNK);
		u32 done = rx_copy(ring, to, skip, n);

		if (done < n) {
			iov_iter_revert(to, done);
			break;
		}
		total += n;
		if (consume)
			rx_consume(conn, ring, skip + n);
		skip = consume ? 0 : skip + n;
	}
	return total;
}

/*
 * A ring that was taken back is over: another one is lent. With TCP the reader
 * sees to that when it reads on, and the writer has TCP until then; but an
 * empty one that is for somebody else goes now. Without TCP the writer has
 * nothing, and may be what the reader waits for: so what is unread is saved,
 * and the writer has room as TCP would have.
 */
static void rx_renew(struct xvmc_conn *conn)
{
	struct xvmc_rx_ring *ring = rx_ring(conn);
	struct xvmc_rx_view view = {};
	bool yields = conn->rx.yields;
	bool fin, much;

	lockdep_assert_held(&conn->rx.mutex);
	if (!conn->rx.renew || !ring || rx_look_ring(conn, ring, &view) ||
	    !view.mark.stopped)
		return;
	if (conn->ops->tcp && (view.used || !yields))
		return;
	/* S is the end of the stream: for the reader to find, if it may stay */
	fin = !conn->ops->tcp && view.mark.seq;
	if (fin && !yields)
		return;
	/* Not too much; without memory the reader empties it, and comes here */
	if (yields)
		much = xvmc_rx_saved(conn) + view.used > XVMC_YIELD_MOST;
	else
		much = conn->rx.spill;
	if ((view.used || fin) &&
	    (much || xvmc_rx_set_aside(conn, ring, &view.mark, view.used)))
		return;
	if (yields && view.used)
		xvmc_rx_keep(conn);
	if (!view.used)
		rx_off(conn);
	rx_end(conn, ring);
	if (!fin)
		xvmc_conn_lend_again(conn);
}

/**
 * xvmc_rx_read() - copy bytes out of the ring
 * @conn: connection
 * @to: target, or NULL to discard
 * @len: bytes, as many as xvmc_rx_view() said or fewer, without @skip
 * @skip: bytes to pass over first
 * @consume: give all that back to the sender
 *
 * Context: process, rx.mutex held, page faults disabled: faultin.c.
 * Return: bytes, or -EFAULT if none could be copied.
 */
ssize_t xvmc_rx_read(struct xvmc_conn *conn, struct iov_iter *to, size_t len,
		     size_t skip, bool consume)
{
	u32 saved = xvmc_rx_saved(conn);
	u64 before = conn->rx.bytes;
	struct xvmc_rx_ring *ring;
	ssize_t total = 0;

	lockdep_assert_held(&conn->rx.mutex);
	ring = rx_ring(conn);
	if (!ring && !conn->rx.spill)
		return 0;
	if (skip < saved)
		total = rx_read_spill(conn, to, min_t(size_t, len,
						      saved - skip), skip,
				      consume);
	/* Behind what was saved, in the same call: TCP has one queue */
	if (ring && skip + total >= saved && total < len)
		total += rx_read_ring(conn, ring, to, len - total,
				      skip + total - saved, consume);
	if (!total && len)
		return -EFAULT;
	if (consume) {
		if (xvmc_should_switch(before, conn->rx.bytes))
			xvmc_rx_take_back(conn);
		atomic64_add(total, &conn->chan->rx_bytes);
		xvmc_stat_add(XVMC_STAT_RX_BYTES, total);
		if (conn->rx.renew)
			rx_renew(conn);
	}
	return total;
}
EXPORT_SYMBOL_GPL(xvmc_rx_read);

/**
 * xvmc_rx_done() - the reader has done with the ring
 * @conn: connection
 * @lend_again: lend the peer another one
 *
 * Usually it is stopped and drained. If TCP ended first the peer may still
 * write to it: then it is not given to anybody else before it is stopped, and
 * before the connection has ended if there is something in it.
 * Context: rx.mutex held.
 */
void xvmc_rx_done(struct xvmc_conn *conn, bool lend_again)
{
	struct xvmc_ring_mark mark = {};
	struct xvmc_rx_ring *ring;

	lockdep_assert_held(&conn->rx.mutex);
	ring = rx_ring(conn);
	if (conn->rx.spill)
		mark = conn->rx.spill_mark;
	else if (ring)
		xvmc_ring_mark(&ring->cons, ring->epoch, &mark);
	if (mark.stopped && mark.seq && !conn->ops->tcp)
		conn->rx.fin = true;
	rx_off(conn);
	if (conn->rx.spill)
		xvmc_rx_free_spill(conn);
	else if (ring && mark.stopped)
		rx_end(conn, ring);
	else if (ring)
		xvmc_conn_forsake(conn);
	if (lend_again)
		xvmc_conn_lend_again(conn);
}
EXPORT_SYMBOL_GPL(xvmc_rx_done);

/* rx.mutex held: nobody reads any more */
static void rx_discard(struct xvmc_conn *conn)
{
	struct xvmc_rx_view view = {};

	if (rx_look(conn, &view) || !view.lent)
		return;
	if (!view.mark.stopped ||
	    (view.used && rx_ring(conn) && xvmc_rx_is_looked_at(conn)))
		return;
	if (view.used) {
		xvmc_rx_read(conn, NULL, view.used, 0, true);
		conn->rx.lost += view.used;
		xvmc_stat_add(XVMC_STAT_RX_BYTES_DISCARDED, view.used);
	}
	xvmc_rx_done(conn, false);
}

/* rx.mutex held: what to do about news but for telling the reader */
void xvmc_rx_news(struct xvmc_conn *conn)
{
	lockdep_assert_held(&conn->rx.mutex);
	if (conn->rx.orphan)
		rx_discard(conn);
	else
		rx_renew(conn);
}

/* Is all that the peer will ever write to this ring there? */
static bool rx_final(struct xvmc_conn *conn, struct xvmc_rx_ring *ring,
		     struct xvmc_ring_mark *mark)
{
	bool untold;

	spin_lock_bh(&conn->lock);
	untold = conn->send & BIT(XVMC_MSG_LEND);
	conn->send &= ~BIT(XVMC_MSG_LEND);
	spin_unlock_bh(&conn->lock);
	xvmc_ring_mark(&ring->cons, ring->epoch, mark);
	return untold || mark->stopped;
}

/**
 * xvmc_conn_spill() - the channel goes: save unread bytes, give the ring back
 * @conn: connection
 * @force: even if the peer has not said that it stopped; then nobody knows
 *	whether bytes are missing, and the reader is told so after the last one
 *
 * Context: process; takes rx.mutex.
 */
void xvmc_conn_spill(struct xvmc_conn *conn, bool force)
{
	struct xvmc_ring_mark mark;
	struct xvmc_rx_ring *ring;
	const struct xvmc_conn_ops *ops = READ_ONCE(conn->ops);
	bool final, gone = false, torn;
	unsigned int noio;
	u32 next = 0;

	/* Our reader may be what memory would wait for: a disk's driver */
	noio = memalloc_noio_save();
	mutex_lock(&conn->rx.mutex);
	ring = rx_ring(conn);
	if (ring) {
		/* Before the marks: bytes that TCP has by now are not behind */
		if (ops->tcp_next)
			next = ops->tcp_next(conn);
		final = rx_final(conn, ring, &mark);
		gone = final || force;
		if (!final && force)
			conn->rx.torn = true;
		if (gone) {
			if (!conn->rx.orphan)
				xvmc_rx_save(conn, ring, &mark);
			conn->rx.torn_seq = mark.started ? mark.seq : next;
			if (!conn->rx.spill)
				rx_off(conn);
			rx_end(conn, ring);
		}
	}
	torn = gone && conn->rx.torn;
	mutex_unlock(&conn->rx.mutex);
	memalloc_noio_restore(noio);
	if (gone && !READ_ONCE(conn->rx.orphan))
		conn->ops->data_ready(conn);
	if (torn)
		xvmc_conn_torn(conn);
}

/*
 * The peer could not map the lent ring: nothing was or will be written to it.
 * False if that is over already.
 */
bool xvmc_conn_unlend(struct xvmc_conn *conn)
{
	struct xvmc_rx_ring *ring;
	bool had;

	mutex_lock(&conn->rx.mutex);
	ring = rx_ring(conn);
	had = ring && (READ_ONCE(ring->gone) || READ_ONCE(ring->dead));
	if (had)
		rx_end(conn, ring);
	mutex_unlock(&conn->rx.mutex);
	return had;
}
