// SPDX-License-Identifier: GPL-2.0
/*
 * The hook: finds TCP connections that can gain and moves them.
 *
 * A probe on the tracepoint inet_sock_set_state sees each TCP socket become
 * ESTABLISHED, in softirq context or under the socket lock. If the remote
 * address leads to a connected peer, the socket gets a hook_conn and prepared
 * copies of its proto and proto_ops (hook_proto.c); otherwise it is never
 * touched again. The passive end asks its peer, the active end awaits that.
 * Connections that were there before the peer are taken over by hook_late.c.
 *
 * The tables are keyed by socket (every call of a hooked socket looks itself up
 * there) and by tuple (an UPGRADE that came). Both are read under RCU. A
 * hook_conn holds its socket until it is freed, so a pointer in the table is
 * never one of a reused socket.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/tracepoint.h>
#include <net/ipv6.h>
#include <net/mptcp.h>
#include "again.h"
#include "event.h"
#include "fault.h"
#include "hook.h"
#include "peer.h"
#include "stats.h"
#include "trace.h"
#include "xenvmc_priv.h"

#if defined(CONFIG_PREEMPTION) && !defined(CONFIG_TASKS_RCU)
#error "the hook finds tasks inside TCP by a grace period of tasks: TASKS_RCU"
#endif
/* A grace period does not wait for who has given up his processor in TCP */
#ifdef CONFIG_PREEMPT_VOLUNTARY_BUILD
#error "the hook does not know kernels that are preempted where they may sleep"
#endif

#define HOOK_WAIT		(10 * HZ)	/* for the other end's hook */
#define HOOK_UNLOAD_WAIT	(10 * HZ)	/* for peers to stop */
#define HOOK_UNLOAD_POLL	(HZ / 20)

struct hlist_head *hook_by_sk;
static struct hlist_head *hook_by_tuple;
static DEFINE_SPINLOCK(hook_lock);	/* writers of both tables; BH-safe */
static u32 hook_seed __read_mostly;
static struct tracepoint *hook_tp;
static bool hook_unloading;
DEFINE_PER_CPU(long, hook_inside);

static long hook_count_inside(void)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(hook_inside, cpu);
	return sum;
}

bool hook_is_unloading(void)
{
	return READ_ONCE(hook_unloading);
}

static struct hlist_head *hook_tuple_bucket(const struct hook_tuple *t)
{
	u32 hash = jhash2((const u32 *)&t->raddr, 4, hook_seed);

	hash = jhash_2words((__force u32)t->lport << 16 ^ (__force u32)t->rport,
			    (__force u32)t->laddr.s6_addr32[3], hash);
	return &hook_by_tuple[hash >> (32 - HOOK_BITS)];
}

void hook_insert(struct hook_conn *hc, bool await)
{
	spin_lock_bh(&hook_lock);
	hlist_add_head_rcu(&hc->by_sk, hook_sk_bucket(hc->conn.sk));
	hc->hashed = true;
	if (await) {
		hlist_add_head_rcu(&hc->by_tuple,
				   hook_tuple_bucket(&hc->tuple));
		hc->awaiting = true;
	}
	spin_unlock_bh(&hook_lock);
}

static void hook_stop_awaiting(struct hook_conn *hc)
{
	spin_lock_bh(&hook_lock);
	if (hc->awaiting)
		hlist_del_rcu(&hc->by_tuple);
	hc->awaiting = false;
	spin_unlock_bh(&hook_lock);
}

static void hook_remove(struct hook_conn *hc)
{
	hook_stop_awaiting(hc);
	spin_lock_bh(&hook_lock);
	hlist_del_rcu(&hc->by_sk);
	hc->hashed = false;
	spin_unlock_bh(&hook_lock);
}

/**
 * hook_unhook_locked() - give the socket its own functions back
 * @hc: hooked socket; drops the table's reference
 *
 * Only when no byte of either direction is or will be on a ring.
 * Context: socket lock held.
 */
