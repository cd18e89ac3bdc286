// SPDX-License-Identifier: BSD-3-Clause
// The commands of the control socket. Params are a JSON object; what is not as it must be is
// refused with what to do, and nothing has changed then.
#include "commands.h"

#include "base/bytes.h"
#include "daemon.h"
#include "fleetside.h"
#include "interface.h"
#include "naming.h"
#include "steering.h"

#include <stdlib.h>
#include <string.h>

// --- params

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static int flag_of(const json_t *o, const char *key, bool *out, struct xy_err *err)
{
	const json_t *v = json_object_get(o, key);
	if (!json_is_boolean(v))
		return xy_err_set(err, EINVAL, "%s: write true or false", key);
	*out = json_is_true(v);
	return 0;
}

// --- peers

// In force, by "peer" of the params.
static int find_peer(const struct xy_daemon *d, const json_t *o, uint32_t *slot,
		     struct xy_book_peer *out, struct xy_err *err)
{
	const char *text = text_of(o, "peer");
	if (!text || !text[0])
		return xy_err_set(err, EINVAL, "which peer? Write its name, key or address");
	int r = xy_naming_peer(d, text, slot, err);
	if (!r && !xy_book_in_force(&d->book, xy_links_key(d->links, *slot), out))
		r = xy_err_set(err, ENOENT, "peer %.80s: is about to go", text);
	return r;
}

static json_t *named(const struct xy_book_peer *p)
{
	char key[XY_KEY_STRLEN];
	return json_pack("{s:s, s:s}", "peer", p->says->name, "key", xy_key_str(&p->key, key));
}

// --- set

static int traffic_of(const json_t *o, struct xy_runtime_want *w, struct xy_err *err)
{
	const json_t *v = json_object_get(o, "traffic");
	const char *text = json_string_value(v);
	if (!v)
		return 0;
	if (text && strcmp(text, "on") == 0)
		w->traffic = XY_TRAFFIC_ON;
	else if (text && strcmp(text, "off") == 0)
		w->traffic = XY_TRAFFIC_OFF;
	else
		return xy_err_set(err, EINVAL, "traffic: write on or off");
	return 0;
}

static int cost_of(const json_t *o, struct xy_runtime_want *w, struct xy_err *err)
{
	const json_t *v = json_object_get(o, "cost");
	const char *text = json_string_value(v);
	json_int_t n = json_integer_value(v);
	if (!v)
		return 0;
	w->to_config = text && strcmp(text, "default") == 0;
	if (!w->to_config && (n < 1 || n > 65534))
		return xy_err_set(err, EINVAL,
				  "cost: write 1 to 65534, or default for what the config says");
	w->cost = (uint16_t)n;
	return 0;
}

static json_t *set_peer(void *arg, struct xy_request *q)
{
	static const char *const keys[] = {"peer", "traffic", "cost", NULL};
	struct xy_daemon *d = arg;
	struct xy_runtime_want w = {0};
	struct xy_book_peer p;
	struct xy_err err;
	uint32_t slot;
	json_t *not_now;
	if (xy_steering_waits(d, q, set_peer, &not_now))
		return not_now;
	json_t *o = xy_steering_params(q, keys, &err);
	int r = o ? traffic_of(o, &w, &err) : -EINVAL;
	r = r ? r : cost_of(o, &w, &err);
	if (!r && !w.traffic && !w.cost && !w.to_config)
		r = xy_err_set(&err, EINVAL, "set what? traffic on|off, or cost N");
	r = r ? r : find_peer(d, o, &slot, &p, &err);
	r = r ? r : xy_runtime_set(xy_steering_runtime(d), &p, &w, &err);
	json_decref(o);
	if (r)
		return xy_steering_refused(q, &err);
	const char *traffic = p.says->no_traffic ? "off" : "on";
	unsigned cost = p.says->cost ? p.says->cost : XY_BABEL_COST;
	json_t *a = named(&p);
	json_object_set_new(a, "traffic", json_string(traffic));
	json_object_set_new(a, "cost", json_integer(cost));
	return xy_steering_done(d, q, a, "peer %s: traffic %s, cost %u", p.says->name, traffic,
				cost);
}

