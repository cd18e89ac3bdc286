// SPDX-License-Identifier: BSD-3-Clause
// Outlines for DPDK's telemetry: read back, they are what went in, cut where it was too much; and
// the JSON that DPDK makes of them is never longer than promised.
#include "show/outline.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static const char *at;

// As the dataplane reads it.
static json_t *read_object(void)
{
	json_t *o = json_object();
	while (*at) {
		char line[512], *name = line + 1, *value;
		size_t len = strcspn(at, "\n");
		CU_ASSERT_FATAL(len < sizeof(line) && at[len] == '\n');
		memcpy(line, at, len);
		line[len] = 0;
		at += len + 1;
		if (line[0] == '}')
			return o;
		value = strchr(name, ' ');
		if (value)
			*value++ = 0;
		CU_ASSERT(json_object_get(o, name) == NULL);
		if (line[0] == '{')
			json_object_set_new(o, name, read_object());
		else if (line[0] == '"')
			json_object_set_new(o, name, json_string(value ? value : ""));
		else
			json_object_set_new(
				o, name,
				json_integer(strtoll(value, NULL, 10) * (line[0] == '-' ? -1 : 1)));
	}
	return o;
}

static json_t *through(json_t *from)
{
	static struct xy_outline o;
	xy_outline_init(&o, "/xylem/test");
	CU_ASSERT(xy_outline_members(&o, from, 2));
	json_decref(from);
	CU_ASSERT_EQUAL(strlen(o.text), o.len);
	at = o.text;
	json_t *back = read_object();
	CU_ASSERT_EQUAL(*at, 0);
	json_t *answer = json_pack("{s:O}", "/xylem/test", back);
	char *text = json_dumps(answer, JSON_COMPACT);
	CU_ASSERT(strlen(text) <= XY_OUTLINE_JSON);
	CU_ASSERT(strlen(text) <= o.json);
	free(text);
	json_decref(answer);
	return back;
}

static void expect(json_t *from, const char *wanted)
{
	json_t *back = through(from);
	char *text = json_dumps(back, JSON_COMPACT | JSON_SORT_KEYS);
	CU_ASSERT_STRING_EQUAL(text, wanted);
	free(text);
	json_decref(back);
}

static void test_values(void)
{
	expect(json_pack("{s:i, s:i, s:s, s:b, s:f, s:n}", "a", 7, "b", -7, "c", "x y", "d", 1, "e",
			 0.25, "f"),
	       "{\"a\":7,\"b\":-7,\"c\":\"x y\",\"d\":1,\"e\":\"0.250\"}");
	expect(json_pack("{s:s, s:s}", "none", "", "odd-name.x", "\xc3\xa4 \" \\ \n"),
	       "{\"none\":\"\",\"odd_name_x\":\"?? \\\" \\\\ ?\"}");
	expect(json_pack("{s:[s,s], s:[{s:{s:i}}], s:[]}", "l", "p", "q", "m", "n", "o", 3, "z"),
	       "{\"l\":{\"0\":\"p\",\"1\":\"q\"},\"m\":{\"0\":{\"n\":{\"o\":3}}},\"z\":{}}");
	expect(json_object(), "{}");
}

static void cut(unsigned elements, unsigned text)
{
	char filler[128] = {0};
	json_t *list = json_array(), *inner, *one;
	const char *key;
	memset(filler, '"', text); // each is two bytes in JSON
	for (unsigned i = 0; i < elements; i++)
		json_array_append_new(list, json_pack("{s:i, s:s, s:{s:i}}", "n", (int)i, "text",
						      filler, "in", "deep", 1));
	json_t *back = through(json_pack("{s:o, s:s}", "list", list, "behind", "it"));
	json_int_t left = json_integer_value(json_object_get(back, "left_out"));
	inner = json_object_get(back, "list");
	if (inner) {
		unsigned whole = 0;
		json_object_foreach(inner, key, one)
		{
			if (!json_is_object(one))
				continue;
			CU_ASSERT_EQUAL(json_object_size(one), 3); // whole or not at all
			CU_ASSERT_EQUAL(json_object_size(json_object_get(one, "in")), 1);
			whole++;
		}
		json_int_t inside = json_integer_value(json_object_get(inner, "left_out"));
		CU_ASSERT_EQUAL(whole + inside, elements);
		CU_ASSERT(json_object_size(inner) <= 256);
		CU_ASSERT(elements < 20 || inside > 0);
	}
	CU_ASSERT_EQUAL((json_object_get(back, "behind") == NULL) + (inner == NULL), left);
	json_decref(back);
}

static void test_cut(void)
{
	for (unsigned text = 0; text <= 127; text++)
		for (unsigned n = 0; n < 1500; n = n < 60 ? n + 7 : n * 3)
			if (n < 20 || n > 200)
				cut(n, text);
}

static void test_many_members(void)
{
	json_t *o = json_object();
	char name[8];
	for (int i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "a%d", i);
		json_object_set_new(o, name, json_integer(i));
	}
	json_t *back = through(o);
	CU_ASSERT_EQUAL(json_object_size(back), XY_OUTLINE_MEMBERS + 1);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(back, "left_out")),
			400 - XY_OUTLINE_MEMBERS);
	json_decref(back);
}

XY_UNIT_MAIN("outline", {"values", test_values}, {"cut", test_cut},
	     {"many members", test_many_members})
