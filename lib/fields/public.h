// SPDX-License-Identifier: BSD-3-Clause
// What of the list of fields anybody may know: by the public address of xylem-web, in objects, in
// its events and metrics alike. A reply, an object, a field that does not stand in public.c is not
// public, so a new one is not until somebody writes it there. Any thread; constant.
#pragma once

#include "fields/fields.h"

#include <stdbool.h>

bool xy_reply_is_public(const char *name);
bool xy_field_is_public(const struct xy_object *o, const char *key);
// Is a row of that object one for everybody, where its field has that text? Those of a few are not.
bool xy_row_is_public(const struct xy_object *o, const char *key, const char *text);
// Of the list that stands in that reply; list NULL: the reply itself.
bool xy_list_is_public(const char *reply, const char *list);
