// SPDX-License-Identifier: BSD-3-Clause
#include "web/redact.h"

#include "base/bytes.h"
#include "fields/public.h"

#include <string.h>

// Which field of it, or of what follows it in the same JSON, is that? NULL: none that is public.
static const struct xy_field *public_field(const struct xy_object *o, const char *key)
{
	for (; o; o = o->more ? o->more() : NULL)
		for (unsigned i = 0; i < o->count; i++)
			if (strcmp(o->fields[i].key, key) == 0 && xy_field_is_public(o, key))
				return &o->fields[i];
	return NULL;
}

static bool row_is_public(const json_t *row, const struct xy_object *o)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)(uintptr_t)row, key, v)
	{
		if (json_is_string(v) && !xy_row_is_public(o, key, json_string_value(v)))
			return false;
	}
	return true;
}

static void redact_inside(json_t *value, const struct xy_object *o)
{
	for (size_t i = json_array_size(value); i-- > 0;) {
		json_t *one = json_array_get(value, i);
		if (row_is_public(one, o))
			xy_redact(one, o);
		else
			json_array_remove(value, i);
	}
	if (json_is_object(value))
		xy_redact(value, o);
}

void xy_redact(json_t *value, const struct xy_object *o)
{
	const char *key;
	json_t *v;
	void *next;
	json_object_foreach_safe(value, next, key, v)
	{
		const struct xy_field *f = public_field(o, key);
		if (f && f->of)
			redact_inside(v, f->of());
		else if (!f)
			json_object_del(value, key);
	}
}

// --- ticks

// What is in one beside fields: of watch.c and rows.c.
static const char *const of_tick[] = {"time", "node", "rates", "workers", "graph", "peers"};
static const char *const of_row[] = {"loss", "rx_bps", "tx_bps"};
static const char *const of_counter[] = {"pps"};

static bool is_one_of(const char *key, const char *const *keys, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

// Rows whose members are fields of one of two objects, or have one of those names.
static void redact_rows(json_t *rows, const struct xy_object *one, const struct xy_object *two,
			const char *const *keys, unsigned n)
{
	const char *key;
	json_t *row, *v;
	void *next;
	size_t i;
	json_array_foreach(rows, i, row)
	{
		json_object_foreach_safe(row, next, key, v)
		{
			if (!public_field(one, key) && !public_field(two, key) &&
			    !is_one_of(key, keys, n))
				json_object_del(row, key);
		}
	}
}

void xy_redact_tick(json_t *tick)
{
	const char *key;
	json_t *v;
	void *next;
	json_object_foreach_safe(tick, next, key, v)
	{
		if (!is_one_of(key, of_tick, XY_ARRAY_SIZE(of_tick)))
			json_object_del(tick, key);
	}
	xy_redact(json_object_get(tick, "node"), xy_object_node());
	redact_rows(json_object_get(tick, "workers"), xy_object_worker(), NULL, of_counter,
		    XY_ARRAY_SIZE(of_counter));
	redact_rows(json_object_get(tick, "graph"), xy_object_graph_node(), NULL, of_counter,
		    XY_ARRAY_SIZE(of_counter));
	redact_rows(json_object_get(json_object_get(tick, "peers"), "rows"), xy_object_peer(),
		    xy_object_neighbour(), of_row, XY_ARRAY_SIZE(of_row));
}
