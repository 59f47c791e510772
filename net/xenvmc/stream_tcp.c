// SPDX-License-Identifier: GPL-2.0
/*
 * Streams of AF_XENVMC that TCP carries: the socket under a carrier.
 */
#include <linux/net.h>
#include <linux/tcp.h>
#include <net/tcp.h>
#include "again.h"
#include "stream_carry.h"

/* As long as a stream waits: a guest that is saved does not answer */
#define SK_IDLE_S	60
#define SK_PROBES	15
/* TCP gives up after 15 probes in vain, however quick they were */
#define SK_HURRIED	5

static void sk_news(struct sock *sk)
{
	struct xvmc_carrier *carrier;

	read_lock_bh(&sk->sk_callback_lock);
	carrier = sk->sk_user_data;
	if (carrier)
		xvmc_carrier_kick(carrier);
	read_unlock_bh(&sk->sk_callback_lock);
}

/**
 * xvmc_carrier_sk_new() - a socket of ours keeps so much, and no more
 * @sk: TCP socket that is not connected; if it listens, it is for its children
 *
 * A peer may not read, and what it may send is fixed when it is connected.
 * Context: process.
 */
void xvmc_carrier_sk_new(struct sock *sk)
{
	lock_sock(sk);
	sk->sk_userlocks |= SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK;
	WRITE_ONCE(sk->sk_sndbuf, CARRY_BUFFER);
	WRITE_ONCE(sk->sk_rcvbuf, CARRY_BUFFER);
	release_sock(sk);
}

/**
 * xvmc_carrier_sk_begin() - the socket tells its carrier of news
 * @carrier: carrier with a socket
 *
 * And it notices that a peer is silent.
 * Context: process.
 */
void xvmc_carrier_sk_begin(struct xvmc_carrier *carrier)
{
	struct sock *sk = carrier->sock->sk;

	sock_set_keepalive(sk);
	tcp_sock_set_nodelay(sk);
	tcp_sock_set_keepidle(sk, SK_IDLE_S);
	tcp_sock_set_keepintvl(sk, SK_IDLE_S);
	tcp_sock_set_keepcnt(sk, SK_PROBES);
	write_lock_bh(&sk->sk_callback_lock);
	carrier->old.data_ready = sk->sk_data_ready;
	carrier->old.write_space = sk->sk_write_space;
	carrier->old.state_change = sk->sk_state_change;
	carrier->old.error_report = sk->sk_error_report;
	sk->sk_user_data = carrier;
	sk->sk_data_ready = sk_news;
	sk->sk_write_space = sk_news;
	sk->sk_state_change = sk_news;
	sk->sk_error_report = sk_news;
	write_unlock_bh(&sk->sk_callback_lock);
}

/**
 * xvmc_carrier_sk_end() - no callback finds the carrier afterwards
 * @carrier: carrier, which has no socket any more
 * @abort: RST; else TCP goes on to say what it has, and FIN
 *
 * Context: process.
 */
void xvmc_carrier_sk_end(struct xvmc_carrier *carrier, bool abort)
{
	struct sock *sk = carrier->sock->sk;

	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = NULL;
	sk->sk_data_ready = carrier->old.data_ready;
	sk->sk_write_space = carrier->old.write_space;
	sk->sk_state_change = carrier->old.state_change;
	sk->sk_error_report = carrier->old.error_report;
	write_unlock_bh(&sk->sk_callback_lock);
	if (abort)
		sock_no_linger(sk);
	sock_release(carrier->sock);
	carrier->sock = NULL;
}

/**
 * xvmc_carrier_sk_hurry() - TCP need not wait for its timer
 * @carrier: carrier whose peer is there again
 * @again: it was told so before
 *
 * Context: process.
 */
void xvmc_carrier_sk_hurry(struct xvmc_carrier *carrier, bool again)
{
	struct sock *sk = carrier->sock->sk;

	lock_sock(sk);
	if (!again || inet_csk(sk)->icsk_probes_out < SK_HURRIED)
		xvmc_tcp_again(sk);
	release_sock(sk);
}
