// SPDX-License-Identifier: BSD-3-Clause
// Joining on virtual time: an asking node and an asked one, each with links over a fake dataplane;
// datagrams are carried by hand, so that any can be lost, changed or said again.
#include "unit.h"

#include "base/bytes.h"
#include "exchange/exchange.h"
#include "fake_dataplane.h"
#include "fake_net.h"
#include "joining/joining.h"
#include "routes/rib.h"

#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

enum { WAITING = 64 };

struct node {
	struct xy_env env, nameless; // nameless: of links
	struct xy_dp dp;
	struct xy_identity id;
	struct xy_exchanges *exchanges;
	struct xy_rib rib;
	struct xy_book book;
	struct xy_links *links;
	struct xy_join *join;
	struct xy_state *state;
	struct xy_plan plan;
	bool open;
	unsigned founds, resolves, asked;
	// the last datagram that it sent that is no handshake, and how many
	uint8_t out[256];
	size_t out_len;
	struct xy_endpoint out_to;
	unsigned sent;
};

static struct {
	xy_nsec now;
	uint64_t random;
	struct node asker, other;
	struct { // for helpers
		void (*work)(void *), (*done)(void *);
		void *what;
	} waiting[WAITING];
	unsigned waits;
	bool helpers_idle; // nothing is worked on until told
} w;

static char folder[] = "/tmp/xylem-join-test.XXXXXX";

static struct xy_endpoint at(const char *text)
{
	struct xy_endpoint e = {0};
	CU_ASSERT_FATAL(xy_endpoint_parse(text, &e) == 0);
	return e;
}

// --- the outside

static xy_nsec now(void *arg)
{
	return w.now;
}

static void random_bytes(void *arg, void *buf, size_t len)
{
	fake_random(&w.random, buf, len);
}

static void helpers_go(void)
{
	for (unsigned i = 0; i < w.waits; i++) {
		w.waiting[i].work(w.waiting[i].what);
		w.waiting[i].done(w.waiting[i].what);
	}
	w.waits = 0;
}

static void run(void *arg, void (*work)(void *), void (*done)(void *), void *what)
{
	CU_ASSERT_FATAL(w.waits < WAITING);
	w.waiting[w.waits].work = work;
	w.waiting[w.waits].done = done;
	w.waiting[w.waits++].what = what;
}

static int resolve(void *arg, const struct xy_env_asker *by, const char *host, uint16_t port)
{
	struct node *n = arg;
	n->resolves++;
	n->asked = by->asked;
	return 0;
}

static bool is_here(void *arg, const struct xy_endpoint *to)
{
	const struct xy_endpoint own = at("[fe80::1%3]:9999");
	return arg && xy_addr_eq(&own.addr, &to->addr);
}

// A key that was found is news in the book, which links follow.
static void follow(struct node *n)
{
	if (!xy_book_has_news(&n->book))
		return;
	n->founds++;
	CU_ASSERT_EQUAL(xy_links_deadline(n->links), 0);
	xy_links_run(n->links, 100, w.now);
	CU_ASSERT(!xy_book_has_news(&n->book));
}

static void job_run(void *arg, struct xy_job *job)
{
	const struct node *n = arg;
	xy_job_run(job);
	xy_exchanges_job_done(n->exchanges, job, w.now);
}

static void wall(void *arg, uint64_t *unix_sec, uint32_t *nsec)
{
	*unix_sec = 1700000000 + w.now / XY_SEC;
	*nsec = 0;
}

static int no_name(void *arg, const struct xy_env_asker *by, const char *host, uint16_t port)
{
	return -ENOENT;
}

static void path(void *arg, struct xy_dp_peer *peer)
{
}

static bool open_to(void *arg, const struct xy_endpoint *from)
{
	return ((struct node *)arg)->open;
}

static void transmit(void *arg, const struct xy_endpoint *to, const void *data, size_t len)
{
	struct node *n = arg;
	if (!(*(const uint8_t *)data & 0x80))
		return;
	CU_ASSERT_FATAL(len <= sizeof(n->out));
	memcpy(n->out, data, len);
	n->out_len = len;
	n->out_to = *to;
	n->sent++;
}

static void on_event(void *arg, const struct xy_dp_event *ev)
{
}

// --- the world

