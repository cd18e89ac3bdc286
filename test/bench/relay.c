// SPDX-License-Identifier: BSD-3-Clause
// What forwarding costs, memory to memory: packets sealed under many sessions in, looked up, sealed
// for the next hop out, through the daemon's own graph and nodes on one core. In the same run the
// bare library opens and seals the same buffers, so "beyond AEAD" is what is ours. Every packet
// that comes out is opened and compared; a drop or a wrong tag fails the run.
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
#include <sys/wait.h>
#include <unistd.h>

enum { BUFFERS = 8192, ROUNDS = 24, ROUNDS_SHORT = 6, NODES_MAX = 64 };

struct load { // one line of the table
	uint32_t sessions, routes, size;
};

struct bench {
	struct load load;
	unsigned rounds;
	uint32_t peers;
	struct xy_dp *dp;
	struct xy_port_ring ring;
	struct rte_mbuf *in[BUFFERS], *out[BUFFERS];
	uint32_t *index;       // per peer: our receiver index
	uint8_t (*rx_key)[32]; // per peer: they seal with it
	uint8_t (*tx_key)[32]; // per peer: they open with it
	uint64_t *rx_counter;  // per peer: next to send to us
	uint64_t *route;       // first 64 bits of each destination
	uint32_t *route_peer;
	IMB_MGR *mb;
	uint64_t random;
	uint64_t cycles, packets, aead_cycles;
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

// --- setting up

static void *need(size_t n, size_t size)
{
	void *p = calloc(n, size);
	if (!p)
		die("memory", NULL);
	return p;
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
	xy_dp_port_publish(b->dp, 0, port);
	rte_rcu_qsbr_thread_register(b->dp->rcu, 0);
	rte_rcu_qsbr_thread_online(b->dp->rcu, 0);
}

static void peer_make(struct bench *b, uint32_t peer)
{
	struct xy_dp_peer cfg = {.remote = {.port = 51820}, .mtu = 1580};
	cfg.remote.addr = xy_addr_from_v4(UINT32_C(0x0a000000) + peer);
	struct xy_dp_session_keys keys = {.remote_index = peer, .born = 1};
	randombytes_buf(b->rx_key[peer], 32);
	randombytes_buf(b->tx_key[peer], 32);
	memcpy(keys.recv, b->rx_key[peer], 32);
	memcpy(keys.send, b->tx_key[peer], 32);
	if (xy_dp_peer_set(b->dp, peer, &cfg) ||
	    xy_dp_session_reserve(b->dp, peer, &b->index[peer]) ||
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
	b->rx_key = need(b->peers, 32);
	b->tx_key = need(b->peers, 32);
	b->rx_counter = need(b->peers, sizeof(*b->rx_counter));
	b->route = need(b->load.routes, sizeof(*b->route));
	b->route_peer = need(b->load.routes, sizeof(*b->route_peer));
	dataplane_make(b);
	for (uint32_t i = 0; i < b->peers; i++)
		peer_make(b, i);
	routes_make(b);
	b->mb = xy_aead_create();
	if (!b->mb || rte_pktmbuf_alloc_bulk(b->dp->pool, b->in, BUFFERS))
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
		*xy_packet(m[i]) = (struct xy_packet){.remote = {.port = 51820}};
		xy_packet(m[i])->remote.addr = xy_addr_from_v4(UINT32_C(0x0a000000) + from);
		op[i] = (struct xy_aead_op){.key = b->rx_key[from],
					    .counter = msg->counter,
					    .data = msg->box,
					    .len = padded,
					    .tag = msg->box + padded};
	}
	xy_aead_seal_burst(b->mb, op, n);
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
		op[i] = (struct xy_aead_op){.key = b->tx_key[msg->receiver],
					    .counter = msg->counter,
					    .data = msg->box,
					    .len = len,
					    .tag = msg->box + len};
	}
	uint64_t start = rte_rdtsc();
	xy_aead_open_burst(b->mb, op, n);
	uint64_t spent = rte_rdtsc() - start;
	for (unsigned i = 0; i < n; i++)
		b->errors += !op[i].ok || op[i].data[7] != 63; // opened, and one hop less
	start = rte_rdtsc();
	xy_aead_seal_burst(b->mb, op, n);
	b->aead_cycles += spent + rte_rdtsc() - start;
}

