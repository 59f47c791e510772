// SPDX-License-Identifier: GPL-2.0
/*
 * liar: tells one lie to one peer over the channel that xenvmc has with it.
 *
 *	insmod liar.ko addr=10.77.0.101 lie=ctl_index [tcp=1]
 *
 * Fails with -ENOTCONN without a channel, -ENOENT if the lie needs a lent ring
 * of AF_XENVMC, with tcp=1 of a moved TCP connection, and there is none, -EINVAL
 * for a lie that it does not know.
 * The lies are in a table at the end. The core of the protocol is built in once
 * more, so that the liar can say false things well-formed.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/gfp.h>
#include <linux/inet.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <net/ipv6.h>
#include <xen/grant_table.h>
#include <xen/page.h>
#include <uapi/linux/xenvmc.h>
#include "chan.h"
#include "conn.h"
#include "peer.h"
#include "compat/compat.h"
#include "core/ring.c"
#include "core/frame.c"

static char *addr = "";
module_param(addr, charp, 0444);
MODULE_PARM_DESC(addr, "IPv4 address of the peer");

static char *lie = "";
module_param(lie, charp, 0444);
MODULE_PARM_DESC(lie, "what to do");

static bool tcp;
module_param(tcp, bool, 0444);
MODULE_PARM_DESC(tcp, "to a TCP connection, if to any");

/* ---- means ---- */

/* A frame with any body on the control ring, and an event */
static int say(struct xvmc_chan *chan, u16 type, const void *body, u16 len)
{
	int ret;

	spin_lock_bh(&chan->lock);
	ret = xvmc_frame_put(&chan->tx_ctl.prod, type, body, len);
	spin_unlock_bh(&chan->lock);
	chan->ops->kick(chan);
	return ret < 0 ? ret : 0;
}

static int say_words(struct xvmc_chan *chan, u16 type, u32 a, u32 b, u32 c,
		     u32 d, u16 words)
{
	u32 body[] = { a, b, c, d };

	return say(chan, type, body, words * sizeof(u32));
}

static bool is_meant(struct xvmc_conn *conn)
{
	return conn && conn->ops->tcp == tcp;
}

/* A ring of the peer's that a connection here writes. Under RCU */
static struct xvmc_tx_ring *lent_to_us(struct xvmc_chan *chan)
{
	struct xvmc_tx_ring *ring;
	u32 id;

	for (id = 0; id < XVMC_MAX_RINGS; id++) {
		ring = rcu_dereference(chan->tx[id]);
		if (ring && is_meant(rcu_dereference(ring->conn)))
			return ring;
	}
	return NULL;
}

/* An own ring that a connection here reads. Under RCU */
static struct xvmc_rx_ring *lent_by_us(struct xvmc_chan *chan)
{
	struct xvmc_rx_ring *ring;
	u32 id;

	for (id = 0; id < XVMC_MAX_RINGS; id++) {
		ring = READ_ONCE(chan->rx[id]);
		if (ring && is_meant(rcu_dereference(ring->conn)))
			return ring;
	}
	return NULL;
}

/* ---- lies on the control ring ---- */

static int ctl_index(struct xvmc_chan *chan)
{
	struct xvmc_ring_prod *p = &chan->tx_ctl.prod;

	spin_lock_bh(&chan->lock);
	WRITE_ONCE(p->hdr->prod, p->prod + p->size + 8);
	spin_unlock_bh(&chan->lock);
	chan->ops->kick(chan);
	return 0;
}

/* A frame that says it is longer than what is there */
static int ctl_torn(struct xvmc_chan *chan)
{
	struct xvmc_frame_hdr hdr = { .len = 64, .type = XVMC_MSG_DETACH };
	struct xvmc_ring_prod *p = &chan->tx_ctl.prod;

	spin_lock_bh(&chan->lock);
	xvmc_ring_copy_in(p, 0, &hdr, sizeof(hdr));
	xvmc_ring_publish(p, sizeof(hdr));
	spin_unlock_bh(&chan->lock);
	chan->ops->kick(chan);
	return 0;
}

static int ctl_long(struct xvmc_chan *chan)
{
	static const u8 body[XVMC_CTL_MAX_BODY + 8];

	return say(chan, XVMC_MSG_DETACH, body, sizeof(body));
}

