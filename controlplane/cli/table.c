// SPDX-License-Identifier: BSD-3-Clause
// Aligned columns. What is too wide is broken into lines within its cell, so nothing is lost: first
// titles, then prose, then the widest texts.
#include "cli/cli.h"
#include "cli/text.h"

#include <stdlib.h>
#include <string.h>

enum {
	GAP = 2,
	PROSE_LEAST = 16, // columns of text with spaces are not made narrower, as long as others
	TEXT_LEAST = 8,	  // can be; nor is other text than this
	LEAST = 3,
	STEPS = 4,
};

struct cell {
	char *text;
	enum xy_colour colour;
	bool marked;
};

struct xy_table {
	const struct xy_out *out;
	unsigned columns, titled;
	enum xy_align align[XY_TABLE_COLUMNS];
	bool hidden[XY_TABLE_COLUMNS], prose[XY_TABLE_COLUMNS];
	size_t width[XY_TABLE_COLUMNS]; // of cells, without the title
	struct cell *cells;		// the titles come first
	size_t count, room;
};

struct xy_table *xy_table_new(unsigned columns, const struct xy_out *out)
{
	struct xy_table *t = xy_cli_must(calloc(1, sizeof(*t)));
	t->columns = columns < XY_TABLE_COLUMNS ? columns : XY_TABLE_COLUMNS;
	t->out = out;
	return t;
}

static struct cell *add(struct xy_table *t, const char *text, enum xy_colour colour)
{
	if (t->count == t->room) {
		t->room = t->room ? 2 * t->room : 64;
		t->cells = xy_cli_must(realloc(t->cells, t->room * sizeof(*t->cells)));
	}
	struct cell *c = &t->cells[t->count++];
	*c = (struct cell){.text = xy_text_clean(text), .colour = colour};
	return c;
}

static void measure(struct xy_table *t)
{
	const struct cell *c = &t->cells[t->count - 1];
	unsigned column = (unsigned)((t->count - 1) % t->columns);
	size_t width = xy_text_width(c->text);
	t->width[column] = width > t->width[column] ? width : t->width[column];
	t->prose[column] =
		t->prose[column] || (t->align[column] == XY_LEFT && strchr(c->text, ' '));
}

void xy_table_cell(struct xy_table *t, const char *text, enum xy_colour colour)
{
	add(t, text, colour);
	measure(t);
}

void xy_table_mark(struct xy_table *t)
{
	struct cell *c = &t->cells[t->count - 1];
	size_t len = strlen(c->text);
	c->marked = true;
	if (t->out->colour)
		return;
	c->text = xy_cli_must(realloc(c->text, len + 2));
	memcpy(c->text + len, "*", 2);
	measure(t);
}

void xy_table_column(struct xy_table *t, const char *title, enum xy_align align)
{
	if (t->titled == t->columns)
		return;
	t->align[t->titled++] = align;
	add(t, title, XY_DIM);
}

void xy_table_hide(struct xy_table *t, unsigned column)
{
	t->hidden[column] = true;
}

// --- layout

static size_t total(const struct xy_table *t, const size_t *width)
{
	size_t sum = 0;
	for (unsigned i = 0; i < t->columns; i++)
		sum += t->hidden[i] ? 0 : width[i] + GAP;
	return sum ? sum - GAP : 0;
}

// The widest of those that may still be made narrower; -1: none.
static int widest(const struct xy_table *t, const size_t *width, const size_t *least)
{
	int found = -1;
	for (unsigned i = 0; i < t->columns; i++)
		if (!t->hidden[i] && width[i] > least[i] && (found < 0 || width[i] > width[found]))
			found = (int)i;
	return found;
}

static void shrink(const struct xy_table *t, size_t *width, const size_t *least)
{
	int i;
	while (total(t, width) > t->out->limit && (i = widest(t, width, least)) >= 0)
		width[i]--;
}

// step: prose alone, a little and more, then any text, then all.
static size_t least_of(const struct xy_table *t, unsigned step, unsigned column, size_t width)
{
	static const size_t floor[STEPS] = {PROSE_LEAST, TEXT_LEAST, TEXT_LEAST, LEAST};
	size_t title = t->titled ? xy_text_word(t->cells[column].text) : 0;
	bool text = t->align[column] == XY_LEFT && (t->titled || column);
	if (step == STEPS - 1)
		return LEAST;
	if (!text || (step < 2 && !t->prose[column]))
		return width;
	return title > floor[step] ? title : floor[step];
}

