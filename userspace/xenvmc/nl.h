/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Generic netlink: the socket, the family "xenvmc", requests and their answers.
 */
#ifndef XENVMC_NL_H
#define XENVMC_NL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "cmd.h"
#include "print.h"

/* Longest answer: libmnl's dump size; all counters fit too. */
#define NL_BUF_SIZE	32768

/**
 * struct nl - connection to the kernel, or to a recording of one
 * @sock: netlink socket, NULL if @replay is used
 * @replay: answers are read from here instead
 * @sent: requests are written here if @replay is used, may be NULL
 * @family: number of the generic netlink family
 * @group: number of its multicast group, 0 if the kernel names none
 * @seq: of the last request
 * @portid: own address
 * @buf: requests are built and answers received here
 */
struct nl {
	struct mnl_socket *sock;
	FILE *replay;
	FILE *sent;
	uint16_t family;
	uint32_t group;
	uint32_t seq;
	uint32_t portid;
	char buf[NL_BUF_SIZE] __attribute__((aligned(8)));
};

enum status nl_open(struct nl *nl);
void nl_close(struct nl *nl);

struct nlmsghdr *nl_prepare(struct nl *nl, uint8_t cmd, uint16_t flags);
enum status nl_request(struct nl *nl, struct nlmsghdr *nlh, mnl_cb_t cb,
		       void *data);
enum status nl_show_list(uint8_t cmd, mnl_cb_t cb, void *data,
			 struct print *out);
enum status nl_show_one(uint8_t cmd, mnl_cb_t cb, void *data,
			struct print *out);

enum status nl_monitor(mnl_cb_t cb, void *data);

#endif /* XENVMC_NL_H */
