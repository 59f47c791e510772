// SPDX-License-Identifier: GPL-2.0
/*
 * witness.ko: what memory our modules have allocated and not freed.
 *
 * It hears the allocators' own tracepoints, so it knows also what a module has
 * forgotten, and what a module that is gone has left. Each object of kmalloc()
 * and each page is remembered until it is freed, if code of a module named
 * xenvmc* (or leaky) has asked for it, itself or by a function of the
 * allocator's own, as kvmalloc(). It must be loaded before these, and stays.
 *
 * /sys/kernel/debug/xenvmc-witness has lines "NUMBER objects FUNCTION
 * [MODULE]", the same of pages, each with " unloaded" behind it if the module
 * is gone, and "NUMBER unseen", for which there was no room.
 */
#include <linux/debugfs.h>
#include <linux/hash.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/task_stack.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/stacktrace.h>
#include <linux/tracepoint.h>
#include <linux/vmalloc.h>
#include <trace/events/kmem.h>

#define DEPTH	20U		/* callers that are looked at */
#define REACH	2048U		/* bytes of stack that may name one of ours */
#define MODULES	8U
#define OWNERS	1024U
#define THINGS	65536U
#define BITS	14

/**
 * struct owner - where our code has asked for memory
 * @addr: the call returns there; 0 if that may be other code by now
 * @mod: whose code that is, NULL if it is gone
 * @held: things
 * @pages: they are pages, not objects
 * @name: of the function and its module
 */
struct owner {
	unsigned long addr;
	const struct module *mod;
	unsigned int held;
	bool pages;
	char name[128];
};

/**
 * struct thing - an object or a page
 * @node: among those with the same hash, or those not in use
 * @where: its address, a page's is that of its struct
 * @owner: who asked for it
 */
struct thing {
	struct hlist_node node;
	const void *where;
	struct owner *owner;
};

/* Protects all of these, but mods is also read without */
static DEFINE_RAW_SPINLOCK(lock);
static struct owner *owners;
static struct thing *things;
static struct hlist_head *by_hash, unused;
static unsigned long unseen;
static const struct module *mods[MODULES];

/* ---- who has asked for it ---- */

/* One of ours. None is gone while a tracepoint's function runs */
static const struct module *module_of(unsigned long addr)
{
	const struct module *mod;
	unsigned int i;

	if (addr < MODULES_VADDR || addr >= MODULES_END)
		return NULL;
	for (i = 0; i < MODULES; i++) {
		mod = READ_ONCE(mods[i]);
		if (mod && within_module(addr, mod))
			return mod;
	}
	return NULL;
}

/*
 * To walk the stack takes long: this finds most not to be worth it. On the
 * stacks of interrupts our code calls kmalloc() only, which is known without.
 */
static bool may_be_ours(void)
{
	const unsigned long *word = __builtin_frame_address(0);
	unsigned long start = (unsigned long)word;
	unsigned long end = (unsigned long)task_stack_page(current) +
			    THREAD_SIZE;

	if (!object_is_on_stack(word))
		return false;
	for (end = min(end, start + REACH); (unsigned long)word < end; word++)
		if (module_of(READ_ONCE_NOCHECK(*word)))
			return true;
	return false;
}

static bool is_allocator(unsigned long addr)
{
	static const char * const prefix[] = {
		"traceiter_", "alloc_pages", "alloc_frozen_pages",
		"get_free_pages", "get_zeroed_page", "kmalloc", "do_kmalloc",
		"kvmalloc", "vmalloc", "vzalloc",
	};
	char symbol[KSYM_SYMBOL_LEN], *name;
	unsigned int i;

	sprint_symbol_no_offset(symbol, addr);
	name = symbol + strspn(symbol, "_");
	for (i = 0; i < ARRAY_SIZE(prefix); i++)
		if (strstarts(name, prefix[i]))
			return true;
	return false;
}

/* Our code that has asked for it, 0 if other code has */
static unsigned long find_caller(void)
{
	unsigned long caller[DEPTH];
	unsigned int nr, i;

	if (!may_be_ours())
		return 0;
	nr = stack_trace_save(caller, DEPTH, 0);
	for (i = 0; i < nr; i++) {
		if (module_of(caller[i]))
			return caller[i];
		if (!within_module(caller[i], THIS_MODULE) &&
		    !is_allocator(caller[i]))
			break;
	}
	return 0;
}

