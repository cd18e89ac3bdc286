// SPDX-License-Identifier: BSD-3-Clause
#include "web/watch.h"

#include "base/bytes.h"
#include "fields/fields.h"
#include "web/api.h"
#include "web/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SECOND_MS = 1000, NODES = 128, REASONS = 256, WORKERS = 64, LOG_PAGES = 4 };

// What is asked for once a second, in this order; the tick is told behind the last.
enum part { NODE, WORKERS_, GRAPH, DROPS, PARTS };
static const char *const commands[PARTS] = {"/xylem/node", "/xylem/workers", "/xylem/graph",
					    "/xylem/drops"};

// A counter by name, as it was a second ago.
struct before {
	char name[48];
	json_int_t packets, cycles;
};

// A list that comes in pages.
struct pages {
	const char *command, *key;
	char *next;	  // params of the next page; NULL: the first one
	unsigned left;	  // that may be asked for in this second
	bool asked, over; // over: all of it came, and the next second begins anew
};

struct xy_watch {
	struct xy_web *web;
	struct xy_watch_ops ops;
	uv_timer_t timer;
	bool up, told, asking, closing;
	json_t *parts[PARTS];
	unsigned parts_left;
	struct pages peers, neighbours;
	char seq[24]; // of the last line of the log that was seen; "": none yet
	bool log_asked;
	unsigned log_left; // pages of it in this second
	struct xy_rows rows;
	uint64_t before_at; // ms; 0: what stands in before is no second old
	struct before nodes[NODES], drops[REASONS], workers[WORKERS];
	double rx[XY_ROWS_SAMPLES], tx[XY_ROWS_SAMPLES];
	unsigned at, samples;
	uint64_t end_ms; // of the last sample, since 1970
};

static uint64_t wall_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

// --- pages of peers and neighbours

static void ask_page(struct xy_watch *w, struct pages *p);

static void take_page(struct xy_watch *w, struct pages *p, const json_t *answer)
{
	const json_t *list = json_object_get(answer, p->key);
	const char *next = json_string_value(json_object_get(answer, "next"));
	if (p == &w->peers)
		xy_rows_take_peers(&w->rows, list, uv_now(w->web->loop));
	else
		xy_rows_take_neighbours(&w->rows, list);
	free(p->next);
	p->next = next ? strdup(next) : NULL;
	p->over = !p->next;
	if (p->over && p == &w->peers)
		xy_rows_end_round(&w->rows);
}

static void pages_forget(struct pages *p)
{
	free(p->next);
	p->next = NULL;
	p->asked = false;
}

// It would be the same each time that it is asked.
static bool is_refused(const struct xy_ask_answer *a)
{
	return a->code == -EREMOTE || a->code == -ENOENT || a->code == -EINVAL ||
	       a->code == -EMSGSIZE;
}

static void on_page(struct xy_watch *w, struct pages *p, const struct xy_ask_answer *a)
{
	p->asked = false;
	if (a->answer && !w->closing)
		take_page(w, p, a->answer);
	else if (is_refused(a)) // that page is not to be had: from the beginning
		pages_forget(p);
	json_decref(a->answer);
	if (a->answer && !p->over)
		ask_page(w, p);
}

static void on_peers(void *arg, const struct xy_ask_answer *a)
{
	struct xy_watch *w = arg;
	on_page(w, &w->peers, a);
}

static void on_neighbours(void *arg, const struct xy_ask_answer *a)
{
	struct xy_watch *w = arg;
	on_page(w, &w->neighbours, a);
}

static void ask_page(struct xy_watch *w, struct pages *p)
{
	if (p->asked || !p->left || w->closing)
		return;
	p->left--;
	p->asked = true;
	xy_ask(w->web->follow, p->command, p->next, p == &w->peers ? on_peers : on_neighbours, w);
}

static void pages_begin(struct xy_watch *w, struct pages *p, bool watched)
{
	p->left = watched ? XY_WATCH_PAGES : XY_WATCH_PAGES_IDLE;
	p->over = false;
	ask_page(w, p);
}

// --- the log

static void ask_log(struct xy_watch *w);

static void seq_take(struct xy_watch *w, json_int_t seq)
{
	snprintf(w->seq, sizeof(w->seq), "%lld", (long long)seq);
}

