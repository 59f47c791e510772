// SPDX-License-Identifier: GPL-2.0
/*
 * Cases: poll, select and epoll, level and edge triggered.
 */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "loop.h"

#define ALL	(POLLIN | POLLOUT | POLLRDHUP)

START_TEST(poll_of_a_listener)
{
	union addr addr;
	int listener = sock_listen(1, &addr);

	ck_assert_int_eq(poll_for(listener, ALL, 0), 0);
	sock_connect(&addr);
	wait_for(listener, POLLIN);
	ck_assert_int_eq(poll_for(listener, ALL, 0), POLLIN);
	OK(accept(listener, NULL, NULL));
	ck_assert_int_eq(poll_for(listener, ALL, 0), 0);
}
END_TEST

START_TEST(poll_of_a_new_socket)
{
	ck_assert_int_eq(poll_for(sock_new(0), ALL, 0), POLLOUT | POLLHUP);
}
END_TEST

START_TEST(poll_of_a_connection)
{
	char byte;
	int fd[2];

	sock_pair(fd);
	ck_assert_int_eq(poll_for(fd[0], ALL, 0), POLLOUT);
	ck_assert_int_eq(poll_for(fd[1], ALL, 0), POLLOUT);
	write_all(fd[0], "x", 1);
	wait_for(fd[1], POLLIN);
	ck_assert_int_eq(poll_for(fd[1], ALL, 0), POLLIN | POLLOUT);
	read_all(fd[1], &byte, 1);
	ck_assert_int_eq(poll_for(fd[1], ALL, 0), POLLOUT);
}
END_TEST

START_TEST(poll_of_half_closed)
{
	int fd[2];

	sock_pair(fd);
	OK(shutdown(fd[0], SHUT_WR));
	ck_assert_int_eq(poll_for(fd[0], ALL, 0), POLLOUT);
	wait_for(fd[1], POLLRDHUP);
	ck_assert_int_eq(poll_for(fd[1], ALL, 0), ALL);
	OK(shutdown(fd[1], SHUT_WR));
	wait_for(fd[0], POLLHUP);
	ck_assert_int_eq(poll_for(fd[0], ALL, 0), ALL | POLLHUP);
	ck_assert_int_eq(poll_for(fd[1], ALL, 0), ALL | POLLHUP);
}
END_TEST

START_TEST(poll_of_receiving_shut)
{
	int fd[2];

	sock_pair(fd);
	OK(shutdown(fd[0], SHUT_RD));
	ck_assert_int_eq(poll_for(fd[0], ALL, 0), ALL);
}
END_TEST

START_TEST(poll_of_a_reset)
{
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "x", 1);
	wait_for(fd[1], POLLIN);
	close(fd[1]);
	wait_for(fd[0], POLLERR);
	ck_assert_int_eq(poll_for(fd[0], ALL, 0), ALL | POLLERR | POLLHUP);
	ck_assert_int_eq(sock_error(fd[0]), ECONNRESET);
	ck_assert_int_eq(poll_for(fd[0], ALL, 0), ALL | POLLHUP);
}
END_TEST

START_TEST(poll_of_a_full_socket)
{
	size_t sum;
	int fd[2];

	sock_pair(fd);
	sum = fill(fd[0]);
	ck_assert_int_eq(poll_for(fd[0], ALL, 0), 0);
	drain(fd[1], sum);
	wait_for(fd[0], POLLOUT);
}
END_TEST

static void *send_one(void *arg)
{
	return (void *)(long)(send(*(int *)arg, "x", 1, 0) - 1);
}

START_TEST(poll_is_woken)
{
	pthread_t thread;
	void *bad;
	int fd[2];

	sock_pair(fd);
	ck_assert_int_eq(pthread_create(&thread, NULL, send_one, &fd[0]), 0);
	ck_assert_int_eq(poll_for(fd[1], POLLIN, -1), POLLIN);
	pthread_join(thread, &bad);
	ck_assert_ptr_null(bad);
}
END_TEST

