// SPDX-License-Identifier: GPL-2.0
/*
 * Peers: their life, and the carrying out of the state table's actions.
 *
 * Events come from discovery (listed or not), the transport (offers), the
 * channel (HELLO, BYE, violations, closed) and module exit; they are serialised
 * by peer->mutex and run in process context. The state table (core/fsm.c) says
 * what follows from an event; this file knows besides it whether dom0 lists the
 * peer, and takes the pair up again when the last channel is closed and the
 * peer is still listed.
 *
 * References: the table's, one while retry work is queued, one per channel.
 * A peer leaves the table once and is freed after a grace period.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/slab.h>
#include "chan.h"
#include "event.h"
#include "fault.h"
#include "peer.h"
#include "peer_table.h"
#include "stats.h"
#include "trace.h"
#include "xenvmc_priv.h"

#define PEER_NO_EVENT	XVMC_PEER_EVENTS
/* A pair that fails, or that comes and goes, is taken up ever more slowly */
#define PEER_DELAY_MIN	(HZ / 20)
#define PEER_DELAY_MAX	(2 * HZ)
#define PEER_STABLE	(5 * HZ)

static DECLARE_WAIT_QUEUE_HEAD(peers_wait);	/* a channel has closed */

static struct xvmc_chan *peer_chan(const struct xvmc_peer *peer)
{
	return rcu_dereference_protected(peer->chan,
					 lockdep_is_held(&peer->mutex));
}

/* ---- life of a peer ---- */

static void peer_retry_work(struct work_struct *work);

static void peer_release(struct kref *ref)
{
	struct xvmc_peer *peer = container_of(ref, struct xvmc_peer, ref);

	DEBUG_NET_WARN_ON_ONCE(rcu_access_pointer(peer->chan));
	mutex_destroy(&peer->mutex);
	kfree_rcu(peer, rcu);
}

/**
 * xvmc_peer_put() - drops a reference
 * @peer: the peer
 *
 * Context: Any context.
 */
void xvmc_peer_put(struct xvmc_peer *peer)
{
	kref_put(&peer->ref, peer_release);
}

/**
 * xvmc_peer_new_hidden() - makes a peer that is in no table
 * @domid: its domain id
 * @ops: its transport
 *
 * Context: Process context.
 * Return: the peer with one reference, in state ABSENT, or ERR_PTR(-ENOMEM).
 */
struct xvmc_peer *xvmc_peer_new_hidden(u16 domid,
				       const struct xvmc_transport_ops *ops)
{
	struct xvmc_peer *peer = NULL;

	if (!xvmc_should_fail(XVMC_FAULT_PEER))
		peer = kzalloc(sizeof(*peer), GFP_KERNEL);
	if (!peer)
		return ERR_PTR(-ENOMEM);
	kref_init(&peer->ref);
	mutex_init(&peer->mutex);
	INIT_DELAYED_WORK(&peer->retry, peer_retry_work);
	INIT_LIST_HEAD(&peer->node);
	peer->domid = domid;
	peer->ops = ops;
	peer->state = XVMC_PEER_ABSENT;
	peer->listed = PEER_NO_EVENT;
	peer->delay = PEER_DELAY_MIN;
	return peer;
}

/**
 * xvmc_peer_new() - makes a peer and puts it into the table
 * @domid: its domain id
 * @ops: its transport
 *
 * Context: Process context.
 * Return: the peer with a reference for the caller, in state ABSENT, or
 * ERR_PTR() of -ENOMEM or -EEXIST.
 */
struct xvmc_peer *xvmc_peer_new(u16 domid,
				const struct xvmc_transport_ops *ops)
{
	struct xvmc_peer *peer;
	int err;

	peer = xvmc_peer_new_hidden(domid, ops);
	if (IS_ERR(peer))
		return peer;
	err = xvmc_peer_table_add(peer);
	if (err) {
		xvmc_peer_put(peer);
		return ERR_PTR(err);
	}
	return peer;
}

/* Out of the table, for good. The caller has a reference of its own */
static void peer_forget(struct xvmc_peer *peer)
{
	lockdep_assert_held(&peer->mutex);
	peer->dead = true;
	if (cancel_delayed_work(&peer->retry))
		xvmc_peer_put(peer);
	xvmc_peer_table_del(peer);
}

static void peer_retry_later(struct xvmc_peer *peer)
{
	lockdep_assert_held(&peer->mutex);
	if (peer->left)
		return;
	xvmc_peer_hold(peer);
	if (!queue_delayed_work(xvmc_wq, &peer->retry, peer->delay))
		xvmc_peer_put(peer);
	peer->delay = min_t(unsigned long, 2 * peer->delay, PEER_DELAY_MAX);
}