static int ctl_short(struct xvmc_chan *chan)
{
	return say(chan, XVMC_MSG_CONNECT, "xy", 2);
}

static int ctl_unknown_type(struct xvmc_chan *chan)
{
	return say(chan, 999, "what?", 5);
}

static int ctl_unknown_conn(struct xvmc_chan *chan)
{
	return say_words(chan, XVMC_MSG_DETACH, S32_MAX, 0, 0, 0, 2);
}

static int ctl_hello_again(struct xvmc_chan *chan)
{
	return say_words(chan, XVMC_MSG_HELLO, XVMC_VERSION, 0, 1, 0, 3);
}

/* Says @type of a connection of the peer's */
static int say_of_conn(struct xvmc_chan *chan, u16 type)
{
	struct xvmc_tx_ring *ring;
	u32 id = 0;

	rcu_read_lock();
	ring = lent_to_us(chan);
	if (ring)
		id = rcu_dereference(ring->conn)->peer_id;
	rcu_read_unlock();
	return ring ? say_words(chan, type, id, 1, 0, 0, 2) : -ENOENT;
}

/* An answer of the other family */
static int ctl_wrong_kind(struct xvmc_chan *chan)
{
	return say_of_conn(chan, tcp ? XVMC_MSG_REFUSE : XVMC_MSG_UPGRADE_NO);
}

/* We say that we left, and did not: no stop mark, and bytes go on */
static int ctl_detach(struct xvmc_chan *chan)
{
	return say_of_conn(chan, XVMC_MSG_DETACH);
}

/* ---- lies about rings ---- */

static int ring_foreign(struct xvmc_chan *chan)
{
	/* 8 is the first reference that is not reserved; it is dom0's */
	return say_words(chan, XVMC_MSG_RING_ADD, XVMC_MAX_RINGS - 1,
			 XVMC_ORDER_SMALL, 8, 0, 3);
}

static int ring_nowhere(struct xvmc_chan *chan)
{
	return say_words(chan, XVMC_MSG_RING_ADD, XVMC_MAX_RINGS - 1,
			 XVMC_ORDER_SMALL, U32_MAX, 0, 3);
}

static int ring_id(struct xvmc_chan *chan)
{
	return say_words(chan, XVMC_MSG_RING_ADD, XVMC_MAX_RINGS,
			 XVMC_ORDER_SMALL, 8, 0, 3);
}

/* ---- rings of our own, granted in ways that are not right ---- */

/*
 * Header and one data page. The grants end when the module goes, whether the
 * peer still maps them or not; the kernel keeps the pages until it does not.
 */
static struct page *own[2];
static grant_ref_t own_ref[2];

static int own_grant(struct xvmc_chan *chan, int i, bool readonly)
{
	int ref;

	own[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!own[i])
		return -ENOMEM;
	ref = gnttab_grant_foreign_access(chan->peer->domid,
					  xen_page_to_gfn(own[i]), readonly);
	if (ref < 0)
		return ref;
	own_ref[i] = ref;
	return 0;
}

static void own_end(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (own_ref[i])
			gnttab_end_foreign_access(own_ref[i], own[i]);
		else if (own[i])
			__free_page(own[i]);
		own_ref[i] = 0;
		own[i] = NULL;
	}
}

/* A ring that is right, but for what the caller does to it before it is told */
static int own_make(struct xvmc_chan *chan, bool hdr_readonly,
		    bool data_readonly)
{
	struct xvmc_ring_hdr *hdr;
	int err;

	err = own_grant(chan, 0, hdr_readonly);
	if (!err)
		err = own_grant(chan, 1, data_readonly);
	if (err)
		return err;
	hdr = page_address(own[0]);
	xvmc_ring_format(hdr, 0);
	hdr->gref[0] = own_ref[1];
	return 0;
}

static int own_tell_as(struct xvmc_chan *chan, u32 id)
{
	return say_words(chan, XVMC_MSG_RING_ADD, id, 0, own_ref[0], 0, 3);
}

static int own_tell(struct xvmc_chan *chan)
{
	return own_tell_as(chan, XVMC_MAX_RINGS - 1);
}

