// SPDX-License-Identifier: GPL-2.0
/*
 * Streams of AF_XENVMC: state, shutdown, close, callbacks of the engine.
 *
 * What a user calls runs under the socket lock; what the engine calls back
 * comes from the connection's own work, takes the same lock and looks whether
 * the connection is still the socket's. af_xenvmc.c has the notes on locks,
 * references and states; bytes are moved in stream_io.c.
 */
#include <linux/net.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "fault.h"
#include "stream.h"

/* Without a ring from the peer for so long, it is a slow start, no handshake */
#define STREAM_LEND_WAIT	HZ

/* ---- changes of state, socket lock held --------------------------------- */

/* The socket's timer is set while a stream opens, and only then */
static void stream_wake_opened(struct sock *sk)
{
	struct sock *listener = xvmc_sk(sk)->listener;

	sk_stop_timer(sk, &sk->sk_timer);
	sk->sk_state_change(sk);
	sk_wake_async(sk, SOCK_WAKE_IO, POLL_OUT);
	if (listener)
		listener->sk_data_ready(listener);
}

/**
 * xvmc_stream_establish() - the handshake is over
 * @sk: socket; nothing if it does not open
 *
 * Context: socket lock held, by a task or in softirq context.
 */
void xvmc_stream_establish(struct sock *sk)
{
	sock_owned_by_me(sk);
	if (!xvmc_stream_opening(sk))
		return;
	/* Pairs with the acquire in stream_dequeue() */
	smp_store_release(&sk->sk_state, TCP_ESTABLISHED);
	stream_wake_opened(sk);
}

/**
 * xvmc_stream_reset() - the connection broke, or could not be made
 * @sk: socket
 * @err: errno, positive
 *
 * As with TCP's RST: after the end of the peer's stream it is EPIPE.
 * Context: socket lock held, by a task or in softirq context.
 */
void xvmc_stream_reset(struct sock *sk, int err)
{
	struct xvmc_conn *conn = xvmc_stream_conn_locked(sk);
	bool opening = xvmc_stream_opening(sk);

	if (sk->sk_state == TCP_CLOSE)
		return;
	if (READ_ONCE(xvmc_sk(sk)->fin_rcvd) || (conn && xvmc_rx_fin(conn)))
		err = EPIPE;
	WRITE_ONCE(sk->sk_err, err);
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	/* Whoever sees the state sees the error, see stream_ended() */
	smp_store_release(&sk->sk_state, TCP_CLOSE);
	if (opening)
		stream_wake_opened(sk);
	else
		sk->sk_state_change(sk);
	sk_error_report(sk);
}

static void stream_check_done(struct sock *sk)
{
	struct xvmc_conn *conn = xvmc_stream_conn_locked(sk);
	struct xvmc_sock *xsk = xvmc_sk(sk);

	if (sk->sk_state != TCP_ESTABLISHED || !xsk->fin_sent)
		return;
	if (!READ_ONCE(xsk->fin_rcvd) && !(conn && xvmc_rx_fin(conn)))
		return;
	/* As above */
	smp_store_release(&sk->sk_state, TCP_CLOSE);
	sk->sk_state_change(sk);
}

/**
 * xvmc_stream_check_done() - both directions may have ended
 * @sk: socket
 *
 * TCP is in TCP_CLOSE then, which getpeername() and shutdown() show.
 * Context: process; takes the socket lock.
 */
void xvmc_stream_check_done(struct sock *sk)
{
	lock_sock(sk);
	stream_check_done(sk);
	release_sock(sk);
}

/**
 * xvmc_stream_peer_left() - DETACH came
 * @sk: socket
 *
 * The peer's bytes and their end are in the ring, and were before.
 * Context: process, socket lock held.
 */
void xvmc_stream_peer_left(struct sock *sk)
{
	struct xvmc_conn *conn = xvmc_stream_conn_locked(sk);
	struct xvmc_sock *xsk = xvmc_sk(sk);
	bool known = READ_ONCE(xsk->fin_rcvd) || xvmc_rx_fin(conn);

	/* Pairs with the acquire in stream_ended() */
	smp_store_release(&xsk->fin_rcvd, true);
	WRITE_ONCE(xsk->peer_left, true);
	stream_check_done(sk);
	/* The end of the stream is news; that nobody reads any more is not */
	if (!known)
		sk->sk_state_change(sk);
	xvmc_stream_wake_space(sk);
}

/**
 * xvmc_stream_take_conn() - take the connection from its socket
 * @sk: socket
 *
 * Context: socket lock held.
 * Return: the connection with the socket's reference, or NULL.
 */
struct xvmc_conn *xvmc_stream_take_conn(struct sock *sk)
{
	struct xvmc_conn *conn = xvmc_stream_conn_locked(sk);

