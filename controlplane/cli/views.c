// SPDX-License-Identifier: BSD-3-Clause
// A reply as tables, by the list of fields: what has a column, in that order. What it is itself is
// a row for each field, a list of things a table, with a row for each. One rule, on a terminal and
// on a pipe: 80 columns, without wide columns (-v has them, and no limit), without columns and rows
// that say nothing (--all has them).
#include "base/bytes.h"
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
	r = r ? r : xy_agent_reply_find(name);
	return r && !takes_a_while(r) ? r : NULL;
}

bool xy_view_is_agents(const struct xy_reply *r)
{
	return xy_agent_reply_find(r->name) == r;
}

const char *xy_view_names(char *buf, size_t size)
{
	const struct xy_reply *r;
	size_t n = 0;
	for (unsigned i = 0; (r = xy_reply_at(i)) && n < size; i++)
		if (!takes_a_while(r))
			n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? ", " : "", r->name);
	for (unsigned i = 0; (r = xy_agent_reply_at(i)) && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, ", %s", r->name);
	return buf;
}

static bool is_table(const struct xy_field *f)
{
	return f->form == XY_FORM_LIST;
}

const struct xy_field *xy_view_list(const struct xy_reply *r)
{
	const struct xy_field *f = xy_object_column(r->object(), 1);
	return f && is_table(f) ? f : NULL;
}

bool xy_view_shows(const struct xy_view *v, const struct xy_field *f)
{
	return !f->wide || v->verbose;
}

// It is not there, and that says no more than its title would; or it was never counted. Gauges and
// times say something when they are 0, or infinite, or never.
static bool says_nothing(const struct xy_field *f, const json_t *v)
{
	bool absent = !v || json_is_null(v) || (json_is_array(v) && !json_array_size(v));
	bool zero = json_is_number(v) && !(json_number_value(v) > 0 || json_number_value(v) < 0);
	if (f->form == XY_FORM_AGO)
		return false;
	if (f->kind == XY_KIND_COUNTER || f->form == XY_FORM_ZERO)
		return absent || zero;
	return absent && f->kind != XY_KIND_GAUGE;
}

// --- one thing: a row for each field

static void print_texts(struct xy_table *t, const char *title, const json_t *list)
{
	size_t n = json_array_size(list);
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		xy_table_cell(t, i ? "" : title, XY_DIM);
		xy_table_cell(t, text ? text : "-", XY_YELLOW);
	}
}

static bool has_changed(const struct xy_field *f, const json_t *a, const json_t *b);

static void print_field(const struct xy_view *v, struct xy_table *t, const struct xy_field *f,
			const json_t *value)
{
	char title[XY_TITLE_LEN];
	xy_field_title(f, title, sizeof(title));
	if (f->form == XY_FORM_TEXTS) {
		print_texts(t, title, value);
		return;
	}
	struct xy_then then = {v->before ? json_object_get(v->before, f->key) : NULL, v->seconds};
	char *text = xy_field_text(f, value, &then, v->verbose);
	xy_table_cell(t, title, XY_DIM);
	xy_table_cell(t, text, XY_PLAIN);
	if (v->before && has_changed(f, value, then.value))
		xy_table_mark(t);
	free(text);
}

void xy_view_fields(const struct xy_view *v, const struct xy_object *o, const json_t *now)
{
	struct xy_table *t = xy_table_new(2, v->out);
	const struct xy_field *f;
	for (unsigned c = 1; (f = xy_object_column(o, c)); c++) {
		const json_t *value = json_object_get(now, f->key);
		bool hide = !v->all && says_nothing(f, value);
		if (!is_table(f) && xy_view_shows(v, f) && !hide)
			print_field(v, t, f, value);
	}
	xy_table_print(t, NULL);
}

// --- lists: a table

// What names a row: all that stands in its first columns.
static char *name_of(const struct xy_object *o, const json_t *row)
{
	json_t *ids = xy_cli_must(json_array());
	for (unsigned c = 1; c <= o->ids; c++)
		json_array_append(ids, json_object_get(row, xy_object_column(o, c)->key));
	char *text = xy_cli_must(json_dumps(ids, JSON_COMPACT));
	json_decref(ids);
	return text;
}

// Rows by what names them; NULL: nothing does, or there are none.
static json_t *index_of(const struct xy_object *o, const json_t *rows)
{
	json_t *all = rows && o->ids ? xy_cli_must(json_object()) : NULL, *row;
	size_t i;
	if (!all)
		return NULL;
	json_array_foreach(rows, i, row)
	{
		char *name = name_of(o, row);
		json_object_set(all, name, row);
		free(name);
	}
	return all;
}

static const json_t *find_row(const struct xy_object *o, const json_t *row, const json_t *in)
{
	if (!in)
		return NULL;
	char *name = name_of(o, row);
	const json_t *found = json_object_get(in, name);
	free(name);
	return found;
}

// Counters are rates then, and times go on by themselves.
static bool has_changed(const struct xy_field *f, const json_t *a, const json_t *b)
{
	bool moves =
		f->kind == XY_KIND_COUNTER || f->form == XY_FORM_SPAN || f->form == XY_FORM_AGO ||
		f->form == XY_FORM_SHARE || f->form == XY_FORM_MICRO || f->form == XY_FORM_RTT ||
		f->form == XY_FORM_DECIMAL || f->form == XY_FORM_BYTES || f->form == XY_FORM_MILLI;
	return !moves && b && !(a && json_equal(a, b));
}

