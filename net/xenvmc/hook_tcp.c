// SPDX-License-Identifier: GPL-2.0
/*
 * The hook's copies of struct proto and struct proto_ops, and sending.
 *
 * The copies are made once from the live tables and never change; a hooked
 * socket points to the copy for its family. What is not overridden is TCP's
 * own. Only this file writes sk_prot and ops.
 *
 * Sending. A direction is switched at the beginning of a send call: S is
 * write_seq under tx.mutex and the socket lock, and every sender of a hooked
 * socket holds tx.mutex, so nothing gets to TCP beyond S afterwards. TCP itself
 * is always called with MSG_DONTWAIT: a sender that slept inside it could go on
 * to write to TCP after another had switched. Waiting is done here, with no
 * lock held.
 */
#include <linux/net.h>
#include <linux/sched/signal.h>
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

const struct proto *hook_base_of(const struct sock *sk)
{
	return hook_base[hook_family(sk)];
}

bool hook_tcp_fits(const struct sock *sk)
{
	return READ_ONCE(sk->sk_prot) == hook_base[hook_family(sk)];
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
	new = sock && (sock->ops == hook_base_ops[family] ||
		       sock->ops == &hook_late_ops[family]);
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
	if (was) {
		compat_sol_socket(sock, false);
		WRITE_ONCE(sock->ops, to);
	}
	write_unlock_bh(&sk->sk_callback_lock);
	return was;
}

/* No task is any more between its look at the flag and that at the table */
static void hook_restore_late(struct rcu_head *head)
{
	struct hook_conn *hc = container_of(head, struct hook_conn, late);
	int family = hook_family(hc->conn.sk);

	hook_replace_ops(hc->conn.sk, &hook_late_ops[family],
			 hook_base_ops[family]);
	hook_put(hc);
	atomic_dec(&hook_late);
}

/**
 * hook_tcp_restoring() - are there sockets with proto_ops of ours still?
 *
 * Context: any. None is added once no socket is hooked any more.
 */
bool hook_tcp_restoring(void)
{
	return atomic_read(&hook_late);
}

/**
 * hook_tcp_install() - the socket's functions are ours from now on
 * @sk: socket that fits
 * @hc: its hook_conn, in the table already
 *
 * An accepted child has no struct socket yet; hook_release_cb() sees to its ops
 * when accept() has given it one.
 * Context: socket lock or its bottom half.
 */
void hook_tcp_install(struct sock *sk, struct hook_conn *hc)
{
	int family = hook_family(sk);

	hc->base = hook_base[family];
	WRITE_ONCE(sk->sk_prot, &hook_prots[family]);
	hook_install_ops(sk);
}

/**
 * hook_tcp_restore() - the socket's functions are its own again
 * @sk: socket
 * @hc: its hook_conn
 *
 * But for one, for a grace period: a task that has seen the flag may be about
 * to bring an option of SOL_SOCKET, with which TCP's table does not deal.
 * Context: socket lock.
 */
void hook_tcp_restore(struct sock *sk, struct hook_conn *hc)
{
	int family = hook_family(sk);

	if (sk->sk_prot == &hook_prots[family])
		WRITE_ONCE(sk->sk_prot, (struct proto *)hc->base);
	if (!hook_replace_ops(sk, &hook_ops[family], &hook_late_ops[family]))
		return;
	xvmc_conn_hold(&hc->conn);
	atomic_inc(&hook_late);
	call_rcu_tasks(&hc->late, hook_restore_late);
}

/* ---- sending ------------------------------------------------------------ */

/*
 * Would bytes that TCP has not sent yet stay there until more is written? Only
 * less than a segment does, and not while others are on their way: TCP sends it
 * when these are acknowledged or, if it is corked, 200 ms later. More waits for
 * the reader, and who always has more, as sendfile() has, would stay on TCP.
 */
static bool tx_held_back(const struct sock *sk, const struct hook_conn *hc)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 unsent = READ_ONCE(tp->write_seq) - READ_ONCE(tp->snd_nxt);

	if (!unsent || unsent >= tp->mss_cache || tp->packets_out)
		return false;
	return hc->tx_more || (tp->nonagle & TCP_NAGLE_CORK);
}

