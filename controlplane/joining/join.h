// SPDX-License-Identifier: BSD-3-Clause
// How nodes that do not know each other's key meet. Peers that stand in the config without a key
// are asked for it where they are said to be (a probe), and the key that answers first is pinned in
// the state folder. Strangers' probes are answered where peering is open. Beacons on a LAN start
// handshakes. No loop, no socket, no clock in it; signatures are a helper's. Control thread only.
#pragma once

#include "env.h"
#include "links/links.h"
#include "peers/book.h"
#include "state/state.h"

#define XY_JOIN_DROPS(X)                                                                          \
	X(JOIN_BAD, join_bad, "probe, reply or beacon that is malformed or wrongly signed")       \
	X(JOIN_CLOSED, join_closed, "probe of a stranger that peering is not open to")            \
	X(JOIN_LIMITED, join_limited, "probes above 10 a second of a source, or 1,000 in all")    \
	X(JOIN_UNASKED, join_unasked, "reply to nothing that we asked, or from elsewhere")        \
	X(JOIN_BUSY, join_busy, "probe, reply or beacon dropped: helper queue full")              \
	X(JOIN_UNSENT, join_unsent, "probe or reply that could not be queued for sending")        \
	X(BEACON_LIMITED, beacon_limited, "beacons above one of a source in 4 s, or 10 a second") \
	X(BEACON_NOBODY, beacon_nobody, "beacon of a node that is no peer here")

enum xy_join_drop {
#define X(NAME, name, text) XY_JOIN_DROP_##NAME,
	XY_JOIN_DROPS(X)
#undef X
		XY_JOIN_DROP_COUNT
};
extern const char *const xy_join_drop_name[XY_JOIN_DROP_COUNT];
extern const char *const xy_join_drop_text[XY_JOIN_DROP_COUNT];

struct xy_join_ops {
	void *arg;
	// Is it an address of this host?
	bool (*is_here)(void *arg, const struct xy_endpoint *at);
	void (*found)(void *arg); // a key has come to be known. NULL: nobody listens
};

struct xy_join_config {
	struct xy_dp *dp;
	struct xy_links *links;
	struct xy_book *book; // gets the keys that are known
	const struct xy_identity *identity;
	struct xy_state *state;
	const struct xy_env *env;
	struct xy_join_ops ops;
};

struct xy_join;
struct xy_offenders;

int xy_join_create(const struct xy_join_config *cfg, struct xy_join **out, struct xy_err *err);
void xy_join_destroy(struct xy_join *j); // no job may be under way

// Takes note of the plan's peers without a key: those that were there before go on undisturbed, and
// whose keys are known are in the book, at an X25519 operation each. The plan must live, and stay
// where it is, until the next.
void xy_join_apply(struct xy_join *j, struct xy_plan *plan, xy_nsec now);
// A config has come into force: is each key that was found in force for the peer that it is of?
void xy_join_look(struct xy_join *j);

// A datagram that begins with 0x80 or 0x81.
void xy_join_punt(struct xy_join *j, const struct xy_dp_event *ev, xy_nsec now);
// A datagram to the beacons' group; from is its source.
void xy_join_beacon(struct xy_join *j, const struct xy_endpoint *from, const void *data, size_t len,
		    xy_nsec now);
void xy_join_resolved(struct xy_join *j, unsigned asked, const struct xy_endpoint *found,
		      unsigned count, xy_nsec now);
void xy_join_run(struct xy_join *j, xy_nsec now);
xy_nsec xy_join_deadline(const struct xy_join *j);
unsigned xy_join_jobs(const struct xy_join *j); // under way

// --- what is going on

enum xy_join_state {
	XY_JOIN_ASKING,	   // nobody has answered yet
	XY_JOIN_PINNED,	   // its key is known
	XY_JOIN_CHANGED,   // another key answers than the pinned one
	XY_JOIN_OURSELVES, // that is this node
	XY_JOIN_TWICE,	   // another peer has this key
	XY_JOIN_UNRESOLVED // ASKING, but its name does not resolve
};

struct xy_join_info {
	const char *name, *endpoint;
	enum xy_join_state state;
	unsigned tries;
	struct xy_key key;   // pinned; zeros: none
	const char *trouble; // what is wrong, and what to do; NULL: nothing
};
unsigned xy_join_count(const struct xy_join *j); // peers without a key in the config
void xy_join_info(const struct xy_join *j, unsigned at, struct xy_join_info *out);
// Who tells the LAN that it has our key, and what to do; NULL: nobody of late.
const char *xy_join_twin(const struct xy_join *j, xy_nsec now);
uint64_t xy_join_drops(const struct xy_join *j, enum xy_join_drop which);
const struct xy_offenders *xy_join_offenders(const struct xy_join *j); // by xy_join_drop
