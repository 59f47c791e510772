/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files of the generic netlink family. */
#ifndef _XVMC_NETLINK_H
#define _XVMC_NETLINK_H

#include <linux/types.h>

struct genl_family;
struct sk_buff;
struct sock;
struct xvmc_conn;

extern struct genl_family xvmc_genl_family;

/*
 * nl_conn.c: a connection as attributes. @why: &enum xenvmc_reason, 0 for that
 * of the last fallback. Any context. 0 or -EMSGSIZE
 */
int xvmc_nl_put_conn(struct sk_buff *skb, struct xvmc_conn *conn, u32 why);
/* The ends of a TCP connection that is none of ours. Any context, as above */
int xvmc_nl_put_sock(struct sk_buff *skb, const struct sock *sk);

#endif /* _XVMC_NETLINK_H */