/* Switches if it can be done now. tx.mutex held */
static bool tx_start(struct sock *sk, struct hook_conn *hc)
{
	bool started = false;

	if (hc->conn.tx.started)
		return true;
	if (!xvmc_tx_has_ring(&hc->conn))
		return false;
	lock_sock(sk);
	if (!tx_held_back(sk, hc))
		started = !xvmc_tx_start(&hc->conn, tcp_sk(sk)->write_seq);
	release_sock(sk);
	return started;
}

/* As TCP answers: the pending error is the caller's to take */
static int tx_error(const struct sock *sk)
{
	if (READ_ONCE(sk->sk_err) ||
	    (READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN) ||
	    !((1 << inet_sk_state_load(sk)) &
	      (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)))
		return -EPIPE;
	return 0;
}

static int tx_by_tcp(struct sock *sk, struct hook_conn *hc, struct msghdr *msg,
		     bool some)
{
	unsigned int flags = msg->msg_flags;
	int ret;

	/* A signal only if nothing was sent before */
	msg->msg_flags |= MSG_DONTWAIT | (some ? MSG_NOSIGNAL : 0);
	ret = hc->base->sendmsg(sk, msg, msg_data_left(msg));
	msg->msg_flags = flags;
	hc->tx_more = flags & MSG_MORE;
	return ret;
}

/*
 * The peer's program closed without having read all that the ring brought, as
 * a RST would say: hook_down() makes that of it, a moment later. tx.mutex held.
 */
static bool tx_is_cut_off(const struct hook_conn *hc)
{
	return READ_ONCE(hc->conn.tx.unread) &&
	       (READ_ONCE(hc->conn.why) == XENVMC_REASON_CLOSED ||
		READ_ONCE(hc->conn.recalled_why) == XENVMC_REASON_CLOSED);
}

/* One step by whichever way is right now. tx.mutex held */
static ssize_t tx_some(struct sock *sk, struct hook_conn *hc,
		       struct msghdr *msg, bool some)
{
	ssize_t ret;

	/* A pending error is for the call that has sent nothing */
	if (some && tx_error(sk))
		return -EPIPE;
	if (!tx_start(sk, hc) && tx_is_cut_off(hc))
		hook_reset_locked(hc);
	else if (!hc->conn.tx.started)
		return tx_by_tcp(sk, hc, msg, some);
	ret = tx_error(sk);
	if (ret) {
		if (some)
			return ret;
		return sk_stream_error(sk, msg->msg_flags, ret);
	}
	ret = xvmc_tx_write(&hc->conn, &msg->msg_iter, msg_data_left(msg));
	return ret || !msg_data_left(msg) ? ret : -EAGAIN;
}

/* Would the next step go by ring? A hint: neither lock is held */
static bool tx_by_ring(const struct sock *sk, const struct hook_conn *hc)
{
	return rcu_access_pointer(hc->conn.tx.ring) &&
	       (READ_ONCE(hc->conn.tx.started) || !tx_held_back(sk, hc));
}

static bool tx_can_go_on(struct sock *sk, struct hook_conn *hc)
{
	if (tx_error(sk) || READ_ONCE(hc->back))
		return true;
	if (tx_by_ring(sk, hc))
		return xvmc_tx_want_space(&hc->conn);
	return sk_stream_memory_free(sk);
}

static bool tx_has_space(struct sock *sk, struct hook_conn *hc)
{
	return tx_by_ring(sk, hc) && xvmc_tx_has_space(&hc->conn);
}

/* Whoever polls is to be told of room, and whoever takes signals */
static void tx_no_space(struct sock *sk)
{
	sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
}

/*
 * Waits for room, with no lock held. When TCP had room and failed all the same
 * it was short of memory: a moment later may be better. So may less room than
 * was asked for, when no more comes: the reader may wait for the rest.
 */
