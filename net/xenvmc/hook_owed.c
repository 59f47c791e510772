// SPDX-License-Identifier: GPL-2.0
/*
 * TCP still owes bytes that stand before a ring's, and the program reads none.
 *
 * A socket that goes back needs all of TCP's bytes before S: behind them come
 * those of the ring. If the program is slow TCP's window may be closed to them,
 * and they would come only as it reads, while an option or unloading waits.
 * They are bytes that the peer's program wrote long ago, and those of the ring
 * get into the receive queue beyond its limit in any case. So the window is
 * opened for them, and the limits are as before when the socket is TCP's.
 *
 * How many they are is the peer's word: it opens no more than a few times what
 * the namespace allows a socket.
 */
#include "hook.h"

/* Small segments take several times the memory of their bytes */
#define OWED_OVERHEAD	4

/* What somebody sets meanwhile is to be restored, not what was before */
static void owed_note(struct sock *sk, struct hook_owed *owed)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (!owed->raised || sk->sk_rcvbuf != owed->rcvbuf)
		owed->was_rcvbuf = sk->sk_rcvbuf;
	if (!owed->raised || tp->window_clamp != owed->clamp)
		owed->was_clamp = tp->window_clamp;
	owed->raised = true;
}

/*
 * TCP tells of no window that is small beside the buffer, so half of that has
 * to be free. @held: memory that is in use
 */
static int owed_rcvbuf(const struct sock *sk, const struct hook_owed *owed,
		       u32 bytes, u32 held)
{
	u64 limit = READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_rmem[2]);
	u64 free = max3(bytes, held / OWED_OVERHEAD,
			(u32)inet_csk(sk)->icsk_ack.rcv_mss);
	u64 most = 2 * (u64)owed->was_rcvbuf + OWED_OVERHEAD * limit;

	return min3(held + OWED_OVERHEAD * free, most, (u64)INT_MAX);
}

/**
 * hook_owed() - have TCP bring its bytes before S
 * @sk: socket
 * @hc: its hook_conn
 * @bytes: so many are missing
 *
 * Context: socket lock held, or its bottom half.
 */
void hook_owed(struct sock *sk, struct hook_conn *hc, u32 bytes)
{
	u32 limit = READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_rmem[2]);
	u32 held = atomic_read(&sk->sk_rmem_alloc) +
		   READ_ONCE(sk->sk_backlog.len);
	struct hook_owed *owed = &hc->owed;
	struct tcp_sock *tp = tcp_sk(sk);

	bytes = min(bytes, limit);
	if (sk->sk_state == TCP_CLOSE ||
	    (tcp_receive_window(tp) >= bytes &&
	     (s64)sk->sk_rcvbuf - held >= bytes))
		return;
	owed_note(sk, owed);
	owed->rcvbuf = max(owed_rcvbuf(sk, owed, bytes, held), sk->sk_rcvbuf);
	owed->clamp = max(tp->window_clamp, bytes);
	WRITE_ONCE(sk->sk_rcvbuf, owed->rcvbuf);
	WRITE_ONCE(tp->window_clamp, owed->clamp);
	tp->rcv_ssthresh = max(tp->rcv_ssthresh, bytes);
	compat_send_ack(sk, tp->rcv_nxt);
}

/**
 * hook_owed_done() - the limits are the program's again
 * @sk: socket
 * @hc: its hook_conn
 *
 * But for those that somebody has set meanwhile.
 * Context: as hook_owed().
 */
void hook_owed_done(struct sock *sk, struct hook_conn *hc)
{
	struct hook_owed *owed = &hc->owed;
	struct tcp_sock *tp = tcp_sk(sk);

	if (!owed->raised)
		return;
	owed->raised = false;
	if (sk->sk_rcvbuf == owed->rcvbuf)
		WRITE_ONCE(sk->sk_rcvbuf, owed->was_rcvbuf);
	if (tp->window_clamp == owed->clamp)
		WRITE_ONCE(tp->window_clamp, owed->was_clamp);
	tp->rcv_ssthresh = min(tp->rcv_ssthresh, tp->window_clamp);
}
