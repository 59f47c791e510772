/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Output: one set of calls, which become text or JSON.
 */
#ifndef XENVMC_PRINT_H
#define XENVMC_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct print;

struct print *print_new(bool json, bool pretty);
void print_free(struct print *out);
int print_flush(struct print *out);
int print_discard(struct print *out);

void print_list(struct print *out);
void print_object(struct print *out);
void print_object_end(struct print *out);

void print_head(struct print *out, const char *key, uint64_t value);
void print_u64(struct print *out, const char *key, uint64_t value);
void print_str(struct print *out, const char *key, const char *value);
void print_row(struct print *out, const char *key, uint64_t value);
void print_bool(struct print *out, const char *key, uint64_t value);
void print_addr(struct print *out, const char *key, const uint8_t addr[16]);
void print_array(struct print *out, const char *key);
void print_array_addr(struct print *out, const uint8_t addr[16]);
void print_null(struct print *out, const char *key, const char *text);
void print_flag(struct print *out, const char *key, bool value,
		const char *yes, const char *no);
void print_line(struct print *out);
void print_break(struct print *out);

#endif /* XENVMC_PRINT_H */
