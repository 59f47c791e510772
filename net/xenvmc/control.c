// SPDX-License-Identifier: GPL-2.0
/*
 * Control messages: what each one means. Called by the channel's work alone.
 *
 * The fields are in private memory and within the ranges of the protocol; here
 * they are checked against what exists. A message for a connection that is not
 * known has crossed with its end and is ignored; one that names a ring which is
 * not in the state for it breaks the channel.
 */
#include <linux/rwsem.h>
#include <linux/slab.h>
#include "conn.h"
#include "fault.h"
#include "peer.h"
#include "rings.h"
#include "stats.h"
#include "trace.h"

/* Held for reading while the hook's handler runs, so that it can be unloaded */
static DECLARE_RWSEM(upgrade_rwsem);
static xvmc_upgrade_fn upgrade_fn;

/**
 * xvmc_set_upgrade_handler() - who answers UPGRADE
 * @fn: handler, or NULL; no call of the former one runs after the return
 *
 * Context: process.
 */
void xvmc_set_upgrade_handler(xvmc_upgrade_fn fn)
{
	down_write(&upgrade_rwsem);
	upgrade_fn = fn;
	up_write(&upgrade_rwsem);
}
EXPORT_SYMBOL_GPL(xvmc_set_upgrade_handler);

/**
 * xvmc_upgrade_refuse() - answer UPGRADE_NO
 * @chan: channel on which UPGRADE came
 * @peer_id: the asking end's id
 * @reason: &enum xenvmc_reason
 *
 * Context: any.
 */
void xvmc_upgrade_refuse(struct xvmc_chan *chan, u32 peer_id, u32 reason)
{
	xvmc_chan_answer(chan, XVMC_MSG_UPGRADE_NO, peer_id, reason);
}
EXPORT_SYMBOL_GPL(xvmc_upgrade_refuse);

static void control_upgrade(struct xvmc_chan *chan,
			    const struct xvmc_msg_upgrade *upgrade)
{
	u32 reason = XENVMC_REASON_HOOK_OFF;

	down_read(&upgrade_rwsem);
	if (upgrade_fn)
		reason = upgrade_fn(chan, upgrade);
	up_read(&upgrade_rwsem);
	trace_xenvmc_upgrade(chan->peer->domid, upgrade->conn, reason);
	if (reason)
		xvmc_upgrade_refuse(chan, upgrade->conn, reason);
}

static struct xvmc_tx_ring *control_tx_ring(struct xvmc_chan *chan, u32 id)
{
	/* Changed by the channel's work, which we are in, and at the end */
	return rcu_dereference_protected(chan->tx[id], true);
}

static void control_gone(struct xvmc_chan *chan, u32 id, int err)
{
	spin_lock_bh(&chan->lock);
	__set_bit(id, chan->gone);
	chan->gone_status[id] = min(-err, 255);
	WRITE_ONCE(chan->has_gone, true);
	spin_unlock_bh(&chan->lock);
}

static int control_map(struct xvmc_chan *chan, struct xvmc_tx_ring *ring,
		       const struct xvmc_msg_ring_add *add)
{
	int err;

	if (chan->tx_pages + (1 << add->order) > XVMC_MAX_TX_PAGES)
		return -ENOSPC;
	err = chan->ops->ring_map(chan, &ring->mem, add->order, add->token);
	if (err)
		return err;
	spin_lock_init(&ring->lock);
	xvmc_ring_prod_init(&ring->prod, ring->mem.hdr, ring->mem.page,
			    ring->mem.order);
	ring->id = add->ring;
	chan->tx_pages += 1 << add->order;
	chan->nr_tx++;
	return 0;
}

static void control_ring_add(struct xvmc_chan *chan,
			     const struct xvmc_msg_ring_add *add)
{
	struct xvmc_tx_ring *ring = NULL;
	int err = -ENOMEM;

	if (control_tx_ring(chan, add->ring)) {
		xvmc_chan_violation(chan, "RING_ADD of a ring that exists");
		return;
	}
	if (!xvmc_should_fail(XVMC_FAULT_TX_RING))
		ring = kzalloc(sizeof(*ring), GFP_KERNEL);
	if (ring)
		err = control_map(chan, ring, add);
	if (!err) {
		rcu_assign_pointer(chan->tx[add->ring], ring);
		return;
	}
	kfree(ring);
	/* A peer that has given up has taken its grants, and said BYE before */
	if (err == -EPROTO)
		chan->unmapped = true;
	control_gone(chan, add->ring, err);
}

