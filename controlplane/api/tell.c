// SPDX-License-Identifier: BSD-3-Clause
#include "api/tell.h"

#include "base/ip.h"
#include "identity/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static json_t *whole(int64_t n)
{
	return n == XY_FIELD_NULL ? json_null() : json_integer(n);
}

static json_t *hex(uint64_t n, unsigned bits)
{
	char text[20];
	snprintf(text, sizeof(text), "%0*" PRIx64, (int)bits / 4, n);
	return json_string(text);
}

// What is no UTF-8 cannot be told.
static json_t *text_or_null(const char *text)
{
	json_t *t = text ? json_string(text) : NULL;
	return t ? t : json_null();
}

static json_t *hex_or_null(uint64_t n, int bits)
{
	return n == XY_FIELD_NO_HEX ? json_null() : hex(n, bits);
}

static json_t *address(const struct xy_addr *a)
{
	char text[XY_ADDR_STRLEN];
	return a ? json_string(xy_addr_str(a, text)) : json_null();
}

static json_t *prefix(const struct xy_prefix *p)
{
	char text[XY_PREFIX_STRLEN];
	return p ? json_string(xy_prefix_str(p, text)) : json_null();
}

static json_t *key(const struct xy_key *k)
{
	char text[XY_KEY_STRLEN];
	return k ? json_string(xy_key_str(k, text)) : json_null();
}

// What the field holds, as the type of its form.
#define AT(type) (*(const type *)at)

static json_t *value_of(enum xy_form form, const void *at)
{
	switch (form) {
	case XY_FORM_TEXT:
	case XY_FORM_STATE:
	case XY_FORM_LEVEL:
	case XY_FORM_TIME:
		return text_or_null(AT(xy_form_TEXT));
	case XY_FORM_NUMBER:
	case XY_FORM_COUNT:
	case XY_FORM_TRAFFIC:
	case XY_FORM_BYTES:
	case XY_FORM_SPAN:
	case XY_FORM_AGO:
	case XY_FORM_MILLI:
	case XY_FORM_MICRO:
	case XY_FORM_RTT:
	case XY_FORM_HERTZ:
	case XY_FORM_ZERO:
		return whole(AT(xy_form_NUMBER));
	case XY_FORM_SHARE:
	case XY_FORM_DECIMAL:
		return json_real(AT(xy_form_DECIMAL));
	case XY_FORM_YES_NO:
	case XY_FORM_NOTE:
		return json_boolean(AT(xy_form_NOTE));
	case XY_FORM_HEX16:
		return hex_or_null(AT(xy_form_HEX16), 16);
	case XY_FORM_HEX32:
		return hex_or_null(AT(xy_form_HEX32), 32);
	case XY_FORM_HEX64:
		return hex(AT(xy_form_HEX64), 64);
	case XY_FORM_ADDRESS:
		return address(AT(xy_form_ADDRESS));
	case XY_FORM_PREFIX:
		return prefix(AT(xy_form_PREFIX));
	case XY_FORM_KEY:
	case XY_FORM_SHORT_KEY:
		return key(AT(xy_form_KEY));
	case XY_FORM_TEXTS:
	case XY_FORM_JOIN:
	case XY_FORM_MAP:
	case XY_FORM_LIST:
	case XY_FORM_OBJECT:
		return AT(xy_form_MAP) ? AT(xy_form_MAP) : json_null();
	case XY_FORM_COUNT_OF:
		break;
	}
	return NULL;
}

void xy_tell_into(json_t *to, const struct xy_object *o, const void *values)
{
	for (unsigned i = 0; i < o->count; i++) {
		const struct xy_field *f = &o->fields[i];
		json_object_set_new(to, f->key, value_of(f->form, (const char *)values + f->at));
	}
}

json_t *xy_tell(const struct xy_object *o, const void *values)
{
	json_t *all = json_object();
	xy_tell_into(all, o, values);
	return all;
}
