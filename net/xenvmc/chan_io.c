// SPDX-License-Identifier: GPL-2.0
/*
 * Channel: doorbells and the control ring.
 *
 * The transport's event runs xvmc_chan_bells() in softirq context, which only
 * wakes: it looks at the doorbells and queues the work. The work reads control
 * messages, one channel's at a time, and sends what is queued.
 */
#include "chan.h"
#include "conn.h"
#include "fault.h"
#include "peer.h"
#include "stats.h"
#include "trace.h"

#define CHAN_BATCH	64	/* messages served before others get a turn */
#define CHAN_DULL	64	/* events in a row that may bring nothing new */
#define CHAN_SHARE	4	/* one in so many bells must be for something */

/**
 * xvmc_chan_event() - the transport's event came
 * @chan: channel
 *
 * Context: any, also hard interrupt.
 */
void xvmc_chan_event(struct xvmc_chan *chan)
{
	tasklet_schedule(&chan->bells);
}

/* What the bells of one event meant */
struct chan_rung {
	u32 known;	/* rings that are lent */
	u32 moved;	/* whose other end had indeed done something */
};

/* Bytes, or the stop mark, which moves no index */
static bool chan_rx_moved(struct xvmc_rx_ring *ring)
{
	u32 epoch = READ_ONCE(ring->epoch);
	struct xvmc_ring_mark mark;
	bool stopped;

	xvmc_ring_mark(&ring->cons, epoch, &mark);
	stopped = mark.stopped && ring->told != epoch;
	if (stopped)
		ring->told = epoch;
	return xvmc_ring_prod_moved(&ring->cons) || stopped;
}

/* Who is told of a bell, or NULL: a ring that is not lent, or does not exist */
static struct xvmc_conn *chan_bell_conn(struct xvmc_chan *chan,
					enum xvmc_bell kind, u32 id,
					bool *moved)
{
	struct xvmc_rx_ring *rx;
	struct xvmc_tx_ring *tx;

	if (kind == XVMC_BELL_DATA) {
		rx = READ_ONCE(chan->rx[id]);
		*moved = rx && chan_rx_moved(rx);
		return rx ? rcu_dereference(rx->conn) : NULL;
	}
	tx = rcu_dereference(chan->tx[id]);
	*moved = tx && xvmc_ring_cons_moved(&tx->prod);
	return tx ? rcu_dereference(tx->conn) : NULL;
}

/* Takes every rung bell of one kind */
static void chan_take_bells(struct xvmc_chan *chan, enum xvmc_bell kind,
			    struct chan_rung *rung)
{
	struct xvmc_ring_hdr *hdr = chan->rx_ctl.mem.hdr;
	struct xvmc_conn *conn;
	unsigned long bits;
	u32 word, bit;
	bool moved;

	for (word = 0; word < XVMC_BELL_WORDS; word++) {
		bits = xvmc_bell_take(hdr, kind, word);
		for_each_set_bit(bit, &bits, 32) {
			conn = chan_bell_conn(chan, kind, word * 32 + bit,
					      &moved);
			/* Who had it may have seen that by itself */
			rung->moved += moved;
			if (!conn)
				continue;
			xvmc_conn_bell(conn, kind);
			rung->known++;
		}
	}
}

/* Anything for the work? A stale answer is harmless: an event follows */
static bool chan_wants_work(struct xvmc_chan *chan)
{
	return xvmc_ring_used(&chan->rx_ctl.cons) ||
	       !list_empty_careful(&chan->send_list) ||
	       READ_ONCE(chan->nr_answers) ||
	       READ_ONCE(chan->bye_due) ||
	       READ_ONCE(chan->has_gone);
}

/* Has the peer written or read control messages since the last look? */
static bool chan_ctl_moved(struct xvmc_chan *chan)
{
	bool moved;

	spin_lock(&chan->lock);
	moved = xvmc_ring_prod_moved(&chan->rx_ctl.cons);
	if (chan->has_tx_ctl && xvmc_ring_cons_moved(&chan->tx_ctl.prod))
		moved = true;
	spin_unlock(&chan->lock);
	return moved;
}

