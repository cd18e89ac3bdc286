// SPDX-License-Identifier: BSD-3-Clause
// Metrics as text: of every field that there is each series once, by the grammar of both formats;
// units; labels whatever they hold; and what is bounded.
#include "unit.h"
#include "web/exposition.h"

#include <stdlib.h>
#include <string.h>

// --- replies, from the list of fields

static json_t *object_of(const struct xy_object *o, unsigned row);

static json_t *value_of(const struct xy_field *f, unsigned row)
{
	char text[64];
	switch (f->form) {
	case XY_FORM_LIST:
		return json_pack("[o,o]", object_of(f->of(), 0), object_of(f->of(), 1));
	case XY_FORM_OBJECT:
		return object_of(f->of(), row);
	case XY_FORM_TEXTS:
	case XY_FORM_JOIN:
		return json_pack("[s,s,s]", "a", "b", "c");
	case XY_FORM_MAP:
		return json_pack("{s:i,s:i}", "one", 1500000, "t\"w\\o", 2);
	case XY_FORM_SHARE:
	case XY_FORM_DECIMAL:
		return json_real(0.25);
	case XY_FORM_YES_NO:
	case XY_FORM_NOTE:
		return json_boolean(row);
	default:
		if (f->form >= XY_FORM_NUMBER && f->form <= XY_FORM_DECIMAL)
			return json_integer(1000 + row);
		snprintf(text, sizeof(text), "%s %u", f->key, row);
		return json_string(strcmp(f->key, "peering") == 0 ? "configured"
				   : strcmp(f->key, "name") == 0 || strcmp(f->key, "peer") == 0
					   ? (row ? "b" : "a")
				   : f->form == XY_FORM_STATE ? (row ? "silent" : "up")
							      : text);
	}
}

static json_t *object_of(const struct xy_object *o, unsigned row)
{
	json_t *all = json_object();
	for (unsigned i = 0; i < o->count; i++)
		json_object_set_new(all, o->fields[i].key, value_of(&o->fields[i], row));
	return all;
}

static void take(struct xy_exposition *x, const char *reply)
{
	const struct xy_reply *r = xy_reply_find(reply);
	json_t *page = object_of((r ? r : xy_agent_reply_find(reply))->object(), 1);
	xy_exposition_take(x, reply, page);
	json_decref(page);
}

static void take_all(struct xy_exposition *x)
{
	static const char *const all[] = {"node",  "config",	 "routing", "workers",
					  "graph", "drops",	 "ports",   "policy",
					  "peers", "neighbours", "fleet"};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		take(x, all[i]);
	take(x, "node"); // after that of peers: joining; and all else twice
	take(x, "peers");
	xy_exposition_done(x, 0.0125);
}

static struct xy_exposition *create(bool peers, unsigned most, size_t bytes)
{
	struct xy_exposition *x = xy_exposition_create(&(struct xy_exposition_config){
		.peers = peers, .most = most, .bytes = bytes, .program = "test", .version = "1"});
	CU_ASSERT_FATAL(x != NULL);
	return x;
}

static char *text; // of the last

static const char *text_of(const struct xy_exposition *x, enum xy_exposition_format format,
			   bool public)
{
	size_t len = 0;
	free(text);
	text = xy_exposition_text(x, format, public, &len);
	CU_ASSERT_FATAL(text != NULL && strlen(text) == len);
	return text;
}

static bool has(const char *line)
{
	char whole[512];
	snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (strstr(text, whole))
		return true;
	printf("\n  there is no %s\n", line);
	return false;
}

// --- the grammar

static json_t *series, *families;

// Its length: NAME{LABEL="VALUE",...}; 0: it is none.
static size_t series_of(const char *line)
{
	size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (line[n] != '{')
		return n;
	do {
		n++;
		size_t name = strspn(line + n, "abcdefghijklmnopqrstuvwxyz_");
		n += name;
		if (!name || line[n] != '=' || line[n + 1] != '"')
			return 0;
		for (n += 2; line[n] && line[n] != '"' && line[n] != '\n'; n++)
			n += line[n] == '\\';
		if (line[n] != '"')
			return 0;
		n++;
	} while (line[n] == ',');
	return line[n] == '}' ? n + 1 : 0;
}

