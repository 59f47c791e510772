// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes as what a guest announces. The first byte says how many of the rest
 * are the version; what remains is the address list.
 */
#include "domain.h"
#include "store.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct guest_store {
	struct store store;
	const uint8_t *version, *addr;
	size_t version_len, addr_len;
};

static int give(char *buf, size_t size, const void *value, size_t len)
{
	if (len >= size)
		return -E2BIG;
	if (memchr(value, '\0', len))
		return -EILSEQ;
	memcpy(buf, value, len);
	buf[len] = '\0';
	return len;
}

static int guest_read(struct store *s, const char *path, char *buf, size_t size)
{
	static const char vm[] = "/vm/11111111-aaaa-4000-8000-000000000001";
	struct guest_store *g = (struct guest_store *)s;

	if (strstr(path, "/vm"))
		return give(buf, size, vm, sizeof(vm) - 1);
	if (strstr(path, "/version"))
		return give(buf, size, g->version, g->version_len);
	/* the toolstack's ip= is no better than the guest's word here */
	if (strstr(path, "/addr") || strstr(path, "/ip"))
		return give(buf, size, g->addr, g->addr_len);
	return -ENOENT;
}

static int guest_list(struct store *s, const char *path, char ***names)
{
	(void)s;
	(void)path;
	*names = malloc(sizeof(char *));
	(*names)[0] = "0";
	return 1;
}

static const struct store_ops guest_ops = {
	.read = guest_read,
	.list = guest_list,
};

/* What is published must read back as it was written. */
static void check_list(const struct addr_list *list)
{
	char text[ADDR_TEXT_MAX], again[ADDR_TEXT_MAX];
	struct addr_list back;

	addr_list_format(list, text);
	snprintf(again, sizeof(again), "%s", text);
	if (addr_list_parse(&back, again) ||
	    memcmp(&back, list, sizeof(back)))
		abort();
}

static void check_note(const char *note)
{
	for (; *note; note++)
		if (*note < ' ' || *note > '~')
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest_store g = { .store = { &guest_ops } };
	char note[DOMAIN_NOTE_MAX];
	struct domain_facts facts;

	if (!size)
		return 0;
	g.version = data + 1;
	g.version_len = data[0] < size ? data[0] : size - 1;
	g.addr = g.version + g.version_len;
	g.addr_len = size - 1 - g.version_len;
	if (domain_read_facts(&g.store, 5, &facts, note))
		abort();
	check_list(&facts.addr);
	check_list(&facts.vif[0].ip);
	check_note(note);
	return 0;
}
