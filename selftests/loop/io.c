// SPDX-License-Identifier: GPL-2.0
/*
 * Cases: sending and receiving, flags, time-outs, shutdown, errors.
 */
#include <linux/sockios.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "loop.h"

/* Bytes of a low-water mark beyond half of any ring, and read in pieces */
enum { HIGH_MARK = 450000, HIGH_PIECE = 50000, HIGH_TOTAL = 2 << 20 };
/* Less than half of the largest ring, and more; both are more than all of it */
enum { LOW_MESSAGE = 200000, HIGH_MESSAGE = 400000 };

START_TEST(bytes_arrive)
{
	char buf[8] = "";
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "there", 5);
	read_all(fd[1], buf, 5);
	ck_assert_str_eq(buf, "there");
	write_all(fd[1], "back", 5);
	read_all(fd[0], buf, 5);
	ck_assert_str_eq(buf, "back");
}
END_TEST

START_TEST(vectors_arrive)
{
	char a[4] = "", b[1], c[8] = "";
	struct iovec out[3] = { { "one", 3 }, { "", 0 }, { "twothree", 8 } };
	struct iovec in[3] = { { a, 3 }, { b, 1 }, { c, 7 } };
	struct msghdr msg = { .msg_iov = out, .msg_iovlen = 3 };
	int fd[2];

	sock_pair(fd);
	ck_assert_int_eq(OK(writev(fd[0], out, 3)), 11);
	ck_assert_int_eq(OK(sendmsg(fd[0], &msg, 0)), 11);
	wait_for(fd[1], POLLIN);
	msg.msg_iov = in;
	ck_assert_int_eq(OK(recvmsg(fd[1], &msg, MSG_WAITALL)), 11);
	ck_assert_int_eq(msg.msg_flags & MSG_TRUNC, 0);
	ck_assert_str_eq(a, "one");
	ck_assert_int_eq(b[0], 't');
	ck_assert_mem_eq(c, "wothree", 7);
	/* readv() takes what is there */
	memset(c, 0, sizeof(c));
	ck_assert_int_eq(OK(readv(fd[1], in, 3)), 11);
	ck_assert_mem_eq(c, "wothree", 7);
}
END_TEST

START_TEST(nothing_sent_is_nothing)
{
	char byte;
	int fd[2];

	sock_pair(fd);
	ck_assert_int_eq(OK(send(fd[0], "", 0, 0)), 0);
	ck_assert_int_eq(poll_for(fd[1], POLLIN, QUIET), 0);
	FAILS(recv(fd[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
}
END_TEST

START_TEST(address_of_a_connected_socket_is_ignored)
{
	union addr addr, from = {};
	socklen_t len = sizeof(from);
	char byte = 0;
	int fd[2];

	sock_pair(fd);
	addr = addr_self(1);
	ck_assert_int_eq(OK(sendto(fd[0], "x", 1, 0, &addr.sa, ADDR_LEN)), 1);
	ck_assert_int_eq(OK(recvfrom(fd[1], &byte, 1, 0, &from.sa, &len)), 1);
	ck_assert_uint_eq(len, 0);
	ck_assert_int_eq(byte, 'x');
}
END_TEST

START_TEST(empty_nonblocking_fails)
{
	int fd[2], on = 1;
	char byte;

	sock_pair(fd);
	FAILS(recv(fd[0], &byte, 1, MSG_DONTWAIT), EAGAIN);
	OK(ioctl(fd[0], FIONBIO, &on));
	FAILS(read(fd[0], &byte, 1), EAGAIN);
}
END_TEST

START_TEST(full_nonblocking_fails)
{
	size_t sum;
	int fd[2];

	sock_pair(fd);
	sum = fill(fd[0]);
	ck_assert_uint_gt(sum, 0);
	FAILS(send(fd[0], "x", 1, MSG_DONTWAIT), EAGAIN);
	drain(fd[1], sum);
	wait_for(fd[0], POLLOUT);
	write_all(fd[0], "x", 1);
	drain(fd[1], 1);
	ck_assert_int_eq(poll_for(fd[1], POLLIN, 0), 0);
}
END_TEST

START_TEST(peek_leaves_bytes)
{
	char buf[8] = "";
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "peek", 4);
	ck_assert_int_eq(OK(recv(fd[1], buf, 4, MSG_PEEK | MSG_WAITALL)), 4);
	ck_assert_str_eq(buf, "peek");
	ck_assert_int_eq(OK(recv(fd[1], buf, 2, MSG_PEEK)), 2);
	memset(buf, 0, sizeof(buf));
	ck_assert_int_eq(OK(recv(fd[1], buf, 8, 0)), 4);
	ck_assert_str_eq(buf, "peek");
}
END_TEST

START_TEST(trunc_discards_bytes)
{
	char buf[8] = "AAAA";
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "gonehere", 8);
	ck_assert_int_eq(OK(recv(fd[1], buf, 4, MSG_TRUNC | MSG_WAITALL)), 4);
	ck_assert_str_eq(buf, "AAAA");
	read_all(fd[1], buf, 4);
	ck_assert_str_eq(buf, "here");
}
END_TEST

static void *send_in_pieces(void *arg)
{
	int fd = *(int *)arg;
	long bad = 0;

	/* each after the receiver has taken the last */
	for (const char *s = "piece"; *s; s++) {
		int left = 1;

		bad |= send(fd, s, 1, 0) != 1;
		while (!bad && !ioctl(fd, SIOCOUTQ, &left) && left)
			sched_yield();
	}
	return (void *)bad;
}

START_TEST(waitall_waits_for_all)
{
	char buf[8] = "";
	pthread_t thread;
	void *bad;
	int fd[2];

	sock_pair(fd);
	ck_assert_int_eq(pthread_create(&thread, NULL, send_in_pieces, &fd[0]),
			 0);
	ck_assert_int_eq(OK(recv(fd[1], buf, 5, MSG_WAITALL)), 5);
	ck_assert_str_eq(buf, "piece");
	pthread_join(thread, &bad);
	ck_assert_ptr_null(bad);
}
END_TEST

START_TEST(waitall_ends_at_end)
{
	char buf[8];
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "abc", 3);
	OK(shutdown(fd[0], SHUT_WR));
	ck_assert_int_eq(OK(recv(fd[1], buf, 8, MSG_WAITALL)), 3);
	read_eof(fd[1]);
}
END_TEST