static void print_row(const struct xy_view *v, const struct xy_object *o, struct xy_table *t,
		      const json_t *row, const json_t *before)
{
	const struct xy_field *f;
	bool is_new = v->before && !before && o->ids, first = true;
	for (unsigned c = 1; (f = xy_object_column(o, c)); c++) {
		if (!xy_view_shows(v, f))
			continue;
		struct xy_then then = {before ? json_object_get(before, f->key) : NULL, v->seconds};
		const json_t *value = json_object_get(row, f->key);
		xy_table_field(t, f, value, &then, v->verbose);
		if ((is_new && first) || (before && has_changed(f, value, then.value)))
			xy_table_mark(t);
		first = false;
	}
}

struct xy_table *xy_view_columns(const struct xy_view *v, const struct xy_object *o)
{
	const struct xy_field *f;
	unsigned count = 0;
	for (unsigned c = 1; (f = xy_object_column(o, c)); c++)
		count += xy_view_shows(v, f);
	struct xy_table *t = xy_table_new(count, v->out);
	for (unsigned c = 1; (f = xy_object_column(o, c)); c++)
		if (xy_view_shows(v, f))
			xy_table_column_of(t, f);
	return t;
}

// What was never counted: a drop that never was, a node of the graph that never worked.
static bool is_idle(const struct xy_object *o, const json_t *row)
{
	const char *key = o == xy_object_drop()		 ? XY_KEY(drop, packets)
			  : o == xy_object_kernel_drop() ? XY_KEY(kernel_drop, packets)
			  : o == xy_object_graph_node()	 ? XY_KEY(graph_node, calls)
							 : NULL;
	return key && json_integer_value(json_object_get(row, key)) == 0;
}

static bool is_shown(const struct xy_view *v, const struct xy_object *o, const json_t *row)
{
	return v->all || !is_idle(o, row);
}

static bool is_empty(const struct xy_view *v, const struct xy_object *o, const struct xy_field *f,
		     const json_t *rows)
{
	size_t shown = 0;
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		if (!is_shown(v, o, row))
			continue;
		if (!says_nothing(f, json_object_get(row, f->key)))
			return false;
		shown++;
	}
	return shown != 0;
}

static void hide_columns(const struct xy_view *v, const struct xy_object *o, const json_t *rows,
			 struct xy_table *t)
{
	const struct xy_field *f;
	for (unsigned c = 1, at = 0; (f = xy_object_column(o, c)); c++) {
		if (!xy_view_shows(v, f))
			continue;
		if (!v->all && c > o->ids && is_empty(v, o, f, rows))
			xy_table_hide(t, at);
		at++;
	}
}

// Rows that were in the picture before, by what names them.
static void print_gone(const struct xy_view *v, const struct xy_object *o, const json_t *rows,
		       const json_t *old)
{
	if (!old || !o->ids)
		return;
	json_t *now = index_of(o, rows);
	struct xy_table *t = xy_table_new(2, v->out);
	for (size_t i = 0; i < json_array_size(old); i++) {
		const json_t *row = json_array_get(old, i);
		if (find_row(o, row, now))
			continue;
		char *text = xy_field_text(xy_object_column(o, 1),
					   json_object_get(row, xy_object_column(o, 1)->key), NULL,
					   v->verbose);
		xy_table_cell(t, "gone", XY_DIM);
		xy_table_cell(t, text, XY_RED);
		free(text);
	}
	xy_table_print(t, NULL);
	json_decref(now);
}

static void print_rows(const struct xy_view *v, const struct xy_field *list, const json_t *now,
		       struct xy_table_last *last)
{
	const struct xy_object *o = list->of();
	const json_t *rows = json_object_get(now, list->key);
	const json_t *old = v->before ? json_object_get(v->before, list->key) : NULL;
	struct xy_table *t = xy_view_columns(v, o);
	json_t *was = index_of(o, old);
	size_t shown = 0;
	hide_columns(v, o, rows, t);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		if (!is_shown(v, o, row))
			continue;
		print_row(v, o, t, row, old ? find_row(o, row, was) : NULL);
		shown++;
	}
	if (!shown && json_array_size(rows)) {
		fprintf(v->out->to, "%sall %zu are 0; --all shows them\n",
			o == xy_object_kernel_drop() ? "the kernel's: " : "",
			json_array_size(rows));
		xy_table_free(t);
	} else {
		xy_table_print(t, last);
	}
	print_gone(v, o, rows, old);
	json_decref(was);
}

void xy_view_rows(const struct xy_view *v, const char *list, const json_t *now)
{
	const struct xy_field *f;
	for (unsigned c = 1; (f = xy_object_column(v->reply->object(), c)); c++)
		if (is_table(f) && strcmp(f->key, list) == 0 &&
		    json_array_size(json_object_get(now, f->key)))
			print_rows(v, f, now, NULL);
}

size_t xy_view_count(const struct xy_view *v, const json_t *now)
{
	const struct xy_field *list = xy_view_list(v->reply);
	const json_t *rows = list ? json_object_get(now, list->key) : NULL;
	size_t n = 0;
	for (size_t i = 0; i < json_array_size(rows); i++)
		n += is_shown(v, list->of(), json_array_get(rows, i));
	return n;
}

// Its own fields, or its first list; then what other lists hold.
void xy_view_print(const struct xy_view *v, const json_t *now)
{
	const struct xy_object *o = v->reply->object();
	const struct xy_field *f = xy_view_list(v->reply);
	unsigned c = f ? 2 : 1;
	if (f)
		print_rows(v, f, now, v->last);
	else
		xy_view_fields(v, o, now);
	for (; (f = xy_object_column(o, c)); c++) {
		if (!is_table(f) || !json_array_size(json_object_get(now, f->key)))
			continue;
		fputc('\n', v->out->to);
		print_rows(v, f, now, NULL);
	}
}
