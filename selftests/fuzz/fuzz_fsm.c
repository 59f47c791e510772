// SPDX-License-Identifier: GPL-2.0
/* A string of events for a connection and for a peer; any byte is an event. */
#include "fuzz.h"
#include "../../net/xenvmc/core/fsm.h"

static void conn_event(u8 *state, u8 event, u32 *freed)
{
	struct xvmc_fsm_step step = xvmc_conn_step(*state, event);

	fuzz_assert(step.state < XVMC_CONN_STATES);
	fuzz_assert(step.known || (step.state == *state && !step.actions));
	fuzz_assert(*state != XVMC_CONN_DEAD ||
		    (step.state == XVMC_CONN_DEAD && !step.actions));
	*freed += !!(step.actions & XVMC_CACT_FREE_ID);
	fuzz_assert(*freed == (step.state == XVMC_CONN_DEAD));
	fuzz_assert(xvmc_conn_state_name(step.state)[0]);
	*state = step.state;
}

static void peer_event(u8 *state, u8 event, int *watches)
{
	struct xvmc_fsm_step step = xvmc_peer_step(*state, event);

	fuzz_assert(step.state < XVMC_PEER_STATES);
	fuzz_assert(step.known || (step.state == *state && !step.actions));
	*watches += !!(step.actions & XVMC_PACT_WATCH);
	*watches -= !!(step.actions & XVMC_PACT_UNWATCH);
	fuzz_assert(*watches == (step.state == XVMC_PEER_WAITING ||
				 step.state == XVMC_PEER_HELLO));
	fuzz_assert(xvmc_peer_state_name(step.state)[0]);
	*state = step.state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u8 conn = XVMC_CONN_NEW, peer = XVMC_PEER_ABSENT;
	u32 freed = 0;
	int watches = 0;
	size_t i;

	for (i = 0; i < size; i++) {
		if (data[i] & 0x10)
			peer_event(&peer, data[i] & 0xef, &watches);
		else
			conn_event(&conn, data[i] & 0xef, &freed);
	}
	return 0;
}