START_TEST(receive_with_timeout_ends)
{
	int64_t start;
	char buf[8];
	int fd[2];

	sock_pair(fd);
	set_timeout(fd[1], SO_RCVTIMEO, 200);
	start = now_ms();
	FAILS(recv(fd[1], buf, 8, 0), EAGAIN);
	ck_assert_int_ge(now_ms() - start, 190);
	/* what has come by then is not lost */
	write_all(fd[0], "abc", 3);
	ck_assert_int_eq(OK(recv(fd[1], buf, 8, MSG_WAITALL)), 3);
}
END_TEST

START_TEST(send_with_timeout_ends)
{
	int64_t start;
	ssize_t n;
	int fd[2];

	sock_pair(fd);
	set_timeout(fd[0], SO_SNDTIMEO, 200);
	fill(fd[0]);
	/* There may be room for another one, and another, but not for ever */
	do {
		start = now_ms();
		n = send(fd[0], "x", 1, 0);
	} while (n == 1);
	FAILS(n, EAGAIN);
	ck_assert_int_ge(now_ms() - start, 190);
}
END_TEST

START_TEST(timeout_can_be_read)
{
	struct timeval tv = {};
	socklen_t len = sizeof(tv);
	int fd = sock_new(0);

	set_timeout(fd, SO_RCVTIMEO, 1500);
	OK(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
	ck_assert_int_eq(tv.tv_sec, 1);
	ck_assert_int_ge(tv.tv_usec, 500000);
	ck_assert_int_le(tv.tv_usec, 510000);
}
END_TEST

START_TEST(receive_interrupted_fails)
{
	char byte;
	int fd[2];

	sock_pair(fd);
	alarm_in(QUIET);
	FAILS(recv(fd[1], &byte, 1, 0), EINTR);
}
END_TEST

START_TEST(send_interrupted_tells_how_much)
{
	static char buf[64 << 20];
	ssize_t n, sum = 0;
	int fd[2], i;

	sock_pair(fd);
	alarm_in(QUIET);
	/* what it took is told first; only a call that took nothing fails */
	for (i = 0; i < 1000; i++) {
		n = send(fd[0], buf, sizeof(buf), 0);
		if (n < 0)
			break;
		ck_assert_int_gt(n, 0);
		ck_assert_int_lt(n, (ssize_t)sizeof(buf));
		sum += n;
	}
	FAILS((long long)n, EINTR);
	alarm_in(0);
	ck_assert_int_gt(i, 0);
	drain(fd[1], (size_t)sum);
	ck_assert_int_eq(poll_for(fd[1], POLLIN, QUIET), 0);
}
END_TEST

static void until_unread(int fd, int bytes)
{
	int n;

	do {
		sched_yield();
		OK(ioctl(fd, FIONREAD, &n));
	} while (n < bytes);
}

START_TEST(lowat_holds_back)
{
	int fd[2], low = 10;
	socklen_t len = sizeof(low);
	char buf[16];

	sock_pair(fd);
	OK(setsockopt(fd[1], SOL_SOCKET, SO_RCVLOWAT, &low, len));
	write_all(fd[0], "12345", 5);
	until_unread(fd[1], 5);
	ck_assert_int_eq(poll_for(fd[1], POLLIN, QUIET), 0);
	/* who does not wait gets what there is */
	ck_assert_int_eq(OK(recv(fd[1], buf, 2, MSG_DONTWAIT)), 2);
	write_all(fd[0], "1234567", 7);
	wait_for(fd[1], POLLIN);
	ck_assert_int_eq(OK(recv(fd[1], buf, 16, 0)), 10);
}
END_TEST

static char high_byte(int i)
{
	return (char)(i * 7 + i / 256);
}

static void *send_for_a_high_mark(void *arg)
{
	static char buf[HIGH_TOTAL];
	int *fd = arg;
	bool ok;
	int i;

	for (i = 0; i < HIGH_TOTAL; i++)
		buf[i] = high_byte(i);
	ok = send(*fd, buf, HIGH_TOTAL, MSG_NOSIGNAL) == HIGH_TOTAL &&
	     !shutdown(*fd, SHUT_WR);
	return ok ? NULL : fd;
}

/* Check is told of every assertion: one for all */
static void check_high_bytes(const char *buf, int from, int n)
{
	int i;

	for (i = 0; i < n && buf[i] == high_byte(from + i); i++)
		;
	ck_assert_int_eq(i, n);
}

/*
 * The sender waits for much room, the reader for many bytes: both must not wait
 * at once. Nor when the reader peeks at more than can come.
 */
START_TEST(high_mark_meets_a_sender_without_room)
{
	static char buf[HIGH_MARK];
	int fd[2], n, mark = HIGH_MARK, sum = 0, round = 0;
	pthread_t thread;
	void *bad;

	sock_pair(fd);
	OK(setsockopt(fd[1], SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark)));
	ck_assert_int_eq(pthread_create(&thread, NULL, send_for_a_high_mark,
					&fd[0]), 0);
	do {
		if (++round % 8 == 0) {
			n = (int)OK(recv(fd[1], buf, HIGH_MARK,
					 MSG_PEEK | MSG_WAITALL));
			check_high_bytes(buf, sum, n);
		}
		wait_for(fd[1], POLLIN);
		n = (int)OK(recv(fd[1], buf, HIGH_PIECE, MSG_DONTWAIT));
		check_high_bytes(buf, sum, n);
		sum += n;
	} while (n);
	ck_assert_int_eq(sum, HIGH_TOTAL);
	pthread_join(thread, &bad);
	ck_assert_ptr_null(bad);
}
END_TEST

