/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The nodes that xenvmcd writes for guests to read, and what it remembers of
 * them so that it writes only what differs.
 */
#ifndef XENVMCD_PUBLISH_H
#define XENVMCD_PUBLISH_H

#include "domain.h"

#include <stdbool.h>
#include <stddef.h>

struct store;

/**
 * struct entry - /local/domain/<id>/xenvmc/peer/<peer>
 * @peer: the peer's domain id
 * @uuid: the peer's uuid, may be empty
 * @addr: its address list
 * @whole: nothing is missing, and the offer node has the right permissions
 */
struct entry {
	unsigned int peer;
	char uuid[DOMAIN_UUID_LEN + 1];
	char *addr;
	bool whole;
};

/**
 * struct published - /local/domain/<id>/xenvmc
 * @present: it is there
 * @service: it is readable by the domain and xenvmc/domid is right
 * @entry: the peers, by domain id
 * @n: how many
 */
struct published {
	bool present;
	bool service;
	struct entry *entry;
	size_t n;
};

/**
 * struct side - one domain, when something is published
 * @domid: its id
 * @uuid: its uuid; if the domain behind @domid has another one by now, nothing
 *	is written
 * @addr: addresses that lead to it
 * @pub: what is published for it to read
 */
struct side {
	unsigned int domid;
	const char *uuid;
	const char *addr;
	struct published *pub;
};

int published_load(struct store *s, unsigned int domid, struct published *pub);
struct entry *published_find(const struct published *pub, unsigned int peer);
void published_free(struct published *pub);

int publish_service(struct store *s, const struct side *d);
int publish_pair(struct store *s, const struct side *a, const struct side *b);
int publish_addr(struct store *s, const struct side *d, const struct side *p);
int publish_unlist(struct store *s, unsigned int domid, struct published *pub,
		   unsigned int peer);
int publish_nothing(struct store *s, unsigned int domid, struct published *pub);

#endif
