// SPDX-License-Identifier: GPL-2.0
/*
 * The command line: looks words up in tables, with unambiguous prefixes.
 *
 * Nothing here exits or talks to the kernel. Messages follow ip(8), since that
 * is what the people who type them know.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

static bool is_prefix(const char *word, const char *of)
{
	return *word && !strncmp(word, of, strlen(word));
}

/* Exact match first, then a prefix that fits one entry only. */
static const struct cmd *cmd_find(const struct cmd *table, const char *word,
				  bool *ambiguous)
{
	const struct cmd *found = NULL;
	const struct cmd *c;

	*ambiguous = false;
	for (c = table; c->name; c++) {
		if (!strcmp(word, c->name))
			return c;
	}
	for (c = table; c->name; c++) {
		if (!is_prefix(word, c->name))
			continue;
		/* "help" yields: "h s" is "hook show" */
		if (found && !strcmp(c->name, "help"))
			continue;
		if (found) {
			*ambiguous = true;
			return NULL;
		}
		found = c;
	}
	return found;
}

static void cmd_unknown(const struct cmd *table, const char *kind,
			const char *word, bool ambiguous, const char *help)
{
	const struct cmd *c;

	if (!ambiguous) {
		fprintf(stderr, "%s \"%s\" is unknown, try \"%s\".\n", kind,
			word, help);
		return;
	}
	fprintf(stderr, "%s \"%s\" is ambiguous:", kind, word);
	for (c = table; c->name; c++) {
		if (is_prefix(word, c->name))
			fprintf(stderr, " %s", c->name);
	}
	fprintf(stderr, "; try \"%s\".\n", help);
}

static enum status cmd_command(const struct cmd *object, struct args *args,
			       struct print *out)
{
	const char *word = args_next(args);
	const struct cmd *c;
	bool ambiguous;
	char help[64];

	if (!word)
		return object->sub->run(args, out);
	c = cmd_find(object->sub, word, &ambiguous);
	if (c)
		return c->run(args, out);
	if (!ambiguous && is_prefix(word, "help")) {
		fputs(object->help, stdout);
		return ST_OK;
	}
	snprintf(help, sizeof(help), "xenvmc %s help", object->name);
	cmd_unknown(object->sub, "Command", word, ambiguous, help);
	return ST_USAGE;
}

/**
 * cmd_object() - run "OBJECT COMMAND ..."
 * @objects: table of objects
 * @args: the words from OBJECT on; there is at least one
 * @out: where handlers print
 *
 * Return: what the handler returned, or ST_OBJECT or ST_USAGE with a message.
 */
enum status cmd_object(const struct cmd *objects, struct args *args,
		       struct print *out)
{
	const char *word = args_next(args);
	const struct cmd *c;
	bool ambiguous;

	c = cmd_find(objects, word, &ambiguous);
	if (!c) {
		cmd_unknown(objects, "Object", word, ambiguous, "xenvmc help");
		return ST_OBJECT;
	}
	return c->sub ? cmd_command(c, args, out) : c->run(args, out);
}

/**
 * args_next() - take the next word
 * @args: the command line
 *
 * Return: the word, or NULL at the end.
 */
const char *args_next(struct args *args)
{
	if (!args->argc)
		return NULL;
	args->argc--;
	return *args->argv++;
}

/**
 * args_is() - compare a word with a keyword, accepting its beginning
 * @word: what was typed
 * @keyword: the whole word
 *
 * Return: true if @word is @keyword or begins it.
 */
bool args_is(const char *word, const char *keyword)
{
	return is_prefix(word, keyword);
}

/**
 * args_number() - take the value of a keyword
 * @args: the command line, after the keyword
 * @key: the keyword, for messages
 * @max: the largest value allowed
 * @value: out: the number; must be negative before, or it is a duplicate
 *
 * Return: ST_OK, or ST_USAGE with a message.
 */
enum status args_number(struct args *args, const char *key, uint32_t max,
			int64_t *value)
{
	const char *word = args_next(args);
	unsigned long long n;
	char *end;

	if (!word) {
		fputs("Command line is not complete. Try option \"help\"\n",
		      stderr);
		return ST_USAGE;
	}
	if (*value >= 0) {
		fprintf(stderr,
			"Error: duplicate \"%s\": \"%s\" is the second value.\n",
			key, word);
		return ST_USAGE;
	}
	errno = 0;
	n = strtoull(word, &end, 0);
	/* strtoull() takes "-1", " 1" and "" too */
	if (*word < '0' || *word > '9' || *end || errno || n > max) {
		fprintf(stderr,
			"Error: argument \"%s\" is wrong: \"%s\" must be a number from 0 to %u\n",
			word, key, max);
		return ST_USAGE;
	}
	*value = (int64_t)n;
	return ST_OK;
}

/**
 * args_garbage() - complain about a word that no keyword explains
 * @word: the word
 *
 * Return: ST_USAGE.
 */
enum status args_garbage(const char *word)
{
	fprintf(stderr, "Error: \"%s\" is unknown here. Try option \"help\"\n",
		word);
	return ST_USAGE;
}

/**
 * args_end() - check that nothing is left
 * @args: the command line
 *
 * Return: ST_OK, or ST_USAGE with a message.
 */
enum status args_end(const struct args *args)
{
	return args->argc ? args_garbage(args->argv[0]) : ST_OK;
}
