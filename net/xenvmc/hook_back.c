// SPDX-License-Identifier: GPL-2.0
/*
 * Back to TCP for good: what a ring still holds becomes TCP's own bytes.
 *
 * Needed where nobody can wait for the application to read: module unload,
 * TCP_ULP, and others that read TCP's queue themselves. The peer is asked to
 * stop; then the ring's unread bytes are put in TCP's receive queue right in
 * front of sequence number S, and what TCP has before them is renumbered. Bytes
 * that were taken off the network once keep no meaning in their numbers: only
 * copied_seq and the queue know them.
 */
#include <linux/hrtimer.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include "fault.h"
#include "hook.h"
#include "stats.h"

#define BACK_TIMEOUT	(10 * HZ)
/* us between two tries: the peer stops at once, if it can run */
#define BACK_NAP_MIN	100
#define BACK_NAP_MAX	20000
#define BACK_SKB	SKB_WITH_OVERHEAD(16 * 1024)
#define RETURN_DELAY	(HZ / 50)
#define RETURN_MAX	HZ
#define RESET_DELAY	(HZ / 20)
#define RESET_TRIES	40

/* Not by sk_state_change(): who has taken the socket hears of its end so */
static void back_wake(struct sock *sk)
{
	struct socket_wq *wq;

	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (!sock_flag(sk, SOCK_DEAD) && skwq_has_sleeper(wq))
		wake_up_interruptible_all(&wq->wait);
	rcu_read_unlock();
}

/**
 * hook_begin_back() - stop sending by ring, ask the peer to do so
 * @hc: hooked socket
 * @reason: &enum xenvmc_reason
 *
 * Context: any.
 */
void hook_begin_back(struct hook_conn *hc, u32 reason)
{
	WRITE_ONCE(hc->back, true);
	xvmc_rx_recall(&hc->conn, reason);
	back_wake(hc->conn.sk);
}

/*
 * Nobody may own a socket that was not accepted: inet_csk_listen_stop() takes
 * that for granted, and warns. Such a one has its bottom half locked.
 */
static bool back_is_unaccepted(const struct sock *sk)
{
	return !READ_ONCE(sk->sk_socket) && !sock_flag(sk, SOCK_DEAD);
}

/* For unlock_sock_fast(), as lock_sock_fast() */
static bool back_lock(struct sock *sk)
	__acquires(&sk->sk_lock.slock)
{
	if (back_is_unaccepted(sk))
		return lock_sock_fast(sk);
	lock_sock(sk);
	__acquire(&sk->sk_lock.slock);
	return true;
}

/* After back_lock() */
static gfp_t back_gfp(const struct sock *sk)
{
	return sock_owned_by_user_nocheck(sk) ? GFP_KERNEL :
						GFP_ATOMIC | __GFP_NOWARN;
}

/* An skb of the receive queue with @len ring bytes for [@seq, @seq + @len) */
static struct sk_buff *back_skb(struct sock *sk, struct hook_conn *hc, u32 seq,
				u32 len, u32 skip)
{
	struct sk_buff *skb = NULL;
	struct iov_iter to;
	struct kvec vec;

	if (!xvmc_should_fail(XVMC_FAULT_BACK_SKB))
		skb = alloc_skb(len, back_gfp(sk));
	if (!skb)
		return NULL;
	vec.iov_base = skb_put(skb, len);
	vec.iov_len = len;
	iov_iter_kvec(&to, ITER_DEST, &vec, 1, len);
	if (!sk_rmem_schedule(sk, skb, skb->truesize) ||
	    xvmc_rx_read(&hc->conn, &to, len, skip, false) != len) {
		kfree_skb(skb);
		return NULL;
	}
	memset(TCP_SKB_CB(skb), 0, sizeof(*TCP_SKB_CB(skb)));
	TCP_SKB_CB(skb)->seq = seq;
	TCP_SKB_CB(skb)->end_seq = seq + len;
	TCP_SKB_CB(skb)->tcp_flags = TCPHDR_ACK;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb_set_owner_r(skb, sk);
	return skb;
}

