// SPDX-License-Identifier: BSD-3-Clause
#include "web/api.h"

#include "base/bytes.h"
#include "web/capture.h"
#include "web/errand.h"
#include "web/events.h"
#include "web/redact.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { PEER_PAGES = 64 }; // that are looked through for one; a daemon with 10,000 has 40

// --- answers

void xy_api_end(struct xy_api_call *c)
{
	json_decref(c->body);
	free(c);
}

static void tag_of(const char *text, size_t len, char tag[static XY_SHARE_TAG])
{
	uint8_t hash[16];
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)text, len, NULL, 0);
	tag[0] = '"';
	sodium_bin2hex(tag + 1, XY_SHARE_TAG - 2, hash, sizeof(hash));
	strcat(tag, "\"");
}

void xy_api_answer(struct xy_api_call *c, json_t *body)
{
	char tag[XY_SHARE_TAG];
	struct xy_http_request *q = c->q;
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	if (!text) {
		xy_api_problem(c, 500, "not enough memory for the answer");
		return;
	}
	struct xy_shared *shared = c->shared;
	size_t len = strlen(text);
	tag_of(text, len, tag);
	xy_api_end(c);
	if (shared)
		xy_share_answer(shared, text, len, tag);
	else if (xy_share_is_kept(q, tag))
		free(text);
	else
		xy_http_answer(q, 200, "application/json", text, len);
}

void xy_api_answer_once(struct xy_api_call *c, json_t *body)
{
	struct xy_http_request *q = c->q;
	xy_api_end(c);
	xy_http_answer_json(q, 200, body);
}

void xy_api_problem(struct xy_api_call *c, unsigned status, const char *fmt, ...)
{
	char why[600];
	struct xy_http_request *q = c->q;
	struct xy_shared *shared = c->shared;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	xy_api_end(c);
	if (shared)
		xy_share_fail(shared, status, why);
	else
		xy_http_problem(q, status, "%s", why);
}

