// SPDX-License-Identifier: BSD-3-Clause
// Sink: overlay packets for this host, by the attachment that their route names.
#include "node.h"

enum { DROP_HOST_DOWN, EDGES };

// How many from the first on go to the same attachment.
static unsigned run_of(void *const *objs, unsigned n)
{
	uint32_t id = xy_packet(xy_node_mbuf(objs[0]))->host;
	unsigned run = 1;
	while (run < n && xy_packet(xy_node_mbuf(objs[run]))->host == id)
		run++;
	return run;
}

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	const struct xy_host_list *list = __atomic_load_n(&w->dp->hosts, __ATOMIC_ACQUIRE);
	for (unsigned at = 0, run; at < n; at += run) {
		run = run_of(objs + at, n - at);
		uint32_t id = xy_packet(xy_node_mbuf(objs[at]))->host;
		struct xy_host *host = list && id < XY_DP_HOSTS ? list->host[id] : NULL;
		xy_capture_burst(w, XY_DP_CAPTURE_TO_HOST, 0, objs + at, host ? run : 0);
		if (host)
			host->ops->tx_burst_rcu(host, w, (struct rte_mbuf **)objs + at,
						(uint16_t)run);
		else
			rte_node_enqueue(graph, node, DROP_HOST_DOWN, objs + at, (uint16_t)run);
	}
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register host_tx = {
	.name = "host_tx",
	.process = process,
	.nb_edges = EDGES,
	.next_nodes = {[DROP_HOST_DOWN] = "drop_host_down"},
};
RTE_NODE_REGISTER(host_tx);
