// SPDX-License-Identifier: BSD-3-Clause
// What the files of links share: one peer's link, and the set of them. Control thread only.
#pragma once

#include "base/heap.h"
#include "base/map.h"
#include "exchange/exchange.h"
#include "links/links.h"
#include "log.h"
#include "peers/feed.h"
#include "routes/accepts.h"
#include "routes/rib.h"

enum {
	XY_ENDPOINT_ADDRESSES = 4, // taken from one name
	XY_LINK_PROVISIONAL = 64,
	XY_CANDIDATES = XY_CONFIG_ENDPOINTS * XY_ENDPOINT_ADDRESSES,
};

struct xy_candidate {
	struct xy_endpoint at;
	unsigned endpoint; // which of the configured ones
};

// Where a peer may be: the addresses of its configured endpoints, and where it was last heard from.
struct xy_endpoints {
	unsigned count;
	unsigned edition;		    // of the texts: an answer to an older one is void
	char *const *text;		    // [count] as the book has them
	xy_nsec asked[XY_CONFIG_ENDPOINTS]; // when the name was last resolved; 0 = never
	bool asking[XY_CONFIG_ENDPOINTS];
	bool unresolved[XY_CONFIG_ENDPOINTS]; // the last answer was none that can be used
	unsigned candidates;
	struct xy_candidate *candidate; // [candidates], at most XY_CANDIDATES
	struct xy_endpoint learned;	// port 0: none
};

// What a link carries, and how that is known: size.c.
struct xy_link_sizes {
	uint32_t overhead, floor; // in the underlay; what it must carry inside, in fragments or not
	uint32_t limit, icmp;	  // of IP datagrams: by interface and route; by ICMP, 0: not told
	uint32_t local;		  // this host's own packets, by its interfaces and routes alone
	uint32_t room, whole;	  // overlay packets: in all, and in one piece
	enum xy_link_whence whence;
	bool probed;
	struct xy_link_probed found; // if it was
};

// What keeps a link from coming up; what says more comes later.
enum xy_trouble {
	XY_TROUBLE_NONE,
	XY_TROUBLE_UNANSWERED,
	XY_TROUBLE_UNREACHABLE, // ICMP
	XY_TROUBLE_CLOSED,	// ICMP: nobody listens at that port
	XY_TROUBLE_BUSY,	// it asks for cookies
	XY_TROUBLE_OTHER,	// another peer of ours is where this one does not answer
	XY_TROUBLE_NOT_TAKEN,	// it begins anew though we answered
	XY_TROUBLE_SECRET,	// its answer does not open
	XY_TROUBLE_OUR_KEY,	// its initiations are for another key than ours
	XY_TROUBLE_KEY,		// who is at its endpoint has another key
	XY_TROUBLE_CLOCK,	// its time stamps went back
};

// The peer's clock, by the newest time stamp of a handshake that it began.
struct xy_link_clock {
	bool known; // the time stamp was of the clock
	bool told;  // that its clock and ours differ
	uint32_t nsec;
	uint64_t its;  // seconds of the time stamp, 0: none came; and `nsec`
	uint64_t ours; // our wall clock then
	xy_nsec at;    // when that was
	int64_t apart; // seconds that it was ahead of ours, if known
};

struct xy_link {
	struct xy_heap_node timer; // first: the heap's node is the link
	struct xy_exchange exchange;
	uint32_t slot;	 // its number, in the dataplane and the exchange, too
	uint32_t met_at; // its place among those that had a session
	enum xy_trouble trouble;
	bool leaf;
	bool routing; // Babel is spoken with it
	bool shut;    // traffic = false: no route leads there
	bool no_way;  // this host knows none to it
	bool told_up;
	bool met;	  // it had a session once
	bool entering;	  // the dataplane does not know of it yet
	bool accepts;	  // and knows prefixes that it may send from
	bool untold;	  // it should, and found no memory for them: it knows none
	bool open;	  // nobody configured it: strangers.c
	bool provisional; // no transport message has come yet
	bool admitted;	  // open: for its key, not for where it is
	char name[XY_NAME_LEN + 1];
	struct xy_key key;
	unsigned keepalive;
	unsigned mtu; // by the config: the largest overlay packet; 0: not set
	const struct xy_config_prefixes *allowed; // as the book has it

