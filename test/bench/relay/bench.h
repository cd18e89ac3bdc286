// SPDX-License-Identifier: BSD-3-Clause
// What the parts of this benchmark share: a dataplane in memory of one worker, walked by hand,
// whose peers and far nodes are the program itself. One thread.
#pragma once

#include "aead.h"
#include "base/bytes.h"
#include "dp.h"
#include "fib.h"
#include "graph/graph.h"
#include "host_memory.h"
#include "peer.h"
#include "port/ring.h"
#include "samples.h"
#include "session.h"
#include "wire/inet.h"

#ifndef BENCH_BUFFERS
#define BENCH_BUFFERS 8192 // of which bench_count wants fewer
#endif

enum {
	BUFFERS = BENCH_BUFFERS,
	ROUNDS = 24,
	ROUNDS_SHORT = 6,
	NODES_MAX = 64,
	FAR_LINKS = 100, // that many far nodes are reached over
};

enum way { BARE, UNSUMMED, SUMMED, WAYS }; // --frames: how packets are put on the port

// Which way packets go, and so how often the cipher is paid for.
enum path {
	RELAY,	 // a link to a link: opened, sealed
	TO_LINK, // this host to a neighbour: sealed
	FROM_LINK,
	TO_FAR, // this host to a node beyond: sealed end to end, and for the link
	FROM_FAR,
	PATHS
};
extern const char *const path_text[PATHS];

struct load { // one line of the table
	enum path path;
	uint32_t sessions, routes, size;
	uint32_t burst; // packets that come at once
	enum xy_aead_suite suite;
	bool light;	  // links' sessions are
	uint32_t workers; // of a relay; 0: one
	bool shared;	  // they seal in the same sessions, and each has others without
	const int *cpus;  // [workers], or NULL: anywhere
};

struct node_cost {
	char name[32];
	double cycles;
};

struct result { // cycles per packet; a child leaves it in shared memory
	struct load load;
	double forward, forward_p10, forward_p90, tsc_hz;
	double aead, best; // the bare cipher over the same buffers, and over hot ones
	double floor;	   // of a relay; 0: not measured
	char memory[64], cipher[128];
	unsigned nodes;
	struct node_cost node[NODES_MAX];
	double way[WAYS];
};

struct options {
	bool brief, json, nodes, frames, aes, light;
};

struct bench {
	struct load load;
	uint32_t links, fars; // ends: links from 0, far nodes behind them
	struct xy_dp *dp;
	void (*turn)(struct bench *b); // one of the worker's loop, over what is put in
	unsigned worker;	       // whose turns are taken
	struct xy_port_ring *ring;     // its
	struct host_memory host;
	struct rte_mbuf *in[BUFFERS], *out[BUFFERS];
	// Of each end: the index that we have for it, their keys, and what they send next.
	uint32_t *index;
	struct xy_aead_schedule *rx_key, *tx_key; // they seal with the one, and open with the other
	uint64_t *rx_counter;
	uint64_t *route; // the /64 of each destination, and which link it is routed by
	uint32_t *route_link;
	struct xy_aead *cipher;
	uint64_t random;
	struct samples *forward, *aead;
	struct samples *floor;		 // with --nodes
	bool (*counts)(struct bench *b); // does what was timed just now? NULL: always
	struct samples *node;		 // [NODES_MAX] with --nodes, else NULL
	struct samples *way;		 // [WAYS] with --frames
	uint64_t errors;
};

_Noreturn void die(const char *what, const struct xy_err *err);
void *need(size_t n, size_t size);
uint64_t next_random(struct bench *b); // cheap, seeded, the same in every run

// --- mesh.c: the dataplane and who is around it
struct xy_addr own_address(void);				  // in the underlay
struct xy_addr link_address(uint32_t link);			  // likewise
struct xy_addr node_address(const struct bench *b, uint32_t end); // in the overlay
void mesh_make(struct bench *b);
void link_place(struct bench *b, uint32_t link);
// Another worker of the same dataplane and mesh: with buffers, a cipher and chance of its own. In
// the thread that is to take its turns.
void mesh_worker(const struct bench *mesh, unsigned worker, struct bench *b);
uint32_t mesh_source(struct bench *b); // a link whose session this worker owns, by chance
bool mesh_may_send(const struct bench *b, uint32_t link); // does this worker send by it?
void mesh_check(struct bench *b); // nothing was dropped or lost, by the workers' accounts

// --- sealing.c: as an end does. The header comes before the packet, padding and room for the tag
// behind it; the job is to be done, and is that session's next.
// Of a message with `len` bytes in its box; a light one's tag is about its head alone.
struct xy_aead_op op_of(const struct bench *b, struct xy_wg_data *msg, uint32_t len,
			const struct xy_aead_schedule *key);
struct xy_aead_op seal_begin(struct bench *b, struct rte_mbuf *m, uint32_t end);
void received_by(struct rte_mbuf *m, uint32_t link);

// --- walk.c
xy_nsec clock_now(void);
void walk(struct bench *b); // in bursts, till all that was put in is through

// --- timed.c
void turn_timed(struct bench *b);
void timed_add(struct bench *b, struct samples *s, uint64_t cycles); // if it counts

// --- floor.c
void turn_floor(struct bench *b); // in place of turn_timed; adds to b->floor

// --- best.c: the bare cipher at its best: a few buffers that are in the nearest caches and begin a
// line, keys likewise, as many packets, bursts and passes as the load has. Adds to `best`.
void best_measure(const struct bench *b, unsigned rounds, struct samples *best);

// --- relay.c, edge.c: a round
void relay_round(struct bench *b);
void relay_begin(struct bench *b); // its parts: what is put in; then a walk; then the bare cipher
void relay_end(struct bench *b);
void edge_round(struct bench *b);
void relay_ways(struct bench *b, unsigned rounds, struct result *r); // --frames

// --- report.c
void head_print(const struct result *first, unsigned rounds, bool json);
void edge_head_print(void);
void result_print(const struct result *r, bool json);
void budgets_print(const struct result *r, unsigned n, bool json);
