/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Channel: what this domain shares with one peer - control rings, doorbells
 * and the pool of rings that are lent to connections.
 */
#ifndef _XVMC_CHAN_H
#define _XVMC_CHAN_H

#include <linux/interrupt.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include "core/ctlmsg.h"
#include "core/frame.h"
#include "transport.h"

struct xvmc_conn;
struct xvmc_guest;
struct xvmc_peer;

/* Sizes of the rings of a channel's pool, see pool.c */
#define XVMC_ORDER_LARGE	7	/* 512 KiB */
#define XVMC_ORDER_MEDIUM	5	/* 128 KiB */
#define XVMC_ORDER_SMALL	2	/* 16 KiB */
#define XVMC_POOL_RINGS		XVMC_MAX_RINGS
#define XVMC_MAX_TX_PAGES	16384	/* pages of a peer that are mapped */
#define XVMC_MAX_ANSWERS	1024	/* refusals that wait for room */
#define XVMC_MAX_LEFT		4096	/* connections that await a last word */

/**
 * struct xvmc_rx_ring - a ring that this end owns and reads
 * @mem: its pages
 * @cons: consumer end; moved under the borrower's rx mutex
 * @lock: protects the event index (want_data) and @conn against it
 * @conn: borrower, or NULL; RCU, written under @lock
 * @id: index in the channel's table
 * @epoch: of the present or last lend
 * @asked: position of the producer that brings a kick; @lock
 * @looked_prod: where the producer was when reclaim.c looked last
 * @looked_at: and since when
 * @told: the last lend whose stop mark a bell has brought; the bells' own
 * @announced: RING_ADD was sent, and the peer has not said that it was in vain;
 *	chan lock
 * @gone: it said so while the ring was lent, which is over; chan lock
 * @dead: it will never map it; set once, under the chan lock
 */
struct xvmc_rx_ring {
	struct xvmc_ring_mem mem;
	struct xvmc_ring_cons cons;
	spinlock_t lock;
	struct xvmc_conn __rcu *conn;
	u32 id;
	u32 epoch;
	u32 asked;
	u32 looked_prod;
	unsigned long looked_at;
	u32 told;
	bool announced;
	bool gone;
	bool dead;
};

/**
 * struct xvmc_tx_ring - a ring of the peer that this end maps and writes
 * @mem: its pages
 * @prod: producer end; moved under the borrower's tx mutex
 * @lock: protects the event index (want_space) and @conn against it
 * @conn: borrower, or NULL; RCU, written under @lock
 * @id: index in the peer's table
 * @epoch: of the present or last lend
 * @lend: its number among all of the channel's; written under @lock
 * @lent: between LEND and the stop mark; @lock
 * @recalled: RECALL came for this lend; written under @lock
 */
struct xvmc_tx_ring {
	struct xvmc_ring_mem mem;
	struct xvmc_ring_prod prod;
	spinlock_t lock;
	struct xvmc_conn __rcu *conn;
	u32 id;
	u32 epoch;
	u64 lend;
	bool lent;
	bool recalled;
};

enum xvmc_chan_state {
	XVMC_CHAN_SETUP,	/* until HELLO and HELLO_ACK */
	XVMC_CHAN_UP,
	XVMC_CHAN_CLOSING,
	XVMC_CHAN_CLOSED,
};

/**
 * struct xvmc_answer - a refusal that waits for room
 * @type: of the message
 * @conn: its body
 */
struct xvmc_answer {
	u16 type;
	struct xvmc_msg_conn conn;
};

