// SPDX-License-Identifier: BSD-3-Clause
// The state behind babel.h. One thread; all objects live in pools and are named by number, 0 for
// none. Who uses what:
//   dest    a prefix, or outside 200::/7 a mapping (prefix, origin key): its routes, what is
//   selected,
//           what was announced. A prefix there has a head, the dest without a key, that holds plain
//           routes and our own announcement, lists the mappings (kin), and says which is followed
//   route   what one neighbour said about a dest (RFC 8966 section 3.2.6), 64 bytes at most
//   source  a feasibility distance (3.2.5), chained to its dest
//   proof   a verified claim; all routes with the same (prefix, router-id, seqno) share it
//   origin  a key with the highest epoch seen; era: one of its epochs and the router-id of that
//   job     a claim on its way through verification; wait: an Update that waits for one
//   own     what we announce; out: an Update on its way to one neighbour; req: a seqno request
#pragma once

#include "babel/babel.h"
#include "babel/pool.h"

#include <assert.h>
#include <stdlib.h>

enum {
	HELLO_CS = 400,
	SLOTS = 8,	     // Update packets on their way to one neighbour
	TRIES = 5,	     // copies of one (RFC 8966 section 3.7.2)
	BACKLOG = 1024,	     // actions that wait to be taken, before packets and timers wait, too
	BUDGET = 1024,	     // steps of bulk work, and of timers, per call: under 1 ms
	ITEMS = 256,	     // small TLVs that wait for one neighbour
	OPEN_KEYS = 256,     // that an open neighbour alone brought, and that are remembered
	FLAPS = 1 << 18,     // pairs of neighbour and dest that are watched
	ANSWERED = 1 << 16,  // pairs of key and neighbour whose last answer is remembered
	ACKS = 64,	     // Acknowledgment Requests answered of one packet
	WAITS = 4096,	     // Updates that wait for verification, per neighbour; and its claims
	JOBS = 65536,	     // claims that are being verified, all together
	OPEN_WAITS = 256,    // of an open neighbour,
	OPEN_JOBS = 16384,   // and at so many others come first: 0.6 s on two helpers
	SOURCES = 64,	     // feasibility distances of a prefix of a plain domain
	KEY_SOURCES = 8,     // of a signed one: all are named by one retraction
	HOLD_MAX_CS = 20000, // centiseconds: of a retracted prefix, without answers
	RIPE_CS = 1600,	     // until a better source of a prefix is followed
	WANTS = 1000,	     // destinations a stub asks for at a time
	WANT_SHARES = 256,   // sources are told apart by so many values of a keyed hash
	INTERESTS = 65536,   // answers that a relay remembers for one stub
	GOODBYES = 2,	     // to each neighbour
	QUICK_HELLOS = 5,    // to one that was just heard
};

// A new or lost destination or source is told at once, several in one packet. A metric that moved
// waits a little: while it finds its best path, each step on the way would be told.
static const xy_nsec URGENT = 20 * XY_MSEC;
static const xy_nsec DEST_TICK = 2 * XY_SEC;	    // reselection while a better route ripens
static const xy_nsec LONG_TICK = 30 * XY_SEC;	    // while a better route is unfeasible
static const xy_nsec SOURCE_GC = 180 * XY_SEC;	    // RFC 8966 appendix B
static const xy_nsec REQUEST_FIRST = 2 * XY_SEC;    // doubled, three times
static const xy_nsec SEQNO_PAUSE = 4 * XY_SEC;	    // between raises of a prefix's seqno
static const xy_nsec EPOCH_PAUSE = 60 * XY_SEC;	    // between raises because of a lost epoch
static const xy_nsec WITHDRAW_PAUSE = 600 * XY_SEC; // between raises because of a withdrawal
static const xy_nsec RETIRE = 60 * XY_SEC;	    // of routes under an older epoch
static const xy_nsec ANSWER_PAUSE = 4 * XY_SEC;	    // between answers to an old epoch
static const xy_nsec START_WAIT = 10 * XY_SEC;
static const xy_nsec ORIGIN_GC = 86400 * XY_SEC;
static const xy_nsec PROOF_GC = 60 * XY_SEC; // of a claim that no neighbour has a route by
// Bytes of packets that wait: of one neighbour, of one that nobody configured, and of all.
static const size_t IN_EACH = 1 << 20, IN_OPEN = 1 << 16, IN_ALL = 16 << 20;

struct list {
	uint32_t head, tail;
};

// Neighbours that wait for their turn at something, each once (turns.c): what it costs to find the
// next is nothing, however many there are.
enum { TURN_BULK, TURN_IN, TURNS };

struct turns {
	struct neigh *first, *last;
};

struct turn {
	struct neigh *prev, *next;
	bool waits;
};

