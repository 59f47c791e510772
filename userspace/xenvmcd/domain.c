// SPDX-License-Identifier: GPL-2.0
/*
 * What is known of one domain, read from XenStore into a plain structure. Below
 * data/ the domain writes what it likes: every value from there is bounded and
 * checked, and only nodes of fixed names are read, however many there are.
 */
#include "domain.h"
#include "log.h"
#include "store.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NIL_UUID "00000000-0000-0000-0000-000000000000"

/**
 * domain_is_uuid() - does this look like a uuid?
 * @text: it
 *
 * Return: true for 8-4-4-4-12 hexadecimal digits.
 */
bool domain_is_uuid(const char *text)
{
	unsigned int i;

	if (strlen(text) != DOMAIN_UUID_LEN)
		return false;
	for (i = 0; i < DOMAIN_UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return true;
}

/**
 * domain_read_uuid() - read the uuid that the toolstack gave a domain
 * @s: the store
 * @domid: the domain
 * @uuid: set to it; dom0 has none under some toolstacks, and gets all zeroes
 *
 * Return: 0, -ENOENT if there is no such domain (any more), or another negative
 * errno.
 */
int domain_read_uuid(struct store *s, unsigned int domid,
		     char uuid[DOMAIN_UUID_LEN + 1])
{
	char path[STORE_PATH_MAX];
	int len;

	len = store_read(s, path, sizeof(path), "/local/domain/%u/vm", domid);
	if (len >= 0 && !strncmp(path, "/vm/", 4) && domain_is_uuid(path + 4)) {
		memcpy(uuid, path + 4, DOMAIN_UUID_LEN + 1);
		return 0;
	}
	if (domid == 0) {
		memcpy(uuid, NIL_UUID, DOMAIN_UUID_LEN + 1);
		return 0;
	}
	return len < 0 && len != -E2BIG && len != -EILSEQ ? len : -ENOENT;
}

static bool is_odd_value(int err)
{
	return err == -ENOENT || err == -E2BIG || err == -EILSEQ;
}

/* A value of dom0's that may be missing or odd: then it is empty. */
static int read_optional(struct store *s, char *buf, size_t size,
			 unsigned int domid, unsigned int devid,
			 const char *key)
{
	int len;

	len = store_read(s, buf, size, "/local/domain/0/backend/vif/%u/%u/%s",
			 domid, devid, key);
	if (len >= 0)
		return 0;
	*buf = '\0';
	return is_odd_value(len) ? 0 : len;
}

static int read_vif(struct store *s, unsigned int domid,
		    struct domain_vif *vif, char note[DOMAIN_NOTE_MAX])
{
	char quoted[LOG_QUOTE_MAX], ip[STORE_VALUE_MAX + 1];
	const char *bad;
	int err;

	err = read_optional(s, vif->mac, sizeof(vif->mac), domid, vif->devid,
			    "mac");
	if (err)
		return err;
	err = read_optional(s, vif->bridge, sizeof(vif->bridge), domid,
			    vif->devid, "bridge");
	if (err)
		return err;
	err = read_optional(s, ip, sizeof(ip), domid, vif->devid, "ip");
	if (err)
		return err;
	bad = addr_list_parse(&vif->ip, ip);
	if (bad)
		snprintf(note, DOMAIN_NOTE_MAX,
			 "vif %u: ip has '%s', expected at most %u addresses of single hosts",
			 vif->devid, log_quote(quoted, sizeof(quoted), bad),
			 ADDR_LIST_MAX);
	return 0;
}

static int vif_cmp(const void *pa, const void *pb)
{
	const struct domain_vif *a = pa, *b = pb;

	return a->devid < b->devid ? -1 : a->devid > b->devid;
}

/* Clear what is behind a string, so that facts can be compared as bytes. */
static void pad_zero(char *text, size_t size)
{
	size_t len = strlen(text);

	memset(text + len, 0, size - len);
}

static int read_vifs(struct store *s, unsigned int domid,
		     struct domain_facts *facts, char note[DOMAIN_NOTE_MAX])
{
	char **names;
	int i, n, err = 0;

	n = store_list(s, &names, "/local/domain/0/backend/vif/%u", domid);
	if (n <= 0)
		return n;
	for (i = 0; i < n && facts->nvif < DOMAIN_VIF_MAX; i++) {
		struct domain_vif *vif = &facts->vif[facts->nvif];

		if (store_domid(names[i], &vif->devid))
			continue;
		err = read_vif(s, domid, vif, note);
		if (err)
			break;
		pad_zero(vif->mac, sizeof(vif->mac));
		pad_zero(vif->bridge, sizeof(vif->bridge));
		facts->nvif++;
	}
	free(names);
	qsort(facts->vif, facts->nvif, sizeof(facts->vif[0]), vif_cmp);
	return err;
}

static int read_addr(struct store *s, unsigned int domid,
		     struct domain_facts *facts, char note[DOMAIN_NOTE_MAX])
{
	char quoted[LOG_QUOTE_MAX], text[STORE_VALUE_MAX + 1];
	const char *bad;
	int len;

	len = store_read(s, text, sizeof(text),
			 "/local/domain/%u/data/xenvmc/addr", domid);
	if (len == -E2BIG || len == -EILSEQ)
		snprintf(note, DOMAIN_NOTE_MAX, "announces addresses %s",
			 len == -E2BIG ? "in more than 2 KiB" : "with a NUL");
	if (len < 0)
		return is_odd_value(len) ? 0 : len;
	bad = addr_list_parse(&facts->addr, text);
	if (bad)
		snprintf(note, DOMAIN_NOTE_MAX,
			 "announces '%s', expected at most %u addresses",
			 log_quote(quoted, sizeof(quoted), bad), ADDR_LIST_MAX);
	return 0;
}

static int read_announcement(struct store *s, unsigned int domid,
			     struct domain_facts *facts,
			     char note[DOMAIN_NOTE_MAX])
{
	char quoted[LOG_QUOTE_MAX], version[LOG_QUOTE_MAX];
	int len;

	len = store_read(s, version, sizeof(version),
			 "/local/domain/%u/data/xenvmc/version", domid);
	if (len < 0 && !is_odd_value(len))
		return len;
	if (len < 0)
		return 0;
	if (strcmp(version, DOMAIN_VERSION)) {
		snprintf(note, DOMAIN_NOTE_MAX,
			 "announces version '%s', expected %s",
			 log_quote(quoted, sizeof(quoted), version),
			 DOMAIN_VERSION);
		return 0;
	}
	facts->announced = true;
	return read_addr(s, domid, facts, note);
}

/**
 * domain_read_facts() - read all that is known of a domain
 * @s: the store
 * @domid: the domain
 * @facts: set to it
 * @note: set to a complaint about the last odd thing found, or to ""
 *
 * Not atomic: whatever changes while this reads makes a watch fire, and the
 * facts are read again.
 *
 * Return: 0, -ENOENT if there is no such domain (any more), or another negative
 * errno.
 */
int domain_read_facts(struct store *s, unsigned int domid,
		      struct domain_facts *facts, char note[DOMAIN_NOTE_MAX])
{
	int err;

	memset(facts, 0, sizeof(*facts));
	note[0] = '\0';
	err = domain_read_uuid(s, domid, facts->uuid);
	if (err)
		return err;
	err = store_read(s, facts->name, sizeof(facts->name),
			 "/local/domain/%u/name", domid);
	if (err < 0 && !is_odd_value(err))
		return err;
	if (err < 0)
		facts->name[0] = '\0';
	pad_zero(facts->name, sizeof(facts->name));
	err = read_vifs(s, domid, facts, note);
	if (err)
		return err;
	return read_announcement(s, domid, facts, note);
}

/**
 * domain_attested() - addresses that dom0 says lead to a domain
 * @facts: of the domain
 * @domid: the domain; dom0 attests for itself whatever it announces
 * @list: set to them
 */
void domain_attested(const struct domain_facts *facts, unsigned int domid,
		     struct addr_list *list)
{
	unsigned int i, j;

	list->n = 0;
	for (i = 0; i < facts->nvif; i++)
		for (j = 0; j < facts->vif[i].ip.n; j++)
			addr_list_add(list, &facts->vif[i].ip.a[j]);
	if (domid == 0)
		for (i = 0; i < facts->addr.n; i++)
			addr_list_add(list, &facts->addr.a[i]);
}

/* dom0 is on every bridge, for the bridges are its own. */
static bool is_on_bridge(const struct domain_facts *facts, unsigned int domid,
			 const char *bridge)
{
	unsigned int i;

	if (!*bridge)
		return false;
	if (domid == 0)
		return true;
	for (i = 0; i < facts->nvif; i++)
		if (!strcmp(facts->vif[i].bridge, bridge))
			return true;
	return false;
}

/**
 * domain_share_bridge() - are two domains on the same bridge?
 * @a: one domain
 * @a_domid: its id
 * @b: the other
 * @b_domid: its id
 *
 * Return: true if a bridge has interfaces of both.
 */
bool domain_share_bridge(const struct domain_facts *a, unsigned int a_domid,
			 const struct domain_facts *b, unsigned int b_domid)
{
	unsigned int i;

	for (i = 0; i < a->nvif; i++)
		if (is_on_bridge(b, b_domid, a->vif[i].bridge))
			return true;
	for (i = 0; i < b->nvif; i++)
		if (is_on_bridge(a, a_domid, b->vif[i].bridge))
			return true;
	return false;
}
