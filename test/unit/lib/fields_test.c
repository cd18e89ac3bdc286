// SPDX-License-Identifier: BSD-3-Clause
// The list of fields: what programs read by stays as it was recorded, and each row makes sense.
#include "fields/fields.h"
#include "unit.h"

#include <string.h>

// Keys as a daemon gave them before there was a list. Programs of others read by them: a key may be
// added, and goes behind the others of its kind; none is renamed.
static const struct {
	const struct xy_object *(*of)(void);
	const char *keys;
} recorded[] = {
	{xy_object_node,
	 "name version pid address prefix public_key ed25519_key uptime "
	 "interface mtu memory rss_bytes workers peers peers_up sessions "
	 "far_nodes far_node_limit routes "
	 "route_limit route_memory_bytes loop_lag_p99_us loop_lag_max_us "
	 "longest_turn_cpu_us longest_work_cpu_us telemetry_clients "
	 "telemetry_clients_ended peering state_folder pinned_keys reloads "
	 "reloads_refused joining discovery waiting_for warnings policy "
	 "refused_packets exit sandbox confined refused_calls suite transit cipher"},
	{xy_object_policy, "policy interface table rules"},
	{xy_object_policy_rule, "rule what from does packets bytes"},
	{xy_object_joining, "peer endpoint state probes key"},
	{xy_object_config, "file refused run_time unkept changed"},
	{xy_object_config_change, "setting file run_time effective"},
	{xy_object_peers, "peers next count"},
	{xy_object_peer,
	 "name key address kind peering source state endpoint unresolved endpoints "
	 "last_handshake last_received rx_packets rx_bytes tx_packets tx_bytes "
	 "mtu mtu_from fragments unfragmented path_limit keepalive allowed sessions "
	 "session_age handshakes_sent handshakes_failed clock_apart trouble"},
	{xy_object_workers, "workers"},
	{xy_object_worker, "worker cpu alive busy rx host_rx ring_in generated split tx host_tx "
			   "ring_out punted consumed merged drops held balance sleeps "
			   "busy_cycles"},
	{xy_object_graph, "tsc_hz nodes"},
	{xy_object_graph_node,
	 "worker node calls packets cycles cycles_per_packet packets_per_call"},
	{xy_object_drops, "drops kernel"},
	{xy_object_kernel_drop, "place counter packets meaning"},
	{xy_object_drop_reason, "reason meaning packets others no_room last owners more"},
	{xy_object_drop_owner, "peer packets last certain source source_node destination "
			       "destination_node inside"},
	{xy_object_drop, "reason packets meaning"},
	{xy_object_ports, "ports hosts"},
	{xy_object_port, "port note driver mode interface idle queues address udp_port "
			 "rx_packets rx_bytes tx_packets tx_bytes rx_missed tx_errors "
			 "rx_fragmented tx_fragmented steered"},
	{xy_object_routes, "routes next count"},
	{xy_object_route, "prefix kind peer peers source node node_address"},
	{xy_object_learned, "metric origin epoch seqno router_id external tag age"},
	{xy_object_sessions, "sessions next count"},
	{xy_object_session,
	 "index peer kind address key state owner age tx_counter rx_packets tx_packets "
	 "handed_over role use rx_bytes tx_bytes last_handshake path suite fallbacks "
	 "lanes lanes_why mtu idle"},
	{xy_object_fleet,
	 "instance version pid uptime daemon name address key link_key source place source_state "
	 "source_since source_trouble trust endpoints epoch published expires trouble claim "
	 "claim_trouble links records wanted up devices publishes peers_added peers_changed "
	 "peers_forgotten peers_refused unread outcomes refused memory_bytes record nodes refusals "
	 "next"},
	{xy_object_fleet_node,
	 "name address key link_key linked state rtt_us age expires endpoints relay epoch version "
	 "prefixes claim source peer in_force trouble"},
	{xy_object_fleet_refusal, "entry reason node key count age why"},
	{xy_object_neighbours, "neighbours next refusals count"},
	{xy_object_neighbour,
	 "peer state hellos address cost rx_cost tx_cost rtt_us routes origins "
	 "waiting tx_packets tx_bytes rx_packets rx_bytes tx_updates rx_updates "
	 "resent probes silences losses losses_lately refused reflected refusals trouble "
	 "node node_address"},
	{xy_object_graph_dot, "dot"},
	{xy_object_host, "host queues mtu rx_packets rx_bytes tx_packets tx_bytes rx_missed "
			 "tx_errors"},
	{xy_object_route_reply, "prefix match inside routes babel not_announced unused"},
	{xy_object_candidate, "prefix kind peer peers source node node_address in_force"},
	{xy_object_said, "peer state selected feasible used followed metric origin epoch seqno "
			 "router_id external tag age held_ms refmetric feasibility_seqno "
			 "feasibility_metric node"},
	{xy_object_untold, "peer reason"},
	{xy_object_unused, "prefix peer source node metric why_not"},
	{xy_object_gateways, "gateways next count"},
	{xy_object_gateway, "prefix gateway key address metric via used why_not age"},
	{xy_object_refusal, "peer reason count meaning"},
	{xy_object_routing, "epoch router_id starting neighbours prefixes prefix_limit reachable "
			    "routes origins memory_bytes verifications signatures_verified "
			    "signatures_known signatures_waiting packets_waiting seqno_requests "
			    "forwarded raises packets_malformed routes_refused not_accepted"},
	{xy_object_tree, "done cut found answered silent nodes links next"},
	{xy_object_tree_node,
	 "address name peer version state parent depth cost link_rtt_us rtt_us "
	 "neighbours"},
	{xy_object_tree_link, "from to cost rtt_us"},
	{xy_object_path, "address done end hops route"},
	{xy_object_way, "prefix source route peer next_hop metric origin epoch"},
	{xy_object_hop, "hop address name peer state after_gap rtt_us route metric"},
	{xy_object_trace, "address done end hops"},
	{xy_object_log, "lines next missed newest"},
	{xy_object_log_line, "seq time level subsystem text"},
	{xy_object_named, "name kind address key done found answered"},
};

