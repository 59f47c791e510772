// SPDX-License-Identifier: GPL-2.0
/*
 * Cases: bind, listen, connect, accept, names and options.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "loop.h"

START_TEST(bind_port_0_gives_a_port)
{
	union addr a, b;

	sock_listen(1, &a);
	sock_listen(1, &b);
	ck_assert_uint_ge(addr_port(&a), 1024);
	ck_assert_uint_ne(addr_port(&a), addr_port(&b));
}
END_TEST

START_TEST(bind_twice_fails)
{
	union addr addr, any;
	int fd = sock_new(0);

	sock_listen(1, &addr);
	FAILS(bind(fd, &addr.sa, ADDR_LEN), EADDRINUSE);
	any = addr_any(addr_port(&addr));
	FAILS(bind(fd, &any.sa, ADDR_LEN), EADDRINUSE);
}
END_TEST

START_TEST(bind_again_fails)
{
	union addr addr = addr_self(0);
	int fd = sock_new(0);

	OK(bind(fd, &addr.sa, ADDR_LEN));
	FAILS(bind(fd, &addr.sa, ADDR_LEN), EINVAL);
}
END_TEST

START_TEST(bind_after_close_ok)
{
	union addr addr;

	close(sock_listen(1, &addr));
	OK(bind(sock_new(0), &addr.sa, ADDR_LEN));
}
END_TEST

START_TEST(bind_bad_address_fails)
{
	union addr addr = addr_foreign();
	int fd = sock_new(0);

	FAILS(bind(fd, &addr.sa, ADDR_LEN), EADDRNOTAVAIL);
	FAILS(bind(fd, &addr.sa, variant->least - 1), EINVAL);
	FAILS(bind(fd, &addr.sa, 0), EINVAL);
	addr.sa.sa_family = AF_UNIX;
	FAILS(bind(fd, &addr.sa, ADDR_LEN), EAFNOSUPPORT);
	FAILS(bind(fd, NULL, ADDR_LEN), EFAULT);
}
END_TEST

/* AF_XENVMC has no room for other bits yet, and keeps it free. */
START_TEST(bind_reserved_bits_fail)
{
	union addr addr = addr_self(0);
	int fd = sock_new(0);

	if (variant->family != AF_XENVMC)
		return;
	addr.svm.svm_zero[7] = 1;
	FAILS(bind(fd, &addr.sa, ADDR_LEN), EINVAL);
	FAILS(connect(fd, &addr.sa, ADDR_LEN), EINVAL);
	addr = addr_self(XENVMC_PORT_MAX + 1U);
	FAILS(bind(fd, &addr.sa, ADDR_LEN), EINVAL);
}
END_TEST

/* A new namespace has the default limit, whatever the machine's is. */
START_TEST(bind_low_port_needs_privilege)
{
	union addr low = addr_any(1023), high = addr_any(1024);

	need_root();
	OK(unshare(CLONE_NEWNET));
	OK(bind(sock_new(0), &low.sa, ADDR_LEN));
	OK(setresuid(65534, 65534, 65534));
	low = addr_any(1022);
	FAILS(bind(sock_new(0), &low.sa, ADDR_LEN), EACCES);
	OK(bind(sock_new(0), &high.sa, ADDR_LEN));
}
END_TEST

START_TEST(listen_without_bind_gives_a_port)
{
	union addr addr;
	int fd = sock_new(0);

	OK(listen(fd, 1));
	addr = addr_of(fd);
	ck_assert_uint_ge(addr_port(&addr), 1024);
	addr = addr_self(addr_port(&addr));
	sock_connect(&addr);
}
END_TEST

START_TEST(listen_again_ok)
{
	union addr addr;
	int fd = sock_listen(0, &addr);

	OK(listen(fd, 5));
	sock_connect(&addr);
	sock_connect(&addr);
	sock_connect(&addr);
}
END_TEST

START_TEST(listen_when_connected_fails)
{
	int fd[2];

	sock_pair(fd);
	FAILS(listen(fd[0], 1), EINVAL);
	FAILS(listen(fd[1], 1), EINVAL);
}
END_TEST

