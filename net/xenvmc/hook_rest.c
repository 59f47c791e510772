// SPDX-License-Identifier: GPL-2.0
/*
 * The TCP connection at rest, while its bytes go by ring.
 *
 * Whoever stands on its path must go on to know it, and may still end it: once
 * in net.xenvmc.keepalive_s seconds in which the program has moved bytes by
 * ring an ACK goes out that says nothing new. The other end does the same. If
 * nothing comes any more from one that did, the path is cut, and the bytes have
 * to go where they would have gone without rings: nowhere. See
 * Documentation/hook.rst.
 *
 * TCP's counters of bytes, which TCP_INFO and ss show, are brought up to date
 * here as well: TCP itself does not see what rings carry.
 */
#include "hook.h"
#include "xenvmc_priv.h"

/* So many times as long as between two packets, and the path is cut */
#define REST_SILENT	3

/**
 * hook_rest_init() - the socket's connection may come to rest from now on
 * @hc: new hook_conn
 *
 * Context: any.
 */
void hook_rest_init(struct hook_conn *hc)
{
	hc->rest.look = jiffies;
	hc->rest.sent = jiffies;
}

/**
 * hook_count() - have TCP count what went by ring
 * @sk: socket
 * @hc: its hook_conn
 *
 * What is in the peer's memory counts as acknowledged, for TCP would have.
 * Context: socket lock.
 */
void hook_count(struct sock *sk, struct hook_conn *hc)
{
	struct tcp_sock *tp = tcp_sk(sk);
	u64 sent = READ_ONCE(hc->conn.tx.bytes) - hc->rest.sent_bytes;
	s64 received = READ_ONCE(hc->conn.rx.bytes);

	sock_owned_by_me(sk);
	/* Pairs with rx_consume(): bytes read meanwhile are in neither count */
	smp_rmb();
	received += xvmc_rx_queued(&hc->conn) - hc->rest.received_bytes;
	WRITE_ONCE(tp->bytes_sent, tp->bytes_sent + sent);
	WRITE_ONCE(tp->bytes_acked, tp->bytes_acked + sent);
	hc->rest.sent_bytes += sent;
	/* A call may read between our two looks: the next one corrects it */
	received = max(received, 0LL);
	WRITE_ONCE(tp->bytes_received, tp->bytes_received + received);
	hc->rest.received_bytes += received;
}

/* Bytes went by ring since this was asked last, and it is time */
static bool rest_is_due(struct sock *sk, struct hook_conn *hc)
{
	unsigned int secs = READ_ONCE(xvmc_net(sock_net(sk))->keepalive_s);
	u64 bytes = hc->rest.sent_bytes + hc->rest.received_bytes;

	if (!secs || time_before(jiffies, hc->rest.sent + secs * HZ) ||
	    bytes == hc->rest.bytes)
		return false;
	if (!((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT |
				     TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2)))
		return false;
	hc->rest.bytes = bytes;
	return true;
}

/*
 * Has the other end been silent for too long? Its interval is its own, and is
 * learned from its packets, once TCP has no bytes of its own that bring some.
 * It sends none while the programs say nothing: of the time since our last one
 * no more counts than until the next one of its. Socket lock held.
 */
static bool rest_is_cut(struct sock *sk, struct hook_conn *hc)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 data_segs = tp->data_segs_in + tp->data_segs_out;
	struct hook_rest *rest = &hc->rest;
	u32 segs_in = tp->segs_in;

	if (data_segs != rest->data_segs) {
		rest->data_segs = data_segs;
		rest->heard = false;
		rest->gap = 0;
		rest->silent = 0;
	} else if (segs_in != rest->segs_in) {
		rest->gap = rest->heard ? jiffies - rest->heard_at : 0;
		rest->heard = true;
		rest->heard_at = jiffies;
		rest->silent = 0;
	} else {
		rest->silent += min(jiffies - rest->sent, rest->gap);
	}
	rest->segs_in = segs_in;
	return rest->gap && rest->silent > REST_SILENT * rest->gap;
}

/*
 * Connection tracking takes a third ACK that is like those before it for one of
 * a connection in trouble, to be forgotten soon: every other one is a byte
 * behind, which is old news to the peer. Socket lock held.
 */
static void rest_send(struct sock *sk, struct hook_conn *hc)
{
	hc->rest.behind = !hc->rest.behind;
	hc->rest.sent = jiffies;
	compat_send_ack(sk, tcp_sk(sk)->rcv_nxt - hc->rest.behind);
}

/* What was underway on rings arrives; later bytes go by TCP, both ways */
static void rest_leave(struct hook_conn *hc)
{
	hook_tx_back(hc, XENVMC_REASON_PATH_CUT);
	xvmc_conn_no_lend(&hc->conn);
	xvmc_rx_recall(&hc->conn, XENVMC_REASON_PATH_CUT);
}

/**
 * hook_rest_look() - a call has moved bytes, and a second has passed
 * @sk: socket
 * @hc: its hook_conn
 *
 * Context: process, no locks.
 */
void hook_rest_look(struct sock *sk, struct hook_conn *hc)
{
	bool cut = false;
	u32 unfit;

	lock_sock(sk);
	WRITE_ONCE(hc->rest.look, jiffies + HZ);
	hook_count(sk, hc);
	unfit = hook_unfit_options(sk);
	if (rest_is_due(sk, hc)) {
		cut = rest_is_cut(sk, hc);
		rest_send(sk, hc);
	}
	if (cut)
		hc->rest.gap = 0;
	release_sock(sk);
	/* Until it is settled its work sees that by itself, and says no */
	if (unfit && READ_ONCE(hc->stage) != HOOK_SETTLED)
		hook_work_later(hc, 0);
	else if (unfit)
		hook_leave_rings(hc, unfit);
	if (cut)
		rest_leave(hc);
}
