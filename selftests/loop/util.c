// SPDX-License-Identifier: GPL-2.0
/*
 * Helpers of the cases: addresses, connected pairs, waiting.
 */
#include <fcntl.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>

#include "loop.h"

bool is_tcp(void)
{
	return variant->family != AF_XENVMC;
}

static struct in6_addr in6_of(uint32_t in)
{
	struct in6_addr addr = {};

	if (variant->mapped) {
		addr.s6_addr32[2] = htonl(0xffff);
		addr.s6_addr32[3] = htonl(in);
	} else if (in == INADDR_LOOPBACK) {
		addr = in6addr_loopback;
	} else if (in != INADDR_ANY) {
		addr.s6_addr32[0] = htonl(0x20010db8);
		addr.s6_addr32[3] = htonl(in);
	}
	return addr;
}

/* @in is an address of IPv4, or what it stands for in the family */
static union addr addr_new(uint32_t in, uint16_t domid, uint32_t port)
{
	union addr addr = {};

	if (variant->family == AF_INET) {
		addr.in.sin_family = AF_INET;
		addr.in.sin_addr.s_addr = htonl(in);
		addr.in.sin_port = htons((uint16_t)port);
	} else if (variant->family == AF_INET6) {
		addr.in6.sin6_family = AF_INET6;
		addr.in6.sin6_addr = in6_of(in);
		addr.in6.sin6_port = htons((uint16_t)port);
	} else {
		addr.svm.svm_family = AF_XENVMC;
		addr.svm.svm_domid = domid;
		addr.svm.svm_port = port;
	}
	return addr;
}

union addr addr_any(uint32_t port)
{
	return addr_new(INADDR_ANY, XENVMC_DOMID_ANY, port);
}

union addr addr_self(uint32_t port)
{
	return addr_new(INADDR_LOOPBACK, XENVMC_DOMID_SELF, port);
}

/* Of some other machine: a documentation address; an id that Xen never gives. */
union addr addr_foreign(void)
{
	return addr_new(0xc0000201, 0x7fe0, 0);
}

uint32_t addr_port(const union addr *addr)
{
	/* The two families of IP have it in the same place */
	return is_tcp() ? ntohs(addr->in.sin_port) : addr->svm.svm_port;
}

union addr addr_of(int fd)
{
	union addr addr = {};
	socklen_t len = sizeof(addr);

	OK(getsockname(fd, &addr.sa, &len));
	ck_assert_uint_eq(len, ADDR_LEN);
	ck_assert_int_eq(addr.sa.sa_family, variant->family);
	return addr;
}

/* A port that is taken, by a socket that does not listen. */
union addr addr_nobody(void)
{
	union addr addr = addr_self(0);
	int fd = sock_new(0);

	OK(bind(fd, &addr.sa, ADDR_LEN));
	return addr_of(fd);
}

int sock_new(int flags)
{
	return OK(socket(variant->family, SOCK_STREAM | flags, 0));
}

int sock_listen(int backlog, union addr *addr)
{
	int fd = sock_new(0);

	*addr = addr_self(0);
	OK(bind(fd, &addr->sa, ADDR_LEN));
	OK(listen(fd, backlog));
	*addr = addr_of(fd);
	return fd;
}

int sock_connect(const union addr *addr)
{
	int fd = sock_new(0);

	OK(connect(fd, &addr->sa, ADDR_LEN));
	return fd;
}

/* How many segments with bytes TCP has sent from here */
static uint32_t segments(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	OK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	return info.tcpi_data_segs_out;
}

/* A byte there and back */
static void ping(const int fd[2])
{
	char byte = 'p';

	write_all(fd[0], &byte, 1);
	read_all(fd[1], &byte, 1);
	write_all(fd[1], &byte, 1);
	read_all(fd[0], &byte, 1);
}

/* Do bytes that go now leave TCP alone? */
bool on_rings(const int fd[2])
{
	uint32_t before = segments(fd[0]) + segments(fd[1]);

	ping(fd);
	return segments(fd[0]) + segments(fd[1]) == before;
}

