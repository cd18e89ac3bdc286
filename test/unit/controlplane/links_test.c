// SPDX-License-Identifier: BSD-3-Clause
// The control side of links, whole, on virtual time: nodes with fake dataplanes on a small network
// whose every datagram the test may lose, delay, keep or send again.
#include "unit.h"

#include "base/bytes.h"
#include "exchange/exchanges.h"
#include "fake_dataplane.h"
#include "fake_net.h"
#include "lag.h"
#include "links/link.h"
#include "routes/rib.h"
#include "test_limits.h"

#include <sodium.h>
#include <stdlib.h>

enum { NODES = 4, QUEUE = 4096, KEPT = 64 };

struct node {
	struct xy_env env;
	struct xy_dp dp;
	struct xy_identity id;
	struct xy_exchanges *exchanges;
	struct xy_rib rib;
	struct xy_book book;
	struct xy_links *links;
	struct xy_accepts accepts;
	struct xy_plan plan;
	char key[XY_KEY_STRLEN];
	bool jobs_wait; // helpers do nothing until told
	struct xy_job *waiting[XY_JOBS];
	unsigned waiting_count, resolves;
	uint64_t resolve_serial;
	unsigned resolve_asked;
	bool resolve_fails;
	bool open;
	const struct xy_key *admits; // whoever has it may come	// to strangers
	uint64_t ahead;		     // its wall clock, by so many seconds
	uint32_t mtu, icmp_mtu;
	bool route_mtu;
	struct xy_addr source; // of the way that the kernel would take
	unsigned changes[XY_LINK_DOUBT + 1];
};

struct datagram {
	xy_nsec at;
	struct xy_endpoint from, to;
	uint8_t data[256];
	size_t len;
};

static struct {
	xy_nsec now;
	struct node node[NODES];
	struct datagram queue[QUEUE];
	unsigned queued;
	xy_nsec delay;
	bool (*lose)(const struct datagram *d);
	unsigned sent[5];	    // by type
	struct datagram kept[KEPT]; // initiations, as they were sent
	unsigned kept_count;
	uint64_t random;
	uint64_t set_back; // the wall clock, by so many seconds
} w;

static struct xy_endpoint at(const char *text)
{
	struct xy_endpoint e = {0};
	CU_ASSERT_FATAL(xy_endpoint_parse(text, &e) == 0);
	return e;
}

// --- what links ask of the outside

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
	const struct node *n = arg;
	*unix_sec = 1700000000 + w.now / XY_SEC - w.set_back + n->ahead;
	*nsec = (uint32_t)(w.now % XY_SEC);
}

static void finish(struct node *n, struct xy_job *job)
{
	xy_job_run(job);
	xy_exchanges_job_done(n->exchanges, job, w.now);
}

static void run_job(void *arg, struct xy_job *job)
{
	struct node *n = arg;
	n->waiting[n->waiting_count++] = job;
}

static int resolve(void *arg, const struct xy_env_asker *by, const char *host, uint16_t port)
{
	struct node *n = arg;
	n->resolves++;
	n->resolve_serial = by->serial;
	n->resolve_asked = by->asked;
	return n->resolve_fails ? -ENOMEM : 0;
}

static void path(void *arg, struct xy_dp_peer *peer)
{
	const struct node *n = arg;
	peer->mtu = n->mtu;
	peer->icmp_mtu = n->icmp_mtu;
	peer->route_mtu = n->route_mtu;
	peer->port = peer->heard.port;
	peer->local = peer->heard.local;
	peer->source = n->source;
}

static void routing(void *arg, uint32_t slot, enum xy_link_change what)
{
	((struct node *)arg)->changes[what]++;
}

static bool admits(void *arg, const struct xy_key *key)
{
	const struct node *n = arg;
	return n->admits && memcmp(n->admits, key, sizeof(*key)) == 0;
}

static bool open_to(void *arg, const struct xy_endpoint *from)
{
	return ((struct node *)arg)->open;
}

static void on_event(void *arg, const struct xy_dp_event *ev)
{
	xy_links_event(((struct node *)arg)->links, ev, w.now);
}

static void transmit(void *arg, const struct xy_endpoint *to, const void *data, size_t len)
{
	struct node *n = arg;
	struct datagram d = {.at = w.now + w.delay, .from = n->dp.self, .to = *to, .len = len};
	CU_ASSERT_FATAL(len <= sizeof(d.data) && w.queued < QUEUE);
	memcpy(d.data, data, len);
	if (d.data[0] < 5)
		w.sent[d.data[0]]++;
	if (d.data[0] == XY_WG_INITIATION && w.kept_count < KEPT)
		w.kept[w.kept_count++] = d;
	if (!w.lose || !w.lose(&d))
		w.queue[w.queued++] = d;
}

// --- the world

static void node_start(struct node *n, const char *self, unsigned rate, const uint8_t *stamp_floor)
{
	struct xy_exchanges_config exchanges = {.dp = &n->dp,
						.identity = &n->id,
						.limits = xy_wg_limits_default,
						.env = &n->env,
						.run = run_job,
						.arg = n};
	struct xy_links_config cfg;
	n->env = (struct xy_env){.arg = n,
				 .now = the_time,
				 .random = random_bytes,
				 .wall = wall,
				 .resolve = resolve};
	fake_init(&n->dp, &w.now);
	n->dp.self = at(self);
	n->dp.arg = n;
	n->dp.transmit = transmit;
	n->dp.event = on_event;
	cfg = (struct xy_links_config){.dp = &n->dp,
				       .identity = &n->id,
				       .max_peers = 8,
				       .stranger_rate = rate,
				       .stranger_burst = rate,
				       .env = &n->env,
				       .ops = {.arg = n,
					       .path = path,
					       .open_to = open_to,
					       .admits = admits,
					       .routing = routing}};
	if (stamp_floor)
		memcpy(exchanges.stamp_floor, stamp_floor, sizeof(exchanges.stamp_floor));
	CU_ASSERT_FATAL(xy_exchanges_create(&exchanges, &n->exchanges, NULL) == 0);
	CU_ASSERT_FATAL(xy_rib_init(&n->rib, &n->dp, cfg.max_peers) == 0);
	CU_ASSERT_FATAL(xy_book_init(&n->book, 8) == 0);
	cfg.exchanges = n->exchanges;
	cfg.rib = &n->rib;
	cfg.accepts = &n->accepts;
	cfg.book = &n->book;
	CU_ASSERT_FATAL(xy_links_create(&cfg, &n->links, NULL) == 0);
}

static void node_make(struct node *n, unsigned number, unsigned rate)
{
	char self[32];
	uint8_t seed[32];
	snprintf(self, sizeof(self), "192.0.2.%u:51820", number + 1);
	random_bytes(NULL, seed, sizeof(seed));
	CU_ASSERT_FATAL(xy_identity_from_seed(seed, &n->id) == 0);
	xy_key_str(&n->id.x25519, n->key);
	node_start(n, self, rate, NULL);
}

// As after SIGKILL: nothing is left but the identity, and what the state folder had.
static void node_restart(struct node *n, const uint8_t *stamp_floor)
{
	char self[XY_ENDPOINT_STRLEN];
	while (n->waiting_count)
		finish(n, n->waiting[--n->waiting_count]);
	xy_links_destroy(n->links);
	xy_exchanges_destroy(n->exchanges);
	xy_rib_fini(&n->rib);
	xy_book_fini(&n->book);
	xy_plan_free(&n->plan);
	xy_endpoint_str(&n->dp.self, self);
	node_start(n, self, 0, stamp_floor);
}

static void world_make_rated(unsigned rate)
{
	xy_log_init(XY_LOG_ERROR);
	memset(&w, 0, sizeof(w));
	w.now = 1000 * XY_SEC;
	w.delay = 10 * XY_MSEC;
	w.random = 88172645463325252;
	for (unsigned i = 0; i < NODES; i++)
		node_make(&w.node[i], i, rate);
}

static void world_make(void)
{
	world_make_rated(0);
}

static void job_finish(struct node *n)
{
	struct xy_job *job = n->waiting[0];
	memmove(n->waiting, n->waiting + 1, --n->waiting_count * sizeof(n->waiting[0]));
	finish(n, job);
}

static void jobs_finish(struct node *n)
{
	while (n->waiting_count)
		job_finish(n);
}

static void world_end(void)
{
	for (unsigned i = 0; i < NODES; i++) {
		jobs_finish(&w.node[i]);
		CU_ASSERT_EQUAL(xy_exchanges_jobs(w.node[i].exchanges), 0);
		CU_ASSERT_EQUAL(w.node[i].exchanges->jobs.strangers, 0);
		xy_links_destroy(w.node[i].links);
		xy_exchanges_destroy(w.node[i].exchanges);
		xy_rib_fini(&w.node[i].rib);
		xy_book_fini(&w.node[i].book);
		CU_ASSERT_EQUAL(fake_sessions(&w.node[i].dp), 0);
		CU_ASSERT_EQUAL(w.node[i].dp.dangling, 0);
		CU_ASSERT_EQUAL(fake_route_count(w.node[i].dp.route), 0);
		xy_plan_free(&w.node[i].plan);
	}
}

static int apply(struct node *n, const char *text, struct xy_err *err)
{
	struct xy_config config;
	struct xy_plan plan, old = n->plan;
	int r = xy_config_parse("test", text, strlen(text), &config, err);
	CU_ASSERT_EQUAL_FATAL(r, 0);
	r = xy_plan_make("test", &config, &n->id, &plan, err);
	if (r) {
		xy_plan_free(&plan);
		return r;
	}
	n->plan = plan;
	r = xy_links_apply(n->links, &n->plan, w.now, err);
	xy_plan_free(&old);
	return r;
}

// peers: "{ name = \"b\"; key = \"%s\"; endpoint = ... }" with the key of `other` filled in.
static void configure(struct node *n, const struct node *other, const char *top, const char *more)
{
	char text[2048];
	struct xy_err err = {0};
	snprintf(text, sizeof(text), "%s peers = ( { name = \"peer\"; key = \"%s\"; %s } );", top,
		 other->key, more);
	if (apply(n, text, &err))
		CU_FAIL_FATAL("config refused");
}

static void deliver(const struct datagram *d)
{
	for (unsigned i = 0; i < NODES; i++)
		if (xy_endpoint_eq(&w.node[i].dp.self, &d->to))
			fake_receive(&w.node[i].dp, &d->from, d->data, d->len);
}

static void network_step(void)
{
	struct datagram d;
	while (fake_net_take(w.queue, &w.queued, sizeof(d), w.now, &d))
		deliver(&d);
}

static void step(void)
{
	network_step();
	for (unsigned i = 0; i < NODES; i++) {
		if (!w.node[i].jobs_wait)
			jobs_finish(&w.node[i]);
		xy_links_run(w.node[i].links, 100, w.now);
	}
}

static xy_nsec next_time(void)
{
	xy_nsec next = fake_net_next(w.queue, w.queued, sizeof(w.queue[0]));
	for (unsigned i = 0; i < NODES; i++) {
		xy_nsec t = xy_links_deadline(w.node[i].links);
		next = t < next ? t : next;
		if (w.node[i].waiting_count && !w.node[i].jobs_wait)
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
		CU_ASSERT_FATAL(turns < 1000); // nothing spins
		w.now = next > w.now ? next : w.now;
		step();
	}
	w.now = end;
}

static struct xy_link_info info(const struct node *n)
{
	struct xy_link_info k;
	CU_ASSERT_FATAL(xy_links_count(n->links) > 0);
	xy_links_info(n->links, 0, w.now, &k);
	return k;
}

static bool is_up(const struct node *n)
{
	return info(n).state == XY_LINK_UP;
}

static bool is_at(const struct node *n, const struct xy_endpoint *where)
{
	struct xy_link_info k = info(n);
	return xy_endpoint_eq(&k.remote, where);
}

static uint64_t drops(const struct node *n, enum xy_hs_drop why)
{
	return xy_exchanges_drops(n->exchanges, why);
}

#define A	     (&w.node[0])
#define B	     (&w.node[1])
#define C	     (&w.node[2])
#define D	     (&w.node[3])
#define SECRET	     "network_secret = \"CAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\";"
#define OTHER_SECRET "network_secret = \"BAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\";"
#define LEAF	     "{ name = \"phone\"; key = \"%s\"; leaf = true; allowed = [ %s ]; }"
#define TO_B	     "endpoint = \"192.0.2.2:51820\";"
#define TO_A	     "endpoint = \"192.0.2.1:51820\";"

static void pair_up(void)
{
	configure(B, A, SECRET, "");
	configure(A, B, SECRET, TO_B);
	run_for(2 * XY_SEC);
	CU_ASSERT(is_up(A));
	CU_ASSERT(is_up(B));
}

// --- tests