static void control_ring_del(struct xvmc_chan *chan, u32 id)
{
	struct xvmc_tx_ring *ring = control_tx_ring(chan, id);

	if (!ring || READ_ONCE(ring->lent)) {
		xvmc_chan_violation(chan, "RING_DEL of a ring in use");
		return;
	}
	rcu_assign_pointer(chan->tx[id], NULL);
	synchronize_rcu();
	chan->tx_pages -= 1 << ring->mem.order;
	chan->nr_tx--;
	chan->ops->ring_unmap(chan, &ring->mem);
	kfree(ring);
	control_gone(chan, id, 0);
}

/* Who has borrowed a ring that the peer has not mapped; a reference, or NULL */
static struct xvmc_conn *control_unmapped(struct xvmc_chan *chan,
					  struct xvmc_rx_ring *ring)
{
	struct xvmc_conn *conn;

	lockdep_assert_held(&chan->lock);
	spin_lock(&ring->lock);
	conn = rcu_dereference_protected(ring->conn,
					 lockdep_is_held(&ring->lock));
	if (conn)
		xvmc_conn_hold(conn);
	/* Nobody yet: who is about to be lent it announces it anew */
	ring->gone = conn;
	spin_unlock(&ring->lock);
	return conn;
}

/*
 * The peer could not map a ring of ours. If it was short of memory it may have
 * some when the ring is announced again, for the next lend; else the ring is of
 * no use to this channel.
 */
static void control_ring_gone(struct xvmc_chan *chan, u32 id, u32 status)
{
	struct xvmc_rx_ring *ring = READ_ONCE(chan->rx[id]);
	struct xvmc_conn *conn = NULL;
	bool known;

	spin_lock_bh(&chan->lock);
	known = ring && status && ring->announced && !ring->dead;
	if (known && status == ENOMEM) {
		ring->announced = false;
	} else if (known) {
		WRITE_ONCE(ring->dead, true);
		__clear_bit(ring->id, chan->free_rx);
	}
	if (known)
		conn = control_unmapped(chan, ring);
	spin_unlock_bh(&chan->lock);
	if (!known)
		xvmc_chan_violation(chan, "RING_GONE of no such ring");
	if (conn) {
		xvmc_conn_gone(conn);
		xvmc_conn_put(conn);
	}
}

/* Marks the ring as lent and counted. False: a violation */
static bool control_borrow(struct xvmc_chan *chan, struct xvmc_tx_ring *ring,
			   u32 epoch)
{
	bool ok;

	spin_lock_bh(&ring->lock);
	ok = !ring->lent;
	if (ok) {
		ring->lent = true;
		ring->epoch = epoch;
		ring->lend = ++chan->tx_lends;
		WRITE_ONCE(ring->recalled, false);
		xvmc_chan_borrow(chan);
	}
	spin_unlock_bh(&ring->lock);
	return ok;
}

static void control_lend(struct xvmc_chan *chan,
			 const struct xvmc_msg_lend *lend)
{
	struct xvmc_tx_ring *ring = control_tx_ring(chan, lend->ring);
	struct xvmc_conn *conn;
	int err = -ENOENT;

	/* We said RING_GONE, and the two crossed */
	if (!ring)
		return;
	if (!control_borrow(chan, ring, lend->epoch)) {
		xvmc_chan_violation(chan, "LEND of a lent ring");
		return;
	}
	conn = xvmc_conn_get_by_id(chan, lend->conn);
	if (conn) {
		err = xvmc_conn_lent(conn, ring);
		xvmc_conn_put(conn);
	}
	if (!err)
		return;
	/* Nobody has use for it: stopped at once, as the protocol wants */
	xvmc_tx_return(chan, ring);
	if (err == -EPROTO)
		xvmc_chan_violation(chan, "LEND to a connection with a ring");
}