static int tx_wait(struct sock *sk, struct hook_conn *hc, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, hook_wake);
	bool short_of_memory = tx_can_go_on(sk, hc) && !tx_error(sk) &&
			       !READ_ONCE(hc->back) && !tx_by_ring(sk, hc);
	bool any = false;
	int err = 0;
	long left;

	add_wait_queue(sk_sleep(sk), &wait);
	for (;;) {
		tx_no_space(sk);
		/* As in tx_arm(): whoever makes room sees it, or we the room */
		smp_mb__after_atomic();
		if (!short_of_memory && tx_can_go_on(sk, hc))
			break;
		if (signal_pending(current)) {
			err = sock_intr_errno(*timeo);
			break;
		}
		if (!*timeo) {
			err = -EAGAIN;
			break;
		}
		if (any && tx_has_space(sk, hc))
			break;
		left = xvmc_wait_some(&wait, short_of_memory ? 2 :
				      any ? MAX_SCHEDULE_TIMEOUT :
					    XVMC_LITTLE_SPACE, timeo);
		if (short_of_memory)
			break;
		if (!left && !any) {
			any = true;
			xvmc_tx_want_any(&hc->conn);
		}
	}
	if (any)
		xvmc_tx_want_half(&hc->conn);
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

/* The next edge of EPOLLOUT must come although this caller does not wait */
static void tx_arm(struct sock *sk, struct hook_conn *hc)
{
	tx_no_space(sk);
	/* As in tcp_poll(): whoever makes room sees the bit, or we see room */
	smp_mb__after_atomic();
	if (!rcu_access_pointer(hc->conn.tx.ring))
		return;
	if (xvmc_tx_want_space(&hc->conn))
		READ_ONCE(sk->sk_write_space)(sk);
}

/* Nothing by this way once the socket is TCP's again: it may be moved anew */
static ssize_t tx_locked(struct sock *sk, struct hook_conn *hc,
			 struct msghdr *msg, bool some, bool block)
{
	ssize_t ret = -EAGAIN;

	mutex_lock(&hc->conn.tx.mutex);
	pagefault_disable();
	/* Nor are pages waited for that TCP takes as they are */
	msg->msg_iter.nofault = true;
	if (!hook_is_gone(hc))
		ret = tx_some(sk, hc, msg, some);
	else if (!some && !block)
		ret = tx_by_tcp(sk, hc, msg, false);
	msg->msg_iter.nofault = false;
	pagefault_enable();
	mutex_unlock(&hc->conn.tx.mutex);
	return ret;
}

static ssize_t tx_step(struct sock *sk, struct hook_conn *hc,
		       struct msghdr *msg, bool some, bool block)
{
	u32 tries = 0;
	ssize_t ret;

	do {
		ret = tx_locked(sk, hc, msg, some, block);
	} while (ret == -EFAULT &&
		 xvmc_fault_in(&msg->msg_iter, false, XVMC_FAULT_IN, &tries));
	return ret;
}

/*
 * One step of what is left of a call when its socket went back to TCP. Waiting
 * is ours here, too, for the socket may be taken over again.
 */
static ssize_t tx_go_on(struct sock *sk, struct hook_conn **at,
			struct msghdr *msg, bool some, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, hook_wake);
	bool gone = hook_is_gone(*at);
	ssize_t ret = -EAGAIN;
	int err;

	if (gone && hook_taken_again(sk, at))
		return ret;
	if (gone)
		ret = tx_by_tcp(sk, *at, msg, some);
	if (ret != -EAGAIN)
		return ret;
	add_wait_queue(sk_sleep(sk), &wait);
	tx_no_space(sk);
	/* TCP with room that takes nothing is short of memory */
	err = hook_nap(sk, &wait, gone && !sk_stream_memory_free(sk), timeo);
	remove_wait_queue(sk_sleep(sk), &wait);
	return err ? err : -EAGAIN;
}

