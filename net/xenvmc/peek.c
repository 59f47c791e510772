// SPDX-License-Identifier: GPL-2.0
/*
 * What can be known of a connection's rings without its mutexes: for poll,
 * ioctl and whoever decides whether to sleep; and of those whose lend is over.
 *
 * The borrower moves the indices meanwhile, so an answer may be old when it is
 * given; an event follows. For the same reason an index that seems impossible
 * may only be one that was read between two others: the connection's own work
 * looks again under the mutex, and a program that only polls hears of a
 * violation as well as one that reads.
 */
#include "chan.h"
#include "conn.h"
#include "rings.h"

/* Runs @fn on the ring unless its lend is over; @none is the result then */
static int tx_peek(struct xvmc_conn *conn,
		   int (*fn)(struct xvmc_conn *conn, struct xvmc_tx_ring *ring),
		   int none)
{
	struct xvmc_tx_ring *ring;
	int ret = none;

	rcu_read_lock();
	ring = rcu_dereference(conn->tx.ring);
	if (ring) {
		spin_lock_bh(&ring->lock);
		if (rcu_access_pointer(ring->conn) == conn)
			ret = fn(conn, ring);
		spin_unlock_bh(&ring->lock);
	}
	if (ret < 0)
		xvmc_conn_suspect(conn);
	rcu_read_unlock();
	return ret;
}

/*
 * Is half of it free? With one event for all who wait it has to come for who
 * needs least: the ring's lock orders our look at nr_any and its own question.
 */
static int tx_want_half(struct xvmc_conn *conn, struct xvmc_tx_ring *ring)
{
	u32 half = ring->prod.size / 2;
	int space = xvmc_ring_space(&ring->prod);

	if (space >= 0 && space < half)
		space = xvmc_ring_want_space(&ring->prod,
					     atomic_read(&conn->tx.nr_any) ?
					     1 : half);
	return space < 0 ? space : space >= half;
}

/**
 * xvmc_tx_want_space() - room for a sensible write?
 * @conn: connection
 *
 * If not, the write_space callback comes when half the ring is free, or when
 * there is any room while somebody waits for that.
 * Context: any; no lock needed.
 * Return: true if there is, if no ring is in use, or if the ring is broken.
 */
bool xvmc_tx_want_space(struct xvmc_conn *conn)
{
	return tx_peek(conn, tx_want_half, 1) != 0;
}
EXPORT_SYMBOL_GPL(xvmc_tx_want_space);

static int tx_some(struct xvmc_conn *conn, struct xvmc_tx_ring *ring)
{
	return xvmc_ring_space(&ring->prod);
}

/**
 * xvmc_tx_has_space() - room for one byte?
 * @conn: connection
 *
 * Who has waited in vain for half of the ring to be free goes on with that: the
 * reader may wait for the rest of what it has begun to read.
 * Context: any; no lock needed.
 */
bool xvmc_tx_has_space(struct xvmc_conn *conn)
{
	return tx_peek(conn, tx_some, 0) > 0;
}
EXPORT_SYMBOL_GPL(xvmc_tx_has_space);

/* Whoever waits looks again: without a key io_uring looks as well */
static void conn_wake(struct sock *sk)
{
	struct socket_wq *wq;

	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (skwq_has_sleeper(wq))
		wake_up_interruptible_sync(&wq->wait);
	rcu_read_unlock();
}

/**
 * xvmc_tx_wake_any() - wake the writers that go on with any room
 * @conn: connection
 * @sk: its socket
 *
 * Who polls is not told that there is room: that would be half of the ring.
 * Context: any; the socket's queue may be gone.
 * Return: true if there are some.
 */
bool xvmc_tx_wake_any(struct xvmc_conn *conn, struct sock *sk)
{
	if (!atomic_read(&conn->tx.nr_any))
		return false;
	conn_wake(sk);
	return true;
}
EXPORT_SYMBOL_GPL(xvmc_tx_wake_any);

