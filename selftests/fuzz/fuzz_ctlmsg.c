// SPDX-License-Identifier: GPL-2.0
/* Any type and body: decoded, it is in range and encodes to the same bytes. */
#include "fuzz.h"
#include "../../net/xenvmc/core/ctlmsg.h"

static bool changes_errno(const struct xvmc_ctlmsg *msg)
{
	return msg->type == XVMC_MSG_REFUSE || msg->type == XVMC_MSG_RESET ||
	       msg->type == XVMC_MSG_RING_GONE;
}

static void check_range(const struct xvmc_ctlmsg *msg)
{
	switch (msg->type) {
	case XVMC_MSG_RING_ADD:
		fuzz_assert(msg->ring_add.ring < XVMC_MAX_RINGS);
		fuzz_assert(msg->ring_add.order <= XVMC_RING_MAX_ORDER);
		break;
	case XVMC_MSG_RING_DEL:
	case XVMC_MSG_RING_GONE:
		fuzz_assert(msg->ring.ring < XVMC_MAX_RINGS);
		fuzz_assert(msg->ring.status < 512);
		break;
	case XVMC_MSG_LEND:
	case XVMC_MSG_RECALL:
		fuzz_assert(msg->lend.ring < XVMC_MAX_RINGS);
		fuzz_assert(msg->lend.epoch);
		break;
	case XVMC_MSG_RESUME:
		fuzz_assert(!msg->resume.zero);
		break;
	case XVMC_MSG_WANT:
		fuzz_assert(!msg->conn.arg);
		break;
	case XVMC_MSG_REFUSE:
	case XVMC_MSG_RESET:
		fuzz_assert(msg->conn.arg && msg->conn.arg < 512);
		break;
	}
}

/* Where a message of a former version ends: the rest is zero then */
static int former(u16 type)
{
	switch (type) {
	case XVMC_MSG_CONNECT:
		return offsetof(struct xvmc_msg_connect, token);
	case XVMC_MSG_UPGRADE:
		return offsetof(struct xvmc_msg_upgrade, nonce);
	case XVMC_MSG_UPGRADE_OK:
		return offsetof(struct xvmc_msg_yes, proof);
	default:
		return xvmc_ctlmsg_len(type);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	u16 type = fuzz_u16(&in);
	struct xvmc_ctlmsg msg;
	u8 body[XVMC_CTL_MAX_BODY];
	int err, len, told;

	if (in.left > 0xffff)
		return 0;
	/* The rest of the input is the body: a step over its end is seen */
	err = xvmc_ctlmsg_decode(type, in.data, (u16)in.left, &msg);
	fuzz_assert(err == 0 || err == -EOPNOTSUPP || err == -EPROTO);
	fuzz_assert((err == -EOPNOTSUPP) == !xvmc_ctlmsg_len(type));
	fuzz_assert(xvmc_ctlmsg_name(type)[0]);
	if (err)
		return 0;

	fuzz_assert(msg.type == type);
	check_range(&msg);
	len = xvmc_ctlmsg_encode(&msg, body);
	fuzz_assert(len == xvmc_ctlmsg_len(type));
	told = (int)in.left < len ? former(type) : len;
	fuzz_assert(told <= (int)in.left);
	if (!changes_errno(&msg))
		fuzz_assert(!memcmp(body, in.data, (size_t)told));
	for (; told < len; told++)
		fuzz_assert(!body[told]);
	return 0;
}
