// SPDX-License-Identifier: GPL-2.0
/*
 * Lists of addresses, see addr.h. The text may come from a hostile guest.
 */
#include "addr.h"

#include <arpa/inet.h>
#include <string.h>

/**
 * addr_list_has() - look for an address
 * @list: where
 * @addr: what, in network byte order
 *
 * Return: true if it is there.
 */
bool addr_list_has(const struct addr_list *list, in_addr_t addr)
{
	unsigned int i;

	for (i = 0; i < list->n; i++)
		if (list->a[i] == addr)
			return true;
	return false;
}

/**
 * addr_list_add() - add an address that is not there yet
 * @list: where
 * @addr: what, in network byte order
 *
 * Return: false if there was no room for it.
 */
bool addr_list_add(struct addr_list *list, in_addr_t addr)
{
	if (addr_list_has(list, addr))
		return true;
	if (list->n == ADDR_LIST_MAX)
		return false;
	list->a[list->n++] = addr;
	return true;
}

/* An address that a host can have, and that means the same on every host. */
static bool addr_is_usable(in_addr_t addr)
{
	in_addr_t host = ntohl(addr);

	return host >> 24 != 0 && host >> 24 != 127 && host < 0xe0000000;
}

/* 1: *addr is set; 0: nothing for us, and no mistake; -1: malformed. */
static int addr_parse(const char *word, in_addr_t *addr)
{
	char host[INET6_ADDRSTRLEN];
	struct in6_addr v6;
	struct in_addr v4;
	size_t len;

	/* vif ip= may have a prefix; only a single host says who it is */
	len = strcspn(word, "/");
	if (len >= sizeof(host))
		return -1;
	memcpy(host, word, len);
	host[len] = '\0';
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return 0;
	if (word[len] && strcmp(word + len, "/32"))
		return -1;
	if (inet_pton(AF_INET, host, &v4) != 1 || !addr_is_usable(v4.s_addr))
		return -1;
	*addr = v4.s_addr;
	return 1;
}

/**
 * addr_list_parse() - read a list
 * @list: set to the addresses that are well formed, as far as there is room
 * @text: the list, changed by this
 *
 * Return: NULL, or the first word that is malformed or one too many, within
 * @text.
 */
const char *addr_list_parse(struct addr_list *list, char *text)
{
	const char *bad = NULL;
	in_addr_t addr;
	char *word;
	int kind;

	memset(list, 0, sizeof(*list));
	while ((word = strsep(&text, " "))) {
		if (!*word)
			continue;
		kind = addr_parse(word, &addr);
		if (kind > 0 && !addr_list_add(list, addr))
			kind = -1;
		if (kind < 0 && !bad)
			bad = word;
	}
	return bad;
}

/**
 * addr_list_format() - write a list
 * @list: the addresses
 * @text: set to them, one space between; room for ADDR_TEXT_MAX
 */
void addr_list_format(const struct addr_list *list, char *text)
{
	struct in_addr addr;
	unsigned int i;

	*text = '\0';
	for (i = 0; i < list->n; i++) {
		if (i)
			*text++ = ' ';
		addr.s_addr = list->a[i];
		inet_ntop(AF_INET, &addr, text, INET_ADDRSTRLEN);
		text += strlen(text);
	}
}
