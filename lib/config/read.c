// SPDX-License-Identifier: BSD-3-Clause
// Walks a libconfig tree by the tables of schema.h.
#include "config/read.h"
#include "base/near.h"

#include <limits.h>
#include <stdlib.h>

enum { KEY_MAX = 32 }; // keys longer than this get no suggestion

static const char *const type_names[] = {
	[CONFIG_TYPE_NONE] = "nothing",	       [CONFIG_TYPE_GROUP] = "a group { ... }",
	[CONFIG_TYPE_INT] = "an integer",      [CONFIG_TYPE_INT64] = "an integer",
	[CONFIG_TYPE_FLOAT] = "a float",       [CONFIG_TYPE_STRING] = "a string",
	[CONFIG_TYPE_BOOL] = "a boolean",      [CONFIG_TYPE_ARRAY] = "an array [ ... ]",
	[CONFIG_TYPE_LIST] = "a list ( ... )",
};

static const char *const wanted_names[] = {
	[XY_CONFIG_BOOL] = "true or false",
	[XY_CONFIG_INT] = "an integer, without quotes",
	[XY_CONFIG_STRING] = "a string in double quotes",
	[XY_CONFIG_INTS] = "a list of integers: [ 1, 2 ]",
	[XY_CONFIG_STRINGS] = "a list of strings: [ \"a\", \"b\" ]",
	[XY_CONFIG_GROUP] = "a group: { key = value; }",
	[XY_CONFIG_GROUPS] = "a list of groups: ( { key = value; }, { ... } )",
	[XY_CONFIG_MIXED] = "a list of strings and groups: ( \"a\", { key = value; } ), or a word",
};

// The schema is four levels deep, and only settings that it knows (or their children) are named.
static int path(const config_setting_t *s, char *to, size_t size)
{
	if (!s || !s->parent)
		return 0;
	int n = path(s->parent, to, size);
	if (n < 0 || (size_t)n >= size)
		return n;
	const char *dot = n ? "." : "";
	int more = s->name ? snprintf(to + n, size - (size_t)n, "%s%.40s", dot, s->name)
			   : snprintf(to + n, size - (size_t)n, "%s[%d]", dot,
				      config_setting_index(s));
	return n + more;
}

// Marks of libconfig's own: on a setting that was refused, and on those around it.
static char refused_itself, refused_inside;

static void *mark_of(const config_setting_t *s)
{
	return s ? config_setting_get_hook(s) : NULL;
}

static void mark(const config_setting_t *s)
{
	void *with = &refused_itself;
	for (; s && s->parent; s = s->parent, with = &refused_inside)
		if (mark_of(s) != &refused_itself)
			config_setting_set_hook((config_setting_t *)(uintptr_t)s, with);
}

bool xy_config_is_bad(const config_setting_t *s)
{
	return mark_of(s) != NULL;
}

bool xy_config_is_unsure(const config_setting_t *s, const char *const *members)
{
	bool bad = mark_of(s) == &refused_itself;
	for (; !bad && *members; members++)
		bad = xy_config_is_bad(xy_config_member(s, *members));
	return bad;
}

const config_setting_t *xy_config_member(const config_setting_t *s, const char *name)
{
	// libconfig 1.5's getters take no const
	return s ? config_setting_get_member((config_setting_t *)(uintptr_t)s, name) : NULL;
}

static void say(const struct xy_config_reader *r, struct xy_config_notes *to,
		const config_setting_t *s, const char *key, const char *what)
{
	char where[160] = "";
	struct xy_err line;
	int n = path(s, where, sizeof(where));
	if (key && n >= 0 && (size_t)n < sizeof(where))
		snprintf(where + n, sizeof(where) - (size_t)n, "%s%s", n ? "." : "", key);
	unsigned at = config_setting_source_line(s);
	xy_err_set(&line, EINVAL, "%s:%u: %s%s%s", r->name, at, where, where[0] ? ": " : "", what);
	xy_config_note(to, at, line.text);
}

