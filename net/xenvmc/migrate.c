// SPDX-License-Identifier: GPL-2.0
/*
 * Suspend: this guest is saved, migrated or checkpointed.
 *
 * Implementation notes
 *
 * Xen's suspend (drivers/xen/manage.c) runs in the XenBus thread, with tasks
 * and freezable workqueues frozen, and calls freeze of each device while
 * XenStore and the peers still answer; afterwards restore, in another domain,
 * or thaw, if there was none. All that there is of a device here is what hears
 * of it: no bus and no driver, for those are probed, and not while suspends
 * come and go.
 *
 * freeze    discovery stops; every peer of the Xen transport gets SUSPEND, and
 *           with it BYE; its channel is closed as at any other time, which
 *           saves unread bytes and leaves nothing mapped, granted or bound.
 * thaw      discovery goes on.
 * restore   so it does, and the old domain is forgotten first.
 *
 * There is no lock. The callbacks run one after another, and the work, which is
 * queued before a suspend and on a freezable queue, when all of them are over.
 * It is there for a suspend that another device refuses. Older kernels
 * then call neither thaw nor restore of those that were frozen, and do not
 * freeze them again the next time either, unless they are new. Those
 * since the autumn of 2025 call one of the two, and restore has been seen: both
 * have to be right in the domain that was never left.
 *
 * Documentation/migration.rst has the time lines.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/pm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include "fault.h"
#include "grant.h"
#include "peer.h"
#include "stats.h"
#include "trace.h"
#include "trans_xen.h"
#include "transport.h"

/* A channel waits for its peer for half of that, see chan.c */
#define MIGRATE_WAIT	(10 * HZ)
#define MIGRATE_RETRY	HZ

static void migrate_over(struct work_struct *work);

static struct {
	struct device *dev;	/* hears of suspends */
	bool frozen;		/* between freeze and what ends it */
	struct delayed_work over;
} migrate;

static int migrate_freeze(struct device *dev)
{
	unsigned long begin = jiffies;

	trace_xenvmc_suspend(XVMC_TRACE_FREEZE);
	migrate.frozen = true;
	queue_delayed_work(system_freezable_wq, &migrate.over, 0);
	xvmc_stat_inc(XVMC_STAT_SUSPENDS);
	xvmc_xen_freeze();
	if (!xvmc_peer_let_go(&xvmc_xen_ops, XVMC_PEV_SUSPEND, MIGRATE_WAIT)) {
		/* With mappings and ports of this domain there is no other */
		pr_err("a channel cannot be closed: suspend refused\n");
		trace_xenvmc_suspend(XVMC_TRACE_REFUSED);
		return -EBUSY;
	}
	xvmc_xen_unwatch_all();
	pr_info("suspend: let go of all peers in %u ms\n",
		jiffies_to_msecs(jiffies - begin));
	trace_xenvmc_suspend(XVMC_TRACE_FROZEN);
	return 0;
}

static int migrate_thaw(struct device *dev)
{
	trace_xenvmc_suspend(XVMC_TRACE_THAW);
	migrate.frozen = false;
	xvmc_stat_inc(XVMC_STAT_SUSPENDS_CANCELLED);
	xvmc_xen_thaw(false);
	return 0;
}

static int migrate_restore(struct device *dev)
{
	trace_xenvmc_suspend(XVMC_TRACE_RESTORE);
	migrate.frozen = false;
	xvmc_stat_inc(XVMC_STAT_RESTORES);
	xvmc_stale_arrived();
	xvmc_grant_restored();
	xvmc_xen_thaw(true);
	return 0;
}

static const struct dev_pm_ops migrate_pm_ops = {
	.freeze		= migrate_freeze,
	.thaw		= migrate_thaw,
	.restore	= migrate_restore,
};

static const struct device_type migrate_type = {
	.name	= "xenvmc",
	.pm	= &migrate_pm_ops,
};

static void migrate_release(struct device *dev)
{
	kfree(dev);
}

static int migrate_add(void)
{
	struct device *dev = NULL;
	int err;

	if (!xvmc_should_fail(XVMC_FAULT_REGISTER))
		dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return -ENOMEM;
	dev->type = &migrate_type;
	dev->release = migrate_release;
	device_initialize(dev);
	err = dev_set_name(dev, "xenvmc");
	if (!err && xvmc_should_fail(XVMC_FAULT_REGISTER))
		err = -ENOMEM;
	if (!err)
		err = device_add(dev);
	if (err) {
		put_device(dev);
		return err;
	}
	migrate.dev = dev;
	return 0;
}

static void migrate_del(void)
{
	if (!migrate.dev)
		return;
	device_unregister(migrate.dev);
	migrate.dev = NULL;
}

/* Tasks run again */
static void migrate_over(struct work_struct *work)
{
	int err;

	if (migrate.frozen) {
		migrate_del();
		migrate_thaw(NULL);
	}
	err = migrate.dev ? 0 : migrate_add();
	if (!err)
		return;
	pr_warn_ratelimited("cannot hear of suspends: error %d\n", err);
	queue_delayed_work(system_freezable_wq, &migrate.over, MIGRATE_RETRY);
}

/**
 * xvmc_migrate_init() - begins to hear of suspends
 *
 * Context: Process context.
 * Return: 0, also if this is no Xen guest, or a negative errno.
 */
int xvmc_migrate_init(void)
{
	INIT_DELAYED_WORK(&migrate.over, migrate_over);
	return xvmc_xen_has_grants() ? migrate_add() : 0;
}

/**
 * xvmc_migrate_exit() - hears of no suspend any more
 *
 * None is under way: the task that unloads the module would be frozen.
 *
 * Context: Process context.
 */
void xvmc_migrate_exit(void)
{
	cancel_delayed_work_sync(&migrate.over);
	migrate_del();
}
