// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes: checked before they are used, and printed if they are there.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attr.h"
#include "print.h"

/**
 * attr_check() - check one attribute
 * @attr: attribute
 * @policy: what it must look like
 *
 * Return: true if it does; false with errno and a message otherwise.
 */
bool attr_check(const struct nlattr *attr, const struct attr_policy *policy)
{
	bool ok = policy->type == MNL_TYPE_BINARY ?
		  mnl_attr_get_payload_len(attr) == policy->len :
		  mnl_attr_validate(attr, policy->type) >= 0;

	if (ok)
		return true;
	fprintf(stderr,
		"xenvmc: attribute %u of the kernel's answer is malformed\n",
		mnl_attr_get_type(attr));
	errno = EBADMSG;
	return false;
}

static bool parse_one(const struct nlattr *attr,
		      const struct attr_policy *policy, uint16_t max,
		      const struct nlattr **tb)
{
	uint16_t type = mnl_attr_get_type(attr);

	/* What a later kernel adds is skipped. */
	if (type > max || policy[type].type == MNL_TYPE_UNSPEC)
		return true;
	if (!attr_check(attr, &policy[type]))
		return false;
	tb[type] = attr;
	return true;
}

/**
 * attr_parse() - sort and check the attributes of a message
 * @nlh: message
 * @policy: @max + 1 entries
 * @max: highest attribute known
 * @tb: out: @max + 1 entries, NULL where there is none
 *
 * Return: true, or false with errno and a message.
 */
bool attr_parse(const struct nlmsghdr *nlh, const struct attr_policy *policy,
		uint16_t max, const struct nlattr **tb)
{
	const struct nlattr *attr;

	memset(tb, 0, (max + 1) * sizeof(*tb));
	if (nlh->nlmsg_len < mnl_nlmsg_size(GENL_HDRLEN)) {
		errno = EBADMSG;
		return false;
	}
	mnl_attr_for_each(attr, nlh, GENL_HDRLEN) {
		if (!parse_one(attr, policy, max, tb))
			return false;
	}
	return true;
}

/**
 * attr_parse_nested() - attr_parse() for a nest
 * @nest: attribute
 * @policy: @max + 1 entries
 * @max: highest attribute known
 * @tb: out: @max + 1 entries, NULL where there is none
 *
 * Return: true, or false with errno and a message.
 */
bool attr_parse_nested(const struct nlattr *nest,
		       const struct attr_policy *policy, uint16_t max,
		       const struct nlattr **tb)
{
	const struct nlattr *attr;

	memset(tb, 0, (max + 1) * sizeof(*tb));
	mnl_attr_for_each_nested(attr, nest) {
		if (!parse_one(attr, policy, max, tb))
			return false;
	}
	return true;
}

/**
 * attr_print_u32() - print a number
 * @out: output
 * @key: key
 * @attr: checked attribute, NULL if there is none
 */
void attr_print_u32(struct print *out, const char *key,
		    const struct nlattr *attr)
{
	if (attr)
		print_u64(out, key, mnl_attr_get_u32(attr));
}

/**
 * attr_print_u64() - print a number
 * @out: output
 * @key: key
 * @attr: checked attribute, NULL if there is none
 */
void attr_print_u64(struct print *out, const char *key,
		    const struct nlattr *attr)
{
	if (attr)
		print_u64(out, key, mnl_attr_get_u64(attr));
}

/**
 * attr_print_str() - print a string
 * @out: output
 * @key: key
 * @attr: checked attribute, NULL if there is none
 */
void attr_print_str(struct print *out, const char *key,
		    const struct nlattr *attr)
{
	if (attr)
		print_str(out, key, mnl_attr_get_str(attr));
}

/**
 * attr_print_addr() - print an address
 * @out: output
 * @key: key
 * @attr: checked attribute, NULL if there is none
 */
void attr_print_addr(struct print *out, const char *key,
		     const struct nlattr *attr)
{
	if (attr)
		print_addr(out, key, mnl_attr_get_payload(attr));
}
