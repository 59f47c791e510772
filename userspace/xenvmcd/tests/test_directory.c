// SPDX-License-Identifier: GPL-2.0
/* What each guest can read, as domains come, announce, move and go. */
#include "test.h"

#include "directory.h"
#include "fake_store.h"
#include "log.h"
#include "policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT "/local/domain"

static struct fake_store *f;
static struct directory *dir;
static int64_t now;
static unsigned int warnings;
static char last_warning[512];

static void sink(int prio, const char *line)
{
	if (prio > LOG_WARNING)
		return;
	warnings++;
	snprintf(last_warning, sizeof(last_warning), "%s", line);
}

static struct policy *policy_of(const char *text)
{
	char err[POLICY_ERR_MAX];
	struct policy *policy;
	FILE *file;

	file = fmemopen((void *)text, strlen(text), "r");
	policy = policy_parse(file, "test", err);
	assert_non_null(policy);
	fclose(file);
	return policy;
}

static void start_daemon(const char *policy)
{
	dir = directory_new(&f->store, policy_of(policy));
	assert_non_null(dir);
	assert_int_equal(directory_start(dir), 0);
}

static void take_events(void)
{
	char token[STORE_TOKEN_MAX];

	while (!f->store.ops->next_event(&f->store, token))
		directory_event(dir, token);
}

/* Until it has nothing more to do; time passes only as far as it must. */
static void settle(void)
{
	int64_t wait;
	int i;

	for (i = 0; i < 100; i++) {
		take_events();
		wait = directory_run(dir, now);
		if (wait < 0 && !f->nevent)
			return;
		if (wait > 0)
			now += wait;
	}
	fail_msg("does not settle");
}

static void restart_daemon(const char *policy)
{
	directory_free(dir);
	f->nevent = 0;
	start_daemon(policy);
	settle();
}

static int setup(void **state)
{
	(void)state;
	log_set_sink(sink);
	warnings = 0;
	now = 1000;
	f = fake_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	directory_free(dir);
	fake_free(f);
	log_set_sink(NULL);
	return 0;
}

static void sees(unsigned int d, unsigned int p, const char *addr)
{
	const char *got = fake_get(f, ROOT "/%u/xenvmc/peer/%u/addr", d, p);

	assert_non_null(got);
	assert_string_equal(got, addr);
}

static void sees_not(unsigned int d, unsigned int p)
{
	assert_null(fake_get(f, ROOT "/%u/xenvmc/peer/%u", d, p));
}

static void check_perms(const char *path, unsigned int owner,
			unsigned int reader)
{
	const struct fake_node *node = fake_node(f, path);

	assert_non_null(node);
	assert_int_equal(node->perms.owner, owner);
	assert_int_equal(node->perms.reader, reader);
}

/* Domains 3 and 7 on one bridge, both announced. */
static void start_pair(void)
{
	fake_domain(f, 3, 30, "xenbr0", NULL);
	fake_domain(f, 7, 70, "xenbr0", NULL);
	fake_announce(f, 3, "10.0.0.3");
	fake_announce(f, 7, "10.0.0.7");
	start_daemon("default bridge");
	settle();
}

static void pair_is_listed(void **state)
{
	(void)state;
	start_pair();
	sees(3, 7, "10.0.0.7");
	sees(7, 3, "10.0.0.3");
	assert_string_equal(fake_get(f, ROOT "/3/xenvmc/domid"), "3");
	assert_string_equal(fake_get(f, ROOT "/7/xenvmc/domid"), "7");
	assert_string_equal(fake_get(f, ROOT "/3/xenvmc/peer/7/uuid"),
			    fake_uuid(70));
	assert_string_equal(fake_get(f, ROOT "/7/xenvmc/peer/3/uuid"),
			    fake_uuid(30));
	assert_string_equal(fake_get(f, ROOT "/3/xenvmc/peer/7/offer"), "");
	assert_null(fake_get(f, ROOT "/7/xenvmc/peer/3/offer"));
	sees_not(3, 3);
	assert_null(fake_get(f, ROOT "/0/xenvmc"));
}

