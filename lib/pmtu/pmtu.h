// SPDX-License-Identifier: BSD-3-Clause
// The path MTU of a link, found by probing (DPLPMTUD, RFC 8899), as a pure machine on given time:
// probes that are acknowledged say what goes through whole, so that a black hole, of which no ICMP
// error tells, is found and left. Sizes are of whole IP datagrams of the underlay, bytes.
//
// It departs from the RFC in one thing: a link begins with what its route says, as it would without
// being probed, and not with BASE_PLPMTU; else each restart would tell every host of a small path,
// which they keep for ten minutes, for the sake of the few that are. That size is probed first.
//
// A probe counts as lost only if the peer was heard since it was sent: one that is gone, or a link
// that is down, says nothing about sizes. One thread at a time; the caller owns the memory.
#pragma once

#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	XY_PMTU_BASE = 1280, // BASE_PLPMTU: what every IPv6 path carries, and IPv4's but rarely not
	XY_PMTU_MAX_PROBES = 3, // of one size, before it is taken not to pass
	XY_PMTU_GRAIN = 16,	// the search ends when it is this close
};
#define XY_PMTU_PROBE_TIMER XY_SEC // the RFC's least: answers come within 50 ms and a round trip
#define XY_PMTU_RAISE_TIMER (600 * XY_SEC) // RFC 8899 section 5.1.1
#define XY_PMTU_CONFIRM	    (10 * XY_SEC)  // CONFIRMATION_TIMER, on links with traffic
#define XY_PMTU_ERROR_TIMER (60 * XY_SEC)  // between tries when not even BASE_PLPMTU passes
#define XY_PMTU_REFUTED	    (60 * XY_SEC)  // no ICMP error is believed after one was found wrong

enum xy_pmtu_state { // RFC 8899 section 5.2
	XY_PMTU_DISABLED,
	XY_PMTU_BASE_STATE,
	XY_PMTU_SEARCHING,
	XY_PMTU_COMPLETE,
	XY_PMTU_ERROR,
};

// Do datagrams arrive that IP had to cut?
enum xy_pmtu_pieces { XY_PMTU_PIECES_UNKNOWN, XY_PMTU_PIECES_PASS, XY_PMTU_PIECES_LOST };

struct xy_pmtu {
	enum xy_pmtu_state state;
	uint32_t limit; // of the interface and the route; MAX_PLPMTU
	uint32_t floor; // what the link promises, in fragments where it must; 0: nothing
	uint32_t size;	// what goes whole, PLPMTU; 0: nothing is known to
	bool confirmed; // size was, by a probe
	uint32_t hint;	// what ICMP said and was believed; 0: nothing
	enum xy_pmtu_pieces pieces;
	bool pieces_due;    // to be asked, again perhaps
	uint32_t low, high; // SEARCHING: passes (0: nothing yet), does not (limit + 1: not tried)
	uint32_t probe;	    // under way; 0: none
	bool cut;	    // the probe may go in pieces
	unsigned lost;	    // PROBE_COUNT
	unsigned unsure;    // probes that nothing can be said of
	xy_nsec sent, due;
	xy_nsec asked_at; // the last answer, or the last time that it was not needed
	xy_nsec raise_at, believe_at;
};

struct xy_pmtu_seen {	 // what the workers know
	xy_nsec heard;	 // when something authentic of the peer last came
	xy_nsec carried; // when something was last sent that is not the node's own
	xy_nsec rtt;	 // 0: not known
};

struct xy_pmtu_probe {
	uint32_t size;
	bool pieces;	// IP may cut it
	bool companion; // a small question goes along: does the peer answer at all?
};

// Another endpoint: all that was learned is of the old one.
void xy_pmtu_reset(struct xy_pmtu *p, uint32_t limit, uint32_t floor, xy_nsec now);
// The route's size has changed (or not).
void xy_pmtu_limit(struct xy_pmtu *p, uint32_t limit);
// An ICMP error said so (PL_PTB_SIZE); 0: what it said is no longer held. Anybody can forge one: it
// is believed, and asked after at once.
void xy_pmtu_hint(struct xy_pmtu *p, uint32_t size, xy_nsec now);
// The peer is there and acknowledges; it is not any more. What was found is kept.
void xy_pmtu_up(struct xy_pmtu *p, xy_nsec now);
void xy_pmtu_down(struct xy_pmtu *p);
// The last probe of this size was acknowledged.
void xy_pmtu_acked(struct xy_pmtu *p, uint32_t size, xy_nsec now);
// To be called a few times a second. True: a probe is to be sent now.
bool xy_pmtu_run(struct xy_pmtu *p, const struct xy_pmtu_seen *seen, xy_nsec now,
		 struct xy_pmtu_probe *out);
