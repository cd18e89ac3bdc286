// SPDX-License-Identifier: BSD-3-Clause
// The list of fields as docs, for scripts/gen-docs, which compiles this by itself: "page" is
// docs/fields.md, "rows" what docs/wire-format.md has of each command, "metrics" docs/metrics.md.
#include "fields/metrics.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_nested(const struct xy_field *f)
{
	return f->form == XY_FORM_LIST || f->form == XY_FORM_OBJECT;
}

// --- rows: keys alone

static void keys(const struct xy_object *o, const char *before)
{
	for (unsigned i = 0; i < o->count; i++) {
		const struct xy_field *f = &o->fields[i];
		printf("%s%s", before, f->key);
		before = ", ";
		if (!is_nested(f))
			continue;
		keys(f->of(), ": ");
		if (f->of()->more)
			keys(f->of()->more(), "; learned ones also ");
		before = i + 1 < o->count ? "; " : "";
	}
}

static void row(const struct xy_reply *r)
{
	printf("| `%s%s` | ", r->command, r->params);
	keys(r->object(), "");
	puts(" |");
	if (r->object() == xy_object_graph()) {
		printf("| `%s,dot` | ", r->command);
		keys(xy_object_graph_dot(), "");
		puts(" |");
	}
}

// --- page

static void form(const struct xy_field *f)
{
	const char *unit = xy_form_unit(f->form);
	printf("%s%s%s", xy_form_word(f->form), *unit ? ", " : "", unit);
	if (is_nested(f))
		printf(" of %s", f->of()->name);
}

static void table(const struct xy_object *o)
{
	puts("| field | form | kind | meaning |\n|---|---|---|---|");
	for (unsigned i = 0; i < o->count; i++) {
		const struct xy_field *f = &o->fields[i];
		printf("| %s | ", f->key);
		form(f);
		printf(" | %s | %s |\n", xy_field_kind_word(f->kind), f->help);
	}
	puts("");
}

static void below(const struct xy_object *o)
{
	for (unsigned i = 0; i < o->count; i++) {
		const struct xy_field *f = &o->fields[i];
		if (!is_nested(f))
			continue;
		printf("### %s: %s\n\n", o->name, f->key);
		table(f->of());
		if (f->of()->more) {
			puts("Learned ones have these as well:\n");
			table(f->of()->more());
		}
	}
}

static void section(const struct xy_reply *r)
{
	printf("## %s\n\n`%s%s`. %s\n\n", r->name, r->command, r->params, r->help);
	table(r->object());
	below(r->object());
}

static void page(void)
{
	const struct xy_reply *r;
	puts("# Fields\n\n"
	     "What `xylem show WHAT --json` and the telemetry socket tell "
	     "([wire-format.md](wire-format.md#telemetry)), field by field. A *counter* goes up, "
	     "and "
	     "begins at 0 with the thing that it is of; a *gauge* goes up and down; a *label* "
	     "names "
	     "the thing. Tables of the command line have the most important of them, under the "
	     "same "
	     "names. This page is made from `lib/fields/lists.h` by `scripts/gen-docs`.\n");
	for (unsigned i = 0; (r = xy_reply_at(i)); i++) {
		section(r);
		if (r->object() == xy_object_graph()) {
			printf("`%s,dot`\n\n", r->command);
			table(xy_object_graph_dot());
		}
	}
	puts("What `xylem-fleet` tells at its own socket ([fleet.md](fleet.md)):\n");
	for (unsigned i = 0; (r = xy_agent_reply_at(i)); i++)
		section(r);
}

// --- metrics

static void labels(const char *list, const char *before)
{
	char key[XY_METRIC_LABEL_LEN], label[XY_METRIC_LABEL_LEN];
	while ((list = xy_metric_label(list, key, label))) {
		printf("%s%s", before, label);
		before = ", ";
	}
}

static void metric(const struct xy_metric_set *s, const struct xy_metric *m)
{
	printf("| %s%s | %s | ", m->name, m->suffix, xy_metric_type_word(m->type));
	labels(s->labels, "");
	if (m->how == XY_METRIC_ONE)
		labels(s->info, s->labels ? ", " : "");
	if (m->label)
		printf("%s%s", s->labels ? ", " : "", m->label);
	bool hidden = xy_metric_is_public(s, NULL) && !xy_metric_is_public(s, m);
	printf(" | %s%s |\n", m->help, hidden ? " Not on the public address." : "");
}

static void metrics(void)
{
	static const char head[] = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
	const struct xy_metric_set *s;
	struct xy_metric m;
	puts("# Metrics\n\n"
	     "What `xylem-web` tells at `/metrics`, in the text format of Prometheus or "
	     "OpenMetrics "
	     "([operating.md](operating.md#monitoring)). They are the fields of "
	     "[fields.md](fields.md), in seconds, bytes and ratios; what is null there has no "
	     "sample. Names stay as they are. This page is made from `lib/fields` by "
	     "`scripts/gen-docs`.\n\n## Of `xylem-web` itself\n");
	fputs(head, stdout);
	for (unsigned i = 0; i < XY_METRIC_OWN; i++) {
		const struct xy_metric_of_own *o = xy_metric_own_at(i);
		printf("| %s%s | %s | ", o->name, o->suffix, xy_metric_type_word(o->type));
		labels(o->labels, "");
		printf(" | %s |\n", o->help);
	}
	for (unsigned i = 0; (s = xy_metric_set_at(i)); i++) {
		printf("\n## Of %s\n\n%s%s%s", s->of,
		       s->peers ? "Not with `metrics = { peers = false; };`. " : "",
		       xy_metric_is_public(s, NULL) ? "" : "Not on the public address.",
		       s->peers || !xy_metric_is_public(s, NULL) ? "\n\n" : "");
		fputs(head, stdout);
		for (unsigned k = 0; xy_metric_at(s, k, &m); k++)
			metric(s, &m);
	}
}

int main(int argc, char **argv)
{
	const struct xy_reply *r;
	if (argc == 2 && strcmp(argv[1], "page") == 0)
		page();
	else if (argc == 2 && strcmp(argv[1], "metrics") == 0)
		metrics();
	else
		for (unsigned i = 0; (r = xy_reply_at(i)); i++)
			row(r);
	return 0;
}
