// SPDX-License-Identifier: GPL-2.0
/*
 * Cases: the peer's process is killed while a call is under way. It ends as that
 * of TCP does, and none hangs: the case's deadline would tell.
 */
#include <fcntl.h>
#include <liburing.h>
#include <linux/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "loop.h"

static char much[1 << 20];

/* ---- calls that receive: how many bytes ---------------------------------- */

static ssize_t by_recv(int fd)
{
	return recv(fd, much, sizeof(much), 0);
}

static ssize_t by_recv_all(int fd)
{
	return recv(fd, much, sizeof(much), MSG_WAITALL);
}

static ssize_t by_recvmmsg(int fd)
{
	struct iovec iov = { much, sizeof(much) };
	struct mmsghdr msg = { .msg_hdr = { .msg_iov = &iov,
					    .msg_iovlen = 1 } };

	return recvmmsg(fd, &msg, 1, 0, NULL) == 1 ? (ssize_t)msg.msg_len :
						    -1;
}

static ssize_t by_splice(int fd)
{
	int by[2];

	OK(pipe(by));
	return splice(fd, NULL, by[1], NULL, sizeof(much), 0);
}

/* One request, and its result as a call would give it */
static ssize_t by_uring(int fd, bool sends)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *s;
	struct io_uring ring;
	int res;

	ck_assert_int_eq(io_uring_queue_init(4, &ring, 0), 0);
	s = io_uring_get_sqe(&ring);
	if (sends)
		io_uring_prep_send(s, fd, much, sizeof(much), MSG_NOSIGNAL);
	else
		io_uring_prep_recv(s, fd, much, sizeof(much), 0);
	ck_assert_int_eq(io_uring_submit(&ring), 1);
	ck_assert_int_eq(io_uring_wait_cqe(&ring, &cqe), 0);
	res = cqe->res;
	io_uring_queue_exit(&ring);
	if (res < 0)
		errno = -res;
	return res < 0 ? -1 : res;
}

static ssize_t by_uring_recv(int fd)
{
	return by_uring(fd, false);
}

static ssize_t by_poll(int fd)
{
	wait_for(fd, POLLIN);
	return recv(fd, much, sizeof(much), MSG_DONTWAIT);
}

static ssize_t by_select(int fd)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	ck_assert_int_eq(OK(select(fd + 1, &set, NULL, NULL, NULL)), 1);
	return recv(fd, much, sizeof(much), MSG_DONTWAIT);
}

static ssize_t by_epoll(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int ep = OK(epoll_create1(0));

	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	ck_assert_int_eq(OK(epoll_wait(ep, &ev, 1, -1)), 1);
	return recv(fd, much, sizeof(much), MSG_DONTWAIT);
}

/* ---- calls that send ----------------------------------------------------- */

static ssize_t by_send(int fd)
{
	return send(fd, much, sizeof(much), MSG_NOSIGNAL);
}

static ssize_t by_sendmmsg(int fd)
{
	struct iovec iov = { much, sizeof(much) };
	struct mmsghdr msg[2] = {
		{ .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } },
	};

	return sendmmsg(fd, msg, 2, MSG_NOSIGNAL);
}

static ssize_t by_uring_send(int fd)
{
	return by_uring(fd, true);
}

static ssize_t by_zerocopy(int fd)
{
	int on = 1;

	OK(setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)));
	return send(fd, much, sizeof(much), MSG_ZEROCOPY | MSG_NOSIGNAL);
}

static ssize_t by_sendfile(int fd)
{
	int file = OK(memfd_create("much", 0));
	ssize_t ret;
	off_t at = 0;

	ck_assert_int_eq(OK(write(file, much, sizeof(much))), sizeof(much));
	ret = sendfile(fd, file, &at, sizeof(much));
	close(file);
	return ret;
}

static ssize_t by_splice_out(int fd)
{
	static int by[2];

	if (!by[1])
		OK(pipe(by));
	/* What a call has left in the pipe goes with the next one */
	if (fcntl(by[1], F_SETFL, O_NONBLOCK) ||
	    (write(by[1], much, 4096) < 0 && errno != EAGAIN))
		return 0;
	return splice(by[0], NULL, fd, NULL, 4096, 0);
}

