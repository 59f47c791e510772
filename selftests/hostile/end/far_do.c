// SPDX-License-Identifier: GPL-2.0
/*
 * What an honest far end does: greet, lend, write, read, stop.
 */
#include "far.h"

#define TALK_BYTES	3000

/**
 * far_greet() - meet and greet as the protocol wants
 * @far: new pair
 *
 * Return: 0 with the pair connected, or a negative errno.
 */
int far_greet(struct far *far)
{
	struct far_msg msg;
	int err;

	err = far_meet(far);
	if (err)
		return err;
	far_greeting(far, &msg);
	err = far_say(far, &msg);
	if (err)
		return err;
	return far_is_up(far) ? 0 : -ENOTCONN;
}

/**
 * far_free_conn() - a free place for a connection
 * @far: pair
 *
 * Return: its index, or -1.
 */
int far_free_conn(const struct far *far)
{
	int n;

	for (n = 0; n < FAR_CONNS; n++)
		if (far->conn[n].state == FAR_FREE)
			return n;
	return -1;
}

/**
 * far_find_lent() - a ring that is lent to us
 * @far: pair
 * @conn: index of a connection, or -1 for any
 *
 * Return: its number, or -1.
 */
int far_find_lent(const struct far *far, int conn)
{
	int ring;

	for (ring = 0; ring < XVMC_MAX_RINGS; ring++)
		if (far->lent[ring].lent &&
		    (conn < 0 || far->lent[ring].conn == conn))
			return ring;
	return -1;
}

/**
 * far_add_ring() - grant an own ring and say so
 * @far: pair
 * @ring: number
 * @order: its size
 *
 * Return: 0 or a negative errno.
 */
int far_add_ring(struct far *far, u32 ring, u32 order)
{
	struct far_own *own = &far->own[ring];
	struct far_msg msg;
	int err;

	if (!own->granted) {
		err = xvmc_loop_ops.ring_grant(NULL, &own->mem, order);
		if (err)
			return err;
		xvmc_ring_cons_init(&own->cons, own->mem.hdr, own->mem.page,
				    order);
		own->granted = true;
	}
	own->told = true;
	msg = far_msg(XVMC_MSG_RING_ADD, ring, own->mem.order, own->mem.token,
		      0);
	return far_say(far, &msg);
}

/**
 * far_lend() - lend an own ring to a connection
 * @far: pair
 * @ring: number, announced
 * @conn: index of the connection
 *
 * Return: 0 or a negative errno.
 */
int far_lend(struct far *far, u32 ring, u32 conn)
{
	struct far_own *own = &far->own[ring];
	struct far_msg msg;

	own->lent = true;
	own->epoch++;
	own->conn = conn;
	msg = far_msg(XVMC_MSG_LEND, ring, own->epoch, far->conn[conn].id, 0);
	return far_say(far, &msg);
}

static void far_bell(struct far *far, enum xvmc_bell kind, u32 ring)
{
	xvmc_bell_set(far->tx_mem.hdr, kind, ring);
}

/**
 * far_stop() - give a ring back to the near end, if it is lent
 * @far: pair
 * @ring: number
 */
void far_stop(struct far *far, u32 ring)
{
	struct far_lent *lent = &far->lent[ring];

	if (!lent->lent)
		return;
	if (!lent->started)
		xvmc_ring_start(&lent->prod, lent->epoch, 0);
	xvmc_ring_stop(&lent->prod, lent->epoch);
	lent->lent = false;
	far_bell(far, XVMC_BELL_DATA, ring);
}

/**
 * far_write_from() - bytes to a ring of the near end
 * @far: pair
 * @ring: number, lent
 * @bytes: them, or NULL for any
 * @len: how many
 *
 * Return: how many there was room for.
 */
u32 far_write_from(struct far *far, u32 ring, const u8 *bytes, u32 len)
{
	static const u8 any[64] = "the bytes of a stream, always the same";
	struct far_lent *lent = &far->lent[ring];
	int space = xvmc_ring_space(&lent->prod);
	u32 done, n;

	if (!lent->started)
		xvmc_ring_start(&lent->prod, lent->epoch, 0);
	lent->started = true;
	/* The near end reads all that is there: room is where we left it */
	len = space < 0 ? 0 : min_t(u32, len, space);
	for (done = 0; done < len; done += n) {
		n = min_t(u32, len - done, sizeof(any));
		xvmc_ring_copy_in(&lent->prod, done,
				  bytes ? bytes + done : any, n);
	}
	xvmc_ring_publish(&lent->prod, len);
	far_bell(far, XVMC_BELL_DATA, ring);
	far_event(far);
	return len;
}

