// SPDX-License-Identifier: BSD-3-Clause
#include "graph.h"

#include "compat.h"
#include <rte_errno.h>

// A stream may take packets of several sources and of ICMP errors at once; grown here, before
// traffic, because rte_graph grows a stream with realloc in the middle of a walk.
#define STREAM_SIZE 1024

static const char *const sources[] = {"ring_rx", "port_rx", "host_rx"};

static void prepare(struct xy_worker *w)
{
	rte_node_t count;
	rte_graph_off_t off;
	struct rte_node *node;

	rte_graph_foreach_node(count, off, w->graph, node)
	{
		memcpy(node->ctx, &w, sizeof(w));
		if (node->size < STREAM_SIZE)
			__rte_node_stream_alloc_size(w->graph, node, STREAM_SIZE);
	}
}

static void name_of(const struct xy_worker *w, char name[static RTE_GRAPH_NAMESIZE])
{
	snprintf(name, RTE_GRAPH_NAMESIZE, "worker%u", w->id);
}

int xy_graph_create(struct xy_worker *w, struct xy_err *err)
{
	char name[RTE_GRAPH_NAMESIZE];
	const char *patterns[RTE_DIM(sources)];
	struct rte_graph_param param = {.socket_id = SOCKET_ID_ANY,
					.nb_node_patterns = RTE_DIM(sources),
					.node_patterns = patterns};

	memcpy(patterns, sources, sizeof(patterns));
	name_of(w, name);
	if (rte_graph_create(name, &param) == RTE_GRAPH_ID_INVALID)
		return xy_err_set(err, ENOMEM, "graph of worker %u: %s", w->id,
				  rte_strerror(rte_errno));
	w->graph = rte_graph_lookup(name);
	prepare(w);
	return 0;
}

void xy_graph_destroy(struct xy_worker *w)
{
	char name[RTE_GRAPH_NAMESIZE];
	if (!w->graph)
		return;
	name_of(w, name);
	rte_graph_destroy(rte_graph_from_name(name));
	w->graph = NULL;
}

// --- walking

// Reading the TSC costs some 30 cycles, and rte_graph_walk does it twice for each node: a third of
// what a packet costs that comes alone. So it is read once between two nodes, and of short walks
// one in so many stands for all.
enum { SHORT = 16, ONE_OF = 16 };

// As rte_graph_walk; sources have places below zero.
static inline __attribute__((always_inline)) void walk(struct rte_graph *g, unsigned stands_for)
{
	const rte_graph_off_t *at = g->cir_start;
	uint32_t head = g->head;
	uint64_t before = stands_for ? rte_rdtsc() : 0;

	while (likely(head != g->tail)) {
		struct rte_node *node = RTE_PTR_ADD(g, at[(int32_t)head++]);
		uint16_t n = node->process(g, node, node->objs, node->idx);
		if (stands_for) {
			uint64_t now = rte_rdtsc();
			node->total_cycles += (now - before) * stands_for;
			before = now;
		}
		node->total_calls++;
		node->total_objs += n;
		node->idx = 0;
		head = (int32_t)head > 0 ? head & g->cir_mask : head;
	}
	g->tail = 0;
}

// By the walk before: what this one finds is not known yet, and must not decide.
void xy_graph_walk(struct xy_worker *w)
{
	uint64_t came = w->came;
	if (!w->short_walk)
		walk(w->graph, 1);
	else if (++w->untimed < ONE_OF)
		walk(w->graph, 0);
	else {
		w->untimed = 0;
		walk(w->graph, ONE_OF);
	}
	w->short_walk = w->came - came < SHORT;
}

// The worker adds to these in its walk meanwhile: read once, whole, never twice.
static struct xy_dp_node_stats stats_of(const struct rte_node *node)
{
	return (struct xy_dp_node_stats){
		.name = node->name,
		.calls = __atomic_load_n(&node->total_calls, __ATOMIC_RELAXED),
		.packets = __atomic_load_n(&node->total_objs, __ATOMIC_RELAXED),
		.cycles = __atomic_load_n(&node->total_cycles, __ATOMIC_RELAXED)};
}

unsigned xy_dp_graph_stats(const struct xy_dp *dp, unsigned worker, struct xy_dp_node_stats *out,
			   unsigned max)
{
	rte_node_t count;
	rte_graph_off_t off;
	struct rte_node *node;
	unsigned n = 0;

	if (worker >= dp->workers)
		return 0;
	rte_graph_foreach_node(count, off, dp->worker[worker]->graph, node)
	{
		if (n < max)
			out[n] = stats_of(node);
		n++;
	}
	return n;
}

void xy_dp_graph_edges(void (*fn)(void *arg, const char *node, const char *next), void *arg)
{
	for (rte_node_t id = 0; !rte_node_is_invalid(id) && id < rte_node_max_count(); id++) {
		char *next[64];
		rte_edge_t edges = rte_node_edge_count(id);
		if (edges > RTE_DIM(next) || rte_node_edge_get(id, NULL) > sizeof(next))
			continue;
		rte_node_edge_get(id, next);
		for (rte_edge_t e = 0; e < edges; e++)
			fn(arg, rte_node_id_to_name(id), next[e]);
	}
}
