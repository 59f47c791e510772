// SPDX-License-Identifier: GPL-2.0
/*
 * Streams of AF_XENVMC that TCP carries: bytes, and the end.
 *
 * A carrier stands between a TCP connection and the far end ("door") of a
 * stream's connection, on a pair of channel ends within this kernel. What the
 * stream writes to a ring goes into frames; what comes in frames is written to
 * the ring that the stream lends. All of that is done by the carrier's work,
 * which never waits: whoever has news queues it.
 *
 * It ends when both ends have said their last frame. STOP: the stream was cut
 * off the pair, since its peer is met again. What TCP still brings is put
 * behind what the stream has in private memory, so that the positions of both
 * agree when they go on by RESUME. BYE and RESET: it was closed. Without a last
 * frame nobody knows how many bytes are lost, and the stream is reset.
 */
#include <linux/net.h>
#include <linux/slab.h>
#include "compat/compat.h"
#include "fault.h"
#include "peer.h"
#include "stats.h"
#include "stream_carry.h"
#include "trace.h"

#define CARRY_ROUNDS	64	/* frames before others get a turn */

static atomic_t carriers = ATOMIC_INIT(0);
/* That greet: ends that listen, ends that connect */
static atomic_t carriers_new[2] = { ATOMIC_INIT(0), ATOMIC_INIT(0) };
static LIST_HEAD(greeting);
static DEFINE_SPINLOCK(greeting_lock);
static DECLARE_WAIT_QUEUE_HEAD(greeting_wait);

static void carry_work(struct work_struct *work);
static void carry_timer(struct work_struct *work);

/* ---- life --------------------------------------------------------------- */

/* With the door's memory: a number for it is all that can be missing later */
static struct xvmc_carrier *carrier_alloc(void)
{
	struct xvmc_carrier *carrier;

	if (xvmc_should_fail(XVMC_FAULT_CARRIER))
		return NULL;
	carrier = kvzalloc(sizeof(*carrier), GFP_KERNEL);
	if (!carrier)
		return NULL;
	if (!xvmc_should_fail(XVMC_FAULT_CARRIER))
		carrier->spare = kzalloc(sizeof(*carrier->spare), GFP_KERNEL);
	if (carrier->spare)
		return carrier;
	kvfree(carrier);
	return NULL;
}

static void carrier_release(struct kref *ref)
{
	struct xvmc_carrier *carrier = container_of(ref, struct xvmc_carrier,
						    ref);

	if (carrier->wanted)
		xvmc_conn_put(&carrier->wanted->conn);
	kfree(carrier->spare);
	kvfree(carrier);
}

/**
 * xvmc_carrier_put() - drop a reference
 * @carrier: carrier
 *
 * Context: any.
 */
void xvmc_carrier_put(struct xvmc_carrier *carrier)
{
	kref_put(&carrier->ref, carrier_release);
}

/**
 * xvmc_carrier_kick() - something has changed for a carrier
 * @carrier: carrier
 *
 * Context: any.
 */
void xvmc_carrier_kick(struct xvmc_carrier *carrier)
{
	kref_get(&carrier->ref);
	if (!queue_work(xvmc_wq, &carrier->work))
		xvmc_carrier_put(carrier);
}

/**
 * xvmc_carrier_reserve() - a place for one that greets
 * @dials: it is the end that connects
 *
 * Context: any.
 * Return: true if there is one. It is for xvmc_carrier_new(), or is given back.
 */
bool xvmc_carrier_reserve(bool dials)
{
	if (!atomic_add_unless(&carriers, 1, CARRY_MAX))
		return false;
	if (atomic_add_unless(&carriers_new[dials], 1, CARRY_MAX_NEW))
		return true;
	atomic_dec(&carriers);
	return false;
}

/**
 * xvmc_carrier_unreserve() - it is not needed
 * @dials: as it was reserved
 *
 * Context: any.
 */
void xvmc_carrier_unreserve(bool dials)
{
	atomic_dec(&carriers_new[dials]);
	atomic_dec(&carriers);
}

/**
 * xvmc_carrier_new() - begin a greeting, for which there is a place
 * @sock: TCP socket, which is the carrier's from now on
 * @phase: %CARRY_DIALS or %CARRY_TOLD
 * @wanted: stream that it is for, if that is known
 *
 * It ends by itself: the timer sees to that. Without memory it does not begin.
 * Context: process.
 */
