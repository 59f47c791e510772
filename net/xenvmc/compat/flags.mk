# SPDX-License-Identifier: GPL-2.0
#
# What compat.h must know of the kernel and no version number says for certain.

ifneq ($(shell grep -s -A 1 '[*]recvmsg..struct sock ' \
	 $(srctree)/include/net/sock.h | grep addr_len),)
ccflags-y += -DXVMC_RECVMSG_TELLS_ADDR_LEN
endif
