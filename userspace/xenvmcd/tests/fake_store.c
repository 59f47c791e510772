// SPDX-License-Identifier: GPL-2.0
/* A XenStore in memory, see fake_store.h. */
#include "fake_store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT_PATH(path, fmt) do {				\
	va_list ap_;						\
								\
	va_start(ap_, fmt);					\
	vsnprintf(path, sizeof(path), fmt, ap_);		\
	va_end(ap_);						\
} while (0)

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static struct fake_store *to_fake(struct store *s)
{
	return (struct fake_store *)s;
}

static struct fake_tree *tree_now(struct fake_store *f)
{
	return f->in_tx ? &f->tx : &f->tree;
}

static struct fake_node *tree_find(const struct fake_tree *t, const char *path)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (!strcmp(t->node[i].path, path))
			return &t->node[i];
	return NULL;
}

static bool is_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	return !strncmp(path, top, len) && (!path[len] || path[len] == '/');
}

static void node_set(struct fake_node *node, const void *value, size_t len)
{
	free(node->value);
	node->value = must(malloc(len + 1));
	memcpy(node->value, value, len);
	node->value[len] = '\0';
	node->len = len;
}

/* The node, made with all above it if need be. */
static struct fake_node *tree_make(struct fake_tree *t, const char *path)
{
	struct fake_node *node = tree_find(t, path);
	struct store_perms perms = { 0 };
	char parent[STORE_PATH_MAX];
	char *slash;

	if (node)
		return node;
	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (slash && slash != parent) {
		*slash = '\0';
		perms = tree_make(t, parent)->perms;
	}
	t->node = must(reallocarray(t->node, t->n + 1, sizeof(*t->node)));
	node = &t->node[t->n++];
	memset(node, 0, sizeof(*node));
	node->path = must(strdup(path));
	node->perms = perms;
	node_set(node, "", 0);
	return node;
}

static int tree_rm(struct fake_tree *t, const char *path)
{
	size_t i, kept = 0;
	bool found = false;

	for (i = 0; i < t->n; i++) {
		if (is_below(t->node[i].path, path)) {
			free(t->node[i].path);
			free(t->node[i].value);
			found = true;
		} else {
			t->node[kept++] = t->node[i];
		}
	}
	t->n = kept;
	return found ? 0 : -ENOENT;
}

static void tree_free(struct fake_tree *t)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		free(t->node[i].path);
		free(t->node[i].value);
	}
	free(t->node);
	memset(t, 0, sizeof(*t));
}

static void tree_copy(struct fake_tree *dst, const struct fake_tree *src)
{
	size_t i;

	memset(dst, 0, sizeof(*dst));
	dst->node = must(calloc(src->n + 1, sizeof(*dst->node)));
	for (dst->n = 0; dst->n < src->n; dst->n++) {
		i = dst->n;
		dst->node[i].path = must(strdup(src->node[i].path));
		node_set(&dst->node[i], src->node[i].value, src->node[i].len);
		dst->node[i].perms = src->node[i].perms;
	}
}

/* Equal in all that a transaction could have read. */
static bool tree_same(const struct fake_tree *a, const struct fake_tree *b)
{
	size_t i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (strcmp(a->node[i].path, b->node[i].path) ||
		    a->node[i].len != b->node[i].len ||
		    memcmp(a->node[i].value, b->node[i].value, a->node[i].len))
			return false;
	return true;
}

void fake_fire(struct fake_store *f, const char *path)
{
	size_t i;

	for (i = 0; i < f->nwatch; i++) {
		if (!is_below(path, f->watch[i].path) &&
		    !is_below(f->watch[i].path, path))
			continue;
		f->event = must(reallocarray(f->event, f->nevent + 1,
					     sizeof(*f->event)));
		snprintf(f->event[f->nevent++], STORE_TOKEN_MAX, "%s",
			 f->watch[i].token);
	}
}

