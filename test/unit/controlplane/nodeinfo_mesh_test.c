// SPDX-License-Identifier: BSD-3-Clause
// Node info between nodes, on virtual time: nodes on a network of the test's, which routes by the
// fewest hops and may lose and delay what it carries; and a liar, who answers by hand.
#include "fake_net.h"
#include "informing/nodeinfo.h"
#include "noise/limiter.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

enum { NODES = 72, QUEUE = 8192, NONE = -1 };

struct packet {
	xy_nsec at;
	size_t len;
	uint8_t data[XY_IPV6_MIN_MTU];
};

struct node {
	struct xy_addr addr;
	struct xy_nodeinfo *ni;
	size_t asked_len;		// of the last request that it was given
	struct xy_nodeinfo_suites told; // to it, last
	unsigned told_asked, told_unasked;
	unsigned sent;
};

static struct {
	xy_nsec now, delay;
	unsigned count;
	struct node node[NODES];
	bool joined[NODES][NODES];
	int forced[NODES]; // next hop, whatever the graph says; NONE
	struct packet *queue;
	unsigned queued, sent, looked; // looked: at neighbours
	bool asks;		       // node 0 is a stub that knows no way yet
	unsigned lose;		       // so many of each node's next packets
	uint64_t random;
	// Takes what goes to an address that is no node's. True: it is answered.
	void (*stranger)(const struct xy_udp6 *u);
} w;

static struct xy_addr addr_of(unsigned i)
{
	struct xy_addr a = {{0x02, 0x00, 0, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i, [15] = 1}};
	return a;
}

static int index_of(const struct xy_addr *a)
{
	for (unsigned i = 0; i < w.count; i++)
		if (xy_addr_eq(a, &w.node[i].addr))
			return (int)i;
	return NONE;
}

static void random_bytes(void *arg, void *buf, size_t len)
{
	fake_random(&w.random, buf, len);
}

static xy_nsec the_time(void *arg)
{
	return w.now;
}

static const struct xy_env env = {.now = the_time, .random = random_bytes};

static void put(const void *data, size_t len)
{
	CU_ASSERT_FATAL(w.queued < QUEUE && len <= XY_IPV6_MIN_MTU);
	struct packet *p = &w.queue[w.queued++];
	p->at = w.now + w.delay;
	p->len = len;
	memcpy(p->data, data, len);
}

static int send_packet(void *arg, const void *packet, size_t len)
{
	struct node *n = arg;
	struct xy_udp6 u;
	w.sent++;
	n->sent++;
	CU_ASSERT_FATAL(xy_udp6_parse(packet, len, &u) == 0 && xy_addr_eq(&u.src, &n->addr));
	if (xy_nodeinfo_is_reply(u.data, u.len))
		CU_ASSERT(u.len <= n->asked_len); // it amplifies nothing
	if (w.lose && n->sent % (w.lose + 1))
		return 0;
	put(packet, len);
	return 0;
}

static void neighbours(void *arg, xy_nodeinfo_each *each, void *to)
{
	const struct node *n = arg;
	unsigned self = (unsigned)(n - w.node);
	w.looked++;
	for (unsigned k = w.count; k-- > 0;) { // not in order
		struct xy_nodeinfo_near told = {{addr_of(k), (uint16_t)(100 + k), 7}, 1000 + k};
		if (w.joined[self][k])
			each(to, &told);
	}
}

// Breadth first from the destination.
static int next_hop(unsigned from, unsigned to, unsigned *distance)
{
	unsigned queue[NODES], head = 0, tail = 0, hops[NODES] = {0};
	bool seen[NODES] = {false};
	seen[to] = true;
	queue[tail++] = to;
	while (head < tail) {
		unsigned at = queue[head++];
		for (unsigned k = 0; k < w.count; k++) {
			if (seen[k] || !w.joined[at][k])
				continue;
			seen[k] = true;
			hops[k] = hops[at] + 1;
			*distance = hops[k];
			if (k == from)
				return (int)at;
			queue[tail++] = k;
		}
	}
	return NONE;
}

static void route(void *arg, const struct xy_addr *to, struct xy_nodeinfo_route *out)
{
	const struct node *n = arg;
	unsigned self = (unsigned)(n - w.node), distance = 0;
	int dest = index_of(to), hop = NONE;
	*out = (struct xy_nodeinfo_route){.result = XY_NODEINFO_NONE,
					  .metric = XY_NODEINFO_UNKNOWN};
	if (self == 0 && w.asks) {
		out->asks = true;
		return;
	}
	if (dest == (int)self) {
		out->result = XY_NODEINFO_HERE;
		return;
	}
	if (dest != NONE)
		hop = next_hop(self, (unsigned)dest, &distance);
	hop = w.forced[self] == NONE ? hop : w.forced[self];
	if (hop == NONE)
		return;
	*out = (struct xy_nodeinfo_route){.result = XY_NODEINFO_VIA,
					  .hop = addr_of((unsigned)hop),
					  .metric = (uint16_t)(96 * distance)};
}

static void suites(void *arg, struct xy_nodeinfo_suites *ours)
{
	const struct node *n = arg;
	*ours = (struct xy_nodeinfo_suites){.can = 3, .best = (uint8_t)((n - w.node) % 2)};
}

