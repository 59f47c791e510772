/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints: the few moments that explain where a connection's bytes go. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM xenvmc

#if !defined(_XVMC_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _XVMC_TRACE_H

#include <linux/in6.h>
#include <linux/tracepoint.h>
#include <net/inet_sock.h>
#include "chan.h"
#include "core/fsm.h"
#include "stats.h"
#include "xenvmc_priv.h"

#ifndef _XVMC_TRACE_ENUMS
#define _XVMC_TRACE_ENUMS
enum xvmc_trace_lend {
	XVMC_TRACE_LEND,
	XVMC_TRACE_RECALL,
	XVMC_TRACE_BACK,
	XVMC_TRACE_LENT,
	XVMC_TRACE_RECALLED,
};

enum xvmc_trace_suspend {
	XVMC_TRACE_FREEZE,
	XVMC_TRACE_FROZEN,
	XVMC_TRACE_REFUSED,
	XVMC_TRACE_THAW,
	XVMC_TRACE_RESTORE,
};
#endif

#undef define_reason
#define define_reason(e, n) TRACE_DEFINE_ENUM(XENVMC_REASON_##e);
XVMC_REASONS(define_reason)
TRACE_DEFINE_ENUM(XVMC_PEER_ABSENT);
TRACE_DEFINE_ENUM(XVMC_PEER_OFFERED);
TRACE_DEFINE_ENUM(XVMC_PEER_WAITING);
TRACE_DEFINE_ENUM(XVMC_PEER_HELLO);
TRACE_DEFINE_ENUM(XVMC_PEER_CONNECTED);
TRACE_DEFINE_ENUM(XVMC_PEER_CLOSING);
TRACE_DEFINE_ENUM(XVMC_PEER_BROKEN);
TRACE_DEFINE_ENUM(XVMC_CONN_NEW);
TRACE_DEFINE_ENUM(XVMC_CONN_ASKED);
TRACE_DEFINE_ENUM(XVMC_CONN_AWAIT);
TRACE_DEFINE_ENUM(XVMC_CONN_UP);
TRACE_DEFINE_ENUM(XVMC_CONN_LEFT);
TRACE_DEFINE_ENUM(XVMC_CONN_DEAD);
TRACE_DEFINE_ENUM(XVMC_TRACE_LEND);
TRACE_DEFINE_ENUM(XVMC_TRACE_RECALL);
TRACE_DEFINE_ENUM(XVMC_TRACE_BACK);
TRACE_DEFINE_ENUM(XVMC_TRACE_LENT);
TRACE_DEFINE_ENUM(XVMC_TRACE_RECALLED);
TRACE_DEFINE_ENUM(XVMC_TRACE_FREEZE);
TRACE_DEFINE_ENUM(XVMC_TRACE_FROZEN);
TRACE_DEFINE_ENUM(XVMC_TRACE_REFUSED);
TRACE_DEFINE_ENUM(XVMC_TRACE_THAW);
TRACE_DEFINE_ENUM(XVMC_TRACE_RESTORE);
TRACE_DEFINE_ENUM(XVMC_CHAN_SETUP);
TRACE_DEFINE_ENUM(XVMC_CHAN_UP);
TRACE_DEFINE_ENUM(XVMC_CHAN_CLOSING);
TRACE_DEFINE_ENUM(XVMC_CHAN_CLOSED);

#undef name_reason
#define name_reason(e, n) { XENVMC_REASON_##e, n },
#define show_reason(reason)				\
	__print_symbolic(reason, XVMC_REASONS(name_reason) { -1, "?" })
#define show_chan_state(state)				\
	__print_symbolic(state,				\
			 { XVMC_CHAN_SETUP, "setup" },	\
			 { XVMC_CHAN_UP, "up" },	\
			 { XVMC_CHAN_CLOSING, "closing" }, \
			 { XVMC_CHAN_CLOSED, "closed" })
#define show_peer_state(state)				\
	__print_symbolic(state,				\
			 { XVMC_PEER_ABSENT, "absent" },	\
			 { XVMC_PEER_OFFERED, "offered" },	\
			 { XVMC_PEER_WAITING, "waiting" },	\
			 { XVMC_PEER_HELLO, "hello" },		\
			 { XVMC_PEER_CONNECTED, "connected" },	\
			 { XVMC_PEER_CLOSING, "closing" },	\
			 { XVMC_PEER_BROKEN, "broken" })
#define show_conn_state(state)				\
	__print_symbolic(state,				\
			 { XVMC_CONN_NEW, "new" },	\
			 { XVMC_CONN_ASKED, "asked" },	\
			 { XVMC_CONN_AWAIT, "await" },	\
			 { XVMC_CONN_UP, "up" },	\
			 { XVMC_CONN_LEFT, "left" },	\
			 { XVMC_CONN_DEAD, "dead" })
