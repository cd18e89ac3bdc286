// SPDX-License-Identifier: BSD-3-Clause
// What lies beyond our links: the daemon asks around, and is asked here until it is done.
#include "base/bytes.h"
#include "base/ip.h"
#include "cli/cli.h"
#include "client/rundir.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static bool tell_progress(void *arg, const json_t *reply, bool over)
{
	const json_t *found = json_object_get(reply, XY_KEY(tree, found));
	if (!json_is_integer(found) || !isatty(STDERR_FILENO))
		return true;
	fprintf(stderr, "\r\033[K");
	if (!over)
		fprintf(stderr, "found %lld nodes, %lld answered",
			(long long)json_integer_value(found),
			(long long)json_integer_value(
				json_object_get(reply, XY_KEY(tree, answered))));
	return true;
}

int xy_cli_ask_done(const char *instance, const char *command, const char *params, json_t **out,
		    struct xy_err *err)
{
	const struct xy_client_config cfg = {.instance = instance, .socket = XY_RUNDIR_TELEMETRY};
	return xy_client_ask_done(&cfg, command, params, tell_progress, NULL, out, err);
}

static void print_json(const json_t *reply)
{
	json_dumpf(reply, stdout,
		   JSON_INDENT(2) | (xy_cli_terminal(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0));
	putchar('\n');
}

// --- output

static struct xy_out out_of(bool verbose)
{
	return (struct xy_out){.to = stdout,
			       .colour = xy_cli_colour(STDOUT_FILENO),
			       .limit = verbose ? 0 : XY_OUT_COLUMNS};
}

// --- cells

// As it calls itself, or as our config calls it.
static void cell_name(struct xy_table *t, const json_t *o)
{
	char text[80];
	const char *peer = json_string_value(json_object_get(o, XY_KEY(tree_node, peer)));
	const char *key = XY_KEY(tree_node, name);
	bool named = json_is_string(json_object_get(o, key));
	snprintf(text, sizeof(text), named || !peer ? "%s" : "(%s)",
		 named || !peer ? text_of(o, key) : peer);
	xy_table_cell(t, text, XY_PLAIN);
}

// A row by the object's columns, but for those that `special` sees to.
static void row_of(const struct xy_view *v, struct xy_table *t, const struct xy_object *of,
		   const json_t *o,
		   bool (*special)(struct xy_table *t, const char *key, const json_t *o, void *arg),
		   void *arg)
{
	const struct xy_field *f;
	for (unsigned c = 1; (f = xy_object_column(of, c)); c++)
		if (xy_view_shows(v, f) && !special(t, f->key, o, arg))
			xy_table_field(t, f, json_object_get(o, f->key), NULL, v->verbose);
}

// --- tree

struct tree {
	const json_t *nodes;
	size_t *first, *next; // child, sibling; 0: none
	const struct xy_view *view;
	struct xy_table *table;
	bool brief; // the nodes' /64 in place of their addresses
};

// Nodes come in the order in which they were found: a parent before its children.
static void tree_join(struct tree *t)
{
	size_t count = json_array_size(t->nodes);
	json_t *index = xy_cli_must(json_object());
	t->first = xy_cli_must(calloc(count + 1, sizeof(*t->first)));
	t->next = xy_cli_must(calloc(count + 1, sizeof(*t->next)));
	for (size_t i = 0; i < count; i++)
		json_object_set_new(
			index, text_of(json_array_get(t->nodes, i), XY_KEY(tree_node, address)),
			json_integer((json_int_t)i));
	for (size_t i = count; i-- > 1;) {
		const char *parent =
			text_of(json_array_get(t->nodes, i), XY_KEY(tree_node, parent));
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
	else if (is(node, XY_KEY(tree_node, state), "silent"))
		xy_table_cell(t, "no answer", XY_RED);
	else if (!is(node, XY_KEY(tree_node, state), "answered"))
		xy_table_cell(t, "not asked", XY_YELLOW);
	else if (json_is_null(json_object_get(node, XY_KEY(tree_node, neighbours))))
		xy_table_cell(t, "tells no more", XY_YELLOW);
	else
		xy_table_cell(t, "answers", XY_GREEN);
}

struct place {
	size_t at;
	const char *branch;
	bool brief;
};

static void cell_address(struct xy_table *t, const json_t *node, const struct place *p)
{
	char prefix[XY_PREFIX_STRLEN];
	const char *address = text_of(node, XY_KEY(tree_node, address));
	struct xy_prefix net = {.len = 64};
	if (p->brief && xy_addr_parse(address, &net.addr) == 0) {
		xy_prefix_mask(&net);
		address = xy_prefix_str(&net, prefix);
	}
	size_t size = strlen(p->branch) + strlen(address) + 1;
	char *first = xy_cli_must(malloc(size));
	snprintf(first, size, "%s%s", p->branch, address);
	xy_table_cell(t, first, XY_PLAIN);
	free(first);
}

static bool tree_cell(struct xy_table *t, const char *key, const json_t *node, void *arg)
{
	const struct place *p = arg;
	if (strcmp(key, XY_KEY(tree_node, address)) == 0)
		cell_address(t, node, p);
	else if (strcmp(key, XY_KEY(tree_node, name)) == 0)
		cell_name(t, node);
	else if (strcmp(key, XY_KEY(tree_node, state)) == 0)
		cell_state(t, node, p->at == 0);
	else
		return false;
	return true;
}

static void tree_row(struct tree *t, size_t at, const char *branch)
{
	struct place p = {at, branch, t->brief};
	row_of(t->view, t->table, xy_object_tree_node(), json_array_get(t->nodes, at), tree_cell,
	       &p);
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

static void tree_draw(struct tree *t)
{
	if (!json_array_size(t->nodes))
		return;
	tree_row(t, 0, "");
	tree_rows(t, 0, "");
}

static void print_tree(const json_t *reply, bool verbose)
{
	struct xy_out out = out_of(verbose);
	struct xy_view view = {.out = &out, .verbose = verbose};
	struct tree t = {.nodes = json_object_get(reply, XY_KEY(tree, nodes)),
			 .view = &view,
			 .table = xy_view_columns(&view, xy_object_tree_node())};
	tree_join(&t);
	tree_draw(&t);
	if (!xy_table_fits(t.table)) {
		xy_table_free(t.table);
		t.table = xy_view_columns(&view, xy_object_tree_node());
		t.brief = true;
		tree_draw(&t);
	}
	xy_table_print(t.table, NULL);
	free(t.first);
	free(t.next);
	if (json_is_true(json_object_get(reply, XY_KEY(tree, cut))))
		puts("There is more than one crawl may take in: this is not all of it.");
}

int xy_cli_tree(const char *instance, bool json, bool verbose)
{
	struct xy_err err = {""};
	json_t *reply;
	if (xy_cli_ask_done(instance, "/xylem/tree", NULL, &reply, &err))
		return xy_cli_fail("%s", err.text);
	xy_cli_pager_begin();
	if (json)
		print_json(reply);
	else
		print_tree(reply, verbose);
	json_decref(reply);
	return xy_cli_pager_end(CLI_OK);
}

// --- trace and path

static void cell_hop_state(struct xy_table *t, const json_t *hop)
{
	if (is(hop, XY_KEY(hop, state), "silent"))
		xy_table_cell(t, "no answer", XY_RED);
	else if (is(hop, XY_KEY(hop, route), "none"))
		xy_table_cell(t, "has no route", XY_RED);
	else
		xy_table_cell(t, "answers", XY_GREEN);
}

static bool hop_cell(struct xy_table *t, const char *key, const json_t *hop, void *arg)
{
	if (strcmp(key, XY_KEY(hop, name)) == 0)
		cell_name(t, hop);
	else if (strcmp(key, XY_KEY(hop, state)) == 0)
		cell_hop_state(t, hop);
	else
		return false;
	return true;
}

static bool gap_cell(struct xy_table *t, const char *key, const json_t *hop, void *arg)
{
	const char *text = strcmp(key, XY_KEY(hop, hop)) == 0	    ? ""
			   : strcmp(key, XY_KEY(hop, address)) == 0 ? "?"
			   : strcmp(key, XY_KEY(hop, state)) == 0   ? "perhaps others between"
								    : "-";
	xy_table_cell(t, text, XY_DIM);
	return true;
}

static void print_hops(const struct xy_view *v, const json_t *reply)
{
	const json_t *hops = json_object_get(reply, XY_KEY(trace, hops)), *hop;
	struct xy_table *t = xy_view_columns(v, xy_object_hop());
	size_t i;
	json_array_foreach(hops, i, hop)
	{
		if (json_is_true(json_object_get(hop, XY_KEY(hop, after_gap))))
			row_of(v, t, xy_object_hop(), hop, gap_cell, NULL);
		row_of(v, t, xy_object_hop(), hop, hop_cell, NULL);
	}
	xy_table_print(t, NULL);
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
		if (is(reply, XY_KEY(trace, end), ends[i].end))
			printf("%s %s\n", text_of(reply, XY_KEY(trace, address)), ends[i].text);
}

static void print_way(const struct xy_view *v, const json_t *reply)
{
	if (json_array_size(json_object_get(reply, XY_KEY(trace, hops)))) {
		print_hops(v, reply);
		print_end(reply);
	} else {
		puts(is(reply, XY_KEY(trace, end), "reached") ? "it is this node, or behind it"
							      : "this node has no route to it");
	}
}

static int walk(const char *instance, const char *command, const char *to, json_t **out)
{
	char text[XY_ADDR_STRLEN];
	struct xy_err err = {""};
	struct xy_addr addr;
	bool plain = xy_addr_parse(to, &addr) == 0; // else the daemon knows whom that names
	if (!*to)
		return xy_cli_misuse("an address or a name is not empty");
	if (xy_cli_ask_done(instance, command, plain ? xy_addr_str(&addr, text) : to, out, &err))
		return xy_cli_fail("%s", err.text);
	return CLI_OK;
}

int xy_cli_path(const char *instance, const char *to, bool json, bool verbose)
{
	struct xy_out out = out_of(verbose);
	struct xy_view view = {.out = &out, .verbose = verbose};
	json_t *reply;
	int ret = walk(instance, "/xylem/path", to, &reply);
	if (ret)
		return ret;
	const json_t *route = json_object_get(reply, XY_KEY(path, route));
	if (json) {
		print_json(reply);
	} else if (!route || json_is_null(route)) {
		puts("this node has no route to it");
	} else {
		xy_view_fields(&view, xy_object_way(), route);
		putchar('\n');
		print_way(&view, reply);
	}
	json_decref(reply);
	return CLI_OK;
}

static int trace(const char *instance, const char *to, bool json, bool verbose)
{
	struct xy_out out = out_of(verbose);
	struct xy_view view = {.out = &out, .verbose = verbose};
	json_t *reply;
	int ret = walk(instance, "/xylem/trace", to, &reply);
	if (ret)
		return ret;
	bool reached = is(reply, XY_KEY(trace, end), "reached");
	if (json)
		print_json(reply);
	else
		print_way(&view, reply);
	json_decref(reply);
	return reached ? CLI_OK : CLI_FAILED;
}

int xy_cli_trace(int argc, char **argv)
{
	const char *instance = "xylem", *to = NULL;
	bool json = false, verbose = false;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			json = true;
		else if (strcmp(argv[i], "-v") == 0)
			verbose = true;
		else if (strcmp(argv[i], "-n") == 0 && i + 1 < argc)
			instance = argv[++i];
		else if (argv[i][0] == '-' || to)
			return xy_cli_misuse("trace does not know \"%s\"", argv[i]);
		else
			to = argv[i];
	}
	if (!to)
		return xy_cli_misuse("trace needs an address or a name");
	if (xy_cli_instance(instance) != CLI_OK)
		return CLI_USAGE;
	return trace(instance, to, json, verbose);
}