// Of a sample, between the lines of its family and no others.
static void check_sample(const char *line, const char *family, bool open)
{
	char *end, name[512];
	size_t n = series_of(line), f = strlen(family);
	CU_ASSERT_FATAL(n && n < sizeof(name) && line[n] == ' ');
	snprintf(name, sizeof(name), "%.*s", (int)n, line);
	strtod(line + n + 1, &end);
	CU_ASSERT(end > line + n + 1 && *end == '\n');
	CU_ASSERT(json_object_get(series, name) == NULL); // each once
	json_object_set_new(series, name, json_true());
	size_t k = strcspn(name, "{");
	bool bare = k == f, total = k == f + 6 && !memcmp(name + f, "_total", 6),
	     info = k == f + 5 && !memcmp(name + f, "_info", 5);
	CU_ASSERT(memcmp(name, family, f) == 0 && (bare || (open && (total || info))));
}

static void check_grammar(bool open)
{
	char family[256] = "", of[256];
	unsigned samples = 0;
	series = json_object();
	families = json_object();
	const char *line = text;
	for (const char *next; *line && (next = strchr(line, '\n')); line = next + 1) {
		if (strncmp(line, "# EOF\n", 6) == 0)
			break;
		if (sscanf(line, "# HELP %255s ", of) == 1) {
			CU_ASSERT(json_object_get(families, of) == NULL);
			json_object_set_new(families, of, json_true());
			snprintf(family, sizeof(family), "%s", of);
		} else if (line[0] == '#') {
			CU_ASSERT(sscanf(line, "# %*s %255s ", of) == 1 && !strcmp(of, family));
			CU_ASSERT(open || strncmp(line, "# UNIT", 6) != 0);
		} else {
			check_sample(line, family, open);
			samples++;
		}
	}
	CU_ASSERT_STRING_EQUAL(line, open ? "# EOF\n" : "");
	CU_ASSERT(samples > 200 && json_object_size(families) > 130);
	json_decref(series);
	json_decref(families);
}

static void test_formats(void)
{
	struct xy_exposition *x = create(true, 0, 0);
	take_all(x);
	text_of(x, XY_EXPOSITION_TEXT, false);
	check_grammar(false);
	CU_ASSERT(has("# TYPE xylem_node_info gauge"));
	CU_ASSERT(has("# TYPE xylem_peer_rx_bytes_total counter"));
	CU_ASSERT(has("xylem_daemon_up 1") && has("xylem_scrape_seconds 0.012500"));
	text_of(x, XY_EXPOSITION_OPENMETRICS, false);
	check_grammar(true);
	CU_ASSERT(has("# TYPE xylem_node info") && has("# UNIT xylem_peer_rx_bytes bytes"));
	CU_ASSERT(has("# TYPE xylem_peer_rx_bytes counter"));
	xy_exposition_free(x);
}

static void test_values(void)
{
	struct xy_exposition *x = create(true, 0, 0);
	take_all(x);
	text_of(x, XY_EXPOSITION_TEXT, false);
	CU_ASSERT(has("xylem_neighbour_rtt_seconds{peer=\"a\"} 0.001"));
	CU_ASSERT(has("xylem_neighbour_rtt_seconds{peer=\"b\"} 0.001001"));
	CU_ASSERT(has("xylem_node_longest_work_cpu_seconds{work=\"one\"} 1.5"));
	CU_ASSERT(has("xylem_node_longest_work_cpu_seconds{work=\"t\\\"w\\\\o\"} 0.000002"));
	CU_ASSERT(has("xylem_worker_busy_ratio{worker=\"1000\"} 0.25"));
	CU_ASSERT(has("xylem_worker_alive{worker=\"1000\"} 0"));
	CU_ASSERT(has("xylem_worker_alive{worker=\"1001\"} 1"));
	CU_ASSERT(has("xylem_peer_up{peer=\"a\"} 1") && has("xylem_peer_up{peer=\"b\"} 0"));
	CU_ASSERT(has("xylem_peer_state{peer=\"b\",state=\"silent\"} 1"));
	CU_ASSERT(has("xylem_node_warnings 3") && has("xylem_config_refused 1"));
	CU_ASSERT(has("xylem_config_changed 2") &&
		  has("xylem_peer_keepalive_seconds{peer=\"a\"} 1000"));
	CU_ASSERT(has("xylem_graph_node_calls_total{worker=\"1000\",node=\"node 0\"} 1000"));
	CU_ASSERT(has("xylem_host_mtu_bytes{interface=\"host 0\"} 1000"));
	CU_ASSERT(has("xylem_joining_probes_total{peer=\"a\"} 1000"));
	xy_exposition_free(x);
}

