// SPDX-License-Identifier: BSD-3-Clause
// A peer's three key slots (paper, section 6.2 and 6.6), over session indices alone: which session
// is sent in, which are still received in, and which must go. Control thread; values, nothing is
// owned: a call reports the indices that it let go of, and the caller deletes these sessions.
//
//   initiator, response consumed:  current -> previous, new -> current     (previous goes)
//   responder, keys derived:       new -> next                             (the old next goes)
//   first packet in next:          current -> previous, next -> current    (previous goes)
//
// When both sides initiate at once, both answer, and each gets its response with the other's keys
// waiting in next. The peer sends in those, so they must not go; nor may the old current, in which
// packets are still under way. So next stays where it is, but is overtaken: its first packet makes
// it previous and leaves current alone. Each side then sends in the session that it began, and
// receives in both. From there, too, the session that goes first is the one that the peer does not
// send in: current. (Linux's WireGuard drops the peer's instead, and what is under way in it.)
#pragma once

#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

enum xy_keypair_slot {
	XY_KEYPAIR_PREVIOUS, // received in until it is too old
	XY_KEYPAIR_CURRENT,  // sent in and received in
	XY_KEYPAIR_NEXT,     // we are the responder, and the initiator has not used it yet
	XY_KEYPAIR_SLOTS,
};

struct xy_keypair {
	uint32_t index; // our receiver index of the session
	bool live;	// the slot is taken
	bool initiator; // we began it
	bool overtaken; // in next: a newer session became current
	bool unheard;	// in current: the peer sends in previous
	xy_nsec born;	// when its keys were derived
};

struct xy_keypairs {
	struct xy_keypair slot[XY_KEYPAIR_SLOTS]; // all zero: none
};

// Sessions that a call let go of.
struct xy_keypair_drops {
	unsigned n;
	uint32_t index[XY_KEYPAIR_SLOTS];
};

// The response was consumed: the session `index` is current now.
void xy_keypairs_initiated(struct xy_keypairs *k, uint32_t index, xy_nsec now,
			   struct xy_keypair_drops *drops);
// The response was made: the session `index` waits in next.
void xy_keypairs_responded(struct xy_keypairs *k, uint32_t index, xy_nsec now,
			   struct xy_keypair_drops *drops);
// The first authenticated packet came in session `index`. True when it became current (tell the
// timers, let held packets go); false when nothing is to be sent in it.
bool xy_keypairs_received(struct xy_keypairs *k, uint32_t index, struct xy_keypair_drops *drops);
// Lets go of every session whose keys are `age` old (REJECT_AFTER_TIME).
void xy_keypairs_expire(struct xy_keypairs *k, xy_nsec now, xy_nsec age,
			struct xy_keypair_drops *drops);
// Lets go of all.
void xy_keypairs_clear(struct xy_keypairs *k, struct xy_keypair_drops *drops);

// The slot that holds the session, or XY_KEYPAIR_SLOTS.
enum xy_keypair_slot xy_keypairs_find(const struct xy_keypairs *k, uint32_t index);
// The session to send in, or NULL. Its age is the caller's to check.
const struct xy_keypair *xy_keypairs_current(const struct xy_keypairs *k);
