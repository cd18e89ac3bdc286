// SPDX-License-Identifier: BSD-3-Clause
// What must happen to a text before libconfig 1.5 sees it. It reads up to a NUL, opens the files
// that
// @include names, takes an open comment or string at the end for a whole one and a comment without
// a newline there for an error, and cuts an integer without the suffix L to 32 bits in silence. And
// what a text is, that is none of ours: of an editor elsewhere, or of another program.
#include "config/read.h"

#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>
#include <strings.h>

enum { DIGITS_MAX = 18 }; // decimal digits that always fit 64 bits; hex: 15

struct scan {
	struct xy_config_reader *r;
	const char *p, *end;
	char *to; // every byte in gives at most two out
	int line;
	bool lost; // what was left out may be half of what was meant
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

static void fail(struct scan *s, int line, const char *text)
{
	xy_config_fail_line(s->r, line, "%s", text);
	s->lost = true;
}

static void line_comment(struct scan *s)
{
	while (peek(s, 0) != -1 && peek(s, 0) != '\n')
		skip(s);
}

static void block_comment(struct scan *s)
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
}

static void string(struct scan *s)
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

static void number(struct scan *s)
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
		fail(s, s->line, "number too large; no setting needs one beyond 32 bits");
	if (!hex && (peek(s, 0) == '.' || peek(s, 0) == 'e' || peek(s, 0) == 'E'))
		rest_of_float(s);
	else if (digits && peek(s, 0) != 'L')
		*s->to++ = 'L';
	else
		word(s);
}

// --- what is no ASCII

struct xy_config_glyph xy_config_glyph_read(const char *text, size_t len)
{
	static const struct {
		uint32_t code;
		const char *name;
		char meant;
	} known[] = {
		{0x00a0, "a no-break space", ' '},
		{0x00ab, "a quotation mark of print", '"'},
		{0x00ad, "a soft hyphen", 0},
		{0x00bb, "a quotation mark of print", '"'},
		{0x2007, "a space of print", ' '},
		{0x2009, "a space of print", ' '},
		{0x200b, "an invisible space", ' '},
		{0x200e, "an invisible mark", ' '},
		{0x2010, "a hyphen of print", '-'},
		{0x2011, "a hyphen of print", '-'},
		{0x2013, "a dash of print", '-'},
		{0x2014, "a dash of print", '-'},
		{0x2018, "a quotation mark of print", 0},
		{0x2019, "a quotation mark of print", 0},
		{0x201c, "a quotation mark of print", '"'},
		{0x201d, "a quotation mark of print", '"'},
		{0x201e, "a quotation mark of print", '"'},
		{0x202f, "a no-break space", ' '},
		{0x2060, "an invisible space", ' '},
		{0x3000, "a wide space", ' '},
		{0xfeff, "a byte order mark", ' '},
		{0xff1b, "a wide semicolon", ';'},
		{0xff1d, "a wide equals sign", '='},
	};
	const uint8_t *p = (const uint8_t *)text;
	struct xy_config_glyph g = {.code = p[0], .len = 1};
	unsigned more = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : p[0] < 0xf5 ? 3 : 0;
	if (p[0] < 0x80)
		return g;
	uint32_t code = p[0] & (0x3f >> more);
	unsigned got = 0;
	for (; got < more && got + 1 < len && (p[got + 1] & 0xc0) == 0x80; got++)
		code = code << 6 | (p[got + 1] & 0x3f);
	g.broken = !more || got < more;
	if (g.broken)
		return g;
	g.code = code;
	g.len = more + 1;
	for (size_t i = 0; i < XY_ARRAY_SIZE(known); i++) {
		if (known[i].code == code) {
			g.name = known[i].name;
			g.meant = known[i].meant;
		}
	}
	return g;
}

const char *xy_config_glyph_str(const struct xy_config_glyph *g,
				char buf[static XY_CONFIG_GLYPH_LEN])
{
	if (g->broken)
		snprintf(buf, XY_CONFIG_GLYPH_LEN, "a byte that is no UTF-8 (0x%02x)", g->code);
	else
		snprintf(buf, XY_CONFIG_GLYPH_LEN, "%s (U+%04X)",
			 g->name ? g->name : "a letter that is not ASCII", g->code);
	return buf;
}

// As if a string had begun with ", up to the mark that ends it, or the line.
static void quoted(struct scan *s)
{
	*s->to++ = '"';
	while (peek(s, 0) != -1 && peek(s, 0) != '\n') {
		struct xy_config_glyph g = xy_config_glyph_read(s->p, (size_t)(s->end - s->p));
		bool ends = g.code == '"' || g.meant == '"';
		for (unsigned i = 0; !ends && i < g.len; i++)
			*s->to++ = s->p[i];
		s->p += g.len;
		if (ends)
			break;
	}
	*s->to++ = '"';
}

