// SPDX-License-Identifier: GPL-2.0
/*
 * A control ring with any contents and any indices, as a peer could leave it:
 * read as the channel does, frame by frame, until it is empty or broken.
 */
#include "fuzz.h"
#include "../unit/unit.h"
#include "../../net/xenvmc/core/ctlmsg.h"
#include "../../net/xenvmc/core/frame.h"

static void read_all(struct unit_ring *r)
{
	u8 body[XVMC_CTL_MAX_BODY];
	struct xvmc_ctlmsg msg;
	u32 before, frames = 0;
	bool kick;
	u16 type;
	int len;

	for (;;) {
		before = r->cons.cons;
		len = xvmc_frame_get(&r->cons, &type, body, sizeof(body),
				     &kick);
		if (len < 0)
			break;
		fuzz_assert(len <= XVMC_CTL_MAX_BODY);
		fuzz_assert(r->cons.cons - before ==
			    xvmc_frame_bytes((u16)len));
		/* Not past what the producer has published */
		fuzz_assert((u32)(r->hdr->prod - r->cons.cons) <=
			    r->cons.size);
		xvmc_ctlmsg_decode(type, body, (u16)len, &msg);
		/* A peer that stands still can not keep us busy */
		fuzz_assert(++frames <= r->cons.size / XVMC_FRAME_ALIGN);
	}
	fuzz_assert(len == -EAGAIN || len == -EPROTO);
	fuzz_assert(r->cons.cons == before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	static u8 bytes[2 * XVMC_PAGE_SIZE];
	struct unit_ring r;
	u32 base, n;

	base = fuzz_u32(&in) & ~(u32)(XVMC_FRAME_ALIGN - 1);
	unit_ring_init(&r, XVMC_CTL_ORDER, base);
	n = (u32)(in.left < sizeof(bytes) ? in.left : sizeof(bytes));
	r.hdr->prod = base + n;
	r.hdr->cons_event = base + 8 * (u32)fuzz_u8(&in);
	/* Beyond the ring, before the reader, in the middle of a frame */
	switch (fuzz_u8(&in) & 7) {
	case 0:
		r.hdr->prod = fuzz_u32(&in);
		break;
	case 1:
		break;
	default:
		r.hdr->prod &= ~(u32)(XVMC_FRAME_ALIGN - 1);
	}
	n = (u32)(in.left < sizeof(bytes) ? in.left : sizeof(bytes));
	fuzz_bytes(&in, bytes, n);
	xvmc_ring_copy_in(&r.prod, 0, bytes, n);
	read_all(&r);
	unit_ring_exit(&r);
	return 0;
}
