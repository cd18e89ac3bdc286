// SPDX-License-Identifier: BSD-3-Clause
// Whose packets were dropped, and what the last one of each was: a worker's own table, by (owner,
// reason), a cache line each. It has a fixed size, and what had a drop within ten minutes gives way
// to nobody, so that a flood erases nobody else's; older ones do to who lost more. What finds no
// place is counted by the reason alone. An owner is an end's incarnation: when it goes its places
// are free, and nobody has to look for them. Its pages come with the first drops. A burst of one
// owner costs one look-up and one line.
#pragma once

#include "worker.h"

struct xy_blames;

struct xy_blames *xy_blames_create(void); // NULL: no address space
void xy_blames_destroy(struct xy_blames *b);
// n packets as m were dropped, m still as it was: the worker's own, or of its walk.
void xy_blame(struct xy_worker *w, enum xy_drop reason, struct rte_mbuf *m, uint64_t n);
enum xy_blame_holds {
	XY_BLAME_OVERLAY,
	XY_BLAME_CAME, // a datagram that came, with its message's header
	XY_BLAME_OURS, // a datagram to be sent: remote is where to
};
enum xy_blame_holds xy_blame_holds(enum xy_drop reason, const struct rte_mbuf *m);
// Whose the drop is; XY_DP_NO_PEER: no end's, or of one that is no more.
uint32_t xy_blame_end(const struct xy_dp *dp, enum xy_drop reason, const struct xy_packet *p);
void xy_blame_burst(struct xy_worker *w, enum xy_drop reason, void **objs, unsigned n);
