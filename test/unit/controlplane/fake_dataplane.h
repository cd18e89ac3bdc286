// SPDX-License-Identifier: BSD-3-Clause
// A dataplane in memory, as links see one: sessions, peers and routes are kept in arrays, datagrams
// are handed to the test, nothing is encrypted (a transport message carries its key in clear, and
// is taken for authentic when the key is right). One thread; the test owns it.
#pragma once

#include "dataplane.h"

#ifndef FAKE_PEERS // a test that wants more says so, for both
#define FAKE_PEERS    16
#define FAKE_SESSIONS 64 // a power of two
#endif
enum { FAKE_ROUTES = 64, FAKE_WORKERS = 4, FAKE_ACCEPTS = 4 };

struct fake_session {
	uint32_t index, peer, remote_index;
	bool taken, live, first_seen;
	uint8_t send[32], recv[32];
	unsigned owner;
	uint8_t suite;
	xy_nsec born;
	uint64_t tx_counter, rx_packets, handed_over;
	unsigned handed_from;
	xy_nsec tx_data;
	unsigned lanes, probes; // lanes 0: one
	uint64_t lanes_sent;
};

struct fake_peer { // or far node: their numbers are of one kind
	bool there, is_far;
	struct xy_dp_peer cfg;
	struct xy_dp_far far;
	unsigned accepts, accepts_told;
	bool exits, patient;
	struct xy_prefix accept[FAKE_ACCEPTS];
	unsigned sessions; // taken
	xy_nsec left;	   // a far node: when
	uint32_t current;  // session index, 0 = none
	unsigned held;	   // packets
	unsigned released;
	xy_nsec wanted;
	struct xy_dp_peer_stats stats;
	uint64_t data_rx; // packets with a payload
};

struct fake_route {
	bool there;
	struct xy_prefix prefix;
	struct xy_dp_route route;
};

struct xy_dp {
	const xy_nsec *now;
	struct xy_endpoint self; // where its datagrams come from
	struct xy_dp_heard at;	 // where those of others come to
	struct xy_wg_limits limits;
	unsigned workers, session_limit, sends, overlay_sends, probes, commits, moves;
	bool probe; // what overlay is called with must not be cut
	struct fake_session session[FAKE_SESSIONS];
	struct fake_peer peer[FAKE_PEERS];
	struct fake_route route[FAKE_ROUTES], source[FAKE_ROUTES];
	unsigned room;	     // routes that it takes; 0: FAKE_ROUTES
	bool routes_any;     // it takes all, and keeps none
	struct xy_addr node; // our node address
	unsigned fars, far_sets;
	xy_nsec rest;	     // of a far node's number, before it is another's
	uint32_t session_at; // where a free one is looked for
	unsigned own, ports;
	int gathers;
	uint32_t last_index;
	unsigned dangling;	// routes to a peer that was deleted
	unsigned route_changes; // calls of xy_dp_route_set and _del
	uint64_t heard;		// lanes in which something comes
	bool send_fails;
	bool no_memory; // for what an end may send from, a far node's settings, a new route
	// set by the test
	void *arg;
	void (*transmit)(void *arg, const struct xy_endpoint *to, const void *data, size_t len);
	void (*event)(void *arg, const struct xy_dp_event *ev);
	// xy_dp_overlay_send; NULL: nobody listens. peer: XY_DP_NO_PEER when it is to be routed.
	void (*overlay)(void *arg, uint32_t peer, const void *packet, size_t len);
};

void fake_init(struct xy_dp *dp, const xy_nsec *now);
// A packet of the host for this peer: sealed and sent, or held and asked for.
void fake_data(struct xy_dp *dp, uint32_t peer);
// The same for a node address, by a relay; asked for each time (XY_DP_MEET).
void fake_far_data(struct xy_dp *dp, const struct xy_addr *to);
// An IPv6 packet with next header 253 for us, which a link brought.
void fake_far_receive(struct xy_dp *dp, uint32_t link, const void *packet, size_t len);
// A datagram from the network.
void fake_receive(struct xy_dp *dp, const struct xy_endpoint *from, const void *data, size_t len);
unsigned fake_sessions(const struct xy_dp *dp); // taken
const struct fake_route *fake_route_find(const struct fake_route *table, const char *prefix);
unsigned fake_route_count(const struct fake_route *table);
