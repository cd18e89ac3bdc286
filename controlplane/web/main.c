// SPDX-License-Identifier: BSD-3-Clause
// xylem-web: options, listeners, who we are, then the loop.
#include "web/api.h"
#include "web/capture.h"
#include "web/certificate.h"
#include "web/credentials.h"
#include "web/errand.h"
#include "web/events.h"
#include "web/metrics.h"
#include "web/renew.h"
#include "web/site.h"
#include "web/watch.h"

#include "base/bytes.h"
#include "become.h"
#include "client/rundir.h"
#include "log.h"
#include "notify.h"
#include "program.h"
#include "web/table.h"

#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#define USER "xylem-web"

enum {
	ANSWER_MS = 10000,	   // of what is asked
	CONTROL_ANSWER_MS = 40000, // the daemon's own limit is 30 s
	PER_SECOND = 100, // questions for who asks us: half of what the daemon has time for
	EVERYBODY_PER_SECOND = 20,
	FOLLOW_PER_SECOND = 60,
	CONTROL_PER_SECOND = 10,
	CAPTURING_PER_SECOND = 50,
	QUEUE = 256,
	EVERYBODY_QUEUE = 64,
	CONTROL_QUEUE = 32,
	FILES = 4096,
	FIRST_FD = 3, // of socket activation
};

static const char usage[] =
	"usage: xylem-web [-c FILE] [-n NAME] [--user NAME] [--check | --genconf | --version]\n"
	"       xylem-web --password\n"
	"       xylem-web --token NAME SCOPE...\n"
	"  -c, --config FILE  config file (default /etc/xylem/web.conf, or with -n\n"
	"                     /etc/xylem/NAME.web.conf; where it is missing all is default)\n"
	"  -n, --name NAME    the daemon's instance (default xylem)\n"
	"      --user NAME    started as root: become this user (default xylem-web)\n"
	"      --check        check the config, touch nothing\n"
	"      --genconf      print a commented example\n"
	"      --password     ask for one twice, and print its line for the config\n"
	"      --token NAME SCOPE...\n"
	"                     make one, with scopes of read, act, metrics; print it, and its\n"
	"                     entry for the config\n";

struct program {
	struct xy_web web;
	uv_loop_t loop;
	uv_signal_t signals[3];
	const char *config;		   // its file
	bool optional;			   // it may be missing
	int fds[2];			   // of the private, of the public address; -1: none
	char socket[XY_CONFIG_WEB_LISTEN]; // a file to be removed at the end
};

// --- options

enum { PASSWORD = XY_PROGRAM_OWN, TOKEN };

static const struct option own[] = {
	{"password", no_argument, NULL, PASSWORD}, {"token", required_argument, NULL, TOKEN}, {0}};

static int own_take(void *arg, int val, const char *value, char **rest, int count)
{
	(void)arg;
	int ret = val == PASSWORD ? xy_credentials_password()
				  : xy_credentials_token(value, rest, count);
	return ret ? ret : XY_PROGRAM_DONE;
}

static const struct xy_program about = {.name = "xylem-web",
					.usage = usage,
					.kind = "web",
					.example = xy_config_web_example,
					.own = own,
					.take = own_take};

// Without -c there need be none.
static int config_read(const struct xy_program_options *o, struct xy_config_web *w)
{
	struct xy_err err = {""};
	int ret = xy_config_web_load(o->config, w, &err);
	ret = ret == -ENOENT && !o->given ? 0 : ret;
	xy_program_notes(&about, ret, &w->notes, &err);
	if (!ret && w->tls.certificate[0] && o->check &&
	    (ret = xy_certificate_check(w->tls.certificate, w->tls.key, &err)))
		fprintf(stderr, "xylem-web: %s\n", err.text);
	return ret ? EX_CONFIG : 0;
}

// --- what is opened before we are somebody else

