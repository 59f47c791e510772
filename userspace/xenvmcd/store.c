// SPDX-License-Identifier: GPL-2.0
/*
 * The real XenStore, by libxenstore. The only file that talks to it.
 */
#include "store.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenstore.h>

struct xs_store {
	struct store store;
	struct xs_handle *xsh;
	xs_transaction_t tx;
};

static struct xs_store *to_xs(struct store *s)
{
	return (struct xs_store *)s;
}

static int xs_err(bool ok)
{
	if (ok)
		return 0;
	return errno ? -errno : -EIO;
}

static int xs_store_read(struct store *s, const char *path, char *buf,
			 size_t size)
{
	struct xs_store *x = to_xs(s);
	unsigned int len;
	char *value;
	int ret;

	value = xs_read(x->xsh, x->tx, path, &len);
	if (!value)
		return xs_err(false);
	if (len >= size) {
		ret = -E2BIG;
	} else if (memchr(value, '\0', len)) {
		ret = -EILSEQ;
	} else {
		memcpy(buf, value, len);
		buf[len] = '\0';
		ret = len;
	}
	free(value);
	return ret;
}

static int xs_store_list(struct store *s, const char *path, char ***names)
{
	struct xs_store *x = to_xs(s);
	unsigned int n;
	char **list;

	list = xs_directory(x->xsh, x->tx, path, &n);
	if (!list)
		return xs_err(false);
	*names = list;
	return n;
}

static int xs_store_write(struct store *s, const char *path, const char *value)
{
	struct xs_store *x = to_xs(s);

	return xs_err(xs_write(x->xsh, x->tx, path, value, strlen(value)));
}

static int xs_store_rm(struct store *s, const char *path)
{
	struct xs_store *x = to_xs(s);

	return xs_err(xs_rm(x->xsh, x->tx, path));
}

static int xs_store_get_perms(struct store *s, const char *path,
			      struct store_perms *perms)
{
	struct xs_store *x = to_xs(s);
	struct xs_permissions *list;
	unsigned int n;
	int ret = 0;

	list = xs_get_permissions(x->xsh, x->tx, path, &n);
	if (!list)
		return xs_err(false);
	if (n < 1 || n > 2 || list[0].perms != XS_PERM_NONE ||
	    (n == 2 && list[1].perms != XS_PERM_READ)) {
		ret = -EPROTO;
	} else {
		perms->owner = list[0].id;
		perms->reader = list[n - 1].id;
	}
	free(list);
	return ret;
}

static int xs_store_set_perms(struct store *s, const char *path,
			      const struct store_perms *perms)
{
	struct xs_permissions list[2] = {
		{ .id = perms->owner, .perms = XS_PERM_NONE },
		{ .id = perms->reader, .perms = XS_PERM_READ },
	};
	struct xs_store *x = to_xs(s);

	unsigned int n = perms->owner == perms->reader ? 1 : 2;

	return xs_err(xs_set_permissions(x->xsh, x->tx, path, list, n));
}

static int xs_store_begin(struct store *s)
{
	struct xs_store *x = to_xs(s);

	x->tx = xs_transaction_start(x->xsh);
	return xs_err(x->tx != XBT_NULL);
}

static int xs_store_end(struct store *s, bool commit)
{
	struct xs_store *x = to_xs(s);
	xs_transaction_t tx = x->tx;

	x->tx = XBT_NULL;
	return xs_err(xs_transaction_end(x->xsh, tx, !commit));
}

static int xs_store_introduced(struct store *s, unsigned int domid)
{
	return xs_is_domain_introduced(to_xs(s)->xsh, domid);
}

static int xs_store_watch(struct store *s, const char *path, const char *token,
			  bool on)
{
	struct xs_store *x = to_xs(s);

	return xs_err(on ? xs_watch(x->xsh, path, token) :
			   xs_unwatch(x->xsh, path, token));
}

static int xs_store_next_event(struct store *s, char token[STORE_TOKEN_MAX])
{
	char **event;

	event = xs_check_watch(to_xs(s)->xsh);
	if (!event)
		return xs_err(false);
	snprintf(token, STORE_TOKEN_MAX, "%s", event[XS_WATCH_TOKEN]);
	free(event);
	return 0;
}

static const struct store_ops xs_store_ops = {
	.read		= xs_store_read,
	.list		= xs_store_list,
	.write		= xs_store_write,
	.rm		= xs_store_rm,
	.get_perms	= xs_store_get_perms,
	.set_perms	= xs_store_set_perms,
	.begin		= xs_store_begin,
	.end		= xs_store_end,
	.introduced	= xs_store_introduced,
	.watch		= xs_store_watch,
	.next_event	= xs_store_next_event,
};

/* Why xs_open() or a first look failed, as far as one can see from here. */
static const char *what_is_missing(int err)
{
	if (access("/sys/hypervisor/type", F_OK))
		return "this machine does not run under Xen (there is no /sys/hypervisor/type)";
	if (err == EACCES || err == EPERM)
		return "no access to XenStore; xenvmcd is to be run by root in dom0";
	return "no xenstored: its socket and /dev/xen/xenbus are silent; start xenstored first";
}

/**
 * store_open() - connect to XenStore
 * @missing: on failure, set to what is missing
 *
 * Return: the store, or NULL.
 */
struct store *store_open(const char **missing)
{
	char **names = NULL;
	struct xs_store *x;

	x = calloc(1, sizeof(*x));
	if (!x) {
		*missing = "out of memory";
		return NULL;
	}
	x->store.ops = &xs_store_ops;
	x->tx = XBT_NULL;
	x->xsh = xs_open(0);
	if (!x->xsh) {
		*missing = what_is_missing(errno);
		goto err_free;
	}
	if (xs_store_list(&x->store, "/local/domain", &names) < 0) {
		*missing = what_is_missing(errno);
		goto err_close;
	}
	free(names);
	return &x->store;

err_close:
	xs_close(x->xsh);
err_free:
	free(x);
	return NULL;
}

/**
 * store_close() - disconnect
 * @s: a store from store_open()
 */
void store_close(struct store *s)
{
	xs_close(to_xs(s)->xsh);
	free(to_xs(s));
}

/**
 * store_fd() - what to poll for events
 * @s: a store from store_open()
 *
 * Return: a file descriptor, readable when next_event() has something, hung up
 * when xenstored has gone.
 */
int store_fd(struct store *s)
{
	return xs_fileno(to_xs(s)->xsh);
}
