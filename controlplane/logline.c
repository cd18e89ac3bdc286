// SPDX-License-Identifier: BSD-3-Clause
#include "logline.h"

#include "base/bytes.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define OFF   "\033[0m"
#define GREY  "\033[90m"
#define PLAIN ""

static const struct {
	const char *name, *colour;
	int priority; // syslog's
} level_of[] = {
	[XY_LOG_ERROR] = {"error", "\033[31m", 3},
	[XY_LOG_WARN] = {"warn", "\033[33m", 4},
	[XY_LOG_INFO] = {"info", PLAIN, 6},
	[XY_LOG_DEBUG] = {"debug", GREY, 7},
};

// By class: what links do, what routing does, what is of this host, what confines.
static const char *const colour_of[XY_LOG_PART_COUNT] = {
	[XY_PART_DAEMON] = "\033[1m",	  [XY_PART_LINKS] = "\033[32m",
	[XY_PART_ROUTING] = "\033[36m",	  [XY_PART_PORTS] = "\033[34m",
	[XY_PART_INTERFACE] = "\033[34m", [XY_PART_EXITS] = "\033[36m",
	[XY_PART_JOINING] = "\033[32m",	  [XY_PART_STATE] = "\033[1m",
	[XY_PART_CONTROL] = "\033[1m",	  [XY_PART_CONFINEMENT] = "\033[35m",
};

// Bytes that still fit; what does not is left out whole.
struct out {
	char *to;
	size_t n;
};

static void put(struct out *o, const void *from, size_t len)
{
	if (len > XY_LOGLINE_SIZE - 2 - o->n)
		return;
	memcpy(o->to + o->n, from, len);
	o->n += len;
}

static void say(struct out *o, const char *text)
{
	put(o, text, strlen(text));
}

static size_t end(struct out *o)
{
	o->to[o->n++] = '\n';
	return o->n;
}

