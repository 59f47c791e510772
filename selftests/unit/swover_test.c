// SPDX-License-Identifier: GPL-2.0
/*
 * Switch-over: each rule by itself, then whole connections in random order.
 *
 *   UNIT_RUNS=	connections (default 30000)
 *   UNIT_SEED=	seed of the first; the one that fails is printed
 */
#include "swover_model.h"

#define S	0xfffffffeu	/* the sequence numbers of the tests wrap */

static enum xvmc_rx_src next(struct xvmc_rx_view v, u32 *limit)
{
	*limit = 0xdead;
	return xvmc_rx_next(&v, limit);
}

static struct xvmc_rx_view lent(u32 copied_seq, u32 rcv_nxt)
{
	return (struct xvmc_rx_view){
		.lent = true, .copied_seq = copied_seq, .rcv_nxt = rcv_nxt,
	};
}

static struct xvmc_rx_view started(u32 copied_seq, u32 rcv_nxt)
{
	struct xvmc_rx_view v = lent(copied_seq, rcv_nxt);

	v.mark.started = true;
	v.mark.seq = S;
	return v;
}

static void sequence_numbers_compare_over_the_wrap(void **state)
{
	(void)state;
	assert_int_equal(xvmc_seq_cmp(5, 5), 0);
	assert_int_equal(xvmc_seq_cmp(4, 5), -1);
	assert_int_equal(xvmc_seq_cmp(5, 4), 1);
	assert_int_equal(xvmc_seq_cmp(0xffffffff, 0), -1);
	assert_int_equal(xvmc_seq_cmp(0, 0xffffffff), 1);
	assert_int_equal(xvmc_seq_cmp(0x7fffffff, 0x80000000), -1);
	assert_int_equal(xvmc_seq_cmp(0, 0x7fffffff), -1);
}

static void without_a_lend_all_is_tcp(void **state)
{
	struct xvmc_rx_view v = started(S + 9, S);
	u32 limit;

	(void)state;
	v.lent = false;
	v.used = 7;
	assert_int_equal(next(v, &limit), XVMC_SRC_TCP);
	assert_int_equal(limit, U32_MAX);
}

static void before_the_start_tcp_is_read_as_far_as_it_was_seen(void **state)
{
	struct xvmc_rx_view v = lent(S - 1, S + 4);
	u32 limit;

	(void)state;
	assert_int_equal(next(v, &limit), XVMC_SRC_TCP);
	assert_int_equal(limit, 5);
	v = lent(S, S);
	assert_int_equal(next(v, &limit), XVMC_SRC_TCP);
	assert_int_equal(limit, 0);
	v.fin = true;
	assert_int_equal(next(v, &limit), XVMC_SRC_TCP);
	assert_int_equal(limit, U32_MAX);
}

static void before_s_tcp_is_read_up_to_s(void **state)
{
	struct xvmc_rx_view v = started(S - 6, S + 100);
	u32 limit;

	(void)state;
	v.used = 3;
	v.mark.stopped = true;
	assert_int_equal(next(v, &limit), XVMC_SRC_TCP);
	assert_int_equal(limit, 6);
}

static void at_s_the_ring_comes_before_anything_else(void **state)
{
	struct xvmc_rx_view v = started(S, S + 100);
	u32 limit;

	(void)state;
	v.used = 3;
	v.mark.stopped = true;
	v.fin = true;
	assert_int_equal(next(v, &limit), XVMC_SRC_RING);
	assert_int_equal(limit, 3);
}

static void an_empty_ring_is_waited_for(void **state)
{
	u32 limit;

	(void)state;
	assert_int_equal(next(started(S, S), &limit), XVMC_SRC_WAIT_RING);
	assert_int_equal(limit, 0);
}

static void an_empty_ring_is_done_by_mark_or_by_evidence(void **state)
{
	struct xvmc_rx_view v = started(S, S);
	u32 limit;

	(void)state;
	v.mark.stopped = true;
	assert_int_equal(next(v, &limit), XVMC_SRC_RING_DONE);
	v = started(S, S);
	v.fin = true;
	assert_int_equal(next(v, &limit), XVMC_SRC_RING_DONE);
	v = started(S, S + 1);
	assert_int_equal(next(v, &limit), XVMC_SRC_RING_DONE);
	v = started(S, S + 3);		/* behind the wrap */
	assert_int_equal(next(v, &limit), XVMC_SRC_RING_DONE);
}

