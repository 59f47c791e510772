// SPDX-License-Identifier: GPL-2.0
/* Control messages: layout, ranges, what later versions may send. */
#include "unit.h"
#include "../../net/xenvmc/core/ctlmsg.h"

#define TYPES	(XVMC_MSG_WANT + 1)

/* The table of Documentation/protocol.rst, by hand */
static const struct {
	const char *name;
	u16 len;
} doc[TYPES] = {
	{ "unknown", 0 },
	{ "HELLO", 12 }, { "HELLO_ACK", 12 }, { "BYE", 4 },
	{ "RING_ADD", 12 }, { "RING_DEL", 8 }, { "RING_GONE", 8 },
	{ "LEND", 16 }, { "RECALL", 16 },
	{ "CONNECT", 32 }, { "ACCEPT", 8 }, { "REFUSE", 8 }, { "RESET", 8 },
	{ "UPGRADE", 56 }, { "UPGRADE_OK", 16 }, { "UPGRADE_NO", 8 },
	{ "DETACH", 8 }, { "RESUME", 40 }, { "WANT", 8 },
};

/* Bodies that have grown may be as short as they were */
static u16 least_len(u16 type)
{
	switch (type) {
	case XVMC_MSG_CONNECT:
		return 16;
	case XVMC_MSG_UPGRADE:
		return 40;
	case XVMC_MSG_UPGRADE_OK:
		return 8;
	default:
		return doc[type].len;
	}
}

/* A body whose fields are all different, and all valid for @type */
static void valid_body(u16 type, u8 *body)
{
	u32 words[XVMC_CTL_MAX_BODY / 4];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = 5 + i;
	switch (type) {
	case XVMC_MSG_HELLO_ACK:
		words[2] = 0;
		break;
	case XVMC_MSG_RING_DEL:
		words[1] = 0;
		break;
	case XVMC_MSG_LEND:
		words[3] = 0;
		break;
	case XVMC_MSG_RESUME:
	case XVMC_MSG_WANT:
		words[1] = 0;
		break;
	}
	memcpy(body, words, sizeof(words));
}

/* Decodes a valid body of @type in which word @word is @value */
static int decode_with(u16 type, u32 word, u32 value, struct xvmc_ctlmsg *msg)
{
	u8 body[XVMC_CTL_MAX_BODY];

	valid_body(type, body);
	memcpy(body + 4 * word, &value, 4);
	return xvmc_ctlmsg_decode(type, body, doc[type].len, msg);
}

static void assert_range(u16 type, u32 word, u32 good, u32 bad)
{
	struct xvmc_ctlmsg msg;

	assert_int_equal(decode_with(type, word, good, &msg), 0);
	assert_int_equal(decode_with(type, word, bad, &msg), -EPROTO);
	assert_int_equal(decode_with(type, word, 0xffffffff, &msg), -EPROTO);
}

static void names_and_lengths_are_as_documented(void **state)
{
	u32 type;

	(void)state;
	for (type = 0; type < 0x10000; type++) {
		u32 known = type < TYPES ? type : 0;

		assert_int_equal(xvmc_ctlmsg_len((u16)type), doc[known].len);
		assert_string_equal(xvmc_ctlmsg_name((u16)type),
				    doc[known].name);
	}
}

static void every_message_survives_the_way(void **state)
{
	u8 body[XVMC_CTL_MAX_BODY], again[XVMC_CTL_MAX_BODY];
	struct xvmc_ctlmsg msg;
	u16 type;

	(void)state;
	for (type = 1; type < TYPES; type++) {
		valid_body(type, body);
		assert_int_equal(xvmc_ctlmsg_decode(type, body, doc[type].len,
						    &msg), 0);
		assert_int_equal(msg.type, type);
		memset(again, 0xee, sizeof(again));
		assert_int_equal(xvmc_ctlmsg_encode(&msg, again),
				 doc[type].len);
		assert_memory_equal(body, again, doc[type].len);
		assert_int_equal(again[doc[type].len], 0xee);
	}
}

