// SPDX-License-Identifier: GPL-2.0
/*
 * Output: one set of calls, which become text or JSON.
 *
 * Text is made of the same words as JSON, "key value" after "key value", so
 * there are no format strings to keep in step. All is held back until
 * print_flush(): an interrupted dump can be thrown away and asked for again,
 * and a failed one leaves no half of a JSON document.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "print.h"

/**
 * struct print - one document
 * @json: JSON instead of text
 * @pretty: indented JSON
 * @text: the text so far, a memory stream on @buf and @len
 * @buf: owned by @text
 * @len: owned by @text
 * @bol: text: at the beginning of a line
 * @root: JSON: the document, owns the others
 * @obj: JSON: the object that keys go to, borrowed from @root
 * @arr: JSON: the array that elements go to, borrowed from @obj
 * @arr_key: text: key of an array that has no element yet, or NULL
 */
struct print {
	bool json;
	bool pretty;
	FILE *text;
	char *buf;
	size_t len;
	bool bol;
	struct json_object *root;
	struct json_object *obj;
	struct json_object *arr;
	const char *arr_key;
};

static int print_start(struct print *out)
{
	out->root = NULL;
	out->obj = NULL;
	out->arr = NULL;
	out->arr_key = NULL;
	out->bol = true;
	out->buf = NULL;
	out->text = open_memstream(&out->buf, &out->len);
	return out->text ? 0 : -errno;
}

static void print_drop(struct print *out)
{
	if (out->text)
		fclose(out->text);
	free(out->buf);
	json_object_put(out->root);
}

/**
 * print_new() - begin a document
 * @json: JSON instead of text
 * @pretty: indented JSON; text is not changed by it
 *
 * Return: the document, or NULL with errno.
 */
struct print *print_new(bool json, bool pretty)
{
	struct print *out = calloc(1, sizeof(*out));

	if (!out)
		return NULL;
	out->json = json;
	out->pretty = pretty;
	if (print_start(out)) {
		free(out);
		return NULL;
	}
	return out;
}

/**
 * print_free() - end a document; what was not flushed is not printed
 * @out: the document
 */
void print_free(struct print *out)
{
	print_drop(out);
	free(out);
}

/**
 * print_discard() - forget all that was not flushed
 * @out: the document
 *
 * Return: 0, or -errno; then only print_free() is allowed.
 */
int print_discard(struct print *out)
{
	print_drop(out);
	return print_start(out);
}

/**
 * print_flush() - write the document to standard output
 * @out: the document
 *
 * Return: 0, or -errno if memory ran out on the way here.
 */
int print_flush(struct print *out)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
	const char *s;

	if (out->json) {
		if (out->pretty)
			flags |= JSON_C_TO_STRING_PRETTY |
				 JSON_C_TO_STRING_SPACED;
		s = json_object_to_json_string_ext(out->root, flags);
		if (!s)
			return -ENOMEM;
		puts(s);
		return 0;
	}
	if (!out->text || fflush(out->text))
		return -ENOMEM;
	fwrite(out->buf, 1, out->len, stdout);
	return 0;
}

/* Takes the reference to @value. */
static void json_put(struct print *out, const char *key,
		     struct json_object *value)
{
	json_object_object_add(out->obj, key, value);
}

static void text_put(struct print *out, const char *s)
{
	if (!out->bol)
		fputc(' ', out->text);
	fputs(s, out->text);
	out->bol = false;
}

static void text_pair(struct print *out, const char *key, const char *value)
{
	text_put(out, key);
	text_put(out, value);
}

static void addr_text(const uint8_t addr[16], char s[INET6_ADDRSTRLEN])
{
	struct in6_addr in6;

	memcpy(&in6, addr, sizeof(in6));
	if (IN6_IS_ADDR_V4MAPPED(&in6))
		inet_ntop(AF_INET, addr + 12, s, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, addr, s, INET6_ADDRSTRLEN);
}

/**
 * print_list() - the document is a list of objects
 * @out: the document
 */
void print_list(struct print *out)
{
	if (out->json)
		out->root = json_object_new_array();
}

/**
 * print_object() - begin an object, in the list if there is one
 * @out: the document
 */
void print_object(struct print *out)
{
	if (!out->json)
		return;
	out->obj = json_object_new_object();
	if (out->root)
		json_object_array_add(out->root, out->obj);
	else
		out->root = out->obj;
}

