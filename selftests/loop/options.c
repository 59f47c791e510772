// SPDX-License-Identifier: GPL-2.0
/*
 * Cases: options of connected TCP sockets, one case for each.
 *
 * Nothing is expected of an option but that a connection that the hook moves
 * answers as one that it has left: same values, same errors, and the bytes flow
 * afterwards. Where no hook is loaded both are TCP's.
 */
#include <linux/filter.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "loop.h"

#define ROOM	512
#define TRIES	6

/* What linux/in.h has and netinet/in.h has not, and newer numbers */
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE	51
#endif
#ifndef IP_PROTOCOL
#define IP_PROTOCOL		52
#endif
#ifndef SO_RESERVE_MEM
#define SO_RESERVE_MEM		73
#endif
#ifndef SO_TXREHASH
#define SO_TXREHASH		74
#endif
#ifndef SO_RCVMARK
#define SO_RCVMARK		75
#endif
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD		76
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD		77
#endif
#ifndef SO_DEVMEM_DONTNEED
#define SO_DEVMEM_LINEAR	78
#define SO_DEVMEM_DMABUF	79
#define SO_DEVMEM_DONTNEED	80
#endif
#ifndef SO_RCVPRIORITY
#define SO_RCVPRIORITY		82
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS		83
#endif
#ifndef SO_INQ
#define SO_INQ			84
#endif
#ifndef SO_RIGHTS_NOTRUNC
#define SO_RIGHTS_NOTRUNC	85
#endif
/* Of connection tracking, in headers that do not go with those of libc */
#ifndef SO_ORIGINAL_DST
#define SO_ORIGINAL_DST		80
#endif
#ifndef IP6T_SO_ORIGINAL_DST
#define IP6T_SO_ORIGINAL_DST	80
#endif
#ifndef IP_RECVERR_RFC4884
#define IP_RECVERR_RFC4884	26
#endif
#ifndef IPV6_FLOWINFO
#define IPV6_FLOWINFO		11
#endif
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL	29
#endif
#ifndef IPV6_ROUTER_ALERT_ISOLATE
#define IPV6_ROUTER_ALERT_ISOLATE	30
#endif
#ifndef IPV6_RECVERR_RFC4884
#define IPV6_RECVERR_RFC4884	31
#endif
#ifndef IPV6_FLOWLABEL_MGR
#define IPV6_FLOWLABEL_MGR	32
#define IPV6_FLOWINFO_SEND	33
#endif
#ifndef IPV6_USE_MIN_MTU
#define IPV6_USE_MIN_MTU	63
#endif
#ifndef TCP_AO_ADD_KEY
#define TCP_AO_ADD_KEY		38
#define TCP_AO_DEL_KEY		39
#define TCP_AO_INFO		40
#define TCP_AO_GET_KEYS		41
#define TCP_AO_REPAIR		42
#endif
#ifndef TCP_IS_MPTCP
#define TCP_IS_MPTCP		43
#endif
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS		44
#endif
#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US		45
#endif
#ifndef TCP_DELACK_MAX_US
#define TCP_DELACK_MAX_US	46
#endif

/* Its value has no meaning for the other connection */
#define VOLATILE	1
/* It cannot be asked for without changing the connection's other values */
#define NOT_READ	2
/* A connection that has moved goes back to TCP for it */
#define BACK		4
/* It is lent another ring, and is on TCP for a moment */
#define RENEWED		8
/* BACK only where the hook hears of it: the value is refused, or not looked at */
#define HEARD		16

/**
 * struct option - one to be tried
 * @name: its name
 * @level: SOL_*
 * @number: of the option
 * @flags: VOLATILE, NOT_READ, BACK, RENEWED, HEARD
 * @len: bytes of the values, 0: an int
 * @value: to be set, one after the other, up to the first that is NULL
 */
struct option {
	const char *name;
	int level;
	int number;
	int flags;
	socklen_t len;
	const void *value[TRIES];
};

#define INT(n)		(&(const int){ n })
#define LONG(n)		(&(const long){ n })
#define LINGER(a, b)	(&(const struct linger){ a, b })
#define TIME(a, b)	(&(const struct timeval){ a, b })
#define SWITCH		.value = { INT(1), INT(0), INT(2), INT(-1) }
#define SOCK(name)	#name, SOL_SOCKET, name
#define TCP(name)	#name, IPPROTO_TCP, name
#define IP(name)	#name, IPPROTO_IP, name
#define IPV6(name)	#name, IPPROTO_IPV6, name

/* Means nothing, as whatever it is taken for */
static const char junk[ROOM] = "junk";

