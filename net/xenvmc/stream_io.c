// SPDX-License-Identifier: GPL-2.0
/*
 * Streams of AF_XENVMC: send and receive.
 *
 * Bytes are moved under the mutex of their direction, waiting is done outside
 * of it on the socket's wait queue: try, ask the engine for a wake-up, which
 * looks again, sleep. A kick is asked for only by who sleeps or polls; to a
 * peer that is asked for none, a write costs no hypercall.
 *
 * The order of checks in sendmsg and recvmsg is that of tcp_sendmsg_locked()
 * and tcp_recvmsg_locked(): it decides which errno a user sees.
 */
#include <linux/net.h>
#include <linux/sched/signal.h>
#include "stream.h"

/* Whom an edge matters to: epoll, io_uring, SIGIO. Sleepers look themselves */
static bool stream_watched(struct sock *sk)
{
	struct socket_wq *wq;
	bool watched;

	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	watched = skwq_has_sleeper(wq) || (wq && wq->fasync_list);
	rcu_read_unlock();
	return watched;
}

/* ---- sending ------------------------------------------------------------ */

/**
 * xvmc_stream_send_fin() - mark the end of the own stream
 * @conn: connection
 *
 * Nothing without a ring; the next one gets the mark when it is lent.
 * Context: process, takes tx.mutex.
 */
void xvmc_stream_send_fin(struct xvmc_conn *conn)
{
	mutex_lock(&conn->tx.mutex);
	xvmc_tx_finish(conn);
	mutex_unlock(&conn->tx.mutex);
}

/*
 * The peer has closed and takes nothing any more. TCP takes the bytes and gets
 * an RST for them, so that this write succeeds and what follows fails.
 */
static ssize_t stream_write_void(struct sock *sk, struct xvmc_conn *conn,
				 struct msghdr *msg)
{
	size_t len = msg_data_left(msg);
	bool mine;

	lock_sock(sk);
	mine = xvmc_stream_conn_locked(sk) == conn;
	if (mine)
		xvmc_stream_reset(sk, EPIPE);
	release_sock(sk);
	/* The socket has another connection by now: see there */
	if (!mine)
		return 0;
	iov_iter_advance(&msg->msg_iter, len);
	return len;
}

static ssize_t stream_write_locked(struct sock *sk, struct xvmc_conn *conn,
				   struct msghdr *msg)
{
	ssize_t n = 0;

	mutex_lock(&conn->tx.mutex);
	pagefault_disable();
	if (READ_ONCE(sk->sk_err) ||
	    (READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN))
		n = -EPIPE;
	else if (READ_ONCE(xvmc_sk(sk)->peer_left))
		n = stream_write_void(sk, conn, msg);
	else if (!xvmc_tx_start(conn, 0))
		n = xvmc_tx_write(conn, &msg->msg_iter, msg_data_left(msg));
	if (!n && conn->tx.started)
		xvmc_tx_stalls(conn);
	pagefault_enable();
	mutex_unlock(&conn->tx.mutex);
	return n;
}

/* What fits. Bytes, 0 if there is no room, or an errno */
static ssize_t stream_write(struct sock *sk, struct xvmc_conn *conn,
			    struct msghdr *msg)
{
	u32 tries = 0;
	ssize_t n;

	do {
		n = stream_write_locked(sk, conn, msg);
	} while (n == -EFAULT &&
		 xvmc_fault_in(&msg->msg_iter, false, XVMC_FAULT_IN, &tries));
	return n;
}

/**
 * xvmc_stream_wake_space() - there is room, or the end
 * @sk: socket
 *
 * As TCP, wakes nobody who has found room so far: an edge means a change.
 * Context: any.
 */
void xvmc_stream_wake_space(struct sock *sk)
{
	struct xvmc_sock *xsk = xvmc_sk(sk);

	/* What changed is seen by who sets @nospace: xvmc_stream_writable() */
	smp_mb();
	if (!READ_ONCE(xsk->nospace))
		return;
	WRITE_ONCE(xsk->nospace, false);
	sk->sk_write_space(sk);
}