void hook_unhook_locked(struct hook_conn *hc)
{
	/* Both change under the socket lock alone */
	if (!hc->hashed)
		return;
	hook_count(hc->conn.sk, hc);
	hook_uncharge(hc->conn.sk, hc);
	hook_owed_done(hc->conn.sk, hc);
	/* First: who finds our functions there finds the hook_conn, too */
	hook_proto_restore(hc->conn.sk, hc);
	hook_remove(hc);
	hook_full_stop(hc);
	/* Somebody still waits for an answer */
	if (READ_ONCE(hc->asked))
		hook_work_later(hc, 0);
	hook_put(hc);
}

void hook_unhook(struct hook_conn *hc)
{
	struct sock *sk = hc->conn.sk;
	/* Nobody may own one that was not accepted: inet_csk_listen_stop() */
	bool slow = lock_sock_fast(sk);

	hook_unhook_locked(hc);
	unlock_sock_fast(sk, slow);
}

/**
 * hook_fallback() - the connection stays on TCP or goes back to it
 * @hc: hooked socket
 * @reason: &enum xenvmc_reason
 *
 * Counted once for a connection, with the first reason.
 * Context: any.
 */
void hook_fallback(struct hook_conn *hc, u32 reason)
{
	if (test_and_set_bit(0, &hc->fell) || hc->quiet)
		return;
	xvmc_fallback(hc->conn.sk, &hc->conn, hc->conn.chan->peer->domid,
		      reason);
}

/* ---- what the engine calls ---------------------------------------------- */

static void hook_opened(struct xvmc_conn *conn)
{
	hook_stop_awaiting(to_hook(conn));
	xvmc_stat_inc(XVMC_STAT_HOOK_MOVED);
	trace_xenvmc_moved(conn->sk, conn->chan->peer->domid);
}

/* No ring was ever lent: nothing to read but TCP */
static void hook_refused(struct xvmc_conn *conn, u32 why)
{
	struct hook_conn *hc = to_hook(conn);

	hook_fallback(hc, why);
	/* An answer may still come: what is left is the engine's */
	xvmc_conn_leave(conn, why, false, true);
	WRITE_ONCE(hc->back, true);
	hook_unhook(hc);
	/* Who sleeps in our text must not stay: nobody finds it there again */
	hook_begin_back(hc, why);
}

/*
 * The peer let go. If it ends, the socket stays hooked: its ring may hold
 * bytes, and the functions are the right ones for TCP too. Bytes that the
 * peer's application closed without reading would have brought a RST over TCP;
 * so they do here, and so do bytes that are missing, for both ends and for
 * who only writes. Else it goes on by TCP, and is TCP's as soon as they are.
 */
static void hook_down(struct xvmc_conn *conn, u32 why)
{
	struct hook_conn *hc = to_hook(conn);

	if (READ_ONCE(conn->rx.torn)) {
		/* @why is of the connection, if it has one at all */
		hook_fallback(hc, READ_ONCE(conn->chan->reason));
		hook_lose(hc);
		return;
	}
	if (why == XENVMC_REASON_CLOSED && READ_ONCE(conn->tx.unread))
		hook_cut_off(hc);
	if (why == XENVMC_REASON_CLOSED || why == XENVMC_REASON_TCP_ENDED)
		return;
	hook_fallback(hc, why);
	hook_return(hc, why);
}

static void hook_no_ring(struct xvmc_conn *conn)
{
	hook_charge_ring(conn, 0);
	hook_fallback(to_hook(conn), XENVMC_REASON_NO_RING);
}

static u32 hook_tcp_next(struct xvmc_conn *conn)
{
	u32 next = READ_ONCE(tcp_sk(conn->sk)->rcv_nxt);

	/* As in hook_tcp_view() */
	smp_rmb();
	return next;
}

