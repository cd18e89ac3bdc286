// SPDX-License-Identifier: BSD-3-Clause
// Routing: Babel (RFC 8966) with v4-via-v6 (RFC 9229), RTT metrics (RFC 9616) and signed origins
// (docs/wire-format.md), as a pure machine: (state, event, now) -> actions. No clock, no sockets,
// no threads, no randomness of its own: the same events give the same actions.
//
// How to drive it. Call an event function; then take actions with xy_babel_action() until it gives
// NULL and carry them out; then sleep until xy_babel_deadline() or the next event, and call
// xy_babel_poll() when the deadline has come. `now` never goes back. Work that would take long
// (a neighbour with 100,000 routes went away) is cut into slices: the deadline is then simply now,
// and until it is later, routes may still name a link that was removed. No call takes more than a
// few thousand of xy_babel_stats.steps.
//
// One thread at a time. Everything is owned by struct xy_babel; what an action points at lives
// until the next call of any event function. Costs that the library leaves to the caller because
// they are long: signing and verifying (actions SIGN and VERIFY, done with xy_babel_claim_sign and
// xy_babel_claim_verify on any thread) and saving the epoch.
//
// Each link is one neighbour: a tunnel to one peer, on which both have a link-local address.
#pragma once

#include "babel/wire.h"
#include "base/time.h"
#include "identity/identity.h"

enum {
	XY_BABEL_PORT = 6696,
	XY_BABEL_HOPS = 4,	    // equal-cost next hops kept per destination
	XY_BABEL_COST = 96,	    // of a link, when the user says nothing
	XY_BABEL_OPEN_ORIGINS = 16, // what a provisional or open peer may bring
	XY_BABEL_LINKS = 65535,
	XY_BABEL_PROBE_MIN = 12,
	XY_BABEL_CLAIM_BYTES = 14 + 42 + 1 + 16 + 8 + 2, // at most
};

// ff02::1:6, where Hellos go.
extern const struct xy_addr xy_babel_group;

// Why an update, or a part of it, was not taken; counted per link.
#define XY_BABEL_REFUSALS(X)                                                                       \
	X(PACKET, packet, "no Babel packet, or not from a link-local address")                     \
	X(MALFORMED, malformed,                                                                    \
	  "TLV malformed, of unknown type, or with an unknown mandatory part")                     \
	X(MARTIAN, martian, "prefix that is never routed")                                         \
	X(MESH_PREFIX, mesh_prefix, "prefix inside 200::/7 that is not a /64")                     \
	X(UNSIGNED, unsigned, "no origin signature where one is needed")                           \
	X(BAD_KEY, bad_key, "origin key that is no valid point")                                   \
	X(NOT_OWNER, not_owner, "/64 of 200::/7 that is not the key's")                            \
	X(BAD_ROUTER_ID, bad_router_id, "router-id that is not the key's in that epoch")           \
	X(BAD_SIGNATURE, bad_signature, "signature does not verify")                               \
	X(OLD_EPOCH, old_epoch, "epoch below one seen before")                                     \
	X(BAD_EPOCH, bad_epoch, "epoch 0xffffffff")                                                \
	X(COLLISION, collision, "another key for a /64 that is in use")                            \
	X(NOT_ACCEPTED, not_accepted, "plain route outside what this link's accept allows")        \
	X(REFLECTED, reflected, "plain route that came from this mesh: ours, said back to us")     \
	X(ORIGIN_LIMIT, origin_limit, "more origins than this link may bring")                     \
	X(ROUTE_LIMIT, route_limit, "more routes than this link, an origin or the table may hold") \
	X(BUSY, busy, "too many updates wait for verification")                                    \
	X(REQUEST_LIMIT, request_limit, "more requests than a neighbour may send")                 \
	X(OVERRUN, overrun, "packets faster than what follows from them can be done")              \
	X(NOT_HEARD, not_heard, "from a neighbour whose Hellos were not heard, yet or any more")

