// SPDX-License-Identifier: BSD-3-Clause
// Keepalives end here as meant: wg_open has already noted when they came.
#include "node.h"

static void chunk(struct rte_graph *graph, struct rte_node *node, struct xy_worker *w, void **objs,
		  unsigned n)
{
	(void)graph;
	(void)node;
	rte_pktmbuf_free_bulk((struct rte_mbuf **)objs, n);
	XY_COUNT(w, consumed, n);
}
XY_NODE_CHUNKS(chunk)

static struct rte_node_register keepalive = {.name = "keepalive", .process = process};
RTE_NODE_REGISTER(keepalive);