// --- peers and leaves that come and go

static bool is_plain(const char *text) // no control characters: libconfig knows no escapes of them
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ')
			return false;
	return true;
}

static int string_put(FILE *to, const char *key, const char *text, struct xy_err *err)
{
	if (!is_plain(text))
		return xy_err_set(err, EINVAL, "%s: has a control character in it", key);
	fputc('"', to);
	for (; *text; text++)
		fprintf(to, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	fputc('"', to);
	return 0;
}

static int list_put(FILE *to, const char *key, const json_t *list, struct xy_err *err)
{
	int r = 0;
	fputs("[ ", to);
	for (size_t i = 0; !r && i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		fputs(i ? ", " : "", to);
		r = text ? string_put(to, key, text, err)
			 : xy_err_set(err, EINVAL, "%s: write strings", key);
	}
	fputs(" ]", to);
	return r;
}

static int value_put(FILE *to, const char *key, const json_t *v, struct xy_err *err)
{
	if (json_is_string(v))
		return string_put(to, key, json_string_value(v), err);
	if (json_is_array(v))
		return list_put(to, key, v, err);
	if (json_is_boolean(v))
		fputs(json_is_true(v) ? "true" : "false", to);
	else if (json_is_integer(v))
		fprintf(to, "%lld", (long long)json_integer_value(v));
	else
		return xy_err_set(err, EINVAL, "%s: write a string, a number or a list", key);
	return 0;
}

// Params as an entry of the config's peers, where they are checked as those are. malloc'd.
static char *entry_of(const json_t *o, struct xy_err *err)
{
	char *text = NULL;
	const char *key;
	json_t *v;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	int r = to ? 0 : xy_err_set(err, ENOMEM, "no memory");
	if (r)
		return NULL;
	fputs("{ ", to);
	json_object_foreach((json_t *)(uintptr_t)o, key, v)
	{
		fprintf(to, "%s = ", key);
		r = r ? r : value_put(to, key, v, err);
		fputs("; ", to);
	}
	fputs("}", to);
	fclose(to);
	if (!r)
		return text;
	xy_config_text_wipe(text);
	return NULL;
}

static int add(struct xy_daemon *d, const json_t *o, struct xy_key *key, struct xy_err *err)
{
	const struct xy_config *c = &d->plan.config;
	if (xy_links_count(d->links) >= c->max_peers)
		return xy_err_set(err, ENOSPC,
				  "there are as many peers as max_peers (%u) allows; raise it in "
				  "the config and restart",
				  c->max_peers);
	char *text = entry_of(o, err);
	int r = text ? xy_runtime_peer_add(xy_steering_runtime(d), text, c, key, err) : -EINVAL;
	xy_config_text_wipe(text);
	if (!r)
		xy_fleetside_settle(d); // it may have the name of one that a registry named
	return r;
}

static json_t *peer_add(void *arg, struct xy_request *q)
{
	static const char *const keys[] = {"name", "key", "endpoint", "endpoints", "keepalive",
					   "mtu",  "psk", "cost",     "traffic",   NULL};
	struct xy_daemon *d = arg;
	struct xy_key key;
	struct xy_err err;
	json_t *not_now;
	if (xy_steering_waits(d, q, peer_add, &not_now))
		return not_now;
	json_t *o = xy_steering_params(q, keys, &err);
	int r = o ? add(d, o, &key, &err) : -EINVAL;
	json_decref(o);
	if (r)
		return xy_steering_refused(q, &err);
	const struct xy_config_peer *p = xy_runtime_peer(xy_steering_runtime(d), &key);
	const struct xy_book_peer e = {.key = key, .says = p};
	return xy_steering_done(d, q, named(&e), "peer %s added", p->name);
}

// Its address is the first that is free, where none is given.
static int leaf_complete(struct xy_daemon *d, json_t *o, struct xy_err *err)
{
	char text[XY_ADDR_STRLEN];
	struct xy_addr a;
	json_object_set_new(o, "leaf", json_true());
	if (json_object_get(o, "allowed"))
		return 0;
	if (xy_runtime_address(xy_steering_runtime(d), &d->plan.config, &a))
		return xy_err_set(err, ENOSPC,
				  "no address of our /64 is free; give one: --address");
	json_object_set_new(o, "allowed", json_pack("[s]", xy_addr_str(&a, text)));
	return 0;
}

static unsigned port_of(const struct xy_config *c)
{
	for (unsigned i = 0; i < c->port_count; i++)
		if (c->ports[i].port)
			return c->ports[i].port;
	return XY_PORT_DEFAULT;
}

// What the device has to know of us.
static json_t *leaf_facts(const struct xy_daemon *d, const struct xy_config_peer *p)
{
	char key[XY_KEY_STRLEN], ours[XY_KEY_STRLEN], prefix[XY_PREFIX_STRLEN];
	json_t *list = json_array();
	for (unsigned i = 0; i < p->allowed.count; i++)
		json_array_append_new(list, json_string(xy_prefix_str(&p->allowed.v[i], prefix)));
	return json_pack("{s:s, s:s, s:o, s:s, s:i}", "peer", p->name, "key",
			 xy_key_str(&p->key, key), "allowed", list, "node_key",
			 xy_key_str(&d->id.x25519, ours), "port", (int)port_of(&d->plan.config));
}

static json_t *leaf_add(void *arg, struct xy_request *q)
{
	static const char *const keys[] = {"name", "key", "psk", "allowed", "keepalive", NULL};
	struct xy_daemon *d = arg;
	struct xy_key key;
	struct xy_err err;
	json_t *not_now;
	if (xy_steering_waits(d, q, leaf_add, &not_now))
		return not_now;
	json_t *o = xy_steering_params(q, keys, &err);
	int r = o ? leaf_complete(d, o, &err) : -EINVAL;
	r = r ? r : add(d, o, &key, &err);
	json_decref(o);
	if (r)
		return xy_steering_refused(q, &err);
	const struct xy_config_peer *p = xy_runtime_peer(xy_steering_runtime(d), &key);
	return xy_steering_done(d, q, leaf_facts(d, p), "leaf %s added", p->name);
}

static int refuse_remove(const struct xy_daemon *d, const struct xy_book_peer *p,
			 struct xy_err *err)
{
	static const char *const where[] = {
		[XY_BOOK_COMMAND_LINE] = "xylemd was started with it (--peer)",
		[XY_BOOK_CONFIG] = "it stands in the config",
		[XY_BOOK_PIN] = "it stands in the config",
		[XY_BOOK_REGISTRY] = "xylem-fleet named it, by what its registry says",
		[XY_BOOK_OPEN] = "nobody configured it: peering is open",
	};
	return xy_err_set(err, EPERM,
			  "peer %s: %s%s%.200s; take it out there and run: xylem reload. For now: "
			  "xylem set peer %s traffic off",
			  p->says->name, where[p->source], p->source == XY_BOOK_CONFIG ? ", " : "",
			  p->source == XY_BOOK_CONFIG ? d->config_path : "", p->says->name);
}

// It has left the config, and what was set of it waits for it to come back: not any more. Takes o.
static json_t *forgotten(struct xy_daemon *d, struct xy_request *q, json_t *o)
{
	char name[XY_KEY_STRLEN];
	snprintf(name, sizeof(name), "%s", text_of(o, "peer"));
	json_decref(o);
	return xy_steering_done(d, q, json_pack("{s:s}", "peer", name),
				"peer %s: what was set of it is forgotten", name);
}

// What was added at run time; the config's are the config's.
static json_t *remove_one(struct xy_daemon *d, struct xy_request *q, bool leaf)
{
	static const char *const keys[] = {"peer", NULL};
	struct xy_book_peer p;
	struct xy_err err;
	uint32_t slot;
	json_t *o = xy_steering_params(q, keys, &err);
	int r = o ? find_peer(d, o, &slot, &p, &err) : -EINVAL;
	if (r == -ENOENT && xy_runtime_forget(xy_steering_runtime(d), text_of(o, "peer")) == 0)
		return forgotten(d, q, o);
	json_decref(o);
	if (!r && leaf && !p.says->leaf)
		r = xy_err_set(&err, EINVAL, "peer %s: is no leaf; xylem peer remove %s would",
			       p.says->name, p.says->name);
	if (!r && p.source != XY_BOOK_RUNTIME)
		r = refuse_remove(d, &p, &err);
	if (r)
		return xy_steering_refused(q, &err);
	json_t *a = named(&p);
	char name[XY_NAME_LEN + 1];
	memcpy(name, p.says->name, sizeof(name));
	if (xy_runtime_peer_remove(xy_steering_runtime(d), &p.key)) {
		json_decref(a);
		xy_err_set(&err, ENOMEM, "peer %s: no memory", name);
		return xy_steering_refused(q, &err);
	}
	return xy_steering_done(d, q, a, "peer %s removed", name);
}

static json_t *peer_remove(void *arg, struct xy_request *q)
{
	json_t *not_now;
	return xy_steering_waits(arg, q, peer_remove, &not_now) ? not_now
								: remove_one(arg, q, false);
}

static json_t *leaf_remove(void *arg, struct xy_request *q)
{
	json_t *not_now;
	return xy_steering_waits(arg, q, leaf_remove, &not_now) ? not_now
								: remove_one(arg, q, true);
}

static json_t *peer_reset(void *arg, struct xy_request *q)
{
	static const char *const keys[] = {"peer", NULL};
	struct xy_daemon *d = arg;
	struct xy_book_peer p;
	struct xy_err err;
	uint32_t slot;
	json_t *not_now;
	if (xy_steering_waits(d, q, peer_reset, &not_now))
		return not_now;
	json_t *o = xy_steering_params(q, keys, &err);
	int r = o ? find_peer(d, o, &slot, &p, &err) : -EINVAL;
	json_decref(o);
	if (r)
		return xy_steering_refused(q, &err);
	xy_links_reset(d->links, slot, xy_now());
	return xy_steering_said(d, q, named(&p), "peer %s: session ended, to begin anew",
				p.says->name);
}

// --- the node

static json_t *reload(void *arg, struct xy_request *q)
{
	return xy_steering_reload(arg, q, xy_reload_begin(arg));
}

static json_t *drain(void *arg, struct xy_request *q)
{
	static const char *const keys[] = {"drained", NULL};
	struct xy_daemon *d = arg;
	struct xy_runtime *r = xy_steering_runtime(d);
	struct xy_err err;
	bool on = false;
	json_t *o = xy_steering_params(q, keys, &err);
	int e = o ? flag_of(o, "drained", &on, &err) : -EINVAL;
	json_decref(o);
	if (!e && d->farewell_began)
		e = xy_err_set(&err, EBUSY, "this node is stopping");
	if (e)
		return xy_steering_refused(q, &err);
	unsigned told = 0;
	if (on && !r->drained)
		told = xy_routing_goodbye(d->routing, xy_now());
	else if (!on)
		xy_routing_stay(d->routing, xy_now());
	bool was = r->drained;
	r->drained = on;
	json_t *a = json_pack("{s:b, s:b, s:i}", "drained", on, "was", was, "told", (int)told);
	return xy_steering_done(d, q, a, on ? "drained" : "drained no more");
}

// text among names, which NULL ends; -1: it is none.
static int place_of(const char *text, const char *const *names)
{
	for (int i = 0; text && names[i]; i++)
		if (strcmp(text, names[i]) == 0)
			return i;
	return -1;
}

// What the config says is nothing that was changed at run time.
static void level_take(struct xy_runtime *r, const struct xy_config *c, int part, int level)
{
	if (part >= 0)
		r->levels[part] = level == c->log_levels[part] ? XY_LOG_AS_IT_IS : (uint8_t)level;
	else
		r->level = level == (int)c->log_level ? XY_LOG_AS_IT_IS : level;
	if (part < 0 && level == XY_LOG_AS_IT_IS)
		memset(r->levels, XY_LOG_AS_IT_IS, sizeof(r->levels));
}

static int level_read(const json_t *o, int *part, int *level, struct xy_err *err)
{
	const char *text = text_of(o, "level"), *of = text_of(o, "subsystem");
	char all[256];
	size_t n = 0;
	*part = place_of(of, xy_log_part_names);
	*level = text && strcmp(text, "default") == 0 ? XY_LOG_AS_IT_IS
						      : place_of(text, xy_config_level_names);
	for (unsigned i = 0; xy_log_part_names[i] && n < sizeof(all); i++)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", i ? ", " : "",
				      xy_log_part_names[i]);
	if (json_object_get(o, "subsystem") && !of)
		return xy_err_set(err, EINVAL, "subsystem: write one of %s", all);
	if (of && *part < 0)
		return xy_err_set(err, EINVAL, "subsystem: \"%.40s\" is none of %s", of, all);
	if (*level < 0)
		return xy_err_set(err, EINVAL,
				  "level: write error, warn, info or debug, or default for what "
				  "the config says");
	return 0;
}

