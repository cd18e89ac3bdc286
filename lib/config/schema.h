// SPDX-License-Identifier: BSD-3-Clause
// The config file's keys as tables: the reader, the example and the test of the man page all walk
// these, so none can drift from the others. Constant data, any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_setting_t;
struct xy_config_reader;

enum xy_config_type {
	XY_CONFIG_BOOL,
	XY_CONFIG_INT,
	XY_CONFIG_STRING,
	XY_CONFIG_INTS,	   // [ 1, 2 ]
	XY_CONFIG_STRINGS, // [ "a", "b" ]
	XY_CONFIG_GROUP,   // { key = value; ... }
	XY_CONFIG_GROUPS,  // ( { ... }, { ... } )
	XY_CONFIG_MIXED,   // "word", or ( "a", { ... } )
	XY_CONFIG_ANY,	   // what the store function takes
};

// Is it (does it begin with) a key or secret of our examples, in base64? Everyone knows those, and
// nobody has them.
bool xy_config_is_sample(const char *text);

// Sees a value of the right type and range; base is the struct that the group fills.
typedef int xy_config_store(struct xy_config_reader *r, const struct config_setting_t *s,
			    void *base);

struct xy_config_key {
	const char *name;
	enum xy_config_type type;
	int64_t min, max; // of an integer, and of each one in a list
	bool or_zero;	  // 0 is allowed below min
	bool required;	  // in its group
	bool alternative; // in place of what stands before it, or for other cases: no sample of its
			  // own
	const char *const *choices; // of a string, NULL-terminated; its index is what is stored
	const char *def;	    // the default as a file would say it; NULL: none
	const char *sample;	    // for the example, where there is no default
	const char *help;	    // one sentence
	const struct xy_config_group *group;
	size_t offset, size; // where it goes; size 0: the store function puts it there
	xy_config_store *store;
};

struct xy_config_group {
	const char *name; // as the man page calls it
	const struct xy_config_key *keys;
	size_t count;
};

extern const struct xy_config_group xy_config_schema;
extern const struct xy_config_group xy_config_runtime_schema; // fills a struct xy_config_runtime

// "integer, 1 to 64", "string: adaptive, poll": for people. Returns buf.
const char *xy_config_type_str(const struct xy_config_key *k, char *buf, size_t size);
