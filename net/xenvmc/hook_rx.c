// SPDX-License-Identifier: GPL-2.0
/*
 * Receiving on a hooked socket: TCP up to S, then the ring, then TCP again.
 *
 * Each step looks at TCP, at the ring's marks and at the ring, in this order,
 * and asks core/swover.c where the next byte is. rx.mutex is held from the look
 * to the end of the copy, so that two readers cannot read past each other. TCP
 * is always called with MSG_DONTWAIT; waiting is done here with no lock held,
 * from the first call on, since a switch may be agreed while a reader sleeps.
 */
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <uapi/linux/xenvmc.h>
#include "hook.h"

/* The sender goes on by TCP before that, unless it may not: hook_full.c */
#define RX_PEEK_MORE	(4 * XVMC_PEEK_MORE)

/**
 * hook_tcp_view() - what TCP knows of the receiving direction
 * @sk: socket
 * @view: its TCP members are filled
 *
 * To be followed by xvmc_rx_view(): TCP first, the ring then.
 * Context: any.
 */
void hook_tcp_view(const struct sock *sk, struct xvmc_rx_view *view)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	view->fin = READ_ONCE(sk->sk_err) || sock_flag(sk, SOCK_DONE) ||
		    (READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN) ||
		    inet_sk_state_load(sk) == TCP_CLOSE;
	view->rcv_nxt = READ_ONCE(tp->rcv_nxt);
	view->copied_seq = READ_ONCE(tp->copied_seq);
	/*
	 * A FIN that TCP has merged into the last bytes before S is consumed
	 * along with them: the ring's bytes come before it all the same.
	 */
	if (sock_flag(sk, SOCK_DONE) && view->copied_seq == view->rcv_nxt)
		view->copied_seq--;
	/* Pairs with the sender, which stops the ring before it goes to TCP */
	smp_rmb();
}

/**
 * struct rx_step - one step of a receive call
 * @msg: where to
 * @flags: MSG_* of the call
 * @drained: the step emptied the ring
 * @some: earlier steps have read something
 */
struct rx_step {
	struct msghdr *msg;
	int flags;
	bool drained;
	bool some;
};

static ssize_t rx_by_tcp(struct sock *sk, struct hook_conn *hc,
			 struct rx_step *step, size_t len)
{
	int flags = (step->flags | MSG_DONTWAIT) & ~MSG_WAITALL;
	int ret;

	ret = compat_recvmsg(hook_base_of(sk), sk, step->msg, len, flags);
	if (ret > 0 && !(flags & MSG_PEEK))
		hc->taken += ret;
	return ret;
}

/*
 * TCP has nothing to read, nor has the ring. The answer is that of
 * tcp_recvmsg(): a pending error is for the call that has read nothing. TCP is
 * not asked itself, for it may have bytes by now that belong behind the ring's.
 */
static ssize_t rx_nothing(struct sock *sk, const struct rx_step *step,
			  const struct xvmc_rx_view *view)
{
	ssize_t ret = -EAGAIN;

	if (!view->fin)
		return ret;
	lock_sock(sk);
	/* Else something came in between: look again */
	if (tcp_sk(sk)->rcv_nxt == view->copied_seq) {
		if (step->some || sock_flag(sk, SOCK_DONE))
			ret = 0;
		else if (sk->sk_err)
			ret = sock_error(sk);
		else if (sk->sk_shutdown & RCV_SHUTDOWN)
			ret = 0;
		else if (sk->sk_state == TCP_CLOSE)
			ret = -ENOTCONN;
	}
	release_sock(sk);
	return ret;
}

static ssize_t rx_by_ring(struct hook_conn *hc, struct rx_step *step,
			  size_t len, const struct xvmc_rx_view *view)
{
	struct iov_iter *to = step->flags & MSG_TRUNC ? NULL :
							&step->msg->msg_iter;

	len = min_t(size_t, len, view->used);
	step->drained = len == view->used;
	return xvmc_rx_read(&hc->conn, to, len, 0, !(step->flags & MSG_PEEK));
}

