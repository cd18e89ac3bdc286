// SPDX-License-Identifier: BSD-3-Clause
// What forwarding costs, memory to memory: packets sealed under many sessions in, looked up, sealed
// for the next hop out, through the daemon's own graph and nodes on one core. In the same run the
// bare library opens and seals the same buffers in the same bursts, so "beyond AEAD" is what is
// ours: table and session lookups, their cache misses, the second key, headers, counters.
//   bench_relay [--short] [--json] [--nodes] [--frames]
// Both sides start equally cold: a round writes all 8,192 buffers (17 MB, beyond the second cache)
// in order before either reads them in order. What the bare side gets for nothing, a warm first
// line and one key for both its passes, counts against us.
// A figure is the median over bursts of 64, not a mean: a burst that the scheduler interrupts costs
// a thousand others, and half of all would have to be hit to move a median.
// --frames: what a card's frames cost on top, round by round in turn: without them, with UDP over
// IPv4 without a checksum, with one; of the 10th of 100 bursts each. Every packet that comes out is
// opened and compared; a drop or a wrong tag fails the run, a budget that is not met does not.
#include "aead.h"
#include "base/bytes.h"
#include "dp.h"
#include "fib.h"
#include "graph/graph.h"
#include "peer.h"
#include "port/ring.h"
#include "session.h"
#include "wire/inet.h"

#include <rte_cycles.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	BUFFERS = 8192,
	BURSTS = BUFFERS / XY_BURST, // a round's
	ROUNDS = 24,
	ROUNDS_SHORT = 6,
	SAMPLES = ROUNDS * BURSTS,
	NODES_MAX = 64,
};

enum way { BARE, UNSUMMED, SUMMED, WAYS }; // --frames: how packets are put on the port

struct load { // one line of the table
	uint32_t sessions, routes, size;
};

struct samples { // TSC cycles per burst
	unsigned n;
	uint32_t cycles[SAMPLES];
};

struct node_cost {
	char name[32];
	double cycles;
};

struct result { // cycles per packet; a child leaves it in shared memory
	struct load load;
	double forward, forward_p10, forward_p90, aead, tsc_hz;
	char memory[64];
	unsigned nodes;
	struct node_cost node[NODES_MAX];
	double way[WAYS];
};

struct options {
	bool brief, json, nodes, frames;
};

struct bench {
	struct load load;
	uint32_t peers;
	struct xy_dp *dp;
	struct xy_port_ring ring;
	struct rte_mbuf *in[BUFFERS], *out[BUFFERS];
	uint32_t *index;		 // per peer: our receiver index
	struct xy_aead_schedule *rx_key; // per peer: they seal with it
	struct xy_aead_schedule *tx_key; // per peer: they open with it
	uint64_t *rx_counter;		 // per peer: next to send to us
	uint64_t *route;		 // first 64 bits of each destination
	uint32_t *route_peer;
	struct xy_aead *cipher;
	uint64_t random;
	struct samples forward, aead, *node; // node: [NODES_MAX] with --nodes, else NULL
	struct samples way[WAYS];	     // with --frames
	uint64_t errors;
};

static uint64_t next_random(struct bench *b) // xorshift64*: cheap, seeded, the same in every run
{
	b->random ^= b->random >> 12;
	b->random ^= b->random << 25;
	b->random ^= b->random >> 27;
	return b->random * UINT64_C(0x2545f4914f6cdd1d);
}

static void die(const char *what, const struct xy_err *err)
{
	fprintf(stderr, "bench relay: %s: %s\n", what, err ? err->text : "failed");
	exit(1);
}

// --- samples

