// SPDX-License-Identifier: GPL-2.0
/*
 * Limits that a test reaches sooner, in a test build only.
 *
 * Each is a parameter of the module: 0, what it is for everybody else.
 * limit_answer, seconds: for RESUME when the peer is met again. limit_unread,
 * bytes: of the streams of one guest that wait.
 */
#include <linux/moduleparam.h>
#include "fault.h"

static unsigned int limits[XVMC_LIMITS];

module_param_named(limit_answer, limits[XVMC_LIMIT_ANSWER], uint, 0600);
MODULE_PARM_DESC(limit_answer, "seconds for the peer's RESUME; 0: as usual");
module_param_named(limit_unread, limits[XVMC_LIMIT_UNREAD], uint, 0600);
MODULE_PARM_DESC(limit_unread, "bytes that one guest keeps; 0: as usual");

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
