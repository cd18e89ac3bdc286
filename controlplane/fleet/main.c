// SPDX-License-Identifier: BSD-3-Clause
// xylem-fleet: options, config, who we are, then the loop.
#include "fleet/agent.h"

#include "base/bytes.h"
#include "become.h"
#include "client/rundir.h"
#include "log.h"
#include "notify.h"
#include "program.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define USER  "xylem-fleet"
#define STATE "/var/lib/xylem-fleet"

static const char usage[] =
	"usage: xylem-fleet [-c FILE] [-n NAME] [--state FOLDER] [--user NAME]\n"
	"                   [--check | --genconf | --version]\n"
	"  -c, --config FILE   config file (default /etc/xylem/fleet.conf, or with -n\n"
	"                      /etc/xylem/NAME.fleet.conf)\n"
	"  -n, --name NAME     the daemon's instance (default xylem)\n"
	"      --state FOLDER  what outlives a restart (default " STATE "/NAME)\n"
	"      --user NAME     started as root: become this user (default xylem-fleet)\n"
	"      --check         check the config, touch nothing\n"
	"      --genconf       print a commented example\n";

struct options {
	struct xy_program_options all;
	const char *state;
	char folder[256];
};

enum why_ended { ENDED_NOT, ENDED_SIGNAL, ENDED_LEFT, ENDED_RELOAD, ENDED_FAILED };

struct program {
	struct xy_program about;
	struct options o;
	struct xy_config_fleet config;
	uv_loop_t loop;
	uv_async_t woken; // by a signal
	struct xy_fleet *agent;
	enum why_ended ended;
};

// --- options

enum { STATE_IS = XY_PROGRAM_OWN };

static const struct option own[] = {{"state", required_argument, NULL, STATE_IS}, {0}};

static int own_take(void *arg, int val, const char *value, char **rest, int count)
{
	(void)val, (void)rest, (void)count;
	*(const char **)arg = value;
	return 0;
}

static int config_read(const struct xy_program *p, const struct options *o,
		       struct xy_config_fleet *c)
{
	struct xy_err err = {""};
	int ret = xy_config_fleet_load(o->all.config, c, &err);
	xy_program_notes(p, ret, &c->notes, &err);
	return ret ? EX_CONFIG : 0;
}

// --- the loop

static void end(struct program *p, enum why_ended why)
{
	p->ended = p->ended ? p->ended : why;
	uv_stop(&p->loop);
}

static void on_ended(void *arg, enum xy_fleet_end how)
{
	end(arg, how == XY_FLEET_END_AGAIN    ? ENDED_RELOAD
		 : how == XY_FLEET_END_FAILED ? ENDED_FAILED
					      : ENDED_LEFT);
}

// Kept from the start to the end of the process, whichever loop runs: none is lost amid a reload.
static volatile sig_atomic_t told_end, told_reload;
static uv_async_t *volatile waker; // of the loop that runs

static void on_signal(int signum)
{
	uv_async_t *w = waker;
	if (signum == SIGHUP)
		told_reload = 1;
	else
		told_end = 1;
	if (w)
		uv_async_send(w);
}

static void signals_look(struct program *p)
{
	if (told_end)
		end(p, ENDED_SIGNAL);
	else if (told_reload)
		end(p, ENDED_RELOAD);
	told_reload = 0;
}

static void on_woken(uv_async_t *a)
{
	signals_look(a->data);
}

static void signals_take(void)
{
	static const int which[] = {SIGTERM, SIGINT, SIGHUP};
	const struct sigaction how = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	signal(SIGPIPE, SIG_IGN);
	for (unsigned i = 0; i < XY_ARRAY_SIZE(which); i++)
		sigaction(which[i], &how, NULL);
}

static void stop(struct program *p)
{
	waker = NULL;
	xy_fleet_agent_close(p->agent);
	uv_close((uv_handle_t *)&p->woken, NULL);
	uv_run(&p->loop, UV_RUN_DEFAULT);
	uv_loop_close(&p->loop);
}

// Links stay: the daemon has peers until their records end, whoever runs here.
static int run_once(struct program *p, struct xy_err *err)
{
	const struct xy_fleet_setup setup = {.instance = p->o.all.instance,
					     .config = &p->config,
					     .state = p->o.state,
					     .ended = on_ended,
					     .arg = p};
	uv_loop_init(&p->loop);
	p->ended = ENDED_NOT;
	p->agent = NULL;
	uv_async_init(&p->loop, &p->woken, on_woken);
	p->woken.data = p;
	waker = &p->woken;
	uv_async_send(&p->woken); // for what came before
	int ret = xy_fleet_agent_create(&p->loop, &setup, &p->agent, err);
	if (!ret) {
		xy_notify("READY=1");
		uv_run(&p->loop, UV_RUN_DEFAULT);
		xy_notify(p->ended == ENDED_RELOAD ? "RELOADING=1" : "STOPPING=1");
	}
	stop(p);
	return ret;
}

// The config before stays in force where the new one is no good.
static void reload(struct program *p)
{
	struct xy_config_fleet c;
	if (config_read(&p->about, &p->o, &c)) {
		xy_log_error("%s: refused, the one before stays in force", p->o.all.config);
		xy_config_fleet_free(&c);
		return;
	}
	xy_config_fleet_free(&p->config);
	p->config = c;
	xy_log_info("%s is in force", p->o.all.config);
}

static int run(struct program *p, struct xy_err *err)
{
	int ret;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	signals_take();
	while ((ret = run_once(p, err)) == 0 && p->ended == ENDED_RELOAD && !told_end)
		reload(p);
	return ret || p->ended != ENDED_FAILED ? ret : -EIO; // it said why
}

// As root it makes what its user may not; the unit's folders are there.
static int folders_make(const struct options *o, struct xy_err *err)
{
	struct xy_rundir dir;
	if (geteuid() != 0)
		return 0;
	mkdir(STATE, 0755);
	if (mkdir(o->state, 0700) && errno != EEXIST)
		return xy_err_set(err, errno, "%s: cannot be made: %s", o->state, strerror(errno));
	int ret = xy_rundir_make(XY_RUNDIR_AGENT, o->all.instance, &dir, err);
	return ret ? ret
		   : xy_become(USER, o->all.user, (const char *const[]){dir.path, o->state, NULL},
			       err);
}

int main(int argc, char **argv)
{
	static struct program p = {.about = {.name = "xylem-fleet",
					     .usage = usage,
					     .kind = "fleet",
					     .example = xy_config_fleet_example,
					     .own = own,
					     .take = own_take,
					     .arg = &p.o.state}};
	struct xy_err err = {""};
	if (sodium_init() < 0)
		return EX_OSERR;
	int ret = xy_program_options(&p.about, argc, argv, &p.o.all);
	if (ret)
		return ret == XY_PROGRAM_DONE ? 0 : ret;
	snprintf(p.o.folder, sizeof(p.o.folder), STATE "/%s", p.o.all.instance);
	p.o.state = p.o.state ? p.o.state : p.o.folder;
	ret = config_read(&p.about, &p.o, &p.config);
	if (!ret && p.o.all.check)
		printf("%s: is right\n", p.o.all.config);
	if (ret || p.o.all.check)
		return ret;
	xy_log_init(XY_LOG_INFO);
	xy_log_word_set("fleet");
	ret = folders_make(&p.o, &err);
	ret = ret ? ret : run(&p, &err);
	if (ret && err.text[0])
		xy_log_error("%s", err.text);
	xy_config_fleet_free(&p.config);
	return ret ? EX_UNAVAILABLE : 0;
}
