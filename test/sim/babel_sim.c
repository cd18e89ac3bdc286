// SPDX-License-Identifier: BSD-3-Clause
// Many Babel nodes on virtual time: seeded random graphs with loss, duplication, reordering, links
// that fail silently or not, partitions, restarts with and without state. Two things are checked:
// - at every change of forwarding state, for the prefix that changed: no loop when it has one
//   origin; with several origins a loop must be gone within 60 s; for a mapping (prefix, key) there
//   is never one;
// - when the churn is over: every node reaches every other one, on a path not longer than what
//   hysteresis allows, and the best of the gateways whose keys it accepts, though a hostile node
//   announces their prefixes too, and others on the way accept nothing;
// - flows run between some nodes all the time: none goes over a dead link for more than 3.5 s, and
// no
//   neighbour that lives is found silent, though up to 30 % of all packets are lost.
// A failure prints its seed: babel_sim --seeds N-N -v shows it again.
//   babel_sim [--seeds A-B] [--nodes MIN-MAX] [--quiet SECONDS] [-v] [--trace A-B] [--pcap FILE]
//             [--origins N] [--deaf]
// --trace shows every packet between two nodes and what happens to them, --pcap writes all that are
// sent. With --origins the first N nodes announce their /64 and the others only pass routes on: for
// very large networks, as a node takes about a kilobyte for each. With --deaf the churn also takes
// one direction of links.
#include "babel/babel.h"
#include "wire/udp6.h"

#include <getopt.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_DEGREE = 64, ANYCAST = 2, GATEWAYS = 3, UNREACHED = 0xffffff, FLOWS = 64 };
static const xy_nsec LOOP_LIFE = 60 * XY_SEC;
static const xy_nsec TRAFFIC = 250 * XY_MSEC;	 // between packets of a flow, and looks at them
static const xy_nsec DEAD_LIFE = 3500 * XY_MSEC; // of a dead link that is used
// One that hears nothing may put the question off with traffic of its own, until it asks itself;
// what it then says may be lost.
static const xy_nsec DEAF_LIFE = 8 * XY_SEC;
static const xy_nsec LIVELY = 2500 * XY_MSEC; // who lives for so long is not silent
// Nor, where nothing but Hellos tells, one whose next Hello had time to be missed.
static const xy_nsec LIVELY_HELLOS = 6 * XY_SEC;

struct edge {
	uint32_t node[2];
	uint16_t link[2]; // number at either end
	xy_nsec latency;
	uint16_t cost;
	uint8_t loss; // per cent
	bool up;      // carries packets
	bool deaf[2]; // and none to this end
	xy_nsec changed;
	xy_nsec received[2], carried[2]; // as the workers at either end know it
	xy_nsec stuck[2];		 // traffic goes into nothing
};

struct hops {
	uint8_t count;
	uint8_t kind; // enum xy_babel_route_kind + 1; 0: never told
	uint8_t link[XY_BABEL_HOPS];
};

struct node {
	struct xy_babel *b;
	struct xy_key key, ed25519;
	struct xy_prefix prefix;
	struct xy_addr local;
	uint32_t saved_epoch, incarnation;
	xy_nsec changed; // started or stopped
	xy_nsec poll_at;
	unsigned degree;
	uint32_t edges[MAX_DEGREE];
	struct hops *fib;	   // by destination: nodes, then anycast prefixes
	uint32_t gateway[ANYCAST]; // origin of the route that is followed; UINT32_MAX: none
	bool accepts;
	xy_nsec loop_since[ANYCAST]; // packets have gone in a circle through it
	uint32_t stamp;
	uint64_t bytes, packets;
};

enum kind {
	EV_POLL,
	EV_PACKET,
	EV_VERIFIED,
	EV_SIGNED,
	EV_START,
	EV_LINK,
	EV_CHURN,
	EV_SAVED,
	EV_TRAFFIC
};

struct event {
	xy_nsec at;
	uint64_t order;
	enum kind kind;
	uint32_t node, incarnation, arg;
	uint64_t id;
	struct xy_babel_claim *claim;
	uint8_t *data;
	uint32_t len;
};

struct sim {
	uint64_t seed, random, order;
	xy_nsec now;
	unsigned n, edge_count;
	struct node *nodes;
	struct edge *edges;
	struct event *heap;
	size_t heap_count, heap_size;
	uint32_t stamp;
	uint32_t *table, mask; // prefix -> node
	bool churning, lossy, failed, rtt, resting;
	unsigned anycast_count;
	uint32_t anycast[ANYCAST][GATEWAYS]; // origins
	uint32_t hostile;		     // announces them as well; nobody accepts its key
	bool all_accept;
	unsigned flow_count;
	uint32_t flows[FLOWS][2];
	uint64_t events, changes, verifications;
	uint64_t transient_loops, silences;
};

static bool verbose;
static unsigned long trace[2] = {UINT32_MAX, UINT32_MAX};
static unsigned long origins = ULONG_MAX; // how many nodes announce their /64
static bool deaf_links;
static FILE *capture; // what is sent, for other dissectors than ours

