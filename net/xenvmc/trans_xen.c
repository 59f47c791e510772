// SPDX-License-Identifier: GPL-2.0
/*
 * Xen transport: rings over grants, kicks over an event channel, set-up over
 * XenStore.
 *
 * The lower domid of a pair offers, the higher watches for the offer and binds.
 * What either has to remember of it is a struct xen_pair in peer->tpriv, from
 * offer to withdraw or from watch to unwatch. The operations run under
 * peer->mutex; the work that a watch queues runs without it, reads the offer
 * and raises an event, which may be late and is checked again under the mutex.
 *
 * A watch is unregistered by that work too and not under peer->mutex, because
 * XenBus waits there for its thread, and a suspend runs in that thread and has
 * to take the peers' mutexes. A suspend does not wait for the work, which may
 * wait for it, but unregisters what is left by itself.
 *
 * A half-made channel is hung into peer->chan at once: whoever gives up closes
 * it from there like any other.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "chan.h"
#include "evtchn.h"
#include "fault.h"
#include "grant.h"
#include "peer.h"
#include "stats.h"
#include "trans_xen.h"
#include "xenstore.h"
#include "xenvmc_priv.h"

#if defined(CONFIG_PREEMPTION) && !defined(CONFIG_TASKS_RCU)
#error "a suspend waits for a grace period of tasks: TASKS_RCU"
#endif
#ifdef CONFIG_PREEMPT_VOLUNTARY_BUILD
#error "a suspend would overlook who is preempted where he may sleep"
#endif

/* For the HELLO_ACK of a peer that took its offer away when it sent it */
#define PAIR_GRACE	(3 * HZ)
#define PAIR_RETRY	HZ
/* Own pages of earlier channels that a peer may still map when it gets more */
#define XEN_MAX_HELD	1024

/**
 * struct xen_pair - the offer of a pair, as seen from this end
 * @ref: one while in peer->tpriv, one while @work is queued
 * @peer: the other end; a reference is held
 * @offer: written (lower domid) or bound (higher)
 * @bound: @offer is valid and bound; peer->mutex
 * @over_node: in pairs_over, between unwatch and the end of @watch
 * @gone: jiffies when the bound offer was seen to be gone, or 0; @work alone
 * @watch: higher: on the peer's offer
 * @work: higher: looks at the offer
 */
struct xen_pair {
	struct kref ref;
	struct xvmc_peer *peer;
	struct xvmc_offer offer;
	bool bound;
	struct list_head over_node;
	unsigned long gone;
	struct xvmc_store_watch watch;
	struct delayed_work work;
};

/* Pairs that are over, each with a reference, and @watch still registered */
static LIST_HEAD(pairs_over);
static DEFINE_SPINLOCK(pairs_over_lock);
/* How many are being unregistered now */
static atomic_t pairs_ending = ATOMIC_INIT(0);

static void pair_work(struct work_struct *work);

static struct xen_pair *pair_new(struct xvmc_peer *peer)
{
	struct xen_pair *pair = NULL;

	if (!xvmc_should_fail(XVMC_FAULT_PAIR))
		pair = kzalloc(sizeof(*pair), GFP_KERNEL);
	if (!pair)
		return NULL;
	kref_init(&pair->ref);
	xvmc_peer_hold(peer);
	pair->peer = peer;
	INIT_LIST_HEAD(&pair->over_node);
	INIT_DELAYED_WORK(&pair->work, pair_work);
	return pair;
}

static void pair_release(struct kref *ref)
{
	struct xen_pair *pair = container_of(ref, struct xen_pair, ref);

	xvmc_peer_put(pair->peer);
	kfree(pair);
}

static void pair_put(struct xen_pair *pair)
{
	kref_put(&pair->ref, pair_release);
}

/* Any context; the caller has a reference. Sooner than what is queued */
static void pair_queue_now(struct xen_pair *pair)
{
	kref_get(&pair->ref);
	if (mod_delayed_work(xvmc_wq, &pair->work, 0))
		pair_put(pair);
}

/* Not later than what is queued */
static void pair_queue_later(struct xen_pair *pair, unsigned long delay)
{
	kref_get(&pair->ref);
	if (!queue_delayed_work(xvmc_wq, &pair->work, delay))
		pair_put(pair);
}

