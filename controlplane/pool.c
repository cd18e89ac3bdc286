// SPDX-License-Identifier: BSD-3-Clause
#include "pool.h"

#include "base/bytes.h"
#include "daemon.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>

enum { TRIM_ROUTES = 1000, TRIM_AFTER = 10 };

// A call of a helper. It takes what waits by then, as much as a burst.
struct work {
	uv_work_t req;
	struct xy_daemon *d;
	struct work *next; // free
};

struct jobs {
	struct xy_job *first, **last;
};

struct name {
	uv_getaddrinfo_t req;
	struct xy_daemon *d;
	struct xy_env_asker by;
	uint16_t port;
};

struct xy_pool {
	struct work work[XY_JOBS];
	struct work *free;
	unsigned burst; // jobs that a helper takes at once
	uv_mutex_t lock;
	struct { // by control thread and helpers, under the lock
		struct jobs waiting, finished;
		unsigned jobs, calls; // that wait, or have not begun: calls are enough for the jobs
	} shared;
	struct jobs done;	  // and not yet told
	unsigned names;		  // being resolved
	uint32_t routes, trimmed; // how many there were when they last moved, and at the last trim
	uint32_t calm;		  // seconds since they did
	unsigned errands;
};

// --- handshake steps

static void jobs_init(struct jobs *j)
{
	j->first = NULL;
	j->last = &j->first;
}

static void jobs_put(struct jobs *j, struct xy_job *job)
{
	job->next = NULL;
	*j->last = job;
	j->last = &job->next;
}

static struct xy_job *jobs_take(struct jobs *j)
{
	struct xy_job *job = j->first;
	if (job && !(j->first = job->next))
		j->last = &j->first;
	return job;
}

static void jobs_move(struct jobs *from, struct jobs *to)
{
	if (!from->first)
		return;
	*to->last = from->first;
	to->last = from->last;
	jobs_init(from);
}

// What a call takes.
static unsigned call_begin(struct xy_pool *h, struct xy_job *job[static XY_JOB_BURST])
{
	unsigned n = 0;
	uv_mutex_lock(&h->lock);
	while (n < h->burst && (job[n] = jobs_take(&h->shared.waiting)))
		n++;
	h->shared.jobs -= n;
	h->shared.calls--;
	uv_mutex_unlock(&h->lock);
	return n;
}

static void call_end(struct xy_pool *h, struct xy_job *const *job, unsigned n)
{
	uv_mutex_lock(&h->lock);
	for (unsigned i = 0; i < n; i++)
		jobs_put(&h->shared.finished, job[i]);
	uv_mutex_unlock(&h->lock);
}

static void job_run(uv_work_t *req)
{
	struct xy_pool *h = ((struct work *)req)->d->pool;
	struct xy_job *job[XY_JOB_BURST];
	unsigned n = call_begin(h, job);
	xy_job_run_burst(job, n);
	call_end(h, job, n);
}

static void job_cancel(struct xy_pool *h)
{
	struct xy_job *job[XY_JOB_BURST];
	unsigned n = call_begin(h, job);
	for (unsigned i = 0; i < n; i++)
		job[i]->result = -ECANCELED;
	call_end(h, job, n);
}

static void job_done(uv_work_t *req, int status);

// Where no call is free, its end comes here again.
static void call(struct xy_daemon *d)
{
	struct xy_pool *h = d->pool;
	struct work *w = NULL;
	uv_mutex_lock(&h->lock);
	if (h->free && h->shared.jobs > h->shared.calls * h->burst) {
		w = h->free;
		h->free = w->next;
		h->shared.calls++;
	}
	uv_mutex_unlock(&h->lock);
	if (w)
		uv_queue_work(&d->loop.uv, &w->req, job_run,
			      job_done); // fails only without job_run
}

static void job_done(uv_work_t *req, int status)
{
	struct work *w = (struct work *)req;
	struct xy_daemon *d = w->d;
	struct xy_pool *h = d->pool;
	if (status)
		job_cancel(h);
	uv_mutex_lock(&h->lock);
	jobs_move(&h->shared.finished, &h->done);
	uv_mutex_unlock(&h->lock);
	w->next = h->free;
	h->free = w;
	call(d);
	if (d->loop.stopping) // no seat runs any more
		xy_pool_results(d, UINT_MAX, xy_now());
}

bool xy_pool_has_results(const struct xy_daemon *d)
{
	return d->pool->done.first != NULL;
}

void xy_pool_results(struct xy_daemon *d, unsigned max, xy_nsec now)
{
	struct xy_job *job;
	while (max-- && (job = jobs_take(&d->pool->done)))
		xy_exchanges_job_done(d->exchanges, job, now);
}

void xy_pool_job(void *arg, struct xy_job *job)
{
	struct xy_daemon *d = arg;
	struct xy_pool *h = d->pool;
	uv_mutex_lock(&h->lock);
	jobs_put(&h->shared.waiting, job);
	h->shared.jobs++;
	uv_mutex_unlock(&h->lock);
	call(d);
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
	d->pool->errands--;
	e->done(e->what);
	free(e);
	xy_loop_end(&d->loop, &d->seat[XY_SEAT_RESULTS]);
}

