// SPDX-License-Identifier: BSD-3-Clause
#include "fields/metrics.h"
#include "base/bytes.h"
#include "fields/public.h"

#include <stdio.h>
#include <string.h>

// None is of what strangers make as many of as they like: routes, sessions, nodes.
#define OF(o) .object = xy_object_##o
static const struct xy_metric_set sets[] = {
	{OF(node), .reply = "node", .name = "node", .of = "this node",
	 .info = "name version address prefix public_key"},
	{OF(joining), .reply = "node", .list = "joining", .name = "joining", .peers = true,
	 .of = "each peer of the config without a key", .labels = "peer"},
	{OF(config), .reply = "config", .name = "config", .of = "this node's config"},
	{OF(routing), .reply = "routing", .name = "routing", .of = "routing"},
	{OF(worker), .reply = "workers", .list = "workers", .name = "worker", .of = "each worker",
	 .labels = "worker"},
	{OF(graph), .reply = "graph", .name = "graph", .of = "the packet graph"},
	{OF(graph_node), .reply = "graph", .list = "nodes", .name = "graph_node",
	 .of = "each node of each worker's packet graph", .labels = "worker node"},
	{OF(drop), .reply = "drops", .list = "drops", .name = "drop",
	 .of = "each reason for which it drops", .labels = "reason"},
	{OF(kernel_drop), .reply = "drops", .list = "kernel", .name = "kernel_drop",
	 .of = "what the kernel drops beside us", .labels = "place counter"},
	{OF(port), .reply = "ports", .list = "ports", .name = "port", .of = "each port",
	 .labels = "port", .info = "driver mode interface"},
	{OF(host), .reply = "ports", .list = "hosts", .name = "host", .of = "the host interface",
	 .labels = "host=interface"},
	{OF(policy_rule), .reply = "policy", .list = "rules", .name = "policy_rule",
	 .of = "each rule of what the mesh may reach", .labels = "rule what from does"},
	{OF(peer), .reply = "peers", .list = "peers", .name = "peer", .of = "each peer",
	 .labels = "name=peer", .info = "address kind peering", .peers = true},
	{OF(fleet), .reply = "fleet", .name = "fleet", .of = "xylem-fleet, where it runs",
	 .info = "version source"},
	{OF(neighbour), .reply = "neighbours", .list = "neighbours", .name = "neighbour",
	 .of = "routing with each peer", .labels = "peer", .peers = true},
};
#undef OF

// What is not as its kind and form say.
enum { AS_IT_IS = -1, NEVER = -2 };
static const struct odd {
	const struct xy_object *(*object)(void);
	size_t at;	  // of the field
	int how;	  // enum xy_metric_how, or one of those above
	const char *unit; // NULL: by its form
	const char *label;
} odds[] = {
#define ODD(o, key, is, by, as)                                                \
	{                                                                      \
		xy_object_##o, offsetof(struct xy_fields_##o, key), is, by, as \
	}
#define ACCOUNT(X, name, sign, form, kind, column, help) \
	ODD(worker, name, AS_IT_IS, "packets", NULL),
	ODD(node, mtu, AS_IT_IS, "bytes", NULL),
	ODD(node, longest_work_cpu_us, XY_METRIC_MAP, "seconds", "work"),
	ODD(node, joining, XY_METRIC_COUNT, NULL, NULL),
	ODD(node, waiting_for, XY_METRIC_COUNT, NULL, NULL),
	ODD(node, warnings, XY_METRIC_COUNT, NULL, NULL),
	ODD(config, refused, XY_METRIC_PRESENT, NULL, NULL),
	ODD(config, unkept, XY_METRIC_PRESENT, NULL, NULL),
	ODD(config, changed, XY_METRIC_COUNT, NULL, NULL),
	ODD(worker, balance, AS_IT_IS, "packets", NULL),
	ODD(worker, drops, AS_IT_IS, NULL, NULL), // the first that stands here counts
	XY_ACCOUNTS(ACCOUNT, ) ODD(graph, tsc_hz, XY_METRIC_VALUE, "hertz", NULL),
	ODD(graph_node, cycles_per_packet, NEVER, NULL, NULL), // of the two counters
	ODD(graph_node, packets_per_call, NEVER, NULL, NULL),
	ODD(port, steered, XY_METRIC_MAP, "packets", "verdict"),
	ODD(host, mtu, AS_IT_IS, "bytes", NULL),
	ODD(peer, mtu, AS_IT_IS, "bytes", NULL),
	ODD(peer, unfragmented, AS_IT_IS, "bytes", NULL),
	ODD(peer, path_limit, AS_IT_IS, "bytes", NULL),
	ODD(neighbour, refusals, NEVER, NULL, NULL), // of each peer each reason: most are 0
	ODD(fleet, outcomes, XY_METRIC_MAP, NULL, "outcome"),
	ODD(fleet, refused, XY_METRIC_MAP, NULL, "outcome"),
#undef ACCOUNT
#undef ODD
};

