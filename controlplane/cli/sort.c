// SPDX-License-Identifier: BSD-3-Clause
#include "base/bytes.h"
#include "base/ip.h"
#include "cli/cli.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// --- by a column that is named

enum { NAMES = XY_TABLE_COLUMNS };

static const struct xy_field *field_at(const struct xy_object *o, const char *name)
{
	const struct xy_field *f;
	for (unsigned c = 1; (f = xy_object_column(o, c)); c++)
		if (strcmp(f->key, name) == 0)
			return f;
	return NULL;
}

// "LAST RECEIVED", "rx": as a key, which ends in the unit.
static const char *key_of(const struct xy_object *o, const char *name, char *buf, size_t size)
{
	static const char *const unit[] = {"", "_bytes", "_us"};
	char word[XY_TITLE_LEN];
	size_t n = 0;
	for (; name[n] && n + 1 < sizeof(word); n++)
		word[n] = name[n] == ' ' || name[n] == '-' ? '_' : (char)tolower(name[n]);
	word[n] = 0;
	for (unsigned i = 0; i < XY_ARRAY_SIZE(unit); i++) {
		snprintf(buf, size, "%s%s", word, unit[i]);
		if (field_at(o, buf))
			return buf;
	}
	snprintf(buf, size, "%s", word);
	return buf;
}

int xy_sort_parse(const struct xy_reply *r, const char *name, struct xy_sort *out)
{
	const struct xy_field *list = xy_view_list(r), *f;
	const struct xy_object *o = list ? list->of() : NULL;
	const char *names[NAMES + 1];
	char key[XY_TITLE_LEN + 8], meant[200], all[600];
	unsigned n = 0;
	size_t len = 0;
	if (!o)
		return xy_cli_misuse("--sort is for lists, not for show %s", r->name);
	for (unsigned c = 1; n < NAMES && (f = xy_object_column(o, c)); c++) {
		names[n++] = f->key;
		if (len < sizeof(all))
			len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s",
						n > 1 ? ", " : "", f->key);
	}
	names[n] = NULL;
	out->down = name[0] == '-';
	key_of(o, name + out->down, key, sizeof(key));
	const char *word = xy_cli_word(key, names);
	if (!word)
		return xy_cli_misuse("--sort %s: show %s has %s%s", name, r->name, all,
				     xy_cli_meant(key, names, meant, sizeof(meant)));
	out->by = field_at(o, word);
	return CLI_OK;
}

struct place {
	json_t *row;
	const json_t *value;
	struct xy_prefix prefix; // of a text that is one
	bool is_prefix, down;
	size_t at;
};

static struct place place_of(json_t *row, size_t at, const struct xy_sort *by)
{
	const json_t *v = json_object_get(row, by->by->key);
	struct place p = {.row = json_incref(row), .value = v, .at = at, .down = by->down};
	bool address = by->by->form == XY_FORM_ADDRESS || by->by->form == XY_FORM_PREFIX;
	if (address && json_is_string(v))
		p.is_prefix = xy_prefix_parse(json_string_value(v), &p.prefix) == 0;
	return p;
}

static bool is_absent(const struct place *p)
{
	return !p->value || json_is_null(p->value);
}

static int compare_lists(const json_t *a, const json_t *b)
{
	for (size_t i = 0; i < json_array_size(a) && i < json_array_size(b); i++) {
		const char *x = json_string_value(json_array_get(a, i)),
			   *y = json_string_value(json_array_get(b, i));
		int by = x && y ? strcmp(x, y) : 0;
		if (by)
			return by;
	}
	return (json_array_size(a) > json_array_size(b)) -
	       (json_array_size(a) < json_array_size(b));
}

static int compare_values(const struct place *a, const struct place *b)
{
	const json_t *x = a->value, *y = b->value;
	if (a->is_prefix && b->is_prefix)
		return memcmp(&a->prefix, &b->prefix, sizeof(a->prefix));
	if (json_is_integer(x) && json_is_integer(y))
		return (json_integer_value(x) > json_integer_value(y)) -
		       (json_integer_value(x) < json_integer_value(y));
	if (json_is_number(x) && json_is_number(y))
		return (json_number_value(x) > json_number_value(y)) -
		       (json_number_value(x) < json_number_value(y));
	if (json_is_string(x) && json_is_string(y))
		return strcmp(json_string_value(x), json_string_value(y));
	if (json_is_array(x) && json_is_array(y))
		return compare_lists(x, y);
	return json_is_true(x) - json_is_true(y);
}

static int compare(const void *x, const void *y)
{
	const struct place *a = x, *b = y;
	int by = is_absent(a) - is_absent(b);
	if (!by && !is_absent(a))
		by = a->down ? compare_values(b, a) : compare_values(a, b);
	return by ? by : (a->at > b->at) - (a->at < b->at);
}

void xy_sort_rows(json_t *list, const struct xy_sort *by)
{
	size_t n = json_array_size(list);
	if (!n)
		return;
	struct place *p = xy_cli_must(calloc(n, sizeof(*p)));
	for (size_t i = 0; i < n; i++)
		p[i] = place_of(json_array_get(list, i), i, by);
	qsort(p, n, sizeof(*p), compare);
	for (size_t i = 0; i < n; i++)
		json_array_set_new(list, i, p[i].row);
	free(p);
}

// --- gateways: by prefix, what is used first, then the nearer one

struct way {
	struct xy_prefix prefix;
	bool used;
	json_int_t metric; // no way there: behind all others
	json_t *row;
};

static struct way way_of(json_t *row)
{
	const char *text = json_string_value(json_object_get(row, XY_KEY(gateway, prefix)));
	const json_t *metric = json_object_get(row, XY_KEY(gateway, metric));
	struct way p = {.used = json_is_true(json_object_get(row, XY_KEY(gateway, used))),
			.metric = json_is_integer(metric) ? json_integer_value(metric) : UINT16_MAX,
			.row = json_incref(row)};
	if (text)
		xy_prefix_parse(text, &p.prefix);
	return p;
}

static int compare_ways(const void *x, const void *y)
{
	const struct way *a = x, *b = y;
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
	struct way *p = xy_cli_must(calloc(n, sizeof(*p)));
	for (size_t i = 0; i < n; i++)
		p[i] = way_of(json_array_get(list, i));
	qsort(p, n, sizeof(*p), compare_ways);
	for (size_t i = 0; i < n; i++)
		json_array_set_new(list, i, p[i].row);
	free(p);
}