static void node_make(struct node *n, uint8_t number, const char *self)
{
	uint8_t seed[32] = {number};
	CU_ASSERT_FATAL(xy_identity_from_seed(seed, &n->id) == 0);
	CU_ASSERT_FATAL(xy_state_open(&n->state, folder, NULL) == 0);
	n->env = n->nameless = (struct xy_env){
		.arg = n, .now = now, .wall = wall, .random = random_bytes, .run = run};
	n->env.resolve = resolve;
	n->nameless.resolve = no_name;
	fake_init(&n->dp, &w.now);
	n->dp.self = at(self);
	n->dp.arg = n;
	n->dp.transmit = transmit;
	n->dp.event = on_event;
	struct xy_exchanges_config exchanges = {.dp = &n->dp,
						.identity = &n->id,
						.limits = xy_wg_limits_default,
						.env = &n->env,
						.run = job_run,
						.arg = n};
	CU_ASSERT_FATAL(xy_exchanges_create(&exchanges, &n->exchanges, NULL) == 0);
	CU_ASSERT_FATAL(xy_rib_init(&n->rib, &n->dp, 8) == 0);
	CU_ASSERT_FATAL(xy_book_init(&n->book, 8) == 0);
	struct xy_links_config links = {.dp = &n->dp,
					.exchanges = n->exchanges,
					.rib = &n->rib,
					.book = &n->book,
					.identity = &n->id,
					.max_peers = 8,
					.env = &n->nameless,
					.ops = {.arg = n, .open_to = open_to, .path = path}};
	CU_ASSERT_FATAL(xy_links_create(&links, &n->links, NULL) == 0);
	struct xy_join_config join = {.dp = &n->dp,
				      .links = n->links,
				      .book = &n->book,
				      .identity = &n->id,
				      .state = n->state,
				      .env = &n->env,
				      .ops = {.arg = n, .is_here = is_here}};
	CU_ASSERT_FATAL(xy_join_create(&join, &n->join, NULL) == 0);
}

static void node_end(struct node *n)
{
	CU_ASSERT_EQUAL(xy_join_jobs(n->join), 0);
	xy_join_destroy(n->join);
	xy_links_destroy(n->links);
	xy_exchanges_destroy(n->exchanges);
	xy_rib_fini(&n->rib);
	xy_book_fini(&n->book);
	xy_plan_free(&n->plan);
	xy_state_close(n->state);
}

static void state_forget(void)
{
	char path_of[64];
	snprintf(path_of, sizeof(path_of), "%s/state", folder);
	unlink(path_of);
}

static void world_make(void)
{
	xy_log_init(XY_LOG_ERROR);
	memset(&w, 0, sizeof(w));
	w.now = 1000 * XY_SEC;
	w.random = 42;
	state_forget();
	node_make(&w.asker, 1, "192.0.2.1:51820");
	node_make(&w.other, 2, "192.0.2.2:51820");
	w.other.open = true;
}

static void world_end(void)
{
	helpers_go();
	node_end(&w.asker);
	node_end(&w.other);
}

static void configure(struct node *n, const char *text)
{
	struct xy_config config;
	struct xy_plan plan = {0};
	struct xy_err err = {0};
	if (xy_config_parse("test", text, strlen(text), &config, &err) ||
	    xy_plan_make("test", &config, &n->id, &plan, &err)) {
		printf("  %s\n", err.text);
		CU_FAIL_FATAL("config refused");
	}
	struct xy_plan old = n->plan;
	n->plan = plan;
	xy_join_apply(n->join, &n->plan, w.now);
	CU_ASSERT_EQUAL(xy_links_apply(n->links, &n->plan, w.now, NULL), 0);
	xy_join_look(n->join);
	xy_plan_free(&old);
}

static void give(struct node *n, const struct xy_endpoint *from, const uint8_t *data, size_t len)
{
	struct xy_dp_event ev = {.type = XY_DP_PUNT, .remote = *from, .data = data, .len = len};
	xy_join_punt(n->join, &ev, w.now);
	if (!w.helpers_idle)
		helpers_go();
	follow(n);
}

// What `from` sent last arrives at `to`.
static void carry(struct node *from, struct node *to)
{
	give(to, &from->dp.self, from->out, from->out_len);
}

static struct xy_join_info info(struct node *n)
{
	struct xy_join_info k;
	CU_ASSERT_FATAL(xy_join_count(n->join) > 0);
	xy_join_info(n->join, 0, &k);
	return k;
}

static uint64_t drops(struct node *n, enum xy_join_drop why)
{
	return xy_join_drops(n->join, why);
}

