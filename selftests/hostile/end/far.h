/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A pair of which one end is the module under test ("near") and the other one
 * is played ("far"): it has nothing but the pages and the messages, and no rule.
 *
 * Linked into a copy of xenvmc.ko (selftests/debug/debug.py), for the sanitizer
 * kernel. One task plays everything, and waits after each step until the near
 * end has nothing to do: a run is the same for the same seed.
 */
#ifndef _XVMC_HOSTILE_FAR_H
#define _XVMC_HOSTILE_FAR_H

#include <linux/net.h>
#include <linux/spinlock.h>
#include "chan.h"
#include "conn.h"
#include "peer.h"
#include "stats.h"

#define FAR_CONNS	12	/* ids 1 to FAR_CONNS on the wire */
#define FAR_RINGS	12	/* own rings, from 0 */
#define FAR_WORDS	14	/* of the longest body, that of UPGRADE */
#define FAR_TYPES	(XVMC_MSG_WANT + 1)
#define NEAR_PORT	5000	/* the near end listens there */
#define NEAR_TCP_PORT	7	/* an UPGRADE to here finds its socket */
#define NEAR_ENDS	8
#define FAR_SILENT	24	/* pairs closing without a far end that helps */

/* A message as words; the body has @len bytes */
struct far_msg {
	u16 type;
	u16 len;
	u32 word[FAR_WORDS];
};

enum far_conn_state {
	FAR_FREE,
	FAR_ASKING,		/* we sent CONNECT or UPGRADE */
	FAR_ASKED,		/* they did */
	FAR_CUT,		/* they sent RESUME */
	FAR_UP,
};

/**
 * struct far_conn - what the far end knows of a connection
 * @state: &enum far_conn_state
 * @tcp: UPGRADE and not CONNECT
 * @id: the near end's id, from FAR_ASKED on
 */
struct far_conn {
	u8 state;
	bool tcp;
	u32 id;
};

/**
 * struct far_own - a ring of the far end, which reads it
 * @mem: pages, if @granted
 * @cons: own end
 * @granted: there are pages
 * @told: RING_ADD was said
 * @lent: LEND was said, and no stop mark seen
 * @epoch: of the present or last lend
 * @conn: index of the connection that has it
 */
struct far_own {
	struct xvmc_ring_mem mem;
	struct xvmc_ring_cons cons;
	bool granted;
	bool told;
	bool lent;
	u32 epoch;
	u32 conn;
};

/**
 * struct far_lent - a ring of the near end, which the far end writes
 * @mem: pages, if @mapped
 * @prod: own end
 * @mapped: RING_ADD came
 * @lent: LEND came, and we wrote no stop mark
 * @started: we wrote the start mark
 * @epoch: of the lend
 * @conn: index of the connection, as it was named
 */
struct far_lent {
	struct xvmc_ring_mem mem;
	struct xvmc_ring_prod prod;
	bool mapped;
	bool lent;
	bool started;
	u32 epoch;
	u32 conn;
};

/**
 * struct far - a far end, and the near end that it faces
 * @peer: as the near end knows us; a reference
 * @chan: the near end's channel, with a reference, or NULL
 * @silent: left without stop marks and BYE: closing takes its time
 * @features: what we say that we have
 * @low: the near end has the lower domain id, and offers
 * @binds: how often the near end has bound to an offer
 * @spoils: each comes to nothing
 * @lock: protects @closed against events
 * @closed: no event reaches the near end any more
 * @tx_mem: the near end's control ring, mapped
 * @tx: own end of it
 * @rx_mem: own control ring
 * @rx: own end of it
 * @own: own rings
 * @lent: the near end's rings
 * @conn: connections; the wire knows them by index and 1
 * @heard: messages of each type that came
 * @last: the last one of each type
 * @resume: the RESUME of each connection, as its token's second word says
 * @granted: rings of the near end's that it has not ended
 * @mapped: rings of ours that it has mapped
 * @name: of the case that it is made for
 * @slowest: longest time in us that the near end had something to do
 * @node: in the list of those that are closing
 */
