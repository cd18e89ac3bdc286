// SPDX-License-Identifier: BSD-3-Clause
// Which fields of a reply become which columns, and in which form.
#include "base/bytes.h"
#include "cli/cli.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { TITLE_LEN = 40 };

enum form {
	TEXT,	 // a string; null: "-"
	STATE,	 // a string with a colour
	NUMBER,	 // as it is
	COUNT,	 // a counter; per second when repeated
	TRAFFIC, // a counter of bytes; bits per second when repeated
	BYTES,	 // a size
	SPAN,	 // seconds
	AGO,	 // seconds since; null: never
	SHARE,	 // 0..1 as percent
	DECIMAL, // one digit behind the point
	MICRO,	 // microseconds
	YES_NO,	 // no: in red
	NOTE,	 // yes or no
	LIST,	 // strings
	JOIN,	 // strings in one cell
	KEY,	 // the beginning of a key
};

// Its title follows from the key, so that a table and --json call a thing the same.
struct column {
	const char *key;
	enum form form;
	enum xy_align align;
};

struct xy_view {
	const char *name, *command;
	const char *list; // the key of its list; NULL: the reply is one thing, a row for each field
	unsigned ids;	  // so many columns name a row
	const struct column *columns;
	size_t count;
	const struct xy_view *below; // another list of the same reply, where it is not empty
	const char *about;	     // what it asks for, in the usage; NULL: nothing
};

static const struct column node[] = {
	{"name", TEXT, XY_LEFT},
	{"version", TEXT, XY_LEFT},
	{"pid", NUMBER, XY_LEFT},
	{"address", TEXT, XY_LEFT},
	{"prefix", TEXT, XY_LEFT},
	{"public_key", TEXT, XY_LEFT},
	{"ed25519_key", TEXT, XY_LEFT},
	{"uptime", SPAN, XY_LEFT},
	{"interface", TEXT, XY_LEFT},
	{"mtu", NUMBER, XY_LEFT},
	{"memory", TEXT, XY_LEFT},
	{"rss_bytes", BYTES, XY_LEFT},
	{"workers", NUMBER, XY_LEFT},
	{"peers", NUMBER, XY_LEFT},
	{"peers_up", NUMBER, XY_LEFT},
	{"sessions", NUMBER, XY_LEFT},
	{"routes", NUMBER, XY_LEFT},
	{"route_limit", NUMBER, XY_LEFT},
	{"route_memory_bytes", BYTES, XY_LEFT},
	{"loop_lag_p99_us", MICRO, XY_LEFT},
	{"loop_lag_max_us", MICRO, XY_LEFT},
	{"longest_turn_cpu_us", MICRO, XY_LEFT},
	{"telemetry_clients", NUMBER, XY_LEFT},
	{"telemetry_clients_ended", NUMBER, XY_LEFT},
	{"peering", TEXT, XY_LEFT},
	{"discovery", LIST, XY_LEFT},
	{"state_folder", TEXT, XY_LEFT},
	{"pinned_keys", NUMBER, XY_LEFT},
	{"reloads", NUMBER, XY_LEFT},
	{"reloads_refused", NUMBER, XY_LEFT},
	{"waiting_for", LIST, XY_LEFT},
	{"warnings", LIST, XY_LEFT},
};

static const struct column joining[] = {
	{"peer", TEXT, XY_LEFT},      {"endpoint", TEXT, XY_LEFT}, {"state", TEXT, XY_LEFT},
	{"probes", NUMBER, XY_RIGHT}, {"key", TEXT, XY_LEFT},
};

static const struct column peers[] = {
	{"name", TEXT, XY_LEFT},
	{"kind", TEXT, XY_LEFT},
	{"peering", TEXT, XY_LEFT},
	{"state", STATE, XY_LEFT},
	{"endpoint", TEXT, XY_LEFT},
	{"last_handshake", AGO, XY_RIGHT},
	{"last_received", AGO, XY_RIGHT},
	{"rx_bytes", TRAFFIC, XY_RIGHT},
	{"tx_bytes", TRAFFIC, XY_RIGHT},
	{"mtu", NUMBER, XY_RIGHT},
	{"mtu_from", TEXT, XY_LEFT},
	{"fragments", TEXT, XY_LEFT},
	{"handshakes_failed", NUMBER, XY_RIGHT},
	{"trouble", TEXT, XY_LEFT},
};

