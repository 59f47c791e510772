// SPDX-License-Identifier: GPL-2.0
/*
 * What the tool shows of a hooked connection that only TCP knows.
 *
 * In any context and without the socket lock: the low 32 bits of a count are a
 * difference of sequence numbers and exact at each moment, and TCP's own count
 * of 64 bits, without what hook_rest.c has put into it, says which multiple of
 * 4 GiB they are beyond.
 */
#include "hook.h"

/* The number that ends in @low and is nearest to @about */
static u64 show_extend(u64 about, u32 low)
{
	return about + (s32)(low - (u32)about);
}

/* Has the program's end of the stream taken a sequence number? */
static bool show_fin_sent(const struct sock *sk)
{
	return (1 << inet_sk_state_load(sk)) &
	       (TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2 | TCPF_CLOSING |
		TCPF_LAST_ACK | TCPF_TIME_WAIT);
}

/**
 * hook_describe() - bytes that went by TCP
 * @conn: hooked connection
 * @info: filled; not once TCP is over, when nobody knows what ended it
 *
 * Context: any, RCU.
 */
void hook_describe(struct xvmc_conn *conn, struct xvmc_conn_info *info)
{
	const struct hook_conn *hc = to_hook(conn);
	const struct sock *sk = conn->sk;
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 sent, received;

	if (inet_sk_state_load(sk) == TCP_CLOSE)
		return;
	sent = READ_ONCE(tp->write_seq) - hc->iss - 1 - show_fin_sent(sk);
	received = READ_ONCE(tp->rcv_nxt) - hc->irs - 1 -
		   sock_flag(sk, SOCK_DONE);
	info->tx_tcp = show_extend(READ_ONCE(tp->bytes_acked) -
				   READ_ONCE(hc->rest.sent_bytes), sent);
	info->rx_tcp = show_extend(READ_ONCE(tp->bytes_received) -
				   READ_ONCE(hc->rest.received_bytes),
				   received);
	info->has_tcp = true;
}
