/* SPDX-License-Identifier: GPL-2.0 */
/* What differs between kernels: Linux 6.1 to 7.3. The rest of us knows one. */
#ifndef _XVMC_COMPAT_H
#define _XVMC_COMPAT_H

#include <linux/net.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/sock.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "XenVMC knows kernels from Linux 6.1 on"
#endif

/* Addresses that are longer than struct sockaddr got a type of their own */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define sockaddr_unsized sockaddr
#endif

/* For MODULE_IMPORT_NS() */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define COMPAT_NS	XENVMC
#else
#define COMPAT_NS	"XENVMC"
#endif

/* Tasks of the kernel that act for a program: io_uring's were the only ones */
#ifndef PF_USER_WORKER
#define PF_USER_WORKER	PF_IO_WORKER
#endif

/* accept() of struct proto_ops had its flags one by one */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
struct proto_accept_arg {
	int flags;
	bool kern;
};

#define COMPAT_ACCEPT(name)						\
static int compat_##name(struct socket *sock, struct socket *newsock,	\
			 int flags, bool kern)				\
{									\
	struct proto_accept_arg arg = { .flags = flags, .kern = kern };	\
									\
	return name(sock, newsock, &arg);				\
}

#define compat_accept(name)	compat_##name

static inline int compat_accept_by(const struct proto_ops *ops,
				   struct socket *sock, struct socket *newsock,
				   struct proto_accept_arg *arg)
{
	return ops->accept(sock, newsock, arg->flags, arg->kern);
}
#else
#define COMPAT_ACCEPT(name)
#define compat_accept(name)	name

static inline int compat_accept_by(const struct proto_ops *ops,
				   struct socket *sock, struct socket *newsock,
				   struct proto_accept_arg *arg)
{
	return ops->accept(sock, newsock, arg);
}
#endif

/*
 * ioctl() of struct proto wrote its number to the program itself.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define compat_ioctl_arg	unsigned long

static inline int compat_ioctl_put(unsigned long arg, int n)
{
	return put_user(n, (int __user *)arg);
}
#else
#define compat_ioctl_arg	int *

static inline int compat_ioctl_put(int *arg, int n)
{
	*arg = n;
	return 0;
}
#endif

/*
 * Do options of SOL_SOCKET come to the socket's proto_ops? Where there is no
 * such flag the socket layer deals with them, and nobody hears of it.
 */
#ifdef XVMC_CUSTOM_SOCKOPT
#define COMPAT_SOL_SOCKET	true

static inline void compat_sol_socket(struct socket *sock, bool on)
{
	if (on)
		set_bit(SOCK_CUSTOM_SOCKOPT, &sock->flags);
	else
		clear_bit(SOCK_CUSTOM_SOCKOPT, &sock->flags);
}
#else
#define COMPAT_SOL_SOCKET	false

static inline void compat_sol_socket(struct socket *sock, bool on)
{
}
#endif

/* What handles a setting could change its table */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define compat_ctl_table	struct ctl_table
#else
#define compat_ctl_table	const struct ctl_table
#endif

/* A table of settings knew no size, and ended with an empty entry */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define register_net_sysctl_sz(net, path, table, size)			\
	register_net_sysctl(net, path, table)
#endif

/* A device without IPv6 addresses of its own making: "addrgenmode none" else */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define IFF_NO_ADDRCONF	0
#endif

/*
 * sendfile() and splice() had a way of their own into TCP, past sendmsg(). A
 * protocol without it is given what is in the page by sendmsg().
 */
static inline void compat_no_sendpage(struct proto *prot)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	prot->sendpage = NULL;
#endif
}

/*
 * recvmsg() of struct proto had a last parameter, where it told the length of
 * an address in msg->msg_name. TCP has one for MSG_ERRQUEUE only. The file
 * flags.mk looks into the kernel's header.
 */