static void seen(void *arg, const struct xy_addr *of, struct xy_nodeinfo_seen *out)
{
	*out = (struct xy_nodeinfo_seen){.at = {.addr = *of, .port = 7}};
	out->at.addr.b[0] = 0x20; // as if it were there
}

static struct xy_nodeinfo_seen seen_of_us;
static struct xy_addr seen_by;

static void seen_told(void *arg, const struct xy_addr *from, const struct xy_nodeinfo_seen *ours,
		      xy_nsec now)
{
	seen_of_us = *ours;
	seen_by = *from;
}

static void suites_told(void *arg, const struct xy_addr *from, const struct xy_nodeinfo_suites *its,
			bool asked, xy_nsec now)
{
	struct node *n = arg;
	CU_ASSERT(index_of(from) != NONE && now == w.now);
	n->told = *its;
	n->told_asked += asked;
	n->told_unasked += !asked;
}

static struct xy_nodeinfo_lanes lanes_of_it;
static unsigned lanes_answered;

static bool lanes(void *arg, const struct xy_addr *from, const struct xy_nodeinfo_lanes *q,
		  struct xy_nodeinfo_lanes *out)
{
	CU_ASSERT(index_of(from) != NONE && q->count == 4);
	*out = (struct xy_nodeinfo_lanes){.session = q->session, .count = 3, .heard = 5};
	return q->session != 99; // which it has not
}

static void lanes_told(void *arg, const struct xy_addr *from, const struct xy_nodeinfo_lanes *its,
		       xy_nsec now)
{
	CU_ASSERT(index_of(from) == 2 && now == w.now);
	lanes_of_it = *its;
	lanes_answered++;
}

static void world(unsigned count)
{
	static const uint8_t letters[] = "abcdefghijklmnopqrstuvwxyz";
	memset(&w, 0, sizeof(w));
	w.now = 1000 * XY_SEC;
	w.delay = XY_MSEC;
	w.random = 1;
	w.count = count;
	w.queue = calloc(QUEUE, sizeof(*w.queue));
	for (unsigned i = 0; i < count; i++) {
		struct xy_nodeinfo_config cfg = {
			.version = "1.2",
			.fields = {.enabled = true, .neighbours = true, .version = true},
			.env = &env,
			.ops = {&w.node[i], send_packet, neighbours, route, suites, suites_told,
				lanes, lanes_told, seen, seen_told}};
		w.forced[i] = NONE;
		w.node[i].addr = cfg.addr = addr_of(i);
		cfg.fields.name[0] = (char)letters[i % 26];
		CU_ASSERT_FATAL(xy_nodeinfo_create(&cfg, &w.node[i].ni) == 0);
	}
}

static void end_world(void)
{
	for (unsigned i = 0; i < w.count; i++)
		xy_nodeinfo_destroy(w.node[i].ni);
	free(w.queue);
}

static void join(unsigned a, unsigned b)
{
	w.joined[a][b] = w.joined[b][a] = true;
}

static void line(unsigned count)
{
	world(count);
	for (unsigned i = 0; i + 1 < count; i++)
		join(i, i + 1);
}

static void fields(unsigned node, bool enabled, bool tells)
{
	struct xy_nodeinfo_fields f = {.enabled = enabled, .neighbours = tells};
	xy_nodeinfo_fields_set(w.node[node].ni, &f);
}

static void deliver(const struct packet *p)
{
	struct xy_udp6 u;
	CU_ASSERT_FATAL(xy_udp6_parse(p->data, p->len, &u) == 0);
	int to = index_of(&u.dst);
	if (to == NONE && w.stranger)
		w.stranger(&u);
	if (to == NONE)
		return;
	if (!xy_nodeinfo_is_reply(u.data, u.len))
		w.node[to].asked_len = u.len;
	xy_nodeinfo_event(w.node[to].ni, p->data, p->len, w.now);
}

static xy_nsec next_time(void)
{
	xy_nsec at = fake_net_next(w.queue, w.queued, sizeof(w.queue[0]));
	for (unsigned i = 0; i < w.count; i++) {
		xy_nsec due = xy_nodeinfo_deadline(w.node[i].ni);
		at = due < at ? due : at;
	}
	return at;
}

// Until the time, or until nothing more is to come.
static void run(xy_nsec until)
{
	xy_nsec at;
	struct packet p;
	unsigned turns = 0;
	while ((at = next_time()) <= until && at != XY_NEVER) {
		turns = at > w.now ? 0 : turns + 1;
		CU_ASSERT_FATAL(turns < 100000); // it would spin
		w.now = at > w.now ? at : w.now;
		while (fake_net_take(w.queue, &w.queued, sizeof(p), w.now, &p))
			deliver(&p);
		for (unsigned i = 0; i < w.count; i++)
			if (xy_nodeinfo_deadline(w.node[i].ni) <= w.now)
				xy_nodeinfo_run(w.node[i].ni, w.now);
	}
	w.now = until > w.now ? until : w.now;
}

static const struct xy_nodeinfo_walk *walk(unsigned from, const struct xy_addr *to)
{
	const struct xy_nodeinfo_walk *k = NULL;
	for (unsigned i = 0; i < 400; i++) { // asked every second, as a client does
		CU_ASSERT_FATAL(xy_nodeinfo_walk(w.node[from].ni, to, w.now, &k) == 0);
		if (k->end != XY_NODEINFO_WALKING)
			return k;
		run(w.now + XY_SEC);
	}
	CU_FAIL_FATAL("the walk does not end");
	return k;
}

