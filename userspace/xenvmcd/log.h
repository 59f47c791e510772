/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages of xenvmcd. One line each on stderr, for systemd's journal with a
 * priority in front. What a guest can cause goes through a limit, and what a
 * guest wrote is quoted before it is printed.
 */
#ifndef XENVMCD_LOG_H
#define XENVMCD_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#define LOG_LIMIT_MS	10000
#define LOG_QUOTE_MAX	72

/**
 * struct log_limit - one line in LOG_LIMIT_MS
 * @until: time when all lines so far are paid for
 * @burst: so many more may come at once
 * @suppressed: lines left out since the last one
 */
struct log_limit {
	int64_t until;
	unsigned int burst;
	unsigned int suppressed;
};

typedef void (*log_sink_fn)(int prio, const char *line);

void log_init(bool verbose);
void log_set_sink(log_sink_fn sink);
void log_msg(int prio, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void log_limited(struct log_limit *limit, int64_t now, int prio,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));
const char *log_quote(char *dst, size_t size, const char *src);

#define log_err(...)	log_msg(LOG_ERR, __VA_ARGS__)
#define log_warn(...)	log_msg(LOG_WARNING, __VA_ARGS__)
#define log_info(...)	log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	log_msg(LOG_DEBUG, __VA_ARGS__)

#endif
