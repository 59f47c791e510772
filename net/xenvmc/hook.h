/* SPDX-License-Identifier: GPL-2.0 */
/* The TCP hook: what its files share. Documentation/hook.rst is the design. */
#ifndef _XVMC_HOOK_H
#define _XVMC_HOOK_H

#include <linux/hash.h>
#include <linux/rculist.h>
#include <linux/tcp.h>
#include <net/tcp.h>
#include "compat/compat.h"
#include "conn.h"

struct sk_psock;

/**
 * struct hook_tuple - one end of a TCP connection
 * @laddr: local address, v4-mapped
 * @raddr: remote address, v4-mapped
 * @lport: local port, network byte order
 * @rport: remote port, network byte order
 */
struct hook_tuple {
	struct in6_addr laddr;
	struct in6_addr raddr;
	__be16 lport;
	__be16 rport;
};

/**
 * struct hook_rest - the TCP connection of a hooked socket, at rest
 * @look: when to look again, jiffies; a hint that needs no lock
 * @sent: when the last ACK of ours went, jiffies
 * @bytes: how many had gone by ring by then, both ways
 * @segs_in: how many packets had come by then
 * @data_segs: how many with bytes had come and gone
 * @heard_at: when one came last, jiffies, as far as that was looked at
 * @gap: jiffies between the last two; 0: not known
 * @silent: for how many jiffies since then one should have come
 * @heard: @heard_at is set
 * @behind: the last one was a byte behind
 * @sent_bytes: bytes sent by ring that TCP's counters have
 * @received_bytes: bytes received by ring that TCP's counter has
 *
 * All but @look under the socket lock.
 */
struct hook_rest {
	unsigned long look;
	unsigned long sent;
	u64 bytes;
	u32 segs_in;
	u32 data_segs;
	unsigned long heard_at;
	unsigned long gap;
	unsigned long silent;
	bool heard;
	bool behind;
	u64 sent_bytes;
	u64 received_bytes;
};

/**
 * struct hook_owed - a receive buffer that is larger for a while
 * @raised: it is
 * @rcvbuf: what sk_rcvbuf was raised to
 * @was_rcvbuf: from this
 * @clamp: what window_clamp was raised to
 * @was_clamp: from this
 *
 * Under the socket lock.
 */
struct hook_owed {
	bool raised;
	int rcvbuf;
	int was_rcvbuf;
	u32 clamp;
	u32 was_clamp;
};

/**
 * enum hook_stage - how far taking over an established connection is
 * @HOOK_SETTLED: no task is inside TCP but through us. So from the beginning
 *	if the connection was taken over as it became ESTABLISHED, and none had
 *	begun to read or write before that
 * @HOOK_FOUND: nothing of the socket was touched yet
 * @HOOK_LOOK: its functions are ours; tasks may be inside TCP's own
 * @HOOK_LOOKED: none was seen, once
 * @HOOK_SLEEPER: one sleeps there; the next call of the socket looks again
 * @HOOK_DROPPED: not taken over
 */
enum hook_stage {
	HOOK_SETTLED,
	HOOK_FOUND,
	HOOK_LOOK,
	HOOK_LOOKED,
	HOOK_SLEEPER,
	HOOK_DROPPED,
};

/**
 * enum hook_taken - bits of a socket that was taken by somebody in the kernel
 * @HOOK_TAKEN: it goes back
 * @HOOK_LEAVE_RINGS: @work is to stop the rings first; also for other reasons
 * @HOOK_COPIED: kTLS has copied its functions
 * @HOOK_OVERTAKEN: a task has read past the ring: @work is to reset it
 * @HOOK_RESET: @work is to reset it when it has been accepted, and TCP has told
 *	how its peer has ended
 * @HOOK_FULL: @full is to look whether its ring is still full
 * @HOOK_SEEN: a call has seen what asks for TCP, and waited if it may
 */
enum hook_taken {
	HOOK_TAKEN,
	HOOK_LEAVE_RINGS,
	HOOK_COPIED,
	HOOK_OVERTAKEN,
	HOOK_RESET,
	HOOK_FULL,
	HOOK_SEEN,
};

