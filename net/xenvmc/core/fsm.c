// SPDX-License-Identifier: GPL-2.0
/*
 * State tables of peers and connections.
 *
 * Every pair of state and event is in its table, or is one that only a bug of
 * our own can bring about: such a pair changes nothing and is reported as not
 * known. A pair that a peer can bring about is always in the table, since a
 * hostile one sends any message at any time.
 *
 * A row is a state, a column an event. GO() is the new state and what is to be
 * done; a state that does not change is written out again.
 */
#include "fsm.h"

struct fsm_entry {
	u8 state;
	u8 known;
	u16 actions;
};

#define GO(to, what)	{ .state = (to), .known = 1, .actions = (what) }

#define P(name)		XVMC_PEER_##name
#define PE(name)	XVMC_PEV_##name

/* Ends of a channel by the state that it had. Each undoes what there was */
#define UNOFFER		(XVMC_PACT_WITHDRAW | XVMC_PACT_CLOSE)
#define UNHELLO		(XVMC_PACT_UNWATCH | XVMC_PACT_BYE | XVMC_PACT_CLOSE)
#define UNCONNECT	(XVMC_PACT_WITHDRAW | XVMC_PACT_BYE | XVMC_PACT_CLOSE)
#define BREAK_OFFER	(XVMC_PACT_WITHDRAW | XVMC_PACT_BREAK)
#define BREAK_HELLO	(XVMC_PACT_UNWATCH | XVMC_PACT_BYE | XVMC_PACT_BREAK)
#define BREAK_CONNECT	(XVMC_PACT_WITHDRAW | XVMC_PACT_BYE | XVMC_PACT_BREAK)

