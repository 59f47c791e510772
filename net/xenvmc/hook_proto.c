// SPDX-License-Identifier: GPL-2.0
/*
 * The hook's copies of struct proto and struct proto_ops, and closing.
 *
 * The copies are made once from the live tables and never change; a hooked
 * socket points to the copy for its family. What is not overridden is TCP's
 * own. Only this file writes sk_prot and ops.
 *
 * Between TCP and us there may be kTLS without a key, which libraries ask for
 * on each connection: it has functions of its own for options and closing,
 * whose place ours take, and ours call those. The socket holds its module.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/net.h>
#include <linux/skmsg.h>
#include <net/ipv6.h>
#include <net/transp_v6.h>
#include "fault.h"
#include "hook.h"
#include "stats.h"

enum { HOOK_V4, HOOK_V6, HOOK_FAMILIES };

static struct proto hook_prots[HOOK_FAMILIES] __ro_after_init;
static struct proto_ops hook_ops[HOOK_FAMILIES] __ro_after_init;
static struct proto_ops hook_late_ops[HOOK_FAMILIES] __ro_after_init;
static const struct proto_ops *hook_base_ops[HOOK_FAMILIES] __ro_after_init;
static const struct proto *hook_base[HOOK_FAMILIES] __ro_after_init;
static atomic_t hook_late = ATOMIC_INIT(0);	/* to be restored yet */

static int hook_family(const struct sock *sk)
{
	return sk->sk_family == AF_INET ? HOOK_V4 : HOOK_V6;
}

/**
 * hook_base_of() - TCP's own functions
 * @sk: socket
 *
 * But for closing and options, for which there is hook_upper_of().
 * Context: any.
 */
const struct proto *hook_base_of(const struct sock *sk)
{
	return hook_base[hook_family(sk)];
}

/*
 * Has a ULP put functions of its own in, but only such as do not see bytes?
 * kTLS does until it gets a key, and TCP's are behind them.
 */
static bool hook_is_upper(const struct proto *prot, const struct proto *base)
{
	return prot->sendmsg == base->sendmsg &&
	       prot->recvmsg == base->recvmsg &&
	       prot->ioctl == base->ioctl &&
	       prot->destroy == base->destroy &&
	       prot->release_cb == base->release_cb &&
	       prot->backlog_rcv == base->backlog_rcv &&
	       prot->hash == base->hash && prot->unhash == base->unhash &&
	       prot->stream_memory_free == base->stream_memory_free &&
	       prot->sock_is_readable == base->sock_is_readable &&
	       prot->obj_size == base->obj_size;
}

/* Could our copy for the family take the place of @prot? */
static bool hook_prot_fits(const struct proto *prot, int family)
{
	return prot == hook_base[family] ||
	       hook_is_upper(prot, hook_base[family]);
}

/* That of TCP, or a copy of kTLS without a key */
static bool hook_ops_fit(const struct proto_ops *ops, int family)
{
	const struct proto_ops *base = hook_base_ops[family];

	return ops == base || ops == &hook_late_ops[family] ||
	       (ops->sendmsg == base->sendmsg &&
		ops->recvmsg == base->recvmsg && ops->poll == base->poll &&
		ops->splice_read == base->splice_read &&
		ops->read_sock == base->read_sock &&
		ops->connect == base->connect && ops->accept == base->accept &&
		ops->setsockopt == base->setsockopt);
}

/**
 * hook_proto_fits() - may the socket get our functions?
 * @sk: socket
 *
 * One that is being closed has no functions, and one that nobody has accepted
 * no struct socket.
 * Context: RCU, or whatever keeps the socket open.
 */
bool hook_proto_fits(const struct sock *sk)
{
	const struct socket *sock = READ_ONCE(sk->sk_socket);
	const struct proto_ops *ops = sock ? READ_ONCE(sock->ops) : NULL;
	int family = hook_family(sk);

	return hook_prot_fits(READ_ONCE(sk->sk_prot), family) &&
	       (!sock || (ops && hook_ops_fit(ops, family)));
}

/**
 * hook_proto_has_ulp() - is there a ULP that sees the socket's bytes?
 * @sk: socket, hooked or not
 *
 * One that could, when it is told to, is told by an option: then a hooked
 * socket goes back first.
 * Context: socket lock held, or its bottom half.
 */
