// SPDX-License-Identifier: GPL-2.0
/* Settings in /proc/sys/net/xenvmc/, each of one network namespace. */
#include <linux/slab.h>
#include <linux/sysctl.h>
#include <net/net_namespace.h>
#include "compat/compat.h"
#include "fault.h"
#include "ownaddr.h"
#include "xenvmc_priv.h"

enum {
	SYSCTL_SPIN_US,
	SYSCTL_KEEPALIVE_S,
	SYSCTL_FULL_MS,
	SYSCTL_PARK_S,
	SYSCTL_CARRY,
	SYSCTL_CARRY_PORT,
	SYSCTL_MONITOR_RATE,
	SYSCTL_ANNOUNCE,	/* last: not in every namespace */
	SYSCTL_COUNT
};

static const unsigned int keepalive_max = 3600;
static const unsigned int full_max = 60000;
static const unsigned int park_max = 86400;
static const unsigned int port_max = 65535;

static int sysctl_announce(compat_ctl_table *table, int write, void *buffer,
			   size_t *lenp, loff_t *ppos)
{
	int err = proc_dou8vec_minmax(table, write, buffer, lenp, ppos);

	if (!err && write)
		xvmc_own_addrs_touch();
	return err;
}

/* A wrong guess of spin.c must cost less than a time slice: 1 ms at most */
static const struct ctl_table xvmc_sysctls[] = {
	[SYSCTL_SPIN_US] = {
		.procname = "spin_us",
		.maxlen = sizeof(unsigned int),
		.mode = 0644,
		.proc_handler = proc_douintvec_minmax,
		.extra1 = SYSCTL_ZERO,
		.extra2 = SYSCTL_ONE_THOUSAND,
	},
	[SYSCTL_KEEPALIVE_S] = {
		.procname = "keepalive_s",
		.maxlen = sizeof(unsigned int),
		.mode = 0644,
		.proc_handler = proc_douintvec_minmax,
		.extra1 = SYSCTL_ZERO,
		.extra2 = (void *)&keepalive_max,
	},
	[SYSCTL_FULL_MS] = {
		.procname = "full_ms",
		.maxlen = sizeof(unsigned int),
		.mode = 0644,
		.proc_handler = proc_douintvec_minmax,
		.extra1 = SYSCTL_ZERO,
		.extra2 = (void *)&full_max,
	},
	[SYSCTL_PARK_S] = {
		.procname = "park_s",
		.maxlen = sizeof(unsigned int),
		.mode = 0644,
		.proc_handler = proc_douintvec_minmax,
		.extra1 = SYSCTL_ZERO,
		.extra2 = (void *)&park_max,
	},
	[SYSCTL_CARRY] = {
		.procname = "carry",
		.maxlen = sizeof(u8),
		.mode = 0644,
		.proc_handler = proc_dou8vec_minmax,
		.extra1 = SYSCTL_ZERO,
		.extra2 = SYSCTL_ONE,
	},
	[SYSCTL_CARRY_PORT] = {
		.procname = "carry_port",
		.maxlen = sizeof(unsigned int),
		.mode = 0644,
		.proc_handler = proc_douintvec_minmax,
		.extra1 = SYSCTL_ONE,
		.extra2 = (void *)&port_max,
	},
	[SYSCTL_MONITOR_RATE] = {
		.procname = "monitor_rate",
		.maxlen = sizeof(unsigned int),
		.mode = 0644,
		.proc_handler = proc_douintvec_minmax,
		.extra1 = SYSCTL_ZERO,
		.extra2 = SYSCTL_INT_MAX,
	},
	[SYSCTL_ANNOUNCE] = {
		.procname = "announce",
		.maxlen = sizeof(u8),
		.mode = 0644,
		.proc_handler = sysctl_announce,
		.extra1 = SYSCTL_ZERO,
		.extra2 = SYSCTL_ONE,
	},
};

/**
 * xvmc_sysctl_init() - settings of a namespace, with their first values
 * @net: the namespace
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int __net_init xvmc_sysctl_init(struct net *net)
{
	struct ctl_table_header *header = NULL;
	struct xvmc_net *xnet = xvmc_net(net);
	struct ctl_table *table;
	size_t n = SYSCTL_COUNT;

	if (xvmc_should_fail(XVMC_FAULT_SYSCTL))
		return -ENOMEM;
	/* Some kernels go by an empty entry at the end */
	table = kcalloc(SYSCTL_COUNT + 1, sizeof(*table), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	/* The guest's word is not for those who have a namespace of users */
	if (net->user_ns != &init_user_ns)
		n = SYSCTL_ANNOUNCE;
	memcpy(table, xvmc_sysctls, n * sizeof(*table));
	table[SYSCTL_SPIN_US].data = &xnet->spin_us;
	table[SYSCTL_KEEPALIVE_S].data = &xnet->keepalive_s;
	table[SYSCTL_FULL_MS].data = &xnet->full_ms;
	table[SYSCTL_PARK_S].data = &xnet->park_s;
	table[SYSCTL_CARRY].data = &xnet->carry;
	table[SYSCTL_CARRY_PORT].data = &xnet->carry_port;
	table[SYSCTL_MONITOR_RATE].data = &xnet->event_rate;
	table[SYSCTL_ANNOUNCE].data = &xnet->announce;
	if (!xvmc_should_fail(XVMC_FAULT_SYSCTL))
		header = register_net_sysctl_sz(net, "net/xenvmc", table, n);
	if (!header) {
		kfree(table);
		return -ENOMEM;
	}
	xnet->sysctl = header;
	return 0;
}

/**
 * xvmc_sysctl_exit() - a namespace goes
 * @net: the namespace
 *
 * Context: process.
 */
void __net_exit xvmc_sysctl_exit(struct net *net)
{
	struct ctl_table_header *header = xvmc_net(net)->sysctl;
	const struct ctl_table *table = header->ctl_table_arg;

	unregister_net_sysctl_table(header);
	kfree(table);
}