void xvmc_carrier_new(struct socket *sock, u8 phase, struct xvmc_stream *wanted)
{
	struct xvmc_carrier *carrier;

	carrier = carrier_alloc();
	if (!carrier) {
		xvmc_carrier_unreserve(wanted);
		sock_no_linger(sock->sk);
		sock_release(sock);
		return;
	}
	/* The timer's */
	kref_init(&carrier->ref);
	carrier->sock = sock;
	carrier->net = sock_net(sock->sk);
	carrier->phase = phase;
	carrier->greets = true;
	carrier->dials = wanted;
	carrier->wanted = wanted;
	if (wanted)
		xvmc_conn_hold(&wanted->conn);
	INIT_WORK(&carrier->work, carry_work);
	INIT_DELAYED_WORK(&carrier->timer, carry_timer);
	carrier->again = jiffies;
	carrier->until = jiffies + CARRY_GREET;
	queue_delayed_work(xvmc_wq, &carrier->timer, CARRY_GREET);
	spin_lock(&greeting_lock);
	list_add_tail(&carrier->node, &greeting);
	spin_unlock(&greeting_lock);
	/* It may be over as soon as TCP has somebody to tell */
	kref_get(&carrier->ref);
	xvmc_carrier_sk_begin(carrier);
	xvmc_carrier_kick(carrier);
	xvmc_carrier_put(carrier);
}

/* The greeting is over: its stream holds the namespace, or it has no socket */
static void carry_greeted(struct xvmc_carrier *carrier)
{
	if (!carrier->greets)
		return;
	carrier->greets = false;
	atomic_dec(&carriers_new[carrier->dials]);
	spin_lock(&greeting_lock);
	list_del(&carrier->node);
	spin_unlock(&greeting_lock);
	wake_up_all(&greeting_wait);
}

static bool carry_drop_greeting(const struct net *net)
{
	struct xvmc_carrier *carrier;
	bool some = false;

	spin_lock(&greeting_lock);
	list_for_each_entry(carrier, &greeting, node) {
		if (net && !net_eq(net, carrier->net))
			continue;
		xvmc_carrier_drop(carrier);
		some = true;
	}
	spin_unlock(&greeting_lock);
	return some;
}

/**
 * xvmc_carriers_end() - nobody greets any more
 * @net: in this network namespace; NULL: in any
 *
 * No port is open there, and no stream waits.
 * Context: process.
 */
void xvmc_carriers_end(const struct net *net)
{
	wait_event(greeting_wait, !carry_drop_greeting(net));
}

static void carry_timer(struct work_struct *work)
{
	struct xvmc_carrier *carrier = container_of(to_delayed_work(work),
						    struct xvmc_carrier, timer);

	xvmc_carrier_kick(carrier);
	xvmc_carrier_put(carrier);
}

/**
 * xvmc_carrier_follow() - a stream has another connection
 * @stream: with that
 * @old: as it was, with a carrier
 *
 * Context: xvmc_park_lock held.
 */
void xvmc_carrier_follow(struct xvmc_stream *stream, struct xvmc_stream *old)
{
	struct xvmc_carrier *carrier = old->park.carrier;

	lockdep_assert_held(&xvmc_park_lock);
	old->park.carrier = NULL;
	stream->park.carrier = carrier;
	xvmc_conn_hold(&stream->conn);
	carrier->stream = stream;
	xvmc_conn_put(&old->conn);
}

/* ---- out: from the stream to TCP ---------------------------------------- */

/*
 * Who has heard RESET ends it; who does not is not waited for. And who has had
 * the promise has time to say GO, however long the greeting has taken.
 */
static void carry_set_timer(struct xvmc_carrier *carrier, unsigned long time)
{
	carrier->until = jiffies + time;
	kref_get(&carrier->ref);
	if (mod_delayed_work(xvmc_wq, &carrier->timer, time))
		xvmc_carrier_put(carrier);
}

/**
 * xvmc_carrier_say() - the next frame
 * @carrier: carrier; TCP has all of the last one
 * @type: &enum carry_type
 * @body: its body, or NULL if that is there already
 * @len: bytes of it
 *
 * Context: the carrier's work.
 */