static void permissions_are_as_documented(void **state)
{
	(void)state;
	start_pair();
	check_perms(ROOT "/3/xenvmc", 0, 3);
	check_perms(ROOT "/3/xenvmc/domid", 0, 3);
	check_perms(ROOT "/3/xenvmc/peer", 0, 3);
	check_perms(ROOT "/3/xenvmc/peer/7", 0, 3);
	check_perms(ROOT "/3/xenvmc/peer/7/uuid", 0, 3);
	check_perms(ROOT "/3/xenvmc/peer/7/addr", 0, 3);
	check_perms(ROOT "/3/xenvmc/peer/7/offer", 3, 7);
	check_perms(ROOT "/7/xenvmc/peer/3/addr", 0, 7);
}

static void addr_is_written_last(void **state)
{
	int offer, perms, addr3, addr7;

	(void)state;
	start_pair();
	offer = fake_journal_find(f, 0, "write " ROOT "/3/xenvmc/peer/7/offer");
	perms = fake_journal_find(f, 0, "perms " ROOT "/3/xenvmc/peer/7/offer");
	addr3 = fake_journal_find(f, 0, "write " ROOT "/3/xenvmc/peer/7/addr");
	addr7 = fake_journal_find(f, 0, "write " ROOT "/7/xenvmc/peer/3/addr");
	assert_true(offer >= 0 && offer < perms);
	assert_true(perms < addr3 && perms < addr7);
	assert_int_equal(fake_journal_find(f, 0, "perms " ROOT "/3/xenvmc 0 3"),
			 fake_journal_find(f, 0, "write " ROOT "/3/xenvmc ") + 1);
	assert_int_equal(fake_journal_find(f, offer, "commit"), -1);
}

static void one_alone_sees_nobody(void **state)
{
	(void)state;
	fake_domain(f, 3, 30, "xenbr0", NULL);
	fake_domain(f, 7, 70, "xenbr0", NULL);
	fake_announce(f, 3, "10.0.0.3");
	start_daemon("default allow");
	settle();
	assert_non_null(fake_get(f, ROOT "/3/xenvmc/domid"));
	assert_null(fake_get(f, ROOT "/7/xenvmc"));
	sees_not(3, 7);
}

static void restart_writes_nothing(void **state)
{
	(void)state;
	start_pair();
	fake_domain(f, 9, 90, "xenbr1", "10.1.0.9");
	fake_announce(f, 9, NULL);
	fake_announce(f, 0, "10.0.0.1");
	settle();
	/* the offer is the lower domain's business from here on */
	fake_put(f, "1 0 5 77", ROOT "/3/xenvmc/peer/7/offer");
	fake_journal_clear(f);
	restart_daemon("default bridge");
	assert_int_equal(f->njournal, 0);
	assert_string_equal(fake_get(f, ROOT "/3/xenvmc/peer/7/offer"),
			    "1 0 5 77");
}

static void nothing_new_writes_nothing(void **state)
{
	(void)state;
	start_pair();
	fake_journal_clear(f);
	fake_fire(f, "@introduceDomain");
	fake_announce(f, 3, "10.0.0.3");
	fake_put(f, "7", ROOT "/7/data/xenvmc/junk");
	settle();
	directory_set_policy(dir, policy_of("default bridge"));
	settle();
	assert_int_equal(f->njournal, 0);
}

static void restart_finishes_what_was_left(void **state)
{
	(void)state;
	start_pair();
	fake_rm(f, ROOT "/7/xenvmc/peer/3/addr");
	fake_put(f, "x", ROOT "/3/xenvmc/peer/99/uuid");
	restart_daemon("default bridge");
	sees(7, 3, "10.0.0.3");
	sees_not(3, 99);
}

static void chmod_node(const char *path, unsigned int owner,
		       unsigned int reader)
{
	struct store_perms perms = { .owner = owner, .reader = reader };

	f->store.ops->set_perms(&f->store, path, &perms);
}