	struct xy_endpoints endpoints;
	struct xy_endpoint remote; // data goes there; port 0: nowhere
	struct xy_endpoint asked;  // the initiation under way; port 0: at `remote`
	struct xy_endpoint hint;   // where to ask next; port 0: none
	struct xy_dp_heard heard;  // where its last message came to
	struct xy_link_sizes sizes;
	uint32_t counted;	// what links.rooms counts of it; 0: nothing
	struct xy_dp_peer told; // to the dataplane; its port is the one to send by
	xy_nsec start_at;	// when to initiate unasked; XY_NEVER
	xy_nsec hinted;		// when the attempt began that an old time stamp had a say in
	xy_nsec trouble_at;
	xy_nsec worded;	    // when the initiation was sent of which it was said that none answers
	xy_nsec open_since; // provisional: since when
	struct xy_link_clock clock;
	struct xy_log_limit quiet, moves, refusals;
};

// How far what is new has come into force: apply.c.
enum xy_apply_phase {
	XY_APPLY_NONE,
	XY_APPLY_FEED,	// a plan's peers into the book
	XY_APPLY_PEERS, // the book's news
	XY_APPLY_ROUTES,
	XY_APPLY_SWEEP, // the routes of before
	XY_APPLY_WAIT,	// for the number of a link that was removed
};

struct xy_links_apply {
	enum xy_apply_phase phase;
	const struct xy_plan *plan;
	bool alone;		     // the book's news, without a new plan
	bool said;		     // then: what failed first
	bool changed;		     // a link came, went or is another
	unsigned list, at, nth;	     // where the phase is
	struct xy_rib_origin origin; // of the static route at hand
	struct xy_prefix swept;	     // up to this one
	enum xy_route_source swept_source;
	bool lacking; // a link that found no number
	int result;   // of the first that failed
	struct xy_err err;
};

struct xy_links {
	struct xy_links_config cfg;
	struct xy_dp *dp;
	struct xy_exchanges *exchanges;
	struct xy_exchange_owner owner;

	struct xy_link **link; // [max_peers], by slot
	struct xy_link **met;  // [met_count] those that had a session once
	uint32_t met_count;
	uint32_t count;
	uint32_t *order;     // [count] slots by name
	uint32_t *free_slot; // [max_peers], a stack
	uint32_t free_count;
	bool *leaving; // [max_peers] slots of links that are gone, and routes are not
	uint32_t leaving_count;
	struct xy_map by_key, by_serial, by_remote;
	uint8_t hash_key[16]; // secret: strangers choose keys and addresses
	struct xy_heap timers;
	uint32_t mark; // of the routes at hand

	struct xy_rib *rib;
	struct xy_book *book;
	struct xy_feed feed;
	struct xy_links_apply apply;
	bool own_told;	    // xy_dp_source_own was called
	uint32_t renewing;  // slots that are not begun anew yet, from the last down
	uint32_t reopening; // and of open peers, which have a secret of before
	bool untold;	    // of some the dataplane has no memory for what they may send from
	xy_nsec tell_at;    // and is told again

	struct xy_link_room { // what fits on links, and how many they are: there are few sizes
		uint32_t size, count;
	} * rooms;
	unsigned rooms_count, rooms_size;

	struct xy_link *provisional[XY_LINK_PROVISIONAL]; // oldest first
	unsigned provisional_count;
	uint32_t open_count, open_most; // confirmed ones
	uint8_t open_psk[XY_WG_KEY_LEN];
	xy_nsec shared_at; // when places may be shared anew
	struct xy_log_limit log_open_full;

	struct xy_log_limit log_unknown, log_other_key;
	xy_nsec other_key_at; // a handshake for another key came from no peer; 0 = never
	struct xy_endpoint other_key_from;
};

// k NULL: a stranger's.
static inline void xy_links_drop(struct xy_links *l, enum xy_hs_drop why, const struct xy_link *k,
				 const struct xy_endpoint *from)
{
	const struct xy_exchange_place at = {.remote = *from};
	xy_exchanges_drop(l->exchanges, why, k ? &k->exchange : NULL, &at);
}

