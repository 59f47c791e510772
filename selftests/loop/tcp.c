// SPDX-License-Identifier: GPL-2.0
/*
 * Cases: what only TCP sockets have. Rings carry none of it: a connection that
 * has moved goes back for it, and a program shall not notice.
 */
#include <time.h>
#include <linux/aio_abi.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <linux/tls.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "loop.h"

static void set(int fd, int level, int option, int value)
{
	OK(setsockopt(fd, level, option, &value, sizeof(value)));
}

static void nothing_more(int fd)
{
	char byte;

	ck_assert_int_eq(poll_for(fd, POLLIN, QUIET), 0);
	FAILS(recv(fd, &byte, 1, MSG_DONTWAIT), EAGAIN);
}

/* Bytes still flow, both ways */
static void flows(const int fd[2])
{
	write_all(fd[0], "there", 5);
	reads(fd[1], "there");
	write_all(fd[1], "back", 4);
	reads(fd[0], "back");
}

/* ---- urgent data -------------------------------------------------------- */

static bool at_mark(int fd)
{
	int at;

	OK(ioctl(fd, SIOCATMARK, &at));
	return at;
}

static void send_urgent(int fd, const char *text)
{
	ck_assert_int_eq(OK(send(fd, text, strlen(text), MSG_OOB)),
			 (ssize_t)strlen(text));
}

START_TEST(urgent_byte_is_out_of_band)
{
	char byte = 0;
	int fd[2];

	sock_pair(fd);
	FAILS(recv(fd[1], &byte, 1, MSG_OOB), EINVAL);
	write_all(fd[0], "ab", 2);
	send_urgent(fd[0], "!");
	write_all(fd[0], "cd", 2);
	wait_for(fd[1], POLLPRI);
	ck_assert(!at_mark(fd[1]));
	ck_assert_int_eq(OK(recv(fd[1], &byte, 1, MSG_OOB | MSG_PEEK)), 1);
	ck_assert_int_eq(OK(recv(fd[1], &byte, 1, MSG_OOB)), 1);
	ck_assert_int_eq(byte, '!');
	FAILS(recv(fd[1], &byte, 1, MSG_OOB), EINVAL);
	reads(fd[1], "ab");
	ck_assert(at_mark(fd[1]));
	reads(fd[1], "cd");
	ck_assert(!at_mark(fd[1]));
	nothing_more(fd[1]);
	flows(fd);
}
END_TEST

/* It is passed over, but stays where it is */
START_TEST(peek_waits_behind_an_urgent_byte)
{
	char byte = 0;
	int fd[2];

	sock_pair(fd);
	send_urgent(fd[0], "!");
	wait_for(fd[1], POLLPRI);
	set_timeout(fd[1], SO_RCVTIMEO, QUIET);
	FAILS(recv(fd[1], &byte, 1, MSG_PEEK), EAGAIN);
	set_timeout(fd[1], SO_RCVTIMEO, 0);
	write_all(fd[0], "a", 1);
	ck_assert_int_eq(OK(recv(fd[1], &byte, 1, MSG_PEEK)), 1);
	ck_assert_int_eq(byte, 'a');
	ck_assert_int_eq(OK(recv(fd[1], &byte, 1, MSG_OOB)), 1);
	ck_assert_int_eq(byte, '!');
	reads(fd[1], "a");
	flows(fd);
}
END_TEST

/* A read that would go over the mark stops there */
START_TEST(reading_stops_at_the_mark)
{
	char buf[8] = "";
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "ab", 2);
	send_urgent(fd[0], "!");
	write_all(fd[0], "cd", 2);
	wait_for(fd[1], POLLPRI);
	ck_assert_int_eq(OK(recv(fd[1], buf, 8, 0)), 2);
	ck_assert_mem_eq(buf, "ab", 2);
	reads(fd[1], "cd");
	flows(fd);
}
END_TEST

