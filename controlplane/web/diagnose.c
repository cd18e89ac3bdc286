// SPDX-License-Identifier: BSD-3-Clause
// GET /diagnosis: what is wrong, as far as the daemon's answers tell (client/causes.h). It is asked
// twice, a second apart, for what rises counts more; nothing is pinged, which wants privileges that
// this process has not. One at a time: who asks meanwhile gets the same.
#include "base/bytes.h"
#include "client/causes.h"
#include "web/api.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAITING = 32, APART_MS = 1000, PAGES = 40 };

// In this order; what stands in a second round is asked for again.
enum what { NODE, PEERS, GATEWAYS, WORKERS, PORTS, DROPS, NEIGHBOURS, WHATS };
static const struct {
	const char *command, *list; // list: it comes in pages
	bool twice;
} wanted[WHATS] = {
	[NODE] = {"/xylem/node", NULL, false},
	[PEERS] = {"/xylem/peers", "peers", false},
	[GATEWAYS] = {"/xylem/gateways", "gateways", false},
	[WORKERS] = {"/xylem/workers", NULL, true},
	[PORTS] = {"/xylem/ports", NULL, true},
	[DROPS] = {"/xylem/drops", NULL, true},
	[NEIGHBOURS] = {"/xylem/neighbours", "neighbours", true},
};

struct xy_diagnosis {
	struct xy_web *web;
	struct xy_api_call *calls[WAITING];
	unsigned count, round, what, pages;
	json_t *got[2][WHATS], *host;
	uint64_t at[2];
	uv_timer_t timer;
	bool asking; // the daemon: on_answer is called yet
};

static void freed(uv_handle_t *h)
{
	free(h->data);
}

static void end(struct xy_diagnosis *d)
{
	for (unsigned i = 0; i < WHATS; i++) {
		json_decref(d->got[0][i]);
		json_decref(d->got[1][i]);
	}
	json_decref(d->host);
	d->web->diagnosis = NULL;
	uv_close((uv_handle_t *)&d->timer, freed);
}

static void fail(struct xy_diagnosis *d, const struct xy_ask_answer *a)
{
	for (unsigned i = 0; i < d->count; i++)
		xy_api_answer_failed(d->calls[i], a);
	end(d);
}

static json_t *host_facts(void)
{
	double load;
	bool good = getloadavg(&load, 1) == 1;
	return json_pack("{s:o, s:i, s:n}", "load", good ? json_real(load) : json_null(), "cpus",
			 (int)sysconf(_SC_NPROCESSORS_ONLN), "pressure");
}

static void report(struct xy_diagnosis *d)
{
	d->host = host_facts();
	const struct xy_answers given = {
		.node = d->got[0][NODE],
		.peers = d->got[0][PEERS],
		.gateways = d->got[0][GATEWAYS],
		.workers = d->got[1][WORKERS],
		.workers_before = d->got[0][WORKERS],
		.ports = d->got[1][PORTS],
		.ports_before = d->got[0][PORTS],
		.drops = d->got[1][DROPS],
		.drops_before = d->got[0][DROPS],
		.neighbours = d->got[1][NEIGHBOURS],
		.neighbours_before = d->got[0][NEIGHBOURS],
		.seconds = (double)(d->at[1] - d->at[0]) / 1000,
		.host = d->host,
	};
	json_t *causes = xy_causes(&given);
	for (unsigned i = 0; i < d->count; i++)
		xy_api_answer(d->calls[i], json_incref(causes));
	json_decref(causes);
	end(d);
}

static void go_on(struct xy_diagnosis *d);

static void on_second_round(uv_timer_t *t)
{
	struct xy_diagnosis *d = t->data;
	d->round = 1;
	d->what = 0;
	go_on(d);
}

static void ask(struct xy_diagnosis *d, const char *params);

static void on_answer(void *arg, const struct xy_ask_answer *a)
{
	struct xy_diagnosis *d = arg;
	json_t **to = &d->got[d->round][d->what];
	const char *list = wanted[d->what].list;
	d->asking = false;
	const char *next = list ? json_string_value(json_object_get(a->answer, "next")) : NULL;
	if (!a->answer) {
		fail(d, a);
		return;
	}
	if (*to)
		json_array_extend(json_object_get(*to, list), json_object_get(a->answer, list));
	else
		*to = json_incref(a->answer);
	if (next && ++d->pages < PAGES) {
		ask(d, next);
	} else {
		d->what++;
		go_on(d);
	}
	json_decref(a->answer);
}

static void ask(struct xy_diagnosis *d, const char *params)
{
	d->asking = true;
	xy_ask_first(d->web->ask, wanted[d->what].command, params, on_answer, d);
}

static void go_on(struct xy_diagnosis *d)
{
	while (d->round && d->what < WHATS && !wanted[d->what].twice)
		d->what++;
	d->pages = 0;
	if (d->what < WHATS) {
		ask(d, NULL);
		return;
	}
	uv_update_time(d->web->loop);
	d->at[d->round] = uv_now(d->web->loop);
	if (d->round)
		report(d);
	else
		uv_timer_start(&d->timer, on_second_round, APART_MS, 0);
}

void xy_api_diagnose(struct xy_api_call *c)
{
	struct xy_diagnosis *d = c->web->diagnosis;
	if (d && d->count == WAITING) {
		xy_http_add(c->q, "Retry-After", "2");
		xy_api_problem(c, 503, "%d wait for a diagnosis already", WAITING);
		return;
	}
	if (d) {
		d->calls[d->count++] = c;
		return;
	}
	d = calloc(1, sizeof(*d));
	if (!d) {
		xy_api_problem(c, 500, "not enough memory");
		return;
	}
	*d = (struct xy_diagnosis){.web = c->web, .calls = {c}, .count = 1};
	uv_timer_init(c->web->loop, &d->timer);
	d->timer.data = d;
	c->web->diagnosis = d;
	go_on(d);
}

void xy_diagnosis_close(struct xy_web *w)
{
	static const struct xy_ask_answer no = {.code = -ECANCELED, .text = "xylem-web ends"};
	if (w->diagnosis && !w->diagnosis->asking) // else xy_ask_close tells it
		fail(w->diagnosis, &no);
}
