/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A connection, two processes at its ends, and a model of what TCP may answer.
 *
 * All that the two ends do comes from a seed. Each notes in shared memory what
 * it has begun and what is done, and checks each answer against that: bytes know
 * their place in the stream; a call that waits is made only if it has to end.
 */
#ifndef MODEL_H
#define MODEL_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MODEL_LIMIT	(4 << 20)	/* bytes of a direction */
#define MODEL_ROOM	(256 << 10)	/* bytes of a call */
#define MODEL_LOG	24		/* calls of each end that are remembered */

/* What the seeds are about, by turns. */
enum theme {
	THEME_TRANSFER,		/* all calls that move bytes */
	THEME_SIGNALS,		/* the same, interrupted */
	THEME_OPTIONS,		/* options, some of which want TCP back */
	THEME_ENDS,		/* shutdown, close, reset at any time */
	THEMES,
};

enum level { NOT, MAYBE, SURE };

/**
 * struct way - one direction
 * @begun: no byte from here on has been handed to a call
 * @done: all bytes before have been taken by calls that returned
 * @read: so many have been read
 * @fin: the writer begins to end it, or has
 */
struct way {
	_Atomic uint64_t begun;
	_Atomic uint64_t done;
	_Atomic uint64_t read;
	_Atomic int fin;
};

/**
 * struct world - what both ends and their parent see
 * @seed: of all that happens
 * @theme: one of &enum theme
 * @blocker: the end that may send more than there is room for, and wait
 * @most: bytes of a call
 * @steps: calls of each end
 * @meetings: how often both ends meet with all bytes read
 * @ways: by the end that writes
 * @met: meetings that each end has come to
 * @gone: ends that have closed
 * @reset: has the connection been reset?
 * @failed: somebody has seen something wrong, and said it in @text
 * @log: last calls of each end
 * @calls: how many there were
 */
struct world {
	uint64_t seed;
	enum theme theme;
	int blocker;
	size_t most;
	int steps[2];
	int meetings;
	struct way ways[2];
	_Atomic int met[2];
	_Atomic int gone[2];
	_Atomic int reset;
	_Atomic int failed;
	char text[512];
	char log[2][MODEL_LOG][120];
	_Atomic uint32_t calls[2];
};

/**
 * struct end - one end; only its process knows it
 * @world: the shared part
 * @side: 0 has connected, 1 was accepted
 * @fd: socket
 * @out: direction in which this end writes
 * @in: direction in which it reads
 * @random: state of the generator
 * @sent: position of the next byte to send
 * @got: position of the next byte to read
 * @seen: bytes that are there to be read for certain: they were seen
 * @lowat: SO_RCVLOWAT
 * @nonblock: O_NONBLOCK is set
 * @corked: TCP_CORK is set
 * @closed_out: shutdown(SHUT_WR) was called
 * @closed_in: shutdown(SHUT_RD) was called
 * @eof: the end of the stream was read
 * @told: the error of a reset was told
 * @want_in: a read found nothing: the next byte brings an edge
 * @want_out: a send found no room: room brings an edge
 * @epoll: descriptor that has the socket, edge-triggered
 * @file: holds the stream, to be sent from
 * @pipe: to splice
 * @buf: room for a call
 */
struct end {
	struct world *world;
	int side;
	int fd;
	struct way *out;
	struct way *in;
	uint64_t random;
	uint64_t sent;
	uint64_t got;
	uint64_t seen;
	uint32_t lowat;
	bool nonblock;
	bool corked;
	bool closed_out;
	bool closed_in;
	bool eof;
	bool told;
	bool want_in;
	bool want_out;
	int epoll;
	int file;
	int pipe[2];
	uint8_t *buf;
};

/* world.c */
uint64_t model_next(uint64_t *state);
uint64_t pick(struct end *e, uint64_t below);
bool one_in(struct end *e, unsigned int n);
void pattern(const struct world *world, int side, uint64_t at, uint8_t *buf,
	     size_t len);
void note(struct end *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void wrong(struct end *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));
void answer(struct end *e, const char *call, size_t len, int flags,
	    ssize_t ret);
void interrupt_soon(struct end *e);
void interrupt_never(void);
extern volatile sig_atomic_t pipe_signals;

/* The model: what a direction may hold. */
uint64_t surely_there(const struct end *e);
bool stream_may_end(const struct end *e);

/* send.c, recv.c, ready.c, life.c: calls */
void end_send(struct end *e);
void end_recv(struct end *e);
void read_on(struct end *e);
void read_what_is_there(struct end *e);
void end_look(struct end *e);
void wait_readable(struct end *e);
void wait_writable(struct end *e);
void end_option(struct end *e);
void end_shutdown(struct end *e);
void end_live(struct end *e);

#endif /* MODEL_H */