/* A filter that lets all packets pass */
static struct sock_filter pass[] = { BPF_STMT(BPF_RET | BPF_K, 0x7fffffff) };
static const struct sock_fprog passing = { 1, pass };

static const struct option options[] = {
	{ SOCK(SO_ACCEPTCONN), SWITCH },
	{ SOCK(SO_ATTACH_BPF), NOT_READ | BACK | HEARD, .value = { INT(-1) } },
	{ SOCK(SO_ATTACH_FILTER), BACK, sizeof(passing), { &passing } },
	{ SOCK(SO_ATTACH_REUSEPORT_CBPF), NOT_READ | BACK | HEARD, 16, { junk } },
	{ SOCK(SO_ATTACH_REUSEPORT_EBPF), NOT_READ, .value = { INT(-1) } },
	{ SOCK(SO_BINDTODEVICE), NOT_READ | BACK | HEARD, 3, { "lo", "no", "" } },
	{ SOCK(SO_BINDTOIFINDEX), BACK | HEARD, .value = { INT(1), INT(0), INT(-1) } },
	{ SOCK(SO_BPF_EXTENSIONS), SWITCH },
	{ SOCK(SO_BROADCAST), SWITCH },
	{ SOCK(SO_BSDCOMPAT), SWITCH },
	{ SOCK(SO_BUF_LOCK), RENEWED, .value = { INT(1), INT(3), INT(0), INT(8) } },
	{ SOCK(SO_BUSY_POLL), .value = { INT(50), INT(0), INT(-1) } },
	{ SOCK(SO_BUSY_POLL_BUDGET), .value = { INT(8), INT(70000) } },
	{ SOCK(SO_CNX_ADVICE), SWITCH },
	{ SOCK(SO_COOKIE), VOLATILE, 8, { NULL } },
	{ SOCK(SO_DEBUG), SWITCH },
	{ SOCK(SO_DETACH_BPF), SWITCH },
	{ SOCK(SO_DETACH_FILTER), SWITCH },
	{ SOCK(SO_DETACH_REUSEPORT_BPF), SWITCH },
	{ SOCK(SO_DEVMEM_DMABUF), SWITCH },
	{ SOCK(SO_DEVMEM_DONTNEED), NOT_READ, 8, { "8 bytes." } },
	{ SOCK(SO_DEVMEM_LINEAR), SWITCH },
	{ SOCK(SO_DOMAIN), SWITCH },
	{ SOCK(SO_DONTROUTE), SWITCH },
	{ SOCK(SO_ERROR), SWITCH },
	{ SOCK(SO_GET_FILTER), BACK, sizeof(passing), { &passing } },
	{ SOCK(SO_INCOMING_CPU), VOLATILE, .value = { INT(0), INT(-1) } },
	{ SOCK(SO_INCOMING_NAPI_ID), SWITCH },
	{ SOCK(SO_INQ), SWITCH },
	{ SOCK(SO_KEEPALIVE), SWITCH },
	{ SOCK(SO_LINGER), 0, sizeof(struct linger),
	  { LINGER(1, 0), LINGER(1, 7), LINGER(0, 9), LINGER(1, -1),
	    LINGER(0, 0) } },
	{ SOCK(SO_LOCK_FILTER), SWITCH },
	{ SOCK(SO_MARK), BACK | HEARD, .value = { INT(17), INT(-1), INT(0) } },
	{ SOCK(SO_MAX_PACING_RATE), BACK, sizeof(long),
	  { LONG(1000000000), LONG(-1) } },
	{ SOCK(SO_MEMINFO), VOLATILE, 36, { NULL } },
	{ SOCK(SO_NETNS_COOKIE), VOLATILE, 8, { NULL } },
	{ SOCK(SO_NO_CHECK), SWITCH },
	{ SOCK(SO_NOFCS), SWITCH },
	{ SOCK(SO_OOBINLINE), SWITCH },
	{ SOCK(SO_PASSCRED), SWITCH },
	{ SOCK(SO_PASSPIDFD), SWITCH },
	{ SOCK(SO_PASSRIGHTS), SWITCH },
	{ SOCK(SO_PASSSEC), SWITCH },
	{ SOCK(SO_PEEK_OFF), BACK | HEARD, .value = { INT(0), INT(-1) } },
	{ SOCK(SO_PEERCRED), 0, 12, { "twelve bytes" } },
	{ SOCK(SO_PEERGROUPS), 0, 64, { NULL } },
	{ SOCK(SO_PEERNAME), VOLATILE, 128, { junk } },
	{ SOCK(SO_PEERPIDFD), SWITCH },
	{ SOCK(SO_PEERSEC), SWITCH },
	{ SOCK(SO_PREFER_BUSY_POLL), SWITCH },
	{ SOCK(SO_PRIORITY), .value = { INT(6), INT(7), INT(-1), INT(0) } },
	{ SOCK(SO_PROTOCOL), SWITCH },
	{ SOCK(SO_RCVBUF), VOLATILE | BACK, .value = { INT(0), INT(65536),
						INT(-1), INT(1 << 30) } },
	{ SOCK(SO_RCVBUFFORCE), VOLATILE | BACK, .value = { INT(100000), INT(-1) } },
	{ SOCK(SO_RCVLOWAT), .value = { INT(0), INT(100), INT(-1), INT(1) } },
	{ SOCK(SO_RCVMARK), SWITCH },
	{ SOCK(SO_RCVPRIORITY), SWITCH },
	/* None that is negative: that is not to wait, and bytes may be underway */
	{ SOCK(SO_RCVTIMEO), 0, sizeof(struct timeval),
	  { TIME(3, 250000), TIME(0, 1000000), TIME(0, 0) } },
	{ SOCK(SO_RCVTIMEO_NEW), 0, sizeof(struct timeval),
	  { TIME(3, 250000), TIME(0, 1000000), TIME(0, 0) } },
	{ SOCK(SO_RESERVE_MEM), .value = { INT(-1), INT(0) } },
	{ SOCK(SO_REUSEADDR), SWITCH },
	{ SOCK(SO_REUSEPORT), SWITCH },
	{ SOCK(SO_RIGHTS_NOTRUNC), SWITCH },
	{ SOCK(SO_RXQ_OVFL), SWITCH },
	{ SOCK(SO_SECURITY_AUTHENTICATION), SWITCH },
	{ SOCK(SO_SECURITY_ENCRYPTION_NETWORK), SWITCH },
	{ SOCK(SO_SECURITY_ENCRYPTION_TRANSPORT), SWITCH },
	{ SOCK(SO_SELECT_ERR_QUEUE), SWITCH },
	{ SOCK(SO_SNDBUF), VOLATILE, .value = { INT(0), INT(65536),
						INT(-1), INT(1 << 30) } },
	{ SOCK(SO_SNDBUFFORCE), VOLATILE, .value = { INT(100000), INT(-1) } },
	{ SOCK(SO_SNDLOWAT), SWITCH },
	{ SOCK(SO_SNDTIMEO), 0, sizeof(struct timeval),
	  { TIME(3, 250000), TIME(-1, 0), TIME(0, 1000000), TIME(0, 0) } },
	{ SOCK(SO_SNDTIMEO_NEW), 0, sizeof(struct timeval),
	  { TIME(3, 250000), TIME(-1, 0), TIME(0, 1000000), TIME(0, 0) } },
	{ SOCK(SO_TIMESTAMP), BACK, SWITCH },
	{ SOCK(SO_TIMESTAMPNS), BACK, SWITCH },
	{ SOCK(SO_TIMESTAMPING), BACK, .value = { INT(0x18), INT(0),
					    INT(1 << 30) } },
	{ SOCK(SO_TIMESTAMPING_NEW), BACK, .value = { INT(0x18), INT(0),
						INT(1 << 30) } },
	{ SOCK(SO_TIMESTAMPNS_NEW), BACK, SWITCH },
	{ SOCK(SO_TIMESTAMP_NEW), BACK, SWITCH },
	{ SOCK(SO_TXREHASH), SWITCH },
	{ SOCK(SO_TXTIME), 0, 8, { "8 bytes.", "\1\0\0\0\0\0\0" } },
	{ SOCK(SO_TYPE), SWITCH },
	{ SOCK(SO_WIFI_STATUS), SWITCH },
	{ SOCK(SO_ZEROCOPY), SWITCH },
	{ "SOL_SOCKET 9999", SOL_SOCKET, 9999, SWITCH },

	{ TCP(TCP_AO_ADD_KEY), NOT_READ, 288, { junk } },
	{ TCP(TCP_AO_DEL_KEY), NOT_READ, 160, { junk } },
	{ TCP(TCP_AO_GET_KEYS), 0, 232, { NULL } },
	{ TCP(TCP_AO_INFO), 0, 56, { junk } },
	{ TCP(TCP_AO_REPAIR), 0, 40, { junk } },
	{ TCP(TCP_CC_INFO), VOLATILE, 40, { "cc info" } },
	{ TCP(TCP_CONGESTION), 0, 5, { "reno", "none", "cubic" } },
	{ TCP(TCP_CORK), SWITCH },
	{ TCP(TCP_DEFER_ACCEPT), .value = { INT(5), INT(0), INT(-1) } },
	{ TCP(TCP_DELACK_MAX_US), .value = { INT(9000), INT(0), INT(-1) } },
	{ TCP(TCP_FASTOPEN), .value = { INT(5), INT(0), INT(-1) } },
	{ TCP(TCP_FASTOPEN_CONNECT), SWITCH },
	{ TCP(TCP_FASTOPEN_KEY), 0, 16, { "sixteen bytes...", } },
	{ TCP(TCP_FASTOPEN_NO_COOKIE), SWITCH },
	{ TCP(TCP_INFO), VOLATILE, 232, { "tcp info" } },
	{ TCP(TCP_INQ), BACK, SWITCH },
	{ TCP(TCP_IS_MPTCP), SWITCH },
	{ TCP(TCP_KEEPCNT), .value = { INT(3), INT(0), INT(128), INT(-1) } },
	{ TCP(TCP_KEEPIDLE), .value = { INT(9), INT(0), INT(40000),
					INT(-1) } },
	{ TCP(TCP_KEEPINTVL), .value = { INT(9), INT(0), INT(40000),
					 INT(-1) } },
	{ TCP(TCP_LINGER2), .value = { INT(9), INT(0), INT(999), INT(-1) } },
	{ TCP(TCP_MAXSEG), VOLATILE, .value = { INT(1000), INT(0), INT(70000) } },
	{ TCP(TCP_MD5SIG), BACK, .value = { INT(1) } },
	{ TCP(TCP_MD5SIG_EXT), BACK, .value = { INT(1) } },
	{ TCP(TCP_NODELAY), SWITCH },
	{ TCP(TCP_NOTSENT_LOWAT), .value = { INT(16384), INT(0), INT(-1) } },
	{ TCP(TCP_QUEUE_SEQ), NOT_READ, .value = { INT(1) } },
	{ TCP(TCP_QUICKACK), VOLATILE, SWITCH },
	{ TCP(TCP_REPAIR_OPTIONS), NOT_READ, .value = { INT(1) } },
	{ TCP(TCP_REPAIR_QUEUE), SWITCH },
	{ TCP(TCP_REPAIR_WINDOW), 0, 20, { junk } },
	{ TCP(TCP_RTO_MAX_MS), .value = { INT(9000), INT(0), INT(200000) } },
	{ TCP(TCP_RTO_MIN_US), .value = { INT(90000), INT(0), INT(-1) } },
	{ TCP(TCP_SAVED_SYN), NOT_READ, 60, { "saved" } },
	{ TCP(TCP_SAVE_SYN), SWITCH },
	{ TCP(TCP_SYNCNT), .value = { INT(3), INT(0), INT(128) } },
	{ TCP(TCP_THIN_DUPACK), SWITCH },
	{ TCP(TCP_THIN_LINEAR_TIMEOUTS), SWITCH },
	{ TCP(TCP_TIMESTAMP), VOLATILE, .value = { INT(1) } },
	{ TCP(TCP_TX_DELAY), BACK, .value = { INT(0), INT(-1) } },
	{ TCP(TCP_ULP), BACK, 4, { "none" } },
	{ TCP(TCP_USER_TIMEOUT), BACK, .value = { INT(30000), INT(-1), INT(0) } },
	{ TCP(TCP_WINDOW_CLAMP), VOLATILE | BACK,
	  .value = { INT(100000), INT(0), INT(1) } },
	{ TCP(TCP_ZEROCOPY_RECEIVE), NOT_READ | BACK, 16, { "zero copy rcv..." } },
	{ "SOL_TCP 9999", IPPROTO_TCP, 9999, SWITCH },

	{ IP(IP_ADD_MEMBERSHIP), 0, 8, { "\340\0\0\5\177\0\0" } },
	{ IP(IP_ADD_SOURCE_MEMBERSHIP), .value = { INT(1) } },
	{ IP(IP_BIND_ADDRESS_NO_PORT), SWITCH },
	{ IP(IP_BLOCK_SOURCE), .value = { INT(1) } },
	{ IP(IP_CHECKSUM), SWITCH },
	{ IP(IP_DROP_MEMBERSHIP), 0, 8, { "\340\0\0\5\177\0\0" } },
	{ IP(IP_DROP_SOURCE_MEMBERSHIP), .value = { INT(1) } },
	{ IP(IP_FREEBIND), SWITCH },
	{ IP(IP_HDRINCL), SWITCH },
	{ IP(IP_IPSEC_POLICY), BACK, .value = { INT(1) } },
	{ IP(IP_LOCAL_PORT_RANGE), .value = { INT(0), INT(-1) } },
	{ IP(IP_MINTTL), .value = { INT(1), INT(256), INT(0) } },
	{ IP(IP_MSFILTER), .value = { INT(1) } },
	{ IP(IP_MTU), SWITCH },
	{ IP(IP_MTU_DISCOVER), .value = { INT(IP_PMTUDISC_DO), INT(-1),
					  INT(IP_PMTUDISC_WANT) } },
	{ IP(IP_MULTICAST_ALL), SWITCH },
	{ IP(IP_MULTICAST_IF), .value = { INT(0), INT(9) } },
	{ IP(IP_MULTICAST_LOOP), SWITCH },
	{ IP(IP_MULTICAST_TTL), .value = { INT(5), INT(-1), INT(300) } },
	{ IP(IP_NODEFRAG), SWITCH },
	{ IP(IP_OPTIONS), 0, 4, { "\1\1\1", "bad" } },
	{ IP(IP_ORIGDSTADDR), SWITCH },
	{ IP(IP_PASSSEC), SWITCH },
	{ IP(IP_PKTINFO), SWITCH },
	{ IP(IP_PKTOPTIONS), VOLATILE, SWITCH },
	{ IP(IP_PROTOCOL), VOLATILE, SWITCH },
	{ IP(IP_RECVERR), SWITCH },
	{ IP(IP_RECVERR_RFC4884), SWITCH },
	{ IP(IP_RECVFRAGSIZE), SWITCH },
	{ IP(IP_RECVOPTS), SWITCH },
	{ IP(IP_RECVTOS), SWITCH },
	{ IP(IP_RECVTTL), SWITCH },
	{ IP(IP_RETOPTS), SWITCH },
	{ IP(IP_ROUTER_ALERT), SWITCH },
	{ IP(IP_TOS), .value = { INT(IPTOS_LOWDELAY), INT(0), INT(256) } },
	{ IP(IP_TRANSPARENT), SWITCH },
	{ IP(IP_TTL), .value = { INT(99), INT(0), INT(256), INT(-1) } },
	{ IP(IP_UNBLOCK_SOURCE), .value = { INT(1) } },
	{ IP(IP_UNICAST_IF), .value = { INT(0), INT(-1) } },
	{ IP(IP_XFRM_POLICY), BACK, .value = { INT(1) } },
	{ IP(MCAST_BLOCK_SOURCE), .value = { INT(1) } },
	{ IP(MCAST_JOIN_GROUP), .value = { INT(1) } },
	{ IP(MCAST_JOIN_SOURCE_GROUP), .value = { INT(1) } },
	{ IP(MCAST_LEAVE_GROUP), .value = { INT(1) } },
	{ IP(MCAST_LEAVE_SOURCE_GROUP), .value = { INT(1) } },
	{ IP(MCAST_MSFILTER), .value = { INT(1) } },
	{ IP(MCAST_UNBLOCK_SOURCE), .value = { INT(1) } },
	{ IP(SO_ORIGINAL_DST), VOLATILE, 16, { NULL } },
	{ "SOL_IP 9999", IPPROTO_IP, 9999, SWITCH },

	{ IPV6(IPV6_2292DSTOPTS), SWITCH },
	{ IPV6(IPV6_2292HOPLIMIT), SWITCH },
	{ IPV6(IPV6_2292HOPOPTS), SWITCH },
	{ IPV6(IPV6_2292PKTINFO), SWITCH },
	{ IPV6(IPV6_2292PKTOPTIONS), VOLATILE, SWITCH },
	{ IPV6(IPV6_2292RTHDR), SWITCH },
	{ IPV6(IPV6_ADDRFORM), NOT_READ | BACK, .value = { INT(AF_INET6),
							   INT(AF_INET) } },
	{ IPV6(IPV6_ADDR_PREFERENCES), .value = { INT(2), INT(-1) } },
	{ IPV6(IPV6_ADD_MEMBERSHIP), 0, 20, { junk } },
	{ IPV6(IPV6_AUTHHDR), SWITCH },
	{ IPV6(IPV6_AUTOFLOWLABEL), SWITCH },
	{ IPV6(IPV6_CHECKSUM), SWITCH },
	{ IPV6(IPV6_DONTFRAG), SWITCH },
	{ IPV6(IPV6_DROP_MEMBERSHIP), 0, 20, { junk } },
	{ IPV6(IPV6_DSTOPTS), .value = { INT(1) } },
	{ IPV6(IPV6_FLOWINFO), SWITCH },
	{ IPV6(IPV6_FLOWINFO_SEND), SWITCH },
	{ IPV6(IPV6_FLOWLABEL_MGR), NOT_READ, 32, { junk } },
	{ IPV6(IPV6_FREEBIND), SWITCH },
	{ IPV6(IPV6_HDRINCL), SWITCH },
	{ IPV6(IPV6_HOPLIMIT), SWITCH },
	{ IPV6(IPV6_HOPOPTS), .value = { INT(1) } },
	{ IPV6(IPV6_IPSEC_POLICY), BACK, .value = { INT(1) } },
	{ IPV6(IPV6_JOIN_ANYCAST), 0, 20, { junk } },
	{ IPV6(IPV6_LEAVE_ANYCAST), 0, 20, { junk } },
	{ IPV6(IPV6_MINHOPCOUNT), .value = { INT(1), INT(256), INT(0) } },
	{ IPV6(IPV6_MTU), .value = { INT(1280), INT(0), INT(100) } },
	{ IPV6(IPV6_MTU_DISCOVER), .value = { INT(IPV6_PMTUDISC_DO), INT(-1),
					      INT(IPV6_PMTUDISC_WANT) } },
	{ IPV6(IPV6_MULTICAST_ALL), SWITCH },
	{ IPV6(IPV6_MULTICAST_HOPS), .value = { INT(5), INT(-1), INT(300) } },
	{ IPV6(IPV6_MULTICAST_IF), .value = { INT(0), INT(999) } },
	{ IPV6(IPV6_MULTICAST_LOOP), SWITCH },
	{ IPV6(IPV6_NEXTHOP), 0, 28, { junk } },
	{ IPV6(IPV6_ORIGDSTADDR), SWITCH },
	{ IPV6(IPV6_PATHMTU), VOLATILE, 32, { NULL } },
	{ IPV6(IPV6_PKTINFO), 0, 20, { junk } },
	{ IPV6(IPV6_RECVDSTOPTS), SWITCH },
	{ IPV6(IPV6_RECVERR), SWITCH },
	{ IPV6(IPV6_RECVERR_RFC4884), SWITCH },
	{ IPV6(IPV6_RECVFRAGSIZE), SWITCH },
	{ IPV6(IPV6_RECVHOPLIMIT), SWITCH },
	{ IPV6(IPV6_RECVHOPOPTS), SWITCH },
	{ IPV6(IPV6_RECVPATHMTU), SWITCH },
	{ IPV6(IPV6_RECVPKTINFO), SWITCH },
	{ IPV6(IPV6_RECVRTHDR), SWITCH },
	{ IPV6(IPV6_RECVTCLASS), SWITCH },
	{ IPV6(IPV6_ROUTER_ALERT), SWITCH },
	{ IPV6(IPV6_ROUTER_ALERT_ISOLATE), SWITCH },
	{ IPV6(IPV6_RTHDR), .value = { INT(1) } },
	{ IPV6(IPV6_RTHDRDSTOPTS), .value = { INT(1) } },
	{ IPV6(IPV6_TCLASS), .value = { INT(16), INT(256), INT(-1), INT(0) } },
	{ IPV6(IPV6_TRANSPARENT), SWITCH },
	{ IPV6(IPV6_UNICAST_HOPS), .value = { INT(99), INT(256), INT(-1) } },
	{ IPV6(IPV6_UNICAST_IF), .value = { INT(0), INT(-1) } },
	{ IPV6(IPV6_USE_MIN_MTU), SWITCH },
	{ IPV6(IPV6_V6ONLY), SWITCH },
	{ IPV6(IPV6_XFRM_POLICY), BACK, .value = { INT(1) } },
	{ IPV6(MCAST_BLOCK_SOURCE), .value = { INT(1) } },
	{ IPV6(MCAST_JOIN_GROUP), .value = { INT(1) } },
	{ IPV6(MCAST_JOIN_SOURCE_GROUP), .value = { INT(1) } },
	{ IPV6(MCAST_LEAVE_GROUP), .value = { INT(1) } },
	{ IPV6(MCAST_LEAVE_SOURCE_GROUP), .value = { INT(1) } },
	{ IPV6(MCAST_MSFILTER), .value = { INT(1) } },
	{ IPV6(MCAST_UNBLOCK_SOURCE), .value = { INT(1) } },
	{ IPV6(IP6T_SO_ORIGINAL_DST), VOLATILE, 28, { NULL } },
	{ "SOL_IPV6 9999", IPPROTO_IPV6, 9999, SWITCH },
	{ "level 9999", 9999, 1, SWITCH },
};

