// SPDX-License-Identifier: GPL-2.0
/*
 * Streams of AF_XENVMC: connect, and its undoing.
 *
 * Under the socket lock, which is dropped while connect() waits. The timer of
 * the socket runs while a stream opens, in softirq context.
 */
#include <linux/net.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include "peer.h"
#include "stream.h"
#include "transport.h"

#define STREAM_CONNECT_WAIT	(30 * HZ)
/* TCP would send another SYN; here it costs little, so it is done sooner */
#define STREAM_BACKOFF_MIN	max(HZ / 50, 1)
#define STREAM_BACKOFF_MAX	HZ
#define STREAM_TIMER_AGAIN	max(HZ / 50, 1)

/* The domain that has @uuid at present */
static int stream_find_uuid(struct net *net, const char *uuid, u16 *domid)
{
	struct xvmc_chan *chan;

	if (xvmc_xen_is_own_uuid(uuid)) {
		*domid = XENVMC_DOMID_SELF;
		return 0;
	}
	if (!net_eq(net, &init_net))
		return -ENETUNREACH;
	chan = xvmc_peer_chan_by_uuid(uuid);
	if (!chan)
		return -EHOSTUNREACH;
	*domid = chan->peer->domid;
	xvmc_chan_put(chan);
	return 0;
}

/*
 * The loopback for own ids, and for any id as TCP has it for 0.0.0.0. Who is
 * meant is settled by the first try: one after a suspend, of this guest or of
 * the peer, looks for the same guest, whatever numbers the two have by then
 */
static struct xvmc_chan *stream_channel(struct xvmc_sock *xsk)
{
	struct net *net = sock_net(&xsk->sk);
	struct xvmc_chan *chan;
	u16 own;

	if (xsk->remote_is_local) {
		chan = xvmc_loop_chan_get(false);
		return chan ? chan : ERR_PTR(-ENETUNREACH);
	}
	/* Other domains are on the network of the host's own namespace */
	if (!net_eq(net, &init_net) || !xvmc_xen_own_domid(&own))
		return ERR_PTR(-ENETUNREACH);
	if (xsk->remote_uuid[0])
		chan = xvmc_peer_chan_by_uuid(xsk->remote_uuid);
	else
		chan = xvmc_peer_chan_by_domid(xsk->remote_domid);
	if (!chan)
		return ERR_PTR(-EHOSTUNREACH);
	strscpy(xsk->remote_uuid, chan->uuid, sizeof(xsk->remote_uuid));
	xsk->remote_domid = chan->peer->domid;
	if (!(xsk->sk.sk_userlocks & SOCK_BINDADDR_LOCK))
		xsk->local_domid = own;
	return chan;
}

/* Sends CONNECT. The answer comes as opened() or refused() */
static int stream_ask(struct sock *sk, gfp_t gfp)
{
	struct xvmc_sock *xsk = xvmc_sk(sk);
	struct xvmc_stream *stream;
	struct xvmc_chan *chan;
	long left;

	sock_owned_by_me(sk);
	chan = stream_channel(xsk);
	if (IS_ERR(chan))
		return PTR_ERR(chan);
	stream = xvmc_stream_conn_new(sk, chan, NULL, gfp);
	xvmc_chan_put(chan);
	if (IS_ERR(stream))
		return PTR_ERR(stream) == -ENETDOWN ? -EHOSTUNREACH :
						      PTR_ERR(stream);
	rcu_assign_pointer(xsk->conn, &stream->conn);
	left = xsk->deadline - jiffies;
	xvmc_conn_ask(&stream->conn, max(left, 1L));
	return 0;
}

/**
 * xvmc_stream_ask_later() - the listener's backlog is full
 * @sk: socket without connection, in state TCP_SYN_SENT
 *
 * TCP would get no answer and send another SYN after a while: the user sees a
 * slow connect() and no error.
 * Context: socket lock held.
 */
void xvmc_stream_ask_later(struct sock *sk)
{
	struct xvmc_sock *xsk = xvmc_sk(sk);

	sk_reset_timer(sk, &sk->sk_timer, jiffies + xsk->backoff);
	xsk->backoff = min_t(unsigned long, xsk->backoff * 2,
			     STREAM_BACKOFF_MAX);
}

