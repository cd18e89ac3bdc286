// SPDX-License-Identifier: BSD-3-Clause
// What of the list of fields are metrics: names and units that others read by stay, each is there
// once, and what a set is made of is in the list.
#include "fields/metrics.h"
#include "unit.h"

#include <ctype.h>
#include <string.h>

// As they were when they were first told; one may be added.
static const char *const recorded[] = {
	"xylem_node_info",
	"xylem_node_uptime_seconds",
	"xylem_node_rss_bytes",
	"xylem_node_peers",
	"xylem_node_peers_up",
	"xylem_node_routes",
	"xylem_node_route_limit",
	"xylem_node_far_nodes",
	"xylem_node_far_node_limit",
	"xylem_node_warnings",
	"xylem_node_loop_lag_p99_seconds",
	"xylem_node_longest_work_cpu_seconds",
	"xylem_node_reloads_refused_total",
	"xylem_config_refused",
	"xylem_config_changed",
	"xylem_routing_prefixes",
	"xylem_routing_prefix_limit",
	"xylem_routing_routes_refused_total",
	"xylem_worker_alive",
	"xylem_worker_busy_ratio",
	"xylem_worker_rx_packets_total",
	"xylem_worker_drops_total",
	"xylem_worker_held_packets",
	"xylem_worker_busy_cycles_total",
	"xylem_graph_tsc_hertz",
	"xylem_graph_node_cycles_total",
	"xylem_graph_node_packets_total",
	"xylem_drop_packets_total",
	"xylem_kernel_drop_packets_total",
	"xylem_port_info",
	"xylem_port_rx_missed_total",
	"xylem_port_steered_packets_total",
	"xylem_host_rx_bytes_total",
	"xylem_policy_rule_packets_total",
	"xylem_peer_info",
	"xylem_peer_up",
	"xylem_peer_state",
	"xylem_peer_rx_bytes_total",
	"xylem_peer_last_handshake_seconds",
	"xylem_peer_handshakes_failed_total",
	"xylem_peer_clock_apart_seconds",
	"xylem_peer_mtu_bytes",
	"xylem_neighbour_rtt_seconds",
	"xylem_neighbour_cost",
	"xylem_neighbour_losses_total",
	"xylem_joining_probes_total",
};

static char all[512][XY_METRIC_NAME_LEN + 16];
static unsigned count;

static bool is_there(const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(all[i], name) == 0)
			return true;
	return false;
}

static void test_names(void)
{
	const struct xy_metric_set *s;
	struct xy_metric m;
	for (unsigned i = 0; (s = xy_metric_set_at(i)); i++)
		for (unsigned k = 0; xy_metric_at(s, k, &m); k++) {
			char name[XY_METRIC_NAME_LEN + 16];
			snprintf(name, sizeof(name), "%s%s", m.name, m.suffix);
			CU_ASSERT(!is_there(name) && count < 512);
			memcpy(all[count++], name, sizeof(name));
		}
	for (unsigned i = 0; i < XY_METRIC_OWN; i++) {
		const struct xy_metric_of_own *o = xy_metric_own_at(i);
		snprintf(all[count], sizeof(all[0]), "%s%s", o->name, o->suffix);
		CU_ASSERT(!is_there(all[count]) && o->help[0]);
		count++;
	}
	for (size_t i = 0; i < sizeof(recorded) / sizeof(recorded[0]); i++) {
		if (!is_there(recorded[i]))
			printf("\n  %s has gone\n", recorded[i]);
		CU_ASSERT(is_there(recorded[i]));
	}
}

static bool ends(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);
	return len > n && strcmp(text + len - n, end) == 0;
}

// By the conventions: base units, what a name ends with, words of the list in the help.
static void test_conventions(void)
{
	static const char *const bad[] = {"_us",  "_ms",     "_hz",    "_count",
					  "_sum", "_bucket", "_total", "_info"};
	const struct xy_metric_set *s;
	struct xy_metric m;
	for (unsigned i = 0; (s = xy_metric_set_at(i)); i++)
		for (unsigned k = 0; xy_metric_at(s, k, &m); k++) {
			bool good = m.help[0] && strchr(m.help, '\n') == NULL && m.divisor;
			good = good && (m.type == XY_METRIC_COUNTER) == !strcmp(m.suffix, "_total");
			good = good && (!m.unit[0] || ends(m.name, m.unit));
			good = good && (m.divisor == 1 || strcmp(m.unit, "seconds") == 0);
			good = good && !strstr(m.help, "null");
			for (const char *c = m.name; *c; c++)
				good = good && (islower((unsigned char)*c) ||
						isdigit((unsigned char)*c) || *c == '_');
			for (size_t b = 0; b < sizeof(bad) / sizeof(bad[0]); b++)
				good = good && !ends(m.name, bad[b]);
			if (!good)
				printf("\n  %s%s: %s\n", m.name, m.suffix, m.help);
			CU_ASSERT(good);
		}
}