	RCU_INIT_POINTER(xvmc_sk(sk)->conn, NULL);
	return conn;
}

/**
 * xvmc_stream_leave() - let go of a connection
 * @conn: connection that no socket has any more, or NULL; the reference is
 *	consumed
 * @reset: the peer gets ECONNRESET; else the end of the stream is marked, and
 *	if there is no ring, DETACH says it
 *
 * Context: process; socket lock held only if @reset, for else a mutex is taken.
 */
void xvmc_stream_leave(struct xvmc_conn *conn, bool reset)
{
	if (!conn)
		return;
	if (!reset)
		xvmc_stream_send_fin(conn);
	if (!xvmc_park_close(xvmc_to_stream(conn), reset))
		xvmc_conn_leave(conn, reset ? ECONNRESET : XENVMC_REASON_CLOSED,
				reset, true);
	xvmc_conn_put(conn);
}

/**
 * xvmc_stream_conn_get() - the connection of a socket
 * @xsk: socket
 *
 * Context: any.
 * Return: a reference, or NULL.
 */
struct xvmc_conn *xvmc_stream_conn_get(struct xvmc_sock *xsk)
{
	struct xvmc_conn *conn;

	rcu_read_lock();
	conn = rcu_dereference(xsk->conn);
	if (conn && !kref_get_unless_zero(&conn->ref))
		conn = NULL;
	rcu_read_unlock();
	return conn;
}

/**
 * xvmc_stream_draw() - a number that nobody else has drawn, nor knows
 *
 * A guest that is restored twice has the same random numbers in memory both
 * times, and the kernel draws no new ones because of that. It has another time,
 * and if both run at once another id.
 * Context: any.
 */
u64 xvmc_stream_draw(void)
{
	siphash_key_t key = { { get_random_u64(), get_random_u64() } };

	return siphash_2u64(ktime_get_real_ns(), xvmc_addr_own_domid(), &key);
}

/* Before anybody can see it */
static void stream_set_token(struct xvmc_stream *stream,
			     const struct xvmc_chan *chan,
			     const struct xvmc_stream *asked)
{
	u64 token[sizeof(stream->park.token) / sizeof(u64)];
	u32 i;

	INIT_LIST_HEAD(&stream->park.node);
	stream->park.passive = asked;
	if (!(chan->features & XVMC_FEATURE_RESUME))
		return;
	if (asked) {
		memcpy(stream->park.token, asked->park.token,
		       sizeof(stream->park.token));
		return;
	}
	for (i = 0; i < ARRAY_SIZE(token); i++)
		token[i] = xvmc_stream_draw();
	memcpy(stream->park.token, token, sizeof(token));
}

/**
 * xvmc_stream_conn_new() - begin a connection with the names of its socket
 * @sk: socket
 * @chan: channel
 * @asked: what a CONNECT of the peer's says, or NULL
 * @gfp: how to allocate
 *
 * Context: as @gfp says; socket lock held.
 * Return: the connection with one reference, or an ERR_PTR.
 */
struct xvmc_stream *xvmc_stream_conn_new(struct sock *sk,
					 struct xvmc_chan *chan,
					 const struct xvmc_stream *asked,
					 gfp_t gfp)
{
	struct xvmc_sock *xsk = xvmc_sk(sk);
	struct xvmc_stream *stream;
	int err;

	if (xvmc_should_fail(XVMC_FAULT_STREAM))
		return ERR_PTR(-ENOMEM);
	stream = kzalloc(sizeof(*stream), gfp);
	if (!stream)
		return ERR_PTR(-ENOMEM);
	stream->saddr = xsk->local_domid;
	stream->sport = xsk->local_port;
	stream->daddr = xsk->remote_domid;
	stream->dport = xsk->remote_port;
	stream_set_token(stream, chan, asked);
	err = xvmc_conn_init(&stream->conn, &xvmc_stream_ops, sk, chan);
	if (err) {
		kfree(stream);
		return ERR_PTR(err);
	}
	return stream;
}

/* ---- the end ------------------------------------------------------------ */

/**
 * xvmc_stream_bury() - nobody uses the socket any more
 * @sk: socket
 *
 * Context: process, socket lock held.
 * Return: the connection with the socket's reference, to be left, or NULL.
 */
struct xvmc_conn *xvmc_stream_bury(struct sock *sk)
{
	sock_owned_by_me(sk);
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	WRITE_ONCE(sk->sk_state, TCP_CLOSE);
	sk_stop_timer(sk, &sk->sk_timer);
	xvmc_table_remove(xvmc_sk(sk));
	sock_orphan(sk);
	return xvmc_stream_take_conn(sk);
}

