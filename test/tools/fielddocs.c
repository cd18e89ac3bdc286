// SPDX-License-Identifier: BSD-3-Clause
// The list of fields as docs, for scripts/gen-docs, which compiles this by itself: "page" is
// docs/fields.md, "rows" what docs/wire-format.md has of each command.
#include "fields/fields.h"

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
		printf("## %s\n\n`%s%s`. %s\n\n", r->name, r->command, r->params, r->help);
		table(r->object());
		below(r->object());
		if (r->object() == xy_object_graph()) {
			printf("`%s,dot`\n\n", r->command);
			table(xy_object_graph_dot());
		}
	}
}

int main(int argc, char **argv)
{
	const struct xy_reply *r;
	if (argc == 2 && strcmp(argv[1], "page") == 0)
		page();
	else
		for (unsigned i = 0; (r = xy_reply_at(i)); i++)
			row(r);
	return 0;
}
