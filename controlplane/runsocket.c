// SPDX-License-Identifier: BSD-3-Clause
#include "runsocket.h"

#include "api/server.h"
#include "daemon.h"
#include "warden/warden.h"

enum { LOOK_SECONDS = 5, LOOKS_TOLD = 2 };

// Each has a place of its own in the folder, and rights.
static int listen_at(struct xy_daemon *d, struct xy_server *s, const char *socket, unsigned mode,
		     const char *group, struct xy_err *err)
{
	char path[XY_RUNDIR_LEN + sizeof("/" XY_RUNDIR_TELEMETRY)];
	snprintf(path, sizeof(path), "%s/%s", d->rundir.path, socket);
	struct xy_server_config cfg = {.listen = {.instance = d->name,
						  .setting = socket, // as the config calls it
						  .path = path,
						  .mode = mode,
						  .group = group}};
	return xy_server_listen(s, &cfg, err);
}

// What is there already stays.
static int listen_there(struct xy_daemon *d, struct xy_err *err)
{
	const struct xy_config *c = &d->plan.config;
	int r = xy_rundir_make(XY_RUNDIR_DAEMON, d->name, &d->rundir, err);
	if (!r && !xy_server_is_there(d->telemetry))
		r = listen_at(d, d->telemetry, XY_RUNDIR_TELEMETRY, c->telemetry.mode,
			      c->telemetry.group, err);
	if (!r && !xy_server_is_there(d->control))
		r = listen_at(d, d->control, XY_RUNDIR_CONTROL, c->control.mode, c->control.group,
			      err);
	return r;
}

// What may be otherwise soon: a file system that is not there yet, or not to be written to. All
// else is a slip of the config, or another of our name.
static bool is_late(int r)
{
	return r == -ENOENT || r == -EROFS || r == -EACCES || r == -EPERM || r == -ENOSPC ||
	       r == -ENOTDIR;
}

static void around(void *arg, bool begins)
{
	struct xy_daemon *d = arg;
	if (begins)
		xy_loop_begin(&d->loop);
	else
		xy_loop_end(&d->loop, &d->seat[XY_SEAT_SHOWS]);
}

int xy_runsocket_up(struct xy_daemon *d, struct xy_err *err)
{
	int r = xy_server_create(&d->loop.uv, &d->telemetry, err);
	r = r ? r : xy_server_create(&d->loop.uv, &d->control, err);
	if (r)
		return r;
	xy_server_around(d->telemetry, around, d);
	xy_server_around(d->control, around, d);
	if (d->sandbox.warden) {
		const struct xy_listen_by by = {.widen = xy_warden_buffers,
						.give = xy_warden_give,
						.arg = d->sandbox.warden};
		xy_server_by(d->telemetry, &by);
		xy_server_by(d->control, &by);
	}
	r = listen_there(d, err);
	if (!is_late(r) || d->rundir.path[0]) // a place, but another's
		return r;
	d->unseen = *err;
	xy_log_warn("%s. Until then the node runs, but `xylem show` finds it nowhere", err->text);
	return 0;
}

// A service manager's root may give it right after the start: what lasts is told.
static void tend_group(struct xy_server *s, const char *which, unsigned *looks)
{
	if (!xy_server_lacks(s) && !*looks)
		return;
	if (xy_server_give(s)) {
		if (*looks >= LOOKS_TOLD)
			xy_log_info("the %s socket is its group's now", which);
		*looks = 0;
	} else if (++*looks == LOOKS_TOLD) {
		xy_log_warn("%s. The node runs, and until then the socket is its user's alone",
			    xy_server_lacks(s));
	}
}

void xy_runsocket_tend(struct xy_daemon *d)
{
	if (xy_tick_every(&d->tick, LOOK_SECONDS)) {
		tend_group(d->telemetry, XY_RUNDIR_TELEMETRY, &d->ungiven[0]);
		tend_group(d->control, XY_RUNDIR_CONTROL, &d->ungiven[1]);
	}
	struct xy_err err = {0};
	bool seen = xy_server_is_there(d->telemetry);
	const char *which = seen ? XY_RUNDIR_CONTROL : XY_RUNDIR_TELEMETRY;
	if (!xy_tick_every(&d->tick, LOOK_SECONDS) || (seen && xy_server_is_there(d->control)))
		return;
	if (listen_there(d, &err) == 0) {
		xy_log_warn("the %s socket was not there any more, or not yet: it is %s/%s now",
			    which, d->rundir.path, which);
		d->unseen.text[0] = 0;
		return;
	}
	if (!d->unseen.text[0])
		xy_log_warn("the %s socket is gone: %s; trying again", which, err.text);
	d->unseen = err;
}

void xy_runsocket_change(struct xy_daemon *d)
{
	const struct xy_config *c = &d->plan.config;
	xy_server_change(d->telemetry, c->telemetry.mode, c->telemetry.group);
	xy_server_change(d->control, c->control.mode, c->control.group);
}

const char *xy_runsocket_missing(const struct xy_daemon *d)
{
	return d->unseen.text[0] ? d->unseen.text : NULL;
}
