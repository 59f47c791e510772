/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A XenStore in memory, with the properties that xenvmcd depends on: nodes
 * above are made by a write and inherit permissions, transactions, watches on
 * subtrees. What was written is kept as a list of lines, and failures and
 * conflicts can be ordered.
 */
#ifndef FAKE_STORE_H
#define FAKE_STORE_H

#include "store.h"

#include <stdbool.h>
#include <stddef.h>

#define FAKE_JOURNAL_LINE 320

/**
 * struct fake_node - a node
 * @path: where
 * @value: its value
 * @len: length of @value, which may hold NULs
 * @perms: permissions
 */
struct fake_node {
	char *path;
	char *value;
	size_t len;
	struct store_perms perms;
};

/**
 * struct fake_tree - all nodes, in no order
 * @node: they
 * @n: how many
 */
struct fake_tree {
	struct fake_node *node;
	size_t n;
};

struct fake_watch {
	char *path;
	char *token;
};

/**
 * struct fake_store - a store
 * @store: for the code under test
 * @tree: the nodes
 * @tx: the nodes as the open transaction sees them
 * @in_tx: a transaction is open
 * @journal: what the code under test wrote, a line each: "write PATH VALUE",
 *	"rm PATH", "perms PATH OWNER READER"; a transaction's lines appear when it
 *	is committed, after a line "commit"
 * @njournal: how many lines
 * @pending: lines of the open transaction
 * @npending: how many
 * @watch: watches
 * @nwatch: how many
 * @event: tokens of watches that have fired
 * @nevent: how many
 * @calls: calls so far
 * @reads: calls of read so far
 * @fail_at: the call, counted by @calls, that fails with -EIO; 0 for none
 * @fail_below: calls about nodes whose path begins so fail with -EIO, or NULL
 * @conflicts: so many commits to come end in -EAGAIN
 * @on_begin: called when a transaction has begun, to change things under it
 */
struct fake_store {
	struct store store;
	struct fake_tree tree;
	struct fake_tree tx;
	bool in_tx;
	char (*journal)[FAKE_JOURNAL_LINE];
	size_t njournal;
	char (*pending)[FAKE_JOURNAL_LINE];
	size_t npending;
	struct fake_watch *watch;
	size_t nwatch;
	char (*event)[STORE_TOKEN_MAX];
	size_t nevent;
	unsigned long calls;
	unsigned long reads;
	unsigned long fail_at;
	const char *fail_below;
	unsigned int conflicts;
	void (*on_begin)(struct fake_store *f);
};

struct fake_store *fake_new(void);
void fake_free(struct fake_store *f);

/* What others do to the store: watches fire, the journal does not see it. */
void fake_put(struct fake_store *f, const char *value, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void fake_put_bytes(struct fake_store *f, const void *value, size_t len,
		    const char *path);
void fake_rm(struct fake_store *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void fake_fire(struct fake_store *f, const char *path);

/* The value of a node, NULL if there is none. */
const char *fake_get(const struct fake_store *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
const struct fake_node *fake_node(const struct fake_store *f, const char *path);

void fake_journal_clear(struct fake_store *f);
/* The index of the first line that begins so, from @from on, or -1. */
int fake_journal_find(const struct fake_store *f, size_t from,
		      const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A domain as the toolstack makes it; bridge and ip may be NULL. */
void fake_domain(struct fake_store *f, unsigned int domid, unsigned int serial,
		 const char *bridge, const char *ip);
void fake_domain_gone(struct fake_store *f, unsigned int domid);
/* What the module writes; addr may be NULL. */
void fake_announce(struct fake_store *f, unsigned int domid, const char *addr);
void fake_withdraw(struct fake_store *f, unsigned int domid);
const char *fake_uuid(unsigned int serial);

#endif
