/* SPDX-License-Identifier: GPL-2.0 */
/* Counters: one per decision that a user or a test may ask about. */
#ifndef _XVMC_STATS_H
#define _XVMC_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>
#include <uapi/linux/xenvmc.h>

/* X(enumerator, name shown) */
#define XVMC_STATS(X)						\
	X(CONN_OPENED,		"conn_opened")			\
	X(CONN_REFUSED,		"conn_refused")			\
	X(CONN_CLOSED,		"conn_closed")			\
	X(CONN_PARKED,		"conn_parked")			\
	X(CONN_RESUMED,		"conn_resumed")			\
	X(CONN_CARRIED,		"conn_carried")			\
	X(CARRY_DIALS,		"carry_dials")			\
	X(CARRY_BROKEN,		"carry_broken")			\
	X(CARRY_LOST,		"carry_lost")			\
	X(PARK_FULL,		"park_full")			\
	X(PARK_EXPIRED,		"park_expired")			\
	X(PARK_REFUSED,		"park_refused")			\
	X(PARK_MISMATCH,	"park_mismatch")		\
	X(PARK_TORN,		"park_torn")			\
	X(PARK_NO_MEMORY,	"park_no_memory")		\
	X(CTL_RX,		"ctl_rx")			\
	X(CTL_TX,		"ctl_tx")			\
	X(CTL_UNKNOWN_TYPE,	"ctl_unknown_type")		\
	X(CTL_UNKNOWN_CONN,	"ctl_unknown_conn")		\
	X(CTL_DROPPED,		"ctl_dropped")			\
	X(EVENTS,		"events")			\
	X(EVENTS_SPURIOUS,	"events_spurious")		\
	X(KICKS,		"kicks")			\
	X(SPINS,		"spins")			\
	X(SPIN_HITS,		"spin_hits")			\
	X(LENDS,		"lends")			\
	X(RING_STARTS,		"ring_starts")			\
	X(RING_STOPS,		"ring_stops")			\
	X(RECALLS,		"recalls")			\
	X(RX_BYTES,		"rx_bytes")			\
	X(TX_BYTES,		"tx_bytes")			\
	X(RX_BYTES_DISCARDED,	"rx_bytes_discarded")		\
	X(RX_BYTES_TO_TCP,	"rx_bytes_to_tcp")		\
	X(VIOLATIONS,		"violations")			\
	X(HOOK_LOOKUPS,		"hook_lookups")			\
	X(HOOK_CANDIDATES,	"hook_candidates")		\
	X(HOOK_MOVED,		"hook_moved")			\
	X(HOOK_TORN,		"hook_torn")			\
	X(HOOK_FULL,		"hook_full")			\
	X(MONITOR_TOLD,		"monitor_told")			\
	X(MONITOR_LOST,		"monitor_lost")			\
	X(OFFERS,		"offers")			\
	X(CHANNELS_UP,		"channels_up")			\
	X(CHANNELS_DOWN,	"channels_down")		\
	X(SUSPENDS,		"suspends")			\
	X(SUSPENDS_CANCELLED,	"suspends_cancelled")		\
	X(RESTORES,		"restores")

/* X(reason, name shown): why a connection is on TCP, enum xenvmc_reason */
#define XVMC_REASONS(X)						\
	X(NONE,			"none")				\
	X(HOOK_OFF,		"hook_off")			\
	X(NO_CHANNEL,		"no_channel")			\
	X(NO_RING,		"no_ring")			\
	X(NO_MEMORY,		"no_memory")			\
	X(NO_MATCH,		"no_match")			\
	X(NO_PROOF,		"no_proof")			\
	X(NO_ANSWER,		"no_answer")			\
	X(ULP,			"ulp")				\
	X(SOCKMAP,		"sockmap")			\
	X(FASTOPEN,		"fastopen")			\
	X(REPAIR,		"repair")			\
	X(MD5_AO,		"md5_ao")			\
	X(URGENT,		"urgent")			\
	X(ZEROCOPY,		"zerocopy")			\
	X(KERNEL,		"kernel")			\
	X(MPTCP,		"mptcp")			\
	X(SOCKOPT,		"sockopt")			\
	X(PEER_LEFT,		"peer_left")			\
	X(CHAN_CLOSED,		"chan_closed")			\
	X(CHAN_BROKEN,		"chan_broken")			\
	X(UNLOAD,		"unload")			\
	X(CLOSED,		"closed")			\
	X(VERSION,		"version")			\
	X(LINK_LOCAL,		"link_local")			\
	X(RECLAIM,		"reclaim")			\
	X(TCP_ENDED,		"tcp_ended")			\
	X(PATH_CUT,		"path_cut")			\
	X(SUSPEND,		"suspend")			\
	X(IPSEC,		"ipsec")

enum xvmc_stat {
#define X(e, n) XVMC_STAT_##e,
	XVMC_STATS(X)
#undef X
	XVMC_STAT_FALLBACK,	/* + enum xenvmc_reason */
	XVMC_STAT_COUNT = XVMC_STAT_FALLBACK + XENVMC_REASON_MAX + 1
};

/**
 * struct xvmc_stats - the counters of one CPU
 * @count: by &enum xvmc_stat
 */
struct xvmc_stats {
	u64 count[XVMC_STAT_COUNT];
};

extern struct xvmc_stats __percpu *xvmc_stats;

/**
 * xvmc_stat_add() - adds to a counter
 * @stat: the counter
 * @n: how much
 *
 * Inline, for each write and read counts.
 * Context: Any context.
 */
static inline void xvmc_stat_add(enum xvmc_stat stat, u64 n)
{
	this_cpu_add(xvmc_stats->count[stat], n);
}

#define xvmc_stat_inc(stat) xvmc_stat_add(stat, 1)
void xvmc_stat_fallback(u32 reason);	/* unknown reasons count as NONE */
u64 xvmc_stat_read(enum xvmc_stat stat);
/* Name of a counter, e.g. "kicks" or "fallback_no_ring" */
const char *xvmc_stat_name(enum xvmc_stat stat);
const char *xvmc_reason_name(u32 reason);	/* "?" if unknown */
int xvmc_stats_init(void);
void xvmc_stats_exit(void);

#endif /* _XVMC_STATS_H */
