// SPDX-License-Identifier: GPL-2.0
/*
 * Streams of AF_XENVMC: listen, accept, and requests from peers.
 *
 * A CONNECT comes in the channel's work, which serves all connections of a
 * peer and waits for no socket's lock: it makes a child that nobody knows yet
 * and puts it on the listener's queue, which has a spinlock of its own.
 */
#include <linux/net.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include "peer.h"
#include "stats.h"
#include "stream.h"

static int stream_listen(struct socket *sock, int backlog)
{
	struct sock *sk = sock->sk;
	struct xvmc_sock *xsk = xvmc_sk(sk);
	int err;

	if (sock->state != SS_UNCONNECTED)
		return -EINVAL;
	if (sk->sk_state != TCP_CLOSE && sk->sk_state != TCP_LISTEN)
		return -EINVAL;
	WRITE_ONCE(sk->sk_max_ack_backlog, backlog);
	if (sk->sk_state == TCP_LISTEN)
		return 0;
	if (!xsk->local_port) {
		err = xvmc_table_bind(xsk, XENVMC_DOMID_ANY, 0);
		if (err)
			return err;
	}
	return xvmc_table_listen(xsk);
}

/**
 * xvmc_stream_listen() - listen(2)
 * @sock: socket
 * @backlog: children that may wait, less one
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int xvmc_stream_listen(struct socket *sock, int backlog)
{
	int err;

	lock_sock(sock->sk);
	err = stream_listen(sock, backlog);
	release_sock(sock->sk);
	return err;
}

/* Takes a child whose handshake is over, in the order of arrival */
static struct sock *stream_dequeue(struct sock *sk)
{
	struct xvmc_sock *xsk = xvmc_sk(sk);
	struct xvmc_sock *child;
	struct sock *found = NULL;

	spin_lock(&xsk->accept_lock);
	list_for_each_entry(child, &xsk->accept_queue, accept_node) {
		/* Pairs with the release in xvmc_stream_establish() */
		if (smp_load_acquire(&child->sk.sk_state) == TCP_SYN_RECV)
			continue;
		list_del_init(&child->accept_node);
		sk_acceptq_removed(sk);
		found = &child->sk;
		break;
	}
	spin_unlock(&xsk->accept_lock);
	return found;
}

/**
 * xvmc_stream_accept_ready() - would accept() find a child?
 * @sk: listener
 *
 * Context: process.
 */
bool xvmc_stream_accept_ready(struct sock *sk)
{
	struct xvmc_sock *xsk = xvmc_sk(sk);
	struct xvmc_sock *child;
	bool ready = false;

	spin_lock(&xsk->accept_lock);
	list_for_each_entry(child, &xsk->accept_queue, accept_node) {
		ready = READ_ONCE(child->sk.sk_state) != TCP_SYN_RECV;
		if (ready)
			break;
	}
	spin_unlock(&xsk->accept_lock);
	return ready;
}

/* Waits, as one of many, for a child. Socket lock held, dropped meanwhile */
static struct sock *stream_wait_child(struct sock *sk, long timeo)
{
	struct sock *child;
	DEFINE_WAIT(wait);

	for (;;) {
		prepare_to_wait_exclusive(sk_sleep(sk), &wait,
					  TASK_INTERRUPTIBLE);
		release_sock(sk);
		if (!xvmc_stream_accept_ready(sk))
			timeo = schedule_timeout(timeo);
		sched_annotate_sleep();
		lock_sock(sk);
		child = stream_dequeue(sk);
		if (child)
			break;
		child = ERR_PTR(-EINVAL);
		if (sk->sk_state != TCP_LISTEN)
			break;
		child = ERR_PTR(sock_intr_errno(timeo));
		if (signal_pending(current))
			break;
		child = ERR_PTR(-EAGAIN);
		if (!timeo)
			break;
	}
	finish_wait(sk_sleep(sk), &wait);
	return child;
}

static struct sock *stream_get_child(struct sock *sk, int flags)
{
	long timeo = sock_rcvtimeo(sk, flags & O_NONBLOCK);
	struct sock *child;