static ssize_t by_poll_out(int fd)
{
	ssize_t ret;

	do {
		ret = send(fd, much, sizeof(much), MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (ret >= 0 || (errno == EAGAIN && poll_for(fd, POLLOUT, -1)));
	return ret;
}

static ssize_t by_close(int fd)
{
	return close(fd);
}

/* ---- what comes of them -------------------------------------------------- */

static const struct call {
	const char *name;
	ssize_t (*call)(int fd);
	bool sends;
} calls[] = {
	{ "recv", by_recv, false },
	{ "recv MSG_WAITALL", by_recv_all, false },
	{ "recvmmsg", by_recvmmsg, false },
	{ "splice", by_splice, false },
	{ "io_uring recv", by_uring_recv, false },
	{ "poll", by_poll, false },
	{ "select", by_select, false },
	{ "epoll", by_epoll, false },
	{ "send", by_send, true },
	{ "sendmmsg", by_sendmmsg, true },
	{ "io_uring send", by_uring_send, true },
	{ "send MSG_ZEROCOPY", by_zerocopy, true },
	{ "sendfile", by_sendfile, true },
	{ "splice out", by_splice_out, true },
	{ "poll for room", by_poll_out, true },
};

#define CALLS	((int)(sizeof(calls) / sizeof(calls[0])))

struct job {
	const struct call *call;
	int fd;
	pid_t tid;
	ssize_t ret;
	int error;
};

/* Until the connection is over */
static void *works(void *arg)
{
	struct job *job = arg;

	signal(SIGPIPE, SIG_IGN);
	__atomic_store_n(&job->tid, gettid(), __ATOMIC_RELEASE);
	do
		job->ret = job->call->call(job->fd);
	while (job->ret > 0 && job->call->sends);
	job->error = errno;
	return NULL;
}

/*
 * A process that has the other end, and does nothing with it. Bytes that it has
 * not read make its end a reset, if they are there by then.
 */
static pid_t holds(const int fd[2], bool unread)
{
	pid_t pid;

	if (unread) {
		write_all(fd[0], "x", 1);
		wait_for(fd[1], POLLIN);
	}
	pid = OK(fork());
	if (!pid) {
		close(fd[0]);
		for (;;)
			pause();
	}
	close(fd[1]);
	return pid;
}

static void is_killed(pid_t pid)
{
	OK(kill(pid, SIGKILL));
	OK(waitpid(pid, NULL, 0));
}

static void ends_in(const struct call *call, bool unread)
{
	struct job job = { .call = call };
	pthread_t thread;
	pid_t peer;
	int fd[2];

	sock_pair(fd);
	peer = holds(fd, unread);
	job.fd = fd[0];
	ck_assert_int_eq(pthread_create(&thread, NULL, works, &job), 0);
	until_asleep(&job.tid);
	/* A sender does not only wait for a moment; notices may be there by now */
	while (call->sends && poll_for(fd[0], POLLOUT, QUIET) & POLLOUT)
		;
	is_killed(peer);
	pthread_join(thread, NULL);
	ck_assert_msg(job.ret == (unread ? -1 : 0), "%s: %zd, %s", call->name,
		      job.ret, strerror(job.error));
	ck_assert_msg(!unread || job.error == ECONNRESET ||
		      (call->sends && job.error == EPIPE), "%s: %s",
		      call->name, strerror(job.error));
}

START_TEST(killed_peer_ends_the_call)
{
	ends_in(&calls[_i], true);
	if (!calls[_i].sends)
		ends_in(&calls[_i], false);
}
END_TEST

/* The kernel of the peer is there yet: close() does not wait until its time is up */
START_TEST(killed_peer_ends_the_lingering)
{
	struct linger l = { 1, 60 };
	const struct call call = { "close", by_close, false };
	struct job job = { .call = &call };
	pthread_t thread;
	int64_t start;
	pid_t peer;
	int fd[2];

	sock_pair(fd);
	peer = holds(fd, false);
	fill(fd[0]);
	start = now_ms();
	OK(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	job.fd = fd[0];
	ck_assert_int_eq(pthread_create(&thread, NULL, works, &job), 0);
	/* It waits by then, if it does: what is on a ring is not waited for */
	poll(NULL, 0, QUIET);
	is_killed(peer);
	pthread_join(thread, NULL);
	ck_assert_int_eq(job.ret, 0);
	ck_assert_int_lt(now_ms() - start, 50000);
}
END_TEST

/* What does not wait is told of nothing, and what comes then is */
START_TEST(killed_peer_beside_an_option)
{
	int fd[2], i, value, len;
	char byte;
	pid_t peer;

	for (i = 0; i < 10; i++) {
		sock_pair(fd);
		peer = holds(fd, i % 2);
		OK(kill(peer, SIGKILL));
		for (value = 1; value >= 0; value--)
			OK(setsockopt(fd[0], IPPROTO_TCP, TCP_INQ, &value,
				      sizeof(value)));
		len = (int)recv(fd[0], &byte, 1, 0);
		ck_assert_int_eq(len, i % 2 ? -1 : 0);
		OK(waitpid(peer, NULL, 0));
		close(fd[0]);
	}
}
END_TEST

START_TEST(killed_peer_beside_shutdown)
{
	int fd[2], i;
	char byte;
	pid_t peer;

	for (i = 0; i < 10; i++) {
		sock_pair(fd);
		peer = holds(fd, i % 2);
		OK(kill(peer, SIGKILL));
		/* It may be over by now */
		if (shutdown(fd[0], SHUT_WR))
			ck_assert_int_eq(errno, ENOTCONN);
		if (i % 2)
			FAILS(recv(fd[0], &byte, 1, 0), ECONNRESET);
		else
			read_eof(fd[0]);
		OK(waitpid(peer, NULL, 0));
		close(fd[0]);
	}
}
END_TEST

TCase *killed_case(void)
{
	TCase *tc = tcase_create("killed");

	tcase_set_timeout(tc, DEADLINE);
	tcase_add_loop_test(tc, killed_peer_ends_the_call, 0, CALLS);
	tcase_add_test(tc, killed_peer_ends_the_lingering);
	tcase_add_test(tc, killed_peer_beside_an_option);
	tcase_add_test(tc, killed_peer_beside_shutdown);
	return tc;
}