#define A      (&w.asker)
#define B      (&w.other)
#define NO_KEY "peers = ( { name = \"b\"; endpoint = \"192.0.2.2:51820\"; } );"

static bool has_key(const struct node *n, const struct node *of)
{
	return xy_links_has(n->links, &of->id.x25519);
}

// --- asking

static void test_found(void)
{
	world_make();
	configure(A, NO_KEY);
	CU_ASSERT_EQUAL(xy_links_count(A->links), 0);
	CU_ASSERT_EQUAL(info(A).state, XY_JOIN_ASKING);
	xy_join_run(A->join, w.now);
	CU_ASSERT(A->sent == 1 && A->out_len == XY_JOIN_LEN && A->out[0] == XY_JOIN_PROBE);
	CU_ASSERT(xy_endpoint_eq(&A->out_to, &B->dp.self));
	carry(A, B);
	CU_ASSERT(B->sent == 1 && B->out_len == XY_JOIN_LEN && B->out[0] == XY_JOIN_REPLY);
	CU_ASSERT(xy_endpoint_eq(&B->out_to, &A->dp.self));
	carry(B, A);
	CU_ASSERT_EQUAL(A->founds, 1);
	CU_ASSERT(has_key(A, B));
	CU_ASSERT_EQUAL(info(A).state, XY_JOIN_PINNED);
	const struct xy_key *pin = xy_state_pin(A->state, "192.0.2.2:51820");
	CU_ASSERT(pin && memcmp(pin, &B->id.x25519, sizeof(*pin)) == 0);
	carry(B, A); // said again
	CU_ASSERT_EQUAL(drops(A, XY_JOIN_DROP_JOIN_UNASKED), 1);
	CU_ASSERT_EQUAL(A->founds, 1);
	world_end();
}

// Only an answer to our nonce, from where we asked, and signed.
static void test_wrong_answers(void)
{
	const struct xy_endpoint elsewhere = at("192.0.2.3:51820"), port = at("192.0.2.2:51821");
	uint8_t bad[XY_JOIN_LEN];
	world_make();
	configure(A, NO_KEY);
	xy_join_run(A->join, w.now);
	carry(A, B);
	give(A, &elsewhere, B->out, B->out_len);
	give(A, &port, B->out, B->out_len);
	memcpy(bad, B->out, sizeof(bad));
	bad[4] ^= 1;
	give(A, &B->dp.self, bad, sizeof(bad));
	CU_ASSERT_EQUAL(drops(A, XY_JOIN_DROP_JOIN_UNASKED), 3);
	memcpy(bad, B->out, sizeof(bad));
	bad[XY_JOIN_LEN - 1] ^= 1;
	give(A, &B->dp.self, bad, sizeof(bad));
	give(A, &B->dp.self, B->out, 100);
	CU_ASSERT_EQUAL(drops(A, XY_JOIN_DROP_JOIN_BAD), 2);
	CU_ASSERT_EQUAL(A->founds, 0);
	carry(B, A); // the right one may still come
	CU_ASSERT_EQUAL(A->founds, 1);
	world_end();
}

static void test_backoff(void)
{
	world_make();
	configure(A, NO_KEY);
	unsigned first = 0;
	for (unsigned i = 0; i < 3600; i++) {
		if (xy_join_deadline(A->join) <= w.now)
			xy_join_run(A->join, w.now);
		if (i == 9)
			first = A->sent;
		w.now += XY_SEC;
	}
	CU_ASSERT(first >= 3 && first <= 5);	   // 1, 2, 4, 8 s and a quarter
	CU_ASSERT(A->sent >= 45 && A->sent <= 70); // then one a minute, for ever
	CU_ASSERT_EQUAL(info(A).tries, A->sent);
	world_end();
}

static void test_pin_kept(void)
{
	world_make();
	CU_ASSERT_EQUAL(xy_state_pin_set(A->state, "192.0.2.2:51820", &B->id.x25519), 0);
	configure(A, NO_KEY);
	CU_ASSERT(has_key(A, B)); // without asking
	struct xy_join_info k = info(A);
	CU_ASSERT_EQUAL(memcmp(&k.key, &B->id.x25519, sizeof(k.key)), 0);
	xy_join_run(A->join, w.now);
	CU_ASSERT_EQUAL(A->sent, 0);
	configure(A, NO_KEY); // a reload
	CU_ASSERT(has_key(A, B) && xy_links_count(A->links) == 1);
	configure(A, "");
	CU_ASSERT_EQUAL(xy_join_count(A->join), 0);
	CU_ASSERT_EQUAL(xy_join_deadline(A->join), XY_NEVER);
	world_end();
}