static void test_handshake(void)
{
	struct xy_link_session s[3];
	world_make();
	configure(B, A, SECRET, "");
	CU_ASSERT_EQUAL(info(B).state, XY_LINK_NO_ENDPOINT);
	configure(A, B, SECRET, TO_B);
	CU_ASSERT_EQUAL(info(A).state, XY_LINK_IDLE); // for a moment
	run_for(2 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	CU_ASSERT(is_at(B, &A->dp.self)); // learned
	CU_ASSERT_EQUAL(w.sent[XY_WG_INITIATION], 1);
	CU_ASSERT_EQUAL(w.sent[XY_WG_RESPONSE], 1);
	CU_ASSERT_EQUAL(xy_links_sessions(A->links, 0, s), 1);
	CU_ASSERT(s[0].initiator);
	CU_ASSERT_EQUAL(xy_links_sessions(B->links, 0, s), 1);
	CU_ASSERT(!s[0].initiator);
	fake_data(&A->dp, 0);
	fake_data(&B->dp, 0);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(B->dp.peer[0].data_rx, 1);
	CU_ASSERT_EQUAL(A->dp.peer[0].data_rx, 1);
	CU_ASSERT_EQUAL(fake_sessions(&A->dp), 1);
	world_end();
}

static unsigned to_lose;
static bool lose_initiations(const struct datagram *d)
{
	return d->data[0] == XY_WG_INITIATION && to_lose && to_lose--;
}

static void test_retransmission(void)
{
	world_make();
	to_lose = 3;
	w.lose = lose_initiations;
	configure(B, A, SECRET, "");
	configure(A, B, SECRET, TO_B);
	run_for(15 * XY_SEC);
	CU_ASSERT(!is_up(A));
	CU_ASSERT_EQUAL(info(A).state, XY_LINK_HANDSHAKE);
	fake_data(&A->dp, 0); // waits for the session
	run_for(3 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	CU_ASSERT_EQUAL(info(A).handshakes_sent, 4);
	CU_ASSERT_EQUAL(info(A).handshakes_failed, 3);
	CU_ASSERT_EQUAL(B->dp.peer[0].data_rx, 1);
	world_end();
}

static bool lose_all(const struct datagram *d)
{
	return true;
}

static void test_give_up_and_again(void)
{
	world_make();
	w.lose = lose_all;
	configure(B, A, SECRET, "");
	configure(A, B, SECRET, TO_B);
	run_for(2 * XY_SEC);
	fake_data(&A->dp, 0);
	run_for(110 * XY_SEC);
	CU_ASSERT(A->dp.peer[0].released >= 1); // what waited was dropped
	unsigned sent = w.sent[XY_WG_INITIATION];
	CU_ASSERT(sent >= 17 && sent <= 24);
	w.lose = NULL;
	run_for(15 * XY_SEC); // a mesh link goes on trying
	CU_ASSERT(is_up(A) && is_up(B));
	world_end();
}

static void test_rekey(void)
{
	unsigned packets = 0;
	world_make();
	pair_up();
	for (; packets < 400; packets++) {
		fake_data(&A->dp, 0);
		fake_data(&B->dp, 0);
		CU_ASSERT_EQUAL(A->dp.peer[0].held, 0); // no gap
		CU_ASSERT_EQUAL(B->dp.peer[0].held, 0);
		run_for(XY_SEC);
		CU_ASSERT(fake_sessions(&A->dp) <= 3 && fake_sessions(&B->dp) <= 3);
	}
	CU_ASSERT_EQUAL(A->dp.peer[0].data_rx, packets);
	CU_ASSERT_EQUAL(B->dp.peer[0].data_rx, packets);
	CU_ASSERT(w.sent[XY_WG_INITIATION] >= 4 && w.sent[XY_WG_INITIATION] <= 5);
	CU_ASSERT_EQUAL(w.sent[XY_WG_INITIATION], w.sent[XY_WG_RESPONSE]);
	world_end();
}

// Time stamps must be newer than the last at the peer, whatever happens to our clock.
static void test_clock_back(void)
{
	world_make();
	pair_up();
	w.set_back = 24 * 3600;
	for (unsigned packets = 0; packets < 400; packets++) {
		fake_data(&A->dp, 0);
		fake_data(&B->dp, 0);
		CU_ASSERT_EQUAL(A->dp.peer[0].held, 0); // no gap
		run_for(XY_SEC);
	}
	CU_ASSERT_EQUAL(drops(B, XY_HS_DROP_REPLAY), 0);
	CU_ASSERT_EQUAL(w.sent[XY_WG_INITIATION], w.sent[XY_WG_RESPONSE]);
	world_end();
}

static void talk(unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		fake_data(&A->dp, 0);
		fake_data(&B->dp, 0);
		run_for(XY_SEC);
	}
}

// What is known of a peer's clock is what is: neither side's that was set right stands as wrong.
static void test_clock_right(void)
{
	world_make();
	B->ahead = 24 * 3600;
	configure(A, B, SECRET, "");
	configure(B, A, SECRET, TO_A);
	talk(400); // and rekeys
	CU_ASSERT_FATAL(is_up(A));
	CU_ASSERT(info(A).clock_known && info(A).clock_apart >= 24 * 3600 - 2);
	CU_ASSERT(!info(B).clock_known); // A began none
	B->ahead = 0;
	xy_links_reset(B->links, info(B).slot, w.now);
	talk(2);
	CU_ASSERT(is_up(A) && !info(A).clock_known); // its time stamps go on from the newest
	talk(400);
	CU_ASSERT(is_up(A) && !info(A).clock_known);
	B->ahead = 48 * 3600; // beyond its newest time stamp: it tells again
	xy_links_reset(B->links, info(B).slot, w.now);
	talk(2);
	CU_ASSERT(info(A).clock_known && info(A).clock_apart >= 48 * 3600 - 2);
	A->ahead = 48 * 3600; // ours was wrong; B need not begin one for that
	CU_ASSERT(!info(A).clock_known);
	A->ahead = 1; // that much may be the two halves of a second
	CU_ASSERT(info(A).clock_known);
	w.lose = lose_all;
	run_for(601 * XY_SEC);
	CU_ASSERT(!info(A).clock_known); // long ago
	world_end();
}

// After a restart our own memory of it is gone; the peer's is not.
static void test_clock_back_restart(void)
{
	uint8_t stamp[XY_WG_TAI64N_LEN];
	world_make();
	pair_up();
	xy_exchanges_stamp(A->exchanges, stamp);
	w.set_back = 24 * 3600;
	node_restart(A, NULL);
	configure(A, B, SECRET, TO_B);
	run_for(2 * XY_SEC);
	CU_ASSERT(!is_up(A)); // what the state folder is for
	CU_ASSERT(drops(B, XY_HS_DROP_REPLAY) > 0);
	node_restart(A, stamp);
	configure(A, B, SECRET, TO_B);
	run_for(2 * XY_SEC);
	CU_ASSERT(is_up(A));
	world_end();
}

// It comes back at another address with neither clock nor memory. Who refuses it says so, and asks
// it there in turn, which it can answer; no data goes there before it has.
static void test_clock_back_asked(void)
{
	world_make();
	pair_up();
	const struct xy_endpoint before = A->dp.self;
	w.set_back = 24 * 3600;
	A->dp.self = at("198.51.100.7:51820");
	node_restart(A, NULL);
	A->dp.self = at("198.51.100.7:51820");
	configure(A, B, SECRET, TO_B);
	run_for(2 * XY_SEC);
	CU_ASSERT(!is_up(A) && is_at(B, &before)); // B heard it a moment ago: it may be a replay
	for (unsigned i = 0; i < 40 && !is_up(A); i++) {
		fake_data(&B->dp, 0);
		CU_ASSERT(is_at(B, &before));
		run_for(XY_SEC);
	}
	CU_ASSERT(is_up(A) && is_up(B) && is_at(B, &A->dp.self));
	CU_ASSERT(info(B).trouble == NULL);
	world_end();
}

// An old initiation, said again from elsewhere, costs one of ours at most every 5 s; data stays,
// and so does what is heard.
static void test_stamp_replayed(void)
{
	world_make();
	pair_up();
	struct datagram old = w.kept[0];
	old.from = at("203.0.113.66:6666");
	A->links->link[0]->start_at = XY_NEVER;
	xy_exchange_act(A->exchanges, &A->links->link[0]->exchange, XY_WG_DO_INITIATE,
			w.now); // a newer one
	run_for(2 * XY_SEC);
	deliver(&old); // while A is heard
	step();
	uint64_t sent = w.sent[XY_WG_INITIATION];
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(w.sent[XY_WG_INITIATION], sent);
	w.lose = lose_all;
	run_for(20 * XY_SEC);
	sent = w.sent[XY_WG_INITIATION];
	for (unsigned i = 0; i < 200; i++) {
		deliver(&old);
		run_for(100 * XY_MSEC);
	}
	CU_ASSERT(w.sent[XY_WG_INITIATION] > sent && w.sent[XY_WG_INITIATION] <= sent + 5);
	CU_ASSERT(is_at(B, &A->dp.self));
	world_end();
}

static void initiate(struct node *n)
{
	xy_exchange_act(n->exchanges, &n->links->link[0]->exchange, XY_WG_DO_INITIATE, w.now);
	run_for(6 * XY_SEC);
}

// Who has recorded an initiation of each side, and says them again all the time from anywhere, does
// not keep the two from finding each other where the config says.
static void test_stamp_replayed_for_ever(void)
{
	struct datagram old[2];
	world_make();
	configure(B, A, SECRET, TO_A);
	configure(A, B, SECRET, TO_B);
	run_for(2 * XY_SEC);
	w.kept_count = 0;
	for (unsigned i = 0; i < 2; i++) { // the second makes the first an old one
		initiate(A);
		initiate(B);
	}
	CU_ASSERT_EQUAL_FATAL(w.kept_count, 4);
	memcpy(old, w.kept, sizeof(old));
	old[0].from = old[1].from = at("203.0.113.66:6666");
	w.lose = lose_all;
	run_for(400 * XY_SEC);
	CU_ASSERT(!is_up(A) && !is_up(B));
	w.lose = NULL;
	for (unsigned i = 0; i < 600 && !is_up(A); i++) {
		deliver(&old[0]);
		deliver(&old[1]);
		run_for(100 * XY_MSEC);
	}
	CU_ASSERT(is_up(A) && is_up(B));
	world_end();
}

// Neither side's config has an endpoint, but one remembers.
static void test_place(void)
{
	struct xy_endpoint place, from_config = at("192.0.2.9:51820");
	struct xy_key key;
	world_make();
	pair_up();
	CU_ASSERT(xy_links_place(B->links, 0, &key, &place));
	CU_ASSERT(xy_endpoint_eq(&place, &A->dp.self));
	CU_ASSERT_EQUAL(memcmp(&key, &A->id.x25519, sizeof(key)), 0);
	node_restart(A, NULL);
	node_restart(B, NULL);
	configure(A, B, SECRET, "");
	configure(B, A, SECRET, "");
	run_for(10 * XY_SEC);
	CU_ASSERT_EQUAL(info(B).state, XY_LINK_NO_ENDPOINT);
	CU_ASSERT(!xy_links_place(B->links, 0, &key, &place));
	xy_links_place_set(B->links, &A->id.x25519, &A->dp.self, w.now);
	xy_links_place_set(B->links, &C->id.x25519, &A->dp.self, w.now); // no peer
	run_for(2 * XY_SEC);
	CU_ASSERT(is_up(B) && is_up(A));
	node_restart(B, NULL); // the config's comes first, the remembered one when it fails
	configure(B, A, SECRET, "endpoint = \"192.0.2.9:51820\";");
	xy_links_place_set(B->links, &A->id.x25519, &A->dp.self, w.now);
	CU_ASSERT(is_at(B, &from_config));
	run_for(20 * XY_SEC);
	CU_ASSERT(is_up(B) && is_at(B, &A->dp.self));
	world_end();
}

// After a suspend, or in a copy of the machine: no key of before is used again, not even one that a
// helper was about to make; and both sides are up again at once.
static void test_renew(void)
{
	struct xy_link_session before[3], after[3];
	world_make();
	pair_up();
	configure(B, A, SECRET, TO_A); // both know where the other is
	CU_ASSERT_EQUAL(xy_links_sessions(B->links, 0, before), 1);
	A->jobs_wait = B->jobs_wait = true;
	xy_exchange_act(A->exchanges, &A->links->link[0]->exchange, XY_WG_DO_INITIATE, w.now);
	jobs_finish(A);
	run_for(20 * XY_MSEC); // B has the initiation
	CU_ASSERT_FATAL(B->waiting_count == 1);
	finish(B, B->waiting[0]);
	B->waiting[0] = B->waiting[--B->waiting_count];
	CU_ASSERT_FATAL(B->waiting_count == 1); // and its response is being made
	xy_exchanges_renew(B->exchanges);
	CU_ASSERT_EQUAL(xy_links_deadline(B->links), 0);
	xy_links_run(B->links, 10, w.now);
	CU_ASSERT(!is_up(B) && B->dp.peer[0].current == 0);
	CU_ASSERT_EQUAL(B->changes[XY_LINK_WENT_DOWN], 1);
	unsigned responses = w.sent[XY_WG_RESPONSE];
	A->jobs_wait = B->jobs_wait = false;
	w.lose = lose_all;
	jobs_finish(B);
	CU_ASSERT_EQUAL(w.sent[XY_WG_RESPONSE], responses);
	CU_ASSERT_EQUAL(fake_sessions(&B->dp), 0);
	w.lose = NULL;
	run_for(2 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	CU_ASSERT(xy_links_sessions(B->links, 0, after) >= 1);
	CU_ASSERT_NOT_EQUAL(before[0].index, after[0].index);
	fake_data(&A->dp, 0);
	fake_data(&B->dp, 0);
	run_for(XY_SEC);
	CU_ASSERT(A->dp.peer[0].data_rx == 1 && B->dp.peer[0].data_rx == 1);
	world_end();
}

// Where only the other side's config has an endpoint, ours asks where it was.
static void test_renew_responder(void)
{
	world_make();
	pair_up();
	xy_exchanges_renew(B->exchanges);
	run_for(2 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	w.now += 3600 * XY_SEC; // a suspend as it shows without a word
	run_for(10 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	world_end();
}

// Where no routing keeps a link busy it goes quiet, as WireGuard's does.
static void test_idle(void)
{
	world_make();
	configure(B, A, SECRET, "babel = \"no\";");
	configure(A, B, SECRET, TO_B "babel = \"no\";");
	run_for(2 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	CU_ASSERT(A->changes[XY_LINK_CAME_UP] == 0);
	run_for(600 * XY_SEC);
	CU_ASSERT(info(A).state == XY_LINK_IDLE && info(B).state == XY_LINK_IDLE);
	CU_ASSERT_EQUAL(fake_sessions(&A->dp), 0); // expired
	CU_ASSERT_EQUAL(fake_sessions(&B->dp), 0);
	CU_ASSERT_EQUAL(xy_links_deadline(B->links), XY_NEVER); // silent
	fake_data(&A->dp, 0);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(B->dp.peer[0].data_rx, 1);
	world_end();
}

// What an operator sees of a peer that dies: no answer within half a minute, no session after
// three.
static void test_silent(void)
{
	world_make();
	pair_up();
	w.lose = lose_all;
	unsigned silent = 0, after = 0;
	for (; after < 300 && info(A).state != XY_LINK_HANDSHAKE; after++) {
		fake_data(&A->dp, 0);
		run_for(XY_SEC);
		CU_ASSERT(info(A).state != XY_LINK_IDLE && info(A).state != XY_LINK_DOWN);
		silent += info(A).state == XY_LINK_SILENT;
	}
	CU_ASSERT(after > 150 && after < 200);		  // the session ends after 180
	CU_ASSERT(silent > after - 35 && silent < after); // sent unanswered, then asked in vain
	CU_ASSERT(w.now - info(A).last_received > 170 * XY_SEC);
	while (info(A).state == XY_LINK_HANDSHAKE)
		run_for(XY_SEC);
	CU_ASSERT_EQUAL(info(A).state, XY_LINK_DOWN);
	w.lose = NULL;
	run_for(120 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	world_end();
}

// A link that routing runs over is brought up again, whatever ended its sessions, and routing is
// told each time.
static void test_kept(void)
{
	world_make();
	pair_up();
	CU_ASSERT(A->dp.peer[0].cfg.routing);
	CU_ASSERT(A->changes[XY_LINK_CAME_UP] == 1 && B->changes[XY_LINK_CAME_UP] == 1);
	run_for(200 * XY_SEC); // nobody sends: the session ends after 180
	CU_ASSERT_EQUAL(A->changes[XY_LINK_WENT_DOWN], 1);
	CU_ASSERT_EQUAL(A->changes[XY_LINK_CAME_UP], 2);
	CU_ASSERT(is_up(A) && is_up(B));
	w.lose = lose_all;
	run_for(2000 * XY_SEC);
	CU_ASSERT(!is_up(A) && !is_up(B));
	w.lose = NULL;
	run_for(20 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	configure(A, B, SECRET, TO_B "babel = \"no\";"); // the link itself stays up
	CU_ASSERT(is_up(A) && !A->dp.peer[0].cfg.routing);
	CU_ASSERT_EQUAL(A->changes[XY_LINK_REMOVED], 1);
	unsigned ups = A->changes[XY_LINK_CAME_UP];
	configure(A, B, SECRET, TO_B);
	CU_ASSERT(A->dp.peer[0].cfg.routing && A->changes[XY_LINK_CAME_UP] == ups + 1);
	world_end();
}

static void test_simultaneous(void)
{
	world_make();
	w.delay = 300 * XY_MSEC;
	configure(A, B, SECRET, TO_B);
	configure(B, A, SECRET, TO_A);
	fake_data(&A->dp, 0);
	fake_data(&B->dp, 0);
	run_for(5 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	CU_ASSERT_EQUAL(w.sent[XY_WG_INITIATION], 2);
	for (unsigned i = 0; i < 50; i++) {
		fake_data(&A->dp, 0);
		fake_data(&B->dp, 0);
		run_for(XY_SEC);
	}
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(A->dp.peer[0].data_rx, 51);
	CU_ASSERT_EQUAL(B->dp.peer[0].data_rx, 51);
	CU_ASSERT(w.sent[XY_WG_INITIATION] <= 3); // no storm
	world_end();
}

static void test_cookie(void)
{
	world_make_rated(1);
	configure(B, A, SECRET, "");
	configure(C, B, SECRET, TO_B); // B does not know C: a stranger that eats the bucket
	run_for(2 * XY_SEC);
	CU_ASSERT(drops(B, XY_HS_DROP_UNKNOWN_KEY) >= 1);
	while (!xy_load_is(&B->links->owner.admission.load, w.now)) { // B is under load
		deliver(&w.kept[0]);
		step();
	}
	configure(A, B, SECRET, TO_B);
	A->links->link[0]->start_at = w.now;
	xy_link_schedule(A->links, A->links->link[0], w.now);
	run_for(100 * XY_MSEC);
	CU_ASSERT(drops(B, XY_HS_DROP_COOKIE) >= 1);
	CU_ASSERT(w.sent[XY_WG_COOKIE_REPLY] >= 1);
	CU_ASSERT(!is_up(A));
	CU_ASSERT(A->links->link[0]->exchange.jar.cookie_birth != 0);
	for (unsigned i = 0; i < 60; i++) { // still under load, but A has its cookie now
		deliver(&w.kept[0]);
		run_for(100 * XY_MSEC);
	}
	CU_ASSERT(is_up(A) && is_up(B));
	world_end();
}

// To nothing that was asked, and to what was, but not made by who was asked: counted, and not
// taken.
static void test_cookie_unasked(void)
{
	world_make();
	configure(A, B, SECRET, TO_B); // who does not answer
	run_for(2 * XY_SEC);
	struct xy_exchange *x = &A->links->link[0]->exchange;
	CU_ASSERT_EQUAL_FATAL(x->hs, XY_EXCHANGE_HS_SENT);
	struct xy_wg_cookie_reply msg = {.type = XY_WG_COOKIE_REPLY, .receiver = x->hs_index + 1};
	struct datagram d = {.from = B->dp.self, .to = A->dp.self, .len = sizeof(msg)};
	uint64_t unasked = drops(A, XY_HS_DROP_UNASKED);
	for (unsigned i = 1; i <= 2; i++) {
		memcpy(d.data, &msg, sizeof(msg));
		deliver(&d);
		CU_ASSERT_EQUAL(drops(A, XY_HS_DROP_UNASKED), unasked + i);
		CU_ASSERT_EQUAL(x->jar.cookie_birth, 0);
		msg.receiver = x->hs_index;
	}
	world_end();
}

static void test_cookie_limited(void)
{
	world_make_rated(1);
	configure(B, A, SECRET, "");
	configure(C, B, SECRET, TO_B);
	run_for(2 * XY_SEC);
	for (unsigned i = 0; i < 100 && !C->links->link[0]->exchange.jar.cookie_birth; i++) {
		deliver(&w.kept[0]); // keeps B under load until C is asked for a cookie
		run_for(100 * XY_MSEC);
	}
	unsigned before = w.kept_count;
	for (unsigned i = 0; i < 100 && w.kept_count == before; i++) {
		deliver(&w.kept[0]);
		run_for(100 * XY_MSEC);
	}
	CU_ASSERT_FATAL(w.kept_count > before); // this one shows its cookie
	uint64_t asked = drops(B, XY_HS_DROP_COOKIE);
	for (unsigned i = 0; i < 20; i++) {
		deliver(&w.kept[before]);
		step();
	}
	CU_ASSERT_EQUAL(drops(B, XY_HS_DROP_COOKIE), asked);
	CU_ASSERT(drops(B, XY_HS_DROP_LIMITED) >= 14); // a cookie buys 5 at once
	world_end();
}

static void test_wrong_secret(void)
{
	world_make();
	configure(B, A, SECRET, "");
	configure(A, B, OTHER_SECRET, TO_B);
	for (unsigned i = 0; i < 60; i++) {
		fake_data(&A->dp, 0);
		fake_data(&B->dp, 0);
		run_for(XY_SEC);
	}
	CU_ASSERT(!is_up(A) && !is_up(B));
	CU_ASSERT(drops(A, XY_HS_DROP_BAD) > 0);
	CU_ASSERT_EQUAL(A->dp.peer[0].data_rx + B->dp.peer[0].data_rx, 0);
	world_end();
}

#define OPEN "peering = \"open\";"

static void none(struct node *n, const char *top)
{
	char text[512];
	struct xy_err err = {0};
	snprintf(text, sizeof(text), "%s", top);
	CU_ASSERT_FATAL(apply(n, text, &err) == 0);
	n->open = n->plan.config.peering != XY_PEERING_CLOSED;
}

static bool has_trouble(const struct node *n, const char *text)
{
	const char *trouble = info(n).trouble;
	if (text && (!trouble || !strstr(trouble, text)))
		printf("[%s] ", trouble ? trouble : "none");
	return text ? trouble && strstr(trouble, text) : !trouble;
}

// Each is known within 5 s, and forgotten when the link is up.
static void test_trouble(void)
{
	world_make(); // the secret
	configure(B, A, SECRET, "");
	configure(A, B, OTHER_SECRET, TO_B);
	run_for(2 * XY_SEC);
	CU_ASSERT(has_trouble(A, "secret differs"));
	CU_ASSERT(has_trouble(B, NULL)); // an answer may be lost
	run_for(12 * XY_SEC);
	CU_ASSERT(has_trouble(A, "secret differs")); // "no answer" says less
	CU_ASSERT(has_trouble(B, "does not take our answers"));
	configure(A, B, SECRET, TO_B);
	run_for(8 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B) && has_trouble(A, NULL) && has_trouble(B, NULL));
	world_end();

	world_make(); // nobody there
	configure(A, B, SECRET, "endpoint = \"203.0.113.9:1\";");
	run_for(5 * XY_SEC);
	CU_ASSERT(has_trouble(A, "no answer"));
	world_end();

	world_make(); // a key of theirs that is not ours, and one of ours that is not theirs
	configure(A, C, SECRET, TO_B); // at B's address
	configure(B, A, SECRET, TO_A);
	run_for(5 * XY_SEC);
	CU_ASSERT(has_trouble(B, "another key for us"));   // A's initiations are for C
	CU_ASSERT(has_trouble(A, "another key is there")); // B's come from where C is to be
	CU_ASSERT(drops(B, XY_HS_DROP_BAD_MAC) > 0);
	configure(A, B, SECRET, TO_B);
	run_for(8 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B) && has_trouble(A, NULL) && has_trouble(B, NULL));
	world_end();
}

static void test_trouble_nameless(void)
{
	struct xy_endpoint from;
	world_make(); // B does not know where A is, so it cannot tell that it was A
	configure(A, C, SECRET, TO_B);
	configure(B, A, SECRET, "");
	CU_ASSERT(!xy_links_other_key(B->links, w.now, &from));
	run_for(5 * XY_SEC);
	CU_ASSERT(xy_links_other_key(B->links, w.now, &from));
	CU_ASSERT(xy_endpoint_eq(&from, &A->dp.self));
	CU_ASSERT(has_trouble(A, "no answer"));
	none(A, "");
	run_for(61 * XY_SEC);
	CU_ASSERT(!xy_links_other_key(B->links, w.now, &from));
	world_end();
}

static void test_trouble_icmp(void)
{
	struct xy_dp_event ev = {.type = XY_DP_REFUSED, .error = ECONNREFUSED};
	world_make();
	configure(A, B, SECRET, "endpoint = \"203.0.113.9:1\";");
	run_for(2 * XY_SEC);
	ev.remote = at("203.0.113.10:1"); // nobody's
	xy_links_event(A->links, &ev, w.now);
	CU_ASSERT(has_trouble(A, NULL));
	ev.remote = at("203.0.113.9:1");
	xy_links_event(A->links, &ev, w.now);
	CU_ASSERT(has_trouble(A, "port closed"));
	run_for(10 * XY_SEC);
	CU_ASSERT(has_trouble(A, "port closed")); // "no answer" says less
	run_for(40 * XY_SEC);
	CU_ASSERT(has_trouble(A, "no answer")); // but this is no longer so
	ev.error = EHOSTUNREACH;
	xy_links_event(A->links, &ev, w.now);
	CU_ASSERT(has_trouble(A, "unreachable"));
	world_end();

	world_make(); // a forged one about a link that is up is forgotten with the next packet
	pair_up();
	ev.remote = B->dp.self;
	xy_links_event(A->links, &ev, w.now);
	run_for(XY_SEC);
	fake_data(&B->dp, 0);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A) && has_trouble(A, NULL));
	world_end();
}

static void test_trouble_other_peer(void)
{
	char text[1024];
	struct xy_err err;
	world_make();
	snprintf(text, sizeof(text),
		 SECRET "peers = ( { name = \"a\"; key = \"%s\"; " TO_B
			" }, { name = \"b\"; key = \"%s\"; " TO_B " } );",
		 C->key, B->key);
	configure(B, A, SECRET, "");
	CU_ASSERT_EQUAL(apply(A, text, &err), 0);
	run_for(20 * XY_SEC);
	CU_ASSERT(has_trouble(A, "another peer is there"));
	world_end();
}

// The only one that lost for this reason; all zeros: nobody did.
static struct xy_dp_blame offender(const struct node *n, enum xy_hs_drop why)
{
	struct xy_dp_blame *v, only;
	unsigned count;
	CU_ASSERT_FATAL(xy_offenders_list(xy_exchanges_offenders(n->exchanges), why, &v, &count) ==
			0);
	CU_ASSERT(count <= 1);
	only = *v;
	free(v);
	return only;
}

// A peer's are told until he is removed.
static void test_offender_gone(void)
{
	world_make();
	configure(B, A, SECRET, "");
	const struct xy_link *k = B->links->link[0];
	xy_links_drop(B->links, XY_HS_DROP_REPLAY, k, &A->dp.self);
	const struct xy_dp_blame his = offender(B, XY_HS_DROP_REPLAY);
	CU_ASSERT(his.of == k->slot && his.packets == 1 && his.datagram);
	configure(B, C, SECRET, "");
	CU_ASSERT(offender(B, XY_HS_DROP_REPLAY).packets == 0 && drops(B, XY_HS_DROP_REPLAY) == 1);
	world_end();
}

static void test_unknown_key(void)
{
	world_make();
	configure(B, C, SECRET, "");
	configure(A, B, SECRET, TO_B);
	run_for(20 * XY_SEC);
	CU_ASSERT(!is_up(A));
	CU_ASSERT(drops(B, XY_HS_DROP_UNKNOWN_KEY) >= 3);
	const struct xy_dp_blame its = offender(B, XY_HS_DROP_UNKNOWN_KEY);
	CU_ASSERT(its.of == XY_DP_OF_STRANGER && its.datagram &&
		  its.packets == drops(B, XY_HS_DROP_UNKNOWN_KEY));
	CU_ASSERT(xy_addr_eq(&its.src, &A->dp.self.addr) && its.src_port == A->dp.self.port);
	CU_ASSERT_EQUAL(w.sent[XY_WG_RESPONSE] + w.sent[XY_WG_COOKIE_REPLY], 0);
	CU_ASSERT_EQUAL(fake_sessions(&B->dp), 0);
	world_end();
}

// --- open peering

static bool has_route(const struct node *n, const struct node *to)
{
	char text[XY_PREFIX_STRLEN];
	struct xy_prefix p = xy_key_prefix(&to->id.x25519);
	return fake_route_find(n->dp.route, xy_prefix_str(&p, text)) != NULL;
}

static bool lose_transport(const struct datagram *d)
{
	return d->data[0] == XY_WG_DATA;
}

static void test_open(void)
{
	world_make();
	none(B, OPEN);
	configure(A, B, "", TO_B);
	run_for(3 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	struct xy_link_info k = info(B);
	CU_ASSERT(k.open && !k.provisional && !k.leaf && k.allowed_count == 0);
	CU_ASSERT(B->links->link[0]->told.open && !A->links->link[0]->told.open);
	CU_ASSERT(strncmp(k.name, "open-", 5) == 0 && strncmp(k.name + 5, A->key, 4) == 0);
	CU_ASSERT(has_route(B, A));
	fake_data(&A->dp, 0);
	fake_data(&B->dp, 0);
	run_for(XY_SEC);
	CU_ASSERT(A->dp.peer[0].data_rx == 1 && B->dp.peer[0].data_rx == 1);
	CU_ASSERT_EQUAL(drops(B, XY_HS_DROP_UNKNOWN_KEY), 0);
	world_end();
}

// Peering is closed, and open to one key; not for longer than that is so.
static void test_admitted(void)
{
	world_make();
	none(B, "");
	B->admits = &C->id.x25519;
	configure(A, B, "", TO_B);
	run_for(8 * XY_SEC);
	CU_ASSERT(!is_up(A) && xy_links_count(B->links) == 0);
	B->admits = &A->id.x25519;
	run_for(20 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B) && info(B).open && has_route(B, A));
	xy_links_admitted_review(B->links);
	CU_ASSERT_EQUAL(xy_links_count(B->links), 1);
	B->admits = NULL;
	xy_links_admitted_review(B->links);
	run_for(20 * XY_SEC);
	CU_ASSERT(xy_links_count(B->links) == 0 && !has_route(B, A));
	none(B, OPEN); // where he is, he may be whoever he is
	run_for(200 * XY_SEC);
	CU_ASSERT(is_up(B));
	xy_links_admitted_review(B->links);
	CU_ASSERT_EQUAL(xy_links_count(B->links), 1);
	world_end();
}

// A handshake alone is no proof that somebody is there: it could be an old one, said again.
static void test_open_needs_transport(void)
{
	world_make();
	none(B, OPEN);
	w.lose = lose_transport;
	configure(A, B, "", TO_B);
	run_for(2 * XY_SEC);
	CU_ASSERT(is_up(A));
	CU_ASSERT_FATAL(xy_links_count(B->links) == 1);
	CU_ASSERT(info(B).provisional && !has_route(B, A));
	run_for(12 * XY_SEC);
	CU_ASSERT_EQUAL(xy_links_count(B->links), 0);
	CU_ASSERT_EQUAL(fake_sessions(&B->dp), 0);
	struct datagram again = w.kept[0];
	for (unsigned i = 0; i < 3;
	     i++) { // the replay finds no memory of itself, and gains nothing
		deliver(&again);
		run_for(5 * XY_SEC);
		CU_ASSERT(xy_links_count(B->links) == 0 || info(B).provisional);
		CU_ASSERT(!has_route(B, A));
	}
	world_end();
}

static void test_open_secret(void)
{
	world_make();
	none(B, OPEN SECRET);
	configure(A, B, OTHER_SECRET, TO_B);
	run_for(8 * XY_SEC);
	CU_ASSERT(!is_up(A));
	CU_ASSERT(xy_links_count(B->links) == 0 || info(B).provisional);
	CU_ASSERT(!has_route(B, A));
	configure(A, B, SECRET, TO_B);
	run_for(15 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B) && has_route(B, A));
	world_end();
}

// Sessions of who came by itself end with the secret that they are of.
static void test_open_other_secret(void)
{
	world_make();
	none(B, OPEN SECRET);
	configure(A, B, SECRET, TO_B);
	run_for(3 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	none(B, OPEN SECRET "max_open_peers = 9;"); // the same one
	run_for(XY_SEC);
	CU_ASSERT(is_up(B));
	none(B, OPEN OTHER_SECRET);
	run_for(20 * XY_SEC);
	CU_ASSERT(xy_links_count(B->links) == 0 || !is_up(B));
	configure(A, B, OTHER_SECRET, TO_B);
	run_for(15 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	world_end();
}

// Nor does one begin with it that a helper was asked for before.
static void test_open_secret_meanwhile(void)
{
	world_make();
	none(B, OPEN SECRET);
	B->jobs_wait = true;
	configure(A, B, SECRET, TO_B);
	run_for(2 * XY_SEC);
	CU_ASSERT_EQUAL_FATAL(B->waiting_count, 1);
	job_finish(B); // opened: it is being met
	CU_ASSERT(B->waiting_count == 1 && xy_links_count(B->links) == 0);
	none(B, OPEN OTHER_SECRET);
	B->jobs_wait = false;
	run_for(20 * XY_SEC);
	CU_ASSERT(!is_up(A) && (xy_links_count(B->links) == 0 || !is_up(B)));
	world_end();
}

// An initiation of a key of its own, as any stranger may send.
static void stranger_asks_as(struct node *to, const char *from, uint8_t number, const char *label)
{
	uint8_t seed[32] = {number, 77}, e[32] = {number, 78}, stamp[12] = {0x40};
	static const uint8_t psk[32];
	struct xy_identity id;
	struct xy_hs_local local = {.label = label};
	struct xy_hs_remote remote;
	struct xy_hs_state state;
	struct xy_wg_initiation msg;
	struct xy_cookie_jar jar;
	struct datagram d = {.from = at(from), .to = to->dp.self, .len = sizeof(msg)};
	CU_ASSERT_FATAL(xy_identity_from_seed(seed, &id) == 0);
	memcpy(local.sk, id.x25519_sk, 32);
	memcpy(local.pk, id.x25519.b, 32);
	CU_ASSERT_FATAL(xy_hs_remote_init(to->id.x25519.b, psk, &remote) == 0);
	CU_ASSERT_FATAL(xy_hs_remote_meet(&local, &remote) == 0);
	stamp[11] = 1;
	CU_ASSERT_FATAL(xy_hs_initiation_create(&local, &remote, e, stamp, number, &state, &msg) ==
			0);
	xy_cookie_jar_init(&jar, to->id.x25519.b);
	xy_cookie_macs_add(&jar, (uint8_t *)&msg, sizeof(msg), w.now);
	memcpy(d.data, &msg, sizeof(msg));
	deliver(&d);
	step();
}

static void stranger_asks(struct node *to, const char *from, uint8_t number)
{
	stranger_asks_as(to, from, number, NULL);
}

// A handshake end to end, that a relay has brought here.
static void test_open_other_label(void)
{
	world_make();
	none(B, OPEN);
	stranger_asks_as(B, "198.51.100.1:1", 1, "xylem-e2e-v1");
	CU_ASSERT(xy_links_count(B->links) == 0 && drops(B, XY_HS_DROP_BAD) == 1);
	stranger_asks(B, "198.51.100.1:1", 1);
	CU_ASSERT(xy_links_count(B->links) == 1 && drops(B, XY_HS_DROP_BAD) == 1);
	world_end();
}

static void test_open_bounded(void)
{
	char from[32];
	world_make();
	none(B, OPEN);
	for (uint8_t i = 0; i < 2; i++) { // max_peers is 8: 4 provisional ones, cookies from 2 on
		snprintf(from, sizeof(from), "198.51.100.%u:1", i + 1);
		stranger_asks(B, from, i);
	}
	CU_ASSERT_EQUAL(xy_links_count(B->links), 2);
	stranger_asks(B, "198.51.100.9:1", 9);
	CU_ASSERT_EQUAL(drops(B, XY_HS_DROP_COOKIE), 1); // show that you can hear us
	CU_ASSERT_EQUAL(xy_links_count(B->links), 2);
	configure(A, B, "", TO_B); // who answers the cookie gets in
	run_for(9 * XY_SEC);
	CU_ASSERT(is_up(A) && has_route(B, A));
	run_for(5 * XY_SEC);
	CU_ASSERT_EQUAL(xy_links_count(B->links), 1); // the others were not heard of again
	world_end();
}

static void test_open_oldest_out(void)
{
	world_make();
	none(B, OPEN);
	struct xy_links *l = B->links;
	l->cfg.max_peers = 64; // for the bounds alone: cookies from 16 on
	for (uint8_t i = 0; i < 12; i++)
		stranger_asks(B, "198.51.100.1:1", i);
	l->cfg.max_peers = 8;
	CU_ASSERT(xy_links_count(l) <= 8); // of one source, or of all slots
	CU_ASSERT(drops(B, XY_HS_DROP_PROVISIONAL) >= 4);
	CU_ASSERT_EQUAL(l->provisional_count, xy_links_count(l));
	run_for(11 * XY_SEC);
	CU_ASSERT_EQUAL(xy_links_count(l), 0);
	CU_ASSERT_EQUAL(l->free_count, 8);
	world_end();
}

static void test_open_full(void)
{
	world_make();
	none(B, OPEN "max_open_peers = 1;");
	configure(A, B, "", TO_B);
	run_for(3 * XY_SEC);
	CU_ASSERT(is_up(A) && has_route(B, A));
	configure(C, B, "", TO_B);
	run_for(3 * XY_SEC);
	CU_ASSERT(!has_route(B, C) && has_route(B, A));
	CU_ASSERT(drops(B, XY_HS_DROP_OPEN_FULL) >= 1);
	CU_ASSERT_EQUAL(xy_links_count(B->links), 1);
	world_end();
}

// One site may hold every place, until somebody comes from elsewhere: then its oldest goes. Who
// comes from a site that holds as many waits.
static void test_open_shared(void)
{
	world_make();
	D->dp.self = at("198.51.100.4:51820");
	none(B, OPEN "max_open_peers = 2;");
	configure(A, B, "", TO_B);
	run_for(3 * XY_SEC);
	configure(C, B, "", TO_B);
	run_for(3 * XY_SEC);
	CU_ASSERT(has_route(B, A) && has_route(B, C));
	configure(D, B, "", TO_B);
	run_for(8 * XY_SEC);
	CU_ASSERT(has_route(B, D) && has_route(B, C) && !has_route(B, A));
	CU_ASSERT_EQUAL(drops(B, XY_HS_DROP_OPEN_SHARE), 1);
	CU_ASSERT_EQUAL(B->links->open_count, 2);
	fake_data(&A->dp, 0); // unanswered: A asks again and again
	run_for(60 * XY_SEC);
	CU_ASSERT(has_route(B, D) && has_route(B, C) && !has_route(B, A));
	CU_ASSERT(drops(B, XY_HS_DROP_OPEN_FULL) >= 1);
	world_end();
}

// Another key of the same /64 takes nothing from the node that is known.
static void test_open_collision(void)
{
	world_make();
	configure(B, C, OPEN, "");
	B->open = true;
	struct xy_rib *rib = &B->rib;
	struct xy_rib_route known = {.prefix = xy_key_prefix(&A->id.x25519),
				     .source = XY_ROUTE_PEER,
				     .route = {.kind = XY_DP_ROUTE_PEER, .peer = 0}};
	CU_ASSERT_EQUAL(xy_rib_set(rib, &known), 0);
	configure(A, B, "", TO_B);
	run_for(3 * XY_SEC);
	CU_ASSERT(drops(B, XY_HS_DROP_COLLISION) >= 1);
	none(A, "");
	run_for(30 * XY_SEC);
	CU_ASSERT_EQUAL(xy_links_count(B->links), 1);
	const struct xy_rib_route *r = xy_rib_get(rib, &known.prefix, XY_ROUTE_PEER);
	CU_ASSERT(r && r->route.peer == 0);
	world_end();
}

static void test_open_idle(void)
{
	world_make();
	none(B, OPEN);
	configure(A, B, "", TO_B);
	run_for(3 * XY_SEC);
	CU_ASSERT(has_route(B, A));
	none(A, ""); // A is gone
	run_for(300 * XY_SEC);
	CU_ASSERT(xy_links_count(B->links) == 1 && has_route(B, A));
	run_for(600 * XY_SEC);
	CU_ASSERT(xy_links_count(B->links) == 0 && !has_route(B, A));
	world_end();
}

// A reload closes peering, or names the peer; the latter keeps its session.
static void test_open_reload(void)
{
	world_make();
	none(B, OPEN);
	configure(A, B, "", TO_B);
	run_for(3 * XY_SEC);
	uint64_t handshakes = w.sent[XY_WG_RESPONSE];
	configure(B, A, "", "");
	CU_ASSERT(is_up(B) && !info(B).open && has_route(B, A));
	CU_ASSERT(!B->links->link[0]->told.open);
	CU_ASSERT_STRING_EQUAL(info(B).name, "peer");
	run_for(5 * XY_SEC);
	CU_ASSERT_EQUAL(w.sent[XY_WG_RESPONSE], handshakes);
	none(B, OPEN);
	CU_ASSERT(xy_links_count(B->links) == 0 && !has_route(B, A));
	run_for(30 * XY_SEC);
	fake_data(&A->dp, 0); // A's session is void; A finds out and asks again
	run_for(60 * XY_SEC);
	CU_ASSERT(xy_links_count(B->links) == 1 && has_route(B, A));
	none(B, "");
	CU_ASSERT(xy_links_count(B->links) == 0 && !has_route(B, A));
	world_end();
}

// Config peers come first: a provisional one gives its slot, and then one that is open.
static void test_open_evicted(void)
{
	char text[1024], hex[XY_KEY_STRLEN];
	struct xy_err err;
	size_t len = 0;
	world_make();
	none(B, OPEN);
	configure(A, B, "", TO_B);
	run_for(3 * XY_SEC);
	CU_ASSERT(has_route(B, A));
	none(A, "");
	stranger_asks(B, "198.51.100.1:1", 1);
	CU_ASSERT_EQUAL(xy_links_count(B->links), 2);
	len += (size_t)snprintf(text, sizeof(text), "%s peers = ( ", OPEN);
	for (unsigned i = 0; i < 8; i++) {
		struct xy_key key;
		random_bytes(NULL, key.b, sizeof(key.b));
		key.b[31] &= 0x7f;
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"%s{ name = \"p%u\"; key = \"%s\"; }", i ? ", " : "", i,
					xy_key_str(&key, hex));
	}
	snprintf(text + len, sizeof(text) - len, " );");
	CU_ASSERT_EQUAL(apply(B, text, &err), 0);
	CU_ASSERT_EQUAL(xy_links_count(B->links), 8);
	CU_ASSERT(!B->links->provisional_count && !B->links->open_count && !has_route(B, A));
	world_end();
}

static void test_meet(void)
{
	world_make();
	none(A, "");
	CU_ASSERT(!xy_links_meet(A->links, &B->id.x25519, &B->dp.self, w.now)); // closed
	CU_ASSERT(!xy_links_meet(A->links, &A->id.x25519, &B->dp.self, w.now)); // ourselves
	none(A, OPEN);
	none(B, OPEN);
	CU_ASSERT(xy_links_meet(A->links, &B->id.x25519, &B->dp.self, w.now));
	CU_ASSERT(xy_links_meet(B->links, &A->id.x25519, &A->dp.self, w.now)); // at once
	run_for(5 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B) && has_route(A, B) && has_route(B, A));
	CU_ASSERT(!info(A).provisional && !info(B).provisional);
	CU_ASSERT(xy_links_up_at(A->links, &B->dp.self, w.now));
	configure(C, A, "", ""); // C knows A's key, and no endpoint
	CU_ASSERT(xy_links_meet(C->links, &A->id.x25519, &A->dp.self, w.now));
	run_for(5 * XY_SEC);
	CU_ASSERT(is_up(C) && has_route(A, C));
	world_end();
}

// Nobody is where the beacon said: the slot is given back.
static void test_meet_nobody(void)
{
	const struct xy_endpoint nowhere = at("192.0.2.77:51820");
	world_make();
	none(A, OPEN);
	CU_ASSERT(xy_links_meet(A->links, &B->id.x25519, &nowhere, w.now));
	run_for(2 * XY_SEC);
	CU_ASSERT(info(A).provisional);
	run_for(10 * XY_SEC);
	CU_ASSERT_EQUAL(xy_links_count(A->links), 0);
	CU_ASSERT_EQUAL(fake_sessions(&A->dp), 0);
	world_end();
}

static void test_wrong_mac(void)
{
	world_make();
	configure(B, A, SECRET, "");
	configure(A, B, SECRET, TO_B);
	run_for(2 * XY_SEC);
	struct datagram d = w.kept[0];
	d.data[120] ^= 1; // mac1
	deliver(&d);
	CU_ASSERT_EQUAL(drops(B, XY_HS_DROP_BAD_MAC), 1);
	CU_ASSERT_EQUAL(B->waiting_count, 0); // and no X25519 was spent
	d.len--;
	deliver(&d);
	CU_ASSERT_EQUAL(drops(B, XY_HS_DROP_MALFORMED), 1);
	world_end();
}

static void test_replay(void)
{
	world_make();
	pair_up();
	run_for(XY_SEC);
	unsigned responses = w.sent[XY_WG_RESPONSE];
	struct datagram d = w.kept[0];
	d.from = C->dp.self; // and its sender would move the endpoint
	deliver(&d);
	step();
	CU_ASSERT_EQUAL(drops(B, XY_HS_DROP_REPLAY), 1);
	CU_ASSERT_EQUAL(w.sent[XY_WG_RESPONSE], responses);
	CU_ASSERT(is_at(B, &A->dp.self));
	world_end();
}

static void test_roaming(void)
{
	world_make();
	pair_up();
	A->dp.self = at("198.51.100.7:4242");
	fake_data(&A->dp, 0);
	run_for(XY_SEC);
	CU_ASSERT(is_at(B, &A->dp.self));
	fake_data(&B->dp, 0);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(A->dp.peer[0].data_rx, 1);
	const struct xy_endpoint before = A->dp.self;
	A->dp.self = at("[200::1]:51820"); // an underlay inside the overlay
	fake_data(&A->dp, 0);
	run_for(XY_SEC);
	CU_ASSERT(is_at(B, &before));
	CU_ASSERT(drops(B, XY_HS_DROP_OVERLAY) >= 1);
	world_end();
}

static struct xy_dp_heard heard_at(const char *local, uint32_t interface, unsigned port)
{
	struct xy_dp_heard h = {.interface = interface, .port = port};
	CU_ASSERT_EQUAL_FATAL(xy_addr_parse(local, &h.local), 0);
	return h;
}

// Whether a peer came to a port by itself, or because we had sent by it.
static bool theirs(const struct node *n)
{
	return n->dp.peer[0].cfg.heard.theirs;
}

static bool knows(const struct node *n, const struct xy_dp_heard *h)
{
	const struct xy_dp_peer *p = &n->dp.peer[0].cfg;
	return xy_addr_eq(&p->heard.local, &h->local) && p->heard.interface == h->interface &&
	       p->heard.port == h->port;
}

static void refresh(struct node *n)
{
	unsigned from = 0;
	while (xy_links_mtu_refresh(n->links, &from, 1))
		;
}

// A peer is answered from where it was heard, also when that alone changes, until nothing comes any
// more; and hears from us when the way is another.
static void test_heard(void)
{
	const struct xy_dp_heard one = heard_at("203.0.113.1", 5, 1), none = {0},
				 other = heard_at("203.0.113.2", 6, 0);
	world_make();
	A->dp.at = one;
	pair_up(); // A begins, by port 0
	CU_ASSERT(knows(A, &one));
	CU_ASSERT(theirs(A) && theirs(B));
	CU_ASSERT(xy_addr_eq(&A->dp.peer[0].cfg.local, &one.local));
	A->dp.at = other; // what B knows of A did not change
	fake_data(&B->dp, 0);
	run_for(XY_SEC);
	CU_ASSERT(knows(A, &other));

	uint64_t sent = A->dp.peer[0].stats.tx_packets;
	A->source = one.local;
	refresh(A);
	CU_ASSERT_EQUAL(A->dp.peer[0].stats.tx_packets, sent + 1);
	refresh(A);
	CU_ASSERT_EQUAL(A->dp.peer[0].stats.tx_packets, sent + 1);

	w.lose = lose_all;
	fake_data(&A->dp, 0);
	run_for(14 * XY_SEC);
	CU_ASSERT(knows(A, &other));
	run_for(16 * XY_SEC);
	CU_ASSERT(knows(A, &none));
	CU_ASSERT(xy_addr_is_unspecified(&A->dp.peer[0].cfg.local));
	w.lose = NULL;
	run_for(10 * XY_SEC);
	CU_ASSERT(knows(A, &other));
	world_end();
}

// --- data and initiations

static bool lose_one_initiation(const struct datagram *d)
{
	return d->data[0] == XY_WG_INITIATION && to_lose && to_lose--;
}

// 300 s of data, 10 packets a second, and B's Hello every 4 s where it says anything; the rekey's
// first initiation is lost. Returns the packets that A's data lost.
static unsigned lost_by_rekey(const char *endpoints, bool answers, bool roams)
{
	world_make();
	configure(B, A, SECRET, "");
	configure(A, B, SECRET, endpoints);
	run_for(8 * XY_SEC);
	CU_ASSERT_FATAL(is_up(A) && is_up(B));
	if (roams) {
		B->dp.self = at("198.51.100.7:4242");
		fake_data(&B->dp, 0);
		run_for(XY_SEC);
	}
	unsigned sent = 3000, initiations = w.sent[XY_WG_INITIATION];
	to_lose = 1;
	w.lose = lose_one_initiation;
	for (unsigned i = 0; i < sent; i++) {
		fake_data(&A->dp, 0);
		if (answers && i % 40 == 0)
			fake_data(&B->dp, 0);
		run_for(100 * XY_MSEC);
		CU_ASSERT(is_at(A, &B->dp.self));
	}
	CU_ASSERT_EQUAL(to_lose, 0);
	CU_ASSERT(w.sent[XY_WG_INITIATION] - initiations <= 5); // two rekeys, and what was lost
	unsigned lost = sent - (unsigned)B->dp.peer[0].data_rx;
	world_end();
	return lost;
}

#define FOUR                                                                         \
	"endpoints = [ \"192.0.2.2:51820\", \"203.0.113.9:1\", \"203.0.113.10:1\", " \
	"\"203.0.113.11:1\" "                                                        \
	"];"

static void test_data_stays(void)
{
	static const char two[] = "endpoints = [ \"192.0.2.2:51820\", \"203.0.113.9:1\" ];";
	static const char last[] = "endpoints = [ \"203.0.113.9:1\", \"192.0.2.2:51820\" ];";
	CU_ASSERT_EQUAL(lost_by_rekey(TO_B, true, false), 0);
	CU_ASSERT_EQUAL(lost_by_rekey(two, true, false), 0);
	CU_ASSERT_EQUAL(lost_by_rekey(two, false, false), 0);
	CU_ASSERT_EQUAL(lost_by_rekey(last, true, false), 0);
	CU_ASSERT_EQUAL(lost_by_rekey(FOUR, true, false), 0);
	CU_ASSERT_EQUAL(lost_by_rekey(FOUR, false, false), 0);
	CU_ASSERT_EQUAL(lost_by_rekey(TO_B, true, true), 0); // in use is where it roamed to
	CU_ASSERT_EQUAL(lost_by_rekey(FOUR, true, true), 0);
}

static unsigned asked_at[4];
static bool nothing_comes; // at A, which has those four
static bool lose_counted(const struct datagram *d)
{
	static const char *const place[] = {"192.0.2.2:51820", "203.0.113.9:1", "203.0.113.10:1",
					    "203.0.113.11:1"};
	if (d->data[0] != XY_WG_INITIATION)
		return nothing_comes;
	for (unsigned i = 0; i < XY_ARRAY_SIZE(place); i++) {
		struct xy_endpoint e = at(place[i]);
		asked_at[i] += xy_endpoint_eq(&e, &d->to);
	}
	return true;
}

static void ask_in_vain(bool heard)
{
	world_make();
	configure(B, A, SECRET, "");
	configure(A, B, SECRET, FOUR);
	run_for(2 * XY_SEC);
	memset(asked_at, 0, sizeof(asked_at));
	w.lose = lose_counted;
	nothing_comes = !heard;
	for (unsigned i = 0; i < 175; i++) { // the session ends soon after
		fake_data(&A->dp, 0);
		if (heard)
			fake_data(&B->dp, 0);
		else
			A->dp.peer[0].stats.rx_any = XY_SEC;
		run_for(XY_SEC);
		CU_ASSERT(is_at(A, &B->dp.self));
	}
	world_end();
}

// While packets come from the place in use at least every other initiation goes there, and the
// others are tried all the same; when none come, all are asked in turn.
static void test_where_asked(void)
{
	ask_in_vain(true);
	unsigned elsewhere = asked_at[1] + asked_at[2] + asked_at[3];
	CU_ASSERT(asked_at[1] && asked_at[2] && asked_at[3]);
	CU_ASSERT(asked_at[0] >= elsewhere && asked_at[0] <= elsewhere + 2);
	ask_in_vain(false);
	for (unsigned i = 1; i < XY_ARRAY_SIZE(asked_at); i++)
		CU_ASSERT(asked_at[i] && asked_at[0] <= asked_at[i] + 2);
}

// What a beacon says is true of who signed it once; it may be said again, by others, elsewhere.
static void test_beacon_moves_no_data(void)
{
	const struct xy_endpoint elsewhere = at("192.0.2.77:51820");
	world_make();
	pair_up();
	A->links->link[0]->exchange.timers.attempt_start =
		w.now; // a rekey is under way: so it is not "well"
	CU_ASSERT(xy_links_meet(A->links, &B->id.x25519, &elsewhere, w.now));
	run_for(XY_SEC);
	CU_ASSERT(is_at(A, &B->dp.self));
	fake_data(&A->dp, 0);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(B->dp.peer[0].data_rx, 1);
	world_end();
}

// --- responses that come late, or forged

static struct datagram held;
static bool hold_response(const struct datagram *d)
{
	if (d->data[0] != XY_WG_RESPONSE || !xy_endpoint_eq(&d->to, &A->dp.self))
		return false;
	held = *d;
	return true;
}

// Initiations cross, and the response to A's is kept back while B's session is used. An hour later
// it would make a session that B has long forgotten.
static void test_response_stale(void)
{
	world_make();
	w.delay = 300 * XY_MSEC;
	configure(A, B, SECRET, TO_B);
	configure(B, A, SECRET, TO_A);
	fake_data(&A->dp, 0);
	fake_data(&B->dp, 0);
	held.len = 0;
	w.lose = hold_response;
	for (unsigned i = 0; !is_up(A) && i < 400; i++)
		run_for(10 * XY_MSEC);
	CU_ASSERT_FATAL(is_up(A) && held.len != 0);
	w.lose = NULL;
	w.delay = 10 * XY_MSEC;
	run_for(6 * XY_SEC);
	CU_ASSERT_EQUAL(A->links->link[0]->exchange.hs,
			XY_EXCHANGE_HS_NONE); // crossing took no longer
	for (unsigned sec = 0; sec < 3600; sec++) {
		fake_data(&B->dp, 0);
		fake_data(&A->dp, 0);
		run_for(XY_SEC);
	}
	uint64_t unasked = drops(A, XY_HS_DROP_UNASKED), before = B->dp.peer[0].data_rx;
	deliver(&held);
	for (unsigned sec = 0; sec < 60; sec++) {
		fake_data(&A->dp, 0);
		run_for(XY_SEC);
	}
	CU_ASSERT_EQUAL(drops(A, XY_HS_DROP_UNASKED), unasked + 1);
	CU_ASSERT_EQUAL(B->dp.peer[0].data_rx, before + 60);
	world_end();
}

// What nobody retries is not answerable for ever either.
static void test_response_old(void)
{
	world_make();
	configure(B, A, SECRET, "");
	configure(A, B, SECRET, TO_B);
	held.len = 0;
	w.lose = hold_response;
	run_for(2 * XY_SEC);
	CU_ASSERT_FATAL(held.len != 0);
	struct xy_link *k = A->links->link[0];
	xy_wg_timers_stop(&k->exchange.timers);
	xy_link_schedule(A->links, k, w.now);
	run_for(87 * XY_SEC);
	CU_ASSERT_EQUAL(k->exchange.hs, XY_EXCHANGE_HS_SENT);
	run_for(5 * XY_SEC);
	CU_ASSERT_EQUAL(k->exchange.hs, XY_EXCHANGE_HS_NONE);
	deliver(&held);
	step();
	CU_ASSERT_EQUAL(drops(A, XY_HS_DROP_UNASKED), 1);
	CU_ASSERT(!is_up(A));
	world_end();
}

static struct datagram forge(const struct datagram *right, uint8_t how)
{
	struct xy_cookie_jar jar;
	struct datagram d = *right; // who sees the initiation knows its index and A's mac1 key
	d.data[20] ^= how;
	xy_cookie_jar_init(&jar, A->id.x25519.b);
	xy_cookie_macs_add(&jar, d.data, d.len, w.now);
	return d;
}

static void test_response_forged(void)
{
	world_make();
	configure(B, A, SECRET, "");
	configure(A, B, SECRET, TO_B);
	held.len = 0;
	w.lose = hold_response;
	run_for(2 * XY_SEC);
	CU_ASSERT_FATAL(held.len != 0);
	w.lose = NULL;
	A->jobs_wait = true;
	for (uint8_t i = 1; i <= 3; i++) {
		struct datagram d = forge(&held, i);
		deliver(&d);
	}
	deliver(&held); // while helpers have the forged ones
	CU_ASSERT_EQUAL(A->waiting_count, 4);
	struct datagram more = forge(&held, 9);
	deliver(&more);
	CU_ASSERT_EQUAL(A->waiting_count, 4); // bounded
	CU_ASSERT_EQUAL(drops(A, XY_HS_DROP_BUSY), 1);
	jobs_finish(A);
	A->jobs_wait = false;
	CU_ASSERT(is_up(A));
	CU_ASSERT_EQUAL(A->links->link[0]->exchange.consuming, 0);
	CU_ASSERT_EQUAL(drops(A, XY_HS_DROP_BAD), 3);
	fake_data(&A->dp, 0);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(B->dp.peer[0].data_rx, 1);
	world_end();
}

static void test_failover(void)
{
	world_make();
	configure(B, A, SECRET, "");
	configure(A, B, SECRET,
		  "endpoints = [ \"203.0.113.1:1\", \"203.0.113.2:2\", \"192.0.2.2:51820\" ];");
	run_for(15 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	CU_ASSERT_EQUAL(info(A).handshakes_failed, 2);
	B->dp.self = at("203.0.113.1:1"); // B moves to the first and is silent
	for (unsigned i = 0; i < 60; i++) {
		fake_data(&A->dp, 0);
		run_for(XY_SEC);
	}
	CU_ASSERT(is_at(A, &B->dp.self));
	CU_ASSERT(is_up(A));
	world_end();
}

static void test_name(void)
{
	const struct xy_endpoint inside = at("[200::5]:51820"), right = at("192.0.2.2:51820");
	world_make();
	configure(B, A, SECRET, "");
	configure(A, B, SECRET, "endpoint = \"b.example.net:51820\";");
	CU_ASSERT_EQUAL(A->resolves, 1);
	run_for(2 * XY_SEC);
	CU_ASSERT_EQUAL(info(A).state, XY_LINK_UNRESOLVED);
	xy_links_resolved(A->links, A->resolve_serial, A->resolve_asked, NULL, 0, w.now);
	run_for(30 * XY_SEC);
	CU_ASSERT_EQUAL(A->resolves, 2); // asked again
	xy_links_resolved(A->links, A->resolve_serial, A->resolve_asked, &inside, 1, w.now);
	CU_ASSERT_EQUAL(info(A).state, XY_LINK_UNRESOLVED); // an overlay address is none
	run_for(30 * XY_SEC);
	CU_ASSERT_EQUAL(A->resolves, 3);
	CU_ASSERT_STRING_EQUAL(info(A).unresolved, "b.example.net:51820");
	xy_links_resolved(A->links, A->resolve_serial, A->resolve_asked, &right, 1, w.now);
	CU_ASSERT_PTR_NULL(info(A).unresolved);
	xy_links_resolved(A->links, A->resolve_serial + 99, 0, &right, 1, w.now); // nobody's
	run_for(2 * XY_SEC);
	CU_ASSERT(is_up(A));
	// The name is gone: told, and where it led is still the best that there is.
	xy_links_resolved(A->links, A->resolve_serial, A->resolve_asked, NULL, 0, w.now);
	CU_ASSERT_PTR_NOT_NULL(info(A).unresolved);
	CU_ASSERT_EQUAL(A->links->link[0]->endpoints.candidates, 1);
	world_end();
}

// A resolver that could not even be asked is asked again.
static void test_name_not_asked(void)
{
	const struct xy_endpoint right = at("192.0.2.2:51820");
	world_make();
	configure(B, A, SECRET, "");
	A->resolve_fails = true;
	configure(A, B, SECRET, "endpoint = \"b.example.net:51820\";");
	run_for(60 * XY_SEC);
	CU_ASSERT(A->resolves > 2);
	A->resolve_fails = false;
	run_for(30 * XY_SEC);
	xy_links_resolved(A->links, A->resolve_serial, A->resolve_asked, &right, 1, w.now);
	run_for(2 * XY_SEC);
	CU_ASSERT(is_up(A));
	world_end();
}

// The answer to a question of the old config says nothing about the new one's endpoint.
static void test_name_too_late(void)
{
	const struct xy_endpoint old = at("192.0.2.99:51820");
	world_make();
	configure(B, A, SECRET, "");
	configure(A, B, SECRET, "endpoint = \"b.example.net:51820\";");
	configure(A, B, SECRET, TO_B);
	xy_links_resolved(A->links, A->resolve_serial, A->resolve_asked, &old, 1, w.now);
	const struct xy_endpoints *e = &A->links->link[0]->endpoints;
	CU_ASSERT_EQUAL_FATAL(e->candidates, 1);
	CU_ASSERT(xy_endpoint_eq(&e->candidate[0].at, &B->dp.self));
	run_for(2 * XY_SEC);
	CU_ASSERT(is_up(A));
	world_end();
}

// A keepalive that the config no longer has is not sent one last time, nor is a handshake begun.
static void test_keepalive_off(void)
{
	world_make();
	configure(B, A, SECRET, "");
	configure(A, B, SECRET, TO_B "keepalive = 25;");
	run_for(40 * XY_SEC);
	CU_ASSERT(is_up(A));
	uint64_t sent = A->dp.peer[0].stats.tx_packets;
	configure(A, B, SECRET, TO_B);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(A->dp.peer[0].stats.tx_packets, sent);
	run_for(60 * XY_SEC); // nor later
	CU_ASSERT_EQUAL(A->dp.peer[0].stats.tx_packets, sent);
	configure(A, B, SECRET, TO_B "keepalive = 5;");
	run_for(12 * XY_SEC);
	CU_ASSERT(A->dp.peer[0].stats.tx_packets >= sent + 2);
	world_end();
}

static void test_removed_with_jobs(void)
{
	struct xy_err err;
	world_make();
	configure(B, A, SECRET, "");
	B->jobs_wait = true;
	configure(A, B, SECRET, TO_B);
	run_for(2 * XY_SEC);
	CU_ASSERT_EQUAL_FATAL(B->waiting_count, 1);
	finish(B, B->waiting[0]); // opened; now the response is under way
	B->waiting_count--;
	B->waiting[0] = B->waiting[1];
	CU_ASSERT_EQUAL_FATAL(B->waiting_count, 1);
	CU_ASSERT_EQUAL(fake_sessions(&B->dp), 1);
	CU_ASSERT_EQUAL(apply(B, "", &err), 0);
	CU_ASSERT_EQUAL(fake_sessions(&B->dp), 0);
	jobs_finish(B);
	CU_ASSERT_EQUAL(w.sent[XY_WG_RESPONSE], 0);
	CU_ASSERT_EQUAL(fake_sessions(&B->dp), 0);
	CU_ASSERT_EQUAL(B->exchanges->by_index.count, 0);

	configure(B, A, SECRET, ""); // again, and another peer in the slot meanwhile
	run_for(5 * XY_SEC);
	CU_ASSERT_EQUAL_FATAL(B->waiting_count, 1);
	finish(B, B->waiting[0]);
	B->waiting_count--;
	B->waiting[0] = B->waiting[1];
	CU_ASSERT_EQUAL(apply(B, "", &err), 0);
	configure(B, C, SECRET, "");
	jobs_finish(B);
	CU_ASSERT_EQUAL(w.sent[XY_WG_RESPONSE], 0);
	A->jobs_wait = true; // and as initiator
	run_for(10 * XY_SEC);
	CU_ASSERT_EQUAL_FATAL(A->waiting_count, 1);
	CU_ASSERT_EQUAL(apply(A, "", &err), 0);
	configure(A, C, SECRET, TO_B); // another peer in the same slot
	jobs_finish(A);
	CU_ASSERT_EQUAL(A->links->link[0]->exchange.hs, XY_EXCHANGE_HS_NONE);
	CU_ASSERT_EQUAL(A->exchanges->by_index.count, fake_sessions(&A->dp));
	world_end();
}

static void test_no_index(void)
{
	world_make();
	B->dp.session_limit = 0;
	configure(B, A, SECRET, "");
	configure(A, B, SECRET, TO_B);
	run_for(4 * XY_SEC);
	CU_ASSERT(!is_up(A));
	CU_ASSERT_EQUAL(drops(B, XY_HS_DROP_NO_INDEX), 1);
	B->dp.session_limit = FAKE_SESSIONS;
	A->dp.session_limit = 0;
	run_for(10 * XY_SEC);
	CU_ASSERT(!is_up(A));
	CU_ASSERT(drops(A, XY_HS_DROP_NO_INDEX) >= 1);
	A->dp.session_limit = FAKE_SESSIONS;
	run_for(10 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	world_end();
}

static void test_strangers_first(void)
{
	world_make();
	configure(B, A, SECRET, TO_A);
	configure(A, B, SECRET, TO_B);
	configure(C, B, SECRET, TO_B);
	B->jobs_wait = true;
	run_for(2 * XY_SEC);
	struct datagram of_c = w.kept[0], of_a = w.kept[0];
	for (unsigned i = 0; i < w.kept_count; i++) {
		if (xy_endpoint_eq(&w.kept[i].from, &C->dp.self))
			of_c = w.kept[i];
		if (xy_endpoint_eq(&w.kept[i].from, &A->dp.self))
			of_a = w.kept[i];
	}
	for (unsigned i = 0; i < 80; i++)
		deliver(&of_c);
	CU_ASSERT(drops(B, XY_HS_DROP_BUSY) >= 40);
	uint64_t busy = drops(B, XY_HS_DROP_BUSY);
	unsigned waiting = B->waiting_count;
	deliver(&of_a); // a known peer still gets through
	CU_ASSERT_EQUAL(drops(B, XY_HS_DROP_BUSY), busy);
	CU_ASSERT_EQUAL(B->waiting_count, waiting + 1);
	B->jobs_wait = false;
	run_for(10 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	world_end();
}

static void test_reload(void)
{
	char text[2048];
	struct xy_err err;
	struct xy_link_info k;
	world_make();
	pair_up();
	uint32_t current = A->dp.peer[0].current;
	CU_ASSERT_EQUAL(fake_route_count(A->dp.route), 2); // our own /64 and the peer's
	CU_ASSERT_EQUAL(A->dp.own, 1);

	char peer[256], phone[256];
	snprintf(peer, sizeof(peer), "{ name = \"peer\"; key = \"%s\"; " TO_B "}", B->key);
	snprintf(phone, sizeof(phone), LEAF, C->key, "\"10.1.0.5/32\", \"10.2.0.0/16\"");
	snprintf(text, sizeof(text),
		 SECRET
		 "peers = ( %s, %s ); routes = ( { prefix = \"200::/7\"; peer = \"peer\"; } );",
		 phone, peer);
	CU_ASSERT_EQUAL(apply(A, text, &err), 0);
	CU_ASSERT_EQUAL(A->dp.peer[0].current, current); // the session stayed
	CU_ASSERT_EQUAL(fake_route_count(A->dp.route), 5);
	CU_ASSERT_EQUAL(fake_route_count(A->dp.source), 2);
	const struct fake_route *r = fake_route_find(A->dp.route, "10.2.0.0/16");
	CU_ASSERT(r && r->route.kind == XY_DP_ROUTE_PEER && r->route.peer == 1);
	CU_ASSERT_EQUAL(xy_links_after(A->links, NULL), 0);
	CU_ASSERT_EQUAL(xy_links_after(A->links, "peer"), 1);
	CU_ASSERT_EQUAL(xy_links_after(A->links, "phone"), 2);
	xy_links_info(A->links, 1, w.now, &k);
	CU_ASSERT(k.leaf && k.allowed_count == 2 && strcmp(k.name, "phone") == 0);

	snprintf(phone, sizeof(phone), LEAF, C->key, "\"10.1.0.5/32\"");
	snprintf(text, sizeof(text), SECRET "peers = ( %s, %s );", phone, peer);
	CU_ASSERT_EQUAL(apply(A, text, &err), 0);
	CU_ASSERT_EQUAL(fake_route_count(A->dp.route), 3);
	CU_ASSERT_EQUAL(fake_route_count(A->dp.source), 1);
	CU_ASSERT_PTR_NULL(fake_route_find(A->dp.route, "10.2.0.0/16"));
	CU_ASSERT_EQUAL(A->dp.peer[0].current, current);

	snprintf(text, sizeof(text), OTHER_SECRET "peers = ( %s );", peer);
	CU_ASSERT_EQUAL(apply(A, text, &err), 0);
	CU_ASSERT_EQUAL(fake_sessions(&A->dp), 0); // another secret: begun anew
	CU_ASSERT_EQUAL(fake_route_count(A->dp.route), 2);
	CU_ASSERT_EQUAL(fake_route_count(A->dp.source), 0);
	CU_ASSERT_EQUAL(xy_links_count(A->links), 1);
	world_end();
}

// --- plans in slices

enum { SLICE_ROUTES = 40 };

// Two peers, and routes [from, to) by the one named.
static void sliced_plan(struct node *n, unsigned from, unsigned to, const char *peer,
			struct xy_plan *out)
{
	static char text[8192];
	struct xy_config config;
	struct xy_err err;
	size_t at = (size_t)snprintf(text, sizeof(text),
				     "peers = ( { name = \"b\"; key = \"%s\"; }, "
				     "{ name = \"c\"; key = \"%s\"; } ); routes = ( ",
				     B->key, C->key);
	for (unsigned i = from; i < to; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
				       "%s{ prefix = \"2001:db8:%x::/48\"; peer = \"%s\"; }",
				       i > from ? ", " : "", i, peer);
	snprintf(text + at, sizeof(text) - at, " );");
	CU_ASSERT_EQUAL_FATAL(xy_config_parse("test", text, strlen(text), &config, &err), 0);
	CU_ASSERT_EQUAL_FATAL(xy_plan_make("test", &config, &n->id, out, &err), 0);
}

static const struct xy_dp_route *sliced_route(unsigned i)
{
	char text[64];
	snprintf(text, sizeof(text), "2001:db8:%x::/48", i);
	const struct fake_route *r = fake_route_find(A->dp.route, text);
	return r ? &r->route : NULL;
}

// One slice, within its bound; routes [from, to) are there before it and after.
static void slice(unsigned from, unsigned to)
{
	unsigned before = A->dp.route_changes;
	xy_links_run(A->links, 4, w.now);
	CU_ASSERT(A->dp.route_changes - before <= 8);
	for (unsigned i = from; i < to; i++)
		CU_ASSERT_PTR_NOT_NULL_FATAL(sliced_route(i));
	CU_ASSERT_EQUAL(A->dp.dangling, 0);
}

static unsigned slices(unsigned from, unsigned to)
{
	unsigned n = 0;
	for (; xy_links_applying(A->links) && n < 1000; n++)
		slice(from, to);
	CU_ASSERT(!xy_links_applying(A->links));
	CU_ASSERT_EQUAL(xy_links_apply_result(A->links, NULL), 0);
	return n;
}

// What stands in both plans is never gone, whoever it leads to; a plan may follow in the middle.
static void test_slices(void)
{
	struct xy_plan plan[4];
	world_make();
	sliced_plan(A, 0, SLICE_ROUTES, "b", &plan[0]);
	sliced_plan(A, 10, SLICE_ROUTES + 10, "c", &plan[1]);
	sliced_plan(A, 20, SLICE_ROUTES, "b", &plan[2]);
	sliced_plan(A, 20, 30, "c", &plan[3]);
	xy_links_apply_begin(A->links, &plan[0]);
	CU_ASSERT_EQUAL(xy_links_deadline(A->links), 0);
	CU_ASSERT(slices(0, 0) >= SLICE_ROUTES / 8);
	for (unsigned i = 0; i < SLICE_ROUTES; i++)
		CU_ASSERT(sliced_route(i) && sliced_route(i)->peer == 0);

	xy_links_apply_begin(A->links, &plan[1]);
	for (unsigned i = 0; i < 6; i++)
		slice(10, SLICE_ROUTES);
	CU_ASSERT(xy_links_applying(A->links));
	xy_links_apply_begin(A->links, &plan[2]); // in the middle: some go by b, some by c
	slices(20, SLICE_ROUTES);
	CU_ASSERT_EQUAL(fake_route_count(A->dp.route), 3 + SLICE_ROUTES - 20);
	for (unsigned i = 20; i < SLICE_ROUTES; i++)
		CU_ASSERT(sliced_route(i) && sliced_route(i)->peer == 0);

	unsigned before = A->dp.route_changes;
	xy_links_apply_begin(A->links, &plan[2]); // the same again
	slices(20, SLICE_ROUTES);
	CU_ASSERT_EQUAL(A->dp.route_changes, before);
	xy_links_apply_begin(A->links, &plan[3]);
	slice(20, 30);
	world_end(); // in the middle
	for (unsigned i = 0; i < XY_ARRAY_SIZE(plan); i++)
		xy_plan_free(&plan[i]);
}

// A peer that is removed may be added again at once: its old number is another's only when no route
// names it any more.
static void test_slot_of_the_gone(void)
{
	struct xy_rib_route learned = {.source = XY_ROUTE_LEARNED,
				       .route = {.kind = XY_DP_ROUTE_PEER, .peer = 0}};
	CU_ASSERT_EQUAL(xy_prefix_parse("2001:db8::/32", &learned.prefix), 0);
	world_make();
	pair_up();
	struct xy_rib *rib = &A->rib;
	CU_ASSERT_EQUAL(xy_rib_set(rib, &learned), 0);
	none(A, "");
	CU_ASSERT_EQUAL(xy_links_count(A->links), 0);
	CU_ASSERT(A->dp.peer[0].there); // no dangling route
	CU_ASSERT_EQUAL(fake_sessions(&A->dp), 0);
	fake_data(&A->dp, 0);
	CU_ASSERT(A->dp.peer[0].held == 0 && A->dp.peer[0].released == 1);

	configure(A, B, SECRET, TO_B);
	CU_ASSERT(A->dp.peer[0].there && A->dp.peer[1].there);
	run_for(3 * XY_SEC);
	CU_ASSERT(is_up(A) && A->dp.peer[1].current && !A->dp.peer[0].current);
	xy_rib_del(rib, &learned.prefix, XY_ROUTE_LEARNED);
	CU_ASSERT_EQUAL(xy_links_deadline(A->links), 0);
	xy_links_run(A->links, 1, w.now);
	CU_ASSERT(!A->dp.peer[0].there && A->dp.peer[1].there);
	CU_ASSERT(xy_links_deadline(A->links) > w.now);
	world_end();
}

// All numbers are taken, one of them by a peer that has gone: who is new waits for it.
static void test_slot_waited_for(void)
{
	struct xy_rib *rib;
	world_make();
	configure(A, B, "", TO_B);
	rib = &A->rib;
	xy_rib_hold(rib, 0);
	A->links->free_count -= 7; // as if others had them
	struct xy_plan plan;
	sliced_plan(A, 0, 1, "c", &plan);
	plan.config.peers[0] = plan.config.peers[1]; // c alone
	plan.remote[0] = plan.remote[1];
	plan.config.peer_count = 1;
	plan.config.routes[0].peer = 0;
	xy_links_apply_begin(A->links, &plan);
	for (unsigned i = 0; i < 8; i++)
		slice(0, 0);
	CU_ASSERT(xy_links_applying(A->links) && xy_links_count(A->links) == 0);
	CU_ASSERT(xy_links_deadline(A->links) > w.now); // and nothing spins
	xy_rib_release(rib, 0);
	CU_ASSERT_EQUAL(xy_links_deadline(A->links), 0);
	slices(0, 0);
	CU_ASSERT_EQUAL(xy_links_count(A->links), 1);
	CU_ASSERT_PTR_NOT_NULL(sliced_route(0));
	plan.config.peer_count = 2;
	A->links->free_count += 7;
	world_end();
	memset(&plan.config.peers[0], 0, sizeof(plan.config.peers[0])); // it is there twice
	xy_plan_free(&plan);
}

// The same, where an open peer has to make room first.
static void test_slot_of_the_evicted(void)
{
	struct xy_plan plan;
	world_make();
	none(A, OPEN);
	configure(B, A, "", TO_A);
	run_for(3 * XY_SEC);
	CU_ASSERT_FATAL(xy_links_count(A->links) == 1 && info(A).open);
	struct xy_rib *rib = &A->rib;
	xy_rib_hold(rib, 0);
	A->links->free_count -= 7; // as if others had them
	sliced_plan(A, 0, 1, "c", &plan);
	plan.config.peering = XY_PEERING_OPEN;
	memset(plan.config.peers[0].key.b, 0, XY_KEY_LEN); // c alone
	xy_links_apply_begin(A->links, &plan);
	for (unsigned i = 0; i < 8; i++)
		slice(0, 0);
	CU_ASSERT(xy_links_applying(A->links) && xy_links_count(A->links) == 0);
	CU_ASSERT_EQUAL(A->links->free_count, 0);
	xy_rib_release(rib, 0);
	slices(0, 0);
	CU_ASSERT(xy_links_count(A->links) == 1 && strcmp(info(A).name, "c") == 0);
	CU_ASSERT_PTR_NOT_NULL(sliced_route(0));
	A->links->free_count += 7;
	world_end();
	xy_plan_free(&plan);
}

// Who comes as a stranger while the config that names him is on its way is what it says he is.
static void test_stranger_meanwhile(void)
{
	struct xy_plan plan;
	world_make();
	none(A, OPEN);
	sliced_plan(A, 0, 1, "c", &plan);
	plan.config.peering = XY_PEERING_OPEN;
	plan.config.peers[0].leaf = true;
	xy_links_apply_begin(A->links, &plan);
	CU_ASSERT(xy_links_meet(A->links, &B->id.x25519, &B->dp.self, w.now));
	jobs_finish(A);
	CU_ASSERT(xy_links_count(A->links) == 1 && info(A).open);
	slices(0, 0);
	const struct xy_link *b = xy_link_by_key(A->links, B->id.x25519.b);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT(b->leaf && !b->open && A->dp.peer[b->slot].cfg.leaf);
	CU_ASSERT(xy_links_count(A->links) == 2 && A->links->provisional_count == 0);
	world_end();
	xy_plan_free(&plan);
}

// Whoever says that somebody is a peer, links follow, with what leads there, and no config is
// needed.
static void test_news(void)
{
	struct xy_plan more;
	struct xy_book_peer p = {.source = XY_BOOK_PIN};
	world_make();
	pair_up();
	uint32_t current = A->dp.peer[0].current;
	sliced_plan(A, 0, 0, "c", &more); // as another source would have them
	p.key = C->id.x25519;
	p.says = &more.config.peers[1];
	p.remote = &more.remote[1];
	CU_ASSERT_EQUAL(xy_book_set(&A->book, &p), 0);
	CU_ASSERT_EQUAL(xy_links_deadline(A->links), 0);
	slices(0, 0);
	run_for(0);
	CU_ASSERT(xy_links_count(A->links) == 2 && has_route(A, C) && has_route(A, B));
	p.key = B->id.x25519; // is there already
	p.says = &more.config.peers[0];
	p.remote = &more.remote[0];
	unsigned changes = A->dp.route_changes;
	CU_ASSERT_EQUAL(xy_book_set(&A->book, &p), 0);
	run_for(0);
	CU_ASSERT(strcmp(info(A).name, "c") == 0 && A->dp.peer[0].current == current);
	xy_book_del(&A->book, &C->id.x25519, XY_BOOK_PIN);
	run_for(0);
	CU_ASSERT(xy_links_count(A->links) == 1 && !has_route(A, C) && has_route(A, B));
	CU_ASSERT_EQUAL(A->dp.route_changes, changes + 1);
	none(A, SECRET); // the config's goes, who is still wanted stays, by another secret
	CU_ASSERT(xy_links_count(A->links) == 1 && strcmp(info(A).name, "b") == 0);
	CU_ASSERT(has_route(A, B) && !A->dp.peer[0].current);
	world_end();
	xy_plan_free(&more);
}

// A stranger is configured, and back: then he is to come again.
static void test_news_of_strangers(void)
{
	struct xy_book_peer p;
	world_make();
	none(A, OPEN);
	configure(B, A, "", TO_A);
	unsigned changes = A->dp.route_changes;
	run_for(3 * XY_SEC);
	CU_ASSERT_FATAL(xy_links_count(A->links) == 1 && info(A).open && is_up(A));
	CU_ASSERT(xy_book_in_force(&A->book, &B->id.x25519, &p) && p.source == XY_BOOK_OPEN);
	CU_ASSERT_EQUAL(A->dp.route_changes, changes + 1); // by strangers.c
	uint32_t mark = A->links->mark;
	xy_links_run(A->links, 100, w.now);
	CU_ASSERT(!xy_book_has_news(&A->book) &&
		  A->links->mark == mark); // no routes were gone through
	configure(A, B, OPEN, "");
	CU_ASSERT(is_up(A) && !info(A).open && has_route(A, B));
	CU_ASSERT(!xy_book_get(&A->book, &B->id.x25519, XY_BOOK_OPEN, &p));
	none(A, OPEN);
	CU_ASSERT(xy_links_count(A->links) == 0 && A->book.by_key.count == 0);
	world_end();
}

// Who finds no number, though none will be free soon, has one when one is.
static void test_number_later(void)
{
	char text[4096];
	struct xy_err err;
	world_make();
	configure(A, B, "", TO_B);
	A->links->free_count -= 7; // as if others had them
	snprintf(text, sizeof(text),
		 "peers = ( { name = \"b\"; key = \"%s\"; }, { name = \"c\"; key = \"%s\"; } );",
		 B->key, C->key);
	CU_ASSERT_EQUAL(apply(A, text, &err), -ENOSPC);
	CU_ASSERT(xy_links_count(A->links) == 1 && xy_links_deadline(A->links) > w.now);
	xy_book_del(&A->book, &B->id.x25519, XY_BOOK_CONFIG);
	run_for(0);
	CU_ASSERT(xy_links_count(A->links) == 1 && strcmp(info(A).name, "c") == 0);
	CU_ASSERT(has_route(A, C) && !has_route(A, B));
	A->links->free_count += 7;
	world_end();
}

// More peers than there are numbers, and more routes than there is room: the first that failed is
// named, and what can be there is.
static void test_fails(void)
{
	char text[4096] = "peers = ( ", key[XY_KEY_STRLEN];
	size_t len = strlen(text);
	struct xy_err err = {{0}};
	world_make();
	for (unsigned i = 0; i < 10; i++) {
		struct xy_identity id;
		uint8_t seed[32] = {(uint8_t)(i + 1), 0x77};
		CU_ASSERT_EQUAL_FATAL(xy_identity_from_seed(seed, &id), 0);
		xy_key_str(&id.x25519, key);
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"%s{ name = \"p%u\"; key = \"%s\"; }", i ? ", " : "", i,
					key);
	}
	snprintf(text + len, sizeof(text) - len, " );");
	A->dp.room = 4;
	CU_ASSERT_EQUAL(apply(A, text, &err), -ENOSPC);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "peer p8: cannot be added"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "raise max_peers"));
	CU_ASSERT_EQUAL(xy_links_apply_result(A->links, NULL), -ENOSPC);
	CU_ASSERT_EQUAL(xy_links_count(A->links), 8);
	CU_ASSERT_EQUAL(fake_route_count(A->dp.route), 4);
	A->dp.room = 0;
	none(A, ""); // the next one has a result of its own
	world_end();
}

// As test_refused_all, of routes: the second one is our own /64.
static void test_refused_route(void)
{
	char text[700], own[XY_PREFIX_STRLEN];
	struct xy_config config;
	struct xy_plan plan;
	struct xy_err err;
	world_make();
	struct xy_prefix p = xy_key_prefix(&A->id.x25519);
	snprintf(text, sizeof(text),
		 "peers = ( { name = \"b\"; key = \"%s\"; } );\n"
		 "routes = ( { prefix = \"10.9.0.0/16\"; peer = \"b\"; },\n"
		 "{ prefix = \"%s\"; peer = \"b\"; } );",
		 B->key, xy_prefix_str(&p, own));
	CU_ASSERT_EQUAL_FATAL(xy_config_parse("test", text, strlen(text), &config, &err), 0);
	CU_ASSERT_EQUAL(xy_plan_make("test", &config, &A->id, &plan, &err), -EINVAL);
	CU_ASSERT_EQUAL_FATAL(plan.config.errors.count, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(plan.config.errors.v[0].text, "test:3: route"));
	xy_plan_free(&plan);
	world_end();
}

// Whose a link is, and what it may send from besides, as each config says; a leaf has its sources.
static void test_accepts(void)
{
	char text[1024];
	struct xy_err err;
	const struct fake_peer *peer;
	world_make();
	snprintf(text, sizeof(text),
		 "peers = ( { name = \"peer\"; key = \"%s\"; " TO_B "}, " LEAF " );\n"
		 "routes = ( { prefix = \"10.9.0.0/16\"; peer = \"peer\"; } );\n"
		 "routing = { accept = ( { key = \"%s\"; prefix = \"10.8.0.0/16\"; } ); };\n"
		 "exit = \"offer\"; exit_for = [ \"peer\", \"%s\" ];",
		 B->key, C->key, "\"10.1.0.5/32\"", B->key, C->key);
	struct xy_config config;
	struct xy_hs_remote remote[2] = {0};
	memcpy(remote[0].pk, B->id.x25519.b, sizeof(remote[0].pk));
	CU_ASSERT_FATAL(xy_config_parse("test", text, strlen(text), &config, &err) == 0);
	CU_ASSERT_FATAL(xy_accepts_make(&config, remote, &A->accepts) == 0);
	CU_ASSERT_EQUAL(apply(A, text, &err), 0);
	uint32_t slot;
	CU_ASSERT(xy_links_slot(A->links, &B->id.x25519, &slot) == 0);
	peer = &A->dp.peer[slot];
	CU_ASSERT(xy_addr_eq(&peer->cfg.node, &B->id.addr) && peer->accepts == 2 && peer->exits);
	CU_ASSERT(xy_links_slot(A->links, &C->id.x25519, &slot) == 0);
	CU_ASSERT(xy_addr_is_unspecified(&A->dp.peer[slot].cfg.node));
	CU_ASSERT(A->dp.peer[slot].accepts_told == 0 && A->dp.peer[slot].exits); // a leaf may, too
	CU_ASSERT_EQUAL(xy_rib_best(&A->rib, &(struct xy_prefix){.len = 0})->route.kind,
			XY_DP_ROUTE_EXIT);
	// Another config: the peer stays, and may send from nothing else.
	xy_accepts_free(&A->accepts);
	snprintf(text, sizeof(text), "peers = ( { name = \"peer\"; key = \"%s\"; " TO_B "} );",
		 B->key);
	CU_ASSERT_EQUAL(apply(A, text, &err), 0);
	CU_ASSERT(peer->accepts == 0 && !peer->exits);
	unsigned told = peer->accepts_told;
	CU_ASSERT_EQUAL(apply(A, text, &err), 0);
	CU_ASSERT_EQUAL(peer->accepts_told, told);
	// It may again, but there is no memory for that; and then for less than there was.
	CU_ASSERT_FATAL(xy_accepts_make(&config, remote, &A->accepts) == 0);
	A->dp.no_memory = true;
	CU_ASSERT(apply(A, text, &err) == -ENOMEM && peer->accepts == 0);
	A->dp.no_memory = false;
	run_for(2 * XY_SEC);
	CU_ASSERT_EQUAL(peer->accepts, 2);
	A->dp.no_memory = true;
	CU_ASSERT(apply(A, text, &err) == -ENOMEM && peer->accepts == 0);
	told = peer->accepts_told;
	run_for(5 * XY_SEC);
	CU_ASSERT(peer->accepts == 0 && peer->accepts_told < told + 12);
	A->dp.no_memory = false;
	run_for(2 * XY_SEC);
	CU_ASSERT_EQUAL(peer->accepts, 2);
	told = peer->accepts_told;
	run_for(10 * XY_SEC);
	CU_ASSERT_EQUAL(peer->accepts_told, told);
	xy_accepts_free(&A->accepts); // another list, without another config
	xy_links_accepts_changed(A->links);
	run_for(2 * XY_SEC);
	CU_ASSERT_EQUAL(peer->accepts, 0);
	xy_config_free(&config);
	world_end();
}

// A static route's key is its origin, for who seals.
static void test_route_key(void)
{
	char text[1024];
	struct xy_err err;
	struct xy_prefix p;
	world_make();
	snprintf(text, sizeof(text),
		 "peers = ( { name = \"peer\"; key = \"%s\"; " TO_B "} );\n"
		 "routes = ( { prefix = \"10.9.0.0/16\"; peer = \"peer\"; key = \"%s\"; },\n"
		 "{ prefix = \"10.8.0.0/16\"; peer = \"peer\"; } );",
		 B->key, C->key);
	CU_ASSERT_EQUAL(apply(A, text, &err), 0);
	CU_ASSERT(xy_prefix_parse("10.9.0.0/16", &p) == 0);
	const struct xy_rib_route *r = xy_rib_best(&A->rib, &p);
	CU_ASSERT_FATAL(r && r->origin);
	CU_ASSERT(r->origin->has_key && memcmp(&r->origin->key, &C->id.x25519, 32) == 0);
	CU_ASSERT(xy_prefix_parse("10.8.0.0/16", &p) == 0);
	CU_ASSERT(!xy_rib_best(&A->rib, &p)->origin);
	world_end();
}

static void test_refused(void)
{
	char text[512];
	struct xy_err err;
	world_make();
	snprintf(text, sizeof(text), "peers = ( { name = \"me\"; key = \"%s\"; } );", A->key);
	CU_ASSERT_EQUAL(apply(A, text, &err), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "our own key"));
	snprintf(text, sizeof(text),
		 "peers = ( { name = \"peer\"; key = \"%s\"; } );\n"
		 "routes = ( { prefix = \"10.9.0.0/16\"; peer = \"peer\"; key = \"%s\"; } );",
		 B->key, A->key);
	CU_ASSERT_EQUAL(apply(A, text, &err), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "test:2: route 10.9.0.0/16: its key is our own"));
	world_end();
}

// All that only this node can tell, and what may come later as a warning.
static void test_refused_all(void)
{
	char text[700];
	struct xy_config config;
	struct xy_plan plan;
	struct xy_err err;
	world_make();
	snprintf(text, sizeof(text),
		 "peers = ( { name = \"me\"; key = \"%s\"; },\n{ name = \"b\"; key = \"%s\"; "
		 "leaf = true; allowed = [ \"10.0.0.5/32\", \"2ff::1/128\" ];\n"
		 "endpoint = \"[fe80::1%%nosuch0]:1\"; } );\n"
		 "routing = { accept = ( { key = \"%s\"; prefix = \"10.0.0.0/8\"; } ); };",
		 A->key, B->key, A->key);
	CU_ASSERT_EQUAL_FATAL(xy_config_parse("test", text, strlen(text), &config, &err), 0);
	CU_ASSERT_EQUAL(xy_plan_make("test", &config, &A->id, &plan, &err), -EINVAL);
	CU_ASSERT_EQUAL_FATAL(plan.config.errors.count, 3);
	CU_ASSERT_PTR_NOT_NULL(strstr(plan.config.errors.v[0].text, "test:1: peer me"));
	CU_ASSERT_PTR_NOT_NULL(strstr(plan.config.errors.v[1].text, "test:2: peer b: allowed"));
	CU_ASSERT_PTR_NOT_NULL(strstr(plan.config.errors.v[2].text, "test:4: routing.accept"));
	CU_ASSERT_EQUAL_FATAL(plan.config.warnings.count, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(plan.config.warnings.v[0].text, "no interface nosuch0"));
	xy_plan_free(&plan);
	world_end();
}

static void test_move(void)
{
	world_make();
	B->dp.workers = 2;
	pair_up();
	struct fake_session *s = &B->dp.session[0];
	run_for(XY_SEC);
	s->rx_packets += 100; // most at the owner
	s->handed_over += 10;
	s->handed_from = 1;
	run_for(2 * XY_SEC);
	CU_ASSERT_EQUAL(B->dp.moves, 0);
	s->rx_packets += 100;
	s->handed_over += 90;
	run_for(2 * XY_SEC);
	CU_ASSERT_EQUAL(B->dp.moves, 1);
	CU_ASSERT_EQUAL(s->owner, 1);
	run_for(10 * XY_SEC);
	CU_ASSERT_EQUAL(B->dp.moves, 1);
	world_end();
}

// How large the packets of A's link to B are, in all and in one piece, and how that is known.
static void sizes(uint32_t room, uint32_t whole, enum xy_link_whence whence)
{
	unsigned from = 0;
	CU_ASSERT(!xy_links_mtu_refresh(A->links, &from, 10));
	struct xy_link_info i = info(A);
	CU_ASSERT_EQUAL(i.mtu, room);
	CU_ASSERT_EQUAL(i.whole, whole);
	CU_ASSERT_EQUAL(i.whence, whence);
	CU_ASSERT_EQUAL(A->dp.peer[0].cfg.room, room);
}

static void test_mtu(void)
{
	world_make();
	A->mtu = 1400;
	pair_up();
	CU_ASSERT_EQUAL(A->dp.peer[0].cfg.mtu, 1400);
	sizes(1352, 1340, XY_WHENCE_INTERFACE); // between nodes, whatever the underlay
	A->mtu = 1500;
	sizes(1440, 1440, XY_WHENCE_INTERFACE);
	CU_ASSERT_EQUAL(A->dp.peer[0].cfg.mtu, 1500);
	CU_ASSERT_EQUAL(xy_links_room(A->links), 1440 - 72);
	A->mtu = 1450;
	A->route_mtu = true;
	sizes(1390, 1390, XY_WHENCE_ROUTE);
	A->route_mtu = false;
	A->mtu = 1500;
	A->icmp_mtu = 600; // which anybody can forge
	struct xy_dp_event ev = {.type = XY_DP_MTU, .peer = 0};
	xy_links_event(A->links, &ev, w.now);
	CU_ASSERT_EQUAL(A->dp.peer[0].cfg.mtu, 600);
	sizes(1352, 540, XY_WHENCE_ICMP);
	CU_ASSERT_EQUAL(xy_links_room(A->links),
			1440 - 72); // the interface's; others are told by packet
	A->icmp_mtu = 1450;
	ev = (struct xy_dp_event){.type = XY_DP_MTU, .peer = XY_DP_NO_PEER, .remote = C->dp.self};
	xy_links_event(A->links, &ev, w.now); // no peer of ours is there
	CU_ASSERT_EQUAL(A->dp.peer[0].cfg.mtu, 600);
	ev.remote = B->dp.self;
	xy_links_event(A->links, &ev, w.now);
	CU_ASSERT_EQUAL(A->dp.peer[0].cfg.mtu, 1450);
	sizes(1390, 1390, XY_WHENCE_ICMP);
	world_end();
}

static void test_mtu_probed(void)
{
	struct xy_link_path path;
	struct xy_link_probed found = {.size = 1500, .confirmed = true};
	world_make();
	A->mtu = 1500;
	pair_up();
	CU_ASSERT_FATAL(xy_links_path(A->links, 0, &path));
	CU_ASSERT(path.limit == 1500 && path.icmp == 0 && path.overhead == 60 &&
		  path.floor == 1352 + 60);
	xy_links_probed(A->links, 0, &found);
	sizes(1440, 1440, XY_WHENCE_PROBED);
	found.size = 1400;
	xy_links_probed(A->links, 0, &found);
	sizes(1352, 1340, XY_WHENCE_PROBED);
	found.lost = true; // of fragments: then it is what goes whole, and 1280 at least
	xy_links_probed(A->links, 0, &found);
	sizes(1340, 1340, XY_WHENCE_PROBED);
	CU_ASSERT(info(A).fragments_lost);
	found.size = 1300;
	xy_links_probed(A->links, 0, &found);
	sizes(1280, 1240, XY_WHENCE_PROBED);
	found = (struct xy_link_probed){.size = 0};
	xy_links_probed(A->links, 0, &found);
	sizes(1352, 0, XY_WHENCE_PROBED);
	CU_ASSERT_EQUAL(A->dp.peer[0].cfg.mtu, 0);
	xy_links_probed(A->links, 0, NULL);
	sizes(1440, 1440, XY_WHENCE_INTERFACE);
	CU_ASSERT_EQUAL(xy_links_room(A->links), 1440 - 72);
	world_end();
}

// Events that name what is not there must do nothing.
static void test_strange_events(void)
{
	world_make();
	pair_up();
	for (int type = XY_DP_PUNT; type <= XY_DP_USED; type++) {
		struct xy_dp_event ev = {.type = (enum xy_dp_event_type)type,
					 .peer = XY_DP_NO_PEER,
					 .index = 0x12345678,
					 .remote = C->dp.self};
		xy_links_event(B->links, &ev, w.now);
		ev.peer = 5;
		xy_links_event(B->links, &ev, w.now);
	}
	CU_ASSERT(is_at(B, &A->dp.self));
	B->dp.send_fails = true;
	run_for(200 * XY_SEC);
	world_end();
}

static void test_limits(void)
{
	struct xy_wg_limits l = xy_wg_limits_default;
	struct xy_err err;
	CU_ASSERT_EQUAL(
		xy_limits_parse("rekey_after=3,reject_after=4.5,rekey_messages=1000", &l, &err), 0);
	CU_ASSERT_EQUAL(l.rekey_after_time, 3 * XY_SEC);
	CU_ASSERT_EQUAL(l.reject_after_time, 4500 * XY_MSEC);
	CU_ASSERT_EQUAL(l.rekey_after_messages, 1000);
	CU_ASSERT_EQUAL(l.rekey_timeout, xy_wg_limits_default.rekey_timeout);
	CU_ASSERT_EQUAL(xy_limits_parse("rekey_after=x", &l, &err), -EINVAL);
	CU_ASSERT_EQUAL(xy_limits_parse("rekey_after=0", &l, &err), -EINVAL);
	CU_ASSERT_EQUAL(xy_limits_parse("none=1", &l, &err), -EINVAL);
}

static void test_lag(void)
{
	static struct xy_lag lag;
	xy_nsec p99, max;
	xy_nsec now = XY_SEC;
	xy_lag_get(&lag, now, &p99, &max);
	CU_ASSERT(p99 == 0 && max == 0);
	for (unsigned i = 1; i <= 1000; i++) { // the last 600 stay: 401..1000
		xy_lag_note(&lag, 1, now);
		xy_lag_note(&lag, i, now);
		now += XY_LAG_TICK;
	}
	xy_lag_get(&lag, now, &p99, &max);
	CU_ASSERT_EQUAL(max, 1000);
	CU_ASSERT_EQUAL(p99, 994);
	now += 300 * XY_LAG_TICK; // in which nothing happened
	xy_lag_get(&lag, now, &p99, &max);
	CU_ASSERT_EQUAL(max, 1000);
	CU_ASSERT_EQUAL(lag.count, XY_LAG_SAMPLES);
	now += 290 * XY_LAG_TICK;
	xy_lag_get(&lag, now, &p99, &max);
	CU_ASSERT_EQUAL(max, 1000);
	CU_ASSERT_EQUAL(p99, 994); // 10 of 600 are left
	now += 10 * XY_LAG_TICK;
	xy_lag_get(&lag, now, &p99, &max);
	CU_ASSERT(p99 == 0 && max == 0);
	xy_lag_note(&lag, 7, now + 5000 * XY_LAG_TICK); // the machine slept
	xy_lag_get(&lag, now + 5001 * XY_LAG_TICK, &p99, &max);
	CU_ASSERT_EQUAL(max, 7);
}

static void test_log_limit(void)
{
	struct xy_log_limit l = {0};
	unsigned long missed;
	CU_ASSERT(xy_log_limit_pass(&l, XY_SEC, &missed) && missed == 0);
	CU_ASSERT(!xy_log_limit_pass(&l, 2 * XY_SEC, &missed));
	CU_ASSERT(!xy_log_limit_pass(&l, 3 * XY_SEC, &missed));
	CU_ASSERT(xy_log_limit_pass(&l, 12 * XY_SEC, &missed) && missed == 2);
}

XY_UNIT_MAIN(
	"links", {"handshake in both roles", test_handshake},
	{"loss and retransmission", test_retransmission},
	{"giving up, and trying again", test_give_up_and_again},
	{"rekey without a gap", test_rekey}, {"sessions renewed", test_renew},
	{"sessions renewed, without endpoint", test_renew_responder},
	{"an idle link goes silent", test_idle}, {"a peer that dies goes silent", test_silent},
	{"a link is kept up for routing", test_kept},
	{"simultaneous initiation", test_simultaneous}, {"cookie under load", test_cookie},
	{"a cookie that was not asked for", test_cookie_unasked},
	{"a cookie buys little", test_cookie_limited},
	{"wrong secret carries nothing", test_wrong_secret},
	{"what keeps a link down", test_trouble},
	{"and whose it is, if known", test_trouble_nameless}, {"what ICMP says", test_trouble_icmp},
	{"another peer is there", test_trouble_other_peer},
	{"unknown key is ignored", test_unknown_key},
	{"whose drops go with him", test_offender_gone}, {"open to a stranger", test_open},
	{"open to a key", test_admitted},
	{"open: a handshake alone is nothing", test_open_needs_transport},
	{"open: with a network secret", test_open_secret},
	{"open: another secret", test_open_other_secret},
	{"open: another secret meanwhile", test_open_secret_meanwhile},
	{"open: a handshake end to end", test_open_other_label},
	{"open: strangers are bounded", test_open_bounded},
	{"open: the oldest makes room", test_open_oldest_out},
	{"open: max_open_peers", test_open_full},
	{"open: no site holds all places", test_open_shared},
	{"open: two keys for one /64", test_open_collision},
	{"open: an idle one goes", test_open_idle}, {"open: reloads", test_open_reload},
	{"open: configured peers come first", test_open_evicted},
	{"a beacon brings two together", test_meet}, {"a beacon of nobody", test_meet_nobody},
	{"wrong mac1 costs nothing", test_wrong_mac}, {"replayed initiation", test_replay},
	{"a clock that is set back", test_clock_back},
	{"a clock that is set right", test_clock_right},
	{"a clock that is set back, and a restart", test_clock_back_restart},
	{"a clock that is set back, and nothing else", test_clock_back_asked},
	{"an old initiation again", test_stamp_replayed},
	{"old initiations for ever", test_stamp_replayed_for_ever},
	{"a place that is remembered", test_place}, {"roaming", test_roaming},
	{"where it is heard", test_heard},
	{"data stays while an initiation is lost", test_data_stays},
	{"where initiations go", test_where_asked},
	{"a beacon moves no data", test_beacon_moves_no_data},
	{"response kept back", test_response_stale}, {"response too old", test_response_old},
	{"response beside forged ones", test_response_forged}, {"endpoint failover", test_failover},
	{"endpoint by name", test_name}, {"name, not asked", test_name_not_asked},
	{"name, answered too late", test_name_too_late},
	{"keepalive switched off", test_keepalive_off},
	{"peer removed with jobs under way", test_removed_with_jobs},
	{"indices exhausted", test_no_index}, {"strangers are refused first", test_strangers_first},
	{"news of the book", test_news}, {"news of strangers", test_news_of_strangers},
	{"a number that is free later", test_number_later},
	{"reload by the difference", test_reload}, {"a plan in slices", test_slices},
	{"a number that is still named", test_slot_of_the_gone},
	{"a number that is waited for", test_slot_waited_for},
	{"the number of who made room", test_slot_of_the_evicted},
	{"a stranger while his config comes", test_stranger_meanwhile},
	{"what there is no room for", test_fails}, {"refused configs", test_refused},
	{"what a peer may send from", test_accepts}, {"a route's key", test_route_key},
	{"refused routes", test_refused_route}, {"all that is refused", test_refused_all},
	{"replay window moves to the busy worker", test_move}, {"path mtu", test_mtu},
	{"path mtu, probed", test_mtu_probed}, {"events of what is not there", test_strange_events},
	{"limits for tests", test_limits}, {"loop lag", test_lag}, {"log limits", test_log_limit})