int xy_config_fail(struct xy_config_reader *r, const config_setting_t *s, const char *key,
		   const char *fmt, ...)
{
	char what[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	say(r, &r->c->errors, s, key, what);
	mark(s);
	r->failed = true;
	return -EINVAL;
}

int xy_config_fail_line(struct xy_config_reader *r, int line, const char *fmt, ...)
{
	char what[400];
	struct xy_err whole;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	xy_err_set(&whole, EINVAL, "%s:%d: %s", r->name, line, what);
	xy_config_note(&r->c->errors, (unsigned)line, whole.text);
	r->failed = true;
	return -EINVAL;
}

void xy_config_warn(struct xy_config_reader *r, const config_setting_t *s, const char *fmt, ...)
{
	char what[300];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	say(r, &r->c->warnings, s, NULL, what);
}

static const char *nearest_key(const struct xy_config_group *g, const char *name)
{
	struct xy_nearest n = xy_nearest_to(name, UINT_MAX);
	for (size_t i = 0; i < g->count; i++)
		xy_nearest_see(&n, g->keys[i].name);
	return n.best;
}

static void list_keys(const struct xy_config_group *g, char *to, size_t size)
{
	size_t n = 0;
	to[0] = 0;
	for (size_t i = 0; i < g->count && n < size; i++)
		n += (size_t)snprintf(to + n, size - n, "%s%s", i ? ", " : "", g->keys[i].name);
}

static int refuse_unknown(struct xy_config_reader *r, const config_setting_t *s,
			  const struct xy_config_group *g)
{
	const char *near = nearest_key(g, s->name);
	if (g == &xy_config_schema && strcmp(s->name, "web") == 0)
		return xy_config_fail(r, s, NULL,
				      "xylem-web has a file of its own, /etc/xylem/web.conf: this "
				      "one has secrets, which that must not be able to read; write "
				      "there what stands in it");
	if (g == &xy_config_schema && strcmp(s->name, "fleet") == 0)
		return xy_config_fail(
			r, s, NULL,
			"xylem-fleet has a file of its own, /etc/xylem/fleet.conf: this "
			"one has secrets, which that must not be able to read; write "
			"it there as it stands");
	// what its group lacks may be this one
	config_setting_set_hook(s->parent, &refused_itself);
	if (near)
		return xy_config_fail(r, s, NULL, "unknown key; did you mean `%s`?", near);
	char keys[200];
	list_keys(g, keys, sizeof(keys));
	return xy_config_fail(r, s, NULL, "unknown key; there are: %s", keys);
}

static bool is_list(const config_setting_t *s)
{
	return config_setting_is_array(s) || config_setting_is_list(s);
}

static bool is_int(const config_setting_t *s)
{
	return s->type == CONFIG_TYPE_INT || s->type == CONFIG_TYPE_INT64;
}

static bool type_fits(const config_setting_t *s, enum xy_config_type type)
{
	switch (type) {
	case XY_CONFIG_BOOL:
		return s->type == CONFIG_TYPE_BOOL;
	case XY_CONFIG_INT:
		return is_int(s);
	case XY_CONFIG_STRING:
		return s->type == CONFIG_TYPE_STRING && s->value.sval;
	case XY_CONFIG_GROUP:
		return config_setting_is_group(s);
	case XY_CONFIG_GROUPS: // [ ] is libconfig's empty array as well
		return config_setting_is_list(s) || (is_list(s) && config_setting_length(s) == 0);
	case XY_CONFIG_MIXED:
		return is_list(s) || (s->type == CONFIG_TYPE_STRING && s->value.sval);
	case XY_CONFIG_INTS:
	case XY_CONFIG_STRINGS:
		return is_list(s);
	case XY_CONFIG_ANY:
		return true;
	}
	return false;
}

static int check_type(struct xy_config_reader *r, const config_setting_t *s,
		      enum xy_config_type type)
{
	if (type_fits(s, type))
		return 0;
	return xy_config_fail(r, s, NULL, "is %s; write %s", type_names[s->type],
			      wanted_names[type]);
}

static int check_range(struct xy_config_reader *r, const config_setting_t *s,
		       const struct xy_config_key *k)
{
	long long v = config_setting_get_int64(s);
	if ((v >= k->min && v <= k->max) || (v == 0 && k->or_zero))
		return 0;
	return xy_config_fail(r, s, NULL, "%lld is out of range; write %s%lld to %lld", v,
			      k->or_zero ? "0 or " : "", (long long)k->min, (long long)k->max);
}

static int read_int(struct xy_config_reader *r, const config_setting_t *s,
		    const struct xy_config_key *k, void *base)
{
	int ret = check_range(r, s, k);
	if (ret)
		return ret;
	uint64_t v = (uint64_t)config_setting_get_int64(s);
	memcpy((char *)base + k->offset, &v, k->size); // little endian: the low bytes
	return 0;
}

static int read_bool(const config_setting_t *s, const struct xy_config_key *k, void *base)
{
	bool v = config_setting_get_bool(s);
	if (k->size)
		memcpy((char *)base + k->offset, &v, sizeof(v));
	return 0;
}

static int refuse_choice(struct xy_config_reader *r, const config_setting_t *s,
			 const struct xy_config_key *k)
{
	char all[200];
	size_t n = 0;
	for (unsigned i = 0; k->choices[i] && n < sizeof(all); i++)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s\"%s\"", i ? ", " : "",
				      k->choices[i]);
	return xy_config_fail(r, s, NULL, "\"%.40s\" is none of %s; write one of these",
			      s->value.sval, all);
}

