// SPDX-License-Identifier: GPL-2.0
/*
 * Cases: who may hold and share a TCP socket, how it comes to be, and what ends
 * it from outside.
 */
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "loop.h"

static void set(int fd, int level, int option, int value)
{
	OK(setsockopt(fd, level, option, &value, sizeof(value)));
}

/* ---- descriptors -------------------------------------------------------- */

static void pass(int by, int fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec iov = { "", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	OK(sendmsg(by, &msg, 0));
}

static int take(int by)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {};
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int fd;

	ck_assert_int_eq(OK(recvmsg(by, &msg, 0)), 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

START_TEST(passed_descriptor_works)
{
	int fd[2], by[2], status, passed;
	pid_t pid;

	sock_pair(fd);
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, by));
	write_all(fd[0], "early", 5);
	pid = OK(fork());
	if (!pid) {
		/* What was inherited goes: only what is passed is left */
		close(fd[0]);
		close(fd[1]);
		passed = take(by[1]);
		reads(passed, "early");
		reads(passed, "late");
		write_all(passed, "answer", 6);
		_exit(0);
	}
	pass(by[0], fd[1]);
	close(fd[1]);
	write_all(fd[0], "late", 4);
	reads(fd[0], "answer");
	OK(waitpid(pid, &status, 0));
	ck_assert_int_eq(status, 0);
	read_eof(fd[0]);
}
END_TEST

START_TEST(descriptor_under_way_holds_the_socket)
{
	int fd[2], by[2];

	sock_pair(fd);
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, by));
	pass(by[0], fd[1]);
	close(fd[1]);
	write_all(fd[0], "kept", 4);
	ck_assert_int_eq(poll_for(fd[0], POLLIN, QUIET), 0);
	fd[1] = take(by[1]);
	reads(fd[1], "kept");
	flow_on(fd);
	/* Nobody takes it any more */
	pass(by[0], fd[1]);
	close(fd[1]);
	close(by[0]);
	close(by[1]);
	read_eof(fd[0]);
}
END_TEST

/* ---- threads ------------------------------------------------------------ */

struct job {
	int fd;
	ssize_t ret;
	int error;
};

static void *job_read(void *arg)
{
	struct job *job = arg;
	char byte;

	job->ret = recv(job->fd, &byte, 1, 0);
	job->error = errno;
	return NULL;
}

static void *job_write(void *arg)
{
	static char buf[1 << 20];
	struct job *job = arg;

	/* As much as no buffer takes */
	do
		job->ret = send(job->fd, buf, sizeof(buf), MSG_NOSIGNAL);
	while (job->ret >= 0);
	job->error = errno;
	return NULL;
}

static pthread_t begin(void *(*run)(void *arg), void *arg)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, run, arg), 0);
	return thread;
}

/* The error is one thread's, and all are told of the end */
START_TEST(all_threads_hear_of_a_reset)
{
	struct linger now = { 1, 0 };
	struct job jobs[4];
	pthread_t threads[4];
	int fd[2], i, resets = 0;

	sock_pair(fd);
	for (i = 0; i < 4; i++) {
		jobs[i].fd = fd[0];
		threads[i] = begin(i < 2 ? job_read : job_write, &jobs[i]);
	}
	while (poll_for(fd[0], POLLOUT, QUIET))
		;
	OK(setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	close(fd[1]);
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		if (jobs[i].ret < 0 && jobs[i].error == ECONNRESET)
			resets++;
		else if (i < 2)
			ck_assert_int_eq(jobs[i].ret, 0);
		else
			ck_assert_int_eq(jobs[i].error, EPIPE);
	}
	ck_assert_int_eq(resets, 1);
}
END_TEST

START_TEST(all_readers_hear_of_the_end)
{
	struct job jobs[4];
	pthread_t threads[4];
	int fd[2], i;

	sock_pair(fd);
	for (i = 0; i < 4; i++) {
		jobs[i].fd = fd[0];
		threads[i] = begin(job_read, &jobs[i]);
	}
	ck_assert_int_eq(poll_for(fd[0], POLLIN, QUIET), 0);
	OK(shutdown(fd[1], SHUT_WR));
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_int_eq(jobs[i].ret, 0);
	}
}
END_TEST

static char nth(size_t n)
{
	return (char)(n * 7 + n / 251);
}

