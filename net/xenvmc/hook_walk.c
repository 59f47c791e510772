// SPDX-License-Identifier: GPL-2.0
/*
 * Finding TCP connections that exist already.
 *
 * A walk goes through the kernel's hash of established connections when there
 * may be something to gain: a peer was connected or has new addresses, the hook
 * was loaded or switched on. It looks at a few thousand buckets at a time,
 * takes up so many sockets and lets others run. Two more walks follow, later
 * and later, for what was in the way: each connection is asked for three times
 * at most for one cause.
 *
 * A cause may be that of one network namespace, whose root can make it as often
 * as he likes: it is for the connections of that namespace alone, and for two
 * walks a second if there are many. There is one hash for most namespaces, so
 * one walk is for all for which one is due.
 *
 * The other direction is a lookup by the four-tuple, when a peer asks.
 */
#include <net/inet_hashtables.h>
#include <net/inet6_hashtables.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include "hook.h"
#include "peer.h"
#include "xenvmc_priv.h"

#define WALK_BUCKETS	4096	/* looked at in one step */
#define WALK_SOCKETS	64	/* taken up in one step */
/* Walks that a namespace has caused: a few, then one in half a second */
#define WALK_REST	(HZ / 2)
#define WALK_BURST	(4 * WALK_REST)

static const unsigned long walk_delay[] = { 2 * HZ, 10 * HZ };

/**
 * struct hook_walk - the walk
 * @lock: protects @running and what &struct xvmc_net has of it; BH-safe
 * @running: the members below, the work's own, say how far it is
 * @table: number of the hash: the first is shared by most namespaces
 * @slot: bucket
 * @skip: entries of the bucket that were looked at
 */
struct hook_walk {
	spinlock_t lock;
	bool running;
	u32 table;
	u32 slot;
	u32 skip;
};

static struct hook_walk walk;
static struct delayed_work walk_work;
static struct workqueue_struct *walk_wq;

static struct inet_hashinfo *walk_hash(const struct net *net)
{
	return net->ipv4.tcp_death_row.hashinfo;
}

/*
 * A namespace with hash number @n, with a reference, or NULL if there are not
 * so many. What moves to another number meanwhile is found by the next walk.
 */
static struct net *walk_get_net(u32 n)
{
	struct net *net, *found = NULL;
	u32 i = 0;

	if (!n)
		return get_net(&init_net);
	rcu_read_lock();
	for_each_net_rcu(net) {
		if (walk_hash(net) == walk_hash(&init_net) || ++i < n)
			continue;
		found = maybe_get_net(net);
		if (found)
			break;
	}
	rcu_read_unlock();
	return found;
}

/* What the walk has to do with a socket's namespace */
static const struct xvmc_walk *walk_of(const struct sock *sk)
{
	return &xvmc_net(sock_net(sk))->walk;
}

static bool walk_wants(const struct sock *sk)
{
	const struct xvmc_walk *xw = walk_of(sk);

	return xw->now && hook_late_wants(sk, xw->all);
}

/* References to sockets of one bucket; how many */
static u32 walk_bucket(struct inet_hashinfo *hash, struct sock **to, u32 room)
{
	struct inet_ehash_bucket *bucket = &hash->ehash[walk.slot];
	spinlock_t *lock = inet_ehash_lockp(hash, walk.slot);
	const struct hlist_nulls_node *node;
	u32 n = 0, seen = 0;
	struct sock *sk;

	if (hlist_nulls_empty(&bucket->chain))
		return 0;
	spin_lock_bh(lock);
	sk_nulls_for_each(sk, node, &bucket->chain) {
		if (n == room)
			break;
		if (seen++ < walk.skip)
			continue;
		walk.skip++;
		if (walk_wants(sk) && refcount_inc_not_zero(&sk->sk_refcnt))
			to[n++] = sk;
	}
	spin_unlock_bh(lock);
	return n;
}

/* One step through one hash. True at its end */
static bool walk_table(struct inet_hashinfo *hash)
{
	struct sock *found[WALK_SOCKETS];
	u32 i, n = 0, buckets = 0;

	while (walk.slot <= hash->ehash_mask && buckets++ < WALK_BUCKETS) {
		n += walk_bucket(hash, found + n, WALK_SOCKETS - n);
		if (n == WALK_SOCKETS)
			break;
		walk.slot++;
		walk.skip = 0;
	}
	for (i = 0; i < n; i++) {
		hook_late_try(found[i], !walk_of(found[i])->first, 0);
		sock_put(found[i]);
	}
	return walk.slot > hash->ehash_mask;
}

/* Is a namespace part of the walk that begins now? */
static void walk_join(struct xvmc_walk *xw)
{
	lockdep_assert_held(&walk.lock);
	xw->now = (xw->wanted || xw->left) && time_after_eq(jiffies, xw->at);
	if (!xw->now)
		return;
	xw->first = xw->wanted;
	if (xw->wanted)
		xw->left = ARRAY_SIZE(walk_delay) + 1;
	/* If both ends asked once more, they were in each other's way */
	xw->all = xw->wanted && xw->want_all;
	xw->wanted = false;
	xw->want_all = false;
	xw->left--;
	if (xw->left)
		xw->at = jiffies +
			 walk_delay[ARRAY_SIZE(walk_delay) - xw->left];
}

static void walk_join_all(void)
{
	struct net *net;

	rcu_read_lock();
	for_each_net_rcu(net) {
		walk_join(&xvmc_net(net)->walk);
		walk.running |= xvmc_net(net)->walk.now;
	}
	rcu_read_unlock();
}

