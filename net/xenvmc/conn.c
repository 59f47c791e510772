// SPDX-License-Identifier: GPL-2.0
/*
 * Connection: ids, references, the state table's actions, control messages.
 *
 * Implementation notes
 *
 * References. The door holds one from xvmc_conn_init() to its xvmc_conn_put();
 * the channel's id table holds one until the id is freed; queued work, the send
 * list, the list of starving connections and each lent ring hold one each; RCU
 * protects the way from a doorbell to the ring's borrower.
 * The socket and the channel are held until the object is freed.
 *
 * Locks, outermost first: tx.mutex or rx.mutex (never both), chan->lock,
 * conn->lock, ring->lock. Events arrive in any context and change the state
 * under conn->lock; whatever takes a mutex or calls the door is left to the
 * connection's own work, so a reader that sleeps in a page fault with rx.mutex
 * held delays its connection alone. rings.c moves the bytes.
 */
#include "conn.h"
#include "event.h"
#include "fault.h"
#include "peer.h"
#include "rings.h"
#include "stats.h"
#include "trace.h"

/* Bits of conn->todo, served in this order */
enum conn_todo {
	TODO_TAKE,		/* a tx ring was offered */
	TODO_RECALLED,		/* the peer wants its ring back */
	TODO_CHECK,		/* an index may be impossible */
	TODO_UNLEND,		/* the peer cannot map the lent ring */
	TODO_STOP,		/* no more sending by ring */
	TODO_UP,
	TODO_LEND,
	TODO_RECALL_RX,
	TODO_WANTED,		/* the peer wants a ring */
	TODO_YIELD,		/* somebody else is to have the rx ring */
	TODO_NEWS,		/* the rx ring has news, and not for a reader */
	TODO_SAVE,		/* the channel closes: keep unread bytes */
	TODO_SAVE_NOW,		/* it cannot wait for the stop mark any more */
	TODO_DETACH,		/* after TODO_STOP: stopped first, said then */
	TODO_NO,
	TODO_DOWN,
	TODO_MEET,
};

static void conn_work(struct work_struct *work);
static void conn_timer(struct work_struct *work);

static void conn_rcu(struct rcu_head *rcu)
{
	struct xvmc_conn *conn = container_of(rcu, struct xvmc_conn, rcu);
	struct xvmc_chan *chan = conn->chan;
	struct sock *sk = conn->sk;

	xvmc_rx_free_spill(conn);
	conn->ops->release(conn);
	sock_put(sk);
	xvmc_chan_put(chan);
}

/**
 * xvmc_conn_release() - the last reference is gone
 * @ref: that of a connection
 *
 * Context: any.
 */
void xvmc_conn_release(struct kref *ref)
{
	struct xvmc_conn *conn = container_of(ref, struct xvmc_conn, ref);

	DEBUG_NET_WARN_ON_ONCE(rcu_access_pointer(conn->tx.ring));
	DEBUG_NET_WARN_ON_ONCE(rcu_access_pointer(conn->rx.ring));
	DEBUG_NET_WARN_ON_ONCE(conn->has_id || conn->queued);
	call_rcu(&conn->rcu, conn_rcu);
}
EXPORT_SYMBOL_GPL(xvmc_conn_release);

/*
 * The id counts from now on. Fails if the channel is not up, or closes, or if
 * the peer leaves too many of our DETACHs without an answer: each keeps its id
 * and its socket. Nobody finds @conn before it is certain that it stays: the
 * closer sets the state under the same lock and walks the table then.
 */
static int conn_enter(struct xvmc_conn *conn)
{
	struct xvmc_chan *chan = conn->chan;
	bool up;
	int err;

	if (atomic_read(&chan->nr_left) >= XVMC_MAX_LEFT ||
	    xvmc_should_fail(XVMC_FAULT_CONN_ID))
		return -ENOBUFS;
	err = xa_alloc_cyclic_bh(&chan->conns, &conn->id, NULL,
				 XA_LIMIT(1, S32_MAX), &chan->next_id,
				 GFP_ATOMIC);
	if (err < 0)
		return -ENOMEM;
	spin_lock_bh(&chan->lock);
	up = chan->state == XVMC_CHAN_UP;
	if (up) {
		kref_get(&conn->ref);
		conn->has_id = true;
		atomic_inc(&chan->nr_conns);
		/* Into a reserved place: does not allocate, nor fail */
		xa_store_bh(&chan->conns, conn->id, conn, GFP_ATOMIC);
	}
	spin_unlock_bh(&chan->lock);
	if (up)
		return 0;
	xa_erase_bh(&chan->conns, conn->id);
	return -ENETDOWN;
}

