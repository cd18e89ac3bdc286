// SPDX-License-Identifier: BSD-3-Clause
// What runs beside the loop, on libuv's pool: handshake steps (bounded by their own pool), names,
// and reading the config anew. Results come back on the control thread.
#include "daemon.h"

#include "base/bytes.h"
#include "cores.h"
#include "discovery.h"
#include "notify.h"
#include "ports.h"

#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

struct work {
	uv_work_t req;
	struct xy_daemon *d;
	struct xy_job *job;
	struct work *next; // free, or done
};

struct name {
	uv_getaddrinfo_t req;
	struct xy_daemon *d;
	uint64_t serial; // of the link; 0: joining asks
	unsigned asked;
	uint16_t port;
};

struct reload {
	uv_work_t req;
	struct xy_daemon *d;
	struct xy_plan plan;
	struct xy_err err;
	struct xy_err key; // what is wrong with the key file, if anything
	int result;
};

struct xy_helpers {
	struct work work[XY_JOBS];
	struct work *free;
	struct work *done, **done_last; // and not yet told
	unsigned names;			// being resolved
	unsigned errands;
	bool reloading, reload_again;
	bool enforces; // the reload's plan
};

// --- handshake steps

static void job_run(uv_work_t *req)
{
	xy_job_run(((struct work *)req)->job);
}

static void job_done(uv_work_t *req, int status)
{
	struct work *w = (struct work *)req;
	struct xy_daemon *d = w->d;
	if (status)
		w->job->result = -ECANCELED;
	w->next = NULL;
	*d->helpers->done_last = w;
	d->helpers->done_last = &w->next;
	if (d->loop.stopping) // no seat runs any more
		xy_helpers_results(d, UINT_MAX, xy_now());
}

bool xy_helpers_have_results(const struct xy_daemon *d)
{
	return d->helpers->done != NULL;
}

void xy_helpers_results(struct xy_daemon *d, unsigned max, xy_nsec now)
{
	struct xy_helpers *h = d->helpers;
	while (max-- && h->done) {
		struct work *w = h->done;
		struct xy_job *job = w->job;
		h->done = w->next;
		if (!h->done)
			h->done_last = &h->done;
		w->next = h->free;
		h->free = w;
		xy_exchanges_job_done(d->exchanges, job, now);
	}
}

static void run(void *arg, struct xy_job *job)
{
	struct xy_daemon *d = arg;
	struct work *w = d->helpers->free; // there are as many as jobs
	d->helpers->free = w->next;
	w->job = job;
	uv_queue_work(&d->loop.uv, &w->req, job_run, job_done); // fails only without job_run
}

// --- anything else

struct errand {
	uv_work_t req;
	struct xy_daemon *d;
	void (*work)(void *what), (*done)(void *what);
	void *what;
};

static void errand_run(uv_work_t *req)
{
	struct errand *e = (struct errand *)req;
	e->work(e->what);
}

static void errand_done(uv_work_t *req, int status)
{
	struct errand *e = (struct errand *)req;
	struct xy_daemon *d = e->d;
	xy_loop_begin(&d->loop);
	d->helpers->errands--;
	e->done(e->what);
	free(e);
	xy_loop_end(&d->loop, &d->seat[XY_SEAT_RESULTS]);
}

void xy_helpers_run(void *arg, void (*work)(void *what), void (*done)(void *what), void *what)
{
	struct xy_daemon *d = arg;
	struct errand *e = calloc(1, sizeof(*e));
	if (!e) { // late is better than never
		work(what);
		done(what);
		return;
	}
	*e = (struct errand){.d = d, .work = work, .done = done, .what = what};
	d->helpers->errands++;
	uv_queue_work(&d->loop.uv, &e->req, errand_run,
		      errand_done); // fails only without errand_run
}

bool xy_helpers_busy(const struct xy_daemon *d)
{
	return d->helpers && d->helpers->errands;
}

// The tree of a large config is tens of megabytes, between what stays.
static void trim(void *what)
{
	malloc_trim(0);
}

static void trimmed(void *what)
{
}

void xy_helpers_trim(struct xy_daemon *d)
{
	xy_helpers_run(d, trim, trimmed, NULL);
}

// --- names

static void endpoint_from(const struct sockaddr *sa, uint16_t port, struct xy_endpoint *out)
{
	*out = (struct xy_endpoint){.port = port};
	if (sa->sa_family == AF_INET) {
		out->addr =
			xy_addr_from_v4(ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr));
		return;
	}
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
	memcpy(out->addr.b, &in6->sin6_addr, 16);
	if (xy_addr_is_link_local(&out->addr))
		out->scope = in6->sin6_scope_id;
}

