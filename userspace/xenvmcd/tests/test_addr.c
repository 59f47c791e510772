// SPDX-License-Identifier: GPL-2.0
/* Address lists, claims, and what is printed of foreign text. */
#include "test.h"

#include "addr.h"
#include "claims.h"
#include "log.h"

#include <stdio.h>
#include <string.h>

/* @bad is the first word that is complained about, NULL for none. */
static void check_list(const char *text, const char *expected, const char *bad)
{
	char buf[4096], out[ADDR_TEXT_MAX];
	struct addr_list list;
	const char *got;

	snprintf(buf, sizeof(buf), "%s", text);
	got = addr_list_parse(&list, buf);
	addr_list_format(&list, out);
	assert_string_equal(out, expected);
	if (bad) {
		assert_non_null(got);
		assert_string_equal(got, bad);
	} else {
		assert_null(got);
	}
}

static void list_wellformed_ok(void **state)
{
	(void)state;
	check_list("", "", NULL);
	check_list("10.0.0.11", "10.0.0.11", NULL);
	check_list("10.0.0.11 10.0.1.7", "10.0.0.11 10.0.1.7", NULL);
	check_list("  10.0.0.11   10.0.1.7 ", "10.0.0.11 10.0.1.7", NULL);
	check_list("10.0.0.11 10.0.0.11", "10.0.0.11", NULL);
	check_list("10.0.0.11/32", "10.0.0.11", NULL);
	check_list("223.255.255.255", "223.255.255.255", NULL);
}

static void list_of_ipv6_ok(void **state)
{
	(void)state;
	check_list("2001:db8::1", "2001:db8::1", NULL);
	check_list("2001:DB8:0:0::1/128 10.0.0.11 fd00::a",
		   "2001:db8::1 10.0.0.11 fd00::a", NULL);
	check_list("2001:db8::1 2001:db8:0::1", "2001:db8::1", NULL);
	check_list("64:ff9b::10.0.0.1", "64:ff9b::a00:1", NULL);
}

static void list_link_local_is_passed_over(void **state)
{
	(void)state;
	check_list("fe80::1 10.0.0.11 febf::1/64", "10.0.0.11", NULL);
	check_list("169.254.0.1 10.0.0.11 169.254.255.254/16 169.253.0.1",
		   "10.0.0.11 169.253.0.1", NULL);
}

static void list_malformed_ipv6_is_left_out(void **state)
{
	(void)state;
	check_list("2001:db8::/64", "", "2001:db8::/64");
	check_list("2001:db8::1/32", "", "2001:db8::1/32");
	check_list("10.0.0.1/128", "", "10.0.0.1/128");
	check_list("2001:db8::1%eth0", "", "2001:db8::1%eth0");
	check_list("2001:db8::1::2 fd00::1", "fd00::1", "2001:db8::1::2");
	check_list("[2001:db8::1]", "", "[2001:db8::1]");
}

/* Each of them could stand for an address that is somebody else's. */
static void list_disguised_ipv4_is_left_out(void **state)
{
	(void)state;
	check_list("::ffff:10.0.0.11", "", "::ffff:10.0.0.11");
	check_list("::ffff:a00:b/128", "", "::ffff:a00:b/128");
	check_list("0:0:0:0:0:FFFF:10.0.0.11 10.0.0.12", "10.0.0.12",
		   "0:0:0:0:0:FFFF:10.0.0.11");
	check_list("::10.0.0.11", "", "::10.0.0.11");
}

static void list_malformed_is_left_out(void **state)
{
	(void)state;
	check_list("10.0.0", "", "10.0.0");
	check_list("10.0.0.256 10.0.0.1", "10.0.0.1", "10.0.0.256");
	check_list("010.0.0.1", "", "010.0.0.1");
	check_list("0x7f.1 x", "", "0x7f.1");
	check_list("10.0.0.1\n", "", "10.0.0.1\n");
	check_list("10.0.0.1,10.0.0.2", "", "10.0.0.1,10.0.0.2");
	check_list("10.0.0.0/24", "", "10.0.0.0/24");
	check_list("/32", "", "/32");
	check_list("\xff\xfe", "", "\xff\xfe");
}

static void list_unusable_is_left_out(void **state)
{
	(void)state;
	check_list("0.0.0.0", "", "0.0.0.0");
	check_list("0.1.2.3", "", "0.1.2.3");
	check_list("127.0.0.1", "", "127.0.0.1");
	check_list("127.255.0.1", "", "127.255.0.1");
	check_list("224.0.0.1", "", "224.0.0.1");
	check_list("255.255.255.255", "", "255.255.255.255");
	check_list("::", "", "::");
	check_list("::1", "", "::1");
	check_list("ff02::1", "", "ff02::1");
	check_list("ff0e::1/128", "", "ff0e::1/128");
}

static void list_is_bounded(void **state)
{
	char text[4096] = "", expected[ADDR_TEXT_MAX] = "", word[20];
	int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		snprintf(word, sizeof(word), "%s10.0.0.%d", i ? " " : "", i);
		strcat(text, word);
		if (i < ADDR_LIST_MAX)
			strcat(expected, word);
	}
	check_list(text, expected, "10.0.0.16");
}

static void list_of_longest_words_fits(void **state)
{
	char text[ADDR_TEXT_MAX] = "", word[INET6_ADDRSTRLEN];
	int i;

	(void)state;
	for (i = 0; i < ADDR_LIST_MAX; i++) {
		snprintf(word, sizeof(word),
			 "%s2001:1db8:1111:2222:3333:4444:5555:%x",
			 i ? " " : "", 0x6660 + i);
		strcat(text, word);
	}
	check_list(text, text, NULL);
}

