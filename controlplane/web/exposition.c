// SPDX-License-Identifier: BSD-3-Clause
#include "web/exposition.h"

#include "base/bytes.h"
#include "url/url.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
	char *bytes;
	size_t len, room;
	bool failed; // no memory
};

struct family {
	struct xy_metric is;
	const struct xy_metric_set *set;
	struct text samples;
};

struct xy_exposition {
	struct xy_exposition_config cfg;
	struct family *families; // those of a set together, in the order of sets
	unsigned count;
	json_t *seen;  // by set: names of what has samples
	json_t *peers; // names of those that have series
	size_t bytes;  // of samples
	unsigned most;
	long long open, beyond, late, off; // peers that have none
	long long rows;			   // that had no room
	double seconds;
	bool up, failed;
};

// --- text

static char *room_for(struct text *t, size_t more)
{
	if (t->failed)
		return NULL;
	if (t->room - t->len <= more) {
		size_t room = t->room ? t->room : 256;
		while (room - t->len <= more)
			room *= 2;
		char *bytes = realloc(t->bytes, room);
		t->failed = !bytes;
		if (!bytes)
			return NULL;
		t->bytes = bytes;
		t->room = room;
	}
	return t->bytes + t->len;
}

static void add(struct text *t, const char *bytes, size_t len)
{
	char *to = room_for(t, len);
	if (!to)
		return;
	memcpy(to, bytes, len);
	t->len += len;
	to[len] = 0;
}