static const struct xy_nodeinfo_walk *walk_to(unsigned from, unsigned to)
{
	struct xy_addr a = addr_of(to);
	return walk(from, &a);
}

static const struct xy_nodeinfo_crawl *crawl(unsigned from)
{
	const struct xy_nodeinfo_crawl *c = NULL;
	for (unsigned i = 0; i < 100; i++) {
		CU_ASSERT_FATAL(xy_nodeinfo_crawl(w.node[from].ni, w.now, &c) == 0);
		if (c->done)
			return c;
		run(w.now + XY_SEC);
	}
	CU_FAIL_FATAL("the crawl does not end");
	return c;
}

static const struct xy_nodeinfo_node *find(const struct xy_nodeinfo_crawl *c, unsigned node)
{
	struct xy_addr a = addr_of(node);
	for (uint32_t i = 0; i < c->node_count; i++)
		if (xy_addr_eq(&c->node[i].addr, &a))
			return &c->node[i];
	return NULL;
}

// --- crawls

static void test_ring(void)
{
	line(8);
	join(0, 7);
	const struct xy_nodeinfo_crawl *c = crawl(0);
	CU_ASSERT(c->node_count == 8 && c->answered == 7 && c->silent == 0 && !c->cut);
	CU_ASSERT(c->link_count == 16);
	for (unsigned i = 0; i < 8; i++) {
		const struct xy_nodeinfo_node *n = find(c, i);
		CU_ASSERT_FATAL(n != NULL);
		CU_ASSERT(n->depth == (i < 4 ? i : 8 - i) && n->name[0] == (char)('a' + i));
		CU_ASSERT(n->total == 2 && n->taken == 2 && n->tells_neighbours);
		CU_ASSERT(n->slot == (n->depth == 1 ? 1000 + i : UINT32_MAX));
		CU_ASSERT(i == 0 || (n->rtt == 2 * XY_MSEC && n->cost == 100 + i));
		CU_ASSERT(i == 0 || (n->link_rtt_us == 7 && !strcmp(n->version, "1.2")));
		CU_ASSERT(n->depth == 0 || c->node[n->parent].depth + 1 == n->depth);
	}
	end_world();
}

// More neighbours than a page holds.
static void test_pages(void)
{
	world(NODES);
	for (unsigned i = 1; i < NODES; i++)
		if (i != 5)
			join(5, i);
	join(0, 5);
	const struct xy_nodeinfo_crawl *c = crawl(0);
	const struct xy_nodeinfo_node *hub = find(c, 5);
	CU_ASSERT(c->node_count == NODES && c->answered == NODES - 1 && !c->cut);
	CU_ASSERT(hub->total == NODES - 1 && hub->taken == NODES - 1);
	CU_ASSERT(NODES - 1 > XY_NODEINFO_PAGE);
	CU_ASSERT(c->link_count == 2 * (NODES - 1));
	end_world();
}

// At most a hundred a second, or a few at once.
static void test_pace(void)
{
	const struct xy_nodeinfo_crawl *c;
	world(NODES);
	for (unsigned i = 1; i < NODES; i++)
		join(0, i);
	CU_ASSERT(xy_nodeinfo_crawl(w.node[0].ni, w.now, &c) == 0);
	run(w.now + XY_SEC / 4);
	CU_ASSERT(w.node[0].sent >= 20 && w.node[0].sent <= 40);
	CU_ASSERT(crawl(0)->answered == NODES - 1);
	end_world();
}

static void test_silent(void)
{
	line(5);
	fields(3, false, true);
	fields(1, true, true);
	const struct xy_nodeinfo_crawl *c = crawl(0);
	CU_ASSERT(c->node_count == 4 && c->silent == 1 && c->answered == 2 && !c->cut);
	CU_ASSERT(find(c, 3)->state == XY_NODEINFO_NODE_SILENT && find(c, 3)->rtt == 0);
	CU_ASSERT(xy_nodeinfo_drops(w.node[3].ni, XY_NODEINFO_DROP_DISABLED) == XY_NODEINFO_TRIES);
	CU_ASSERT(w.node[3].sent == 0);
	// tells nothing but that it is there
	fields(2, true, false);
	run(w.now + 20 * XY_SEC);
	c = crawl(0);
	CU_ASSERT(c->node_count == 3 && find(c, 2)->state == XY_NODEINFO_NODE_ANSWERED);
	CU_ASSERT(!find(c, 2)->tells_neighbours && !find(c, 2)->total);
	CU_ASSERT(!find(c, 2)->name[0] && !find(c, 2)->version[0]);
	end_world();
}

// Two of three packets of each node are lost.
static void test_loss(void)
{
	line(3);
	w.lose = 2;
	const struct xy_nodeinfo_walk *k = walk_to(0, 1);
	CU_ASSERT(k->end == XY_NODEINFO_NO_ANSWER); // its reply was one of the lost
	w.node[1].sent = 2;
	run(w.now + 2 * XY_SEC);
	k = walk_to(0, 1);
	CU_ASSERT(k->end == XY_NODEINFO_REACHED && k->hop[0].rtt == 2 * XY_MSEC);
	end_world();
}

