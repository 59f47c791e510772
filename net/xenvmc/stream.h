/* SPDX-License-Identifier: GPL-2.0 */
/* What the stream_*.c files share. Socket lock held where it says "locked". */
#ifndef _XVMC_STREAM_H
#define _XVMC_STREAM_H

#include "af_xenvmc.h"
#include "conn.h"

struct xvmc_carrier;

/**
 * struct xvmc_park - a connection that was cut may go on by another channel
 * @token: names it, drawn by who connects; zero: it cannot go on
 * @passive: this end has accepted it
 * @sent: own position when it goes on, as RESUME says it
 * @received: the other one
 * @node: in the list of all cut ones, which holds a reference for all three;
 *	as all below, protected by xvmc_park_lock
 * @guest_node: in that of its guest
 * @token_node: in the table by token
 * @serial: the order of being cut, for who looks through the list
 * @held: unread bytes that count as its guest's
 * @name: made from the token, for who has no channel
 * @carrier: TCP connection that carries it, or is about to; a reference is
 *	held, also while it is not in the list
 * @carried: there was one since it was cut
 * @dials: how often it was tried to make one
 * @dial_after: jiffies from @since to the next try
 * @since: when it was cut
 * @closed: the program has closed it
 * @reset: and the peer is to have ECONNRESET
 * @over: it does not go on: &enum xvmc_stat that counts it, 0 if it may
 * @next: channel on which it is to go on, or NULL; a reference is held
 * @heard: the peer's RESUME has come on @next
 * @theirs: what it says
 */
struct xvmc_park {
	u32 token[XVMC_TOKEN_WORDS];
	bool passive;
	u64 sent;
	u64 received;
	struct list_head node;
	struct list_head guest_node;
	struct hlist_node token_node;
	unsigned long serial;
	u32 held;
	u64 name;
	struct xvmc_carrier *carrier;
	bool carried;
	u32 dials;
	unsigned long dial_after;
	unsigned long since;
	bool closed;
	bool reset;
	u32 over;
	struct xvmc_chan *next;
	bool heard;
	struct xvmc_msg_resume theirs;
};

/**
 * struct xvmc_stream - a stream's connection
 * @conn: the engine's
 * @saddr: domain id of this end
 * @daddr: domain id of the other end
 * @sport: port of this end
 * @dport: port of the other end
 * @park: its life beyond the channel
 *
 * The names are those of the connection, whatever the socket does later.
 */
struct xvmc_stream {
	struct xvmc_conn conn;
	u16 saddr;
	u16 daddr;
	u32 sport;
	u32 dport;
	struct xvmc_park park;
};

static inline struct xvmc_stream *xvmc_to_stream(struct xvmc_conn *conn)
{
	return container_of(conn, struct xvmc_stream, conn);
}

/* Locked: the socket's connection, without a reference */
static inline struct xvmc_conn *xvmc_stream_conn_locked(const struct sock *sk)
{
	return rcu_dereference_protected(xvmc_sk(sk)->conn,
					 lockdep_sock_is_held(sk));
}

static inline bool xvmc_stream_opening(const struct sock *sk)
{
	u8 state = READ_ONCE(sk->sk_state);

	return state == TCP_SYN_SENT || state == TCP_SYN_RECV;
}

extern const struct xvmc_conn_ops xvmc_stream_ops;

/* stream.c: state and end of a stream */
/* A number that nobody else has drawn. Any context */
u64 xvmc_stream_draw(void);
/* A connection of @sk with a reference, or NULL. Any context */
struct xvmc_conn *xvmc_stream_conn_get(struct xvmc_sock *xsk);
/* Locked: one reference, or an ERR_PTR. @asked: what the peer said, or NULL */
struct xvmc_stream *xvmc_stream_conn_new(struct sock *sk,
					 struct xvmc_chan *chan,
					 const struct xvmc_stream *asked,
					 gfp_t gfp);
/* Locked: the handshake is over */
void xvmc_stream_establish(struct sock *sk);
/* Locked: the connection broke; pending error, both directions shut */
void xvmc_stream_reset(struct sock *sk, int err);
/* Takes the lock: both directions may have ended */
void xvmc_stream_check_done(struct sock *sk);
/* Locked: the peer has closed, and what it sent can be read */
void xvmc_stream_peer_left(struct sock *sk);
/* Locked: takes the connection, with its reference, from the socket */
struct xvmc_conn *xvmc_stream_take_conn(struct sock *sk);
/* Locked: nobody uses the socket any more. Returns its connection as well */
struct xvmc_conn *xvmc_stream_bury(struct sock *sk);
/* Lets go of @conn, or NULL, consuming its reference. Locked only if @reset */
void xvmc_stream_leave(struct xvmc_conn *conn, bool reset);
/* Consumes a reference of the socket */
void xvmc_stream_close(struct sock *sk);
int xvmc_stream_shutdown(struct socket *sock, int how);