/* Perhaps a new one, in the place of one that holds nothing; NULL: no room */
static struct owner *find_owner(unsigned long addr, bool pages)
{
	static char symbol[KSYM_SYMBOL_LEN];
	struct owner *owner, *found = NULL;

	lockdep_assert_held(&lock);
	for (owner = owners; owner < owners + OWNERS; owner++) {
		if (owner->addr == addr && owner->pages == pages)
			return owner;
		if (!owner->held && (!found || found->addr))
			found = owner;
		/* From here on none was ever used */
		if (!owner->name[0])
			break;
	}
	if (!found)
		return NULL;
	found->addr = addr;
	found->mod = module_of(addr);
	found->pages = pages;
	sprint_symbol_no_offset(symbol, addr);
	strscpy(found->name, symbol, sizeof(found->name));
	return found;
}

/* ---- what it is ---- */

static void forget_locked(const void *where)
{
	struct thing *thing;

	lockdep_assert_held(&lock);
	hlist_for_each_entry(thing, &by_hash[hash_ptr(where, BITS)], node) {
		if (thing->where != where)
			continue;
		thing->owner->held--;
		hlist_del(&thing->node);
		hlist_add_head(&thing->node, &unused);
		return;
	}
}

static void forget(const void *where)
{
	unsigned long flags;

	if (hlist_empty(&by_hash[hash_ptr(where, BITS)]))
		return;
	raw_spin_lock_irqsave(&lock, flags);
	forget_locked(where);
	raw_spin_unlock_irqrestore(&lock, flags);
}

/*
 * So many things, each of @size bytes from @where on. Large objects are told of
 * twice.
 */
static void remember(const void *where, unsigned int nr, size_t size,
		     unsigned long addr, bool pages)
{
	struct owner *owner;
	struct thing *thing;
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	owner = find_owner(addr, pages);
	for (; nr && owner && !hlist_empty(&unused); nr--, where += size) {
		forget_locked(where);
		thing = hlist_entry(unused.first, struct thing, node);
		hlist_del(&thing->node);
		hlist_add_head(&thing->node, &by_hash[hash_ptr(where, BITS)]);
		thing->where = where;
		thing->owner = owner;
		owner->held++;
	}
	unseen += nr;
	raw_spin_unlock_irqrestore(&lock, flags);
}

static void on_kmalloc(void *data, unsigned long call_site, const void *ptr,
		       size_t wanted, size_t given, gfp_t gfp, int node)
{
	unsigned long addr = call_site;

	if (!module_of(addr))
		addr = find_caller();
	if (addr && !ZERO_OR_NULL_PTR(ptr))
		remember(ptr, 1, 0, addr, false);
}

static void on_kfree(void *data, unsigned long call_site, const void *ptr)
{
	forget(ptr);
}

/*
 * kfree_rcu() frees many objects at once, of which no tracepoint tells, so they
 * are free when they are given to it. Its second argument was once the first
 * one's distance from the object.
 */
static int on_kfree_rcu(struct kprobe *probe, struct pt_regs *regs)
{
	unsigned long head = regs_get_kernel_argument(regs, 0);
	unsigned long second = regs_get_kernel_argument(regs, 1);

	forget((void *)(second < PAGE_SIZE ? head - second : second));
	return 0;
}

/*
 * Pages that can be moved are of programs and files, and high ones of vmalloc()
 * besides: its table of them, an object, tells of them all.
 */
static void on_page_alloc(void *data, struct page *page, unsigned int order,
			  gfp_t gfp, int migratetype)
{
	unsigned long addr;

	if (!page || (gfp & (__GFP_MOVABLE | __GFP_HIGHMEM)))
		return;
	addr = find_caller();
	if (addr)
		remember(page, 1U << order, sizeof(*page), addr, true);
}

/* Those of one allocation may be freed one by one */
static void on_page_free(void *data, struct page *page, unsigned int order)
{
	struct page *end = page + (1U << order);

	for (; page < end; page++)
		forget(page);
}

/* ---- modules come and go ---- */

static void swap_module(const struct module *old, const struct module *new)
{
	unsigned int i;

	lockdep_assert_held(&lock);
	for (i = 0; i < MODULES && mods[i] != old; i++)
		;
	if (i < MODULES)
		WRITE_ONCE(mods[i], new);
	else
		unseen++;
}

