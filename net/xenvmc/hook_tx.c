// SPDX-License-Identifier: GPL-2.0
/*
 * Sending on a hooked socket: by TCP up to S, by ring from there on.
 *
 * A direction is switched at the beginning of a send call: S is write_seq under
 * tx.mutex and the socket lock, and every sender of a hooked socket holds
 * tx.mutex, so nothing gets to TCP beyond S afterwards. TCP itself is always
 * called with MSG_DONTWAIT: a sender that slept inside it could go on to write
 * to TCP after another had switched. Waiting is done here, with no lock held.
 */
#include <linux/net.h>
#include <linux/sched/signal.h>
#include "hook.h"
#include "stats.h"

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

/*
 * Switches if it can be done now. BPF sets options, too, and past us. tx.mutex
 * held
 */
static bool tx_start(struct sock *sk, struct hook_conn *hc)
{
	bool started = false;
	u32 unfit;

	if (hc->conn.tx.started)
		return true;
	if (!xvmc_tx_has_ring(&hc->conn))
		return false;
	lock_sock(sk);
	unfit = hook_unfit_options(sk);
	if (!unfit && !tx_held_back(sk, hc))
		started = !xvmc_tx_start(&hc->conn, tcp_sk(sk)->write_seq);
	release_sock(sk);
	if (unfit)
		hook_leave_rings(hc, unfit);
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

/*
 * What is left of a call that has sent something. A pending error is for the
 * next one, and TCP would take it for the beginning of a call: nothing may end
 * the connection between a look and that.
 */
static int tx_by_tcp_more(struct sock *sk, struct msghdr *msg)
{
	int ret;

	lock_sock(sk);
	ret = tx_error(sk);
	if (!ret)
		ret = tcp_sendmsg_locked(sk, msg, msg_data_left(msg));
	release_sock(sk);
	return ret;
}

static int tx_by_tcp(struct sock *sk, struct hook_conn *hc, struct msghdr *msg,
		     bool some)
{
	unsigned int flags = msg->msg_flags;
	int ret;

	/* A signal only if nothing was sent before */
	msg->msg_flags |= MSG_DONTWAIT | (some ? MSG_NOSIGNAL : 0);
	/* A call has one notice: the first piece's, the rest is copied */
	if (some) {
		msg->msg_flags &= ~MSG_ZEROCOPY;
		ret = tx_by_tcp_more(sk, msg);
	} else {
		ret = hook_base_of(sk)->sendmsg(sk, msg, msg_data_left(msg));
	}
	msg->msg_flags = flags;
	hc->tx_more = flags & MSG_MORE;
	return ret;
}

/*
 * The peer's program closed without having read all that the ring brought, as
 * a RST would say: hook_down() makes that of it, a moment later.
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
	if (!tx_start(sk, hc) && tx_is_cut_off(hc)) {
		/* TCP says in a moment which error it is: hook_cut_off() */
		if (hook_is_open(sk)) {
			hook_await_end(hc);
			return -EAGAIN;
		}
		if (!hook_awaits_end(sk))
			hook_reset_locked(hc);
	} else if (!hc->conn.tx.started) {
		return tx_by_tcp(sk, hc, msg, some);
	}
	ret = tx_error(sk);
	if (ret) {
		if (some)
			return ret;
		return sk_stream_error(sk, msg->msg_flags, ret);
	}
	ret = xvmc_tx_write(&hc->conn, &msg->msg_iter, msg_data_left(msg));
	if (ret || !msg_data_left(msg))
		return ret;
	xvmc_tx_stalls(&hc->conn);
	hook_full_look(hc);
	return -EAGAIN;
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
	if (!tx_by_ring(sk, hc))
		return sk_stream_memory_free(sk);
	if (xvmc_tx_want_space(&hc->conn))
		return true;
	hook_full_look(hc);
	return false;
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

