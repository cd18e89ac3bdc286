// SPDX-License-Identifier: BSD-3-Clause
// What the files of node info share: questions under way, and what they are asked for. Control
// thread only.
#pragma once

#include "base/map.h"
#include "informing/nodeinfo.h"
#include "noise/limiter.h"
#include "offenders.h"

enum {
	ASKS = 64,			 // under way at a time
	CRAWL_ASKS = 32,		 // so that there is a place for each walk, and for suites
	OWNER_CRAWL = XY_NODEINFO_WALKS, // below it: the walk of that number
	OWNER_SUITES,			 // and SEEN, LANES
	SUITES_ASKS = ASKS - CRAWL_ASKS - XY_NODEINFO_WALKS,
};
#define TRY_TIME     (1 * XY_SEC)
#define UNASKED_TIME (10 * XY_SEC) // after this nobody waits for an answer any more
#define TOLD_TIME    (1 * XY_SEC)  // others who wait for the same answer get it, too

struct ask {
	bool taken;
	uint8_t owner, kind;
	uint32_t node; // of its owner: hop or node
	struct xy_addr to, about;
	struct xy_nodeinfo_lanes lanes;	      // LANES
	uint8_t nonce[XY_NODEINFO_NONCE_LEN]; // its last byte is the try
	unsigned tries;			      // that were sent
	xy_nsec sent[XY_NODEINFO_TRIES];
	xy_nsec due; // of the next try, or of giving up
};

struct crawl {
	struct xy_nodeinfo_crawl shown; // node NULL: there is none
	uint32_t node_room, link_room;
	uint32_t next;	    // node to ask
	unsigned asking;    // of its questions
	xy_nsec next_start; // pace
	struct xy_map by_addr;
};

struct node_name {
	struct xy_addr addr;
	char name[XY_NODEINFO_TEXT_LEN + 1];
	xy_nsec at;
};

struct node_names {
	struct node_name *v;
	uint32_t count, room; // to XY_NODEINFO_NODES
	uint32_t next;	      // the oldest, once they are full
	struct xy_map by_addr;
};

struct xy_nodeinfo {
	struct xy_addr addr;
	const char *version;
	struct xy_nodeinfo_fields fields;
	const struct xy_env *env;
	struct xy_nodeinfo_ops ops;
	struct xy_limiter per_source;
	struct xy_bucket all;
	uint8_t hash_key[16];	   // secret: strangers choose addresses
	struct xy_offenders drops; // by enum xy_nodeinfo_drop
	uint64_t answered;

	// Our neighbours, ascending, as they were at near_at.
	struct xy_nodeinfo_near near[XY_NODEINFO_NEAR];
	unsigned near_count;
	xy_nsec near_at; // 0: not yet

	struct ask ask[ASKS];
	unsigned asking, asking_suites;
	struct xy_nodeinfo_walk walk[XY_NODEINFO_WALKS];
	struct crawl crawl;
	struct node_names names;
};

// --- nodeinfo.c
// A question to a node, sent at `due` by run. False: no place.
bool xy_ask_begin(struct xy_nodeinfo *n, const struct ask *what, xy_nsec due);
void xy_ask_end_all(struct xy_nodeinfo *n, uint8_t owner);

void xy_near_refresh(struct xy_nodeinfo *n, xy_nsec now);

// --- nodeinfo_names.c
// It answered so. "": it has no name, or none any more.
void xy_names_learn(struct xy_nodeinfo *n, const struct xy_addr *addr, const char *name,
		    xy_nsec now);
void xy_names_free(struct xy_nodeinfo *n);

// --- nodeinfo_walk.c
// reply NULL: the node is silent.
void xy_walk_answer(struct xy_nodeinfo *n, unsigned walk, uint32_t hop,
		    const struct xy_nodeinfo_reply *reply, xy_nsec rtt, xy_nsec now);
void xy_walks_run(struct xy_nodeinfo *n, xy_nsec now); // gives up those that nobody waits for

// --- nodeinfo_crawl.c
// True: go on behind *about.
bool xy_crawl_answer(struct xy_nodeinfo *n, uint32_t node, const struct xy_nodeinfo_reply *reply,
		     xy_nsec rtt, xy_nsec now, struct xy_addr *about);
void xy_crawl_run(struct xy_nodeinfo *n, xy_nsec now);
xy_nsec xy_crawl_deadline(const struct xy_nodeinfo *n);
void xy_crawl_free(struct xy_nodeinfo *n);