/* Code may be gone: what a live module began with, and all of one that goes */
static int on_module(struct notifier_block *self, unsigned long state,
		     void *data)
{
	const struct module *mod = data;
	unsigned long flags;
	unsigned int i;

	if (!strstarts(mod->name, "xenvmc") && !strstarts(mod->name, "leaky"))
		return NOTIFY_DONE;
	raw_spin_lock_irqsave(&lock, flags);
	if (state == MODULE_STATE_COMING)
		swap_module(NULL, mod);
	if (state == MODULE_STATE_GOING)
		swap_module(mod, NULL);
	for (i = 0; i < OWNERS; i++) {
		owners[i].addr = 0;
		if (state == MODULE_STATE_GOING && owners[i].mod == mod)
			owners[i].mod = NULL;
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	tracepoint_synchronize_unregister();
	return NOTIFY_DONE;
}

/* ---- the file ---- */

static int witness_show(struct seq_file *seq, void *nothing)
{
	const struct owner *owner;
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	for (owner = owners; owner < owners + OWNERS; owner++)
		if (owner->held)
			seq_printf(seq, "%u %s %s%s\n", owner->held,
				   owner->pages ? "pages" : "objects",
				   owner->name, owner->mod ? "" : " unloaded");
	seq_printf(seq, "%lu unseen\n", unseen);
	raw_spin_unlock_irqrestore(&lock, flags);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(witness);

/* ---- the start ---- */

static struct notifier_block module_notifier = { .notifier_call = on_module };

static struct kprobe rcu_probe = {
	.symbol_name	= "kvfree_call_rcu",
	.pre_handler	= on_kfree_rcu,
};

static struct listener {
	const char *name;
	void *probe;
	struct tracepoint *tp;
} listeners[] = {
	{ "kfree", on_kfree },
	{ "mm_page_free", on_page_free },
	{ "kmalloc", on_kmalloc },
	{ "mm_page_alloc", on_page_alloc },
};

static void find_tp(struct tracepoint *tp, void *data)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(listeners); i++)
		if (!strcmp(tp->name, listeners[i].name))
			listeners[i].tp = tp;
}

static int listen(void)
{
	int err = -EOPNOTSUPP;
	unsigned int i;

	check_trace_callback_type_kfree(on_kfree);
	check_trace_callback_type_mm_page_free(on_page_free);
	check_trace_callback_type_kmalloc(on_kmalloc);
	check_trace_callback_type_mm_page_alloc(on_page_alloc);
	for_each_kernel_tracepoint(find_tp, NULL);
	for (i = 0; i < ARRAY_SIZE(listeners); i++) {
		if (listeners[i].tp)
			err = tracepoint_probe_register(listeners[i].tp,
							listeners[i].probe,
							NULL);
		if (!listeners[i].tp || err)
			break;
	}
	if (i == ARRAY_SIZE(listeners))
		return 0;
	while (i--)
		tracepoint_probe_unregister(listeners[i].tp,
					    listeners[i].probe, NULL);
	tracepoint_synchronize_unregister();
	return err;
}

static int make_tables(void)
{
	unsigned int i;

	owners = vzalloc(array_size(OWNERS, sizeof(*owners)));
	things = vzalloc(array_size(THINGS, sizeof(*things)));
	by_hash = vzalloc(array_size(1U << BITS, sizeof(*by_hash)));
	if (!owners || !things || !by_hash)
		return -ENOMEM;
	for (i = 0; i < THINGS; i++)
		hlist_add_head(&things[i].node, &unused);
	return 0;
}

static int __init witness_init(void)
{
	int err = make_tables();

	if (err)
		goto free_tables;
	err = register_module_notifier(&module_notifier);
	if (err)
		goto free_tables;
	err = register_kprobe(&rcu_probe);
	if (err)
		goto unregister_notifier;
	err = listen();
	if (err)
		goto unregister_kprobe;
	debugfs_create_file("xenvmc-witness", 0400, NULL, NULL, &witness_fops);
	return 0;

unregister_kprobe:
	unregister_kprobe(&rcu_probe);
unregister_notifier:
	unregister_module_notifier(&module_notifier);
free_tables:
	vfree(by_hash);
	vfree(things);
	vfree(owners);
	return err;
}

module_init(witness_init);
MODULE_DESCRIPTION("Who holds pages and objects");
MODULE_LICENSE("GPL");
