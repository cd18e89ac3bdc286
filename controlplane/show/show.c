// SPDX-License-Identifier: BSD-3-Clause
// What the telemetry socket tells: one handler per command, each a snapshot of this moment. Lists
// that can be long come in pages; the cursor is the last name or prefix of the page before.
#include "daemon.h"

#include "base/bytes.h"
#include "discovery.h"
#include "ports.h"
#include "restore.h"
#include "runsocket.h"
#include "show/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NODES = 128 };

// --- /xylem/node

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

// None of the others is up.
static void count_links(const struct xy_daemon *d, unsigned *up, unsigned *sessions)
{
	xy_nsec now = xy_now();
	*up = *sessions = 0;
	for (unsigned i = 0; i < xy_links_met(d->links); i++) {
		struct xy_link_info k;
		xy_links_met_info(d->links, i, now, &k);
		*up += strcmp(xy_show_peer_word(d, &k), "up") == 0;
		*sessions += k.sessions;
	}
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
		char key[XY_KEY_STRLEN];
		json_t *o = json_object();
		xy_join_info(j, i, &k);
		json_object_set_new(o, "peer", json_string(k.name));
		json_object_set_new(o, "endpoint", json_string(k.endpoint));
		json_object_set_new(o, "state", json_string(text[k.state]));
		json_object_set_new(o, "probes", number(k.tries));
		json_object_set_new(o, "key",
				    TEXT(xy_key_is_zero(&k.key) ? NULL : xy_key_str(&k.key, key)));
		json_array_append_new(list, o);
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
	if (xy_links_rib(d->links)->waiting_count)
		json_array_append_new(list, json_sprintf("%u routes find no room and wait: raise "
							 "max_routes and restart",
							 xy_links_rib(d->links)->waiting_count));
	warn(list, xy_exchanges_drops(d->exchanges, XY_HS_DROP_NO_INDEX) > 0,
	     "handshakes found no free session: raise max_sessions");
	warn(list, !d->host_open && !d->no_tun && d->plan.config.host.enabled,
	     "the host interface is not there");
	other_key_warning(list, d);
	join_warnings(list, d->join);
	discovery_warnings(list, d);
	port_warnings(list, d);
	warn(list, d->key_lost.text[0], d->key_lost.text);
	warn(list, xy_state_lost(d->state), xy_state_lost(d->state));
	warn(list, xy_state_unsaved(d->state), xy_state_unsaved(d->state));
	xy_show_routing_warnings(d, list);
	warn(list, xy_interface_default_left(d),
	     "a default route is not put into the kernel: see the log");
	warn(list, d->withheld.count > 0,
	     "a route is not put into the kernel, since a link would go with it: see the log");
	warn(list, xy_hostqueue_is_full(d, xy_now()),
	     "the kernel drops packets of this host before a worker sees them: show ports, host");
	warn(list, xy_runsocket_missing(d), xy_runsocket_missing(d));
	warn(list, xy_restore_trouble(d), xy_restore_trouble(d));
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

static void put_identity(json_t *o, const struct xy_daemon *d)
{
	char text[XY_PREFIX_STRLEN];
	struct xy_prefix prefix = xy_key_prefix(&d->id.x25519);
	json_object_set_new(o, "name", json_string(d->name));
	json_object_set_new(o, "version", json_string(XY_VERSION));
	json_object_set_new(o, "pid", json_integer(getpid()));
	json_object_set_new(o, "address", json_string(xy_addr_str(&d->id.addr, text)));
	json_object_set_new(o, "prefix", json_string(xy_prefix_str(&prefix, text)));
	json_object_set_new(o, "public_key", json_string(xy_key_str(&d->id.x25519, text)));
	json_object_set_new(o, "ed25519_key", json_string(xy_key_str(&d->id.ed25519, text)));
	json_object_set_new(o, "uptime", seconds_since(d->started, xy_now()));
}

static void put_lag(json_t *o, const struct xy_daemon *d)
{
	xy_nsec p99, max;
	xy_lag_get(&d->loop.lag, xy_awake(), &p99, &max);
	json_object_set_new(o, "loop_lag_p99_us", number(p99 / XY_USEC));
	json_object_set_new(o, "loop_lag_max_us", number(max / XY_USEC));
	json_object_set_new(o, "longest_turn_cpu_us", number(d->loop.longest / XY_USEC));
	json_t *longest = json_object();
	for (const struct xy_seat *s = d->loop.seats; s; s = s->next)
		json_object_set_new(longest, s->name, number(s->longest / XY_USEC));
	json_object_set_new(o, "longest_work_cpu_us", longest);
}

static void put_clients(json_t *o, const struct xy_daemon *d)
{
	unsigned open;
	uint64_t ended;
	xy_server_clients(d->telemetry, &open, &ended);
	json_object_set_new(o, "telemetry_clients", number(open));
	json_object_set_new(o, "telemetry_clients_ended", number(ended));
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

static json_t *show_node(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	struct xy_dp_route_info routes;
	unsigned up, sessions;
	json_t *o = json_object();

	xy_dp_route_info(d->dp, &routes);
	count_links(d, &up, &sessions);
	put_identity(o, d);
	json_object_set_new(o, "interface", TEXT(d->host_open ? d->host_name : NULL));
	json_object_set_new(o, "mtu", number(d->host_mtu));
	json_object_set_new(o, "memory", json_string(xy_dp_memory(d->dp)));
	json_object_set_new(o, "rss_bytes", number(rss_bytes()));
	json_object_set_new(o, "workers", number(xy_dp_workers(d->dp)));
	json_object_set_new(o, "peers", number(xy_links_count(d->links)));
	json_object_set_new(o, "peers_up", number(up));
	json_object_set_new(o, "sessions", number(sessions));
	json_object_set_new(o, "routes", number(routes.count));
	json_object_set_new(o, "route_limit", number(routes.limit));
	json_object_set_new(o, "route_memory_bytes", number(routes.bytes));
	put_lag(o, d);
	put_clients(o, d);
	json_object_set_new(o, "peering", json_string(peering_text[d->plan.config.peering]));
	json_object_set_new(o, "state_folder", json_string(xy_state_folder(d->state)));
	json_object_set_new(o, "pinned_keys", number(xy_state_pins(d->state)));
	json_object_set_new(o, "reloads", number(d->reloads.taken));
	json_object_set_new(o, "reloads_refused", number(d->reloads.refused));
	json_object_set_new(o, "joining", joining(d->join));
	json_object_set_new(o, "discovery", discovery(d));
	json_object_set_new(o, "waiting_for", waiting(d));
	json_object_set_new(o, "warnings", warnings(d));
	return o;
}

// --- /xylem/peers, /xylem/sessions

static json_t *endpoints_json(const struct xy_link_info *k)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < k->endpoint_count; i++)
		json_array_append_new(list, json_string(k->endpoints[i]));
	return list;
}

