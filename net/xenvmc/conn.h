/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Connection: the one engine under AF_XENVMC sockets and moved TCP sockets.
 *
 * A "door" (stream.c, hook.c) embeds struct xvmc_conn in its own object,
 * owns the waiting and the errno of system calls, and is called back through
 * xvmc_conn_ops. The engine owns ids, control messages, rings, kicks.
 *
 * Locks: tx.mutex serialises writing, rx.mutex reading; door code may take the
 * socket lock inside them, never the other way. conn->lock is inside both.
 */
#ifndef _XVMC_CONN_H
#define _XVMC_CONN_H

#include <linux/in6.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/uio.h>
#include <linux/workqueue.h>
#include <net/sock.h>
#include "chan.h"
#include "core/fsm.h"
#include "core/swover.h"

struct xvmc_conn;

/**
 * struct xvmc_conn_info - what a door knows of a connection, to show it
 * @local: own address, if @has_addr
 * @remote: the peer's, if @has_addr
 * @has_addr: the addresses are set; a stream has none but the domain id
 * @sport: own port, host byte order
 * @dport: the peer's port, host byte order
 * @ino: inode of the socket, 0 if none
 * @parked: it was cut and waits for the peer
 * @has_tcp: the bytes by TCP are set
 * @tx_tcp: bytes that were written to TCP, sent already or not
 * @rx_tcp: bytes that TCP has received, read already or not
 */
struct xvmc_conn_info {
	struct in6_addr local;
	struct in6_addr remote;
	bool has_addr;
	u32 sport;
	u32 dport;
	u64 ino;
	bool parked;
	bool has_tcp;
	u64 tx_tcp;
	u64 rx_tcp;
};

/**
 * struct xvmc_conn_ops - what a door does for the engine
 * @kind: "stream" or "tcp", as shown to the user
 * @tcp: a moved TCP connection: UPGRADE instead of CONNECT, and reasons
 *	instead of errno values
 * @ask: fills the CONNECT or UPGRADE message but for its conn id.
 *	Under the channel's lock, softirq context
 * @believes: optional, for TCP: is that the proof that the answer to our
 *	question must have? Under conn->lock
 * @opened: the connection is UP. Process context
 * @refused: the peer, or a timeout, said no: @why is a positive errno for
 *	a stream, an &enum xenvmc_reason for TCP. Process context
 * @down: the peer let go or the channel went: no new byte goes to the ring;
 *	@why as above. What is in the rx ring can still be read. Also if it
 *	turns out to be torn, earlier or later. Process context
 * @tx_lent: a ring may be written from now on. Process context
 * @recalled: optional: the peer took the tx ring back and it was stopped.
 *	Process context
 * @cut: optional: the channel goes for a suspend, under a connection that is UP
 *	or that the peer may not know to be LEFT. down() follows if it was
 *	UP, with EAGAIN. True: it waits for the peer, and the door tells what
 *	becomes of it. Process context, nothing held
 * @meet: optional: xvmc_conn_meet() was called, or a cut connection has given
 *	its ring back. Process context, also after the door has left
 * @no_ring: optional: there is no ring for the receiving direction now; one
 *	will be lent when one becomes free. Process context
 * @charge: optional: a ring of so many bytes is about to be lent. False: not
 *	to this socket, which the door sees to. Process context
 * @tcp_next: optional: the sequence number that TCP expects next. Process
 *	context, rx.mutex
 * @data_ready: bytes or a stop mark came. Softirq or process context, RCU
 * @write_space: room came. Softirq or process context, RCU
 * @release: after the last reference and a grace period: frees the object. A
 *	TCP door's object has its xvmc_conn first and is one kmalloc(), since an
 *	orphan may outlive the door's module
 * @describe: optional: corrects what netlink.c found out from the socket by
 *	itself. Process context, RCU
 */
struct xvmc_conn_ops {
	const char *kind;
	bool tcp;
	void (*ask)(struct xvmc_conn *conn, struct xvmc_ctlmsg *msg);
	bool (*believes)(struct xvmc_conn *conn, u64 proof);
	void (*opened)(struct xvmc_conn *conn);
	void (*refused)(struct xvmc_conn *conn, u32 why);
	void (*down)(struct xvmc_conn *conn, u32 why);
	void (*tx_lent)(struct xvmc_conn *conn);
	void (*recalled)(struct xvmc_conn *conn, u32 why);
	bool (*cut)(struct xvmc_conn *conn);
	void (*meet)(struct xvmc_conn *conn);
	void (*no_ring)(struct xvmc_conn *conn);
	bool (*charge)(struct xvmc_conn *conn, u32 bytes);
	u32 (*tcp_next)(struct xvmc_conn *conn);
	void (*data_ready)(struct xvmc_conn *conn);
	void (*write_space)(struct xvmc_conn *conn);
	void (*release)(struct xvmc_conn *conn);
	void (*describe)(struct xvmc_conn *conn, struct xvmc_conn_info *info);
};

