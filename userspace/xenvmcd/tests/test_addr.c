// SPDX-License-Identifier: GPL-2.0
/* Address lists, claims, and what is printed of foreign text. */
#include "test.h"

#include "addr.h"
#include "claims.h"
#include "log.h"

#include <arpa/inet.h>
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

static void list_ipv6_is_passed_over(void **state)
{
	(void)state;
	check_list("fe80::1 10.0.0.11 2001:db8::/64", "10.0.0.11", NULL);
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
	char text[ADDR_TEXT_MAX] = "", word[20];
	int i;

	(void)state;
	for (i = 0; i < ADDR_LIST_MAX; i++) {
		snprintf(word, sizeof(word), "%s200.100.100.%d", i ? " " : "",
			 100 + i);
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

static void claim(struct claims *claims, const char *addr, unsigned int domid,
		  uint64_t since, bool attested)
{
	struct claim c = {
		.addr = inet_addr(addr),
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
	claims_sort(&claims);
	assert_true(claims_held_by(&claims, inet_addr("10.0.0.1"), 2));
	assert_false(claims_held_by(&claims, inet_addr("10.0.0.1"), 1));
	assert_true(claims_held_by(&claims, inet_addr("10.0.0.2"), 1));
	assert_false(claims_held_by(&claims, inet_addr("10.0.0.3"), 1));
	claims_free(&claims);
	claims_sort(&claims);
	assert_false(claims_held_by(&claims, inet_addr("10.0.0.1"), 2));
}

static void attested_claim_holds(void **state)
{
	struct claims claims = { 0 };

	(void)state;
	claim(&claims, "10.0.0.1", 1, 1, false);
	claim(&claims, "10.0.0.1", 2, 9, true);
	claims_sort(&claims);
	assert_true(claims_held_by(&claims, inet_addr("10.0.0.1"), 2));
	assert_false(claims_held_by(&claims, inet_addr("10.0.0.1"), 1));
	claims_free(&claims);
}

static void many_claims_are_found(void **state)
{
	struct claims claims = { 0 };
	unsigned int i;

	(void)state;
	for (i = 0; i < 5000; i++) {
		struct claim c = { .addr = i * 2654435761u, .domid = i };

		assert_int_equal(claims_add(&claims, &c), 0);
	}
	claims_sort(&claims);
	for (i = 0; i < 5000; i++)
		assert_true(claims_held_by(&claims, i * 2654435761u, i));
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
		log_limited(&limit, 5, "odd");
	assert_int_equal(nlines, 1);
	assert_string_equal(last_line, "odd");
	log_limited(&limit, 5 + LOG_LIMIT_MS, "odd");
	assert_int_equal(nlines, 2);
	assert_string_equal(last_line,
			    "odd (999 more since the last such line)");
	log_set_sink(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_wellformed_ok),
		cmocka_unit_test(list_ipv6_is_passed_over),
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