void xvmc_carrier_say(struct xvmc_carrier *carrier, u8 type, const void *body,
		      u32 len)
{
	struct carry_hdr hdr = {
		.len = cpu_to_le16(len),
		.type = cpu_to_le16(type),
	};

	memcpy(carrier->out, &hdr, sizeof(hdr));
	if (body)
		memcpy(carrier->out + sizeof(hdr), body, len);
	carrier->out_len = sizeof(hdr) + len;
	carrier->out_off = 0;
	if (type >= CARRY_STOP)
		carrier->out_last = type;
	if (type == CARRY_RESET || type == CARRY_ANSWER)
		carry_set_timer(carrier, type == CARRY_RESET ? CARRY_GREET :
							       CARRY_PROMISE);
}

/* 1: TCP has all that there was; 0: it has no room; or an errno */
static int carry_push(struct xvmc_carrier *carrier)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct kvec vec;
	int n;

	while (carrier->out_off < carrier->out_len) {
		vec.iov_base = carrier->out + carrier->out_off;
		vec.iov_len = carrier->out_len - carrier->out_off;
		n = kernel_sendmsg(carrier->sock, &msg, &vec, 1, vec.iov_len);
		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			return n;
		carrier->out_off += n;
	}
	return 1;
}

/* A frame of what is in the ring, or in private memory. As carry_out() */
static int carry_read(struct xvmc_carrier *carrier, struct xvmc_conn *conn)
{
	u8 *body = carrier->out + sizeof(struct carry_hdr);
	struct kvec vec = { .iov_base = body };
	struct xvmc_rx_view view = {};
	struct iov_iter to;
	u32 limit;
	bool fin;
	int n;

	lockdep_assert_held(&conn->rx.mutex);
	if (xvmc_rx_view(conn, &view))
		return -ECONNRESET;
	fin = view.mark.stopped && view.mark.seq;
	view.copied_seq = view.mark.seq;
	view.rcv_nxt = view.mark.seq;
	switch (xvmc_rx_next(&view, &limit)) {
	case XVMC_SRC_RING:
		vec.iov_len = min_t(u32, limit, CARRY_CHUNK);
		iov_iter_kvec(&to, ITER_DEST, &vec, 1, vec.iov_len);
		n = xvmc_rx_read(conn, &to, vec.iov_len, 0, true);
		if (n <= 0)
			return -ECONNRESET;
		xvmc_carrier_say(carrier, CARRY_DATA, NULL, n);
		return 1;
	case XVMC_SRC_RING_DONE:
		xvmc_rx_done(conn, !fin);
		if (fin && !carrier->out_fin) {
			carrier->out_fin = true;
			xvmc_carrier_say(carrier, CARRY_FIN, NULL, 0);
		}
		return 1;
	case XVMC_SRC_VIOLATION:
		return -ECONNRESET;
	default:
		return 0;
	}
}

/* Nothing more comes from the stream: what is the last word? 0: not yet */
static int carry_last(struct xvmc_carrier *carrier, struct carry_door *door)
{
	u8 last = CARRY_RESET;

	if (!door) {
		if (!carrier->returns || !xvmc_park_is_back(carrier))
			return 0;
		last = CARRY_STOP;
	} else if (!carry_door_is_down(door) ||
		   rcu_access_pointer(door->conn.rx.ring) ||
		   xvmc_rx_saved(&door->conn)) {
		return 0;
	} else if (READ_ONCE(door->conn.rx.torn)) {
		return -ECONNRESET;
	} else if (!door->why) {
		last = CARRY_BYE;
	} else if (door->why == EAGAIN) {
		/* The stream's own end may not have heard of it yet */
		if (!xvmc_park_is_back(carrier))
			return xvmc_park_is_reset(carrier) ? -ECONNRESET : 0;
		last = CARRY_STOP;
	}
	xvmc_carrier_say(carrier, last, NULL, 0);
	return 1;
}

/* 1: something was done, 0: nothing is to be done, or an errno */
static int carry_out(struct xvmc_carrier *carrier)
{
	struct carry_door *door = carry_door(carrier);
	struct xvmc_conn *conn;
	bool more;
	int ret;

	more = carrier->out_off < carrier->out_len;
	ret = carry_push(carrier);
	if (ret <= 0 || more)
		return ret;
	if (carrier->phase != CARRY_ON || carrier->out_last)
		return 0;
	/* The peer has closed, and takes nothing more */
	if (carrier->in_last == CARRY_BYE) {
		xvmc_carrier_say(carrier, CARRY_BYE, NULL, 0);
		return 1;
	}
	if (door) {
		conn = &door->conn;
		mutex_lock(&conn->rx.mutex);
		ret = carry_read(carrier, conn);
		mutex_unlock(&conn->rx.mutex);
		if (ret)
			return ret;
		/* If nothing is there, data_ready comes */
		if (xvmc_rx_want_data(conn, 1))
			return 1;
	}
	return carry_last(carrier, door);
}