/* orphan.c: the door of a connection that has none any more */
extern const struct xvmc_conn_ops xvmc_orphan_ops;

/**
 * struct xvmc_conn_tx - sending direction
 * @mutex: serialises writers, start and stop
 * @ring: lent ring, or NULL; changed under @mutex, RCU for poll
 * @started: the start mark is written; @mutex
 * @closed: no lend is used any more (DETACH, shutdown); @mutex
 * @seq: S of the present or last lend; @mutex
 * @carried: the present lend has carried bytes; @mutex
 * @switches: how often the direction went onto a ring or off it; @mutex
 * @stalls: how often a write found no room at all; @mutex
 * @bytes: written to rings; @mutex
 * @fin: without TCP: the end of the stream was marked; @mutex
 * @last_ring: id of the ring whose lend ended last; @mutex
 * @last_lend: number of that lend, 0 before there was one; @mutex
 * @unread: bytes in the ring when the end of the connection stopped it
 * @wants: WANT was said, and no ring has come since; conn lock
 * @nr_any: writers that wait for any room; see xvmc_tx_want_any()
 * @offered: a ring that was lent and is not yet in @ring; conn lock
 */
struct xvmc_conn_tx {
	struct mutex mutex;
	struct xvmc_tx_ring __rcu *ring;
	bool started;
	bool closed;
	u32 seq;
	bool carried;
	u32 switches;
	u64 stalls;
	u64 bytes;
	bool fin;
	u32 last_ring;
	u64 last_lend;
	u32 unread;
	bool wants;
	atomic_t nr_any;
	struct xvmc_tx_ring *offered;
};

/**
 * struct xvmc_conn_rx - receiving direction
 * @mutex: serialises readers and the end of a lend
 * @ring: lent ring, or NULL; changed under @mutex, RCU for poll
 * @seq: S of the present or last lend, as the peer said; @mutex
 * @carried: bytes of the present lend were read; @mutex
 * @switches: how often the direction went onto a ring or off it; @mutex
 * @bytes: read from rings; @mutex
 * @fin: without TCP: the end of the stream was read; @mutex
 * @orphan: nobody reads any more: what comes is discarded; @mutex
 * @lost: bytes that were discarded so; @mutex
 * @ring_id: the lend's ring, for messages; conn lock
 * @epoch: the lend's epoch, for messages; conn lock
 * @spill: unread bytes that were saved when channel or ring went; @mutex
 * @spill_len: how many, with those that were read; @mutex
 * @spill_room: how many there is memory for; @mutex
 * @spill_off: how much of it was read; @mutex
 * @spill_mark: the marks of the ring it came from; @mutex
 * @kept: of the saved bytes, those that chan->kept counts; @mutex
 * @no_lend: no further lend; @mutex
 * @most: bytes of a ring that is lent, at most; 0: any
 * @torn: bytes may be missing behind those that can be read; @mutex
 * @torn_seq: with TCP: its bytes below this are before missing ones; @mutex
 * @renew: the ring was taken back and another one follows; @mutex
 * @yields: after somebody else had one
 * @spin_doubt: how rarely looking before sleeping is tried: spin.c
 * @spin_passed: waits since it was tried; both are guesses without a lock
 */
struct xvmc_conn_rx {
	struct mutex mutex;
	struct xvmc_rx_ring __rcu *ring;
	u32 seq;
	bool carried;
	u32 switches;
	u64 bytes;
	bool fin;
	bool orphan;
	u64 lost;
	u32 ring_id;
	u32 epoch;
	void *spill;
	u32 spill_len;
	u32 spill_room;
	u32 spill_off;
	struct xvmc_ring_mark spill_mark;
	u32 kept;
	bool no_lend;
	u32 most;
	bool torn;
	u32 torn_seq;
	bool renew;
	bool yields;
	s8 spin_doubt;
	u16 spin_passed;
};

