// SPDX-License-Identifier: GPL-2.0
/*
 * Streams of AF_XENVMC that wait for their peer: the lists of them.
 *
 * One of all, for the clock and for who wants to see them, one of each guest,
 * and a table by token, for what the peer says. A token was drawn by whoever
 * connected, perhaps a peer that means ill: the table is keyed with a secret,
 * and the tokens of one peer are compared with its own words alone.
 */
#include <linux/hashtable.h>
#include <linux/in.h>
#include <linux/net.h>
#include <linux/siphash.h>
#include "fault.h"
#include "guest.h"
#include "peer.h"
#include "stream.h"
#include "xenvmc_priv.h"

#define PARK_MAX	4096			/* of one guest */
#define PARK_MAX_BYTES	(20U << 20)		/* of one guest, unread */
#define PARK_LEAST	(64U << 10)		/* of a stream, all the same */
#define PARK_LEASTS	(64U << 20)		/* so much more, at most */

DEFINE_SPINLOCK(xvmc_park_lock);
LIST_HEAD(xvmc_parked);
static DEFINE_HASHTABLE(parked_tokens, 10);
static siphash_key_t parked_key __read_mostly;
static unsigned long parked_serial;	/* of the last one, xvmc_park_lock */

/* What a token makes known of itself: nobody finds it from its name */
static u64 parked_name(const u32 *token)
{
	siphash_key_t key;

	memcpy(&key, token, sizeof(key));
	return siphash_1u64(0, &key);
}

static u32 parked_hash(u64 name)
{
	net_get_random_once(&parked_key, sizeof(parked_key));
	return siphash_1u64(name, &parked_key);
}

/* In whose namespace a port is to be open */
static void parked_count(const struct xvmc_stream *stream, int n)
{
	struct xvmc_net *xnet = xvmc_net(sock_net(stream->conn.sk));

	if (stream->park.passive)
		WRITE_ONCE(xnet->carry_waits, xnet->carry_waits + n);
}

static struct xvmc_guest *parked_guest(const struct xvmc_stream *stream)
{
	return stream->conn.chan->guest;
}

static u32 parked_max_bytes(void)
{
	return xvmc_limit(XVMC_LIMIT_UNREAD, PARK_MAX_BYTES);
}

/**
 * xvmc_parked_add() - a stream waits from now on
 * @stream: the stream; the caller takes the lists' reference
 *
 * What one guest can make us keep is bounded, its unread bytes are as well:
 * those of its ring, and what earlier suspends have left in private memory.
 * Context: xvmc_park_lock held.
 * Return: false if its guest has too many.
 */
bool xvmc_parked_add(struct xvmc_stream *stream)
{
	struct xvmc_guest *guest = parked_guest(stream);
	u32 unread = xvmc_rx_queued(&stream->conn);
	struct xvmc_park *park = &stream->park;

	lockdep_assert_held(&xvmc_park_lock);
	/* What others have left unread is nothing to one that keeps nothing */
	if (guest->nr_parked >= PARK_MAX ||
	    (unread && guest->held + unread > parked_max_bytes()))
		return false;
	park->held = 0;
	xvmc_parked_hold(stream, unread);
	park->name = parked_name(park->token);
	park->serial = ++parked_serial;
	guest->nr_parked++;
	parked_count(stream, 1);
	list_add_tail(&park->node, &xvmc_parked);
	list_add_tail(&park->guest_node, &guest->parked);
	hash_add(parked_tokens, &park->token_node, parked_hash(park->name));
	return true;
}

/**
 * xvmc_parked_room() - may unread bytes be kept for a stream?
 * @stream: one that waits
 *
 * If it has none it may, whatever its guest's others have.
 * Context: xvmc_park_lock held.
 */
bool xvmc_parked_room(const struct xvmc_stream *stream)
{
	lockdep_assert_held(&xvmc_park_lock);
	return !stream->park.held ||
	       parked_guest(stream)->held < parked_max_bytes();
}

/**
 * xvmc_parked_room_anyway() - the same for a little of each stream
 * @stream: one that waits
 *
 * So that who reads does not wait for who does not. There is an end to that.
 * Context: xvmc_park_lock held.
 */
bool xvmc_parked_room_anyway(const struct xvmc_stream *stream)
{
	lockdep_assert_held(&xvmc_park_lock);
	return stream->park.held < PARK_LEAST &&
	       parked_guest(stream)->held < parked_max_bytes() + PARK_LEASTS;
}

/**
 * xvmc_parked_hold() - so much of it is unread
 * @stream: one that waits
 * @bytes: how many
 *
 * They count until it goes on, also if they are read before.
 * Context: xvmc_park_lock held.
 */
void xvmc_parked_hold(struct xvmc_stream *stream, u32 bytes)
{
	lockdep_assert_held(&xvmc_park_lock);
	parked_guest(stream)->held += (s64)bytes - stream->park.held;
	stream->park.held = bytes;
}

/**
 * xvmc_parked_del() - it goes on, or does not
 * @stream: one that waits; the caller puts the lists' reference
 *
 * Context: xvmc_park_lock held.
 */
void xvmc_parked_del(struct xvmc_stream *stream)
{
	struct xvmc_park *park = &stream->park;

	xvmc_parked_hold(stream, 0);
	parked_guest(stream)->nr_parked--;
	parked_count(stream, -1);
	hash_del(&park->token_node);
	list_del(&park->guest_node);
	list_del_init(&park->node);
}

