/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a transport is: how two domains share ring pages and kick each other.
 *
 * A transport knows nothing of connections. It is chosen when a peer is made
 * and never changes under it.
 */
#ifndef _XVMC_TRANSPORT_H
#define _XVMC_TRANSPORT_H

#include <linux/types.h>
#include "core/ring.h"

struct xvmc_chan;
struct xvmc_peer;

#define XVMC_UUID_SIZE	40	/* text */

/**
 * struct xvmc_ring_mem - the pages of one ring, own or mapped
 * @hdr: header page
 * @page: data pages, 1 << @order of them
 * @order: log2 of the number of data pages
 * @token: what the other end maps it by (grant reference of the header page)
 * @priv: the transport's own
 */
struct xvmc_ring_mem {
	struct xvmc_ring_hdr *hdr;
	void **page;
	u32 order;
	u32 token;
	void *priv;
};

/**
 * struct xvmc_transport_ops - a transport
 * @name: "xen" or "loop", as shown to the user
 * @via_tcp: what goes by its rings goes on by TCP
 * @ring_grant: allocates zeroed pages, formats the header and lets the peer of
 *	@chan map them; fills @mem. Process context
 * @ring_end: takes the ring back; pages that the peer still maps are freed
 *	later, never reused before. Accepts what ring_grant made. Process
 *	context
 * @ring_map: maps the peer's ring @token and checks its header; fills @mem.
 *	%-EPROTO if the peer is at fault, else own trouble. Process context
 * @ring_unmap: undoes it; nobody uses the ring any more. Process context
 * @kick: notifies the peer of @chan. Any context
 * @close: frees the event channel; no event comes after it. Process context
 * @eoi: optional: an event was served; @spurious if it brought nothing.
 *	Softirq context
 * @offer: optional: makes @peer's channel and writes the offer. This and the
 *	rest: process context, @peer's mutex held
 * @withdraw: optional: clears the written offer
 * @watch: optional: begins to look for the peer's offer
 * @unwatch: optional: ends that; no event comes after it
 * @bind: optional: maps the offered control ring, binds, sends HELLO
 */
struct xvmc_transport_ops {
	const char *name;
	bool via_tcp;
	int (*ring_grant)(struct xvmc_chan *chan, struct xvmc_ring_mem *mem,
			  u32 order);
	void (*ring_end)(struct xvmc_chan *chan, struct xvmc_ring_mem *mem);
	int (*ring_map)(struct xvmc_chan *chan, struct xvmc_ring_mem *mem,
			u32 order, u32 token);
	void (*ring_unmap)(struct xvmc_chan *chan, struct xvmc_ring_mem *mem);
	void (*kick)(struct xvmc_chan *chan);
	void (*close)(struct xvmc_chan *chan);

	void (*eoi)(struct xvmc_chan *chan, bool spurious);
	int (*offer)(struct xvmc_peer *peer);
	void (*withdraw)(struct xvmc_peer *peer);
	int (*watch)(struct xvmc_peer *peer);
	void (*unwatch)(struct xvmc_peer *peer);
	int (*bind)(struct xvmc_peer *peer);
};

extern const struct xvmc_transport_ops xvmc_loop_ops;

/* trans_loop.c: this guest as its own peer, a channel end for each role */
int xvmc_loop_init(void);
void xvmc_loop_exit(void);
/* The same, as before a suspend. xvmc_loop_init() follows */
void xvmc_loop_suspend(void);
/* The end that connects (passive false) or listens. Returns a reference */
struct xvmc_chan *xvmc_loop_chan_get(bool passive);
bool xvmc_loop_is_passive(const struct xvmc_peer *peer);

#ifdef CONFIG_XEN
extern const struct xvmc_transport_ops xvmc_xen_ops;

/* trans_xen.c: announces this guest and watches dom0's directory */
int xvmc_xen_init(void);
void xvmc_xen_exit(void);
/* grant.c: when no channel is left */
void xvmc_grant_exit(void);
/* migrate.c: hears of suspends */
int xvmc_migrate_init(void);
void xvmc_migrate_exit(void);
/* halt.c: hears of the machine's end */
int xvmc_halt_init(void);
void xvmc_halt_exit(void);
bool xvmc_xen_own_domid(u16 *domid);	/* false: not on Xen, or not known */
bool xvmc_xen_is_own_uuid(const char *uuid);
bool xvmc_xen_has_directory(void);	/* xenvmcd has published */
#else
static inline int xvmc_xen_init(void)
{
	return 0;
}

static inline void xvmc_xen_exit(void)
{
}

static inline void xvmc_grant_exit(void)
{
}

static inline int xvmc_migrate_init(void)
{
	return 0;
}

static inline void xvmc_migrate_exit(void)
{
}

static inline int xvmc_halt_init(void)
{
	return 0;
}

static inline void xvmc_halt_exit(void)
{
}

static inline bool xvmc_xen_own_domid(u16 *domid)
{
	return false;
}

static inline bool xvmc_xen_is_own_uuid(const char *uuid)
{
	return false;
}

static inline bool xvmc_xen_has_directory(void)
{
	return false;
}
#endif /* CONFIG_XEN */

#endif /* _XVMC_TRANSPORT_H */
