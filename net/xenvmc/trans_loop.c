// SPDX-License-Identifier: GPL-2.0
/*
 * Loopback transport: this guest as its own peer, with no need of Xen.
 *
 * Two channel ends in one kernel. Side 0 connects and is in the table of peers,
 * side 1 listens. A ring is ordinary memory under a token; the owner and the
 * mapper hold a reference each, so its pages live until both let go. A kick is
 * a call of the other end's event function.
 *
 * Locks: the rings' xarray lock, taken alone. The ends' channels are RCU, for
 * kicks come from any context.
 */
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/kref.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include "chan.h"
#include "fault.h"
#include "peer.h"
#include "xenvmc_priv.h"

/**
 * struct loop_ring - memory of one ring, shared by its owner and its mapper
 * @ref: one while the owner has it, one while it is mapped
 * @hdr: header page
 * @order: log2 of the number of data pages
 * @page: data pages
 */
struct loop_ring {
	struct kref ref;
	struct xvmc_ring_hdr *hdr;
	u32 order;
	void *page[];
};

/**
 * struct loop_end - one of the two channel ends
 * @peer: the other end as seen from here; a reference is held
 * @chan: the channel, or NULL before set-up and after close; RCU, no
 *	reference: @peer's channel pointer holds it
 */
struct loop_end {
	struct xvmc_peer *peer;
	struct xvmc_chan __rcu *chan;
};

static struct loop_end loop_ends[2];
/* Rings that may be mapped, by token; its lock guards against the owner */
static DEFINE_XARRAY_ALLOC1(loop_rings);

static struct loop_end *loop_end_of(const struct xvmc_chan *chan)
{
	return &loop_ends[chan->peer == loop_ends[1].peer];
}

static struct loop_end *loop_other_end(const struct xvmc_chan *chan)
{
	return &loop_ends[chan->peer != loop_ends[1].peer];
}

static void loop_ring_free(struct loop_ring *ring)
{
	u32 i;

	for (i = 0; i < 1U << ring->order; i++)
		free_page((unsigned long)ring->page[i]);
	free_page((unsigned long)ring->hdr);
	kfree(ring);
}

static void loop_ring_release(struct kref *ref)
{
	loop_ring_free(container_of(ref, struct loop_ring, ref));
}

static struct loop_ring *loop_ring_new(u32 order)
{
	struct loop_ring *ring;
	int which;
	u32 i;

	if (xvmc_should_fail(XVMC_FAULT_RING))
		return NULL;
	ring = kzalloc(struct_size(ring, page, 1U << order), GFP_KERNEL);
	if (!ring)
		return NULL;
	kref_init(&ring->ref);
	ring->order = order;
	if (!xvmc_should_fail(XVMC_FAULT_RING_HDR))
		ring->hdr = (void *)get_zeroed_page(GFP_KERNEL);
	if (!ring->hdr)
		goto free_ring;
	which = xvmc_which_fails(XVMC_FAULT_RING_PAGE, 1U << order);
	for (i = 0; i < 1U << order; i++) {
		if (xvmc_fails_among(which, i, 1))
			goto free_ring;
		ring->page[i] = (void *)get_zeroed_page(GFP_KERNEL);
		if (!ring->page[i])
			goto free_ring;
	}
	xvmc_ring_format(ring->hdr, order);
	return ring;

free_ring:
	loop_ring_free(ring);
	return NULL;
}

static void loop_ring_fill(struct xvmc_ring_mem *mem, struct loop_ring *ring,
			   u32 token)
{
	mem->hdr = ring->hdr;
	mem->page = ring->page;
	mem->order = ring->order;
	mem->token = token;
	mem->priv = ring;
}

static int loop_ring_grant(struct xvmc_chan *chan, struct xvmc_ring_mem *mem,
			   u32 order)
{
	struct loop_ring *ring;
	int err = -ENOMEM;
	u32 token;

	if (order > XVMC_RING_MAX_ORDER)
		return -EINVAL;
	ring = loop_ring_new(order);
	if (!ring)
		return -ENOMEM;
	if (!xvmc_should_fail(XVMC_FAULT_GRANT))
		err = xa_alloc(&loop_rings, &token, ring, xa_limit_31b,
			       GFP_KERNEL);
	if (err)
		goto free_ring;
	loop_ring_fill(mem, ring, token);
	return 0;

free_ring:
	loop_ring_free(ring);
	return err;
}

static void loop_ring_put(struct xvmc_ring_mem *mem)
{
	struct loop_ring *ring = mem->priv;

	memset(mem, 0, sizeof(*mem));
	if (ring)
		kref_put(&ring->ref, loop_ring_release);
}

static void loop_ring_end(struct xvmc_chan *chan, struct xvmc_ring_mem *mem)
{
	if (mem->priv)
		xa_erase(&loop_rings, mem->token);
	loop_ring_put(mem);
}

static int loop_ring_map(struct xvmc_chan *chan, struct xvmc_ring_mem *mem,
			 u32 order, u32 token)
{
	struct loop_ring *ring;

	if (xvmc_should_fail(XVMC_FAULT_MAP))
		return -ENOMEM;
	xa_lock(&loop_rings);
	ring = xa_load(&loop_rings, token);
	if (ring && ring->order == order)
		kref_get(&ring->ref);
	else
		ring = NULL;
	xa_unlock(&loop_rings);
	if (!ring)
		return -EPROTO;
	loop_ring_fill(mem, ring, token);
	return 0;
}

