// SPDX-License-Identifier: GPL-2.0
/*
 * The ring that a connection is lent is memory of its socket, as TCP's receive
 * queue is: of net.ipv4.tcp_mem and of the cgroup of the program.
 *
 * A ring belongs to the pair of guests and outlives its connections, so not its
 * pages are charged, but the lend. It is charged before the peer hears of it,
 * and is the socket's until another one is lent instead or the socket is TCP's
 * again. Where there is no room for it the connection is TCP's, which has means
 * to go on with little.
 */
#include <uapi/linux/xenvmc.h>
#include "hook.h"

/* Socket lock held, or its bottom half */
static bool charge_set(struct sock *sk, struct hook_conn *hc, u32 bytes)
{
	if (bytes > hc->charged) {
		u32 more = bytes - hc->charged;

		if (!__sk_mem_schedule(sk, more, SK_MEM_RECV))
			return false;
		sk_mem_charge(sk, more);
	} else if (bytes < hc->charged) {
		sk_mem_uncharge(sk, hc->charged - bytes);
	}
	hc->charged = bytes;
	return true;
}

/**
 * hook_charge() - charge the socket with the ring that it is lent
 * @sk: hooked socket
 * @hc: its hook_conn
 *
 * Not before it was accepted: it has no cgroup until then, and would give back
 * to one what that was never charged with.
 * Context: socket lock, or its bottom half.
 * Return: false if there is no room.
 */
bool hook_charge(struct sock *sk, struct hook_conn *hc)
{
	return !sk->sk_socket || charge_set(sk, hc, hc->lent);
}

/**
 * hook_uncharge() - the socket has no ring any more
 * @sk: socket
 * @hc: its hook_conn
 *
 * Context: socket lock, or its bottom half.
 */
void hook_uncharge(struct sock *sk, struct hook_conn *hc)
{
	hc->lent = 0;
	charge_set(sk, hc, 0);
}

/*
 * Of one that nobody has accepted nothing is charged yet, and nobody may own
 * it: inet_csk_listen_stop() relies on that. False: it has been accepted.
 */
static bool charge_unaccepted(struct sock *sk, struct hook_conn *hc, u32 bytes)
{
	bool slow = lock_sock_fast(sk);
	bool is = !sk->sk_socket;

	if (is && hc->hashed)
		hc->lent = bytes;
	unlock_sock_fast(sk, slow);
	return is;
}

/**
 * hook_charge_ring() - a ring is about to be lent, or there is none
 * @conn: connection
 * @bytes: of the ring, or 0
 *
 * Context: process, no locks.
 * Return: false if the socket may not have it; it goes back to TCP by itself.
 */
bool hook_charge_ring(struct xvmc_conn *conn, u32 bytes)
{
	struct hook_conn *hc = to_hook(conn);
	struct sock *sk = conn->sk;
	bool ok = true;

	if (!READ_ONCE(sk->sk_socket) && charge_unaccepted(sk, hc, bytes))
		return true;
	lock_sock(sk);
	if (hc->hashed) {
		hc->lent = bytes;
		ok = hook_charge(sk, hc);
	}
	release_sock(sk);
	if (!ok)
		hook_leave_rings(hc, XENVMC_REASON_NO_MEMORY);
	return ok;
}

/**
 * hook_charge_child() - a socket was accepted that may have a ring already
 * @sk: socket
 *
 * Context: bottom half of the socket lock.
 */
void hook_charge_child(struct sock *sk)
{
	struct hook_conn *hc = hook_get(sk);

	if (!hc)
		return;
	if (!hook_charge(sk, hc))
		hook_leave_rings(hc, XENVMC_REASON_NO_MEMORY);
	hook_put(hc);
}
