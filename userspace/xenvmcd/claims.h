/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who holds an address that more than one domain says is its own: whoever dom0
 * says it belongs to, else whoever announced it first.
 */
#ifndef XENVMCD_CLAIMS_H
#define XENVMCD_CLAIMS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct claim - a domain says that an address leads to it
 * @since: order of announcement, smaller is earlier
 * @domid: the domain
 * @addr: the address
 * @attested: dom0 says so
 */
struct claim {
	uint64_t since;
	unsigned int domid;
	struct in6_addr addr;
	bool attested;
};

/**
 * struct claims - all claims of the host
 * @c: they
 * @n: how many
 * @room: how many there is room for
 */
struct claims {
	struct claim *c;
	size_t n;
	size_t room;
};

int claims_add(struct claims *claims, const struct claim *claim);
void claims_sort(struct claims *claims);
bool claims_held_by(const struct claims *claims, const struct in6_addr *addr,
		    unsigned int domid);
void claims_free(struct claims *claims);

#endif
