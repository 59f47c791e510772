// SPDX-License-Identifier: GPL-2.0
/*
 * Cases: many bytes, many connections, many threads.
 *
 * Every byte is checked: byte i of a stream is a function of i and the stream's
 * key, so one that is lost, doubled or moved is found where it happened. Threads
 * report by return value, for a failed check may only end the main one.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "loop.h"

#define TOTAL		(16 << 20)
#define CHUNK		131072
#define TABLE		65521		/* a prime: no power of two fits */
#define PIPED		60000		/* a pipe holds 64 KiB */
#define CONNS		200
#define MANY		300		/* more than a peer has rings */
#define THREADS		2

static uint8_t table[TABLE];

static void table_fill(void)
{
	uint32_t x = 2463534242U;
	size_t i;

	for (i = 0; i < TABLE; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		table[i] = (uint8_t)x;
	}
}

static uint8_t byte_at(size_t i, uint8_t key)
{
	return table[i % TABLE] ^ (uint8_t)(i / TABLE) ^ key;
}

static void make(uint8_t *buf, size_t from, size_t len, uint8_t key)
{
	size_t i;

	for (i = 0; i < len; i++)
		buf[i] = byte_at(from + i, key);
}

static bool same(const uint8_t *buf, size_t from, size_t len, uint8_t key)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (buf[i] != byte_at(from + i, key))
			return false;
	}
	return true;
}

/* Odd sizes, small and large, that differ from one call to the next. */
static size_t size_at(size_t pos, size_t left)
{
	size_t size = pos % 7 ? byte_at(pos, 0) * (size_t)511 + 1 : pos % 61 + 1;

	return size < left ? size : left;
}

/**
 * struct job - one direction of a connection at one end
 * @fd: socket
 * @key: of the stream
 * @how: which calls
 * @total: bytes
 * @error: out: NULL, or what went wrong
 * @pos: out: where
 */
struct job {
	int fd;
	uint8_t key;
	const struct calls *how;
	size_t total;
	const char *error;
	size_t pos;
};

/**
 * struct calls - how to send and receive
 * @name: for messages
 * @put: sends up to @len bytes, prepared in @buf
 * @get: receives up to @len bytes into @buf
 * @most: bytes that @put takes in a call: what is prepared in vain costs
 *	time, for single bytes more than all else does
 */
struct calls {
	const char *name;
	ssize_t (*put)(int fd, const uint8_t *buf, size_t len);
	ssize_t (*get)(int fd, uint8_t *buf, size_t len);
	size_t most;
};

static ssize_t put_send(int fd, const uint8_t *buf, size_t len)
{
	return send(fd, buf, len, MSG_NOSIGNAL);
}

static ssize_t get_recv(int fd, uint8_t *buf, size_t len)
{
	return recv(fd, buf, len, 0);
}

/* Three unequal parts, one of which may be empty. */
static void cut(struct iovec iov[3], const void *buf, size_t len)
{
	uint8_t *p = (uint8_t *)buf;

	iov[0] = (struct iovec){ p, len / 3 };
	iov[1] = (struct iovec){ p + len / 3, len / 5 };
	iov[2] = (struct iovec){ p + len / 3 + len / 5,
				 len - len / 3 - len / 5 };
}

static ssize_t put_writev(int fd, const uint8_t *buf, size_t len)
{
	struct iovec iov[3];

	cut(iov, buf, len);
	return writev(fd, iov, 3);
}

static ssize_t get_readv(int fd, uint8_t *buf, size_t len)
{
	struct iovec iov[3];

	cut(iov, buf, len);
	return readv(fd, iov, 3);
}

static ssize_t put_sendmsg(int fd, const uint8_t *buf, size_t len)
{
	struct iovec iov[3];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };

	cut(iov, buf, len);
	return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

static ssize_t get_recvmsg(int fd, uint8_t *buf, size_t len)
{
	struct iovec iov[3];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };

	cut(iov, buf, len);
	return recvmsg(fd, &msg, 0);
}

/* MSG_MORE, never at the end: the next call follows at once */
static ssize_t put_more(int fd, const uint8_t *buf, size_t len)
{
	ssize_t n = 0;

	if (len > 1)
		n = send(fd, buf, 1, MSG_MORE | MSG_NOSIGNAL);
	if (n < 0)
		return n;
	if (send(fd, buf + n, 1, MSG_NOSIGNAL) != 1)
		return -1;
	return n + 1;
}