static const struct column workers[] = {
	{"worker", NUMBER, XY_RIGHT},  {"cpu", NUMBER, XY_RIGHT},   {"alive", YES_NO, XY_LEFT},
	{"busy", SHARE, XY_RIGHT},     {"sleeps", COUNT, XY_RIGHT}, {"rx", COUNT, XY_RIGHT},
	{"host_rx", COUNT, XY_RIGHT},  {"tx", COUNT, XY_RIGHT},	    {"host_tx", COUNT, XY_RIGHT},
	{"punted", COUNT, XY_RIGHT},   {"drops", COUNT, XY_RIGHT},  {"held", NUMBER, XY_RIGHT},
	{"balance", NUMBER, XY_RIGHT},
};

static const struct column graph[] = {
	{"worker", NUMBER, XY_RIGHT},
	{"node", TEXT, XY_LEFT},
	{"calls", COUNT, XY_RIGHT},
	{"packets", COUNT, XY_RIGHT},
	{"packets_per_call", DECIMAL, XY_RIGHT},
	{"cycles_per_packet", DECIMAL, XY_RIGHT},
};

static const struct column drops[] = {
	{"reason", TEXT, XY_LEFT},
	{"packets", COUNT, XY_RIGHT},
	{"meaning", TEXT, XY_LEFT},
};

static const struct column ports[] = {
	{"port", NUMBER, XY_RIGHT},
	{"driver", TEXT, XY_LEFT},
	{"interface", TEXT, XY_LEFT},
	{"mode", TEXT, XY_LEFT},
	{"queues", NUMBER, XY_RIGHT},
	{"address", TEXT, XY_LEFT},
	{"udp_port", NUMBER, XY_RIGHT},
	{"rx_packets", COUNT, XY_RIGHT},
	{"rx_bytes", TRAFFIC, XY_RIGHT},
	{"tx_packets", COUNT, XY_RIGHT},
	{"tx_bytes", TRAFFIC, XY_RIGHT},
	{"rx_missed", COUNT, XY_RIGHT},
	{"tx_errors", COUNT, XY_RIGHT},
	{"rx_fragmented", COUNT, XY_RIGHT},
	{"tx_fragmented", COUNT, XY_RIGHT},
	{"idle", TEXT, XY_LEFT},
	{"note", TEXT, XY_LEFT},
};

static const struct column hosts[] = {
	{"host", TEXT, XY_LEFT},	 {"queues", NUMBER, XY_RIGHT},
	{"mtu", NUMBER, XY_RIGHT},	 {"rx_packets", COUNT, XY_RIGHT},
	{"rx_bytes", TRAFFIC, XY_RIGHT}, {"tx_packets", COUNT, XY_RIGHT},
	{"tx_bytes", TRAFFIC, XY_RIGHT}, {"rx_missed", COUNT, XY_RIGHT},
	{"tx_errors", COUNT, XY_RIGHT},
};

static const struct column routes[] = {
	{"prefix", TEXT, XY_LEFT},   {"kind", TEXT, XY_LEFT},	   {"peers", JOIN, XY_LEFT},
	{"source", TEXT, XY_LEFT},   {"metric", NUMBER, XY_RIGHT}, {"origin", KEY, XY_LEFT},
	{"epoch", NUMBER, XY_RIGHT}, {"age", SPAN, XY_RIGHT},
};

static const struct column neighbours[] = {
	{"peer", TEXT, XY_LEFT},	 {"state", STATE, XY_LEFT},
	{"cost", NUMBER, XY_RIGHT},	 {"rx_cost", NUMBER, XY_RIGHT},
	{"tx_cost", NUMBER, XY_RIGHT},	 {"rtt_us", MICRO, XY_RIGHT},
	{"hellos", TEXT, XY_LEFT},	 {"routes", NUMBER, XY_RIGHT},
	{"origins", NUMBER, XY_RIGHT},	 {"rx_bytes", TRAFFIC, XY_RIGHT},
	{"tx_bytes", TRAFFIC, XY_RIGHT}, {"refused", COUNT, XY_RIGHT},
	{"reflected", COUNT, XY_RIGHT},
};

static const struct column refused[] = {
	{"peer", TEXT, XY_LEFT},
	{"reason", TEXT, XY_LEFT},
	{"count", COUNT, XY_RIGHT},
	{"meaning", TEXT, XY_LEFT},
};