/* Wakes readers. Softirq or process context; the socket's queue may be gone */
static void hook_data_ready(struct xvmc_conn *conn)
{
	struct sock *sk = conn->sk;

	rcu_read_lock();
	if (!sock_flag(sk, SOCK_DEAD))
		hook_tell_reader(sk, to_hook(conn));
	if (sock_flag(sk, SOCK_FASYNC) && !sock_flag(sk, SOCK_DEAD))
		hook_async(sk);
	rcu_read_unlock();
}

static void hook_write_space(struct xvmc_conn *conn)
{
	struct sock *sk = conn->sk;

	rcu_read_lock();
	if (!sock_flag(sk, SOCK_DEAD)) {
		xvmc_tx_wake_any(conn, sk);
		/* Wakes the others if half of the ring is free */
		READ_ONCE(sk->sk_write_space)(sk);
	}
	rcu_read_unlock();
}

/*
 * A ring to write to. If TCP had the word meanwhile the peer may have been
 * away, and what stands before the ring's bytes waits for TCP's timer: it is
 * there now. Who owns the socket is not waited for: then the timer comes.
 */
static void hook_tx_lent(struct xvmc_conn *conn)
{
	struct sock *sk = conn->sk;

	local_bh_disable();
	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk))
		xvmc_tcp_again(sk);
	bh_unlock_sock(sk);
	local_bh_enable();
	hook_write_space(conn);
}

static void hook_free(struct xvmc_conn *conn)
{
	kfree(to_hook(conn));
}

static const struct xvmc_conn_ops hook_conn_ops = {
	.kind		= "tcp",
	.tcp		= true,
	.ask		= hook_ask,
	.believes	= hook_believes,
	.opened		= hook_opened,
	.refused	= hook_refused,
	.down		= hook_down,
	.tx_lent	= hook_tx_lent,
	.no_ring	= hook_no_ring,
	.charge		= hook_charge_ring,
	.tcp_next	= hook_tcp_next,
	.data_ready	= hook_data_ready,
	.write_space	= hook_write_space,
	.release	= hook_free,
	.describe	= hook_describe,
};

/* ---- ESTABLISHED -------------------------------------------------------- */

/**
 * hook_unfit_options() - options that take a connection back
 * @sk: socket
 *
 * Set before it was one, by the listener, or by who does not ask us.
 * Context: any; the socket lock, for what is to stay so.
 * Return: 0 or an &enum xenvmc_reason.
 */
u32 hook_unfit_options(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (tp->recvmsg_inq || tp->tcp_tx_delay ||
	    READ_ONCE(sk->sk_peek_off) >= 0 || READ_ONCE(sk->sk_tsflags) ||
	    sock_flag(sk, SOCK_RCVTSTAMP) || hook_opt_small(sk) ||
	    READ_ONCE(inet_csk(sk)->icsk_user_timeout) ||
	    rcu_access_pointer(sk->sk_filter) ||
	    READ_ONCE(sk->sk_max_pacing_rate) != ~0UL ||
	    compat_bpf_stamps(sk))
		return XENVMC_REASON_SOCKOPT;
	/* Packets are protected by keys that come over netlink */
	return compat_has_psp(sk) ? XENVMC_REASON_IPSEC : 0;
}

/*
 * Does IPsec protect what is sent, by a policy of the socket or of the system?
 * Either end will do: a policy for one direction alone keeps both on TCP.
 */
static bool hook_has_ipsec(const struct sock *sk)
{
#ifdef CONFIG_XFRM
	const struct dst_entry *dst;

	if (rcu_access_pointer(sk->sk_policy[0]) ||
	    rcu_access_pointer(sk->sk_policy[1]))
		return true;
	dst = rcu_dereference_check(sk->sk_dst_cache,
				    lockdep_sock_is_held(sk));
	return dst && dst_xfrm(dst);
#else
	return false;
#endif
}