/**
 * far_write() - any bytes to a ring of the near end
 * @far: pair
 * @ring: number, lent
 * @len: how many
 *
 * Return: how many there was room for.
 */
u32 far_write(struct far *far, u32 ring, u32 len)
{
	return far_write_from(far, ring, NULL, len);
}

/**
 * far_read() - take all bytes out of an own ring
 * @far: pair
 * @ring: number, granted
 *
 * Return: how many there were.
 */
u32 far_read(struct far *far, u32 ring)
{
	struct far_own *own = &far->own[ring];
	struct xvmc_ring_mark mark;
	int used;

	xvmc_ring_mark(&own->cons, own->epoch, &mark);
	used = xvmc_ring_used(&own->cons);
	if (used < 0)
		return 0;
	xvmc_ring_consume(&own->cons, used);
	if (mark.stopped)
		own->lent = false;
	far_bell(far, XVMC_BELL_SPACE, ring);
	far_event(far);
	return used;
}

static int talk_stream(struct far *far)
{
	struct far_msg msg = far_msg(XVMC_MSG_CONNECT, 1, 9, NEAR_PORT,
				     SOCK_STREAM);
	int err;

	far->conn[0] = (struct far_conn){ FAR_ASKING, false, 0 };
	err = far_say(far, &msg);
	if (!err && far->conn[0].state != FAR_UP)
		err = -ECONNREFUSED;
	if (!err)
		err = far_add_ring(far, 0, 1);
	if (!err)
		err = far_lend(far, 0, 0);
	/* Which waits for a ring to write to */
	near_accept();
	return err;
}

static int talk_tcp(struct far *far)
{
	struct far_msg msg;
	int err;

	err = near_ask(far, true);
	far_settle(far);
	far_hear(far);
	if (err || far->conn[1].state != FAR_ASKED)
		return err ? err : -ENOENT;
	far->conn[1].state = FAR_UP;
	msg = far_msg(XVMC_MSG_UPGRADE_OK, far->conn[1].id, 2, 0, 0);
	err = far_say(far, &msg);
	if (!err)
		err = far_add_ring(far, 1, 1);
	return err ? err : far_lend(far, 1, 1);
}

/**
 * far_talk() - connections as honest ends have them
 * @far: pair, connected
 *
 * The stream is index 0, our id 1, our ring 0; TCP is index 1, id 2, ring 1.
 * The near end's are its first socket and its first door.
 *
 * Return: 0, or a negative errno if one of them is not there as it should be.
 */
int far_talk(struct far *far)
{
	int err = talk_stream(far);

	if (!err)
		err = talk_tcp(far);
	if (!err && (far_find_lent(far, 0) < 0 || far_find_lent(far, 1) < 0))
		err = -ENOBUFS;
	return err;
}

/**
 * far_bytes() - do the connections of far_talk() work?
 * @far: pair
 *
 * Return: 0, or -EIO if bytes do not come through.
 */
int far_bytes(struct far *far)
{
	int stream = far_find_lent(far, 0), tcp = far_find_lent(far, 1);

	if (stream < 0 || tcp < 0 || !near_socket(0) || !near_door(0))
		return -EIO;
	/* What a test has left */
	far_read(far, 0);
	far_read(far, 1);
	if (far_write(far, stream, TALK_BYTES) != TALK_BYTES ||
	    near_recv(near_socket(0), TALK_BYTES) != TALK_BYTES)
		return -EIO;
	if (near_send(near_socket(0), TALK_BYTES) != TALK_BYTES ||
	    far_read(far, 0) != TALK_BYTES)
		return -EIO;
	if (far_write(far, tcp, TALK_BYTES) != TALK_BYTES ||
	    near_door_read(near_door(0)) != TALK_BYTES)
		return -EIO;
	if (near_door_write(near_door(0), TALK_BYTES) != TALK_BYTES ||
	    far_read(far, 1) != TALK_BYTES)
		return -EIO;
	return 0;
}