static uint64_t rnd(struct sim *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

static uint64_t below(struct sim *s, uint64_t n)
{
	return rnd(s) % n;
}

static double seconds(xy_nsec t)
{
	return (double)t / (double)XY_SEC;
}

static bool traced(uint32_t a, uint32_t b)
{
	return (a == trace[0] && b == trace[1]) || (a == trace[1] && b == trace[0]);
}

// ---- the queue ----

static bool before(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void push(struct sim *s, struct event e)
{
	if (s->heap_count == s->heap_size) {
		s->heap_size = s->heap_size ? 2 * s->heap_size : 1024;
		s->heap = realloc(s->heap, s->heap_size * sizeof(*s->heap));
		if (!s->heap)
			abort();
	}
	e.order = s->order++;
	size_t i = s->heap_count++;
	for (; i > 0 && before(&e, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = e;
}

static struct event pop(struct sim *s)
{
	struct event top = s->heap[0], last = s->heap[--s->heap_count];
	size_t i = 0;
	for (size_t c; (c = 2 * i + 1) < s->heap_count; i = c) {
		if (c + 1 < s->heap_count && before(&s->heap[c + 1], &s->heap[c]))
			c++;
		if (!before(&s->heap[c], &last))
			break;
		s->heap[i] = s->heap[c];
	}
	s->heap[i] = last;
	return top;
}

// ---- the injected signer and verifier ----

static void sign_claim(const struct xy_babel_claim *c, uint8_t out[static 64])
{
	uint8_t bytes[XY_BABEL_CLAIM_BYTES];
	size_t len = xy_babel_claim_bytes(c, bytes);
	crypto_generichash(out, 64, bytes, len, c->origin.key, 32);
}

static uint32_t node_of_key(const struct sim *s, const uint8_t ed25519[32])
{
	uint32_t i = xy_le32_load(ed25519);
	return i < s->n && !memcmp(s->nodes[i].ed25519.b, ed25519, 32) ? i : UINT32_MAX;
}

static uint32_t node_of_x(const struct sim *s, const struct xy_key *x25519)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (!memcmp(&s->nodes[i].key, x25519, sizeof(*x25519)))
			return i;
	return UINT32_MAX;
}

static int verify_claim(const struct sim *s, const struct xy_babel_claim *c, struct xy_key *x)
{
	uint8_t sig[64];
	uint32_t i = node_of_key(s, c->origin.key);
	if (i == UINT32_MAX)
		return -EINVAL;
	*x = s->nodes[i].key;
	if (xy_addr_is_mesh(&c->prefix.addr) && !xy_prefix_eq(&c->prefix, &s->nodes[i].prefix))
		return -EPERM;
	if (c->rid != xy_babel_router_id(x, c->origin.epoch))
		return -ESTALE;
	sign_claim(c, sig);
	return memcmp(sig, c->origin.signature, 64) ? -EBADMSG : 0;
}

// ---- the graph ----

static struct edge *edge_of(const struct sim *s, const struct node *v, unsigned link)
{
	return &s->edges[v->edges[link]];
}

static uint32_t peer_of(const struct sim *s, uint32_t v, unsigned link)
{
	const struct edge *e = edge_of(s, &s->nodes[v], link);
	return e->node[e->node[0] == v];
}

static bool connect(struct sim *s, uint32_t a, uint32_t b)
{
	struct node *x = &s->nodes[a], *y = &s->nodes[b];
	if (a == b || x->degree == MAX_DEGREE || y->degree == MAX_DEGREE)
		return false;
	for (unsigned i = 0; i < x->degree; i++)
		if (peer_of(s, a, i) == b)
			return false;
	struct edge *e = &s->edges[s->edge_count];
	*e = (struct edge){.node = {a, b},
			   .link = {(uint16_t)x->degree, (uint16_t)y->degree},
			   .latency = (1 + below(s, 40)) * XY_MSEC,
			   .cost = (uint16_t)(below(s, 2) ? 96 : 32 + below(s, 300)),
			   .loss = (uint8_t)(below(s, 3) ? 0 : below(s, 10)),
			   .up = true};
	x->edges[x->degree++] = s->edge_count;
	y->edges[y->degree++] = s->edge_count++;
	return true;
}

static void make_graph(struct sim *s)
{
	for (uint32_t i = 1; i < s->n; i++)
		while (!connect(s, i, (uint32_t)below(s, i)))
			;
	unsigned extra = (unsigned)below(s, s->n + 1) + (s->n > 8 ? s->n / 4 : 0);
	for (unsigned i = 0; i < extra; i++)
		connect(s, (uint32_t)below(s, s->n), (uint32_t)below(s, s->n));
}

// ---- invariants ----

static bool is_origin(const struct sim *s, uint32_t v, unsigned dest)
{
	if (dest < s->n)
		return v == dest;
	for (unsigned i = 0; i < GATEWAYS; i++)
		if (s->anycast[dest - s->n][i] == v)
			return true;
	return false;
}

// Does forwarding to dest lead from v back to v, by any of the equal-cost next hops?
static bool loops(struct sim *s, uint32_t v, unsigned dest)
{
	static uint32_t *stack;
	static size_t size;
	if (size < s->n) {
		stack = realloc(stack, s->n * sizeof(*stack));
		size = s->n;
	}
	unsigned depth = 0;
	uint32_t stamp = ++s->stamp;
	stack[depth++] = v;
	while (depth) {
		uint32_t at = stack[--depth];
		const struct hops *h = &s->nodes[at].fib[dest];
		if (h->kind != XY_BABEL_VIA + 1 || is_origin(s, at, dest))
			continue;
		for (unsigned i = 0; i < h->count; i++) {
			uint32_t next = peer_of(s, at, h->link[i]);
			if (next == v)
				return true;
			if (s->nodes[next].stamp == stamp)
				continue;
			s->nodes[next].stamp = stamp;
			stack[depth++] = next;
		}
	}
	return false;
}

static void fail(struct sim *s, const char *what, uint32_t v, unsigned dest)
{
	printf("FAIL seed %llu nodes %u at %.3f s: %s, node %u to %u\n",
	       (unsigned long long)s->seed, s->n, seconds(s->now), what, v, dest);
	s->failed = true;
}

static struct xy_prefix anycast_prefix(unsigned i)
{
	return (struct xy_prefix){.addr = {.b = {0x20, 0x01, 0x0d, 0xb8, 0, (uint8_t)i}},
				  .len = 48};
}

static struct xy_prefix prefix_of(const struct sim *s, unsigned dest)
{
	return dest < s->n ? s->nodes[dest].prefix : anycast_prefix(dest - s->n);
}

// What a node holds for a destination: every neighbour's route, selected and feasible or not.
static void show_node(const struct sim *s, uint32_t v, unsigned dest)
{
	struct xy_babel_entry e[24];
	struct xy_prefix p = prefix_of(s, dest);
	if (!s->nodes[v].b)
		return;
	unsigned k = xy_babel_lookup(s->nodes[v].b, &p, e, 24, s->now);
	printf("  node %u:", v);
	for (unsigned j = 0; j < k && j < 24; j++)
		printf(" [%s%s %u metric %u ref %u seq %u rid %04x epoch %u fd %u,%u%s]",
		       e[j].selected ? "*" : "", e[j].own ? "own" : "via",
		       e[j].own ? v : peer_of(s, v, e[j].link), e[j].metric, e[j].refmetric,
		       e[j].seqno, (unsigned)(e[j].rid & 0xffff), e[j].epoch, e[j].fd_seqno,
		       e[j].fd_metric, e[j].feasible ? "" : " unfeasible");
	printf("\n");
}

static void show_path(const struct sim *s, uint32_t v, unsigned dest)
{
	uint32_t at = v;
	for (unsigned i = 0; i <= s->n; i++) {
		const struct hops *h = &s->nodes[at].fib[dest];
		show_node(s, at, dest);
		if (h->kind != XY_BABEL_VIA + 1 || is_origin(s, at, dest))
			break;
		at = peer_of(s, at, h->link[0]);
		if (at == v)
			break;
	}
}

static void show_links(const struct sim *s)
{
	for (uint32_t v = 0; v < s->n && s->n <= 16; v++)
		for (unsigned i = 0; s->nodes[v].b && i < s->nodes[v].degree; i++) {
			struct xy_babel_link_info l;
			xy_babel_link_info(s->nodes[v].b, (uint16_t)i, &l);
			printf("  link %u-%u: up %d heard %d hellos %04x rx %u tx %u cost %u "
			       "routes %u "
			       "waiting %u resent %llu sent %llu got %llu",
			       v, peer_of(s, v, i), l.up, l.heard, l.hellos, l.rxcost, l.txcost,
			       l.cost, l.routes, l.waiting, (unsigned long long)l.resent,
			       (unsigned long long)l.updates_sent,
			       (unsigned long long)l.updates_received);
			for (unsigned k = 0; k < XY_BABEL_REFUSAL_COUNT; k++)
				if (l.refused[k])
					printf(" %s %llu", xy_babel_refusal_name(k),
					       (unsigned long long)l.refused[k]);
			printf("\n");
		}
}

static void check_loop(struct sim *s, uint32_t v, unsigned dest)
{
	if (!loops(s, v, dest))
		return;
	if (dest < s->n) {
		fail(s, "loop", v, dest);
		show_path(s, v, dest);
	} else {
		s->transient_loops++;
		if (s->resting && s->all_accept)
			fail(s, "a loop of a prefix with several origins returned", v, dest);
	}
}

// Where node v sends what is for this key's mapping; UINT32_MAX: nowhere.
static uint32_t mapping_hop(const struct sim *s, uint32_t v, unsigned anycast, uint32_t key)
{
	struct xy_babel_entry e[4 * MAX_DEGREE];
	struct xy_prefix p = anycast_prefix(anycast);
	if (!s->nodes[v].b)
		return UINT32_MAX;
	unsigned n = xy_babel_lookup(s->nodes[v].b, &p, e, XY_ARRAY_SIZE(e), s->now);
	for (unsigned i = 0; i < n && i < XY_ARRAY_SIZE(e); i++)
		if (e[i].selected && !e[i].own &&
		    !memcmp(&e[i].key, &s->nodes[key].key, sizeof(e[i].key)))
			return e[i].link;
	return UINT32_MAX;
}

// A mapping has one origin: following it never leads in a circle, whatever else is announced.
static void check_mapping(struct sim *s, unsigned anycast, uint32_t key)
{
	uint32_t base = s->stamp + 1;
	s->stamp += s->n;
	for (uint32_t v = 0; v < s->n; v++) {
		uint32_t at = v, link;
		while (at != key && s->nodes[at].stamp < base &&
		       (link = mapping_hop(s, at, anycast, key)) != UINT32_MAX) {
			s->nodes[at].stamp = base + v;
			at = peer_of(s, at, link);
		}
		if (at != key && s->nodes[at].stamp == base + v) {
			fail(s, "a mapping leads in a circle", v, s->n + anycast);
			return;
		}
	}
}

// Packets that are not bound to a key can meet nodes that chose differently; not for long.
static void check_circle(struct sim *s, uint32_t v, unsigned anycast)
{
	xy_nsec *since = &s->nodes[v].loop_since[anycast];
	if (!loops(s, v, s->n + anycast))
		*since = 0;
	else if (!*since)
		*since = s->now;
	else if (s->now - *since > LOOP_LIFE)
		fail(s, "a loop of a prefix with several origins stays", v, s->n + anycast);
}

static void check_anycast(struct sim *s)
{
	for (unsigned i = 0; i < s->anycast_count; i++) {
		for (unsigned k = 0; k < GATEWAYS; k++)
			check_mapping(s, i, s->anycast[i][k]);
		if (s->hostile != UINT32_MAX)
			check_mapping(s, i, s->hostile);
		for (uint32_t v = 0; v < s->n && s->all_accept; v++)
			check_circle(s, v, i);
	}
}

// ---- nodes ----

static unsigned dest_of(const struct sim *s, const struct xy_babel_route *r)
{
	if (!xy_addr_is_mesh(&r->prefix.addr))
		return s->n + r->prefix.addr.b[5];
	// Prefixes are hashes already: open addressing by some of their bytes.
	uint32_t at = xy_le32_load(r->prefix.addr.b + 4);
	while (s->table[at & s->mask] != UINT32_MAX &&
	       !xy_prefix_eq(&s->nodes[s->table[at & s->mask]].prefix, &r->prefix))
		at++;
	return s->table[at & s->mask];
}

static void make_table(struct sim *s)
{
	for (s->mask = 1; s->mask < 4 * s->n; s->mask <<= 1)
		;
	s->table = malloc(s->mask * sizeof(*s->table));
	memset(s->table, 0xff, s->mask-- * sizeof(*s->table));
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t at = xy_le32_load(s->nodes[i].prefix.addr.b + 4);
		while (s->table[at & s->mask] != UINT32_MAX)
			at++;
		s->table[at & s->mask] = i;
	}
}

static void take_route(struct sim *s, uint32_t v, const struct xy_babel_route *r)
{
	unsigned dest = dest_of(s, r);
	if (dest == UINT32_MAX)
		return;
	struct hops *h = &s->nodes[v].fib[dest];
	if (dest >= s->n)
		s->nodes[v].gateway[dest - s->n] =
			r->kind == XY_BABEL_VIA ? node_of_x(s, &r->key) : UINT32_MAX;
	h->kind = (uint8_t)r->kind + 1;
	h->count = (uint8_t)r->hop_count;
	for (unsigned i = 0; i < r->hop_count; i++)
		h->link[i] = (uint8_t)r->hops[i];
	s->changes++;
	if (r->kind == XY_BABEL_VIA)
		check_loop(s, v, dest);
}

static void deliver(struct sim *s, uint32_t v, const struct xy_babel_action *a, xy_nsec delay)
{
	struct node *to = &s->nodes[peer_of(s, v, a->send.link)];
	uint8_t *data = malloc(a->send.len ? a->send.len : 1);
	memcpy(data, a->send.data, a->send.len);
	push(s, (struct event){.at = s->now + delay,
			       .kind = EV_PACKET,
			       .node = (uint32_t)(to - s->nodes),
			       .incarnation = to->incarnation,
			       .arg = s->nodes[v].edges[a->send.link],
			       .id = (uint64_t)s->nodes[v].incarnation << 32 | v,
			       .data = data,
			       .len = (uint32_t)a->send.len});
}

// pcap of raw IP packets (LINKTYPE_RAW).
static bool capture_open(const char *path)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, longest, link;
	} head = {0xa1b2c3d4, 2, 4, 0, 0, 65535, 101};
	capture = fopen(path, "wb");
	return capture && fwrite(&head, sizeof(head), 1, capture) == 1;
}

