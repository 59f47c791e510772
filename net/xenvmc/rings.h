/* SPDX-License-Identifier: GPL-2.0 */
/* What conn.c needs of rings.c beyond the door's functions in conn.h. */
#ifndef _XVMC_RINGS_H
#define _XVMC_RINGS_H

#include "conn.h"

/* tx.mutex held: takes the offered ring. False if it was given back unused */
bool xvmc_tx_take(struct xvmc_conn *conn);
/* tx.mutex held: stops if the ring was recalled. False if that is over */
bool xvmc_tx_give_back(struct xvmc_conn *conn);
/* Returns a lent ring that no connection has use for. Process context */
void xvmc_tx_return(struct xvmc_chan *chan, struct xvmc_tx_ring *ring);
/* rx.mutex held: @ring is lent from now on, with a new epoch */
void xvmc_rx_install(struct xvmc_conn *conn, struct xvmc_rx_ring *ring);
/*
 * rx.mutex held: an orphan's bytes are consumed, its ring given back if over
 * and looked at by the peer; one that was taken back from a stream is followed
 * by another
 */
void xvmc_rx_news(struct xvmc_conn *conn);
/* conn->lock held: fills LEND (RING_ADD first) or RECALL; false if no ring */
bool xvmc_rx_fill(struct xvmc_conn *conn, struct xvmc_ctlmsg *msg, u16 type);
/* rx.mutex held: @used bytes of the ring go to private memory; or -ENOMEM */
int xvmc_rx_set_aside(struct xvmc_conn *conn, struct xvmc_rx_ring *ring,
		      const struct xvmc_ring_mark *mark, u32 used);
void xvmc_rx_save(struct xvmc_conn *conn, struct xvmc_rx_ring *ring,
		  const struct xvmc_ring_mark *mark);
void xvmc_rx_free_spill(struct xvmc_conn *conn);
void xvmc_rx_keep(struct xvmc_conn *conn);
void xvmc_rx_unkeep(struct xvmc_conn *conn);
/* peek.c: bytes of the last lend that the peer has not read. tx.mutex held */
u32 xvmc_tx_left(struct xvmc_conn *conn);
/* peek.c: may the peer do that, of what nobody here reads? Any context */
bool xvmc_rx_is_looked_at(const struct xvmc_conn *conn);
/* Breaks the channel if an index of a lent ring is impossible. Takes mutexes */
void xvmc_rings_check(struct xvmc_conn *conn);
/* Saves unread bytes, gives the ring back. Takes rx.mutex */
void xvmc_conn_spill(struct xvmc_conn *conn, bool force);
/* conn.c: an index seemed impossible; looked at again. Under RCU */
void xvmc_conn_suspect(struct xvmc_conn *conn);
/* conn.c: a stream's door hears once more of the end */
void xvmc_conn_torn(struct xvmc_conn *conn);
/* conn.c: queues the message of this type. Any context */
void xvmc_conn_send(struct xvmc_conn *conn, u16 type);
/* conn.c: its work is to call xvmc_conn_yield(). Any context */
void xvmc_conn_ask_to_yield(struct xvmc_conn *conn);
/* So many unread bytes are copied for it: a small ring has no more */
#define XVMC_YIELD_MOST	(XVMC_PAGE_SIZE << XVMC_ORDER_SMALL)
/* reclaim.c: WANT came, takes rx.mutex; and the same without a question */
void xvmc_rx_wanted(struct xvmc_conn *conn);
void xvmc_conn_want(struct xvmc_conn *conn);
/* reclaim.c: its ring is for somebody else. Takes rx.mutex */
void xvmc_conn_yield(struct xvmc_conn *conn);
/* May it have the next free ring? And it has one. Any context */
bool xvmc_conn_has_turn(struct xvmc_conn *conn);
void xvmc_conn_served(struct xvmc_conn *conn);
/* conn.c */
void xvmc_conn_lend_again(struct xvmc_conn *conn);
/* Nobody reads the lent ring any more, and it is not stopped yet */
void xvmc_conn_forsake(struct xvmc_conn *conn);

#endif /* _XVMC_RINGS_H */
