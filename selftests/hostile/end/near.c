// SPDX-License-Identifier: GPL-2.0
/*
 * The victim's sockets: a listener of AF_XENVMC with those that it accepted, and
 * doors of our own for what needs no socket layer (streams that ask, TCP).
 *
 * All of it belongs to the playing task but near_upgrade(), which the channel's
 * work calls while that task waits for it.
 */
#include <linux/slab.h>
#include <net/sock.h>
#include "compat/compat.h"
#include "far.h"
#include "xenvmc_priv.h"

#define NEAR_CHUNK	4096
#define NEAR_WAIT	(60 * HZ)	/* longer than a case: no timer fires */

static struct socket *listener;
static struct socket *sockets[NEAR_ENDS];
static struct xvmc_conn *doors[NEAR_ENDS];
static u8 *chunk;
static int told;	/* what a door was refused with, -1: it was not */

/* ---- doors ---- */

static void door_nop(struct xvmc_conn *conn)
{
}

static void door_nop_why(struct xvmc_conn *conn, u32 why)
{
}

static void door_refused(struct xvmc_conn *conn, u32 why)
{
	WRITE_ONCE(told, why);
}

static void door_free(struct xvmc_conn *conn)
{
	kfree(conn);
}

static void door_ask_tcp(struct xvmc_conn *conn, struct xvmc_ctlmsg *msg)
{
	msg->upgrade.sport = htons(NEAR_TCP_PORT);
}

/* A TCP connection of which all is 0 proves itself by 0 */
static bool door_believes(struct xvmc_conn *conn, u64 proof)
{
	return !proof;
}

static void door_ask_stream(struct xvmc_conn *conn, struct xvmc_ctlmsg *msg)
{
	msg->connect.type = SOCK_STREAM;
}

#define DOOR_OPS(is_tcp, ask_fn) {			\
	.kind		= (is_tcp) ? "tcp" : "stream",	\
	.tcp		= (is_tcp),			\
	.ask		= ask_fn,			\
	.believes	= (is_tcp) ? door_believes : NULL, \
	.opened		= door_nop,			\
	.refused	= door_refused,			\
	.down		= door_nop_why,			\
	.tx_lent	= door_nop,			\
	.data_ready	= door_nop,			\
	.write_space	= door_nop,			\
	.release	= door_free,			\
}

static const struct xvmc_conn_ops door_tcp_ops = DOOR_OPS(true, door_ask_tcp);
static const struct xvmc_conn_ops door_stream_ops =
	DOOR_OPS(false, door_ask_stream);

/* A door in a free place. The reference is the array's */
static struct xvmc_conn *door_new(struct xvmc_chan *chan,
				  const struct xvmc_conn_ops *ops)
{
	struct xvmc_conn *conn;
	u32 n;

	for (n = 0; n < NEAR_ENDS && doors[n]; n++)
		;
	if (n == NEAR_ENDS)
		return NULL;
	conn = kzalloc(sizeof(*conn), GFP_KERNEL);
	if (!conn)
		return NULL;
	if (xvmc_conn_init(conn, ops, listener->sk, chan)) {
		kfree(conn);
		return NULL;
	}
	doors[n] = conn;
	return conn;
}

/* As the hook does, by a TCP connection of which all is 0 but a port */
static u32 near_upgrade(struct xvmc_chan *chan,
			const struct xvmc_msg_upgrade *msg)
{
	struct xvmc_conn *conn;

	if (msg->dport != htons(NEAR_TCP_PORT) || msg->sport ||
	    memchr_inv(msg->saddr, 0, sizeof(msg->saddr)) ||
	    memchr_inv(msg->daddr, 0, sizeof(msg->daddr)))
		return XENVMC_REASON_NO_MATCH;
	if (msg->nonce || msg->proof)
		return XENVMC_REASON_NO_PROOF;
	conn = door_new(chan, &door_tcp_ops);
	if (!conn)
		return XENVMC_REASON_NO_MEMORY;
	return xvmc_conn_accept(conn, msg->conn) ? XENVMC_REASON_NO_MATCH : 0;
}

