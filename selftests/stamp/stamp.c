// SPDX-License-Identifier: GPL-2.0
/*
 * stamp: a connection whose bytes say where they belong.
 *
 *	stamp serve inet|xenvmc PORT
 *	stamp run inet|xenvmc ADDRESS PORT [BYTES [GAP [CONNS [REPORT]]]]
 *
 * "serve" says "listens" when it does, and takes connections until its standard
 * input ends. Both ends send all the time, and check each byte they get against
 * its offset in the stream and the number of the connection. The running end
 * stops after BYTES (0: when its standard input ends) and half-closes; the serving
 * end follows, and each drains what is left. Each end then prints one line:
 *
 *	end=exact sent=N received=N	both streams ended, no byte was wrong
 *	end=ECONNRESET sent=N received=N	what came before was right
 *	end=wrong sent=N received=N	the byte after the last received one
 *
 * "run" exits with 0, 3 and 1 for these, and 2 if it could not connect. Five times
 * a second it prints "at sent=N received=N all=N ms=N": of itself, what all have
 * received, and the monotonic clock; and so "shut ..." when it has half-closed. GAP
 * is a pause in milliseconds after each write of both ends. AF_XENVMC addresses are
 * domain ids. CONNS is a number of connections, each with a process and a last line
 * of its own; one says where it is meanwhile, and exits when all have, with the
 * highest status of any. REPORT is another number of milliseconds between its lines.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
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

#define CHUNK	65536
#define REPORT	200	/* milliseconds */
#define NEVER	UINT64_MAX

/* Bytes that all connections of this program have received */
static _Atomic uint64_t *all_received;

/**
 * struct hello - what the running end says first
 * @seed: number of the connection
 * @gap: milliseconds between writes
 */
struct hello {
	uint64_t seed;
	uint64_t gap;
};

/**
 * struct stream - one end of a connection
 * @fd: socket
 * @tx_seed: of the bytes that are sent
 * @rx_seed: of the bytes that are received
 * @sent: bytes sent
 * @received: bytes received, and right
 * @limit: bytes to send, or UINT64_MAX: until standard input ends
 * @gap: milliseconds between writes
 * @period: milliseconds between reports, or NEVER
 * @next: when to write again, in milliseconds
 * @ask: standard input may end it
 * @tx_done: this end was shut down
 * @rx_done: the other end was
 * @wrong: a byte was
 * @err: errno of a failed call
 */
struct stream {
	int fd;
	uint64_t tx_seed;
	uint64_t rx_seed;
	uint64_t sent;
	uint64_t received;
	uint64_t limit;
	uint64_t gap;
	uint64_t period;
	uint64_t next;
	bool ask;
	bool tx_done;
	bool rx_done;
	bool wrong;
	int err;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

/* Odd and even sizes, small and large */
static size_t chunk_size(uint64_t offset)
{
	static const size_t size[] = { 1, 65536, 100, 1448, 4096, 32768, 7 };

	return size[ends_word(1, offset) % (sizeof(size) / sizeof(size[0]))];
}

static bool again(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static void receive(struct stream *s)
{
	static uint8_t got[CHUNK], want[CHUNK];
	ssize_t n = recv(s->fd, got, sizeof(got), MSG_DONTWAIT);
	ssize_t i = n;

	if (n < 0) {
		if (!again(errno))
			s->err = errno;
		return;
	}
	if (!n) {
		s->rx_done = true;
		return;
	}
	ends_fill(want, s->rx_seed, s->received, n);
	if (memcmp(got, want, n))
		for (i = 0; got[i] == want[i]; i++)
			;
	s->received += i;
	if (all_received)
		atomic_fetch_add(all_received, i);
	s->wrong = i < n;
}

static void transmit(struct stream *s)
{
	static uint8_t buf[CHUNK];
	size_t size = chunk_size(s->sent);
	ssize_t n;

	if (size > s->limit - s->sent)
		size = s->limit - s->sent;
	ends_fill(buf, s->tx_seed, s->sent, size);
	n = send(s->fd, buf, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0) {
		if (!again(errno))
			s->err = errno;
		return;
	}
	s->sent += n;
	s->next = now_ms() + s->gap;
}

/* Why a connection that is there no more has ended */
static int end_reason(int fd)
{
	socklen_t len = sizeof(int);
	int reason;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &len))
		return errno;
	return reason ? reason : ENOTCONN;
}

static void finish_tx(struct stream *s)
{
	if (shutdown(s->fd, SHUT_WR))
		s->err = errno == ENOTCONN ? end_reason(s->fd) : errno;
	s->tx_done = true;
}

/* Nobody wants more of a program whose standard input has ended */
static bool input_ended(void)
{
	char ignored[64];

	return read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0;
}

/*
 * Waits for what can be done next, or for the next report, and does it. Nothing
 * else wakes it: of a thousand processes there would be no end of that, and a
 * wakeup that the socket has forgotten would not be missed.
 */
static void step(struct stream *s)
{
	struct pollfd pfd[2] = {
		{ .fd = s->fd },
		{ .fd = s->ask ? STDIN_FILENO : -1, .events = POLLIN },
	};
	uint64_t now = now_ms();
	uint64_t wait = s->period;

	if (!s->rx_done)
		pfd[0].events |= POLLIN;
	if (!s->tx_done && now >= s->next)
		pfd[0].events |= POLLOUT;
	else if (!s->tx_done && s->next - now < wait)
		wait = s->next - now;
	if (poll(pfd, 2, wait == NEVER ? -1 : (int)wait) < 0) {
		if (errno != EINTR)
			s->err = errno;
		return;
	}
	if (!s->rx_done && pfd[0].revents & (POLLIN | POLLHUP | POLLERR))
		receive(s);
	if (!s->err && !s->tx_done && pfd[0].events & pfd[0].revents & POLLOUT)
		transmit(s);
	if (pfd[1].revents && input_ended()) {
		s->ask = false;
		s->limit = s->sent;
	}
}

