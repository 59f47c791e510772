/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Streams of AF_XENVMC that TCP carries while their ends are on two hosts: what
 * stream_carry.c, stream_tcp.c, stream_greet.c and stream_pair.c share.
 */
#ifndef _XVMC_STREAM_CARRY_H
#define _XVMC_STREAM_CARRY_H

#include "guest.h"
#include "stream.h"

#define CARRY_MAGIC	"XenVMC-1"
#define CARRY_CHUNK	8192		/* bytes of a frame's body, at most */
#define CARRY_MAX	1024		/* carriers, those that greet too */
#define CARRY_MAX_NEW	64		/* of them, those that greet */
#define CARRY_GREET	(10 * HZ)	/* for all of a greeting */
#define CARRY_PROMISE	(20 * HZ)	/* for GO, after ANSWER */
#define CARRY_BUFFER	(512U << 10)	/* of TCP, each way */

/* Frames on TCP, little-endian. Documentation/protocol.rst has the table */
enum carry_type {
	CARRY_NOTHING,
	CARRY_HELLO,		/* who, says the end that connects */
	CARRY_CHALLENGE,	/* positions and proof of the other */
	CARRY_ANSWER,		/* and of the first */
	CARRY_GO,		/* both agree */
	CARRY_DATA,
	CARRY_FIN,		/* the end of the stream */
	CARRY_STOP,		/* goes back to rings: no more here */
	CARRY_BYE,		/* closed, as DETACH */
	CARRY_RESET,
};

struct carry_hdr {
	__le16 len;		/* of the body */
	__le16 type;
	__le32 zero;
};

struct carry_hello {
	u8 magic[8];
	__le64 name;		/* of the stream, made from its token */
	__le64 nonce;
};

struct carry_challenge {
	__le64 nonce;
	__le64 sent;
	__le64 received;
	__le64 proof;
};

struct carry_answer {
	__le64 sent;
	__le64 received;
	__le64 proof;
};

enum carry_phase {
	CARRY_DIALS,		/* connect() is under way */
	CARRY_ASKS,		/* HELLO was sent */
	CARRY_HALF,		/* ANSWER was: the stream waits for GO */
	CARRY_TOLD,		/* accepted: HELLO is to come */
	CARRY_CHALLENGES,	/* CHALLENGE was sent */
	CARRY_ON,		/* GO was sent, or came */
};

/**
 * struct carry_pair - two ends of a channel within this kernel, of one guest
 * @node: in the list of pairs until @over; as what follows, carry_lock
 * @serial: the list's order
 * @users: carriers
 * @over: @end_work is queued, or was
 * @ended: and has run
 * @guest: whose streams use it; a reference is held
 * @peer: near end, far end
 * @chan: RCU, cleared by close
 * @end_work: closes both ends
 */
struct carry_pair {
	struct list_head node;
	unsigned long serial;
	u32 users;
	bool over;
	bool ended;
	struct xvmc_guest *guest;
	struct xvmc_peer *peer[2];
	struct xvmc_chan __rcu *chan[2];
	struct work_struct end_work;
};

/**
 * struct carry_door - the far end of a carried stream's connection
 * @conn: the engine's
 * @carrier: a reference
 * @pair: as the carrier has it, whose use of it is the door's from now on; NULL
 *	if the carrier was over before
 * @token: the stream's
 * @sent: answer to RESUME
 * @received: the same
 * @down: the near end is off, and what it wrote last is there
 * @why: 0: closed; EAGAIN: goes back to rings; else reset
 */
struct carry_door {
	struct xvmc_conn conn;
	struct xvmc_carrier *carrier;
	struct carry_pair *pair;
	u32 token[XVMC_TOKEN_WORDS];
	u64 sent;
	u64 received;
	bool down;
	u32 why;
};

/**
 * struct carry_calls - callbacks of a socket
 * @data_ready: as in struct sock, as the others
 * @write_space: the same
 * @state_change: the same
 * @error_report: the same
 */
struct carry_calls {
	void (*data_ready)(struct sock *sk);
	void (*write_space)(struct sock *sk);
	void (*state_change)(struct sock *sk);
	void (*error_report)(struct sock *sk);
};

/**
 * struct xvmc_carrier - a TCP connection of ours and the stream it carries
 *
 * Its work alone moves bytes and ends it, so what has no lock named is the
 * work's.
 *
 * @ref: the work's, the timer's, the stream's, the door's
 * @node: in the list of those that greet
 * @net: where it greets
 * @sock: the connection
 * @stream: the stream, whose connection may change; xvmc_park_lock. A
 *	reference to its connection is held
 * @wanted: the stream whose other end is greeted; a reference is held
 * @pair: what its bytes go through, from %CARRY_ON on
 * @door: far end; set once, by the control work
 * @spare: its memory until then; the control work's, and who frees the carrier
 * @old: callbacks that the socket had
 * @work: moves bytes
 * @timer: ends a greeting, or who does not hear RESET
 * @phase: &enum carry_phase
 * @greets: it counts as one that greets
 * @dials: it is the end that connects
 * @until: jiffies at which time for that is up
 * @returns: it goes back to rings
 * @again: jiffies before which TCP is not hurried once more
 * @dropped: the stream is over: nothing can be saved any more
 * @ended: nothing is done any more
 * @nonce: of the end that connects, of the other
 * @sent: own positions
 * @received: the same
 * @out_len: bytes of @out
 * @out_off: of them, those that TCP has
 * @out_fin: FIN was said
 * @out_last: the last frame that was said: STOP, BYE or RESET
 * @in_len: bytes of @in
 * @in_off: of them, those that the stream has
 * @hdr: of the frame that comes
 * @hdr_len: bytes of it
 * @body: bytes of its body that are to come
 * @in_fin: FIN came, and is to be passed on
 * @in_end: FIN came
 * @in_bye: BYE came, and is to be passed on
 * @in_last: the last frame that came
 * @out: a frame
 * @in: a body, or part of it
 */
