/* SPDX-License-Identifier: GPL-2.0 */
/* What differs between kernels: Linux 6.12 to 7.3. The rest of us knows one. */
#ifndef _XVMC_COMPAT_H
#define _XVMC_COMPAT_H

#include <linux/version.h>
#include <net/sock.h>

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

#endif /* _XVMC_COMPAT_H */
