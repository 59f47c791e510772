// SPDX-License-Identifier: GPL-2.0
/*
 * xenvmc hook: whether TCP connections of this network namespace may move.
 *
 * "show" also tells what is missing, for "on" alone moves nothing if the module
 * of the hook, Xen, or dom0's directory service is not there.
 */
#include <linux/xenvmc_netlink.h>

#include "nl.h"
#include "show.h"

const struct attr_policy hook_policy[XENVMC_A_HOOK_MAX + 1] = {
	[XENVMC_A_HOOK_ENABLED]		= { .type = MNL_TYPE_U8 },
	[XENVMC_A_HOOK_LOOPBACK]	= { .type = MNL_TYPE_U8 },
	[XENVMC_A_HOOK_LOADED]		= { .type = MNL_TYPE_FLAG },
	[XENVMC_A_HOOK_FAMILY]		= { .type = MNL_TYPE_U32 },
	[XENVMC_A_HOOK_DOMID]		= { .type = MNL_TYPE_U16 },
	[XENVMC_A_HOOK_DIRECTORY]	= { .type = MNL_TYPE_FLAG },
	[XENVMC_A_HOOK_SEQ]		= { .type = MNL_TYPE_U32 },
};

static void hook_u8(struct print *out, const char *key,
		    const struct nlattr *attr)
{
	if (attr)
		print_bool(out, key, mnl_attr_get_u8(attr));
}

/**
 * hook_words() - what an event says of the hook
 * @out: output
 * @tb: checked attributes
 */
void hook_words(struct print *out, const struct nlattr **tb)
{
	hook_u8(out, "hook", tb[XENVMC_A_HOOK_ENABLED]);
	hook_u8(out, "loopback", tb[XENVMC_A_HOOK_LOOPBACK]);
	print_flag(out, "xenvmc_inet", tb[XENVMC_A_HOOK_LOADED], "loaded",
		   "not loaded");
}

static int hook_show_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[XENVMC_A_HOOK_MAX + 1];
	struct print *out = data;

	if (!attr_parse(nlh, hook_policy, XENVMC_A_HOOK_MAX, tb))
		return MNL_CB_ERROR;
	hook_u8(out, "hook", tb[XENVMC_A_HOOK_ENABLED]);
	hook_u8(out, "loopback", tb[XENVMC_A_HOOK_LOOPBACK]);
	print_line(out);
	print_flag(out, "xenvmc_inet", tb[XENVMC_A_HOOK_LOADED], "loaded",
		   "not loaded: connections stay on TCP");
	print_line(out);
	if (tb[XENVMC_A_HOOK_FAMILY])
		print_u64(out, "family",
			  mnl_attr_get_u32(tb[XENVMC_A_HOOK_FAMILY]));
	print_line(out);
	if (tb[XENVMC_A_HOOK_DOMID])
		print_u64(out, "domid",
			  mnl_attr_get_u16(tb[XENVMC_A_HOOK_DOMID]));
	else
		print_null(out, "domid", "none: not on Xen, loopback only");
	print_line(out);
	print_flag(out, "directory", tb[XENVMC_A_HOOK_DIRECTORY], "published",
		   "not published: no xenvmcd runs in dom0, or it does not serve this guest");
	print_object_end(out);
	return MNL_CB_OK;
}

static enum status hook_show(struct args *args, struct print *out)
{
	enum status st = args_end(args);

	if (st)
		return st;
	print_object(out);
	return nl_show_one(XENVMC_CMD_HOOK_GET, hook_show_cb, out, out);
}

/* @loopback: negative to leave it as it is */
static enum status hook_set(bool enabled, int loopback)
{
	struct nlmsghdr *nlh;
	enum status st;
	struct nl nl;

	st = nl_open(&nl);
	if (!st) {
		nlh = nl_prepare(&nl, XENVMC_CMD_HOOK_SET, 0);
		mnl_attr_put_u8(nlh, XENVMC_A_HOOK_ENABLED, enabled);
		if (loopback >= 0)
			mnl_attr_put_u8(nlh, XENVMC_A_HOOK_LOOPBACK,
					(uint8_t)loopback);
		st = nl_request(&nl, nlh, NULL, NULL);
	}
	nl_close(&nl);
	return st;
}

/* Sets both, so that the result does not depend on what was before. */
static enum status hook_on(struct args *args, struct print *out)
{
	enum status st = ST_OK;
	int loopback = 0;
	const char *word;

	(void)out;
	while (!st && (word = args_next(args))) {
		if (args_is(word, "loopback"))
			loopback = 1;
		else
			st = args_garbage(word);
	}
	return st ? st : hook_set(true, loopback);
}

static enum status hook_off(struct args *args, struct print *out)
{
	enum status st = args_end(args);

	(void)out;
	return st ? st : hook_set(false, -1);
}

const struct cmd hook_cmds[] = {
	{ .name = "show", .run = hook_show },
	{ .name = "on", .run = hook_on },
	{ .name = "off", .run = hook_off },
	{ .name = NULL },
};