// Outside of comments and strings. It is taken for what it was meant to be, to find what else is
// wrong.
static void stranger(struct scan *s)
{
	char what[XY_CONFIG_GLYPH_LEN];
	struct xy_config_glyph g = xy_config_glyph_read(s->p, (size_t)(s->end - s->p));
	xy_config_glyph_str(&g, what);
	if (g.meant == ' ')
		xy_config_fail_line(s->r, s->line, "%s; only plain spaces stand between words",
				    what);
	else if (g.meant)
		xy_config_fail_line(s->r, s->line, "%s; write the ASCII one, %c", what, g.meant);
	else
		xy_config_fail_line(s->r, s->line,
				    "%s; outside of strings and comments all is ASCII", what);
	s->lost = s->lost || !g.meant;
	s->p += g.len;
	if (g.meant == '"')
		quoted(s);
	else if (g.meant)
		*s->to++ = g.meant;
}

static void include(struct scan *s)
{
	fail(s, s->line, "@include is not supported; put all settings into this file");
	s->p++;
}

static void token(struct scan *s)
{
	int c = peek(s, 0);
	if (c == '@')
		include(s);
	else if (c == '#' || (c == '/' && peek(s, 1) == '/'))
		line_comment(s);
	else if (c == '/' && peek(s, 1) == '*')
		block_comment(s);
	else if (c == '"')
		string(s);
	else if (c > 0x7f)
		stranger(s);
	else if (isdigit(c))
		number(s);
	else if (c == '.')
		rest_of_float(s);
	else if (isalpha(c) || c == '*')
		word(s);
	else
		copy(s);
}

// --- what the text is

static int line_of_nul(const char *text)
{
	int line = 1;
	for (; *text; text++)
		line += *text == '\n';
	return line;
}

static bool begins(const char *text, size_t len, const char *with)
{
	return len >= strlen(with) && strncasecmp(text, with, strlen(with)) == 0;
}

static int refuse_encoding(struct xy_config_reader *r, const char *text, size_t len)
{
	bool marked =
		len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
	if (marked || (len >= 2 && (!text[0] || !text[1])))
		return xy_config_fail_line(r, 1, "is UTF-16 or UTF-32; save the file as UTF-8");
	if (memchr(text, 0, len))
		return xy_config_fail_line(r, line_of_nul(text),
					   "a zero byte; give a plain text file");
	return 0;
}

static const char *first_setting(const char *text, const char *end, int *line)
{
	bool comment = false;
	for (*line = 1; text < end; text++) {
		if (*text == '\n') {
			++*line;
			comment = false;
		} else if (*text == '#' || *text == ';') {
			comment = true;
		} else if (!comment && !isspace((unsigned char)*text)) {
			break;
		}
	}
	return text;
}

// Files of other programs, by how they begin.
static int refuse_other(struct xy_config_reader *r, const char *text, size_t len)
{
	int line;
	const char *end = text + len;
	text = first_setting(text, end, &line);
	len = (size_t)(end - text);
	if (begins(text, len, "[Interface]") || begins(text, len, "[Peer]"))
		return xy_config_fail_line(
			r, line,
			"is a config of WireGuard (wg-quick), and xylemd reads its own: begin with "
			"xylem genconf, make a key with xylem genkey (a WireGuard key cannot "
			"sign), "
			"and write each [Peer] into `peers`");
	if (len && *text == '{')
		return xy_config_fail_line(
			r, line,
			"begins with {, as JSON does; settings stand without braces "
			"around all of them: key = value;");
	return 0;
}

// Line ends of Windows and of old Macs become ours; what an editor puts before the text is left
// out.
static char *plain(const char *text, size_t len, size_t *out)
{
	size_t from = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0, n = 0;
	char *to = malloc(len + 1);
	for (; to && from < len; from++)
		if (text[from] != '\r')
			to[n++] = text[from];
		else if (from + 1 == len || text[from + 1] != '\n')
			to[n++] = '\n';
	*out = n;
	return to;
}

static int scan(struct xy_config_reader *r, const char *text, size_t len, char **out)
{
	char *copied = malloc(2 * len + 2);
	if (!copied)
		return -ENOMEM;
	struct scan s = {.r = r, .p = text, .end = text + len, .to = copied, .line = 1};
	while (s.p < s.end)
		token(&s);
	*s.to = 0;
	if (s.lost)
		xy_config_text_free(copied);
	else
		*out = copied;
	return s.lost ? -EINVAL : 0;
}

int xy_config_text_prepare(struct xy_config_reader *r, const char *text, size_t len, char **out)
{
	size_t n = 0;
	int ret = len ? refuse_encoding(r, text, len) : 0;
	if (ret)
		return ret;
	char *clean = plain(text, len, &n);
	if (!clean)
		return -ENOMEM;
	ret = refuse_other(r, clean, n);
	ret = ret ? ret : scan(r, clean, n, out);
	sodium_memzero(clean, len + 1);
	free(clean);
	return ret;
}

void xy_config_text_free(char *text)
{
	if (text)
		sodium_memzero(text, strlen(text));
	free(text);
}
