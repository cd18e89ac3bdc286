// SPDX-License-Identifier: BSD-3-Clause
// Every drop reason is a terminal node, so that it has a name, a counter and a place in the
// picture.
#include "node.h"

#include "base/list.h"
#include "blame.h"

#define DROP_PREFIX "drop_"

struct drop_ctx { // in node->ctx; the worker comes first, as in every node
	struct xy_worker *w;
	uint32_t reason;
};
_Static_assert(sizeof(struct drop_ctx) <= RTE_NODE_CTX_SZ, "fits the node's context");

const char *const xy_drop_name[XY_DROP_COUNT] = {XY_DROPS(XY_LIST_NAME)};
const char *const xy_drop_text[XY_DROP_COUNT] = {XY_DROPS(XY_LIST_TEXT)};

static int init(const struct rte_graph *graph, struct rte_node *node)
{
	struct drop_ctx *ctx = (struct drop_ctx *)node->ctx;
	(void)graph;
	for (ctx->reason = 0; ctx->reason < XY_DROP_COUNT; ctx->reason++)
		if (strcmp(node->name + strlen(DROP_PREFIX), xy_drop_name[ctx->reason]) == 0)
			return 0;
	return -ENOENT;
}

static uint16_t process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	const struct drop_ctx *ctx = (const struct drop_ctx *)node->ctx;
	(void)graph;
	xy_blame_burst(ctx->w, (enum xy_drop)ctx->reason, objs, n);
	xy_capture_burst(ctx->w, XY_DP_CAPTURE_DROP, ctx->reason, objs, n);
	rte_pktmbuf_free_bulk((struct rte_mbuf **)objs, n);
	xy_count_drop(ctx->w, (enum xy_drop)ctx->reason, n);
	return n;
}

#define X(NAME, reason, text)                                                   \
	static struct rte_node_register drop_##reason = {                       \
		.name = DROP_PREFIX #reason, .process = process, .init = init}; \
	RTE_NODE_REGISTER(drop_##reason)
XY_DROPS(X)
#undef X