/*
 * Did an event bring nothing? A bell of a ring that is lent and work that waits
 * are no proof, for the peer can ring without having written, and let messages
 * wait; nor is a byte in one ring if the bells of hundreds wake their readers.
 * Some such events come from honest ones: what a bell is for may have been seen
 * with the bell before. So it is those in a row that count.
 */
static bool chan_is_spurious(struct xvmc_chan *chan,
			     const struct chan_rung *rung, bool work)
{
	u32 moved = rung->moved;

	if (!moved && work && chan_ctl_moved(chan))
		moved = 1;
	if (moved && moved * CHAN_SHARE >= rung->known) {
		chan->dull = 0;
		return false;
	}
	if (!rung->known && !work)
		return true;
	if (chan->dull < CHAN_DULL)
		chan->dull++;
	return chan->dull == CHAN_DULL;
}

/* Softirq: bounded by the number of bells, whatever the peer does */
void xvmc_chan_bells(struct tasklet_struct *tasklet)
{
	struct xvmc_chan *chan = from_tasklet(chan, tasklet, bells);
	struct chan_rung rung = { 0 };
	bool work, spurious;

	rcu_read_lock();
	chan_take_bells(chan, XVMC_BELL_DATA, &rung);
	chan_take_bells(chan, XVMC_BELL_SPACE, &rung);
	rcu_read_unlock();

	work = chan_wants_work(chan);
	spurious = chan_is_spurious(chan, &rung, work);
	if (work)
		xvmc_chan_queue_work(chan, &chan->work);

	xvmc_stat_inc(XVMC_STAT_EVENTS);
	if (spurious)
		xvmc_stat_inc(XVMC_STAT_EVENTS_SPURIOUS);
	if (chan->ops->eoi)
		chan->ops->eoi(chan, spurious);
}

/**
 * xvmc_chan_ring_bell() - tell the peer about one of the data rings
 * @chan: channel; the caller borrows a ring of it
 * @kind: what happened
 * @id: ring
 *
 * Context: any.
 */
void xvmc_chan_ring_bell(struct xvmc_chan *chan, enum xvmc_bell kind, u32 id)
{
	xvmc_bell_set(chan->tx_ctl.mem.hdr, kind, id);
	xvmc_stat_inc(XVMC_STAT_KICKS);
	chan->ops->kick(chan);
}

/* Control ring: a frame goes out. The caller saw that there is room */
static int chan_put_frame(struct xvmc_chan *chan, const struct xvmc_ctlmsg *msg)
{
	u8 body[XVMC_CTL_MAX_BODY];
	int len, ret;

	lockdep_assert_held(&chan->lock);
	len = xvmc_ctlmsg_encode(msg, body);
	if (len < 0)
		return len;
	ret = xvmc_frame_put(&chan->tx_ctl.prod, msg->type, body, len);
	if (ret < 0)
		return ret;
	xvmc_stat_inc(XVMC_STAT_CTL_TX);
	if (ret)
		chan->ops->kick(chan);
	return 0;
}

/* Room for any message, else an event comes when there is. Errors: broken */
static int chan_has_room(struct xvmc_chan *chan)
{
	u32 need = xvmc_frame_bytes(XVMC_CTL_MAX_BODY);
	int space;

	lockdep_assert_held(&chan->lock);
	if (!chan->has_tx_ctl || chan->state == XVMC_CHAN_CLOSED)
		return 0;
	if (xvmc_should_fail(XVMC_FAULT_CTL_SEND)) {
		/* As the event that says that there is room */
		xvmc_chan_queue_work(chan, &chan->work);
		return 0;
	}
	space = xvmc_ring_space(&chan->tx_ctl.prod);
	if (space >= 0 && space < need)
		space = xvmc_ring_want_space(&chan->tx_ctl.prod, need);
	return space < 0 ? space : space >= need;
}