/**
 * struct answer - what the kernel said
 * @ret: return value
 * @error: errno, if that is -1
 * @len: of the value
 * @value: the value
 */
struct answer {
	int ret;
	int error;
	socklen_t len;
	unsigned char value[ROOM];
};

static struct answer option_get(int fd, const struct option *o, socklen_t len)
{
	struct answer a = { .len = len };

	errno = 0;
	a.ret = getsockopt(fd, o->level, o->number, a.value, &a.len);
	a.error = a.ret ? errno : 0;
	return a;
}

static void get_same(const int fd[2], const struct option *o, socklen_t len,
		     const char *when)
{
	struct answer a = option_get(fd[0], o, len);
	struct answer b = option_get(fd[1], o, len);

	ck_assert_msg(a.ret == b.ret && a.error == b.error,
		      "%s, %u bytes, %s: %s, and TCP: %s", o->name, len, when,
		      strerror(a.error), strerror(b.error));
	ck_assert_msg(a.len == b.len, "%s, %u bytes, %s: %u, and TCP: %u",
		      o->name, len, when, a.len, b.len);
	if (!(o->flags & VOLATILE))
		ck_assert_msg(!memcmp(a.value, b.value, sizeof(a.value)),
			      "%s, %u bytes, %s: not TCP's value", o->name,
			      len, when);
}

