// SPDX-License-Identifier: GPL-2.0
/*
 * xenvmc conn: connections that are, or were just now, on rings.
 *
 * The kernel dumps all of them; what was asked for is picked out here.
 */
#include <errno.h>

#include <linux/xenvmc.h>
#include <linux/xenvmc_netlink.h>

#include "nl.h"
#include "show.h"

/**
 * struct conn_show - what to show
 * @out: where
 * @domid: of the peer, or negative for any
 * @sport: own port, or negative for any
 * @dport: the peer's port, or negative for any
 */
struct conn_show {
	struct print *out;
	int64_t domid;
	int64_t sport;
	int64_t dport;
};

const struct attr_policy conn_policy[XENVMC_A_CONN_MAX + 1] = {
	[XENVMC_A_CONN_ID]		= { .type = MNL_TYPE_U32 },
	[XENVMC_A_CONN_DOMID]		= { .type = MNL_TYPE_U16 },
	[XENVMC_A_CONN_KIND]		= { .type = MNL_TYPE_NUL_STRING },
	[XENVMC_A_CONN_STATE]		= { .type = MNL_TYPE_NUL_STRING },
	[XENVMC_A_CONN_LOCAL]		= { MNL_TYPE_BINARY, ATTR_ADDR_LEN },
	[XENVMC_A_CONN_REMOTE]		= { MNL_TYPE_BINARY, ATTR_ADDR_LEN },
	[XENVMC_A_CONN_SPORT]		= { .type = MNL_TYPE_U32 },
	[XENVMC_A_CONN_DPORT]		= { .type = MNL_TYPE_U32 },
	[XENVMC_A_CONN_TX]		= { .type = MNL_TYPE_NUL_STRING },
	[XENVMC_A_CONN_RX]		= { .type = MNL_TYPE_NUL_STRING },
	[XENVMC_A_CONN_TX_BYTES]	= { .type = MNL_TYPE_U64 },
	[XENVMC_A_CONN_RX_BYTES]	= { .type = MNL_TYPE_U64 },
	[XENVMC_A_CONN_INO]		= { .type = MNL_TYPE_U64 },
	[XENVMC_A_CONN_REASON]		= { .type = MNL_TYPE_NUL_STRING },
	[XENVMC_A_CONN_TX_TCP_BYTES]	= { .type = MNL_TYPE_U64 },
	[XENVMC_A_CONN_RX_TCP_BYTES]	= { .type = MNL_TYPE_U64 },
	[XENVMC_A_CONN_TX_SWITCHES]	= { .type = MNL_TYPE_U32 },
	[XENVMC_A_CONN_RX_SWITCHES]	= { .type = MNL_TYPE_U32 },
	[XENVMC_A_CONN_TX_RING]		= { .type = MNL_TYPE_U32 },
	[XENVMC_A_CONN_RX_RING]		= { .type = MNL_TYPE_U32 },
	[XENVMC_A_CONN_TX_STALLS]	= { .type = MNL_TYPE_U64 },
	[XENVMC_A_CONN_SEQ]		= { .type = MNL_TYPE_U32 },
	[XENVMC_A_CONN_EVENT]		= { .type = MNL_TYPE_NUL_STRING },
};

static bool port_fits(const struct nlattr *attr, int64_t port)
{
	return port < 0 || (attr && mnl_attr_get_u32(attr) == port);
}

static bool conn_fits(const struct conn_show *show, const struct nlattr **tb)
{
	const struct nlattr *domid = tb[XENVMC_A_CONN_DOMID];

	if (show->domid >= 0 &&
	    !(domid && mnl_attr_get_u16(domid) == show->domid))
		return false;
	return port_fits(tb[XENVMC_A_CONN_SPORT], show->sport) &&
	       port_fits(tb[XENVMC_A_CONN_DPORT], show->dport);
}

/**
 * conn_words() - what a connection is
 * @out: output
 * @tb: checked attributes
 */