static void chan_violation_locked(struct xvmc_chan *chan, const char *what)
{
	lockdep_assert_held(&chan->lock);
	if (!chan->violated)
		chan->violated = what;
	/* Who closes waits for no last word any more */
	wake_up(&chan->idle);
}

/**
 * xvmc_chan_send() - send one control message, if there is room
 * @chan: channel
 * @msg: message
 *
 * Context: any.
 * Return: 0, -EAGAIN without room, -EPIPE if the control ring does not exist
 * or is broken.
 */
int xvmc_chan_send(struct xvmc_chan *chan, const struct xvmc_ctlmsg *msg)
{
	int ret;

	spin_lock_bh(&chan->lock);
	ret = chan_has_room(chan);
	if (ret > 0)
		ret = chan_put_frame(chan, msg);
	else if (ret < 0 || !chan->has_tx_ctl)
		ret = -EPIPE;
	else
		ret = -EAGAIN;
	spin_unlock_bh(&chan->lock);
	return ret;
}

/* @msg waits in the channel. False: there are too many */
static bool chan_keep_answer(struct xvmc_chan *chan,
			     const struct xvmc_ctlmsg *msg)
{
	u32 last = chan->first_answer + chan->nr_answers;
	struct xvmc_answer *answer;

	lockdep_assert_held(&chan->lock);
	if (chan->nr_answers >= XVMC_MAX_ANSWERS)
		return false;
	answer = &chan->answers[last % XVMC_MAX_ANSWERS];
	answer->type = msg->type;
	answer->conn = msg->conn;
	WRITE_ONCE(chan->nr_answers, chan->nr_answers + 1);
	return true;
}

/**
 * xvmc_chan_answer() - refuse what the peer asked for
 * @chan: channel on which it asked
 * @type: %XVMC_MSG_REFUSE or %XVMC_MSG_UPGRADE_NO
 * @peer_id: the asking end's id
 * @arg: errno or &enum xenvmc_reason
 *
 * There is no connection here that could be queued, and without an answer the
 * asking end would wait for ever: what finds no room waits in the channel, and
 * the memory for it was there from the beginning.
 *
 * Context: any.
 */
void xvmc_chan_answer(struct xvmc_chan *chan, u16 type, u32 peer_id, u32 arg)
{
	struct xvmc_ctlmsg msg = { .type = type };

	msg.conn.conn = peer_id;
	msg.conn.arg = arg;
	spin_lock_bh(&chan->lock);
	/* The end of a channel answers all that was asked */
	if (chan->state == XVMC_CHAN_UP) {
		if (!chan->nr_answers && chan_has_room(chan) > 0)
			chan_put_frame(chan, &msg);
		else if (!chan_keep_answer(chan, &msg))
			xvmc_stat_inc(XVMC_STAT_CTL_DROPPED);
	}
	spin_unlock_bh(&chan->lock);
}

/* The channel goes, with all that waits for room */
void xvmc_chan_drop_answers(struct xvmc_chan *chan)
{
	spin_lock_bh(&chan->lock);
	WRITE_ONCE(chan->nr_answers, 0);
	spin_unlock_bh(&chan->lock);
}

/* The next refusal. None comes behind BYE */
static bool chan_next_answer(struct xvmc_chan *chan, struct xvmc_ctlmsg *msg)
{
	const struct xvmc_answer *answer;

	if (!chan->nr_answers || chan->state != XVMC_CHAN_UP)
		return false;
	answer = &chan->answers[chan->first_answer];
	msg->type = answer->type;
	msg->conn = answer->conn;
	chan->first_answer = (chan->first_answer + 1) % XVMC_MAX_ANSWERS;
	WRITE_ONCE(chan->nr_answers, chan->nr_answers - 1);
	return true;
}

/* The next message of the channel itself */
static bool chan_next_gone(struct xvmc_chan *chan, struct xvmc_ctlmsg *msg)
{
	u32 id = find_first_bit(chan->gone, XVMC_MAX_RINGS);

	if (id >= XVMC_MAX_RINGS) {
		WRITE_ONCE(chan->has_gone, false);
		return false;
	}
	__clear_bit(id, chan->gone);
	msg->type = XVMC_MSG_RING_GONE;
	msg->ring.ring = id;
	msg->ring.status = chan->gone_status[id];
	return true;
}

