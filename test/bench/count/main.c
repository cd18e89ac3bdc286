// SPDX-License-Identifier: BSD-3-Clause
// How many instructions each node of the graph takes, counted by callgrind: what bench_relay times,
// at rest. Keys, tables and packets are the same in every run, and the cipher is the library's on
// every CPU, so a count is the same wherever the same compiler made the program.
//   valgrind --tool=callgrind --instr-atstart=no --collect-atstart=no bench_count LOAD
// leaves one dump for each node, with its name as the reason and all calls of it in TURNS turns of
// the worker's loop; count.sh reads them.
//   bench_count                    which loads there are
//   bench_count --packets LOAD     in as many turns as are counted
//   bench_count --build            whose counts these are: compiler, optimization, DPDK
#include "../relay/bench.h"

#include "aead_choice.h"

#include <sodium.h>
#include <stdlib.h>
#include <valgrind/callgrind.h>

enum { TURNS = 16 }; // of each node

static const struct {
	const char *name;
	struct load load;
} loads[] = {
	{"relay, one session", {RELAY, 1, 1, 64, 64}},
	{"relay, 100 sessions", {RELAY, 100, 1000, 64, 64}},
	{"relay, bursts of 4", {RELAY, 100, 1000, 64, 4}},
	{"relay, bursts of 1", {RELAY, 100, 1000, 64, 1}},
	{"host to neighbour", {TO_LINK, 100, 100, 64, 64}},
	{"neighbour to host", {FROM_LINK, 100, 100, 64, 64}},
	{"host to far node", {TO_FAR, 100, 100, 64, 64}},
	{"far node to host", {FROM_FAR, 100, 100, 64, 64}},
};

static struct {
	rte_node_process_t process[NODES_MAX];
	bool called[NODES_MAX];
	unsigned node; // that is counted now, or NODES_MAX
	unsigned turns;
} count = {.node = NODES_MAX};

_Noreturn void die(const char *what, const struct xy_err *err)
{
	fprintf(stderr, "bench count: %s: %s\n", what, err ? err->text : "failed");
	exit(1);
}

// --- the same random numbers in every run

static uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);

static uint32_t fixed(void)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 32);
}

static void fixed_buf(void *const buf, const size_t size)
{
	uint8_t *at = buf;
	for (size_t i = 0; i < size; i++)
		at[i] = (uint8_t)(fixed() >> 24);
}

static const char *fixed_name(void)
{
	return "fixed";
}

static struct randombytes_implementation randomness = {
	.implementation_name = fixed_name, .random = fixed, .buf = fixed_buf};

// Which of two is faster is different from machine to machine, and so is how they are called.
static void cipher_fix(void)
{
	void *mb = xy_aead_chacha_mb.create();
	if (!mb)
		die("cipher", NULL);
	struct xy_aead_choice *c = xy_aead_choice(mb);
	memset(c->use, 0, sizeof(c->use));
	xy_aead_choice_tell(c);
	xy_aead_chacha_mb.destroy(mb);
}

// --- counting

// In place of every node's process().
static uint16_t counted(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	rte_node_process_t process = count.process[node->id];
	count.called[node->id] = true;
	if (node->id != count.node)
		return process(graph, node, objs, n);
	CALLGRIND_TOGGLE_COLLECT;
	uint16_t done = process(graph, node, objs, n);
	CALLGRIND_TOGGLE_COLLECT;
	return done;
}

static void nodes_wrap(struct bench *b)
{
	rte_node_t i;
	rte_graph_off_t off;
	struct rte_node *node;
	rte_graph_foreach_node(i, off, b->dp->worker[0]->graph, node)
	{
		if (node->id >= NODES_MAX)
			die("more nodes than there is room for", NULL);
		count.process[node->id] = node->process;
		node->process = counted;
	}
}

static void turn(struct bench *b)
{
	struct xy_worker *w = b->dp->worker[0];
	unsigned node = count.node;
	if (++count.turns > TURNS)
		count.node = NODES_MAX;
	xy_graph_walk(w);
	count.node = node;
	rte_rcu_qsbr_quiescent(b->dp->rcu, 0);
}

static void measure(struct bench *b)
{
	void (*round)(struct bench *) = b->load.path == RELAY ? relay_round : edge_round;
	mesh_make(b);
	b->dp->worker[0]->now = clock_now(); // and stays: nothing ends or is told again meanwhile
	nodes_wrap(b);
	round(b); // what a session does once
	CALLGRIND_START_INSTRUMENTATION;
	for (unsigned i = 0; i < NODES_MAX; i++) {
		if (!count.called[i])
			continue;
		count.node = i;
		count.turns = 0;
		CALLGRIND_ZERO_STATS;
		round(b);
		CALLGRIND_DUMP_STATS_AT(rte_node_id_to_name(i));
	}
	CALLGRIND_STOP_INSTRUMENTATION;
}

static const struct load *load_of(const char *name)
{
	for (size_t i = 0; i < XY_ARRAY_SIZE(loads); i++)
		if (strcmp(name, loads[i].name) == 0)
			return &loads[i].load;
	fprintf(stderr, "bench count: there is no load '%s'\n", name);
	exit(2);
}

static void tell(int argc, char **argv)
{
	for (size_t i = 0; argc == 1 && i < XY_ARRAY_SIZE(loads); i++)
		puts(loads[i].name);
	if (argc == 2)
		puts(COUNT_BUILD);
	if (argc == 3)
		printf("%u\n", TURNS * load_of(argv[2])->burst);
}

int main(int argc, char **argv)
{
	static struct bench b;
	static struct samples forward, aead;
	if (argc == 1 || argv[1][0] == '-') {
		tell(argc, argv);
		return 0;
	}
	randombytes_set_implementation(&randomness);
	b.load = *load_of(argv[1]);
	b.turn = turn;
	b.forward = &forward;
	b.aead = &aead;
	cipher_fix();
	measure(&b);
	return 0;
}
