// SPDX-License-Identifier: GPL-2.0
/*
 * The policy: what it is in memory, and what it says of two domains. The file
 * is read by policy_file.c.
 */
#include "policy_priv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *const policy_default_names[POLICY_DEFAULTS] = {
	[POLICY_BRIDGE]	= "bridge",
	[POLICY_ALLOW]	= "allow",
	[POLICY_DENY]	= "deny",
};

/**
 * policy_builtin() - what holds without a policy file
 *
 * Return: the policy "default bridge", or NULL if there is no memory.
 */
struct policy *policy_builtin(void)
{
	return calloc(1, sizeof(struct policy));
}

static bool member_is(const struct policy *policy,
		      const struct policy_member *member,
		      const struct policy_party *party);

static bool group_has(const struct policy *policy,
		      const struct policy_group *group,
		      const struct policy_party *party)
{
	size_t i;

	for (i = 0; i < group->n; i++)
		if (member_is(policy, &group->member[i], party))
			return true;
	return false;
}

/* Groups do not nest, so this goes at most one deep. */
static bool member_is(const struct policy *policy,
		      const struct policy_member *member,
		      const struct policy_party *party)
{
	switch (member->kind) {
	case POLICY_ANY:
		return true;
	case POLICY_DOMID:
		return member->domid == party->domid;
	case POLICY_UUID:
		return !strcasecmp(member->text, party->uuid);
	case POLICY_NAME:
		return !strcmp(member->text, party->name);
	case POLICY_GROUP:
		return group_has(policy, &policy->group[member->group], party);
	}
	return false;
}

static bool rule_is_about(const struct policy *policy,
			  const struct policy_rule *rule,
			  const struct policy_party *a,
			  const struct policy_party *b)
{
	return member_is(policy, &rule->a, a) && member_is(policy, &rule->b, b);
}

/**
 * policy_pairs() - may two domains see each other?
 * @policy: the policy
 * @a: one domain
 * @b: the other; the order does not matter
 * @share_bridge: they are on the same bridge
 *
 * Return: what the first rule about the two says, else what the default says.
 */
bool policy_pairs(const struct policy *policy, const struct policy_party *a,
		  const struct policy_party *b, bool share_bridge)
{
	size_t i;

	for (i = 0; i < policy->nrule; i++) {
		const struct policy_rule *rule = &policy->rule[i];

		if (rule_is_about(policy, rule, a, b) ||
		    rule_is_about(policy, rule, b, a))
			return rule->allow;
	}
	if (policy->def == POLICY_BRIDGE)
		return share_bridge;
	return policy->def == POLICY_ALLOW;
}

/**
 * policy_attest_required() - do announced addresses count?
 * @policy: the policy
 *
 * Return: true if only those count that dom0 attests.
 */
bool policy_attest_required(const struct policy *policy)
{
	return policy->attest_required;
}

/**
 * policy_describe() - sum up, for a log line
 * @policy: the policy
 * @text: set to the summary
 * @size: room there
 */
void policy_describe(const struct policy *policy, char *text, size_t size)
{
	snprintf(text, size, "%zu rules, %zu groups, default %s, attest %s",
		 policy->nrule, policy->ngroup,
		 policy_default_names[policy->def],
		 policy->attest_required ? "required" : "optional");
}

static void group_free(struct policy_group *group)
{
	size_t i;

	for (i = 0; i < group->n; i++)
		free(group->member[i].text);
	free(group->member);
	free(group->name);
}

/**
 * policy_free() - free a policy
 * @policy: one that may be partly built, or NULL
 */
void policy_free(struct policy *policy)
{
	size_t i;

	if (!policy)
		return;
	for (i = 0; i < policy->nrule; i++) {
		free(policy->rule[i].a.text);
		free(policy->rule[i].b.text);
	}
	free(policy->rule);
	for (i = 0; i < policy->ngroup; i++)
		group_free(&policy->group[i]);
	free(policy->group);
	free(policy);
}