/* TCP ends a call that has read something in front of an urgent byte */
static bool rx_at_mark(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return unlikely(READ_ONCE(tp->urg_data)) &&
	       READ_ONCE(tp->urg_seq) == READ_ONCE(tp->copied_seq);
}

/*
 * Peeks at a ring, then at TCP's bytes behind S: if these are there, the ring
 * is complete, see rx_at_start() in core/swover.c.
 */
static ssize_t rx_peek_ring(struct sock *sk, struct hook_conn *hc,
			    struct rx_step *step, size_t len,
			    const struct xvmc_rx_view *view)
{
	ssize_t got = rx_by_ring(hc, step, len, view);
	ssize_t more;

	if (got != view->used || got == len ||
	    view->rcv_nxt == view->copied_seq || rx_at_mark(sk))
		return got;
	more = rx_by_tcp(sk, hc, step, len - got);
	return more > 0 ? got + more : got;
}

/*
 * Peeks at TCP's bytes, of which @before are in front of S, at the ring's and
 * at TCP's behind S. TCP always shows its first byte first: its bytes behind S
 * come to their place by a peek as far on as the ring has bytes, and what this
 * put before them is overwritten by what belongs there.
 */
static ssize_t rx_peek_tcp(struct sock *sk, struct hook_conn *hc,
			   struct rx_step *step, size_t len, u32 before,
			   const struct xvmc_rx_view *view)
{
	bool at_start = view->mark.started &&
			view->copied_seq + before == view->mark.seq;
	u32 ring = at_start ? view->used : 0;
	struct iov_iter start = step->msg->msg_iter;
	ssize_t got, more, behind = 0;

	if (ring && view->rcv_nxt - view->copied_seq > before &&
	    len > (size_t)before + ring) {
		iov_iter_advance(&step->msg->msg_iter, ring);
		behind = rx_by_tcp(sk, hc, step, len - ring);
		behind = max_t(ssize_t, behind - before, 0);
		step->msg->msg_iter = start;
	}
	got = rx_by_tcp(sk, hc, step, min_t(size_t, len, before));
	if (got != before || got == len || !ring)
		return got;
	more = rx_by_ring(hc, step, len - got, view);
	if (more != ring)
		return more > 0 ? got + more : got;
	iov_iter_advance(&step->msg->msg_iter, behind);
	return got + more + behind;
}

/*
 * The ring has no more, and is of no more use. Bytes that TCP had before are in
 * front of those that are missing, see xvmc_conn_spill(). The pending error, if
 * the connection has been reset for it, is told with that.
 */
static ssize_t rx_torn(struct sock *sk, struct hook_conn *hc,
		       struct rx_step *step, size_t len,
		       const struct xvmc_rx_view *view)
{
	s32 left = hc->conn.rx.torn_seq - view->copied_seq;
	ssize_t ret = 0;

	if (hc->conn.rx.torn && left > 0 && view->rcv_nxt != view->copied_seq)
		ret = rx_by_tcp(sk, hc, step, min_t(size_t, len, left));
	if (ret)
		return ret;
	if (!step->some)
		sock_error(sk);
	return -ECONNRESET;
}

/**
 * hook_rx_violation() - the ring's bytes have no place in the stream
 * @sk: hooked socket
 * @hc: its connection
 *
 * S lies before what was read. Either the peer says so; or a task that has been
 * inside TCP since before the connection was moved has read past S: then this
 * connection ends, and the peer has done nothing.
 * Context: process, rx.mutex held.
 * Return: -ECONNRESET.
 */
ssize_t hook_rx_violation(struct sock *sk, struct hook_conn *hc)
{
	u32 copied_seq = READ_ONCE(tcp_sk(sk)->copied_seq);

	lockdep_assert_held(&hc->conn.rx.mutex);
	if (copied_seq - hc->taken == hc->mark)
		xvmc_chan_violation(hc->conn.chan, "switch-over position");
	else if (!test_and_set_bit(HOOK_OVERTAKEN, &hc->taker))
		hook_work_later(hc, 0);
	return -ECONNRESET;
}

