// SPDX-License-Identifier: GPL-2.0
/*
 * Two ends of a channel within this kernel, for streams that TCP carries.
 *
 * To a stream the near end is a channel as any other: it goes on there by
 * RESUME, lends and is lent rings, says DETACH. The far end plays its peer, who
 * is on another host, and passes on what comes (stream_carry.c). There is one
 * pair for each guest that has carried streams. When that guest is met again
 * both ends are closed as by a suspend, so that the streams are cut once more.
 *
 * Locks: carry_lock, the list of pairs. pair_mutex is outside of it and of the
 * peers' mutexes: one makes a pair at a time.
 */
#include <linux/net.h>
#include <linux/slab.h>
#include "fault.h"
#include "peer.h"
#include "stream_carry.h"

static LIST_HEAD(pairs);
static unsigned long pair_serial;		/* of the last one */
static DEFINE_SPINLOCK(carry_lock);		/* BH-safe */
static DEFINE_MUTEX(pair_mutex);
/* Those that are to be freed yet */
static atomic_t nr_pairs = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(pairs_wait);

/* ---- transport ---------------------------------------------------------- */

static int pair_ring_grant(struct xvmc_chan *chan, struct xvmc_ring_mem *mem,
			   u32 order)
{
	return xvmc_loop_ops.ring_grant(chan, mem, order);
}

static void pair_ring_end(struct xvmc_chan *chan, struct xvmc_ring_mem *mem)
{
	xvmc_loop_ops.ring_end(chan, mem);
}

static int pair_ring_map(struct xvmc_chan *chan, struct xvmc_ring_mem *mem,
			 u32 order, u32 token)
{
	return xvmc_loop_ops.ring_map(chan, mem, order, token);
}

static void pair_ring_unmap(struct xvmc_chan *chan, struct xvmc_ring_mem *mem)
{
	xvmc_loop_ops.ring_unmap(chan, mem);
}

static bool pair_is_far(const struct xvmc_chan *chan)
{
	const struct carry_pair *pair = chan->tpriv;

	return chan->peer == pair->peer[1];
}

/**
 * xvmc_carry_is_far() - does this end play the peer of streams?
 * @chan: any channel that is up
 *
 * Context: any.
 */
bool xvmc_carry_is_far(const struct xvmc_chan *chan)
{
	return chan->ops == &xvmc_carry_ops && pair_is_far(chan);
}

static void pair_kick(struct xvmc_chan *chan)
{
	struct carry_pair *pair = chan->tpriv;
	struct xvmc_chan *other;

	rcu_read_lock();
	other = rcu_dereference(pair->chan[!pair_is_far(chan)]);
	if (other)
		xvmc_chan_event(other);
	rcu_read_unlock();
}

static void pair_close(struct xvmc_chan *chan)
{
	struct carry_pair *pair = chan->tpriv;

	RCU_INIT_POINTER(pair->chan[pair_is_far(chan)], NULL);
	synchronize_rcu();
}

const struct xvmc_transport_ops xvmc_carry_ops = {
	.name		= "tcp",
	.via_tcp	= true,
	.ring_grant	= pair_ring_grant,
	.ring_end	= pair_ring_end,
	.ring_map	= pair_ring_map,
	.ring_unmap	= pair_ring_unmap,
	.kick		= pair_kick,
	.close		= pair_close,
};

/* ---- life --------------------------------------------------------------- */

/* Memory lives as long as a carrier knows it, or its end is under way */
static void pair_free(struct carry_pair *pair)
{
	xvmc_guest_put(pair->guest);
	kfree(pair);
	if (atomic_dec_and_test(&nr_pairs))
		wake_up_all(&pairs_wait);
}

/**
 * xvmc_pairs_end() - no pair is on its way out any more
 *
 * Nobody makes one: no stream is left, and nobody greets.
 * Context: module exit.
 */
