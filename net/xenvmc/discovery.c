// SPDX-License-Identifier: GPL-2.0
/*
 * Discovery: announces this guest, keeps the table of peers as dom0 lists it.
 *
 * Two work items, each queued any number of times and run once: one announces
 * the addresses, one reads the directory and tells the peers what became of
 * them. Both begin when XenStore answers, which in dom0 may be later than the
 * module. No locks: each work item is the only one to touch its own state, and
 * what others ask (own domid, directory there) are single words.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/slab.h>
#include "chan.h"
#include "fault.h"
#include "ownaddr.h"
#include "peer.h"
#include "trans_xen.h"
#include "xenstore.h"
#include "xenvmc_priv.h"

/* Changes come in bursts: several addresses, several nodes of one peer */
#define DISC_GATHER	(HZ / 20)
#define DISC_RETRY	(2 * HZ)
#define DISC_AGAIN	HZ	/* an address is being made sure of */
#define DISC_NO_DOMID	(-1)
#define DISC_BATCH	16

static void announce_work(struct work_struct *work);
static void scan_work(struct work_struct *work);
static void directory_changed(struct xvmc_store_watch *watch);

static struct {
	int domid;		/* own, or DISC_NO_DOMID */
	char uuid[XVMC_UUID_SIZE];	/* own; first scan, restore */
	bool has_uuid;
	bool directory;		/* xenvmcd has published */
	bool ready;		/* XenStore answers */
	bool stopping;		/* module exit, halt */
	bool frozen;		/* suspend, halt: work that runs does nothing */
	bool watched;		/* the watch is registered; scan work, exit */
	char addrs[XVMC_OWN_ADDRS_LEN];	/* announced; announce work */
	bool announced;		/* whole */
	bool written;		/* some of it may be there */
	struct xvmc_store_watch watch;
	struct delayed_work announce;
	struct delayed_work scan;
} disc = {
	.domid = DISC_NO_DOMID,
	.watch.changed = directory_changed,
};

static void disc_queue(struct delayed_work *work, unsigned long delay)
{
	if (READ_ONCE(disc.ready) && !READ_ONCE(disc.stopping))
		queue_delayed_work(xvmc_wq, work, delay);
}

/**
 * xvmc_xen_own_domid() - the own domain id
 * @domid: set if it is known
 *
 * Context: Any context.
 * Return: false without Xen, or while it is not known.
 */
bool xvmc_xen_own_domid(u16 *domid)
{
	int own = READ_ONCE(disc.domid);

	if (own == DISC_NO_DOMID)
		return false;
	*domid = own;
	return true;
}

/**
 * xvmc_xen_is_own_uuid() - whether the toolstack gave this guest that UUID
 * @uuid: text
 *
 * Context: Any context.
 * Return: false also while it is not known.
 */
bool xvmc_xen_is_own_uuid(const char *uuid)
{
	/*
	 * Pairs with the release in disc_read_uuid(). It changes only while
	 * all programs are frozen
	 */
	return smp_load_acquire(&disc.has_uuid) &&
	       !strcasecmp(disc.uuid, uuid);
}

/**
 * xvmc_xen_has_directory() - whether xenvmcd has published for this guest
 *
 * Context: Any context.
 * Return: true if it has.
 */
bool xvmc_xen_has_directory(void)
{
	return READ_ONCE(disc.directory);
}

/* ---- own addresses ---- */

static void announce_work(struct work_struct *work)
{
	char addrs[XVMC_OWN_ADDRS_LEN];
	int err;

	if (READ_ONCE(disc.frozen))
		return;
	if (xvmc_own_addrs(addrs))
		disc_queue(&disc.announce, DISC_AGAIN);
	if (disc.announced && !strcmp(addrs, disc.addrs))
		return;
	disc.written = true;
	err = xvmc_store_announce(addrs);
	if (err) {
		pr_warn_ratelimited("cannot announce: error %d\n", err);
		disc_queue(&disc.announce, DISC_RETRY);
		return;
	}
	strscpy(disc.addrs, addrs, sizeof(disc.addrs));
	disc.announced = true;
}

/* Any context */
static void addrs_changed(void)
{
	disc_queue(&disc.announce, DISC_GATHER);
}

/* ---- the directory ---- */

/* XenBus thread, under a spinlock */
static void directory_changed(struct xvmc_store_watch *watch)
{
	disc_queue(&disc.scan, DISC_GATHER);
}

/**
 * struct disc_batch - peers that are in the table and not in the directory
 * @listed: the directory, a bit per domain id
 * @n: how many were found, a batch at most
 * @peer: they, with a reference each
 */
struct disc_batch {
	const unsigned long *listed;
	u32 n;
	struct xvmc_peer *peer[DISC_BATCH];
};

