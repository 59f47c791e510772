// SPDX-License-Identifier: GPL-2.0
/*
 * stream_test inet|inet6|mapped|xenvmc: stream sockets, one set of cases for all.
 *
 * What a case expects is what TCP does; over TCP the cases test themselves.
 * The library "check" runs each in a process of its own, ends those that hang,
 * and prints TAP. CASE=NAME runs the group of cases with that name only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

#define KSFT_SKIP	4

static const struct variant variants[] = {
	{ .name = "inet", .family = AF_INET, .protocol = IPPROTO_TCP,
	  .len = sizeof(struct sockaddr_in),
	  .least = sizeof(struct sockaddr_in) },
	/* Addresses of IPv6 once ended sooner */
	{ .name = "inet6", .family = AF_INET6, .protocol = IPPROTO_TCP,
	  .len = sizeof(struct sockaddr_in6), .least = 24 },
	/* IPv4 by sockets of IPv6 */
	{ .name = "mapped", .family = AF_INET6, .protocol = IPPROTO_TCP,
	  .mapped = true, .len = sizeof(struct sockaddr_in6), .least = 24 },
	{ .name = "xenvmc", .family = AF_XENVMC,
	  .len = sizeof(struct sockaddr_xenvmc),
	  .least = sizeof(struct sockaddr_xenvmc) },
};

const struct variant *variant;

static const struct variant *variant_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		if (name && !strcmp(name, variants[i].name))
			return &variants[i];
	}
	return NULL;
}

/* A family that is not there fails only where everything has to be. */
static int variant_missing(void)
{
	const char *all = getenv("XENVMC_EXPECT_ALL");
	int error = errno;

	if (all && !strcmp(all, "1")) {
		printf("TAP version 13\n1..1\nnot ok 1 socket: %s\n",
		       strerror(error));
		return EXIT_FAILURE;
	}
	printf("TAP version 13\n1..0 # SKIP socket: %s\n", strerror(error));
	return KSFT_SKIP;
}

static int run(void)
{
	const char *factor = getenv("XENVMC_DEADLINE_FACTOR");
	Suite *suite = suite_create(variant->name);
	SRunner *runner = srunner_create(suite);
	int failed;

	/* The library's name for it; read as the cases are made */
	if (factor && setenv("CK_TIMEOUT_MULTIPLIER", factor, 1))
		return EXIT_FAILURE;
	suite_add_tcase(suite, setup_case());
	suite_add_tcase(suite, io_case());
	suite_add_tcase(suite, events_case());
	suite_add_tcase(suite, life_case());
	suite_add_tcase(suite, calls_case());
	suite_add_tcase(suite, closing_case());
	suite_add_tcase(suite, async_case());
	suite_add_tcase(suite, bulk_case());
	if (is_tcp()) {
		suite_add_tcase(suite, tcp_case());
		suite_add_tcase(suite, options_case());
		suite_add_tcase(suite, surface_case());
		suite_add_tcase(suite, taken_case());
		suite_add_tcase(suite, rare_case());
		suite_add_tcase(suite, killed_case());
	}
	/* Else a writer waits for the reader of its ring, for ever */
	if (is_tcp() && (!getenv("XENVMC_TEST_MOVED") || tcp_is_behind()))
		suite_add_tcase(suite, full_case());
	srunner_set_fork_status(runner, CK_FORK);
	srunner_set_tap(runner, "-");
	/* The library's plan comes last: this says where its document begins */
	if (puts("TAP version 13") == EOF || fflush(stdout))
		return EXIT_FAILURE;
	absences_begin();
	srunner_run(runner, NULL, getenv("CASE"), CK_SILENT);
	absences_told();
	failed = srunner_ntests_failed(runner);
	if (!srunner_ntests_run(runner))
		failed = 1;
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	int fd;

	variant = argc == 2 ? variant_find(argv[1]) : NULL;
	if (!variant) {
		fputs("usage: stream_test inet|inet6|mapped|xenvmc\n", stderr);
		return 2;
	}
	fd = socket(variant->family, SOCK_STREAM, 0);
	if (fd < 0)
		return variant_missing();
	close(fd);
	return run();
}
