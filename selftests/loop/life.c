// SPDX-License-Identifier: GPL-2.0
/*
 * Cases: who holds a socket: listeners that go, forks, kills, namespaces.
 */
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "loop.h"

START_TEST(closed_listener_resets_who_waits)
{
	union addr addr;
	int listener = sock_listen(5, &addr);
	int fd[3], i;
	char byte;

	for (i = 0; i < 3; i++)
		fd[i] = sock_connect(&addr);
	write_all(fd[2], "x", 1);
	close(listener);
	for (i = 0; i < 3; i++) {
		wait_for(fd[i], POLLERR);
		FAILS(recv(fd[i], &byte, 1, 0), ECONNRESET);
	}
	FAILS(connect(sock_new(0), &addr.sa, ADDR_LEN), ECONNREFUSED);
}
END_TEST

START_TEST(accepted_outlives_listener)
{
	char byte;
	int fd[2];

	/* sock_pair() has closed it */
	sock_pair(fd);
	write_all(fd[1], "x", 1);
	read_all(fd[0], &byte, 1);
}
END_TEST

START_TEST(closed_before_accept_is_accepted)
{
	union addr addr;
	int listener = sock_listen(1, &addr);
	int fd = sock_connect(&addr);
	char byte;

	write_all(fd, "x", 1);
	close(fd);
	fd = OK(accept(listener, NULL, NULL));
	read_all(fd, &byte, 1);
	read_eof(fd);
}
END_TEST

/* Runs until told by a byte on the pipe, or killed. */
static pid_t child(int gate[2], void (*run)(int fd), int fd)
{
	pid_t pid;
	char byte;

	OK(pipe(gate));
	pid = OK(fork());
	if (pid) {
		close(gate[0]);
		return pid;
	}
	close(gate[1]);
	if (run)
		run(fd);
	_exit(read(gate[0], &byte, 1) != 1);
}

static void child_ends(pid_t pid, int gate)
{
	int status;

	ck_assert_int_eq(OK(write(gate, "", 1)), 1);
	OK(waitpid(pid, &status, 0));
	ck_assert_int_eq(status, 0);
}

START_TEST(inherited_socket_stays_open)
{
	int fd[2], gate[2];
	pid_t pid;

	sock_pair(fd);
	pid = child(gate, NULL, -1);
	close(fd[0]);
	ck_assert_int_eq(poll_for(fd[1], POLLIN, QUIET), 0);
	close(fd[1]);
	child_ends(pid, gate[1]);
}
END_TEST

START_TEST(last_holder_closes)
{
	int fd[2], gate[2];
	pid_t pid;

	sock_pair(fd);
	pid = child(gate, NULL, -1);
	close(fd[0]);
	child_ends(pid, gate[1]);
	read_eof(fd[1]);
}
END_TEST

static void echo_one(int fd)
{
	char byte;

	if (recv(fd, &byte, 1, 0) != 1 || send(fd, &byte, 1, 0) != 1)
		_exit(3);
}

START_TEST(inherited_socket_works)
{
	int fd[2], gate[2];
	char byte = 0;
	pid_t pid;

	sock_pair(fd);
	pid = child(gate, echo_one, fd[1]);
	close(fd[1]);
	write_all(fd[0], "x", 1);
	read_all(fd[0], &byte, 1);
	ck_assert_int_eq(byte, 'x');
	child_ends(pid, gate[1]);
	read_eof(fd[0]);
}
END_TEST

/* Sends until it is killed. */
static void send_forever(int fd)
{
	static const char buf[10000];

	while (send(fd, buf, sizeof(buf), 0) > 0)
		;
	_exit(3);
}

START_TEST(killed_sender_is_noticed)
{
	static char buf[65536];
	int fd[2], gate[2];
	ssize_t n;
	pid_t pid;

	sock_pair(fd);
	pid = child(gate, send_forever, fd[0]);
	close(fd[0]);
	drain(fd[1], 1 << 20);
	OK(kill(pid, SIGKILL));
	/* no byte came its way, so its end is an orderly one */
	do {
		n = OK(recv(fd[1], buf, sizeof(buf), 0));
	} while (n);
	OK(waitpid(pid, NULL, 0));
}
END_TEST

START_TEST(killed_receiver_is_noticed)
{
	static const char buf[65536];
	int fd[2], gate[2];
	ssize_t n;
	pid_t pid;

	sock_pair(fd);
	pid = child(gate, NULL, -1);
	close(fd[1]);
	fill(fd[0]);
	OK(kill(pid, SIGKILL));
	do
		n = send(fd[0], buf, sizeof(buf), MSG_NOSIGNAL);
	while (n > 0);
	FAILS(n, ECONNRESET);
	OK(waitpid(pid, NULL, 0));
}
END_TEST

START_TEST(killed_in_accept_ok)
{
	union addr addr;
	int listener = sock_listen(1, &addr);
	pid_t pid = OK(fork());

	if (!pid) {
		accept(listener, NULL, NULL);
		_exit(3);
	}
	close(listener);
	OK(kill(pid, SIGKILL));
	OK(waitpid(pid, NULL, 0));
	FAILS(connect(sock_new(0), &addr.sa, ADDR_LEN), ECONNREFUSED);
}
END_TEST

/* TCP's lo is down in a new namespace, which gives another error. */
/* What connect() says in a namespace without any address, not even of its own */
static int no_way_there(void)
{
	int error = ENETUNREACH;

	if (!is_tcp())
		error = ECONNREFUSED;
	else if (variant->family == AF_INET6 && !variant->mapped)
		error = EADDRNOTAVAIL;
	return error;
}

START_TEST(other_namespace_is_not_reached)
{
	union addr addr, same;
	int fd;

	need_root();
	sock_listen(1, &addr);
	OK(unshare(CLONE_NEWNET));
	fd = sock_new(0);
	ck_assert_int_eq(connect(fd, &addr.sa, ADDR_LEN), -1);
	ck_assert_int_eq(errno, no_way_there());
	/* the port is free here */
	same = addr_any(addr_port(&addr));
	OK(bind(fd, &same.sa, ADDR_LEN));
	OK(listen(fd, 1));
}
END_TEST

TCase *life_case(void)
{
	TCase *tc = tcase_create("life");

	tcase_set_timeout(tc, DEADLINE);
	tcase_add_test(tc, closed_listener_resets_who_waits);
	tcase_add_test(tc, accepted_outlives_listener);
	tcase_add_test(tc, closed_before_accept_is_accepted);
	tcase_add_test(tc, inherited_socket_stays_open);
	tcase_add_test(tc, last_holder_closes);
	tcase_add_test(tc, inherited_socket_works);
	tcase_add_test(tc, killed_sender_is_noticed);
	tcase_add_test(tc, killed_receiver_is_noticed);
	tcase_add_test(tc, killed_in_accept_ok);
	tcase_add_test(tc, other_namespace_is_not_reached);
	return tc;
}
