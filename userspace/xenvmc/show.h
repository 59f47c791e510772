/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What lists and the monitor share: attributes of each object and their words.
 */
#ifndef XENVMC_SHOW_H
#define XENVMC_SHOW_H

#include "attr.h"

extern const struct attr_policy conn_policy[];
extern const struct attr_policy hook_policy[];
extern const struct attr_policy peer_policy[];

/* All but the number that a list begins with, and bytes and rings */
void conn_words(struct print *out, const struct nlattr **tb);
/* Bytes and rings of a direction each */
void conn_tx_words(struct print *out, const struct nlattr **tb);
void conn_rx_words(struct print *out, const struct nlattr **tb);
void hook_words(struct print *out, const struct nlattr **tb);
void peer_words(struct print *out, const struct nlattr **tb);

#endif /* XENVMC_SHOW_H */
