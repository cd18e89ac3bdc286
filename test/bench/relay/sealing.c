// SPDX-License-Identifier: BSD-3-Clause
// Datagrams as others send them.
#include "bench.h"

struct xy_aead_op seal_begin(struct bench *b, struct rte_mbuf *m, uint32_t end)
{
	uint32_t len = m->data_len, padded = RTE_ALIGN_CEIL(len, 16u);
	memset(rte_pktmbuf_append(m, (uint16_t)(padded - len + XY_WG_TAG_LEN)), 0, padded - len);
	struct xy_wg_data *msg = (struct xy_wg_data *)rte_pktmbuf_prepend(m, XY_WG_DATA_HEADER_LEN);
	*msg = (struct xy_wg_data){
		.type = XY_WG_DATA, .receiver = b->index[end], .counter = b->rx_counter[end]++};
	return (struct xy_aead_op){.key = &b->rx_key[end],
				   .suite = b->load.suite,
				   .counter = msg->counter,
				   .data = msg->box,
				   .len = padded,
				   .tag = msg->box + padded};
}

void received_by(struct rte_mbuf *m, uint32_t link)
{
	*xy_packet(m) = (struct xy_packet){.remote = {.addr = link_address(link), .port = 51820},
					   .local = own_address()};
}
