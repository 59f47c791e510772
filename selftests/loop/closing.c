// SPDX-License-Identifier: GPL-2.0
/*
 * Cases: how a connection ends, and what each end is told, in which order.
 */
#include <fcntl.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "loop.h"

static void linger(int fd, int on, int seconds)
{
	struct linger l = { on, seconds };

	OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
}

/* A reset is told once: as an error, then there is nothing but the end */
static void is_reset(int fd)
{
	char byte;

	wait_for(fd, POLLERR);
	FAILS(recv(fd, &byte, 1, 0), ECONNRESET);
	read_eof(fd);
	FAILS(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
}

START_TEST(linger_of_0_resets)
{
	int fd[2];

	sock_pair(fd);
	linger(fd[0], 1, 0);
	close(fd[0]);
	is_reset(fd[1]);
}
END_TEST

START_TEST(linger_of_0_resets_behind_bytes)
{
	char buf[8];
	int fd[2];

	sock_pair(fd);
	linger(fd[0], 1, 0);
	write_all(fd[0], "bytes", 5);
	wait_for(fd[1], POLLIN);
	read_all(fd[1], buf, 5);
	close(fd[0]);
	is_reset(fd[1]);
}
END_TEST

START_TEST(linger_of_0_after_shutdown)
{
	char buf[8];
	int fd[2];

	sock_pair(fd);
	linger(fd[0], 1, 0);
	write_all(fd[0], "bytes", 5);
	OK(shutdown(fd[0], SHUT_WR));
	read_all(fd[1], buf, 5);
	read_eof(fd[1]);
	close(fd[0]);
	wait_for(fd[1], POLLERR);
	ck_assert_int_ne(sock_error(fd[1]), 0);
}
END_TEST

/* A reset behind the end of the stream, which is there still */
static void is_cut_off(int fd)
{
	wait_for(fd, POLLERR);
	ck_assert_int_eq(sock_error(fd), EPIPE);
	read_eof(fd);
	FAILS(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
}

START_TEST(close_that_crosses_a_write)
{
	int fd[2];

	if (!is_tcp())
		return;
	sock_pair(fd);
	close(fd[0]);
	ck_assert_int_eq(OK(send(fd[1], "y", 1, MSG_NOSIGNAL)), 1);
	is_cut_off(fd[1]);
}
END_TEST

START_TEST(close_with_unread_bytes_behind_the_own_end)
{
	int fd[2];

	if (!is_tcp())
		return;
	sock_pair(fd);
	OK(shutdown(fd[0], SHUT_WR));
	read_eof(fd[1]);
	write_all(fd[1], "y", 1);
	wait_for(fd[0], POLLIN);
	close(fd[0]);
	is_cut_off(fd[1]);
}
END_TEST

START_TEST(linger_waits_no_longer_than_it_must)
{
	int64_t start;
	char buf[8];
	int fd[2];

	sock_pair(fd);
	linger(fd[0], 1, 20);
	write_all(fd[0], "bytes", 5);
	start = now_ms();
	close(fd[0]);
	ck_assert_int_lt(now_ms() - start, 10000);
	read_all(fd[1], buf, 5);
	read_eof(fd[1]);
}
END_TEST

START_TEST(linger_does_not_hold_up_a_nonblocking_close)
{
	int fd[2], on = 1;
	char buf[8];

	sock_pair(fd);
	linger(fd[0], 1, 20);
	OK(ioctl(fd[0], FIONBIO, &on));
	write_all(fd[0], "bytes", 5);
	close(fd[0]);
	read_all(fd[1], buf, 5);
	read_eof(fd[1]);
}
END_TEST

START_TEST(both_shut_down_at_once)
{
	char byte;
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "a", 1);
	write_all(fd[1], "b", 1);
	OK(shutdown(fd[0], SHUT_WR));
	OK(shutdown(fd[1], SHUT_WR));
	read_all(fd[0], &byte, 1);
	ck_assert_int_eq(byte, 'b');
	read_all(fd[1], &byte, 1);
	ck_assert_int_eq(byte, 'a');
	read_eof(fd[0]);
	read_eof(fd[1]);
	FAILS(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	FAILS(send(fd[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	wait_for(fd[0], POLLHUP);
	wait_for(fd[1], POLLHUP);
	ck_assert_int_eq(sock_error(fd[0]), 0);
	ck_assert_int_eq(sock_error(fd[1]), 0);
}
END_TEST

START_TEST(bytes_of_a_closed_end_are_all_read)
{
	static char out[60000], in[60000];
	size_t i;
	int fd[2];

	for (i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 3);
	sock_pair(fd);
	write_all(fd[0], out, sizeof(out));
	close(fd[0]);
	read_all(fd[1], in, sizeof(in));
	ck_assert_mem_eq(out, in, sizeof(in));
	read_eof(fd[1]);
	read_eof(fd[1]);
}
END_TEST

START_TEST(pending_bytes_come_after_own_shutdown)
{
	char buf[8];
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "abc", 3);
	wait_for(fd[1], POLLIN);
	OK(shutdown(fd[1], SHUT_RD));
	ck_assert_int_eq(OK(recv(fd[1], buf, 8, 0)), 3);
	read_eof(fd[1]);
}
END_TEST

START_TEST(shutdown_again_ok)
{
	int fd[2];

	sock_pair(fd);
	OK(shutdown(fd[0], SHUT_WR));
	OK(shutdown(fd[0], SHUT_WR));
	OK(shutdown(fd[0], SHUT_RD));
	OK(shutdown(fd[0], SHUT_RDWR));
	read_eof(fd[1]);
	OK(shutdown(fd[1], SHUT_RD));
}
END_TEST

START_TEST(shutdown_after_both_ends_fails)
{
	int fd[2];

	sock_pair(fd);
	linger(fd[0], 1, 0);
	close(fd[0]);
	wait_for(fd[1], POLLERR);
	FAILS(shutdown(fd[1], SHUT_WR), ENOTCONN);
}
END_TEST

START_TEST(error_is_told_once)
{
	char byte;
	int fd[2];

	sock_pair(fd);
	linger(fd[0], 1, 0);
	close(fd[0]);
	wait_for(fd[1], POLLERR);
	ck_assert_int_eq(sock_error(fd[1]), ECONNRESET);
	ck_assert_int_eq(sock_error(fd[1]), 0);
	ck_assert_int_eq(poll_for(fd[1], POLLERR, 0) & POLLERR, 0);
	ck_assert_int_eq(OK(recv(fd[1], &byte, 1, 0)), 0);
	FAILS(send(fd[1], "x", 1, MSG_NOSIGNAL), EPIPE);
}
END_TEST

START_TEST(sender_takes_the_error)
{
	char byte;
	int fd[2];

	sock_pair(fd);
	linger(fd[0], 1, 0);
	close(fd[0]);
	wait_for(fd[1], POLLERR);
	FAILS(send(fd[1], "x", 1, MSG_NOSIGNAL), ECONNRESET);
	FAILS(send(fd[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	ck_assert_int_eq(OK(recv(fd[1], &byte, 1, 0)), 0);
}
END_TEST

/* What came before a reset can be read in spite of it */
START_TEST(bytes_before_a_reset)
{
	char buf[8] = "";
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "kept", 4);
	wait_for(fd[1], POLLIN);
	linger(fd[0], 1, 0);
	close(fd[0]);
	wait_for(fd[1], POLLERR);
	ck_assert_int_eq(OK(recv(fd[1], buf, 8, 0)), 4);
	ck_assert_str_eq(buf, "kept");
	FAILS(recv(fd[1], buf, 8, 0), ECONNRESET);
	read_eof(fd[1]);
}
END_TEST

START_TEST(queue_of_a_closed_peer_is_counted)
{
	int fd[2], n = 0;
	char buf[8];

	sock_pair(fd);
	write_all(fd[0], "abc", 3);
	close(fd[0]);
	wait_for(fd[1], POLLRDHUP);
	OK(ioctl(fd[1], FIONREAD, &n));
	ck_assert_int_eq(n, 3);
	read_all(fd[1], buf, 3);
	OK(ioctl(fd[1], FIONREAD, &n));
	ck_assert_int_eq(n, 0);
}
END_TEST

/* The other end is told though nobody accepted the connection */
START_TEST(reset_before_accept)
{
	union addr addr, own, from;
	int listener = sock_listen(1, &addr);
	int fd = sock_connect(&addr);
	socklen_t len = sizeof(from);
	char byte;

	own = addr_of(fd);
	linger(fd, 1, 0);
	close(fd);
	wait_for(listener, POLLIN);
	/* Whose it was can be asked for with accept(), and not any more later */
	fd = OK(accept(listener, &from.sa, &len));
	ck_assert_uint_eq(addr_port(&from), addr_port(&own));
	wait_for(fd, POLLERR);
	len = sizeof(from);
	FAILS(getpeername(fd, &from.sa, &len), ENOTCONN);
	FAILS(recv(fd, &byte, 1, 0), ECONNRESET);
}
END_TEST

/* Both have closed: what is unread is there for whoever can take it */
START_TEST(bytes_of_the_end_wait_for_a_reader)
{
	char buf[8] = "";
	int fd[2], zero = 0;

	sock_pair(fd);
	OK(shutdown(fd[1], SHUT_WR));
	read_eof(fd[0]);
	write_all(fd[0], "kept", 4);
	close(fd[0]);
	wait_for(fd[1], POLLHUP);
	FAILS(recv(fd[1], (void *)8, 4, 0), EFAULT);
	/* TCP has it since Linux 6.9 */
	if (!absent(setsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &zero,
			       sizeof(zero)), "SO_PEEK_OFF")) {
		ck_assert_int_eq(OK(recv(fd[1], buf, 8, MSG_PEEK)), 4);
		ck_assert_int_eq(OK(recv(fd[1], buf, 8, MSG_PEEK)), 0);
	}
	ck_assert_int_eq(OK(recv(fd[1], buf, 8, 0)), 4);
	ck_assert_str_eq(buf, "kept");
	read_eof(fd[1]);
}
END_TEST

/* ---- who waits when it ends --------------------------------------------- */

/**
 * struct waiter - a thread in a call
 * @thread: it
 * @fd: socket
 * @events: what it polls for, or 0: it sends if @sends, else it receives
 * @sends: see there
 * @got: result of the call
 * @error: its errno
 */
struct waiter {
	pthread_t thread;
	int fd;
	short events;
	bool sends;
	ssize_t got;
	int error;
};

static void *waits(void *arg)
{
	static char buf[70000];
	struct waiter *w = arg;

	errno = 0;
	if (w->events)
		w->got = poll_for(w->fd, w->events, -1);
	else if (w->sends)
		do
			w->got = send(w->fd, buf, sizeof(buf), MSG_NOSIGNAL);
		while (w->got == sizeof(buf));
	else
		w->got = recv(w->fd, buf, sizeof(buf), MSG_WAITALL);
	w->error = errno;
	return NULL;
}

static void begins(struct waiter *w)
{
	ck_assert_int_eq(pthread_create(&w->thread, NULL, waits, w), 0);
	/* Mostly it sleeps by then; what follows holds if not */
	poll(NULL, 0, QUIET / 2);
}

static void ended(struct waiter *w)
{
	ck_assert_int_eq(pthread_join(w->thread, NULL), 0);
}

START_TEST(reset_wakes_the_receiver)
{
	struct waiter w = {};
	int fd[2];

	sock_pair(fd);
	w.fd = fd[1];
	begins(&w);
	linger(fd[0], 1, 0);
	close(fd[0]);
	ended(&w);
	ck_assert_int_eq(w.got, -1);
	ck_assert_int_eq(w.error, ECONNRESET);
}
END_TEST

START_TEST(end_wakes_the_receiver_with_what_it_has)
{
	struct waiter w = {};
	int fd[2];

	sock_pair(fd);
	w.fd = fd[1];
	begins(&w);
	write_all(fd[0], "abc", 3);
	poll(NULL, 0, QUIET / 2);
	OK(shutdown(fd[0], SHUT_WR));
	ended(&w);
	ck_assert_int_eq(w.got, 3);
}
END_TEST

START_TEST(reset_wakes_the_sender)
{
	struct waiter w = { .sends = true };
	int fd[2];

	sock_pair(fd);
	w.fd = fd[1];
	begins(&w);
	/* unread bytes make it a reset */
	close(fd[0]);
	ended(&w);
	/* a call that had sent some tells of these, the next one of the end */
	if (w.got >= 0)
		w.got = send(fd[1], "x", 1, MSG_NOSIGNAL), w.error = errno;
	ck_assert_int_eq(w.got, -1);
	ck_assert(w.error == ECONNRESET || w.error == EPIPE);
}
END_TEST

START_TEST(own_shutdown_wakes_the_sender)
{
	struct waiter w = { .sends = true };
	int fd[2];

	sock_pair(fd);
	w.fd = fd[1];
	begins(&w);
	OK(shutdown(fd[1], SHUT_WR));
	ended(&w);
	if (w.got >= 0)
		w.got = send(fd[1], "x", 1, MSG_NOSIGNAL), w.error = errno;
	ck_assert_int_eq(w.got, -1);
	ck_assert_int_eq(w.error, EPIPE);
}
END_TEST

START_TEST(own_shutdown_wakes_poll)
{
	struct waiter w = { .events = POLLIN };
	int fd[2];

	sock_pair(fd);
	w.fd = fd[1];
	begins(&w);
	OK(shutdown(fd[1], SHUT_RD));
	ended(&w);
	ck_assert_int_eq(w.got, POLLIN);
}
END_TEST

START_TEST(reset_wakes_poll)
{
	struct waiter w = { .events = POLLPRI };
	int fd[2];

	sock_pair(fd);
	w.fd = fd[1];
	begins(&w);
	linger(fd[0], 1, 0);
	close(fd[0]);
	ended(&w);
	ck_assert_int_eq(w.got & (POLLERR | POLLHUP), POLLERR | POLLHUP);
}
END_TEST

/* The descriptor goes, but not from under the call that uses it */
START_TEST(close_leaves_the_receiver_waiting)
{
	struct waiter w = {};
	int fd[2], err;

	sock_pair(fd);
	w.fd = fd[1];
	begins(&w);
	close(fd[1]);
	write_all(fd[0], "abc", 3);
	err = shutdown(fd[0], SHUT_WR);
	ended(&w);
	/* unless it had not begun when its descriptor went: that is a reset */
	ck_assert((w.got == 3 && !err) || (w.got == -1 && w.error == EBADF));
}
END_TEST

TCase *closing_case(void)
{
	TCase *tc = tcase_create("closing");

	tcase_set_timeout(tc, DEADLINE);
	tcase_add_test(tc, linger_of_0_resets);
	tcase_add_test(tc, linger_of_0_resets_behind_bytes);
	tcase_add_test(tc, linger_of_0_after_shutdown);
	tcase_add_test(tc, close_that_crosses_a_write);
	tcase_add_test(tc, close_with_unread_bytes_behind_the_own_end);
	tcase_add_test(tc, linger_waits_no_longer_than_it_must);
	tcase_add_test(tc, linger_does_not_hold_up_a_nonblocking_close);
	tcase_add_test(tc, both_shut_down_at_once);
	tcase_add_test(tc, bytes_of_a_closed_end_are_all_read);
	tcase_add_test(tc, pending_bytes_come_after_own_shutdown);
	tcase_add_test(tc, shutdown_again_ok);
	tcase_add_test(tc, shutdown_after_both_ends_fails);
	tcase_add_test(tc, error_is_told_once);
	tcase_add_test(tc, sender_takes_the_error);
	tcase_add_test(tc, bytes_before_a_reset);
	tcase_add_test(tc, queue_of_a_closed_peer_is_counted);
	tcase_add_test(tc, reset_before_accept);
	tcase_add_test(tc, bytes_of_the_end_wait_for_a_reader);
	tcase_add_test(tc, reset_wakes_the_receiver);
	tcase_add_test(tc, end_wakes_the_receiver_with_what_it_has);
	tcase_add_test(tc, reset_wakes_the_sender);
	tcase_add_test(tc, own_shutdown_wakes_the_sender);
	tcase_add_test(tc, own_shutdown_wakes_poll);
	tcase_add_test(tc, reset_wakes_poll);
	tcase_add_test(tc, close_leaves_the_receiver_waiting);
	return tc;
}
