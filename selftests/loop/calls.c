// SPDX-License-Identifier: GPL-2.0
/*
 * Cases: the calls by which bytes go in and out, beside send() and recv().
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "loop.h"

#define BIG	150000

#ifndef MSG_SOCK_DEVMEM
#define MSG_SOCK_DEVMEM	0x2000000
#endif

static void pattern(char *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		buf[i] = (char)(i * 31 + (i >> 8));
}

/* A file that has @len bytes of the pattern, at its beginning */
static int file_of(size_t len)
{
	static char buf[BIG];
	int fd = OK(memfd_create("bytes", 0));

	pattern(buf, len);
	ck_assert_int_eq(OK(write(fd, buf, len)), (ssize_t)len);
	OK(lseek(fd, 0, SEEK_SET));
	return fd;
}

/* The next bytes of @fd are those of the pattern at @from */
static void reads_pattern(int fd, size_t from, size_t len)
{
	static char want[BIG], got[BIG];

	pattern(want, from + len);
	read_all(fd, got, len);
	ck_assert_mem_eq(got, want + from, len);
}

static void nothing_more(int fd)
{
	char byte;

	ck_assert_int_eq(poll_for(fd, POLLIN, QUIET), 0);
	FAILS(recv(fd, &byte, 1, MSG_DONTWAIT), EAGAIN);
}

/* ---- several messages --------------------------------------------------- */

START_TEST(sendmmsg_sends_all)
{
	struct iovec iov[3] = { { "a", 1 }, { "bc", 2 }, { "def", 3 } };
	struct mmsghdr msg[3] = {};
	char buf[7] = "";
	int fd[2], i;

	sock_pair(fd);
	for (i = 0; i < 3; i++) {
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
	}
	ck_assert_int_eq(OK(sendmmsg(fd[0], msg, 3, 0)), 3);
	for (i = 0; i < 3; i++)
		ck_assert_uint_eq(msg[i].msg_len, (unsigned int)i + 1);
	read_all(fd[1], buf, 6);
	ck_assert_str_eq(buf, "abcdef");
	nothing_more(fd[1]);
}
END_TEST

static void mmsg_of_two(struct mmsghdr *msg, struct iovec *iov, char buf[][2],
			int n)
{
	int i;

	memset(msg, 0, sizeof(*msg) * (size_t)n);
	for (i = 0; i < n; i++) {
		iov[i].iov_base = buf[i];
		iov[i].iov_len = 2;
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
	}
}

START_TEST(recvmmsg_takes_what_is_there)
{
	struct timespec none = { 0, 0 };
	struct mmsghdr msg[5];
	struct iovec iov[5];
	char buf[5][2] = {};
	int fd[2];

	sock_pair(fd);
	mmsg_of_two(msg, iov, buf, 5);
	FAILS(recvmmsg(fd[1], msg, 5, MSG_DONTWAIT, NULL), EAGAIN);
	write_all(fd[0], "abcde", 5);
	wait_for(fd[1], POLLIN);
	ck_assert_int_eq(OK(recvmmsg(fd[1], msg, 5, MSG_DONTWAIT, NULL)), 3);
	ck_assert_mem_eq(buf, "abcde", 5);
	ck_assert_uint_eq(msg[0].msg_len, 2);
	ck_assert_uint_eq(msg[2].msg_len, 1);
	write_all(fd[0], "fghi", 4);
	wait_for(fd[1], POLLIN);
	ck_assert_int_eq(OK(recvmmsg(fd[1], msg, 5, MSG_WAITFORONE, NULL)), 2);
	ck_assert_mem_eq(buf, "fghi", 4);
	write_all(fd[0], "jk", 2);
	ck_assert_int_eq(OK(recvmmsg(fd[1], msg, 1, 0, &none)), 1);
	ck_assert_mem_eq(buf, "jk", 2);
}
END_TEST

/* ---- files and pipes ---------------------------------------------------- */