static inline struct xy_link *xy_link_of(struct xy_exchange *x)
{
	return (struct xy_link *)((char *)x - offsetof(struct xy_link, exchange));
}

static inline bool xy_link_is_up(const struct xy_links *l, const struct xy_link *k, xy_nsec now)
{
	return xy_exchange_is_up(l->exchanges, &k->exchange, now);
}

static inline bool xy_link_is_well(const struct xy_links *l, const struct xy_link *k, xy_nsec now)
{
	return xy_exchange_is_well(l->exchanges, &k->exchange, now);
}

// --- links.c
struct xy_link *xy_link_by_key(const struct xy_links *l, const uint8_t pk[XY_WG_KEY_LEN]);
void xy_link_schedule(struct xy_links *l, struct xy_link *k, xy_nsec now);
void xy_link_down(struct xy_links *l, struct xy_link *k, xy_nsec now);	   // no session is left
void xy_link_given_up(struct xy_links *l, struct xy_link *k, xy_nsec now); // nobody answered
void xy_link_tell_up(struct xy_links *l, struct xy_link *k, xy_nsec now);
struct xy_link *xy_link_by_remote(const struct xy_links *l, const struct xy_endpoint *remote);
void xy_link_tell(struct xy_links *l, const struct xy_link *k, enum xy_link_change what);

// --- peers.c: one link's life
uint64_t xy_links_hash(const struct xy_links *l, const void *data, size_t len);
// -ENOMEM; -ENOSPC; -EAGAIN: a slot will be free soon (xy_links_slots_free).
int xy_link_add(struct xy_links *l, const struct xy_book_peer *p, xy_nsec now,
		struct xy_link **out);
void xy_link_order_put(struct xy_links *l, struct xy_link *k); // into the list by name
void xy_link_order_drop(struct xy_links *l, const struct xy_link *k);
void xy_link_change(struct xy_links *l, struct xy_link *k, const struct xy_book_peer *p,
		    xy_nsec now);
// Its slot is free as soon as no route leads there, which may be later (xy_links_slots_free).
void xy_link_remove(struct xy_links *l, struct xy_link *k);
void xy_links_slots_free(struct xy_links *l); // what can be; commits the table of routes
void xy_link_start_plan(struct xy_links *l, struct xy_link *k, xy_nsec now); // when to initiate
void xy_link_renew(struct xy_links *l, struct xy_link *k, xy_nsec now);

// --- strangers.c: links that nobody configured
bool xy_links_crowded(const struct xy_links *l); // so many strangers that cookies are asked
bool xy_links_lets_in(const struct xy_links *l, const uint8_t pk[static XY_WG_KEY_LEN],
		      const struct xy_endpoint *from);
void xy_link_meet(struct xy_links *l, const struct xy_job *opened); // its key is no peer's
void xy_link_met(struct xy_links *l, const struct xy_job *job, xy_nsec now);
void xy_link_open_confirm(struct xy_links *l, struct xy_link *k, xy_nsec now); // it is there
void xy_link_open_end(struct xy_links *l, struct xy_link *k); // before it is removed
void xy_link_open_drop(struct xy_links *l, struct xy_link *k);
bool xy_link_open_evict(struct xy_links *l); // a slot is needed; false: there is none to be had
void xy_link_open_adopt(struct xy_links *l, struct xy_link *k, xy_nsec now); // it is configured now
xy_nsec xy_link_open_ends(const struct xy_links *l, const struct xy_link *k); // XY_NEVER

// --- owner.c
extern const struct xy_exchange_ops xy_link_exchange_ops;   // arg: the links
void xy_link_unmeet(struct xy_links *l, struct xy_link *k); // it goes

// --- asking.c
// Decides where the next initiation goes; again: the one before was not answered.
void xy_link_ask_place(struct xy_links *l, struct xy_link *k, bool again, xy_nsec now);
bool xy_link_is_asked_at(const struct xy_link *k, const struct xy_endpoint *at);
// Somebody says that it is there: the next initiation goes there, now or when it may.
void xy_link_ask_there(struct xy_links *l, struct xy_link *k, const struct xy_endpoint *at,
		       xy_nsec now);
