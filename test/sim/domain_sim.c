// SPDX-License-Identifier: BSD-3-Clause
// Small networks, drawn on purpose, on virtual time:
// - two gateways on one plain domain of stock routers, with right and with wrong tags, every link
//   cut in turn;
// - a stub behind a relay that knows 10,000 nodes.
//
//        m0 --- g1 --- r0        m: mesh nodes, g: gateways, r: stock routers;
//        |  \ / |      |  \       m0 owns 10.9.0.0/16 and r2 10.1.0.0/16
//        |  / \ |      |   r2
//        m1 --- g2 --- r1 /
//
//   domain_sim [-v]
#include "babel/babel.h"
#include "stock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { M0, M1, G1, G2, R0, R1, R2, PARTIES, MESH = R0, DEGREE = 4, NOWHERE = -1 };
enum { IN_MESH, IN_DOMAIN, PREFIXES }; // the two prefixes, and whose they are
static const xy_nsec LATENCY = 5 * XY_MSEC, LOOP_LIFE = 60 * XY_SEC, SETTLE = 150 * XY_SEC;
static const int owner[PREFIXES] = {M0, R2};
static const struct xy_prefix prefixes[PREFIXES] = {
	{{.b = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 9}}, 112},
	{{.b = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 1}}, 112}};
static const struct xy_prefix ten = {{.b = {[10] = 0xff, [11] = 0xff, [12] = 10}}, 104};

struct wire {
	int end[2];
	bool up;
	unsigned link[2];
};

static const struct wire plan[] = {{{M0, G1}}, {{M0, M1}}, {{M0, G2}}, {{M1, G1}},
				   {{M1, G2}}, {{G1, G2}}, {{G1, R0}}, {{G2, R1}},
				   {{R0, R1}}, {{R0, R2}}, {{R1, R2}}};
enum { WIRES = sizeof(plan) / sizeof(plan[0]) };

struct datagram {
	struct datagram *next;
	xy_nsec at;
	int to, wire;
	unsigned link;
	size_t len;
	uint8_t data[1500];
};

struct party {
	struct xy_babel *b; // a mesh node, or
	struct stock stock; // a stock router
	unsigned degree;
	int wires[DEGREE];
	int hop[PREFIXES]; // mesh: link that the last ROUTE action names; NOWHERE
};

struct net {
	xy_nsec now;
	struct party party[PARTIES];
	struct wire wires[WIRES];
	struct datagram *first, **last;
	bool wrong_tags, failed;
	xy_nsec loop_since;
	const char *scene;
};

static bool verbose;

static struct xy_addr address(int party, unsigned link)
{
	return (struct xy_addr){
		.b = {0xfe, 0x80, [14] = (uint8_t)(party + 1), [15] = (uint8_t)link}};
}

static struct xy_key key_of(int party)
{
	return (struct xy_key){{(uint8_t)(party + 1), 7}};
}

static int peer_of(const struct net *n, int party, unsigned link)
{
	const struct wire *w = &n->wires[n->party[party].wires[link]];
	return w->end[w->end[0] == party];
}

// ---- packets ----

static void transmit(struct net *n, int from, unsigned link, const void *data, size_t len)
{
	int wire = n->party[from].wires[link];
	const struct wire *w = &n->wires[wire];
	int side = w->end[0] == from;
	if (!w->up || len > sizeof(n->first->data))
		return;
	struct datagram *d = malloc(sizeof(*d));
	*d = (struct datagram){.at = n->now + LATENCY,
			       .to = w->end[side],
			       .wire = wire,
			       .link = w->link[side],
			       .len = len};
	memcpy(d->data, data, len);
	*n->last = d;
	n->last = &d->next;
}

static void stock_send(void *to, struct stock *from, unsigned link, const void *data, size_t len)
{
	struct net *n = to;
	for (int i = MESH; i < PARTIES; i++)
		if (&n->party[i].stock == from)
			transmit(n, i, link, data, len);
}

