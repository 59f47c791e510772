// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that send. What they say is checked against the model: how much may be
 * taken, when to wait, EPIPE with its signal, ECONNRESET after a reset only.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "model.h"

/**
 * struct sending - a call about to be made
 * @name: for the log
 * @len: bytes
 * @flags: MSG_*
 * @wait: it does not return before all is sent
 * @timed: it may be interrupted
 * @few: it may take fewer bytes although it waits
 * @parts: it sends some, and then some more, which may fail
 */
struct sending {
	const char *name;
	size_t len;
	int flags;
	bool wait;
	bool timed;
	bool few;
	bool parts;
};

static ssize_t by_write(struct end *e, struct sending *s)
{
	s->name = "write";
	s->flags = 0;
	return write(e->fd, e->buf, s->len);
}

static ssize_t by_send(struct end *e, struct sending *s)
{
	s->name = "send";
	return send(e->fd, e->buf, s->len, s->flags);
}

/* Cuts the buffer in pieces, some of them empty */
static int cut(struct end *e, size_t len, struct iovec *vec, int most)
{
	size_t at = 0, n;
	int i;

	for (i = 0; i < most; i++) {
		n = i == most - 1 ? len - at : pick(e, len - at + 1);
		vec[i] = (struct iovec){ e->buf + at, n };
		at += n;
	}
	return most;
}

static ssize_t by_writev(struct end *e, struct sending *s)
{
	struct iovec vec[5];
	int n = cut(e, s->len, vec, 1 + (int)pick(e, 5));

	s->name = "writev";
	s->flags = 0;
	return writev(e->fd, vec, n);
}

static ssize_t by_sendmsg(struct end *e, struct sending *s)
{
	struct iovec vec[5];
	struct msghdr msg = { .msg_iov = vec };

	s->name = "sendmsg";
	msg.msg_iovlen = (size_t)cut(e, s->len, vec, 1 + (int)pick(e, 5));
	return sendmsg(e->fd, &msg, s->flags);
}