/**
 * struct xvmc_conn - a connection
 * @ref: references: the door's, the id table's, queued work's
 * @ops: the door
 * @sk: the socket; a reference is held until release
 * @chan: the channel; a reference is held until release
 * @lock: protects the words below up to @work; BH-safe
 * @state: &enum xvmc_conn_state
 * @has_id: @id is in the channel's table
 * @has_peer_id: @peer_id is known
 * @id: own id
 * @peer_id: the peer's
 * @send: control messages to send, a bit per message type
 * @proof: TCP: what UPGRADE_OK says; the door writes it before it accepts
 * @todo: work for @work
 * @why: reason or errno that goes with DETACH, RESET, refused or down
 * @recall_why: reason that goes with RECALL
 * @recalled_why: reason that came with the peer's
 * @fell_why: reason of the last fallback, 0 if there was none
 * @left: the door has left: no callback but data_ready, meet and release
 * @reset: RESET instead of DETACH
 * @cut: the door's cut was called, or will be
 * @resumes: a stream that goes on: both ends ask, and neither accepts
 * @send_node: in the channel's send list; chan lock
 * @queued: it is there; chan lock
 * @starve_node: in a list of the channel's, of those without a ring; chan lock
 * @wanted: the peer waits for a ring; chan lock
 * @want_since: jiffies
 * @work: runs the callbacks and takes the mutexes, so that a reader or
 *	writer that is held up holds up its own connection alone
 * @timer: no answer to ASK or AWAIT; once up, @nudge
 * @nudge: data_ready is due when @timer ends
 * @rcu: freed after a grace period
 * @tx: sending direction
 * @rx: receiving direction
 */
struct xvmc_conn {
	struct kref ref;
	const struct xvmc_conn_ops *ops;
	struct sock *sk;
	struct xvmc_chan *chan;
	spinlock_t lock;
	u8 state;
	bool has_id;
	bool has_peer_id;
	u32 id;
	u32 peer_id;
	u32 send;
	u64 proof;
	unsigned long todo;
	u32 why;
	u32 recall_why;
	u32 recalled_why;
	u32 fell_why;
	bool left;
	bool reset;
	bool cut;
	bool resumes;
	struct list_head send_node;
	bool queued;
	struct list_head starve_node;
	bool wanted;
	unsigned long want_since;
	struct work_struct work;
	struct delayed_work timer;
	bool nudge;
	struct rcu_head rcu;
	struct xvmc_conn_tx tx;
	struct xvmc_conn_rx rx;
};

/*
 * Initialises @conn with one reference (the door's) in state NEW and takes
 * references to @sk and @chan. GFP of the caller's context for the id: any
 * context. -ENETDOWN if the channel is not up, -ENOBUFS if the peer lets go of
 * no connection, -ENOMEM.
 */
int xvmc_conn_init(struct xvmc_conn *conn, const struct xvmc_conn_ops *ops,
		   struct sock *sk, struct xvmc_chan *chan);

static inline void xvmc_conn_hold(struct xvmc_conn *conn)
{
	kref_get(&conn->ref);
}

void xvmc_conn_release(struct kref *ref);

/* Any context */
static inline void xvmc_conn_put(struct xvmc_conn *conn)
{
	kref_put(&conn->ref, xvmc_conn_release);
}

/* Returns a reference or NULL */
struct xvmc_conn *xvmc_conn_get_by_id(struct xvmc_chan *chan, u32 id);

/*
 * Life. Any context; callbacks come later from the connection's work. A
 * @timeout of 0 is none
 */
void xvmc_conn_ask(struct xvmc_conn *conn, unsigned long timeout);
void xvmc_conn_await(struct xvmc_conn *conn, unsigned long timeout);
/* A matching request came from @peer_id: UP, and the answer is sent */
int xvmc_conn_accept(struct xvmc_conn *conn, u32 peer_id);
/*
 * Local end of the connection: stops the tx ring, recalls the rx ring, sends
 * DETACH (RESET with errno @why if @reset). The door drops its own reference
 * afterwards. After xvmc_conn_leave() no callback comes but release, and those
 * that run already. @orphan: unread and later rx bytes are discarded; else the
 * door goes on to read until it ends the lend, see xvmc_rx_done().
 */
void xvmc_conn_leave(struct xvmc_conn *conn, u32 why, bool reset, bool orphan);
/* No ring will be lent, if @conn is not UP yet. False if it is. Any context */
bool xvmc_conn_forestall(struct xvmc_conn *conn);
/* No further rx ring is lent; one that is stays. Process context */
void xvmc_conn_no_lend(struct xvmc_conn *conn);
/* The meet callback comes. Any context */
void xvmc_conn_meet(struct xvmc_conn *conn);
/*
 * A stream goes on by @conn, which has not been UP, where @old was cut, which
 * is not writing any more. Process context; takes tx.mutex of @old, or needs
 * rx.mutex of both
 */
