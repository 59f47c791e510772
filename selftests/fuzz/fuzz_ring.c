// SPDX-License-Identifier: GPL-2.0
/*
 * The fuzzer is the peer: it says what we do, and before each of our accesses
 * to an index it may write any value to any word of the shared pages.
 */
#include "../unit/ring_hooked.h"
#include "../unit/unit.h"
#include "fuzz.h"
#include "../../net/xenvmc/core/frame.h"

static struct fuzz_input in;
static struct unit_ring ring;
static bool hostile;

/*
 * One byte of input per access: three of four do nothing. An own index shown
 * to the peer is a good start for a bad one.
 */
void ring_hook(void)
{
	u8 what, word;
	u32 value;

	if (!hostile || !in.left)
		return;
	what = fuzz_u8(&in);
	if (what & 3)
		return;
	word = fuzz_u8(&in);
	switch (what >> 2 & 3) {
	case 0:
		value = ring.prod.prod + (u32)(int8_t)fuzz_u8(&in);
		break;
	case 1:
		value = ring.cons.cons + (u32)(int8_t)fuzz_u8(&in);
		break;
	default:
		value = fuzz_u32(&in);
	}
	if (what & 0x80)
		((u32 *)ring.page[0])[word] = value;
	else if (what & 0x40)
		((u32 *)ring.hdr)[word * 4] = value;
	else
		((u32 *)ring.hdr)[(word & 1) * 32 + (word >> 1) % 5] = value;
}

static void check_fill(int n)
{
	fuzz_assert(n == -EPROTO || (n >= 0 && (u32)n <= ring.prod.size));
}

static void produce(void)
{
	static const u8 buf[2 * XVMC_PAGE_SIZE];
	int space = xvmc_ring_space(&ring.prod);
	u32 n, before = ring.prod.prod;

	check_fill(space);
	if (space <= 0)
		return;
	n = fuzz_u16(&in) % ((u32)space + 1);
	xvmc_ring_copy_in(&ring.prod, 0, buf, n);
	xvmc_ring_publish(&ring.prod, n);
	fuzz_assert(ring.prod.prod == before + n);
}

static void consume(void)
{
	static u8 buf[2 * XVMC_PAGE_SIZE];
	int used = xvmc_ring_used(&ring.cons);
	u32 n, before = ring.cons.cons;

	check_fill(used);
	if (used <= 0)
		return;
	n = fuzz_u16(&in) % ((u32)used + 1);
	xvmc_ring_copy_out(&ring.cons, 0, buf, n);
	xvmc_ring_consume(&ring.cons, n);
	fuzz_assert(ring.cons.cons == before + n);
}

static void frame(void)
{
	u8 body[120] = { 0 };
	bool kick;
	u16 type;
	int ret;

	ret = xvmc_frame_put(&ring.prod, 5, body, fuzz_u8(&in) % 121);
	fuzz_assert(ret == 0 || ret == 1 || ret == -EAGAIN || ret == -EPROTO);
	ret = xvmc_frame_get(&ring.cons, &type, body, sizeof(body), &kick);
	fuzz_assert(ret == -EAGAIN || ret == -EPROTO ||
		    (ret >= 0 && ret <= (int)sizeof(body)));
}

static void others(void)
{
	struct xvmc_ring_mark mark;
	u32 gref[1 << XVMC_RING_MAX_ORDER];
	int order;

	xvmc_ring_mark(&ring.cons, fuzz_u32(&in), &mark);
	xvmc_bell_take(ring.hdr, XVMC_BELL_DATA, fuzz_u8(&in) & 7);
	xvmc_bell_set(ring.hdr, XVMC_BELL_SPACE, fuzz_u8(&in));
	order = xvmc_ring_read_grefs(ring.hdr, fuzz_u8(&in) % 12, gref);
	fuzz_assert(order == -EPROTO ||
		    (order >= 0 && order <= XVMC_RING_MAX_ORDER));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in = (struct fuzz_input){ data, size };
	hostile = false;
	unit_ring_init(&ring, fuzz_u8(&in) & 1, fuzz_u32(&in));
	hostile = true;
	while (in.left) {
		switch (fuzz_u8(&in) % 6) {
		case 0:
			produce();
			break;
		case 1:
			consume();
			break;
		case 2:
			check_fill(xvmc_ring_want_data(&ring.cons,
						       fuzz_u32(&in)));
			break;
		case 3:
			check_fill(xvmc_ring_want_space(&ring.prod,
							fuzz_u32(&in)));
			break;
		case 4:
			frame();
			break;
		case 5:
			others();
			break;
		}
	}
	hostile = false;
	unit_ring_exit(&ring);
	return 0;
}
