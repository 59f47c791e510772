// SPDX-License-Identifier: GPL-2.0
/*
 * Streams of AF_XENVMC: what a socket is ready for, and how much there is.
 *
 * No lock: an answer may be old when it is given, and an event follows.
 */
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/sockios.h>
#include <asm/ioctls.h>
#include "stream.h"

/* SO_RCVLOWAT can be no more than half of the largest ring */
#define STREAM_LOWAT_MAX	((XVMC_PAGE_SIZE << XVMC_ORDER_LARGE) / 2)

/**
 * xvmc_stream_set_rcvlowat() - SO_RCVLOWAT
 * @sk: socket
 * @val: bytes
 *
 * At most half of a ring, as TCP allows half of its buffer.
 * Context: process, socket lock held.
 * Return: 0.
 */
int xvmc_stream_set_rcvlowat(struct sock *sk, int val)
{
	struct xvmc_conn *conn = xvmc_stream_conn_locked(sk);

	val = clamp(val, 1, STREAM_LOWAT_MAX);
	WRITE_ONCE(sk->sk_rcvlowat, val);
	if (conn && xvmc_rx_queued(conn) >= val)
		sk->sk_data_ready(sk);
	return 0;
}

/*
 * Enough to read? If not, data_ready comes. A stop mark alone is nothing, but
 * what is in front of it is enough: more come only when these are read. With
 * @edge, more bytes are to be told of even if these are not read meanwhile.
 */
static bool stream_readable(struct sock *sk, struct xvmc_conn *conn, bool edge)
{
	u32 target = xvmc_stream_at_most(conn, sock_rcvlowat(sk, 0, INT_MAX));
	u32 queued = xvmc_rx_queued(conn);

	if (READ_ONCE(xvmc_sk(sk)->rx_over))
		return false;
	if (xvmc_rx_over(conn))
		target = 1;
	if (queued >= target) {
		if (edge)
			xvmc_rx_want_data(conn, queued + 1);
		return true;
	}
	return xvmc_rx_want_data(conn, target) &&
	       xvmc_rx_queued(conn) >= target;
}

/* RCU: the connection may be let go of meanwhile. @out: somebody would write */
static __poll_t stream_poll_conn(struct sock *sk, struct xvmc_conn *conn,
				 u8 state, bool edge, bool out)
{
	u8 shutdown = READ_ONCE(sk->sk_shutdown);
	bool opening = state == TCP_SYN_SENT;
	__poll_t mask = 0;

	if (!opening && conn && stream_readable(sk, conn, edge))
		mask |= EPOLLIN | EPOLLRDNORM;
	/* After the look at the ring, which asked to be woken by the mark */
	if (READ_ONCE(xvmc_sk(sk)->fin_rcvd) || (conn && xvmc_rx_fin(conn)))
		shutdown |= RCV_SHUTDOWN;
	if (shutdown == SHUTDOWN_MASK || state == TCP_CLOSE)
		mask |= EPOLLHUP;
	if (shutdown & RCV_SHUTDOWN)
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (opening)
		return mask;
	if ((shutdown & SEND_SHUTDOWN) || !conn ||
	    xvmc_stream_writable(sk, conn))
		mask |= EPOLLOUT | EPOLLWRNORM;
	else if (out)
		xvmc_tx_want_ring(conn);
	return mask;
}

/**
 * xvmc_stream_poll() - poll(2), select(2), epoll(7)
 * @file: of the socket
 * @sock: socket
 * @wait: whom to wake later
 *
 * Context: process.
 * Return: what the socket is ready for.
 */
__poll_t xvmc_stream_poll(struct file *file, struct socket *sock,
			  struct poll_table_struct *wait)
{
	bool out = poll_requested_events(wait) & (EPOLLOUT | EPOLLWRNORM);
	bool edge = wait && (wait->_key & EPOLLET);
	struct sock *sk = sock->sk;
	struct xvmc_conn *conn;
	__poll_t mask;
	u8 state;

	sock_poll_wait(file, sock, wait);
	/* Pairs with the release in xvmc_stream_establish() */
	state = smp_load_acquire(&sk->sk_state);
	if (state == TCP_LISTEN)
		return xvmc_stream_accept_ready(sk) ? EPOLLIN | EPOLLRDNORM : 0;
	rcu_read_lock();
	/* Another one has taken over meanwhile: that one will wake us */
	do {
		conn = rcu_dereference(xvmc_sk(sk)->conn);
		mask = stream_poll_conn(sk, conn, state, edge, out);
	} while (conn != rcu_access_pointer(xvmc_sk(sk)->conn));
	rcu_read_unlock();
	if (READ_ONCE(sk->sk_err))
		mask |= EPOLLERR;
	return mask;
}

static int stream_queued(struct sock *sk, unsigned int cmd)
{
	struct xvmc_conn *conn = xvmc_stream_conn_get(xvmc_sk(sk));
	int n = 0;

	if (!conn)
		return 0;
	if (cmd == SIOCINQ)
		n = xvmc_rx_queued(conn);
	else if (cmd == SIOCOUTQ)
		n = xvmc_tx_queued(conn);
	xvmc_conn_put(conn);
	return n;
}

/**
 * xvmc_stream_ioctl() - ioctl(2)
 * @sock: socket
 * @cmd: SIOCINQ (FIONREAD), SIOCOUTQ, SIOCOUTQNSD or SIOCATMARK
 * @arg: pointer to an int
 *
 * What the peer has not read counts as sent and not acknowledged.
 * Context: process.
 * Return: 0 or a negative errno.
 */
int xvmc_stream_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	struct sock *sk = sock->sk;
	int n = 0;

	switch (cmd) {
	case SIOCINQ:
	case SIOCOUTQ:
	case SIOCOUTQNSD:
		if (READ_ONCE(sk->sk_state) == TCP_LISTEN)
			return -EINVAL;
		n = stream_queued(sk, cmd);
		break;
	case SIOCATMARK:
		break;
	default:
		return -ENOIOCTLCMD;
	}
	return put_user(n, (int __user *)arg);
}
