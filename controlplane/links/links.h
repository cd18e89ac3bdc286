// SPDX-License-Identifier: BSD-3-Clause
// Links: peers, what the config says of them, where they are, and what leads there; the owner of
// the WireGuard exchanges with them (exchange/exchange.h). No loop, no socket, no clock in it: time
// comes with each call, what needs a thread or the network goes out through xy_env and
// xy_links_ops. Control thread only. The strings and tables that it hands out stay its own and are
// good until the next call.
#pragma once

#include "base/err.h"
#include "dataplane.h"
#include "env.h"
#include "identity/identity.h"
#include "linkview.h"
#include "peers/plan.h"

struct xy_nodeinfo_lanes;

#include <stdbool.h>
#include <stdint.h>

struct xy_accepts;
struct xy_book;
struct xy_exchanges;
struct xy_rib;

struct xy_links_ops {
	void *arg;
	// Completes what the dataplane is told of a peer, by the kernel's route to `remote` and
	// where it was heard: the port, our address, the path MTU (0 as it comes = not known), the
	// next hop.
	void (*path)(void *arg, struct xy_dp_peer *peer);
	// What became of a link that routing runs over. After REMOVED all routes to it have to go
	// soon; its slot is another's when none names it, and nobody holds it (rib.h). NULL: nobody
	// listens.
	void (*routing)(void *arg, uint32_t slot, enum xy_link_change what);
	// May a stranger from there have a link? NULL: nobody.
	bool (*open_to)(void *arg, const struct xy_endpoint *from);
	// May whoever has this key come as he may where peering is open?
	bool (*admits)(void *arg, const struct xy_key *key);
};

struct xy_links_config {
	struct xy_dp *dp;		  // its ports are there already
	struct xy_exchanges *exchanges;	  // of the same identity; outlives links, as do the next
	struct xy_rib *rib;		  // for max_peers
	struct xy_book *book;		  // who is a peer: links follow it
	const struct xy_accepts *accepts; // who may send from what; NULL: nobody from anything
	const struct xy_identity *identity;
	uint32_t max_peers;			// numbers 0 to max_peers - 1
	unsigned stranger_rate, stranger_burst; // handshakes before cookies are asked; 0 = default
	const struct xy_env *env;
	struct xy_links_ops ops;
};

struct xy_links;

int xy_links_create(const struct xy_links_config *cfg, struct xy_links **out, struct xy_err *err);
// No job may be under way. Its peers and routes are taken out of the dataplane, which is still
// there.
void xy_links_destroy(struct xy_links *l);

// What changes from the present state to the plan: its peers go into the book, and peers that are
// in both keep their sessions. On an error as much of the plan as fits is in force.
int xy_links_apply(struct xy_links *l, const struct xy_plan *plan, xy_nsec now, struct xy_err *err);
// The same in slices, by xy_links_run: the plan must live, and stay where it is, until another is
// in force. That may begin, or the same again, before. Routes that stand in both are never gone.
// What else is new in the book is followed without that.
void xy_links_apply_begin(struct xy_links *l, const struct xy_plan *plan);
bool xy_links_applying(const struct xy_links *l);
int xy_links_apply_result(const struct xy_links *l, struct xy_err *err);

void xy_links_event(struct xy_links *l, const struct xy_dp_event *ev, xy_nsec now);
void xy_links_resolved(struct xy_links *l, uint64_t serial, unsigned asked,
		       const struct xy_endpoint *found, unsigned count, xy_nsec now);
// Runs timers that are due, at most `max` links, and with what is left brings the plan on, two
// steps (a route each) for a link; call again at xy_links_deadline, which may be now.
void xy_links_run(struct xy_links *l, unsigned max, xy_nsec now);
xy_nsec xy_links_deadline(const struct xy_links *l);
// Asks for the way to the peers of at most max links again, from *from (0 at first) on;
// true: there are more.
bool xy_links_mtu_refresh(struct xy_links *l, unsigned *from, unsigned max);
// How large this host's own packets may be so that any link carries them, sealed from end to end to
// nodes: by its interfaces and routes alone, and not by what is learned of paths or set for one
// link, which is told packet by packet. 0: no link has an endpoint.
uint32_t xy_links_room(const struct xy_links *l);