enum xy_babel_refusal {
#define X(name, text, meaning) XY_BABEL_REFUSED_##name,
	XY_BABEL_REFUSALS(X)
#undef X
		XY_BABEL_REFUSAL_COUNT
};
const char *xy_babel_refusal_name(enum xy_babel_refusal r);
const char *xy_babel_refusal_text(enum xy_babel_refusal r);

// ---- Claims: what an origin signs ----

struct xy_babel_claim {
	struct xy_prefix prefix;
	uint64_t rid;
	uint16_t seqno;
	struct xy_babel_origin origin;
};

// BLAKE2b-64 over "xylem-rid-v1" || X25519 key || epoch.
uint64_t xy_babel_router_id(const struct xy_key *x25519, uint32_t epoch);
// The bytes under the signature; returns how many.
size_t xy_babel_claim_bytes(const struct xy_babel_claim *c,
			    uint8_t out[static XY_BABEL_CLAIM_BYTES]);
void xy_babel_claim_sign(struct xy_babel_claim *c, const uint8_t ed25519_sk[static 64]);
// Everything that can be said about a claim without state: the key is a point (-EINVAL), a /64 in
// 200::/7 is the key's (-EPERM), the router-id is the key's in this epoch (-ESTALE), the signature
// verifies (-EBADMSG). Writes the X25519 form of the key, also when a later check fails. 72 us.
int xy_babel_claim_verify(const struct xy_babel_claim *c, struct xy_key *x25519);
// max(saved + 1, Unix seconds), never 0xffffffff. Save the result before xy_babel_new.
uint32_t xy_babel_epoch_first(uint32_t saved, uint64_t unix_seconds);

// ---- Actions ----

enum xy_babel_action_kind {
	XY_BABEL_SEND,	     // one UDP datagram, port 6696 both ends, hop limit 1
	XY_BABEL_ROUTE,	     // forwarding state of a prefix changed: the best of what we use
	XY_BABEL_VERIFY,     // -> xy_babel_verified
	XY_BABEL_SIGN,	     // -> xy_babel_signed
	XY_BABEL_SAVE_EPOCH, // -> xy_babel_epoch_saved
	XY_BABEL_NOTICE,     // worth a log line
};

enum xy_babel_route_kind {
	XY_BABEL_VIA,	      // to the next hops
	XY_BABEL_UNREACHABLE, // must not follow a shorter prefix (RFC 8966 section 2.8)
	XY_BABEL_GONE,	      // nothing is known of it any more
};

struct xy_babel_route {
	struct xy_prefix prefix;
	enum xy_babel_route_kind kind;
	unsigned hop_count; // flows are spread over these by hash; the first one is the selected
	uint16_t hops[XY_BABEL_HOPS]; // links
	uint16_t metric, seqno;
	uint64_t rid;
	bool used;    // always: a mapping that our accept list does not name is passed on to
		      // neighbours, but no ROUTE action tells of it
	bool has_key; // false: from a plain neighbour, or the aggregate
	bool external;
	bool preferred;	   // its origin is (xy_babel_origin_prefer)
	struct xy_key key; // X25519 of the origin
	uint32_t epoch, tag;
};

enum xy_babel_notice {
	XY_BABEL_NOTICE_TWO_NODES,  // another node announces with our key
	XY_BABEL_NOTICE_EPOCH_LOST, // our saved epoch was behind: gone above it
	XY_BABEL_NOTICE_COLLISION,  // a second key for a /64
	XY_BABEL_NOTICE_LIMIT,	    // a link reached its limit of origins or routes
	XY_BABEL_NOTICE_NO_ANSWER,  // a wanted destination is not known to any relay
	XY_BABEL_NOTICE_STARTED,    // the wait at start is over
	XY_BABEL_NOTICE_SILENT,	    // a neighbour answers nothing any more: not used
	XY_BABEL_NOTICE_HEARD,	    // and is used again
	XY_BABEL_NOTICE_NO_ACKS,    // a neighbour acknowledges nothing: nothing waits for it
	XY_BABEL_NOTICE_LEFT,	    // a neighbour says goodbye: not used until it is heard again
	XY_BABEL_NOTICE_LOSSY,	    // too many Hellos of a neighbour got lost: not used
	XY_BABEL_NOTICE_ONE_WAY,    // a neighbour does not hear us: not used
	XY_BABEL_NOTICE_NO_WAY,	    // the caller knows no way to it: not used
	XY_BABEL_NOTICE_MET,	    // a neighbour is used, for the first time since its link is up
	XY_BABEL_NOTICE_COUNT
};

