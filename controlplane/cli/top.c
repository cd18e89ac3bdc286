// SPDX-License-Identifier: BSD-3-Clause
// top: rates of workers, drops and peers, again and again.
#include "base/bytes.h"
#include "cli/cli.h"
#include "cli/keyboard.h"
#include "cli/screen.h"
#include "cli/text.h"
#include "client/rundir.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ASK_MS = 3000, // a picture is not waited for longer
	DROPS = 8,     // reasons, on a terminal
	MESSAGE_LEN = 160,
};
#define FIRST_WAIT 0.5 // seconds, for rates to be there
#define MOST_SHARE 0.1 // of the time, that asking may take

enum by { BY_BITS, BY_PACKETS, BY_RX, BY_TX, BY_NAME, BY_STATE, BY_COUNT };
static const char *const by_name[BY_COUNT + 1] = {"bits", "packets", "rx", "tx", "name", "state"};
static const char by_key[BY_COUNT] = {'b', 'p', 'r', 't', 'n', 's'};

struct sample {
	json_t *node, *workers, *drops, *peers;
	double at;
};

struct top {
	const char *instance;
	double wait;
	unsigned long pictures; // left; 0: no end
	bool all;
	enum by by;
	struct sample now, before;
	bool answered; // since the start, at least once
	double took;   // for the newest sample
	struct xy_client *client;
	struct xy_err err; // of the last one that failed, "" otherwise
	char message[MESSAGE_LEN];
};

// --- asking

static void sample_free(struct sample *s)
{
	json_decref(s->node);
	json_decref(s->workers);
	json_decref(s->drops);
	json_decref(s->peers);
	*s = (struct sample){NULL};
}

static int take(struct top *t, struct sample *s)
{
	const struct {
		const char *command;
		json_t **to;
	} all[] = {{"/xylem/node", &s->node},
		   {"/xylem/workers", &s->workers},
		   {"/xylem/drops", &s->drops},
		   {"/xylem/peers", &s->peers}};
	struct xy_client_config cfg = {
		.instance = t->instance, .socket = XY_RUNDIR_TELEMETRY, .timeout_ms = ASK_MS};
	int ret = t->client ? 0 : xy_client_open(&cfg, &t->client, &t->err);
	for (size_t i = 0; !ret && i < XY_ARRAY_SIZE(all); i++)
		ret = xy_client_ask_all(t->client, all[i].command, NULL, all[i].to, &t->err);
	s->at = xy_screen_now();
	return ret;
}

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool is_another(const struct sample *a, const struct sample *b)
{
	return number(a->node, XY_KEY(node, pid)) != number(b->node, XY_KEY(node, pid)) ||
	       number(a->node, XY_KEY(node, uptime)) < number(b->node, XY_KEY(node, uptime));
}

// The newest, and the one before it where that is of the same daemon.
static int sample(struct top *t)
{
	struct sample s = {NULL};
	double from = xy_screen_now();
	int ret = take(t, &s);
	t->took = s.at - from;
	if (ret) {
		sample_free(&s);
		xy_client_close(t->client);
		t->client = NULL;
		return ret;
	}
	t->err.text[0] = 0;
	t->answered = true;
	sample_free(&t->before);
	t->before = t->now;
	t->now = s;
	if (t->before.node && is_another(&t->now, &t->before)) {
		char clock[XY_SCREEN_CLOCK_LEN];
		snprintf(t->message, sizeof(t->message), "the daemon was restarted; seen at %s",
			 xy_screen_clock(clock));
		sample_free(&t->before);
	}
	return 0;
}

// --- rates

static double seconds(const struct top *t)
{
	return t->before.node ? t->now.at - t->before.at : 0;
}

// Per second; what fell began anew, and NAN is no rate yet.
static double rate(const struct top *t, const json_t *now, const json_t *before, const char *key)
{
	double s = seconds(t);
	json_int_t more = number(now, key) - number(before, key);
	return before && s > 0 && more >= 0 ? (double)more / s : NAN;
}