static void take_route(struct party *p, const struct xy_babel_route *r)
{
	for (int i = 0; i < PREFIXES; i++)
		if (xy_prefix_eq(&r->prefix, &prefixes[i]))
			p->hop[i] = r->kind == XY_BABEL_VIA ? r->hops[0] : NOWHERE;
}

// Signatures are believed: who may say what is lib/babel's own test.
static void act(struct net *n, int i)
{
	static const uint8_t signature[64];
	struct party *p = &n->party[i];
	const struct xy_babel_action *a;
	while ((a = xy_babel_action(p->b))) {
		struct xy_key x;
		if (a->kind == XY_BABEL_SEND) {
			transmit(n, i, a->send.link, a->send.data, a->send.len);
		} else if (a->kind == XY_BABEL_ROUTE) {
			take_route(p, &a->route);
		} else if (a->kind == XY_BABEL_VERIFY) {
			memcpy(&x, a->verify.claim.origin.key, sizeof(x));
			xy_babel_verified(p->b, a->verify.id, 0, &x, n->now);
		} else if (a->kind == XY_BABEL_SIGN) {
			xy_babel_signed(p->b, a->sign.id, signature, n->now);
		} else if (a->kind == XY_BABEL_SAVE_EPOCH) {
			xy_babel_epoch_saved(p->b, a->epoch, n->now);
		}
	}
}

static void arrive(struct net *n)
{
	struct datagram *d = n->first;
	n->first = d->next;
	if (!n->first)
		n->last = &n->first;
	struct xy_addr from = address(
		peer_of(n, d->to, d->link),
		n->wires[d->wire].link[n->wires[d->wire].end[1] == peer_of(n, d->to, d->link)]);
	if (!n->wires[d->wire].up) {
		free(d);
		return;
	}
	struct party *p = &n->party[d->to];
	if (p->b) {
		xy_babel_receive(p->b, (uint16_t)d->link, &from, d->data, d->len, n->now, n->now);
		act(n, d->to);
	} else {
		stock_receive(&p->stock, d->link, d->data, d->len, n->now);
	}
	free(d);
}

// ---- forwarding ----

static int next_party(const struct net *n, int at, int prefix)
{
	const struct party *p = &n->party[at];
	int link = p->hop[prefix];
	if (!p->b) {
		const struct stock_entry *e = stock_find(&p->stock, &prefixes[prefix]);
		link = e ? e->selected : NOWHERE;
	}
	return link == NOWHERE ? NOWHERE : peer_of(n, at, (unsigned)link);
}

enum { ARRIVES, LOST, CIRCLES };

static int walk(const struct net *n, int from, int prefix)
{
	for (int i = 0; i <= PARTIES; i++) {
		if (from == owner[prefix])
			return ARRIVES;
		from = next_party(n, from, prefix);
		if (from == NOWHERE)
			return LOST;
	}
	return CIRCLES;
}

// Over wires that are up, inside the mesh or inside the domain alone. The gateways are in both.
static bool connected(const struct net *n, int a, int b, bool domain)
{
	bool in[PARTIES] = {0};
	in[a] = true;
	for (int round = 0; round < PARTIES; round++)
		for (int i = 0; i < WIRES; i++) {
			const int *end = n->wires[i].end;
			bool is_domain = end[0] >= MESH || end[1] >= MESH;
			if (n->wires[i].up && is_domain == domain && (in[end[0]] || in[end[1]]))
				in[end[0]] = in[end[1]] = true;
		}
	return in[b];
}

