// SPDX-License-Identifier: BSD-3-Clause
#include "fields/fields.h"
#include "base/bytes.h"

#include <string.h>

#define X(k, f, d, c, h)      \
	{.key = #k,           \
	 .form = XY_FORM_##f, \
	 .kind = XY_KIND_##d, \
	 .column = (c) % 100, \
	 .wide = (c) >= 100,  \
	 .help = (h),         \
	 .at = offsetof(self, k)},
#define L(k, f, object, c, h)     \
	{.key = #k,               \
	 .form = XY_FORM_##f,     \
	 .kind = XY_KIND_NONE,    \
	 .column = (c) % 100,     \
	 .wide = (c) >= 100,      \
	 .help = (h),             \
	 .at = offsetof(self, k), \
	 .of = xy_object_##object},
#define O(n, LIST, i, follows)                                                          \
	const struct xy_object *xy_object_##n(void)                                     \
	{                                                                               \
		typedef struct xy_fields_##n self;                                      \
		static const struct xy_field fields[] = {XY_FIELDS_##LIST(X, L)};       \
		static const struct xy_object object = {.name = #n,                     \
							.ids = (i),                     \
							.count = XY_ARRAY_SIZE(fields), \
							.fields = fields,               \
							.more = (follows)};             \
		return &object;                                                         \
	}
XY_OBJECTS(O)
#undef X
#undef L
#undef O

const struct xy_field *xy_object_column(const struct xy_object *o, unsigned column)
{
	for (; o; o = o->more ? o->more() : NULL)
		for (unsigned i = 0; i < o->count; i++)
			if (o->fields[i].column == column)
				return &o->fields[i];
	return NULL;
}

const char *xy_form_unit(enum xy_form form)
{
	static const char *const text[XY_FORM_COUNT_OF] = {
#define F(name, type, unit, word) [XY_FORM_##name] = unit,
		XY_FORMS(F)
#undef F
			[XY_FORM_LIST] = "",
		[XY_FORM_OBJECT] = "",
	};
	return text[form];
}

const char *xy_form_word(enum xy_form form)
{
	static const char *const text[XY_FORM_COUNT_OF] = {
#define F(name, type, unit, word) [XY_FORM_##name] = word,
		XY_FORMS(F)
#undef F
			[XY_FORM_LIST] = "list",
		[XY_FORM_OBJECT] = "object",
	};
	return text[form];
}

const char *xy_field_kind_word(enum xy_field_kind kind)
{
	static const char *const text[] = {[XY_KIND_LABEL] = "label",
					   [XY_KIND_INFO] = "info",
					   [XY_KIND_GAUGE] = "gauge",
					   [XY_KIND_COUNTER] = "counter",
					   [XY_KIND_NONE] = ""};
	return text[kind];
}

#define R(n, o, p, a, h)          \
	{.name = #n,              \
	 .command = "/xylem/" #n, \
	 .params = (p),           \
	 .about = (a),            \
	 .help = (h),             \
	 .object = xy_object_##o},
static const struct xy_reply replies[] = {XY_REPLIES(R)};
static const struct xy_reply agent_replies[] = {XY_AGENT_REPLIES(R)};
#undef R

static const struct xy_reply *find(const struct xy_reply *v, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(v[i].name, name) == 0)
			return &v[i];
	return NULL;
}

const struct xy_reply *xy_reply_at(unsigned i)
{
	return i < XY_ARRAY_SIZE(replies) ? &replies[i] : NULL;
}

const struct xy_reply *xy_reply_find(const char *name)
{
	return find(replies, XY_ARRAY_SIZE(replies), name);
}

const struct xy_reply *xy_agent_reply_at(unsigned i)
{
	return i < XY_ARRAY_SIZE(agent_replies) ? &agent_replies[i] : NULL;
}

const struct xy_reply *xy_agent_reply_find(const char *name)
{
	return find(agent_replies, XY_ARRAY_SIZE(agent_replies), name);
}