static json_t *log_level(void *arg, struct xy_request *q)
{
	static const char *const keys[] = {"level", "subsystem", NULL};
	struct xy_daemon *d = arg;
	struct xy_runtime *r = xy_steering_runtime(d);
	struct xy_err err;
	int part, level;
	char what[64];
	json_t *o = xy_steering_params(q, keys, &err);
	int e = o ? level_read(o, &part, &level, &err) : -EINVAL;
	json_decref(o);
	if (e)
		return xy_steering_refused(q, &err);
	level_take(r, &d->plan.config, part, level);
	int is = part < 0 && r->level != XY_LOG_AS_IT_IS ? r->level
		 : part < 0				 ? (int)d->plan.config.log_level
			    : (int)xy_runtime_level(r, &d->plan.config, part);
	snprintf(what, sizeof(what), "log level %s%s%s", part < 0 ? "" : xy_log_part_names[part],
		 part < 0 ? "" : " ", xy_config_level_names[is]);
	bool quiet = xy_runtime_level(r, &d->plan.config, XY_PART_CONTROL) < XY_LOG_INFO;
	if (quiet) // else its own line would not be there
		xy_steering_said(d, q, NULL, "%s", what);
	xy_steering_log_apply(d);
	json_t *a = json_pack("{s:s, s:s?}", "level", xy_config_level_names[is], "subsystem",
			      part < 0 ? NULL : xy_log_part_names[part]);
	return xy_steering_done(d, q, a, "%s", what);
}

