// SPDX-License-Identifier: GPL-2.0
/*
 * The transport of a played pair, and its life.
 *
 * Rings are those of the loopback: memory under a token, with a reference for
 * each end, so that what the near end maps stays readable. The far end makes
 * its rings by the same functions, which need no channel.
 */
#include <linux/slab.h>
#include "far.h"

static LIST_HEAD(leaving);	/* the playing task's own */
static u32 nr_leaving;
static u16 next_domid = 100;
static const char *far_case = "random";
static char far_why[128];

#define FAR_PATIENCE	(20 * HZ)	/* for what RCU puts off */

static void far_kick(struct xvmc_chan *chan)
{
	/* The playing task looks by itself */
}

static void far_close(struct xvmc_chan *chan)
{
	struct far *far = chan->peer->tpriv;

	spin_lock_bh(&far->lock);
	far->closed = true;
	spin_unlock_bh(&far->lock);
}

static struct far *far_of(const struct xvmc_chan *chan)
{
	return chan->peer->tpriv;
}

static int far_ring_grant(struct xvmc_chan *chan, struct xvmc_ring_mem *mem,
			  u32 order)
{
	int err = xvmc_loop_ops.ring_grant(chan, mem, order);

	if (!err)
		atomic_inc(&far_of(chan)->granted);
	return err;
}

static void far_ring_end(struct xvmc_chan *chan, struct xvmc_ring_mem *mem)
{
	if (mem->priv)
		atomic_dec(&far_of(chan)->granted);
	xvmc_loop_ops.ring_end(chan, mem);
}

static int far_ring_map(struct xvmc_chan *chan, struct xvmc_ring_mem *mem,
			u32 order, u32 token)
{
	int err = xvmc_loop_ops.ring_map(chan, mem, order, token);

	if (!err)
		atomic_inc(&far_of(chan)->mapped);
	return err;
}

static void far_ring_unmap(struct xvmc_chan *chan, struct xvmc_ring_mem *mem)
{
	if (mem->priv)
		atomic_dec(&far_of(chan)->mapped);
	xvmc_loop_ops.ring_unmap(chan, mem);
}

static int far_chan_new(struct xvmc_peer *peer)
{
	struct far *far = peer->tpriv;
	struct xvmc_chan *chan;

	lockdep_assert_held(&peer->mutex);
	/* A second channel would be a second far end */
	if (far->chan)
		return -EBUSY;
	chan = xvmc_chan_new(peer);
	if (!chan)
		return -ENOMEM;
	rcu_assign_pointer(peer->chan, chan);
	xvmc_chan_hold(chan);
	far->chan = chan;
	return xvmc_chan_add_rx_ctl(chan);
}

static int far_offer(struct xvmc_peer *peer)
{
	return far_chan_new(peer);
}

static int far_watch(struct xvmc_peer *peer)
{
	return 0;
}

static void far_unwatch(struct xvmc_peer *peer)
{
}

static int far_bind(struct xvmc_peer *peer)
{
	struct far *far = peer->tpriv;
	struct xvmc_ctlmsg hello = {
		.type = XVMC_MSG_HELLO,
		.hello = { .version = XVMC_VERSION },
	};
	int err;

	WRITE_ONCE(far->binds, far->binds + 1);
	if (READ_ONCE(far->spoils))
		return -EAGAIN;
	err = far_chan_new(peer);
	if (err)
		return err;
	err = xvmc_chan_add_tx_ctl(far->chan, far->rx_mem.token);
	if (err)
		return err;
	hello.hello.ctl_gref = far->chan->rx_ctl.mem.token;
	return xvmc_chan_send(far->chan, &hello) ? -EPROTO : 0;
}

static const struct xvmc_transport_ops far_ops = {
	.name		= "far",
	.ring_grant	= far_ring_grant,
	.ring_end	= far_ring_end,
	.ring_map	= far_ring_map,
	.ring_unmap	= far_ring_unmap,
	.kick		= far_kick,
	.close		= far_close,
	.offer		= far_offer,
	.watch		= far_watch,
	.unwatch	= far_unwatch,
	.bind		= far_bind,
};