#ifdef XVMC_RECVMSG_TELLS_ADDR_LEN
static inline int compat_recvmsg(const struct proto *base, struct sock *sk,
				 struct msghdr *msg, size_t len, int flags)
{
	int addr_len = 0;
	int ret = base->recvmsg(sk, msg, len, flags, &addr_len);

	if (flags & MSG_ERRQUEUE)
		msg->msg_namelen = addr_len;
	return ret;
}

#define COMPAT_ADDR_LEN	, int *addr_len
#define compat_put_addr_len(msg, flags)					\
do {									\
	if ((flags) & MSG_ERRQUEUE)					\
		*addr_len = (msg)->msg_namelen;				\
} while (0)
#else
static inline int compat_recvmsg(const struct proto *base, struct sock *sk,
				 struct msghdr *msg, size_t len, int flags)
{
	return base->recvmsg(sk, msg, len, flags);
}

#define COMPAT_ADDR_LEN
#define compat_put_addr_len(msg, flags)	do { } while (0)
#endif

/* Stable kernels have got the last parameter as well: flags.mk looks for it */
#ifdef XVMC_SEND_ACK_HAS_FLAGS
#define compat_send_ack(sk, rcv_nxt)	__tcp_send_ack(sk, rcv_nxt, 0)
#else
#define compat_send_ack(sk, rcv_nxt)	__tcp_send_ack(sk, rcv_nxt)
#endif

/* A BPF program wants to hear when bytes leave */
static inline bool compat_bpf_stamps(const struct sock *sk)
{
#ifdef XVMC_BPF_STAMPS
	return READ_ONCE(sk->sk_bpf_cb_flags) & SK_BPF_CB_TX_TIMESTAMPING;
#else
	return false;
#endif
}

/* Are its packets protected by the device? */
static inline bool compat_has_psp(const struct sock *sk)
{
#if IS_ENABLED(CONFIG_INET_PSP)
	return rcu_access_pointer(sk->psp_assoc);
#else
	return false;
#endif
}

/* Bytes that a device has put into its own memory came with Linux 6.12 */
#ifndef MSG_SOCK_DEVMEM
#define MSG_SOCK_DEVMEM	0
#endif

/* The hash of connections was named, although the namespace says it */
static inline struct sock *compat_lookup(struct net *net, __be32 raddr,
					 __be16 rport, __be32 laddr, u16 lport)
{
#ifdef XVMC_LOOKUP_IN_HASHINFO
	return __inet_lookup_established(net, net->ipv4.tcp_death_row.hashinfo,
					 raddr, rport, laddr, lport, 0, 0);
#else
	return __inet_lookup_established(net, raddr, rport, laddr, lport, 0, 0);
#endif
}

#if IS_ENABLED(CONFIG_IPV6)
static inline struct sock *compat_lookup6(struct net *net,
					  const struct in6_addr *raddr,
					  __be16 rport,
					  const struct in6_addr *laddr,
					  u16 lport)
{
#ifdef XVMC_LOOKUP_IN_HASHINFO
	return __inet6_lookup_established(net, net->ipv4.tcp_death_row.hashinfo,
					  raddr, rport, laddr, lport, 0, 0);
#else
	return __inet6_lookup_established(net, raddr, rport, laddr, lport,
					  0, 0);
#endif
}
#endif

/*
 * A socket of the kernel's does not keep its network namespace, and TCP says
 * nothing again for one that is closed. One that does is as a program's.
 */
#ifndef XVMC_SK_NET_REFCNT_UPGRADE
static inline void sk_net_refcnt_upgrade(struct sock *sk)
{
	struct net *net = sock_net(sk);

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	__netns_tracker_free(net, &sk->ns_tracker, false);
#endif
	sk->sk_net_refcnt = 1;
	get_net_track(net, &sk->ns_tracker, GFP_KERNEL);
	sock_inuse_add(net, 1);
}
#endif

#endif /* _XVMC_COMPAT_H */
