// SPDX-License-Identifier: GPL-2.0
/*
 * Every call to XenStore fails once: nothing leaks, nothing half done is ever
 * seen, and in the end all is published all the same.
 */
#include "test.h"

#include "directory.h"
#include "fake_store.h"
#include "log.h"
#include "policy.h"

#include <stdlib.h>
#include <string.h>

#define ROOT "/local/domain"

static struct fake_store *f;
static struct directory *dir;
static int64_t now;

static void sink(int prio, const char *line)
{
	(void)prio;
	(void)line;
}

/* A guest looks: what has addr has all the rest. */
static void check_whole(unsigned int d, unsigned int p)
{
	const struct fake_node *offer;

	if (!fake_get(f, ROOT "/%u/xenvmc/peer/%u", d, p))
		return;
	assert_non_null(fake_get(f, ROOT "/%u/xenvmc/peer/%u/addr", d, p));
	assert_non_null(fake_get(f, ROOT "/%u/xenvmc/peer/%u/uuid", d, p));
	if (d > p)
		return;
	offer = fake_node(f, ROOT "/3/xenvmc/peer/7/offer");
	assert_non_null(offer);
	assert_int_equal(offer->perms.owner, 3);
	assert_int_equal(offer->perms.reader, 7);
}

static void settle(void)
{
	char token[STORE_TOKEN_MAX];
	int64_t wait;
	int i;

	for (i = 0; i < 50; i++) {
		while (!f->store.ops->next_event(&f->store, token))
			directory_event(dir, token);
		wait = directory_run(dir, now);
		check_whole(3, 7);
		check_whole(7, 3);
		if (wait < 0 && !f->nevent)
			return;
		now += wait > 0 ? wait : 0;
	}
	fail_msg("does not settle");
}

static void expect_pair(const char *addr)
{
	assert_string_equal(fake_get(f, ROOT "/3/xenvmc/peer/7/addr"), addr);
	assert_string_equal(fake_get(f, ROOT "/7/xenvmc/peer/3/addr"),
			    "10.0.0.3");
}

/* Start, change, restart, withdraw: all that the daemon ever does. */
static void live(void)
{
	now = 1000;
	fake_domain(f, 3, 30, "xenbr0", "10.0.0.3");
	fake_domain(f, 7, 70, "xenbr0", NULL);
	fake_announce(f, 3, NULL);
	fake_announce(f, 7, "10.0.0.7");
	settle();
	expect_pair("10.0.0.7");
	fake_put(f, "10.0.0.8", ROOT "/7/data/xenvmc/addr");
	settle();
	expect_pair("10.0.0.8");
	directory_set_policy(dir, policy_builtin());
	settle();
	expect_pair("10.0.0.8");
	fake_withdraw(f, 7);
	settle();
	assert_null(fake_get(f, ROOT "/3/xenvmc/peer/7"));
	assert_null(fake_get(f, ROOT "/7/xenvmc"));
	fake_domain_gone(f, 3);
	settle();
}

/* Returns how many calls it took. */
static unsigned long live_with_failure(unsigned long fail_at)
{
	unsigned long calls;

	f = fake_new();
	dir = directory_new(&f->store, policy_builtin());
	assert_non_null(dir);
	assert_int_equal(directory_start(dir), 0);
	f->fail_at = fail_at ? f->calls + fail_at : 0;
	live();
	calls = f->calls;
	directory_free(dir);
	fake_free(f);
	return calls;
}

static void each_call_may_fail(void **state)
{
	unsigned long i, calls;

	(void)state;
	log_set_sink(sink);
	calls = live_with_failure(0);
	assert_true(calls > 100);
	for (i = 1; i <= calls; i++)
		live_with_failure(i);
	log_set_sink(NULL);
}

static void failed_start_is_told(void **state)
{
	(void)state;
	f = fake_new();
	dir = directory_new(&f->store, policy_builtin());
	f->fail_at = 2;
	assert_true(directory_start(dir) < 0);
	directory_free(dir);
	fake_free(f);
}

static void failed_purge_is_told(void **state)
{
	unsigned long i;
	int n;

	(void)state;
	log_set_sink(sink);
	f = fake_new();
	dir = directory_new(&f->store, policy_builtin());
	now = 1000;
	fake_domain(f, 3, 30, "xenbr0", NULL);
	fake_domain(f, 7, 70, "xenbr0", NULL);
	fake_announce(f, 3, "10.0.0.3");
	fake_announce(f, 7, "10.0.0.7");
	settle();
	for (i = 1;; i++) {
		f->fail_at = f->calls + i;
		n = directory_purge(&f->store);
		if (n >= 0)
			break;
	}
	assert_null(fake_get(f, ROOT "/3/xenvmc"));
	assert_null(fake_get(f, ROOT "/7/xenvmc"));
	directory_free(dir);
	fake_free(f);
	log_set_sink(NULL);
}

static bool sees(unsigned int d, unsigned int p)
{
	return fake_get(f, ROOT "/%u/xenvmc/peer/%u/addr", d, p);
}

static void run_once(void)
{
	char token[STORE_TOKEN_MAX];

	while (!f->store.ops->next_event(&f->store, token))
		directory_event(dir, token);
	directory_run(dir, now);
}

/* Of three domains, nothing of 5 that is @below can be read or written */
static void fails_below(const char *below)
{
	unsigned int domid;

	log_set_sink(sink);
	f = fake_new();
	now = 1000;
	for (domid = 3; domid <= 7; domid += 2)
		fake_domain(f, domid, 10 * domid, "xenbr0", NULL);
	fake_announce(f, 3, "10.0.0.3");
	dir = directory_new(&f->store, policy_builtin());
	assert_int_equal(directory_start(dir), 0);
	settle();
	f->fail_below = below;
	fake_announce(f, 5, "10.0.0.5");
	fake_announce(f, 7, "10.0.0.7");
	run_once();
	/* The others see each other, and do not any more, all the same */
	assert_true(sees(3, 7) && sees(7, 3) && !sees(3, 5));
	fake_withdraw(f, 3);
	run_once();
	assert_false(sees(7, 3));
	f->fail_below = NULL;
	settle();
	assert_true(sees(5, 7) && sees(7, 5));
	directory_free(dir);
	fake_free(f);
	log_set_sink(NULL);
}

static void one_that_cannot_be_read_is_left_out(void **state)
{
	(void)state;
	fails_below(ROOT "/5/data");
}

static void one_that_cannot_be_written_is_left_out(void **state)
{
	(void)state;
	fails_below(ROOT "/5/xenvmc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_may_fail),
		cmocka_unit_test(failed_start_is_told),
		cmocka_unit_test(failed_purge_is_told),
		cmocka_unit_test(one_that_cannot_be_read_is_left_out),
		cmocka_unit_test(one_that_cannot_be_written_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