/* rx.mutex held. Bytes, 0 at the end of the stream, -EAGAIN or an error */
static ssize_t rx_some(struct sock *sk, struct hook_conn *hc,
		       struct rx_step *step, size_t len)
{
	struct xvmc_rx_view view = {};
	ssize_t ret;
	bool again;
	u32 limit;

	step->drained = false;
look:
	hook_tcp_view(sk, &view);
	ret = xvmc_rx_view(&hc->conn, &view);
	if (ret)
		return rx_torn(sk, hc, step, len, &view);
	switch (xvmc_rx_next(&view, &limit)) {
	case XVMC_SRC_TCP:
		if (view.rcv_nxt == view.copied_seq)
			return rx_nothing(sk, step, &view);
		if (view.lent)
			limit = min(limit, view.rcv_nxt - view.copied_seq);
		if (view.lent && step->flags & MSG_PEEK)
			return rx_peek_tcp(sk, hc, step, len, limit, &view);
		return rx_by_tcp(sk, hc, step, min_t(size_t, len, limit));
	case XVMC_SRC_RING:
		if (step->flags & MSG_PEEK)
			return rx_peek_ring(sk, hc, step, len, &view);
		return rx_by_ring(hc, step, len, &view);
	case XVMC_SRC_RING_DONE:
		/* shutdown() here, or an error: the peer may well go on */
		if (!view.mark.stopped && view.rcv_nxt == view.copied_seq)
			return rx_nothing(sk, step, &view);
		/* S of 0 unasked: by a sender that wants no ring */
		again = view.mark.seq || hc->conn.rx.renew;
		xvmc_rx_done(&hc->conn, again && !view.fin);
		goto look;
	case XVMC_SRC_WAIT_RING:
		return -EAGAIN;
	default:
		return hook_rx_violation(sk, hc);
	}
}

/*
 * Must TCP bring bytes before the ring's can be read? It wakes nobody for fewer
 * than the low-water mark, for it does not know of the ring's.
 */
static bool rx_tcp_owes(struct sock *sk, struct hook_conn *hc)
{
	if (!xvmc_rx_tcp_first(&hc->conn, READ_ONCE(tcp_sk(sk)->rcv_nxt)))
		return false;
	if (READ_ONCE(sk->sk_rcvlowat) > 1)
		xvmc_rx_nudge(&hc->conn);
	return true;
}

/*
 * More than @seen bytes, which a peek has left, for rx_some() to find?
 * @ring_has is xvmc_rx_want_data(), and data_ready comes if not, or
 * xvmc_rx_look().
 */
static bool rx_ready(struct sock *sk, struct hook_conn *hc, u32 seen,
		     bool (*ring_has)(struct xvmc_conn *conn, u32 n))
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 copied_seq = READ_ONCE(tp->copied_seq);
	u32 tcp = READ_ONCE(tp->rcv_nxt) - copied_seq;

	if (READ_ONCE(sk->sk_err) || sock_flag(sk, SOCK_DONE) ||
	    (READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN) ||
	    inet_sk_state_load(sk) == TCP_CLOSE || READ_ONCE(hc->back))
		return true;
	/* The urgent byte is nobody's to see, and a peek leaves it */
	if (unlikely(READ_ONCE(tp->urg_data)) &&
	    !sock_flag(sk, SOCK_URGINLINE) &&
	    READ_ONCE(tp->urg_seq) - copied_seq < tcp)
		tcp--;
	if (tcp > seen)
		return true;
	if (!ring_has(&hc->conn, seen - tcp + 1) || rx_tcp_owes(sk, hc))
		return false;
	/* The end of a lend is news to who reads, but no byte to see */
	return !seen || tcp + xvmc_rx_queued(&hc->conn) > seen ||
	       READ_ONCE(hc->conn.rx.torn);
}

static void rx_spin(struct sock *sk, struct hook_conn *hc, u32 seen)
{
	struct xvmc_spin spin;
	bool hit;

	if (!xvmc_spin_begin(&hc->conn, &spin))
		return;
	do
		hit = rx_ready(sk, hc, seen, xvmc_rx_look);
	while (!hit && xvmc_spin_on(&spin));
	xvmc_spin_end(&hc->conn, hit);
}