static void loop_ring_unmap(struct xvmc_chan *chan, struct xvmc_ring_mem *mem)
{
	loop_ring_put(mem);
}

static void loop_kick(struct xvmc_chan *chan)
{
	struct xvmc_chan *other;

	rcu_read_lock();
	other = rcu_dereference(loop_other_end(chan)->chan);
	if (other)
		xvmc_chan_event(other);
	rcu_read_unlock();
}

/* Waits for kicks that are under way: none comes after close */
static void loop_close(struct xvmc_chan *chan)
{
	RCU_INIT_POINTER(loop_end_of(chan)->chan, NULL);
	synchronize_rcu();
}

const struct xvmc_transport_ops xvmc_loop_ops = {
	.name		= "loop",
	.ring_grant	= loop_ring_grant,
	.ring_end	= loop_ring_end,
	.ring_map	= loop_ring_map,
	.ring_unmap	= loop_ring_unmap,
	.kick		= loop_kick,
	.close		= loop_close,
};

/* The peer's channel pointer owns the reference; close finds it there */
static int loop_chan_new(struct loop_end *end)
{
	struct xvmc_chan *chan;
	int err;

	chan = xvmc_chan_new(end->peer);
	if (!chan)
		return -ENOMEM;
	mutex_lock(&end->peer->mutex);
	rcu_assign_pointer(end->peer->chan, chan);
	end->peer->state = XVMC_PEER_CONNECTED;
	mutex_unlock(&end->peer->mutex);
	err = xvmc_chan_add_rx_ctl(chan);
	if (err)
		return err;
	/* From here on events are served, which look at the control ring */
	rcu_assign_pointer(end->chan, chan);
	return 0;
}

/* Nothing runs on the channels yet, so they can be read without RCU */
static int loop_connect(void)
{
	struct xvmc_chan *chan[2];
	int i, err;

	for (i = 0; i < 2; i++) {
		err = loop_chan_new(&loop_ends[i]);
		if (err)
			return err;
		chan[i] = rcu_dereference_protected(loop_ends[i].chan, 1);
	}
	for (i = 0; i < 2; i++) {
		err = xvmc_chan_add_tx_ctl(chan[i],
					   chan[!i]->rx_ctl.mem.token);
		if (err)
			return err;
	}
	for (i = 0; i < 2; i++) {
		chan[i]->features = XVMC_FEATURES;
		xvmc_chan_up(chan[i]);
	}
	for (i = 0; i < 2; i++)
		xvmc_park_met(chan[i]);
	xvmc_hook_peer_came(true);
	return 0;
}

/**
 * xvmc_loop_init() - makes the loopback peer, connected
 *
 * Context: Process context.
 * Return: 0 or a negative errno.
 */
int xvmc_loop_init(void)
{
	struct xvmc_peer *peer;
	int err;

	peer = xvmc_peer_new(XENVMC_DOMID_SELF, &xvmc_loop_ops);
	if (IS_ERR(peer))
		return PTR_ERR(peer);
	loop_ends[0].peer = peer;
	peer = xvmc_peer_new_hidden(XENVMC_DOMID_SELF, &xvmc_loop_ops);
	if (IS_ERR(peer)) {
		err = PTR_ERR(peer);
		goto exit_loop;
	}
	loop_ends[1].peer = peer;
	err = loop_connect();
	if (err)
		goto exit_loop;
	return 0;

exit_loop:
	xvmc_loop_exit();
	return err;
}

/* Both are told first, for the orderly close of one waits for the other */
static void loop_end_both(enum xvmc_peer_event ev)
{
	int i;

	for (i = 0; i < 2; i++)
		if (loop_ends[i].peer)
			xvmc_peer_event(loop_ends[i].peer, ev, NULL);
	for (i = 0; i < 2; i++) {
		if (!loop_ends[i].peer)
			continue;
		xvmc_peer_wait_left(loop_ends[i].peer);
		xvmc_peer_put(loop_ends[i].peer);
		loop_ends[i].peer = NULL;
	}
}

/**
 * xvmc_loop_exit() - closes both ends and waits for it
 *
 * Accepts what a failed xvmc_loop_init() left.
 *
 * Context: Process context.
 */
void xvmc_loop_exit(void)
{
	loop_end_both(XVMC_PEV_LEAVE);
}

/**
 * xvmc_loop_suspend() - closes both ends, as a suspend does, and waits for it
 *
 * Context: Process context.
 */
void xvmc_loop_suspend(void)
{
	loop_end_both(XVMC_PEV_SUSPEND);
}

/**
 * xvmc_loop_is_passive() - is it the end that listens?
 * @peer: any
 *
 * Context: Any context.
 */
bool xvmc_loop_is_passive(const struct xvmc_peer *peer)
{
	return peer == READ_ONCE(loop_ends[1].peer);
}

/**
 * xvmc_loop_chan_get() - a channel end of the loopback
 * @passive: the end that listens, else the one that connects
 *
 * Context: Any context.
 * Return: the channel with a reference, or NULL while it is closed.
 */
struct xvmc_chan *xvmc_loop_chan_get(bool passive)
{
	struct xvmc_chan *chan;

	rcu_read_lock();
	chan = rcu_dereference(loop_ends[passive].chan);
	if (chan && !xvmc_chan_tryhold(chan))
		chan = NULL;
	rcu_read_unlock();
	return chan;
}
EXPORT_SYMBOL_GPL(xvmc_loop_chan_get);