/* ---- actions ---- */

/* Own trouble: nothing that the peer is to blame for; tried again later */
static u8 peer_failed(struct xvmc_peer *peer, const char *what, int err)
{
	pr_warn_ratelimited("domain %u: %s: error %d, trying again\n",
			    peer->domid, what, err);
	/*
	 * Where a channel exists that is not to be used, it is closed in good
	 * order, as after a BYE; FAILED would mean BROKEN there, which only a
	 * new listing by dom0 ends.
	 */
	return peer->state == XVMC_PEER_HELLO ? XVMC_PEV_FAILED : XVMC_PEV_BYE;
}

/* What the peer did that no channel has told of */
static u8 peer_violated(struct xvmc_peer *peer, const char *what)
{
	struct xvmc_chan *chan = peer_chan(peer);

	if (chan)
		xvmc_chan_distrust(chan, what);
	xvmc_stat_inc(XVMC_STAT_VIOLATIONS);
	trace_xenvmc_violation(peer->domid, what);
	pr_warn_ratelimited("domain %u broke the protocol: %s\n", peer->domid,
			    what);
	return XVMC_PEV_VIOLATION;
}

static u8 peer_offer(struct xvmc_peer *peer)
{
	int err = peer->ops->offer ? peer->ops->offer(peer) : -EOPNOTSUPP;

	if (err)
		return peer_failed(peer, "cannot offer", err);
	return PEER_NO_EVENT;
}

static void peer_watch(struct xvmc_peer *peer)
{
	int err = peer->ops->watch ? peer->ops->watch(peer) : -EOPNOTSUPP;

	peer->watching = !err;
	if (!err)
		return;
	peer_failed(peer, "cannot watch", err);
	peer_retry_later(peer);
}

static void peer_unwatch(struct xvmc_peer *peer)
{
	if (!peer->watching)
		return;
	peer->watching = false;
	peer->ops->unwatch(peer);
}

/*
 * An offer that went away under our hands is no failure: the next one rings
 * the watch. Else tried again later, since no watch will tell when: from now
 * on, or from the moment when the half-made channel is closed.
 */
static u8 peer_bind(struct xvmc_peer *peer)
{
	int err = peer->ops->bind ? peer->ops->bind(peer) : -EOPNOTSUPP;

	if (!err)
		return PEER_NO_EVENT;
	if (err == -EPROTO)
		return peer_violated(peer, "offer");
	if (err == -ENOENT)
		return XVMC_PEV_FAILED;
	if (!peer_chan(peer))
		peer_retry_later(peer);
	return peer_failed(peer, "cannot bind", err);
}

/*
 * A peer that was not answered in time gives up: it says BYE behind its HELLO
 * and takes its grants. What cannot be mapped then is nobody's fault.
 */
static bool peer_gave_up(struct xvmc_chan *chan)
{
	return xvmc_ring_used(&chan->rx_ctl.cons) > 0;
}

/* The lower domid's answer to HELLO */
static u8 peer_ack(struct xvmc_peer *peer, const struct xvmc_ctlmsg *msg)
{
	struct xvmc_chan *chan = peer_chan(peer);
	struct xvmc_ctlmsg ack = {
		.type = XVMC_MSG_HELLO_ACK,
		.hello = {
			.version = min_t(u16, msg->hello.version, XVMC_VERSION),
			.features = msg->hello.features & XVMC_FEATURES,
		},
	};
	int err;

	/*
	 * Before the peer can know that it is connected: it must not find this
	 * offer again when it leaves and comes back at once.
	 */
	if (peer->ops->withdraw)
		peer->ops->withdraw(peer);
	err = xvmc_chan_add_tx_ctl(chan, msg->hello.ctl_gref);
	if (err == -EPROTO && !peer_gave_up(chan))
		return peer_violated(peer, "control ring of HELLO");
	if (err)
		return peer_failed(peer, "cannot map", err);
	err = xvmc_chan_send(chan, &ack);
	if (err == -EPIPE)
		return peer_violated(peer, "control ring index");
	if (err)
		return peer_failed(peer, "cannot answer", err);
	return PEER_NO_EVENT;
}

/* @msg: HELLO or HELLO_ACK */
static void peer_up(struct xvmc_peer *peer, const struct xvmc_ctlmsg *msg)
{
	struct xvmc_chan *chan = peer_chan(peer);

	peer->up_since = jiffies;
	chan->features = msg->hello.features & XVMC_FEATURES;
	xvmc_chan_up(chan);
	xvmc_park_met(chan);
	pr_info_ratelimited("domain %u: connected\n", peer->domid);
	xvmc_hook_peer_came(true);
}

