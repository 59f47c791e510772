// SPDX-License-Identifier: GPL-2.0
/*
 * Switch-over: which source holds the next byte of a direction.
 *
 * Pure functions of what the caller has read before. The order in which it
 * reads matters and is the caller's duty: TCP first (rcv_nxt, end of stream),
 * then the marks, then the ring's index. Documentation/protocol.rst has the
 * reasons, and what each case rests on is said beside it.
 */
#include "swover.h"

/**
 * xvmc_seq_cmp() - compare two TCP sequence numbers
 * @a: sequence number
 * @b: sequence number, less than 2 GiB from @a
 *
 * Return: -1, 0, 1 if @a is before, at, after @b.
 */
int xvmc_seq_cmp(u32 a, u32 b)
{
	s32 diff = (s32)(a - b);

	return (diff > 0) - (diff < 0);
}

/*
 * No start mark when it was looked for: what TCP had by then is before S. What
 * arrives from now on may be behind S, and behind ring bytes, so it is read
 * only after another look. After the end of TCP nothing is started any more.
 */
static enum xvmc_rx_src rx_before_start(const struct xvmc_rx_view *v,
					u32 *limit)
{
	/* An honest sender starts before it stops, see xvmc_ring_mark() */
	if (v->mark.stopped)
		return XVMC_SRC_VIOLATION;
	*limit = v->fin ? U32_MAX : (u32)(v->rcv_nxt - v->copied_seq);
	return XVMC_SRC_TCP;
}

/* At S: the ring's bytes come first, whatever TCP may show already */
static enum xvmc_rx_src rx_at_start(const struct xvmc_rx_view *v, u32 *limit)
{
	if (v->used) {
		*limit = v->used;
		return XVMC_SRC_RING;
	}
	/*
	 * TCP was looked at before the ring. What stands there behind S was
	 * sent after the sender had done with the ring, mark or no mark, so
	 * the ring was complete when it was found empty.
	 */
	if (v->mark.stopped || v->fin ||
	    xvmc_seq_cmp(v->rcv_nxt, v->mark.seq) > 0)
		return XVMC_SRC_RING_DONE;
	return XVMC_SRC_WAIT_RING;
}

/**
 * xvmc_rx_next() - where the next byte of a direction is to be read
 * @v: what the receiver knows, read in the order of &struct xvmc_rx_view
 * @limit: set to the bytes that may be read from there before asking again
 *
 * Context: the caller holds what serialises readers of the direction.
 * Return: the source. %XVMC_SRC_TCP with a @limit of 0 means that TCP has
 * nothing yet: wait for TCP or for the start mark.
 */
enum xvmc_rx_src xvmc_rx_next(const struct xvmc_rx_view *v, u32 *limit)
{
	int pos;

	*limit = 0;
	if (!v->lent) {
		*limit = U32_MAX;
		return XVMC_SRC_TCP;
	}
	if (!v->mark.started)
		return rx_before_start(v, limit);

	/*
	 * A drained and stopped ring is over wherever TCP stands. A sender
	 * that has no connection for a lend any more returns it so, and its
	 * S means nothing.
	 */
	if (v->mark.stopped && !v->used)
		return XVMC_SRC_RING_DONE;

	/*
	 * Nor does its S before the stop mark follows it, a moment later. As
	 * long as the ring is empty that one cannot be told from a wrong S.
	 */
	pos = xvmc_seq_cmp(v->copied_seq, v->mark.seq);
	if (pos > 0 && !v->used)
		return rx_before_start(v, limit);
	if (pos > 0)
		return XVMC_SRC_VIOLATION;
	if (pos == 0)
		return rx_at_start(v, limit);
	*limit = (u32)(v->mark.seq - v->copied_seq);
	return XVMC_SRC_TCP;
}
