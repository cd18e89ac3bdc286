// SPDX-License-Identifier: BSD-3-Clause
#include "web/api.h"

#include "base/bytes.h"
#include "web/auth.h"
#include "web/redact.h"
#include "web/table.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { PEER_PAGES = 64 }; // that are looked through for one; a daemon with 10,000 has 40

// One that waits for the daemon.
struct call {
	struct xy_web *web;
	struct xy_http_request *q;
	const struct xy_api_entry *entry;
	char name[XY_URL_MAX]; // of the peer, from the path
	unsigned pages;
};

// --- answers

// The same bytes have the same tag, whoever asks.
static void answer_tagged(struct xy_http_request *q, json_t *body)
{
	uint8_t hash[16];
	char tag[2 * sizeof(hash) + 3] = "\"";
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	const char *have = xy_http_header(q, "If-None-Match");
	json_decref(body);
	if (!text) {
		xy_http_problem(q, 500, "not enough memory for the answer");
		return;
	}
	size_t len = strlen(text);
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)text, len, NULL, 0);
	sodium_bin2hex(tag + 1, sizeof(tag) - 2, hash, sizeof(hash));
	strcat(tag, "\"");
	xy_http_add(q, "ETag", tag);
	xy_http_add(q, "Cache-Control", "no-cache, private"); // kept, and asked for again
	if (have && strstr(have, tag)) {
		free(text);
		xy_http_answer_constant(q, 304, NULL, "", 0);
		return;
	}
	xy_http_answer(q, 200, "application/json", text, len);
}

static unsigned status_of(int code)
{
	switch (code) {
	case -EREMOTE:
		return 422;
	case -EINVAL:
	case -EMSGSIZE:
		return 400;
	case -ETIMEDOUT:
		return 504;
	case -ENOMEM:
		return 500;
	}
	return 503; // away, busy, ending
}

static void answer_failed(struct xy_http_request *q, const struct xy_ask_answer *a)
{
	unsigned status = status_of(a->code);
	if (status == 503)
		xy_http_add(q, "Retry-After", "1");
	xy_http_problem(q, status, "%s", a->text);
}

// --- /NAME: what the daemon tells

static void on_reply(void *arg, const struct xy_ask_answer *a)
{
	struct call *c = arg;
	if (!a->answer) {
		answer_failed(c->q, a);
	} else {
		if (xy_http_is_public(c->q))
			xy_redact(a->answer, c->entry->object());
		answer_tagged(c->q, a->answer);
	}
	free(c);
}

static const struct xy_api_param *param_of(const struct xy_api_entry *e, const char *name)
{
	for (unsigned i = 0; i < XY_API_PARAMS && e->params[i].name; i++)
		if (strcmp(e->params[i].name, name) == 0)
			return &e->params[i];
	return NULL;
}

// What is asked of the daemon: a filter where there is one, else the text alone. malloc'd, or NULL
// for none.
static int daemon_params(const struct xy_api_entry *e, const struct xy_url *url, char **out)
{
	const char *cursor = xy_url_param(url, "cursor"), *value;
	*out = NULL;
	bool filtered = param_of(e, "peer") && url->param_count > (cursor != NULL) &&
			!(cursor && cursor[0] == '{'); // which has the filter in it
	if (!filtered) {
		const char *text = url->param_count ? url->params[0].value : NULL;
		*out = cursor ? strdup(cursor) : text ? strdup(text) : NULL;
		return *out || !(cursor || text) ? 0 : -ENOMEM;
	}
	json_t *o = json_object();
	for (unsigned i = 0; i < url->param_count; i++) {
		const char *key = url->params[i].key;
		value = url->params[i].value;
		if (strcmp(key, "count") == 0)
			json_object_set_new(o, key, json_boolean(strcmp(value, "true") == 0));
		else
			json_object_set_new(o, strcmp(key, "cursor") == 0 ? "after" : key,
					    json_string(value));
	}
	*out = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return *out ? 0 : -ENOMEM;
}

static struct call *call_make(struct xy_web *w, struct xy_http_request *q,
			      const struct xy_api_entry *e)
{
	struct call *c = calloc(1, sizeof(*c));
	if (c)
		*c = (struct call){.web = w, .q = q, .entry = e};
	else
		xy_http_problem(q, 500, "not enough memory");
	return c;
}

static void reply(struct xy_web *w, struct xy_http_request *q, const struct xy_api_entry *e,
		  const struct xy_url *url)
{
	char *params;
	struct call *c = call_make(w, q, e);
	if (!c)
		return;
	if (daemon_params(e, url, &params)) {
		free(c);
		xy_http_problem(q, 500, "not enough memory");
		return;
	}
	xy_ask(w->ask, e->command, params, on_reply, c);
	free(params);
}

// --- /peers/NAME

static void ask_peer(struct call *c, const char *params);

static void on_peer(void *arg, const struct xy_ask_answer *a)
{
	struct call *c = arg;
	json_t *one = json_array_get(json_object_get(a->answer, XY_KEY(peers, peers)), 0);
	const char *next = json_string_value(json_object_get(a->answer, XY_KEY(peers, next)));
	if (a->code == -EREMOTE) {
		xy_http_problem(c->q, 404, "%s", a->text);
	} else if (!a->answer) {
		answer_failed(c->q, a);
	} else if (one) {
		if (xy_http_is_public(c->q))
			xy_redact(one, xy_object_peer());
		answer_tagged(c->q, json_incref(one));
	} else if (next && ++c->pages < PEER_PAGES) {
		ask_peer(c, next);
		json_decref(a->answer);
		return;
	} else {
		xy_http_problem(c->q, 404, "no peer is called \"%.80s\"", c->name);
	}
	json_decref(a->answer);
	free(c);
}