#define show_lend(what)					\
	__print_symbolic(what,				\
			 { XVMC_TRACE_LEND, "lend" },	\
			 { XVMC_TRACE_RECALL, "recall" },	\
			 { XVMC_TRACE_BACK, "back" },	\
			 { XVMC_TRACE_LENT, "lent" },	\
			 { XVMC_TRACE_RECALLED, "recalled" })

#define show_suspend(what)				\
	__print_symbolic(what,				\
			 { XVMC_TRACE_FREEZE, "freeze" },	\
			 { XVMC_TRACE_FROZEN, "frozen" },	\
			 { XVMC_TRACE_REFUSED, "refused" },	\
			 { XVMC_TRACE_THAW, "thaw" },		\
			 { XVMC_TRACE_RESTORE, "restore" })

/* A connection stays on TCP, or went back to it */
TRACE_EVENT(xenvmc_fallback,
	TP_PROTO(const struct sock *sk, u16 domid, u32 reason),
	TP_ARGS(sk, domid, reason),
	TP_STRUCT__entry(
		__array(u8, saddr, sizeof(struct in6_addr))
		__array(u8, daddr, sizeof(struct in6_addr))
		__field(u16, sport)
		__field(u16, dport)
		__field(u16, domid)
		__field(u32, reason)
	),
	TP_fast_assign(
		xvmc_sk_addrs(sk, (void *)__entry->saddr,
			      (void *)__entry->daddr);
		__entry->sport = ntohs(inet_sk(sk)->inet_sport);
		__entry->dport = ntohs(sk->sk_dport);
		__entry->domid = domid;
		__entry->reason = reason;
	),
	TP_printk("src=[%pI6c]:%u dst=[%pI6c]:%u domid=%u reason=%s",
		  __entry->saddr, __entry->sport, __entry->daddr,
		  __entry->dport, __entry->domid,
		  show_reason(__entry->reason))
);

/* A TCP connection moved onto rings */
TRACE_EVENT(xenvmc_moved,
	TP_PROTO(const struct sock *sk, u16 domid),
	TP_ARGS(sk, domid),
	TP_STRUCT__entry(
		__array(u8, saddr, sizeof(struct in6_addr))
		__array(u8, daddr, sizeof(struct in6_addr))
		__field(u16, sport)
		__field(u16, dport)
		__field(u16, domid)
	),
	TP_fast_assign(
		xvmc_sk_addrs(sk, (void *)__entry->saddr,
			      (void *)__entry->daddr);
		__entry->sport = ntohs(inet_sk(sk)->inet_sport);
		__entry->dport = ntohs(sk->sk_dport);
		__entry->domid = domid;
	),
	TP_printk("src=[%pI6c]:%u dst=[%pI6c]:%u domid=%u",
		  __entry->saddr, __entry->sport, __entry->daddr,
		  __entry->dport, __entry->domid)
);

/* An UPGRADE came from the peer: "none" if it was answered with OK, else NO */
TRACE_EVENT(xenvmc_upgrade,
	TP_PROTO(u16 domid, u32 peer_conn, u32 reason),
	TP_ARGS(domid, peer_conn, reason),
	TP_STRUCT__entry(
		__field(u16, domid)
		__field(u32, peer_conn)
		__field(u32, reason)
	),
	TP_fast_assign(
		__entry->domid = domid;
		__entry->peer_conn = peer_conn;
		__entry->reason = reason;
	),
	TP_printk("domid=%u peer_conn=%u reason=%s", __entry->domid,
		  __entry->peer_conn, show_reason(__entry->reason))
);

/*
 * A connection has a new state: asked, answered, refused, over. @why is a
 * reason of a TCP connection, an errno of a stream, 0 if there is none
 */
TRACE_EVENT(xenvmc_conn_state,
	TP_PROTO(u16 domid, u32 conn, bool tcp, u8 old, u8 state, u32 why),
	TP_ARGS(domid, conn, tcp, old, state, why),
	TP_STRUCT__entry(
		__field(u16, domid)
		__field(u32, conn)
		__field(bool, tcp)
		__field(u8, old)
		__field(u8, state)
		__field(u32, why)
	),
	TP_fast_assign(
		__entry->domid = domid;
		__entry->conn = conn;
		__entry->tcp = tcp;
		__entry->old = old;
		__entry->state = state;
		__entry->why = why;
	),
	TP_printk("domid=%u conn=%u kind=%s old=%s state=%s why=%u",
		  __entry->domid, __entry->conn,
		  __entry->tcp ? "tcp" : "stream",
		  show_conn_state(__entry->old),
		  show_conn_state(__entry->state), __entry->why)
);

/*
 * A direction goes onto a ring (@on) or off it: the sender as it writes the
 * mark, the receiver with the first byte it reads, and behind the last. @seq is
 * S, @bytes what rings have carried in this direction so far
 */
