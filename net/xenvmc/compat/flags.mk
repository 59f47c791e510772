# SPDX-License-Identifier: GPL-2.0
#
# What compat.h must know of the kernel and no version number says for certain.

ifneq ($(shell grep -s -A 1 '[*]recvmsg..struct sock ' \
	 $(srctree)/include/net/sock.h | grep addr_len),)
ccflags-y += -DXVMC_RECVMSG_TELLS_ADDR_LEN
endif

# It was a macro and is an enumerator now
ifneq ($(shell grep -s 'SOCK_CUSTOM_SOCKOPT' $(srctree)/include/linux/net.h),)
ccflags-y += -DXVMC_CUSTOM_SOCKOPT
endif

ifneq ($(shell grep -s 'sk_bpf_cb_flags;' $(srctree)/include/net/sock.h),)
ccflags-y += -DXVMC_BPF_STAMPS
endif

ifneq ($(shell grep -s '__tcp_send_ack.*rcv_nxt, u16 flags' \
	 $(srctree)/include/net/tcp.h),)
ccflags-y += -DXVMC_SEND_ACK_HAS_FLAGS
endif

ifneq ($(shell grep -s -A 1 '__inet_lookup_established.*net,$$' \
	 $(srctree)/include/net/inet_hashtables.h | grep hashinfo),)
ccflags-y += -DXVMC_LOOKUP_IN_HASHINFO
endif

ifneq ($(shell grep -s 'sk_net_refcnt_upgrade' \
	 $(srctree)/include/net/sock.h),)
ccflags-y += -DXVMC_SK_NET_REFCNT_UPGRADE
endif
