/* SPDX-License-Identifier: GPL-2.0 */
/* What TCP has sent in vain to a guest that was away it sends again at once. */
#ifndef _XVMC_AGAIN_H
#define _XVMC_AGAIN_H

#include <net/inet_connection_sock.h>
#include <net/tcp.h>

/**
 * xvmc_tcp_again() - the peer is there again: TCP need not wait for its timer
 * @sk: TCP socket, locked
 *
 * Who sends to a guest that is away waits twice as long from time to time, and
 * would go on to do so for as long as it was away once more. Nothing is changed
 * but when the timer runs next: what it does, and counts, is TCP's.
 * Context: process or softirq.
 */
static inline void xvmc_tcp_again(struct sock *sk)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);
	u8 pending = icsk->icsk_pending;

	sock_owned_by_me(sk);
	if (icsk->icsk_backoff &&
	    (pending == ICSK_TIME_RETRANS || pending == ICSK_TIME_PROBE0))
		inet_csk_reset_xmit_timer(sk, pending, 1, TCP_RTO_MAX);
}

#endif /* _XVMC_AGAIN_H */