struct route {
	uint32_t dest, proof; // proof 0: unsigned
	uint32_t hnext, dnext, dprev, nnext, nprev, tpos;
	uint64_t rid;
	uint32_t heard; // centiseconds: last update
	uint16_t neigh, seqno, refmetric, interval;
	uint16_t smooth;    // RFC 8966 appendix A.3
	uint16_t smooth_at; // seconds
	uint16_t gen;	    // another one than its neighbour's: retracted with all the others
	uint16_t doubt_seqno, doubt_metric; // an unfeasible update that was not taken yet
	uint8_t asked : 1, doubted : 1;
	uint8_t held; // it flapped, and waits: nothing follows it
};
static_assert(sizeof(struct route) <= 64, "100,000 routes from each of 16 neighbours");

struct source {
	uint64_t rid;
	uint32_t dest, next, tpos;
	uint16_t seqno, metric;
};

// Whose share of the table something counts against: the neighbour that alone brought it. serial 0:
// nobody's. The neighbour may be gone, and its id another's.
struct charge {
	uint32_t serial;
	uint16_t neigh;
	bool open; // of those together that nobody configured
};

struct dest {
	struct xy_prefix prefix;
	bool was_own;	   // withdrawn by us: everyone is told
	bool was_external; // brought into the mesh by us once: mesh neighbours are told
	bool held;	   // retracted, and not yet everywhere
	bool told;	   // a ROUTE action is standing
	bool valid;	   // something is selected
	uint8_t hop_count;
	uint8_t source_count;
	uint32_t hnext, tpos, routes, selected, own, sources, reqs;
	uint32_t pending;   // out objects
	uint32_t users;	    // requests, interests, wants, kin
	uint32_t announced; // proof of what is selected
	uint32_t origin;    // of a mapping; 0: a prefix of 200::/7, or a head
	union {
		struct {
			uint32_t followed;     // itself or one of its kin
			uint32_t kin, kin_end; // mappings that accept names come first
		};
		struct {
			uint32_t head, knext, kprev;
		};
	};
	struct charge charge; // until somebody else has brought it, too
	uint64_t version;     // position in the log + 1; 0 = not in it
	uint64_t rid;	      // of what is selected
	uint16_t seqno, metric, logged_metric;
	uint16_t hops[XY_BABEL_HOPS];
	bool used;	// mapping: our accept list names it
	bool ripening;	// head: a better mapping is known
	bool no_room;	// head: what is followed has no place in the table of routes
	uint32_t since; // centiseconds: held, or ripening
};

struct era {
	uint64_t rid;
	uint32_t origin, epoch, hnext, refs;
};

struct proof {
	uint32_t hnext, dest, origin, era, onext, oprev, refs, tag;
	uint32_t inext, iprev; // among those that no route has, oldest first
	uint32_t idle_at;      // centiseconds: since then
	uint16_t seqno;
	uint8_t flags;
	bool idle;
	uint8_t signature[64];
};

struct origin {
	struct xy_key ed25519, x25519;
	uint32_t hnext, xnext, tpos;
	uint32_t dnext, dprev;	      // among those without a live route, oldest first (dead_list)
	uint32_t proofs, proof_count; // proof_count: those that are not idle
	uint32_t dest_count : 31, dead : 1;
	uint32_t retiring; // proof that a walk over the older ones comes to next
	struct charge charge;
	uint32_t epoch, prefer, era;
	uint64_t rid;	// in that epoch
	uint32_t shown; // the proof that shows it; 0: a claim that has none does, or nothing
	uint32_t kept;	// that claim
	xy_nsec retire_at, dead_since;
};

struct kept { // a claim that shows an epoch, and is in nobody's proof
	struct xy_babel_claim claim;
};

struct job {
	struct xy_babel_claim claim;
	uint32_t hnext, waits, serial;
	uint16_t neigh; // who brought it first; nobody may wait for it any more
};

struct wait {
	uint32_t job, next, hnext;
	uint16_t neigh, gen, metric, interval;
};

struct own {
	uint32_t dest, tpos, serial;
	bool live, wanted; // wanted: a raise waits for its turn
	bool external, aggregate, ready, signing;
	uint32_t tag;
	uint64_t rid;		    // as announced now
	uint16_t seqno, want_seqno; // as announced now, and as asked for
	uint32_t epoch;
	struct xy_babel_claim next; // at the signer
	uint8_t signature[64];
	xy_nsec raised;
};

enum out_state { OUT_QUEUED, OUT_FLIGHT, OUT_LATER };

