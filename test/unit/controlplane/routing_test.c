// SPDX-License-Identifier: BSD-3-Clause
// Whole control planes joined on virtual time: links, routing and the table of routes of four
// nodes, with fake dataplanes between them whose wires the test may cut.
#include "unit.h"

#include "exchange/exchange.h"
#include "fake_dataplane.h"
#include "fake_net.h"
#include "links/links.h"
#include "log.h"
#include "peers/book.h"
#include "routes/rib.h"
#include "routing/routing.h"
#include "wire/udp6.h"

#include <sodium.h>
#include <stdlib.h>

enum { NODES = 4, QUEUE = 1024, SLOTS = 8, PACKET = 1500, TURN = 64 };

struct node {
	struct xy_env env;
	struct xy_dp dp;
	struct xy_identity id;
	struct xy_exchanges *exchanges;
	struct xy_rib rib;
	struct xy_book book;
	struct xy_links *links;
	struct xy_routing *routing;
	struct xy_plan plan;
	char key[XY_KEY_STRLEN], prefix[XY_PREFIX_STRLEN];
	struct xy_job *job[XY_JOBS];
	unsigned jobs;
	struct xy_routing_job *claims[XY_ROUTING_JOBS];
	unsigned claims_count;
	void (*claims_work)(void *), (*claims_done)(void *);
	bool claims_wait; // helpers verify nothing until told
	bool stub;
	uint32_t max_routes; // 0: many
	xy_nsec checked;     // when the daemon's tick was last played
};

struct packet { // on its way; peer: inside that link of `to`, else a datagram
	xy_nsec at;
	unsigned from, to;
	bool overlay;
	size_t len;
	uint8_t data[PACKET];
};

static const struct xy_tick second = {.passed = 1};

static struct {
	xy_nsec now;
	struct node node[NODES];
	bool cut[NODES][NODES];
	bool no_way[NODES][NODES]; // as its host knows
	uint32_t via[NODES];	   // interface that a host's datagrams leave by
	xy_nsec late;		   // how long a packet waits for the control thread
	struct packet queue[QUEUE];
	unsigned queued;
	size_t whole; // packets that no link carries in one piece are larger; 0: there are none
	uint64_t random;
	unsigned most_turns;
} w;

#define A (&w.node[0])
#define R (&w.node[1])
#define S (&w.node[2])
#define B (&w.node[3])

static unsigned number_of(const struct node *n)
{
	return (unsigned)(n - w.node);
}

// --- what a node asks of the outside

static xy_nsec now(void *arg)
{
	return w.now;
}

static void random_bytes(void *arg, void *buf, size_t len)
{
	fake_random(&w.random, buf, len);
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
}

static void run_claims(void *arg, void (*work)(void *), void (*done)(void *), void *what)
{
	struct node *n = arg;
	struct xy_routing_job *job = what;
	CU_ASSERT_FATAL(n->claims_count < XY_ROUTING_JOBS); // bounded
	CU_ASSERT_FATAL(job->count >= 1 && job->count <= XY_ROUTING_BATCH);
	CU_ASSERT_FATAL(!n->claims_count || n->claims[0] != job);
	n->claims[n->claims_count++] = job;
	n->claims_work = work;
	n->claims_done = done;
}

static void epoch_save(void *arg, uint32_t epoch)
{
	xy_routing_epoch_saved(((struct node *)arg)->routing, epoch, w.now);
}

static int resolve(void *arg, const struct xy_env_asker *by, const char *host, uint16_t port)
{
	return -ENOENT;
}

static void path(void *arg, struct xy_dp_peer *peer)
{
	struct node *n = arg;
	peer->mtu = 1500;
	peer->via = w.via[number_of(n)];
	for (unsigned i = 0; i < NODES; i++)
		if (xy_endpoint_eq(&w.node[i].dp.self, &peer->remote))
			peer->no_way = w.no_way[number_of(n)][i];
}

static bool open_to(void *arg, const struct xy_endpoint *from)
{
	return ((struct node *)arg)->plan.config.peering != XY_PEERING_CLOSED;
}

// Hellos of a link wait for a turn only while it is used.
static void patience_check(const struct node *n, uint32_t slot)
{
	struct xy_babel_link_info i;
	bool used = xy_routing_link_info(n->routing, slot, &i) == 0 && i.up && i.usable;
	CU_ASSERT(used || !n->dp.peer[slot].patient);
}

static void on_link(void *arg, uint32_t slot, enum xy_link_change what)
{
	struct node *n = arg;
	if (!n->routing)
		return;
	xy_routing_link(n->routing, slot, what, w.now);
	patience_check(n, slot);
}

static void on_event(void *arg, const struct xy_dp_event *ev)
{
	xy_links_event(((struct node *)arg)->links, ev, w.now);
}

static void put(unsigned from, unsigned to, bool overlay, const void *data, size_t len)
{
	struct packet *p = &w.queue[w.queued];
	CU_ASSERT_FATAL(len <= PACKET && w.queued < QUEUE);
	if (w.cut[from][to])
		return;
	p->at = w.now + 5 * XY_MSEC + (overlay ? w.late : 0);
	p->from = from;
	p->to = to;
	p->overlay = overlay;
	p->len = len;
	memcpy(p->data, data, len);
	w.queued++;
}

static void transmit(void *arg, const struct xy_endpoint *to, const void *data, size_t len)
{
	for (unsigned i = 0; i < NODES; i++)
		if (xy_endpoint_eq(&w.node[i].dp.self, to))
			put(number_of(arg), i, false, data, len);
}

static struct node *node_with(const struct xy_key *key)
{
	for (unsigned i = 0; i < NODES; i++)
		if (memcmp(&w.node[i].id.x25519, key, sizeof(*key)) == 0)
			return &w.node[i];
	return NULL;
}

static void overlay(void *arg, uint32_t peer, const void *packet, size_t len)
{
	struct node *n = arg;
	const struct xy_key *key = xy_links_key(n->links, peer);
	CU_ASSERT_FATAL(key != NULL);
	n->dp.peer[peer].stats.tx_any = n->dp.peer[peer].stats.tx_data = w.now;
	if (w.whole && len > w.whole && n->dp.probe)
		return; // a black hole: nobody is told
	put(number_of(n), number_of(node_with(key)), true, packet, len);
}

// --- the world

static void dp_make(struct node *n)
{
	char self[32];
	snprintf(self, sizeof(self), "192.0.2.%u:51820", number_of(n) + 1);
	fake_init(&n->dp, &w.now);
	CU_ASSERT_FATAL(xy_endpoint_parse(self, &n->dp.self) == 0);
	n->dp.arg = n;
	n->dp.transmit = transmit;
	n->dp.event = on_event;
	n->dp.overlay = overlay;
}

static void node_make(struct node *n)
{
	uint8_t seed[32];
	random_bytes(NULL, seed, sizeof(seed));
	CU_ASSERT_FATAL(xy_identity_from_seed(seed, &n->id) == 0);
	xy_key_str(&n->id.x25519, n->key);
	struct xy_prefix p = xy_key_prefix(&n->id.x25519);
	xy_prefix_str(&p, n->prefix);
	dp_make(n);
}

static void node_start(struct node *n, uint32_t epoch)
{
	n->env = (struct xy_env){.arg = n,
				 .now = now,
				 .wall = wall,
				 .random = random_bytes,
				 .run = run_claims,
				 .resolve = resolve};
	struct xy_exchanges_config exchanges = {.dp = &n->dp,
						.identity = &n->id,
						.limits = xy_wg_limits_default,
						.env = &n->env,
						.run = run_job,
						.arg = n};
	CU_ASSERT_FATAL(xy_exchanges_create(&exchanges, &n->exchanges, NULL) == 0);
	CU_ASSERT_FATAL(xy_rib_init(&n->rib, &n->dp, SLOTS) == 0);
	CU_ASSERT_FATAL(xy_book_init(&n->book, SLOTS) == 0);
	struct xy_links_config links = {
		.dp = &n->dp,
		.exchanges = n->exchanges,
		.rib = &n->rib,
		.book = &n->book,
		.identity = &n->id,
		.max_peers = SLOTS,
		.env = &n->env,
		.ops = {.arg = n, .path = path, .open_to = open_to, .routing = on_link}};
	CU_ASSERT_FATAL(xy_links_create(&links, &n->links, NULL) == 0);
	struct xy_routing_config routing = {.dp = &n->dp,
					    .rib = &n->rib,
					    .identity = &n->id,
					    .epoch = epoch,
					    .max_peers = SLOTS,
					    .max_routes = n->max_routes ? n->max_routes : 65536,
					    .stub = n->stub,
					    .env = &n->env,
					    .ops = {.arg = n, .epoch_save = epoch_save}};
	xy_links_view(n->links, &routing.links);
	random_bytes(NULL, routing.secret, sizeof(routing.secret));
	CU_ASSERT_FATAL(xy_routing_create(&routing, w.now, &n->routing, NULL) == 0);
}

static void world_make(void)
{
	xy_log_init(XY_LOG_ERROR);
	memset(&w, 0, sizeof(w));
	w.now = 1000 * XY_SEC;
	w.random = 88172645463325252;
	for (unsigned i = 0; i < NODES; i++)
		node_make(&w.node[i]);
}

