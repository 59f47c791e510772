// SPDX-License-Identifier: GPL-2.0
/*
 * Rings that are taken from who has no use for them, for who asks for one.
 *
 * A stream has no way but its ring. When all rings of a pool are lent, its
 * sending end says WANT, and the pool's end takes one back: by RECALL, from a
 * connection to which nothing was written for a while; if there is none, from
 * the next in turn, so that many that are busy take turns. A little that is
 * unread does not matter, it is copied. Who lost a ring gets another when one
 * is free, or asks for it.
 */
#include <uapi/linux/xenvmc.h>
#include "chan.h"
#include "conn.h"
#include "peer.h"
#include "rings.h"
#include "stats.h"
#include "trace.h"

/* Who has not moved for so long is idle; the feeding work looks as often */
#define RECLAIM_IDLE	(HZ / 10)
/* Who asks for so long is given the ring of one that is busy */
#define RECLAIM_BUSY	HZ
/* A ring that was taken back and has not come for so long may never come */
#define RECLAIM_LATE	HZ
/* Unread bytes of a channel that are copied for that */
#define RECLAIM_KEPT	(4 << 20)

/**
 * xvmc_tx_want_ring() - the writer of a stream has no ring to write to
 * @conn: connection
 *
 * Said once; the ring comes as tx_lent. Nothing if there is one, and nothing
 * before @conn is up: then it may come by itself.
 * Context: any.
 */
void xvmc_tx_want_ring(struct xvmc_conn *conn)
{
	bool say;

	if (rcu_access_pointer(conn->tx.ring))
		return;
	spin_lock_bh(&conn->lock);
	say = !conn->ops->tcp && conn->state == XVMC_CONN_UP &&
	      !conn->tx.wants &&
	      !conn->tx.offered && !rcu_access_pointer(conn->tx.ring) &&
	      !READ_ONCE(conn->tx.fin) && !READ_ONCE(conn->tx.closed);
	if (say)
		conn->tx.wants = true;
	spin_unlock_bh(&conn->lock);
	/* Who polls has no reference of his own */
	if (say && kref_get_unless_zero(&conn->ref)) {
		xvmc_conn_send(conn, XVMC_MSG_WANT);
		xvmc_conn_put(conn);
	}
}

/**
 * xvmc_conn_want() - the peer has bytes for @conn, and no ring
 * @conn: connection, without TCP
 *
 * It is remembered until a ring is lent.
 * Context: process, rx.mutex held or no ring there.
 */
void xvmc_conn_want(struct xvmc_conn *conn)
{
	struct xvmc_chan *chan = conn->chan;

	spin_lock_bh(&chan->lock);
	if (!conn->wanted) {
		conn->wanted = true;
		conn->want_since = jiffies;
		/* If it is not there yet, xvmc_conn_starve() puts it there */
		if (!list_empty(&conn->starve_node))
			list_move_tail(&conn->starve_node, &chan->wanting);
	}
	spin_unlock_bh(&chan->lock);
	xvmc_chan_feed_later(chan);
}

/**
 * xvmc_rx_wanted() - WANT came
 * @conn: connection
 *
 * Nothing if it was lent a ring meanwhile. One that is taken back is none: the
 * peer has left it, whether or not we have come to see that.
 * Context: process, the connection's work; takes rx.mutex.
 */
void xvmc_rx_wanted(struct xvmc_conn *conn)
{
	mutex_lock(&conn->rx.mutex);
	if (conn->rx.renew || !rcu_access_pointer(conn->rx.ring))
		xvmc_conn_want(conn);
	mutex_unlock(&conn->rx.mutex);
}

/**
 * xvmc_conn_has_turn() - may it have the next free ring?
 * @conn: connection without one
 *
 * Who has yielded his waits a while, and nobody is served before those that are
 * asked for.
 * Context: process, the connection's work.
 */
bool xvmc_conn_has_turn(struct xvmc_conn *conn)
{
	struct xvmc_chan *chan = conn->chan;
	bool turn;

	if (READ_ONCE(conn->rx.yields)) {
		WRITE_ONCE(conn->rx.yields, false);
		return false;
	}
	spin_lock_bh(&chan->lock);
	turn = conn->wanted || list_empty(&chan->wanting);
	spin_unlock_bh(&chan->lock);
	return turn;
}

/* A ring was lent to @conn */
void xvmc_conn_served(struct xvmc_conn *conn)
{
	spin_lock_bh(&conn->chan->lock);
	conn->wanted = false;
	spin_unlock_bh(&conn->chan->lock);
}

/**
 * xvmc_rx_recall() - ask the peer to stop sending by ring
 * @conn: connection
 * @why: &enum xenvmc_reason
 *
 * Its stop mark comes as data_ready. Nothing without a lent ring.
 * Context: any.
 */
void xvmc_rx_recall(struct xvmc_conn *conn, u32 why)
{
	if (!rcu_access_pointer(conn->rx.ring))
		return;
	xvmc_stat_inc(XVMC_STAT_RECALLS);
	trace_xenvmc_lend(conn->chan->peer->domid, conn->id, XVMC_TRACE_RECALL,
			  READ_ONCE(conn->rx.ring_id),
			  READ_ONCE(conn->rx.epoch));
	WRITE_ONCE(conn->recall_why, why);
	xvmc_conn_send(conn, XVMC_MSG_RECALL);
}
EXPORT_SYMBOL_GPL(xvmc_rx_recall);

/**
 * xvmc_conn_no_lend() - no ring is lent to this connection any more
 * @conn: connection
 *
 * One that is lent stays so until the peer has stopped.
 * Context: process; takes rx.mutex.
 */
