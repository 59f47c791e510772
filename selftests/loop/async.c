// SPDX-License-Identifier: GPL-2.0
/*
 * Cases: being told later. Signals for input and output, io_uring, who is woken
 * of many, and calls that a signal interrupts.
 */
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "loop.h"

/* ---- SIGIO -------------------------------------------------------------- */

/* The next signal that says that something is up with a descriptor */
static siginfo_t signal_of(const sigset_t *set)
{
	siginfo_t info;

	ck_assert_int_gt(sigwaitinfo(set, &info), 0);
	return info;
}

/* @fd sends the signal to us, and the set of it is blocked */
static sigset_t signals_from(int fd, int signo)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	OK(fcntl(fd, F_SETOWN, getpid()));
	OK(fcntl(fd, F_SETSIG, signo));
	OK(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK));
	return set;
}

static void none_now(const sigset_t *set)
{
	struct timespec quiet = { 0, QUIET * 1000000L };

	FAILS(sigtimedwait(set, NULL, &quiet), EAGAIN);
}

START_TEST(signal_tells_of_bytes)
{
	siginfo_t info;
	sigset_t set;
	char byte;
	int fd[2];

	sock_pair(fd);
	set = signals_from(fd[1], SIGRTMIN + 1);
	none_now(&set);
	write_all(fd[0], "x", 1);
	info = signal_of(&set);
	ck_assert_int_eq(info.si_fd, fd[1]);
	ck_assert_int_eq(info.si_code, POLL_IN);
	read_all(fd[1], &byte, 1);
	none_now(&set);
	write_all(fd[0], "y", 1);
	signal_of(&set);
}
END_TEST

/* Neither does a signal come for what is no byte, whatever carries them */
START_TEST(each_signal_tells_of_a_byte)
{
	sigset_t set;
	char byte;
	int fd[2];

	sock_pair(fd);
	until_at_rest(fd);
	set = signals_from(fd[1], SIGRTMIN + 1);
	for (int i = 0; i < 20; i++) {
		write_all(fd[0], "x", 1);
		ck_assert_int_eq(signal_of(&set).si_code, POLL_IN);
		OK(recv(fd[1], &byte, 1, 0));
		FAILS(recv(fd[1], &byte, 1, 0), EAGAIN);
		none_now(&set);
	}
}
END_TEST

START_TEST(signal_tells_of_the_end)
{
	sigset_t set;
	int fd[2];

	sock_pair(fd);
	set = signals_from(fd[1], SIGRTMIN + 1);
	OK(shutdown(fd[0], SHUT_WR));
	ck_assert_int_eq(signal_of(&set).si_fd, fd[1]);
	wait_for(fd[1], POLLRDHUP);
	read_eof(fd[1]);
}
END_TEST

START_TEST(signal_tells_of_room)
{
	sigset_t set;
	size_t sum;
	int fd[2];

	sock_pair(fd);
	sum = fill(fd[0]);
	set = signals_from(fd[0], SIGRTMIN + 1);
	FAILS(send(fd[0], "x", 1, MSG_NOSIGNAL), EAGAIN);
	drain(fd[1], sum);
	while (signal_of(&set).si_code != POLL_OUT)
		;
	wait_for(fd[0], POLLOUT);
}
END_TEST

START_TEST(signal_goes_to_the_thread_that_owns)
{
	struct f_owner_ex owner = { F_OWNER_TID, gettid() };
	sigset_t set;
	int fd[2];

	sock_pair(fd);
	set = signals_from(fd[1], SIGRTMIN + 1);
	OK(fcntl(fd[1], F_SETOWN_EX, &owner));
	write_all(fd[0], "x", 1);
	ck_assert_int_eq(signal_of(&set).si_fd, fd[1]);
}
END_TEST

static void *take_4_mib(void *arg)
{
	static char buf[65536];
	ssize_t n = 1;

	for (long got = 0; got < 4 << 20 && n > 0; got += n)
		n = recv(*(int *)arg, buf, sizeof(buf), 0);
	return NULL;
}

