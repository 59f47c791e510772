// SPDX-License-Identifier: GPL-2.0
/*
 * Message boundaries on a byte ring.
 *
 * The producer publishes whole frames only, so the consumer never waits for
 * the rest of one: a frame that is not all there is a violation.
 */
#include "frame.h"

xvmc_static_assert(sizeof(struct xvmc_frame_hdr) == XVMC_FRAME_ALIGN);

/**
 * xvmc_frame_bytes() - ring bytes that a frame takes
 * @len: bytes of the body
 *
 * Return: the bytes, with header and padding.
 */
u32 xvmc_frame_bytes(u16 len)
{
	u32 words = ((u32)len + XVMC_FRAME_ALIGN - 1) / XVMC_FRAME_ALIGN;

	return (u32)sizeof(struct xvmc_frame_hdr) + words * XVMC_FRAME_ALIGN;
}

/**
 * xvmc_frame_put() - put a frame on the ring, or nothing
 * @p: producer's end
 * @type: type of the message
 * @body: private memory
 * @len: bytes of @body
 *
 * Context: producer only.
 * Return: 1 if the consumer asked to be kicked, 0 if not, -EAGAIN if there is
 * no room now, -EPROTO if the consumer's index is impossible, -EMSGSIZE if the
 * frame is larger than the ring.
 */
int xvmc_frame_put(struct xvmc_ring_prod *p, u16 type, const void *body,
		   u16 len)
{
	static const u8 zeroes[XVMC_FRAME_ALIGN];
	struct xvmc_frame_hdr hdr = { .len = len, .type = type };
	u32 bytes = xvmc_frame_bytes(len);
	u32 end = (u32)sizeof(hdr) + len;
	int space;

	if (bytes > p->size)
		return -EMSGSIZE;
	space = xvmc_ring_space(p);
	if (space < 0)
		return space;
	if ((u32)space < bytes)
		return -EAGAIN;

	xvmc_ring_copy_in(p, 0, &hdr, sizeof(hdr));
	xvmc_ring_copy_in(p, sizeof(hdr), body, len);
	xvmc_ring_copy_in(p, end, zeroes, bytes - end);
	return xvmc_ring_publish(p, bytes);
}

/**
 * xvmc_frame_get() - take the next frame from the ring
 * @c: consumer's end
 * @type: set to the type of the message
 * @buf: private memory for the body
 * @max: bytes of @buf
 * @kick: set to whether the producer asked to be kicked
 *
 * The header is copied once and only the copy is looked at. Nothing is
 * consumed on an error.
 *
 * Context: consumer only.
 * Return: bytes of the body, -EAGAIN if there is no frame, -EPROTO if there is
 * something else.
 */
int xvmc_frame_get(struct xvmc_ring_cons *c, u16 *type, void *buf, u16 max,
		   bool *kick)
{
	struct xvmc_frame_hdr hdr;
	int used = xvmc_ring_used(c);

	if (used < 0)
		return used;
	if (!used)
		return -EAGAIN;
	/* Frames are multiples of the alignment: this leaves room for @hdr */
	if ((u32)used % XVMC_FRAME_ALIGN)
		return -EPROTO;

	xvmc_ring_copy_out(c, 0, &hdr, sizeof(hdr));
	if (hdr.zero || hdr.len > max || xvmc_frame_bytes(hdr.len) > (u32)used)
		return -EPROTO;

	xvmc_ring_copy_out(c, sizeof(hdr), buf, hdr.len);
	*type = hdr.type;
	*kick = xvmc_ring_consume(c, xvmc_frame_bytes(hdr.len));
	return hdr.len;
}