static int read_choice(struct xy_config_reader *r, const config_setting_t *s,
		       const struct xy_config_key *k, void *base)
{
	for (unsigned i = 0; k->choices[i]; i++) {
		if (strcmp(s->value.sval, k->choices[i]) == 0) {
			memcpy((char *)base + k->offset, &i, k->size);
			return 0;
		}
	}
	return refuse_choice(r, s, k);
}

static int read_string(struct xy_config_reader *r, const config_setting_t *s,
		       const struct xy_config_key *k, void *base)
{
	const char *v = s->value.sval;
	if (k->choices)
		return read_choice(r, s, k, base);
	if (k->size == 0)
		return 0;
	if (strlen(v) >= k->size)
		return xy_config_fail(r, s, NULL, "%zu characters; write at most %zu", strlen(v),
				      k->size - 1);
	memcpy((char *)base + k->offset, v, strlen(v) + 1);
	return 0;
}

static int check_elements(struct xy_config_reader *r, const config_setting_t *s,
			  const struct xy_config_key *k)
{
	enum xy_config_type type = k->type == XY_CONFIG_INTS ? XY_CONFIG_INT : XY_CONFIG_STRING;
	int ret = 0;
	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
		int one = check_type(r, e, type);
		if (!one && type == XY_CONFIG_INT)
			one = check_range(r, e, k);
		ret = ret ? ret : one;
	}
	return ret;
}

static int read_value(struct xy_config_reader *r, const config_setting_t *s,
		      const struct xy_config_key *k, void *base)
{
	switch (k->type) {
	case XY_CONFIG_BOOL:
		return read_bool(s, k, base);
	case XY_CONFIG_INT:
		return k->size ? read_int(r, s, k, base) : check_range(r, s, k);
	case XY_CONFIG_STRING:
		return read_string(r, s, k, base);
	case XY_CONFIG_INTS:
	case XY_CONFIG_STRINGS:
		return check_elements(r, s, k);
	case XY_CONFIG_GROUP:
		return xy_config_group_read(r, s, k->group, (char *)base + k->offset);
	case XY_CONFIG_GROUPS: // the store function has the array
	case XY_CONFIG_MIXED:
	case XY_CONFIG_ANY:
		return 0;
	}
	return 0;
}

static int read_key(struct xy_config_reader *r, const config_setting_t *s,
		    const struct xy_config_key *k, void *base)
{
	int ret = check_type(r, s, k->type);
	if (!ret)
		ret = read_value(r, s, k, base);
	if (!ret && k->store)
		ret = k->store(r, s, base);
	return ret;
}

static const struct xy_config_key *find_key(const struct xy_config_group *g, const char *name)
{
	for (size_t i = 0; i < g->count; i++)
		if (strcmp(g->keys[i].name, name) == 0)
			return &g->keys[i];
	return NULL;
}

static int check_keys(struct xy_config_reader *r, const config_setting_t *s,
		      const struct xy_config_group *g)
{
	int ret = 0;
	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
		if (!find_key(g, e->name))
			ret = refuse_unknown(r, e, g);
	}
	return ret;
}

// Keys are read in the table's order, so that a store function may rely on what stands before it.
int xy_config_group_read(struct xy_config_reader *r, const config_setting_t *s,
			 const struct xy_config_group *g, void *base)
{
	int strange = check_keys(r, s, g), ret = strange;
	for (size_t i = 0; i < g->count; i++) {
		const struct xy_config_key *k = &g->keys[i];
		const config_setting_t *e = xy_config_member(s, k->name);
		int one = 0;
		if (e)
			one = read_key(r, e, k, base);
		else if (k->required && !strange) // it may be the one that is misspelt
			one = xy_config_fail(r, s, k->name, "missing; add: %s = %s;", k->name,
					     k->sample);
		ret = ret ? ret : one;
	}
	return ret;
}

int xy_config_groups_read(struct xy_config_reader *r, const config_setting_t *s,
			  const struct xy_config_group *g, void *items, size_t item_size)
{
	unsigned count = (unsigned)config_setting_length(s);
	char *all = count ? calloc(count, item_size) : NULL;
	if (count && !all)
		return xy_config_fail(r, s, NULL, "not enough memory for %u entries", count);
	memcpy(items, &all, sizeof(all)); // owned by the caller from here on, even half read
	int ret = 0;
	for (unsigned i = 0; i < count; i++) {
		const config_setting_t *e = config_setting_get_elem(s, i);
		int one = check_type(r, e, XY_CONFIG_GROUP);
		if (!one)
			one = xy_config_group_read(r, e, g, all + i * item_size);
		ret = ret ? ret : one;
	}
	return ret;
}
