// SPDX-License-Identifier: GPL-2.0
/*
 * Generic netlink: a connection as attributes, for dumps and events.
 *
 * In any context and without the locks of the data path: the words of one
 * connection may be a moment apart. Documentation/seeing.rst says what each of
 * them counts.
 */
#include <net/netlink.h>
#include <net/inet_sock.h>
#include <uapi/linux/xenvmc_netlink.h>
#include "conn.h"
#include "netlink.h"
#include "peer.h"
#include "stats.h"
#include "xenvmc_priv.h"

static void describe_tcp(const struct sock *sk, struct xvmc_conn_info *info)
{
	xvmc_sk_addrs(sk, &info->local, &info->remote);
	info->has_addr = true;
	/* Not sk_num: TCP has given the port back when it tells of the end */
	info->sport = ntohs(inet_sk(sk)->inet_sport);
	info->dport = ntohs(sk->sk_dport);
}

/* What the socket says by itself; the door may know better */
static void conn_describe(struct xvmc_conn *conn, struct xvmc_conn_info *info)
{
	const struct xvmc_conn_ops *ops;

	memset(info, 0, sizeof(*info));
	info->ino = sock_i_ino(conn->sk);
	rcu_read_lock();
	/* Others when the door's module goes, see orphan.c */
	ops = READ_ONCE(conn->ops);
	if (ops->tcp)
		describe_tcp(conn->sk, info);
	if (ops->describe)
		ops->describe(conn, info);
	rcu_read_unlock();
}

static int put_u64(struct sk_buff *skb, int type, u64 value)
{
	return nla_put_u64_64bit(skb, type, value, XENVMC_A_CONN_PAD);
}

static int put_conn_ends(struct sk_buff *skb, const struct xvmc_conn_info *info)
{
	if (info->has_addr &&
	    (nla_put_in6_addr(skb, XENVMC_A_CONN_LOCAL, &info->local) ||
	     nla_put_in6_addr(skb, XENVMC_A_CONN_REMOTE, &info->remote)))
		return -EMSGSIZE;
	if (nla_put_u32(skb, XENVMC_A_CONN_SPORT, info->sport) ||
	    nla_put_u32(skb, XENVMC_A_CONN_DPORT, info->dport) ||
	    put_u64(skb, XENVMC_A_CONN_INO, info->ino))
		return -EMSGSIZE;
	if (info->has_tcp &&
	    (put_u64(skb, XENVMC_A_CONN_TX_TCP_BYTES, info->tx_tcp) ||
	     put_u64(skb, XENVMC_A_CONN_RX_TCP_BYTES, info->rx_tcp)))
		return -EMSGSIZE;
	return 0;
}

/*
 * A stream has but rings: is one lent, and does TCP carry what goes there? TCP:
 * what brought the last byte
 */
static int put_conn_paths(struct sk_buff *skb, const struct xvmc_conn *conn)
{
	bool tx = rcu_access_pointer(conn->tx.ring);
	bool rx = rcu_access_pointer(conn->rx.ring);
	const char *on = conn->chan->ops->via_tcp ? "tcp" : "ring";
	const char *off = "none";

	if (conn->ops->tcp) {
		off = "tcp";
		tx = READ_ONCE(conn->tx.carried);
		rx = READ_ONCE(conn->rx.carried);
	}
	if (nla_put_string(skb, XENVMC_A_CONN_TX, tx ? on : off) ||
	    nla_put_string(skb, XENVMC_A_CONN_RX, rx ? on : off) ||
	    nla_put_u32(skb, XENVMC_A_CONN_TX_SWITCHES,
			READ_ONCE(conn->tx.switches)) ||
	    nla_put_u32(skb, XENVMC_A_CONN_RX_SWITCHES,
			READ_ONCE(conn->rx.switches)))
		return -EMSGSIZE;
	return 0;
}

static int put_conn_rings(struct sk_buff *skb, struct xvmc_conn *conn)
{
	if (nla_put_u32(skb, XENVMC_A_CONN_TX_RING, xvmc_tx_size(conn)) ||
	    nla_put_u32(skb, XENVMC_A_CONN_RX_RING, xvmc_rx_size(conn)) ||
	    put_u64(skb, XENVMC_A_CONN_TX_STALLS, READ_ONCE(conn->tx.stalls)) ||
	    put_u64(skb, XENVMC_A_CONN_TX_BYTES, READ_ONCE(conn->tx.bytes)) ||
	    put_u64(skb, XENVMC_A_CONN_RX_BYTES, READ_ONCE(conn->rx.bytes)))
		return -EMSGSIZE;
	return 0;
}

static int put_conn_reason(struct sk_buff *skb, u32 why)
{
	return why ? nla_put_string(skb, XENVMC_A_CONN_REASON,
				    xvmc_reason_name(why)) : 0;
}

/**
 * xvmc_nl_put_conn() - puts all attributes of a connection
 * @skb: message
 * @conn: connection
 * @why: &enum xenvmc_reason to show, 0 for that of the last fallback
 *
 * Context: any.
 * Return: 0 or -EMSGSIZE.
 */
int xvmc_nl_put_conn(struct sk_buff *skb, struct xvmc_conn *conn, u32 why)
{
	struct xvmc_conn_info info;
	u8 state = READ_ONCE(conn->state);

	conn_describe(conn, &info);
	if (nla_put_u32(skb, XENVMC_A_CONN_ID, conn->id) ||
	    nla_put_u16(skb, XENVMC_A_CONN_DOMID, conn->chan->peer->domid) ||
	    nla_put_string(skb, XENVMC_A_CONN_KIND, conn->ops->kind) ||
	    nla_put_string(skb, XENVMC_A_CONN_STATE, info.parked ? "parked" :
			   xvmc_conn_state_name(state)) ||
	    put_conn_paths(skb, conn) || put_conn_rings(skb, conn) ||
	    put_conn_reason(skb, why ?: READ_ONCE(conn->fell_why)))
		return -EMSGSIZE;
	return put_conn_ends(skb, &info);
}

/**
 * xvmc_nl_put_sock() - puts the ends of a TCP connection without a connection
 * @skb: message
 * @sk: its socket
 *
 * Context: any.
 * Return: 0 or -EMSGSIZE.
 */
int xvmc_nl_put_sock(struct sk_buff *skb, const struct sock *sk)
{
	struct xvmc_conn_info info = {};

	describe_tcp(sk, &info);
	return put_conn_ends(skb, &info);
}