static void sample_add(struct samples *s, uint64_t cycles)
{
	if (s->n < SAMPLES)
		s->cycles[s->n++] = cycles < UINT32_MAX ? (uint32_t)cycles : UINT32_MAX;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

// A packet's cycles at a hundredth of the bursts; sorts.
static double percentile(struct samples *s, unsigned percent)
{
	if (!s->n)
		return 0;
	qsort(s->cycles, s->n, sizeof(s->cycles[0]), compare);
	return (double)s->cycles[(s->n - 1) * percent / 100] / XY_BURST;
}

// --- setting up

static void *need(size_t n, size_t size)
{
	void *p = calloc(n, size);
	if (!p)
		die("memory", NULL);
	return p;
}

static xy_nsec clock_now(void)
{
	struct timespec t;
	clock_gettime(XY_DP_CLOCK, &t);
	return (xy_nsec)t.tv_sec * XY_SEC + (xy_nsec)t.tv_nsec;
}

static void dataplane_make(struct bench *b)
{
	struct xy_err err;
	struct xy_dp_config cfg = {.name = "bench",
				   .workers = 1,
				   .max_peers = b->peers,
				   .max_sessions = b->peers * 2 < 4 ? 4 : b->peers * 2,
				   .max_routes = b->load.routes + 16,
				   .max_packet = 1500,
				   .buffers = BUFFERS * 2 - 1,
				   .limits = xy_wg_limits_default};
	cfg.node_addr.b[0] = 2;
	if (xy_dp_create(&cfg, &b->dp, &err))
		die("dataplane", &err);
	struct xy_port *port;
	if (xy_port_ring_open(b->dp, 0, &b->ring, &port, &err))
		die("port", &err);
	port->udp_port = 51820;
	xy_dp_port_publish(b->dp, 0, port);
	rte_rcu_qsbr_thread_register(b->dp->rcu, 0);
	rte_rcu_qsbr_thread_online(b->dp->rcu, 0);
}

static struct xy_addr own_address(void)
{
	return xy_addr_from_v4(UINT32_C(0xc0000201));
}

// A peer as it is after its first packet: answered from where it was heard.
static void peer_place(struct bench *b, uint32_t peer)
{
	struct xy_dp_peer cfg = {.remote = {.port = 51820},
				 .local = own_address(),
				 .heard = {.local = own_address()},
				 .mtu = 1580,
				 .resolved = true};
	cfg.remote.addr = xy_addr_from_v4(UINT32_C(0x0a000000) + peer);
	cfg.node.b[0] = XY_MESH_BYTE;
	xy_be32_store(cfg.node.b + 4, peer + 1);
	if (xy_dp_peer_set(b->dp, peer, &cfg))
		die("peer", NULL);
}

static void peer_make(struct bench *b, uint32_t peer)
{
	struct xy_dp_session_keys keys = {.remote_index = peer, .born = clock_now()};
	randombytes_buf(keys.recv, sizeof(keys.recv));
	randombytes_buf(keys.send, sizeof(keys.send));
	xy_aead_key_set(XY_AEAD_CHACHA20_POLY1305, &b->rx_key[peer], keys.recv);
	xy_aead_key_set(XY_AEAD_CHACHA20_POLY1305, &b->tx_key[peer], keys.send);
	peer_place(b, peer);
	if (xy_dp_session_reserve(b->dp, peer, &b->index[peer]) ||
	    xy_dp_session_set(b->dp, b->index[peer], &keys) ||
	    xy_dp_session_use(b->dp, b->index[peer]))
		die("session", NULL);
}

static void routes_make(struct bench *b)
{
	for (uint32_t i = 0; i < b->load.routes; i++) {
		struct xy_prefix p = {.len = 64};
		struct xy_dp_route r = {.kind = XY_DP_ROUTE_PEER};
		b->route[i] = (next_random(b) & ~(UINT64_C(0xff) << 56)) | UINT64_C(3) << 56;
		// With one session there are two peers: all comes from 0 and goes to 1.
		b->route_peer[i] = b->peers == 2 ? 1 : (uint32_t)(next_random(b) % b->peers);
		r.peer = b->route_peer[i];
		xy_be64_store(p.addr.b, b->route[i]);
		if (xy_dp_route_set(b->dp, &p, &r))
			die("route", NULL);
	}
	xy_dp_route_commit(b->dp);
}

static void setup(struct bench *b)
{
	b->random = 88172645463325252u;
	b->peers = b->load.sessions == 1 ? 2 : b->load.sessions;
	b->index = need(b->peers, sizeof(*b->index));
	b->rx_key = need(b->peers, sizeof(struct xy_aead_schedule));
	b->tx_key = need(b->peers, sizeof(struct xy_aead_schedule));
	b->rx_counter = need(b->peers, sizeof(*b->rx_counter));
	b->route = need(b->load.routes, sizeof(*b->route));
	b->route_peer = need(b->load.routes, sizeof(*b->route_peer));
	dataplane_make(b);
	for (uint32_t i = 0; i < b->peers; i++)
		peer_make(b, i);
	routes_make(b);
	b->cipher = xy_aead_create();
	if (!b->cipher || rte_pktmbuf_alloc_bulk(b->dp->worker[0]->pool, b->in, BUFFERS))
		die("buffers", NULL);
}

// --- a round

// An overlay packet of the load's size to a random route, from a peer that the route does not go
// back to; xy_packet from remembers the peer for sealing.
static void packet_make(struct bench *b, struct rte_mbuf *m)
{
	uint32_t route = (uint32_t)(next_random(b) % b->load.routes), from;
	do
		from = b->peers == 2 ? 0 : (uint32_t)(next_random(b) % b->peers);
	while (from == b->route_peer[route]);
	rte_pktmbuf_reset(m);
	m->data_off = XY_HEADROOM + XY_WG_DATA_HEADER_LEN;
	uint8_t *pkt = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)b->load.size);
	memset(pkt, 0, b->load.size);
	pkt[0] = 0x60;
	xy_be16_store(pkt + 4, (uint16_t)(b->load.size - XY_IPV6_LEN));
	pkt[6] = XY_PROTO_E2E;
	pkt[7] = 64;
	xy_be64_store(pkt + 8, UINT64_C(0xfd) << 56 | from);
	xy_be64_store(pkt + 24, b->route[route]);
	xy_packet(m)->from = from;
}

