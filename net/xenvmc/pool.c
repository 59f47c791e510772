// SPDX-License-Identifier: GPL-2.0
/*
 * Pool: a channel's own rings, granted once and lent to connections.
 *
 * Rings are granted as connections need them and stay granted until the
 * channel closes. A ring is counted as borrowed from the moment it leaves the
 * pool until its borrower touches it no more.
 */
#include <linux/slab.h>
#include "chan.h"
#include "conn.h"
#include "fault.h"

#define POOL_RETRY	(HZ / 10)	/* after there was no memory */
#define POOL_TRIES	8		/* so many at a time, then */

/*
 * How large the rings are. A few connections get what streams profit from; the
 * more there are, the less one adds, so that many idle ones cost little memory.
 */
static const struct {
	u32 rings;	/* up to so many */
	u32 order;
} pool_tier[] = {
	{ 16,			XVMC_ORDER_LARGE },	/* 8 MiB */
	{ 80,			XVMC_ORDER_MEDIUM },	/* 8 MiB more */
	{ XVMC_POOL_RINGS,	XVMC_ORDER_SMALL },	/* 2.75 MiB more */
};

/**
 * xvmc_chan_borrow() - a lent ring is in use here
 * @chan: channel
 *
 * Context: any.
 */
void xvmc_chan_borrow(struct xvmc_chan *chan)
{
	atomic_inc(&chan->borrowed);
}

/**
 * xvmc_chan_unborrow() - a ring is not touched any more by its borrower
 * @chan: channel; the caller keeps a reference
 *
 * Context: any.
 */
void xvmc_chan_unborrow(struct xvmc_chan *chan)
{
	if (atomic_dec_and_test(&chan->borrowed))
		wake_up(&chan->idle);
}

/* The first ring that has @most bytes, or fewer; 0: any */
static u32 pool_first(u32 most)
{
	u32 i, first = 0;

	for (i = 0; most && i < ARRAY_SIZE(pool_tier) - 1; i++) {
		if (XVMC_PAGE_SIZE << pool_tier[i].order <= most)
			break;
		first = pool_tier[i].rings;
	}
	return first;
}

/* From @first on, the first is the largest: pool_tier */
static struct xvmc_rx_ring *chan_pop_free(struct xvmc_chan *chan, u32 first)
{
	u32 id = find_next_bit(chan->free_rx, XVMC_MAX_RINGS, first);

	lockdep_assert_held(&chan->lock);
	if (id >= XVMC_MAX_RINGS)
		return NULL;
	__clear_bit(id, chan->free_rx);
	return chan->rx[id];
}

/* The consumer end of a ring that was just granted */
void xvmc_rx_ring_init(struct xvmc_rx_ring *ring)
{
	spin_lock_init(&ring->lock);
	xvmc_ring_cons_init(&ring->cons, ring->mem.hdr, ring->mem.page,
			    ring->mem.order);
}

static u32 pool_order(u32 id)
{
	u32 i = 0;

	while (id >= pool_tier[i].rings)
		i++;
	return pool_tier[i].order;
}

/* The first ring from @first on that is not granted yet */
static u32 chan_next_id(const struct xvmc_chan *chan, u32 first)
{
	lockdep_assert_held(&chan->grow_mutex);
	lockdep_assert_held(&chan->lock);
	while (first < XVMC_POOL_RINGS && chan->rx[first])
		first++;
	return first;
}

/* Grants one more ring. Ids are never taken back */
static struct xvmc_rx_ring *chan_grow(struct xvmc_chan *chan, u32 id)
{
	struct xvmc_rx_ring *ring;

	if (xvmc_should_fail(XVMC_FAULT_RX_RING))
		return NULL;
	ring = kzalloc(sizeof(*ring), GFP_KERNEL);
	if (!ring)
		return NULL;
	if (chan->ops->ring_grant(chan, &ring->mem, pool_order(id))) {
		kfree(ring);
		return NULL;
	}
	ring->id = id;
	xvmc_rx_ring_init(ring);
	return ring;
}

/* Enters a new ring, unless the channel began to close meanwhile */
static bool chan_enter_rx(struct xvmc_chan *chan, struct xvmc_rx_ring *ring)
{
	bool ok;

	spin_lock_bh(&chan->lock);
	chan->scarce = false;
	ok = chan->state == XVMC_CHAN_UP;
	if (ok)
		/* Its bell may be rung at once: see chan_bell_conn() */
		smp_store_release(&chan->rx[ring->id], ring);
	else
		chan->nr_rx--;
	spin_unlock_bh(&chan->lock);
	return ok;
}

