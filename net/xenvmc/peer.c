// SPDX-License-Identifier: GPL-2.0
/*
 * Peers: table, lookups, and the carrying out of the state table's actions.
 *
 * Events come from discovery (listed or not), the transport (offers), the
 * channel (HELLO, BYE, violations, closed) and module exit; they are serialised
 * by peer->mutex and run in process context. Lookups run in any context under
 * RCU. The state table (core/fsm.c) says what follows from an event; this file
 * knows besides it whether dom0 lists the peer, and takes the pair up again
 * when the last channel is closed and the peer is still listed.
 *
 * Locks: peer->mutex, inside it peers_lock (table and address hash, writers).
 * References: the table's, one while retry work is queued, one per channel.
 * A peer leaves the table once and is freed after a grace period.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/export.h>
#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include "chan.h"
#include "peer.h"
#include "xenvmc_priv.h"

#define PEER_ADDR_BITS	10
#define PEER_NO_EVENT	XVMC_PEER_EVENTS
/* A pair that fails, or that comes and goes, is taken up ever more slowly */
#define PEER_DELAY_MIN	(HZ / 20)
#define PEER_DELAY_MAX	(2 * HZ)
#define PEER_STABLE	(5 * HZ)
/* Feature bits that this version knows */
#define PEER_FEATURES	0

/**
 * struct peer_addr - an address in the hash
 * @node: in peer_addrs
 * @addr: the address
 * @peer: whose it is; valid under RCU, for the entry leaves the hash first
 * @rcu: freed after a grace period
 */
struct peer_addr {
	struct hlist_node node;
	struct in6_addr addr;
	struct xvmc_peer *peer;
	struct rcu_head rcu;
};

static LIST_HEAD(peers);
static DEFINE_HASHTABLE(peer_addrs, PEER_ADDR_BITS);
static DEFINE_SPINLOCK(peers_lock);
static DECLARE_WAIT_QUEUE_HEAD(peers_wait);
static u32 peer_hash_key __read_mostly;

static u32 peer_addr_hash(const struct in6_addr *addr)
{
	return jhash2((const u32 *)addr->s6_addr32, 4, peer_hash_key);
}

static struct xvmc_chan *peer_chan(const struct xvmc_peer *peer)
{
	return rcu_dereference_protected(peer->chan,
					 lockdep_is_held(&peer->mutex));
}

/* ---- address hash ---- */

/* Takes all of @peer's addresses out. The buckets are known by peer->addrs */
static void peer_addrs_del(struct xvmc_peer *peer)
{
	struct hlist_node *next;
	struct peer_addr *entry;
	u32 i;

	lockdep_assert_held(&peers_lock);
	for (i = 0; i < peer->naddrs; i++) {
		hash_for_each_possible_safe(peer_addrs, entry, next, node,
					    peer_addr_hash(&peer->addrs[i])) {
			if (entry->peer != peer)
				continue;
			hash_del_rcu(&entry->node);
			kfree_rcu(entry, rcu);
		}
	}
}

static void peer_addrs_free(struct hlist_head *list)
{
	struct hlist_node *next;
	struct peer_addr *entry;

	hlist_for_each_entry_safe(entry, next, list, node)
		kfree(entry);
}

/* Makes entries for @addrs, not yet in the hash */
static int peer_addrs_new(struct xvmc_peer *peer, const struct in6_addr *addrs,
			  u32 naddrs, struct hlist_head *list)
{
	struct peer_addr *entry;
	u32 i;

	INIT_HLIST_HEAD(list);
	for (i = 0; i < naddrs; i++) {
		entry = kzalloc(sizeof(*entry), GFP_KERNEL);
		if (!entry)
			goto free_entries;
		entry->addr = addrs[i];
		entry->peer = peer;
		hlist_add_head(&entry->node, list);
	}
	return 0;

free_entries:
	peer_addrs_free(list);
	return -ENOMEM;
}

static void peer_addrs_add(struct hlist_head *list)
{
	struct hlist_node *next;
	struct peer_addr *entry;

	lockdep_assert_held(&peers_lock);
	hlist_for_each_entry_safe(entry, next, list, node) {
		hlist_del(&entry->node);
		hash_add_rcu(peer_addrs, &entry->node,
			     peer_addr_hash(&entry->addr));
	}
}

