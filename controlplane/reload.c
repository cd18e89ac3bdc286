// SPDX-License-Identifier: BSD-3-Clause
#include "reload.h"

#include "api/listen.h"
#include "cores.h"
#include "daemon.h"
#include "exits.h"
#include "fleetside.h"
#include "hostroutes.h"
#include "inbound.h"
#include "interface.h"
#include "memory.h"
#include "notify.h"
#include "pool.h"
#include "runsocket.h"
#include "steering.h"
#include "suites.h"
#include "warden/warden.h"

#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

struct reload {
	uv_work_t req;
	struct xy_daemon *d;
	struct xy_plan plan;
	struct xy_accepts accepts; // of a plan whose keys are all known
	struct xy_err err;
	struct xy_err key; // what is wrong with the key file, if anything
	int result;
};

// A key is read at start alone; a file that no longer holds it is told now, not at the restart.
static void key_look(struct reload *r)
{
	struct xy_identity id;
	if (r->d->key_lost.text[0])
		return;
	if (xy_keyfile_load(r->plan.config.key_file, &id, &r->key))
		return;
	if (memcmp(&id.x25519, &r->d->id.x25519, sizeof(id.x25519)) != 0)
		xy_err_set(&r->key, ESTALE,
			   "key file %.200s: holds another key now; it takes effect at a restart",
			   r->plan.config.key_file);
	xy_identity_wipe(&id);
}

static void reload_run(uv_work_t *req)
{
	struct reload *r = (struct reload *)req;
	struct xy_warden *helper = r->d->sandbox.warden; // it believes nobody else
	struct xy_config config;
	struct xy_err why;
	int e;
	if (helper)
		xy_warden_read_begin(helper);
	r->result = xy_setup_config(&r->d->setup, &config, &r->err);
	if (!r->result) {
		r->result = xy_plan_make(r->d->config_path, &config, &r->d->id, &r->plan, &r->err);
	} else {
		if (config.errors.count) // all that is wrong is told at once
			xy_plan_look(r->d->config_path, &config, &r->d->id);
		r->plan.config = config;
	}
	if (helper && (e = xy_warden_read_end(helper, r->plan.config.digest, &why)) && !r->result) {
		r->result = e;
		r->err = why;
	}
	if (!r->result)
		key_look(r);
	if (!r->result && !r->plan.keyless_count)
		xy_accepts_make(&r->plan.config, r->plan.remote,
				&r->accepts); // else it is tried again
}

#define KEEP(old, new, field, key)                                                                \
	do {                                                                                      \
		if (memcmp(&(old)->field, &(new)->field, sizeof((old)->field)) != 0)              \
			xy_log_warn("reload: %s has changed; it takes effect at a restart", key); \
		memcpy(&(new)->field, &(old)->field, sizeof((old)->field));                       \
	} while (0)

// A group that its socket cannot be given to now is told at once.
static void group_look(const char *setting, const char *group, const char *was, bool gives)
{
	struct xy_err err;
	if (strcmp(group, was) == 0)
		return;
	if (!xy_listen_may_give(setting, group, &err))
		xy_log_warn("reload: %s", err.text);
	else if (!gives && group[0])
		xy_log_warn("reload: %s.group has changed: with --sandbox, and no group in the "
			    "config at the start, the socket is given to one that xylemd is a "
			    "member of. To another one from a restart on; until then run chgrp",
			    setting);
}

// What is built at start stays as it was started, and is named. (memcmp of these is sound: a config
// is zeroed before it is filled.)
static void keep_fixed(const struct xy_config *old, struct xy_config *new, bool gives)
{
	KEEP(old, new, key_file, "key_file");
	KEEP(old, new, state, "state");
	KEEP(old, new, port_count, "the number of ports");
	for (unsigned i = 0; i < old->port_count; i++) {
		new->ports[i].line = old->ports[i].line;
		KEEP(old, new, ports[i], "a port");
	}
	KEEP(old, new, fwmark, "fwmark");
	KEEP(old, new, host, "host or tun");
	KEEP(old, new, workers, "workers");
	KEEP(old, new, max_peers, "max_peers");
	KEEP(old, new, max_sessions, "max_sessions");
	KEEP(old, new, max_routes, "max_routes");
	group_look("telemetry", new->telemetry.group, old->telemetry.group, gives);
	group_look("control", new->control.group, old->control.group, gives);
	KEEP(old, new, sandbox, "sandbox");
}

// The next one, if it was asked for meanwhile.
static void reload_end(struct xy_daemon *d)
{
	d->reloads.going = false;
	if (d->reloads.again && !d->loop.stopping) {
		d->reloads.again = false;
		xy_reload_begin(d);
		return;
	}
	xy_notify("READY=1");
}

// A refused config stays a warning until one is taken: the daemon goes on with what it had, and
// looks as if all were well.
static void reload_note(struct xy_daemon *d, const struct xy_err *why)
{
	time_t now = time(NULL);
	struct tm t;
	d->reloads.why = why ? *why : (struct xy_err){{0}};
	if (why && localtime_r(&now, &t))
		strftime(d->reloads.at, sizeof(d->reloads.at), "%F %T %z", &t);
	if (why)
		d->reloads.refused++;
	else
		d->reloads.taken++;
}

static void old_free(void *old)
{
	xy_plan_free(old);
	malloc_trim(0); // it was between what stays
}

// To free all of many peers takes longer than a turn should.
static void old_put_away(struct xy_daemon *d)
{
	struct xy_plan *old = malloc(sizeof(*old));
	if (!old) {
		old_free(&d->reloads.old);
		return;
	}
	*old = d->reloads.old;
	sodium_memzero(&d->reloads.old, sizeof(d->reloads.old));
	xy_pool_run(d, old_free, free, old);
}

