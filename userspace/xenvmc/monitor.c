// SPDX-License-Identifier: GPL-2.0
/*
 * xenvmc monitor: prints what changes, as it happens.
 *
 * The kernel numbers events. What it could not tell, or we did not take in
 * time, leaves a gap in the numbers, which is printed as what was lost.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include <linux/xenvmc_netlink.h>

#include "nl.h"
#include "show.h"

/* A connection has most. */
#define MAX_ATTRS	XENVMC_A_CONN_MAX

static_assert(XENVMC_A_PEER_MAX <= MAX_ATTRS, "room for a peer");
static_assert(XENVMC_A_HOOK_MAX <= MAX_ATTRS, "room for the hook");

/**
 * struct monitor - what goes on
 * @out: where to print
 * @wanted: a bit for each entry of the table below; 0: all
 * @begun: @next counts
 * @next: number that the next event should have
 */
struct monitor {
	struct print *out;
	unsigned int wanted;
	bool begun;
	uint32_t next;
};

static void conn_event(struct print *out, const struct nlattr **tb)
{
	attr_print_str(out, "event", tb[XENVMC_A_CONN_EVENT]);
	attr_print_u32(out, "id", tb[XENVMC_A_CONN_ID]);
	conn_words(out, tb);
	conn_tx_words(out, tb);
	conn_rx_words(out, tb);
}

/* The kinds of events: words after the first are the object's own */
static const struct kind {
	const char *name;
	uint8_t cmd;
	uint16_t seq;
	uint16_t max;
	const struct attr_policy *policy;
	void (*words)(struct print *out, const struct nlattr **tb);
} kinds[] = {
	{ "peer", XENVMC_CMD_PEER_EVENT, XENVMC_A_PEER_SEQ, XENVMC_A_PEER_MAX,
	  peer_policy, peer_words },
	{ "conn", XENVMC_CMD_CONN_EVENT, XENVMC_A_CONN_SEQ, XENVMC_A_CONN_MAX,
	  conn_policy, conn_event },
	{ "hook", XENVMC_CMD_HOOK_EVENT, XENVMC_A_HOOK_SEQ, XENVMC_A_HOOK_MAX,
	  hook_policy, hook_words },
};

#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

/* Each is a document of its own, and is seen at once. */
static bool monitor_end(struct print *out)
{
	int err;

	print_object_end(out);
	err = print_flush(out);
	if (!err)
		err = print_discard(out);
	if (err)
		errno = -err;
	return !err && !fflush(stdout);
}

static bool monitor_lost(struct print *out, uint32_t count)
{
	print_object(out);
	print_str(out, "object", "lost");
	print_u64(out, "count", count);
	return monitor_end(out);
}

static bool monitor_print(struct monitor *monitor, const struct kind *kind,
			  const struct nlattr **tb)
{
	uint32_t seq = mnl_attr_get_u32(tb[kind->seq]);
	struct print *out = monitor->out;
	uint32_t lost = monitor->begun ? seq - monitor->next : 0;

	monitor->begun = true;
	monitor->next = seq + 1;
	if (lost && !monitor_lost(out, lost))
		return false;
	if (monitor->wanted && !(monitor->wanted & 1U << (kind - kinds)))
		return true;
	print_object(out);
	print_str(out, "object", kind->name);
	kind->words(out, tb);
	return monitor_end(out);
}

static int monitor_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[MAX_ATTRS + 1];
	const struct kind *kind = kinds;

	if (nlh->nlmsg_len < mnl_nlmsg_size(GENL_HDRLEN)) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	while (kind < kinds + KINDS && kind->cmd != genl->cmd)
		kind++;
	/* Of a kernel that is newer than the tool */
	if (kind == kinds + KINDS)
		return MNL_CB_OK;
	if (!attr_parse(nlh, kind->policy, kind->max, tb))
		return MNL_CB_ERROR;
	if (!tb[kind->seq]) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	return monitor_print(data, kind, tb) ? MNL_CB_OK : MNL_CB_ERROR;
}

static enum status monitor_help(void)
{
	fputs("Usage: xenvmc monitor [ peer ] [ conn ] [ hook ]\n", stdout);
	return ST_OK;
}

enum status monitor_run(struct args *args, struct print *out)
{
	struct monitor monitor = { .out = out };
	const char *word;
	size_t i;

	while ((word = args_next(args))) {
		for (i = 0; i < KINDS && !args_is(word, kinds[i].name); i++)
			;
		if (i == KINDS && args_is(word, "help"))
			return monitor_help();
		if (i == KINDS)
			return args_garbage(word);
		monitor.wanted |= 1U << i;
	}
	return nl_monitor(monitor_cb, &monitor);
}
