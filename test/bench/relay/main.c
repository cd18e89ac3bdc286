// SPDX-License-Identifier: BSD-3-Clause
// What forwarding costs, memory to memory: packets sealed under many sessions in, looked up, sealed
// for the next hop out, through the daemon's own graph and nodes on one core. In the same run the
// bare library opens and seals the same buffers in the same bursts, so "beyond AEAD" is what is
// ours: table and session lookups, their cache misses, the second key, headers, counters.
//   bench_relay [--short] [--json] [--nodes] [--frames] [--aes] [--light]
// --aes: all sessions in AES-256-GCM, as between nodes that are faster at it; else in WireGuard's.
// --light: links seal the heads alone of what is sealed end to end, which is all that a relay has.
// Both sides start equally cold: a round writes all 8,192 buffers (17 MB, beyond the second cache)
// in order before either reads them in order. What the bare side gets for nothing, a warm first
// line and one key for both its passes, counts against us. What it waits for cold buffers does not:
// so it is measured on hot ones as well, and what is ours is told against both.
// A figure is the median over bursts, not a mean: a burst that the scheduler interrupts costs
// a thousand others, and half of all would have to be hit to move a median.
// --nodes: cycles of each node, and of the least that any relay does here (floor.c).
// --frames: what a card's frames cost on top, round by round in turn: without them, with UDP over
// IPv4 without a checksum, with one; of the 10th of 100 bursts each. Every packet that comes out is
// opened and compared; a drop or a wrong tag fails the run, a budget that is not met does not.
// Edges are measured likewise, with a host interface in memory: what this host sends to a
// neighbour or has from one, sealed once, and to and from a node beyond, sealed twice.
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS_MAX = 64 };

_Noreturn void die(const char *what, const struct xy_err *err)
{
	fprintf(stderr, "bench relay: %s: %s\n", what, err ? err->text : "failed");
	exit(1);
}

static void nodes_sum(struct bench *b, struct result *r)
{
	struct xy_dp_node_stats s[NODES_MAX];
	unsigned n = b->node ? xy_dp_graph_stats(b->dp, 0, s, NODES_MAX) : 0;
	for (unsigned i = 0; i < RTE_MIN(n, (unsigned)NODES_MAX); i++) {
		struct node_cost *c = &r->node[r->nodes];
		if (!b->node[i].n)
			continue;
		snprintf(c->name, sizeof(c->name), "%s", s[i].name);
		c->cycles = percentile(&b->node[i], 50, b->load.burst);
		r->nodes++;
	}
}

static void sum(struct bench *b, struct samples *best, struct result *r)
{
	r->load = b->load;
	r->tsc_hz = (double)xy_dp_tsc_hz(b->dp);
	r->forward = percentile(b->forward, 50, b->load.burst);
	r->forward_p10 = percentile(b->forward, 10, b->load.burst);
	r->forward_p90 = percentile(b->forward, 90, b->load.burst);
	r->aead = percentile(b->aead, 50, b->load.burst);
	r->best = percentile(best, 50, b->load.burst);
	snprintf(r->cipher, sizeof(r->cipher), "%s", xy_aead_tell(b->cipher, b->load.suite));
	snprintf(r->memory, sizeof(r->memory), "%s", xy_dp_memory(b->dp));
	nodes_sum(b, r);
}

static double floor_measure(struct bench *b, unsigned rounds)
{
	b->floor = need(1, sizeof(*b->floor));
	b->turn = turn_floor;
	for (unsigned i = 0; i < rounds; i++)
		relay_round(b);
	b->turn = turn_timed;
	return percentile(b->floor, 50, b->load.burst);
}