static void cell_rate(struct xy_table *t, double v, enum xy_colour colour)
{
	char text[XY_FORM_LEN] = "-";
	if (!isnan(v))
		xy_form_rate(text, v);
	xy_table_cell(t, text, v > 0 ? colour : XY_PLAIN);
}

static void cell_bits(struct xy_table *t, double bytes)
{
	char text[XY_FORM_LEN] = "-";
	if (!isnan(bytes))
		xy_form_bits(text, bytes * 8);
	xy_table_cell(t, text, XY_PLAIN);
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	return text ? text : "-";
}

static void columns(struct xy_table *t, const char *const *title, unsigned left)
{
	for (unsigned i = 0; title[i]; i++)
		xy_table_column(t, title[i], i < left ? XY_LEFT : XY_RIGHT);
}

// --- workers, drops

static const json_t *list_of(const json_t *reply, const char *key)
{
	return json_object_get(reply, key);
}

static const json_t *worker_before(const struct top *t, size_t i)
{
	return json_array_get(list_of(t->before.workers, XY_KEY(workers, workers)), i);
}

static double sum_of(const struct top *t, const json_t *now, const json_t *before, const char *a,
		     const char *b)
{
	return rate(t, now, before, a) + rate(t, now, before, b);
}

static void print_workers(const struct top *t, const struct xy_out *out)
{
	static const char *const title[] = {"WORKER", "BUSY", "CYCLES PER PACKET", "IN", "OUT",
					    "DROPS",  NULL};
	struct xy_table *table = xy_table_new(6, out);
	const json_t *w;
	char text[XY_FORM_LEN];
	size_t i;
	columns(table, title, 0);
	json_array_foreach(list_of(t->now.workers, XY_KEY(workers, workers)), i, w)
	{
		const json_t *was = worker_before(t, i);
		double in = sum_of(t, w, was, XY_KEY(worker, rx), XY_KEY(worker, host_rx));
		double cycles = rate(t, w, was, XY_KEY(worker, busy_cycles));
		snprintf(text, sizeof(text), "%lld", (long long)number(w, XY_KEY(worker, worker)));
		xy_table_cell(table, text, XY_PLAIN);
		snprintf(text, sizeof(text), "%.0f %%",
			 json_number_value(json_object_get(w, XY_KEY(worker, busy))) * 100);
		xy_table_cell(table, text, XY_PLAIN);
		snprintf(text, sizeof(text), in > 0 && cycles >= 0 ? "%.0f" : "-", cycles / in);
		xy_table_cell(table, text, XY_PLAIN);
		cell_rate(table, in, XY_PLAIN);
		cell_rate(table, sum_of(t, w, was, XY_KEY(worker, tx), XY_KEY(worker, host_tx)),
			  XY_PLAIN);
		cell_rate(table, rate(t, w, was, XY_KEY(worker, drops)), XY_YELLOW);
	}
	xy_table_print(table, NULL);
}

struct row {
	const json_t *is;
	double bits, packets, rx, rx_packets, tx, tx_packets; // bits: in bytes
	enum by by;
	size_t at;
};

static double known(double v)
{
	return isnan(v) ? 0 : v;
}

static int compare(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	const double of[][2] = {[BY_BITS] = {a->bits, b->bits},
				[BY_PACKETS] = {a->packets, b->packets},
				[BY_RX] = {known(a->rx), known(b->rx)},
				[BY_TX] = {known(a->tx), known(b->tx)}};
	int by = 0;
	if (a->by < XY_ARRAY_SIZE(of))
		by = (of[a->by][1] > of[a->by][0]) - (of[a->by][1] < of[a->by][0]);
	else if (a->by == BY_STATE)
		by = strcmp(text_of(a->is, XY_KEY(peer, state)),
			    text_of(b->is, XY_KEY(peer, state)));
	if (!by && a->by != BY_NAME) // what stands still keeps its place
		return (a->at > b->at) - (a->at < b->at);
	return by ? by
		  : strcmp(text_of(a->is, XY_KEY(peer, name)), text_of(b->is, XY_KEY(peer, name)));
}

