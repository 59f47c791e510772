/* SPDX-License-Identifier: GPL-2.0 */
/* What the unit tests share: cmocka, random numbers, a ring in memory. */
#ifndef _XVMC_UNIT_H
#define _XVMC_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../net/xenvmc/core/ring.h"

/*
 * A ring with both ends. Every page is an allocation of its own, so that the
 * address sanitizer sees a step over its edge.
 */
struct unit_ring {
	struct xvmc_ring_hdr *hdr;
	void *page[1 << XVMC_RING_MAX_ORDER];
	u32 order;
	struct xvmc_ring_prod prod;
	struct xvmc_ring_cons cons;
};

static inline void *unit_page(void)
{
	void *page = aligned_alloc(64, XVMC_PAGE_SIZE);

	if (!page)
		abort();
	memset(page, 0xa5, XVMC_PAGE_SIZE);
	return page;
}

/* An empty ring whose indices begin at @base, as after many lends */
static inline void unit_ring_init(struct unit_ring *r, u32 order, u32 base)
{
	u32 i;

	r->order = order;
	r->hdr = unit_page();
	for (i = 0; i < 1u << order; i++)
		r->page[i] = unit_page();
	xvmc_ring_format(r->hdr, order);
	xvmc_ring_prod_init(&r->prod, r->hdr, r->page, order);
	xvmc_ring_cons_init(&r->cons, r->hdr, r->page, order);
	r->prod.prod = base;
	r->cons.cons = base;
	r->prod.seen = base;
	r->cons.seen = base;
	r->hdr->prod = base;
	r->hdr->cons = base;
	r->hdr->prod_event = base;
	r->hdr->cons_event = base;
}

static inline void unit_ring_exit(struct unit_ring *r)
{
	u32 i;

	for (i = 0; i < 1u << r->order; i++)
		free(r->page[i]);
	free(r->hdr);
}

/* A small generator, the same everywhere: a seed names a run */
static inline u32 unit_random(u64 *state)
{
	u64 x = *state += 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return (u32)(x >> 32);
}

/* 0 to @n - 1 */
static inline u32 unit_below(u64 *state, u32 n)
{
	return (u32)(((u64)unit_random(state) * n) >> 32);
}

/* Number from the environment, for longer runs and to repeat a seed */
static inline u64 unit_env(const char *name, u64 otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : otherwise;
}

#endif /* _XVMC_UNIT_H */
