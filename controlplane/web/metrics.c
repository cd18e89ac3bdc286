// SPDX-License-Identifier: BSD-3-Clause
#include "web/metrics.h"

#include "base/bytes.h"
#include "web/auth.h"
#include "web/exposition.h"

#include <stdlib.h>
#include <string.h>

enum {
	SHARED_MS = 1000, // an answer is everybody's for so long
	ENOUGH_MS = 5000, // no further page is asked for: Prometheus waits for ten seconds,
	LATE_MS = 8000,	  // before which who waits is told that the daemon does not answer
	PAGES = 128,	  // of a list
	MORE_MS = 1000,	  // that are left to a daemon which answered
	HEARD_MS = 3000,  // just now
	WAITING = 64,	  // requests, of each address
	// A text is in memory until the last who asked for it has taken it, for which there is a
	// minute. Of each address, so that nobody keeps another's.
	HELD_BYTES = 16 << 20,
	FORMATS = XY_EXPOSITION_OPENMETRICS + 1,
	FLEET_MS = 2000, // that xylem-fleet is waited for, all in all
};

// In this order: the node says how many peers there are, and peers say whose neighbours count.
static const char *const replies[] = {"node",	 "peers", "neighbours", "config", "routing",
				      "workers", "graph", "drops",	"ports",  "policy"};

// Behind all nodes of the fleet, which have no series.
static const char fleet_place[] = "4294967294";

struct xy_metrics {
	struct xy_web *web;
	struct xy_exposition *now, *last; // being made; told last, or NULL
	uint64_t began, told;		  // as uv_now
	unsigned reply, pages;		  // that are asked for; pages: of that
	unsigned peer_pages;		  // the last of peers
	long long peers;		  // that the node says it has
	uint64_t heard;			  // when it answered last; 0: not since it began
	bool hurry;			  // nothing more is asked for
	struct xy_http_request *waiting[2 * WAITING];
	unsigned count, publics; // that wait; those of the public address
	uv_timer_t late, fleet_late;
	bool fleet_asked;  // xylem-fleet was, and has not answered; maybe for one before
	bool fleet_waited; // for alone: all else is there
	unsigned handles;
	// Of the last, by format and whether it is for everybody; NULL: nobody asked for it yet.
	struct xy_http_text *texts[FORMATS][2];
	size_t lens[FORMATS][2], held[2]; // bytes, as it was last; in memory
};

// --- answers

static void texts_forget(struct xy_metrics *m)
{
	for (unsigned i = 0; i < 2 * FORMATS; i++) {
		struct xy_http_text **t = &m->texts[i / 2][i % 2];
		xy_http_text_release(*t);
		*t = NULL;
	}
}

// It is as long as the one before, as far as is known. NULL: no memory, or there is no room.
static struct xy_http_text *text_of(struct xy_metrics *m, enum xy_exposition_format format,
				    bool public, bool *room)
{
	struct xy_http_text **t = &m->texts[format][public];
	size_t len = 0, held = m->held[public];
	*room = *t || !held || held + m->lens[format][public] <= HELD_BYTES;
	if (*t || !*room)
		return *t;
	char *bytes = xy_exposition_text(m->last, format, public, &len);
	*t = xy_http_text_make(bytes, len, &m->held[public]);
	m->lens[format][public] = *t ? len : m->lens[format][public];
	return *t;
}

static void answer(struct xy_metrics *m, struct xy_http_request *q)
{
	enum xy_exposition_format format = xy_exposition_format_of(xy_http_header(q, "Accept"));
	bool room;
	struct xy_http_text *t = text_of(m, format, xy_http_is_public(q), &room);
	if (t) {
		xy_http_add(q, "Vary", "Accept");
		xy_http_answer_text(q, 200, xy_exposition_type(format), t);
	} else if (room) {
		xy_http_problem(q, 500, "not enough memory for the answer");
	} else {
		xy_http_add(q, "Retry-After", "60");
		xy_http_problem(q, 503,
				"%d MB of metrics wait for who asked for them and does not read; "
				"they are cut within a minute",
				HELD_BYTES >> 20);
	}
}

static void answer_all(struct xy_metrics *m)
{
	for (unsigned i = 0; i < m->count; i++)
		answer(m, m->waiting[i]);
	m->count = m->publics = 0;
}

static void fail_all(struct xy_metrics *m, unsigned status, const char *text)
{
	for (unsigned i = 0; i < m->count; i++)
		xy_http_problem(m->waiting[i], status, "%s", text);
	m->count = m->publics = 0;
}

