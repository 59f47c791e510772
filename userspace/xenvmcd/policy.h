/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which domains may see each other, from a file of the administrator's. The
 * form of the file is in xenvmcd(8).
 */
#ifndef XENVMCD_POLICY_H
#define XENVMCD_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define POLICY_ERR_MAX 512

struct policy;

/**
 * struct policy_party - a domain, as rules know it
 * @domid: its id
 * @uuid: its uuid
 * @name: its name
 */
struct policy_party {
	unsigned int domid;
	const char *uuid;
	const char *name;
};

struct policy *policy_builtin(void);
struct policy *policy_load(const char *path, char err[POLICY_ERR_MAX]);
struct policy *policy_parse(FILE *f, const char *path,
			    char err[POLICY_ERR_MAX]);
bool policy_pairs(const struct policy *policy, const struct policy_party *a,
		  const struct policy_party *b, bool share_bridge);
bool policy_attest_required(const struct policy *policy);
void policy_describe(const struct policy *policy, char *text, size_t size);
void policy_free(struct policy *policy);

#endif