static int rx_wait(struct sock *sk, struct hook_conn *hc, u32 seen,
		   long *timeo)
{
	DEFINE_WAIT_FUNC(wait, hook_wake);
	int err = 0;

	/* TCP reads nothing at an urgent byte before the signal is served */
	if (signal_pending(current))
		return sock_intr_errno(*timeo);
	rx_spin(sk, hc, seen);
	add_wait_queue(sk_sleep(sk), &wait);
	/* Pairs with the barrier in skwq_has_sleeper(): queued, then looked */
	smp_mb();
	while (!rx_ready(sk, hc, seen, xvmc_rx_want_data)) {
		if (signal_pending(current)) {
			err = sock_intr_errno(*timeo);
			break;
		}
		if (!*timeo) {
			err = -EAGAIN;
			break;
		}
		/* What was read by ring counts, and TCP knows not of it */
		if (READ_ONCE(sk->sk_rcvlowat) > 1)
			xvmc_rx_nudge(&hc->conn);
		sk_set_bit(SOCKWQ_ASYNC_WAITDATA, sk);
		*timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, *timeo);
		sk_clear_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

/**
 * hook_tell_reader() - news of the ring for who reads
 * @sk: hooked socket
 * @hc: its connection
 *
 * TCP's bytes and ends are news too: there may have been a ring before them.
 * The ring's are none while TCP owes some that come before. Who has taken the
 * socket would read TCP's queue without its lock, and is told when it has gone
 * back: hook_taken_tell().
 * Context: any; the socket's queue may be gone.
 */
void hook_tell_reader(struct sock *sk, struct hook_conn *hc)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 rcv_nxt = READ_ONCE(tp->rcv_nxt);
	bool seen;

	seen = rcv_nxt != READ_ONCE(tp->copied_seq) || READ_ONCE(sk->sk_err) ||
	       READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN ||
	       READ_ONCE(hc->conn.rx.torn) ||
	       (xvmc_rx_queued(&hc->conn) &&
		!xvmc_rx_tcp_first(&hc->conn, rcv_nxt));
	xvmc_rx_tell(sk, seen && !hook_is_taken(sk));
}

/*
 * This call has emptied the ring and does not wait: if somebody polls, the next
 * byte must come with a kick. Nobody: no kick, it would cost a hypercall. What
 * TCP owes before the ring's bytes brings its own news.
 */
static void rx_arm(struct sock *sk, struct hook_conn *hc)
{
	bool watched;

	rcu_read_lock();
	watched = skwq_has_sleeper(rcu_dereference(sk->sk_wq)) ||
		  sock_flag(sk, SOCK_FASYNC);
	rcu_read_unlock();
	if (watched && xvmc_rx_want_data(&hc->conn, 1) && !rx_tcp_owes(sk, hc))
		hook_tell_reader(sk, hc);
}

/* Nothing by this way once the socket is TCP's again: it may be moved anew */
static ssize_t rx_locked(struct sock *sk, struct hook_conn *hc,
			 struct rx_step *step, size_t len)
{
	ssize_t ret = -EAGAIN;

	mutex_lock(&hc->conn.rx.mutex);
	pagefault_disable();
	if (!hook_is_gone(hc))
		ret = rx_some(sk, hc, step, len);
	else if (step->flags & MSG_DONTWAIT)
		ret = hook_is_left(sk, hc) ? rx_by_tcp(sk, hc, step, len) :
					     HOOK_LOOK_AGAIN;
	pagefault_enable();
	mutex_unlock(&hc->conn.rx.mutex);
	return ret;
}

/* Not more than there is to be copied, behind an urgent byte too */
static size_t rx_copyable(struct sock *sk, struct hook_conn *hc, size_t len)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	size_t there = xvmc_rx_queued(&hc->conn);

	there += READ_ONCE(tp->rcv_nxt) - READ_ONCE(tp->copied_seq);
	return min(len, there);
}

