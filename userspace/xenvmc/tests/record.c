// SPDX-License-Identifier: GPL-2.0
/*
 * record NAME: write what the kernel would answer, for XENVMC_NL_FILE.
 *
 * Built with the header of the interface, so that recordings follow it. Names
 * that begin with "request" write what the tool has to send instead.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/xenvmc.h>
#include <linux/xenvmc_netlink.h>

#define FAMILY		0x21
#define U64_BIG		0xfedcba9876543210ULL

static char buf[8192];

static struct nlmsghdr *begin(uint16_t type, uint16_t flags, uint8_t cmd)
{
	struct genlmsghdr *genl;
	struct nlmsghdr *nlh;

	memset(buf, 0, sizeof(buf));
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = flags;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = type == GENL_ID_CTRL ? 1 : XENVMC_GENL_VERSION;
	return nlh;
}

static void end(const struct nlmsghdr *nlh)
{
	fwrite(nlh, 1, nlh->nlmsg_len, stdout);
}

static void put_addr(struct nlmsghdr *nlh, uint16_t type, const char *text)
{
	uint8_t addr[16] = { [10] = 0xff, [11] = 0xff };

	if (inet_pton(AF_INET, text, addr + 12) != 1 &&
	    inet_pton(AF_INET6, text, addr) != 1)
		abort();
	mnl_attr_put(nlh, type, sizeof(addr), addr);
}

static void put_extack(struct nlmsghdr *nlh, const char *text)
{
	if (!text)
		return;
	nlh->nlmsg_flags |= NLM_F_ACK_TLVS;
	mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, text);
}

/* @quoted: the error repeats the request, as it does without NETLINK_CAP_ACK */
static void error(int number, const char *text, int quoted)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlmsgerr *err;

	nlh->nlmsg_type = NLMSG_ERROR;
	nlh->nlmsg_flags = quoted ? 0 : NLM_F_CAPPED;
	err = mnl_nlmsg_put_extra_header(nlh, sizeof(*err));
	err->error = -number;
	err->msg.nlmsg_len = NLMSG_HDRLEN + 8;
	if (quoted)
		mnl_nlmsg_put_extra_header(nlh, 8);
	put_extack(nlh, text);
	end(nlh);
}

static void done(int number, const char *text)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	int *error;

	nlh->nlmsg_type = NLMSG_DONE;
	nlh->nlmsg_flags = NLM_F_MULTI;
	error = mnl_nlmsg_put_extra_header(nlh, sizeof(*error));
	*error = -number;
	put_extack(nlh, text);
	end(nlh);
}

static void put_group(struct nlmsghdr *nlh)
{
	struct nlattr *list = mnl_attr_nest_start(nlh, CTRL_ATTR_MCAST_GROUPS);
	struct nlattr *group = mnl_attr_nest_start(nlh, 1);

	mnl_attr_put_u32(nlh, CTRL_ATTR_MCAST_GRP_ID, 17);
	mnl_attr_put_strz(nlh, CTRL_ATTR_MCAST_GRP_NAME, XENVMC_GENL_GROUP);
	mnl_attr_nest_end(nlh, group);
	mnl_attr_nest_end(nlh, list);
}

static void family(void)
{
	struct nlmsghdr *nlh = begin(GENL_ID_CTRL, 0, CTRL_CMD_NEWFAMILY);

	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, XENVMC_GENL_NAME);
	mnl_attr_put_u16(nlh, CTRL_ATTR_FAMILY_ID, FAMILY);
	mnl_attr_put_u32(nlh, CTRL_ATTR_VERSION, XENVMC_GENL_VERSION);
	put_group(nlh);
	end(nlh);
	error(0, NULL, 0);
}

static void peer(uint16_t flags, uint16_t domid, const char *state,
		 const char *transport)
{
	struct nlmsghdr *nlh;
	struct nlattr *nest;

	nlh = begin(FAMILY, NLM_F_MULTI | flags, XENVMC_CMD_PEER_GET);
	mnl_attr_put_u16(nlh, XENVMC_A_PEER_DOMID, domid);
	mnl_attr_put_strz(nlh, XENVMC_A_PEER_STATE, state);
	mnl_attr_put_strz(nlh, XENVMC_A_PEER_TRANSPORT, transport);
	nest = mnl_attr_nest_start(nlh, XENVMC_A_PEER_ADDR);
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_u32(nlh, XENVMC_A_PEER_CONNS, 3);
	mnl_attr_put_u32(nlh, XENVMC_A_PEER_RX_RINGS, 4);
	mnl_attr_put_u32(nlh, XENVMC_A_PEER_TX_RINGS, 5);
	mnl_attr_put_u64(nlh, XENVMC_A_PEER_RX_BYTES, U64_BIG);
	mnl_attr_put_u64(nlh, XENVMC_A_PEER_TX_BYTES, 0);
	end(nlh);
}

