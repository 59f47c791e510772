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
	struct tcp_sock *tp = tcp_sk(sk);
	u64 want;

	bytes = min(bytes, limit);
	if (tcp_receive_window(tp) >= bytes || sk->sk_state == TCP_CLOSE)
		return;
	if (!hc->owed.rcvbuf) {
		hc->owed.was_rcvbuf = sk->sk_rcvbuf;
		hc->owed.was_clamp = tp->window_clamp;
	}
	want = (u32)atomic_read(&sk->sk_rmem_alloc) +
	       (u64)OWED_OVERHEAD * bytes;
	want = min_t(u64, want, (u64)OWED_OVERHEAD * limit);
	hc->owed.rcvbuf = max_t(u64, want, sk->sk_rcvbuf);
	WRITE_ONCE(sk->sk_rcvbuf, hc->owed.rcvbuf);
	hc->owed.clamp = max(tp->window_clamp, bytes);
	WRITE_ONCE(tp->window_clamp, hc->owed.clamp);
	tp->rcv_ssthresh = max(tp->rcv_ssthresh, bytes);
	compat_send_ack(sk, tp->rcv_nxt);
}

/**
 * hook_owed_done() - the limits are the program's again
 * @sk: socket
 * @hc: its hook_conn
 *
 * Unless somebody has set others meanwhile.
 * Context: as hook_owed().
 */
void hook_owed_done(struct sock *sk, struct hook_conn *hc)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!hc->owed.rcvbuf)
		return;
	if (sk->sk_rcvbuf == hc->owed.rcvbuf)
		WRITE_ONCE(sk->sk_rcvbuf, hc->owed.was_rcvbuf);
	if (tp->window_clamp == hc->owed.clamp)
		WRITE_ONCE(tp->window_clamp, hc->owed.was_clamp);
	hc->owed.rcvbuf = 0;
}