// With secrets, which is why it is asked for here: for whoever writes it into the config.
static json_t *runtime(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	struct xy_err err;
	char path[PATH_MAX];
	if (!xy_setup_has_file(&d->setup)) {
		xy_err_set(&err, ENOENT, "xylemd was started without a config file");
		return xy_steering_refused(q, &err);
	}
	if (!realpath(d->config_path, path)) {
		xy_err_set(&err, errno, "%.200s: %s", d->config_path, strerror(errno));
		return xy_steering_refused(q, &err);
	}
	char *text = xy_runtime_text(xy_steering_runtime(d));
	json_t *a = text ? json_pack("{s:s, s:s}", "config", path, "text", text) : NULL;
	xy_config_text_wipe(text);
	return a;
}

int xy_commands_register(struct xy_daemon *d)
{
	static const struct xy_server_command all[] = {
		{"/xylem/set", "Sets a peer. Params: peer, traffic (\"on\", \"off\"), cost.",
		 set_peer},
		{"/xylem/peer_add", "Adds a node. Params: as an entry of the config's peers.",
		 peer_add},
		{"/xylem/peer_remove", "Removes what was added at run time. Params: peer.",
		 peer_remove},
		{"/xylem/peer_reset", "Ends a peer's session, and begins another. Params: peer.",
		 peer_reset},
		{"/xylem/leaf_add",
		 "Adds a WireGuard device. Params: name, key, psk, allowed, keepalive.", leaf_add},
		{"/xylem/leaf_remove", "Removes one that was added at run time. Params: peer.",
		 leaf_remove},
		{"/xylem/reload", "Reads the config anew, answers when it is in force.", reload},
		{"/xylem/drain", "Leaves the mesh, and stays. Params: drained (true, false).",
		 drain},
		{"/xylem/log_level",
		 "Params: level (\"error\" to \"debug\", \"default\"), subsystem.", log_level},
		{"/xylem/runtime", "What was changed at run time, with its secrets.", runtime},
	};
	return xy_server_register_all(d->control, all, XY_ARRAY_SIZE(all), d);
}
