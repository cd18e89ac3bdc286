// SPDX-License-Identifier: BSD-3-Clause
// What must happen to a text before libconfig 1.5 sees it. It reads up to a NUL, opens the files
// that
// @include names, takes an open comment or string at the end for a whole one and a comment without
// a newline there for an error, and cuts an integer without the suffix L to 32 bits in silence.
#include "config/read.h"

#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>

enum { DIGITS_MAX = 18 }; // decimal digits that always fit 64 bits; hex: 15

struct scan {
	const char *name;
	struct xy_err *err;
	const char *p, *end;
	char *to; // every byte in gives at most two out
	int line;
};

static int peek(const struct scan *s, size_t ahead)
{
	return (size_t)(s->end - s->p) > ahead ? (unsigned char)s->p[ahead] : -1;
}

static void copy(struct scan *s)
{
	if (*s->p == '\n')
		s->line++;
	*s->to++ = *s->p++;
}

// Comments are left out, but not their line ends.
static void skip(struct scan *s)
{
	if (*s->p == '\n')
		copy(s);
	else
		s->p++;
}

static int fail(const struct scan *s, int line, const char *text)
{
	return xy_err_set(s->err, EINVAL, "%s:%d: %s", s->name, line, text);
}

static void line_comment(struct scan *s)
{
	while (peek(s, 0) != -1 && peek(s, 0) != '\n')
		skip(s);
}

static int block_comment(struct scan *s)
{
	int line = s->line;
	skip(s);
	skip(s);
	while (!(peek(s, 0) == '*' && peek(s, 1) == '/')) {
		if (peek(s, 0) == -1)
			return fail(s, line, "comment that begins here has no end; add */");
		skip(s);
	}
	skip(s);
	skip(s);
	return 0;
}

static int string(struct scan *s)
{
	int line = s->line;
	copy(s);
	while (peek(s, 0) != '"') {
		if (peek(s, 0) == '\\' && peek(s, 1) != -1)
			copy(s);
		if (peek(s, 0) == -1)
			return fail(s, line, "string that begins here has no end; add a \"");
		copy(s);
	}
	copy(s);
	return 0;
}

static bool is_word(int c)
{
	return c != -1 && (isalnum(c) || c == '_' || c == '-' || c == '*');
}

static void word(struct scan *s)
{
	while (is_word(peek(s, 0)))
		copy(s);
}

static void rest_of_float(struct scan *s)
{
	while (peek(s, 0) == '.' || peek(s, 0) == '+' || is_word(peek(s, 0)))
		copy(s);
}

static int number(struct scan *s)
{
	bool hex = peek(s, 0) == '0' && (peek(s, 1) == 'x' || peek(s, 1) == 'X');
	if (hex) {
		copy(s);
		copy(s);
	}
	while (peek(s, 0) == '0' && peek(s, 1) != -1 && isdigit(peek(s, 1)))
		s->p++; // leading zeros count for nothing in libconfig
	unsigned digits = 0;
	for (; peek(s, 0) != -1 && (hex ? isxdigit(peek(s, 0)) : isdigit(peek(s, 0))); digits++)
		copy(s);
	if (digits > (hex ? 15 : DIGITS_MAX))
		return fail(s, s->line, "number too large; no setting needs one beyond 32 bits");
	if (!hex && (peek(s, 0) == '.' || peek(s, 0) == 'e' || peek(s, 0) == 'E'))
		rest_of_float(s);
	else if (digits && peek(s, 0) != 'L')
		*s->to++ = 'L';
	else
		word(s);
	return 0;
}

static int token(struct scan *s)
{
	int c = peek(s, 0);
	if (c == '@')
		return fail(s, s->line,
			    "@include is not supported; put all settings into this file");
	if (c == '#' || (c == '/' && peek(s, 1) == '/'))
		return line_comment(s), 0;
	if (c == '/' && peek(s, 1) == '*')
		return block_comment(s);
	if (c == '"')
		return string(s);
	if (isdigit(c))
		return number(s);
	if (c == '.')
		return rest_of_float(s), 0;
	if (isalpha(c) || c == '*')
		return word(s), 0;
	return copy(s), 0;
}

static int line_of_nul(const char *text)
{
	int line = 1;
	for (; *text; text++)
		line += *text == '\n';
	return line;
}

int xy_config_text_prepare(const char *name, const char *text, size_t len, char **out,
			   struct xy_err *err)
{
	if (len && memchr(text, 0, len))
		return xy_err_set(err, EINVAL, "%s:%d: a zero byte; give a plain text file", name,
				  line_of_nul(text));
	char *copied = malloc(2 * len + 1);
	if (!copied)
		return xy_err_set(err, ENOMEM, "%s: not enough memory to read it", name);
	struct scan s = {name, err, text, text + len, copied, 1};
	int ret = 0;
	while (!ret && s.p < s.end)
		ret = token(&s);
	*s.to = 0;
	if (ret)
		xy_config_text_free(copied);
	else
		*out = copied;
	return ret;
}

void xy_config_text_free(char *text)
{
	if (text)
		sodium_memzero(text, strlen(text));
	free(text);
}