static bool stream_has_room(struct sock *sk, struct xvmc_conn *conn)
{
	if (READ_ONCE(xvmc_sk(sk)->peer_left))
		return true;
	/* No ring is lent (yet): tx_lent comes, or the end */
	if (!rcu_access_pointer(conn->tx.ring))
		return false;
	return xvmc_tx_want_space(conn);
}

/**
 * xvmc_stream_writable() - could a writer go on, or look for another one?
 * @sk: socket
 * @conn: its connection, as the caller knows it
 *
 * If not, it, or who polls, is woken when it can.
 * Context: any.
 */
bool xvmc_stream_writable(struct sock *sk, struct xvmc_conn *conn)
{
	if (stream_has_room(sk, conn))
		return true;
	sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	WRITE_ONCE(xvmc_sk(sk)->nospace, true);
	/* Pairs with the barrier in xvmc_stream_wake_space() */
	smp_mb();
	return stream_has_room(sk, conn) ||
	       conn != rcu_access_pointer(xvmc_sk(sk)->conn);
}

static bool stream_send_over(struct sock *sk)
{
	return READ_ONCE(sk->sk_err) ||
	       (READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN);
}

static int stream_wait_space(struct sock *sk, struct xvmc_conn *conn,
			     long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	bool any = false;
	long left;
	int err;

	add_wait_queue(sk_sleep(sk), &wait);
	/* Pairs with the barrier in skwq_has_sleeper(): queued, then looked */
	smp_mb();
	for (;;) {
		err = -EPIPE;
		if (stream_send_over(sk))
			break;
		err = -EAGAIN;
		if (!*timeo)
			break;
		err = sock_intr_errno(*timeo);
		if (signal_pending(current))
			break;
		err = 0;
		if (xvmc_stream_writable(sk, conn) ||
		    (any && xvmc_tx_has_space(conn)))
			break;
		/* It may have been taken back */
		xvmc_tx_want_ring(conn);
		left = xvmc_wait_some(&wait, any ? MAX_SCHEDULE_TIMEOUT :
						   XVMC_LITTLE_SPACE, timeo);
		if (!left && !any) {
			any = true;
			xvmc_tx_want_any(conn);
		}
	}
	if (any)
		xvmc_tx_want_half(conn);
	/* Who polls beside us may have asked for what has come: asked anew */
	if (any && READ_ONCE(xvmc_sk(sk)->nospace) &&
	    xvmc_stream_writable(sk, conn))
		xvmc_stream_wake_space(sk);
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

/* A writer found the ring full: whoever watches is owed an edge */
static void stream_arm_space(struct sock *sk, struct xvmc_conn *conn)
{
	if (stream_watched(sk) && xvmc_stream_writable(sk, conn))
		sk->sk_write_space(sk);
}

/* A connection that was cut goes on as another one, see stream_park.c */
static bool stream_renew_conn(struct xvmc_sock *xsk, struct xvmc_conn **connp)
{
	if (*connp == rcu_access_pointer(xsk->conn))
		return false;
	if (*connp)
		xvmc_conn_put(*connp);
	*connp = xvmc_stream_conn_get(xsk);
	return true;
}

static int stream_send_all(struct sock *sk, struct xvmc_conn **connp,
			   struct msghdr *msg, long timeo, int *copied)
{
	struct xvmc_conn *conn;
	ssize_t n;
	int err;

	if (stream_send_over(sk))
		return -EPIPE;
	while (msg_data_left(msg)) {
		stream_renew_conn(xvmc_sk(sk), connp);
		conn = *connp;
		if (!conn)
			return -EPIPE;
		n = stream_write(sk, conn, msg);
		if (n < 0)
			return n;
		*copied += n;
		if (n)
			continue;
		err = stream_wait_space(sk, conn, &timeo);
		if (err == -EAGAIN)
			stream_arm_space(sk, conn);
		if (err)
			return err;
	}
	return 0;
}

/* Waits for connect() to end. As TCP, also in states that it can not be in */
static int stream_wait_connected(struct sock *sk, long *timeo)
{
	int err = 0;

	if (READ_ONCE(sk->sk_state) == TCP_ESTABLISHED)
		return 0;
	lock_sock(sk);
	/* It is EPIPE to that if connect() has ended meanwhile */
	if (sk->sk_state != TCP_ESTABLISHED)
		err = sk_stream_wait_connect(sk, timeo);
	release_sock(sk);
	return err;
}

static int stream_check_cmsg(struct sock *sk, struct msghdr *msg)
{
	struct sockcm_cookie sockc;

	if (!msg->msg_controllen)
		return 0;
	sockcm_init(&sockc, sk);
	return sock_cmsg_send(sk, msg, &sockc) ? -EINVAL : 0;
}

/**
 * xvmc_stream_sendmsg() - send(2) and its relatives
 * @sock: socket
 * @msg: the message
 * @len: its length
 *
 * Context: process.
 * Return: bytes or a negative errno.
 */
int xvmc_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	long timeo = sock_sndtimeo(sock->sk, msg->msg_flags & MSG_DONTWAIT);
	struct xvmc_conn *conn = NULL;
	struct sock *sk = sock->sk;
	int copied = 0;
	int err;

	if (msg->msg_flags & (MSG_OOB | MSG_FASTOPEN))
		return -EOPNOTSUPP;
	err = stream_wait_connected(sk, &timeo);
	if (err)
		goto out;
	err = stream_check_cmsg(sk, msg);
	if (err)
		return err;
	sk_clear_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	conn = xvmc_stream_conn_get(xvmc_sk(sk));
	err = conn ? stream_send_all(sk, &conn, msg, timeo, &copied) : -EPIPE;
	if (conn)
		xvmc_conn_put(conn);
out:
	return copied ? copied : sk_stream_error(sk, msg->msg_flags, err);
}