struct out {
	uint32_t dest, hnext, prev, next;
	uint16_t neigh, gen; // another one than its neighbour's: to be thrown away
	uint8_t state, tries, slot;
	uint32_t origin; // carry its newest claim, should this be a retraction
	bool overlap;	 // changed again before the copy in flight was acknowledged
	xy_nsec due;
	xy_nsec since; // sent, and not acknowledged; 0: not sent
};

struct req {
	uint32_t dest, hnext, dnext, tpos;
	uint64_t rid;
	uint16_t seqno, tries;
	uint8_t hops, behalf_count;
	bool own;
	uint16_t behalf[8];
	xy_nsec since;
};

struct want {
	struct xy_prefix prefix;
	uint32_t hnext, tpos, next, prev; // next, prev: of those that wait for their turn
	uint8_t state, tries;
	uint8_t share; // by source: where it waits, and what it counts against
	uint8_t no_count;
	uint16_t no[4]; // relays that know of no route
	xy_nsec asked, used;
};

struct interest {
	uint32_t dest, hnext, tpos, next, prev; // next, prev: of the same neighbour
	uint16_t neigh;
};

struct share { // routes of one origin that one neighbour brought
	uint32_t origin, hnext, count;
	uint16_t neigh;
};

struct flap { // a neighbour took back what it had said of a dest, again and again
	uint32_t dest, hnext, next, prev; // next, prev: by `at`
	uint32_t serial;		  // the neighbour's
	uint8_t count;			  // one less each minute
	uint32_t at;			  // centiseconds: last time
	uint32_t until;			  // its next word is held back
};

struct answer {			      // a neighbour was shown the newest epoch of a key
	uint32_t origin, hnext, next; // next: answered later
	uint16_t neigh;
	xy_nsec at;
};

struct item { // a small TLV that waits for the next packet
	enum xy_babel_type type;
	uint16_t opaque;
	union {
		struct xy_babel_request request;
		struct xy_babel_update update;
	};
};

struct slot {
	uint16_t opaque;
	bool used, wildcard, full; // what the packet carries besides Updates
	uint8_t tries;
	struct list outs;
	xy_nsec sent, due;
};

struct neigh {
	uint32_t tpos;
	uint32_t serial;   // never another's
	uint16_t id, link; // our number, which others hold on to, and the caller's
	struct xy_babel_link c;
	uint32_t up_at; // its place among those that are up
	bool removed;	// by the caller: what hangs on it goes in slices, then itself
	bool up, heard;
	bool fresh;  // our wildcard retraction is still on its way to it
	bool acked;  // it has acknowledged that
	bool usable; // cost finite
	bool met;    // it was, since the link is up
	struct xy_addr addr;
	// Hellos, multicast and unicast (RFC 8966 appendix A.1)
	uint16_t hist[2], expect[2];
	xy_nsec hello_interval[2], hello_due[2], ihu_due;
	bool hello_seen[2];
	uint16_t txcost, rxcost, cost;
	uint16_t hello_seqno, hellos_sent;
	xy_nsec hello_at;
	unsigned goodbyes;	 // said to it
	bool shut;		 // xy_babel_link_shut
	bool unwanting;		 // its IHUs say that it wants no packets of us, any more;
	bool unwanting_here;	 // and one in the packet that is looked at does
	bool left;		 // and it took back all that it ever said
	uint16_t probe_opaque;	 // of the last xy_babel_link_probe,
	bool probe_sent, probed; // which was sent, and acknowledged
	// silence.c
	xy_nsec looked, received;	// last told of its traffic; last known to have sent
	xy_nsec answered;		// so that it hears us
	bool quiet;			// traffic went to it and nothing came
	xy_nsec probe_at, probed_first; // 0: no probe is due
	unsigned probes;		// since it was last heard
	bool acknowledges;		// it has, so that no answer means something
	bool silent;			// not used until hellos_left more are heard, and
	bool acked_again;		// it acknowledged something since
	bool ever;			// heard, since the link came up
	bool no_way;			// the caller knows none
	xy_nsec asked, asked_last;	// it is in doubt since; 0: it is not
	xy_nsec word_at;		// when to say that it does not hear us; 0: never
	// The notice that stands, of why it is not used; 0: it is, or never was.
	enum xy_babel_notice told;
	unsigned hellos_again, hellos_left;
	xy_nsec silent_at; // since when it is, or was last; 0: never
	// RFC 9616
	bool has_stamp;
	uint32_t stamp_theirs, stamp_ours, rtt;
	// routes
	uint32_t routes, route_count, origin_count, wait_count, job_count;
	uint32_t dests_charged, keys_charged; // what it alone brought
	struct list dead;		      // keys among them without a live route
	uint16_t gen;
	uint16_t old_gen; // the oldest one that something may still have
	uint32_t walk;	  // bulk walk over the routes; next one
	bool walk_again, limit_told;
	bool takes_back; // what is of an older generation it took back by itself
	// Updates to it
	uint64_t cursor, dump_at, dump_end;
	bool dumping, dump_again, wildcard_due, full_due; // full: ask for its table
	xy_nsec dump_due, dumped, flush_at, later_due;
	unsigned wildcard_tries;
	uint32_t ack_rtt; // microseconds
	// It left Updates without acknowledgment for a minute: nothing waits for it any more.
	bool gave_up;
	xy_nsec turned_at;  // it became usable, or ceased to be
	xy_nsec gave_up_at; // last time that it did
	uint64_t mark;	    // where the log ended at mark_at
	xy_nsec mark_at;
	struct slot *slots; // [SLOTS], from the first one that is taken; NULL: none ever was
	uint16_t out_gen;
	struct list queue, later[2], trash; // later: by due, one list per delay
	uint16_t opaque;
	struct item *items;
	unsigned item_count, item_size;
	// Packets that wait until actions were taken
	struct waiting *in, *in_last;
	size_t in_bytes;
	bool skipped; // an Update of the packet at hand was refused for lack of room: no Ack
	uint32_t interests, interest_count;
	struct turn turn[TURNS];
	// requests: tokens of 1/16
	uint32_t tokens;
	xy_nsec tokens_at;
	struct xy_babel_link_info info;
};