static void *send_two_messages(void *arg)
{
	static char buf[HIGH_MESSAGE];
	int *fd = arg;
	bool ok;

	ok = send(*fd, buf, LOW_MESSAGE, MSG_NOSIGNAL) == LOW_MESSAGE &&
	     send(*fd, buf, HIGH_MESSAGE, MSG_NOSIGNAL) == HIGH_MESSAGE;
	return ok ? NULL : fd;
}

/* It is not read before all of it is there, and a ring has room for it */
START_TEST(message_comes_although_nothing_is_read)
{
	static char buf[HIGH_MESSAGE];
	int fd[2], mark = HIGH_MARK;
	pthread_t thread;
	void *bad;

	sock_pair(fd);
	/* For TCP, whose buffer may be smaller */
	OK(setsockopt(fd[1], SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark)));
	ck_assert_int_eq(pthread_create(&thread, NULL, send_two_messages,
					&fd[0]), 0);
	until_unread(fd[1], HIGH_MARK);
	read_all(fd[1], buf, LOW_MESSAGE);
	until_unread(fd[1], HIGH_MESSAGE);
	read_all(fd[1], buf, HIGH_MESSAGE);
	pthread_join(thread, &bad);
	ck_assert_ptr_null(bad);
}
END_TEST

/* How often a thread has slept, from proc_pid_status(5) */
static long sleeps_of(pid_t tid)
{
	char name[64], line[128];
	long n = -1;
	FILE *file;

	snprintf(name, sizeof(name), "/proc/self/task/%d/status", tid);
	file = fopen(name, "r");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file) &&
	       sscanf(line, "voluntary_ctxt_switches: %ld", &n) != 1)
		;
	fclose(file);
	ck_assert_int_ge(n, 0);
	return n;
}

