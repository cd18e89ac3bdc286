// SPDX-License-Identifier: BSD-3-Clause
#include "reply.h"

struct xy_addr xy_reply_dummy(void)
{
	return xy_addr_from_v4(UINT32_C(0xc0000008));
}

struct rte_mbuf *xy_reply_make(struct xy_worker *w, enum xy_icmp_error kind, uint32_t limit,
			       const struct xy_addr *from, struct rte_mbuf *about)
{
	struct rte_mbuf *reply;
	if (xy_buffers_alloc(w, &reply, 1))
		return NULL;
	size_t len =
		xy_icmp_error_build(kind, limit, from, rte_pktmbuf_mtod(about, const uint8_t *),
				    about->data_len, rte_pktmbuf_mtod(reply, uint8_t *));
	if (!len) {
		rte_pktmbuf_free(reply);
		return NULL;
	}
	rte_pktmbuf_append(reply, (uint16_t)len);
	xy_packet(reply)->from = XY_PEER_SELF;
	xy_packet(reply)->version = xy_packet(about)->version;
	XY_COUNT(w, generated, 1);
	return reply;
}