enum timer {
	T_ROUTE,
	T_SOURCE,
	T_DEST,
	T_REQ,
	T_NEIGH,
	T_ORIGIN,
	T_OWN,
	T_WANT,
	T_INTEREST,
	T_GLOBAL
};
enum { TIMER_SHIFT = 28 };

struct action {
	struct xy_babel_action a;
	size_t offset; // SEND: into bytes
	bool stamped;  // it begins with a Hello with a Timestamp
};

struct actions { // that wait to be taken
	struct action *v;
	size_t at, count, size;
	uint64_t taken; // ever
	uint8_t *bytes; // of packets
	size_t byte_count, byte_size;
};

struct waiting { // a packet whose Updates were not looked at yet; a copy has its data behind it
	struct waiting *next;
	struct xy_addr from;
	const uint8_t *data;
	size_t len;
};

enum { LOG_CHUNK = 510 };

struct log_chunk {
	uint64_t base;
	uint32_t count, live; // entries, and those among them that are no holes
	struct {
		uint32_t dest, offset; // 0: overtaken; position beyond base, rising
	} entries[LOG_CHUNK];
};

struct log {
	struct log_chunk **chunks;
	uint32_t count, size;
	uint64_t end;
};

struct xy_babel {
	struct xy_babel_config c;
	xy_nsec now, start, global_at;
	xy_nsec arrived; // the packet at hand, at the worker
	uint32_t global_tpos;
	uint64_t random;
	bool starting;
	bool leaving; // xy_babel_goodbye
	bool doubts;  // some link is in doubt: xy_babel_look_soon
	struct pool dests, routes, sources, proofs, origins, kepts, eras, jobs, waits, owns, outs,
		reqs, wants, interests, shares, answers, flaps;
	struct map dest_map, route_map, proof_map, origin_map, x_map, era_map, job_map, wait_map,
		out_map, req_map, want_map, interest_map, share_map, answer_map, flap_map;
	struct heap timers, hellos; // hellos: of neighbours, which wait for nothing else
	struct log log;
	// Origins without a live route, oldest first: several have brought them; or one that is
	// gone.
	struct list dead, orphans;
	uint32_t open_charged;	// dests that open neighbours brought, each alone
	struct list idle;	// proofs that no route has, oldest first
	struct list flapped;	// flaps, longest ago first
	struct list answered;	// pairs of key and neighbour, oldest first
	bool touched, urgent;	// the log; by more than a metric
	xy_nsec tell_at;	// when neighbours are told of it; XY_NEVER: there is nothing
	bool telling;		// they are being
	uint32_t tell_left;	// of those whose link is up, from the last down
	uint32_t serial, sweep; // sweep: next dest of a walk over all of them
	bool sweeping;
	struct turns turns[TURNS];
	uint64_t until;			// where stats.steps may be when a call ends its bulk work
	uint32_t resign;		// next own to be signed for a new epoch
	uint32_t mappings, valid_count; // dests with an origin; with something selected
	uint32_t unaccepted;		// mappings that accept does not name
	// epoch
	uint32_t epoch, epoch_asked;
	uint32_t unmet; // preferred origins that no claim has come of
	uint64_t rid, old_rids[KEY_SOURCES];
	unsigned old_rid_at;
	uint16_t max_seqno;
	bool dropped; // something that was announced in this epoch is not any more
	bool withdrawn, lost_pending;
	uint32_t lost_epoch;
	xy_nsec epoch_raised, withdraw_raised;
	uint32_t aggregate_dest;
	struct xy_babel_accept *accept;
	unsigned accept_count;
	// a stub's questions
	unsigned asking; // wants not answered yes
	uint16_t asking_of[WANT_SHARES];
	struct list want_queue[WANT_SHARES];
	unsigned want_waiting, want_turn;
	xy_nsec ask_at;	       // when the questions so far are paid for
	struct neigh **neighs; // by id
	struct neigh **up;     // those whose link is
	uint16_t *free_ids;    // a stack
	uint32_t neigh_size, up_count, free_id_count;
	uint16_t *by_link; // id + 1
	uint32_t by_link_size;
	uint64_t event, reached_event, reached; // how far all neighbours have read the log
	unsigned neigh_count;
	uint32_t neigh_serial, slot_sets;
	struct actions first, rest; // first: Hellos and probes
	struct xy_babel_action given;
	uint8_t *stamp;	   // the packet given, if it begins with a Hello with a Timestamp
	uint32_t in_count; // packets that wait, of all neighbours
	size_t in_bytes;
	struct xy_babel_stats stats;
};