void xvmc_conn_no_lend(struct xvmc_conn *conn)
{
	mutex_lock(&conn->rx.mutex);
	conn->rx.no_lend = true;
	mutex_unlock(&conn->rx.mutex);
	xvmc_conn_unstarve(conn);
}
EXPORT_SYMBOL_GPL(xvmc_conn_no_lend);

/**
 * xvmc_rx_take_back() - have the peer stop, and let another ring follow
 * @conn: connection; nothing without a ring, and once for a lend
 *
 * Context: process, rx.mutex held.
 */
void xvmc_rx_take_back(struct xvmc_conn *conn)
{
	lockdep_assert_held(&conn->rx.mutex);
	if (!rcu_access_pointer(conn->rx.ring) || conn->rx.renew)
		return;
	WRITE_ONCE(conn->rx.renew, true);
	xvmc_rx_recall(conn, XENVMC_REASON_RECLAIM);
}
EXPORT_SYMBOL_GPL(xvmc_rx_take_back);

/*
 * What is unread is copied, with what was copied before, and of all connections
 * no more than a bound. With TCP it stays: then only an empty ring goes.
 */
static bool conn_may_yield(struct xvmc_conn *conn)
{
	u32 unread = xvmc_rx_queued(conn);
	u32 others;

	if (READ_ONCE(conn->rx.orphan))
		return false;
	if (conn->ops->tcp)
		return !unread && !READ_ONCE(conn->rx.spill);
	/* Among all that is kept may be some of its own already */
	others = atomic_read(&conn->chan->kept) - conn->rx.kept;
	return unread <= XVMC_YIELD_MOST && others + unread <= RECLAIM_KEPT;
}

/**
 * xvmc_conn_yield() - give the ring to somebody else
 * @conn: connection
 *
 * Context: process, the connection's work; takes rx.mutex.
 */
void xvmc_conn_yield(struct xvmc_conn *conn)
{
	mutex_lock(&conn->rx.mutex);
	if (!conn->rx.renew && conn_may_yield(conn)) {
		WRITE_ONCE(conn->rx.yields, true);
		xvmc_rx_take_back(conn);
		/* The stop mark may be there: then no bell comes any more */
		xvmc_rx_news(conn);
	}
	mutex_unlock(&conn->rx.mutex);
}

/**
 * struct reclaim - one look at all rings
 * @wanted: rings that are asked for
 * @coming: that were taken back, and are not here yet
 * @busy: somebody has asked for so long that busy ones are taken, too
 */
struct reclaim {
	u32 wanted;
	u32 coming;
	bool busy;
};

static void reclaim_count(struct xvmc_chan *chan, struct reclaim *all)
{
	struct xvmc_conn *conn;

	spin_lock_bh(&chan->lock);
	list_for_each_entry(conn, &chan->wanting, starve_node) {
		if (time_after(jiffies, conn->want_since + RECLAIM_BUSY))
			all->busy = true;
		if (++all->wanted == XVMC_MAX_RINGS)
			break;
	}
	spin_unlock_bh(&chan->lock);
}

/* Is it where it was when it was looked at a while ago? */
static bool ring_is_idle(struct xvmc_rx_ring *ring)
{
	/* Nobody is stopped meanwhile: who moves it is not idle */
	u32 prod = READ_ONCE(ring->cons.cons) + xvmc_ring_used(&ring->cons);

	if (prod != ring->looked_prod) {
		ring->looked_prod = prod;
		ring->looked_at = jiffies;
		return false;
	}
	return time_after_eq(jiffies, ring->looked_at + RECLAIM_IDLE);
}

/* Looks at the ring in turn. Its connection, if it is to yield it, or NULL */
static struct xvmc_conn *reclaim_look(struct xvmc_chan *chan,
				      struct reclaim *all, bool busy)
{
	struct xvmc_rx_ring *ring = READ_ONCE(chan->rx[chan->hand]);
	struct xvmc_conn *conn;

	chan->hand = (chan->hand + 1) % XVMC_MAX_RINGS;
	rcu_read_lock();
	conn = ring ? rcu_dereference(ring->conn) : NULL;
	if (conn && READ_ONCE(conn->rx.renew)) {
		all->coming += time_before(jiffies, ring->looked_at +
						    RECLAIM_LATE);
		conn = NULL;
	}
	if (conn && !ring_is_idle(ring) && !busy)
		conn = NULL;
	if (conn && !conn_may_yield(conn))
		conn = NULL;
	/* From now on it is on its way */
	if (conn)
		ring->looked_at = jiffies;
	if (conn && !kref_get_unless_zero(&conn->ref))
		conn = NULL;
	rcu_read_unlock();
	return conn;
}

static void reclaim_round(struct xvmc_chan *chan, struct reclaim *all,
			  bool busy)
{
	struct xvmc_conn *conn;
	u32 n;

	for (n = 0; n < XVMC_MAX_RINGS && all->coming < all->wanted; n++) {
		conn = reclaim_look(chan, all, busy);
		if (!conn)
			continue;
		xvmc_conn_ask_to_yield(conn);
		xvmc_conn_put(conn);
		all->coming++;
	}
}

/**
 * xvmc_chan_reclaim() - take rings back for those who want one
 * @chan: channel; no ring of its pool is free, and it can not grow
 *
 * Context: process, the channel's feeding work.
 */
void xvmc_chan_reclaim(struct xvmc_chan *chan)
{
	struct reclaim all = { 0 };

	reclaim_count(chan, &all);
	reclaim_round(chan, &all, false);
	/* Then one at a time: the others have them for a while each */
	if (all.busy && !all.coming) {
		all.wanted = 1;
		reclaim_round(chan, &all, true);
	}
}