static void *send_pattern(void *arg)
{
	int fd = *(int *)arg;
	char buf[3000];
	size_t i, sum = 0;
	ssize_t n;

	do {
		for (i = 0; i < sizeof(buf); i++)
			buf[i] = nth(sum + i);
		n = send(fd, buf, sizeof(buf), MSG_NOSIGNAL);
		sum += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	return errno == EPIPE || errno == ECONNRESET ? NULL : arg;
}

static void *recv_pattern(void *arg)
{
	int fd = *(int *)arg;
	char buf[5000];
	size_t i, sum = 0;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		for (i = 0; i < (size_t)n; i++) {
			if (buf[i] != nth(sum + i))
				return arg;
		}
		sum += (size_t)n;
	}
	return NULL;
}

/* A third thread ends what two work with: each of them ends, and in order */
START_TEST(shutdown_beside_busy_threads)
{
	pthread_t out, in, far;
	void *bad;
	int fd[2], round;

	for (round = 0; round < 5; round++) {
		sock_pair(fd);
		out = begin(send_pattern, &fd[0]);
		far = begin(recv_pattern, &fd[1]);
		in = begin(recv_pattern, &fd[0]);
		poll(NULL, 0, round * 10);
		OK(shutdown(fd[0], SHUT_RDWR));
		pthread_join(out, &bad);
		ck_assert_ptr_null(bad);
		pthread_join(in, &bad);
		ck_assert_ptr_null(bad);
		pthread_join(far, &bad);
		ck_assert_ptr_null(bad);
		close(fd[0]);
		close(fd[1]);
	}
}
END_TEST

/* ---- how connections come to be ----------------------------------------- */

static int listener_on(union addr *addr, int option, int value)
{
	int fd = sock_new(0);

	if (option)
		set(fd, SOL_SOCKET, option, value);
	OK(bind(fd, &addr->sa, ADDR_LEN));
	OK(listen(fd, 64));
	*addr = addr_of(fd);
	return fd;
}

START_TEST(reuseport_listeners_share)
{
	union addr addr = addr_self(0);
	struct pollfd pfd[2];
	int fd[2], i, got[2] = { 0, 0 };

	for (i = 0; i < 2; i++) {
		pfd[i].fd = listener_on(&addr, SO_REUSEPORT, 1);
		pfd[i].events = POLLIN;
	}
	for (i = 0; i < 40; i++) {
		fd[0] = sock_connect(&addr);
		OK(poll(pfd, 2, -1));
		got[!pfd[0].revents]++;
		fd[1] = OK(accept(pfd[!pfd[0].revents].fd, NULL, NULL));
		flow_on(fd);
		close(fd[0]);
		close(fd[1]);
	}
	/* Ports are hashed: that all fall to one is most unlikely */
	ck_assert_int_gt(got[0], 0);
	ck_assert_int_gt(got[1], 0);
}
END_TEST

START_TEST(bound_to_a_device_ok)
{
	union addr addr = addr_self(0);
	int fd[2], listener = sock_new(0);

	OK(setsockopt(listener, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2));
	OK(bind(listener, &addr.sa, ADDR_LEN));
	OK(listen(listener, 1));
	addr = addr_of(listener);
	fd[0] = sock_new(0);
	OK(setsockopt(fd[0], SOL_SOCKET, SO_BINDTODEVICE, "lo", 2));
	OK(connect(fd[0], &addr.sa, ADDR_LEN));
	fd[1] = OK(accept(listener, NULL, NULL));
	flow_on(fd);
}
END_TEST

START_TEST(deferred_accept_waits_for_bytes)
{
	union addr addr;
	int fd[2], listener = sock_listen(1, &addr);

	set(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 10);
	fd[0] = sock_connect(&addr);
	ck_assert_int_eq(poll_for(listener, POLLIN, QUIET), 0);
	write_all(fd[0], "first", 5);
	fd[1] = OK(accept(listener, NULL, NULL));
	reads(fd[1], "first");
	flow_on(fd);
}
END_TEST

/* A network of one's own: settings, and lo, which is its only path */
static void own_network(void)
{
	OK(unshare(CLONE_NEWNET));
	lo_up(true);
	if (getenv("XENVMC_TEST_MOVED"))
		ck_assert_int_eq(system("xenvmc hook on loopback"), 0);
}

/* Bytes of the SYN itself */
static int fast_open_listener(union addr *addr)
{
	int file, listener;

	own_network();
	file = OK(open("/proc/sys/net/ipv4/tcp_fastopen", O_WRONLY));
	ck_assert_int_eq(OK(write(file, "3", 1)), 1);
	close(file);
	listener = sock_listen(1, addr);
	set(listener, IPPROTO_TCP, TCP_FASTOPEN, 5);
	return listener;
}

