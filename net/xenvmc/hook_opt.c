// SPDX-License-Identifier: GPL-2.0
/*
 * Options and ioctl of a hooked socket.
 *
 * Rings know no options. What TCP keeps and nobody sees on the way of a byte is
 * TCP's; for what a ring would have to know the connection goes back to TCP
 * before the option is looked at.
 */
#include <linux/sockios.h>
#include <asm/ioctls.h>
#include "fault.h"
#include "hook.h"
#include "stats.h"

#define HOOK_SMALL_RCVBUF	65536	/* bytes, as SO_RCVBUF is given */
#define HOOK_KEY_WAIT		(HZ / 2)	/* longer than a handshake */

/* Who says how packets go, or wants to know when they came */
static u32 hook_opt_socket(int optname)
{
	switch (optname) {
	case SO_ATTACH_FILTER:
	case SO_ATTACH_BPF:
	/* Its program is read under the socket lock, see opt_set() */
	case SO_ATTACH_REUSEPORT_CBPF:
	case SO_BINDTODEVICE:
	case SO_BINDTOIFINDEX:
	case SO_MARK:
	case SO_MAX_PACING_RATE:
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS_OLD:
	case SO_TIMESTAMPNS_NEW:
	case SO_TIMESTAMPING_OLD:
	case SO_TIMESTAMPING_NEW:
		return XENVMC_REASON_SOCKOPT;
	}
	return 0;
}

/* IPsec, which protects packets, is asked for at either level by both names */
static u32 hook_opt_ip(int level, int optname)
{
	if (level == SOL_IP &&
	    (optname == IP_IPSEC_POLICY || optname == IP_XFRM_POLICY))
		return XENVMC_REASON_IPSEC;
	if (level != SOL_IPV6)
		return 0;
	switch (optname) {
	case IPV6_IPSEC_POLICY:
	case IPV6_XFRM_POLICY:
		return XENVMC_REASON_IPSEC;
	case IPV6_ADDRFORM:
		return XENVMC_REASON_SOCKOPT;
	}
	return 0;
}

/* What an option needs that a ring does not have. 0: nothing */
static u32 hook_opt_unfit(int level, int optname)
{
	if (level == SOL_SOCKET)
		return hook_opt_socket(optname);
	if (level == SOL_IP || level == SOL_IPV6)
		return hook_opt_ip(level, optname);
	/* A key: from then on the bytes are its */
	if (level == SOL_TLS)
		return XENVMC_REASON_ULP;
	if (level != SOL_TCP)
		return 0;
	switch (optname) {
	case TCP_ULP:
		return XENVMC_REASON_ULP;
	case TCP_REPAIR:
		return XENVMC_REASON_REPAIR;
	case TCP_MD5SIG:
	case TCP_MD5SIG_EXT:
		return XENVMC_REASON_MD5_AO;
	case TCP_INQ:
	case TCP_TX_DELAY:
	/* Less is to be under way: a ring has no window */
	case TCP_WINDOW_CLAMP:
	/* It ends a connection whose peer takes nothing: a ring has no clock */
	case TCP_USER_TIMEOUT:
		return XENVMC_REASON_SOCKOPT;
	case TCP_ZEROCOPY_RECEIVE:
		return XENVMC_REASON_ZEROCOPY;
	}
	return 0;
}

/* The socket is TCP's alone before the option is looked at */
static int hook_opt_back(struct sock *sk, int level, int optname)
{
	u32 reason = hook_opt_unfit(level, optname);
	struct hook_conn *hc;
	int err = 0;

	if (!reason)
		return 0;
	hc = hook_get(sk);
	if (hc) {
		err = hook_go_back(hc, reason);
		hook_put(hc);
	}
	return err;
}

/*
 * Does the program want so little to be under way to it that a ring is too
 * much? The kernel doubles what SO_RCVBUF says.
 */
