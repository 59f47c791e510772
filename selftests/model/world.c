// SPDX-License-Identifier: GPL-2.0
/*
 * What an end needs to play by a seed: chance, bytes that know their place, a
 * memory of its calls, signals.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "model.h"

volatile sig_atomic_t pipe_signals;

/* A generator of 64 bits of state whose neighbours have nothing in common */
uint64_t model_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

uint64_t pick(struct end *e, uint64_t below)
{
	return model_next(&e->random) % below;
}

bool one_in(struct end *e, unsigned int n)
{
	return !pick(e, n);
}

/* Bytes @at and on of the direction in which @side writes */
void pattern(const struct world *world, int side, uint64_t at, uint8_t *buf,
	     size_t len)
{
	uint64_t state, word = 0;
	size_t i;

	for (i = 0; i < len; i++, at++) {
		if (!i || at % 8 == 0) {
			state = world->seed * 2 + side + (at / 8 << 32);
			word = model_next(&state);
		}
		buf[i] = word >> (at % 8 * 8);
	}
}

void note(struct end *e, const char *fmt, ...)
{
	uint32_t n = atomic_fetch_add(&e->world->calls[e->side], 1);
	char *line = e->world->log[e->side][n % MODEL_LOG];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(e->world->log[0][0]), fmt, args);
	va_end(args);
}

/* The first who finds something wrong says it, and the other end goes too */
void wrong(struct end *e, const char *fmt, ...)
{
	struct world *world = e->world;
	int none = 0;
	va_list args;
	int n;

	if (atomic_compare_exchange_strong(&world->failed, &none, 1)) {
		n = snprintf(world->text, sizeof(world->text),
			     "end %d, sent %llu, read %llu: ", e->side,
			     (unsigned long long)e->sent,
			     (unsigned long long)e->got);
		va_start(args, fmt);
		vsnprintf(world->text + n, sizeof(world->text) - (size_t)n,
			  fmt, args);
		va_end(args);
		atomic_store(&world->failed, 2);
	}
	_exit(1);
}

/* Notes what a call has answered */
void answer(struct end *e, const char *call, size_t len, int flags, ssize_t ret)
{
	int error = errno;

	note(e, "%s(%zu, %#x) = %zd%s%s, sent %llu, read %llu", call, len, flags,
	     ret, ret < 0 ? " " : "", ret < 0 ? strerrorname_np(error) : "",
	     (unsigned long long)e->sent, (unsigned long long)e->got);
	errno = error;
}

/* Again and again: the call may not have begun to wait */
void interrupt_soon(struct end *e)
{
	suseconds_t us = 500 + (suseconds_t)pick(e, 10000);
	struct itimerval it = { { 0, us }, { 0, us } };

	if (setitimer(ITIMER_REAL, &it, NULL))
		wrong(e, "setitimer: %m");
}

void interrupt_never(void)
{
	struct itimerval it = {};

	setitimer(ITIMER_REAL, &it, NULL);
}

/*
 * Bytes to read that must come, if they are not there already. They may be read
 * before the call that has sent them returns.
 */
uint64_t surely_there(const struct end *e)
{
	uint64_t done = atomic_load(&e->in->done);

	return done > e->got ? done - e->got : 0;
}

/* May a read say that there is no more? */
bool stream_may_end(const struct end *e)
{
	if (e->closed_in || atomic_load(&e->world->reset))
		return true;
	return atomic_load(&e->in->fin) && e->got == atomic_load(&e->in->begun);
}