/* Copies all of the ring, for the @used numbers that end at S */
static int back_read(struct sock *sk, struct hook_conn *hc,
		     struct sk_buff_head *list, u32 s, u32 used)
{
	u32 seq = s - used;

	while (seq != s) {
		u32 n = min_t(u32, s - seq, BACK_SKB);
		struct sk_buff *skb = back_skb(sk, hc, seq, n,
					       used - (s - seq));

		if (!skb)
			return -ENOMEM;
		__skb_queue_tail(list, skb);
		seq += n;
	}
	return 0;
}

/*
 * @len bytes of @skb, from @off on, in an skb of their own in front of it. Only
 * what describes them is new, so that no large piece of memory is needed.
 */
static int back_part(struct sock *sk, struct sk_buff *skb, u32 off, u32 len)
{
	struct sk_buff *part = pskb_extract(skb, off, len, back_gfp(sk));

	if (!part)
		return -ENOMEM;
	if (!sk_rmem_schedule(sk, part, part->truesize)) {
		kfree_skb(part);
		return -ENOMEM;
	}
	TCP_SKB_CB(part)->seq += off;
	if (off + len != skb->len) {
		TCP_SKB_CB(part)->tcp_flags &= ~TCPHDR_FIN;
		TCP_SKB_CB(part)->end_seq = TCP_SKB_CB(part)->seq + len;
	}
	skb_set_owner_r(part, sk);
	__skb_queue_before(&sk->sk_receive_queue, skb, part);
	return 0;
}

/*
 * The first @n bytes of @skb are those before S, which are wanted or not. After
 * -ENOMEM all are there, once.
 */
static int back_split(struct sock *sk, struct sk_buff *skb, u32 n, bool wanted)
{
	struct sk_buff *head = NULL;

	if (wanted) {
		if (back_part(sk, skb, 0, n))
			return -ENOMEM;
		head = skb->prev;
	}
	if (back_part(sk, skb, n, skb->len - n)) {
		if (head) {
			__skb_unlink(head, &sk->sk_receive_queue);
			kfree_skb(head);
		}
		return -ENOMEM;
	}
	__skb_unlink(skb, &sk->sk_receive_queue);
	kfree_skb(skb);
	return 0;
}

/* A FIN in the last skb before S is behind the ring; SOCK_DONE stays */
static void back_no_fin(struct sk_buff *skb)
{
	TCP_SKB_CB(skb)->tcp_flags &= ~TCPHDR_FIN;
	TCP_SKB_CB(skb)->end_seq = TCP_SKB_CB(skb)->seq + skb->len;
}

/*
 * TCP may have merged bytes before and after S into one skb. Cuts it there, so
 * that what follows can go between. Those before S may have been read: TCP has
 * no skb in its queue that was, and would complain of it at each call. Socket
 * lock held.
 */
static int back_cut(struct sock *sk, u32 s)
{
	bool unread = before(tcp_sk(sk)->copied_seq, s);
	struct sk_buff *skb;
	u32 n;

	skb_queue_walk(&sk->sk_receive_queue, skb) {
		n = s - TCP_SKB_CB(skb)->seq;
		if (!before(TCP_SKB_CB(skb)->seq, s) || n > skb->len)
			continue;
		if (n != skb->len)
			return back_split(sk, skb, n, unread);
		back_no_fin(skb);
	}
	return 0;
}

/* Renumbers what is unread before S; returns the skb that comes after it */
static struct sk_buff *back_shift(struct sock *sk, u32 s, u32 used)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb, *behind = NULL;
	u32 copied;

	skb_queue_walk(&sk->sk_receive_queue, skb) {
		if (!before(TCP_SKB_CB(skb)->seq, s)) {
			behind = skb;
			break;
		}
		TCP_SKB_CB(skb)->seq -= used;
		TCP_SKB_CB(skb)->end_seq -= used;
	}
	if (tp->urg_data && before(tp->urg_seq, s))
		tp->urg_seq -= used;
	tp->rcvq_space.seq -= used;
	/* Behind S if a FIN was consumed: TCP remembers that by itself */
	copied = after(tp->copied_seq, s) ? s : tp->copied_seq;
	WRITE_ONCE(tp->copied_seq, copied - used);
	return behind;
}

