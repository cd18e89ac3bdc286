// SPDX-License-Identifier: BSD-3-Clause
#include "client/who.h"

#include "client/rundir.h"
#include "fields/fields.h"

#include <stdio.h>
#include <string.h>

enum { NAMES = 256 }; // that are kept: strangers may answer a ping, too

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	return text ? text : "";
}

static struct xy_client_config client_of(const struct xy_who *w)
{
	return (struct xy_client_config){.instance = w->cfg.instance,
					 .socket = XY_RUNDIR_TELEMETRY,
					 .timeout_ms = w->cfg.timeout_ms,
					 .is_over = w->cfg.is_over,
					 .arg = w->cfg.arg};
}

int xy_who_connect(const struct xy_who *w, struct xy_client **out, struct xy_err *err)
{
	const struct xy_client_config cfg = client_of(w);
	return xy_client_open(&cfg, out, err);
}

int xy_who_load(const struct xy_who_config *cfg, struct xy_who *out, struct xy_err *err)
{
	struct xy_client *c = NULL;
	*out = (struct xy_who){.cfg = *cfg, .names = json_object()};
	int ret = out->names ? xy_who_connect(out, &c, err)
			     : xy_err_set(err, ENOMEM, "not enough memory");
	ret = ret ? ret : xy_client_ask(c, "/xylem/node", NULL, &out->node, err);
	ret = ret ? ret : xy_client_ask_all(c, "/xylem/peers", NULL, &out->peers, err);
	xy_client_close(c);
	if (ret)
		xy_who_free(out);
	return ret;
}

void xy_who_free(struct xy_who *w)
{
	json_decref(w->node);
	json_decref(w->peers);
	json_decref(w->names);
	*w = (struct xy_who){.node = NULL};
}

static bool is_wanted(void *arg, const json_t *reply, bool over)
{
	const struct xy_who *w = arg;
	return !w->cfg.is_over || !w->cfg.is_over(w->cfg.arg);
}

int xy_who_find(const struct xy_who *w, const char *text, struct xy_who_one *out,
		struct xy_err *err)
{
	const struct xy_client_config cfg = client_of(w);
	json_t *reply = NULL;
	int ret = xy_client_ask_done(&cfg, "/xylem/name", text, is_wanted, (void *)(uintptr_t)w,
				     &reply, err);
	if (ret)
		return ret;
	const char *kind = text_of(reply, XY_KEY(named, kind));
	*out = (struct xy_who_one){.peer = strcmp(kind, "peer") == 0};
	out->has_addr = xy_addr_parse(text_of(reply, XY_KEY(named, address)), &out->addr) == 0;
	snprintf(out->name, sizeof(out->name), "%s", text_of(reply, XY_KEY(named, name)));
	snprintf(out->key, sizeof(out->key), "%s", text_of(reply, XY_KEY(named, key)));
	json_decref(reply);
	return 0;
}

int xy_who_address(const struct xy_who_one *one, struct xy_addr *out, struct xy_err *err)
{
	*out = one->addr;
	if (one->has_addr)
		return 0;
	return xy_err_set(
		err, EINVAL,
		"%.60s may have no single address, only prefixes: give an address in them",
		one->name);
}

const char *xy_who_is(struct xy_who *w, const struct xy_addr *addr)
{
	char text[XY_ADDR_STRLEN];
	struct xy_who_one one;
	xy_addr_str(addr, text);
	const char *known = json_string_value(json_object_get(w->names, text));
	if (!known) {
		if (json_object_size(w->names) >= NAMES)
			json_object_clear(w->names);
		int ret = xy_who_find(w, text, &one, NULL); // a daemon that hangs is asked once
		json_object_set_new(w->names, text, json_string(ret ? "" : one.name));
		known = json_string_value(json_object_get(w->names, text));
	}
	return known && *known ? known : NULL;
}

const json_t *xy_who_row(const struct xy_who *w, const struct xy_who_one *one)
{
	const json_t *p;
	size_t i;
	json_array_foreach(json_object_get(w->peers, XY_KEY(peers, peers)), i, p)
	{
		if (one->peer && strcmp(text_of(p, XY_KEY(peer, key)), one->key) == 0)
			return p;
	}
	return NULL;
}

bool xy_who_addr(const struct xy_who *w, const json_t *row, struct xy_addr *out)
{
	struct xy_who_one one;
	if (xy_who_find(w, text_of(row, XY_KEY(peer, key)), &one, NULL) || !one.has_addr)
		return false;
	*out = one.addr;
	return true;
}
