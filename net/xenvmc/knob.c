// SPDX-License-Identifier: GPL-2.0
/*
 * Limits that a test reaches sooner, and places where a work waits until it is
 * told to go on, in a test build only.
 *
 * A limit is a parameter of the module: 0, what it is for everybody else.
 * limit_answer, seconds: for RESUME when the peer is met again. limit_unread,
 * bytes: of the streams of one guest that wait.
 *
 * So is a place. n: the next n that come to it wait there. It counts down to 0,
 * when all have come. -1: they go on, and nobody waits.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/moduleparam.h>
#include "fault.h"

static unsigned int limits[XVMC_LIMITS];

module_param_named(limit_answer, limits[XVMC_LIMIT_ANSWER], uint, 0600);
MODULE_PARM_DESC(limit_answer, "seconds for the peer's RESUME; 0: as usual");
module_param_named(limit_unread, limits[XVMC_LIMIT_UNREAD], uint, 0600);
MODULE_PARM_DESC(limit_unread, "bytes that one guest keeps; 0: as usual");

static atomic_t stalls[XVMC_STALLS] = {
	[0 ... XVMC_STALLS - 1] = ATOMIC_INIT(-1),
};

module_param_named(stall_door, stalls[XVMC_STALL_DOOR].counter, int, 0600);
MODULE_PARM_DESC(stall_door, "ends of carriers that wait before they answer");
module_param_named(stall_swap, stalls[XVMC_STALL_SWAP].counter, int, 0600);
MODULE_PARM_DESC(stall_swap, "streams that wait before they go on elsewhere");
module_param_named(stall_pair, stalls[XVMC_STALL_PAIR].counter, int, 0600);
MODULE_PARM_DESC(stall_pair, "pairs that wait before they are closed");
module_param_named(stall_recall, stalls[XVMC_STALL_RECALL].counter, int, 0600);
MODULE_PARM_DESC(stall_recall, "RECALLs for another ring that wait");
module_param_named(stall_closed, stalls[XVMC_STALL_CLOSED].counter, int, 0600);
MODULE_PARM_DESC(stall_closed, "RECALLs by who has closed that wait");

/**
 * xvmc_limit() - a limit, or what a test has made of it
 * @limit: which
 * @usual: what it is
 *
 * Context: any.
 */
u32 xvmc_limit(enum xvmc_limit limit, u32 usual)
{
	return READ_ONCE(limits[limit]) ?: usual;
}

/**
 * xvmc_stall() - waits here if a test wants it
 * @stall: where
 * @meant: a test may mean who comes here
 *
 * Context: process, nothing held.
 */
void xvmc_stall(enum xvmc_stall stall, bool meant)
{
	if (!meant || atomic_dec_if_positive(&stalls[stall]) < 0)
		return;
	while (atomic_read(&stalls[stall]) >= 0)
		msleep(20);
}