/* One grows at a time */
static void chan_grow_failed(struct xvmc_chan *chan)
{
	spin_lock_bh(&chan->lock);
	chan->scarce = true;
	chan->nr_rx--;
	spin_unlock_bh(&chan->lock);
}

/*
 * A free ring, or the id of one that is to be granted, as the pool may grow; of
 * the larger ones only if all others are lent.
 */
static struct xvmc_rx_ring *chan_find_rx(struct xvmc_chan *chan, u32 first,
					 u32 *id)
{
	struct xvmc_rx_ring *ring = chan_pop_free(chan, first);

	*id = XVMC_POOL_RINGS;
	if (!ring)
		*id = chan_next_id(chan, first);
	if (!ring && *id == XVMC_POOL_RINGS && first)
		return chan_find_rx(chan, 0, id);
	return ring;
}

/**
 * xvmc_chan_take_rx() - take an own ring out of the pool
 * @chan: channel
 * @most: bytes that it is to have at most, if there is such a one; 0: any
 *
 * Grants a new one if none is free and the pool may grow.
 * Context: process.
 * Return: a ring without borrower, counted as borrowed, or NULL.
 */
struct xvmc_rx_ring *xvmc_chan_take_rx(struct xvmc_chan *chan, u32 most)
{
	struct xvmc_rx_ring *ring = NULL;
	bool grow = false;
	u32 id = 0;

	mutex_lock(&chan->grow_mutex);
	spin_lock_bh(&chan->lock);
	if (chan->state == XVMC_CHAN_UP) {
		xvmc_chan_borrow(chan);
		ring = chan_find_rx(chan, pool_first(most), &id);
		grow = !ring && id < XVMC_POOL_RINGS;
		if (grow)
			chan->nr_rx++;
		else if (!ring)
			xvmc_chan_unborrow(chan);
	}
	spin_unlock_bh(&chan->lock);
	if (grow) {
		ring = chan_grow(chan, id);
		if (!ring) {
			chan_grow_failed(chan);
			xvmc_chan_unborrow(chan);
		} else if (!chan_enter_rx(chan, ring)) {
			chan->ops->ring_end(chan, &ring->mem);
			kfree(ring);
			ring = NULL;
			xvmc_chan_unborrow(chan);
		}
	}
	mutex_unlock(&chan->grow_mutex);
	return ring;
}

/* Who is to have the next ring, or NULL. The list's reference goes along */
static struct xvmc_conn *chan_next_hungry(struct xvmc_chan *chan)
{
	struct xvmc_conn *conn;

	lockdep_assert_held(&chan->lock);
	conn = list_first_entry_or_null(&chan->wanting, struct xvmc_conn,
					starve_node) ?:
	       list_first_entry_or_null(&chan->starving, struct xvmc_conn,
					starve_node);
	if (conn)
		list_del_init(&conn->starve_node);
	return conn;
}

/**
 * xvmc_chan_give_rx() - put an own ring back into the pool
 * @chan: channel
 * @ring: ring, drained and stopped, without borrower
 *
 * If connections wait for a ring, the first of them gets a turn. Not at once if
 * the peer had no memory for this one.
 * Context: any.
 */
void xvmc_chan_give_rx(struct xvmc_chan *chan, struct xvmc_rx_ring *ring)
{
	struct xvmc_conn *conn = NULL;
	bool gone;

	spin_lock_bh(&chan->lock);
	if (!ring->dead)
		__set_bit(ring->id, chan->free_rx);
	gone = ring->gone;
	ring->gone = false;
	if (gone)
		chan->scarce = true;
	else
		conn = chan_next_hungry(chan);
	spin_unlock_bh(&chan->lock);
	xvmc_chan_unborrow(chan);
	if (conn)
		xvmc_conn_feed(conn);
	else if (gone)
		xvmc_chan_feed_later(chan);
}

/* A ring may be there, or may be made */
static bool chan_may_feed(const struct xvmc_chan *chan)
{
	lockdep_assert_held(&chan->lock);
	return chan->nr_rx < XVMC_POOL_RINGS ||
	       !bitmap_empty(chan->free_rx, XVMC_MAX_RINGS);
}