/**
 * struct xvmc_chan - a channel
 * @ref: references: the peer's, one per connection, one while work is queued
 * @peer: the other end; a reference is held
 * @ops: the peer's transport
 * @tpriv: the transport's own (event channel)
 * @uuid: the peer's when the channel was made
 * @guest: who that is; a reference is held. Connections that are cut go on only
 *	with that one
 * @features: agreed with the peer, set before the channel is up
 * @lock: protects all below up to @conns; BH-safe, innermost but the rings'
 * @state: &enum xvmc_chan_state
 * @reason: why it is closing, &enum xenvmc_reason
 * @tx_ctl: control ring to the peer, mapped
 * @rx_ctl: control ring from the peer, own; read by @work alone
 * @has_tx_ctl: @tx_ctl exists
 * @has_rx_ctl: @rx_ctl exists
 * @send_list: connections with control messages to send
 * @answers: refusals to send, which have no connection here: a ring of
 *	%XVMC_MAX_ANSWERS
 * @first_answer: the next one
 * @nr_answers: how many
 * @gone: tx rings to send RING_GONE for, a bit each
 * @gone_status: and with which status
 * @has_gone: a hint that @gone is not empty
 * @unmapped: what the peer has announced is not granted; @work's own
 * @bye: BYE is to be sent
 * @bye_due: as soon as there is room
 * @bye_seen: the peer's last message has come
 * @was_up: the channel has been usable
 * @free_rx: free rings of the pool, a bit per id
 * @nr_rx: own rings granted
 * @nr_tx: rings of the peer mapped
 * @rx: own rings by id; set once, cleared when closed
 * @tx: the peer's rings by id; RCU
 * @tx_pages: data pages of the peer mapped
 * @tx_lends: lends by the peer so far; @work
 * @starving: connections that wait for a free ring
 * @wanting: of those, the ones whose peer waits for it; they come first
 * @kept: unread bytes of connections that yielded their ring
 * @hand: the ring that reclaim.c looks at next; the feeding work's own
 * @violated: what the peer did, for @work to act on
 * @reported: that has been done
 * @grow_mutex: one adds a ring at a time; outside @lock
 * @conns: connections by own id; own lock
 * @next_id: cyclic allocation of ids
 * @nr_conns: connections in @conns
 * @nr_left: of them, those whose local end is over
 * @unproven: late requests of the peer that have proved nothing yet; the hook's
 * @borrowed: lent rings of both ends that somebody here may still touch
 * @idle: woken when @borrowed falls to 0
 * @bells: takes doorbells in softirq context
 * @dull: events in a row behind which nothing was found; @bells' own
 * @work: reads control messages, sends what is queued
 * @close_work: tears down
 * @scarce: there was no memory for a ring, here or at the peer; @lock
 * @feed_work: lets the starving try again
 * @rx_bytes: read from data rings
 * @tx_bytes: written to data rings
 * @rcu: freed after a grace period
 */
struct xvmc_chan {
	struct kref ref;
	struct xvmc_peer *peer;
	const struct xvmc_transport_ops *ops;
	void *tpriv;
	char uuid[XVMC_UUID_SIZE];
	struct xvmc_guest *guest;
	u32 features;

	spinlock_t lock;
	u8 state;
	u32 reason;
	struct xvmc_tx_ring tx_ctl;
	struct xvmc_rx_ring rx_ctl;
	bool has_tx_ctl;
	bool has_rx_ctl;
	struct list_head send_list;
	struct xvmc_answer *answers;
	u32 first_answer;
	u32 nr_answers;
	DECLARE_BITMAP(gone, XVMC_MAX_RINGS);
	u8 gone_status[XVMC_MAX_RINGS];
	bool has_gone;
	bool unmapped;
	bool bye;
	bool bye_due;
	bool bye_seen;
	bool was_up;
	DECLARE_BITMAP(free_rx, XVMC_MAX_RINGS);
	u32 nr_rx;
	u32 nr_tx;
	struct xvmc_rx_ring *rx[XVMC_MAX_RINGS];
	struct xvmc_tx_ring __rcu *tx[XVMC_MAX_RINGS];

	u32 tx_pages;
	u64 tx_lends;
	struct list_head starving;
	struct list_head wanting;
	atomic_t kept;
	u32 hand;
	const char *violated;
	bool reported;
	struct mutex grow_mutex;

	struct xarray conns;
	u32 next_id;
	atomic_t nr_conns;
	atomic_t nr_left;
	atomic_t unproven;
	atomic_t borrowed;
	wait_queue_head_t idle;

	struct tasklet_struct bells;
	u32 dull;
	struct work_struct work;
	struct work_struct close_work;
	bool scarce;
	struct delayed_work feed_work;
	atomic64_t rx_bytes;
	atomic64_t tx_bytes;
	struct rcu_head rcu;
};

int xvmc_chan_init(void);		/* workqueue */
void xvmc_chan_exit(void);
extern struct workqueue_struct *xvmc_wq;
extern struct workqueue_struct *xvmc_pair_wq;

/*
 * Set-up, called by peer.c and the transports in process context. A channel
 * begins in SETUP with neither control ring.
 */
struct xvmc_chan *xvmc_chan_new(struct xvmc_peer *peer);
int xvmc_chan_add_rx_ctl(struct xvmc_chan *chan);	/* token: rx_ctl.mem */
int xvmc_chan_add_tx_ctl(struct xvmc_chan *chan, u32 token);
void xvmc_chan_up(struct xvmc_chan *chan);
/*
 * Begins the tear-down and returns; may be called again. Connections go back
 * to TCP or end. BYE is sent if @bye. When all is unmapped and closed the peer
 * gets %XVMC_PEV_CLOSED. Any context
 */
void xvmc_chan_close(struct xvmc_chan *chan, u32 reason, bool bye);