/* Begins a walk if one is due. False: nothing to do */
static bool walk_begin(void)
{
	bool running;

	spin_lock_bh(&walk.lock);
	if (!walk.running)
		walk_join_all();
	running = walk.running;
	spin_unlock_bh(&walk.lock);
	return running;
}

/* Jiffies until a walk is due, 0 if none is */
static unsigned long walk_wait(void)
{
	unsigned long least = 0;
	struct net *net;

	lockdep_assert_held(&walk.lock);
	rcu_read_lock();
	for_each_net_rcu(net) {
		const struct xvmc_walk *xw = &xvmc_net(net)->walk;
		unsigned long wait = max((long)(xw->at - jiffies), 1L);

		if ((xw->wanted || xw->left) && (!least || wait < least))
			least = wait;
	}
	rcu_read_unlock();
	return least;
}

/* The next walk begins when one is due. One that is under way sees to it */
static void walk_plan(bool ended)
{
	unsigned long wait = 0;

	spin_lock_bh(&walk.lock);
	if (ended)
		walk.running = false;
	if (!walk.running)
		wait = walk_wait();
	/* Under the lock: an older plan takes no newer one's place */
	if (wait)
		mod_delayed_work(walk_wq, &walk_work, wait);
	spin_unlock_bh(&walk.lock);
}

static void walk_step(struct work_struct *work)
{
	struct net *net;

	if (hook_is_unloading())
		return;
	if (!walk_begin()) {
		walk_plan(false);
		return;
	}
	net = walk_get_net(walk.table);
	if (!net) {
		walk.table = 0;
		walk_plan(true);
		return;
	}
	if (walk_table(walk_hash(net))) {
		walk.table++;
		walk.slot = 0;
		walk.skip = 0;
	}
	put_net(net);
	queue_delayed_work(walk_wq, &walk_work, 1);
}

/* One is wanted, but not before @at */
static void walk_want(struct xvmc_walk *xw, bool all, unsigned long at)
{
	lockdep_assert_held(&walk.lock);
	if (!xw->wanted || time_before(at, xw->at))
		xw->at = at;
	xw->wanted = true;
	xw->want_all |= all;
}

/**
 * hook_walk() - connections that exist may gain from now on
 * @all: nobody has told the peers: ask for what they would ask, too
 *
 * Context: any.
 */
void hook_walk(bool all)
{
	struct net *net;

	spin_lock_bh(&walk.lock);
	rcu_read_lock();
	for_each_net_rcu(net)
		walk_want(&xvmc_net(net)->walk, all, jiffies);
	rcu_read_unlock();
	spin_unlock_bh(&walk.lock);
	walk_plan(false);
}

/**
 * hook_walk_net() - connections of a network namespace may gain from now on
 * @net: the namespace, whose root has said so
 *
 * Context: any.
 */
void hook_walk_net(struct net *net)
{
	struct xvmc_walk *xw = &xvmc_net(net)->walk;
	unsigned long now = jiffies, at;

	spin_lock_bh(&walk.lock);
	if (time_before(xw->rested, now))
		xw->rested = now;
	if (time_before(xw->rested, now + WALK_BURST + WALK_REST))
		xw->rested += WALK_REST;
	at = xw->rested - WALK_BURST;
	walk_want(xw, true, time_before(at, now) ? now : at);
	spin_unlock_bh(&walk.lock);
	walk_plan(false);
}

/**
 * hook_walk_init() - before the first walk
 * @wq: workqueue for it
 */
void hook_walk_init(struct workqueue_struct *wq)
{
	spin_lock_init(&walk.lock);
	INIT_DELAYED_WORK(&walk_work, walk_step);
	walk_wq = wq;
}

/**
 * hook_walk_stop() - no walk runs any more; nobody starts one
 *
 * Context: process.
 */
void hook_walk_stop(void)
{
	cancel_delayed_work_sync(&walk_work);
}

/* A socket bound to a device is found with that device's index, not here */
static struct sock *walk_lookup_net(struct net *net, const struct hook_tuple *t)
{
	u16 port = ntohs(t->lport);

	if (ipv6_addr_v4mapped(&t->laddr) != ipv6_addr_v4mapped(&t->raddr))
		return NULL;
	if (ipv6_addr_v4mapped(&t->laddr))
		return compat_lookup(net, t->raddr.s6_addr32[3], t->rport,
				     t->laddr.s6_addr32[3], port);
#if IS_ENABLED(CONFIG_IPV6)
	return compat_lookup6(net, &t->raddr, t->rport, &t->laddr, port);
#else
	return NULL;
#endif
}

/**
 * hook_walk_lookup() - the connection that a peer asks for
 * @t: as we see it
 * @loopback: the peer is this guest itself
 *
 * Any namespace where the hook is on. Two may have the same addresses: then the
 * proof says whether it is the right one.
 * Context: any.
 * Return: a socket with a reference, or NULL.
 */
struct sock *hook_walk_lookup(const struct hook_tuple *t, bool loopback)
{
	const struct xvmc_net *xn;
	struct sock *sk = NULL;
	struct net *net;

	rcu_read_lock();
	for_each_net_rcu(net) {
		xn = xvmc_net(net);
		if (!READ_ONCE(xn->hook_on) ||
		    (loopback && !READ_ONCE(xn->hook_loopback)))
			continue;
		sk = walk_lookup_net(net, t);
		if (sk)
			break;
	}
	rcu_read_unlock();
	/* A request or a rest in TIME_WAIT stands in that hash as well */
	if (sk && !sk_fullsock(sk)) {
		sock_gen_put(sk);
		sk = NULL;
	}
	return sk;
}
