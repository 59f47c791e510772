/* SPDX-License-Identifier: GPL-2.0 */
#ifndef XENVMC_VERSION_H
#define XENVMC_VERSION_H

#define XENVMC_VERSION	"0.1"

#endif /* XENVMC_VERSION_H */