/* The peer, or this guest, is suspended perhaps: it may come back */
static void stream_ask_again(struct sock *sk)
{
	bool late = time_after(jiffies, xvmc_sk(sk)->deadline);
	int err;

	err = stream_ask(sk, GFP_ATOMIC);
	if (!late && (err == -ENOMEM || err == -ENOBUFS ||
		      err == -EHOSTUNREACH || err == -ENETUNREACH))
		xvmc_stream_ask_later(sk);
	else if (err)
		xvmc_stream_reset(sk, -err);
}

/* Softirq: no ring was lent for long, or it is time to ask once more */
static void stream_timer(struct timer_list *timer)
{
	struct sock *sk = container_of(timer, struct sock, sk_timer);

	struct xvmc_conn *conn;

	bh_lock_sock(sk);
	conn = xvmc_stream_conn_locked(sk);
	if (sock_owned_by_user(sk))
		sk_reset_timer(sk, timer, jiffies + STREAM_TIMER_AGAIN);
	else if (sk->sk_state == TCP_SYN_SENT && !conn)
		stream_ask_again(sk);
	else if (conn && READ_ONCE(conn->state) == XVMC_CONN_UP)
		xvmc_stream_establish(sk);
	bh_unlock_sock(sk);
	sock_put(sk);
}

/**
 * xvmc_stream_init_sock() - prepare the stream's part of a new socket
 * @sk: socket
 *
 * Context: any.
 */
void xvmc_stream_init_sock(struct sock *sk)
{
	timer_setup(&sk->sk_timer, stream_timer, 0);
}

/* Own name for a connection to @domid, if bind() did not choose it */
static int stream_set_names(struct xvmc_sock *xsk, u16 domid, u32 port)
{
	bool local = xvmc_addr_is_local(domid);

	/* As for an IP socket that is bound to 127.0.0.1 */
	if (!local && xsk->local_domid == XENVMC_DOMID_SELF)
		return -EINVAL;
	if (!xsk->local_port && xvmc_table_bind(xsk, XENVMC_DOMID_ANY, 0))
		return -EADDRNOTAVAIL;
	if (xsk->local_domid == XENVMC_DOMID_ANY)
		xsk->local_domid = local ? domid : xvmc_addr_own_domid();
	xsk->remote_domid = domid;
	xsk->remote_port = port;
	return 0;
}

/* Undoes it. A port and a domid that bind() was given stay */
static void stream_clear_names(struct sock *sk)
{
	struct xvmc_sock *xsk = xvmc_sk(sk);

	xsk->remote_domid = XENVMC_DOMID_ANY;
	xsk->remote_port = 0;
	if (!(sk->sk_userlocks & SOCK_BINDADDR_LOCK))
		xsk->local_domid = XENVMC_DOMID_ANY;
	if (!(sk->sk_userlocks & SOCK_BINDPORT_LOCK))
		xvmc_table_remove(xsk);
}

static int stream_begin_connect(struct sock *sk, struct sockaddr_unsized *uaddr,
				int len)
{
	struct xvmc_sock *xsk = xvmc_sk(sk);
	struct sockaddr_xenvmc *svm;
	u16 domid;
	int err;

	err = xvmc_addr_check(uaddr, len, &svm);
	if (err)
		return err;
	domid = svm->svm_domid == XENVMC_DOMID_ANY ? XENVMC_DOMID_SELF :
						     svm->svm_domid;
	err = xvmc_addr_uuid(svm, len, xsk->remote_uuid);
	if (!err && xsk->remote_uuid[0])
		err = stream_find_uuid(sock_net(sk), xsk->remote_uuid, &domid);
	if (err)
		return err;
	xsk->remote_is_local = xvmc_addr_is_local(domid);
	err = stream_set_names(xsk, domid, svm->svm_port);
	if (err)
		return err;
	xsk->deadline = jiffies + STREAM_CONNECT_WAIT;
	xsk->backoff = STREAM_BACKOFF_MIN;
	xsk->fin_sent = false;
	xsk->fin_rcvd = false;
	xsk->peer_left = false;
	xsk->rx_over = false;
	WRITE_ONCE(sk->sk_err, 0);
	WRITE_ONCE(sk->sk_state, TCP_SYN_SENT);
	err = stream_ask(sk, GFP_KERNEL);
	if (err) {
		WRITE_ONCE(sk->sk_state, TCP_CLOSE);
		stream_clear_names(sk);
	}
	return err;
}