static ssize_t get_peek(int fd, uint8_t *buf, size_t len)
{
	static __thread uint8_t again[CHUNK];
	ssize_t n = recv(fd, again, len, MSG_PEEK);

	if (n <= 0)
		return n;
	if (recv(fd, buf, (size_t)n, MSG_WAITALL) != n ||
	    memcmp(buf, again, (size_t)n))
		return -1;
	return n;
}

static ssize_t put_sendfile(int fd, const uint8_t *buf, size_t len)
{
	int file = memfd_create("bulk", 0);
	off_t off = 0;
	ssize_t n = -1;

	if (file >= 0 && write(file, buf, len) == (ssize_t)len)
		n = sendfile(fd, file, &off, len);
	close(file);
	return n;
}

/* What is in the pipe has to get out. */
static ssize_t put_splice(int fd, const uint8_t *buf, size_t len)
{
	ssize_t n, sum = 0;
	int p[2];

	if (pipe(p))
		return -1;
	if (write(p[1], buf, len) != (ssize_t)len)
		sum = -1;
	while (sum >= 0 && (size_t)sum < len) {
		n = splice(p[0], NULL, fd, NULL, len - (size_t)sum, 0);
		sum = n > 0 ? sum + n : -1;
	}
	close(p[0]);
	close(p[1]);
	return sum;
}

static ssize_t get_splice(int fd, uint8_t *buf, size_t len)
{
	ssize_t n, got = 0, m;
	int p[2];

	if (pipe(p))
		return -1;
	n = splice(fd, NULL, p[1], NULL, len < PIPED ? len : PIPED, 0);
	while (n > 0 && got < n) {
		m = read(p[0], buf + got, (size_t)(n - got));
		if (m <= 0)
			n = -1;
		got += m;
	}
	close(p[0]);
	close(p[1]);
	return n;
}

/* Non-blocking, with poll() where the others sleep in the call */
static ssize_t put_poll(int fd, const uint8_t *buf, size_t len)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	ssize_t n;

	for (;;) {
		n = send(fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0 || errno != EAGAIN)
			return n;
		poll(&pfd, 1, -1);
	}
}

static ssize_t get_poll(int fd, uint8_t *buf, size_t len)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t n;

	for (;;) {
		n = recv(fd, buf, len, MSG_DONTWAIT);
		if (n >= 0 || errno != EAGAIN)
			return n;
		poll(&pfd, 1, -1);
	}
}

static const struct calls calls[] = {
	{ "send, recv", put_send, get_recv, CHUNK },
	{ "writev, readv", put_writev, get_readv, CHUNK },
	{ "sendmsg, recvmsg", put_sendmsg, get_recvmsg, CHUNK },
	{ "sendfile, recv", put_sendfile, get_recv, CHUNK },
	{ "splice, splice", put_splice, get_splice, PIPED },
	{ "non-blocking", put_poll, get_poll, CHUNK },
	{ "send, peek", put_send, get_peek, CHUNK },
	{ "MSG_MORE, recv", put_more, get_recv, 2 },
};

static void *job_put(void *arg)
{
	struct job *job = arg;
	uint8_t *buf = malloc(CHUNK);
	ssize_t n;

	for (job->pos = 0; buf && job->pos < job->total; job->pos += n) {
		size_t len = size_at(job->pos, job->total - job->pos);

		if (len > job->how->most)
			len = job->how->most;
		make(buf, job->pos, len, job->key);
		n = job->how->put(job->fd, buf, len);
		if (n <= 0) {
			job->error = n ? strerror(errno) : "sent nothing";
			break;
		}
	}
	/* the other end is told, and after an error everyone who waits here */
	if (shutdown(job->fd, job->error ? SHUT_RDWR : SHUT_WR) && !job->error)
		job->error = "shutdown";
	free(buf);
	return NULL;
}

static void *job_get(void *arg)
{
	struct job *job = arg;
	uint8_t *buf = malloc(CHUNK);
	ssize_t n;

	for (job->pos = 0; buf && !job->error; job->pos += n) {
		/* one byte more than there is: the end has to come instead */
		n = job->how->get(job->fd, buf, size_at(job->pos + 3, CHUNK));
		if (n < 0)
			job->error = strerror(errno);
		if (n <= 0)
			break;
		if (job->pos + (size_t)n > job->total)
			job->error = "too many bytes";
		else if (!same(buf, job->pos, (size_t)n, job->key))
			job->error = "wrong bytes";
	}
	if (!job->error && job->pos != job->total)
		job->error = "too few bytes";
	if (job->error)
		shutdown(job->fd, SHUT_RDWR);
	free(buf);
	return NULL;
}