static void back_insert(struct sock *sk, struct sk_buff_head *list,
			struct sk_buff *behind)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(list))) {
		if (behind)
			__skb_queue_before(&sk->sk_receive_queue, behind, skb);
		else
			__skb_queue_tail(&sk->sk_receive_queue, skb);
	}
}

/*
 * Socket lock and rx.mutex held; the ring is stopped and TCP has every byte
 * before S. After -ENOMEM the ring still has all of its bytes.
 */
static int back_inject(struct sock *sk, struct hook_conn *hc,
		       const struct xvmc_rx_view *view)
{
	u32 s = view->mark.seq;
	struct sk_buff_head list;
	int err;

	__skb_queue_head_init(&list);
	err = back_cut(sk, s);
	if (!err)
		err = back_read(sk, hc, &list, s, view->used);
	if (err) {
		__skb_queue_purge(&list);
		return err;
	}
	back_insert(sk, &list, back_shift(sk, s, view->used));
	xvmc_rx_read(&hc->conn, NULL, view->used, 0, true);
	xvmc_stat_add(XVMC_STAT_RX_BYTES_TO_TCP, view->used);
	return 0;
}

/*
 * One try. 0: the receiving direction is TCP's alone. -EAGAIN: the peer has not
 * stopped, or TCP has not got all before S. Socket lock and rx.mutex held.
 */
static int back_rx(struct sock *sk, struct hook_conn *hc)
{
	struct xvmc_rx_view view = {};
	u32 limit;
	int err;

	/* What is missing would not be missed any more */
	if (hc->conn.rx.torn)
		return -ECONNRESET;
	hook_tcp_view(sk, &view);
	err = xvmc_rx_view(&hc->conn, &view);
	if (err)
		return err;
	if (!view.lent)
		return 0;
	if (xvmc_rx_next(&view, &limit) == XVMC_SRC_VIOLATION)
		return hook_rx_violation(sk, hc);
	if (!view.mark.stopped)
		return -EAGAIN;
	if (view.used && before(view.rcv_nxt, view.mark.seq)) {
		hook_owed(sk, hc, view.mark.seq - view.rcv_nxt);
		return -EAGAIN;
	}
	if (view.used)
		err = back_inject(sk, hc, &view);
	if (!err)
		xvmc_rx_done(&hc->conn, false);
	return err;
}

/*
 * The socket is unhooked in the same hold of the locks that finds nothing more
 * to come by ring, so that no new lend can slip in between. A disk may be
 * behind the socket: memory is not to be had by writing to it, which waits.
 */
static int back_try(struct sock *sk, struct hook_conn *hc, u32 reason)
{
	unsigned int noio = memalloc_noio_save();
	bool slow;
	int err;

	mutex_lock(&hc->conn.rx.mutex);
	slow = back_lock(sk);
	err = hc->hashed ? back_rx(sk, hc) : 0;
	if (!err) {
		xvmc_conn_leave(&hc->conn, reason, false, true);
		/* A task that comes out of TCP reads nothing here any more */
		WRITE_ONCE(hc->back, true);
		hook_unhook_locked(hc);
	}
	unlock_sock_fast(sk, slow);
	mutex_unlock(&hc->conn.rx.mutex);
	memalloc_noio_restore(noio);
	return err;
}

/**
 * hook_reset_locked() - end the TCP connection as a RST would
 * @hc: hooked socket
 *
 * Behind a FIN that is EPIPE, see tcp_reset(); but not if bytes are missing.
 * Not another one that the socket may have by now, see hook_connect().
 * Context: process, tx.mutex held.
 */
void hook_reset_locked(struct hook_conn *hc)
{
	struct sock *sk = hc->conn.sk;
	int err = ECONNRESET;

	lockdep_assert_held(&hc->conn.tx.mutex);
	if (inet_sk_state_load(sk) == TCP_CLOSE_WAIT && !test_bit(0, &hc->torn))
		err = EPIPE;
	/* Some kernels would tell of an end that was told already once more */
	if (READ_ONCE(hc->hashed) && inet_sk_state_load(sk) != TCP_CLOSE)
		tcp_abort(sk, err);
}

