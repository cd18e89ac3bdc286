// SPDX-License-Identifier: BSD-3-Clause
// What changes something: by the daemon's control socket, which checks all that is said; who did it
// is in our log, and that we did in the daemon's.
#include "client/leafconf.h"
#include "config/config.h"
#include "log.h"
#include "web/api.h"

#include <qrencode.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

void xy_act_say(const struct xy_api_call *c, const char *what)
{
	xy_log_info("%s, %s: %s %s%s%s: %s", xy_http_from(c->q), c->who.name, c->entry->method,
		    c->entry->path, c->name[0] ? " " : "", c->name, what);
}

// The daemon refused it. Of somebody whom it does not know that is another matter.
static void on_looked_up(void *arg, const struct xy_ask_answer *a)
{
	struct xy_api_call *c = arg;
	const char *text = json_string_value(json_object_get(c->body, "refused"));
	json_decref(a->answer);
	xy_api_problem(c, a->code == -EREMOTE || a->code == -ENOENT ? 404 : 422, "%s",
		       text ? text : "refused");
}

// The daemon calls a parameter otherwise: its words are of ours.
static bool refused_by_name(struct xy_api_call *c, const char *text)
{
	for (unsigned i = 0; i < XY_API_PARAMS && c->entry->params[i].name; i++) {
		const struct xy_api_param *p = &c->entry->params[i];
		size_t len = p->daemon ? strlen(p->daemon) : 0;
		if (!len || strncmp(text, p->daemon, len) != 0 || text[len] != ':')
			continue;
		xy_api_problem(c, 422, "%s%s", p->name, text + len);
		return true;
	}
	return false;
}

void xy_act_refused(struct xy_api_call *c, const struct xy_ask_answer *a)
{
	xy_act_say(c, a->text);
	if (a->code == -EREMOTE && refused_by_name(c, a->text))
		return;
	if (a->code != -EREMOTE || !c->name[0]) {
		xy_api_answer_failed(c, a);
		return;
	}
	json_decref(c->body);
	c->body = json_pack("{s:s}", "refused", a->text);
	char *params = xy_api_params(c, json_pack("{s:s}", "peer", c->name));
	if (params)
		xy_ask(c->web->ask, "/xylem/peers", params, on_looked_up, c);
	free(params);
}

static void on_done(void *arg, const struct xy_ask_answer *a)
{
	struct xy_api_call *c = arg;
	if (!a->answer) {
		xy_act_refused(c, a);
		return;
	}
	xy_act_say(c, "done");
	xy_api_answer_once(c, a->answer);
}

// The body's members as the daemon calls them, beside the path's name. The caller's; NULL: no
// memory.
static json_t *daemon_params(const struct xy_api_call *c)
{
	json_t *o = c->name[0] ? json_pack("{s:s}", "peer", c->name) : json_object();
	const char *key;
	json_t *v;
	json_object_foreach(c->body, key, v)
	{
		const struct xy_api_param *p = xy_api_param_of(c->entry, key);
		if (o && json_object_set(o, p->daemon ? p->daemon : key, v)) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

static void ask_control(struct xy_api_call *c, json_t *params, xy_ask_done *done)
{
	char *text = xy_api_params(c, params);
	if (text)
		xy_ask(c->web->control, c->entry->command, text, done, c);
	if (text)
		sodium_memzero(text, strlen(text));
	free(text);
}

void xy_act_steer(struct xy_api_call *c)
{
	ask_control(c, daemon_params(c), on_done);
}

// --- leaves

struct leaf {
	struct xy_api_call *call;
	struct xy_leaf made;
	char endpoint[300];
};

static void leaf_free(struct leaf *l)
{
	sodium_memzero(l, sizeof(*l));
	free(l);
}

// Rows of modules; NULL: there is none.
static json_t *qr_of(const char *text)
{
	QRcode *q = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
	json_t *rows = json_array();
	char row[256];
	for (int y = 0; q && y < q->width && q->width < (int)sizeof(row); y++) {
		for (int x = 0; x < q->width; x++)
			row[x] = q->data[y * q->width + x] & 1 ? '1' : '0';
		json_array_append_new(rows, json_stringn(row, (size_t)q->width));
	}
	if (q)
		sodium_memzero(q->data, (size_t)(q->width * q->width));
	QRcode_free(q);
	sodium_memzero(row, sizeof(row));
	return rows;
}

static void on_leaf(void *arg, const struct xy_ask_answer *a)
{
	struct leaf *l = arg;
	struct xy_api_call *c = l->call;
	if (!a->answer) {
		leaf_free(l);
		xy_act_refused(c, a);
		return;
	}
	char *text = xy_leaf_config_text(&l->made, a->answer);
	json_object_set_new(a->answer, "config", text ? json_string(text) : json_null());
	json_object_set_new(a->answer, "qr",
			    text && l->made.secret[0] ? qr_of(text) : json_array());
	if (l->made.behind)
		json_object_set_new(a->answer, "note",
				    json_string("the endpoint is an address of a private network: "
						"from elsewhere the device needs another"));
	xy_config_text_wipe(text);
	leaf_free(l);
	xy_act_say(c, "done");
	xy_api_answer_once(c, a->answer);
}

static struct leaf *leaf_make(struct xy_api_call *c)
{
	const char *endpoint = json_string_value(json_object_get(c->body, "endpoint"));
	struct leaf *l = calloc(1, sizeof(*l));
	struct xy_err why;
	if (!l) {
		xy_api_problem(c, 500, "not enough memory");
		return NULL;
	}
	l->call = c;
	if (endpoint && strlen(endpoint) < sizeof(l->endpoint) &&
	    xy_config_endpoint_check(endpoint, &why) == 0) {
		strcpy(l->endpoint, endpoint);
		l->made.endpoint = l->endpoint;
	} else if (endpoint) {
		xy_api_problem(c, 422,
			       "endpoint: write HOST:PORT, where the device finds this node");
	} else if (!xy_leaf_host_guess(&l->made)) {
		xy_api_problem(c, 422,
			       "where does the device reach this node? Say endpoint: HOST:PORT");
	}
	if (l->made.endpoint || (!endpoint && l->made.host[0]))
		return l;
	leaf_free(l);
	return NULL;
}

// They are the device's own, and what it is told to call itself: no networks.
static bool addresses_are_right(struct xy_api_call *c)
{
	const json_t *all = json_object_get(c->body, "addresses"), *one;
	size_t i;
	json_array_foreach(all, i, one)
	{
		struct xy_prefix p;
		const char *text = json_string_value(one);
		bool v4 = text && !strchr(text, ':');
		if (text && xy_prefix_parse(text, &p) == 0 && p.len == 128)
			continue;
		xy_api_problem(
			c, 422,
			"addresses: \"%.60s\" is not one of a device; write addresses, without "
			"a length or with /%d",
			text ? text : "", v4 ? 32 : 128);
		return false;
	}
	return true;
}

void xy_act_leaf_add(struct xy_api_call *c)
{
	if (!addresses_are_right(c))
		return;
	struct leaf *l = leaf_make(c);
	if (!l)
		return;
	json_t *o = daemon_params(c);
	json_object_del(o, "endpoint");
	if (o && !json_object_get(o, "key"))
		xy_leaf_keys_make(&l->made, o);
	char *text = xy_api_params(c, o);
	if (!text) {
		leaf_free(l);
		return;
	}
	xy_ask(c->web->control, c->entry->command, text, on_leaf, l);
	sodium_memzero(text, strlen(text));
	free(text);
}
