// SPDX-License-Identifier: GPL-2.0
/*
 * A full ring whose reader reads nothing: the writer goes on by TCP.
 *
 * A ring may hold less than TCP's two buffers would, and a program may rely on
 * those: both ends write before they read, or a reader looks at a whole message
 * and takes none of it. So who wants to write to a ring without room has it
 * looked at once more net.xenvmc.full_ms later. If nothing was read in between,
 * the lend ends at the present index, as it may at any time, and what is
 * written next is TCP's. The reader lends a ring again when this one is empty.
 *
 * Nobody waits for that look: a writer that sleeps is woken by the end of the
 * lend, and who polls is told of TCP's room. It is work of its own, so that
 * nothing else waits for its time.
 */
#include "hook.h"
#include "stats.h"
#include "xenvmc_priv.h"

static unsigned int full_ms(const struct hook_conn *hc)
{
	return READ_ONCE(xvmc_net(sock_net(hc->conn.sk))->full_ms);
}

/*
 * How far the peer has read, modulo 2^32: of the ring, and of TCP's bytes that
 * it has before those, for which its window moves on. That of the ring is exact
 * under tx.mutex.
 */
static u32 full_read(struct hook_conn *hc)
{
	const struct tcp_sock *tp = tcp_sk(hc->conn.sk);
	u32 edge = READ_ONCE(tp->snd_una) + READ_ONCE(tp->snd_wnd);
	u32 sent = READ_ONCE(hc->conn.tx.bytes);

	return edge + sent - xvmc_tx_queued(&hc->conn);
}

/**
 * hook_full_stop() - no look any more, but for one that has begun
 * @hc: hook_conn that is unhooked; the caller has a reference
 *
 * Context: any.
 */
void hook_full_stop(struct hook_conn *hc)
{
	if (cancel_delayed_work(&hc->full))
		hook_work_done(hc);
}

/**
 * hook_full_look() - somebody wants to write, and the ring has no room
 * @hc: hooked socket
 *
 * What is noted here may be wrong where a writer runs beside: then the look
 * finds that something was read, and there is another one.
 * Context: any.
 */
void hook_full_look(struct hook_conn *hc)
{
	unsigned int ms = full_ms(hc);

	if (!ms || test_bit(HOOK_FULL, &hc->taker) ||
	    !rcu_access_pointer(hc->conn.tx.ring) ||
	    test_and_set_bit(HOOK_FULL, &hc->taker))
		return;
	WRITE_ONCE(hc->full_read, full_read(hc));
	hook_queue(hc, &hc->full, msecs_to_jiffies(ms));
	/* Who unhooks it sees this one, or we that */
	if (!READ_ONCE(hc->hashed))
		hook_full_stop(hc);
}

/* Is it to be looked at again? @noted: what was read then. tx.mutex held */
static bool full_step(struct hook_conn *hc, u32 noted)
{
	if (!xvmc_tx_has_ring(&hc->conn) || xvmc_tx_want_space(&hc->conn))
		return false;
	if (full_read(hc) != noted)
		return true;
	xvmc_stat_inc(XVMC_STAT_HOOK_FULL);
	xvmc_tx_stop(&hc->conn);
	return false;
}

/**
 * hook_full_work() - the look
 * @work: in a hook_conn
 *
 * A writer that has the mutex is not waited for, for it may wait for the socket
 * lock, and the workqueue has places for a few hundred works that wait.
 * Context: process.
 */
void hook_full_work(struct work_struct *work)
{
	struct hook_conn *hc = container_of(to_delayed_work(work),
					    struct hook_conn, full);
	u32 noted = READ_ONCE(hc->full_read);
	bool again = true;

	/* Ordered: who finds it clear notes anew, and queues another look */
	test_and_clear_bit(HOOK_FULL, &hc->taker);
	if (mutex_trylock(&hc->conn.tx.mutex)) {
		again = full_step(hc, noted);
		mutex_unlock(&hc->conn.tx.mutex);
	}
	if (again)
		hook_full_look(hc);
	hook_work_done(hc);
}