#define DEST(b, i)     ((struct dest *)babel_pool_at(&(b)->dests, (i)))
#define ROUTE(b, i)    ((struct route *)babel_pool_at(&(b)->routes, (i)))
#define SOURCE(b, i)   ((struct source *)babel_pool_at(&(b)->sources, (i)))
#define PROOF(b, i)    ((struct proof *)babel_pool_at(&(b)->proofs, (i)))
#define ORIGIN(b, i)   ((struct origin *)babel_pool_at(&(b)->origins, (i)))
#define KEPT(b, i)     ((struct kept *)babel_pool_at(&(b)->kepts, (i)))
#define ERA(b, i)      ((struct era *)babel_pool_at(&(b)->eras, (i)))
#define JOB(b, i)      ((struct job *)babel_pool_at(&(b)->jobs, (i)))
#define WAIT(b, i)     ((struct wait *)babel_pool_at(&(b)->waits, (i)))
#define OWN(b, i)      ((struct own *)babel_pool_at(&(b)->owns, (i)))
#define OUT(b, i)      ((struct out *)babel_pool_at(&(b)->outs, (i)))
#define REQ(b, i)      ((struct req *)babel_pool_at(&(b)->reqs, (i)))
#define WANT(b, i)     ((struct want *)babel_pool_at(&(b)->wants, (i)))
#define INTEREST(b, i) ((struct interest *)babel_pool_at(&(b)->interests, (i)))
#define SHARE(b, i)    ((struct share *)babel_pool_at(&(b)->shares, (i)))
#define FLAP(b, i)     ((struct flap *)babel_pool_at(&(b)->flaps, (i)))
#define ANSWER(b, i)   ((struct answer *)babel_pool_at(&(b)->answers, (i)))

#define XY_BABEL_POOLS(b)                                                                   \
	&(b)->dests, &(b)->routes, &(b)->sources, &(b)->proofs, &(b)->origins, &(b)->kepts, \
		&(b)->eras, &(b)->jobs, &(b)->waits, &(b)->owns, &(b)->outs, &(b)->reqs,    \
		&(b)->wants, &(b)->interests, &(b)->shares, &(b)->answers, &(b)->flaps
#define XY_BABEL_MAPS(b)                                                                    \
	&(b)->dest_map, &(b)->route_map, &(b)->proof_map, &(b)->origin_map, &(b)->x_map,    \
		&(b)->era_map, &(b)->job_map, &(b)->wait_map, &(b)->out_map, &(b)->req_map, \
		&(b)->want_map, &(b)->interest_map, &(b)->share_map, &(b)->answer_map,      \
		&(b)->flap_map

// The dest that stands for the whole prefix.
static inline uint32_t head_of(const struct xy_babel *b, uint32_t dest)
{
	return DEST(b, dest)->origin ? DEST(b, dest)->head : dest;
}

// The next dest of a prefix, after its head or one of its kin; 0 at the end.
static inline uint32_t kin_next(const struct xy_babel *b, uint32_t dest)
{
	return DEST(b, dest)->origin ? DEST(b, dest)->knext : DEST(b, dest)->kin;
}

// The neighbour that a charge is against; NULL: none, or it is gone.
static inline struct neigh *charged(const struct xy_babel *b, const struct charge *c)
{
	struct neigh *n = c->serial && c->neigh < b->neigh_size ? b->neighs[c->neigh] : NULL;
	return n && n->serial == c->serial ? n : NULL;
}

static inline bool seqno_above(uint16_t a, uint16_t b) // a > b, modulo 2^16
{
	return (int16_t)(uint16_t)(a - b) > 0;
}