// null is no sample; a negative number of microseconds has its sign; what is no text is none.
static void test_nulls(void)
{
	struct xy_exposition *x = create(true, 0, 0);
	json_t *page = json_pack("{s:[{s:s,s:s,s:n,s:n,s:i}]}", "peers", "name", "a\nb", "peering",
				 "configured", "state", "last_handshake", "clock_apart", -7);
	xy_exposition_take(x, "peers", page);
	json_decref(page);
	page = json_pack("{s:[{s:s,s:i,s:n},{s:i},s,n]}", "neighbours", "peer", "a\nb", "rtt_us",
			 -1500001, "cost", "peer", 7, "x");
	xy_exposition_take(x, "neighbours", page);
	json_decref(page);
	page = json_pack("{s:n,s:i,s:i}", "refused", "file", 3, "changed", 9);
	xy_exposition_take(x, "config", page);
	json_decref(page);
	xy_exposition_done(x, 0);
	text_of(x, XY_EXPOSITION_TEXT, false);
	CU_ASSERT(has("xylem_peer_clock_apart_seconds{peer=\"a\\nb\"} -7"));
	CU_ASSERT(has("xylem_neighbour_rtt_seconds{peer=\"a\\nb\"} -1.500001"));
	CU_ASSERT(!strstr(text, "cost") && !strstr(text, "xylem_peer_up") &&
		  !strstr(text, "last_handshake"));
	CU_ASSERT(has("xylem_config_refused 0") && !strstr(text, "config_changed"));
	xy_exposition_free(x);
}

// --- bounds

static void peers(struct xy_exposition *x, unsigned from, unsigned to, const char *peering)
{
	json_t *list = json_array(), *page = json_pack("{s:o}", "peers", list);
	char name[16];
	for (unsigned i = from; i < to; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		json_array_append_new(list, json_pack("{s:s,s:s,s:i,s:s}", "name", name, "peering",
						      peering, "rx_bytes", 7, "state", "up"));
	}
	xy_exposition_take(x, "peers", page);
	json_decref(page);
}

static unsigned lines(const char *begin)
{
	unsigned n = 0;
	for (const char *at = text; (at = strstr(at, begin)); at++)
		n += at == text || at[-1] == '\n';
	return n;
}

static void test_peers(void)
{
	struct xy_exposition *x = create(true, 100, 0);
	peers(x, 0, 64, "configured");
	peers(x, 1000, 1064, "open");
	CU_ASSERT(!xy_exposition_is_full(x));
	peers(x, 64, 128, "configured");
	CU_ASSERT(xy_exposition_is_full(x) && xy_exposition_peers(x) == 192);
	xy_exposition_unasked(x, 10000 - 192, false);
	xy_exposition_unasked(x, 7, true);
	json_t *page = json_pack("{s:[{s:s,s:i},{s:s,s:i}]}", "neighbours", "peer", "p5", "routes",
				 3, "peer", "p1000", "routes", 4);
	xy_exposition_take(x, "neighbours", page);
	json_decref(page);
	xy_exposition_done(x, 0);
	text_of(x, XY_EXPOSITION_TEXT, false);
	CU_ASSERT_EQUAL(lines("xylem_peer_rx_bytes_total{"), 100);
	CU_ASSERT(has("xylem_peers_left_out{why=\"open\"} 64"));
	CU_ASSERT(has("xylem_peers_left_out{why=\"time\"} 7"));
	CU_ASSERT(has("xylem_peers_left_out{why=\"limit\"} 9836")); // 28 and those not asked for
	CU_ASSERT(lines("xylem_neighbour_routes{") == 1 && !strstr(text, "p1000"));
	xy_exposition_free(x);

	x = create(false, 0, 0);
	take_all(x);
	text_of(x, XY_EXPOSITION_TEXT, false);
	CU_ASSERT(!strstr(text, "xylem_peer_") && !strstr(text, "xylem_neighbour_") &&
		  !strstr(text, "xylem_joining_"));
	CU_ASSERT(has("xylem_peers_left_out{why=\"off\"} 1001") && has("xylem_node_peers 1001"));
	xy_exposition_free(x);
}

