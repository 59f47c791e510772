// SPDX-License-Identifier: GPL-2.0
/*
 * Which domains there are: the list of them, with a watch on all that their
 * facts are read from. What is published for a new domain is read here, too.
 */
#include "directory_priv.h"
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lines on a domain that comes and goes, before they are limited */
#define SCAN_NEWS 7

static const char *const domain_watches[] = {
	"/local/domain/%u/data/xenvmc",
	"/local/domain/%u/name",
	"/local/domain/0/backend/vif/%u",
};

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* Where the domain is in the list, or would be. */
static size_t position(const struct directory *dir, unsigned int domid)
{
	size_t lo = 0, hi = dir->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (dir->dom[mid]->domid < domid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/**
 * directory_find() - look for a domain
 * @dir: the directory
 * @domid: the domain
 *
 * Return: it, or NULL.
 */
struct domain *directory_find(const struct directory *dir, unsigned int domid)
{
	size_t i = position(dir, domid);

	return i < dir->n && dir->dom[i]->domid == domid ? dir->dom[i] : NULL;
}

static int watch_domain(struct directory *dir, unsigned int domid, bool on)
{
	char path[STORE_PATH_MAX], token[STORE_TOKEN_MAX];
	size_t i;
	int err;

	snprintf(token, sizeof(token), "%u", domid);
	for (i = 0; i < N_ELEMENTS(domain_watches); i++) {
		snprintf(path, sizeof(path), domain_watches[i], domid);
		err = dir->s->ops->watch(dir->s, path, token, on);
		/* a watch that is there, or that has gone, is as wanted */
		if (err && err != -EEXIST && err != -ENOENT)
			return err;
	}
	return 0;
}

static void domain_free(struct domain *d)
{
	published_free(&d->pub);
	free(d);
}

static int domain_add(struct directory *dir, unsigned int domid,
		      const char *uuid)
{
	struct domain **list, *d;
	size_t i;
	int err;

	list = reallocarray(dir->dom, dir->n + 1, sizeof(struct domain *));
	if (!list)
		return -ENOMEM;
	dir->dom = list;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->domid = domid;
	d->dirty = true;
	d->news.burst = SCAN_NEWS;
	memcpy(d->facts.uuid, uuid, sizeof(d->facts.uuid));
	err = published_load(dir->s, domid, &d->pub);
	if (err)
		goto err_free;
	err = watch_domain(dir, domid, true);
	if (err)
		goto err_unwatch;
	for (i = dir->n; i > 0 && list[i - 1]->domid > domid; i--)
		list[i] = list[i - 1];
	list[i] = d;
	dir->n++;
	return 0;

err_unwatch:
	watch_domain(dir, domid, false);
err_free:
	domain_free(d);
	return err;
}

static void domain_remove(struct directory *dir, size_t i)
{
	struct domain *d = dir->dom[i];

	log_info("domain %u: gone", d->domid);
	watch_domain(dir, d->domid, false);
	dir->n--;
	memmove(&dir->dom[i], &dir->dom[i + 1],
		(dir->n - i) * sizeof(struct domain *));
	domain_free(d);
	dir->changed = true;
}

/* 1 and @uuid if the domain lives, 0 if not. */
static int is_alive(struct store *s, unsigned int domid,
		    char uuid[DOMAIN_UUID_LEN + 1])
{
	int ret;

	ret = domid == 0 ? 1 : s->ops->introduced(s, domid);
	if (ret <= 0)
		return ret;
	ret = domain_read_uuid(s, domid, uuid);
	if (ret == -ENOENT)
		return 0;
	return ret ? ret : 1;
}

static int drop_dead(struct directory *dir)
{
	char uuid[DOMAIN_UUID_LEN + 1];
	size_t i;

	for (i = dir->n; i-- > 0;) {
		int ret = is_alive(dir->s, dir->dom[i]->domid, uuid);

		if (ret < 0)
			return ret;
		if (!ret)
			domain_remove(dir, i);
		else if (strcmp(uuid, dir->dom[i]->facts.uuid))
			dir->dom[i]->dirty = true;
	}
	return 0;
}

static int add_new(struct directory *dir)
{
	char uuid[DOMAIN_UUID_LEN + 1], **names;
	unsigned int domid;
	int i, n, ret = 0;

	n = store_list(dir->s, &names, "/local/domain");
	if (n <= 0)
		return n;
	for (i = 0; i < n && ret >= 0; i++) {
		if (store_domid(names[i], &domid) || directory_find(dir, domid))
			continue;
		ret = is_alive(dir->s, domid, uuid);
		if (ret > 0)
			ret = domain_add(dir, domid, uuid);
	}
	free(names);
	return ret < 0 ? ret : 0;
}

/* What is published of a new domain, it announced to an earlier xenvmcd. */
static void remember_addr(const struct directory *dir,
			  const struct entry *entry)
{
	struct domain *p = directory_find(dir, entry->peer);
	char text[ADDR_TEXT_MAX + 1];
	struct addr_list list;
	unsigned int i;

	if (!p || p->known || strcmp(p->facts.uuid, entry->uuid))
		return;
	snprintf(text, sizeof(text), "%s", entry->addr);
	addr_list_parse(&list, text);
	for (i = 0; i < list.n; i++)
		addr_list_add(&p->facts.addr, &list.a[i]);
	for (i = 0; i < p->facts.addr.n; i++)
		p->since[i] = SINCE_BEFORE_START;
}

/**
 * scan() - find out which domains live
 * @dir: set to them; the facts of new ones are still to be read
 *
 * Return: 0 or a negative errno.
 */
int scan(struct directory *dir)
{
	size_t i, j;
	int err;

	err = drop_dead(dir);
	if (err)
		return err;
	err = add_new(dir);
	if (err)
		return err;
	for (i = 0; i < dir->n; i++)
		for (j = 0; j < dir->dom[i]->pub.n; j++)
			remember_addr(dir, &dir->dom[i]->pub.entry[j]);
	dir->rescan = false;
	return 0;
}

/**
 * scan_free() - forget all domains
 * @dir: set to none
 */
void scan_free(struct directory *dir)
{
	size_t i;

	for (i = 0; i < dir->n; i++) {
		watch_domain(dir, dir->dom[i]->domid, false);
		domain_free(dir->dom[i]);
	}
	free(dir->dom);
	dir->dom = NULL;
	dir->n = 0;
}
