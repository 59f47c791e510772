/* SPDX-License-Identifier: GPL-2.0 */
/* What cmocka.h wants to be included before it. */
#ifndef XENVMCD_TEST_H
#define XENVMCD_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Of the address sanitizer, whose header is a package of its own */
size_t __sanitizer_get_current_allocated_bytes(void);

#endif
