// SPDX-License-Identifier: GPL-2.0
/*
 * xenvmc stat: what happened how often, and why connections stayed on TCP.
 *
 * The names are the kernel's. Counters that are zero say little and are many,
 * so they are shown on demand only; JSON follows the same rule.
 */
#include <errno.h>

#include <linux/xenvmc_netlink.h>

#include "attr.h"
#include "nl.h"

/**
 * struct stat_show - what to show
 * @out: where
 * @zero: also the counters that are zero
 */
struct stat_show {
	struct print *out;
	bool zero;
};

static const struct attr_policy entry_policy[XENVMC_A_STAT_MAX + 1] = {
	[XENVMC_A_STAT_NAME]	= { .type = MNL_TYPE_NUL_STRING },
	[XENVMC_A_STAT_VALUE]	= { .type = MNL_TYPE_U64 },
};

static const struct attr_policy nest_policy = { .type = MNL_TYPE_NESTED };

static bool stat_entry(const struct nlattr *nest, const struct stat_show *show)
{
	const struct nlattr *tb[XENVMC_A_STAT_MAX + 1];
	uint64_t value;

	if (!attr_check(nest, &nest_policy) ||
	    !attr_parse_nested(nest, entry_policy, XENVMC_A_STAT_MAX, tb))
		return false;
	if (!tb[XENVMC_A_STAT_NAME] || !tb[XENVMC_A_STAT_VALUE]) {
		errno = EBADMSG;
		return false;
	}
	value = mnl_attr_get_u64(tb[XENVMC_A_STAT_VALUE]);
	if (value || show->zero)
		print_row(show->out, mnl_attr_get_str(tb[XENVMC_A_STAT_NAME]),
			  value);
	return true;
}

/* Entries repeat in the message itself, so attr_parse() is of no use here. */
static int stat_show_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct stat_show *show = data;
	const struct nlattr *attr;

	if (nlh->nlmsg_len < mnl_nlmsg_size(GENL_HDRLEN)) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	mnl_attr_for_each(attr, nlh, GENL_HDRLEN) {
		if (mnl_attr_get_type(attr) == XENVMC_A_STAT_ENTRY &&
		    !stat_entry(attr, show))
			return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

static enum status stat_show(struct args *args, struct print *out)
{
	struct stat_show show = { .out = out };
	enum status st = ST_OK;
	const char *word;

	while (!st && (word = args_next(args))) {
		if (args_is(word, "zero"))
			show.zero = true;
		else
			st = args_garbage(word);
	}
	if (st)
		return st;
	print_object(out);
	return nl_show_one(XENVMC_CMD_STAT_GET, stat_show_cb, &show, out);
}

const struct cmd stat_cmds[] = {
	{ .name = "show", .run = stat_show },
	{ .name = NULL },
};