/* What TCP ends with RST rather than FIN */
static bool stream_must_reset(struct sock *sk)
{
	struct xvmc_conn *conn = xvmc_stream_conn_locked(sk);

	if (xvmc_stream_opening(sk))
		return true;
	if (sk->sk_state != TCP_ESTABLISHED || !conn)
		return false;
	if (sock_flag(sk, SOCK_LINGER) && !READ_ONCE(sk->sk_lingertime))
		return true;
	return xvmc_rx_queued(conn);
}

/**
 * xvmc_stream_close() - close(2), and the end of a child that never began
 * @sk: socket; the caller's reference is consumed
 *
 * Bytes that were sent are in memory of the peer already: there is nothing to
 * linger for.
 * Context: process.
 */
void xvmc_stream_close(struct sock *sk)
{
	struct xvmc_conn *conn;
	struct sock *listener;
	bool reset;

	lock_sock(sk);
	reset = stream_must_reset(sk);
	if (sk->sk_state == TCP_LISTEN) {
		WRITE_ONCE(sk->sk_state, TCP_CLOSE);
		xvmc_stream_stop_listening(sk);
	}
	conn = xvmc_stream_bury(sk);
	listener = xvmc_sk(sk)->listener;
	xvmc_sk(sk)->listener = NULL;
	release_sock(sk);
	xvmc_stream_leave(conn, reset);
	if (listener)
		sock_put(listener);
	sock_put(sk);
}

/* Ends directions of a stream. True: the own stream's end is to be marked */
static bool stream_shut(struct sock *sk, int how)
{
	struct xvmc_sock *xsk = xvmc_sk(sk);

	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | how);
	if (!(how & SEND_SHUTDOWN) || sk->sk_state != TCP_ESTABLISHED)
		return false;
	xsk->fin_sent = true;
	return true;
}

/* Returns the connection with a reference if its stream is to be ended */
static struct xvmc_conn *stream_shutdown(struct socket *sock, int how, int *err)
{
	struct sock *sk = sock->sk;

	sock_owned_by_me(sk);
	if (sock->state == SS_CONNECTING)
		sock->state = sk->sk_state == TCP_ESTABLISHED ?
			      SS_CONNECTED : SS_DISCONNECTING;
	if (sk->sk_state == TCP_SYN_SENT ||
	    (sk->sk_state == TCP_LISTEN && (how & RCV_SHUTDOWN))) {
		xvmc_stream_disconnect(sk);
		sock->state = SS_UNCONNECTED;
	} else if (sk->sk_state != TCP_LISTEN) {
		*err = sk->sk_state == TCP_CLOSE ? -ENOTCONN : 0;
		if (stream_shut(sk, how))
			return xvmc_stream_conn_get(xvmc_sk(sk));
	}
	return NULL;
}

/**
 * xvmc_stream_shutdown() - shutdown(2)
 * @sock: socket
 * @how: SHUT_RD, SHUT_WR or SHUT_RDWR
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int xvmc_stream_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;
	struct xvmc_conn *conn;
	int err = 0;

	/* 0, 1, 2 to RCV_SHUTDOWN, SEND_SHUTDOWN, both */
	how++;
	if (!how || (how & ~SHUTDOWN_MASK))
		return -EINVAL;
	lock_sock(sk);
	conn = stream_shutdown(sock, how, &err);
	sk->sk_state_change(sk);
	release_sock(sk);
	if (!conn)
		return err;
	xvmc_stream_send_fin(conn);
	xvmc_conn_put(conn);
	xvmc_stream_check_done(sk);
	return err;
}

/* ---- callbacks of the engine -------------------------------------------- */

static void stream_fill_resume(const struct xvmc_park *park,
			       struct xvmc_ctlmsg *msg)
{
	msg->type = XVMC_MSG_RESUME;
	memcpy(msg->resume.token, park->token, sizeof(park->token));
	msg->resume.sent = park->sent + xvmc_should_fail(XVMC_FAULT_POSITION);
	msg->resume.received = park->received;
}

static void stream_fill_ask(struct xvmc_conn *conn, struct xvmc_ctlmsg *msg)
{
	struct xvmc_stream *stream = xvmc_to_stream(conn);

	if (conn->resumes) {
		stream_fill_resume(&stream->park, msg);
		return;
	}
	msg->type = XVMC_MSG_CONNECT;
	msg->connect.sport = stream->sport;
	msg->connect.dport = stream->dport;
	msg->connect.type = SOCK_STREAM;
	memcpy(msg->connect.token, stream->park.token,
	       sizeof(stream->park.token));
}