static json_t *allowed_json(const struct xy_link_info *k)
{
	char text[XY_PREFIX_STRLEN];
	json_t *list = json_array();
	for (unsigned i = 0; i < k->allowed_count; i++)
		json_array_append_new(list, json_string(xy_prefix_str(&k->allowed[i], text)));
	return list;
}

static void put_traffic(json_t *o, const struct xy_link_info *k)
{
	json_object_set_new(o, "rx_packets", number(k->stats.rx_packets));
	json_object_set_new(o, "rx_bytes", number(k->stats.rx_bytes));
	json_object_set_new(o, "tx_packets", number(k->stats.tx_packets));
	json_object_set_new(o, "tx_bytes", number(k->stats.tx_bytes));
}

static const char *const whence_text[XY_WHENCES] = {[XY_WHENCE_INTERFACE] = "interface",
						    [XY_WHENCE_ROUTE] = "route",
						    [XY_WHENCE_ICMP] = "ICMP",
						    [XY_WHENCE_PROBED] = "probed",
						    [XY_WHENCE_CONFIG] = "config"};

static const char *fragments_text(const struct xy_link_info *k)
{
	if (k->fragments_lost)
		return "lost";
	return k->whole < k->mtu ? "yes" : "no";
}

static void put_size(json_t *o, const struct xy_link_info *k)
{
	bool known = k->mtu;
	json_object_set_new(o, "mtu", number(k->mtu));
	json_object_set_new(o, "mtu_from", TEXT(known ? whence_text[k->whence] : NULL));
	json_object_set_new(o, "fragments", TEXT(known ? fragments_text(k) : NULL));
	json_object_set_new(o, "unfragmented", known ? number(k->whole) : json_null());
}

