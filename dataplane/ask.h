// SPDX-License-Identifier: BSD-3-Clause
// Packets that wait for a route (XY_DP_ROUTE_ASK), or for a session with a far node: per worker and
// /64, bounded. A scan of the mesh fills this, and nothing else. One worker's own.
#pragma once

#include "dp.h"

struct xy_ask;

struct xy_ask *xy_ask_create(struct xy_dp *dp);
void xy_ask_destroy(struct xy_ask *a); // frees what waits

// Keeps a packet and tells the control thread (by `how`: XY_DP_ASK, XY_DP_MEET) which /64 it wants
// to go to, at most once a second per /64; what had to give way comes back (to be dropped as
// hold_full), or NULL.
struct rte_mbuf *xy_ask_put(struct xy_worker *w, struct rte_mbuf *m, enum xy_dp_event_type how,
			    uint64_t net);
uint32_t xy_ask_count(const struct xy_ask *a);

// When routes were committed, a session came, or time is up: takes out packets that may try again
// (drop 0) or waited too long (drop 1). Up to n; call again while it fills n.
unsigned xy_ask_take_rcu(struct xy_ask *a, struct rte_mbuf **out, uint8_t *drop, unsigned n,
			 xy_nsec now);
bool xy_ask_due(const struct xy_ask *a, xy_nsec now);
