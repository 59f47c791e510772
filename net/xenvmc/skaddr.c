// SPDX-License-Identifier: GPL-2.0
/* The addresses of a TCP socket in the one form that XenVMC uses. */
#include <linux/export.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include "xenvmc_priv.h"

/**
 * xvmc_sk_addrs() - addresses of a connected TCP socket
 * @sk: AF_INET or AF_INET6; may be orphaned
 * @local: filled, v4-mapped for AF_INET
 * @remote: filled likewise
 *
 * Not locked: of a socket that is just being disconnected, the words are read
 * as they are. Good to show or to look up a hint, not to prove anything.
 *
 * Context: Any context.
 */
void xvmc_sk_addrs(const struct sock *sk, struct in6_addr *local,
		   struct in6_addr *remote)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		*local = sk->sk_v6_rcv_saddr;
		*remote = sk->sk_v6_daddr;
		return;
	}
#endif
	ipv6_addr_set_v4mapped(sk->sk_rcv_saddr, local);
	ipv6_addr_set_v4mapped(sk->sk_daddr, remote);
}
EXPORT_SYMBOL_GPL(xvmc_sk_addrs);