static void capture_packet(const struct sim *s, uint32_t v, const struct xy_babel_action *a)
{
	uint8_t packet[XY_IPV6_MIN_MTU];
	const struct xy_udp6 u = {.src = s->nodes[v].local,
				  .dst = a->send.to,
				  .src_port = XY_BABEL_PORT,
				  .dst_port = XY_BABEL_PORT,
				  .hop_limit = 1,
				  .data = a->send.data,
				  .len = a->send.len};
	uint32_t len = (uint32_t)xy_udp6_build(&u, packet, sizeof(packet));
	const uint32_t head[4] = {(uint32_t)(s->now / XY_SEC),
				  (uint32_t)(s->now % XY_SEC / XY_USEC), len, len};
	fwrite(head, sizeof(head), 1, capture);
	fwrite(packet, len, 1, capture);
}

static void trace_packet(const struct sim *s, uint32_t from, uint32_t to, const uint8_t *data,
			 size_t len, const char *what)
{
	struct xy_babel_parser p;
	struct xy_babel_tlv t;
	if (xy_babel_parse(&p, data, len, &s->nodes[from].local) < 0)
		return;
	printf("%10.4f %u->%u%s", seconds(s->now), from, to, what);
	while (xy_babel_parse_next(&p, &t)) {
		const struct xy_babel_update *u = &t.update;
		if (t.type == XY_BABEL_UPDATE && u->wildcard)
			printf(" all-gone");
		else if (t.type == XY_BABEL_UPDATE)
			printf(" update(%u rid %04x seq %u metric %u epoch %u)",
			       dest_of(s, &(struct xy_babel_route){.prefix = u->prefix}),
			       (unsigned)(u->rid & 0xffff), u->seqno, u->metric, u->origin.epoch);
		else if (t.type == XY_BABEL_ACK_REQUEST || t.type == XY_BABEL_ACK)
			printf(" %s(%u)", t.type == XY_BABEL_ACK ? "ack" : "ack?", t.ack.opaque);
		else if (t.type == XY_BABEL_SEQNO_REQUEST)
			printf(" seqno?(%u rid %04x seq %u)",
			       dest_of(s, &(struct xy_babel_route){.prefix = t.request.prefix}),
			       (unsigned)(t.request.rid & 0xffff), t.request.seqno);
		else if (t.type == XY_BABEL_ROUTE_REQUEST)
			printf(" route?(%s)", t.request.wildcard ? "all" : "one");
		else if (t.type == XY_BABEL_HELLO)
			printf(" hello(%u)", t.hello.seqno);
		else if (t.type == XY_BABEL_IHU)
			printf(" ihu(%u)", t.ihu.rxcost);
	}
	printf("\n");
}