/**
 * xvmc_peer_set_facts() - replaces uuid and addresses of a peer
 * @peer: the peer
 * @uuid: as dom0 published it
 * @addrs: addresses that lead to it, v4-mapped
 * @naddrs: how many; more than %XVMC_PEER_MAX_ADDRS are cut off
 *
 * Context: Process context, takes the peer's mutex.
 * Return: 0, -ENOMEM (nothing changed), -ENOENT if @peer has left the table.
 */
int xvmc_peer_set_facts(struct xvmc_peer *peer, const char *uuid,
			const struct in6_addr *addrs, u32 naddrs)
{
	struct hlist_head list;
	int err;

	naddrs = min_t(u32, naddrs, XVMC_PEER_MAX_ADDRS);
	mutex_lock(&peer->mutex);
	if (peer->dead) {
		err = -ENOENT;
		goto unlock;
	}
	err = peer_addrs_new(peer, addrs, naddrs, &list);
	if (err)
		goto unlock;
	/* Readers see a short gap between the old and the new: a miss */
	spin_lock(&peers_lock);
	peer_addrs_del(peer);
	memcpy(peer->addrs, addrs, naddrs * sizeof(*addrs));
	WRITE_ONCE(peer->naddrs, naddrs);
	peer_addrs_add(&list);
	spin_unlock(&peers_lock);
	strscpy(peer->uuid, uuid, sizeof(peer->uuid));
unlock:
	mutex_unlock(&peer->mutex);
	return err;
}

/* ---- life of a peer ---- */

static void peer_retry_work(struct work_struct *work);

static void peer_release(struct kref *ref)
{
	struct xvmc_peer *peer = container_of(ref, struct xvmc_peer, ref);

	DEBUG_NET_WARN_ON_ONCE(rcu_access_pointer(peer->chan));
	mutex_destroy(&peer->mutex);
	kfree_rcu(peer, rcu);
}

/**
 * xvmc_peer_put() - drops a reference
 * @peer: the peer
 *
 * Context: Any context.
 */
void xvmc_peer_put(struct xvmc_peer *peer)
{
	kref_put(&peer->ref, peer_release);
}

/**
 * xvmc_peer_new_hidden() - makes a peer that is in no table
 * @domid: its domain id
 * @ops: its transport
 *
 * Context: Process context.
 * Return: the peer with one reference, in state ABSENT, or ERR_PTR(-ENOMEM).
 */
struct xvmc_peer *xvmc_peer_new_hidden(u16 domid,
				       const struct xvmc_transport_ops *ops)
{
	struct xvmc_peer *peer = kzalloc(sizeof(*peer), GFP_KERNEL);

	if (!peer)
		return ERR_PTR(-ENOMEM);
	kref_init(&peer->ref);
	mutex_init(&peer->mutex);
	INIT_DELAYED_WORK(&peer->retry, peer_retry_work);
	INIT_LIST_HEAD(&peer->node);
	peer->domid = domid;
	peer->ops = ops;
	peer->state = XVMC_PEER_ABSENT;
	peer->listed = PEER_NO_EVENT;
	peer->delay = PEER_DELAY_MIN;
	return peer;
}

/**
 * xvmc_peer_new() - makes a peer and puts it into the table
 * @domid: its domain id
 * @ops: its transport
 *
 * Context: Process context.
 * Return: the peer with a reference for the caller, in state ABSENT, or
 * ERR_PTR() of -ENOMEM or -EEXIST.
 */
struct xvmc_peer *xvmc_peer_new(u16 domid,
				const struct xvmc_transport_ops *ops)
{
	struct xvmc_peer *peer, *old;

	peer = xvmc_peer_new_hidden(domid, ops);
	if (IS_ERR(peer))
		return peer;
	spin_lock(&peers_lock);
	list_for_each_entry(old, &peers, node)
		if (old->domid == domid)
			goto exists;
	xvmc_peer_hold(peer);
	list_add_tail_rcu(&peer->node, &peers);
	spin_unlock(&peers_lock);
	return peer;

exists:
	spin_unlock(&peers_lock);
	xvmc_peer_put(peer);
	return ERR_PTR(-EEXIST);
}