static const struct xy_metric_of_own owns[XY_METRIC_OWN] = {
	[XY_METRIC_DAEMON_UP] =
		{"xylem_daemon_up", "", XY_METRIC_GAUGE, "", "",
		 "Whether the daemon answers; where it does not, nothing else is told."},
	[XY_METRIC_BUILD] = {"xylem_build", "_info", XY_METRIC_INFO, "", "program version",
			     "The program that answers here."},
	[XY_METRIC_PEERS_LEFT_OUT] =
		{"xylem_peers_left_out", "", XY_METRIC_GAUGE, "", "why",
		 "Peers that have no series of their own: nobody configured them (open), there are "
		 "more than fit (limit), the daemon was too slow to tell of all (time), or the "
		 "config "
		 "says so (off)."},
	[XY_METRIC_ROWS_LEFT_OUT] = {"xylem_rows_left_out", "", XY_METRIC_GAUGE, "", "",
				     "Things that have no series since there was no room."},
	[XY_METRIC_SCRAPE] = {"xylem_scrape_seconds", "", XY_METRIC_GAUGE, "seconds", "",
			      "How long the daemon was asked for this."},
};

const struct xy_metric_set *xy_metric_set_at(unsigned i)
{
	return i < XY_ARRAY_SIZE(sets) ? &sets[i] : NULL;
}

const struct xy_metric_of_own *xy_metric_own_at(enum xy_metric_own which)
{
	return &owns[which];
}

const char *xy_metric_type_word(enum xy_metric_type type)
{
	static const char *const word[] = {[XY_METRIC_GAUGE] = "gauge",
					   [XY_METRIC_COUNTER] = "counter",
					   [XY_METRIC_INFO] = "info"};
	return word[type];
}

const char *xy_metric_label(const char *list, char key[static XY_METRIC_LABEL_LEN],
			    char label[static XY_METRIC_LABEL_LEN])
{
	if (!list || !*list)
		return NULL;
	size_t n = strcspn(list, " "), k = strcspn(list, "= ");
	const char *as = k < n ? list + k + 1 : list;
	snprintf(key, XY_METRIC_LABEL_LEN, "%.*s", (int)k, list);
	snprintf(label, XY_METRIC_LABEL_LEN, "%.*s", (int)(list + n - as), as);
	return list[n] ? list + n + 1 : list + n;
}

static bool are_public(const struct xy_object *o, const char *list)
{
	char key[XY_METRIC_LABEL_LEN], label[XY_METRIC_LABEL_LEN];
	while ((list = xy_metric_label(list, key, label)))
		if (!xy_field_is_public(o, key))
			return false;
	return true;
}

bool xy_metric_is_public(const struct xy_metric_set *s, const struct xy_metric *m)
{
	const struct xy_object *o = s->object();
	if (!xy_list_is_public(s->reply, s->list) || !are_public(o, s->labels))
		return false;
	return !m || (m->field ? xy_field_is_public(o, m->field->key) : are_public(o, s->info));
}

// --- of a field

static const struct odd *odd_of(const struct xy_metric_set *s, const struct xy_field *f)
{
	for (size_t i = 0; i < XY_ARRAY_SIZE(odds); i++)
		if (odds[i].object == s->object && odds[i].at == f->at)
			return &odds[i];
	return NULL;
}

static bool is_number(enum xy_form form)
{
	return form >= XY_FORM_NUMBER && form <= XY_FORM_DECIMAL;
}

// Of UP there are two: this, and WORD.
static int how_of(const struct xy_field *f, const struct odd *odd)
{
	if (odd && odd->how != AS_IT_IS)
		return odd->how;
	if (f->form == XY_FORM_YES_NO || f->form == XY_FORM_NOTE)
		return XY_METRIC_TRUE;
	if (f->form == XY_FORM_STATE)
		return XY_METRIC_UP;
	bool moves = f->kind == XY_KIND_COUNTER || f->kind == XY_KIND_GAUGE;
	return moves && is_number(f->form) ? XY_METRIC_VALUE : NEVER;
}

static const char *unit_of(const struct xy_field *f, const struct odd *odd, unsigned *divisor)
{
	static const struct {
		const char *form, *base;
		unsigned divisor;
	} all[] = {{"bytes", "bytes", 1},      {"s", "seconds", 1},    {"ms", "seconds", 1000},
		   {"us", "seconds", 1000000}, {"0 to 1", "ratio", 1}, {"Hz", "hertz", 1}};
	const char *unit = xy_form_unit(f->form);
	*divisor = f->form == XY_FORM_MAP && strstr(f->key, "_us") ? 1000000 : 1;
	if (odd && odd->unit)
		return odd->unit;
	for (size_t i = 0; i < XY_ARRAY_SIZE(all); i++)
		if (strcmp(all[i].form, unit) == 0) {
			*divisor = all[i].divisor;
			return all[i].base;
		}
	return "";
}