bool hook_proto_has_ulp(const struct sock *sk)
{
	const struct proto *prot = READ_ONCE(sk->sk_prot);
	int family = hook_family(sk);

	return inet_csk(sk)->icsk_ulp_ops && prot != &hook_prots[family] &&
	       !hook_prot_fits(prot, family);
}

/**
 * hook_upper_of() - the functions that were there before ours, or are now
 * @sk: socket
 *
 * Context: any.
 */
const struct proto *hook_upper_of(const struct sock *sk)
{
	const struct proto *prot;
	struct hook_conn *hc;
	int family = hook_family(sk);

	prot = READ_ONCE(sk->sk_prot);
	hc = prot == &hook_prots[family] ? hook_get(sk) : NULL;
	if (hc) {
		prot = hc->base;
		hook_put(hc);
	}
	return hook_prot_fits(prot, family) ? prot : hook_base[family];
}

/*
 * Ours, and options of SOL_SOCKET come to us as well: where the flag is not set
 * the socket layer deals with them alone. Socket lock held, or its bottom half.
 */
static bool hook_install_ops(struct sock *sk)
{
	int family = hook_family(sk);
	struct socket *sock;
	bool new;

	write_lock_bh(&sk->sk_callback_lock);
	sock = sk->sk_socket;
	new = sock && hook_ops_fit(sock->ops, family);
	if (new) {
		WRITE_ONCE(sock->ops, &hook_ops[family]);
		compat_sol_socket(sock, true);
	}
	write_unlock_bh(&sk->sk_callback_lock);
	return new;
}

/* Takes @from away, if it is there */
static bool hook_replace_ops(struct sock *sk, const struct proto_ops *from,
			     const struct proto_ops *to)
{
	struct socket *sock;
	bool was;

	write_lock_bh(&sk->sk_callback_lock);
	sock = sk->sk_socket;
	was = sock && sock->ops == from;
	/* Somebody else's may have taken the place of ours */
	if (sock && (was || from == &hook_ops[hook_family(sk)]))
		compat_sol_socket(sock, false);
	if (was)
		WRITE_ONCE(sock->ops, to);
	write_unlock_bh(&sk->sk_callback_lock);
	return was;
}

/**
 * hook_proto_settle() - the socket's proto_ops are its own, all of them
 * @sk: socket that is not hooked, perhaps any more
 *
 * kTLS makes tables of its own from the ones that it finds, for every socket to
 * come: none of ours may be among them. Whoever brings an option of SOL_SOCKET
 * to such a socket at the same moment is told that there is no such option.
 * Context: any.
 */
void hook_proto_settle(struct sock *sk)
{
	int family = hook_family(sk);

	hook_replace_ops(sk, &hook_late_ops[family], hook_base_ops[family]);
}

/* No task is any more between its look at the flag and that at the table */
static void hook_restore_late(struct rcu_head *head)
{
	struct hook_conn *hc = container_of(head, struct hook_conn, late);

	hook_proto_settle(hc->conn.sk);
	hook_put(hc);
	atomic_dec(&hook_late);
}

/**
 * hook_proto_restoring() - are there sockets with proto_ops of ours still?
 *
 * Context: any. None is added once no socket is hooked any more.
 */
bool hook_proto_restoring(void)
{
	return atomic_read(&hook_late);
}

/**
 * hook_proto_install() - the socket's functions are ours from now on
 * @sk: socket that fits
 * @hc: its hook_conn, in the table already
 *
 * An accepted child has no struct socket yet; hook_release_cb() sees to its ops
 * when accept() has given it one.
 * Context: socket lock or its bottom half.
 */
void hook_proto_install(struct sock *sk, struct hook_conn *hc)
{
	int family = hook_family(sk);

	hc->base = sk->sk_prot;
	WRITE_ONCE(sk->sk_prot, &hook_prots[family]);
	hook_install_ops(sk);
}

/**
 * hook_proto_is_copied() - are our functions another one's by now?
 * @sk: socket
 *
 * hook_ulp.c says how. Its calls come to us again and again.
 * Context: any.
 */
bool hook_proto_is_copied(const struct sock *sk)
{
	const struct proto *prot = READ_ONCE(sk->sk_prot);

	return prot != &hook_prots[hook_family(sk)] &&
	       prot->release_cb == hook_prots[hook_family(sk)].release_cb;
}

/* A sockmap was given TCP's functions to keep: hook_psock_update() */
static bool proto_is_sockmaps(const struct sock *sk)
{
	bool ret;

	rcu_read_lock();
	ret = sk_psock(sk);
	rcu_read_unlock();
	return ret;
}