u32 hook_unfit(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (sk_is_mptcp(sk))
		return XENVMC_REASON_MPTCP;
	if (hook_proto_has_ulp(sk))
		return XENVMC_REASON_ULP;
	if (sk->sk_kern_sock || hook_is_taken(sk))
		return XENVMC_REASON_KERNEL;
	if (hook_has_ipsec(sk))
		return XENVMC_REASON_IPSEC;
	if (tp->repair)
		return XENVMC_REASON_REPAIR;
	if (tp->syn_data || tp->syn_fastopen || tp->fastopen_req ||
	    rcu_access_pointer(tp->fastopen_rsk))
		return XENVMC_REASON_FASTOPEN;
#ifdef CONFIG_TCP_MD5SIG
	if (rcu_access_pointer(tp->md5sig_info))
		return XENVMC_REASON_MD5_AO;
#endif
#ifdef CONFIG_TCP_AO
	if (rcu_access_pointer(tp->ao_info))
		return XENVMC_REASON_MD5_AO;
#endif
	return hook_unfit_options(sk);
}

void hook_read_tuple(const struct sock *sk, struct hook_tuple *t)
{
	xvmc_sk_addrs(sk, &t->laddr, &t->raddr);
	t->lport = inet_sk(sk)->inet_sport;
	t->rport = sk->sk_dport;
}

static bool hook_is_link_local(const struct in6_addr *addr)
{
	return (ipv6_addr_type(addr) & IPV6_ADDR_LINKLOCAL) ||
	       (ipv6_addr_v4mapped(addr) &&
		ipv4_is_linklocal_169(addr->s6_addr32[3]));
}

/* The channel to ask, with a reference; NULL for the many that cannot gain */
static struct xvmc_chan *hook_find_chan(const struct sock *sk,
					const struct hook_tuple *t,
					bool passive)
{
	const struct xvmc_net *xn = xvmc_net(sock_net(sk));
	struct xvmc_chan *chan;
	bool known = false;

	if (!READ_ONCE(xn->hook_on))
		return NULL;
	/* Every link may have this address: it is never among the peers' */
	if (hook_is_link_local(&t->raddr)) {
		xvmc_fallback(sk, NULL, XENVMC_DOMID_ANY,
			      XENVMC_REASON_LINK_LOCAL);
		return NULL;
	}
	xvmc_stat_inc(XVMC_STAT_HOOK_LOOKUPS);
	chan = xvmc_peer_chan_by_addr(&t->raddr, &known);
	if (!chan && known)
		xvmc_fallback(sk, NULL, XENVMC_DOMID_ANY,
			      XENVMC_REASON_NO_CHANNEL);
	else if (!chan && READ_ONCE(xn->hook_loopback))
		chan = xvmc_loop_chan_get(passive);
	return chan;
}

/* With one reference, for the table of hooked sockets */
struct hook_conn *hook_new(struct sock *sk, struct xvmc_chan *chan,
			   const struct hook_tuple *t, gfp_t gfp)
{
	struct hook_conn *hc;
	int err;

	/* The engine frees an orphan whose door is unloaded */
	static_assert(offsetof(struct hook_conn, conn) == 0);
	if (xvmc_should_fail(XVMC_FAULT_HOOK_CONN))
		return ERR_PTR(-ENOMEM);
	hc = kzalloc(sizeof(*hc), gfp);
	if (!hc)
		return ERR_PTR(-ENOMEM);
	hc->tuple = *t;
	hook_rest_init(hc);
	INIT_DELAYED_WORK(&hc->work, hook_work);
	INIT_DELAYED_WORK(&hc->full, hook_full_work);
	err = xvmc_conn_init(&hc->conn, &hook_conn_ops, sk, chan);
	if (err) {
		kfree(hc);
		return ERR_PTR(err);
	}
	hc->conn.rx.most = hook_opt_most(sk);
	return hc;
}