/* Out of the table, for good. The caller has a reference of its own */
static void peer_forget(struct xvmc_peer *peer)
{
	bool linked;

	lockdep_assert_held(&peer->mutex);
	peer->dead = true;
	spin_lock(&peers_lock);
	linked = !list_empty(&peer->node);
	if (linked)
		list_del_rcu(&peer->node);
	peer_addrs_del(peer);
	spin_unlock(&peers_lock);
	if (cancel_delayed_work(&peer->retry))
		xvmc_peer_put(peer);
	if (linked)
		xvmc_peer_put(peer);
}

static void peer_retry_later(struct xvmc_peer *peer)
{
	lockdep_assert_held(&peer->mutex);
	if (peer->left)
		return;
	xvmc_peer_hold(peer);
	if (!queue_delayed_work(xvmc_wq, &peer->retry, peer->delay))
		xvmc_peer_put(peer);
	peer->delay = min_t(unsigned long, 2 * peer->delay, PEER_DELAY_MAX);
}

/* ---- actions ---- */

/* Own trouble: nothing that the peer is to blame for; tried again later */
static u8 peer_failed(struct xvmc_peer *peer, const char *what, int err)
{
	pr_warn_ratelimited("domain %u: %s: error %d, trying again\n",
			    peer->domid, what, err);
	/*
	 * Where a channel exists that is not to be used, it is closed in good
	 * order, as after a BYE; FAILED would mean BROKEN there, which only a
	 * new listing by dom0 ends.
	 */
	return peer->state == XVMC_PEER_HELLO ? XVMC_PEV_FAILED : XVMC_PEV_BYE;
}

static u8 peer_offer(struct xvmc_peer *peer)
{
	int err = peer->ops->offer ? peer->ops->offer(peer) : -EOPNOTSUPP;

	if (err)
		return peer_failed(peer, "cannot offer", err);
	return PEER_NO_EVENT;
}

static void peer_watch(struct xvmc_peer *peer)
{
	int err = peer->ops->watch ? peer->ops->watch(peer) : -EOPNOTSUPP;

	peer->watching = !err;
	if (!err)
		return;
	peer_failed(peer, "cannot watch", err);
	peer_retry_later(peer);
}

static void peer_unwatch(struct xvmc_peer *peer)
{
	if (!peer->watching)
		return;
	peer->watching = false;
	peer->ops->unwatch(peer);
}

/*
 * An offer that went away under our hands is no failure: the next one rings
 * the watch. Else tried again later, since no watch will tell when: from now
 * on, or from the moment when the half-made channel is closed.
 */
static u8 peer_bind(struct xvmc_peer *peer)
{
	int err = peer->ops->bind ? peer->ops->bind(peer) : -EOPNOTSUPP;

	if (!err)
		return PEER_NO_EVENT;
	if (err == -EPROTO)
		return XVMC_PEV_VIOLATION;
	if (err == -ENOENT)
		return XVMC_PEV_FAILED;
	if (!peer_chan(peer))
		peer_retry_later(peer);
	return peer_failed(peer, "cannot bind", err);
}

/* The lower domid's answer to HELLO */
static u8 peer_ack(struct xvmc_peer *peer, const struct xvmc_ctlmsg *msg)
{
	struct xvmc_chan *chan = peer_chan(peer);
	struct xvmc_ctlmsg ack = {
		.type = XVMC_MSG_HELLO_ACK,
		.hello = {
			.version = min_t(u16, msg->hello.version, XVMC_VERSION),
			.features = msg->hello.features & PEER_FEATURES,
		},
	};
	int err;

	/*
	 * Before the peer can know that it is connected: it must not find this
	 * offer again when it leaves and comes back at once.
	 */
	if (peer->ops->withdraw)
		peer->ops->withdraw(peer);
	err = xvmc_chan_add_tx_ctl(chan, msg->hello.ctl_gref);
	if (err == -EPROTO)
		return XVMC_PEV_VIOLATION;
	if (err)
		return peer_failed(peer, "cannot map", err);
	/* A fresh ring has room, unless the peer plays with its index */
	if (xvmc_chan_send(chan, &ack))
		return XVMC_PEV_VIOLATION;
	return PEER_NO_EVENT;
}

static void peer_up(struct xvmc_peer *peer)
{
	peer->up_since = jiffies;
	xvmc_chan_up(peer_chan(peer));
	pr_info_ratelimited("domain %u: connected\n", peer->domid);
}

