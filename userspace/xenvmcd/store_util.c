// SPDX-License-Identifier: GPL-2.0
/*
 * Calls of a store with a path that is put together on the way. Paths here
 * consist of fixed words and domain ids, so STORE_PATH_MAX is never reached.
 */
#include "store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOMID_FIRST_RESERVED 0x7ff0	/* xen/include/public/xen.h */

struct path {
	char text[STORE_PATH_MAX];
};

static const char *path_format(struct path *path, const char *fmt, va_list ap)
{
	vsnprintf(path->text, sizeof(path->text), fmt, ap);
	return path->text;
}

/* Evaluates to what @call returns, with "path" set from fmt and ... */
#define WITH_PATH(call) ({					\
	const char *path;					\
	struct path buf_;					\
	va_list ap_;						\
	int ret_;						\
								\
	va_start(ap_, fmt);					\
	path = path_format(&buf_, fmt, ap_);			\
	va_end(ap_);						\
	ret_ = (call);						\
	ret_; })

/**
 * store_read() - read a node
 * @s: the store
 * @buf: set to the value, with a NUL behind
 * @size: room there
 * @fmt: path
 *
 * Return: the length, or a negative errno as struct store_ops says.
 */
int store_read(struct store *s, char *buf, size_t size, const char *fmt, ...)
{
	return WITH_PATH(s->ops->read(s, path, buf, size));
}

/**
 * store_list() - names below a node
 * @s: the store
 * @names: set to them, to be freed by free(3), if there are any
 * @fmt: path
 *
 * Return: how many, 0 also if there is no such node, or a negative errno.
 */
int store_list(struct store *s, char ***names, const char *fmt, ...)
{
	char **list = NULL;
	int n = WITH_PATH(s->ops->list(s, path, &list));

	if (n > 0)
		*names = list;
	else
		free(list);
	return n == -ENOENT ? 0 : n;
}

/**
 * store_write() - create or overwrite a node
 * @s: the store
 * @value: its value
 * @fmt: path
 *
 * Return: 0 or a negative errno.
 */
int store_write(struct store *s, const char *value, const char *fmt, ...)
{
	return WITH_PATH(s->ops->write(s, path, value));
}

/**
 * store_rm() - remove a node and all below
 * @s: the store
 * @fmt: path
 *
 * Return: 0, also if there was none, or a negative errno.
 */
int store_rm(struct store *s, const char *fmt, ...)
{
	int err = WITH_PATH(s->ops->rm(s, path));

	return err == -ENOENT ? 0 : err;
}

/**
 * store_get_perms() - read the permissions of a node
 * @s: the store
 * @perms: set to them
 * @fmt: path
 *
 * Return: 0 or a negative errno, -EPROTO if they have another form.
 */
int store_get_perms(struct store *s, struct store_perms *perms,
		    const char *fmt, ...)
{
	return WITH_PATH(s->ops->get_perms(s, path, perms));
}

/**
 * store_set_perms() - replace the permissions of a node
 * @s: the store
 * @owner: domain that may read and write it
 * @reader: domain that may read it
 * @fmt: path
 *
 * Return: 0 or a negative errno.
 */
int store_set_perms(struct store *s, unsigned int owner, unsigned int reader,
		    const char *fmt, ...)
{
	struct store_perms perms = { .owner = owner, .reader = reader };

	return WITH_PATH(s->ops->set_perms(s, path, &perms));
}

/**
 * store_begin() - open a transaction
 * @s: the store
 *
 * Return: 0 or a negative errno.
 */
int store_begin(struct store *s)
{
	return s->ops->begin(s);
}

/**
 * store_end() - close the transaction
 * @s: the store
 * @commit: make it hold; else it is as if it had not been
 *
 * Return: 0; -EAGAIN if it could not be made to hold because something that it
 * read has changed meanwhile; another negative errno.
 */
int store_end(struct store *s, bool commit)
{
	return s->ops->end(s, commit);
}

/**
 * store_domid() - read the name of a node that stands for a domain
 * @name: the name
 * @domid: set to the domain id
 *
 * Return: 0, or -EINVAL if it is not a decimal domain id.
 */
int store_domid(const char *name, unsigned int *domid)
{
	unsigned long id;
	char *end;

	if (!*name || strspn(name, "0123456789") != strlen(name))
		return -EINVAL;
	errno = 0;
	id = strtoul(name, &end, 10);
	if (errno || id >= DOMID_FIRST_RESERVED)
		return -EINVAL;
	*domid = id;
	return 0;
}
