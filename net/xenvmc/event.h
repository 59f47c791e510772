/* SPDX-License-Identifier: GPL-2.0 */
/* Events: what changes, told to "xenvmc monitor" and to tracepoints. */
#ifndef _XVMC_EVENT_H
#define _XVMC_EVENT_H

#include <linux/types.h>

struct net;
struct sock;
struct xvmc_conn;
struct xvmc_peer;

/* Nothing is told before, nor after */
void xvmc_event_init(void);
void xvmc_event_exit(void);		/* process context */

/*
 * For those who listen; nothing is built if nobody does. Any context but hard
 * interrupts, no lock of ours but those named.
 */
/* A peer in the table has a new state; peer->mutex held. @reason: if it ends */
void xvmc_event_peer(struct xvmc_peer *peer, u32 reason);
/* @what is a constant; @reason as enum xenvmc_reason, or 0 */
void xvmc_event_conn(struct xvmc_conn *conn, const char *what, u32 reason);
/* The hook of @net is on or off, or in all: the module comes or goes */
void xvmc_event_hook(struct net *net);
void xvmc_event_hook_all(void);

/*
 * The one way by which a TCP connection stays on TCP or goes back to it:
 * counts, traces and tells. @conn may be NULL, when there never was one.
 */
void xvmc_fallback(const struct sock *sk, struct xvmc_conn *conn, u16 domid,
		   u32 reason);

#endif /* _XVMC_EVENT_H */