START_TEST(fast_open_carries_bytes)
{
	union addr addr;
	int fd[2], listener = fast_open_listener(&addr);

	set(listener, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
	fd[0] = sock_new(0);
	set(fd[0], IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
	ck_assert_int_eq(OK(sendto(fd[0], "in the SYN", 10, MSG_FASTOPEN,
				   &addr.sa, ADDR_LEN)), 10);
	fd[1] = OK(accept(listener, NULL, NULL));
	reads(fd[1], "in the SYN");
	flow_on(fd);
}
END_TEST

/* The first connection brings the cookie with which the others say bytes */
START_TEST(fast_open_by_connect)
{
	union addr addr;
	int fd[2], i, listener = fast_open_listener(&addr);

	for (i = 0; i < 3; i++) {
		fd[0] = sock_new(0);
		set(fd[0], IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
		OK(connect(fd[0], &addr.sa, ADDR_LEN));
		write_all(fd[0], "in the SYN", 10);
		fd[1] = OK(accept(listener, NULL, NULL));
		reads(fd[1], "in the SYN");
		flow_on(fd);
		close(fd[0]);
		close(fd[1]);
	}
}
END_TEST

/* Both ends open it at the same time, and are the same socket */
START_TEST(connects_to_itself)
{
	union addr addr = addr_self(0);
	int fd[2];

	fd[0] = sock_new(0);
	OK(bind(fd[0], &addr.sa, ADDR_LEN));
	addr = addr_of(fd[0]);
	OK(connect(fd[0], &addr.sa, ADDR_LEN));
	fd[1] = fd[0];
	flow_on(fd);
	OK(shutdown(fd[0], SHUT_WR));
	read_eof(fd[0]);
}
END_TEST

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP	262
#endif

START_TEST(mptcp_is_left_alone)
{
	union addr addr = addr_self(0);
	int fd[2], listener;

	listener = socket(variant->family, SOCK_STREAM, IPPROTO_MPTCP);
	if (absent(listener, "MPTCP"))
		return;
	OK(bind(listener, &addr.sa, ADDR_LEN));
	OK(listen(listener, 1));
	addr = addr_of(listener);
	fd[0] = OK(socket(variant->family, SOCK_STREAM, IPPROTO_MPTCP));
	OK(connect(fd[0], &addr.sa, ADDR_LEN));
	fd[1] = OK(accept(listener, NULL, NULL));
	flow_on(fd);
}
END_TEST

/* ---- what there is to see ----------------------------------------------- */

static void info_of(int fd, struct tcp_info *info)
{
	socklen_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	OK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len));
}

/* What went by TCP may be acknowledged later than what did not */
static void until_acked(int fd, struct tcp_info *info)
{
	do
		info_of(fd, info);
	while (info->tcpi_unacked);
}

static uint64_t sent_once(const struct tcp_info *info)
{
	return info->tcpi_bytes_sent - info->tcpi_bytes_retrans;
}

START_TEST(info_counts_all_bytes)
{
	struct tcp_info before[2], after;
	static char buf[50000];
	int fd[2], end;

	sock_pair(fd);
	flow_on(fd);
	for (end = 0; end < 2; end++)
		until_acked(fd[end], &before[end]);
	write_all(fd[0], buf, sizeof(buf));
	do
		info_of(fd[1], &after);
	while (after.tcpi_bytes_received - before[1].tcpi_bytes_received <
	       sizeof(buf));
	drain(fd[1], sizeof(buf));
	info_of(fd[1], &after);
	ck_assert_uint_eq(after.tcpi_bytes_received -
			  before[1].tcpi_bytes_received, sizeof(buf));
	ck_assert_uint_eq(sent_once(&after), sent_once(&before[1]));
	do
		info_of(fd[0], &after);
	while (after.tcpi_bytes_acked - before[0].tcpi_bytes_acked <
	       sizeof(buf));
	ck_assert_uint_eq(after.tcpi_bytes_acked - before[0].tcpi_bytes_acked,
			  sizeof(buf));
	ck_assert_uint_eq(sent_once(&after) - sent_once(&before[0]),
			  sizeof(buf));
	ck_assert_uint_eq(after.tcpi_state, 1);
	ck_assert_uint_eq(after.tcpi_notsent_bytes, 0);
	until_acked(fd[0], &after);
}
END_TEST

/* Ports, state and inode of a line of /proc/net/tcp or tcp6 */
#define PROC_LINE "%*s %*[^:]:%x %*[^:]:%x %x %*s %*s %*s %*s %*s %lu"

/* State and inode of a connection; false if it is not there */
static bool proc_finds(int fd, unsigned int *state, unsigned long *inode)
{
	bool v4 = variant->family == AF_INET;
	union addr far = {};
	socklen_t len = sizeof(far);
	unsigned int sport, dport;
	union addr near = addr_of(fd);
	char line[512];
	FILE *file;

	OK(getpeername(fd, &far.sa, &len));
	file = fopen(v4 ? "/proc/net/tcp" : "/proc/net/tcp6", "r");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, PROC_LINE, &sport, &dport, state,
			   inode) == 4 &&
		    sport == addr_port(&near) && dport == addr_port(&far)) {
			fclose(file);
			return true;
		}
	}
	fclose(file);
	return false;
}