static bool carries(const struct edge *e, uint32_t from)
{
	return e->up && !e->deaf[e->node[0] == from];
}

static void transmit(struct sim *s, uint32_t v, const struct xy_babel_action *a)
{
	if (capture)
		capture_packet(s, v, a);
	const struct edge *e = edge_of(s, &s->nodes[v], a->send.link);
	s->nodes[v].bytes += a->send.len + 48;
	s->nodes[v].packets++;
	if (!carries(e, v) || (s->lossy && below(s, 100) < e->loss)) {
		if (traced(e->node[0], e->node[1]))
			trace_packet(s, v, peer_of(s, v, a->send.link), a->send.data, a->send.len,
				     " lost");
		return;
	}
	xy_nsec delay = e->latency + below(s, e->latency / 4 + 1);
	if (below(s, 20) == 0)
		delay += below(s, 100) * XY_MSEC; // overtaken by others
	deliver(s, v, a, delay);
	// WireGuard's replay window drops copies; what is left is a copy that comes before an
	// answer to the first one could be back.
	if (below(s, 100) == 0)
		deliver(s, v, a, delay + below(s, e->latency));
}

static void later(struct sim *s, uint32_t v, enum kind kind, uint64_t id, xy_nsec delay,
		  const struct xy_babel_claim *c)
{
	struct event e = {.at = s->now + delay,
			  .kind = kind,
			  .node = v,
			  .incarnation = s->nodes[v].incarnation,
			  .id = id};
	if (c) {
		e.claim = malloc(sizeof(*c));
		*e.claim = *c;
	}
	push(s, e);
}

static void take_notice(struct sim *s, uint32_t v, const struct xy_babel_action *a)
{
	uint32_t peer =
		a->notice.link < s->nodes[v].degree ? peer_of(s, v, a->notice.link) : UINT32_MAX;
	if (traced(v, peer))
		printf("%10.4f %u says notice %d of %u\n", seconds(s->now), v, (int)a->notice.code,
		       peer);
	if (a->notice.code != XY_BABEL_NOTICE_SILENT)
		return;
	const struct edge *e = edge_of(s, &s->nodes[v], a->notice.link);
	struct xy_babel_link_info info = {0};
	xy_babel_link_info(s->nodes[v].b, a->notice.link, &info);
	xy_nsec lively = info.silent ? LIVELY : LIVELY_HELLOS;
	s->silences++;
	if (e->up && !e->deaf[0] && !e->deaf[1] && s->nodes[peer].b &&
	    s->now - e->changed > lively && s->now - s->nodes[peer].changed > lively)
		fail(s, "a neighbour that lives is found silent", v, peer);
}

static void act(struct sim *s, uint32_t v, const struct xy_babel_action *a)
{
	switch (a->kind) {
	case XY_BABEL_SEND:
		transmit(s, v, a);
		break;
	case XY_BABEL_ROUTE:
		take_route(s, v, &a->route);
		break;
	case XY_BABEL_VERIFY:
		s->verifications++;
		later(s, v, EV_VERIFIED, a->verify.id, XY_MSEC + below(s, 5 * XY_MSEC),
		      &a->verify.claim);
		break;
	case XY_BABEL_SIGN:
		later(s, v, EV_SIGNED, a->sign.id, XY_MSEC, &a->sign.claim);
		break;
	case XY_BABEL_SAVE_EPOCH:
		s->nodes[v].saved_epoch = a->epoch;
		later(s, v, EV_SAVED, a->epoch, XY_MSEC, NULL);
		break;
	case XY_BABEL_NOTICE:
		take_notice(s, v, a);
		break;
	}
}