/* Returns what is left of @timeo */
static long stream_wait_opened(struct sock *sk, long timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);

	add_wait_queue(sk_sleep(sk), &wait);
	while (sk->sk_state == TCP_SYN_SENT) {
		release_sock(sk);
		timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, timeo);
		lock_sock(sk);
		if (signal_pending(current) || !timeo)
			break;
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	return timeo;
}

/**
 * xvmc_stream_disconnect() - end what there is, so that it can be used anew
 * @sk: socket in any state
 *
 * Context: process, socket lock held.
 */
void xvmc_stream_disconnect(struct sock *sk)
{
	u8 old = sk->sk_state;

	sock_owned_by_me(sk);
	WRITE_ONCE(sk->sk_state, TCP_CLOSE);
	if (old == TCP_LISTEN)
		xvmc_stream_stop_listening(sk);
	else if (old != TCP_CLOSE)
		WRITE_ONCE(sk->sk_err, ECONNRESET);
	sk_stop_timer(sk, &sk->sk_timer);
	xvmc_stream_leave(xvmc_stream_take_conn(sk), true);
	stream_clear_names(sk);
	sk_set_peek_off(sk, -1);
	WRITE_ONCE(sk->sk_shutdown, 0);
	WRITE_ONCE(xvmc_sk(sk)->fin_rcvd, false);
	sk_error_report(sk);
}

/* What became of it, after waiting */
static int stream_finish_connect(struct socket *sock)
{
	struct sock *sk = sock->sk;
	int err;

	if (sk->sk_state != TCP_CLOSE) {
		sock->state = SS_CONNECTED;
		return 0;
	}
	err = sock_error(sk);
	sock->state = SS_UNCONNECTED;
	xvmc_stream_disconnect(sk);
	return err ? err : -ECONNABORTED;
}

static int stream_connect(struct socket *sock, struct sockaddr_unsized *uaddr,
			  int len, int flags)
{
	long timeo = sock_sndtimeo(sock->sk, flags & O_NONBLOCK);
	struct sock *sk = sock->sk;
	int err = -EALREADY;

	if (sock->state == SS_CONNECTED)
		return -EISCONN;
	if (sock->state == SS_UNCONNECTED) {
		if (sk->sk_state != TCP_CLOSE)
			return -EISCONN;
		err = stream_begin_connect(sk, uaddr, len);
		if (err)
			return err;
		sock->state = SS_CONNECTING;
		err = -EINPROGRESS;
	} else if (sock->state != SS_CONNECTING) {
		return -EINVAL;
	}
	if (sk->sk_state == TCP_SYN_SENT) {
		if (!timeo)
			return err;
		timeo = stream_wait_opened(sk, timeo);
		if (!timeo)
			return err;
		if (signal_pending(current))
			return sock_intr_errno(timeo);
	}
	return stream_finish_connect(sock);
}

/**
 * xvmc_stream_connect() - connect(2)
 * @sock: socket
 * @uaddr: address; AF_UNSPEC disconnects
 * @len: its length
 * @flags: O_NONBLOCK
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int xvmc_stream_connect(struct socket *sock, struct sockaddr_unsized *uaddr,
			int len, int flags)
{
	struct sock *sk = sock->sk;
	int err = 0;

	if (len < (int)sizeof(uaddr->sa_family))
		return -EINVAL;
	lock_sock(sk);
	if (uaddr->sa_family == AF_UNSPEC) {
		xvmc_stream_disconnect(sk);
		sock->state = SS_UNCONNECTED;
	} else {
		err = stream_connect(sock, uaddr, len, flags);
	}
	release_sock(sk);
	return err;
}