	if (sk->sk_state != TCP_LISTEN)
		return ERR_PTR(-EINVAL);
	child = stream_dequeue(sk);
	if (child)
		return child;
	return timeo ? stream_wait_child(sk, timeo) : ERR_PTR(-EAGAIN);
}

/**
 * xvmc_stream_accept() - accept(2)
 * @sock: listener
 * @newsock: gets the child, and the queue's reference to it
 * @arg: flags
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int xvmc_stream_accept(struct socket *sock, struct socket *newsock,
		       struct proto_accept_arg *arg)
{
	struct sock *sk = sock->sk;
	struct sock *child;

	lock_sock(sk);
	child = stream_get_child(sk, arg->flags);
	release_sock(sk);
	if (IS_ERR(child))
		return PTR_ERR(child);

	/* Not on the queue any more: the listener's end does not find it */
	lock_sock(child);
	xvmc_sk(child)->listener = NULL;
	sock_graft(child, newsock);
	compat_sol_socket(newsock, true);
	newsock->state = SS_CONNECTED;
	release_sock(child);
	sock_put(sk);
	return 0;
}

/* On the queue from here on, unless the listener has ended or is full */
static int stream_enqueue(struct sock *sk, struct sock *child)
{
	struct xvmc_sock *xsk = xvmc_sk(sk);
	int err = 0;

	spin_lock(&xsk->accept_lock);
	if (READ_ONCE(sk->sk_state) != TCP_LISTEN) {
		err = -ECONNREFUSED;
	} else if (sk_acceptq_is_full(sk)) {
		err = -EAGAIN;
	} else {
		sock_hold(child);
		sk_acceptq_added(sk);
		list_add_tail(&xvmc_sk(child)->accept_node, &xsk->accept_queue);
	}
	spin_unlock(&xsk->accept_lock);
	return err;
}

/* A child for a CONNECT, not yet known to anyone, in state TCP_SYN_RECV */
static struct sock *stream_child_new(struct sock *sk, struct xvmc_chan *chan,
				     const struct xvmc_stream *names)
{
	struct xvmc_stream *stream;
	struct xvmc_sock *xsk;
	struct sock *child;

	child = xvmc_sock_new(sock_net(sk), NULL, sk, sk->sk_kern_sock);
	if (!child)
		return ERR_PTR(-ENOMEM);
	xsk = xvmc_sk(child);
	lock_sock(child);
	child->sk_state = TCP_SYN_RECV;
	xsk->remote_domid = names->daddr;
	xsk->remote_port = names->dport;
	sock_hold(sk);
	xsk->listener = sk;
	xvmc_table_add_child(xsk, names->saddr, names->sport);
	stream = xvmc_stream_conn_new(child, chan, names, GFP_KERNEL);
	if (!IS_ERR(stream))
		rcu_assign_pointer(xsk->conn, &stream->conn);
	release_sock(child);
	if (!IS_ERR(stream))
		return child;
	xvmc_stream_close(child);
	return ERR_CAST(stream);
}

/*
 * The queue has a reference of its own. If somebody ends the child, or the
 * channel, before the request is accepted, the request is refused after all.
 */
static int stream_take_request(struct sock *sk, struct xvmc_chan *chan,
			       const struct xvmc_stream *names, u32 peer_id)
{
	struct xvmc_conn *conn;
	struct sock *child;
	int err;

	if (sk_acceptq_is_full(sk))
		return -EAGAIN;
	child = stream_child_new(sk, chan, names);
	if (IS_ERR(child))
		return PTR_ERR(child);
	conn = xvmc_stream_conn_get(xvmc_sk(child));
	err = stream_enqueue(sk, child);
	if (err)
		xvmc_stream_close(child);
	else
		sock_put(child);
	if (!err && (!conn || xvmc_conn_accept(conn, peer_id)))
		err = -ECONNREFUSED;
	if (conn)
		xvmc_conn_put(conn);
	return err;
}

