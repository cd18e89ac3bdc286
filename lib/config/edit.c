// SPDX-License-Identifier: BSD-3-Clause
// Where things stand in a text that libconfig takes is found by a scan for brackets, names and
// values that knows strings and comments; what comes out is parsed before anybody gets it, so a
// text that is not understood here is refused, and none comes out otherwise than meant.
#include "config/edit.h"

#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>

struct span {
	size_t from, to;
};

struct edit { // in place of the span
	struct span at;
	char *text;
};

struct editor {
	const char *text;
	size_t len;
	struct edit *edit; // [edits]
	unsigned edits;
	bool failed; // no memory, or the text is not understood
};

// --- tokens

static size_t comment_end(const struct editor *e, size_t at)
{
	const char *t = e->text;
	bool block = t[at] == '/' && at + 1 < e->len && t[at + 1] == '*';
	bool line = t[at] == '#' || (t[at] == '/' && at + 1 < e->len && t[at + 1] == '/');
	if (!block && !line)
		return at;
	const char *end = block ? memmem(t + at + 2, e->len - at - 2, "*/", 2)
				: memchr(t + at, '\n', e->len - at);
	return end ? (size_t)(end - t) + (block ? 2 : 1) : e->len;
}

static size_t blank_end(const struct editor *e, size_t at)
{
	while (at < e->len) {
		size_t next = isspace((unsigned char)e->text[at]) ? at + 1 : comment_end(e, at);
		if (next == at)
			break;
		at = next;
	}
	return at;
}

static size_t string_end(const struct editor *e, size_t at)
{
	for (at++; at < e->len && e->text[at] != '"'; at++)
		at += e->text[at] == '\\';
	return at < e->len ? at + 1 : e->len;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("*_-+.", c)) || (unsigned char)c > 0x7f;
}

// The next token behind `at`; empty at the end.
static struct span token(const struct editor *e, size_t at)
{
	struct span s = {.from = blank_end(e, at)};
	s.to = s.from;
	if (s.from == e->len)
		return s;
	if (e->text[s.from] == '"') {
		s.to = string_end(e, s.from);
		return s;
	}
	while (s.to < e->len && is_word(e->text[s.to]))
		s.to++;
	s.to += s.to == s.from;
	return s;
}

static char first(const struct editor *e, struct span s)
{
	return s.from < s.to ? e->text[s.from] : 0;
}

static bool is(const struct editor *e, struct span s, const char *word)
{
	return s.to - s.from == strlen(word) && memcmp(e->text + s.from, word, s.to - s.from) == 0;
}

// A value that begins at `at`: brackets with all that is in them, strings one behind the other, or
// a word.
static struct span value(const struct editor *e, size_t at)
{
	struct span t = token(e, at), s = t;
	unsigned depth = 0;
	for (; t.from < t.to; t = token(e, t.to)) {
		char c = first(e, t);
		depth += c == '{' || c == '(' || c == '[';
		if ((c == '}' || c == ')' || c == ']') && depth)
			depth--;
		s.to = t.to;
		bool more = c == '"' && first(e, token(e, t.to)) == '"';
		if (!depth && !more)
			return s;
	}
	return (struct span){e->len, e->len};
}

// The value of a setting of the group whose inside this is. False: it has none of the name.
static bool setting(const struct editor *e, struct span in, const char *name, struct span *out)
{
	struct span t = token(e, in.from);
	while (t.from < t.to && t.to <= in.to) {
		if (first(e, t) == ';' || first(e, t) == ',') {
			t = token(e, t.to);
			continue;
		}
		struct span sign = token(e, t.to), v = value(e, sign.to);
		if ((first(e, sign) != '=' && first(e, sign) != ':') || v.to > in.to)
			return false;
		*out = v;
		if (is(e, t, name))
			return true;
		t = token(e, v.to);
	}
	return false;
}

static struct span inside(struct span brackets)
{
	return (struct span){brackets.from + 1, brackets.to - 1};
}

static bool is_list(const struct editor *e, struct span v, char open, char close)
{
	return v.to - v.from >= 2 && e->text[v.from] == open && e->text[v.to - 1] == close;
}

// The nth group of a list. False: it has fewer.
static bool element(const struct editor *e, struct span list, unsigned nth, struct span *out)
{
	struct span in = inside(list);
	size_t at = in.from;
	for (;;) {
		struct span v = value(e, at);
		if (v.to > in.to || !is_list(e, v, '{', '}'))
			return false;
		*out = v;
		if (!nth--)
			return true;
		struct span comma = token(e, v.to);
		if (first(e, comma) != ',')
			return false;
		at = comma.to;
	}
}

// --- edits