static void __attribute__((format(printf, 2, 3)))
note(struct fake_store *f, const char *fmt, ...)
{
	char line[FAKE_JOURNAL_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (f->in_tx) {
		f->pending = must(reallocarray(f->pending, f->npending + 1,
					       sizeof(*f->pending)));
		strcpy(f->pending[f->npending++], line);
	} else {
		f->journal = must(reallocarray(f->journal, f->njournal + 1,
					       sizeof(*f->journal)));
		strcpy(f->journal[f->njournal++], line);
	}
}

static int step(struct fake_store *f)
{
	return ++f->calls == f->fail_at ? -EIO : 0;
}

/* A call that is about a node */
static int step_at(struct fake_store *f, const char *path)
{
	int err = step(f);

	if (f->fail_below && !strncmp(path, f->fail_below,
				      strlen(f->fail_below)))
		return -EIO;
	return err;
}

static int fake_op_read(struct store *s, const char *path, char *buf,
			size_t size)
{
	struct fake_store *f = to_fake(s);
	struct fake_node *node;

	f->reads++;
	if (step_at(f, path))
		return -EIO;
	node = tree_find(tree_now(f), path);
	if (!node)
		return -ENOENT;
	if (node->len >= size)
		return -E2BIG;
	if (strlen(node->value) != node->len)
		return -EILSEQ;
	memcpy(buf, node->value, node->len + 1);
	return node->len;
}

static int fake_op_list(struct store *s, const char *path, char ***names)
{
	struct fake_store *f = to_fake(s);
	struct fake_tree *t = tree_now(f);
	size_t i, n = 0, top = strlen(path), bytes = 0;
	char **list, *text;

	if (step_at(f, path))
		return -EIO;
	if (!tree_find(t, path))
		return -ENOENT;
	for (i = 0; i < t->n; i++)
		bytes += strlen(t->node[i].path) + 1;
	list = must(malloc((t->n + 1) * sizeof(*list) + bytes));
	text = (char *)(list + t->n + 1);
	for (i = 0; i < t->n; i++) {
		const char *p = t->node[i].path;

		if (!is_below(p, path) || !p[top] || strchr(p + top + 1, '/'))
			continue;
		list[n++] = strcpy(text, p + top + 1);
		text += strlen(text) + 1;
	}
	*names = list;
	return n;
}

static int fake_op_write(struct store *s, const char *path, const char *value)
{
	struct fake_store *f = to_fake(s);

	if (step_at(f, path))
		return -EIO;
	node_set(tree_make(tree_now(f), path), value, strlen(value));
	note(f, "write %s %s", path, value);
	if (!f->in_tx)
		fake_fire(f, path);
	return 0;
}

static int fake_op_rm(struct store *s, const char *path)
{
	struct fake_store *f = to_fake(s);
	int err;

	if (step_at(f, path))
		return -EIO;
	err = tree_rm(tree_now(f), path);
	if (err)
		return err;
	note(f, "rm %s", path);
	if (!f->in_tx)
		fake_fire(f, path);
	return 0;
}

static int fake_op_get_perms(struct store *s, const char *path,
			     struct store_perms *perms)
{
	struct fake_store *f = to_fake(s);
	struct fake_node *node;

	if (step_at(f, path))
		return -EIO;
	node = tree_find(tree_now(f), path);
	if (!node)
		return -ENOENT;
	*perms = node->perms;
	return 0;
}

static int fake_op_set_perms(struct store *s, const char *path,
			     const struct store_perms *perms)
{
	struct fake_store *f = to_fake(s);
	struct fake_node *node;

	if (step_at(f, path))
		return -EIO;
	node = tree_find(tree_now(f), path);
	if (!node)
		return -ENOENT;
	node->perms = *perms;
	note(f, "perms %s %u %u", path, perms->owner, perms->reader);
	return 0;
}

static struct fake_tree at_begin;

static int fake_op_begin(struct store *s)
{
	struct fake_store *f = to_fake(s);

	if (step(f))
		return -EIO;
	if (f->in_tx)
		abort();
	tree_copy(&f->tx, &f->tree);
	tree_copy(&at_begin, &f->tree);
	f->npending = 0;
	if (f->on_begin)
		f->on_begin(f);
	f->in_tx = true;
	return 0;
}

static void commit(struct fake_store *f)
{
	size_t i;

	tree_free(&f->tree);
	f->tree = f->tx;
	memset(&f->tx, 0, sizeof(f->tx));
	if (f->npending)
		note(f, "commit");
	for (i = 0; i < f->npending; i++) {
		char path[FAKE_JOURNAL_LINE];

		note(f, "%s", f->pending[i]);
		if (sscanf(f->pending[i], "%*s %319s", path) == 1)
			fake_fire(f, path);
	}
}

static int fake_op_end(struct store *s, bool ok)
{
	struct fake_store *f = to_fake(s);
	int err = step(f);

	if (!f->in_tx)
		abort();
	f->in_tx = false;
	if (ok && !err && f->conflicts) {
		f->conflicts--;
		err = -EAGAIN;
	}
	if (ok && !err && !tree_same(&f->tree, &at_begin))
		err = -EAGAIN;
	tree_free(&at_begin);
	if (ok && !err)
		commit(f);
	tree_free(&f->tx);
	return err;
}

static int fake_op_introduced(struct store *s, unsigned int domid)
{
	return fake_get(to_fake(s), "/introduced/%u", domid) != NULL;
}

static int watch_add(struct fake_store *f, const char *path, const char *token)
{
	size_t i;

	for (i = 0; i < f->nwatch; i++)
		if (!strcmp(f->watch[i].path, path) &&
		    !strcmp(f->watch[i].token, token))
			return -EEXIST;
	f->watch = must(reallocarray(f->watch, f->nwatch + 1,
				     sizeof(*f->watch)));
	f->watch[f->nwatch].path = must(strdup(path));
	f->watch[f->nwatch++].token = must(strdup(token));
	return 0;
}

static int watch_del(struct fake_store *f, const char *path, const char *token)
{
	size_t i;

	for (i = 0; i < f->nwatch; i++) {
		if (strcmp(f->watch[i].path, path) ||
		    strcmp(f->watch[i].token, token))
			continue;
		free(f->watch[i].path);
		free(f->watch[i].token);
		f->watch[i] = f->watch[--f->nwatch];
		return 0;
	}
	return -ENOENT;
}

static int fake_op_watch(struct store *s, const char *path, const char *token,
			 bool on)
{
	struct fake_store *f = to_fake(s);

	if (step(f))
		return -EIO;
	if (!on)
		return watch_del(f, path, token);
	return watch_add(f, path, token);
}

static int fake_op_next_event(struct store *s, char token[STORE_TOKEN_MAX])
{
	struct fake_store *f = to_fake(s);

	if (!f->nevent)
		return -EAGAIN;
	memcpy(token, f->event[0], STORE_TOKEN_MAX);
	f->nevent--;
	memmove(f->event[0], f->event[1], f->nevent * sizeof(*f->event));
	return 0;
}

static const struct store_ops fake_ops = {
	.read		= fake_op_read,
	.list		= fake_op_list,
	.write		= fake_op_write,
	.rm		= fake_op_rm,
	.get_perms	= fake_op_get_perms,
	.set_perms	= fake_op_set_perms,
	.begin		= fake_op_begin,
	.end		= fake_op_end,
	.introduced	= fake_op_introduced,
	.watch		= fake_op_watch,
	.next_event	= fake_op_next_event,
};

struct fake_store *fake_new(void)
{
	struct fake_store *f = must(calloc(1, sizeof(*f)));

	f->store.ops = &fake_ops;
	tree_make(&f->tree, "/local/domain/0");
	return f;
}

void fake_free(struct fake_store *f)
{
	size_t i;

	for (i = 0; i < f->nwatch; i++) {
		free(f->watch[i].path);
		free(f->watch[i].token);
	}
	free(f->watch);
	free(f->event);
	free(f->journal);
	free(f->pending);
	tree_free(&f->tree);
	free(f);
}

void fake_put_bytes(struct fake_store *f, const void *value, size_t len,
		    const char *path)
{
	node_set(tree_make(&f->tree, path), value, len);
	fake_fire(f, path);
}

void fake_put(struct fake_store *f, const char *value, const char *fmt, ...)
{
	char path[STORE_PATH_MAX];

	FORMAT_PATH(path, fmt);
	fake_put_bytes(f, value, strlen(value), path);
}

void fake_rm(struct fake_store *f, const char *fmt, ...)
{
	char path[STORE_PATH_MAX];

	FORMAT_PATH(path, fmt);
	if (!tree_rm(&f->tree, path))
		fake_fire(f, path);
}

const struct fake_node *fake_node(const struct fake_store *f, const char *path)
{
	return tree_find(&f->tree, path);
}

const char *fake_get(const struct fake_store *f, const char *fmt, ...)
{
	const struct fake_node *node;
	char path[STORE_PATH_MAX];

	FORMAT_PATH(path, fmt);
	node = fake_node(f, path);
	return node ? node->value : NULL;
}

void fake_journal_clear(struct fake_store *f)
{
	f->njournal = 0;
}

int fake_journal_find(const struct fake_store *f, size_t from,
		      const char *fmt, ...)
{
	char start[FAKE_JOURNAL_LINE];
	size_t i;

	FORMAT_PATH(start, fmt);
	for (i = from; i < f->njournal; i++)
		if (!strncmp(f->journal[i], start, strlen(start)))
			return i;
	return -1;
}

const char *fake_uuid(unsigned int serial)
{
	static char uuid[4][37];
	static unsigned int next;
	char *u = uuid[next++ % 4];

	snprintf(u, sizeof(uuid[0]), "%08x-0000-4000-8000-%012x", serial,
		 serial);
	return u;
}

void fake_domain(struct fake_store *f, unsigned int domid, unsigned int serial,
		 const char *bridge, const char *ip)
{
	char path[STORE_PATH_MAX], value[STORE_PATH_MAX];

	snprintf(path, sizeof(path), "/local/domain/%u", domid);
	tree_make(&f->tree, path)->perms = (struct store_perms){ 0, domid };
	snprintf(value, sizeof(value), "/vm/%s", fake_uuid(serial));
	fake_put(f, value, "%s/vm", path);
	snprintf(value, sizeof(value), "guest%u", domid);
	fake_put(f, value, "%s/name", path);
	snprintf(path, sizeof(path), "/local/domain/0/backend/vif/%u/0", domid);
	if (bridge)
		fake_put(f, bridge, "%s/bridge", path);
	if (ip)
		fake_put(f, ip, "%s/ip", path);
	fake_put(f, "", "/introduced/%u", domid);
	fake_fire(f, "@introduceDomain");
}

void fake_domain_gone(struct fake_store *f, unsigned int domid)
{
	fake_rm(f, "/introduced/%u", domid);
	fake_fire(f, "@releaseDomain");
	fake_rm(f, "/local/domain/%u", domid);
	fake_rm(f, "/local/domain/0/backend/vif/%u", domid);
}

void fake_announce(struct fake_store *f, unsigned int domid, const char *addr)
{
	if (addr)
		fake_put(f, addr, "/local/domain/%u/data/xenvmc/addr", domid);
	fake_put(f, "1", "/local/domain/%u/data/xenvmc/version", domid);
}

void fake_withdraw(struct fake_store *f, unsigned int domid)
{
	fake_rm(f, "/local/domain/%u/data/xenvmc", domid);
}
