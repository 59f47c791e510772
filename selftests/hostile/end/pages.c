// SPDX-License-Identifier: GPL-2.0
/*
 * Lies in shared pages: any word of the header of each kind of ring, wherever
 * in their range the indices are.
 *
 * An index is a u32 that goes round: a ring that is new has a long way to that,
 * so both ends are moved there together, as if the bytes had been carried.
 */
#include <linux/prandom.h>
#include "cases.h"

#define PAGE_RANDOM	8	/* random values of an event index */

/* ---- where the indices are ---- */

/* Both ends of a ring, and what else the victim remembers of its indices */
struct page_ring {
	struct xvmc_ring_hdr *hdr;
	struct xvmc_ring_prod *prod;
	struct xvmc_ring_cons *cons;
	u32 *asked;
	bool theirs;	/* the victim reads it */
};

/* Data rings are those of connection @n of far_talk(). False: there is none */
static bool page_ring(struct far *far, enum far_page page, int n,
		      struct page_ring *ring)
{
	struct xvmc_chan *chan = far->chan;
	int lent = far_find_lent(far, n);
	struct xvmc_rx_ring *rx = NULL;
	struct xvmc_tx_ring *tx = NULL;

	ring->theirs = page == PAGE_CTL_TX || page == PAGE_DATA_TX;
	if (page == PAGE_CTL_TX)
		rx = &chan->rx_ctl;
	else if (page == PAGE_CTL_RX)
		tx = &chan->tx_ctl;
	else if (page == PAGE_DATA_TX && lent >= 0)
		rx = READ_ONCE(chan->rx[lent]);
	else if (page == PAGE_DATA_RX)
		tx = rcu_dereference_protected(chan->tx[n], true);
	if (ring->theirs ? !rx : !tx)
		return false;
	ring->hdr = ring->theirs ? rx->mem.hdr : tx->mem.hdr;
	ring->asked = ring->theirs ? &rx->asked : NULL;
	ring->cons = ring->theirs ? &rx->cons :
		     page == PAGE_CTL_RX ? &far->rx : &far->own[n].cons;
	ring->prod = !ring->theirs ? &tx->prod :
		     page == PAGE_CTL_TX ? &far->tx : &far->lent[lent].prod;
	return true;
}

/*
 * What is unread, if anything, stays at its place. Else the ring is emptied:
 * what an index says of it that is not true is zeros.
 */
static void page_move(struct page_ring *ring, u32 to)
{
	u32 by = to - ring->prod->prod, i;

	if (ring->prod->prod != ring->cons->cons)
		by &= ~(ring->prod->size - 1);
	else
		for (i = 0; i < ring->prod->size / XVMC_PAGE_SIZE; i++)
			memset(ring->prod->page[i], 0, XVMC_PAGE_SIZE);
	ring->prod->prod += by;
	ring->prod->seen += by;
	ring->cons->cons += by;
	ring->cons->seen += by;
	if (ring->asked)
		*ring->asked += by;
	ring->hdr->prod += by;
	ring->hdr->cons += by;
	ring->hdr->prod_event += by;
	ring->hdr->cons_event += by;
}

static u32 far_index(const struct page_ring *ring, enum far_page page,
		     enum far_age age)
{
	/* A control ring's next frame, and a data ring's next bytes */
	u32 before = page == PAGE_CTL_TX || page == PAGE_CTL_RX ? 8 : 1501;

	switch (age) {
	case AGE_WRAPS:
		return -before;
	case AGE_FULL_WRAPS:
		return -ring->prod->size;
	case AGE_SIGN:
		return 0x80000000 - before;
	default:
		return ring->prod->prod;
	}
}

/**
 * page_age() - the indices of all rings of far_talk() go to another place
 * @far: pair that talks, both ends at rest
 * @age: where to
 */
void page_age(struct far *far, enum far_age age)
{
	struct page_ring ring;
	u32 page;
	int n;

	for (page = 0; page < FAR_PAGES; page++)
		for (n = 0; n < 2; n++)
			if (page_ring(far, page, n, &ring) &&
			    (!n || page >= PAGE_DATA_TX))
				page_move(&ring, far_index(&ring, page, age));
}

/**
 * page_age_name() - for words about a failure
 * @age: of page_age()
 *
 * Return: it, with what stands in front of it.
 */
const char *page_age_name(enum far_age age)
{
	static const char * const name[AGES] = {
		[AGE_NEW] = "",
		[AGE_WRAPS] = ", indices near their end",
		[AGE_FULL_WRAPS] = ", indices a ring from their end",
		[AGE_SIGN] = ", indices near 2^31",
	};

	return name[age];
}

/* ---- the lies ---- */

/* A word of the header page. An index is relative to the one that is true */
static void page_lie(struct far *far, const struct page_ring *ring, u32 word,
		     u32 value, bool relative)
{
	u32 base = ring->theirs ? ring->prod->prod : ring->cons->cons;

	WRITE_ONCE(((u32 *)ring->hdr)[word], relative ? base + value : value);
	memset(far->tx_mem.hdr->bell_data, 0xff, XVMC_MAX_RINGS / 8);
	memset(far->tx_mem.hdr->bell_space, 0xff, XVMC_MAX_RINGS / 8);
	far_event(far);
	far_settle(far);
}