START_TEST(urgent_byte_in_line)
{
	char buf[8] = "";
	int fd[2];

	sock_pair(fd);
	set(fd[1], SOL_SOCKET, SO_OOBINLINE, 1);
	write_all(fd[0], "ab", 2);
	send_urgent(fd[0], "!");
	write_all(fd[0], "cd", 2);
	wait_for(fd[1], POLLPRI);
	FAILS(recv(fd[1], buf, 1, MSG_OOB), EINVAL);
	ck_assert_int_eq(OK(recv(fd[1], buf, 8, 0)), 2);
	ck_assert(at_mark(fd[1]));
	reads(fd[1], "!cd");
	nothing_more(fd[1]);
	flows(fd);
}
END_TEST

START_TEST(last_urgent_byte_counts)
{
	char byte = 0;
	int fd[2];

	sock_pair(fd);
	send_urgent(fd[0], "x!");
	wait_for(fd[1], POLLPRI);
	send_urgent(fd[0], "?");
	while (OK(recv(fd[1], &byte, 1, MSG_OOB | MSG_PEEK)) && byte != '?')
		;
	ck_assert_int_eq(OK(recv(fd[1], &byte, 1, MSG_OOB)), 1);
	/* the one before has become a byte like others */
	reads(fd[1], "x!");
	flows(fd);
}
END_TEST

static volatile sig_atomic_t signals;

static void on_signal(int signo)
{
	(void)signo;
	signals++;
}

START_TEST(urgent_byte_sends_a_signal)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t urgent, before;
	int fd[2];

	sock_pair(fd);
	OK(sigaction(SIGURG, &sa, NULL));
	sigemptyset(&urgent);
	sigaddset(&urgent, SIGURG);
	OK(sigprocmask(SIG_BLOCK, &urgent, &before));
	OK(fcntl(fd[1], F_SETOWN, getpid()));
	send_urgent(fd[0], "!");
	while (!signals)
		sigsuspend(&before);
	ck_assert_int_eq(recv(fd[1], &(char){ 0 }, 1, MSG_OOB), 1);
	flows(fd);
}
END_TEST

START_TEST(urgent_byte_ends_select)
{
	fd_set except;
	int fd[2];

	sock_pair(fd);
	send_urgent(fd[0], "!");
	FD_ZERO(&except);
	FD_SET(fd[1], &except);
	ck_assert_int_eq(OK(select(FD_SETSIZE, NULL, NULL, &except, NULL)), 1);
	ck_assert(FD_ISSET(fd[1], &except));
}
END_TEST

/* ---- what a receive call tells beside bytes ----------------------------- */

/*
 * A message with one control message of a level and type; @room for its data.
 * Return: its length, or -1 if there was none.
 */
static int recv_control(int fd, int flags, int level, int type, void *data,
			size_t room)
{
	union {
		struct cmsghdr align;
		char room[512];
	} control = {};
	char buf[64];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;

	OK(recvmsg(fd, &msg, flags));
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != level || c->cmsg_type != type)
			continue;
		ck_assert_uint_le(c->cmsg_len - CMSG_LEN(0), room);
		memcpy(data, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
		return (int)(c->cmsg_len - CMSG_LEN(0));
	}
	return -1;
}

START_TEST(queue_length_comes_along)
{
	char buf[200] = "";
	int fd[2], inq = -1;

	sock_pair(fd);
	write_all(fd[0], buf, 100);
	wait_for(fd[1], POLLIN);
	set(fd[1], IPPROTO_TCP, TCP_INQ, 1);
	ck_assert_int_eq(recv_control(fd[1], 0, IPPROTO_TCP, TCP_CM_INQ, &inq,
				      sizeof(inq)), sizeof(inq));
	ck_assert_int_eq(inq, 36);
	read_all(fd[1], buf, 36);
	flows(fd);
}
END_TEST