/* It sleeps in the call, and that tells it */
START_TEST(blocked_writer_gets_no_signal_of_room)
{
	static char buf[4 << 20];
	pthread_t thread;
	sigset_t set;
	int fd[2];

	if (!is_tcp())
		return;
	sock_pair(fd);
	set = signals_from(fd[0], SIGRTMIN + 1);
	OK(fcntl(fd[0], F_SETFL, O_ASYNC));
	ck_assert_int_eq(pthread_create(&thread, NULL, take_4_mib, &fd[1]), 0);
	ck_assert_int_eq(OK(send(fd[0], buf, sizeof(buf), 0)), sizeof(buf));
	none_now(&set);
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(no_signal_once_it_is_off)
{
	sigset_t set;
	int fd[2];

	sock_pair(fd);
	set = signals_from(fd[1], SIGRTMIN + 1);
	OK(fcntl(fd[1], F_SETFL, 0));
	write_all(fd[0], "x", 1);
	wait_for(fd[1], POLLIN);
	none_now(&set);
}
END_TEST

/* ---- signals in the middle of a call ------------------------------------ */

static void on_alarm(int signo)
{
	(void)signo;
}

/* A signal in a while, and others in case that the call had not begun */
static void alarm_later(int flags)
{
	struct itimerval it = {
		.it_value = { 0, QUIET * 1000 },
		.it_interval = { 0, QUIET * 1000 },
	};
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = flags };

	OK(sigaction(SIGALRM, &sa, NULL));
	OK(setitimer(ITIMER_REAL, &it, NULL));
}

static void *send_after(void *arg)
{
	poll(NULL, 0, 3 * QUIET);
	return (void *)(long)(send(*(int *)arg, "late", 4, 0) - 4);
}

/* A thread that sends later, and takes no signal */
static pthread_t sends_later(int *fd)
{
	sigset_t set, before;
	pthread_t thread;

	sigfillset(&set);
	OK(pthread_sigmask(SIG_BLOCK, &set, &before));
	ck_assert_int_eq(pthread_create(&thread, NULL, send_after, fd), 0);
	OK(pthread_sigmask(SIG_SETMASK, &before, NULL));
	return thread;
}

START_TEST(receive_is_restarted)
{
	pthread_t thread;
	char buf[8];
	int fd[2];

	sock_pair(fd);
	thread = sends_later(&fd[0]);
	alarm_later(SA_RESTART);
	ck_assert_int_eq(OK(recv(fd[1], buf, 8, 0)), 4);
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(receive_with_a_timeout_is_not_restarted)
{
	char byte;
	int fd[2];

	sock_pair(fd);
	set_timeout(fd[1], SO_RCVTIMEO, 20000);
	alarm_later(SA_RESTART);
	FAILS(recv(fd[1], &byte, 1, 0), EINTR);
}
END_TEST

START_TEST(poll_is_interrupted)
{
	struct pollfd pfd = { .events = POLLIN };
	int fd[2];

	sock_pair(fd);
	pfd.fd = fd[1];
	alarm_later(SA_RESTART);
	FAILS(poll(&pfd, 1, 20000), EINTR);
}
END_TEST

static void *drain_after(void *arg)
{
	static char buf[65536];
	ssize_t n;

	poll(NULL, 0, 3 * QUIET);
	do
		n = recv(*(int *)arg, buf, sizeof(buf), 0);
	while (n > 0);
	return (void *)(long)n;
}

START_TEST(send_is_restarted)
{
	sigset_t set, before;
	pthread_t thread;
	int fd[2];

	sock_pair(fd);
	fill(fd[0]);
	sigfillset(&set);
	OK(pthread_sigmask(SIG_BLOCK, &set, &before));
	ck_assert_int_eq(pthread_create(&thread, NULL, drain_after, &fd[1]), 0);
	OK(pthread_sigmask(SIG_SETMASK, &before, NULL));
	alarm_later(SA_RESTART);
	ck_assert_int_eq(OK(send(fd[0], "x", 1, 0)), 1);
	OK(shutdown(fd[0], SHUT_WR));
	pthread_join(thread, NULL);
}
END_TEST

/* Stopped and continued, as by a shell: the call goes on */
START_TEST(stopped_process_goes_on)
{
	int fd[2], status;
	char buf[8];
	pid_t pid;

	sock_pair(fd);
	pid = OK(fork());
	if (!pid)
		_exit(recv(fd[1], buf, 4, 0) == 2 ? 0 : 1);
	poll(NULL, 0, QUIET);
	OK(kill(pid, SIGSTOP));
	OK(waitpid(pid, &status, WUNTRACED));
	ck_assert(WIFSTOPPED(status));
	OK(kill(pid, SIGCONT));
	poll(NULL, 0, QUIET);
	write_all(fd[0], "ab", 2);
	OK(waitpid(pid, &status, 0));
	ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- one of many -------------------------------------------------------- */

START_TEST(exclusive_watcher_is_woken)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int fd[2], ep[3], i, told = 0;

	sock_pair(fd);
	for (i = 0; i < 3; i++) {
		ep[i] = OK(epoll_create1(0));
		OK(epoll_ctl(ep[i], EPOLL_CTL_ADD, fd[1], &ev));
	}
	write_all(fd[0], "x", 1);
	wait_for(fd[1], POLLIN);
	for (i = 0; i < 3; i++)
		told += OK(epoll_wait(ep[i], &ev, 1, 0));
	ck_assert_int_ge(told, 1);
}
END_TEST

START_TEST(nested_epoll_tells)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int fd[2], in = OK(epoll_create1(0)), out = OK(epoll_create1(0));
	char byte;

	sock_pair(fd);
	OK(epoll_ctl(in, EPOLL_CTL_ADD, fd[1], &ev));
	OK(epoll_ctl(out, EPOLL_CTL_ADD, in, &ev));
	ck_assert_int_eq(OK(epoll_wait(out, &ev, 1, 0)), 0);
	write_all(fd[0], "x", 1);
	ck_assert_int_eq(OK(epoll_wait(out, &ev, 1, -1)), 1);
	ck_assert_int_eq(OK(epoll_wait(in, &ev, 1, 0)), 1);
	read_all(fd[1], &byte, 1);
	ck_assert_int_eq(OK(epoll_wait(out, &ev, 1, 0)), 0);
	write_all(fd[0], "y", 1);
	ck_assert_int_eq(OK(epoll_wait(out, &ev, 1, -1)), 1);
}
END_TEST

