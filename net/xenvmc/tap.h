/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The place where xenvmc_tap.ko sees the bytes of moved TCP connections.
 *
 * While no tap is up the data path pays for a static key alone.
 */
#ifndef _XVMC_TAP_H
#define _XVMC_TAP_H

#include <linux/jump_label.h>
#include "conn.h"

/**
 * struct xvmc_tap_piece - bytes that lie together
 * @rx: they came from the peer, else they go there
 * @seq: number of the first: S of the lend and the bytes that rings carried
 *	in this direction before
 * @data: the bytes, in shared memory: the peer may change them meanwhile
 * @len: how many
 */
struct xvmc_tap_piece {
	bool rx;
	u32 seq;
	const void *data;
	u32 len;
};

/**
 * struct xvmc_tap_ops - the tap
 * @show: shows a piece of a moved TCP connection. Process context, under RCU
 *	and the direction's mutex
 */
struct xvmc_tap_ops {
	void (*show)(const struct xvmc_conn *conn,
		     const struct xvmc_tap_piece *piece);
};

DECLARE_STATIC_KEY_FALSE(xvmc_tap_key);

/* NULL: no more. No call of the former one runs after the return. Process */
void xvmc_set_tap(const struct xvmc_tap_ops *ops);

/* What rings.c calls under xvmc_tap_is_up(); the direction's mutex held */
#define xvmc_tap_is_up() static_branch_unlikely(&xvmc_tap_key)

/* @len bytes that are written and not published yet */
void xvmc_tap_tx(struct xvmc_conn *conn, struct xvmc_tx_ring *ring, u32 len);
/* @len bytes that are read and not given back yet */
void xvmc_tap_rx(struct xvmc_conn *conn, struct xvmc_rx_ring *ring, u32 len);
/* The same of those that were saved when the channel went */
void xvmc_tap_spill(struct xvmc_conn *conn, const void *data, u32 len);

#endif /* _XVMC_TAP_H */