/* ---- rings and kicks ---- */

static int xen_ring_grant(struct xvmc_chan *chan, struct xvmc_ring_mem *mem,
			  u32 order)
{
	return xvmc_grant_ring(chan->peer->domid, mem, order);
}

static void xen_ring_end(struct xvmc_chan *chan, struct xvmc_ring_mem *mem)
{
	xvmc_grant_end(mem);
}

static int xen_ring_map(struct xvmc_chan *chan, struct xvmc_ring_mem *mem,
			u32 order, u32 token)
{
	return xvmc_grant_map(chan->peer->domid, mem, order, token);
}

static void xen_ring_unmap(struct xvmc_chan *chan, struct xvmc_ring_mem *mem)
{
	xvmc_grant_unmap(mem);
}

/* ---- lower domid ---- */

/* A peer that keeps what it mapped gets no more: memory is bounded by that */
static bool xen_holds_too_much(struct xvmc_peer *peer)
{
	u32 pages = xvmc_grant_pages_held(peer->domid);

	if (pages <= XEN_MAX_HELD && !xvmc_should_fail(XVMC_FAULT_HELD))
		return false;
	pr_warn_ratelimited("domain %u keeps %u pages mapped\n", peer->domid,
			    pages);
	return true;
}

/* Makes the channel and hangs it into the peer, with its own control ring */
static struct xvmc_chan *xen_chan_new(struct xvmc_peer *peer)
{
	struct xvmc_chan *chan;
	int err;

	lockdep_assert_held(&peer->mutex);
	if (xen_holds_too_much(peer))
		return ERR_PTR(-EBUSY);
	chan = xvmc_chan_new(peer);
	if (!chan)
		return ERR_PTR(-ENOMEM);
	rcu_assign_pointer(peer->chan, chan);
	err = xvmc_chan_add_rx_ctl(chan);
	return err ? ERR_PTR(err) : chan;
}

static int xen_offer(struct xvmc_peer *peer)
{
	struct xvmc_chan *chan;
	struct xen_pair *pair;
	int err;

	lockdep_assert_held(&peer->mutex);
	pair = pair_new(peer);
	if (!pair)
		return -ENOMEM;
	peer->tpriv = pair;
	chan = xen_chan_new(peer);
	if (IS_ERR(chan))
		return PTR_ERR(chan);
	err = xvmc_evtchn_alloc(chan, &pair->offer.port);
	if (err)
		return err;
	pair->offer.version = XVMC_VERSION;
	pair->offer.features = XVMC_FEATURES;
	pair->offer.gref = chan->rx_ctl.mem.token;
	err = xvmc_store_write_offer(peer->domid, &pair->offer);
	if (err)
		return err;
	xvmc_stat_inc(XVMC_STAT_OFFERS);
	return 0;
}

static void xen_withdraw(struct xvmc_peer *peer)
{
	struct xen_pair *pair = peer->tpriv;

	lockdep_assert_held(&peer->mutex);
	if (!pair)
		return;
	peer->tpriv = NULL;
	xvmc_store_clear_offer(peer->domid);
	pair_put(pair);
}

/**
 * xvmc_xen_refresh_offer() - sees to it that a made offer can be read
 * @peer: the peer
 *
 * xenvmcd may have made the node anew, and with it empty.
 *
 * Context: Process context, takes the peer's mutex.
 * Return: 0 or a negative errno, never -ENOENT: without a node there is nothing
 * to see to, and the directory tells when there is one.
 */
int xvmc_xen_refresh_offer(struct xvmc_peer *peer)
{
	struct xvmc_offer now;
	struct xen_pair *pair;
	int err = 0;

	mutex_lock(&peer->mutex);
	pair = peer->tpriv;
	if (peer->state != XVMC_PEER_OFFERED || !pair)
		goto unlock;
	err = xvmc_store_read_own_offer(peer->domid, &now);
	if (err == -ENOENT)
		err = xvmc_store_write_offer(peer->domid, &pair->offer);
	/* Malformed is what stands there, for the peer to judge */
	if (err == -ENOENT || err == -EPROTO)
		err = 0;
unlock:
	mutex_unlock(&peer->mutex);
	return err;
}