static void back_reset_later(struct hook_conn *hc, unsigned long delay)
{
	set_bit(HOOK_RESET, &hc->taker);
	if (READ_ONCE(hc->hashed))
		hook_work_later(hc, delay);
}

/**
 * hook_reset() - the same
 * @hc: hooked socket
 *
 * When it has been accepted, for tcp_abort() owns it.
 * Context: process, no locks held.
 */
void hook_reset(struct hook_conn *hc)
{
	if (back_is_unaccepted(hc->conn.sk)) {
		/* For as long as its program likes */
		hc->delay = clamp_t(unsigned long, 2 * hc->delay, RESET_DELAY,
				    RETURN_MAX);
		back_reset_later(hc, hc->delay);
		return;
	}
	mutex_lock(&hc->conn.tx.mutex);
	hook_reset_locked(hc);
	mutex_unlock(&hc->conn.tx.mutex);
}

/**
 * hook_cut_off() - the peer's program closed without having read all
 * @hc: hooked socket
 *
 * Its TCP has sent a FIN or a RST, which may be slower than the news: they say
 * whether the stream has an end, and which error it is.
 * Context: process, no locks held.
 */
void hook_cut_off(struct hook_conn *hc)
{
	if (hook_awaits_end(hc->conn.sk) && !test_bit(0, &hc->torn) &&
	    hc->waited++ < RESET_TRIES)
		back_reset_later(hc, RESET_DELAY);
	else
		hook_reset(hc);
}

/**
 * hook_await_end() - the same in a while, whatever the peer does
 * @hc: hooked socket, whose peer has said that its program has closed
 *
 * It may have said so, and not go.
 * Context: any.
 */
void hook_await_end(struct hook_conn *hc)
{
	if (!test_bit(HOOK_RESET, &hc->taker))
		back_reset_later(hc, RESET_DELAY);
}

/* Once for an end, and not where its program has closed it */
static void back_count_torn(struct hook_conn *hc)
{
	if (READ_ONCE(hc->hashed) && !test_and_set_bit(0, &hc->torn))
		xvmc_stat_inc(XVMC_STAT_HOOK_TORN);
}

/**
 * hook_lose() - bytes that the peer has sent may be missing: an error says so
 * @hc: hooked socket
 *
 * Context: process, no locks held.
 */
void hook_lose(struct hook_conn *hc)
{
	back_count_torn(hc);
	hook_reset(hc);
}

/* Leaves the bytes before @s, and no end of the stream. False: none are */
static bool back_trim(struct sk_buff *skb, u32 s)
{
	u32 n = s - TCP_SKB_CB(skb)->seq;

	if (!before(TCP_SKB_CB(skb)->seq, s) || !skb->len ||
	    (n < skb->len && pskb_trim(skb, n)))
		return false;
	back_no_fin(skb);
	return true;
}

/*
 * TCP's bytes from @s on, its end among them, are behind others that are lost:
 * the connection ends with an error in front of them. As in back_cut(), what
 * was read stays in no queue. Socket lock held.
 */
static void back_forget(struct sock *sk, u32 s)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb, *next;
	bool unread;

	/* The peer's word: none of TCP's bytes is beyond what has come */
	if (after(s, tp->rcv_nxt))
		s = tp->rcv_nxt;
	/* That, too, or a FIN that was consumed */
	unread = before(tp->copied_seq, s);
	if (!unread)
		s = tp->copied_seq;
	skb_queue_walk_safe(&sk->sk_receive_queue, skb, next) {
		if (unread && back_trim(skb, s))
			continue;
		__skb_unlink(skb, &sk->sk_receive_queue);
		kfree_skb(skb);
	}
	if (after(tp->rcv_nxt, s))
		WRITE_ONCE(tp->rcv_nxt, s);
	if (tp->urg_data && !before(tp->urg_seq, s))
		WRITE_ONCE(tp->urg_data, 0);
	sock_reset_flag(sk, SOCK_DONE);
	WRITE_ONCE(sk->sk_err, ECONNRESET);
}

