/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is told of a ring to a guest that leaves: by farewell.c over Xen, and by
 * leave.c on the sanitizer kernel.
 */
#ifndef _XVMC_HOSTILE_FAREWELL_H
#define _XVMC_HOSTILE_FAREWELL_H

#include <linux/random.h>
#include "core/wire.h"

/* Data that does not exist, in a ring of the peer's */
static void prod_jumps(struct xvmc_ring_hdr *hdr)
{
	WRITE_ONCE(hdr->prod, READ_ONCE(hdr->prod) +
			      (2 * XVMC_PAGE_SIZE << READ_ONCE(hdr->order)));
}

/* A byte more, though the ring was stopped */
static void writes_on(struct xvmc_ring_hdr *hdr)
{
	WRITE_ONCE(hdr->prod, READ_ONCE(hdr->prod) + 1);
}

/* A byte less than the peer may have seen */
static void prod_shrinks(struct xvmc_ring_hdr *hdr)
{
	WRITE_ONCE(hdr->prod, READ_ONCE(hdr->prod) - 1);
}

/* The ring was never stopped, and began elsewhere */
static void stop_is_taken_back(struct xvmc_ring_hdr *hdr)
{
	WRITE_ONCE(hdr->stop_epoch, 0);
	WRITE_ONCE(hdr->start_seq, READ_ONCE(hdr->start_seq) + 1);
}

/* All at once, and as random words */
static void anything(struct xvmc_ring_hdr *hdr)
{
	get_random_bytes(hdr, offsetof(struct xvmc_ring_hdr, pad0));
}

/* Room that does not exist, in an own ring */
static void cons_jumps(struct xvmc_ring_hdr *hdr)
{
	WRITE_ONCE(hdr->cons, READ_ONCE(hdr->cons) +
			      (2 * XVMC_PAGE_SIZE << READ_ONCE(hdr->order)));
}

/**
 * struct farewell_lie - what is told again and again
 * @name: for its test
 * @own: of the liar's rings, else of the peer's
 * @tell: tells it, of the ring with this header
 */
struct farewell_lie {
	const char *name;
	bool own;
	void (*tell)(struct xvmc_ring_hdr *hdr);
};

static const struct farewell_lie farewell_lies[] = {
	{ "prod_jumps",		false,	prod_jumps },
	{ "writes_on",		false,	writes_on },
	{ "prod_shrinks",	false,	prod_shrinks },
	{ "stop_is_taken_back",	false,	stop_is_taken_back },
	{ "anything",		false,	anything },
	{ "cons_jumps",		true,	cons_jumps },
};

#endif /* _XVMC_HOSTILE_FAREWELL_H */