START_TEST(sendfile_sends_from_its_place)
{
	int file = file_of(BIG), fd[2];
	off_t at = 1000;

	sock_pair(fd);
	ck_assert_int_eq(OK(sendfile(fd[0], file, &at, 5000)), 5000);
	ck_assert_int_eq(at, 6000);
	ck_assert_int_eq(OK(lseek(file, 0, SEEK_CUR)), 0);
	reads_pattern(fd[1], 1000, 5000);
	ck_assert_int_eq(OK(sendfile(fd[0], file, NULL, 70)), 70);
	ck_assert_int_eq(OK(lseek(file, 0, SEEK_CUR)), 70);
	reads_pattern(fd[1], 0, 70);
	at = BIG - 10;
	ck_assert_int_eq(OK(sendfile(fd[0], file, &at, 5000)), 10);
	reads_pattern(fd[1], BIG - 10, 10);
	ck_assert_int_eq(OK(sendfile(fd[0], file, &at, 5000)), 0);
	nothing_more(fd[1]);
}
END_TEST

START_TEST(sendfile_stays_in_order)
{
	int file = file_of(BIG), fd[2], i;
	off_t at = 0;
	char buf[100];

	sock_pair(fd);
	for (i = 0; i < 50; i++) {
		ck_assert_int_eq(OK(sendfile(fd[0], file, &at, 900)), 900);
		ck_assert_int_eq(OK(pread(file, buf, 100, at)), 100);
		write_all(fd[0], buf, 100);
		at += 100;
	}
	reads_pattern(fd[1], 0, 50000);
}
END_TEST

START_TEST(sendfile_does_not_wait)
{
	int file = file_of(BIG), fd[2], on = 1;
	size_t sum = 0;
	ssize_t n;
	off_t at;

	sock_pair(fd);
	OK(ioctl(fd[0], FIONBIO, &on));
	do {
		at = 0;
		n = sendfile(fd[0], file, &at, BIG);
		sum += n > 0 ? (size_t)n : 0;
	} while (n > 0 || poll_for(fd[0], POLLOUT, QUIET));
	ck_assert_int_eq(errno, EAGAIN);
	drain(fd[1], sum);
	nothing_more(fd[1]);
}
END_TEST

START_TEST(sendfile_from_a_socket_fails)
{
	int fd[2], out = OK(memfd_create("out", 0));

	sock_pair(fd);
	write_all(fd[0], "x", 1);
	wait_for(fd[1], POLLIN);
	FAILS(sendfile(out, fd[1], NULL, 1), EINVAL);
	read_all(fd[1], &(char){ 0 }, 1);
}
END_TEST

START_TEST(splice_goes_out_and_in)
{
	int file = file_of(BIG), fd[2], pipe[2];
	size_t done = 0, in;
	char buf[4096];
	loff_t at = 0;

	sock_pair(fd);
	OK(pipe2(pipe, 0));
	while (done < 60000) {
		in = (size_t)OK(splice(file, &at, pipe[1], NULL, 5000, 0));
		ck_assert_int_eq(OK(splice(pipe[0], NULL, fd[0], NULL, in, 0)),
				 (ssize_t)in);
		done += in;
		while (in) {
			ssize_t n = OK(splice(fd[1], NULL, pipe[1], NULL,
					      sizeof(buf), 0));

			ck_assert_int_eq(OK(read(pipe[0], buf, sizeof(buf))),
					 n);
			in -= (size_t)n;
		}
	}
}
END_TEST

