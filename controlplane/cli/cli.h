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
int xy_cli_set(int argc, char **argv);
int xy_cli_peer(int argc, char **argv);
int xy_cli_reload(int argc, char **argv);
int xy_cli_drain(int argc, char **argv);
int xy_cli_leaf(int argc, char **argv);
int xy_cli_config(int argc, char **argv);
int xy_cli_log(int argc, char **argv);
int xy_cli_ping(int argc, char **argv);
int xy_cli_netcheck(int argc, char **argv);
int xy_cli_diagnose(int argc, char **argv);

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
int xy_cli_tree(const char *instance, bool json);
int xy_cli_path(const char *instance, const char *to, bool json);
// Asks until the reply says that it is done.
int xy_cli_ask_done(const char *instance, const char *command, const char *params, json_t **out,
		    struct xy_err *err);

// "xylem: TEXT" on stderr, returns CLI_FAILED, or CLI_USAGE with a hint at the help.
__attribute__((format(printf, 1, 2))) int xy_cli_fail(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) int xy_cli_misuse(const char *fmt, ...);

bool xy_cli_colour(int fd); // a terminal, and nobody said no
void *xy_cli_must(void *p); // ends the program when there is no memory

// A connection to the telemetry socket of an instance.
int xy_cli_connect(const char *instance, struct xy_client **out, struct xy_err *err);

// prose.c: sentences, broken at words, behind a head as wide as `column`; others' words in them do
// not speak to the terminal.
char *xy_cli_plain(const char *text); // to be freed
void xy_cli_prose(unsigned indent, const char *head, unsigned column, const char *text);

// table.c: aligned columns.
enum xy_align { XY_LEFT, XY_RIGHT };
enum xy_colour { XY_PLAIN, XY_GREEN, XY_YELLOW, XY_RED, XY_DIM };
struct xy_table;
struct xy_table *xy_table_new(unsigned columns);
void xy_table_column(struct xy_table *t, const char *title, enum xy_align align);
// Cells come row by row; text is copied, control characters in it become "?".
void xy_table_cell(struct xy_table *t, const char *text, enum xy_colour colour);
void xy_table_print(struct xy_table *t, FILE *to, bool colour); // and frees it

// forms.c: a field of lib/fields as people read it.
enum { XY_TITLE_LEN = 40 };
const char *xy_field_title(const struct xy_field *f, char *buf, size_t size);
// before: its value `seconds` ago for a rate, or NULL.
void xy_field_text(char *to, size_t size, const struct xy_field *f, const json_t *v,
		   const json_t *before, double seconds);
void xy_table_column_of(struct xy_table *t, const struct xy_field *f);
void xy_table_field(struct xy_table *t, const struct xy_field *f, const json_t *v,
		    const json_t *before, double seconds);

// views.c: a reply as tables. before: the reply `seconds` ago for rates, or NULL.
const struct xy_reply *xy_view_find(const char *name); // NULL: no such, or it takes a while
void xy_view_print(const struct xy_reply *r, const json_t *now, const json_t *before,
		   double seconds, FILE *to, bool colour);
void xy_view_fields(const struct xy_object *o, const json_t *now, FILE *to, bool colour);
struct xy_table *xy_view_columns(const struct xy_object *o); // with titles, and no rows yet
// Puts a list that comes in no order into one.
void xy_view_sort(const struct xy_reply *r, json_t *now);
// "node, peers, ..." for texts.
const char *xy_view_names(char *buf, size_t size);