/* ---- higher domid ---- */

static bool offer_equal(const struct xvmc_offer *a, const struct xvmc_offer *b)
{
	return a->port == b->port && a->gref == b->gref;
}

/*
 * The offer that we bound to is not there any more. The peer takes it away when
 * it has connected, so an answer may be under way; if none comes, it has left.
 */
static void pair_offer_gone(struct xen_pair *pair)
{
	if (!pair->gone)
		pair->gone = jiffies ? : 1;
	if (time_before(jiffies, pair->gone + PAIR_GRACE))
		pair_queue_later(pair, PAIR_GRACE / 3);
	else
		xvmc_peer_event(pair->peer, XVMC_PEV_OFFER_GONE, NULL);
}

/* Whether the pair is bound, and to what offer; @ours: it is not over */
static bool pair_is_bound(struct xen_pair *pair, struct xvmc_offer *offer,
			  bool *ours)
{
	struct xvmc_peer *peer = pair->peer;
	bool bound;

	mutex_lock(&peer->mutex);
	*ours = peer->tpriv == pair;
	bound = pair->bound;
	*offer = pair->offer;
	mutex_unlock(&peer->mutex);
	return bound;
}

static void pair_look(struct xen_pair *pair)
{
	struct xvmc_offer now, offer;
	bool bound, ours;
	int err;
	u16 own;

	bound = pair_is_bound(pair, &offer, &ours);
	if (!ours || !xvmc_xen_own_domid(&own))
		return;
	err = xvmc_store_read_offer(pair->peer->domid, own, &now);
	if (bound && !err && offer_equal(&now, &offer))
		pair->gone = 0;
	else if (bound && (!err || err == -ENOENT || err == -EPROTO))
		pair_offer_gone(pair);
	else if (!err || err == -EPROTO)
		xvmc_peer_event(pair->peer, XVMC_PEV_OFFER, NULL);
	else if (err != -ENOENT)
		pair_queue_later(pair, PAIR_RETRY);
}

static void pair_set_over(struct xen_pair *pair)
{
	spin_lock(&pairs_over_lock);
	list_add_tail(&pair->over_node, &pairs_over);
	spin_unlock(&pairs_over_lock);
}

/* Takes @pair off the list, or the first. True: its watch is the caller's */
static bool pair_take_over(struct xen_pair **pair)
{
	struct xen_pair *first;
	bool taken;

	spin_lock(&pairs_over_lock);
	first = *pair ? : list_first_entry_or_null(&pairs_over, struct xen_pair,
						   over_node);
	taken = first && !list_empty(&first->over_node);
	if (taken) {
		list_del_init(&first->over_node);
		atomic_inc(&pairs_ending);
	}
	spin_unlock(&pairs_over_lock);
	*pair = first;
	return taken;
}

/*
 * The reference that the peer had goes with it. Memory for the request is not
 * waited for: xvmc_xen_unwatch_all() knows from a task that has slept that its
 * request is on its way.
 */
static void pair_end(struct xen_pair *pair)
{
	unsigned int flags = memalloc_noreclaim_save();

	xvmc_store_unwatch(&pair->watch);
	memalloc_noreclaim_restore(flags);
	atomic_dec(&pairs_ending);
	pair_put(pair);
}

static void pair_work(struct work_struct *work)
{
	struct xen_pair *pair = container_of(to_delayed_work(work),
					     struct xen_pair, work);

	if (pair_take_over(&pair))
		pair_end(pair);
	else
		pair_look(pair);
	pair_put(pair);
}

/**
 * xvmc_xen_unwatch_all() - ends what watches of pairs are left over
 *
 * For a suspend, when there are no peers any more. Whoever registers or
 * unregisters a watch holds a lock of XenBus while he sends the request; if the
 * suspend begins between the two, he waits for its end and it waits for him.
 * Those that have begun before have sent their request when each task has
 * slept or waited once: they wait for the answer, or for the XenBus thread.
 *
 * Context: Process context, also in the XenBus thread.
 */
void xvmc_xen_unwatch_all(void)
{
	struct xen_pair *pair = NULL;

	while (pair_take_over(&pair)) {
		pair_end(pair);
		pair = NULL;
	}
	if (atomic_read(&pairs_ending))
		synchronize_rcu_tasks();
}