static void layout(const struct xy_table *t, size_t *width)
{
	size_t least[XY_TABLE_COLUMNS];
	for (unsigned i = 0; i < t->columns; i++) {
		size_t title = t->titled ? xy_text_width(t->cells[i].text) : 0;
		width[i] = t->width[i] > title ? t->width[i] : title;
	}
	if (!t->out->limit || total(t, width) <= t->out->limit)
		return;
	for (unsigned i = 0; i < t->columns; i++) {
		size_t word = t->titled ? xy_text_word(t->cells[i].text) : 0;
		least[i] = t->width[i] > word ? t->width[i] : word;
	}
	shrink(t, width, least);
	for (unsigned step = 0; step < STEPS; step++) {
		for (unsigned i = 0; i < t->columns; i++)
			least[i] = least_of(t, step, i, width[i]);
		shrink(t, width, least);
	}
}

// --- printing

static const char *const codes[] = {[XY_PLAIN] = "",
				    [XY_GREEN] = "\033[32m",
				    [XY_YELLOW] = "\033[33m",
				    [XY_RED] = "\033[31m",
				    [XY_DIM] = "\033[2m"};

static void spaces(FILE *to, size_t n)
{
	fprintf(to, "%*s", (int)n, "");
}

// The next line of a cell, and where it goes on; no space behind the last.
static void print_part(const struct xy_table *t, const struct cell *c, const char **at,
		       size_t width, bool right, size_t *pending)
{
	FILE *to = t->out->to;
	size_t columns, skip, n = xy_text_line(*at, width, &columns, &skip);
	bool tint = t->out->colour && (c->colour != XY_PLAIN || c->marked);
	size_t left = width > columns ? width - columns : 0;
	if (!n) {
		*pending += width + GAP;
		return;
	}
	spaces(to, *pending + (right ? left : 0));
	if (tint)
		fprintf(to, "%s%s", codes[c->colour], c->marked ? "\033[7m" : "");
	fwrite(*at, 1, n, to);
	fputs(tint ? "\033[0m" : "", to);
	*at += n + skip;
	*pending = GAP + (right ? 0 : left);
}

static void print_row(const struct xy_table *t, size_t first, const size_t *width)
{
	const char *at[XY_TABLE_COLUMNS];
	bool more = true;
	for (unsigned i = 0; i < t->columns; i++)
		at[i] = t->cells[first + i].text;
	while (more) {
		size_t pending = 0;
		more = false;
		for (unsigned i = 0; i < t->columns; i++) {
			if (t->hidden[i])
				continue;
			print_part(t, &t->cells[first + i], &at[i], width[i],
				   t->align[i] == XY_RIGHT, &pending);
			more = more || *at[i];
		}
		fputc('\n', t->out->to);
	}
}

// As the part before it was printed, or wider: then, and where other columns are shown, titles
// come again.
static bool goes_on(const struct xy_table *t, size_t *width, struct xy_table_last *last)
{
	bool same = last && last->columns == t->columns;
	for (unsigned i = 0; same && i < t->columns; i++)
		same = last->hidden[i] == t->hidden[i] && width[i] <= last->width[i];
	if (same) {
		memcpy(width, last->width, sizeof(last->width));
	} else if (last) {
		if (last->columns)
			fputc('\n', t->out->to);
		last->columns = t->columns;
		memcpy(last->width, width, sizeof(last->width));
		memcpy(last->hidden, t->hidden, sizeof(last->hidden));
	}
	return same;
}

bool xy_table_fits(const struct xy_table *t)
{
	size_t width[XY_TABLE_COLUMNS];
	for (unsigned i = 0; i < t->columns; i++) {
		size_t title = t->titled ? xy_text_width(t->cells[i].text) : 0;
		width[i] = t->width[i] > title ? t->width[i] : title;
	}
	return !t->out->limit || total(t, width) <= t->out->limit;
}

void xy_table_free(struct xy_table *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->cells[i].text);
	free(t->cells);
	free(t);
}

void xy_table_print(struct xy_table *t, struct xy_table_last *last)
{
	size_t width[XY_TABLE_COLUMNS] = {0};
	layout(t, width);
	bool titles = t->titled && !goes_on(t, width, last);
	for (size_t i = t->titled && !titles ? t->columns : 0; i + t->columns <= t->count;
	     i += t->columns)
		print_row(t, i, width);
	xy_table_free(t);
}