__attribute__((format(printf, 3, 4))) static void put(struct editor *e, struct span at,
						      const char *fmt, ...)
{
	struct edit *v = reallocarray(e->edit, e->edits + 1, sizeof(*v));
	va_list ap;
	if (!v) {
		e->failed = true;
		return;
	}
	e->edit = v;
	v = &v[e->edits];
	v->at = at;
	va_start(ap, fmt);
	if (vasprintf(&v->text, fmt, ap) < 0)
		e->failed = true;
	else
		e->edits++;
	va_end(ap);
}

static struct span here(size_t at)
{
	return (struct span){at, at};
}

// Where the group has the setting its value is replaced, else it comes first.
static void group_set(struct editor *e, struct span group, const char *name, const char *text)
{
	struct span v;
	if (setting(e, inside(group), name, &v))
		put(e, v, "%s", text);
	else
		put(e, here(group.from + 1), " %s = %s;", name, text);
}

static void peer_set(struct editor *e, struct span group, const struct xy_config_change *c)
{
	char text[16];
	snprintf(text, sizeof(text), "%u", c->cost);
	if (c->traffic)
		group_set(e, group, "traffic", c->traffic == XY_TRAFFIC_ON ? "true" : "false");
	if (c->cost)
		group_set(e, group, "cost", text);
}

static bool is_of(const struct xy_config_change *c, const struct xy_config_peer *p)
{
	if (xy_key_is_zero(&p->key))
		return strcmp(c->name, p->name) == 0;
	return memcmp(&c->key, &p->key, sizeof(c->key)) == 0;
}

// Of a peer that is not in the file nothing is put in.
static void changes_put(struct editor *e, struct span root, const struct xy_config *c,
			const struct xy_config_runtime *r)
{
	struct span list, group;
	if (!r->change_count || !setting(e, root, "peers", &list))
		return;
	for (unsigned i = 0; i < r->change_count; i++) {
		unsigned k = 0;
		while (k < c->peer_count && !is_of(&r->changes[i], &c->peers[k]))
			k++;
		if (k == c->peer_count)
			continue;
		if (element(e, list, k, &group))
			peer_set(e, group, &r->changes[i]);
		else
			e->failed = true;
	}
}

static bool has_level(const struct xy_config_runtime *r)
{
	bool any = r->level != XY_LOG_AS_IT_IS;
	for (unsigned i = 0; i < XY_LOG_PART_COUNT; i++)
		any = any || r->levels[i] != XY_LOG_AS_IT_IS;
	return any;
}

// " level = ...; levels = { ... };", of these what was set.
static void levels_say(const struct xy_config_runtime *r, bool level, char *to, size_t size)
{
	const char *begin = " levels = {";
	size_t n = 0;
	to[0] = 0;
	if (level && r->level != XY_LOG_AS_IT_IS)
		n = (size_t)snprintf(to, size, " level = \"%s\";", xy_config_level_names[r->level]);
	for (unsigned i = 0; i < XY_LOG_PART_COUNT && n < size; i++) {
		if (r->levels[i] == XY_LOG_AS_IT_IS)
			continue;
		n += (size_t)snprintf(to + n, size - n, "%s %s = \"%s\";", begin,
				      xy_log_part_names[i], xy_config_level_names[r->levels[i]]);
		begin = "";
	}
	if (!begin[0] && n < size)
		snprintf(to + n, size - n, " };");
}

static void parts_put(struct editor *e, struct span group, const struct xy_config_runtime *r)
{
	struct span levels;
	char text[600];
	bool there = setting(e, inside(group), "levels", &levels);
	for (unsigned i = 0; there && i < XY_LOG_PART_COUNT; i++) {
		if (r->levels[i] == XY_LOG_AS_IT_IS)
			continue;
		snprintf(text, sizeof(text), "\"%s\"", xy_config_level_names[r->levels[i]]);
		group_set(e, levels, xy_log_part_names[i], text);
	}
	levels_say(r, false, text, sizeof(text));
	if (!there && text[0])
		put(e, here(group.from + 1), "%s", text);
}

static void levels_put(struct editor *e, struct span root, const struct xy_config_runtime *r)
{
	struct span group;
	char text[600];
	if (!has_level(r))
		return;
	if (!setting(e, root, "log", &group)) {
		levels_say(r, true, text, sizeof(text));
		put(e, here(e->len), "%slog = {%s };\n",
		    e->len && e->text[e->len - 1] != '\n' ? "\n" : "", text);
		return;
	}
	if (r->level != XY_LOG_AS_IT_IS) {
		snprintf(text, sizeof(text), "\"%s\"", xy_config_level_names[r->level]);
		group_set(e, group, "level", text);
	}
	parts_put(e, group, r);
}

