// SPDX-License-Identifier: GPL-2.0
/* The bodies of the tracepoints of trace.h, for both modules. */
#include "xenvmc_priv.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

EXPORT_TRACEPOINT_SYMBOL_GPL(xenvmc_moved);