/* The next edge of EPOLLOUT must come although this caller does not wait */
static noinline void tx_arm(struct sock *sk, struct hook_conn *hc)
{
	tx_no_space(sk);
	/* As in tcp_poll(): whoever makes room sees the bit, or we see room */
	smp_mb__after_atomic();
	if (!rcu_access_pointer(hc->conn.tx.ring))
		return;
	if (xvmc_tx_want_space(&hc->conn))
		READ_ONCE(sk->sk_write_space)(sk);
}

/*
 * Waits for room, with no lock held. When TCP had room and failed all the same
 * it was short of memory: a moment later may be better. So may less room than
 * was asked for, when no more comes: the reader may wait for the rest.
 */
static noinline int tx_wait(struct sock *sk, struct hook_conn *hc, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, hook_wake);
	bool short_of_memory = tx_can_go_on(sk, hc) && !tx_error(sk) &&
			       !READ_ONCE(hc->back) && !tx_by_ring(sk, hc);
	bool any = false;
	int err = 0;
	long left;

	add_wait_queue(sk_sleep(sk), &wait);
	for (;;) {
		/* Who sleeps in the call is told by that, and by no signal */
		sk_clear_bit(SOCKWQ_ASYNC_NOSPACE, sk);
		set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
		/* As in tx_arm(): whoever makes room sees it, or we the room */
		smp_mb__after_atomic();
		if (!short_of_memory && tx_can_go_on(sk, hc))
			break;
		if (signal_pending(current)) {
			err = sock_intr_errno(*timeo);
			break;
		}
		if (!*timeo) {
			tx_no_space(sk);
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
	if (any) {
		xvmc_tx_want_half(&hc->conn);
		/* Who polls beside us may have asked for what has come */
		tx_arm(sk, hc);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
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
		ret = hook_is_left(sk, hc) ? tx_by_tcp(sk, hc, msg, false) :
					     HOOK_LOOK_AGAIN;
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

/* As rx_nap(). TCP with room that takes nothing is short of memory */
static int tx_nap(struct sock *sk, bool gone, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, hook_wake);
	int err;

	add_wait_queue(sk_sleep(sk), &wait);
	set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	err = hook_nap(sk, &wait, gone && !sk_stream_memory_free(sk), timeo);
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

/*
 * One step of what is left of a call when its socket went back to TCP. Waiting
 * is ours here, too, for the socket may be taken over again.
 */
static noinline ssize_t tx_go_on(struct sock *sk, struct hook_conn **at,
				 struct msghdr *msg, bool some, long *timeo)
{
	bool gone = hook_is_gone(*at);
	ssize_t ret = -EAGAIN;
	int err;

	if (gone && hook_taken_again(sk, at))
		return ret;
	if (gone)
		ret = tx_by_tcp(sk, *at, msg, some);
	if (ret != -EAGAIN)
		return ret;
	err = tx_nap(sk, gone, timeo);
	return err ? err : -EAGAIN;
}

/*
 * @at: the hook_conn, with a reference; another one if the socket has it.
 * @copied: bytes that are on their way
 */
static int tx_all(struct sock *sk, struct hook_conn **at, struct msghdr *msg,
		  size_t copied, long timeo)
{
	struct hook_conn *hc = *at;
	ssize_t ret;

	do {
		ret = tx_step(sk, hc, msg, copied, timeo);
		/* TCP was asked as by who does not wait */
		if (timeo)
			sk_clear_bit(SOCKWQ_ASYNC_NOSPACE, sk);
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
			ret = hook_restart();
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
	const unsigned int flags = MSG_OOB | MSG_ZEROCOPY | MSG_FASTOPEN;

	if (likely(!(msg->msg_flags & flags) && !msg->msg_ubuf &&
		   !msg->msg_controllen))
		return 0;
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

/* As rx_unhooked() */
static noinline int tx_unhooked(struct sock *sk, struct msghdr *msg,
				size_t size, long *timeo)
{
	bool block = !(msg->msg_flags & MSG_DONTWAIT) &&
		     !hook_proto_is_copied(sk);
	int ret;

	if (hook_proto_disown(sk))
		return HOOK_LOOK_AGAIN;
	if (block && (!hook_never_restarts() || hook_is_unloading()))
		return hook_restart();
	if (block)
		msg->msg_flags |= MSG_DONTWAIT;
	ret = hook_base_of(sk)->sendmsg(sk, msg, size);
	if (block)
		msg->msg_flags &= ~MSG_DONTWAIT;
	if (!block || ret != -EAGAIN || !*timeo)
		return ret;
	return tx_nap(sk, true, timeo) ?: HOOK_LOOK_AGAIN;
}

static int tx_hooked(struct sock *sk, struct hook_conn **at, struct msghdr *msg,
		     size_t copied, long timeo)
{
	u32 reason = tx_unfit(sk, msg);
	int ret = 0;

	hook_late_call(*at);
	if (unlikely(hook_is_taken(sk)))
		hook_taken_call(*at);
	if (!copied && hook_opt_came(sk, *at))
		ret = hook_opt_seen(sk, *at, 0, timeo);
	if (unlikely(ret)) {
		hook_put(*at);
		return ret;
	}
	if (reason)
		hook_tx_back(*at, reason);
	ret = tx_all(sk, at, msg, copied, timeo);
	hook_put(*at);
	return ret;
}

/* What is not done at once. @hc is put, if there is one */
static noinline int tx_send(struct sock *sk, struct hook_conn *hc,
			    struct msghdr *msg, size_t size, size_t copied)
{
	long timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT);
	int ret;

	for (;;) {
		ret = hc ? tx_hooked(sk, &hc, msg, copied, timeo) :
			   tx_unhooked(sk, msg, size, &timeo);
		if (ret != HOOK_LOOK_AGAIN)
			return ret;
		hc = hook_get(sk);
	}
}

/*
 * What has room in a ring that is written to already: nearly every call, so it
 * is short. 0 if there is more to it, and nothing was done.
 */
static ssize_t tx_at_once(struct sock *sk, struct hook_conn *hc,
			  struct msghdr *msg)
{
	ssize_t ret = 0;

	if (tx_unfit(sk, msg) || hook_is_taken(sk) || hook_opt_came(sk, hc))
		return 0;
	mutex_lock(&hc->conn.tx.mutex);
	pagefault_disable();
	/* While it has started nobody has gone back to TCP */
	if (likely(hc->conn.tx.started && !tx_error(sk)))
		ret = xvmc_tx_write(&hc->conn, &msg->msg_iter,
				    msg_data_left(msg));
	pagefault_enable();
	mutex_unlock(&hc->conn.tx.mutex);
	if (likely(ret > 0))
		hook_rest(sk, hc);
	return max_t(ssize_t, ret, 0);
}

/* As struct proto has it. Process context, no locks */
int hook_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)
{
	struct hook_conn *hc;
	ssize_t ret = 0;

	hook_enter();
	/* As in TCP: of an answer that there is no room, which is old now */
	sk_clear_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	hc = hook_get(sk);
	if (likely(hc))
		ret = tx_at_once(sk, hc, msg);
	if (likely(ret && !msg_data_left(msg)))
		hook_put(hc);
	else
		ret = tx_send(sk, hc, msg, size, ret);
	hook_leave();
	return ret;
}

/* Past inet_sendmsg(), which binds and steers packets: rings need neither */
int hook_ops_sendmsg(struct socket *sock, struct msghdr *msg, size_t size)
{
	return hook_sendmsg(sock->sk, msg, size);
}

/* Asked by poll and by TCP, often under the socket lock */
bool hook_memory_free(const struct sock *sk, int wake)
{
	struct hook_conn *hc = hook_get(sk);
	bool ret = true;

	if (hc && rcu_access_pointer(hc->conn.tx.ring))
		ret = xvmc_tx_want_space(&hc->conn);
	else if (hc && tx_is_cut_off(hc) && hook_is_open(sk))
		ret = false;
	else
		ret = hook_base_of(sk)->stream_memory_free(sk, wake);
	if (hc)
		hook_put(hc);
	return ret;
}