static int hook_attach(struct sock *sk, struct xvmc_chan *chan,
		       const struct hook_tuple *t, bool passive)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct hook_conn *hc;

	hc = hook_new(sk, chan, t, GFP_ATOMIC);
	if (IS_ERR(hc))
		return PTR_ERR(hc);
	/* No byte has been sent or taken yet in either direction */
	hc->iss = tp->write_seq - 1;
	hc->irs = tp->rcv_nxt - 1;
	hc->mark = tp->copied_seq;
	if (!passive && hook_late_begun(sk))
		hc->stage = HOOK_LOOK;
	xvmc_stat_inc(XVMC_STAT_HOOK_CANDIDATES);
	hook_insert(hc, !passive);
	hook_proto_install(sk, hc);
	if (passive)
		xvmc_conn_ask(&hc->conn, HOOK_WAIT);
	else
		xvmc_conn_await(&hc->conn, HOOK_WAIT);
	return 0;
}

/* Softirq context or socket lock held */
static void hook_established(struct sock *sk, bool passive)
{
	struct xvmc_chan *chan;
	struct hook_tuple t;
	u32 reason;
	int err;

	hook_read_tuple(sk, &t);
	chan = hook_find_chan(sk, &t, passive);
	if (!chan)
		return;
	/* MPTCP has functions of its own there, as sockmaps have */
	if (sk_is_mptcp(sk) || hook_proto_fits(sk))
		reason = hook_unfit(sk);
	else
		reason = XENVMC_REASON_SOCKMAP;
	if (!reason) {
		err = hook_attach(sk, chan, &t, passive);
		if (err)
			reason = err == -ENETDOWN ? XENVMC_REASON_NO_CHANNEL :
						    XENVMC_REASON_NO_MEMORY;
	}
	if (reason)
		xvmc_fallback(sk, NULL, chan->peer->domid, reason);
	xvmc_chan_put(chan);
}

/*
 * TCP is over (RST, timeout, abort) without close() having come by: the other
 * end must not wait for more by ring. What came by ring is still read.
 */
static void hook_tcp_ended(struct sock *sk)
{
	struct hook_conn *hc = hook_get(sk);

	if (!hc)
		return;
	xvmc_conn_leave(&hc->conn, XENVMC_REASON_TCP_ENDED, false, false);
	hook_write_space(&hc->conn);
	hook_put(hc);
}

static void hook_probe(void *data, const struct sock *csk, const int oldstate,
		       const int newstate)
{
	/* The event promises not to change the socket; a hook does */
	struct sock *sk = (struct sock *)csk;
	bool passive;

	if (sk->sk_protocol != IPPROTO_TCP || hook_is_unloading())
		return;
	/*
	 * A child that has a program already (TCP Fast Open), or an end of a
	 * simultaneous open: one may be inside TCP, as in an active end
	 */
	passive = oldstate == TCP_SYN_RECV && !READ_ONCE(sk->sk_socket);
	if (newstate == TCP_ESTABLISHED)
		hook_established(sk, passive);
	else if (newstate == TCP_CLOSE && oldstate != TCP_LISTEN)
		hook_tcp_ended(sk);
}

/* ---- UPGRADE ------------------------------------------------------------ */

static bool hook_same_tuple(const struct hook_tuple *a,
			    const struct hook_tuple *b)
{
	return a->lport == b->lport && a->rport == b->rport &&
	       ipv6_addr_equal(&a->laddr, &b->laddr) &&
	       ipv6_addr_equal(&a->raddr, &b->raddr);
}

static struct hook_conn *hook_find_awaiting(struct xvmc_chan *chan,
					    const struct hook_tuple *t)
{
	struct hook_conn *hc, *found = NULL;

	rcu_read_lock();
	hlist_for_each_entry_rcu(hc, hook_tuple_bucket(t), by_tuple) {
		if (hc->conn.chan == chan && hook_same_tuple(&hc->tuple, t) &&
		    kref_get_unless_zero(&hc->conn.ref)) {
			found = hc;
			break;
		}
	}
	rcu_read_unlock();
	return found;
}