static void peer_full(uint16_t flags)
{
	struct nlmsghdr *nlh;
	struct nlattr *nest;

	nlh = begin(FAMILY, NLM_F_MULTI | flags, XENVMC_CMD_PEER_GET);
	mnl_attr_put_u16(nlh, XENVMC_A_PEER_DOMID, 7);
	mnl_attr_put_strz(nlh, XENVMC_A_PEER_STATE, "connected");
	mnl_attr_put_strz(nlh, XENVMC_A_PEER_TRANSPORT, "xen");
	mnl_attr_put_strz(nlh, XENVMC_A_PEER_UUID,
			  "4dd8b1d2-7f3a-4a0e-9d3a-6d6b0f0c5f01");
	nest = mnl_attr_nest_start(nlh, XENVMC_A_PEER_ADDR);
	put_addr(nlh, 1, "10.0.0.11");
	put_addr(nlh, 2, "fd00::b");
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_u32(nlh, XENVMC_A_PEER_CONNS, 1);
	mnl_attr_put_u32(nlh, XENVMC_A_PEER_RX_RINGS, 2);
	mnl_attr_put_u32(nlh, XENVMC_A_PEER_TX_RINGS, 2);
	mnl_attr_put_u64(nlh, XENVMC_A_PEER_RX_BYTES, 4096);
	mnl_attr_put_u64(nlh, XENVMC_A_PEER_TX_BYTES, 8192);
	/* of a kernel that is newer than the tool */
	mnl_attr_put_u32(nlh, XENVMC_A_PEER_MAX + 5, 1);
	end(nlh);
}

static void peers(void)
{
	family();
	peer(0, XENVMC_DOMID_SELF, "connected", "loop");
	peer_full(0);
	done(0, NULL);
}

static void peers_none(void)
{
	family();
	done(0, NULL);
}

static void peers_changed_once(void)
{
	family();
	peer(0, 99, "waiting", "xen");
	peer(NLM_F_DUMP_INTR, 98, "waiting", "xen");
	/* the rest of the first dump is of no interest any more */
	peer(0, 1, "broken", "carrier pigeon");
	done(0, NULL);
}

static void peers_changing(void)
{
	int i;

	family();
	for (i = 0; i < 5; i++)
		peer(NLM_F_DUMP_INTR, 98, "waiting", "xen");
}

static void peers_bad_addr(void)
{
	struct nlmsghdr *nlh;
	struct nlattr *nest;

	family();
	peer(0, 1, "connected", "xen");
	nlh = begin(FAMILY, NLM_F_MULTI, XENVMC_CMD_PEER_GET);
	mnl_attr_put_u16(nlh, XENVMC_A_PEER_DOMID, 7);
	nest = mnl_attr_nest_start(nlh, XENVMC_A_PEER_ADDR);
	mnl_attr_put_u32(nlh, 1, 0x0100007f);
	mnl_attr_nest_end(nlh, nest);
	end(nlh);
	done(0, NULL);
}

static void peers_bad_u16(void)
{
	struct nlmsghdr *nlh;

	family();
	nlh = begin(FAMILY, NLM_F_MULTI, XENVMC_CMD_PEER_GET);
	mnl_attr_put_u32(nlh, XENVMC_A_PEER_DOMID, 7);
	end(nlh);
	done(0, NULL);
}

static void peers_anonymous(void)
{
	family();
	end(begin(FAMILY, NLM_F_MULTI, XENVMC_CMD_PEER_GET));
	done(0, NULL);
}

static void peers_cut(void)
{
	family();
	peer(0, 1, "connected", "xen");
}

static void dump_error(void)
{
	family();
	peer(0, 1, "connected", "xen");
	done(ENOMEM, "dump ran out of memory");
}

