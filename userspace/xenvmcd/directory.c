// SPDX-License-Identifier: GPL-2.0
/*
 * The directory of this host: keeps the list of domains and their facts up to
 * date, and has reconcile() publish what follows from them.
 *
 * Implementation notes
 *
 * A watch only marks what may have changed; directory_run() does the work. So
 * a guest that writes a thousand times costs one look. Looks at one domain are
 * limited in rate as well, for what a guest announces makes work for dom0 and
 * wakes the other guests: a look that brings a change is paid for with so much
 * time for each domain that may have to hear of it.
 *
 * A domain of which something fails is left out, and tried again: the others
 * hear of each other meanwhile.
 *
 * Nothing is kept on disk. After a restart all is read from XenStore, also who
 * had an address first: those addresses that are published already.
 */
#include "directory_priv.h"
#include "policy.h"
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFRESH_BURST		16
#define REFRESH_INTERVAL_MS	250
#define CHANGE_MS		10
#define RETRY_MS		1000

static const struct {
	const char *path;
	const char *token;
} host_watches[] = {
	{ "@introduceDomain",	"introduce" },
	{ "@releaseDomain",	"release" },
};

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* An address keeps its turn as long as it is announced by the same domain. */
static void carry_since(struct directory *dir, struct domain *d,
			const struct domain_facts *new)
{
	uint64_t since[ADDR_LIST_MAX] = { 0 };
	bool same = !strcmp(d->facts.uuid, new->uuid);
	unsigned int i, j;

	for (i = 0; i < new->addr.n; i++) {
		for (j = 0; same && j < d->facts.addr.n; j++)
			if (IN6_ARE_ADDR_EQUAL(&d->facts.addr.a[j],
					       &new->addr.a[i]))
				since[i] = d->since[j];
		if (!since[i])
			since[i] = ++dir->since;
	}
	memcpy(d->since, since, sizeof(since));
}

static void log_facts(struct domain *d, const struct domain_facts *new,
		      int64_t now)
{
	char name[LOG_QUOTE_MAX];
	unsigned int i;

	if (new->announced != d->facts.announced)
		log_limited(&d->news, now, LOG_INFO, "domain %u (%s, %s): %s",
			    d->domid, log_quote(name, sizeof(name), new->name),
			    new->uuid, new->announced ? "takes part" :
			    "does not take part any more");
	for (i = 0; i < new->nvif; i++)
		log_debug("domain %u: vif %u, mac %s, bridge %s, %u addresses",
			  d->domid, new->vif[i].devid, new->vif[i].mac,
			  new->vif[i].bridge, new->vif[i].ip.n);
}

static int reload(struct directory *dir, struct domain *d)
{
	published_free(&d->pub);
	dir->changed = true;
	return published_load(dir->s, d->domid, &d->pub);
}

static int refresh(struct directory *dir, struct domain *d, int64_t now)
{
	char note[DOMAIN_NOTE_MAX];
	struct domain_facts new;
	int err;

	err = domain_read_facts(dir->s, d->domid, &new, note);
	if (err == -ENOENT) {
		dir->rescan = true;
		return 0;
	}
	if (err)
		return err;
	if (strcmp(new.uuid, d->facts.uuid))
		d->reload = true;
	if (d->reload) {
		err = reload(dir, d);
		if (err)
			return err;
		d->reload = false;
	}
	d->dirty = false;
	d->known = true;
	if (note[0])
		log_limited(&d->log, now, LOG_WARNING, "domain %u: %s",
			    d->domid, note);
	if (!memcmp(&new, &d->facts, sizeof(new)))
		return 0;
	log_facts(d, &new, now);
	carry_since(dir, d, &new);
	memcpy(&d->facts, &new, sizeof(new));
	d->busy_until += CHANGE_MS * (int64_t)dir->n;
	dir->changed = true;
	return 0;
}

/*
 * REFRESH_BURST looks at once, then one in REFRESH_INTERVAL_MS, or fewer if they
 * bring changes: busy_until is the time when all looks so far are paid for.
 *
 * Return: ms to wait until the next one is due, 0 if it is due now.
 */
static int64_t refresh_wait(struct domain *d, int64_t now)
{
	int64_t due;

	due = d->busy_until - (REFRESH_BURST - 1) * REFRESH_INTERVAL_MS;
	if (due > now)
		return due - now;
	if (d->busy_until < now)
		d->busy_until = now;
	d->busy_until += REFRESH_INTERVAL_MS;
	return 0;
}

static int64_t sooner(int64_t a, int64_t b)
{
	if (a < 0)
		return b;
	return b < 0 || a < b ? a : b;
}