/**
 * xvmc_chan_feed_later() - have those that starve try again in a while
 * @chan: channel
 *
 * Nothing if the pool is as large as it may be and all of it is lent: then a
 * ring that is given back feeds the next, unless somebody is asked for a ring:
 * then one is taken from who has no use for it. But if there was no memory for
 * one, perhaps none is lent that could be given back; and one that is free was
 * given back when nobody starved yet, or its turn was that of a connection that
 * had ended.
 * Context: any.
 */
void xvmc_chan_feed_later(struct xvmc_chan *chan)
{
	spin_lock_bh(&chan->lock);
	if (chan->state == XVMC_CHAN_UP &&
	    (!list_empty(&chan->wanting) ||
	     (!list_empty(&chan->starving) && chan_may_feed(chan)))) {
		xvmc_chan_hold(chan);
		if (!queue_delayed_work(xvmc_wq, &chan->feed_work, POOL_RETRY))
			xvmc_chan_put(chan);
	}
	spin_unlock_bh(&chan->lock);
}

/*
 * How many may try: there is a ring for each, or room for one. If there was no
 * memory just now, here or at the peer, a few find out: thousands that starve
 * would do nothing else.
 */
static u32 chan_may_try(const struct xvmc_chan *chan)
{
	u32 room = XVMC_POOL_RINGS - min(chan->nr_rx, XVMC_POOL_RINGS);

	lockdep_assert_held(&chan->lock);
	room += bitmap_weight(chan->free_rx, XVMC_MAX_RINGS);
	return chan->scarce ? min(room, POOL_TRIES) : room;
}

/* Of those that starve now: who starves again meanwhile is for the next time */
static u32 chan_to_feed(const struct xvmc_chan *chan)
{
	u32 most = chan_may_try(chan), n = 0;
	struct xvmc_conn *conn;

	list_for_each_entry(conn, &chan->wanting, starve_node)
		if (n++ >= most)
			return most;
	list_for_each_entry(conn, &chan->starving, starve_node)
		if (n++ >= most)
			return most;
	return n;
}

void xvmc_chan_feed_work(struct work_struct *work)
{
	struct xvmc_chan *chan = container_of(to_delayed_work(work),
					      struct xvmc_chan, feed_work);
	struct xvmc_conn *conn;
	bool none;
	u32 n;

	spin_lock_bh(&chan->lock);
	none = bitmap_empty(chan->free_rx, XVMC_MAX_RINGS);
	spin_unlock_bh(&chan->lock);
	/* Who is asked for a ring would have one if there was memory for it */
	if (none)
		xvmc_chan_reclaim(chan);

	spin_lock_bh(&chan->lock);
	n = chan_to_feed(chan);
	chan->scarce = false;
	while (n--) {
		conn = chan_next_hungry(chan);
		if (!conn)
			break;
		spin_unlock_bh(&chan->lock);
		xvmc_conn_feed(conn);
		spin_lock_bh(&chan->lock);
	}
	spin_unlock_bh(&chan->lock);
	xvmc_chan_feed_later(chan);
	xvmc_chan_put(chan);
}

/**
 * xvmc_conn_starve() - wait for a ring until one is given back
 * @conn: connection
 *
 * Context: process, no locks.
 */
void xvmc_conn_starve(struct xvmc_conn *conn)
{
	const struct xvmc_conn_ops *ops = READ_ONCE(conn->ops);
	struct xvmc_chan *chan = conn->chan;
	bool first = false;

	spin_lock_bh(&chan->lock);
	if (chan->state == XVMC_CHAN_UP && list_empty(&conn->starve_node)) {
		xvmc_conn_hold(conn);
		list_add_tail(&conn->starve_node, conn->wanted ?
			      &chan->wanting : &chan->starving);
		first = true;
	}
	spin_unlock_bh(&chan->lock);
	xvmc_chan_feed_later(chan);
	if (first && ops->no_ring && !READ_ONCE(conn->left))
		ops->no_ring(conn);
}

/**
 * xvmc_conn_unstarve() - it does not wait for a ring any more
 * @conn: connection
 *
 * Context: any.
 */
void xvmc_conn_unstarve(struct xvmc_conn *conn)
{
	struct xvmc_chan *chan = conn->chan;
	bool was;

	spin_lock_bh(&chan->lock);
	was = !list_empty(&conn->starve_node);
	list_del_init(&conn->starve_node);
	spin_unlock_bh(&chan->lock);
	if (was)
		xvmc_conn_put(conn);
}