/* Returns CLOSED if there is nothing that has to be torn down */
static u8 peer_close(struct xvmc_peer *peer, u32 reason, bool bye)
{
	struct xvmc_chan *chan = peer_chan(peer);

	if (!chan)
		return XVMC_PEV_CLOSED;
	xvmc_chan_close(chan, reason, bye);
	return PEER_NO_EVENT;
}

static u32 peer_close_reason(u8 ev, const struct xvmc_ctlmsg *msg)
{
	switch (ev) {
	case XVMC_PEV_LEAVE:
		return XENVMC_REASON_UNLOAD;
	case XVMC_PEV_SUSPEND:
		return XENVMC_REASON_SUSPEND;
	case XVMC_PEV_BYE:
		/* Of the peer's reasons the only one that is ours as well */
		return msg && msg->type == XVMC_MSG_BYE &&
		       msg->bye.reason == XENVMC_REASON_SUSPEND ?
		       XENVMC_REASON_SUSPEND : XENVMC_REASON_CHAN_CLOSED;
	case XVMC_PEV_VIOLATION:
	case XVMC_PEV_HELLO:
	case XVMC_PEV_HELLO_ACK:
		return XENVMC_REASON_CHAN_BROKEN;
	default:
		return XENVMC_REASON_CHAN_CLOSED;
	}
}

/* What begins something. Returns the event that follows, if any */
static u8 peer_act_begin(struct xvmc_peer *peer, u16 actions,
			 const struct xvmc_ctlmsg *msg)
{
	u8 next = PEER_NO_EVENT;

	if (actions & XVMC_PACT_OFFER)
		next = peer_offer(peer);
	if (actions & XVMC_PACT_WATCH)
		peer_watch(peer);
	if (actions & XVMC_PACT_BIND)
		next = peer_bind(peer);
	if (actions & XVMC_PACT_ACK)
		next = peer_ack(peer, msg);
	if (actions & XVMC_PACT_UP && next == PEER_NO_EVENT)
		peer_up(peer, msg);
	return next;
}

/*
 * What ends something comes first and in this order: nobody may still find an
 * offer or be told of one when the grants behind it go.
 */
static u8 peer_act(struct xvmc_peer *peer, u16 actions, u32 reason,
		   const struct xvmc_ctlmsg *msg)
{
	bool bye = actions & XVMC_PACT_BYE;

	if (actions & XVMC_PACT_WITHDRAW && peer->ops->withdraw)
		peer->ops->withdraw(peer);
	if (actions & XVMC_PACT_UNWATCH)
		peer_unwatch(peer);
	if (actions & XVMC_PACT_CLOSE)
		return peer_close(peer, reason, bye);
	if (actions & XVMC_PACT_BREAK) {
		peer_close(peer, reason, bye);
		return PEER_NO_EVENT;
	}
	return peer_act_begin(peer, actions, msg);
}

/* ---- events ---- */

/* Versions are a matter of HELLO alone, and only where one is expected */
static bool peer_version_ok(const struct xvmc_peer *peer, u8 ev,
			    const struct xvmc_ctlmsg *msg)
{
	bool due = (ev == XVMC_PEV_HELLO && peer->state == XVMC_PEER_OFFERED) ||
		   (ev == XVMC_PEV_HELLO_ACK && peer->state == XVMC_PEER_HELLO);

	return !due ||
	       (msg->hello.version && msg->hello.version <= XVMC_VERSION);
}

static bool peer_is_greeting(u8 ev)
{
	return ev == XVMC_PEV_HELLO || ev == XVMC_PEV_HELLO_ACK;
}

static bool peer_ends(const struct xvmc_fsm_step *step)
{
	return step->state == XVMC_PEER_CLOSING ||
	       step->state == XVMC_PEER_BROKEN;
}

/* Runs the state table until no event follows */
static void peer_run(struct xvmc_peer *peer, u8 ev,
		     const struct xvmc_ctlmsg *msg)
{
	struct xvmc_fsm_step step;
	u32 reason;
	u8 old;

	lockdep_assert_held(&peer->mutex);
	while (ev != PEER_NO_EVENT) {
		reason = peer_close_reason(ev, msg);
		if (!peer_version_ok(peer, ev, msg)) {
			ev = peer_violated(peer, "no common version");
			reason = XENVMC_REASON_VERSION;
		}
		old = peer->state;
		step = xvmc_peer_step(old, ev);
		if (step.state == XVMC_PEER_BROKEN && peer_is_greeting(ev) &&
		    old != XVMC_PEER_BROKEN)
			peer_violated(peer, "greeting out of turn");
		WRITE_ONCE(peer->state, step.state);
		if (step.state != old) {
			trace_xenvmc_peer_state(peer->domid, old, step.state);
			xvmc_event_peer(peer, peer_ends(&step) ? reason : 0);
		}
		ev = peer_act(peer, step.actions, reason, msg);
		/* A channel that was given up in HELLO has no action for it */
		if (peer->state == XVMC_PEER_WAITING)
			peer_close(peer, XENVMC_REASON_CHAN_CLOSED, false);
	}
}

