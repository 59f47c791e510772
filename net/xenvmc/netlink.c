// SPDX-License-Identifier: GPL-2.0
/*
 * Generic netlink: shows peers, connections and counters, switches the hook.
 *
 * Called by the tool, in process context. A dump takes as many calls as the
 * answer needs messages; in between, peers and connections come and go. What
 * is kept in cb->args is therefore a position in the order of ids, and each
 * entry is looked up anew: none is shown twice, and none that was there all the
 * time is left out. An entry is shown under a reference and without the locks
 * of the data path, so the words of one may be a moment apart.
 */
#include <linux/xarray.h>
#include <net/genetlink.h>
#include <net/sock.h>
#include <uapi/linux/xenvmc.h>
#include <uapi/linux/xenvmc_netlink.h>
#include "conn.h"
#include "event.h"
#include "fault.h"
#include "netlink.h"
#include "peer.h"
#include "stats.h"
#include "xenvmc_priv.h"

/* Longest entry of STAT_GET: nest, name of 32 bytes, value, padding */
#define STAT_ENTRY_SIZE	(nla_total_size(0) + nla_total_size(32) + \
			 nla_total_size_64bit(sizeof(u64)))

/**
 * struct peer_search - looks for the next peer of a dump
 * @from: lowest domid wanted
 * @best: what was found so far, or NULL; a reference is held
 */
struct peer_search {
	u32 from;
	struct xvmc_peer *best;
};

static int peer_try(struct xvmc_peer *peer, void *arg)
{
	struct peer_search *search = arg;
	struct xvmc_peer *old = search->best;

	if (peer->domid < search->from || (old && peer->domid >= old->domid))
		return 0;
	if (!kref_get_unless_zero(&peer->ref))
		return 0;
	search->best = peer;
	if (old)
		xvmc_peer_put(old);
	return 0;
}

/* The peer with the lowest domid >= @from: with a reference, or NULL */
static struct xvmc_peer *peer_get_from(u32 from)
{
	struct peer_search search = { .from = from };

	xvmc_peer_for_each(peer_try, &search);
	return search.best;
}

static void *dump_put(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd)
{
	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
			   cb->nlh->nlmsg_seq, &xvmc_genl_family, NLM_F_MULTI,
			   cmd);
}

static int put_peer_addrs(struct sk_buff *skb, const struct xvmc_peer *peer)
{
	struct nlattr *nest;
	u32 i;

	lockdep_assert_held(&peer->mutex);
	nest = nla_nest_start(skb, XENVMC_A_PEER_ADDR);
	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < peer->naddrs; i++)
		if (nla_put_in6_addr(skb, i + 1, &peer->addrs[i]))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_peer_facts(struct sk_buff *skb, const struct xvmc_peer *peer)
{
	lockdep_assert_held(&peer->mutex);
	if (nla_put_u16(skb, XENVMC_A_PEER_DOMID, peer->domid) ||
	    nla_put_string(skb, XENVMC_A_PEER_STATE,
			   xvmc_peer_state_name(peer->state)) ||
	    nla_put_string(skb, XENVMC_A_PEER_TRANSPORT, peer->ops->name))
		return -EMSGSIZE;
	if (peer->uuid[0] &&
	    nla_put_string(skb, XENVMC_A_PEER_UUID, peer->uuid))
		return -EMSGSIZE;
	return 0;
}

static int put_peer_chan(struct sk_buff *skb, struct xvmc_chan *chan)
{
	if (nla_put_u32(skb, XENVMC_A_PEER_CONNS,
			atomic_read(&chan->nr_conns)) ||
	    nla_put_u32(skb, XENVMC_A_PEER_RX_RINGS,
			data_race(chan->nr_rx)) ||
	    nla_put_u32(skb, XENVMC_A_PEER_TX_RINGS,
			data_race(chan->nr_tx)) ||
	    nla_put_u64_64bit(skb, XENVMC_A_PEER_RX_BYTES,
			      atomic64_read(&chan->rx_bytes),
			      XENVMC_A_PEER_PAD) ||
	    nla_put_u64_64bit(skb, XENVMC_A_PEER_TX_BYTES,
			      atomic64_read(&chan->tx_bytes),
			      XENVMC_A_PEER_PAD))
		return -EMSGSIZE;
	return 0;
}

