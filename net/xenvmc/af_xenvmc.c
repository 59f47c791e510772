// SPDX-License-Identifier: GPL-2.0
/*
 * The address family AF_XENVMC: sockets, their names and options.
 *
 * Implementation notes
 *
 * Rule. For the same case a call gives the result and the errno of AF_INET with
 * TCP; where a line here looks odd, TCP does it so.
 *
 * Files. Here are sockets, in addr.c addresses, in table.c ports; in stream.c
 * the state and the end of a stream, in stream_connect.c and stream_listen.c
 * its two beginnings, in stream_io.c its bytes.
 *
 * Objects. A socket (struct xvmc_sock) is a listener, or one end of a stream
 * that connect() or an incoming CONNECT began. A stream has a connection of the
 * engine (struct xvmc_conn, conn.h), which owns ids, rings and messages. The
 * connection is an object of its own, for it outlives the socket's use of it:
 * a socket that failed to connect may connect again while the old id waits for
 * the peer.
 *
 * References. The connection holds its socket until it is freed; the socket
 * holds the connection from connect() or CONNECT until it lets go of it (close,
 * disconnect, refusal), which breaks the circle. Calls that sleep take a
 * reference of the connection, poll and callbacks use RCU. A child that waits
 * for accept() is held by the listener's queue and holds the listener, to wake
 * it; accept() and the end of the listener break that circle. The table of
 * bound sockets holds nothing: a socket leaves it when it is closed. Every
 * socket holds the module.
 *
 * Locks, outermost first:
 *
 *   conn->tx.mutex, conn->rx.mutex	writers, readers; never both
 *   lock_sock(sk)			state, names, conn pointer
 *   lock_sock_nested(child)		the end of a listener ends its children
 *   accept_lock, the table's buckets	innermost, process context only
 *
 * Neither the control work nor the engine's callbacks for one connection wait
 * for the lock of a listener: a queue of children has its own spinlock. Nobody
 * sleeps with a mutex or lock held other than for a page fault in a copy.
 *
 * States are TCP's, which ss and SO_ACCEPTCONN know:
 *
 *   TCP_CLOSE		not connected, or over in both directions, or reset
 *   TCP_LISTEN		listening
 *   TCP_SYN_SENT	connect(): CONNECT was sent, or no ring was lent yet
 *   TCP_SYN_RECV	child: accepted by the engine, no ring was lent yet
 *   TCP_ESTABLISHED	connected; the ends of the two streams are flags
 *
 * The last leg of TCP's handshake is the first lend here: only then a send can
 * not block on a fresh connection, which programs rely on. If the peer has no
 * ring to lend, the connection is established all the same after a moment, and
 * a writer waits as for buffer space.
 *
 * End of stream. The sender marks it in the ring, so it comes in order behind
 * the bytes. A stop mark without it ends a lend only; whoever reads never takes
 * it for the end of the stream (Documentation/protocol.rst, "A connection").
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/security.h>
#include <net/sock.h>
#include "fault.h"
#include "stream.h"
#include "xenvmc_priv.h"

static struct proto xvmc_proto = {
	.name		= "XENVMC",
	.owner		= THIS_MODULE,
	.obj_size	= sizeof(struct xvmc_sock),
};

static void sock_destruct(struct sock *sk)
{
	struct xvmc_sock *xsk = xvmc_sk(sk);

	DEBUG_NET_WARN_ON_ONCE(!hlist_unhashed(&xsk->bind_node));
	DEBUG_NET_WARN_ON_ONCE(!list_empty(&xsk->accept_queue));
	DEBUG_NET_WARN_ON_ONCE(rcu_access_pointer(xsk->conn));
	DEBUG_NET_WARN_ON_ONCE(xsk->listener);
	skb_queue_purge(&sk->sk_error_queue);
	sock_prot_inuse_add(sock_net(sk), sk->sk_prot, -1);
}

/* What TCP's children inherit and this family knows */
static void sock_inherit(struct sock *sk, const struct sock *parent)
{
	sk->sk_reuse = parent->sk_reuse;
	sk->sk_type = parent->sk_type;
	sk->sk_rcvlowat = READ_ONCE(parent->sk_rcvlowat);
	sk->sk_rcvtimeo = READ_ONCE(parent->sk_rcvtimeo);
	sk->sk_sndtimeo = READ_ONCE(parent->sk_sndtimeo);
	sk->sk_rcvbuf = READ_ONCE(parent->sk_rcvbuf);
	sk->sk_sndbuf = READ_ONCE(parent->sk_sndbuf);
	/* Its port is the listener's */
	sk->sk_userlocks = parent->sk_userlocks & ~SOCK_BINDPORT_LOCK;
	sk->sk_priority = READ_ONCE(parent->sk_priority);
	sk->sk_mark = READ_ONCE(parent->sk_mark);
	sk->sk_lingertime = READ_ONCE(parent->sk_lingertime);
	sock_valbool_flag(sk, SOCK_LINGER, sock_flag(parent, SOCK_LINGER));
	sock_valbool_flag(sk, SOCK_KEEPOPEN, sock_flag(parent, SOCK_KEEPOPEN));
	security_sk_clone(parent, sk);
}