// Carries out what the node wants and notes when it wants to be called.
static void settle(struct sim *s, uint32_t v)
{
	struct node *node = &s->nodes[v];
	const struct xy_babel_action *a;
	while ((a = xy_babel_action(node->b)))
		act(s, v, a);
	xy_nsec at = xy_babel_deadline(node->b);
	if (at < s->now)
		at = s->now;
	if (at == XY_NEVER || at == node->poll_at)
		return;
	node->poll_at = at;
	later(s, v, EV_POLL, at, at - s->now, NULL);
}

static void accept_gateways(struct sim *s, uint32_t v)
{
	struct xy_babel_accept list[ANYCAST * GATEWAYS];
	unsigned n = 0;
	for (unsigned i = 0; i < s->anycast_count; i++)
		for (unsigned k = 0; k < GATEWAYS; k++)
			list[n++] = (struct xy_babel_accept){s->nodes[s->anycast[i][k]].key,
							     anycast_prefix(i)};
	xy_babel_accept(s->nodes[v].b, list, n, s->now);
}

static void node_changed(struct sim *s, struct node *node, const char *what)
{
	uint32_t v = (uint32_t)(node - s->nodes);
	node->changed = s->now;
	if (v == trace[0] || v == trace[1])
		printf("%10.4f node %u %s\n", seconds(s->now), v, what);
	for (unsigned i = 0; i < node->degree; i++)
		memset(edge_of(s, node, i)->stuck, 0, sizeof(edge_of(s, node, i)->stuck));
}

static void start_node(struct sim *s, uint32_t v)
{
	struct node *node = &s->nodes[v];
	node_changed(s, node, "starts");
	struct xy_babel_config c = {.key = node->key, .ed25519 = node->ed25519};
	node->saved_epoch = xy_babel_epoch_first(node->saved_epoch, 0);
	c.epoch = node->saved_epoch;
	xy_le64_store(c.secret, rnd(s));
	xy_le64_store(c.secret + 8, rnd(s));
	node->b = xy_babel_new(&c, s->now);
	node->poll_at = 0;
	if (v < origins)
		xy_babel_announce(node->b, &node->prefix, s->now);
	for (unsigned i = 0; i < s->anycast_count; i++) {
		struct xy_prefix p = anycast_prefix(i);
		node->gateway[i] = UINT32_MAX;
		if (is_origin(s, v, s->n + i) || v == s->hostile)
			xy_babel_announce(node->b, &p, s->now);
	}
	if (node->accepts)
		accept_gateways(s, v);
	for (unsigned i = 0; i < node->degree; i++) {
		struct xy_babel_link l = {.cost = edge_of(s, node, i)->cost,
					  .local = node->local,
					  .remote = s->nodes[peer_of(s, v, i)].local,
					  .no_rtt = !s->rtt};
		xy_babel_link_add(node->b, (uint16_t)i, &l, s->now);
		xy_babel_link_up(node->b, (uint16_t)i, s->now);
	}
	settle(s, v);
}

static void stop_node(struct sim *s, uint32_t v)
{
	struct node *node = &s->nodes[v];
	xy_babel_free(node->b);
	node->b = NULL;
	node_changed(s, node, "stops");
	node->incarnation++;
	memset(node->fib, 0, (s->n + ANYCAST) * sizeof(*node->fib));
	memset(node->gateway, 0xff, sizeof(node->gateway));
}

static void restart_node(struct sim *s, uint32_t v, bool with_state)
{
	stop_node(s, v);
	if (!with_state)
		s->nodes[v].saved_epoch = (uint32_t)below(s, 3); // and a clock that went back
	later(s, v, EV_START, 0, below(s, 12 * XY_SEC), NULL);
}

// ---- churn ----

// Both ends learn of it, one does, or none: then the Hellos have to tell.
static void set_link(struct sim *s, uint32_t e, bool up)
{
	struct edge *edge = &s->edges[e];
	edge->up = up;
	edge->deaf[0] = edge->deaf[1] = false;
	edge->changed = s->now;
	memset(edge->stuck, 0, sizeof(edge->stuck));
	for (int side = 0; side < 2; side++) {
		struct node *node = &s->nodes[edge->node[side]];
		bool told = node->b && (up || !below(s, 2));
		if (traced(edge->node[0], edge->node[1]))
			printf("%10.4f the link is %s, %u is%s told\n", seconds(s->now),
			       up ? "up" : "cut", edge->node[side], told ? "" : " not");
		if (!told)
			continue;
		if (up)
			xy_babel_link_up(node->b, edge->link[side], s->now);
		else
			xy_babel_link_down(node->b, edge->link[side], s->now);
		settle(s, edge->node[side]);
	}
}

// Nobody learns of it.
static void deafen(struct sim *s, uint32_t e)
{
	struct edge *edge = &s->edges[e];
	unsigned side = (unsigned)below(s, 2);
	edge->deaf[side] = !edge->deaf[side];
	edge->changed = s->now;
	memset(edge->stuck, 0, sizeof(edge->stuck));
	if (traced(edge->node[0], edge->node[1]))
		printf("%10.4f %u is %sdeaf\n", seconds(s->now), edge->node[side],
		       edge->deaf[side] ? "" : "not ");
}

static void change_cost(struct sim *s, uint32_t e)
{
	struct edge *edge = &s->edges[e];
	edge->cost = (uint16_t)(32 + below(s, 400));
	for (int side = 0; side < 2; side++) {
		struct node *node = &s->nodes[edge->node[side]];
		if (!node->b)
			continue;
		xy_babel_link_cost(node->b, edge->link[side], edge->cost, s->now);
		settle(s, edge->node[side]);
	}
}

static void partition(struct sim *s)
{
	uint64_t salt = rnd(s);
	for (uint32_t i = 0; i < s->edge_count; i++)
		if (((s->edges[i].node[0] ^ salt) & 1) != ((s->edges[i].node[1] ^ salt) & 1) &&
		    s->edges[i].up)
			set_link(s, i, false);
}

static void heal(struct sim *s)
{
	for (uint32_t i = 0; i < s->edge_count; i++)
		set_link(s, i, true);
}

