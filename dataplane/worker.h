// SPDX-License-Identifier: BSD-3-Clause
// A worker: one thread, one graph, its rings, counters and scratch memory. Everything here is its
// own; others read the counters and put onto the rings.
#pragma once

#include "clock.h"
#include "dataplane.h"
#include "noise/limiter.h"
#include "packet.h"
#include "rest.h"

#include "compat.h"

#include <rte_mempool.h>
#include <rte_ring.h>

struct xy_ask;
struct xy_blames;
struct xy_hold;
struct xy_icmp_rate;
struct xy_used;

// With queues that no descriptor tells of, ns: see docs/operating.md for what it costs.
#define XY_WORKER_NAP	   100000L
#define XY_WORKER_NAP_TEXT "100 us"

enum { XY_FAR_RATES = 64 };

struct xy_lost { // a /64 whose session is not known was told, and when
	uint64_t net;
	xy_nsec at;
};

enum { XY_WORKER_READY = 8 }; // descriptors that one wake-up tells of

struct xy_worker {
	struct xy_dp *dp;
	unsigned id;
	unsigned lcore;
	int cpu; // pinned to, or -1
	struct rte_graph *graph;
	struct rte_mempool *pool;
	struct xy_aead *aead;
	xy_nsec now; // read once a walk; nodes use this

	struct rte_ring *from_control; // 16-byte elements, single producer, single consumer
	struct rte_ring *to_control;   // likewise: what is told of known peers
	struct rte_ring *handshakes;   // likewise: of peers
	struct rte_ring *strangers;    // likewise: all else that anybody can make us tell
	struct xy_bucket stranger_rate;
	struct xy_bucket far_rate[2 * XY_FAR_RATES]; // of far nodes, by link: strangers, known ones
	struct xy_bucket lost_rate[XY_FAR_RATES];    // of XY_DP_LOST, by link
	struct xy_lost lost[64];
	struct rte_ring *handover[XY_DP_WORKERS]; // from worker i (ours too) to us; mbufs
	int wake_fd;				  // eventfd
	int epoll_fd;				  // what may wake us: wake_fd, ports, host queue
	uint32_t blind;				  // control: queues that no descriptor tells of

	// Others read it for each burst that they hand over. Set before the last look around,
	// cleared by who wakes us.
	uint32_t sleeping __rte_cache_aligned;

	// Our own.
	uint32_t *handed __rte_cache_aligned; // per session slot: packets handed to its owner
	struct xy_hold *hold;		      // packets waiting for sessions
	struct xy_ask *ask;		      // packets waiting for routes
	struct xy_used *used;		      // mesh /64s in use, while there are routes to ask for
	struct xy_icmp_rate *icmp;	      // ICMP errors that may be made
	struct xy_blames *blames;	      // whose packets were dropped; control reads
	xy_nsec mtu_told; // the last event that a datagram was too large, and for which peer
	uint32_t mtu_peer;
	xy_nsec far_mtu_told;
	xy_nsec mtu_heard;     // the last event that an ICMP error said so
	xy_nsec refused_heard; // or that a remote is not reached
	bool busy;	       // this walk moved something
	bool dry;	       // a queue has no buffers to receive into
	bool more; // and a source that gave something may have more, or its queue wants tending
	uint64_t walked;  // TSC at the end of the last walk
	uint64_t came;	  // packets that sources took, ever
	uint32_t untimed; // short walks since one was timed node by node (graph.c)
	bool short_walk;  // the last one was
	struct xy_clock clock;
	struct xy_rest rest;
	// Which watched descriptors the next walk looks at, beside all that has no descriptor: only
	// those, or (not listed) all.
	bool listed;
	unsigned ready_count;
	int ready[XY_WORKER_READY];
	unsigned gave_count; // may be more than there is room for
	struct {
		int fd;
		bool more;
	} gave[XY_WORKER_READY]; // in this walk

	// Read by the control thread: one writer, relaxed stores.
	struct xy_dp_worker_stats stats __rte_cache_aligned;
	void *host_scratch, *port_scratch; // of host/ and port/, made by their _worker_init
};

_Static_assert(offsetof(struct xy_worker, handed) ==
		       offsetof(struct xy_worker, sleeping) + RTE_CACHE_LINE_SIZE,
	       "what others look at has a line of its own");

// One writer, so a plain addition stored whole is enough for readers.
#define XY_SET(place, value)  __atomic_store_n(&(place), (value), __ATOMIC_RELAXED)
#define XY_COUNT(w, field, n) XY_SET((w)->stats.field, (w)->stats.field + (n))

static inline void xy_count_drop(struct xy_worker *w, enum xy_drop reason, uint64_t n)
{
	XY_COUNT(w, drop[reason], n);
	XY_COUNT(w, drops, n);
}

static inline struct xy_worker *xy_node_worker(const struct rte_node *node)
{
	struct xy_worker *w;
	memcpy(&w, node->ctx, sizeof(w));
	return w;
}

// n buffers from the worker's pool, data empty and XY_HEADROOM before it, from = XY_PEER_NONE; all
// or none (-ENOBUFS, counted by the caller).
int xy_buffers_alloc(struct xy_worker *w, struct rte_mbuf **out, unsigned n);
// Sets w->now, at the beginning of a walk; tsc: read just now. Worker w only.
void xy_worker_clock(struct xy_worker *w, uint64_t tsc);
// Wakes a worker that sleeps; any thread. Costs a load when it does not.
void xy_worker_wake(struct xy_worker *w);
// Adds or removes a descriptor that wakes this worker (level triggered, readable). Control thread.
int xy_worker_watch(struct xy_worker *w, int fd);
void xy_worker_unwatch(struct xy_worker *w, int fd);

// A watched descriptor gave something; more: and what is left, here or in the kernel, is not to be
// waited for. Worker w only, from within a walk.
static inline void xy_worker_gave(struct xy_worker *w, int fd, bool more)
{
	w->more |= more;
	if (w->gave_count < XY_WORKER_READY) {
		w->gave[w->gave_count].fd = fd;
		w->gave[w->gave_count].more = more;
	}
	w->gave_count++;
}

// May a watched descriptor have something? Else the kernel will tell. Worker w only.
static inline bool xy_worker_ready(const struct xy_worker *w, int fd)
{
	bool found = !w->listed;
	for (unsigned i = 0; !found && i < w->ready_count; i++)
		found = w->ready[i] == fd;
	return found;
}
