// SPDX-License-Identifier: GPL-2.0
/*
 * Own addresses: which of them a guest announces, and when they change.
 *
 * Those by which others can reach it: of the first network namespace, and of
 * those that were told to (sysctl announce). A container's addresses are often
 * known to its own guest alone, the same in every guest, and behind a NAT.
 *
 * If there are too many, IPv4 comes first and what is deprecated last. The
 * notifiers run under RTNL, that of IPv6 in atomic context.
 */
#include <linux/inet.h>
#include <linux/inetdevice.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/addrconf.h>
#include <net/if_inet6.h>
#include "fault.h"
#include "ownaddr.h"
#include "xenvmc_priv.h"

/**
 * struct own_list - a list that is being written
 * @buf: the text, of %XVMC_OWN_ADDRS_LEN
 * @len: its length
 * @n: addresses in it
 * @again: an address was seen that is about to become usable
 */
struct own_list {
	char *buf;
	size_t len;
	u32 n;
	bool again;
};

static void (*own_changed)(void);
static DEFINE_MUTEX(own_mutex);		/* own_changed, while it is set */

/**
 * xvmc_addr6_leads() - whether an IPv6 address can lead to a domain
 * @addr: the address
 *
 * A link-local one may be on each link. What looks like an IPv4 address would
 * stand for that one here.
 *
 * Context: Any context.
 * Return: true if it is unicast and means the same wherever it is seen.
 */
bool xvmc_addr6_leads(const struct in6_addr *addr)
{
	int type = ipv6_addr_type(addr);

	return (type & IPV6_ADDR_UNICAST) &&
	       !(type & (IPV6_ADDR_LOOPBACK | IPV6_ADDR_LINKLOCAL |
			 IPV6_ADDR_MAPPED | IPV6_ADDR_COMPATv4));
}

/**
 * xvmc_addr4_leads() - whether an IPv4 address can lead to a domain
 * @addr: the address
 *
 * Context: Any context.
 * Return: as xvmc_addr6_leads().
 */
bool xvmc_addr4_leads(__be32 addr)
{
	return !ipv4_is_zeronet(addr) && !ipv4_is_loopback(addr) &&
	       !ipv4_is_linklocal_169(addr) && !ipv4_is_multicast(addr) &&
	       !ipv4_is_lbcast(addr);
}

static bool own_is_announced(const struct net_device *dev)
{
	return READ_ONCE(xvmc_net(dev_net(dev))->announce);
}

static void own_append(struct own_list *list, const char *format,
		       const void *addr)
{
	char one[INET6_ADDRSTRLEN];
	int len = scnprintf(one, sizeof(one), format, addr);

	if (list->n == XVMC_PEER_MAX_ADDRS ||
	    list->len + 1 + len >= XVMC_OWN_ADDRS_LEN)
		return;
	if (list->n++)
		list->buf[list->len++] = ' ';
	strscpy(list->buf + list->len, one, XVMC_OWN_ADDRS_LEN - list->len);
	list->len += len;
}

static void own_ipv4(const struct net_device *dev, struct own_list *list)
{
	const struct in_device *in_dev = __in_dev_get_rcu(dev);
	const struct in_ifaddr *ifa;

	if (!in_dev)
		return;
	in_dev_for_each_ifa_rcu(ifa, in_dev)
		if (ifa->ifa_scope == RT_SCOPE_UNIVERSE &&
		    xvmc_addr4_leads(ifa->ifa_local))
			own_append(list, "%pI4", &ifa->ifa_local);
}

#if IS_ENABLED(CONFIG_IPV6)
/*
 * Not before it is certain that nobody else on the link has it: of that no
 * notifier tells. Without a carrier the kernel does not even begin to ask.
 */
static bool own_ipv6_is_there(const struct net_device *dev,
			      const struct inet6_ifaddr *ifa,
			      struct own_list *list)
{
	u32 flags = READ_ONCE(ifa->flags);

	if (!xvmc_addr6_leads(&ifa->addr) || (flags & IFA_F_DADFAILED))
		return false;
	if (!(flags & IFA_F_TENTATIVE))
		return true;
	if (netif_oper_up(dev))
		list->again = true;
	return false;
}

static void own_ipv6(const struct net_device *dev, struct own_list *list,
		     u32 deprecated)
{
	struct inet6_dev *idev = __in6_dev_get(dev);
	const struct inet6_ifaddr *ifa;

	if (!idev)
		return;
	read_lock_bh(&idev->lock);
	list_for_each_entry(ifa, &idev->addr_list, if_list)
		if ((READ_ONCE(ifa->flags) & IFA_F_DEPRECATED) == deprecated &&
		    own_ipv6_is_there(dev, ifa, list))
			own_append(list, "%pI6c", &ifa->addr);
	read_unlock_bh(&idev->lock);
}

