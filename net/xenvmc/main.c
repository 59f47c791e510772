// SPDX-License-Identifier: GPL-2.0
/* Module init and exit of xenvmc.ko, in one visible order. */
#include <linux/module.h>
#include <net/genetlink.h>
#include <uapi/linux/xenvmc_netlink.h>
#include "chan.h"
#include "fault.h"
#include "peer.h"
#include "stats.h"
#include "transport.h"
#include "xenvmc_priv.h"

unsigned int xvmc_net_id;
EXPORT_SYMBOL_GPL(xvmc_net_id);

static int __net_init net_init(struct net *net)
{
	xvmc_net(net)->hook_on = true;
	xvmc_net(net)->hook_loopback = false;
	xvmc_net(net)->announce = net_eq(net, &init_net);
	xvmc_net(net)->spin_us = 50;
	xvmc_net(net)->keepalive_s = 15;
	xvmc_net(net)->full_ms = 200;
	xvmc_net(net)->park_s = 900;
	xvmc_net(net)->carry = 1;
	xvmc_net(net)->carry_port = XVMC_CARRY_PORT;
	xvmc_net(net)->event_rate = 1000;
	spin_lock_init(&xvmc_net(net)->event_lock);
	INIT_LIST_HEAD(&xvmc_net(net)->taps);
	return xvmc_sysctl_init(net);
}

static void __net_exit net_exit(struct net *net)
{
	xvmc_carry_net_exit(net);
	xvmc_sysctl_exit(net);
}

static struct pernet_operations xvmc_net_ops = {
	.init	= net_init,
	.exit	= net_exit,
	.id	= &xvmc_net_id,
	.size	= sizeof(struct xvmc_net),
};

static int __init xvmc_init(void)
{
	int err;

	err = xvmc_stats_init();
	if (err)
		return err;
	err = -ENOMEM;
	if (!xvmc_should_fail(XVMC_FAULT_REGISTER))
		err = register_pernet_subsys(&xvmc_net_ops);
	if (err)
		goto exit_stats;
	err = xvmc_chan_init();
	if (err)
		goto unregister_pernet;
	err = xvmc_peer_init();
	if (err)
		goto exit_chan;
	err = xvmc_loop_init();
	if (err)
		goto exit_peer;
	err = xvmc_af_init();
	if (err)
		goto exit_loop;
	err = xvmc_xen_init();
	if (err)
		goto exit_af;
	err = xvmc_migrate_init();
	if (err)
		goto exit_xen;
	err = xvmc_halt_init();
	if (err)
		goto exit_migrate;
	err = xvmc_netlink_init();
	if (err)
		goto exit_halt;
	return 0;

exit_halt:
	xvmc_halt_exit();
exit_migrate:
	xvmc_migrate_exit();
exit_xen:
	xvmc_xen_exit();
exit_af:
	xvmc_af_exit();
exit_loop:
	xvmc_loop_exit();
	xvmc_park_exit();
	xvmc_carry_exit();
exit_peer:
	xvmc_peer_exit();
	xvmc_grant_exit();
exit_chan:
	xvmc_chan_exit();
unregister_pernet:
	unregister_pernet_subsys(&xvmc_net_ops);
exit_stats:
	xvmc_stats_exit();
	return err;
}

/*
 * No socket is open any more: each holds the module. The grace period at the
 * end is for objects that are freed by call_rcu() and count or log until then.
 */
static void __exit xvmc_exit(void)
{
	xvmc_netlink_exit();
	xvmc_halt_exit();
	xvmc_migrate_exit();
	xvmc_xen_exit();
	xvmc_af_exit();
	xvmc_loop_exit();
	xvmc_park_exit();
	xvmc_carry_exit();
	xvmc_peer_exit();
	xvmc_grant_exit();
	xvmc_chan_exit();
	unregister_pernet_subsys(&xvmc_net_ops);
	rcu_barrier();
	xvmc_stats_exit();
}

module_init(xvmc_init);
module_exit(xvmc_exit);

MODULE_DESCRIPTION("Sockets between the guests of one Xen host");
MODULE_AUTHOR("XenVMC");
MODULE_LICENSE("GPL");
MODULE_ALIAS_GENL_FAMILY(XENVMC_GENL_NAME);
