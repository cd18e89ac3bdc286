// SPDX-License-Identifier: BSD-3-Clause
// The table of routes: what each source wants for a prefix. The first source in order of precedence
// is in force in the dataplane, and whoever listens is told. What the dataplane has no room for
// waits, in order, for the next route that goes; a route that yields makes room for one that does
// not. Kept in order of prefix, so that lists come in pages; a change costs log n, whatever the
// size. No part has it: the daemon gives it to each that has routes. Control thread only; the
// routes that it hands out are its own, good until the next change.
#pragma once

#include "dataplane.h"
#include "identity/identity.h"

// By precedence: what the user wrote, our addresses, a leaf's, what else we announce (a leaf may
// have it), what routing learned, and last a node's own /64 by its link alone.
enum xy_route_source {
	XY_ROUTE_STATIC,
	XY_ROUTE_OWN,
	XY_ROUTE_LEAF,
	XY_ROUTE_ANNOUNCED,
	XY_ROUTE_LEARNED,
	XY_ROUTE_PEER,
	XY_ROUTE_SOURCES
};
extern const char *const xy_route_source_text[XY_ROUTE_SOURCES];

// Whose a route is, where somebody vouches for it.
struct xy_rib_origin {
	struct xy_key key;
	uint32_t epoch; // that the key signed it in
	uint16_t metric;
	bool has_key; // else it came from a plain neighbour
};

struct xy_rib_route {
	struct xy_prefix prefix;
	enum xy_route_source source;
	uint32_t mark; // its owner's own, kept as it was given
	bool yields;   // its place is another's that does not yield, where there is no other
	struct xy_dp_route route;
	const struct xy_rib_origin *origin; // NULL: none; copied by xy_rib_set
};

// Outside the mesh, a route whose origin has a key is sealed for that one, unless its next hop is
// the origin itself. Whoever knows links and far nodes tells which.
struct xy_rib_seal_ops {
	void *arg;
	// What the dataplane is told in place of r->route. A far node that it names is held until
	// as many calls of release. -errno: it cannot be sealed, and is refused meanwhile.
	int (*resolve)(void *arg, const struct xy_rib_route *r, struct xy_dp_route *out);
	void (*release)(void *arg, uint32_t far);
};

struct xy_rib_node;

struct xy_rib_list {
	struct xy_rib_node *head, *tail;
};

struct xy_rib {
	struct xy_dp *dp;
	struct xy_rib_node *root;
	uint32_t count; // of all sources
	uint64_t random;
	bool changed; // since the last commit
	uint32_t peers;
	uint32_t *uses;	  // [peers] routes of all sources that name the peer, and holds
	uint32_t *unused; // [peers] whose last use has gone, each once
	uint32_t unused_count;
	bool *is_unused;	       // [peers] it stands there
	struct xy_rib_list yielding;   // in force, and yields; oldest first
	struct xy_rib_list waiting[2]; // for room: what does not yield, what does
	bool lacking;		       // what waits may wait for memory: no route that goes tells
	struct xy_rib_list unsealed;   // in force as a refusal
	struct xy_rib_list news;       // LEARNED, and its room is another than was last said
	uint32_t waiting_count;
	bool clearing;
	// What is in force for a prefix changes from `was`, whose origin is not told any more, to
	// `is`; NULL: nothing. May be NULL.
	void (*tell)(void *arg, const struct xy_rib_route *was, const struct xy_rib_route *is);
	void *arg;
	struct xy_rib_seal_ops seal; // resolve NULL: nothing is sealed
};

int xy_rib_init(struct xy_rib *rib, struct xy_dp *dp, uint32_t peers); // -ENOMEM
void xy_rib_clear(struct xy_rib *rib); // out of the dataplane, too, and committed
void xy_rib_fini(struct xy_rib *rib);  // cleared already

// Adds or changes what r->source wants; what is in force already is not told again. -ENOMEM: what
// is new is not there. Or as xy_dp_route_set: then it stands here, and nothing is in force for the
// prefix. -ENOSPC: until there is room, -ENOMEM: until xy_rib_again finds some.
int xy_rib_set(struct xy_rib *rib, const struct xy_rib_route *r);
void xy_rib_del(struct xy_rib *rib, const struct xy_prefix *p, enum xy_route_source source);
void xy_rib_commit(struct xy_rib *rib); // workers see the changes since the last

// What could not be sealed, and what there was no memory for, is tried again, at most max of it.
bool xy_rib_wants_again(const struct xy_rib *rib);
void xy_rib_again(struct xy_rib *rib, unsigned max);

// Who brings LEARNED routes is to hear which of them found no room, and which found some later:
// gives the next of those changes since the last call, false: none.
bool xy_rib_room_news(struct xy_rib *rib, struct xy_prefix *p, bool *room);

// A peer's number may become another's when nothing here names the peer: no route of any source,
// and no hold of somebody who may still bring one.
void xy_rib_hold(struct xy_rib *rib, uint32_t peer);
void xy_rib_release(struct xy_rib *rib, uint32_t peer);
// The next one that nothing names any more, and something did since this last gave it. False: none.
bool xy_rib_unused(struct xy_rib *rib, uint32_t *peer);

// What one source wants; NULL: nothing.
const struct xy_rib_route *xy_rib_get(const struct xy_rib *rib, const struct xy_prefix *p,
				      enum xy_route_source source);
bool xy_rib_in_force(const struct xy_rib *rib, const struct xy_rib_route *r); // of its table
// What is in force for exactly this prefix, and for the next one behind it (p NULL: the first).
const struct xy_rib_route *xy_rib_best(const struct xy_rib *rib, const struct xy_prefix *p);
const struct xy_rib_route *xy_rib_after(const struct xy_rib *rib, const struct xy_prefix *p);
// What the first source behind this one wants, in force or not (p NULL: the first of all): for
// walks in slices, between which the table may change.
const struct xy_rib_route *xy_rib_next(const struct xy_rib *rib, const struct xy_prefix *p,
				       enum xy_route_source source);
// What is in force for the longest prefix of at most len bits (of IPv4 with the 96 before it) that
// an address is in, as workers find it; NULL: nothing.
const struct xy_rib_route *xy_rib_covering(const struct xy_rib *rib, const struct xy_addr *a,
					   int len);
