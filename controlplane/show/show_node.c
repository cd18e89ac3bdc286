// SPDX-License-Identifier: BSD-3-Clause
// What the telemetry socket tells of the node itself, and what its operator should know.
#include "daemon.h"
#include "exits.h"
#include "hostroutes.h"
#include "inbound.h"
#include "interface.h"

#include "base/bytes.h"
#include "discovery.h"
#include "ports.h"
#include "restore.h"
#include "runsocket.h"
#include "show/show.h"
#include "steering.h"
#include "suites.h"

#include <stdio.h>
#include <unistd.h>

static uint64_t rss_bytes(void)
{
	unsigned long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (f && fscanf(f, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void warn(json_t *to, bool wrong, const char *text)
{
	if (wrong)
		json_array_append_new(to, json_string(text));
}

static void join_warnings(json_t *to, const struct xy_join *j)
{
	for (unsigned i = 0; i < xy_join_count(j); i++) {
		struct xy_join_info k;
		xy_join_info(j, i, &k);
		warn(to, k.trouble, k.trouble);
	}
	warn(to, xy_join_twin(j, xy_now()), xy_join_twin(j, xy_now()));
}

// The config's peers without a key, and what is known of them.
static json_t *joining(const struct xy_join *j)
{
	static const char *const text[] = {[XY_JOIN_ASKING] = "asking",
					   [XY_JOIN_UNRESOLVED] = "unresolved",
					   [XY_JOIN_PINNED] = "pinned",
					   [XY_JOIN_CHANGED] = "refused: another key",
					   [XY_JOIN_OURSELVES] = "refused: this node itself",
					   [XY_JOIN_TWICE] = "refused: twice in the config"};
	json_t *list = json_array();
	for (unsigned i = 0; i < xy_join_count(j); i++) {
		struct xy_join_info k;
		xy_join_info(j, i, &k);
		json_array_append_new(list, xy_tell_joining(&(struct xy_fields_joining){
						    .peer = k.name,
						    .endpoint = k.endpoint,
						    .state = text[k.state],
						    .probes = k.tries,
						    .key = xy_key_is_zero(&k.key) ? NULL : &k.key,
					    }));
	}
	return list;
}

static bool is_discovered_on(const struct xy_daemon *d, const char *name)
{
	const char *on;
	for (unsigned i = 0; (on = xy_discovery_interface(d, i)); i++)
		if (strcmp(on, name) == 0)
			return true;
	return false;
}

static void discovery_warnings(json_t *to, const struct xy_daemon *d)
{
	const struct xy_config *c = &d->plan.config;
	for (unsigned i = 0; i < c->discovery.count; i++)
		if (!is_discovered_on(d, c->discovery.interfaces[i]))
			json_array_append_new(
				to, json_sprintf("discovery: %s is not in use; it must be there "
						 "and up, with multicast and a link-local address",
						 c->discovery.interfaces[i]));
}

static void port_warnings(json_t *to, const struct xy_daemon *d)
{
	struct xy_dp_port_info info;
	char text[128];
	for (unsigned i = 0; i < XY_DP_PORTS; i++)
		if (xy_ports_note(d, i, text, sizeof(text)) &&
		    xy_dp_port_info(d->dp, i, &info) == 0)
			json_array_append_new(
				to, json_sprintf("port %u on %s: %s", i, info.interface, text));
}

// Their config has a wrong key for us, and ours no endpoint of theirs by which to name them.
static void other_key_warning(json_t *to, const struct xy_daemon *d)
{
	struct xy_endpoint from;
	char at[XY_ENDPOINT_STRLEN];
	if (xy_links_other_key(d->links, xy_now(), &from))
		json_array_append_new(
			to, json_sprintf("a handshake from %s is for another key than this node's: "
					 "see the log",
					 xy_endpoint_str(&from, at)));
}

static void far_warnings(json_t *to, const struct xy_daemon *d)
{
	char text[XY_PREFIX_STRLEN];
	struct xy_fars_counts far;
	struct xy_prefix net;
	xy_fars_counts(d->fars, &far);
	warn(to, far.refused > 0,
	     "there was no room to seal for one more node end to end: raise max_sessions");
	if (xy_fars_keyless(d->fars, xy_now(), &net))
		json_array_append_new(
			to, json_sprintf("packets for %s are dropped: no route says the key of the "
					 "node there; a static route beyond a peer needs `key`",
					 xy_prefix_str(&net, text)));
}

static json_t *warnings(const struct xy_daemon *d)
{
	json_t *list = json_array();
	if (d->reloads.why.text[0])
		json_array_append_new(
			list, json_sprintf("the config of %s was refused at a reload, so what the "
					   "file says now is not in force: %s",
					   d->reloads.at, d->reloads.why.text));
	warn(list, xy_watchdog_stuck(&d->watchdog, xy_dp_workers(d->dp)) > 0,
	     "a worker is stuck: see the log");
	if (d->rib.waiting_count)
		json_array_append_new(list, json_sprintf("%u routes find no room and wait: raise "
							 "max_routes and restart",
							 d->rib.waiting_count));
	warn(list, xy_exchanges_drops(d->exchanges, XY_HS_DROP_NO_INDEX) > 0,
	     "handshakes found no free session: raise max_sessions");
	far_warnings(list, d);
	warn(list, !xy_interface_is_open(d) && !d->no_tun && d->plan.config.host.enabled,
	     "the host interface is not there");
	other_key_warning(list, d);
	xy_steering_warnings(d, list);
	join_warnings(list, d->join);
	discovery_warnings(list, d);
	port_warnings(list, d);
	warn(list, d->key_lost.text[0], d->key_lost.text);
	warn(list, xy_state_lost(d->state), xy_state_lost(d->state));
	warn(list, xy_state_unsaved(d->state), xy_state_unsaved(d->state));
	xy_show_routing_warnings(d, list);
	warn(list, xy_hostroutes_default_left(d),
	     "a default route is not put into the kernel: see the log");
	warn(list, xy_hostroutes_withholds(d),
	     "a route is not put into the kernel, since a link would go with it: see the log");
	warn(list, xy_hostqueue_is_full(d, xy_now()),
	     "the kernel drops packets of this host before a worker sees them: show ports, host");
	xy_overload_warnings(d, xy_now(), list);
	warn(list, xy_runsocket_missing(d), xy_runsocket_missing(d));
	warn(list, xy_server_lacks(d->telemetry), xy_server_lacks(d->telemetry));
	warn(list, xy_server_lacks(d->control), xy_server_lacks(d->control));
	warn(list, xy_restore_trouble(d), xy_restore_trouble(d));
	warn(list, xy_inbound_trouble(d), xy_inbound_trouble(d));
	xy_exits_warnings(d, list);
	xy_sandbox_warnings(d, list);
	return list;
}

// What was not there at the start, or is not any more, and is looked for.
static json_t *waiting(const struct xy_daemon *d)
{
	char text[128];
	json_t *list = json_array();
	for (unsigned i = 0; xy_ports_waiting(d, i, text, sizeof(text)); i++)
		json_array_append_new(list, json_string(text));
	return list;
}

static json_t *longest_work(const struct xy_daemon *d)
{
	json_t *o = json_object();
	for (const struct xy_seat *s = d->loop.seats; s; s = s->next)
		json_object_set_new(o, s->name, json_integer((json_int_t)(s->longest / XY_USEC)));
	return o;
}

static json_t *discovery(const struct xy_daemon *d)
{
	json_t *list = json_array();
	const char *name;
	for (unsigned i = 0; (name = xy_discovery_interface(d, i)); i++)
		json_array_append_new(list, json_string(name));
	return list;
}

static const char *const peering_text[] = {[XY_PEERING_CLOSED] = "closed",
					   [XY_PEERING_OPEN] = "open",
					   [XY_PEERING_LAN] = "open to the LAN"};

static void fill_identity(struct xy_fields_node *f, const struct xy_daemon *d,
			  const struct xy_prefix *prefix)
{
	f->name = d->name;
	f->version = XY_VERSION;
	f->pid = getpid();
	f->address = &d->id.addr;
	f->prefix = prefix;
	f->public_key = &d->id.x25519;
	f->ed25519_key = &d->id.ed25519;
	f->uptime = seconds_since(d->started, xy_now());
	f->interface = xy_interface_is_open(d) ? xy_interface_name(d) : NULL;
	f->mtu = xy_interface_mtu(d);
	f->memory = xy_dp_memory(d->dp);
	f->cipher = xy_dp_cipher(d->dp, XY_WG_CHACHA20_POLY1305);
	f->suite = xy_suites_tell(d);
	f->transit = xy_suites_transit_tell(d);
	f->rss_bytes = (int64_t)rss_bytes();
}

static void fill_counts(struct xy_fields_node *f, const struct xy_daemon *d)
{
	struct xy_dp_route_info routes;
	struct xy_fars_counts far;
	xy_dp_route_info(d->dp, &routes);
	f->workers = xy_dp_workers(d->dp);
	f->peers = xy_links_count(d->links);
	f->peers_up = d->tally.last.up;
	f->sessions = d->tally.last.sessions;
	f->routes = routes.count;
	f->route_limit = routes.limit;
	xy_fars_counts(d->fars, &far);
	f->far_nodes = far.count;
	f->far_node_limit = far.limit;
	f->route_memory_bytes = (int64_t)routes.bytes;
}

static void fill_lag(struct xy_fields_node *f, const struct xy_daemon *d)
{
	xy_nsec p99, max;
	xy_lag_get(&d->loop.lag, xy_awake(), &p99, &max);
	f->loop_lag_p99_us = (int64_t)(p99 / XY_USEC);
	f->loop_lag_max_us = (int64_t)(max / XY_USEC);
	f->longest_turn_cpu_us = (int64_t)(d->loop.longest / XY_USEC);
	f->longest_work_cpu_us = longest_work(d);
}

static void fill_clients(struct xy_fields_node *f, const struct xy_daemon *d)
{
	unsigned open;
	uint64_t ended;
	xy_server_clients(d->telemetry, &open, &ended);
	f->telemetry_clients = open;
	f->telemetry_clients_ended = (int64_t)ended;
}

static int64_t refused_packets(const struct xy_daemon *d)
{
	struct xy_nft_count v[XY_POLICY_COUNTERS];
	bool there = xy_inbound_counts(d, v);
	return or_null(there, there ? v[XY_POLICY_REFUSED].packets : 0);
}

// Of peers: as counted last.
static json_t *node_now(const struct xy_daemon *d)
{
	const struct xy_prefix prefix = xy_key_prefix(&d->id.x25519);
	char policy[sizeof(struct xy_err) + 32], exit[96], sandbox[sizeof(struct xy_err) + 32];
	struct xy_fields_node f = {.peering = peering_text[d->plan.config.peering],
				   .state_folder = xy_state_folder(d->state),
				   .pinned_keys = xy_state_pins(d->state),
				   .reloads = d->reloads.taken,
				   .reloads_refused = d->reloads.refused,
				   .joining = joining(d->join),
				   .discovery = discovery(d),
				   .waiting_for = waiting(d),
				   .warnings = warnings(d),
				   .policy = xy_inbound_word(d, policy, sizeof(policy)),
				   .refused_packets = refused_packets(d),
				   .exit = xy_exits_word(d, exit, sizeof(exit)),
				   .sandbox = xy_sandbox_word(d, sandbox, sizeof(sandbox)),
				   .confined = xy_sandbox_threads_tell(d),
				   .refused_calls = (int64_t)xy_confine_refusals()};
	fill_identity(&f, d, &prefix);
	fill_counts(&f, d);
	fill_lag(&f, d);
	fill_clients(&f, d);
	return xy_tell_node(&f);
}

json_t *xy_show_node(void *arg, struct xy_request *q)
{
	struct xy_daemon *d = arg;
	d->tally.answer = node_now;
	if (!q->ticket || xy_tally_ask(d, q->ticket)) // nobody's: what was counted last
		return node_now(d);
	q->later = true;
	return NULL;
}