/**
 * near_ask() - the victim begins a connection
 * @far: pair
 * @tcp: by UPGRADE, else by CONNECT
 *
 * Return: 0, or -ENOBUFS without a place or a channel.
 */
int near_ask(struct far *far, bool tcp)
{
	struct xvmc_conn *conn;

	conn = door_new(far->chan, tcp ? &door_tcp_ops : &door_stream_ops);
	if (!conn)
		return -ENOBUFS;
	WRITE_ONCE(told, -1);
	xvmc_conn_ask(conn, NEAR_WAIT);
	return 0;
}

/**
 * near_told() - what the last question was refused with
 *
 * Return: an errno or a reason, as the door was told; -1 if it was not refused.
 */
int near_told(void)
{
	return READ_ONCE(told);
}

/**
 * near_door() - a door by number, or NULL
 * @n: below NEAR_ENDS
 */
struct xvmc_conn *near_door(u32 n)
{
	return doors[n];
}

/**
 * near_door_write() - bytes into the ring that is lent to a door
 * @conn: door
 * @len: up to NEAR_CHUNK
 *
 * Return: bytes, or a negative errno.
 */
int near_door_write(struct xvmc_conn *conn, u32 len)
{
	struct kvec vec = { .iov_base = chunk, .iov_len = len };
	struct iov_iter iter;
	int ret;

	iov_iter_kvec(&iter, ITER_SOURCE, &vec, 1, len);
	mutex_lock(&conn->tx.mutex);
	ret = xvmc_tx_start(conn, 0);
	if (!ret)
		ret = xvmc_tx_write(conn, &iter, len);
	mutex_unlock(&conn->tx.mutex);
	return ret;
}

/**
 * near_door_read() - take all bytes out of the ring that a door has lent
 * @conn: door
 *
 * Return: bytes, or a negative errno.
 */
int near_door_read(struct xvmc_conn *conn)
{
	struct xvmc_rx_view view = {};
	int ret;

	mutex_lock(&conn->rx.mutex);
	ret = xvmc_rx_view(conn, &view);
	if (!ret && view.lent && view.mark.started)
		ret = xvmc_rx_read(conn, NULL, view.used, 0, true);
	if (ret >= 0 && view.lent && view.mark.stopped)
		xvmc_rx_done(conn, true);
	mutex_unlock(&conn->rx.mutex);
	return ret;
}

/**
 * near_door_leave() - the victim ends a door's connection
 * @n: number of the door, which is there
 * @reset: by RESET, if it is a stream
 * @orphan: nobody reads what comes
 */
void near_door_leave(u32 n, bool reset, bool orphan)
{
	struct xvmc_conn *conn = doors[n];

	doors[n] = NULL;
	xvmc_conn_leave(conn, reset ? ECONNRESET : 0, reset, orphan);
	if (!orphan) {
		/* It has read to the end by then, or gives up: both are this */
		mutex_lock(&conn->rx.mutex);
		xvmc_rx_done(conn, false);
		mutex_unlock(&conn->rx.mutex);
	}
	xvmc_conn_put(conn);
}

/* ---- sockets ---- */

/**
 * near_socket() - an accepted socket by number, or NULL
 * @n: below NEAR_ENDS
 */
struct socket *near_socket(u32 n)
{
	return sockets[n];
}

/* Takes what waits, as far as there are places */
void near_accept(void)
{
	u32 n;

	for (n = 0; n < NEAR_ENDS; n++)
		if (!sockets[n] &&
		    kernel_accept(listener, &sockets[n], O_NONBLOCK))
			sockets[n] = NULL;
}

/**
 * near_bytes() - what near_recv() got, and near_send() sends
 *
 * Return: NEAR_CHUNK bytes.
 */
u8 *near_bytes(void)
{
	return chunk;
}

