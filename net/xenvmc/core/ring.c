// SPDX-License-Identifier: GPL-2.0
/*
 * Byte ring in memory shared with a peer.
 *
 * Runs in any context that the caller's locks allow; takes no lock, never
 * sleeps, never allocates. What the peer writes is read once, with an atomic
 * load, and checked before it is used. Own indices are kept in private memory;
 * what stands in the shared page is for the peer alone.
 *
 * All indices are free-running u32: they wrap, and so only differences of them
 * mean anything. A difference is cast to u32 before it is compared.
 *
 * Each barrier names its partner. Documentation/memory-order.rst lists the
 * pairs and says why they are needed.
 */
#include "ring.h"

xvmc_static_assert(XVMC_RING_MAX_GREFS >= 1 << XVMC_RING_MAX_ORDER);

/**
 * xvmc_ring_format() - prepare the header page of a new ring
 * @hdr: header page, not yet granted to anybody
 * @order: log2 of the number of data pages, at most %XVMC_RING_MAX_ORDER
 *
 * The grant references are left zero; the caller fills them in. Plain stores
 * will do: nobody else can see the page before the caller grants it.
 */
void xvmc_ring_format(struct xvmc_ring_hdr *hdr, u32 order)
{
	memset(hdr, 0, sizeof(*hdr));
	hdr->order = order;
	hdr->magic = XVMC_RING_MAGIC;
}

/**
 * xvmc_ring_read_grefs() - read a peer's ring header after mapping it
 * @hdr: header page, mapped from the owner
 * @want_order: order that the owner announced
 * @gref: room for 1 << @want_order grant references
 *
 * The owner may write anything here at any time. The copy is what counts; the
 * caller passes it to the hypervisor, which checks each reference.
 *
 * Return: the order, or -EPROTO if the page is not what was announced.
 */
int xvmc_ring_read_grefs(const struct xvmc_ring_hdr *hdr, u32 want_order,
			 u32 *gref)
{
	u32 i;

	if (want_order > XVMC_RING_MAX_ORDER)
		return -EPROTO;
	if (xvmc_load(&hdr->magic) != XVMC_RING_MAGIC ||
	    xvmc_load(&hdr->order) != want_order)
		return -EPROTO;

	for (i = 0; i < 1u << want_order; i++)
		gref[i] = xvmc_load(&hdr->gref[i]);
	return (int)want_order;
}

/**
 * xvmc_ring_prod_init() - set up the sender's end of a new ring
 * @p: producer's end
 * @hdr: header page, mapped from the owner
 * @page: data pages, 1 << @order of them; must live as long as @p
 * @order: as returned by xvmc_ring_read_grefs()
 */
void xvmc_ring_prod_init(struct xvmc_ring_prod *p, struct xvmc_ring_hdr *hdr,
			 void **page, u32 order)
{
	p->hdr = hdr;
	p->page = page;
	p->size = (u32)XVMC_PAGE_SIZE << order;
	p->prod = 0;
	p->seen = 0;
}

/**
 * xvmc_ring_cons_init() - set up the owner's end of a new ring
 * @c: consumer's end
 * @hdr: header page, after xvmc_ring_format()
 * @page: data pages, 1 << @order of them; must live as long as @c
 * @order: as given to xvmc_ring_format()
 */
void xvmc_ring_cons_init(struct xvmc_ring_cons *c, struct xvmc_ring_hdr *hdr,
			 void **page, u32 order)
{
	c->hdr = hdr;
	c->page = page;
	c->size = (u32)XVMC_PAGE_SIZE << order;
	c->cons = 0;
	c->seen = 0;
}

/**
 * xvmc_ring_want_space() - ask for a kick once there is room, then look again
 * @p: producer's end
 * @n: bytes that must be free; more than the size is taken as the size
 *
 * There is one event index per end: with several waiters, ask for the least
 * that one of them needs.
 *
 * Context: may run beside the producer, not beside itself.
 * Return: the bytes free now; if less than @n, a kick will come. -EPROTO if
 * the consumer's index is impossible.
 */