static void own_ipv6_preferred(const struct net_device *dev,
			       struct own_list *list)
{
	own_ipv6(dev, list, 0);
}

static void own_ipv6_deprecated(const struct net_device *dev,
				struct own_list *list)
{
	own_ipv6(dev, list, IFA_F_DEPRECATED);
}
#endif

static void own_collect(void (*collect)(const struct net_device *dev,
					struct own_list *list),
			struct own_list *list)
{
	struct net_device *dev;
	struct net *net;

	rcu_read_lock();
	for_each_net_rcu(net)
		if (READ_ONCE(xvmc_net(net)->announce))
			for_each_netdev_rcu(net, dev)
				collect(dev, list);
	rcu_read_unlock();
}

/**
 * xvmc_own_addrs() - the addresses to announce
 * @buf: set to them, one space between; room for %XVMC_OWN_ADDRS_LEN
 *
 * Context: Process context.
 * Return: true if there will be more in a moment, of which nothing tells.
 */
bool xvmc_own_addrs(char *buf)
{
	struct own_list list = { .buf = buf };

	buf[0] = '\0';
	own_collect(own_ipv4, &list);
#if IS_ENABLED(CONFIG_IPV6)
	own_collect(own_ipv6_preferred, &list);
	own_collect(own_ipv6_deprecated, &list);
#endif
	return list.again;
}

/* ---- changes ---- */

static void own_device_changed(const struct net_device *dev)
{
	if (own_is_announced(dev))
		own_changed();
}

static int own_ipv4_event(struct notifier_block *nb, unsigned long event,
			  void *data)
{
	const struct in_ifaddr *ifa = data;

	own_device_changed(ifa->ifa_dev->dev);
	return NOTIFY_DONE;
}

static struct notifier_block own_ipv4_nb = {
	.notifier_call = own_ipv4_event,
};

static int own_ipv6_event(struct notifier_block *nb, unsigned long event,
			  void *data)
{
	const struct inet6_ifaddr *ifa = data;

	own_device_changed(ifa->idev->dev);
	return NOTIFY_DONE;
}

static struct notifier_block own_ipv6_nb = {
	.notifier_call = own_ipv6_event,
};

/* A carrier: addresses that were there before will be usable soon */
static int own_device_event(struct notifier_block *nb, unsigned long event,
			    void *data)
{
	if (event == NETDEV_UP || event == NETDEV_CHANGE)
		own_device_changed(netdev_notifier_info_to_dev(data));
	return NOTIFY_DONE;
}

static struct notifier_block own_device_nb = {
	.notifier_call = own_device_event,
};

/**
 * xvmc_own_addrs_touch() - a namespace announces from now on, or no more
 *
 * Context: Process context.
 */
void xvmc_own_addrs_touch(void)
{
	mutex_lock(&own_mutex);
	if (own_changed)
		own_changed();
	mutex_unlock(&own_mutex);
}

static void own_set_changed(void (*changed)(void))
{
	mutex_lock(&own_mutex);
	own_changed = changed;
	mutex_unlock(&own_mutex);
}

static int own_register(int (*reg)(struct notifier_block *nb),
			struct notifier_block *nb)
{
	return xvmc_should_fail(XVMC_FAULT_REGISTER) ? -ENOMEM : reg(nb);
}

/**
 * xvmc_own_addrs_init() - begins to tell when the addresses may be others
 * @changed: called then, in any context
 *
 * Context: Process context.
 * Return: 0 or a negative errno.
 */
int xvmc_own_addrs_init(void (*changed)(void))
{
	int err;

	own_set_changed(changed);
	err = own_register(register_inetaddr_notifier, &own_ipv4_nb);
	if (err)
		goto unset_changed;
	err = own_register(register_inet6addr_notifier, &own_ipv6_nb);
	if (err)
		goto unregister_ipv4;
	err = own_register(register_netdevice_notifier, &own_device_nb);
	if (err)
		goto unregister_ipv6;
	return 0;

unregister_ipv6:
	unregister_inet6addr_notifier(&own_ipv6_nb);
unregister_ipv4:
	unregister_inetaddr_notifier(&own_ipv4_nb);
unset_changed:
	own_set_changed(NULL);
	return err;
}

/**
 * xvmc_own_addrs_exit() - ends that
 *
 * Context: Process context.
 */
void xvmc_own_addrs_exit(void)
{
	unregister_netdevice_notifier(&own_device_nb);
	unregister_inet6addr_notifier(&own_ipv6_nb);
	unregister_inetaddr_notifier(&own_ipv4_nb);
	own_set_changed(NULL);
}
