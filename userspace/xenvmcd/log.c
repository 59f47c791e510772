// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of xenvmcd, see log.h. Not for use by several threads.
 */
#include "log.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LOG_LINE_MAX 512

static int max_prio = LOG_INFO;
static log_sink_fn log_sink;
static bool journal;

/**
 * log_init() - choose what is printed and how
 * @verbose: print debug lines too
 */
void log_init(bool verbose)
{
	max_prio = verbose ? LOG_DEBUG : LOG_INFO;
	journal = getenv("JOURNAL_STREAM") != NULL;
}

/**
 * log_set_sink() - hand the lines to a function instead of stderr
 * @sink: the function, NULL for stderr again
 */
void log_set_sink(log_sink_fn sink)
{
	log_sink = sink;
}

static void log_line(int prio, const char *line)
{
	if (log_sink)
		log_sink(prio, line);
	else if (prio > max_prio)
		return;
	else if (journal)
		fprintf(stderr, "<%d>%s\n", prio, line);
	else
		fprintf(stderr, "xenvmcd: %s\n", line);
}

/**
 * log_msg() - print a line
 * @prio: a priority of syslog(3)
 * @fmt: as for printf(3), without a newline
 */
void log_msg(int prio, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_line(prio, line);
}

/**
 * log_limited() - print a line that a guest can cause at will
 * @limit: what it is limited by, one per guest
 * @now: monotonic time in ms
 * @prio: a priority of syslog(3)
 * @fmt: as for printf(3), without a newline
 */
void log_limited(struct log_limit *limit, int64_t now, int prio,
		 const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	va_list ap;

	if (now < limit->until - (int64_t)limit->burst * LOG_LIMIT_MS) {
		limit->suppressed++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (limit->suppressed)
		log_msg(prio, "%s (%u more since the last such line)",
			line, limit->suppressed);
	else
		log_line(prio, line);
	limit->suppressed = 0;
	if (limit->until < now)
		limit->until = now;
	limit->until += LOG_LIMIT_MS;
}

/**
 * log_quote() - make foreign text fit for a log line
 * @dst: where to write it
 * @size: room there, at least 4
 * @src: the text; what does not fit is cut, anything but printable ASCII
 *	becomes '?', so that no guest can write lines or terminal codes
 *
 * Return: @dst.
 */
const char *log_quote(char *dst, size_t size, const char *src)
{
	size_t n;

	for (n = 0; src[n] && n < size - 4; n++) {
		unsigned char c = src[n];

		dst[n] = c < 0x80 && isprint(c) ? (char)c : '?';
	}
	dst[n] = '\0';
	if (src[n])
		snprintf(dst + n, 4, "...");
	return dst;
}