// False: there is no such link, it has no endpoint, or the config sets its size.
bool xy_links_path(const struct xy_links *l, uint32_t slot, struct xy_link_path *out);
// NULL: nothing is known any more.
void xy_links_probed(struct xy_links *l, uint32_t slot, const struct xy_link_probed *found);
// Where a configured node was last heard from, for the next start. False: it never was, or at is no
// such node.
bool xy_links_place(const struct xy_links *l, unsigned at, struct xy_key *key,
		    struct xy_endpoint *out);
// From the last start: it is tried there soon, after what the config says.
void xy_links_place_set(struct xy_links *l, const struct xy_key *key,
			const struct xy_endpoint *place, xy_nsec now);
// cfg.accepts has another list, which no plan brings.
void xy_links_accepts_changed(struct xy_links *l);
// A signed message, not older than some seconds, says that the node with this key is there. It is
// tried where it is known and not up, or where peering is open. False: it is nobody for us.
bool xy_links_meet(struct xy_links *l, const struct xy_key *key, const struct xy_endpoint *at,
		   xy_nsec now);
bool xy_link_usable(const struct xy_endpoint *e); // as an underlay
bool xy_links_open_to(const struct xy_links *l, const struct xy_endpoint *from);
// Who came since ops.admits let his key in, and is not let in any more, goes.
void xy_links_admitted_review(struct xy_links *l);
// Up, and no handshake waits for an answer.
bool xy_links_up_at(const struct xy_links *l, const struct xy_endpoint *at, xy_nsec now);
bool xy_links_is_at(const struct xy_links *l, const struct xy_endpoint *at); // some peer, up or not
// The name of that peer; NULL: there is none.
const char *xy_links_name_at(const struct xy_links *l, const struct xy_endpoint *at);
bool xy_links_up(const struct xy_links *l, const struct xy_key *key, xy_nsec now);
// Sends a datagram that belongs to no link, by the way to there. heard: where a message came to
// that this answers, or NULL.
int xy_links_send(struct xy_links *l, const struct xy_endpoint *to, const struct xy_dp_heard *heard,
		  const void *data, size_t len);
bool xy_links_has(const struct xy_links *l, const struct xy_key *key);

// For who runs over links; good as long as they are.
void xy_links_view(struct xy_links *l, struct xy_linkview *out);

// --- what is going on

enum xy_link_state {
	XY_LINK_UP,	   // a session, and nothing speaks against the peer being there
	XY_LINK_SILENT,	   // a session, but no answer
	XY_LINK_UNROUTED,  // this host knows no way to the peer
	XY_LINK_HANDSHAKE, // no session; the peer is being asked for one
	XY_LINK_DOWN,	   // no session, and the peer did not answer when it was asked last
	XY_LINK_IDLE,	   // no session, and nothing to send; it comes with the first packet
	XY_LINK_NO_ENDPOINT,
	XY_LINK_UNRESOLVED, // it has names for endpoints, and none has an address yet
};

// How the size of a link is known.
enum xy_link_whence {
	XY_WHENCE_INTERFACE, // of the interface that leads there
	XY_WHENCE_ROUTE,     // the kernel's route has an MTU
	XY_WHENCE_ICMP,
	XY_WHENCE_PROBED,
	XY_WHENCE_CONFIG,
	XY_WHENCES
};

