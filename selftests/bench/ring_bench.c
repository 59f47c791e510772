// SPDX-License-Identifier: GPL-2.0
/*
 * The ring between two processes, against a pipe and an AF_UNIX stream.
 *
 * Sleeping and waking are the real thing: want_*() and a doorbell, no spinning.
 * The doorbell is a byte in a pipe. An eventfd does less, but lacks the hint to
 * the scheduler that pipe and socket give when they wake somebody; on a busy
 * machine it is the hint that would be measured. The three take turns in each
 * round, so that what else the machine does meets all of them.
 *
 *   BENCH_ROUNDS=	rounds (default 7)
 *   BENCH_MS=		milliseconds per measurement (default 150)
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../net/xenvmc/core/ring.h"

#define RING_ORDER	6	/* as in the kernel: 256 KiB */
#define MAX_PIECE	65536
#define MAX_ROUNDS	99

enum kind { RING, PIPE, UNIX, KINDS };

static const char * const kind_name[] = { "ring", "pipe", "AF_UNIX" };

/**
 * struct link - a stream of bytes from one process to another
 * @kind: what carries it
 * @rd: pipe, AF_UNIX: to read from
 * @wr: pipe, AF_UNIX: to write to
 * @data_bell: ring: pipe that wakes the reader
 * @space_bell: ring: pipe that wakes the writer
 * @hdr: ring: header, shared; the data pages follow
 * @page: ring: data pages
 * @prod: ring: the writer's end
 * @cons: ring: the reader's end
 */