/* Both directions at once, the ends of each in threads of their own. */
static void both_ways(const int fd[2], const struct calls *how, size_t total)
{
	/* receivers first: what they find is the cause, senders see the end */
	struct job jobs[4] = {
		{ fd[1], 1, how, total, NULL, 0 },
		{ fd[0], 2, how, total, NULL, 0 },
		{ fd[0], 1, how, total, NULL, 0 },
		{ fd[1], 2, how, total, NULL, 0 },
	};
	pthread_t threads[4];
	int i;

	/* not all calls can be told MSG_NOSIGNAL */
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, i < 2 ?
						job_get : job_put, &jobs[i]),
				 0);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < 4; i++)
		ck_assert_msg(!jobs[i].error, "%s, thread %d: %s at byte %zu",
			      how->name, i, jobs[i].error, jobs[i].pos);
}

START_TEST(bulk_both_ways)
{
	const struct calls *how = &calls[_i];
	bool bytewise = how->put == put_more;
	int fd[2];

	table_fill();
	sock_pair(fd);
	both_ways(fd, how, bytewise ? TOTAL / 256 : TOTAL);
}
END_TEST

START_TEST(bulk_with_small_buffers)
{
	int fd[2], i, size = 4096;

	table_fill();
	sock_pair(fd);
	for (i = 0; i < 2; i++) {
		OK(setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &size,
			      sizeof(size)));
		OK(setsockopt(fd[i], SOL_SOCKET, SO_RCVBUF, &size,
			      sizeof(size)));
	}
	both_ways(fd, &calls[0], TOTAL / 128);
}
END_TEST

/**
 * struct share - a thread that shares its end with another
 * @fd: socket
 * @count: in or out: bytes
 * @sum: out: of all bytes
 */
struct share {
	int fd;
	size_t count;
	uint64_t sum;
};