static socklen_t address_make(const struct xy_web_address *a, const char *text,
			      struct sockaddr_storage *to)
{
	*to = (struct sockaddr_storage){0};
	if (a->local) {
		struct sockaddr_un *sun = (struct sockaddr_un *)to;
		sun->sun_family = AF_UNIX;
		memcpy(sun->sun_path, text, strnlen(text, sizeof(sun->sun_path) - 1));
		return sizeof(*sun);
	}
	if (xy_addr_is_v4(&a->addr)) {
		struct sockaddr_in *in = (struct sockaddr_in *)to;
		in->sin_family = AF_INET;
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->addr.b + 12, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(a->port);
	memcpy(&in6->sin6_addr, a->addr.b, 16);
	return sizeof(*in6);
}

// A file that a killed one left is replaced, and nothing else is.
static void left_remove(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct stat st;
	if (lstat(path, &st) || !S_ISSOCK(st.st_mode))
		return;
	memcpy(sun.sun_path, path, strnlen(path, sizeof(sun.sun_path) - 1));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) && errno == ECONNREFUSED)
		unlink(path);
	if (fd >= 0)
		close(fd);
}

static int listen_on(const char *text, struct xy_err *err)
{
	struct sockaddr_storage to;
	struct xy_web_address a;
	int one = 1;
	xy_web_address_parse(text, &a); // it was checked
	socklen_t len = address_make(&a, text, &to);
	if (a.local)
		left_remove(text);
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	mode_t mask = umask(0117); // a socket's file: of user and group
	bool fine = fd >= 0 && bind(fd, (struct sockaddr *)&to, len) == 0 && listen(fd, 128) == 0;
	int code = errno;
	umask(mask);
	if (fine)
		return fd;
	if (fd >= 0)
		close(fd);
	return xy_err_set(err, code, "cannot listen on %s: %s%s", text, strerror(code),
			  code == EADDRINUSE ? "; does it run already?" : "");
}

// From systemd: the first is the private address, a second one the public.
static unsigned activated(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	unsigned count = pid && n && atoi(pid) == getpid() ? (unsigned)atoi(n) : 0;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	return count < 2 ? count : 2;
}

// As xy_web_address_is_here, of a socket that somebody else made.
static bool is_here(int fd)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);
	struct xy_web_address a = {0};
	if (getsockname(fd, (struct sockaddr *)&sa, &len))
		return false;
	a.local = sa.ss_family == AF_UNIX;
	if (sa.ss_family == AF_INET)
		a.addr = xy_addr_from_v4(ntohl(((struct sockaddr_in *)&sa)->sin_addr.s_addr));
	else if (sa.ss_family == AF_INET6)
		memcpy(a.addr.b, &((struct sockaddr_in6 *)&sa)->sin6_addr, sizeof(a.addr.b));
	return xy_web_address_is_here(&a);
}

static int sockets_open(struct program *p, struct xy_err *err)
{
	const struct xy_config_web *c = &p->web.config;
	unsigned given = activated();
	for (unsigned i = 0; i < given; i++) {
		p->fds[i] = FIRST_FD + (int)i;
		fcntl(p->fds[i], F_SETFD, FD_CLOEXEC);
		fcntl(p->fds[i], F_SETFL, fcntl(p->fds[i], F_GETFL) | O_NONBLOCK);
	}
	if (given < 1)
		p->fds[0] = listen_on(c->listen, err);
	if (p->fds[0] < 0)
		return p->fds[0];
	p->web.here = is_here(p->fds[0]);
	if (given && !xy_config_web_has_login(c) && !p->web.here)
		return xy_err_set(err, EPERM,
				  "others than this host reach the socket that was given, so it "
				  "wants a password (`xylem-web --password`) or tokens");
	if (given < 1 && c->listen[0] == '/')
		memcpy(p->socket, c->listen, sizeof(p->socket));
	if (given < 2 && c->public[0])
		p->fds[1] = listen_on(c->public, err);
	return c->public[0] && p->fds[1] < 0 ? p->fds[1] : 0;
}