static void set_same(const int fd[2], const struct option *o,
		     const void *value, socklen_t len, const char *when)
{
	int a, b, error;

	errno = 0;
	a = setsockopt(fd[0], o->level, o->number, value, len);
	error = errno;
	errno = 0;
	b = setsockopt(fd[1], o->level, o->number, value, len);
	ck_assert_msg(a == b && error == errno, "set %s %s: %s, and TCP: %s",
		      o->name, when, strerror(error), strerror(errno));
}

/* Both ways, and more than fits into what is under way of a small window */
static void flows(const int fd[2])
{
	static char out[20000], in[20000];
	size_t i;
	int end;

	for (end = 0; end < 2; end++) {
		for (i = 0; i < sizeof(out); i++)
			out[i] = (char)(i * 7 + (size_t)end);
		write_all(fd[end], out, sizeof(out));
		read_all(fd[!end], in, sizeof(in));
		ck_assert_mem_eq(in, out, sizeof(in));
	}
}

/*
 * Two connections: the one of pair[0] may move, the one of pair[1] has gone back
 * to TCP for an option of TCP's alone, which is taken back.
 */
static void two_pairs(int pair[2][2])
{
	int end, value;

	for (end = 0; end < 2; end++)
		sock_pair(pair[end]);
	for (end = 0; end < 2; end++)
		for (value = 1; value >= 0; value--)
			OK(setsockopt(pair[1][end], IPPROTO_TCP, TCP_INQ,
				      &value, sizeof(value)));
}

