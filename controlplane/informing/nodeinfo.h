// SPDX-License-Identifier: BSD-3-Clause
// Node info: answers what others inside the mesh ask this node, and asks them, for `show tree`,
// `show path` and `trace`. No loop, no socket, no clock in it: packets and time come with each
// call, what goes out leaves through the ops. Control thread only. What it hands out stays its own
// and is good until the next call.
#pragma once

#include "base/time.h"
#include "env.h"
#include "identity/identity.h"
#include "nodeinfo/nodeinfo.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	XY_NODEINFO_RATE =
		200, // requests answered a second, from all; each /64 as xy_limiter has it
	XY_NODEINFO_BURST = 50,
	XY_NODEINFO_TRIES = 3,		   // of a request, a second each; then the node is silent
	XY_NODEINFO_NEAR = 4096,	   // neighbours that are told
	XY_NODEINFO_HOPS = 64,		   // of a walk
	XY_NODEINFO_WALKS = 8,		   // at a time
	XY_NODEINFO_NODES = 4096,	   // of a crawl
	XY_NODEINFO_LINKS = 65536,	   // of a crawl
	XY_NODEINFO_LINKS_PER_NODE = 1024, // so that none fills the crawl by itself
};
#define XY_NODEINFO_CRAWL_LIMIT (60 * XY_SEC)

// What is dropped or refused here: name and text for `show drops`.
#define XY_NODEINFO_DROPS(X)                                                                     \
	X(MALFORMED, ni_malformed, "node-info message malformed, or of unknown version or kind") \
	X(SOURCE, ni_source, "node-info message from outside 200::/7 or from another port")      \
	X(DISABLED, ni_disabled, "node-info request, but node_info.enabled is false")            \
	X(LIMITED, ni_limited, "node-info requests of one /64 above their rate")                 \
	X(BUSY, ni_busy, "node-info requests of all together above their rate")                  \
	X(UNASKED, ni_unasked, "node-info reply to nothing that we asked, or too late")          \
	X(UNSENT, ni_unsent, "node-info message that could not be queued for sending")

enum xy_nodeinfo_drop {
#define X(NAME, name, text) XY_NODEINFO_DROP_##NAME,
	XY_NODEINFO_DROPS(X)
#undef X
		XY_NODEINFO_DROP_COUNT
};
extern const char *const xy_nodeinfo_drop_name[XY_NODEINFO_DROP_COUNT];
extern const char *const xy_nodeinfo_drop_text[XY_NODEINFO_DROP_COUNT];

struct xy_nodeinfo_fields { // what the config lets us tell
	bool enabled, neighbours, version;
	char name[XY_NODEINFO_TEXT_LEN + 1]; // "": none
};

struct xy_nodeinfo_route {	 // ours towards an address
	uint8_t result;		 // enum xy_nodeinfo_result
	struct xy_prefix prefix; // HERE, VIA
	const char *source;	 // "static", "learned", ...; NULL: no route. Static text
	char peer[XY_NODEINFO_TEXT_LEN + 1]; // name of the peer it leads to; "": none
	struct xy_addr hop;		     // VIA: the neighbour's node address
	bool asks;	 // NONE, until a relay has told a stub the way: a packet makes it ask
	uint16_t metric; // or XY_NODEINFO_UNKNOWN
	bool has_key;	 // of the node that announced it
	struct xy_key key;
	uint32_t epoch;
};

struct xy_nodeinfo_near { // a neighbour of ours
	struct xy_nodeinfo_neighbour told;
	uint32_t slot; // of the link
};
typedef void xy_nodeinfo_each(void *to, const struct xy_nodeinfo_near *n);