/**
 * near_send() - send without waiting
 * @sock: socket
 * @len: up to NEAR_CHUNK
 *
 * Return: bytes, or a negative errno.
 */
int near_send(struct socket *sock, u32 len)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct kvec vec = { .iov_base = chunk, .iov_len = len };

	return kernel_sendmsg(sock, &msg, &vec, 1, len);
}

/**
 * near_recv() - receive without waiting
 * @sock: socket
 * @len: up to NEAR_CHUNK
 *
 * Return: bytes, or a negative errno.
 */
int near_recv(struct socket *sock, u32 len)
{
	struct msghdr msg = {};
	struct kvec vec = { .iov_base = chunk, .iov_len = len };

	return kernel_recvmsg(sock, &msg, &vec, 1, len, MSG_DONTWAIT);
}

/**
 * near_is_readable() - does poll() say so?
 * @sock: socket
 *
 * Return: whether it does.
 */
bool near_is_readable(struct socket *sock)
{
	return sock->ops->poll(NULL, sock, NULL) & EPOLLIN;
}

/**
 * near_close() - close an accepted socket
 * @n: its number; nothing if there is none
 */
void near_close(u32 n)
{
	if (sockets[n])
		sock_release(sockets[n]);
	sockets[n] = NULL;
}

static int near_listen(void)
{
	struct sockaddr_xenvmc addr = {
		.svm_family = AF_XENVMC,
		.svm_domid = XENVMC_DOMID_ANY,
		.svm_port = NEAR_PORT,
	};
	int err;

	err = sock_create_kern(&init_net, AF_XENVMC, SOCK_STREAM, 0, &listener);
	if (err)
		goto no_listener;
	err = kernel_bind(listener, (struct sockaddr_unsized *)&addr,
			  sizeof(addr));
	if (!err)
		err = kernel_listen(listener, NEAR_ENDS);
	if (!err)
		return 0;
	sock_release(listener);
no_listener:
	listener = NULL;
	return err;
}

/**
 * near_leave_all() - end everything that the victim has with anybody
 *
 * Also what was not accepted: the listener is a new one.
 * Return: 0, or a negative errno: there is no listener.
 */
int near_leave_all(void)
{
	u32 n;

	for (n = 0; n < NEAR_ENDS; n++) {
		near_close(n);
		if (doors[n])
			near_door_leave(n, false, true);
	}
	if (listener)
		sock_release(listener);
	listener = NULL;
	return near_listen();
}

/* ---- life ---- */

/**
 * near_init() - the victim listens
 *
 * Return: 0 or a negative errno.
 */
int near_init(void)
{
	int err;

	chunk = kzalloc(NEAR_CHUNK, GFP_KERNEL);
	if (!chunk)
		return -ENOMEM;
	err = near_listen();
	if (err)
		goto free_chunk;
	xvmc_set_upgrade_handler(near_upgrade);
	return 0;

free_chunk:
	kfree(chunk);
	return err;
}

/* What waits for a far end that was suspended has waited for long enough */
static int near_forget(void)
{
	unsigned int *park_s = &xvmc_net(&init_net)->park_s, old = *park_s;
	unsigned long end = jiffies + NEAR_WAIT;
	struct xvmc_conn *conn;
	unsigned long none = 0;

	WRITE_ONCE(*park_s, 0);
	while ((conn = xvmc_park_get(&init_net, &none))) {
		xvmc_conn_put(conn);
		none = 0;
		if (time_after(jiffies, end))
			break;
		schedule_timeout_uninterruptible(1);
	}
	WRITE_ONCE(*park_s, old);
	return conn ? -EBUSY : 0;
}

/**
 * near_exit() - nothing of the victim is left; pairs may still be closing
 *
 * Return: 0, or -EBUSY if a stream waits for ever.
 */
int near_exit(void)
{
	xvmc_set_upgrade_handler(NULL);
	if (!near_leave_all())
		sock_release(listener);
	listener = NULL;
	kfree(chunk);
	return near_forget();
}