START_TEST(socket_of_another_type_fails)
{
	FAILS(socket(variant->family, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
	FAILS(socket(variant->family, SOCK_STREAM, 200), EPROTONOSUPPORT);
}
END_TEST

START_TEST(connect_to_nobody_fails)
{
	union addr addr = addr_nobody();
	int fd = sock_new(0);

	FAILS(connect(fd, &addr.sa, ADDR_LEN), ECONNREFUSED);
	ck_assert_int_eq(sock_error(fd), 0);
}
END_TEST

START_TEST(connect_after_refusal_ok)
{
	union addr nobody = addr_nobody();
	int fd = sock_new(0);
	union addr addr;

	FAILS(connect(fd, &nobody.sa, ADDR_LEN), ECONNREFUSED);
	sock_listen(1, &addr);
	OK(connect(fd, &addr.sa, ADDR_LEN));
}
END_TEST

START_TEST(connect_bad_address_fails)
{
	int fd = sock_new(0);
	union addr addr;

	sock_listen(1, &addr);
	FAILS(connect(fd, &addr.sa, variant->least - 1), EINVAL);
	FAILS(connect(fd, &addr.sa, 1), EINVAL);
	addr.sa.sa_family = AF_UNIX;
	FAILS(connect(fd, &addr.sa, ADDR_LEN), EAFNOSUPPORT);
}
END_TEST

START_TEST(connect_to_a_uuid_nobody_has_fails)
{
	struct sockaddr_xenvmc_uuid addr = {
		.svm_family = AF_XENVMC, .svm_domid = XENVMC_DOMID_UUID,
		.svm_port = 1,
	};
	struct sockaddr *sa = (struct sockaddr *)&addr;
	int fd;

	if (variant->family != AF_XENVMC)
		return;
	fd = sock_new(0);
	FAILS(connect(fd, sa, sizeof(addr)), EHOSTUNREACH);
	FAILS(connect(fd, sa, sizeof(addr) - 1), EINVAL);
	FAILS(connect(fd, sa, sizeof(struct sockaddr_xenvmc)), EINVAL);
	FAILS(bind(fd, sa, sizeof(addr)), EADDRNOTAVAIL);
	addr.svm_zero[7] = 1;
	FAILS(connect(fd, sa, sizeof(addr)), EINVAL);
}
END_TEST

START_TEST(connect_twice_fails)
{
	int fd, listener;
	union addr addr;

	listener = sock_listen(1, &addr);
	fd = sock_connect(&addr);
	FAILS(connect(fd, &addr.sa, ADDR_LEN), EISCONN);
	FAILS(connect(listener, &addr.sa, ADDR_LEN), EISCONN);
}
END_TEST

START_TEST(connect_from_a_bound_port_ok)
{
	union addr addr, own = addr_self(0), peer;
	socklen_t len = sizeof(peer);
	int listener = sock_listen(1, &addr);
	int fd = sock_new(0);

	OK(bind(fd, &own.sa, ADDR_LEN));
	own = addr_of(fd);
	OK(connect(fd, &addr.sa, ADDR_LEN));
	OK(accept(listener, &peer.sa, &len));
	ck_assert_uint_eq(len, ADDR_LEN);
	ck_assert_uint_eq(addr_port(&peer), addr_port(&own));
}
END_TEST

START_TEST(connect_nonblocking_ok)
{
	int fd = sock_new(SOCK_NONBLOCK);
	union addr addr;

	sock_listen(1, &addr);
	FAILS(connect(fd, &addr.sa, ADDR_LEN), EINPROGRESS);
	wait_for(fd, POLLOUT);
	ck_assert_int_eq(poll_for(fd, POLLOUT, 0), POLLOUT);
	ck_assert_int_eq(sock_error(fd), 0);
	/* the first repetition tells the result, the second one is too many */
	OK(connect(fd, &addr.sa, ADDR_LEN));
	FAILS(connect(fd, &addr.sa, ADDR_LEN), EISCONN);
}
END_TEST

/* It is too early, or it is not: connect() may end at any moment of send() */
START_TEST(sending_while_it_connects_ok)
{
	int listener, fd, i, sent;
	union addr addr;
	char buf[2];

	listener = sock_listen(8, &addr);
	for (i = 0; i < 300; i++) {
		fd = sock_new(SOCK_NONBLOCK);
		if (connect(fd, &addr.sa, ADDR_LEN))
			ck_assert_int_eq(errno, EINPROGRESS);
		sent = send(fd, "x", 1, MSG_NOSIGNAL);
		ck_assert_msg(sent == 1 || errno == EAGAIN, "send: %s",
			      strerror(errno));
		OK(fcntl(fd, F_SETFL, 0));
		ck_assert_int_eq(OK(send(fd, "y", 1, MSG_NOSIGNAL)), 1);
		close(fd);
		fd = OK(accept(listener, NULL, NULL));
		read_all(fd, buf, sent == 1 ? 2 : 1);
		read_eof(fd);
		close(fd);
	}
}
END_TEST

/* The port of an accepted socket is its listener's, and not bound */
START_TEST(disconnected_child_can_be_bound)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	union addr addr, any = addr_self(0);
	int listener, fd;

	/* A port by its number, for that is what is kept */
	close(sock_listen(1, &addr));
	listener = sock_new(0);
	OK(bind(listener, &addr.sa, ADDR_LEN));
	OK(listen(listener, 1));
	sock_connect(&addr);
	fd = OK(accept(listener, NULL, NULL));
	OK(connect(fd, &none, sizeof(none)));
	OK(bind(fd, &any.sa, ADDR_LEN));
}
END_TEST

START_TEST(connect_nonblocking_to_nobody_fails)
{
	union addr addr = addr_nobody();
	int fd = sock_new(SOCK_NONBLOCK);

	FAILS(connect(fd, &addr.sa, ADDR_LEN), EINPROGRESS);
	wait_for(fd, POLLERR);
	ck_assert_int_eq(poll_for(fd, POLLIN | POLLOUT | POLLRDHUP, 0),
			 POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
	ck_assert_int_eq(sock_error(fd), ECONNREFUSED);
	ck_assert_int_eq(sock_error(fd), 0);
}
END_TEST

/* Fills the queue of a listener. Return: a connect() that has to wait. */
static int queue_up(const union addr *addr)
{
	int fd = sock_new(SOCK_NONBLOCK);

	sock_connect(addr);
	sock_connect(addr);
	FAILS(connect(fd, &addr->sa, ADDR_LEN), EINPROGRESS);
	ck_assert_int_eq(poll_for(fd, POLLOUT, QUIET), 0);
	FAILS(connect(fd, &addr->sa, ADDR_LEN), EALREADY);
	return fd;
}

START_TEST(backlog_is_a_limit)
{
	union addr addr;
	int listener = sock_listen(1, &addr);
	int fd = queue_up(&addr);

	OK(accept(listener, NULL, NULL));
	OK(accept(listener, NULL, NULL));
	wait_for(fd, POLLOUT);
	ck_assert_int_eq(sock_error(fd), 0);
	OK(accept(listener, NULL, NULL));
}
END_TEST

START_TEST(connect_with_timeout_ends)
{
	int fd = sock_new(0);
	union addr addr;
	int64_t start;

	sock_listen(1, &addr);
	queue_up(&addr);
	set_timeout(fd, SO_SNDTIMEO, 200);
	start = now_ms();
	FAILS(connect(fd, &addr.sa, ADDR_LEN), EINPROGRESS);
	ck_assert_int_ge(now_ms() - start, 190);
}
END_TEST

START_TEST(connect_interrupted_fails)
{
	int fd = sock_new(0);
	union addr addr;

	sock_listen(1, &addr);
	queue_up(&addr);
	alarm_in(QUIET);
	FAILS(connect(fd, &addr.sa, ADDR_LEN), EINTR);
}
END_TEST

START_TEST(accept_without_listen_fails)
{
	int fd[2];

	FAILS(accept(sock_new(0), NULL, NULL), EINVAL);
	sock_pair(fd);
	FAILS(accept(fd[0], NULL, NULL), EINVAL);
}
END_TEST

START_TEST(accept_nonblocking_fails)
{
	union addr addr;
	int fd = sock_listen(1, &addr);

	OK(fcntl(fd, F_SETFL, O_NONBLOCK));
	FAILS(accept(fd, NULL, NULL), EAGAIN);
	sock_connect(&addr);
	wait_for(fd, POLLIN);
	OK(accept(fd, NULL, NULL));
	FAILS(accept(fd, NULL, NULL), EAGAIN);
}
END_TEST

START_TEST(accept_with_timeout_ends)
{
	union addr addr;
	int fd = sock_listen(1, &addr);
	int64_t start = now_ms();

	set_timeout(fd, SO_RCVTIMEO, 200);
	FAILS(accept(fd, NULL, NULL), EAGAIN);
	ck_assert_int_ge(now_ms() - start, 190);
}
END_TEST

START_TEST(accept_interrupted_fails)
{
	union addr addr;
	int fd = sock_listen(1, &addr);

	alarm_in(QUIET);
	FAILS(accept(fd, NULL, NULL), EINTR);
}
END_TEST

START_TEST(accept4_sets_flags)
{
	union addr addr;
	int listener = sock_listen(2, &addr);
	int fd;

	sock_connect(&addr);
	sock_connect(&addr);
	OK(fcntl(listener, F_SETFL, O_NONBLOCK));
	wait_for(listener, POLLIN);
	fd = OK(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	ck_assert_int_ne(OK(fcntl(fd, F_GETFL)) & O_NONBLOCK, 0);
	ck_assert_int_eq(OK(fcntl(fd, F_GETFD)), FD_CLOEXEC);
	wait_for(listener, POLLIN);
	fd = OK(accept(listener, NULL, NULL));
	ck_assert_int_eq(OK(fcntl(fd, F_GETFL)) & O_NONBLOCK, 0);
	ck_assert_int_eq(OK(fcntl(fd, F_GETFD)), 0);
	FAILS(accept4(listener, NULL, NULL, 1), EINVAL);
}
END_TEST

static void same_end(int fd, int peer)
{
	socklen_t len = sizeof(union addr);
	union addr own = addr_of(fd), seen = {};

	OK(getpeername(peer, &seen.sa, &len));
	ck_assert_uint_eq(len, ADDR_LEN);
	ck_assert_mem_eq(&own, &seen, ADDR_LEN);
}

START_TEST(names_of_both_ends_agree)
{
	socklen_t len = sizeof(union addr);
	union addr addr;
	int fd[2];

	sock_pair(fd);
	same_end(fd[0], fd[1]);
	same_end(fd[1], fd[0]);
	FAILS(getpeername(sock_new(0), &addr.sa, &len), ENOTCONN);
	FAILS(getpeername(sock_listen(1, &addr), &addr.sa, &len), ENOTCONN);
}
END_TEST

START_TEST(name_is_cut_to_the_room)
{
	union addr addr = {}, full;
	socklen_t len = 4;
	int fd;

	fd = sock_listen(1, &full);
	OK(getsockname(fd, &addr.sa, &len));
	ck_assert_uint_eq(len, ADDR_LEN);
	ck_assert_mem_eq(&addr, &full, 4);
	ck_assert_int_eq(((char *)&addr)[4], 0);
}
END_TEST

static void option_is(int fd, int option, int value)
{
	socklen_t len = sizeof(int);
	int got = -1;

	OK(getsockopt(fd, SOL_SOCKET, option, &got, &len));
	ck_assert_msg(got == value, "option %d is %d, not %d", option, got,
		      value);
}

START_TEST(options_that_tell)
{
	union addr addr;
	int listener = sock_listen(1, &addr);
	int fd[2], i;

	sock_pair(fd);
	option_is(listener, SO_ACCEPTCONN, 1);
	for (i = 0; i < 2; i++) {
		option_is(fd[i], SO_TYPE, SOCK_STREAM);
		option_is(fd[i], SO_DOMAIN, variant->family);
		option_is(fd[i], SO_PROTOCOL, variant->protocol);
		option_is(fd[i], SO_ACCEPTCONN, 0);
		option_is(fd[i], SO_ERROR, 0);
		option_is(fd[i], SO_RCVLOWAT, 1);
	}
}
END_TEST

START_TEST(unknown_option_fails)
{
	socklen_t len = sizeof(int);
	int fd = sock_new(0), value = 1;

	FAILS(getsockopt(fd, SOL_SOCKET, 9999, &value, &len), ENOPROTOOPT);
	FAILS(setsockopt(fd, SOL_SOCKET, 9999, &value, len), ENOPROTOOPT);
}
END_TEST

/* So many pages that the program has not touched yet; of a file they hold @fd's */
static char *fresh_pages(size_t pages, int fd)
{
	char *map = mmap(NULL, pages * getpagesize(), PROT_READ | PROT_WRITE,
			 fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE,
			 fd, 0);

	ck_assert_ptr_ne(map, MAP_FAILED);
	return map;
}

/* The value lies in two pages: the second is read under the socket's lock */
START_TEST(value_of_an_option_in_fresh_memory)
{
	const struct linger on = { .l_onoff = 1, .l_linger = 7 };
	off_t place = getpagesize() - sizeof(on.l_onoff);
	int file = OK(memfd_create("value", 0));
	int fd[2];
	struct linger *got;
	socklen_t *len;
	char *map;

	OK(ftruncate(file, 2L * getpagesize()));
	ck_assert_int_eq(OK(pwrite(file, &on, sizeof(on), place)),
			 (ssize_t)sizeof(on));
	sock_pair(fd);
	map = fresh_pages(2, file);
	OK(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, map + place, sizeof(on)));
	got = (struct linger *)fresh_pages(1, -1);
	len = (socklen_t *)fresh_pages(1, -1);
	*len = sizeof(*got);
	OK(getsockopt(fd[0], SOL_SOCKET, SO_LINGER, got, len));
	ck_assert_mem_eq(got, &on, sizeof(on));
	OK(munmap(map + getpagesize(), getpagesize()));
	FAILS(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, map + place,
			 sizeof(on)), EFAULT);
	FAILS(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, NULL, sizeof(on)),
	      EFAULT);
}
END_TEST