static void seal_chunk(struct bench *b, struct rte_mbuf **m, unsigned n)
{
	struct xy_aead_op op[XY_BURST];
	for (unsigned i = 0; i < n; i++) {
		uint32_t from = xy_packet(m[i])->from, len = m[i]->data_len;
		uint32_t padded = RTE_ALIGN_CEIL(len, 16u);
		memset(rte_pktmbuf_append(m[i], (uint16_t)(padded - len + 16)), 0, padded - len);
		struct xy_wg_data *msg =
			(struct xy_wg_data *)rte_pktmbuf_prepend(m[i], XY_WG_DATA_HEADER_LEN);
		*msg = (struct xy_wg_data){.type = XY_WG_DATA,
					   .receiver = b->index[from],
					   .counter = b->rx_counter[from]++};
		*xy_packet(m[i]) =
			(struct xy_packet){.remote = {.port = 51820}, .local = own_address()};
		xy_packet(m[i])->remote.addr = xy_addr_from_v4(UINT32_C(0x0a000000) + from);
		op[i] = (struct xy_aead_op){.key = &b->rx_key[from],
					    .counter = msg->counter,
					    .data = msg->box,
					    .len = padded,
					    .tag = msg->box + padded};
	}
	xy_aead_seal_burst(b->cipher, op, n);
}

// The bare library over what came out: opens (and checks) each with its receiver's key, then seals
// it again. Both together are what any forwarder must spend.
static void bare_chunk(struct bench *b, struct rte_mbuf **m, unsigned n)
{
	struct xy_aead_op op[XY_BURST];
	for (unsigned i = 0; i < n; i++) {
		struct xy_wg_data *msg = rte_pktmbuf_mtod(m[i], struct xy_wg_data *);
		uint32_t len = m[i]->data_len - XY_WG_DATA_OVERHEAD;
		if (msg->receiver >= b->peers)
			die("a packet for nobody came out", NULL);
		op[i] = (struct xy_aead_op){.key = &b->tx_key[msg->receiver],
					    .counter = msg->counter,
					    .data = msg->box,
					    .len = len,
					    .tag = msg->box + len};
	}
	uint64_t start = rte_rdtsc();
	xy_aead_open_burst(b->cipher, op, n);
	uint64_t spent = rte_rdtsc() - start;
	for (unsigned i = 0; i < n; i++)
		b->errors += !op[i].ok || op[i].data[7] != 63; // opened, and one hop less
	start = rte_rdtsc();
	xy_aead_seal_burst(b->cipher, op, n);
	sample_add(&b->aead, spent + rte_rdtsc() - start);
}

static void nodes_begin(const struct bench *b, struct xy_dp_node_stats *before)
{
	if (b->node)
		xy_dp_graph_stats(b->dp, 0, before, NODES_MAX);
}

