/* SPDX-License-Identifier: GPL-2.0 */
/* The policy in memory, for policy.c and policy_file.c only. */
#ifndef XENVMCD_POLICY_PRIV_H
#define XENVMCD_POLICY_PRIV_H

#include "policy.h"

/* What holds if no rule is about two domains; 0 is what the daemon builds in */
enum policy_default {
	POLICY_BRIDGE,
	POLICY_ALLOW,
	POLICY_DENY,
	POLICY_DEFAULTS
};

enum policy_kind {
	POLICY_ANY,
	POLICY_DOMID,
	POLICY_UUID,
	POLICY_NAME,
	POLICY_GROUP
};

/**
 * struct policy_member - one word that stands for domains
 * @kind: how to read it
 * @domid: POLICY_DOMID: the domain
 * @group: POLICY_GROUP: index of the group
 * @text: POLICY_UUID, POLICY_NAME: it, else NULL
 */
struct policy_member {
	enum policy_kind kind;
	unsigned int domid;
	size_t group;
	char *text;
};

/**
 * struct policy_group - a name for several members
 * @name: the name, without @
 * @member: the members, no groups among them
 * @n: how many
 */
struct policy_group {
	char *name;
	struct policy_member *member;
	size_t n;
};

/**
 * struct policy_rule - allow or deny
 * @allow: which of both
 * @a: one side
 * @b: the other
 */
struct policy_rule {
	bool allow;
	struct policy_member a;
	struct policy_member b;
};

/**
 * struct policy - a whole file
 * @def: what holds if no rule matches
 * @attest_required: announced addresses do not count
 * @rule: rules, the first match counts
 * @nrule: how many
 * @group: groups
 * @ngroup: how many
 */
struct policy {
	enum policy_default def;
	bool attest_required;
	struct policy_rule *rule;
	size_t nrule;
	struct policy_group *group;
	size_t ngroup;
};

extern const char *const policy_default_names[POLICY_DEFAULTS];

#endif