static json_t *peer_json(const struct xy_daemon *d, unsigned at, xy_nsec now)
{
	char text[XY_ENDPOINT_STRLEN];
	struct xy_link_info k;
	json_t *o = json_object();

	xy_links_info(d->links, at, now, &k);
	struct xy_addr addr = xy_key_addr(&k.key);
	json_object_set_new(o, "name", json_string(k.name));
	json_object_set_new(o, "key", json_string(xy_key_str(&k.key, text)));
	json_object_set_new(o, "address", json_string(xy_addr_str(&addr, text)));
	json_object_set_new(o, "kind", json_string(k.leaf ? "leaf" : "mesh"));
	json_object_set_new(o, "peering",
			    json_string(k.provisional ? "provisional"
					: k.open      ? "open"
						      : "configured"));
	json_object_set_new(o, "state", json_string(xy_show_peer_word(d, &k)));
	json_object_set_new(o, "endpoint",
			    TEXT(k.remote.port ? xy_endpoint_str(&k.remote, text) : k.unresolved));
	json_object_set_new(o, "unresolved", TEXT(k.unresolved));
	json_object_set_new(o, "endpoints", endpoints_json(&k));
	json_object_set_new(o, "last_handshake", seconds_since(k.last_handshake, now));
	json_object_set_new(o, "last_received", seconds_since(k.last_received, now));
	put_traffic(o, &k);
	put_size(o, &k);
	json_object_set_new(o, "keepalive", number(k.keepalive));
	json_object_set_new(o, "allowed", allowed_json(&k));
	json_object_set_new(o, "sessions", number(k.sessions));
	json_object_set_new(o, "session_age", seconds_since(k.session_born, now));
	json_object_set_new(o, "handshakes_sent", number(k.handshakes_sent));
	json_object_set_new(o, "handshakes_failed", number(k.handshakes_failed));
	json_object_set_new(o, "trouble", TEXT(k.trouble));
	return o;
}

static json_t *next_link(const struct xy_daemon *d, unsigned at, unsigned first)
{
	struct xy_link_info k;
	if (at == first || at >= xy_links_count(d->links))
		return json_null();
	xy_links_info(d->links, at - 1, xy_now(), &k);
	return json_string(k.name);
}

static json_t *show_peers(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	unsigned first = xy_links_after(d->links, q->params), at;
	xy_nsec now = xy_now();
	json_t *list = json_array();
	for (at = first; at < xy_links_count(d->links) && at - first < XY_SHOW_PAGE; at++)
		json_array_append_new(list, peer_json(d, at, now));
	return page("peers", list, next_link(d, at, first));
}

static json_t *session_json(const struct xy_daemon *d, const char *peer,
			    const struct xy_link_session *s, xy_nsec now)
{
	struct xy_dp_session_stats stats = {0};
	char index[16];
	json_t *o = json_object();

	xy_dp_session_stats(d->dp, s->index, &stats);
	snprintf(index, sizeof(index), "%08" PRIx32, s->index);
	json_object_set_new(o, "index", json_string(index));
	json_object_set_new(o, "peer", json_string(peer));
	json_object_set_new(o, "owner", number(stats.owner));
	json_object_set_new(o, "age", seconds_since(stats.born, now));
	json_object_set_new(o, "tx_counter", number(stats.tx_counter));
	json_object_set_new(o, "rx_packets", number(stats.rx_packets));
	json_object_set_new(o, "tx_packets", number(stats.tx_packets));
	json_object_set_new(o, "handed_over", number(stats.handed_over));
	json_object_set_new(o, "role", json_string(s->initiator ? "initiator" : "responder"));
	json_object_set_new(o, "use", json_string(s->use));
	return o;
}

static json_t *show_sessions(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	unsigned first = xy_links_after(d->links, q->params), at;
	xy_nsec now = xy_now();
	json_t *list = json_array();
	for (at = first; at < xy_links_count(d->links) && json_array_size(list) < XY_SHOW_PAGE;
	     at++) {
		struct xy_link_session s[3];
		struct xy_link_info k;
		unsigned n = xy_links_sessions(d->links, at, s);
		xy_links_info(d->links, at, now, &k);
		for (unsigned i = 0; i < n; i++)
			json_array_append_new(list, session_json(d, k.name, &s[i], now));
	}
	return page("sessions", list, next_link(d, at, first));
}

// --- /xylem/workers, /xylem/graph, /xylem/drops, /xylem/ports

static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

static json_t *worker_json(const struct xy_daemon *d, unsigned worker)
{
	struct xy_dp_worker_stats s;
	json_t *o = json_object();
	if (xy_dp_worker_stats(d->dp, worker, &s))
		return o;
	json_object_set_new(o, "worker", number(worker));
	json_object_set_new(o, "cpu", json_integer(s.cpu));
	json_object_set_new(o, "alive", json_boolean(!d->watchdog.worker[worker].stuck));
	json_object_set_new(o, "busy", json_real(d->worker[worker].busy));
#define X(name, sign, help) json_object_set_new(o, #name, number(s.name));
	XY_DP_ACCOUNTS(X)
#undef X
	json_object_set_new(o, "balance", json_integer(xy_dp_accounts_balance(&s)));
	json_object_set_new(o, "sleeps", number(s.sleeps));
	return o;
}

