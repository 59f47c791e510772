/* SPDX-License-Identifier: GPL-2.0 */
/* What discovery.c and trans_xen.c know of each other. */
#ifndef _XVMC_TRANS_XEN_H
#define _XVMC_TRANS_XEN_H

struct xvmc_peer;

/* Writes an offer again that dom0 has emptied. Process context; 0 or -errno */
int xvmc_xen_refresh_offer(struct xvmc_peer *peer);

#endif /* _XVMC_TRANS_XEN_H */