/**
 * struct hook_conn - a hooked TCP socket
 * @conn: its end of the engine
 * @base: the socket's own struct proto
 * @by_sk: in the table of hooked sockets; RCU
 * @by_tuple: in the table of those that await an UPGRADE; RCU
 * @tuple: key of that table
 * @iss: initial sequence number sent: half of what the proof is made of
 * @irs: initial sequence number received: the other half
 * @nonce: of our question
 * @hashed: in the table of hooked sockets; table lock
 * @awaiting: in the table of tuples; table lock
 * @tx_more: the last bytes that went to TCP may be held back; tx.mutex
 * @back: going back to TCP for good; no blocking in our functions any more
 * @fell: a fallback was counted: at most once for a connection
 * @torn: so were bytes that may be missing
 * @taker: somebody has taken the socket: bits of &enum hook_taken
 * @take_err: why it could not go back, for the call that has waited for it
 * @lent: bytes of the ring that it is lent; socket lock
 * @charged: bytes that the socket is charged with for that; socket lock
 * @late: to give the socket its proto_ops back
 * @full: a look at a ring without room; a reference while queued
 * @full_read: how far the peer had read when that was queued
 * @owed: limits of TCP that were raised for what it owes; socket lock
 * @rest: what keeps the TCP connection known on its path
 * @stage: &enum hook_stage; written by @work, mostly under the socket lock
 * @tries: how often something was in the way
 * @quiet: a fallback is not counted: it was before
 * @asked: the peer's id in the UPGRADE that @work has to answer, or 0. Set
 *	before that is queued for it, cleared by @work
 * @asked_nonce: that UPGRADE's
 * @asked_proof: likewise
 * @taken: bytes that were read from TCP through us; rx.mutex
 * @mark: copied_seq without @taken, when nobody was inside TCP any more
 * @grace: until every task has scheduled
 * @in_grace: @grace is on its way: @work that is queued otherwise is no look
 * @returning: the channel went, @work takes the socket back to TCP
 * @why: reason for that, or for HOOK_DROPPED
 * @delay: jiffies until that is tried again
 * @waited: tries for which a reset has waited for the peer's FIN or RST
 * @pass: of the module's unloading, that has tried it; that task's alone
 * @work: late take-over and return, which never meet; a reference while queued
 */
struct hook_conn {
	struct xvmc_conn conn;
	const struct proto *base;
	struct hlist_node by_sk;
	struct hlist_node by_tuple;
	struct hook_tuple tuple;
	u32 iss;
	u32 irs;
	u64 nonce;
	bool hashed;
	bool awaiting;
	bool tx_more;
	bool back;
	unsigned long fell;
	unsigned long torn;
	unsigned long taker;
	int take_err;
	u32 lent;
	u32 charged;
	struct rcu_head late;
	struct delayed_work full;
	u32 full_read;
	struct hook_owed owed;
	struct hook_rest rest;
	u8 stage;
	u16 tries;
	bool quiet;
	u32 asked;
	u64 asked_nonce;
	u64 asked_proof;
	u32 taken;
	u32 mark;
	struct rcu_head grace;
	bool in_grace;
	bool returning;
	u8 waited;
	u32 why;
	unsigned long delay;
	u32 pass;
	struct delayed_work work;
};

static inline struct hook_conn *to_hook(struct xvmc_conn *conn)
{
	return container_of(conn, struct hook_conn, conn);
}

/* hook.c: tables, fallback */
#define HOOK_BITS	14
extern struct hlist_head *hook_by_sk;

static inline struct hlist_head *hook_sk_bucket(const struct sock *sk)
{
	return &hook_by_sk[hash_ptr(sk, HOOK_BITS)];
}

/**
 * hook_get() - the hook_conn of a socket
 * @sk: socket
 *
 * Inline, for every call of a hooked socket looks.
 * Context: any.
 * Return: a reference, or NULL if the socket is not hooked (any more).
 */
