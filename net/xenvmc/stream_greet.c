// SPDX-License-Identifier: GPL-2.0
/*
 * Streams of AF_XENVMC that TCP is to carry: who connects, who listens, and how
 * each knows that the other is the stream's other end.
 *
 * The end that connected the stream connects again, to an address that the
 * peer had; the other one listens while it waits. The token, which nobody else
 * has, is not said: from it both make a name for the stream, and a proof over
 * two numbers that each has drawn for this greeting and over the positions.
 * Documentation/migration.rst has the design. Whoever can reach the port may
 * say anything here.
 *
 * Locks: listen_mutex, the list of listeners.
 */
#include <linux/net.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include "fault.h"
#include "peer.h"
#include "stats.h"
#include "stream_carry.h"
#include "trace.h"
#include "xenvmc_priv.h"

#define GREET_BACKLOG	CARRY_MAX_NEW
#define GREET_ACCEPTS	16	/* before others get a turn */

/**
 * struct carry_listener - the port of a network namespace
 * @node: in the list of all; listen_mutex
 * @net: the namespace
 * @sock: listens
 * @data_ready: callback that it had
 * @work: accepts
 */
struct carry_listener {
	struct list_head node;
	struct net *net;
	struct socket *sock;
	void (*data_ready)(struct sock *sk);
	struct work_struct work;
};

/* What a proof is about. No holes */
struct greet_claim {
	__le64 who;			/* 1: the end that connects, 2: other */
	__le64 nonce[2];
	__le64 sent;
	__le64 received;
};

static LIST_HEAD(listeners);
static DEFINE_MUTEX(listen_mutex);

/* ---- words -------------------------------------------------------------- */

/**
 * xvmc_greet_body() - length of a frame's body
 * @type: &enum carry_type, but for %CARRY_DATA
 *
 * Context: any.
 */
u32 xvmc_greet_body(u8 type)
{
	switch (type) {
	case CARRY_HELLO:
		return sizeof(struct carry_hello);
	case CARRY_CHALLENGE:
		return sizeof(struct carry_challenge);
	case CARRY_ANSWER:
		return sizeof(struct carry_answer);
	default:
		return 0;
	}
}

static __le64 greet_proof(const struct xvmc_carrier *carrier, u64 who,
			  u64 sent, u64 received)
{
	const struct greet_claim claim = {
		.who = cpu_to_le64(who),
		.nonce = {
			cpu_to_le64(carrier->nonce[0]),
			cpu_to_le64(carrier->nonce[1]),
		},
		.sent = cpu_to_le64(sent),
		.received = cpu_to_le64(received),
	};
	siphash_key_t key;

	memcpy(&key, carrier->wanted->park.token, sizeof(key));
	return cpu_to_le64(siphash(&claim, sizeof(claim), &key));
}

/* The other end is who it says; does it know of the same bytes? */
static int greet_compare(struct xvmc_carrier *carrier, u64 who, __le64 sent,
			 __le64 received, __le64 proof)
{
	u64 theirs = le64_to_cpu(sent), ours = le64_to_cpu(received);

	if (proof != greet_proof(carrier, who, theirs, ours))
		return -EACCES;
	if (theirs == carrier->received && ours == carrier->sent)
		return 0;
	xvmc_park_fail(carrier->wanted, XVMC_STAT_PARK_MISMATCH);
	return -EBADMSG;
}

static bool greet_allowed(const struct xvmc_carrier *carrier)
{
	const struct net *net = sock_net(carrier->wanted->conn.sk);

	return READ_ONCE(xvmc_net(net)->carry) &&
	       net_eq(net, sock_net(carrier->sock->sk));
}

/*
 * The other end is there, and a stream is to be its. Little that can fail is
 * left for later: the peer may send bytes at once. 0, or an errno, which ends
 * it: the stream waits as before.
 */
static int greet_take(struct xvmc_carrier *carrier)
{
	if (!xvmc_park_take(carrier->wanted, carrier))
		return -EAGAIN;
	carrier->pair = xvmc_pair_get(carrier->wanted);
	return carrier->pair ? 0 : -ENOMEM;
}

/* ---- the end that connects ---------------------------------------------- */

/**
 * xvmc_greet_begin() - say HELLO as soon as TCP is connected
 * @carrier: carrier in %CARRY_DIALS
 *
 * Context: the carrier's work.
 * Return: 0, or an errno if there is no connection.
 */