/**
 * xvmc_conn_init() - begin a connection
 * @conn: object in zeroed memory, embedded in the door's
 * @ops: the door
 * @sk: socket; a reference is taken
 * @chan: channel; a reference is taken
 *
 * Context: any.
 * Return: 0 with one reference, the caller's. -ENETDOWN, -ENOBUFS or -ENOMEM:
 * the caller frees its object at once, no callback comes.
 */
int xvmc_conn_init(struct xvmc_conn *conn, const struct xvmc_conn_ops *ops,
		   struct sock *sk, struct xvmc_chan *chan)
{
	int err;

	kref_init(&conn->ref);
	conn->ops = ops;
	conn->sk = sk;
	conn->chan = chan;
	spin_lock_init(&conn->lock);
	conn->state = XVMC_CONN_NEW;
	INIT_LIST_HEAD(&conn->send_node);
	INIT_LIST_HEAD(&conn->starve_node);
	INIT_WORK(&conn->work, conn_work);
	INIT_DELAYED_WORK(&conn->timer, conn_timer);
	mutex_init(&conn->tx.mutex);
	mutex_init(&conn->rx.mutex);
	/* The channel may close at once and call back: hold what it needs */
	sock_hold(sk);
	xvmc_chan_hold(chan);
	err = conn_enter(conn);
	if (err) {
		sock_put(sk);
		xvmc_chan_put(chan);
	}
	return err;
}
EXPORT_SYMBOL_GPL(xvmc_conn_init);

/**
 * xvmc_conn_get_by_id() - look a connection up
 * @chan: channel
 * @id: own id
 *
 * Context: any.
 * Return: a reference, or NULL.
 */
struct xvmc_conn *xvmc_conn_get_by_id(struct xvmc_chan *chan, u32 id)
{
	struct xvmc_conn *conn;

	rcu_read_lock();
	conn = xa_load(&chan->conns, id);
	if (conn && !kref_get_unless_zero(&conn->ref))
		conn = NULL;
	rcu_read_unlock();
	return conn;
}

static void conn_free_id(struct xvmc_conn *conn)
{
	struct xvmc_chan *chan = conn->chan;
	bool had, timer;

	spin_lock_bh(&conn->lock);
	had = conn->has_id;
	conn->has_id = false;
	if (had && conn->left)
		atomic_dec(&chan->nr_left);
	/* A reader may go on without the id, until the door leaves */
	timer = had && !conn->nudge && cancel_delayed_work(&conn->timer);
	spin_unlock_bh(&conn->lock);
	if (!had)
		return;
	if (timer)
		xvmc_conn_put(conn);
	xvmc_chan_forget(chan, conn);
	xa_erase_bh(&chan->conns, conn->id);
	atomic_dec(&chan->nr_conns);
	xvmc_conn_put(conn);
}

/* Context: any */
static void conn_do(struct xvmc_conn *conn, enum conn_todo todo)
{
	set_bit(todo, &conn->todo);
	xvmc_conn_hold(conn);
	if (!queue_work(xvmc_wq, &conn->work))
		xvmc_conn_put(conn);
}

void xvmc_conn_send(struct xvmc_conn *conn, u16 type)
{
	spin_lock_bh(&conn->lock);
	conn->send |= BIT(type);
	spin_unlock_bh(&conn->lock);
	xvmc_chan_queue(conn->chan, conn);
}

/*
 * A question or an answer is pending before anybody sees the new state, so that
 * no DETACH of somebody who leaves overtakes it. conn->lock held
 */
static void conn_say(struct xvmc_conn *conn, u16 actions)
{
	bool tcp = conn->ops->tcp;

	if (actions & XVMC_CACT_SEND_ASK)
		conn->send |= BIT(tcp ? XVMC_MSG_UPGRADE : XVMC_MSG_CONNECT);
	/* The answer to RESUME is the own one */
	if (actions & XVMC_CACT_SEND_YES)
		conn->send |= BIT(tcp ? XVMC_MSG_UPGRADE_OK : conn->resumes ?
				  XVMC_MSG_CONNECT : XVMC_MSG_ACCEPT);
}

