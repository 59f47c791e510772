// SPDX-License-Identifier: GPL-2.0
/*
 * Cases: what few programs ask of a TCP socket. Keys that sign packets, stamps in
 * the newer format, a filter that is read back, bytes that are held back.
 */
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <linux/tcp.h>
#include <string.h>
#include <time.h>

#include "loop.h"

#ifndef SCM_TXTIME
#define SCM_TXTIME	SO_TXTIME
#endif
#ifndef TCP_AO_ADD_KEY
#define TCP_AO_ADD_KEY	38
#endif

/* ---- what comes and goes beside bytes ----------------------------------- */

/*
 * The first 16 bytes of the control message that the next byte brings, if it
 * has that type
 */
static bool stamp_comes(int fd, int type, int64_t stamp[2])
{
	union {
		struct cmsghdr align;
		char room[512];
	} control = {};
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;

	ck_assert_int_eq(OK(recvmsg(fd, &msg, 0)), 1);
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != type)
		return false;
	ck_assert_uint_ge(c->cmsg_len, CMSG_LEN(16));
	memcpy(stamp, CMSG_DATA(c), 16);
	return true;
}

/* The kernel begins to stamp a moment after it was told */
static void is_stamped(const int fd[2], int option, int value)
{
	struct timespec now;
	int64_t stamp[2];

	OK(setsockopt(fd[1], SOL_SOCKET, option, &value, sizeof(value)));
	do {
		write_all(fd[0], "x", 1);
	} while (!stamp_comes(fd[1], option, stamp));
	/* Not time(), which is late by up to a tick */
	OK(clock_gettime(CLOCK_REALTIME, &now));
	ck_assert_int_le(stamp[0], now.tv_sec);
	ck_assert_int_gt(stamp[0], now.tv_sec - 10);
	value = 0;
	OK(setsockopt(fd[1], SOL_SOCKET, option, &value, sizeof(value)));
}

START_TEST(arrival_is_stamped_anew)
{
	int fd[2];

	sock_pair(fd);
	is_stamped(fd, SO_TIMESTAMP_NEW, 1);
	is_stamped(fd, SO_TIMESTAMPNS_NEW, 1);
	is_stamped(fd, SO_TIMESTAMPING_NEW, SOF_TIMESTAMPING_RX_SOFTWARE |
		   SOF_TIMESTAMPING_SOFTWARE);
	flow_on(fd);
}
END_TEST

/* TCP sends when it can, and wants to be asked in the right way all the same */
START_TEST(time_to_send_is_taken)
{
	struct {
		clockid_t clock;
		uint32_t flags;
	} txtime = { CLOCK_MONOTONIC, 0 };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(uint64_t))];
	} control = {};
	struct iovec iov = { "timed", 5 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	uint64_t when = (uint64_t)now_ms() * 1000000;
	int fd[2];

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_TXTIME;
	c->cmsg_len = CMSG_LEN(sizeof(when));
	memcpy(CMSG_DATA(c), &when, sizeof(when));
	sock_pair(fd);
	FAILS(sendmsg(fd[0], &msg, 0), EINVAL);
	OK(setsockopt(fd[0], SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)));
	flow_on(fd);
	ck_assert_int_eq(OK(sendmsg(fd[0], &msg, 0)), 5);
	reads(fd[1], "timed");
	c->cmsg_len = CMSG_LEN(sizeof(int));
	FAILS(sendmsg(fd[0], &msg, 0), EINVAL);
	flow_on(fd);
}
END_TEST

START_TEST(filter_is_read_back)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_STMT(BPF_RET | BPF_K, 0x7fffffff),
	}, got[4] = {};
	struct sock_fprog prog = { 2, insns };
	socklen_t len = 0;
	int fd[2];

	sock_pair(fd);
	OK(getsockopt(fd[1], SOL_SOCKET, SO_GET_FILTER, got, &len));
	ck_assert_uint_eq(len, 0);
	OK(setsockopt(fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog,
		      sizeof(prog)));
	/* Counted in instructions; with room for none it is only counted */
	OK(getsockopt(fd[1], SOL_SOCKET, SO_GET_FILTER, got, &len));
	ck_assert_uint_eq(len, 2);
	len = 1;
	FAILS(getsockopt(fd[1], SOL_SOCKET, SO_GET_FILTER, got, &len), EINVAL);
	len = 4;
	OK(getsockopt(fd[1], SOL_SOCKET, SO_GET_FILTER, got, &len));
	ck_assert_uint_eq(len, 2);
	ck_assert_mem_eq(got, insns, sizeof(insns));
	flow_on(fd);
}
END_TEST

/* ---- bytes that are held back ------------------------------------------- */

