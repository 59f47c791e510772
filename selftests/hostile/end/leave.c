// SPDX-License-Identifier: GPL-2.0
/*
 * Lies from the moment at which the victim wants to leave until nothing is
 * shared any more: it must leave all the same, and in time.
 */
#include "cases.h"
#include "farewell.h"

#define LEAVE_ROUND_US	100	/* between two lies, about as farewell.c does */
#define LEAVE_ROUNDS	20	/* before its kernel does what is to be done */

static void leave_lie(struct far *far, const struct farewell_lie *lie)
{
	u32 i;

	for (i = 0; i < XVMC_MAX_RINGS; i++) {
		if (lie->own && i < FAR_RINGS && far->own[i].granted)
			lie->tell(far->own[i].mem.hdr);
		if (!lie->own && far->lent[i].mapped)
			lie->tell(far->lent[i].mem.hdr);
	}
	memset(far->tx_mem.hdr->bell_data, 0xff, XVMC_MAX_RINGS / 8);
	memset(far->tx_mem.hdr->bell_space, 0xff, XVMC_MAX_RINGS / 8);
	far_event(far);
}

/* The liar's kernel knows nothing of the lies */
static void leave_in_order(struct far *far)
{
	struct far_msg bye = far_msg(XVMC_MSG_BYE, 0, 0, 0, 0);
	u32 i;

	for (i = 0; i < XVMC_MAX_RINGS; i++)
		far_stop(far, i);
	far_put(far, &bye);
}

/**
 * tell_farewell() - lies to a victim that is suspended or leaves
 * @far: pair that talks
 * @it: which lie, and by which event of the peer it leaves
 *
 * Return: 0, -ETIMEDOUT if it did not leave, -ENOENT if the lie was not told.
 */
int tell_farewell(struct far *far, const struct hostile_case *it)
{
	unsigned long end = jiffies + HOSTILE_PATIENCE;
	const struct farewell_lie *lie = &farewell_lies[it->word];
	int stream = far_find_lent(far, 0), tcp = far_find_lent(far, 1);
	u32 told = 0;

	/* What is unread is to travel, or to be torn */
	if (stream < 0 || tcp < 0 || far_write(far, stream, 100) != 100 ||
	    far_write(far, tcp, 100) != 100)
		return -ENOENT;
	xvmc_peer_event(far->peer, it->type, NULL);
	while (READ_ONCE(far->chan->state) != XVMC_CHAN_CLOSED) {
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		leave_lie(far, lie);
		if (++told == LEAVE_ROUNDS)
			leave_in_order(far);
		usleep_range(LEAVE_ROUND_US, 2 * LEAVE_ROUND_US);
	}
	return told ? 0 : -ENOENT;
}
