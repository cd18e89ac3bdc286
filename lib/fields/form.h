// SPDX-License-Identifier: BSD-3-Clause
// In which forms a field comes. One list says for each what C holds it in, its unit, and what docs
// call it. Any thread; nothing is owned.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct json_t;
struct xy_addr;
struct xy_prefix;
struct xy_key;

// F(NAME, C type, unit, word). A whole number may be XY_FIELD_NULL, a pointer NULL: it is null
// then.
#define XY_FORMS(F)                                                                        \
	F(TEXT, const char *, "", "text")                                                  \
	F(STATE, const char *, "", "text")     /* tables: in a colour */                   \
	F(LEVEL, const char *, "", "text")     /* likewise */                              \
	F(TIME, const char *, "", "time")      /* of RFC 3339; tables: to the second */    \
	F(NUMBER, int64_t, "", "number")       /* as it is */                              \
	F(COUNT, int64_t, "", "number")	       /* tables: per second when repeated */      \
	F(TRAFFIC, int64_t, "bytes", "number") /* tables: bits per second when repeated */ \
	F(BYTES, int64_t, "bytes", "number")                                               \
	F(SPAN, int64_t, "s", "number")                                                    \
	F(AGO, int64_t, "s", "number") /* null in tables: never */                         \
	F(MILLI, int64_t, "ms", "number")                                                  \
	F(MICRO, int64_t, "us", "number")                                                  \
	F(RTT, int64_t, "us", "number") /* tables: in ms */                                \
	F(HERTZ, int64_t, "Hz", "number")                                                  \
	F(ZERO, int64_t, "", "number") /* another one asks to be looked at */              \
	F(SHARE, double, "0 to 1", "number")                                               \
	F(DECIMAL, double, "", "number")                                                   \
	F(YES_NO, bool, "", "true or false") /* false asks to be looked at */              \
	F(NOTE, bool, "", "true or false")                                                 \
	F(HEX16, uint64_t, "", "text") /* so many bits in hex */                           \
	F(HEX32, uint64_t, "", "text")                                                     \
	F(HEX64, uint64_t, "", "text")                                                     \
	F(ADDRESS, const struct xy_addr *, "", "address")                                  \
	F(PREFIX, const struct xy_prefix *, "", "prefix")                                  \
	F(KEY, const struct xy_key *, "", "key")                                           \
	F(SHORT_KEY, const struct xy_key *, "", "key") /* tables: its beginning */         \
	F(TEXTS, struct json_t *, "", "list of texts") /* tables: a line each */           \
	F(JOIN, struct json_t *, "", "list of texts")  /* tables: in one cell */           \
	F(MAP, struct json_t *, "", "number by name")  /* names that have a list elsewhere */

#define XY_FIELD_NULL	INT64_MIN
#define XY_FIELD_NO_HEX UINT64_MAX // null, of HEX16 and HEX32

enum xy_form {
#define F(name, type, unit, word) XY_FORM_##name,
	XY_FORMS(F)
#undef F
		XY_FORM_LIST, // of objects
	XY_FORM_OBJECT,	      // one, or null
	XY_FORM_COUNT_OF
};

#define F(name, type, unit, word) typedef type xy_form_##name;
XY_FORMS(F)
#undef F

enum xy_field_kind {
	XY_KIND_LABEL,	 // names the thing
	XY_KIND_INFO,	 // a word, a setting
	XY_KIND_GAUGE,	 // goes up and down
	XY_KIND_COUNTER, // goes up, and begins at 0 with the thing
	XY_KIND_NONE,	 // lists and what leads on
};