struct xvmc_carrier {
	struct kref ref;
	struct list_head node;
	struct net *net;
	struct socket *sock;
	struct xvmc_stream *stream;
	struct xvmc_stream *wanted;
	struct carry_pair *pair;
	struct carry_door *door;
	struct carry_door *spare;
	struct carry_calls old;
	struct work_struct work;
	struct delayed_work timer;
	u8 phase;
	bool greets;
	bool dials;
	bool returns;
	bool dropped;
	bool ended;
	unsigned long again;
	unsigned long until;
	u64 nonce[2];
	u64 sent;
	u64 received;
	u32 out_len;
	u32 out_off;
	bool out_fin;
	u8 out_last;
	u32 in_len;
	u32 in_off;
	struct carry_hdr hdr;
	u32 hdr_len;
	u32 body;
	bool in_fin;
	bool in_end;
	bool in_bye;
	u8 in_last;
	u8 out[sizeof(struct carry_hdr) + CARRY_CHUNK];
	u8 in[CARRY_CHUNK];
};

/* stream_door.c */
static inline bool carry_door_is_down(const struct carry_door *door)
{
	/* Pairs with the release in door_down() */
	return smp_load_acquire(&door->down);
}

static inline struct carry_door *carry_door(const struct xvmc_carrier *carrier)
{
	/* Pairs with the release in xvmc_carry_resumed() */
	return smp_load_acquire(&carrier->door);
}

/* stream_carry.c */
/* A place for one that greets. Any context */
bool xvmc_carrier_reserve(bool dials);
void xvmc_carrier_unreserve(bool dials);
/* Takes @sock and a place, also if there is no memory */
void xvmc_carrier_new(struct socket *sock, u8 phase,
		      struct xvmc_stream *wanted);
void xvmc_carrier_put(struct xvmc_carrier *carrier);
/* A frame is in @out: none is there yet */
void xvmc_carrier_say(struct xvmc_carrier *carrier, u8 type, const void *body,
		      u32 len);
/* Waits until nobody greets, in @net if not NULL. Process context */
void xvmc_carriers_end(const struct net *net);
/* GO: bytes follow */
void xvmc_carrier_begin(struct xvmc_carrier *carrier);

/* stream_tcp.c: its socket. Process context */
void xvmc_carrier_sk_new(struct sock *sk);
void xvmc_carrier_sk_begin(struct xvmc_carrier *carrier);
void xvmc_carrier_sk_end(struct xvmc_carrier *carrier, bool abort);
/* What TCP has sent in vain it sends again at once */
void xvmc_carrier_sk_hurry(struct xvmc_carrier *carrier, bool again);

/* stream_greet.c: each 0 or an errno, which ends it */
int xvmc_greet_begin(struct xvmc_carrier *carrier);
int xvmc_greet_hear(struct xvmc_carrier *carrier, u8 type);
u32 xvmc_greet_body(u8 type);		/* bytes of its body */

/* stream_pair.c */
struct carry_pair *xvmc_pair_get(const struct xvmc_stream *stream);
void xvmc_pair_put(struct carry_pair *pair);
/* Waits until there is none. Module exit */
void xvmc_pairs_end(void);
/* Its streams go back to rings. Any context */
void xvmc_pair_return(const struct xvmc_guest *guest);
/* Near end, with a reference, or NULL */
struct xvmc_chan *xvmc_pair_chan(struct carry_pair *pair);

/* stream_back.c: the stream that waits, as its carrier sees it */
/* Those of @carrier->wanted, if they are final: both directions stand */
bool xvmc_park_positions(struct xvmc_carrier *carrier);
/* One that waits for its peer, by name, with a reference, or NULL */
struct xvmc_stream *xvmc_park_named(u64 name);
/* It is lost for the reason that @stat counts. Any context */
void xvmc_park_fail(struct xvmc_stream *stream, u32 stat);
/* Is it time to connect? Then to @to. Any context */
bool xvmc_park_dials(struct xvmc_stream *stream, struct in6_addr *to);
/* It waits for what @carrier does with it, and both hold each other */
bool xvmc_park_take(struct xvmc_stream *stream, struct xvmc_carrier *carrier);
/* Not any more. @over: &enum xvmc_stat, it is lost for that; 0: it is not */
void xvmc_park_untake(struct xvmc_carrier *carrier, u32 over);
/* Goes on by @chan. False: its peer is here again, or it does not wait */
bool xvmc_park_board(struct xvmc_carrier *carrier, struct xvmc_chan *chan);
void xvmc_park_taken_left(struct xvmc_carrier *carrier);
/* It waits once more, and what it has is in private memory */
bool xvmc_park_is_back(struct xvmc_carrier *carrier);
/* The program has closed it, and the peer is to have ECONNRESET. Any context */
bool xvmc_park_is_reset(struct xvmc_carrier *carrier);
/* Behind what it has. 1, 0: not now, or an errno. Process context */
int xvmc_park_append(struct xvmc_carrier *carrier, const void *data, u32 len,
		     bool fin);

#endif /* _XVMC_STREAM_CARRY_H */