/* Where bytes of the ring are missing if it is left as it is. rx.mutex held */
static bool back_loses(struct hook_conn *hc, u32 *s)
{
	struct xvmc_rx_view view = {};

	if (hc->conn.rx.torn) {
		*s = hc->conn.rx.torn_seq;
		return true;
	}
	/* Of a ring that the peer broke there are the marks all the same */
	xvmc_rx_view(&hc->conn, &view);
	*s = view.mark.seq;
	return view.lent && view.mark.started;
}

/*
 * A position that nobody can know: better an error than a wrong byte. Of one
 * that nobody accepts it is an error for whoever does, and no RST before that.
 */
static void back_abort(struct sock *sk, struct hook_conn *hc, u32 reason)
{
	bool slow;
	u32 s;

	hook_reset(hc);
	mutex_lock(&hc->conn.rx.mutex);
	slow = back_lock(sk);
	if (hc->hashed && back_loses(hc, &s)) {
		back_count_torn(hc);
		back_forget(sk, s);
	}
	xvmc_conn_leave(&hc->conn, reason, false, true);
	hook_unhook_locked(hc);
	unlock_sock_fast(sk, slow);
	mutex_unlock(&hc->conn.rx.mutex);
}

/*
 * The peer did not stop: the socket stays as it is, and calls may sleep again.
 * Otherwise each of them would be begun anew, for ever. Not if somebody else
 * has got it back just now.
 */
static void back_give_up(struct hook_conn *hc, u32 reason)
{
	struct sock *sk = hc->conn.sk;

	lock_sock(sk);
	if (hc->hashed) {
		WRITE_ONCE(hc->back, false);
		hook_owed_done(sk, hc);
	}
	release_sock(sk);
	/* Unloading sees a socket that sleeps, or we see the unloading */
	smp_mb();
	if (hook_is_unloading())
		hook_begin_back(hc, reason);
}

/* No byte of ours goes by ring any more, and none is lent for the peer's */
static void back_stop(struct hook_conn *hc)
{
	xvmc_conn_no_lend(&hc->conn);
	mutex_lock(&hc->conn.tx.mutex);
	hc->conn.tx.closed = true;
	xvmc_tx_stop(&hc->conn);
	mutex_unlock(&hc->conn.tx.mutex);
}

/*
 * Nobody wakes who waits here: the socket may be closed meanwhile. Nor does a
 * signal, but for a fatal one: TCP does not wait for an option, and nobody
 * expects it to be interrupted.
 */
static void back_nap(u32 *us)
{
	ktime_t nap = ns_to_ktime(*us * NSEC_PER_USEC);

	set_current_state(TASK_KILLABLE | TASK_FREEZABLE);
	schedule_hrtimeout(&nap, HRTIMER_MODE_REL);
	*us = min_t(u32, 2 * *us, BACK_NAP_MAX);
}

/**
 * hook_go_back() - take the socket back to TCP, and wait for it
 * @hc: hooked socket
 * @reason: &enum xenvmc_reason
 *
 * Context: process, no locks held.
 * Return: 0; -EBUSY if the peer did not stop in time; -ENOMEM if there was no
 * memory for so long; -ECONNRESET if bytes are missing; -ERESTARTSYS if the
 * task is killed.
 */
int hook_go_back(struct hook_conn *hc, u32 reason)
{
	unsigned long end = jiffies + BACK_TIMEOUT;
	struct sock *sk = hc->conn.sk;
	u32 nap = BACK_NAP_MIN;
	int err;

	hook_fallback(hc, reason);
	back_stop(hc);
	hook_begin_back(hc, reason);
	while ((err = back_try(sk, hc, reason)) == -EAGAIN || err == -ENOMEM) {
		if (time_after(jiffies, end))
			break;
		if (fatal_signal_pending(current)) {
			err = -ERESTARTSYS;
			break;
		}
		back_nap(&nap);
	}
	if (err)
		back_give_up(hc, reason);
	else	/* Another call, which gave it up, has let tasks sleep */
		back_wake(sk);
	return err == -EAGAIN ? -EBUSY : err;
}