// More came within a second than is kept: a line of ours says so in their place.
static void say_missed(json_t *told, json_int_t missed)
{
	json_t *lines = json_object_get(told, "lines"), *first = json_array_get(lines, 0);
	char text[80];
	if (missed <= 0 || !first)
		return;
	snprintf(text, sizeof(text), "%lld lines came faster than they are kept",
		 (long long)missed);
	json_array_insert_new(
		lines, 0,
		json_pack("{s:I, s:O, s:s, s:s, s:s}", XY_KEY(log_line, seq),
			  json_integer_value(json_object_get(first, XY_KEY(log_line, seq))) - 1,
			  XY_KEY(log_line, time), json_object_get(first, XY_KEY(log_line, time)),
			  XY_KEY(log_line, level), "warn", XY_KEY(log_line, subsystem), "xylem-web",
			  XY_KEY(log_line, text), text));
}

// The first answer says where the log is; who wants what is older asks for it.
static void on_log(void *arg, const struct xy_ask_answer *a)
{
	struct xy_watch *w = arg;
	json_t *lines = json_object_get(a->answer, XY_KEY(log, lines));
	const json_t *newest = json_object_get(a->answer, XY_KEY(log, newest));
	size_t n = json_array_size(lines);
	bool more = json_is_string(json_object_get(a->answer, XY_KEY(log, next)));
	w->log_asked = false;
	if (is_refused(a))
		w->seq[0] = 0;
	if (!w->closing && a->answer && !w->seq[0]) {
		seq_take(w, json_integer_value(newest));
	} else if (!w->closing && n) {
		const json_t *last = json_array_get(lines, n - 1);
		json_t *told = json_pack("{s:o}", "lines", json_copy(lines));
		say_missed(told,
			   json_integer_value(json_object_get(a->answer, XY_KEY(log, missed))));
		seq_take(w, json_integer_value(json_object_get(last, XY_KEY(log_line, seq))));
		if (told && w->ops.is_watched(w->ops.arg))
			w->ops.log(w->ops.arg, told);
		json_decref(told);
		if (more)
			ask_log(w);
	}
	json_decref(a->answer);
}

static void ask_log(struct xy_watch *w)
{
	if (w->log_asked || !w->log_left)
		return;
	w->log_left--;
	w->log_asked = true;
	xy_ask(w->web->follow, "/xylem/log", w->seq[0] ? w->seq : NULL, on_log, w);
}

// --- what is made of it

static json_int_t count_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static struct before *before_of(struct before *v, unsigned most, const char *name)
{
	for (unsigned i = 0; name && i < most; i++) {
		if (!v[i].name[0])
			snprintf(v[i].name, sizeof(v[i].name), "%s", name);
		if (strncmp(v[i].name, name, sizeof(v[i].name) - 1) == 0)
			return &v[i];
	}
	return NULL;
}

// A second; null where there was none, or the counter began anew.
static json_t *per_second(json_int_t then, json_int_t now, double seconds)
{
	return seconds > 0 && now >= then
		       ? json_integer((json_int_t)((double)(now - then) / seconds + 0.5))
		       : json_null();
}

static json_t *workers_of(struct xy_watch *w, double seconds)
{
	json_t *list = json_object_get(w->parts[WORKERS_], XY_KEY(workers, workers)), *one;
	size_t i;
	json_array_foreach(list, i, one)
	{
		json_int_t n =
			count_of(one, XY_KEY(worker, rx)) + count_of(one, XY_KEY(worker, host_rx));
		struct before *b = i < WORKERS ? &w->workers[i] : NULL;
		json_object_set_new(one, "pps",
				    b ? per_second(b->packets, n, seconds) : json_null());
		if (b)
			b->packets = n;
	}
	return list ? json_incref(list) : json_array();
}

struct sum {
	const char *name;
	json_int_t calls, packets, cycles;
};

static unsigned graph_sum(const json_t *list, struct sum *sums)
{
	unsigned n = 0, k;
	size_t i;
	const json_t *one;
	json_array_foreach(list, i, one)
	{
		const char *name =
			json_string_value(json_object_get(one, XY_KEY(graph_node, node)));
		for (k = 0; name && k < n && strcmp(sums[k].name, name) != 0; k++)
			;
		if (!name || k == NODES)
			continue;
		if (k == n)
			sums[n++] = (struct sum){.name = name};
		sums[k].calls += count_of(one, XY_KEY(graph_node, calls));
		sums[k].packets += count_of(one, XY_KEY(graph_node, packets));
		sums[k].cycles += count_of(one, XY_KEY(graph_node, cycles));
	}
	return n;
}