/* Marks the ring as recalled, if it is lent to us as @recall says */
static bool control_give_back(struct xvmc_chan *chan,
			      const struct xvmc_msg_lend *recall)
{
	struct xvmc_tx_ring *ring = control_tx_ring(chan, recall->ring);
	bool ours;

	if (!ring)
		return false;
	spin_lock_bh(&ring->lock);
	ours = ring->lent && ring->epoch == recall->epoch;
	if (ours)
		WRITE_ONCE(ring->recalled, true);
	spin_unlock_bh(&ring->lock);
	return ours;
}

/* A reason that TCP doors understand; whatever else is a peer that left */
static u32 control_reason(u32 reason)
{
	return reason && reason <= XENVMC_REASON_MAX ? reason :
						       XENVMC_REASON_PEER_LEFT;
}

/* Is @type a message for a connection of that kind? */
static bool control_fits(const struct xvmc_conn *conn, u16 type)
{
	switch (type) {
	case XVMC_MSG_ACCEPT:
		/* RESUME is answered by RESUME, which has positions */
		return !conn->ops->tcp && !conn->resumes;
	case XVMC_MSG_REFUSE:
	case XVMC_MSG_RESET:
	case XVMC_MSG_WANT:
		return !conn->ops->tcp;
	case XVMC_MSG_UPGRADE_OK:
	case XVMC_MSG_UPGRADE_NO:
		return conn->ops->tcp;
	default:
		return true;
	}
}

/*
 * What keeps a stream that was cut from going on is known here: a number of the
 * peer's must not pass for positions that differ, or for time that is up.
 */
static u32 control_errno(const struct xvmc_conn *conn, u32 err)
{
	return conn->resumes ? ECONNRESET : err;
}

static void control_recall(struct xvmc_conn *conn,
			   const struct xvmc_msg_lend *recall)
{
	u32 why = recall->reason;

	xvmc_stall(XVMC_STALL_RECALL, why == XENVMC_REASON_RECLAIM);
	xvmc_stall(XVMC_STALL_CLOSED, why == XENVMC_REASON_CLOSED);
	if (!control_give_back(conn->chan, recall))
		return;
	trace_xenvmc_lend(conn->chan->peer->domid, conn->id,
			  XVMC_TRACE_RECALLED, recall->ring, recall->epoch);
	xvmc_conn_recall(conn, control_reason(why));
}

/*
 * UPGRADE_OK opens a connection if it comes from the other end of the TCP
 * connection, and that shows. To who has left it says only that an id is in
 * use. One for a question that was not asked yet is ignored, and may not meet
 * that between the look and the step.
 */
static void control_yes(struct xvmc_conn *conn, const struct xvmc_msg_yes *yes)
{
	bool asked = true, believed = true;

	/* Who leaves has the functions of its door until it had this lock */
	spin_lock_bh(&conn->lock);
	if (conn->state == XVMC_CONN_NEW || conn->state == XVMC_CONN_AWAIT)
		asked = false;
	else if (conn->state == XVMC_CONN_ASKED && conn->ops->believes)
		believed = conn->ops->believes(conn, yes->proof);
	spin_unlock_bh(&conn->lock);
	if (!believed)
		xvmc_chan_violation(conn->chan, "UPGRADE_OK proves nothing");
	else if (asked)
		xvmc_conn_answer(conn, yes->arg);
}

static void control_conn(struct xvmc_conn *conn, const struct xvmc_ctlmsg *msg)
{
	switch (msg->type) {
	case XVMC_MSG_ACCEPT:
		xvmc_conn_answer(conn, msg->conn.arg);
		break;
	case XVMC_MSG_UPGRADE_OK:
		control_yes(conn, &msg->yes);
		break;
	case XVMC_MSG_REFUSE:
		/* See xvmc_park_refused() for what EAGAIN is believed of */
		xvmc_conn_no(conn, msg->conn.arg == EAGAIN ? EAGAIN :
			     control_errno(conn, msg->conn.arg));
		break;
	case XVMC_MSG_UPGRADE_NO:
		xvmc_conn_no(conn, control_reason(msg->conn.arg));
		break;
	case XVMC_MSG_RESET:
		xvmc_conn_detached(conn, control_errno(conn, msg->conn.arg));
		break;
	case XVMC_MSG_DETACH:
		xvmc_conn_detached(conn, conn->ops->tcp ?
				   control_reason(msg->conn.arg) : 0);
		break;
	case XVMC_MSG_RECALL:
		control_recall(conn, &msg->lend);
		break;
	case XVMC_MSG_WANT:
		xvmc_conn_wanted(conn);
		break;
	}
}