static void world_start(void)
{
	for (unsigned i = 0; i < NODES; i++)
		node_start(&w.node[i], 1700000000);
}

static void jobs_finish(struct node *n)
{
	while (n->jobs) {
		struct xy_job *job = n->job[0];
		memmove(n->job, n->job + 1, --n->jobs * sizeof(n->job[0]));
		xy_job_run(job);
		xy_exchanges_job_done(n->exchanges, job, w.now);
	}
}

static void claims_finish(struct node *n)
{
	while (n->claims_count) {
		struct xy_routing_job *job = n->claims[0];
		n->claims[0] = n->claims[--n->claims_count];
		n->claims_work(job);
		n->claims_done(job);
	}
}

static void node_stop(struct node *n)
{
	jobs_finish(n);
	xy_routing_quit(n->routing);
	claims_finish(n);
	CU_ASSERT_EQUAL(xy_routing_jobs(n->routing), 0);
	xy_routing_destroy(n->routing);
	n->routing = NULL;
	xy_links_destroy(n->links);
	xy_exchanges_destroy(n->exchanges);
	xy_rib_fini(&n->rib);
	xy_book_fini(&n->book);
	CU_ASSERT_EQUAL(n->dp.dangling, 0);
	CU_ASSERT_EQUAL(fake_route_count(n->dp.route), 0);
	xy_plan_free(&n->plan);
}

static void world_end(void)
{
	for (unsigned i = 0; i < NODES; i++)
		node_stop(&w.node[i]);
}

// --- configs: "{ name = "r"; key = KEY_OF(R); endpoint = ...; }" by the letter of a node

static const char *const name_of[NODES] = {"a", "r", "s", "b"};

static size_t peer_text(const struct node *n, const struct node *to, const char *more, char *out,
			size_t room)
{
	// The one with the lower number calls.
	char endpoint[64] = "";
	if (number_of(n) < number_of(to))
		snprintf(endpoint, sizeof(endpoint), "endpoint = \"192.0.2.%u:51820\";",
			 number_of(to) + 1);
	return (size_t)snprintf(out, room, "{ name = \"%s\"; key = \"%s\"; %s %s }",
				name_of[number_of(to)], to->key, endpoint, more);
}

// peers: letters, each followed by what is said of that peer.
static struct xy_plan plan_of(const struct node *n, const char *top, const char *peers[][2],
			      unsigned count)
{
	static char text[8192];
	struct xy_config config;
	struct xy_plan plan = {0};
	struct xy_err err = {""};
	size_t at = (size_t)snprintf(text, sizeof(text), "%s peers = ( ", top);
	for (unsigned i = 0; i < count; i++) {
		unsigned to = 0;
		while (strcmp(name_of[to], peers[i][0]) != 0)
			to++;
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", i ? ", " : "");
		at += peer_text(n, &w.node[to], peers[i][1], text + at, sizeof(text) - at);
	}
	snprintf(text + at, sizeof(text) - at, " );");
	int r = xy_config_parse("test", text, strlen(text), &config, &err);
	r = r ? r : xy_plan_make("test", &config, &n->id, &plan, &err);
	if (r)
		printf("\n  %s\n", err.text);
	CU_ASSERT_FATAL(r == 0);
	return plan;
}

static void configure(struct node *n, const char *top, const char *peers[][2], unsigned count)
{
	struct xy_plan old = n->plan;
	struct xy_err err = {""};
	n->plan = plan_of(n, top, peers, count);
	int r = xy_links_apply(n->links, &n->plan, w.now, &err);
	r = r ? r : xy_routing_apply(n->routing, &n->plan.config, w.now, &err);
	if (r)
		printf("\n  %s\n", err.text);
	CU_ASSERT_FATAL(r == 0);
	xy_plan_free(&old);
}

#define CONFIGURE(n, top, ...)                                                          \
	do {                                                                            \
		const char *peers[][2] = {__VA_ARGS__};                                 \
		configure(n, top, peers, (unsigned)(sizeof(peers) / sizeof(peers[0]))); \
	} while (0)

// Links have it already, routing begins with it.
#define BEGIN(n, top, ...)                                                          \
	do {                                                                        \
		const char *peers[][2] = {__VA_ARGS__};                             \
		begin(n, top, peers, (unsigned)(sizeof(peers) / sizeof(peers[0]))); \
	} while (0)

static void begin(struct node *n, const char *top, const char *peers[][2], unsigned count)
{
	struct xy_plan old = n->plan;
	xy_routing_apply_stop(n->routing); // as the daemon does before another takes its place
	n->plan = plan_of(n, top, peers, count);
	CU_ASSERT_FATAL(xy_links_apply(n->links, &n->plan, w.now, NULL) == 0);
	xy_plan_free(&old);
	xy_routing_apply_begin(n->routing, &n->plan.config);
}

// --- time

static void deliver(const struct packet *p)
{
	struct node *n = &w.node[p->to], *from = &w.node[p->from];
	uint32_t slot;
	if (!p->overlay) {
		fake_receive(&n->dp, &from->dp.self, p->data, p->len);
		return;
	}
	if (xy_links_slot(n->links, &from->id.x25519, &slot) || !n->dp.peer[slot].cfg.routing)
		return;
	xy_nsec at = p->at - w.late;
	n->dp.peer[slot].stats.rx_any = n->dp.peer[slot].stats.rx_data = at;
	struct xy_dp_event ev = {
		.type = XY_DP_OVERLAY, .peer = slot, .data = p->data, .len = p->len, .at = at};
	xy_routing_event(n->routing, &ev, w.now);
	patience_check(n, slot);
}

static void network_step(void)
{
	struct packet p;
	while (fake_net_take(w.queue, &w.queued, sizeof(p), w.now, &p))
		deliver(&p);
}

static void step(void)
{
	network_step();
	for (unsigned i = 0; i < NODES; i++) {
		struct node *n = &w.node[i];
		jobs_finish(n);
		if (!n->claims_wait)
			claims_finish(n);
		xy_links_run(n->links, 100, w.now);
		if (w.now - n->checked >= XY_SEC) {
			n->checked = w.now;
			xy_routing_check(n->routing, &second, w.now);
		}
		if (xy_routing_deadline(n->routing) <= w.now)
			xy_routing_run(n->routing, TURN, w.now);
		CU_ASSERT_EQUAL(n->dp.gathers, 0); // no Hello is kept back in a turn's end
	}
}

static xy_nsec next_time(void)
{
	xy_nsec next = fake_net_next(w.queue, w.queued, sizeof(w.queue[0]));
	for (unsigned i = 0; i < NODES; i++) {
		const struct node *n = &w.node[i];
		xy_nsec t = xy_links_deadline(n->links), u = xy_routing_deadline(n->routing);
		next = t < next ? t : next;
		next = u < next ? u : next;
		if (n->jobs || (n->claims_count && !n->claims_wait))
			next = w.now;
	}
	return next;
}

static void run_for(xy_nsec time)
{
	xy_nsec end = w.now + time;
	unsigned turns = 0;
	for (;;) {
		xy_nsec next = next_time();
		if (next > end)
			break;
		turns = next > w.now ? 0 : turns + 1;
		w.most_turns = turns > w.most_turns ? turns : w.most_turns;
		CU_ASSERT_FATAL(turns < 1000); // nothing spins
		w.now = next > w.now ? next : w.now;
		step();
	}
	w.now = end;
	for (unsigned i = 0; i < NODES; i++) // workers have seen it all
		CU_ASSERT(!w.node[i].rib.changed);
}

// --- what is looked at

static uint32_t slot_of(const struct node *n, const struct node *peer)
{
	uint32_t slot = UINT32_MAX;
	xy_links_slot(n->links, &peer->id.x25519, &slot);
	return slot;
}

static const struct xy_dp_route *route_to(const struct node *n, const char *prefix)
{
	const struct fake_route *r = fake_route_find(n->dp.route, prefix);
	return r ? &r->route : NULL;
}

// The one next hop of n towards a prefix is that peer.
static bool goes_by(const struct node *n, const char *prefix, const struct node *peer)
{
	const struct xy_dp_route *r = route_to(n, prefix);
	return r && r->kind == XY_DP_ROUTE_PEER && r->hop_count == 1 &&
	       r->hops[0] == slot_of(n, peer) && r->peer == r->hops[0];
}

static bool becomes(const struct node *n, const char *prefix, enum xy_dp_route_kind kind,
		    unsigned seconds)
{
	const struct xy_dp_route *r = NULL;
	for (unsigned i = 0; i < seconds * 10 && (!r || r->kind != kind); i++) {
		run_for(XY_SEC / 10);
		r = route_to(n, prefix);
	}
	return r && r->kind == kind;
}

static struct xy_babel_link_info link_info(const struct node *n, const struct node *peer)
{
	struct xy_babel_link_info i = {0};
	CU_ASSERT_EQUAL(xy_routing_link_info(n->routing, slot_of(n, peer), &i), 0);
	return i;
}

static void line(void)
{
	CONFIGURE(R, "", {"a", ""}, {"b", ""});
	CONFIGURE(A, "", {"r", ""});
	CONFIGURE(B, "", {"r", ""});
}

