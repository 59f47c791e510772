// SPDX-License-Identifier: GPL-2.0
/*
 * The event channel of a channel.
 *
 * Interrupts end late: Xen sends no further event of this port until the
 * channel has served the last one and said whether it brought anything, so a
 * peer that kicks for nothing is slowed down instead of this guest.
 *
 * chan->tpriv points here from set-up to close. Kicks and EOIs come from any
 * context and read it under RCU; close clears it, waits for them, and only then
 * unbinds, which sleeps.
 */
#include <linux/interrupt.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <xen/events.h>
#include <xen/interface/event_channel.h>
#include <asm/xen/hypercall.h>
#include "chan.h"
#include "evtchn.h"
#include "fault.h"
#include "peer.h"

/**
 * struct xvmc_evtchn - a bound port
 * @irq: its interrupt
 * @port: the port itself; kicks need not look it up
 * @name: as /proc/interrupts shows it
 */
struct xvmc_evtchn {
	int irq;
	evtchn_port_t port;
	char name[16];
};

static irqreturn_t evtchn_interrupt(int irq, void *data)
{
	xvmc_chan_event(data);
	return IRQ_HANDLED;
}

static void evtchn_close_port(evtchn_port_t port)
{
	struct evtchn_close op = { .port = port };

	HYPERVISOR_event_channel_op(EVTCHNOP_close, &op);
}

/*
 * A port that the kernel could not make an interrupt of. It may have closed it,
 * and the number may be another driver's by now.
 */
static void evtchn_close_unbound(struct xvmc_chan *chan, evtchn_port_t port)
{
	struct evtchn_status is = { .dom = DOMID_SELF, .port = port };
	u16 peer = chan->peer->domid;

	if (HYPERVISOR_event_channel_op(EVTCHNOP_status, &is))
		return;
	if ((is.status == EVTCHNSTAT_unbound && is.u.unbound.dom == peer) ||
	    (is.status == EVTCHNSTAT_interdomain &&
	     is.u.interdomain.dom == peer))
		evtchn_close_port(port);
}

/* As bind_evtchn_to_irqhandler_lateeoi(), but that closes the port at times */
static int evtchn_irq(struct xvmc_chan *chan, struct xvmc_evtchn *ev,
		      evtchn_port_t port)
{
	int irq = -ENOMEM, err = -ENOMEM;

	if (!xvmc_should_fail(XVMC_FAULT_IRQ))
		irq = bind_evtchn_to_irq_lateeoi(port);
	if (irq < 0) {
		evtchn_close_unbound(chan, port);
		return irq;
	}
	if (!xvmc_should_fail(XVMC_FAULT_IRQ))
		err = request_irq(irq, evtchn_interrupt, 0, ev->name, chan);
	if (err) {
		/* Closes it */
		evtchn_put(port);
		return err;
	}
	return irq;
}

/* Binds a local port, or closes it */
static int evtchn_attach(struct xvmc_chan *chan, evtchn_port_t port)
{
	struct xvmc_evtchn *ev = NULL;
	int irq;

	if (!xvmc_should_fail(XVMC_FAULT_EVTCHN))
		ev = kzalloc(sizeof(*ev), GFP_KERNEL);
	if (!ev) {
		evtchn_close_port(port);
		return -ENOMEM;
	}
	snprintf(ev->name, sizeof(ev->name), "xenvmc-%u", chan->peer->domid);
	irq = evtchn_irq(chan, ev, port);
	if (irq < 0) {
		kfree(ev);
		return irq;
	}
	ev->irq = irq;
	ev->port = port;
	/*
	 * Pairs with xvmc_evtchn_kick() and _eoi(). An event that came before
	 * has got no EOI: it is served once more.
	 */
	smp_store_release(&chan->tpriv, ev);
	xvmc_chan_event(chan);
	return 0;
}

/**
 * xvmc_evtchn_alloc() - makes a port that the peer may bind
 * @chan: the channel, with its own control ring
 * @port: set to what the peer binds
 *
 * Context: Process context.
 * Return: 0 or a negative errno.
 */
int xvmc_evtchn_alloc(struct xvmc_chan *chan, u32 *port)
{
	struct evtchn_alloc_unbound op = {
		.dom = DOMID_SELF,
		.remote_dom = chan->peer->domid,
	};
	int err = -ENOSPC;

	if (!xvmc_should_fail(XVMC_FAULT_PORT))
		err = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &op);
	if (err)
		return err;
	*port = op.port;
	return evtchn_attach(chan, op.port);
}

/**
 * xvmc_evtchn_bind() - binds to the peer's port
 * @chan: the channel, with its own control ring
 * @remote_port: the peer's port
 *
 * Context: Process context.
 * Return: 0 or a negative errno; -EINVAL if there is no such port for us.
 */
int xvmc_evtchn_bind(struct xvmc_chan *chan, u32 remote_port)
{
	struct evtchn_bind_interdomain op = {
		.remote_dom = chan->peer->domid,
		.remote_port = remote_port,
	};
	int err = -ENOSPC;

	if (!xvmc_should_fail(XVMC_FAULT_PORT))
		err = HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain,
						  &op);
	if (err)
		return err;
	return evtchn_attach(chan, op.local_port);
}

/**
 * xvmc_evtchn_close() - closes the port
 * @chan: the channel
 *
 * An event that is being served meanwhile stays without its EOI; unbinding
 * makes up for it.
 *
 * Context: Process context.
 */
void xvmc_evtchn_close(struct xvmc_chan *chan)
{
	struct xvmc_evtchn *ev = chan->tpriv;

	if (!ev)
		return;
	WRITE_ONCE(chan->tpriv, NULL);
	synchronize_rcu();
	unbind_from_irqhandler(ev->irq, chan);
	kfree(ev);
}

/**
 * xvmc_evtchn_kick() - notifies the peer
 * @chan: the channel
 *
 * Context: Any context.
 */
void xvmc_evtchn_kick(struct xvmc_chan *chan)
{
	struct xvmc_evtchn *ev;

	rcu_read_lock();
	ev = smp_load_acquire(&chan->tpriv);	/* evtchn_attach() */
	if (ev)
		notify_remote_via_evtchn(ev->port);
	rcu_read_unlock();
}

/**
 * xvmc_evtchn_eoi() - an event was served
 * @chan: the channel
 * @spurious: it brought nothing
 *
 * Context: Any context.
 */
void xvmc_evtchn_eoi(struct xvmc_chan *chan, bool spurious)
{
	struct xvmc_evtchn *ev;

	rcu_read_lock();
	ev = smp_load_acquire(&chan->tpriv);	/* evtchn_attach() */
	if (ev)
		xen_irq_lateeoi(ev->irq,
				spurious ? XEN_EOI_FLAG_SPURIOUS : 0);
	rcu_read_unlock();
}
