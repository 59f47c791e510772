// SPDX-License-Identifier: GPL-2.0
/*
 * From what is known of all domains to what each of them can read: works out
 * what is wanted and publishes the difference to what is there.
 *
 * First all that must go, then all that must come: so a domain id or an
 * address that has moved to another domain is never seen with both.
 */
#include "claims.h"
#include "directory_priv.h"
#include "policy.h"
#include "store.h"

#include <errno.h>
#include <string.h>

static int collect_claims(const struct directory *dir, struct claims *claims)
{
	struct addr_list attested;
	unsigned int j;
	size_t i;
	int err = 0;

	for (i = 0; i < dir->n; i++) {
		const struct domain *d = dir->dom[i];
		struct claim claim = { .domid = d->domid, .attested = true };

		/* attested even while it does not take part: nobody else's */
		domain_attested(&d->facts, d->domid, &attested);
		for (j = 0; j < attested.n && !err; j++) {
			claim.addr = attested.a[j];
			err = claims_add(claims, &claim);
		}
		claim.attested = false;
		if (!d->facts.announced)
			continue;
		for (j = 0; j < d->facts.addr.n && !err; j++) {
			claim.addr = d->facts.addr.a[j];
			claim.since = d->since[j];
			err = claims_add(claims, &claim);
		}
	}
	claims_sort(claims);
	return err;
}

static void choose_addr(const struct directory *dir,
			const struct claims *claims, struct domain *d)
{
	struct addr_list list;
	unsigned int i;

	domain_attested(&d->facts, d->domid, &list);
	for (i = 0; i < d->facts.addr.n; i++) {
		if (policy_attest_required(dir->policy))
			break;
		if (claims_held_by(claims, &d->facts.addr.a[i], d->domid))
			addr_list_add(&list, &d->facts.addr.a[i]);
	}
	addr_list_format(&list, d->addr);
}

static int choose_addrs(const struct directory *dir)
{
	struct claims claims = { 0 };
	size_t i;
	int err;

	err = collect_claims(dir, &claims);
	if (err)
		goto out_free;
	for (i = 0; i < dir->n; i++)
		choose_addr(dir, &claims, dir->dom[i]);
out_free:
	claims_free(&claims);
	return err;
}

static struct policy_party to_party(const struct domain *d)
{
	return (struct policy_party){
		.domid = d->domid,
		.uuid = d->facts.uuid,
		.name = d->facts.name,
	};
}

static struct side to_side(struct domain *d)
{
	return (struct side){
		.domid = d->domid,
		.uuid = d->facts.uuid,
		.addr = d->addr,
		.pub = &d->pub,
	};
}

static bool is_wanted(const struct directory *dir, const struct domain *a,
		      const struct domain *b)
{
	struct policy_party pa, pb;

	if (!a->facts.announced || !b->facts.announced)
		return false;
	pa = to_party(a);
	pb = to_party(b);
	return policy_pairs(dir->policy, &pa, &pb,
			    domain_share_bridge(&a->facts, a->domid,
						&b->facts, b->domid));
}

/* Does d see p, and p as it is now? */
static bool is_listed(const struct domain *d, const struct domain *p)
{
	const struct entry *entry = published_find(&d->pub, p->domid);

	return d->pub.service && entry && entry->whole &&
	       !strcmp(entry->uuid, p->facts.uuid);
}

static void failed(struct directory *dir, struct domain *d, struct domain *p,
		   int64_t now, int err)
{
	if (err == -ESTALE || err == -ENOMEM) {
		/* what is remembered is not what is there */
		dir->rescan = true;
		d->reload = true;
		if (p)
			p->reload = true;
	}
	if (err != -ESTALE)
		log_limited(&dir->log, now, LOG_WARNING,
			    "domain %u%s: cannot publish: %s", d->domid,
			    p ? " and a peer" : "", strerror(-err));
}

/*
 * Each side of a pair is removed in its own domain's turn; what is wanted, and
 * whether the pair is whole, looks the same from both.
 *
 * Returns the first failure, but does what can be done.
 */
static int unlist_unwanted(struct directory *dir, struct domain *d, int64_t now)
{
	int err, ret = 0;
	size_t i;

	for (i = d->pub.n; i-- > 0;) {
		unsigned int peer = d->pub.entry[i].peer;
		struct domain *p = directory_find(dir, peer);

		/* What p can read, if that could not be read, may be right */
		if (p && is_wanted(dir, d, p) &&
		    (p->unread || (is_listed(d, p) && is_listed(p, d))))
			continue;
		err = publish_unlist(dir->s, d->domid, &d->pub, peer);
		if (err)
			failed(dir, d, p, now, err);
		else
			log_debug("domain %u: does not see %u any more",
				  d->domid, peer);
		ret = ret ? ret : err;
	}
	return ret;
}

static int set_service(struct directory *dir, struct domain *d, int64_t now)
{
	struct side sd = to_side(d);
	int err = 0;

	if (d->facts.announced && !d->pub.service)
		err = publish_service(dir->s, &sd);
	else if (!d->facts.announced && d->pub.present)
		err = publish_nothing(dir->s, d->domid, &d->pub);
	if (err)
		failed(dir, d, NULL, now, err);
	return err;
}

static int list_pair(struct directory *dir, struct domain *a, struct domain *b,
		     int64_t now)
{
	struct side sa = to_side(a), sb = to_side(b);
	int err;

	if (!is_listed(a, b)) {
		err = publish_pair(dir->s, &sa, &sb);
		if (!err)
			log_debug("domains %u and %u: peers", a->domid,
				  b->domid);
	} else {
		err = publish_addr(dir->s, &sa, &sb);
		if (!err)
			err = publish_addr(dir->s, &sb, &sa);
	}
	if (err)
		failed(dir, a, b, now, err);
	return err;
}

/*
 * All unwanted pairs are gone, but for those of domains that failed: a pair is
 * whole or not there at all.
 */
static int list_wanted(struct directory *dir, struct domain *a, size_t next,
		       int64_t now)
{
	int err, ret = 0;

	for (; next < dir->n && !a->failed; next++) {
		if (dir->dom[next]->failed ||
		    !is_wanted(dir, a, dir->dom[next]))
			continue;
		err = list_pair(dir, a, dir->dom[next], now);
		ret = ret ? ret : err;
	}
	return ret;
}

/**
 * reconcile() - publish what is wanted
 * @dir: all domains, their facts up to date
 * @now: monotonic time in ms
 *
 * Return: 0, or a negative errno if something is left to be done.
 */
int reconcile(struct directory *dir, int64_t now)
{
	int err, ret = 0;
	size_t i;

	dir->changed = false;
	err = choose_addrs(dir);
	if (err)
		return err;
	for (i = 0; i < dir->n; i++) {
		err = unlist_unwanted(dir, dir->dom[i], now);
		dir->dom[i]->failed = err || dir->dom[i]->unread;
		ret = ret ? ret : err;
	}
	for (i = 0; i < dir->n; i++) {
		if (dir->dom[i]->failed)
			continue;
		err = set_service(dir, dir->dom[i], now);
		dir->dom[i]->failed = err;
		ret = ret ? ret : err;
	}
	for (i = 0; i < dir->n; i++) {
		err = list_wanted(dir, dir->dom[i], i + 1, now);
		ret = ret ? ret : err;
	}
	return ret;
}
