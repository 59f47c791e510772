/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lists of addresses, as they stand in XenStore: words with spaces between.
 * Version 1 knows IPv4 only; IPv6 words are passed over without complaint.
 */
#ifndef XENVMCD_ADDR_H
#define XENVMCD_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#define ADDR_LIST_MAX	16	/* protocol.rst */
#define ADDR_TEXT_MAX	(ADDR_LIST_MAX * INET_ADDRSTRLEN + 1)

/**
 * struct addr_list - some addresses, each once
 * @n: how many
 * @a: they, in network byte order
 */
struct addr_list {
	unsigned int n;
	in_addr_t a[ADDR_LIST_MAX];
};

const char *addr_list_parse(struct addr_list *list, char *text);
bool addr_list_has(const struct addr_list *list, in_addr_t addr);
bool addr_list_add(struct addr_list *list, in_addr_t addr);
void addr_list_format(const struct addr_list *list, char *text);

#endif