// What has no room is left out whole, and counted.
static void test_bytes(void)
{
	struct xy_exposition *x = create(true, 0, 20000);
	peers(x, 0, 1000, "configured");
	xy_exposition_done(x, 0);
	text_of(x, XY_EXPOSITION_TEXT, false);
	unsigned n = lines("xylem_peer_rx_bytes_total{");
	char line[64];
	snprintf(line, sizeof(line), "xylem_rows_left_out %u", 1000 - n);
	CU_ASSERT(n > 50 && n < 300 && has(line) && strlen(text) < 25000);
	CU_ASSERT(lines("xylem_peer_up{") == n && lines("xylem_peer_info{") == n);
	xy_exposition_free(x);
}

static void test_down(void)
{
	struct xy_exposition *x = create(true, 0, 0);
	take(x, "node");
	text_of(x, XY_EXPOSITION_OPENMETRICS, false);
	CU_ASSERT(has("xylem_daemon_up 0") && !strstr(text, "xylem_node"));
	CU_ASSERT(has("xylem_build_info{program=\"test\",version=\"1\"} 1"));
	xy_exposition_free(x);
}

static void test_public(void)
{
	struct xy_exposition *x = create(true, 0, 0);
	take_all(x);
	text_of(x, XY_EXPOSITION_TEXT, true);
	CU_ASSERT(has("xylem_peer_up{peer=\"a\"} 1") && strstr(text, "xylem_node_uptime_seconds "));
	CU_ASSERT(!strstr(text, "xylem_drop_") && !strstr(text, "xylem_policy_") &&
		  !strstr(text, "xylem_port_") && !strstr(text, "xylem_config_"));
	CU_ASSERT(!strstr(text, "xylem_node_rss") && !strstr(text, "xylem_node_memory") &&
		  !strstr(text, "clock_apart") && !strstr(text, "xylem_joining") &&
		  !strstr(text, "unfragmented") && !strstr(text, "telemetry"));
	xy_exposition_free(x);
}

static void test_accept(void)
{
	static const struct {
		const char *accept;
		bool open;
	} table[] = {
		{NULL, false},
		{"", false},
		{"*/*", false},
		{"text/html,application/xhtml+xml,*/*;q=0.8", false},
		{"text/plain;version=0.0.4", false},
		{"application/openmetrics-text", true},
		{"application/openmetrics-text;version=1.0.0", true},
		{"application/openmetrics-text; version=\"1.0.0\"; charset=utf-8", true},
		{"application/openmetrics-text;version=0.0.1", false},
		{"application/openmetrics-text;version=2.0.0,text/plain", false},
		{"application/openmetrics-text;version=1.0.0,application/"
		 "openmetrics-text;version=0.0."
		 "1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 true}, // as Prometheus 2.42 asks
		{"text/plain;q=0.9,application/openmetrics-text;q=0.1", false},
		{"application/openmetrics-text;q=0", false},
		{"text/html, application/openmetrics-text;q=0.2", true},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		bool open = xy_exposition_format_of(table[i].accept) == XY_EXPOSITION_OPENMETRICS;
		if (open != table[i].open)
			printf("\n  %s\n", table[i].accept ? table[i].accept : "(none)");
		CU_ASSERT(open == table[i].open);
	}
}

static void tidy(void)
{
	free(text);
}

XY_UNIT_MAIN("exposition", {"formats", test_formats}, {"values", test_values},
	     {"nulls", test_nulls}, {"peers", test_peers}, {"bytes", test_bytes},
	     {"daemon down", test_down}, {"public", test_public}, {"accept", test_accept},
	     {.name = "tidy", .fn = tidy, .always = true})