/* fd[0] has connected, fd[1] was accepted. */
void sock_pair_anyhow(int fd[2])
{
	union addr addr;
	int listener = sock_listen(1, &addr);

	fd[0] = sock_connect(&addr);
	fd[1] = OK(accept(listener, NULL, NULL));
	close(listener);
}

/* With XENVMC_TEST_MOVED a TCP connection is to be on rings */
void until_moved(const int fd[2])
{
	if (is_tcp() && getenv("XENVMC_TEST_MOVED"))
		while (!on_rings(fd))
			;
}

/*
 * The same. With XENVMC_TEST_MOVED a TCP connection is on rings, in both
 * directions; with "full" TCP has what a ring has no room for, and with "always"
 * it goes back and forth all the time.
 */
void sock_pair(int fd[2])
{
	sock_pair_anyhow(fd);
	until_moved(fd);
}

/*
 * Of ends that go back and forth fd[1] takes no ring back now, nor has one whose
 * end is still to be seen: TCP has just carried a byte to it.
 */
void until_at_rest(const int fd[2])
{
	const char *moved = getenv("XENVMC_TEST_MOVED");
	uint32_t before;

	if (!is_tcp() || !moved || strcmp(moved, "always"))
		return;
	do {
		before = segments(fd[0]);
		ping(fd);
	} while (segments(fd[0]) == before);
}

/* Does TCP have bytes behind those of a full ring? */
bool tcp_is_behind(void)
{
	const char *moved = getenv("XENVMC_TEST_MOVED");

	return is_tcp() && moved && strcmp(moved, "1");
}

short poll_for(int fd, short events, int timeout)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	OK(poll(&pfd, 1, timeout));
	return pfd.revents;
}

/* The deadline of the case ends what does not come. */
void wait_for(int fd, short events)
{
	short got = poll_for(fd, events, -1);

	ck_assert_msg(got & events, "waited for %#x, got %#x", events, got);
}

int sock_error(int fd)
{
	socklen_t len = sizeof(int);
	int err = -1;

	OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
	return err;
}

void set_timeout(int fd, int option, long ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	OK(setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv)));
}

/*
 * As the kernel's timers see it: by the last tick that the processor has had. A
 * guest that was kept off its processor goes to sleep with a clock that is late,
 * which then catches up; by a better clock its time-outs come too soon.
 */
int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void write_all(int fd, const void *buf, size_t len)
{
	ck_assert_int_eq(OK(send(fd, buf, len, MSG_NOSIGNAL)), (ssize_t)len);
}

void read_all(int fd, void *buf, size_t len)
{
	ck_assert_int_eq(OK(recv(fd, buf, len, MSG_WAITALL)), (ssize_t)len);
}

void reads(int fd, const char *want)
{
	char buf[64];

	read_all(fd, buf, strlen(want));
	ck_assert_mem_eq(buf, want, strlen(want));
}

/* Bytes flow both ways, also once the connection has moved, if it can */
void flow_on(const int fd[2])
{
	int i;

	for (i = 0; i < 20; i++) {
		write_all(fd[0], "there", 5);
		reads(fd[1], "there");
		write_all(fd[1], "back", 4);
		reads(fd[0], "back");
	}
}

void read_eof(int fd)
{
	char byte;

	ck_assert_int_eq(OK(recv(fd, &byte, 1, 0)), 0);
}

/*
 * Sends until not one more byte goes before the other end reads. TCP counts
 * memory, not bytes, and takes single ones when it has no room for many. It has
 * more when a timer of its has looked, and behind a ring a moment later.
 * Return: how much.
 */
size_t fill(int fd)
{
	static const char buf[32768];
	int quiet = is_tcp() ? 5 * QUIET : QUIET;
	size_t len = sizeof(buf);
	size_t sum = 0;
	ssize_t n;

	for (;;) {
		n = send(fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0 || errno != EAGAIN) {
			sum += (size_t)OK(n);
			/* Room for much may have come while we waited */
			len = sizeof(buf);
		} else if (poll_for(fd, POLLOUT, quiet)) {
			continue;	/* room came a little later */
		} else if (len > 1) {
			len = 1;
		} else {
			return sum;
		}
	}
}

