/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Peers: the other domains of the host that dom0 lets this one see.
 */
#ifndef _XVMC_PEER_H
#define _XVMC_PEER_H

#include <linux/in6.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>
#include "core/ctlmsg.h"
#include "core/fsm.h"
#include "transport.h"

#define XVMC_PEER_MAX_ADDRS	16

/**
 * struct xvmc_peer - another domain
 * @ref: references; the table holds one while the peer is listed
 * @domid: its domain id, %XENVMC_DOMID_SELF for the loopback
 * @ops: transport, for good
 * @mutex: serialises events; protects all below but @node and @rcu
 * @state: &enum xvmc_peer_state; read without the mutex only to show it
 * @chan: the present channel, or NULL; a reference is held
 * @uuid: as dom0 attests it
 * @addrs: addresses that lead to it, v4-mapped
 * @naddrs: how many
 * @tpriv: the transport's own (the offer, the watch)
 * @listed: the event that listed it, %XVMC_PEER_EVENTS while it is not
 * @watching: the transport looks for its offer
 * @dead: removed from the table for good; nothing happens any more
 * @left: LEAVE or SUSPEND came: it is not taken up again
 * @delay: jiffies until it is tried again; grows from time to time
 * @up_since: jiffies when it was connected last
 * @retry: takes the pair up again; a reference while queued
 * @node: in the table of peers; RCU
 * @rcu: freed after a grace period
 */
struct xvmc_peer {
	struct kref ref;
	u16 domid;
	const struct xvmc_transport_ops *ops;
	struct mutex mutex;
	u8 state;
	struct xvmc_chan __rcu *chan;
	char uuid[XVMC_UUID_SIZE];
	struct in6_addr addrs[XVMC_PEER_MAX_ADDRS];
	u32 naddrs;
	void *tpriv;
	u8 listed;
	bool watching;
	bool dead;
	bool left;
	unsigned long delay;
	unsigned long up_since;
	struct delayed_work retry;
	struct list_head node;
	struct rcu_head rcu;
};

int xvmc_peer_init(void);
void xvmc_peer_exit(void);		/* every peer has left and is freed */

/* Adds @domid to the table, in state ABSENT. Returns a reference or ERR_PTR */
struct xvmc_peer *xvmc_peer_new(u16 domid,
				const struct xvmc_transport_ops *ops);
/* The same, but in no table: the listening end of the loopback */
struct xvmc_peer *xvmc_peer_new_hidden(u16 domid,
				       const struct xvmc_transport_ops *ops);

static inline void xvmc_peer_hold(struct xvmc_peer *peer)
{
	kref_get(&peer->ref);
}

void xvmc_peer_put(struct xvmc_peer *peer);
/* Returns a reference or NULL. Any context */
struct xvmc_peer *xvmc_peer_get_by_domid(u16 domid);
/*
 * The connected channel that leads to @addr, or NULL: one lookup under RCU, a
 * hint only, see Documentation/protocol.rst, "Identity". Returns a reference.
 * Any context. @known tells a miss from a peer that is listed, not connected.
 */
struct xvmc_chan *xvmc_peer_chan_by_addr(const struct in6_addr *addr,
					 bool *known);
struct xvmc_chan *xvmc_peer_chan_by_domid(u16 domid);
/* The same to the guest of which dom0 attests that uuid */
struct xvmc_chan *xvmc_peer_chan_by_uuid(const char *uuid);
/*
 * Replaces uuid and addresses, as dom0 published them. Process context. 0,
 * -ENOMEM, or -ENOENT if the peer has left the table meanwhile
 */
int xvmc_peer_set_facts(struct xvmc_peer *peer, const char *uuid,
			const struct in6_addr *addrs, u32 naddrs);
/*
 * Runs the state table and its actions. @msg for HELLO, HELLO_ACK and BYE.
 * Process context, takes the peer's mutex. Called by the transport (listed,
 * offers), the channel (control messages, violation, closed), module exit.
 */
void xvmc_peer_event(struct xvmc_peer *peer, enum xvmc_peer_event ev,
		     const struct xvmc_ctlmsg *msg);
/* The peer broke the protocol on @chan. Process context, takes the mutex */
void xvmc_peer_violation(struct xvmc_peer *peer, struct xvmc_chan *chan);
/* After LEAVE: its channel is closed, nothing is queued. Process context */
void xvmc_peer_wait_left(struct xvmc_peer *peer);
/*
 * Before a suspend or the end: the peers of a transport are told, closed and
 * forgotten. Process context. False if that took longer than @wait jiffies
 */
bool xvmc_peer_let_go(const struct xvmc_transport_ops *ops,
		      enum xvmc_peer_event ev, unsigned long wait);
/* Calls @fn for each peer, under RCU, until it returns non-zero */
int xvmc_peer_for_each(int (*fn)(struct xvmc_peer *peer, void *arg), void *arg);

#endif /* _XVMC_PEER_H */