// --- the loop

static void on_changed(void *arg, bool reached)
{
	struct program *p = arg;
	const char *why = reached ? NULL : xy_ask_why(p->web.follow, NULL);
	if (reached)
		xy_log_info("the daemon of instance %s answers", p->web.instance);
	else
		xy_log_warn("%s", why ? why : "the daemon is away");
	xy_watch_changed(p->web.watch, reached);
	if (reached)
		xy_ask_try(p->web.control);
}

static int asks_open(struct program *p)
{
	struct xy_web *w = &p->web;
	struct xy_ask_config ask = {.instance = w->instance,
				    .socket = XY_RUNDIR_TELEMETRY,
				    .answer_ms = ANSWER_MS,
				    .per_second = PER_SECOND,
				    .queue = QUEUE};
	struct xy_ask_config control = {.instance = w->instance,
					.socket = XY_RUNDIR_CONTROL,
					.answer_ms = CONTROL_ANSWER_MS,
					.per_second = CONTROL_PER_SECOND,
					.queue = CONTROL_QUEUE,
					.lazy = true};
	int r = xy_ask_create(w->loop, &ask, &w->ask);
	r = r ? r : xy_ask_create(w->loop, &control, &w->control);
	control.per_second = CAPTURING_PER_SECOND;
	r = r ? r : xy_ask_create(w->loop, &control, &w->capturing);
	struct xy_ask_config everybody = ask;
	everybody.per_second = EVERYBODY_PER_SECOND;
	everybody.queue = EVERYBODY_QUEUE;
	everybody.lazy = true;
	if (!r && p->fds[1] >= 0)
		r = xy_ask_create(w->loop, &everybody, &w->everybody);
	struct xy_ask_config fleet = {.instance = w->instance,
				      .program = XY_RUNDIR_AGENT,
				      .socket = XY_RUNDIR_FLEET,
				      .answer_ms = ANSWER_MS,
				      .per_second = CONTROL_PER_SECOND,
				      .queue = 1,
				      .lazy = true};
	r = r ? r : xy_ask_create(w->loop, &fleet, &w->fleet);
	ask.per_second = FOLLOW_PER_SECOND;
	ask.changed = on_changed;
	ask.arg = p;
	return r ? r : xy_ask_create(w->loop, &ask, &w->follow);
}

static int parts_open(struct program *p)
{
	struct xy_web *w = &p->web;
	int r = xy_auth_create(w, &w->auth);
	r = r ? r : xy_events_create(w, &w->events);
	if (r)
		return r;
	struct xy_watch_ops ops = xy_events_ops(w->events);
	r = xy_watch_create(w, &ops, &w->watch);
	r = r ? r : xy_metrics_create(w, &w->metrics);
	w->share = xy_share_create(w->loop);
	w->errands = xy_errands_create(w);
	r = r || (w->share && w->errands) ? r : -ENOMEM;
	return r ? r : asks_open(p);
}

static int listeners_open(struct program *p, struct xy_err *err)
{
	for (unsigned i = 0; i < 2; i++) {
		struct xy_http_config c = {.fd = p->fds[i],
					   .public = i == 1,
					   .tls = p->web.config.tls.certificate[0],
					   .handler = xy_site_serve,
					   .arg = &p->web};
		int ret = c.fd < 0 ? 0
				   : xy_http_create(&p->loop, &c,
						    i ? &p->web.public : &p->web.private, err);
		if (ret)
			return ret;
		if (c.fd >= 0)
			xy_log_info("%s on %s", i ? "for everybody" : "listening",
				    i ? p->web.config.public : p->web.config.listen);
	}
	return 0;
}

static void on_signal(uv_signal_t *s, int signum)
{
	struct program *p = s->data;
	if (signum != SIGHUP) {
		uv_stop(s->loop);
		return;
	}
	xy_notify("RELOADING=1");
	xy_renew(&p->web, p->config, p->optional);
	xy_notify("READY=1");
}

