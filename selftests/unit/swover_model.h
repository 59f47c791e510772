/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A model of one direction of a moved TCP connection.
 *
 * Sender, network, TCP receive queue, owner and reader, with the real ring and
 * the real arithmetic between them. Every step is chosen by a source of
 * numbers; other parties step between the three looks that the reader takes,
 * and between looking and reading. The reader compares every byte with the one
 * that the stream has at that place.
 *
 * Used by the property test (random numbers) and by the fuzzer (its input).
 */
#ifndef _XVMC_SWOVER_MODEL_H
#define _XVMC_SWOVER_MODEL_H

#include "unit.h"
#include "../../net/xenvmc/core/swover.h"

#define MODEL_MAX	6000	/* bytes of the stream */

/**
 * struct model - a direction
 * @choose: 0 to n - 1, from whatever drives the model
 * @total: bytes that the sender will write
 * @sent: bytes that it has written, by either way
 * @tcp: what went by TCP; @iss is the sequence number of the first of them
 * @tcp_sent: bytes written to TCP; S is @iss + @tcp_sent
 * @tcp_here: bytes that have arrived
 * @tcp_read: bytes that the reader took
 * @fin_sent: FIN, or RST if @reset, follows the last byte written
 * @tx_lent: the LEND has arrived at the sender
 * @recalled: the owner asked for the ring
 * @no_mark: this sender forgets its last stop mark
 * @rx_lent: from the owner's LEND until the reader is done with it
 * @over: a lend ended without stop mark: there is no other
 * @got: bytes that the reader has seen
 * @wrong: what went wrong, or NULL
 */
struct model {
	u32 (*choose)(void *arg, u32 n);
	void *arg;
	struct unit_ring ring;
	u32 total;
	u32 sent;
	u8 tcp[MODEL_MAX];
	u32 iss;
	u32 tcp_sent;
	u32 tcp_here;
	u32 tcp_read;
	bool fin_sent;
	bool fin_here;
	bool reset;
	bool tx_lent;
	bool tx_started;
	bool recalled;
	bool no_mark;
	u32 epoch;
	bool rx_lent;
	bool over;
	bool eof;
	u32 got;
	u32 by_ring;
	u32 lends;
	const char *wrong;
};

static inline u8 model_byte(u32 i)
{
	return (u8)((i * 2654435761u) >> 24);
}

static inline u32 model_choose(struct model *m, u32 n)
{
	return n ? m->choose(m->arg, n) : 0;
}

static inline void model_init(struct model *m, u32 (*choose)(void *, u32),
			      void *arg)
{
	static const u32 near_wrap[] = {
		0, 0xffffffff, 0x7ffffff0, 0xfffff800,
	};

	memset(m, 0, sizeof(*m));
	m->choose = choose;
	m->arg = arg;
	m->iss = near_wrap[choose(arg, 4)] - choose(arg, 64);
	m->total = choose(arg, MODEL_MAX + 1);
	m->no_mark = !choose(arg, 4);
	m->reset = !choose(arg, 8);
	m->epoch = near_wrap[choose(arg, 2)] - 3;
	unit_ring_init(&m->ring, 0, near_wrap[choose(arg, 4)]);
}

static inline void model_exit(struct model *m)
{
	unit_ring_exit(&m->ring);
}

/* ---- sender: holds its TCP send path still in each of these ---- */

static inline void model_write_tcp(struct model *m, u32 n)
{
	while (n--)
		m->tcp[m->tcp_sent++] = model_byte(m->sent++);
}

static inline void model_write_ring(struct model *m, u32 n)
{
	u8 buf[MODEL_MAX];
	u32 i, space = (u32)xvmc_ring_space(&m->ring.prod);

	if (n > space)
		n = space;
	for (i = 0; i < n; i++)
		buf[i] = model_byte(m->sent++);
	xvmc_ring_copy_in(&m->ring.prod, 0, buf, n);
	xvmc_ring_publish(&m->ring.prod, n);
	m->by_ring += n;
}

static inline void model_start(struct model *m)
{
	xvmc_ring_start(&m->ring.prod, m->epoch, m->iss + m->tcp_sent);
	m->tx_started = true;
}

/* The rule: a lend that was never used is still started and stopped */
static inline void model_stop(struct model *m, bool mark)
{
	if (!m->tx_started)
		model_start(m);
	if (mark)
		xvmc_ring_stop(&m->ring.prod, m->epoch);
	else
		m->over = true;
	m->tx_started = false;
	m->tx_lent = false;
	m->recalled = false;
}

static inline void model_finish(struct model *m)
{
	if (m->tx_lent)
		model_stop(m, !(m->no_mark && m->tx_started));
	m->fin_sent = true;
}

