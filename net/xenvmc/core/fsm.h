/* SPDX-License-Identifier: GPL-2.0 */
/*
 * State tables of peers and connections: (state, event) -> (state, actions).
 *
 * Pure functions over constant tables; the caller holds the object's lock,
 * stores the new state and carries the actions out. Every pair that a peer can
 * bring about is in the table: nonsense that harms nobody is ignored, other
 * nonsense resets a connection and breaks a peer. A pair that is not in the
 * table is a bug of our own: it changes nothing and step.known is false, which
 * may be warned about. Documentation/protocol.rst draws both machines.
 *
 * Order of a peer's actions: WITHDRAW, UNWATCH, BYE, then the others. After
 * FREE the caller looks whether dom0 lists the peer still, or again, and if so
 * begins anew with LISTED_*.
 *
 * Order of a connection's actions: STOP_TX, RECALL_RX (it names the peer's id,
 * which is free after DETACH), SEND_*, LEND, TELL_*, FREE_ID. A REQUEST whose
 * step has no SEND_YES is answered with REFUSE or UPGRADE_NO. The peer's id in
 * a YES counts if the step has TELL_UP (for good) or SEND_DETACH (for that).
 */
#ifndef _XVMC_CORE_FSM_H
#define _XVMC_CORE_FSM_H

#include "env.h"

enum xvmc_peer_state {
	XVMC_PEER_ABSENT,	/* not listed by dom0 */
	XVMC_PEER_OFFERED,	/* lower domid: offer written, no HELLO yet */
	XVMC_PEER_WAITING,	/* higher domid: listed, no usable offer yet */
	XVMC_PEER_HELLO,	/* higher domid: mapped, bound, HELLO sent */
	XVMC_PEER_CONNECTED,
	XVMC_PEER_CLOSING,	/* leaving: rings are being stopped */
	XVMC_PEER_BROKEN,	/* violated the protocol; until listed anew */
	XVMC_PEER_STATES
};

enum xvmc_peer_event {
	XVMC_PEV_LISTED_LOW,	/* listed, and we have the lower domid */
	XVMC_PEV_LISTED_HIGH,
	XVMC_PEV_UNLISTED,	/* dom0 took the peer away, or it died */
	XVMC_PEV_OFFER,		/* a usable offer; a changed one: GONE before */
	XVMC_PEV_OFFER_GONE,	/* the offer was withdrawn */
	XVMC_PEV_HELLO,
	XVMC_PEV_HELLO_ACK,
	XVMC_PEV_BYE,
	XVMC_PEV_VIOLATION,
	XVMC_PEV_FAILED,	/* own failure (memory, grant, bind) */
	XVMC_PEV_CLOSED,	/* the channel is torn down completely */
	XVMC_PEV_LEAVE,		/* module unload */
	XVMC_PEV_SUSPEND,	/* this guest is about to be suspended */
	XVMC_PEER_EVENTS
};

enum xvmc_peer_action {
	XVMC_PACT_OFFER		= 1 << 0,	/* make and write an offer */
	XVMC_PACT_WITHDRAW	= 1 << 1,	/* clear the offer, if any */
	XVMC_PACT_WATCH		= 1 << 2,	/* watch the peer's offer */
	XVMC_PACT_UNWATCH	= 1 << 3,
	XVMC_PACT_BIND		= 1 << 4,	/* map, bind, send HELLO */
	XVMC_PACT_ACK		= 1 << 5,	/* map peer's ring, HELLO_ACK */
	XVMC_PACT_UP		= 1 << 6,	/* channel usable */
	XVMC_PACT_BYE		= 1 << 7,	/* tell the peer */
	XVMC_PACT_CLOSE		= 1 << 8,	/* begin orderly tear-down */
	XVMC_PACT_BREAK		= 1 << 9,	/* tear down at once, count */
	XVMC_PACT_FREE		= 1 << 10,	/* forget the peer */
};

enum xvmc_conn_state {
	XVMC_CONN_NEW,
	XVMC_CONN_ASKED,	/* CONNECT or UPGRADE sent */
	XVMC_CONN_AWAIT,	/* TCP, active end: waits for the UPGRADE */
	XVMC_CONN_UP,		/* both ids are known; rings may be lent */
	XVMC_CONN_LEFT,		/* DETACH sent, the peer's not yet seen */
	XVMC_CONN_DEAD,
	XVMC_CONN_STATES
};

enum xvmc_conn_event {
	XVMC_CEV_ASK,		/* local: connect, or passive end ESTABLISHED */
	XVMC_CEV_AWAIT,		/* local: active end ESTABLISHED */
	XVMC_CEV_REQUEST,	/* a matching CONNECT or UPGRADE came */
	XVMC_CEV_YES,		/* ACCEPT or UPGRADE_OK came */
	XVMC_CEV_NO,		/* REFUSE or UPGRADE_NO came */
	XVMC_CEV_DETACH,	/* DETACH or RESET came */
	XVMC_CEV_LEAVE,		/* local: close, hook off, fallback for good */
	XVMC_CEV_TIMEOUT,	/* no answer in time */
	XVMC_CEV_CHAN_DOWN,	/* the channel is closing or broken */
	XVMC_CONN_EVENTS
};

enum xvmc_conn_action {
	XVMC_CACT_SEND_ASK	= 1 << 0,
	XVMC_CACT_SEND_YES	= 1 << 1,
	XVMC_CACT_SEND_DETACH	= 1 << 2,
	XVMC_CACT_LEND		= 1 << 3,	/* lend an rx ring */
	XVMC_CACT_STOP_TX	= 1 << 4,	/* stop at the present index */
	XVMC_CACT_RECALL_RX	= 1 << 5,	/* have the peer stop */
	XVMC_CACT_TELL_UP	= 1 << 6,	/* tell the socket: opened */
	XVMC_CACT_TELL_NO	= 1 << 7,	/* tell the socket: refused */
	XVMC_CACT_TELL_DOWN	= 1 << 8,	/* tell the socket: peer left */
	XVMC_CACT_FREE_ID	= 1 << 9,
};

struct xvmc_fsm_step {
	u8 state;
	bool known;		/* false: can only be a bug of our own */
	u16 actions;
};

struct xvmc_fsm_step xvmc_peer_step(u8 state, u8 event);
struct xvmc_fsm_step xvmc_conn_step(u8 state, u8 event);
const char *xvmc_peer_state_name(u8 state);
const char *xvmc_conn_state_name(u8 state);

#endif /* _XVMC_CORE_FSM_H */