/*
 * Somebody has put his own functions in place of ours without a word, as
 * OpenVPN's offload does: he has kept ours, calls them, and puts them back one
 * day. So this module can not go any more.
 */
static void proto_is_kept(void)
{
	static atomic_t kept = ATOMIC_INIT(0);

	if (hook_is_unloading() || atomic_xchg(&kept, 1))
		return;
	__module_get(THIS_MODULE);
	pr_notice("another module keeps a socket's functions: ours stays\n");
}

/*
 * Neither its own nor those of whom we know: sockmaps, a ULP that had a pointer
 * to TCP's setsockopt() from before ours were there, as IPV6_ADDRFORM may have.
 */
static bool proto_is_strange(const struct sock *sk, const struct hook_conn *hc)
{
	const struct proto *prot = sk->sk_prot;

	return prot != hc->base && prot != hook_base[HOOK_V4] &&
	       prot != hook_base[HOOK_V6] && !inet_csk(sk)->icsk_ulp_ops &&
	       !proto_is_sockmaps(sk);
}

/**
 * hook_proto_disown() - who had kept our functions may have put them back
 * @sk: socket without a hook_conn, as the caller found
 *
 * Context: process, no locks.
 * Return: true if it has one.
 */
bool hook_proto_disown(struct sock *sk)
{
	int family = hook_family(sk);
	struct hook_conn *hc;
	bool found;

	if (likely(READ_ONCE(sk->sk_prot) != &hook_prots[family]))
		return false;
	lock_sock(sk);
	/* Who goes back restores them before the table forgets the socket */
	hc = hook_get(sk);
	if (!hc && sk->sk_prot == &hook_prots[family]) {
		WRITE_ONCE(sk->sk_prot, (struct proto *)hook_base[family]);
		hook_replace_ops(sk, &hook_ops[family], hook_base_ops[family]);
	}
	release_sock(sk);
	found = hc;
	if (hc)
		hook_put(hc);
	return found;
}

/**
 * hook_proto_restore() - the socket's functions are its own again
 * @sk: socket
 * @hc: its hook_conn
 *
 * But for one, for a grace period: a task that has seen the flag may be about
 * to bring an option of SOL_SOCKET, with which TCP's table does not deal.
 * Context: socket lock.
 */
void hook_proto_restore(struct sock *sk, struct hook_conn *hc)
{
	int family = hook_family(sk);

	if (sk->sk_prot == &hook_prots[family])
		WRITE_ONCE(sk->sk_prot, (struct proto *)hc->base);
	else if (hook_proto_is_copied(sk))
		hook_ulp_rebuild_later();
	else if (proto_is_strange(sk, hc))
		proto_is_kept();
	if (!hook_replace_ops(sk, &hook_ops[family], &hook_late_ops[family]))
		return;
	xvmc_conn_hold(&hc->conn);
	atomic_inc(&hook_late);
	call_rcu_tasks(&hc->late, hook_restore_late);
}

/* ---- shutdown, close, the rest ------------------------------------------ */

/* Before TCP's FIN: what it stands behind must be complete */
static int hook_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;
	struct hook_conn *hc;
	int ret;

	hook_enter();
	hc = hook_get(sk);
	if (hc && (how == SHUT_WR || how == SHUT_RDWR)) {
		mutex_lock(&hc->conn.tx.mutex);
		hc->conn.tx.closed = true;
		xvmc_tx_stop(&hc->conn);
		mutex_unlock(&hc->conn.tx.mutex);
	}
	ret = hook_base_ops[hook_family(sk)]->shutdown(sock, how);
	if (hc)
		hook_put(hc);
	hook_leave();
	return ret;
}

/* Bytes that nobody will read: TCP answers with RST, and so does this */
static bool hook_rx_unread(struct hook_conn *hc)
{
	struct xvmc_rx_view view = {};
	bool unread;

	mutex_lock(&hc->conn.rx.mutex);
	unread = xvmc_rx_view(&hc->conn, &view) || view.used;
	mutex_unlock(&hc->conn.rx.mutex);
	return unread;
}