static int tx_unread(struct xvmc_conn *conn, struct xvmc_tx_ring *ring)
{
	int space = xvmc_ring_space(&ring->prod);

	return space < 0 ? space : (int)ring->prod.size - space;
}

/**
 * xvmc_tx_queued() - bytes that the peer has not read yet
 * @conn: connection
 *
 * Context: any; no lock needed.
 */
u32 xvmc_tx_queued(struct xvmc_conn *conn)
{
	return max(tx_peek(conn, tx_unread, 0), 0);
}
EXPORT_SYMBOL_GPL(xvmc_tx_queued);

/**
 * xvmc_tx_left() - bytes of the last lend that the peer has not read
 * @conn: connection
 *
 * The lend may be over, for whatever reason: who closes leaves them where
 * they are until our DETACH is there, and who reads takes them. Then the ring
 * is lent to somebody else, or goes and another one has its id.
 * Context: tx.mutex held.
 */
u32 xvmc_tx_left(struct xvmc_conn *conn)
{
	struct xvmc_chan *chan = conn->chan;
	struct xvmc_tx_ring *ring;
	int left = 0;

	lockdep_assert_held(&conn->tx.mutex);
	if (xvmc_tx_has_ring(conn))
		return xvmc_tx_queued(conn);
	rcu_read_lock();
	/* Who closes it frees its rings a grace period after that */
	ring = READ_ONCE(chan->state) != XVMC_CHAN_CLOSED ?
	       rcu_dereference(chan->tx[conn->tx.last_ring]) : NULL;
	if (ring) {
		spin_lock_bh(&ring->lock);
		if (ring->lend && ring->lend == conn->tx.last_lend)
			left = tx_unread(conn, ring);
		spin_unlock_bh(&ring->lock);
	}
	rcu_read_unlock();
	return max(left, 0);
}

/**
 * xvmc_rx_is_looked_at() - may the peer still look whether its bytes were read?
 * @conn: connection that nobody reads any more
 *
 * It does so with xvmc_tx_left() as our DETACH comes, and we hear of that. A
 * channel that closes takes its rings back by itself.
 * Context: any.
 */
bool xvmc_rx_is_looked_at(const struct xvmc_conn *conn)
{
	return conn->ops->tcp &&
	       (READ_ONCE(conn->state) != XVMC_CONN_DEAD ||
		READ_ONCE(conn->chan->state) != XVMC_CHAN_UP);
}

static int tx_size(struct xvmc_conn *conn, struct xvmc_tx_ring *ring)
{
	return ring->prod.size;
}

/**
 * xvmc_tx_size() - how many bytes can wait for the peer to read them?
 * @conn: connection
 *
 * Context: any; no lock needed.
 * Return: the size of the ring, 0 without one.
 */
u32 xvmc_tx_size(struct xvmc_conn *conn)
{
	return tx_peek(conn, tx_size, 0);
}

/* No ring: nobody has so many bytes in one */
#define RX_NO_RING	INT_MAX
#define RX_ASK_ROUNDS	4

/*
 * Runs @fn on the ring unless its lend is over; @none is the result then.
 * Ring and saved bytes are looked at under the lock under which the former
 * become the latter.
 */
static int rx_peek(struct xvmc_conn *conn,
		   int (*fn)(struct xvmc_conn *conn, struct xvmc_rx_ring *ring,
			     u32 arg), u32 arg, int none)
{
	struct xvmc_rx_ring *ring;
	int ret = none;

	rcu_read_lock();
	ring = rcu_dereference(conn->rx.ring);
	if (ring) {
		spin_lock_bh(&ring->lock);
		if (rcu_access_pointer(ring->conn) == conn)
			ret = fn(conn, ring, arg);
		spin_unlock_bh(&ring->lock);
	}
	if (ret < 0)
		xvmc_conn_suspect(conn);
	rcu_read_unlock();
	if (ret == none)
		/* What was saved of a ring is there when the ring is not */
		smp_rmb();
	return ret;
}

/**
 * xvmc_rx_saved() - unread bytes in private memory
 * @conn: connection
 *
 * Context: any; exact under rx.mutex.
 */