void xy_pool_run(void *arg, void (*work)(void *what), void (*done)(void *what), void *what)
{
	struct xy_daemon *d = arg;
	struct errand *e = calloc(1, sizeof(*e));
	if (!e) { // late is better than never
		work(what);
		done(what);
		return;
	}
	*e = (struct errand){.d = d, .work = work, .done = done, .what = what};
	d->pool->errands++;
	uv_queue_work(&d->loop.uv, &e->req, errand_run,
		      errand_done); // fails only without errand_run
}

bool xy_pool_busy(const struct xy_daemon *d)
{
	return d->pool && d->pool->errands;
}

// The tree of a large config is tens of megabytes, between what stays.
static void trim(void *what)
{
	malloc_trim(0);
}

static void trimmed(void *what)
{
}

void xy_pool_trim(struct xy_daemon *d)
{
	xy_pool_run(d, trim, trimmed, NULL);
}

// Packets that wait, claims at the signer, actions: what comes at once leaves room for that behind,
// between what stays. When it is over for ten seconds, that goes back as well.
void xy_pool_second(struct xy_daemon *d)
{
	struct xy_pool *h = d->pool;
	uint32_t routes = d->rib.count;
	uint32_t apart = routes > h->trimmed ? routes - h->trimmed : h->trimmed - routes;
	bool moves = (routes > h->routes ? routes - h->routes : h->routes - routes) > routes / 64;
	h->calm = moves ? 0 : h->calm + d->tick.passed;
	if (moves || h->calm >= TRIM_AFTER)
		h->routes = routes;
	if (h->calm < TRIM_AFTER || apart < TRIM_ROUTES || apart < h->trimmed / 8)
		return;
	h->trimmed = routes;
	xy_pool_trim(d);
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
	d->pool->names--;
	if (!d->loop.stopping)
		n->by.found(n->by.who, n->by.serial, n->by.asked, found, count, xy_now());
	uv_freeaddrinfo(all);
	free(n);
}

int xy_pool_resolve(void *arg, const struct xy_env_asker *by, const char *host, uint16_t port)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_ADDRCONFIG};
	struct xy_daemon *d = arg;
	struct name *n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	*n = (struct name){.d = d, .by = *by, .port = port};
	int r = uv_getaddrinfo(&d->loop.uv, &n->req, name_done, host, NULL, &hints);
	if (r) {
		free(n);
		return r;
	}
	d->pool->names++;
	return 0;
}

// --- life

// libuv makes all of its threads with the first work. Each has one piece of this, as none ends
// before all have begun; there is no other work yet.
struct confining {
	uv_work_t req;
	struct xy_daemon *d;
	pthread_barrier_t *all;
	struct confining *first; // of all
	unsigned left;		 // the first's: results to come
};

static void confine_run(uv_work_t *req)
{
	const struct confining *c = (const struct confining *)req;
	prctl(PR_SET_NAME, "xylem-helper");
	xy_confine_self(&c->d->sandbox.confine, XY_CONFINE_HELPER);
	pthread_barrier_wait(c->all);
}

static void confine_done(uv_work_t *req, int status)
{
	struct confining *c = (struct confining *)req;
	if (--c->first->left == 0) // they come in any order
		free(c->first);
}

static int helpers_confine(struct xy_daemon *d)
{
	static pthread_barrier_t all;
	unsigned n = xy_pool_threads();
	struct confining *c = calloc(n, sizeof(*c));
	int r = c ? -pthread_barrier_init(&all, NULL, n + 1) : -ENOMEM;
	if (r) {
		free(c);
		return r;
	}
	for (unsigned i = 0; i < n; i++) {
		c[i] = (struct confining){.d = d, .all = &all, .first = c, .left = n};
		uv_queue_work(&d->loop.uv, &c[i].req, confine_run, confine_done);
	}
	pthread_barrier_wait(&all);
	return 0;
}

static int pool_confine(struct xy_daemon *d, struct xy_err *err)
{
	int r = helpers_confine(d);
	return r ? xy_err_set(err, -r, "sandbox: helpers: %s", strerror(-r)) : 0;
}

// As libuv counts.
unsigned xy_pool_threads(void)
{
	const char *given = getenv(XY_POOL_SIZE);
	int n = given ? atoi(given) : 4;
	return n < 1 ? 1 : n > 1024 ? 1024 : (unsigned)n;
}

int xy_pool_open(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_pool *h = calloc(1, sizeof(*h));
	if (!h)
		return xy_err_set(err, ENOMEM, "no memory for helpers");
	for (unsigned i = 0; i < XY_JOBS; i++) {
		h->work[i].d = d;
		h->work[i].next = h->free;
		h->free = &h->work[i];
	}
	jobs_init(&h->done);
	jobs_init(&h->shared.waiting);
	jobs_init(&h->shared.finished);
	// One job a helper, where there is nothing to gain from more: so they share them best.
	h->burst = xy_x25519_side_by_side() ? XY_JOB_BURST : 1;
	uv_mutex_init(&h->lock); // fails only in a system that lacks memory for anything
	d->pool = h;
	return d->sandbox.wanted ? pool_confine(d, err) : 0;
}

void xy_pool_close(struct xy_daemon *d)
{
	if (d->pool && xy_pool_idle(d) && !xy_pool_busy(d)) {
		uv_mutex_destroy(&d->pool->lock);
		free(d->pool);
	} // else a name is still being resolved, and its end looks here
	d->pool = NULL;
}

bool xy_pool_idle(const struct xy_daemon *d)
{
	return !d->pool || !d->pool->names;
}