/* TCP waits for more, but not for ever */
START_TEST(corked_bytes_come_by_themselves)
{
	int fd[2], i, on = 1;

	sock_pair(fd);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(OK(send(fd[0], "more", 4, MSG_MORE)), 4);
		reads(fd[1], "more");
	}
	OK(setsockopt(fd[0], IPPROTO_TCP, TCP_CORK, &on, sizeof(on)));
	for (i = 0; i < 3; i++) {
		write_all(fd[0], "corked", 6);
		reads(fd[1], "corked");
	}
	write_all(fd[0], "last", 4);
	OK(shutdown(fd[0], SHUT_WR));
	reads(fd[1], "last");
	read_eof(fd[1]);
}
END_TEST

/* Its time is over before anybody reads: all comes, and then the end */
START_TEST(linger_that_ends_loses_nothing)
{
	struct linger second = { 1, 1 };
	int64_t start;
	size_t sum;
	int fd[2];

	sock_pair(fd);
	sum = fill(fd[0]);
	OK(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &second, sizeof(second)));
	start = now_ms();
	close(fd[0]);
	ck_assert_int_lt(now_ms() - start, 10000);
	drain(fd[1], sum);
	read_eof(fd[1]);
}
END_TEST

/* ---- keys --------------------------------------------------------------- */

static union addr peer_of(int fd)
{
	union addr addr = {};
	socklen_t len = sizeof(addr);

	OK(getpeername(fd, &addr.sa, &len));
	return addr;
}

/* Packets to and from an address are signed from now on; false: not here */
static bool sign_by_md5(int fd, const union addr *addr)
{
	struct tcp_md5sig sig = { .tcpm_keylen = 6, .tcpm_key = "secret" };

	memcpy(&sig.tcpm_addr, addr, sizeof(*addr));
	return !absent(setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &sig,
				  sizeof(sig)), "TCP_MD5SIG");
}

START_TEST(key_of_md5_is_set_late)
{
	union addr addr;
	int fd[2], end;

	sock_pair(fd);
	flow_on(fd);
	for (end = 0; end < 2; end++) {
		addr = peer_of(fd[end]);
		if (!sign_by_md5(fd[end], &addr))
			return;
	}
	flow_on(fd);
	ck_assert(!on_rings(fd));
}
END_TEST

/* Who has no key is not heard */
static void key_stands(bool (*sign)(int fd, const union addr *addr))
{
	union addr addr, any = addr_self(0);
	int listener = sock_listen(2, &addr), fd[2], stranger;

	if (!sign(listener, &any))
		return;
	fd[0] = sock_new(0);
	ck_assert(sign(fd[0], &addr));
	OK(connect(fd[0], &addr.sa, ADDR_LEN));
	fd[1] = OK(accept(listener, NULL, NULL));
	flow_on(fd);
	ck_assert(!on_rings(fd));
	stranger = sock_new(SOCK_NONBLOCK);
	FAILS(connect(stranger, &addr.sa, ADDR_LEN), EINPROGRESS);
	ck_assert_int_eq(poll_for(stranger, POLLOUT, QUIET), 0);
	ck_assert_int_eq(poll_for(listener, POLLIN, 0), 0);
}

START_TEST(key_of_md5_stands_from_the_first)
{
	key_stands(sign_by_md5);
}
END_TEST

/* As linux/tcp.h has it since Linux 6.7 */
struct ao_key {
	struct sockaddr_storage addr;
	char algorithm[64];
	int32_t ifindex;
	uint32_t flags;
	uint16_t reserved;
	uint8_t prefix;
	uint8_t sndid;
	uint8_t rcvid;
	uint8_t maclen;
	uint8_t keyflags;
	uint8_t keylen;
	uint8_t key[80];
};

static bool sign_by_ao(int fd, const union addr *addr)
{
	struct ao_key key = {
		.algorithm = "hmac(sha1)", .keylen = 6, .key = "secret",
		.prefix = variant->family == AF_INET || variant->mapped ?
			  32 : 128,
		.sndid = 7, .rcvid = 7,
	};

	memcpy(&key.addr, addr, sizeof(*addr));
	/* It is of the address, not of the port */
	((struct sockaddr_in *)&key.addr)->sin_port = 0;
	return !absent(setsockopt(fd, IPPROTO_TCP, TCP_AO_ADD_KEY, &key,
				  sizeof(key)), "TCP_AO");
}

START_TEST(key_of_ao_stands_from_the_first)
{
	key_stands(sign_by_ao);
}
END_TEST

TCase *rare_case(void)
{
	TCase *tc = tcase_create("rare");

	tcase_set_timeout(tc, DEADLINE);
	tcase_add_test(tc, arrival_is_stamped_anew);
	tcase_add_test(tc, time_to_send_is_taken);
	tcase_add_test(tc, filter_is_read_back);
	tcase_add_test(tc, corked_bytes_come_by_themselves);
	tcase_add_test(tc, linger_that_ends_loses_nothing);
	tcase_add_test(tc, key_of_md5_is_set_late);
	tcase_add_test(tc, key_of_md5_stands_from_the_first);
	tcase_add_test(tc, key_of_ao_stands_from_the_first);
	return tc;
}