static void churn(struct sim *s)
{
	uint32_t e = (uint32_t)below(s, s->edge_count), v = (uint32_t)below(s, s->n);
	if (deaf_links && below(s, 3) == 0)
		deafen(s, e);
	switch (below(s, 12)) {
	case 0:
	case 1:
	case 2:
	case 3:
		set_link(s, e, !s->edges[e].up);
		break;
	case 4:
	case 5:
	case 6:
		change_cost(s, e);
		break;
	case 7:
		s->edges[e].loss = (uint8_t)below(s, 30);
		break;
	case 8:
	case 9:
		if (s->nodes[v].b)
			restart_node(s, v, true);
		break;
	case 10:
		if (s->nodes[v].b)
			restart_node(s, v, false);
		break;
	default:
		if (below(s, 3) == 0)
			partition(s);
		else
			heal(s);
	}
}

// ---- convergence ----

// Shortest distances to dest over the costs that the nodes themselves use; Bellman-Ford with a
// queue.
static void distances(const struct sim *s, unsigned dest, uint32_t *dist)
{
	uint32_t *queue = malloc(s->n * sizeof(*queue));
	bool *queued = calloc(s->n, 1);
	unsigned head = 0, count = 0;
	for (uint32_t v = 0; v < s->n; v++) {
		dist[v] = is_origin(s, v, dest) ? 0 : UNREACHED;
		if (dist[v] == 0) {
			queue[(head + count++) % s->n] = v;
			queued[v] = true;
		}
	}
	while (count) {
		uint32_t v = queue[head];
		head = (head + 1) % s->n;
		count--;
		queued[v] = false;
		for (unsigned i = 0; i < s->nodes[v].degree; i++) {
			const struct edge *e = edge_of(s, &s->nodes[v], i);
			uint32_t u = peer_of(s, v, i), d = dist[v] + e->cost;
			if (d >= dist[u])
				continue;
			dist[u] = d;
			if (queued[u])
				continue;
			queued[u] = true;
			queue[(head + count++) % s->n] = u;
		}
	}
	free(queue);
	free(queued);
}

// What is for a mapping goes to the gateway that the sender chose, by what each node on the way
// knows of that gateway's key.
static uint32_t walk_mapping(const struct sim *s, uint32_t v, unsigned anycast)
{
	uint32_t cost = 0, key = s->nodes[v].gateway[anycast], link;
	for (unsigned i = 0; i <= s->n && key != UINT32_MAX; i++) {
		if (v == key)
			return is_origin(s, v, s->n + anycast) ? cost : UNREACHED;
		link = mapping_hop(s, v, anycast, key);
		if (link == UINT32_MAX)
			break;
		cost += edge_of(s, &s->nodes[v], link)->cost;
		v = peer_of(s, v, link);
	}
	return UNREACHED;
}

// What following the first next hops costs; UNREACHED when it does not arrive.
static uint32_t walk(const struct sim *s, uint32_t v, unsigned dest)
{
	uint32_t cost = 0;
	if (dest >= s->n && !is_origin(s, v, dest))
		return walk_mapping(s, v, dest - s->n);
	for (unsigned i = 0; i <= s->n; i++) {
		if (is_origin(s, v, dest))
			return cost;
		const struct hops *h = &s->nodes[v].fib[dest];
		if (h->kind != XY_BABEL_VIA + 1)
			return UNREACHED;
		cost += edge_of(s, &s->nodes[v], h->link[0])->cost;
		v = peer_of(s, v, h->link[0]);
	}
	return UNREACHED;
}

// Hysteresis: a direct link stays until a detour is better by a fifth, and a change of less than a
// sixteenth is not passed on. RTT adds what the graph does not know.
static bool near_enough(const struct sim *s, uint32_t got, uint32_t best)
{
	uint32_t slack = best / 4 + best / 8 + 24;
	return got != UNREACHED && got <= best + slack + (s->rtt ? 600 : 0);
}

static void show_best(const struct sim *s, uint32_t v, unsigned dest, const uint32_t *dist)
{
	printf("  best path:\n");
	while (dist[v] && dist[v] != UNREACHED)
		for (unsigned i = 0; i < s->nodes[v].degree; i++) {
			uint32_t u = peer_of(s, v, i);
			if (dist[u] + edge_of(s, &s->nodes[v], i)->cost != dist[v])
				continue;
			show_node(s, v, dest);
			v = u;
			break;
		}
	show_node(s, v, dest);
}

// Who accepts no gateway follows none, and the hostile node keeps what it attracts.
static bool follows(const struct sim *s, uint32_t v)
{
	return s->nodes[v].accepts && v != s->hostile;
}

static bool converged(struct sim *s, bool say)
{
	uint32_t *dist = malloc(s->n * sizeof(*dist));
	bool good = true;
	for (unsigned d = 0; d < s->n + s->anycast_count && good; d++) {
		if (d < s->n && d >= origins)
			continue;
		distances(s, d, dist);
		for (uint32_t v = 0; v < s->n && good; v++) {
			uint32_t got = s->nodes[v].b ? walk(s, v, d) : UNREACHED;
			good = near_enough(s, got, dist[v]) || (d >= s->n && !follows(s, v));
			if (good || !say)
				continue;
			printf("  cost %u, best %u\n", got, dist[v]);
			fail(s, "not converged", v, d);
			show_path(s, v, d);
			show_best(s, v, d, dist);
			show_links(s);
		}
	}
	free(dist);
	return good;
}

// ---- running ----

static void packet(struct sim *s, const struct event *e)
{
	struct node *to = &s->nodes[e->node];
	uint32_t from = (uint32_t)e->id;
	const struct edge *edge = &s->edges[e->arg];
	// A restarted node has new sessions: what was sealed for the old ones is lost.
	if (to->incarnation != e->incarnation || s->nodes[from].incarnation != e->id >> 32 ||
	    !carries(edge, from))
		return;
	unsigned side = edge->node[1] == e->node;
	uint16_t link = edge->link[side];
	s->edges[e->arg].received[side] = s->now;
	if (traced(from, e->node))
		trace_packet(s, from, e->node, e->data, e->len, "");
	xy_babel_receive(to->b, link, &s->nodes[from].local, e->data, e->len, s->now, s->now);
}

// ---- traffic ----

// One packet over a link; false: it is lost.
static bool carry(struct sim *s, uint32_t v, unsigned link)
{
	struct edge *e = edge_of(s, &s->nodes[v], link);
	unsigned side = e->node[1] == v;
	e->carried[side] = s->now;
	if (carries(e, v) && s->nodes[e->node[!side]].b) {
		if (s->lossy && below(s, 100) < e->loss)
			return false;
		e->received[!side] = s->now;
		return true;
	}
	if (!e->stuck[side])
		e->stuck[side] = s->now;
	else if (s->now - e->stuck[side] > (e->deaf[!side] && e->up ? DEAF_LIFE : DEAD_LIFE))
		fail(s, "traffic goes into a dead link", v, e->node[!side]);
	return false;
}

