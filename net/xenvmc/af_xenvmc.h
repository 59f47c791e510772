/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the address family share. af_xenvmc.c has the notes. */
#ifndef _XVMC_AF_XENVMC_H
#define _XVMC_AF_XENVMC_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <net/sock.h>
#include <uapi/linux/xenvmc.h>
#include "compat/compat.h"
#include "transport.h"

struct xvmc_conn;

/**
 * struct xvmc_sock - a socket of AF_XENVMC
 * @sk: must be first
 * @bind_node: in the table of bound sockets; the bucket's lock
 * @local_domid: own domain id, or XENVMC_DOMID_ANY; socket lock
 * @local_port: own port, 0 if not bound; changed under the socket lock while
 *	the socket is not in the table
 * @remote_domid: the other end's; socket lock
 * @remote_uuid: the guest that connect() means, or ""; socket lock
 * @remote_is_local: connect() means this one; socket lock
 * @remote_port: the other end's, 0 if there is none; socket lock
 * @conn: connection of the engine, or NULL; a reference is held. RCU, changed
 *	under the socket lock
 * @accept_lock: protects @accept_queue and sk_ack_backlog
 * @accept_queue: of a listener: children that were not accepted yet
 * @accept_node: in the listener's queue, whose entry holds a reference
 * @listener: of such a child; a reference is held. Socket lock
 * @deadline: when connect() gives up, in jiffies; socket lock
 * @backoff: jiffies until it is tried again; socket lock
 * @fin_sent: the end of the own stream was, or will be, marked; socket lock
 * @fin_rcvd: after what is in the ring no byte will come
 * @peer_left: the other end has closed: it takes no byte any more
 * @nospace: a writer or poller found no room and is to be woken
 * @rx_over: a reset was reported: what is still in the ring is not read
 */
struct xvmc_sock {
	struct sock sk;
	struct hlist_node bind_node;
	u16 local_domid;
	u16 remote_domid;
	u32 local_port;
	u32 remote_port;
	char remote_uuid[XVMC_UUID_SIZE];
	struct xvmc_conn __rcu *conn;

	spinlock_t accept_lock;
	struct list_head accept_queue;
	struct list_head accept_node;
	struct sock *listener;

	unsigned long deadline;
	unsigned long backoff;
	bool remote_is_local;
	bool fin_sent;
	bool fin_rcvd;
	bool peer_left;
	bool nospace;
	bool rx_over;
};

static inline struct xvmc_sock *xvmc_sk(const struct sock *sk)
{
	return (struct xvmc_sock *)sk;
}

/* af_xenvmc.c */
/* A socket with one reference. @parent: listener whose options it inherits */
struct sock *xvmc_sock_new(struct net *net, struct socket *sock,
			   struct sock *parent, int kern);

/* addr.c */
int xvmc_addr_check(struct sockaddr_unsized *uaddr, int len,
		    struct sockaddr_xenvmc **addr);
int xvmc_addr_uuid(const struct sockaddr_xenvmc *svm, int len, char *uuid);
int xvmc_addr_fill(struct sockaddr *uaddr, u16 domid, u32 port);
u16 xvmc_addr_own_domid(void);
bool xvmc_addr_is_local(u16 domid);
bool xvmc_addr_overlap(u16 a, u16 b);

/* table.c */
void xvmc_table_init(void);
/* Binds to @port, or a free one if it is 0. 0 or -EADDRINUSE */
int xvmc_table_bind(struct xvmc_sock *xsk, u16 domid, u32 port);
/* From here on it can be found as a listener. 0 or -EADDRINUSE */
int xvmc_table_listen(struct xvmc_sock *xsk);
/* A child shares its listener's port */
void xvmc_table_add_child(struct xvmc_sock *child, u16 domid, u32 port);
void xvmc_table_remove(struct xvmc_sock *xsk);
/* Returns a reference or NULL */
struct sock *xvmc_table_find_listener(struct net *net, u16 domid, u32 port);

#endif /* _XVMC_AF_XENVMC_H */
