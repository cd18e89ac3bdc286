// SPDX-License-Identifier: BSD-3-Clause
#include "fields/public.h"

#include "base/bytes.h"

#include <string.h>

// Not: drop, drops and policy, which say to whom tries something how far it came; what others must
// be asked for (tree, path, trace, name); route, which says what is behind an address; log, config,
// ports.
static const char *const replies[] = {"node",	  "peers",	"workers", "graph",   "routes",
				      "sessions", "neighbours", "routing", "gateways"};

// Without where nodes are in the underlay and how they get there, what leaves have, what this
// process and its host are like, and what is said to operators alone.
static const struct {
	const struct xy_object *(*object)(void);
	const char *key;
	size_t at; // so that it must be one
} fields[] = {
#define F(object, field) {xy_object_##object, #field, offsetof(struct xy_fields_##object, field)},
	// clang-format off
	F(node, name) F(node, version) F(node, address) F(node, prefix) F(node, public_key)
	F(node, ed25519_key) F(node, uptime) F(node, workers) F(node, peers) F(node, peers_up)
	F(node, sessions) F(node, far_nodes) F(node, routes) F(node, route_limit)
	F(node, loop_lag_p99_us) F(node, loop_lag_max_us) F(node, peering)

	F(peers, peers) F(peers, next) F(peers, count)
	F(peer, name) F(peer, key) F(peer, address) F(peer, kind) F(peer, peering) F(peer, state)
	F(peer, last_handshake) F(peer, last_received) F(peer, rx_packets) F(peer, rx_bytes)
	F(peer, tx_packets) F(peer, tx_bytes) F(peer, mtu) F(peer, sessions) F(peer, session_age)
	F(peer, handshakes_sent) F(peer, handshakes_failed)

	F(workers, workers)
	F(worker, worker) F(worker, alive) F(worker, busy) F(worker, balance)
#define ACCOUNT(X, name, sign, form, kind, column, help) F(worker, name)
	XY_ACCOUNTS(ACCOUNT, 0)
#undef ACCOUNT

	F(graph, tsc_hz) F(graph, nodes)
	F(graph_node, worker) F(graph_node, node) F(graph_node, calls) F(graph_node, packets)
	F(graph_node, cycles) F(graph_node, cycles_per_packet) F(graph_node, packets_per_call)

	F(routes, routes) F(routes, next) F(routes, count)
	F(route, prefix) F(route, kind) F(route, peer) F(route, peers) F(route, source)
	F(route, node) F(route, node_address)
	F(learned, metric) F(learned, origin) F(learned, external) F(learned, age)

	F(sessions, sessions) F(sessions, next) F(sessions, count)
	F(session, peer) F(session, kind) F(session, key) F(session, state) F(session, age)
	F(session, rx_packets) F(session, tx_packets) F(session, role) F(session, use)
	F(session, rx_bytes) F(session, tx_bytes) F(session, last_handshake) F(session, path)
	F(session, mtu) F(session, idle)

	F(neighbours, neighbours) F(neighbours, next) F(neighbours, count)
	F(neighbour, peer) F(neighbour, state) F(neighbour, hellos) F(neighbour, cost)
	F(neighbour, rx_cost) F(neighbour, tx_cost) F(neighbour, rtt_us) F(neighbour, routes)
	F(neighbour, origins) F(neighbour, tx_packets) F(neighbour, tx_bytes)
	F(neighbour, rx_packets) F(neighbour, rx_bytes) F(neighbour, losses)
	F(neighbour, losses_lately) F(neighbour, node) F(neighbour, node_address)

	F(routing, router_id) F(routing, starting) F(routing, neighbours) F(routing, prefixes)
	F(routing, reachable) F(routing, routes) F(routing, origins) F(routing, signatures_verified)

	F(gateways, gateways) F(gateways, next) F(gateways, count)
	F(gateway, prefix) F(gateway, gateway) F(gateway, key) F(gateway, address)
	F(gateway, metric) F(gateway, via) F(gateway, used) F(gateway, age)
// clang-format on
#undef F
};

bool xy_reply_is_public(const char *name)
{
	for (unsigned i = 0; i < XY_ARRAY_SIZE(replies); i++)
		if (strcmp(replies[i], name) == 0)
			return true;
	return false;
}

bool xy_field_is_public(const struct xy_object *o, const char *key)
{
	for (unsigned i = 0; i < XY_ARRAY_SIZE(fields); i++)
		if (fields[i].object() == o && strcmp(fields[i].key, key) == 0)
			return true;
	return false;
}

// What a leaf has is in no peer's `allowed`, so it is in no route either.
bool xy_row_is_public(const struct xy_object *o, const char *key, const char *text)
{
	return o != xy_object_route() || strcmp(key, XY_KEY(route, source)) != 0 ||
	       strcmp(text, "leaf") != 0;
}

bool xy_list_is_public(const char *reply, const char *list)
{
	const struct xy_reply *r = xy_reply_find(reply);
	return r && xy_reply_is_public(reply) && (!list || xy_field_is_public(r->object(), list));
}
