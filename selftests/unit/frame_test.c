// SPDX-License-Identifier: GPL-2.0
/* Frames: whole ones pass, anything else is refused. */
#include "unit.h"
#include "../../net/xenvmc/core/frame.h"

#define PAGE	XVMC_PAGE_SIZE

static void fill(u8 *buf, u32 len, u32 salt)
{
	u32 i;

	for (i = 0; i < len; i++)
		buf[i] = (u8)(i + salt);
}

/* Puts a header and @n bytes of the ring's old contents as a producer might */
static void put_raw(struct unit_ring *r, const struct xvmc_frame_hdr *hdr,
		    u32 n)
{
	xvmc_ring_copy_in(&r->prod, 0, hdr, sizeof(*hdr));
	xvmc_ring_publish(&r->prod, n);
}

static int get(struct unit_ring *r, u16 max)
{
	u8 buf[PAGE];
	bool kick;
	u16 type;

	return xvmc_frame_get(&r->cons, &type, buf, max, &kick);
}

static void bytes_of_a_frame_are_aligned(void **state)
{
	(void)state;
	assert_int_equal(xvmc_frame_bytes(0), 8);
	assert_int_equal(xvmc_frame_bytes(1), 16);
	assert_int_equal(xvmc_frame_bytes(8), 16);
	assert_int_equal(xvmc_frame_bytes(9), 24);
	assert_int_equal(xvmc_frame_bytes(0xffff), 0x10008);
}

static void frames_of_every_length_pass(void **state)
{
	u8 in[XVMC_CTL_MAX_BODY], out[XVMC_CTL_MAX_BODY];
	struct unit_ring r;
	u32 len, round;
	bool kick;
	u16 type;

	(void)state;
	unit_ring_init(&r, XVMC_CTL_ORDER, 0u - 5 * PAGE);
	for (round = 0; round < 40; round++) {
		for (len = 0; len <= sizeof(in); len++) {
			fill(in, len, round);
			assert_int_equal(xvmc_frame_put(&r.prod, (u16)round,
							in, (u16)len), 0);
			memset(out, 0xee, sizeof(out));
			assert_int_equal(xvmc_frame_get(&r.cons, &type, out,
							sizeof(out), &kick),
					 len);
			assert_int_equal(type, round);
			assert_false(kick);
			assert_memory_equal(in, out, len);
		}
		assert_int_equal(get(&r, 8), -EAGAIN);
	}
	unit_ring_exit(&r);
}

static void padding_is_zero(void **state)
{
	struct unit_ring r;
	u8 want[16] = { 3, 0, 9, 0, 0, 0, 0, 0, 1, 2, 3 };
	u8 body[3] = { 1, 2, 3 };
	u8 out[16];

	(void)state;
	unit_ring_init(&r, 0, 0);
	assert_int_equal(xvmc_frame_put(&r.prod, 9, body, 3), 0);
	assert_int_equal(xvmc_ring_used(&r.cons), 16);
	xvmc_ring_copy_out(&r.cons, 0, out, 16);
	assert_memory_equal(out, want, 16);
	unit_ring_exit(&r);
}

static void without_room_nothing_is_put(void **state)
{
	u8 body[PAGE] = { 0 };
	struct unit_ring r;
	u32 n = 0;

	(void)state;
	unit_ring_init(&r, 0, 0xffffff00);
	while (xvmc_frame_put(&r.prod, 1, body, 120) == 0)
		n++;
	assert_int_equal(n, PAGE / 128);
	assert_int_equal(xvmc_frame_put(&r.prod, 1, body, 0), -EAGAIN);
	assert_int_equal(xvmc_ring_used(&r.cons), PAGE);
	assert_int_equal(get(&r, 120), 120);
	assert_int_equal(xvmc_frame_put(&r.prod, 1, body, 121), -EAGAIN);
	assert_int_equal(xvmc_frame_put(&r.prod, 1, body, 120), 0);
	unit_ring_exit(&r);
}

static void a_frame_may_fill_the_ring_but_not_more(void **state)
{
	u8 body[PAGE] = { 0 };
	struct unit_ring r;

	(void)state;
	unit_ring_init(&r, 0, 8);
	assert_int_equal(xvmc_frame_put(&r.prod, 1, body, PAGE - 7), -EMSGSIZE);
	assert_int_equal(xvmc_frame_put(&r.prod, 1, body, PAGE - 8), 0);
	assert_int_equal(get(&r, PAGE - 8), PAGE - 8);
	assert_int_equal(get(&r, PAGE - 8), -EAGAIN);
	unit_ring_exit(&r);
}

static void kicks_are_passed_on(void **state)
{
	struct unit_ring r;
	u8 buf[8] = { 0 };
	bool kick;
	u16 type;

	(void)state;
	unit_ring_init(&r, 0, 0);
	xvmc_ring_want_data(&r.cons, 1);
	assert_int_equal(xvmc_frame_put(&r.prod, 1, buf, 8), 1);
	assert_int_equal(xvmc_frame_put(&r.prod, 1, buf, 8), 0);
	xvmc_ring_want_space(&r.prod, PAGE);
	assert_int_equal(xvmc_frame_get(&r.cons, &type, buf, 8, &kick), 8);
	assert_false(kick);
	assert_int_equal(xvmc_frame_get(&r.cons, &type, buf, 8, &kick), 8);
	assert_true(kick);
	unit_ring_exit(&r);
}

static void broken_frames_fail(void **state)
{
	static const struct {
		struct xvmc_frame_hdr hdr;
		u32 published;
	} frame[] = {
		{ { .len = 8, .zero = 1 }, 16 },
		{ { .len = 8, .zero = 0x80000000 }, 16 },
		{ { .len = 8 }, 8 },			/* body is missing */
		{ { .len = 9 }, 16 },			/* part of it is */
		{ { .len = 5 }, 13 },			/* padding is */
		{ { .len = 0 }, 7 },			/* half a header */
		{ { .len = 0 }, 1 },
		{ { .len = 0 }, 12 },			/* half of a second */
		{ { .len = 121 }, 136 },		/* above the maximum */
		{ { .len = 0xffff }, PAGE },
	};
	struct unit_ring r;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(frame); i++) {
		unit_ring_init(&r, 0, 0xfffffff8);
		put_raw(&r, &frame[i].hdr, frame[i].published);
		assert_int_equal(get(&r, 120), -EPROTO);
		/* And nothing was consumed */
		assert_int_equal(xvmc_ring_used(&r.cons), frame[i].published);
		unit_ring_exit(&r);
	}
}

static void impossible_indices_fail(void **state)
{
	struct unit_ring r;
	u8 body[8] = { 0 };

	(void)state;
	unit_ring_init(&r, 0, 0);
	r.hdr->prod = PAGE + 8;
	assert_int_equal(get(&r, 120), -EPROTO);
	r.hdr->prod = 0xfffffff8;
	assert_int_equal(get(&r, 120), -EPROTO);
	r.hdr->cons = 8;
	assert_int_equal(xvmc_frame_put(&r.prod, 1, body, 8), -EPROTO);
	assert_int_equal(r.prod.prod, 0);
	unit_ring_exit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_of_a_frame_are_aligned),
		cmocka_unit_test(frames_of_every_length_pass),
		cmocka_unit_test(padding_is_zero),
		cmocka_unit_test(without_room_nothing_is_put),
		cmocka_unit_test(a_frame_may_fill_the_ring_but_not_more),
		cmocka_unit_test(kicks_are_passed_on),
		cmocka_unit_test(broken_frames_fail),
		cmocka_unit_test(impossible_indices_fail),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
