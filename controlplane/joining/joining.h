// SPDX-License-Identifier: BSD-3-Clause
// What the files of joining share. Control thread only.
#pragma once

#include "join/join.h"
#include "joining/join.h"
#include "log.h"
#include "noise/limiter.h"
#include "offenders.h"

enum { XY_JOIN_JOBS = 32, XY_JOIN_ADDRESSES = 4 };

// A peer of the config without a key.
struct xy_join_target {
	char name[XY_NAME_LEN + 1];
	char at[XY_CONFIG_ENDPOINT_LEN];
	unsigned edition; // an answer of the resolver to an older one is void
	uint32_t mark;	  // of the plan that wants it
	unsigned peer;	  // its number there

	struct xy_endpoint found[XY_JOIN_ADDRESSES];
	unsigned count, next;	    // of found; the next to ask
	bool resolving, unresolved; // unresolved: the name had no answer last time

	bool waiting; // a probe is out
	uint8_t nonce[XY_JOIN_NONCE_LEN];
	struct xy_endpoint asked;
	unsigned tries;
	xy_nsec due;

	bool has_key;
	struct xy_key key;
	enum xy_join_state state;
	struct xy_key other; // that answers in its stead
	struct xy_err trouble;
};

enum xy_join_work { XY_JOIN_SIGN, XY_JOIN_CHECK_REPLY, XY_JOIN_CHECK_BEACON };

struct xy_join_job {
	struct xy_join *j;
	struct xy_join_job *next_free;
	enum xy_join_work work;
	const struct xy_identity *identity;
	unsigned port;
	struct xy_endpoint remote; // where it came from; a beacon's: with the node's own port
	struct xy_addr local;
	uint8_t nonce[XY_JOIN_NONCE_LEN];
	struct xy_join_reply reply;
	struct xy_join_beacon beacon;
	uint8_t out[XY_JOIN_LEN];
	struct xy_key key; // X25519
	int result;
};

struct xy_join {
	struct xy_join_config cfg;
	struct xy_limiter probes, beacons, known_beacons;
	struct xy_bucket all_probes, all_beacons;
	struct xy_join_job job[XY_JOIN_JOBS];
	struct xy_join_job *free;
	unsigned jobs;
	unsigned count;
	struct xy_join_target target[XY_CONFIG_KEYLESS];
	struct xy_plan *plan;
	uint32_t mark; // of the plan
	unsigned edition;
	struct xy_offenders drops; // by enum xy_join_drop: all strangers'
	struct xy_log_limit log_joined;
	struct xy_err twin; // who beacons with our key
	xy_nsec twin_until;
};

// --- join.c: asking
// at: where it came from, or (UNSENT) was to go.
void xy_join_dropped(struct xy_join *j, enum xy_join_drop why, const struct xy_endpoint *at);
void xy_join_learned(struct xy_join *j, const struct xy_join_job *job); // a reply is right

// --- answer.c: being asked, and the helpers
struct xy_join_job *xy_join_job_take(struct xy_join *j, enum xy_join_work work,
				     const struct xy_endpoint *remote); // NULL: none left
void xy_join_job_begin(struct xy_join_job *job);
void xy_join_probed(struct xy_join *j, const struct xy_dp_event *ev, xy_nsec now);
