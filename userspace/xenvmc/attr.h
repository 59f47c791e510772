/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Attributes: checked before they are used, and printed if they are there.
 */
#ifndef XENVMC_ATTR_H
#define XENVMC_ATTR_H

#include <stdbool.h>
#include <stdint.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

struct print;

#define ATTR_ADDR_LEN	16

/**
 * struct attr_policy - what an attribute must look like
 * @type: libmnl's type; MNL_TYPE_UNSPEC skips the attribute
 * @len: exact length, for MNL_TYPE_BINARY
 */
struct attr_policy {
	enum mnl_attr_data_type type;
	uint16_t len;
};

bool attr_check(const struct nlattr *attr, const struct attr_policy *policy);
bool attr_parse(const struct nlmsghdr *nlh, const struct attr_policy *policy,
		uint16_t max, const struct nlattr **tb);
bool attr_parse_nested(const struct nlattr *nest,
		       const struct attr_policy *policy, uint16_t max,
		       const struct nlattr **tb);

void attr_print_u32(struct print *out, const char *key,
		    const struct nlattr *attr);
void attr_print_u64(struct print *out, const char *key,
		    const struct nlattr *attr);
void attr_print_str(struct print *out, const char *key,
		    const struct nlattr *attr);
void attr_print_addr(struct print *out, const char *key,
		     const struct nlattr *attr);

#endif /* XENVMC_ATTR_H */