static void ask_peer(struct call *c, const char *params)
{
	xy_ask(c->web->ask, "/xylem/peers", params, on_peer, c);
}

static void peer(struct xy_web *w, struct xy_http_request *q, const struct xy_api_entry *e,
		 const struct xy_url *url)
{
	struct call *c = call_make(w, q, e);
	if (!c)
		return;
	strcpy(c->name, url->segments[3]);
	json_t *o = json_pack("{s:s}", "peer", c->name);
	char *params = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (params) {
		ask_peer(c, params);
	} else {
		xy_http_problem(q, 500, "not enough memory");
		free(c);
	}
	free(params);
}

// --- who asks, for what

static void access_told(struct xy_web *w, struct xy_http_request *q, const struct xy_api_entry *e,
			const struct xy_url *url)
{
	unsigned scopes;
	if (xy_auth_scopes(w, q, &scopes))
		return;
	const char *scope = scopes & XY_WEB_ACT ? "act" : scopes & XY_WEB_READ ? "read" : "none";
	xy_http_answer_json(q, 200,
			    json_pack("{s:s, s:n, s:b, s:b, s:b, s:s, s:s, s:s}", "scope", scope,
				      "csrf", "login", w->config.password[0] != 0, "public",
				      xy_http_is_public(q), "act", 0, "why_not",
				      "nothing can be changed by this version", "version",
				      XY_VERSION, "instance", w->instance));
}

typedef void handler(struct xy_web *w, struct xy_http_request *q, const struct xy_api_entry *e,
		     const struct xy_url *url);
static handler *const handlers[XY_API_HANDLERS] = {
	[XY_API_REPLY] = reply,
	[XY_API_PEER] = peer,
	[XY_API_ACCESS] = access_told,
};

// Do the parts of the request's path, behind the base, fit those of the entry's?
static bool fits(const char *path, const struct xy_url *url)
{
	unsigned at = 2;
	for (const char *p = path + 1;; p++) {
		size_t len = strcspn(p, "/");
		if (at >= url->segment_count)
			return false;
		const char *part = url->segments[at++];
		if (*p == '{' ? !*part : strncmp(p, part, len) != 0 || part[len])
			return false;
		p += len;
		if (!*p)
			return at == url->segment_count;
	}
}

static const struct xy_api_entry *find(const struct xy_url *url, const char *method, bool public,
				       char allow[static 64])
{
	const struct xy_api_entry *e;
	allow[0] = 0;
	for (unsigned i = 0; (e = xy_api_entry_at(i)); i++) {
		if ((public && !e->public) || !fits(e->path, url))
			continue;
		if (strcmp(e->method, method) == 0)
			return e;
		if (!strstr(allow, e->method))
			snprintf(allow + strlen(allow), 64 - strlen(allow), "%s%s",
				 allow[0] ? ", " : "", e->method);
	}
	return NULL;
}

static bool query_is_right(struct xy_http_request *q, const struct xy_api_entry *e,
			   const struct xy_url *url)
{
	for (unsigned i = 0; i < url->param_count; i++) {
		const struct xy_url_param *p = &url->params[i];
		const struct xy_api_param *known = e->body ? NULL : param_of(e, p->key);
		if (!known) {
			xy_http_problem(q, 400, "\"%.40s\" is no parameter of this", p->key);
			return false;
		}
		if (known->type == XY_API_YES_NO && strcmp(p->value, "true") != 0 &&
		    strcmp(p->value, "false") != 0) {
			xy_http_problem(q, 400, "%s: write true or false", p->key);
			return false;
		}
	}
	for (unsigned i = 0; !e->body && i < XY_API_PARAMS && e->params[i].name; i++)
		if (e->params[i].required && !xy_url_param(url, e->params[i].name)) {
			xy_http_problem(q, 400, "%s is missing: %s", e->params[i].name,
					e->params[i].help);
			return false;
		}
	return true;
}

static bool may(struct xy_web *w, struct xy_http_request *q, const struct xy_api_entry *e)
{
	unsigned scopes, wanted = e->scope == XY_API_ACT    ? XY_WEB_ACT
				  : e->scope == XY_API_READ ? XY_WEB_READ
							    : 0;
	if (xy_auth_scopes(w, q, &scopes))
		return false;
	if ((scopes & wanted) == wanted)
		return true;
	xy_http_add(q, "WWW-Authenticate", "Bearer realm=\"xylem-web\"");
	xy_http_problem(q, 401, "log in, or send a token");
	return false;
}

void xy_api_serve(struct xy_web *w, struct xy_http_request *q, const struct xy_url *url)
{
	char allow[64];
	const struct xy_api_entry *e = NULL;
	bool ours = url->segment_count > 2 && strcmp(url->segments[1], "v1") == 0;
	allow[0] = 0;
	if (ours)
		e = find(url, xy_http_method(q), xy_http_is_public(q), allow);
	if (e && may(w, q, e) && query_is_right(q, e, url)) {
		handlers[e->handler](w, q, e, url);
	} else if (!e && allow[0]) {
		xy_http_add(q, "Allow", allow);
		xy_http_problem(q, 405, "this takes %s", allow);
	} else if (!e) {
		xy_http_problem(q, 404,
				"there is no such thing; /api/v1/openapi.json says what is");
	}
}