// Of the last second, those that had packets.
static json_t *graph_of(struct xy_watch *w, double seconds)
{
	struct sum sums[NODES];
	unsigned n = graph_sum(json_object_get(w->parts[GRAPH], XY_KEY(graph, nodes)), sums);
	json_t *list = json_array();
	for (unsigned i = 0; i < n; i++) {
		struct before *b = before_of(w->nodes, NODES, sums[i].name);
		json_int_t packets = b ? sums[i].packets - b->packets : 0;
		double cycles = b ? (double)(sums[i].cycles - b->cycles) : 0;
		if (b && seconds > 0 && packets > 0)
			json_array_append_new(
				list,
				json_pack("{s:s, s:I, s:I, s:f, s:I}", "node", sums[i].name,
					  "calls", sums[i].calls, "packets", sums[i].packets,
					  "cycles_per_packet", cycles / (double)packets, "pps",
					  (json_int_t)((double)packets / seconds + 0.5)));
		if (b) {
			b->packets = sums[i].packets;
			b->cycles = sums[i].cycles;
		}
	}
	return list;
}

static json_t *drops_of(struct xy_watch *w, double seconds)
{
	const json_t *list = json_object_get(w->parts[DROPS], XY_KEY(drops, drops)), *one;
	json_t *told = json_array();
	size_t i;
	json_array_foreach(list, i, one)
	{
		json_t *o;
		const char *reason = json_string_value(json_object_get(one, XY_KEY(drop, reason)));
		json_int_t n = count_of(one, XY_KEY(drop, packets));
		struct before *b = reason && n ? before_of(w->drops, REASONS, reason) : NULL;
		if (!n || !reason)
			continue;
		o = json_copy((json_t *)(uintptr_t)one);
		json_object_set_new(o, "per_second",
				    per_second(b ? b->packets : 0, n, b ? seconds : 0));
		if (b)
			b->packets = n;
		json_array_append_new(told, o);
	}
	return told;
}

static void keep_sample(struct xy_watch *w, double rx, double tx)
{
	w->at = (w->at + 1) % XY_ROWS_SAMPLES;
	w->samples += w->samples < XY_ROWS_SAMPLES;
	w->rx[w->at] = rx;
	w->tx[w->at] = tx;
	w->end_ms = wall_ms();
	xy_rows_sample(&w->rows, w->at, XY_WATCH_HISTORIES);
}

static void tell_tick(struct xy_watch *w)
{
	uint64_t now = uv_now(w->web->loop);
	double rx, tx, seconds = w->before_at ? (double)(now - w->before_at) / 1000 : 0;
	bool watched = w->ops.is_watched(w->ops.arg);
	json_int_t total = count_of(w->parts[NODE], XY_KEY(node, peers));
	json_int_t up = count_of(w->parts[NODE], XY_KEY(node, peers_up));
	json_t *rates = xy_rows_rates(&w->rows, total, &rx, &tx);
	keep_sample(w, rx, tx);
	json_t *workers = workers_of(w, seconds), *graph = graph_of(w, seconds),
	       *drops = drops_of(w, seconds);
	w->before_at = now;
	json_t *tick = json_pack("{s:I, s:O, s:o, s:o, s:o, s:o}", "time", (json_int_t)w->end_ms,
				 "node", w->parts[NODE], "rates", rates, "workers", workers,
				 "graph", graph, "drops", drops);
	if (watched && tick)
		json_object_set_new(tick, "peers",
				    xy_rows_tell(&w->rows, XY_WATCH_ROWS, total, up));
	if (watched && tick)
		w->ops.tick(w->ops.arg, tick);
	json_decref(tick);
}

static void parts_free(struct xy_watch *w)
{
	for (unsigned i = 0; i < PARTS; i++) {
		json_decref(w->parts[i]);
		w->parts[i] = NULL;
	}
}