static const struct fsm_entry peer_table[XVMC_PEER_STATES][XVMC_PEER_EVENTS] = {
	/* What the last channel had under way may still come in: harmless */
	[P(ABSENT)] = {
		[PE(LISTED_LOW)]  = GO(P(OFFERED), XVMC_PACT_OFFER),
		[PE(LISTED_HIGH)] = GO(P(WAITING), XVMC_PACT_WATCH),
		[PE(UNLISTED)]    = GO(P(ABSENT), 0),
		[PE(OFFER)]       = GO(P(ABSENT), 0),
		[PE(OFFER_GONE)]  = GO(P(ABSENT), 0),
		[PE(HELLO)]       = GO(P(ABSENT), 0),
		[PE(HELLO_ACK)]   = GO(P(ABSENT), 0),
		[PE(BYE)]         = GO(P(ABSENT), 0),
		[PE(VIOLATION)]   = GO(P(ABSENT), 0),
		[PE(FAILED)]      = GO(P(ABSENT), 0),
		[PE(CLOSED)]      = GO(P(ABSENT), 0),
		[PE(LEAVE)]       = GO(P(ABSENT), 0),
		[PE(SUSPEND)]     = GO(P(ABSENT), 0),
	},
	/* No BYE from here: only HELLO tells the peer's control ring */
	[P(OFFERED)] = {
		[PE(LISTED_LOW)]  = GO(P(OFFERED), 0),
		[PE(UNLISTED)]    = GO(P(CLOSING), UNOFFER),
		[PE(HELLO)]       = GO(P(CONNECTED), XVMC_PACT_ACK |
						     XVMC_PACT_UP),
		[PE(HELLO_ACK)]   = GO(P(BROKEN), BREAK_OFFER),
		[PE(BYE)]         = GO(P(CLOSING), UNOFFER),
		[PE(VIOLATION)]   = GO(P(BROKEN), BREAK_OFFER),
		[PE(FAILED)]      = GO(P(BROKEN), BREAK_OFFER),
		[PE(LEAVE)]       = GO(P(CLOSING), UNOFFER),
		[PE(SUSPEND)]     = GO(P(CLOSING), UNOFFER),
	},
	[P(WAITING)] = {
		[PE(LISTED_HIGH)] = GO(P(WAITING), 0),
		[PE(UNLISTED)]    = GO(P(ABSENT), XVMC_PACT_UNWATCH |
						  XVMC_PACT_FREE),
		[PE(OFFER)]       = GO(P(HELLO), XVMC_PACT_BIND),
		[PE(OFFER_GONE)]  = GO(P(WAITING), 0),
		/* There is no channel; from the one that FAILED, if at all */
		[PE(HELLO)]       = GO(P(WAITING), 0),
		[PE(HELLO_ACK)]   = GO(P(WAITING), 0),
		[PE(BYE)]         = GO(P(WAITING), 0),
		[PE(VIOLATION)]   = GO(P(BROKEN), XVMC_PACT_UNWATCH |
						  XVMC_PACT_BREAK),
		[PE(FAILED)]      = GO(P(WAITING), 0),
		[PE(CLOSED)]      = GO(P(WAITING), 0),
		[PE(LEAVE)]       = GO(P(ABSENT), XVMC_PACT_UNWATCH |
						  XVMC_PACT_FREE),
		[PE(SUSPEND)]     = GO(P(ABSENT), XVMC_PACT_UNWATCH |
						  XVMC_PACT_FREE),
	},
	[P(HELLO)] = {
		[PE(LISTED_HIGH)] = GO(P(HELLO), 0),
		[PE(UNLISTED)]    = GO(P(CLOSING), UNHELLO),
		/* A watch fires once too often; a new offer comes after GONE */
		[PE(OFFER)]       = GO(P(HELLO), 0),
		[PE(OFFER_GONE)]  = GO(P(CLOSING), UNHELLO),
		[PE(HELLO)]       = GO(P(BROKEN), BREAK_HELLO),
		[PE(HELLO_ACK)]   = GO(P(CONNECTED), XVMC_PACT_UNWATCH |
						     XVMC_PACT_UP),
		[PE(BYE)]         = GO(P(CLOSING), UNHELLO),
		[PE(VIOLATION)]   = GO(P(BROKEN), BREAK_HELLO),
		/* Tried again ever later, by peer.c: no busy loop */
		[PE(FAILED)]      = GO(P(WAITING), 0),
		[PE(LEAVE)]       = GO(P(CLOSING), UNHELLO),
		[PE(SUSPEND)]     = GO(P(CLOSING), UNHELLO),
	},
	[P(CONNECTED)] = {
		[PE(LISTED_LOW)]  = GO(P(CONNECTED), 0),
		[PE(LISTED_HIGH)] = GO(P(CONNECTED), 0),
		[PE(UNLISTED)]    = GO(P(CLOSING), UNCONNECT),
		[PE(OFFER)]       = GO(P(CONNECTED), 0),
		[PE(OFFER_GONE)]  = GO(P(CONNECTED), 0),
		[PE(HELLO)]       = GO(P(BROKEN), BREAK_CONNECT),
		[PE(HELLO_ACK)]   = GO(P(BROKEN), BREAK_CONNECT),
		[PE(BYE)]         = GO(P(CLOSING), UNCONNECT),
		[PE(VIOLATION)]   = GO(P(BROKEN), BREAK_CONNECT),
		[PE(FAILED)]      = GO(P(BROKEN), BREAK_CONNECT),
		[PE(LEAVE)]       = GO(P(CLOSING), UNCONNECT),
		[PE(SUSPEND)]     = GO(P(CLOSING), UNCONNECT),
	},
	/*
	 * Ends with CLOSED and with nothing else, even on a violation: BROKEN
	 * waits for UNLISTED, which may have been the cause and is over.
	 */
	[P(CLOSING)] = {
		[PE(LISTED_LOW)]  = GO(P(CLOSING), 0),
		[PE(LISTED_HIGH)] = GO(P(CLOSING), 0),
		[PE(UNLISTED)]    = GO(P(CLOSING), 0),
		[PE(OFFER)]       = GO(P(CLOSING), 0),
		[PE(OFFER_GONE)]  = GO(P(CLOSING), 0),
		[PE(HELLO)]       = GO(P(CLOSING), 0),
		[PE(HELLO_ACK)]   = GO(P(CLOSING), 0),
		[PE(BYE)]         = GO(P(CLOSING), 0),
		[PE(VIOLATION)]   = GO(P(CLOSING), XVMC_PACT_BREAK),
		[PE(FAILED)]      = GO(P(CLOSING), 0),
		[PE(CLOSED)]      = GO(P(ABSENT), XVMC_PACT_FREE),
		[PE(LEAVE)]       = GO(P(CLOSING), 0),
		[PE(SUSPEND)]     = GO(P(CLOSING), 0),
	},
	[P(BROKEN)] = {
		[PE(LISTED_LOW)]  = GO(P(BROKEN), 0),
		[PE(LISTED_HIGH)] = GO(P(BROKEN), 0),
		[PE(UNLISTED)]    = GO(P(ABSENT), XVMC_PACT_FREE),
		[PE(OFFER)]       = GO(P(BROKEN), 0),
		[PE(OFFER_GONE)]  = GO(P(BROKEN), 0),
		[PE(HELLO)]       = GO(P(BROKEN), 0),
		[PE(HELLO_ACK)]   = GO(P(BROKEN), 0),
		[PE(BYE)]         = GO(P(BROKEN), 0),
		[PE(VIOLATION)]   = GO(P(BROKEN), 0),
		[PE(FAILED)]      = GO(P(BROKEN), 0),
		[PE(CLOSED)]      = GO(P(BROKEN), 0),
		[PE(LEAVE)]       = GO(P(ABSENT), XVMC_PACT_FREE),
		[PE(SUSPEND)]     = GO(P(ABSENT), XVMC_PACT_FREE),
	},
};