/* Takes a connection off the send list, and the list's reference with it */
void xvmc_chan_unqueue(struct xvmc_chan *chan, struct xvmc_conn *conn)
{
	lockdep_assert_held(&chan->lock);
	list_del_init(&conn->send_node);
	conn->queued = false;
	xvmc_conn_put(conn);
}

/**
 * xvmc_chan_forget() - a connection that is over does not wait for room
 * @chan: its channel
 * @conn: connection; it stays if it has something to say
 *
 * The list would keep it, and its socket, as long as the peer reads nothing.
 * Context: any; conn->lock not held.
 */
void xvmc_chan_forget(struct xvmc_chan *chan, struct xvmc_conn *conn)
{
	spin_lock_bh(&chan->lock);
	if (conn->queued && !READ_ONCE(conn->send))
		xvmc_chan_unqueue(chan, conn);
	spin_unlock_bh(&chan->lock);
}

/* The next message of any connection that has one */
static bool chan_next_conn(struct xvmc_chan *chan, struct xvmc_ctlmsg *msg)
{
	struct xvmc_conn *conn;

	/* Nothing of a connection comes behind BYE */
	while (chan->state == XVMC_CHAN_UP && !list_empty(&chan->send_list)) {
		conn = list_first_entry(&chan->send_list, struct xvmc_conn,
					send_node);
		if (xvmc_conn_next_msg(conn, msg))
			return true;
		xvmc_chan_unqueue(chan, conn);
	}
	return false;
}

/* The last message */
static bool chan_next_bye(struct xvmc_chan *chan, struct xvmc_ctlmsg *msg)
{
	if (!chan->bye_due)
		return false;
	WRITE_ONCE(chan->bye_due, false);
	/* Seen by the closer once the frame is put: it takes the lock first */
	wake_up(&chan->idle);
	memset(msg, 0, sizeof(*msg));
	msg->type = XVMC_MSG_BYE;
	msg->bye.reason = chan->reason;
	return true;
}

/**
 * xvmc_chan_flush() - send what is queued, as far as there is room
 * @chan: channel
 *
 * Context: any.
 * Return: false if the control ring is broken.
 */
bool xvmc_chan_flush(struct xvmc_chan *chan)
{
	struct xvmc_ctlmsg msg;
	int room;

	spin_lock_bh(&chan->lock);
	while ((room = chan_has_room(chan)) > 0) {
		if (!chan_next_gone(chan, &msg) &&
		    !chan_next_answer(chan, &msg) &&
		    !chan_next_conn(chan, &msg) &&
		    !chan_next_bye(chan, &msg))
			break;
		chan_put_frame(chan, &msg);
	}
	if (room < 0)
		chan_violation_locked(chan, "control ring index");
	spin_unlock_bh(&chan->lock);
	return room >= 0;
}

/**
 * xvmc_chan_queue() - send the pending messages of a connection
 * @chan: its channel
 * @conn: connection; a reference is taken while it is queued
 *
 * Context: any; conn->lock not held.
 */
void xvmc_chan_queue(struct xvmc_chan *chan, struct xvmc_conn *conn)
{
	bool queued;

	spin_lock_bh(&chan->lock);
	queued = chan->state == XVMC_CHAN_UP && !conn->queued;
	if (queued) {
		xvmc_conn_hold(conn);
		conn->queued = true;
		list_add_tail(&conn->send_node, &chan->send_list);
	}
	spin_unlock_bh(&chan->lock);
	/* The work acts on a violation; no event of the peer's may ever come */
	if (queued && !xvmc_chan_flush(chan))
		xvmc_chan_queue_work(chan, &chan->work);
}

/**
 * xvmc_chan_violation() - the peer broke the protocol
 * @chan: channel
 * @what: for the log, a constant
 *
 * Sending goes on until the channel's work has closed it.
 * Context: any.
 */