static void send_flow(struct sim *s, uint32_t from, uint32_t to)
{
	for (unsigned i = 0; i < 64 && from != to; i++) {
		const struct hops *h = &s->nodes[from].fib[to];
		if (!s->nodes[from].b || h->kind != XY_BABEL_VIA + 1 || !carry(s, from, h->link[0]))
			return;
		from = peer_of(s, from, h->link[0]);
	}
}

// Flows send a packet each, then all nodes look at what their links carried.
static void traffic(struct sim *s)
{
	for (unsigned i = 0; i < s->flow_count; i++)
		send_flow(s, s->flows[i][0], s->flows[i][1]);
	for (uint32_t i = 0; i < 2 * s->edge_count; i++) {
		const struct edge *e = &s->edges[i / 2];
		unsigned side = i % 2;
		struct node *node = &s->nodes[e->node[side]];
		if (!node->b || !e->carried[side])
			continue;
		xy_babel_link_traffic(node->b, e->link[side], e->received[side], e->carried[side],
				      s->now);
		settle(s, e->node[side]);
	}
	push(s, (struct event){.at = s->now + TRAFFIC, .kind = EV_TRAFFIC});
}

// Half of them are answered.
static void make_flows(struct sim *s)
{
	s->flow_count = (unsigned)below(s, s->n < FLOWS ? s->n : FLOWS);
	for (unsigned i = 0; i < s->flow_count; i++) {
		bool answer = i && below(s, 2);
		s->flows[i][0] = answer ? s->flows[i - 1][1] : (uint32_t)below(s, s->n);
		s->flows[i][1] = answer ? s->flows[i - 1][0] : (uint32_t)below(s, s->n);
	}
	push(s, (struct event){.at = s->now, .kind = EV_TRAFFIC});
}

static void run_event(struct sim *s, const struct event *e)
{
	struct node *node = &s->nodes[e->node];
	struct xy_key x = {0};
	uint8_t sig[64];
	if (e->kind == EV_CHURN) {
		if (s->churning) {
			churn(s);
			push(s,
			     (struct event){.at = s->now + below(s, 6 * XY_SEC), .kind = EV_CHURN});
		}
		return;
	}
	if (e->kind == EV_TRAFFIC) {
		traffic(s);
		return;
	}
	if (e->incarnation != node->incarnation || (!node->b && e->kind != EV_START))
		return;
	switch (e->kind) {
	case EV_START:
		start_node(s, e->node);
		return;
	case EV_POLL:
		if (e->id != node->poll_at)
			return;
		node->poll_at = 0;
		xy_babel_poll(node->b, s->now);
		break;
	case EV_PACKET:
		packet(s, e);
		break;
	case EV_VERIFIED: {
		int result = verify_claim(s, e->claim, &x);
		xy_babel_verified(node->b, e->id, result, &x, s->now);
		break;
	}
	case EV_SIGNED:
		sign_claim(e->claim, sig);
		xy_babel_signed(node->b, e->id, sig, s->now);
		break;
	case EV_SAVED:
		xy_babel_epoch_saved(node->b, (uint32_t)e->id, s->now);
		break;
	default:
		break;
	}
	settle(s, e->node);
}

static void run_until(struct sim *s, xy_nsec end)
{
	while (!s->failed && s->heap_count && s->heap[0].at <= end) {
		struct event e = pop(s);
		s->now = e.at;
		s->events++;
		run_event(s, &e);
		free(e.data);
		free(e.claim);
	}
	s->now = end;
}

static void make_nodes(struct sim *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		struct node *node = &s->nodes[i];
		for (unsigned k = 0; k < 32; k++) {
			node->ed25519.b[k] = (uint8_t)rnd(s);
			node->key.b[k] = (uint8_t)rnd(s);
		}
		xy_le32_store(node->ed25519.b, i);
		node->prefix = xy_key_prefix(&node->key);
		node->local = xy_key_link_local(&node->key);
		node->saved_epoch = 1000 + i;
		node->fib = calloc(s->n + ANYCAST, sizeof(*node->fib));
	}
}

static void clear(struct sim *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		xy_babel_free(s->nodes[i].b);
		free(s->nodes[i].fib);
	}
	while (s->heap_count) {
		struct event e = pop(s);
		free(e.data);
		free(e.claim);
	}
	free(s->heap);
	free(s->nodes);
	free(s->table);
	free(s->edges);
}

// Seconds until converged, or a failure after `limit`.
static double settle_down(struct sim *s, xy_nsec limit, const char *phase)
{
	xy_nsec start = s->now, step = s->n > 200 ? 5 * XY_SEC : XY_SEC;
	while (!s->failed && s->now - start < limit) {
		run_until(s, s->now + step);
		check_anycast(s);
		if (converged(s, false))
			return seconds(s->now - start);
	}
	if (!s->failed) {
		printf("%s:\n", phase);
		converged(s, true);
	}
	return seconds(s->now - start);
}

static uint32_t pick_hostile(struct sim *s)
{
	for (unsigned tries = 0; tries < 100; tries++) {
		uint32_t v = (uint32_t)below(s, s->n);
		bool honest = true;
		for (unsigned i = 0; i < s->anycast_count; i++)
			honest &= !is_origin(s, v, s->n + i);
		if (honest)
			return v;
	}
	return UINT32_MAX;
}

struct result {
	double boot, heal;
	uint64_t bytes, rest, memory;
};

static uint64_t total_bytes(const struct sim *s)
{
	uint64_t total = 0;
	for (uint32_t i = 0; i < s->n; i++)
		total += s->nodes[i].bytes;
	return total;
}