#define C(name)		XVMC_CONN_##name
#define CE(name)	XVMC_CEV_##name

#define OPEN		(XVMC_CACT_LEND | XVMC_CACT_TELL_UP)
#define REFUSED		(XVMC_CACT_TELL_NO | XVMC_CACT_FREE_ID)
#define LEAVE		(XVMC_CACT_STOP_TX | XVMC_CACT_RECALL_RX | \
			 XVMC_CACT_SEND_DETACH)
#define RESET		(LEAVE | XVMC_CACT_TELL_DOWN | XVMC_CACT_FREE_ID)

static const struct fsm_entry conn_table[XVMC_CONN_STATES][XVMC_CONN_EVENTS] = {
	/* The peer was not told the id yet: what it says of it is a guess */
	[C(NEW)] = {
		[CE(ASK)]       = GO(C(ASKED), XVMC_CACT_SEND_ASK),
		[CE(AWAIT)]     = GO(C(AWAIT), 0),
		[CE(REQUEST)]   = GO(C(UP), XVMC_CACT_SEND_YES | OPEN),
		[CE(YES)]       = GO(C(NEW), 0),
		[CE(NO)]        = GO(C(NEW), 0),
		[CE(DETACH)]    = GO(C(NEW), 0),
		[CE(LEAVE)]     = GO(C(DEAD), XVMC_CACT_FREE_ID),
		[CE(CHAN_DOWN)] = GO(C(DEAD), REFUSED),
	},
	/*
	 * The peer's id is not known before its YES, and without it no DETACH
	 * can be addressed: who leaves now waits for the answer in LEFT.
	 */
	[C(ASKED)] = {
		[CE(REQUEST)]   = GO(C(ASKED), 0),
		[CE(YES)]       = GO(C(UP), OPEN),
		[CE(NO)]        = GO(C(DEAD), REFUSED),
		[CE(DETACH)]    = GO(C(DEAD), REFUSED),
		[CE(LEAVE)]     = GO(C(LEFT), 0),
		[CE(TIMEOUT)]   = GO(C(LEFT), XVMC_CACT_TELL_NO),
		[CE(CHAN_DOWN)] = GO(C(DEAD), REFUSED),
	},
	[C(AWAIT)] = {
		[CE(REQUEST)]   = GO(C(UP), XVMC_CACT_SEND_YES | OPEN),
		[CE(YES)]       = GO(C(AWAIT), 0),
		[CE(NO)]        = GO(C(AWAIT), 0),
		[CE(DETACH)]    = GO(C(AWAIT), 0),
		[CE(LEAVE)]     = GO(C(DEAD), XVMC_CACT_FREE_ID),
		[CE(TIMEOUT)]   = GO(C(DEAD), REFUSED),
		[CE(CHAN_DOWN)] = GO(C(DEAD), REFUSED),
	},
	/* A second answer is nonsense and ends the connection */
	[C(UP)] = {
		[CE(REQUEST)]   = GO(C(UP), 0),
		[CE(YES)]       = GO(C(DEAD), RESET),
		[CE(NO)]        = GO(C(DEAD), RESET),
		[CE(DETACH)]    = GO(C(DEAD), RESET),
		[CE(LEAVE)]     = GO(C(LEFT), LEAVE),
		/* The timer was late */
		[CE(TIMEOUT)]   = GO(C(UP), 0),
		[CE(CHAN_DOWN)] = GO(C(DEAD), XVMC_CACT_STOP_TX |
					      XVMC_CACT_TELL_DOWN |
					      XVMC_CACT_FREE_ID),
	},
	/*
	 * The socket knows already. An answer that crossed with our leaving
	 * gets its DETACH now. No deadline: as long as the peer may address
	 * the id it must not be given to another connection.
	 */
	[C(LEFT)] = {
		[CE(REQUEST)]   = GO(C(LEFT), 0),
		[CE(YES)]       = GO(C(LEFT), XVMC_CACT_SEND_DETACH),
		[CE(NO)]        = GO(C(DEAD), XVMC_CACT_FREE_ID),
		[CE(DETACH)]    = GO(C(DEAD), XVMC_CACT_FREE_ID),
		[CE(LEAVE)]     = GO(C(LEFT), 0),
		[CE(TIMEOUT)]   = GO(C(LEFT), 0),
		[CE(CHAN_DOWN)] = GO(C(DEAD), XVMC_CACT_FREE_ID),
	},
	[C(DEAD)] = {
		[CE(REQUEST)]   = GO(C(DEAD), 0),
		[CE(YES)]       = GO(C(DEAD), 0),
		[CE(NO)]        = GO(C(DEAD), 0),
		[CE(DETACH)]    = GO(C(DEAD), 0),
		[CE(LEAVE)]     = GO(C(DEAD), 0),
		[CE(TIMEOUT)]   = GO(C(DEAD), 0),
		[CE(CHAN_DOWN)] = GO(C(DEAD), 0),
	},
};