static const struct column routing[] = {
	{"epoch", NUMBER, XY_LEFT},
	{"router_id", TEXT, XY_LEFT},
	{"starting", NOTE, XY_LEFT},
	{"neighbours", NUMBER, XY_LEFT},
	{"prefixes", NUMBER, XY_LEFT},
	{"reachable", NUMBER, XY_LEFT},
	{"routes", NUMBER, XY_LEFT},
	{"origins", NUMBER, XY_LEFT},
	{"memory_bytes", BYTES, XY_LEFT},
	{"signatures_verified", NUMBER, XY_LEFT},
	{"signatures_known", NUMBER, XY_LEFT},
	{"signatures_waiting", NUMBER, XY_LEFT},
	{"packets_malformed", NUMBER, XY_LEFT},
	{"routes_refused", NUMBER, XY_LEFT},
};

static const struct column route[] = {
	{"prefix", TEXT, XY_LEFT}, {"kind", TEXT, XY_LEFT},	{"peers", JOIN, XY_LEFT},
	{"source", TEXT, XY_LEFT}, {"in_force", NOTE, XY_LEFT},
};

static const struct column babel[] = {
	{"peer", TEXT, XY_LEFT},      {"state", TEXT, XY_LEFT},
	{"metric", NUMBER, XY_RIGHT}, {"refmetric", NUMBER, XY_RIGHT},
	{"seqno", NUMBER, XY_RIGHT},  {"feasibility_metric", NUMBER, XY_RIGHT},
	{"origin", TEXT, XY_LEFT},    {"epoch", NUMBER, XY_RIGHT},
	{"age", SPAN, XY_RIGHT},
};

static const struct column not_announced[] = {
	{"peer", TEXT, XY_LEFT},
	{"reason", TEXT, XY_LEFT},
};

static const struct column sessions[] = {
	{"index", TEXT, XY_LEFT},	  {"peer", TEXT, XY_LEFT},
	{"use", TEXT, XY_LEFT},		  {"role", TEXT, XY_LEFT},
	{"owner", NUMBER, XY_RIGHT},	  {"age", SPAN, XY_RIGHT},
	{"rx_packets", COUNT, XY_RIGHT},  {"tx_packets", COUNT, XY_RIGHT},
	{"tx_counter", NUMBER, XY_RIGHT}, {"handed_over", COUNT, XY_RIGHT},
};

#define COLUMNS(n) .columns = n, .count = XY_ARRAY_SIZE(n)
#define VIEW(n, l, i)                                                                \
	{                                                                            \
		.name = #n, .command = "/xylem/" #n, .list = l, .ids = i, COLUMNS(n) \
	}

static const struct xy_view below_node = {.list = "joining", .ids = 1, COLUMNS(joining)};
static const struct xy_view below_neighbours = {.list = "refusals", .ids = 2, COLUMNS(refused)};
static const struct xy_view below_ports = {.list = "hosts", .ids = 1, COLUMNS(hosts)};
static const struct xy_view below_babel = {
	.list = "not_announced", .ids = 1, COLUMNS(not_announced)};
static const struct xy_view below_route = {
	.list = "babel", .ids = 1, COLUMNS(babel), .below = &below_babel};

static const struct xy_view views[] = {
	{.name = "node", .command = "/xylem/node", COLUMNS(node), .below = &below_node},
	VIEW(peers, "peers", 1),
	VIEW(workers, "workers", 1),
	VIEW(graph, "nodes", 2),
	VIEW(drops, "drops", 1),
	{.name = "ports",
	 .command = "/xylem/ports",
	 .list = "ports",
	 .ids = 1,
	 COLUMNS(ports),
	 .below = &below_ports},
	VIEW(routes, "routes", 1),
	VIEW(sessions, "sessions", 2),
	{.name = "neighbours",
	 .command = "/xylem/neighbours",
	 .list = "neighbours",
	 .ids = 1,
	 COLUMNS(neighbours),
	 .below = &below_neighbours},
	{.name = "routing", .command = "/xylem/routing", COLUMNS(routing)},
	{.name = "route",
	 .command = "/xylem/route",
	 .list = "routes",
	 .ids = 4,
	 COLUMNS(route),
	 .below = &below_route,
	 .about = "PREFIX"},
};

const struct xy_view *xy_view_find(const char *name)
{
	for (size_t i = 0; i < XY_ARRAY_SIZE(views); i++)
		if (strcmp(views[i].name, name) == 0)
			return &views[i];
	return NULL;
}

const char *xy_view_command(const struct xy_view *v)
{
	return v->command;
}

const char *xy_view_about(const struct xy_view *v)
{
	return v->about;
}

const char *xy_view_names(char *buf, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < XY_ARRAY_SIZE(views) && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%s", i ? ", " : "", views[i].name);
	return buf;
}