void conn_words(struct print *out, const struct nlattr **tb)
{
	attr_print_str(out, "kind", tb[XENVMC_A_CONN_KIND]);
	attr_print_str(out, "state", tb[XENVMC_A_CONN_STATE]);
	if (tb[XENVMC_A_CONN_DOMID])
		print_u64(out, "peer",
			  mnl_attr_get_u16(tb[XENVMC_A_CONN_DOMID]));
	attr_print_addr(out, "local", tb[XENVMC_A_CONN_LOCAL]);
	attr_print_u32(out, "sport", tb[XENVMC_A_CONN_SPORT]);
	attr_print_addr(out, "remote", tb[XENVMC_A_CONN_REMOTE]);
	attr_print_u32(out, "dport", tb[XENVMC_A_CONN_DPORT]);
	attr_print_u64(out, "ino", tb[XENVMC_A_CONN_INO]);
	attr_print_str(out, "reason", tb[XENVMC_A_CONN_REASON]);
}

/**
 * conn_tx_words() - what it has sent, and how
 * @out: output
 * @tb: checked attributes
 */
void conn_tx_words(struct print *out, const struct nlattr **tb)
{
	attr_print_str(out, "tx", tb[XENVMC_A_CONN_TX]);
	attr_print_u64(out, "tx_bytes", tb[XENVMC_A_CONN_TX_BYTES]);
	attr_print_u64(out, "tx_tcp_bytes", tb[XENVMC_A_CONN_TX_TCP_BYTES]);
	attr_print_u32(out, "tx_switches", tb[XENVMC_A_CONN_TX_SWITCHES]);
	attr_print_u32(out, "tx_ring", tb[XENVMC_A_CONN_TX_RING]);
	attr_print_u64(out, "tx_stalls", tb[XENVMC_A_CONN_TX_STALLS]);
}

/**
 * conn_rx_words() - what it has received, and how
 * @out: output
 * @tb: checked attributes
 */
void conn_rx_words(struct print *out, const struct nlattr **tb)
{
	attr_print_str(out, "rx", tb[XENVMC_A_CONN_RX]);
	attr_print_u64(out, "rx_bytes", tb[XENVMC_A_CONN_RX_BYTES]);
	attr_print_u64(out, "rx_tcp_bytes", tb[XENVMC_A_CONN_RX_TCP_BYTES]);
	attr_print_u32(out, "rx_switches", tb[XENVMC_A_CONN_RX_SWITCHES]);
	attr_print_u32(out, "rx_ring", tb[XENVMC_A_CONN_RX_RING]);
}

static void conn_print(struct print *out, const struct nlattr **tb)
{
	print_object(out);
	print_head(out, "id", mnl_attr_get_u32(tb[XENVMC_A_CONN_ID]));
	conn_words(out, tb);
	print_break(out);
	conn_tx_words(out, tb);
	print_break(out);
	conn_rx_words(out, tb);
	print_object_end(out);
}

static int conn_show_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[XENVMC_A_CONN_MAX + 1];
	const struct conn_show *show = data;

	if (!attr_parse(nlh, conn_policy, XENVMC_A_CONN_MAX, tb))
		return MNL_CB_ERROR;
	if (!tb[XENVMC_A_CONN_ID]) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	if (conn_fits(show, tb))
		conn_print(show->out, tb);
	return MNL_CB_OK;
}

static enum status conn_show(struct args *args, struct print *out)
{
	struct conn_show show = {
		.out = out, .domid = -1, .sport = -1, .dport = -1,
	};
	enum status st = ST_OK;
	const char *word;

	while (!st && (word = args_next(args))) {
		if (args_is(word, "peer"))
			st = args_number(args, "peer", UINT16_MAX, &show.domid);
		else if (args_is(word, "sport"))
			st = args_number(args, "sport", XENVMC_PORT_MAX,
					 &show.sport);
		else if (args_is(word, "dport"))
			st = args_number(args, "dport", XENVMC_PORT_MAX,
					 &show.dport);
		else
			st = args_garbage(word);
	}
	return st ? st : nl_show_list(XENVMC_CMD_CONN_GET, conn_show_cb, &show,
				      out);
}

const struct cmd conn_cmds[] = {
	{ .name = "show", .run = conn_show },
	{ .name = NULL },
};
