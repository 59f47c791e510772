// SPDX-License-Identifier: GPL-2.0
/*
 * Ring pages shared by grants: own ones are granted, a peer's are mapped.
 *
 * Own pages are whole and zeroed, and are freed only when the peer has let go
 * of them. Rings that it still maps are kept in a list, by domain, and tried
 * again every second, so that the caller knows how much a domain holds, even if
 * peer objects came and went meanwhile; when the module goes, the grant table's
 * own deferred path takes them over. The peer can write to the header page, so
 * the grant references that are ended come from private memory. A peer's pages
 * are mapped one by one and reached through the linear map: vmap() of foreign
 * pages gives empty page tables in a PV guest.
 *
 * Half of the grant table's entries are for others, disks above all, whose
 * drivers wait for entries: beyond that no ring is made, whoever asks.
 *
 * Process context. The caller serialises what it does to one ring; grant_mutex,
 * innermost, protects the list.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/workqueue.h>
#include <xen/grant_table.h>
#include <xen/page.h>
#include <asm/xen/hypercall.h>
#include "fault.h"
#include "grant.h"

#define GRANT_BATCH	16	/* operations per hypercall */
#define GRANT_RETRY	HZ
#define GRANT_LAST_WAIT	HZ	/* for the peers when the module goes */

static void grant_retry_work(struct work_struct *work);

static atomic_t grant_entries;		/* of own rings */
static LIST_HEAD(grant_held);	/* own rings that a peer still maps */
static DEFINE_MUTEX(grant_mutex);
static DECLARE_DELAYED_WORK(grant_work, grant_retry_work);

/**
 * struct grant_own - what it takes to end an own ring
 * @node: in the list of rings that a peer still maps
 * @domid: that peer
 * @page: data pages, for struct xvmc_ring_mem
 * @hdr: header page, or NULL
 * @hdr_ref: its grant
 * @entries: of the grant table, counted until it is freed
 * @nr: data pages that exist and are granted
 * @ref: grants of the data pages
 */
struct grant_own {
	struct list_head node;
	u16 domid;
	void **page;
	void *hdr;
	grant_ref_t hdr_ref;
	u32 entries;
	u32 nr;
	grant_ref_t ref[];
};

/**
 * struct grant_map - what it takes to unmap a peer's ring
 * @domid: whose it is
 * @nr: pages, the header is the first
 * @page: data pages, for struct xvmc_ring_mem
 * @pages: the pages as allocated
 * @handle: of each mapping, %INVALID_GRANT_HANDLE if there is none
 * @queue: for the unmapping of a batch
 * @ops: for the unmapping of a batch; allocated now, for unmapping must not
 *	fail for lack of memory
 */
struct grant_map {
	u16 domid;
	u32 nr;
	void **page;
	struct page **pages;
	grant_handle_t *handle;
	struct gntab_unmap_queue_data queue;
	struct gnttab_unmap_grant_ref ops[GRANT_BATCH];
};

/* ---- own rings ---- */

/* The reference, or -ENOSPC */
static int grant_page(u16 domid, void *addr, bool fails)
{
	if (fails)
		return -ENOSPC;
	return gnttab_grant_foreign_access(domid, virt_to_gfn(addr), 0);
}

static struct page *grant_new_piece(u32 order, bool fails)
{
	gfp_t gfp = GFP_KERNEL | __GFP_ZERO;

	if (fails)
		return NULL;
	if (order)
		gfp |= __GFP_NORETRY | __GFP_NOWARN;
	return alloc_pages(gfp, order);
}

/*
 * 1 << @order new zeroed pages, in pieces as large as there are: copies go on
 * from a page to its neighbour, see xvmc_ring_at().
 */
static int grant_new_pages(void **page, u32 order)
{
	u32 nr = 1U << order, done = 0, i;
	struct page *piece;
	int which;

	which = xvmc_which_fails(XVMC_FAULT_RING_PAGE, nr);
	while (done < nr) {
		piece = grant_new_piece(order, xvmc_fails_among(which, done,
								1U << order));
		if (!piece && !order--)
			goto free_pages;
		if (!piece)
			continue;
		split_page(piece, order);
		for (i = 0; i < 1U << order; i++)
			page[done++] = page_address(piece + i);
	}
	return 0;

free_pages:
	while (done--)
		free_page((unsigned long)page[done]);
	return -ENOMEM;
}

/* How large is an entry of the guest's table? The kernel does not say */
static u32 grant_entry_size(void)
{
	struct gnttab_get_version get = { .dom = DOMID_SELF };

	if (!HYPERVISOR_grant_table_op(GNTTABOP_get_version, &get, 1) &&
	    get.version == 1)
		return sizeof(struct grant_entry_v1);
	return sizeof(union grant_entry_v2);
}