static void restart_mends_offer_owner(void **state)
{
	(void)state;
	start_pair();
	chmod_node(ROOT "/3/xenvmc/peer/7/offer", 0, 7);
	restart_daemon("default bridge");
	check_perms(ROOT "/3/xenvmc/peer/7/offer", 3, 7);
}

static void restart_mends_offer_reader(void **state)
{
	(void)state;
	start_pair();
	chmod_node(ROOT "/3/xenvmc/peer/7/offer", 3, 9);
	restart_daemon("default bridge");
	check_perms(ROOT "/3/xenvmc/peer/7/offer", 3, 7);
}

static void restart_mends_directory(void **state)
{
	(void)state;
	start_pair();
	chmod_node(ROOT "/7/xenvmc", 7, 7);
	restart_daemon("default bridge");
	check_perms(ROOT "/7/xenvmc", 0, 7);
	check_perms(ROOT "/7/xenvmc/peer/3/addr", 0, 7);
	sees(7, 3, "10.0.0.3");
	sees(3, 7, "10.0.0.7");
}

static void withdrawal_removes_and_return_lists(void **state)
{
	(void)state;
	start_pair();
	fake_put(f, "1 0 5 77", ROOT "/3/xenvmc/peer/7/offer");
	fake_withdraw(f, 7);
	settle();
	sees_not(3, 7);
	assert_null(fake_get(f, ROOT "/7/xenvmc"));
	assert_non_null(fake_get(f, ROOT "/3/xenvmc/domid"));
	fake_announce(f, 7, "10.0.0.8");
	settle();
	sees(3, 7, "10.0.0.8");
	sees(7, 3, "10.0.0.3");
	assert_string_equal(fake_get(f, ROOT "/3/xenvmc/peer/7/offer"), "");
}

static void death_removes(void **state)
{
	(void)state;
	start_pair();
	fake_domain_gone(f, 3);
	settle();
	sees_not(7, 3);
	assert_null(fake_get(f, ROOT "/3"));
	/* two for the host, three for each of dom0 and 7 */
	assert_int_equal(f->nwatch, 8);
	fake_journal_clear(f);
	fake_domain_gone(f, 7);
	settle();
	assert_int_equal(f->njournal, 0);
	assert_null(fake_get(f, ROOT "/7"));
}

static void death_while_down_removes(void **state)
{
	(void)state;
	start_pair();
	fake_domain_gone(f, 3);
	restart_daemon("default bridge");
	sees_not(7, 3);
}

/* The toolstack has not removed its directory yet, or never will. */
static void dead_but_kept_is_dead(void **state)
{
	(void)state;
	start_pair();
	fake_rm(f, "/introduced/3");
	fake_fire(f, "@releaseDomain");
	settle();
	sees_not(7, 3);
}

static void reused_domid_is_listed_anew(void **state)
{
	int gone, come;

	(void)state;
	start_pair();
	fake_put(f, "1 0 5 77", ROOT "/3/xenvmc/peer/7/offer");
	fake_journal_clear(f);
	/* all between two looks */
	fake_domain_gone(f, 7);
	fake_domain(f, 7, 71, "xenbr0", NULL);
	fake_announce(f, 7, "10.0.0.77");
	settle();
	sees(3, 7, "10.0.0.77");
	sees(7, 3, "10.0.0.3");
	assert_string_equal(fake_get(f, ROOT "/3/xenvmc/peer/7/uuid"),
			    fake_uuid(71));
	assert_string_equal(fake_get(f, ROOT "/3/xenvmc/peer/7/offer"), "");
	gone = fake_journal_find(f, 0, "rm " ROOT "/3/xenvmc/peer/7");
	come = fake_journal_find(f, 0, "write " ROOT "/3/xenvmc/peer/7/uuid");
	assert_true(gone >= 0 && gone < come);
}

