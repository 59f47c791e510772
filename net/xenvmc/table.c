// SPDX-License-Identifier: GPL-2.0
/*
 * Who is bound to which port of which network namespace.
 *
 * Everything that has a port is in the table, children of listeners too, so
 * that a port is as busy as it would be with TCP. A socket leaves the table
 * before its last reference goes; the table itself holds none. All callers are
 * in process context.
 */
#include <linux/hash.h>
#include <linux/random.h>
#include <net/netns/hash.h>
#include "af_xenvmc.h"

#define TABLE_BITS	8

/*
 * Free ports are drawn from the usual range first. It is small for a guest
 * with very many connections, and a port has 31 bits here.
 */
#define EPHEMERAL_FIRST	49152
#define EPHEMERAL_LAST	65535
#define EPHEMERAL_TRIES	32

struct table_bucket {
	spinlock_t lock;
	struct hlist_head head;
};

static struct table_bucket table[1 << TABLE_BITS];

static struct table_bucket *table_bucket(const struct net *net, u32 port)
{
	return &table[hash_32(port ^ net_hash_mix(net), TABLE_BITS)];
}

static bool table_is(const struct xvmc_sock *xsk, const struct net *net,
		     u32 port)
{
	return xsk->local_port == port && net_eq(sock_net(&xsk->sk), net);
}

/* TCP's rule: both must agree, and neither may be listening */
static bool table_may_share(const struct sock *sk, const struct sock *other)
{
	return sk->sk_reuse && other->sk_reuse &&
	       READ_ONCE(other->sk_state) != TCP_LISTEN;
}

/* @share: whether SO_REUSEADDR counts; a port that we choose is free */
static bool table_conflict(struct table_bucket *bucket, struct xvmc_sock *xsk,
			   u16 domid, u32 port, bool share)
{
	struct net *net = sock_net(&xsk->sk);
	struct xvmc_sock *other;

	lockdep_assert_held(&bucket->lock);
	hlist_for_each_entry(other, &bucket->head, bind_node) {
		if (other == xsk || !table_is(other, net, port))
			continue;
		if (share && table_may_share(&xsk->sk, &other->sk))
			continue;
		if (!share || xvmc_addr_overlap(domid, other->local_domid))
			return true;
	}
	return false;
}

static void table_add(struct table_bucket *bucket, struct xvmc_sock *xsk,
		      u16 domid, u32 port)
{
	lockdep_assert_held(&bucket->lock);
	xsk->local_domid = domid;
	xsk->local_port = port;
	hlist_add_head(&xsk->bind_node, &bucket->head);
}

static bool table_try(struct xvmc_sock *xsk, u16 domid, u32 port, bool share)
{
	struct table_bucket *bucket = table_bucket(sock_net(&xsk->sk), port);
	bool free;

	spin_lock(&bucket->lock);
	free = !table_conflict(bucket, xsk, domid, port, share);
	if (free)
		table_add(bucket, xsk, domid, port);
	spin_unlock(&bucket->lock);
	return free;
}

static bool table_try_range(struct xvmc_sock *xsk, u16 domid, u32 first,
			    u32 last)
{
	int i;

	for (i = 0; i < EPHEMERAL_TRIES; i++) {
		u32 port = first + get_random_u32_below(last - first + 1);

		if (table_try(xsk, domid, port, false))
			return true;
	}
	return false;
}

/**
 * xvmc_table_bind() - give a socket a port
 * @xsk: socket that has none
 * @domid: own domain id or XENVMC_DOMID_ANY
 * @port: port, or 0 for a free one
 *
 * Context: process; socket lock held.
 * Return: 0 or -EADDRINUSE.
 */
int xvmc_table_bind(struct xvmc_sock *xsk, u16 domid, u32 port)
{
	bool bound;

	sock_owned_by_me(&xsk->sk);
	if (port)
		bound = table_try(xsk, domid, port, true);
	else
		bound = table_try_range(xsk, domid, EPHEMERAL_FIRST,
					EPHEMERAL_LAST) ||
			table_try_range(xsk, domid, EPHEMERAL_LAST + 1,
					XENVMC_PORT_MAX);
	return bound ? 0 : -EADDRINUSE;
}

/**
 * xvmc_table_listen() - let a bound socket be found
 * @xsk: socket; its state becomes TCP_LISTEN
 *
 * Two sockets with SO_REUSEADDR may be bound to a port, but one can listen.
 * Context: process; socket lock held.
 * Return: 0 or -EADDRINUSE.
 */
int xvmc_table_listen(struct xvmc_sock *xsk)
{
	struct table_bucket *bucket = table_bucket(sock_net(&xsk->sk),
						   xsk->local_port);
	int err = -EADDRINUSE;

	spin_lock(&bucket->lock);
	if (!table_conflict(bucket, xsk, xsk->local_domid, xsk->local_port,
			    true)) {
		WRITE_ONCE(xsk->sk.sk_state, TCP_LISTEN);
		err = 0;
	}
	spin_unlock(&bucket->lock);
	return err;
}

/**
 * xvmc_table_add_child() - a child shares the port of its listener
 * @child: socket that nobody else knows yet
 * @domid: own domain id
 * @port: the listener's port
 *
 * Context: process.
 */
void xvmc_table_add_child(struct xvmc_sock *child, u16 domid, u32 port)
{
	struct table_bucket *bucket = table_bucket(sock_net(&child->sk), port);

	spin_lock(&bucket->lock);
	table_add(bucket, child, domid, port);
	spin_unlock(&bucket->lock);
}

/**
 * xvmc_table_remove() - take the port away again
 * @xsk: socket, bound or not
 *
 * Context: process; socket lock held.
 */
void xvmc_table_remove(struct xvmc_sock *xsk)
{
	struct table_bucket *bucket = table_bucket(sock_net(&xsk->sk),
						   xsk->local_port);

	spin_lock(&bucket->lock);
	hlist_del_init(&xsk->bind_node);
	spin_unlock(&bucket->lock);
	xsk->local_port = 0;
}

/**
 * xvmc_table_find_listener() - who takes a connection?
 * @net: network namespace
 * @domid: domain id that was asked for
 * @port: port
 *
 * Context: process.
 * Return: the listener, one bound to @domid rather than to any, with a
 * reference; or NULL.
 */
struct sock *xvmc_table_find_listener(struct net *net, u16 domid, u32 port)
{
	struct table_bucket *bucket = table_bucket(net, port);
	struct xvmc_sock *best = NULL;
	struct xvmc_sock *xsk;

	spin_lock(&bucket->lock);
	hlist_for_each_entry(xsk, &bucket->head, bind_node) {
		if (!table_is(xsk, net, port) ||
		    READ_ONCE(xsk->sk.sk_state) != TCP_LISTEN ||
		    !xvmc_addr_overlap(xsk->local_domid, domid))
			continue;
		if (!best || xsk->local_domid == domid)
			best = xsk;
	}
	if (best)
		sock_hold(&best->sk);
	spin_unlock(&bucket->lock);
	return best ? &best->sk : NULL;
}

/**
 * xvmc_table_init() - prepare the table
 *
 * Context: module init.
 */
void xvmc_table_init(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		spin_lock_init(&table[i].lock);
		INIT_HLIST_HEAD(&table[i].head);
	}
}
