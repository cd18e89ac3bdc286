// SPDX-License-Identifier: BSD-3-Clause
#include "web/redact.h"

#include "base/bytes.h"

#include <string.h>

// Each a field of that object. What has a new one here is seen by everybody until it stands here:
// web_test.c holds all that is, so that nobody adds one in passing.
static const struct {
	const struct xy_object *(*object)(void);
	const char *key;
	size_t at; // so that it must be one
} hidden[] = {
#define HIDE(object, field) \
	{xy_object_##object, #field, offsetof(struct xy_fields_##object, field)},
	HIDE(node, pid) HIDE(node, interface) HIDE(node, state_folder) HIDE(node, warnings) HIDE(
		node, waiting_for) HIDE(node, discovery) HIDE(node, joining) HIDE(node, policy)
		HIDE(node, exit) HIDE(node, sandbox) HIDE(node, confined) HIDE(node, refused_calls)
			HIDE(node, refused_packets) HIDE(peer, endpoint) HIDE(peer, endpoints)
				HIDE(peer, unresolved) HIDE(peer, trouble) HIDE(peer, allowed)
					HIDE(peer, path_limit) HIDE(neighbour, address)
						HIDE(neighbour, trouble) HIDE(session, index)
							HIDE(session, address) HIDE(drops, kernel)
#undef HIDE
};

bool xy_redact_is_hidden(const struct xy_object *o, const char *key)
{
	for (unsigned i = 0; i < XY_ARRAY_SIZE(hidden); i++)
		if (hidden[i].object() == o && strcmp(hidden[i].key, key) == 0)
			return true;
	return false;
}

static void redact_all(json_t *value, const struct xy_object *o)
{
	size_t i;
	json_t *one;
	json_array_foreach(value, i, one)
	{
		xy_redact(one, o);
	}
	if (json_is_object(value))
		xy_redact(value, o);
}

void xy_redact(json_t *value, const struct xy_object *o)
{
	for (const struct xy_object *part = o; part; part = part->more ? part->more() : NULL)
		for (unsigned i = 0; i < part->count; i++) {
			const struct xy_field *f = &part->fields[i];
			json_t *inside = json_object_get(value, f->key);
			if (xy_redact_is_hidden(part, f->key))
				json_object_del(value, f->key);
			else if (inside && f->of)
				redact_all(inside, f->of());
		}
}
