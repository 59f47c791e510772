/* SPDX-License-Identifier: GPL-2.0 */
/* proof.c: what only the two ends of a TCP connection can say of it. */
#ifndef _XVMC_PROOF_H
#define _XVMC_PROOF_H

#include <linux/types.h>

struct xvmc_chan;
struct xvmc_msg_upgrade;

/**
 * enum xvmc_proof_role - who says it
 * @XVMC_PROOF_ASK: this guest asks
 * @XVMC_PROOF_ASKED: the peer asks
 * @XVMC_PROOF_ANSWER: this guest answers
 * @XVMC_PROOF_ANSWERED: the peer answers
 */
enum xvmc_proof_role {
	XVMC_PROOF_ASK,
	XVMC_PROOF_ASKED,
	XVMC_PROOF_ANSWER,
	XVMC_PROOF_ANSWERED,
};

/* By the initial sequence numbers of the end that asks. Any context */
u64 xvmc_proof(const struct xvmc_chan *chan, enum xvmc_proof_role role,
	       const struct xvmc_msg_upgrade *msg, u32 iss, u32 irs);

#endif /* _XVMC_PROOF_H */
