/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints: the few moments that explain where a connection's bytes go. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM xenvmc

#if !defined(_XVMC_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _XVMC_TRACE_H

#include <linux/in6.h>
#include <linux/tracepoint.h>
#include <net/sock.h>
#include "chan.h"
#include "stats.h"
#include "xenvmc_priv.h"

#undef define_reason
#define define_reason(e, n) TRACE_DEFINE_ENUM(XENVMC_REASON_##e);
XVMC_REASONS(define_reason)
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
		__entry->sport = sk->sk_num;
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
		__entry->sport = sk->sk_num;
		__entry->dport = ntohs(sk->sk_dport);
		__entry->domid = domid;
	),
	TP_printk("src=[%pI6c]:%u dst=[%pI6c]:%u domid=%u",
		  __entry->saddr, __entry->sport, __entry->daddr,
		  __entry->dport, __entry->domid)
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