int xvmc_greet_begin(struct xvmc_carrier *carrier)
{
	struct carry_hello hello = { .magic = CARRY_MAGIC };
	u8 state = READ_ONCE(carrier->sock->sk->sk_state);

	if (state == TCP_SYN_SENT)
		return 0;
	if (state != TCP_ESTABLISHED)
		return -ECONNREFUSED;
	carrier->nonce[0] = xvmc_stream_draw();
	hello.name = cpu_to_le64(carrier->wanted->park.name);
	hello.nonce = cpu_to_le64(carrier->nonce[0]);
	xvmc_carrier_say(carrier, CARRY_HELLO, &hello, sizeof(hello));
	carrier->phase = CARRY_ASKS;
	return 0;
}

/* From here on the stream waits for GO, and for nothing else */
static int greet_challenged(struct xvmc_carrier *carrier)
{
	struct carry_challenge got;
	struct carry_answer answer;
	int err;

	memcpy(&got, carrier->in, sizeof(got));
	carrier->nonce[1] = le64_to_cpu(got.nonce);
	if (!greet_allowed(carrier) ||
	    !xvmc_park_positions(carrier))
		return -EAGAIN;
	err = greet_compare(carrier, 2, got.sent, got.received, got.proof);
	/* The other end is to know why it ends */
	if (err && err != -EBADMSG)
		return err;
	if (!err && greet_take(carrier))
		return -EAGAIN;
	answer.sent = cpu_to_le64(carrier->sent);
	answer.received = cpu_to_le64(carrier->received);
	answer.proof = greet_proof(carrier, 1, carrier->sent,
				   carrier->received);
	xvmc_carrier_say(carrier, CARRY_ANSWER, &answer, sizeof(answer));
	if (!err)
		carrier->phase = CARRY_HALF;
	return 0;
}

/* ---- the end that listens ----------------------------------------------- */

static int greet_asked(struct xvmc_carrier *carrier)
{
	struct carry_challenge challenge;
	struct carry_hello got;

	memcpy(&got, carrier->in, sizeof(got));
	if (memcmp(got.magic, CARRY_MAGIC, sizeof(got.magic)))
		return -EPROTO;
	carrier->wanted = xvmc_park_named(le64_to_cpu(got.name));
	if (!carrier->wanted || !greet_allowed(carrier) ||
	    !xvmc_park_positions(carrier))
		return -ENOENT;
	carrier->sent += xvmc_should_fail(XVMC_FAULT_POSITION);
	carrier->nonce[0] = le64_to_cpu(got.nonce);
	carrier->nonce[1] = xvmc_stream_draw();
	challenge.nonce = cpu_to_le64(carrier->nonce[1]);
	challenge.sent = cpu_to_le64(carrier->sent);
	challenge.received = cpu_to_le64(carrier->received);
	challenge.proof = greet_proof(carrier, 2, carrier->sent,
				      carrier->received);
	xvmc_carrier_say(carrier, CARRY_CHALLENGE, &challenge,
			 sizeof(challenge));
	carrier->phase = CARRY_CHALLENGES;
	return 0;
}

/* It was proved that the peer is there. GO is in front of all that follows */
static int greet_answered(struct xvmc_carrier *carrier)
{
	struct carry_answer got;
	int err;

	memcpy(&got, carrier->in, sizeof(got));
	err = greet_compare(carrier, 1, got.sent, got.received, got.proof);
	if (err)
		return err;
	err = greet_take(carrier);
	if (err)
		return err;
	xvmc_carrier_say(carrier, CARRY_GO, NULL, 0);
	xvmc_carrier_begin(carrier);
	return 0;
}

/**
 * xvmc_greet_hear() - a frame of a greeting has come
 * @carrier: carrier that has not begun; the body is in its buffer
 * @type: &enum carry_type; the body has the length for it
 *
 * Context: the carrier's work.
 * Return: 0, or an errno: the greeting is over, and has changed nothing.
 */
int xvmc_greet_hear(struct xvmc_carrier *carrier, u8 type)
{
	if (carrier->phase == CARRY_TOLD && type == CARRY_HELLO)
		return greet_asked(carrier);
	if (carrier->phase == CARRY_ASKS && type == CARRY_CHALLENGE)
		return greet_challenged(carrier);
	if (carrier->phase == CARRY_CHALLENGES && type == CARRY_ANSWER)
		return greet_answered(carrier);
	if (carrier->phase != CARRY_HALF || type != CARRY_GO)
		return -EPROTO;
	xvmc_carrier_begin(carrier);
	return 0;
}

