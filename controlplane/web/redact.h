// SPDX-License-Identifier: BSD-3-Clause
// What the public address shows of an answer: what stands in fields/public.h, wherever an object
// stands, and nothing else. Any thread.
#pragma once

#include "fields/fields.h"

#include <jansson.h>

// Takes out of `value`, an object as `o` has it, all that is not for everybody.
void xy_redact(json_t *value, const struct xy_object *o);
// The same of a tick of the events, which has more than objects of lib/fields in it.
void xy_redact_tick(json_t *tick);