bool hook_opt_small(const struct sock *sk)
{
	/* A bit-field of some kernels; who sets it meanwhile looks later */
	return data_race(sk->sk_userlocks & SOCK_RCVBUF_LOCK) &&
	       READ_ONCE(sk->sk_rcvbuf) < 2 * HOOK_SMALL_RCVBUF;
}

/* A ring holds no more than SO_RCVBUF says, as getsockopt() has it. 0: any */
u32 hook_opt_most(const struct sock *sk)
{
	/* As above */
	if (!data_race(sk->sk_userlocks & SOCK_RCVBUF_LOCK))
		return 0;
	return READ_ONCE(sk->sk_rcvbuf);
}

/* Rings have no more than @most bytes from now on; 0: any */
static void hook_opt_lend(struct hook_conn *hc, u32 most)
{
	if (READ_ONCE(hc->conn.rx.most) == most)
		return;
	WRITE_ONCE(hc->conn.rx.most, most);
	/* One that is about to be lent was chosen before */
	flush_work(&hc->conn.work);
	/* When it has been read the reader lends another one */
	mutex_lock(&hc->conn.rx.mutex);
	if (most && xvmc_rx_size(&hc->conn) > most)
		xvmc_rx_take_back(&hc->conn);
	mutex_unlock(&hc->conn.rx.mutex);
}

/**
 * hook_opt_seen() - a call finds what nobody told us of
 * @sk: hooked socket
 * @hc: its hook_conn
 * @why: &enum xenvmc_reason to go back to TCP, or 0: what options ask for
 * @block: the call may wait
 *
 * A peer that does not answer is waited for once; after that, and by who does
 * not wait, calls go on by ring until the socket has gone back. One that is not
 * settled has no ring, and its work sees options by itself.
 * Context: process, no locks; sleeps.
 * Return: 0, %HOOK_LOOK_AGAIN if the socket is TCP's now, or -ERESTARTSYS.
 */
int hook_opt_seen(struct sock *sk, struct hook_conn *hc, u32 why, bool block)
{
	int err = -EAGAIN;

	if (!why)
		why = hook_unfit_options(sk);
	if (!why)
		hook_opt_lend(hc, hook_opt_most(sk));
	if (!why || READ_ONCE(hc->stage) != HOOK_SETTLED ||
	    test_and_set_bit(HOOK_SEEN, &hc->taker))
		return 0;
	if (block)
		err = hook_go_back(hc, why);
	if (!err)
		return HOOK_LOOK_AGAIN;
	hook_leave_rings(hc, why);
	return err == -ERESTARTSYS ? err : 0;
}

/* After the option: the buffer may have become too small, or for the ring */
static int hook_opt_shrunk(struct sock *sk)
{
	struct hook_conn *hc = hook_get(sk);
	int err = 0;

	if (!hc)
		return 0;
	if (hook_opt_small(sk))
		err = hook_go_back(hc, XENVMC_REASON_SOCKOPT);
	else
		hook_opt_lend(hc, hook_opt_most(sk));
	hook_put(hc);
	return err;
}

/* Is a ULP asked for? Its name, or @err as TCP answers */
static bool hook_opt_ulp(int level, int optname, sockptr_t optval,
			 unsigned int optlen, char *name, int *err)
{
	unsigned int most = min_t(unsigned int, optlen, TCP_ULP_NAME_MAX - 1);

	if (level != SOL_TCP || optname != TCP_ULP)
		return false;
	if (!most)
		*err = -EINVAL;
	else if (strncpy_from_sockptr(name, optval, most) < 0)
		*err = -EFAULT;
	return true;
}

/*
 * Does the kernel not know this ULP? A socket without connection is refused,
 * and in another way if it does.
 */
static bool hook_opt_unknown(const struct sock *sk, char *name)
{
	struct socket *sock;
	int err;

	if (xvmc_should_fail(XVMC_FAULT_ULP) ||
	    sock_create_kern(sock_net(sk), PF_INET, SOCK_STREAM, IPPROTO_TCP,
			     &sock))
		return false;
	err = sock->sk->sk_prot->setsockopt(sock->sk, SOL_TCP, TCP_ULP,
					    KERNEL_SOCKPTR(name),
					    strlen(name));
	sock_release(sock);
	return err == -ENOENT;
}

