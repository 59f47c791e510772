/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ends of connections, for programs that give up, with status 2 and a message,
 * when they get none. @family is "inet" or "xenvmc"; a @host of the latter is a
 * domain id.
 */
#ifndef _ENDS_H
#define _ENDS_H

#include <stddef.h>
#include <stdint.h>

/* A socket that listens on all addresses; says so on standard output */
int ends_listen(const char *family, const char *port);
/* A connected socket */
int ends_connect(const char *family, const char *host, const char *port);

/* A word of the stream @seed */
uint64_t ends_word(uint64_t seed, uint64_t index);
/* @n bytes of the stream from @offset on */
void ends_fill(uint8_t *buf, uint64_t seed, uint64_t offset, size_t n);

#endif /* _ENDS_H */