/* @at: the hook_conn, with a reference; another one if the socket has it */
static int tx_all(struct sock *sk, struct hook_conn **at, struct msghdr *msg)
{
	long timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT);
	struct hook_conn *hc = *at;
	size_t copied = 0;
	ssize_t ret;

	do {
		ret = tx_step(sk, hc, msg, copied, timeo);
		if (ret > 0) {
			copied += ret;
			hook_rest(sk, hc);
			continue;
		}
		if (ret != -EAGAIN)
			break;
		if (timeo && READ_ONCE(hc->back) && hook_goes_on(hc, copied)) {
			ret = tx_go_on(sk, at, msg, copied, &timeo);
			hc = *at;
			copied += max_t(ssize_t, ret, 0);
			if (ret < 0 && ret != -EAGAIN)
				break;
			continue;
		}
		if (timeo && READ_ONCE(hc->back)) {
			ret = hook_restart(sk);
			break;
		}
		if (!timeo)
			tx_arm(sk, hc);
		ret = timeo ? tx_wait(sk, hc, &timeo) : -EAGAIN;
		if (ret)
			break;
	} while (msg_data_left(msg));
	return copied ? copied : ret;
}

/**
 * hook_tx_back() - this direction stays on TCP from now on
 * @hc: hooked socket
 * @reason: &enum xenvmc_reason
 *
 * Context: process; takes tx.mutex.
 */
void hook_tx_back(struct hook_conn *hc, u32 reason)
{
	hook_fallback(hc, reason);
	mutex_lock(&hc->conn.tx.mutex);
	hc->conn.tx.closed = true;
	xvmc_tx_stop(&hc->conn);
	mutex_unlock(&hc->conn.tx.mutex);
}

/* What only TCP can send */
static u32 tx_unfit(const struct sock *sk, const struct msghdr *msg)
{
	if (msg->msg_flags & MSG_OOB)
		return XENVMC_REASON_URGENT;
	if ((msg->msg_flags & MSG_ZEROCOPY) && sock_flag(sk, SOCK_ZEROCOPY))
		return XENVMC_REASON_ZEROCOPY;
	if (msg->msg_ubuf)
		return XENVMC_REASON_ZEROCOPY;
	if (msg->msg_flags & MSG_FASTOPEN)
		return XENVMC_REASON_FASTOPEN;
	if (msg->msg_controllen)
		return XENVMC_REASON_SOCKOPT;
	return 0;
}

static int hook_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)
{
	struct hook_conn *hc;
	u32 reason;
	int ret;

	hook_enter();
	hc = hook_get(sk);
	if (!hc) {
		/* It went back between the caller's look and ours */
		if (msg->msg_flags & MSG_DONTWAIT)
			ret = hook_base_of(sk)->sendmsg(sk, msg, size);
		else
			ret = hook_restart(sk);
		goto out;
	}
	hook_late_call(hc);
	if (unlikely(hook_is_taken(sk)))
		hook_taken_call(hc);
	reason = tx_unfit(sk, msg);
	if (reason)
		hook_tx_back(hc, reason);
	ret = tx_all(sk, &hc, msg);
	hook_put(hc);
out:
	hook_leave();
	return ret;
}

/* Past inet_sendmsg(), which binds and steers packets: rings need neither */
static int hook_ops_sendmsg(struct socket *sock, struct msghdr *msg,
			    size_t size)
{
	return hook_sendmsg(sock->sk, msg, size);
}

/* Asked by poll and by TCP, often under the socket lock */
static bool hook_memory_free(const struct sock *sk, int wake)
{
	struct hook_conn *hc = hook_get(sk);
	bool ret = true;

	if (hc && rcu_access_pointer(hc->conn.tx.ring))
		ret = xvmc_tx_want_space(&hc->conn);
	else
		ret = hook_base_of(sk)->stream_memory_free(sk, wake);
	if (hc)
		hook_put(hc);
	return ret;
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
	hook_base_of(sk)->close(sk, timeout);
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
	int ret;

	hook_enter();
	hook_throw_away(sk);
	ret = hook_base_of(sk)->disconnect(sk, flags);
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
	if (hook_install_ops(sk))
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
	ret = base->setsockopt(sock, level, optname, optval, optlen);
	hook_leave();
	return ret;
}

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
	return 0;
}

/**
 * hook_tcp_init() - make the copies
 *
 * Return: 0 or a negative errno. A kernel without IPv6 has no such sockets.
 */
int __init hook_tcp_init(void)
{
	int err;

	err = hook_build(HOOK_V4, PF_INET);
	if (err)
		return err;
	err = hook_build(HOOK_V6, PF_INET6);
	return err == -EAFNOSUPPORT ? 0 : err;
}