// The answer to the first try comes after the second was sent: it counts, with its own time.
static void test_late(void)
{
	line(2);
	w.delay = 700 * XY_MSEC;
	const struct xy_nodeinfo_walk *k = walk_to(0, 1);
	CU_ASSERT(k->end == XY_NODEINFO_REACHED && k->hop[0].rtt == 1400 * XY_MSEC);
	run(w.now + 3 * XY_SEC);
	CU_ASSERT(xy_nodeinfo_drops(w.node[0].ni, XY_NODEINFO_DROP_UNASKED) == 1);
	end_world();
}

// --- walks

static void test_walk(void)
{
	line(6);
	const struct xy_nodeinfo_walk *k = walk_to(0, 4);
	CU_ASSERT(k->end == XY_NODEINFO_REACHED && k->count == 4);
	for (unsigned i = 0; i < 4; i++) {
		CU_ASSERT(index_of(&k->hop[i].addr) == (int)i + 1);
		CU_ASSERT(k->hop[i].state == XY_NODEINFO_ANSWERED && !k->hop[i].after_gap);
		CU_ASSERT(k->hop[i].rtt == 2 * XY_MSEC && k->hop[i].name[0] == (char)('b' + i));
		CU_ASSERT(i == 3 || k->hop[i].metric == 96 * (3 - i));
	}
	CU_ASSERT(k->route.metric == 96 * 4 && index_of(&k->route.hop) == 1);
	k = walk_to(0, 0);
	CU_ASSERT(k->end == XY_NODEINFO_REACHED && k->count == 0);
	struct xy_addr nobody = addr_of(99);
	k = walk(0, &nobody);
	CU_ASSERT(k->end == XY_NODEINFO_NO_ROUTE && k->count == 0);
	w.forced[0] = 1; // a default route
	run(w.now + 20 * XY_SEC);
	k = walk(0, &nobody);
	CU_ASSERT(k->end == XY_NODEINFO_NO_ROUTE && k->count == 1);
	CU_ASSERT(k->hop[0].result == XY_NODEINFO_NONE);
	end_world();
}

static void test_walk_gap(void)
{
	line(5);
	fields(2, false, false);
	const struct xy_nodeinfo_walk *k = walk_to(0, 4);
	CU_ASSERT(k->end == XY_NODEINFO_REACHED && k->count == 3);
	CU_ASSERT(k->hop[1].state == XY_NODEINFO_SILENT && !k->hop[1].after_gap);
	CU_ASSERT(k->hop[2].after_gap && index_of(&k->hop[2].addr) == 4);
	fields(4, false, false);
	run(w.now + 20 * XY_SEC);
	k = walk_to(0, 4);
	CU_ASSERT(k->end == XY_NODEINFO_NO_ANSWER && k->count == 3);
	CU_ASSERT(k->hop[2].state == XY_NODEINFO_SILENT);
	k = walk_to(0, 2);
	CU_ASSERT(k->end == XY_NODEINFO_NO_ANSWER && k->count == 2);
	// what is no node's address is not asked
	struct xy_addr plain = xy_addr_from_v4(0x0a010001);
	w.forced[0] = 1;
	w.forced[1] = 2;
	unsigned before = w.node[0].sent;
	k = walk(0, &plain);
	CU_ASSERT(k->end == XY_NODEINFO_NO_ANSWER && k->count == 2);
	CU_ASSERT(w.node[0].sent == before + 1 + XY_NODEINFO_TRIES);
	end_world();
}

// A stub: the first packet to the destination makes it ask for the way.
static void test_walk_stub(void)
{
	line(4);
	w.asks = true;
	const struct xy_nodeinfo_walk *k = walk_to(0, 3);
	CU_ASSERT(k->end == XY_NODEINFO_REACHED && k->count == 1 && k->hop[0].after_gap);
	w.asks = false;
	run(w.now + 2 * XY_SEC);
	k = walk_to(0, 3);
	CU_ASSERT(k->end == XY_NODEINFO_REACHED && k->count == 3 && !k->hop[0].after_gap);
	end_world();
}

static void test_walk_loop(void)
{
	line(6);
	w.forced[3] = 2;
	const struct xy_nodeinfo_walk *k = walk_to(0, 5);
	CU_ASSERT(k->end == XY_NODEINFO_LOOP && k->count == 3);
	w.forced[3] = 0; // back to who asks
	run(w.now + 20 * XY_SEC);
	k = walk_to(0, 5);
	CU_ASSERT(k->end == XY_NODEINFO_LOOP && k->count == 3);
	end_world();
	line(NODES);
	k = walk_to(0, XY_NODEINFO_HOPS);
	CU_ASSERT(k->end == XY_NODEINFO_REACHED && k->count == XY_NODEINFO_HOPS);
	k = walk_to(0, XY_NODEINFO_HOPS + 1);
	CU_ASSERT(k->end == XY_NODEINFO_TOO_LONG && k->count == XY_NODEINFO_HOPS);
	end_world();
}

