// SPDX-License-Identifier: BSD-3-Clause
// The dataplane as a whole: what the control thread owns and the workers read. Each field says who
// writes it. dataplane/ only.
#pragma once

#include "host/host.h"
#include "noise/index.h"
#include "pools.h"
#include "port/port.h"
#include "table/exact.h"
#include "table/lpm.h"
#include "worker.h"

#include <rte_rcu_qsbr.h>

struct xy_session;
struct xy_capture;
struct xy_end;
struct xy_groups;
struct xy_retired;
struct xy_slots;

struct xy_own { // sources that only we may have; published by RCU
	unsigned count;
	struct {
		struct xy_addr addr, mask;
	} prefix[32];
};

struct xy_tables { // a forwarding or a source table: control rw, workers look up under RCU
	struct xy_exact *mesh;
	struct xy_lpm *v6, *v4;
};

// In lines by who writes: what workers read in each walk must not share one with what anybody
// writes often.
struct xy_dp {
	// Made before the first worker runs. All: ro.
	struct xy_dp_config cfg;
	unsigned workers;
	struct xy_worker *worker[XY_DP_WORKERS];
	struct xy_pools pools;
	struct rte_rcu_qsbr *rcu;
	int event_fd;
	xy_nsec wake_cost; // of a worker, measured
	struct xy_tables routes, sources;
	struct xy_groups *groups; // reserved memory
	uint64_t flow_key[2];	  // at random: which flow takes which of several next hops

	struct xy_session *session; // [session_mask + 1], reserved memory, pages come with use
	uint32_t session_mask;
	struct xy_index_key index_key;
	struct xy_end *end; // [ends]: links, [0, max_peers), and what comes behind (end.h)
	uint32_t ends;
	struct xy_exact *far; // by /64, to ends (far_end.h)
	uint64_t *known;      // [known_mask + 1] buckets: known.h
	uint32_t known_mask;
	uint8_t known_key[16];
	char memory[64];

	// Control: rw, seldom. Workers: ro.
	uint32_t stop __rte_cache_aligned;
	uint32_t session_epoch;	    // rises when held packets may go or must be dropped
	uint32_t route_epoch;	    // rises when routes were committed
	uint32_t far_epoch;	    // rises when packets for a far node may go
	uint32_t ask_routes;	    // routes of kind ASK: is there one?
	uint32_t sessions_opened;   // slots that were ever in use: those below
	struct xy_port_list *ports; // RCU
	struct xy_host_list *hosts; // RCU
	struct xy_own *own;	    // RCU
	struct xy_accepts *taken;   // RCU; NULL: nothing is
	struct xy_capture *capture; // RCU; NULL: nobody captures

	// Control: set to 1 before each look at the rings. Workers: exchange it to 0, and write
	// event_fd.
	uint32_t control_waiting __rte_cache_aligned;

	// Control only.
	unsigned poll_first
		__rte_cache_aligned; // the worker whose events come first at the next poll
	bool gathers;		     // orders: xy_dp_orders_gather
	uint64_t given;		     // workers with orders that they were not woken for
	uint32_t mark;		     // of what ports send that have none of their own
	bool mesh_routed;	     // 200::/7 as a whole has a route
	struct xy_reclaim reclaim;   // hands table memory to retire
	uint64_t routes_refused;
	uint64_t xsk_owners; // AF_XDP sockets that were ever opened
	struct xy_slots *slots;
	struct xy_retired *retired_head, *retired_tail; // in order of their tokens
} __rte_cache_aligned;
_Static_assert(offsetof(struct xy_dp, stop) % RTE_CACHE_LINE_SIZE == 0 &&
		       offsetof(struct xy_dp, control_waiting) ==
			       offsetof(struct xy_dp, stop) + RTE_CACHE_LINE_SIZE &&
		       offsetof(struct xy_dp, poll_first) ==
			       offsetof(struct xy_dp, control_waiting) + RTE_CACHE_LINE_SIZE,
	       "lines by writer");

// Frees ptr by fn(dp, ptr) once no worker can hold it. Control thread; never fails (waits for the
// grace period itself when it cannot allocate).
void xy_dp_retire(struct xy_dp *dp, void *ptr, void (*fn)(struct xy_dp *dp, void *ptr));
// What packets wait for may have changed: workers look again by this epoch. Control thread.
void xy_dp_epoch_raise(struct xy_dp *dp, uint32_t *epoch);
// Puts a port (or NULL) at a number for the workers to see. Control thread.
int xy_dp_port_publish(struct xy_dp *dp, unsigned id, struct xy_port *port);
// The same with an attachment of the host.
int xy_dp_host_publish(struct xy_dp *dp, unsigned id, struct xy_host *host);
