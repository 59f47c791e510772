// SPDX-License-Identifier: GPL-2.0
/*
 * A domain that announces ten thousand addresses, a few at a time: what it
 * holds is what it announced last, and all else is anybody's again. And one that
 * comes and goes many times, or has many to tell.
 */
#include "test.h"

#include "addr.h"
#include "directory.h"
#include "fake_store.h"
#include "log.h"
#include "policy.h"

#include <stdio.h>
#include <string.h>

#define ROOT	"/local/domain"
#define MANY	10000
#define TURNS	(MANY / ADDR_LIST_MAX)

static struct fake_store *f;
static struct directory *dir;
static int64_t now;
static unsigned int lines;

static void sink(int prio, const char *line)
{
	lines += prio <= LOG_INFO;
	/* Nothing that is announced here is wrong */
	if (prio <= LOG_WARNING)
		fail_msg("%s", line);
}

static int64_t run_once(void)
{
	char token[STORE_TOKEN_MAX];

	while (!f->store.ops->next_event(&f->store, token))
		directory_event(dir, token);
	return directory_run(dir, now);
}

/* Until it has nothing more to do */
static void settle(void)
{
	int64_t wait;

	do {
		wait = run_once();
		if (wait > 0)
			now += wait;
	} while (wait >= 0 || f->nevent);
	/* It is the test's, and grows with what was done */
	fake_journal_clear(f);
}

static struct policy *policy_of(const char *text)
{
	FILE *file = fmemopen((void *)text, strlen(text), "r");
	char err[POLICY_ERR_MAX];
	struct policy *policy;

	assert_non_null(file);
	policy = policy_parse(file, "test", err);
	assert_non_null(policy);
	fclose(file);
	return policy;
}

static int setup(void **state)
{
	(void)state;
	log_set_sink(sink);
	now = 1000;
	f = fake_new();
	fake_domain(f, 3, 30, "xenbr0", NULL);
	fake_domain(f, 7, 70, "xenbr0", NULL);
	fake_domain(f, 9, 90, "xenbr0", NULL);
	fake_announce(f, 3, "10.0.0.3");
	fake_announce(f, 7, "10.0.0.7");
	fake_announce(f, 9, "10.0.0.9");
	dir = directory_new(&f->store, policy_builtin());
	assert_non_null(dir);
	assert_int_equal(directory_start(dir), 0);
	settle();
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

/* Those of a turn, each in no other; IPv6 in every second turn */
static const char *those_of(unsigned int turn)
{
	static char text[ADDR_TEXT_MAX];
	char *end = text;
	unsigned int i, n;

	for (i = 0; i < ADDR_LIST_MAX; i++) {
		n = turn * ADDR_LIST_MAX + i + 1;
		end += sprintf(end, turn % 2 ? "%sfd00:77::%x:1" : "%s10.7.%u.%u",
			       i ? " " : "", turn % 2 ? n : n / 250,
			       n % 250 + 1);
	}
	return text;
}

static void sees(unsigned int d, unsigned int p, const char *addr)
{
	const char *got = fake_get(f, ROOT "/%u/xenvmc/peer/%u/addr", d, p);

	assert_non_null(got);
	assert_string_equal(got, addr);
}

static void announce(unsigned int turn)
{
	fake_put(f, those_of(turn), ROOT "/7/data/xenvmc/addr");
	settle();
}

static void only_the_last_ones_are_held(void **state)
{
	size_t bytes = 0, nodes = 0, watches = 0;
	unsigned int turn;

	(void)state;
	for (turn = 0; turn < TURNS; turn++) {
		announce(turn);
		sees(3, 7, those_of(turn));
		sees(9, 7, those_of(turn));
		if (turn == 1) {
			bytes = __sanitizer_get_current_allocated_bytes();
			nodes = f->tree.n;
			watches = f->nwatch;
		}
	}
	announce(1);
	assert_int_equal(f->tree.n, nodes);
	assert_int_equal(f->nwatch, watches);
	assert_int_equal(__sanitizer_get_current_allocated_bytes(), bytes);
}

static void all_others_are_given_back(void **state)
{
	unsigned int turn;

	(void)state;
	for (turn = 0; turn < TURNS; turn++) {
		announce(turn);
		/* another one says so as well, and is the second */
		fake_put(f, those_of(turn), ROOT "/3/data/xenvmc/addr");
		settle();
		sees(9, 3, "");
		sees(9, 7, those_of(turn));
		/* it is the first as soon as they are not announced any more */
		announce(turn + 1);
		sees(9, 3, those_of(turn));
	}
}

static void coming_and_going_does_not_fill_the_log(void **state)
{
	int64_t begin = now;
	unsigned int i;

	(void)state;
	lines = 0;
	for (i = 0; i < 500; i++) {
		if (i % 2)
			fake_announce(f, 3, "10.0.0.3");
		else
			fake_withdraw(f, 3);
		settle();
	}
	assert_true(now - begin > 60000);
	assert_in_range(lines, 2, 8 + (now - begin) / LOG_LIMIT_MS + 1);
}

/* Forty others would hear of each of its changes */
static void changes_are_limited_by_what_they_cost(void **state)
{
	enum { OTHERS = 40, SECONDS = 20 };
	unsigned int changes = 0;
	int64_t begin;
	int i, line;

	(void)state;
	directory_set_policy(dir, policy_of("default deny\nallow domid:7 *"));
	for (i = 0; i < OTHERS; i++) {
		fake_domain(f, 10 + i, 100 + i, "xenbr0", NULL);
		fake_announce(f, 10 + i, NULL);
	}
	settle();
	begin = now;
	for (i = 0; now - begin < SECONDS * 1000; i++, now += 10) {
		fake_put(f, those_of(i % 2), ROOT "/7/data/xenvmc/addr");
		run_once();
		for (line = 0; (line = fake_journal_find(f, line, "commit")) >= 0;
		     line++)
			changes++;
		fake_journal_clear(f);
	}
	/* 400 ms for each, and 250 for the look; at once what it has saved up */
	assert_in_range(changes, OTHERS,
			OTHERS * (SECONDS * 1000 / 650 + 16));
	/* Another one is heard at once */
	fake_put(f, "10.0.0.10", ROOT "/10/data/xenvmc/addr");
	run_once();
	sees(7, 10, "10.0.0.10");
}

#define MANY_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MANY_TEST(only_the_last_ones_are_held),
		MANY_TEST(all_others_are_given_back),
		MANY_TEST(coming_and_going_does_not_fill_the_log),
		MANY_TEST(changes_are_limited_by_what_they_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
