// SPDX-License-Identifier: BSD-3-Clause
// The list of fields (lists.h) as it is walked: by the maker of JSON, the tables of the command
// line, the docs, metrics. Each object also is a struct, xy_fields_NAME, which its maker fills in.
// Any thread; nothing is owned, all is constant.
#pragma once

#include "fields/form.h"
#include "fields/lists.h"

#include <stddef.h>

struct xy_object;

struct xy_field {
	const char *key;
	enum xy_form form;
	enum xy_field_kind kind;
	unsigned column; // in a table, from 1; 0: none
	bool wide;	 // only in tables that may be wider than 80 columns
	const char *help;
	size_t at;			     // in the object's struct
	const struct xy_object *(*of)(void); // LIST, OBJECT: of what
};

struct xy_object {
	const char *name;
	unsigned ids; // so many columns name a row
	unsigned count;
	const struct xy_field *fields;	       // in the order of JSON
	const struct xy_object *(*more)(void); // what may follow in the same JSON; NULL: nothing
};

#define X(key, form, kind, column, help)   xy_form_##form key;
#define L(key, form, object, column, help) struct json_t *key;
#define O(name, LIST, ids, more)       \
	struct xy_fields_##name {      \
		XY_FIELDS_##LIST(X, L) \
	};                             \
	const struct xy_object *xy_object_##name(void);
XY_OBJECTS(O)
#undef X
#undef L
#undef O

// The key of an object's field, for those who look for one alone: it must be in the list.
#define XY_KEY(object, key) ((void)offsetof(struct xy_fields_##object, key), #key)

// The field in that column of the object's table, NULL behind the last.
const struct xy_field *xy_object_column(const struct xy_object *o, unsigned column);
const char *xy_form_unit(enum xy_form form); // "": none
const char *xy_form_word(enum xy_form form); // for docs
const char *xy_field_kind_word(enum xy_field_kind kind);

// What can be asked for: /xylem/NAME.
struct xy_reply {
	const char *name, *command;
	const char *params, *about, *help; // as in lists.h
	const struct xy_object *(*object)(void);
};
const struct xy_reply *xy_reply_at(unsigned i); // NULL behind the last
const struct xy_reply *xy_reply_find(const char *name);
// Of xylem-fleet's socket, likewise.
const struct xy_reply *xy_agent_reply_at(unsigned i);
const struct xy_reply *xy_agent_reply_find(const char *name);