static void endless_word_is_left_out(void **state)
{
	char text[2049];

	(void)state;
	memset(text, '1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	check_list(text, "", text);
}

static struct in6_addr parsed(const char *text)
{
	struct addr_list list;
	char buf[64];

	snprintf(buf, sizeof(buf), "%s", text);
	assert_null(addr_list_parse(&list, buf));
	assert_int_equal(list.n, 1);
	return list.a[0];
}

static bool held_by(const struct claims *claims, const char *addr,
		    unsigned int domid)
{
	struct in6_addr a = parsed(addr);

	return claims_held_by(claims, &a, domid);
}

static void claim(struct claims *claims, const char *addr, unsigned int domid,
		  uint64_t since, bool attested)
{
	struct claim c = {
		.addr = parsed(addr),
		.domid = domid,
		.since = since,
		.attested = attested,
	};

	assert_int_equal(claims_add(claims, &c), 0);
}

static void first_claim_holds(void **state)
{
	struct claims claims = { 0 };

	(void)state;
	claim(&claims, "10.0.0.1", 1, 7, false);
	claim(&claims, "10.0.0.1", 2, 6, false);
	claim(&claims, "10.0.0.2", 1, 8, false);
	claim(&claims, "fd00::1", 2, 10, false);
	claim(&claims, "fd00::1", 1, 9, false);
	claim(&claims, "fd00::2", 2, 11, false);
	claims_sort(&claims);
	assert_true(held_by(&claims, "10.0.0.1", 2));
	assert_false(held_by(&claims, "10.0.0.1", 1));
	assert_true(held_by(&claims, "10.0.0.2", 1));
	assert_false(held_by(&claims, "10.0.0.3", 1));
	assert_true(held_by(&claims, "fd00::1", 1));
	assert_false(held_by(&claims, "fd00::1", 2));
	assert_true(held_by(&claims, "fd00::2", 2));
	assert_false(held_by(&claims, "fd00::3", 2));
	claims_free(&claims);
	claims_sort(&claims);
	assert_false(held_by(&claims, "10.0.0.1", 2));
}

static void attested_claim_holds(void **state)
{
	struct claims claims = { 0 };

	(void)state;
	claim(&claims, "10.0.0.1", 1, 1, false);
	claim(&claims, "10.0.0.1", 2, 9, true);
	claims_sort(&claims);
	assert_true(held_by(&claims, "10.0.0.1", 2));
	assert_false(held_by(&claims, "10.0.0.1", 1));
	claims_free(&claims);
}

/* The i-th of many addresses in no order, which differ in any of the words. */
static struct in6_addr many(unsigned int i)
{
	struct in6_addr addr = { 0 };

	addr.s6_addr32[i % 4] = i * 2654435761u;
	addr.s6_addr32[(i + 1) % 4] = i;
	return addr;
}

static void many_claims_are_found(void **state)
{
	struct claims claims = { 0 };
	unsigned int i;

	(void)state;
	for (i = 0; i < 5000; i++) {
		struct claim c = { .addr = many(i), .domid = i };

		assert_int_equal(claims_add(&claims, &c), 0);
	}
	claims_sort(&claims);
	for (i = 0; i < 5000; i++) {
		struct in6_addr addr = many(i);

		assert_true(claims_held_by(&claims, &addr, i));
	}
	claims_free(&claims);
}

static void foreign_text_is_quoted(void **state)
{
	char buf[12];

	(void)state;
	assert_string_equal(log_quote(buf, sizeof(buf), "abc"), "abc");
	assert_string_equal(log_quote(buf, sizeof(buf), "a\nb\033[1m\xff"),
			    "a?b?[1m?");
	assert_string_equal(log_quote(buf, sizeof(buf), "0123456789abcdef"),
			    "01234567...");
}

static char last_line[512];
static unsigned int nlines;

static void sink(int prio, const char *line)
{
	(void)prio;
	nlines++;
	snprintf(last_line, sizeof(last_line), "%s", line);
}

static void lines_are_limited(void **state)
{
	struct log_limit limit = { 0 };
	int i;

	(void)state;
	log_set_sink(sink);
	for (i = 0; i < 1000; i++)
		log_limited(&limit, 5, LOG_WARNING, "odd");
	assert_int_equal(nlines, 1);
	assert_string_equal(last_line, "odd");
	log_limited(&limit, 5 + LOG_LIMIT_MS, LOG_WARNING, "odd");
	assert_int_equal(nlines, 2);
	assert_string_equal(last_line,
			    "odd (999 more since the last such line)");
	limit = (struct log_limit){ .burst = 3 };
	nlines = 0;
	for (i = 0; i < 1000; i++)
		log_limited(&limit, 5, LOG_INFO, "news");
	assert_int_equal(nlines, 4);
	for (i = 0; i < 10; i++)
		log_limited(&limit, 5 + LOG_LIMIT_MS, LOG_INFO, "news");
	assert_int_equal(nlines, 5);
	log_set_sink(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_wellformed_ok),
		cmocka_unit_test(list_of_ipv6_ok),
		cmocka_unit_test(list_link_local_is_passed_over),
		cmocka_unit_test(list_malformed_ipv6_is_left_out),
		cmocka_unit_test(list_disguised_ipv4_is_left_out),
		cmocka_unit_test(list_malformed_is_left_out),
		cmocka_unit_test(list_unusable_is_left_out),
		cmocka_unit_test(list_is_bounded),
		cmocka_unit_test(list_of_longest_words_fits),
		cmocka_unit_test(endless_word_is_left_out),
		cmocka_unit_test(first_claim_holds),
		cmocka_unit_test(attested_claim_holds),
		cmocka_unit_test(many_claims_are_found),
		cmocka_unit_test(foreign_text_is_quoted),
		cmocka_unit_test(lines_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