/* @all: what is the guest's, and no container's: where, and how much */
static int put_peer(struct sk_buff *skb, struct xvmc_peer *peer, bool all)
{
	struct xvmc_chan *chan;
	int err;

	mutex_lock(&peer->mutex);
	err = put_peer_facts(skb, peer);
	if (!err && all)
		err = put_peer_addrs(skb, peer);
	chan = rcu_dereference_protected(peer->chan,
					 lockdep_is_held(&peer->mutex));
	if (!err && all && chan)
		err = put_peer_chan(skb, chan);
	mutex_unlock(&peer->mutex);
	return err;
}

static int dump_peer(struct sk_buff *skb, struct netlink_callback *cb,
		     struct xvmc_peer *peer)
{
	const struct net *net = sock_net(cb->skb->sk);
	void *hdr = dump_put(skb, cb, XENVMC_CMD_PEER_GET);
	int err;

	if (!hdr)
		return -EMSGSIZE;
	err = put_peer(skb, peer, net->user_ns == &init_user_ns);
	if (err)
		genlmsg_cancel(skb, hdr);
	else
		genlmsg_end(skb, hdr);
	return err;
}

/*
 * cb->args[0]: lowest domid that was not shown yet. The counts are those of all
 * namespaces: root of a container with a user namespace of its own may not see.
 */
static int peer_get_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct xvmc_peer *peer;
	int err;

	while ((peer = peer_get_from(cb->args[0]))) {
		err = dump_peer(skb, cb, peer);
		if (!err)
			cb->args[0] = peer->domid + 1;
		xvmc_peer_put(peer);
		if (err)
			return skb->len ?: err;
	}
	return skb->len;
}

static int dump_conn(struct sk_buff *skb, struct netlink_callback *cb,
		     struct xvmc_conn *conn)
{
	void *hdr;
	int err;

	if (!net_eq(sock_net(conn->sk), sock_net(cb->skb->sk)))
		return 0;
	hdr = dump_put(skb, cb, XENVMC_CMD_CONN_GET);
	if (!hdr)
		return -EMSGSIZE;
	err = xvmc_nl_put_conn(skb, conn, 0);
	if (err)
		genlmsg_cancel(skb, hdr);
	else
		genlmsg_end(skb, hdr);
	return err;
}

/* The connection with the lowest id >= *@id, with a reference, or NULL */
static struct xvmc_conn *conn_get_from(struct xvmc_chan *chan,
				       unsigned long *id)
{
	struct xvmc_conn *conn;

	rcu_read_lock();
	conn = xa_find(&chan->conns, id, ULONG_MAX, XA_PRESENT);
	while (conn && !kref_get_unless_zero(&conn->ref))
		conn = xa_find_after(&chan->conns, id, ULONG_MAX, XA_PRESENT);
	rcu_read_unlock();
	return conn;
}

/* cb->args[2]: lowest id that was not shown yet */
static int dump_chan(struct sk_buff *skb, struct netlink_callback *cb,
		     struct xvmc_chan *chan)
{
	unsigned long id = cb->args[2];
	struct xvmc_conn *conn;
	int err;

	while ((conn = conn_get_from(chan, &id))) {
		err = dump_conn(skb, cb, conn);
		xvmc_conn_put(conn);
		if (err)
			return err;
		cb->args[2] = ++id;
	}
	return 0;
}

/*
 * Channel @n of @peer, with a reference, or NULL. The loopback has two, of
 * which only the first end's peer is in the table.
 */
static struct xvmc_chan *peer_chan_get(struct xvmc_peer *peer, long n)
{
	struct xvmc_chan *chan;

	if (n > 0)
		return peer->ops == &xvmc_loop_ops ?
		       xvmc_loop_chan_get(true) : NULL;
	rcu_read_lock();
	chan = rcu_dereference(peer->chan);
	if (chan && !xvmc_chan_tryhold(chan))
		chan = NULL;
	rcu_read_unlock();
	return chan;
}

/* cb->args[1]: which channel of the peer */
static int dump_peer_conns(struct sk_buff *skb, struct netlink_callback *cb,
			   struct xvmc_peer *peer)
{
	struct xvmc_chan *chan;
	int err = 0;

	for (; cb->args[1] < 2; cb->args[1]++, cb->args[2] = 0) {
		chan = peer_chan_get(peer, cb->args[1]);
		if (!chan)
			continue;
		err = dump_chan(skb, cb, chan);
		xvmc_chan_put(chan);
		if (err)
			return err;
	}
	return 0;
}