struct xy_nodeinfo_ops {
	void *arg;
	// An IPv6 packet of ours, to be routed by its destination. 0 or -errno.
	int (*send)(void *arg, const void *packet, size_t len);
	// Calls each for every node that we have a link to and that is up, in any order. Asked at
	// most once a second, and of what comes only the first XY_NODEINFO_NEAR are taken.
	void (*neighbours)(void *arg, xy_nodeinfo_each *each, void *to);
	void (*route)(void *arg, const struct xy_addr *to, struct xy_nodeinfo_route *out);
	// Ours, to be told; and what a node told of its own: asked by us, or when it asked.
	void (*suites)(void *arg, struct xy_nodeinfo_suites *ours);
	void (*suites_told)(void *arg, const struct xy_addr *from,
			    const struct xy_nodeinfo_suites *its, bool asked, xy_nsec now);
	// A node asks for lanes of a session with us: false, and it is not answered. And what one
	// answered us.
	bool (*lanes)(void *arg, const struct xy_addr *from, const struct xy_nodeinfo_lanes *q,
		      struct xy_nodeinfo_lanes *out);
	void (*lanes_told)(void *arg, const struct xy_addr *from,
			   const struct xy_nodeinfo_lanes *its, xy_nsec now);
	// From where a node sends, of our link with it; and what a node said of us that was asked.
	void (*seen)(void *arg, const struct xy_addr *of, struct xy_nodeinfo_seen *out);
	void (*seen_told)(void *arg, const struct xy_addr *from,
			  const struct xy_nodeinfo_seen *ours, xy_nsec now);
};

struct xy_nodeinfo_config {
	struct xy_addr addr; // ours
	const char *version;
	struct xy_nodeinfo_fields fields;
	const struct xy_env *env;
	struct xy_nodeinfo_ops ops;
};

struct xy_nodeinfo;
struct xy_offenders;

int xy_nodeinfo_create(const struct xy_nodeinfo_config *cfg, struct xy_nodeinfo **out); // -ENOMEM
void xy_nodeinfo_destroy(struct xy_nodeinfo *n);
void xy_nodeinfo_fields_set(struct xy_nodeinfo *n, const struct xy_nodeinfo_fields *fields);

// A whole IPv6 packet that came to our address and XY_NODEINFO_PORT.
void xy_nodeinfo_event(struct xy_nodeinfo *n, const void *packet, size_t len, xy_nsec now);
void xy_nodeinfo_run(struct xy_nodeinfo *n, xy_nsec now); // call again at the deadline
xy_nsec xy_nodeinfo_deadline(const struct xy_nodeinfo *n);
uint64_t xy_nodeinfo_drops(const struct xy_nodeinfo *n, enum xy_nodeinfo_drop which);
// By xy_nodeinfo_drop.
const struct xy_offenders *xy_nodeinfo_offenders(const struct xy_nodeinfo *n);
// Asks a node which cipher suites it has, for ops.suites_told. False: too many are asked; it is for
// the caller to come again.
bool xy_nodeinfo_suites_ask(struct xy_nodeinfo *n, const struct xy_addr *to, xy_nsec now);
// Asks a neighbour from where it sees us send, for ops.seen_told. False: as above.
bool xy_nodeinfo_seen_ask(struct xy_nodeinfo *n, const struct xy_addr *to, xy_nsec now);
// Asks a node for lanes of a session with it, for ops.lanes_told. False: as above.
bool xy_nodeinfo_lanes_ask(struct xy_nodeinfo *n, const struct xy_addr *to,
			   const struct xy_nodeinfo_lanes *q, xy_nsec now);
uint64_t xy_nodeinfo_answered(const struct xy_nodeinfo *n); // requests

// --- walk: hop by hop to an address. The first call begins it, and each tells how far it is; a
// walk that nobody asks for in 10 s is given up. What is done can be had for a second more, then
// the next call begins anew.

enum xy_nodeinfo_hop_state { XY_NODEINFO_ASKED, XY_NODEINFO_ANSWERED, XY_NODEINFO_SILENT };

enum xy_nodeinfo_end {
	XY_NODEINFO_WALKING,
	XY_NODEINFO_REACHED,
	XY_NODEINFO_NO_ROUTE,  // at the last hop; with no hop: here
	XY_NODEINFO_NO_ANSWER, // of the last hop
	XY_NODEINFO_LOOP,      // the last hop's next one was passed before
	XY_NODEINFO_TOO_LONG,
};