static void nodes_end(struct bench *b, const struct xy_dp_node_stats *before)
{
	struct xy_dp_node_stats after[NODES_MAX];
	unsigned n = b->node ? xy_dp_graph_stats(b->dp, 0, after, NODES_MAX) : 0;
	for (unsigned i = 0; i < RTE_MIN(n, (unsigned)NODES_MAX); i++)
		if (after[i].packets != before[i].packets)
			sample_add(&b->node[i], after[i].cycles - before[i].cycles);
}

// One turn of a worker's loop: the clock, the graph, and the report to RCU.
static void forward_burst(struct bench *b)
{
	struct xy_worker *w = b->dp->worker[0];
	struct xy_dp_node_stats before[NODES_MAX];
	nodes_begin(b, before);
	uint64_t start = rte_rdtsc();
	w->now = clock_now();
	rte_graph_walk(w->graph);
	rte_rcu_qsbr_quiescent(b->dp->rcu, 0);
	sample_add(&b->forward, rte_rdtsc() - start);
	nodes_end(b, before);
}

static void forward(struct bench *b)
{
	b->ring.in = b->in;
	b->ring.in_count = BUFFERS;
	b->ring.out = b->out;
	b->ring.out_count = 0;
	b->ring.out_max = BUFFERS;
	while (b->ring.in_count)
		forward_burst(b);
	b->errors += BUFFERS - b->ring.out_count;
}

// Takes the frame off again, after a look at its checksums.
static void frame_check(struct bench *b, struct rte_mbuf *m, bool summed)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *) + 14, *udp = ip + XY_IPV4_MIN_LEN;
	struct xy_addr src = xy_inner_src(ip, 4), dst = xy_inner_dst(ip, 4);
	uint16_t len = xy_be16_load(udp + 4);
	uint32_t sum = xy_csum_pseudo(&src, &dst, XY_PROTO_UDP, len);
	bool right =
		summed ? xy_csum_fold(xy_csum_add(sum, udp, len)) == 0 : xy_be16_load(udp + 6) == 0;
	b->errors += !right || xy_csum_fold(xy_csum_add(0, ip, XY_IPV4_MIN_LEN));
	rte_pktmbuf_adj(m, 14 + XY_IPV4_MIN_LEN + XY_UDP_LEN);
}

// One round by one way; its bursts are that way's samples.
static void way_begin(struct bench *b, enum way way)
{
	b->ring.frames = way != BARE;
	b->dp->ports->port[0]->sums = way == UNSUMMED ? XY_FRAME_SUM_NONE_V4 : 0;
	for (uint32_t i = 0; i < b->peers; i++)
		peer_place(b, i);
	rte_rcu_qsbr_quiescent(b->dp->rcu, 0);
	xy_dp_housekeep(b->dp);
}

static void round_run(struct bench *b)
{
	for (unsigned i = 0; i < BUFFERS; i++)
		packet_make(b, b->in[i]);
	for (unsigned i = 0; i < BUFFERS; i += XY_BURST)
		seal_chunk(b, &b->in[i], XY_BURST);
	forward(b);
	if (b->errors)
		die("packets were dropped", NULL);
	for (unsigned i = 0; b->ring.frames && i < BUFFERS; i++)
		frame_check(b, b->out[i], !b->dp->ports->port[0]->sums);
	for (unsigned i = 0; i < BUFFERS; i += XY_BURST)
		bare_chunk(b, &b->out[i], XY_BURST);
	if (b->errors)
		die("a packet came out wrong", NULL);
	memcpy(b->in, b->out, sizeof(b->in));
}

// --- results

static void nodes_sum(struct bench *b, struct result *r)
{
	struct xy_dp_node_stats s[NODES_MAX];
	unsigned n = b->node ? xy_dp_graph_stats(b->dp, 0, s, NODES_MAX) : 0;
	for (unsigned i = 0; i < RTE_MIN(n, (unsigned)NODES_MAX); i++) {
		struct node_cost *c = &r->node[r->nodes];
		if (!b->node[i].n)
			continue;
		snprintf(c->name, sizeof(c->name), "%s", s[i].name);
		c->cycles = percentile(&b->node[i], 50);
		r->nodes++;
	}
}

static void sum(struct bench *b, struct result *r)
{
	r->load = b->load;
	r->tsc_hz = (double)xy_dp_tsc_hz(b->dp);
	r->forward = percentile(&b->forward, 50);
	r->forward_p10 = percentile(&b->forward, 10);
	r->forward_p90 = percentile(&b->forward, 90);
	r->aead = percentile(&b->aead, 50);
	snprintf(r->memory, sizeof(r->memory), "%s", xy_dp_memory(b->dp));
	nodes_sum(b, r);
}

