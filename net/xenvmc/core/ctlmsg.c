// SPDX-License-Identifier: GPL-2.0
/*
 * Control messages: one table of types, and the checks that need no state.
 *
 * A body is in host byte order and has the layout of its structure in wire.h,
 * so encoding and decoding are copies. What is checked here are ranges; ids
 * and ring numbers are looked up by the caller in tables of its own.
 */
#include "ctlmsg.h"

/* Highest errno that userspace knows, EHWPOISON; above are kernel-internals */
#define CTLMSG_MAX_ERRNO	133

#define KIND(type, body) \
	[XVMC_MSG_##type] = { #type, sizeof(struct xvmc_msg_##body), \
			      sizeof(struct xvmc_msg_##body) }
/* A body that ended before @field in former versions */
#define GROWN(type, body, field) \
	[XVMC_MSG_##type] = { #type, sizeof(struct xvmc_msg_##body), \
			      offsetof(struct xvmc_msg_##body, field) }

static const struct ctlmsg_kind {
	const char *name;
	u16 len;
	u16 least;
} ctlmsg_kinds[] = {
	KIND(HELLO, hello),
	KIND(HELLO_ACK, hello),
	KIND(BYE, bye),
	KIND(RING_ADD, ring_add),
	KIND(RING_DEL, ring),
	KIND(RING_GONE, ring),
	KIND(LEND, lend),
	KIND(RECALL, lend),
	GROWN(CONNECT, connect, token),
	KIND(ACCEPT, conn),
	KIND(REFUSE, conn),
	KIND(RESET, conn),
	GROWN(UPGRADE, upgrade, nonce),
	GROWN(UPGRADE_OK, yes, proof),
	KIND(UPGRADE_NO, conn),
	KIND(DETACH, conn),
	KIND(RESUME, resume),
	KIND(WANT, conn),
};

/* @raw overlays all bodies, and bodies have no holes that would leak */
xvmc_static_assert(sizeof(struct xvmc_msg_upgrade) == 56);
xvmc_static_assert(sizeof(struct xvmc_msg_upgrade) <= XVMC_CTL_MAX_BODY);
xvmc_static_assert(sizeof(struct xvmc_msg_hello) == 12);
xvmc_static_assert(sizeof(struct xvmc_msg_yes) == 16);
xvmc_static_assert(sizeof(struct xvmc_msg_resume) == 40);
xvmc_static_assert(sizeof(((struct xvmc_ctlmsg *)0)->raw) == 56);

/**
 * xvmc_ctlmsg_len() - bytes of the body of a message
 * @type: &enum xvmc_msg_type, or anything else
 *
 * Return: the bytes that this version of the protocol has, 0 if @type is not
 * known.
 */
u16 xvmc_ctlmsg_len(u16 type)
{
	return type < ARRAY_SIZE(ctlmsg_kinds) ? ctlmsg_kinds[type].len : 0;
}

/**
 * xvmc_ctlmsg_name() - name of a message, for traces
 * @type: &enum xvmc_msg_type, or anything else
 *
 * Return: the name as in Documentation/protocol.rst, or "unknown".
 */
const char *xvmc_ctlmsg_name(u16 type)
{
	return xvmc_ctlmsg_len(type) ? ctlmsg_kinds[type].name : "unknown";
}

/**
 * xvmc_ctlmsg_encode() - write the body of a message
 * @msg: message
 * @buf: %XVMC_CTL_MAX_BODY bytes of private memory
 *
 * Return: bytes of the body, -EINVAL for a type that is not known.
 */
int xvmc_ctlmsg_encode(const struct xvmc_ctlmsg *msg, void *buf)
{
	u16 len = xvmc_ctlmsg_len(msg->type);

	if (!len)
		return -EINVAL;
	memcpy(buf, msg->raw, len);
	return len;
}

/*
 * An error of the peer ends up in a system call of ours: a number that only
 * means something inside the kernel (ERESTARTSYS) must not get there.
 */
static u32 ctlmsg_errno(u32 err)
{
	return err && err <= CTLMSG_MAX_ERRNO ? err : ECONNRESET;
}

static bool ring_is_valid(const struct xvmc_msg_ring *ring, bool status)
{
	return ring->ring < XVMC_MAX_RINGS && (status || !ring->status);
}

static bool lend_is_valid(const struct xvmc_msg_lend *lend, bool reason)
{
	return lend->ring < XVMC_MAX_RINGS && lend->epoch &&
	       (reason || !lend->reason);
}

/*
 * The range of each field. What is not here may have any value: reasons and
 * features by definition, ids because they are looked up. The socket type of
 * a CONNECT is refused and not a violation, for later versions have more.
 */
static bool ctlmsg_is_valid(const struct xvmc_ctlmsg *msg)
{
	switch (msg->type) {
	case XVMC_MSG_HELLO:
		return !msg->hello.zero;
	case XVMC_MSG_HELLO_ACK:
		return !msg->hello.zero && !msg->hello.ctl_gref;
	case XVMC_MSG_RING_ADD:
		return msg->ring_add.ring < XVMC_MAX_RINGS &&
		       msg->ring_add.order <= XVMC_RING_MAX_ORDER;
	case XVMC_MSG_RING_DEL:
		return ring_is_valid(&msg->ring, false);
	case XVMC_MSG_RING_GONE:
		return ring_is_valid(&msg->ring, true);
	case XVMC_MSG_LEND:
		return lend_is_valid(&msg->lend, false);
	case XVMC_MSG_RECALL:
		return lend_is_valid(&msg->lend, true);
	case XVMC_MSG_RESUME:
		return !msg->resume.zero;
	case XVMC_MSG_WANT:
		return !msg->conn.arg;
	default:
		return true;
	}
}

/**
 * xvmc_ctlmsg_decode() - read and check the body of a message
 * @type: type from the frame
 * @buf: private copy of the body
 * @len: bytes of @buf
 * @msg: filled in on success
 *
 * Errors that the peer names are replaced by ECONNRESET unless they are known
 * to userspace.
 *
 * Return: 0, -EOPNOTSUPP for a type to be skipped and counted, -EPROTO for a
 * violation.
 */
int xvmc_ctlmsg_decode(u16 type, const void *buf, u16 len,
		       struct xvmc_ctlmsg *msg)
{
	u16 want = xvmc_ctlmsg_len(type);

	if (!want)
		return -EOPNOTSUPP;
	if (len < ctlmsg_kinds[type].least)
		return -EPROTO;

	memset(msg, 0, sizeof(*msg));
	msg->type = type;
	memcpy(msg->raw, buf, len < want ? ctlmsg_kinds[type].least : want);
	if (!ctlmsg_is_valid(msg))
		return -EPROTO;

	if (type == XVMC_MSG_REFUSE || type == XVMC_MSG_RESET)
		msg->conn.arg = ctlmsg_errno(msg->conn.arg);
	else if (type == XVMC_MSG_RING_GONE && msg->ring.status)
		msg->ring.status = ctlmsg_errno(msg->ring.status);
	return 0;
}
