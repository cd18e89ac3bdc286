// SPDX-License-Identifier: BSD-3-Clause
#include "web/devices.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

// Each is compared whole, so that nothing is learned from how long it takes.
struct xy_device *xy_devices_find(struct xy_devices *d, const char *id)
{
	char whole[sizeof(d->v[0].id)] = "";
	struct xy_device *found = NULL;
	if (!*id || strlen(id) >= sizeof(whole))
		return NULL;
	memcpy(whole, id, strlen(id));
	for (unsigned i = 0; i < XY_DEVICES; i++)
		if (sodium_memcmp(d->v[i].id, whole, sizeof(whole)) == 0)
			found = &d->v[i];
	return found;
}

struct xy_device *xy_devices_make(struct xy_devices *d, const char *id, uint64_t now)
{
	struct xy_device *best = NULL;
	for (unsigned i = 0; i < XY_DEVICES; i++) {
		struct xy_device *one = &d->v[i];
		if (!one->trying && (!best || one->used < best->used))
			best = one;
	}
	if (!best)
		return NULL;
	*best = (struct xy_device){.used = now};
	memcpy(best->id, id, strnlen(id, sizeof(best->id) - 1));
	return best;
}

bool xy_devices_wrong(struct xy_device *one)
{
	if (++one->wrong < XY_DEVICES_TRIES)
		return true;
	memset(one->id, 0, sizeof(one->id));
	one->used = 0;
	return false;
}