static void print_drops(const struct top *t, const struct xy_out *out, bool whole)
{
	static const char *const title[] = {"DROPPED", "PACKETS", "SINCE THE START", NULL};
	const json_t *list = list_of(t->now.drops, XY_KEY(drops, drops)), *d;
	const json_t *old = list_of(t->before.drops, XY_KEY(drops, drops));
	struct row *row = xy_cli_must(calloc(json_array_size(list) + 1, sizeof(*row)));
	char text[32];
	size_t n = 0, i;
	json_array_foreach(list, i, d)
	{
		double v = rate(t, d, json_array_get(old, i), XY_KEY(drop, packets));
		if (!(v > 0) && !(t->all && number(d, XY_KEY(drop, packets))))
			continue;
		row[n] = (struct row){.is = d, .packets = known(v), .by = BY_PACKETS, .at = n};
		n++;
	}
	qsort(row, n, sizeof(*row), compare);
	struct xy_table *table = xy_table_new(3, out);
	columns(table, title, 1);
	for (i = 0; i < n && (whole || i < DROPS); i++) {
		xy_table_cell(table, text_of(row[i].is, XY_KEY(drop, reason)), XY_YELLOW);
		cell_rate(table, row[i].packets, XY_YELLOW);
		snprintf(text, sizeof(text), "%lld",
			 (long long)number(row[i].is, XY_KEY(drop, packets)));
		xy_table_cell(table, text, XY_PLAIN);
	}
	if (n)
		fputc('\n', out->to);
	if (n)
		xy_table_print(table, NULL);
	else
		xy_table_free(table);
	free(row);
}

// --- peers

static struct row row_of(const struct top *t, const json_t *p, const json_t *was, size_t at)
{
	struct row r = {.is = p, .by = t->by, .at = at};
	r.rx = rate(t, p, was, XY_KEY(peer, rx_bytes));
	r.tx = rate(t, p, was, XY_KEY(peer, tx_bytes));
	r.rx_packets = rate(t, p, was, XY_KEY(peer, rx_packets));
	r.tx_packets = rate(t, p, was, XY_KEY(peer, tx_packets));
	r.bits = known(r.rx) + known(r.tx);
	r.packets = known(r.rx_packets) + known(r.tx_packets);
	return r;
}

// By key: names may be given twice.
static json_t *by_key_of(const json_t *peers)
{
	json_t *all = xy_cli_must(json_object()), *p;
	size_t i;
	json_array_foreach(list_of(peers, XY_KEY(peers, peers)), i, p)
		json_object_set(all, text_of(p, XY_KEY(peer, key)), p);
	return all;
}

static enum xy_colour colour_of(const char *state)
{
	if (strcmp(state, "up") == 0)
		return XY_GREEN;
	return strcmp(state, "idle") == 0 ? XY_PLAIN : XY_RED;
}

static void print_peers(const struct top *t, const struct xy_out *out)
{
	static const char *const title[] = {"PEER", "STATE",	  "RX", "RX PACKETS",
					    "TX",   "TX PACKETS", NULL};
	const json_t *list = list_of(t->now.peers, XY_KEY(peers, peers)), *p;
	size_t n = json_array_size(list), i;
	struct row *row = xy_cli_must(calloc(n + 1, sizeof(*row)));
	json_t *old = by_key_of(t->before.peers);
	json_array_foreach(list, i, p) row[i] =
		row_of(t, p, json_object_get(old, text_of(p, XY_KEY(peer, key))), i);
	qsort(row, n, sizeof(*row), compare);
	struct xy_table *table = xy_table_new(6, out);
	columns(table, title, 2);
	for (i = 0; i < n; i++) {
		const char *state = text_of(row[i].is, XY_KEY(peer, state));
		xy_table_cell(table, text_of(row[i].is, XY_KEY(peer, name)), XY_PLAIN);
		xy_table_cell(table, state, colour_of(state));
		cell_bits(table, row[i].rx);
		cell_rate(table, row[i].rx_packets, XY_PLAIN);
		cell_bits(table, row[i].tx);
		cell_rate(table, row[i].tx_packets, XY_PLAIN);
	}
	xy_table_print(table, NULL);
	json_decref(old);
	free(row);
}

