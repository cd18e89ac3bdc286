// SPDX-License-Identifier: BSD-3-Clause
// Routing: has lib/babel run over our links, and puts what it learns into the table of routes. No
// loop, no socket, no clock in it: time comes with each call, what needs a thread or the disk goes
// out through xy_routing_ops. Control thread only.
#pragma once

#include "babel/babel.h"
#include "config/config.h"
#include "env.h"
#include "linkview.h"
#include "routes/rib.h"
#include "tick.h"

enum {
	XY_ROUTING_BATCH = 16, // claims in a job: 1.2 ms for a handshake to wait behind
	XY_ROUTING_JOBS = 2,   // under way at once
	XY_ROUTING_NOTICES = XY_BABEL_NOTICE_COUNT,
};

struct xy_routing_task {
	uint64_t id;
	struct xy_babel_claim claim;
	struct xy_key x25519; // verify: as xy_babel_claim_verify gives it
	int result;
};

// Signatures to make or to verify, on a helper, which touches nothing else.
struct xy_routing_job {
	bool sign, busy;
	const uint8_t *ed25519_sk;
	struct xy_routing *routing;
	unsigned count;
	struct xy_routing_task task[XY_ROUTING_BATCH];
};

struct xy_routing_ops {
	void *arg;
	// Saves it on disk; xy_routing_epoch_saved after, when it is safe there. From within, too.
	void (*epoch_save)(void *arg, uint32_t epoch);
};

struct xy_routing_config {
	struct xy_dp *dp;
	struct xy_rib *rib;
	struct xy_linkview links; // what becomes of them is told by xy_routing_link
	const struct xy_identity *identity;
	uint32_t epoch; // xy_babel_epoch_first of what was saved, and saved itself
	uint32_t max_peers, max_routes;
	uint8_t secret[16];	// random
	struct xy_addr node_v4; // of the host interface, v4-mapped; unspecified: none
	bool stub;
	bool no_rtt; // for tests: metrics that no delay changes
	const struct xy_env *env;
	struct xy_routing_ops ops;
};

struct xy_routing;

int xy_routing_create(const struct xy_routing_config *cfg, xy_nsec now, struct xy_routing **out,
		      struct xy_err *err);
// No job is begun any more; those under way come back.
void xy_routing_quit(struct xy_routing *r);
// No job may be under way. Leaves the table of routes as it is.
void xy_routing_destroy(struct xy_routing *r);

// What changes from the present state to the config, but for its peers: what becomes of links is
// told by xy_routing_link. What the two have in common goes on undisturbed; on an error the rest is
// in force all the same.
int xy_routing_apply(struct xy_routing *r, const struct xy_config *config, xy_nsec now,
		     struct xy_err *err);
// The same in slices, by xy_routing_run: the config must live, and stay where it is, until it is in
// force, or stopped. Another may begin, or the same again, before.
void xy_routing_apply_begin(struct xy_routing *r, const struct xy_config *config);
void xy_routing_apply_stop(struct xy_routing *r);
bool xy_routing_applying(const struct xy_routing *r);
int xy_routing_apply_result(struct xy_routing *r, struct xy_err *err); // of what was not told yet

// A prefix that is announced as ours beside those of the config, in place of the one before; NULL:
// none. -EEXIST: the config announces it; -ENOMEM, or as Babel says.
int xy_routing_claim(struct xy_routing *r, const struct xy_prefix *p, xy_nsec now);
// A link is to be treated as the view says, came up, went down, or is about to be removed: then its
// routes go in slices, and its number is held in the table of routes until they have. What is told
// of the way to it is believed (NO_WAY, WAY) or asked about (DOUBT).
void xy_routing_link(struct xy_routing *r, uint32_t slot, enum xy_link_change what, xy_nsec now);
// OVERLAY (to port 6696 of a link-local address or group), ASK, USED.
void xy_routing_event(struct xy_routing *r, const struct xy_dp_event *ev, xy_nsec now);
void xy_routing_epoch_saved(struct xy_routing *r, uint32_t epoch, xy_nsec now);
// Timers that are due and at most `max` of what follows from them and from the events; call again
// at xy_routing_deadline, which may be now.
void xy_routing_run(struct xy_routing *r, unsigned max, xy_nsec now);
xy_nsec xy_routing_deadline(const struct xy_routing *r);
unsigned xy_routing_jobs(const struct xy_routing *r); // under way
// As xy_babel_goodbye. What it says goes out by xy_routing_run, and while some of it is left,
// xy_routing_goodbye_due says so.
unsigned xy_routing_goodbye(struct xy_routing *r, xy_nsec now);
bool xy_routing_goodbye_due(const struct xy_routing *r);
void xy_routing_stay(struct xy_routing *r, xy_nsec now); // as xy_babel_stay

// --- what is going on

struct xy_routing_info {
	struct xy_babel_stats babel;
	uint64_t notice[XY_ROUTING_NOTICES]; // how often
	uint64_t malformed;		     // packets from links that were no Babel
	uint64_t refused;		     // routes that found no room in the dataplane
	uint32_t waiting;		     // claims that wait for a helper
};
void xy_routing_info(const struct xy_routing *r, struct xy_routing_info *out);
// -ENOENT: Babel is not spoken there.
int xy_routing_link_info(const struct xy_routing *r, uint32_t slot, struct xy_babel_link_info *out);
// How often that neighbour was lost, and how often of that lately (8 at most).
#define XY_ROUTING_LATELY (600 * XY_SEC)
unsigned xy_routing_losses(const struct xy_routing *r, uint32_t slot, xy_nsec now, uint64_t *all);
// Once a tick: looks at what the config announces of leaves (announced.h), and at
// some links, whose both ends must agree on who is a stub, and which acknowledge: says once where
// that is not so.
void xy_routing_check(struct xy_routing *r, const struct xy_tick *tick, xy_nsec now);
unsigned xy_routing_troubles(const struct xy_routing *r); // how many peers there is one with
// What is wrong with that peer, and what to do; NULL: nothing.
const char *xy_routing_trouble(const struct xy_routing *r, uint32_t slot);
// As xy_announced_withheld.
const char *xy_routing_withheld(const struct xy_routing *r, unsigned nth, struct xy_prefix *p);
// As xy_babel_tag_stops.
bool xy_routing_tag_stops(const struct xy_routing *r, uint32_t slot, const struct xy_prefix *p);
// As xy_babel_mapping_next.
bool xy_routing_mapping_next(const struct xy_routing *r, uint32_t *at, unsigned *left,
			     const struct xy_prefix *in, xy_nsec now, struct xy_babel_mapping *out);
// As xy_babel_lookup.
unsigned xy_routing_lookup(const struct xy_routing *r, const struct xy_prefix *p,
			   struct xy_babel_entry *out, unsigned max, xy_nsec now);