/* stream_parked.c: those that wait. What is below, with the lock held */
extern spinlock_t xvmc_park_lock;		/* struct xvmc_park; BH-safe */
extern struct list_head xvmc_parked;
/* False: its guest has too many */
bool xvmc_parked_add(struct xvmc_stream *stream);
void xvmc_parked_hold(struct xvmc_stream *stream, u32 bytes);
/* May more be kept for it, and its guest? The same */
bool xvmc_parked_room(const struct xvmc_stream *stream);
bool xvmc_parked_room_anyway(const struct xvmc_stream *stream);
void xvmc_parked_del(struct xvmc_stream *stream);
void xvmc_parked_replace(struct xvmc_stream *stream, struct xvmc_stream *old);
struct xvmc_stream *xvmc_parked_find(const struct xvmc_guest *guest,
				     const u32 *token);
struct xvmc_stream *xvmc_parked_named(u64 name);
/* Not with it held. Process context */
void xvmc_parked_note_addrs(const struct xvmc_conn *conn);
/* Bytes of the stream, read or not, and its end. rx.mutex held, not the lock */
u64 xvmc_park_received(const struct xvmc_conn *conn);

/* stream_park.c: callbacks of the engine. True: the connection was cut */
bool xvmc_park_cut(struct xvmc_conn *conn);
void xvmc_park_meet(struct xvmc_conn *conn);
bool xvmc_park_opened(struct xvmc_conn *conn);
bool xvmc_park_refused(struct xvmc_conn *conn, u32 why);
bool xvmc_park_down(struct xvmc_conn *conn);
/* The program lets go of it. True: the peer hears of that later. Any context */
bool xvmc_park_close(struct xvmc_stream *stream, bool reset);
bool xvmc_park_is_cut(const struct xvmc_conn *conn);
/* It can go on by @chan. xvmc_park_lock held */
void xvmc_park_offer(struct xvmc_stream *stream, struct xvmc_chan *chan);

#ifdef CONFIG_INET
/* stream_greet.c, stream_carry.c: TCP carries it while its peer is elsewhere */
void xvmc_carry_look(struct xvmc_stream *stream);
bool xvmc_carry_tick(void);
void xvmc_carry_resumed(struct xvmc_chan *chan,
			const struct xvmc_msg_resume *msg);
bool xvmc_carry_is_far(const struct xvmc_chan *chan);
void xvmc_carry_met(const struct xvmc_chan *chan);	/* any context */
bool xvmc_park_board_again(struct xvmc_stream *stream);	/* any context */
/* xvmc_park_lock held: another connection of the stream */
void xvmc_carrier_follow(struct xvmc_stream *stream, struct xvmc_stream *old);
void xvmc_carrier_kick(struct xvmc_carrier *carrier);	/* any context */
void xvmc_carrier_drop(struct xvmc_carrier *carrier);	/* any context */
extern const struct xvmc_transport_ops xvmc_carry_ops;
#else
static const struct xvmc_transport_ops xvmc_carry_ops __maybe_unused;

static inline void xvmc_carry_look(struct xvmc_stream *stream)
{
}

static inline bool xvmc_park_board_again(struct xvmc_stream *stream)
{
	return false;
}

static inline bool xvmc_carry_tick(void)
{
	return false;
}

static inline void xvmc_carry_resumed(struct xvmc_chan *chan,
				      const struct xvmc_msg_resume *msg)
{
}

static inline bool xvmc_carry_is_far(const struct xvmc_chan *chan)
{
	return false;
}

static inline void xvmc_carry_met(const struct xvmc_chan *chan)
{
}

static inline void xvmc_carrier_follow(struct xvmc_stream *stream,
				       struct xvmc_stream *old)
{
}

static inline void xvmc_carrier_kick(struct xvmc_carrier *carrier)
{
}

static inline void xvmc_carrier_drop(struct xvmc_carrier *carrier)
{
}
#endif
/* The peer has closed, where TCP carried it. Process context */
void xvmc_park_left(struct xvmc_stream *stream);

/* stream_connect.c */
void xvmc_stream_init_sock(struct sock *sk);
int xvmc_stream_connect(struct socket *sock, struct sockaddr_unsized *uaddr,
			int len, int flags);
/* Locked: asks once more after a while; the socket has no connection */
void xvmc_stream_ask_later(struct sock *sk);
/* Locked: back to a socket that is not connected */
void xvmc_stream_disconnect(struct sock *sk);

/* stream_listen.c */
int xvmc_stream_listen(struct socket *sock, int backlog);
int xvmc_stream_accept(struct socket *sock, struct socket *newsock,
		       struct proto_accept_arg *arg);
/* Would accept() find a child? Process context */
bool xvmc_stream_accept_ready(struct sock *sk);
/* Locked: ends the children that wait. The state is not TCP_LISTEN any more */
void xvmc_stream_stop_listening(struct sock *sk);

/* stream_io.c: bytes */
/* Marks the end of the own stream, if there is a ring. Takes tx.mutex */
void xvmc_stream_send_fin(struct xvmc_conn *conn);
bool xvmc_stream_writable(struct sock *sk, struct xvmc_conn *conn);
u32 xvmc_stream_at_most(struct xvmc_conn *conn, size_t wanted);
/* Wakes those who found no room. Any context */
void xvmc_stream_wake_space(struct sock *sk);
int xvmc_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len);
int xvmc_stream_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
			int flags);

/* stream_poll.c: readiness */
__poll_t xvmc_stream_poll(struct file *file, struct socket *sock,
			  struct poll_table_struct *wait);
int xvmc_stream_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg);
int xvmc_stream_set_rcvlowat(struct sock *sk, int val);

#endif /* _XVMC_STREAM_H */