static void test_changed(void)
{
	struct xy_key old;
	world_make();
	memset(&old, 9, sizeof(old));
	CU_ASSERT_EQUAL(xy_state_pin_set(A->state, "192.0.2.2:51820", &old), 0);
	configure(A, NO_KEY);
	w.now += 30 * XY_SEC; // the link does not come up
	xy_join_run(A->join, w.now);
	carry(A, B);
	carry(B, A);
	CU_ASSERT_EQUAL(info(A).state, XY_JOIN_CHANGED);
	CU_ASSERT(info(A).trouble && strstr(info(A).trouble, "refused"));
	CU_ASSERT(info(A).trouble && strstr(info(A).trouble, "--peer KEY@"));
	CU_ASSERT(!has_key(A, B) && xy_links_has(A->links, &old));
	CU_ASSERT_EQUAL(xy_state_pin(A->state, "192.0.2.2:51820")->b[0], 9);
	CU_ASSERT_EQUAL(A->founds, 0);
	world_end();
}

static void test_ourselves_and_twice(void)
{
	char text[512], key[XY_KEY_STRLEN];
	world_make();
	configure(A, NO_KEY);
	xy_join_run(A->join, w.now);
	A->open = true;
	give(A, &B->dp.self, A->out, A->out_len); // a NAT that mirrors, say
	CU_ASSERT_FATAL(A->out[0] == XY_JOIN_REPLY);
	give(A, &B->dp.self, A->out, A->out_len);
	CU_ASSERT_EQUAL(info(A).state, XY_JOIN_OURSELVES);
	CU_ASSERT_EQUAL(xy_links_count(A->links), 0);
	snprintf(text, sizeof(text),
		 "peers = ( { name = \"b\"; key = \"%s\"; }, { name = \"c\"; endpoint = "
		 "\"192.0.2.2:51820\"; } );",
		 xy_key_str(&B->id.x25519, key));
	configure(A, text);
	w.now += 100 * XY_SEC;
	xy_join_run(A->join, w.now);
	carry(A, B);
	carry(B, A);
	CU_ASSERT_EQUAL(info(A).state, XY_JOIN_TWICE);
	CU_ASSERT_EQUAL(xy_links_count(A->links), 1);
	configure(
		A,
		"peers = ( { name = \"c\"; endpoint = \"192.0.2.2:51820\"; } );"); // the other one
										   // was removed,
										   // as was asked
	CU_ASSERT_EQUAL(info(A).state, XY_JOIN_PINNED);
	CU_ASSERT_PTR_NULL(info(A).trouble);
	world_end();
}

// Whoever has its key, the link stays what it is as long as one of them has it.
static void test_held_by_several(void)
{
	char both[512], with_key[256], key[XY_KEY_STRLEN];
	const struct xy_endpoint second = at("192.0.2.9:51820");
	struct xy_link_info k;
	uint32_t slot;
	world_make();
	xy_key_str(&B->id.x25519, key);
	snprintf(with_key, sizeof(with_key),
		 "peers = ( { name = \"x\"; key = \"%s\"; endpoint = \"192.0.2.2:51820\"; } );",
		 key);
	CU_ASSERT_EQUAL(xy_state_pin_set(A->state, "192.0.2.2:51820", &B->id.x25519), 0);
	configure(A, NO_KEY);
	CU_ASSERT_FATAL(xy_links_slot(A->links, &B->id.x25519, &slot) == 0);
	const struct xy_key *link = xy_links_key(A->links, slot);

	snprintf(both, sizeof(both),
		 "peers = ( { name = \"x\"; key = \"%s\"; }, { name = \"b\"; endpoint = "
		 "\"192.0.2.2:51820\"; } );",
		 key);
	configure(A, both);
	xy_links_info(A->links, 0, w.now, &k);
	CU_ASSERT(info(A).state == XY_JOIN_TWICE && strcmp(k.name, "x") == 0);
	CU_ASSERT(xy_links_count(A->links) == 1 && xy_links_key(A->links, slot) == link);
	configure(A, with_key); // now for this endpoint
	CU_ASSERT_EQUAL(xy_join_count(A->join), 0);
	configure(A, NO_KEY); // which is what it was pinned as
	xy_links_info(A->links, 0, w.now, &k);
	CU_ASSERT(info(A).state == XY_JOIN_PINNED && strcmp(k.name, "b") == 0);
	CU_ASSERT(xy_links_count(A->links) == 1 && xy_links_key(A->links, slot) == link);

	// One node at two places: the first peer has it, and then the other.
	configure(A, "peers = ( { name = \"b\"; endpoint = \"192.0.2.2:51820\"; }, "
		     "{ name = \"c\"; endpoint = \"192.0.2.9:51820\"; } );");
	xy_join_run(A->join, w.now);
	CU_ASSERT_FATAL(xy_endpoint_eq(&A->out_to, &second));
	carry(A, B);
	give(A, &second, B->out, B->out_len);
	struct xy_join_info c;
	xy_join_info(A->join, 1, &c);
	CU_ASSERT(info(A).state == XY_JOIN_PINNED && c.state == XY_JOIN_TWICE);
	CU_ASSERT_EQUAL(A->founds, 0);
	configure(A, "peers = ( { name = \"c\"; endpoint = \"192.0.2.9:51820\"; } );");
	xy_links_info(A->links, 0, w.now, &k);
	CU_ASSERT(info(A).state == XY_JOIN_PINNED && !info(A).trouble && strcmp(k.name, "c") == 0);
	CU_ASSERT(xy_links_count(A->links) == 1 && xy_links_key(A->links, slot) == link);
	world_end();
}

