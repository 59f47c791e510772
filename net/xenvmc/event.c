// SPDX-License-Identifier: GPL-2.0
/*
 * Events: what changes, told to whoever listens to our netlink group.
 *
 * Called where the change happens, in any context but hard interrupts, perhaps
 * under a socket's lock. Nothing is built unless somebody listens in the
 * network namespace. Telling never waits and may fail: more than event_rate in
 * a second, no memory, a listener that does not read. So each event has a
 * number, one more than the one before it in its namespace: a listener counts
 * what it has missed by the gap, whatever made it. Number and sending are under
 * one lock of the namespace, which keeps the order: many listeners there are
 * waited for by nobody else.
 */
#include <linux/export.h>
#include <net/genetlink.h>
#include <net/sock.h>
#include <uapi/linux/xenvmc_netlink.h>
#include "conn.h"
#include "event.h"
#include "fault.h"
#include "netlink.h"
#include "peer.h"
#include "stats.h"
#include "trace.h"
#include "xenvmc_priv.h"

#define EVENT_GROUP	0	/* the family's only one */

static bool event_on;

/**
 * struct event - one that is being made
 * @net: where
 * @skb: the message
 * @hdr: its header
 * @seq: where its number goes
 */
struct event {
	struct net *net;
	struct sk_buff *skb;
	void *hdr;
	u32 *seq;
};

/* Under RCU, for as long as the answer counts */
static bool event_wanted(struct net *net)
{
	return READ_ONCE(event_on) &&
	       genl_has_listeners(&xvmc_genl_family, net, EVENT_GROUP);
}

static void event_lose(struct xvmc_net *xnet)
{
	lockdep_assert_held(&xnet->event_lock);
	xnet->event_seq++;
	xvmc_stat_inc(XVMC_STAT_MONITOR_LOST);
}

/* Within the rate? If not, it is lost */
static bool event_admit(struct xvmc_net *xnet)
{
	bool ok;

	spin_lock_bh(&xnet->event_lock);
	if (time_after_eq(jiffies, xnet->event_since + HZ)) {
		xnet->event_since = jiffies;
		xnet->event_count = 0;
	}
	ok = xnet->event_count < READ_ONCE(xnet->event_rate);
	if (ok)
		xnet->event_count++;
	else
		event_lose(xnet);
	spin_unlock_bh(&xnet->event_lock);
	return ok;
}

/* False if there is nothing to fill in. Under RCU, with event_end() */
static bool event_begin(struct event *ev, struct net *net, u8 cmd, int seq_attr)
{
	struct xvmc_net *xnet = xvmc_net(net);
	struct nlattr *seq = NULL;

	if (!event_wanted(net) || !event_admit(xnet))
		return false;
	ev->net = net;
	ev->hdr = NULL;
	ev->skb = NULL;
	if (!xvmc_should_fail(XVMC_FAULT_EVENT))
		ev->skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_ATOMIC);
	if (ev->skb)
		ev->hdr = genlmsg_put(ev->skb, 0, 0, &xvmc_genl_family, 0, cmd);
	if (ev->hdr)
		seq = nla_reserve(ev->skb, seq_attr, sizeof(u32));
	if (seq) {
		ev->seq = nla_data(seq);
		return true;
	}
	nlmsg_free(ev->skb);
	spin_lock_bh(&xnet->event_lock);
	event_lose(xnet);
	spin_unlock_bh(&xnet->event_lock);
	return false;
}

/* @err: of filling it in. A listener without room hears of it by itself */
static void event_end(struct event *ev, int err)
{
	struct xvmc_net *xnet = xvmc_net(ev->net);

	spin_lock_bh(&xnet->event_lock);
	if (err) {
		event_lose(xnet);
		nlmsg_free(ev->skb);
	} else {
		*ev->seq = ++xnet->event_seq;
		genlmsg_end(ev->skb, ev->hdr);
		xvmc_stat_inc(XVMC_STAT_MONITOR_TOLD);
		genlmsg_multicast_netns(&xvmc_genl_family, ev->net, ev->skb, 0,
					EVENT_GROUP, GFP_ATOMIC);
	}
	spin_unlock_bh(&xnet->event_lock);
}

/* ---- peers -------------------------------------------------------------- */

static void event_peer_net(struct net *net, struct xvmc_peer *peer, u32 reason)
{
	struct event ev;
	int err;

	lockdep_assert_held(&peer->mutex);
	if (!event_begin(&ev, net, XENVMC_CMD_PEER_EVENT, XENVMC_A_PEER_SEQ))
		return;
	err = nla_put_u16(ev.skb, XENVMC_A_PEER_DOMID, peer->domid) ||
	      nla_put_string(ev.skb, XENVMC_A_PEER_STATE,
			     xvmc_peer_state_name(peer->state)) ||
	      nla_put_string(ev.skb, XENVMC_A_PEER_TRANSPORT, peer->ops->name);
	if (!err && peer->uuid[0])
		err = nla_put_string(ev.skb, XENVMC_A_PEER_UUID, peer->uuid);
	if (!err && reason)
		err = nla_put_string(ev.skb, XENVMC_A_PEER_REASON,
				     xvmc_reason_name(reason));
	event_end(&ev, err);
}

/**
 * xvmc_event_peer() - a peer has a new state
 * @peer: the peer; nothing is told of one that never was in the table
 * @reason: &enum xenvmc_reason if that is an end, else 0
 *
 * Every network namespace sees the peers, and hears of them.
 * Context: process, peer->mutex held.
 */