/* Carries out what the state table said. The id goes last */
static void conn_act(struct xvmc_conn *conn, u16 actions)
{
	if (actions & XVMC_CACT_STOP_TX)
		conn_do(conn, TODO_STOP);
	if (actions & (XVMC_CACT_SEND_ASK | XVMC_CACT_SEND_YES))
		xvmc_chan_queue(conn->chan, conn);
	if (actions & XVMC_CACT_LEND)
		conn_do(conn, TODO_LEND);
	if (actions & XVMC_CACT_RECALL_RX)
		conn_do(conn, TODO_RECALL_RX);
	if (actions & XVMC_CACT_SEND_DETACH)
		conn_do(conn, TODO_DETACH);
	if (actions & XVMC_CACT_TELL_UP)
		conn_do(conn, TODO_UP);
	if (actions & XVMC_CACT_TELL_NO)
		conn_do(conn, TODO_NO);
	if (actions & XVMC_CACT_TELL_DOWN)
		conn_do(conn, TODO_DOWN);
	if (actions & XVMC_CACT_FREE_ID) {
		/* The peer has looked: see xvmc_rx_is_looked_at() */
		if (READ_ONCE(conn->rx.orphan))
			conn_do(conn, TODO_NEWS);
		conn_free_id(conn);
	}
}

/* Counts, tells; the errno of a stream's end is not told. @kept: none yet */
static void conn_note(struct xvmc_conn *conn, u8 old,
		      const struct xvmc_fsm_step *step, u32 why, bool kept)
{
	bool tcp = conn->ops->tcp;
	const char *up = tcp ? "moved" : conn->resumes ? "resumed" : "opened";

	if (step->state != old)
		trace_xenvmc_conn_state(conn->chan->peer->domid, conn->id, tcp,
					old, step->state, why);
	if (old < XVMC_CONN_UP && step->state == XVMC_CONN_UP) {
		xvmc_stat_inc(XVMC_STAT_CONN_OPENED);
		xvmc_event_conn(conn, up, 0);
	}
	if (old == XVMC_CONN_UP && step->state > XVMC_CONN_UP) {
		xvmc_stat_inc(XVMC_STAT_CONN_CLOSED);
		xvmc_event_conn(conn, kept ? "parked" : "closed",
				tcp ? why : 0);
	}
	if (step->actions & XVMC_CACT_TELL_NO)
		xvmc_stat_inc(XVMC_STAT_CONN_REFUSED);
}

/*
 * Can another channel take it over? The peer may not have heard that it is
 * LEFT; if it has, it will say that it knows of no such connection.
 */
static bool conn_is_cut(struct xvmc_conn *conn, u8 old, u8 event)
{
	lockdep_assert_held(&conn->lock);
	if (event != XVMC_CEV_CHAN_DOWN || !conn->ops->cut ||
	    conn->chan->reason != XENVMC_REASON_SUSPEND)
		return false;
	return old == XVMC_CONN_UP ||
	       (old == XVMC_CONN_LEFT && conn->has_peer_id && !conn->reset);
}

/*
 * Runs the state table. @why is kept if this event is the first to end the
 * connection. @peer_id is taken with REQUEST and YES.
 */
static struct xvmc_fsm_step conn_event(struct xvmc_conn *conn, u8 event,
				       u32 why, u32 peer_id)
{
	struct xvmc_fsm_step step;
	bool cut, kept;
	u8 old;

	spin_lock_bh(&conn->lock);
	old = conn->state;
	if (xvmc_conn_is_guessed(conn, event)) {
		spin_unlock_bh(&conn->lock);
		return (struct xvmc_fsm_step){ .state = old };
	}
	step = xvmc_conn_step(old, event);
	cut = conn_is_cut(conn, old, event);
	if (cut)
		WRITE_ONCE(conn->cut, true);
	WRITE_ONCE(conn->state, step.state);
	conn_say(conn, step.actions);
	if ((step.actions & XVMC_CACT_SEND_YES ||
	     (event == XVMC_CEV_YES && step.state >= XVMC_CONN_UP)) &&
	    !conn->has_peer_id) {
		conn->peer_id = peer_id;
		conn->has_peer_id = true;
	}
	if (old <= XVMC_CONN_UP && step.state > XVMC_CONN_UP)
		conn->why = why;
	spin_unlock_bh(&conn->lock);

	kept = cut && conn->ops->cut(conn);
	conn_note(conn, old, &step, why, kept);
	conn_act(conn, step.actions);
	return step;
}

