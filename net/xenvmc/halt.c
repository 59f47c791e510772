// SPDX-License-Identifier: GPL-2.0
/*
 * Restart and power-off: lets go of all peers first.
 *
 * A domain that ends takes its ports and mappings with it, and dom0 tells the
 * peers. But by kexec another kernel follows in the same domain: Xen closes its
 * ports and leaves to the peers what they have mapped, which is the next
 * kernel's memory then. The notifier runs before any device is shut down, so
 * XenStore and the peers answer still.
 *
 * It is done whatever follows: programs have ended, as a rule, and a peer that
 * is told keeps bytes for which it would have to guess else. A machine that
 * crashes calls nobody: its next kernel has memory of its own. Nor does dom0,
 * whose XenStore has ended by then, and whose end is that of the host. A peer
 * that does not unmap cannot be made to: all that can be done is to say so.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/notifier.h>
#include <linux/reboot.h>
#include <xen/xen.h>
#include "fault.h"
#include "grant.h"
#include "peer.h"
#include "trans_xen.h"
#include "transport.h"

/* A channel waits for its peer for half of that, see chan.c */
#define HALT_WAIT	(10 * HZ)

static int halt_notify(struct notifier_block *nb, unsigned long event,
		       void *cmd)
{
	bool gone;

	xvmc_xen_leave();
	gone = xvmc_peer_let_go(&xvmc_xen_ops, XVMC_PEV_LEAVE, HALT_WAIT);
	if (!xvmc_grant_all_back() || !gone)
		pr_err("peers have memory of this kernel mapped\n");
	return NOTIFY_DONE;
}

static struct notifier_block halt_nb = {
	.notifier_call = halt_notify,
};

static bool halt_is_ours(void)
{
	return xvmc_xen_has_grants() && !xen_initial_domain();
}

/**
 * xvmc_halt_init() - begins to hear of the machine's end
 *
 * Context: Process context.
 * Return: 0, also if nothing is to be heard, or a negative errno.
 */
int xvmc_halt_init(void)
{
	if (!halt_is_ours())
		return 0;
	if (xvmc_should_fail(XVMC_FAULT_REGISTER))
		return -ENOMEM;
	return register_reboot_notifier(&halt_nb);
}

/**
 * xvmc_halt_exit() - hears of it no more
 *
 * Context: Process context; waits for a call that is under way.
 */
void xvmc_halt_exit(void)
{
	if (halt_is_ours())
		unregister_reboot_notifier(&halt_nb);
}
