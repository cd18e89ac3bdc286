// SPDX-License-Identifier: BSD-3-Clause
#include "used.h"

#include "dp.h"
#include "event.h"
#include "pages.h"
#include "table/exact_hash.h"

enum { WAYS = 4, SETS = 1024 };

#define INTERVAL (60 * XY_SEC) // between two tellings of one /64
#define GIVE_WAY (10 * XY_SEC) // and at least this long before another takes its place

struct way {
	uint64_t net; // 0: free
	xy_nsec told;
};

struct xy_used {
	struct way set[SETS][WAYS];
};

struct xy_used *xy_used_create(void)
{
	return xy_pages_reserve(sizeof(struct xy_used));
}

void xy_used_destroy(struct xy_used *u)
{
	xy_pages_release(u, sizeof(*u));
}

// The /64's own place, or that of the one told longest ago.
static struct way *place(struct way set[static WAYS], uint64_t net)
{
	struct way *oldest = set;
	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].net == net)
			return &set[i];
		if (set[i].told < oldest->told)
			oldest = &set[i];
	}
	return oldest;
}

// Where more /64s are in use than there is room for, some are told more often than each minute, but
// never more than SETS * WAYS in GIVE_WAY.
void xy_used_note(struct xy_worker *w, uint64_t net)
{
	uint64_t hash = xy_exact_fold(net ^ w->dp->flow_key[0], w->dp->flow_key[1]);
	struct way *way = place(w->used->set[hash % SETS], net);
	xy_nsec pause = way->net == net ? INTERVAL : GIVE_WAY;
	if (way->net && w->now - way->told < pause)
		return;
	if (xy_event_net(w, XY_DP_USED, net, 0))
		*way = (struct way){.net = net, .told = w->now};
}
