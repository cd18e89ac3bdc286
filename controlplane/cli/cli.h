// SPDX-License-Identifier: BSD-3-Clause
// Inside the command line: one thread, everything is freed at the latest by exit. Exit codes: 0
// done, 1 it failed, 2 it was called wrongly.
#pragma once

#include "base/err.h"
#include "client/client.h"
#include "fields/fields.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

// argv[0] is the command's own name.
int xy_cli_genkey(int argc, char **argv);
int xy_cli_pubkey(int argc, char **argv);
int xy_cli_inspect(int argc, char **argv);
int xy_cli_show(int argc, char **argv);
int xy_cli_trace(int argc, char **argv);
int xy_cli_top(int argc, char **argv);
int xy_cli_capture(int argc, char **argv);
int xy_cli_set(int argc, char **argv);
int xy_cli_peer(int argc, char **argv);
int xy_cli_reload(int argc, char **argv);
int xy_cli_drain(int argc, char **argv);
int xy_cli_leaf(int argc, char **argv);
int xy_cli_config(int argc, char **argv);
int xy_cli_log(int argc, char **argv);
int xy_cli_doctor(int argc, char **argv);
int xy_cli_import(int argc, char **argv);
int xy_cli_ping(int argc, char **argv);
int xy_cli_netcheck(int argc, char **argv);
int xy_cli_diagnose(int argc, char **argv);
int xy_cli_fleet(int argc, char **argv);

int xy_cli_complete(int argc, char **argv);

// main.c: the commands; one without a name ends them, one without a usage is another's other name.
struct xy_cli_command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage, *help;
};
extern const struct xy_cli_command xy_cli_commands[];
const struct xy_cli_command *xy_cli_command_find(const char *name); // NULL: it is none, or several

// words.c: the word that is given, whole or as its beginning; NULL: none, or several. NULL ends
// words.
const char *xy_cli_word(const char *given, const char *const *words);
// "; did you mean X?", or "".
const char *xy_cli_meant(const char *given, const char *const *words, char *buf, size_t size);
const char *const *xy_cli_views(void); // show.c: what can be shown

// steer.c: words and options of a command that changes something, and its request.
enum { XY_CLI_WORDS = 8, XY_CLI_OPTIONS = 24 };
struct xy_cli_option {
	const char *name, *value;
};
struct xy_cli_args {
	const char *instance;
	bool json;
	unsigned count, options;
	const char *word[XY_CLI_WORDS];
	struct xy_cli_option option[XY_CLI_OPTIONS];
};
// options: those that take a value, beside -n; NULL ends them, and may stand for none.
int xy_cli_args(struct xy_cli_args *a, int argc, char **argv, const char *const *options);
void xy_cli_whole(struct xy_cli_args *a, unsigned at, const char *const *words);
const char *xy_cli_option(const struct xy_cli_args *a, const char *name); // the first; NULL: none
int xy_cli_number(const char *what, const char *text, long long max, json_t *to); // as --what
int xy_cli_secret(const char *file, json_t *to); // as psk; -: stdin
// Takes params. CLI_FAILED: it is said why.
int xy_cli_steer(const char *instance, const char *command, json_t *params, json_t **out);
void xy_cli_kept(const json_t *reply); // says where it is not
int xy_cli_peer_word(const struct xy_cli_args *a, const char *command, const char *done);

// mesh.c: what `show` shows of the mesh beyond our links.
int xy_cli_tree(const char *instance, bool json, bool verbose);
int xy_cli_path(const char *instance, const char *to, bool json, bool verbose);
// Asks until the reply says that it is done.
int xy_cli_ask_done(const char *instance, const char *command, const char *params, json_t **out,
		    struct xy_err *err);

// "xylem: TEXT" on stderr, returns CLI_FAILED, or CLI_USAGE with a hint at the help.
__attribute__((format(printf, 1, 2))) int xy_cli_fail(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) int xy_cli_misuse(const char *fmt, ...);
int xy_cli_instance(const char *name); // CLI_OK, or it is none's name, and that was said

bool xy_cli_terminal(int fd); // 0 to 2: was it one when the program began?
bool xy_cli_colour(int fd);   // it was, and nobody said no
void *xy_cli_must(void *p);   // ends the program when there is no memory

// A connection to the telemetry socket of an instance.
int xy_cli_connect(const char *instance, struct xy_client **out, struct xy_err *err);
bool xy_view_is_agents(const struct xy_reply *r); // xylem-fleet answers it, at its own socket