/* A connection that keeps moving may be on either way at any time */
static void way_is_right(const int fd[2], const struct option *o)
{
	bool back = (o->flags & BACK) &&
		    (!(o->flags & HEARD) || options_are_ours());
	const char *moved = getenv("XENVMC_TEST_MOVED");

	if (!moved || !strcmp(moved, "always"))
		return;
	if (o->flags & RENEWED)
		while (!on_rings(fd))
			;
	else
		/* Once more: TCP may have sent again what went before */
		ck_assert_msg((on_rings(fd) || on_rings(fd)) == !back,
			      "%s: %s", o->name,
			      back ? "still on rings" : "back on TCP");
}

START_TEST(option_answers_as_tcp_does)
{
	const struct option *o = &options[_i];
	socklen_t len = o->len ? o->len : sizeof(int);
	int pair[2][2], end, try;

	two_pairs(pair);
	for (end = 0; end < 2; end++) {
		const int fd[2] = { pair[0][end], pair[1][end] };

		if (!(o->flags & NOT_READ)) {
			get_same(fd, o, len, "first");
			get_same(fd, o, 0, "first");
			get_same(fd, o, 1, "first");
			get_same(fd, o, ROOM, "first");
		}
		for (try = 0; try < TRIES && o->value[try]; try++) {
			set_same(fd, o, o->value[try], len, "as it should be");
			if (!(o->flags & NOT_READ))
				get_same(fd, o, len, "set");
			flows(pair[0]);
			flows(pair[1]);
		}
		if (!try)
			continue;
		way_is_right(pair[0], o);
		set_same(fd, o, o->value[0], 0, "of no bytes");
		set_same(fd, o, o->value[0], 1, "of one byte");
		set_same(fd, o, NULL, len, "of nowhere");
	}
	flows(pair[0]);
	flows(pair[1]);
}
END_TEST