/*
 * A peek does not go on where a page was missing, as a read does: if it came
 * out short it is made once more, with all its pages.
 */
static ssize_t rx_try(struct sock *sk, struct hook_conn *hc,
		      struct rx_step *step, size_t len)
{
	bool peek = step->flags & MSG_PEEK && !(step->flags & MSG_TRUNC);
	struct iov_iter start = step->msg->msg_iter;
	u32 tries = 0;
	ssize_t ret;
	size_t all;

	for (;;) {
		ret = rx_locked(sk, hc, step, len);
		if (ret != -EFAULT && (ret < 0 || !peek))
			return ret;
		all = rx_copyable(sk, hc, len);
		if (ret >= 0 && ret >= all)
			return ret;
		peek = false;
		step->msg->msg_iter = start;
		if (!xvmc_fault_in(&step->msg->msg_iter, true, all, &tries) &&
		    ret < 0)
			return ret;
	}
}

/* @gone: from the rings, so that what TCP has can be read */
static int rx_nap(struct sock *sk, bool gone, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, hook_wake);
	int err = 0;

	add_wait_queue(sk_sleep(sk), &wait);
	sk_set_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	if (!gone || !tcp_inq(sk))
		err = hook_nap(sk, &wait, gone, timeo);
	sk_clear_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

/* The sender waits for room: it goes on by TCP, and another ring follows */
static void rx_peek_asks(struct hook_conn *hc)
{
	mutex_lock(&hc->conn.rx.mutex);
	if (!hook_is_gone(hc) && xvmc_rx_is_awaited(&hc->conn))
		xvmc_rx_take_back(&hc->conn);
	mutex_unlock(&hc->conn.rx.mutex);
}

/*
 * Waits for more than the @seen bytes. A ring is full where TCP's two buffers
 * are not, and a peek makes no room: the sender finds by itself that nobody
 * reads, unless it may not look, or comes late. What TCP owes comes without.
 */
static int rx_peek_wait(struct sock *sk, struct hook_conn *hc, u32 seen,
			long *timeo)
{
	long nap, left;
	int err;

	do {
		if (xvmc_rx_queued(&hc->conn) < xvmc_rx_surely(&hc->conn) ||
		    rx_tcp_owes(sk, hc))
			return rx_wait(sk, hc, seen, timeo);
		nap = min_t(long, *timeo, RX_PEEK_MORE);
		left = nap;
		err = rx_wait(sk, hc, seen, &left);
		if (*timeo != MAX_SCHEDULE_TIMEOUT)
			*timeo -= nap - left;
		if (err == -EAGAIN && *timeo)
			rx_peek_asks(hc);
	} while (err == -EAGAIN && *timeo);
	return err && err != -EAGAIN ? sock_intr_errno(*timeo) : err;
}

/* Is there no call that could begin anew? As in hook_goes_on() */
static bool rx_peek_ends(const struct hook_conn *hc)
{
	return hook_is_kernel_task() || hook_goes_on(hc, 0);
}

/*
 * A peek sees the same bytes each time: wait until there are enough. If there
 * should be more and it sees no more, nothing comes before they are read.
 */
static int rx_peek_all(struct sock *sk, struct hook_conn *hc,
		       struct rx_step *step, size_t len, size_t target,
		       long timeo)
{
	struct iov_iter start = step->msg->msg_iter;
	ssize_t ret, last = 0;
	int err;

	for (;;) {
		step->msg->msg_iter = start;
		ret = rx_try(sk, hc, step, len);
		if (ret != -EAGAIN &&
		    (ret <= 0 || ret >= target ||
		     (ret == last && !READ_ONCE(hc->back))))
			return ret;
		if (!timeo)
			return ret;
		/* It has moved nothing: TCP may show it more */
		if (hook_is_gone(hc))
			return ret > 0 && rx_peek_ends(hc) ? ret :
							     hook_restart();
		last = max_t(ssize_t, ret, 0);
		err = READ_ONCE(hc->back) ? rx_nap(sk, false, &timeo) :
					    rx_peek_wait(sk, hc, last, &timeo);
		if (err)
			return last || !len ? last : err;
	}
}

