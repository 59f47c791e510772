/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The functions of a ring that every read, write and event goes through.
 *
 * Inline, for a small write is little more than these. What ring.c says of
 * itself holds here too. Included by ring.h.
 */
#ifndef _XVMC_CORE_RING_PATH_H
#define _XVMC_CORE_RING_PATH_H

/*
 * The kick rule: an index that moves from @from to @to moves onto or past
 * @event. Any @event gives an answer; a wrong one costs the peer its kick.
 */
static inline bool xvmc_ring_passed(u32 from, u32 to, u32 event)
{
	return (u32)(to - event) < (u32)(to - from);
}

/* The one check of a peer's index: bytes between both, or -EPROTO */
static inline int xvmc_ring_fill(u32 prod, u32 cons, u32 size)
{
	u32 used = (u32)(prod - cons);

	return used > size ? -EPROTO : (int)used;
}

/*
 * The contiguous piece at @index. Pages need not be neighbours in memory, but
 * where they are a copy need not stop between them.
 */
static inline void *xvmc_ring_at(void **page, u32 size, u32 index, u32 *len)
{
	u32 pos = index & (size - 1);
	u32 off = pos & (XVMC_PAGE_SIZE - 1);
	u32 n = pos / XVMC_PAGE_SIZE;
	u8 *at = (u8 *)page[n] + off;
	u32 here = XVMC_PAGE_SIZE - off;

	while (here < *len && ++n < size / XVMC_PAGE_SIZE &&
	       page[n] == at + here)
		here += XVMC_PAGE_SIZE;
	if (*len > here)
		*len = here;
	return at;
}

/**
 * xvmc_ring_space() - bytes that may be written now
 * @p: producer's end
 *
 * Context: may run beside the producer; only the producer may rely on it.
 * Return: the bytes, or -EPROTO if the consumer's index is impossible.
 */
static inline int xvmc_ring_space(struct xvmc_ring_prod *p)
{
	u32 prod, cons;
	int used;

	/* Both indices of one moment: each new round means that we published */
	do {
		prod = xvmc_load(&p->prod);
		/*
		 * Pairs with the release in xvmc_ring_consume(): the consumer
		 * has done with the bytes that are about to be overwritten.
		 */
		cons = xvmc_load_acquire(&p->hdr->cons);
	} while (prod != xvmc_load(&p->prod));

	used = xvmc_ring_fill(prod, cons, p->size);
	return used < 0 ? used : (int)p->size - used;
}

/**
 * xvmc_ring_put_at() - where to write
 * @p: producer's end
 * @off: bytes after the producer's index, within xvmc_ring_space()
 * @len: bytes wanted; clipped to the contiguous piece
 *
 * Context: producer only.
 * Return: the address of the first byte.
 */
static inline void *xvmc_ring_put_at(struct xvmc_ring_prod *p, u32 off,
				     u32 *len)
{
	return xvmc_ring_at(p->page, p->size, p->prod + off, len);
}

/**
 * xvmc_ring_publish() - give written bytes to the consumer
 * @p: producer's end
 * @n: bytes, within xvmc_ring_space()
 *
 * Context: producer only.
 * Return: true if the consumer asked to be kicked.
 */
static inline bool xvmc_ring_publish(struct xvmc_ring_prod *p, u32 n)
{
	u32 from = p->prod;
	u32 to = from + n;

	/*
	 * Private index first: a want_space() beside us that sees what the
	 * consumer made of the new index then sees the new index as well.
	 */
	xvmc_store(&p->prod, to);
	/* Pairs with the acquires in xvmc_ring_used() and _want_data() */
	xvmc_store_release(&p->hdr->prod, to);
	/* Pairs with the barrier in xvmc_ring_want_data() */
	xvmc_mb();
	return xvmc_ring_passed(from, to, xvmc_load(&p->hdr->prod_event));
}

/**
 * xvmc_ring_used() - bytes that may be read now
 * @c: consumer's end
 *
 * Context: may run beside the consumer; only the consumer may rely on it.
 * Return: the bytes, or -EPROTO if the producer's index is impossible.
 */
static inline int xvmc_ring_used(struct xvmc_ring_cons *c)
{
	u32 prod, cons;

	/* Both indices of one moment: each new round means that we consumed */
	do {
		cons = xvmc_load(&c->cons);
		/* Pairs with the release in xvmc_ring_publish() */
		prod = xvmc_load_acquire(&c->hdr->prod);
	} while (cons != xvmc_load(&c->cons));

	return xvmc_ring_fill(prod, cons, c->size);
}

/**
 * xvmc_ring_is_awaited() - does the producer wait for room?
 * @c: consumer's end
 *
 * It may have looked again since it asked, and found that it has some: a hint.
 *
 * Context: any.
 * Return: true if it is to be kicked for room that it has not got yet.
 */
static inline bool xvmc_ring_is_awaited(struct xvmc_ring_cons *c)
{
	u32 event = xvmc_load(&c->hdr->cons_event);

	return (u32)(event - xvmc_load(&c->cons) - 1) < c->size;
}

/**
 * xvmc_ring_get_at() - where to read
 * @c: consumer's end
 * @off: bytes after the consumer's index, within xvmc_ring_used()
 * @len: bytes wanted; clipped to the contiguous piece
 *
 * The producer can still change the bytes: copy them once, then check the copy.
 *
 * Context: consumer only.
 * Return: the address of the first byte.
 */
static inline void *xvmc_ring_get_at(struct xvmc_ring_cons *c, u32 off,
				     u32 *len)
{
	return xvmc_ring_at(c->page, c->size, c->cons + off, len);
}

/**
 * xvmc_ring_consume() - give read bytes back to the producer
 * @c: consumer's end
 * @n: bytes, within xvmc_ring_used()
 *
 * Context: consumer only.
 * Return: true if the producer asked to be kicked.
 */
static inline bool xvmc_ring_consume(struct xvmc_ring_cons *c, u32 n)
{
	u32 from = c->cons;
	u32 to = from + n;

	/*
	 * Private index first: a want_data() beside us that sees what the
	 * producer made of the new index then sees the new index as well.
	 */
	xvmc_store(&c->cons, to);
	/* Pairs with the acquires in xvmc_ring_space() and _want_space() */
	xvmc_store_release(&c->hdr->cons, to);
	/* Pairs with the barrier in xvmc_ring_want_space() */
	xvmc_mb();
	return xvmc_ring_passed(from, to, xvmc_load(&c->hdr->cons_event));
}

static inline u32 *xvmc_bell_word(struct xvmc_ring_hdr *hdr,
				  enum xvmc_bell kind, u32 word)
{
	return kind == XVMC_BELL_DATA ? &hdr->bell_data[word] :
					&hdr->bell_space[word];
}

/**
 * xvmc_bell_take() - take the doorbells of 32 rings
 * @hdr: header of the own control ring
 * @kind: which bells
 * @word: below %XVMC_BELL_WORDS
 *
 * The exchange is a full barrier: what rang a bell is seen after it was taken.
 * Bells of rings that do not exist may be set by the peer; the caller looks
 * the numbers up.
 *
 * Context: any.
 * Return: a bit per bell that rang since the last call.
 */
static inline u32 xvmc_bell_take(struct xvmc_ring_hdr *hdr,
				 enum xvmc_bell kind, u32 word)
{
	u32 *p = xvmc_bell_word(hdr, kind, word);

	/* An idle word needs no locked cycle; a bell set later has its event */
	return xvmc_load(p) ? xvmc_word_take(p) : 0;
}

#endif /* _XVMC_CORE_RING_PATH_H */