// "rx_missed" -> "rx missed", without a unit that the form shows: "rtt_us" -> "rtt".
static const char *title_of(const struct column *c, bool list, char *buf, size_t size)
{
	static const char *const unit[] = {
		[TRAFFIC] = "_bytes", [BYTES] = "_bytes", [MICRO] = "_us"};
	const char *end = c->form < XY_ARRAY_SIZE(unit) ? unit[c->form] : NULL;
	size_t n = strlen(c->key), cut = end ? strlen(end) : 0;
	if (cut && n > cut && strcmp(c->key + n - cut, end) == 0)
		n -= cut;
	n = n < size ? n : size - 1;
	for (size_t i = 0; i < n; i++)
		buf[i] = c->key[i] == '_' ? ' ' : list ? (char)toupper(c->key[i]) : c->key[i];
	buf[n] = 0;
	return buf;
}

// --- forms

static void scaled(char *to, size_t size, double v, double step, const char *const *units)
{
	unsigned i = 0;
	for (; v >= step && units[i + 1]; i++)
		v /= step;
	snprintf(to, size, i && v < 100 ? "%.1f %s" : "%.0f %s", v, units[i]);
}

static void form_bytes(char *to, size_t size, double v)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", NULL};
	scaled(to, size, v, 1024, units);
}

static void form_bits(char *to, size_t size, double v)
{
	static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", NULL};
	scaled(to, size, v, 1000, units);
}

static void form_span(char *to, size_t size, double v)
{
	unsigned long s = v > 0 ? (unsigned long)v : 0;
	if (s < 60)
		snprintf(to, size, "%lu s", s);
	else if (s < 3600)
		snprintf(to, size, "%lu min %lu s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(to, size, "%lu h %lu min", s / 3600, s / 60 % 60);
	else
		snprintf(to, size, "%lu d %lu h", s / 86400, s / 3600 % 24);
}

static void form_number(char *to, size_t size, const json_t *v)
{
	if (json_is_integer(v))
		snprintf(to, size, "%lld", (long long)json_integer_value(v));
	else
		snprintf(to, size, "%.1f", json_number_value(v));
}

// A counter that fell belongs to something new: no rate.
static bool rate_of(const json_t *v, const json_t *before, double seconds, double *out)
{
	if (!json_is_number(before) || seconds <= 0)
		return false;
	*out = (json_number_value(v) - json_number_value(before)) / seconds;
	return *out >= 0;
}

static void form_counter(char *to, size_t size, enum form form, const json_t *v,
			 const json_t *before, double seconds)
{
	double rate;
	bool has_rate = rate_of(v, before, seconds, &rate);
	if (form == TRAFFIC && has_rate)
		form_bits(to, size, rate * 8);
	else if (form == TRAFFIC)
		form_bytes(to, size, json_number_value(v));
	else if (has_rate)
		snprintf(to, size, "%.0f/s", rate);
	else
		form_number(to, size, v);
}

static void form_numeric(char *to, size_t size, enum form form, const json_t *v)
{
	double d = json_number_value(v);
	switch (form) {
	case BYTES:
		form_bytes(to, size, d);
		break;
	case SPAN:
	case AGO:
		form_span(to, size, d);
		break;
	case SHARE:
		snprintf(to, size, "%.0f %%", d * 100);
		break;
	case DECIMAL:
		snprintf(to, size, "%.1f", d);
		break;
	case MICRO:
		snprintf(to, size, "%.0f us", d);
		break;
	default:
		form_number(to, size, v);
	}
}

static void form_list(char *to, size_t size, const json_t *v)
{
	size_t n = 0;
	snprintf(to, size, "-");
	for (size_t i = 0; i < json_array_size(v) && n < size; i++) {
		const char *text = json_string_value(json_array_get(v, i));
		n += (size_t)snprintf(to + n, size - n, "%s%s", i ? " " : "", text ? text : "?");
	}
}

static void form_value(char *to, size_t size, enum form form, const json_t *v, const json_t *before,
		       double seconds)
{
	if (form == JOIN)
		form_list(to, size, v);
	else if (form == KEY && json_is_string(v))
		snprintf(to, size, "%.8s...", json_string_value(v));
	else if (json_is_string(v))
		snprintf(to, size, "%s", json_string_value(v));
	else if (json_is_boolean(v))
		snprintf(to, size, "%s", json_is_true(v) ? "yes" : "no");
	else if (!json_is_number(v))
		snprintf(to, size, form == AGO ? "never" : "-");
	else if (form == COUNT || form == TRAFFIC)
		form_counter(to, size, form, v, before, seconds);
	else
		form_numeric(to, size, form, v);
}

static enum xy_colour colour_of(const struct column *c, const json_t *v)
{
	const char *text = json_string_value(v);
	if (c->form == YES_NO)
		return json_is_false(v) ? XY_RED : XY_PLAIN;
	if (strcmp(c->key, "balance") == 0)
		return json_integer_value(v) ? XY_YELLOW : XY_PLAIN;
	if (c->form != STATE || !text)
		return XY_PLAIN;
	if (strcmp(text, "up") == 0)
		return XY_GREEN;
	if (strcmp(text, "idle") == 0)
		return XY_PLAIN;
	return strcmp(text, "handshake") == 0 ? XY_YELLOW : XY_RED;
}

// --- tables

static void print_list(struct xy_table *t, const char *title, const json_t *list)
{
	size_t n = json_array_size(list);
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		xy_table_cell(t, i ? "" : title, XY_DIM);
		xy_table_cell(t, text ? text : "-", XY_YELLOW);
	}
}

