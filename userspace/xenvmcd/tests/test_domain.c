// SPDX-License-Identifier: GPL-2.0
/* What is read of one domain, whatever it writes. */
#include "test.h"

#include "domain.h"
#include "fake_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct domain_facts facts;
static char note[DOMAIN_NOTE_MAX];

static int setup(void **state)
{
	struct fake_store *f = fake_new();

	fake_domain(f, 5, 50, "xenbr0", "10.0.0.5 10.1.0.5");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fake_free(*state);
	return 0;
}

static int read_5(struct fake_store *f)
{
	return domain_read_facts(&f->store, 5, &facts, note);
}

static void check_addr(const struct addr_list *list, const char *expected)
{
	char text[ADDR_TEXT_MAX];

	addr_list_format(list, text);
	assert_string_equal(text, expected);
}

static void facts_ok(void **state)
{
	struct fake_store *f = *state;
	struct addr_list attested;

	fake_put(f, "00:16:3e:00:00:05",
		 "/local/domain/0/backend/vif/5/0/mac");
	fake_put(f, "10.2.0.5 fd00:2::5",
		 "/local/domain/0/backend/vif/5/11/ip");
	fake_put(f, "br2", "/local/domain/0/backend/vif/5/2/bridge");
	fake_announce(f, 5, "10.0.0.5 fd00::5 10.9.0.5 2001:db8:0::5");
	assert_int_equal(read_5(f), 0);
	assert_string_equal(note, "");
	assert_string_equal(facts.uuid, fake_uuid(50));
	assert_string_equal(facts.name, "guest5");
	assert_int_equal(facts.nvif, 3);
	assert_int_equal(facts.vif[2].devid, 11);
	assert_string_equal(facts.vif[0].mac, "00:16:3e:00:00:05");
	assert_string_equal(facts.vif[0].bridge, "xenbr0");
	assert_string_equal(facts.vif[1].bridge, "br2");
	assert_true(facts.announced);
	check_addr(&facts.addr, "10.0.0.5 fd00::5 10.9.0.5 2001:db8::5");
	domain_attested(&facts, 5, &attested);
	check_addr(&attested, "10.0.0.5 10.1.0.5 10.2.0.5 fd00:2::5");
}

static void same_facts_are_same_bytes(void **state)
{
	struct domain_facts first;
	struct fake_store *f = *state;

	fake_announce(f, 5, "10.0.0.5");
	memset(&facts, 0xa5, sizeof(facts));
	assert_int_equal(read_5(f), 0);
	memcpy(&first, &facts, sizeof(first));
	memset(&facts, 0x5a, sizeof(facts));
	assert_int_equal(read_5(f), 0);
	assert_memory_equal(&first, &facts, sizeof(facts));
}

static void dead_domain_fails(void **state)
{
	struct fake_store *f = *state;

	assert_int_equal(domain_read_facts(&f->store, 6, &facts, note),
			 -ENOENT);
	fake_put(f, "/vm/nonsense", "/local/domain/5/vm");
	assert_int_equal(read_5(f), -ENOENT);
}

static void dom0_needs_no_uuid(void **state)
{
	struct fake_store *f = *state;
	struct addr_list attested;

	fake_announce(f, 0, "192.168.0.1 fd00::1");
	assert_int_equal(domain_read_facts(&f->store, 0, &facts, note), 0);
	assert_string_equal(facts.uuid,
			    "00000000-0000-0000-0000-000000000000");
	domain_attested(&facts, 0, &attested);
	check_addr(&attested, "192.168.0.1 fd00::1");
	fake_put(f, "/vm/12345678-1234-1234-1234-123456789abc",
		 "/local/domain/0/vm");
	assert_int_equal(domain_read_facts(&f->store, 0, &facts, note), 0);
	assert_string_equal(facts.uuid,
			    "12345678-1234-1234-1234-123456789abc");
}

static void other_version_does_not_take_part(void **state)
{
	static const char *const odd[] = { "", "0", "2", "1 ", "01", "one" };
	struct fake_store *f = *state;
	char expected[64];
	size_t i;

	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		fake_put(f, odd[i], "/local/domain/5/data/xenvmc/version");
		assert_int_equal(read_5(f), 0);
		assert_false(facts.announced);
		snprintf(expected, sizeof(expected),
			 "announces version '%s', expected 1", odd[i]);
		assert_string_equal(note, expected);
	}
}

static void huge_and_binary_versions_do_not_take_part(void **state)
{
	struct fake_store *f = *state;
	char *huge = calloc(1, 65536);

	fake_put_bytes(f, "1\0", 2, "/local/domain/5/data/xenvmc/version");
	assert_int_equal(read_5(f), 0);
	assert_false(facts.announced);
	memset(huge, '1', 65535);
	fake_put(f, huge, "/local/domain/5/data/xenvmc/version");
	assert_int_equal(read_5(f), 0);
	assert_false(facts.announced);
	free(huge);
}