struct far {
	struct xvmc_peer *peer;
	struct xvmc_chan *chan;
	bool silent;
	u32 features;
	bool low;
	u32 binds;
	bool spoils;
	spinlock_t lock;
	bool closed;
	struct xvmc_ring_mem tx_mem;
	struct xvmc_ring_prod tx;
	struct xvmc_ring_mem rx_mem;
	struct xvmc_ring_cons rx;
	struct far_own own[FAR_RINGS];
	struct far_lent lent[XVMC_MAX_RINGS];
	struct far_conn conn[FAR_CONNS];
	u32 heard[FAR_TYPES];
	struct far_msg last[FAR_TYPES];
	struct far_msg resume[FAR_CONNS];
	atomic_t granted;
	atomic_t mapped;
	const char *name;
	s64 slowest;
	struct list_head node;
};

/* far.c: the pair's life. A listed pair, not greeted; or NULL */
struct far *far_new(bool low);
/* By what dom0 says it is guest @n: the same is the same. Before far_meet() */
int far_name(struct far *far, u32 n);
/* The near end offers or binds; the greeting is not said. 0 or an errno */
int far_meet(struct far *far);
/* HELLO or HELLO_ACK, as it should be */
void far_greeting(struct far *far, struct far_msg *msg);
/* The near end is told that dom0 lists us no more. @stop: rings are stopped */
void far_leave(struct far *far, bool stop);
/*
 * Frees those that left; waits for the oldest if they are more than @most, or
 * than %FAR_SILENT for those that are silent. far_reap_all() waits for all
 */
int far_reap(u32 most);
int far_reap_all(void);
/* Names the pairs that are made from now on */
void far_set_case(const char *name);
/* After -EBUSY: of which case something was left over, and what */
const char *far_left(void);
/* Pairs that may be closing yet */
u32 far_closing(void);

/* far_say.c: words, events */
bool far_is_up(const struct far *far);
int far_put(struct far *far, const struct far_msg *msg);
int far_say(struct far *far, const struct far_msg *msg);
void far_event(struct far *far);
void far_settle(struct far *far);
void far_hear(struct far *far);
void far_deaf(struct far *far);
struct far_msg far_msg(u16 type, u32 a, u32 b, u32 c, u32 d);

/* far_do.c: what an honest end does. 0 or a negative errno */
int far_greet(struct far *far);
int far_add_ring(struct far *far, u32 ring, u32 order);
int far_lend(struct far *far, u32 ring, u32 conn);
void far_stop(struct far *far, u32 ring);
u32 far_write_from(struct far *far, u32 ring, const u8 *bytes, u32 len);
u32 far_write(struct far *far, u32 ring, u32 len);
u32 far_read(struct far *far, u32 ring);
int far_free_conn(const struct far *far);
int far_find_lent(const struct far *far, int conn);
/* A stream and a TCP connection, both UP, with rings both ways */
int far_talk(struct far *far);
/* Bytes go both ways on all that far_talk() made */
int far_bytes(struct far *far);

/* near.c: the victim's sockets */
int near_init(void);
int near_exit(void);
int near_ask(struct far *far, bool tcp);
int near_told(void);
struct socket *near_socket(u32 n);
void near_accept(void);
u8 *near_bytes(void);
int near_send(struct socket *sock, u32 len);
int near_recv(struct socket *sock, u32 len);
bool near_is_readable(struct socket *sock);
void near_close(u32 n);
struct xvmc_conn *near_door(u32 n);
int near_door_write(struct xvmc_conn *conn, u32 len);
int near_door_read(struct xvmc_conn *conn);
void near_door_leave(u32 n, bool reset, bool orphan);
int near_leave_all(void);

/* cases.c, random.c: 0, or -EINVAL with the reason in @why */
int hostile_case(const char *name, char *why, size_t size);
void hostile_list(u32 from, char *text, size_t size);
void hostile_lacking(char *text, size_t size);
int hostile_random(u32 seed, u32 count, char *why, size_t size);

#endif /* _XVMC_HOSTILE_FAR_H */