// "\n" and the blanks before it, where it is the first of its line.
static struct span line_begin(const struct editor *e, size_t at)
{
	size_t from = at;
	while (from && (e->text[from - 1] == ' ' || e->text[from - 1] == '\t'))
		from--;
	return from && e->text[from - 1] == '\n' ? (struct span){from, at} : here(at);
}

// All peers that are new, as lines of the list.
static char *lines_of(const struct xy_config_runtime *r, const char *indent, size_t indent_len)
{
	char *text = NULL;
	size_t len;
	bool good = true;
	FILE *to = open_memstream(&text, &len);
	if (!to)
		return NULL;
	for (unsigned i = 0; i < r->config.peer_count; i++) {
		char *peer = xy_config_peer_text(&r->config.peers[i]);
		fprintf(to, "%.*s%s%s\n", (int)indent_len, indent, peer ? peer : "",
			i + 1 < r->config.peer_count ? "," : "");
		good = good && peer;
		xy_config_text_wipe(peer);
	}
	good = !ferror(to) && good;
	if (fclose(to) == 0 && good)
		return text;
	xy_config_text_wipe(text);
	return NULL;
}

static void list_put(struct editor *e, struct span list, unsigned count,
		     const struct xy_config_runtime *r)
{
	struct span last = {0};
	bool empty = count == 0, sound = empty || element(e, list, count - 1, &last);
	struct span indent = empty ? here(0) : line_begin(e, last.from);
	bool own_line = indent.to > indent.from;
	char *lines = lines_of(r, own_line ? e->text + indent.from : "\t",
			       own_line ? indent.to - indent.from : 1);
	struct span end = line_begin(e, list.to - 1); // of the bracket
	bool breaks = end.from && e->text[end.from - 1] == '\n' && end.from > (empty ? 0 : last.to);
	if (!lines || !sound) {
		e->failed = true;
	} else {
		if (!empty && first(e, token(e, last.to)) != ',')
			put(e, here(last.to), ",");
		put(e,
		    here(breaks	 ? end.from
			 : empty ? list.from + 1
				 : last.to),
		    "%s%s", breaks ? "" : "\n", lines);
	}
	xy_config_text_wipe(lines);
}

static void peers_put(struct editor *e, struct span root, unsigned count,
		      const struct xy_config_runtime *r)
{
	struct span list;
	if (!r->config.peer_count)
		return;
	if (setting(e, root, "peers", &list)) {
		if (is_list(e, list, '(', ')'))
			list_put(e, list, count, r);
		else
			e->failed = true;
		return;
	}
	char *lines = lines_of(r, "\t", 1);
	if (lines)
		put(e, here(e->len), "%speers = (\n%s);\n",
		    e->len && e->text[e->len - 1] != '\n' ? "\n" : "", lines);
	e->failed |= !lines;
	xy_config_text_wipe(lines);
}

// --- together

static int by_place(const void *a, const void *b)
{
	const struct edit *x = a, *y = b;
	return (x->at.from > y->at.from) - (x->at.from < y->at.from);
}

// Edits of one place stay in the order in which they were made.
static char *apply(struct editor *e)
{
	char *out = NULL;
	size_t len, at = 0;
	FILE *to = open_memstream(&out, &len);
	if (!to)
		return NULL;
	for (unsigned i = 1; i < e->edits; i++) // few, and almost in order: insertion is stable
		for (unsigned k = i; k && by_place(&e->edit[k - 1], &e->edit[k]) > 0; k--) {
			struct edit swap = e->edit[k];
			e->edit[k] = e->edit[k - 1];
			e->edit[k - 1] = swap;
		}
	for (unsigned i = 0; i < e->edits; i++) {
		const struct edit *v = &e->edit[i];
		if (v->at.from < at)
			e->failed = true; // two in one place: not understood
		else
			fwrite(e->text + at, 1, v->at.from - at, to);
		fputs(v->text, to);
		at = v->at.to;
	}
	fwrite(e->text + at, 1, at < e->len ? e->len - at : 0, to);
	bool good = !ferror(to);
	if (fclose(to) == 0 && good && !e->failed)
		return out;
	xy_config_text_wipe(out);
	return NULL;
}

static void editor_free(struct editor *e)
{
	for (unsigned i = 0; i < e->edits; i++)
		xy_config_text_wipe(e->edit[i].text);
	free(e->edit);
}

static const struct xy_config_peer *find(const struct xy_config *c, const struct xy_key *key)
{
	for (unsigned i = 0; i < c->peer_count; i++)
		if (memcmp(&c->peers[i].key, key, sizeof(*key)) == 0)
			return &c->peers[i];
	return NULL;
}