static inline void xvmc_chan_hold(struct xvmc_chan *chan)
{
	kref_get(&chan->ref);
}

static inline bool xvmc_chan_tryhold(struct xvmc_chan *chan)
{
	return kref_get_unless_zero(&chan->ref);
}

void xvmc_chan_put(struct xvmc_chan *chan);	/* any context */

/* Between chan.c, chan_io.c and pool.c */
void xvmc_chan_queue_work(struct xvmc_chan *chan, struct work_struct *work);
void xvmc_chan_bells(struct tasklet_struct *tasklet);
void xvmc_chan_work(struct work_struct *work);
void xvmc_chan_unqueue(struct xvmc_chan *chan, struct xvmc_conn *conn);
/* It is over, and is dropped if it has nothing to say. Any context */
void xvmc_chan_forget(struct xvmc_chan *chan, struct xvmc_conn *conn);
void xvmc_rx_ring_init(struct xvmc_rx_ring *ring);

/* The transport's event came. Any context, also hard interrupt */
void xvmc_chan_event(struct xvmc_chan *chan);

/* Puts one message if there is room. 0, -EAGAIN, or -EPIPE if not set up */
int xvmc_chan_send(struct xvmc_chan *chan, const struct xvmc_ctlmsg *msg);
/* A refusal, as soon as there is room. Any context */
void xvmc_chan_answer(struct xvmc_chan *chan, u16 type, u32 peer_id, u32 arg);
void xvmc_chan_drop_answers(struct xvmc_chan *chan);
/* Sends what waits for room. False: the control ring is broken. Any context */
bool xvmc_chan_flush(struct xvmc_chan *chan);
/* Queues @conn, whose pending messages are then sent in order. Any context */
void xvmc_chan_queue(struct xvmc_chan *chan, struct xvmc_conn *conn);
/* A violation by the peer: counts, logs, closes. Any context */
void xvmc_chan_violation(struct xvmc_chan *chan, const char *what);
/* One that peer.c has counted, and acts on. Any context */
void xvmc_chan_distrust(struct xvmc_chan *chan, const char *what);

/* Pool: a free or new own ring, or NULL. Process context */
struct xvmc_rx_ring *xvmc_chan_take_rx(struct xvmc_chan *chan, u32 most);
/* Back to the pool; drained, stopped and without borrower. Any context */
void xvmc_chan_give_rx(struct xvmc_chan *chan, struct xvmc_rx_ring *ring);

/* Those that starve try again in a while, if the pool can grow. Any context */
void xvmc_chan_feed_later(struct xvmc_chan *chan);
void xvmc_chan_feed_work(struct work_struct *work);
/* One waits for a ring, in process context; or does not any more */
void xvmc_conn_starve(struct xvmc_conn *conn);
void xvmc_conn_unstarve(struct xvmc_conn *conn);

/* reclaim.c: takes rings for those whose peers want one. Process context */
void xvmc_chan_reclaim(struct xvmc_chan *chan);

/* The peer's BYE came: it sends nothing after it. Process context */
void xvmc_chan_bye_seen(struct xvmc_chan *chan);

/* Marks a lent ring as in use here, or no longer. Any context */
void xvmc_chan_borrow(struct xvmc_chan *chan);
void xvmc_chan_unborrow(struct xvmc_chan *chan);

/* stream_park.c: a channel to that guest is up. Any context */
void xvmc_park_met(struct xvmc_chan *chan);
/* control.c: one message, from the channel's work */
void xvmc_control_rx(struct xvmc_chan *chan, const struct xvmc_ctlmsg *msg);
/* conn.c: what a doorbell of a ring means to its borrower. Softirq, RCU */
void xvmc_conn_bell(struct xvmc_conn *conn, enum xvmc_bell kind);
/* conn_msg.c: next pending message, under the channel's lock */
bool xvmc_conn_next_msg(struct xvmc_conn *conn, struct xvmc_ctlmsg *msg);
bool xvmc_conn_is_guessed(const struct xvmc_conn *conn, u8 event);
/* conn.c: a ring may be free now. Any context */
void xvmc_conn_feed(struct xvmc_conn *conn);
/* conn.c: the channel is closing. Process context */
void xvmc_conn_chan_down(struct xvmc_chan *chan, u32 reason);
/* conn.c: the channel goes: have unread bytes saved. Any context */
void xvmc_conn_save(struct xvmc_conn *conn, bool force);

/* Rings the bell of ring @id at the peer and kicks. Any context */
void xvmc_chan_ring_bell(struct xvmc_chan *chan, enum xvmc_bell kind, u32 id);

#endif /* _XVMC_CHAN_H */