/**
 * page_tell() - write a word of the header page of a ring of the stream's
 * @far: pair that talks
 * @page: whose
 * @word: which
 * @value: what
 * @relative: added to the true index
 *
 * Return: 0, or -ENOENT without such a ring.
 */
int page_tell(struct far *far, enum far_page page, u32 word, u32 value,
	      bool relative)
{
	struct page_ring ring;

	if (!page_ring(far, page, 0, &ring))
		return -ENOENT;
	page_lie(far, &ring, word, value, relative);
	return 0;
}

/**
 * tell_page() - a word of the header page of a ring, once
 * @far: pair that talks
 * @it: what
 *
 * Return: 0 or a negative errno.
 */
int tell_page(struct far *far, const struct hostile_case *it)
{
	int err = page_tell(far, it->type, it->word, it->value, it->relative);

	if (err)
		return err;
	/* Somebody has to look */
	if (near_socket(0)) {
		near_recv(near_socket(0), 100);
		near_send(near_socket(0), 100);
	}
	near_ask(far, false);
	far_settle(far);
	return 0;
}

/* A message each way: the victim asks, and is refused */
static int page_messages(struct far *far)
{
	unsigned long end = jiffies + HOSTILE_PATIENCE;
	int n = far_free_conn(far);
	struct far_msg no;

	if (n < 0 || near_ask(far, false))
		return -ENOENT;
	far_settle(far);
	far_hear(far);
	if (far->conn[n].state != FAR_ASKED)
		return -EIO;
	no = far_msg(XVMC_MSG_REFUSE, far->conn[n].id, ECONNREFUSED, 0, 0);
	far->conn[n].state = FAR_FREE;
	far_say(far, &no);
	/* A work without an id tells it: far_settle() does not wait for that */
	while (near_told() < 0 && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	/* far_talk() has the first door */
	near_door_leave(1, false, true);
	return near_told() == ECONNREFUSED ? 0 : -EIO;
}

/* Of those who look, and of those who sleep */
static int page_traffic(struct far *far, struct asleep *lie, bool sleep)
{
	int err = page_tell(far, lie->page, lie->word, lie->value,
			    lie->relative);

	if (!err)
		err = page_messages(far);
	if (!err)
		err = page_tell(far, lie->page, lie->word, lie->value,
				lie->relative);
	if (!err)
		err = far_bytes(far);
	return err || !sleep ? err : asleep_play(far, lie);
}

static u32 page_random(u32 seed)
{
	struct rnd_state rnd;

	prandom_seed_state(&rnd, seed);
	return prandom_u32_state(&rnd);
}

/**
 * tell_events() - an index that says when to kick, at bounds and anywhere
 * @far: pair that talks
 * @it: which word
 *
 * Under each the bytes go on, and messages do.
 * Return: 0 or a negative errno.
 */
int tell_events(struct far *far, const struct hostile_case *it)
{
	static const u32 absolute[] = { 0, 1, S32_MAX, 0x80000000, U32_MAX };
	static const s32 relative[] = { -1, 0, 1, 2, S32_MIN, S32_MAX };
	static const s32 sized[] = { -1, 0, 1 };
	struct asleep lie = { .page = it->type, .word = it->word };
	struct page_ring ring;
	u32 i, size;
	int err = 0;

	if (!page_ring(far, it->type, 0, &ring))
		return -ENOENT;
	size = ring.prod->size;
	for (i = 0; !err && i < ARRAY_SIZE(absolute); i++) {
		lie.value = absolute[i];
		err = page_traffic(far, &lie, false);
	}
	for (i = 0; !err && i < PAGE_RANDOM; i++) {
		lie.value = page_random(it->type * 1000 + it->word * 10 + i);
		err = page_traffic(far, &lie, !i);
	}
	lie.relative = true;
	for (i = 0; !err && i < ARRAY_SIZE(relative); i++) {
		lie.value = relative[i];
		err = page_traffic(far, &lie, i & 1);
	}
	for (i = 0; !err && i < 2 * ARRAY_SIZE(sized); i++) {
		lie.value = (i & 1 ? -size : size) + sized[i / 2];
		err = page_traffic(far, &lie, i % 3 == 1);
	}
	return err;
}

/* ---- which words there are ---- */

/* What counts as one: whatever else is in the page is a word of its own */
#define ONE(field) { offsetof(struct xvmc_ring_hdr, field) / 4, \
		     sizeof_field(struct xvmc_ring_hdr, field) / 4 }
static const struct {
	u32 first;
	u32 words;
} page_ones[] = {
	ONE(pad0), ONE(pad1), ONE(bell_data), ONE(pad2), ONE(bell_space),
	ONE(pad3), ONE(pad4), ONE(gref),
};

/**
 * page_next() - the next field of a header page
 * @word: first word of one
 *
 * A field that is made of what is unused now is one without having to be named
 * here.
 * Return: its first word, beyond the page if there is none.
 */
u32 page_next(u32 word)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(page_ones); i++)
		if (word == page_ones[i].first)
			return word + page_ones[i].words;
	return word + 1;
}