struct xy_nodeinfo_hop {
	struct xy_addr addr;
	char name[XY_NODEINFO_TEXT_LEN + 1]; // as it calls itself; "" when not told
	enum xy_nodeinfo_hop_state state;
	bool after_gap; // the hop before is silent: there may be others between
	xy_nsec rtt;	// from here to it and back
	uint8_t result; // its route's; 0: not known
	uint16_t metric;
};

struct xy_nodeinfo_walk {
	struct xy_addr to;
	struct xy_nodeinfo_route route; // ours
	enum xy_nodeinfo_end end;
	unsigned count;
	struct xy_nodeinfo_hop hop[XY_NODEINFO_HOPS];
	xy_nsec asked_at, told_at; // by and to who called; 0: not yet
};

// 0, or -EBUSY: XY_NODEINFO_WALKS are under way.
int xy_nodeinfo_walk(struct xy_nodeinfo *n, const struct xy_addr *to, xy_nsec now,
		     const struct xy_nodeinfo_walk **out);

// --- crawl: all nodes that can be found from neighbour to neighbour, the near ones first. One at a
// time, and whoever asks sees the same one.

enum xy_nodeinfo_node_state {
	XY_NODEINFO_NODE_NEW, // not asked, or not to the end, before the crawl's time was over
	XY_NODEINFO_NODE_ASKED,
	XY_NODEINFO_NODE_ANSWERED,
	XY_NODEINFO_NODE_SILENT,
};

struct xy_nodeinfo_node {
	struct xy_addr addr;
	char name[XY_NODEINFO_TEXT_LEN + 1], version[XY_NODEINFO_TEXT_LEN + 1];
	enum xy_nodeinfo_node_state state;
	bool tells_neighbours;
	uint16_t total;	 // neighbours, as it says
	uint32_t slot;	 // of our link to it; UINT32_MAX: none
	uint32_t parent; // where it was seen first; ours is 0, and its own parent
	uint32_t depth;
	uint16_t cost;	      // of the link from the parent
	uint32_t link_rtt_us; // of that link, as the parent says
	xy_nsec rtt;	      // from here to it and back; 0: not measured
	uint32_t taken;	      // of its neighbours
};

struct xy_nodeinfo_link {
	uint32_t from, to; // nodes; each end tells its own
	uint16_t cost;
	uint32_t rtt_us;
};

struct xy_nodeinfo_crawl {
	uint32_t serial;
	bool done;
	bool cut; // there is more than its limits allow
	uint32_t node_count, link_count, answered, silent;
	struct xy_nodeinfo_node *node; // [0] is us
	struct xy_nodeinfo_link *link;
	xy_nsec began, asked_at, told_at;
};

// Begins it, or joins the one that is under way. -ENOMEM.
int xy_nodeinfo_crawl(struct xy_nodeinfo *n, xy_nsec now, const struct xy_nodeinfo_crawl **out);
// The crawl of that serial, which is done, for further pages of it: kept for 10 s after each such
// call. NULL: gone.
const struct xy_nodeinfo_crawl *xy_nodeinfo_crawl_done(struct xy_nodeinfo *n, uint32_t serial,
						       xy_nsec now);
// What the node of that address called itself when it answered last, within the hour; NULL: it was
// not asked, or has no name. Nobody vouches for it: what our config says goes before.
const char *xy_nodeinfo_name(const struct xy_nodeinfo *n, const struct xy_addr *addr, xy_nsec now);
// The nodes that call themselves so, and we ourselves: how many, of which at most max are written.
unsigned xy_nodeinfo_named(const struct xy_nodeinfo *n, const char *name, xy_nsec now,
			   struct xy_addr *out, unsigned max);
// One after the other, from *at = 0 on; NULL: no more.
const char *xy_nodeinfo_name_next(const struct xy_nodeinfo *n, uint32_t *at, xy_nsec now);
bool xy_nodeinfo_crawling(const struct xy_nodeinfo *n); // is one under way?
// All of it was told: a second later the next call begins anew.
void xy_nodeinfo_crawl_told(struct xy_nodeinfo *n, xy_nsec now);
