// SPDX-License-Identifier: GPL-2.0
/*
 * leaky.ko: holds memory of each kind, so that the lab can show that it sees
 * who holds what. It lets go of all when it is unloaded, and with lose=1 of
 * none.
 */
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#define ORDER	2

static bool lose;
module_param(lose, bool, 0444);
MODULE_PARM_DESC(lose, "forget what is held");

static void *object, *large, *area;
static struct page *pages;

/**
 * struct late - what is freed by RCU, and so held no more
 * @before: so that its head is not where it begins
 * @rcu: for that
 */
struct late {
	long before;
	struct rcu_head rcu;
};

static void leaky_free(void)
{
	kfree(object);
	kfree(large);
	vfree(area);
	if (pages)
		__free_pages(pages, ORDER);
}

static int __init leaky_init(void)
{
	struct late *late = kmalloc(sizeof(*late), GFP_KERNEL);

	if (late)
		kfree_rcu(late, rcu);
	object = kmalloc(100, GFP_KERNEL);
	/* More than a slab cache is for */
	large = kmalloc(8 * PAGE_SIZE, GFP_KERNEL);
	area = vmalloc(3 * PAGE_SIZE);
	pages = alloc_pages(GFP_KERNEL, ORDER);
	if (late && object && large && area && pages)
		return 0;
	leaky_free();
	return -ENOMEM;
}

static void __exit leaky_exit(void)
{
	if (!lose)
		leaky_free();
}

module_init(leaky_init);
module_exit(leaky_exit);
MODULE_DESCRIPTION("Holds memory of each kind");
MODULE_LICENSE("GPL");
