// SPDX-License-Identifier: BSD-3-Clause
#include "gather.h"

#include <rte_memcpy.h>

static void lose(struct xy_gather *g, uint32_t *count)
{
	(*count)++;
	rte_pktmbuf_free(g->begun);
	g->begun = NULL;
	g->skip = true;
}

static void begin(struct xy_gather *g)
{
	g->begun = rte_pktmbuf_alloc(g->pool);
	if (g->begun)
		g->begun->data_off = XY_HEADROOM + XY_FRAME_SHIFT;
	else
		lose(g, &g->no_buffer);
}

static void put(struct xy_gather *g, const uint8_t *piece, uint32_t len)
{
	if (len > rte_pktmbuf_tailroom(g->begun) || g->pieces > XY_GATHER_PIECES) {
		lose(g, &g->too_long);
		return;
	}
	rte_memcpy(rte_pktmbuf_mtod_offset(g->begun, void *, g->begun->data_len), piece, len);
	g->begun->data_len = (uint16_t)(g->begun->data_len + len);
	g->begun->pkt_len = g->begun->data_len;
}

struct rte_mbuf *xy_gather_add(struct xy_gather *g, const uint8_t *piece, uint32_t len, bool more)
{
	struct rte_mbuf *whole;
	if (g->pieces++ == 0)
		begin(g);
	if (!g->skip)
		put(g, piece, len);
	if (more)
		return NULL;
	whole = g->begun;
	g->begun = NULL;
	g->pieces = 0;
	g->skip = false;
	return whole;
}

void xy_gather_end(struct xy_gather *g)
{
	rte_pktmbuf_free(g->begun);
	g->begun = NULL;
	g->pieces = 0;
	g->skip = false;
}
