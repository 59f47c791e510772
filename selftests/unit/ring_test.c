// SPDX-License-Identifier: GPL-2.0
/* The byte ring between two honest ends, one step after the other. */
#include "unit.h"

#define PAGE	XVMC_PAGE_SIZE

/* Bases from which every index of a test wraps, is at zero, or does not */
static const u32 bases[] = { 0, 1, 4095, 0x7fffffff, 0xfffff000, 0xffffffff };

static u8 byte_at(u32 i)
{
	return (u8)(i * 31 + (i >> 8) * 7);
}

static void put_bytes(struct unit_ring *r, u32 first, u32 n)
{
	u8 buf[4 * PAGE];
	u32 i;

	for (i = 0; i < n; i++)
		buf[i] = byte_at(first + i);
	xvmc_ring_copy_in(&r->prod, 0, buf, n);
}

static void check_bytes(struct unit_ring *r, u32 first, u32 n)
{
	u8 buf[4 * PAGE];
	u32 i;

	xvmc_ring_copy_out(&r->cons, 0, buf, n);
	for (i = 0; i < n; i++)
		assert_int_equal(buf[i], byte_at(first + i));
}

static void format_leaves_only_magic_and_order(void **state)
{
	struct xvmc_ring_hdr *hdr = unit_page();
	struct xvmc_ring_hdr want = { .magic = XVMC_RING_MAGIC, .order = 3 };

	(void)state;
	xvmc_ring_format(hdr, 3);
	assert_memory_equal(hdr, &want, sizeof(want));
	free(hdr);
}

static void grefs_are_copied_if_the_header_is_right(void **state)
{
	u32 gref[1 << XVMC_RING_MAX_ORDER];
	struct xvmc_ring_hdr *hdr = unit_page();
	u32 i;

	(void)state;
	xvmc_ring_format(hdr, XVMC_RING_MAX_ORDER);
	for (i = 0; i < ARRAY_SIZE(gref); i++)
		hdr->gref[i] = 1000 + i;
	assert_int_equal(xvmc_ring_read_grefs(hdr, XVMC_RING_MAX_ORDER, gref),
			 XVMC_RING_MAX_ORDER);
	for (i = 0; i < ARRAY_SIZE(gref); i++)
		assert_int_equal(gref[i], 1000 + i);
	free(hdr);
}

static void grefs_of_another_header_fail(void **state)
{
	struct xvmc_ring_hdr *hdr = unit_page();
	u32 gref[2] = { 0, 77 };

	(void)state;
	xvmc_ring_format(hdr, 0);
	assert_int_equal(xvmc_ring_read_grefs(hdr, 1, gref), -EPROTO);
	assert_int_equal(xvmc_ring_read_grefs(hdr, XVMC_RING_MAX_ORDER + 1,
					      gref), -EPROTO);
	assert_int_equal(xvmc_ring_read_grefs(hdr, 0xffffffff, gref), -EPROTO);
	hdr->magic++;
	assert_int_equal(xvmc_ring_read_grefs(hdr, 0, gref), -EPROTO);
	assert_int_equal(gref[0], 0);
	hdr->magic--;
	assert_int_equal(xvmc_ring_read_grefs(hdr, 0, gref), 0);
	assert_int_equal(gref[1], 77);
	free(hdr);
}

static void empty_and_full_are_told_apart(void **state)
{
	struct unit_ring r;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		unit_ring_init(&r, 1, bases[i]);
		assert_int_equal(xvmc_ring_space(&r.prod), 2 * PAGE);
		assert_int_equal(xvmc_ring_used(&r.cons), 0);
		xvmc_ring_publish(&r.prod, 2 * PAGE);
		assert_int_equal(xvmc_ring_space(&r.prod), 0);
		assert_int_equal(xvmc_ring_used(&r.cons), 2 * PAGE);
		xvmc_ring_consume(&r.cons, 2 * PAGE);
		assert_int_equal(xvmc_ring_space(&r.prod), 2 * PAGE);
		assert_int_equal(xvmc_ring_used(&r.cons), 0);
		unit_ring_exit(&r);
	}
}

static void pieces_end_at_page_edges(void **state)
{
	struct unit_ring r;
	u32 len = 3 * PAGE;

	(void)state;
	unit_ring_init(&r, 1, PAGE - 1);
	assert_ptr_equal(xvmc_ring_put_at(&r.prod, 0, &len),
			 (u8 *)r.page[0] + PAGE - 1);
	assert_int_equal(len, 1);
	len = 3 * PAGE;
	assert_ptr_equal(xvmc_ring_get_at(&r.cons, 1, &len), r.page[1]);
	assert_int_equal(len, PAGE);
	len = 5;
	assert_ptr_equal(xvmc_ring_get_at(&r.cons, 1 + PAGE, &len), r.page[0]);
	assert_int_equal(len, 5);
	unit_ring_exit(&r);
}