/* An UPGRADE came. 0: is or will be answered, else the reason for NO */
static u32 hook_upgrade(struct xvmc_chan *chan,
			const struct xvmc_msg_upgrade *msg)
{
	struct hook_conn *hc;
	struct hook_tuple t;
	u32 reason = 0;

	memcpy(&t.laddr, msg->daddr, sizeof(t.laddr));
	memcpy(&t.raddr, msg->saddr, sizeof(t.raddr));
	t.lport = (__force __be16)msg->dport;
	t.rport = (__force __be16)msg->sport;
	hc = hook_find_awaiting(chan, &t);
	if (!hc)
		return hook_late_upgrade(chan, &t, msg);
	if (!hook_proves(hc, msg->nonce, msg->proof, &hc->conn.proof))
		reason = XENVMC_REASON_NO_PROOF;
	else if (hook_late_has_begun(hc))
		hook_late_await(hc, msg);
	else if (xvmc_conn_accept(&hc->conn, msg->conn))
		reason = XENVMC_REASON_NO_MATCH;
	hook_put(hc);
	return reason;
}

/* ---- life --------------------------------------------------------------- */

/* Connections that are on rings go on as they are */
static void hook_changed(struct net *net)
{
	if (READ_ONCE(xvmc_net(net)->hook_on))
		hook_walk_net(net);
}

/* Where the peer knows as well, one end asks and not both */
static void hook_peer_came(bool known)
{
	hook_walk(!known);
}

static const struct xvmc_hook_ops hook_ops = {
	.changed	= hook_changed,
	.peer_came	= hook_peer_came,
};

static void hook_find_tp(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "inet_sock_set_state"))
		hook_tp = tp;
}

/* From @bucket on: a reference to one that was not tried in @pass, or NULL */
static struct hook_conn *hook_next(u32 *bucket, u32 pass)
{
	struct hook_conn *hc;

	rcu_read_lock();
	for (; *bucket < 1 << HOOK_BITS; ++*bucket)
		hlist_for_each_entry_rcu(hc, &hook_by_sk[*bucket], by_sk)
			if (hc->pass != pass &&
			    kref_get_unless_zero(&hc->conn.ref))
				goto found;
	hc = NULL;
found:
	rcu_read_unlock();
	return hc;
}

/* All at once, so that the peers stop side by side */
static void hook_begin_back_all(void)
{
	struct hook_conn *hc;
	u32 i;

	for (i = 0; i < 1 << HOOK_BITS; i++) {
		rcu_read_lock();
		hlist_for_each_entry_rcu(hc, &hook_by_sk[i], by_sk)
			hook_begin_back(hc, XENVMC_REASON_UNLOAD);
		rcu_read_unlock();
	}
}

/* Each socket once. False if there was none */
static bool hook_drain_pass(u32 pass, bool last)
{
	bool found = false, left = false;
	struct hook_conn *hc;
	u32 bucket = 0;

	while ((hc = hook_next(&bucket, pass))) {
		found = true;
		left |= !hook_back_step(hc, !hc->pass, last);
		hc->pass = pass;
		hook_put(hc);
	}
	if (left)
		schedule_timeout_uninterruptible(HOOK_UNLOAD_POLL);
	return found;
}

/* A call may linger in TCP, or wait for a page, for as long as it likes */
static void hook_await_calls(void)
{
	unsigned long end = jiffies + HOOK_UNLOAD_WAIT;
	bool told = false;

	while (hook_late_busy() || hook_count_inside()) {
		if (!told && time_after(jiffies, end)) {
			pr_notice("unloading waits for calls of programs\n");
			told = true;
		}
		schedule_timeout_uninterruptible(HOOK_UNLOAD_POLL);
	}
}