static bool ends_with(const char *text, size_t len, const char *end)
{
	size_t n = strlen(end);
	return len >= n && memcmp(text + len - n, end, n) == 0 &&
	       (len == n || text[len - n - 1] == '_');
}

// Length of the key without a unit that is none of Prometheus'.
static size_t stem_of(const char *key)
{
	static const char *const small[] = {"us", "ms", "hz"};
	size_t len = strlen(key);
	for (size_t i = 0; i < XY_ARRAY_SIZE(small); i++)
		if (len > 3 && ends_with(key, len, small[i]))
			return len - 3;
	return len;
}

static void name_of(struct xy_metric *m, const struct xy_metric_set *s, const char *key)
{
	size_t len = stem_of(key);
	bool has = !m->unit[0] || ends_with(key, len, m->unit);
	snprintf(m->name, sizeof(m->name), "xylem_%s_%.*s%s%s", s->name, (int)len, key,
		 has ? "" : "_", has ? "" : m->unit);
}

// Without what it says of null: then there is no sample.
static void cut_null(char *help)
{
	static const char *const ends[] = {", or null", "; or null", "or null"};
	char *null = strstr(help, "; null: ");
	size_t len = strlen(help);
	if (null)
		*null = 0;
	for (size_t i = 0; !null && i < XY_ARRAY_SIZE(ends); i++) {
		size_t n = strlen(ends[i]);
		null = len >= n && strcmp(help + len - n, ends[i]) == 0 ? help + len - n : NULL;
		if (null)
			*null = 0;
	}
}

// "rx packets of each peer: overlay packets from it".
static void help_of(struct xy_metric *m, const struct xy_metric_set *s, const struct xy_field *f,
		    const char *what)
{
	char key[XY_METRIC_NAME_LEN], help[XY_METRIC_HELP_LEN / 2];
	snprintf(key, sizeof(key), "%.*s", (int)stem_of(f->key), f->key);
	for (char *at = key; *at; at++)
		*at = *at == '_' ? ' ' : *at;
	snprintf(help, sizeof(help), "%s", f->help);
	cut_null(help);
	snprintf(m->help, sizeof(m->help), "%s%s of %s%s%s.", what, key, s->of, help[0] ? ": " : "",
		 help);
}

static bool info_of(const struct xy_metric_set *s, struct xy_metric *out)
{
	*out = (struct xy_metric){.suffix = "_info",
				  .type = XY_METRIC_INFO,
				  .unit = "",
				  .divisor = 1,
				  .how = XY_METRIC_ONE};
	snprintf(out->name, sizeof(out->name), "xylem_%s", s->name);
	snprintf(out->help, sizeof(out->help), "What %s is: always 1.", s->of);
	return true;
}

static void field_of(const struct xy_metric_set *s, const struct xy_field *f, int how,
		     struct xy_metric *out)
{
	static const char *const what[] = {[XY_METRIC_TRUE] = "Is it so (1): ",
					   [XY_METRIC_PRESENT] = "Is there one (1): ",
					   [XY_METRIC_COUNT] = "How many: ",
					   [XY_METRIC_UP] = "Is it up (1), by the ",
					   [XY_METRIC_WORD] = "1 for the one that it is in: ",
					   [XY_METRIC_ONE] = NULL};
	const struct odd *odd = odd_of(s, f);
	bool counter = f->kind == XY_KIND_COUNTER;
	*out = (struct xy_metric){.type = counter ? XY_METRIC_COUNTER : XY_METRIC_GAUGE,
				  .suffix = counter ? "_total" : "",
				  .how = (enum xy_metric_how)how,
				  .field = f};
	out->unit = unit_of(f, odd, &out->divisor);
	out->label = how == XY_METRIC_WORD ? f->key : odd ? odd->label : NULL;
	char up[XY_METRIC_NAME_LEN]; // of "state" or "..._state"
	snprintf(up, sizeof(up), "%.*sup", (int)(strlen(f->key) - strlen("state")), f->key);
	name_of(out, s, how == XY_METRIC_UP ? up : f->key);
	help_of(out, s, f, what[how] ? what[how] : "");
}

bool xy_metric_at(const struct xy_metric_set *s, unsigned i, struct xy_metric *out)
{
	const struct xy_object *o = s->object();
	if (s->info && i-- == 0)
		return info_of(s, out);
	for (unsigned k = 0; k < o->count; k++) {
		const struct xy_field *f = &o->fields[k];
		int how = how_of(f, odd_of(s, f));
		unsigned n = how == NEVER ? 0 : how == XY_METRIC_UP ? 2 : 1;
		if (i < n) {
			field_of(s, f, i ? XY_METRIC_WORD : how, out);
			return true;
		}
		i -= n;
	}
	return false;
}