void xvmc_chan_violation(struct xvmc_chan *chan, const char *what)
{
	spin_lock_bh(&chan->lock);
	chan_violation_locked(chan, what);
	spin_unlock_bh(&chan->lock);
	xvmc_chan_queue_work(chan, &chan->work);
}
EXPORT_SYMBOL_GPL(xvmc_chan_violation);

/**
 * xvmc_chan_distrust() - the peer broke the protocol, and that is told already
 * @chan: channel
 * @what: a constant
 *
 * Nothing that comes behind it is read, nor counts as another violation.
 * Context: any.
 */
void xvmc_chan_distrust(struct xvmc_chan *chan, const char *what)
{
	spin_lock_bh(&chan->lock);
	chan_violation_locked(chan, what);
	chan->reported = true;
	spin_unlock_bh(&chan->lock);
}

/* Reports a violation once; the peer's state machine then closes */
static void chan_check_violated(struct xvmc_chan *chan)
{
	const char *what;

	spin_lock_bh(&chan->lock);
	what = chan->violated;
	if (what && chan->reported)
		what = NULL;
	if (what)
		chan->reported = true;
	spin_unlock_bh(&chan->lock);
	if (!what)
		return;
	xvmc_stat_inc(XVMC_STAT_VIOLATIONS);
	trace_xenvmc_violation(chan->peer->domid, what);
	net_warn_ratelimited("xenvmc: domain %u broke the protocol: %s\n",
			     chan->peer->domid, what);
	xvmc_peer_violation(chan->peer, chan);
}

/* One message. Returns false if there is none or the ring is of no use */
static bool chan_rx_one(struct xvmc_chan *chan)
{
	u8 body[XVMC_CTL_MAX_BODY];
	struct xvmc_ctlmsg msg;
	bool kick = false;
	u16 type;
	int ret;

	ret = xvmc_frame_get(&chan->rx_ctl.cons, &type, body, sizeof(body),
			     &kick);
	if (ret == -EAGAIN)
		return false;
	if (kick)
		chan->ops->kick(chan);
	if (ret >= 0)
		ret = xvmc_ctlmsg_decode(type, body, ret, &msg);
	if (ret == -EOPNOTSUPP) {
		xvmc_stat_inc(XVMC_STAT_CTL_UNKNOWN_TYPE);
		return true;
	}
	if (ret < 0) {
		xvmc_chan_violation(chan, "malformed control message");
		return false;
	}
	xvmc_stat_inc(XVMC_STAT_CTL_RX);
	xvmc_control_rx(chan, &msg);
	return true;
}

/* All that the peer has said is read: is there no excuse for its ring? */
static void chan_check_unmapped(struct xvmc_chan *chan)
{
	if (chan->unmapped && !READ_ONCE(chan->bye_seen))
		xvmc_chan_violation(chan, "RING_ADD that cannot be mapped");
}

/* Reads until the ring is empty and a kick is asked for. True: more to do */
static bool chan_rx(struct xvmc_chan *chan)
{
	int n = CHAN_BATCH;
	int used;

	while (n--) {
		/* The closer waits for this to end, and not for long */
		if (READ_ONCE(chan->violated) ||
		    READ_ONCE(chan->state) == XVMC_CHAN_CLOSED)
			return false;
		if (chan_rx_one(chan))
			continue;
		used = xvmc_ring_want_data(&chan->rx_ctl.cons, 1);
		if (used < 0)
			xvmc_chan_violation(chan, "control ring index");
		if (!used)
			chan_check_unmapped(chan);
		if (used <= 0)
			return false;
	}
	return true;
}

void xvmc_chan_work(struct work_struct *work)
{
	struct xvmc_chan *chan = container_of(work, struct xvmc_chan, work);
	bool more;

	more = chan_rx(chan);
	xvmc_chan_flush(chan);
	chan_check_violated(chan);
	if (more)
		xvmc_chan_queue_work(chan, &chan->work);
	xvmc_chan_put(chan);
}