/* ---- requests of ioctl --------------------------------------------------- */

/* Of no interface, address or route, and with nothing in it */
static int asked(int fd, unsigned int request)
{
	char room[512] = "";
	int ret = ioctl(fd, request, room);

	if (ret > 0)
		close(ret);	/* the one that gives a namespace */
	return ret < 0 ? errno : 0;
}

static void ask_same(const int fd[2], unsigned int first, unsigned int last)
{
	unsigned int request;
	int a, b;

	for (request = first; request <= last; request++) {
		a = asked(fd[0], request);
		b = asked(fd[1], request);
		ck_assert_msg(a == b, "%#x: %s, and TCP: %s", request,
			      strerror(a), strerror(b));
	}
}

/*
 * Those of files and terminals, and all numbers that sockets have. Who may not
 * change the machine neither has the kernel look for a module for each
 */
START_TEST(ioctl_answers_as_tcp_does)
{
	const struct option none = { .name = "ioctl" };
	int pair[2][2], end;

	two_pairs(pair);
	if (!geteuid())
		OK(setresuid(65534, 65534, 65534));
	for (end = 0; end < 2; end++) {
		const int fd[2] = { pair[0][end], pair[1][end] };

		ask_same(fd, 0x5400, 0x54ff);
		ask_same(fd, 0x8900, 0x89ff);
		ask_same(fd, SIOCGSTAMP_NEW, SIOCGSTAMP_NEW);
		ask_same(fd, SIOCGSTAMPNS_NEW, SIOCGSTAMPNS_NEW);
	}
	flows(pair[0]);
	flows(pair[1]);
	way_is_right(pair[0], &none);
}
END_TEST