void xy_logline_time(const struct timespec *t, char to[static XY_LOGLINE_TIME])
{
	struct tm tm;
	gmtime_r(&t->tv_sec, &tm);
	size_t n = strftime(to, XY_LOGLINE_TIME, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(to + n, XY_LOGLINE_TIME - n, ".%03ldZ", t->tv_nsec / 1000000);
}

static void stamp(struct out *o, const struct timespec *t)
{
	char buf[XY_LOGLINE_TIME];
	xy_logline_time(t, buf);
	say(o, buf);
}

// Length of the character of UTF-8 there; 0: it is none.
static size_t character(const uint8_t *s, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80	 ? 1
		   : s[0] < 0xc2 ? 0
		   : s[0] < 0xe0 ? 2
		   : s[0] < 0xf0 ? 3
		   : s[0] < 0xf5 ? 4
				 : 0;
	if (n <= 1 || n > len)
		return n > len ? 0 : n;
	uint32_t code = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	bool surrogate = code >= 0xd800 && code < 0xe000;
	return code < least[n] || code > 0x10ffff || surrogate ? 0 : n;
}

// A terminal's escapes and newlines are said, not obeyed.
static void say_plain(struct out *o, const struct xy_logline *l)
{
	const uint8_t *s = (const uint8_t *)l->text;
	char hex[8];
	for (size_t i = 0, n; i < l->len; i += n ? n : 1) {
		n = character(s + i, l->len - i);
		bool c1 = n == 2 && s[i] == 0xc2 && s[i + 1] < 0xa0; // as CSI in one
		if (n && !c1 && s[i] >= 0x20 && s[i] != 0x7f) {
			put(o, s + i, n);
			continue;
		}
		n = 1;
		snprintf(hex, sizeof(hex), "\\x%02x", s[i]);
		say(o, hex);
	}
}

size_t xy_logline_plain(const struct xy_logline *l, char to[static XY_LOGLINE_SIZE])
{
	struct out o = {.to = to};
	say_plain(&o, l);
	to[o.n] = 0;
	return o.n;
}

static void say_quoted(struct out *o, const char *text, size_t len)
{
	const uint8_t *s = (const uint8_t *)text;
	char hex[8];
	say(o, "\"");
	for (size_t i = 0, n; i < len; i += n ? n : 1) {
		n = character(s + i, len - i);
		if (!n) {
			say(o, "\\ufffd");
		} else if (s[i] == '"' || s[i] == '\\') {
			put(o, (const char[]){'\\', (char)s[i]}, 2);
		} else if (s[i] < 0x20 || s[i] == 0x7f) {
			snprintf(hex, sizeof(hex), "\\u%04x", s[i]);
			say(o, hex);
		} else {
			put(o, s + i, n);
		}
	}
	say(o, "\"");
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '.' || c == '_' || c == '-';
}

const char *xy_logline_peer(const struct xy_logline *l, size_t *len)
{
	static const char word[] = "peer ";
	const size_t w = sizeof(word) - 1;
	for (size_t i = 0; i + w < l->len; i++) {
		bool begins = !i || (i > 1 && l->text[i - 1] == ' ' && l->text[i - 2] == ':');
		if (!begins || memcmp(l->text + i, word, w) != 0)
			continue;
		const char *name = l->text + i + w;
		size_t n = 0;
		while (i + w + n < l->len && is_name(name[n]))
			n++;
		*len = n;
		return n && n <= XY_NAME_LEN ? name : NULL;
	}
	return NULL;
}

static const char *word_of(const struct xy_logline *l)
{
	return l->word ? l->word : xy_log_part_names[l->part];
}

// Many texts name the part themselves, as people read them.
static bool names_part(const struct xy_logline *l)
{
	const char *name = word_of(l);
	size_t n = strlen(name);
	return l->len > n && memcmp(l->text, name, n) == 0 && l->text[n] == ':';
}

static void say_part(struct out *o, const struct xy_logline *l, bool colour)
{
	if (names_part(l))
		return;
	if (colour)
		say(o, colour_of[l->part]);
	say(o, word_of(l));
	say(o, colour ? OFF ": " : ": ");
}

size_t xy_logline_text(const struct xy_logline *l, bool colour, char to[static XY_LOGLINE_SIZE])
{
	struct out o = {.to = to};
	bool loud = colour && level_of[l->level].colour[0];
	if (colour)
		say(&o, GREY);
	stamp(&o, &l->at);
	say(&o, colour ? OFF " " : " ");
	if (loud)
		say(&o, level_of[l->level].colour);
	say(&o, level_of[l->level].name);
	say(&o, loud ? OFF ": " : ": ");
	say_part(&o, l, colour);
	if (loud)
		say(&o, level_of[l->level].colour);
	else if (colour && names_part(l))
		say(&o, colour_of[l->part]);
	say_plain(&o, l);
	if (colour)
		say(&o, OFF);
	return end(&o);
}

size_t xy_logline_prefixed(const struct xy_logline *l, char to[static XY_LOGLINE_SIZE])
{
	struct out o = {.to = to};
	char priority[16];
	snprintf(priority, sizeof(priority), "<%d>", level_of[l->level].priority);
	say(&o, priority);
	say(&o, level_of[l->level].name);
	say(&o, ": ");
	say_part(&o, l, false);
	say_plain(&o, l);
	return end(&o);
}

size_t xy_logline_json(const struct xy_logline *l, char to[static XY_LOGLINE_SIZE])
{
	struct out o = {.to = to};
	size_t len;
	const char *peer = xy_logline_peer(l, &len);
	say(&o, "{\"ts\":\"");
	stamp(&o, &l->at);
	say(&o, "\",\"level\":\"");
	say(&o, level_of[l->level].name);
	say(&o, "\",\"subsystem\":\"");
	say(&o, word_of(l));
	if (peer) {
		say(&o, "\",\"peer\":\"");
		put(&o, peer, len);
	}
	say(&o, "\",\"msg\":");
	say_quoted(&o, l->text, l->len);
	say(&o, "}");
	return end(&o);
}

// NAME, newline, length as 8 bytes (little endian), the bytes, newline: they may be anything.
static void field(struct out *o, const char *name, const char *text, size_t len)
{
	uint8_t size[8];
	for (unsigned i = 0; i < sizeof(size); i++)
		size[i] = (uint8_t)((uint64_t)len >> 8 * i);
	say(o, name);
	say(o, "\n");
	put(o, size, sizeof(size));
	put(o, text, len);
	say(o, "\n");
}

size_t xy_logline_journal(const struct xy_logline *l, char to[static XY_LOGLINE_SIZE])
{
	struct out o = {.to = to};
	char priority[24];
	size_t len;
	const char *peer = xy_logline_peer(l, &len);
	snprintf(priority, sizeof(priority), "PRIORITY=%d\n", level_of[l->level].priority);
	say(&o, priority);
	say(&o, "SYSLOG_IDENTIFIER=xylemd\nXYLEM_SUBSYSTEM=");
	say(&o, word_of(l));
	say(&o, "\n");
	if (peer)
		field(&o, "XYLEM_PEER", peer, len);
	field(&o, "MESSAGE", l->text, l->len);
	return o.n;
}