START_TEST(splice_of_nothing)
{
	int fd[2], pipe[2], on = 1;

	sock_pair(fd);
	OK(pipe2(pipe, 0));
	/* SPLICE_F_NONBLOCK is of the pipe */
	OK(ioctl(fd[1], FIONBIO, &on));
	FAILS(splice(fd[1], NULL, pipe[1], NULL, 10, 0), EAGAIN);
	FAILS(splice(fd[1], NULL, fd[0], NULL, 10, 0), EINVAL);
	ck_assert_int_eq(OK(splice(fd[1], NULL, pipe[1], NULL, 0, 0)), 0);
	OK(shutdown(fd[0], SHUT_WR));
	wait_for(fd[1], POLLIN);
	ck_assert_int_eq(OK(splice(fd[1], NULL, pipe[1], NULL, 10, 0)), 0);
}
END_TEST

/* The pipe has no room for all: what it did not take is still to be read */
START_TEST(splice_takes_what_fits)
{
	int fd[2], pipe[2];
	size_t sum = 0;
	ssize_t n;
	char *buf = malloc(BIG);

	sock_pair(fd);
	OK(pipe2(pipe, O_NONBLOCK));
	OK(fcntl(pipe[0], F_SETPIPE_SZ, 8192));
	pattern(buf, 50000);
	write_all(fd[0], buf, 50000);
	while (sum < 50000) {
		n = OK(splice(fd[1], NULL, pipe[1], NULL, 50000, 0));
		ck_assert_int_le(n, 8192);
		ck_assert_int_eq(OK(read(pipe[0], buf + 50000 + sum, 8192)), n);
		sum += (size_t)n;
	}
	ck_assert_mem_eq(buf, buf + 50000, 50000);
	nothing_more(fd[1]);
}
END_TEST

static void *send_later(void *arg)
{
	/* The other thread may or may not sleep by now: both must do */
	poll(NULL, 0, QUIET);
	return (void *)(long)(send(*(int *)arg, "late", 4, 0) - 4);
}

START_TEST(splice_waits_for_bytes)
{
	int fd[2], pipe[2];
	pthread_t thread;
	char buf[8];
	void *bad;

	sock_pair(fd);
	OK(pipe2(pipe, 0));
	ck_assert_int_eq(pthread_create(&thread, NULL, send_later, &fd[0]), 0);
	ck_assert_int_eq(OK(splice(fd[1], NULL, pipe[1], NULL, 8, 0)), 4);
	ck_assert_int_eq(OK(read(pipe[0], buf, 8)), 4);
	ck_assert_mem_eq(buf, "late", 4);
	pthread_join(thread, &bad);
	ck_assert_ptr_null(bad);
}
END_TEST

START_TEST(tee_doubles_what_a_socket_brought)
{
	int fd[2], one[2], two[2];
	char buf[8] = "";

	sock_pair(fd);
	OK(pipe2(one, 0));
	OK(pipe2(two, 0));
	write_all(fd[0], "twice", 5);
	ck_assert_int_eq(OK(splice(fd[1], NULL, one[1], NULL, 5, 0)), 5);
	ck_assert_int_eq(OK(tee(one[0], two[1], 5, 0)), 5);
	ck_assert_int_eq(OK(splice(two[0], NULL, fd[1], NULL, 5, 0)), 5);
	read_all(fd[0], buf, 5);
	ck_assert_str_eq(buf, "twice");
	memset(buf, 0, sizeof(buf));
	ck_assert_int_eq(OK(read(one[0], buf, 5)), 5);
	ck_assert_str_eq(buf, "twice");
}
END_TEST

START_TEST(vmsplice_gives_pages)
{
	size_t len = 8 * 4096;
	char *buf = aligned_alloc(4096, len);
	struct iovec iov = { buf, len };
	int fd[2], pipe[2];

	sock_pair(fd);
	OK(pipe2(pipe, 0));
	pattern(buf, len);
	ck_assert_int_eq(OK(vmsplice(pipe[1], &iov, 1, 0)), (ssize_t)len);
	ck_assert_int_eq(OK(splice(pipe[0], NULL, fd[0], NULL, len,
				   SPLICE_F_MORE)), (ssize_t)len);
	reads_pattern(fd[1], 0, len);
}
END_TEST

