// SPDX-License-Identifier: BSD-3-Clause
// What the files of far nodes share. Control thread only.
#pragma once

#include "base/heap.h"
#include "base/map.h"
#include "exchange/exchange.h"
#include "far/far.h"
#include "log.h"
#include "routes/accepts.h"
#include "routes/rib.h"

#define XY_FAR_KEYLESS_TIME (60 * XY_SEC) // after which it is old news

enum xy_far_phase {
	XY_FAR_WAITS, // for a helper to be free
	XY_FAR_MEETS, // one computes
	XY_FAR_READY, // it has an exchange
	XY_FAR_CANNOT,
};

struct xy_far_node {
	struct xy_heap_node timer; // first: the heap's node is the far node
	struct xy_exchange exchange;
	struct xy_far_node *prev, *next; // of those that may go, or are provisional, or nothing
	struct xy_far_node *meet_prev, *meet_next;
	uint32_t number;
	uint32_t via, via_last; // of a provisional one, what it was made for, and counts for
	enum xy_far_phase phase;
	unsigned pins;
	bool wanted;	  // packets wait, and it is asked as soon as that can be
	bool untold;	  // the dataplane has no memory for what it may send from
	bool provisional; // it asked, or was lost, and has neither used its session nor answered
			  // yet
	struct xy_key key;
	struct xy_addr addr;
	xy_nsec since, active, unpinned;
	xy_nsec ends; // unless it is wanted again; XY_NEVER
	uint32_t mtu;
	xy_nsec mtu_until;
	uint32_t epoch; // of its route when its session came to be; 0: not known
};

struct xy_far_list {
	struct xy_far_node *head, *tail;
};

struct xy_fars {
	struct xy_fars_config cfg;
	struct xy_exchange_owner owner;
	struct xy_far_node **node; // [cfg.max] by number - first
	uint32_t *free; // [cfg.max] a ring of numbers, so that one rests before it is another's
	uint32_t free_at, free_count;
	struct xy_map by_net; // the /64s, to numbers
	uint8_t hash_key[16]; // secret: strangers choose keys
	struct xy_heap timers;
	struct xy_far_list idle; // not pinned, not provisional; what was carried longest ago first
	struct xy_far_list provisional; // oldest first
	uint32_t provisional_count, pinned_count;
	uint32_t *brought; // [cfg.first] provisional ones, by the link they came by
	struct xy_far_node *meet_head, *meet_tail; // that wait for a helper
	unsigned meeting;			   // with helpers
	xy_nsec meet_at;			   // no helper is asked before

	struct xy_bucket lost_rate; // of those who are asked for LOST
	struct xy_limiter by_link;  // what known nodes' handshakes by one link may cost
	bool known;		    // the message at hand is a known node's, within that
	uint32_t renewing;	    // numbers that are not begun anew yet, from the last down
	uint32_t telling;	    // and whose prefixes were not told
	bool telling_untold;	    // of those alone that it had no memory for
	bool untold;		    // and there are some
	xy_nsec tell_at;	    // they are told again
	uint64_t made, ended, evicted, refused, unanswered, keyless;
	struct xy_prefix keyless_net;
	xy_nsec keyless_at; // 0: never
	struct xy_log_limit log_keyless, log_full, log_cannot, log_collision;
};

static inline struct xy_far_node *xy_far_of(const struct xy_exchange *x)
{
	return (struct xy_far_node *)((char *)(uintptr_t)x -
				      offsetof(struct xy_far_node, exchange));
}

static inline struct xy_far_node *xy_far_at(const struct xy_fars *f, uint32_t number)
{
	return number - f->cfg.first < f->cfg.max ? f->node[number - f->cfg.first] : NULL;
}

// --- far.c
void xy_far_schedule(struct xy_fars *f, struct xy_far_node *n, xy_nsec now);
void xy_far_want(struct xy_fars *f, struct xy_far_node *n, xy_nsec now); // packets wait for it
// The key that routes name for a /64, and in which epoch it signed that. False: none.
bool xy_far_route(const struct xy_fars *f, const struct xy_addr *net, struct xy_key *key,
		  uint32_t *epoch);

// --- nodes.c: a node's life
// LOST: it is said to know us, which anybody may have said.
enum xy_far_reason { XY_FAR_BY_TRAFFIC, XY_FAR_BY_STRANGER, XY_FAR_BY_LOST, XY_FAR_BY_PIN };
struct xy_far_node *xy_far_by_net(const struct xy_fars *f, const struct xy_addr *addr);
struct xy_far_node *xy_far_by_key(const struct xy_fars *f, const struct xy_key *key);
// A new one; via: of a stranger, the link. Another key's must not have its /64. NULL: there is no
// room, which is counted and said.
struct xy_far_node *xy_far_make(struct xy_fars *f, const struct xy_key *key, enum xy_far_reason why,
				uint32_t via, xy_nsec now);
void xy_far_forget(struct xy_fars *f, struct xy_far_node *n);		 // it is not pinned
void xy_far_touch(struct xy_fars *f, struct xy_far_node *n, xy_nsec at); // it is in use
void xy_far_confirm(struct xy_fars *f, struct xy_far_node *n, xy_nsec now);
void xy_far_pins_set(struct xy_fars *f, struct xy_far_node *n, unsigned pins, xy_nsec now);
void xy_far_ready(struct xy_fars *f, struct xy_far_node *n, const struct xy_job *job, xy_nsec now);
void xy_far_meets_next(struct xy_fars *f, xy_nsec now); // as many as helpers are for
bool xy_far_meets_due(const struct xy_fars *f);
void xy_far_meet_again(struct xy_fars *f, struct xy_far_node *n);
int xy_far_tell(struct xy_fars *f, struct xy_far_node *n); // the dataplane, all of it
void xy_far_accepts_tell(struct xy_fars *f, struct xy_far_node *n);
bool xy_fars_crowded(const struct xy_fars *f);	   // of provisional ones
void xy_fars_trim(struct xy_fars *f, xy_nsec now); // indices are short: one goes

// --- owner.c
extern const struct xy_exchange_ops xy_far_exchange_ops; // arg: the far nodes