static struct xvmc_fsm_step fsm_step(const struct fsm_entry *entry, u8 state)
{
	struct xvmc_fsm_step step = { .state = state };

	if (entry->known) {
		step.state = entry->state;
		step.known = true;
		step.actions = entry->actions;
	}
	return step;
}

/**
 * xvmc_peer_step() - what an event does to a peer
 * @state: &enum xvmc_peer_state
 * @event: &enum xvmc_peer_event
 *
 * Context: the caller holds the peer's lock and stores the new state.
 * Return: new state and &enum xvmc_peer_action; the old state and nothing to
 * be done for a pair that is not known.
 */
struct xvmc_fsm_step xvmc_peer_step(u8 state, u8 event)
{
	static const struct fsm_entry none;

	if (state >= XVMC_PEER_STATES || event >= XVMC_PEER_EVENTS)
		return fsm_step(&none, state);
	return fsm_step(&peer_table[state][event], state);
}

/**
 * xvmc_conn_step() - what an event does to a connection
 * @state: &enum xvmc_conn_state
 * @event: &enum xvmc_conn_event
 *
 * Context: the caller holds the connection's lock and stores the new state.
 * Return: new state and &enum xvmc_conn_action; the old state and nothing to
 * be done for a pair that is not known.
 */
struct xvmc_fsm_step xvmc_conn_step(u8 state, u8 event)
{
	static const struct fsm_entry none;

	if (state >= XVMC_CONN_STATES || event >= XVMC_CONN_EVENTS)
		return fsm_step(&none, state);
	return fsm_step(&conn_table[state][event], state);
}

/**
 * xvmc_peer_state_name() - name of a peer's state, for the tool and traces
 * @state: &enum xvmc_peer_state
 *
 * Return: the name in lower case, "unknown" if there is none.
 */
const char *xvmc_peer_state_name(u8 state)
{
	static const char * const name[] = {
		[XVMC_PEER_ABSENT]	= "absent",
		[XVMC_PEER_OFFERED]	= "offered",
		[XVMC_PEER_WAITING]	= "waiting",
		[XVMC_PEER_HELLO]	= "hello",
		[XVMC_PEER_CONNECTED]	= "connected",
		[XVMC_PEER_CLOSING]	= "closing",
		[XVMC_PEER_BROKEN]	= "broken",
	};

	return state < ARRAY_SIZE(name) ? name[state] : "unknown";
}

/**
 * xvmc_conn_state_name() - name of a connection's state
 * @state: &enum xvmc_conn_state
 *
 * Return: the name in lower case, "unknown" if there is none.
 */
const char *xvmc_conn_state_name(u8 state)
{
	static const char * const name[] = {
		[XVMC_CONN_NEW]		= "new",
		[XVMC_CONN_ASKED]	= "asked",
		[XVMC_CONN_AWAIT]	= "await",
		[XVMC_CONN_UP]		= "up",
		[XVMC_CONN_LEFT]	= "left",
		[XVMC_CONN_DEAD]	= "dead",
	};

	return state < ARRAY_SIZE(name) ? name[state] : "unknown";
}