void xvmc_event_peer(struct xvmc_peer *peer, u32 reason)
{
	struct net *net;

	lockdep_assert_held(&peer->mutex);
	if (!READ_ONCE(event_on) || list_empty(&peer->node))
		return;
	rcu_read_lock();
	for_each_net_rcu(net)
		event_peer_net(net, peer, reason);
	rcu_read_unlock();
}

/* ---- connections -------------------------------------------------------- */

static int event_put_conn(struct event *ev, struct xvmc_conn *conn,
			  const char *what, u32 reason)
{
	if (nla_put_string(ev->skb, XENVMC_A_CONN_EVENT, what))
		return -EMSGSIZE;
	return xvmc_nl_put_conn(ev->skb, conn, reason);
}

/**
 * xvmc_event_conn() - something has happened to a connection
 * @conn: connection
 * @what: "opened", "moved", "fallback", "parked", "resumed" or "closed"
 * @reason: &enum xenvmc_reason, or 0
 *
 * Context: any but hard interrupts; no lock of the connection.
 */
void xvmc_event_conn(struct xvmc_conn *conn, const char *what, u32 reason)
{
	struct event ev;

	rcu_read_lock();
	if (event_begin(&ev, sock_net(conn->sk), XENVMC_CMD_CONN_EVENT,
			XENVMC_A_CONN_SEQ))
		event_end(&ev, event_put_conn(&ev, conn, what, reason));
	rcu_read_unlock();
}

/* A TCP connection of which there is nothing but the socket */
static int event_put_sock(struct event *ev, const struct sock *sk, u16 domid,
			  u32 reason)
{
	if (nla_put_string(ev->skb, XENVMC_A_CONN_EVENT, "fallback") ||
	    nla_put_string(ev->skb, XENVMC_A_CONN_KIND, "tcp") ||
	    nla_put_string(ev->skb, XENVMC_A_CONN_REASON,
			   xvmc_reason_name(reason)) ||
	    (domid != XENVMC_DOMID_ANY &&
	     nla_put_u16(ev->skb, XENVMC_A_CONN_DOMID, domid)))
		return -EMSGSIZE;
	return xvmc_nl_put_sock(ev->skb, sk);
}

static void event_sock(const struct sock *sk, u16 domid, u32 reason)
{
	struct event ev;

	rcu_read_lock();
	if (event_begin(&ev, sock_net(sk), XENVMC_CMD_CONN_EVENT,
			XENVMC_A_CONN_SEQ))
		event_end(&ev, event_put_sock(&ev, sk, domid, reason));
	rcu_read_unlock();
}

/**
 * xvmc_fallback() - a TCP connection stays on TCP or goes back to it
 * @sk: its socket
 * @conn: its connection, or NULL if it never had one
 * @domid: the peer, or %XENVMC_DOMID_ANY if that is not known
 * @reason: &enum xenvmc_reason; may come from a peer and be unknown
 *
 * Context: any but hard interrupts; no lock of the connection.
 */
void xvmc_fallback(const struct sock *sk, struct xvmc_conn *conn, u16 domid,
		   u32 reason)
{
	xvmc_stat_fallback(reason);
	trace_xenvmc_fallback(sk, domid, reason);
	if (!conn) {
		event_sock(sk, domid, reason);
		return;
	}
	WRITE_ONCE(conn->fell_why, reason);
	xvmc_event_conn(conn, "fallback", reason);
}
EXPORT_SYMBOL_GPL(xvmc_fallback);

/* ---- the hook ----------------------------------------------------------- */

static void event_hook_net(struct net *net)
{
	const struct xvmc_net *xnet = xvmc_net(net);
	struct event ev;
	int err;

	if (!event_begin(&ev, net, XENVMC_CMD_HOOK_EVENT, XENVMC_A_HOOK_SEQ))
		return;
	err = nla_put_u8(ev.skb, XENVMC_A_HOOK_ENABLED,
			 READ_ONCE(xnet->hook_on)) ||
	      nla_put_u8(ev.skb, XENVMC_A_HOOK_LOOPBACK,
			 READ_ONCE(xnet->hook_loopback)) ||
	      (xvmc_hook_loaded() &&
	       nla_put_flag(ev.skb, XENVMC_A_HOOK_LOADED));
	event_end(&ev, err);
}

/**
 * xvmc_event_hook() - the hook of a network namespace was switched
 * @net: the namespace
 *
 * Context: any but hard interrupts.
 */
void xvmc_event_hook(struct net *net)
{
	rcu_read_lock();
	event_hook_net(net);
	rcu_read_unlock();
}

/**
 * xvmc_event_hook_all() - the hook's module came or goes
 *
 * Context: any but hard interrupts.
 */
void xvmc_event_hook_all(void)
{
	struct net *net;

	rcu_read_lock();
	for_each_net_rcu(net)
		event_hook_net(net);
	rcu_read_unlock();
}

/* ---- module ------------------------------------------------------------- */

/**
 * xvmc_event_init() - events are told from now on; the family is registered
 */
void xvmc_event_init(void)
{
	WRITE_ONCE(event_on, true);
}

/**
 * xvmc_event_exit() - none is told any more: the family may go
 *
 * Context: process.
 */
void xvmc_event_exit(void)
{
	WRITE_ONCE(event_on, false);
	synchronize_rcu();
}
