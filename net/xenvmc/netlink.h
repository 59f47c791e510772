/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files of the generic netlink family. */
#ifndef _XVMC_NETLINK_H
#define _XVMC_NETLINK_H

struct genl_family;
struct sk_buff;
struct xvmc_conn;

extern struct genl_family xvmc_genl_family;

/* nl_conn.c: a connection as attributes. Any context. 0 or -EMSGSIZE */
int xvmc_nl_put_conn(struct sk_buff *skb, struct xvmc_conn *conn);

#endif /* _XVMC_NETLINK_H */
