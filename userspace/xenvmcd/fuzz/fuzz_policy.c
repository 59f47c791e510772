// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes as a policy file: either a policy that gives the same answer both
 * ways round, or one line of complaint.
 */
#include "policy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct policy *policy)
{
	static const struct policy_party a = {
		1, "11111111-aaaa-4000-8000-000000000001", "web",
	};
	static const struct policy_party b = {
		2, "22222222-bbbb-4000-8000-000000000002", "db",
	};
	char text[POLICY_ERR_MAX];
	int bridge;

	for (bridge = 0; bridge < 2; bridge++)
		if (policy_pairs(policy, &a, &b, bridge) !=
		    policy_pairs(policy, &b, &a, bridge))
			abort();
	policy_describe(policy, text, sizeof(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char err[POLICY_ERR_MAX] = "";
	struct policy *policy;
	FILE *f;

	if (!size)
		return 0;
	f = fmemopen((void *)data, size, "r");
	if (!f)
		return 0;
	policy = policy_parse(f, "f", err);
	fclose(f);
	if (!policy && (strncmp(err, "f:", 2) || strchr(err, '\n')))
		abort();
	if (policy)
		ask(policy);
	policy_free(policy);
	return 0;
}
