// SPDX-License-Identifier: GPL-2.0
/*
 * xvbench: how long a fixed amount of work takes over one kind of connection.
 *
 *	xvbench serve inet|xenvmc PORT
 *	xvbench run inet|xenvmc ADDRESS PORT ITEM...
 *	xvbench run unix|pipe|memcpy ITEM...
 *
 * An ITEM is WHAT:CONNS:SIZE:AMOUNT with one of
 *	stream	AMOUNT bytes in all, in writes of SIZE bytes, one direction
 *	rtt	AMOUNT times SIZE bytes there and back, on each connection
 *	connect	AMOUNT connections in turn, opened, accepted and closed
 * and gives the line
 *	what=stream conns=1 size=64 amount=4194304 warm=1048576 ns=110000000
 *
 * Each connection has a process at either end, and has done a part of the same
 * work (@warm, of all connections together) before the clock starts. The clock
 * stops when the last byte was received and that was answered. Receivers of a
 * stream read up to 64 KiB at once. No byte is looked at: this measures, other
 * programs test. "memcpy" copies by way of memory that two processes share, in
 * halves of 512 KiB, with a semaphore for each: no kernel could do better.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ends.h"

#define CHUNK		65536
#define HALF		(512 * 1024)
#define WARM_SHARE	4		/* a fourth of the work, unmeasured */

enum what { STREAM, RTT, CONNECT, WHATS };

static const char *const what_name[WHATS] = { "stream", "rtt", "connect" };

/**
 * struct item - what is to be done; the first bytes of a connection, too
 * @what: &enum what
 * @conns: connections at a time
 * @size: of a write
 * @amount: bytes, round trips or connections, of one connection
 * @warm: the same before the clock starts
 */
struct item {
	uint32_t what;
	uint32_t conns;
	uint64_t size;
	uint64_t amount;
	uint64_t warm;
};

/**
 * struct lane - one direction of shared memory
 * @empty: halves to be filled
 * @full: halves to be read
 * @len: bytes in each
 * @half: the bytes
 * @at: which half the writer, the reader is at
 * @done: bytes of it that were written, read
 */
struct lane {
	sem_t empty;
	sem_t full;
	size_t len[2];
	char half[2][HALF];
	unsigned int at[2];
	size_t done[2];
};

/**
 * struct end - one end of a connection
 * @rfd: to read from
 * @wfd: to write to
 * @rx: instead of @rfd, or NULL
 * @tx: instead of @wfd
 */
struct end {
	int rfd;
	int wfd;
	struct lane *rx;
	struct lane *tx;
};

static char chunk[CHUNK];

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* ---- ways to move bytes ------------------------------------------------- */

static void sem_down(sem_t *sem)
{
	while (sem_wait(sem))
		if (errno != EINTR)
			err(1, "sem_wait");
}

static void lane_flush(struct lane *lane)
{
	if (!lane->done[0])
		return;
	lane->len[lane->at[0]] = lane->done[0];
	lane->done[0] = 0;
	lane->at[0] ^= 1;
	sem_post(&lane->full);
}

static void lane_write(struct lane *lane, const char *buf, size_t n)
{
	size_t part;

	for (; n; n -= part, buf += part) {
		if (!lane->done[0])
			sem_down(&lane->empty);
		part = HALF - lane->done[0];
		if (part > n)
			part = n;
		memcpy(lane->half[lane->at[0]] + lane->done[0], buf, part);
		lane->done[0] += part;
		if (lane->done[0] == HALF)
			lane_flush(lane);
	}
}

static size_t lane_read(struct lane *lane, char *buf, size_t n)
{
	size_t left;

	if (!lane->done[1])
		sem_down(&lane->full);
	left = lane->len[lane->at[1]] - lane->done[1];
	if (n > left)
		n = left;
	memcpy(buf, lane->half[lane->at[1]] + lane->done[1], n);
	lane->done[1] += n;
	if (n == left) {
		lane->done[1] = 0;
		lane->at[1] ^= 1;
		sem_post(&lane->empty);
	}
	return n;
}

static void put(struct end *end, const void *buf, size_t n)
{
	ssize_t ret;

	if (end->tx) {
		lane_write(end->tx, buf, n);
		return;
	}
	for (; n; n -= ret, buf = (const char *)buf + ret) {
		ret = write(end->wfd, buf, n);
		if (ret <= 0)
			err(1, "write");
	}
}

static void flush(struct end *end)
{
	if (end->tx)
		lane_flush(end->tx);
}

/* Up to @n bytes; 0 at the end of the stream */
static size_t get_some(struct end *end, void *buf, size_t n)
{
	ssize_t ret;

	if (end->rx)
		return lane_read(end->rx, buf, n);
	ret = read(end->rfd, buf, n);
	if (ret < 0)
		err(1, "read");
	return ret;
}