static void test_recorded(void)
{
	for (size_t i = 0; i < sizeof(recorded) / sizeof(recorded[0]); i++) {
		const struct xy_object *o = recorded[i].of();
		char keys[2000] = "";
		for (unsigned k = 0; k < o->count; k++) {
			strcat(keys, k ? " " : "");
			strcat(keys, o->fields[k].key);
		}
		CU_ASSERT_STRING_EQUAL(keys, recorded[i].keys);
		if (strcmp(keys, recorded[i].keys) != 0)
			printf("\n  %s: %s\n", o->name, keys);
	}
}

static const struct xy_object *(*const objects[])(void) = {
#define O(name, LIST, ids, more) xy_object_##name,
	XY_OBJECTS(O)
#undef O
};
enum { OBJECTS = sizeof(objects) / sizeof(objects[0]) };

static bool is_number(enum xy_form f)
{
	return f >= XY_FORM_NUMBER && f <= XY_FORM_DECIMAL;
}

// A key that ends in a unit has a form of that unit.
static bool unit_agrees(const struct xy_field *f)
{
	static const char *const end[][2] = {
		{"_us", "us"}, {"_ms", "ms"}, {"_bytes", "bytes"}, {"_hz", "Hz"}};
	size_t len = strlen(f->key);
	for (size_t i = 0; i < sizeof(end) / sizeof(end[0]); i++) {
		size_t n = strlen(end[i][0]);
		if (len > n && strcmp(f->key + len - n, end[i][0]) == 0)
			return f->form == XY_FORM_MAP ||
			       strcmp(xy_form_unit(f->form), end[i][1]) == 0;
	}
	return true;
}

static bool kind_agrees(const struct xy_field *f)
{
	bool rate = f->form == XY_FORM_COUNT || f->form == XY_FORM_TRAFFIC;
	bool many = f->form == XY_FORM_LIST || f->form == XY_FORM_OBJECT;
	bool number = is_number(f->form) || f->form == XY_FORM_MAP;
	if (rate && f->kind != XY_KIND_COUNTER)
		return false;
	if (many != (f->of != NULL) || (many && f->kind != XY_KIND_NONE))
		return false;
	if (f->form == XY_FORM_MAP && f->column) // it has no cell
		return false;
	return number || (f->kind != XY_KIND_COUNTER && (f->kind != XY_KIND_GAUGE));
}

static void test_rows(void)
{
	for (unsigned i = 0; i < OBJECTS; i++) {
		const struct xy_object *o = objects[i]();
		for (unsigned k = 0; k < o->count; k++) {
			const struct xy_field *f = &o->fields[k];
			bool good = f->help[0] && unit_agrees(f) && kind_agrees(f);
			if (!good)
				printf("\n  %s.%s\n", o->name, f->key);
			CU_ASSERT(good);
			for (unsigned n = 0; n < k; n++)
				CU_ASSERT_STRING_NOT_EQUAL(o->fields[n].key, f->key);
		}
	}
}

static unsigned with_column(const struct xy_object *o, unsigned column)
{
	unsigned n = 0;
	for (; o; o = o->more ? o->more() : NULL)
		for (unsigned k = 0; k < o->count; k++)
			n += o->fields[k].column == column;
	return n;
}

// From 1 on each is taken, and by one.
static void test_columns(void)
{
	for (unsigned i = 0; i < OBJECTS; i++) {
		const struct xy_object *o = objects[i]();
		unsigned columns = 0, fields = 0;
		if (strcmp(o->name, "learned") == 0 || strcmp(o->name, "graph_counts") == 0)
			continue; // in another's table
		while (xy_object_column(o, columns + 1))
			columns++;
		for (const struct xy_object *m = o; m; m = m->more ? m->more() : NULL)
			for (unsigned k = 0; k < m->count; k++)
				fields += m->fields[k].column != 0;
		for (unsigned c = 1; c <= columns; c++)
			if (with_column(o, c) != 1)
				printf("\n  %s: column %u\n", o->name, c);
		for (unsigned c = 1; c <= columns; c++)
			CU_ASSERT_EQUAL(with_column(o, c), 1);
		CU_ASSERT_EQUAL(fields, columns);
		CU_ASSERT(o->ids <= columns);
	}
}

static void test_replies(void)
{
	const struct xy_reply *r;
	for (unsigned i = 0; (r = xy_reply_at(i)); i++) {
		CU_ASSERT_PTR_EQUAL(xy_reply_find(r->name), r);
		CU_ASSERT(strcmp(r->command + strlen("/xylem/"), r->name) == 0 && r->help[0]);
		CU_ASSERT(r->about == NULL || r->params[0] == (r->about[0] == '[' ? '[' : ','));
	}
	for (unsigned i = 0; (r = xy_agent_reply_at(i)); i++)
		CU_ASSERT(xy_agent_reply_find(r->name) == r && !xy_reply_find(r->name));
	CU_ASSERT_PTR_NULL(xy_reply_find("nothing"));
	CU_ASSERT_STRING_EQUAL(XY_KEY(peer, rx_bytes), "rx_bytes");
}

XY_UNIT_MAIN("fields", {"keys as recorded", test_recorded}, {"rows", test_rows},
	     {"columns", test_columns}, {"replies", test_replies})
