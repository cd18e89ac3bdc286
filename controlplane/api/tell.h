// SPDX-License-Identifier: BSD-3-Clause
// Fields as JSON: an object's struct, filled in, becomes the object that its list (fields/lists.h)
// says, each field in its form. xy_tell_NAME makes one, xy_tell_NAME_into puts the fields behind
// those of another. JSON in the struct (lists, maps, objects; NULL: null) is taken over, all else
// stays the caller's. Any thread; what comes is the caller's.
#pragma once

#include "fields/fields.h"

#include <jansson.h>

json_t *xy_tell(const struct xy_object *o, const void *values);
void xy_tell_into(json_t *to, const struct xy_object *o, const void *values);

#define O(name, LIST, ids, more)                                                               \
	static inline json_t *xy_tell_##name(const struct xy_fields_##name *v)                 \
	{                                                                                      \
		return xy_tell(xy_object_##name(), v);                                         \
	}                                                                                      \
	static inline void xy_tell_##name##_into(json_t *to, const struct xy_fields_##name *v) \
	{                                                                                      \
		xy_tell_into(to, xy_object_##name(), v);                                       \
	}
XY_OBJECTS(O)
#undef O