static void name_done(uv_getaddrinfo_t *req, int status, struct addrinfo *all)
{
	struct name *n = (struct name *)req;
	struct xy_daemon *d = n->d;
	struct xy_endpoint found[8];
	unsigned count = 0;

	for (struct addrinfo *i = all; !status && i && count < XY_ARRAY_SIZE(found); i = i->ai_next)
		if (i->ai_family == AF_INET || i->ai_family == AF_INET6)
			endpoint_from(i->ai_addr, n->port, &found[count++]);
	d->helpers->names--;
	if (!d->loop.stopping && n->serial)
		xy_links_resolved(d->links, n->serial, n->asked, found, count, xy_now());
	else if (!d->loop.stopping)
		xy_join_resolved(d->join, n->asked, found, count, xy_now());
	uv_freeaddrinfo(all);
	free(n);
}

static int resolve(void *arg, uint64_t serial, unsigned asked, const char *host, uint16_t port)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_ADDRCONFIG};
	struct xy_daemon *d = arg;
	struct name *n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	*n = (struct name){.d = d, .serial = serial, .asked = asked, .port = port};
	int r = uv_getaddrinfo(&d->loop.uv, &n->req, name_done, host, NULL, &hints);
	if (r) {
		free(n);
		return r;
	}
	d->helpers->names++;
	return 0;
}

int xy_helpers_join_resolve(void *arg, unsigned asked, const char *host, uint16_t port)
{
	return resolve(arg, 0, asked, host, port);
}

// --- the config, anew

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
	struct xy_config config;
	r->result = xy_setup_config(&r->d->setup, &config, &r->err);
	if (!r->result) {
		r->result = xy_plan_make(r->d->config_path, &config, &r->d->id, &r->plan, &r->err);
	} else {
		if (config.errors.count) // all that is wrong is told at once
			xy_plan_look(r->d->config_path, &config, &r->d->id);
		r->plan.config = config;
	}
	if (!r->result)
		key_look(r);
}

#define KEEP(old, new, field, key)                                                                \
	do {                                                                                      \
		if (memcmp(&(old)->field, &(new)->field, sizeof((old)->field)) != 0)              \
			xy_log_warn("reload: %s has changed; it takes effect at a restart", key); \
		memcpy(&(new)->field, &(old)->field, sizeof((old)->field));                       \
	} while (0)

// What is built at start stays as it was started, and is named. (memcmp of these is sound: a config
// is zeroed before it is filled.)
static void keep_fixed(const struct xy_config *old, struct xy_config *new)
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
	KEEP(old, new, telemetry, "telemetry");
}

void xy_enforce_begin(struct xy_daemon *d)
{
	d->enforcing = XY_ENFORCING_LINKS;
	xy_routing_apply_stop(
		d->routing); // it was at a plan that is gone, or not the same any more
	xy_links_apply_begin(d->links, &d->plan);
}