/* ---- in: from TCP to the stream ----------------------------------------- */

/* Bytes, 0 if there are none, or an errno; the end of TCP is one */
static int carry_recv(struct xvmc_carrier *carrier, void *to, u32 len)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
	struct kvec vec = { .iov_base = to, .iov_len = len };
	int n;

	n = kernel_recvmsg(carrier->sock, &msg, &vec, 1, len, MSG_DONTWAIT);
	if (n == -EAGAIN)
		return 0;
	return n ? n : -ECONNRESET;
}

/* The stream is off the pair, or will be, or does not come to it any more */
static bool carry_is_off(const struct xvmc_carrier *carrier,
			 const struct carry_door *door)
{
	return door ? carry_door_is_down(door) && door->why == EAGAIN :
		      carrier->returns;
}

/* To its private memory, then; if there is room: see xvmc_park_append() */
static int carry_append(struct xvmc_carrier *carrier, bool fin)
{
	u32 len = carrier->in_len - carrier->in_off;
	int ret;

	if (!xvmc_park_is_back(carrier))
		return xvmc_park_is_reset(carrier) ? -ECONNRESET : 0;
	ret = xvmc_park_append(carrier, carrier->in + carrier->in_off, len,
			       fin);
	if (ret > 0)
		carrier->in_off = carrier->in_len;
	return ret;
}

/* To the ring that the stream has lent; tx_lent or write_space comes */
static int carry_write(struct xvmc_carrier *carrier, struct xvmc_conn *conn)
{
	struct kvec vec = {
		.iov_base = carrier->in + carrier->in_off,
		.iov_len = carrier->in_len - carrier->in_off,
	};
	struct iov_iter from;
	bool started;
	int n = 0;

	iov_iter_kvec(&from, ITER_SOURCE, &vec, 1, vec.iov_len);
	mutex_lock(&conn->tx.mutex);
	started = !xvmc_tx_start(conn, 0);
	if (started)
		n = xvmc_tx_write(conn, &from, vec.iov_len);
	mutex_unlock(&conn->tx.mutex);
	if (n < 0)
		return n;
	carrier->in_off += n;
	if (n)
		return 1;
	return started && xvmc_tx_want_space(conn);
}

/* 1: bytes, or the end, were passed on; 0: there is no room, or an errno */
static int carry_give(struct xvmc_carrier *carrier, bool fin)
{
	struct carry_door *door = carry_door(carrier);
	struct xvmc_conn *conn;
	bool marked;

	if (carry_is_off(carrier, door))
		return carry_append(carrier, fin);
	if (!door)
		return 0;
	conn = &door->conn;
	/* Nobody reads it any more */
	if (carry_door_is_down(door)) {
		carrier->in_off = carrier->in_len;
		return 1;
	}
	if (!fin)
		return carry_write(carrier, conn);
	mutex_lock(&conn->tx.mutex);
	xvmc_tx_finish(conn);
	marked = conn->tx.fin;
	mutex_unlock(&conn->tx.mutex);
	return marked;
}

/* The peer has closed, and what it sent is passed on. DETACH is an end, too */
static int carry_bye(struct xvmc_carrier *carrier)
{
	struct carry_door *door = carry_door(carrier);

	if (carry_is_off(carrier, door) && !xvmc_park_is_back(carrier))
		return xvmc_park_is_reset(carrier) ? -ECONNRESET : 0;
	if (!door && !carrier->returns)
		return 0;
	/* Who leaves before the stream has its answer has not told it */
	if (door && READ_ONCE(door->conn.state) == XVMC_CONN_NEW)
		return 0;
	carrier->in_bye = false;
	carrier->in_last = CARRY_BYE;
	if (door)
		xvmc_conn_leave(&door->conn, XENVMC_REASON_CLOSED, false, true);
	return 1;
}

