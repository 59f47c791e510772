// SPDX-License-Identifier: GPL-2.0
/*
 * asker: asks a peer to move TCP connections, or is asked, and has no right to.
 *
 *	insmod asker.ko peer=10.77.0.101 own=10.77.0.102 sport=7801 dport=40000
 *		lie=wrong_iss
 *
 * The connection is named as it is seen from here, or from the guest that it is
 * taken from. What asks has ids that no connection here has, so the answers are
 * counted: ctl_unknown_conn. Fails with -ENOTCONN without a channel to the
 * peer, -ENOENT if the lie is about a connection of this guest's and there is
 * none, -EINVAL for a lie that it does not know. It leaves nothing behind, and
 * says yes to questions, with says_yes, until it is unloaded. The hook is not.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/inet.h>
#include <linux/module.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include "chan.h"
#include "conn.h"
#include "peer.h"
#include "proof.h"
#include "compat/compat.h"
#include "core/ring.c"
#include "core/frame.c"

static char *peer = "", *own = "", *lie = "";
module_param(peer, charp, 0444);
MODULE_PARM_DESC(peer, "IPv4 address of the peer");
module_param(own, charp, 0444);
MODULE_PARM_DESC(own, "the other address of the connection");
module_param(lie, charp, 0444);
MODULE_PARM_DESC(lie, "what to ask for");

static ushort sport, dport;
module_param(sport, ushort, 0444);
MODULE_PARM_DESC(sport, "port at the other address");
module_param(dport, ushort, 0444);
MODULE_PARM_DESC(dport, "port of the peer's");

#define FIRST_ID	0x7f000000
#define FLOOD		2000
#define PATIENCE	(10 * HZ)	/* for room in the control ring */

static __be32 peer_v4, own_v4;
static bool answers;

/* ---- means ---- */

static int say(struct xvmc_chan *chan, u16 type, const void *body, u32 len)
{
	unsigned long end = jiffies + PATIENCE;
	int ret;

	for (;;) {
		spin_lock_bh(&chan->lock);
		ret = READ_ONCE(chan->state) != XVMC_CHAN_UP ? -ENOTCONN :
		      xvmc_frame_put(&chan->tx_ctl.prod, type, body, len);
		spin_unlock_bh(&chan->lock);
		chan->ops->kick(chan);
		if (ret != -EAGAIN || time_after(jiffies, end))
			return min(ret, 0);
		schedule_timeout_uninterruptible(1);
	}
}

static int ask(struct xvmc_chan *chan, const struct xvmc_msg_upgrade *upgrade)
{
	return say(chan, XVMC_MSG_UPGRADE, upgrade, sizeof(*upgrade));
}

static void fill(struct xvmc_msg_upgrade *upgrade)
{
	*upgrade = (struct xvmc_msg_upgrade) {
		.conn = FIRST_ID,
		.sport = (__force u16)htons(sport),
		.dport = (__force u16)htons(dport),
	};
	ipv6_addr_set_v4mapped(own_v4, (struct in6_addr *)upgrade->saddr);
	ipv6_addr_set_v4mapped(peer_v4, (struct in6_addr *)upgrade->daddr);
}

/*
 * As one who has the connection would ask, it is of this guest's, but for what
 * is added to the numbers that prove it
 */
static int fill_proof(struct xvmc_chan *chan, struct xvmc_msg_upgrade *upgrade,
		      u32 iss, u32 irs)
{
	const struct tcp_sock *tp;
	struct sock *sk;
	int err = -ENOENT;

	fill(upgrade);
	sk = compat_lookup(&init_net, peer_v4, htons(dport), own_v4, sport);
	if (!sk)
		return err;
	if (sk_fullsock(sk)) {
		lock_sock(sk);
		tp = tcp_sk(sk);
		iss += tp->snd_una - (u32)tp->bytes_acked;
		irs += tp->rcv_nxt - (u32)tp->bytes_received - 1;
		release_sock(sk);
		upgrade->nonce = get_random_u64();
		upgrade->proof = xvmc_proof(chan, XVMC_PROOF_ASK, upgrade,
					    iss, irs);
		err = 0;
	}
	sock_gen_put(sk);
	return err;
}

