// SPDX-License-Identifier: GPL-2.0
/* The two ends of a connection of either family, and bytes to send over it. */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/xenvmc.h>

#include "ends.h"

/* Any word of a stream; the finaliser of splitmix64 (Vigna, public domain) */
uint64_t ends_word(uint64_t seed, uint64_t index)
{
	uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* @n bytes of the stream from @offset on */
void ends_fill(uint8_t *buf, uint64_t seed, uint64_t offset, size_t n)
{
	uint64_t word;
	size_t part;

	for (; n; n -= part, buf += part, offset += part) {
		word = ends_word(seed, offset / 8);
		part = 8 - offset % 8;
		if (part > n)
			part = n;
		memcpy(buf, (uint8_t *)&word + offset % 8, part);
	}
}

/* Hexadecimal digits of 16 bytes, with hyphens as the toolstack prints them */
static void ends_uuid(const char *text, uint8_t uuid[16])
{
	int i, n;

	for (i = 0; i < 16; i++, text += n) {
		text += *text == '-';
		if (sscanf(text, "%2hhx%n", &uuid[i], &n) != 1 || n != 2)
			errx(2, "expected a UUID");
	}
	if (*text)
		errx(2, "expected a UUID");
}

/* A domain id, a UUID, or any for NULL */
static socklen_t ends_xenvmc(const char *host, const char *port,
			     struct sockaddr_storage *addr)
{
	struct sockaddr_xenvmc_uuid *svm = (void *)addr;

	svm->svm_family = AF_XENVMC;
	svm->svm_port = atoi(port);
	svm->svm_domid = XENVMC_DOMID_ANY;
	if (host && strchr(host, '-')) {
		svm->svm_domid = XENVMC_DOMID_UUID;
		ends_uuid(host, svm->svm_uuid);
		return sizeof(*svm);
	}
	if (host)
		svm->svm_domid = (unsigned int)atoi(host);
	return sizeof(struct sockaddr_xenvmc);
}

/* Returns a socket, with the address in @addr; @host may be NULL */
static int ends_socket(const char *family, const char *host, const char *port,
		       struct sockaddr_storage *addr, socklen_t *len)
{
	struct sockaddr_in *in = (struct sockaddr_in *)addr;
	bool inet = !strcmp(family, "inet");
	int fd;

	memset(addr, 0, sizeof(*addr));
	if (inet) {
		in->sin_family = AF_INET;
		in->sin_port = htons(atoi(port));
		if (host && inet_pton(AF_INET, host, &in->sin_addr) != 1)
			errx(2, "%s: expected an IPv4 address", host);
		*len = sizeof(*in);
	} else if (!strcmp(family, "xenvmc")) {
		*len = ends_xenvmc(host, port, addr);
	} else {
		errx(2, "%s: expected inet or xenvmc", family);
	}
	fd = socket(inet ? AF_INET : AF_XENVMC, SOCK_STREAM, 0);
	if (fd < 0)
		err(2, "socket");
	return fd;
}

int ends_listen(const char *family, const char *port)
{
	struct sockaddr_storage addr;
	socklen_t len;
	int one = 1;
	int fd;

	fd = ends_socket(family, NULL, port, &addr, &len);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, len) || listen(fd, 128))
		err(2, "cannot listen on port %s", port);
	if (puts("listens") == EOF || fflush(stdout))
		err(2, "cannot report");
	return fd;
}

int ends_connect(const char *family, const char *host, const char *port)
{
	struct sockaddr_storage addr;
	socklen_t len;
	int fd;

	fd = ends_socket(family, host, port, &addr, &len);
	if (connect(fd, (struct sockaddr *)&addr, len))
		err(2, "cannot connect to %s port %s", host, port);
	return fd;
}
