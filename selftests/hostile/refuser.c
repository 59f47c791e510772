// SPDX-License-Identifier: GPL-2.0
/*
 * refuser: a device that does not let its guest be suspended.
 *
 * The kernel suspends the youngest device first: loaded before xenvmc, this one
 * refuses when xenvmc has agreed.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/pm.h>

static struct device *refuser;

static int refuser_freeze(struct device *dev)
{
	return -EBUSY;
}

static const struct dev_pm_ops refuser_pm_ops = {
	.freeze = refuser_freeze,
};

static struct class refuser_class = {
	.name = "xvmc_refuser",
	.pm = &refuser_pm_ops,
};

static int __init refuser_init(void)
{
	int err = class_register(&refuser_class);

	if (err)
		return err;
	refuser = device_create(&refuser_class, NULL, 0, NULL, "refuser");
	if (IS_ERR(refuser)) {
		class_unregister(&refuser_class);
		return PTR_ERR(refuser);
	}
	return 0;
}

static void __exit refuser_exit(void)
{
	device_unregister(refuser);
	class_unregister(&refuser_class);
}

module_init(refuser_init);
module_exit(refuser_exit);

MODULE_DESCRIPTION("A device that refuses to be suspended");
MODULE_AUTHOR("XenVMC");
MODULE_LICENSE("GPL");