// --- a picture

// Broken where the screen is too narrow for it.
__attribute__((format(printf, 2, 3))) static void put(const struct xy_out *out, const char *fmt,
						      ...)
{
	char text[600];
	size_t columns, skip;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	char *clean = xy_text_clean(text);
	for (const char *at = clean; *at;) {
		size_t n = xy_text_line(at, out->limit, &columns, &skip);
		fprintf(out->to, "%.*s\n", (int)n, at);
		at += n + skip;
	}
	free(clean);
}

static const char *time_of_day(char clock[static XY_SCREEN_CLOCK_LEN])
{
	return xy_screen_clock(clock) + strlen("2026-01-01 ");
}

static void print_head(const struct top *t, const struct xy_out *out)
{
	const json_t *n = t->now.node;
	char clock[XY_SCREEN_CLOCK_LEN];
	size_t warnings = json_array_size(json_object_get(n, XY_KEY(node, warnings)));
	const struct xy_field uptime = {.form = XY_FORM_SPAN};
	char *up = xy_field_text(&uptime, json_object_get(n, XY_KEY(node, uptime)), NULL, false);
	put(out, "%s  %s: up %s, peers up %lld of %lld, routes %lld", time_of_day(clock),
	    t->instance, up, (long long)number(n, XY_KEY(node, peers_up)),
	    (long long)number(n, XY_KEY(node, peers)), (long long)number(n, XY_KEY(node, routes)));
	free(up);
	if (warnings)
		put(out, "%zu warning%s: xylem show node", warnings, warnings > 1 ? "s" : "");
	if (t->message[0])
		put(out, "%s", t->message);
}

static void print_trouble(const struct top *t, const struct xy_out *out)
{
	char clock[XY_SCREEN_CLOCK_LEN];
	put(out, "%s  %s", time_of_day(clock), t->err.text);
	put(out, "It is asked again every %g s.", t->wait);
}

static void print_keys(const struct top *t, const struct xy_out *out)
{
	char text[200];
	int n = snprintf(text, sizeof(text), "q quit, a all; sort:");
	for (unsigned i = 0; i < BY_COUNT; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      i == t->by ? " [%c %s]" : " %c %s", by_key[i], by_name[i]);
	put(out, "%s", text);
}

static void picture(struct top *t, struct xy_screen *screen)
{
	unsigned rows, wide;
	bool terminal = xy_cli_terminal(STDOUT_FILENO);
	xy_screen_size(&rows, &wide);
	xy_screen_begin(screen);
	struct xy_out out = {.to = screen->to,
			     .colour = xy_cli_colour(STDOUT_FILENO),
			     .limit = wide && wide < XY_OUT_COLUMNS ? wide : XY_OUT_COLUMNS};
	if (t->err.text[0]) {
		print_trouble(t, &out);
	} else {
		print_head(t, &out);
		if (terminal && xy_cli_terminal(STDIN_FILENO))
			print_keys(t, &out);
		fputc('\n', screen->to);
		print_workers(t, &out);
		print_drops(t, &out, !terminal);
		fputc('\n', screen->to);
		print_peers(t, &out);
	}
	xy_screen_show(screen);
}

// --- the loop

// False: to the end.
static bool press(struct top *t, int key)
{
	for (unsigned i = 0; i < BY_COUNT; i++)
		if (key == by_key[i])
			t->by = i;
	t->all = key == 'a' ? !t->all : t->all;
	return key != 'q' && key != 'Q' && key != 3;
}

