// SPDX-License-Identifier: GPL-2.0
/*
 * xenvmc: shows what moved to shared rings and what did not, and why.
 *
 * Options and the table of objects; each object is a file of its own.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"
#include "print.h"
#include "version.h"

static const char usage[] =
	"Usage: xenvmc [ OPTIONS ] OBJECT { COMMAND | help }\n"
	"where  OBJECT := { peer | conn | stat | hook | monitor }\n"
	"       OPTIONS := { -j[son] | -p[retty] | -V[ersion] | -h[elp] }\n"
	"\n"
	"xenvmc peer [ show ]\n"
	"xenvmc conn [ show [ peer DOMID ] [ sport PORT ] [ dport PORT ] ]\n"
	"xenvmc stat [ show [ zero ] ]\n"
	"xenvmc hook [ show ]\n"
	"xenvmc hook on [ loopback ]\n"
	"xenvmc hook off\n"
	"xenvmc monitor [ peer ] [ conn ] [ hook ]\n";

static enum status help_run(struct args *args, struct print *out)
{
	(void)args;
	(void)out;
	fputs(usage, stdout);
	return ST_OK;
}

static const struct cmd objects[] = {
	{ .name = "peer", .sub = peer_cmds,
	  .help = "Usage: xenvmc peer [ show ]\n" },
	{ .name = "conn", .sub = conn_cmds,
	  .help = "Usage: xenvmc conn [ show [ peer DOMID ] [ sport PORT ] [ dport PORT ] ]\n" },
	{ .name = "stat", .sub = stat_cmds,
	  .help = "Usage: xenvmc stat [ show [ zero ] ]\n" },
	{ .name = "hook", .sub = hook_cmds,
	  .help = "Usage: xenvmc hook [ show ]\n"
		  "       xenvmc hook on [ loopback ]\n"
		  "       xenvmc hook off\n" },
	{ .name = "monitor", .run = monitor_run },
	{ .name = "help", .run = help_run },
	{ .name = NULL },
};

static const struct option options[] = {
	{ "json",	no_argument, NULL, 'j' },
	{ "pretty",	no_argument, NULL, 'p' },
	{ "help",	no_argument, NULL, 'h' },
	{ "Version",	no_argument, NULL, 'V' },
	{ "version",	no_argument, NULL, 'V' },
	{ NULL,		0,	     NULL, 0 },
};

/*
 * Buffered output is worth a status of its own: "xenvmc -j conn show > file" on
 * a full disk must not look like success.
 */
static enum status flush_stdout(enum status st)
{
	if (!fflush(stdout) && !ferror(stdout))
		return st;
	perror("xenvmc: standard output");
	return st ? st : ST_KERNEL;
}

static enum status run(int argc, char **argv, bool json, bool pretty)
{
	struct args args = { .argc = argc, .argv = argv };
	struct print *out = print_new(json, pretty);
	enum status st;

	if (!out) {
		perror("xenvmc");
		return ST_KERNEL;
	}
	st = cmd_object(objects, &args, out);
	print_free(out);
	return st;
}

int main(int argc, char **argv)
{
	bool pretty = false;
	bool json = false;
	int opt, first;

	opterr = 0;
	for (;;) {
		first = optind;
		/* "-json" too, as ip(8) takes it */
		opt = getopt_long_only(argc, argv, "+jphV", options, NULL);
		if (opt < 0)
			break;
		switch (opt) {
		case 'j':
			json = true;
			break;
		case 'p':
			pretty = true;
			break;
		case 'h':
			return flush_stdout(help_run(NULL, NULL));
		case 'V':
			printf("xenvmc %s\n", XENVMC_VERSION);
			return flush_stdout(ST_OK);
		default:
			fprintf(stderr,
				"Option \"%s\" is unknown, try \"xenvmc -help\".\n",
				argv[first]);
			return ST_USAGE;
		}
	}
	if (optind == argc) {
		fputs(usage, stderr);
		return ST_USAGE;
	}
	return flush_stdout(run(argc - optind, argv + optind, json, pretty));
}
