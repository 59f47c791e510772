// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of a program's buffer come while no lock is held.
 *
 * A page may be long in coming, or never come: a file system or a program may
 * stand behind it. The mutexes of a connection are what its work waits for, and
 * that work has places for a few hundred connections. So bytes are copied with
 * page faults disabled, and what is missing is brought in outside.
 */
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/uio.h>
#include "conn.h"

/* Pages that are gone again before they are used: not so often */
#define FAULT_TRIES	16

/**
 * xvmc_fault_in() - bring in what a copy has missed
 * @iter: buffer; not advanced
 * @to: bytes are copied to it
 * @len: so many at most
 * @tries: 0 before the first copy was tried; counted
 *
 * Bytes are copied in pieces, and a piece that reaches into bad memory fails
 * whatever is brought in: that is seen from a second failure. There is memory
 * that can be read and that the kernel refuses all the same.
 * Context: process, no locks; may fault.
 * Return: true if the copy is to be tried again; false if the memory is bad, or
 * the task is being killed.
 */
bool xvmc_fault_in(struct iov_iter *iter, bool to, size_t len, u32 *tries)
{
	size_t bad;

	if (!user_backed_iter(iter) || fatal_signal_pending(current))
		return false;
	/* Another reader may have taken what there was */
	len = min(max_t(size_t, len, 1), iov_iter_count(iter));
	bad = to ? fault_in_iov_iter_writeable(iter, len) :
		   fault_in_iov_iter_readable(iter, len);
	return bad < len && !(bad && *tries) && (*tries)++ < FAULT_TRIES;
}
EXPORT_SYMBOL_GPL(xvmc_fault_in);

/* No option's value is longer: net.core.optmem_max */
#define FAULT_VALUE	SZ_128K

/**
 * xvmc_fault_in_value() - bring in an option's value that the kernel has missed
 * @value: of setsockopt(), or where that of getsockopt() belongs
 * @to: the latter
 * @len: bytes, as the program says
 * @tries: 0 before the first try; counted
 *
 * The kernel copies some under the socket lock, for which others wait who hold
 * a mutex of the connection. So options, too, are tried with page faults
 * disabled.
 * Context: process, no locks; may fault.
 * Return: as xvmc_fault_in().
 */
bool xvmc_fault_in_value(void __user *value, bool to, size_t len, u32 *tries)
{
	struct iov_iter iter;

	len = min_t(size_t, len, FAULT_VALUE);
	iov_iter_ubuf(&iter, to ? ITER_DEST : ITER_SOURCE, value, len);
	return xvmc_fault_in(&iter, to, len, tries);
}
EXPORT_SYMBOL_GPL(xvmc_fault_in_value);