/* A ring cannot carry what the option brings; then come the other bytes */
static void *back_and_send(void *arg)
{
	int *fd = arg;

	/* The other thread may or may not sleep by now: both must do */
	poll(NULL, 0, QUIET);
	set(fd[1], IPPROTO_TCP, TCP_INQ, 1);
	poll(NULL, 0, QUIET);
	write_all(fd[0], "cd", 2);
	return NULL;
}

START_TEST(recvmmsg_goes_on_beside_an_option)
{
	char buf[2][2] = {};
	struct iovec iov[2] = { { buf[0], 2 }, { buf[1], 2 } };
	struct mmsghdr msg[2] = {
		{ .msg_hdr = { .msg_iov = &iov[0], .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &iov[1], .msg_iovlen = 1 } },
	};
	pthread_t thread;
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "ab", 2);
	ck_assert_int_eq(pthread_create(&thread, NULL, back_and_send, fd), 0);
	ck_assert_int_eq(OK(recvmmsg(fd[1], msg, 2, 0, NULL)), 2);
	pthread_join(thread, NULL);
	ck_assert_mem_eq(buf, "abcd", 4);
	ck_assert_int_eq(sock_error(fd[1]), 0);
	flows(fd);
}
END_TEST

/* It reads in the call, and what that says is the request's result */
START_TEST(io_submit_goes_on_beside_an_option)
{
	aio_context_t ctx = 0;
	struct io_event event;
	char buf[4] = "";
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PREAD, .aio_nbytes = sizeof(buf),
		.aio_buf = (unsigned long)buf,
	}, *list = &cb;
	pthread_t thread;
	int fd[2];

	OK(syscall(SYS_io_setup, 1, &ctx));
	sock_pair(fd);
	cb.aio_fildes = fd[1];
	ck_assert_int_eq(pthread_create(&thread, NULL, back_and_send, fd), 0);
	ck_assert_int_eq(OK(syscall(SYS_io_submit, ctx, 1, &list)), 1);
	pthread_join(thread, NULL);
	ck_assert_int_eq(OK(syscall(SYS_io_getevents, ctx, 1, 1, &event,
				    NULL)), 1);
	ck_assert_int_eq(event.res, 2);
	ck_assert_mem_eq(buf, "cd", 2);
	OK(syscall(SYS_io_destroy, ctx));
	flows(fd);
}
END_TEST

static void is_now(const struct timeval *tv)
{
	struct timeval now;
	double diff;

	gettimeofday(&now, NULL);
	diff = (double)(now.tv_sec - tv->tv_sec) +
	       (double)(now.tv_usec - tv->tv_usec) / 1e6;
	ck_assert_msg(diff >= 0 && diff < 10, "%f seconds ago", diff);
}

/*
 * The stamp of a byte, the first that has one: the kernel begins to stamp a
 * moment after it was told.
 */
static void stamp(const int fd[2], int type, void *data, int len)
{
	int got;

	do {
		write_all(fd[0], "x", 1);
		wait_for(fd[1], POLLIN);
		got = recv_control(fd[1], 0, SOL_SOCKET, type, data,
				   (size_t)len);
	} while (got < 0);
	ck_assert_int_eq(got, len);
}

START_TEST(arrival_is_stamped)
{
	struct timeval tv;
	struct timespec ts;
	int fd[2];

	sock_pair(fd);
	set(fd[1], SOL_SOCKET, SO_TIMESTAMP, 1);
	stamp(fd, SO_TIMESTAMP, &tv, sizeof(tv));
	is_now(&tv);
	set(fd[1], SOL_SOCKET, SO_TIMESTAMPNS, 1);
	stamp(fd, SO_TIMESTAMPNS, &ts, sizeof(ts));
	tv.tv_sec = ts.tv_sec;
	tv.tv_usec = ts.tv_nsec / 1000;
	is_now(&tv);
	flows(fd);
}
END_TEST

