// SPDX-License-Identifier: GPL-2.0
/*
 * Late: connections that were ESTABLISHED before their peer was there.
 *
 * hook_walk.c finds them, here or because the peer asks; each then has work of
 * its own, which takes the socket over, sees that nobody is inside TCP any more
 * but through us, and only then asks or answers. Documentation/hook.rst says
 * what "inside" means and why looking twice is enough.
 *
 * Who is inside. A task that has loaded one of TCP's functions before ours were
 * installed runs, waits for the socket lock or sleeps in TCP. Once every task
 * has scheduled voluntarily (call_rcu_tasks()), there is none that has not
 * reached the lock. Who sleeps in TCP for bytes or room, is an entry of the
 * socket's wait queue from before it gives the lock up until it has it again,
 * with woken_wake_function(); so is who lingers in close(). Who sleeps with the
 * lock held, in a page fault, keeps us from looking. Who waits for the lock is
 * in its queue. Our own sleepers wake by hook_wake() and are told apart; who
 * polls only looks, and asks our functions when it does.
 *
 * Two are not seen: a task that was woken to take the lock and has not run yet,
 * and one in tcp_splice_read() that gives the lock up for a moment after bytes.
 * Neither sleeps outside the lock's queue before it leaves, so when every task
 * has scheduled once more it is out, or has read meanwhile what we did not:
 * copied_seq tells. So two looks with a grace period between have to agree.
 * What a ring does to a reader that read on TCP all the same is a violation
 * of the switch-over and ends the connection.
 *
 * Locks: rx.mutex, then the socket's, as its softirq has that: not while a task
 * owns it, for which nothing waits. A program can own its socket for as long as
 * a page of its does not come, and the workqueue has places for a few hundred
 * works that wait. And nobody may own a socket that nobody has accepted yet:
 * inet_csk_listen_stop() relies on it.
 */
#include <linux/rcupdate.h>
#include <linux/wait.h>
#include "again.h"
#include "event.h"
#include "fault.h"
#include "hook.h"
#include "peer.h"
#include "stats.h"
#include "xenvmc_priv.h"

#define LATE_STATES	(TCPF_ESTABLISHED | TCPF_CLOSE_WAIT | \
			 TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2)
/* Requests of a peer that have not proved anything yet */
#define LATE_UNPROVEN	64
#define LATE_RETRY	(HZ / 20)
#define LATE_TRIES	600
#define LATE_LOCKED	100

/* What late_take() and late_meets() say beside a reason */
#define LATE_WAIT	(-1)
#define LATE_DROP	(-2)

static struct workqueue_struct *late_wq;
static atomic_t late_busy = ATOMIC_INIT(0);

/**
 * hook_wake() - wakes one of our sleepers
 * @entry: its entry in the wait queue
 * @mode: as woken_wake_function() has it
 * @sync: likewise
 * @key: likewise
 *
 * Context: any.
 * Return: what woken_wake_function() does.
 */
int hook_wake(struct wait_queue_entry *entry, unsigned int mode, int sync,
	      void *key)
{
	return woken_wake_function(entry, mode, sync, key);
}

/**
 * hook_work_later() - have the work of a hook_conn look at it
 * @hc: hook_conn
 * @delay: jiffies
 *
 * Context: any.
 */
void hook_work_later(struct hook_conn *hc, unsigned long delay)
{
	hook_queue(hc, &hc->work, delay);
}

/**
 * hook_queue() - queue work of a hook_conn
 * @hc: hook_conn
 * @work: in it; nothing is done if it is queued already
 * @delay: jiffies
 *
 * Context: any.
 */
void hook_queue(struct hook_conn *hc, struct delayed_work *work,
		unsigned long delay)
{
	xvmc_conn_hold(&hc->conn);
	atomic_inc(&late_busy);
	if (!queue_delayed_work(late_wq, work, delay))
		hook_work_done(hc);
}

/**
 * hook_work_done() - work of a hook_conn is over, or will not be done
 * @hc: hook_conn, whose reference goes
 *
 * Context: any.
 */
void hook_work_done(struct hook_conn *hc)
{
	hook_put(hc);
	/* Last: unloading waits for it, and the reference may be */
	atomic_dec(&late_busy);
}