static void nodes_print(const struct result *r, bool json)
{
	for (unsigned i = 0; i < r->nodes; i++)
		printf(json ? "%s\"%s\": %.1f" : "%s    %-16s %7.1f\n", json && i ? ", " : "",
		       r->node[i].name, r->node[i].cycles);
}

static void result_print(const struct result *r, bool json)
{
	double mpps = r->tsc_hz / r->forward / 1e6, gbit = mpps * r->load.size * 8 / 1e3;
	double beyond = r->forward - r->aead, ratio = r->forward / r->aead;
	if (json) {
		printf("\n  {\"sessions\": %u, \"routes\": %u, \"size\": %u, \"mpps\": %.3f, "
		       "\"gbit_s\": %.3f, \"cycles\": %.1f, \"cycles_p10\": %.1f, "
		       "\"cycles_p90\": %.1f, \"aead_cycles\": %.1f, \"beyond\": %.1f, "
		       "\"ratio\": %.3f, \"nodes\": {",
		       r->load.sessions, r->load.routes, r->load.size, mpps, gbit, r->forward,
		       r->forward_p10, r->forward_p90, r->aead, beyond, ratio);
		nodes_print(r, true);
		printf("}");
		if (r->way[BARE] > 0)
			printf(", \"frames\": {\"without\": %.1f, \"unsummed\": %.1f, \"summed\": "
			       "%.1f}",
			       r->way[BARE], r->way[UNSUMMED], r->way[SUMMED]);
		printf("}");
		return;
	}
	printf("%8u %9u %6u %8.3f %8.2f %8.0f %8.0f %8.0f %8.0f %7.2f\n", r->load.sessions,
	       r->load.routes, r->load.size, mpps, gbit, r->forward, r->forward_p90, r->aead,
	       beyond, ratio);
	nodes_print(r, false);
	if (r->way[BARE] > 0)
		printf("    frames: %.0f without, %.0f around them without a checksum (+%.0f), "
		       "%.0f "
		       "with one (+%.0f)\n",
		       r->way[BARE], r->way[UNSUMMED], r->way[UNSUMMED] - r->way[BARE],
		       r->way[SUMMED], r->way[SUMMED] - r->way[UNSUMMED]);
}

struct budget {
	uint32_t sessions, routes;
	double beyond;
};

static bool budget_of(const struct budget *b, const struct load *l)
{
	return l->sessions == b->sessions && l->routes == b->routes;
}

static double worst(const struct budget *b, const struct result *r, unsigned n)
{
	double beyond = 0;
	for (unsigned i = 0; i < n; i++)
		if (budget_of(b, &r[i].load))
			beyond = RTE_MAX(beyond, r[i].forward - r[i].aead);
	return beyond;
}

static void budgets_print(const struct result *r, unsigned n, bool json)
{
	static const struct budget budgets[] = {{1, 1, 250}, {10000, 1000000, 450}};
	if (json)
		printf("\n], \"budgets\": [");
	for (size_t i = 0; i < XY_ARRAY_SIZE(budgets); i++) {
		const struct budget *b = &budgets[i];
		double beyond = worst(b, r, n);
		const char *says = beyond < b->beyond ? "pass" : "over";
		if (json)
			printf("%s{\"sessions\": %u, \"routes\": %u, \"budget\": %.0f, "
			       "\"beyond\": %.1f, \"result\": \"%s\"}",
			       i ? ", " : "", b->sessions, b->routes, b->beyond, beyond, says);
		else
			printf("%s: %.0f cycles beyond AEAD at the worst size, under %.0f wanted, "
			       "with %u session(s) and %u route(s)\n",
			       says, beyond, b->beyond, b->sessions, b->routes);
	}
	if (json)
		printf("]}\n");
}

// The name alone may say nothing ("AMD EPYC"): family and model tell which.
static void cpu_name(char *out, size_t size)
{
	char line[256], name[128] = "unknown CPU", family[16] = "?", model[16] = "?";
	FILE *f = fopen("/proc/cpuinfo", "re");
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "model name : %127[^\n]", name);
		sscanf(line, "cpu family : %15[^\n]", family);
		if (sscanf(line, "model : %15[^\n]", model) == 1 && strcmp(name, "unknown CPU"))
			break;
	}
	if (f)
		fclose(f);
	snprintf(out, size, "%s (family %s, model %s)", name, family, model);
}