START_TEST(select_tells_the_same)
{
	fd_set in, out;
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "x", 1);
	wait_for(fd[1], POLLIN);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fd[0], &in);
	FD_SET(fd[1], &in);
	FD_SET(fd[0], &out);
	ck_assert_int_eq(OK(select(FD_SETSIZE, &in, &out, NULL, NULL)), 2);
	ck_assert(!FD_ISSET(fd[0], &in) && FD_ISSET(fd[1], &in));
	ck_assert(FD_ISSET(fd[0], &out));
}
END_TEST

static int epoll_on(int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events };
	int ep = OK(epoll_create1(0));

	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	return ep;
}

/* Return: the events, 0 if none came in time. */
static uint32_t epoll_next(int ep, int timeout)
{
	struct epoll_event ev;

	return OK(epoll_wait(ep, &ev, 1, timeout)) ? ev.events : 0;
}

START_TEST(epoll_level_repeats)
{
	char byte;
	int fd[2], ep;

	sock_pair(fd);
	ep = epoll_on(fd[1], EPOLLIN);
	ck_assert_uint_eq(epoll_next(ep, 0), 0);
	write_all(fd[0], "xy", 2);
	ck_assert_uint_eq(epoll_next(ep, -1), EPOLLIN);
	ck_assert_uint_eq(epoll_next(ep, 0), EPOLLIN);
	read_all(fd[1], &byte, 1);
	ck_assert_uint_eq(epoll_next(ep, 0), EPOLLIN);
	read_all(fd[1], &byte, 1);
	ck_assert_uint_eq(epoll_next(ep, 0), 0);
}
END_TEST