static void conn_more(struct nlmsghdr *nlh, int tcp)
{
	if (tcp) {
		mnl_attr_put_strz(nlh, XENVMC_A_CONN_REASON, "urgent");
		mnl_attr_put_u64(nlh, XENVMC_A_CONN_TX_TCP_BYTES, 12);
		mnl_attr_put_u64(nlh, XENVMC_A_CONN_RX_TCP_BYTES, U64_BIG);
	}
	mnl_attr_put_u32(nlh, XENVMC_A_CONN_TX_SWITCHES, 3);
	mnl_attr_put_u32(nlh, XENVMC_A_CONN_RX_SWITCHES, 2);
	mnl_attr_put_u32(nlh, XENVMC_A_CONN_TX_RING, 524288);
	mnl_attr_put_u32(nlh, XENVMC_A_CONN_RX_RING, tcp ? 0 : 16384);
	mnl_attr_put_u64(nlh, XENVMC_A_CONN_TX_STALLS, 7);
}

static void conn(uint32_t id, uint16_t domid, const char *local,
		 const char *remote, uint32_t sport, uint32_t dport)
{
	struct nlmsghdr *nlh = begin(FAMILY, NLM_F_MULTI, XENVMC_CMD_CONN_GET);

	mnl_attr_put_u32(nlh, XENVMC_A_CONN_ID, id);
	mnl_attr_put_u16(nlh, XENVMC_A_CONN_DOMID, domid);
	mnl_attr_put_strz(nlh, XENVMC_A_CONN_KIND, local ? "tcp" : "stream");
	mnl_attr_put_strz(nlh, XENVMC_A_CONN_STATE, "up");
	if (local) {
		put_addr(nlh, XENVMC_A_CONN_LOCAL, local);
		put_addr(nlh, XENVMC_A_CONN_REMOTE, remote);
	}
	mnl_attr_put_u32(nlh, XENVMC_A_CONN_SPORT, sport);
	mnl_attr_put_u32(nlh, XENVMC_A_CONN_DPORT, dport);
	mnl_attr_put_strz(nlh, XENVMC_A_CONN_TX, "ring");
	mnl_attr_put_strz(nlh, XENVMC_A_CONN_RX, local ? "tcp" : "ring");
	mnl_attr_put_u64(nlh, XENVMC_A_CONN_TX_BYTES, 100000 + id);
	mnl_attr_put_u64(nlh, XENVMC_A_CONN_RX_BYTES, U64_BIG);
	mnl_attr_put_u64(nlh, XENVMC_A_CONN_INO, 31337);
	conn_more(nlh, local != NULL);
	end(nlh);
}

static void conns(void)
{
	family();
	conn(1, 7, "10.0.0.10", "10.0.0.11", 40000, 5201);
	conn(2, 7, NULL, NULL, 1024, XENVMC_PORT_MAX);
	conn(3, 8, "fd00::a", "fd00::c", 40000, 80);
	done(0, NULL);
}

static void conns_bad_addr(void)
{
	struct nlmsghdr *nlh;

	family();
	nlh = begin(FAMILY, NLM_F_MULTI, XENVMC_CMD_CONN_GET);
	mnl_attr_put_u32(nlh, XENVMC_A_CONN_ID, 1);
	mnl_attr_put_u32(nlh, XENVMC_A_CONN_LOCAL, 1);
	end(nlh);
	done(0, NULL);
}

static void counter(struct nlmsghdr *nlh, const char *name, uint64_t value)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, XENVMC_A_STAT_ENTRY);

	mnl_attr_put_strz(nlh, XENVMC_A_STAT_NAME, name);
	mnl_attr_put_u64(nlh, XENVMC_A_STAT_VALUE, value);
	mnl_attr_nest_end(nlh, nest);
}

static void stats(void)
{
	struct nlmsghdr *nlh;

	family();
	nlh = begin(FAMILY, 0, XENVMC_CMD_STAT_GET);
	counter(nlh, "hook_moved", 12);
	counter(nlh, "fallback_no_ring", U64_BIG);
	counter(nlh, "fallback_urgent", 0);
	end(nlh);
	error(0, NULL, 0);
}

static void stats_bad(void)
{
	struct nlmsghdr *nlh;
	struct nlattr *nest;

	family();
	nlh = begin(FAMILY, 0, XENVMC_CMD_STAT_GET);
	nest = mnl_attr_nest_start(nlh, XENVMC_A_STAT_ENTRY);
	mnl_attr_put_u64(nlh, XENVMC_A_STAT_VALUE, 1);
	mnl_attr_nest_end(nlh, nest);
	end(nlh);
	error(0, NULL, 0);
}

