// SPDX-License-Identifier: GPL-2.0
/*
 * Looking for the next byte for a while before sleeping.
 *
 * A reader that sleeps costs two hypercalls and two passes through the
 * schedulers of guest and host, often more than the peer needs to answer. A
 * reader that looks costs the peer nothing: no event index is written, so the
 * peer's write finds nobody to kick. Whoever has looked in vain asks for a kick
 * and looks again, as without this: Documentation/memory-order.rst.
 *
 * It can only pay if the peer runs meanwhile, which a guest cannot know: each
 * connection finds out for itself and looks the less often, the more often it
 * has looked in vain. SO_BUSY_POLL asks for it at every wait.
 */
#include <linux/export.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <net/busy_poll.h>
#include "conn.h"
#include "stats.h"
#include "xenvmc_priv.h"

/*
 * conn->rx.spin_doubt: 2^(3 + doubt) - 1 waits go by between two tries. A new
 * connection lets seven go by; few live long enough to lose by it.
 */
#define SPIN_DOUBT_NONE	(-3)
#define SPIN_DOUBT_MOST	7

static unsigned int spin_asked(struct sock *sk)
{
#ifdef CONFIG_NET_RX_BUSY_POLL
	return READ_ONCE(sk->sk_ll_usec);
#else
	return 0;
#endif
}

/*
 * Microseconds that a guess is worth in this wait. Readers of one connection
 * that race here only guess worse.
 */
static unsigned int spin_guess(struct xvmc_conn *conn)
{
	unsigned int us = READ_ONCE(xvmc_net(sock_net(conn->sk))->spin_us);
	u16 passed = READ_ONCE(conn->rx.spin_passed);

	/* Else the CPU has better things to do, perhaps the peer itself */
	if (!us || !single_task_running())
		return 0;
	if (passed + 1 < 1 << (3 + READ_ONCE(conn->rx.spin_doubt))) {
		WRITE_ONCE(conn->rx.spin_passed, passed + 1);
		return 0;
	}
	return us;
}

/**
 * xvmc_spin_begin() - look before sleeping?
 * @conn: connection that has nothing to read
 * @spin: state of this wait; filled in
 *
 * If so, the caller looks until it finds something or xvmc_spin_on() says no,
 * and ends with xvmc_spin_end(). It looks without asking for a kick.
 *
 * Context: process, no locks held.
 */
bool xvmc_spin_begin(struct xvmc_conn *conn, struct xvmc_spin *spin)
{
	unsigned int us = spin_asked(conn->sk);

	spin->asked = us;
	if (!us)
		us = spin_guess(conn);
	if (!us)
		return false;
	xvmc_stat_inc(XVMC_STAT_SPINS);
	spin->until = ktime_get_ns() + us * (u64)NSEC_PER_USEC;
	return true;
}
EXPORT_SYMBOL_GPL(xvmc_spin_begin);

/**
 * xvmc_spin_on() - look once more?
 * @spin: of xvmc_spin_begin()
 *
 * Context: process, no locks held.
 */
bool xvmc_spin_on(const struct xvmc_spin *spin)
{
	if (need_resched() || signal_pending(current) ||
	    ktime_get_ns() >= spin->until)
		return false;
	if (!spin->asked && !single_task_running())
		return false;
	cpu_relax();
	return true;
}
EXPORT_SYMBOL_GPL(xvmc_spin_on);

/**
 * xvmc_spin_end() - learn from a wait
 * @conn: connection
 * @hit: looking found something
 *
 * Context: process.
 */
void xvmc_spin_end(struct xvmc_conn *conn, bool hit)
{
	s8 doubt = READ_ONCE(conn->rx.spin_doubt);

	if (hit)
		xvmc_stat_inc(XVMC_STAT_SPIN_HITS);
	doubt = hit ? SPIN_DOUBT_NONE : min(doubt + 1, SPIN_DOUBT_MOST);
	WRITE_ONCE(conn->rx.spin_doubt, doubt);
	WRITE_ONCE(conn->rx.spin_passed, 0);
}
EXPORT_SYMBOL_GPL(xvmc_spin_end);