START_TEST(answer_in_fresh_memory)
{
	char *map = fresh_pages(2, -1);
	int fd[2], mss = 0;
	socklen_t *len;

	if (!is_tcp())
		return;
	sock_pair(fd);
	len = (socklen_t *)(map + getpagesize() - sizeof(*len));
	*len = sizeof(mss);
	OK(getsockopt(fd[0], IPPROTO_TCP, TCP_MAXSEG, map + getpagesize(),
		      len));
	memcpy(&mss, map + getpagesize(), sizeof(mss));
	ck_assert_int_gt(mss, 0);
	/* It is said to have more room than there is, and needs less */
	map = fresh_pages(2, -1);
	OK(munmap(map + getpagesize(), getpagesize()));
	*len = 2 * getpagesize();
	OK(getsockopt(fd[0], IPPROTO_TCP, TCP_MAXSEG,
		      map + getpagesize() - sizeof(mss), len));
	ck_assert_mem_eq(&mss, map + getpagesize() - sizeof(mss), sizeof(mss));
	FAILS(getsockopt(fd[0], IPPROTO_TCP, TCP_MAXSEG, NULL, len), EFAULT);
	FAILS(getsockopt(fd[0], IPPROTO_TCP, TCP_MAXSEG, &mss, NULL), EFAULT);
}
END_TEST

