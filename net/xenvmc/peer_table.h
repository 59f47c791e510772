/* SPDX-License-Identifier: GPL-2.0 */
/* The table of peers, for peer.c alone. Lookups are in peer.h. */
#ifndef _XVMC_PEER_TABLE_H
#define _XVMC_PEER_TABLE_H

struct xvmc_peer;

void xvmc_peer_table_init(void);
int xvmc_peer_table_add(struct xvmc_peer *peer);
void xvmc_peer_table_del(struct xvmc_peer *peer);

#endif /* _XVMC_PEER_TABLE_H */
