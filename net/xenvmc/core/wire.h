/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every byte that crosses to another guest: ring pages, frames, messages.
 *
 * Documentation/protocol.rst is the text that this file follows. All values
 * are in the byte order of the host (x86 and arm64: little-endian). Nothing
 * here is a pointer, and nothing read from these structures may be used
 * before it was copied once and checked.
 */
#ifndef _XVMC_CORE_WIRE_H
#define _XVMC_CORE_WIRE_H

#include "env.h"

#define XVMC_VERSION		1
#define XVMC_FEATURE_RESUME	0x1	/* tokens in CONNECT, RESUME */
#define XVMC_FEATURES		XVMC_FEATURE_RESUME	/* of this version */
#define XVMC_PAGE_SIZE		4096
#define XVMC_RING_MAGIC		0x31434d56	/* "VMC1" */
#define XVMC_RING_MAX_ORDER	9		/* 512 data pages, 2 MiB */
#define XVMC_RING_MAX_GREFS	768
#define XVMC_MAX_RINGS		256		/* per owner and channel */
#define XVMC_BELL_WORDS		(XVMC_MAX_RINGS / 32)

/**
 * struct xvmc_ring_hdr - first page of a ring, granted by its owner
 * @prod: producer's free-running byte index
 * @cons_event: producer wants a kick when @cons passes this index
 * @start_epoch: epoch (of a lend) that has been started
 * @start_seq: TCP sequence number S of the byte that went to the ring first;
 *	valid once @start_epoch equals the epoch of the lend
 * @stop_epoch: epoch that has been stopped: @prod will not move again in it
 * @cons: consumer's free-running byte index
 * @prod_event: consumer wants a kick when @prod passes this index
 * @bell_data: control ring only: a bit per ring of the owner that got data
 * @bell_space: control ring only: a bit per ring of the producer that got room
 * @magic: %XVMC_RING_MAGIC, written by the owner before the grant
 * @order: log2 of the number of data pages
 * @gref: grant references of the data pages
 * @pad0: zero, ignored
 * @pad1: zero, ignored
 * @pad2: zero, ignored
 * @pad3: zero, ignored
 * @pad4: zero, ignored
 *
 * The receiver owns the ring (allocates and grants it) and is the consumer;
 * the sender maps it and is the producer. The first line is written by the
 * producer, the second by the consumer, the doorbells by both with atomic
 * operations, the rest by the owner before it is granted. Each line has 128
 * bytes, the largest cache line of a supported machine.
 */
struct xvmc_ring_hdr {
	u32 prod;
	u32 cons_event;
	u32 start_epoch;
	u32 start_seq;
	u32 stop_epoch;
	u32 pad0[27];

	u32 cons;
	u32 prod_event;
	u32 pad1[30];

	u32 bell_data[XVMC_BELL_WORDS];
	u32 pad2[24];
	u32 bell_space[XVMC_BELL_WORDS];
	u32 pad3[24];

	u32 magic;
	u32 order;
	u32 pad4[126];

	u32 gref[XVMC_RING_MAX_GREFS];
};

xvmc_static_assert(sizeof(struct xvmc_ring_hdr) == XVMC_PAGE_SIZE);
xvmc_static_assert(offsetof(struct xvmc_ring_hdr, cons) == 0x080);
xvmc_static_assert(offsetof(struct xvmc_ring_hdr, bell_data) == 0x100);
xvmc_static_assert(offsetof(struct xvmc_ring_hdr, bell_space) == 0x180);
xvmc_static_assert(offsetof(struct xvmc_ring_hdr, magic) == 0x200);
xvmc_static_assert(offsetof(struct xvmc_ring_hdr, gref) == 0x400);

/**
 * struct xvmc_frame_hdr - in front of every message on a framed ring
 * @len: bytes of the body, without this header and without padding
 * @type: message type, &enum xvmc_msg_type on the control ring
 * @zero: must be zero
 *
 * Frames start at multiples of 8 bytes; the body is padded to that.
 */
struct xvmc_frame_hdr {
	u16 len;
	u16 type;
	u32 zero;
};