static int greet_socket(struct net *net, int family, struct socket **sock)
{
	if (xvmc_should_fail(XVMC_FAULT_GREET))
		return -ENOBUFS;
	return sock_create_kern(net, family, SOCK_STREAM, IPPROTO_TCP, sock);
}

/* ---- listening ---------------------------------------------------------- */

/* Also called for a child that nobody has accepted yet, which has the words */
static void listen_news(struct sock *sk)
{
	struct carry_listener *listener;

	read_lock_bh(&sk->sk_callback_lock);
	listener = sk->sk_user_data;
	if (listener && READ_ONCE(sk->sk_state) == TCP_LISTEN)
		queue_work(xvmc_wq, &listener->work);
	read_unlock_bh(&sk->sk_callback_lock);
}

/* What it has of the listener's is not its own, and may be gone before it */
static void listen_strip(const struct carry_listener *listener, struct sock *sk)
{
	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = NULL;
	sk->sk_data_ready = listener->data_ready;
	write_unlock_bh(&sk->sk_callback_lock);
}

/* Who is not accepted connects again, which is what the next try is for */
static int listen_accept(struct carry_listener *listener, struct socket **sock)
{
	if (xvmc_should_fail(XVMC_FAULT_GREET))
		return -ENOMEM;
	return kernel_accept(listener->sock, sock, O_NONBLOCK);
}

static void listen_work(struct work_struct *work)
{
	struct carry_listener *listener = container_of(work,
					struct carry_listener, work);
	struct socket *sock;
	int n = GREET_ACCEPTS;

	while (n-- && !listen_accept(listener, &sock)) {
		listen_strip(listener, sock->sk);
		if (xvmc_carrier_reserve(false)) {
			xvmc_carrier_new(sock, CARRY_TOLD, NULL);
			continue;
		}
		sock_no_linger(sock->sk);
		sock_release(sock);
	}
	if (n < 0)
		queue_work(xvmc_wq, work);
}

static int listen_bind(struct socket *sock, struct sockaddr_unsized *addr,
		       int len)
{
	if (xvmc_should_fail(XVMC_FAULT_GREET))
		return -EADDRNOTAVAIL;
	return kernel_bind(sock, addr, len);
}

/*
 * IPv6's takes both. Where it can only not be had for now, neither is the port:
 * a socket for IPv4 alone would have it for as long as streams wait, and shut
 * out those whose other end comes by IPv6.
 */
static int listen_open(struct net *net, struct socket **sock)
{
	__be16 port = htons(READ_ONCE(xvmc_net(net)->carry_port));
	struct sockaddr_in6 to6 = {
		.sin6_family = AF_INET6, .sin6_port = port,
	};
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = port };
	bool v4 = false;
	int err;

	err = greet_socket(net, AF_INET6, sock);
	if (err == -EAFNOSUPPORT) {
		v4 = true;
		err = greet_socket(net, AF_INET, sock);
	}
	if (err)
		return err;
	sock_set_reuseaddr((*sock)->sk);
	xvmc_carrier_sk_new((*sock)->sk);
	if (!v4)
		(*sock)->sk->sk_ipv6only = false;
	err = listen_bind(*sock, v4 ? (struct sockaddr_unsized *)&to4 :
				      (struct sockaddr_unsized *)&to6,
			  v4 ? sizeof(to4) : sizeof(to6));
	if (err)
		sock_release(*sock);
	return err;
}

static struct carry_listener *listen_find(const struct net *net)
{
	struct carry_listener *listener;

	lockdep_assert_held(&listen_mutex);
	list_for_each_entry(listener, &listeners, node)
		if (net_eq(listener->net, net))
			return listener;
	return NULL;
}

/* No callback finds it, no work runs */
static void listen_close(struct carry_listener *listener)
{
	struct sock *sk = listener->sock->sk;

	lockdep_assert_held(&listen_mutex);
	list_del(&listener->node);
	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = NULL;
	write_unlock_bh(&sk->sk_callback_lock);
	cancel_work_sync(&listener->work);
	sock_release(listener->sock);
	kfree(listener);
}

static int listen_begin(struct net *net)
{
	struct carry_listener *listener = NULL;
	struct sock *sk;
	int err;

	lockdep_assert_held(&listen_mutex);
	if (!xvmc_should_fail(XVMC_FAULT_GREET))
		listener = kzalloc(sizeof(*listener), GFP_KERNEL);
	if (!listener)
		return -ENOMEM;
	err = listen_open(net, &listener->sock);
	if (err) {
		kfree(listener);
		return err;
	}
	listener->net = net;
	INIT_WORK(&listener->work, listen_work);
	list_add(&listener->node, &listeners);
	sk = listener->sock->sk;
	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = listener;
	listener->data_ready = sk->sk_data_ready;
	sk->sk_data_ready = listen_news;
	write_unlock_bh(&sk->sk_callback_lock);
	err = -EADDRINUSE;
	if (!xvmc_should_fail(XVMC_FAULT_GREET))
		err = kernel_listen(listener->sock, GREET_BACKLOG);
	if (err)
		listen_close(listener);
	return err;
}