/* TCP has filters for packets. Where there are none, none is taken for one */
START_TEST(filter_without_packets_fails)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0x40000);
	struct sock_fprog prog = { .len = 1, .filter = &all };
	int fd = sock_new(0);

	if (is_tcp() || !options_are_ours())
		OK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
			      sizeof(prog)));
	else
		FAILS(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
				 sizeof(prog)), ENOPROTOOPT);
}
END_TEST

TCase *setup_case(void)
{
	TCase *tc = tcase_create("setup");

	tcase_set_timeout(tc, DEADLINE);
	tcase_add_test(tc, bind_port_0_gives_a_port);
	tcase_add_test(tc, bind_twice_fails);
	tcase_add_test(tc, bind_again_fails);
	tcase_add_test(tc, bind_after_close_ok);
	tcase_add_test(tc, bind_bad_address_fails);
	tcase_add_test(tc, bind_reserved_bits_fail);
	tcase_add_test(tc, bind_low_port_needs_privilege);
	tcase_add_test(tc, listen_without_bind_gives_a_port);
	tcase_add_test(tc, listen_again_ok);
	tcase_add_test(tc, listen_when_connected_fails);
	tcase_add_test(tc, socket_of_another_type_fails);
	tcase_add_test(tc, connect_to_nobody_fails);
	tcase_add_test(tc, connect_after_refusal_ok);
	tcase_add_test(tc, connect_bad_address_fails);
	tcase_add_test(tc, connect_to_a_uuid_nobody_has_fails);
	tcase_add_test(tc, connect_twice_fails);
	tcase_add_test(tc, connect_from_a_bound_port_ok);
	tcase_add_test(tc, connect_nonblocking_ok);
	tcase_add_test(tc, sending_while_it_connects_ok);
	tcase_add_test(tc, disconnected_child_can_be_bound);
	tcase_add_test(tc, connect_nonblocking_to_nobody_fails);
	tcase_add_test(tc, backlog_is_a_limit);
	tcase_add_test(tc, connect_with_timeout_ends);
	tcase_add_test(tc, connect_interrupted_fails);
	tcase_add_test(tc, accept_without_listen_fails);
	tcase_add_test(tc, accept_nonblocking_fails);
	tcase_add_test(tc, accept_with_timeout_ends);
	tcase_add_test(tc, accept_interrupted_fails);
	tcase_add_test(tc, accept4_sets_flags);
	tcase_add_test(tc, names_of_both_ends_agree);
	tcase_add_test(tc, name_is_cut_to_the_room);
	tcase_add_test(tc, options_that_tell);
	tcase_add_test(tc, unknown_option_fails);
	tcase_add_test(tc, value_of_an_option_in_fresh_memory);
	tcase_add_test(tc, answer_in_fresh_memory);
	tcase_add_test(tc, filter_without_packets_fails);
	return tc;
}