/* As tx_go_on() */
static ssize_t rx_go_on(struct sock *sk, struct hook_conn **at,
			struct rx_step *step, size_t len, long *timeo)
{
	bool gone = hook_is_gone(*at);
	ssize_t ret = -EAGAIN;
	int err;

	if (gone && hook_taken_again(sk, at))
		return ret;
	if (gone)
		ret = rx_by_tcp(sk, *at, step, len);
	if (ret != -EAGAIN)
		return ret;
	err = rx_nap(sk, gone, timeo);
	return err ? err : -EAGAIN;
}

/* @at: the hook_conn, with a reference; another one if the socket has it */
static int rx_all(struct sock *sk, struct hook_conn **at, struct rx_step *step,
		  size_t len, long timeo)
{
	size_t target = sock_rcvlowat(sk, step->flags & MSG_WAITALL, len);
	struct hook_conn *hc = *at;
	size_t copied = 0;
	bool drained = false;
	ssize_t ret;

	if (step->flags & MSG_PEEK)
		return rx_peek_all(sk, hc, step, len, target, timeo);
	for (;;) {
		ret = rx_try(sk, hc, step, len - copied);
		if (ret > 0) {
			copied += ret;
			step->some = true;
			drained = step->drained;
			hook_rest(sk, hc);
			if (copied == len || rx_at_mark(sk))
				break;
			continue;
		}
		if (ret != -EAGAIN || copied >= target || !timeo)
			break;
		if (READ_ONCE(hc->back) && hook_goes_on(hc, copied)) {
			ret = rx_go_on(sk, at, step, len - copied, &timeo);
			hc = *at;
			copied += max_t(ssize_t, ret, 0);
			step->some = copied;
			if ((ret <= 0 && ret != -EAGAIN) || copied == len ||
			    rx_at_mark(sk))
				break;
			continue;
		}
		if (READ_ONCE(hc->back)) {
			ret = hook_restart();
			break;
		}
		ret = rx_wait(sk, hc, 0, &timeo);
		/* TCP waits for bytes to read none of, and is content then */
		if (!len)
			ret = 0;
		if (ret || !len)
			break;
	}
	if (drained || ret == -EAGAIN)
		rx_arm(sk, hc);
	return copied ? copied : ret;
}

/* Some kernels have stamps for a socket on rings, of what TCP brings */
static int rx_msg(struct sock *sk, struct hook_conn **at, struct rx_step *step,
		  size_t len, long timeo)
{
	struct msghdr *msg = step->msg;

	if (msg->msg_control_is_user && msg->msg_controllen)
		fault_in_safe_writeable(msg->msg_control_user,
					msg->msg_controllen);
	return rx_all(sk, at, step, len, timeo);
}

/* What io_uring asks: is there more? An end is, as to TCP */
static int rx_left(struct sock *sk, struct hook_conn *hc)
{
	return hook_rx_queued(sk, hc) ?: sock_flag(sk, SOCK_DONE);
}

/*
 * The socket went back between the caller's look and ours: the call begins anew
 * if it can. Else it reads what TCP has, and waits here, for it may be taken
 * over again.
 */
static int rx_unhooked(struct sock *sk, struct msghdr *msg, size_t len,
		       int flags, long *timeo)
{
	bool block = !(flags & MSG_DONTWAIT) && !hook_proto_is_copied(sk);
	int ret;

	if (hook_proto_disown(sk))
		return HOOK_LOOK_AGAIN;
	if (block && (!hook_never_restarts() || hook_is_unloading()))
		return hook_restart();
	if (block)
		flags |= MSG_DONTWAIT;
	ret = compat_recvmsg(hook_base_of(sk), sk, msg, len, flags);
	if (!block || ret != -EAGAIN || !*timeo)
		return ret;
	return rx_nap(sk, true, timeo) ?: HOOK_LOOK_AGAIN;
}

static int rx_hooked(struct sock *sk, struct hook_conn **at,
		     struct msghdr *msg, size_t len, int flags, long timeo)
{
	struct rx_step step = { .msg = msg, .flags = flags };
	int ret = 0;