START_TEST(a_socket_is_no_file)
{
	int fd[2], out = OK(memfd_create("out", 0));
	struct iovec iov = { "x", 1 };
	struct stat st;

	sock_pair(fd);
	FAILS(lseek(fd[0], 0, SEEK_CUR), ESPIPE);
	FAILS(pread(fd[0], &st, 1, 0), ESPIPE);
	FAILS(pwrite(fd[0], "x", 1, 0), ESPIPE);
	FAILS(pwritev2(fd[0], &iov, 1, 5, 0), ESPIPE);
	FAILS(ftruncate(fd[0], 0), EINVAL);
	FAILS(fsync(fd[0]), EINVAL);
	FAILS(copy_file_range(fd[0], NULL, out, NULL, 1, 0), EINVAL);
	OK(fstat(fd[0], &st));
	ck_assert(S_ISSOCK(st.st_mode));
}
END_TEST

/* ---- vectors and flags -------------------------------------------------- */

/* Of an empty socket of another family: Linux before 6.4 knows it of none */
static int nowait_error(void)
{
	char byte;
	struct iovec in = { &byte, 1 };
	int fd[2], err;

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	err = preadv2(fd[0], &in, 1, -1, RWF_NOWAIT) < 0 ? errno : 0;
	OK(close(fd[0]));
	OK(close(fd[1]));
	return err;
}

START_TEST(vectors_without_a_place)
{
	int flags, err = nowait_error();
	char a[3], b[4];
	struct iovec out[2] = { { "abc", 3 }, { "defg", 4 } };
	struct iovec in[2] = { { a, 3 }, { b, 4 } };
	int fd[2];

	ck_assert_msg(err == EAGAIN || err == EOPNOTSUPP, "RWF_NOWAIT: %d", err);
	flags = err == EAGAIN ? RWF_NOWAIT : 0;
	sock_pair(fd);
	ck_assert_int_eq(OK(pwritev2(fd[0], out, 2, -1, 0)), 7);
	wait_for(fd[1], POLLIN);
	ck_assert_int_eq(OK(preadv2(fd[1], in, 2, -1, flags)), 7);
	ck_assert_mem_eq(a, "abc", 3);
	ck_assert_mem_eq(b, "defg", 4);
	FAILS(preadv2(fd[1], in, 2, -1, RWF_NOWAIT), err);
}
END_TEST

START_TEST(many_small_vectors)
{
	static char buf[IOV_MAX * 3];
	struct iovec iov[IOV_MAX + 1];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = IOV_MAX };
	int fd[2], i;

	sock_pair(fd);
	pattern(buf, sizeof(buf));
	for (i = 0; i <= IOV_MAX; i++) {
		iov[i].iov_base = buf + 3 * (i % IOV_MAX);
		iov[i].iov_len = 3;
	}
	ck_assert_int_eq(OK(sendmsg(fd[0], &msg, 0)), sizeof(buf));
	reads_pattern(fd[1], 0, sizeof(buf));
	ck_assert_int_eq(OK(writev(fd[0], iov, IOV_MAX)), sizeof(buf));
	memset(buf, 0, sizeof(buf));
	ck_assert_int_eq(OK(recvmsg(fd[1], &msg, MSG_WAITALL)), sizeof(buf));
	ck_assert_int_eq(buf[32], (char)(32 * 31));
	FAILS(writev(fd[0], iov, IOV_MAX + 1), EINVAL);
	msg.msg_iovlen = IOV_MAX + 1;
	FAILS(sendmsg(fd[0], &msg, 0), EMSGSIZE);
	FAILS(recvmsg(fd[1], &msg, MSG_DONTWAIT), EMSGSIZE);
	nothing_more(fd[1]);
}
END_TEST