/* One that TCP refuses anyway costs no rings, as that of MPTCP always is */
static bool hook_opt_vain(const struct sock *sk, const char *name)
{
	return !strcmp(name, "mptcp") ||
	       (*name && READ_ONCE(inet_csk(sk)->icsk_ulp_ops));
}

/*
 * Before the option is looked at. Libraries ask for the ULP of TLS on each
 * connection, whether the kernel has it or not. Others are tried on no socket
 * of ours, for they may take it.
 */
static int hook_opt_prepare(struct sock *sk, int level, int optname,
			    char *name)
{
	int err;

	if (hook_opt_vain(sk, name))
		return 0;
	/* Not by TCP, which might have it by now */
	if (!strcmp(name, "tls") && hook_opt_unknown(sk, name))
		return -ENOENT;
	err = hook_opt_back(sk, level, optname);
	if (!err && ((level == SOL_TCP && optname == TCP_ULP) ||
		     level == SOL_TLS))
		hook_proto_settle(sk);
	return err;
}

/*
 * Until there is a key its bytes are anybody's: it may be moved again. A key
 * comes soon, mostly, if at all. When both come at once kTLS puts its functions
 * over ours, and SOL_SOCKET has none then for a moment.
 */
static void hook_opt_again(struct sock *sk)
{
	if (hook_late_wants(sk, true))
		hook_late_try(sk, true, HOOK_KEY_WAIT);
}

static int opt_set_once(struct sock *sk, int level, int optname,
			sockptr_t optval, unsigned int optlen)
{
	if (level == SOL_SOCKET)
		return sock_setsockopt(sk->sk_socket, level, optname, optval,
				       optlen);
	return hook_upper_of(sk)->setsockopt(sk, level, optname, optval,
					     optlen);
}

/*
 * A page of the value may be long in coming, and the kernel reads some under
 * the socket lock: not while works of ours wait for that, see faultin.c. Where
 * the value has pointers in it the socket has gone back before.
 */
static int opt_set(struct sock *sk, int level, int optname, sockptr_t optval,
		   unsigned int optlen)
{
	struct hook_conn *hc = hook_get(sk);
	u32 tries = 0;
	int ret;

	if (!hc)
		return opt_set_once(sk, level, optname, optval, optlen);
	do {
		pagefault_disable();
		ret = opt_set_once(sk, level, optname, optval, optlen);
		pagefault_enable();
	} while (ret == -EFAULT && !sockptr_is_kernel(optval) &&
		 xvmc_fault_in_value(optval.user, false, optlen, &tries));
	hook_put(hc);
	return ret;
}

/* Process context, no locks; options of SOL_SOCKET as well */
int hook_setsockopt(struct sock *sk, int level, int optname, sockptr_t optval,
		    unsigned int optlen)
{
	char name[TCP_ULP_NAME_MAX] = "";
	int ret = 0;

	hook_enter();
	/* TCP sees the name that was looked at, not what stands there then */
	if (hook_opt_ulp(level, optname, optval, optlen, name, &ret)) {
		optval = KERNEL_SOCKPTR(name);
		optlen = sizeof(name);
	}
	ret = ret ?: hook_opt_prepare(sk, level, optname, name);
	if (ret)
		goto out;
	ret = opt_set(sk, level, optname, optval, optlen);
	if (!ret && level == SOL_SOCKET)
		ret = hook_opt_shrunk(sk);
	if (!ret && *name)
		hook_opt_again(sk);
out:
	hook_leave();
	return ret;
}

/* TCP is to tell of the ring's bytes as well */
static void hook_opt_count(struct sock *sk)
{
	struct hook_conn *hc = hook_get(sk);

	if (!hc)
		return;
	lock_sock(sk);
	hook_count(sk, hc);
	release_sock(sk);
	hook_put(hc);
}

/*
 * Brings in what an answer needs. False: it is bad memory. Each has a count of
 * its own, for an answer may have less room than its program says, and fit.
 */
