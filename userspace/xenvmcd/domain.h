/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is known of one domain: what dom0 attests (uuid, name, network
 * interfaces with their addresses) and what the domain says of itself.
 */
#ifndef XENVMCD_DOMAIN_H
#define XENVMCD_DOMAIN_H

#include "addr.h"

#include <stdbool.h>

struct store;

#define DOMAIN_UUID_LEN	36
#define DOMAIN_NAME_MAX	128
#define DOMAIN_VIF_MAX	32
#define DOMAIN_NOTE_MAX	192

#define DOMAIN_VERSION	"1"	/* the one version of protocol.rst so far */

/**
 * struct domain_vif - a network interface, as dom0's toolstack set it up
 * @devid: its number
 * @mac: text, for the log only
 * @bridge: the bridge that it is on
 * @ip: addresses that dom0 gave it
 */
struct domain_vif {
	unsigned int devid;
	char mac[18];
	char bridge[64];
	struct addr_list ip;
};

/**
 * struct domain_facts - all that is known; equal facts are equal bytes
 * @uuid: the toolstack's
 * @name: the toolstack's, may be empty
 * @nvif: how many network interfaces
 * @vif: they, by number
 * @announced: runs a version of XenVMC that this daemon knows
 * @addr: addresses that it announces
 */
struct domain_facts {
	char uuid[DOMAIN_UUID_LEN + 1];
	char name[DOMAIN_NAME_MAX];
	unsigned int nvif;
	struct domain_vif vif[DOMAIN_VIF_MAX];
	bool announced;
	struct addr_list addr;
};

int domain_read_uuid(struct store *s, unsigned int domid,
		     char uuid[DOMAIN_UUID_LEN + 1]);
int domain_read_facts(struct store *s, unsigned int domid,
		      struct domain_facts *facts, char note[DOMAIN_NOTE_MAX]);
void domain_attested(const struct domain_facts *facts, unsigned int domid,
		     struct addr_list *list);
bool domain_share_bridge(const struct domain_facts *a, unsigned int a_domid,
			 const struct domain_facts *b, unsigned int b_domid);
bool domain_is_uuid(const char *text);

#endif
