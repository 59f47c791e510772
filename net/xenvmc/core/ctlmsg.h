/* SPDX-License-Identifier: GPL-2.0 */
/* Control messages: encode, decode, validate. Holds no state. */
#ifndef _XVMC_CORE_CTLMSG_H
#define _XVMC_CORE_CTLMSG_H

#include "wire.h"

/**
 * struct xvmc_ctlmsg - a control message in private memory
 * @type: &enum xvmc_msg_type
 * @hello: body of HELLO and HELLO_ACK
 * @bye: body of BYE
 * @ring_add: body of RING_ADD
 * @ring: body of RING_DEL and RING_GONE
 * @lend: body of LEND and RECALL
 * @connect: body of CONNECT
 * @resume: body of RESUME
 * @conn: body of what else concerns a connection, and the beginning of @yes
 * @yes: body of UPGRADE_OK
 * @upgrade: body of UPGRADE
 * @raw: the body, whichever it is; as long as the longest of them
 */
struct xvmc_ctlmsg {
	u16 type;
	union {
		struct xvmc_msg_hello hello;
		struct xvmc_msg_bye bye;
		struct xvmc_msg_ring_add ring_add;
		struct xvmc_msg_ring ring;
		struct xvmc_msg_lend lend;
		struct xvmc_msg_connect connect;
		struct xvmc_msg_resume resume;
		struct xvmc_msg_conn conn;
		struct xvmc_msg_yes yes;
		struct xvmc_msg_upgrade upgrade;
		u8 raw[sizeof(struct xvmc_msg_upgrade)];
	};
};

/* Bytes of the whole body of @type, 0 if the type is not known */
u16 xvmc_ctlmsg_len(u16 type);
/*
 * Writes the body to @buf (XVMC_CTL_MAX_BODY bytes). Returns its length, or
 * -EINVAL for an unknown type.
 */
int xvmc_ctlmsg_encode(const struct xvmc_ctlmsg *msg, void *buf);
/*
 * Reads and checks a body that was copied to private memory. A longer body
 * than this version knows is accepted and its tail ignored; fields that a
 * former one lacked are zero if they are missing. Returns 0,
 * -EOPNOTSUPP for an unknown type (to be skipped and counted), -EPROTO for a
 * body that breaks the protocol (short, or a field out of its range). Errors
 * in REFUSE, RESET and RING_GONE come out as errno values of userspace.
 */
int xvmc_ctlmsg_decode(u16 type, const void *buf, u16 len,
		       struct xvmc_ctlmsg *msg);
const char *xvmc_ctlmsg_name(u16 type);

#endif /* _XVMC_CORE_CTLMSG_H */