void xvmc_pairs_end(void)
{
	wait_event(pairs_wait, !atomic_read(&nr_pairs));
}

/* Both are told first: each waits for the other. Nothing is left of them */
static void pair_leave(struct carry_pair *pair)
{
	int i;

	for (i = 0; i < 2; i++)
		if (pair->peer[i])
			xvmc_peer_event(pair->peer[i], XVMC_PEV_SUSPEND, NULL);
	for (i = 0; i < 2; i++) {
		if (!pair->peer[i])
			continue;
		xvmc_peer_wait_left(pair->peer[i]);
		xvmc_peer_put(pair->peer[i]);
	}
}

static void pair_end_work(struct work_struct *work)
{
	struct carry_pair *pair = container_of(work, struct carry_pair,
					       end_work);
	bool last;

	xvmc_stall(XVMC_STALL_PAIR, true);
	pair_leave(pair);
	spin_lock_bh(&carry_lock);
	pair->ended = true;
	last = !pair->users;
	spin_unlock_bh(&carry_lock);
	if (last)
		pair_free(pair);
}

static void pair_is_over(struct carry_pair *pair)
{
	lockdep_assert_held(&carry_lock);
	if (pair->over)
		return;
	pair->over = true;
	list_del_init(&pair->node);
	queue_work(xvmc_pair_wq, &pair->end_work);
}

/**
 * xvmc_pair_put() - a carrier needs it no more
 * @pair: pair
 *
 * Context: any.
 */
void xvmc_pair_put(struct carry_pair *pair)
{
	bool last;

	spin_lock_bh(&carry_lock);
	pair->users--;
	last = pair->ended && !pair->users;
	if (!pair->users)
		pair_is_over(pair);
	spin_unlock_bh(&carry_lock);
	if (last)
		pair_free(pair);
}

/**
 * xvmc_pair_return() - a guest is met again: its streams go back to rings
 * @guest: the guest
 *
 * Context: any.
 */
void xvmc_pair_return(const struct xvmc_guest *guest)
{
	struct carry_pair *pair, *next;

	spin_lock_bh(&carry_lock);
	list_for_each_entry_safe(pair, next, &pairs, node)
		if (pair->guest == guest)
			pair_is_over(pair);
	spin_unlock_bh(&carry_lock);
}

/**
 * xvmc_carry_met() - a channel is up
 * @chan: channel, perhaps to a guest whose streams TCP carries
 *
 * Context: any.
 */
void xvmc_carry_met(const struct xvmc_chan *chan)
{
	if (chan->ops != &xvmc_carry_ops)
		xvmc_pair_return(chan->guest);
}

/* Of the streams' own guest, whatever its transport is called */
static int pair_chan_new(struct carry_pair *pair, int i)
{
	struct xvmc_peer *peer = pair->peer[i];
	struct xvmc_chan *chan;
	int err;

	chan = xvmc_chan_new(peer);
	if (!chan)
		return -ENOMEM;
	xvmc_guest_put(chan->guest);
	xvmc_guest_hold(pair->guest);
	chan->guest = pair->guest;
	chan->tpriv = pair;
	mutex_lock(&peer->mutex);
	rcu_assign_pointer(peer->chan, chan);
	peer->state = XVMC_PEER_CONNECTED;
	mutex_unlock(&peer->mutex);
	err = xvmc_chan_add_rx_ctl(chan);
	if (!err)
		rcu_assign_pointer(pair->chan[i], chan);
	return err;
}