/* Every socket back on TCP, every task out of our text */
static void hook_drain(void)
{
	unsigned long end = jiffies + HOOK_UNLOAD_WAIT;
	u32 pass = 0;

	hook_begin_back_all();
	/* A peer that does not stop is in nobody's way */
	while (hook_drain_pass(++pass, time_after(jiffies, end)))
		;
	/* What it has of ours must not stay behind */
	while (!hook_ulp_rebuild())
		schedule_timeout_uninterruptible(HOOK_UNLOAD_POLL);
	/* The last tables of ours that a socket has: none is added any more */
	while (hook_proto_restoring())
		schedule_timeout_uninterruptible(HOOK_UNLOAD_POLL);
	/*
	 * A task that loaded one of our pointers has entered once every task
	 * has scheduled; one that has left has returned once that has happened
	 * again. Sleepers were woken by going back and restart their call.
	 */
	synchronize_rcu_tasks();
	hook_await_calls();
	synchronize_rcu_tasks();
}

static int __init hook_alloc_tables(void)
{
	if (!xvmc_should_fail(XVMC_FAULT_TABLES))
		hook_by_sk = kvcalloc(1 << HOOK_BITS, sizeof(*hook_by_sk),
				      GFP_KERNEL);
	if (!xvmc_should_fail(XVMC_FAULT_TABLES))
		hook_by_tuple = kvcalloc(1 << HOOK_BITS, sizeof(*hook_by_tuple),
					 GFP_KERNEL);
	if (hook_by_sk && hook_by_tuple)
		return 0;
	kvfree(hook_by_sk);
	kvfree(hook_by_tuple);
	return -ENOMEM;
}

static int __init hook_init(void)
{
	int err;

	get_random_bytes(&hook_seed, sizeof(hook_seed));
	for_each_kernel_tracepoint(hook_find_tp, NULL);
	if (!hook_tp) {
		pr_err("this kernel has no tracepoint inet_sock_set_state\n");
		return -EOPNOTSUPP;
	}
	err = hook_alloc_tables();
	if (err)
		return err;
	err = hook_proto_init();
	if (err)
		goto free_tables;
	err = hook_late_init();
	if (err)
		goto free_tables;
	err = -EBUSY;
	if (!xvmc_should_fail(XVMC_FAULT_REGISTER))
		err = xvmc_hook_register(&hook_ops);
	if (err)
		goto exit_late;
	xvmc_set_upgrade_handler(hook_upgrade);
	err = -ENOMEM;
	if (!xvmc_should_fail(XVMC_FAULT_REGISTER))
		err = tracepoint_probe_register(hook_tp, hook_probe, NULL);
	if (err)
		goto unregister;
	hook_walk(true);
	return 0;

unregister:
	/* Some were found already, perhaps */
	WRITE_ONCE(hook_unloading, true);
	xvmc_set_upgrade_handler(NULL);
	xvmc_hook_unregister(&hook_ops);
	hook_late_stop();
	hook_drain();
	xvmc_conn_flush();
	rcu_barrier();
exit_late:
	hook_late_exit();
free_tables:
	kvfree(hook_by_sk);
	kvfree(hook_by_tuple);
	return err;
}

static void __exit hook_exit(void)
{
	WRITE_ONCE(hook_unloading, true);
	xvmc_hook_unregister(&hook_ops);
	xvmc_set_upgrade_handler(NULL);
	tracepoint_probe_unregister(hook_tp, hook_probe, NULL);
	tracepoint_synchronize_unregister();
	hook_late_stop();
	hook_drain();
	hook_late_exit();
	/* hook_free() runs from RCU, after the engine's last reference */
	xvmc_conn_flush();
	rcu_barrier();
	kvfree(hook_by_sk);
	kvfree(hook_by_tuple);
}

module_init(hook_init);
module_exit(hook_exit);
MODULE_DESCRIPTION("XenVMC: moves TCP connections between guests of a host");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(COMPAT_NS);