/**
 * hook_late_queue() - have work done that may wait
 * @work: of nobody's in particular
 *
 * Context: any.
 */
void hook_late_queue(struct work_struct *work)
{
	queue_work(late_wq, work);
}

/* The lower end of a connection asks, if both could. Not one with itself */
static bool late_is_lower(const struct hook_tuple *t)
{
	int diff = memcmp(&t->laddr, &t->raddr, sizeof(t->laddr));

	if (!diff)
		diff = memcmp(&t->lport, &t->rport, sizeof(t->lport));
	return diff < 0;
}

/* As when a socket becomes ESTABLISHED, but for what is counted */
static struct xvmc_chan *late_chan(const struct sock *sk,
				   const struct hook_tuple *t)
{
	const struct xvmc_net *xn = xvmc_net(sock_net(sk));
	struct xvmc_chan *chan;
	bool known = false;

	if (!READ_ONCE(xn->hook_on))
		return NULL;
	chan = xvmc_peer_chan_by_addr(&t->raddr, &known);
	if (!chan && !known && READ_ONCE(xn->hook_loopback))
		chan = xvmc_loop_chan_get(true);
	return chan;
}

/**
 * hook_late_wants() - is a socket worth a closer look?
 * @sk: socket of the established hash, or with a reference
 * @all: also the end that need not ask
 *
 * Context: any.
 */
bool hook_late_wants(const struct sock *sk, bool all)
{
	struct xvmc_chan *chan;
	struct hook_tuple t;

	/* Some in that hash are less than a socket: the state comes first */
	if (!((1 << inet_sk_state_load(sk)) & LATE_STATES) ||
	    sock_flag(sk, SOCK_DEAD) || !hook_proto_fits(sk))
		return false;
	hook_read_tuple(sk, &t);
	if (!all && !late_is_lower(&t))
		return false;
	chan = late_chan(sk, &t);
	if (!chan)
		return false;
	xvmc_chan_put(chan);
	return true;
}

/*
 * What a ring cannot carry, and what a program did to go back to TCP, as far as
 * a socket shows it. Socket lock held.
 */
static u32 late_unfit(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (!((1 << sk->sk_state) & LATE_STATES) || sk->sk_err ||
	    sock_flag(sk, SOCK_DEAD))
		return XENVMC_REASON_TCP_ENDED;
	if (tp->urg_data || after(tp->snd_up, tp->snd_una))
		return XENVMC_REASON_URGENT;
	if (sock_flag(sk, SOCK_ZEROCOPY))
		return XENVMC_REASON_ZEROCOPY;
	if (READ_ONCE(sk->sk_mark) || READ_ONCE(sk->sk_bound_dev_if))
		return XENVMC_REASON_SOCKOPT;
	return hook_unfit(sk);
}

/* The peer's UPGRADE is answered with NO */
static void late_say_no(struct hook_conn *hc)
{
	u32 why = hc->why ? hc->why : XENVMC_REASON_PEER_LEFT;

	if (!hc->asked)
		return;
	xvmc_upgrade_refuse(hc->conn.chan, hc->asked, why);
	hc->asked = 0;
}

/* What a step says, which may not sleep; LATE_WAIT if a task owns the socket */
static int late_locked(struct hook_conn *hc,
		       int (*step)(struct hook_conn *hc, void *arg), void *arg)
{
	struct sock *sk = hc->conn.sk;
	int ret = LATE_WAIT;

	local_bh_disable();
	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk))
		ret = step(hc, arg);
	bh_unlock_sock(sk);
	local_bh_enable();
	return ret;
}

/* ---- taking over -------------------------------------------------------- */

/*
 * The initial sequence number. bytes_acked has what the number has moved by: at
 * an active end with the SYN, at an accepted one without, and which it is shows
 * from what was sent. Bytes of rings are in all these counts, hook_count().
 */
static u32 late_iss(const struct tcp_sock *tp)
{
	u32 sent = (u32)tp->bytes_sent - (u32)tp->bytes_retrans;
	u32 iss = tp->snd_una - (u32)tp->bytes_acked;

	return tp->snd_nxt - iss == sent ? iss - 1 : iss;
}