START_TEST(arrival_is_stamped_by_the_kernel)
{
	struct scm_timestamping ts;
	struct timeval tv;
	int fd[2];

	sock_pair(fd);
	set(fd[1], SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE |
	    SOF_TIMESTAMPING_SOFTWARE);
	stamp(fd, SO_TIMESTAMPING, &ts, sizeof(ts));
	tv.tv_sec = ts.ts[0].tv_sec;
	tv.tv_usec = ts.ts[0].tv_nsec / 1000;
	is_now(&tv);
	flows(fd);
}
END_TEST

/* Of bytes that were there when stamping began none need to have a stamp */
START_TEST(stamping_begins_with_bytes_unread)
{
	struct timeval tv;
	char buf[8];
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "old", 3);
	wait_for(fd[1], POLLIN);
	set(fd[1], SOL_SOCKET, SO_TIMESTAMP, 1);
	read_all(fd[1], buf, 3);
	ck_assert_mem_eq(buf, "old", 3);
	stamp(fd, SO_TIMESTAMP, &tv, sizeof(tv));
	is_now(&tv);
}
END_TEST

START_TEST(departure_is_stamped)
{
	struct scm_timestamping ts;
	int fd[2];

	sock_pair(fd);
	set(fd[0], SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_ACK |
	    SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID |
	    SOF_TIMESTAMPING_OPT_TSONLY);
	write_all(fd[0], "0123456789", 10);
	wait_for(fd[0], POLLERR);
	ck_assert_int_ge(recv_control(fd[0], MSG_ERRQUEUE | MSG_PEEK,
				      SOL_SOCKET, SO_TIMESTAMPING, &ts,
				      sizeof(ts)), 0);
}
END_TEST

/* ---- zero copy ---------------------------------------------------------- */

START_TEST(sending_without_a_copy_is_noticed)
{
	char notice[sizeof(struct sock_extended_err) + 64];
	struct sock_extended_err *err = (void *)notice;
	static char buf[100000];
	bool v4 = variant->family == AF_INET;
	uint32_t done = 0;
	int fd[2], i;

	sock_pair(fd);
	set(fd[0], SOL_SOCKET, SO_ZEROCOPY, 1);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(OK(send(fd[0], buf, 30000, MSG_ZEROCOPY)),
				 30000);
	drain(fd[1], 90000);
	while (done < 3) {
		wait_for(fd[0], POLLERR);
		ck_assert_int_gt(recv_control(fd[0], MSG_ERRQUEUE,
					      v4 ? SOL_IP : SOL_IPV6,
					      v4 ? IP_RECVERR : IPV6_RECVERR,
					      notice, sizeof(notice)), 0);
		ck_assert_uint_eq(err->ee_origin, SO_EE_ORIGIN_ZEROCOPY);
		ck_assert_uint_eq(err->ee_info, done);
		done = err->ee_data + 1;
	}
	flows(fd);
}
END_TEST

#define LARGE	4000000

static void *drains(void *fd)
{
	drain(*(int *)fd, LARGE);
	return NULL;
}