/* ---- receiving ---------------------------------------------------------- */

/**
 * struct stream_read - one call of recvmsg
 * @msg: where to
 * @len: bytes wanted still
 * @skip: bytes to pass over: those that MSG_PEEK has seen, and SO_PEEK_OFF
 * @flags: of the call
 * @fin: the end of the stream is behind what is in the ring
 * @closed: both directions had ended before the ring was looked at
 * @cut: a page was missing before all that was there had been copied
 * @idle: for a while nothing came to be seen by a peek at much
 */
struct stream_read {
	struct msghdr *msg;
	size_t len;
	size_t skip;
	int flags;
	bool fin;
	bool closed;
	bool cut;
	bool idle;
};

static ssize_t stream_copy(struct xvmc_conn *conn, struct stream_read *rd,
			   u32 used)
{
	struct iov_iter *to = rd->flags & MSG_TRUNC ? NULL :
						      &rd->msg->msg_iter;
	size_t len;
	ssize_t n;

	if (used <= rd->skip || !rd->len)
		return 0;
	len = min(rd->len, used - rd->skip);
	n = xvmc_rx_read(conn, to, len, rd->skip, !(rd->flags & MSG_PEEK));
	rd->cut = n > 0 && n < len;
	return n;
}

/* rx.mutex held. Bytes, 0 if there are none, or an errno */
static ssize_t stream_read_ring(struct sock *sk, struct xvmc_conn *conn,
				struct stream_read *rd)
{
	struct xvmc_rx_view view = {};
	u32 limit;