void xvmc_conn_inherit_tx(struct xvmc_conn *conn, struct xvmc_conn *old);
void xvmc_conn_inherit_rx(struct xvmc_conn *conn, struct xvmc_conn *old);
/* Bytes that follow those that a cut stream has saved. 0 or -ENOMEM */
int xvmc_conn_append(struct xvmc_conn *conn, const void *data, u32 len,
		     bool fin);
/* Callbacks that run now have ended when this returns. Process context */
void xvmc_conn_flush(void);

/*
 * Sending; tx.mutex held but for want_space.
 */
/* A ring is lent and not stopped */
bool xvmc_tx_has_ring(struct xvmc_conn *conn);
/* Writes the start mark with S = @seq. 0 or -EAGAIN without a ring */
int xvmc_tx_start(struct xvmc_conn *conn, u32 seq);
/* Copies what fits of @len bytes. Bytes (0: full), -EFAULT or -ECONNRESET */
ssize_t xvmc_tx_write(struct xvmc_conn *conn, struct iov_iter *from,
		      size_t len);
/* Writes the stop mark; ends the lend. Nothing without a ring */
void xvmc_tx_stop(struct xvmc_conn *conn);
/* AF_XENVMC: the same, and the end of the stream */
void xvmc_tx_finish(struct xvmc_conn *conn);
/*
 * Room for a sensible write (half the ring)? If not, a write_space callback
 * will come. True as well if no ring is in use. Any context, no lock needed
 */
bool xvmc_tx_want_space(struct xvmc_conn *conn);
bool xvmc_tx_has_space(struct xvmc_conn *conn);
/* Between the two the callback comes for the first byte already */
static inline void xvmc_tx_want_any(struct xvmc_conn *conn)
{
	atomic_inc(&conn->tx.nr_any);
}

static inline void xvmc_tx_want_half(struct xvmc_conn *conn)
{
	atomic_dec(&conn->tx.nr_any);
}

/* For write_space(): wakes those of @sk. True if there are some. Any context */
bool xvmc_tx_wake_any(struct xvmc_conn *conn, struct sock *sk);
/* reclaim.c: asks the peer for a ring, once, if there is none. Any context */
void xvmc_tx_want_ring(struct xvmc_conn *conn);
/* Bytes that the peer has not read yet; any context */
u32 xvmc_tx_queued(struct xvmc_conn *conn);
/* Size of the ring that is lent to us, 0 without one. Any context */
u32 xvmc_tx_size(struct xvmc_conn *conn);

/*
 * Receiving; rx.mutex held but for want_data and queued.
 */
/*
 * Fills @view's lent, mark and used from the ring, in this order; the caller
 * filled the TCP members before. Returns 0 or -ECONNRESET (violation; the
 * channel is being closed).
 */
int xvmc_rx_view(struct xvmc_conn *conn, struct xvmc_rx_view *view);
/*
 * Copies @len bytes that are there, from @skip bytes on, to @to (NULL:
 * discards); consumes @skip + copied if @consume. Bytes or -EFAULT.
 */
ssize_t xvmc_rx_read(struct xvmc_conn *conn, struct iov_iter *to, size_t len,
		     size_t skip, bool consume);
/* Stopped and drained: gives the ring back. A new lend may follow */
void xvmc_rx_done(struct xvmc_conn *conn, bool lend_again);
/* Asks the peer to stop; the stop mark rings data_ready. Any context */
void xvmc_rx_recall(struct xvmc_conn *conn, u32 why);
/* rx.mutex held: the ring is taken back, and another one follows */
void xvmc_rx_take_back(struct xvmc_conn *conn);
/* data_ready in a while, whatever there is then. Any context */
void xvmc_rx_nudge(struct xvmc_conn *conn);
/*
 * News for who reads @sk; a signal only if something can be @seen: bytes, that
 * some are missing, an end. Any context.
 */
void xvmc_rx_tell(struct sock *sk, bool seen);
/*
 * @n bytes or a stop mark there? If not, data_ready will come. Any context,
 * no lock needed. False if no ring is lent.
 */
bool xvmc_rx_want_data(struct xvmc_conn *conn, u32 n);
/* The same without asking for data_ready */
bool xvmc_rx_look(struct xvmc_conn *conn, u32 n);
u32 xvmc_rx_queued(struct xvmc_conn *conn);
u32 xvmc_rx_saved(const struct xvmc_conn *conn);
/* A writer met a full ring. tx.mutex held */
static inline void xvmc_tx_stalls(struct xvmc_conn *conn)
{
	lockdep_assert_held(&conn->tx.mutex);
	WRITE_ONCE(conn->tx.stalls, conn->tx.stalls + 1);
}