START_TEST(message_says_nothing_else)
{
	char byte, control[128];
	struct iovec iov = { &byte, 1 };
	struct sockaddr_storage name;
	struct msghdr msg = {
		.msg_name = &name, .msg_namelen = sizeof(name),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
		.msg_flags = -1,
	};
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "xy", 2);
	ck_assert_int_eq(OK(recvmsg(fd[1], &msg, 0)), 1);
	ck_assert_uint_eq(msg.msg_namelen, 0);
	ck_assert_uint_eq(msg.msg_controllen, 0);
	ck_assert_int_eq(msg.msg_flags, 0);
	msg.msg_controllen = sizeof(control);
	ck_assert_int_eq(OK(recvmsg(fd[1], &msg, MSG_CMSG_CLOEXEC)), 1);
	ck_assert_int_eq(msg.msg_flags, MSG_CMSG_CLOEXEC);
}
END_TEST

/* Flags that mean something elsewhere */
START_TEST(flags_of_others_are_ignored)
{
	static const int out[] = {
		MSG_EOR, MSG_CONFIRM, MSG_DONTROUTE, MSG_MORE, MSG_PROXY,
		MSG_NOSIGNAL, MSG_WAITALL, MSG_PEEK, MSG_TRUNC, MSG_CTRUNC,
		MSG_SYN, MSG_RST, MSG_ZEROCOPY, MSG_FIN, MSG_BATCH,
		MSG_SOCK_DEVMEM,
	};
	int fd[2];
	size_t i;
	char c;

	sock_pair(fd);
	for (i = 0; i < sizeof(out) / sizeof(out[0]); i++) {
		c = (char)i;
		ck_assert_int_eq(OK(send(fd[0], &c, 1, out[i])), 1);
	}
	for (i = 0; i < sizeof(out) / sizeof(out[0]); i++) {
		ck_assert_int_eq(OK(recv(fd[1], &c, 1, out[i] & ~MSG_PEEK &
					 ~MSG_TRUNC)), 1);
		ck_assert_int_eq(c, (char)i);
	}
	nothing_more(fd[1]);
}
END_TEST

START_TEST(error_queue_is_empty)
{
	char byte, control[128];
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "x", 1);
	wait_for(fd[1], POLLIN);
	FAILS(recvmsg(fd[1], &msg, MSG_ERRQUEUE), EAGAIN);
	ck_assert_int_eq(poll_for(fd[1], POLLERR, 0), 0);
	read_all(fd[1], &byte, 1);
}
END_TEST

static ssize_t send_control(int fd, int level, int type, size_t len)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(16)];
	} control = {};
	struct iovec iov = { "c", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = CMSG_SPACE(len),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = level;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(len);
	return sendmsg(fd, &msg, 0);
}

START_TEST(control_messages_are_checked)
{
	char buf[4];
	int fd[2];

	sock_pair(fd);
	FAILS(send_control(fd[0], SOL_SOCKET, 9999, 4), EINVAL);
	/* of other levels they are of no concern to TCP, nor are rights */
	ck_assert_int_eq(OK(send_control(fd[0], IPPROTO_IP, 9999, 4)), 1);
	ck_assert_int_eq(OK(send_control(fd[0], SOL_SOCKET, SCM_RIGHTS, 4)), 1);
	read_all(fd[1], buf, 2);
	ck_assert_mem_eq(buf, "cc", 2);
	nothing_more(fd[1]);
}
END_TEST

/* ---- how much ----------------------------------------------------------- */

START_TEST(receive_of_no_bytes)
{
	char byte;
	int fd[2];

	sock_pair(fd);
	FAILS(recv(fd[1], &byte, 0, MSG_DONTWAIT), EAGAIN);
	/* One that may wait does, and finds no fault with the end of that */
	set_timeout(fd[1], SO_RCVTIMEO, QUIET);
	ck_assert_int_eq(OK(recv(fd[1], &byte, 0, 0)), 0);
	write_all(fd[0], "x", 1);
	wait_for(fd[1], POLLIN);
	ck_assert_int_eq(OK(recv(fd[1], &byte, 0, 0)), 0);
	ck_assert_int_eq(OK(recv(fd[1], NULL, 0, MSG_PEEK)), 0);
	read_all(fd[1], &byte, 1);
	OK(shutdown(fd[0], SHUT_WR));
	wait_for(fd[1], POLLIN);
	ck_assert_int_eq(OK(recv(fd[1], &byte, 0, 0)), 0);
}
END_TEST