	hook_late_call(*at);
	if (unlikely(hook_is_taken(sk)))
		hook_taken_call(*at);
	/* One call tells of bytes in a device's memory, or of others */
	if (unlikely(flags & MSG_SOCK_DEVMEM))
		ret = hook_opt_seen(sk, *at, XENVMC_REASON_ZEROCOPY, timeo);
	else if (hook_opt_came(sk, *at))
		ret = hook_opt_seen(sk, *at, 0, timeo);
	if (unlikely(ret)) {
		hook_put(*at);
		return ret;
	}
	if (flags & MSG_ERRQUEUE)
		ret = compat_recvmsg(hook_base_of(sk), sk, msg, len,
				     flags | MSG_DONTWAIT);
	else if (flags & MSG_OOB)
		ret = hook_recv_urgent(sk, msg, len, flags);
	else
		ret = rx_msg(sk, at, &step, len, timeo);
	if (msg->msg_get_inq && ret >= 0)
		msg->msg_inq = rx_left(sk, *at);
	hook_put(*at);
	return ret;
}

static int hook_recv(struct sock *sk, struct msghdr *msg, size_t len, int flags)
{
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	struct hook_conn *hc;
	int ret;

	hook_enter();
	do {
		hc = hook_get(sk);
		ret = hc ? rx_hooked(sk, &hc, msg, len, flags, timeo) :
			   rx_unhooked(sk, msg, len, flags, &timeo);
	} while (ret == HOOK_LOOK_AGAIN);
	hook_leave();
	return ret;
}

/*
 * recvmsg() of a hooked socket, as this kernel's struct proto has it. Process
 * context, no locks; returns what TCP's does.
 */
int hook_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
		 int flags COMPAT_ADDR_LEN)
{
	int ret = hook_recv(sk, msg, len, flags);

	compat_put_addr_len(msg, flags);
	return ret;
}

/*
 * Bytes of the ring that can be read now, or missing ones, of which reading
 * tells. A lend that is over and read is nothing to a program.
 */
static bool rx_has_bytes(struct hook_conn *hc)
{
	return xvmc_rx_want_data(&hc->conn, 1) &&
	       (xvmc_rx_queued(&hc->conn) || READ_ONCE(hc->conn.rx.torn));
}

/*
 * TCP's bytes below the switch-over count as well, and a ring has none before
 * it. So do those behind a ring that is over; TCP wakes nobody for so few.
 */
static bool rx_enough(struct sock *sk, struct hook_conn *hc, u32 want)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 copied_seq, tcp;
	bool over;

	if (!rx_has_bytes(hc) || rx_tcp_owes(sk, hc))
		return false;
	over = xvmc_rx_over(&hc->conn);
	copied_seq = READ_ONCE(tp->copied_seq);
	if (over || xvmc_rx_tcp_first(&hc->conn, copied_seq)) {
		tcp = READ_ONCE(tp->rcv_nxt) - copied_seq;
		want -= min(want - 1, tcp);
	}
	if (!over)
		return xvmc_rx_want_data(&hc->conn,
					 min(want, xvmc_rx_surely(&hc->conn)));
	if (xvmc_rx_queued(&hc->conn) >= want || READ_ONCE(hc->conn.rx.torn))
		return true;
	xvmc_rx_nudge(&hc->conn);
	return false;
}

/**
 * hook_is_readable() - is there something beside TCP's own queue?
 * @sk: socket
 *
 * Context: any; tcp_poll() asks.
 */
bool hook_is_readable(struct sock *sk)
{
	struct hook_conn *hc = hook_get(sk);
	u32 want = sock_rcvlowat(sk, 0, INT_MAX);
	bool ready;

	if (!hc)
		return false;
	if (want > 1)
		ready = rx_enough(sk, hc, want);
	else
		ready = rx_has_bytes(hc) &&
			!xvmc_rx_tcp_first(&hc->conn,
					   READ_ONCE(tcp_sk(sk)->copied_seq));
	hook_put(hc);
	return ready;
}
