// SPDX-License-Identifier: GPL-2.0
/*
 * Channel: its life, from the first control ring to the last unmapped page.
 *
 * The close work tears down once, when nobody borrows a ring any more. The
 * control ring and the doorbells are in chan_io.c, the pool of rings in pool.c.
 *
 * chan->lock is taken inside the sockets' and connections' mutexes; conn->lock
 * and ring->lock are taken inside it.
 */
#include <linux/slab.h>
#include "chan.h"
#include "conn.h"
#include "fault.h"
#include "guest.h"
#include "peer.h"
#include "stats.h"
#include "trace.h"

#define CHAN_CLOSE_WAIT	(5 * HZ)	/* for the peer's stop marks */

/*
 * A workqueue has places for some hundred works that run or sleep, and many
 * that wait for others would keep these out. Those of channels and connections
 * wait for none; closing a channel waits for them; and the end of a pair, whose
 * channels are both here, waits for that.
 */
struct workqueue_struct *xvmc_wq;
static struct workqueue_struct *chan_close_wq;
struct workqueue_struct *xvmc_pair_wq;

static void chan_rcu(struct rcu_head *rcu)
{
	struct xvmc_chan *chan = container_of(rcu, struct xvmc_chan, rcu);

	xa_destroy(&chan->conns);
	kfree(chan->answers);
	kfree(chan);
}

static void chan_release(struct kref *ref)
{
	struct xvmc_chan *chan = container_of(ref, struct xvmc_chan, ref);

	DEBUG_NET_WARN_ON_ONCE(chan->has_tx_ctl || chan->has_rx_ctl);
	DEBUG_NET_WARN_ON_ONCE(chan->nr_rx || chan->nr_tx);
	DEBUG_NET_WARN_ON_ONCE(!xa_empty(&chan->conns));
	xvmc_guest_put(chan->guest);
	xvmc_peer_put(chan->peer);
	call_rcu(&chan->rcu, chan_rcu);
}

/**
 * xvmc_chan_put() - drop a reference
 * @chan: channel
 *
 * Context: any.
 */
void xvmc_chan_put(struct xvmc_chan *chan)
{
	kref_put(&chan->ref, chan_release);
}
EXPORT_SYMBOL_GPL(xvmc_chan_put);

/* The work holds a reference while it is queued or runs. Any context */
void xvmc_chan_queue_work(struct xvmc_chan *chan, struct work_struct *work)
{
	xvmc_chan_hold(chan);
	if (!queue_work(xvmc_wq, work))
		xvmc_chan_put(chan);
}

/* As above, for the work that waits for others: they have to find a place */
static void chan_queue_close(struct xvmc_chan *chan)
{
	xvmc_chan_hold(chan);
	if (!queue_work(chan_close_wq, &chan->close_work))
		xvmc_chan_put(chan);
}

static void chan_close_work(struct work_struct *work);

/**
 * xvmc_chan_new() - make a channel in state SETUP
 * @peer: the other end; a reference is taken
 *
 * Whoever makes one must close it.
 * Context: process.
 * Return: a channel with one reference, or NULL.
 */
struct xvmc_chan *xvmc_chan_new(struct xvmc_peer *peer)
{
	struct xvmc_chan *chan = NULL;