START_TEST(proc_shows_the_connection)
{
	unsigned int state;
	unsigned long inode;
	struct stat st;
	int fd[2], end;

	sock_pair(fd);
	flow_on(fd);
	for (end = 0; end < 2; end++) {
		ck_assert(proc_finds(fd[end], &state, &inode));
		ck_assert_uint_eq(state, 1);
		OK(fstat(fd[end], &st));
		ck_assert_uint_eq(inode, st.st_ino);
	}
	OK(shutdown(fd[0], SHUT_WR));
	wait_for(fd[1], POLLIN);
	ck_assert(proc_finds(fd[1], &state, &inode));
	ck_assert_uint_eq(state, 8);
}
END_TEST

static int asked(int fd, unsigned long request)
{
	int value = -1;

	OK(ioctl(fd, request, &value));
	return value;
}

START_TEST(ioctls_of_a_connection)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	struct timeval tv;
	int64_t stamp[2];
	int fd[2], on = 1, me = getpid();

	sock_pair(fd);
	flow_on(fd);
	ck_assert_int_eq(asked(fd[0], SIOCOUTQNSD), 0);
	FAILS(ioctl(fd[0], SIOCGSTAMP, &tv), ENOENT);
	FAILS(ioctl(fd[0], SIOCGSTAMPNS, &tv), ENOENT);
	FAILS(ioctl(fd[0], SIOCGSTAMP_NEW, stamp), ENOENT);
	FAILS(ioctl(fd[0], SIOCGSTAMPNS_NEW, stamp), ENOENT);
	OK(ioctl(fd[0], SIOCSPGRP, &me));
	ck_assert_int_eq(asked(fd[0], SIOCGPGRP), me);
	me = -getpgrp();
	OK(ioctl(fd[0], FIOSETOWN, &me));
	ck_assert_int_eq(asked(fd[0], FIOGETOWN), me);
	OK(ioctl(fd[0], FIOCLEX));
	ck_assert_int_eq(OK(fcntl(fd[0], F_GETFD)), FD_CLOEXEC);
	OK(ioctl(fd[0], FIONCLEX));
	ck_assert_int_eq(OK(fcntl(fd[0], F_GETFD)), 0);
	FAILS(ioctl(fd[0], FIOQSIZE, stamp), ENOTTY);
	OK(ioctl(fd[0], FIOASYNC, &on));
	ck_assert_int_eq(OK(fcntl(fd[0], F_GETFL)), O_RDWR | O_ASYNC);
	OK(ioctl(fd[0], FIONBIO, &on));
	ck_assert_int_eq(OK(fcntl(fd[0], F_GETFL)),
			 O_RDWR | O_ASYNC | O_NONBLOCK);
	OK(ioctl(fd[0], SIOCGIFINDEX, &ifr));
	FAILS(ioctl(fd[0], SIOCINQ, (void *)8), EFAULT);
	FAILS(recv(fd[0], &on, 1, 0), EAGAIN);
}
END_TEST

/* ---- limits, and what ends a connection from outside -------------------- */