static void odd_addresses_do_not_count(void **state)
{
	struct fake_store *f = *state;
	char *huge = calloc(1, 65536);

	fake_announce(f, 5, "10.0.0.5 bogus\n\033[2J 10.0.0.6");
	assert_int_equal(read_5(f), 0);
	assert_true(facts.announced);
	check_addr(&facts.addr, "10.0.0.5 10.0.0.6");
	assert_string_equal(note,
			    "announces 'bogus??[2J', expected at most 16 addresses");

	fake_put_bytes(f, "10.0.0.5\0 10.0.0.6", 18,
		       "/local/domain/5/data/xenvmc/addr");
	assert_int_equal(read_5(f), 0);
	assert_int_equal(facts.addr.n, 0);
	assert_string_equal(note, "announces addresses with a NUL");

	memset(huge, ' ', 65535);
	fake_put(f, huge, "/local/domain/5/data/xenvmc/addr");
	assert_int_equal(read_5(f), 0);
	assert_true(facts.announced);
	assert_string_equal(note, "announces addresses in more than 2 KiB");
	free(huge);
}

static void missing_addr_is_no_address(void **state)
{
	struct fake_store *f = *state;

	fake_announce(f, 5, NULL);
	assert_int_equal(read_5(f), 0);
	assert_true(facts.announced);
	assert_int_equal(facts.addr.n, 0);
}

static void cost_does_not_depend_on_the_guest(void **state)
{
	struct fake_store *f = *state;
	unsigned long calls;
	int i;

	fake_announce(f, 5, "10.0.0.5");
	assert_int_equal(read_5(f), 0);
	calls = f->calls;
	for (i = 0; i < 900; i++)
		fake_put(f, "x", "/local/domain/5/data/xenvmc/junk%d", i);
	assert_int_equal(read_5(f), 0);
	assert_int_equal(f->calls, 2 * calls);
}

static void vif_network_is_complained_about(void **state)
{
	struct fake_store *f = *state;

	fake_put(f, "10.0.0.0/24 10.0.0.5/32",
		 "/local/domain/0/backend/vif/5/0/ip");
	assert_int_equal(read_5(f), 0);
	check_addr(&facts.vif[0].ip, "10.0.0.5");
	assert_string_equal(note,
			    "vif 0: ip has '10.0.0.0/24', expected at most 16 addresses of single hosts");
}

static void too_many_vifs_are_cut(void **state)
{
	struct fake_store *f = *state;
	int i;

	for (i = 0; i < 100; i++)
		fake_put(f, "br", "/local/domain/0/backend/vif/5/%d/bridge", i);
	assert_int_equal(read_5(f), 0);
	assert_int_equal(facts.nvif, DOMAIN_VIF_MAX);
}

static void bridges_are_shared(void **state)
{
	struct domain_facts none = { 0 }, one = { .nvif = 1 };
	struct domain_facts two = { .nvif = 2 }, blank = { .nvif = 1 };

	(void)state;
	strcpy(one.vif[0].bridge, "a");
	strcpy(two.vif[0].bridge, "b");
	assert_false(domain_share_bridge(&one, 1, &two, 2));
	strcpy(two.vif[1].bridge, "a");
	assert_true(domain_share_bridge(&one, 1, &two, 2));
	assert_true(domain_share_bridge(&two, 2, &one, 1));
	assert_false(domain_share_bridge(&none, 1, &one, 2));
	assert_false(domain_share_bridge(&blank, 1, &blank, 2));
	assert_true(domain_share_bridge(&none, 0, &one, 1));
	assert_true(domain_share_bridge(&one, 1, &none, 0));
	assert_false(domain_share_bridge(&none, 0, &blank, 1));
	assert_false(domain_share_bridge(&none, 0, &none, 1));
}

static void domids_are_checked(void **state)
{
	unsigned int domid;

	(void)state;
	assert_int_equal(store_domid("0", &domid), 0);
	assert_int_equal(domid, 0);
	assert_int_equal(store_domid("32751", &domid), 0);
	assert_int_equal(domid, 32751);
	assert_int_equal(store_domid("32752", &domid), -EINVAL);
	assert_int_equal(store_domid("", &domid), -EINVAL);
	assert_int_equal(store_domid("-1", &domid), -EINVAL);
	assert_int_equal(store_domid("1x", &domid), -EINVAL);
	assert_int_equal(store_domid(" 1", &domid), -EINVAL);
}

#define STORE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(facts_ok),
		STORE_TEST(same_facts_are_same_bytes),
		STORE_TEST(dead_domain_fails),
		STORE_TEST(dom0_needs_no_uuid),
		STORE_TEST(other_version_does_not_take_part),
		STORE_TEST(huge_and_binary_versions_do_not_take_part),
		STORE_TEST(odd_addresses_do_not_count),
		STORE_TEST(missing_addr_is_no_address),
		STORE_TEST(cost_does_not_depend_on_the_guest),
		STORE_TEST(vif_network_is_complained_about),
		STORE_TEST(too_many_vifs_are_cut),
		cmocka_unit_test(bridges_are_shared),
		cmocka_unit_test(domids_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