static void reused_domid_while_down_is_listed_anew(void **state)
{
	(void)state;
	start_pair();
	fake_put(f, "1 0 5 77", ROOT "/3/xenvmc/peer/7/offer");
	fake_domain_gone(f, 7);
	fake_domain(f, 7, 71, "xenbr0", NULL);
	fake_announce(f, 7, "10.0.0.77");
	restart_daemon("default bridge");
	sees(3, 7, "10.0.0.77");
	assert_string_equal(fake_get(f, ROOT "/3/xenvmc/peer/7/offer"), "");
}

/* Whatever toolstack may do that: another domain, the same nodes. */
static void changed_uuid_is_listed_anew(void **state)
{
	(void)state;
	start_pair();
	fake_put(f, "1 0 5 77", ROOT "/3/xenvmc/peer/7/offer");
	fake_put(f, "/vm/77777777-0000-4000-8000-000000000007", ROOT "/7/vm");
	fake_fire(f, "@introduceDomain");
	settle();
	assert_string_equal(fake_get(f, ROOT "/3/xenvmc/peer/7/uuid"),
			    "77777777-0000-4000-8000-000000000007");
	assert_string_equal(fake_get(f, ROOT "/3/xenvmc/peer/7/offer"), "");
	sees(7, 3, "10.0.0.3");
}

/* The tree was made anew, so the peer's view of the pair is void as well. */
static void lost_directory_is_listed_anew(void **state)
{
	(void)state;
	start_pair();
	fake_put(f, "1 0 5 77", ROOT "/3/xenvmc/peer/7/offer");
	fake_rm(f, ROOT "/7/xenvmc");
	restart_daemon("default bridge");
	sees(7, 3, "10.0.0.3");
	assert_string_equal(fake_get(f, ROOT "/3/xenvmc/peer/7/offer"), "");
}

static void bridges_decide(void **state)
{
	(void)state;
	start_pair();
	fake_domain(f, 9, 90, "xenbr1", NULL);
	fake_announce(f, 9, "10.1.0.9");
	settle();
	sees_not(3, 9);
	sees_not(9, 3);
	fake_put(f, "xenbr0", ROOT "/0/backend/vif/9/1/bridge");
	settle();
	sees(3, 9, "10.1.0.9");
	fake_rm(f, ROOT "/0/backend/vif/9/1");
	settle();
	sees_not(3, 9);
	sees(3, 7, "10.0.0.7");
}

static void late_vif_is_noticed(void **state)
{
	(void)state;
	fake_domain(f, 3, 30, "xenbr0", NULL);
	fake_announce(f, 3, "10.0.0.3");
	fake_domain(f, 7, 70, NULL, NULL);
	fake_announce(f, 7, "10.0.0.7");
	start_daemon("default bridge");
	settle();
	sees_not(3, 7);
	fake_put(f, "xenbr0", ROOT "/0/backend/vif/7/0/bridge");
	settle();
	sees(3, 7, "10.0.0.7");
}

static void dom0_takes_part(void **state)
{
	(void)state;
	start_pair();
	fake_announce(f, 0, "10.0.0.1");
	settle();
	sees(3, 0, "10.0.0.1");
	sees(0, 3, "10.0.0.3");
	check_perms(ROOT "/0/xenvmc/peer/3/offer", 0, 3);
	fake_withdraw(f, 0);
	settle();
	sees_not(3, 0);
	assert_null(fake_get(f, ROOT "/0/xenvmc"));
}

static void revoked_policy_unlists(void **state)
{
	(void)state;
	start_pair();
	directory_set_policy(dir, policy_of("deny guest3 guest7"));
	settle();
	sees_not(3, 7);
	sees_not(7, 3);
	directory_set_policy(dir, policy_of("default bridge"));
	settle();
	sees(3, 7, "10.0.0.7");
}

static void rename_changes_what_policy_says(void **state)
{
	(void)state;
	start_pair();
	directory_set_policy(dir, policy_of("deny other *"));
	settle();
	sees(3, 7, "10.0.0.7");
	fake_put(f, "other", ROOT "/7/name");
	settle();
	sees_not(3, 7);
}