/* Half of them: others in the guest need some, too */
static u32 grant_most_entries(void)
{
	return gnttab_max_grant_frames() * (XEN_PAGE_SIZE /
					    grant_entry_size()) / 2;
}

static void grant_free_own(struct grant_own *own)
{
	atomic_sub(own->entries, &grant_entries);
	kfree(own->page);
	kfree(own);
}

/* Ends page after page. False, with the rest, at the first still mapped */
static bool grant_try_end(struct grant_own *own)
{
	while (own->nr) {
		if (!gnttab_try_end_foreign_access(own->ref[own->nr - 1]))
			return false;
		own->nr--;
		free_page((unsigned long)own->page[own->nr]);
	}
	if (own->hdr && !gnttab_try_end_foreign_access(own->hdr_ref))
		return false;
	free_page((unsigned long)own->hdr);
	grant_free_own(own);
	return true;
}

/* The grant table frees the pages when the peer lets go, if it ever does */
static void grant_abandon(struct grant_own *own)
{
	while (own->nr) {
		own->nr--;
		gnttab_end_foreign_access(own->ref[own->nr],
					  virt_to_page(own->page[own->nr]));
	}
	if (own->hdr)
		gnttab_end_foreign_access(own->hdr_ref, virt_to_page(own->hdr));
	grant_free_own(own);
}

static struct grant_own *grant_new_own(u32 pages)
{
	struct grant_own *own;

	if (xvmc_should_fail(XVMC_FAULT_OWN))
		return NULL;
	own = kzalloc(struct_size(own, ref, pages), GFP_KERNEL);
	if (!own)
		return NULL;
	if (!xvmc_should_fail(XVMC_FAULT_OWN))
		own->page = kcalloc(pages, sizeof(*own->page), GFP_KERNEL);
	if (!own->page) {
		kfree(own);
		return NULL;
	}
	own->entries = pages + 1;
	atomic_add(own->entries, &grant_entries);
	return own;
}

static int grant_new_data(struct grant_own *own, u16 domid, u32 order)
{
	int ret = grant_new_pages(own->page, order);
	u32 pages = 1U << order;
	int which;
	u32 i;

	if (ret)
		return ret;
	which = xvmc_which_fails(XVMC_FAULT_GRANT, pages);
	for (i = 0; i < pages && ret >= 0; i++) {
		ret = grant_page(domid, own->page[i],
				 xvmc_fails_among(which, i, 1));
		if (ret >= 0)
			own->ref[own->nr++] = ret;
	}
	/* Nobody knows of those behind the one that could not be granted */
	for (i = own->nr; i < pages; i++)
		free_page((unsigned long)own->page[i]);
	return ret < 0 ? ret : 0;
}

/* The header is complete before the peer can reach it */
static int grant_new_hdr(struct grant_own *own, struct xvmc_ring_mem *mem,
			 u16 domid, u32 order)
{
	struct xvmc_ring_hdr *hdr = NULL;
	int ret;
	u32 i;

	if (!xvmc_should_fail(XVMC_FAULT_RING_HDR))
		hdr = (void *)get_zeroed_page(GFP_KERNEL);
	if (!hdr)
		return -ENOMEM;
	xvmc_ring_format(hdr, order);
	for (i = 0; i < own->nr; i++)
		hdr->gref[i] = own->ref[i];
	ret = grant_page(domid, hdr, xvmc_should_fail(XVMC_FAULT_GRANT));
	if (ret < 0) {
		free_page((unsigned long)hdr);
		return ret;
	}
	own->hdr = hdr;
	own->hdr_ref = ret;
	mem->hdr = hdr;
	mem->page = own->page;
	mem->order = order;
	mem->token = ret;
	mem->priv = own;
	return 0;
}

/**
 * xvmc_grant_ring() - allocates a ring and grants it
 * @domid: to whom
 * @mem: filled
 * @order: log2 of the number of data pages
 *
 * Context: Process context.
 * Return: 0, -ENOMEM, -ENOSPC if that were too many entries of the grant table,
 * or another negative errno; @mem is not touched then.
 */
int xvmc_grant_ring(u16 domid, struct xvmc_ring_mem *mem, u32 order)
{
	struct grant_own *own;
	int err;

	if (order > XVMC_RING_MAX_ORDER)
		return -EINVAL;
	own = grant_new_own(1U << order);
	if (!own)
		return -ENOMEM;
	own->domid = domid;
	/* Two that meet here may both be one too many */
	err = atomic_read(&grant_entries) > grant_most_entries() ? -ENOSPC : 0;
	if (!err)
		err = grant_new_data(own, domid, order);
	if (!err)
		err = grant_new_hdr(own, mem, domid, order);
	/* A peer may have guessed a reference and mapped the page */
	if (err)
		grant_abandon(own);
	return err;
}

