/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The directory of this host: which domains there are, and what each of them
 * can read about the others.
 */
#ifndef XENVMCD_DIRECTORY_H
#define XENVMCD_DIRECTORY_H

#include <stdint.h>

struct directory;
struct policy;
struct store;

struct directory *directory_new(struct store *s, struct policy *policy);
int directory_start(struct directory *dir);
void directory_event(struct directory *dir, const char *token);
int64_t directory_run(struct directory *dir, int64_t now);
void directory_set_policy(struct directory *dir, struct policy *policy);
void directory_free(struct directory *dir);

int directory_purge(struct store *s);

#endif