static void forward(struct bench *b)
{
	struct xy_worker *w = b->dp->worker[0];
	b->ring = (struct xy_port_ring){
		.in = b->in, .in_count = BUFFERS, .out = b->out, .out_max = BUFFERS};
	while (b->ring.in_count) {
		uint64_t start = rte_rdtsc();
		w->now = 2;
		rte_graph_walk(w->graph);
		rte_rcu_qsbr_quiescent(b->dp->rcu, 0);
		b->cycles += rte_rdtsc() - start;
	}
	b->packets += b->ring.out_count;
	b->errors += BUFFERS - b->ring.out_count;
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
	for (unsigned i = 0; i < BUFFERS; i += XY_BURST)
		bare_chunk(b, &b->out[i], XY_BURST);
	memcpy(b->in, b->out, sizeof(b->in));
}

// --- results

static void nodes_print(const struct bench *b, bool json)
{
	struct xy_dp_node_stats s[NODES_MAX];
	unsigned n = xy_dp_graph_stats(b->dp, 0, s, NODES_MAX);
	const char *sep = "";
	for (unsigned i = 0; i < n && i < NODES_MAX; i++) {
		if (!s[i].packets)
			continue;
		double per = (double)s[i].cycles / (double)s[i].packets;
		if (json)
			printf("%s\"%s\": %.1f", sep, s[i].name, per);
		else
			printf("    %-16s %7.1f\n", s[i].name, per);
		sep = ", ";
	}
}

static void result_print(const struct bench *b, bool json, bool nodes)
{
	double hz = (double)xy_dp_tsc_hz(b->dp), per = (double)b->cycles / (double)b->packets;
	double aead = (double)b->aead_cycles / (double)b->packets, mpps = hz / per / 1e6;
	double gbit = mpps * b->load.size * 8 / 1e3;
	if (json) {
		printf("{\"sessions\": %u, \"routes\": %u, \"size\": %u, \"mpps\": %.3f, "
		       "\"gbit_s\": %.3f, \"cycles\": %.1f, \"aead_cycles\": %.1f, \"beyond\": "
		       "%.1f, "
		       "\"ratio\": %.3f, \"nodes\": {",
		       b->load.sessions, b->load.routes, b->load.size, mpps, gbit, per, aead,
		       per - aead, per / aead);
		nodes_print(b, true);
		printf("}}\n");
		return;
	}
	printf("%8u %9u %6u %8.3f %8.2f %8.0f %8.0f %8.0f %7.2f\n", b->load.sessions,
	       b->load.routes, b->load.size, mpps, gbit, per, aead, per - aead, per / aead);
	if (nodes)
		nodes_print(b, false);
}

// Each load in a process of its own: EAL starts once per process, and no load warms another's
// caches.
static int load_run(struct load load, unsigned rounds, bool json, bool nodes)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		static struct bench b;
		b.load = load;
		b.rounds = rounds;
		setup(&b);
		round_run(&b); // warms up, and is not counted
		b.cycles = b.packets = b.aead_cycles = 0;
		for (unsigned i = 0; i < rounds; i++)
			round_run(&b);
		result_print(&b, json, nodes);
		fflush(stdout);
		_exit(b.errors ? 1 : 0);
	}
	int status;
	return pid < 0 || waitpid(pid, &status, 0) < 0 || status ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = {64, 512, 1420};
	static const struct load grid[] = {{1, 1, 0},	     {1, 1000, 0},    {100, 1000, 0},
					   {10000, 1000, 0}, {1, 1000000, 0}, {10000, 1000000, 0}};
	bool brief = false, json = false, nodes = false;
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		brief |= strcmp(argv[i], "--short") == 0;
		json |= strcmp(argv[i], "--json") == 0;
		nodes |= strcmp(argv[i], "--nodes") == 0;
	}
	if (!json)
		printf("%8s %9s %6s %8s %8s %8s %8s %8s %7s\n", "sessions", "routes", "bytes",
		       "Mpps", "Gbit/s", "cycles", "aead", "beyond", "ratio");
	for (size_t i = 0; i < XY_ARRAY_SIZE(grid); i++)
		for (size_t k = 0; k < XY_ARRAY_SIZE(sizes); k++) {
			struct load load = grid[i];
			load.size = sizes[k];
			failed |= load_run(load, brief ? ROUNDS_SHORT : ROUNDS, json, nodes);
		}
	return failed;
}
