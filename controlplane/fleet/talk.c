// SPDX-License-Identifier: BSD-3-Clause
#include "fleet/talk.h"

#include "client/rundir.h"

#include <stdlib.h>
#include <string.h>

enum {
	ANSWER_MS = 10000,
	TELL_MS = 40000, // the daemon's own limit is 30 s
	PER_SECOND = 100,
	QUEUE = 1024,
	AGAIN_MS = 5000, // until it is asked again who it is
};

struct xy_fleet_daemon {
	uv_loop_t *loop;
	struct xy_ask *control, *telemetry;
	uv_timer_t again;
	const struct xy_fleet_daemon_ops *ops;
	void *arg;
	char start[80]; // of the process that was met
	bool met, closing;
	char why[XY_FLEET_WHY_SIZE]; // it is not
};

static void hello(struct xy_fleet_daemon *d);

static void on_again(uv_timer_t *t)
{
	hello(t->data);
}

static void away(struct xy_fleet_daemon *d, const char *why)
{
	bool changed = d->met || strcmp(d->why, why) != 0;
	d->met = false;
	snprintf(d->why, sizeof(d->why), "%s", why);
	if (changed)
		d->ops->away(d->arg, d->why);
}

static bool text_key(const json_t *o, const char *name, struct xy_key *out)
{
	const char *text = json_string_value(json_object_get(o, name));
	struct xy_err err;
	return text && xy_key_parse(text, out, &err) == 0;
}

static bool self_read(const json_t *o, struct xy_fleet_self *out)
{
	const char *address = json_string_value(json_object_get(o, "address"));
	const char *name = json_string_value(json_object_get(o, "name"));
	*out = (struct xy_fleet_self){0};
	snprintf(out->name, sizeof(out->name), "%s", name ? name : "");
	return address && xy_addr_parse(address, &out->address) == 0 &&
	       text_key(o, "key", &out->key) && text_key(o, "link_key", &out->link_key);
}

static void on_hello(void *arg, const struct xy_ask_answer *a)
{
	struct xy_fleet_daemon *d = arg;
	struct xy_fleet_self self;
	char why[XY_FLEET_WHY_SIZE];
	if (d->closing) {
		json_decref(a->answer);
		return;
	}
	const char *start = json_string_value(json_object_get(a->answer, "start"));
	if (a->answer && start && self_read(a->answer, &self)) {
		bool anew = strncmp(start, d->start, sizeof(d->start) - 1) != 0;
		snprintf(d->start, sizeof(d->start), "%s", start);
		d->met = true;
		d->why[0] = 0;
		d->ops->met(d->arg, &self, anew);
	} else {
		bool old = a->answer || a->code == -EREMOTE || a->code == -ENOENT;
		snprintf(why, sizeof(why),
			 old ? "the daemon knows of no fleet (%s); is it of the same version?"
			     : "%s",
			 a->text ? a->text : "its answer is none of ours");
		away(d, why);
		uv_timer_start(&d->again, on_again, AGAIN_MS, 0);
	}
	json_decref(a->answer);
}

static void hello(struct xy_fleet_daemon *d)
{
	if (xy_ask_reached(d->control))
		xy_ask_first(d->control, "/xylem/fleet_hello", "{}", on_hello, d);
}

static void on_changed(void *arg, bool reached)
{
	struct xy_fleet_daemon *d = arg;
	const char *why = reached ? NULL : xy_ask_why(d->control, NULL);
	if (reached)
		uv_timer_start(&d->again, on_again, 0, 0);
	else if (!d->closing)
		away(d, why ? why : "it is away");
}

int xy_fleet_daemon_create(uv_loop_t *loop, const char *instance,
			   const struct xy_fleet_daemon_ops *ops, void *arg,
			   struct xy_fleet_daemon **out)
{
	struct xy_fleet_daemon *d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	*d = (struct xy_fleet_daemon){
		.loop = loop, .ops = ops, .arg = arg, .why = "it was not asked yet"};
	struct xy_ask_config control = {.instance = instance,
					.socket = XY_RUNDIR_CONTROL,
					.answer_ms = TELL_MS,
					.per_second = PER_SECOND,
					.queue = QUEUE,
					.changed = on_changed,
					.arg = d};
	struct xy_ask_config look = {.instance = instance,
				     .socket = XY_RUNDIR_TELEMETRY,
				     .answer_ms = ANSWER_MS,
				     .per_second = PER_SECOND,
				     .queue = QUEUE,
				     .lazy = true};
	uv_timer_init(loop, &d->again);
	d->again.data = d;
	*out = d;
	int r = xy_ask_create(loop, &control, &d->control);
	return r ? r : xy_ask_create(loop, &look, &d->telemetry);
}

void xy_fleet_daemon_tell(struct xy_fleet_daemon *d, const char *command, json_t *params,
			  xy_ask_done *done, void *arg)
{
	static const struct xy_ask_answer no = {.code = -ENOMEM, .text = "not enough memory"};
	char *text = params ? json_dumps(params, JSON_COMPACT) : NULL;
	json_decref(params);
	if (text)
		xy_ask(d->control, command, text, done, arg);
	else
		done(arg, &no);
	free(text);
}

void xy_fleet_daemon_look(struct xy_fleet_daemon *d, const char *command, const char *params,
			  xy_ask_done *done, void *arg)
{
	xy_ask(d->telemetry, command, params, done, arg);
}

const char *xy_fleet_daemon_why(const struct xy_fleet_daemon *d)
{
	return d->met ? NULL : d->why;
}

static void freed(uv_handle_t *h)
{
	free(h->data);
}

void xy_fleet_daemon_close(struct xy_fleet_daemon *d)
{
	if (!d)
		return;
	d->closing = true;
	xy_ask_close(d->control);
	xy_ask_close(d->telemetry);
	uv_close((uv_handle_t *)&d->again, freed);
}
