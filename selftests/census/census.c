// SPDX-License-Identifier: GPL-2.0
/*
 * census DOMID...: what guests share with each other, as Xen has it. For dom0.
 *
 * A line for each domain and each other guest that it shares something with:
 *	DOMID PEER granted N mapped N ports N
 * granted: entries of DOMID's grant table that name PEER; mapped: those of them
 * that are in use now, by Xen's own marks in the table; ports: event channels
 * of DOMID that are bound to PEER or wait for it. What guests share with dom0
 * (console, disk, network) is left out, but for the ports of DOMID 0: Xen maps
 * for no domain its own grant table, and XenVMC grants nothing there.
 */
/* Else the headers speak of the interface as it was before Xen 3.2 */
#define __XEN_TOOLS__ 1
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xencall.h>
#include <xenforeignmemory.h>
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>

#define PAGE		4096U
#define DOMIDS		0x7ff0U		/* DOMID_FIRST_RESERVED */

struct count {
	unsigned int granted;
	unsigned int mapped;
	unsigned int ports;
};

static xencall_handle *xcall;
static xenforeignmemory_handle *memory;

/* One grant-table or event-channel operation. 0, or -1 with errno */
static int ask(unsigned int call, unsigned int op, void *arg, size_t size)
{
	void *buf = xencall_alloc_buffer(xcall, size);
	int error, ret;

	if (!buf)
		err(1, "hypercall buffer");
	memcpy(buf, arg, size);
	if (call == __HYPERVISOR_grant_table_op)
		ret = xencall3(xcall, call, op, (uintptr_t)buf, 1);
	else
		ret = xencall2(xcall, call, op, (uintptr_t)buf);
	error = errno;
	memcpy(arg, buf, size);
	xencall_free_buffer(xcall, buf);
	errno = error;
	return ret;
}

static unsigned int table_frames(unsigned int domid)
{
	struct gnttab_query_size size = { .dom = domid };

	if (ask(__HYPERVISOR_grant_table_op, GNTTABOP_query_size, &size,
		sizeof(size)) || size.status != GNTST_okay)
		errx(1, "domain %u: its grant table has no size", domid);
	return size.nr_frames;
}

static void count_grants(unsigned int domid, struct count *with)
{
	const unsigned int type = XENMEM_resource_grant_table;
	const unsigned int id = XENMEM_resource_grant_table_id_shared;
	unsigned int frames = table_frames(domid), i;
	xenforeignmemory_resource_handle *handle;
	const struct grant_entry_v1 *table;
	void *addr = NULL;

	if (!frames)
		return;
	handle = xenforeignmemory_map_resource(memory, domid, type, id, 0,
					       frames, &addr, PROT_READ, 0);
	if (!handle)
		err(1, "domain %u: cannot map its grant table", domid);
	table = addr;
	for (i = 0; i < frames * PAGE / sizeof(*table); i++) {
		if ((table[i].flags & GTF_type_mask) != GTF_permit_access ||
		    !table[i].domid || table[i].domid >= DOMIDS)
			continue;
		with[table[i].domid].granted++;
		if (table[i].flags & (GTF_reading | GTF_writing))
			with[table[i].domid].mapped++;
	}
	xenforeignmemory_unmap_resource(memory, handle);
}

static unsigned int port_peer(const struct evtchn_status *status)
{
	switch (status->status) {
	case EVTCHNSTAT_interdomain:
		return status->u.interdomain.dom;
	case EVTCHNSTAT_unbound:
		return status->u.unbound.dom;
	default:
		return 0;
	}
}

static void count_ports(unsigned int domid, struct count *with)
{
	/* Xen answers for port 0 that there is none */
	struct evtchn_status status = { .dom = domid, .port = 1 };
	unsigned int peer;

	for (;; status.port++) {
		if (ask(__HYPERVISOR_event_channel_op, EVTCHNOP_status, &status,
			sizeof(status)))
			break;
		peer = port_peer(&status);
		if (peer && peer < DOMIDS)
			with[peer].ports++;
	}
	/* The first port that no table has room for ends the list */
	if (errno != EINVAL || status.port == 1)
		err(1, "domain %u: port %u", domid, status.port);
}

static void count(const char *name)
{
	char *end;
	unsigned long domid = strtoul(name, &end, 10);
	struct count *with;
	unsigned int peer;

	if (!*name || *end || domid >= DOMIDS)
		errx(2, "%s: not the id of a domain", name);
	with = calloc(DOMIDS, sizeof(*with));
	if (!with)
		err(1, "memory");
	if (domid)
		count_grants(domid, with);
	count_ports(domid, with);
	for (peer = 0; peer < DOMIDS; peer++)
		if (with[peer].granted || with[peer].ports)
			printf("%lu %u granted %u mapped %u ports %u\n", domid,
			       peer, with[peer].granted, with[peer].mapped,
			       with[peer].ports);
	free(with);
}

int main(int argc, char **argv)
{
	int i;

	if (argc < 2)
		errx(2, "usage: census DOMID...");
	xcall = xencall_open(NULL, 0);
	memory = xenforeignmemory_open(NULL, 0);
	if (!xcall || !memory)
		err(1, "no access to Xen");
	for (i = 1; i < argc; i++)
		count(argv[i]);
	xenforeignmemory_close(memory);
	xencall_close(xcall);
	return 0;
}