/*
 * The channel is torn down. If it began that by itself, the state table has
 * not heard of it yet.
 */
static void peer_closed(struct xvmc_peer *peer)
{
	struct xvmc_chan *chan = peer_chan(peer);
	bool broken;

	if (!chan)
		return;
	broken = chan->reason == XENVMC_REASON_CHAN_BROKEN;
	peer_run(peer, broken ? XVMC_PEV_VIOLATION : XVMC_PEV_BYE, NULL);
	RCU_INIT_POINTER(peer->chan, NULL);
	xvmc_chan_put(chan);
	if (peer->up_since &&
	    time_after(jiffies, peer->up_since + PEER_STABLE))
		peer->delay = PEER_DELAY_MIN;
	peer->up_since = 0;
	peer_run(peer, XVMC_PEV_CLOSED, NULL);
	/* Failed to bind, or an offer came meanwhile: looks again */
	if (peer->state == XVMC_PEER_WAITING)
		peer_retry_later(peer);
	wake_up_all(&peers_wait);
}

/* Nothing is left of the last channel: once more, or for good */
static void peer_settle(struct xvmc_peer *peer)
{
	if (peer->state != XVMC_PEER_ABSENT || peer_chan(peer))
		return;
	if (peer->listed == PEER_NO_EVENT)
		peer_forget(peer);
	else
		peer_retry_later(peer);
}

/* Returns whether the state table has to know of it now */
static bool peer_note_listed(struct xvmc_peer *peer, u8 ev)
{
	switch (ev) {
	case XVMC_PEV_LISTED_LOW:
	case XVMC_PEV_LISTED_HIGH:
		if (peer->left || peer->listed == ev)
			return false;
		peer->listed = ev;
		/* Else it is taken up when the last channel is closed */
		return peer->state == XVMC_PEER_ABSENT && !peer_chan(peer);
	case XVMC_PEV_LEAVE:
	case XVMC_PEV_SUSPEND:
		peer->left = true;
		fallthrough;
	case XVMC_PEV_UNLISTED:
		peer->listed = PEER_NO_EVENT;
		return true;
	case XVMC_PEV_OFFER:
		/*
		 * The channel that failed to bind is still being closed; or the
		 * offer will be looked at, ever more slowly, however often the
		 * peer makes another one.
		 */
		return !peer_chan(peer) && !delayed_work_pending(&peer->retry);
	default:
		return true;
	}
}

/**
 * xvmc_peer_event() - an event of a peer
 * @peer: the peer; the caller has a reference
 * @ev: the event
 * @msg: HELLO, HELLO_ACK or BYE, in private memory; else NULL
 *
 * Context: Process context, takes the peer's mutex.
 */
void xvmc_peer_event(struct xvmc_peer *peer, enum xvmc_peer_event ev,
		     const struct xvmc_ctlmsg *msg)
{
	mutex_lock(&peer->mutex);
	if (peer->dead)
		goto unlock;
	if (ev == XVMC_PEV_CLOSED)
		peer_closed(peer);
	else if (peer_note_listed(peer, ev))
		peer_run(peer, ev, msg);
	else
		goto unlock;
	peer_settle(peer);
unlock:
	mutex_unlock(&peer->mutex);
}

/**
 * xvmc_peer_violation() - the peer broke the protocol on a channel
 * @peer: the peer
 * @chan: the channel; nothing happens if it is closed and perhaps followed by
 *	another, as when a saved byte turns out to be wrong
 *
 * Context: Process context, takes the peer's mutex.
 */
void xvmc_peer_violation(struct xvmc_peer *peer, struct xvmc_chan *chan)
{
	mutex_lock(&peer->mutex);
	if (!peer->dead && peer_chan(peer) == chan) {
		peer_run(peer, XVMC_PEV_VIOLATION, NULL);
		peer_settle(peer);
	}
	mutex_unlock(&peer->mutex);
}