/**
 * xvmc_parked_replace() - another connection of the same stream
 * @stream: takes the place, and a reference
 * @old: has it, and its reference; of the same guest
 *
 * Context: xvmc_park_lock held.
 */
void xvmc_parked_replace(struct xvmc_stream *stream, struct xvmc_stream *old)
{
	lockdep_assert_held(&xvmc_park_lock);
	stream->park.held = old->park.held;
	stream->park.name = old->park.name;
	stream->park.serial = old->park.serial;
	hash_del(&old->park.token_node);
	hash_add(parked_tokens, &stream->park.token_node,
		 parked_hash(stream->park.name));
	list_replace(&old->park.guest_node, &stream->park.guest_node);
	list_replace_init(&old->park.node, &stream->park.node);
}

/**
 * xvmc_parked_find() - look one up
 * @guest: whose it is
 * @token: as that guest says it
 *
 * Context: xvmc_park_lock held.
 * Return: the stream, or NULL.
 */
struct xvmc_stream *xvmc_parked_find(const struct xvmc_guest *guest,
				     const u32 *token)
{
	struct xvmc_stream *stream;

	lockdep_assert_held(&xvmc_park_lock);
	hash_for_each_possible(parked_tokens, stream, park.token_node,
			       parked_hash(parked_name(token)))
		if (parked_guest(stream) == guest &&
		    !memcmp(stream->park.token, token,
			    sizeof(stream->park.token)))
			return stream;
	return NULL;
}

/**
 * xvmc_parked_named() - look up one that was accepted here
 * @name: what its token makes
 *
 * Context: xvmc_park_lock held.
 * Return: the stream, or NULL.
 */
struct xvmc_stream *xvmc_parked_named(u64 name)
{
	struct xvmc_stream *stream;

	lockdep_assert_held(&xvmc_park_lock);
	hash_for_each_possible(parked_tokens, stream, park.token_node,
			       parked_hash(name))
		if (stream->park.name == name && stream->park.passive)
			return stream;
	return NULL;
}

/**
 * xvmc_parked_note_addrs() - remember the addresses of a guest
 * @conn: connection to it that is cut
 *
 * It has them wherever it is.
 * Context: process, takes the peer's mutex.
 */
void xvmc_parked_note_addrs(const struct xvmc_conn *conn)
{
	static const struct in6_addr own = { .s6_addr32 = {
		0, 0, cpu_to_be32(0xffff), cpu_to_be32(INADDR_LOOPBACK)
	} };
	struct xvmc_guest *guest = conn->chan->guest;
	struct xvmc_peer *peer = conn->chan->peer;

	if (conn->chan->ops == &xvmc_carry_ops)
		return;
	mutex_lock(&peer->mutex);
	spin_lock_bh(&xvmc_park_lock);
	memcpy(guest->addrs, peer->addrs, sizeof(guest->addrs));
	guest->naddrs = peer->naddrs;
	if (guest->ops == &xvmc_loop_ops) {
		guest->addrs[0] = own;
		guest->naddrs = 1;
	}
	spin_unlock_bh(&xvmc_park_lock);
	mutex_unlock(&peer->mutex);
}

/**
 * xvmc_park_is_cut() - does it wait for its peer?
 * @conn: connection of a stream
 *
 * Context: any.
 */
bool xvmc_park_is_cut(const struct xvmc_conn *conn)
{
	const struct xvmc_stream *stream;

	stream = container_of(conn, struct xvmc_stream, conn);
	return !list_empty_careful(&stream->park.node) &&
	       READ_ONCE(conn->state) == XVMC_CONN_DEAD;
}

/**
 * xvmc_park_received() - position of what was received
 * @conn: connection without a ring to read from
 *
 * The end of a stream counts as a byte.
 * Context: rx.mutex held.
 */
u64 xvmc_park_received(const struct xvmc_conn *conn)
{
	u32 unread = 0;
	bool fin = conn->rx.fin;

	lockdep_assert_held(&conn->rx.mutex);
	if (conn->rx.spill) {
		unread = conn->rx.spill_len - conn->rx.spill_off;
		fin = conn->rx.spill_mark.seq;
	}
	return conn->rx.bytes + unread + fin;
}

/**
 * xvmc_park_get() - the next one that waits for its peer
 * @net: its network namespace
 * @serial: of the one before, 0 for none; is that of this one at return
 *
 * Whatever comes and goes between two calls, none is found twice, and none that
 * waits all the time is left out.
 * Context: any.
 * Return: the connection with a reference, or NULL.
 */
struct xvmc_conn *xvmc_park_get(const struct net *net, unsigned long *serial)
{
	struct xvmc_stream *stream, *found = NULL;

	spin_lock_bh(&xvmc_park_lock);
	list_for_each_entry(stream, &xvmc_parked, park.node) {
		if (stream->park.serial <= *serial ||
		    !net_eq(sock_net(stream->conn.sk), net) ||
		    !xvmc_park_is_cut(&stream->conn))
			continue;
		if (!found || stream->park.serial < found->park.serial)
			found = stream;
	}
	if (found) {
		*serial = found->park.serial;
		xvmc_conn_hold(&found->conn);
	}
	spin_unlock_bh(&xvmc_park_lock);
	return found ? &found->conn : NULL;
}