/**
 * xvmc_sock_new() - allocate a socket
 * @net: network namespace
 * @sock: the user's side, or NULL for a child
 * @parent: listener whose options it inherits, or NULL
 * @kern: a socket of the kernel's own
 *
 * Context: process.
 * Return: the socket with one reference, or NULL.
 */
struct sock *xvmc_sock_new(struct net *net, struct socket *sock,
			   struct sock *parent, int kern)
{
	struct xvmc_sock *xsk;
	struct sock *sk;

	if (xvmc_should_fail(XVMC_FAULT_SOCK))
		return NULL;
	sk = sk_alloc(net, AF_XENVMC, GFP_KERNEL, &xvmc_proto, kern);
	if (!sk)
		return NULL;
	sock_init_data(sock, sk);
	sock_reset_flag(sk, SOCK_ZAPPED);
	sk->sk_destruct = sock_destruct;
	/* /proc/net/protocols shows it */
	sock_prot_inuse_add(net, sk->sk_prot, 1);
	if (parent)
		sock_inherit(sk, parent);
	xsk = xvmc_sk(sk);
	INIT_HLIST_NODE(&xsk->bind_node);
	xsk->local_domid = XENVMC_DOMID_ANY;
	xsk->remote_domid = XENVMC_DOMID_ANY;
	spin_lock_init(&xsk->accept_lock);
	INIT_LIST_HEAD(&xsk->accept_queue);
	INIT_LIST_HEAD(&xsk->accept_node);
	xvmc_stream_init_sock(sk);
	return sk;
}

static int af_release(struct socket *sock)
{
	struct sock *sk = sock->sk;

	if (!sk)
		return 0;
	sock->sk = NULL;
	xvmc_stream_close(sk);
	return 0;
}

static int bind_locked(struct sock *sk, const struct sockaddr_xenvmc *svm)
{
	struct xvmc_sock *xsk = xvmc_sk(sk);
	int err;

	if (sk->sk_state != TCP_CLOSE || xsk->local_port)
		return -EINVAL;
	err = xvmc_table_bind(xsk, svm->svm_domid, svm->svm_port);
	if (err)
		return err;
	/* What connect() may change later, and what it must keep */
	if (svm->svm_domid != XENVMC_DOMID_ANY)
		sk->sk_userlocks |= SOCK_BINDADDR_LOCK;
	if (svm->svm_port)
		sk->sk_userlocks |= SOCK_BINDPORT_LOCK;
	return 0;
}

static int af_bind(struct socket *sock, struct sockaddr_unsized *uaddr,
		   int len)
{
	struct net *net = sock_net(sock->sk);
	struct sockaddr_xenvmc *svm;
	int err;

	err = xvmc_addr_check(uaddr, len, &svm);
	if (err)
		return err;
	if (svm->svm_domid != XENVMC_DOMID_ANY &&
	    !xvmc_addr_is_local(svm->svm_domid))
		return -EADDRNOTAVAIL;
	if (svm->svm_port && svm->svm_port <= XENVMC_LAST_RESERVED_PORT &&
	    !ns_capable(net->user_ns, CAP_NET_BIND_SERVICE))
		return -EACCES;
	lock_sock(sock->sk);
	err = bind_locked(sock->sk, svm);
	release_sock(sock->sk);
	return err;
}

/* @peer: 1, or 2 of accept(), which takes one that was reset before as well */
static int af_getname(struct socket *sock, struct sockaddr *uaddr, int peer)
{
	struct sock *sk = sock->sk;
	struct xvmc_sock *xsk = xvmc_sk(sk);
	int ret = -ENOTCONN;

	lock_sock(sk);
	if (!peer)
		ret = xvmc_addr_fill(uaddr, xsk->local_domid, xsk->local_port);
	else if (xsk->remote_port &&
		 (peer == 2 || (sk->sk_state != TCP_CLOSE &&
				sk->sk_state != TCP_SYN_SENT)))
		ret = xvmc_addr_fill(uaddr, xsk->remote_domid,
				     xsk->remote_port);
	release_sock(sk);
	return ret;
}