static void peer_retry(struct xvmc_peer *peer)
{
	lockdep_assert_held(&peer->mutex);
	if (peer->dead || peer->left || peer_chan(peer))
		return;
	if (peer->state == XVMC_PEER_ABSENT && peer->listed != PEER_NO_EVENT)
		peer_run(peer, peer->listed, NULL);
	else if (peer->state == XVMC_PEER_WAITING && !peer->watching)
		peer_watch(peer);
	else if (peer->state == XVMC_PEER_WAITING)
		peer_run(peer, XVMC_PEV_OFFER, NULL);
	peer_settle(peer);
}

static void peer_retry_work(struct work_struct *work)
{
	struct xvmc_peer *peer = container_of(to_delayed_work(work),
					      struct xvmc_peer, retry);

	mutex_lock(&peer->mutex);
	peer_retry(peer);
	mutex_unlock(&peer->mutex);
	xvmc_peer_put(peer);
}

/* ---- module ---- */

/**
 * xvmc_peer_init() - prepares the table
 *
 * Context: Process context.
 * Return: 0.
 */
int xvmc_peer_init(void)
{
	xvmc_peer_table_init();
	return 0;
}

/* The channel of a peer that left is closed: until nothing of it is queued */
static void peer_wait_settled(struct xvmc_peer *peer)
{
	if (cancel_delayed_work_sync(&peer->retry))
		xvmc_peer_put(peer);
	/* Who woke us still holds the mutex */
	mutex_lock(&peer->mutex);
	mutex_unlock(&peer->mutex);
}

/**
 * xvmc_peer_wait_left() - waits until nothing of a peer is left but memory
 * @peer: the peer, which got LEAVE; the caller has a reference
 *
 * The channel has its own deadline for the peer's answer, so this ends.
 *
 * Context: Process context.
 */
void xvmc_peer_wait_left(struct xvmc_peer *peer)
{
	wait_event(peers_wait, !rcu_access_pointer(peer->chan));
	peer_wait_settled(peer);
}

/**
 * struct peer_first - the first peer of some kind
 * @ops: of that transport, or of any if NULL
 * @unleft: not one that left
 * @peer: found, with a reference, or NULL
 */
struct peer_first {
	const struct xvmc_transport_ops *ops;
	bool unleft;
	struct xvmc_peer *peer;
};

static int peer_is_first(struct xvmc_peer *peer, void *arg)
{
	struct peer_first *first = arg;

	if ((first->ops && first->ops != peer->ops) ||
	    (first->unleft && READ_ONCE(peer->left)) ||
	    !kref_get_unless_zero(&peer->ref))
		return 0;
	first->peer = peer;
	return 1;
}

static struct xvmc_peer *peer_get_first(const struct xvmc_transport_ops *ops,
					bool unleft)
{
	struct peer_first first = { .ops = ops, .unleft = unleft };

	xvmc_peer_for_each(peer_is_first, &first);
	return first.peer;
}

/*
 * All are told first and then waited for, so that the deadlines of those that
 * do not answer run side by side. Nobody makes peers any more.
 */
static void peer_tell_all(const struct xvmc_transport_ops *ops,
			  enum xvmc_peer_event ev)
{
	struct xvmc_peer *peer;

	while ((peer = peer_get_first(ops, true))) {
		xvmc_peer_event(peer, ev, NULL);
		xvmc_peer_put(peer);
	}
}

/**
 * xvmc_peer_let_go() - lets go of every peer of a transport
 * @ops: the transport; nobody makes peers of it any more
 * @ev: %XVMC_PEV_SUSPEND or %XVMC_PEV_LEAVE
 * @wait: jiffies after which to give up
 *
 * The channels have a shorter deadline of their own for the peers' answers:
 * what takes longer is own trouble.
 *
 * Context: Process context.
 * Return: true if they are gone and forgotten. Else some are being closed yet,
 * and are forgotten then.
 */
bool xvmc_peer_let_go(const struct xvmc_transport_ops *ops,
		      enum xvmc_peer_event ev, unsigned long wait)
{
	struct xvmc_peer *peer;
	bool gone = true;

	peer_tell_all(ops, ev);
	while (gone && (peer = peer_get_first(ops, false))) {
		wait = wait_event_timeout(peers_wait,
					  !rcu_access_pointer(peer->chan),
					  wait);
		gone = wait;
		if (gone)
			peer_wait_settled(peer);
		xvmc_peer_put(peer);
	}
	return gone;
}

/**
 * xvmc_peer_exit() - every peer leaves and is freed
 *
 * Context: Process context.
 */
void xvmc_peer_exit(void)
{
	struct xvmc_peer *peer;

	peer_tell_all(NULL, XVMC_PEV_LEAVE);
	while ((peer = peer_get_first(NULL, false))) {
		xvmc_peer_wait_left(peer);
		xvmc_peer_put(peer);
	}
}