static inline struct hook_conn *hook_get(const struct sock *sk)
{
	struct hook_conn *hc, *found = NULL;

	/* A reader of RCU too, and inline in all kernels */
	rcu_read_lock_sched();
	hlist_for_each_entry_rcu(hc, hook_sk_bucket(sk), by_sk,
				 rcu_read_lock_sched_held()) {
		if (hc->conn.sk == sk && kref_get_unless_zero(&hc->conn.ref)) {
			found = hc;
			break;
		}
	}
	rcu_read_unlock_sched();
	return found;
}

static inline void hook_put(struct hook_conn *hc)
{
	xvmc_conn_put(&hc->conn);
}

/* A new one in no table, or ERR_PTR. Any context */
struct hook_conn *hook_new(struct sock *sk, struct xvmc_chan *chan,
			   const struct hook_tuple *t, gfp_t gfp);
void hook_insert(struct hook_conn *hc, bool await);
void hook_read_tuple(const struct sock *sk, struct hook_tuple *t);
/* What a ring cannot carry, known at this moment. 0: can be moved */
u32 hook_unfit(const struct sock *sk);
u32 hook_unfit_options(const struct sock *sk);
/* Longest wait of a call whose socket is not hooked any more */
#define HOOK_NAP	(HZ / 20)

/* It has no system call that could begin anew */
static inline bool hook_is_kernel_task(void)
{
	return current->flags & (PF_KTHREAD | PF_USER_WORKER);
}

/* The connection went back to TCP while this task was inside */
static inline bool hook_is_gone(const struct hook_conn *hc)
{
	return READ_ONCE(hc->back) && !READ_ONCE(hc->hashed);
}

/* Counted, traced: the one way by which a connection is on TCP */
void hook_fallback(struct hook_conn *hc, u32 reason);
/* Takes the socket out of the tables and gives it its own functions back */
void hook_unhook(struct hook_conn *hc);		/* takes the socket lock */
void hook_unhook_locked(struct hook_conn *hc);		/* socket lock held */
bool hook_is_unloading(void);

/* In and out of every function that the socket layer may call in our text */
DECLARE_PER_CPU(long, hook_inside);

/* Unloading waits until all have left. Any context */
static inline void hook_enter(void)
{
	this_cpu_inc(hook_inside);
}

/* The task is about to return to the socket layer */
static inline void hook_leave(void)
{
	this_cpu_dec(hook_inside);
}

/* hook_proto.c: prepared tables, and closing */
int hook_proto_init(void);
bool hook_proto_fits(const struct sock *sk);
void hook_proto_install(struct sock *sk, struct hook_conn *hc);
void hook_proto_restore(struct sock *sk, struct hook_conn *hc);
bool hook_proto_disown(struct sock *sk);	/* takes the socket lock */
bool hook_proto_restoring(void);
void hook_proto_settle(struct sock *sk);	/* kTLS comes. Any context */
bool hook_proto_is_copied(const struct sock *sk);

/* hook_ulp.c: kTLS has copied our tables */
void hook_ulp_copied(struct sock *sk);
bool hook_ulp_rebuild(void);
void hook_ulp_rebuild_later(void);
bool hook_proto_has_ulp(const struct sock *sk);
const struct proto *hook_base_of(const struct sock *sk);
const struct proto *hook_upper_of(const struct sock *sk);

/* hook_tx.c: sending */
int hook_sendmsg(struct sock *sk, struct msghdr *msg, size_t size);
int hook_ops_sendmsg(struct socket *sock, struct msghdr *msg, size_t size);
bool hook_memory_free(const struct sock *sk, int wake);
void hook_tx_back(struct hook_conn *hc, u32 reason);

/* hook_call.c: a call whose socket goes back under it */
int hook_restart(void);
bool hook_goes_on(const struct hook_conn *hc, size_t done);
bool hook_never_restarts(void);
bool hook_is_connecting(struct task_struct *task);
/* Of a step, no answer to any call: the socket may have been taken over */
#define HOOK_LOOK_AGAIN	(-ENOIOCTLCMD)
int hook_nap(struct sock *sk, struct wait_queue_entry *wait, bool gone,
	     long *timeo);
bool hook_taken_again(struct sock *sk, struct hook_conn **at);
bool hook_is_left(struct sock *sk, const struct hook_conn *hc);