static void conn_begin(struct xvmc_conn *conn, u8 event, unsigned long timeout)
{
	struct xvmc_fsm_step step;

	if (timeout) {
		xvmc_conn_hold(conn);
		if (!queue_delayed_work(xvmc_wq, &conn->timer, timeout))
			xvmc_conn_put(conn);
	}
	step = conn_event(conn, event, 0, 0);
	/* The channel went before there was a timer that it could cancel */
	if (step.state == XVMC_CONN_DEAD && cancel_delayed_work(&conn->timer))
		xvmc_conn_put(conn);
}

static void conn_timer(struct work_struct *work)
{
	struct xvmc_conn *conn = container_of(to_delayed_work(work),
					      struct xvmc_conn, timer);

	/* It is quicker than who has set it, see conn_begin() */
	if (READ_ONCE(conn->state) == XVMC_CONN_NEW &&
	    queue_delayed_work(xvmc_wq, &conn->timer, 1))
		return;
	if (xchg(&conn->nudge, false))
		conn->ops->data_ready(conn);
	else
		conn_event(conn, XVMC_CEV_TIMEOUT, conn->ops->tcp ?
			   XENVMC_REASON_NO_ANSWER : ETIMEDOUT, 0);
	xvmc_conn_put(conn);
}

/**
 * xvmc_conn_ask() - send CONNECT or UPGRADE
 * @conn: connection in state NEW
 * @timeout: jiffies to wait for the answer, 0: as long as the channel is there
 *
 * Context: any.
 */
void xvmc_conn_ask(struct xvmc_conn *conn, unsigned long timeout)
{
	conn_begin(conn, XVMC_CEV_ASK, timeout);
}
EXPORT_SYMBOL_GPL(xvmc_conn_ask);

/**
 * xvmc_conn_await() - wait for the peer's UPGRADE
 * @conn: connection in state NEW
 * @timeout: jiffies
 *
 * Context: any.
 */
void xvmc_conn_await(struct xvmc_conn *conn, unsigned long timeout)
{
	conn_begin(conn, XVMC_CEV_AWAIT, timeout);
}
EXPORT_SYMBOL_GPL(xvmc_conn_await);

/**
 * xvmc_conn_accept() - a matching request came
 * @conn: connection in state NEW (a stream's) or AWAIT (TCP's)
 * @peer_id: the asking end's id
 *
 * Context: any.
 * Return: 0, or -EALREADY if the connection does not wait any more.
 */
int xvmc_conn_accept(struct xvmc_conn *conn, u32 peer_id)
{
	struct xvmc_fsm_step step;

	step = conn_event(conn, XVMC_CEV_REQUEST, 0, peer_id);
	return step.actions & XVMC_CACT_SEND_YES ? 0 : -EALREADY;
}
EXPORT_SYMBOL_GPL(xvmc_conn_accept);

/**
 * xvmc_conn_leave() - the local end is over
 * @conn: connection; the caller's reference stays the caller's
 * @why: reason or errno for the peer
 * @reset: RESET instead of DETACH
 * @orphan: nobody reads any more
 *
 * Context: any.
 */
void xvmc_conn_leave(struct xvmc_conn *conn, u32 why, bool reset, bool orphan)
{
	u32 asks = BIT(XVMC_MSG_CONNECT) | BIT(XVMC_MSG_UPGRADE);
	bool unasked, nudge;

	spin_lock_bh(&conn->lock);
	if (conn->has_id && !conn->left)
		atomic_inc(&conn->chan->nr_left);
	conn->left = true;
	nudge = conn->nudge && cancel_delayed_work(&conn->timer);
	if (conn->state <= XVMC_CONN_UP)
		conn->reset = reset;
	/* An answer can be there before the question is sent: both RESUME */
	unasked = !conn->has_peer_id && conn->send & asks;
	if (unasked)
		conn->send &= ~asks;
	if (orphan && conn->ops->tcp)
		WRITE_ONCE(conn->ops, &xvmc_orphan_ops);
	/* Who makes it DEAD after this sees it, or the work below sees that */
	if (orphan)
		WRITE_ONCE(conn->rx.orphan, true);
	spin_unlock_bh(&conn->lock);
	if (nudge)
		xvmc_conn_put(conn);
	if (orphan)
		conn_do(conn, TODO_NEWS);
	conn_event(conn, XVMC_CEV_LEAVE, why, 0);
	/* What was never asked is not answered either */
	if (unasked)
		conn_event(conn, XVMC_CEV_NO, why, 0);
}
EXPORT_SYMBOL_GPL(xvmc_conn_leave);