/* What a frame without a body says; those of the greeting are elsewhere */
static int carry_hear(struct xvmc_carrier *carrier, u8 type)
{
	carrier->hdr_len = 0;
	if (carrier->phase != CARRY_ON)
		return xvmc_greet_hear(carrier, type) ?: 1;
	switch (type) {
	case CARRY_FIN:
		carrier->in_fin = !carrier->in_end;
		carrier->in_end = true;
		return 1;
	case CARRY_STOP:
		carrier->in_last = CARRY_STOP;
		xvmc_pair_return(carrier->pair->guest);
		return 1;
	case CARRY_BYE:
		carrier->in_bye = true;
		return 1;
	case CARRY_RESET:
		carrier->in_last = CARRY_RESET;
		return -ECONNRESET;
	default:
		return -ECONNRESET;
	}
}

/* Does a frame of that length come now? */
static bool carry_expects(const struct xvmc_carrier *carrier, u8 type, u32 len)
{
	if (carrier->hdr.zero)
		return false;
	if (type == CARRY_DATA)
		return carrier->phase == CARRY_ON && len && !carrier->in_end &&
		       len <= CARRY_CHUNK;
	return len == xvmc_greet_body(type);
}

static int carry_recv_hdr(struct xvmc_carrier *carrier)
{
	u8 type;
	int n;

	n = carry_recv(carrier, (u8 *)&carrier->hdr + carrier->hdr_len,
		       sizeof(carrier->hdr) - carrier->hdr_len);
	if (n <= 0)
		return n;
	carrier->hdr_len += n;
	if (carrier->hdr_len < sizeof(carrier->hdr))
		return 1;
	type = le16_to_cpu(carrier->hdr.type);
	if (le16_to_cpu(carrier->hdr.type) > CARRY_RESET)
		return -EPROTO;
	carrier->body = le16_to_cpu(carrier->hdr.len);
	carrier->in_len = 0;
	carrier->in_off = 0;
	if (!carry_expects(carrier, type, carrier->body))
		return -EPROTO;
	return carrier->body ? 1 : carry_hear(carrier, type);
}

static int carry_recv_body(struct xvmc_carrier *carrier)
{
	u8 type = le16_to_cpu(carrier->hdr.type);
	int n;

	n = carry_recv(carrier, carrier->in + carrier->in_len, carrier->body);
	if (n <= 0)
		return n;
	carrier->in_len += n;
	carrier->body -= n;
	if (type == CARRY_DATA) {
		/* Whole or not: the rest of the body follows */
		if (!carrier->body)
			carrier->hdr_len = 0;
		return 1;
	}
	if (carrier->body)
		return 1;
	carrier->in_off = carrier->in_len;
	return carry_hear(carrier, type);
}

/* 1: something was done, 0: nothing is to be done, or an errno */
static int carry_in(struct xvmc_carrier *carrier)
{
	int ret;

	if (carrier->in_last || carrier->phase == CARRY_DIALS)
		return 0;
	/* A frame is passed on before another one is read */
	if (carrier->in_off < carrier->in_len && carrier->phase == CARRY_ON)
		return carry_give(carrier, false);
	if (carrier->in_fin) {
		ret = carry_give(carrier, true);
		carrier->in_fin = ret <= 0;
		return ret;
	}
	if (carrier->in_bye)
		return carry_bye(carrier);
	return carrier->hdr_len < sizeof(carrier->hdr) ?
	       carry_recv_hdr(carrier) : carry_recv_body(carrier);
}

/* ---- the end ------------------------------------------------------------ */

/* Both have said their last frame, and TCP has ours */
static bool carry_is_over(const struct xvmc_carrier *carrier)
{
	return carrier->out_last && carrier->in_last &&
	       carrier->out_off == carrier->out_len;
}

/* Without a last word, and no stream that counts it */
static void carry_count_lost(const struct xvmc_carrier *carrier)
{
	if (carrier->out_last != CARRY_RESET &&
	    carrier->in_last != CARRY_RESET && !carrier->dropped)
		xvmc_stat_inc(XVMC_STAT_CARRY_BROKEN);
}

