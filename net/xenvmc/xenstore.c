// SPDX-License-Identifier: GPL-2.0
/*
 * XenStore: the only file that talks to it.
 *
 * Documentation/protocol.rst names the nodes. Everything read is parsed to a
 * plain structure before anyone uses it; what is malformed is ignored, or
 * called so where that is a violation. Relative paths are those of the own
 * domain, whatever its id is at the moment.
 *
 * Process context, sleeps for the answer. Watches only tell that something
 * changed: their events are taken in the XenBus thread and never queued, so a
 * flood of them costs no memory here.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/inet.h>
#include <linux/kstrtox.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <uapi/linux/xenvmc.h>
#include "fault.h"
#include "ownaddr.h"
#include "xenstore.h"

#define STORE_OWN	"data/xenvmc"
#define STORE_DIR	"xenvmc"

/* A missing node looks forbidden where its parent cannot be read */
static int store_error(int err)
{
	return err == -EACCES ? -ENOENT : err;
}

static char *store_read(const char *dir, const char *node)
{
	char *value;

	if (xvmc_should_fail(XVMC_FAULT_STORE))
		return ERR_PTR(-ENOMEM);
	value = xenbus_read(XBT_NIL, dir, node, NULL);
	return IS_ERR(value) ? ERR_PTR(store_error(PTR_ERR(value))) : value;
}

static int store_write(const char *dir, const char *node, const char *value)
{
	if (xvmc_should_fail(XVMC_FAULT_STORE))
		return -ENOMEM;
	return xenbus_write(XBT_NIL, dir, node, value);
}

static void store_peer_dir(char *buf, size_t size, u16 domid)
{
	snprintf(buf, size, STORE_DIR "/peer/%u", domid);
}

/**
 * xvmc_store_own_domid() - reads the own domain id
 * @domid: set
 *
 * Context: Process context.
 * Return: 0 or a negative errno.
 */
int xvmc_store_own_domid(u16 *domid)
{
	char *value = store_read("domid", "");
	int err;

	if (IS_ERR(value))
		return PTR_ERR(value);
	err = kstrtou16(value, 10, domid);
	kfree(value);
	return err;
}

/**
 * xvmc_store_own_uuid() - reads what the toolstack gave this guest
 * @uuid: set to the text
 * @size: its room
 *
 * Context: Process context.
 * Return: 0 or a negative errno.
 */
int xvmc_store_own_uuid(char *uuid, size_t size)
{
	char *value = store_read("vm", "");

	if (IS_ERR(value))
		return PTR_ERR(value);
	/* "/vm/UUID" */
	strscpy(uuid, kbasename(value), size);
	kfree(value);
	return 0;
}

/**
 * xvmc_store_has_directory() - whether xenvmcd has published for this guest
 *
 * Context: Process context.
 * Return: 1 if it has, 0 if not, or a negative errno.
 */
int xvmc_store_has_directory(void)
{
	char *value = store_read(STORE_DIR, "domid");

	if (IS_ERR(value))
		return PTR_ERR(value) == -ENOENT ? 0 : PTR_ERR(value);
	kfree(value);
	return 1;
}

/**
 * xvmc_store_announce() - says that this guest speaks XenVMC
 * @addrs: its addresses
 *
 * May be called again when the addresses change.
 *
 * Context: Process context.
 * Return: 0 or a negative errno.
 */
int xvmc_store_announce(const char *addrs)
{
	char features[12];
	int err;

	snprintf(features, sizeof(features), "%x", XVMC_FEATURES);
	err = store_write(STORE_OWN, "features", features);
	if (err)
		return err;
	err = store_write(STORE_OWN, "addr", addrs);
	if (err)
		return err;
	/* Last: who sees it finds the rest */
	return store_write(STORE_OWN, "version", __stringify(XVMC_VERSION));
}

/**
 * xvmc_store_withdraw() - takes the announcement back
 *
 * Context: Process context.
 */
void xvmc_store_withdraw(void)
{
	xenbus_rm(XBT_NIL, STORE_OWN, "");
}

/**
 * xvmc_store_read_peers() - reads the names in the directory
 * @listed: %XENVMC_DOMID_SELF bits, one per domain id; set for each name
 *
 * Context: Process context.
 * Return: 0, also if there is no directory, or a negative errno.
 */