static int refresh_all(struct directory *dir, int64_t now, int64_t *next)
{
	int err, ret = 0;
	int64_t wait;
	size_t i;

	for (i = 0; i < dir->n; i++) {
		struct domain *d = dir->dom[i];

		if (!d->dirty && !d->reload)
			continue;
		wait = refresh_wait(d, now);
		if (wait) {
			*next = sooner(*next, wait);
			continue;
		}
		err = refresh(dir, d, now);
		d->unread = err;
		ret = ret ? ret : err;
	}
	return ret;
}

/* What cannot be read of one domain does not matter to the others */
static int bring_up_to_date(struct directory *dir, int64_t now, int64_t *next)
{
	int err;

	if (dir->rescan) {
		err = scan(dir);
		if (err)
			return err;
	}
	err = refresh_all(dir, now, next);
	if (err)
		*next = sooner(*next, RETRY_MS);
	return err;
}

/**
 * directory_run() - do what events, or failures, have left to do
 * @dir: the directory
 * @now: monotonic time in ms
 *
 * Return: ms until this wants to be called again; -1 if only after an event.
 */
int64_t directory_run(struct directory *dir, int64_t now)
{
	int64_t next = -1;
	int err;

	err = bring_up_to_date(dir, now, &next);
	if (err)
		log_limited(&dir->log, now, LOG_WARNING,
			    "cannot read XenStore: %s", strerror(-err));
	/* It is not known who is there */
	if (err && dir->rescan)
		return RETRY_MS;
	if (dir->changed || (dir->retry_at && now >= dir->retry_at))
		dir->retry_at = reconcile(dir, now) ? now + RETRY_MS : 0;
	if (dir->retry_at)
		next = sooner(next, dir->retry_at - now);
	if (dir->rescan)
		next = sooner(next, RETRY_MS);
	return next;
}

/**
 * directory_event() - note that a watch has fired
 * @dir: the directory
 * @token: the watch's
 */
void directory_event(struct directory *dir, const char *token)
{
	unsigned int domid;
	struct domain *d;

	if (store_domid(token, &domid)) {
		dir->rescan = true;
		return;
	}
	d = directory_find(dir, domid);
	if (d)
		d->dirty = true;
}

/**
 * directory_set_policy() - go by another policy, and look at everything anew
 * @dir: the directory
 * @policy: the policy, which the directory frees some day
 */
void directory_set_policy(struct directory *dir, struct policy *policy)
{
	size_t i;

	policy_free(dir->policy);
	dir->policy = policy;
	dir->changed = true;
	dir->rescan = true;
	for (i = 0; i < dir->n; i++)
		dir->dom[i]->reload = true;
}

/**
 * directory_new() - make a directory
 * @s: the store, which must outlive it
 * @policy: the policy, which the directory frees some day
 *
 * Return: it, or NULL; then @policy is freed too.
 */
struct directory *directory_new(struct store *s, struct policy *policy)
{
	struct directory *dir;

	dir = calloc(1, sizeof(*dir));
	if (!dir) {
		policy_free(policy);
		return NULL;
	}
	dir->s = s;
	dir->policy = policy;
	dir->since = SINCE_BEFORE_START;
	dir->rescan = true;
	dir->changed = true;
	return dir;
}

/**
 * directory_start() - have domains reported that come and go
 * @dir: the directory
 *
 * Return: 0 or a negative errno.
 */
int directory_start(struct directory *dir)
{
	size_t i;
	int err;

	for (i = 0; i < N_ELEMENTS(host_watches); i++) {
		err = dir->s->ops->watch(dir->s, host_watches[i].path,
					 host_watches[i].token, true);
		if (err)
			return err;
	}
	return 0;
}

/**
 * directory_free() - forget everything; what is published stays
 * @dir: the directory
 */
void directory_free(struct directory *dir)
{
	size_t i;

	for (i = 0; i < N_ELEMENTS(host_watches); i++)
		dir->s->ops->watch(dir->s, host_watches[i].path,
				   host_watches[i].token, false);
	scan_free(dir);
	policy_free(dir->policy);
	free(dir);
}

/**
 * directory_purge() - remove all that is published, for all domains
 * @s: the store
 *
 * Return: how many domains had something, or a negative errno.
 */
int directory_purge(struct store *s)
{
	struct published pub;
	int i, n, err = 0, count = 0;
	unsigned int domid;
	char **names;

	n = store_list(s, &names, "/local/domain");
	if (n <= 0)
		return n;
	for (i = 0; i < n && !err; i++) {
		if (store_domid(names[i], &domid))
			continue;
		memset(&pub, 0, sizeof(pub));
		err = published_load(s, domid, &pub);
		count += pub.present;
		if (!err && pub.present)
			err = publish_nothing(s, domid, &pub);
		published_free(&pub);
	}
	free(names);
	return err ? err : count;
}