/*
 * Of SOL_SOCKET all but programs that would look at packets. The kernel reads
 * some values under the socket lock: with page faults disabled, see faultin.c.
 * Kernels without SOCK_CUSTOM_SOCKOPT see to it by themselves.
 */
static int af_setsockopt(struct socket *sock, int level, int optname,
			 sockptr_t optval, unsigned int optlen)
{
	u32 tries = 0;
	int err;

	if (level != SOL_SOCKET)
		return -ENOPROTOOPT;
	switch (optname) {
	case SO_ATTACH_FILTER:
	case SO_ATTACH_BPF:
	case SO_ATTACH_REUSEPORT_CBPF:
	case SO_ATTACH_REUSEPORT_EBPF:
		return -ENOPROTOOPT;
	}
	do {
		pagefault_disable();
		err = sock_setsockopt(sock, level, optname, optval, optlen);
		pagefault_enable();
	} while (err == -EFAULT && !sockptr_is_kernel(optval) &&
		 xvmc_fault_in_value(optval.user, false, optlen, &tries));
	return err;
}

static int af_getsockopt(struct socket *sock, int level, int optname,
			 char __user *optval, int __user *optlen)
{
	return -EOPNOTSUPP;
}

COMPAT_ACCEPT(xvmc_stream_accept)

static const struct proto_ops af_stream_ops = {
	.family		= PF_XENVMC,
	.owner		= THIS_MODULE,
	.release	= af_release,
	.bind		= af_bind,
	.connect	= xvmc_stream_connect,
	.socketpair	= sock_no_socketpair,
	.accept		= compat_accept(xvmc_stream_accept),
	.getname	= af_getname,
	.poll		= xvmc_stream_poll,
	.ioctl		= xvmc_stream_ioctl,
	.gettstamp	= sock_gettstamp,
	.listen		= xvmc_stream_listen,
	.shutdown	= xvmc_stream_shutdown,
	.setsockopt	= af_setsockopt,
	.getsockopt	= af_getsockopt,
	.sendmsg	= xvmc_stream_sendmsg,
	.recvmsg	= xvmc_stream_recvmsg,
	.mmap		= sock_no_mmap,
	.set_rcvlowat	= xvmc_stream_set_rcvlowat,
	.set_peek_off	= sk_set_peek_off,
};

static int af_create(struct net *net, struct socket *sock, int protocol,
		     int kern)
{
	if (sock->type != SOCK_STREAM)
		return -ESOCKTNOSUPPORT;
	if (protocol)
		return -EPROTONOSUPPORT;
	sock->state = SS_UNCONNECTED;
	sock->ops = &af_stream_ops;
	compat_sol_socket(sock, true);
	return xvmc_sock_new(net, sock, NULL, kern) ? 0 : -ENOBUFS;
}

static const struct net_proto_family af_family = {
	.family	= PF_XENVMC,
	.create	= af_create,
	.owner	= THIS_MODULE,
};

/**
 * xvmc_af_init() - register the family
 *
 * Context: module init.
 * Return: 0 or a negative errno; -EEXIST if its number is in use.
 */
int xvmc_af_init(void)
{
	int err = -ENOBUFS;

	xvmc_table_init();
	if (!xvmc_should_fail(XVMC_FAULT_REGISTER))
		err = proto_register(&xvmc_proto, 1);
	if (err)
		return err;
	err = -EEXIST;
	if (!xvmc_should_fail(XVMC_FAULT_REGISTER))
		err = sock_register(&af_family);
	if (err) {
		pr_err("xenvmc: address family %d is in use\n", AF_XENVMC);
		proto_unregister(&xvmc_proto);
	}
	return err;
}

/**
 * xvmc_af_exit() - unregister the family
 *
 * No socket is open any more: each holds the module.
 * Context: module exit.
 */
void xvmc_af_exit(void)
{
	sock_unregister(AF_XENVMC);
	/* Connections hold their sockets until after a grace period */
	rcu_barrier();
	proto_unregister(&xvmc_proto);
}

MODULE_ALIAS_NETPROTO(PF_XENVMC);