	if (READ_ONCE(xvmc_sk(sk)->rx_over))
		return 0;
	if (xvmc_rx_view(conn, &view))
		return -ECONNRESET;
	/* S is reached at once. That the stream ended is all it can say */
	rd->fin = view.mark.stopped && view.mark.seq;
	view.copied_seq = view.mark.seq;
	view.rcv_nxt = view.mark.seq;
	switch (xvmc_rx_next(&view, &limit)) {
	case XVMC_SRC_RING:
		return stream_copy(conn, rd, limit);
	case XVMC_SRC_RING_DONE:
		/* Not of one that connect() has replaced meanwhile */
		if (rd->fin && conn == rcu_access_pointer(xvmc_sk(sk)->conn)) {
			/* Pairs with the acquire in stream_ended() */
			smp_store_release(&xvmc_sk(sk)->fin_rcvd, true);
		}
		/* Without the end of the stream, it goes on in the next lend */
		xvmc_rx_done(conn, !rd->fin);
		return 0;
	case XVMC_SRC_VIOLATION:
		xvmc_chan_violation(conn->chan, "stop mark without start");
		return -ECONNRESET;
	default:
		return 0;
	}
}

static ssize_t stream_read_locked(struct sock *sk, struct xvmc_conn *conn,
				  struct stream_read *rd)
{
	ssize_t n;

	mutex_lock(&conn->rx.mutex);
	pagefault_disable();
	n = stream_read_ring(sk, conn, rd);
	pagefault_enable();
	mutex_unlock(&conn->rx.mutex);
	return n;
}

/* Not more is brought in than there is to be copied */
static bool stream_fault_in(struct xvmc_conn *conn, struct stream_read *rd,
			    u32 *tries)
{
	return xvmc_fault_in(&rd->msg->msg_iter, true,
			     min_t(size_t, rd->len, xvmc_rx_queued(conn)),
			     tries);
}

/* Bytes, 0 if there are none, or -EFAULT. A broken ring ends the stream */
static ssize_t stream_read(struct sock *sk, struct xvmc_conn *conn,
			   struct stream_read *rd)
{
	u32 tries = 0;
	ssize_t n;

	do {
		n = stream_read_locked(sk, conn, rd);
	} while (n == -EFAULT && stream_fault_in(conn, rd, &tries));
	if (n == -ECONNRESET) {
		lock_sock(sk);
		if (xvmc_stream_conn_locked(sk) == conn)
			xvmc_stream_reset(sk, ECONNRESET);
		release_sock(sk);
		n = 0;
	} else if (!n && rd->fin) {
		xvmc_stream_check_done(sk);
	}
	return n;
}

/*
 * Nothing will come any more, or nothing is wanted. Bytes that came before that
 * are in the ring before this is true: look here first, then at the ring.
 */
static bool stream_ended(struct sock *sk)
{
	/* Pairs with the release in xvmc_stream_peer_left() */
	return smp_load_acquire(&xvmc_sk(sk)->fin_rcvd) ||
	       /* and this with that in xvmc_stream_reset() */
	       smp_load_acquire(&sk->sk_state) == TCP_CLOSE ||
	       READ_ONCE(sk->sk_err) ||
	       (READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN);
}

/* What a broken sender writes from now on is not part of the stream */
static void stream_close_ring(struct sock *sk, const struct xvmc_conn *conn)
{
	lock_sock(sk);
	if (conn && xvmc_stream_conn_locked(sk) == conn)
		WRITE_ONCE(xvmc_sk(sk)->rx_over, true);
	release_sock(sk);
}

/* The end was reached with nothing read: 0 or an errno */
static int stream_end_result(struct sock *sk, const struct xvmc_conn *conn,
			     const struct stream_read *rd)
{
	/* First: who sees this sees what xvmc_stream_reset() wrote before */
	bool closed = smp_load_acquire(&sk->sk_state) == TCP_CLOSE;

	if (rd->closed && rd->len && !(rd->flags & MSG_PEEK))
		stream_close_ring(sk, conn);
	if (READ_ONCE(xvmc_sk(sk)->fin_rcvd) || rd->fin)
		return 0;
	if (READ_ONCE(sk->sk_err))
		return sock_error(sk);
	if (READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN)
		return 0;
	return closed ? -ENOTCONN : 0;
}

