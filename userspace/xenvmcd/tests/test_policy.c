// SPDX-License-Identifier: GPL-2.0
/* The policy file: every message, and what a policy says of two domains. */
#include "test.h"

#include "policy.h"

#include <stdio.h>
#include <string.h>

#define UUID_A "11111111-aaaa-4000-8000-000000000001"
#define UUID_B "22222222-bbbb-4000-8000-000000000002"
#define UUID_C "33333333-cccc-4000-8000-000000000003"

#define MEMBER "a domain's name, a uuid, domid:N, @GROUP or *"

static const struct policy_party web = { 1, UUID_A, "web" };
static const struct policy_party db = { 2, UUID_B, "db" };
static const struct policy_party mail = { 3, UUID_C, "mail" };

static struct policy *parse_bytes(const void *text, size_t len, char *err)
{
	struct policy *policy;
	FILE *f;

	/* fmemopen() takes no empty buffer */
	f = len ? fmemopen((void *)text, len, "r") : fopen("/dev/null", "r");
	assert_non_null(f);
	policy = policy_parse(f, "p.conf", err);
	fclose(f);
	return policy;
}

static struct policy *parse_ok(const char *text)
{
	char err[POLICY_ERR_MAX] = "";
	struct policy *policy = parse_bytes(text, strlen(text), err);

	assert_string_equal(err, "");
	assert_non_null(policy);
	return policy;
}

static void bad(const char *text, const char *expected)
{
	char err[POLICY_ERR_MAX] = "";

	assert_null(parse_bytes(text, strlen(text), err));
	assert_string_equal(err, expected);
}

/* Two ways round, without and with a shared bridge. */
static void says(const struct policy *policy, const struct policy_party *a,
		 const struct policy_party *b, bool apart, bool bridged)
{
	assert_int_equal(policy_pairs(policy, a, b, false), apart);
	assert_int_equal(policy_pairs(policy, b, a, false), apart);
	assert_int_equal(policy_pairs(policy, a, b, true), bridged);
	assert_int_equal(policy_pairs(policy, b, a, true), bridged);
}

static void builtin_is_bridge(void **state)
{
	struct policy *policy = policy_builtin();

	(void)state;
	says(policy, &web, &db, false, true);
	assert_false(policy_attest_required(policy));
	policy_free(policy);
	policy = parse_ok("");
	says(policy, &web, &db, false, true);
	policy_free(policy);
}

static void defaults_ok(void **state)
{
	struct policy *policy;

	(void)state;
	policy = parse_ok("default bridge");
	says(policy, &web, &db, false, true);
	policy_free(policy);
	policy = parse_ok("default allow\n");
	says(policy, &web, &db, true, true);
	policy_free(policy);
	policy = parse_ok("\tdefault  deny \r\n");
	says(policy, &web, &db, false, false);
	policy_free(policy);
}

static void attest_ok(void **state)
{
	struct policy *policy;

	(void)state;
	policy = parse_ok("attest required");
	assert_true(policy_attest_required(policy));
	policy_free(policy);
	policy = parse_ok("attest optional");
	assert_false(policy_attest_required(policy));
	policy_free(policy);
}

static void comments_are_no_words(void **state)
{
	struct policy *policy;

	(void)state;
	policy = parse_ok("# all\n\n   \ndefault deny# none\n#default allow\n");
	says(policy, &web, &db, false, false);
	policy_free(policy);
}

static void members_match(void **state)
{
	static const char *const forms[] = {
		"web", UUID_A, "11111111-AAAA-4000-8000-000000000001",
		"domid:1", "domid:01",
	};
	char text[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct policy *policy;

		snprintf(text, sizeof(text), "allow %s db\ndefault deny\n",
			 forms[i]);
		policy = parse_ok(text);
		says(policy, &web, &db, true, true);
		says(policy, &mail, &db, false, false);
		says(policy, &web, &mail, false, false);
		policy_free(policy);
	}
}

static void star_matches_all(void **state)
{
	struct policy *policy = parse_ok("deny web *\nallow * *\n");

	(void)state;
	says(policy, &web, &db, false, false);
	says(policy, &mail, &db, true, true);
	policy_free(policy);
}

static void first_match_counts(void **state)
{
	struct policy *policy;

	(void)state;
	policy = parse_ok("allow web db\ndeny web *\n");
	says(policy, &web, &db, true, true);
	says(policy, &web, &mail, false, false);
	says(policy, &db, &mail, false, true);
	policy_free(policy);
	policy = parse_ok("deny web *\nallow web db\n");
	says(policy, &web, &db, false, false);
	policy_free(policy);
}

static void groups_match(void **state)
{
	struct policy *policy;

	(void)state;
	policy = parse_ok("group one web " UUID_B "\n"
			  "group two domid:3\n"
			  "allow @one @one\n"
			  "deny @one @two\n"
			  "default allow\n");
	says(policy, &web, &db, true, true);
	says(policy, &web, &mail, false, false);
	says(policy, &db, &mail, false, false);
	policy_free(policy);
}