static void say(struct text *t, const char *text)
{
	add(t, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static void sayf(struct text *t, const char *fmt, ...)
{
	char buf[256];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	add(t, buf, n < 0 ? 0 : (size_t)n < sizeof(buf) ? (size_t)n : sizeof(buf) - 1);
}

// Of a label's value, or of help where quotes are not escaped.
static void say_escaped(struct text *t, const char *text, bool quotes)
{
	for (; *text; text++) {
		size_t n = strcspn(text, quotes ? "\\\"\n" : "\\\n");
		add(t, text, n);
		text += n;
		if (!*text)
			return;
		say(t, *text == '\n' ? "\\n" : *text == '"' ? "\\\"" : "\\\\");
	}
}

// --- labels

static void say_label(struct text *t, const char *label, const json_t *v)
{
	sayf(t, "%s%s=\"", t->len ? "," : "", label);
	if (json_is_string(v))
		say_escaped(t, json_string_value(v), true);
	else if (json_is_integer(v))
		sayf(t, "%lld", (long long)json_integer_value(v));
	else if (json_is_boolean(v))
		say(t, json_is_true(v) ? "true" : "false");
	say(t, "\"");
}

static void say_labels(struct text *t, const char *list, const json_t *row)
{
	char key[XY_METRIC_LABEL_LEN], label[XY_METRIC_LABEL_LEN];
	while ((list = xy_metric_label(list, key, label)))
		say_label(t, label, json_object_get(row, key));
}

// --- values

// Micro- and milliseconds in seconds, exactly.
static void say_divided(struct text *t, long long v, unsigned divisor)
{
	unsigned long long all = v < 0 ? 0 - (unsigned long long)v : (unsigned long long)v;
	unsigned long long rest = all % divisor;
	sayf(t, "%s%llu", v < 0 ? "-" : "", all / divisor);
	if (!rest)
		return;
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%0*llu", divisor == 1000 ? 3 : 6, rest);
	while (n > 0 && digits[n - 1] == '0')
		digits[--n] = 0;
	sayf(t, ".%s", digits);
}

static void say_number(struct text *t, const json_t *v, unsigned divisor)
{
	if (json_is_integer(v))
		say_divided(t, json_integer_value(v), divisor);
	else
		sayf(t, "%.15g", json_real_value(v) / divisor);
}

// labels: of the row; more: behind them, or NULL.
static void begin(struct text *to, const struct xy_metric *m, const struct text *labels,
		  const char *more, const char *value)
{
	say(to, m->name);
	say(to, m->suffix);
	if (labels->len || more) {
		say(to, "{");
		add(to, labels->bytes ? labels->bytes : "", labels->len);
		if (more) {
			sayf(to, "%s%s=\"", labels->len ? "," : "", m->label);
			say_escaped(to, value, true);
			say(to, "\"");
		}
		say(to, "}");
	}
	say(to, " ");
}

static void put_number(struct text *to, const struct xy_metric *m, const struct text *labels,
		       long long n)
{
	begin(to, m, labels, NULL, NULL);
	sayf(to, "%lld\n", n);
}

static void put_value(struct text *to, const struct xy_metric *m, const struct text *labels,
		      const json_t *v)
{
	if (!json_is_number(v))
		return; // null: there is no sample
	begin(to, m, labels, NULL, NULL);
	say_number(to, v, m->divisor);
	say(to, "\n");
}

static void put_map(struct text *to, const struct xy_metric *m, const struct text *labels,
		    const json_t *v)
{
	void *at = json_object_iter((json_t *)(uintptr_t)v);
	for (; at; at = json_object_iter_next((json_t *)(uintptr_t)v, at)) {
		const json_t *n = json_object_iter_value(at);
		if (!json_is_number(n))
			continue;
		begin(to, m, labels, m->label, json_object_iter_key(at));
		say_number(to, n, m->divisor);
		say(to, "\n");
	}
}

static void put_info(struct text *to, const struct xy_metric *m, const struct xy_metric_set *set,
		     const struct text *labels, const json_t *row)
{
	struct text all = {0};
	add(&all, labels->bytes ? labels->bytes : "", labels->len);
	say_labels(&all, set->info, row);
	put_number(to, m, &all, 1);
	to->failed = to->failed || all.failed;
	free(all.bytes);
}

static void put_word(struct text *to, const struct xy_metric *m, const struct text *labels,
		     const char *word)
{
	if (!word)
		return;
	begin(to, m, labels, m->label, word);
	say(to, "1\n");
}

static void put_sample(struct text *to, const struct family *f, const struct text *labels,
		       const json_t *row)
{
	const struct xy_metric *m = &f->is;
	const json_t *v = m->field ? json_object_get(row, m->field->key) : NULL;
	const char *word = json_string_value(v);
	switch (m->how) {
	case XY_METRIC_VALUE:
		put_value(to, m, labels, v);
		break;
	case XY_METRIC_TRUE:
		if (json_is_boolean(v))
			put_number(to, m, labels, json_is_true(v));
		break;
	case XY_METRIC_PRESENT:
		if (v)
			put_number(to, m, labels, !json_is_null(v));
		break;
	case XY_METRIC_COUNT:
		if (json_is_array(v))
			put_number(to, m, labels, (long long)json_array_size(v));
		break;
	case XY_METRIC_MAP:
		put_map(to, m, labels, v);
		break;
	case XY_METRIC_UP:
		if (word)
			put_number(to, m, labels, strcmp(word, "up") == 0);
		break;
	case XY_METRIC_WORD:
		put_word(to, m, labels, word);
		break;
	case XY_METRIC_ONE:
		put_info(to, m, f->set, labels, row);
		break;
	}
}

// --- rows

// Samples of one thing come all or none: what has no room is counted.
static void put_row(struct xy_exposition *x, unsigned first, const struct text *labels,
		    const json_t *row)
{
	const struct xy_metric_set *set = x->families[first].set;
	unsigned end = first;
	size_t before[128], bytes = 0;
	bool failed = labels->failed;
	for (; end < x->count && x->families[end].set == set && end - first < XY_ARRAY_SIZE(before);
	     end++) {
		struct text *to = &x->families[end].samples;
		before[end - first] = to->len;
		put_sample(to, &x->families[end], labels, row);
		bytes += to->len - before[end - first];
		failed = failed || to->failed;
	}
	x->failed = x->failed || failed;
	if (x->bytes + bytes <= x->cfg.bytes) {
		x->bytes += bytes;
		return;
	}
	x->rows++;
	for (unsigned i = first; i < end; i++)
		x->families[i].samples.len = before[i - first];
}

// A series is there once, whatever the daemon says.
static bool is_first(struct xy_exposition *x, const struct xy_metric_set *set,
		     const struct text *labels)
{
	json_t *names = json_object_get(x->seen, set->name);
	const char *name = labels->bytes ? labels->bytes : "";
	if (!names) {
		names = json_object();
		x->failed = x->failed || json_object_set_new(x->seen, set->name, names);
	}
	if (json_object_get(names, name))
		return false;
	x->failed = x->failed || json_object_set_new(names, name, json_true());
	return true;
}

// Whether it may have series: of those whom the config names, as many as there is room for.
static bool is_counted_peer(struct xy_exposition *x, const json_t *row)
{
	const char *name = json_string_value(json_object_get(row, XY_KEY(peer, name)));
	const char *by = json_string_value(json_object_get(row, XY_KEY(peer, peering)));
	if (!name || !by || strcmp(by, "configured") != 0) {
		x->open++;
		return false;
	}
	if (json_object_get(x->peers, name))
		return false; // told twice
	if (xy_exposition_is_full(x)) {
		x->beyond++;
		return false;
	}
	x->failed = x->failed || json_object_set_new(x->peers, name, json_true());
	return true;
}

static bool is_wanted(struct xy_exposition *x, const struct xy_metric_set *set, const json_t *row)
{
	char key[XY_METRIC_LABEL_LEN], label[XY_METRIC_LABEL_LEN];
	if (!set->peers)
		return true;
	if (!x->cfg.peers)
		return false;
	if (set->object == xy_object_peer)
		return is_counted_peer(x, row);
	if (set->object == xy_object_joining) // of the config, and in no other list
		return json_object_size(x->peers) < x->most;
	xy_metric_label(set->labels, key, label);
	const char *name = json_string_value(json_object_get(row, key));
	return name && json_object_get(x->peers, name);
}

static void take_row(struct xy_exposition *x, unsigned first, const json_t *row)
{
	const struct xy_metric_set *set = x->families[first].set;
	struct text labels = {0};
	if (!json_is_object(row) || !is_wanted(x, set, row))
		return;
	say_labels(&labels, set->labels, row);
	if (is_first(x, set, &labels))
		put_row(x, first, &labels, row);
	free(labels.bytes);
}

static void take_set(struct xy_exposition *x, unsigned first, const json_t *page)
{
	const struct xy_metric_set *set = x->families[first].set;
	const json_t *rows = set->list ? json_object_get(page, set->list) : NULL;
	if (!set->list)
		take_row(x, first, page);
	for (size_t i = 0; i < json_array_size(rows); i++)
		take_row(x, first, json_array_get(rows, i));
}

void xy_exposition_take(struct xy_exposition *x, const char *reply, const json_t *page)
{
	for (unsigned i = 0; i < x->count; i++) {
		const struct xy_metric_set *set = x->families[i].set;
		bool first = !i || x->families[i - 1].set != set;
		if (first && strcmp(set->reply, reply) == 0)
			take_set(x, i, page);
	}
	if (!x->cfg.peers && strcmp(reply, "node") == 0)
		x->off = json_integer_value(json_object_get(page, XY_KEY(node, peers)));
}

void xy_exposition_unasked(struct xy_exposition *x, long long peers, bool time)
{
	*(time ? &x->late : &x->beyond) += peers > 0 ? peers : 0;
}

void xy_exposition_done(struct xy_exposition *x, double seconds)
{
	x->seconds = seconds;
	x->up = true;
}

bool xy_exposition_is_full(const struct xy_exposition *x)
{
	return json_object_size(x->peers) >= x->most;
}

long long xy_exposition_peers(const struct xy_exposition *x)
{
	return (long long)json_object_size(x->peers) + x->open + x->beyond + x->late;
}

// --- the whole

static unsigned families_of(struct family *to)
{
	const struct xy_metric_set *s;
	struct xy_metric m;
	unsigned n = 0;
	for (unsigned i = 0; (s = xy_metric_set_at(i)); i++)
		for (unsigned k = 0; xy_metric_at(s, k, &m); k++, n++)
			if (to)
				to[n] = (struct family){.is = m, .set = s};
	return n;
}

struct xy_exposition *xy_exposition_create(const struct xy_exposition_config *cfg)
{
	struct xy_exposition *x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	x->cfg = *cfg;
	x->cfg.bytes = cfg->bytes ? cfg->bytes : XY_EXPOSITION_BYTES;
	x->most = cfg->most ? cfg->most : XY_EXPOSITION_PEERS;
	x->count = families_of(NULL);
	x->families = calloc(x->count, sizeof(*x->families));
	x->seen = json_object();
	x->peers = json_object();
	if (!x->families || !x->seen || !x->peers) {
		xy_exposition_free(x);
		return NULL;
	}
	families_of(x->families);
	return x;
}

void xy_exposition_free(struct xy_exposition *x)
{
	for (unsigned i = 0; x && x->families && i < x->count; i++)
		free(x->families[i].samples.bytes);
	if (x) {
		free(x->families);
		json_decref(x->seen);
		json_decref(x->peers);
	}
	free(x);
}

const char *xy_exposition_type(enum xy_exposition_format format)
{
	return format == XY_EXPOSITION_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}

enum xy_exposition_format xy_exposition_format_of(const char *accept)
{
	if (!accept)
		return XY_EXPOSITION_TEXT;
	unsigned open = xy_url_accept(accept, "application/openmetrics-text", "1.0.0");
	unsigned text = xy_url_accept(accept, "text/plain", "0.0.4");
	return open && open >= text ? XY_EXPOSITION_OPENMETRICS : XY_EXPOSITION_TEXT;
}

static void say_head(struct text *to, enum xy_exposition_format format, const char *name,
		     const char *suffix, enum xy_metric_type type, const char *unit,
		     const char *help)
{
	bool open = format == XY_EXPOSITION_OPENMETRICS;
	const char *as = open ? "" : suffix; // the name of what samples are of
	bool info = type == XY_METRIC_INFO && !open;
	sayf(to, "# HELP %s%s ", name, as);
	say_escaped(to, help, open);
	sayf(to, "\n# TYPE %s%s %s\n", name, as, info ? "gauge" : xy_metric_type_word(type));
	if (open && unit[0])
		sayf(to, "# UNIT %s %s\n", name, unit);
}

static void say_own(struct text *to, enum xy_exposition_format format, enum xy_metric_own which)
{
	const struct xy_metric_of_own *o = xy_metric_own_at(which);
	say_head(to, format, o->name, o->suffix, o->type, o->unit, o->help);
}

static void say_owns(struct text *to, const struct xy_exposition *x,
		     enum xy_exposition_format format)
{
	say_own(to, format, XY_METRIC_DAEMON_UP);
	sayf(to, "xylem_daemon_up %d\n", x->up);
	say_own(to, format, XY_METRIC_BUILD);
	sayf(to, "xylem_build_info{program=\"%s\",version=\"%s\"} 1\n", x->cfg.program,
	     x->cfg.version);
	if (!x->up)
		return;
	say_own(to, format, XY_METRIC_PEERS_LEFT_OUT);
	sayf(to, "xylem_peers_left_out{why=\"open\"} %lld\n", x->open);
	sayf(to, "xylem_peers_left_out{why=\"limit\"} %lld\n", x->beyond);
	sayf(to, "xylem_peers_left_out{why=\"time\"} %lld\n", x->late);
	sayf(to, "xylem_peers_left_out{why=\"off\"} %lld\n", x->off);
	say_own(to, format, XY_METRIC_ROWS_LEFT_OUT);
	sayf(to, "xylem_rows_left_out %lld\n", x->rows);
	say_own(to, format, XY_METRIC_SCRAPE);
	sayf(to, "xylem_scrape_seconds %.6f\n", x->seconds);
}

char *xy_exposition_text(const struct xy_exposition *x, enum xy_exposition_format format,
			 bool public, size_t *len)
{
	struct text to = {0};
	say_owns(&to, x, format);
	for (unsigned i = 0; x->up && i < x->count; i++) {
		const struct family *f = &x->families[i];
		if (!f->samples.len || (public && !xy_metric_is_public(f->set, &f->is)))
			continue;
		say_head(&to, format, f->is.name, f->is.suffix, f->is.type, f->is.unit, f->is.help);
		add(&to, f->samples.bytes, f->samples.len);
	}
	if (format == XY_EXPOSITION_OPENMETRICS)
		say(&to, "# EOF\n");
	if (to.failed || x->failed) {
		free(to.bytes);
		return NULL;
	}
	*len = to.len;
	return to.bytes;
}