/**
 * xvmc_stream_at_most() - how many bytes are waited for
 * @conn: connection
 * @wanted: bytes
 *
 * Half of the ring at most, so that the sender can go on.
 * Context: any.
 */
u32 xvmc_stream_at_most(struct xvmc_conn *conn, size_t wanted)
{
	return clamp_t(size_t, wanted, 1, max(xvmc_rx_size(conn) / 2, 1));
}

/*
 * Is there one byte more, or reason to look? @ring_has is xvmc_rx_want_data(),
 * and data_ready comes if not, or xvmc_rx_look().
 */
static bool stream_has_more(struct sock *sk, struct xvmc_conn *conn,
			    const struct stream_read *rd,
			    bool (*ring_has)(struct xvmc_conn *conn, u32 n))
{
	if (stream_ended(sk) || conn != rcu_access_pointer(xvmc_sk(sk)->conn))
		return true;
	/* A peek behind the end of the ring waits for other readers */
	if (!conn || (rd->skip && rd->skip >= xvmc_rx_size(conn)))
		return false;
	/* So does one before a stop mark, but for that of the stream */
	if (rd->skip && xvmc_rx_over(conn))
		return xvmc_rx_fin(conn) || xvmc_rx_queued(conn) > rd->skip;
	return ring_has(conn, rd->skip + 1);
}

static void stream_spin(struct sock *sk, struct xvmc_conn *conn,
			const struct stream_read *rd)
{
	struct xvmc_spin spin;
	bool hit;

	if (!conn || !xvmc_spin_begin(conn, &spin))
		return;
	do
		hit = stream_has_more(sk, conn, rd, xvmc_rx_look);
	while (!hit && xvmc_spin_on(&spin));
	xvmc_spin_end(conn, hit);
}

/* A peek at so much that the sender may wait for room, and the peek for it */
static bool stream_peeks_far(struct xvmc_conn *conn,
			     const struct stream_read *rd)
{
	return rd->flags & MSG_PEEK && conn &&
	       rd->skip >= xvmc_rx_surely(conn);
}

/*
 * Until there is one byte more, however many are missing: what was read makes
 * room, and the peer sees from its queue that it was. A peek makes none, and
 * looks from time to time whether the peer waits for it.
 */
static long stream_wait_data(struct sock *sk, struct xvmc_conn *conn,
			     struct stream_read *rd, long timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	bool far = stream_peeks_far(conn, rd);
	long nap = far ? min_t(long, timeo, XVMC_PEEK_MORE) : timeo;
	long left = nap;

	if (timeo)
		stream_spin(sk, conn, rd);
	add_wait_queue(sk_sleep(sk), &wait);
	/* Pairs with the barrier in skwq_has_sleeper(): queued, then looked */
	smp_mb();
	while (left && !signal_pending(current) &&
	       !stream_has_more(sk, conn, rd, xvmc_rx_want_data))
		left = wait_woken(&wait, TASK_INTERRUPTIBLE, left);
	remove_wait_queue(sk_sleep(sk), &wait);
	rd->idle = far && !left;
	return timeo == MAX_SCHEDULE_TIMEOUT ? timeo : timeo - (nap - left);
}

/* A reader emptied the ring: whoever watches is owed an edge for the next */
static void stream_arm_data(struct sock *sk, struct xvmc_conn *conn)
{
	u32 lowat = xvmc_stream_at_most(conn, READ_ONCE(sk->sk_rcvlowat));

	if (!stream_watched(sk) || xvmc_rx_queued(conn) >= lowat)
		return;
	if (xvmc_rx_want_data(conn, lowat) && xvmc_rx_queued(conn) >= lowat)
		sk->sk_data_ready(sk);
}