static void removal_comes_before_addition(void **state)
{
	int gone, come;

	(void)state;
	start_pair();
	fake_domain(f, 9, 90, "xenbr1", NULL);
	fake_announce(f, 9, "10.1.0.9");
	settle();
	fake_journal_clear(f);
	directory_set_policy(dir, policy_of("deny guest3 guest7\n"
					    "allow guest3 guest9\n"));
	settle();
	gone = fake_journal_find(f, 0, "rm " ROOT "/7/xenvmc/peer/3");
	come = fake_journal_find(f, 0, "write " ROOT "/3/xenvmc/peer/9/uuid");
	assert_true(gone >= 0 && gone < come);
}

static void changed_address_is_one_write(void **state)
{
	(void)state;
	start_pair();
	fake_journal_clear(f);
	fake_put(f, "10.0.0.3 10.0.5.3", ROOT "/3/data/xenvmc/addr");
	settle();
	sees(7, 3, "10.0.0.3 10.0.5.3");
	assert_int_equal(f->njournal, 2);	/* commit, write */
}

static void foreign_attested_address_is_refused(void **state)
{
	(void)state;
	fake_domain(f, 3, 30, "xenbr0", NULL);
	fake_domain(f, 5, 50, "xenbr0", "10.0.0.5 fd00::5/128");
	fake_domain(f, 7, 70, "xenbr0", NULL);
	fake_announce(f, 3, "10.0.0.5 fd00:0::5 10.0.0.3");
	fake_announce(f, 7, "10.0.0.7");
	start_daemon("default bridge");
	settle();
	/* 5 does not even take part */
	sees(7, 3, "10.0.0.3");
	fake_announce(f, 5, "10.0.0.55");
	settle();
	sees(7, 3, "10.0.0.3");
	sees(7, 5, "10.0.0.5 fd00::5 10.0.0.55");
	assert_int_equal(warnings, 0);
}

static void first_to_announce_has_it(void **state)
{
	(void)state;
	start_pair();
	fake_put(f, "10.0.0.7 10.0.0.3", ROOT "/3/data/xenvmc/addr");
	settle();
	sees(7, 3, "10.0.0.3");
	sees(3, 7, "10.0.0.7");
	fake_domain_gone(f, 7);
	fake_domain(f, 9, 90, "xenbr0", NULL);
	fake_announce(f, 9, "10.0.0.9");
	settle();
	sees(9, 3, "10.0.0.7 10.0.0.3");
}

static void restart_remembers_who_was_first(void **state)
{
	(void)state;
	start_pair();
	fake_put(f, "10.0.0.7 fd00::7", ROOT "/7/data/xenvmc/addr");
	settle();
	/* by domain id alone they would be 3's after the restart */
	fake_put(f, "10.0.0.7 fd00::7 10.0.0.3", ROOT "/3/data/xenvmc/addr");
	settle();
	fake_journal_clear(f);
	restart_daemon("default bridge");
	sees(3, 7, "10.0.0.7 fd00::7");
	sees(7, 3, "10.0.0.3");
	assert_int_equal(f->njournal, 0);
}

static void required_attestation_drops_announced(void **state)
{
	(void)state;
	fake_domain(f, 3, 30, "xenbr0", "10.0.0.3");
	fake_domain(f, 7, 70, "xenbr0", NULL);
	fake_announce(f, 3, "10.0.0.3 10.9.9.9");
	fake_announce(f, 7, "10.0.0.7");
	fake_announce(f, 0, "10.0.0.1");
	start_daemon("attest required");
	settle();
	sees(7, 3, "10.0.0.3");
	sees(3, 7, "");
	sees(3, 0, "10.0.0.1");
}

