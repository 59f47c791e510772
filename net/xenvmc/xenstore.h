/* SPDX-License-Identifier: GPL-2.0 */
/* XenStore as this module uses it: parsed to plain structures. */
#ifndef _XVMC_XENSTORE_H
#define _XVMC_XENSTORE_H

#include <linux/in6.h>
#include <linux/notifier.h>
#include <xen/xenbus.h>
#include "peer.h"

/**
 * struct xvmc_offer - what the lower domid of a pair offers
 * @version: highest that it speaks
 * @features: bits
 * @port: unbound event channel
 * @gref: header page of its control ring
 */
struct xvmc_offer {
	u32 version;
	u32 features;
	u32 port;
	u32 gref;
};

/**
 * struct xvmc_facts - what dom0 says of a peer
 * @uuid: given by the toolstack
 * @addrs: addresses that lead to it, IPv4 as v4-mapped
 * @naddrs: how many
 */
struct xvmc_facts {
	char uuid[XVMC_UUID_SIZE];
	struct in6_addr addrs[XVMC_PEER_MAX_ADDRS];
	u32 naddrs;
};

/**
 * struct xvmc_store_watch - a watch that only tells that something changed
 * @watch: for XenBus
 * @path: what is watched
 * @changed: called for each event, under a spinlock: queue work
 */
struct xvmc_store_watch {
	struct xenbus_watch watch;
	char path[64];
	void (*changed)(struct xvmc_store_watch *watch);
};

/* All in process context. Nodes that do not exist: -ENOENT */
int xvmc_store_own_domid(u16 *domid);
int xvmc_store_own_uuid(char *uuid, size_t size);
int xvmc_store_has_directory(void);
/* Announces this guest; @addrs are separated by one space */
int xvmc_store_announce(const char *addrs);
void xvmc_store_withdraw(void);
/* Sets a bit of @listed for each entry of the directory, all domain ids */
int xvmc_store_read_peers(unsigned long *listed);
int xvmc_store_read_facts(u16 domid, struct xvmc_facts *facts);

/* The offer to the higher domid @to, own node */
int xvmc_store_write_offer(u16 to, const struct xvmc_offer *offer);
int xvmc_store_read_own_offer(u16 to, struct xvmc_offer *offer);
void xvmc_store_clear_offer(u16 to);
/* The offer of the lower domid @from to us. -EPROTO if it is malformed */
int xvmc_store_read_offer(u16 from, u16 own, struct xvmc_offer *offer);

int xvmc_store_watch_directory(struct xvmc_store_watch *watch);
int xvmc_store_watch_offer(struct xvmc_store_watch *watch, u16 from, u16 own);
/* No call of changed comes after it */
void xvmc_store_unwatch(struct xvmc_store_watch *watch);

/* Calls @nb now or when XenStore begins to answer (dom0) */
void xvmc_store_when_ready(struct notifier_block *nb);
void xvmc_store_not_ready(struct notifier_block *nb);

#endif /* _XVMC_XENSTORE_H */
