// SPDX-License-Identifier: GPL-2.0
/*
 * Reads a policy file: words in lines. The first mistake ends it, with one line
 * of the form "FILE:LINE: got X, expected Y".
 */
#include "domain.h"
#include "log.h"
#include "policy_priv.h"
#include "store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz" \
		   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-"
#define MEMBER_FORMS "a domain's name, a uuid, domid:N, @GROUP or *"

/**
 * struct parser - a policy file that is being read
 * @policy: what was read so far
 * @path: the file, for messages
 * @line: the line, from 1
 * @rest: what is left of the line; NULL at its end
 * @default_line: where the default was set, or 0
 * @attest_line: where attest was set, or 0
 * @err: set to the message on failure
 */
struct parser {
	struct policy *policy;
	const char *path;
	unsigned int line;
	char *rest;
	unsigned int default_line;
	unsigned int attest_line;
	char *err;
};

/* The next word of the line, or NULL. */
static char *next_word(struct parser *p)
{
	char *word;

	do {
		word = strsep(&p->rest, " \t\r\n");
	} while (word && !*word);
	return word;
}

static int __attribute__((format(printf, 3, 4)))
fail(struct parser *p, const char *got, const char *fmt, ...)
{
	char quoted[LOG_QUOTE_MAX], expected[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(expected, sizeof(expected), fmt, ap);
	va_end(ap);
	if (got)
		snprintf(p->err, POLICY_ERR_MAX,
			 "%s:%u: got '%s', expected %s", p->path, p->line,
			 log_quote(quoted, sizeof(quoted), got), expected);
	else
		snprintf(p->err, POLICY_ERR_MAX,
			 "%s:%u: got the end of the line, expected %s",
			 p->path, p->line, expected);
	return -EINVAL;
}

static int fail_memory(struct parser *p)
{
	snprintf(p->err, POLICY_ERR_MAX, "%s: out of memory", p->path);
	return -ENOMEM;
}

static int expect_end(struct parser *p)
{
	char *word = next_word(p);

	return word ? fail(p, word, "the end of the line") : 0;
}

static bool is_name(const char *word)
{
	return *word && strspn(word, NAME_CHARS) == strlen(word);
}

static struct policy_group *find_group(const struct parser *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->policy->ngroup; i++)
		if (!strcmp(p->policy->group[i].name, name))
			return &p->policy->group[i];
	return NULL;
}

static int parse_group_member(struct parser *p, const char *word,
			      struct policy_member *member)
{
	struct policy_group *group = find_group(p, word + 1);

	if (!group)
		return fail(p, word, "a group from a line above");
	member->kind = POLICY_GROUP;
	member->group = group - p->policy->group;
	return 0;
}

static int parse_member(struct parser *p, const char *word,
			struct policy_member *member)
{
	memset(member, 0, sizeof(*member));
	if (!word)
		return fail(p, word, MEMBER_FORMS);
	if (*word == '@')
		return parse_group_member(p, word, member);
	if (!strcmp(word, "*")) {
		member->kind = POLICY_ANY;
		return 0;
	}
	if (!strncmp(word, "domid:", 6)) {
		member->kind = POLICY_DOMID;
		if (store_domid(word + 6, &member->domid))
			return fail(p, word, "domid:0 to domid:32751");
		return 0;
	}
	if (!is_name(word))
		return fail(p, word, MEMBER_FORMS);
	member->kind = domain_is_uuid(word) ? POLICY_UUID : POLICY_NAME;
	member->text = strdup(word);
	return member->text ? 0 : fail_memory(p);
}

static int parse_default(struct parser *p)
{
	const char *word = next_word(p);
	enum policy_default def;

	if (p->default_line)
		return fail(p, "default", "one only, and line %u has it",
			    p->default_line);
	p->default_line = p->line;
	for (def = 0; word && def < POLICY_DEFAULTS; def++) {
		if (!strcmp(word, policy_default_names[def])) {
			p->policy->def = def;
			return expect_end(p);
		}
	}
	return fail(p, word, "bridge, allow or deny");
}

static int parse_attest(struct parser *p)
{
	const char *word = next_word(p);

	if (p->attest_line)
		return fail(p, "attest", "one only, and line %u has it",
			    p->attest_line);
	p->attest_line = p->line;
	if (!word || (strcmp(word, "required") && strcmp(word, "optional")))
		return fail(p, word, "required or optional");
	p->policy->attest_required = !strcmp(word, "required");
	return expect_end(p);
}

