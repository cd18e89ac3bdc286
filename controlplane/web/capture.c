// SPDX-License-Identifier: BSD-3-Clause
// Packets as a pcapng file that is sent while it grows: the daemon is asked for them by a
// connection of its own; who reads slowly has them lost there, counted, and not here. It ends with
// so many packets, bytes or seconds, or when who asked has gone or may no more. One at a time,
// which is the daemon's limit.
#include "web/capture.h"

#include "client/pcapng.h"
#include "client/sight.h"
#include "log.h"
#include "web/auth.h"

#include <stdlib.h>
#include <string.h>

enum {
	PACKETS = 10000, // unless it is said
	SECONDS = 10,
	MOST_BYTES = 64 << 20,
	ROOM = 1 << 20, // bytes that may wait for who asked
	PAUSE_MS = 40,
	LOOK_MS = 500,	// at who takes the rest
	KEEP_MS = 1000, // the daemon ends one that is not asked for five seconds
};

struct xy_web_capture {
	struct xy_web *web;
	struct xy_api_call *call;  // until it is answered
	struct xy_http_request *q; // NULL: gone
	struct xy_auth_who who;
	uv_timer_t timer;
	json_int_t number; // the daemon's; 0: none
	json_int_t most, packets, lost;
	uint64_t until, kept; // ms; until: once it is over, that who asked may take the rest
	size_t bytes;
	bool cut;	   // nobody looks any more whether who asked takes it
	bool asking, over; // over: no more comes; what waits is sent
	FILE *to;
	struct xy_pcapng *file;
	struct xy_sight sight;
	uint8_t *held;
	size_t len, at, room;
};

static void go_on(struct xy_web_capture *c);
static void on_timer(uv_timer_t *t);

// --- what waits to be sent

static ssize_t hold(void *cookie, const char *data, size_t n)
{
	struct xy_web_capture *c = cookie;
	if (c->at) {
		memmove(c->held, c->held + c->at, c->len - c->at);
		c->len -= c->at;
		c->at = 0;
	}
	if (c->len + n > c->room) {
		size_t room = 2 * (c->len + n);
		uint8_t *more = realloc(c->held, room);
		if (!more)
			return -1;
		c->held = more;
		c->room = room;
	}
	memcpy(c->held + c->len, data, n);
	c->len += n;
	c->bytes += n;
	return (ssize_t)n;
}

static ssize_t on_read(void *arg, char *to, size_t max)
{
	struct xy_web_capture *c = arg;
	size_t n = c->len - c->at < max ? c->len - c->at : max;
	if (n)
		memcpy(to, c->held + c->at, n);
	c->at += n;
	return n || !c->over ? (ssize_t)n : -1;
}

// --- its end

static void freed(uv_handle_t *h)
{
	struct xy_web_capture *c = h->data;
	xy_pcapng_end(c->file);
	if (c->to)
		fclose(c->to);
	free(c->held);
	free(c);
}

static void free_if_done(struct xy_web_capture *c)
{
	if (!c->over || c->q || c->asking || c->number)
		return;
	c->web->capture = NULL;
	uv_close((uv_handle_t *)&c->timer, freed);
}

static void on_ended(void *arg, const struct xy_ask_answer *a)
{
	struct xy_web_capture *c = arg;
	json_decref(a->answer);
	c->asking = false;
	c->number = 0;
	free_if_done(c);
}

static void ask(struct xy_web_capture *c, const char *command, bool keep, xy_ask_done *done)
{
	char params[64];
	snprintf(params, sizeof(params), "{\"capture\":%lld%s}", (long long)c->number,
		 keep ? ",\"keep\":true" : "");
	c->asking = true;
	xy_ask_first(c->web->capturing, command, params, done, c);
}

static void end(struct xy_web_capture *c)
{
	if (!c->over) {
		if (c->file && xy_pcapng_lost(c->file, (uint64_t)c->lost, NULL) == 0)
			fflush(c->to);
		c->over = true;
		c->until = uv_now(c->web->loop) + XY_HTTP_TAKE_MS;
		xy_log_info("a capture ends: %lld packets, %lld lost for want of room",
			    (long long)c->packets, (long long)c->lost);
		if (c->q)
			xy_http_stream_wake(c->q);
	}
	if (c->q && !c->cut)
		uv_timer_start(&c->timer, on_timer, LOOK_MS, LOOK_MS);
	else
		uv_timer_stop(&c->timer);
	if (c->number && !c->asking)
		ask(c, "/xylem/capture_end", false, on_ended);
	else
		free_if_done(c);
}

static void on_gone(void *arg)
{
	struct xy_web_capture *c = arg;
	c->q = NULL;
	end(c);
}

// --- packets

static bool put(struct xy_web_capture *c, const json_t *packet)
{
	if (xy_sight_take(packet, &c->sight))
		return false;
	c->packets++;
	return xy_sight_put(&c->sight, c->file, NULL) == 0;
}

static bool is_enough(const struct xy_web_capture *c)
{
	return c->packets >= c->most || c->bytes >= MOST_BYTES || uv_now(c->web->loop) >= c->until;
}