static bool run(uint64_t seed, unsigned n, unsigned quiet, struct result *r)
{
	struct sim s = {.seed = seed, .random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1, .n = n};
	for (int i = 0; i < 8; i++)
		rnd(&s);
	s.rtt = below(&s, 4) == 0;
	s.nodes = calloc(n, sizeof(*s.nodes));
	s.edges = calloc(3 * (size_t)n + 8, sizeof(*s.edges));
	make_nodes(&s);
	make_table(&s);
	make_graph(&s);
	s.anycast_count = n >= 4 ? (unsigned)below(&s, ANYCAST + 1) : 0;
	for (unsigned i = 0; i < s.anycast_count; i++)
		for (unsigned k = 0; k < GATEWAYS; k++)
			s.anycast[i][k] = (uint32_t)below(&s, n);
	s.all_accept = below(&s, 2);
	for (uint32_t i = 0; i < n; i++)
		s.nodes[i].accepts = s.all_accept || below(&s, 3) == 0;
	s.hostile = s.anycast_count ? pick_hostile(&s) : UINT32_MAX;
	for (uint32_t i = 0; i < n; i++)
		later(&s, i, EV_START, 0, below(&s, 5 * XY_SEC), NULL);

	make_flows(&s);
	s.lossy = true;
	run_until(&s, 20 * XY_SEC);
	s.lossy = false;
	r->boot = 20 + settle_down(&s, 240 * XY_SEC, "after the start");
	r->bytes = total_bytes(&s) / n;
	s.churning = true;
	s.lossy = true;
	push(&s, (struct event){.at = s.now, .kind = EV_CHURN});
	for (unsigned i = 0; i < (n > 200 ? 30 : 120) && !s.failed; i++) {
		run_until(&s, s.now + XY_SEC);
		check_anycast(&s);
	}
	s.churning = false;
	if (!s.failed)
		heal(&s);
	// What was lost during the churn must be found again; that two of three Hellos get lost and
	// a link falls out for a while is not what the last look is for.
	s.lossy = false;
	r->heal = settle_down(&s, 300 * XY_SEC, "after the churn");
	uint64_t at_rest = total_bytes(&s);
	if (!s.failed) {
		run_until(&s, s.now + quiet * XY_SEC);
		check_anycast(&s);
		if (!s.failed)
			converged(&s, true);
	}
	r->rest = quiet ? (total_bytes(&s) - at_rest) / n / quiet : 0;
	r->memory = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct xy_babel_stats st;
		if (!s.nodes[i].b)
			continue;
		xy_babel_stats(s.nodes[i].b, &st);
		r->memory += st.bytes / n;
	}
	if (!s.failed && s.all_accept && s.anycast_count) {
		run_until(&s, s.now + LOOP_LIFE);
		s.resting = true; // what had to end has ended
		run_until(&s, s.now + LOOP_LIFE);
	}
	if (verbose || s.failed)
		printf("seed %llu: %u nodes, %u links, %llu events, %llu changes, %llu "
		       "verifications, converged in %.0f and %.0f s, %llu transient loops, %llu "
		       "silent links\n",
		       (unsigned long long)seed, n, s.edge_count, (unsigned long long)s.events,
		       (unsigned long long)s.changes, (unsigned long long)s.verifications, r->boot,
		       r->heal, (unsigned long long)s.transient_loops,
		       (unsigned long long)s.silences);
	bool good = !s.failed;
	clear(&s);
	return good;
}

// What a node of a network of this size holds at rest; of what a burst took nothing stays.
static bool memory_good(const struct result *sums, const unsigned *counts)
{
	enum { CLASS = 6, RUNS = 20, MOST = 142000 };
	double mean = counts[CLASS] ? (double)sums[CLASS].memory / counts[CLASS] : 0;
	if (counts[CLASS] < RUNS || mean <= MOST)
		return true;
	printf("not ok - a node among up to %u holds %.0f bytes, %u at most\n", 1u << CLASS, mean,
	       (unsigned)MOST);
	return false;
}

static void range(const char *text, unsigned long *from, unsigned long *to)
{
	char *end;
	*from = *to = strtoul(text, &end, 10);
	if (*end == '-')
		*to = strtoul(end + 1, &end, 10);
	if (*end || *to < *from) {
		fprintf(stderr, "babel_sim: %s is no range; give 7 or 1-300\n", text);
		exit(2);
	}
}

static void print_sizes(const struct result *sums, const unsigned *counts)
{
	printf("%8s %5s %12s %12s %14s %14s %12s\n", "nodes", "runs", "start s", "after churn s",
	       "bytes to start", "bytes/s rest", "memory");
	for (unsigned i = 0; i < 16; i++) {
		unsigned n = counts[i];
		if (!n)
			continue;
		printf("%7s%u %5u %12.1f %12.1f %14.0f %14.0f %12.0f\n", "<=", 1u << i, n,
		       sums[i].boot / n, sums[i].heal / n, (double)sums[i].bytes / n,
		       (double)sums[i].rest / n, (double)sums[i].memory / n);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"seeds", required_argument, NULL, 's'}, {"nodes", required_argument, NULL, 'n'},
		{"quiet", required_argument, NULL, 'q'}, {"trace", required_argument, NULL, 't'},
		{"pcap", required_argument, NULL, 'p'},	 {"origins", required_argument, NULL, 'o'},
		{"deaf", no_argument, NULL, 'd'},	 {0}};
	unsigned long first = 1, last = 60, least = 2, most = 64, quiet = 60;
	struct result sums[16] = {0};
	unsigned counts[16] = {0}, failures = 0;
	for (int o; (o = getopt_long(argc, argv, "v", options, NULL)) != -1;) {
		if (o == 's')
			range(optarg, &first, &last);
		else if (o == 'n')
			range(optarg, &least, &most);
		else if (o == 'q')
			quiet = strtoul(optarg, NULL, 10);
		else if (o == 't')
			range(optarg, &trace[0], &trace[1]);
		else if (o == 'p' && !capture_open(optarg))
			return 2;
		else if (o == 'p')
			continue;
		else if (o == 'o')
			origins = strtoul(optarg, NULL, 10);
		else if (o == 'd')
			deaf_links = true;
		else if (o == 'v')
			verbose = true;
		else
			return 2;
	}
	if (sodium_init() < 0 || least < 2)
		return 2;
	for (unsigned long seed = first; seed <= last; seed++) {
		struct result r;
		unsigned n = (unsigned)(least + (seed * 7919) % (most - least + 1)), size = 0;
		failures += !run(seed, n, (unsigned)quiet, &r);
		while (1u << size < n)
			size++;
		sums[size].boot += r.boot;
		sums[size].heal += r.heal;
		sums[size].bytes += r.bytes;
		sums[size].rest += r.rest;
		sums[size].memory += r.memory;
		counts[size]++;
	}
	if (capture && fclose(capture))
		failures++;
	print_sizes(sums, counts);
	failures += !memory_good(sums, counts);
	printf("%s - sim: %lu seeds, %u failed\n", failures ? "not ok" : "ok", last - first + 1,
	       failures);
	return failures != 0;
}