/**
 * far_new() - a pair that nobody has begun
 * @low: the near end offers
 *
 * Return: the pair, or NULL.
 */
struct far *far_new(bool low)
{
	struct xvmc_peer *peer;
	struct far *far;

	far = kvzalloc(sizeof(*far), GFP_KERNEL);
	if (!far)
		return NULL;
	far->low = low;
	far->name = far_case;
	spin_lock_init(&far->lock);
	INIT_LIST_HEAD(&far->node);
	if (xvmc_loop_ops.ring_grant(NULL, &far->rx_mem, XVMC_CTL_ORDER))
		goto free_far;
	xvmc_ring_cons_init(&far->rx, far->rx_mem.hdr, far->rx_mem.page,
			    XVMC_CTL_ORDER);
	next_domid = next_domid < 30000 ? next_domid + 1 : 100;
	peer = xvmc_peer_new(next_domid, &far_ops);
	if (IS_ERR(peer))
		goto end_ring;
	far->peer = peer;
	peer->tpriv = far;
	return far;

end_ring:
	xvmc_loop_ops.ring_end(NULL, &far->rx_mem);
free_far:
	kvfree(far);
	return NULL;
}

/**
 * far_name() - dom0 says who we are
 * @far: pair, not met
 * @n: number of the guest
 *
 * Return: 0 or a negative errno.
 */
int far_name(struct far *far, u32 n)
{
	char uuid[XVMC_UUID_SIZE];

	snprintf(uuid, sizeof(uuid), "%08x-0000-4000-8000-000000000000", n);
	return xvmc_peer_set_facts(far->peer, uuid, far->peer->addrs, 0);
}

/**
 * far_meet() - dom0 lists the pair; the near end makes its channel
 * @far: pair
 *
 * Return: 0, or a negative errno if there is no channel.
 */
int far_meet(struct far *far)
{
	u32 token;
	int err;

	if (far->low) {
		xvmc_peer_event(far->peer, XVMC_PEV_LISTED_LOW, NULL);
	} else {
		xvmc_peer_event(far->peer, XVMC_PEV_LISTED_HIGH, NULL);
		xvmc_peer_event(far->peer, XVMC_PEV_OFFER, NULL);
	}
	if (!far->chan || !far->chan->has_rx_ctl)
		return -ENOTCONN;
	token = far->chan->rx_ctl.mem.token;
	err = xvmc_loop_ops.ring_map(NULL, &far->tx_mem, XVMC_CTL_ORDER, token);
	if (err)
		return err;
	xvmc_ring_prod_init(&far->tx, far->tx_mem.hdr, far->tx_mem.page,
			    XVMC_CTL_ORDER);
	far_hear(far);
	return 0;
}

/**
 * far_greeting() - what is to be said first
 * @far: pair
 * @msg: filled in
 */
void far_greeting(struct far *far, struct far_msg *msg)
{
	u16 type = far->low ? XVMC_MSG_HELLO : XVMC_MSG_HELLO_ACK;

	*msg = far_msg(type, XVMC_VERSION, far->features,
		       far->low ? far->rx_mem.token : 0, 0);
}

static void far_free(struct far *far)
{
	u32 i;

	for (i = 0; i < FAR_RINGS; i++)
		if (far->own[i].granted)
			xvmc_loop_ops.ring_end(NULL, &far->own[i].mem);
	for (i = 0; i < XVMC_MAX_RINGS; i++)
		if (far->lent[i].mapped)
			xvmc_loop_ops.ring_unmap(NULL, &far->lent[i].mem);
	if (far->tx_mem.priv)
		xvmc_loop_ops.ring_unmap(NULL, &far->tx_mem);
	xvmc_loop_ops.ring_end(NULL, &far->rx_mem);
	if (far->chan)
		xvmc_chan_put(far->chan);
	kvfree(far);
}