START_TEST(epoll_edge_reading)
{
	int fd[2], ep;
	char byte;

	sock_pair(fd);
	until_at_rest(fd);
	ep = epoll_on(fd[1], EPOLLIN | EPOLLET);
	write_all(fd[0], "x", 1);
	ck_assert_uint_eq(epoll_next(ep, -1), EPOLLIN);
	ck_assert_uint_eq(epoll_next(ep, QUIET), 0);
	/* more bytes are an event although the first was not read */
	write_all(fd[0], "y", 1);
	ck_assert_uint_eq(epoll_next(ep, -1), EPOLLIN);
	read_all(fd[1], &byte, 1);
	read_all(fd[1], &byte, 1);
	FAILS(recv(fd[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	/* and so they are after it was read to the end */
	write_all(fd[0], "z", 1);
	ck_assert_uint_eq(epoll_next(ep, -1), EPOLLIN);
}
END_TEST

/* Who looks in between has no edge of the other's */
START_TEST(epoll_edge_beside_poll)
{
	int fd[2], ep;

	sock_pair(fd);
	ep = epoll_on(fd[1], EPOLLIN | EPOLLET);
	write_all(fd[0], "x", 1);
	ck_assert_uint_eq(epoll_next(ep, -1), EPOLLIN);
	ck_assert_int_eq(poll_for(fd[1], POLLIN, 0), POLLIN);
	write_all(fd[0], "y", 1);
	ck_assert_uint_eq(epoll_next(ep, -1), EPOLLIN);
}
END_TEST

/* A mark that is lowered to what is there already brings an event */
START_TEST(epoll_of_a_lower_mark)
{
	int fd[2], ep, low = 100;
	char bytes[50] = "";

	sock_pair(fd);
	OK(setsockopt(fd[1], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)));
	ep = epoll_on(fd[1], EPOLLIN);
	write_all(fd[0], bytes, sizeof(bytes));
	ck_assert_uint_eq(epoll_next(ep, QUIET), 0);
	low = 10;
	OK(setsockopt(fd[1], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)));
	ck_assert_uint_eq(epoll_next(ep, -1), EPOLLIN);
}
END_TEST

START_TEST(epoll_edge_writing)
{
	int fd[2], ep;
	size_t sum;

	sock_pair(fd);
	ep = epoll_on(fd[0], EPOLLOUT | EPOLLET);
	ck_assert_uint_eq(epoll_next(ep, -1), EPOLLOUT);
	sum = fill(fd[0]);
	while (epoll_next(ep, QUIET))
		sum += fill(fd[0]);
	drain(fd[1], sum);
	ck_assert_uint_eq(epoll_next(ep, -1), EPOLLOUT);
	ck_assert_uint_eq(fill(fd[0]) > 0, 1);
}
END_TEST

START_TEST(epoll_edge_closing)
{
	int fd[2], ep;
	uint32_t got = 0;

	sock_pair(fd);
	ep = epoll_on(fd[1], EPOLLIN | EPOLLRDHUP | EPOLLET);
	close(fd[0]);
	while (!(got & EPOLLRDHUP))
		got |= epoll_next(ep, -1);
	ck_assert_uint_eq(got, EPOLLIN | EPOLLRDHUP);
}
END_TEST

START_TEST(epoll_edge_accepting)
{
	union addr addr;
	int listener = sock_listen(5, &addr);
	int ep = epoll_on(listener, EPOLLIN | EPOLLET);

	sock_connect(&addr);
	ck_assert_uint_eq(epoll_next(ep, -1), EPOLLIN);
	ck_assert_uint_eq(epoll_next(ep, QUIET), 0);
	sock_connect(&addr);
	ck_assert_uint_eq(epoll_next(ep, -1), EPOLLIN);
}
END_TEST

START_TEST(epoll_edge_connecting)
{
	int fd = sock_new(SOCK_NONBLOCK), ep;
	uint32_t got = 0;
	union addr addr;

	sock_listen(1, &addr);
	ep = epoll_on(fd, EPOLLIN | EPOLLOUT | EPOLLET);
	FAILS(connect(fd, &addr.sa, ADDR_LEN), EINPROGRESS);
	/* before connect() there was a hang-up, which may be told first */
	while (got != EPOLLOUT)
		got = epoll_next(ep, -1);
	ck_assert_int_eq(sock_error(fd), 0);
}
END_TEST

START_TEST(epoll_oneshot_is_told_once)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT };
	int fd[2], ep;

	sock_pair(fd);
	ep = epoll_on(fd[1], EPOLLIN | EPOLLONESHOT);
	write_all(fd[0], "x", 1);
	ck_assert_uint_eq(epoll_next(ep, -1), EPOLLIN);
	write_all(fd[0], "y", 1);
	ck_assert_uint_eq(epoll_next(ep, QUIET), 0);
	OK(epoll_ctl(ep, EPOLL_CTL_MOD, fd[1], &ev));
	ck_assert_uint_eq(epoll_next(ep, -1), EPOLLIN);
}
END_TEST

TCase *events_case(void)
{
	TCase *tc = tcase_create("events");

	tcase_set_timeout(tc, DEADLINE);
	tcase_add_test(tc, poll_of_a_listener);
	tcase_add_test(tc, poll_of_a_new_socket);
	tcase_add_test(tc, poll_of_a_connection);
	tcase_add_test(tc, poll_of_half_closed);
	tcase_add_test(tc, poll_of_receiving_shut);
	tcase_add_test(tc, poll_of_a_reset);
	tcase_add_test(tc, poll_of_a_full_socket);
	tcase_add_test(tc, poll_is_woken);
	tcase_add_test(tc, select_tells_the_same);
	tcase_add_test(tc, epoll_level_repeats);
	tcase_add_test(tc, epoll_edge_reading);
	tcase_add_test(tc, epoll_edge_beside_poll);
	tcase_add_test(tc, epoll_of_a_lower_mark);
	tcase_add_test(tc, epoll_edge_writing);
	tcase_add_test(tc, epoll_edge_closing);
	tcase_add_test(tc, epoll_edge_accepting);
	tcase_add_test(tc, epoll_edge_connecting);
	tcase_add_test(tc, epoll_oneshot_is_told_once);
	return tc;
}