static void on_packets(void *arg, const struct xy_ask_answer *a)
{
	struct xy_web_capture *c = arg;
	const json_t *packet;
	size_t i;
	bool good = a->answer != NULL;
	c->asking = false;
	if (!good)
		c->number = 0; // it is over there, or the daemon is away
	else
		c->lost = json_integer_value(json_object_get(a->answer, "lost"));
	json_array_foreach(json_object_get(a->answer, "packets"), i, packet)
	{
		if (good && c->packets < c->most)
			good = put(c, packet);
	}
	json_decref(a->answer);
	good = good && fflush(c->to) == 0;
	if (c->q && c->len > c->at)
		xy_http_stream_wake(c->q);
	if (!good || c->over || is_enough(c))
		end(c);
	else
		go_on(c);
}

static void cut(struct xy_web_capture *c)
{
	c->cut = true;
	xy_http_stream_cut(c->q);
	end(c);
}

static void on_timer(uv_timer_t *t)
{
	struct xy_web_capture *c = t->data;
	uint64_t now = uv_now(t->loop);
	bool full = c->len - c->at >= ROOM;
	if (c->q && (xy_http_has_left(c->q) || !xy_auth_holds(c->web->auth, &c->who) ||
		     (c->over && now >= c->until))) {
		cut(c);
		return;
	}
	if (c->over)
		return;
	if (is_enough(c)) {
		end(c);
		return;
	}
	if (full && now < c->kept + KEEP_MS) {
		go_on(c);
		return;
	}
	c->kept = now;
	ask(c, "/xylem/capture_next", full, on_packets);
}

static void go_on(struct xy_web_capture *c)
{
	uv_timer_start(&c->timer, on_timer, PAUSE_MS, 0);
}

// --- its beginning

static bool file_begin(struct xy_web_capture *c)
{
	static const cookie_io_functions_t out = {.write = hold};
	c->to = fopencookie(c, "w", out);
	return c->to && xy_pcapng_begin(c->to, &c->file, NULL) == 0 && fflush(c->to) == 0;
}

static void on_begun(void *arg, const struct xy_ask_answer *a)
{
	struct xy_web_capture *c = arg;
	struct xy_api_call *call = c->call;
	static const struct xy_http_stream stream = {.read = on_read, .gone = on_gone};
	struct xy_http_stream s = stream;
	c->asking = false;
	c->call = NULL;
	c->number = json_integer_value(json_object_get(a->answer, "capture"));
	json_decref(a->answer);
	if (!a->answer || !file_begin(c)) {
		c->q = NULL;
		if (a->answer)
			xy_api_problem(call, 500, "not enough memory");
		else
			xy_act_refused(call, a);
		end(c);
		return;
	}
	xy_act_say(call, "begins");
	xy_http_add(c->q, "Content-Disposition", "attachment; filename=\"xylem.pcapng\"");
	xy_api_end(call);
	s.arg = c;
	xy_http_answer_stream(c->q, "application/x-pcapng", &s);
	go_on(c);
}

// What the daemon takes of it.
static json_t *params_of(const struct xy_api_call *c)
{
	static const char *const same[] = {"peer", "port", "drop", "places", "snap"};
	json_t *o = json_object();
	for (unsigned i = 0; i < sizeof(same) / sizeof(*same); i++) {
		json_t *v = json_object_get(c->body, same[i]);
		if (v)
			json_object_set(o, same[i], v);
	}
	if (!json_array_size(json_object_get(o, "places")))
		json_object_set_new(o, "places",
				    json_object_get(o, "drop") ? json_pack("[s]", "drops")
				    : json_object_get(o, "port")
					    ? json_pack("[s]", "sealed")
					    : json_pack("[s, s]", "opened", "drops"));
	return o;
}

void xy_capture_serve(struct xy_api_call *call)
{
	struct xy_web *w = call->web;
	const char *peer = json_string_value(json_object_get(call->body, "peer"));
	snprintf(call->name, sizeof(call->name), "%s", peer ? peer : "");
	if (w->capture) {
		xy_http_add(call->q, "Retry-After", "5");
		xy_api_problem(call, 429, "another capture is under way here; one at a time");
		return;
	}
	struct xy_web_capture *c = calloc(1, sizeof(*c));
	char *params = c ? xy_api_params(call, params_of(call)) : NULL;
	if (!params) {
		if (!c)
			xy_api_problem(call, 500, "not enough memory");
		free(c);
		return;
	}
	c->web = w;
	c->call = call;
	c->q = call->q;
	c->who = call->who;
	c->most = xy_api_number(call, "packets", PACKETS);
	uv_timer_init(w->loop, &c->timer);
	c->timer.data = c;
	c->until = uv_now(w->loop) + (uint64_t)xy_api_number(call, "seconds", SECONDS) * 1000;
	w->capture = c;
	c->asking = true;
	xy_ask(w->capturing, "/xylem/capture", params, on_begun, c);
	free(params);
}

void xy_capture_look(struct xy_web *w)
{
	struct xy_web_capture *c = w->capture;
	if (c && c->q && !c->call && !c->cut && !xy_auth_holds(w->auth, &c->who))
		cut(c);
}

void xy_capture_close(struct xy_web *w)
{
	if (!w->capture)
		return;
	w->capture->cut = true;
	end(w->capture);
}
