// SPDX-License-Identifier: BSD-3-Clause
// xylem-fleet: options, config, who we are, then the loop.
#include "fleet/agent.h"

#include "base/bytes.h"
#include "become.h"
#include "client/rundir.h"
#include "log.h"
#include "notify.h"

#include <getopt.h>
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
	const char *config, *instance, *user, *state;
	bool check;
	char path[128], folder[256];
};

enum why_ended { ENDED_NOT, ENDED_SIGNAL, ENDED_LEFT, ENDED_RELOAD, ENDED_FAILED };

struct program {
	struct options o;
	struct xy_config_fleet config;
	uv_loop_t loop;
	uv_async_t woken; // by a signal
	struct xy_fleet *agent;
	enum why_ended ended;
};

// --- options

static int print_example(void)
{
	char *text = xy_config_fleet_example();
	if (!text || fputs(text, stdout) == EOF)
		return EX_OSERR;
	free(text);
	return -1;
}

static int instance_check(struct options *o)
{
	const char *wrong = xy_instance_name_wrong(o->instance);
	bool plain = strcmp(o->instance, "xylem") == 0;
	if (wrong) {
		fprintf(stderr, "xylem-fleet: \"%.40s\" %s\n", o->instance, wrong);
		return EX_USAGE;
	}
	snprintf(o->path, sizeof(o->path), "/etc/xylem/%s%sfleet.conf", plain ? "" : o->instance,
		 plain ? "" : ".");
	snprintf(o->folder, sizeof(o->folder), STATE "/%s", o->instance);
	o->config = o->config ? o->config : o->path;
	o->state = o->state ? o->state : o->folder;
	return 0;
}

// -1: done, and all is well.
static int options_read(struct options *o, int argc, char **argv)
{
	enum { CHECK = 256, GENCONF, USER_IS, STATE_IS, VERSION };
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"name", required_argument, NULL, 'n'},
		{"state", required_argument, NULL, STATE_IS},
		{"user", required_argument, NULL, USER_IS},
		{"check", no_argument, NULL, CHECK},
		{"genconf", no_argument, NULL, GENCONF},
		{"version", no_argument, NULL, VERSION},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;
	*o = (struct options){.instance = "xylem"};
	while ((c = getopt_long(argc, argv, "c:n:h", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'n':
			o->instance = optarg;
			break;
		case STATE_IS:
			o->state = optarg;
			break;
		case USER_IS:
			o->user = optarg;
			break;
		case CHECK:
			o->check = true;
			break;
		case GENCONF:
			return print_example();
		case VERSION:
			puts("xylem-fleet " XY_VERSION);
			return -1;
		case 'h':
			fputs(usage, stdout);
			return -1;
		default:
			fputs(usage, stderr);
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "xylem-fleet: '%s' is too much\n%s", argv[optind], usage);
		return EX_USAGE;
	}
	return instance_check(o);
}

// What is wrong is said, all of it.
static int config_read(const struct options *o, struct xy_config_fleet *c)
{
	struct xy_err err = {""};
	int ret = xy_config_fleet_load(o->config, c, &err);
	for (unsigned i = 0; i < c->notes.warnings.count; i++)
		fprintf(stderr, "warning: %s\n", c->notes.warnings.v[i].text);
	for (unsigned i = 0; ret && i < c->notes.errors.count; i++)
		fprintf(stderr, "xylem-fleet: %s\n", c->notes.errors.v[i].text);
	if (ret && !c->notes.errors.count)
		fprintf(stderr, "xylem-fleet: %s\n", err.text);
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
	const struct xy_fleet_setup setup = {.instance = p->o.instance,
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
	if (config_read(&p->o, &c)) {
		xy_log_error("%s: refused, the one before stays in force", p->o.config);
		xy_config_fleet_free(&c);
		return;
	}
	xy_config_fleet_free(&p->config);
	p->config = c;
	xy_log_info("%s is in force", p->o.config);
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
	int ret = xy_rundir_make(XY_RUNDIR_AGENT, o->instance, &dir, err);
	return ret ? ret
		   : xy_become(USER, o->user, (const char *const[]){dir.path, o->state, NULL}, err);
}

int main(int argc, char **argv)
{
	static struct program p;
	struct xy_err err = {""};
	if (sodium_init() < 0)
		return EX_OSERR;
	int ret = options_read(&p.o, argc, argv);
	if (ret)
		return ret < 0 ? 0 : ret;
	ret = config_read(&p.o, &p.config);
	if (!ret && p.o.check)
		printf("%s: is right\n", p.o.config);
	if (ret || p.o.check)
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
