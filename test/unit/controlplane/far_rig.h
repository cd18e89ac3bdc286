// SPDX-License-Identifier: BSD-3-Clause
// Nodes that seal end to end, on virtual time: far nodes, exchanges and a table of routes each,
// over a fake dataplane. A packet of the overlay arrives at the node that has its destination, by
// the link with the number of its sender; any may be lost, kept or changed. Nothing is routed for
// real. One thread.
#pragma once

#include "unit.h"

#include "base/bytes.h"
#include "exchange/exchanges.h"
#include "fake_dataplane.h"
#include "fake_net.h"
#include "far/fars.h"
#include "wire/inet.h"

#include <sodium.h>
#include <stdlib.h>

#ifndef FAR_NODES // a test that wants others says so
#define FAR_NODES 4
#endif
enum { NODES = FAR_NODES, LINKS = 8, QUEUE = 8192 };

struct node {
	struct xy_dp dp;
	struct xy_identity id;
	struct xy_env env;
	struct xy_exchanges *exchanges;
	struct xy_rib rib;
	struct xy_accepts accepts;
	struct xy_fars *fars;
	uint32_t max;
	struct xy_job *job[XY_JOBS];
	unsigned jobs, jobs_most;
	bool jobs_wait, deaf;
};

struct message {
	xy_nsec at;
	unsigned to, link;
	uint8_t data[256];
	size_t len;
};

static struct {
	xy_nsec now;
	uint64_t random;
	struct xy_wg_limits limits;
	unsigned link_rate; // handshakes a second by one link; 0: as it is
	struct node node[NODES];
	struct message queue[QUEUE];
	unsigned queued;
	bool (*lose)(struct message *m); // or it changes it
	void (*run)(struct xy_job *job); // in place of a helper
	void (*unroutable)(const struct node *from, const uint8_t *packet, size_t len);
	unsigned sent[5]; // by type
	unsigned by_link; // of these, by the link that brought the question
} w;

static struct node *const A = &w.node[0];
#if FAR_NODES > 1
static struct node *const B = &w.node[1], *const C = &w.node[2], *const D = &w.node[3];
#endif

// --- what the exchanges ask of the outside

static void random_bytes(void *arg, void *buf, size_t len)
{
	fake_random(&w.random, buf, len);
}

static xy_nsec the_time(void *arg)
{
	return w.now;
}

static void wall(void *arg, uint64_t *unix_sec, uint32_t *nsec)
{
	*unix_sec = 1700000000 + w.now / XY_SEC;
	*nsec = (uint32_t)(w.now % XY_SEC);
}

static void run_job(void *arg, struct xy_job *job)
{
	struct node *n = arg;
	n->job[n->jobs++] = job;
	n->jobs_most = n->jobs > n->jobs_most ? n->jobs : n->jobs_most;
}

// --- the network

static struct node *node_at(const uint8_t *addr)
{
	for (unsigned i = 0; i < NODES; i++)
		if (w.node[i].fars && memcmp(w.node[i].id.addr.b, addr, 16) == 0)
			return &w.node[i];
	return NULL;
}

static void overlay(void *arg, uint32_t peer, const void *packet, size_t len)
{
	const struct node *from = arg;
	const uint8_t *b = packet;
	const struct node *to = node_at(b + 24);
	struct message m = {
		.at = w.now + 10 * XY_MSEC, .link = (unsigned)(from - w.node), .len = len};
	CU_ASSERT_FATAL(len <= sizeof(m.data));
	if (peer != XY_DP_NO_PEER) { // by a link that the test has made, and answers alone
		CU_ASSERT(to && peer == (uint32_t)(to - w.node) &&
			  b[XY_IPV6_LEN] != XY_WG_INITIATION);
		w.by_link++;
	}
	CU_ASSERT(b[0] == 0x60 && b[6] == XY_PROTO_E2E && b[7] == 64 &&
		  xy_be16_load(b + 4) == len - XY_IPV6_LEN &&
		  memcmp(b + 8, from->id.addr.b, 16) == 0);
	w.sent[b[XY_IPV6_LEN]]++;
	if (!to && w.unroutable)
		w.unroutable(from, b, len);
	if (!to)
		return;
	m.to = (unsigned)(to - w.node);
	memcpy(m.data, packet, len);
	CU_ASSERT_FATAL(w.queued < QUEUE);
	if (!to->deaf && (!w.lose || !w.lose(&m)))
		w.queue[w.queued++] = m;
}