/* XenBus thread, under a spinlock */
static void pair_changed(struct xvmc_store_watch *watch)
{
	pair_queue_now(container_of(watch, struct xen_pair, watch));
}

static int xen_watch(struct xvmc_peer *peer)
{
	struct xen_pair *pair;
	u16 own;
	int err;

	lockdep_assert_held(&peer->mutex);
	if (!xvmc_xen_own_domid(&own))
		return -ENODEV;
	pair = pair_new(peer);
	if (!pair)
		return -ENOMEM;
	pair->watch.changed = pair_changed;
	peer->tpriv = pair;
	err = xvmc_store_watch_offer(&pair->watch, peer->domid, own);
	if (err)
		goto put_pair;
	return 0;

put_pair:
	peer->tpriv = NULL;
	pair_put(pair);
	return err;
}

static void xen_unwatch(struct xvmc_peer *peer)
{
	struct xen_pair *pair = peer->tpriv;

	lockdep_assert_held(&peer->mutex);
	if (!pair)
		return;
	peer->tpriv = NULL;
	/*
	 * The reference goes with it; later looks see that the pair is over. A
	 * work that runs already may be the one that ends it.
	 */
	kref_get(&pair->ref);
	pair_set_over(pair);
	pair_queue_now(pair);
	pair_put(pair);
}

static int xen_send_hello(struct xvmc_chan *chan, u32 version, u32 features)
{
	struct xvmc_ctlmsg msg = {
		.type = XVMC_MSG_HELLO,
		.hello = {
			.version = min_t(u32, version, XVMC_VERSION),
			.features = features & XVMC_FEATURES,
			.ctl_gref = chan->rx_ctl.mem.token,
		},
	};
	int err = xvmc_chan_send(chan, &msg);

	/* Without room it is a used ring, as in pair_bind(): once more */
	return err == -EPIPE ? -EPROTO : err;
}

static int pair_bind(struct xen_pair *pair)
{
	const struct xvmc_offer *offer = &pair->offer;
	struct xvmc_peer *peer = pair->peer;
	struct xvmc_chan *chan;
	int err;

	chan = xen_chan_new(peer);
	if (IS_ERR(chan))
		return PTR_ERR(chan);
	err = xvmc_chan_add_tx_ctl(chan, offer->gref);
	if (err)
		return err;
	/* A used ring is of an offer that the peer is about to withdraw */
	if (xvmc_ring_space(&chan->tx_ctl.prod) != chan->tx_ctl.prod.size)
		return -EAGAIN;
	err = xvmc_evtchn_bind(chan, offer->port);
	if (err)
		return err == -EINVAL ? -EPROTO : err;
	return xen_send_hello(chan, offer->version, offer->features);
}

/*
 * A peer that leaves takes its offer away before it takes the grants, so what
 * cannot be mapped is its fault only if it is offered still.
 */
static int xen_bind(struct xvmc_peer *peer)
{
	struct xen_pair *pair = peer->tpriv;
	struct xvmc_offer now;
	u16 own;
	int err;

	lockdep_assert_held(&peer->mutex);
	if (!pair || !xvmc_xen_own_domid(&own))
		return -ENOENT;
	pair->bound = false;
	err = xvmc_store_read_offer(peer->domid, own, &pair->offer);
	if (err)
		return err;
	err = pair_bind(pair);
	pair->bound = !err;
	if (err != -EPROTO)
		return err;
	if (!xvmc_store_read_offer(peer->domid, own, &now) &&
	    offer_equal(&now, &pair->offer))
		return -EPROTO;
	return -ENOENT;
}

const struct xvmc_transport_ops xvmc_xen_ops = {
	.name		= "xen",
	.ring_grant	= xen_ring_grant,
	.ring_end	= xen_ring_end,
	.ring_map	= xen_ring_map,
	.ring_unmap	= xen_ring_unmap,
	.kick		= xvmc_evtchn_kick,
	.close		= xvmc_evtchn_close,
	.eoi		= xvmc_evtchn_eoi,
	.offer		= xen_offer,
	.withdraw	= xen_withdraw,
	.watch		= xen_watch,
	.unwatch	= xen_unwatch,
	.bind		= xen_bind,
};