/* Messages that name a connection of ours */
static void control_to_conn(struct xvmc_chan *chan,
			    const struct xvmc_ctlmsg *msg)
{
	u32 id = msg->type == XVMC_MSG_RECALL ? msg->lend.conn : msg->conn.conn;
	struct xvmc_conn *conn = xvmc_conn_get_by_id(chan, id);

	if (!conn) {
		xvmc_stat_inc(XVMC_STAT_CTL_UNKNOWN_CONN);
		return;
	}
	if (control_fits(conn, msg->type))
		control_conn(conn, msg);
	else
		xvmc_chan_violation(chan, "message for the other kind");
	xvmc_conn_put(conn);
}

static void control_peer(struct xvmc_chan *chan, const struct xvmc_ctlmsg *msg)
{
	switch (msg->type) {
	case XVMC_MSG_HELLO:
		xvmc_peer_event(chan->peer, XVMC_PEV_HELLO, msg);
		break;
	case XVMC_MSG_HELLO_ACK:
		xvmc_peer_event(chan->peer, XVMC_PEV_HELLO_ACK, msg);
		break;
	case XVMC_MSG_BYE:
		xvmc_chan_bye_seen(chan);
		xvmc_peer_event(chan->peer, XVMC_PEV_BYE, msg);
		break;
	}
}

/* Messages about rings. RECALL names a connection and goes there */
static void control_rings(struct xvmc_chan *chan, const struct xvmc_ctlmsg *msg)
{
	switch (msg->type) {
	case XVMC_MSG_RING_ADD:
		control_ring_add(chan, &msg->ring_add);
		break;
	case XVMC_MSG_RING_DEL:
		control_ring_del(chan, msg->ring.ring);
		break;
	case XVMC_MSG_RING_GONE:
		control_ring_gone(chan, msg->ring.ring, msg->ring.status);
		break;
	case XVMC_MSG_LEND:
		control_lend(chan, &msg->lend);
		break;
	}
}

/**
 * xvmc_control_rx() - act on one message
 * @chan: channel
 * @msg: message, decoded and checked
 *
 * While a channel closes, lends are still answered (the peer waits for their
 * stop marks); new connections are not begun. A peer whose own ring is not
 * mapped could not have heard that it may lend: what it says is not looked at.
 * Context: process, the channel's work.
 */
void xvmc_control_rx(struct xvmc_chan *chan, const struct xvmc_ctlmsg *msg)
{
	u8 state = READ_ONCE(chan->state);

	if (msg->type <= XVMC_MSG_BYE) {
		control_peer(chan, msg);
		return;
	}
	if (state == XVMC_CHAN_SETUP) {
		xvmc_chan_violation(chan, "message before HELLO");
		return;
	}
	/* It closes and never was up: there is no ring to answer by */
	if (!READ_ONCE(chan->has_tx_ctl))
		return;
	switch (msg->type) {
	case XVMC_MSG_RING_ADD ... XVMC_MSG_LEND:
		control_rings(chan, msg);
		break;
	case XVMC_MSG_CONNECT:
		if (state == XVMC_CHAN_UP)
			xvmc_stream_incoming(chan, &msg->connect);
		break;
	case XVMC_MSG_RESUME:
		if (state == XVMC_CHAN_UP)
			xvmc_stream_resumed(chan, &msg->resume);
		break;
	case XVMC_MSG_UPGRADE:
		if (state == XVMC_CHAN_UP)
			control_upgrade(chan, &msg->upgrade);
		break;
	default:
		control_to_conn(chan, msg);
	}
}
