/* SPDX-License-Identifier: GPL-2.0 */
/* The event channel of a channel; kept in chan->tpriv. */
#ifndef _XVMC_EVTCHN_H
#define _XVMC_EVTCHN_H

#include <linux/types.h>

struct xvmc_chan;

/* Process context; the control ring is there, for events come at once */
int xvmc_evtchn_alloc(struct xvmc_chan *chan, u32 *port);
int xvmc_evtchn_bind(struct xvmc_chan *chan, u32 remote_port);
/* Process context. No event comes after it; harmless if there is none */
void xvmc_evtchn_close(struct xvmc_chan *chan);
/* Any context; nothing happens before set-up and after close */
void xvmc_evtchn_kick(struct xvmc_chan *chan);
void xvmc_evtchn_eoi(struct xvmc_chan *chan, bool spurious);

#endif /* _XVMC_EVTCHN_H */
