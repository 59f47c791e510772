/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * AF_XENVMC: stream sockets between the guests of one Xen host.
 */
#ifndef _UAPI_LINUX_XENVMC_H
#define _UAPI_LINUX_XENVMC_H

#include <linux/types.h>
#include <linux/socket.h>

/*
 * An out-of-tree family cannot have a number of its own: every number below
 * AF_MAX is named. This one belonged to Econet, removed from Linux 3.5; it can
 * be changed when building, and "xenvmc hook show" tells which one is in use.
 */
#ifndef AF_XENVMC
#define AF_XENVMC	19
#endif
#ifndef PF_XENVMC
#define PF_XENVMC	AF_XENVMC
#endif

/* Domain ids. Any own id, or XENVMC_DOMID_SELF, is the loopback. */
#define XENVMC_DOMID_SELF	0x7ff0
#define XENVMC_DOMID_UUID	0xfffe	/* see struct sockaddr_xenvmc_uuid */
#define XENVMC_DOMID_ANY	0xffff

/* Ports. As in TCP, binding to a low port needs CAP_NET_BIND_SERVICE. */
#define XENVMC_PORT_ANY			0
#define XENVMC_LAST_RESERVED_PORT	1023
#define XENVMC_PORT_MAX			0x7fffffff

/**
 * struct sockaddr_xenvmc - address of a socket
 * @svm_family: AF_XENVMC
 * @svm_domid: domain id; bind() takes XENVMC_DOMID_ANY, _SELF or the own one,
 *	and to connect() XENVMC_DOMID_ANY is XENVMC_DOMID_SELF
 * @svm_port: port in host byte order, XENVMC_PORT_ANY asks bind() for a free one
 * @svm_zero: must be zero
 */
struct sockaddr_xenvmc {
	__kernel_sa_family_t svm_family;
	__u16 svm_domid;
	__u32 svm_port;
	__u8 svm_zero[8];
};

/**
 * struct sockaddr_xenvmc_uuid - address of a guest that may move
 * @svm_family: AF_XENVMC
 * @svm_domid: XENVMC_DOMID_UUID
 * @svm_port: port in host byte order
 * @svm_zero: must be zero
 * @svm_uuid: as "xl list -v" prints it, from left to right
 *
 * For connect() alone. A guest gets another domain id when it is restored or
 * migrated, and keeps its UUID.
 */
struct sockaddr_xenvmc_uuid {
	__kernel_sa_family_t svm_family;
	__u16 svm_domid;
	__u32 svm_port;
	__u8 svm_zero[8];
	__u8 svm_uuid[16];
};

/**
 * enum xenvmc_reason - why a connection stays on TCP or went back to it
 * @XENVMC_REASON_NONE: none; one of a peer's that is not known here counts as
 *	@XENVMC_REASON_PEER_LEFT
 * @XENVMC_REASON_HOOK_OFF: the other end has no xenvmc_inet loaded
 * @XENVMC_REASON_NO_CHANNEL: peer is known, but not connected
 * @XENVMC_REASON_NO_RING: ring pool is exhausted
 * @XENVMC_REASON_NO_MEMORY: no memory, or a limit is reached, at either end
 * @XENVMC_REASON_NO_MATCH: the other end has no such connection (NAT?), or the
 *	hook is off there
 * @XENVMC_REASON_NO_PROOF: sequence numbers differ
 * @XENVMC_REASON_NO_ANSWER: peer did not answer in time
 * @XENVMC_REASON_ULP: TCP_ULP: kTLS and others
 * @XENVMC_REASON_SOCKMAP: a sockmap, or something else, has replaced the
 *	socket's functions
 * @XENVMC_REASON_FASTOPEN: TCP Fast Open
 * @XENVMC_REASON_REPAIR: TCP_REPAIR
 * @XENVMC_REASON_MD5_AO: segments are signed: TCP-MD5, TCP-AO
 * @XENVMC_REASON_URGENT: urgent data
 * @XENVMC_REASON_ZEROCOPY: MSG_ZEROCOPY, TCP_ZEROCOPY_RECEIVE
 * @XENVMC_REASON_KERNEL: a socket of the kernel's own, or given to it
 * @XENVMC_REASON_MPTCP: subflow of MPTCP
 * @XENVMC_REASON_SOCKOPT: another option that rings cannot have
 * @XENVMC_REASON_PEER_LEFT: the peer's end let go
 * @XENVMC_REASON_CHAN_CLOSED: channel was revoked, or the peer is gone
 * @XENVMC_REASON_CHAN_BROKEN: protocol violation
 * @XENVMC_REASON_UNLOAD: module is unloaded here
 * @XENVMC_REASON_CLOSED: socket was closed (not a fallback)
 * @XENVMC_REASON_VERSION: no common version
 * @XENVMC_REASON_LINK_LOCAL: an address of one link only
 * @XENVMC_REASON_RECLAIM: of a RECALL: the owner wants its ring back, to lend
 *	another one (not a fallback)
 * @XENVMC_REASON_TCP_ENDED: TCP closed (not a fallback)
 * @XENVMC_REASON_PATH_CUT: no packet comes any more
 * @XENVMC_REASON_SUSPEND: this guest is suspended, or the peer is
 * @XENVMC_REASON_IPSEC: segments are protected
 *
 * Counted by reason ("xenvmc stat show"), traced, and sent to the peer.
 */
enum xenvmc_reason {
	XENVMC_REASON_NONE		= 0,
	XENVMC_REASON_HOOK_OFF		= 1,
	XENVMC_REASON_NO_CHANNEL	= 2,
	XENVMC_REASON_NO_RING		= 3,
	XENVMC_REASON_NO_MEMORY		= 4,
	XENVMC_REASON_NO_MATCH		= 5,
	XENVMC_REASON_NO_PROOF		= 6,
	XENVMC_REASON_NO_ANSWER		= 7,
	XENVMC_REASON_ULP		= 8,
	XENVMC_REASON_SOCKMAP		= 9,
	XENVMC_REASON_FASTOPEN		= 10,
	XENVMC_REASON_REPAIR		= 11,
	XENVMC_REASON_MD5_AO		= 12,
	XENVMC_REASON_URGENT		= 13,
	XENVMC_REASON_ZEROCOPY		= 14,
	XENVMC_REASON_KERNEL		= 15,
	XENVMC_REASON_MPTCP		= 16,
	XENVMC_REASON_SOCKOPT		= 17,
	XENVMC_REASON_PEER_LEFT		= 18,
	XENVMC_REASON_CHAN_CLOSED	= 19,
	XENVMC_REASON_CHAN_BROKEN	= 20,
	XENVMC_REASON_UNLOAD		= 21,
	XENVMC_REASON_CLOSED		= 22,
	XENVMC_REASON_VERSION		= 23,
	XENVMC_REASON_LINK_LOCAL	= 24,
	XENVMC_REASON_RECLAIM		= 25,
	XENVMC_REASON_TCP_ENDED		= 26,
	XENVMC_REASON_PATH_CUT		= 27,
	XENVMC_REASON_SUSPEND		= 28,
	XENVMC_REASON_IPSEC		= 29,
	/* private: */
	__XENVMC_REASON_MAX
};
#define XENVMC_REASON_MAX (__XENVMC_REASON_MAX - 1)

#endif /* _UAPI_LINUX_XENVMC_H */