// a over r (cost 96 each) or s (to_s, 96) to b.
static void diamond(const char *to_s)
{
	CONFIGURE(R, "", {"a", ""}, {"b", ""});
	CONFIGURE(S, "", {"a", to_s}, {"b", ""});
	CONFIGURE(A, "", {"r", ""}, {"s", to_s});
	CONFIGURE(B, "", {"r", ""}, {"s", ""});
}

// One packet of a's host to b's, hop by hop.
static void packet_to(struct node *n, const struct node *to)
{
	for (unsigned i = 0; i < NODES && n != to; i++) {
		const struct xy_dp_route *r = route_to(n, to->prefix);
		if (!r || r->kind != XY_DP_ROUTE_PEER)
			return;
		struct node *next = node_with(xy_links_key(n->links, r->peer));
		fake_data(&n->dp, r->peer);
		if (w.cut[number_of(n)][number_of(next)])
			return;
		n = next;
	}
}

static void flow_for(struct node *from, const struct node *to, xy_nsec time)
{
	for (xy_nsec end = w.now + time; w.now < end;) {
		packet_to(from, to);
		run_for(XY_SEC / 10);
	}
}

static void cut_off(const struct node *n, bool cut)
{
	for (unsigned i = 0; i < NODES; i++)
		w.cut[number_of(n)][i] = w.cut[i][number_of(n)] = cut;
}

// What the table of routes has of whose that prefix is; metric 0: nothing.
static struct xy_rib_origin origin_at(const struct node *n, const struct node *whose)
{
	const struct xy_prefix p = xy_key_prefix(&whose->id.x25519);
	const struct xy_rib_route *r = xy_rib_best(&n->rib, &p);
	return r && r->origin ? *r->origin : (struct xy_rib_origin){0};
}

static bool is_of(const struct node *n, const struct node *whose, uint16_t metric)
{
	struct xy_rib_origin o = origin_at(n, whose);
	struct xy_routing_info i;
	xy_routing_info(whose->routing, &i);
	return o.has_key && o.metric == metric && o.epoch == i.babel.epoch &&
	       memcmp(&o.key, &whose->id.x25519, sizeof(o.key)) == 0;
}

// --- tests

static void test_line(void)
{
	world_make();
	world_start();
	line();
	run_for(20 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R) && goes_by(B, A->prefix, R));
	CU_ASSERT(goes_by(A, R->prefix, R) && goes_by(R, B->prefix, B));
	CU_ASSERT_EQUAL(fake_route_count(A->dp.route), 3); // ours and two others
	CU_ASSERT(is_of(A, B, 192) && is_of(A, R, 96) && is_of(R, B, 96));
	CU_ASSERT_EQUAL(origin_at(A, A).metric, 0);
	run_for(3600 * XY_SEC); // rekeying and all
	CU_ASSERT(goes_by(A, B->prefix, R));
	CU_ASSERT_EQUAL(link_info(A, R).hellos, 0xffff);
	CONFIGURE(A, "", {"r", "cost = 300;"});
	run_for(20 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R) && is_of(A, B, 396)); // the same way, at another cost
	world_end();
}

static struct xy_link_info size_of(const struct node *n)
{
	struct xy_link_info i;
	xy_links_info(n->links, 0, w.now, &i);
	return i;
}

// Sizes are found by probing, and what was found is what the workers are told. An idle network is
// asked once.
static void test_path_mtu(void)
{
	world_make();
	world_start();
	line();
	CU_ASSERT_EQUAL(size_of(A).mtu, 1440);
	CU_ASSERT_EQUAL(size_of(A).whence, XY_WHENCE_INTERFACE);
	run_for(20 * XY_SEC);
	CU_ASSERT_EQUAL(size_of(A).mtu, 1440);
	CU_ASSERT_EQUAL(size_of(A).whence, XY_WHENCE_PROBED);
	CU_ASSERT_EQUAL(A->dp.probes, 1);
	CU_ASSERT_EQUAL(R->dp.probes, 2);
	run_for(3600 * XY_SEC);
	CU_ASSERT_EQUAL(A->dp.probes, 1);
	w.whole = 1340; // a path of 1400
	for (unsigned i = 0; i < 60; i++) {
		A->dp.peer[0].stats.tx_carried = w.now;
		run_for(XY_SEC);
	}
	CU_ASSERT_EQUAL(size_of(A).mtu, 1352);
	CU_ASSERT_EQUAL(size_of(A).whole, 1340);
	CU_ASSERT_EQUAL(A->dp.peer[0].cfg.mtu, 1400);
	CU_ASSERT_EQUAL(A->dp.peer[0].cfg.room, 1352);
	CU_ASSERT_FALSE(size_of(A).fragments_lost);
	unsigned probes = A->dp.probes;
	CU_ASSERT(probes < 30);
	w.whole = 0;
	run_for(700 * XY_SEC);
	CU_ASSERT_EQUAL(size_of(A).mtu, 1440);
	CU_ASSERT_EQUAL(size_of(A).whence, XY_WHENCE_PROBED);
	CU_ASSERT(A->dp.probes <= probes + 3);
	world_end();
}

static void comes_from(struct node *n, const struct xy_endpoint *remote)
{
	struct xy_dp_event ev = {
		.type = XY_DP_ROAM, .index = n->dp.peer[0].current, .remote = *remote};
	xy_links_event(n->links, &ev, w.now);
}

// A packet that comes by another way, and the next by the usual one: what the path carries is known
// as before.
static void test_path_mtu_roamed(void)
{
	struct xy_endpoint elsewhere;
	world_make();
	world_start();
	w.whole = 1340;
	line();
	for (unsigned i = 0; i < 60; i++) {
		A->dp.peer[0].stats.tx_carried = w.now;
		run_for(XY_SEC);
	}
	CU_ASSERT_EQUAL(size_of(A).whole, 1340);
	CU_ASSERT_FATAL(xy_endpoint_parse("198.51.100.1:51820", &elsewhere) == 0);
	comes_from(A, &elsewhere);
	CU_ASSERT_EQUAL(size_of(A).whole, 1440);
	comes_from(A, &R->dp.self);
	run_for(2 * XY_SEC);
	CU_ASSERT_EQUAL(size_of(A).whole, 1340);
	CU_ASSERT_EQUAL(size_of(A).whence, XY_WHENCE_PROBED);
	world_end();
}

static void test_moves(void)
{
	world_make();
	world_start();
	diamond("cost = 200;");
	run_for(30 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R) && goes_by(B, A->prefix, R));
	w.cut[0][1] = w.cut[1][0] = true;
	run_for(30 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, S) && goes_by(B, A->prefix, S));
	CU_ASSERT(goes_by(A, R->prefix, S)); // by way of s and b
	w.cut[0][1] = w.cut[1][0] = false;
	run_for(200 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R) && goes_by(A, R->prefix, R));
	// b is gone: nobody sends there by a shorter prefix while it is told.
	for (unsigned i = 0; i < NODES; i++)
		w.cut[3][i] = w.cut[i][3] = true;
	CU_ASSERT(becomes(A, B->prefix, XY_DP_ROUTE_REJECT, 60));
	run_for(300 * XY_SEC);
	CU_ASSERT(route_to(A, B->prefix) == NULL);
	world_end();
}

// A relay dies under a flow in one direction: it goes another way before three Hellos are missed.
static void test_silent(void)
{
	world_make();
	world_start();
	diamond("cost = 200;");
	run_for(60 * XY_SEC);
	CU_ASSERT_EQUAL(link_info(A, R).probes, 0); // nobody sends
	flow_for(A, B, 300 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R));
	CU_ASSERT(link_info(A, R).probes > 0 && link_info(A, R).probes < 600);
	CU_ASSERT(!link_info(A, R).silent && !link_info(R, B).silent);
	cut_off(R, true);
	flow_for(A, B, 3200 * XY_MSEC);
	CU_ASSERT(goes_by(A, B->prefix, S));
	CU_ASSERT(link_info(A, R).silent && link_info(A, R).cost == XY_BABEL_INFINITY);
	cut_off(R, false);
	flow_for(A, B, 60 * XY_SEC);
	CU_ASSERT(!link_info(A, R).silent && link_info(A, R).silences == 1);
	CU_ASSERT(goes_by(A, B->prefix, R));
	world_end();
}

// A relay stops of itself: all go round it at once, and it forwards what they sent before; within
// the same second it is back, and used.
static void test_goodbye(void)
{
	world_make();
	world_start();
	diamond("cost = 200;");
	run_for(60 * XY_SEC);
	for (unsigned i = 1; i <= 4; i++) {
		CU_ASSERT(goes_by(A, B->prefix, R) && goes_by(B, A->prefix, R));
		CU_ASSERT_EQUAL(xy_routing_goodbye(R->routing, w.now), 2);
		run_for(60 * XY_MSEC);
		CU_ASSERT(goes_by(A, B->prefix, S) && goes_by(B, A->prefix, S));
		CU_ASSERT(goes_by(R, A->prefix, A) && goes_by(R, B->prefix, B));
		CU_ASSERT(xy_routing_goodbye_due(R->routing)); // again
		run_for(140 * XY_MSEC);
		CU_ASSERT_FALSE(xy_routing_goodbye_due(R->routing));
		CU_ASSERT(link_info(A, R).left && link_info(B, R).left);
		node_stop(R);
		w.queued = 0;
		dp_make(R);
		w.now += 300 * XY_MSEC;
		node_start(R, 1700000000 + 100 * i);
		CONFIGURE(R, "", {"a", ""}, {"b", ""});
		run_for(10 * XY_SEC); // a, which calls, must find out that the session is gone
		CU_ASSERT(goes_by(A, B->prefix, S) || goes_by(A, B->prefix, R));
		run_for(20 * XY_SEC);
	}
	CU_ASSERT(goes_by(A, B->prefix, R));
	world_end();
}