	if (!xvmc_should_fail(XVMC_FAULT_CHAN))
		chan = kzalloc(sizeof(*chan), GFP_KERNEL);
	if (!chan)
		return NULL;
	if (!xvmc_should_fail(XVMC_FAULT_CHAN))
		chan->answers = kmalloc_array(XVMC_MAX_ANSWERS,
					      sizeof(*chan->answers),
					      GFP_KERNEL);
	if (!chan->answers)
		goto free_chan;
	chan->guest = xvmc_guest_get(peer->ops, peer->uuid,
				     xvmc_loop_is_passive(peer));
	if (!chan->guest)
		goto free_chan;
	kref_init(&chan->ref);
	kref_get(&peer->ref);
	chan->peer = peer;
	chan->ops = peer->ops;
	strscpy(chan->uuid, peer->uuid, sizeof(chan->uuid));
	chan->state = XVMC_CHAN_SETUP;
	spin_lock_init(&chan->lock);
	mutex_init(&chan->grow_mutex);
	INIT_LIST_HEAD(&chan->send_list);
	INIT_LIST_HEAD(&chan->starving);
	INIT_LIST_HEAD(&chan->wanting);
	xa_init_flags(&chan->conns, XA_FLAGS_ALLOC1 | XA_FLAGS_LOCK_BH);
	init_waitqueue_head(&chan->idle);
	tasklet_setup(&chan->bells, xvmc_chan_bells);
	INIT_WORK(&chan->work, xvmc_chan_work);
	INIT_WORK(&chan->close_work, chan_close_work);
	INIT_DELAYED_WORK(&chan->feed_work, xvmc_chan_feed_work);
	return chan;

free_chan:
	kfree(chan->answers);
	kfree(chan);
	return NULL;
}

/**
 * xvmc_chan_add_rx_ctl() - grant the own control ring
 * @chan: channel in state SETUP
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int xvmc_chan_add_rx_ctl(struct xvmc_chan *chan)
{
	int err;

	err = chan->ops->ring_grant(chan, &chan->rx_ctl.mem, XVMC_CTL_ORDER);
	if (err)
		return err;
	xvmc_rx_ring_init(&chan->rx_ctl);
	/* From the first message on: nobody has asked before */
	xvmc_ring_want_data(&chan->rx_ctl.cons, 1);
	chan->has_rx_ctl = true;
	return 0;
}

/**
 * xvmc_chan_add_tx_ctl() - map the peer's control ring
 * @chan: channel in state SETUP
 * @token: what the peer granted
 *
 * Context: process.
 * Return: 0, -EPROTO if the peer is at fault, another negative errno.
 */
int xvmc_chan_add_tx_ctl(struct xvmc_chan *chan, u32 token)
{
	struct xvmc_tx_ring *ring = &chan->tx_ctl;
	int err;

	if (chan->has_tx_ctl)
		return -EPROTO;
	err = chan->ops->ring_map(chan, &ring->mem, XVMC_CTL_ORDER, token);
	if (err)
		return err;
	spin_lock_init(&ring->lock);
	xvmc_ring_prod_init(&ring->prod, ring->mem.hdr, ring->mem.page,
			    ring->mem.order);
	spin_lock_bh(&chan->lock);
	chan->has_tx_ctl = true;
	spin_unlock_bh(&chan->lock);
	return 0;
}

/**
 * xvmc_chan_up() - the pair has agreed
 * @chan: channel with both control rings
 *
 * Context: process.
 */
void xvmc_chan_up(struct xvmc_chan *chan)
{
	spin_lock_bh(&chan->lock);
	if (chan->state == XVMC_CHAN_SETUP) {
		chan->state = XVMC_CHAN_UP;
		trace_xenvmc_chan_state(chan->peer->domid, XVMC_CHAN_UP, 0);
		xvmc_stat_inc(XVMC_STAT_CHANNELS_UP);
	}
	spin_unlock_bh(&chan->lock);
}

/**
 * xvmc_chan_close() - begin to tear down
 * @chan: channel, in any state
 * @reason: &enum xenvmc_reason
 * @bye: tell the peer
 *
 * Context: any.
 */
void xvmc_chan_close(struct xvmc_chan *chan, u32 reason, bool bye)
{
	bool first;

	spin_lock_bh(&chan->lock);
	first = chan->state < XVMC_CHAN_CLOSING;
	if (first) {
		chan->was_up = chan->state == XVMC_CHAN_UP;
		if (chan->was_up)
			xvmc_stat_inc(XVMC_STAT_CHANNELS_DOWN);
		chan->state = XVMC_CHAN_CLOSING;
		trace_xenvmc_chan_state(chan->peer->domid, XVMC_CHAN_CLOSING,
					reason);
		chan->reason = reason;
		chan->bye = bye;
	}
	spin_unlock_bh(&chan->lock);
	if (first)
		chan_queue_close(chan);
}

