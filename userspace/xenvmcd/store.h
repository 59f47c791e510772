/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What xenvmcd needs of XenStore, behind a table of functions, so that all but
 * store.c also runs in tests against a store in memory.
 *
 * Every function returns a negative errno on failure. There is one thread and
 * at most one open transaction; while it is open every call is part of it.
 */
#ifndef XENVMCD_STORE_H
#define XENVMCD_STORE_H

#include <stdbool.h>
#include <stddef.h>

#define STORE_PATH_MAX	256
#define STORE_VALUE_MAX	2048	/* the default quota of a guest's node */
#define STORE_TOKEN_MAX	32

/**
 * struct store_perms - the permissions of a node, in the one form used here
 * @owner: domain that may read and write it
 * @reader: domain that may read it; the owner again if there is none
 */
struct store_perms {
	unsigned int owner;
	unsigned int reader;
};

struct store;

/**
 * struct store_ops - one kind of store
 * @read: reads a node of less than @size bytes, adds a NUL, returns its length;
 *	-ENOENT, -E2BIG if larger, -EILSEQ if there is a NUL in it
 * @list: names below a node, to be freed by free(3); returns how many
 * @write: creates or overwrites a node, and creates missing ones above it,
 *	with the permissions of the node above
 * @rm: removes a node and all below, which need not exist
 * @get_perms: -EPROTO if they have another form than struct store_perms
 * @set_perms: replaces the permissions of a node
 * @begin: opens a transaction
 * @end: closes it; -EAGAIN if it was to be committed and must be done again
 * @introduced: 1 if the domain lives, 0 if not
 * @watch: adds or removes a watch on a node and all below
 * @next_event: the token of the next watch that has fired; -EAGAIN if none
 */
struct store_ops {
	int (*read)(struct store *s, const char *path, char *buf, size_t size);
	int (*list)(struct store *s, const char *path, char ***names);
	int (*write)(struct store *s, const char *path, const char *value);
	int (*rm)(struct store *s, const char *path);
	int (*get_perms)(struct store *s, const char *path,
			 struct store_perms *perms);
	int (*set_perms)(struct store *s, const char *path,
			 const struct store_perms *perms);
	int (*begin)(struct store *s);
	int (*end)(struct store *s, bool commit);
	int (*introduced)(struct store *s, unsigned int domid);
	int (*watch)(struct store *s, const char *path, const char *token,
		     bool on);
	int (*next_event)(struct store *s, char token[STORE_TOKEN_MAX]);
};

/**
 * struct store - a store; its own data follows in the structure around it
 * @ops: how to use it
 */
struct store {
	const struct store_ops *ops;
};

/* store_util.c: the path is given as for printf(3) */
int store_read(struct store *s, char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int store_list(struct store *s, char ***names, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int store_write(struct store *s, const char *value, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int store_rm(struct store *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int store_get_perms(struct store *s, struct store_perms *perms,
		    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int store_set_perms(struct store *s, unsigned int owner, unsigned int reader,
		    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int store_begin(struct store *s);
int store_end(struct store *s, bool commit);
int store_domid(const char *name, unsigned int *domid);

/* store.c: the real one */
struct store *store_open(const char **missing);
void store_close(struct store *s);
int store_fd(struct store *s);

#endif
