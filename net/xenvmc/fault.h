/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Failing on purpose: places that a test build can make fail.
 *
 * In a normal build xvmc_should_fail() is the constant false and nothing is
 * left of it. With XENVMC_FAULTS=y on make's command line, fault.c decides.
 */
#ifndef _XVMC_FAULT_H
#define _XVMC_FAULT_H

#include <linux/types.h>

/*
 * X(enumerator, name shown). RING_PAGE is the first page of a ring, then the
 * one in the middle, then the last; so are GRANT, the page's entry in the grant
 * table, and MAP_OP, its mapping. On the loopback GRANT is a token. OWN and
 * MAP_MEM are each of the arrays that a ring needs. UNMAP is a ring that the
 * hypervisor says it has not unmapped; HELD, a peer that keeps too much.
 * CTL_SEND finds the control ring full, for a moment. STORE is whatever asks
 * XenStore or tells it something, but for what takes an announcement or an
 * offer back, which cannot be undone. POSITION is one byte too many in a
 * RESUME or in a greeting by TCP. CARRIER is what TCP needs to carry a stream,
 * GREET what is asked of TCP for that. TAKEN is what goes back in a task's own
 * time; ULP, what finds out whose tables kTLS has, and whether there is kTLS.
 * REGISTER is whatever makes us known to the kernel when we are loaded,
 * and the device that hears of suspends; TABLES are the hook's.
 */
#define XVMC_FAULTS_ALL(X)			\
	X(STATS,	"stats")		\
	X(WORKQUEUE,	"workqueue")		\
	X(SYSCTL,	"sysctl")		\
	X(REGISTER,	"register")		\
	X(TABLES,	"tables")		\
	X(PEER,		"peer")			\
	X(CHAN,		"chan")			\
	X(RING,		"ring")			\
	X(RING_HDR,	"ring_hdr")		\
	X(RING_PAGE,	"ring_page")		\
	X(GRANT,	"grant")		\
	X(MAP,		"map")			\
	X(RX_RING,	"rx_ring")		\
	X(SPILL,	"spill")		\
	X(TX_RING,	"tx_ring")		\
	X(CONN_ID,	"conn_id")		\
	X(CTL_SEND,	"ctl_send")		\
	X(SOCK,		"sock")			\
	X(STREAM,	"stream")		\
	X(RESUME,	"resume")		\
	X(POSITION,	"position")		\
	X(CARRIER,	"carrier")		\
	X(GREET,	"greet")		\
	X(HOOK_CONN,	"hook_conn")		\
	X(BACK_SKB,	"back_skb")		\
	X(TAKEN,	"taken")		\
	X(ULP,		"ulp")			\
	X(ANSWER,	"answer")		\
	X(EVENT,	"event")		\
	X(TAP_SKB,	"tap_skb")		\
	X(OWN,		"own")			\
	X(MAP_MEM,	"map_mem")		\
	X(MAP_PAGES,	"map_pages")		\
	X(MAP_GREFS,	"map_grefs")		\
	X(MAP_OP,	"map_op")		\
	X(UNMAP,	"unmap")		\
	X(HELD,		"held")			\
	X(PORT,		"port")			\
	X(EVTCHN,	"evtchn")		\
	X(IRQ,		"irq")			\
	X(PAIR,		"pair")			\
	X(STORE,	"store")		\
	X(WATCH,	"watch")		\
	X(LISTED,	"listed")		\
	X(PEER_ADDR,	"peer_addr")

enum xvmc_fault {
#define X(e, n) XVMC_FAULT_##e,
	XVMC_FAULTS_ALL(X)
#undef X
};

/* What knob.c can make less */
enum xvmc_limit {
	XVMC_LIMIT_ANSWER,	/* seconds for RESUME */
	XVMC_LIMIT_UNREAD,	/* bytes of one guest's streams that wait */
	XVMC_LIMITS,
};

/* Where knob.c can have a work wait */
enum xvmc_stall {
	XVMC_STALL_DOOR,	/* a door is there, and has not answered */
	XVMC_STALL_SWAP,	/* a stream is to get its next connection */
	XVMC_STALL_PAIR,	/* a pair is to be closed */
	XVMC_STALL_RECALL,	/* a ring is to be given back */
	XVMC_STALL_CLOSED,	/* so is one of who has closed */
	XVMC_STALLS,
};

struct xvmc_chan;
struct xvmc_conn;
struct xvmc_ring_cons;

#ifdef XVMC_FAULTS
/* stale.c */
void xvmc_stale_keep(struct xvmc_conn *conn, const struct xvmc_ring_cons *cons,
		     u32 to, u32 used);
void xvmc_stale_arrived(void);
void xvmc_stale_maps(const struct xvmc_chan *chan);
/* knob.c */
u32 xvmc_limit(enum xvmc_limit limit, u32 usual);	/* any context */
void xvmc_stall(enum xvmc_stall stall, bool meant);
/* fault.c */
bool xvmc_should_fail(enum xvmc_fault site);	/* any context */
int xvmc_which_fails(enum xvmc_fault site, u32 n);	/* any context */
bool xvmc_should_switch(u64 before, u64 now);
#else
static inline void xvmc_stale_keep(struct xvmc_conn *conn,
				   const struct xvmc_ring_cons *cons, u32 to,
				   u32 used)
{
}

static inline void xvmc_stale_arrived(void)
{
}

static inline void xvmc_stale_maps(const struct xvmc_chan *chan)
{
}

static inline u32 xvmc_limit(enum xvmc_limit limit, u32 usual)
{
	return usual;
}

static inline void xvmc_stall(enum xvmc_stall stall, bool meant)
{
}

static inline bool xvmc_should_fail(enum xvmc_fault site)
{
	return false;
}

static inline int xvmc_which_fails(enum xvmc_fault site, u32 n)
{
	return -1;
}

static inline bool xvmc_should_switch(u64 before, u64 now)
{
	return false;
}
#endif

/* Of xvmc_which_fails(): is it one of the @n from @first on? */
static inline bool xvmc_fails_among(int which, u32 first, u32 n)
{
	return which >= 0 && (u32)which - first < n;
}

#endif /* _XVMC_FAULT_H */
