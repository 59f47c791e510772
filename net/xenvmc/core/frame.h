/* SPDX-License-Identifier: GPL-2.0 */
/* Message boundaries on a byte ring: a header, the body, padding to 8. */
#ifndef _XVMC_CORE_FRAME_H
#define _XVMC_CORE_FRAME_H

#include "ring.h"

/*
 * Producer: puts one frame, or nothing. Returns 1 if the consumer asked for a
 * kick, 0 if not, -EAGAIN without room, -EPROTO for a broken ring, -EMSGSIZE
 * if it could never fit.
 */
int xvmc_frame_put(struct xvmc_ring_prod *p, u16 type, const void *body,
		   u16 len);
/*
 * Consumer: copies the next frame's body to @buf (@max bytes) and consumes it.
 * Returns the body's length, with its type in *@type and in *@kick whether the
 * producer waits for room; -EAGAIN if there is none; -EPROTO if the frame is
 * torn, larger than @max, or not well-formed (the ring is of no more use).
 */
int xvmc_frame_get(struct xvmc_ring_cons *c, u16 *type, void *buf, u16 max,
		   bool *kick);
/* Ring bytes that a body of @len takes */
u32 xvmc_frame_bytes(u16 len);

#endif /* _XVMC_CORE_FRAME_H */