/**
 * print_object_end() - end an object and its last line
 * @out: the document
 */
void print_object_end(struct print *out)
{
	out->obj = NULL;
	out->arr = NULL;
	print_line(out);
}

/**
 * print_line() - text: go on in the next line
 * @out: the document
 */
void print_line(struct print *out)
{
	if (!out->json && !out->bol)
		fputc('\n', out->text);
	out->bol = true;
}

/**
 * print_break() - text: go on in the next line, indented
 * @out: the document
 */
void print_break(struct print *out)
{
	if (out->json)
		return;
	fputs("\n   ", out->text);
	out->bol = false;
}

/**
 * print_head() - the number that names an object; in text "3:"
 * @out: the document
 * @key: key
 * @value: value
 */
void print_head(struct print *out, const char *key, uint64_t value)
{
	char s[24];

	if (out->json) {
		json_put(out, key, json_object_new_uint64(value));
		return;
	}
	snprintf(s, sizeof(s), "%" PRIu64 ":", value);
	text_put(out, s);
}

/**
 * print_u64() - a number
 * @out: the document
 * @key: key
 * @value: value
 */
void print_u64(struct print *out, const char *key, uint64_t value)
{
	char s[24];

	if (out->json) {
		json_put(out, key, json_object_new_uint64(value));
		return;
	}
	snprintf(s, sizeof(s), "%" PRIu64, value);
	text_pair(out, key, s);
}

/**
 * print_str() - a string
 * @out: the document
 * @key: key
 * @value: value
 */
void print_str(struct print *out, const char *key, const char *value)
{
	if (out->json)
		json_put(out, key, json_object_new_string(value));
	else
		text_pair(out, key, value);
}

/**
 * print_bool() - on or off; a value that is neither is shown as it came
 * @out: the document
 * @key: key
 * @value: value
 */
void print_bool(struct print *out, const char *key, uint64_t value)
{
	if (value > 1)
		print_u64(out, key, value);
	else if (out->json)
		json_put(out, key, json_object_new_boolean((int)value));
	else
		text_pair(out, key, value ? "on" : "off");
}

/**
 * print_row() - a number in a table; in text a line with a wide first column
 * @out: the document
 * @key: key
 * @value: value
 */
void print_row(struct print *out, const char *key, uint64_t value)
{
	if (out->json)
		print_u64(out, key, value);
	else
		fprintf(out->text, "%-31s %" PRIu64 "\n", key, value);
}

/**
 * print_addr() - an address
 * @out: the document
 * @key: key
 * @addr: IPv6 address; a v4-mapped one is shown as IPv4
 */
void print_addr(struct print *out, const char *key, const uint8_t addr[16])
{
	char s[INET6_ADDRSTRLEN];

	addr_text(addr, s);
	print_str(out, key, s);
}

/**
 * print_array() - begin a list of values under a key, up to the next key
 * @out: the document
 * @key: key, a constant; an empty list is not shown in text
 */
void print_array(struct print *out, const char *key)
{
	if (!out->json) {
		out->arr_key = key;
		return;
	}
	out->arr = json_object_new_array();
	json_put(out, key, out->arr);
}

/**
 * print_array_addr() - one address of the list
 * @out: the document
 * @addr: address
 */
void print_array_addr(struct print *out, const uint8_t addr[16])
{
	char s[INET6_ADDRSTRLEN];

	addr_text(addr, s);
	if (out->json) {
		json_object_array_add(out->arr, json_object_new_string(s));
		return;
	}
	if (out->arr_key)
		text_put(out, out->arr_key);
	out->arr_key = NULL;
	text_put(out, s);
}

/**
 * print_null() - something that does not exist
 * @out: the document
 * @key: key
 * @text: what to say about it in text
 */
void print_null(struct print *out, const char *key, const char *text)
{
	if (out->json)
		json_put(out, key, NULL);
	else
		text_pair(out, key, text);
}

/**
 * print_flag() - true or false, explained in text
 * @out: the document
 * @key: key
 * @value: value
 * @yes: text for true
 * @no: text for false
 */
void print_flag(struct print *out, const char *key, bool value,
		const char *yes, const char *no)
{
	if (out->json)
		json_put(out, key, json_object_new_boolean(value));
	else
		text_pair(out, key, value ? yes : no);
}