static void reloaded(struct xy_daemon *d)
{
	old_put_away(d);
	xy_informer_reload(d);
	xy_suites_reload(d);
	xy_interface_mtu_update(d);
	xy_hostroutes_reloaded(d);
	xy_memory_prune(d);
	xy_log_info("reloaded %s, peers: %u", d->config_path, xy_links_count(d->links));
	reload_end(d);
}

// Links first, then what routing has of a config beside them; in between, all is as the old plan
// has it, or the new.
void xy_enforce_look(struct xy_daemon *d)
{
	struct xy_err err;
	if (d->reloads.enforcing == XY_ENFORCING_NONE) { // of a peer that came otherwise
		if (xy_routing_apply_result(d->routing, &err))
			xy_log_error("%s", err.text);
		return;
	}
	if (d->reloads.enforcing == XY_ENFORCING_LINKS && !xy_links_applying(d->links)) {
		d->reloads.enforcing = XY_ENFORCING_ROUTING;
		xy_join_look(d->join);
		xy_routing_apply_begin(d->routing, &d->plan.config);
	}
	if (d->reloads.enforcing != XY_ENFORCING_ROUTING || xy_routing_applying(d->routing))
		return;
	d->reloads.enforcing = XY_ENFORCING_NONE;
	int r = xy_links_apply_result(d->links, &err);
	int routing = xy_routing_apply_result(d->routing, r ? NULL : &err);
	if (r || routing)
		xy_log_error("reload: %s", err.text);
	reload_note(d, r || routing ? &err : NULL);
	xy_steering_reloaded(d, r || routing ? &err : NULL, NULL);
	xy_fleetside_settle(d);
	reloaded(d);
}

static void take_over(struct xy_daemon *d, struct xy_plan *plan, struct xy_accepts *accepts)
{
	xy_plan_warn(plan, "reload: ");
	if (d->sandbox.warden)
		xy_warden_take(d->sandbox.warden);
	keep_fixed(&d->plan.config, &plan->config, xy_sandbox_gives(d));
	xy_steering_lay(d, plan);
	if (xy_fleetside_lay(d, plan)) // what a helper made knows nothing of it
		xy_accepts_free(accepts);
	d->reloads.old = d->plan; // the book points into it until it has the new one
	d->plan = *plan;
	xy_steering_log_apply(d);
	xy_cores_set(d->plan.config.core_dumps);
	xy_runsocket_change(d);
	d->reloads.enforcing = XY_ENFORCING_LINKS;
	xy_routing_apply_stop(d->routing); // it was at a plan that is gone
	xy_sealing_accepts(d, accepts);
	xy_sealing_apply(d);
	xy_joiner_apply(d);
	xy_inbound_update(d);
	xy_exits_apply(d, &d->reloads.old.config);
	xy_links_apply_begin(d->links, &d->plan);
}

static void refused(struct xy_daemon *d, const struct reload *r)
{
	unsigned n = r->plan.config.errors.count;
	struct xy_err all = r->err;
	if (n > 1) {
		n = xy_plan_refused(&r->plan, "reload: ");
		xy_err_set(&all, EINVAL, "%.420s (and %u more: see the log)", r->err.text, n - 1);
		xy_log_error("reload: %s has %u errors; the old config stays in force",
			     d->config_path, n);
	} else {
		xy_log_error("reload: %s; the old config stays in force", r->err.text);
	}
	reload_note(d, &all);
	xy_steering_reloaded(d, &all, &r->plan.config.errors);
}

static void decide(struct reload *r, bool good, bool cancelled)
{
	struct xy_daemon *d = r->d;
	if (good && !d->loop.stopping)
		take_over(d, &r->plan, &r->accepts);
	else if (!good && !cancelled)
		refused(d, r);
	if (!good || d->loop.stopping)
		xy_plan_free(&r->plan);
	xy_accepts_free(&r->accepts);
	sodium_memzero(r, sizeof(*r));
	free(r);
	if (d->reloads.enforcing == XY_ENFORCING_NONE)
		reload_end(d);
}

// Its rules for what the mesh may reach are in force, or the old ones are, and then all else of the
// old config as well.
static void rules_done(void *arg, const struct xy_err *why)
{
	struct reload *r = arg;
	if (why)
		xy_err_set(&r->err, EIO, "host.allow: %.400s", why->text);
	decide(r, !why, false);
}

static void reload_done(uv_work_t *req, int status)
{
	struct reload *r = (struct reload *)req;
	struct xy_daemon *d = r->d;
	bool good = !status && !r->result;
	xy_loop_begin(&d->loop);
	if (good && r->key.text[0])
		xy_log_warn("reload: %s", r->key.text);
	if (!good || d->loop.stopping || !xy_inbound_change(d, &r->plan.config, rules_done, r))
		decide(r, good, status);
	xy_loop_end(&d->loop, &d->seat[XY_SEAT_RESULTS]);
}

uint32_t xy_reload_begin(struct xy_daemon *d)
{
	if (d->reloads.going) {
		d->reloads.again = true;
		return d->reloads.begun + 1;
	}
	struct reload *r = calloc(1, sizeof(*r));
	if (!r) {
		xy_log_error("reload: no memory");
		return 0;
	}
	r->d = d;
	d->reloads.going = true;
	xy_notify("RELOADING=1");
	uv_queue_work(&d->loop.uv, &r->req, reload_run, reload_done);
	return ++d->reloads.begun;
}