TRACE_EVENT(xenvmc_switch,
	TP_PROTO(u16 domid, u32 conn, bool rx, bool on, u32 epoch, u32 seq,
		 u64 bytes),
	TP_ARGS(domid, conn, rx, on, epoch, seq, bytes),
	TP_STRUCT__entry(
		__field(u16, domid)
		__field(u32, conn)
		__field(bool, rx)
		__field(bool, on)
		__field(u32, epoch)
		__field(u32, seq)
		__field(u64, bytes)
	),
	TP_fast_assign(
		__entry->domid = domid;
		__entry->conn = conn;
		__entry->rx = rx;
		__entry->on = on;
		__entry->epoch = epoch;
		__entry->seq = seq;
		__entry->bytes = bytes;
	),
	TP_printk("domid=%u conn=%u %s %s epoch=%u seq=%u bytes=%llu",
		  __entry->domid, __entry->conn, __entry->rx ? "rx" : "tx",
		  __entry->on ? "start" : "stop", __entry->epoch,
		  __entry->seq, __entry->bytes)
);

/*
 * A ring of ours is lent to the peer, recalled or back; one of the peer's was
 * lent to us or is recalled
 */
TRACE_EVENT(xenvmc_lend,
	TP_PROTO(u16 domid, u32 conn, u8 what, u32 ring, u32 epoch),
	TP_ARGS(domid, conn, what, ring, epoch),
	TP_STRUCT__entry(
		__field(u16, domid)
		__field(u32, conn)
		__field(u8, what)
		__field(u32, ring)
		__field(u32, epoch)
	),
	TP_fast_assign(
		__entry->domid = domid;
		__entry->conn = conn;
		__entry->what = what;
		__entry->ring = ring;
		__entry->epoch = epoch;
	),
	TP_printk("domid=%u conn=%u %s ring=%u epoch=%u", __entry->domid,
		  __entry->conn, show_lend(__entry->what), __entry->ring,
		  __entry->epoch)
);

/*
 * A stream whose channel went for a suspend: "parked", "asks", "resumed",
 * "closed" by the peer, or the counter's name under which it ends. @sent and
 * @received are its positions
 */
TRACE_EVENT(xenvmc_park,
	TP_PROTO(u16 domid, u32 conn, const char *what, u64 sent,
		 u64 received),
	TP_ARGS(domid, conn, what, sent, received),
	TP_STRUCT__entry(
		__field(u16, domid)
		__field(u32, conn)
		__array(char, what, 16)
		__field(u64, sent)
		__field(u64, received)
	),
	TP_fast_assign(
		__entry->domid = domid;
		__entry->conn = conn;
		strscpy(__entry->what, what, sizeof(__entry->what));
		__entry->sent = sent;
		__entry->received = received;
	),
	TP_printk("domid=%u conn=%u %s sent=%llu received=%llu",
		  __entry->domid, __entry->conn, __entry->what,
		  __entry->sent, __entry->received)
);

/*
 * This guest is to be suspended; it has let go of all peers, or cannot; it goes
 * on in its domain, or in another one
 */
TRACE_EVENT(xenvmc_suspend,
	TP_PROTO(u8 what),
	TP_ARGS(what),
	TP_STRUCT__entry(
		__field(u8, what)
	),
	TP_fast_assign(
		__entry->what = what;
	),
	TP_printk("%s", show_suspend(__entry->what))
);

/* A peer has a new state */
TRACE_EVENT(xenvmc_peer_state,
	TP_PROTO(u16 domid, u8 old, u8 state),
	TP_ARGS(domid, old, state),
	TP_STRUCT__entry(
		__field(u16, domid)
		__field(u8, old)
		__field(u8, state)
	),
	TP_fast_assign(
		__entry->domid = domid;
		__entry->old = old;
		__entry->state = state;
	),
	TP_printk("domid=%u old=%s state=%s", __entry->domid,
		  show_peer_state(__entry->old),
		  show_peer_state(__entry->state))
);

/* A channel has a new state; @reason counts when it closes */
TRACE_EVENT(xenvmc_chan_state,
	TP_PROTO(u16 domid, u8 state, u32 reason),
	TP_ARGS(domid, state, reason),
	TP_STRUCT__entry(
		__field(u16, domid)
		__field(u8, state)
		__field(u32, reason)
	),
	TP_fast_assign(
		__entry->domid = domid;
		__entry->state = state;
		__entry->reason = reason;
	),
	TP_printk("domid=%u state=%s reason=%s", __entry->domid,
		  show_chan_state(__entry->state),
		  show_reason(__entry->reason))
);

/* A peer broke the protocol; @what is a constant string */
TRACE_EVENT(xenvmc_violation,
	TP_PROTO(u16 domid, const char *what),
	TP_ARGS(domid, what),
	TP_STRUCT__entry(
		__field(u16, domid)
		__array(char, what, 48)
	),
	TP_fast_assign(
		__entry->domid = domid;
		strscpy(__entry->what, what, sizeof(__entry->what));
	),
	TP_printk("domid=%u what=%s", __entry->domid, __entry->what)
);

#endif /* _XVMC_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