START_TEST(epoll_of_a_copy_outlives_the_descriptor)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int fd[2], ep = OK(epoll_create1(0)), copy;

	sock_pair(fd);
	copy = OK(dup(fd[1]));
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd[1], &ev));
	close(fd[1]);
	write_all(fd[0], "x", 1);
	ck_assert_int_eq(OK(epoll_wait(ep, &ev, 1, -1)), 1);
	close(copy);
	ck_assert_int_eq(OK(epoll_wait(ep, &ev, 1, 0)), 0);
}
END_TEST

/* ---- io_uring ----------------------------------------------------------- */

static struct io_uring ring;

static struct io_uring_sqe *sqe(void)
{
	struct io_uring_sqe *s;

	if (!ring.sq.ring_sz)
		ck_assert_int_eq(io_uring_queue_init(16, &ring, 0), 0);
	s = io_uring_get_sqe(&ring);
	ck_assert_ptr_nonnull(s);
	return s;
}

/* io_uring_prep_*() has cleared what is set here */
static void submit(struct io_uring_sqe *s, uint64_t data)
{
	io_uring_sqe_set_data64(s, data);
	ck_assert_int_eq(io_uring_submit(&ring), 1);
}

/* The result of the next request that is done, which is @data */
static int done(uint64_t data)
{
	struct io_uring_cqe *cqe;
	int res;

	ck_assert_int_eq(io_uring_wait_cqe(&ring, &cqe), 0);
	ck_assert_uint_eq(cqe->user_data, data);
	res = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return res;
}

static bool none_done(void)
{
	struct __kernel_timespec quiet = { .tv_nsec = QUIET * 1000000L };
	struct io_uring_cqe *cqe;

	return io_uring_wait_cqe_timeout(&ring, &cqe, &quiet) == -ETIME;
}