// prose.c: sentences, broken at words, behind a head as wide as `column`; others' words in them do
// not speak to the terminal.
void xy_cli_prose(unsigned indent, const char *head, unsigned column, const char *text);

// --- output

// Where tables go, and how wide they may be.
struct xy_out {
	FILE *to;
	bool colour;
	unsigned limit; // columns; 0: any
};
enum { XY_OUT_COLUMNS = 80 };

// pager.c: from here on, what is written to stdout goes through $PAGER or less, where that is a
// terminal and there is one. The end waits for it.
void xy_cli_pager_begin(void);
bool xy_cli_pager_gone(void); // nobody reads any more
// Returns code, or 0 where who reads has seen enough.
int xy_cli_pager_end(int code);

// table.c: aligned columns.
enum { XY_TABLE_COLUMNS = 48 };
enum xy_align { XY_LEFT, XY_RIGHT };
enum xy_colour { XY_PLAIN, XY_GREEN, XY_YELLOW, XY_RED, XY_DIM };
struct xy_table;
// The parts of a long table, printed one by one: how the last one was. Begins as zero.
struct xy_table_last {
	unsigned columns;
	size_t width[XY_TABLE_COLUMNS];
	bool hidden[XY_TABLE_COLUMNS];
};
struct xy_table *xy_table_new(unsigned columns, const struct xy_out *out); // out stays
void xy_table_column(struct xy_table *t, const char *title, enum xy_align align);
// Cells come row by row; text is copied, what would speak to the terminal becomes "?".
void xy_table_cell(struct xy_table *t, const char *text, enum xy_colour colour);
void xy_table_mark(struct xy_table *t); // the last cell: it has changed
void xy_table_hide(struct xy_table *t, unsigned column);
bool xy_table_fits(const struct xy_table *t); // as it is, without a break
void xy_table_free(struct xy_table *t);
void xy_table_print(struct xy_table *t, struct xy_table_last *last); // and frees t; last or NULL

// forms.c: a field of lib/fields as people read it.
enum { XY_TITLE_LEN = 40, XY_FORM_LEN = 40 };
const char *xy_field_title(const struct xy_field *f, char *buf, size_t size);
// Its value so many seconds ago: a counter becomes a rate.
struct xy_then {
	const json_t *value; // NULL: there was none
	double seconds;
};
// malloc'd. then: or NULL; exact: no counter is rounded, no key cut.
char *xy_field_text(const struct xy_field *f, const json_t *v, const struct xy_then *then,
		    bool exact);
void xy_form_bits(char to[static XY_FORM_LEN], double v); // per second
void xy_form_rate(char to[static XY_FORM_LEN], double v);
void xy_table_column_of(struct xy_table *t, const struct xy_field *f);
void xy_table_field(struct xy_table *t, const struct xy_field *f, const json_t *v,
		    const struct xy_then *then, bool exact);

// views.c: a reply as tables.
struct xy_view {
	const struct xy_reply *reply;
	const struct xy_out *out;
	bool verbose;	      // wide columns, all digits
	bool all;	      // rows and columns of zeros, too
	const json_t *before; // the reply `seconds` ago, for rates and marks; or NULL
	double seconds;
	struct xy_table_last *last; // of its first list, where that comes in parts; or NULL
};
const struct xy_reply *xy_view_find(const char *name); // NULL: no such, or it takes a while
void xy_view_print(const struct xy_view *v, const json_t *now);
// One of its lists alone, unless that is empty.
void xy_view_rows(const struct xy_view *v, const char *list, const json_t *now);
void xy_view_fields(const struct xy_view *v, const struct xy_object *o, const json_t *now);
// With titles, and no rows yet.
struct xy_table *xy_view_columns(const struct xy_view *v, const struct xy_object *o);
// Is that field a column of it?
bool xy_view_shows(const struct xy_view *v, const struct xy_field *f);
// The list that the view is about; NULL: it is about one thing.
const struct xy_field *xy_view_list(const struct xy_reply *r);
// Rows of the list that are shown.
size_t xy_view_count(const struct xy_view *v, const json_t *now);
// "node, peers, ..." for texts.
const char *xy_view_names(char *buf, size_t size);

// sort.c: rows by a column, which NAME names as its title or key does, with "-" before it from the
// largest. Rows without a value come last; equal ones stay as they were.
struct xy_sort {
	const struct xy_field *by;
	bool down;
};
int xy_sort_parse(const struct xy_reply *r, const char *name, struct xy_sort *out);
void xy_sort_rows(json_t *list, const struct xy_sort *by);
// Puts a list that comes in no order into one.
void xy_view_sort(const struct xy_reply *r, json_t *now);