/* 0: the socket's functions are ours now. Socket lock held */
static int late_take(struct hook_conn *hc)
{
	struct sock *sk = hc->conn.sk;
	const struct tcp_sock *tp = tcp_sk(sk);
	struct hook_tuple now;
	u32 why;

	hook_read_tuple(sk, &now);
	if (memcmp(&now, &hc->tuple, sizeof(now)))
		return XENVMC_REASON_NO_MATCH;
	hc->iss = late_iss(tp);
	/* It counts what its number has moved by since the SYN */
	hc->irs = tp->rcv_nxt - (u32)tp->bytes_received - 1;
	/* First: who cannot prove anything learns nothing of the socket */
	if (hc->asked && !hook_proves(hc, hc->asked_nonce, hc->asked_proof,
				      &hc->conn.proof))
		return XENVMC_REASON_NO_PROOF;
	why = hook_proto_fits(sk) ? late_unfit(sk) : XENVMC_REASON_SOCKMAP;
	/* A peer that asks again and again would fill it, a ring each time */
	if (!why && atomic_read(&sk->sk_rmem_alloc) > READ_ONCE(sk->sk_rcvbuf))
		why = XENVMC_REASON_NO_MEMORY;
	if (why)
		return why;
	/* What TCP has not sent may be held back: nobody knows */
	hc->tx_more = true;
	hc->tries = 0;
	hc->stage = HOOK_LOOK;
	xvmc_stat_inc(XVMC_STAT_HOOK_CANDIDATES);
	hook_insert(hc, false);
	hook_proto_install(sk, hc);
	/* The ring's bytes come behind what TCP has still to bring */
	xvmc_tcp_again(sk);
	/* The channel went, and hook_refused() did not find it hooked */
	if (READ_ONCE(hc->conn.left))
		hook_unhook_locked(hc);
	return 0;
}

/* The socket has changed meanwhile. Socket lock held */
static void late_give_up(struct hook_conn *hc, u32 why)
{
	hc->why = why;
	if (why != XENVMC_REASON_TCP_ENDED)
		hook_fallback(hc, why);
	xvmc_conn_leave(&hc->conn, why, false, true);
	WRITE_ONCE(hc->back, true);
	hook_unhook_locked(hc);
}

/*
 * The socket is hooked already. Both ends may have asked, or be about to: then
 * the lower one goes on with its own question, and the other drops it for the
 * peer's. Or it is on its way back from a channel that went. Socket lock held.
 */
static int late_meets(struct hook_conn *hc, struct hook_conn *other)
{
	u8 state = READ_ONCE(other->conn.state);

	if (!hc->asked)
		return LATE_DROP;
	/* The two ends of the loopback have one domain id and two channels */
	if (other->conn.chan->peer->domid != hc->conn.chan->peer->domid ||
	    state > XVMC_CONN_UP)
		return LATE_WAIT;
	if (late_is_lower(&hc->tuple) || state == XVMC_CONN_UP)
		return XENVMC_REASON_NO_MATCH;
	if (other->stage == HOOK_SETTLED || other->asked)
		return LATE_WAIT;
	if (!hook_proves(other, hc->asked_nonce, hc->asked_proof,
			 &hc->conn.proof))
		return XENVMC_REASON_NO_PROOF;
	other->quiet = true;
	late_give_up(other, XENVMC_REASON_NO_MATCH);
	return late_take(hc);
}

static void late_grace_over(struct rcu_head *head)
{
	struct hook_conn *hc = container_of(head, struct hook_conn, grace);

	/* Before the work is queued that is to see it */
	WRITE_ONCE(hc->in_grace, false);
	hook_work_later(hc, 0);
	hook_put(hc);
	atomic_dec(&late_busy);
}

/* Looks again when every task has scheduled */
static void late_grace(struct hook_conn *hc)
{
	xvmc_conn_hold(&hc->conn);
	atomic_inc(&late_busy);
	WRITE_ONCE(hc->in_grace, true);
	call_rcu_tasks(&hc->grace, late_grace_over);
}