// A walk takes as long as it takes while somebody asks for it, and no longer.
static void test_walk_slow(void)
{
	const struct xy_nodeinfo_walk *k;
	struct xy_addr to = addr_of(11);
	line(12);
	w.delay = 900 * XY_MSEC;
	CU_ASSERT(walk_to(0, 11)->end == XY_NODEINFO_REACHED);
	run(w.now + 20 * XY_SEC);
	CU_ASSERT(xy_nodeinfo_walk(w.node[0].ni, &to, w.now, &k) == 0);
	run(w.now + 11 * XY_SEC);
	unsigned sent = w.node[0].sent;
	run(w.now + 20 * XY_SEC);
	CU_ASSERT(w.node[0].sent == sent && xy_nodeinfo_deadline(w.node[0].ni) == XY_NEVER);
	end_world();
}

// --- several clients

static void test_walks_bounded(void)
{
	const struct xy_nodeinfo_walk *k[XY_NODEINFO_WALKS + 1];
	struct xy_nodeinfo *n;
	struct xy_addr a[XY_NODEINFO_WALKS + 1];
	line(12);
	n = w.node[0].ni;
	fields(1, false, false); // so that they take a while
	for (unsigned i = 0; i <= XY_NODEINFO_WALKS; i++) {
		a[i] = addr_of(i + 2);
		CU_ASSERT(xy_nodeinfo_walk(n, &a[i], w.now, &k[i]) ==
			  (i < XY_NODEINFO_WALKS ? 0 : -EBUSY));
	}
	CU_ASSERT(xy_nodeinfo_walk(n, &a[3], w.now, &k[8]) == 0 && k[8] == k[3]); // joined
	CU_ASSERT(w.node[0].sent == XY_NODEINFO_WALKS);
	run(w.now + 2 * XY_SEC);
	CU_ASSERT(xy_nodeinfo_walk(n, &a[0], w.now, &k[0]) == 0);
	run(w.now + 9 * XY_SEC); // nobody asks for the others any more
	unsigned sent = w.node[0].sent;
	CU_ASSERT(k[0]->end == XY_NODEINFO_REACHED);
	CU_ASSERT(xy_nodeinfo_walk(n, &a[8], w.now, &k[8]) == 0);
	CU_ASSERT(w.node[0].sent == sent + 1);
	end_world();
}

// A result is told for a second to all who wait for it; then it is old.
static void test_walk_anew(void)
{
	const struct xy_nodeinfo_walk *k;
	struct xy_addr to = addr_of(2);
	line(3);
	k = walk_to(0, 2);
	CU_ASSERT(k->end == XY_NODEINFO_REACHED);
	run(w.now + XY_SEC / 2);
	CU_ASSERT(xy_nodeinfo_walk(w.node[0].ni, &to, w.now, &k) == 0 && k->count == 2);
	run(w.now + XY_SEC);
	CU_ASSERT(xy_nodeinfo_walk(w.node[0].ni, &to, w.now, &k) == 0);
	CU_ASSERT(k->end == XY_NODEINFO_WALKING && k->count == 1);
	end_world();
}

static void test_crawl_clients(void)
{
	const struct xy_nodeinfo_crawl *c, *other;
	line(4);
	struct xy_nodeinfo *n = w.node[0].ni;
	c = crawl(0);
	uint32_t serial = c->serial;
	CU_ASSERT(xy_nodeinfo_crawl(n, w.now, &other) == 0 && other == c);
	run(w.now + 5 * XY_SEC);
	CU_ASSERT(xy_nodeinfo_crawl_done(n, serial, w.now) == c); // and kept by that
	CU_ASSERT(xy_nodeinfo_crawl_done(n, serial + 1, w.now) == NULL);
	run(w.now + 9 * XY_SEC);
	CU_ASSERT(xy_nodeinfo_crawl_done(n, serial, w.now) == c);
	xy_nodeinfo_crawl_told(n, w.now);
	CU_ASSERT(xy_nodeinfo_crawl(n, w.now + XY_SEC / 2, &other) == 0 && other->done);
	run(w.now + 2 * XY_SEC);
	CU_ASSERT(xy_nodeinfo_crawl(n, w.now, &other) == 0);
	CU_ASSERT(!other->done && other->serial == serial + 1);
	run(w.now + 11 * XY_SEC); // nobody asks
	CU_ASSERT(xy_nodeinfo_crawl_done(n, serial + 1, w.now) == NULL);
	CU_ASSERT(xy_nodeinfo_deadline(n) == XY_NEVER);
	end_world();
}

// --- what is refused

static void inject(const struct xy_addr *src, uint16_t sport, const struct xy_addr *dst,
		   const void *data, size_t len)
{
	uint8_t packet[XY_IPV6_MIN_MTU];
	struct xy_udp6 u = {.src = *src,
			    .dst = *dst,
			    .src_port = sport,
			    .dst_port = XY_NODEINFO_PORT,
			    .hop_limit = 9,
			    .data = data,
			    .len = len};
	size_t size = xy_udp6_build(&u, packet, sizeof(packet));
	w.node[0].asked_len = len;
	xy_nodeinfo_event(w.node[0].ni, packet, size, w.now);
}

static void ask(unsigned from, uint16_t sport, size_t len)
{
	uint8_t data[XY_NODEINFO_REQUEST_MAX];
	struct xy_nodeinfo_request q = {.kind = XY_NODEINFO_INFO, .len = len};
	struct xy_addr src = addr_of(from), dst = addr_of(0);
	xy_nodeinfo_request_write(&q, data);
	inject(&src, sport, &dst, data, len);
}

static uint64_t dropped(enum xy_nodeinfo_drop why)
{
	return xy_nodeinfo_drops(w.node[0].ni, why);
}

