// SPDX-License-Identifier: GPL-2.0
/*
 * Polling a hooked socket, and signals of it: TCP's answer, and the next edge.
 *
 * A ring's next byte, or its next room, comes with a kick only if somebody has
 * asked for it, and who waits for edges has asked TCP.
 */
#include <linux/poll.h>
#include "hook.h"

/* The next byte is to bring a kick. One that came meanwhile came without */
static void poll_ask_next(struct sock *sk, struct hook_conn *hc)
{
	u32 seen = xvmc_rx_queued(&hc->conn);

	/* As in hook_tell_reader() */
	if (xvmc_rx_want_data(&hc->conn, seen + 1) &&
	    xvmc_rx_queued(&hc->conn) > seen)
		xvmc_rx_tell(sk, !hook_is_taken(sk));
}

/**
 * hook_async() - the next byte of the ring is to bring a signal
 * @sk: socket with O_ASYNC
 *
 * Context: any, also under the socket lock.
 */
void hook_async(struct sock *sk)
{
	struct hook_conn *hc = hook_get(sk);

	if (!hc)
		return;
	poll_ask_next(sk, hc);
	hook_put(hc);
}

/**
 * hook_poll() - TCP's answer, and the next edge
 * @file: of the socket
 * @sock: socket
 * @wait: whom to wake later
 *
 * Who waits for edges is to be told of more bytes even if these are not read
 * meanwhile, and the ring's next byte comes with a kick only if we ask for it.
 * A ring without room is looked at again for who wants to write.
 *
 * Context: process.
 * Return: what the socket is ready for.
 */
__poll_t hook_poll(struct file *file, struct socket *sock,
		   struct poll_table_struct *wait)
{
	bool writes = poll_requested_events(wait) & (EPOLLOUT | EPOLLWRNORM);
	bool edge = wait && wait->_key & EPOLLET;
	struct hook_conn *hc = NULL;
	__poll_t mask;

	hook_enter();
	mask = tcp_poll(file, sock, wait);
	edge = edge && mask & EPOLLIN;
	writes = writes && !(mask & EPOLLOUT);
	if (edge || writes)
		hc = hook_get(sock->sk);
	if (hc && edge)
		poll_ask_next(sock->sk, hc);
	if (hc && writes)
		hook_full_look(hc);
	if (hc)
		hook_put(hc);
	hook_leave();
	return mask;
}