// What a host knows itself, or is told: no way to the relay; another way, that leads nowhere; an
// ICMP error that is true, and those that are not.
static void ways_look(struct node *n)
{
	unsigned from = 0;
	xy_links_mtu_refresh(n->links, &from, SLOTS);
}

static void icmp(struct node *n, const struct node *about)
{
	struct xy_dp_event ev = {
		.type = XY_DP_REFUSED, .remote = about->dp.self, .error = ECONNREFUSED};
	xy_links_event(n->links, &ev, w.now);
}

static void test_no_way(void)
{
	world_make();
	world_start();
	diamond("cost = 200;");
	run_for(60 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R));
	w.no_way[0][1] = true;
	ways_look(A);
	run_for(XY_MSEC);
	CU_ASSERT(goes_by(A, B->prefix, S));
	CU_ASSERT_EQUAL(link_info(A, R).word, XY_BABEL_NO_WAY);
	w.no_way[0][1] = false;
	ways_look(A);
	run_for(XY_MSEC);
	CU_ASSERT(goes_by(A, B->prefix, R));
	run_for(60 * XY_SEC);
	CU_ASSERT_EQUAL(link_info(A, R).silences, 0);

	w.via[0] = 2; // first known
	ways_look(A);
	run_for(XY_SEC);
	uint64_t probes = link_info(A, R).probes;
	ways_look(A);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(link_info(A, R).probes, probes);
	w.via[0] = 3;
	cut_off(R, true);
	ways_look(A);
	run_for(1300 * XY_MSEC);
	CU_ASSERT(goes_by(A, B->prefix, S));
	world_end();
}

static void test_refused(void)
{
	world_make();
	world_start();
	diamond("cost = 200;");
	run_for(60 * XY_SEC);
	for (unsigned i = 0; i < 1000; i++) { // forged
		icmp(A, R);
		run_for(10 * XY_MSEC);
	}
	CU_ASSERT(link_info(A, R).probes < 60 && link_info(A, R).silences == 0);
	CU_ASSERT(goes_by(A, B->prefix, R));
	run_for(XY_SEC);
	cut_off(R, true);
	icmp(A, R);
	run_for(1300 * XY_MSEC);
	CU_ASSERT(goes_by(A, B->prefix, S));
	CU_ASSERT_EQUAL(link_info(A, R).word, XY_BABEL_SILENT);
	cut_off(R, false);
	run_for(60 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R));
	world_end();
}

// A link without traffic: before the third Hello is missed, and both ends have the word.
static void test_idle_silent(void)
{
	world_make();
	world_start();
	diamond("cost = 200;");
	run_for(60 * XY_SEC);
	cut_off(R, true);
	run_for(8 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, S) && goes_by(B, A->prefix, S));
	CU_ASSERT_EQUAL(link_info(A, R).word, XY_BABEL_SILENT);
	CU_ASSERT_EQUAL(link_info(R, B).word, XY_BABEL_SILENT);
	run_for(60 * XY_SEC); // its Hellos are forgotten
	CU_ASSERT_EQUAL(link_info(A, R).word, XY_BABEL_SILENT);
	struct xy_routing_info i;
	xy_routing_info(A->routing, &i);
	CU_ASSERT_EQUAL(i.notice[XY_BABEL_NOTICE_SILENT], 1);
	cut_off(R, false);
	run_for(60 * XY_SEC);
	CU_ASSERT_EQUAL(link_info(A, R).word, XY_BABEL_UP);
	CU_ASSERT(goes_by(A, B->prefix, R));
	world_end();
}

// The node behind a relay's relay dies: the sender is told, and does not send into nothing.
static void test_silent_line(void)
{
	world_make();
	world_start();
	CONFIGURE(R, "", {"a", ""}, {"s", ""});
	CONFIGURE(S, "", {"r", ""}, {"b", ""});
	CONFIGURE(A, "", {"r", ""});
	CONFIGURE(B, "", {"s", ""});
	run_for(60 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R));
	flow_for(A, B, 10 * XY_SEC);
	cut_off(B, true);
	flow_for(A, B, 3200 * XY_MSEC);
	const struct xy_dp_route *r = route_to(A, B->prefix);
	CU_ASSERT(!r || r->kind == XY_DP_ROUTE_REJECT);
	CU_ASSERT(link_info(S, B).silent && !link_info(R, S).silent && !link_info(A, R).silent);
	world_end();
}

// Control threads that are 150 ms late: no round trip is longer for it, and nobody is silent.
static void test_late(void)
{
	world_make();
	w.late = 150 * XY_MSEC;
	world_start();
	diamond("");
	run_for(60 * XY_SEC);
	flow_for(A, B, 120 * XY_SEC);
	struct xy_babel_link_info i = link_info(A, R);
	CU_ASSERT(i.rtt >= 9000 && i.rtt < 20000);
	CU_ASSERT_EQUAL(i.cost, XY_BABEL_COST);
	CU_ASSERT_EQUAL(i.silences + link_info(R, B).silences, 0);
	CU_ASSERT(i.probes > 0 || link_info(A, S).probes > 0);
	const struct xy_dp_route *r = route_to(A, B->prefix);
	CU_ASSERT(r && r->hop_count == 2); // still of equal cost
	world_end();
}

static void test_equal_cost(void)
{
	world_make();
	world_start();
	diamond("");
	run_for(60 * XY_SEC);
	const struct xy_dp_route *r = route_to(A, B->prefix);
	CU_ASSERT_FATAL(r && r->kind == XY_DP_ROUTE_PEER && r->hop_count == 2);
	CU_ASSERT(r->hops[0] + r->hops[1] == slot_of(A, R) + slot_of(A, S));
	CU_ASSERT(r->hops[0] != r->hops[1] && r->peer == r->hops[0]);
	world_end();
}

// Helpers that are busy delay what they verify, and nothing else.
static void test_slow_helpers(void)
{
	world_make();
	world_start();
	CONFIGURE(R, "", {"a", ""}, {"b", ""}, {"s", ""});
	CONFIGURE(A, "", {"r", ""});
	CONFIGURE(B, "", {"r", ""});
	A->claims_wait = true;
	run_for(60 * XY_SEC);
	CONFIGURE(S, "routing = { announce = [ \"10.1.0.0/16\" ]; };", {"r", ""});
	run_for(60 * XY_SEC);
	CU_ASSERT(link_info(A, R).up && link_info(A, R).heard);
	CU_ASSERT_EQUAL(link_info(A, R).hellos, 0xffff);
	CU_ASSERT_EQUAL(link_info(R, A).hellos, 0xffff);
	CU_ASSERT(route_to(A, B->prefix) == NULL); // not believed yet
	A->claims_wait = false;
	run_for(30 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R));
	world_end();
}

static void test_prefixes(void)
{
	char accept[256];
	world_make();
	world_start();
	line();
	CONFIGURE(B, "routing = { announce = [ \"10.1.0.0/16\", \"10.3.0.0/16\" ]; };", {"r", ""});
	snprintf(accept, sizeof(accept),
		 "routing = { accept = ( { key = \"%s\"; prefix = \"10.1.0.0/16\"; } ); };",
		 B->key);
	CONFIGURE(A, accept, {"r", ""});
	run_for(60 * XY_SEC);
	const struct xy_dp_route *r = route_to(B, "10.1.0.0/16");
	CU_ASSERT(r && r->kind == XY_DP_ROUTE_HOST);
	CU_ASSERT(goes_by(A, "10.1.0.0/16", R));
	CU_ASSERT(route_to(A, "10.3.0.0/16") == NULL); // accepted by nobody
	CU_ASSERT(route_to(R, "10.1.0.0/16") == NULL); // passed on, not used
	CONFIGURE(A, "", {"r", ""});		       // no accept any more
	run_for(10 * XY_SEC);
	CU_ASSERT(route_to(A, "10.1.0.0/16") == NULL);
	CONFIGURE(A, accept, {"r", ""});
	run_for(10 * XY_SEC);
	CU_ASSERT(goes_by(A, "10.1.0.0/16", R));
	CONFIGURE(B, "", {"r", ""}); // withdrawn
	CU_ASSERT(route_to(B, "10.1.0.0/16") == NULL);
	CU_ASSERT(becomes(A, "10.1.0.0/16", XY_DP_ROUTE_REJECT, 20));
	run_for(300 * XY_SEC);
	CU_ASSERT(route_to(A, "10.1.0.0/16") == NULL);
	CU_ASSERT(goes_by(A, B->prefix, R)); // its epoch rose, its /64 stayed
	CU_ASSERT_EQUAL(A->dp.peer[slot_of(A, R)].there, true);
	world_end();
}

