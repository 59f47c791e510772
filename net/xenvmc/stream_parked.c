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
#include <linux/net.h>
#include <linux/siphash.h>
#include "guest.h"
#include "stream.h"

#define PARK_MAX	4096			/* of one guest */
#define PARK_MAX_BYTES	(20U << 20)		/* of one guest, unread */

DEFINE_SPINLOCK(xvmc_park_lock);
LIST_HEAD(xvmc_parked);
static DEFINE_HASHTABLE(parked_tokens, 10);
static siphash_key_t parked_key __read_mostly;

static u32 parked_hash(const u32 *token)
{
	net_get_random_once(&parked_key, sizeof(parked_key));
	return siphash(token, XVMC_TOKEN_WORDS * sizeof(u32), &parked_key);
}

static struct xvmc_guest *parked_guest(const struct xvmc_stream *stream)
{
	return stream->conn.chan->guest;
}

/**
 * xvmc_parked_add() - a stream waits from now on
 * @stream: the stream; the caller takes the lists' reference
 *
 * What one guest can make us keep is bounded, its unread bytes are as well.
 * Context: xvmc_park_lock held.
 * Return: false if its guest has too many.
 */
bool xvmc_parked_add(struct xvmc_stream *stream)
{
	struct xvmc_guest *guest = parked_guest(stream);
	struct xvmc_park *park = &stream->park;

	lockdep_assert_held(&xvmc_park_lock);
	if (guest->nr_parked >= PARK_MAX || guest->held >= PARK_MAX_BYTES)
		return false;
	park->held = 0;
	guest->nr_parked++;
	list_add_tail(&park->node, &xvmc_parked);
	list_add_tail(&park->guest_node, &guest->parked);
	hash_add(parked_tokens, &park->token_node, parked_hash(park->token));
	return true;
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
	hash_del(&old->park.token_node);
	hash_add(parked_tokens, &stream->park.token_node,
		 parked_hash(stream->park.token));
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
			       parked_hash(token))
		if (parked_guest(stream) == guest &&
		    !memcmp(stream->park.token, token,
			    sizeof(stream->park.token)))
			return stream;
	return NULL;
}

/**
 * xvmc_park_get() - one of those that wait for their peer
 * @n: number, from 0
 *
 * Context: any.
 * Return: the connection with a reference, or NULL.
 */
struct xvmc_conn *xvmc_park_get(unsigned long n)
{
	struct xvmc_stream *stream;
	struct xvmc_conn *conn = NULL;

	spin_lock_bh(&xvmc_park_lock);
	list_for_each_entry(stream, &xvmc_parked, park.node) {
		if (!xvmc_park_is_cut(&stream->conn) || n--)
			continue;
		conn = &stream->conn;
		xvmc_conn_hold(conn);
		break;
	}
	spin_unlock_bh(&xvmc_park_lock);
	return conn;
}