// What leads to a peer waits for its key.
static void test_routes_of_the_found(void)
{
	world_make();
	configure(A, "peers = ( { name = \"b\"; endpoint = \"192.0.2.2:51820\"; } ); "
		     "routes = ( { prefix = \"2001:db8::/32\"; peer = \"b\"; } );");
	CU_ASSERT_PTR_NULL(fake_route_find(A->dp.route, "2001:db8::/32"));
	xy_join_run(A->join, w.now);
	carry(A, B);
	carry(B, A);
	CU_ASSERT_FATAL(has_key(A, B));
	CU_ASSERT_PTR_NOT_NULL(fake_route_find(A->dp.route, "2001:db8::/32"));
	CU_ASSERT_EQUAL(fake_route_count(A->dp.route), 3); // and both /64s
	world_end();
}

static void test_name(void)
{
	const struct xy_endpoint two[2] = {at("192.0.2.9:51820"), at("192.0.2.2:51820")};
	const struct xy_endpoint mesh = at("[27f::1]:51820");
	world_make();
	configure(A, "peers = ( { name = \"b\"; endpoint = \"b.example.net:51820\"; } );");
	xy_join_run(A->join, w.now);
	CU_ASSERT(A->resolves == 1 && A->sent == 0);
	unsigned asked = A->asked;
	xy_join_resolved(A->join, asked, NULL, 0, w.now);
	w.now += 60 * XY_SEC;
	xy_join_run(A->join, w.now);
	CU_ASSERT_EQUAL(A->resolves, 2);
	xy_join_resolved(A->join, asked + XY_CONFIG_KEYLESS, two, 2, w.now); // of another peer
	CU_ASSERT_EQUAL(A->sent, 0);
	xy_join_resolved(A->join, asked, &mesh, 1, w.now); // the overlay is no underlay
	CU_ASSERT_EQUAL(A->sent, 0);
	w.now += 60 * XY_SEC;
	xy_join_run(A->join, w.now);
	xy_join_resolved(A->join, asked, two, 2, w.now);
	CU_ASSERT(A->sent == 1 && xy_endpoint_eq(&A->out_to, &two[0]));
	w.now += 60 * XY_SEC;
	xy_join_run(A->join, w.now);
	CU_ASSERT(A->sent == 2 && xy_endpoint_eq(&A->out_to, &two[1]));
	carry(A, B);
	carry(B, A);
	CU_ASSERT(has_key(A, B));
	CU_ASSERT_PTR_NOT_NULL(xy_state_pin(A->state, "b.example.net:51820"));
	world_end();
}

// --- being asked

static unsigned probes_answered(unsigned count, unsigned sources)
{
	static unsigned next;
	unsigned before = B->sent;
	uint8_t probe[XY_JOIN_LEN], nonce[XY_JOIN_NONCE_LEN];
	for (unsigned i = 0; i < count; i++) {
		struct xy_endpoint from = at("198.51.100.1:9");
		from.addr.b[14] = (uint8_t)(next % sources >> 8);
		from.addr.b[15] = (uint8_t)(next++ % sources);
		random_bytes(NULL, nonce, sizeof(nonce));
		xy_join_probe_write(nonce, probe);
		give(B, &from, probe, sizeof(probe));
	}
	return B->sent - before;
}