// At each tick: a worker's load since the last one, whoever asks and how often.
uint64_t xy_show_sample(struct xy_daemon *d)
{
	uint64_t packets = 0;
	for (unsigned i = 0; i < xy_dp_workers(d->dp); i++) {
		struct xy_worker_view *v = &d->worker[i];
		struct xy_dp_worker_stats s;
		if (xy_dp_worker_stats(d->dp, i, &s))
			continue;
		v->busy = share(s.busy_cycles - v->busy_cycles, s.total_cycles - v->total_cycles);
		v->walks = s.walks;
		v->asleep = s.asleep;
		packets += s.rx + s.host_rx - v->packets;
		v->packets = s.rx + s.host_rx;
		v->busy_cycles = s.busy_cycles;
		v->total_cycles = s.total_cycles;
	}
	return packets;
}

static json_t *show_workers(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	json_t *o = json_object(), *list = json_array();
	for (unsigned i = 0; i < xy_dp_workers(d->dp); i++)
		json_array_append_new(list, worker_json(d, i));
	json_object_set_new(o, "workers", list);
	return o;
}

static void put_nodes(json_t *list, const struct xy_daemon *d, unsigned worker)
{
	struct xy_dp_node_stats s[NODES];
	unsigned n = xy_dp_graph_stats(d->dp, worker, s, NODES);
	for (unsigned i = 0; i < n && i < NODES; i++) {
		json_t *o = json_object();
		json_object_set_new(o, "worker", number(worker));
		json_object_set_new(o, "node", json_string(s[i].name));
		json_object_set_new(o, "calls", number(s[i].calls));
		json_object_set_new(o, "packets", number(s[i].packets));
		json_object_set_new(o, "cycles", number(s[i].cycles));
		json_object_set_new(o, "cycles_per_packet",
				    json_real(share(s[i].cycles, s[i].packets)));
		json_object_set_new(o, "packets_per_call",
				    json_real(share(s[i].packets, s[i].calls)));
		json_array_append_new(list, o);
	}
}

static void dot_edge(void *arg, const char *node, const char *next)
{
	fprintf(arg, "  \"%s\" -> \"%s\";\n", node, next);
}

static json_t *graph_dot(void)
{
	char *text = NULL;
	size_t size;
	json_t *o = json_object();
	FILE *f = open_memstream(&text, &size);
	if (f) {
		fputs("digraph xylem {\n  rankdir=LR;\n", f);
		xy_dp_graph_edges(dot_edge, f);
		fputs("}\n", f);
		fclose(f);
	}
	json_object_set_new(o, "dot", TEXT(text));
	free(text);
	return o;
}

static json_t *show_graph(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	if (q->params && strcmp(q->params, "dot") == 0)
		return graph_dot();
	json_t *o = json_object(), *list = json_array();
	for (unsigned i = 0; i < xy_dp_workers(d->dp); i++)
		put_nodes(list, d, i);
	json_object_set_new(o, "tsc_hz", number(xy_dp_tsc_hz(d->dp)));
	json_object_set_new(o, "nodes", list);
	return o;
}

static void put_drop(json_t *list, const char *reason, uint64_t packets, const char *text)
{
	json_t *o = json_object();
	json_object_set_new(o, "reason", json_string(reason));
	json_object_set_new(o, "packets", number(packets));
	json_object_set_new(o, "meaning", json_string(text));
	json_array_append_new(list, o);
}

static json_t *show_drops(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	uint64_t sum[XY_DROP_COUNT] = {0};
	json_t *o = json_object(), *list = json_array();
	for (unsigned i = 0; i < xy_dp_workers(d->dp); i++) {
		struct xy_dp_worker_stats s;
		bool there = xy_dp_worker_stats(d->dp, i, &s) == 0;
		for (unsigned k = 0; there && k < XY_DROP_COUNT; k++)
			sum[k] += s.drop[k];
	}
	for (unsigned k = 0; k < XY_DROP_COUNT; k++)
		put_drop(list, xy_drop_name[k], sum[k], xy_drop_text[k]);
	for (unsigned k = 0; k < XY_HS_DROP_COUNT; k++)
		put_drop(list, xy_hs_drop_name[k], xy_exchanges_drops(d->exchanges, k),
			 xy_hs_drop_text[k]);
	for (unsigned k = 0; k < XY_JOIN_DROP_COUNT; k++)
		put_drop(list, xy_join_drop_name[k], xy_join_drops(d->join, k),
			 xy_join_drop_text[k]);
	for (unsigned k = 0; k < XY_NODEINFO_DROP_COUNT; k++)
		put_drop(list, xy_nodeinfo_drop_name[k], xy_nodeinfo_drops(d->nodeinfo, k),
			 xy_nodeinfo_drop_text[k]);
	json_object_set_new(o, "drops", list);
	return o;
}

