// SPDX-License-Identifier: GPL-2.0
/*
 * The ring between two threads that sleep until they are kicked.
 *
 * A lost kick shows as two sleepers, which the deadline ends. Built with the
 * address sanitizer, and once more with the thread sanitizer, which sees a
 * byte that no index orders.
 *
 *   UNIT_KIB=	KiB per transfer (default 4096)
 */
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "unit.h"

#define DEADLINE	120	/* seconds for all, scaled; loaded machine */

/**
 * struct transfer - a stream of bytes through a small ring
 * @ring: both ends
 * @data_fd: kicked by the writer
 * @space_fd: kicked by the reader
 * @total: bytes
 * @piece: largest write and read
 * @kicks: of the reader
 * @sleeps: of the reader
 * @done: the reader has all
 */
struct transfer {
	struct unit_ring ring;
	int data_fd;
	int space_fd;
	u32 total;
	u32 piece;
	u32 kicks;
	u32 sleeps;
	bool done;
};

static u8 byte_at(u32 i)
{
	return (u8)(i * 13 + (i >> 9));
}

static void kick(int fd)
{
	if (eventfd_write(fd, 1))
		abort();
}

static void sleep_on(int fd)
{
	eventfd_t count;

	if (eventfd_read(fd, &count))
		abort();
}

static void *writer(void *arg)
{
	struct transfer *t = arg;
	u64 rnd = t->piece;
	u32 sent = 0, i, n;
	u8 buf[8192];
	int space;

	while (sent < t->total) {
		space = xvmc_ring_space(&t->ring.prod);
		if (!space) {
			n = 1 + unit_below(&rnd, t->ring.prod.size);
			space = xvmc_ring_want_space(&t->ring.prod, n);
			if (space >= 0 && (u32)space < n)
				sleep_on(t->space_fd);
			continue;
		}
		if (space < 0)
			abort();
		n = 1 + unit_below(&rnd, t->piece);
		n = n < (u32)space ? n : (u32)space;
		n = n < t->total - sent ? n : t->total - sent;
		for (i = 0; i < n; i++)
			buf[i] = byte_at(sent + i);
		xvmc_ring_copy_in(&t->ring.prod, 0, buf, n);
		sent += n;
		if (xvmc_ring_publish(&t->ring.prod, n))
			kick(t->data_fd);
	}
	return NULL;
}

static u32 read_some(struct transfer *t, u32 got, u32 used, u64 *rnd)
{
	u32 i, n = 1 + unit_below(rnd, t->piece);
	u8 buf[8192];

	n = n < used ? n : used;
	xvmc_ring_copy_out(&t->ring.cons, 0, buf, n);
	for (i = 0; i < n; i++)
		if (buf[i] != byte_at(got + i))
			abort();
	if (xvmc_ring_consume(&t->ring.cons, n)) {
		t->kicks++;
		kick(t->space_fd);
	}
	return n;
}

static void *reader(void *arg)
{
	struct transfer *t = arg;
	u64 rnd = t->piece + 1;
	u32 got = 0, n, left;
	int used;

	while (got < t->total) {
		used = xvmc_ring_used(&t->ring.cons);
		if (used < 0)
			abort();
		if (used) {
			got += read_some(t, got, (u32)used, &rnd);
			continue;
		}
		/* More than the ring holds, or the stream has, never comes */
		left = t->total - got;
		n = 1 + unit_below(&rnd, t->ring.cons.size);
		n = n < left ? n : left;
		used = xvmc_ring_want_data(&t->ring.cons, n);
		if (used >= 0 && (u32)used < n) {
			t->sleeps++;
			sleep_on(t->data_fd);
		}
	}
	__atomic_store_n(&t->done, true, __ATOMIC_RELAXED);
	return NULL;
}

/* What poll() and SIOCINQ do beside reader and writer */
static void *looker(void *arg)
{
	struct transfer *t = arg;

	while (!__atomic_load_n(&t->done, __ATOMIC_RELAXED)) {
		if (xvmc_ring_used(&t->ring.cons) < 0 ||
		    xvmc_ring_space(&t->ring.prod) < 0)
			abort();
		usleep(50);
	}
	return NULL;
}

static void transfer(u32 order, u32 piece, u32 total)
{
	struct transfer t = { .total = total, .piece = piece };
	pthread_t thread[3];
	u32 i;

	unit_ring_init(&t.ring, order, 0u - total / 2);
	t.data_fd = eventfd(0, 0);
	t.space_fd = eventfd(0, 0);
	assert_true(t.data_fd >= 0 && t.space_fd >= 0);
	assert_int_equal(pthread_create(&thread[0], NULL, writer, &t), 0);
	assert_int_equal(pthread_create(&thread[1], NULL, reader, &t), 0);
	assert_int_equal(pthread_create(&thread[2], NULL, looker, &t), 0);
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	print_message("# order %u, pieces to %u: reader slept %u, kicked %u\n",
		      order, piece, t.sleeps, t.kicks);
	assert_true(t.sleeps && t.kicks);
	close(t.data_fd);
	close(t.space_fd);
	unit_ring_exit(&t.ring);
}