static const struct xy_field *find(const struct xy_object *o, const char *key)
{
	for (unsigned i = 0; i < o->count; i++)
		if (strcmp(o->fields[i].key, key) == 0)
			return &o->fields[i];
	return NULL;
}

static void keys_are_there(const struct xy_metric_set *s, const char *list)
{
	char key[XY_METRIC_LABEL_LEN], label[XY_METRIC_LABEL_LEN];
	while ((list = xy_metric_label(list, key, label)))
		CU_ASSERT(find(s->object(), key) && label[0]);
}

static void test_sets(void)
{
	const struct xy_metric_set *s;
	char key[XY_METRIC_LABEL_LEN], label[XY_METRIC_LABEL_LEN];
	for (unsigned i = 0; (s = xy_metric_set_at(i)); i++) {
		const struct xy_reply *r = xy_reply_find(s->reply);
		r = r ? r : xy_agent_reply_find(s->reply);
		CU_ASSERT_FATAL(r != NULL);
		const struct xy_field *list = s->list ? find(r->object(), s->list) : NULL;
		CU_ASSERT(s->list ? list && list->of() == s->object() : r->object() == s->object());
		CU_ASSERT(!s->list == !s->labels);
		keys_are_there(s, s->labels);
		keys_are_there(s, s->info);
	}
	const char *rest = xy_metric_label("name=peer kind", key, label);
	CU_ASSERT(rest && !strcmp(key, "name") && !strcmp(label, "peer"));
	rest = xy_metric_label(rest, key, label);
	CU_ASSERT(rest && !strcmp(key, "kind") && !strcmp(label, "kind"));
	CU_ASSERT(!xy_metric_label(rest, key, label) && !xy_metric_label(NULL, key, label));
}

static const struct xy_metric *metric(const char *name, struct xy_metric *m)
{
	const struct xy_metric_set *s;
	for (unsigned i = 0; (s = xy_metric_set_at(i)); i++)
		for (unsigned k = 0; xy_metric_at(s, k, m); k++)
			if (strcmp(m->name, name) == 0)
				return m;
	CU_FAIL_FATAL("no such metric");
	return NULL;
}

static void test_some(void)
{
	struct xy_metric m;
	CU_ASSERT(metric("xylem_neighbour_rtt_seconds", &m)->divisor == 1000000);
	CU_ASSERT(metric("xylem_node_longest_work_cpu_seconds", &m)->divisor == 1000000 &&
		  m.how == XY_METRIC_MAP && !strcmp(m.label, "work"));
	CU_ASSERT_STRING_EQUAL(metric("xylem_peer_rx_bytes", &m)->suffix, "_total");
	CU_ASSERT_STRING_EQUAL(metric("xylem_peer_rx_packets", &m)->help,
			       "rx packets of each peer: overlay packets from it.");
	CU_ASSERT_STRING_EQUAL(metric("xylem_peer_session_age_seconds", &m)->help,
			       "session age of each peer.");
	CU_ASSERT(metric("xylem_peer_up", &m)->how == XY_METRIC_UP);
	CU_ASSERT(metric("xylem_fleet_source_up", &m)->how == XY_METRIC_UP);
	CU_ASSERT(metric("xylem_fleet_up", &m)->how == XY_METRIC_VALUE); // links
	CU_ASSERT(metric("xylem_fleet_outcomes", &m)->type == XY_METRIC_COUNTER &&
		  m.how == XY_METRIC_MAP && !strcmp(m.label, "outcome"));
	CU_ASSERT(metric("xylem_peer_state", &m)->how == XY_METRIC_WORD &&
		  !strcmp(m.label, "state"));
}

XY_UNIT_MAIN("metrics", {"names", test_names}, {"conventions", test_conventions},
	     {"sets", test_sets}, {"some", test_some})
