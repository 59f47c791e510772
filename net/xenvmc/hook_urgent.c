// SPDX-License-Identifier: GPL-2.0
/*
 * The urgent byte of a hooked socket, which is TCP's on any way.
 */
#include <linux/net.h>
#include <linux/uio.h>
#include "compat/compat.h"
#include "hook.h"

/**
 * hook_recv_urgent() - recvmsg() with MSG_OOB
 * @sk: hooked socket
 * @msg: where the byte goes
 * @len: room for it
 * @flags: those of the call
 *
 * TCP hands it out under the socket lock, and once: it must not wait there for
 * a page of the program's, which may never come.
 * Context: process, no locks.
 * Return: what TCP's does.
 */
int hook_recv_urgent(struct sock *sk, struct msghdr *msg, size_t len, int flags)
{
	struct iov_iter to = msg->msg_iter;
	struct kvec vec;
	char byte;
	int ret;

	vec.iov_base = &byte;
	vec.iov_len = min_t(size_t, len, sizeof(byte));
	iov_iter_kvec(&msg->msg_iter, ITER_DEST, &vec, 1, vec.iov_len);
	ret = compat_recvmsg(hook_base_of(sk), sk, msg, vec.iov_len,
			     flags | MSG_DONTWAIT);
	msg->msg_iter = to;
	if (ret > 0 && !(flags & MSG_TRUNC) &&
	    copy_to_iter(&byte, sizeof(byte), &msg->msg_iter) != sizeof(byte))
		ret = -EFAULT;
	return ret;
}
