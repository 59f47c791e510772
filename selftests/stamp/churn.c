// SPDX-License-Identifier: GPL-2.0
/*
 * churn: many connections, one after another, each opened, used and closed.
 *
 *	churn serve inet|xenvmc PORT
 *	churn run inet|xenvmc ADDRESS PORT COUNT
 *
 * On each, the running end sends 64 bytes and half-closes, the serving end sends
 * them back and closes, and the running end checks that it got them and the end
 * of the stream. "serve" says "listens" when it does, and ends with its standard
 * input. "run" says "done COUNT", or what went wrong and exits with 1.
 */
#include <err.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ends.h"

#define BYTES	64

/* Until the end of the stream. Bytes, more than BYTES if there were more */
static size_t take(int fd, uint8_t *buf)
{
	size_t got = 0;
	ssize_t n;

	while (got <= BYTES && (n = recv(fd, buf + got, BYTES + 1 - got, 0))) {
		if (n < 0)
			err(1, "receive");
		got += n;
	}
	return got;
}

static void give(int fd, const uint8_t *buf, size_t size)
{
	ssize_t n = send(fd, buf, size, MSG_NOSIGNAL);

	if (n < 0 || (size_t)n != size)
		err(1, "send");
	if (shutdown(fd, SHUT_WR))
		err(1, "shutdown");
}

static int serve(char **argv)
{
	struct pollfd pfd[2] = {
		{ .fd = ends_listen(argv[2], argv[3]), .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	uint8_t buf[BYTES + 1];
	int fd;

	for (;;) {
		if (poll(pfd, 2, -1) < 0)
			err(1, "poll");
		if (pfd[1].revents)
			return 0;
		fd = accept(pfd[0].fd, NULL, NULL);
		if (fd < 0)
			err(1, "accept");
		give(fd, buf, take(fd, buf));
		close(fd);
	}
}

static int run(char **argv)
{
	unsigned long count = strtoul(argv[5], NULL, 0), i;
	uint8_t sent[BYTES], got[BYTES + 1];
	int fd;

	for (i = 0; i < count; i++) {
		fd = ends_connect(argv[2], argv[3], argv[4]);
		ends_fill(sent, i, 0, BYTES);
		give(fd, sent, BYTES);
		if (take(fd, got) != BYTES || memcmp(sent, got, BYTES))
			errx(1, "connection %lu: wrong bytes came back", i);
		close(fd);
	}
	printf("done %lu\n", count);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve(argv);
	if (argc == 6 && !strcmp(argv[1], "run"))
		return run(argv);
	errx(2, "usage: churn serve FAMILY PORT | "
	     "churn run FAMILY ADDRESS PORT COUNT");
}