static json_t *port_json(const struct xy_daemon *d, unsigned port,
			 const struct xy_dp_port_info *info)
{
	char text[128];
	const char *note = xy_ports_note(d, port, text, sizeof(text)) ? text : NULL;
	json_t *o = json_object(), *steered = json_object();
#define X(NAME, name, text) \
	json_object_set_new(steered, #name, number(info->steered[XY_STEER_##NAME]));
	XY_STEERS(X)
#undef X
	json_object_set_new(o, "port", number(port));
	json_object_set_new(o, "note", TEXT(note));
	json_object_set_new(o, "driver", json_string(info->driver));
	json_object_set_new(o, "mode", json_string(info->mode));
	json_object_set_new(o, "interface", json_string(info->interface));
	json_object_set_new(o, "idle", json_string(info->idle));
	json_object_set_new(o, "queues", number(info->queues));
	json_object_set_new(o, "address", json_string(xy_addr_str(&info->address, text)));
	json_object_set_new(o, "udp_port", number(info->port));
	json_object_set_new(o, "rx_packets", number(info->rx_packets));
	json_object_set_new(o, "rx_bytes", number(info->rx_bytes));
	json_object_set_new(o, "tx_packets", number(info->tx_packets));
	json_object_set_new(o, "tx_bytes", number(info->tx_bytes));
	json_object_set_new(o, "rx_missed", number(info->rx_missed));
	json_object_set_new(o, "tx_errors", number(info->tx_errors));
	json_object_set_new(o, "rx_fragmented", number(info->rx_fragmented));
	json_object_set_new(o, "tx_fragmented", number(info->tx_fragmented));
	json_object_set_new(o, "steered", steered);
	return o;
}

// A list of one, or of none: what passes between the kernel and the host interface.
static json_t *host_json(struct xy_daemon *d)
{
	struct xy_hostlink_counters c;
	json_t *list = json_array(), *o;
	if (xy_hostqueue_counters(d, &c))
		return list;
	o = json_object();
	json_object_set_new(o, "host", json_string(d->host_name));
	json_object_set_new(o, "queues", number(xy_dp_workers(d->dp)));
	json_object_set_new(o, "mtu", number(d->host_mtu));
	json_object_set_new(o, "rx_packets", number(c.rx_packets));
	json_object_set_new(o, "rx_bytes", number(c.rx_bytes));
	json_object_set_new(o, "tx_packets", number(c.tx_packets));
	json_object_set_new(o, "tx_bytes", number(c.tx_bytes));
	json_object_set_new(o, "rx_missed", number(c.rx_missed));
	json_object_set_new(o, "tx_errors", number(c.tx_errors));
	json_array_append_new(list, o);
	return list;
}

static json_t *show_ports(void *arg, struct xy_request *q)
{
	struct xy_daemon *d = arg;
	struct xy_dp_port_info info;
	json_t *o = json_object(), *list = json_array();
	for (unsigned i = 0; i < XY_DP_PORTS; i++)
		if (xy_dp_port_info(d->dp, i, &info) == 0)
			json_array_append_new(list, port_json(d, i, &info));
	json_object_set_new(o, "ports", list);
	json_object_set_new(o, "hosts", host_json(d));
	return o;
}

int xy_show_register(struct xy_daemon *d, struct xy_err *err)
{
	static const struct xy_server_command command[] = {
		{"/xylem/node", "This node: identity, interface, memory, counts.", show_node},
		{"/xylem/peers", "Peers and their links. Params: name to go on behind.",
		 show_peers},
		{"/xylem/sessions", "Sessions. Params: peer name to go on behind.", show_sessions},
		{"/xylem/workers", "Workers: load and the terms of the accounting identity.",
		 show_workers},
		{"/xylem/graph", "Graph nodes: calls, packets, cycles. Params: dot for a picture.",
		 show_graph},
		{"/xylem/drops", "Drops by reason, workers and control plane.", show_drops},
		{"/xylem/ports", "Ports and the host interface, and their counters.", show_ports},
	};
	int r = xy_server_register_all(d->telemetry, command, XY_ARRAY_SIZE(command), d);
	r = r ? r : xy_show_routing_register(d);
	r = r ? r : xy_show_mesh_register(d);
	return r ? xy_err_set(err, -r, "telemetry: %s", strerror(-r)) : 0;
}