static void impossible_marks_are_violations(void **state)
{
	struct xvmc_rx_view v = lent(S, S);
	u32 limit;

	(void)state;
	v.mark.stopped = true;
	assert_int_equal(next(v, &limit), XVMC_SRC_VIOLATION);
	assert_int_equal(limit, 0);
	v = started(S + 1, S + 1);
	v.used = 1;
	assert_int_equal(next(v, &limit), XVMC_SRC_VIOLATION);
	v = started(S + 0x7fffffff, S);
	v.used = 1;
	assert_int_equal(next(v, &limit), XVMC_SRC_VIOLATION);
}

/* A lend that is returned unused is started first and stopped then */
static void the_start_of_an_unused_lend_means_nothing(void **state)
{
	struct xvmc_rx_view v = started(S + 5, S + 7);
	u32 limit;

	(void)state;
	assert_int_equal(next(v, &limit), XVMC_SRC_TCP);
	assert_int_equal(limit, 2);
	v.mark.stopped = true;
	assert_int_equal(next(v, &limit), XVMC_SRC_RING_DONE);
}

/* AF_XENVMC: no TCP, S is 0; the stop mark is the end of the stream */
static void a_stream_without_tcp_is_the_same_thing(void **state)
{
	struct xvmc_rx_view v = lent(0, 0);
	u32 limit;

	(void)state;
	assert_int_equal(next(v, &limit), XVMC_SRC_TCP);
	assert_int_equal(limit, 0);
	v.mark.started = true;
	assert_int_equal(next(v, &limit), XVMC_SRC_WAIT_RING);
	v.used = 9;
	assert_int_equal(next(v, &limit), XVMC_SRC_RING);
	assert_int_equal(limit, 9);
	v.used = 0;
	v.mark.stopped = true;
	assert_int_equal(next(v, &limit), XVMC_SRC_RING_DONE);
}

static u32 choose_random(void *arg, u32 n)
{
	return unit_below(arg, n);
}

static void every_byte_arrives_once_and_in_order(void **state)
{
	u64 seed = unit_env("UNIT_SEED", 1);
	u64 runs = unit_env("UNIT_RUNS", 30000);
	u64 end = seed + runs, rnd, lends = 0, by_ring = 0, by_tcp = 0;
	static struct model m;

	(void)state;
	for (; seed < end; seed++) {
		rnd = seed * 0x10001;
		model_init(&m, choose_random, &rnd);
		model_run(&m, 1000);
		if (m.wrong)
			print_error("UNIT_SEED=%llu: %s, at byte %u of %u\n",
				    (unsigned long long)seed, m.wrong, m.got,
				    m.total);
		assert_null(m.wrong);
		lends += m.lends;
		by_ring += m.by_ring;
		by_tcp += m.tcp_sent;
		model_exit(&m);
	}
	print_message("# %llu lends, %llu bytes by ring, %llu by TCP\n",
		      (unsigned long long)lends, (unsigned long long)by_ring,
		      (unsigned long long)by_tcp);
	/* The model does what it is for: both ways, more than one lend */
	assert_true(runs < 100 || lends > 2 * runs);
	assert_true(runs < 100 || (by_ring > runs && by_tcp > runs));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequence_numbers_compare_over_the_wrap),
		cmocka_unit_test(without_a_lend_all_is_tcp),
		cmocka_unit_test(
			before_the_start_tcp_is_read_as_far_as_it_was_seen),
		cmocka_unit_test(before_s_tcp_is_read_up_to_s),
		cmocka_unit_test(at_s_the_ring_comes_before_anything_else),
		cmocka_unit_test(an_empty_ring_is_waited_for),
		cmocka_unit_test(an_empty_ring_is_done_by_mark_or_by_evidence),
		cmocka_unit_test(impossible_marks_are_violations),
		cmocka_unit_test(the_start_of_an_unused_lend_means_nothing),
		cmocka_unit_test(a_stream_without_tcp_is_the_same_thing),
		cmocka_unit_test(every_byte_arrives_once_and_in_order),
	};

	return cmocka_run_group_tests_name("swover", tests, NULL, NULL);
}