/* Must a call return now that has what it has? @ended: nothing more comes */
static bool stream_enough(struct xvmc_conn *conn, const struct stream_read *rd,
			  int copied, int target, bool ended, long timeo)
{
	if (copied >= target)
		return true;
	if (copied && (!timeo || ended || signal_pending(current)))
		return true;
	if (!copied || !conn || !(rd->flags & MSG_PEEK))
		return false;
	/*
	 * A peek can not see further than the ring reaches; and behind the
	 * stop mark nothing comes before what is in front of it was read
	 */
	return rd->skip >= xvmc_rx_size(conn) ||
	       (rd->idle && xvmc_rx_is_awaited(conn)) ||
	       (xvmc_rx_over(conn) && rd->skip >= xvmc_rx_queued(conn));
}

/* Reads until @target bytes are there, or the end, or time is up */
static int stream_recv_all(struct sock *sk, struct xvmc_conn **connp,
			   struct stream_read *rd, int target, long timeo)
{
	struct xvmc_sock *xsk = xvmc_sk(sk);
	int copied = 0;
	bool ended;
	ssize_t n;

	for (;;) {
		stream_renew_conn(xsk, connp);
		/* Pairs with the release in xvmc_stream_reset() */
		rd->closed = smp_load_acquire(&sk->sk_state) == TCP_CLOSE;
		ended = stream_ended(sk);
		n = *connp ? stream_read(sk, *connp, rd) : 0;
		if (n < 0)
			return copied ? copied : n;
		copied += n;
		rd->len -= n;
		if (rd->flags & MSG_PEEK)
			rd->skip += n;
		if (n && rd->len && (copied < target || rd->cut))
			continue;
		/* It ended after the look at it and before that at the ring */
		if (!n && !ended && stream_ended(sk))
			continue;
		/* Or what is unread is with another connection by now */
		if (!n && stream_renew_conn(xsk, connp))
			continue;
		ended = ended || rd->fin;
		if (stream_enough(*connp, rd, copied, target, ended,
				  timeo))
			return copied;
		if (!rd->len && *connp && xvmc_rx_queued(*connp) > rd->skip)
			return 0;
		if (ended)
			return stream_end_result(sk, *connp, rd);
		if (!timeo)
			return -EAGAIN;
		if (signal_pending(current))
			return sock_intr_errno(timeo);
		timeo = stream_wait_data(sk, *connp, rd, timeo);
		/* As TCP does: who asks for no bytes waits once */
		if (!rd->len)
			return 0;
	}
}

static void stream_peeked(struct sock *sk, int flags, int copied)
{
	if (flags & MSG_PEEK)
		sk_peek_offset_fwd(sk, copied);
	else
		sk_peek_offset_bwd(sk, copied);
}

/**
 * xvmc_stream_recvmsg() - recv(2) and its relatives
 * @sock: socket
 * @msg: the message
 * @len: room for it
 * @flags: MSG_PEEK and others
 *
 * Context: process.
 * Return: bytes or a negative errno.
 */
int xvmc_stream_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
			int flags)
{
	struct stream_read rd = { .msg = msg, .len = len, .flags = flags };
	struct xvmc_conn *conn = NULL;
	struct sock *sk = sock->sk;
	int copied;

	msg->msg_namelen = 0;
	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if (READ_ONCE(sk->sk_state) == TCP_LISTEN)
		return -ENOTCONN;
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (flags & MSG_PEEK)
		rd.skip = max(sk_peek_offset(sk, flags), 0);
	copied = stream_recv_all(sk, &conn, &rd,
				 sock_rcvlowat(sk, flags & MSG_WAITALL, len),
				 sock_rcvtimeo(sk, flags & MSG_DONTWAIT));
	if (copied > 0)
		stream_peeked(sk, flags, copied);
	if (conn) {
		stream_arm_data(sk, conn);
		xvmc_conn_put(conn);
	}
	return copied;
}
