// SPDX-License-Identifier: GPL-2.0
/*
 * A guest as what it is, whichever channel there is to it: by transport and
 * uuid. A peer is forgotten when it goes, its number may be another's then.
 *
 * There is one while there is a channel, also a closed one that a connection
 * holds. Locks: guests_lock, innermost.
 */
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <net/net_debug.h>
#include "fault.h"
#include "guest.h"

static LIST_HEAD(guests);
static DEFINE_SPINLOCK(guests_lock);		/* BH-safe */

static struct xvmc_guest *guest_find(const struct xvmc_guest *wanted)
{
	struct xvmc_guest *guest;

	lockdep_assert_held(&guests_lock);
	list_for_each_entry(guest, &guests, node)
		if (guest->ops == wanted->ops &&
		    guest->passive == wanted->passive &&
		    !strcmp(guest->uuid, wanted->uuid))
			return guest;
	return NULL;
}

/**
 * xvmc_guest_get() - find a guest, or make one
 * @ops: transport
 * @uuid: as dom0 attests it
 * @passive: the end of the loopback that listens
 *
 * Context: process.
 * Return: a reference, or NULL without memory.
 */
struct xvmc_guest *xvmc_guest_get(const struct xvmc_transport_ops *ops,
				  const char *uuid, bool passive)
{
	struct xvmc_guest *guest = NULL, *found;

	if (!xvmc_should_fail(XVMC_FAULT_CHAN))
		guest = kzalloc(sizeof(*guest), GFP_KERNEL);
	if (!guest)
		return NULL;
	kref_init(&guest->ref);
	guest->ops = ops;
	strscpy(guest->uuid, uuid, sizeof(guest->uuid));
	guest->passive = passive;
	INIT_LIST_HEAD(&guest->parked);
	spin_lock_bh(&guests_lock);
	found = guest_find(guest);
	if (found)
		kref_get(&found->ref);
	else
		list_add(&guest->node, &guests);
	spin_unlock_bh(&guests_lock);
	if (!found)
		return guest;
	kfree(guest);
	return found;
}

/* guests_lock held: nobody finds it between the last reference and this */
static void guest_release(struct kref *ref)
{
	struct xvmc_guest *guest = container_of(ref, struct xvmc_guest, ref);

	DEBUG_NET_WARN_ON_ONCE(guest->nr_parked);
	list_del(&guest->node);
	kfree(guest);
}

/**
 * xvmc_guest_put() - drop a reference
 * @guest: guest
 *
 * Context: any.
 */
void xvmc_guest_put(struct xvmc_guest *guest)
{
	spin_lock_bh(&guests_lock);
	kref_put(&guest->ref, guest_release);
	spin_unlock_bh(&guests_lock);
}