struct xy_babel_action {
	enum xy_babel_action_kind kind;
	union {
		struct {
			uint16_t link;
			bool multicast; // to xy_babel_group, else to `to`
			struct xy_addr to;
			const uint8_t *data;
			size_t len;
		} send;
		struct xy_babel_route route;
		struct {
			uint64_t id;
			struct xy_babel_claim claim;
		} verify, sign;
		uint32_t epoch; // SAVE_EPOCH
		struct {
			enum xy_babel_notice code;
			uint16_t link;
			struct xy_prefix prefix;
			struct xy_key key;
		} notice;
	};
};

// ---- Configuration ----

struct xy_babel_accept {   // a mapping that we use: key may announce prefix and what is inside it
	struct xy_key key; // X25519
	struct xy_prefix prefix;
};

struct xy_babel_config {
	struct xy_key key, ed25519; // ours: X25519 and Ed25519, public
	uint32_t epoch;		    // saved already
	uint8_t secret[16];	    // random: keys the hash tables and the jitter
	bool stub;		    // no table of our own: ask relays
	uint32_t max_routes;	    // route entries, all neighbours together (0: 1 << 20)
	uint32_t max_dests;	    // prefixes and mappings (0: twice max_routes)
	uint32_t max_origins;	    // keys remembered (0: 1 << 17)
	xy_nsec hello_interval;	    // 0: 4 s
	xy_nsec hello_grid; // Hellos leave at whole multiples of it, to share wake-ups; 0: jittered
	xy_nsec update_interval; // of full updates (0: 600 s to mesh nodes, 60 s to plain ones)
};

enum xy_babel_trust { XY_BABEL_CONFIGURED, XY_BABEL_OPEN };

struct xy_babel_link {
	bool plain; // stock Babel behind it: unsigned, bounded by accept and announce
	bool stub;  // we are its relay: send the aggregate, and what it asks for
	bool relay; // we are a stub and it is our relay: its aggregate is believed
	bool no_rtt;
	enum xy_babel_trust trust;
	uint16_t cost;		 // 0: XY_BABEL_COST
	uint16_t mtu;		 // bytes of UDP payload (0: 1232)
	uint32_t max_origins;	 // 0: 16 when open, else 65536
	uint32_t max_routes;	 // 0: 16 per origin
	uint32_t max_prefixes;	 // of one origin (0: a sixteenth of max_routes)
	uint32_t tag;		 // plain: the domain behind it
	struct xy_addr local;	 // our link-local address there
	struct xy_addr remote;	 // its address (unspecified: learned from its first packet)
	struct xy_addr local_v4; // plain: IPv4 next hop (v4-mapped; unspecified: AE 4 is sent)
	const struct xy_prefix *accept; // plain: what we take and bring into the mesh (copied)
	unsigned accept_count;
	const struct xy_prefix
		*announce;	 // plain: what it is told besides our own prefixes (copied)
	unsigned announce_count; // none and announce NULL: 200::/7
};

// ---- Events ----

struct xy_babel *xy_babel_new(const struct xy_babel_config *c, xy_nsec now); // NULL: no memory
void xy_babel_free(struct xy_babel *b);

