/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the cases share: the family under test, addresses, connected pairs.
 *
 * Each case runs in a process of its own under a deadline, so it may leave
 * sockets and threads behind. What arrives at the other end is waited for with
 * poll(): TCP over lo happens to deliver at once, other transports need not.
 */
#ifndef LOOP_H
#define LOOP_H

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/xenvmc.h>

/* Seconds for one case; CK_TIMEOUT_MULTIPLIER scales them for emulation. */
#define DEADLINE	30

/* Milliseconds in which nothing must happen. */
#define QUIET		100

/**
 * struct variant - a family under test
 * @name: argument of the program
 * @family: number
 * @protocol: what SO_PROTOCOL says
 * @mapped: addresses of AF_INET6 stand for those of IPv4
 * @len: bytes of an address
 * @least: as many will do
 */
struct variant {
	const char *name;
	int family;
	int protocol;
	bool mapped;
	socklen_t len;
	socklen_t least;
};

extern const struct variant *variant;

/**
 * union addr - an address of the family under test
 * @sa: for the calls
 * @in: if it is AF_INET
 * @in6: if it is AF_INET6
 * @svm: if it is AF_XENVMC
 * @room: for whatever the kernel writes
 */
union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_xenvmc svm;
	struct sockaddr_storage room;
};

#define ADDR_LEN	(variant->len)

/* A call that must succeed, and one that must fail with an error. */
#define OK(call) ({							\
	__typeof__(call) ok_ = (call);					\
	ck_assert_msg(ok_ >= 0, "%s: %s", #call, strerror(errno));	\
	ok_; })
#define FAILS(call, error) do {						\
	long long got_ = (call);					\
	int errno_ = errno;						\
	ck_assert_msg(got_ == -1 && errno_ == (error),			\
		      "%s: returned %lld, %s; wanted %s", #call, got_,	\
		      got_ < 0 ? strerror(errno_) : "no error",		\
		      strerror(error));					\
	} while (0)

bool is_tcp(void);
union addr addr_any(uint32_t port);
union addr addr_self(uint32_t port);
union addr addr_foreign(void);
uint32_t addr_port(const union addr *addr);
union addr addr_of(int fd);
union addr addr_nobody(void);

int sock_new(int flags);
int sock_listen(int backlog, union addr *addr);
int sock_connect(const union addr *addr);
void sock_pair(int fd[2]);
void sock_pair_anyhow(int fd[2]);
bool on_rings(const int fd[2]);
void until_moved(const int fd[2]);
void until_at_rest(const int fd[2]);
bool tcp_is_behind(void);

short poll_for(int fd, short events, int timeout);
void wait_for(int fd, short events);
int sock_error(int fd);
void set_timeout(int fd, int option, long ms);
int64_t now_ms(void);
void write_all(int fd, const void *buf, size_t len);
void read_all(int fd, void *buf, size_t len);
void reads(int fd, const char *want);
void flow_on(const int fd[2]);
void read_eof(int fd);
size_t fill(int fd);
void drain(int fd, size_t len);
void alarm_in(long ms);
void lo_up(bool up);
void need_root(void);
void until_asleep(const pid_t *tid);
/* Do options of SOL_SOCKET come to the family, or to the hook? */
bool options_are_ours(void);
bool absent(int ret, const char *what);
void absences_begin(void);
void absences_told(void);

TCase *setup_case(void);
TCase *io_case(void);
TCase *events_case(void);
TCase *bulk_case(void);
TCase *life_case(void);
TCase *options_case(void);
TCase *calls_case(void);
TCase *closing_case(void);
TCase *async_case(void);
TCase *tcp_case(void);
TCase *surface_case(void);
TCase *taken_case(void);
TCase *rare_case(void);
TCase *killed_case(void);
TCase *full_case(void);

#endif /* LOOP_H */
