// SPDX-License-Identifier: BSD-3-Clause
#include "url/url.h"

#include "base/cursor.h"
#include "base/ip.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

// --- characters

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

// No surrogates, nothing overlong, nothing above U+10FFFF (RFC 3629 section 4).
static bool is_utf8(const char *text)
{
	const uint8_t *p = (const uint8_t *)text;
	while (*p) {
		unsigned more = *p < 0x80 ? 0 : *p < 0xc2 ? 9 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
		if (more == 9 || *p > 0xf4)
			return false;
		if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
		    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
			return false;
		for (p++; more; more--, p++)
			if ((*p & 0xc0) != 0x80) // the NUL, too
				return false;
	}
	return true;
}

// --- the target

struct writer {
	char *at, *end;
	const char *why;
};

static int refuse(struct writer *w, const char *why)
{
	w->why = why;
	return -EINVAL;
}

// One character of a part, decoded. plus: "+" is a space (in queries).
static int take_char(struct xy_cursor *c, bool plus, struct writer *w)
{
	int b = xy_cursor_u8(c);
	if (b == '%') {
		int high = hex(xy_cursor_u8(c)), low = hex(xy_cursor_u8(c));
		if (high < 0 || low < 0 || c->bad)
			return refuse(w, "a % in it has no two hex digits behind it");
		b = high * 16 + low;
	} else if (plus && b == '+') {
		b = ' ';
	}
	if (b < ' ' || b == 0x7f)
		return refuse(w, "a control character is in it");
	if (w->at >= w->end)
		return -E2BIG;
	*w->at++ = (char)b;
	return 0;
}

// Up to one of the stops, or the end: the text, NUL-terminated; the stop is left.
static int take_part(struct xy_cursor *c, const char *stops, bool plus, struct writer *w,
		     const char **out)
{
	*out = w->at;
	while (xy_cursor_left(c) && !strchr(stops, *c->p)) {
		int ret = take_char(c, plus, w);
		if (ret)
			return ret;
	}
	if (w->at >= w->end)
		return -E2BIG;
	*w->at++ = 0;
	return is_utf8(*out) ? 0 : refuse(w, "it is no UTF-8");
}

static bool is_next(struct xy_cursor *c, char b)
{
	bool is = xy_cursor_left(c) && *c->p == (uint8_t)b;
	if (is)
		xy_cursor_u8(c);
	return is;
}

static int take_path(struct xy_cursor *c, struct xy_url *u, struct writer *w)
{
	const char *from = (const char *)c->p;
	while (is_next(c, '/')) {
		if (u->segment_count == XY_URL_SEGMENTS)
			return -E2BIG;
		const char **s = &u->segments[u->segment_count++];
		int ret = take_part(c, "/?", false, w, s);
		if (ret)
			return ret;
		bool last = !xy_cursor_left(c) || *c->p == '?';
		if (strcmp(*s, ".") == 0 || strcmp(*s, "..") == 0 || (!**s && !last))
			return refuse(w, "the path has an empty part, \".\" or \"..\" in it");
	}
	size_t len = (size_t)((const char *)c->p - from);
	memcpy(u->path, from, len); // a target is shorter than it
	u->path[len] = 0;
	return u->segment_count ? 0 : refuse(w, "the path does not begin with /");
}

static int take_query(struct xy_cursor *c, struct xy_url *u, struct writer *w)
{
	while (xy_cursor_left(c)) {
		struct xy_url_param p = {.value = ""};
		if (is_next(c, '&'))
			continue;
		if (u->param_count == XY_URL_PARAMS)
			return -E2BIG;
		int ret = take_part(c, "=&", true, w, &p.key);
		if (!ret && is_next(c, '='))
			ret = take_part(c, "&", true, w, &p.value);
		if (ret)
			return ret;
		if (xy_url_param(u, p.key))
			return refuse(w, "a parameter stands in it twice");
		u->params[u->param_count++] = p;
	}
	return 0;
}

// "http://host/path", as to a proxy: servers must take it (RFC 9112 section 3.2.2).
static int take_authority(struct xy_cursor *c, struct xy_url *u, struct writer *w)
{
	const char *from = (const char *)c->p;
	size_t scheme = strncasecmp(from, "http://", 7) == 0	? 7
			: strncasecmp(from, "https://", 8) == 0 ? 8
								: 0;
	struct xy_url_host host;
	u->authority = NULL;
	if (!scheme)
		return 0;
	*c = xy_cursor(from + scheme, xy_cursor_left(c) - scheme);
	int ret = take_part(c, "/?", false, w, &u->authority);
	return ret || xy_url_host_parse(u->authority, &host) == 0
		       ? ret
		       : refuse(w, "what stands before the path is no host");
}

int xy_url_parse(const char *target, struct xy_url *out, const char **why)
{
	struct writer w = {.at = out->text, .end = out->text + sizeof(out->text)};
	out->segment_count = out->param_count = 0;
	out->path[0] = 0;
	*why = "it is longer than any that is served";
	if (strlen(target) >= XY_URL_MAX)
		return -E2BIG;
	struct xy_cursor c = xy_cursor(target, strlen(target));
	int ret = take_authority(&c, out, &w);
	if (!ret)
		ret = take_path(&c, out, &w);
	if (!ret && is_next(&c, '?'))
		ret = take_query(&c, out, &w);
	if (ret == -EINVAL)
		*why = w.why;
	return ret;
}