/* A message of which a part was sent is followed by the next all the same */
static ssize_t by_sendmmsg(struct end *e, struct sending *s)
{
	struct mmsghdr msgs[3] = {};
	struct iovec vec[3];
	ssize_t sum = 0;
	int i, n;

	if (!s->wait || s->timed)
		return by_sendmsg(e, s);
	s->name = "sendmmsg";
	n = cut(e, s->len, vec, 3);
	for (i = 0; i < n; i++) {
		msgs[i].msg_hdr.msg_iov = &vec[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	n = sendmmsg(e->fd, msgs, 3, s->flags);
	for (i = 0; i < n; i++)
		sum += msgs[i].msg_len;
	s->few = n < 3;
	return n < 0 ? n : sum;
}

/* The file holds the stream: what was sent from it never changes */
static ssize_t by_sendfile(struct end *e, struct sending *s)
{
	off_t at = (off_t)e->sent;

	s->name = "sendfile";
	s->flags = 0;
	s->parts = true;
	if (pwrite(e->file, e->buf, s->len, at) != (ssize_t)s->len)
		wrong(e, "pwrite: %m");
	return sendfile(e->fd, e->file, &at, s->len);
}

static ssize_t by_splice(struct end *e, struct sending *s)
{
	static uint8_t rest[65536];
	ssize_t ret;
	int error;

	s->name = "splice";
	s->flags = one_in(e, 4) ? SPLICE_F_MORE : 0;
	s->few = true;
	if (s->len > 32768)
		s->len = 32768;
	if (write(e->pipe[1], e->buf, s->len) != (ssize_t)s->len)
		wrong(e, "write to a pipe: %m");
	ret = splice(e->pipe[0], NULL, e->fd, NULL, s->len, (unsigned int)s->flags);
	error = errno;
	while (read(e->pipe[0], rest, sizeof(rest)) > 0)
		;
	errno = error;
	return ret;
}

static void check_error(struct end *e, const struct sending *s)
{
	bool reset = atomic_load(&e->world->reset);

	if (errno == EAGAIN && !s->wait) {
		e->want_out = true;
		return;
	}
	if (errno == EINTR && s->timed)
		return;
	if (errno == EPIPE && (e->closed_out || reset))
		return;
	if (errno == ECONNRESET && reset && !e->told) {
		e->told = true;
		return;
	}
	wrong(e, "%s(%zu, %#x): %m", s->name, s->len, s->flags);
}

/* EPIPE comes with a signal unless it was not wanted */
static void check_signal(struct end *e, const struct sending *s, ssize_t ret)
{
	int want = ret < 0 && errno == EPIPE && !(s->flags & MSG_NOSIGNAL);
	int had = pipe_signals;

	pipe_signals = 0;
	/* splice() has several ways to say it */
	if (!s->few && had != want && !(s->parts && ret > 0))
		wrong(e, "%s(%zu, %#x) = %zd: SIGPIPE came %d times", s->name,
		      s->len, s->flags, ret, had);
}

static void check_count(struct end *e, const struct sending *s, ssize_t ret)
{
	if (ret > (ssize_t)s->len || (!ret && s->len))
		wrong(e, "%s(%zu, %#x) = %zd", s->name, s->len, s->flags, ret);
	if (e->closed_out && s->len)
		wrong(e, "%s(%zu) = %zd after shutdown", s->name, s->len, ret);
	if (s->wait && !s->timed && !s->few && ret != (ssize_t)s->len &&
	    !atomic_load(&e->world->reset))
		wrong(e, "%s(%zu, %#x) = %zd, although it may wait", s->name,
		      s->len, s->flags, ret);
}

static ssize_t make_call(struct end *e, struct sending *s)
{
	/* Four know no MSG_DONTWAIT */
	uint64_t i = pick(e, s->wait || e->nonblock ? 8 : 4);

	switch (i) {
	case 0:
		return by_sendmsg(e, s);
	case 1:
		return by_sendmmsg(e, s);
	case 4:
		return by_write(e, s);
	case 5:
		return by_writev(e, s);
	case 6:
		return by_sendfile(e, s);
	case 7:
		return by_splice(e, s);
	default:
		return by_send(e, s);
	}
}

static size_t pick_len(struct end *e)
{
	static const size_t most[] = { 8, 200, 5000 };
	uint64_t i = pick(e, 4);
	size_t len = 1 + pick(e, i < 3 ? most[i] : e->world->most);

	if (len > MODEL_LIMIT - e->sent)
		len = MODEL_LIMIT - e->sent;
	return len;
}

/*
 * Waiting is for the end whose bytes are always read in the end, or for so few
 * that there is room for certain, or with a clock running.
 */
static void pick_wait(struct end *e, struct sending *s)
{
	uint64_t unread = e->sent - atomic_load(&e->out->read);

	s->timed = e->world->theme == THEME_SIGNALS && one_in(e, 2);
	s->wait = !e->nonblock && (e->side == e->world->blocker || s->timed ||
				   unread + s->len < 64);
	if (s->wait && one_in(e, 3)) {
		s->wait = false;
		s->timed = false;
	}
	if (e->nonblock)
		s->timed = false;
	s->flags = s->wait ? 0 : MSG_DONTWAIT;
	if (one_in(e, 2))
		s->flags |= MSG_NOSIGNAL;
	if (one_in(e, 12))
		s->flags |= MSG_MORE;
}

void end_send(struct end *e)
{
	struct sending s = { .len = pick_len(e) };
	ssize_t ret;

	pick_wait(e, &s);
	pattern(e->world, e->side, e->sent, e->buf, s.len);
	/* Behind a shutdown nothing is sent, and the end stays where it is */
	if (!e->closed_out)
		atomic_store(&e->out->begun, e->sent + s.len);
	if (s.timed)
		interrupt_soon(e);
	note(e, "sends %zu", s.len);
	ret = make_call(e, &s);
	if (s.timed) {
		int error = errno;

		interrupt_never();
		errno = error;
	}
	answer(e, s.name, s.len, s.flags, ret);
	check_signal(e, &s, ret);
	if (ret < 0)
		check_error(e, &s);
	else
		check_count(e, &s, ret);
	if (ret > 0)
		e->sent += (uint64_t)ret;
	atomic_store(&e->out->begun, e->sent);
	atomic_store(&e->out->done, e->sent);
}