static unsigned status_of(int code)
{
	switch (code) {
	case -EREMOTE:
		return 422;
	case -ENOENT:
		return 404;
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

void xy_api_answer_failed(struct xy_api_call *c, const struct xy_ask_answer *why)
{
	unsigned status = status_of(why->code);
	if (status == 503 && !c->shared)
		xy_http_add(c->q, "Retry-After", "1");
	bool away = status >= 500 && why->code != -EBUSY && xy_http_is_public(c->q);
	xy_api_problem(c, status, "%s", away ? XY_API_AWAY : why->text);
}

char *xy_api_params(struct xy_api_call *c, json_t *o)
{
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (!text)
		xy_api_problem(c, 500, "not enough memory");
	return text;
}

json_int_t xy_api_number(const struct xy_api_call *c, const char *name, json_int_t otherwise)
{
	const json_t *v = json_object_get(c->body, name);
	return v ? json_integer_value(v) : otherwise;
}

// Everybody has a small share of what the daemon has time for, and none of ours.
static struct xy_ask *ask_of(const struct xy_api_call *c)
{
	return xy_http_is_public(c->q) ? c->web->everybody : c->web->ask;
}

// --- /NAME: what the daemon tells

static void on_reply(void *arg, const struct xy_ask_answer *a)
{
	struct xy_api_call *c = arg;
	if (!a->answer) {
		xy_api_answer_failed(c, a);
		return;
	}
	if (xy_http_is_public(c->q))
		xy_redact(a->answer, c->entry->object());
	xy_api_answer(c, a->answer);
}

// What is asked of the daemon: a filter where there is one, else the text alone. malloc'd, or NULL
// for none.
static int daemon_params(const struct xy_api_entry *e, const struct xy_url *url, char **out)
{
	const char *cursor = xy_url_param(url, "cursor"), *value;
	*out = NULL;
	bool filtered = xy_api_param_of(e, "peer") && url->param_count > (cursor != NULL) &&
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

static void reply(struct xy_api_call *c)
{
	char *params;
	if (daemon_params(c->entry, c->url, &params)) {
		xy_api_problem(c, 500, "not enough memory");
		return;
	}
	xy_ask(ask_of(c), c->entry->command, params, on_reply, c);
	free(params);
}

// --- /peers/NAME

static void ask_peer(struct xy_api_call *c, const char *params);

static void on_peer(void *arg, const struct xy_ask_answer *a)
{
	struct xy_api_call *c = arg;
	json_t *one = json_array_get(json_object_get(a->answer, XY_KEY(peers, peers)), 0);
	const char *next = json_string_value(json_object_get(a->answer, XY_KEY(peers, next)));
	if (a->code == -EREMOTE || a->code == -ENOENT) {
		xy_api_problem(c, 404, "%s", a->text);
	} else if (!a->answer) {
		xy_api_answer_failed(c, a);
	} else if (one) {
		if (xy_http_is_public(c->q))
			xy_redact(one, xy_object_peer());
		xy_api_answer(c, json_incref(one));
	} else if (next && ++c->pages < PEER_PAGES) {
		ask_peer(c, next);
	} else {
		xy_api_problem(c, 404, "no peer is called \"%.80s\"", c->name);
	}
	json_decref(a->answer);
}

static void ask_peer(struct xy_api_call *c, const char *params)
{
	xy_ask(ask_of(c), "/xylem/peers", params, on_peer, c);
}

static void peer(struct xy_api_call *c)
{
	char *params = xy_api_params(c, json_pack("{s:s}", "peer", c->name));
	if (params)
		ask_peer(c, params);
	free(params);
}

// --- who asks, for what

// Why nothing can be changed, for the dashboard to say; NULL: it can.
static const char *why_not(struct xy_web *w, const struct xy_http_request *q)
{
	if (xy_http_is_public(q))
		return "this address is for everybody; actions are on the private one";
	if (!xy_config_web_has_login(&w->config))
		return "there is no login: write a password (xylem-web --password) or tokens into "
		       "the config of xylem-web";
	xy_ask_try(w->control);
	return xy_ask_why(w->control, NULL);
}

static json_t *access_of(struct xy_web *w, const struct xy_http_request *q,
			 const struct xy_auth_who *who)
{
	const char *why = why_not(w, q);
	const char *scope = who->scopes & XY_WEB_ACT	? "act"
			    : who->scopes & XY_WEB_READ ? "read"
							: "none";
	return json_pack("{s:s, s:s?, s:b, s:b, s:b, s:s?, s:s, s:s}", "scope", scope, "csrf",
			 who->csrf[0] ? who->csrf : NULL, "login",
			 !xy_http_is_public(q) && w->config.password[0], "public",
			 xy_http_is_public(q), "act", !why && (who->scopes & XY_WEB_ACT), "why_not",
			 why, "version", XY_VERSION, "instance", w->instance);
}

// With the token that lets a page change something: nobody keeps that.
static void access_told(struct xy_api_call *c)
{
	xy_api_answer_once(c, access_of(c->web, c->q, &c->who));
}

static void logged_in(struct xy_web *w, struct xy_http_request *q, const struct xy_auth_who *who)
{
	xy_http_answer_json(q, 200, access_of(w, q, who));
}

static void login(struct xy_api_call *c)
{
	json_t *password = json_object_get(c->body, "password");
	xy_auth_login(c->web->auth, c->q, json_string_value(password), logged_in);
	xy_api_end(c);
}

static void logout(struct xy_api_call *c)
{
	struct xy_auth_who who = {.name = "nobody"};
	if (c->who.cookie && !xy_auth_may_act(c->web->auth, c->q, &c->who)) {
		xy_api_end(c);
		return;
	}
	if (c->who.csrf[0])
		xy_events_end(c->web->events, c->who.csrf);
	xy_auth_logout(c->web->auth, c->q);
	xy_capture_look(c->web);
	xy_errands_look(c->web->errands);
	xy_api_answer_once(c, access_of(c->web, c->q, &who));
}

static void openapi(struct xy_api_call *c)
{
	xy_api_answer(c, xy_openapi());
}

static xy_api_handler *const handlers[XY_API_HANDLERS] = {
	[XY_API_REPLY] = reply,
	[XY_API_PEER] = peer,
	[XY_API_ACCESS] = access_told,
	[XY_API_LOGIN] = login,
	[XY_API_LOGOUT] = logout,
	[XY_API_OPENAPI] = openapi,
	[XY_API_DIAGNOSIS] = xy_api_diagnose,
	[XY_API_HISTORY] = xy_watch_serve_history,
	[XY_API_EVENTS] = xy_events_serve,
	[XY_API_STEER] = xy_act_steer,
	[XY_API_LEAF] = xy_act_leaf_add,
	[XY_API_PING] = xy_tools_ping,
	[XY_API_NETCHECK] = xy_tools_netcheck,
	[XY_API_CAPTURE] = xy_capture_serve,
};

// --- what is asked right

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

static bool is_choice(const char *text, const char *choices)
{
	size_t len = strlen(text);
	for (const char *p = choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
		if (strncmp(p, text, len) == 0 && (p[len] == '|' || !p[len]))
			return true;
	return false;
}

static const char *wrong_text(const struct xy_api_param *p, const char *text)
{
	return text && p->choices && !is_choice(text, p->choices)
		       ? "is none of what can be written there"
	       : text ? NULL
		      : "write a text";
}

static const char *wrong_texts(const struct xy_api_param *p, const json_t *v)
{
	size_t i;
	json_t *one;
	json_array_foreach(v, i, one)
	{
		if (!json_is_string(one))
			return "write a list of texts";
		if (wrong_text(p, json_string_value(one)))
			return wrong_text(p, json_string_value(one));
	}
	return json_is_array(v) ? NULL : "write a list of texts";
}

// NULL: it is right.
static const char *wrong_with(const struct xy_api_param *p, const json_t *v, char told[static 80])
{
	json_int_t n = json_integer_value(v);
	switch (p->type) {
	case XY_API_TEXT:
		return wrong_text(p, json_string_value(v));
	case XY_API_NUMBER:
		if (json_is_integer(v) && (!p->most || (n >= p->least && n <= p->most)))
			return NULL;
		if (!p->most)
			return "write a whole number";
		snprintf(told, 80, "write a whole number, %d to %d", p->least, p->most);
		return told;
	case XY_API_COST:
		return json_is_integer(v) || (json_is_string(v) &&
					      strcmp(json_string_value(v), "default") == 0)
			       ? NULL
			       : "write a whole number, or \"default\"";
	case XY_API_YES_NO:
		return json_is_boolean(v) ? NULL : "write true or false";
	case XY_API_TEXTS:
		return wrong_texts(p, v);
	}
	return NULL;
}

static bool is_whole(struct xy_http_request *q, const struct xy_api_entry *e,
		     const struct xy_url *url, const json_t *body)
{
	for (unsigned i = 0; i < XY_API_PARAMS && e->params[i].name; i++) {
		const struct xy_api_param *p = &e->params[i];
		bool there = e->body ? json_object_get(body, p->name) != NULL
				     : xy_url_param(url, p->name) != NULL;
		if (there || !p->required)
			continue;
		xy_http_problem(q, 400, "%s is missing: %s", p->name, p->help);
		return false;
	}
	return true;
}

// The cursor of a filtered list is the filter, too: what is asked beside it must be the same.
static bool cursor_is_right(struct xy_http_request *q, const struct xy_api_entry *e,
			    const struct xy_url *url)
{
	const char *cursor = xy_url_param(url, "cursor"), *why = NULL;
	if (!cursor || cursor[0] != '{' || !xy_api_param_of(e, "peer"))
		return true;
	json_t *o = json_loads(cursor, JSON_REJECT_DUPLICATES, NULL);
	for (unsigned i = 0; i < url->param_count; i++) {
		const struct xy_url_param *p = &url->params[i];
		const json_t *v = json_object_get(o, p->key);
		bool same = json_is_string(v)
				    ? strcmp(json_string_value(v), p->value) == 0
				    : json_is_true(v) == (strcmp(p->value, "true") == 0) &&
					      (v || strcmp(p->value, "false") == 0);
		if (strcmp(p->key, "cursor") != 0 && !same)
			why = "cursor: it is of another question than what stands beside it; leave "
			      "that out";
	}
	if (!json_is_object(o))
		why = "cursor: write `next` of the page before";
	else if (xy_http_is_public(q) && json_object_get(o, "within"))
		why = "cursor: it is of no question that is answered here";
	json_decref(o);
	if (why)
		xy_http_problem(q, 400, "%s", why);
	return !why;
}

static bool query_is_right(struct xy_http_request *q, const struct xy_api_entry *e,
			   const struct xy_url *url)
{
	for (unsigned i = 0; i < url->param_count; i++) {
		const struct xy_url_param *p = &url->params[i];
		const struct xy_api_param *known = e->body ? NULL : xy_api_param_of(e, p->key);
		if (!known || (known->private && xy_http_is_public(q))) {
			xy_http_problem(q, 400, "\"%.40s\" is no parameter of this%s", p->key,
					known ? " on the public address" : "");
			return false;
		}
		if (known->type == XY_API_YES_NO && strcmp(p->value, "true") != 0 &&
		    strcmp(p->value, "false") != 0) {
			xy_http_problem(q, 400, "%s: write true or false", p->key);
			return false;
		}
	}
	return e->body || (cursor_is_right(q, e, url) && is_whole(q, e, url, NULL));
}

static bool members_are_right(struct xy_http_request *q, const struct xy_api_entry *e, json_t *body)
{
	const char *key;
	json_t *v;
	json_object_foreach(body, key, v)
	{
		const struct xy_api_param *p = xy_api_param_of(e, key);
		char told[80];
		const char *wrong = p ? wrong_with(p, v, told) : "is nothing that this takes";
		if (!wrong)
			continue;
		xy_http_problem(q, 400, "%.40s: %s%s%s", key, wrong, p && p->choices ? ": " : "",
				p && p->choices ? p->choices : "");
		return false;
	}
	return is_whole(q, e, NULL, body);
}

// An object, which may be left out where nothing in it must be said. False: it was answered.
static bool body_read(struct xy_http_request *q, const struct xy_api_entry *e, json_t **out)
{
	json_error_t where;
	size_t len;
	const char *text = xy_http_body(q, &len);
	*out = NULL;
	if (!e->body && len == 0)
		return true;
	if (!e->body) {
		xy_http_problem(q, 400, "this takes nothing; leave the body out");
		return false;
	}
	*out = len ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &where) : json_object();
	if (!*out)
		xy_http_problem(q, 400, "the body is no JSON: %s (line %d)", where.text,
				where.line);
	else if (!json_is_object(*out))
		xy_http_problem(q, 400, "the body is no JSON object");
	else if (members_are_right(q, e, *out))
		return true;
	json_decref(*out);
	*out = NULL;
	return false;
}

static bool may(struct xy_web *w, struct xy_http_request *q, const struct xy_api_entry *e,
		struct xy_auth_who *who)
{
	unsigned wanted = e->scope == XY_API_ACT    ? XY_WEB_ACT
			  : e->scope == XY_API_READ ? XY_WEB_READ
						    : 0;
	bool sends = e->body && e->scope == XY_API_OPEN;
	if (!xy_auth_who(w->auth, q, who) || (sends && !xy_auth_may_send(q)))
		return false;
	if ((who->scopes & wanted) != wanted && who->scopes) {
		xy_http_problem(
			q, 403, "%s",
			xy_config_web_has_login(&w->config)
				? "this token's scopes do not allow that"
				: "nothing can be changed without a login: write a password "
				  "(xylem-web --password) or tokens into the config of "
				  "xylem-web");
		return false;
	}
	if ((who->scopes & wanted) == wanted)
		return wanted != XY_WEB_ACT || xy_auth_may_act(w->auth, q, who);
	xy_http_add(q, "WWW-Authenticate", "Bearer realm=\"xylem-web\"");
	xy_http_problem(q, 401, "log in, or send a token");
	return false;
}

// What is in the path's {name}.
static bool name_read(struct xy_http_request *q, const struct xy_url *url, const char *path,
		      char *to, size_t size)
{
	const char *at = strchr(path, '{');
	unsigned part = 1;
	to[0] = 0;
	for (const char *p = path; at && p < at; p++)
		part += *p == '/';
	if (!at)
		return true;
	if (strlen(url->segments[part]) >= size) {
		xy_http_problem(q, 404, "no name is that long");
		return false;
	}
	strcpy(to, url->segments[part]);
	return true;
}

// Of everybody, what the daemon is asked for. True: somebody else asks it, or did just now.
static bool is_asked(struct xy_api_call *c)
{
	bool asks, asked = c->entry->handler == XY_API_REPLY || c->entry->handler == XY_API_PEER;
	char key[XY_SHARE_KEY + 1];
	size_t n = 0;
	if (!asked || !xy_http_is_public(c->q))
		return false;
	n += (size_t)snprintf(key, sizeof(key), "%s %s", c->entry->path, c->name);
	for (unsigned i = 0; i < c->url->param_count && n < sizeof(key); i++)
		n += (size_t)snprintf(key + n, sizeof(key) - n, "\n%s=%s", c->url->params[i].key,
				      c->url->params[i].value);
	c->shared = n < sizeof(key) ? xy_share_join(c->web->share, key, c->q, &asks) : NULL;
	return c->shared && !asks;
}

static void call(struct xy_web *w, struct xy_http_request *q, const struct xy_api_entry *e,
		 const struct xy_url *url)
{
	struct xy_api_call *c = calloc(1, sizeof(*c));
	if (!c) {
		xy_http_problem(q, 500, "not enough memory");
		return;
	}
	*c = (struct xy_api_call){.web = w, .q = q, .entry = e, .url = url};
	if (may(w, q, e, &c->who) && query_is_right(q, e, url) && body_read(q, e, &c->body) &&
	    name_read(q, url, e->path, c->name, sizeof(c->name)) && !is_asked(c))
		handlers[e->handler](c);
	else
		xy_api_end(c);
}

void xy_api_serve(struct xy_web *w, struct xy_http_request *q, const struct xy_url *url)
{
	char allow[64] = "";
	const struct xy_api_entry *e = NULL;
	if (url->segment_count > 2 && strcmp(url->segments[1], "v1") == 0)
		e = find(url, xy_http_method(q), xy_http_is_public(q), allow);
	if (e) {
		call(w, q, e, url);
	} else if (allow[0]) {
		xy_http_add(q, "Allow", allow);
		xy_http_problem(q, 405, "this takes %s", allow);
	} else {
		xy_http_problem(q, 404,
				"there is no such thing; /api/v1/openapi.json says what is");
	}
}
