// SPDX-License-Identifier: BSD-3-Clause
// Far nodes: whom we seal to end to end, over relays, by ordinary routes of the overlay; the second
// owner of WireGuard exchanges (exchange/exchange.h). One comes when a packet waits for it
// (XY_DP_MEET), its key from the route in force there, or it seals in a session that is not known
// (XY_DP_LOST); when it begins a handshake itself, whose source must be the hash of its key; or
// when a route outside 200::/7 is sealed for it, which pins it. It goes when nothing was carried
// for two rekey times. No loop, no socket, no clock in it: time comes with each call. Control
// thread only.
#pragma once

#include "base/err.h"
#include "dataplane.h"
#include "identity/identity.h"

struct xy_nodeinfo_lanes;

struct xy_accepts;
struct xy_exchanges;
struct xy_rib;

struct xy_fars_config {
	struct xy_dp *dp;
	struct xy_exchanges *exchanges; // of the same identity; outlives far nodes, as do the next
	const struct xy_rib *rib;	// who owns what
	const struct xy_accepts *accepts; // who may send from what (xy_fars_accepts_changed)
	const struct xy_identity *identity;
	uint32_t first, max;		     // numbers first to first + max - 1; below are links
	uint32_t max_sessions;		     // of all owners
	uint8_t psk[XY_WG_KEY_LEN];	     // the network secret; zeros: none
	unsigned stranger_rate, link_rate;   // handshakes a second; 0 = default
	unsigned stranger_burst, link_burst; // and at once
};

// Of handshakes end to end. Whatever carries one to the port of a link, or a link's to here, finds
// that it does not open.
#define XY_FAR_LABEL "xylem-e2e-v1"

struct xy_fars;

int xy_fars_create(const struct xy_fars_config *cfg, struct xy_fars **out, struct xy_err *err);
// No job may be under way, no route may name one. They are taken out of the dataplane.
void xy_fars_destroy(struct xy_fars *f);

// MEET, LOST, FAR_MTU; PUNT, FIRST, NUDGE and WANT that are theirs: is it one of these?
bool xy_fars_is_theirs(const struct xy_fars *f, const struct xy_dp_event *ev);
void xy_fars_event(struct xy_fars *f, const struct xy_dp_event *ev, xy_nsec now);
// Runs timers that are due, and other work, in at most `max` steps of a node each; call again at
// xy_fars_deadline, which may be now.
void xy_fars_run(struct xy_fars *f, unsigned max, xy_nsec now);
xy_nsec xy_fars_deadline(const struct xy_fars *f);

// The node with this key is there, and keeps its number, until as many calls of _unpin. It may have
// no session until a packet waits. -EINVAL: our own key. -EEXIST: another pinned one has its /64.
// -ENOSPC: all numbers are pinned. -EBUSY: one will be free in a moment.
int xy_fars_pin(struct xy_fars *f, const struct xy_key *key, uint32_t *number, xy_nsec now);
void xy_fars_unpin(struct xy_fars *f, uint32_t number, xy_nsec now);

// The list of who may send from what is another; in slices, by xy_fars_run.
void xy_fars_accepts_changed(struct xy_fars *f);
// Sessions of another network secret end, in slices.
void xy_fars_secret_set(struct xy_fars *f, const uint8_t psk[static XY_WG_KEY_LEN]);

// --- what is going on

enum xy_far_state {
	XY_FAR_MEETING,	  // what a handshake needs is being computed
	XY_FAR_IDLE,	  // no session, and nothing to send
	XY_FAR_HANDSHAKE, // no session; it is being asked for one
	XY_FAR_DOWN,	  // no session, and it did not answer when it was asked last
	XY_FAR_UP,
	XY_FAR_SILENT,	// a session, but no answer
	XY_FAR_REFUSED, // no handshake can be done with its key
	XY_FAR_STATES
};
extern const char *const xy_far_state_text[XY_FAR_STATES];

struct xy_far_session {
	uint32_t index;
	bool initiator;
	const char *use; // "previous", "current", "next"
};

struct xy_far_info {
	uint32_t number;
	struct xy_key key;
	struct xy_addr addr;
	enum xy_far_state state;
	bool provisional; // it asked for a session, and nothing shows yet that it is there
	unsigned pins;
	uint32_t via;  // the link that brought its last handshake message; XY_DP_NO_PEER: none did
	xy_nsec since; // it is there
	xy_nsec session_born, last_handshake; // 0: none
	xy_nsec active;			      // something was carried last, or was to be
	uint32_t mtu;			      // as relays told; 0: they did not
	uint64_t handshakes_sent, handshakes_failed, fallbacks;
	unsigned lanes;	       // that its current session is sent in
	const char *lanes_why; // static text
	struct xy_dp_peer_stats stats;
	unsigned session_count;
	struct xy_far_session session[3];
};

// The node of that address asked for lanes of a session with us, and what it answered us
// (xy_exchange_lanes_asked, _told).
bool xy_fars_lanes_asked(struct xy_fars *f, const struct xy_addr *addr,
			 const struct xy_nodeinfo_lanes *q, struct xy_nodeinfo_lanes *out);
void xy_fars_lanes_told(struct xy_fars *f, const struct xy_addr *addr,
			const struct xy_nodeinfo_lanes *its, xy_nsec now);
// The node of that address, if there is one, told inside a session which cipher suites it has
// (xy_exchange_suites).
void xy_fars_suites(struct xy_fars *f, const struct xy_addr *addr, uint8_t can, uint8_t best,
		    bool asked, xy_nsec now);

// The first in use from this number on, looking at no more than `most` numbers; *number is where it
// ended. False: none there.
bool xy_fars_next(const struct xy_fars *f, uint32_t *number, unsigned most);
bool xy_fars_info(const struct xy_fars *f, uint32_t number, xy_nsec now, struct xy_far_info *out);

struct xy_fars_counts {
	uint32_t count, limit, provisional, pinned;
	uint64_t made, ended; // so far
	uint64_t evicted;     // of these, that made room for others
	uint64_t refused;     // packets' and handshakes' nodes that found no room
	uint64_t unanswered;  // attempts that were given up
	uint64_t keyless;     // packets' nodes whose key no route has
};
void xy_fars_counts(const struct xy_fars *f, struct xy_fars_counts *out);
// The last /64 that was lacking a key within a minute. False: none.
bool xy_fars_keyless(const struct xy_fars *f, xy_nsec now, struct xy_prefix *net);