static void fields_are_where_they_are_documented(void **state)
{
	const struct xvmc_ctlmsg msg = {
		.type = XVMC_MSG_UPGRADE,
		.upgrade = {
			.conn = 0x04030201, .sport = 0x0605, .dport = 0x0807,
			.saddr = { 9, 10, 11, 12, 13, 14, 15, 16,
				   17, 18, 19, 20, 21, 22, 23, 24 },
			.daddr = { 25, 26, 27, 28, 29, 30, 31, 32,
				   33, 34, 35, 36, 37, 38, 39, 40 },
			.nonce = 0x302f2e2d2c2b2a29ULL,
			.proof = 0x3837363534333231ULL,
		},
	};
	const struct xvmc_ctlmsg hello = {
		.type = XVMC_MSG_HELLO,
		.hello = { .version = 0x0201, .features = 0x08070605,
			   .ctl_gref = 0x0c0b0a09 },
	};
	const u8 hello_want[] = { 1, 2, 0, 0, 5, 6, 7, 8, 9, 10, 11, 12 };
	const struct xvmc_ctlmsg resume = {
		.type = XVMC_MSG_RESUME,
		.resume = {
			.conn = 0x04030201, .zero = 0x08070605,
			.token = { 0x0c0b0a09, 0x100f0e0d, 0x14131211,
				   0x18171615 },
			.sent = 0x201f1e1d1c1b1a19ULL,
			.received = 0x2827262524232221ULL,
		},
	};
	u8 body[XVMC_CTL_MAX_BODY];
	u32 i;

	(void)state;
	assert_int_equal(xvmc_ctlmsg_encode(&resume, body), 40);
	for (i = 0; i < 40; i++)
		assert_int_equal(body[i], i + 1);
	assert_int_equal(xvmc_ctlmsg_encode(&msg, body), 56);
	for (i = 0; i < 56; i++)
		assert_int_equal(body[i], i + 1);
	assert_int_equal(xvmc_ctlmsg_encode(&hello, body), 12);
	assert_memory_equal(body, hello_want, 12);
}

/* The body is an allocation of its own length: reading on is seen */
static void short_bodies_fail(void **state)
{
	u8 full[XVMC_CTL_MAX_BODY];
	struct xvmc_ctlmsg msg;
	u16 type, len;
	u8 *body;

	(void)state;
	for (type = 1; type < TYPES; type++) {
		valid_body(type, full);
		for (len = 0; len < least_len(type); len++) {
			body = malloc(len ? len : 1);
			assert_non_null(body);
			memcpy(body, full, len);
			assert_int_equal(xvmc_ctlmsg_decode(type, body, len,
							    &msg), -EPROTO);
			free(body);
		}
	}
}

/* As former versions send it, or cut in the middle of what they lack */
static void what_a_former_version_lacks_is_zero(void **state)
{
	static const u32 none[XVMC_TOKEN_WORDS];
	u8 full[XVMC_CTL_MAX_BODY];
	struct xvmc_ctlmsg msg;
	u16 len;
	u8 *body;

	(void)state;
	valid_body(XVMC_MSG_CONNECT, full);
	for (len = 16; len < 32; len++) {
		body = malloc(len);
		assert_non_null(body);
		memcpy(body, full, len);
		assert_int_equal(xvmc_ctlmsg_decode(XVMC_MSG_CONNECT, body,
						    len, &msg), 0);
		assert_memory_equal(&msg.connect, full, 16);
		assert_memory_equal(msg.connect.token, none, sizeof(none));
		free(body);
	}
}

static void longer_bodies_pass_and_the_tail_is_ignored(void **state)
{
	struct xvmc_ctlmsg msg, longer;
	u8 body[XVMC_CTL_MAX_BODY];
	u16 type;

	(void)state;
	for (type = 1; type < TYPES; type++) {
		valid_body(type, body);
		assert_int_equal(xvmc_ctlmsg_decode(type, body, doc[type].len,
						    &msg), 0);
		assert_int_equal(xvmc_ctlmsg_decode(type, body, sizeof(body),
						    &longer), 0);
		assert_memory_equal(&msg, &longer, sizeof(msg));
	}
}

static void unknown_types_are_to_be_skipped(void **state)
{
	struct xvmc_ctlmsg msg = { .type = TYPES };
	u8 body[XVMC_CTL_MAX_BODY] = { 0 };

	(void)state;
	assert_int_equal(xvmc_ctlmsg_decode(0, body, 120, &msg), -EOPNOTSUPP);
	assert_int_equal(xvmc_ctlmsg_decode(TYPES, body, 0, &msg),
			 -EOPNOTSUPP);
	assert_int_equal(xvmc_ctlmsg_decode(0xffff, body, 120, &msg),
			 -EOPNOTSUPP);
	assert_int_equal(xvmc_ctlmsg_encode(&msg, body), -EINVAL);
}

