/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Switch-over arithmetic: which source holds the next byte of a direction.
 *
 * A direction of a moved TCP connection is TCP bytes up to sequence number S,
 * then ring bytes up to the index where the sender stopped, then TCP from S on
 * again. Pure functions; Documentation/protocol.rst has the proof.
 */
#ifndef _XVMC_CORE_SWOVER_H
#define _XVMC_CORE_SWOVER_H

#include "ring.h"

enum xvmc_rx_src {
	XVMC_SRC_TCP,		/* read TCP, at most *limit bytes; 0: wait */
	XVMC_SRC_RING,		/* read the ring, *limit bytes are there */
	XVMC_SRC_WAIT_RING,	/* next byte comes by the ring: wait */
	XVMC_SRC_RING_DONE,	/* drained for good: end the lend, ask again */
	XVMC_SRC_VIOLATION,
};

/**
 * struct xvmc_rx_view - what the receiver knows, in private memory
 * @lent: a ring is lent for this direction
 * @mark: its marks, read before @used
 * @used: bytes in the ring
 * @copied_seq: TCP sequence number of the next byte to be read from TCP
 * @rcv_nxt: TCP sequence number of the next byte to arrive
 * @fin: TCP has seen the end of the stream (FIN, RST or error)
 */
struct xvmc_rx_view {
	bool lent;
	struct xvmc_ring_mark mark;
	u32 used;
	u32 copied_seq;
	u32 rcv_nxt;
	bool fin;
};

/*
 * The view is read in this order: @rcv_nxt and @fin, @mark, @used.
 *
 * XVMC_SRC_TCP may be read up to *limit and no further before asking again,
 * for what arrives later may be behind ring bytes. If that is 0, wait for TCP
 * or for the start mark. It is U32_MAX without a lend, and after @fin: then
 * TCP also tells end of stream or error.
 *
 * TCP evidence: a byte or FIN beyond S arrived by TCP, or TCP ended, so the
 * sender has gone back even if its stop mark was lost with it.
 */
enum xvmc_rx_src xvmc_rx_next(const struct xvmc_rx_view *v, u32 *limit);

/* -1, 0, 1: @a before, at, after @b in sequence space */
int xvmc_seq_cmp(u32 a, u32 b);

#endif /* _XVMC_CORE_SWOVER_H */
