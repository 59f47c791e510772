// SPDX-License-Identifier: GPL-2.0
/*
 * How userspace plays: a parameter of the module.
 *
 *	list N		names of cases from the Nth on, as fit into a page
 *	lacking		words of messages and pages of which no case lies
 *	case NAME	one case
 *	random SEED N	N random messages
 *	left		pairs that are closing yet; peers and connections of all
 *	reap		all that is closing yet is closed
 *
 * is written to /sys/module/xenvmc/parameters/hostile, which then reads as "ok"
 * and remarks, or as the reason of the failure. The write returns when all is
 * over, and the kernel lets one writer in at a time.
 */
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include "far.h"

static char *said;	/* a page, from the first command on */

static int entry_count(struct xvmc_peer *peer, void *arg)
{
	u32 *count = arg;
	struct xvmc_chan *chan;

	rcu_read_lock();
	chan = rcu_dereference(peer->chan);
	count[0]++;
	count[1] += chan ? atomic_read(&chan->nr_conns) : 0;
	rcu_read_unlock();
	return 0;
}

/* What other guests and the loopback have is in it, too */
static void entry_left(void)
{
	u32 count[2] = {};

	xvmc_peer_for_each(entry_count, count);
	snprintf(said, PAGE_SIZE, "closing %u peers %u conns %u", far_closing(),
		 count[0], count[1]);
}

static int entry_command(const char *command)
{
	char name[64];
	u32 seed, n;
	int err;

	if (sscanf(command, "list %u", &n) == 1) {
		hostile_list(n, said, PAGE_SIZE - 1);
		return 0;
	}
	if (!strcmp(command, "lacking")) {
		hostile_lacking(said, PAGE_SIZE - 1);
		return 0;
	}
	if (!strcmp(command, "left")) {
		entry_left();
		return 0;
	}
	if (!strcmp(command, "reap")) {
		strscpy(said, far_reap_all() ? far_left() : "ok", PAGE_SIZE);
		return 0;
	}
	if (sscanf(command, "case %63s", name) == 1)
		n = 0;
	else if (sscanf(command, "random %u %u", &seed, &n) != 2)
		return -EINVAL;
	err = near_init();
	if (err)
		return err;
	/* What they return stands in the words, too */
	if (n)
		hostile_random(seed, n, said, PAGE_SIZE - 1);
	else
		hostile_case(name, said, PAGE_SIZE - 1);
	/* What went wrong first is what is told of a case */
	if (near_exit() && (n || !strcmp(said, "ok")))
		strscpy(said, "a stream waits for ever", PAGE_SIZE);
	if (far_reap(0) && (n || !strcmp(said, "ok")))
		strscpy(said, far_left(), PAGE_SIZE);
	return 0;
}

static int entry_set(const char *value, const struct kernel_param *kp)
{
	char command[80];

	if (!said)
		said = (char *)get_zeroed_page(GFP_KERNEL);
	if (!said)
		return -ENOMEM;
	strscpy(command, value, sizeof(command));
	said[0] = 0;
	return entry_command(strim(command));
}

static int entry_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", said ? said : "");
}

/* The module goes */
static void entry_free(void *arg)
{
	free_page((unsigned long)said);
}

static const struct kernel_param_ops entry_ops = {
	.set = entry_set,
	.get = entry_get,
	.free = entry_free,
};

module_param_cb(hostile, &entry_ops, NULL, 0600);
