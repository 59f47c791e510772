/* SPDX-License-Identifier: GPL-2.0 */
/* The directory in memory, for directory.c, scan.c and reconcile.c only. */
#ifndef XENVMCD_DIRECTORY_PRIV_H
#define XENVMCD_DIRECTORY_PRIV_H

#include "directory.h"
#include "domain.h"
#include "log.h"
#include "publish.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct domain - a domain that lives
 * @domid: its id
 * @facts: what is known of it
 * @since: for each announced address, when it was first announced
 * @addr: addresses that lead to it, as they are published
 * @pub: what it can read
 * @known: the facts have been read
 * @dirty: the facts may have changed
 * @reload: someone else changed what it can read
 * @unread: it could not be read: what is known of it is old
 * @failed: something of it could not be published just now
 * @busy_until: rate limit of refresh(), see there
 * @log: limit for complaints about what it wrote
 * @news: limit for lines on its coming and going
 */
struct domain {
	unsigned int domid;
	struct domain_facts facts;
	uint64_t since[ADDR_LIST_MAX];
	char addr[ADDR_TEXT_MAX];
	struct published pub;
	bool known;
	bool dirty;
	bool reload;
	bool unread;
	bool failed;
	int64_t busy_until;
	struct log_limit log;
	struct log_limit news;
};

/**
 * struct directory - all domains of the host
 * @s: the store
 * @policy: who may see whom
 * @dom: the domains, by id
 * @n: how many
 * @since: counts announcements
 * @rescan: domains may have come or gone
 * @changed: what is published may not be what is wanted
 * @retry_at: when to try again to publish what failed; 0 if nothing did
 * @log: limit for failures
 */
struct directory {
	struct store *s;
	struct policy *policy;
	struct domain **dom;
	size_t n;
	uint64_t since;
	bool rescan;
	bool changed;
	int64_t retry_at;
	struct log_limit log;
};

/* since of what an earlier daemon published; counting starts behind it */
#define SINCE_BEFORE_START 1

int scan(struct directory *dir);
void scan_free(struct directory *dir);
struct domain *directory_find(const struct directory *dir, unsigned int domid);
int reconcile(struct directory *dir, int64_t now);

#endif