/* Returns CLOSED if there is nothing that has to be torn down */
static u8 peer_close(struct xvmc_peer *peer, u32 reason, bool bye)
{
	struct xvmc_chan *chan = peer_chan(peer);

	if (!chan)
		return XVMC_PEV_CLOSED;
	xvmc_chan_close(chan, reason, bye);
	return PEER_NO_EVENT;
}

static u32 peer_close_reason(u8 ev)
{
	switch (ev) {
	case XVMC_PEV_LEAVE:
		return XENVMC_REASON_UNLOAD;
	case XVMC_PEV_VIOLATION:
	case XVMC_PEV_HELLO:
	case XVMC_PEV_HELLO_ACK:
		return XENVMC_REASON_CHAN_BROKEN;
	default:
		return XENVMC_REASON_CHAN_CLOSED;
	}
}

/* What begins something. Returns the event that follows, if any */
static u8 peer_act_begin(struct xvmc_peer *peer, u16 actions,
			 const struct xvmc_ctlmsg *msg)
{
	u8 next = PEER_NO_EVENT;

	if (actions & XVMC_PACT_OFFER)
		next = peer_offer(peer);
	if (actions & XVMC_PACT_WATCH)
		peer_watch(peer);
	if (actions & XVMC_PACT_BIND)
		next = peer_bind(peer);
	if (actions & XVMC_PACT_ACK)
		next = peer_ack(peer, msg);
	if (actions & XVMC_PACT_UP && next == PEER_NO_EVENT)
		peer_up(peer);
	return next;
}

/*
 * What ends something comes first and in this order: nobody may still find an
 * offer or be told of one when the grants behind it go.
 */
static u8 peer_act(struct xvmc_peer *peer, u16 actions, u32 reason,
		   const struct xvmc_ctlmsg *msg)
{
	bool bye = actions & XVMC_PACT_BYE;

	if (actions & XVMC_PACT_WITHDRAW && peer->ops->withdraw)
		peer->ops->withdraw(peer);
	if (actions & XVMC_PACT_UNWATCH)
		peer_unwatch(peer);
	if (actions & XVMC_PACT_CLOSE)
		return peer_close(peer, reason, bye);
	if (actions & XVMC_PACT_BREAK) {
		peer_close(peer, reason, bye);
		return PEER_NO_EVENT;
	}
	return peer_act_begin(peer, actions, msg);
}

/* ---- events ---- */

/* Versions are a matter of HELLO alone, and only where one is expected */
static bool peer_version_ok(const struct xvmc_peer *peer, u8 ev,
			    const struct xvmc_ctlmsg *msg)
{
	bool due = (ev == XVMC_PEV_HELLO && peer->state == XVMC_PEER_OFFERED) ||
		   (ev == XVMC_PEV_HELLO_ACK && peer->state == XVMC_PEER_HELLO);

	return !due ||
	       (msg->hello.version && msg->hello.version <= XVMC_VERSION);
}

/* Runs the state table until no event follows */
static void peer_run(struct xvmc_peer *peer, u8 ev,
		     const struct xvmc_ctlmsg *msg)
{
	struct xvmc_fsm_step step;
	u32 reason;

	lockdep_assert_held(&peer->mutex);
	while (ev != PEER_NO_EVENT) {
		reason = peer_close_reason(ev);
		if (!peer_version_ok(peer, ev, msg)) {
			pr_warn_ratelimited("domain %u: no common version\n",
					    peer->domid);
			ev = XVMC_PEV_VIOLATION;
			reason = XENVMC_REASON_VERSION;
		}
		step = xvmc_peer_step(peer->state, ev);
		WRITE_ONCE(peer->state, step.state);
		ev = peer_act(peer, step.actions, reason, msg);
		/* A channel that was given up in HELLO has no action for it */
		if (peer->state == XVMC_PEER_WAITING)
			peer_close(peer, XENVMC_REASON_CHAN_CLOSED, false);
	}
}

/*
 * The channel is torn down. If it began that by itself, the state table has
 * not heard of it yet.
 */
