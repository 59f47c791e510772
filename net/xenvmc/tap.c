// SPDX-License-Identifier: GPL-2.0
/*
 * xenvmc_tap.ko: a network device on which a capture sees moved connections.
 *
 *	ip link add type xenvmcmon; ip link set xenvmcmon0 up; tcpdump -i ...
 *
 * The bytes that rings carry are put into TCP/IP packets that never were: with
 * the connection's addresses and ports, numbered by their place in the stream,
 * checksums right. They go out of the device, which drops them; what looks at
 * packets there has seen them by then. Documentation/seeing.rst says what is
 * true of such a packet and what is made up.
 *
 * A device shows the connections of its own network namespace, which alone pay
 * for it: each namespace has a list, changed under RTNL and read under RCU.
 */
#include <linux/if_arp.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/rtnetlink.h>
#include <net/tcp.h>
#include "compat/compat.h"
#include "fault.h"
#include "tap.h"
#include "xenvmc_priv.h"

#define TAP_KIND	"xenvmcmon"
#define TAP_MTU		16384
#define TAP_MIN_MTU	1280	/* as IPv6 wants it */
#define TAP_MAX_MTU	65535	/* no packet is longer */
#define TAP_TTL		64

/**
 * struct tap_dev - a device
 * @dev: itself
 * @node: in the namespace's list while it is up; RTNL, RCU
 * @packets: shown
 * @bytes: of them, with headers
 * @dropped: not shown for want of memory
 */
struct tap_dev {
	struct net_device *dev;
	struct list_head node;
	atomic64_t packets;
	atomic64_t bytes;
	atomic64_t dropped;
};

/**
 * struct tap_flow - one direction of a connection, as headers have it
 * @src: where the bytes come from, v4-mapped for IPv4
 * @dst: where they go
 * @sport: ports in network byte order
 * @dport: likewise
 * @seq: number of the next byte
 * @ack: number up to which the other direction has arrived
 */
struct tap_flow {
	struct in6_addr src;
	struct in6_addr dst;
	__be16 sport;
	__be16 dport;
	u32 seq;
	u32 ack;
};

static unsigned int tap_up;	/* devices that are; RTNL */

/* ---- packets ------------------------------------------------------------ */

/*
 * The numbers of TCP alone and the bytes by ring together are the place in the
 * stream, see Documentation/seeing.rst. The other direction moves meanwhile.
 */
static void tap_read_flow(const struct xvmc_conn *conn,
			  const struct xvmc_tap_piece *piece,
			  struct tap_flow *flow)
{
	const struct sock *sk = conn->sk;
	const struct tcp_sock *tp = tcp_sk(sk);

	flow->seq = piece->seq;
	if (piece->rx) {
		xvmc_sk_addrs(sk, &flow->dst, &flow->src);
		flow->sport = sk->sk_dport;
		flow->dport = inet_sk(sk)->inet_sport;
		flow->ack = READ_ONCE(tp->snd_una) +
			    (u32)READ_ONCE(conn->tx.bytes);
	} else {
		xvmc_sk_addrs(sk, &flow->src, &flow->dst);
		flow->sport = inet_sk(sk)->inet_sport;
		flow->dport = sk->sk_dport;
		flow->ack = READ_ONCE(tp->copied_seq) +
			    (u32)READ_ONCE(conn->rx.bytes);
	}
}

static bool tap_is_v4(const struct tap_flow *flow)
{
	return ipv6_addr_v4mapped(&flow->src) && ipv6_addr_v4mapped(&flow->dst);
}

static u32 tap_header_len(const struct tap_flow *flow)
{
	return sizeof(struct tcphdr) + (tap_is_v4(flow) ?
					sizeof(struct iphdr) :
					sizeof(struct ipv6hdr));
}

