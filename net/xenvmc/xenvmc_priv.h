/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of xenvmc.ko share beyond their own headers. */
#ifndef _XVMC_PRIV_H
#define _XVMC_PRIV_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <uapi/linux/xenvmc.h>

#define XVMC_CARRY_PORT	22614	/* "XV"; nobody has registered it */

struct ctl_table_header;
struct in6_addr;
struct sock;

/**
 * struct xvmc_walk - what hook_walk.c has to do with a network namespace
 * @wanted: there is a new cause to look at its connections
 * @want_all: and no peer knows
 * @now: it is part of the present walk
 * @all: both ends of a connection ask, in this walk
 * @first: this walk is the first for its cause
 * @left: how many are to follow
 * @at: jiffies before which none is due
 * @rested: jiffies up to which its root has caused walks
 */
struct xvmc_walk {
	bool wanted;
	bool want_all;
	bool now;
	bool all;
	bool first;
	u8 left;
	unsigned long at;
	unsigned long rested;
};

/**
 * struct xvmc_net - per network namespace
 * @hook_on: TCP connections are moved; hook on|off
 * @hook_loopback: also those within this guest
 * @announce: others are told of its addresses
 * @spin_us: microseconds that a reader may look before it sleeps
 * @keepalive_s: seconds between packets of a TCP connection at rest, 0: none
 * @full_ms: milliseconds at a full ring that nobody reads before TCP, 0: never
 * @park_s: seconds that a connection may wait for its peer, 0: none does
 * @carry: TCP may carry those that wait
 * @carry_port: for that, at either end
 * @carry_waits: streams that wait and were accepted here; xvmc_park_lock
 * @event_rate: events that are told in a second, at most
 * @sysctl: what makes the settings visible
 * @taps: capture devices that are up: tap.c
 * @walk: that of the hook
 * @event_lock: of events, their numbers and sending; BH-safe
 * @event_seq: number of the last event
 * @event_since: jiffies from which @event_count counts
 * @event_count: events since then
 */
struct xvmc_net {
	bool hook_on;
	bool hook_loopback;
	u8 announce;
	unsigned int spin_us;
	unsigned int keepalive_s;
	unsigned int full_ms;
	unsigned int park_s;
	u8 carry;
	unsigned int carry_port;
	u32 carry_waits;
	unsigned int event_rate;
	struct ctl_table_header *sysctl;
	struct list_head taps;
	struct xvmc_walk walk;
	spinlock_t event_lock;
	u32 event_seq;
	unsigned long event_since;
	u32 event_count;
};

extern unsigned int xvmc_net_id;

static inline struct xvmc_net *xvmc_net(const struct net *net)
{
	return net_generic(net, xvmc_net_id);
}

/**
 * struct xvmc_hook_ops - what xenvmc_inet.ko is told of
 * @changed: &struct xvmc_net has new values, which are stored already
 * @peer_came: more connections may be moved; see xvmc_hook_peer_came()
 *
 * Called in process context under hook_mutex, and perhaps a peer's: they only
 * queue work.
 */
struct xvmc_hook_ops {
	void (*changed)(struct net *net);
	void (*peer_came)(bool known);
};

int xvmc_hook_register(const struct xvmc_hook_ops *ops);
void xvmc_hook_unregister(const struct xvmc_hook_ops *ops);
bool xvmc_hook_loaded(void);
void xvmc_hook_changed(struct net *net);
void xvmc_hook_peer_came(bool known);

#ifdef CONFIG_SYSCTL
int xvmc_sysctl_init(struct net *net);
void xvmc_sysctl_exit(struct net *net);
#else
static inline int xvmc_sysctl_init(struct net *net)
{
	return 0;
}

static inline void xvmc_sysctl_exit(struct net *net)
{
}
#endif

/* Addresses of a TCP socket, v4-mapped for AF_INET. Any context */
void xvmc_sk_addrs(const struct sock *sk, struct in6_addr *local,
		   struct in6_addr *remote);

void xvmc_park_exit(void);
#ifdef CONFIG_INET
void xvmc_carry_exit(void);
void xvmc_carry_net_exit(struct net *net);
#else
static inline void xvmc_carry_exit(void)
{
}

static inline void xvmc_carry_net_exit(struct net *net)
{
}
#endif
int xvmc_af_init(void);
void xvmc_af_exit(void);
int xvmc_netlink_init(void);
void xvmc_netlink_exit(void);

#endif /* _XVMC_PRIV_H */