/* One step of the sender, the network or the owner */
static inline void model_others(struct model *m)
{
	u32 left = m->total - m->sent;
	u32 most = model_choose(m, 8) ? 60 : 900;
	u32 n = model_choose(m, left < most ? left + 1 : most);

	switch (model_choose(m, 8)) {
	case 0:				/* write: at once if it fits */
	case 1:
		if (m->fin_sent)
			break;
		if (m->tx_started)
			model_write_ring(m, n);
		else
			model_write_tcp(m, n);
		if (m->sent == m->total)
			model_finish(m);
		break;
	case 2:
	case 3:
		if (m->tx_lent && !m->tx_started && !m->recalled)
			model_start(m);
		break;
	case 4:
		if (model_choose(m, 4))
			break;
		/* Without a mark only if TCP shows it: a byte must follow */
		if (m->tx_started && left && m->no_mark && n) {
			model_stop(m, false);
			model_write_tcp(m, n);
			if (m->sent == m->total)
				model_finish(m);
		} else if (m->tx_lent && (m->tx_started || m->recalled)) {
			model_stop(m, true);
		}
		break;
	case 5:				/* the network delivers, in order */
	case 6:
		m->tcp_here += model_choose(m, m->tcp_sent - m->tcp_here + 1);
		if (m->tcp_here == m->tcp_sent)
			m->fin_here = m->fin_sent;
		break;
	case 7:
		if (m->tx_lent)
			m->recalled = !model_choose(m, 8);
		break;
	}
}

/* Any number of steps, none and one being usual */
static inline void model_some_others(struct model *m)
{
	u32 n = model_choose(m, 4);

	while (n--)
		model_others(m);
}

/* ---- owner and reader ---- */

static inline void model_lend(struct model *m)
{
	if (m->rx_lent || m->over || m->fin_sent)
		return;
	if (!++m->epoch)
		m->epoch++;
	m->rx_lent = true;
	m->tx_lent = true;
	m->lends++;
}

static inline void model_take(struct model *m, u8 byte)
{
	if (byte != model_byte(m->got) && !m->wrong)
		m->wrong = "a byte at the wrong place";
	m->got++;
}

static inline void model_read_tcp(struct model *m, u32 limit)
{
	u32 n = m->tcp_here - m->tcp_read;

	if (n > limit)
		n = limit;
	if (!n && m->fin_here && m->tcp_read == m->tcp_here && limit)
		m->eof = true;
	n = n ? 1 + model_choose(m, n) : 0;
	while (n--)
		model_take(m, m->tcp[m->tcp_read++]);
}

static inline void model_read_ring(struct model *m, u32 limit)
{
	u32 i, n = 1 + model_choose(m, limit);
	u8 buf[XVMC_PAGE_SIZE];

	xvmc_ring_copy_out(&m->ring.cons, 0, buf, n);
	for (i = 0; i < n; i++)
		model_take(m, buf[i]);
	xvmc_ring_consume(&m->ring.cons, n);
}

/* The three looks, in the order that the protocol wants */
static inline void model_view(struct model *m, struct xvmc_rx_view *v)
{
	int used;

	memset(v, 0, sizeof(*v));
	v->lent = m->rx_lent;
	v->copied_seq = m->iss + m->tcp_read;
	v->fin = m->fin_here;
	/* A FIN takes a sequence number, an RST does not */
	v->rcv_nxt = m->iss + m->tcp_here + (m->fin_here && !m->reset);
	model_some_others(m);
	xvmc_ring_mark(&m->ring.cons, m->epoch, &v->mark);
	model_some_others(m);
	used = xvmc_ring_used(&m->ring.cons);
	if (used < 0)
		m->wrong = "an honest ring is broken";
	else
		v->used = (u32)used;
	model_some_others(m);
}

/* One read. Returns whether there was something to do */
static inline bool model_read(struct model *m)
{
	struct xvmc_rx_view v;
	u32 limit;

	model_view(m, &v);
	switch (xvmc_rx_next(&v, &limit)) {
	case XVMC_SRC_TCP:
		if (m->rx_lent && !limit)
			return false;
		model_read_tcp(m, limit);
		return true;
	case XVMC_SRC_RING:
		model_read_ring(m, limit);
		return true;
	case XVMC_SRC_WAIT_RING:
		return false;
	case XVMC_SRC_RING_DONE:
		m->rx_lent = false;
		return true;
	default:
		m->wrong = "an honest sender is a violator";
		return false;
	}
}

/* Nobody chooses any more: what was written must now be read to its end */
static inline void model_settle(struct model *m)
{
	u32 rounds = 0;

	while (!m->eof && !m->wrong) {
		if (m->sent < m->total && m->tx_started)
			model_write_ring(m, m->total - m->sent);
		else
			model_write_tcp(m, m->total - m->sent);
		if (m->sent == m->total && !m->fin_sent)
			model_finish(m);
		m->tcp_here = m->tcp_sent;
		m->fin_here = m->fin_sent;
		model_read(m);
		if (++rounds > 4 * MODEL_MAX)
			m->wrong = "the reader waits for nothing";
	}
	if (!m->wrong && m->got != m->total)
		m->wrong = "the stream ended too early";
}

/* A whole connection, in at most @steps steps and what is left then */
static inline void model_run(struct model *m, u32 steps)
{
	while (steps-- && !m->eof && !m->wrong) {
		switch (model_choose(m, 3)) {
		case 0:
			model_read(m);
			break;
		case 1:
			model_others(m);
			break;
		case 2:
			model_lend(m);
			break;
		}
	}
	model_settle(m);
}

#endif /* _XVMC_SWOVER_MODEL_H */