static void load_measure(struct bench *b, const struct options *o, struct result *r)
{
	unsigned rounds = o->brief ? ROUNDS_SHORT : ROUNDS;
	void (*round)(struct bench *) = b->load.path == RELAY ? relay_round : edge_round;
	b->forward = need(1, sizeof(*b->forward));
	b->aead = need(1, sizeof(*b->aead));
	b->turn = turn_timed;
	mesh_make(b);
	round(b); // warms up, and is not counted
	b->forward->n = b->aead->n = 0;
	if (o->nodes)
		b->node = need(NODES_MAX, sizeof(*b->node));
	struct samples *best = need(1, sizeof(*best));
	for (unsigned i = 0; i < rounds; i++) {
		round(b);
		best_measure(b, 1, best);
	}
	sum(b, best, r);
	if (o->nodes && b->load.path == RELAY)
		r->floor = floor_measure(b, rounds);
	if (!o->frames || b->load.path != RELAY)
		return;
	b->way = need(WAYS, sizeof(*b->way));
	relay_ways(b, rounds, r);
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
		bool aes = strcmp(argv[i], "--aes") == 0;
		bool light = strcmp(argv[i], "--light") == 0;
		if (!brief && !json && !nodes && !frames && !aes && !light) {
			fprintf(stderr,
				"bench relay: unknown argument '%s'; use [--short] [--json] "
				"[--nodes] [--frames] [--aes] [--light]\n",
				argv[i]);
			exit(2);
		}
		o->brief |= brief;
		o->json |= json;
		o->nodes |= nodes;
		o->frames |= frames;
		o->aes |= aes;
		o->light |= light;
	}
}

// As large as what a link of 1,500 bytes carries: of an edge, so that it is when it is sealed.
static unsigned loads_make(struct load *out)
{
	static const uint32_t sizes[] = {64, 512, 1420}, edge_sizes[] = {64, 512, 1344};
	static const struct load grid[] = {
		{RELAY, 1, 1, 0, 1},
		{RELAY, 1, 1, 0, 4},
		{RELAY, 1, 1, 0, 16},
		{RELAY, 1, 1, 0, 64},
		{RELAY, 1, 1000, 0, 64},
		{RELAY, 100, 1000, 0, 64},
		{RELAY, 10000, 1000, 0, 64},
		{RELAY, 1, 1000000, 0, 64},
		{RELAY, 10000, 1000000, 0, 1},
		{RELAY, 10000, 1000000, 0, 4},
		{RELAY, 10000, 1000000, 0, 16},
		{RELAY, 10000, 1000000, 0, 64},
		{TO_LINK, 1, 1, 0, 64},
		{TO_LINK, 10000, 10000, 0, 64},
		{FROM_LINK, 1, 1, 0, 64},
		{FROM_LINK, 10000, 10000, 0, 64},
		{TO_FAR, 1, 1, 0, 64},
		{TO_FAR, 10000, 10000, 0, 64},
		{FROM_FAR, 1, 1, 0, 64},
		{FROM_FAR, 10000, 10000, 0, 64},
	};
	unsigned n = 0;
	for (unsigned i = 0; i < XY_ARRAY_SIZE(grid); i++)
		for (unsigned k = 0; k < XY_ARRAY_SIZE(sizes); k++) {
			out[n] = grid[i];
			out[n++].size = grid[i].path == RELAY ? sizes[k] : edge_sizes[k];
		}
	return n;
}

int main(int argc, char **argv)
{
	struct options o = {0};
	struct load load[ROWS_MAX];
	unsigned rows = loads_make(load);

	options_read(&o, argc, argv);
	struct result *r = mmap(NULL, ROWS_MAX * sizeof(*r), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r == MAP_FAILED)
		die("memory", NULL);
	for (unsigned n = 0; n < rows; n++) {
		load[n].suite = o.aes ? XY_AEAD_AES_256_GCM : XY_AEAD_CHACHA20_POLY1305;
		load[n].light = o.light;
		if (load_run(load[n], &o, &r[n]))
			return 1;
		if (n == 0)
			head_print(r, o.brief ? ROUNDS_SHORT : ROUNDS, o.json);
		else if (o.json)
			printf(",");
		else if (load[n].path != RELAY && load[n - 1].path == RELAY)
			edge_head_print();
		result_print(&r[n], o.json);
	}
	budgets_print(r, rows, o.json);
	return 0;
}