static int ring_readonly(struct xvmc_chan *chan)
{
	int err = own_make(chan, true, false);

	return err ? err : own_tell(chan);
}

static int ring_data_readonly(struct xvmc_chan *chan)
{
	int err = own_make(chan, false, true);

	return err ? err : own_tell(chan);
}

static int ring_magic(struct xvmc_chan *chan)
{
	struct xvmc_ring_hdr *hdr;
	int err = own_make(chan, false, false);

	if (err)
		return err;
	hdr = page_address(own[0]);
	hdr->magic = ~XVMC_RING_MAGIC;
	return own_tell(chan);
}

static int ring_data_is(struct xvmc_chan *chan, u32 ref)
{
	struct xvmc_ring_hdr *hdr;
	int err = own_make(chan, false, false);

	if (err)
		return err;
	hdr = page_address(own[0]);
	hdr->gref[0] = ref;
	return own_tell(chan);
}

static int ring_data_nowhere(struct xvmc_chan *chan)
{
	return ring_data_is(chan, U32_MAX);
}

static int ring_data_foreign(struct xvmc_chan *chan)
{
	return ring_data_is(chan, 8);
}

/*
 * Mapped already, as the header. That spoils the ring and nothing else; its
 * number stays in use.
 */
static int ring_data_is_header(struct xvmc_chan *chan)
{
	struct xvmc_ring_hdr *hdr;
	int err = own_make(chan, false, false);

	if (err)
		return err;
	hdr = page_address(own[0]);
	hdr->gref[0] = own_ref[0];
	return own_tell_as(chan, XVMC_MAX_RINGS - 2);
}

static int ring_ended(struct xvmc_chan *chan)
{
	int err = own_make(chan, false, false);
	grant_ref_t ref = own_ref[0];

	if (err)
		return err;
	own_end();
	return say_words(chan, XVMC_MSG_RING_ADD, XVMC_MAX_RINGS - 1, 0, ref,
			 0, 3);
}

/* A ring as it should be; the module goes while the peer maps it */
static int ring_ends_in_use(struct xvmc_chan *chan)
{
	int err = own_make(chan, false, false);

	return err ? err : own_tell(chan);
}

/*
 * Has the module take its ring back from a connection of AF_XENVMC, and lend no
 * other one. Returns the connection, or an error.
 */
static struct xvmc_conn *unlend(struct xvmc_chan *chan)
{
	unsigned long end = jiffies + 10 * HZ;
	struct xvmc_conn *conn = NULL;
	struct xvmc_rx_ring *ring;

	rcu_read_lock();
	ring = lent_by_us(chan);
	if (ring)
		conn = rcu_dereference(ring->conn);
	if (conn && !kref_get_unless_zero(&conn->ref))
		conn = NULL;
	rcu_read_unlock();
	if (!conn)
		return ERR_PTR(-ENOENT);
	mutex_lock(&conn->rx.mutex);
	conn->rx.no_lend = true;
	WRITE_ONCE(conn->rx.renew, true);
	mutex_unlock(&conn->rx.mutex);
	xvmc_rx_recall(conn, XENVMC_REASON_RECLAIM);
	while (rcu_access_pointer(conn->rx.ring)) {
		if (time_after(jiffies, end)) {
			xvmc_conn_put(conn);
			return ERR_PTR(-ETIMEDOUT);
		}
		schedule_timeout_uninterruptible(1);
	}
	return conn;
}

/* Takes what the peer writes to the own ring until it has written that much */
static int own_drink(struct xvmc_chan *chan, u32 bytes)
{
	struct xvmc_ring_hdr *hdr = page_address(own[0]);
	unsigned long end = jiffies + 10 * HZ;

	while (READ_ONCE(hdr->cons) < bytes) {
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		WRITE_ONCE(hdr->cons, READ_ONCE(hdr->prod));
		WRITE_ONCE(hdr->prod_event, READ_ONCE(hdr->prod) + 1);
		xvmc_bell_set(chan->tx_ctl.mem.hdr, XVMC_BELL_SPACE,
			      XVMC_MAX_RINGS - 1);
		chan->ops->kick(chan);
		schedule_timeout_uninterruptible(1);
	}
	return 0;
}