static void hook(uint8_t enabled, uint8_t loopback, int xen)
{
	struct nlmsghdr *nlh;

	family();
	nlh = begin(FAMILY, 0, XENVMC_CMD_HOOK_GET);
	mnl_attr_put_u8(nlh, XENVMC_A_HOOK_ENABLED, enabled);
	mnl_attr_put_u8(nlh, XENVMC_A_HOOK_LOOPBACK, loopback);
	mnl_attr_put_u32(nlh, XENVMC_A_HOOK_FAMILY, 19);
	if (xen) {
		mnl_attr_put(nlh, XENVMC_A_HOOK_LOADED, 0, NULL);
		mnl_attr_put_u16(nlh, XENVMC_A_HOOK_DOMID, 3);
		mnl_attr_put(nlh, XENVMC_A_HOOK_DIRECTORY, 0, NULL);
	}
	end(nlh);
	error(0, NULL, 0);
}

static void hook_xen(void)
{
	hook(1, 0, 1);
}

static void hook_bare(void)
{
	hook(0, 0, 0);
}

static void hook_raw(void)
{
	hook(2, 1, 1);
}

static void peer_event(uint32_t seq, const char *state, const char *reason)
{
	struct nlmsghdr *nlh = begin(FAMILY, 0, XENVMC_CMD_PEER_EVENT);

	mnl_attr_put_u32(nlh, XENVMC_A_PEER_SEQ, seq);
	mnl_attr_put_u16(nlh, XENVMC_A_PEER_DOMID, 7);
	mnl_attr_put_strz(nlh, XENVMC_A_PEER_STATE, state);
	mnl_attr_put_strz(nlh, XENVMC_A_PEER_TRANSPORT, "xen");
	if (reason)
		mnl_attr_put_strz(nlh, XENVMC_A_PEER_REASON, reason);
	end(nlh);
}

static void conn_event(uint32_t seq)
{
	struct nlmsghdr *nlh = begin(FAMILY, 0, XENVMC_CMD_CONN_EVENT);

	mnl_attr_put_u32(nlh, XENVMC_A_CONN_SEQ, seq);
	mnl_attr_put_strz(nlh, XENVMC_A_CONN_EVENT, "closed");
	mnl_attr_put_u32(nlh, XENVMC_A_CONN_ID, 9);
	mnl_attr_put_strz(nlh, XENVMC_A_CONN_KIND, "tcp");
	mnl_attr_put_u16(nlh, XENVMC_A_CONN_DOMID, 7);
	put_addr(nlh, XENVMC_A_CONN_LOCAL, "10.0.0.10");
	mnl_attr_put_u32(nlh, XENVMC_A_CONN_SPORT, 5201);
	conn_more(nlh, 1);
	end(nlh);
}

static void hook_event(uint32_t seq, uint8_t enabled)
{
	struct nlmsghdr *nlh = begin(FAMILY, 0, XENVMC_CMD_HOOK_EVENT);

	mnl_attr_put_u32(nlh, XENVMC_A_HOOK_SEQ, seq);
	mnl_attr_put_u8(nlh, XENVMC_A_HOOK_ENABLED, enabled);
	mnl_attr_put_u8(nlh, XENVMC_A_HOOK_LOOPBACK, 0);
	if (enabled)
		mnl_attr_put(nlh, XENVMC_A_HOOK_LOADED, 0, NULL);
	end(nlh);
}

/* Numbers run over; three are missing before the hook's last */
static void events(void)
{
	family();
	hook_event(0xfffffffe, 1);
	peer_event(0xffffffff, "connected", NULL);
	peer_event(0, "closing", "chan_closed");
	conn_event(1);
	/* of a kernel that is newer than the tool */
	end(begin(FAMILY, 0, XENVMC_CMD_MAX + 5));
	hook_event(5, 0);
}

/* Of another one first, and then of ours */
static void events_gone(void)
{
	uint16_t id;

	events();
	for (id = FAMILY + 1; id >= FAMILY; id--) {
		struct nlmsghdr *nlh = begin(GENL_ID_CTRL, 0,
					     CTRL_CMD_DELFAMILY);

		mnl_attr_put_u16(nlh, CTRL_ATTR_FAMILY_ID, id);
		end(nlh);
	}
}

static void events_cut(void)
{
	family();
	hook_event(1, 1);
	fwrite("cut", 1, 3, stdout);
}