struct xy_link_info {
	const char *name;
	struct xy_key key;
	bool leaf;
	bool open, provisional; // nobody configured it; and it is not known to be there
	enum xy_link_state state;
	struct xy_endpoint remote; // port 0: none
	const char *unresolved;	   // the first configured endpoint whose name has no address; NULL
	unsigned endpoint_count;
	char *const *endpoints;
	xy_nsec last_handshake; // 0 = never
	xy_nsec last_received;	// 0 = never
	uint32_t slot;
	xy_nsec session_born; // 0 = none
	uint32_t mtu;	      // of overlay packets; 0 = no endpoint
	uint32_t whole;	      // what goes unfragmented of them
	enum xy_link_whence whence;
	bool fragments_lost; // larger ones do not arrive
	uint32_t limit;	     // what would go unfragmented by interface and route alone
	bool clock_known;
	int64_t clock_apart; // seconds that its clock was ahead of ours, if known
	unsigned keepalive;
	unsigned allowed_count;
	const struct xy_prefix *allowed;
	unsigned sessions;
	uint64_t handshakes_sent, handshakes_failed, fallbacks;
	unsigned lanes;	       // that its current session is sent in
	const char *lanes_why; // static text
	const char *trouble;   // why it does not come up, in few words; NULL: nothing is known
	struct xy_dp_peer_stats stats;
};

unsigned xy_links_count(const struct xy_links *l);
// Links are numbered by name, 0..count-1. The first whose name is behind `after` (NULL: 0).
unsigned xy_links_after(const struct xy_links *l, const char *after);
void xy_links_info(const struct xy_links *l, unsigned at, xy_nsec now, struct xy_link_info *out);
// Those that ever had a session, in no order: who looks for what has gone, or is up, looks at no
// more.
unsigned xy_links_met(const struct xy_links *l);
void xy_links_met_info(const struct xy_links *l, unsigned at, xy_nsec now,
		       struct xy_link_info *out);

// Who it was that lately asked for another key than ours from where no peer of ours is.
bool xy_links_other_key(const struct xy_links *l, xy_nsec now, struct xy_endpoint *from);

struct xy_link_session {
	uint32_t index;
	bool initiator;
	const char *use; // "previous", "current", "next"
};
unsigned xy_links_sessions(const struct xy_links *l, unsigned at, struct xy_link_session out[3]);

const char *xy_links_name(const struct xy_links *l, uint32_t slot);	    // NULL: no such peer
const struct xy_key *xy_links_key(const struct xy_links *l, uint32_t slot); // NULL: no such peer
uint32_t xy_links_slot_at(const struct xy_links *l, unsigned at);
int xy_links_slot(const struct xy_links *l, const struct xy_key *key, uint32_t *slot); // -ENOENT
bool xy_links_is_up(const struct xy_links *l, uint32_t slot, xy_nsec now);
// Does it answer?
enum xy_link_health xy_links_health(const struct xy_links *l, uint32_t slot, xy_nsec now);
// Asks the peer for a session, as a packet to it would that waits, if it answers nothing.
void xy_links_ask(struct xy_links *l, uint32_t slot, xy_nsec now);
// Its sessions end, and it is asked for another at once, where its endpoint is known.
void xy_links_reset(struct xy_links *l, uint32_t slot, xy_nsec now);
// It told, inside a session, which cipher suites it has (xy_exchange_suites).
void xy_links_suites(struct xy_links *l, uint32_t slot, uint8_t can, uint8_t best, bool asked,
		     xy_nsec now);
// It asked for lanes of a session with us, and what it answered us (xy_exchange_lanes_asked,
// _told).
bool xy_links_lanes_asked(struct xy_links *l, uint32_t slot, const struct xy_nodeinfo_lanes *q,
			  struct xy_nodeinfo_lanes *out);
void xy_links_lanes_told(struct xy_links *l, uint32_t slot, const struct xy_nodeinfo_lanes *its,
			 xy_nsec now);
bool xy_links_is_open(const struct xy_links *l, uint32_t slot); // nobody configured it
// What is in force for it in the book; NULL: no such peer.
const struct xy_config_peer *xy_links_says(const struct xy_links *l, uint32_t slot);
// The node address of that peer. False: no such peer, or a leaf, which has none.
bool xy_links_node_addr(const struct xy_links *l, uint32_t slot, struct xy_addr *out);
