// SPDX-License-Identifier: GPL-2.0
/*
 * Counters, kept per CPU so that counting costs no shared cache line.
 *
 * Called from every part and in any context. No lock: a counter is one word
 * that only its own CPU adds to, and a sum that is a moment old does no harm.
 */
#include <linux/export.h>
#include <linux/percpu.h>
#include "fault.h"
#include "stats.h"

struct xvmc_stats __percpu *xvmc_stats;
EXPORT_SYMBOL_GPL(xvmc_stats);

static const char * const stat_names[XVMC_STAT_COUNT] = {
#define X(e, n) [XVMC_STAT_##e] = n,
	XVMC_STATS(X)
#undef X
#define X(e, n) [XVMC_STAT_FALLBACK + XENVMC_REASON_##e] = "fallback_" n,
	XVMC_REASONS(X)
#undef X
};

static const char * const reason_names[XENVMC_REASON_MAX + 1] = {
#define X(e, n) [XENVMC_REASON_##e] = n,
	XVMC_REASONS(X)
#undef X
};

/**
 * xvmc_stat_fallback() - counts a connection that stays on or returns to TCP
 * @reason: &enum xenvmc_reason; may come from a peer and be unknown
 *
 * Context: Any context.
 */
void xvmc_stat_fallback(u32 reason)
{
	if (reason > XENVMC_REASON_MAX)
		reason = XENVMC_REASON_NONE;
	xvmc_stat_inc(XVMC_STAT_FALLBACK + reason);
}

/**
 * xvmc_stat_read() - sums a counter up
 * @stat: the counter
 *
 * Context: Any context.
 * Return: the sum over all CPUs.
 */
u64 xvmc_stat_read(enum xvmc_stat stat)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(xvmc_stats, cpu)->count[stat]);
	return sum;
}

/**
 * xvmc_stat_name() - name of a counter as shown to the user
 * @stat: the counter
 *
 * Return: the name; static.
 */
const char *xvmc_stat_name(enum xvmc_stat stat)
{
	return stat_names[stat];
}

/**
 * xvmc_reason_name() - name of a reason as shown to the user
 * @reason: &enum xenvmc_reason, or anything
 *
 * Return: the name, "?" if unknown; static.
 */
const char *xvmc_reason_name(u32 reason)
{
	return reason <= XENVMC_REASON_MAX ? reason_names[reason] : "?";
}

/**
 * xvmc_stats_init() - makes the counters
 *
 * Return: 0 or -ENOMEM.
 */
int xvmc_stats_init(void)
{
	if (xvmc_should_fail(XVMC_FAULT_STATS))
		return -ENOMEM;
	xvmc_stats = alloc_percpu(struct xvmc_stats);
	return xvmc_stats ? 0 : -ENOMEM;
}

/**
 * xvmc_stats_exit() - frees the counters; nobody counts any more
 */
void xvmc_stats_exit(void)
{
	free_percpu(xvmc_stats);
}