// A claim is announced beside what the config announces, whatever config comes, until it is taken
// back or another takes its place.
static void test_claims(void)
{
	struct xy_prefix one, two, own;
	char accept[512];
	world_make();
	world_start();
	line();
	CONFIGURE(B, "routing = { announce = [ \"10.1.0.0/16\" ]; };", {"r", ""});
	snprintf(accept, sizeof(accept),
		 "routing = { accept = ( { key = \"%s\"; prefix = \"10.0.0.0/8\"; } ); };", B->key);
	CONFIGURE(A, accept, {"r", ""});
	xy_prefix_parse("10.2.0.0/16", &one);
	xy_prefix_parse("10.3.0.0/16", &two);
	xy_prefix_parse("10.1.0.0/16", &own);
	CU_ASSERT_EQUAL(xy_routing_claim(B->routing, &own, w.now), -EEXIST);
	CU_ASSERT_EQUAL(xy_routing_claim(B->routing, &one, w.now), 0);
	CU_ASSERT_EQUAL(xy_routing_claim(B->routing, &one, w.now), 0);
	run_for(60 * XY_SEC);
	CU_ASSERT(goes_by(A, "10.1.0.0/16", R) && goes_by(A, "10.2.0.0/16", R));
	CONFIGURE(B, "routing = { announce = [ \"10.1.0.0/16\", \"10.9.0.0/16\" ]; };", {"r", ""});
	run_for(60 * XY_SEC);
	CU_ASSERT(goes_by(A, "10.9.0.0/16", R) && goes_by(A, "10.2.0.0/16", R));
	CU_ASSERT_EQUAL(xy_routing_claim(B->routing, &two, w.now), 0);
	CU_ASSERT(becomes(A, "10.2.0.0/16", XY_DP_ROUTE_REJECT, 20));
	run_for(60 * XY_SEC);
	CU_ASSERT(goes_by(A, "10.3.0.0/16", R) && goes_by(A, "10.1.0.0/16", R));
	CU_ASSERT_EQUAL(xy_routing_claim(B->routing, NULL, w.now), 0);
	CU_ASSERT(becomes(A, "10.3.0.0/16", XY_DP_ROUTE_REJECT, 20));
	run_for(60 * XY_SEC);
	CU_ASSERT(goes_by(A, "10.1.0.0/16", R));
	world_end();
}

// A link without traffic has none when it is begun anew for another reason, either.
static void test_shut(void)
{
	world_make();
	world_start();
	line();
	run_for(60 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R));
	CONFIGURE(A, "", {"r", "traffic = false;"});
	run_for(10 * XY_SEC);
	CU_ASSERT_FALSE(goes_by(A, B->prefix, R));
	CONFIGURE(A, "", {"r", "traffic = false; stub = true;"});
	run_for(10 * XY_SEC);
	CONFIGURE(A, "", {"r", "traffic = false;"});
	run_for(60 * XY_SEC);
	CU_ASSERT_FALSE(goes_by(A, B->prefix, R));
	CONFIGURE(A, "", {"r", ""});
	run_for(60 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R));
	world_end();
}

// A static route keeps its place, and what was learned takes it when it goes.
static void test_precedence(void)
{
	char top[256];
	world_make();
	world_start();
	diamond("cost = 200;");
	snprintf(top, sizeof(top), "routes = ( { prefix = \"%s\"; peer = \"s\"; } );", B->prefix);
	CONFIGURE(A, top, {"r", ""}, {"s", "cost = 200;"});
	run_for(60 * XY_SEC);
	const struct xy_dp_route *r = route_to(A, B->prefix);
	CU_ASSERT(r && r->kind == XY_DP_ROUTE_PEER && r->peer == slot_of(A, S) && !r->hop_count);
	CONFIGURE(A, "", {"r", ""}, {"s", "cost = 200;"});
	CU_ASSERT(goes_by(A, B->prefix, R));
	world_end();
}

static void test_reload(void)
{
	world_make();
	world_start();
	diamond("cost = 200;");
	run_for(80 * XY_SEC);
	CU_ASSERT_EQUAL(link_info(A, R).hellos, 0xffff);
	CONFIGURE(A, "", {"r", "cost = 1000;"}, {"s", "cost = 200;"});
	run_for(60 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, S));
	CU_ASSERT_EQUAL(link_info(A, R).hellos, 0xffff); // never interrupted
	CONFIGURE(A, "", {"r", "babel = \"no\";"}, {"s", "cost = 200;"});
	struct xy_babel_link_info none;
	CU_ASSERT_EQUAL(xy_routing_link_info(A->routing, slot_of(A, R), &none), -ENOENT);
	run_for(60 * XY_SEC);
	CU_ASSERT(goes_by(A, R->prefix, S)); // routing knows a way, the link alone does not count
	CONFIGURE(A, "", {"r", ""}, {"s", "cost = 200;"}); // over the session that is there
	run_for(80 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R));
	CONFIGURE(A, "", {"s", "cost = 200;"});
	CONFIGURE(A, "", {"r", ""}); // the only way there was
	CU_ASSERT_EQUAL(A->dp.dangling, 0);
	run_for(60 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R));
	world_end();
}

// A limit refuses what is beyond it, and lets it in when it is raised.
// A peer that brought much is removed: what it brought goes in slices, and its number is nobody's
// before; the same peer may come again meanwhile.
static void test_removed(void)
{
	enum { PREFIXES = 40, SLICE = 4 };
	static char announce[4096], accept[8192];
	size_t at = 0;
	world_make();
	world_start();
	for (unsigned i = 0; i < PREFIXES; i++)
		at += (size_t)snprintf(announce + at, sizeof(announce) - at,
				       "%s\"2001:db8:%x::/48\"", i ? ", " : "", i);
	char top[8192];
	snprintf(top, sizeof(top), "routing = { announce = [ %s ]; };", announce);
	snprintf(accept, sizeof(accept),
		 "routing = { accept = ( { key = \"%s\"; prefix = \"2001:db8::/32\"; } ); };",
		 B->key);
	CONFIGURE(B, top, {"r", ""});
	CONFIGURE(R, accept, {"b", ""});
	run_for(30 * XY_SEC);
	uint32_t old = slot_of(R, B);
	CU_ASSERT(goes_by(R, "2001:db8:7::/48", B));
	unsigned there = fake_route_count(R->dp.route);
	CU_ASSERT(there > PREFIXES);

	CONFIGURE(R, accept, {"a", ""}); // no b
	CONFIGURE(R, accept, {"b", ""}); // and b again
	CU_ASSERT(slot_of(R, B) != old && R->dp.peer[old].there);
	unsigned turns = 0;
	while (R->dp.peer[old].there && turns++ < 1000) {
		unsigned before = R->dp.route_changes;
		xy_links_run(R->links, SLICE, w.now);
		xy_routing_run(R->routing, SLICE, w.now);
		CU_ASSERT(R->dp.route_changes - before <= 3 * SLICE);
	}
	CU_ASSERT(turns >= PREFIXES / SLICE && turns < 1000);
	CU_ASSERT_EQUAL(R->dp.dangling, 0);
	run_for(60 * XY_SEC);
	CU_ASSERT(goes_by(R, "2001:db8:7::/48", B));
	CU_ASSERT_EQUAL(fake_route_count(R->dp.route), there);
	world_end();
}

static void test_limit(void)
{
	world_make();
	world_start();
	CONFIGURE(R, "", {"a", ""}, {"b", ""}, {"s", ""});
	CONFIGURE(S, "", {"r", ""});
	CONFIGURE(B, "", {"r", ""});
	CONFIGURE(A, "", {"r", "max_origins = 2;"});
	run_for(120 * XY_SEC);
	CU_ASSERT_EQUAL(link_info(A, R).origins, 2); // its own and one more
	CU_ASSERT(!route_to(A, B->prefix) != !route_to(A, S->prefix));
	CU_ASSERT(link_info(A, R).refused[XY_BABEL_REFUSED_ORIGIN_LIMIT] > 0);
	struct xy_routing_info i;
	xy_routing_info(A->routing, &i);
	CU_ASSERT_EQUAL(i.notice[XY_BABEL_NOTICE_LIMIT], 1);
	CONFIGURE(A, "", {"r", ""});
	run_for(20 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R) && goes_by(A, S->prefix, R));
	CU_ASSERT_EQUAL(link_info(A, R).hellos, 0xffff); // never interrupted
	world_end();
}

static unsigned entries(const struct node *n, const char *prefix, struct xy_babel_entry *out)
{
	struct xy_prefix p;
	CU_ASSERT_EQUAL_FATAL(xy_prefix_parse(prefix, &p), 0);
	return xy_routing_lookup(n->routing, &p, out, 1, w.now);
}