static void events_unnumbered(void)
{
	family();
	end(begin(FAMILY, 0, XENVMC_CMD_HOOK_EVENT));
}

static void events_bad(void)
{
	struct nlmsghdr *nlh;

	family();
	nlh = begin(FAMILY, 0, XENVMC_CMD_PEER_EVENT);
	mnl_attr_put_u16(nlh, XENVMC_A_PEER_SEQ, 1);
	end(nlh);
}

/* A module that is older than the tool */
static void no_group(void)
{
	struct nlmsghdr *nlh = begin(GENL_ID_CTRL, 0, CTRL_CMD_NEWFAMILY);

	mnl_attr_put_u16(nlh, CTRL_ATTR_FAMILY_ID, FAMILY);
	end(nlh);
	error(0, NULL, 0);
}

static void ack(void)
{
	family();
	error(0, NULL, 0);
}

static void refused(void)
{
	family();
	error(EPERM, "CAP_NET_ADMIN is needed", 0);
}

static void refused_quoted(void)
{
	family();
	error(EOPNOTSUPP, "not in this namespace", 1);
}

static void refused_plain(void)
{
	family();
	error(EINVAL, NULL, 0);
}

static void no_family(void)
{
	error(ENOENT, NULL, 0);
}

static void request_family(void)
{
	struct nlmsghdr *nlh = begin(GENL_ID_CTRL, NLM_F_REQUEST | NLM_F_ACK,
				     CTRL_CMD_GETFAMILY);

	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, XENVMC_GENL_NAME);
	end(nlh);
}

static void request_set(uint8_t enabled, int loopback)
{
	struct nlmsghdr *nlh;

	request_family();
	nlh = begin(FAMILY, NLM_F_REQUEST | NLM_F_ACK, XENVMC_CMD_HOOK_SET);
	mnl_attr_put_u8(nlh, XENVMC_A_HOOK_ENABLED, enabled);
	if (loopback >= 0)
		mnl_attr_put_u8(nlh, XENVMC_A_HOOK_LOOPBACK, loopback);
	end(nlh);
}

static void request_on(void)
{
	request_set(1, 0);
}

static void request_on_loopback(void)
{
	request_set(1, 1);
}

static void request_off(void)
{
	request_set(0, -1);
}

static void request_peers(void)
{
	request_family();
	end(begin(FAMILY, NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP,
		  XENVMC_CMD_PEER_GET));
}

static void request_conns(void)
{
	request_family();
	end(begin(FAMILY, NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP,
		  XENVMC_CMD_CONN_GET));
}

static void request_stats(void)
{
	request_family();
	end(begin(FAMILY, NLM_F_REQUEST | NLM_F_ACK, XENVMC_CMD_STAT_GET));
}

static const struct {
	const char *name;
	void (*write)(void);
} recordings[] = {
	{ "peers", peers },
	{ "peers_none", peers_none },
	{ "peers_changed_once", peers_changed_once },
	{ "peers_changing", peers_changing },
	{ "peers_bad_addr", peers_bad_addr },
	{ "peers_bad_u16", peers_bad_u16 },
	{ "peers_anonymous", peers_anonymous },
	{ "peers_cut", peers_cut },
	{ "dump_error", dump_error },
	{ "conns", conns },
	{ "conns_bad_addr", conns_bad_addr },
	{ "stats", stats },
	{ "stats_bad", stats_bad },
	{ "hook_xen", hook_xen },
	{ "hook_bare", hook_bare },
	{ "hook_raw", hook_raw },
	{ "events", events },
	{ "events_gone", events_gone },
	{ "events_cut", events_cut },
	{ "events_unnumbered", events_unnumbered },
	{ "events_bad", events_bad },
	{ "no_group", no_group },
	{ "ack", ack },
	{ "refused", refused },
	{ "refused_quoted", refused_quoted },
	{ "refused_plain", refused_plain },
	{ "no_family", no_family },
	{ "request_family", request_family },
	{ "request_peers", request_peers },
	{ "request_conns", request_conns },
	{ "request_stats", request_stats },
	{ "request_on", request_on },
	{ "request_on_loopback", request_on_loopback },
	{ "request_off", request_off },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < sizeof(recordings) / sizeof(recordings[0]); i++) {
		if (argc == 2 && !strcmp(argv[1], recordings[i].name)) {
			recordings[i].write();
			return 0;
		}
	}
	fputs("usage: record NAME\n", stderr);
	return 2;
}
