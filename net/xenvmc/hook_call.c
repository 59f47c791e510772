// SPDX-License-Identifier: GPL-2.0
/*
 * A call whose socket goes back to TCP under it: begin anew, or go on.
 *
 * For sending and receiving. No task may sleep in our text for long then, since
 * nobody finds it there any more.
 */
#include <linux/net.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/compat.h>
#include <asm/syscall.h>
#include <asm/unistd.h>
#include "hook.h"

/**
 * hook_restart() - leave our text and begin the call anew
 *
 * A task that sleeps here would keep the module. Nothing was done yet; the call
 * is restarted as after a signal that has no handler. If there is one with a
 * handler it is what TCP makes of it: the program may have a signal end its
 * call. A task of the kernel has no call to restart.
 * Return: -ERESTARTSYS or -EINTR.
 */
int hook_restart(void)
{
	if (hook_is_kernel_task())
		return -EINTR;
	set_thread_flag(TIF_NOTIFY_SIGNAL);
	return -ERESTARTSYS;
}

/* Of the task's own calls, one that cannot be restarted */
static bool call_is_final(void)
{
	int nr;

	if (in_compat_syscall())
		return true;
	nr = syscall_get_nr(current, current_pt_regs());
	return nr == __NR_recvmmsg || nr == __NR_io_submit;
}

/**
 * hook_is_connecting() - is a task in connect()?
 * @task: one that sleeps
 *
 * Of programs of another word size it is not known which call it is.
 * Context: any.
 */
bool hook_is_connecting(struct task_struct *task)
{
	return !(task->flags & (PF_KTHREAD | PF_USER_WORKER)) &&
	       syscall_get_nr(task, task_pt_regs(task)) == __NR_connect;
}

/**
 * hook_never_restarts() - has the task no call that could begin anew?
 *
 * Context: process.
 */
bool hook_never_restarts(void)
{
	return hook_is_kernel_task() || call_is_final();
}

/**
 * hook_goes_on() - does a call go on although its socket goes back to TCP?
 * @hc: its hook_conn, or the former one
 * @done: bytes that it has moved
 *
 * Until it is TCP's there is nothing to begin anew: the call would come here
 * again at once, with a new timeout. Then TCP would not have ended one that has
 * moved bytes. A task of the kernel cannot begin anew, nor can io_submit(), nor
 * recvmmsg(): it takes the answer for an error of the socket after its first
 * message; of programs of another word size it is not known which call it is.
 * Context: process.
 * Return: false if it is to leave our text, by hook_restart() or with @done.
 */
bool hook_goes_on(const struct hook_conn *hc, size_t done)
{
	if (!hook_is_gone(hc))
		return true;
	return !hook_is_unloading() &&
	       (done || hook_never_restarts());
}

/**
 * hook_nap() - wait for a wake-up of the socket, but not for long
 * @sk: socket that is not hooked, or not for much longer
 * @wait: entry in its wait queue
 * @gone: it is TCP's. Else what it waited for may have come before it was in
 *	the queue, and it looks again soon
 * @timeo: jiffies that are left
 *
 * Nobody wakes us when the module is to go, or the socket was taken over again.
 * Context: process, no locks.
 * Return: 0 or what a signal makes of the call.
 */
int hook_nap(struct sock *sk, struct wait_queue_entry *wait, bool gone,
	     long *timeo)
{
	if (signal_pending(current))
		return sock_intr_errno(*timeo);
	xvmc_wait_some(wait, gone ? HOOK_NAP : 1, timeo);
	return 0;
}

/**
 * hook_taken_again() - the hook_conn of a socket that went back to TCP
 * @sk: socket
 * @at: the former one, of which the caller has a reference; the new one then
 *
 * Context: process.
 * Return: true if there is a new one.
 */
bool hook_taken_again(struct sock *sk, struct hook_conn **at)
{
	struct hook_conn *next = hook_get(sk);

	if (!next)
		return false;
	hook_put(*at);
	*at = next;
	return true;
}

/**
 * hook_is_left() - has TCP a socket again, and the hook not once more?
 * @sk: socket
 * @hc: its hook_conn, or the former one
 *
 * For who is about to call TCP. A task that has slept in our text since it got
 * @hc was seen by nobody: meanwhile the socket may have been taken over late,
 * and TCP must not get bytes past the new rings. From here on it is seen, if it
 * does not sleep but in TCP.
 * Context: process.
 */
bool hook_is_left(struct sock *sk, const struct hook_conn *hc)
{
	struct hook_conn *next;

	if (!hook_is_gone(hc))
		return false;
	next = hook_get(sk);
	if (next)
		hook_put(next);
	return !next;
}