// A table that is full: what finds no room is no way for others either, who are not told of it;
// when another route goes it has its place, and is told. What the config names needs no luck.
static void test_no_room(void)
{
	static const char static_route[] =
		"routes = ( { prefix = \"2001:db8::/32\"; peer = \"s\"; } );";
	struct xy_babel_entry e;
	world_make();
	world_start();
	R->dp.room = 4; // its own, those of its two peers, and one
	CONFIGURE(R, static_route, {"a", ""}, {"s", ""});
	CONFIGURE(A, "", {"r", ""});
	CONFIGURE(S, "", {"r", ""}, {"b", ""});
	CONFIGURE(B, "", {"s", ""});
	run_for(30 * XY_SEC);
	CU_ASSERT(goes_by(S, B->prefix, B) && goes_by(A, S->prefix, R));
	CU_ASSERT_PTR_NULL(route_to(R, B->prefix));
	CU_ASSERT_PTR_NULL(route_to(A, B->prefix));
	CU_ASSERT(entries(R, B->prefix, &e) == 1 && e.followed && e.no_room);
	CU_ASSERT_EQUAL(R->rib.waiting_count, 1);

	CONFIGURE(R, "", {"a", ""}, {"s", ""});
	run_for(5 * XY_SEC);
	CU_ASSERT(goes_by(R, B->prefix, S) && goes_by(A, B->prefix, R));
	CU_ASSERT(entries(R, B->prefix, &e) == 1 && e.followed && !e.no_room);
	CU_ASSERT_EQUAL(R->rib.waiting_count, 0);

	CONFIGURE(R, static_route, {"a", ""}, {"s", ""});
	run_for(60 * XY_SEC);
	CU_ASSERT_PTR_NOT_NULL(route_to(R, "2001:db8::/32"));
	CU_ASSERT_PTR_NULL(route_to(R, B->prefix));
	CU_ASSERT(!route_to(A, B->prefix) || route_to(A, B->prefix)->kind == XY_DP_ROUTE_REJECT);
	R->dp.room = 0;
	CONFIGURE(R, "", {"a", ""}, {"s", ""});
	run_for(5 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R));
	world_end();
}

// The network behind a leaf that does not answer is withdrawn meanwhile, and back when the leaf has
// been for a while; it need not be there at the start.
static void leaf_talks(unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		fake_data(&R->dp, slot_of(R, S));
		run_for(XY_SEC);
	}
}

static void test_dead_leaf(void)
{
	char accept[256];
	struct xy_prefix p;
	world_make();
	world_start();
	w.cut[1][2] = w.cut[2][1] = true;
	CONFIGURE(R, "routing = { announce = [ \"10.2.0.0/16\" ]; };", {"a", ""}, {"b", ""},
		  {"s", "leaf = true; allowed = [ \"10.2.0.0/16\" ];"});
	snprintf(accept, sizeof(accept),
		 "routing = { accept = ( { key = \"%s\"; prefix = \"10.2.0.0/16\"; } ); };",
		 R->key);
	CONFIGURE(A, accept, {"r", ""});
	CONFIGURE(B, "", {"r", ""});
	CONFIGURE(S, "", {"r", "babel = \"no\"; keepalive = 5;"});
	run_for(30 * XY_SEC); // asked, and not yet given up
	leaf_talks(120);
	CU_ASSERT(!goes_by(A, "10.2.0.0/16", R));
	CU_ASSERT_PTR_NOT_NULL(xy_routing_withheld(R->routing, 0, &p));
	w.cut[1][2] = w.cut[2][1] = false;
	leaf_talks(30);
	CU_ASSERT(goes_by(A, "10.2.0.0/16", R)); // R asked again, of itself
	CU_ASSERT_PTR_NULL(xy_routing_withheld(R->routing, 0, &p));

	w.cut[1][2] = w.cut[2][1] = true;
	leaf_talks(40);
	CU_ASSERT(!goes_by(A, "10.2.0.0/16", R));
	run_for(600 * XY_SEC); // nobody sends anything there any more
	w.cut[1][2] = w.cut[2][1] = false;
	run_for(5 * XY_SEC);
	CU_ASSERT(!goes_by(A, "10.2.0.0/16", R));
	run_for(80 * XY_SEC); // it was lost again soon, so the hold-down has grown
	CU_ASSERT(goes_by(A, "10.2.0.0/16", R));
	CONFIGURE(R, "", {"a", ""}, {"b", ""},
		  {"s", "leaf = true; allowed = [ \"10.2.0.0/16\" ];"});
	run_for(60 * XY_SEC);
	CU_ASSERT(!goes_by(A, "10.2.0.0/16", R));
	world_end();
}

// A key that no config names, where peering is open: routed to like any other, within the limits of
// an open peer, and without a trace when peering is closed.
static void test_open(void)
{
	world_make();
	world_start();
	CONFIGURE(R, "peering = \"open\";", {"b", ""});
	CONFIGURE(B, "", {"r", ""});
	CONFIGURE(A, "", {"r", ""});
	run_for(30 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R) && goes_by(B, A->prefix, R));
	CU_ASSERT(goes_by(R, A->prefix, A) && link_info(R, A).up);
	CONFIGURE(R, "peering = \"open\";", {"b", ""}); // a reload leaves it alone
	CU_ASSERT_EQUAL(link_info(R, A).routes, 1);
	CONFIGURE(R, "", {"b", ""});
	CU_ASSERT_EQUAL(slot_of(R, A), UINT32_MAX);
	CU_ASSERT_EQUAL(R->dp.dangling, 0);
	run_for(60 * XY_SEC);
	const struct xy_dp_route *r = route_to(B, A->prefix);
	CU_ASSERT(!r || r->kind == XY_DP_ROUTE_REJECT);
	world_end();
}

static void ask(struct node *n, enum xy_dp_event_type type, const struct xy_addr *a)
{
	struct xy_dp_event ev = {.type = type, .addr = *a};
	xy_routing_event(n->routing, &ev, w.now);
}

static void test_stub(void)
{
	world_make();
	A->stub = true;
	world_start();
	CONFIGURE(R, "", {"a", "stub = true;"}, {"b", ""}, {"s", ""});
	CONFIGURE(A, "routing = { stub = true; };", {"r", "relay = true;"});
	CONFIGURE(B, "", {"r", ""});
	CONFIGURE(S, "", {"r", ""});
	run_for(60 * XY_SEC);
	const struct xy_dp_route *r = route_to(A, "200::/7");
	CU_ASSERT_FATAL(r && r->kind == XY_DP_ROUTE_ASK);
	CU_ASSERT(route_to(A, B->prefix) == NULL && route_to(A, S->prefix) == NULL);
	ask(A, XY_DP_ASK, &B->id.addr);
	run_for(5 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R) && route_to(A, S->prefix) == NULL);
	struct xy_addr nobody;
	CU_ASSERT(xy_addr_parse("2ab:cdef::1", &nobody) == 0);
	ask(A, XY_DP_ASK, &nobody);
	run_for(9 * XY_SEC);
	r = route_to(A, "2ab:cdef::/64");
	CU_ASSERT(r && r->kind == XY_DP_ROUTE_REJECT);
	run_for(15 * XY_SEC);
	CU_ASSERT(route_to(A, "2ab:cdef::/64") == NULL);
	for (unsigned i = 0; i < 6; i++) { // what is used stays
		ask(A, XY_DP_USED, &B->id.addr);
		run_for(60 * XY_SEC);
	}
	CU_ASSERT(goes_by(A, B->prefix, R));
	run_for(400 * XY_SEC);
	CU_ASSERT(route_to(A, B->prefix) == NULL); // what is not is let go
	world_end();
}

static bool troubled(const struct node *n, const struct node *peer, const char *part)
{
	const char *text = xy_routing_trouble(n->routing, slot_of(n, peer));
	return part ? text && strstr(text, part) : !text;
}

static void check_for(xy_nsec span)
{
	for (xy_nsec end = w.now + span; w.now < end;) {
		run_for(XY_SEC);
		for (unsigned i = 0; i < NODES; i++)
			xy_routing_check(w.node[i].routing, &second, w.now);
	}
}

// Only one end has it that a is a stub; whose mistake it is, both say. With both right, neither.
static void test_stub_mistaken(void)
{
	world_make();
	world_start();
	CONFIGURE(R, "", {"a", "stub = true;"}, {"b", ""});
	CONFIGURE(B, "", {"r", ""});
	CONFIGURE(S, "", {"a", ""});
	CONFIGURE(A, "", {"r", ""}, {"s", ""});
	check_for(25 * XY_SEC);
	CU_ASSERT(troubled(A, R, NULL)); // it may pass
	check_for(35 * XY_SEC);
	CU_ASSERT(troubled(A, R, "takes this node for a stub") && troubled(A, S, NULL));
	CU_ASSERT(troubled(R, A, "has a table of its own") && troubled(R, B, NULL));
	CONFIGURE(R, "", {"a", ""}, {"b", ""});
	check_for(60 * XY_SEC);
	CU_ASSERT(troubled(A, R, NULL) && troubled(R, A, NULL));
	CU_ASSERT(goes_by(A, B->prefix, R));
	world_end();

	world_make();
	A->stub = true;
	world_start();
	CONFIGURE(R, "", {"a", ""}, {"b", ""});
	CONFIGURE(B, "", {"r", ""});
	CONFIGURE(A, "routing = { stub = true; };", {"r", "relay = true;"});
	check_for(60 * XY_SEC);
	CU_ASSERT(troubled(A, R, "does not know that this node is a stub"));
	CONFIGURE(R, "", {"a", "stub = true;"}, {"b", ""});
	check_for(60 * XY_SEC);
	CU_ASSERT(troubled(A, R, NULL) && troubled(R, A, NULL));
	world_end();
}