static void tap_put_tcp(struct sk_buff *skb, const struct tap_flow *flow)
{
	struct tcphdr *th = tcp_hdr(skb);

	memset(th, 0, sizeof(*th));
	th->source = flow->sport;
	th->dest = flow->dport;
	th->seq = htonl(flow->seq);
	th->ack_seq = htonl(flow->ack);
	th->doff = sizeof(*th) / 4;
	th->ack = 1;
	th->psh = 1;
	th->window = htons(U16_MAX);
}

/* Both return the checksum of @len bytes from the TCP header on */
static __sum16 tap_put_v4(struct sk_buff *skb, const struct tap_flow *flow,
			  u32 len)
{
	__wsum sum = skb_checksum(skb, sizeof(struct iphdr), len, 0);
	struct iphdr *iph = ip_hdr(skb);

	memset(iph, 0, sizeof(*iph));
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->tot_len = htons(sizeof(*iph) + len);
	iph->frag_off = htons(IP_DF);
	iph->ttl = TAP_TTL;
	iph->protocol = IPPROTO_TCP;
	iph->saddr = flow->src.s6_addr32[3];
	iph->daddr = flow->dst.s6_addr32[3];
	ip_send_check(iph);
	skb->protocol = htons(ETH_P_IP);
	return csum_tcpudp_magic(iph->saddr, iph->daddr, len, IPPROTO_TCP, sum);
}

static __sum16 tap_put_v6(struct sk_buff *skb, const struct tap_flow *flow,
			  u32 len)
{
	__wsum sum = skb_checksum(skb, sizeof(struct ipv6hdr), len, 0);
	struct ipv6hdr *ip6h = ipv6_hdr(skb);

	memset(ip6h, 0, sizeof(*ip6h));
	ip6h->version = 6;
	ip6h->payload_len = htons(len);
	ip6h->nexthdr = IPPROTO_TCP;
	ip6h->hop_limit = TAP_TTL;
	ip6h->saddr = flow->src;
	ip6h->daddr = flow->dst;
	skb->protocol = htons(ETH_P_IPV6);
	return csum_ipv6_magic(&flow->src, &flow->dst, len, IPPROTO_TCP, sum);
}

/* A packet with @len bytes, or NULL */
static struct sk_buff *tap_skb(const struct tap_flow *flow, const void *data,
			       u32 len)
{
	u32 header = tap_header_len(flow);
	u32 network = header - sizeof(struct tcphdr);
	struct sk_buff *skb = NULL;
	__sum16 check;
	int err;

	if (!xvmc_should_fail(XVMC_FAULT_TAP_SKB))
		skb = alloc_skb_with_frags(header, len, 0, &err,
					   GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb_put(skb, header);
	skb->data_len = len;
	skb->len += len;
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, network);
	if (xvmc_should_fail(XVMC_FAULT_TAP_SKB) ||
	    skb_store_bits(skb, header, data, len)) {
		kfree_skb(skb);
		return NULL;
	}
	tap_put_tcp(skb, flow);
	check = tap_is_v4(flow) ?
		tap_put_v4(skb, flow, header - network + len) :
		tap_put_v6(skb, flow, header - network + len);
	tcp_hdr(skb)->check = check;
	return skb;
}

/* In packets as long as the device takes them */
static void tap_show_dev(struct tap_dev *tap, struct tap_flow flow,
			 const struct xvmc_tap_piece *piece)
{
	u32 most = READ_ONCE(tap->dev->mtu) - tap_header_len(&flow);
	struct sk_buff *skb;
	u32 done, n;

	for (done = 0; done < piece->len; done += n, flow.seq += n) {
		n = min(piece->len - done, most);
		skb = tap_skb(&flow, piece->data + done, n);
		if (!skb) {
			atomic64_inc(&tap->dropped);
			continue;
		}
		skb->dev = tap->dev;
		dev_queue_xmit(skb);
	}
}