u32 xvmc_rx_saved(const struct xvmc_conn *conn)
{
	u32 len, off;

	/* Pairs with the release in xvmc_rx_set_aside() */
	if (!smp_load_acquire(&conn->rx.spill))
		return 0;
	len = READ_ONCE(conn->rx.spill_len);
	off = READ_ONCE(conn->rx.spill_off);
	return len > off ? len - off : 0;
}

/* @used: bytes that the ring has now */
static int rx_has(struct xvmc_rx_ring *ring, int used, u32 n)
{
	struct xvmc_ring_mark mark;

	xvmc_ring_mark(&ring->cons, ring->epoch, &mark);
	if (used < 0 || mark.stopped)
		return used < 0 ? used : true;
	/* Bytes of a lend that was not started cannot be read */
	return mark.started && used >= min(n, ring->cons.size);
}

/*
 * Asks for a kick at @n bytes, unless they are there. The ring has one event
 * index for all who wait. It stays where it is while the bytes are there, for
 * somebody may wait for more; nor does it go beyond where somebody has asked
 * for less, whose kick wakes all. A peer that moves its index to and fro gets
 * no more than a few rounds. Returns the bytes there now. ring->lock held.
 */
static int rx_ask(struct xvmc_rx_ring *ring, u32 n)
{
	int used, rounds = RX_ASK_ROUNDS;
	u32 cons, asked, want;

	lockdep_assert_held(&ring->lock);
	n = min(n, ring->cons.size);
	do {
		cons = READ_ONCE(ring->cons.cons);
		used = xvmc_ring_used(&ring->cons);
		if (used < 0 || (u32)used >= n)
			return used;
		asked = ring->asked - cons;
		want = asked > (u32)used && asked < n ? asked : n;
		ring->asked = cons + want;
		used = xvmc_ring_want_data(&ring->cons, want);
		if (used < 0 || ((u32)used < want &&
				 cons == READ_ONCE(ring->cons.cons)))
			return used;
	} while (--rounds);
	return xvmc_ring_want_data(&ring->cons, n);
}

static int rx_want(struct xvmc_conn *conn, struct xvmc_rx_ring *ring, u32 n)
{
	u32 saved = xvmc_rx_saved(conn);

	return saved >= n || rx_has(ring, rx_ask(ring, n - saved), n - saved);
}

static int rx_look(struct xvmc_conn *conn, struct xvmc_rx_ring *ring, u32 n)
{
	u32 saved = xvmc_rx_saved(conn);

	return saved >= n ||
	       rx_has(ring, xvmc_ring_used(&ring->cons), n - saved);
}

/* Saved bytes with nothing behind them: a reader has to look at them */
static bool rx_saved_last(const struct xvmc_conn *conn)
{
	return READ_ONCE(conn->rx.spill) &&
	       (conn->ops->tcp || conn->rx.spill_mark.seq);
}

static bool rx_any(struct xvmc_conn *conn,
		   int (*fn)(struct xvmc_conn *conn, struct xvmc_rx_ring *ring,
			     u32 n), u32 n)
{
	int ret;

	if (rx_saved_last(conn) || READ_ONCE(conn->rx.torn))
		return true;
	if (READ_ONCE(conn->rx.orphan))
		return false;
	ret = rx_peek(conn, fn, n, RX_NO_RING);
	/* A ring that is lent brings data_ready with its first byte */
	return ret == RX_NO_RING ? xvmc_rx_saved(conn) >= n : ret != 0;
}

/**
 * xvmc_rx_want_data() - something to read?
 * @conn: connection
 * @n: so many bytes, at least 1
 *
 * If not, data_ready comes with them or with the stop mark.
 * Context: any; no lock needed.
 * Return: true if there is, or an error or the end of the lend to be found.
 */
bool xvmc_rx_want_data(struct xvmc_conn *conn, u32 n)
{
	return rx_any(conn, rx_want, n);
}
EXPORT_SYMBOL_GPL(xvmc_rx_want_data);