/* However many pieces it takes, each call counts as one */
START_TEST(large_send_without_a_copy_has_one_notice)
{
	char notice[sizeof(struct sock_extended_err) + 64];
	struct sock_extended_err *err = (void *)notice;
	bool v4 = variant->family == AF_INET;
	pthread_t reader;
	static char *buf;
	int fd[2];

	/* Pages that nobody has touched come one after the other */
	buf = mmap(NULL, LARGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(buf, MAP_FAILED);
	sock_pair(fd);
	set(fd[0], SOL_SOCKET, SO_ZEROCOPY, 1);
	ck_assert_int_eq(pthread_create(&reader, NULL, drains, &fd[1]), 0);
	ck_assert_int_eq(OK(send(fd[0], buf, LARGE, MSG_ZEROCOPY)), LARGE);
	ck_assert_int_eq(pthread_join(reader, NULL), 0);
	wait_for(fd[0], POLLERR);
	ck_assert_int_gt(recv_control(fd[0], MSG_ERRQUEUE,
				      v4 ? SOL_IP : SOL_IPV6,
				      v4 ? IP_RECVERR : IPV6_RECVERR,
				      notice, sizeof(notice)), 0);
	ck_assert_uint_eq(err->ee_info, 0);
	ck_assert_uint_eq(err->ee_data, 0);
	flows(fd);
	FAILS(recv(fd[0], notice, 1, MSG_ERRQUEUE), EAGAIN);
}
END_TEST

START_TEST(receiving_by_mapping)
{
	struct tcp_zerocopy_receive zc = {};
	socklen_t len = sizeof(zc);
	size_t room = 16 * 4096;
	char buf[4096];
	int fd[2];
	void *map;

	sock_pair(fd);
	map = mmap(NULL, room, PROT_READ, MAP_SHARED, fd[1], 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	memset(buf, 'z', sizeof(buf));
	write_all(fd[0], buf, sizeof(buf));
	wait_for(fd[1], POLLIN);
	zc.address = (uintptr_t)map;
	zc.length = (uint32_t)room;
	OK(getsockopt(fd[1], IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &zc, &len));
	/* All or nothing of it is mapped; the rest is to be read */
	memset(buf, 0, sizeof(buf));
	if (zc.length)
		ck_assert_int_eq(*(char *)map, 'z');
	else
		read_all(fd[1], buf, zc.recv_skip_hint);
	ck_assert_uint_eq(zc.length + zc.recv_skip_hint, sizeof(buf));
	flows(fd);
}
END_TEST

/* ---- options that change what bytes become ------------------------------ */

START_TEST(filter_of_packets_is_obeyed)
{
	struct sock_filter accept[] = { BPF_STMT(BPF_RET | BPF_K, 0x7fffffff) };
	struct sock_filter refuse[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog prog = { 1, accept };
	int fd[2];

	sock_pair(fd);
	OK(setsockopt(fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog,
		      sizeof(prog)));
	flows(fd);
	prog.filter = refuse;
	OK(setsockopt(fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog,
		      sizeof(prog)));
	write_all(fd[0], "held back", 9);
	nothing_more(fd[1]);
	set(fd[1], SOL_SOCKET, SO_DETACH_FILTER, 0);
	reads(fd[1], "held back");
	flows(fd);
}
END_TEST

START_TEST(pace_is_kept)
{
	static char buf[100000];
	int64_t start;
	int fd[2], i;

	sock_pair(fd);
	set(fd[0], SOL_SOCKET, SO_MAX_PACING_RATE, 200000);
	/* TCP is in no hurry with it */
	for (i = 0; i < 20; i++)
		flows(fd);
	start = now_ms();
	write_all(fd[0], buf, sizeof(buf));
	drain(fd[1], sizeof(buf));
	/* half a second, but for what goes at once */
	ck_assert_int_ge(now_ms() - start, 100);
}
END_TEST

/* What is held back stays in front of what is not */
START_TEST(corked_bytes_arrive_in_order)
{
	int fd[2], i;

	sock_pair(fd);
	for (i = 0; i < 10; i++) {
		set(fd[0], IPPROTO_TCP, TCP_CORK, 1);
		write_all(fd[0], "cor", 3);
		write_all(fd[0], "ked ", 4);
		ck_assert_int_eq(OK(send(fd[0], "more ", 5, MSG_MORE)), 5);
		set(fd[0], IPPROTO_TCP, TCP_CORK, 0);
		set(fd[0], IPPROTO_TCP, TCP_NODELAY, i % 2);
		ck_assert_int_eq(OK(send(fd[0], "and ", 4, MSG_MORE)), 4);
		write_all(fd[0], "end.", 4);
		reads(fd[1], "corked more and end.");
		flows(fd);
	}
}
END_TEST

START_TEST(tls_is_set_up_late)
{
	struct tls12_crypto_info_aes_gcm_128 key = {
		.info = { .version = TLS_1_2_VERSION,
			  .cipher_type = TLS_CIPHER_AES_GCM_128 },
	};
	int fd[2];

	sock_pair(fd);
	flows(fd);
	if (absent(setsockopt(fd[0], IPPROTO_TCP, TCP_ULP, "tls", 3), "kTLS"))
		return;
	OK(setsockopt(fd[1], IPPROTO_TCP, TCP_ULP, "tls", 3));
	/* until a key is set, it is a connection like others */
	flows(fd);
	OK(setsockopt(fd[0], SOL_TLS, TLS_TX, &key, sizeof(key)));
	OK(setsockopt(fd[1], SOL_TLS, TLS_RX, &key, sizeof(key)));
	write_all(fd[0], "secret", 6);
	reads(fd[1], "secret");
	write_all(fd[1], "plain", 5);
	reads(fd[0], "plain");
}
END_TEST

START_TEST(peek_offset_moves_on)
{
	char buf[4] = "";
	int fd[2], value;
	socklen_t len = sizeof(value);

	sock_pair(fd);
	write_all(fd[0], "abcdef", 6);
	wait_for(fd[1], POLLIN);
	value = 1;
	if (absent(setsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &value, len),
		   "SO_PEEK_OFF"))
		return;
	ck_assert_int_eq(OK(recv(fd[1], buf, 2, MSG_PEEK)), 2);
	ck_assert_mem_eq(buf, "bc", 2);
	ck_assert_int_eq(OK(recv(fd[1], buf, 2, MSG_PEEK)), 2);
	ck_assert_mem_eq(buf, "de", 2);
	read_all(fd[1], buf, 2);
	OK(getsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &value, &len));
	ck_assert_int_eq(value, 3);
	set(fd[1], SOL_SOCKET, SO_PEEK_OFF, -1);
	reads(fd[1], "cdef");
	flows(fd);
}
END_TEST

START_TEST(repair_takes_the_connection)
{
	int fd[2], seq;
	socklen_t len = sizeof(seq);

	need_root();
	sock_pair(fd);
	write_all(fd[0], "unread", 6);
	wait_for(fd[1], POLLIN);
	set(fd[1], IPPROTO_TCP, TCP_REPAIR, 1);
	set(fd[1], IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE);
	OK(getsockopt(fd[1], IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, &len));
	set(fd[1], IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_NO_QUEUE);
	set(fd[1], IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF);
	reads(fd[1], "unread");
	flows(fd);
}
END_TEST

/* ---- buffers ------------------------------------------------------------ */

/* What is asked for at most, without a right to more: still less than a ring */
#define BUFFER	200000

/* Full: twice the size is what getsockopt() tells, and TCP takes a bit more */
static void room_is_bounded(const int fd[2], size_t bound)
{
	bool behind = tcp_is_behind();
	int fills = 0;
	size_t sum;

	/* A full ring, and TCP's queues behind it */
	if (behind)
		bound *= 2;
	/* The ring may be one of before, until it is full. Or until the deadline */
	do {
		sum = fill(fd[0]);
		drain(fd[1], sum);
		flows(fd);
	} while (sum >= bound && (!behind || !fills++));
	ck_assert_msg(sum < bound, "%zu bytes were under way", sum);
}

START_TEST(larger_buffers_are_limits)
{
	int fd[2], i;

	sock_pair(fd);
	set(fd[0], SOL_SOCKET, SO_SNDBUF, 4096);
	set(fd[1], SOL_SOCKET, SO_RCVBUF, BUFFER);
	/* It counts for what is lent from now on */
	for (i = 0; i < 50; i++)
		flows(fd);
	room_is_bounded(fd, 2 * BUFFER + 100000);
	set(fd[1], SOL_SOCKET, SO_RCVBUF, 65536);
	for (i = 0; i < 50; i++)
		flows(fd);
	room_is_bounded(fd, 300000);
}
END_TEST

START_TEST(larger_buffers_of_a_listener_are_limits)
{
	int fd[2], i, listener = sock_new(0);
	union addr addr = addr_self(0);

	set(listener, SOL_SOCKET, SO_RCVBUF, BUFFER);
	OK(bind(listener, &addr.sa, ADDR_LEN));
	OK(listen(listener, 1));
	addr = addr_of(listener);
	fd[0] = sock_new(0);
	set(fd[0], SOL_SOCKET, SO_SNDBUF, 4096);
	OK(connect(fd[0], &addr.sa, ADDR_LEN));
	fd[1] = OK(accept(listener, NULL, NULL));
	for (i = 0; i < 50; i++)
		flows(fd);
	room_is_bounded(fd, 2 * BUFFER + 100000);
}
END_TEST

/* ---- a connection that is no more --------------------------------------- */

static int disconnect(int fd)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	return connect(fd, &none, sizeof(none));
}