static bool says_change(const struct xy_config *c, const struct xy_config_change *k)
{
	for (unsigned i = 0; i < c->peer_count; i++) {
		const struct xy_config_peer *p = &c->peers[i];
		if (!is_of(k, p))
			continue;
		return (!k->traffic || p->no_traffic == (k->traffic == XY_TRAFFIC_OFF)) &&
		       (!k->cost || p->cost == k->cost);
	}
	return true;
}

// Does the new text say what it should?
static bool is_right(const struct xy_config *old, const struct xy_config *new,
		     const struct xy_config_runtime *r)
{
	bool good = new->peer_count == old->peer_count + r->config.peer_count &&new->route_count ==
		    old->route_count &&new->port_count == old->port_count;
	good = good && (r->level == XY_LOG_AS_IT_IS || (int)new->log_level == r->level);
	for (unsigned i = 0; good && i < XY_LOG_PART_COUNT; i++)
		good = r->levels[i] == XY_LOG_AS_IT_IS || new->log_levels[i] == r->levels[i];
	for (unsigned i = 0; good && i < r->change_count; i++)
		good = says_change(new, &r->changes[i]);
	for (unsigned i = 0; good && i < r->config.peer_count; i++)
		good = find(new, &r->config.peers[i].key);
	return good;
}

static int check(const char *name, const struct xy_config *old, const char *text,
		 const struct xy_config_runtime *r, struct xy_err *err)
{
	struct xy_config new;
	struct xy_err why;
	int ret = xy_config_parse(name, text, strlen(text), &new, &why);
	bool right = !ret && is_right(old, &new, r);
	if (!ret || ret == -EINVAL)
		xy_config_free(&new);
	if (ret)
		return xy_err_set(err, EINVAL, "with what was changed it would be refused: %.380s",
				  why.text);
	return right ? 0
		     : xy_err_set(err, EINVAL,
				  "%.200s: it is not clear where in it the changes belong", name);
}

static int edit(const char *name, const struct xy_config *c, const char *text, size_t len,
		const struct xy_config_runtime *r, char **out, struct xy_err *err)
{
	struct editor e = {.text = text, .len = len};
	const struct span root = {0, len};
	changes_put(&e, root, c, r);
	levels_put(&e, root, r);
	peers_put(&e, root, c->peer_count, r);
	int ret = 0;
	*out = e.failed ? NULL : apply(&e);
	if (!*out)
		ret = xy_err_set(err, EINVAL,
				 "%.200s: it is not clear where in it the changes belong", name);
	else if (!e.edits)
		ret = xy_err_set(err, EALREADY, "%.200s says all of it already", name);
	else
		ret = check(name, c, *out, r, err);
	editor_free(&e);
	if (!ret)
		return 0;
	xy_config_text_wipe(*out);
	*out = NULL;
	return ret;
}

int xy_config_edit(const char *name, const char *text, size_t len,
		   const struct xy_config_runtime *r, char **out, struct xy_err *err)
{
	struct xy_config c;
	*out = NULL;
	int ret = xy_config_parse(name, text, len, &c, err);
	if (!ret)
		ret = edit(name, &c, text, len, r, out, err);
	if (ret != -ENOMEM)
		xy_config_free(&c);
	return ret;
}

unsigned xy_config_edit_absent(const char *text, size_t len, const struct xy_config_runtime *r)
{
	struct xy_config c;
	unsigned absent = 0;
	if (xy_config_parse("", text, len, &c, NULL)) // only what was edited is asked about
		return 0;
	for (unsigned i = 0; i < r->change_count; i++) {
		unsigned k = 0;
		while (k < c.peer_count && !is_of(&r->changes[i], &c.peers[k]))
			k++;
		absent += k == c.peer_count;
	}
	xy_config_free(&c);
	return absent;
}

char *xy_config_edit_advice(const struct xy_config_runtime *r)
{
	char *text = NULL, *lines = lines_of(r, "  ", 2);
	size_t len;
	FILE *to = lines ? open_memstream(&text, &len) : NULL;
	if (!to)
		return NULL;
	if (r->config.peer_count)
		fprintf(to, "into peers = ( ... ):\n%s", lines);
	for (unsigned i = 0; i < r->change_count; i++) {
		const struct xy_config_change *c = &r->changes[i];
		fprintf(to, "into peer %s:", c->name);
		if (c->traffic)
			fprintf(to, " traffic = %s;",
				c->traffic == XY_TRAFFIC_ON ? "true" : "false");
		if (c->cost)
			fprintf(to, " cost = %u;", c->cost);
		fputc('\n', to);
	}
	char levels[600];
	levels_say(r, true, levels, sizeof(levels));
	if (levels[0])
		fprintf(to, "log = {%s };\n", levels);
	xy_config_text_wipe(lines);
	if (fclose(to) == 0)
		return text;
	xy_config_text_wipe(text);
	return NULL;
}
