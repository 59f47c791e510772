// SPDX-License-Identifier: GPL-2.0
/*
 * The nodes that xenvmcd writes for guests to read.
 *
 * Implementation notes
 *
 * A guest must not see half an entry, so a pair is listed in one transaction
 * over both directories; inside it addr is written last, as protocol.rst says.
 *
 * Nothing in a transaction touches a node that a guest can write: a guest that
 * writes all the time would make each commit conflict. For this reason entries,
 * which hold offers, are removed outside transactions. One removal is atomic by
 * itself, and nothing depends on the other side's going at the same time.
 *
 * Toolstacks remove /local/domain/<id> when they please. A write that comes
 * after that would make the node again, and nobody would ever remove it. So
 * each transaction that writes below a domain first reads the domain's uuid:
 * if the domain goes meanwhile, the transaction conflicts, and the next try
 * finds no domain and gives up with -ESTALE.
 *
 * xenvmc gets its permissions when it is made. All below inherits them, except
 * the offer, which is made over to the lower domain of the pair.
 */
#include "publish.h"
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUBLISH_TRIES 16

#define DIR_FMT		"/local/domain/%u/xenvmc"
#define PEER_FMT	DIR_FMT "/peer/%u"

/**
 * published_find() - look for a peer
 * @pub: in what a domain can read
 * @peer: the peer
 *
 * Return: the entry, good until the next one comes or goes, or NULL.
 */