/* ---- lies ---- */

/* A connection that the peer has with another guest */
static int foreign_tuple(struct xvmc_chan *chan)
{
	struct xvmc_msg_upgrade upgrade;

	fill(&upgrade);
	return ask(chan, &upgrade);
}

/* One that the peer would have with itself */
static int own_address(struct xvmc_chan *chan)
{
	struct xvmc_msg_upgrade upgrade;

	fill(&upgrade);
	memcpy(upgrade.saddr, upgrade.daddr, sizeof(upgrade.saddr));
	return ask(chan, &upgrade);
}

static int wrong_iss(struct xvmc_chan *chan)
{
	struct xvmc_msg_upgrade upgrade;
	int err = fill_proof(chan, &upgrade, 1000, 0);

	return err ? err : ask(chan, &upgrade);
}

static int wrong_irs(struct xvmc_chan *chan)
{
	struct xvmc_msg_upgrade upgrade;
	int err = fill_proof(chan, &upgrade, 0, 1000);

	return err ? err : ask(chan, &upgrade);
}

/* The first time it is proved, but for a connection that is not there */
static int twice(struct xvmc_chan *chan)
{
	struct xvmc_msg_upgrade upgrade;
	int err = fill_proof(chan, &upgrade, 0, 0);

	if (!err)
		err = ask(chan, &upgrade);
	upgrade.conn++;
	return err ? err : ask(chan, &upgrade);
}

/* Of connections that nobody has */
static int flood(struct xvmc_chan *chan)
{
	struct xvmc_msg_upgrade upgrade;
	int err = 0;
	u32 i;

	fill(&upgrade);
	for (i = 0; i < FLOOD && !err; i++) {
		upgrade.conn = FIRST_ID + i;
		upgrade.sport = (__force u16)htons(1 + i);
		err = ask(chan, &upgrade);
	}
	return err;
}

/* As if each connection that is asked for were ours */
static u32 yes(struct xvmc_chan *chan, const struct xvmc_msg_upgrade *upgrade)
{
	const struct xvmc_msg_yes answer = {
		.conn = upgrade->conn,
		.arg = FIRST_ID,
		.proof = upgrade->proof,
	};

	say(chan, XVMC_MSG_UPGRADE_OK, &answer, sizeof(answer));
	return 0;
}

static int says_yes(struct xvmc_chan *chan)
{
	xvmc_set_upgrade_handler(yes);
	answers = true;
	return 0;
}

static const struct {
	const char *name;
	int (*tell)(struct xvmc_chan *chan);
} lies[] = {
	{ "foreign_tuple",	foreign_tuple },
	{ "own_address",	own_address },
	{ "wrong_iss",		wrong_iss },
	{ "wrong_irs",		wrong_irs },
	{ "twice",		twice },
	{ "flood",		flood },
	{ "says_yes",		says_yes },
};

static int __init asker_init(void)
{
	struct in6_addr to = {};
	struct xvmc_chan *chan;
	int err = -EINVAL;
	bool known;
	u32 i;

	if (!in4_pton(peer, -1, (u8 *)&peer_v4, -1, NULL) ||
	    !in4_pton(own, -1, (u8 *)&own_v4, -1, NULL))
		return -EINVAL;
	ipv6_addr_set_v4mapped(peer_v4, &to);
	chan = xvmc_peer_chan_by_addr(&to, &known);
	if (!chan)
		return -ENOTCONN;
	for (i = 0; i < ARRAY_SIZE(lies); i++)
		if (!strcmp(lies[i].name, lie))
			err = lies[i].tell(chan);
	pr_info("%s: %d\n", lie, err);
	xvmc_chan_put(chan);
	return err;
}

static void __exit asker_exit(void)
{
	if (answers)
		xvmc_set_upgrade_handler(NULL);
}

module_init(asker_init);
module_exit(asker_exit);
MODULE_DESCRIPTION("XenVMC: a peer that asks for what is not its own, for tests");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(COMPAT_NS);
