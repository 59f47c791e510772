// SPDX-License-Identifier: GPL-2.0
/*
 * farewell: lies to one peer while it leaves.
 *
 *	insmod farewell.ko addr=10.77.0.102 lie=prod_jumps
 *
 * From the moment at which the channel that xenvmc has with it is not up any more,
 * and for as long as a ring is there, the lie is told of each ring, every hundred
 * microseconds or so. The module says when it goes how often that was. Fails with
 * -ENOTCONN without a channel, and -EINVAL for a lie that it does not know.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/inet.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <net/ipv6.h>
#include "chan.h"
#include "peer.h"
#include "compat/compat.h"
#include "end/farewell.h"

static char *addr = "";
module_param(addr, charp, 0444);
MODULE_PARM_DESC(addr, "IPv4 address of the peer");

static char *lie = "";
module_param(lie, charp, 0444);
MODULE_PARM_DESC(lie, "what to do");

static struct xvmc_chan *chan;
static struct task_struct *task;
static unsigned long told;

/* A channel that is closed waits for a grace period before its rings go */
static void tell_of_all(u32 which)
{
	const struct farewell_lie *lie = &farewell_lies[which];
	struct xvmc_rx_ring *rx;
	struct xvmc_tx_ring *tx;
	u32 id;

	rcu_read_lock();
	for (id = 0; id < XVMC_MAX_RINGS; id++) {
		if (READ_ONCE(chan->state) != XVMC_CHAN_CLOSING)
			break;
		tx = rcu_dereference(chan->tx[id]);
		rx = READ_ONCE(chan->rx[id]);
		if (lie->own ? !rx : !tx)
			continue;
		lie->tell(lie->own ? rx->mem.hdr : tx->mem.hdr);
		told++;
	}
	rcu_read_unlock();
}

static int farewell(void *data)
{
	u32 which = (uintptr_t)data;

	/* A channel closes in milliseconds, and programs are busy */
	sched_set_fifo(current);
	while (!kthread_should_stop()) {
		tell_of_all(which);
		usleep_range(50, 100);
	}
	return 0;
}

static int __init farewell_init(void)
{
	struct in6_addr to = {};
	__be32 v4;
	bool known;
	u32 i;

	if (!in4_pton(addr, -1, (u8 *)&v4, -1, NULL))
		return -EINVAL;
	for (i = 0; strcmp(farewell_lies[i].name, lie); )
		if (++i == ARRAY_SIZE(farewell_lies))
			return -EINVAL;
	ipv6_addr_set_v4mapped(v4, &to);
	chan = xvmc_peer_chan_by_addr(&to, &known);
	if (!chan)
		return -ENOTCONN;
	task = kthread_run(farewell, (void *)(uintptr_t)i, KBUILD_MODNAME);
	if (!IS_ERR(task))
		return 0;
	xvmc_chan_put(chan);
	return PTR_ERR(task);
}

static void __exit farewell_exit(void)
{
	kthread_stop(task);
	xvmc_chan_put(chan);
	pr_info("%s: told %lu times\n", lie, told);
}

module_init(farewell_init);
module_exit(farewell_exit);
MODULE_DESCRIPTION("XenVMC: a peer that lies when one leaves, for tests");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(COMPAT_NS);
