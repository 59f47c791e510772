// SPDX-License-Identifier: GPL-2.0
/*
 * xenvmcd: tells the guests of a Xen host which others they can reach over
 * shared memory. Runs in dom0. Only the command line is here.
 */
#include "daemon.h"
#include "log.h"
#include "policy.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef XENVMC_RELEASE
#define XENVMC_RELEASE "unknown"
#endif

#define EXIT_USAGE 2	/* command line or policy file */

enum {
	OPT_CHECK_POLICY = 256,
	OPT_PURGE,
};

/**
 * struct options - the command line
 * @config: policy file, NULL for the default one
 * @check: policy file to check, NULL if not asked for
 * @purge: remove all that is published
 * @verbose: print debug lines
 */
struct options {
	const char *config;
	const char *check;
	bool purge;
	bool verbose;
};

static const struct option long_options[] = {
	{ "config",		required_argument, NULL, 'c' },
	{ "check-policy",	required_argument, NULL, OPT_CHECK_POLICY },
	{ "purge",		no_argument, NULL, OPT_PURGE },
	{ "verbose",		no_argument, NULL, 'v' },
	{ "help",		no_argument, NULL, 'h' },
	{ "version",		no_argument, NULL, 'V' },
	{ 0 }
};

static void help(void)
{
	printf("Usage: xenvmcd [-v] [-c FILE]\n"
	       "       xenvmcd --check-policy FILE\n"
	       "       xenvmcd --purge\n"
	       "\n"
	       "Tells the guests of this Xen host which others they can reach over shared\n"
	       "memory. Runs in dom0, in the foreground, until SIGTERM.\n"
	       "\n"
	       "  -c, --config FILE        policy file, default " DAEMON_POLICY_FILE "\n"
	       "      --check-policy FILE  say whether a policy file is well formed, and exit\n"
	       "      --purge              remove all that is published in XenStore, and exit\n"
	       "  -v, --verbose            print more\n"
	       "  -h, --help               print this, and exit\n"
	       "  -V, --version            print the version, and exit\n"
	       "\n"
	       "SIGHUP reads the policy file again. See xenvmcd(8).\n");
}

static int end_options(int argc, char **argv)
{
	if (optind == argc)
		return -1;
	fprintf(stderr, "xenvmcd: got '%s', expected options only\n"
		"Try 'xenvmcd --help'.\n", argv[optind]);
	return EXIT_USAGE;
}

/* Returns an exit status, or -1 to go on. */
static int parse_options(int argc, char **argv, struct options *opt)
{
	int c;

	for (;;) {
		c = getopt_long(argc, argv, "c:vhV", long_options, NULL);
		switch (c) {
		case -1:
			return end_options(argc, argv);
		case 'c':
			opt->config = optarg;
			break;
		case OPT_CHECK_POLICY:
			opt->check = optarg;
			break;
		case OPT_PURGE:
			opt->purge = true;
			break;
		case 'v':
			opt->verbose = true;
			break;
		case 'h':
			help();
			return EXIT_SUCCESS;
		case 'V':
			printf("xenvmcd %s\n", XENVMC_RELEASE);
			return EXIT_SUCCESS;
		default:
			fprintf(stderr, "Try 'xenvmcd --help'.\n");
			return EXIT_USAGE;
		}
	}
}

static int check_policy(const char *path)
{
	char text[POLICY_ERR_MAX];
	struct policy *policy;

	policy = policy_load(path, text);
	if (!policy) {
		fprintf(stderr, "%s\n", text);
		return EXIT_USAGE;
	}
	policy_describe(policy, text, sizeof(text));
	printf("%s: %s\n", path, text);
	policy_free(policy);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options opt = { 0 };
	struct policy *policy;
	int status;

	status = parse_options(argc, argv, &opt);
	if (status >= 0)
		return status;
	log_init(opt.verbose);
	if (opt.check)
		return check_policy(opt.check);
	if (opt.purge)
		return daemon_purge();
	policy = daemon_load_policy(opt.config);
	return policy ? daemon_run(opt.config, policy) : EXIT_USAGE;
}
