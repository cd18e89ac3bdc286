// SPDX-License-Identifier: BSD-3-Clause
// Which kind of WireGuard message a packet begins with, in whatever wrapping it came: transport
// data is to be opened, a handshake message is the control plane's, of one that we know or of a
// stranger. Workers, under RCU.
#pragma once

#include "node.h"

#include "base/bytes.h"
#include "session.h"

// The edges of a node that asks.
enum { XY_MESSAGE_OPEN, XY_MESSAGE_PUNT, XY_MESSAGE_DROP_NOT_WIREGUARD, XY_MESSAGE_EDGES };

// A flood of strangers must not crowd out those we know.
struct xy_message_punts {
	bool (*knows)(const struct xy_dp *dp,
		      struct rte_mbuf *m); // who begins a handshake, by its source
	enum xy_punt known, stranger;
};

// receiver: where an answer has the index of ours that it is for, which only who saw that can know;
// 0: it is none.
static inline rte_edge_t xy_message_punt(const struct xy_dp *dp, struct rte_mbuf *m,
					 const struct xy_message_punts *p, size_t receiver)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	bool known = receiver ? xy_session_is_ours_rcu(dp, xy_le32_load(data + receiver))
			      : p->knows(dp, m);
	xy_packet(m)->punt = (uint8_t)(known ? p->known : p->stranger);
	return XY_MESSAGE_PUNT;
}

// Of the message before, in a burst: the next one mostly is of the same session or of any other.
struct xy_message_last {
	uint64_t index; // of 32 bits, or XY_MESSAGE_FIRST
	uint32_t slot;
};
#define XY_MESSAGE_FIRST UINT64_MAX

static inline rte_edge_t xy_message_open(const struct xy_dp *dp, struct rte_mbuf *m,
					 struct xy_message_last *last)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	struct xy_packet *p = xy_packet(m);
	uint64_t index = xy_le32_load(data + offsetof(struct xy_wg_data, receiver));
	if (index != last->index) {
		*last = (struct xy_message_last){index, xy_session_slot(dp, (uint32_t)index)};
		rte_prefetch0(&dp->session[last->slot]);
	}
	p->index = (uint32_t)index;
	p->slot = last->slot;
	return XY_MESSAGE_OPEN;
}

static inline rte_edge_t xy_message_look(const struct xy_dp *dp, struct rte_mbuf *m,
					 const struct xy_message_punts *p,
					 struct xy_message_last *last)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	if (likely(xy_wg_is_data(data, m->data_len)))
		return xy_message_open(dp, m, last);
	switch (xy_wg_classify(data, m->data_len)) {
	case XY_WG_INITIATION:
		return xy_message_punt(dp, m, p, 0);
	case XY_WG_RESPONSE:
		return xy_message_punt(dp, m, p, offsetof(struct xy_wg_response, receiver));
	case XY_WG_COOKIE_REPLY:
		return xy_message_punt(dp, m, p, offsetof(struct xy_wg_cookie_reply, receiver));
	case XY_WG_DATA: // is told above
		break;
	}
	return XY_MESSAGE_DROP_NOT_WIREGUARD;
}