struct endless {
	int fd;
	_Atomic pid_t tid;
	_Atomic int calls;
};

static void *send_without_end(void *arg)
{
	static const char buf[LOW_MESSAGE];
	struct endless *self = arg;

	self->tid = gettid();
	while (send(self->fd, buf, sizeof(buf), MSG_NOSIGNAL) > 0)
		self->calls++;
	return NULL;
}

/* Nobody reads: it must not look again and again whether somebody did */
START_TEST(writer_without_room_sleeps)
{
	/* The thread goes on until the process ends */
	static struct endless writer;
	static char buf[LOW_MESSAGE];
	pthread_t thread;
	int fd[2], calls;
	long before, now;

	sock_pair(fd);
	writer.fd = fd[0];
	ck_assert_int_eq(pthread_create(&thread, NULL, send_without_end,
					&writer), 0);
	while (!writer.tid)
		sched_yield();
	now = 0;
	do {
		before = now;
		poll(NULL, 0, 5 * QUIET);
		now = sleeps_of(writer.tid);
	} while (!now || now != before);
	/* And it goes on */
	calls = writer.calls;
	do {
		OK(recv(fd[1], buf, sizeof(buf), 0));
	} while (writer.calls == calls);
}
END_TEST

START_TEST(queues_are_counted)
{
	char buf[1000] = "";
	int fd[2], n = -1;

	sock_pair(fd);
	OK(ioctl(fd[1], SIOCINQ, &n));
	ck_assert_int_eq(n, 0);
	write_all(fd[0], buf, 1000);
	OK(recv(fd[1], buf, 1000, MSG_PEEK | MSG_WAITALL));
	OK(ioctl(fd[1], FIONREAD, &n));
	ck_assert_int_eq(n, 1000);
	read_all(fd[1], buf, 400);
	OK(ioctl(fd[1], FIONREAD, &n));
	ck_assert_int_eq(n, 600);
	read_all(fd[1], buf, 600);
	do {
		OK(ioctl(fd[0], SIOCOUTQ, &n));
		sched_yield();
	} while (n);
	OK(shutdown(fd[0], SHUT_WR));
	wait_for(fd[1], POLLIN);
	OK(ioctl(fd[1], FIONREAD, &n));
	ck_assert_int_eq(n, 0);
}
END_TEST

/* Programs wait for that before they go on, whether it has been read or not */
START_TEST(what_has_arrived_is_not_in_the_queue)
{
	char buf[1000] = "";
	int fd[2], n;

	if (!is_tcp())
		return;
	sock_pair(fd);
	write_all(fd[0], buf, 1000);
	do {
		OK(ioctl(fd[0], SIOCOUTQ, &n));
		sched_yield();
	} while (n);
	read_all(fd[1], buf, 1000);
}
END_TEST

/* What is read may be what a buffer is given back for: the rest is in the way */
START_TEST(there_is_room_beside_unread_bytes)
{
	static char buf[20000], got[sizeof(buf)];
	int fd[2], i;
	char back;

	sock_pair(fd);
	for (i = 0; i < (int)sizeof(buf); i++)
		buf[i] = (char)(i * 7 + i / 256);
	write_all(fd[0], buf, sizeof(buf));
	read_all(fd[1], got, 15000);
	for (i = 0; i < 200; i++) {
		wait_for(fd[0], POLLOUT);
		write_all(fd[0], &buf[i], 1);
		write_all(fd[1], "<", 1);
		read_all(fd[0], &back, 1);
	}
	/* Counted once, whatever they lie in */
	until_unread(fd[1], 5200);
	OK(ioctl(fd[1], FIONREAD, &i));
	ck_assert_int_eq(i, 5200);
	read_all(fd[1], got + 15000, 5000);
	ck_assert_mem_eq(got, buf, sizeof(buf));
	read_all(fd[1], got, 200);
	ck_assert_mem_eq(got, buf, 200);
}
END_TEST