// Keys and a new size are answered at once, with the samples that there are. False: to the end.
static bool wait_for_next(struct top *t, struct xy_screen *screen, double wait)
{
	double until = xy_screen_now() + wait;
	for (;;) {
		int key = xy_keyboard_wait(until - xy_screen_now());
		if (key == XY_KEYBOARD_END || (key > 0 && !press(t, key)))
			return false;
		if (key == XY_KEYBOARD_TIME || key == ' ')
			return true;
		if (t->answered)
			picture(t, screen);
	}
}

static double pause_of(const struct top *t)
{
	double least = t->took / MOST_SHARE;
	return t->wait > least ? t->wait : least;
}

static int run(struct top *t)
{
	struct xy_screen screen = {0};
	int ret = sample(t);
	if (ret)
		return xy_cli_fail("%s", t->err.text);
	xy_keyboard_begin();
	double first = t->wait < FIRST_WAIT ? t->wait : FIRST_WAIT;
	bool more = wait_for_next(t, &screen, first);
	while (more && !ferror(stdout)) {
		sample(t);
		picture(t, &screen);
		if (t->pictures && !--t->pictures)
			break;
		more = wait_for_next(t, &screen, pause_of(t));
	}
	xy_keyboard_end();
	return CLI_OK;
}

// --- arguments

static bool is_digits(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == 0;
}

static int parse_count(const char *option, const char *text, unsigned long *out)
{
	*out = is_digits(text) && strlen(text) < 10 ? strtoul(text, NULL, 10) : 0;
	return *out ? 0
		    : xy_cli_misuse("%s %s: write how many pictures, 1 to 999999999", option, text);
}

static int parse_seconds(const char *text, double *out)
{
	char *end;
	*out = strtod(text, &end);
	if (end == text || *end || !(*out >= 0.1 && *out <= 3600))
		return xy_cli_misuse("-d %s: write seconds, 0.1 to 3600", text);
	return 0;
}

static int parse_by(const char *text, enum by *out)
{
	char meant[200];
	const char *word = xy_cli_word(text, by_name);
	for (unsigned i = 0; word && i < BY_COUNT; i++)
		if (strcmp(by_name[i], word) == 0)
			*out = i;
	return word ? 0
		    : xy_cli_misuse("--sort %s: there is bits, packets, rx, tx, name, state%s",
				    text, xy_cli_meant(text, by_name, meant, sizeof(meant)));
}

// The number of pictures is -n's as top has it, or -b's, where an instance is called by a number.
struct given {
	const char *name, *digits, *pictures;
};

static int check(struct top *t, const struct given *g)
{
	const char *name = g->name ? g->name : g->pictures ? g->digits : NULL;
	const char *count = g->pictures ? g->pictures : g->digits;
	int ret = count ? parse_count(g->pictures ? "-b" : "-n", count, &t->pictures) : 0;
	t->instance = name ? name : t->instance;
	if (!ret)
		ret = xy_cli_instance(t->instance);
	return ret;
}

static int take_option(struct top *t, struct given *g, const char *o, const char *v)
{
	static const char *const all[] = {"-n", "-b", "-d", "--sort", NULL};
	unsigned k = 0;
	while (all[k] && strcmp(all[k], o) != 0)
		k++;
	if (!all[k])
		return xy_cli_misuse("top does not know \"%s\"", o);
	if (!v)
		return xy_cli_misuse("%s needs a value", o);
	if (k == 0)
		*(is_digits(v) ? &g->digits : &g->name) = v;
	if (k == 1)
		g->pictures = v;
	return k == 2 ? parse_seconds(v, &t->wait) : k == 3 ? parse_by(v, &t->by) : 0;
}

int xy_cli_top(int argc, char **argv)
{
	struct top t = {.instance = "xylem", .wait = 1};
	struct given g = {NULL};
	int ret = 0;
	for (int i = 1; !ret && i < argc; i++) {
		if (strcmp(argv[i], "--all") == 0) {
			t.all = true;
			continue;
		}
		ret = take_option(&t, &g, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
		i++;
	}
	ret = ret ? ret : check(&t, &g);
	ret = ret ? ret : run(&t);
	sample_free(&t.now);
	sample_free(&t.before);
	xy_client_close(t.client);
	return ret;
}
