// SPDX-License-Identifier: GPL-2.0
/*
 * Where a tap is known to the data path, and what it is shown.
 *
 * Called by rings.c only while a tap is up, under the mutex of the direction.
 * The tap's module is kept from going by RCU.
 */
#include <linux/export.h>
#include "tap.h"

DEFINE_STATIC_KEY_FALSE(xvmc_tap_key);

static const struct xvmc_tap_ops __rcu *tap_ops;

/**
 * xvmc_set_tap() - who is shown the bytes of moved TCP connections
 * @ops: the tap, or NULL for nobody; there is one at most
 *
 * Context: process; the caller serialises.
 */
void xvmc_set_tap(const struct xvmc_tap_ops *ops)
{
	bool had = rcu_access_pointer(tap_ops);

	rcu_assign_pointer(tap_ops, ops);
	if (ops && !had)
		static_branch_enable(&xvmc_tap_key);
	if (!ops && had)
		static_branch_disable(&xvmc_tap_key);
	synchronize_rcu();
}
EXPORT_SYMBOL_GPL(xvmc_set_tap);

static void tap_show(const struct xvmc_conn *conn,
		     const struct xvmc_tap_piece *piece)
{
	const struct xvmc_tap_ops *ops;

	rcu_read_lock();
	ops = rcu_dereference(tap_ops);
	if (ops)
		ops->show(conn, piece);
	rcu_read_unlock();
}

/* No TCP: no addresses, and no numbers. Nor are there of one that is gone */
static bool tap_fits(const struct xvmc_conn *conn)
{
	return conn->ops->tcp && !READ_ONCE(conn->rx.orphan);
}

void xvmc_tap_tx(struct xvmc_conn *conn, struct xvmc_tx_ring *ring, u32 len)
{
	struct xvmc_tap_piece piece = {
		.seq = conn->tx.seq + (u32)conn->tx.bytes,
	};
	u32 done = 0;

	lockdep_assert_held(&conn->tx.mutex);
	if (!tap_fits(conn))
		return;
	while (done < len) {
		piece.len = len - done;
		piece.data = xvmc_ring_put_at(&ring->prod, done, &piece.len);
		tap_show(conn, &piece);
		piece.seq += piece.len;
		done += piece.len;
	}
}

void xvmc_tap_rx(struct xvmc_conn *conn, struct xvmc_rx_ring *ring, u32 len)
{
	struct xvmc_tap_piece piece = {
		.rx = true,
		.seq = conn->rx.seq + (u32)conn->rx.bytes,
	};
	u32 done = 0;

	lockdep_assert_held(&conn->rx.mutex);
	if (!tap_fits(conn))
		return;
	while (done < len) {
		piece.len = len - done;
		piece.data = xvmc_ring_get_at(&ring->cons, done, &piece.len);
		tap_show(conn, &piece);
		piece.seq += piece.len;
		done += piece.len;
	}
}

void xvmc_tap_spill(struct xvmc_conn *conn, const void *data, u32 len)
{
	struct xvmc_tap_piece piece = {
		.rx = true,
		.seq = conn->rx.seq + (u32)conn->rx.bytes,
		.data = data,
		.len = len,
	};

	lockdep_assert_held(&conn->rx.mutex);
	if (tap_fits(conn))
		tap_show(conn, &piece);
}