static bool over(const struct stream *s)
{
	return s->err || s->wrong || (s->tx_done && s->rx_done);
}

/* One write: lines of several processes do not mix */
static void say(const char *line)
{
	ssize_t len = strlen(line);

	if (write(STDOUT_FILENO, line, len) != len)
		err(2, "cannot report");
}

static void report_place(const char *what, const struct stream *s)
{
	char line[160];

	snprintf(line, sizeof(line),
		 "%s sent=%" PRIu64 " received=%" PRIu64 " all=%" PRIu64
		 " ms=%" PRIu64 "\n", what, s->sent, s->received,
		 atomic_load(all_received), now_ms());
	say(line);
}

static int report_end(const struct stream *s)
{
	const char *why = s->wrong ? "wrong" :
			  s->err ? strerrorname_np(s->err) : "exact";
	char line[160];

	snprintf(line, sizeof(line),
		 "end=%s sent=%" PRIu64 " received=%" PRIu64 "\n", why, s->sent,
		 s->received);
	say(line);
	return s->wrong ? 1 : s->err ? 3 : 0;
}

/* The end that serves stops when the other end has */
static int serve_one(int fd)
{
	struct stream s = {
		.fd = fd, .limit = UINT64_MAX, .period = NEVER,
	};
	struct hello hello;

	if (recv(fd, &hello, sizeof(hello), MSG_WAITALL) != sizeof(hello))
		errx(2, "no hello");
	s.rx_seed = hello.seed;
	s.tx_seed = ~hello.seed;
	s.gap = hello.gap;
	while (!over(&s)) {
		step(&s);
		if (s.rx_done && !s.tx_done && !s.err)
			finish_tx(&s);
	}
	return report_end(&s);
}

static int run(int fd, const struct hello *hello, uint64_t limit,
	       uint64_t period, bool tell)
{
	struct stream s = {
		.fd = fd, .tx_seed = hello->seed, .rx_seed = ~hello->seed,
		.gap = hello->gap, .limit = limit ? limit : UINT64_MAX,
		.period = tell ? period : NEVER, .ask = !limit,
	};
	uint64_t told = now_ms();

	while (!over(&s)) {
		step(&s);
		if (!s.tx_done && !s.err && s.sent == s.limit) {
			finish_tx(&s);
			if (tell)
				report_place("shut", &s);
		}
		if (tell && now_ms() - told >= period) {
			report_place("at", &s);
			told = now_ms();
		}
	}
	return report_end(&s);
}

/* The next connection gets a process of its own */
static void serve_next(int fd)
{
	int conn = accept(fd, NULL, NULL);

	if (conn < 0)
		err(2, "accept");
	switch (fork()) {
	case -1:
		err(2, "fork");
	case 0:
		close(fd);
		exit(serve_one(conn));
	}
	close(conn);
}

static int serve(char **argv)
{
	struct pollfd pfd[2] = {
		{ .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	int fd = ends_listen(argv[2], argv[3]);

	signal(SIGCHLD, SIG_IGN);
	pfd[0].fd = fd;
	for (;;) {
		if (poll(pfd, 2, -1) < 0)
			err(2, "poll");
		if (pfd[1].revents && input_ended())
			return 0;
		if (pfd[0].revents)
			serve_next(fd);
	}
}

static int start(char **argv, uint64_t limit, uint64_t gap, uint64_t period,
		 bool tell)
{
	struct hello hello = {
		.seed = now_ms() << 20 ^ getpid(), .gap = gap,
	};
	int fd = ends_connect(argv[2], argv[3], argv[4]);

	if (send(fd, &hello, sizeof(hello), 0) != sizeof(hello))
		err(2, "cannot say hello");
	return run(fd, &hello, limit, period, tell);
}

static int start_all(int argc, char **argv)
{
	uint64_t limit = argc > 5 ? strtoull(argv[5], NULL, 0) : 0;
	uint64_t gap = argc > 6 ? strtoull(argv[6], NULL, 0) : 0;
	uint64_t conns = argc > 7 ? strtoull(argv[7], NULL, 0) : 1;
	uint64_t period = argc > 8 ? strtoull(argv[8], NULL, 0) : REPORT;
	int worst, status;

	all_received = mmap(NULL, sizeof(*all_received), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (all_received == MAP_FAILED)
		err(2, "no memory");
	while (conns-- > 1) {
		switch (fork()) {
		case -1:
			err(2, "fork");
		case 0:
			return start(argv, limit, gap, period, false);
		}
	}
	worst = start(argv, limit, gap, period, true);
	while (wait(&status) > 0) {
		status = WIFEXITED(status) ? WEXITSTATUS(status) : 2;
		if (status > worst)
			worst = status;
	}
	return worst;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve(argv);
	if (argc >= 5 && argc <= 9 && !strcmp(argv[1], "run"))
		return start_all(argc, argv);
	errx(2, "usage: stamp serve FAMILY PORT | "
	     "stamp run FAMILY ADDRESS PORT [BYTES [GAP [CONNS [REPORT]]]]");
}
