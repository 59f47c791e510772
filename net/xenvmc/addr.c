// SPDX-License-Identifier: GPL-2.0
/*
 * Addresses of AF_XENVMC: check, compare, fill in.
 *
 * A domain id is to this family what an address is to IP. Like a host with a
 * loopback and one interface, a guest has two of its own: XENVMC_DOMID_SELF,
 * which only its own sockets reach, and the id that Xen gave it.
 */
#include <linux/socket.h>
#include "af_xenvmc.h"
#include "transport.h"

/**
 * xvmc_addr_check() - check an address that came from a user
 * @uaddr: address, in kernel memory
 * @len: its length
 * @addr: set to the same address
 *
 * Context: any.
 * Return: 0; -EINVAL or -EAFNOSUPPORT, as AF_INET says it.
 */
int xvmc_addr_check(struct sockaddr_unsized *uaddr, int len,
		    struct sockaddr_xenvmc **addr)
{
	struct sockaddr_xenvmc *svm = (struct sockaddr_xenvmc *)uaddr;

	if (len < (int)sizeof(*svm))
		return -EINVAL;
	if (svm->svm_family != AF_XENVMC)
		return -EAFNOSUPPORT;
	if (svm->svm_port > XENVMC_PORT_MAX ||
	    memchr_inv(svm->svm_zero, 0, sizeof(svm->svm_zero)))
		return -EINVAL;
	*addr = svm;
	return 0;
}

/**
 * xvmc_addr_uuid() - the UUID in an address
 * @svm: address that xvmc_addr_check() has seen
 * @len: its length
 * @uuid: room for %XVMC_UUID_SIZE; set to the text, "" if it names none
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int xvmc_addr_uuid(const struct sockaddr_xenvmc *svm, int len, char *uuid)
{
	const struct sockaddr_xenvmc_uuid *named = (const void *)svm;

	uuid[0] = '\0';
	if (svm->svm_domid != XENVMC_DOMID_UUID)
		return 0;
	if (len < (int)sizeof(*named))
		return -EINVAL;
	snprintf(uuid, XVMC_UUID_SIZE, "%pUb", named->svm_uuid);
	return 0;
}

/**
 * xvmc_addr_fill() - write an address for a user
 * @uaddr: room for a &struct sockaddr_xenvmc
 * @domid: domain id
 * @port: port
 *
 * Context: any.
 * Return: its length.
 */
int xvmc_addr_fill(struct sockaddr *uaddr, u16 domid, u32 port)
{
	struct sockaddr_xenvmc *svm = (struct sockaddr_xenvmc *)uaddr;

	memset(svm, 0, sizeof(*svm));
	svm->svm_family = AF_XENVMC;
	svm->svm_domid = domid;
	svm->svm_port = port;
	return sizeof(*svm);
}

/**
 * xvmc_addr_own_domid() - the id of this guest
 *
 * Context: any.
 * Return: the id that Xen gave it, or XENVMC_DOMID_SELF if that is not known.
 */
u16 xvmc_addr_own_domid(void)
{
	u16 domid;

	return xvmc_xen_own_domid(&domid) ? domid : XENVMC_DOMID_SELF;
}

/**
 * xvmc_addr_is_local() - is it an id of this guest?
 * @domid: domain id
 *
 * Context: any.
 */
bool xvmc_addr_is_local(u16 domid)
{
	return domid == XENVMC_DOMID_SELF || domid == xvmc_addr_own_domid();
}

/**
 * xvmc_addr_overlap() - could one and the same connection be for both?
 * @a: domain id that a socket is bound to, or XENVMC_DOMID_ANY
 * @b: the other socket's
 *
 * Context: any.
 */
bool xvmc_addr_overlap(u16 a, u16 b)
{
	return a == b || a == XENVMC_DOMID_ANY || b == XENVMC_DOMID_ANY;
}