// Its initiation is refused for an old time stamp.
void xy_link_ask_back(struct xy_links *l, struct xy_link *k, const struct xy_endpoint *at,
		      xy_nsec now);

// --- trouble.c
void xy_link_trouble_over(struct xy_link *k);
const char *xy_link_trouble_text(const struct xy_link *k, xy_nsec heard); // NULL: none
xy_nsec xy_link_trouble_due(const struct xy_links *l, const struct xy_link *k);
void xy_link_trouble_unanswered(struct xy_links *l, struct xy_link *k, xy_nsec now);
void xy_link_trouble_busy(struct xy_link *k, const struct xy_endpoint *from, xy_nsec now);
void xy_link_trouble_icmp(struct xy_links *l, const struct xy_dp_event *ev, xy_nsec now);
void xy_link_trouble_secret(struct xy_link *k, const struct xy_endpoint *from, xy_nsec now);
void xy_link_trouble_answered(struct xy_link *k, const struct xy_endpoint *from, xy_nsec now);
void xy_links_trouble_other_key(struct xy_links *l, const struct xy_endpoint *from, xy_nsec now);
void xy_links_trouble_unknown(struct xy_links *l, const struct xy_job *job, xy_nsec now);
// Its time stamp is older than the newest of before.
void xy_link_trouble_stamp(struct xy_links *l, struct xy_link *k, const uint8_t *stamp,
			   const struct xy_endpoint *from, xy_nsec now);
void xy_link_clock_compare(struct xy_links *l, struct xy_link *k, const uint8_t *stamp,
			   xy_nsec now);
// Whether clock.apart still tells anything.
bool xy_link_clock_known(const struct xy_links *l, const struct xy_link *k, xy_nsec now);
// Says whose it was; it is counted.
void xy_link_refused(struct xy_link *k, enum xy_hs_drop why, const struct xy_endpoint *from,
		     xy_nsec now);

// --- endpoints.c
void xy_link_endpoints_set(struct xy_links *l, struct xy_link *k, const struct xy_config_peer *p,
			   xy_nsec now);
void xy_link_endpoints_free(struct xy_links *l, struct xy_link *k);
void xy_link_endpoints_ask(struct xy_links *l, struct xy_link *k, xy_nsec now); // names
// Without a session: the next place where it may be, or that one.
void xy_link_endpoint_next(struct xy_links *l, struct xy_link *k);
void xy_link_endpoint_try(struct xy_links *l, struct xy_link *k, const struct xy_endpoint *at);
void xy_link_remote_known(struct xy_links *l, struct xy_link *k); // what it has is a peer's
// An authenticated message came from there.
void xy_link_endpoint_learn(struct xy_links *l, struct xy_link *k, const struct xy_endpoint *remote,
			    const struct xy_dp_heard *heard, xy_nsec now);
// Nothing comes from there any more: in case where we send from is the cause, it is chosen anew.
void xy_link_heard_forget(struct xy_links *l, struct xy_link *k);
// From which prefixes outside the mesh a node may send; what did not change is told again. -ENOMEM.
// -errno: nothing is accepted till it is told again.
int xy_link_accepts_tell(struct xy_links *l, struct xy_link *k);
void xy_links_accepts_again(struct xy_links *l, xy_nsec now);
// Tells the dataplane, with the way there asked again; what did not change is not told again.
int xy_link_endpoint_publish(struct xy_links *l, struct xy_link *k);

// --- size.c
// Decides on sizes: of what is known of the way, makes what the dataplane is told.
void xy_link_size(struct xy_link *k, struct xy_dp_peer *p);
void xy_link_room_count(struct xy_links *l, struct xy_link *k); // its size or place may be another

// --- apply.c
void xy_links_apply_run(struct xy_links *l, unsigned max, xy_nsec now); // steps, a route each
bool xy_links_apply_due(const struct xy_links *l);
void xy_links_apply_failed(struct xy_links *l, int result, const struct xy_err *err);

// --- routes.c: a step each; true: max is used up
bool xy_links_routes_run(struct xy_links *l, unsigned *max);
bool xy_links_routes_sweep(struct xy_links *l, unsigned *max);
void xy_links_routes_clear(struct xy_links *l);