// The next action, in order; NULL when there is none.
const struct xy_babel_action *xy_babel_action(struct xy_babel *b);
// The action just given is a packet that is sent only now, after many others: its Hello says so
// (RFC 9616). Others are left as they are.
void xy_babel_send_stamp(struct xy_babel *b, xy_nsec now);
// All that waits to be taken now, and whether that was, whatever came after. For who gives a link's
// number to another link: after xy_babel_link_remove nothing new names it.
struct xy_babel_fence {
	uint64_t first, rest;
};
struct xy_babel_fence xy_babel_fence(const struct xy_babel *b);
bool xy_babel_passed(const struct xy_babel *b, const struct xy_babel_fence *f);
xy_nsec xy_babel_deadline(const struct xy_babel *b);
void xy_babel_poll(struct xy_babel *b, xy_nsec now);

// The caller numbers its links (below XY_BABEL_LINKS). -EEXIST, -ENOMEM, -ERANGE.
int xy_babel_link_add(struct xy_babel *b, uint16_t link, const struct xy_babel_link *c,
		      xy_nsec now);
void xy_babel_link_remove(struct xy_babel *b, uint16_t link, xy_nsec now);
// A session with the peer is there (Hellos start), or is gone (its routes go at once).
void xy_babel_link_up(struct xy_babel *b, uint16_t link, xy_nsec now);
void xy_babel_link_down(struct xy_babel *b, uint16_t link, xy_nsec now);
void xy_babel_link_cost(struct xy_babel *b, uint16_t link, uint16_t cost, xy_nsec now);
// As max_origins of struct xy_babel_link; its other limits follow. What is held stays.
void xy_babel_link_limit(struct xy_babel *b, uint16_t link, uint32_t max_origins, xy_nsec now);

// A datagram from the link, that arrived at the machine at `arrived`, before now by as long as the
// caller was busy: round trips are measured by it. The caller has checked that both ports are 6696
// (RFC 8966 section 4).
void xy_babel_receive(struct xy_babel *b, uint16_t link, const struct xy_addr *from,
		      const void *data, size_t len, xy_nsec arrived, xy_nsec now);

// When something authentic of the peer last came over the link, packets for xy_babel_receive among
// it and keepalives not, and when something was last sent over it that is not the node's own
// (Hellos, keepalives): so that a neighbour that is gone, or does not hear us, is noticed within
// about 3 s while there is traffic. 0: never. To be told of every link that is up, a few times a
// second.
void xy_babel_link_traffic(struct xy_babel *b, uint16_t link, xy_nsec received, xy_nsec carried,
			   xy_nsec now);
// True: some link is in doubt (since xy_babel_link_doubt, a Hello that was missed, or the last look
// at it) or one way, and xy_babel_link_traffic should be called again within 200 ms. Asked once
// after each round of looks, and after xy_babel_poll.
bool xy_babel_look_soon(struct xy_babel *b);

// Something says that the neighbour may be gone, or the way to it another (an ICMP error, a route
// that changed): it is asked at once, and found silent when it answers nothing within a second or
// so. Whatever it is and however often it comes, it costs no more than a few probes.
void xy_babel_link_doubt(struct xy_babel *b, uint16_t link, xy_nsec now);
// This host knows no way to the peer: the link is not used until there is one. Then it is used at
// once, and in doubt.
void xy_babel_link_way(struct xy_babel *b, uint16_t link, bool there, xy_nsec now);

// All is well with it, both ways, and has been for some Hellos: those to come tell nothing new if
// they come at all, and may be given to xy_babel_receive late.
bool xy_babel_link_is_well(const struct xy_babel *b, uint16_t link);

// Shut: the neighbour is heard and told of the link as before, and nothing goes over it, by us or
// by it, until it is opened again.
void xy_babel_link_shut(struct xy_babel *b, uint16_t link, bool shut, xy_nsec now);