static void on_event(void *arg, const struct xy_dp_event *ev)
{
	struct node *n = arg;
	CU_ASSERT(xy_fars_is_theirs(n->fars, ev));
	xy_fars_event(n->fars, ev, w.now);
}

// --- nodes

static int rib_resolve(void *arg, const struct xy_rib_route *r, struct xy_dp_route *out)
{
	struct node *n = arg;
	*out = (struct xy_dp_route){.kind = XY_DP_ROUTE_FAR};
	return xy_fars_pin(n->fars, &r->origin->key, &out->peer, w.now);
}

static void rib_release(void *arg, uint32_t far)
{
	struct node *n = arg;
	xy_fars_unpin(n->fars, far, w.now);
}

static void node_start(struct node *n)
{
	uint32_t max = n->max ? n->max : FAKE_PEERS - LINKS;
	const struct xy_exchanges_config cfg = {.dp = &n->dp,
						.identity = &n->id,
						.limits = w.limits,
						.room = FAKE_SESSIONS,
						.env = &n->env,
						.run = run_job,
						.arg = n};
	n->env = (struct xy_env){.arg = n, .now = the_time, .random = random_bytes, .wall = wall};
	memset(&n->dp, 0, sizeof(n->dp));
	fake_init(&n->dp, &w.now);
	n->dp.limits = w.limits;
	n->dp.arg = n;
	n->dp.node = n->id.addr;
	n->dp.event = on_event;
	n->dp.overlay = overlay;
	CU_ASSERT_FATAL(xy_exchanges_create(&cfg, &n->exchanges, NULL) == 0);
	CU_ASSERT_FATAL(xy_rib_init(&n->rib, &n->dp, LINKS) == 0);
	const struct xy_fars_config fars = {.dp = &n->dp,
					    .exchanges = n->exchanges,
					    .rib = &n->rib,
					    .accepts = &n->accepts,
					    .identity = &n->id,
					    .first = LINKS,
					    .max = max,
					    .max_sessions = n->dp.session_limit,
					    .link_rate = w.link_rate,
					    .link_burst = w.link_rate};
	CU_ASSERT_FATAL(xy_fars_create(&fars, &n->fars, NULL) == 0);
	n->rib.seal = (struct xy_rib_seal_ops){n, rib_resolve, rib_release};
}

static void jobs_finish(struct node *n)
{
	while (n->jobs) {
		struct xy_job *job = n->job[0];
		memmove(n->job, n->job + 1, --n->jobs * sizeof(n->job[0]));
		if (w.run)
			w.run(job);
		else
			xy_job_run(job);
		xy_exchanges_job_done(n->exchanges, job, w.now);
	}
}

static void node_end(struct node *n)
{
	jobs_finish(n);
	CU_ASSERT_EQUAL(xy_exchanges_jobs(n->exchanges), 0);
	xy_rib_clear(&n->rib);
	xy_fars_destroy(n->fars);
	n->fars = NULL;
	CU_ASSERT_EQUAL(n->exchanges->by_index.count, 0);
	CU_ASSERT_EQUAL(fake_sessions(&n->dp), 0);
	CU_ASSERT(n->dp.fars == 0 && n->dp.dangling == 0);
	xy_rib_fini(&n->rib);
	xy_exchanges_destroy(n->exchanges);
	xy_accepts_free(&n->accepts);
}

static void world_begin(void)
{
	xy_log_init(XY_LOG_ERROR);
	memset(&w, 0, sizeof(w));
	w.now = 1000 * XY_SEC;
	w.limits = xy_wg_limits_default;
	w.random = 88172645463325252;
	for (unsigned i = 0; i < NODES; i++) {
		uint8_t seed[32];
		random_bytes(NULL, seed, sizeof(seed));
		CU_ASSERT_FATAL(xy_identity_from_seed(seed, &w.node[i].id) == 0);
	}
}