static struct xy_exposition *create(const struct xy_metrics *m)
{
	return xy_exposition_create(
		&(struct xy_exposition_config){.peers = m->web->config.metrics_peers,
					       .program = "xylem-web",
					       .version = XY_VERSION});
}

// --- the daemon is asked

static void ask(struct xy_metrics *m, const char *params);

static uint64_t spent(const struct xy_metrics *m)
{
	return uv_now(m->web->loop) - m->began;
}

static void tell(struct xy_metrics *m, struct xy_exposition *x)
{
	texts_forget(m);
	xy_exposition_free(m->last);
	m->last = x;
	m->told = uv_now(m->web->loop);
	answer_all(m);
}

static void finish(struct xy_metrics *m)
{
	struct xy_exposition *x = m->now;
	m->now = NULL;
	uv_timer_stop(&m->late);
	tell(m, x);
}

static void finish_all(struct xy_metrics *m)
{
	m->fleet_waited = false;
	uv_timer_stop(&m->fleet_late);
	xy_exposition_done(m->now, (double)spent(m) / 1000);
	finish(m);
}

static void on_fleet_late(uv_timer_t *t)
{
	finish_all(t->data);
}

static void finish_done(struct xy_metrics *m)
{
	if (!m->fleet_asked || spent(m) >= FLEET_MS) {
		finish_all(m);
		return;
	}
	m->fleet_waited = true;
	uv_timer_start(&m->fleet_late, on_fleet_late, FLEET_MS - spent(m), 0);
}

// Where no agent runs, or it is not for us, there is no answer, and no series.
static void on_fleet(void *arg, const struct xy_ask_answer *a)
{
	struct xy_metrics *m = arg;
	m->fleet_asked = false;
	if (a->answer && m->now)
		xy_exposition_take(m->now, "fleet", a->answer);
	json_decref(a->answer);
	if (m->fleet_waited)
		finish_all(m);
}

static void ask_fleet(struct xy_metrics *m)
{
	const struct xy_reply *r = xy_agent_reply_find("fleet");
	if (m->fleet_asked)
		return;
	m->fleet_asked = true;
	xy_ask_first(m->web->fleet, r->command, fleet_place, on_fleet, m);
}

static void give_up(struct xy_metrics *m, const char *why)
{
	xy_exposition_free(m->now);
	m->now = NULL;
	uv_timer_stop(&m->late);
	fail_all(m, 503, why);
}

// One that answered just now is slow, and not down: its next answer is the last. Else it may answer
// yet, for who comes then.
static void on_late(uv_timer_t *t)
{
	struct xy_metrics *m = t->data;
	if (m->heard && !m->hurry && uv_now(m->web->loop) - m->heard < HEARD_MS) {
		m->hurry = true;
		uv_timer_start(&m->late, on_late, MORE_MS, 0);
		return;
	}
	struct xy_exposition *down = create(m);
	if (!down) {
		fail_all(m, 500, "not enough memory");
		return;
	}
	tell(m, down);
	uv_timer_start(&m->late, on_late, LATE_MS, 0);
}

static bool is_peers(const struct xy_metrics *m)
{
	return strcmp(replies[m->reply], "peers") == 0;
}

static bool is_of_peers(const struct xy_metrics *m)
{
	return is_peers(m) || strcmp(replies[m->reply], "neighbours") == 0;
}

static void ask_next(struct xy_metrics *m)
{
	m->reply++;
	m->pages = 0;
	while (m->reply < XY_ARRAY_SIZE(replies) && is_of_peers(m) && !m->web->config.metrics_peers)
		m->reply++;
	if (m->reply < XY_ARRAY_SIZE(replies)) {
		ask(m, NULL);
		return;
	}
	finish_done(m);
}

// Those that nobody asked for.
static void leave_rest(struct xy_metrics *m, bool time)
{
	long long rest = m->peers - xy_exposition_peers(m->now);
	xy_exposition_unasked(m->now, rest > 0 ? rest : 1, time);
}

// Where the next page of it begins; NULL: there is none, or enough was seen.
static const char *next_of(struct xy_metrics *m, const json_t *page)
{
	const char *next = json_string_value(json_object_get(page, XY_KEY(peers, next)));
	unsigned most = is_peers(m) ? PAGES : m->peer_pages; // both go by name
	bool full = ++m->pages >= most || (is_peers(m) && xy_exposition_is_full(m->now));
	bool enough = full || m->hurry || spent(m) > ENOUGH_MS;
	if (is_peers(m))
		m->peer_pages = m->pages;
	if (!is_of_peers(m) || !next)
		return NULL;
	if (enough && is_peers(m))
		leave_rest(m, !full);
	return enough ? NULL : next;
}