static void attested_comes_first_and_all_is_bounded(void **state)
{
	char many[2048] = "", expected[512] = "10.0.0.3 10.0.1.3", word[20];
	int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		snprintf(word, sizeof(word), "10.7.0.%d ", i);
		strcat(many, word);
		if (i < 14) {
			snprintf(word, sizeof(word), " 10.7.0.%d", i);
			strcat(expected, word);
		}
	}
	fake_domain(f, 3, 30, "xenbr0", "10.0.0.3 10.0.1.3");
	fake_domain(f, 7, 70, "xenbr0", NULL);
	fake_announce(f, 3, many);
	fake_announce(f, 7, "10.0.0.7");
	start_daemon("default bridge");
	settle();
	sees(7, 3, expected);
	assert_int_equal(warnings, 1);
	assert_string_equal(last_warning,
			    "domain 3: announces '10.7.0.16', expected at most 16 addresses");
}

static void flood_is_coalesced(void **state)
{
	unsigned long reads;
	int i;

	(void)state;
	start_pair();
	reads = f->reads;
	fake_journal_clear(f);
	for (i = 0; i < 5000; i++)
		fake_put(f, i % 2 ? "junk" : "10.0.0.3",
			 ROOT "/3/data/xenvmc/addr");
	take_events();
	directory_run(dir, now);
	assert_true(f->reads - reads < 20);
	assert_int_equal(warnings, 1);
	sees(7, 3, "");
}

static void flood_is_limited_in_rate(void **state)
{
	unsigned long reads;
	int64_t begin;
	int i;

	(void)state;
	start_pair();
	reads = f->reads;
	begin = now;
	for (i = 0; i < 10000; i++) {
		fake_put(f, i % 2 ? "bad" : "worse",
			 ROOT "/3/data/xenvmc/addr");
		take_events();
		directory_run(dir, now);
		if (i % 10 == 0)
			now++;
	}
	/* a second: 16 looks at once and 4 more, of 8 reads each at most */
	assert_int_equal(now - begin, 1000);
	assert_true(f->reads - reads < 25 * 8);
	assert_int_equal(warnings, 1);
	/* and the other is served at once all the while */
	fake_put(f, "10.0.0.7 10.0.0.8", ROOT "/7/data/xenvmc/addr");
	take_events();
	directory_run(dir, now);
	sees(3, 7, "10.0.0.7 10.0.0.8");
	/* the last word of the flooder counts in the end */
	fake_put(f, "10.0.0.33", ROOT "/3/data/xenvmc/addr");
	settle();
	sees(7, 3, "10.0.0.33");
}

static void conflicts_are_tried_again(void **state)
{
	(void)state;
	fake_domain(f, 3, 30, "xenbr0", NULL);
	fake_domain(f, 7, 70, "xenbr0", NULL);
	fake_announce(f, 3, "10.0.0.3");
	fake_announce(f, 7, "10.0.0.7");
	f->conflicts = 40;
	start_daemon("default bridge");
	settle();
	assert_int_equal(f->conflicts, 0);
	sees(3, 7, "10.0.0.7");
	sees(7, 3, "10.0.0.3");
}

static unsigned int begins_to_go;

static void gone_in_the_middle(struct fake_store *fake)
{
	if (--begins_to_go)
		return;
	fake->on_begin = NULL;
	fake_domain_gone(fake, 7);
}

static void dies_in_transaction(unsigned int which)
{
	fake_domain(f, 3, 30, "xenbr0", NULL);
	fake_announce(f, 3, "10.0.0.3");
	start_daemon("default bridge");
	settle();
	fake_domain(f, 7, 70, "xenbr0", NULL);
	fake_announce(f, 7, "10.0.0.7");
	begins_to_go = which;
	f->on_begin = gone_in_the_middle;
	settle();
	assert_null(f->on_begin);
	assert_null(fake_get(f, ROOT "/7"));
	sees_not(3, 7);
	assert_int_equal(warnings, 0);
}

static void dead_service_is_not_made_again(void **state)
{
	(void)state;
	dies_in_transaction(1);
}

static void dead_pair_is_not_made_again(void **state)
{
	(void)state;
	dies_in_transaction(2);
}

