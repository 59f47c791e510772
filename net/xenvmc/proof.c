// SPDX-License-Identifier: GPL-2.0
/*
 * What only the two ends of a TCP connection can say of it.
 *
 * Its initial sequence numbers are known to the ends and to the path between
 * them. Neither a question nor its answer tells them to who does not know them:
 * both are SipHash-2-4 (Aumasson and Bernstein, 2012) with the numbers and the
 * question's nonce as the key. The two guests are in what is hashed, as dom0
 * and Xen name them, so that nobody can pass on the words of others: a question
 * to one guest is none to another, and its answer no other's.
 */
#include <linux/siphash.h>
#include <uapi/linux/xenvmc.h>
#include "chan.h"
#include "peer.h"
#include "proof.h"
#include "transport.h"

struct proof_claim {
	u8 saddr[16];
	u8 daddr[16];
	u16 sport;
	u16 dport;
	u16 asking;
	u16 asked;
	u64 answer;
} __aligned(SIPHASH_ALIGNMENT);

/* The ends of the loopback are one guest, which it calls by no id of Xen's */
static u16 proof_own_domid(const struct xvmc_chan *chan)
{
	u16 own;

	if (chan->peer->domid == XENVMC_DOMID_SELF || !xvmc_xen_own_domid(&own))
		own = XENVMC_DOMID_SELF;
	return own;
}

/**
 * xvmc_proof() - the proof in a question, or in the answer to it
 * @chan: channel of the two guests
 * @role: who says it
 * @msg: the question; its proof is not looked at
 * @iss: initial sequence number of the end that asks
 * @irs: that of the other one
 *
 * Context: any.
 */
u64 xvmc_proof(const struct xvmc_chan *chan, enum xvmc_proof_role role,
	       const struct xvmc_msg_upgrade *msg, u32 iss, u32 irs)
{
	bool ours = role == XVMC_PROOF_ASK || role == XVMC_PROOF_ANSWERED;
	u16 own = proof_own_domid(chan), peer = chan->peer->domid;
	struct proof_claim claim = {
		.sport = msg->sport,
		.dport = msg->dport,
		.asking = ours ? own : peer,
		.asked = ours ? peer : own,
		.answer = role >= XVMC_PROOF_ANSWER,
	};
	const siphash_key_t key = {
		{ (u64)iss << 32 | irs, msg->nonce }
	};

	memcpy(claim.saddr, msg->saddr, sizeof(claim.saddr));
	memcpy(claim.daddr, msg->daddr, sizeof(claim.daddr));
	return siphash(&claim, sizeof(claim), &key);
}
EXPORT_SYMBOL_GPL(xvmc_proof);
