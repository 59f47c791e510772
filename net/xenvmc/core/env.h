/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the portable core needs of its surroundings: types, barriers, atomics.
 *
 * The only place where the core differs between the kernel and userspace.
 * Barriers are the virt_* kind: a guest with one CPU still shares memory with
 * the CPUs of its peer.
 */
#ifndef _XVMC_CORE_ENV_H
#define _XVMC_CORE_ENV_H

#ifdef __KERNEL__

#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include <asm/sync_bitops.h>

#define xvmc_static_assert(expr)	static_assert(expr)
#define xvmc_load_acquire(p)		virt_load_acquire(p)
#define xvmc_store_release(p, v)	virt_store_release(p, v)
#define xvmc_mb()			virt_mb()
#define xvmc_load(p)			READ_ONCE(*(p))
#define xvmc_store(p, v)		WRITE_ONCE(*(p), v)

/*
 * The plain atomics of a kernel that runs on one CPU lose their lock prefix;
 * bits shared with another guest need the sync_ kind, and xchg keeps it.
 */
static inline void xvmc_bit_set(u32 *word, u32 bit)
{
	unsigned long base = (unsigned long)word & ~(sizeof(long) - 1);
	u32 shift = ((unsigned long)word & (sizeof(long) - 1)) * 8;

	sync_set_bit(bit + shift, (unsigned long *)base);
}

static inline u32 xvmc_word_take(u32 *word)
{
	return xchg(word, 0);
}

#else /* !__KERNEL__ */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;

#define U32_MAX				UINT32_MAX
#define ARRAY_SIZE(a)			(sizeof(a) / sizeof((a)[0]))

#define xvmc_static_assert(expr)	_Static_assert(expr, #expr)
#define xvmc_load_acquire(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define xvmc_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define xvmc_mb()			__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xvmc_load(p)			__atomic_load_n(p, __ATOMIC_RELAXED)
#define xvmc_store(p, v)		__atomic_store_n(p, v, __ATOMIC_RELAXED)

static inline void xvmc_bit_set(u32 *word, u32 bit)
{
	__atomic_fetch_or(word, 1u << bit, __ATOMIC_SEQ_CST);
}

static inline u32 xvmc_word_take(u32 *word)
{
	return __atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST);
}

#endif /* __KERNEL__ */

#endif /* _XVMC_CORE_ENV_H */
