/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ring, with the peer in the middle of every function.
 *
 * Includes ring.c and frame.c themselves, compiled such that before each access
 * to a shared or an own index ring_hook() runs. What another CPU can do at that
 * point, the hook can do, without threads and without luck. Not to be linked
 * with ring.o and frame.o.
 */
#ifndef _XVMC_RING_HOOKED_H
#define _XVMC_RING_HOOKED_H

#include "../../net/xenvmc/core/env.h"

void ring_hook(void);

#undef xvmc_load_acquire
#undef xvmc_store_release
#undef xvmc_load
#undef xvmc_store
#undef xvmc_mb

#define xvmc_load_acquire(p)						\
	(ring_hook(), __atomic_load_n(p, __ATOMIC_ACQUIRE))
#define xvmc_store_release(p, v)					\
	(ring_hook(), __atomic_store_n(p, v, __ATOMIC_RELEASE))
#define xvmc_load(p)							\
	(ring_hook(), __atomic_load_n(p, __ATOMIC_RELAXED))
#define xvmc_store(p, v)						\
	(ring_hook(), __atomic_store_n(p, v, __ATOMIC_RELAXED))
#define xvmc_mb()	ring_hook()

#include "../../net/xenvmc/core/ring.c"
#include "../../net/xenvmc/core/frame.c"

#endif /* _XVMC_RING_HOOKED_H */