static void get(struct end *end, void *buf, size_t n)
{
	size_t ret;

	for (; n; n -= ret, buf = (char *)buf + ret) {
		ret = get_some(end, buf, n);
		if (!ret)
			errx(1, "the connection ended early");
	}
}

/* ---- the work of both ends ---------------------------------------------- */

static void work_send(struct end *end, const struct item *item, uint64_t amount)
{
	uint64_t left;

	for (left = amount; left; left -= item->what == STREAM ? item->size : 1) {
		put(end, chunk, item->size);
		if (item->what == RTT) {
			flush(end);
			get(end, chunk, item->size);
		}
	}
	flush(end);
	if (item->what == STREAM)
		get(end, chunk, 1);
}

static void work_receive(struct end *end, const struct item *item,
			 uint64_t amount)
{
	uint64_t left, n;

	for (left = amount; left; left -= n) {
		if (item->what == RTT) {
			get(end, chunk, item->size);
			put(end, chunk, item->size);
			flush(end);
			n = 1;
			continue;
		}
		n = get_some(end, chunk, left < CHUNK ? left : CHUNK);
		if (!n)
			errx(1, "the stream ended early");
	}
	if (item->what == STREAM) {
		put(end, chunk, 1);
		flush(end);
	}
}

/* A peer that knows its work: told by the first bytes */
static void serve_end(struct end *end)
{
	struct item item;

	get(end, &item, sizeof(item));
	work_receive(end, &item, item.warm);
	work_receive(end, &item, item.amount);
	/* The other end closes first: nothing of it is left then */
	while (get_some(end, chunk, CHUNK))
		;
}

/* ---- the serving program ------------------------------------------------ */

/* Connections that only come and go need no process each */
static void serve_short(int listener)
{
	char byte;
	int fd;

	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			err(1, "accept");
		if (read(fd, &byte, 1) < 0)
			err(1, "read");
		close(fd);
	}
}

static void serve_long(int listener)
{
	struct end end = {};
	int fd;

	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			err(1, "accept");
		if (!fork()) {
			close(listener);
			end.rfd = fd;
			end.wfd = fd;
			serve_end(&end);
			exit(0);
		}
		close(fd);
	}
}

static const char *next_port(const char *port)
{
	static char text[16];

	snprintf(text, sizeof(text), "%d", atoi(port) + 1);
	return text;
}

static int serve(const char *family, const char *port)
{
	int once = ends_listen(family, next_port(port));
	int listener = ends_listen(family, port);

	/* Children are nobody's business */
	signal(SIGCHLD, SIG_IGN);
	if (!fork())
		serve_short(once);
	serve_long(listener);
	return 0;
}

/* ---- the running program ------------------------------------------------ */

static const char *family, *host, *port;

