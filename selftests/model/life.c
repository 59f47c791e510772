// SPDX-License-Identifier: GPL-2.0
/*
 * The life of an end: calls by chance, meetings at which all is read, its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "model.h"

static void set(struct end *e, int level, int option, int value)
{
	int ret = setsockopt(e->fd, level, option, &value, sizeof(value));

	answer(e, "setsockopt", (size_t)value, option, ret);
	if (ret && !(errno == EINVAL && atomic_load(&e->world->reset)))
		wrong(e, "setsockopt(%d, %d, %d): %m", level, option, value);
}

static bool has_tcp(struct end *e)
{
	int protocol = 0;
	socklen_t len = sizeof(protocol);

	return !getsockopt(e->fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) &&
	       protocol == IPPROTO_TCP;
}

static void toggle_nonblock(struct end *e)
{
	e->nonblock = !e->nonblock;
	if (fcntl(e->fd, F_SETFL, e->nonblock ? O_NONBLOCK : 0))
		wrong(e, "F_SETFL: %m");
	note(e, "O_NONBLOCK %d", e->nonblock);
}

/* What rings do not carry: the connection goes back to TCP */
static void ask_for_tcp(struct end *e)
{
	switch (pick(e, 4)) {
	case 0:
		set(e, SOL_SOCKET, SO_MARK, 0);
		break;
	case 1:
		set(e, SOL_SOCKET, SO_MAX_PACING_RATE, -1);
		break;
	case 2:
		set(e, SOL_SOCKET, SO_TIMESTAMP, one_in(e, 2));
		break;
	case 3:
		set(e, IPPROTO_TCP, TCP_INQ, one_in(e, 2));
	}
}

static void set_lowat(struct end *e, uint32_t lowat)
{
	set(e, SOL_SOCKET, SO_RCVLOWAT, (int)lowat);
	e->lowat = lowat;
}

void end_option(struct end *e)
{
	bool tcp = has_tcp(e);

	switch (pick(e, tcp ? 6 : 2)) {
	case 0:
		toggle_nonblock(e);
		break;
	case 1:
		set_lowat(e, one_in(e, 2) ? 1 : 1 + (uint32_t)pick(e, 2000));
		break;
	case 2:
		set(e, IPPROTO_TCP, TCP_NODELAY, one_in(e, 2));
		break;
	case 3:
		e->corked = !e->corked;
		set(e, IPPROTO_TCP, TCP_CORK, e->corked);
		break;
	case 4:
		set(e, IPPROTO_TCP, TCP_QUICKACK, one_in(e, 2));
		break;
	case 5:
		if (one_in(e, 4))
			ask_for_tcp(e);
	}
}

/* ---- meetings ----------------------------------------------------------- */

static bool other_is_at(struct end *e, int meeting)
{
	return atomic_load(&e->world->met[!e->side]) >= meeting ||
	       atomic_load(&e->world->gone[!e->side]) ||
	       atomic_load(&e->world->failed);
}

static void come_to(struct end *e, int meeting)
{
	struct pollfd pfd = { e->fd, POLLIN, 0 };

	atomic_store(&e->world->met[e->side], meeting);
	note(e, "has come to %d", meeting);
	/* The other end may wait for this one to read */
	while (!other_is_at(e, meeting)) {
		if (surely_there(e))
			read_on(e);
		else
			poll(&pfd, 1, 1);
	}
}

/* Nothing is sent any more: all can be read, and then there is nothing */
static void check_all_read(struct end *e)
{
	int n = -1;

	while (surely_there(e) && !atomic_load(&e->world->reset)) {
		/* It shall not wait for more than there is */
		if (e->lowat > surely_there(e))
			set_lowat(e, 1);
		read_on(e);
	}
	if (atomic_load(&e->in->fin) || atomic_load(&e->world->reset) ||
	    e->closed_in)
		return;
	e->seen = 0;
	if (ioctl(e->fd, FIONREAD, &n) || n)
		wrong(e, "FIONREAD: %d where all is read", n);
	read_what_is_there(e);
}

