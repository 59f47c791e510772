// SPDX-License-Identifier: GPL-2.0
/*
 * Orphan: a TCP connection whose door is gone.
 *
 * The hook may be unloaded before the peer has answered the DETACH of the last
 * connection: what is left of it then belongs to this module alone, and nobody
 * wants to be told of anything.
 */
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