bool xvmc_rx_over(struct xvmc_conn *conn);	/* the peer has stopped */
/* Size of the ring that is lent, 0 without one. Any context */
u32 xvmc_rx_size(struct xvmc_conn *conn);
u32 xvmc_rx_surely(struct xvmc_conn *conn);
bool xvmc_rx_is_awaited(struct xvmc_conn *conn);
/* AF_XENVMC: the peer has ended the stream; its bytes may be unread still */
bool xvmc_rx_fin(struct xvmc_conn *conn);
/*
 * For poll: bytes of the ring are behind bytes that TCP still owes. Any
 * context, no lock needed.
 */
bool xvmc_rx_tcp_first(struct xvmc_conn *conn, u32 copied_seq);

/* A writer that has waited so long for half of a ring goes on with any room */
#define XVMC_LITTLE_SPACE	(HZ / 10)
/* A peek that waits for more than half of a ring looks again so often */
#define XVMC_PEEK_MORE		(HZ / 2)

/* wait_woken(), @nap jiffies of *@timeo at most. What is left of the @nap */
static inline long xvmc_wait_some(struct wait_queue_entry *wait, long nap,
				  long *timeo)
{
	long left;

	nap = min(nap, *timeo);
	left = wait_woken(wait, TASK_INTERRUPTIBLE, nap);
	if (*timeo != MAX_SCHEDULE_TIMEOUT)
		*timeo -= nap - left;
	return left;
}

/* faultin.c: a copy with page faults disabled was -EFAULT; no locks held */
#define XVMC_FAULT_IN	(64 * 1024)	/* the largest piece that is sent */
bool xvmc_fault_in(struct iov_iter *iter, bool to, size_t len, u32 *tries);
bool xvmc_fault_in_value(void __user *value, bool to, size_t len, u32 *tries);

/*
 * spin.c: looking for a while before sleeping. Process context
 */
/**
 * struct xvmc_spin - a wait that looks first
 * @until: when it ends, ktime in nanoseconds
 * @asked: by SO_BUSY_POLL, which no guess overrules
 */
struct xvmc_spin {
	u64 until;
	bool asked;
};

bool xvmc_spin_begin(struct xvmc_conn *conn, struct xvmc_spin *spin);
bool xvmc_spin_on(const struct xvmc_spin *spin);
void xvmc_spin_end(struct xvmc_conn *conn, bool hit);

/* control.c: what arrived for a connection. Process context */
void xvmc_conn_answer(struct xvmc_conn *conn, u32 peer_id);
void xvmc_conn_no(struct xvmc_conn *conn, u32 why);
void xvmc_conn_detached(struct xvmc_conn *conn, u32 why);
int xvmc_conn_lent(struct xvmc_conn *conn, struct xvmc_tx_ring *ring);
void xvmc_conn_recall(struct xvmc_conn *conn, u32 why);
void xvmc_conn_gone(struct xvmc_conn *conn);
void xvmc_conn_wanted(struct xvmc_conn *conn);
/* The peer could not map the ring that was lent to @conn. True: it has none */
bool xvmc_conn_unlend(struct xvmc_conn *conn);

/* Requests from peers. Process context; they answer by themselves */
int xvmc_stream_incoming(struct xvmc_chan *chan,
			 const struct xvmc_msg_connect *msg);
/* The next connection that waits for its peer, with a reference, or NULL */
struct xvmc_conn *xvmc_park_get(const struct net *net, unsigned long *serial);
/* The next channel by which TCP carries streams, with a reference, or NULL */
#ifdef CONFIG_INET
struct xvmc_chan *xvmc_carry_chan_get(unsigned long *serial);
#else
static inline struct xvmc_chan *xvmc_carry_chan_get(unsigned long *serial)
{
	return NULL;
}
#endif
void xvmc_stream_resumed(struct xvmc_chan *chan,
			 const struct xvmc_msg_resume *msg);
/* The hook, when loaded. NULL unregisters and waits for running calls */
typedef u32 (*xvmc_upgrade_fn)(struct xvmc_chan *chan,
			       const struct xvmc_msg_upgrade *msg);
void xvmc_set_upgrade_handler(xvmc_upgrade_fn fn);
/* UPGRADE_NO. Any context */
void xvmc_upgrade_refuse(struct xvmc_chan *chan, u32 peer_id, u32 reason);

#endif /* _XVMC_CONN_H */