static void test_closed(void)
{
	world_make();
	B->open = false;
	CU_ASSERT_EQUAL(probes_answered(5, 1), 0);
	CU_ASSERT_EQUAL(drops(B, XY_JOIN_DROP_JOIN_CLOSED), 5);
	world_end();
}

static void test_rates(void)
{
	unsigned sum = 0;
	world_make();
	CU_ASSERT_EQUAL(probes_answered(100, 1), 10); // of one source
	CU_ASSERT_EQUAL(drops(B, XY_JOIN_DROP_JOIN_LIMITED), 90);
	w.now += XY_SEC;
	CU_ASSERT_EQUAL(probes_answered(100, 1), 10);
	w.now += 10 * XY_SEC;
	for (unsigned i = 0; i < 100; i++) { // of 4,000 sources, in one second
		sum += probes_answered(40, 4000);
		w.now += XY_SEC / 100;
	}
	CU_ASSERT(sum >= 1000 && sum <= 1100);
	world_end();
}

static void test_busy(void)
{
	world_make();
	w.helpers_idle = true;
	CU_ASSERT_EQUAL(probes_answered(40, 40), 0);
	CU_ASSERT_EQUAL(xy_join_jobs(B->join), XY_JOIN_JOBS);
	CU_ASSERT_EQUAL(drops(B, XY_JOIN_DROP_JOIN_BUSY), 40 - XY_JOIN_JOBS);
	helpers_go();
	CU_ASSERT_EQUAL(B->sent, XY_JOIN_JOBS);
	world_end();
}

// --- beacons

static void beacon_of(const struct node *of, struct node *to, const char *from)
{
	struct xy_endpoint source = at(from);
	uint8_t beacon[XY_JOIN_BEACON_LEN];
	xy_join_beacon_write(&of->id, 51820, beacon);
	xy_join_beacon(to->join, &source, beacon, sizeof(beacon), w.now);
	helpers_go();
}

static void test_beacon(void)
{
	char text[256], key[XY_KEY_STRLEN];
	const struct xy_endpoint there = at("[fe80::2%3]:51820");
	struct xy_link_info k;
	world_make();
	beacon_of(B, A, "[fe80::2%3]:9999");
	CU_ASSERT_EQUAL(drops(A, XY_JOIN_DROP_BEACON_NOBODY), 1); // A is closed
	beacon_of(A, A, "[fe80::1%3]:9999");
	CU_ASSERT_EQUAL(drops(A, XY_JOIN_DROP_BEACON_NOBODY), 1); // its own says nothing
	CU_ASSERT_PTR_NULL(xy_join_twin(A->join, w.now));
	beacon_of(A, A, "[fe80::9%3]:9999"); // another has its key
	CU_ASSERT_PTR_NOT_NULL_FATAL(xy_join_twin(A->join, w.now));
	CU_ASSERT_PTR_NOT_NULL(strstr(xy_join_twin(A->join, w.now), "fe80::9%3"));
	CU_ASSERT_EQUAL(xy_links_count(A->links), 0);
	CU_ASSERT_PTR_NULL(xy_join_twin(A->join, w.now + 60 * XY_SEC));
	snprintf(text, sizeof(text), "peers = ( { name = \"b\"; key = \"%s\"; } );",
		 xy_key_str(&B->id.x25519, key));
	configure(A, text);
	w.now += 4 * XY_SEC;
	beacon_of(B, A, "[fe80::2%3]:9999");
	xy_links_info(A->links, 0, w.now, &k);
	CU_ASSERT(xy_endpoint_eq(&k.remote, &there)); // the source, with the port that it tells
	CU_ASSERT_EQUAL(k.handshakes_sent, 1);
	A->open = true;
	configure(A, "peering = \"open\";");
	w.now += 4 * XY_SEC;
	beacon_of(B, A, "[fe80::2%3]:9999");
	CU_ASSERT_FATAL(xy_links_count(A->links) == 1);
	xy_links_info(A->links, 0, w.now, &k);
	CU_ASSERT(k.provisional && k.handshakes_sent == 1);
	world_end();
}