/* Nothing if somebody else has the port: it is tried again while one waits */
static void greet_listen(struct net *net)
{
	mutex_lock(&listen_mutex);
	if (!listen_find(net))
		listen_begin(net);
	mutex_unlock(&listen_mutex);
}

/**
 * xvmc_carry_tick() - close the ports for which nobody waits
 *
 * Context: process.
 * Return: true if some are open.
 */
bool xvmc_carry_tick(void)
{
	struct carry_listener *listener, *next;
	bool some;

	mutex_lock(&listen_mutex);
	list_for_each_entry_safe(listener, next, &listeners, node) {
		const struct xvmc_net *xnet = xvmc_net(listener->net);

		if (!READ_ONCE(xnet->carry_waits) || !READ_ONCE(xnet->carry))
			listen_close(listener);
	}
	some = !list_empty(&listeners);
	mutex_unlock(&listen_mutex);
	return some;
}

/**
 * xvmc_carry_net_exit() - a network namespace goes
 * @net: the namespace, in which no stream waits any more
 *
 * Context: process.
 */
void xvmc_carry_net_exit(struct net *net)
{
	struct carry_listener *listener;

	mutex_lock(&listen_mutex);
	listener = listen_find(net);
	if (listener)
		listen_close(listener);
	mutex_unlock(&listen_mutex);
	xvmc_carriers_end(net);
}

/**
 * xvmc_carry_exit() - no port is open, nobody greets
 *
 * What carries a stream holds the module.
 * Context: module exit.
 */
void xvmc_carry_exit(void)
{
	struct carry_listener *listener, *next;

	mutex_lock(&listen_mutex);
	list_for_each_entry_safe(listener, next, &listeners, node)
		listen_close(listener);
	mutex_unlock(&listen_mutex);
	xvmc_carriers_end(NULL);
	xvmc_pairs_end();
}

/* ---- dialling ----------------------------------------------------------- */

static int dial_open(struct net *net, const struct in6_addr *to,
		     struct socket **sock)
{
	__be16 port = htons(READ_ONCE(xvmc_net(net)->carry_port));
	bool v4 = ipv6_addr_v4mapped(to);
	struct sockaddr_in6 to6 = {
		.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = *to,
	};
	struct sockaddr_in to4 = {
		.sin_family = AF_INET, .sin_port = port,
		.sin_addr.s_addr = to->s6_addr32[3],
	};
	int err;

	err = greet_socket(net, v4 ? AF_INET : AF_INET6, sock);
	if (err)
		return err;
	xvmc_carrier_sk_new((*sock)->sk);
	err = -ENETUNREACH;
	if (!xvmc_should_fail(XVMC_FAULT_GREET))
		err = kernel_connect(*sock, v4 ?
				     (struct sockaddr_unsized *)&to4 :
				     (struct sockaddr_unsized *)&to6,
				     v4 ? sizeof(to4) : sizeof(to6),
				     O_NONBLOCK);
	if (err && err != -EINPROGRESS) {
		sock_release(*sock);
		return err;
	}
	return 0;
}

/* Without a place nothing was tried: it looks again with the next tick */
static void greet_dial(struct xvmc_stream *stream)
{
	struct net *net = sock_net(stream->conn.sk);
	struct in6_addr to;
	struct socket *sock;

	if (!xvmc_carrier_reserve(true))
		return;
	if (!xvmc_park_dials(stream, &to) || dial_open(net, &to, &sock)) {
		xvmc_carrier_unreserve(true);
		return;
	}
	xvmc_stat_inc(XVMC_STAT_CARRY_DIALS);
	xvmc_carrier_new(sock, CARRY_DIALS, stream);
}

/**
 * xvmc_carry_look() - a stream waits: can TCP carry it?
 * @stream: the stream
 *
 * Context: process.
 */
void xvmc_carry_look(struct xvmc_stream *stream)
{
	struct net *net = sock_net(stream->conn.sk);

	if (!READ_ONCE(xvmc_net(net)->carry))
		return;
	if (stream->park.passive)
		greet_listen(net);
	else
		greet_dial(stream);
}