static bool opt_fault_in(char __user *optval, int __user *optlen, u32 tries[2])
{
	int len;

	return !get_user(len, optlen) && len >= 0 &&
	       xvmc_fault_in_value(optlen, true, sizeof(*optlen), &tries[0]) &&
	       (!len || xvmc_fault_in_value(optval, true, len, &tries[1]));
}

/* As opt_set() */
static int opt_get(struct sock *sk, int level, int optname,
		   char __user *optval, int __user *optlen)
{
	struct hook_conn *hc = hook_get(sk);
	u32 tries[2] = {};
	int ret;

	if (!hc)
		return hook_upper_of(sk)->getsockopt(sk, level, optname,
						     optval, optlen);
	do {
		pagefault_disable();
		ret = hook_upper_of(sk)->getsockopt(sk, level, optname,
						    optval, optlen);
		pagefault_enable();
	} while (ret == -EFAULT && opt_fault_in(optval, optlen, tries));
	hook_put(hc);
	return ret;
}

int hook_getsockopt(struct sock *sk, int level, int optname,
		    char __user *optval, int __user *optlen)
{
	int ret = 0;

	hook_enter();
	if (level == SOL_TCP && optname == TCP_ZEROCOPY_RECEIVE)
		ret = hook_opt_back(sk, level, optname);
	if (level == SOL_TCP && optname == TCP_INFO)
		hook_opt_count(sk);
	if (!ret)
		ret = opt_get(sk, level, optname, optval, optlen);
	hook_leave();
	return ret;
}

int hook_set_peek_off(struct sock *sk, int val)
{
	struct hook_conn *hc;
	int err = 0;

	hook_enter();
	hc = hook_get(sk);
	if (hc) {
		err = hook_go_back(hc, XENVMC_REASON_SOCKOPT);
		hook_put(hc);
	}
	if (!err)
		err = sk_set_peek_off(sk, val);
	hook_leave();
	return err;
}

/**
 * hook_rx_queued() - bytes that can be read now
 * @sk: socket
 * @hc: its hook_conn, or the former one
 *
 * Those of a ring become TCP's under the mutex. While TCP owes some that come
 * before, nobody can read them.
 * Context: process, no locks.
 * Return: bytes.
 */
int hook_rx_queued(struct sock *sk, struct hook_conn *hc)
{
	bool slow;
	int n;

	mutex_lock(&hc->conn.rx.mutex);
	slow = lock_sock_fast(sk);
	n = tcp_inq(sk);
	if (hc->hashed && !xvmc_rx_tcp_first(&hc->conn, tcp_sk(sk)->rcv_nxt))
		n += xvmc_rx_queued(&hc->conn);
	unlock_sock_fast(sk, slow);
	mutex_unlock(&hc->conn.rx.mutex);
	return n;
}

/* The mark that TCP sees is behind the ring's bytes, if it is not before S */
static bool hook_before_mark(struct sock *sk, struct hook_conn *hc)
{
	u32 copied_seq = READ_ONCE(tcp_sk(sk)->copied_seq);

	return xvmc_rx_queued(&hc->conn) &&
	       !xvmc_rx_tcp_first(&hc->conn, copied_seq);
}

/* Bytes of TCP and of the ring together are what the caller means */
int hook_ioctl(struct sock *sk, int cmd, compat_ioctl_arg arg)
{
	struct hook_conn *hc;
	int ret;

	hook_enter();
	hc = hook_get(sk);
	if (hc && cmd == SIOCINQ && inet_sk_state_load(sk) != TCP_LISTEN)
		ret = compat_ioctl_put(arg, hook_rx_queued(sk, hc));
	else
		ret = hook_base_of(sk)->ioctl(sk, cmd, arg);
	if (hc && !ret && cmd == SIOCATMARK && hook_before_mark(sk, hc))
		ret = compat_ioctl_put(arg, 0);
	if (hc)
		hook_put(hc);
	hook_leave();
	return ret;
}
