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
 * @addr: what
 *
 * Return: true if it is there.
 */
bool addr_list_has(const struct addr_list *list, const struct in6_addr *addr)
{
	unsigned int i;

	for (i = 0; i < list->n; i++)
		if (IN6_ARE_ADDR_EQUAL(&list->a[i], addr))
			return true;
	return false;
}

/**
 * addr_list_add() - add an address that is not there yet
 * @list: where
 * @addr: what
 *
 * Return: false if there was no room for it.
 */
bool addr_list_add(struct addr_list *list, const struct in6_addr *addr)
{
	if (addr_list_has(list, addr))
		return true;
	if (list->n == ADDR_LIST_MAX)
		return false;
	list->a[list->n++] = *addr;
	return true;
}

/* The form that an IPv4 address has in a list. */
static void addr_set_v4(struct in6_addr *addr, struct in_addr v4)
{
	memset(addr, 0, sizeof(*addr));
	addr->s6_addr[10] = 0xff;
	addr->s6_addr[11] = 0xff;
	memcpy(&addr->s6_addr[12], &v4, sizeof(v4));
}

/* An address that a host can have, and that means the same on every host. */
static bool v4_is_usable(struct in_addr v4)
{
	in_addr_t host = ntohl(v4.s_addr);

	return host >> 24 != 0 && host >> 24 != 127 && host < 0xe0000000;
}

static bool v4_is_link_local(struct in_addr v4)
{
	return ntohl(v4.s_addr) >> 16 == 0xa9fe;
}

/*
 * The like. An IPv4 address that is dressed as an IPv6 one could pass for
 * another than it is; so could ::, ::1 and the rest of ::/96.
 */
static bool v6_is_usable(const struct in6_addr *v6)
{
	static const struct in6_addr low;

	return !IN6_IS_ADDR_V4MAPPED(v6) && !IN6_IS_ADDR_MULTICAST(v6) &&
	       memcmp(v6, &low, 12);
}

static bool is_host(const char *prefix, const char *bits)
{
	return !*prefix || !strcmp(prefix, bits);
}

/* 1: *addr is set; 0: nothing for us, and no mistake; -1: malformed. */
static int addr_parse(const char *word, struct in6_addr *addr)
{
	char host[INET6_ADDRSTRLEN];
	struct in_addr v4;
	size_t len;

	/* vif ip= may have a prefix; only a single host says who it is */
	len = strcspn(word, "/");
	if (len >= sizeof(host))
		return -1;
	memcpy(host, word, len);
	host[len] = '\0';
	if (inet_pton(AF_INET6, host, addr) == 1) {
		/* of one link, and every link may have it */
		if (IN6_IS_ADDR_LINKLOCAL(addr))
			return 0;
		return is_host(word + len, "/128") && v6_is_usable(addr) ? 1 :
									   -1;
	}
	if (inet_pton(AF_INET, host, &v4) != 1)
		return -1;
	if (v4_is_link_local(v4))
		return 0;
	if (!is_host(word + len, "/32") || !v4_is_usable(v4))
		return -1;
	addr_set_v4(addr, v4);
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
	struct in6_addr addr;
	char *word;
	int kind;

	memset(list, 0, sizeof(*list));
	while ((word = strsep(&text, " "))) {
		if (!*word)
			continue;
		kind = addr_parse(word, &addr);
		if (kind > 0 && !addr_list_add(list, &addr))
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
	unsigned int i;

	*text = '\0';
	for (i = 0; i < list->n; i++) {
		const struct in6_addr *addr = &list->a[i];

		if (i)
			*text++ = ' ';
		if (IN6_IS_ADDR_V4MAPPED(addr))
			inet_ntop(AF_INET, &addr->s6_addr[12], text,
				  INET_ADDRSTRLEN);
		else
			inet_ntop(AF_INET6, addr, text, INET6_ADDRSTRLEN);
		text += strlen(text);
	}
}
