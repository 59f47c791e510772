/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Generic netlink family "xenvmc": peers, connections, counters, the hook.
 */
#ifndef _UAPI_LINUX_XENVMC_NETLINK_H
#define _UAPI_LINUX_XENVMC_NETLINK_H

#define XENVMC_GENL_NAME	"xenvmc"
#define XENVMC_GENL_VERSION	1
#define XENVMC_GENL_GROUP	"events"

/*
 * PEER_GET, CONN_GET: dump. STAT_GET, HOOK_GET: do. HOOK_SET: do, needs
 * CAP_NET_ADMIN in the network namespace. The *_EVENT come by the multicast
 * group, which takes CAP_NET_ADMIN to join, and may be lost: their numbers
 * tell, see Documentation/seeing.rst.
 */
enum xenvmc_cmd {
	XENVMC_CMD_UNSPEC,
	XENVMC_CMD_PEER_GET,
	XENVMC_CMD_CONN_GET,
	XENVMC_CMD_STAT_GET,
	XENVMC_CMD_HOOK_GET,
	XENVMC_CMD_HOOK_SET,
	XENVMC_CMD_PEER_EVENT,
	XENVMC_CMD_CONN_EVENT,
	XENVMC_CMD_HOOK_EVENT,
	__XENVMC_CMD_MAX
};
#define XENVMC_CMD_MAX (__XENVMC_CMD_MAX - 1)

/*
 * PEER_GET has DOMID to TX_BYTES: ADDR to TX_BYTES are absent in namespaces of
 * other user namespaces than the first, CONNS to TX_BYTES also without a
 * channel, UUID if it is not known. PEER_EVENT has SEQ, DOMID, STATE,
 * TRANSPORT, UUID and REASON.
 */
enum xenvmc_attr_peer {
	XENVMC_A_PEER_UNSPEC,
	XENVMC_A_PEER_DOMID,		/* u16 */
	XENVMC_A_PEER_STATE,		/* string */
	XENVMC_A_PEER_TRANSPORT,	/* string: "xen" or "loop" */
	XENVMC_A_PEER_UUID,		/* string, attested by dom0 */
	XENVMC_A_PEER_ADDR,		/* nested list of 16-byte IPv6/v4-mapped */
	XENVMC_A_PEER_CONNS,		/* u32: connections on the channel */
	XENVMC_A_PEER_RX_RINGS,		/* u32: own rings granted */
	XENVMC_A_PEER_TX_RINGS,		/* u32: peer's rings mapped */
	XENVMC_A_PEER_RX_BYTES,		/* u64: bytes read from rings */
	XENVMC_A_PEER_TX_BYTES,		/* u64: bytes written to rings */
	XENVMC_A_PEER_PAD,
	XENVMC_A_PEER_SEQ,		/* u32: number of the event */
	XENVMC_A_PEER_REASON,		/* string: why it ends, of an event */
	__XENVMC_A_PEER_MAX
};
#define XENVMC_A_PEER_MAX (__XENVMC_A_PEER_MAX - 1)

/*
 * CONN_GET, CONN_EVENT. TX and RX of kind "tcp": what brought the last byte; of
 * kind "stream": "ring" while one is lent, "tcp" while TCP carries it, else
 * "none".
 */
enum xenvmc_attr_conn {
	XENVMC_A_CONN_UNSPEC,
	XENVMC_A_CONN_ID,		/* u32 */
	XENVMC_A_CONN_DOMID,		/* u16: the peer's */
	XENVMC_A_CONN_KIND,		/* string: "tcp" or "stream" */
	XENVMC_A_CONN_STATE,		/* string */
	XENVMC_A_CONN_LOCAL,		/* 16-byte address; absent for stream */
	XENVMC_A_CONN_REMOTE,
	XENVMC_A_CONN_SPORT,		/* u32, host byte order */
	XENVMC_A_CONN_DPORT,		/* u32, host byte order */
	XENVMC_A_CONN_TX,		/* string: "tcp", "ring", "none" */
	XENVMC_A_CONN_RX,		/* string: "tcp", "ring", "none" */
	XENVMC_A_CONN_TX_BYTES,		/* u64: by rings */
	XENVMC_A_CONN_RX_BYTES,		/* u64: by rings */
	XENVMC_A_CONN_INO,		/* u64: inode of the socket, 0 if none */
	XENVMC_A_CONN_PAD,
	XENVMC_A_CONN_REASON,		/* string: of the last fallback, if any */
	XENVMC_A_CONN_TX_TCP_BYTES,	/* u64: written to TCP; tcp only */
	XENVMC_A_CONN_RX_TCP_BYTES,	/* u64: received by TCP; tcp only */
	XENVMC_A_CONN_TX_SWITCHES,	/* u32: went onto a ring or off it */
	XENVMC_A_CONN_RX_SWITCHES,	/* u32 */
	XENVMC_A_CONN_TX_RING,		/* u32: size in bytes, 0 if none is lent */
	XENVMC_A_CONN_RX_RING,		/* u32 */
	XENVMC_A_CONN_TX_STALLS,	/* u64: writes that found no room */
	XENVMC_A_CONN_SEQ,		/* u32: number of the event */
	XENVMC_A_CONN_EVENT,		/* string: "moved", "closed", ... */
	__XENVMC_A_CONN_MAX
};
#define XENVMC_A_CONN_MAX (__XENVMC_A_CONN_MAX - 1)

/* STAT_GET: a nest of STAT_ENTRY, each a name and a value */
enum xenvmc_attr_stat {
	XENVMC_A_STAT_UNSPEC,
	XENVMC_A_STAT_ENTRY,		/* nested, repeated */
	XENVMC_A_STAT_NAME,		/* string, e.g. "fallback_no_ring" */
	XENVMC_A_STAT_VALUE,		/* u64 */
	XENVMC_A_STAT_PAD,
	__XENVMC_A_STAT_MAX
};
#define XENVMC_A_STAT_MAX (__XENVMC_A_STAT_MAX - 1)

/* HOOK_GET, HOOK_SET, HOOK_EVENT */
enum xenvmc_attr_hook {
	XENVMC_A_HOOK_UNSPEC,
	XENVMC_A_HOOK_ENABLED,		/* u8: 0 or 1, of this netns */
	XENVMC_A_HOOK_LOOPBACK,		/* u8: also connections inside the guest */
	XENVMC_A_HOOK_LOADED,		/* flag, not in SET: xenvmc_inet is loaded */
	XENVMC_A_HOOK_FAMILY,		/* u32, GET only: the borrowed AF number */
	XENVMC_A_HOOK_DOMID,		/* u16, GET only: own domid, absent off Xen */
	XENVMC_A_HOOK_DIRECTORY,	/* flag, GET only: xenvmcd has published */
	XENVMC_A_HOOK_SEQ,		/* u32: number of the event */
	__XENVMC_A_HOOK_MAX
};
#define XENVMC_A_HOOK_MAX (__XENVMC_A_HOOK_MAX - 1)

#endif /* _UAPI_LINUX_XENVMC_NETLINK_H */