static void dead_peer_gets_no_new_address(void **state)
{
	(void)state;
	start_pair();
	fake_put(f, "10.0.0.33", ROOT "/3/data/xenvmc/addr");
	begins_to_go = 1;
	f->on_begin = gone_in_the_middle;
	settle();
	assert_null(f->on_begin);
	assert_null(fake_get(f, ROOT "/7"));
	sees_not(3, 7);
}

static void busy_offer_does_not_stop_unlisting(void **state)
{
	(void)state;
	start_pair();
	/* each commit would conflict, as if a guest wrote all the time */
	f->conflicts = 1000000;
	directory_set_policy(dir, policy_of("default deny"));
	take_events();
	directory_run(dir, now);
	sees_not(3, 7);
	sees_not(7, 3);
}

static void purge_removes_all(void **state)
{
	(void)state;
	start_pair();
	fake_announce(f, 0, "10.0.0.1");
	settle();
	assert_int_equal(directory_purge(&f->store), 3);
	assert_null(fake_get(f, ROOT "/0/xenvmc"));
	assert_null(fake_get(f, ROOT "/3/xenvmc"));
	assert_null(fake_get(f, ROOT "/7/xenvmc"));
	assert_non_null(fake_get(f, ROOT "/3/data/xenvmc/version"));
	assert_int_equal(directory_purge(&f->store), 0);
	restart_daemon("default bridge");
	sees(3, 7, "10.0.0.7");
}

static void leaving_keeps_what_is_published(void **state)
{
	(void)state;
	start_pair();
	fake_journal_clear(f);
	directory_free(dir);
	assert_int_equal(f->njournal, 0);
	assert_int_equal(f->nwatch, 0);
	sees(3, 7, "10.0.0.7");
	start_daemon("default bridge");
}

#define DIR_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIR_TEST(pair_is_listed),
		DIR_TEST(permissions_are_as_documented),
		DIR_TEST(addr_is_written_last),
		DIR_TEST(one_alone_sees_nobody),
		DIR_TEST(restart_writes_nothing),
		DIR_TEST(nothing_new_writes_nothing),
		DIR_TEST(restart_finishes_what_was_left),
		DIR_TEST(restart_mends_offer_owner),
		DIR_TEST(restart_mends_offer_reader),
		DIR_TEST(restart_mends_directory),
		DIR_TEST(withdrawal_removes_and_return_lists),
		DIR_TEST(death_removes),
		DIR_TEST(death_while_down_removes),
		DIR_TEST(dead_but_kept_is_dead),
		DIR_TEST(reused_domid_is_listed_anew),
		DIR_TEST(reused_domid_while_down_is_listed_anew),
		DIR_TEST(changed_uuid_is_listed_anew),
		DIR_TEST(lost_directory_is_listed_anew),
		DIR_TEST(bridges_decide),
		DIR_TEST(late_vif_is_noticed),
		DIR_TEST(dom0_takes_part),
		DIR_TEST(revoked_policy_unlists),
		DIR_TEST(rename_changes_what_policy_says),
		DIR_TEST(removal_comes_before_addition),
		DIR_TEST(changed_address_is_one_write),
		DIR_TEST(foreign_attested_address_is_refused),
		DIR_TEST(first_to_announce_has_it),
		DIR_TEST(restart_remembers_who_was_first),
		DIR_TEST(required_attestation_drops_announced),
		DIR_TEST(attested_comes_first_and_all_is_bounded),
		DIR_TEST(flood_is_coalesced),
		DIR_TEST(flood_is_limited_in_rate),
		DIR_TEST(conflicts_are_tried_again),
		DIR_TEST(dead_service_is_not_made_again),
		DIR_TEST(dead_pair_is_not_made_again),
		DIR_TEST(dead_peer_gets_no_new_address),
		DIR_TEST(busy_offer_does_not_stop_unlisting),
		DIR_TEST(purge_removes_all),
		DIR_TEST(leaving_keeps_what_is_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