int xvmc_store_read_peers(unsigned long *listed)
{
	unsigned int n, i;
	char **names;
	u16 domid;

	if (xvmc_should_fail(XVMC_FAULT_STORE))
		return -ENOMEM;
	names = xenbus_directory(XBT_NIL, STORE_DIR, "peer", &n);
	if (IS_ERR(names)) {
		int err = store_error(PTR_ERR(names));

		return err == -ENOENT ? 0 : err;
	}
	for (i = 0; i < n; i++)
		if (!kstrtou16(names[i], 10, &domid) &&
		    domid < XENVMC_DOMID_SELF)
			__set_bit(domid, listed);
	kfree(names);
	return 0;
}

/* False for what is malformed, or cannot be somebody's */
static bool store_parse_addr(const char *word, struct in6_addr *addr)
{
	__be32 v4;

	if (!in4_pton(word, -1, (u8 *)&v4, -1, NULL))
		return in6_pton(word, -1, addr->s6_addr, -1, NULL) &&
		       xvmc_addr6_leads(addr);
	ipv6_addr_set_v4mapped(v4, addr);
	return xvmc_addr4_leads(v4);
}

static void store_parse_addrs(char *text, struct xvmc_facts *facts)
{
	char *word;

	facts->naddrs = 0;
	while (facts->naddrs < XVMC_PEER_MAX_ADDRS &&
	       (word = strsep(&text, " ")))
		if (store_parse_addr(word, &facts->addrs[facts->naddrs]))
			facts->naddrs++;
}

/**
 * xvmc_store_read_facts() - reads what dom0 says of a peer
 * @domid: the peer
 * @facts: filled
 *
 * Context: Process context.
 * Return: 0, -ENOENT while the peer is not listed yet, or another negative
 * errno.
 */
int xvmc_store_read_facts(u16 domid, struct xvmc_facts *facts)
{
	char dir[32], *value;

	store_peer_dir(dir, sizeof(dir), domid);
	/* Written last by xenvmcd, hence read first */
	value = store_read(dir, "addr");
	if (IS_ERR(value))
		return PTR_ERR(value);
	store_parse_addrs(value, facts);
	kfree(value);
	value = store_read(dir, "uuid");
	if (IS_ERR(value))
		return PTR_ERR(value);
	memset(facts->uuid, 0, sizeof(facts->uuid));
	strscpy(facts->uuid, value, sizeof(facts->uuid));
	kfree(value);
	return 0;
}

/* ---- offers ---- */

/**
 * xvmc_store_write_offer() - writes the own offer
 * @to: the higher domid of the pair
 * @offer: what is offered
 *
 * Context: Process context.
 * Return: 0 or a negative errno; -ENOENT if dom0 has not made the node.
 */
int xvmc_store_write_offer(u16 to, const struct xvmc_offer *offer)
{
	char dir[32], value[48], *old;

	store_peer_dir(dir, sizeof(dir), to);
	/* A privileged domain could make the node, with permissions amiss */
	old = store_read(dir, "offer");
	if (IS_ERR(old))
		return PTR_ERR(old);
	kfree(old);
	snprintf(value, sizeof(value), "%u %x %u %u", offer->version,
		 offer->features, offer->port, offer->gref);
	return store_write(dir, "offer", value);
}

/**
 * xvmc_store_clear_offer() - empties the own offer
 * @to: the higher domid of the pair
 *
 * Context: Process context.
 */
void xvmc_store_clear_offer(u16 to)
{
	char dir[32];

	store_peer_dir(dir, sizeof(dir), to);
	if (xenbus_exists(XBT_NIL, dir, "offer") > 0)
		xenbus_write(XBT_NIL, dir, "offer", "");
}

/* Four fields; what follows them after a space belongs to later versions */
static int store_parse_offer(const char *text, struct xvmc_offer *offer)
{
	int end = 0;

	if (!*text)
		return -ENOENT;
	if (sscanf(text, "%u %x %u %u%n", &offer->version, &offer->features,
		   &offer->port, &offer->gref, &end) != 4)
		return -EPROTO;
	if (text[end] && text[end] != ' ')
		return -EPROTO;
	return offer->version && offer->port ? 0 : -EPROTO;
}

