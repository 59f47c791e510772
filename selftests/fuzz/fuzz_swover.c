// SPDX-License-Identifier: GPL-2.0
/*
 * Switch-over, twice. With an even first byte the input is a view that a
 * hostile sender may have made: the answer must be one that can be obeyed.
 * With an odd one it drives the model of an honest connection, in place of
 * random numbers: every byte must arrive.
 */
#include "fuzz.h"
#include "../unit/swover_model.h"

static void any_view(struct fuzz_input *in)
{
	struct xvmc_rx_view v;
	u32 limit = 0xdead;
	u8 bits = fuzz_u8(in);

	v.lent = bits & 1;
	v.mark.started = bits & 2;
	v.mark.stopped = bits & 4;
	v.fin = bits & 8;
	v.mark.seq = fuzz_u32(in);
	v.copied_seq = v.mark.seq + (u32)(int8_t)fuzz_u8(in);
	v.rcv_nxt = v.copied_seq + fuzz_u8(in);
	v.used = fuzz_u16(in);
	switch (xvmc_rx_next(&v, &limit)) {
	case XVMC_SRC_TCP:
		/* Never a byte of TCP from S on while the ring has a say */
		if (v.lent && v.mark.started &&
		    xvmc_seq_cmp(v.copied_seq, v.mark.seq) <= 0)
			fuzz_assert(limit == v.mark.seq - v.copied_seq);
		else if (v.lent && !v.fin)
			fuzz_assert(limit == v.rcv_nxt - v.copied_seq);
		break;
	case XVMC_SRC_RING:
		fuzz_assert(v.lent && v.mark.started);
		fuzz_assert(v.copied_seq == v.mark.seq);
		fuzz_assert(limit && limit == v.used);
		break;
	case XVMC_SRC_WAIT_RING:
	case XVMC_SRC_RING_DONE:
		fuzz_assert(v.lent && v.mark.started && !v.used && !limit);
		break;
	case XVMC_SRC_VIOLATION:
		fuzz_assert(v.lent && !limit);
		break;
	default:
		abort();
	}
}

static u32 choose_input(void *arg, u32 n)
{
	return n <= 256 ? fuzz_u8(arg) % n : fuzz_u16(arg) % n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	static struct model m;

	if (!(fuzz_u8(&in) & 1)) {
		any_view(&in);
		return 0;
	}
	model_init(&m, choose_input, &in);
	/* When the input is used up, what is left goes byte by byte */
	m.total %= 600;
	model_run(&m, (u32)size);
	if (m.wrong)
		fprintf(stderr, "%s, at byte %u of %u\n", m.wrong, m.got,
			m.total);
	fuzz_assert(!m.wrong);
	model_exit(&m);
	return 0;
}
