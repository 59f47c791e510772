// SPDX-License-Identifier: GPL-2.0
/*
 * A far end that says nothing any more from some step on, until dom0 parts the
 * two: everybody in the victim must hear of that.
 */
#include "cases.h"

/* The victim may have asked: 1: by CONNECT, 2: by UPGRADE */
int tell_nothing(struct far *far, const struct hostile_case *it)
{
	int err = it->value ? near_ask(far, it->value == 2) : 0;

	far_settle(far);
	return err ? -ENOENT : 0;
}

/* Of two rings that are lent to us only one is given back */
int tell_one_stop(struct far *far, const struct hostile_case *it)
{
	int ring = far_find_lent(far, 0);

	if (ring < 0)
		return -ENOENT;
	far_stop(far, ring);
	far_event(far);
	far_settle(far);
	return 0;
}

/* The victim wants its ring back, or ends both connections; no answer comes */
int tell_no_answer(struct far *far, const struct hostile_case *it)
{
	if (it->type == XVMC_MSG_RECALL) {
		xvmc_rx_recall(near_door(0), XENVMC_REASON_RECLAIM);
	} else {
		near_close(0);
		near_door_leave(0, false, true);
	}
	far_settle(far);
	far_deaf(far);
	return 0;
}

/* dom0 parts the two: the rings are given back, and no BYE comes */
int tell_no_bye(struct far *far, const struct hostile_case *it)
{
	u32 i;

	xvmc_peer_event(far->peer, XVMC_PEV_UNLISTED, NULL);
	for (i = 0; i < XVMC_MAX_RINGS; i++)
		far_stop(far, i);
	far_event(far);
	return 0;
}

/*
 * A connection is asked for, by either end, and answered; then, as far as
 * @value goes, a ring is announced for it, and lent, and the victim has bytes to
 * read.
 */
int tell_begin(struct far *far, const struct hostile_case *it)
{
	bool asks = it->type == XVMC_MSG_CONNECT || it->type == XVMC_MSG_UPGRADE;
	struct far_msg msg = hostile_honest(far, it->type);
	int n = asks ? msg.word[0] - 1 : far_free_conn(far), err, ring;
	struct hostile_case answer = *it;

	/* By a name of ours that a LEND of the victim's is known by */
	answer.word = 1;
	answer.value = n + 1;
	err = asks ? far_say(far, &msg) : tell_answer(far, &answer);
	if (err)
		return err;
	if (asks && far->conn[n].state != FAR_UP)
		return -ENOENT;
	far->conn[n].state = FAR_UP;
	if (it->value >= BEGIN_ADDS)
		err = far_add_ring(far, 4, 1);
	if (!err && it->value >= BEGIN_LENDS)
		err = far_lend(far, 4, n);
	ring = far_find_lent(far, n);
	if (err || it->value < BEGIN_WRITES)
		return err;
	return ring >= 0 && far_write(far, ring, 100) == 100 ? 0 : -ENOENT;
}

/* A message that names the TCP connection of far_talk() */
int tell_tcp(struct far *far, const struct hostile_case *it)
{
	struct far_msg msg = hostile_honest(far, it->type);

	if (it->type == XVMC_MSG_RECALL)
		msg = far_msg(it->type, 1, far->own[1].epoch, far->conn[1].id,
			      XENVMC_REASON_RECLAIM);
	else
		msg.word[0] = far->conn[1].id;
	return far_say(far, &msg);
}

/*
 * The victim takes its TCP connection back, with bytes on the ring that it has
 * not read. Of what the far end has to do then only a part is done: the stop
 * mark, or DETACH.
 */
int tell_way_back(struct far *far, const struct hostile_case *it)
{
	int ring = far_find_lent(far, 1);
	struct far_msg msg = far_msg(XVMC_MSG_DETACH, far->conn[1].id,
				     XENVMC_REASON_SOCKOPT, 0, 0);

	if (ring < 0 || far_write(far, ring, 100) != 100)
		return -ENOENT;
	near_door_leave(0, false, false);
	far_settle(far);
	far_deaf(far);
	if (it->value == BACK_STOPS)
		far_stop(far, ring);
	if (it->value == BACK_DETACHES)
		far_put(far, &msg);
	far_event(far);
	far_settle(far);
	far_deaf(far);
	return 0;
}

/**
 * judge_gone() - does everybody hear of it when the far end is declared gone?
 * @far: pair, silent
 * @it: how it became so
 *
 * Return: NULL, or who does not.
 */
const char *judge_gone(struct far *far, const struct hostile_case *it)
{
	unsigned long end = jiffies + HOSTILE_PATIENCE;
	bool over = it->type == XVMC_MSG_DETACH && it->tell == tell_word;
	struct xvmc_conn *door;
	int got = -EAGAIN;
	u32 n;

	xvmc_peer_event(far->peer, XVMC_PEV_UNLISTED, NULL);
	while (near_socket(0) && got == -EAGAIN) {
		got = near_recv(near_socket(0), 100);
		if (got == -EAGAIN && time_after(jiffies, end))
			return "its socket hangs";
		schedule_timeout_uninterruptible(1);
	}
	/* After DETACH it is the end of the stream */
	if (near_socket(0) && got != -ECONNRESET && (got || !over))
		return "its socket was not reset";
	for (n = 0; n < NEAR_ENDS; n++) {
		door = near_door(n);
		while (door && READ_ONCE(door->state) != XVMC_CONN_DEAD) {
			if (time_after(jiffies, end))
				return "a door is not told";
			schedule_timeout_uninterruptible(1);
		}
	}
	return NULL;
}
