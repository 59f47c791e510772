/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the Xen transport know of each other. */
#ifndef _XVMC_TRANS_XEN_H
#define _XVMC_TRANS_XEN_H

#include <linux/types.h>
#include <xen/platform_pci.h>
#include <xen/xen.h>

struct xvmc_peer;

/* Has this domain's kernel a grant table? That of an HVM guest may have none */
static inline bool xvmc_xen_has_grants(void)
{
	return xen_domain() && xen_has_pv_devices();
}

/* Writes an offer again that dom0 has emptied. Process context; 0 or -errno */
int xvmc_xen_refresh_offer(struct xvmc_peer *peer);

/* Ends every watch of a pair that is over. Process context */
void xvmc_xen_unwatch_all(void);

/* discovery.c: no peer is made any more, from the return on until thaw */
void xvmc_xen_freeze(void);
/* Nor announced, for good */
void xvmc_xen_leave(void);
/* Looks for peers again; @restored: nothing of before counts */
void xvmc_xen_thaw(bool restored);

#endif /* _XVMC_TRANS_XEN_H */