int xvmc_ring_want_space(struct xvmc_ring_prod *p, u32 n)
{
	u32 prod, cons;
	int used;

	if (n > p->size)
		n = p->size;
	/* As in xvmc_ring_space(); the event goes along with the index */
	do {
		prod = xvmc_load(&p->prod);
		xvmc_store(&p->hdr->cons_event, prod + n - p->size);
		/* Pairs with the barrier in xvmc_ring_consume() */
		xvmc_mb();
		/* Pairs with the release in xvmc_ring_consume() */
		cons = xvmc_load_acquire(&p->hdr->cons);
	} while (prod != xvmc_load(&p->prod));

	used = xvmc_ring_fill(prod, cons, p->size);
	return used < 0 ? used : (int)p->size - used;
}

/**
 * xvmc_ring_want_data() - ask for a kick once data is there, then look again
 * @c: consumer's end
 * @n: bytes that must be there; more than the size is taken as the size
 *
 * There is one event index per end: with several waiters, ask for the least
 * that one of them needs.
 *
 * Context: may run beside the consumer, not beside itself.
 * Return: the bytes there now; if less than @n, a kick will come. -EPROTO if
 * the producer's index is impossible.
 */
int xvmc_ring_want_data(struct xvmc_ring_cons *c, u32 n)
{
	u32 prod, cons;

	if (n > c->size)
		n = c->size;
	/* As in xvmc_ring_used(); the event goes along with the index */
	do {
		cons = xvmc_load(&c->cons);
		xvmc_store(&c->hdr->prod_event, cons + n);
		/* Pairs with the barrier in xvmc_ring_publish() */
		xvmc_mb();
		/* Pairs with the release in xvmc_ring_publish() */
		prod = xvmc_load_acquire(&c->hdr->prod);
	} while (cons != xvmc_load(&c->cons));

	return xvmc_ring_fill(prod, cons, c->size);
}

/*
 * The index can be between @from and @size behind it, whatever the peer says;
 * the own end moves @from. What was seen and is not there any more is long ago.
 */
static bool ring_moved(u32 *seen, u32 now, u32 from, u32 size)
{
	u32 at = (u32)(now - from), before = (u32)(*seen - from);

	if (at > size || (before <= size && at <= before))
		return false;
	*seen = now;
	return true;
}

/**
 * xvmc_ring_prod_moved() - has the producer written since the last look?
 * @c: consumer's end
 *
 * A producer that only says that it has, or takes its index back and moves it
 * again, is not believed: the answer is true no more often than bytes were
 * consumed, and once for each byte of the ring beyond that.
 *
 * Context: may run beside the consumer, not beside itself.
 * Return: true if its index is further than at any call before.
 */
bool xvmc_ring_prod_moved(struct xvmc_ring_cons *c)
{
	u32 prod, cons;

	/* As in xvmc_ring_used() */
	do {
		cons = xvmc_load(&c->cons);
		prod = xvmc_load(&c->hdr->prod);
	} while (cons != xvmc_load(&c->cons));

	return ring_moved(&c->seen, prod, cons, c->size);
}

/**
 * xvmc_ring_cons_moved() - has the consumer read since the last look?
 * @p: producer's end
 *
 * As xvmc_ring_prod_moved().
 *
 * Context: may run beside the producer, not beside itself.
 * Return: true if its index is further than at any call before.
 */
bool xvmc_ring_cons_moved(struct xvmc_ring_prod *p)
{
	u32 prod, cons;

	/* As in xvmc_ring_space() */
	do {
		prod = xvmc_load(&p->prod);
		cons = xvmc_load(&p->hdr->cons);
	} while (prod != xvmc_load(&p->prod));

	return ring_moved(&p->seen, cons, prod - p->size, p->size);
}

/**
 * xvmc_ring_start() - write the start mark of a lend
 * @p: producer's end
 * @epoch: number of the lend, never 0
 * @seq: sequence number of the first byte that goes to the ring
 *
 * Comes before the first xvmc_ring_publish() of the lend.
 *
 * Context: producer only.
 */