/* Before the peer's ring is mapped there is nobody to say it to */
static void chan_send_bye(struct xvmc_chan *chan)
{
	spin_lock_bh(&chan->lock);
	WRITE_ONCE(chan->bye_due, chan->bye && chan->has_tx_ctl);
	spin_unlock_bh(&chan->lock);
	xvmc_chan_flush(chan);
}

/* Connections that wait for a ring or to send: there is nothing to wait for */
static void chan_drop_lists(struct xvmc_chan *chan)
{
	struct xvmc_conn *conn, *next;

	xvmc_chan_drop_answers(chan);
	spin_lock_bh(&chan->lock);
	list_for_each_entry_safe(conn, next, &chan->send_list, send_node)
		xvmc_chan_unqueue(chan, conn);
	list_splice_init(&chan->wanting, &chan->starving);
	list_for_each_entry_safe(conn, next, &chan->starving, starve_node) {
		list_del_init(&conn->starve_node);
		xvmc_conn_put(conn);
	}
	spin_unlock_bh(&chan->lock);
}

/* Has each borrower of an own ring save what it did not read */
static void chan_spill(struct xvmc_chan *chan, bool force)
{
	struct xvmc_rx_ring *ring;
	struct xvmc_conn *conn;
	u32 id;

	for (id = 0; id < XVMC_MAX_RINGS; id++) {
		ring = READ_ONCE(chan->rx[id]);
		if (!ring)
			continue;
		rcu_read_lock();
		conn = rcu_dereference(ring->conn);
		if (conn && !kref_get_unless_zero(&conn->ref))
			conn = NULL;
		rcu_read_unlock();
		if (!conn)
			continue;
		xvmc_conn_save(conn, force);
		xvmc_conn_put(conn);
	}
}

/**
 * xvmc_chan_bye_seen() - the peer has said its last word
 * @chan: channel
 *
 * Context: process.
 */
void xvmc_chan_bye_seen(struct xvmc_chan *chan)
{
	WRITE_ONCE(chan->bye_seen, true);
	wake_up(&chan->idle);
}

/*
 * Nothing is lent here any more, and the peer lends nothing any more: it said
 * so, could never lend, or broke the protocol, after which nothing that it says
 * is read. A LEND that is being read now is given back by the same work, which
 * ends before the rings do. The own BYE is what the peer waits for, as we do
 * for its own.
 */
static bool chan_is_idle(struct xvmc_chan *chan)
{
	bool quiet = READ_ONCE(chan->bye_seen) || !chan->was_up;

	quiet = (quiet && !READ_ONCE(chan->bye_due)) ||
		READ_ONCE(chan->violated);
	return quiet && !atomic_read(&chan->borrowed);
}

/*
 * Waits until no ring is borrowed. Bytes that a peer wrote before it stopped
 * are in our memory; without its stop mark in time nobody knows whether they
 * are all, and the connections that hold them are torn.
 */
static void chan_wait_idle(struct xvmc_chan *chan)
{
	chan_spill(chan, false);
	if (wait_event_timeout(chan->idle, chan_is_idle(chan), CHAN_CLOSE_WAIT))
		return;
	chan_spill(chan, true);
	wait_event(chan->idle, !atomic_read(&chan->borrowed));
}