static void head_print(const struct result *first, unsigned rounds, bool json)
{
	char cpu[192];
	cpu_name(cpu, sizeof(cpu));
	if (json) {
		printf("{\"bench\": \"relay\", \"cpu\": \"%s\", \"tsc_mhz\": %.0f, \"memory\": "
		       "\"%s\", \"bursts\": %u, \"rows\": [",
		       cpu, first->tsc_hz / 1e6, first->memory, rounds * BURSTS);
		return;
	}
	printf("CPU: %s, TSC %.0f MHz, one core; %s; medians of %u bursts of %d\n", cpu,
	       first->tsc_hz / 1e6, first->memory, rounds * BURSTS, XY_BURST);
	printf("%8s %9s %6s %8s %8s %8s %8s %8s %8s %7s\n", "sessions", "routes", "bytes", "Mpps",
	       "Gbit/s", "cycles", "p90", "aead", "beyond", "ratio");
}

// --- running

static void ways_measure(struct bench *b, unsigned rounds, struct result *r)
{
	for (unsigned i = 0; i < rounds * WAYS; i++) {
		struct samples *s = &b->way[i % WAYS];
		unsigned n = b->forward.n = 0;
		way_begin(b, (enum way)(i % WAYS));
		round_run(b);
		for (; n < b->forward.n; n++)
			sample_add(s, b->forward.cycles[n]);
	}
	for (unsigned i = 0; i < WAYS; i++)
		r->way[i] = percentile(&b->way[i], 10); // differences are small: the undisturbed
}

static void load_measure(struct bench *b, const struct options *o, struct result *r)
{
	unsigned rounds = o->brief ? ROUNDS_SHORT : ROUNDS;
	setup(b);
	round_run(b); // warms up, and is not counted
	b->forward.n = b->aead.n = 0;
	if (o->nodes)
		b->node = need(NODES_MAX, sizeof(*b->node));
	for (unsigned i = 0; i < rounds; i++)
		round_run(b);
	sum(b, r);
	if (o->frames)
		ways_measure(b, rounds, r);
}

// Each load in a process of its own: EAL starts once per process, and no load warms another's
// caches.
static int load_run(struct load load, const struct options *o, struct result *r)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		static struct bench b;
		b.load = load;
		load_measure(&b, o, r);
		_exit(0);
	}
	int status;
	return pid < 0 || waitpid(pid, &status, 0) < 0 || status ? 1 : 0;
}

static void options_read(struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		bool brief = strcmp(argv[i], "--short") == 0;
		bool json = strcmp(argv[i], "--json") == 0;
		bool nodes = strcmp(argv[i], "--nodes") == 0;
		bool frames = strcmp(argv[i], "--frames") == 0;
		if (!brief && !json && !nodes && !frames) {
			fprintf(stderr,
				"bench relay: unknown argument '%s'; use [--short] [--json] "
				"[--nodes] [--frames]\n",
				argv[i]);
			exit(2);
		}
		o->brief |= brief;
		o->json |= json;
		o->nodes |= nodes;
		o->frames |= frames;
	}
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = {64, 512, 1420};
	static const struct load grid[] = {{1, 1, 0},	     {1, 1000, 0},    {100, 1000, 0},
					   {10000, 1000, 0}, {1, 1000000, 0}, {10000, 1000000, 0}};
	enum { ROWS = XY_ARRAY_SIZE(sizes) * XY_ARRAY_SIZE(grid) };
	struct options o = {0};
	unsigned n = 0;

	options_read(&o, argc, argv);
	struct result *r = mmap(NULL, ROWS * sizeof(*r), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r == MAP_FAILED)
		die("memory", NULL);
	for (; n < ROWS; n++) {
		struct load load = grid[n / XY_ARRAY_SIZE(sizes)];
		load.size = sizes[n % XY_ARRAY_SIZE(sizes)];
		if (load_run(load, &o, &r[n]))
			return 1;
		if (n == 0)
			head_print(r, o.brief ? ROUNDS_SHORT : ROUNDS, o.json);
		else if (o.json)
			printf(",");
		result_print(&r[n], o.json);
	}
	budgets_print(r, n, o.json);
	return 0;
}