// A restart in the middle: with the epoch that follows, and with a lost one.
static bool patient(const struct node *n, const struct node *peer)
{
	return n->dp.peer[slot_of(n, peer)].patient;
}

// Hellos may wait while all is well, and each is wanted at once as soon as it is not: step() and
// what it calls ask in each state between.
static void test_patience(void)
{
	world_make();
	world_start();
	line();
	run_for(XY_SEC / 10);
	CU_ASSERT(!patient(R, A) && !patient(R, B));
	run_for(30 * XY_SEC);
	CU_ASSERT(patient(R, A) && patient(R, B) && patient(A, R) && patient(B, R));

	xy_routing_link(R->routing, slot_of(R, A), XY_LINK_WENT_DOWN, w.now); // its session
	CU_ASSERT(!patient(R, A) && patient(R, B));
	xy_routing_link(R->routing, slot_of(R, A), XY_LINK_CAME_UP, w.now);
	CU_ASSERT_FALSE(patient(R, A));
	run_for(30 * XY_SEC);
	CU_ASSERT(patient(R, A));

	xy_routing_link(R->routing, slot_of(R, A), XY_LINK_DOUBT, w.now);
	CU_ASSERT(!patient(R, A) && patient(R, B));
	run_for(30 * XY_SEC);
	CU_ASSERT(patient(R, A));

	CONFIGURE(R, "", {"a", "stub = true;"}, {"b", ""}); // begun anew, over the same session
	CU_ASSERT(!patient(R, A) && patient(R, B));
	CONFIGURE(R, "", {"a", ""}, {"b", ""});
	CU_ASSERT_FALSE(patient(R, A));
	run_for(30 * XY_SEC);
	CU_ASSERT(patient(R, A));

	w.cut[number_of(R)][number_of(A)] =
		true; // deaf: it says so before routing has a word for it
	xy_nsec end = w.now + 60 * XY_SEC;
	while (link_info(A, R).usable && w.now < end)
		run_for(XY_SEC / 20);
	run_for(XY_SEC / 4);
	CU_ASSERT_FALSE(patient(A, R));
	run_for(20 * XY_SEC);
	CU_ASSERT_FALSE(patient(R, A));
	w.cut[number_of(R)][number_of(A)] = false;
	run_for(60 * XY_SEC);
	CU_ASSERT(patient(R, A) && patient(A, R));

	node_stop(B); // and here again before it is missed
	w.queued = 0;
	dp_make(B);
	node_start(B, 1700000100);
	CONFIGURE(B, "", {"r", ""});
	run_for(60 * XY_SEC);
	CU_ASSERT(patient(R, B) && patient(B, R));

	xy_routing_goodbye(A->routing, w.now);
	CU_ASSERT(patient(A, R)); // it hears as before
	run_for(XY_SEC);
	CU_ASSERT_FALSE(patient(R, A));
	xy_routing_stay(A->routing, w.now);
	CU_ASSERT_FALSE(patient(A, R)); // spoken with anew
	run_for(60 * XY_SEC);
	CU_ASSERT(patient(R, A) && patient(A, R));
	world_end();
}

static void test_restart(void)
{
	world_make();
	world_start();
	line();
	run_for(30 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R));
	for (unsigned lost = 0; lost < 2; lost++) { // then the network tells it
		node_stop(B);
		w.queued = 0;
		dp_make(B);
		node_start(B, lost ? 1 : 1700000100);
		CONFIGURE(B, "", {"r", ""});
		run_for(60 * XY_SEC);
		CU_ASSERT(goes_by(B, A->prefix, R) && goes_by(A, B->prefix, R));
	}
	struct xy_routing_info i;
	xy_routing_info(B->routing, &i);
	CU_ASSERT(i.babel.epoch > 1700000100);
	CU_ASSERT_EQUAL(i.notice[XY_BABEL_NOTICE_EPOCH_LOST], 1);
	CU_ASSERT_EQUAL(i.notice[XY_BABEL_NOTICE_TWO_NODES], 0);
	world_end();
}

static void send_raw(struct node *n, const struct node *peer, const struct xy_udp6 *u, bool spoil)
{
	uint8_t packet[PACKET];
	size_t len = xy_udp6_build(u, packet, sizeof(packet));
	if (spoil)
		packet[len - 1] ^= 1;
	struct xy_dp_event ev = {.type = XY_DP_OVERLAY,
				 .peer = slot_of(n, peer),
				 .data = packet,
				 .len = len,
				 .at = w.now};
	xy_routing_event(n->routing, &ev, w.now);
}

static uint64_t malformed(const struct node *n)
{
	struct xy_routing_info i;
	xy_routing_info(n->routing, &i);
	return i.malformed;
}

// R tells A of an origin that is not there, by its own /64.
static void tell_within(const struct xy_identity *id, xy_nsec span)
{
	struct xy_babel_claim c = {.prefix = xy_key_prefix(&id->x25519),
				   .rid = xy_babel_router_id(&id->x25519, 7),
				   .origin = {.epoch = 7}};
	struct xy_addr theirs = xy_key_link_local(&R->id.x25519);
	struct xy_babel_builder p;
	uint8_t data[512];
	memcpy(c.origin.key, id->ed25519.b, sizeof(c.origin.key));
	xy_babel_claim_sign(&c, id->ed25519_sk);
	xy_babel_build(&p, data, sizeof(data), &theirs);
	xy_babel_build_update(&p, &(struct xy_babel_update){.prefix = c.prefix,
							    .interval = 6000,
							    .metric = 100,
							    .has_rid = true,
							    .rid = c.rid,
							    .has_origin = true,
							    .origin = c.origin});
	struct xy_udp6 u = {.src = theirs,
			    .dst = xy_babel_group,
			    .src_port = XY_BABEL_PORT,
			    .dst_port = XY_BABEL_PORT,
			    .data = data,
			    .len = xy_babel_build_end(&p)};
	send_raw(A, R, &u, false);
	run_for(span);
}

static void tell_of(const struct xy_identity *id)
{
	tell_within(id, XY_SEC);
}

// A plan comes in slices: what stands in both is in force all the while, packets and sessions that
// come in between find what there is, and another plan may come before it is through.
static void test_slices(void)
{
	enum { ACCEPTS = 20 };
	char accept[4096] = "routing = { accept = ( ";
	struct xy_identity id[10];
	uint8_t seed[32] = {0};
	unsigned turns = 0;
	for (unsigned i = 0; i < 10; i++) {
		seed[0] = (uint8_t)(100 + i);
		CU_ASSERT_FATAL(xy_identity_from_seed(seed, &id[i]) == 0);
	}
	world_make();
	world_start();
	CONFIGURE(R, "", {"a", ""}, {"b", ""});
	CONFIGURE(B, "", {"r", ""}, {"s", ""});
	CONFIGURE(S, "", {"a", ""}, {"b", ""});
	CONFIGURE(A, "", {"r", "max_origins = 16;"});
	run_for(30 * XY_SEC);
	CU_ASSERT(goes_by(A, B->prefix, R));
	for (unsigned i = 0; i < ACCEPTS; i++) {
		char key[XY_KEY_STRLEN];
		size_t at = strlen(accept);
		snprintf(accept + at, sizeof(accept) - at,
			 "%s{ key = \"%s\"; prefix = \"10.%u.0.0/16\"; }", i ? ", " : "",
			 xy_key_str(&id[9].x25519, key), i);
	}
	strcat(accept, " ); announce = [ \"10.99.0.0/16\" ]; };");
	BEGIN(A, accept, {"r", "max_origins = 16;"}, {"s", ""});
	const struct xy_udp6 from_s = {.src = xy_key_link_local(&S->id.x25519),
				       .dst = xy_babel_group,
				       .src_port = XY_BABEL_PORT,
				       .dst_port = XY_BABEL_PORT,
				       .data = (const uint8_t[]){42, 2, 0, 0},
				       .len = 4};
	for (; xy_routing_applying(A->routing); turns++) {
		send_raw(A, S, &from_s, false); // no link of Babel's at first
		if (turns == 2)
			xy_routing_link(A->routing, slot_of(A, S), XY_LINK_WENT_DOWN, w.now);
		CU_ASSERT_EQUAL(xy_routing_deadline(A->routing), 0);
		xy_routing_run(A->routing, 1, w.now);
		CU_ASSERT(goes_by(A, B->prefix, R));
		CU_ASSERT_FATAL(turns < 10 * ACCEPTS);
	}
	CU_ASSERT(turns > ACCEPTS); // bounded
	CU_ASSERT_EQUAL(xy_routing_apply_result(A->routing, NULL), 0);
	CU_ASSERT_EQUAL(malformed(A), 0);
	run_for(60 * XY_SEC);
	CU_ASSERT(link_info(A, S).usable && link_info(A, R).hellos == 0xffff);

	// Once more, and given up for another one in the middle, which names nobody.
	BEGIN(A, "", {"r", "max_origins = 8;"}, {"s", "babel = \"no\";"});
	xy_routing_run(A->routing, 1, w.now);
	BEGIN(A, accept, {"r", "max_origins = 8;"}, {"s", ""});
	for (unsigned i = 0; i < ACCEPTS / 2; i++)
		xy_routing_run(A->routing, 1, w.now);
	CU_ASSERT(xy_routing_applying(A->routing));
	BEGIN(A, "", {"r", "max_origins = 8;"});
	run_for(60 * XY_SEC);
	CU_ASSERT(!xy_routing_applying(A->routing));
	for (unsigned i = 0; i < 9; i++)
		tell_of(&id[i]);
	unsigned most = link_info(A, R).origins;
	CU_ASSERT_EQUAL(most, 7);
	tell_of(&id[9]); // as good as any other, since no plan names it
	CU_ASSERT_EQUAL(link_info(A, R).origins, most);
	BEGIN(A, accept, {"r", ""});
	xy_routing_run(A->routing, 1, w.now);
	world_end(); // in between
}