static void print_fields(const struct xy_view *v, const json_t *now, FILE *to, bool colour)
{
	char text[512], title[TITLE_LEN];
	struct xy_table *t = xy_table_new(2);
	for (size_t i = 0; i < v->count; i++) {
		const struct column *c = &v->columns[i];
		const json_t *value = json_object_get(now, c->key);
		title_of(c, false, title, sizeof(title));
		if (c->form == LIST) {
			print_list(t, title, value);
			continue;
		}
		form_value(text, sizeof(text), c->form, value, NULL, 0);
		xy_table_cell(t, title, XY_DIM);
		xy_table_cell(t, text, XY_PLAIN);
	}
	xy_table_print(t, to, colour);
}

static bool same_row(const struct xy_view *v, const json_t *a, const json_t *b)
{
	for (unsigned i = 0; i < v->ids; i++)
		if (!json_equal(json_object_get(a, v->columns[i].key),
				json_object_get(b, v->columns[i].key)))
			return false;
	return true;
}

// Lists keep their order, so a row is mostly found where it was, or a little further.
static const json_t *find_before(const struct xy_view *v, const json_t *row, const json_t *before,
				 size_t *hint)
{
	size_t n = json_array_size(before);
	for (size_t i = 0; i < n; i++) {
		const json_t *old = json_array_get(before, (*hint + i) % n);
		if (same_row(v, row, old)) {
			*hint = (*hint + i + 1) % n;
			return old;
		}
	}
	return NULL;
}

static void print_row(const struct xy_view *v, struct xy_table *t, const json_t *row,
		      const json_t *before, double seconds)
{
	char text[512];
	for (size_t i = 0; i < v->count; i++) {
		const struct column *c = &v->columns[i];
		const json_t *value = json_object_get(row, c->key);
		const json_t *old = before ? json_object_get(before, c->key) : NULL;
		form_value(text, sizeof(text), c->form, value, old, seconds);
		xy_table_cell(t, text, colour_of(c, value));
	}
}

// A drop node that was never called says nothing here; `show drops` and --json have them all.
static bool is_idle_drop(const json_t *row)
{
	const char *name = json_string_value(json_object_get(row, "node"));
	return name && strncmp(name, "drop_", 5) == 0 &&
	       json_integer_value(json_object_get(row, "calls")) == 0;
}

static void print_rows(const struct xy_view *v, const json_t *now, const json_t *before,
		       double seconds, FILE *to, bool colour)
{
	const json_t *rows = json_object_get(now, v->list);
	const json_t *old = before ? json_object_get(before, v->list) : NULL;
	struct xy_table *t = xy_table_new((unsigned)v->count);
	char title[TITLE_LEN];
	size_t hint = 0;
	for (size_t i = 0; i < v->count; i++)
		xy_table_column(t, title_of(&v->columns[i], true, title, sizeof(title)),
				v->columns[i].align);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		if (is_idle_drop(row))
			continue;
		print_row(v, t, row, old ? find_before(v, row, old, &hint) : NULL, seconds);
	}
	xy_table_print(t, to, colour);
}

void xy_view_print(const struct xy_view *v, const json_t *now, const json_t *before, double seconds,
		   FILE *to, bool colour)
{
	if (v->list)
		print_rows(v, now, before, seconds, to, colour);
	else
		print_fields(v, now, to, colour);
	for (v = v->below; v; v = v->below) {
		if (!json_array_size(json_object_get(now, v->list)))
			continue;
		fputc('\n', to);
		print_rows(v, now, before, seconds, to, colour);
	}
}
