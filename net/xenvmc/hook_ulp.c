// SPDX-License-Identifier: GPL-2.0
/*
 * kTLS makes its tables of those that it finds, and may find ours.
 *
 * On the first socket of a family, and whenever another one has other tables
 * than the last, it copies struct proto and struct proto_ops for all sockets to
 * come, and remembers in the socket whose they were. hook_opt.c sees to it that
 * a socket has its own by then. But a call of a program that is inside TCP with
 * TCP_ULP when its socket is taken over meets ours, and a program can be there
 * for as long as a page with the name does not come.
 *
 * That is noticed when the same call drops the socket lock, by release_cb(),
 * which is among what was copied; also by that of another socket. Then the
 * socket is told that TCP's functions are behind kTLS, goes back to TCP, and
 * kTLS is made to look at a socket that nobody has taken over: its tables are
 * TCP's again. Until then the copies work: on a socket that is not hooked our
 * functions are TCP's. Unloading does the last in any case.
 */
#include <linux/cred.h>
#include <linux/net.h>
#include <linux/workqueue.h>
#include <net/tcp.h>
#include "fault.h"
#include "hook.h"
#include "stats.h"

static void ulp_work_run(struct work_struct *work);
static DECLARE_WORK(ulp_work, ulp_work_run);

/*
 * Refused for want of a connection, after it has looked at the tables. False if
 * it has not, and may as soon as there is memory.
 */
static bool ulp_show_family(int pf)
{
	struct socket *sock;
	int err = -ENOBUFS;

	if (!xvmc_should_fail(XVMC_FAULT_ULP))
		err = sock_create_kern(&init_net, pf, SOCK_STREAM, IPPROTO_TCP,
				       &sock);
	if (err)
		return err != -ENOBUFS && err != -ENOMEM && err != -ENFILE;
	sock->sk->sk_prot->setsockopt(sock->sk, SOL_TCP, TCP_ULP,
				      KERNEL_SOCKPTR("tls"), 3);
	sock_release(sock);
	return true;
}

/**
 * hook_ulp_rebuild() - kTLS has no tables of ours any more
 *
 * Without rights: it is not to be loaded for that.
 * Context: process.
 * Return: false if it may still have some, for want of memory.
 */
bool hook_ulp_rebuild(void)
{
	const struct cred *old = NULL;
	struct cred *cred = NULL;
	bool shown;

	if (!xvmc_should_fail(XVMC_FAULT_ULP))
		cred = prepare_creds();
	/* Rather with rights than not at all */
	if (cred) {
		cred->cap_effective = CAP_EMPTY_SET;
		old = override_creds(cred);
	}
	shown = ulp_show_family(PF_INET);
	shown &= ulp_show_family(PF_INET6);
	if (cred) {
		revert_creds(old);
		put_cred(cred);
	}
	return shown;
}

static void ulp_work_run(struct work_struct *work)
{
	hook_ulp_rebuild();
}

/**
 * hook_ulp_rebuild_later() - the same, from any context
 */
void hook_ulp_rebuild_later(void)
{
	hook_late_queue(&ulp_work);
}

/**
 * hook_ulp_copied() - a socket's functions are copies of ours
 * @sk: socket
 *
 * Context: bottom half of the socket lock.
 */
void hook_ulp_copied(struct sock *sk)
{
	const struct tcp_ulp_ops *ulp = inet_csk(sk)->icsk_ulp_ops;
	struct hook_conn *hc = hook_get(sk);

	/* Another socket's tables: its own, or it has gone back already */
	if (!hc) {
		hook_ulp_rebuild_later();
		return;
	}
	if (!test_and_set_bit(HOOK_COPIED, &hc->taker)) {
		/* At the end of the call that has brought kTLS: no key yet */
		if (ulp && ulp->update)
			ulp->update(sk, (struct proto *)hook_base_of(sk),
				    sk->sk_write_space);
		/* The tables are put right then: hook_proto_restore() */
		if (READ_ONCE(hc->stage) != HOOK_SETTLED)
			hook_work_later(hc, 0);
		else
			hook_leave_rings(hc, XENVMC_REASON_ULP);
	}
	hook_put(hc);
}