static void peer_closed(struct xvmc_peer *peer)
{
	struct xvmc_chan *chan = peer_chan(peer);
	bool broken;

	if (!chan)
		return;
	broken = chan->reason == XENVMC_REASON_CHAN_BROKEN;
	peer_run(peer, broken ? XVMC_PEV_VIOLATION : XVMC_PEV_BYE, NULL);
	RCU_INIT_POINTER(peer->chan, NULL);
	xvmc_chan_put(chan);
	if (peer->up_since &&
	    time_after(jiffies, peer->up_since + PEER_STABLE))
		peer->delay = PEER_DELAY_MIN;
	peer->up_since = 0;
	peer_run(peer, XVMC_PEV_CLOSED, NULL);
	/* Failed to bind, or an offer came meanwhile: looks again */
	if (peer->state == XVMC_PEER_WAITING)
		peer_retry_later(peer);
	wake_up_all(&peers_wait);
}

/* Nothing is left of the last channel: once more, or for good */
static void peer_settle(struct xvmc_peer *peer)
{
	if (peer->state != XVMC_PEER_ABSENT || peer_chan(peer))
		return;
	if (peer->listed == PEER_NO_EVENT)
		peer_forget(peer);
	else
		peer_retry_later(peer);
}

/* Returns whether the state table has to know of it now */
static bool peer_note_listed(struct xvmc_peer *peer, u8 ev)
{
	switch (ev) {
	case XVMC_PEV_LISTED_LOW:
	case XVMC_PEV_LISTED_HIGH:
		if (peer->left || peer->listed == ev)
			return false;
		peer->listed = ev;
		/* Else it is taken up when the last channel is closed */
		return peer->state == XVMC_PEER_ABSENT && !peer_chan(peer);
	case XVMC_PEV_LEAVE:
		peer->left = true;
		fallthrough;
	case XVMC_PEV_UNLISTED:
		peer->listed = PEER_NO_EVENT;
		return true;
	case XVMC_PEV_OFFER:
		/* The channel that failed to bind is still being closed */
		return !peer_chan(peer);
	default:
		return true;
	}
}

/**
 * xvmc_peer_event() - an event of a peer
 * @peer: the peer; the caller has a reference
 * @ev: the event
 * @msg: HELLO, HELLO_ACK or BYE, in private memory; else NULL
 *
 * Context: Process context, takes the peer's mutex.
 */
void xvmc_peer_event(struct xvmc_peer *peer, enum xvmc_peer_event ev,
		     const struct xvmc_ctlmsg *msg)
{
	mutex_lock(&peer->mutex);
	if (peer->dead)
		goto unlock;
	if (ev == XVMC_PEV_CLOSED)
		peer_closed(peer);
	else if (peer_note_listed(peer, ev))
		peer_run(peer, ev, msg);
	else
		goto unlock;
	peer_settle(peer);
unlock:
	mutex_unlock(&peer->mutex);
}

static void peer_retry(struct xvmc_peer *peer)
{
	lockdep_assert_held(&peer->mutex);
	if (peer->dead || peer->left || peer_chan(peer))
		return;
	if (peer->state == XVMC_PEER_ABSENT && peer->listed != PEER_NO_EVENT)
		peer_run(peer, peer->listed, NULL);
	else if (peer->state == XVMC_PEER_WAITING && !peer->watching)
		peer_watch(peer);
	else if (peer->state == XVMC_PEER_WAITING)
		peer_run(peer, XVMC_PEV_OFFER, NULL);
	peer_settle(peer);
}

static void peer_retry_work(struct work_struct *work)
{
	struct xvmc_peer *peer = container_of(to_delayed_work(work),
					      struct xvmc_peer, retry);

	mutex_lock(&peer->mutex);
	peer_retry(peer);
	mutex_unlock(&peer->mutex);
	xvmc_peer_put(peer);
}

/* ---- lookups ---- */

/**
 * xvmc_peer_get_by_domid() - finds a peer by its domain id
 * @domid: the domain id
 *
 * Context: Any context.
 * Return: the peer with a reference, or NULL.
 */
struct xvmc_peer *xvmc_peer_get_by_domid(u16 domid)
{
	struct xvmc_peer *peer;

	rcu_read_lock();
	list_for_each_entry_rcu(peer, &peers, node)
		if (peer->domid == domid && kref_get_unless_zero(&peer->ref))
			goto unlock;
	peer = NULL;
unlock:
	rcu_read_unlock();
	return peer;
}

/* The channel with a reference if @peer is connected. Under RCU */
static struct xvmc_chan *peer_get_connected(struct xvmc_peer *peer)
{
	struct xvmc_chan *chan;