/* Process context, RCU, the direction's mutex held */
static void tap_show(const struct xvmc_conn *conn,
		     const struct xvmc_tap_piece *piece)
{
	struct tap_flow flow;
	struct tap_dev *tap;
	bool read = false;

	list_for_each_entry_rcu(tap, &xvmc_net(sock_net(conn->sk))->taps,
				node) {
		if (!read)
			tap_read_flow(conn, piece, &flow);
		read = true;
		tap_show_dev(tap, flow, piece);
	}
}

static const struct xvmc_tap_ops tap_ops = {
	.show = tap_show,
};

/* ---- the device --------------------------------------------------------- */

/* Whoever looks at packets has seen it by now */
static netdev_tx_t tap_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct tap_dev *tap = netdev_priv(dev);

	atomic64_inc(&tap->packets);
	atomic64_add(skb->len, &tap->bytes);
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

static int tap_open(struct net_device *dev)
{
	struct tap_dev *tap = netdev_priv(dev);

	ASSERT_RTNL();
	list_add_rcu(&tap->node, &xvmc_net(dev_net(dev))->taps);
	if (!tap_up++)
		xvmc_set_tap(&tap_ops);
	return 0;
}

static int tap_stop(struct net_device *dev)
{
	struct tap_dev *tap = netdev_priv(dev);

	ASSERT_RTNL();
	list_del_rcu(&tap->node);
	if (!--tap_up)
		xvmc_set_tap(NULL);
	/* Nobody looks at it any more: it may be opened again, or freed */
	synchronize_net();
	return 0;
}

static void tap_stats(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	struct tap_dev *tap = netdev_priv(dev);

	stats->tx_packets = atomic64_read(&tap->packets);
	stats->tx_bytes = atomic64_read(&tap->bytes);
	stats->tx_dropped = atomic64_read(&tap->dropped);
}

static const struct net_device_ops tap_netdev_ops = {
	.ndo_open		= tap_open,
	.ndo_stop		= tap_stop,
	.ndo_start_xmit		= tap_xmit,
	.ndo_get_stats64	= tap_stats,
};

static void tap_setup(struct net_device *dev)
{
	struct tap_dev *tap = netdev_priv(dev);

	tap->dev = dev;
	dev->type = ARPHRD_NONE;
	dev->flags = IFF_NOARP;
	/* Packets are made here: none of the kernel's own, and no queue */
	dev->priv_flags |= IFF_NO_QUEUE | IFF_NO_ADDRCONF;
	dev->features = NETIF_F_SG | NETIF_F_HIGHDMA;
	dev->mtu = TAP_MTU;
	dev->min_mtu = TAP_MIN_MTU;
	dev->max_mtu = TAP_MAX_MTU;
	dev->netdev_ops = &tap_netdev_ops;
	dev->needs_free_netdev = true;
}

static int tap_validate(struct nlattr *tb[], struct nlattr *data[],
			struct netlink_ext_ack *extack)
{
	if (!tb[IFLA_ADDRESS])
		return 0;
	NL_SET_ERR_MSG(extack, "this device has no address");
	return -EINVAL;
}

static struct rtnl_link_ops tap_link_ops __read_mostly = {
	.kind		= TAP_KIND,
	.priv_size	= sizeof(struct tap_dev),
	.setup		= tap_setup,
	.validate	= tap_validate,
};

static int __init tap_init(void)
{
	if (xvmc_should_fail(XVMC_FAULT_REGISTER))
		return -ENOMEM;
	return rtnl_link_register(&tap_link_ops);
}

/* Its devices go, too */
static void __exit tap_exit(void)
{
	rtnl_link_unregister(&tap_link_ops);
}

module_init(tap_init);
module_exit(tap_exit);
MODULE_DESCRIPTION("XenVMC: shows moved TCP connections to a packet capture");
MODULE_LICENSE("GPL");
MODULE_ALIAS_RTNL_LINK(TAP_KIND);
MODULE_IMPORT_NS(COMPAT_NS);