#define XVMC_FRAME_ALIGN	8
#define XVMC_CTL_MAX_BODY	120		/* body of a control message */
#define XVMC_CTL_ORDER		1		/* two data pages each way */

enum xvmc_msg_type {
	XVMC_MSG_HELLO		= 1,
	XVMC_MSG_HELLO_ACK	= 2,
	XVMC_MSG_BYE		= 3,
	XVMC_MSG_RING_ADD	= 4,
	XVMC_MSG_RING_DEL	= 5,
	XVMC_MSG_RING_GONE	= 6,
	XVMC_MSG_LEND		= 7,
	XVMC_MSG_RECALL		= 8,
	XVMC_MSG_CONNECT	= 9,
	XVMC_MSG_ACCEPT		= 10,
	XVMC_MSG_REFUSE		= 11,
	XVMC_MSG_RESET		= 12,
	XVMC_MSG_UPGRADE	= 13,
	XVMC_MSG_UPGRADE_OK	= 14,
	XVMC_MSG_UPGRADE_NO	= 15,
	XVMC_MSG_DETACH		= 16,
	XVMC_MSG_RESUME		= 17,
	XVMC_MSG_WANT		= 18,
};

/* HELLO and HELLO_ACK; @ctl_gref is 0 in HELLO_ACK and on the loopback */
struct xvmc_msg_hello {
	u16 version;
	u16 zero;
	u32 features;
	u32 ctl_gref;
};

struct xvmc_msg_bye {
	u32 reason;			/* enum xenvmc_reason */
};

/* RING_ADD; @token is the grant reference of the header page */
struct xvmc_msg_ring_add {
	u32 ring;
	u32 order;
	u32 token;
};

/* RING_DEL (status 0) and RING_GONE (status: 0 or a positive errno) */
struct xvmc_msg_ring {
	u32 ring;
	u32 status;
};

/* LEND (reason 0) and RECALL; @conn is the id given by the one addressed */
struct xvmc_msg_lend {
	u32 ring;
	u32 epoch;
	u32 conn;
	u32 reason;
};

#define XVMC_TOKEN_WORDS	4

/*
 * CONNECT; @conn is the id given by the one who asks. Without the feature
 * RESUME it may end before @token
 */
struct xvmc_msg_connect {
	u32 conn;
	u32 sport;
	u32 dport;
	u32 type;			/* SOCK_STREAM */
	u32 token[XVMC_TOKEN_WORDS];	/* drawn by the one who asks */
};

/*
 * RESUME: a connection that was cut goes on. @conn is its new id, given by the
 * sender, @token that of its CONNECT; @sent and @received count the bytes of
 * both directions and the end of a stream as one more.
 */
struct xvmc_msg_resume {
	u32 conn;
	u32 zero;
	u32 token[XVMC_TOKEN_WORDS];
	u64 sent;
	u64 received;
};

/*
 * ACCEPT: @arg is the id given by the one who answers.
 * REFUSE and RESET: @arg is a positive errno.
 * UPGRADE_NO and DETACH: @arg is an enum xenvmc_reason.
 * WANT: @arg is 0.
 * @conn is the id given by the one addressed.
 */
struct xvmc_msg_conn {
	u32 conn;
	u32 arg;
};

/*
 * UPGRADE_OK: a struct xvmc_msg_conn as ACCEPT's, and what only the other end
 * of the TCP connection can say
 */
struct xvmc_msg_yes {
	u32 conn;
	u32 arg;
	u64 proof;
};

/*
 * UPGRADE: the TCP connection as its sender sees it. Addresses are IPv6 or
 * v4-mapped IPv6, addresses and ports in network byte order. @nonce is drawn
 * for this question, @proof as Documentation/protocol.rst has it.
 */
struct xvmc_msg_upgrade {
	u32 conn;
	u16 sport;
	u16 dport;
	u8 saddr[16];
	u8 daddr[16];
	u64 nonce;
	u64 proof;
};

#endif /* _XVMC_CORE_WIRE_H */
