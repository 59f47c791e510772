// SPDX-License-Identifier: GPL-2.0
/*
 * The ring when the other end, or another caller of the own end, comes in
 * between any two accesses to an index: all places, one after the other.
 */
#include "ring_hooked.h"
#include "unit.h"

#define PAGE	XVMC_PAGE_SIZE

static struct unit_ring ring;
static void (*intruder)(void);
static int countdown;		/* accesses until the intruder comes */
static bool kicked;
static int looked;
static int got;

void ring_hook(void)
{
	if (countdown < 0 || countdown--)
		return;
	intruder();
}

/*
 * Runs @body with @who coming in before its first, second, ... access, until
 * there is no such access any more, and after it. @fill bytes are there before.
 */
static void at_every_access(void (*body)(void), void (*who)(void), u32 fill,
			    void (*check)(void))
{
	int place;

	for (place = 0; countdown < 0; place++) {
		countdown = -1;
		unit_ring_init(&ring, 0, 0xfffffff0);
		xvmc_ring_publish(&ring.prod, fill);
		kicked = false;
		looked = 0;
		got = 0;
		intruder = who;
		countdown = place;
		body();
		/* It did not come: there are fewer accesses than @place */
		if (countdown >= 0) {
			countdown = -1;
			who();
			check();
			unit_ring_exit(&ring);
			assert_in_range(place, 2, 20);
			return;
		}
		check();
		unit_ring_exit(&ring);
	}
}

static void sleep_for_data(void)
{
	looked = xvmc_ring_want_data(&ring.cons, 10);
}

static void write_ten(void)
{
	kicked |= xvmc_ring_publish(&ring.prod, 10);
}

static void sleep_for_space(void)
{
	looked = xvmc_ring_want_space(&ring.prod, 10);
}

static void read_ten(void)
{
	kicked |= xvmc_ring_consume(&ring.cons, 10);
}

/* The sleeper saw what it wants, or will be woken */
static void sleeper_is_not_lost(void)
{
	assert_true(looked == 0 || looked == 10);
	assert_true(looked == 10 || kicked);
}

static void no_kick_for_data_is_lost(void **state)
{
	(void)state;
	at_every_access(sleep_for_data, write_ten, 0, sleeper_is_not_lost);
	at_every_access(write_ten, sleep_for_data, 0, sleeper_is_not_lost);
}

static void no_kick_for_space_is_lost(void **state)
{
	(void)state;
	at_every_access(sleep_for_space, read_ten, PAGE, sleeper_is_not_lost);
	at_every_access(read_ten, sleep_for_space, PAGE, sleeper_is_not_lost);
}

/* Our reader empties the ring and an honest peer fills it again */
static void drain_and_fill(void)
{
	xvmc_ring_consume(&ring.cons, PAGE);
	xvmc_ring_publish(&ring.prod, PAGE - 1);
}

static void fill_and_drain(void)
{
	xvmc_ring_publish(&ring.prod, PAGE);
	xvmc_ring_consume(&ring.cons, PAGE - 1);
}

static void look_at_used(void)
{
	got = xvmc_ring_used(&ring.cons);
}

static void look_at_space(void)
{
	got = xvmc_ring_space(&ring.prod);
}

static void want_data_beside(void)
{
	got = xvmc_ring_want_data(&ring.cons, PAGE);
}

static void want_space_beside(void)
{
	got = xvmc_ring_want_space(&ring.prod, PAGE);
}

static void one_moment_was_seen(void)
{
	assert_true(got == PAGE || got == PAGE - 1);
}

static void callers_beside_the_reader_see_no_violation(void **state)
{
	(void)state;
	at_every_access(look_at_used, drain_and_fill, PAGE,
			one_moment_was_seen);
	at_every_access(want_data_beside, drain_and_fill, PAGE,
			one_moment_was_seen);
}

static void callers_beside_the_writer_see_no_violation(void **state)
{
	(void)state;
	at_every_access(look_at_space, fill_and_drain, 0, one_moment_was_seen);
	at_every_access(want_space_beside, fill_and_drain, 0,
			one_moment_was_seen);
}

/* The peer answers what it sees of an index; then we look beside its owner */
static void peer_drains_and_we_look(void)
{
	xvmc_ring_consume(&ring.cons, (u32)xvmc_ring_used(&ring.cons));
	got = xvmc_ring_space(&ring.prod);
	assert_true(got >= 0);
	got = xvmc_ring_want_space(&ring.prod, PAGE);
}

static void peer_fills_and_we_look(void)
{
	xvmc_ring_publish(&ring.prod, (u32)xvmc_ring_space(&ring.prod));
	got = xvmc_ring_used(&ring.cons);
	assert_true(got >= 0);
	got = xvmc_ring_want_data(&ring.cons, PAGE);
}

static void no_violation_was_seen(void)
{
	assert_true(got >= 0 && got <= PAGE);
}

static void publish_half(void)
{
	xvmc_ring_publish(&ring.prod, PAGE / 2);
}

static void consume_half(void)
{
	xvmc_ring_consume(&ring.cons, PAGE / 2);
}

static void the_answer_to_a_new_index_is_no_violation(void **state)
{
	(void)state;
	at_every_access(publish_half, peer_drains_and_we_look, PAGE / 2,
			no_violation_was_seen);
	at_every_access(consume_half, peer_fills_and_we_look, PAGE / 2,
			no_violation_was_seen);
}

static struct xvmc_ring_mark mark;

static void read_marks(void)
{
	xvmc_ring_mark(&ring.cons, 7, &mark);
	/* As the protocol wants it: the index after the marks */
	got = xvmc_ring_used(&ring.cons);
}

static void whole_lend(void)
{
	xvmc_ring_start(&ring.prod, 7, 4711);
	xvmc_ring_publish(&ring.prod, 100);
	xvmc_ring_stop(&ring.prod, 7);
}

static void marks_are_consistent(void)
{
	if (mark.started)
		assert_int_equal(mark.seq, 4711);
	if (mark.stopped) {
		assert_true(mark.started);
		assert_int_equal(got, 100);
	}
}

static void marks_never_promise_too_much(void **state)
{
	(void)state;
	at_every_access(read_marks, whole_lend, 0, marks_are_consistent);
	at_every_access(whole_lend, read_marks, 0, marks_are_consistent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_kick_for_data_is_lost),
		cmocka_unit_test(no_kick_for_space_is_lost),
		cmocka_unit_test(callers_beside_the_reader_see_no_violation),
		cmocka_unit_test(callers_beside_the_writer_see_no_violation),
		cmocka_unit_test(the_answer_to_a_new_index_is_no_violation),
		cmocka_unit_test(marks_never_promise_too_much),
	};

	countdown = -1;
	return cmocka_run_group_tests_name("ring race", tests, NULL, NULL);
}