static void on_answer(void *arg, const struct xy_ask_answer *a)
{
	struct xy_metrics *m = arg;
	if (!a->answer && a->code != -EREMOTE) { // that it is down is what there is to tell
		if (a->code == -ECANCELED || a->code == -ENOMEM || a->code == -EBUSY) {
			give_up(m, a->text);
			return;
		}
		finish(m);
		return;
	}
	if (a->answer && strcmp(replies[m->reply], "node") == 0)
		m->peers = json_integer_value(json_object_get(a->answer, XY_KEY(node, peers)));
	if (a->answer) // -EREMOTE: a daemon that does not know it
		xy_exposition_take(m->now, replies[m->reply], a->answer);
	const char *next = a->answer ? next_of(m, a->answer) : NULL;
	m->heard = uv_now(m->web->loop);
	if (m->hurry && !m->reply && m->peers && m->web->config.metrics_peers)
		leave_rest(m, true);
	if (m->hurry)
		finish_done(m);
	else if (next)
		ask(m, next);
	else
		ask_next(m);
	json_decref(a->answer);
}

static void ask(struct xy_metrics *m, const char *params)
{
	const struct xy_reply *r = xy_reply_find(replies[m->reply]);
	xy_ask_first(m->web->ask, r->command, params, on_answer, m);
}

static void begin(struct xy_metrics *m)
{
	m->now = create(m);
	if (!m->now) {
		fail_all(m, 500, "not enough memory");
		return;
	}
	m->began = uv_now(m->web->loop);
	m->heard = 0;
	m->hurry = false;
	m->reply = m->pages = 0;
	m->peers = 0;
	uv_timer_start(&m->late, on_late, LATE_MS, 0);
	ask_fleet(m);
	ask(m, NULL);
}

// --- requests

static bool may(const struct xy_metrics *m, struct xy_http_request *q)
{
	struct xy_auth_who who;
	if (xy_http_is_public(q) && !m->web->config.metrics_public) {
		xy_http_problem(q, 404,
				"metrics are not told here; metrics = { public = true; }; in the "
				"config has them told");
		return false;
	}
	if (!xy_auth_who(m->web->auth, q, &who))
		return false;
	if (who.scopes & XY_WEB_METRICS)
		return true;
	if (who.scopes) {
		xy_http_problem(q, 403,
				"this token may not do \"metrics\"; write that into its scopes");
		return false;
	}
	xy_http_add(q, "WWW-Authenticate", "Bearer realm=\"xylem-web\"");
	xy_http_problem(q, 401, "send a token that may do \"metrics\"");
	return false;
}

void xy_metrics_serve(struct xy_metrics *m, struct xy_http_request *q)
{
	if (strcmp(xy_http_method(q), "GET") != 0) {
		xy_http_add(q, "Allow", "GET, HEAD");
		xy_http_problem(q, 405, "metrics can only be read");
		return;
	}
	if (!may(m, q))
		return;
	if (!m->now && m->last && uv_now(m->web->loop) - m->told < SHARED_MS) {
		answer(m, q);
		return;
	}
	bool public = xy_http_is_public(q);
	if ((public ? m->publics : m->count - m->publics) == WAITING) {
		xy_http_add(q, "Retry-After", "1");
		xy_http_problem(q, 503, "too many wait for metrics");
		return;
	}
	m->waiting[m->count++] = q;
	m->publics += public;
	if (!m->now)
		begin(m);
}

int xy_metrics_create(struct xy_web *w, struct xy_metrics **out)
{
	struct xy_metrics *m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->web = w;
	m->late.data = m->fleet_late.data = m;
	m->handles = 2;
	uv_timer_init(w->loop, &m->late);
	uv_timer_init(w->loop, &m->fleet_late);
	*out = m;
	return 0;
}

static void freed(uv_handle_t *h)
{
	struct xy_metrics *m = h->data;
	if (!--m->handles)
		free(m);
}

void xy_metrics_free(struct xy_metrics *m)
{
	if (!m)
		return;
	texts_forget(m);
	xy_exposition_free(m->now);
	xy_exposition_free(m->last);
	uv_close((uv_handle_t *)&m->late, freed);
	uv_close((uv_handle_t *)&m->fleet_late, freed);
}
