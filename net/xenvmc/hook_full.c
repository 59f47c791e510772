// SPDX-License-Identifier: GPL-2.0
/*
 * A full ring whose reader reads nothing: the writer goes on by TCP.
 *
 * A ring may hold less than TCP's two buffers would, and a program may rely on
 * those: both ends write before they read, or a reader looks at a whole message
 * and takes none of it. So who meets a ring without room has it looked at once
 * more net.xenvmc.full_ms later. If nothing was read in between, the lend ends
 * at the present index, as it may at any time, and what is written next is
 * TCP's. The reader lends a ring again when it has emptied this one.
 *
 * Nobody waits for that look: a writer that sleeps is woken by the end of the
 * lend, and who polls is told of TCP's room.
 */
#include "hook.h"
#include "stats.h"
#include "xenvmc_priv.h"

/* So many bytes has the peer read, modulo 2^32; exact under tx.mutex */
static u32 full_read(struct hook_conn *hc)
{
	return (u32)READ_ONCE(hc->conn.tx.bytes) - xvmc_tx_queued(&hc->conn);
}

static void full_later(struct hook_conn *hc, unsigned int ms)
{
	hook_work_later(hc, msecs_to_jiffies(ms));
}

/**
 * hook_full_look() - somebody has met a ring without room
 * @hc: hooked socket
 *
 * What is noted here may be wrong where a writer runs beside: then the look
 * finds that something was read, and there is another one.
 * Context: any.
 */
void hook_full_look(struct hook_conn *hc)
{
	unsigned int ms = READ_ONCE(xvmc_net(sock_net(hc->conn.sk))->full_ms);

	if (!ms || test_and_set_bit(HOOK_FULL, &hc->taker))
		return;
	WRITE_ONCE(hc->full_read, full_read(hc));
	full_later(hc, ms);
}

/* True: it is to be looked at again. tx.mutex held */
static bool full_step(struct hook_conn *hc)
{
	u32 read = full_read(hc);

	if (!xvmc_tx_has_ring(&hc->conn) || xvmc_tx_want_space(&hc->conn))
		return false;
	if (READ_ONCE(hc->full_read) != read) {
		WRITE_ONCE(hc->full_read, read);
		return true;
	}
	xvmc_stat_inc(XVMC_STAT_HOOK_FULL);
	xvmc_tx_stop(&hc->conn);
	return false;
}

/**
 * hook_full_step() - the look
 * @hc: hooked socket
 *
 * Context: process, its work; takes tx.mutex.
 */
void hook_full_step(struct hook_conn *hc)
{
	unsigned int ms = READ_ONCE(xvmc_net(sock_net(hc->conn.sk))->full_ms);
	bool again;

	/* Before the look: who meets a full ring after it queues another one */
	clear_bit(HOOK_FULL, &hc->taker);
	smp_mb__after_atomic();
	mutex_lock(&hc->conn.tx.mutex);
	again = ms && full_step(hc) && !test_and_set_bit(HOOK_FULL, &hc->taker);
	mutex_unlock(&hc->conn.tx.mutex);
	if (again)
		full_later(hc, ms);
}