// The next one, if it was asked for meanwhile.
static void reload_end(struct xy_daemon *d)
{
	d->helpers->reloading = false;
	if (d->helpers->reload_again && !d->loop.stopping) {
		d->helpers->reload_again = false;
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

static void reloaded(struct xy_daemon *d)
{
	xy_helpers_trim(d);
	xy_informer_reload(d);
	xy_interface_mtu_update(d);
	xy_memory_prune(d);
	xy_log_info("reloaded %s, peers: %u", d->config_path, xy_links_count(d->links));
	reload_end(d);
}

// Links first, then what is spoken over them. In between a new link carries no Babel yet, and one
// that is to carry none still does, for some turns; all else is as the old plan has it, or the new.
void xy_enforce_look(struct xy_daemon *d)
{
	struct xy_err err;
	if (d->enforcing == XY_ENFORCING_LINKS && !xy_links_applying(d->links)) {
		d->enforcing = XY_ENFORCING_ROUTING;
		xy_routing_apply_begin(d->routing, &d->plan.config);
	}
	if (d->enforcing != XY_ENFORCING_ROUTING || xy_routing_applying(d->routing))
		return;
	d->enforcing = XY_ENFORCING_NONE;
	int r = xy_links_apply_result(d->links, &err);
	int routing = xy_routing_apply_result(d->routing, r ? NULL : &err);
	if (r || routing)
		xy_log_error("%s%s", d->helpers->enforces ? "reload: " : "", err.text);
	if (d->helpers->enforces) {
		d->helpers->enforces = false;
		reload_note(d, r || routing ? &err : NULL);
		reloaded(d);
	}
}

static void plan_free(void *plan)
{
	xy_plan_free(plan);
}

// To free all of many peers takes longer than a turn should.
static void plan_put_away(struct xy_daemon *d)
{
	struct xy_plan *old = malloc(sizeof(*old));
	if (!old) {
		xy_plan_free(&d->plan);
		return;
	}
	*old = d->plan;
	sodium_memzero(&d->plan, sizeof(d->plan));
	xy_helpers_run(d, plan_free, free, old);
}

static void take_over(struct xy_daemon *d, struct xy_plan *plan)
{
	xy_plan_warn(plan, "reload: ");
	keep_fixed(&d->plan.config, &plan->config);
	xy_joiner_apply(d, plan);
	plan_put_away(d);
	d->plan = *plan;
	xy_log_level_set(d->plan.config.log_level);
	xy_cores_set(d->plan.config.core_dumps);
	d->helpers->enforces = true;
	xy_enforce_begin(d);
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
}

static void reload_done(uv_work_t *req, int status)
{
	struct reload *r = (struct reload *)req;
	struct xy_daemon *d = r->d;
	bool good = !status && !r->result;
	xy_loop_begin(&d->loop);
	if (good && r->key.text[0])
		xy_log_warn("reload: %s", r->key.text);
	if (good && !d->loop.stopping)
		take_over(d, &r->plan);
	else if (!good && !status)
		refused(d, r);
	if (!good || d->loop.stopping)
		xy_plan_free(&r->plan);
	sodium_memzero(r, sizeof(*r));
	free(r);
	if (!d->helpers->enforces)
		reload_end(d);
	xy_loop_end(&d->loop, &d->seat[XY_SEAT_RESULTS]);
}

void xy_reload_begin(struct xy_daemon *d)
{
	if (d->helpers->reloading) {
		d->helpers->reload_again = true;
		return;
	}
	struct reload *r = calloc(1, sizeof(*r));
	if (!r) {
		xy_log_error("reload: no memory");
		return;
	}
	r->d = d;
	d->helpers->reloading = true;
	xy_notify("RELOADING=1");
	uv_queue_work(&d->loop.uv, &r->req, reload_run, reload_done);
}

// --- the rest of what links need

static void random_bytes(void *arg, void *buf, size_t len)
{
	randombytes_buf(buf, len);
}

static void wall(void *arg, uint64_t *unix_sec, uint32_t *nsec)
{
	const struct xy_daemon *d = arg;
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	*unix_sec = (uint64_t)(t.tv_sec + d->clock_offset);
	*nsec = (uint32_t)t.tv_nsec;
}

static void routing(void *arg, uint32_t slot, enum xy_link_change what)
{
	const struct xy_daemon *d = arg;
	if (d->routing) // else it begins after the links, or has ended before them
		xy_routing_link(d->routing, slot, what, xy_now());
}

static void claims_work(void *job)
{
	xy_routing_job_run(job);
}

static void claims_done(void *what)
{
	struct xy_routing_job *job = what;
	const struct xy_daemon *d = job->arg;
	xy_routing_job_done(d->routing, job, xy_now());
}

static void claims_begin(void *arg, struct xy_routing_job *job)
{
	job->arg = arg;
	xy_helpers_run(arg, claims_work, claims_done, job);
}

void xy_helpers_routing_ops(struct xy_daemon *d, struct xy_routing_ops *ops)
{
	*ops = (struct xy_routing_ops){
		.arg = d, .run = claims_begin, .epoch_save = xy_memory_epoch_save};
}

static bool open_to(void *arg, const struct xy_endpoint *from)
{
	const struct xy_daemon *d = arg;
	enum xy_config_peering peering = d->plan.config.peering;
	return peering == XY_PEERING_OPEN ||
	       (peering == XY_PEERING_LAN && xy_discovery_is_near(d, from));
}

void xy_helpers_exchange_ops(struct xy_daemon *d, struct xy_exchanges_ops *ops)
{
	*ops = (struct xy_exchanges_ops){
		.arg = d, .run = run, .random = random_bytes, .wall = wall};
}

void xy_helpers_ops(struct xy_daemon *d, struct xy_links_ops *ops)
{
	*ops = (struct xy_links_ops){.arg = d,
				     .random = random_bytes,
				     .wall = wall,
				     .resolve = resolve,
				     .routing = routing,
				     .open_to = open_to,
				     .path = xy_ports_path};
}

int xy_helpers_open(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_helpers *h = calloc(1, sizeof(*h));
	if (!h)
		return xy_err_set(err, ENOMEM, "no memory for helpers");
	for (unsigned i = 0; i < XY_JOBS; i++) {
		h->work[i].d = d;
		h->work[i].next = h->free;
		h->free = &h->work[i];
	}
	h->done_last = &h->done;
	d->helpers = h;
	return 0;
}

void xy_helpers_close(struct xy_daemon *d)
{
	if (d->helpers && xy_helpers_idle(d))
		free(d->helpers); // else a name is still being resolved, and its end looks here
	d->helpers = NULL;
}

bool xy_helpers_idle(const struct xy_daemon *d)
{
	return !d->helpers || !d->helpers->names;
}