/* The peer's stream goes to a ring that ends when the module goes */
static int ring_ends_in_stream(struct xvmc_chan *chan)
{
	int err = own_make(chan, false, false);
	struct xvmc_conn *conn;

	if (!err)
		err = own_tell(chan);
	if (err)
		return err;
	conn = unlend(chan);
	if (IS_ERR(conn))
		return PTR_ERR(conn);
	err = say_words(chan, XVMC_MSG_LEND, XVMC_MAX_RINGS - 1, 1,
			conn->peer_id, 0, 4);
	xvmc_conn_put(conn);
	return err ? err : own_drink(chan, 16 * XVMC_PAGE_SIZE);
}

/* Says @type of the ring that is lent to the peer's connection */
static int say_of_ring(struct xvmc_chan *chan, u16 type, u32 b, u32 c, u16 n)
{
	struct xvmc_rx_ring *ring;

	rcu_read_lock();
	ring = lent_by_us(chan);
	rcu_read_unlock();
	/* Own rings stay as long as the channel does */
	return ring ? say_words(chan, type, ring->id, b, c, 0, n) : -ENOENT;
}

static int ring_twice(struct xvmc_chan *chan)
{
	return say_of_ring(chan, XVMC_MSG_RING_ADD, XVMC_ORDER_LARGE, 8, 3);
}

static int ring_del(struct xvmc_chan *chan)
{
	return say_of_ring(chan, XVMC_MSG_RING_DEL, 0, 0, 2);
}

static int ring_lent_twice(struct xvmc_chan *chan)
{
	return say_of_ring(chan, XVMC_MSG_LEND, 77, 1, 4);
}

/* "My program has closed": it has not, and the connection stays */
static int ring_recall_closed(struct xvmc_chan *chan)
{
	struct xvmc_conn *conn = NULL;
	struct xvmc_rx_ring *ring;
	u32 id = 0, epoch = 0, to = 0;

	rcu_read_lock();
	ring = lent_by_us(chan);
	if (ring)
		conn = rcu_dereference(ring->conn);
	if (conn) {
		id = ring->id;
		epoch = READ_ONCE(ring->epoch);
		to = READ_ONCE(conn->peer_id);
	}
	rcu_read_unlock();
	return conn ? say_words(chan, XVMC_MSG_RECALL, id, epoch, to,
				XENVMC_REASON_CLOSED, 4) : -ENOENT;
}

static int ring_lend_nothing(struct xvmc_chan *chan)
{
	return say_words(chan, XVMC_MSG_LEND, XVMC_MAX_RINGS - 1, 1, 1, 0, 4);
}

/* Data that does not exist */
static bool data_prod_once(struct xvmc_chan *chan)
{
	struct xvmc_tx_ring *ring = lent_to_us(chan);

	if (!ring)
		return false;
	WRITE_ONCE(ring->prod.hdr->prod,
		   READ_ONCE(ring->prod.prod) + 2 * ring->prod.size);
	xvmc_bell_set(chan->tx_ctl.mem.hdr, XVMC_BELL_DATA, ring->id);
	return true;
}

/* Room that does not exist */
static bool data_cons_once(struct xvmc_chan *chan)
{
	struct xvmc_rx_ring *ring = lent_by_us(chan);

	if (!ring)
		return false;
	WRITE_ONCE(ring->cons.hdr->cons,
		   READ_ONCE(ring->cons.cons) + 2 * ring->cons.size);
	xvmc_bell_set(chan->tx_ctl.mem.hdr, XVMC_BELL_SPACE, ring->id);
	return true;
}

/*
 * The honest end of the ring overwrites the lie with its next byte: it is told
 * again until the peer has believed it.
 */
static int insist(struct xvmc_chan *chan, bool (*tell)(struct xvmc_chan *chan))
{
	bool told;
	u32 i;

	for (i = 0; i < 100; i++) {
		rcu_read_lock();
		told = READ_ONCE(chan->state) == XVMC_CHAN_UP && tell(chan);
		if (told)
			chan->ops->kick(chan);
		rcu_read_unlock();
		if (!told)
			break;
		schedule_timeout_uninterruptible(HZ / 100 + 1);
	}
	return i ? 0 : -ENOENT;
}