static struct lane *new_lane(void)
{
	struct lane *lane = mmap(NULL, sizeof(*lane), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (lane == MAP_FAILED)
		err(1, "mmap");
	sem_init(&lane->empty, 1, 2);
	sem_init(&lane->full, 1, 0);
	/* The kernel's work of the first touch is not the copy's */
	memset(lane->half, 1, sizeof(lane->half));
	return lane;
}

static void local_pair(struct end *a, struct end *b)
{
	int fd[2], back[2];

	if (!strcmp(family, "memcpy")) {
		*a = (struct end){ .tx = new_lane(), .rx = new_lane() };
		*b = (struct end){ .tx = a->rx, .rx = a->tx };
	} else if (!strcmp(family, "pipe")) {
		if (pipe(fd) || pipe(back))
			err(1, "pipe");
		*a = (struct end){ .rfd = back[0], .wfd = fd[1] };
		*b = (struct end){ .rfd = fd[0], .wfd = back[1] };
	} else {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
			err(1, "socketpair");
		*a = (struct end){ .rfd = fd[0], .wfd = fd[0] };
		*b = (struct end){ .rfd = fd[1], .wfd = fd[1] };
	}
}

static void close_end(struct end *end)
{
	if (end->tx)
		return;
	close(end->rfd);
	if (end->wfd != end->rfd)
		close(end->wfd);
}

/* A connection whose other end is a process of the server or a child of ours */
static void open_end(struct end *end, const struct item *item)
{
	struct end other;

	if (port) {
		end->rfd = ends_connect(family, host, port);
		end->wfd = end->rfd;
		put(end, item, sizeof(*item));
		return;
	}
	local_pair(end, &other);
	if (fork()) {
		close_end(&other);
		return;
	}
	close_end(end);
	work_receive(&other, item, item->warm);
	work_receive(&other, item, item->amount);
	exit(0);
}

static void connect_all(uint64_t amount)
{
	char byte;
	int fd;

	while (amount--) {
		fd = ends_connect(family, host, next_port(port));
		shutdown(fd, SHUT_WR);
		if (read(fd, &byte, 1))
			err(1, "expected the end of the stream");
		close(fd);
	}
}

/* One connection: says on @ready that it is warm, starts when @go says so */
static void run_conn(const struct item *item, int ready, int go)
{
	struct end end = {};
	char byte = 0;

	if (item->what == CONNECT) {
		connect_all(item->warm);
	} else {
		open_end(&end, item);
		work_send(&end, item, item->warm);
	}
	if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
		err(1, "start");
	if (item->what == CONNECT)
		connect_all(item->amount);
	else
		work_send(&end, item, item->amount);
	if (write(ready, &byte, 1) != 1)
		err(1, "finish");
}

/* Waits for a byte of each connection; false if one has ended without */
static bool gather(int fd, unsigned int conns)
{
	char byte[256];
	ssize_t n;

	for (; conns; conns -= n) {
		n = read(fd, byte, conns < 256 ? conns : 256);
		if (n <= 0)
			return false;
	}
	return true;
}

static bool reap(unsigned int conns)
{
	bool good = true;
	int status;

	while (conns--)
		if (wait(&status) < 0 || status)
			good = false;
	return good;
}

/* Returns nanoseconds, or 0 */
static uint64_t run_item(const struct item *item)
{
	char byte[256] = {};
	int ready[2], go[2];
	uint64_t start, ns;
	unsigned int i;

	if (pipe(ready) || pipe(go))
		err(1, "pipe");
	for (i = 0; i < item->conns; i++) {
		if (fork())
			continue;
		close(ready[0]);
		close(go[1]);
		run_conn(item, ready[1], go[0]);
		exit(0);
	}
	close(ready[1]);
	close(go[0]);
	ns = 0;
	if (gather(ready[0], item->conns)) {
		start = now_ns();
		if (write(go[1], byte, item->conns) == item->conns &&
		    gather(ready[0], item->conns))
			ns = now_ns() - start;
	}
	close(ready[0]);
	close(go[1]);
	return reap(item->conns) ? ns : 0;
}

static uint64_t round_up(uint64_t amount, uint64_t unit)
{
	return (amount + unit - 1) / unit * unit;
}

/* What each connection has to do */
static struct item parse(const char *text)
{
	struct item item = {};
	uint64_t share, unit;
	char what[16];

	if (sscanf(text, "%15[a-z]:%" SCNu32 ":%" SCNu64 ":%" SCNu64, what,
		   &item.conns, &item.size, &item.amount) != 4)
		errx(2, "%s: expected WHAT:CONNS:SIZE:AMOUNT", text);
	while (item.what < WHATS && strcmp(what, what_name[item.what]))
		item.what++;
	if (item.what == WHATS)
		errx(2, "%s: expected stream, rtt or connect", what);
	if (!item.conns || item.conns > 256 || !item.size ||
	    item.size > CHUNK || !item.amount)
		errx(2, "%s: out of range", text);
	if (item.what == CONNECT && (!port || item.conns > 1))
		errx(2, "%s: expected one at a time, to a server", text);
	unit = item.what == STREAM ? item.size : 1;
	share = item.what == STREAM ? item.amount / item.conns : item.amount;
	item.amount = round_up(share, unit);
	item.warm = round_up(share / WARM_SHARE + 1, unit);
	return item;
}

static int run(char **items)
{
	struct item item;
	uint64_t ns, all;

	for (; *items; items++) {
		item = parse(*items);
		ns = run_item(&item);
		if (!ns)
			errx(1, "%s: failed", *items);
		all = item.what == STREAM ? item.conns : 1;
		printf("what=%s conns=%" PRIu32 " size=%" PRIu64 " amount=%"
		       PRIu64 " warm=%" PRIu64 " ns=%" PRIu64 "\n",
		       what_name[item.what], item.conns, item.size,
		       item.amount * all, item.warm * all, ns);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	/* A peer that ends is an error of write(), which has a message */
	signal(SIGPIPE, SIG_IGN);
	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve(argv[2], argv[3]);
	if (argc < 4 || strcmp(argv[1], "run"))
		errx(2, "expected serve FAMILY PORT or run FAMILY [ADDRESS PORT] ITEM...");
	family = argv[2];
	if (!strcmp(family, "unix") || !strcmp(family, "pipe") ||
	    !strcmp(family, "memcpy"))
		return run(argv + 3);
	if (argc < 6)
		errx(2, "expected ADDRESS PORT ITEM...");
	host = argv[3];
	port = argv[4];
	return run(argv + 5);
}
