/* SPDX-License-Identifier: GPL-2.0 */
/* What the fuzz targets share: the input as a source of decisions. */
#ifndef _XVMC_FUZZ_H
#define _XVMC_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../net/xenvmc/core/env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stays in when NDEBUG is set, and says where */
#define fuzz_assert(expr)						\
	do {								\
		if (!(expr)) {						\
			fprintf(stderr, "%s:%d: not true: %s\n",	\
				__FILE__, __LINE__, #expr);		\
			abort();					\
		}							\
	} while (0)

struct fuzz_input {
	const u8 *data;
	size_t left;
};

/* Next bytes of the input; zeroes when it is used up */
static inline void fuzz_bytes(struct fuzz_input *in, void *buf, size_t n)
{
	size_t take = n < in->left ? n : in->left;

	memset(buf, 0, n);
	memcpy(buf, in->data, take);
	in->data += take;
	in->left -= take;
}

static inline u8 fuzz_u8(struct fuzz_input *in)
{
	u8 value;

	fuzz_bytes(in, &value, sizeof(value));
	return value;
}

static inline u16 fuzz_u16(struct fuzz_input *in)
{
	u16 value;

	fuzz_bytes(in, &value, sizeof(value));
	return value;
}

static inline u32 fuzz_u32(struct fuzz_input *in)
{
	u32 value;

	fuzz_bytes(in, &value, sizeof(value));
	return value;
}

#endif /* _XVMC_FUZZ_H */