/* ---- what the control work has for a connection ------------------------- */

/* ACCEPT or UPGRADE_OK came */
void xvmc_conn_answer(struct xvmc_conn *conn, u32 peer_id)
{
	conn_event(conn, XVMC_CEV_YES,
		   conn->ops->tcp ? XENVMC_REASON_PEER_LEFT : ECONNRESET,
		   peer_id);
}

/* REFUSE or UPGRADE_NO came */
void xvmc_conn_no(struct xvmc_conn *conn, u32 why)
{
	conn_event(conn, XVMC_CEV_NO, why, 0);
}

/* DETACH or RESET came */
void xvmc_conn_detached(struct xvmc_conn *conn, u32 why)
{
	conn_event(conn, XVMC_CEV_DETACH, why, 0);
}

/*
 * LEND came. The ring is marked lent and counted as borrowed. Returns -ENOENT
 * if the connection has no use for it, -EPROTO if it has one already.
 */
int xvmc_conn_lent(struct xvmc_conn *conn, struct xvmc_tx_ring *ring)
{
	int err = 0;

	spin_lock_bh(&conn->lock);
	if (conn->state != XVMC_CONN_UP)
		err = -ENOENT;
	else if (conn->tx.offered || rcu_access_pointer(conn->tx.ring))
		err = -EPROTO;
	else
		conn->tx.offered = ring;
	spin_unlock_bh(&conn->lock);
	if (!err) {
		trace_xenvmc_lend(conn->chan->peer->domid, conn->id,
				  XVMC_TRACE_LENT, ring->id, ring->epoch);
		conn_do(conn, TODO_TAKE);
	}
	return err;
}

/* RECALL came */
void xvmc_conn_recall(struct xvmc_conn *conn, u32 why)
{
	WRITE_ONCE(conn->recalled_why, why);
	conn_do(conn, TODO_RECALLED);
}

/* A ring may be free. Consumes the reference of the starving list */
void xvmc_conn_feed(struct xvmc_conn *conn)
{
	conn_do(conn, TODO_LEND);
	xvmc_conn_put(conn);
}

/* WANT came */
void xvmc_conn_wanted(struct xvmc_conn *conn)
{
	conn_do(conn, TODO_WANTED);
}

/* Its ring is for somebody else */
void xvmc_conn_ask_to_yield(struct xvmc_conn *conn)
{
	conn_do(conn, TODO_YIELD);
}

/* Somebody has seen a strange index without the mutexes. Under RCU */
void xvmc_conn_suspect(struct xvmc_conn *conn)
{
	if (!kref_get_unless_zero(&conn->ref))
		return;
	conn_do(conn, TODO_CHECK);
	xvmc_conn_put(conn);
}

/* Something may let a cut connection go on. Any context */
void xvmc_conn_meet(struct xvmc_conn *conn)
{
	if (conn->ops->meet)
		conn_do(conn, TODO_MEET);
}

/* Bytes are missing behind those that can be read. Any context */
void xvmc_conn_torn(struct xvmc_conn *conn)
{
	conn_do(conn, TODO_DOWN);
}

/* The peer could not map the ring that is lent to it. Any context */
void xvmc_conn_gone(struct xvmc_conn *conn)
{
	conn_do(conn, TODO_UNLEND);
}

/* Every connection of a closing channel. Process context */
void xvmc_conn_chan_down(struct xvmc_chan *chan, u32 reason)
{
	struct xvmc_conn *conn;
	unsigned long id;
	bool again;
	u32 why;

	xa_for_each(&chan->conns, id, conn) {
		conn = xvmc_conn_get_by_id(chan, id);
		if (!conn)
			continue;
		/*
		 * Who may ask again does so, as one that was cut before; but
		 * not from a peer that has answered against the rules
		 */
		again = reason == XENVMC_REASON_SUSPEND ||
			(conn->resumes && conn->ops->cut &&
			 reason != XENVMC_REASON_CHAN_BROKEN);
		why = again ? EAGAIN : ECONNRESET;
		conn_event(conn, XVMC_CEV_CHAN_DOWN,
			   conn->ops->tcp ? reason : why, 0);
		xvmc_conn_put(conn);
	}
}