struct entry *published_find(const struct published *pub, unsigned int peer)
{
	size_t lo = 0, hi = pub->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (pub->entry[mid].peer == peer)
			return &pub->entry[mid];
		if (pub->entry[mid].peer < peer)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static void published_drop(struct published *pub, unsigned int peer)
{
	struct entry *entry = published_find(pub, peer);

	if (!entry)
		return;
	free(entry->addr);
	pub->n--;
	memmove(entry, entry + 1,
		(pub->entry + pub->n - entry) * sizeof(*entry));
}

static int published_add(struct published *pub, const struct entry *new)
{
	struct entry *entry;
	size_t i;

	entry = reallocarray(pub->entry, pub->n + 1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	pub->entry = entry;
	for (i = pub->n; i > 0 && entry[i - 1].peer > new->peer; i--)
		entry[i] = entry[i - 1];
	entry[i] = *new;
	pub->n++;
	return 0;
}

/**
 * published_free() - forget what is published
 * @pub: set to nothing at all
 */
void published_free(struct published *pub)
{
	size_t i;

	for (i = 0; i < pub->n; i++)
		free(pub->entry[i].addr);
	free(pub->entry);
	memset(pub, 0, sizeof(*pub));
}

/* For what was found in the store: oddities are no failure, but not whole. */
static bool is_odd(int err)
{
	return err == -ENOENT || err == -E2BIG || err == -EILSEQ ||
	       err == -EPROTO;
}

static int offer_load(struct store *s, unsigned int domid, struct entry *entry)
{
	struct store_perms perms;
	int err;

	if (domid > entry->peer)
		return 0;
	err = store_get_perms(s, &perms, PEER_FMT "/offer", domid, entry->peer);
	if (is_odd(err) ||
	    (!err && (perms.owner != domid || perms.reader != entry->peer)))
		entry->whole = false;
	return is_odd(err) ? 0 : err;
}

static int entry_load(struct store *s, unsigned int domid, struct entry *entry)
{
	char addr[ADDR_TEXT_MAX + 1] = "";
	int len;

	entry->whole = true;
	len = store_read(s, entry->uuid, sizeof(entry->uuid), PEER_FMT "/uuid",
			 domid, entry->peer);
	if (len < 0 && !is_odd(len))
		return len;
	if (len < 0)
		entry->uuid[0] = '\0';
	len = store_read(s, addr, sizeof(addr), PEER_FMT "/addr", domid,
			 entry->peer);
	if (len < 0 && !is_odd(len))
		return len;
	if (len < 0)
		entry->whole = false;
	len = offer_load(s, domid, entry);
	if (len < 0)
		return len;
	entry->addr = strdup(addr);
	return entry->addr ? 0 : -ENOMEM;
}

static int service_load(struct store *s, unsigned int domid,
			struct published *pub)
{
	struct store_perms perms;
	unsigned int told;
	char text[16];
	int err;

	err = store_get_perms(s, &perms, DIR_FMT, domid);
	if (err == -ENOENT)
		return 0;
	if (err && err != -EPROTO)
		return err;
	pub->present = true;
	if (err || perms.owner != 0 || perms.reader != domid)
		return 0;
	err = store_read(s, text, sizeof(text), DIR_FMT "/domid", domid);
	if (err < 0)
		return is_odd(err) ? 0 : err;
	pub->service = !store_domid(text, &told) && told == domid;
	return 0;
}

static int entries_load(struct store *s, unsigned int domid,
			struct published *pub)
{
	char **names;
	int i, n, err = 0;

	n = store_list(s, &names, DIR_FMT "/peer", domid);
	if (n <= 0)
		return n;
	for (i = 0; i < n && !err; i++) {
		struct entry entry = { 0 };

		if (store_domid(names[i], &entry.peer))
			continue;
		err = entry_load(s, domid, &entry);
		if (err)
			break;
		err = published_add(pub, &entry);
		if (err)
			free(entry.addr);
	}
	free(names);
	return err;
}

/**
 * published_load() - find out what is published
 * @s: the store
 * @domid: for which domain to read
 * @pub: empty; set to it
 *
 * Return: 0 or a negative errno, then @pub is empty.
 */
int published_load(struct store *s, unsigned int domid, struct published *pub)
{
	int err;

	err = service_load(s, domid, pub);
	if (!err)
		err = entries_load(s, domid, pub);
	if (err)
		published_free(pub);
	return err;
}

/* What to do in a transaction */
typedef int (*publish_fn)(struct store *s, const struct side *d,
			  const struct side *p);

static int transact(struct store *s, publish_fn fn, const struct side *d,
		    const struct side *p)
{
	int i, err = -EAGAIN;

	for (i = 0; i < PUBLISH_TRIES && err == -EAGAIN; i++) {
		err = store_begin(s);
		if (err)
			return err;
		err = fn(s, d, p);
		if (err)
			store_end(s, false);
		else
			err = store_end(s, true);
	}
	return err;
}

static int check_alive(struct store *s, const struct side *d)
{
	char uuid[DOMAIN_UUID_LEN + 1];
	int err;

	err = domain_read_uuid(s, d->domid, uuid);
	if (err == -ENOENT || (!err && strcmp(uuid, d->uuid)))
		return -ESTALE;
	return err;
}

static int service_on(struct store *s, const struct side *d,
		      const struct side *p)
{
	char text[16];
	int err;

	(void)p;
	err = check_alive(s, d);
	if (err)
		return err;
	err = store_write(s, "", DIR_FMT, d->domid);
	if (err)
		return err;
	err = store_set_perms(s, 0, d->domid, DIR_FMT, d->domid);
	if (err)
		return err;
	snprintf(text, sizeof(text), "%u", d->domid);
	return store_write(s, text, DIR_FMT "/domid", d->domid);
}

/**
 * publish_service() - tell a domain its id, and that there is a directory
 * @s: the store
 * @d: the domain; nothing but half a directory is published for it so far
 *
 * Return: 0; -ESTALE if it is not the domain any more; another negative errno.
 */
int publish_service(struct store *s, const struct side *d)
{
	int err;

	/* what is there, if anything, may have the wrong permissions */
	err = publish_nothing(s, d->domid, d->pub);
	if (err)
		return err;
	err = transact(s, service_on, d, NULL);
	if (err)
		return err;
	d->pub->present = true;
	d->pub->service = true;
	return 0;
}

/* All of p's entry for d to read but addr. */
static int entry_begin(struct store *s, const struct side *d,
		       const struct side *p)
{
	int err;

	err = store_write(s, p->uuid, PEER_FMT "/uuid", d->domid, p->domid);
	if (err || d->domid > p->domid)
		return err;
	err = store_write(s, "", PEER_FMT "/offer", d->domid, p->domid);
	if (err)
		return err;
	return store_set_perms(s, d->domid, p->domid, PEER_FMT "/offer",
			       d->domid, p->domid);
}

static int write_addr(struct store *s, const struct side *d,
		      const struct side *p)
{
	return store_write(s, p->addr, PEER_FMT "/addr", d->domid, p->domid);
}

static int pair_on(struct store *s, const struct side *a, const struct side *b)
{
	int err;

	err = check_alive(s, a);
	if (err)
		return err;
	err = check_alive(s, b);
	if (err)
		return err;
	err = entry_begin(s, a, b);
	if (err)
		return err;
	err = entry_begin(s, b, a);
	if (err)
		return err;
	err = write_addr(s, a, b);
	if (err)
		return err;
	return write_addr(s, b, a);
}

static int entry_remember(const struct side *d, const struct side *p)
{
	struct entry entry = { .peer = p->domid, .whole = true };
	int err;

	snprintf(entry.uuid, sizeof(entry.uuid), "%s", p->uuid);
	entry.addr = strdup(p->addr);
	if (!entry.addr)
		return -ENOMEM;
	err = published_add(d->pub, &entry);
	if (err)
		free(entry.addr);
	return err;
}

/**
 * publish_pair() - let two domains see each other
 * @s: the store
 * @a: one domain
 * @b: the other; neither has an entry for the other
 *
 * Return: 0; -ESTALE if one of them is not the domain any more; another
 * negative errno, and after -ENOMEM what is remembered is not right.
 */
int publish_pair(struct store *s, const struct side *a, const struct side *b)
{
	int err;

	err = transact(s, pair_on, a, b);
	if (err)
		return err;
	err = entry_remember(a, b);
	if (err)
		return err;
	return entry_remember(b, a);
}

static int addr_change(struct store *s, const struct side *d,
		       const struct side *p)
{
	char uuid[DOMAIN_UUID_LEN + 1];
	int err;

	err = check_alive(s, d);
	if (err)
		return err;
	/* if someone took the entry away, addr alone would be half of one */
	err = store_read(s, uuid, sizeof(uuid), PEER_FMT "/uuid", d->domid,
			 p->domid);
	if (err < 0)
		return is_odd(err) ? -ESTALE : err;
	return write_addr(s, d, p);
}

/**
 * publish_addr() - change the addresses of a peer, if they differ
 * @s: the store
 * @d: the domain that sees them
 * @p: the peer, which has an entry for @d to read
 *
 * Return: 0; -ESTALE if @d, or the entry, has gone; another negative errno.
 */
int publish_addr(struct store *s, const struct side *d, const struct side *p)
{
	struct entry *entry = published_find(d->pub, p->domid);
	char *addr;
	int err;

	if (!strcmp(entry->addr, p->addr))
		return 0;
	addr = strdup(p->addr);
	if (!addr)
		return -ENOMEM;
	err = transact(s, addr_change, d, p);
	if (err) {
		free(addr);
		return err;
	}
	free(entry->addr);
	entry->addr = addr;
	return 0;
}

/**
 * publish_unlist() - do not let a domain see a peer any more
 * @s: the store
 * @domid: the domain
 * @pub: what is published for it
 * @peer: the peer, which may be dead
 *
 * Return: 0 or a negative errno.
 */
int publish_unlist(struct store *s, unsigned int domid, struct published *pub,
		   unsigned int peer)
{
	int err;

	err = store_rm(s, PEER_FMT, domid, peer);
	if (!err)
		published_drop(pub, peer);
	return err;
}

/**
 * publish_nothing() - remove all that a domain could read
 * @s: the store
 * @domid: the domain
 * @pub: what is published for it; nothing after this
 *
 * Return: 0 or a negative errno.
 */
int publish_nothing(struct store *s, unsigned int domid, struct published *pub)
{
	int err;

	err = store_rm(s, DIR_FMT, domid);
	if (!err)
		published_free(pub);
	return err;
}
