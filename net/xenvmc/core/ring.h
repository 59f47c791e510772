/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Single-producer, single-consumer byte ring in memory shared with a peer.
 *
 * The only file that touches shared pages, with ring.c and ring_path.h. The
 * caller serialises producers, and consumers, each among themselves. The want_*
 * functions, _space() and _used() may run beside them, but the caller must
 * serialise want_* calls of one end (they store an event index).
 * Documentation/memory-order.rst names the pairs of barriers.
 */
#ifndef _XVMC_CORE_RING_H
#define _XVMC_CORE_RING_H

#include "wire.h"

/**
 * struct xvmc_ring_prod - the producer's end
 * @hdr: shared header page, mapped from the owner
 * @page: data pages, 1 << order of them
 * @size: bytes, a power of two
 * @prod: own index; only published to @hdr, never read back from it
 * @seen: how far xvmc_ring_cons_moved() has seen the consumer
 */
struct xvmc_ring_prod {
	struct xvmc_ring_hdr *hdr;
	void **page;
	u32 size;
	u32 prod;
	u32 seen;
};

/**
 * struct xvmc_ring_cons - the consumer's end
 * @hdr: shared header page, own memory granted to the peer
 * @page: data pages
 * @size: bytes, a power of two
 * @cons: own index; only published to @hdr, never read back from it
 * @seen: how far xvmc_ring_prod_moved() has seen the producer
 */
struct xvmc_ring_cons {
	struct xvmc_ring_hdr *hdr;
	void **page;
	u32 size;
	u32 cons;
	u32 seen;
};

/* What the producer has said of the epoch asked for */
struct xvmc_ring_mark {
	bool started;
	bool stopped;
	u32 seq;
};

enum xvmc_bell { XVMC_BELL_DATA, XVMC_BELL_SPACE };

/* Owner, before the page is granted: zeroes the header, sets magic, order */
void xvmc_ring_format(struct xvmc_ring_hdr *hdr, u32 order);
/* Mapper: copies order and grefs once. Returns the order or -EPROTO */
int xvmc_ring_read_grefs(const struct xvmc_ring_hdr *hdr, u32 want_order,
			 u32 *gref);
void xvmc_ring_prod_init(struct xvmc_ring_prod *p, struct xvmc_ring_hdr *hdr,
			 void **page, u32 order);
void xvmc_ring_cons_init(struct xvmc_ring_cons *c, struct xvmc_ring_hdr *hdr,
			 void **page, u32 order);

/*
 * Producer: asks for a kick once @n bytes are free, then looks again.
 * Returns the bytes free (>= @n: no need to sleep) or -EPROTO.
 */
int xvmc_ring_want_space(struct xvmc_ring_prod *p, u32 n);

/*
 * Consumer: asks for a kick once @n bytes are there, then looks again.
 * Returns the bytes there (>= @n: no need to sleep) or -EPROTO. Both want_*
 * take an @n above the size as the size.
 */
int xvmc_ring_want_data(struct xvmc_ring_cons *c, u32 n);

/*
 * Has the peer's index come further than at any call before? Not when it is
 * impossible. One call at a time, beside whoever uses the ring.
 */
bool xvmc_ring_prod_moved(struct xvmc_ring_cons *c);
bool xvmc_ring_cons_moved(struct xvmc_ring_prod *p);

/*
 * Producer: the marks of an epoch; start before the first publish of it, stop
 * after the last. A stop is always kicked: the consumer can not ask for it.
 */
void xvmc_ring_start(struct xvmc_ring_prod *p, u32 epoch, u32 seq);
void xvmc_ring_stop(struct xvmc_ring_prod *p, u32 epoch);
/*
 * Consumer: reads the marks. If mark->stopped, an xvmc_ring_used() that comes
 * after this call is final: prod does not move again in this epoch.
 */
void xvmc_ring_mark(const struct xvmc_ring_cons *c, u32 epoch,
		    struct xvmc_ring_mark *mark);

/* Doorbells live in the header of a control ring. @n < XVMC_MAX_RINGS */
void xvmc_bell_set(struct xvmc_ring_hdr *hdr, enum xvmc_bell kind, u32 n);

/* Whole copies for callers with plain buffers; the caller checked the room */
void xvmc_ring_copy_in(struct xvmc_ring_prod *p, u32 off, const void *src,
		       u32 n);
void xvmc_ring_copy_out(struct xvmc_ring_cons *c, u32 off, void *dst, u32 n);

#include "ring_path.h"

#endif /* _XVMC_CORE_RING_H */