static void test_refused(void)
{
	uint8_t reply[64] = {1, XY_NODEINFO_INFO | XY_NODEINFO_REPLY};
	struct xy_addr us, other = addr_of(9), outside = xy_addr_from_v4(1);
	world(1);
	us = addr_of(0);
	ask(9, XY_NODEINFO_PORT, 100);
	CU_ASSERT(xy_nodeinfo_answered(w.node[0].ni) == 1 && w.sent == 1);
	ask(9, 53, 100); // it would reach another service
	CU_ASSERT(dropped(XY_NODEINFO_DROP_SOURCE) == 1);
	inject(&outside, XY_NODEINFO_PORT, &us, reply, sizeof(reply));
	inject(&us, XY_NODEINFO_PORT, &us, reply, sizeof(reply));
	CU_ASSERT(dropped(XY_NODEINFO_DROP_SOURCE) == 3);
	inject(&other, XY_NODEINFO_PORT, &us, reply, sizeof(reply));
	CU_ASSERT(dropped(XY_NODEINFO_DROP_UNASKED) == 1);
	inject(&other, XY_NODEINFO_PORT, &other, reply, sizeof(reply)); // not to us
	inject(&other, XY_NODEINFO_PORT, &us, reply, 3);
	reply[1] = 3; // a kind to come
	inject(&other, XY_NODEINFO_PORT, &us, reply, sizeof(reply));
	ask(9, XY_NODEINFO_PORT, XY_NODEINFO_REQUEST_MIN); // no room for an answer
	xy_nodeinfo_event(w.node[0].ni, reply, 1, w.now);
	CU_ASSERT(dropped(XY_NODEINFO_DROP_MALFORMED) == 5 && w.sent == 1);
	end_world();
}

static void test_limits(void)
{
	world(1);
	for (unsigned i = 0; i < 100; i++)
		ask(9, XY_NODEINFO_PORT, 100);
	CU_ASSERT(w.sent == XY_LIMITER_BURST);
	CU_ASSERT(dropped(XY_NODEINFO_DROP_LIMITED) == 100 - XY_LIMITER_BURST);
	for (unsigned i = 0; i < 1000; i++)
		ask(1000 + i, XY_NODEINFO_PORT, 100);
	CU_ASSERT(w.sent <= XY_NODEINFO_BURST && w.sent + 10 >= XY_NODEINFO_BURST);
	CU_ASSERT(dropped(XY_NODEINFO_DROP_BUSY) >= 1000 - XY_NODEINFO_BURST);
	CU_ASSERT(w.looked == 1);
	w.now += XY_SEC; // and again
	ask(9, XY_NODEINFO_PORT, 100);
	CU_ASSERT(w.sent <= XY_NODEINFO_BURST + 1 && w.sent > XY_NODEINFO_BURST - 10);
	end_world();
}

// --- a liar: address 500, joined to node 0 in its own telling

static struct {
	uint64_t made; // neighbours that it told
	bool back, other_nonce, other_source, other_kind;
	uint8_t other_try;
	unsigned asked, strangers; // neighbours of ours beside it
} liar;

static void lie(const struct xy_udp6 *u)
{
	struct xy_nodeinfo_request q;
	struct xy_nodeinfo_reply r = {.kind = XY_NODEINFO_INFO};
	uint8_t data[XY_NODEINFO_REPLY_MAX], packet[XY_IPV6_MIN_MTU];
	struct xy_addr self = addr_of(500);
	if (!xy_addr_eq(&u->dst, &self) || xy_nodeinfo_request_read(u->data, u->len, &q))
		return;
	liar.asked++;
	r.info.tells_neighbours = r.info.more = true;
	r.info.total = UINT16_MAX;
	if (liar.back) // its own neighbour
		r.info.neighbour[r.info.count++].addr = self;
	for (; r.info.count < 50; r.info.count++) {
		struct xy_addr a = addr_of(1000);
		uint64_t number = liar.back ? r.info.count : liar.made++;
		for (unsigned i = 0; i < 8; i++)
			a.b[8 + i] = (uint8_t)(number >> 8 * (7 - i));
		r.info.neighbour[r.info.count] = (struct xy_nodeinfo_neighbour){.addr = a};
	}
	q.nonce[0] ^= liar.other_nonce;
	q.nonce[XY_NODEINFO_NONCE_LEN - 1] += liar.other_try;
	if (liar.other_kind)
		r = (struct xy_nodeinfo_reply){.kind = XY_NODEINFO_NEXT,
					       .next = {.result = XY_NODEINFO_NONE}};
	size_t len = xy_nodeinfo_reply_write(&q, &r, data);
	if (liar.other_source)
		self = addr_of(501);
	struct xy_udp6 reply = {.src = self,
				.dst = u->src,
				.src_port = XY_NODEINFO_PORT,
				.dst_port = XY_NODEINFO_PORT,
				.data = data,
				.len = len};
	put(packet, xy_udp6_build(&reply, packet, sizeof(packet)));
}

static void liar_neighbour(void *arg, xy_nodeinfo_each *each, void *to)
{
	struct xy_nodeinfo_near n = {{addr_of(500), 96, 0}, 0};
	each(to, &n);
	for (unsigned i = 0; i < liar.strangers; i++) {
		n.told.addr = addr_of(600 + i);
		each(to, &n);
	}
}

