// SPDX-License-Identifier: BSD-3-Clause
// A reply as tables, by the list of fields: what has a column, in that order. What it is itself is
// a row for each field, a list of things a table, with a row for each.
#include "base/bytes.h"
#include "base/ip.h"
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static bool takes_a_while(const struct xy_reply *r)
{
	const struct xy_object *o = r->object();
	for (unsigned i = 0; i < o->count; i++)
		if (strcmp(o->fields[i].key, XY_KEY(tree, done)) == 0)
			return true;
	return false;
}

const struct xy_reply *xy_view_find(const char *name)
{
	const struct xy_reply *r = xy_reply_find(name);
	return r && !takes_a_while(r) ? r : NULL;
}

const char *xy_view_names(char *buf, size_t size)
{
	const struct xy_reply *r;
	size_t n = 0;
	for (unsigned i = 0; (r = xy_reply_at(i)) && n < size; i++)
		if (!takes_a_while(r))
			n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? ", " : "", r->name);
	return buf;
}

// --- tables

static void print_list(struct xy_table *t, const char *title, const json_t *list)
{
	size_t n = json_array_size(list);
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		xy_table_cell(t, i ? "" : title, XY_DIM);
		xy_table_cell(t, text ? text : "-", XY_YELLOW);
	}
}

static bool is_table(const struct xy_field *f)
{
	return f->form == XY_FORM_LIST;
}

void xy_view_fields(const struct xy_object *o, const json_t *now, FILE *to, bool colour)
{
	char text[512], title[XY_TITLE_LEN];
	struct xy_table *t = xy_table_new(2);
	const struct xy_field *f;
	for (unsigned c = 1; (f = xy_object_column(o, c)); c++) {
		const json_t *value = json_object_get(now, f->key);
		if (is_table(f))
			continue;
		xy_field_title(f, title, sizeof(title));
		if (f->form == XY_FORM_TEXTS) {
			print_list(t, title, value);
			continue;
		}
		xy_field_text(text, sizeof(text), f, value, NULL, 0);
		xy_table_cell(t, title, XY_DIM);
		xy_table_cell(t, text, XY_PLAIN);
	}
	xy_table_print(t, to, colour);
}

static bool same_row(const struct xy_object *o, const json_t *a, const json_t *b)
{
	for (unsigned c = 1; c <= o->ids; c++) {
		const char *key = xy_object_column(o, c)->key;
		if (!json_equal(json_object_get(a, key), json_object_get(b, key)))
			return false;
	}
	return true;
}

// Lists keep their order, so a row is mostly found where it was, or a little further.
static const json_t *find_before(const struct xy_object *o, const json_t *row, const json_t *before,
				 size_t *hint)
{
	size_t n = json_array_size(before);
	for (size_t i = 0; i < n; i++) {
		const json_t *old = json_array_get(before, (*hint + i) % n);
		if (same_row(o, row, old)) {
			*hint = (*hint + i + 1) % n;
			return old;
		}
	}
	return NULL;
}

static void print_row(const struct xy_object *o, struct xy_table *t, const json_t *row,
		      const json_t *before, double seconds)
{
	const struct xy_field *f;
	for (unsigned c = 1; (f = xy_object_column(o, c)); c++)
		xy_table_field(t, f, json_object_get(row, f->key),
			       before ? json_object_get(before, f->key) : NULL, seconds);
}

struct xy_table *xy_view_columns(const struct xy_object *o)
{
	unsigned count = 0;
	while (xy_object_column(o, count + 1))
		count++;
	struct xy_table *t = xy_table_new(count);
	for (unsigned c = 1; c <= count; c++)
		xy_table_column_of(t, xy_object_column(o, c));
	return t;
}

// A drop node that was never called says nothing here; `show drops` and --json have them all.
static bool is_idle_drop(const json_t *row)
{
	const char *name = json_string_value(json_object_get(row, XY_KEY(graph_node, node)));
	return name && strncmp(name, "drop_", 5) == 0 &&
	       json_integer_value(json_object_get(row, XY_KEY(graph_node, calls))) == 0;
}

static void print_rows(const struct xy_field *list, const json_t *now, const json_t *before,
		       double seconds, FILE *to, bool colour)
{
	const struct xy_object *o = list->of();
	const json_t *rows = json_object_get(now, list->key);
	const json_t *old = before ? json_object_get(before, list->key) : NULL;
	struct xy_table *t = xy_view_columns(o);
	size_t hint = 0;
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		if (is_idle_drop(row))
			continue;
		print_row(o, t, row, old ? find_before(o, row, old, &hint) : NULL, seconds);
	}
	xy_table_print(t, to, colour);
}

// Its own fields, or its first list; then what other lists hold.
void xy_view_print(const struct xy_reply *r, const json_t *now, const json_t *before,
		   double seconds, FILE *to, bool colour)
{
	const struct xy_object *o = r->object();
	const struct xy_field *f = xy_object_column(o, 1);
	unsigned c = 1;
	if (f && is_table(f)) {
		print_rows(f, now, before, seconds, to, colour);
		c++;
	} else {
		xy_view_fields(o, now, to, colour);
	}
	for (; (f = xy_object_column(o, c)); c++) {
		if (!is_table(f) || !json_array_size(json_object_get(now, f->key)))
			continue;
		fputc('\n', to);
		print_rows(f, now, before, seconds, to, colour);
	}
}

// --- gateways: by prefix, what is used first, then the nearer one

struct place {
	struct xy_prefix prefix;
	bool used;
	json_int_t metric; // no way there: behind all others
	json_t *row;
};

static struct place place_of(json_t *row)
{
	const char *text = json_string_value(json_object_get(row, XY_KEY(gateway, prefix)));
	const json_t *metric = json_object_get(row, XY_KEY(gateway, metric));
	struct place p = {.used = json_is_true(json_object_get(row, XY_KEY(gateway, used))),
			  .metric =
				  json_is_integer(metric) ? json_integer_value(metric) : UINT16_MAX,
			  .row = json_incref(row)};
	if (text)
		xy_prefix_parse(text, &p.prefix);
	return p;
}

static int compare(const void *x, const void *y)
{
	const struct place *a = x, *b = y;
	int by = memcmp(&a->prefix, &b->prefix, sizeof(a->prefix)); // the address, then the length
	if (!by)
		by = b->used - a->used;
	return by ? by : (a->metric > b->metric) - (a->metric < b->metric);
}

void xy_view_sort(const struct xy_reply *r, json_t *now)
{
	json_t *list = json_object_get(now, XY_KEY(gateways, gateways));
	size_t n = json_array_size(list);
	if (r->object() != xy_object_gateways() || !n)
		return;
	struct place *p = xy_cli_must(calloc(n, sizeof(*p)));
	for (size_t i = 0; i < n; i++)
		p[i] = place_of(json_array_get(list, i));
	qsort(p, n, sizeof(*p), compare);
	for (size_t i = 0; i < n; i++)
		json_array_set_new(list, i, p[i].row);
	free(p);
}
