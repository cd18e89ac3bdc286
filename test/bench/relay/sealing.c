// SPDX-License-Identifier: BSD-3-Clause
// Datagrams as others send them.
#include "bench.h"

#include "wire/e2e.h"

struct xy_aead_op op_of(const struct bench *b, struct xy_wg_data *msg, uint32_t len,
			const struct xy_aead_schedule *key)
{
	bool light = b->load.light && msg->counter & XY_WG_LIGHT_MARK;
	return (struct xy_aead_op){.key = key,
				   .suite = b->load.suite,
				   .counter = msg->counter,
				   .data = msg->box,
				   .len = light ? (uint32_t)XY_WG_LIGHT_LEN : len,
				   .tag = msg->box + len};
}

struct xy_aead_op seal_begin(struct bench *b, struct rte_mbuf *m, uint32_t end)
{
	uint32_t len = m->data_len, padded = RTE_ALIGN_CEIL(len, 16u);
	bool light = b->load.light && end < b->links && padded > XY_WG_LIGHT_LEN &&
		     xy_e2e_is_data(rte_pktmbuf_mtod(m, const uint8_t *), len);
	memset(rte_pktmbuf_append(m, (uint16_t)(padded - len + XY_WG_TAG_LEN)), 0, padded - len);
	struct xy_wg_data *msg = (struct xy_wg_data *)rte_pktmbuf_prepend(m, XY_WG_DATA_HEADER_LEN);
	*msg = (struct xy_wg_data){
		.type = XY_WG_DATA, .receiver = b->index[end], .counter = b->rx_counter[end]++};
	if (light)
		msg->counter |= XY_WG_LIGHT_MARK;
	return op_of(b, msg, padded, &b->rx_key[end]);
}

void received_by(struct rte_mbuf *m, uint32_t link)
{
	*xy_packet(m) = (struct xy_packet){.remote = {.addr = link_address(link), .port = 51820},
					   .local = own_address()};
}