static void liar_world(void)
{
	world(1);
	struct xy_nodeinfo_config cfg = {.addr = addr_of(0),
					 .version = "1.2",
					 .env = &env,
					 .ops = {&w.node[0], send_packet, liar_neighbour, route,
						 suites, suites_told, lanes, lanes_told, seen,
						 seen_told}};
	xy_nodeinfo_destroy(w.node[0].ni);
	CU_ASSERT_FATAL(xy_nodeinfo_create(&cfg, &w.node[0].ni) == 0);
	memset(&liar, 0, sizeof(liar));
	w.stranger = lie;
}

// Endless neighbours, none of which answers: a bound on each node, and one on time.
static void test_liar(void)
{
	liar_world();
	xy_nsec began = w.now;
	const struct xy_nodeinfo_crawl *c = crawl(0);
	CU_ASSERT(c->cut && w.now - began <= XY_NODEINFO_CRAWL_LIMIT + 2 * XY_SEC);
	CU_ASSERT(c->node_count >= XY_NODEINFO_LINKS_PER_NODE);
	CU_ASSERT(c->node_count <= XY_NODEINFO_LINKS_PER_NODE + 52);
	CU_ASSERT(c->answered == 1);
	end_world();
}

// More silent nodes than can be waited for in a minute.
static void test_liar_time(void)
{
	const struct xy_nodeinfo_crawl *c;
	unsigned waited = 0;
	liar_world();
	liar.strangers = 300;
	xy_nsec began = w.now;
	CU_ASSERT(xy_nodeinfo_crawl(w.node[0].ni, w.now, &c) == 0);
	run(w.now + XY_SEC);
	CU_ASSERT(liar.asked > 5 && liar.asked <= 11); // less than it would answer
	c = crawl(0);
	CU_ASSERT(c->cut && w.now - began >= XY_NODEINFO_CRAWL_LIMIT);
	CU_ASSERT(w.now - began <= XY_NODEINFO_CRAWL_LIMIT + 2 * XY_SEC);
	for (uint32_t i = 0; i < c->node_count; i++)
		waited += c->node[i].state == XY_NODEINFO_NODE_ASKED;
	CU_ASSERT(waited == 0 && c->answered + c->silent + 1 < c->node_count);
	unsigned sent = w.sent;
	run(w.now + 5 * XY_SEC);
	CU_ASSERT(w.sent == sent);
	end_world();
}

// More neighbours of our own than are taken.
static void test_hub(void)
{
	liar_world();
	liar.strangers = 5000;
	const struct xy_nodeinfo_crawl *c = crawl(0);
	CU_ASSERT(c->cut && c->node_count == XY_NODEINFO_NODES);
	CU_ASSERT(c->node[0].total == XY_NODEINFO_NEAR);
	end_world();
}

// The same page again and again.
static void test_liar_back(void)
{
	liar_world();
	liar.back = true;
	const struct xy_nodeinfo_crawl *c = crawl(0);
	CU_ASSERT(c->node_count == 51 && c->answered == 1 && c->silent == 49);
	CU_ASSERT(c->link_count == 50);
	CU_ASSERT(w.node[0].sent < 10 + 50 * XY_NODEINFO_TRIES);
	end_world();
}

static void test_forged(void)
{
	liar_world();
	liar.other_nonce = true;
	CU_ASSERT(crawl(0)->answered == 0);
	CU_ASSERT(dropped(XY_NODEINFO_DROP_UNASKED) == XY_NODEINFO_TRIES);
	end_world();
	liar_world();
	liar.other_source = true;
	CU_ASSERT(crawl(0)->answered == 0);
	CU_ASSERT(dropped(XY_NODEINFO_DROP_UNASKED) == XY_NODEINFO_TRIES);
	end_world();
	static const uint8_t tries[] = {XY_NODEINFO_TRIES, 0x80, 0xfd}; // none that was sent
	for (unsigned i = 0; i < 3; i++) {
		liar_world();
		liar.other_try = tries[i];
		CU_ASSERT(crawl(0)->answered == 0);
		CU_ASSERT(dropped(XY_NODEINFO_DROP_UNASKED) == XY_NODEINFO_TRIES);
		end_world();
	}
	liar_world();
	liar.other_kind = true;
	CU_ASSERT(crawl(0)->answered == 0);
	CU_ASSERT(dropped(XY_NODEINFO_DROP_UNASKED) == XY_NODEINFO_TRIES);
	end_world();
}