START_TEST(uring_sends_and_receives)
{
	struct io_uring_sqe *s;
	char buf[8] = "";
	int fd[2];

	sock_pair(fd);
	s = sqe();
	io_uring_prep_send(s, fd[0], "there", 5, 0);
	submit(s, 1);
	ck_assert_int_eq(done(1), 5);
	s = sqe();
	io_uring_prep_recv(s, fd[1], buf, 5, MSG_WAITALL);
	submit(s, 2);
	ck_assert_int_eq(done(2), 5);
	ck_assert_str_eq(buf, "there");
}
END_TEST

START_TEST(uring_receives_later)
{
	struct io_uring_sqe *s;
	char buf[8] = "";
	int fd[2];

	sock_pair(fd);
	s = sqe();
	io_uring_prep_recv(s, fd[1], buf, 8, 0);
	submit(s, 1);
	ck_assert(none_done());
	write_all(fd[0], "late", 4);
	ck_assert_int_eq(done(1), 4);
	ck_assert_str_eq(buf, "late");
	s = sqe();
	io_uring_prep_recv(s, fd[1], buf, 8, 0);
	submit(s, 2);
	OK(shutdown(fd[0], SHUT_WR));
	ck_assert_int_eq(done(2), 0);
}
END_TEST

START_TEST(uring_waits_for_all)
{
	struct io_uring_sqe *s;
	char buf[8] = "";
	int fd[2];

	sock_pair(fd);
	s = sqe();
	io_uring_prep_recv(s, fd[1], buf, 6, MSG_WAITALL);
	submit(s, 1);
	write_all(fd[0], "abc", 3);
	ck_assert(none_done());
	write_all(fd[0], "def", 3);
	ck_assert_int_eq(done(1), 6);
	ck_assert_str_eq(buf, "abcdef");
}
END_TEST

START_TEST(uring_sends_when_there_is_room)
{
	struct io_uring_sqe *s;
	int fd[2], n;
	size_t sum;

	sock_pair(fd);
	sum = fill(fd[0]);
	s = sqe();
	io_uring_prep_send(s, fd[0], "x", 1, MSG_NOSIGNAL);
	submit(s, 1);
	ck_assert(none_done());
	drain(fd[1], sum);
	n = done(1);
	ck_assert_int_eq(n, 1);
	drain(fd[1], 1);
}
END_TEST

START_TEST(uring_polls)
{
	struct io_uring_sqe *s;
	int fd[2];

	sock_pair(fd);
	s = sqe();
	io_uring_prep_poll_add(s, fd[1], POLLIN);
	submit(s, 1);
	ck_assert(none_done());
	write_all(fd[0], "x", 1);
	ck_assert_int_eq(done(1), POLLIN);
}
END_TEST

