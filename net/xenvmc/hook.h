/* SPDX-License-Identifier: GPL-2.0 */
/* The TCP hook: what its files share. Documentation/hook.rst is the design. */
#ifndef _XVMC_HOOK_H
#define _XVMC_HOOK_H

#include <linux/tcp.h>
#include <net/tcp.h>
#include "compat/compat.h"
#include "conn.h"

/**
 * struct hook_tuple - one end of a TCP connection
 * @laddr: local address, v4-mapped
 * @raddr: remote address, v4-mapped
 * @lport: local port, network byte order
 * @rport: remote port, network byte order
 */
struct hook_tuple {
	struct in6_addr laddr;
	struct in6_addr raddr;
	__be16 lport;
	__be16 rport;
};

/**
 * struct hook_rest - the TCP connection of a hooked socket, at rest
 * @look: when to look again, jiffies; a hint that needs no lock
 * @sent: when the last ACK of ours went, jiffies
 * @bytes: how many had gone by ring by then, both ways
 * @segs_in: how many packets had come by then
 * @data_segs: how many with bytes had come and gone
 * @heard_at: when one came last, jiffies, as far as that was looked at
 * @gap: jiffies between the last two; 0: not known
 * @heard: @heard_at is set
 * @behind: the last one was a byte behind
 * @sent_bytes: bytes sent by ring that TCP's counters have
 * @received_bytes: bytes received by ring that TCP's counter has
 *
 * All but @look under the socket lock.
 */
struct hook_rest {
	unsigned long look;
	unsigned long sent;
	u64 bytes;
	u32 segs_in;
	u32 data_segs;
	unsigned long heard_at;
	unsigned long gap;
	bool heard;
	bool behind;
	u64 sent_bytes;
	u64 received_bytes;
};

/**
 * struct hook_conn - a hooked TCP socket
 * @conn: its end of the engine
 * @base: the socket's own struct proto
 * @base_ops: the socket's own struct proto_ops; NULL until it was seen
 * @by_sk: in the table of hooked sockets; RCU
 * @by_tuple: in the table of those that await an UPGRADE; RCU
 * @tuple: key of that table
 * @iss: initial sequence number sent: half of the proof
 * @irs: initial sequence number received: the other half
 * @hashed: in the table of hooked sockets; table lock
 * @awaiting: in the table of tuples; table lock
 * @tx_more: the last bytes that went to TCP may be held back; tx.mutex
 * @back: going back to TCP for good; no blocking in our functions any more
 * @fell: a fallback was counted: at most once for a connection
 * @late: to give the socket its proto_ops back
 * @rest: what keeps the TCP connection known on its path
 */
struct hook_conn {
	struct xvmc_conn conn;
	const struct proto *base;
	const struct proto_ops *base_ops;
	struct hlist_node by_sk;
	struct hlist_node by_tuple;
	struct hook_tuple tuple;
	u32 iss;
	u32 irs;
	bool hashed;
	bool awaiting;
	bool tx_more;
	bool back;
	unsigned long fell;
	struct rcu_head late;
	struct hook_rest rest;
};

static inline struct hook_conn *to_hook(struct xvmc_conn *conn)
{
	return container_of(conn, struct hook_conn, conn);
}

/* hook.c: tables, fallback */
struct hook_conn *hook_get(const struct sock *sk);	/* reference or NULL */

static inline void hook_put(struct hook_conn *hc)
{
	xvmc_conn_put(&hc->conn);
}

/* Counted, traced: the one way by which a connection is on TCP */
void hook_fallback(struct hook_conn *hc, u32 reason);
/* Takes the socket out of the tables and gives it its own functions back */
void hook_unhook(struct hook_conn *hc);		/* takes the socket lock */
void hook_unhook_locked(struct hook_conn *hc);		/* socket lock held */
bool hook_is_unloading(void);

/* In and out of every function that the socket layer may call in our text */
void hook_enter(void);
void hook_leave(void);

/* hook_tcp.c: prepared tables, everything but receiving */
int hook_tcp_init(void);
bool hook_tcp_fits(const struct sock *sk);	/* we have a copy of its base */
void hook_tcp_install(struct sock *sk, struct hook_conn *hc);
void hook_tcp_restore(struct sock *sk, struct hook_conn *hc);
bool hook_tcp_restoring(void);
const struct proto *hook_base_of(const struct sock *sk);
int hook_restart(void);
void hook_tx_back(struct hook_conn *hc, u32 reason);

/* hook_opt.c: options and ioctl, as struct proto and proto_ops have them */
int hook_setsockopt(struct sock *sk, int level, int optname, sockptr_t optval,
		    unsigned int optlen);
int hook_getsockopt(struct sock *sk, int level, int optname,
		    char __user *optval, int __user *optlen);
bool hook_opt_small(const struct sock *sk);	/* SO_RCVBUF */
int hook_set_peek_off(struct sock *sk, int val);
int hook_ioctl(struct sock *sk, int cmd, compat_ioctl_arg arg);

/* hook_rx.c: receiving */
int hook_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
		 int flags COMPAT_ADDR_LEN);
bool hook_is_readable(struct sock *sk);
void hook_async(struct sock *sk);
__poll_t hook_poll(struct file *file, struct socket *sock,
		   struct poll_table_struct *wait);
/* Fills what TCP knows; to be followed by xvmc_rx_view() */
void hook_tcp_view(const struct sock *sk, struct xvmc_rx_view *view);

/* hook_rest.c: the TCP connection while bytes go by ring */
void hook_rest_init(struct hook_conn *hc);
void hook_rest(struct sock *sk, struct hook_conn *hc);
void hook_count(struct sock *sk, struct hook_conn *hc);	/* socket lock held */

/* hook_show.c: what TCP has carried, to be shown */
void hook_describe(struct xvmc_conn *conn, struct xvmc_conn_info *info);

/* hook_back.c: back to TCP for good, with what is unread */
/*
 * Process context, no locks. 0, or -EBUSY if the peer did not stop in time
 * (@abort: the connection is then reset instead, and 0 returned).
 */
int hook_go_back(struct hook_conn *hc, u32 reason, bool abort);
/* Begins it and does not wait */
void hook_begin_back(struct hook_conn *hc, u32 reason);

#endif /* _XVMC_HOOK_H */
