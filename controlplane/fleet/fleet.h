// SPDX-License-Identifier: BSD-3-Clause
// What the parts of xylem-fleet share. One thread, the loop's.
//
//   source ── entries ──> book <── cache (store)         own ── our record ──> source
//                          │                              │ signed by
//                          └──> links ── peers ──> daemon ┘
//
// The agent (agent.c) brings them together: none of them knows another but by what stands here.
#pragma once

#include "config/fleet.h"
#include "fleet/book.h"
#include "fleet/claims.h"
#include "fleet/source.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct xy_fleet_answers;
struct xy_fleet_daemon;
struct xy_fleet_links;
struct xy_fleet_own;
struct xy_fleet_store;

enum { XY_FLEET_FROM_SOURCE, XY_FLEET_FROM_CACHE }; // the book's sources

enum { XY_FLEET_WHY_SIZE = 400 };

struct xy_fleet {
	uv_loop_t *loop;
	const char *instance;
	const struct xy_config_fleet *config;
	uint64_t begun; // uv_now
	bool met;	// the daemon said who we are: self, book and source are there
	struct xy_fleet_self self;
	struct xy_fleet_trust trust;
	struct xy_fleet_book *book;
	struct xy_fleet_source *source;
	bool up, up_once;	     // the source is; it was
	char why[XY_FLEET_WHY_SIZE]; // it is not, or what it lacks; "": nothing
	uint64_t since;		     // when that came to be, uv_now
	uint64_t unread;	     // entries that had no bytes so far
	struct xy_prefix claim;	     // what we have; len 0: nothing
	uint64_t claim_since;	     // Unix seconds
	bool claim_said;	     // by the source; until then it is what stood before
	uint64_t claim_until;	     // and no longer than this, Unix seconds
	char claim_why[XY_FLEET_WHY_SIZE];
	struct xy_claims_table claims; // of the source
	struct xy_fleet_daemon *daemon;
	struct xy_fleet_links *links;
	struct xy_fleet_own *own;
	struct xy_fleet_store *store;
	struct xy_fleet_answers *answers;
};

// Unix seconds.
uint64_t xy_fleet_wall(void);
// A clock that nobody set would make records that are long expired for all others.
bool xy_fleet_clock_is_set(uint64_t wall);
