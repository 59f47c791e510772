// SPDX-License-Identifier: GPL-2.0
/* Settings in /proc/sys/net/xenvmc/, each of one network namespace. */
#include <linux/slab.h>
#include <linux/sysctl.h>
#include <net/net_namespace.h>
#include "compat/compat.h"
#include "fault.h"
#include "xenvmc_priv.h"

static const unsigned int keepalive_max = 3600;

/* A wrong guess of spin.c must cost less than a time slice: 1 ms at most */
static const struct ctl_table xvmc_sysctls[] = {
	{
		.procname = "spin_us",
		.maxlen = sizeof(unsigned int),
		.mode = 0644,
		.proc_handler = proc_douintvec_minmax,
		.extra1 = SYSCTL_ZERO,
		.extra2 = SYSCTL_ONE_THOUSAND,
	},
	{
		.procname = "keepalive_s",
		.maxlen = sizeof(unsigned int),
		.mode = 0644,
		.proc_handler = proc_douintvec_minmax,
		.extra1 = SYSCTL_ZERO,
		.extra2 = (void *)&keepalive_max,
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
	struct xvmc_net *xnet = xvmc_net(net);
	struct ctl_table *table;

	if (xvmc_should_fail(XVMC_FAULT_SYSCTL))
		return -ENOMEM;
	/* Some kernels go by an empty entry at the end */
	table = kcalloc(ARRAY_SIZE(xvmc_sysctls) + 1, sizeof(*table),
			GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	memcpy(table, xvmc_sysctls, sizeof(xvmc_sysctls));
	table[0].data = &xnet->spin_us;
	table[1].data = &xnet->keepalive_s;
	xnet->sysctl = register_net_sysctl_sz(net, "net/xenvmc", table,
					      ARRAY_SIZE(xvmc_sysctls));
	if (!xnet->sysctl) {
		kfree(table);
		return -ENOMEM;
	}
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