static int disc_find_gone(struct xvmc_peer *peer, void *arg)
{
	struct disc_batch *batch = arg;

	if (peer->ops != &xvmc_xen_ops ||
	    test_bit(peer->domid, batch->listed) ||
	    READ_ONCE(peer->listed) == XVMC_PEER_EVENTS)
		return 0;
	if (!kref_get_unless_zero(&peer->ref))
		return 0;
	batch->peer[batch->n++] = peer;
	return batch->n == DISC_BATCH;
}

static void disc_unlist_gone(const unsigned long *listed)
{
	struct disc_batch batch = { .listed = listed };
	u32 i;

	do {
		batch.n = 0;
		xvmc_peer_for_each(disc_find_gone, &batch);
		for (i = 0; i < batch.n; i++) {
			xvmc_peer_event(batch.peer[i], XVMC_PEV_UNLISTED, NULL);
			xvmc_peer_put(batch.peer[i]);
		}
	} while (batch.n == DISC_BATCH);
}

/* Only this work writes facts, so they can be read here without the mutex */
static bool disc_facts_differ(const struct xvmc_peer *peer,
			      const struct xvmc_facts *facts)
{
	return strcmp(peer->uuid, facts->uuid) ||
	       peer->naddrs != facts->naddrs ||
	       memcmp(peer->addrs, facts->addrs,
		      facts->naddrs * sizeof(facts->addrs[0]));
}

static struct xvmc_peer *disc_peer_get(u16 domid)
{
	struct xvmc_peer *peer = xvmc_peer_get_by_domid(domid);

	return peer ? peer : xvmc_peer_new(domid, &xvmc_xen_ops);
}

/* Another domain under the same id: the old one is gone */
static bool disc_is_other(const struct xvmc_peer *peer,
			  const struct xvmc_facts *facts)
{
	return peer->uuid[0] && strcmp(peer->uuid, facts->uuid);
}

/* Returns -ENOENT if the peer left the table meanwhile: once more */
static int disc_tell_listed(struct xvmc_peer *peer,
			    const struct xvmc_facts *facts)
{
	int err;

	if (disc_is_other(peer, facts))
		xvmc_peer_event(peer, XVMC_PEV_UNLISTED, NULL);
	if (disc_facts_differ(peer, facts)) {
		err = xvmc_peer_set_facts(peer, facts->uuid, facts->addrs,
					  facts->naddrs);
		if (err)
			return err;
	}
	/* A suspend was refused while it was let go of, which is not over */
	if (READ_ONCE(peer->left) && !READ_ONCE(peer->dead))
		return -EBUSY;
	xvmc_peer_event(peer, disc.domid < peer->domid ?
			XVMC_PEV_LISTED_LOW : XVMC_PEV_LISTED_HIGH, NULL);
	if (READ_ONCE(peer->dead))
		return -ENOENT;
	return xvmc_xen_refresh_offer(peer);
}

static int disc_update(u16 domid, const struct xvmc_facts *facts)
{
	struct xvmc_peer *peer;
	int err;

	do {
		peer = disc_peer_get(domid);
		if (IS_ERR(peer))
			return PTR_ERR(peer);
		err = disc_tell_listed(peer, facts);
		xvmc_peer_put(peer);
	} while (err == -ENOENT);
	return err;
}

/* Half-written entries are not listed yet: their last node rings the watch */
static int disc_update_all(unsigned long *listed)
{
	struct xvmc_facts facts;
	unsigned int domid;
	int err, ret = 0;

	for_each_set_bit(domid, listed, XENVMC_DOMID_SELF) {
		err = xvmc_store_read_facts(domid, &facts);
		if (err == -ENOENT || domid == disc.domid) {
			__clear_bit(domid, listed);
			continue;
		}
		if (!err)
			err = disc_update(domid, &facts);
		if (err)
			ret = err;
	}
	return ret;
}

static void disc_read_uuid(void)
{
	int err = xvmc_store_own_uuid(disc.uuid, sizeof(disc.uuid));

	/* Pairs with xvmc_xen_is_own_uuid() */
	smp_store_release(&disc.has_uuid, !err);
}

static int disc_list_known(struct xvmc_peer *peer, void *arg)
{
	if (peer->domid < XENVMC_DOMID_SELF)
		__set_bit(peer->domid, arg);
	return 0;
}

/*
 * XenStore tells the names of a node's children in one page. If they are too
 * many nobody new is found, but who is known can be looked for by name: what
 * dom0 takes back is taken back.
 */
static int disc_read_peers(unsigned long *listed)
{
	int err = xvmc_store_read_peers(listed);

	if (err != -E2BIG)
		return err;
	pr_warn_ratelimited("too many peers are listed: no new ones\n");
	xvmc_peer_for_each(disc_list_known, listed);
	return 0;
}