/* A doorbell of a ring that @conn borrows. Softirq, RCU */
void xvmc_conn_bell(struct xvmc_conn *conn, enum xvmc_bell kind)
{
	bool closing = READ_ONCE(conn->chan->state) >= XVMC_CHAN_CLOSING;
	bool orphan = READ_ONCE(conn->rx.orphan);
	bool news = orphan || READ_ONCE(conn->rx.renew);

	if (kind == XVMC_BELL_SPACE) {
		conn->ops->write_space(conn);
		return;
	}
	if (!orphan)
		conn->ops->data_ready(conn);
	if ((news || closing) && kref_get_unless_zero(&conn->ref)) {
		conn_do(conn, closing ? TODO_SAVE : TODO_NEWS);
		xvmc_conn_put(conn);
	}
}

/* The channel closes: what is unread goes to private memory. Any context */
void xvmc_conn_save(struct xvmc_conn *conn, bool force)
{
	conn_do(conn, force ? TODO_SAVE_NOW : TODO_SAVE);
}

/* ---- the connection's work ---------------------------------------------- */

/* Takes the offered ring, or gives it back at once */
static void conn_take(struct xvmc_conn *conn)
{
	bool taken;

	mutex_lock(&conn->tx.mutex);
	taken = xvmc_tx_take(conn);
	mutex_unlock(&conn->tx.mutex);
	if (taken && !READ_ONCE(conn->left))
		conn->ops->tx_lent(conn);
}

static void conn_recalled(struct xvmc_conn *conn)
{
	bool had;

	mutex_lock(&conn->tx.mutex);
	had = xvmc_tx_give_back(conn);
	mutex_unlock(&conn->tx.mutex);
	if (had && conn->ops->recalled && !READ_ONCE(conn->left))
		conn->ops->recalled(conn, READ_ONCE(conn->recalled_why));
}

static void conn_stop(struct xvmc_conn *conn)
{
	mutex_lock(&conn->tx.mutex);
	conn->tx.closed = true;
	/* The peer may have closed when it was asked to stop, or had stopped */
	if (!conn->tx.unread)
		WRITE_ONCE(conn->tx.unread, xvmc_tx_left(conn));
	xvmc_tx_stop(conn);
	mutex_unlock(&conn->tx.mutex);
}

/* Has whoever the socket belongs to room for this ring? */
static bool conn_charge(struct xvmc_conn *conn, const struct xvmc_rx_ring *ring)
{
	const struct xvmc_conn_ops *ops = READ_ONCE(conn->ops);

	return !ops->charge || READ_ONCE(conn->left) ||
	       ops->charge(conn, PAGE_SIZE << ring->mem.order);
}

/*
 * Lends a ring to the peer's sending side. The state is looked at again after
 * the ring is in place: an end that came meanwhile recalls it.
 */
static void conn_lend(struct xvmc_conn *conn)
{
	struct xvmc_rx_ring *ring;
	bool ok, dead = false;

	/* What was saved does not matter: it is read in front of the ring */
	if (READ_ONCE(conn->state) != XVMC_CONN_UP ||
	    READ_ONCE(conn->rx.orphan) || rcu_access_pointer(conn->rx.ring)) {
		/* If this was its turn, somebody else may have it */
		xvmc_chan_feed_later(conn->chan);
		return;
	}
	ring = xvmc_conn_has_turn(conn) ?
	       xvmc_chan_take_rx(conn->chan, READ_ONCE(conn->rx.most)) : NULL;
	if (!ring) {
		xvmc_conn_starve(conn);
		return;
	}
	ok = conn_charge(conn, ring);
	mutex_lock(&conn->rx.mutex);
	ok = ok && !conn->rx.no_lend && !rcu_access_pointer(conn->rx.ring);
	if (ok) {
		xvmc_rx_install(conn, ring);
		xvmc_conn_served(conn);
		/* Whoever says that of the ring later sees its borrower */
		dead = READ_ONCE(ring->dead);
		/* In front of the RECALL of whoever takes the mutex next */
		xvmc_conn_send(conn, XVMC_MSG_LEND);
	}
	mutex_unlock(&conn->rx.mutex);
	if (!ok) {
		xvmc_chan_give_rx(conn->chan, ring);
		return;
	}
	xvmc_stat_inc(XVMC_STAT_LENDS);
	trace_xenvmc_lend(conn->chan->peer->domid, conn->id, XVMC_TRACE_LEND,
			  conn->rx.ring_id, conn->rx.epoch);
	if (READ_ONCE(conn->state) != XVMC_CONN_UP)
		conn_do(conn, TODO_RECALL_RX);
	/* The lend may be over, and the ring freed: it is not looked at */
	if (dead)
		xvmc_conn_gone(conn);
	/* The closer may have looked for borrowers for the last time */
	if (READ_ONCE(conn->chan->state) != XVMC_CHAN_UP)
		conn_do(conn, TODO_SAVE);
}