static void fields_out_of_range_fail(void **state)
{
	struct xvmc_ctlmsg msg;

	(void)state;
	/* The 16 bits after the version are the upper half of word 0 */
	assert_range(XVMC_MSG_HELLO, 0, 0xffff, 0x10000);
	assert_range(XVMC_MSG_HELLO_ACK, 0, 1, 0x00010001);
	assert_range(XVMC_MSG_HELLO_ACK, 2, 0, 1);
	assert_range(XVMC_MSG_RING_ADD, 0, 255, 256);
	assert_range(XVMC_MSG_RING_ADD, 1, 9, 10);
	assert_range(XVMC_MSG_RING_DEL, 0, 255, 256);
	assert_range(XVMC_MSG_RING_DEL, 1, 0, 1);
	assert_range(XVMC_MSG_RING_GONE, 0, 255, 256);
	assert_range(XVMC_MSG_LEND, 0, 255, 256);
	assert_range(XVMC_MSG_LEND, 3, 0, 1);
	assert_range(XVMC_MSG_RECALL, 0, 255, 256);
	assert_range(XVMC_MSG_RESUME, 1, 0, 1);
	assert_range(XVMC_MSG_WANT, 1, 0, 1);
	assert_int_equal(decode_with(XVMC_MSG_LEND, 1, 0, &msg), -EPROTO);
	assert_int_equal(decode_with(XVMC_MSG_RECALL, 1, 0, &msg), -EPROTO);
	assert_int_equal(decode_with(XVMC_MSG_LEND, 1, 0xffffffff, &msg), 0);
}

static void unknown_reasons_pass(void **state)
{
	struct xvmc_ctlmsg msg;

	(void)state;
	assert_int_equal(decode_with(XVMC_MSG_BYE, 0, 0xffffffff, &msg), 0);
	assert_int_equal(msg.bye.reason, 0xffffffff);
	assert_int_equal(decode_with(XVMC_MSG_RECALL, 3, 0xffffffff, &msg), 0);
	assert_int_equal(decode_with(XVMC_MSG_DETACH, 1, 4711, &msg), 0);
	assert_int_equal(msg.conn.arg, 4711);
	assert_int_equal(decode_with(XVMC_MSG_UPGRADE_NO, 1, 4711, &msg), 0);
	assert_int_equal(msg.conn.arg, 4711);
}

static void unknown_errors_become_econnreset(void **state)
{
	static const struct {
		u32 sent;
		u32 read;
	} err[] = {
		{ ECONNREFUSED, ECONNREFUSED }, { 1, 1 }, { 133, 133 },
		{ 0, ECONNRESET }, { 134, ECONNRESET },
		{ 512, ECONNRESET },		/* ERESTARTSYS */
		{ (u32)-ECONNREFUSED, ECONNRESET },
		{ 0xffffffff, ECONNRESET },
	};
	struct xvmc_ctlmsg msg;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(err); i++) {
		assert_int_equal(decode_with(XVMC_MSG_REFUSE, 1, err[i].sent,
					     &msg), 0);
		assert_int_equal(msg.conn.arg, err[i].read);
		assert_int_equal(decode_with(XVMC_MSG_RESET, 1, err[i].sent,
					     &msg), 0);
		assert_int_equal(msg.conn.arg, err[i].read);
		assert_int_equal(decode_with(XVMC_MSG_RING_GONE, 1,
					     err[i].sent, &msg), 0);
		assert_int_equal(msg.ring.status,
				 err[i].sent ? err[i].read : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_lengths_are_as_documented),
		cmocka_unit_test(every_message_survives_the_way),
		cmocka_unit_test(fields_are_where_they_are_documented),
		cmocka_unit_test(short_bodies_fail),
		cmocka_unit_test(what_a_former_version_lacks_is_zero),
		cmocka_unit_test(longer_bodies_pass_and_the_tail_is_ignored),
		cmocka_unit_test(unknown_types_are_to_be_skipped),
		cmocka_unit_test(fields_out_of_range_fail),
		cmocka_unit_test(unknown_reasons_pass),
		cmocka_unit_test(unknown_errors_become_econnreset),
	};

	return cmocka_run_group_tests_name("ctlmsg", tests, NULL, NULL);
}
