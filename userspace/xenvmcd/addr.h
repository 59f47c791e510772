/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lists of addresses, as they stand in XenStore: words with spaces between.
 * IPv6, and IPv4 in the form of v4-mapped IPv6. Addresses of one link only are
 * passed over without complaint.
 */
#ifndef XENVMCD_ADDR_H
#define XENVMCD_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#define ADDR_LIST_MAX	16	/* protocol.rst */
#define ADDR_TEXT_MAX	(ADDR_LIST_MAX * INET6_ADDRSTRLEN + 1)

/**
 * struct addr_list - some addresses, each once
 * @n: how many
 * @a: they
 */
struct addr_list {
	unsigned int n;
	struct in6_addr a[ADDR_LIST_MAX];
};

const char *addr_list_parse(struct addr_list *list, char *text);
bool addr_list_has(const struct addr_list *list, const struct in6_addr *addr);
bool addr_list_add(struct addr_list *list, const struct in6_addr *addr);
void addr_list_format(const struct addr_list *list, char *text);

#endif
