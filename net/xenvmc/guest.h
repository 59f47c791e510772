/* SPDX-License-Identifier: GPL-2.0 */
/* A guest as what it is, whichever channel there is to it, if there is one. */
#ifndef _XVMC_GUEST_H
#define _XVMC_GUEST_H

#include <linux/in6.h>
#include <linux/kref.h>
#include <linux/list.h>
#include "transport.h"

#define XVMC_GUEST_MAX_ADDRS	16

/**
 * struct xvmc_guest - what outlives a channel
 * @ref: one for each channel
 * @node: in the list of all
 * @ops: transport
 * @uuid: as dom0 attests it; "" is nobody for certain
 * @passive: of the two ends of the loopback, the one that listens
 * @parked: streams that wait for it; as what follows, xvmc_park_lock
 * @nr_parked: how many
 * @held: bytes that were unread when they were cut
 * @addrs: addresses that led to it then, v4-mapped
 * @naddrs: how many
 */
struct xvmc_guest {
	struct kref ref;
	struct list_head node;
	const struct xvmc_transport_ops *ops;
	char uuid[XVMC_UUID_SIZE];
	bool passive;
	struct list_head parked;
	u32 nr_parked;
	u64 held;
	struct in6_addr addrs[XVMC_GUEST_MAX_ADDRS];
	u32 naddrs;
};

/* The same for the same words: a reference, or NULL. Process context */
struct xvmc_guest *xvmc_guest_get(const struct xvmc_transport_ops *ops,
				  const char *uuid, bool passive);

static inline void xvmc_guest_hold(struct xvmc_guest *guest)
{
	kref_get(&guest->ref);
}

void xvmc_guest_put(struct xvmc_guest *guest);	/* any context */

#endif /* _XVMC_GUEST_H */
