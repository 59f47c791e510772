// SPDX-License-Identifier: GPL-2.0
/*
 * Orphan: a TCP connection whose door is gone.
 *
 * The hook may be unloaded before the peer has answered the DETACH of the last
 * connection: what is left of it then belongs to this module alone, and nobody
 * wants to be told of anything.
 */
#include <linux/export.h>
#include <linux/slab.h>
#include "conn.h"

static void orphan_nop(struct xvmc_conn *conn)
{
}

static void orphan_nop_why(struct xvmc_conn *conn, u32 why)
{
}

static void orphan_ask(struct xvmc_conn *conn, struct xvmc_ctlmsg *msg)
{
}

static void orphan_free(struct xvmc_conn *conn)
{
	kfree(conn);
}

/**
 * xvmc_conn_forestall() - no ring will be lent, if the connection is not up yet
 * @conn: connection of a TCP door, which leaves with an orphan then
 *
 * Context: any.
 * Return: false if it is up, or was.
 */
bool xvmc_conn_forestall(struct xvmc_conn *conn)
{
	bool early;

	/* It is up under the lock, and looks for an orphan after that */
	spin_lock_bh(&conn->lock);
	early = conn->state < XVMC_CONN_UP;
	if (early)
		WRITE_ONCE(conn->rx.orphan, true);
	spin_unlock_bh(&conn->lock);
	return early;
}
EXPORT_SYMBOL_GPL(xvmc_conn_forestall);

const struct xvmc_conn_ops xvmc_orphan_ops = {
	.kind		= "tcp",
	.tcp		= true,
	.ask		= orphan_ask,
	.opened		= orphan_nop,
	.refused	= orphan_nop_why,
	.down		= orphan_nop_why,
	.recalled	= orphan_nop_why,
	.tx_lent	= orphan_nop,
	.no_ring	= orphan_nop,
	.data_ready	= orphan_nop,
	.write_space	= orphan_nop,
	.release	= orphan_free,
};
