// SPDX-License-Identifier: GPL-2.0
/*
 * What poll, epoll and ioctl say of a socket, and whether reading and writing
 * say the same.
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/sockios.h>
#include <unistd.h>

#include "model.h"

static bool is_reset(struct end *e)
{
	return atomic_load(&e->world->reset);
}

/* No such bit without a reason. @events: of poll() or epoll */
static void check_bits(struct end *e, uint32_t events)
{
	bool peer_ends = atomic_load(&e->in->fin) || e->closed_in;

	if (is_reset(e))
		return;
	if (events & POLLERR)
		wrong(e, "POLLERR without a reset");
	if (events & POLLRDHUP && !peer_ends)
		wrong(e, "POLLRDHUP, but the peer goes on");
	if (events & POLLHUP && !(peer_ends && e->closed_out))
		wrong(e, "POLLHUP, but not both ways have ended");
}

/* These must be there */
static void check_known(struct end *e, short events)
{
	bool ended = e->eof || e->closed_in;

	if ((e->seen >= e->lowat || ended) && !(events & POLLIN))
		wrong(e, "poll: %#x, but %llu bytes were seen%s", events,
		      (unsigned long long)e->seen,
		      ended ? " and the end" : "");
	if (ended && !(events & POLLRDHUP))
		wrong(e, "poll: %#x at the end of the stream", events);
	if (ended && e->closed_out && !(events & POLLHUP))
		wrong(e, "poll: %#x, but both ways have ended", events);
}

/* A read that does not wait finds what POLLIN has promised */
static void check_in(struct end *e)
{
	uint8_t byte;
	ssize_t ret = recv(e->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	answer(e, "peek", 1, 0, ret);
	if (ret < 0 && errno == EAGAIN)
		wrong(e, "POLLIN, but a read finds nothing");
	if (ret < 0) {
		if (!is_reset(e) || e->told)
			wrong(e, "POLLIN, then recv: %m");
		e->told = true;
	}
	if (!ret && !stream_may_end(e))
		wrong(e, "POLLIN, then an end that is none");
	if (!ret && e->seen)
		wrong(e, "an end, but %llu bytes were seen",
		      (unsigned long long)e->seen);
	if (ret > 0 && !e->seen)
		e->seen = 1;
}

static void look(struct end *e)
{
	struct pollfd pfd = { e->fd, POLLIN | POLLOUT | POLLRDHUP, 0 };
	int ret = poll(&pfd, 1, 0);

	answer(e, "poll", 0, pfd.revents, ret);
	if (ret < 0)
		wrong(e, "poll: %m");
	check_known(e, pfd.revents);
	check_bits(e, (uint32_t)pfd.revents);
	if (pfd.revents & POLLIN)
		check_in(e);
}

static void count_in(struct end *e)
{
	int n = -1;

	if (ioctl(e->fd, SIOCINQ, &n))
		wrong(e, "SIOCINQ: %m");
	answer(e, "SIOCINQ", 0, 0, n);
	if (n < 0 || (uint64_t)n < e->seen)
		wrong(e, "SIOCINQ: %d, but %llu bytes were seen", n,
		      (unsigned long long)e->seen);
	if ((uint64_t)n > atomic_load(&e->in->begun) - e->got)
		wrong(e, "SIOCINQ: %d, more than was sent", n);
	e->seen = (uint64_t)n;
}

/* What is acknowledged may be unread, and what is read unacknowledged */
static void count_out(struct end *e)
{
	int n = -1;

	if (ioctl(e->fd, SIOCOUTQ, &n))
		wrong(e, "SIOCOUTQ: %m");
	answer(e, "SIOCOUTQ", 0, 0, n);
	if (n < 0 || (uint64_t)n > e->sent + 1)
		wrong(e, "SIOCOUTQ: %d, but %llu were sent", n,
		      (unsigned long long)e->sent);
}

/* An error is told once */
static void ask_error(struct end *e)
{
	int error = -1;
	socklen_t len = sizeof(error);

	if (getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &error, &len))
		wrong(e, "SO_ERROR: %m");
	answer(e, "SO_ERROR", 0, 0, error);
	if (!error)
		return;
	if (!is_reset(e) || e->told ||
	    (error != ECONNRESET && error != EPIPE))
		wrong(e, "SO_ERROR: %d", error);
	e->told = true;
}

/* Edges that have come, or have to come */
static void edges(struct end *e)
{
	bool in = e->want_in && surely_there(e) >= e->lowat;
	bool out = e->want_out && !e->closed_out &&
		   atomic_load(&e->out->read) == e->sent;
	struct epoll_event event = {};
	int ret;

	note(e, "epoll_wait, in %d, out %d", in, out);
	do {
		ret = epoll_wait(e->epoll, &event, 1, in || out ? -1 : 0);
		if (ret < 0 && errno == EINTR)
			continue;
		answer(e, "epoll_wait", 0, (int)event.events, ret);
		if (ret < 0)
			wrong(e, "epoll_wait: %m");
		check_bits(e, event.events);
		in = in && !(event.events & EPOLLIN);
		out = out && !(event.events & EPOLLOUT);
		e->want_in = e->want_in && !(event.events & EPOLLIN);
		e->want_out = e->want_out && !(event.events & EPOLLOUT);
	} while (in || out);
	if (event.events & EPOLLIN)
		check_in(e);
}

void end_look(struct end *e)
{
	switch (pick(e, 6)) {
	case 0:
		count_in(e);
		break;
	case 1:
		count_out(e);
		break;
	case 2:
		if (one_in(e, 4))
			ask_error(e);
		break;
	case 3:
		edges(e);
		break;
	default:
		look(e);
	}
}

/* The deadline of the parent ends what does not come */
static short wait_for(struct end *e, short events)
{
	struct pollfd pfd = { e->fd, events, 0 };
	int ret;

	note(e, "waits for %#x", events);
	do
		ret = poll(&pfd, 1, -1);
	while (ret < 0 && errno == EINTR);
	answer(e, "poll", 0, pfd.revents, ret);
	check_bits(e, (uint32_t)pfd.revents);
	return pfd.revents;
}

/* Bytes were sent, or the stream ends: it must be seen */
void wait_readable(struct end *e)
{
	if (wait_for(e, POLLIN) & POLLIN)
		check_in(e);
}

/* All was read: there must be room */
void wait_writable(struct end *e)
{
	if (!e->closed_out)
		wait_for(e, POLLOUT);
}
