// SPDX-License-Identifier: GPL-2.0
/*
 * planted.ko: has one bug of a kind, so that the sanitizer kernel can show that
 * it sees bugs of that kind. insmod planted.ko bug=KIND
 */
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static char *bug = "";
module_param(bug, charp, 0444);
MODULE_PARM_DESC(bug, "use-after-free, out-of-bounds, lock-inversion, sleep, rcu, object, shift or leak");

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static DEFINE_SPINLOCK(spin);

struct thing {
	struct timer_list timer;
	char bytes[300];
};

static void use_after_free(void)
{
	volatile char *bytes = kmalloc(100, GFP_KERNEL);

	kfree((void *)bytes);
	bytes[3] = 1;
}

static void out_of_bounds(void)
{
	volatile char *bytes = kmalloc(100, GFP_KERNEL);

	bytes[100] = 1;
	kfree((void *)bytes);
}

static void lock_inversion(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static void sleep_in_atomic(void)
{
	spin_lock(&spin);
	kfree(kmalloc(16, GFP_KERNEL));
	spin_unlock(&spin);
}

static void no_rcu_lock(void)
{
	static LIST_HEAD(list);
	struct list_head __rcu **next = (struct list_head __rcu **)&list.next;

	(void)rcu_dereference(*next);
}

static void never(struct timer_list *timer)
{
}

static void free_active_timer(void)
{
	struct thing *thing = kzalloc(sizeof(*thing), GFP_KERNEL);

	if (!thing)
		return;
	timer_setup(&thing->timer, never, 0);
	mod_timer(&thing->timer, jiffies + 100 * HZ);
	kfree(thing);
}

static void shift_too_far(void)
{
	volatile int bits = 40;

	pr_info("%d\n", 1 << bits);
}

/*
 * The allocator of Linux 7 keeps the addresses of what it has given away
 * last, where kmemleak finds them: many lost objects are seen, one is not.
 */
static void leak(void)
{
	volatile char *bytes;
	int i;

	for (i = 0; i < 200; i++) {
		bytes = kmalloc(333, GFP_KERNEL);
		bytes[0] = 1;
	}
}

static const struct {
	const char *name;
	void (*plant)(void);
} kinds[] = {
	{ "use-after-free", use_after_free },
	{ "out-of-bounds", out_of_bounds },
	{ "lock-inversion", lock_inversion },
	{ "sleep", sleep_in_atomic },
	{ "rcu", no_rcu_lock },
	{ "object", free_active_timer },
	{ "shift", shift_too_far },
	{ "leak", leak },
};

static int __init planted_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(bug, kinds[i].name))
			continue;
		kinds[i].plant();
		return 0;
	}
	return -EINVAL;
}

static void __exit planted_exit(void)
{
}

module_init(planted_init);
module_exit(planted_exit);
MODULE_DESCRIPTION("Planted bugs for the sanitizer kernel");
MODULE_LICENSE("GPL");
