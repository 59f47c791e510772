// SPDX-License-Identifier: GPL-2.0
/*
 * taker.ko: takes a TCP socket of a program, as a driver does that speaks over
 * one. The program writes the socket's number to the parameter "socket", and -1
 * when it is to be nobody's again.
 */
#include <linux/module.h>
#include <linux/net.h>
#include <net/sock.h>

static struct socket *taken;

static void set_owner(void *owner)
{
	struct sock *sk = taken->sk;

	lock_sock(sk);
	write_lock_bh(&sk->sk_callback_lock);
	rcu_assign_sk_user_data(sk, owner);
	write_unlock_bh(&sk->sk_callback_lock);
	release_sock(sk);
}

static void give_back(void)
{
	if (!taken)
		return;
	set_owner(NULL);
	sockfd_put(taken);
	taken = NULL;
}

/* The parameters' lock is held: one at a time */
static int set_socket(const char *value, const struct kernel_param *param)
{
	int fd, err;

	err = kstrtoint(value, 0, &fd);
	if (err)
		return err;
	give_back();
	if (fd < 0)
		return 0;
	taken = sockfd_lookup(fd, &err);
	if (!taken)
		return err;
	set_owner(&taken);
	return 0;
}

static const struct kernel_param_ops socket_ops = {
	.set = set_socket,
};

module_param_cb(socket, &socket_ops, NULL, 0200);
MODULE_PARM_DESC(socket, "the number of the program's socket; -1: none");

static int __init taker_init(void)
{
	return 0;
}

static void __exit taker_exit(void)
{
	give_back();
}

module_init(taker_init);
module_exit(taker_exit);
MODULE_DESCRIPTION("Takes sockets of programs, for tests");
MODULE_LICENSE("GPL");
