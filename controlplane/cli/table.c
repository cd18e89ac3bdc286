// SPDX-License-Identifier: BSD-3-Clause
#include "cli/cli.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct cell {
	char *text;
	enum xy_colour colour;
};

struct xy_table {
	unsigned columns, titled;
	enum xy_align *align;
	size_t *width;
	struct cell *cells; // the titles come first
	size_t count, room;
};

struct xy_table *xy_table_new(unsigned columns)
{
	struct xy_table *t = xy_cli_must(calloc(1, sizeof(*t)));
	t->columns = columns;
	t->align = xy_cli_must(calloc(columns, sizeof(*t->align)));
	t->width = xy_cli_must(calloc(columns, sizeof(*t->width)));
	return t;
}

// Names and endpoints are others' words: none may speak to the terminal.
static char *printable(const char *text)
{
	char *copy = xy_cli_must(strdup(text));
	for (char *p = copy; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
	return copy;
}

void xy_table_cell(struct xy_table *t, const char *text, enum xy_colour colour)
{
	if (t->count == t->room) {
		t->room = t->room ? 2 * t->room : 64;
		t->cells = xy_cli_must(realloc(t->cells, t->room * sizeof(*t->cells)));
	}
	struct cell *c = &t->cells[t->count];
	*c = (struct cell){printable(text), colour};
	size_t *width = &t->width[t->count++ % t->columns], len = strlen(c->text);
	if (len > *width)
		*width = len;
}

void xy_table_column(struct xy_table *t, const char *title, enum xy_align align)
{
	t->align[t->titled++] = align;
	xy_table_cell(t, title, XY_DIM);
}

static void print_cell(const struct xy_table *t, size_t i, FILE *to, bool colour)
{
	static const char *const codes[] = {[XY_PLAIN] = "",
					    [XY_GREEN] = "\033[32m",
					    [XY_YELLOW] = "\033[33m",
					    [XY_RED] = "\033[31m",
					    [XY_DIM] = "\033[2m"};
	const struct cell *c = &t->cells[i];
	size_t column = i % t->columns;
	int pad = (int)(t->width[column] - strlen(c->text));
	bool last = column == t->columns - 1, tint = colour && c->colour != XY_PLAIN;
	fprintf(to, "%*s%s%s%s", t->align[column] == XY_RIGHT ? pad : 0, "",
		tint ? codes[c->colour] : "", c->text, tint ? "\033[0m" : "");
	if (last)
		fputc('\n', to);
	else
		fprintf(to, "%*s  ", t->align[column] == XY_LEFT ? pad : 0, "");
}

void xy_table_print(struct xy_table *t, FILE *to, bool colour)
{
	for (size_t i = 0; i < t->count; i++) {
		print_cell(t, i, to, colour);
		free(t->cells[i].text);
	}
	free(t->cells);
	free(t->align);
	free(t->width);
	free(t);
}