// What a node called itself outlives the crawl, for an hour; one that others bear, too, is told as
// often.
static void test_names(void)
{
	struct xy_addr found[2];
	line(30); // a to z, and a to d again
	struct xy_nodeinfo *n = w.node[0].ni;
	const struct xy_addr last = addr_of(25), nobody = addr_of(60);
	CU_ASSERT_PTR_NULL(xy_nodeinfo_name(n, &last, w.now));
	crawl(0);
	run(w.now + 60 * XY_SEC); // it is gone
	const char *name = xy_nodeinfo_name(n, &last, w.now);
	CU_ASSERT(name && strcmp(name, "z") == 0);
	CU_ASSERT_PTR_NULL(xy_nodeinfo_name(n, &nobody, w.now));
	CU_ASSERT_EQUAL(xy_nodeinfo_named(n, "z", w.now, found, 2), 1);
	CU_ASSERT(xy_addr_eq(&found[0], &last));
	CU_ASSERT_EQUAL(xy_nodeinfo_named(n, "c", w.now, found, 2), 2);
	CU_ASSERT_EQUAL(xy_nodeinfo_named(n, "", w.now, found, 2), 0);
	CU_ASSERT_EQUAL(xy_nodeinfo_named(n, "a", w.now, found, 2), 2); // we, and one more
	CU_ASSERT(xy_addr_eq(&found[0], &w.node[0].addr));
	unsigned count = 0;
	for (uint32_t at = 0; xy_nodeinfo_name_next(n, &at, w.now);)
		count++;
	CU_ASSERT_EQUAL(count, 29);
	CU_ASSERT_FALSE(xy_nodeinfo_crawling(n));
	fields(25, true, true);
	crawl(0); // it has none any more
	CU_ASSERT_PTR_NULL(xy_nodeinfo_name(n, &last, w.now));
	CU_ASSERT_EQUAL(xy_nodeinfo_named(n, "c", w.now + 3601 * XY_SEC, found, 2), 0);
	end_world();
}

// Both learn of each other; also where node info tells nothing else; a node that is silent costs
// nothing but its place for some seconds, and what finds none is told.
static void test_suites(void)
{
	struct xy_addr nobody = addr_of(99);
	unsigned n = 0;
	line(3);
	fields(2, false, false);
	CU_ASSERT(xy_nodeinfo_suites_ask(w.node[1].ni, &w.node[2].addr, w.now));
	run(w.now + XY_SEC);
	CU_ASSERT(w.node[1].told_asked == 1 && w.node[1].told.best == 0);
	CU_ASSERT(w.node[2].told_unasked == 1 && w.node[2].told.best == 1);
	CU_ASSERT(!w.node[1].told_unasked && !w.node[2].told_asked && !w.node[0].told_asked);
	while (xy_nodeinfo_suites_ask(w.node[0].ni, &nobody, w.now))
		n++;
	CU_ASSERT(n >= 16 && n < 64);
	const struct xy_nodeinfo_walk *k = walk_to(0, 1); // there is a place for others
	CU_ASSERT_EQUAL(k->end, XY_NODEINFO_REACHED);
	run(w.now + 10 * XY_SEC);
	CU_ASSERT(xy_nodeinfo_suites_ask(w.node[0].ni, &w.node[1].addr, w.now));
	run(w.now + XY_SEC);
	CU_ASSERT_EQUAL(w.node[0].told_asked, 1);
	end_world();
}

// From where a neighbour sees us; also of one that tells nothing else, and never by who was not
// asked.
static void test_seen(void)
{
	line(3);
	fields(2, false, false);
	seen_by = (struct xy_addr){0};
	CU_ASSERT(xy_nodeinfo_seen_ask(w.node[1].ni, &w.node[2].addr, w.now));
	run(w.now + XY_SEC);
	CU_ASSERT(xy_addr_eq(&seen_by, &w.node[2].addr) && seen_of_us.at.port == 7 &&
		  seen_of_us.at.addr.b[7] == w.node[1].addr.b[7]);
	CU_ASSERT(!w.node[1].told_asked && !w.node[2].told_unasked);
	end_world();
}

// Of a session: who does not have it does not answer; where node info tells nothing else it does.
static void test_lanes(void)
{
	struct xy_nodeinfo_lanes q = {.session = 0x01020304, .count = 4};
	line(3);
	fields(2, false, false);
	lanes_answered = 0;
	CU_ASSERT(xy_nodeinfo_lanes_ask(w.node[1].ni, &w.node[2].addr, &q, w.now));
	run(w.now + XY_SEC);
	CU_ASSERT(lanes_answered == 1 && lanes_of_it.session == 0x01020304 &&
		  lanes_of_it.count == 3 && lanes_of_it.heard == 5);
	q.session = 99;
	CU_ASSERT(xy_nodeinfo_lanes_ask(w.node[1].ni, &w.node[2].addr, &q, w.now));
	run(w.now + 10 * XY_SEC);
	CU_ASSERT_EQUAL(lanes_answered, 1);
	CU_ASSERT(!w.node[1].told_asked && !w.node[2].told_unasked);
	end_world();
}

XY_UNIT_MAIN("nodeinfo_mesh", {"names", test_names}, {"a ring", test_ring}, {"pages", test_pages},
	     {"pace", test_pace}, {"silent and reticent nodes", test_silent}, {"loss", test_loss},
	     {"late answers", test_late}, {"walk", test_walk},
	     {"walk past a silent node", test_walk_gap},
	     {"walk in a loop, walk too long", test_walk_loop},
	     {"walks are bounded and shared", test_walks_bounded}, {"walk anew", test_walk_anew},
	     {"crawl: clients", test_crawl_clients}, {"refused", test_refused},
	     {"limits", test_limits}, {"a liar", test_liar},
	     {"a liar who leads back", test_liar_back}, {"forged replies", test_forged},
	     {"a slow walk", test_walk_slow}, {"a liar and the clock", test_liar_time},
	     {"cipher suites", test_suites}, {"lanes", test_lanes}, {"seen", test_seen},
	     {"a hub", test_hub}, {"a stub", test_walk_stub})
