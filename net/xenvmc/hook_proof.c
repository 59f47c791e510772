// SPDX-License-Identifier: GPL-2.0
/*
 * Questions, answers, and whether they are of the same TCP connection.
 *
 * Who asks must have it, or nobody's stream would be safe from guests that ask;
 * and so must who answers, or it would be given to whoever claims an address.
 */
#include "hook.h"
#include "proof.h"

/* The question as the end asks that is here, or the other one */
static void proof_question(const struct hook_conn *hc, bool ours, u64 nonce,
			   struct xvmc_msg_upgrade *msg)
{
	const struct hook_tuple *t = &hc->tuple;

	*msg = (struct xvmc_msg_upgrade) {
		.sport = (__force u16)(ours ? t->lport : t->rport),
		.dport = (__force u16)(ours ? t->rport : t->lport),
		.nonce = nonce,
	};
	memcpy(msg->saddr, ours ? &t->laddr : &t->raddr, sizeof(msg->saddr));
	memcpy(msg->daddr, ours ? &t->raddr : &t->laddr, sizeof(msg->daddr));
}

/**
 * hook_ask() - fills UPGRADE, see &struct xvmc_conn_ops
 * @conn: our end
 * @msg: to be filled
 *
 * Context: under the locks of channel and connection.
 */
void hook_ask(struct xvmc_conn *conn, struct xvmc_ctlmsg *msg)
{
	struct hook_conn *hc = to_hook(conn);

	hc->nonce = get_random_u64();
	proof_question(hc, true, hc->nonce, &msg->upgrade);
	msg->upgrade.proof = xvmc_proof(conn->chan, XVMC_PROOF_ASK,
					&msg->upgrade, hc->iss, hc->irs);
}

/**
 * hook_proves() - does a question come from the other end of the connection?
 * @hc: our end
 * @nonce: the question's
 * @proof: likewise
 * @answer: filled in with what proves the answer, if it does
 *
 * Who asks late may know its own number only to within one, as late_iss() if
 * bytes of a SYN were sent anew, and so may we.
 * Context: any; the numbers do not change once they are there.
 */
bool hook_proves(const struct hook_conn *hc, u64 nonce, u64 proof, u64 *answer)
{
	const struct xvmc_chan *chan = hc->conn.chan;
	struct xvmc_msg_upgrade msg;
	u32 i, iss, irs;

	proof_question(hc, false, nonce, &msg);
	for (i = 0; i < 4; i++) {
		iss = hc->irs + (i & 1);
		irs = hc->iss - (i >> 1);
		if (xvmc_proof(chan, XVMC_PROOF_ASKED, &msg, iss, irs) != proof)
			continue;
		*answer = xvmc_proof(chan, XVMC_PROOF_ANSWER, &msg, iss, irs);
		return true;
	}
	return false;
}

/**
 * hook_believes() - does UPGRADE_OK come from the other end of the connection?
 * @conn: our end, which has asked
 * @proof: what it says
 *
 * Context: under the connection's lock.
 */
bool hook_believes(struct xvmc_conn *conn, u64 proof)
{
	struct hook_conn *hc = to_hook(conn);
	struct xvmc_msg_upgrade msg;

	proof_question(hc, true, hc->nonce, &msg);
	return xvmc_proof(conn->chan, XVMC_PROOF_ANSWERED, &msg, hc->iss,
			  hc->irs) == proof;
}