static void summary_ok(void **state)
{
	struct policy *policy;
	char text[128];

	(void)state;
	policy = parse_ok("group g a b\nallow @g @g\ndeny * *\n"
			  "attest required\ndefault deny\n");
	policy_describe(policy, text, sizeof(text));
	assert_string_equal(text,
			    "2 rules, 1 groups, default deny, attest required");
	policy_free(policy);
}

static void statement_fails(void **state)
{
	(void)state;
	bad("alow a b",
	    "p.conf:1: got 'alow', expected default, attest, group, allow or deny");
	bad("\n# x\n\nDEFAULT allow",
	    "p.conf:4: got 'DEFAULT', expected default, attest, group, allow or deny");
}

static void default_fails(void **state)
{
	(void)state;
	bad("default", "p.conf:1: got the end of the line, expected bridge, allow or deny");
	bad("default yes", "p.conf:1: got 'yes', expected bridge, allow or deny");
	bad("default allow deny", "p.conf:1: got 'deny', expected the end of the line");
	bad("default allow\n\ndefault allow",
	    "p.conf:3: got 'default', expected one only, and line 1 has it");
}

static void attest_fails(void **state)
{
	(void)state;
	bad("attest", "p.conf:1: got the end of the line, expected required or optional");
	bad("attest on", "p.conf:1: got 'on', expected required or optional");
	bad("attest required x", "p.conf:1: got 'x', expected the end of the line");
	bad("\nattest optional\nattest required",
	    "p.conf:3: got 'attest', expected one only, and line 2 has it");
}

static void group_fails(void **state)
{
	(void)state;
	bad("group", "p.conf:1: got the end of the line, expected a group's name: letters, digits, . _ + -");
	bad("group @a b", "p.conf:1: got '@a', expected a group's name: letters, digits, . _ + -");
	bad("group a", "p.conf:1: got the end of the line, expected " MEMBER);
	bad("group a b\ngroup a c", "p.conf:2: got 'a', expected a group's name that is not taken");
	bad("group a b\ngroup c d @a", "p.conf:2: got '@a', expected a member that is not a group");
	bad("group a b domid:x", "p.conf:1: got 'domid:x', expected domid:0 to domid:32751");
}

static void rule_fails(void **state)
{
	(void)state;
	bad("allow", "p.conf:1: got the end of the line, expected " MEMBER);
	bad("deny a", "p.conf:1: got the end of the line, expected " MEMBER);
	bad("deny a b c", "p.conf:1: got 'c', expected the end of the line");
	bad("allow a,b c", "p.conf:1: got 'a,b', expected " MEMBER);
	bad("allow a uuid:b", "p.conf:1: got 'uuid:b', expected " MEMBER);
	bad("allow @g *\ngroup g a", "p.conf:1: got '@g', expected a group from a line above");
	bad("allow @ *", "p.conf:1: got '@', expected a group from a line above");
	bad("deny domid: a", "p.conf:1: got 'domid:', expected domid:0 to domid:32751");
	bad("deny a domid:32752", "p.conf:1: got 'domid:32752', expected domid:0 to domid:32751");
	bad("deny a domid:-1", "p.conf:1: got 'domid:-1', expected domid:0 to domid:32751");
	bad("deny a domid:99999999999999999999",
	    "p.conf:1: got 'domid:99999999999999999999', expected domid:0 to domid:32751");
}

static void binary_fails(void **state)
{
	static const char nul[] = "allow a b\nallow\0a b\n";
	char err[POLICY_ERR_MAX];

	(void)state;
	assert_null(parse_bytes(nul, sizeof(nul) - 1, err));
	assert_string_equal(err, "p.conf:2: got 'a NUL byte', expected text");
	bad("\x7f""ELF\001",
	    "p.conf:1: got '?ELF?', expected default, attest, group, allow or deny");
}

static void long_word_is_cut(void **state)
{
	char text[5000], err[POLICY_ERR_MAX];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_null(parse_bytes(text, sizeof(text), err));
	assert_non_null(strstr(err, "xxx...', expected default"));
}

static void missing_file_fails(void **state)
{
	char err[POLICY_ERR_MAX];

	(void)state;
	assert_null(policy_load("/nonexistent/p.conf", err));
	assert_string_equal(err,
			    "/nonexistent/p.conf: No such file or directory");
	assert_null(policy_load("/", err));
	assert_string_equal(err, "/: Is a directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builtin_is_bridge),
		cmocka_unit_test(defaults_ok),
		cmocka_unit_test(attest_ok),
		cmocka_unit_test(comments_are_no_words),
		cmocka_unit_test(members_match),
		cmocka_unit_test(star_matches_all),
		cmocka_unit_test(first_match_counts),
		cmocka_unit_test(groups_match),
		cmocka_unit_test(summary_ok),
		cmocka_unit_test(statement_fails),
		cmocka_unit_test(default_fails),
		cmocka_unit_test(attest_fails),
		cmocka_unit_test(group_fails),
		cmocka_unit_test(rule_fails),
		cmocka_unit_test(binary_fails),
		cmocka_unit_test(long_word_is_cut),
		cmocka_unit_test(missing_file_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