/**
 * xvmc_rx_look() - something to read? Asks for no kick
 * @conn: connection
 * @n: so many bytes, at least 1
 *
 * Context: any; no lock needed.
 * Return: as xvmc_rx_want_data(), but nothing comes if it is false.
 */
bool xvmc_rx_look(struct xvmc_conn *conn, u32 n)
{
	return rx_any(conn, rx_look, n);
}
EXPORT_SYMBOL_GPL(xvmc_rx_look);

static int rx_unread(struct xvmc_conn *conn, struct xvmc_rx_ring *ring,
		     u32 unused)
{
	int used = xvmc_ring_used(&ring->cons);
	struct xvmc_ring_mark mark;

	/* After the index. Without a start mark nobody can read them */
	xvmc_ring_mark(&ring->cons, ring->epoch, &mark);
	if (used > 0 && !mark.started)
		used = 0;
	return used < 0 ? used : used + (int)xvmc_rx_saved(conn);
}

/**
 * xvmc_rx_queued() - bytes that can be read
 * @conn: connection
 *
 * Context: any; no lock needed.
 */
u32 xvmc_rx_queued(struct xvmc_conn *conn)
{
	int n = rx_peek(conn, rx_unread, 0, RX_NO_RING);

	return n == RX_NO_RING ? xvmc_rx_saved(conn) : max(n, 0);
}
EXPORT_SYMBOL_GPL(xvmc_rx_queued);

static int rx_size(struct xvmc_conn *conn, struct xvmc_rx_ring *ring,
		   u32 unused)
{
	return ring->cons.size;
}

/**
 * xvmc_rx_size() - how many bytes can wait to be read?
 * @conn: connection
 *
 * Context: any; no lock needed.
 * Return: the size of the ring, 0 without one.
 */
u32 xvmc_rx_size(struct xvmc_conn *conn)
{
	return rx_peek(conn, rx_size, 0, 0);
}
EXPORT_SYMBOL_GPL(xvmc_rx_size);

/**
 * xvmc_rx_surely() - how many bytes come even if none is read?
 * @conn: connection
 *
 * A sender that has met a full ring may wait for half of it to be free. Who
 * waits for more than the other half may wait for somebody who waits for him.
 * Context: any; no lock needed.
 * Return: bytes; without a ring no number is too large.
 */
u32 xvmc_rx_surely(struct xvmc_conn *conn)
{
	u32 size = xvmc_rx_size(conn);

	return size ? size / 2 : U32_MAX;
}
EXPORT_SYMBOL_GPL(xvmc_rx_surely);

static int rx_awaited(struct xvmc_conn *conn, struct xvmc_rx_ring *ring,
		      u32 unused)
{
	struct xvmc_ring_mark mark;

	/* Who has stopped waits no more, whatever it said before */
	xvmc_ring_mark(&ring->cons, ring->epoch, &mark);
	return !mark.stopped && xvmc_ring_is_awaited(&ring->cons);
}

/**
 * xvmc_rx_is_awaited() - does the sender wait until bytes are read?
 * @conn: connection
 *
 * Context: any; no lock needed.
 * Return: what it last said; nothing comes when that changes.
 */
bool xvmc_rx_is_awaited(struct xvmc_conn *conn)
{
	return rx_peek(conn, rx_awaited, 0, 0);
}
EXPORT_SYMBOL_GPL(xvmc_rx_is_awaited);

static int rx_finished(struct xvmc_conn *conn, struct xvmc_rx_ring *ring,
		       u32 unused)
{
	struct xvmc_ring_mark mark;

	xvmc_ring_mark(&ring->cons, ring->epoch, &mark);
	return mark.stopped && mark.seq;
}

/**
 * xvmc_rx_fin() - has the peer ended the stream?
 * @conn: connection without TCP
 *
 * Its bytes may still be unread. Nothing any more once the lend is over here.
 * Context: any; no lock needed.
 */
bool xvmc_rx_fin(struct xvmc_conn *conn)
{
	return rx_saved_last(conn) || rx_peek(conn, rx_finished, 0, 0);
}

