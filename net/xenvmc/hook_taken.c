// SPDX-License-Identifier: GPL-2.0
/*
 * Somebody in the kernel takes the socket of a program: a BPF sockmap, KCM, a
 * driver as that of iSCSI.
 *
 * They read and write TCP's queues themselves, past the rings, so the socket
 * goes back to TCP first. They come in calls of a program, with the socket
 * lock held, where the peer cannot be waited for. What waits is a work of the
 * calling task, which runs when all locks are dropped, before the program sees
 * an answer; the call of a sockmap, which may fail, begins anew after that.
 * Where there is no such task the socket goes back by itself, a moment later.
 */
#ifdef CONFIG_BPF_SYSCALL
#include <linux/skmsg.h>
#endif
#include <linux/slab.h>
#include <linux/task_work.h>
#include <uapi/linux/xenvmc.h>
#include "fault.h"
#include "hook.h"

/**
 * struct taken - a socket that the calling task waits for
 * @work: of the task
 * @hc: its hook_conn, with a reference
 * @why: &enum xenvmc_reason
 */
struct taken {
	struct callback_head work;
	struct hook_conn *hc;
	u32 why;
};

/**
 * hook_taken_tell() - who reads TCP's queue himself looks at it
 * @sk: socket that has gone back
 *
 * It was not told of what came from a ring. Nothing if nobody has taken it.
 * Context: process, no locks.
 */
void hook_taken_tell(struct sock *sk)
{
	if (!hook_is_taken(sk))
		return;
	lock_sock(sk);
	if (!sock_flag(sk, SOCK_DEAD))
		READ_ONCE(sk->sk_data_ready)(sk);
	release_sock(sk);
}

/* The task has no locks any more */
static void taken_work(struct callback_head *head)
{
	struct taken *taken = container_of(head, struct taken, work);
	struct hook_conn *hc = taken->hc;
	int err = hook_go_back(hc, taken->why);

	/* A signal is served first, and the call of a sockmap comes again */
	WRITE_ONCE(hc->take_err, err == -ERESTARTSYS ? 0 : err);
	if (!err)
		hook_taken_tell(hc->conn.sk);
	else if (test_bit(HOOK_TAKEN, &hc->taker))
		hook_return(hc, taken->why);
	hook_put(hc);
	kfree(taken);
	hook_leave();
}

/*
 * Has the calling task wait for the way back, later. False: it cannot. The hook
 * stays loaded until it has.
 */
static bool taken_wait(struct hook_conn *hc, u32 why,
		       enum task_work_notify_mode mode)
{
	struct taken *taken = NULL;
	int err = -ESRCH;

	if (!in_task() || hook_is_kernel_task())
		return false;
	if (!xvmc_should_fail(XVMC_FAULT_TAKEN))
		taken = kmalloc(sizeof(*taken), GFP_ATOMIC);
	if (!taken)
		return false;
	xvmc_conn_hold(&hc->conn);
	taken->hc = hc;
	taken->why = why;
	init_task_work(&taken->work, taken_work);
	hook_enter();
	if (!xvmc_should_fail(XVMC_FAULT_TAKEN))
		err = task_work_add(current, &taken->work, mode);
	if (!err)
		return true;
	hook_leave();
	hook_put(hc);
	kfree(taken);
	return false;
}

/*
 * Nothing has gone by ring nor will: the socket is TCP's at once. So it is
 * where a BPF program puts a connection into a map as it becomes ESTABLISHED.
 * Socket lock held, or its bottom half.
 */
static bool taken_early(struct sock *sk, struct hook_conn *hc, u32 why)
{
	if (!xvmc_conn_forestall(&hc->conn))
		return false;
	hook_fallback(hc, why);
	xvmc_conn_leave(&hc->conn, why, false, true);
	WRITE_ONCE(hc->back, true);
	hook_unhook_locked(hc);
	/* Who sleeps in our text must not stay */
	hook_begin_back(hc, why);
	return true;
}

/**
 * hook_taken() - somebody has taken the socket, and drops the socket lock
 * @sk: socket for which hook_is_taken() is true
 *
 * Its bytes still go as before. Those that come by ring are TCP's soon.
 * Context: bottom half of the socket lock.
 */
void hook_taken(struct sock *sk)
{
	struct hook_conn *hc = hook_get(sk);

	if (!hc)
		return;
	if (!test_and_set_bit(HOOK_TAKEN, &hc->taker) &&
	    !taken_early(sk, hc, XENVMC_REASON_KERNEL) &&
	    !taken_wait(hc, XENVMC_REASON_KERNEL, TWA_RESUME))
		hook_leave_rings(hc, XENVMC_REASON_KERNEL);
	hook_put(hc);
}

/**
 * hook_taken_call() - a call of a socket for which hook_is_taken() is true
 * @hc: its hook_conn
 *
 * A driver may take a socket and never have its lock, as that of network block
 * devices. Nothing waits: it calls in a program's read of a disk, and while
 * memory is being freed. A socket that is being taken over is looked at by what
 * does that, which answers the peer as well.
 * Context: process.
 */
void hook_taken_call(struct hook_conn *hc)
{
	if (READ_ONCE(hc->stage) != HOOK_SETTLED)
		hook_work_later(hc, 0);
	else if (!test_and_set_bit(HOOK_TAKEN, &hc->taker))
		hook_leave_rings(hc, XENVMC_REASON_KERNEL);
}

#ifdef CONFIG_BPF_SYSCALL
/*
 * The way back was waited for, or will be. -ERESTARTNOINTR: the call begins
 * anew when it has been. Socket lock and RCU held.
 */
static int taken_later(struct hook_conn *hc)
{
	int err = xchg(&hc->take_err, 0);

	if (err)
		return err;
	if (taken_wait(hc, XENVMC_REASON_SOCKMAP, TWA_SIGNAL))
		return -ERESTARTNOINTR;
	/* Not this time */
	hook_leave_rings(hc, XENVMC_REASON_SOCKMAP);
	return -EBUSY;
}

/**
 * hook_psock_update() - a sockmap wants the functions of a hooked socket
 * @sk: socket
 * @psock: what the sockmap knows of it; it has noted functions of ours
 * @restore: it does not want them any more
 *
 * Context: socket lock, and mostly RCU.
 * Return: 0, -ERESTARTNOINTR, or why it cannot have them.
 */
int hook_psock_update(struct sock *sk, struct sk_psock *psock, bool restore)
{
	const struct proto *base = hook_base_of(sk);
	struct hook_conn *hc;
	int err = 0;

	/* After an error: nothing was done yet */
	if (restore)
		return 0;
	hook_enter();
	hc = hook_get(sk);
	if (hc && !taken_early(sk, hc, XENVMC_REASON_SOCKMAP))
		err = taken_later(hc);
	if (hc)
		hook_put(hc);
	if (!err) {
		psock->sk_proto = (struct proto *)base;
		psock->saved_unhash = base->unhash;
		psock->saved_destroy = base->destroy;
		psock->saved_close = base->close;
		psock->psock_update_sk_prot = base->psock_update_sk_prot;
		err = base->psock_update_sk_prot(sk, psock, false);
	}
	hook_leave();
	return err;
}
#endif