static u32 total(void)
{
	return (u32)unit_env("UNIT_KIB", 4096) << 10;
}

static void small_pieces_in_one_page(void **state)
{
	(void)state;
	transfer(0, 64, total() / 16);
}

static void large_pieces_in_one_page(void **state)
{
	(void)state;
	transfer(0, 8192, total());
}

static void large_pieces_in_eight_pages(void **state)
{
	(void)state;
	transfer(3, 8192, total());
}

/*
 * Both ends at the same moment, over and over: one publishes, the other wants
 * to sleep. Without a full barrier on either side a processor lets both read
 * old values, x86 too, and the kick is lost.
 */
#define DUELS		50000

struct duel {
	struct unit_ring ring;
	u32 round;		/* begins when it reaches the round's number */
	u32 done;		/* rounds that the producer has played */
	bool kicked;
};

static void wait_for(u32 *word, u32 value)
{
	u32 spins = 0;

	/* More threads than processors: do not spin a time slice away */
	while (xvmc_load_acquire(word) != value)
		if (!(++spins & 8191))
			sched_yield();
}

static void *duellist(void *arg)
{
	struct duel *d = arg;
	u32 round;

	for (round = 1; round <= DUELS; round++) {
		wait_for(&d->round, round);
		d->kicked = xvmc_ring_publish(&d->ring.prod, 1);
		xvmc_store_release(&d->done, round);
	}
	return NULL;
}

static void no_kick_is_lost_when_both_come_at_once(void **state)
{
	struct duel d = { .round = 0 };
	u32 round, lost = 0, slept = 0, start = 0;
	pthread_t thread;
	u64 rnd = 1;

	(void)state;
	unit_ring_init(&d.ring, 0, 0u - DUELS / 2);
	assert_int_equal(pthread_create(&thread, NULL, duellist, &d), 0);
	for (round = 1; round <= DUELS; round++) {
		volatile u32 pause = start + unit_below(&rnd, 32);
		int used;

		xvmc_store_release(&d.round, round);
		/* As long as the other takes to see it: found out on the way */
		while (pause)
			pause--;
		used = xvmc_ring_want_data(&d.ring.cons, 1);
		wait_for(&d.done, round);
		start += used ? -(start > 0) : (start < 5000);
		slept += !used;
		lost += !used && !d.kicked;
		xvmc_ring_consume(&d.ring.cons, 1);
	}
	pthread_join(thread, NULL);
	unit_ring_exit(&d.ring);
	print_message("# would have slept %u times of %u\n", slept, DUELS);
	assert_int_equal(lost, 0);
}

/* Doorbells of a pair: who rings, and the ring that it rang for */
struct bells {
	struct xvmc_ring_hdr *hdr;
	u32 index[XVMC_MAX_RINGS];
	int fd;
};

#define BELL_ROUNDS	200

static void *ringer(void *arg)
{
	struct bells *b = arg;
	u32 round, n;

	for (round = 1; round <= BELL_ROUNDS; round++) {
		for (n = 0; n < XVMC_MAX_RINGS; n++) {
			xvmc_store(&b->index[n], round);
			xvmc_mb();
			xvmc_bell_set(b->hdr, XVMC_BELL_DATA, n);
			if (!(n & 7))
				kick(b->fd);
		}
		kick(b->fd);
	}
	return NULL;
}

/* Each index is looked at only if its bell rang, and yet all reach the end */
static void every_bell_shows_what_rang_it(void **state)
{
	struct bells b = { .hdr = unit_page(), .fd = eventfd(0, 0) };
	u32 seen[XVMC_MAX_RINGS] = { 0 }, done = 0, word, bits, n;
	pthread_t thread;

	(void)state;
	xvmc_ring_format(b.hdr, 0);
	assert_int_equal(pthread_create(&thread, NULL, ringer, &b), 0);
	while (done < XVMC_MAX_RINGS) {
		sleep_on(b.fd);
		for (word = 0; word < XVMC_BELL_WORDS; word++) {
			bits = xvmc_bell_take(b.hdr, XVMC_BELL_DATA, word);
			for (n = word * 32; bits; bits >>= 1, n++) {
				if (!(bits & 1) || seen[n] == BELL_ROUNDS)
					continue;
				seen[n] = xvmc_load(&b.index[n]);
				done += seen[n] == BELL_ROUNDS;
			}
		}
	}
	pthread_join(thread, NULL);
	close(b.fd);
	free(b.hdr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_pieces_in_one_page),
		cmocka_unit_test(large_pieces_in_one_page),
		cmocka_unit_test(large_pieces_in_eight_pages),
		cmocka_unit_test(no_kick_is_lost_when_both_come_at_once),
		cmocka_unit_test(every_bell_shows_what_rang_it),
	};

	alarm(DEADLINE * (u32)unit_env("XENVMC_DEADLINE_FACTOR", 1));
	return cmocka_run_group_tests_name("ring threads", tests, NULL, NULL);
}