static int rx_stopped(struct xvmc_conn *conn, struct xvmc_rx_ring *ring,
		      u32 unused)
{
	struct xvmc_ring_mark mark;

	xvmc_ring_mark(&ring->cons, ring->epoch, &mark);
	return mark.stopped;
}

/**
 * xvmc_rx_over() - will no more bytes come by the ring that is lent?
 * @conn: connection
 *
 * Context: any; no lock needed.
 */
bool xvmc_rx_over(struct xvmc_conn *conn)
{
	return rx_saved_last(conn) || rx_peek(conn, rx_stopped, 0, 0);
}
EXPORT_SYMBOL_GPL(xvmc_rx_over);

static int rx_before(struct xvmc_conn *conn, struct xvmc_rx_ring *ring,
		     u32 copied_seq)
{
	struct xvmc_ring_mark mark;

	xvmc_ring_mark(&ring->cons, ring->epoch, &mark);
	return mark.started && xvmc_seq_cmp(copied_seq, mark.seq) < 0;
}

/**
 * xvmc_rx_tcp_first() - must bytes that TCP still owes be read before the ring?
 * @conn: connection
 * @copied_seq: TCP sequence number of the next byte to be read
 *
 * Context: any; no lock needed. For poll.
 */
bool xvmc_rx_tcp_first(struct xvmc_conn *conn, u32 copied_seq)
{
	if (READ_ONCE(conn->rx.spill))
		return xvmc_seq_cmp(copied_seq, conn->rx.spill_mark.seq) < 0;
	return rx_peek(conn, rx_before, copied_seq, 0);
}
EXPORT_SYMBOL_GPL(xvmc_rx_tcp_first);

/**
 * xvmc_rx_tell() - news for who reads
 * @sk: socket of a connection
 * @seen: there is something that a program can see
 *
 * Who sleeps looks again. A signal, and the word that io_uring passes on
 * without a look, are for what can be read: that a lend is over is nothing that
 * a program could tell from none.
 * Context: any; the socket's queue may be gone.
 */
void xvmc_rx_tell(struct sock *sk, bool seen)
{
	if (seen)
		READ_ONCE(sk->sk_data_ready)(sk);
	else
		conn_wake(sk);
}
EXPORT_SYMBOL_GPL(xvmc_rx_tell);

/**
 * xvmc_rx_nudge() - data_ready in a while, whatever there is then
 * @conn: connection; nothing before it is up, nor once the door has left
 *
 * Context: any.
 */
void xvmc_rx_nudge(struct xvmc_conn *conn)
{
	spin_lock_bh(&conn->lock);
	if (conn->state >= XVMC_CONN_UP && !conn->left &&
	    !xchg(&conn->nudge, true)) {
		xvmc_conn_hold(conn);
		if (mod_delayed_work(xvmc_wq, &conn->timer, HZ / 50))
			xvmc_conn_put(conn);
	}
	spin_unlock_bh(&conn->lock);
}
EXPORT_SYMBOL_GPL(xvmc_rx_nudge);

/* Looks at the peer's indices while nobody moves ours. Takes both mutexes */
void xvmc_rings_check(struct xvmc_conn *conn)
{
	struct xvmc_tx_ring *tx;
	struct xvmc_rx_ring *rx;

	mutex_lock(&conn->tx.mutex);
	tx = rcu_dereference_protected(conn->tx.ring,
				       lockdep_is_held(&conn->tx.mutex));
	if (tx && xvmc_ring_space(&tx->prod) < 0)
		xvmc_chan_violation(conn->chan, "consumer index");
	mutex_unlock(&conn->tx.mutex);
	mutex_lock(&conn->rx.mutex);
	rx = rcu_dereference_protected(conn->rx.ring,
				       lockdep_is_held(&conn->rx.mutex));
	if (rx && xvmc_ring_used(&rx->cons) < 0)
		xvmc_chan_violation(conn->chan, "producer index");
	mutex_unlock(&conn->rx.mutex);
}