static void hook_close_conn(struct sock *sk, struct hook_conn *hc)
{
	bool unread;

	mutex_lock(&hc->conn.tx.mutex);
	hc->conn.tx.closed = true;
	xvmc_tx_stop(&hc->conn);
	mutex_unlock(&hc->conn.tx.mutex);
	unread = hook_rx_unread(hc);

	lock_sock(sk);
	if (unread) {
		sock_set_flag(sk, SOCK_LINGER);
		WRITE_ONCE(sk->sk_lingertime, 0);
	}
	xvmc_conn_leave(&hc->conn, XENVMC_REASON_CLOSED, false, true);
	/* No task is about to bring an option any more */
	hook_replace_ops(sk, &hook_ops[hook_family(sk)],
			 hook_base_ops[hook_family(sk)]);
	hook_unhook_locked(hc);
	release_sock(sk);
}

static void hook_close(struct sock *sk, long timeout)
{
	struct hook_conn *hc;

	hook_enter();
	hc = hook_get(sk);
	if (hc) {
		hook_close_conn(sk, hc);
		hook_put(hc);
	}
	hook_upper_of(sk)->close(sk, timeout);
	hook_leave();
}

/*
 * The connection is thrown away, perhaps before anybody accepted it. What is
 * on the rings goes with it; the engine's work stops the sending side.
 */
static void hook_throw_away(struct sock *sk)
{
	struct hook_conn *hc = hook_get(sk);

	if (!hc)
		return;
	xvmc_conn_leave(&hc->conn, XENVMC_REASON_CLOSED, false, true);
	/* Who sleeps must not take the next connection's bytes for ours */
	WRITE_ONCE(hc->back, true);
	hook_unhook_locked(hc);
	hook_put(hc);
}

static int hook_disconnect(struct sock *sk, int flags)
{
	const struct proto *upper = hook_upper_of(sk);
	int ret;

	hook_enter();
	/* kTLS refuses, and all stays as it is */
	if (upper->disconnect == hook_base_of(sk)->disconnect)
		hook_throw_away(sk);
	ret = upper->disconnect(sk, flags);
	hook_leave();
	return ret;
}

/*
 * A connect() that ends a connection does so while nobody resets it: the reset
 * would hit the next one. disconnect() comes with the socket lock held, which
 * is too late for the mutex. It comes for AF_UNSPEC, and when a program asks
 * how a connect() went that did not wait, and TCP has ended since. Nothing of a
 * hooked socket waits.
 */
static struct hook_conn *hook_connect_lock(struct sock *sk)
{
	struct hook_conn *hc = hook_get(sk);

	if (!hc)
		return NULL;
	mutex_lock(&hc->conn.tx.mutex);
	if (READ_ONCE(hc->hashed))
		return hc;
	/* Nobody resets it, and a new connection may be waited for */
	mutex_unlock(&hc->conn.tx.mutex);
	hook_put(hc);
	return NULL;
}

static int hook_connect(struct socket *sock, struct sockaddr_unsized *uaddr,
			int len, int flags)
{
	struct sock *sk = sock->sk;
	struct hook_conn *hc;
	int ret;

	hook_enter();
	hc = hook_connect_lock(sk);
	ret = hook_base_ops[hook_family(sk)]->connect(sock, uaddr, len, flags);
	if (hc) {
		mutex_unlock(&hc->conn.tx.mutex);
		hook_put(hc);
	}
	hook_leave();
	return ret;
}

/* The end of a socket that was never closed by its owner */
static void hook_destroy(struct sock *sk)
{
	hook_throw_away(sk);
	hook_base_of(sk)->destroy(sk);
}

/*
 * Bottom half of the socket lock. An accepted child has its socket by now; or
 * O_ASYNC was turned on, or somebody has taken the socket, of which nothing
 * else tells.
 */
static void hook_release_cb(struct sock *sk)
{
	if (unlikely(hook_proto_is_copied(sk)))
		hook_ulp_copied(sk);
	else if (hook_install_ops(sk))
		hook_charge_child(sk);
	if (sock_flag(sk, SOCK_FASYNC))
		hook_async(sk);
	if (unlikely(hook_is_taken(sk)))
		hook_taken(sk);
	hook_base_of(sk)->release_cb(sk);
}

/* Of a socket that is not hooked any more, too */
static int hook_ops_setsockopt(struct socket *sock, int level, int optname,
			       sockptr_t optval, unsigned int optlen)
{
	const struct proto_ops *base = hook_base_ops[hook_family(sock->sk)];
	int ret;

	if (level == SOL_SOCKET)
		return hook_setsockopt(sock->sk, level, optname, optval,
				       optlen);
	hook_enter();
	if (level == SOL_TCP && optname == TCP_ULP)
		hook_proto_settle(sock->sk);
	ret = base->setsockopt(sock, level, optname, optval, optlen);
	hook_leave();
	return ret;
}

