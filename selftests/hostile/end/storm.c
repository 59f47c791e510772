// SPDX-License-Identifier: GPL-2.0
/*
 * A far end that sends events all the time: what brings nothing must be known.
 */
#include "cases.h"

#define STORM	1000	/* events */
#define BINDS	20	/* for less than a second, if each is later than the last */

/* Bells of rings of all numbers */
int tell_storm(struct far *far, const struct hostile_case *it)
{
	u32 i;

	for (i = 0; i < it->value; i++) {
		xvmc_bell_set(far->tx_mem.hdr, i & 1, i / 2 % XVMC_MAX_RINGS);
		far_event(far);
	}
	far_settle(far);
	return 0;
}

static bool storm_is_known(u64 before)
{
	return xvmc_stat_read(XVMC_STAT_EVENTS_SPURIOUS) - before >= STORM / 2;
}

/* Events that look like work, and bring none: most must be known as that */
static int storm_is_seen(struct far *far, enum xvmc_bell kind, int ring)
{
	u64 before = xvmc_stat_read(XVMC_STAT_EVENTS_SPURIOUS);
	u32 i;

	for (i = 0; i < STORM; i++) {
		if (ring >= 0)
			xvmc_bell_set(far->tx_mem.hdr, kind, ring);
		far_event(far);
	}
	far_settle(far);
	return storm_is_known(before) ? 0 : -EPERM;
}

/* Of a ring that is lent, to which nobody writes, or which nobody reads */
int tell_lent_storm(struct far *far, const struct hostile_case *it)
{
	return storm_is_seen(far, it->type, it->type == XVMC_BELL_DATA ?
			     far_find_lent(far, 0) : 0);
}

/* As long as nobody reads them, the victim has work that it can not do */
int tell_unheard_storm(struct far *far, const struct hostile_case *it)
{
	return tell_unheard(far, it) ?: storm_is_seen(far, 0, -1);
}

/* Streams beside that of far_talk(), each with a ring that is lent to us */
static int more_streams(struct far *far, u32 first, u32 end)
{
	struct far_msg msg = hostile_honest(far, XVMC_MSG_CONNECT);
	u32 n;

	for (n = first; n < end; n++) {
		msg.word[0] = n + 1;
		far->conn[n] = (struct far_conn){ FAR_ASKING, false, 0 };
		if (far_say(far, &msg) || far->conn[n].state != FAR_UP)
			return -EIO;
		near_accept();
		far_settle(far);
		far_hear(far);
		if (far_find_lent(far, n) < 0)
			return -EIO;
	}
	return 0;
}

/* A byte in one ring, and the bells of all */
int tell_storm_beside_a_byte(struct far *far, const struct hostile_case *it)
{
	u64 before = xvmc_stat_read(XVMC_STAT_EVENTS_SPURIOUS);
	int err = more_streams(far, 2, it->value);
	u32 i, n;

	for (i = 0; !err && i < STORM; i++) {
		for (n = 2; n < it->value; n++)
			xvmc_bell_set(far->tx_mem.hdr, XVMC_BELL_DATA,
				      far_find_lent(far, n));
		if (far_write(far, far_find_lent(far, 0), 1) != 1)
			err = -EIO;
	}
	far_settle(far);
	near_recv(near_socket(0), STORM);
	if (err)
		return err;
	return storm_is_known(before) ? 0 : -EPERM;
}

/* Of another pair: each comes to nothing, and the next is there at once */
int tell_storm_of_offers(struct far *far, const struct hostile_case *it)
{
	struct far *other = far_new(false);
	unsigned long end;
	u32 i, binds, state;

	if (!other)
		return -ENOENT;
	other->spoils = true;
	xvmc_peer_event(other->peer, XVMC_PEV_LISTED_HIGH, NULL);
	for (i = 0; i < it->value; i++)
		xvmc_peer_event(other->peer, XVMC_PEV_OFFER, NULL);
	binds = READ_ONCE(other->binds);
	WRITE_ONCE(other->spoils, false);
	/* And the last, which is good, needs no event */
	end = jiffies + HOSTILE_PATIENCE;
	while (READ_ONCE(other->peer->state) != XVMC_PEER_HELLO &&
	       time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	state = READ_ONCE(other->peer->state);
	far_leave(other, false);
	return binds && binds < BINDS && state == XVMC_PEER_HELLO ? 0 : -EIO;
}