/* Nothing of the socket was touched; drops the reference of hook_new() */
static void late_drop(struct hook_conn *hc, int why)
{
	hc->stage = HOOK_DROPPED;
	hc->why = max(why, 0);
	if (why > 0 && !hc->asked && why != XENVMC_REASON_TCP_ENDED)
		hook_fallback(hc, why);
	late_say_no(hc);
	xvmc_conn_leave(&hc->conn, hc->why, false, true);
	hook_put(hc);
}

/* @arg: whom the socket has already, with a reference, or NULL */
static int late_found_step(struct hook_conn *hc, void *arg)
{
	struct hook_conn **other = arg;

	*other = hook_get(hc->conn.sk);
	return *other ? late_meets(hc, *other) : late_take(hc);
}

static void late_found(struct hook_conn *hc)
{
	struct hook_conn *other = NULL;
	bool unproven = hc->asked;
	int ret = LATE_DROP;

	if (!hook_is_unloading() && !READ_ONCE(hc->conn.left))
		ret = late_locked(hc, late_found_step, &other);
	if (other && hook_is_gone(other))
		hook_begin_back(other, other->why);
	if (other)
		hook_put(other);
	if (ret == LATE_WAIT && hc->tries++ < LATE_TRIES) {
		hook_work_later(hc, min_t(long, hc->tries, LATE_RETRY));
		return;
	}
	if (unproven)
		atomic_dec(&hc->conn.chan->unproven);
	if (ret)
		late_drop(hc, ret);
	else
		late_grace(hc);
}

/* ---- settling ----------------------------------------------------------- */

/* Does a task sleep in TCP? @but_connect: elsewhere than in connect() */
static bool late_is_sleeper(const struct wait_queue_entry *entry,
			    bool but_connect)
{
	if (entry->func != woken_wake_function &&
	    entry->func != autoremove_wake_function &&
	    entry->func != default_wake_function)
		return false;
	return !but_connect || !hook_is_connecting(entry->private);
}

/* Socket lock held, or its bottom half */
static bool late_has_sleeper(struct sock *sk, bool but_connect)
{
	struct wait_queue_entry *entry;
	struct socket_wq *wq;
	bool found = false;
	unsigned long flags;

	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (wq) {
		spin_lock_irqsave(&wq->wait.lock, flags);
		list_for_each_entry(entry, &wq->wait.head, entry)
			found |= late_is_sleeper(entry, but_connect);
		spin_unlock_irqrestore(&wq->wait.lock, flags);
	}
	rcu_read_unlock();
	return found;
}

/**
 * hook_late_begun() - has a task begun to read or write already?
 * @sk: socket that becomes ESTABLISHED, which a program has connected
 *
 * TCP lets it: it sleeps there, or waits for the lock, and looks for bytes
 * where a ring's do not come.
 * Context: socket lock, or its bottom half.
 */
bool hook_late_begun(struct sock *sk)
{
	/* No barrier: who comes later finds our functions */
	return waitqueue_active(&sk->sk_lock.wq) || late_has_sleeper(sk, true);
}

/**
 * hook_late_has_begun() - the same, when the peer asks
 * @hc: hooked socket that awaits this
 *
 * A task may have been about to take the lock at the first look: it sleeps now.
 * Context: process, the channel's work.
 */
bool hook_late_has_begun(struct hook_conn *hc)
{
	if (READ_ONCE(hc->stage) == HOOK_SETTLED &&
	    hook_late_begun(hc->conn.sk))
		WRITE_ONCE(hc->stage, HOOK_LOOK);
	return READ_ONCE(hc->stage) != HOOK_SETTLED;
}

/**
 * hook_late_await() - the peer asks for a connection where one has
 * @hc: hooked socket that awaits this
 * @msg: the question
 *
 * It is answered when that is out, as a connection that is taken over late.
 * Context: process, the channel's work.
 */
void hook_late_await(struct hook_conn *hc, const struct xvmc_msg_upgrade *msg)
{
	hc->asked = msg->conn;
	hook_work_later(hc, 0);
}

/*
 * A task that owns the socket, or waits for that, may be one of ours, and is
 * gone in a moment; but not for ever.
 */