void xvmc_ring_start(struct xvmc_ring_prod *p, u32 epoch, u32 seq)
{
	xvmc_store(&p->hdr->start_seq, seq);
	/* Pairs with the second acquire in xvmc_ring_mark() */
	xvmc_store_release(&p->hdr->start_epoch, epoch);
}

/**
 * xvmc_ring_stop() - write the stop mark of a lend
 * @p: producer's end
 * @epoch: number of the lend, as started
 *
 * Comes after the last xvmc_ring_publish() of the lend. The consumer can not
 * ask for a kick here; the caller always kicks.
 *
 * Context: producer only.
 */
void xvmc_ring_stop(struct xvmc_ring_prod *p, u32 epoch)
{
	/* Pairs with the first acquire in xvmc_ring_mark() */
	xvmc_store_release(&p->hdr->stop_epoch, epoch);
	/*
	 * Pairs with the exchange in xvmc_bell_take(): who takes the bell that
	 * the caller rings now sees the mark. There is no second bell for it.
	 */
	xvmc_mb();
}

/**
 * xvmc_ring_mark() - read the marks of a lend
 * @c: consumer's end
 * @epoch: number of the lend
 * @mark: filled in; @mark->seq only means something if @mark->started
 *
 * The stop mark is read first: a sender that wrote it has written the start
 * mark before, so an honest lend is never seen stopped but not started.
 *
 * Context: any.
 */
void xvmc_ring_mark(const struct xvmc_ring_cons *c, u32 epoch,
		    struct xvmc_ring_mark *mark)
{
	/* Pairs with the release in xvmc_ring_stop(): prod is final */
	mark->stopped = xvmc_load_acquire(&c->hdr->stop_epoch) == epoch;
	/* Pairs with the release in xvmc_ring_start(): start_seq is valid */
	mark->started = xvmc_load_acquire(&c->hdr->start_epoch) == epoch;
	mark->seq = mark->started ? xvmc_load(&c->hdr->start_seq) : 0;
}

/**
 * xvmc_bell_set() - ring the doorbell of a data ring
 * @hdr: header of the control ring that this end sends on
 * @kind: what happened to the ring
 * @n: number of the ring, below %XVMC_MAX_RINGS
 *
 * Comes after an xvmc_ring_publish() or xvmc_ring_consume() that asked for it,
 * or after xvmc_ring_stop(). Their full barrier orders what they wrote before
 * the bell, whose own bit operation may be relaxed.
 *
 * Context: any.
 */
void xvmc_bell_set(struct xvmc_ring_hdr *hdr, enum xvmc_bell kind, u32 n)
{
	xvmc_bit_set(xvmc_bell_word(hdr, kind, n / 32), n % 32);
}

/**
 * xvmc_ring_copy_in() - copy a buffer to the ring
 * @p: producer's end
 * @off: bytes after the producer's index
 * @src: private memory
 * @n: bytes; @off + @n is within xvmc_ring_space()
 *
 * Context: producer only.
 */
void xvmc_ring_copy_in(struct xvmc_ring_prod *p, u32 off, const void *src,
		       u32 n)
{
	const u8 *from = src;

	while (n) {
		u32 len = n;
		void *to = xvmc_ring_put_at(p, off, &len);

		memcpy(to, from, len);
		from += len;
		off += len;
		n -= len;
	}
}

/**
 * xvmc_ring_copy_out() - copy from the ring to a buffer
 * @c: consumer's end
 * @off: bytes after the consumer's index
 * @dst: private memory
 * @n: bytes; @off + @n is within xvmc_ring_used()
 *
 * Context: consumer only.
 */
void xvmc_ring_copy_out(struct xvmc_ring_cons *c, u32 off, void *dst, u32 n)
{
	u8 *to = dst;

	while (n) {
		u32 len = n;
		void *from = xvmc_ring_get_at(c, off, &len);

		memcpy(to, from, len);
		to += len;
		off += len;
		n -= len;
	}
}