/* Nobody touches the rings: not a borrower, not a poller, not the softirq */
static void chan_free_rings(struct xvmc_chan *chan)
{
	struct xvmc_tx_ring *tx;
	struct xvmc_rx_ring *rx;
	u32 id;

	for (id = 0; id < XVMC_MAX_RINGS; id++) {
		rx = chan->rx[id];
		tx = rcu_dereference_protected(chan->tx[id], true);
		RCU_INIT_POINTER(chan->tx[id], NULL);
		chan->rx[id] = NULL;
		if (tx) {
			chan->ops->ring_unmap(chan, &tx->mem);
			kfree(tx);
			chan->nr_tx--;
		}
		if (rx) {
			chan->ops->ring_end(chan, &rx->mem);
			kfree(rx);
			chan->nr_rx--;
		}
	}
	if (chan->has_tx_ctl)
		chan->ops->ring_unmap(chan, &chan->tx_ctl.mem);
	if (chan->has_rx_ctl)
		chan->ops->ring_end(chan, &chan->rx_ctl.mem);
	chan->has_tx_ctl = false;
	chan->has_rx_ctl = false;
}

static void chan_close_work(struct work_struct *work)
{
	struct xvmc_chan *chan = container_of(work, struct xvmc_chan,
					      close_work);
	struct xvmc_peer *peer = chan->peer;

	chan_send_bye(chan);
	xvmc_conn_chan_down(chan, chan->reason);
	/* No ring is being added: state is CLOSING, growers are done */
	mutex_lock(&chan->grow_mutex);
	mutex_unlock(&chan->grow_mutex);
	/* It is not queued any more, either */
	if (cancel_delayed_work_sync(&chan->feed_work))
		xvmc_chan_put(chan);
	chan_wait_idle(chan);

	spin_lock_bh(&chan->lock);
	chan->state = XVMC_CHAN_CLOSED;
	if (chan->bye_due)
		xvmc_stat_inc(XVMC_STAT_CTL_DROPPED);
	trace_xenvmc_chan_state(peer->domid, XVMC_CHAN_CLOSED, chan->reason);
	spin_unlock_bh(&chan->lock);
	chan->ops->close(chan);
	tasklet_kill(&chan->bells);
	if (cancel_work_sync(&chan->work))
		xvmc_chan_put(chan);
	chan_drop_lists(chan);
	synchronize_rcu();
	xvmc_stale_maps(chan);
	chan_free_rings(chan);

	xvmc_peer_event(peer, XVMC_PEV_CLOSED, NULL);
	xvmc_chan_put(chan);
}

/* Those that wait go first */
static void chan_free_wqs(void)
{
	if (xvmc_pair_wq)
		destroy_workqueue(xvmc_pair_wq);
	if (chan_close_wq)
		destroy_workqueue(chan_close_wq);
	if (xvmc_wq)
		destroy_workqueue(xvmc_wq);
}

/* Not freezable: a suspend has to talk to the peers while tasks are frozen */
static struct workqueue_struct *chan_new_wq(const char *name, int max_active)
{
	if (xvmc_should_fail(XVMC_FAULT_WORKQUEUE))
		return NULL;
	return alloc_workqueue("%s", WQ_UNBOUND | WQ_MEM_RECLAIM, max_active,
			       name);
}

/**
 * xvmc_chan_init() - make the workqueues of channels
 *
 * Return: 0 or -ENOMEM.
 */
int xvmc_chan_init(void)
{
	xvmc_wq = chan_new_wq("xenvmc", 0);
	chan_close_wq = chan_new_wq("xenvmc_close", WQ_MAX_ACTIVE);
	xvmc_pair_wq = chan_new_wq("xenvmc_pair", 0);
	if (xvmc_wq && chan_close_wq && xvmc_pair_wq)
		return 0;
	chan_free_wqs();
	return -ENOMEM;
}

/**
 * xvmc_conn_flush() - wait for callbacks that run now
 *
 * Context: process.
 */
void xvmc_conn_flush(void)
{
	flush_workqueue(chan_close_wq);
	flush_workqueue(xvmc_wq);
	synchronize_rcu();
}
EXPORT_SYMBOL_GPL(xvmc_conn_flush);

/**
 * xvmc_chan_exit() - free the workqueues; every channel is gone
 */
void xvmc_chan_exit(void)
{
	chan_free_wqs();
	rcu_barrier();
}