static int pair_connect(struct carry_pair *pair, u16 domid)
{
	struct xvmc_chan *chan[2];
	int i, err;

	for (i = 0; i < 2; i++) {
		pair->peer[i] = xvmc_peer_new_hidden(domid, &xvmc_carry_ops);
		if (IS_ERR(pair->peer[i])) {
			err = PTR_ERR(pair->peer[i]);
			pair->peer[i] = NULL;
			return err;
		}
		err = pair_chan_new(pair, i);
		if (err)
			return err;
		chan[i] = rcu_dereference_protected(pair->chan[i], 1);
	}
	for (i = 0; i < 2; i++) {
		err = xvmc_chan_add_tx_ctl(chan[i],
					   chan[!i]->rx_ctl.mem.token);
		if (err)
			return err;
		chan[i]->features = XVMC_FEATURES;
	}
	for (i = 0; i < 2; i++)
		xvmc_chan_up(chan[i]);
	return 0;
}

static struct carry_pair *pair_new(const struct xvmc_stream *stream)
{
	const struct xvmc_chan *old = stream->conn.chan;
	struct carry_pair *pair = NULL;

	lockdep_assert_held(&pair_mutex);
	if (!xvmc_should_fail(XVMC_FAULT_CARRIER))
		pair = kzalloc(sizeof(*pair), GFP_KERNEL);
	if (!pair)
		return NULL;
	atomic_inc(&nr_pairs);
	INIT_WORK(&pair->end_work, pair_end_work);
	INIT_LIST_HEAD(&pair->node);
	xvmc_guest_hold(old->guest);
	pair->guest = old->guest;
	if (!pair_connect(pair, old->peer->domid))
		return pair;
	/* In a carrier's work nobody waits for others */
	pair->over = true;
	queue_work(xvmc_pair_wq, &pair->end_work);
	return NULL;
}

static struct carry_pair *pair_find(const struct xvmc_guest *guest)
{
	struct carry_pair *pair;

	lockdep_assert_held(&carry_lock);
	list_for_each_entry(pair, &pairs, node)
		if (pair->guest == guest)
			return pair;
	return NULL;
}

/**
 * xvmc_pair_get() - the pair of a stream's guest
 * @stream: the stream
 *
 * Context: process.
 * Return: one that a carrier may use, or NULL without memory.
 */
struct carry_pair *xvmc_pair_get(const struct xvmc_stream *stream)
{
	const struct xvmc_guest *guest = stream->conn.chan->guest;
	struct carry_pair *pair, *new = NULL;

	mutex_lock(&pair_mutex);
	spin_lock_bh(&carry_lock);
	pair = pair_find(guest);
	if (pair)
		pair->users++;
	spin_unlock_bh(&carry_lock);
	if (!pair)
		new = pair_new(stream);
	if (new) {
		spin_lock_bh(&carry_lock);
		new->users = 1;
		new->serial = ++pair_serial;
		list_add_tail(&new->node, &pairs);
		spin_unlock_bh(&carry_lock);
	}
	mutex_unlock(&pair_mutex);
	return pair ? pair : new;
}

/**
 * xvmc_pair_chan() - the near end, where streams go on
 * @pair: pair
 *
 * Context: any.
 * Return: the channel with a reference, or NULL if it is closed.
 */
struct xvmc_chan *xvmc_pair_chan(struct carry_pair *pair)
{
	struct xvmc_chan *chan;

	rcu_read_lock();
	chan = rcu_dereference(pair->chan[0]);
	if (chan && !xvmc_chan_tryhold(chan))
		chan = NULL;
	rcu_read_unlock();
	return chan;
}

/**
 * xvmc_carry_chan_get() - near end of a pair, to show what is there
 * @serial: of the first that may be; is that of the one found at return
 *
 * Context: any.
 * Return: the channel with a reference, or NULL.
 */
struct xvmc_chan *xvmc_carry_chan_get(unsigned long *serial)
{
	struct xvmc_chan *chan = NULL;
	struct carry_pair *pair;

	spin_lock_bh(&carry_lock);
	list_for_each_entry(pair, &pairs, node) {
		if (pair->serial >= *serial)
			chan = xvmc_pair_chan(pair);
		if (!chan)
			continue;
		*serial = pair->serial;
		break;
	}
	spin_unlock_bh(&carry_lock);
	return chan;
}
