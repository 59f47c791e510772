// SPDX-License-Identifier: GPL-2.0
/*
 * Unread bytes of a ring that go to private memory: the ring or its channel is
 * over, and the program has not read them yet.
 */
#include <linux/mm.h>
#include "conn.h"
#include "fault.h"
#include "rings.h"

/**
 * xvmc_rx_set_aside() - copies bytes of the ring behind what was saved before
 * @conn: connection
 * @ring: its ring, which the peer has stopped, or is about to lose
 * @mark: its marks
 * @used: so many bytes are unread
 *
 * They are taken out of the ring. One lock has both, for those who ask without
 * the mutex how much is there.
 * Context: process, rx.mutex held.
 * Return: 0, or -ENOMEM: nothing has changed.
 */
int xvmc_rx_set_aside(struct xvmc_conn *conn, struct xvmc_rx_ring *ring,
		      const struct xvmc_ring_mark *mark, u32 used)
{
	void *old = conn->rx.spill, *spill = NULL;
	u32 off = old ? conn->rx.spill_off : 0;
	u32 len = old ? conn->rx.spill_len - off : 0;

	lockdep_assert_held(&conn->rx.mutex);
	if (!xvmc_should_fail(XVMC_FAULT_SPILL))
		spill = kvmalloc(max(len + used, 1U), GFP_KERNEL);
	if (!spill)
		return -ENOMEM;
	/* What was read of it is gone: else it would grow with each suspend */
	if (old)
		memcpy(spill, old + off, len);
	xvmc_ring_copy_out(&ring->cons, 0, spill + len, used);
	xvmc_stale_keep(conn, &ring->cons, len, used);
	spin_lock_bh(&ring->lock);
	xvmc_ring_consume(&ring->cons, used);
	WRITE_ONCE(conn->rx.spill_off, 0);
	WRITE_ONCE(conn->rx.spill_len, len + used);
	conn->rx.spill_room = len + used;
	conn->rx.spill_mark = *mark;
	conn->rx.spill_mark.stopped = true;
	/* Pairs with the acquire in xvmc_rx_saved() */
	smp_store_release(&conn->rx.spill, spill);
	spin_unlock_bh(&ring->lock);
	kvfree(old);
	return 0;
}

/**
 * xvmc_rx_save() - copies all that is unread
 * @conn: connection
 * @ring: its ring, to which nothing is written any more
 * @mark: its marks
 *
 * Without memory the rest is torn. The end of a stream is unread as well,
 * though no byte is in front of it.
 * Context: process, rx.mutex held.
 */
void xvmc_rx_save(struct xvmc_conn *conn, struct xvmc_rx_ring *ring,
		  const struct xvmc_ring_mark *mark)
{
	bool fin = mark->stopped && mark->seq && !conn->ops->tcp;
	int used = xvmc_ring_used(&ring->cons);

	if (used < 0) {
		xvmc_chan_violation(conn->chan, "producer index");
		conn->rx.torn = true;
		return;
	}
	if ((!used && !fin) || !mark->started)
		return;
	if (xvmc_rx_set_aside(conn, ring, mark, used))
		conn->rx.torn = true;
}

/* Room behind what is saved, and some more for what follows. 0 or -ENOMEM */
static int saved_grow(struct xvmc_conn *conn, u32 len)
{
	void *old = conn->rx.spill, *spill = NULL;
	u32 off = old ? conn->rx.spill_off : 0;
	u32 unread = old ? conn->rx.spill_len - off : 0;
	u32 room = unread + unread / 2 + len;

	lockdep_assert_held(&conn->rx.mutex);
	if (xvmc_should_fail(XVMC_FAULT_SPILL))
		return -ENOMEM;
	if (old && conn->rx.spill_room - conn->rx.spill_len >= len)
		return 0;
	spill = kvmalloc(max(room, 1U), GFP_KERNEL);
	if (!spill)
		return -ENOMEM;
	if (old)
		memcpy(spill, old + off, unread);
	/* Who asks without the mutex may see it twice or not at all */
	WRITE_ONCE(conn->rx.spill, NULL);
	WRITE_ONCE(conn->rx.spill_off, 0);
	WRITE_ONCE(conn->rx.spill_len, unread);
	conn->rx.spill_room = room;
	if (!old)
		conn->rx.spill_mark.seq = 0;
	conn->rx.spill_mark.started = true;
	conn->rx.spill_mark.stopped = true;
	/* Pairs with the acquire in xvmc_rx_saved() */
	smp_store_release(&conn->rx.spill, spill);
	kvfree(old);
	return 0;
}

/**
 * xvmc_conn_append() - bytes that came by another way
 * @conn: connection of a stream, without a ring to read from
 * @data: the bytes, which follow what is saved
 * @len: how many
 * @fin: the end of the stream is behind them
 *
 * Context: process, rx.mutex held.
 * Return: 0, or -ENOMEM: nothing has changed.
 */
int xvmc_conn_append(struct xvmc_conn *conn, const void *data, u32 len,
		     bool fin)
{
	lockdep_assert_held(&conn->rx.mutex);
	if (saved_grow(conn, len))
		return -ENOMEM;
	memcpy(conn->rx.spill + conn->rx.spill_len, data, len);
	if (fin)
		conn->rx.spill_mark.seq = 1;
	WRITE_ONCE(conn->rx.spill_len, conn->rx.spill_len + len);
	return 0;
}

/* They are read, or another connection's */
void xvmc_rx_unkeep(struct xvmc_conn *conn)
{
	atomic_sub(conn->rx.kept, &conn->chan->kept);
	conn->rx.kept = 0;
}

/**
 * xvmc_rx_keep() - what is saved are the bytes of a ring that was yielded
 * @conn: connection
 *
 * Context: process, rx.mutex held.
 */
void xvmc_rx_keep(struct xvmc_conn *conn)
{
	xvmc_rx_unkeep(conn);
	conn->rx.kept = conn->rx.spill_len;
	atomic_add(conn->rx.kept, &conn->chan->kept);
}

/**
 * xvmc_rx_free_spill() - what was saved is read, or nobody will read it
 * @conn: connection
 *
 * Context: process, rx.mutex held, or nobody else has the connection.
 */
void xvmc_rx_free_spill(struct xvmc_conn *conn)
{
	xvmc_rx_unkeep(conn);
	kvfree(conn->rx.spill);
	WRITE_ONCE(conn->rx.spill, NULL);
}