/**
 * far_leave() - the near end is to forget this pair
 * @far: pair; the caller's no more, far_reap() frees it
 * @stop: as honest ends do, with stop marks and BYE
 */
void far_leave(struct far *far, bool stop)
{
	struct far_msg bye = far_msg(XVMC_MSG_BYE, 0, 0, 0, 0);
	u32 i;

	for (i = 0; stop && i < XVMC_MAX_RINGS; i++)
		far_stop(far, i);
	if (stop && far->chan && far->tx_mem.priv)
		far_say(far, &bye);
	far->silent = !stop;
	xvmc_peer_event(far->peer, XVMC_PEV_LEAVE, NULL);
	list_add_tail(&far->node, &leaving);
	nr_leaving++;
}

/* What the victim has not let go of, or NULL. @refs: not by now either */
static const char *far_holds(const struct far *far, bool refs)
{
	const struct xvmc_chan *chan = far->chan;

	if (atomic_read(&far->granted) || atomic_read(&far->mapped))
		return "rings that are granted or mapped";
	if (chan && atomic_read(&chan->nr_conns))
		return "connections";
	if (chan && (atomic_read(&chan->borrowed) || chan->nr_rx ||
		     chan->nr_tx || chan->has_rx_ctl || chan->has_tx_ctl))
		return "rings, or lent ones";
	/* Ours are one of each, and the channel's to the peer */
	if (refs && chan && kref_read(&chan->ref) > 1)
		return "a reference to its channel";
	if (refs && kref_read(&far->peer->ref) > 1 + !!chan)
		return "a reference to its peer";
	return NULL;
}

/* The doors are closed: nothing but the far end may hold the channel */
static int far_wait(struct far *far, bool refs)
{
	unsigned long end = jiffies + FAR_PATIENCE;
	const char *held;

	xvmc_peer_wait_left(far->peer);
	held = far_holds(far, false);
	while (refs && !held && far_holds(far, true)) {
		if (time_after(jiffies, end))
			held = far_holds(far, true);
		schedule_timeout_uninterruptible(1);
	}
	if (held)
		snprintf(far_why, sizeof(far_why), "left over of %s: %s",
			 far->name, held);
	return held ? -EBUSY : 0;
}

/* @refs: nothing waits for a far end to come back, which holds its channel */
static int reap(u32 most, u32 silent, bool refs)
{
	struct far *far, *next;
	int err = 0;

	list_for_each_entry_safe(far, next, &leaving, node) {
		if (nr_leaving <= (far->silent ? silent : most) &&
		    rcu_access_pointer(far->peer->chan))
			continue;
		if (far_wait(far, refs))
			err = -EBUSY;
		list_del(&far->node);
		nr_leaving--;
		xvmc_peer_put(far->peer);
		far_free(far);
	}
	return err;
}

/**
 * far_reap() - free pairs that left
 * @most: how many may stay, if the far end did what it has to when they left
 *
 * The others close side by side: each takes as long as the victim waits. If
 * none is to stay, nothing is cut any more either.
 * Return: 0, or -EBUSY if something was left over, see far_left().
 */
int far_reap(u32 most)
{
	return reap(most, FAR_SILENT, !most);
}

/**
 * far_reap_all() - free all that left
 *
 * Return: 0, or -EBUSY if something was left over, see far_left().
 */
int far_reap_all(void)
{
	return reap(0, 0, true);
}

/**
 * far_left() - what was left over, and of which case
 *
 * Return: words, static.
 */
const char *far_left(void)
{
	return far_why;
}

/**
 * far_closing() - how many pairs may be closing yet
 *
 * Return: the number.
 */
u32 far_closing(void)
{
	return nr_leaving;
}

/**
 * far_set_case() - whose pairs are made from now on
 * @name: of the case; static
 */
void far_set_case(const char *name)
{
	far_case = name;
}