static void conn_news(struct xvmc_conn *conn)
{
	mutex_lock(&conn->rx.mutex);
	xvmc_rx_news(conn);
	mutex_unlock(&conn->rx.mutex);
}

static void conn_tell(struct xvmc_conn *conn, unsigned long todo)
{
	if (READ_ONCE(conn->left))
		return;
	if (todo & BIT(TODO_UP))
		conn->ops->opened(conn);
	if (todo & BIT(TODO_NO))
		conn->ops->refused(conn, conn->why);
	if (todo & BIT(TODO_DOWN))
		conn->ops->down(conn, conn->why);
}

static void conn_work(struct work_struct *work)
{
	struct xvmc_conn *conn = container_of(work, struct xvmc_conn, work);
	unsigned long todo = xchg(&conn->todo, 0);

	if (todo & BIT(TODO_TAKE))
		conn_take(conn);
	if (todo & BIT(TODO_RECALLED))
		conn_recalled(conn);
	if (todo & BIT(TODO_CHECK))
		xvmc_rings_check(conn);
	/* Once it has stopped, nothing takes it off the list any more */
	if (todo & BIT(TODO_UNLEND) && xvmc_conn_unlend(conn) &&
	    READ_ONCE(conn->state) == XVMC_CONN_UP) {
		/* What it wants was that ring, and it does not say so again */
		if (!conn->ops->tcp)
			xvmc_conn_want(conn);
		xvmc_conn_starve(conn);
	}
	if (todo & BIT(TODO_STOP)) {
		conn_stop(conn);
		xvmc_conn_unstarve(conn);
	}
	if (todo & BIT(TODO_LEND))
		conn_lend(conn);
	if (todo & BIT(TODO_RECALL_RX))
		xvmc_rx_recall(conn, conn->why);
	if (todo & BIT(TODO_WANTED))
		xvmc_rx_wanted(conn);
	if (todo & BIT(TODO_YIELD))
		xvmc_conn_yield(conn);
	if (todo & BIT(TODO_NEWS))
		conn_news(conn);
	if (todo & (BIT(TODO_SAVE) | BIT(TODO_SAVE_NOW)))
		xvmc_conn_spill(conn, todo & BIT(TODO_SAVE_NOW));
	if (todo & BIT(TODO_DETACH))
		xvmc_conn_send(conn, conn->reset && !conn->ops->tcp ?
			  XVMC_MSG_RESET : XVMC_MSG_DETACH);
	conn_tell(conn, todo);
	if (todo & BIT(TODO_MEET))
		conn->ops->meet(conn);
	xvmc_conn_put(conn);
}

/**
 * xvmc_conn_lend_again() - a lend is over and another may follow
 * @conn: connection
 *
 * Context: any.
 */
void xvmc_conn_lend_again(struct xvmc_conn *conn)
{
	conn_do(conn, TODO_LEND);
}

/**
 * xvmc_conn_forsake() - the reader has done with a ring before the peer has
 * @conn: connection
 *
 * It is given back when the peer has stopped, and has looked whether what it
 * has written was read: see xvmc_rx_is_looked_at().
 * Context: any.
 */
void xvmc_conn_forsake(struct xvmc_conn *conn)
{
	WRITE_ONCE(conn->rx.orphan, true);
	xvmc_rx_recall(conn, XENVMC_REASON_TCP_ENDED);
	/* The stop mark may have come before there was an orphan to be told */
	conn_do(conn, TODO_NEWS);
}