/**
 * hook_back_step() - the module goes: try to take a socket back to TCP
 * @hc: hooked socket; its peer was asked to stop
 * @first: this is the first try
 * @last: reset the connection if it cannot be done
 *
 * Context: process, no locks held.
 * Return: false if it is to be tried again later.
 */
bool hook_back_step(struct hook_conn *hc, bool first, bool last)
{
	int err;

	if (first) {
		hook_fallback(hc, XENVMC_REASON_UNLOAD);
		back_stop(hc);
		/* It may have given up what another call had begun */
		hook_begin_back(hc, XENVMC_REASON_UNLOAD);
	}
	err = back_try(hc->conn.sk, hc, XENVMC_REASON_UNLOAD);
	if (!last && (err == -EAGAIN || err == -ENOMEM))
		return false;
	if (err) {
		back_abort(hc->conn.sk, hc, XENVMC_REASON_UNLOAD);
	} else {
		/* A poller may be behind a low-water mark that is reached */
		back_wake(hc->conn.sk);
		hook_taken_tell(hc->conn.sk);
	}
	return true;
}

/**
 * hook_return() - the peer let go: go back without being told to
 * @hc: hooked socket
 * @reason: &enum xenvmc_reason
 *
 * The sending direction was stopped. Calls go on as they are meanwhile.
 * Context: any.
 */
void hook_return(struct hook_conn *hc, u32 reason)
{
	hc->why = reason;
	hc->delay = RETURN_DELAY;
	WRITE_ONCE(hc->returning, true);
	hook_work_later(hc, 0);
}

/**
 * hook_leave_rings() - go back by itself, as soon as it can be done
 * @hc: hooked socket
 * @reason: &enum xenvmc_reason
 *
 * Calls go on as they are meanwhile.
 * Context: any.
 */
void hook_leave_rings(struct hook_conn *hc, u32 reason)
{
	set_bit(HOOK_LEAVE_RINGS, &hc->taker);
	hook_return(hc, reason);
}

/* A new channel may have come before the old one was torn down */
static void return_again(struct sock *sk, struct hook_conn *hc)
{
	bool wanted;

	if (READ_ONCE(hc->conn.chan->state) == XVMC_CHAN_UP)
		return;
	/* Its program may close it */
	rcu_read_lock();
	wanted = hook_late_wants(sk, false);
	rcu_read_unlock();
	if (wanted)
		hook_late_try(sk, false, 0);
}

/**
 * hook_return_step() - take the socket back if it can be done now
 * @hc: hooked socket
 *
 * Without a deadline: the ring is stopped or torn when the channel is closed at
 * the latest, and what TCP owes before S comes, or TCP ends. A torn connection
 * stays as it is, for its reader is to be told.
 * Context: process, the work of @hc.
 */
void hook_return_step(struct hook_conn *hc)
{
	struct sock *sk = hc->conn.sk;
	unsigned long delay;
	int err = -EAGAIN;

	/* Not the peer has let go: it is asked */
	if (test_and_clear_bit(HOOK_LEAVE_RINGS, &hc->taker)) {
		hook_fallback(hc, hc->why);
		back_stop(hc);
		xvmc_rx_recall(&hc->conn, hc->why);
	}
	/* One that a task owns is not waited for, perhaps for long */
	if (!sock_owned_by_user_nocheck(sk) || !READ_ONCE(hc->hashed))
		err = back_try(sk, hc, hc->why);
	if (!err) {
		hook_begin_back(hc, hc->why);
		hook_taken_tell(sk);
		return_again(sk, hc);
		return;
	}
	if ((err != -EAGAIN && err != -ENOMEM) || hook_is_unloading())
		return;
	delay = hc->delay;
	hc->delay = min_t(unsigned long, 2 * delay, RETURN_MAX);
	hook_work_later(hc, delay);
}
