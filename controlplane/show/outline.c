// SPDX-License-Identifier: BSD-3-Clause
#include "show/outline.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LEFT_OUT "left_out"
enum {
	LEFT_OUT_JSON = 32, // bytes for it at each level that may be cut
	TEXT_MAX = 127,	    // DPDK's RTE_TEL_MAX_STRING_LEN less its end
	NAME_MAX_LEN = 63,
	LEVELS = 2, // that are cut at most
};

void xy_outline_init(struct xy_outline *o, const char *command)
{
	o->text[0] = 0;
	o->len = 0;
	o->json = strlen(command) + 8; // {"/command":{}}
}

// One line; false when the answer would be too long, less what is kept for levels above.
static bool line(struct xy_outline *o, size_t keep, char kind, const char *name, const char *value,
		 size_t json)
{
	size_t need = strlen(name) + strlen(value) + 4;
	if (o->json + json + keep > XY_OUTLINE_JSON || o->len + need > sizeof(o->text))
		return false;
	int n = snprintf(o->text + o->len, sizeof(o->text) - o->len, "%c%s%s%s\n", kind, name,
			 *value ? " " : "", value);
	o->len += (size_t)n;
	o->json += json;
	return true;
}

// What DPDK takes for a name.
static void name_of(const char *from, char out[static NAME_MAX_LEN + 1])
{
	size_t i;
	for (i = 0; from[i] && i < NAME_MAX_LEN; i++)
		out[i] = (char)(isalnum((unsigned char)from[i]) ? from[i] : '_');
	out[i] = 0;
}

static bool put_number(struct xy_outline *o, size_t keep, const char *name, json_int_t number)
{
	char digits[24];
	snprintf(digits, sizeof(digits), "%" PRIu64,
		 number < 0 ? (uint64_t)-number : (uint64_t)number);
	return line(o, keep, number < 0 ? '-' : '=', name, digits,
		    strlen(name) + strlen(digits) + 5);
}

static bool put_text(struct xy_outline *o, size_t keep, const char *name, const char *from)
{
	char text[TEXT_MAX + 1];
	size_t i, json = strlen(name) + 6;
	for (i = 0; from[i] && i < TEXT_MAX; i++) {
		bool plain = from[i] >= ' ' && from[i] <= '~';
		text[i] = (char)(plain ? from[i] : '?');
		json += text[i] == '"' || text[i] == '\\' ? 2 : 1;
	}
	text[i] = 0;
	return line(o, keep, '"', name, text, json);
}

static bool members(struct xy_outline *o, const json_t *from, unsigned depth, unsigned level);

static bool put(struct xy_outline *o, const char *key, const json_t *value, unsigned depth,
		unsigned level)
{
	size_t keep = LEFT_OUT_JSON * (size_t)LEVELS;
	char name[NAME_MAX_LEN + 1], real[32];
	name_of(key, name);
	switch (json_typeof(value)) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		return line(o, keep, '{', name, "", strlen(name) + 6) &&
		       members(o, value, depth ? depth - 1 : 0, level + 1) &&
		       line(o, 0, '}', "", "", 0);
	case JSON_STRING:
		return put_text(o, keep, name, json_string_value(value));
	case JSON_INTEGER:
		return put_number(o, keep, name, json_integer_value(value));
	case JSON_REAL: // DPDK 22.11 has none
		snprintf(real, sizeof(real), "%.3f", json_real_value(value));
		return put_text(o, keep, name, real);
	case JSON_TRUE:
	case JSON_FALSE:
		return put_number(o, keep, name, json_is_true(value));
	case JSON_NULL:
		break; // as if it were not there
	}
	return true;
}

struct walk {
	const json_t *from;
	void *at;     // of an object
	size_t index; // of an array
	char number[24];
};

static const json_t *next(struct walk *w, const char **key)
{
	if (json_is_array(w->from)) {
		snprintf(w->number, sizeof(w->number), "%zu", w->index);
		*key = w->number;
		return json_array_get(w->from, w->index++);
	}
	json_t *object = (json_t *)(uintptr_t)w->from;
	w->at = w->at ? json_object_iter_next(object, w->at) : json_object_iter(object);
	*key = w->at ? json_object_iter_key(w->at) : NULL;
	return w->at ? json_object_iter_value(w->at) : NULL;
}

static bool members(struct xy_outline *o, const json_t *from, unsigned depth, unsigned level)
{
	struct walk w = {.from = from};
	const json_t *value;
	const char *key;
	unsigned count = 0, left = 0;
	while ((value = next(&w, &key))) {
		size_t len = o->len, json = o->json;
		if (!left && count < XY_OUTLINE_MEMBERS && put(o, key, value, depth, level)) {
			count++;
			continue;
		}
		if (!depth)
			return false;
		o->len = len;
		o->json = json;
		o->text[len] = 0;
		left++;
	}
	return !left || put_number(o, 0, LEFT_OUT, left);
}

bool xy_outline_members(struct xy_outline *o, const json_t *from, unsigned depth)
{
	return members(o, from, depth < LEVELS ? depth : LEVELS, 0);
}