static int data_prod(struct xvmc_chan *chan)
{
	return insist(chan, data_prod_once);
}

static int data_cons(struct xvmc_chan *chan)
{
	return insist(chan, data_cons_once);
}

/* Every bell that there is, again and again */
static void storm_once(struct xvmc_chan *chan, u32 i)
{
	xvmc_bell_set(chan->tx_ctl.mem.hdr, i & 1, i / 2 % XVMC_MAX_RINGS);
	chan->ops->kick(chan);
	cond_resched();
}

static int storm(struct xvmc_chan *chan)
{
	u32 i;

	for (i = 0; i < 20000; i++)
		storm_once(chan, i);
	return 0;
}

static struct task_struct *stormer;
static struct xvmc_chan *stormed;

static int storm_on(void *chan)
{
	u32 i = 0;

	while (!kthread_should_stop())
		storm_once(chan, i++);
	pr_info("storm_lasts: %u\n", i);
	return 0;
}

/* The same until this module goes. The channel has to stay as long */
static int storm_lasts(struct xvmc_chan *chan)
{
	xvmc_chan_hold(chan);
	stormed = chan;
	stormer = kthread_run(storm_on, chan, "liar");
	if (!IS_ERR(stormer))
		return 0;
	stormer = NULL;
	xvmc_chan_put(chan);
	return -ENOMEM;
}

static void storm_end(void)
{
	if (!stormer)
		return;
	kthread_stop(stormer);
	xvmc_chan_put(stormed);
}

/* ---- the table ---- */

static const struct {
	const char *name;
	int (*tell)(struct xvmc_chan *chan);
} lies[] = {
	{ "ctl_index",		ctl_index },
	{ "ctl_torn",		ctl_torn },
	{ "ctl_long",		ctl_long },
	{ "ctl_short",		ctl_short },
	{ "ctl_unknown_type",	ctl_unknown_type },
	{ "ctl_unknown_conn",	ctl_unknown_conn },
	{ "ctl_hello_again",	ctl_hello_again },
	{ "ctl_wrong_kind",	ctl_wrong_kind },
	{ "ctl_detach",		ctl_detach },
	{ "ring_foreign",	ring_foreign },
	{ "ring_nowhere",	ring_nowhere },
	{ "ring_id",		ring_id },
	{ "ring_readonly",	ring_readonly },
	{ "ring_data_readonly",	ring_data_readonly },
	{ "ring_magic",		ring_magic },
	{ "ring_data_nowhere",	ring_data_nowhere },
	{ "ring_data_foreign",	ring_data_foreign },
	{ "ring_data_is_header", ring_data_is_header },
	{ "ring_ended",		ring_ended },
	{ "ring_ends_in_use",	ring_ends_in_use },
	{ "ring_ends_in_stream", ring_ends_in_stream },
	{ "ring_twice",		ring_twice },
	{ "ring_del",		ring_del },
	{ "ring_lent_twice",	ring_lent_twice },
	{ "ring_lend_nothing",	ring_lend_nothing },
	{ "ring_recall_closed",	ring_recall_closed },
	{ "data_prod",		data_prod },
	{ "data_cons",		data_cons },
	{ "storm",		storm },
	{ "storm_lasts",	storm_lasts },
};

static int __init liar_init(void)
{
	struct in6_addr to = {};
	struct xvmc_chan *chan;
	int err = -EINVAL;
	__be32 v4;
	bool known;
	u32 i;

	if (!in4_pton(addr, -1, (u8 *)&v4, -1, NULL))
		return -EINVAL;
	ipv6_addr_set_v4mapped(v4, &to);
	chan = xvmc_peer_chan_by_addr(&to, &known);
	if (!chan)
		return -ENOTCONN;
	for (i = 0; i < ARRAY_SIZE(lies); i++)
		if (!strcmp(lies[i].name, lie))
			err = lies[i].tell(chan);
	pr_info("%s: %d\n", lie, err);
	xvmc_chan_put(chan);
	if (err)
		own_end();
	return err;
}

static void __exit liar_exit(void)
{
	storm_end();
	own_end();
}

module_init(liar_init);
module_exit(liar_exit);
MODULE_DESCRIPTION("XenVMC: a peer that breaks the protocol, for tests");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(COMPAT_NS);