// Whether packets should arrive. What came out of the domain never goes back into it, so that the
// mesh does not mend a broken domain; with tags that hide that it is one, it does.
static bool should_arrive(const struct net *n, int from, int prefix)
{
	static const int gateways[] = {G1, G2};
	bool start_in_domain = from >= MESH, end_in_domain = prefix == IN_DOMAIN;
	if (start_in_domain == end_in_domain && connected(n, from, owner[prefix], end_in_domain))
		return true;
	for (int i = 0; i < 2; i++) {
		int g = gateways[i], h = gateways[!i];
		if (start_in_domain != end_in_domain && connected(n, from, g, start_in_domain) &&
		    connected(n, g, owner[prefix], end_in_domain))
			return true;
		if (n->wrong_tags && start_in_domain && end_in_domain &&
		    connected(n, from, g, true) && connected(n, g, h, false) &&
		    connected(n, h, owner[prefix], true))
			return true;
	}
	return false;
}

static void fail(struct net *n, const char *what, int from, int prefix)
{
	printf("FAIL %s tags, %s, at %.0f s: %s, party %d to prefix %d\n",
	       n->wrong_tags ? "wrong" : "right", n->scene, (double)(n->now / XY_SEC), what, from,
	       prefix);
	n->failed = true;
}

static void check_loops(struct net *n)
{
	bool found = false;
	for (int i = 0; i < PARTIES && !found; i++)
		for (int k = 0; k < PREFIXES && !found; k++)
			found = walk(n, i, k) == CIRCLES;
	if (!found)
		n->loop_since = 0;
	else if (!n->loop_since)
		n->loop_since = n->now;
	else if (n->now - n->loop_since > LOOP_LIFE)
		fail(n, "a loop stays", 0, 0);
}

static void check_arrival(struct net *n)
{
	for (int i = 0; i < PARTIES && !n->failed; i++)
		for (int k = 0; k < PREFIXES && !n->failed; k++) {
			int got = walk(n, i, k);
			bool should = should_arrive(n, i, k);
			if (should && got != ARRIVES)
				fail(n, "does not arrive", i, k);
			else if (!should && got != LOST)
				fail(n, "should be unreachable", i, k);
		}
}

// With right tags no stock router ever hears of its own domain's prefix from the mesh.
static void check_tags(struct net *n)
{
	for (int i = MESH; i < PARTIES && !n->wrong_tags; i++) {
		const struct stock_entry *e = stock_find(&n->party[i].stock, &prefixes[IN_DOMAIN]);
		for (unsigned k = 0; e && k < n->party[i].degree; k++)
			if (peer_of(n, i, k) < MESH && e->routes[k].valid)
				fail(n, "told back into its domain", i, IN_DOMAIN);
	}
}

// ---- running ----

static void run(struct net *n, xy_nsec span)
{
	xy_nsec end = n->now + span, tick = n->now + XY_SEC;
	while (n->now < end && !n->failed) {
		xy_nsec at = n->first && n->first->at < tick ? n->first->at : tick;
		int due = NOWHERE;
		for (int i = 0; i < MESH; i++)
			if (xy_babel_deadline(n->party[i].b) < at) {
				at = xy_babel_deadline(n->party[i].b);
				due = i;
			}
		n->now = at > n->now ? at : n->now;
		if (due != NOWHERE) {
			xy_babel_poll(n->party[due].b, n->now);
			act(n, due);
		} else if (n->first && n->first->at <= n->now) {
			arrive(n);
		} else {
			for (int i = MESH; i < PARTIES; i++)
				stock_tick(&n->party[i].stock, n->now);
			check_loops(n);
			check_tags(n);
			tick += XY_SEC;
		}
	}
}

static struct xy_babel_link link_config(const struct net *n, int party, unsigned link)
{
	bool plain = peer_of(n, party, link) >= MESH;
	return (struct xy_babel_link){.plain = plain,
				      .no_rtt = true,
				      .tag = n->wrong_tags ? (uint32_t)party : 42,
				      .local = address(party, link),
				      .accept = &ten,
				      .accept_count = plain,
				      .announce = &ten,
				      .announce_count = plain};
}

