// SPDX-License-Identifier: BSD-3-Clause
// What lies beyond our links: the daemon asks around, and is asked here until it is done.
#include "base/bytes.h"
#include "base/ip.h"
#include "cli/cli.h"
#include "client/rundir.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_WAIT_MS = 20, MOST_WAIT_MS = 250 };

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	return text ? text : "-";
}

static bool is(const json_t *o, const char *key, const char *value)
{
	return strcmp(text_of(o, key), value) == 0;
}

// --- asking until it is done

static void tell_progress(const json_t *reply, bool over)
{
	const json_t *found = json_object_get(reply, "found");
	if (!found || !isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r\033[K");
	if (!over)
		fprintf(stderr, "found %lld nodes, %lld answered",
			(long long)json_integer_value(found),
			(long long)json_integer_value(json_object_get(reply, "answered")));
}

static int ask(const char *instance, const char *command, const char *params, json_t **out,
	       struct xy_err *err)
{
	struct xy_client *c;
	long wait = FIRST_WAIT_MS;
	int ret = xy_cli_connect(instance, &c, err);
	if (ret)
		return ret;
	while (!(ret = xy_client_ask_all(c, command, params, out, err)) &&
	       !json_is_true(json_object_get(*out, "done"))) {
		struct timespec t = {.tv_nsec = wait * 1000000};
		tell_progress(*out, false);
		json_decref(*out);
		nanosleep(&t, NULL);
		wait = wait * 2 < MOST_WAIT_MS ? wait * 2 : MOST_WAIT_MS;
	}
	if (!ret)
		tell_progress(*out, true);
	xy_client_close(c);
	return ret;
}

static void print_json(const json_t *reply)
{
	json_dumpf(reply, stdout, JSON_INDENT(2));
	putchar('\n');
}

// --- cells

static void cell_text(struct xy_table *t, const json_t *o, const char *key)
{
	xy_table_cell(t, text_of(o, key), XY_PLAIN);
}

// As it calls itself, or as our config calls it.
static void cell_name(struct xy_table *t, const json_t *o)
{
	char text[80];
	const char *peer = json_string_value(json_object_get(o, "peer"));
	bool named = json_is_string(json_object_get(o, "name"));
	snprintf(text, sizeof(text), named || !peer ? "%s" : "(%s)",
		 named || !peer ? text_of(o, "name") : peer);
	xy_table_cell(t, text, XY_PLAIN);
}

static void cell_number(struct xy_table *t, const json_t *o, const char *key)
{
	char text[32] = "-";
	const json_t *v = json_object_get(o, key);
	if (json_is_integer(v))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
	xy_table_cell(t, text, XY_PLAIN);
}

static void cell_ms(struct xy_table *t, const json_t *o, const char *key)
{
	char text[32] = "-";
	const json_t *v = json_object_get(o, key);
	if (json_is_integer(v))
		snprintf(text, sizeof(text), "%.2f ms", (double)json_integer_value(v) / 1000);
	xy_table_cell(t, text, XY_PLAIN);
}

// --- tree

struct tree {
	const json_t *nodes;
	size_t *first, *next; // child, sibling; 0: none
	struct xy_table *table;
};

// Nodes come in the order in which they were found: a parent before its children.
static void tree_join(struct tree *t)
{
	size_t count = json_array_size(t->nodes);
	json_t *index = xy_cli_must(json_object());
	t->first = xy_cli_must(calloc(count + 1, sizeof(*t->first)));
	t->next = xy_cli_must(calloc(count + 1, sizeof(*t->next)));
	for (size_t i = 0; i < count; i++)
		json_object_set_new(index, text_of(json_array_get(t->nodes, i), "address"),
				    json_integer((json_int_t)i));
	for (size_t i = count; i-- > 1;) {
		const char *parent = text_of(json_array_get(t->nodes, i), "parent");
		size_t p = (size_t)json_integer_value(json_object_get(index, parent));
		if (p >= i)
			continue;
		t->next[i] = t->first[p];
		t->first[p] = i;
	}
	json_decref(index);
}

static void cell_state(struct xy_table *t, const json_t *node, bool us)
{
	if (us)
		xy_table_cell(t, "this node", XY_GREEN);
	else if (is(node, "state", "silent"))
		xy_table_cell(t, "no answer", XY_RED);
	else if (!is(node, "state", "answered"))
		xy_table_cell(t, "not asked", XY_YELLOW);
	else if (json_is_null(json_object_get(node, "neighbours")))
		xy_table_cell(t, "tells no neighbours", XY_YELLOW);
	else
		xy_table_cell(t, "answers", XY_GREEN);
}

static void tree_row(struct tree *t, size_t at, const char *branch)
{
	const json_t *node = json_array_get(t->nodes, at);
	const char *address = text_of(node, "address");
	size_t size = strlen(branch) + strlen(address) + 1;
	char *first = xy_cli_must(malloc(size));
	snprintf(first, size, "%s%s", branch, address);
	xy_table_cell(t->table, first, XY_PLAIN);
	free(first);
	cell_name(t->table, node);
	cell_number(t->table, node, "cost");
	cell_ms(t->table, node, "rtt_us");
	cell_text(t->table, node, "version");
	cell_state(t->table, node, at == 0);
}

// indent: what stands before the branches of at's children.
static void tree_rows(struct tree *t, size_t at, const char *indent)
{
	size_t size = strlen(indent) + 5;
	char *branch = xy_cli_must(malloc(size)), *below = xy_cli_must(malloc(size));
	for (size_t i = t->first[at]; i; i = t->next[i]) {
		snprintf(branch, size, "%s%s", indent, t->next[i] ? "|-- " : "`-- ");
		snprintf(below, size, "%s%s", indent, t->next[i] ? "|   " : "    ");
		tree_row(t, i, branch);
		tree_rows(t, i, below);
	}
	free(branch);
	free(below);
}

static void print_tree(const json_t *reply)
{
	struct tree t = {.nodes = json_object_get(reply, "nodes"), .table = xy_table_new(6)};
	xy_table_column(t.table, "ADDRESS", XY_LEFT);
	xy_table_column(t.table, "NAME", XY_LEFT);
	xy_table_column(t.table, "COST", XY_RIGHT);
	xy_table_column(t.table, "RTT", XY_RIGHT);
	xy_table_column(t.table, "VERSION", XY_LEFT);
	xy_table_column(t.table, "STATE", XY_LEFT);
	tree_join(&t);
	if (json_array_size(t.nodes)) {
		tree_row(&t, 0, "");
		tree_rows(&t, 0, "");
	}
	xy_table_print(t.table, stdout, xy_cli_colour(STDOUT_FILENO));
	free(t.first);
	free(t.next);
	if (json_is_true(json_object_get(reply, "cut")))
		puts("There is more than one crawl may take in: this is not all of it.");
}

int xy_cli_tree(const char *instance, bool json)
{
	struct xy_err err = {""};
	json_t *reply;
	if (ask(instance, "/xylem/tree", NULL, &reply, &err))
		return xy_cli_fail("%s", err.text);
	if (json)
		print_json(reply);
	else
		print_tree(reply);
	json_decref(reply);
	return CLI_OK;
}

// --- trace and path

static void cell_hop_state(struct xy_table *t, const json_t *hop)
{
	if (is(hop, "state", "silent"))
		xy_table_cell(t, "no answer", XY_RED);
	else if (is(hop, "route", "none"))
		xy_table_cell(t, "has no route", XY_RED);
	else
		xy_table_cell(t, "answers", XY_GREEN);
}

static void gap_row(struct xy_table *t)
{
	static const char *const cells[] = {"", "?", "-", "-", "-", "perhaps others between"};
	for (size_t i = 0; i < XY_ARRAY_SIZE(cells); i++)
		xy_table_cell(t, cells[i], XY_DIM);
}

static void print_hops(const json_t *reply)
{
	const json_t *hops = json_object_get(reply, "hops"), *hop;
	struct xy_table *t = xy_table_new(6);
	size_t i;
	xy_table_column(t, "HOP", XY_RIGHT);
	xy_table_column(t, "ADDRESS", XY_LEFT);
	xy_table_column(t, "NAME", XY_LEFT);
	xy_table_column(t, "RTT", XY_RIGHT);
	xy_table_column(t, "METRIC", XY_RIGHT);
	xy_table_column(t, "STATE", XY_LEFT);
	json_array_foreach(hops, i, hop)
	{
		if (json_is_true(json_object_get(hop, "after_gap")))
			gap_row(t);
		cell_number(t, hop, "hop");
		cell_text(t, hop, "address");
		cell_name(t, hop);
		cell_ms(t, hop, "rtt_us");
		cell_number(t, hop, "metric");
		cell_hop_state(t, hop);
	}
	xy_table_print(t, stdout, xy_cli_colour(STDOUT_FILENO));
}

static void print_end(const json_t *reply)
{
	static const struct {
		const char *end, *text;
	} ends[] = {
		{"reached", "reached"},
		{"no route", "not reached: the last node has no route to it"},
		{"no answer", "not reached: the last node does not answer; it may be down, or its "
			      "config may say so (node_info.enabled)"},
		{"loop",
		 "not reached: the way leads back to a node before; routes are changing, or "
		 "static ones form a loop"},
		{"too long", "not reached: too many hops"},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(ends); i++)
		if (is(reply, "end", ends[i].end))
			printf("%s %s\n", text_of(reply, "address"), ends[i].text);
}

static void print_way(const json_t *reply)
{
	if (json_array_size(json_object_get(reply, "hops"))) {
		print_hops(reply);
		print_end(reply);
	} else {
		puts(is(reply, "end", "reached") ? "it is this node, or behind it"
						 : "this node has no route to it");
	}
}

static void route_row(struct xy_table *t, const char *title, const char *text)
{
	xy_table_cell(t, title, XY_DIM);
	xy_table_cell(t, text, XY_PLAIN);
}

static void print_route(const json_t *route)
{
	static const char *const field[][2] = {{"prefix", "prefix"},	 {"source", "source"},
					       {"peer", "peer"},	 {"metric", "metric"},
					       {"next hop", "next_hop"}, {"origin", "origin"},
					       {"epoch", "epoch"}};
	char text[32];
	struct xy_table *t = xy_table_new(2);
	for (size_t i = 0; i < XY_ARRAY_SIZE(field); i++) {
		const json_t *v = json_object_get(route, field[i][1]);
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
		route_row(t, field[i][0], json_is_integer(v) ? text : text_of(route, field[i][1]));
	}
	xy_table_print(t, stdout, xy_cli_colour(STDOUT_FILENO));
}

static int walk(const char *instance, const char *command, const char *to, json_t **out)
{
	char text[XY_ADDR_STRLEN];
	struct xy_err err = {""};
	struct xy_addr addr;
	if (xy_addr_parse(to, &addr))
		return xy_cli_misuse("\"%.60s\" is no address; xylem inspect KEY shows that of a "
				     "key",
				     to);
	if (ask(instance, command, xy_addr_str(&addr, text), out, &err))
		return xy_cli_fail("%s", err.text);
	return CLI_OK;
}

int xy_cli_path(const char *instance, const char *to, bool json)
{
	json_t *reply;
	int ret = walk(instance, "/xylem/path", to, &reply);
	if (ret)
		return ret;
	const json_t *route = json_object_get(reply, "route");
	if (json) {
		print_json(reply);
	} else if (!route || json_is_null(route)) {
		puts("this node has no route to it");
	} else {
		print_route(route);
		putchar('\n');
		print_way(reply);
	}
	json_decref(reply);
	return CLI_OK;
}

static int trace(const char *instance, const char *to, bool json)
{
	json_t *reply;
	int ret = walk(instance, "/xylem/trace", to, &reply);
	if (ret)
		return ret;
	bool reached = is(reply, "end", "reached");
	if (json)
		print_json(reply);
	else
		print_way(reply);
	json_decref(reply);
	return reached ? CLI_OK : CLI_FAILED;
}

int xy_cli_trace(int argc, char **argv)
{
	const char *instance = "xylem", *to = NULL;
	bool json = false;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			json = true;
		else if (strcmp(argv[i], "-n") == 0 && i + 1 < argc)
			instance = argv[++i];
		else if (argv[i][0] == '-' || to)
			return xy_cli_misuse("trace does not know \"%s\"", argv[i]);
		else
			to = argv[i];
	}
	if (!to)
		return xy_cli_misuse("trace needs an address");
	if (!xy_instance_name_ok(instance))
		return xy_cli_misuse("-n %s: use 1 to 32 of A-Z a-z 0-9 . _ -", instance);
	return trace(instance, to, json);
}