START_TEST(waitall_gives_up)
{
	char buf[8];
	int fd[2];

	sock_pair(fd);
	write_all(fd[0], "abc", 3);
	wait_for(fd[1], POLLIN);
	ck_assert_int_eq(OK(recv(fd[1], buf, 8, MSG_WAITALL | MSG_DONTWAIT)),
			 3);
	FAILS(recv(fd[1], buf, 8, MSG_WAITALL | MSG_DONTWAIT), EAGAIN);
	write_all(fd[0], "def", 3);
	wait_for(fd[1], POLLIN);
	set_timeout(fd[1], SO_RCVTIMEO, QUIET);
	ck_assert_int_eq(OK(recv(fd[1], buf, 8, MSG_WAITALL)), 3);
	FAILS(recv(fd[1], buf, 8, MSG_WAITALL), EAGAIN);
	set_timeout(fd[1], SO_RCVTIMEO, 0);
	write_all(fd[0], "ghi", 3);
	wait_for(fd[1], POLLIN);
	alarm_in(QUIET);
	ck_assert_int_eq(OK(recv(fd[1], buf, 8, MSG_WAITALL)), 3);
	FAILS(recv(fd[1], buf, 8, MSG_WAITALL), EINTR);
	ck_assert_mem_eq(buf, "ghi", 3);
}
END_TEST