static int group_add(struct parser *p, struct policy_group *group,
		     const char *word)
{
	struct policy_member *member;

	if (*word == '@')
		return fail(p, word, "a member that is not a group");
	member = reallocarray(group->member, group->n + 1, sizeof(*member));
	if (!member)
		return fail_memory(p);
	group->member = member;
	return parse_member(p, word, &member[group->n++]);
}

/* A group without a name yet, or NULL. */
static struct policy_group *new_group(struct policy *policy)
{
	struct policy_group *group;

	group = reallocarray(policy->group, policy->ngroup + 1, sizeof(*group));
	if (!group)
		return NULL;
	policy->group = group;
	group += policy->ngroup++;
	memset(group, 0, sizeof(*group));
	return group;
}

static int parse_group(struct parser *p)
{
	const char *word = next_word(p);
	struct policy_group *group;
	char *name;
	int err;

	if (!word || !is_name(word))
		return fail(p, word,
			    "a group's name: letters, digits, . _ + -");
	if (find_group(p, word))
		return fail(p, word, "a group's name that is not taken");
	name = strdup(word);
	group = name ? new_group(p->policy) : NULL;
	if (!group) {
		free(name);
		return fail_memory(p);
	}
	group->name = name;
	word = next_word(p);
	if (!word)
		return fail(p, word, MEMBER_FORMS);
	do {
		err = group_add(p, group, word);
	} while (!err && (word = next_word(p)));
	return err;
}

static int parse_rule(struct parser *p, bool allow)
{
	struct policy *policy = p->policy;
	struct policy_rule *rule;
	int err;

	rule = reallocarray(policy->rule, policy->nrule + 1, sizeof(*rule));
	if (!rule)
		return fail_memory(p);
	policy->rule = rule;
	rule += policy->nrule++;
	memset(rule, 0, sizeof(*rule));
	rule->allow = allow;
	err = parse_member(p, next_word(p), &rule->a);
	if (err)
		return err;
	err = parse_member(p, next_word(p), &rule->b);
	if (err)
		return err;
	return expect_end(p);
}

static int parse_allow(struct parser *p)
{
	return parse_rule(p, true);
}

static int parse_deny(struct parser *p)
{
	return parse_rule(p, false);
}

static const struct {
	const char *word;
	int (*parse)(struct parser *p);
} statements[] = {
	{ "default",	parse_default },
	{ "attest",	parse_attest },
	{ "group",	parse_group },
	{ "allow",	parse_allow },
	{ "deny",	parse_deny },
};

static int parse_line(struct parser *p, char *line, size_t len)
{
	const char *word;
	size_t i;

	if (strlen(line) != len)
		return fail(p, "a NUL byte", "text");
	line[strcspn(line, "#")] = '\0';
	p->rest = line;
	word = next_word(p);
	if (!word)
		return 0;
	for (i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (!strcmp(word, statements[i].word))
			return statements[i].parse(p);
	return fail(p, word, "default, attest, group, allow or deny");
}

/**
 * policy_parse() - read a policy
 * @f: where from
 * @path: its name, for messages
 * @err: set to a message on failure
 *
 * Return: the policy, or NULL.
 */
struct policy *policy_parse(FILE *f, const char *path, char err[POLICY_ERR_MAX])
{
	struct parser p = { .path = path, .err = err };
	size_t room = 0;
	char *line = NULL;
	ssize_t len;
	int ret = 0;

	p.policy = policy_builtin();
	if (!p.policy) {
		fail_memory(&p);
		return NULL;
	}
	while (!ret && (len = getline(&line, &room, f)) >= 0) {
		p.line++;
		ret = parse_line(&p, line, len);
	}
	if (!ret && ferror(f)) {
		snprintf(err, POLICY_ERR_MAX, "%s: %s", path, strerror(errno));
		ret = -EIO;
	}
	free(line);
	if (!ret)
		return p.policy;
	policy_free(p.policy);
	return NULL;
}

/**
 * policy_load() - read a policy file
 * @path: the file
 * @err: set to a message on failure
 *
 * Return: the policy, or NULL with errno as fopen(3) left it if the file could
 * not be opened, 0 if it could.
 */
struct policy *policy_load(const char *path, char err[POLICY_ERR_MAX])
{
	struct policy *policy;
	FILE *f;

	f = fopen(path, "re");
	if (!f) {
		int saved = errno;

		snprintf(err, POLICY_ERR_MAX, "%s: %s", path, strerror(saved));
		errno = saved;
		return NULL;
	}
	policy = policy_parse(f, path, err);
	fclose(f);
	errno = 0;
	return policy;
}