static void signals_open(struct program *p)
{
	static const int which[] = {SIGTERM, SIGINT, SIGHUP};
	signal(SIGPIPE, SIG_IGN);
	for (unsigned i = 0; i < XY_ARRAY_SIZE(which); i++) {
		uv_signal_init(&p->loop, &p->signals[i]);
		p->signals[i].data = p;
		uv_signal_start(&p->signals[i], on_signal, which[i]);
	}
}

static void stop(struct program *p)
{
	struct xy_web *w = &p->web;
	xy_notify("STOPPING=1");
	xy_http_end(w->private); // requests that come now see none of what is closed below
	xy_http_end(w->public);
	xy_diagnosis_close(w); // who waits is told, here and below
	xy_errands_close(w->errands);
	xy_capture_close(w);
	xy_ask_close(w->ask);
	xy_ask_close(w->everybody);
	xy_ask_close(w->control);
	xy_ask_close(w->capturing);
	xy_ask_close(w->follow);
	xy_ask_close(w->fleet);
	xy_watch_close(w->watch);
	xy_events_close(w->events);
	xy_metrics_free(w->metrics);
	xy_auth_close(w->auth);
	xy_http_close(w->private);
	xy_http_close(w->public);
	for (unsigned i = 0; i < XY_ARRAY_SIZE(p->signals); i++)
		uv_close((uv_handle_t *)&p->signals[i], NULL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN); // libuv has let go of it: a second one would be an end half-way
	uv_run(&p->loop, UV_RUN_DEFAULT);
	uv_loop_close(&p->loop);
	xy_share_free(w->share);
	xy_errands_free(w->errands);
	if (p->socket[0] && unlink(p->socket) && errno != ENOENT)
		xy_log_info("%s stays (%s); the next start takes its place", p->socket,
			    strerror(errno));
}

static int run(struct program *p, struct xy_err *err)
{
	struct rlimit files = {.rlim_cur = FILES, .rlim_max = FILES};
	setrlimit(RLIMIT_NOFILE, &files);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	uv_loop_init(&p->loop);
	p->web.loop = &p->loop;
	signals_open(p);
	int ret = parts_open(p);
	ret = ret ? xy_err_set(err, -ret, "not enough memory") : listeners_open(p, err);
	if (!ret) {
		xy_notify("READY=1");
		uv_run(&p->loop, UV_RUN_DEFAULT);
	}
	stop(p);
	return ret;
}

// What jansson holds of a body may be a password or a key; it frees without a look.
static void wipe_and_free(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

int main(int argc, char **argv)
{
	static struct program p = {.fds = {-1, -1}};
	struct xy_program_options o;
	struct xy_err err;
	json_set_alloc_funcs(malloc, wipe_and_free);
	if (sodium_init() < 0)
		return EX_OSERR;
	int ret = xy_program_options(&about, argc, argv, &o);
	if (ret)
		return ret == XY_PROGRAM_DONE ? 0 : ret;
	p.web.instance = o.instance;
	p.optional = !o.given;
	ret = config_read(&o, &p.web.config);
	if (!ret && o.check)
		printf("%s: is right\n", o.config);
	if (ret || o.check)
		return ret;
	p.config = o.config;
	xy_log_init(XY_LOG_INFO);
	xy_log_word_set("web");
	const struct xy_config_web *c = &p.web.config;
	if (c->tls.certificate[0])
		ret = xy_certificate_use(c->tls.certificate, c->tls.key, &err);
	ret = ret ? ret : sockets_open(&p, &err);
	ret = ret ? ret : xy_become(USER, o.user, (const char *const[]){p.socket, NULL}, &err);
	ret = ret ? ret : run(&p, &err);
	if (ret)
		xy_log_error("%s", err.text);
	xy_certificate_forget();
	xy_config_web_free(&p.web.config);
	return ret ? EX_UNAVAILABLE : 0;
}
