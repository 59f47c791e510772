// SPDX-License-Identifier: GPL-2.0
/*
 * greeter: begins with a peer, with a lie in the first words.
 *
 *	insmod greeter.ko domid=1 port=9 gref=800 lie=ring_nowhere
 *	insmod greeter.ko domid=3 node=/local/domain/2/xenvmc/peer/3
 *		lie=port_nowhere
 *
 * The first form answers an offer of @domid with a HELLO, the second one makes
 * an offer to it. xenvmc must not be loaded here. What was granted, mapped and
 * bound is undone when the module goes.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <xen/events.h>
#include <xen/grant_table.h>
#include <xen/page.h>
#include <xen/xenbus.h>
#include <asm/xen/hypercall.h>
#include <asm/xen/hypervisor.h>
#include "core/wire.h"

static uint domid, port, gref;
module_param(domid, uint, 0444);
MODULE_PARM_DESC(domid, "the peer");
module_param(port, uint, 0444);
MODULE_PARM_DESC(port, "port of its offer");
module_param(gref, uint, 0444);
MODULE_PARM_DESC(gref, "control ring of its offer");

static char *node = "", *lie = "";
module_param(node, charp, 0444);
MODULE_PARM_DESC(node, "folder of our offer");
module_param(lie, charp, 0444);
MODULE_PARM_DESC(lie, "what is false");

#define RING_PAGES	BIT(XVMC_CTL_ORDER)
#define DOM0_REF	8	/* the first that is not reserved */

static evtchn_port_t own_port;		/* bound or unbound; 0: none */
/* Our control ring: header first. Its pages go with their grants */
static struct page *own[1 + RING_PAGES];
static grant_ref_t own_ref[1 + RING_PAGES];
/* The peer's: header and first data page */
static struct page *theirs[2];
static grant_handle_t handle[2];
static bool mapped[2];

static bool lie_is(const char *what)
{
	return !strcmp(lie, what);
}

/* ---- our ring ---- */

static int grant_own(void)
{
	struct xvmc_ring_hdr *hdr;
	bool readonly;
	int i, ref;

	for (i = RING_PAGES; i >= 0; i--) {
		own[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!own[i])
			return -ENOMEM;
		readonly = lie_is(i ? "ring_data_readonly" : "ring_readonly");
		ref = gnttab_grant_foreign_access(domid, xen_page_to_gfn(own[i]),
						  readonly);
		if (ref < 0)
			return ref;
		own_ref[i] = ref;
	}
	hdr = page_address(own[0]);
	hdr->magic = lie_is("ring_magic") ? 0x12345678 : XVMC_RING_MAGIC;
	hdr->order = XVMC_CTL_ORDER;
	for (i = 0; i < RING_PAGES; i++)
		hdr->gref[i] = own_ref[1 + i];
	if (lie_is("ring_data_nowhere"))
		hdr->gref[1] = U32_MAX;
	if (lie_is("ring_data_foreign"))
		hdr->gref[1] = DOM0_REF;
	if (lie_is("ring_data_twice"))
		hdr->gref[1] = own_ref[1];
	if (lie_is("ring_data_is_header"))
		hdr->gref[0] = own_ref[0];
	return 0;
}

static void end_own(void)
{
	int i;

	for (i = 0; i <= RING_PAGES; i++) {
		if (own_ref[i])
			gnttab_end_foreign_access(own_ref[i], own[i]);
		else if (own[i])
			__free_page(own[i]);
	}
}

/* What the peer is told of it */
static u32 told_ref(void)
{
	if (lie_is("ring_nowhere"))
		return U32_MAX;
	return lie_is("ring_foreign") ? DOM0_REF : own_ref[0];
}

/* ---- the peer's ring ---- */

static int map_one(int i, u32 ref)
{
	struct gnttab_map_grant_ref op = {};
	int err;

	err = gnttab_alloc_pages(1, &theirs[i]);
	if (err)
		return err;
	gnttab_set_map_op(&op, (unsigned long)page_address(theirs[i]),
			  GNTMAP_host_map, ref, domid);
	err = gnttab_map_refs(&op, NULL, &theirs[i], 1);
	if (err || op.status != GNTST_okay)
		return err ? err : -EINVAL;
	handle[i] = op.handle;
	mapped[i] = true;
	return 0;
}

static void unmap_all(void)
{
	struct gnttab_unmap_grant_ref op = {};
	unsigned long addr;
	int i;

	for (i = 1; i >= 0; i--) {
		if (mapped[i]) {
			addr = (unsigned long)page_address(theirs[i]);
			gnttab_set_unmap_op(&op, addr, GNTMAP_host_map,
					    handle[i]);
			gnttab_unmap_refs(&op, NULL, &theirs[i], 1);
		}
		if (theirs[i])
			gnttab_free_pages(1, &theirs[i]);
	}
}

static void say_hello(void)
{
	struct xvmc_msg_hello body = {
		.version = XVMC_VERSION, .ctl_gref = told_ref(),
	};
	struct xvmc_frame_hdr frame = {
		.len = sizeof(body), .type = XVMC_MSG_HELLO,
	};
	u8 *data = page_address(theirs[1]);
	struct xvmc_ring_hdr *hdr = page_address(theirs[0]);

	memcpy(data, &frame, sizeof(frame));
	memcpy(data + sizeof(frame), &body, sizeof(body));
	/* The peer reads the index first */
	smp_store_release(&hdr->prod, ALIGN(sizeof(frame) + sizeof(body),
					    XVMC_FRAME_ALIGN));
	notify_remote_via_evtchn(own_port);
}

static int greet(void)
{
	struct evtchn_bind_interdomain bind = {
		.remote_dom = domid, .remote_port = port,
	};
	struct xvmc_ring_hdr *hdr;
	int err;

	err = map_one(0, gref);
	if (err)
		return err;
	hdr = page_address(theirs[0]);
	err = map_one(1, READ_ONCE(hdr->gref[0]));
	if (!err)
		err = HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain,
						  &bind);
	if (err)
		return err;
	own_port = bind.local_port;
	say_hello();
	return 0;
}

/* ---- our offer ---- */

static int offer(void)
{
	struct evtchn_alloc_unbound alloc = {
		.dom = DOMID_SELF,
		/* A port that is for another domain cannot be bound */
		.remote_dom = lie_is("port_of_another") ? 0 : domid,
	};
	u32 told;
	int err;

	err = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc);
	if (err)
		return err;
	own_port = alloc.port;
	told = lie_is("port_nowhere") ? 3000 : own_port;
	return xenbus_printf(XBT_NIL, node, "offer", "%u 0 %u %u",
			     XVMC_VERSION, told, told_ref());
}

/* ---- life ---- */

static void undo(void)
{
	struct evtchn_close close = { .port = own_port };

	if (own_port)
		HYPERVISOR_event_channel_op(EVTCHNOP_close, &close);
	unmap_all();
	end_own();
}

static int __init greeter_init(void)
{
	int err = grant_own();

	if (!err)
		err = *node ? offer() : greet();
	pr_info("%s: %d\n", lie, err);
	if (err)
		undo();
	return err;
}

static void __exit greeter_exit(void)
{
	undo();
}

module_init(greeter_init);
module_exit(greeter_exit);
MODULE_DESCRIPTION("XenVMC: begins with a lie, for tests");
MODULE_LICENSE("GPL");
