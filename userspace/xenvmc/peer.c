// SPDX-License-Identifier: GPL-2.0
/*
 * xenvmc peer: the guests of this host that dom0 lets this one see.
 */
#include <errno.h>

#include <linux/xenvmc_netlink.h>

#include "nl.h"
#include "show.h"

const struct attr_policy peer_policy[XENVMC_A_PEER_MAX + 1] = {
	[XENVMC_A_PEER_DOMID]		= { .type = MNL_TYPE_U16 },
	[XENVMC_A_PEER_STATE]		= { .type = MNL_TYPE_NUL_STRING },
	[XENVMC_A_PEER_TRANSPORT]	= { .type = MNL_TYPE_NUL_STRING },
	[XENVMC_A_PEER_UUID]		= { .type = MNL_TYPE_NUL_STRING },
	[XENVMC_A_PEER_ADDR]		= { .type = MNL_TYPE_NESTED },
	[XENVMC_A_PEER_CONNS]		= { .type = MNL_TYPE_U32 },
	[XENVMC_A_PEER_RX_RINGS]	= { .type = MNL_TYPE_U32 },
	[XENVMC_A_PEER_TX_RINGS]	= { .type = MNL_TYPE_U32 },
	[XENVMC_A_PEER_RX_BYTES]	= { .type = MNL_TYPE_U64 },
	[XENVMC_A_PEER_TX_BYTES]	= { .type = MNL_TYPE_U64 },
	[XENVMC_A_PEER_SEQ]		= { .type = MNL_TYPE_U32 },
	[XENVMC_A_PEER_REASON]		= { .type = MNL_TYPE_NUL_STRING },
};

static const struct attr_policy addr_policy = {
	.type = MNL_TYPE_BINARY,
	.len = ATTR_ADDR_LEN,
};

static bool peer_addrs(const struct nlattr *nest, struct print *out)
{
	const struct nlattr *attr;

	print_array(out, "addr");
	mnl_attr_for_each_nested(attr, nest) {
		if (!attr_check(attr, &addr_policy))
			return false;
		print_array_addr(out, mnl_attr_get_payload(attr));
	}
	return true;
}

static void peer_facts(struct print *out, const struct nlattr **tb)
{
	attr_print_str(out, "state", tb[XENVMC_A_PEER_STATE]);
	attr_print_str(out, "transport", tb[XENVMC_A_PEER_TRANSPORT]);
	attr_print_str(out, "uuid", tb[XENVMC_A_PEER_UUID]);
}

/**
 * peer_words() - what an event says of a peer
 * @out: output
 * @tb: checked attributes
 */
void peer_words(struct print *out, const struct nlattr **tb)
{
	if (tb[XENVMC_A_PEER_DOMID])
		print_u64(out, "domid",
			  mnl_attr_get_u16(tb[XENVMC_A_PEER_DOMID]));
	peer_facts(out, tb);
	attr_print_str(out, "reason", tb[XENVMC_A_PEER_REASON]);
}

static int peer_show_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[XENVMC_A_PEER_MAX + 1];
	struct print *out = data;

	if (!attr_parse(nlh, peer_policy, XENVMC_A_PEER_MAX, tb))
		return MNL_CB_ERROR;
	if (!tb[XENVMC_A_PEER_DOMID]) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	print_object(out);
	print_head(out, "domid", mnl_attr_get_u16(tb[XENVMC_A_PEER_DOMID]));
	peer_facts(out, tb);
	if (tb[XENVMC_A_PEER_ADDR] && !peer_addrs(tb[XENVMC_A_PEER_ADDR], out))
		return MNL_CB_ERROR;
	print_break(out);
	attr_print_u32(out, "conns", tb[XENVMC_A_PEER_CONNS]);
	attr_print_u32(out, "rx_rings", tb[XENVMC_A_PEER_RX_RINGS]);
	attr_print_u32(out, "tx_rings", tb[XENVMC_A_PEER_TX_RINGS]);
	attr_print_u64(out, "rx_bytes", tb[XENVMC_A_PEER_RX_BYTES]);
	attr_print_u64(out, "tx_bytes", tb[XENVMC_A_PEER_TX_BYTES]);
	print_object_end(out);
	return MNL_CB_OK;
}

static enum status peer_show(struct args *args, struct print *out)
{
	enum status st = args_end(args);

	return st ? st : nl_show_list(XENVMC_CMD_PEER_GET, peer_show_cb, out,
				      out);
}

const struct cmd peer_cmds[] = {
	{ .name = "show", .run = peer_show },
	{ .name = NULL },
};