/* The other end knows us. A ring to send on follows, or came already */
static void stream_opened(struct xvmc_conn *conn)
{
	bool again = xvmc_park_opened(conn);
	struct sock *sk = conn->sk;

	lock_sock(sk);
	if (xvmc_stream_conn_locked(sk) == conn && xvmc_stream_opening(sk)) {
		if (again || rcu_access_pointer(conn->tx.ring))
			xvmc_stream_establish(sk);
		else
			sk_reset_timer(sk, &sk->sk_timer,
				       jiffies + STREAM_LEND_WAIT);
	}
	release_sock(sk);
	/* Nobody could say WANT before */
	if (again && xvmc_sk(sk)->fin_sent)
		xvmc_stream_send_fin(conn);
	else if (again)
		xvmc_stream_wake_space(sk);
}

/* To what TCP would have said */
static int stream_refused_errno(u32 why)
{
	switch (why) {
	case EAGAIN:
	case ETIMEDOUT:
		return ETIMEDOUT;
	case ECONNRESET:
		return EHOSTUNREACH;
	default:
		return ECONNREFUSED;
	}
}

static void stream_refused(struct xvmc_conn *conn, u32 why)
{
	struct xvmc_conn *gone = NULL;
	struct sock *sk = conn->sk;

	if (xvmc_park_refused(conn, why))
		return;
	lock_sock(sk);
	if (xvmc_stream_conn_locked(sk) == conn && xvmc_stream_opening(sk)) {
		gone = xvmc_stream_take_conn(sk);
		if (why == EAGAIN && sk->sk_state == TCP_SYN_SENT &&
		    time_before(jiffies, xvmc_sk(sk)->deadline))
			xvmc_stream_ask_later(sk);
		else
			xvmc_stream_reset(sk, stream_refused_errno(why));
	}
	release_sock(sk);
	/* After a timeout its id lives on until the peer answers: it counts */
	if (gone)
		xvmc_stream_leave(gone, true);
}

/* @why is 0 if the other end has closed and all it sent is in the ring */
static void stream_down(struct xvmc_conn *conn, u32 why)
{
	bool cut = xvmc_park_down(conn);
	struct sock *sk = conn->sk;

	lock_sock(sk);
	if (xvmc_stream_conn_locked(sk) == conn) {
		/* A child that is over already can be accepted, as with TCP */
		xvmc_stream_establish(sk);
		if (cut)
			; /* whoever waits goes on waiting */
		else if (why)
			xvmc_stream_reset(sk, ECONNRESET);
		else
			xvmc_stream_peer_left(sk);
	}
	release_sock(sk);
}

static void stream_tx_lent(struct xvmc_conn *conn)
{
	struct sock *sk = conn->sk;
	bool fin = false;

	lock_sock(sk);
	if (xvmc_stream_conn_locked(sk) == conn) {
		xvmc_stream_establish(sk);
		fin = xvmc_sk(sk)->fin_sent;
	}
	release_sock(sk);
	/* The stream ended before there was a ring to mark it in */
	if (fin)
		xvmc_stream_send_fin(conn);
	xvmc_stream_wake_space(sk);
}

static void stream_data_ready(struct xvmc_conn *conn)
{
	bool fin = xvmc_rx_fin(conn);
	struct sock *sk = conn->sk;
	bool seen;

	/* Who waits for EPOLLRDHUP alone is woken by a change of state */
	if (fin)
		sk->sk_state_change(sk);
	seen = fin || xvmc_rx_queued(conn) || READ_ONCE(conn->rx.torn);
	xvmc_rx_tell(sk, seen);
}

static void stream_write_space(struct xvmc_conn *conn)
{
	/* With less than half of the ring nobody else has use for it */
	if (!xvmc_tx_wake_any(conn, conn->sk) || xvmc_tx_want_space(conn))
		xvmc_stream_wake_space(conn->sk);
}

static void stream_describe(struct xvmc_conn *conn, struct xvmc_conn_info *info)
{
	info->sport = xvmc_to_stream(conn)->sport;
	info->dport = xvmc_to_stream(conn)->dport;
	info->parked = xvmc_park_is_cut(conn);
}

static void stream_release(struct xvmc_conn *conn)
{
	kfree(xvmc_to_stream(conn));
}

const struct xvmc_conn_ops xvmc_stream_ops = {
	.kind		= "stream",
	.ask		= stream_fill_ask,
	.opened		= stream_opened,
	.refused	= stream_refused,
	.down		= stream_down,
	.cut		= xvmc_park_cut,
	.meet		= xvmc_park_meet,
	.tx_lent	= stream_tx_lent,
	.data_ready	= stream_data_ready,
	.write_space	= stream_write_space,
	.release	= stream_release,
	.describe	= stream_describe,
};