/* cb->args[3]: the last of those that wait for their peer that was shown */
static int dump_parked(struct sk_buff *skb, struct netlink_callback *cb)
{
	unsigned long serial = cb->args[3];
	struct xvmc_conn *conn;
	int err;

	while ((conn = xvmc_park_get(sock_net(cb->skb->sk), &serial))) {
		err = dump_conn(skb, cb, conn);
		xvmc_conn_put(conn);
		if (err)
			return err;
		cb->args[3] = serial;
	}
	return 0;
}

/* cb->args[4]: the pair for streams by TCP whose connections are shown */
static int dump_carried(struct sk_buff *skb, struct netlink_callback *cb)
{
	unsigned long serial = cb->args[4];
	struct xvmc_chan *chan;
	int err;

	while ((chan = xvmc_carry_chan_get(&serial))) {
		if (serial != cb->args[4])
			cb->args[2] = 0;
		cb->args[4] = serial;
		err = dump_chan(skb, cb, chan);
		xvmc_chan_put(chan);
		if (err)
			return err;
		cb->args[4] = ++serial;
		cb->args[2] = 0;
	}
	return 0;
}

/* cb->args[0]: the peer whose connections are shown */
static int dump_peers(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct xvmc_peer *peer;
	int err;

	while ((peer = peer_get_from(cb->args[0]))) {
		if (peer->domid != cb->args[0]) {
			cb->args[0] = peer->domid;
			cb->args[1] = 0;
			cb->args[2] = 0;
		}
		err = dump_peer_conns(skb, cb, peer);
		xvmc_peer_put(peer);
		if (err)
			return err;
		cb->args[0]++;
		cb->args[1] = 0;
		cb->args[2] = 0;
	}
	return 0;
}

/* cb->args[5]: all peers were shown, who comes now is not */
static int conn_get_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	int err = 0;

	if (!cb->args[5])
		err = dump_peers(skb, cb);
	if (err)
		return skb->len ?: err;
	cb->args[5] = true;
	err = dump_parked(skb, cb) ?: dump_carried(skb, cb);
	if (err)
		return skb->len ?: err;
	return skb->len;
}

