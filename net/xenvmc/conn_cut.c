// SPDX-License-Identifier: GPL-2.0
/*
 * Connection: what goes over to another one when a stream goes on elsewhere.
 *
 * The channel of the old one is closed, or closing: it has written its last
 * byte, and the unread ones lie in private memory. The new one is in state NEW,
 * or DEAD as soon as its own channel closes. Nobody writes there before it is
 * UP, so that its tx.mutex is not needed.
 */
#include "conn.h"
#include "rings.h"

/**
 * xvmc_conn_inherit_tx() - what was sent
 * @conn: new connection
 * @old: connection that is not writing any more
 *
 * Context: process; takes tx.mutex of @old.
 */
void xvmc_conn_inherit_tx(struct xvmc_conn *conn, struct xvmc_conn *old)
{
	mutex_lock(&old->tx.mutex);
	conn->tx.fin = old->tx.fin;
	conn->tx.bytes = old->tx.bytes;
	conn->tx.stalls = old->tx.stalls;
	conn->tx.switches = old->tx.switches;
	mutex_unlock(&old->tx.mutex);
}

/* Bytes that are saved and unread, and the end of the stream behind them */
static void inherit_spill(struct xvmc_conn *conn, struct xvmc_conn *old)
{
	conn->rx.spill_len = old->rx.spill_len;
	conn->rx.spill_room = old->rx.spill_room;
	conn->rx.spill_off = old->rx.spill_off;
	conn->rx.spill_mark = old->rx.spill_mark;
	conn->rx.spill = old->rx.spill;
	WRITE_ONCE(old->rx.spill, NULL);
	xvmc_rx_unkeep(old);
}

/**
 * xvmc_conn_inherit_rx() - what was received, with what is unread
 * @conn: new connection
 * @old: connection without a ring to read from
 *
 * Context: process, rx.mutex of both held.
 */
void xvmc_conn_inherit_rx(struct xvmc_conn *conn, struct xvmc_conn *old)
{
	bool fin = old->rx.fin || (old->rx.spill && old->rx.spill_mark.seq);

	lockdep_assert_held(&old->rx.mutex);
	lockdep_assert_held(&conn->rx.mutex);
	conn->rx.fin = old->rx.fin;
	conn->rx.bytes = old->rx.bytes;
	conn->rx.lost = old->rx.lost;
	conn->rx.switches = old->rx.switches;
	conn->rx.carried = old->rx.carried;
	conn->rx.seq = old->rx.seq;
	/* Nothing comes behind the end of a stream */
	conn->rx.no_lend = fin;
	if (old->rx.spill && (fin || old->rx.spill_off < old->rx.spill_len))
		inherit_spill(conn, old);
}