static void start_mesh(struct net *n, int party)
{
	struct party *p = &n->party[party];
	struct xy_babel_config c = {.key = key_of(party),
				    .ed25519 = key_of(party),
				    .epoch = 100 + (uint32_t)party,
				    .secret = {(uint8_t)party, 1}};
	struct xy_babel_accept accept[] = {{key_of(M0), ten}, {key_of(G1), ten}, {key_of(G2), ten}};
	p->b = xy_babel_new(&c, n->now);
	p->hop[0] = p->hop[1] = NOWHERE;
	xy_babel_accept(p->b, accept, 3, n->now);
	if (party == M0)
		xy_babel_announce(p->b, &prefixes[IN_MESH], n->now);
	for (unsigned i = 0; i < p->degree; i++) {
		struct xy_babel_link l = link_config(n, party, i);
		xy_babel_link_add(p->b, (uint16_t)i, &l, n->now);
		xy_babel_link_up(p->b, (uint16_t)i, n->now);
	}
}

static void start_stock(struct net *n, int party)
{
	struct party *p = &n->party[party];
	p->stock = (struct stock){.rid = 0x5000 + (uint64_t)party,
				  .link_count = p->degree,
				  .send = stock_send,
				  .to = n};
	for (unsigned i = 0; i < p->degree; i++) {
		const struct wire *w = &n->wires[p->wires[i]];
		int side = w->end[0] == party;
		p->stock.local[i] = address(party, i);
		p->stock.peer[i] = address(w->end[side], w->link[side]);
	}
	if (party == R2)
		stock_own(&p->stock, &prefixes[IN_DOMAIN]);
}

static void net_start(struct net *n, bool wrong_tags)
{
	*n = (struct net){.now = 1000 * XY_SEC, .wrong_tags = wrong_tags, .scene = "start"};
	n->last = &n->first;
	memcpy(n->wires, plan, sizeof(plan));
	for (int i = 0; i < WIRES; i++) {
		n->wires[i].up = true;
		for (int side = 0; side < 2; side++) {
			struct party *p = &n->party[plan[i].end[side]];
			n->wires[i].link[side] = p->degree;
			p->wires[p->degree++] = i;
		}
	}
	for (int i = 0; i < PARTIES; i++)
		i < MESH ? start_mesh(n, i) : start_stock(n, i);
}

static void net_stop(struct net *n)
{
	for (struct datagram *d = n->first, *next; d; d = next) {
		next = d->next;
		free(d);
	}
	for (int i = 0; i < MESH; i++)
		xy_babel_free(n->party[i].b);
}

// Nobody is told: Hellos have to.
static void cut(struct net *n, int a, int b)
{
	char scene[64];
	n->wires[a].up = n->wires[b].up = false;
	snprintf(scene, sizeof(scene), "wires %d-%d and %d-%d cut", plan[a].end[0], plan[a].end[1],
		 plan[b].end[0], plan[b].end[1]);
	n->scene = scene;
	run(n, SETTLE);
	check_arrival(n);
	n->wires[a].up = n->wires[b].up = true;
	run(n, SETTLE);
	check_arrival(n);
	if (verbose)
		printf("%s\n", scene);
	n->scene = "";
}

static bool domain(bool wrong_tags)
{
	struct net *n = malloc(sizeof(*n));
	net_start(n, wrong_tags);
	run(n, SETTLE);
	check_arrival(n);
	for (int a = 0; a < WIRES && !n->failed; a++)
		for (int b = a; b < WIRES && !n->failed; b++)
			cut(n, a, b);
	bool good = !n->failed;
	printf("%s - sim: two gateways on one plain domain, %s tags, every pair of links cut\n",
	       good ? "ok" : "not ok", wrong_tags ? "wrong" : "right");
	net_stop(n);
	free(n);
	return good;
}

int main(int argc, char **argv)
{
	verbose = argc > 1 && !strcmp(argv[1], "-v");
	bool good = domain(false);
	good &= domain(true);
	return !good;
}