START_TEST(peek_looks_and_leaves)
{
	char buf[8] = "";
	struct iovec iov[2] = { { buf, 1 }, { buf + 1, 5 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	int fd[2], n;

	sock_pair(fd);
	FAILS(recv(fd[1], buf, 8, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	write_all(fd[0], "abcd", 4);
	wait_for(fd[1], POLLIN);
	ck_assert_int_eq(OK(recvmsg(fd[1], &msg, MSG_PEEK)), 4);
	ck_assert_str_eq(buf, "abcd");
	ck_assert_int_eq(OK(recv(fd[1], NULL, 3, MSG_PEEK | MSG_TRUNC)), 3);
	ck_assert_int_eq(OK(recv(fd[1], NULL, 9, MSG_PEEK | MSG_TRUNC)), 4);
	OK(ioctl(fd[1], FIONREAD, &n));
	ck_assert_int_eq(n, 4);
	ck_assert_int_eq(poll_for(fd[1], POLLIN, 0), POLLIN);
	read_all(fd[1], buf, 1);
	ck_assert_int_eq(OK(recv(fd[1], buf, 8, MSG_PEEK)), 3);
	ck_assert_mem_eq(buf, "bcd", 3);
	read_all(fd[1], buf, 3);
	OK(shutdown(fd[0], SHUT_WR));
	ck_assert_int_eq(OK(recv(fd[1], buf, 8, MSG_PEEK)), 0);
	ck_assert_int_eq(OK(recv(fd[1], buf, 8, MSG_PEEK)), 0);
}
END_TEST

/* What was written in one moment comes whole if there is room for it */
START_TEST(one_read_takes_many_writes)
{
	char buf[64];
	int fd[2], i, n = 0;

	sock_pair(fd);
	for (i = 0; i < 10; i++)
		write_all(fd[0], "12345", 5);
	while (n < 50)
		OK(ioctl(fd[1], FIONREAD, &n));
	ck_assert_int_eq(OK(recv(fd[1], buf, 64, MSG_DONTWAIT)), 50);
}
END_TEST

START_TEST(faults_lose_nothing)
{
	char buf[8] = "";
	struct iovec out[2] = { { "abc", 3 }, { (void *)8, 3 } };
	struct iovec in[2] = { { buf, 2 }, { (void *)8, 2 } };
	int fd[2];

	sock_pair(fd);
	FAILS(send(fd[0], (void *)8, 3, 0), EFAULT);
	FAILS(writev(fd[0], out, 2), EFAULT);
	nothing_more(fd[1]);
	write_all(fd[0], "abcdef", 6);
	wait_for(fd[1], POLLIN);
	FAILS(recv(fd[1], (void *)8, 3, 0), EFAULT);
	FAILS(readv(fd[1], in, 2), EFAULT);
	memset(buf, 0, sizeof(buf));
	read_all(fd[1], buf, 6);
	ck_assert_str_eq(buf, "abcdef");
}
END_TEST

/* ---- SIGPIPE ------------------------------------------------------------ */

static volatile sig_atomic_t pipes;

static void on_pipe(int signo)
{
	(void)signo;
	pipes++;
}

START_TEST(broken_pipe_is_told_by_a_signal)
{
	struct sigaction sa = { .sa_handler = on_pipe };
	struct iovec iov = { "x", 1 };
	int file = file_of(10), fd[2], pipe[2];

	sock_pair(fd);
	OK(sigaction(SIGPIPE, &sa, NULL));
	OK(pipe2(pipe, 0));
	ck_assert_int_eq(OK(write(pipe[1], "y", 1)), 1);
	OK(shutdown(fd[0], SHUT_WR));
	FAILS(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	ck_assert_int_eq(pipes, 0);
	FAILS(send(fd[0], "x", 1, 0), EPIPE);
	ck_assert_int_eq(pipes, 1);
	FAILS(write(fd[0], "x", 1), EPIPE);
	ck_assert_int_eq(pipes, 2);
	FAILS(writev(fd[0], &iov, 1), EPIPE);
	ck_assert_int_eq(pipes, 3);
	FAILS(sendfile(fd[0], file, NULL, 5), EPIPE);
	ck_assert_int_eq(pipes, 4);
	FAILS(splice(pipe[0], NULL, fd[0], NULL, 1, 0), EPIPE);
	ck_assert_int_eq(pipes, 5);
}
END_TEST

TCase *calls_case(void)
{
	TCase *tc = tcase_create("calls");

	tcase_set_timeout(tc, DEADLINE);
	tcase_add_test(tc, sendmmsg_sends_all);
	tcase_add_test(tc, recvmmsg_takes_what_is_there);
	tcase_add_test(tc, sendfile_sends_from_its_place);
	tcase_add_test(tc, sendfile_stays_in_order);
	tcase_add_test(tc, sendfile_does_not_wait);
	tcase_add_test(tc, sendfile_from_a_socket_fails);
	tcase_add_test(tc, splice_goes_out_and_in);
	tcase_add_test(tc, splice_of_nothing);
	tcase_add_test(tc, splice_takes_what_fits);
	tcase_add_test(tc, splice_waits_for_bytes);
	tcase_add_test(tc, tee_doubles_what_a_socket_brought);
	tcase_add_test(tc, vmsplice_gives_pages);
	tcase_add_test(tc, a_socket_is_no_file);
	tcase_add_test(tc, vectors_without_a_place);
	tcase_add_test(tc, many_small_vectors);
	tcase_add_test(tc, message_says_nothing_else);
	tcase_add_test(tc, flags_of_others_are_ignored);
	tcase_add_test(tc, error_queue_is_empty);
	tcase_add_test(tc, control_messages_are_checked);
	tcase_add_test(tc, receive_of_no_bytes);
	tcase_add_test(tc, waitall_gives_up);
	tcase_add_test(tc, peek_looks_and_leaves);
	tcase_add_test(tc, one_read_takes_many_writes);
	tcase_add_test(tc, faults_lose_nothing);
	tcase_add_test(tc, broken_pipe_is_told_by_a_signal);
	return tc;
}
