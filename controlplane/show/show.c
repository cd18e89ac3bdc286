// SPDX-License-Identifier: BSD-3-Clause
// What the telemetry socket tells of links, workers and ports: one handler per command, each a
// snapshot of this moment. Lists that can be long come in pages; the cursor is the last name or
// prefix of the page before.
#include "daemon.h"
#include "interface.h"

#include "base/bytes.h"
#include "ports.h"
#include "show/filter.h"
#include "show/show.h"

#include <stdio.h>
#include <stdlib.h>

enum { NODES = 128 };

// --- /xylem/peers

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

static json_t *peer_json(const struct xy_daemon *d, unsigned at, xy_nsec now)
{
	char endpoint[XY_ENDPOINT_STRLEN];
	struct xy_link_info k;

	xy_links_info(d->links, at, now, &k);
	const struct xy_addr addr = xy_key_addr(&k.key);
	const bool known = k.mtu; // what it carries
	struct xy_book_peer p;
	bool found = xy_book_in_force(&d->book, &k.key, &p);
	return xy_tell_peer(&(struct xy_fields_peer){
		.name = k.name,
		.key = &k.key,
		.address = &addr,
		.kind = k.leaf ? "leaf" : "mesh",
		.peering = k.provisional ? "provisional"
			   : k.open	 ? "open"
					 : "configured",
		.source = found ? xy_book_source_names[p.source] : NULL,
		.state = xy_show_peer_word(d, &k),
		.endpoint = k.remote.port ? xy_endpoint_str(&k.remote, endpoint) : k.unresolved,
		.unresolved = k.unresolved,
		.endpoints = endpoints_json(&k),
		.last_handshake = seconds_since(k.last_handshake, now),
		.last_received = seconds_since(k.last_received, now),
		.rx_packets = (int64_t)k.stats.rx_packets,
		.rx_bytes = (int64_t)k.stats.rx_bytes,
		.tx_packets = (int64_t)k.stats.tx_packets,
		.tx_bytes = (int64_t)k.stats.tx_bytes,
		.mtu = k.mtu,
		.mtu_from = known ? whence_text[k.whence] : NULL,
		.fragments = known ? fragments_text(&k) : NULL,
		.unfragmented = or_null(known, k.whole),
		.path_limit = or_null(known, k.limit),
		.keepalive = k.keepalive,
		.allowed = allowed_json(&k),
		.sessions = k.sessions,
		.session_age = seconds_since(k.session_born, now),
		.handshakes_sent = (int64_t)k.handshakes_sent,
		.handshakes_failed = (int64_t)k.handshakes_failed,
		.clock_apart = or_null(k.clock_known, k.clock_apart),
		.trouble = k.trouble,
	});
}

enum { LOOKED_AT = 256 }; // links, where most do not fit

static json_t *show_peers(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	struct xy_filter f;
	json_t *error = xy_filter_begin(&f, d, q);
	if (error)
		return error;
	unsigned count = xy_links_count(d->links),
		 at = xy_links_after(d->links, xy_filter_after(&f));
	xy_nsec now = xy_now();
	json_t *list = json_array();
	for (unsigned n = 0; at < count && n < LOOKED_AT && !xy_filter_is_full(&f); n++, at++)
		if (xy_filter_link(&f, d, xy_links_slot_at(d->links, at)))
			XY_FILTER_PUT(&f, list, peer_json(d, at, now));
	const char *last =
		at < count ? xy_links_name(d->links, xy_links_slot_at(d->links, at - 1)) : NULL;
	json_t *o = xy_tell_peers(&(struct xy_fields_peers){
		.peers = list, .count = xy_filter_count(&f), .next = xy_filter_next(&f, last)});
	xy_filter_end(&f);
	return o;
}

// --- /xylem/workers, /xylem/graph, /xylem/ports

static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

static json_t *worker_json(const struct xy_daemon *d, unsigned worker)
{
	struct xy_dp_worker_stats s;
	if (xy_dp_worker_stats(d->dp, worker, &s))
		return json_object();
	return xy_tell_worker(&(struct xy_fields_worker){
		.worker = worker,
		.cpu = s.cpu,
		.alive = !d->watchdog.worker[worker].stuck,
		.busy = d->worker[worker].busy,
#define X(name, sign, help) .name = (int64_t)s.name,
		XY_DP_ACCOUNTS(X)
#undef X
			.balance = xy_dp_accounts_balance(&s),
		.busy_cycles = (int64_t)s.busy_cycles,
		.sleeps = (int64_t)s.sleeps,
	});
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
	json_t *list = json_array();
	for (unsigned i = 0; i < xy_dp_workers(d->dp); i++)
		json_array_append_new(list, worker_json(d, i));
	return xy_tell_workers(&(struct xy_fields_workers){.workers = list});
}