// One packet with a claim of a key that nobody knows, to be verified: an action.
static void flood(struct node *n, const struct node *from)
{
	struct xy_babel_update u = {
		.interval = 6000, .metric = 100, .has_rid = true, .rid = 1, .has_origin = true};
	struct xy_addr theirs = xy_key_link_local(&from->id.x25519);
	struct xy_babel_builder p;
	uint8_t data[512];
	random_bytes(NULL, u.origin.key, sizeof(u.origin.key));
	u.origin.epoch = 7;
	u.prefix = (struct xy_prefix){.addr.b = {0x02, 1}, .len = 64};
	random_bytes(NULL, u.prefix.addr.b + 2, 6);
	xy_babel_build(&p, data, sizeof(data), &theirs);
	xy_babel_build_update(&p, &u);
	struct xy_udp6 packet = {.src = theirs,
				 .dst = xy_babel_group,
				 .src_port = XY_BABEL_PORT,
				 .dst_port = XY_BABEL_PORT,
				 .data = data,
				 .len = xy_babel_build_end(&p)};
	send_raw(n, from, &packet, false);
}

// What the config has room for is what Babel has room for, with some that come and go.
static void test_room(void)
{
	struct xy_babel_stats s[2];
	for (unsigned i = 0; i < 2; i++) {
		struct xy_routing_info info;
		world_make();
		A->max_routes = i ? 4000 : 20;
		world_start();
		xy_routing_info(A->routing, &info);
		s[i] = info.babel;
		CU_ASSERT(s[i].prefix_limit >= 2 * A->max_routes);
		CU_ASSERT(s[i].prefix_limit < 2 * A->max_routes + 2000);
		CU_ASSERT(s[i].origin_limit == s[i].prefix_limit);
		CU_ASSERT(s[i].route_limit >= s[i].prefix_limit &&
			  s[i].route_limit <= SLOTS * s[i].prefix_limit);
		world_end();
	}
	CU_ASSERT(s[0].prefix_limit < s[1].prefix_limit && s[0].route_limit < s[1].route_limit);

	// And it is the limit: who brings more is refused the rest.
	enum { BROUGHT = 700 };
	unsigned brought = 0;
	world_make();
	A->max_routes = 20;
	world_start();
	CONFIGURE(R, "", {"a", ""});
	CONFIGURE(A, "", {"r", ""});
	run_for(30 * XY_SEC);
	for (; !link_info(A, R).refused[XY_BABEL_REFUSED_ROUTE_LIMIT] && brought < BROUGHT;
	     brought++) {
		uint8_t seed[32] = {1, (uint8_t)brought, (uint8_t)(brought >> 8)};
		struct xy_identity id;
		CU_ASSERT_FATAL(xy_identity_from_seed(seed, &id) == 0);
		tell_within(&id, XY_SEC / 20);
	}
	CU_ASSERT(brought > 100 && brought < BROUGHT);
	world_end();
}

// A number is given back though there is no moment without something to do.
static void test_flood(void)
{
	enum { TURNS = 6000 };
	unsigned turns = 0;
	world_make();
	world_start();
	CONFIGURE(R, "", {"a", ""}, {"b", ""});
	CONFIGURE(A, "", {"r", ""});
	CONFIGURE(B, "", {"r", ""});
	run_for(30 * XY_SEC);
	CU_ASSERT(goes_by(R, B->prefix, B));
	R->claims_wait = true;
	for (unsigned i = 0; i < 40; i++)
		flood(R, A);
	uint32_t old = slot_of(R, B);
	CONFIGURE(R, "", {"a", ""});
	for (; R->dp.peer[old].there && turns < TURNS; turns++) {
		for (unsigned i = 0; i < 3; i++)
			flood(R, A);
		xy_routing_run(R->routing, 2, w.now);
		xy_links_run(R->links, 100, w.now);
		CU_ASSERT_FATAL(xy_routing_deadline(R->routing) <= w.now);
	}
	CU_ASSERT(turns > 1 && turns < TURNS);
	R->claims_wait = false;
	world_end();
}

// Where a limit is reached there is room left for whom `accept` names, and for nobody else.
static void test_accept_prefers(void)
{
	struct xy_identity id[10];
	char top[200], key[XY_KEY_STRLEN];
	uint8_t seed[32] = {0};
	for (unsigned i = 0; i < 10; i++) {
		seed[0] = (uint8_t)(100 + i);
		CU_ASSERT_FATAL(xy_identity_from_seed(seed, &id[i]) == 0);
	}
	snprintf(top, sizeof(top),
		 "routing = { accept = ( { key = \"%s\"; prefix = \"10.1.0.0/16\"; } ); };",
		 xy_key_str(&id[9].x25519, key));
	world_make();
	world_start();
	CONFIGURE(R, "", {"a", ""});
	CONFIGURE(A, top, {"r", "max_origins = 8;"});
	run_for(30 * XY_SEC);
	for (unsigned i = 0; i < 8; i++) // r itself is one
		tell_of(&id[i]);
	CU_ASSERT_EQUAL(link_info(A, R).origins, 7);
	tell_of(&id[9]);
	CU_ASSERT_EQUAL(link_info(A, R).origins, 8);
	world_end();
}

static void test_strange_packets(void)
{
	static const uint8_t empty[4] = {42, 2};
	world_make();
	world_start();
	line();
	run_for(30 * XY_SEC);
	struct xy_addr theirs = xy_key_link_local(&R->id.x25519);
	struct xy_udp6 good = {.src = theirs,
			       .dst = xy_babel_group,
			       .src_port = XY_BABEL_PORT,
			       .dst_port = XY_BABEL_PORT,
			       .data = empty,
			       .len = sizeof(empty)};
	send_raw(A, R, &good, false);
	CU_ASSERT_EQUAL(malformed(A), 0);
	struct xy_udp6 u = good;
	u.src_port = 1;
	send_raw(A, R, &u, false);
	u = good;
	u.dst_port = 1;
	send_raw(A, R, &u, false);
	u = good;
	u.src = R->id.addr;
	send_raw(A, R, &u, false);
	u = good;
	u.dst = xy_key_link_local(&B->id.x25519);
	send_raw(A, R, &u, false);
	send_raw(A, R, &good, true);
	CU_ASSERT_EQUAL(malformed(A), 5);
	u = good; // somebody else's address on r's link: Babel's to refuse
	u.src = xy_key_link_local(&B->id.x25519);
	send_raw(A, R, &u, false);
	CU_ASSERT_EQUAL(link_info(A, R).refused[XY_BABEL_REFUSED_PACKET], 1);
	world_end();
}

XY_UNIT_MAIN("routing", {"a line: everyone reaches everyone", test_line},
	     {"path MTU, by probing", test_path_mtu},
	     {"path MTU of who roams and comes back", test_path_mtu_roamed},
	     {"a link dies, and is back; a node dies", test_moves},
	     {"a relay dies under traffic", test_silent}, {"a relay says goodbye", test_goodbye},
	     {"no way, or another", test_no_way}, {"ICMP errors, true and forged", test_refused},
	     {"a relay dies without traffic", test_idle_silent},
	     {"a node dies behind two relays", test_silent_line},
	     {"control threads that are late", test_late},
	     {"two ways of equal cost", test_equal_cost},
	     {"helpers that are slow", test_slow_helpers},
	     {"prefixes outside the mesh", test_prefixes}, {"claims", test_claims},
	     {"a link without traffic", test_shut}, {"static before learned", test_precedence},
	     {"reload", test_reload}, {"a plan in slices", test_slices},
	     {"a number is given back under a flood", test_flood},
	     {"room as the config says", test_room},
	     {"a peer that brought much is removed", test_removed}, {"a limit", test_limit},
	     {"no room in the table", test_no_room},
	     {"a leaf that does not answer", test_dead_leaf},
	     {"a limit, and who is accepted", test_accept_prefers}, {"an open peer", test_open},
	     {"a stub asks", test_stub}, {"a stub that is none", test_stub_mistaken},
	     {"Hellos that may wait", test_patience}, {"restart", test_restart},
	     {"strange packets", test_strange_packets})