/* Frees what was let go of. Returns the pages that @domid may still map */
static u32 grant_retry(u16 domid)
{
	struct grant_own *own;
	LIST_HEAD(tried);
	u32 pages = 0;

	lockdep_assert_held(&grant_mutex);
	while (!list_empty(&grant_held)) {
		own = list_first_entry(&grant_held, struct grant_own, node);
		list_del(&own->node);
		if (grant_try_end(own))
			continue;
		list_add_tail(&own->node, &tried);
		if (own->domid == domid)
			pages += own->nr + 1;
	}
	list_splice(&tried, &grant_held);
	return pages;
}

static void grant_retry_work(struct work_struct *work)
{
	mutex_lock(&grant_mutex);
	grant_retry(0);
	if (!list_empty(&grant_held))
		schedule_delayed_work(&grant_work, GRANT_RETRY);
	mutex_unlock(&grant_mutex);
}

/**
 * xvmc_grant_end() - takes a ring back
 * @mem: as xvmc_grant_ring() filled it, or empty; empty afterwards
 *
 * Pages that the peer still maps are freed when it has unmapped them.
 *
 * Context: Process context.
 */
void xvmc_grant_end(struct xvmc_ring_mem *mem)
{
	struct grant_own *own = mem->priv;

	if (!own)
		return;
	memset(mem, 0, sizeof(*mem));
	if (grant_try_end(own))
		return;
	mutex_lock(&grant_mutex);
	list_add_tail(&own->node, &grant_held);
	schedule_delayed_work(&grant_work, GRANT_RETRY);
	mutex_unlock(&grant_mutex);
}

/**
 * xvmc_grant_pages_held() - how much of ended rings does a domain still map?
 * @domid: the domain
 *
 * Context: Process context.
 * Return: pages, an upper bound.
 */
u32 xvmc_grant_pages_held(u16 domid)
{
	u32 pages;

	mutex_lock(&grant_mutex);
	pages = grant_retry(domid);
	mutex_unlock(&grant_mutex);
	return pages;
}

/**
 * xvmc_grant_restored() - this guest goes on as another domain
 *
 * The grant table is a new one. The references of rings that a peer kept are
 * ours still, for the kernel gives none to anybody that was not ended before,
 * and their entries are empty: no domain of this host maps what they named.
 * They are ended like any others. Where a suspend failed so late that it ends
 * in this call it is the old table, and what a peer keeps stays in the list,
 * under the domain id that it has still.
 *
 * Context: Process context.
 */
void xvmc_grant_restored(void)
{
	mutex_lock(&grant_mutex);
	grant_retry(0);
	mutex_unlock(&grant_mutex);
}

/* Peers that have just heard that we leave get a moment to unmap */
static void grant_await(void)
{
	unsigned long end = jiffies + GRANT_LAST_WAIT;

	lockdep_assert_held(&grant_mutex);
	for (;;) {
		grant_retry(0);
		if (list_empty(&grant_held) || time_after(jiffies, end))
			break;
		schedule_timeout_uninterruptible(HZ / 50 + 1);
	}
}

/**
 * xvmc_grant_all_back() - does no peer map a page of ours any more?
 *
 * Waits a moment for that. Nobody ends rings meanwhile.
 *
 * Context: Process context.
 * Return: true if all are back.
 */
bool xvmc_grant_all_back(void)
{
	bool all;

	mutex_lock(&grant_mutex);
	grant_await();
	all = list_empty(&grant_held);
	mutex_unlock(&grant_mutex);
	return all;
}

/**
 * xvmc_grant_exit() - leaves it to the grant table to free what is still mapped
 *
 * Not at once: the grant table frees but ten pages in a second. Nobody ends
 * rings any more.
 *
 * Context: Process context.
 */
void xvmc_grant_exit(void)
{
	struct grant_own *own, *next;

	cancel_delayed_work_sync(&grant_work);
	mutex_lock(&grant_mutex);
	grant_await();
	list_for_each_entry_safe(own, next, &grant_held, node) {
		list_del(&own->node);
		grant_abandon(own);
	}
	mutex_unlock(&grant_mutex);
}

/* ---- a peer's rings ---- */

