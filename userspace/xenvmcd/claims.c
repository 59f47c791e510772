// SPDX-License-Identifier: GPL-2.0
/*
 * Who holds an address, see claims.h. Filled, sorted, then asked.
 */
#include "claims.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/**
 * claims_add() - note a claim
 * @claims: where
 * @claim: it
 *
 * Return: 0 or -ENOMEM.
 */
int claims_add(struct claims *claims, const struct claim *claim)
{
	if (claims->n == claims->room) {
		size_t room = claims->room ? 2 * claims->room : 64;
		struct claim *c;

		c = reallocarray(claims->c, room, sizeof(*c));
		if (!c)
			return -ENOMEM;
		claims->c = c;
		claims->room = room;
	}
	claims->c[claims->n++] = *claim;
	return 0;
}

static int addr_cmp(const struct in6_addr *a, const struct in6_addr *b)
{
	return memcmp(a, b, sizeof(*a));
}

static int claim_cmp(const void *pa, const void *pb)
{
	const struct claim *a = pa, *b = pb;
	int diff = addr_cmp(&a->addr, &b->addr);

	if (diff)
		return diff;
	if (a->attested != b->attested)
		return a->attested ? -1 : 1;
	if (a->since != b->since)
		return a->since < b->since ? -1 : 1;
	return a->domid < b->domid ? -1 : a->domid > b->domid;
}

/**
 * claims_sort() - make ready for claims_held_by()
 * @claims: the claims, all of them
 */
void claims_sort(struct claims *claims)
{
	if (claims->n)
		qsort(claims->c, claims->n, sizeof(*claims->c), claim_cmp);
}

/**
 * claims_held_by() - does this domain hold the address?
 * @claims: sorted claims
 * @addr: the address
 * @domid: the domain
 *
 * Return: true if no other claim is better than this domain's.
 */
bool claims_held_by(const struct claims *claims, const struct in6_addr *addr,
		    unsigned int domid)
{
	size_t lo = 0, hi = claims->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (addr_cmp(&claims->c[mid].addr, addr) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < claims->n && !addr_cmp(&claims->c[lo].addr, addr) &&
	       claims->c[lo].domid == domid;
}

/**
 * claims_free() - forget all claims
 * @claims: they
 */
void claims_free(struct claims *claims)
{
	free(claims->c);
	*claims = (struct claims){ 0 };
}