/* hook_urgent.c: receiving with MSG_OOB */
int hook_recv_urgent(struct sock *sk, struct msghdr *msg, size_t len,
		     int flags);

/* hook_opt.c: options and ioctl, as struct proto and proto_ops have them */
int hook_setsockopt(struct sock *sk, int level, int optname, sockptr_t optval,
		    unsigned int optlen);
int hook_getsockopt(struct sock *sk, int level, int optname,
		    char __user *optval, int __user *optlen);
bool hook_opt_small(const struct sock *sk);	/* SO_RCVBUF */
u32 hook_opt_most(const struct sock *sk);
int hook_opt_seen(struct sock *sk, struct hook_conn *hc, u32 why, bool block);

/* Has something been asked for past us that a ring has to know of? */
static inline bool hook_opt_came(const struct sock *sk,
				 const struct hook_conn *hc)
{
	if (compat_has_psp(sk) || compat_bpf_stamps(sk))
		return true;
	return !COMPAT_SOL_SOCKET &&
	       (hook_unfit_options(sk) ||
		READ_ONCE(hc->conn.rx.most) != hook_opt_most(sk));
}

int hook_set_peek_off(struct sock *sk, int val);
int hook_ioctl(struct sock *sk, int cmd, compat_ioctl_arg arg);
int hook_rx_queued(struct sock *sk, struct hook_conn *hc);

/* hook_taken.c: somebody in the kernel takes the socket of a program */
void hook_taken(struct sock *sk);
void hook_taken_call(struct hook_conn *hc);
void hook_taken_tell(struct sock *sk);
int hook_psock_update(struct sock *sk, struct sk_psock *psock, bool restore);

/* Neither end has ended, as far as TCP knows. Any context */
static inline bool hook_is_open(const struct sock *sk)
{
	return inet_sk_state_load(sk) == TCP_ESTABLISHED;
}

/* Is TCP still to tell how the peer has ended: with a FIN, or a RST? */
static inline bool hook_awaits_end(const struct sock *sk)
{
	return (1 << inet_sk_state_load(sk)) &
	       (TCPF_ESTABLISHED | TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2);
}

/* A driver has put itself there, or has it used for storage */
static inline bool hook_is_taken(const struct sock *sk)
{
	return rcu_access_pointer(__sk_user_data(sk)) ||
	       sock_flag(sk, SOCK_MEMALLOC);
}

/* hook_rx.c: receiving */
int hook_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
		 int flags COMPAT_ADDR_LEN);
void hook_tell_reader(struct sock *sk, struct hook_conn *hc);
bool hook_is_readable(struct sock *sk);
/* A switch-over that cannot be: the peer's fault, or that of a task of ours */
ssize_t hook_rx_violation(struct sock *sk, struct hook_conn *hc);
/* Fills what TCP knows; to be followed by xvmc_rx_view() */
void hook_tcp_view(const struct sock *sk, struct xvmc_rx_view *view);

/* hook_poll.c: polling, and signals */
void hook_async(struct sock *sk);
__poll_t hook_poll(struct file *file, struct socket *sock,
		   struct poll_table_struct *wait);

/* hook_rest.c: the TCP connection while bytes go by ring */
void hook_rest_init(struct hook_conn *hc);
void hook_rest_look(struct sock *sk, struct hook_conn *hc);

/* A call has moved bytes. Process context, no locks */
static inline void hook_rest(struct sock *sk, struct hook_conn *hc)
{
	if (unlikely(time_after_eq(jiffies, READ_ONCE(hc->rest.look))))
		hook_rest_look(sk, hc);
}

void hook_count(struct sock *sk, struct hook_conn *hc);	/* socket lock held */

/* hook_show.c: what TCP has carried, to be shown */
void hook_describe(struct xvmc_conn *conn, struct xvmc_conn_info *info);

/* hook_full.c: a ring without room that nobody reads */
void hook_full_look(struct hook_conn *hc);	/* any context */
void hook_full_work(struct work_struct *work);
void hook_full_stop(struct hook_conn *hc);