START_TEST(disconnected_socket_connects_again)
{
	union addr addr;
	int listener, fd[2];

	sock_pair(fd);
	flows(fd);
	OK(disconnect(fd[0]));
	wait_for(fd[1], POLLHUP);
	ck_assert_int_eq(sock_error(fd[1]), ECONNRESET);
	ck_assert_int_eq(sock_error(fd[0]), ECONNRESET);
	FAILS(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	listener = sock_listen(1, &addr);
	OK(connect(fd[0], &addr.sa, ADDR_LEN));
	fd[1] = OK(accept(listener, NULL, NULL));
	flows(fd);
}
END_TEST

START_TEST(disconnecting_resets_with_bytes_unread)
{
	char byte;
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "unread", 6);
	wait_for(fd[1], POLLIN);
	OK(disconnect(fd[1]));
	wait_for(fd[0], POLLHUP);
	FAILS(recv(fd[0], &byte, 1, 0), ECONNRESET);
	FAILS(recv(fd[1], &byte, 1, 0), ECONNRESET);
	FAILS(recv(fd[1], &byte, 1, 0), ENOTCONN);
}
END_TEST

TCase *tcp_case(void)
{
	TCase *tc = tcase_create("tcp");

	tcase_set_timeout(tc, DEADLINE);
	tcase_add_test(tc, urgent_byte_is_out_of_band);
	tcase_add_test(tc, reading_stops_at_the_mark);
	tcase_add_test(tc, peek_waits_behind_an_urgent_byte);
	tcase_add_test(tc, urgent_byte_in_line);
	tcase_add_test(tc, last_urgent_byte_counts);
	tcase_add_test(tc, urgent_byte_sends_a_signal);
	tcase_add_test(tc, urgent_byte_ends_select);
	tcase_add_test(tc, queue_length_comes_along);
	tcase_add_test(tc, arrival_is_stamped);
	tcase_add_test(tc, arrival_is_stamped_by_the_kernel);
	tcase_add_test(tc, stamping_begins_with_bytes_unread);
	tcase_add_test(tc, departure_is_stamped);
	tcase_add_test(tc, sending_without_a_copy_is_noticed);
	tcase_add_test(tc, large_send_without_a_copy_has_one_notice);
	tcase_add_test(tc, receiving_by_mapping);
	tcase_add_test(tc, filter_of_packets_is_obeyed);
	tcase_add_test(tc, pace_is_kept);
	tcase_add_test(tc, corked_bytes_arrive_in_order);
	tcase_add_test(tc, tls_is_set_up_late);
	tcase_add_test(tc, peek_offset_moves_on);
	tcase_add_test(tc, repair_takes_the_connection);
	tcase_add_test(tc, larger_buffers_are_limits);
	tcase_add_test(tc, larger_buffers_of_a_listener_are_limits);
	tcase_add_test(tc, recvmmsg_goes_on_beside_an_option);
	tcase_add_test(tc, io_submit_goes_on_beside_an_option);
	tcase_add_test(tc, disconnected_socket_connects_again);
	tcase_add_test(tc, disconnecting_resets_with_bytes_unread);
	return tc;
}