static int store_read_offer(const char *dir, struct xvmc_offer *offer)
{
	char *value = store_read(dir, "offer");
	int err;

	if (IS_ERR(value))
		return PTR_ERR(value);
	err = store_parse_offer(value, offer);
	kfree(value);
	return err;
}

/**
 * xvmc_store_read_own_offer() - reads what stands in the own offer
 * @to: the higher domid of the pair
 * @offer: filled
 *
 * Context: Process context.
 * Return: 0, -ENOENT if there is no offer, or another negative errno.
 */
int xvmc_store_read_own_offer(u16 to, struct xvmc_offer *offer)
{
	char dir[32];

	store_peer_dir(dir, sizeof(dir), to);
	return store_read_offer(dir, offer);
}

static void store_foreign_dir(char *buf, size_t size, u16 from, u16 own)
{
	snprintf(buf, size, "/local/domain/%u/" STORE_DIR "/peer/%u", from,
		 own);
}

/**
 * xvmc_store_read_offer() - reads a peer's offer to this guest
 * @from: the lower domid of the pair
 * @own: the own one
 * @offer: filled
 *
 * Context: Process context.
 * Return: 0, -ENOENT if there is no offer, -EPROTO if it is malformed, or
 * another negative errno.
 */
int xvmc_store_read_offer(u16 from, u16 own, struct xvmc_offer *offer)
{
	char dir[48];

	store_foreign_dir(dir, sizeof(dir), from, own);
	return store_read_offer(dir, offer);
}

/* ---- watches ---- */

/* XenBus thread, under a spinlock. Nothing is queued there: false */
static bool store_will_handle(struct xenbus_watch *watch, const char *path,
			      const char *token)
{
	struct xvmc_store_watch *w = container_of(watch,
						  struct xvmc_store_watch,
						  watch);

	w->changed(w);
	return false;
}

/* Not reached, but XenBus wants one */
static void store_callback(struct xenbus_watch *watch, const char *path,
			   const char *token)
{
}

static int store_watch(struct xvmc_store_watch *watch)
{
	watch->watch.node = watch->path;
	watch->watch.will_handle = store_will_handle;
	watch->watch.callback = store_callback;
	if (xvmc_should_fail(XVMC_FAULT_WATCH))
		return -ENOMEM;
	return register_xenbus_watch(&watch->watch);
}

/**
 * xvmc_store_watch_directory() - watches dom0's directory for this guest
 * @watch: with changed set
 *
 * Fires once at the beginning, and when a directory that is not there yet
 * appears.
 *
 * Context: Process context.
 * Return: 0 or a negative errno.
 */
int xvmc_store_watch_directory(struct xvmc_store_watch *watch)
{
	strscpy(watch->path, STORE_DIR, sizeof(watch->path));
	return store_watch(watch);
}

/**
 * xvmc_store_watch_offer() - watches a peer's offer to this guest
 * @watch: with changed set
 * @from: the lower domid of the pair
 * @own: the own one
 *
 * Context: Process context.
 * Return: 0 or a negative errno.
 */
int xvmc_store_watch_offer(struct xvmc_store_watch *watch, u16 from, u16 own)
{
	char dir[48];

	store_foreign_dir(dir, sizeof(dir), from, own);
	snprintf(watch->path, sizeof(watch->path), "%s/offer", dir);
	return store_watch(watch);
}

/**
 * xvmc_store_unwatch() - ends a watch
 * @watch: the watch; nothing is called for it afterwards
 *
 * Context: Process context.
 */
void xvmc_store_unwatch(struct xvmc_store_watch *watch)
{
	unregister_xenbus_watch(&watch->watch);
}

/**
 * xvmc_store_when_ready() - waits for a XenStore that answers
 * @nb: called in process context, at once or later
 *
 * In dom0 the module may be loaded before xenstored runs.
 *
 * Context: Process context.
 */
void xvmc_store_when_ready(struct notifier_block *nb)
{
	register_xenstore_notifier(nb);
}

/**
 * xvmc_store_not_ready() - ends the waiting of xvmc_store_when_ready()
 * @nb: not called afterwards
 *
 * Context: Process context.
 */
void xvmc_store_not_ready(struct notifier_block *nb)
{
	unregister_xenstore_notifier(nb);
}
