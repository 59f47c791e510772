// SPDX-License-Identifier: GPL-2.0
/*
 * The ring against a peer that writes anything anywhere at any time.
 *
 * Before each access to an index the peer may overwrite any word of the header
 * page and any byte of the data pages. No function may step out of the pages
 * (the address sanitizer watches), return a number out of its range, or move
 * an own index by more than it was told to.
 */
#include "ring_hooked.h"
#include "unit.h"
#include "../../net/xenvmc/core/ctlmsg.h"
#include "../../net/xenvmc/core/frame.h"

static struct unit_ring ring;
static bool hostile;
static u64 rnd;
static u64 running;		/* seed of the present round, or 0 */

static u32 nasty(void)
{
	static const u32 value[] = {
		0, 1, 7, 8, 0x1000, 0x1001, 0x7fffffff, 0x80000000, 0xffffffff,
	};
	u32 near = unit_below(&rnd, 2) ? ring.prod.prod : ring.cons.cons;

	switch (unit_below(&rnd, 4)) {
	case 0:
		return unit_random(&rnd);
	case 1:
		return value[unit_below(&rnd, ARRAY_SIZE(value))];
	default:
		return near + unit_below(&rnd, 2 * ring.prod.size) -
		       ring.prod.size;
	}
}

void ring_hook(void)
{
	u32 *word = (u32 *)ring.hdr, n;

	if (!hostile || unit_below(&rnd, 3))
		return;
	for (n = unit_below(&rnd, 4); n; n--) {
		/* Mostly the two index lines, sometimes anything */
		u32 i = unit_below(&rnd, 4) ? unit_below(&rnd, 2) * 32 +
			unit_below(&rnd, 5) : unit_below(&rnd, 1024);

		word[i] = nasty();
	}
	n = unit_below(&rnd, XVMC_PAGE_SIZE - 8);
	n = unit_random(&rnd) & 1 ? n & ~7u : n;
	*((u8 *)ring.page[unit_below(&rnd, 1u << ring.order)] + n) =
		(u8)(unit_below(&rnd, 3) ? 0 : unit_random(&rnd));
}

static void begin(u64 seed)
{
	running = seed;
	rnd = seed;
	hostile = false;
	unit_ring_init(&ring, unit_below(&rnd, 3), unit_random(&rnd));
	hostile = true;
}

static void end(void)
{
	hostile = false;
	running = 0;
	unit_ring_exit(&ring);
}

static int say_seed(void **state)
{
	(void)state;
	if (running)
		print_message("# UNIT_SEED=%llu\n",
			      (unsigned long long)running);
	running = 0;
	hostile = false;
	return 0;
}

static void assert_fill(int n)
{
	assert_true(n == -EPROTO || (n >= 0 && (u32)n <= ring.prod.size));
}

static void produce(void)
{
	u8 buf[4 * XVMC_PAGE_SIZE] = { 0 };
	int space = xvmc_ring_space(&ring.prod);
	u32 before = ring.prod.prod, n;

	assert_fill(space);
	if (space < 0)
		return;
	n = unit_below(&rnd, (u32)space + 1);
	xvmc_ring_copy_in(&ring.prod, 0, buf, n);
	xvmc_ring_publish(&ring.prod, n);
	assert_int_equal(ring.prod.prod, before + n);
}

static void consume(void)
{
	u8 buf[4 * XVMC_PAGE_SIZE];
	int used = xvmc_ring_used(&ring.cons);
	u32 before = ring.cons.cons, n;

	assert_fill(used);
	if (used < 0)
		return;
	n = unit_below(&rnd, (u32)used + 1);
	xvmc_ring_copy_out(&ring.cons, 0, buf, n);
	xvmc_ring_consume(&ring.cons, n);
	assert_int_equal(ring.cons.cons, before + n);
}

static void bytes_stay_in_the_ring(void **state)
{
	u64 seed = unit_env("UNIT_SEED", 1), last;
	u32 step;

	(void)state;
	for (last = seed + unit_env("UNIT_RUNS", 300); seed < last; seed++) {
		begin(seed);
		for (step = 0; step < 200; step++) {
			produce();
			consume();
			assert_fill(xvmc_ring_want_data(&ring.cons,
							nasty()));
			assert_fill(xvmc_ring_want_space(&ring.prod,
							 nasty()));
		}
		end();
	}
}

/* What xvmc_chan does with its control ring, until the ring is broken */
static bool take_message(u32 *decoded)
{
	u32 before = ring.cons.cons;
	u8 body[XVMC_CTL_MAX_BODY];
	struct xvmc_ctlmsg msg;
	bool kick;
	u16 type;
	int len;

	len = xvmc_frame_get(&ring.cons, &type, body, sizeof(body), &kick);
	if (len < 0) {
		assert_true(len == -EAGAIN || len == -EPROTO);
		assert_int_equal(ring.cons.cons, before);
		return len == -EAGAIN;
	}
	assert_in_range(len, 0, XVMC_CTL_MAX_BODY);
	assert_int_equal(ring.cons.cons - before, xvmc_frame_bytes((u16)len));
	*decoded += !xvmc_ctlmsg_decode(type, body, (u16)len, &msg);
	return true;
}

static void control_messages_are_whole_or_refused(void **state)
{
	u64 seed = unit_env("UNIT_SEED", 1), last;
	u32 step, decoded = 0, broken = 0;
	u8 body[XVMC_CTL_MAX_BODY] = { 1 };
	int err;

	(void)state;
	for (last = seed + unit_env("UNIT_RUNS", 3000); seed < last; seed++) {
		begin(seed);
		for (step = 0; step < 100; step++) {
			/* Only the word of the index lines, at times */
			hostile = !unit_below(&rnd, 4);
			err = xvmc_frame_put(&ring.prod,
					     (u16)unit_below(&rnd, 20), body,
					     (u16)unit_below(&rnd, 121));
			assert_true(err == 0 || err == 1 || err == -EAGAIN ||
				    err == -EPROTO);
			if (!take_message(&decoded)) {
				broken++;
				break;
			}
		}
		end();
	}
	assert_true(decoded && broken);
}

static void a_changing_header_gives_one_copy(void **state)
{
	u32 gref[4], want, tries;
	int order;

	(void)state;
	begin(1);
	for (tries = 0; tries < 20000; tries++) {
		want = unit_below(&rnd, 3);
		hostile = false;
		xvmc_ring_format(ring.hdr, want);
		hostile = true;
		order = xvmc_ring_read_grefs(ring.hdr, want, gref);
		assert_true(order == -EPROTO || order == (int)want);
	}
	end();
}

static void marks_and_bells_take_anything(void **state)
{
	struct xvmc_ring_mark mark;
	u32 tries, word;

	(void)state;
	begin(2);
	for (tries = 0; tries < 20000; tries++) {
		xvmc_ring_mark(&ring.cons, nasty(), &mark);
		for (word = 0; word < XVMC_BELL_WORDS; word++) {
			xvmc_bell_take(ring.hdr, XVMC_BELL_DATA, word);
			xvmc_bell_take(ring.hdr, XVMC_BELL_SPACE, word);
		}
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(bytes_stay_in_the_ring, say_seed),
		cmocka_unit_test_teardown(
			control_messages_are_whole_or_refused, say_seed),
		cmocka_unit_test(a_changing_header_gives_one_copy),
		cmocka_unit_test(marks_and_bells_take_anything),
	};

	return cmocka_run_group_tests_name("ring hostile", tests, NULL, NULL);
}