/* ---- an option beside a call --------------------------------------------- */

struct peeker {
	int fd;
	pid_t tid;	/* once it is about to peek */
	ssize_t got;
};

static void *peek_at_ten(void *arg)
{
	struct peeker *p = arg;
	char buf[10];

	__atomic_store_n(&p->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	p->got = recv(p->fd, buf, sizeof(buf), MSG_PEEK | MSG_WAITALL);
	return NULL;
}

START_TEST(peek_for_all_goes_on_beside_an_option)
{
	struct peeker p = { .got = -1 };
	pthread_t thread;
	int fd[2], ms = 60000;

	sock_pair(fd);
	write_all(fd[0], "12345", 5);
	wait_for(fd[1], POLLIN);
	p.fd = fd[1];
	ck_assert_int_eq(pthread_create(&thread, NULL, peek_at_ten, &p), 0);
	until_asleep(&p.tid);
	OK(setsockopt(fd[1], IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms)));
	/* What was woken by that has had its time */
	ck_assert_int_eq(poll_for(fd[0], POLLIN, QUIET), 0);
	write_all(fd[0], "67890", 5);
	pthread_join(thread, NULL);
	ck_assert_int_eq(p.got, 10);
	reads(fd[1], "1234567890");
}
END_TEST

struct counter {
	int fd;
	bool over;
	int fewer;
};