static void meet(struct end *e, int number)
{
	if (e->corked) {
		e->corked = false;
		set(e, IPPROTO_TCP, TCP_CORK, 0);
	}
	come_to(e, 3 * number + 1);
	check_all_read(e);
	come_to(e, 3 * number + 2);
	if (!atomic_load(&e->world->gone[!e->side]) &&
	    !atomic_load(&e->world->failed))
		wait_writable(e);
	come_to(e, 3 * number + 3);
}

/* ---- the end ------------------------------------------------------------ */

static void stop_sending(struct end *e, int how)
{
	bool both = (e->closed_out || how != SHUT_RD) &&
		    (e->closed_in || how != SHUT_WR);
	int ret;

	/* What comes behind a shutdown of both ways is answered with a reset */
	if (both && atomic_load(&e->world->reset) == NOT)
		atomic_store(&e->world->reset, MAYBE);
	if (how != SHUT_RD)
		atomic_store(&e->out->fin, 1);
	ret = shutdown(e->fd, how);
	answer(e, "shutdown", 0, how, ret);
	if (ret && !(errno == ENOTCONN && atomic_load(&e->world->reset)))
		wrong(e, "shutdown(%d): %m", how);
	if (how != SHUT_RD) {
		e->closed_out = true;
		atomic_store(&e->out->fin, 2);
	}
	if (how != SHUT_WR)
		e->closed_in = true;
}

void end_shutdown(struct end *e)
{
	uint64_t i = pick(e, 8);

	stop_sending(e, i < 6 ? SHUT_WR : i == 6 ? SHUT_RD : SHUT_RDWR);
}

/* Close, and say before what the other end may see of it */
static void end_close(struct end *e)
{
	int n = 0, level = NOT;

	if (!e->eof && !(atomic_load(&e->in->fin) == 2 && !surely_there(e)))
		level = MAYBE;
	if (e->world->theme == THEME_ENDS && one_in(e, 4)) {
		struct linger linger = { 1, 0 };

		level = SURE;
		if (setsockopt(e->fd, SOL_SOCKET, SO_LINGER, &linger,
			       sizeof(linger)))
			wrong(e, "SO_LINGER: %m");
	} else if (!ioctl(e->fd, FIONREAD, &n) && n) {
		level = SURE;
	}
	note(e, "closes, reset %d", level);
	if (level && atomic_load(&e->world->reset) == NOT)
		atomic_store(&e->world->reset, MAYBE);
	if (!atomic_load(&e->out->fin))
		atomic_store(&e->out->fin, 1);
	close(e->epoll);
	if (close(e->fd))
		wrong(e, "close: %m");
	atomic_store(&e->out->fin, 2);
	if (level == SURE)
		atomic_store(&e->world->reset, SURE);
	atomic_store(&e->world->gone[e->side], 1);
}

static void finish(struct end *e)
{
	bool abrupt = e->world->theme == THEME_ENDS && one_in(e, 2);

	if (!abrupt) {
		if (!e->closed_out)
			stop_sending(e, SHUT_WR);
		while (!e->eof && !e->closed_in && !e->told) {
			/* The other end closes at last */
			wait_readable(e);
			read_what_is_there(e);
		}
		if (!atomic_load(&e->world->reset) && !e->closed_in &&
		    e->got != atomic_load(&e->in->done))
			wrong(e, "the stream has ended too soon");
	}
	end_close(e);
}

static void step(struct end *e)
{
	bool full = e->closed_out || e->sent == MODEL_LIMIT;
	uint64_t i = pick(e, 20);

	if (e->world->theme == THEME_ENDS && one_in(e, 15) && !e->closed_out)
		end_shutdown(e);
	else if (e->world->theme == THEME_OPTIONS && i < 5)
		end_option(e);
	else if (i < 9 && (!full || one_in(e, 5)))
		end_send(e);
	else if (i < 16)
		end_recv(e);
	else
		end_look(e);
}

void end_live(struct end *e)
{
	int steps = e->world->steps[e->side];
	int every = 1 + steps / (1 + e->world->meetings);
	int i;

	for (i = 1; i <= steps && !atomic_load(&e->world->failed); i++) {
		step(e);
		if (i % every == 0)
			meet(e, i / every - 1);
	}
	if (!atomic_load(&e->world->failed))
		finish(e);
}