static void pieces_go_on_where_pages_are_neighbours(void **state)
{
	u8 *four = aligned_alloc(PAGE, 4 * PAGE);
	struct xvmc_ring_prod prod;
	struct xvmc_ring_hdr hdr;
	void *page[4];
	u32 len;

	(void)state;
	assert_non_null(four);
	/* Two and two: the middle is not what comes after the first half */
	page[0] = four + 2 * PAGE;
	page[1] = four + 3 * PAGE;
	page[2] = four;
	page[3] = four + PAGE;
	xvmc_ring_prod_init(&prod, &hdr, page, 2);
	len = 4 * PAGE;
	assert_ptr_equal(xvmc_ring_put_at(&prod, 10, &len), four + 2 * PAGE + 10);
	assert_int_equal(len, 2 * PAGE - 10);
	len = PAGE + 1;
	assert_ptr_equal(xvmc_ring_put_at(&prod, 10, &len), four + 2 * PAGE + 10);
	assert_int_equal(len, PAGE + 1);
	/* The last page has no neighbour, whatever stands behind the table */
	len = 4 * PAGE;
	assert_ptr_equal(xvmc_ring_put_at(&prod, 3 * PAGE + 1, &len),
			 four + PAGE + 1);
	assert_int_equal(len, PAGE - 1);
	free(four);
}

/* Random pieces through rings of all small orders, over the wrap of indices */
static void bytes_arrive_in_order(void **state)
{
	u64 rnd = unit_env("UNIT_SEED", 1);
	u32 order, step, sent, got;
	struct unit_ring r;

	(void)state;
	for (order = 0; order < 3; order++) {
		unit_ring_init(&r, order, 0u - 50 * PAGE - 123);
		sent = 0;
		got = 0;
		for (step = 0; step < 2000; step++) {
			u32 n = (u32)xvmc_ring_space(&r.prod);

			n = unit_below(&rnd, n + 1);
			put_bytes(&r, sent, n);
			xvmc_ring_publish(&r.prod, n);
			sent += n;
			n = (u32)xvmc_ring_used(&r.cons);
			assert_int_equal(n, sent - got);
			n = unit_below(&rnd, n + 1);
			check_bytes(&r, got, n);
			xvmc_ring_consume(&r.cons, n);
			got += n;
		}
		assert_true(got > 100 * PAGE);
		unit_ring_exit(&r);
	}
}

/* The model: is @event one of @from + 1 ... @from + n ? */
static bool moved_onto(u32 from, u32 n, u32 event)
{
	u32 i;

	for (i = 1; i <= n; i++)
		if (from + i == event)
			return true;
	return false;
}

static void kick_comes_exactly_if_the_index_moves_onto_the_event(void **state)
{
	u32 i, n, d;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		for (n = 0; n < 12; n++) {
			for (d = 0; d < 40; d++) {
				u32 event = bases[i] - 20 + d;
				bool want = moved_onto(bases[i], n, event);
				struct unit_ring r;

				unit_ring_init(&r, 0, bases[i]);
				r.hdr->prod_event = event;
				assert_int_equal(xvmc_ring_publish(&r.prod, n),
						 want);
				r.hdr->cons_event = event;
				assert_int_equal(xvmc_ring_consume(&r.cons, n),
						 want);
				unit_ring_exit(&r);
			}
		}
	}
}

static void nobody_is_kicked_who_did_not_ask(void **state)
{
	struct unit_ring r;
	u32 i;

	(void)state;
	unit_ring_init(&r, 0, 0xfffffff0);
	for (i = 0; i < 1000; i++) {
		assert_false(xvmc_ring_publish(&r.prod, 100));
		assert_false(xvmc_ring_consume(&r.cons, 100));
	}
	unit_ring_exit(&r);
}

static void want_data_is_kicked_once_when_there_is_enough(void **state)
{
	struct unit_ring r;
	u32 i, n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		unit_ring_init(&r, 0, bases[i]);
		xvmc_ring_publish(&r.prod, 3);
		assert_int_equal(xvmc_ring_want_data(&r.cons, 10), 3);
		for (n = 4; n < 10; n++)
			assert_false(xvmc_ring_publish(&r.prod, 1));
		assert_true(xvmc_ring_publish(&r.prod, 1));
		assert_false(xvmc_ring_publish(&r.prod, 1));
		/* There already: no kick is due, and none comes */
		assert_int_equal(xvmc_ring_want_data(&r.cons, 10), 11);
		assert_false(xvmc_ring_publish(&r.prod, 1));
		unit_ring_exit(&r);
	}
}

