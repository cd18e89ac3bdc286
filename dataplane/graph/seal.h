// SPDX-License-Identifier: BSD-3-Clause
// Sealing overlay packets as transport messages (paper, section 5.4.6), whatever is wrapped around
// them then: numbers, AEAD over the burst, accounts. A node that seals finds the session and says
// how far to pad; behind xy_seal_run each packet begins with its message. Workers, under RCU.
#pragma once

#include "node.h"

#include "aead.h"
#include "end.h"
#include "wire/e2e.h"

struct xy_seal { // those of a chunk that go to the AEAD; not cleared before use: 4 KB
	struct xy_session *session[XY_BURST];
	struct rte_mbuf *m[XY_BURST];
	struct xy_aead_op op[XY_BURST];
	unsigned n;
};

_Static_assert(XY_PEER_PROBE == XY_PEER_LANE + 1 && XY_PEER_SELF == XY_PEER_PROBE + 1 &&
		       XY_PEER_NONE == XY_PEER_SELF + 1,
	       "one comparison");
// Made here: nobody carries it for others.
static inline bool xy_seal_is_ours(const struct xy_packet *p)
{
	return p->from - XY_PEER_LANE < 3;
}

// The longest packet whose padding and tag find room behind it: one from an ordinary card may be
// in a shorter buffer than a jumbo card's links want.
static inline uint32_t xy_seal_room(const struct rte_mbuf *m)
{
	return m->buf_len - m->data_off - XY_TAILROOM;
}

// What sealing for an end will look at, for all of a burst before it does: two loads away from the
// packet.
static inline void xy_seal_fetch(const struct xy_worker *w, uint32_t end)
{
	uint32_t slot = __atomic_load_n(&w->dp->end[end].current, __ATOMIC_RELAXED);
	if (slot) {
		rte_prefetch0(&w->dp->session[slot - 1].send);
		rte_prefetch0(&w->dp->session[slot - 1].lane.tx_counter);
	}
}

// Zeros up to `padded` bytes, less than 16 more than there are, room for the tag behind, the header
// before. It fits (xy_seal_room).
static inline void xy_seal_add(struct xy_seal *b, struct rte_mbuf *m, struct xy_session *s,
			       uint32_t padded)
{
	static const uint8_t zeros[XY_WG_TAG_LEN];
	uint32_t len = m->data_len;
	uint8_t *pkt = rte_pktmbuf_mtod(m, uint8_t *);
	struct xy_wg_data *msg = (struct xy_wg_data *)(pkt - XY_WG_DATA_HEADER_LEN);
	RTE_ASSERT(padded <= xy_seal_room(m) && padded - len < sizeof(zeros));
	memcpy(pkt + len, zeros, sizeof(zeros)); // and some of the tag's place: no call for so few
	m->data_off -= XY_WG_DATA_HEADER_LEN;
	m->data_len = (uint16_t)(padded + XY_WG_DATA_OVERHEAD);
	m->pkt_len = m->data_len;
	*msg = (struct xy_wg_data){.type = XY_WG_DATA, .receiver = s->remote_index};
	bool light = s->send_light && padded > XY_WG_LIGHT_LEN && xy_e2e_is_data(pkt, len);
	b->session[b->n] = s;
	b->m[b->n] = m;
	b->op[b->n++] = (struct xy_aead_op){.key = &s->send,
					    .data = msg->box,
					    .tag = msg->box + padded,
					    .len = light ? (uint32_t)XY_WG_LIGHT_LEN : padded,
					    .suite = s->send_suite};
	xy_packet(m)->len = len;
}

// What follows a packet that is cut, to the same end, goes round with it: a flow stays in order. Of
// a chunk, *cut has the ends of those that were cut so far, told apart by 64 bits: one more that
// goes round is but a little later.
static inline void xy_seal_cut(uint64_t *cut, struct rte_mbuf *m)
{
	*cut |= UINT64_C(1) << (xy_packet(m)->next % 64);
}

static inline bool xy_seal_follows(uint64_t cut, struct rte_mbuf *m)
{
	if (likely(!(cut & UINT64_C(1) << (xy_packet(m)->next % 64))))
		return false;
	xy_packet(m)->limit = m->data_len; // fits
	return true;
}

void xy_seal_run(struct xy_worker *w, struct xy_seal *b);