static int put_stat(struct sk_buff *skb, enum xvmc_stat stat)
{
	struct nlattr *nest = nla_nest_start(skb, XENVMC_A_STAT_ENTRY);

	if (!nest ||
	    nla_put_string(skb, XENVMC_A_STAT_NAME, xvmc_stat_name(stat)) ||
	    nla_put_u64_64bit(skb, XENVMC_A_STAT_VALUE, xvmc_stat_read(stat),
			      XENVMC_A_STAT_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static struct sk_buff *answer_new(size_t size)
{
	if (xvmc_should_fail(XVMC_FAULT_ANSWER))
		return NULL;
	return genlmsg_new(size, GFP_KERNEL);
}

static int stat_get(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *msg;
	int stat, err = 0;
	void *hdr;

	msg = answer_new(XVMC_STAT_COUNT * STAT_ENTRY_SIZE);
	if (!msg)
		return -ENOMEM;
	hdr = genlmsg_put_reply(msg, info, &xvmc_genl_family, 0,
				XENVMC_CMD_STAT_GET);
	if (!hdr)
		err = -EMSGSIZE;
	for (stat = 0; !err && stat < XVMC_STAT_COUNT; stat++)
		err = put_stat(msg, stat);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

static int put_hook(struct sk_buff *skb, const struct xvmc_net *xnet)
{
	u16 domid;

	if (nla_put_u8(skb, XENVMC_A_HOOK_ENABLED, READ_ONCE(xnet->hook_on)) ||
	    nla_put_u8(skb, XENVMC_A_HOOK_LOOPBACK,
		       READ_ONCE(xnet->hook_loopback)) ||
	    nla_put_u32(skb, XENVMC_A_HOOK_FAMILY, AF_XENVMC))
		return -EMSGSIZE;
	if (xvmc_hook_loaded() && nla_put_flag(skb, XENVMC_A_HOOK_LOADED))
		return -EMSGSIZE;
	if (xvmc_xen_own_domid(&domid) &&
	    nla_put_u16(skb, XENVMC_A_HOOK_DOMID, domid))
		return -EMSGSIZE;
	if (xvmc_xen_has_directory() &&
	    nla_put_flag(skb, XENVMC_A_HOOK_DIRECTORY))
		return -EMSGSIZE;
	return 0;
}

static int hook_get(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *msg = answer_new(GENLMSG_DEFAULT_SIZE);
	int err = -EMSGSIZE;
	void *hdr;

	if (!msg)
		return -ENOMEM;
	hdr = genlmsg_put_reply(msg, info, &xvmc_genl_family, 0,
				XENVMC_CMD_HOOK_GET);
	if (hdr)
		err = put_hook(msg, xvmc_net(genl_info_net(info)));
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

static int hook_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *loopback = info->attrs[XENVMC_A_HOOK_LOOPBACK];
	struct nlattr *enabled = info->attrs[XENVMC_A_HOOK_ENABLED];
	struct net *net = genl_info_net(info);
	struct xvmc_net *xnet = xvmc_net(net);
	bool changed = false;

	if (!enabled && !loopback) {
		GENL_SET_ERR_MSG(info, "nothing to set: enabled or loopback");
		return -EINVAL;
	}
	if (enabled)
		changed |= xchg(&xnet->hook_on, nla_get_u8(enabled)) !=
			   nla_get_u8(enabled);
	if (loopback)
		changed |= xchg(&xnet->hook_loopback, nla_get_u8(loopback)) !=
			   nla_get_u8(loopback);
	if (changed) {
		xvmc_hook_changed(net);
		xvmc_event_hook(net);
	}
	return 0;
}

#define READ_ONLY { .type = NLA_REJECT, \
		    .reject_message = "this attribute can only be read" }

static const struct nla_policy hook_set_policy[XENVMC_A_HOOK_MAX + 1] = {
	[XENVMC_A_HOOK_ENABLED]		= NLA_POLICY_MAX(NLA_U8, 1),
	[XENVMC_A_HOOK_LOOPBACK]	= NLA_POLICY_MAX(NLA_U8, 1),
	[XENVMC_A_HOOK_LOADED]		= READ_ONLY,
	[XENVMC_A_HOOK_FAMILY]		= READ_ONLY,
	[XENVMC_A_HOOK_DOMID]		= READ_ONLY,
	[XENVMC_A_HOOK_DIRECTORY]	= READ_ONLY,
	[XENVMC_A_HOOK_SEQ]		= READ_ONLY,
};

/* A command without a policy takes no attributes: the core refuses any */
static const struct genl_ops genl_ops[] = {
	{
		.cmd	= XENVMC_CMD_PEER_GET,
		.dumpit	= peer_get_dump,
	},
	{
		.cmd	= XENVMC_CMD_CONN_GET,
		.dumpit	= conn_get_dump,
	},
	{
		.cmd	= XENVMC_CMD_STAT_GET,
		.doit	= stat_get,
	},
	{
		.cmd	= XENVMC_CMD_HOOK_GET,
		.doit	= hook_get,
	},
	{
		.cmd	= XENVMC_CMD_HOOK_SET,
		.doit	= hook_set,
		.policy	= hook_set_policy,
		.maxattr = XENVMC_A_HOOK_MAX,
		.flags	= GENL_UNS_ADMIN_PERM,
	},
};

/* Who listens makes work for whoever has something to tell */
static const struct genl_multicast_group genl_groups[] = {
	{ .name = XENVMC_GENL_GROUP, .flags = GENL_MCAST_CAP_NET_ADMIN },
};

/* parallel_ops: HOOK_SET only queues a walk, but may wait for hook_mutex */
struct genl_family xvmc_genl_family __ro_after_init = {
	.name		= XENVMC_GENL_NAME,
	.version	= XENVMC_GENL_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.ops		= genl_ops,
	.n_ops		= ARRAY_SIZE(genl_ops),
	.mcgrps		= genl_groups,
	.n_mcgrps	= ARRAY_SIZE(genl_groups),
};

/**
 * xvmc_netlink_init() - registers the generic netlink family
 *
 * Return: 0 or a negative errno.
 */
int xvmc_netlink_init(void)
{
	int err = -ENOMEM;

	if (!xvmc_should_fail(XVMC_FAULT_REGISTER))
		err = genl_register_family(&xvmc_genl_family);
	if (!err)
		xvmc_event_init();
	return err;
}

/**
 * xvmc_netlink_exit() - unregisters it and waits for running calls
 */
void xvmc_netlink_exit(void)
{
	xvmc_event_exit();
	genl_unregister_family(&xvmc_genl_family);
}