static u8 late_busy_stage(struct hook_conn *hc)
{
	return hc->tries++ < LATE_LOCKED ? HOOK_LOOK : HOOK_SLEEPER;
}

/* One look; the new stage. rx.mutex and socket lock held */
static u8 late_judge(struct sock *sk, struct hook_conn *hc)
{
	u32 mark = tcp_sk(sk)->copied_seq - hc->taken;

	lockdep_assert_held(&hc->conn.rx.mutex);
	/* No barrier: who comes later finds our functions */
	if (waitqueue_active(&sk->sk_lock.wq))
		return late_busy_stage(hc);
	if (late_has_sleeper(sk, false))
		return HOOK_SLEEPER;
	if (hc->stage == HOOK_LOOKED && hc->mark == mark)
		return HOOK_SETTLED;
	hc->mark = mark;
	return HOOK_LOOKED;
}

/* Nobody is inside TCP but through us: the connection may move */
static void late_settled(struct hook_conn *hc)
{
	mutex_lock(&hc->conn.tx.mutex);
	/* From now on shutdown() comes by us */
	if (READ_ONCE(hc->conn.sk->sk_shutdown) & SEND_SHUTDOWN)
		hc->conn.tx.closed = true;
	mutex_unlock(&hc->conn.tx.mutex);
	if (!hc->asked && READ_ONCE(hc->awaiting))
		return;
	if (!hc->asked)
		xvmc_conn_ask(&hc->conn, 0);
	else if (xvmc_conn_accept(&hc->conn, hc->asked))
		late_say_no(hc);
	else
		hc->asked = 0;
}

/* 0, or why the connection cannot move; @arg: what is next */
static int late_look_step(struct hook_conn *hc, void *arg)
{
	struct sock *sk = hc->conn.sk;
	u8 *stage = arg;
	u32 why;

	/* It went elsewhere */
	*stage = HOOK_DROPPED;
	if (!hc->hashed)
		return 0;
	why = late_unfit(sk);
	if (why) {
		late_give_up(hc, why);
	} else {
		*stage = late_judge(sk, hc);
		WRITE_ONCE(hc->stage, *stage);
	}
	return why;
}

static void late_look(struct hook_conn *hc)
{
	u8 stage;
	int why;

	mutex_lock(&hc->conn.rx.mutex);
	why = late_locked(hc, late_look_step, &stage);
	if (why == LATE_WAIT) {
		why = 0;
		stage = late_busy_stage(hc);
		WRITE_ONCE(hc->stage, stage);
	}
	mutex_unlock(&hc->conn.rx.mutex);

	if (stage == HOOK_SETTLED)
		late_settled(hc);
	else if (stage == HOOK_LOOKED)
		late_grace(hc);
	else if (stage == HOOK_LOOK)
		hook_work_later(hc, 1);
	else if (why)
		hook_begin_back(hc, why);
	else if (stage == HOOK_DROPPED)
		late_say_no(hc);
}

/*
 * Whatever is next for a hook_conn that is not settled, or answers nobody. A
 * call may have queued this while a look was under way: the next look is the
 * one that the grace period brings.
 */
static void late_step(struct hook_conn *hc)
{
	if (hc->stage == HOOK_FOUND)
		late_found(hc);
	else if (hc->stage == HOOK_DROPPED || !READ_ONCE(hc->hashed))
		late_say_no(hc);
	else if (hc->stage == HOOK_SETTLED && hc->asked)
		late_settled(hc);
	else if (hc->stage != HOOK_SETTLED && !READ_ONCE(hc->in_grace))
		late_look(hc);
}

/**
 * hook_work() - the work of a hook_conn
 * @work: in it
 *
 * Context: process.
 */
void hook_work(struct work_struct *work)
{
	struct hook_conn *hc = container_of(to_delayed_work(work),
					    struct hook_conn, work);

	if (test_bit(HOOK_OVERTAKEN, &hc->taker))
		hook_lose(hc);
	else if (test_bit(HOOK_RESET, &hc->taker))
		hook_cut_off(hc);
	else if (READ_ONCE(hc->returning))
		hook_return_step(hc);
	else
		late_step(hc);
	hook_work_done(hc);
}

