/* SPDX-License-Identifier: GPL-2.0 */
/* Ring pages shared by grants: own ones granted, a peer's mapped. */
#ifndef _XVMC_GRANT_H
#define _XVMC_GRANT_H

#include "transport.h"

/* All in process context; each pair accepts what its first half made */
int xvmc_grant_ring(u16 domid, struct xvmc_ring_mem *mem, u32 order);
void xvmc_grant_end(struct xvmc_ring_mem *mem);
u32 xvmc_grant_pages_held(u16 domid);
/* After a restore: what peers of the old host kept is nobody's any more */
void xvmc_grant_restored(void);
/* Waits a moment: does no peer map a page of ours any more? */
bool xvmc_grant_all_back(void);
int xvmc_grant_map(u16 domid, struct xvmc_ring_mem *mem, u32 order, u32 gref);
void xvmc_grant_unmap(struct xvmc_ring_mem *mem);

#endif /* _XVMC_GRANT_H */