static inline uint32_t centiseconds(xy_nsec t)
{
	return (uint32_t)(t / (10 * XY_MSEC));
}

// babel.c: timers and actions. Every event begins with enter and ends with leave.
void xy_babel_enter(struct xy_babel *b, xy_nsec now);
void xy_babel_leave(struct xy_babel *b);
void babel_timer_set(struct xy_babel *b, enum timer kind, uint32_t i, xy_nsec at);
void babel_timer_stop(struct xy_babel *b, enum timer kind, uint32_t i);
xy_nsec babel_timer_at(const struct xy_babel *b, uint32_t tpos);
xy_nsec babel_jitter(struct xy_babel *b, xy_nsec around); // 3/4 to 5/4 of it
struct xy_babel_action *babel_action_add(struct xy_babel *b, enum xy_babel_action_kind kind);
// NULL: no memory. soon: it overtakes whatever waits.
struct action *babel_action_send(struct xy_babel *b, struct neigh *n, bool soon, bool multicast,
				 const uint8_t *data, size_t len);
bool babel_actions_full(
	const struct xy_babel *b); // so many wait to be taken that no more should come
void babel_notice(struct xy_babel *b, enum xy_babel_notice code, const struct neigh *n,
		  const struct xy_prefix *p, const struct xy_key *key);
uint32_t babel_hash_bytes(const struct xy_babel *b, const void *data, size_t len);
void babel_global_at(struct xy_babel *b, xy_nsec at);
void babel_bulk_wanted(struct xy_babel *b, struct neigh *n);
void babel_sweep_start(struct xy_babel *b);
struct neigh *babel_neigh_of(const struct xy_babel *b, uint32_t id);
struct neigh *babel_link_of(const struct xy_babel *b, uint32_t link);
void babel_link_free(struct xy_babel *b, struct neigh *n);
void babel_in_drop(struct xy_babel *b, struct neigh *n); // its packets that wait

// turns.c
void babel_turn_wait(struct xy_babel *b, struct neigh *n,
		     unsigned kind); // last of all, unless it waits already
struct neigh *babel_turn_take(struct xy_babel *b, unsigned kind); // NULL: none waits
void babel_turn_leave(struct xy_babel *b, struct neigh *n, unsigned kind);

