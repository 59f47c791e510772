// SPDX-License-Identifier: GPL-2.0
/*
 * Cases: messages that TCP's buffers hold, and a ring does not. A program may
 * rely on the former: nobody has to read for what fits into them to arrive.
 */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "loop.h"

/* Twice a ring at most; the buffers count what it takes to keep them, too */
#define MESSAGE	(1024 * 1024)
#define BUFFERS	(4 * MESSAGE)

static char sent[MESSAGE], got[MESSAGE];

static void large_buffers(int fd)
{
	const int size = BUFFERS;

	OK(setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)));
	OK(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)));
}

/* Connected, with buffers that hold a message from the first byte on */
static void large_pair(int fd[2])
{
	int listener = sock_new(0);
	union addr addr = addr_self(0);
	size_t i;

	need_root();
	for (i = 0; i < MESSAGE; i++)
		sent[i] = (char)(i * 31 + (i >> 8));
	large_buffers(listener);
	OK(bind(listener, &addr.sa, ADDR_LEN));
	OK(listen(listener, 1));
	addr = addr_of(listener);
	fd[0] = sock_new(0);
	large_buffers(fd[0]);
	OK(connect(fd[0], &addr.sa, ADDR_LEN));
	fd[1] = OK(accept(listener, NULL, NULL));
	close(listener);
	until_moved(fd);
}

static void *writes_all(void *arg)
{
	write_all(*(int *)arg, sent, MESSAGE);
	return NULL;
}

static void reads_all(int fd)
{
	memset(got, 0, MESSAGE);
	read_all(fd, got, MESSAGE);
	ck_assert_mem_eq(got, sent, MESSAGE);
}

/* Until so many bytes can be read, of which none is */
static void until_there(int fd, int len)
{
	int there;

	do {
		poll(NULL, 0, 1);
		OK(ioctl(fd, FIONREAD, &there));
		ck_assert_int_le(there, len);
	} while (there < len);
}

START_TEST(both_write_before_they_read)
{
	pthread_t thread[2];
	int fd[2], i;

	large_pair(fd);
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, writes_all,
						&fd[i]), 0);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < 2; i++)
		reads_all(fd[i]);
	flow_on(fd);
}
END_TEST

/* Again and again: each time on a ring, then on TCP, and back */
START_TEST(message_is_read_when_it_is_complete)
{
	pthread_t thread;
	int fd[2], i;

	large_pair(fd);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, writes_all,
						&fd[0]), 0);
		until_there(fd[1], MESSAGE);
		reads_all(fd[1]);
		pthread_join(thread, NULL);
		flow_on(fd);
	}
}
END_TEST

/* The peek waits for all of it, or comes later */
START_TEST(message_is_peeked_at_when_it_is_complete)
{
	pthread_t thread;
	int fd[2];

	large_pair(fd);
	ck_assert_int_eq(pthread_create(&thread, NULL, writes_all, &fd[0]), 0);
	if (_i)
		until_there(fd[1], MESSAGE);
	ck_assert_int_eq(OK(recv(fd[1], got, MESSAGE, MSG_PEEK | MSG_WAITALL)),
			 MESSAGE);
	ck_assert_mem_eq(got, sent, MESSAGE);
	reads_all(fd[1]);
	pthread_join(thread, NULL);
	flow_on(fd);
}
END_TEST

/* Writes as room is told of, and does not write in vain before */
static void writes_by_epoll(int fd, uint32_t how)
{
	struct epoll_event ev = { .events = EPOLLOUT | how };
	int ep = OK(epoll_create1(0));
	size_t at = 0;
	ssize_t n;

	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	while (at < MESSAGE) {
		ck_assert_int_eq(OK(epoll_wait(ep, &ev, 1, -1)), 1);
		do {
			n = send(fd, sent + at, MESSAGE - at, MSG_DONTWAIT);
			at += (size_t)(n > 0 ? n : 0);
		} while (n > 0 && at < MESSAGE && how);
		ck_assert(n > 0 || errno == EAGAIN);
	}
	close(ep);
}

START_TEST(polling_writer_is_told_of_room)
{
	int fd[2];

	large_pair(fd);
	writes_by_epoll(fd[0], 0);
	reads_all(fd[1]);
	writes_by_epoll(fd[0], EPOLLET);
	reads_all(fd[1]);
	flow_on(fd);
}
END_TEST

/* It polls before it writes, so that nothing is refused */
START_TEST(polling_writer_is_told_although_nothing_failed)
{
	size_t at = 0;
	ssize_t n;
	int fd[2];

	large_pair(fd);
	while (at < MESSAGE) {
		wait_for(fd[0], POLLOUT);
		n = send(fd[0], sent + at, 4096, MSG_DONTWAIT);
		ck_assert_int_gt(n, 0);
		at += (size_t)n;
	}
	reads_all(fd[1]);
	flow_on(fd);
}
END_TEST

START_TEST(close_behind_a_full_ring_is_no_loss)
{
	pthread_t thread;
	int fd[2];

	large_pair(fd);
	ck_assert_int_eq(pthread_create(&thread, NULL, writes_all, &fd[0]), 0);
	pthread_join(thread, NULL);
	close(fd[0]);
	reads_all(fd[1]);
	read_eof(fd[1]);
}
END_TEST

TCase *full_case(void)
{
	TCase *tc = tcase_create("full");

	tcase_set_timeout(tc, DEADLINE);
	tcase_add_test(tc, both_write_before_they_read);
	tcase_add_test(tc, message_is_read_when_it_is_complete);
	tcase_add_loop_test(tc, message_is_peeked_at_when_it_is_complete, 0, 2);
	tcase_add_test(tc, polling_writer_is_told_of_room);
	tcase_add_test(tc, polling_writer_is_told_although_nothing_failed);
	tcase_add_test(tc, close_behind_a_full_ring_is_no_loss);
	return tc;
}