static void put_nodes(json_t *list, const struct xy_daemon *d, unsigned worker)
{
	struct xy_dp_node_stats s[NODES];
	unsigned n = xy_dp_graph_stats(d->dp, worker, s, NODES);
	for (unsigned i = 0; i < n && i < NODES; i++)
		json_array_append_new(list,
				      xy_tell_graph_node(&(struct xy_fields_graph_node){
					      .worker = worker,
					      .node = s[i].name,
					      .calls = (int64_t)s[i].calls,
					      .packets = (int64_t)s[i].packets,
					      .cycles = (int64_t)s[i].cycles,
					      .cycles_per_packet = share(s[i].cycles, s[i].packets),
					      .packets_per_call = share(s[i].packets, s[i].calls),
				      }));
}

static void dot_edge(void *arg, const char *node, const char *next)
{
	fprintf(arg, "  \"%s\" -> \"%s\";\n", node, next);
}

static json_t *graph_dot(void)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	if (f) {
		fputs("digraph xylem {\n  rankdir=LR;\n", f);
		xy_dp_graph_edges(dot_edge, f);
		fputs("}\n", f);
		fclose(f);
	}
	json_t *o = xy_tell_graph_dot(&(struct xy_fields_graph_dot){.dot = text});
	free(text);
	return o;
}

static json_t *show_graph(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	if (q->params && strcmp(q->params, "dot") == 0)
		return graph_dot();
	json_t *list = json_array();
	for (unsigned i = 0; i < xy_dp_workers(d->dp); i++)
		put_nodes(list, d, i);
	return xy_tell_graph(
		&(struct xy_fields_graph){.tsc_hz = (int64_t)xy_dp_tsc_hz(d->dp), .nodes = list});
}

static json_t *steered_json(const struct xy_dp_port_info *info)
{
	json_t *o = json_object();
#define X(NAME, name, text) \
	json_object_set_new(o, #name, json_integer((json_int_t)info->steered[XY_STEER_##NAME]));
	XY_STEERS(X)
#undef X
	return o;
}

static json_t *port_json(const struct xy_daemon *d, unsigned port,
			 const struct xy_dp_port_info *info)
{
	char text[128];
	return xy_tell_port(&(struct xy_fields_port){
		.port = port,
		.note = xy_ports_note(d, port, text, sizeof(text)) ? text : NULL,
		.driver = info->driver,
		.mode = info->mode,
		.interface = info->interface,
		.idle = info->idle,
		.queues = info->queues,
		.address = &info->address,
		.udp_port = info->port,
		.rx_packets = (int64_t)info->rx_packets,
		.rx_bytes = (int64_t)info->rx_bytes,
		.tx_packets = (int64_t)info->tx_packets,
		.tx_bytes = (int64_t)info->tx_bytes,
		.rx_missed = (int64_t)info->rx_missed,
		.tx_errors = (int64_t)info->tx_errors,
		.rx_fragmented = (int64_t)info->rx_fragmented,
		.tx_fragmented = (int64_t)info->tx_fragmented,
		.steered = steered_json(info),
	});
}

// A list of one, or of none: what passes between the kernel and the host interface.
static json_t *host_json(struct xy_daemon *d)
{
	struct xy_hostlink_counters c;
	json_t *list = json_array();
	if (xy_hostqueue_counters(d, &c))
		return list;
	json_array_append_new(list, xy_tell_host(&(struct xy_fields_host){
					    .host = xy_interface_name(d),
					    .queues = xy_dp_workers(d->dp),
					    .mtu = xy_interface_mtu(d),
					    .rx_packets = (int64_t)c.rx_packets,
					    .rx_bytes = (int64_t)c.rx_bytes,
					    .tx_packets = (int64_t)c.tx_packets,
					    .tx_bytes = (int64_t)c.tx_bytes,
					    .rx_missed = (int64_t)c.rx_missed,
					    .tx_errors = (int64_t)c.tx_errors,
				    }));
	return list;
}

static json_t *show_ports(void *arg, struct xy_request *q)
{
	struct xy_daemon *d = arg;
	struct xy_dp_port_info info;
	json_t *list = json_array();
	for (unsigned i = 0; i < XY_DP_PORTS; i++)
		if (xy_dp_port_info(d->dp, i, &info) == 0)
			json_array_append_new(list, port_json(d, i, &info));
	return xy_tell_ports(&(struct xy_fields_ports){.ports = list, .hosts = host_json(d)});
}

int xy_show_register(struct xy_daemon *d, struct xy_err *err)
{
	static const struct xy_show_reply reply[] = {
		{"node", xy_show_node},		{"config", xy_show_config}, {"peers", show_peers},
		{"sessions", xy_show_sessions}, {"workers", show_workers},  {"graph", show_graph},
		{"drops", xy_show_drops},	{"drop", xy_show_drop},	    {"ports", show_ports},
	};
	int r = xy_show_register_all(d, reply, XY_ARRAY_SIZE(reply));
	r = r ? r : xy_show_routing_register(d);
	r = r ? r : xy_show_policy_register(d);
	r = r ? r : xy_show_log_register(d);
	r = r ? r : xy_show_mesh_register(d);
	return r ? xy_err_set(err, -r, "telemetry: %s", strerror(-r)) : 0;
}