static void *count_unread(void *arg)
{
	struct counter *c = arg;
	int n = 0;

	do {
		if (ioctl(c->fd, SIOCINQ, &n) || n != 100)
			c->fewer++;
	} while (!__atomic_load_n(&c->over, __ATOMIC_ACQUIRE));
	return NULL;
}

/* An option that needs plain TCP has the bytes of rings become TCP's */
START_TEST(unread_bytes_are_counted_beside_an_option)
{
	struct counter c = {};
	char buf[100] = "";
	pthread_t thread;
	int fd[2], one = 1;

	for (int i = 0; i < 20; i++) {
		sock_pair(fd);
		write_all(fd[0], buf, sizeof(buf));
		wait_for(fd[1], POLLIN);
		c = (struct counter){ .fd = fd[1] };
		ck_assert_int_eq(pthread_create(&thread, NULL, count_unread,
						&c), 0);
		if (is_tcp())
			OK(setsockopt(fd[1], IPPROTO_TCP, TCP_INQ, &one,
				      sizeof(one)));
		__atomic_store_n(&c.over, true, __ATOMIC_RELEASE);
		pthread_join(thread, NULL);
		ck_assert_int_eq(c.fewer, 0);
		read_all(fd[1], buf, sizeof(buf));
		close(fd[0]);
		close(fd[1]);
	}
}
END_TEST

TCase *options_case(void)
{
	TCase *tc = tcase_create("options");

	/* With a small buffer TCP asks for a window many times */
	tcase_set_timeout(tc, 4 * DEADLINE);
	tcase_add_loop_test(tc, option_answers_as_tcp_does, 0,
			    sizeof(options) / sizeof(options[0]));
	tcase_add_test(tc, ioctl_answers_as_tcp_does);
	tcase_add_test(tc, peek_for_all_goes_on_beside_an_option);
	tcase_add_test(tc, unread_bytes_are_counted_beside_an_option);
	return tc;
}
