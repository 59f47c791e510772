// SPDX-License-Identifier: GPL-2.0
/*
 * Failing on purpose, in a test build only: the n-th call of a site fails.
 *
 * A test drives it by module parameters, which also work while the module is
 * being loaded: fault_site, a name or nothing for all sites, then fault_nth.
 * That counts down to 0, when the call fails and the log says at which site;
 * less than 0: each fails, and the log says nothing.
 * fault_calls lists how often each site was asked since fault_nth was set.
 * No lock: a test sets the site while fault_nth is 0 and nobody looks at it.
 * fault_page is another way to fail, for those of a ring's pages that are
 * neither the first, nor in the middle, nor the last: the page of the next ring
 * at fault_site that is missing, then the page behind it of the one after that.
 * fault_planted is a bug in what fails, by which the test shows that it sees
 * one: 1, the failure is ignored; 2, memory is lost by it.
 *
 * switch_bytes is another thing: each reader takes its ring back whenever it
 * has read so many bytes, so that the writer goes to TCP and, with the next
 * lend, to the ring again.
 *
 * loopback is the peer that goes and comes: 0 closes the loopback's channel and
 * waits until nothing is left of it, 1 makes it anew, 2 is as 0 by a suspend.
 */
#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include "fault.h"
#include "transport.h"

static const char * const fault_names[] = {
#define X(e, n) [XVMC_FAULT_##e] = n,
	XVMC_FAULTS_ALL(X)
#undef X
};

static char fault_site[16];
static atomic_t fault_left = ATOMIC_INIT(0);
static atomic_t fault_calls[ARRAY_SIZE(fault_names)];
static atomic_t fault_page = ATOMIC_INIT(-1);
static unsigned int fault_planted;
static unsigned int switch_bytes;

static int fault_set(const char *value, const struct kernel_param *param)
{
	int n, err;
	u32 i;

	err = kstrtoint(value, 0, &n);
	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(fault_calls); i++)
		atomic_set(&fault_calls[i], 0);
	atomic_set(&fault_left, n);
	return 0;
}

static int fault_get(char *buf, const struct kernel_param *param)
{
	return sysfs_emit(buf, "%d\n", atomic_read(&fault_left));
}

static const struct kernel_param_ops fault_ops = {
	.set = fault_set,
	.get = fault_get,
};

static int fault_get_calls(char *buf, const struct kernel_param *param)
{
	int len = 0, n;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(fault_calls); i++) {
		n = atomic_read(&fault_calls[i]);
		if (n)
			len += sysfs_emit_at(buf, len, "%s %d\n",
					     fault_names[i], n);
	}
	return len;
}

static const struct kernel_param_ops fault_calls_ops = {
	.get = fault_get_calls,
};

static int fault_set_page(const char *value, const struct kernel_param *param)
{
	int n, err;

	err = kstrtoint(value, 0, &n);
	if (!err)
		atomic_set(&fault_page, n);
	return err;
}

static int fault_get_page(char *buf, const struct kernel_param *param)
{
	return sysfs_emit(buf, "%d\n", atomic_read(&fault_page));
}

static const struct kernel_param_ops fault_page_ops = {
	.set = fault_set_page,
	.get = fault_get_page,
};

static unsigned int loopback = 1;

/* The parameters' lock is held: one at a time */
static int fault_loopback(const char *value, const struct kernel_param *param)
{
	bool on, was_on = loopback == 1;
	unsigned int to;
	int err;

	err = kstrtouint(value, 0, &to);
	on = !err && to == 1;
	if (err || on == was_on)
		return err;
	if (on)
		err = xvmc_loop_init();
	else if (to == 2)
		xvmc_loop_suspend();
	else
		xvmc_loop_exit();
	if (!err)
		loopback = to;
	return err;
}

static const struct kernel_param_ops fault_loopback_ops = {
	.set = fault_loopback,
	.get = param_get_uint,
};

module_param_string(fault_site, fault_site, sizeof(fault_site), 0600);
MODULE_PARM_DESC(fault_site, "which site fails; empty: any");
module_param_cb(fault_nth, &fault_ops, NULL, 0600);
MODULE_PARM_DESC(fault_nth, "the call that fails; 0: none; -1: all");
module_param_cb(fault_calls, &fault_calls_ops, NULL, 0400);
MODULE_PARM_DESC(fault_calls, "calls of each site since fault_nth was set");
module_param_cb(fault_page, &fault_page_ops, &fault_page, 0600);
MODULE_PARM_DESC(fault_page, "of the next ring that is missing; -1: none");
module_param(fault_planted, uint, 0600);
MODULE_PARM_DESC(fault_planted, "1: failures are ignored; 2: they lose memory");
module_param_cb(loopback, &fault_loopback_ops, &loopback, 0600);
MODULE_PARM_DESC(loopback, "0, 2: the loopback's channel goes; 1: it comes");
module_param(switch_bytes, uint, 0600);
MODULE_PARM_DESC(switch_bytes, "a reader recalls its ring so often; 0: never");

/* sysfs leaves the end of the line in */
static bool fault_is_at(enum xvmc_fault site)
{
	return !fault_site[0] || fault_site[0] == '\n' ||
	       sysfs_streq(fault_site, fault_names[site]);
}

/* Does it act as if it had failed? */
static bool fault_acts(void)
{
	char *lost;

	if (fault_planted == 2) {
		lost = kmalloc(333, GFP_ATOMIC);
		if (lost)
			WRITE_ONCE(lost[0], 1);
	}
	return fault_planted != 1;
}

/**
 * xvmc_should_fail() - asked by a site before it does what can fail
 * @site: which
 *
 * Context: any.
 * Return: true if it has to act as if it had failed.
 */
bool xvmc_should_fail(enum xvmc_fault site)
{
	atomic_inc(&fault_calls[site]);
	if (!atomic_read(&fault_left) || !fault_is_at(site))
		return false;
	if (atomic_read(&fault_left) < 0)
		return true;
	if (atomic_dec_if_positive(&fault_left) != 0)
		return false;
	pr_info("xenvmc: fails on purpose: %s\n", fault_names[site]);
	return fault_acts();
}
EXPORT_SYMBOL_GPL(xvmc_should_fail);

static int fault_which_page(enum xvmc_fault site, u32 n)
{
	int page;

	if (atomic_read(&fault_page) < 0 || !fault_is_at(site))
		return -1;
	page = atomic_fetch_inc(&fault_page);
	if ((u32)page >= n)
		return -1;
	pr_info("xenvmc: fails on purpose: %s\n", fault_names[site]);
	return page;
}

/**
 * xvmc_which_fails() - asked by a site before it does several of the same
 * @site: which
 * @n: how many
 *
 * The first, the middle and the last one ask, in this order.
 *
 * Context: any.
 * Return: the index of the one that has to fail, or -1.
 */
int xvmc_which_fails(enum xvmc_fault site, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		if ((!i || i == n / 2 || i + 1 == n) && xvmc_should_fail(site))
			return i;
	return fault_which_page(site, n);
}

/**
 * xvmc_should_switch() - asked by a reader, which recalls its ring then
 * @before: bytes of the connection that were read by ring so far
 * @now: and now
 *
 * Context: any.
 */
bool xvmc_should_switch(u64 before, u64 now)
{
	unsigned int every = READ_ONCE(switch_bytes);

	return every && div_u64(now, every) != div_u64(before, every);
}