// This node leaves: each neighbour is told twice, now and a little later, that nothing that we said
// holds any more and that we want no packets (wildcard retraction, IHU of infinite cost), by a
// Hello after which none need be waited for. From then on nothing is announced, and no Hello wants
// anything. What we know ourselves stays, so that packets on their way are still forwarded. Returns
// how many neighbours are told.
unsigned xy_babel_goodbye(struct xy_babel *b, xy_nsec now);
// Not all were told twice yet.
bool xy_babel_goodbye_due(const struct xy_babel *b);
// It does not leave after all: each neighbour is spoken with as if both had just begun.
void xy_babel_stay(struct xy_babel *b, xy_nsec now);

// Writes a packet of exactly len bytes to the neighbour's address (xy_babel_link_info), padded,
// that asks to be acknowledged: it tells whether packets of that size arrive. The last one is that
// of which xy_babel_link_info tells whether it was. Returns len, or 0: nobody is heard there, or
// len is below XY_BABEL_PROBE_MIN.
size_t xy_babel_link_probe(struct xy_babel *b, uint16_t link, uint8_t *out, size_t len);

// result and x25519 as xy_babel_claim_verify gave them; an unknown id is ignored.
void xy_babel_verified(struct xy_babel *b, uint64_t id, int result, const struct xy_key *x25519,
		       xy_nsec now);
void xy_babel_signed(struct xy_babel *b, uint64_t id, const uint8_t signature[static 64],
		     xy_nsec now);
void xy_babel_epoch_saved(struct xy_babel *b, uint32_t epoch, xy_nsec now);

// Our own prefixes; the /64 of our address among them. -EPERM for another prefix in 200::/7,
// -EEXIST, -ENOMEM. Withdrawing raises the epoch (at most once in 10 minutes); -ENOENT.
int xy_babel_announce(struct xy_babel *b, const struct xy_prefix *p, xy_nsec now);
int xy_babel_withdraw(struct xy_babel *b, const struct xy_prefix *p, xy_nsec now);
// Replaces the list of mappings that this node uses. -ENOMEM.
int xy_babel_accept(struct xy_babel *b, const struct xy_babel_accept *list, unsigned n,
		    xy_nsec now);
// An origin with a session, a pin or a config entry is admitted before others at a limit. Counted:
// each `true` needs its `false`.
void xy_babel_origin_prefer(struct xy_babel *b, const struct xy_key *x25519, bool on);

// Whether the table that packets follow has room for what a ROUTE action said of the prefix: true
// until something else is said. What has none is kept up to date and told of in actions, but
// retracted to neighbours: they would send packets that go no further.
void xy_babel_route_room(struct xy_babel *b, const struct xy_prefix *p, bool room, xy_nsec now);

// Stub: a packet waits for this address; `source` names who sends there, so that nobody takes
// the others' room and turns. Repeat it while traffic flows (once a minute is enough): a
// destination unused for 5 minutes is let go. -EAGAIN: a ROUTE action or a NO_ANSWER notice
// follows, or neither when the relays are silent; -ENETUNREACH: the answer was no, within the last
// 10 s; -ENOBUFS: 1,000 are being asked for already, or this source's share of them; 0: there is a
// route.
int xy_babel_want(struct xy_babel *b, const struct xy_addr *a, uint32_t source, xy_nsec now);

// ---- What users look at ----

// What there is to say of a neighbour, in a word or two.
#define XY_BABEL_WORDS(X)                                                   \
	X(DOWN, "down")		  /* no session */                          \
	X(NO_WAY, "no way")	  /* this host knows none */                \
	X(SHUT, "traffic off")	  /* by us */                               \
	X(LEFT, "left")		  /* it said goodbye */                     \
	X(NOT_HEARD, "not heard") /* it never spoke Babel */                \
	X(SILENT, "silent")	  /* it spoke, and is not heard any more */ \
	X(LOSSY, "lossy")	  /* too many of its Hellos get lost */     \
	X(ONE_WAY, "one way")	  /* it does not hear us */                 \
	X(UP, "up")
