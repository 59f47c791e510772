// SPDX-License-Identifier: GPL-2.0
/*
 * The place where xenvmc_inet.ko, when loaded, is known to xenvmc.ko.
 *
 * The mutex is held while a callback runs, so that unregistering waits for it:
 * the hook's module may go as soon as xvmc_hook_unregister() returns.
 */
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/mutex.h>
#include "event.h"
#include "xenvmc_priv.h"

static DEFINE_MUTEX(hook_mutex);
static const struct xvmc_hook_ops *hook_ops;

/**
 * xvmc_hook_register() - the hook is there
 * @ops: its callbacks; stay valid until unregistered
 *
 * Context: Process context.
 * Return: 0, or -EBUSY if there is one already.
 */
int xvmc_hook_register(const struct xvmc_hook_ops *ops)
{
	int err = 0;

	mutex_lock(&hook_mutex);
	if (hook_ops)
		err = -EBUSY;
	else
		WRITE_ONCE(hook_ops, ops);
	mutex_unlock(&hook_mutex);
	if (!err)
		xvmc_event_hook_all();
	return err;
}
EXPORT_SYMBOL_GPL(xvmc_hook_register);

/**
 * xvmc_hook_unregister() - the hook goes
 * @ops: what was registered
 *
 * Context: Process context, not from a callback.
 */
void xvmc_hook_unregister(const struct xvmc_hook_ops *ops)
{
	mutex_lock(&hook_mutex);
	if (hook_ops == ops)
		WRITE_ONCE(hook_ops, NULL);
	mutex_unlock(&hook_mutex);
	xvmc_event_hook_all();
}
EXPORT_SYMBOL_GPL(xvmc_hook_unregister);

/**
 * xvmc_hook_loaded() - tells whether a hook is registered, to show it
 *
 * Return: true if so; may be outdated at once.
 */
bool xvmc_hook_loaded(void)
{
	return READ_ONCE(hook_ops);
}

/**
 * xvmc_hook_changed() - tells the hook that &struct xvmc_net has new values
 * @net: whose
 *
 * Context: Process context.
 */
void xvmc_hook_changed(struct net *net)
{
	mutex_lock(&hook_mutex);
	if (hook_ops)
		hook_ops->changed(net);
	mutex_unlock(&hook_mutex);
}

/**
 * xvmc_hook_peer_came() - tells the hook that more connections may be moved
 * @known: the peer knows of it as well, for it is connected now
 *
 * Context: Process context; a peer's mutex may be held.
 */
void xvmc_hook_peer_came(bool known)
{
	mutex_lock(&hook_mutex);
	if (hook_ops)
		hook_ops->peer_came(known);
	mutex_unlock(&hook_mutex);
}
