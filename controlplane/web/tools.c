// SPDX-License-Identifier: BSD-3-Clause
// ping and netcheck, as the command line has them, with limits: what a page can have sent is no
// flood.
#include "client/netcheck.h"
#include "client/ping.h"
#include "web/errand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PINGS = 4, // at a time
	COUNT = 4, // unless it is said
	INTERVAL_MS = 1000,
	TAKES_MOST_MS = 120000,
	DAEMON_MS = 3000, // that an answer of the daemon's may take
	NETCHECK_REST_MS = 5000,
};

static struct xy_who_config who_of(const struct xy_web *w, struct xy_errand *e)
{
	return (struct xy_who_config){.instance = w->instance,
				      .timeout_ms = DAEMON_MS,
				      .is_over = xy_errand_is_over,
				      .arg = e};
}

// --- ping

struct ping {
	struct xy_web *web;
	struct xy_errand *errand;
	struct xy_ping_config cfg;
	struct xy_ping ping;
	char to[XY_NAME_LEN + XY_KEY_STRLEN];
};

static void on_seen(void *arg, const struct xy_ping_seen *s)
{
	struct ping *p = arg;
	xy_errand_say(p->errand,
		      json_pack("{s:i, s:b, s:b, s:s, s:o, s:o, s:s}", "seq", (int)s->seq, "answer",
				s->answer, "twice", s->twice, "from", s->from, "hops",
				s->answer ? json_integer(s->hops) : json_null(), "ms",
				s->ms < 0 ? json_null() : json_real(s->ms), "text", s->text));
}

static int ping_run(struct xy_errand *e, void *arg, struct xy_err *err)
{
	struct ping *p = arg;
	char astray[200];
	p->errand = e;
	p->cfg.who = who_of(p->web, e);
	int ret = xy_ping_begin(&p->ping, &p->cfg, err);
	if (!ret) {
		bool is_astray = xy_ping_goes_astray(&p->ping, astray, sizeof(astray));
		json_t *sum = xy_ping_sum(&p->ping);
		xy_errand_say(e, json_pack("{s:O, s:O, s:O, s:s?}", "name",
					   json_object_get(sum, "name"), "address",
					   json_object_get(sum, "address"), "way",
					   json_object_get(sum, "way"), "warning",
					   is_astray ? astray : NULL));
		json_decref(sum);
		xy_ping_run(&p->ping);
		xy_errand_say(e, json_pack("{s:o}", "sum", xy_ping_sum(&p->ping)));
	}
	xy_ping_end(&p->ping);
	return ret;
}

void xy_tools_ping(struct xy_api_call *c)
{
	static const struct xy_errand_ops ops = {
		.run = ping_run, .free = free, .lines = true, .most = PINGS};
	const char *to = json_string_value(json_object_get(c->body, "to"));
	json_int_t count = xy_api_number(c, "count", COUNT);
	json_int_t interval = xy_api_number(c, "interval_ms", INTERVAL_MS);
	struct ping *p = calloc(1, sizeof(*p));
	if (!p || strlen(to) >= sizeof(p->to) || count * interval > TAKES_MOST_MS) {
		bool full = !p;
		free(p);
		xy_api_problem(c, full ? 500 : 422,
			       full ? "not enough memory"
				    : "to: no name is that long; count, interval_ms: together no "
				      "more than two minutes");
		return;
	}
	p->web = c->web;
	strcpy(p->to, to);
	snprintf(c->name, sizeof(c->name), "%s", to);
	p->cfg = (struct xy_ping_config){.to = p->to,
					 .data = (unsigned)xy_api_number(c, "size", XY_PING_DATA),
					 .count = (unsigned)count,
					 .interval = (double)interval,
					 .see = on_seen,
					 .arg = p};
	xy_act_say(c, "begins");
	xy_errand_begin(c, &ops, p);
}

// --- netcheck

struct netcheck {
	struct xy_web *web;
	struct xy_netcheck check;
	char peer[XY_NAME_LEN + XY_KEY_STRLEN]; // "": all
};

static int netcheck_run(struct xy_errand *e, void *arg, struct xy_err *err)
{
	struct netcheck *n = arg;
	const struct xy_who_config cfg = who_of(n->web, e);
	int ret = xy_netcheck_run(&n->check, &cfg, n->peer[0] ? n->peer : NULL, err);
	if (!ret)
		xy_errand_say(e, json_pack("{s:o, s:i}", "peers", xy_netcheck_rows(&n->check),
					   "more", (int)n->check.more));
	xy_netcheck_free(&n->check);
	return ret;
}

void xy_tools_netcheck(struct xy_api_call *c)
{
	static const struct xy_errand_ops ops = {.run = netcheck_run, .free = free, .most = 1};
	static uint64_t next; // it sends to all peers, so not in one go
	const char *peer = json_string_value(json_object_get(c->body, "peer"));
	uint64_t now = uv_now(c->web->loop);
	struct netcheck *n = calloc(1, sizeof(*n));
	if (!n || (peer && strlen(peer) >= sizeof(n->peer))) {
		bool full = !n;
		free(n);
		xy_api_problem(c, full ? 500 : 422,
			       full ? "not enough memory" : "peer: no name is that long");
		return;
	}
	if (now < next) {
		free(n);
		xy_http_add(c->q, "Retry-After", "5");
		xy_api_problem(c, 429, "there was one just now; again in some seconds");
		return;
	}
	next = now + NETCHECK_REST_MS;
	n->web = c->web;
	if (peer) {
		strcpy(n->peer, peer);
		snprintf(c->name, sizeof(c->name), "%s", peer);
	}
	xy_act_say(c, "begins");
	xy_errand_begin(c, &ops, n);
}