/* ---- beginnings --------------------------------------------------------- */

/**
 * hook_late_try() - take a socket over and ask its peer
 * @sk: socket; the caller has a reference
 * @quiet: it was tried before, and a fallback was counted
 * @delay: jiffies until then
 *
 * Context: process, no locks.
 */
void hook_late_try(struct sock *sk, bool quiet, unsigned long delay)
{
	struct xvmc_chan *chan;
	struct hook_conn *hc;
	struct hook_tuple t;

	hook_read_tuple(sk, &t);
	chan = late_chan(sk, &t);
	if (!chan)
		return;
	hc = hook_new(sk, chan, &t, GFP_KERNEL);
	if (IS_ERR(hc) && !quiet && PTR_ERR(hc) != -ENETDOWN)
		xvmc_fallback(sk, NULL, chan->peer->domid,
			      XENVMC_REASON_NO_MEMORY);
	xvmc_chan_put(chan);
	if (IS_ERR(hc))
		return;
	hc->stage = HOOK_FOUND;
	hc->quiet = quiet;
	hook_work_later(hc, delay);
}

/* A peer is told nothing of connections with others */
static bool late_leads(const struct in6_addr *addr, struct xvmc_chan *chan)
{
	struct xvmc_chan *to;
	bool known;

	to = xvmc_peer_chan_by_addr(addr, &known);
	if (to)
		xvmc_chan_put(to);
	return to == chan;
}

/**
 * hook_late_upgrade() - the peer asks for a connection that awaits nothing
 * @chan: channel
 * @t: the connection, as we see it
 * @msg: the question
 *
 * Its work proves and answers it: that takes the socket lock, which a program
 * may hold for long.
 * Context: process, the channel's work.
 * Return: 0 if it will be answered, else the reason for NO.
 */
u32 hook_late_upgrade(struct xvmc_chan *chan, const struct hook_tuple *t,
		      const struct xvmc_msg_upgrade *msg)
{
	bool loopback = chan->peer->domid == XENVMC_DOMID_SELF;
	struct hook_conn *hc;
	struct sock *sk;

	if (atomic_read(&chan->unproven) >= LATE_UNPROVEN)
		return XENVMC_REASON_NO_MEMORY;
	if (!loopback && !late_leads(&t->raddr, chan))
		return XENVMC_REASON_NO_MATCH;
	sk = msg->conn ? hook_walk_lookup(t, loopback) : NULL;
	if (!sk)
		return XENVMC_REASON_NO_MATCH;
	hc = hook_new(sk, chan, t, GFP_KERNEL);
	sock_put(sk);
	if (IS_ERR(hc))
		return XENVMC_REASON_NO_MEMORY;
	hc->stage = HOOK_FOUND;
	hc->asked = msg->conn;
	hc->asked_nonce = msg->nonce;
	hc->asked_proof = msg->proof;
	atomic_inc(&chan->unproven);
	hook_work_later(hc, 0);
	return 0;
}

/* ---- life --------------------------------------------------------------- */

/**
 * hook_late_init() - make the workqueue
 *
 * Return: 0 or -ENOMEM.
 */
int hook_late_init(void)
{
	if (!xvmc_should_fail(XVMC_FAULT_WORKQUEUE))
		late_wq = alloc_workqueue("xenvmc_inet", WQ_UNBOUND, 0);
	if (!late_wq)
		return -ENOMEM;
	hook_walk_init(late_wq);
	return 0;
}

/**
 * hook_late_stop() - nothing is taken over any more
 *
 * After hook_is_unloading() is true and nobody starts a walk. Work that saw it
 * false has ended at return.
 * Context: process.
 */
void hook_late_stop(void)
{
	hook_walk_stop();
	flush_workqueue(late_wq);
}

/**
 * hook_late_busy() - is work of some hook_conn queued or due?
 *
 * Context: any.
 */
bool hook_late_busy(void)
{
	return atomic_read(&late_busy);
}

/**
 * hook_late_exit() - free the workqueue; nothing is queued any more
 */
void hook_late_exit(void)
{
	destroy_workqueue(late_wq);
}
