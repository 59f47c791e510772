// SPDX-License-Identifier: GPL-2.0
/*
 * Table of peers: by domain id in a list, by address in a hash.
 *
 * Lookups run in any context under RCU and end in a reference. Writers are in
 * process context under peers_lock, which is inside peer->mutex. The address
 * says only whom to ask: a connection has to prove itself.
 */
#include <linux/export.h>
#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include "chan.h"
#include "fault.h"
#include "peer.h"
#include "peer_table.h"
#include "xenvmc_priv.h"

#define PEER_ADDR_BITS	10

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
static u32 peer_hash_key __read_mostly;

static u32 peer_addr_hash(const struct in6_addr *addr)
{
	return jhash2((const u32 *)addr->s6_addr32, 4, peer_hash_key);
}

/* ---- addresses ---- */

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
		entry = NULL;
		if (!xvmc_should_fail(XVMC_FAULT_PEER_ADDR))
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
	bool changed = false;
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
	changed = naddrs != peer->naddrs ||
		  memcmp(peer->addrs, addrs, naddrs * sizeof(*addrs));
	spin_lock(&peers_lock);
	peer_addrs_del(peer);
	memcpy(peer->addrs, addrs, naddrs * sizeof(*addrs));
	WRITE_ONCE(peer->naddrs, naddrs);
	peer_addrs_add(&list);
	spin_unlock(&peers_lock);
	strscpy(peer->uuid, uuid, sizeof(peer->uuid));
unlock:
	mutex_unlock(&peer->mutex);
	if (changed)
		xvmc_hook_peer_came(false);
	return err;
}

/* ---- the list ---- */

/**
 * xvmc_peer_table_add() - enters a peer
 * @peer: the peer; the table takes a reference
 *
 * Context: Process context.
 * Return: 0, or -EEXIST if its domain id is there already.
 */
int xvmc_peer_table_add(struct xvmc_peer *peer)
{
	struct xvmc_peer *old;
	int err = 0;

	spin_lock(&peers_lock);
	list_for_each_entry(old, &peers, node)
		if (old->domid == peer->domid)
			err = -EEXIST;
	if (!err) {
		xvmc_peer_hold(peer);
		list_add_tail_rcu(&peer->node, &peers);
	}
	spin_unlock(&peers_lock);
	return err;
}

/**
 * xvmc_peer_table_del() - takes a peer out, with its addresses
 * @peer: the peer; nothing happens if it never was in the table
 *
 * Called once. Lookups that run may still find it until a grace period is over.
 *
 * Context: Process context, peer->mutex held.
 */
void xvmc_peer_table_del(struct xvmc_peer *peer)
{
	bool linked;

	lockdep_assert_held(&peer->mutex);
	spin_lock(&peers_lock);
	linked = !list_empty(&peer->node);
	if (linked)
		list_del_rcu(&peer->node);
	peer_addrs_del(peer);
	spin_unlock(&peers_lock);
	if (linked)
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
 * xvmc_peer_chan_by_uuid() - the connected channel to a guest
 * @uuid: as dom0 attests it
 *
 * Context: Any context.
 * Return: the channel with a reference, or NULL.
 */
struct xvmc_chan *xvmc_peer_chan_by_uuid(const char *uuid)
{
	struct xvmc_chan *chan = NULL;
	struct xvmc_peer *peer;

	rcu_read_lock();
	list_for_each_entry_rcu(peer, &peers, node) {
		chan = peer_get_connected(peer);
		if (chan && !strcasecmp(chan->uuid, uuid))
			break;
		if (chan)
			xvmc_chan_put(chan);
		chan = NULL;
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

/**
 * xvmc_peer_table_init() - prepares the table
 *
 * Context: Process context.
 */
void xvmc_peer_table_init(void)
{
	peer_hash_key = get_random_u32();
}