static void *share_put(void *arg)
{
	struct share *share = arg;
	uint8_t buf[4999];
	size_t i, pos = 0;

	while (pos < share->count) {
		size_t len = share->count - pos < sizeof(buf) ?
			share->count - pos : sizeof(buf);
		ssize_t n;

		make(buf, pos, len, 0);
		n = send(share->fd, buf, len, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		for (i = 0; i < (size_t)n; i++)
			share->sum += buf[i];
		pos += (size_t)n;
	}
	share->count = pos;
	return NULL;
}

static void *share_get(void *arg)
{
	struct share *share = arg;
	uint8_t buf[7001];
	ssize_t i, n;

	share->count = 0;
	while ((n = recv(share->fd, buf, sizeof(buf), 0)) > 0) {
		for (i = 0; i < n; i++)
			share->sum += buf[i];
		share->count += (size_t)n;
	}
	return NULL;
}

/* Their order is open, but each byte arrives once, at one of them. */
START_TEST(threads_share_a_socket)
{
	struct share put[THREADS], get[THREADS];
	pthread_t putters[THREADS], getters[THREADS];
	size_t sent = 0, got = 0;
	uint64_t sum = 0;
	int fd[2], i;

	table_fill();
	sock_pair(fd);
	for (i = 0; i < THREADS; i++) {
		put[i] = (struct share){ fd[0], TOTAL / 4, 0 };
		get[i] = (struct share){ fd[1], 0, 0 };
		ck_assert_int_eq(pthread_create(&putters[i], NULL, share_put,
						&put[i]), 0);
		ck_assert_int_eq(pthread_create(&getters[i], NULL, share_get,
						&get[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(putters[i], NULL);
		sent += put[i].count;
		sum += put[i].sum;
	}
	OK(shutdown(fd[0], SHUT_WR));
	for (i = 0; i < THREADS; i++) {
		pthread_join(getters[i], NULL);
		got += get[i].count;
		sum -= get[i].sum;
	}
	ck_assert_uint_eq(sent, (size_t)TOTAL / 4 * THREADS);
	ck_assert_uint_eq(got, sent);
	ck_assert_uint_eq(sum, 0);
}
END_TEST

START_TEST(many_connections)
{
	int fd[CONNS], peer[CONNS], i, n;
	union addr addr;
	int listener = sock_listen(CONNS, &addr);

	for (i = 0; i < CONNS; i++)
		fd[i] = sock_connect(&addr);
	/* in the order of connecting, so ends are known by what they say */
	for (i = 0; i < CONNS; i++)
		write_all(fd[i], &i, sizeof(i));
	memset(peer, 0, sizeof(peer));
	for (i = 0; i < CONNS; i++) {
		int end = OK(accept(listener, NULL, NULL));

		read_all(end, &n, sizeof(n));
		ck_assert(n >= 0 && n < CONNS && !peer[n]);
		peer[n] = end;
	}
	for (i = CONNS - 1; i >= 0; i--) {
		n = ~i;
		write_all(peer[i], &n, sizeof(n));
	}
	for (i = 0; i < CONNS; i++) {
		read_all(fd[i], &n, sizeof(n));
		ck_assert_int_eq(n, ~i);
		close(i % 2 ? fd[i] : peer[i]);
	}
	for (i = 0; i < CONNS; i++)
		read_eof(i % 2 ? peer[i] : fd[i]);
}
END_TEST

START_TEST(many_connections_with_bytes)
{
	int fd[20][2], i;

	table_fill();
	for (i = 0; i < 20; i++)
		sock_pair(fd[i]);
	for (i = 0; i < 20; i++)
		both_ways(fd[i], &calls[i % 3], TOTAL / 64);
}
END_TEST

START_TEST(connections_come_and_go)
{
	char byte;
	int fd[2], i;

	for (i = 0; i < 1000; i++) {
		sock_pair(fd);
		write_all(fd[i & 1], "x", 1);
		close(fd[i & 1]);
		read_all(fd[!(i & 1)], &byte, 1);
		read_eof(fd[!(i & 1)]);
		close(fd[!(i & 1)]);
	}
}
END_TEST

/* Who has no ring says so when it is tried, and then waits for it */
static void each_sends(int fd[MANY][2], int from, char what)
{
	bool sent[MANY];
	int i;

	for (i = 0; i < MANY; i++)
		sent[i] = send(fd[i][from], &what, 1, MSG_DONTWAIT) == 1;
	for (i = 0; i < MANY; i++)
		if (!sent[i])
			write_all(fd[i][from], &what, 1);
}

static void each_reads(int fd[MANY][2], int at, const char *what)
{
	size_t len = strlen(what);
	char got[8];
	int i;

	for (i = 0; i < MANY; i++) {
		read_all(fd[i][at], got, len);
		ck_assert_mem_eq(got, what, len);
	}
}

/* All are open at once, most of them idle; of TCP some stay there */
START_TEST(more_connections_than_rings)
{
	static int fd[MANY][2];
	int i;

	for (i = 0; i < MANY; i++)
		sock_pair_anyhow(fd[i]);
	each_sends(fd, 0, 'a');
	each_reads(fd, 1, "a");
	each_sends(fd, 1, 'b');
	each_reads(fd, 0, "b");
	for (i = 0; i < MANY; i++)
		OK(shutdown(fd[i][0], SHUT_WR));
	for (i = 0; i < MANY; i++)
		read_eof(fd[i][1]);
	each_sends(fd, 1, 'c');
	each_reads(fd, 0, "c");
}
END_TEST

/* Bytes that nobody reads yet are no reason to keep a ring from others */
START_TEST(more_connections_than_rings_unread)
{
	static int fd[MANY][2];
	int i;

	for (i = 0; i < MANY; i++)
		sock_pair_anyhow(fd[i]);
	each_sends(fd, 0, 'a');
	each_sends(fd, 0, 'b');
	each_reads(fd, 1, "ab");
	each_sends(fd, 1, 'c');
	each_reads(fd, 0, "c");
}
END_TEST

TCase *bulk_case(void)
{
	TCase *tc = tcase_create("bulk");

	tcase_set_timeout(tc, DEADLINE * 4);
	tcase_add_loop_test(tc, bulk_both_ways, 0,
			    (int)(sizeof(calls) / sizeof(calls[0])));
	tcase_add_test(tc, bulk_with_small_buffers);
	tcase_add_test(tc, threads_share_a_socket);
	tcase_add_test(tc, many_connections);
	tcase_add_test(tc, many_connections_with_bytes);
	tcase_add_test(tc, connections_come_and_go);
	tcase_add_test(tc, more_connections_than_rings);
	tcase_add_test(tc, more_connections_than_rings_unread);
	return tc;
}