/*
 * Whose fault a failed mapping is. No room for one more mapping passes as no
 * memory does: others give theirs back. Xen answers general_error to a
 * reference that is not granted, not to us, or read-only; the kernel uses the
 * same value when it cannot enter the page into its own tables, and clears the
 * handle.
 */
static int grant_map_error(const struct gnttab_map_grant_ref *op)
{
	switch (op->status) {
	case GNTST_okay:
		return 0;
	case GNTST_general_error:
		return op->handle == INVALID_GRANT_HANDLE ? -ENOMEM : -EPROTO;
	case GNTST_bad_gntref:
	case GNTST_bad_page:
	case GNTST_permission_denied:
		return -EPROTO;
	case GNTST_bad_domain:
		return -ENODEV;
	case GNTST_no_device_space:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static unsigned long grant_addr(const struct grant_map *map, u32 i)
{
	return (unsigned long)page_address(map->pages[i]);
}

/* Entry @which, if any, is not even tried: Xen has no room for the mapping */
static int grant_map_refs(struct gnttab_map_grant_ref *op, struct page **pages,
			  u32 n, int which)
{
	int err;

	if (which < 0)
		return gnttab_map_refs(op, NULL, pages, n);
	op[which].status = GNTST_no_device_space;
	op[which].handle = INVALID_GRANT_HANDLE;
	err = gnttab_map_refs(op, NULL, pages, which);
	if (err)
		return err;
	which++;
	return gnttab_map_refs(op + which, NULL, pages + which, n - which);
}

/* Maps @n pages from @first on. What was mapped is noted in any case */
static int grant_map_batch(struct grant_map *map, u32 first, u32 n,
			   const u32 *gref, int which)
{
	struct gnttab_map_grant_ref op[GRANT_BATCH] = {};
	int err, ret;
	u32 i;

	for (i = 0; i < n; i++) {
		gnttab_set_map_op(&op[i], grant_addr(map, first + i),
				  GNTMAP_host_map, gref[i], map->domid);
		/* Until Xen says otherwise: it may not be reached at all */
		op[i].status = GNTST_no_device_space;
	}
	err = grant_map_refs(op, map->pages + first, n, which);
	for (i = 0; i < n; i++) {
		ret = grant_map_error(&op[i]);
		if (!ret)
			map->handle[first + i] = op[i].handle;
		else if (!err)
			err = ret;
	}
	return err;
}

static int grant_map_pages(struct grant_map *map, u32 first, u32 n,
			   const u32 *gref)
{
	int which = xvmc_which_fails(XVMC_FAULT_MAP_OP, n);
	u32 batch, done;
	int err;

	for (done = 0; done < n; done += batch) {
		batch = min_t(u32, n - done, GRANT_BATCH);
		err = grant_map_batch(map, first + done, batch, gref + done,
				      xvmc_fails_among(which, done, batch) ?
				      which - (int)done : -1);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

/* Unmaps a run of mapped pages */
static int grant_unmap_batch(struct grant_map *map, u32 first, u32 n)
{
	int ret;
	u32 i;

	for (i = 0; i < n; i++) {
		gnttab_set_unmap_op(&map->ops[i], grant_addr(map, first + i),
				    GNTMAP_host_map, map->handle[first + i]);
		map->handle[first + i] = INVALID_GRANT_HANDLE;
	}
	map->queue.unmap_ops = map->ops;
	map->queue.kunmap_ops = NULL;
	map->queue.pages = map->pages + first;
	map->queue.count = n;
	ret = gnttab_unmap_refs_sync(&map->queue);
	for (i = 0; i < n && !ret; i++)
		if (map->ops[i].status != GNTST_okay)
			ret = -EIO;
	return ret;
}

/* Length of the run from @first on that is mapped, or not; a batch at most */
static u32 grant_run(const struct grant_map *map, u32 first, bool mapped)
{
	u32 n = 0;

	while (first + n < map->nr && n < GRANT_BATCH &&
	       (map->handle[first + n] != INVALID_GRANT_HANDLE) == mapped)
		n++;
	return n;
}

/* Unmaps whatever is mapped. Pages stay if the hypervisor refuses: a leak */
static int grant_unmap_pages(struct grant_map *map)
{
	int err = 0, ret;
	u32 i = 0, n;

	while (i < map->nr) {
		i += grant_run(map, i, false);
		n = grant_run(map, i, true);
		if (!n)
			continue;
		ret = grant_unmap_batch(map, i, n);
		if (ret)
			err = ret;
		i += n;
	}
	/* In a test, what was unmapped is taken for what was not */
	return xvmc_should_fail(XVMC_FAULT_UNMAP) ? -EIO : err;
}

static void grant_free_map(struct grant_map *map)
{
	kfree(map->handle);
	kvfree(map->pages);
	kfree(map->page);
	kfree(map);
}

/* Neighbours next to each other, see xvmc_ring_at() */
static int grant_by_pfn(const void *a, const void *b)
{
	unsigned long left = page_to_pfn(*(struct page * const *)a);
	unsigned long right = page_to_pfn(*(struct page * const *)b);

	return left < right ? -1 : left > right;
}

static struct grant_map *grant_new_map(u16 domid, u32 order)
{
	struct grant_map *map = NULL;
	u32 i;

	if (!xvmc_should_fail(XVMC_FAULT_MAP_MEM))
		map = kzalloc(sizeof(*map), GFP_KERNEL);
	if (!map)
		return NULL;
	map->domid = domid;
	map->nr = 1 + (1U << order);
	if (!xvmc_should_fail(XVMC_FAULT_MAP_MEM))
		map->page = kcalloc(map->nr - 1, sizeof(*map->page),
				    GFP_KERNEL);
	if (!xvmc_should_fail(XVMC_FAULT_MAP_MEM))
		map->pages = kvcalloc(map->nr, sizeof(*map->pages), GFP_KERNEL);
	if (!xvmc_should_fail(XVMC_FAULT_MAP_MEM))
		map->handle = kmalloc_array(map->nr, sizeof(*map->handle),
					    GFP_KERNEL);
	if (!map->page || !map->pages || !map->handle)
		goto free_map;
	for (i = 0; i < map->nr; i++)
		map->handle[i] = INVALID_GRANT_HANDLE;
	if (xvmc_should_fail(XVMC_FAULT_MAP_PAGES) ||
	    gnttab_alloc_pages(map->nr, map->pages))
		goto free_map;
	sort(map->pages, map->nr, sizeof(*map->pages), grant_by_pfn, NULL);
	for (i = 1; i < map->nr; i++)
		map->page[i - 1] = page_address(map->pages[i]);
	return map;

free_map:
	grant_free_map(map);
	return NULL;
}

static void grant_unmap_all(struct grant_map *map)
{
	int err = grant_unmap_pages(map);

	/* A page that may still be foreign can be of no other use */
	if (err)
		pr_err("domain %u: cannot unmap: error %d, pages lost\n",
		       map->domid, err);
	else
		gnttab_free_pages(map->nr, map->pages);
	grant_free_map(map);
}

/* The header is mapped: reads it once, maps what it names */
static int grant_map_data(struct grant_map *map, u32 order)
{
	struct xvmc_ring_hdr *hdr = page_address(map->pages[0]);
	u32 *gref = NULL;
	int err;

	if (!xvmc_should_fail(XVMC_FAULT_MAP_GREFS))
		gref = kmalloc_array(1U << order, sizeof(*gref), GFP_KERNEL);
	if (!gref)
		return -ENOMEM;
	err = xvmc_ring_read_grefs(hdr, order, gref);
	if (err >= 0)
		err = grant_map_pages(map, 1, 1U << order, gref);
	kfree(gref);
	return err;
}

/**
 * xvmc_grant_map() - maps a peer's ring
 * @domid: whose it is
 * @mem: filled
 * @order: log2 of the number of data pages that it must have
 * @gref: grant reference of its header page
 *
 * Asks for write access to every page, so a read-only grant is refused by Xen.
 *
 * Context: Process context.
 * Return: 0, -EPROTO if the peer is at fault, another negative errno for own
 * trouble; @mem is not touched then.
 */
int xvmc_grant_map(u16 domid, struct xvmc_ring_mem *mem, u32 order, u32 gref)
{
	struct grant_map *map;
	int err;

	if (order > XVMC_RING_MAX_ORDER)
		return -EPROTO;
	map = grant_new_map(domid, order);
	if (!map)
		return -ENOMEM;
	err = grant_map_pages(map, 0, 1, &gref);
	if (err)
		goto unmap_all;
	err = grant_map_data(map, order);
	if (err)
		goto unmap_all;
	mem->hdr = page_address(map->pages[0]);
	mem->page = map->page;
	mem->order = order;
	mem->token = gref;
	mem->priv = map;
	return 0;

unmap_all:
	grant_unmap_all(map);
	return err;
}

/**
 * xvmc_grant_unmap() - lets go of a peer's ring
 * @mem: as xvmc_grant_map() filled it, or empty; empty afterwards
 *
 * Context: Process context.
 */
void xvmc_grant_unmap(struct xvmc_ring_mem *mem)
{
	struct grant_map *map = mem->priv;

	if (!map)
		return;
	memset(mem, 0, sizeof(*mem));
	grant_unmap_all(map);
}
