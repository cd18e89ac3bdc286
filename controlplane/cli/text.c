// SPDX-License-Identifier: BSD-3-Clause
// Text as a terminal shows it. Columns are those of wcwidth in UTF-8, whatever the locale is: what
// comes from the daemon is UTF-8 (main.c sets LC_CTYPE).
#include "cli/text.h"

#include "base/bytes.h"
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { MARKS = 2 }; // combining ones on one letter, as languages need them

// Bytes of the character there, 0 at the end; *c is NOT_ONE where it is no UTF-8, a byte of it.
#define NOT_ONE 0xffffffffu
static size_t next(const char *s, uint32_t *c)
{
	static const struct {
		uint8_t mask, is;
		uint32_t least;
	} kind[] = {{0x80, 0, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
	const uint8_t *b = (const uint8_t *)s;
	if (!*b)
		return 0;
	for (unsigned n = 0; n < XY_ARRAY_SIZE(kind); n++) {
		if ((b[0] & kind[n].mask) != kind[n].is)
			continue;
		*c = b[0] & (uint8_t)~kind[n].mask;
		for (unsigned i = 1; i <= n; i++) {
			if ((b[i] & 0xc0) != 0x80)
				goto none;
			*c = *c << 6 | (b[i] & 0x3f);
		}
		if (*c < kind[n].least || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000))
			break;
		return n + 1;
	}
none:
	*c = NOT_ONE;
	return 1;
}

static unsigned columns_of(uint32_t c)
{
	int n = wcwidth((wchar_t)c);
	return n > 0 ? (unsigned)n : 0;
}

// What steers a terminal, or the order and the look of what stands beside it: controls, those that
// turn the direction, what joins or has no width, tags, private use.
static bool steers(uint32_t c)
{
	static const struct {
		uint32_t from, to;
	} all[] = {{0, 0x1f},	       {0x7f, 0x9f},	   {0xad, 0xad},       {0x34f, 0x34f},
		   {0x61c, 0x61c},     {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
		   {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},
		   {0xe000, 0xf8ff},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xfff0, 0xfffb},
		   {0xffa0, 0xffa0},   {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xfffff},
		   {0x100000, NOT_ONE}};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(all); i++)
		if (c >= all[i].from && c <= all[i].to)
			return true;
	return wcwidth((wchar_t)c) < 0;
}

char *xy_text_clean(const char *text)
{
	char *copy = xy_cli_must(malloc(strlen(text) + 1)), *to = copy;
	unsigned marks = MARKS; // none before the first letter
	uint32_t c;
	size_t n;
	for (; (n = next(text, &c)); text += n) {
		bool mark = !steers(c) && !columns_of(c);
		if (steers(c) || (mark && marks == MARKS)) {
			*to++ = '?';
			marks = 0;
			continue;
		}
		marks = mark ? marks + 1 : 0;
		memcpy(to, text, n);
		to += n;
	}
	*to = 0;
	return copy;
}

size_t xy_text_width(const char *text)
{
	size_t width = 0, n;
	uint32_t c;
	for (; (n = next(text, &c)); text += n)
		width += c == NOT_ONE ? 1 : columns_of(c);
	return width;
}

size_t xy_text_word(const char *text)
{
	size_t longest = 0, width = 0, n;
	uint32_t c;
	for (; (n = next(text, &c)); text += n) {
		width = c == ' ' ? 0 : width + columns_of(c);
		longest = width > longest ? width : longest;
	}
	return longest;
}

// A line may end behind these: parts of addresses, of keys, of names.
static bool ends_part(uint32_t c)
{
	return c == ':' || c == '/' || c == '.' || c == ',' || c == '-' || c == '_' || c == ']';
}

size_t xy_text_line(const char *text, size_t width, size_t *columns, size_t *skip)
{
	size_t at = 0, used = 0, n, space = 0, space_used = 0, part = 0, part_used = 0;
	uint32_t c;
	for (; (n = next(text + at, &c)); at += n) {
		size_t w = c == NOT_ONE ? 1 : columns_of(c);
		if (c == ' ' && at) {
			space = at;
			space_used = used;
		}
		if (used + w > width && at)
			break;
		used += w;
		if (ends_part(c) && 2 * used > width) {
			part = at + n;
			part_used = used;
		}
	}
	*skip = 0;
	*columns = used;
	if (!n)
		return at;
	if (space && !(part && 3 * space_used < width)) { // not behind a tree's branch alone
		*columns = space_used;
		*skip = strspn(text + space, " ");
		return space;
	}
	*columns = part ? part_used : used;
	return part ? part : at;
}