void drain(int fd, size_t len)
{
	static char buf[32768];

	while (len)
		len -= (size_t)OK(recv(fd, buf, len < sizeof(buf) ? len :
				       sizeof(buf), 0));
}

static void on_alarm(int signo)
{
	(void)signo;
}

/*
 * Interrupts whatever blocks, again and again in case it did not block yet; with
 * 0, not any more.
 */
void alarm_in(long ms)
{
	struct itimerval it = {
		.it_value = { ms / 1000, ms % 1000 * 1000 },
		.it_interval = { ms / 1000, ms % 1000 * 1000 },
	};
	struct sigaction sa = { .sa_handler = on_alarm };

	OK(sigaction(SIGALRM, &sa, NULL));
	OK(setitimer(ITIMER_REAL, &it, NULL));
}

/* Of this network namespace, which should be one's own */
void lo_up(bool up)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));

	OK(ioctl(fd, SIOCGIFFLAGS, &ifr));
	if (up)
		ifr.ifr_flags |= IFF_UP;
	else
		ifr.ifr_flags &= ~IFF_UP;
	OK(ioctl(fd, SIOCSIFFLAGS, &ifr));
	close(fd);
}

void need_root(void)
{
	ck_assert_msg(!geteuid(), "this case has to be run as root");
}

/* Until the thread has slept: it has begun its call by then */
void until_asleep(const pid_t *tid)
{
	char name[64], state = 0;
	FILE *file;
	pid_t id;

	do {
		sched_yield();
		id = __atomic_load_n(tid, __ATOMIC_ACQUIRE);
		if (!id)
			continue;
		snprintf(name, sizeof(name), "/proc/self/task/%d/stat", id);
		file = fopen(name, "r");
		ck_assert_ptr_nonnull(file);
		ck_assert_int_eq(fscanf(file, "%*d %*s %c", &state), 1);
		fclose(file);
	} while (state != 'S');
}

/* ---- what this kernel lacks ---------------------------------------------- */

#define ABSENCES	64

/* Of all cases, which are processes of their own */
static struct absences {
	unsigned int n;
	char what[ABSENCES][80];
} *absences;

void absences_begin(void)
{
	absences = mmap(NULL, sizeof(*absences), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (absences == MAP_FAILED)
		absences = NULL;
}

/* SOCK_CUSTOM_SOCKOPT came with Linux 6.6 */
bool options_are_ours(void)
{
	struct utsname name;
	int version;
	char *rest;

	OK(uname(&name));
	version = strtol(name.release, &rest, 10) * 1000;
	ck_assert_int_eq(*rest, '.');
	version += strtol(rest + 1, NULL, 10);
	return version >= 6006;
}

/*
 * Has the call failed because the kernel does not have what the case is about, or
 * does not let everybody? Then the case is skipped, and says so. Where
 * XENVMC_TEST_KERNEL is set the kernel has all.
 */
bool absent(int ret, const char *what)
{
	const char *why = strerror(errno);
	unsigned int n;

	if (ret >= 0)
		return false;
	ck_assert_msg(!getenv("XENVMC_TEST_KERNEL"), "%s: %s", what, why);
	ck_assert_ptr_nonnull(absences);
	n = __atomic_fetch_add(&absences->n, 1, __ATOMIC_RELAXED);
	if (n < ABSENCES)
		snprintf(absences->what[n], sizeof(absences->what[n]),
			 "%s: %s", what, why);
	return true;
}

/*
 * A TAP document of what was skipped. Where everything has to be there these are
 * remarks: the machine's own kernel is as it is, and the cases run on ours.
 */
void absences_told(void)
{
	const char *all = getenv("XENVMC_EXPECT_ALL");
	bool remark = all && !strcmp(all, "1");
	unsigned int i, n = absences ? absences->n : 0;

	n = n < ABSENCES ? n : ABSENCES;
	if (n && !remark)
		printf("TAP version 13\n1..%u\n", n);
	for (i = 0; i < n; i++)
		printf(remark ? "# not here: %s\n" : "ok %2$u # SKIP %1$s\n",
		       absences->what[i], i + 1);
}
