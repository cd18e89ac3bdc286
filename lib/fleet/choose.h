// SPDX-License-Identifier: BSD-3-Clause
// Which nodes of a fleet to link to: not all, but so many that the union of what all choose is
// connected and a few hops wide, whatever round trips say. Pure; time is given; any thread.
//
//   pinned   those that the operator named
//   ring     the neighbours on both sides in the order of keys' hashes (who does not answer is
//            passed over, up to four): by this alone all are connected
//   finger   one far place of that order for each node, by its key's hash, in both directions: by
//            this it is a few hops wide
//   relay    the two nearest relays; of a relay those on both sides in the order of relays
//   near     the k nearest by round trip; a newcomer takes a place when it is 25 % and 1 ms better
//   trial    two at a time whose round trip is not known, for so long until it is, or not
//   full     all, where that is wanted
//
// Ring and fingers follow from keys alone, so both ends choose each other, unless more than
// XY_FLEET_FINGERS_HERE lead to one: for those, as for near, relay and
// trial the other end lets us in (fleet_admit), up to as many as it wants: who is refused there, or
// not answered, says `down`, and the next nearest is chosen.
#pragma once

#include "identity/identity.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	XY_FLEET_NEAR = 4,
	XY_FLEET_NEAR_MOST = 64,
	XY_FLEET_RELAYS_NEAR = 2,
	XY_FLEET_TRIALS = 2,
	XY_FLEET_RING_PASS = 4,	    // that do not answer
	XY_FLEET_FINGERS_HERE = 16, // that lead to us: about one does, but keys cost nothing
	XY_FLEET_TRIAL_TIME = 20,   // seconds; then it is the next one's turn
	XY_FLEET_TRIAL_EVERY = 900, // seconds until one that did not answer is tried again
	XY_FLEET_SAMPLE = 64,	    // known round trips; then one trial at a time,
	XY_FLEET_TRIAL_REST = 300,  // seconds after the one before
};

// Why a link to the node is wanted. X(NAME, name, text)
#define XY_FLEET_WHYS(X)                                      \
	X(NOT, not, "no link is wanted")                      \
	X(PINNED, pinned, "named by the operator")            \
	X(RING, ring, "beside us in the order of keys")       \
	X(FINGER, finger, "far from us in the order of keys") \
	X(RELAY, relay, "one of the nearest relays")          \
	X(NEAR, near, "one of the nearest nodes")             \
	X(TRIAL, trial, "tried, to see how far it is")        \
	X(FULL, full, "links to all nodes are wanted")
enum xy_fleet_why {
#define X(NAME, name, text) XY_FLEET_WHY_##NAME,
	XY_FLEET_WHYS(X)
#undef X
		XY_FLEET_WHY_COUNT
};
extern const char *const xy_fleet_why_names[], *const xy_fleet_why_texts[]; // NULL ends the names

struct xy_fleet_node {
	struct xy_key key;     // Ed25519, of its record
	uint64_t ring, finger; // xy_fleet_ring, _finger of it, kept by the caller; 0: made here
	bool relay, pinned;
	bool linked;	       // a link to it is up
	bool down;	       // it was asked for a link and does not answer, or not any more
	enum xy_fleet_why was; // of the choice before
	uint32_t rtt_us;       // 0: not known
	uint64_t since;	       // seconds: when `was` came to be; tried (TRIAL)
	uint64_t tried;	       // seconds: the last time that a trial began; 0: never
};

struct xy_fleet_choice {
	struct xy_key self;
	bool self_relay;
	bool full;
	unsigned near; // k; 0: none
	uint64_t now;  // seconds, of any clock that goes on
	uint64_t seed; // random, kept while the process runs: which ones are tried
};

// Decides for each node: out[i] is why a link to node[i] is wanted. The order of nodes does not
// matter; the time is proportional to their number.
void xy_fleet_choose(const struct xy_fleet_choice *c, const struct xy_fleet_node *node,
		     unsigned count, enum xy_fleet_why *out);
// Its place in the order of keys.
uint64_t xy_fleet_ring(const struct xy_key *key);
// Where its far link leads: to the first at or behind that place.
uint64_t xy_fleet_finger(const struct xy_key *key);