const char *xy_url_param(const struct xy_url *u, const char *key)
{
	for (unsigned i = 0; i < u->param_count; i++)
		if (strcmp(u->params[i].key, key) == 0)
			return u->params[i].value;
	return NULL;
}

// --- Host and Origin

static int take_port(const char *text, uint16_t *out)
{
	unsigned n = 0;
	if (*text == 0)
		return 0;
	if (*text++ != ':')
		return -EINVAL;
	for (; *text >= '0' && *text <= '9' && n < 65536; text++)
		n = n * 10 + (unsigned)(*text - '0');
	if (*text || n > 65535 || text[-1] == ':')
		return -EINVAL;
	*out = (uint16_t)n;
	return 0;
}

static bool is_name(const char *name)
{
	for (const char *p = name; *p; p++)
		if (!is_alnum((uint8_t)*p) && *p != '-' && *p != '.' && *p != '_')
			return false;
	return *name != 0;
}

int xy_url_host_parse(const char *text, struct xy_url_host *out)
{
	struct xy_addr a;
	bool bracket = *text == '[';
	size_t len = bracket ? strcspn(++text, "]") : strcspn(text, ":");
	*out = (struct xy_url_host){0};
	if (len == 0 || len >= sizeof(out->name) || (bracket && text[len] != ']'))
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		out->name[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i]);
	out->address = xy_addr_parse(out->name, &a) == 0;
	if (bracket != (strchr(out->name, ':') != NULL) || (bracket && !out->address) ||
	    (!bracket && !is_name(out->name)))
		return -EINVAL;
	return take_port(text + len + bracket, &out->port);
}

int xy_url_origin_parse(const char *text, bool *tls, struct xy_url_host *out)
{
	*tls = strncmp(text, "https://", 8) == 0;
	if (!*tls && strncmp(text, "http://", 7) != 0)
		return -EINVAL;
	return xy_url_host_parse(text + (*tls ? 8 : 7), out);
}

// --- Cookie and Authorization

bool xy_url_cookie(const char *header, const char *name, char *out, size_t size)
{
	size_t len = strlen(name);
	bool found = false;
	for (const char *p = header; *p;) {
		p += strspn(p, "; \t");
		size_t n = strcspn(p, ";");
		if (n > len && strncmp(p, name, len) == 0 && p[len] == '=') {
			size_t value = n - len - 1;
			if (found || value >= size)
				return false;
			memcpy(out, p + len + 1, value);
			out[value] = 0;
			found = true;
		}
		p += n;
	}
	return found;
}

int xy_url_bearer(const char *header, char *out, size_t size)
{
	if (strncasecmp(header, "Bearer", 6) != 0 || (header[6] && header[6] != ' '))
		return -ENOENT;
	const char *token = header + 6 + strspn(header + 6, " ");
	size_t len = 0;
	while (is_alnum((uint8_t)token[len]) || (token[len] && strchr("-._~+/=", token[len])))
		len++;
	if (token[len] || len == 0 || len >= size)
		return -EINVAL;
	memcpy(out, token, len + 1);
	return 0;
}

// --- Accept

struct piece {
	const char *at;
	size_t len;
};

// Up to the first of that character, without spaces around it; *rest is what follows.
static struct piece piece_of(struct piece *rest, char until)
{
	const char *end = memchr(rest->at, until, rest->len);
	struct piece p = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
	size_t all = p.len + (end != NULL);
	rest->at += all;
	rest->len -= all;
	while (p.len && (*p.at == ' ' || *p.at == '\t')) {
		p.at++;
		p.len--;
	}
	while (p.len && (p.at[p.len - 1] == ' ' || p.at[p.len - 1] == '\t'))
		p.len--;
	return p;
}

static bool is_word(struct piece p, const char *word)
{
	return strlen(word) == p.len && strncasecmp(p.at, word, p.len) == 0;
}

// "0.5", "1", up to three digits behind the point; else nothing.
static unsigned weight_of(struct piece p)
{
	unsigned weight = p.len && *p.at == '1' ? 1000 : 0, digit = 100;
	if (!p.len || p.len > 5 || (*p.at != '0' && *p.at != '1') || (p.len > 1 && p.at[1] != '.'))
		return 0;
	for (size_t i = 2; i < p.len; i++, digit /= 10) {
		if (p.at[i] < '0' || p.at[i] > '9')
			return 0;
		weight += (unsigned)(p.at[i] - '0') * digit;
	}
	return weight <= 1000 ? weight : 0;
}

static unsigned range_of(struct piece range, const char *type, const char *version)
{
	unsigned weight = 1000;
	if (!is_word(piece_of(&range, ';'), type))
		return 0;
	while (range.len) {
		struct piece value = piece_of(&range, ';'), name = piece_of(&value, '=');
		if (value.len > 1 && *value.at == '"' && value.at[value.len - 1] == '"')
			value = (struct piece){value.at + 1, value.len - 2};
		if (is_word(name, "version") && !is_word(value, version))
			return 0;
		if (is_word(name, "q"))
			weight = weight_of(value);
	}
	return weight;
}

unsigned xy_url_accept(const char *header, const char *type, const char *version)
{
	struct piece all = {header, strlen(header)};
	unsigned most = 0;
	while (all.len) {
		unsigned weight = range_of(piece_of(&all, ','), type, version);
		most = weight > most ? weight : most;
	}
	return most;
}
