/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The command line: tables of words, a cursor over arguments, exit statuses.
 */
#ifndef XENVMC_CMD_H
#define XENVMC_CMD_H

#include <stdbool.h>
#include <stdint.h>

struct print;

/*
 * What handlers return and the program exits with. The numbers are those of
 * ip(8), which says 1 for an unknown object and 255 for any other mistake.
 */
enum status {
	ST_OK		= 0,
	ST_OBJECT	= 1,	/* unknown object */
	ST_KERNEL	= 2,	/* the kernel said no, or is not there */
	ST_USAGE	= 255,	/* any other mistake on the command line */
};

/**
 * struct args - what is left of the command line
 * @argc: number of words left
 * @argv: the words
 */
struct args {
	int argc;
	char **argv;
};

/**
 * struct cmd - one word of a table; a table ends with a NULL name
 * @name: the word; the first of a table is what an empty line means
 * @run: handler, gets the words after this one
 * @sub: table of the next level, instead of @run
 * @help: text for "help" at the next level
 */
struct cmd {
	const char *name;
	enum status (*run)(struct args *args, struct print *out);
	const struct cmd *sub;
	const char *help;
};

extern const struct cmd peer_cmds[];
extern const struct cmd conn_cmds[];
extern const struct cmd stat_cmds[];
extern const struct cmd hook_cmds[];

enum status monitor_run(struct args *args, struct print *out);

enum status cmd_object(const struct cmd *objects, struct args *args,
		       struct print *out);

const char *args_next(struct args *args);
bool args_is(const char *word, const char *keyword);
enum status args_number(struct args *args, const char *key, uint32_t max,
			int64_t *value);
enum status args_end(const struct args *args);
enum status args_garbage(const char *word);

#endif /* XENVMC_CMD_H */