/*
 * A former connection listens. The new socket has got our table from the old
 * one: it gets its own. Without waiting, for the next call is TCP's.
 */
static int hook_late_accept(struct socket *sock, struct socket *newsock,
			    struct proto_accept_arg *arg)
{
	const struct proto_ops *base = hook_base_ops[hook_family(sock->sk)];
	bool block = !(arg->flags & O_NONBLOCK);
	int ret;

	hook_enter();
	newsock->ops = base;
	hook_proto_settle(sock->sk);
	arg->flags |= O_NONBLOCK;
	ret = compat_accept_by(base, sock, newsock, arg);
	if (ret == -EAGAIN && block)
		ret = hook_restart();
	hook_leave();
	return ret;
}

COMPAT_ACCEPT(hook_late_accept)

/* A lower mark may be reached already, of which TCP tells for itself alone */
static int hook_set_rcvlowat(struct sock *sk, int val)
{
	struct hook_conn *hc;
	int ret;

	hook_enter();
	ret = hook_base_ops[hook_family(sk)]->set_rcvlowat(sk, val);
	hc = hook_get(sk);
	if (hc) {
		if (hook_is_readable(sk))
			hook_tell_reader(sk, hc);
		hook_put(hc);
	}
	hook_leave();
	return ret;
}

/* ---- the tables --------------------------------------------------------- */

static void __init hook_build_prot(struct proto *prot, const struct proto *base)
{
	*prot = *base;
	prot->sendmsg = hook_sendmsg;
	prot->recvmsg = hook_recvmsg;
	prot->close = hook_close;
	prot->disconnect = hook_disconnect;
	prot->destroy = hook_destroy;
	prot->release_cb = hook_release_cb;
	prot->setsockopt = hook_setsockopt;
	prot->getsockopt = hook_getsockopt;
	prot->ioctl = hook_ioctl;
	prot->stream_memory_free = hook_memory_free;
	prot->sock_is_readable = hook_is_readable;
	compat_no_sendpage(prot);
#ifdef CONFIG_BPF_SYSCALL
	prot->psock_update_sk_prot = hook_psock_update;
#endif
}

/*
 * splice_read: without one the kernel reads through recvmsg, which is ours.
 * read_sock, read_skb: who asks for them would read TCP's queue past the ring.
 * The owner stays the original's: the socket layer puts it at release.
 */
static void __init hook_build_ops(struct proto_ops *ops,
				  const struct proto_ops *base)
{
	*ops = *base;
	ops->connect = hook_connect;
	ops->sendmsg = hook_ops_sendmsg;
	ops->shutdown = hook_shutdown;
	ops->poll = hook_poll;
	ops->setsockopt = hook_ops_setsockopt;
	ops->set_rcvlowat = hook_set_rcvlowat;
	/* Some kernels' TCP has no such thing, nor has ours there */
	if (base->set_peek_off)
		ops->set_peek_off = hook_set_peek_off;
	ops->splice_read = NULL;
	ops->read_sock = NULL;
	ops->read_skb = NULL;
}

/* The tables of a family, as a new socket of it has them */
static int __init hook_build(int family, int pf)
{
	struct socket *sock;
	int err = -ENOBUFS;

	if (!xvmc_should_fail(XVMC_FAULT_TABLES))
		err = sock_create_kern(&init_net, pf, SOCK_STREAM, IPPROTO_TCP,
				       &sock);
	if (err)
		return err;
	hook_base[family] = sock->sk->sk_prot;
	hook_base_ops[family] = sock->ops;
	sock_release(sock);
	hook_build_prot(&hook_prots[family], hook_base[family]);
	hook_build_ops(&hook_ops[family], hook_base_ops[family]);
	hook_late_ops[family] = *hook_base_ops[family];
	hook_late_ops[family].setsockopt = hook_ops_setsockopt;
	hook_late_ops[family].accept = compat_accept(hook_late_accept);
	return 0;
}

/**
 * hook_proto_init() - make the copies
 *
 * Return: 0 or a negative errno. A kernel without IPv6 has no such sockets.
 */
int __init hook_proto_init(void)
{
	int err;

	err = hook_build(HOOK_V4, PF_INET);
	if (err)
		return err;
	err = hook_build(HOOK_V6, PF_INET6);
	return err == -EAFNOSUPPORT ? 0 : err;
}