static void world_end(void)
{
	for (unsigned i = 0; i < NODES; i++)
		jobs_finish(&w.node[i]);
	for (unsigned i = 0; i < NODES; i++)
		if (w.node[i].fars)
			node_end(&w.node[i]);
}

// A learned route to a node's /64 by link 0, signed with this key in this epoch.
static void route_of(struct node *n, const struct xy_key *key, const struct xy_key *signer,
		     uint32_t epoch)
{
	const struct xy_rib_origin origin = {.has_key = true, .key = *signer, .epoch = epoch};
	const struct xy_rib_route r = {.prefix = xy_key_prefix(key),
				       .source = XY_ROUTE_LEARNED,
				       .route = {.kind = XY_DP_ROUTE_PEER},
				       .origin = &origin};
	CU_ASSERT_FATAL(xy_rib_set(&n->rib, &r) == 0);
}

#if FAR_NODES > 1
static void route_to(struct node *n, const struct node *to)
{
	route_of(n, &to->id.x25519, &to->id.x25519, 1);
}

static void world_make(void)
{
	world_begin();
	for (unsigned i = 0; i < NODES; i++)
		node_start(&w.node[i]);
	for (unsigned i = 0; i < NODES; i++)
		for (unsigned k = 0; k < NODES; k++)
			if (i != k)
				route_to(&w.node[i], &w.node[k]);
}

#endif

static void step(void)
{
	struct message m;
	while (fake_net_take(w.queue, &w.queued, sizeof(m), w.now, &m))
		fake_far_receive(&w.node[m.to].dp, m.link, m.data, m.len);
	for (unsigned i = 0; i < NODES; i++) {
		struct node *n = &w.node[i];
		if (!n->jobs_wait)
			jobs_finish(n);
		if (n->fars && xy_fars_deadline(n->fars) <= w.now)
			xy_fars_run(n->fars, 64, w.now);
	}
}

static void run_for(xy_nsec time)
{
	xy_nsec end = w.now + time;
	unsigned turns = 0;
	for (;;) {
		xy_nsec next = fake_net_next(w.queue, w.queued, sizeof(w.queue[0]));
		for (unsigned i = 0; i < NODES; i++) {
			const struct node *n = &w.node[i];
			xy_nsec due = n->fars ? xy_fars_deadline(n->fars) : XY_NEVER;
			next = due < next ? due : next;
			next = n->jobs && !n->jobs_wait ? w.now : next;
		}
		if (next > end)
			break;
		turns = next > w.now ? 0 : turns + 1;
		CU_ASSERT_FATAL(turns < 10000); // nothing spins
		w.now = next > w.now ? next : w.now;
		step();
	}
	w.now = end;
}

#if FAR_NODES > 1
static struct xy_far_node *far_of(const struct node *n, const struct node *to)
{
	return xy_far_by_key(n->fars, &to->id.x25519);
}

static bool is_up(const struct node *n, const struct node *to)
{
	const struct xy_far_node *k = far_of(n, to);
	return k && k->phase == XY_FAR_READY &&
	       xy_exchange_is_up(n->exchanges, &k->exchange, w.now);
}

static void data(struct node *n, const struct node *to)
{
	fake_far_data(&n->dp, &to->id.addr);
}

static uint64_t data_rx(const struct node *n, const struct node *from)
{
	const struct xy_far_node *k = far_of(n, from);
	return k ? n->dp.peer[k->number].data_rx : 0;
}

#endif

static uint64_t drops(const struct node *n, enum xy_hs_drop why)
{
	return xy_exchanges_drops(n->exchanges, why);
}

static struct xy_fars_counts counts(const struct node *n)
{
	struct xy_fars_counts c;
	xy_fars_counts(n->fars, &c);
	return c;
}

#if FAR_NODES > 1
static struct xy_far_info info(const struct node *n, const struct node *to)
{
	struct xy_far_info i = {.state = XY_FAR_STATES};
	const struct xy_far_node *k = far_of(n, to);
	if (k)
		xy_fars_info(n->fars, k->number, w.now, &i);
	return i;
}
#endif