/* @err: 0 if it ended as it should; then no byte is missing at either end */
static void carry_part(struct xvmc_carrier *carrier, int err)
{
	struct carry_door *door;
	u32 over = 0;

	if (err && carrier->phase == CARRY_ON) {
		over = carrier->in_last == CARRY_RESET ?
		       XVMC_STAT_PARK_REFUSED : XVMC_STAT_CARRY_LOST;
		carry_count_lost(carrier);
	}
	/* A stream that is closed at either end does not go on elsewhere */
	if (!err && (carrier->in_last == CARRY_BYE ||
		     carrier->out_last == CARRY_BYE))
		xvmc_park_taken_left(carrier);
	xvmc_park_untake(carrier, over);
	/* None comes any more: see door_publish() */
	door = carry_door(carrier);
	if (door) {
		xvmc_conn_leave(&door->conn, err ? ECONNRESET :
				XENVMC_REASON_CLOSED, err, true);
		xvmc_conn_put(&door->conn);
	} else if (carrier->pair) {
		xvmc_pair_put(carrier->pair);
	}
}

static void carry_end(struct xvmc_carrier *carrier, int err)
{
	if (carrier->ended)
		return;
	carrier->ended = true;
	/* RST if bytes are lost; or before GO: there FIN is not said again */
	xvmc_carrier_sk_end(carrier, err || carrier->phase != CARRY_ON);
	carry_part(carrier, err);
	carry_greeted(carrier);
	if (cancel_delayed_work(&carrier->timer))
		xvmc_carrier_put(carrier);
	atomic_dec(&carriers);
}

/**
 * xvmc_carrier_begin() - both ends agree: bytes go by TCP from now on
 * @carrier: carrier that has taken its stream
 *
 * Context: the carrier's work.
 */
void xvmc_carrier_begin(struct xvmc_carrier *carrier)
{
	struct xvmc_chan *chan;

	/* What is said last is said again, if need be, when we are gone */
	sk_net_refcnt_upgrade(carrier->sock->sk);
	carrier->phase = CARRY_ON;
	carry_greeted(carrier);
	xvmc_stat_inc(XVMC_STAT_CONN_CARRIED);
	chan = xvmc_pair_chan(carrier->pair);
	/* Met again meanwhile: it goes back before it has begun */
	carrier->returns = !xvmc_park_board(carrier, chan);
	if (chan)
		xvmc_chan_put(chan);
}

/* The peer is met again, who has not said STOP yet, or not heard ours */
static void carry_returns(struct xvmc_carrier *carrier)
{
	bool again = carrier->returns;

	carrier->returns = true;
	/* What TCP says now may be lost as well: each tick comes here */
	if (again && time_before(jiffies, carrier->again))
		return;
	carrier->again = jiffies + HZ;
	xvmc_carrier_sk_hurry(carrier, again);
}

static bool carry_is_late(const struct xvmc_carrier *carrier)
{
	return time_after_eq(jiffies, carrier->until) &&
	       (carrier->phase != CARRY_ON ||
		carrier->out_last == CARRY_RESET);
}

/* What ends it whatever TCP says */
static int carry_check(struct xvmc_carrier *carrier)
{
	if (carrier->pair && READ_ONCE(carrier->pair->over))
		carry_returns(carrier);
	if (READ_ONCE(carrier->dropped))
		return -ECONNRESET;
	/* GO may be there: carry_work() looks first */
	if (carry_is_late(carrier) && carrier->phase != CARRY_HALF)
		return -ETIMEDOUT;
	if (carrier->phase == CARRY_DIALS)
		return xvmc_greet_begin(carrier);
	return 0;
}

static void carry_work(struct work_struct *work)
{
	struct xvmc_carrier *carrier = container_of(work, struct xvmc_carrier,
						    work);
	int rounds = CARRY_ROUNDS;
	int in = 1, out = 1, err;

	if (carrier->ended)
		goto put;
	err = carry_check(carrier);
	while (!err && (in || out) && rounds--) {
		out = carry_out(carrier);
		in = out < 0 ? out : carry_in(carrier);
		err = min(in, 0);
	}
	if (!err && !in && carry_is_late(carrier))
		err = -ETIMEDOUT;
	if (err || carry_is_over(carrier))
		carry_end(carrier, err);
	else if (in || out)
		xvmc_carrier_kick(carrier);
put:
	xvmc_carrier_put(carrier);
}

/**
 * xvmc_carrier_drop() - its stream is over
 * @carrier: carrier
 *
 * Context: any.
 */
void xvmc_carrier_drop(struct xvmc_carrier *carrier)
{
	WRITE_ONCE(carrier->dropped, true);
	xvmc_carrier_kick(carrier);
}
