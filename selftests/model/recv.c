// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that receive. What they bring is checked byte for byte; how much, when
 * they may bring nothing, and when the stream may end, against the model.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "model.h"

#define CANARY		0xa5
#define CANARIES	16
#define PEEK_MOST	4096	/* with MSG_WAITALL: there is room for so many */

/**
 * struct receiving - a call about to be made
 * @name: for the log
 * @len: bytes
 * @flags: MSG_*
 * @wait: it may sleep, and something has to come
 * @timed: it may be interrupted
 * @need: bytes that it does not return without, if it waits
 * @few: one byte will do where there are more
 */
struct receiving {
	const char *name;
	size_t len;
	int flags;
	bool wait;
	bool timed;
	size_t need;
	bool few;
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static ssize_t by_recv(struct end *e, struct receiving *r)
{
	r->name = "recv";
	return recv(e->fd, e->buf, r->len, r->flags);
}

static ssize_t by_read(struct end *e, struct receiving *r)
{
	r->name = "read";
	return read(e->fd, e->buf, r->len);
}

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

static ssize_t by_readv(struct end *e, struct receiving *r)
{
	struct iovec vec[5];
	int n = cut(e, r->len, vec, 1 + (int)pick(e, 5));

	r->name = "readv";
	return readv(e->fd, vec, n);
}

static ssize_t by_recvmsg(struct end *e, struct receiving *r)
{
	char control[256];
	struct iovec vec[5];
	struct msghdr msg = {
		.msg_iov = vec,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ssize_t ret;

	r->name = "recvmsg";
	msg.msg_iovlen = (size_t)cut(e, r->len, vec, 1 + (int)pick(e, 5));
	ret = recvmsg(e->fd, &msg, r->flags);
	if (ret >= 0 && msg.msg_flags & ~MSG_TRUNC)
		wrong(e, "recvmsg: flags %#x", msg.msg_flags);
	return ret;
}

/* A pipe has room for 16 pieces, not for so many bytes */
static ssize_t by_splice(struct end *e, struct receiving *r)
{
	ssize_t ret, n, sum = 0;

	r->name = "splice";
	r->few = true;
	if (r->len > 32768)
		r->len = 32768;
	ret = splice(e->fd, NULL, e->pipe[1], NULL, r->len, 0);
	while (sum < ret) {
		n = read(e->pipe[0], e->buf + sum, (size_t)(ret - sum));
		if (n <= 0)
			wrong(e, "read from a pipe: %zd, %m", n);
		sum += n;
	}
	return ret;
}

static ssize_t make_call(struct end *e, struct receiving *r)
{
	bool plain = e->nonblock || r->wait;
	uint64_t i = pick(e, 6);

	if (i == 0)
		return by_recvmsg(e, r);
	/* These know no flags */
	if (i < 4 && plain && !r->flags)
		return i == 1 ? by_read(e, r) : i == 2 ? by_readv(e, r) :
		       by_splice(e, r);
	return by_recv(e, r);
}

/* ---- what came ---------------------------------------------------------- */

static void check_bytes(struct end *e, const struct receiving *r, size_t n)
{
	static uint8_t want[MODEL_ROOM];
	size_t i;

	if (r->flags & MSG_TRUNC)
		memset(want, CANARY, n);
	else
		pattern(e->world, !e->side, e->got, want, n);
	memset(want + n, CANARY, CANARIES);
	for (i = 0; i < n + CANARIES; i++) {
		if (e->buf[i] != want[i])
			wrong(e, "%s(%zu, %#x) = %zu: byte %zu is %#x, not %#x",
			      r->name, r->len, r->flags, n, i, e->buf[i],
			      want[i]);
	}
}

static void check_enough(struct end *e, const struct receiving *r, size_t n)
{
	size_t there = least(e->seen, r->len);

	if (r->few && there)
		there = 1;
	if (n < there)
		wrong(e, "%s(%zu, %#x) = %zu, but %zu bytes were seen before",
		      r->name, r->len, r->flags, n, there);
	if (!r->wait || r->timed || r->few || n >= r->need)
		return;
	/* Only its end cuts it short */
	if (!atomic_load(&e->in->fin) && !atomic_load(&e->world->reset) &&
	    !e->closed_in)
		wrong(e, "%s(%zu, %#x) = %zu, although it may wait for %zu",
		      r->name, r->len, r->flags, n, r->need);
}

static void check_some(struct end *e, const struct receiving *r, size_t n)
{
	if (n > r->len || e->got + n > atomic_load(&e->in->begun))
		wrong(e, "%s(%zu, %#x) = %zu, too many", r->name, r->len,
		      r->flags, n);
	if (e->eof)
		wrong(e, "%s = %zu behind the end", r->name, n);
	check_bytes(e, r, n);
	check_enough(e, r, n);
	if (r->flags & MSG_PEEK) {
		if (n > e->seen)
			e->seen = n;
		return;
	}
	e->got += n;
	e->seen -= least(e->seen, n);
	atomic_store(&e->in->read, e->got);
}

static void check_none(struct end *e, const struct receiving *r)
{
	if (!r->len)
		return;
	if (e->seen)
		wrong(e, "%s(%zu, %#x) = 0, but %llu bytes were seen", r->name,
		      r->len, r->flags, (unsigned long long)e->seen);
	if (!stream_may_end(e))
		wrong(e, "%s(%zu, %#x) = 0: the stream has not ended", r->name,
		      r->len, r->flags);
	if (!e->closed_in)
		e->eof = true;
}

static void check_error(struct end *e, const struct receiving *r)
{
	bool reset = atomic_load(&e->world->reset);

	if (errno == EAGAIN && !r->wait) {
		if (e->seen)
			wrong(e, "%s(%zu, %#x): EAGAIN, but %llu bytes were seen",
			      r->name, r->len, r->flags,
			      (unsigned long long)e->seen);
		if (e->eof || e->closed_in)
			wrong(e, "%s(%zu, %#x): EAGAIN behind the end", r->name,
			      r->len, r->flags);
		if (r->len)
			e->want_in = true;
		return;
	}
	if (errno == EINTR && r->timed)
		return;
	/* EPIPE: of a reset behind the end of the stream */
	if ((errno == ECONNRESET || errno == EPIPE) && reset && !e->told) {
		e->told = true;
		return;
	}
	wrong(e, "%s(%zu, %#x): %m", r->name, r->len, r->flags);
}

static void receive(struct end *e, struct receiving *r)
{
	ssize_t ret;
	int error;

	if (r->len > MODEL_ROOM - CANARIES)
		r->len = MODEL_ROOM - CANARIES;
	memset(e->buf, CANARY, r->len + CANARIES);
	if (r->timed)
		interrupt_soon(e);
	note(e, "receives %zu, %#x, %s%s", r->len, r->flags,
	     r->wait ? "waits" : "", r->timed ? " for a while" : "");
	ret = make_call(e, r);
	error = errno;
	if (r->timed)
		interrupt_never();
	errno = error;
	answer(e, r->name, r->len, r->flags, ret);
	if (ret > 0)
		check_some(e, r, (size_t)ret);
	else if (!ret)
		check_none(e, r);
	else
		check_error(e, r);
}

/* ---- what to call ------------------------------------------------------- */

static size_t pick_len(struct end *e)
{
	static const size_t most[] = { 8, 200, 5000 };
	uint64_t i = pick(e, 4);

	return pick(e, 1 + (i < 3 ? most[i] : e->world->most));
}

/* Waiting is for what has to come, or with a clock running */
static void pick_wait(struct end *e, struct receiving *r)
{
	uint64_t sure = surely_there(e);
	bool ends = e->eof || e->closed_in || atomic_load(&e->in->fin) == 2 ||
		    atomic_load(&e->world->reset) == SURE;

	if (one_in(e, 5) && r->flags & MSG_PEEK)
		r->len = least(r->len, PEEK_MOST);
	if (one_in(e, 4) && (!(r->flags & MSG_PEEK) || r->len <= PEEK_MOST))
		r->flags |= MSG_WAITALL;
	r->need = r->flags & MSG_WAITALL ? r->len : least(r->len, e->lowat);
	r->timed = e->world->theme == THEME_SIGNALS && one_in(e, 2);
	r->wait = !e->nonblock && one_in(e, 2) &&
		  (ends || r->timed || (r->len && r->need <= sure));
	if (!r->wait)
		r->timed = false;
	if (!r->wait)
		r->flags |= MSG_DONTWAIT;
}

void end_recv(struct end *e)
{
	struct receiving r = { .len = pick_len(e) };

	if (one_in(e, 5))
		r.flags |= MSG_PEEK;
	if (one_in(e, 10))
		r.flags |= MSG_TRUNC;
	pick_wait(e, &r);
	/* read() and splice() have no flags and do not wait on such a socket */
	if (e->nonblock && one_in(e, 2))
		r.flags = 0;
	receive(e, &r);
}

/* Takes bytes that have to come, and says so if they do not */
void read_on(struct end *e)
{
	struct receiving r = { .len = e->world->most };

	if (surely_there(e) >= e->lowat)
		wait_readable(e);
	r.flags = MSG_DONTWAIT;
	receive(e, &r);
}

/* Nothing, if that is what there is */
void read_what_is_there(struct end *e)
{
	struct receiving r = { .len = e->world->most, .flags = MSG_DONTWAIT };

	receive(e, &r);
}