/* hook_owed.c: what TCP owes and has no room for. Socket lock held */
void hook_owed(struct sock *sk, struct hook_conn *hc, u32 bytes);
void hook_owed_done(struct sock *sk, struct hook_conn *hc);

/* hook_charge.c: the ring is memory of the socket. Socket lock held */
bool hook_charge(struct sock *sk, struct hook_conn *hc);
void hook_uncharge(struct sock *sk, struct hook_conn *hc);
void hook_charge_child(struct sock *sk);
bool hook_charge_ring(struct xvmc_conn *conn, u32 bytes);	/* takes it */

/* hook_back.c: back to TCP for good, with what is unread */
/* Process context, no locks. 0, or -EBUSY if the peer did not stop in time */
int hook_go_back(struct hook_conn *hc, u32 reason);
/* The module goes: one try. False: again later, but for the @last */
bool hook_back_step(struct hook_conn *hc, bool first, bool last);
/* Begins it and does not wait */
void hook_begin_back(struct hook_conn *hc, u32 reason);
/* The peer let go: goes back by itself, as soon as it can. Any context */
void hook_return(struct hook_conn *hc, u32 reason);
/* Nobody has let go: the rings are stopped first. Any context */
void hook_leave_rings(struct hook_conn *hc, u32 reason);
void hook_return_step(struct hook_conn *hc);
void hook_lose(struct hook_conn *hc);	/* bytes may be missing */
void hook_reset(struct hook_conn *hc);
void hook_cut_off(struct hook_conn *hc);	/* closed with bytes unread */
void hook_await_end(struct hook_conn *hc);	/* that, as the peer says */
void hook_reset_locked(struct hook_conn *hc);		/* tx.mutex held */

/* hook_late.c: connections that were there before their peer */
int hook_late_init(void);
void hook_late_stop(void);	/* nothing is taken over any more */
bool hook_late_busy(void);	/* work of a hook_conn is under way */
void hook_late_exit(void);
void hook_work(struct work_struct *work);
void hook_work_later(struct hook_conn *hc, unsigned long delay);
/* Likewise for other work of its; and at the end of either */
void hook_queue(struct hook_conn *hc, struct delayed_work *work,
		unsigned long delay);
void hook_work_done(struct hook_conn *hc);
/* Takes @sk over if its peer is there, and asks. Process context */
void hook_late_try(struct sock *sk, bool quiet, unsigned long delay);
bool hook_late_wants(const struct sock *sk, bool all);
bool hook_late_begun(struct sock *sk);
void hook_late_queue(struct work_struct *work);		/* any context */
bool hook_late_has_begun(struct hook_conn *hc);
void hook_late_await(struct hook_conn *hc, const struct xvmc_msg_upgrade *msg);
/* An UPGRADE that nobody awaits. 0: will be answered, else the reason for NO */
u32 hook_late_upgrade(struct xvmc_chan *chan, const struct hook_tuple *t,
		      const struct xvmc_msg_upgrade *msg);
/* hook_proof.c: an UPGRADE, and its answer, are of the connection @hc */
void hook_ask(struct xvmc_conn *conn, struct xvmc_ctlmsg *msg);
bool hook_proves(const struct hook_conn *hc, u64 nonce, u64 proof, u64 *answer);
bool hook_believes(struct xvmc_conn *conn, u64 proof);
/* Wakes as woken_wake_function() does, and tells our sleepers from TCP's */
int hook_wake(struct wait_queue_entry *entry, unsigned int mode, int sync,
	      void *key);

/* A call of the socket: the task that slept inside TCP may have left */
static inline void hook_late_call(struct hook_conn *hc)
{
	if (unlikely(READ_ONCE(hc->stage) == HOOK_SLEEPER))
		hook_work_later(hc, HZ / 50);
}

/* hook_walk.c: finds them */
void hook_walk_init(struct workqueue_struct *wq);
void hook_walk(bool all);		/* from now on. Any context */
void hook_walk_net(struct net *net);	/* likewise, of one namespace */
void hook_walk_stop(void);
struct sock *hook_walk_lookup(const struct hook_tuple *t, bool loopback);

#endif /* _XVMC_HOOK_H */
