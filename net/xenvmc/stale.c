// SPDX-License-Identifier: GPL-2.0
/*
 * A suspend without its remedy, in a test build only: what live migration makes
 * of bytes that another domain has written, if nobody thinks of it.
 *
 * Xen notes which pages a guest writes while it migrates, and not what others
 * write through a grant until they unmap it. So a test sets the module's
 * parameter stale. In a guest that leaves, 1: unread bytes of its rings are
 * read from the rings' pages once more when it has arrived, in place of the
 * copies that it has made before it left. In a guest that stays, 2: it goes on
 * mapping the rings of a peer that was suspended, until that is another number.
 * stale_bytes says how many bytes were read so.
 *
 * The mutex has the list, and nothing is taken within it.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <uapi/linux/xenvmc.h>
#include "conn.h"
#include "fault.h"

enum { STALE_LEAVES = 1, STALE_STAYS };

/**
 * struct stale_ring - unread bytes of a ring that its peer wrote
 * @node: in the list
 * @conn: whose they are; a reference
 * @cons: the ring, when they were saved, with our @page
 * @to: where they are among what was saved
 * @used: how many
 * @nr: pages
 * @page: a reference to each
 */
struct stale_ring {
	struct list_head node;
	struct xvmc_conn *conn;
	struct xvmc_ring_cons cons;
	u32 to;
	u32 used;
	u32 nr;
	void *page[];
};

static unsigned int stale;
static unsigned int stale_bytes;
static LIST_HEAD(stale_rings);
static DEFINE_MUTEX(stale_mutex);

module_param(stale, uint, 0600);
MODULE_PARM_DESC(stale, "1: rings are read after a restore; 2: stay mapped");
module_param(stale_bytes, uint, 0400);
MODULE_PARM_DESC(stale_bytes, "bytes that were read after a restore");

/**
 * xvmc_stale_keep() - bytes of a ring were saved, and are in it still
 * @conn: connection
 * @cons: its end of the ring
 * @to: where they were saved
 * @used: how many
 *
 * Context: process, rx.mutex held.
 */
void xvmc_stale_keep(struct xvmc_conn *conn, const struct xvmc_ring_cons *cons,
		     u32 to, u32 used)
{
	u32 nr = cons->size / XVMC_PAGE_SIZE, i;
	struct stale_ring *ring;

	if (READ_ONCE(stale) != STALE_LEAVES || !used ||
	    READ_ONCE(conn->chan->reason) != XENVMC_REASON_SUSPEND)
		return;
	ring = kzalloc(struct_size(ring, page, nr), GFP_KERNEL);
	if (!ring)
		return;
	xvmc_conn_hold(conn);
	ring->conn = conn;
	ring->cons = *cons;
	ring->cons.page = ring->page;
	ring->to = to;
	ring->used = used;
	ring->nr = nr;
	for (i = 0; i < nr; i++) {
		ring->page[i] = cons->page[i];
		get_page(virt_to_page(ring->page[i]));
	}
	mutex_lock(&stale_mutex);
	list_add_tail(&ring->node, &stale_rings);
	mutex_unlock(&stale_mutex);
}

static void stale_read(struct stale_ring *ring)
{
	struct xvmc_conn *conn = ring->conn;
	u32 i;

	mutex_lock(&conn->rx.mutex);
	if (conn->rx.spill && conn->rx.spill_len >= ring->to + ring->used) {
		xvmc_ring_copy_out(&ring->cons, 0, conn->rx.spill + ring->to,
				   ring->used);
		stale_bytes += ring->used;
	}
	mutex_unlock(&conn->rx.mutex);
	for (i = 0; i < ring->nr; i++)
		put_page(virt_to_page(ring->page[i]));
	xvmc_conn_put(conn);
	kfree(ring);
}

/**
 * xvmc_stale_arrived() - the guest is in another domain
 *
 * Context: process.
 */
void xvmc_stale_arrived(void)
{
	struct stale_ring *ring, *next;
	LIST_HEAD(rings);

	mutex_lock(&stale_mutex);
	list_splice_init(&stale_rings, &rings);
	mutex_unlock(&stale_mutex);
	list_for_each_entry_safe(ring, next, &rings, node)
		stale_read(ring);
}

/**
 * xvmc_stale_maps() - the rings of a peer that was suspended stay mapped
 * @chan: channel that is being closed
 *
 * Context: process.
 */
void xvmc_stale_maps(const struct xvmc_chan *chan)
{
	if (chan->reason != XENVMC_REASON_SUSPEND)
		return;
	while (READ_ONCE(stale) == STALE_STAYS)
		msleep(20);
}