	if (READ_ONCE(peer->state) != XVMC_PEER_CONNECTED)
		return NULL;
	chan = rcu_dereference(peer->chan);
	return chan && xvmc_chan_tryhold(chan) ? chan : NULL;
}

/**
 * xvmc_peer_chan_by_addr() - the connected channel that leads to an address
 * @addr: the address, v4-mapped
 * @known: set to whether some peer is listed with it
 *
 * A hint only: a connection has to prove itself. Peers may claim the same
 * address; a connected one is preferred.
 *
 * Context: Any context.
 * Return: the channel with a reference, or NULL.
 */
struct xvmc_chan *xvmc_peer_chan_by_addr(const struct in6_addr *addr,
					 bool *known)
{
	struct xvmc_chan *chan = NULL;
	struct peer_addr *entry;

	*known = false;
	rcu_read_lock();
	hash_for_each_possible_rcu(peer_addrs, entry, node,
				   peer_addr_hash(addr)) {
		if (!ipv6_addr_equal(&entry->addr, addr))
			continue;
		*known = true;
		chan = peer_get_connected(entry->peer);
		if (chan)
			break;
	}
	rcu_read_unlock();
	return chan;
}
EXPORT_SYMBOL_GPL(xvmc_peer_chan_by_addr);

/**
 * xvmc_peer_chan_by_domid() - the connected channel to a domain
 * @domid: the domain id
 *
 * Context: Any context.
 * Return: the channel with a reference, or NULL.
 */
struct xvmc_chan *xvmc_peer_chan_by_domid(u16 domid)
{
	struct xvmc_chan *chan = NULL;
	struct xvmc_peer *peer;

	rcu_read_lock();
	list_for_each_entry_rcu(peer, &peers, node)
		if (peer->domid == domid) {
			chan = peer_get_connected(peer);
			break;
		}
	rcu_read_unlock();
	return chan;
}

/**
 * xvmc_peer_for_each() - calls a function for each peer of the table
 * @fn: called under RCU, ends the walk by a non-zero result
 * @arg: passed on
 *
 * Context: Any context.
 * Return: the last result of @fn, 0 if there was none.
 */
int xvmc_peer_for_each(int (*fn)(struct xvmc_peer *peer, void *arg), void *arg)
{
	struct xvmc_peer *peer;
	int ret = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(peer, &peers, node) {
		ret = fn(peer, arg);
		if (ret)
			break;
	}
	rcu_read_unlock();
	return ret;
}

/* ---- module ---- */

/**
 * xvmc_peer_init() - prepares the table
 *
 * Context: Process context.
 * Return: 0.
 */
int xvmc_peer_init(void)
{
	peer_hash_key = get_random_u32();
	return 0;
}

/**
 * xvmc_peer_wait_left() - waits until nothing of a peer is left but memory
 * @peer: the peer, which got LEAVE; the caller has a reference
 *
 * The channel has its own deadline for the peer's answer, so this ends.
 *
 * Context: Process context.
 */
void xvmc_peer_wait_left(struct xvmc_peer *peer)
{
	wait_event(peers_wait, !rcu_access_pointer(peer->chan));
	if (cancel_delayed_work_sync(&peer->retry))
		xvmc_peer_put(peer);
	/* Who woke us still holds the mutex */
	mutex_lock(&peer->mutex);
	mutex_unlock(&peer->mutex);
}

static struct xvmc_peer *peer_get_first(bool unleft)
{
	struct xvmc_peer *peer;

	rcu_read_lock();
	list_for_each_entry_rcu(peer, &peers, node)
		if (!(unleft && READ_ONCE(peer->left)) &&
		    kref_get_unless_zero(&peer->ref))
			goto unlock;
	peer = NULL;
unlock:
	rcu_read_unlock();
	return peer;
}

/**
 * xvmc_peer_exit() - every peer leaves and is freed
 *
 * All are told first and then waited for, so that the deadlines of those that
 * do not answer run side by side. Nobody makes peers any more.
 *
 * Context: Process context.
 */
void xvmc_peer_exit(void)
{
	struct xvmc_peer *peer;

	while ((peer = peer_get_first(true))) {
		xvmc_peer_event(peer, XVMC_PEV_LEAVE, NULL);
		xvmc_peer_put(peer);
	}
	while ((peer = peer_get_first(false))) {
		xvmc_peer_wait_left(peer);
		xvmc_peer_put(peer);
	}
}