static inline bool steps_left(const struct xy_babel *b)
{
	return b->stats.steps < b->until;
}
#define FOR_SLOTS(n, s) for (struct slot *s = (n)->slots; s && s < (n)->slots + SLOTS; s++)
// Their number is what costs, not that of those who may come.
#define FOR_UP(b, n)                                             \
	for (uint32_t n##_i = 0; n##_i < (b)->up_count; n##_i++) \
		for (struct neigh *n = (b)->up[n##_i]; n; n = NULL)
#define FOR_NEIGHS(b, n)                                           \
	for (uint32_t n##_i = 0; n##_i < (b)->neigh_size; n##_i++) \
		for (struct neigh *n = (b)->neighs[n##_i]; n; n = NULL)

// table.c
void babel_table_init(struct xy_babel *b);
void babel_table_clear(struct xy_babel *b);
// origin 0: the prefix itself; inside 200::/7 there is nothing else, whatever the origin.
uint32_t babel_dest_find(const struct xy_babel *b, const struct xy_prefix *p, uint32_t origin);
// Finds or makes; 0: full.
uint32_t babel_dest_get(struct xy_babel *b, const struct xy_prefix *p, uint32_t origin);
void babel_dest_release(struct xy_babel *b, uint32_t i);	   // frees it when nothing needs it
void babel_dest_use(struct xy_babel *b, uint32_t dest, bool used); // accept names this mapping
uint32_t babel_route_find(const struct xy_babel *b, uint32_t dest, const struct neigh *n);
uint32_t babel_route_add(struct xy_babel *b, uint32_t dest, struct neigh *n); // 0: full
void babel_route_drop(struct xy_babel *b, uint32_t i);			      // does not reselect
uint32_t babel_source_find(const struct xy_babel *b, const struct dest *d, uint64_t rid);
bool babel_source_update(struct xy_babel *b, uint32_t dest, uint64_t rid, uint16_t seqno,
			 uint16_t metric);
void babel_source_expire(struct xy_babel *b, uint32_t i);
// Room for a distance of this router-id. false: there is none.
bool babel_source_room(struct xy_babel *b, uint32_t dest, uint64_t rid, bool is_signed);
void babel_log_touch(struct xy_babel *b, uint32_t dest, bool urgent);
void babel_log_remove(struct xy_babel *b, uint32_t dest);
uint64_t babel_log_end(const struct xy_babel *b);
// The first entry at or after *at, whose position it becomes; 0 and the end when there is none.
uint32_t babel_log_next(const struct xy_babel *b, uint64_t *at);
void babel_log_clear(struct xy_babel *b);
void babel_sources_age(struct xy_babel *b, uint32_t dest);

uint32_t babel_wait_key(const struct xy_babel *b, uint16_t neigh, const struct xy_prefix *p,
			uint64_t rid);

// neigh.c
void babel_neigh_hello(struct xy_babel *b, struct neigh *n, const struct xy_babel_hello *h);
void babel_neigh_ihu(struct xy_babel *b, struct neigh *n, const struct xy_babel_ihu *ihu,
		     const struct xy_babel_hello *hello);
void babel_neigh_timer(struct xy_babel *b, struct neigh *n);
void babel_neigh_arm(struct xy_babel *b, struct neigh *n);
void babel_neigh_forget(struct xy_babel *b, struct neigh *n); // it lost its state, or we lose it
void babel_neigh_cost(struct xy_babel *b, struct neigh *n);
void babel_neigh_goodbye(struct xy_babel *b, struct neigh *n); // it said so
bool babel_neigh_retract_all(struct xy_babel *b, struct neigh *n);
bool babel_neigh_work(struct xy_babel *b, struct neigh *n); // true: there is more
void babel_start_check(struct xy_babel *b);

// silence.c
void babel_silence_stop(struct neigh *n);
void babel_silence_heard(struct neigh *n, xy_nsec at);	       // a packet of it arrived then
void babel_silence_acked(struct xy_babel *b, struct neigh *n); // with an Acknowledgment
void babel_silence_hello(struct xy_babel *b, struct neigh *n);
void babel_silence_timer(struct xy_babel *b, struct neigh *n);
void babel_silence_over(struct xy_babel *b, struct neigh *n); // it is used (again)
void babel_silence_lost(struct xy_babel *b, struct neigh *n); // it is not used any more
void babel_silence_ask(struct xy_babel *b, struct neigh *n);  // is it there?

// select.c
uint16_t babel_route_metric(const struct xy_babel *b, const struct route *r);
bool babel_route_feasible(const struct xy_babel *b, const struct route *r);
bool babel_update_feasible(const struct xy_babel *b, const struct dest *d, uint64_t rid,
			   uint16_t seqno, uint16_t metric);
bool babel_dest_used(const struct dest *d);
void babel_dest_accept(struct xy_babel *b, uint32_t dest); // looks at the accept list again
void babel_dest_select(struct xy_babel *b, uint32_t dest);
void babel_dest_timer(struct xy_babel *b, uint32_t dest);
void babel_dest_room(struct xy_babel *b, uint32_t head, bool room);
void babel_dest_withdrawn(struct xy_babel *b, uint32_t dest); // our own prefix is gone

// update.c
void babel_refuse(struct xy_babel *b, struct neigh *n, enum xy_babel_refusal why);
void babel_update_receive(struct xy_babel *b, struct neigh *n, const struct xy_babel_update *u);
void babel_update_apply(struct xy_babel *b, struct neigh *n, const struct xy_prefix *p,
			uint32_t proof, uint64_t rid, uint16_t seqno, uint16_t metric,
			uint16_t interval);
void babel_route_timer(struct xy_babel *b, uint32_t i);

// origin.c: keys, claims, verification
uint32_t babel_origin_find(const struct xy_babel *b, const uint8_t ed25519[32]);
uint32_t babel_origin_by_key(const struct xy_babel *b, const struct xy_key *x25519);
uint32_t babel_origin_by_rid(const struct xy_babel *b,
			     uint64_t rid);		// in any epoch that has routes
void babel_origin_idle(struct xy_babel *b, uint32_t i); // nothing lives of it, perhaps
void babel_origin_timer(struct xy_babel *b, uint32_t i);
bool babel_origin_room(struct xy_babel *b, const struct neigh *n, uint32_t origin);
// For a route to dest (0: a new one) of this origin.
bool babel_route_room(struct xy_babel *b, const struct neigh *n, uint32_t dest, uint32_t origin,
		      uint32_t waiting);
void babel_origins_orphan(struct xy_babel *b, struct neigh *n); // n is about to go
void babel_share_add(struct xy_babel *b, struct neigh *n, uint32_t origin);
void babel_share_drop(struct xy_babel *b, struct neigh *n, uint32_t origin);
void babel_proof_hold(struct xy_babel *b, uint32_t i);
void babel_proof_drop(struct xy_babel *b, uint32_t i);
void babel_proofs_expire(struct xy_babel *b);
void babel_claim_receive(struct xy_babel *b, struct neigh *n, const struct xy_babel_update *u);
void babel_wait_cancel(struct xy_babel *b, struct neigh *n, const struct xy_prefix *p,
		       uint64_t rid);
// The claim that shows the newest epoch of an origin. false: there is none, or was no memory.
bool babel_origin_shown(const struct xy_babel *b, uint32_t origin, struct xy_babel_claim *out);
void babel_proof_claim(const struct xy_babel *b, const struct proof *p, struct xy_babel_claim *out);

// flap.c: what comes and goes again and again is held back
void babel_flap_note(struct xy_babel *b, uint32_t route); // its neighbour takes it back
xy_nsec babel_flap_hold(struct xy_babel *b, const struct neigh *n,
			uint32_t dest); // until then; 0: not
void babel_flaps_expire(struct xy_babel *b);

// answer.c
bool babel_answer_due(struct xy_babel *b, const struct neigh *n,
		      uint32_t origin); // and it is given now

// own.c
uint32_t babel_own_external(struct xy_babel *b, uint32_t dest, uint32_t tag);
void babel_own_drop(struct xy_babel *b, uint32_t i);
void babel_own_current(const struct own *o, uint64_t *rid, uint16_t *seqno);
bool babel_own_request(struct xy_babel *b, uint32_t i, uint16_t seqno); // true: it will be raised
void babel_own_timer(struct xy_babel *b, uint32_t i);
bool babel_own_foreign(const struct xy_babel *b, const struct xy_babel_claim *c); // under our key
void babel_own_seen(struct xy_babel *b, const struct xy_babel_claim *c); // verified, under our key
bool babel_own_rid(const struct xy_babel *b, uint64_t rid);		 // ours, now or before
void babel_own_aggregate(struct xy_babel *b);
void babel_own_global(struct xy_babel *b);
void babel_own_resign(struct xy_babel *b); // a slice of it

// send.c
void babel_send_flush(struct xy_babel *b, struct neigh *n);
void babel_send_hello(struct xy_babel *b, struct neigh *n);
bool babel_goodbye_due(const struct xy_babel *b, const struct neigh *n); // with its next Hello
void babel_send_probe(struct xy_babel *b, struct neigh *n); // an Acknowledgment Request, at once
void babel_send_soon(struct xy_babel *b, struct neigh *n, xy_nsec delay);
void babel_send_item(struct xy_babel *b, struct neigh *n, const struct item *item);
void babel_send_one(struct xy_babel *b, struct neigh *n, uint32_t dest); // an Update of its own
void babel_send_answer(struct xy_babel *b, struct neigh *n, uint32_t origin);
void babel_send_raw(struct xy_babel *b, struct neigh *n, const struct xy_babel_update *u);
void babel_send_ack(struct xy_babel *b, struct neigh *n, uint16_t opaque);
void babel_send_dump(struct xy_babel *b, struct neigh *n);
void babel_send_full_request(struct xy_babel *b, struct neigh *n); // until it is acknowledged
void babel_send_forget(struct xy_babel *b, struct neigh *n);
// As long as a neighbour is heard: does it acknowledge what it is told?
void babel_send_judge(struct xy_babel *b, struct neigh *n);
bool babel_send_trash(struct xy_babel *b, struct neigh *n); // true: there is more
void babel_send_timers(struct xy_babel *b, struct neigh *n);
xy_nsec babel_send_deadline(const struct neigh *n);
bool babel_send_reached_all(struct xy_babel *b, const struct dest *d);
bool babel_send_told(struct xy_babel *b, struct neigh *n, uint32_t dest); // is it told of dest?

// request.c
void babel_request_route(struct xy_babel *b, struct neigh *n, const struct xy_babel_request *r);
void babel_request_seqno(struct xy_babel *b, struct neigh *n, const struct xy_babel_request *r);
// Asks for a route of (dest, rid) with this seqno: at one neighbour, or at all that have one.
void babel_request_ask(struct xy_babel *b, uint32_t dest, uint64_t rid, uint16_t seqno,
		       struct neigh *only);
void babel_request_check(struct xy_babel *b, uint32_t dest); // answers those that wait for it
void babel_request_timer(struct xy_babel *b, uint32_t i);

// stub.c
uint32_t babel_interest_find(const struct xy_babel *b, uint32_t dest, const struct neigh *n);
void babel_interest_add(struct xy_babel *b, uint32_t dest, struct neigh *n);
void babel_interest_timer(struct xy_babel *b, uint32_t i);
bool babel_interest_forget(struct xy_babel *b, struct neigh *n); // true: there is more
void babel_want_found(struct xy_babel *b, const struct xy_prefix *p);
void babel_want_refuse(struct xy_babel *b, const struct xy_prefix *p, const struct neigh *n);
void babel_want_pump(struct xy_babel *b); // asks for those whose turn it is
void babel_want_timer(struct xy_babel *b, uint32_t i);