START_TEST(not_sent_low_water_mark)
{
	size_t sum;
	int fd[2];

	sock_pair(fd);
	set(fd[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1);
	ck_assert_int_eq(poll_for(fd[0], POLLOUT, 0), POLLOUT);
	flow_on(fd);
	sum = fill(fd[0]);
	ck_assert_int_eq(poll_for(fd[0], POLLOUT, 0), 0);
	drain(fd[1], sum);
	wait_for(fd[0], POLLOUT);
	flow_on(fd);
}
END_TEST

/* Whoever asks for small buffers does not want more to be under way */
START_TEST(small_buffers_are_limits)
{
	size_t sum;
	int fd[2];

	sock_pair(fd);
	flow_on(fd);
	set(fd[1], SOL_SOCKET, SO_RCVBUF, 4096);
	set(fd[0], SOL_SOCKET, SO_SNDBUF, 4096);
	flow_on(fd);
	sum = fill(fd[0]);
	ck_assert_msg(sum < 300000, "%zu bytes were under way", sum);
	drain(fd[1], sum);
	flow_on(fd);
}
END_TEST

START_TEST(small_buffers_of_a_listener_are_limits)
{
	union addr addr = addr_self(0);
	int fd[2], listener = listener_on(&addr, SO_RCVBUF, 4096);
	size_t sum;

	fd[0] = sock_new(0);
	set(fd[0], SOL_SOCKET, SO_SNDBUF, 4096);
	OK(connect(fd[0], &addr.sa, ADDR_LEN));
	fd[1] = OK(accept(listener, NULL, NULL));
	flow_on(fd);
	sum = fill(fd[0]);
	ck_assert_msg(sum < 50000, "%zu bytes were under way", sum);
	drain(fd[1], sum);
	flow_on(fd);
}
END_TEST

/* Without its device IPv6 has no route, and TCP says that instead */
static int dead_path_error(void)
{
	bool v6 = variant->family == AF_INET6 && !variant->mapped;

	return v6 ? ENETUNREACH : ETIMEDOUT;
}

START_TEST(keepalive_notices_a_dead_path)
{
	char byte;
	int fd[2];

	own_network();
	sock_pair(fd);
	flow_on(fd);
	set(fd[0], IPPROTO_TCP, TCP_KEEPIDLE, 1);
	set(fd[0], IPPROTO_TCP, TCP_KEEPINTVL, 1);
	set(fd[0], IPPROTO_TCP, TCP_KEEPCNT, 1);
	set(fd[0], SOL_SOCKET, SO_KEEPALIVE, 1);
	/* The path is there: nothing happens in more than both together */
	ck_assert_int_eq(poll_for(fd[0], POLLIN, 2500), 0);
	lo_up(false);
	FAILS(recv(fd[0], &byte, 1, 0), dead_path_error());
	FAILS(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}
END_TEST

START_TEST(user_timeout_notices_a_dead_path)
{
	char byte;
	int fd[2];

	own_network();
	sock_pair(fd);
	set(fd[0], IPPROTO_TCP, TCP_USER_TIMEOUT, 500);
	flow_on(fd);
	lo_up(false);
	write_all(fd[0], "x", 1);
	FAILS(recv(fd[0], &byte, 1, 0), dead_path_error());
	FAILS(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}
END_TEST

/* A reader that reads nothing for so long is as good as dead */
START_TEST(user_timeout_notices_a_full_peer)
{
	struct job job;
	int fd[2];

	sock_pair(fd);
	set(fd[0], IPPROTO_TCP, TCP_USER_TIMEOUT, 500);
	flow_on(fd);
	job.fd = fd[0];
	job_write(&job);
	ck_assert_int_eq(job.error, ETIMEDOUT);
	FAILS(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}
END_TEST

TCase *surface_case(void)
{
	TCase *tc = tcase_create("surface");

	tcase_set_timeout(tc, DEADLINE);
	tcase_add_test(tc, passed_descriptor_works);
	tcase_add_test(tc, descriptor_under_way_holds_the_socket);
	tcase_add_loop_test(tc, all_threads_hear_of_a_reset, 0, 5);
	tcase_add_test(tc, all_readers_hear_of_the_end);
	tcase_add_test(tc, shutdown_beside_busy_threads);
	tcase_add_test(tc, reuseport_listeners_share);
	tcase_add_test(tc, bound_to_a_device_ok);
	tcase_add_test(tc, deferred_accept_waits_for_bytes);
	tcase_add_test(tc, fast_open_carries_bytes);
	tcase_add_test(tc, fast_open_by_connect);
	tcase_add_test(tc, connects_to_itself);
	tcase_add_test(tc, mptcp_is_left_alone);
	tcase_add_test(tc, info_counts_all_bytes);
	tcase_add_test(tc, proc_shows_the_connection);
	tcase_add_test(tc, ioctls_of_a_connection);
	tcase_add_test(tc, not_sent_low_water_mark);
	tcase_add_test(tc, small_buffers_are_limits);
	tcase_add_test(tc, small_buffers_of_a_listener_are_limits);
	tcase_add_test(tc, keepalive_notices_a_dead_path);
	tcase_add_test(tc, user_timeout_notices_a_dead_path);
	tcase_add_test(tc, user_timeout_notices_a_full_peer);
	return tc;
}
