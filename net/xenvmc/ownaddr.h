/* SPDX-License-Identifier: GPL-2.0 */
/* Own addresses, as a guest announces them. */
#ifndef _XVMC_OWNADDR_H
#define _XVMC_OWNADDR_H

#include <linux/types.h>
#include "peer.h"

struct in6_addr;

/* The longest has 45 characters; a space or the end follows */
#define XVMC_OWN_ADDRS_LEN	(XVMC_PEER_MAX_ADDRS * 46)

/* Can it be somebody's, from wherever it is seen? Any context */
bool xvmc_addr6_leads(const struct in6_addr *addr);
bool xvmc_addr4_leads(__be32 addr);
/*
 * Writes them to @buf of XVMC_OWN_ADDRS_LEN, with one space between. True if
 * there will be more in a moment, of which nothing tells
 */
bool xvmc_own_addrs(char *buf);
/* @changed is called in any context when they may be others */
int xvmc_own_addrs_init(void (*changed)(void));
void xvmc_own_addrs_exit(void);		/* it is not called any more */
/* A namespace's setting has changed. Process context */
void xvmc_own_addrs_touch(void);

#endif /* _XVMC_OWNADDR_H */