static void test_beacon_rates(void)
{
	char from[64];
	uint8_t beacon[XY_JOIN_BEACON_LEN];
	const struct xy_endpoint source = at("[fe80::7%3]:1");
	world_make();
	for (unsigned i = 0; i < 8; i++) { // one of a source in 4 s
		beacon_of(B, A, "[fe80::2%3]:9999");
		w.now += XY_SEC;
	}
	CU_ASSERT_EQUAL(drops(A, XY_JOIN_DROP_BEACON_NOBODY), 2);
	w.now += 10 * XY_SEC;
	for (unsigned i = 0; i < 50; i++) { // 10 a second of all
		snprintf(from, sizeof(from), "[fe80::1:%x%%3]:9999", i);
		beacon_of(B, A, from);
	}
	CU_ASSERT_EQUAL(drops(A, XY_JOIN_DROP_BEACON_NOBODY), 12);
	CU_ASSERT_EQUAL(drops(A, XY_JOIN_DROP_BEACON_LIMITED), 6 + 40);
	w.now += 10 * XY_SEC;
	xy_join_beacon_write(&B->id, 51820, beacon);
	beacon[37] ^= 1; // the port is signed
	xy_join_beacon(A->join, &source, beacon, sizeof(beacon), w.now);
	helpers_go();
	CU_ASSERT_EQUAL(drops(A, XY_JOIN_DROP_JOIN_BAD), 1);
	world_end();
}

// Whoever forges any number of sources, a peer that was here before is heard.
static void test_beacon_flood(void)
{
	enum { SECONDS = 10, EACH = 600 };
	char text[256], key[XY_KEY_STRLEN];
	uint8_t forged[XY_JOIN_BEACON_LEN];
	struct xy_link_info k;
	world_make();
	snprintf(text, sizeof(text), "peers = ( { name = \"b\"; key = \"%s\"; } );",
		 xy_key_str(&B->id.x25519, key));
	configure(A, text);
	beacon_of(B, A, "[fe80::2%3]:9999"); // so it is known to be there
	xy_links_info(A->links, 0, w.now, &k);
	CU_ASSERT_EQUAL_FATAL(k.remote.port, 51820);
	xy_join_beacon_write(&B->id, 51820, forged);
	forged[37] ^= 1;
	for (unsigned i = 0; i < SECONDS * EACH; i++) {
		snprintf(text, sizeof(text), "[fe80::1:%x%%3]:9999", i);
		const struct xy_endpoint from = at(text);
		xy_join_beacon(A->join, &from, forged, sizeof(forged), w.now);
		helpers_go();
		w.now += XY_SEC / EACH;
	}
	CU_ASSERT(drops(A, XY_JOIN_DROP_JOIN_BAD) <= 10 * (SECONDS + 1)); // the share of strangers
	uint64_t limited = drops(A, XY_JOIN_DROP_BEACON_LIMITED);
	CU_ASSERT(limited >= SECONDS * EACH - 10 * (SECONDS + 1));
	beacon_of(B, A, "[fe80::2%3]:9999");
	CU_ASSERT_EQUAL(drops(A, XY_JOIN_DROP_BEACON_LIMITED), limited);
	beacon_of(B, A, "[fe80::2%3]:9999"); // but not more often
	CU_ASSERT_EQUAL(drops(A, XY_JOIN_DROP_BEACON_LIMITED), limited + 1);
	world_end();
}

int main(int argc, char **argv)
{
	static const struct xy_unit_case cases[] = {
		{"a key is found and pinned", test_found},
		{"wrong answers", test_wrong_answers},
		{"probes with backoff", test_backoff},
		{"a pinned key needs no asking", test_pin_kept},
		{"a key that changed", test_changed},
		{"ourselves, and twice", test_ourselves_and_twice},
		{"a key that several have", test_held_by_several},
		{"routes of a peer that was found", test_routes_of_the_found},
		{"endpoint by name", test_name},
		{"closed: no word", test_closed},
		{"rates", test_rates},
		{"helpers that are busy", test_busy},
		{"beacons", test_beacon},
		{"rates of beacons", test_beacon_rates},
		{"forged beacons", test_beacon_flood},
	};
	if (sodium_init() < 0 || !mkdtemp(folder))
		return 1;
	int r = xy_unit_run("join", cases, XY_ARRAY_SIZE(cases), argc, argv);
	state_forget();
	rmdir(folder);
	return r;
}