/*
 * CONNECT on the loopback says nothing of namespaces or of the own domain id
 * that was used. But its connecting end is a socket of this kernel: ask it.
 */
static struct sock *stream_loop_listener(struct xvmc_chan *chan, u32 id,
					 struct xvmc_stream *names)
{
	struct xvmc_chan *other = xvmc_loop_chan_get(false);
	const struct xvmc_stream *asking;
	struct xvmc_conn *conn = NULL;
	struct sock *sk = NULL;

	if (!other)
		return NULL;
	if (other != chan)
		conn = xvmc_conn_get_by_id(other, id);
	if (conn && conn->ops == &xvmc_stream_ops) {
		asking = xvmc_to_stream(conn);
		names->saddr = asking->daddr;
		names->daddr = asking->saddr;
		sk = xvmc_table_find_listener(sock_net(conn->sk),
					      asking->daddr, asking->dport);
	}
	if (conn)
		xvmc_conn_put(conn);
	xvmc_chan_put(other);
	return sk;
}

static struct sock *stream_find_listener(struct xvmc_chan *chan,
					 const struct xvmc_msg_connect *msg,
					 struct xvmc_stream *names)
{
	names->sport = msg->dport;
	names->dport = msg->sport;
	memcpy(names->park.token, msg->token, sizeof(msg->token));
	if (msg->type != SOCK_STREAM)
		return NULL;
	if (chan->ops == &xvmc_loop_ops)
		return stream_loop_listener(chan, msg->conn, names);
	names->saddr = xvmc_addr_own_domid();
	names->daddr = chan->peer->domid;
	return xvmc_table_find_listener(&init_net, names->saddr, msg->dport);
}

/**
 * xvmc_stream_incoming() - CONNECT came
 * @chan: channel
 * @msg: the message
 *
 * Without room in the backlog it is refused with EAGAIN, and the connecting end
 * asks again: the queue of those who wait is there and not here.
 * Context: process, the channel's work.
 * Return: 0 or the negative errno it was refused with.
 */
int xvmc_stream_incoming(struct xvmc_chan *chan,
			 const struct xvmc_msg_connect *msg)
{
	struct xvmc_stream names = {};
	int err = -ECONNREFUSED;
	struct sock *sk;

	sk = stream_find_listener(chan, msg, &names);
	if (sk) {
		err = stream_take_request(sk, chan, &names, msg->conn);
		sock_put(sk);
	}
	if (!err)
		return 0;
	xvmc_chan_answer(chan, XVMC_MSG_REFUSE, msg->conn,
			 err == -ENOMEM || err == -ENOBUFS ? EAGAIN : -err);
	return err;
}

/* A child that nobody accepted. The listener's lock is held */
static void stream_end_child(struct sock *child)
{
	struct xvmc_conn *conn;
	struct sock *listener;

	lock_sock_nested(child, SINGLE_DEPTH_NESTING);
	conn = xvmc_stream_bury(child);
	listener = xvmc_sk(child)->listener;
	xvmc_sk(child)->listener = NULL;
	release_sock(child);
	xvmc_stream_leave(conn, true);
	sock_put(listener);
	sock_put(child);
}

/**
 * xvmc_stream_stop_listening() - end the children that nobody accepted
 * @sk: former listener, in another state: no child is added any more
 *
 * Context: process, socket lock held.
 */
void xvmc_stream_stop_listening(struct sock *sk)
{
	struct xvmc_sock *xsk = xvmc_sk(sk);
	struct xvmc_sock *child, *next;
	LIST_HEAD(children);

	sock_owned_by_me(sk);
	spin_lock(&xsk->accept_lock);
	list_splice_init(&xsk->accept_queue, &children);
	WRITE_ONCE(sk->sk_ack_backlog, 0);
	spin_unlock(&xsk->accept_lock);
	list_for_each_entry_safe(child, next, &children, accept_node) {
		list_del_init(&child->accept_node);
		stream_end_child(&child->sk);
	}
}

