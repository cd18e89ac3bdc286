// SPDX-License-Identifier: BSD-3-Clause
// What everybody may see of an answer: without where nodes are in the underlay, and what is said to
// operators alone. By the list of fields, so it holds wherever an object stands. Any thread.
#pragma once

#include "fields/fields.h"

#include <jansson.h>

// Takes out of `value`, an object as `o` has it, what is not for everybody.
void xy_redact(json_t *value, const struct xy_object *o);
bool xy_redact_is_hidden(const struct xy_object *o, const char *key);