// Answers come in the order in which was asked.
static void on_part(void *arg, const struct xy_ask_answer *a)
{
	struct xy_watch *w = arg;
	unsigned part = PARTS - w->parts_left--;
	if (a->answer && w->asking)
		w->parts[part] = a->answer;
	else
		json_decref(a->answer);
	if (w->parts_left)
		return;
	bool whole = w->asking;
	for (unsigned i = 0; i < PARTS; i++)
		whole = whole && w->parts[i];
	if (whole && !w->closing)
		tell_tick(w);
	parts_free(w);
	w->asking = false;
}

static void tell_state(struct xy_watch *w)
{
	w->ops.state(w->ops.arg, w->up, w->up ? NULL : xy_ask_why(w->web->follow, NULL));
}

static void on_second(uv_timer_t *t)
{
	struct xy_watch *w = t->data;
	if (w->closing)
		return;
	if (!w->up ||
	    w->parts_left) { // away, or slower than a second: nothing is known of this one
		keep_sample(w, NAN, NAN);
		return;
	}
	bool watched = w->ops.is_watched(w->ops.arg);
	w->asking = true;
	w->parts_left = PARTS;
	for (unsigned i = 0; i < PARTS; i++)
		xy_ask(w->web->follow, commands[i], NULL, on_part, w);
	pages_begin(w, &w->peers, watched);
	pages_begin(w, &w->neighbours, watched);
	w->log_left = LOG_PAGES;
	ask_log(w);
}

void xy_watch_changed(struct xy_watch *w, bool reached)
{
	w->up = reached;
	if (!reached) { // another daemon's counters begin anew
		w->before_at = 0;
		w->asking = false;
		memset(w->nodes, 0, sizeof(w->nodes));
		memset(w->drops, 0, sizeof(w->drops));
		memset(w->workers, 0, sizeof(w->workers));
		xy_rows_free(&w->rows);
		pages_forget(&w->peers);
		pages_forget(&w->neighbours);
	}
	tell_state(w);
}

bool xy_watch_is_up(const struct xy_watch *w)
{
	return w->up;
}

// --- /history

static json_t *sample(double v)
{
	return isnan(v) ? json_null() : json_integer((json_int_t)(v + 0.5));
}

void xy_watch_serve_history(struct xy_api_call *c)
{
	struct xy_watch *w = c->web->watch;
	const char *name = xy_url_param(c->url, "peer");
	const struct xy_row *row = name ? xy_rows_find(&w->rows, name) : NULL;
	json_t *rx = json_array(), *tx = json_array();
	if (name && !row) {
		json_decref(rx);
		json_decref(tx);
		xy_api_problem(c, 404, "no peer is called \"%.80s\"", name);
		return;
	}
	for (unsigned i = 0; i < w->samples; i++) {
		unsigned at = (w->at + XY_ROWS_SAMPLES - w->samples + 1 + i) % XY_ROWS_SAMPLES;
		const struct xy_rows_history *h = row ? row->history : NULL;
		json_array_append_new(rx, sample(!row ? w->rx[at] : h ? (double)h->rx[at] : NAN));
		json_array_append_new(tx, sample(!row ? w->tx[at] : h ? (double)h->tx[at] : NAN));
	}
	xy_api_answer(c, json_pack("{s:i, s:I, s:o, s:o}", "step_ms", SECOND_MS, "end_ms",
				   (json_int_t)w->end_ms, "rx_bps", rx, "tx_bps", tx));
}

// --- begin and end

int xy_watch_create(struct xy_web *web, const struct xy_watch_ops *ops, struct xy_watch **out)
{
	struct xy_watch *w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	*w = (struct xy_watch){.web = web,
			       .ops = *ops,
			       .peers = {.command = "/xylem/peers", .key = XY_KEY(peers, peers)},
			       .neighbours = {.command = "/xylem/neighbours",
					      .key = XY_KEY(neighbours, neighbours)}};
	uv_timer_init(web->loop, &w->timer);
	w->timer.data = w;
	uv_timer_start(&w->timer, on_second, SECOND_MS / 10, SECOND_MS);
	*out = w;
	return 0;
}

static void freed(uv_handle_t *h)
{
	struct xy_watch *w = h->data;
	parts_free(w);
	xy_rows_free(&w->rows);
	free(w->peers.next);
	free(w->neighbours.next);
	free(w);
}

void xy_watch_close(struct xy_watch *w)
{
	if (!w)
		return;
	w->closing = true;
	uv_close((uv_handle_t *)&w->timer, freed);
}