/* It is told what woke it, and looks no more */
START_TEST(uring_poll_tells_of_a_byte)
{
	struct io_uring_sqe *s;
	char byte;
	int fd[2];

	sock_pair(fd);
	for (int i = 0; i < 20; i++) {
		s = sqe();
		io_uring_prep_poll_add(s, fd[1], POLLIN);
		submit(s, 1);
		ck_assert(none_done());
		write_all(fd[0], "x", 1);
		ck_assert_int_eq(done(1), POLLIN);
		ck_assert_int_eq(OK(recv(fd[1], &byte, 1, MSG_DONTWAIT)), 1);
		FAILS(recv(fd[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	}
}
END_TEST

START_TEST(uring_cancels_a_receive)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *s;
	char buf[8];
	int fd[2], i;

	sock_pair(fd);
	s = sqe();
	io_uring_prep_recv(s, fd[1], buf, 8, 0);
	submit(s, 1);
	s = sqe();
	io_uring_prep_cancel64(s, 1, 0);
	submit(s, 2);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(io_uring_wait_cqe(&ring, &cqe), 0);
		ck_assert_int_eq(cqe->res, cqe->user_data == 1 ? -ECANCELED :
								 0);
		io_uring_cqe_seen(&ring, cqe);
	}
	/* nothing was taken */
	write_all(fd[0], "kept", 4);
	read_all(fd[1], buf, 4);
	ck_assert_mem_eq(buf, "kept", 4);
}
END_TEST

START_TEST(uring_accepts_and_connects)
{
	struct io_uring_sqe *s;
	union addr addr;
	int listener = sock_listen(1, &addr), fd = sock_new(0), other;
	char byte;

	s = sqe();
	io_uring_prep_accept(s, listener, NULL, NULL, 0);
	submit(s, 1);
	ck_assert(none_done());
	OK(connect(fd, &addr.sa, ADDR_LEN));
	other = done(1);
	ck_assert_int_ge(other, 0);
	write_all(fd, "x", 1);
	s = sqe();
	io_uring_prep_read(s, other, &byte, 1, 0);
	submit(s, 2);
	ck_assert_int_eq(done(2), 1);
	s = sqe();
	io_uring_prep_shutdown(s, fd, SHUT_WR);
	submit(s, 3);
	ck_assert_int_eq(done(3), 0);
	read_eof(other);
	s = sqe();
	io_uring_prep_close(s, fd);
	submit(s, 4);
	ck_assert_int_eq(done(4), 0);
	read_eof(other);
}
END_TEST

START_TEST(uring_messages)
{
	struct iovec out[2] = { { "ab", 2 }, { "cde", 3 } };
	struct msghdr msg = { .msg_iov = out, .msg_iovlen = 2 };
	struct io_uring_sqe *s;
	char buf[8] = "";
	struct iovec in = { buf, 8 };
	int fd[2];

	sock_pair(fd);
	s = sqe();
	io_uring_prep_sendmsg(s, fd[0], &msg, 0);
	submit(s, 1);
	ck_assert_int_eq(done(1), 5);
	wait_for(fd[1], POLLIN);
	msg.msg_iov = &in;
	msg.msg_iovlen = 1;
	s = sqe();
	io_uring_prep_recvmsg(s, fd[1], &msg, 0);
	submit(s, 2);
	ck_assert_int_eq(done(2), 5);
	ck_assert_str_eq(buf, "abcde");
}
END_TEST

START_TEST(uring_splices)
{
	struct io_uring_sqe *s;
	int fd[2], pipe[2];
	char buf[8];

	sock_pair(fd);
	OK(pipe2(pipe, 0));
	write_all(fd[0], "abc", 3);
	wait_for(fd[1], POLLIN);
	s = sqe();
	io_uring_prep_splice(s, fd[1], -1, pipe[1], -1, 3, 0);
	submit(s, 1);
	ck_assert_int_eq(done(1), 3);
	ck_assert_int_eq(OK(read(pipe[0], buf, 8)), 3);
	ck_assert_mem_eq(buf, "abc", 3);
}
END_TEST

START_TEST(uring_hears_of_a_reset)
{
	struct linger l = { 1, 0 };
	struct io_uring_sqe *s;
	char buf[8];
	int fd[2];

	sock_pair(fd);
	s = sqe();
	io_uring_prep_recv(s, fd[1], buf, 8, 0);
	submit(s, 1);
	ck_assert(none_done());
	OK(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	close(fd[0]);
	ck_assert_int_eq(done(1), -ECONNRESET);
}
END_TEST

/* The ring's own threads do it, and may sleep in the call */
START_TEST(uring_receives_in_a_worker)
{
	struct io_uring_sqe *s;
	char buf[8] = "";
	int fd[2];

	sock_pair(fd);
	s = sqe();
	io_uring_prep_recv(s, fd[1], buf, 8, 0);
	s->flags |= IOSQE_ASYNC;
	submit(s, 1);
	ck_assert(none_done());
	write_all(fd[0], "late", 4);
	ck_assert_int_eq(done(1), 4);
	ck_assert_str_eq(buf, "late");
}
END_TEST

START_TEST(uring_connects)
{
	struct io_uring_sqe *s;
	union addr addr, nobody = addr_nobody();
	int listener = sock_listen(1, &addr), fd[2] = { sock_new(0) };

	s = sqe();
	io_uring_prep_connect(s, sock_new(0), &nobody.sa, ADDR_LEN);
	submit(s, 1);
	ck_assert_int_eq(done(1), -ECONNREFUSED);
	s = sqe();
	io_uring_prep_connect(s, fd[0], &addr.sa, ADDR_LEN);
	submit(s, 2);
	ck_assert_int_eq(done(2), 0);
	fd[1] = OK(accept(listener, NULL, NULL));
	flow_on(fd);
}
END_TEST

/* The result of a request that has more to come, if @more, and its buffer */
static int done_of_many(bool more, unsigned int *buffer)
{
	struct io_uring_cqe *cqe;
	int res;

	ck_assert_int_eq(io_uring_wait_cqe(&ring, &cqe), 0);
	res = cqe->res;
	*buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	ck_assert_int_eq(!!(cqe->flags & IORING_CQE_F_MORE), more);
	io_uring_cqe_seen(&ring, cqe);
	return res;
}

START_TEST(uring_accepts_many)
{
	struct io_uring_sqe *s;
	union addr addr;
	int listener = sock_listen(4, &addr), fd[2], i;
	unsigned int none;

	s = sqe();
	io_uring_prep_multishot_accept(s, listener, NULL, NULL, 0);
	submit(s, 1);
	for (i = 0; i < 5; i++) {
		ck_assert(none_done());
		fd[0] = sock_connect(&addr);
		fd[1] = done_of_many(true, &none);
		ck_assert_int_ge(fd[1], 0);
		flow_on(fd);
	}
}
END_TEST

/* One request for all that comes, and for its end */
START_TEST(uring_receives_many)
{
	static char room[32][64];
	struct io_uring_sqe *s;
	unsigned int buffer;
	int fd[2], i;

	sock_pair(fd);
	s = sqe();
	io_uring_prep_provide_buffers(s, room, sizeof(room[0]), 32, 7, 0);
	submit(s, 1);
	ck_assert_int_ge(done(1), 0);
	s = sqe();
	io_uring_prep_recv_multishot(s, fd[1], NULL, 0, 0);
	s->flags |= IOSQE_BUFFER_SELECT;
	s->buf_group = 7;
	submit(s, 2);
	for (i = 0; i < 20; i++) {
		if (i % 5 == 0)
			ck_assert(none_done());
		write_all(fd[0], &"abcdefghijklmnopqrst"[i], 1);
		ck_assert_int_eq(done_of_many(true, &buffer), 1);
		ck_assert_int_eq(room[buffer][0], 'a' + i);
	}
	OK(shutdown(fd[0], SHUT_WR));
	ck_assert_int_eq(done_of_many(false, &buffer), 0);
}
END_TEST

TCase *async_case(void)
{
	TCase *tc = tcase_create("async");

	tcase_set_timeout(tc, DEADLINE);
	tcase_add_test(tc, signal_tells_of_bytes);
	tcase_add_test(tc, each_signal_tells_of_a_byte);
	tcase_add_test(tc, signal_tells_of_the_end);
	tcase_add_test(tc, signal_tells_of_room);
	tcase_add_test(tc, blocked_writer_gets_no_signal_of_room);
	tcase_add_test(tc, signal_goes_to_the_thread_that_owns);
	tcase_add_test(tc, no_signal_once_it_is_off);
	tcase_add_test(tc, receive_is_restarted);
	tcase_add_test(tc, receive_with_a_timeout_is_not_restarted);
	tcase_add_test(tc, poll_is_interrupted);
	tcase_add_test(tc, send_is_restarted);
	tcase_add_test(tc, stopped_process_goes_on);
	tcase_add_test(tc, exclusive_watcher_is_woken);
	tcase_add_test(tc, nested_epoll_tells);
	tcase_add_test(tc, epoll_of_a_copy_outlives_the_descriptor);
	tcase_add_test(tc, uring_sends_and_receives);
	tcase_add_test(tc, uring_receives_later);
	tcase_add_test(tc, uring_waits_for_all);
	tcase_add_test(tc, uring_sends_when_there_is_room);
	tcase_add_test(tc, uring_polls);
	tcase_add_test(tc, uring_poll_tells_of_a_byte);
	tcase_add_test(tc, uring_cancels_a_receive);
	tcase_add_test(tc, uring_accepts_and_connects);
	tcase_add_test(tc, uring_messages);
	tcase_add_test(tc, uring_splices);
	tcase_add_test(tc, uring_hears_of_a_reset);
	tcase_add_test(tc, uring_receives_in_a_worker);
	tcase_add_test(tc, uring_connects);
	tcase_add_test(tc, uring_accepts_many);
	tcase_add_test(tc, uring_receives_many);
	return tc;
}