static int disc_scan(void)
{
	unsigned long *listed = NULL;
	u16 domid;
	int err;

	err = xvmc_store_own_domid(&domid);
	if (err)
		return err;
	WRITE_ONCE(disc.domid, domid);
	if (!disc.has_uuid)
		disc_read_uuid();
	err = xvmc_store_has_directory();
	if (err < 0)
		return err;
	WRITE_ONCE(disc.directory, err);
	if (!xvmc_should_fail(XVMC_FAULT_LISTED))
		listed = bitmap_zalloc(XENVMC_DOMID_SELF, GFP_KERNEL);
	if (!listed)
		return -ENOMEM;
	err = disc_read_peers(listed);
	if (err)
		goto free_listed;
	err = disc_update_all(listed);
	disc_unlist_gone(listed);
free_listed:
	bitmap_free(listed);
	return err;
}

static int disc_watch(void)
{
	int err;

	if (disc.watched)
		return 0;
	err = xvmc_store_watch_directory(&disc.watch);
	disc.watched = !err;
	return err;
}

static void scan_work(struct work_struct *work)
{
	int err;

	if (READ_ONCE(disc.frozen))
		return;
	err = disc_watch();
	if (!err)
		err = disc_scan();
	if (!err)
		return;
	pr_warn_ratelimited("cannot read the directory: error %d\n", err);
	disc_queue(&disc.scan, DISC_RETRY);
}

/* ---- suspend ---- */

/**
 * xvmc_xen_freeze() - leaves the directory alone
 *
 * What was queued by somebody who has not seen this yet does nothing. The watch
 * stays: XenBus registers it again when it finds itself in another domain.
 *
 * Context: Process context.
 */
void xvmc_xen_freeze(void)
{
	WRITE_ONCE(disc.frozen, true);
	cancel_delayed_work_sync(&disc.announce);
	cancel_delayed_work_sync(&disc.scan);
}

/**
 * xvmc_xen_leave() - takes the announcement back, and looks for peers no more
 *
 * Context: Process context.
 */
void xvmc_xen_leave(void)
{
	/* Not even by the end of a suspend that was refused */
	WRITE_ONCE(disc.stopping, true);
	xvmc_xen_freeze();
	if (disc.written)
		xvmc_store_withdraw();
}

/**
 * xvmc_xen_thaw() - looks at the directory again
 * @restored: this is another domain now, on this host or on another one
 *
 * The ids are read here, for programs that are about to run. Who restores a
 * guest beside the one that was saved gives it another uuid.
 *
 * Context: Process context.
 */
void xvmc_xen_thaw(bool restored)
{
	u16 domid;

	if (restored) {
		disc.announced = false;
		WRITE_ONCE(disc.directory, false);
		WRITE_ONCE(disc.domid, xvmc_store_own_domid(&domid) ?
			   DISC_NO_DOMID : domid);
		disc_read_uuid();
	}
	WRITE_ONCE(disc.frozen, false);
	disc_queue(&disc.scan, 0);
	disc_queue(&disc.announce, 0);
}

/* ---- module ---- */

static int disc_store_ready(struct notifier_block *nb, unsigned long event,
			    void *data)
{
	WRITE_ONCE(disc.ready, true);
	disc_queue(&disc.scan, 0);
	disc_queue(&disc.announce, 0);
	return NOTIFY_DONE;
}

static struct notifier_block disc_store_nb = {
	.notifier_call = disc_store_ready,
};

/**
 * xvmc_xen_init() - announces this guest and looks for peers
 *
 * Without xenvmcd in dom0 nothing is found, now or until it is started.
 *
 * Context: Process context.
 * Return: 0, also if this is no Xen guest, or a negative errno.
 */
int xvmc_xen_init(void)
{
	int err;

	INIT_DELAYED_WORK(&disc.announce, announce_work);
	INIT_DELAYED_WORK(&disc.scan, scan_work);
	if (!xvmc_xen_has_grants())
		return 0;
	err = xvmc_own_addrs_init(addrs_changed);
	if (err)
		return err;
	xvmc_store_when_ready(&disc_store_nb);
	return 0;
}

/**
 * xvmc_xen_exit() - takes the announcement back and looks for peers no more
 *
 * The peers that are there leave in xvmc_peer_exit().
 *
 * Context: Process context.
 */
void xvmc_xen_exit(void)
{
	if (!xvmc_xen_has_grants())
		return;
	xvmc_store_not_ready(&disc_store_nb);
	xvmc_own_addrs_exit();
	WRITE_ONCE(disc.stopping, true);
	cancel_delayed_work_sync(&disc.announce);
	cancel_delayed_work_sync(&disc.scan);
	/* No work registers it any more; who saw us not stopping may queue */
	if (disc.watched)
		xvmc_store_unwatch(&disc.watch);
	cancel_delayed_work_sync(&disc.announce);
	cancel_delayed_work_sync(&disc.scan);
	if (disc.written)
		xvmc_store_withdraw();
}