struct link {
	enum kind kind;
	int rd;
	int wr;
	int data_bell[2];
	int space_bell[2];
	struct xvmc_ring_hdr *hdr;
	void *page[1 << RING_ORDER];
	struct xvmc_ring_prod prod;
	struct xvmc_ring_cons cons;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the ring as a stream ---- */

static size_t ring_bytes(void)
{
	return (size_t)XVMC_PAGE_SIZE * (1 + (1 << RING_ORDER));
}

static void ring_open(struct link *l)
{
	u32 i;

	l->hdr = mmap(NULL, ring_bytes(), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (l->hdr == MAP_FAILED || pipe(l->data_bell) || pipe(l->space_bell))
		die("ring");
	for (i = 0; i < 1 << RING_ORDER; i++)
		l->page[i] = (u8 *)l->hdr + (size_t)(i + 1) * XVMC_PAGE_SIZE;
	xvmc_ring_format(l->hdr, RING_ORDER);
	xvmc_ring_prod_init(&l->prod, l->hdr, l->page, RING_ORDER);
	xvmc_ring_cons_init(&l->cons, l->hdr, l->page, RING_ORDER);
}

static void ring_close(struct link *l)
{
	u32 i;

	for (i = 0; i < 2; i++) {
		close(l->data_bell[i]);
		close(l->space_bell[i]);
	}
	munmap(l->hdr, ring_bytes());
}

static void kick(const int *bell)
{
	if (write(bell[1], "", 1) != 1)
		die("kick");
}

static void sleep_on(const int *bell)
{
	char kicks[16];

	if (read(bell[0], kicks, sizeof(kicks)) < 1)
		die("sleep");
}

static void ring_send(struct link *l, const u8 *buf, u32 n)
{
	u32 half = l->prod.size / 2, len;
	int space;

	while (n) {
		space = xvmc_ring_space(&l->prod);
		if (space < 0)
			die("broken ring");
		if (!space) {
			if (xvmc_ring_want_space(&l->prod, half) < (int)half)
				sleep_on(l->space_bell);
			continue;
		}
		len = n < (u32)space ? n : (u32)space;
		xvmc_ring_copy_in(&l->prod, 0, buf, len);
		if (xvmc_ring_publish(&l->prod, len))
			kick(l->data_bell);
		buf += len;
		n -= len;
	}
}

static void ring_eof(struct link *l)
{
	xvmc_ring_start(&l->prod, 1, 0);
	xvmc_ring_stop(&l->prod, 1);
	kick(l->data_bell);
}

static u32 ring_recv(struct link *l, u8 *buf, u32 n)
{
	struct xvmc_ring_mark mark;
	int used;

	for (;;) {
		used = xvmc_ring_used(&l->cons);
		if (used)
			break;
		xvmc_ring_mark(&l->cons, 1, &mark);
		used = xvmc_ring_want_data(&l->cons, 1);
		if (used)
			break;
		if (mark.stopped)
			return 0;
		sleep_on(l->data_bell);
	}
	if (used < 0)
		die("broken ring");
	n = n < (u32)used ? n : (u32)used;
	xvmc_ring_copy_out(&l->cons, 0, buf, n);
	if (xvmc_ring_consume(&l->cons, n))
		kick(l->space_bell);
	return n;
}

/* ---- any stream ---- */

static void link_open(struct link *l, enum kind kind)
{
	int fd[2];

	l->kind = kind;
	if (kind == RING) {
		ring_open(l);
		return;
	}
	if (kind == PIPE ? pipe(fd) : socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
		die(kind_name[kind]);
	l->rd = fd[0];
	l->wr = fd[1];
}

static void link_close(struct link *l)
{
	if (l->kind == RING) {
		ring_close(l);
		return;
	}
	close(l->rd);
	if (l->wr >= 0)
		close(l->wr);
}

static void link_send(struct link *l, const u8 *buf, u32 n)
{
	ssize_t done;

	if (l->kind == RING) {
		ring_send(l, buf, n);
		return;
	}
	for (; n; n -= (u32)done, buf += done) {
		done = write(l->wr, buf, n);
		if (done < 0)
			die("write");
	}
}

static u32 link_recv(struct link *l, u8 *buf, u32 n)
{
	ssize_t done;

	if (l->kind == RING)
		return ring_recv(l, buf, n);
	done = read(l->rd, buf, n);
	if (done < 0)
		die("read");
	return (u32)done;
}

static void link_eof(struct link *l)
{
	if (l->kind == RING) {
		ring_eof(l);
		return;
	}
	close(l->wr);
	l->wr = -1;
}

/* ---- measurements ---- */

static u8 buf[MAX_PIECE];

/* The other process: reads to the end, then answers one byte */
static void sink(struct link *there, struct link *back, u32 piece)
{
	u32 n;

	if (there->kind != RING)
		close(there->wr);
	do {
		n = link_recv(there, buf, piece);
	} while (n);
	link_send(back, buf, 1);
	_exit(0);
}

static void echo(struct link *there, struct link *back)
{
	if (there->kind != RING)
		close(there->wr);
	while (link_recv(there, buf, 1))
		link_send(back, buf, 1);
	_exit(0);
}

/* MB/s in pieces of @piece bytes; round trips/s of a byte if @piece is 0 */
static double measure(enum kind kind, u32 piece, double seconds)
{
	struct link there, back;
	double begin, units = 0;
	u32 i;
	pid_t pid;

	link_open(&there, kind);
	link_open(&back, kind);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (piece)
			sink(&there, &back, piece);
		echo(&there, &back);
	}

	begin = now();
	while (now() < begin + seconds) {
		for (i = 0; i < 32; i++) {
			link_send(&there, buf, piece ? piece : 1);
			if (!piece && link_recv(&back, buf, 1) != 1)
				die("echo");
		}
		units += 32 * (piece ? piece / 1e6 : 1);
	}
	link_eof(&there);
	if (piece && link_recv(&back, buf, 1) != 1)
		die("sink");
	units /= now() - begin;
	waitpid(pid, NULL, 0);
	link_close(&there);
	link_close(&back);
	return units;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct figure {
	double median;
	double spread;		/* half of max - min, in % of the median */
};

static struct figure figure_of(double *value, u32 n)
{
	struct figure f;

	qsort(value, n, sizeof(*value), by_value);
	f.median = n & 1 ? value[n / 2] :
			   (value[n / 2 - 1] + value[n / 2]) / 2;
	f.spread = 50 * (value[n - 1] - value[0]) / f.median;
	return f;
}

static u32 number(const char *name, u32 otherwise, u32 most)
{
	const char *text = getenv(name);
	unsigned long value = text ? strtoul(text, NULL, 0) : otherwise;

	return value < 1 || value > most ? otherwise : (u32)value;
}

static void run_case(const char *name, u32 piece, u32 rounds, double seconds)
{
	static double value[KINDS][MAX_ROUNDS];
	struct figure f[KINDS];
	u32 kind, round;

	for (round = 0; round < rounds; round++)
		for (kind = 0; kind < KINDS; kind++)
			value[kind][round] = measure(kind, piece, seconds);

	printf("%-14s", name);
	for (kind = 0; kind < KINDS; kind++) {
		f[kind] = figure_of(value[kind], rounds);
		printf(" %9.0f +-%3.0f%%", f[kind].median, f[kind].spread);
	}
	printf(" %7.2f %8.2f\n", f[RING].median / f[PIPE].median,
	       f[RING].median / f[UNIX].median);
	fflush(stdout);
}

int main(void)
{
	u32 rounds = number("BENCH_ROUNDS", 7, MAX_ROUNDS);
	double seconds = number("BENCH_MS", 150, 60000) / 1e3;
	u32 kind;

	signal(SIGPIPE, SIG_IGN);
	printf("%-14s", "case");
	for (kind = 0; kind < KINDS; kind++)
		printf(" %15s", kind_name[kind]);
	printf(" %7s %8s\n", "/pipe", "/AF_UNIX");
	run_case("64 B     MB/s", 64, rounds, seconds);
	run_case("1 KiB    MB/s", 1024, rounds, seconds);
	run_case("16 KiB   MB/s", 16384, rounds, seconds);
	run_case("64 KiB   MB/s", 65536, rounds, seconds);
	run_case("1 B trips/s", 0, rounds, seconds);
	printf("median of %u rounds of %.0f ms; +- half of max - min\n",
	       rounds, seconds * 1e3);
	return 0;
}
