// SPDX-License-Identifier: BSD-3-Clause
#include "offenders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 8, LOOKS = 16 };

#define OLD (600 * XY_SEC) // without a drop since

int xy_offenders_init(struct xy_offenders *o)
{
	return xy_map_init(&o->place);
}

void xy_offenders_fini(struct xy_offenders *o)
{
	xy_map_fini(&o->place);
	for (unsigned i = 0; i < XY_OFFENDERS_REASONS; i++)
		free(o->reason[i].of);
}

static uint64_t key_of(uint32_t of, unsigned reason)
{
	return (uint64_t)of << 8 | reason;
}

// What is at that place, of which the map knows nothing any more.
static void remove_at(struct xy_offenders *o, unsigned reason, uint32_t at)
{
	struct xy_offenders_reason *r = &o->reason[reason];
	if (at == --r->count)
		return;
	r->of[at] = r->of[r->count];
	xy_map_set(&o->place, key_of(r->of[at].of, reason), at); // it is there: no memory
}

static bool has_room(struct xy_offenders_reason *r)
{
	uint32_t room = r->room ? 2 * r->room : FIRST_ROOM;
	if (r->count < r->room)
		return true;
	struct xy_dp_blame *v = room <= XY_OFFENDERS ? realloc(r->of, room * sizeof(*v)) : NULL;
	if (!v)
		return false;
	r->of = v;
	r->room = room;
	return true;
}

// One that has been quiet for long, as an empty one for another; a few are looked at.
static struct xy_dp_blame *yielded(struct xy_offenders *o, unsigned reason, uint32_t of,
				   xy_nsec now)
{
	struct xy_offenders_reason *r = &o->reason[reason];
	for (unsigned i = 0; i < LOOKS && r->count == XY_OFFENDERS; i++) {
		uint32_t at = r->hand++ % r->count;
		struct xy_dp_blame *b = &r->of[at];
		if (now < b->at || now - b->at < OLD)
			continue;
		xy_map_del(&o->place, key_of(b->of, reason));
		*b = (struct xy_dp_blame){.of = of};
		if (xy_map_set(&o->place, key_of(of, reason), at) == 0)
			return b;
		remove_at(o, reason, at);
	}
	return NULL;
}

// Its record, a new one, or NULL: there is no room.
static struct xy_dp_blame *find(struct xy_offenders *o, unsigned reason, uint32_t of, xy_nsec now)
{
	struct xy_offenders_reason *r = &o->reason[reason];
	uint32_t at;
	if (of == XY_DP_OF_STRANGER)
		return &r->strangers;
	if (xy_map_get(&o->place, key_of(of, reason), &at))
		return &r->of[at];
	if (!has_room(r))
		return yielded(o, reason, of, now);
	if (xy_map_set(&o->place, key_of(of, reason), r->count))
		return NULL;
	r->of[r->count] = (struct xy_dp_blame){0};
	return &r->of[r->count++];
}

void xy_offenders_add(struct xy_offenders *o, unsigned reason, const struct xy_offence *x)
{
	o->reason[reason].packets++;
	struct xy_dp_blame *to = find(o, reason, x->of, x->when);
	if (!to) {
		o->reason[reason].no_room++;
		return;
	}
	*to = (struct xy_dp_blame){
		.of = x->of, .packets = to->packets + 1, .at = x->when, .datagram = !x->inside};
	if (x->at && x->unsent) {
		to->dst = x->at->addr;
	} else if (x->at) {
		to->src = x->at->addr;
		to->src_port = x->at->port;
	}
}

void xy_offenders_forget(struct xy_offenders *o, uint32_t of)
{
	uint32_t at;
	for (unsigned i = 0; o->place.count && i < XY_OFFENDERS_REASONS; i++) {
		if (!xy_map_get(&o->place, key_of(of, i), &at))
			continue;
		xy_map_del(&o->place, key_of(of, i));
		remove_at(o, i, at);
	}
}

uint64_t xy_offenders_packets(const struct xy_offenders *o, unsigned reason)
{
	return o->reason[reason].packets;
}

uint64_t xy_offenders_no_room(const struct xy_offenders *o, unsigned reason)
{
	return o->reason[reason].no_room;
}

int xy_offenders_list(const struct xy_offenders *o, unsigned reason, struct xy_dp_blame **out,
		      unsigned *count)
{
	const struct xy_offenders_reason *r = &o->reason[reason];
	struct xy_dp_blame *v = calloc((size_t)r->count + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	if (r->count)
		memcpy(v, r->of, r->count * sizeof(*v));
	*count = r->count;
	if (r->strangers.packets)
		v[(*count)++] = r->strangers;
	*out = v;
	return 0;
}