static void want_space_is_kicked_once_when_there_is_enough(void **state)
{
	struct unit_ring r;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		unit_ring_init(&r, 0, bases[i]);
		xvmc_ring_publish(&r.prod, PAGE - 1);
		assert_int_equal(xvmc_ring_want_space(&r.prod, 3), 1);
		assert_true(xvmc_ring_is_awaited(&r.cons));
		assert_false(xvmc_ring_consume(&r.cons, 1));
		assert_true(xvmc_ring_is_awaited(&r.cons));
		assert_true(xvmc_ring_consume(&r.cons, 1));
		assert_false(xvmc_ring_is_awaited(&r.cons));
		assert_false(xvmc_ring_consume(&r.cons, 1));
		assert_int_equal(xvmc_ring_want_space(&r.prod, 3), 4);
		assert_false(xvmc_ring_is_awaited(&r.cons));
		assert_false(xvmc_ring_consume(&r.cons, 1));
		unit_ring_exit(&r);
	}
}

static void only_progress_counts_as_a_move(void **state)
{
	struct unit_ring r;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		unit_ring_init(&r, 0, bases[i]);
		assert_false(xvmc_ring_prod_moved(&r.cons));
		assert_false(xvmc_ring_cons_moved(&r.prod));

		xvmc_ring_publish(&r.prod, 10);
		assert_true(xvmc_ring_prod_moved(&r.cons));
		assert_false(xvmc_ring_prod_moved(&r.cons));
		/* Back and forth again is none */
		r.hdr->prod = bases[i] + 5;
		assert_false(xvmc_ring_prod_moved(&r.cons));
		r.hdr->prod = bases[i] + 10;
		assert_false(xvmc_ring_prod_moved(&r.cons));
		/* Nor is what can not be */
		r.hdr->prod = bases[i] + PAGE + 1;
		assert_false(xvmc_ring_prod_moved(&r.cons));
		r.hdr->prod = bases[i] + 10;

		assert_false(xvmc_ring_cons_moved(&r.prod));
		xvmc_ring_consume(&r.cons, 4);
		assert_true(xvmc_ring_cons_moved(&r.prod));
		assert_false(xvmc_ring_cons_moved(&r.prod));
		r.hdr->cons = bases[i] + 3;
		assert_false(xvmc_ring_cons_moved(&r.prod));
		r.hdr->cons = bases[i] + 11;
		assert_false(xvmc_ring_cons_moved(&r.prod));
		/* The reader's own index has nothing to do with the writer's */
		r.hdr->cons = bases[i] + 4;
		assert_false(xvmc_ring_prod_moved(&r.cons));

		/* Many bytes later, about which nobody rang */
		r.prod.prod = bases[i] + 0x90000000;
		r.hdr->prod = r.prod.prod;
		r.cons.cons = r.prod.prod - 7;
		r.hdr->cons = r.cons.cons;
		assert_true(xvmc_ring_prod_moved(&r.cons));
		assert_true(xvmc_ring_cons_moved(&r.prod));
		assert_false(xvmc_ring_prod_moved(&r.cons));
		assert_false(xvmc_ring_cons_moved(&r.prod));
		unit_ring_exit(&r);
	}
}

static void wanting_more_than_the_size_waits_for_the_size(void **state)
{
	struct unit_ring r;

	(void)state;
	unit_ring_init(&r, 0, 0xfffffffe);
	assert_int_equal(xvmc_ring_want_data(&r.cons, 0xffffffff), 0);
	assert_false(xvmc_ring_publish(&r.prod, PAGE - 1));
	assert_int_equal(xvmc_ring_want_space(&r.prod, 0xffffffff), 1);
	assert_true(xvmc_ring_publish(&r.prod, 1));
	/* The event was for what had been published when it was written */
	assert_true(xvmc_ring_consume(&r.cons, PAGE - 1));
	assert_int_equal(xvmc_ring_want_space(&r.prod, PAGE + 1), PAGE - 1);
	assert_true(xvmc_ring_consume(&r.cons, 1));
	unit_ring_exit(&r);
}

static void a_stale_event_costs_one_kick_in_a_round(void **state)
{
	struct unit_ring r;
	u32 kicks = 0;
	u64 sum;

	(void)state;
	unit_ring_init(&r, 9, 5000);
	xvmc_ring_want_data(&r.cons, 7);
	for (sum = 0; sum < 1ull << 32; sum += 1 << 20) {
		kicks += xvmc_ring_publish(&r.prod, 1 << 20);
		xvmc_ring_consume(&r.cons, 1 << 20);
	}
	assert_int_equal(kicks, 1);
	unit_ring_exit(&r);
}

