// SPDX-License-Identifier: BSD-3-Clause
// Packets that wait for a session of the link that they are to go by: per worker and link, bounded,
// the oldest dropped first; where all of them are too many, those of the links with the most. What
// waits for a far node's session waits in ask.h. One worker's own.
#pragma once

#include "end.h"

struct xy_hold;

struct xy_hold *xy_hold_create(struct xy_dp *dp, const struct rte_mempool *pool); // a worker's
void xy_hold_destroy(struct xy_hold *h); // frees what is held

// Keeps m for its `next` end; what had to give way comes back (to be dropped as hold_full), or
// NULL. *want: the control thread should hear of it (at most once a second per end).
struct rte_mbuf *xy_hold_put(struct xy_hold *h, struct rte_mbuf *m, xy_nsec now, bool *want);
uint32_t xy_hold_count(const struct xy_hold *h);

// When the control thread changed something (dp->session_epoch): takes out packets that can go now
// or must be dropped. Up to n; call again while it fills n.
enum xy_hold_what {
	XY_HOLD_GO,
	XY_HOLD_STALE, // no session came in time
	XY_HOLD_GONE,  // whom they are for is no more; another may have the number
};
unsigned xy_hold_take_rcu(struct xy_hold *h, struct rte_mbuf **out, uint8_t *what, unsigned n,
			  xy_nsec now);
bool xy_hold_due(const struct xy_hold *h);