enum xy_babel_word {
#define X(name, text) XY_BABEL_##name,
	XY_BABEL_WORDS(X)
#undef X
};
const char *xy_babel_word_text(enum xy_babel_word w);

struct xy_babel_link_info {
	enum xy_babel_word word;
	bool up, heard;	   // link; Babel spoken on it
	bool aggregate;	   // it tells of 200::/7 as a whole: it takes us for a stub
	bool silent;	   // answers nothing: not used until it is heard again
	bool left;	   // said goodbye, and was not heard since
	bool no_acks;	   // left Updates without acknowledgment for a minute
	bool usable;	   // both ways
	bool acknowledges; // it has at least once
	bool probed;	   // the last xy_babel_link_probe was acknowledged
	struct xy_addr address;
	uint16_t rxcost, txcost, cost;
	uint16_t hellos; // the last 16, newest on top
	uint32_t rtt;	 // microseconds, 0 = not measured
	uint32_t routes, origins, waiting;
	uint64_t refused[XY_BABEL_REFUSAL_COUNT];
	uint64_t packets_sent, bytes_sent, packets_received, bytes_received, updates_sent,
		updates_received, resent;
	uint64_t probes, silences; // asked whether it is there; how often it was not
};
int xy_babel_link_info(const struct xy_babel *b, uint16_t link, struct xy_babel_link_info *out);

struct xy_babel_entry { // one neighbour's route to a prefix, or our own
	struct xy_prefix prefix;
	bool own, feasible, external, has_key;
	bool selected; // of its origin: outside 200::/7 there may be one per key
	bool used;     // we may follow it: in the mesh, plain, or named by our accept list
	bool followed; // the last ROUTE action is about it
	xy_nsec held;  // it came and went too often: not used for so long
	bool no_room;  // and the table has no room for it: not announced
	uint16_t link, metric, refmetric, seqno;
	uint64_t rid;
	struct xy_key key;
	uint32_t epoch, tag;
	xy_nsec age;		      // since its last update
	uint16_t fd_seqno, fd_metric; // feasibility distance; metric 0xffff = none
};
// All entries of one prefix; returns how many there are (of which at most max are written).
unsigned xy_babel_lookup(const struct xy_babel *b, const struct xy_prefix *p,
			 struct xy_babel_entry *out, unsigned max, xy_nsec now);

// A mapping as we hear it: a prefix outside 200::/7, of the origin that signed it.
struct xy_babel_mapping {
	struct xy_babel_entry entry; // what is selected of it; else the best of what is heard
	bool ours;		     // we announce the prefix ourselves, and follow nobody
	bool other;		     // we follow `by`, which is another's
	struct xy_babel_entry by;
};
// The mapping at number *at (0: the first) or behind it, inside the prefix `in`, or, where that is
// a single address, those that hold it; NULL: all. In no order. Looks at no more than *left
// things, which it counts down. True: *at is where to go on behind it. False: likewise, or 0, there
// are no more.
bool xy_babel_mapping_next(const struct xy_babel *b, uint32_t *at, unsigned *left,
			   const struct xy_prefix *in, xy_nsec now, struct xy_babel_mapping *out);

// A plain neighbour would be told of the prefix, were its tag not that of what is followed: it came
// out of its own domain, or two domains bear one tag.
bool xy_babel_tag_stops(const struct xy_babel *b, uint16_t link, const struct xy_prefix *p);

struct xy_babel_stats {
	uint32_t epoch;
	uint64_t rid;
	bool starting;
	uint32_t prefixes, mappings, unaccepted, selected, routes, sources, origins, claims, jobs,
		requests, links, packets_waiting;	  // until actions were taken
	uint32_t prefix_limit, route_limit, origin_limit; // that there is room for
	size_t bytes;					  // memory held
	uint64_t steps; // routes, log entries and the like looked at: what one call may do is
			// bounded
	uint64_t verifications, verified, cached, seqno_requests, forwarded, raises;
};
void xy_babel_stats(const struct xy_babel *b, struct xy_babel_stats *out);