START_TEST(queues_of_a_listener_fail)
{
	union addr addr;
	int fd, n;

	fd = sock_listen(1, &addr);
	FAILS(ioctl(fd, SIOCINQ, &n), EINVAL);
	FAILS(ioctl(fd, SIOCOUTQ, &n), EINVAL);
}
END_TEST

START_TEST(unknown_ioctl_fails)
{
	int n;

	FAILS(ioctl(sock_new(0), 0x123456, &n), ENOTTY);
}
END_TEST

START_TEST(unconnected_fails)
{
	int fd = sock_new(0);
	char byte;

	FAILS(recv(fd, &byte, 1, 0), ENOTCONN);
	FAILS(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	FAILS(shutdown(fd, SHUT_WR), ENOTCONN);
}
END_TEST

START_TEST(bad_memory_fails)
{
	char byte = 0;
	int fd[2];

	sock_pair(fd);
	FAILS(send(fd[0], (void *)8, 1, 0), EFAULT);
	write_all(fd[0], "x", 1);
	wait_for(fd[1], POLLIN);
	FAILS(recv(fd[1], (void *)8, 1, 0), EFAULT);
	/* the byte is still there */
	read_all(fd[1], &byte, 1);
	ck_assert_int_eq(byte, 'x');
}
END_TEST

/* Pages that a program has not used yet come while bytes are copied to them */
START_TEST(fresh_memory_is_filled)
{
	static char sent[LOW_MESSAGE];
	char *buf;
	int fd[2], i;

	for (i = 0; i < LOW_MESSAGE; i++)
		sent[i] = high_byte(i);
	sock_pair(fd);
	for (i = 0; i < 2; i++) {
		write_all(fd[0], sent, LOW_MESSAGE / 4);
		until_unread(fd[1], LOW_MESSAGE / 4);
		buf = mmap(NULL, LOW_MESSAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ck_assert_ptr_ne(buf, MAP_FAILED);
		buf[0] = 1;	/* of all, the first page is there */
		ck_assert_int_eq(OK(recv(fd[1], buf, LOW_MESSAGE / 4,
					 i ? 0 : MSG_PEEK | MSG_WAITALL)),
				 LOW_MESSAGE / 4);
		check_high_bytes(buf, 0, LOW_MESSAGE / 4);
		if (!i)
			read_all(fd[1], sent, LOW_MESSAGE / 4);
	}
}
END_TEST

/*
 * A page that is missing does not end a read of what is there. TCP of Linux 6.1
 * takes no more than 64 KiB before anything is read.
 */
START_TEST(fresh_memory_does_not_end_a_read)
{
	enum { UNREAD = 60000, USED = UNREAD * 2 / 3 };
	static char sent[UNREAD];
	char *buf;
	int fd[2], i;

	for (i = 0; i < UNREAD; i++)
		sent[i] = high_byte(i);
	sock_pair(fd);
	write_all(fd[0], sent, UNREAD);
	until_unread(fd[1], UNREAD);
	buf = mmap(NULL, UNREAD, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(buf, MAP_FAILED);
	memset(buf, 1, USED);
	ck_assert_int_eq(OK(recv(fd[1], buf, UNREAD, 0)), UNREAD);
	check_high_bytes(buf, 0, UNREAD);
}
END_TEST

static sig_atomic_t pipes;

static void on_pipe(int signo)
{
	pipes += signo == SIGPIPE;
}

START_TEST(shutdown_of_sending)
{
	char buf[8] = "";
	int fd[2];

	signal(SIGPIPE, on_pipe);
	sock_pair(fd);
	write_all(fd[0], "last", 4);
	OK(shutdown(fd[0], SHUT_WR));
	FAILS(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	ck_assert_int_eq(pipes, 0);
	FAILS(send(fd[0], "x", 1, 0), EPIPE);
	ck_assert_int_eq(pipes, 1);
	FAILS(write(fd[0], "x", 1), EPIPE);
	ck_assert_int_eq(pipes, 2);
	read_all(fd[1], buf, 4);
	ck_assert_str_eq(buf, "last");
	read_eof(fd[1]);
	read_eof(fd[1]);
	/* the other direction goes on */
	write_all(fd[1], "back", 4);
	read_all(fd[0], buf, 4);
	ck_assert_str_eq(buf, "back");
	OK(shutdown(fd[0], SHUT_WR));
}
END_TEST

START_TEST(shutdown_of_receiving)
{
	char byte;
	int fd[2];

	sock_pair(fd);
	OK(shutdown(fd[0], SHUT_RD));
	read_eof(fd[0]);
	write_all(fd[0], "x", 1);
	read_all(fd[1], &byte, 1);
	/* TCP takes what still comes */
	write_all(fd[1], "y", 1);
}
END_TEST

START_TEST(shutdown_of_both)
{
	int fd[2];

	sock_pair(fd);
	OK(shutdown(fd[0], SHUT_RDWR));
	read_eof(fd[0]);
	FAILS(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	read_eof(fd[1]);
	FAILS(shutdown(fd[1], 3), EINVAL);
	FAILS(shutdown(fd[1], -1), EINVAL);
}
END_TEST

static void *receive_one(void *arg)
{
	char byte;

	return (void *)(long)recv(*(int *)arg, &byte, 1, 0);
}

START_TEST(shutdown_wakes_receiver)
{
	pthread_t thread;
	void *got;
	int fd[2];

	sock_pair(fd);
	ck_assert_int_eq(pthread_create(&thread, NULL, receive_one, &fd[0]), 0);
	OK(shutdown(fd[0], SHUT_RD));
	pthread_join(thread, &got);
	ck_assert_ptr_null(got);
}
END_TEST

START_TEST(close_is_the_end)
{
	char byte;
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "x", 1);
	close(fd[0]);
	read_all(fd[1], &byte, 1);
	read_eof(fd[1]);
	/* nobody is there any more, which may take a moment to be known */
	while (send(fd[1], "y", 1, MSG_NOSIGNAL) == 1)
		;
	FAILS(send(fd[1], "y", 1, MSG_NOSIGNAL), EPIPE);
}
END_TEST

START_TEST(close_with_unread_bytes_resets)
{
	char byte;
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "unread", 6);
	wait_for(fd[1], POLLIN);
	close(fd[1]);
	wait_for(fd[0], POLLERR);
	FAILS(recv(fd[0], &byte, 1, 0), ECONNRESET);
	/* told once */
	read_eof(fd[0]);
	FAILS(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}
END_TEST

TCase *io_case(void)
{
	TCase *tc = tcase_create("io");

	tcase_set_timeout(tc, DEADLINE);
	tcase_add_test(tc, bytes_arrive);
	tcase_add_test(tc, vectors_arrive);
	tcase_add_test(tc, nothing_sent_is_nothing);
	tcase_add_test(tc, address_of_a_connected_socket_is_ignored);
	tcase_add_test(tc, empty_nonblocking_fails);
	tcase_add_test(tc, full_nonblocking_fails);
	tcase_add_test(tc, peek_leaves_bytes);
	tcase_add_test(tc, trunc_discards_bytes);
	tcase_add_test(tc, waitall_waits_for_all);
	tcase_add_test(tc, waitall_ends_at_end);
	tcase_add_test(tc, receive_with_timeout_ends);
	tcase_add_test(tc, send_with_timeout_ends);
	tcase_add_test(tc, timeout_can_be_read);
	tcase_add_test(tc, receive_interrupted_fails);
	tcase_add_test(tc, send_interrupted_tells_how_much);
	tcase_add_test(tc, lowat_holds_back);
	tcase_add_test(tc, high_mark_meets_a_sender_without_room);
	tcase_add_test(tc, message_comes_although_nothing_is_read);
	tcase_add_test(tc, writer_without_room_sleeps);
	tcase_add_test(tc, queues_are_counted);
	tcase_add_test(tc, what_has_arrived_is_not_in_the_queue);
	tcase_add_test(tc, there_is_room_beside_unread_bytes);
	tcase_add_test(tc, queues_of_a_listener_fail);
	tcase_add_test(tc, unknown_ioctl_fails);
	tcase_add_test(tc, unconnected_fails);
	tcase_add_test(tc, bad_memory_fails);
	tcase_add_test(tc, fresh_memory_is_filled);
	tcase_add_test(tc, fresh_memory_does_not_end_a_read);
	tcase_add_test(tc, shutdown_of_sending);
	tcase_add_test(tc, shutdown_of_receiving);
	tcase_add_test(tc, shutdown_of_both);
	tcase_add_test(tc, shutdown_wakes_receiver);
	tcase_add_test(tc, close_is_the_end);
	tcase_add_test(tc, close_with_unread_bytes_resets);
	return tc;
}
