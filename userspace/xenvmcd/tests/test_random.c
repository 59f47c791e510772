// SPDX-License-Identifier: GPL-2.0
/*
 * Random lives of a host: whatever happened, once all is quiet the store holds
 * what a much simpler piece of code says it should, and a new daemon finds
 * nothing to write. XENVMC_SEED repeats a run that failed.
 */
#include "test.h"

#include "directory.h"
#include "fake_store.h"
#include "log.h"
#include "policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT	"/local/domain"
#define NDOM	6
#define STEPS	400
#define ROUNDS	12

/* Domain ids 1 to NDOM; all addresses are 10.0.0.<domid>, attested or not. */
struct guest {
	bool alive;
	bool announced;
	unsigned int serial;
	unsigned int bridge;
};

static struct guest guest[NDOM + 1];
static unsigned int serial;
static struct fake_store *f;
static struct directory *dir;
static int64_t now;

static unsigned int any(unsigned int n)
{
	return random() % n;
}

static void sink(int prio, const char *line)
{
	(void)prio;
	(void)line;
}

static void start_daemon(void)
{
	dir = directory_new(&f->store, policy_builtin());
	assert_non_null(dir);
	assert_int_equal(directory_start(dir), 0);
}

static int64_t look(void)
{
	char token[STORE_TOKEN_MAX];

	while (!f->store.ops->next_event(&f->store, token))
		directory_event(dir, token);
	return directory_run(dir, now);
}

static void settle(void)
{
	int i;

	for (i = 0; i < 200; i++) {
		int64_t wait = look();

		if (wait < 0 && !f->nevent)
			return;
		now += wait > 0 ? wait : 0;
	}
	fail_msg("does not settle");
}

static void be_born(unsigned int d)
{
	char bridge[8], ip[16];

	guest[d] = (struct guest){
		.alive = true,
		.serial = ++serial,
		.bridge = any(2),
	};
	snprintf(bridge, sizeof(bridge), "br%u", guest[d].bridge);
	snprintf(ip, sizeof(ip), "10.0.0.%u", d);
	fake_domain(f, d, guest[d].serial, bridge, any(2) ? ip : NULL);
}

static void announce(unsigned int d)
{
	char addr[16];

	snprintf(addr, sizeof(addr), "10.0.0.%u", d);
	fake_announce(f, d, addr);
	guest[d].announced = true;
}

static void move(unsigned int d)
{
	char bridge[8];

	guest[d].bridge ^= 1;
	snprintf(bridge, sizeof(bridge), "br%u", guest[d].bridge);
	fake_put(f, bridge, ROOT "/0/backend/vif/%u/0/bridge", d);
}

static void restart(void)
{
	directory_free(dir);
	f->nevent = 0;
	start_daemon();
}

/* Guests do with their own offers what they like. */
static void offer(unsigned int d, unsigned int p)
{
	if (fake_get(f, ROOT "/%u/xenvmc/peer/%u/offer", d, p))
		fake_put(f, "1 0 5 77", ROOT "/%u/xenvmc/peer/%u/offer", d, p);
}

static void live_on(unsigned int d)
{
	switch (any(8)) {
	case 0:
		fake_domain_gone(f, d);
		guest[d].alive = false;
		break;
	case 1:
		fake_withdraw(f, d);
		guest[d].announced = false;
		break;
	case 2:
		move(d);
		break;
	case 3:
		offer(d, 1 + any(NDOM));
		break;
	default:
		announce(d);
		break;
	}
}

static void live(void)
{
	unsigned int d = 1 + any(NDOM);

	if (any(20) == 0)
		f->conflicts += any(5);
	if (any(30) == 0)
		restart();
	if (guest[d].alive)
		live_on(d);
	else
		be_born(d);
	if (any(3))
		now += any(2000);
	if (any(2))
		look();
}

static void check_pair(unsigned int d, unsigned int p)
{
	char path[STORE_PATH_MAX], addr[16];
	const struct fake_node *node;

	snprintf(path, sizeof(path), ROOT "/%u/xenvmc/peer/%u", d, p);
	if (!guest[d].alive || !guest[p].alive || !guest[d].announced ||
	    !guest[p].announced || guest[d].bridge != guest[p].bridge) {
		assert_null(fake_node(f, path));
		return;
	}
	snprintf(addr, sizeof(addr), "10.0.0.%u", p);
	assert_non_null(fake_node(f, path));
	assert_string_equal(fake_get(f, "%s/addr", path), addr);
	assert_string_equal(fake_get(f, "%s/uuid", path),
			    fake_uuid(guest[p].serial));
	strcat(path, "/offer");
	node = fake_node(f, path);
	if (d > p) {
		assert_null(node);
		return;
	}
	assert_non_null(node);
	assert_int_equal(node->perms.owner, d);
	assert_int_equal(node->perms.reader, p);
}

static void check(void)
{
	unsigned int d, p;

	for (d = 1; d <= NDOM; d++) {
		assert_int_equal(fake_get(f, ROOT "/%u/xenvmc/domid", d) != NULL,
				 guest[d].alive && guest[d].announced);
		if (!guest[d].alive)
			assert_null(fake_get(f, ROOT "/%u", d));
		for (p = 1; p <= NDOM; p++)
			if (p != d)
				check_pair(d, p);
	}
}

static void live_once(void)
{
	int i;

	memset(guest, 0, sizeof(guest));
	now = 1000;
	f = fake_new();
	start_daemon();
	for (i = 0; i < STEPS; i++) {
		live();
		if (any(40))
			continue;
		settle();
		check();
	}
	settle();
	check();
	fake_journal_clear(f);
	restart();
	settle();
	assert_int_equal(f->njournal, 0);
	directory_free(dir);
	fake_free(f);
}

static void random_lives_end_as_they_should(void **state)
{
	const char *env = getenv("XENVMC_SEED");
	unsigned int seed = env ? strtoul(env, NULL, 10) : 1;
	int i;

	(void)state;
	log_set_sink(sink);
	for (i = 0; i < ROUNDS; i++, seed++) {
		printf("# seed %u\n", seed);
		srandom(seed);
		live_once();
	}
	log_set_sink(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_lives_end_as_they_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