static void own_indices_are_never_read_back(void **state)
{
	struct unit_ring r;

	(void)state;
	unit_ring_init(&r, 0, 100);
	xvmc_ring_publish(&r.prod, 50);
	r.hdr->prod = 0xdeadbeef;
	assert_int_equal(xvmc_ring_space(&r.prod), PAGE - 50);
	assert_int_equal(xvmc_ring_want_space(&r.prod, 1), PAGE - 50);
	xvmc_ring_publish(&r.prod, 1);
	assert_int_equal(r.hdr->prod, 151);
	r.hdr->cons = 0xdeadbeef;
	assert_int_equal(xvmc_ring_used(&r.cons), 51);
	assert_int_equal(xvmc_ring_want_data(&r.cons, 1), 51);
	xvmc_ring_consume(&r.cons, 1);
	assert_int_equal(r.hdr->cons, 101);
	unit_ring_exit(&r);
}

static void marks_belong_to_their_epoch(void **state)
{
	struct xvmc_ring_mark mark;
	struct unit_ring r;

	(void)state;
	unit_ring_init(&r, 0, 0);
	xvmc_ring_mark(&r.cons, 1, &mark);
	assert_false(mark.started || mark.stopped);
	xvmc_ring_start(&r.prod, 1, 0xfffffff7);
	xvmc_ring_mark(&r.cons, 1, &mark);
	assert_true(mark.started && !mark.stopped);
	assert_int_equal(mark.seq, 0xfffffff7);
	xvmc_ring_stop(&r.prod, 1);
	xvmc_ring_mark(&r.cons, 1, &mark);
	assert_true(mark.started && mark.stopped);
	xvmc_ring_mark(&r.cons, 2, &mark);
	assert_false(mark.started || mark.stopped);
	xvmc_ring_start(&r.prod, 2, 9);
	xvmc_ring_mark(&r.cons, 2, &mark);
	assert_true(mark.started && !mark.stopped);
	assert_int_equal(mark.seq, 9);
	unit_ring_exit(&r);
}

static void each_bell_rings_by_itself(void **state)
{
	enum xvmc_bell kind, other;
	struct unit_ring r;
	u32 n, word;

	(void)state;
	unit_ring_init(&r, 0, 0);
	for (n = 0; n < 2 * XVMC_MAX_RINGS; n++) {
		kind = n < XVMC_MAX_RINGS ? XVMC_BELL_DATA : XVMC_BELL_SPACE;
		other = n < XVMC_MAX_RINGS ? XVMC_BELL_SPACE : XVMC_BELL_DATA;
		xvmc_bell_set(r.hdr, kind, n % XVMC_MAX_RINGS);
		for (word = 0; word < XVMC_BELL_WORDS; word++) {
			u32 want = word == n % XVMC_MAX_RINGS / 32 ?
				   1u << n % 32 : 0;

			assert_int_equal(xvmc_bell_take(r.hdr, other, word), 0);
			assert_int_equal(xvmc_bell_take(r.hdr, kind, word),
					 want);
			assert_int_equal(xvmc_bell_take(r.hdr, kind, word), 0);
		}
	}
	unit_ring_exit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(format_leaves_only_magic_and_order),
		cmocka_unit_test(grefs_are_copied_if_the_header_is_right),
		cmocka_unit_test(grefs_of_another_header_fail),
		cmocka_unit_test(empty_and_full_are_told_apart),
		cmocka_unit_test(pieces_end_at_page_edges),
		cmocka_unit_test(pieces_go_on_where_pages_are_neighbours),
		cmocka_unit_test(bytes_arrive_in_order),
		cmocka_unit_test(
			kick_comes_exactly_if_the_index_moves_onto_the_event),
		cmocka_unit_test(nobody_is_kicked_who_did_not_ask),
		cmocka_unit_test(want_data_is_kicked_once_when_there_is_enough),
		cmocka_unit_test(
			want_space_is_kicked_once_when_there_is_enough),
		cmocka_unit_test(only_progress_counts_as_a_move),
		cmocka_unit_test(wanting_more_than_the_size_waits_for_the_size),
		cmocka_unit_test(a_stale_event_costs_one_kick_in_a_round),
		cmocka_unit_test(own_indices_are_never_read_back),
		cmocka_unit_test(marks_belong_to_their_epoch),
		cmocka_unit_test(each_bell_rings_by_itself),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
