// SPDX-License-Identifier: BSD-3-Clause
// Opening transport messages (paper, section 5.4.6), in whatever wrapping they come: may the
// session receive here, AEAD over the burst, replay window, accounts. A node that opens finds the
// sessions that its wrapping may have, has each packet begin with the message, and says between
// check and take whether the session's end may send so. Workers, under RCU.
#pragma once

#include "node.h"

#include "aead.h"
#include "base/bytes.h"
#include "session.h"

// The first edges of such a node; its own come behind.
enum {
	XY_OPEN_HANDOVER,
	XY_OPEN_DROP_UNKNOWN_INDEX,
	XY_OPEN_DROP_EXPIRED,
	XY_OPEN_DROP_BAD_TAG,
	XY_OPEN_DROP_REPLAY,
	XY_OPEN_DROP_UNKNOWN_LANE,
	XY_OPEN_DROP_STALE,
	XY_OPEN_EDGES,
	XY_OPEN_GOOD = UINT8_MAX, // no edge: goes on
};
#define XY_OPEN_NEXT                                                                              \
	[XY_OPEN_HANDOVER] = "handover", [XY_OPEN_DROP_UNKNOWN_INDEX] = "drop_unknown_index",     \
	[XY_OPEN_DROP_EXPIRED] = "drop_session_expired", [XY_OPEN_DROP_BAD_TAG] = "drop_bad_tag", \
	[XY_OPEN_DROP_REPLAY] = "drop_replay", [XY_OPEN_DROP_UNKNOWN_LANE] = "drop_unknown_lane", \
	[XY_OPEN_DROP_STALE] = "drop_stale"

struct xy_open { // those of a chunk that go to the AEAD; not cleared before use: 4 KB
	struct xy_session *session[XY_BURST];
	struct rte_mbuf *m[XY_BURST];
	struct xy_aead_op op[XY_BURST];
	unsigned at[XY_BURST]; // their places in the chunk
	unsigned n;
};

// The counter of a message, which is checked by its tag alone.
static inline uint64_t xy_open_counter(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, const struct xy_wg_data *)->counter;
}

// Of sessions with several lanes (open.c): as xy_open_admit and xy_open_check, of a lane beside the
// first, and of any.
rte_edge_t xy_open_lane_admit(struct xy_worker *w, struct rte_mbuf *m, const struct xy_session *s);
rte_edge_t xy_open_lane_check(const struct xy_worker *w, struct xy_session *s, uint64_t counter);

static inline rte_edge_t xy_open_admit(struct xy_worker *w, struct rte_mbuf *m,
				       const struct xy_session *s)
{
	if (!s)
		return XY_OPEN_DROP_UNKNOWN_INDEX;
	if (w->now >= s->reject_at)
		return XY_OPEN_DROP_EXPIRED;
	if (unlikely(xy_session_lanes(s)) && xy_open_counter(m) >> XY_LANE_AT)
		return xy_open_lane_admit(w, m, s);
	uint32_t owner = __atomic_load_n(&s->owner, __ATOMIC_ACQUIRE);
	if (owner != w->id) { // another's window, or ours as soon as it has moved
		if (owner == (w->id | XY_OWNER_MOVING) && xy_lane_has_moved_rcu(w->dp, &s->moved))
			return XY_OPEN_GOOD;
		xy_packet(m)->worker = (uint8_t)(owner & ~XY_OWNER_MOVING);
		if (xy_packet(m)->worker != w->id)
			XY_SET(w->handed[xy_session_number(w->dp, s)],
			       w->handed[xy_session_number(w->dp, s)] + 1);
		return XY_OPEN_HANDOVER;
	}
	return XY_OPEN_GOOD;
}

// One that was admitted: from now on it is from the session's end.
static inline void xy_open_add(struct xy_open *b, unsigned at, struct rte_mbuf *m,
			       struct xy_session *s)
{
	struct xy_wg_data *msg = rte_pktmbuf_mtod(m, struct xy_wg_data *);
	uint32_t len = m->data_len - XY_WG_DATA_OVERHEAD;
	bool light = s->light && msg->counter & XY_WG_LIGHT_MARK && len > XY_WG_LIGHT_LEN;

	xy_packet(m)->from = s->end;
	b->session[b->n] = s;
	b->m[b->n] = m;
	b->at[b->n] = at;
	b->op[b->n++] = (struct xy_aead_op){.key = &s->recv,
					    .counter = msg->counter,
					    .data = msg->box,
					    .len = light ? (uint32_t)XY_WG_LIGHT_LEN : len,
					    .tag = msg->box + len,
					    .suite = s->suite};
}

// Behind the AEAD: is it the session's, and new? In which of its lanes.
static inline rte_edge_t xy_open_check(const struct xy_worker *w, struct xy_session *s,
				       const struct xy_aead_op *op, struct xy_lane **lane)
{
	if (!op->ok)
		return XY_OPEN_DROP_BAD_TAG;
	*lane = &s->lane;
	if (unlikely(xy_session_lanes(s))) {
		uint64_t number;
		*lane = xy_session_lane(s, op->counter, &number);
		return xy_open_lane_check(w, s, op->counter);
	}
	uint64_t counter = op->counter & (s->light ? ~XY_WG_LIGHT_MARK : UINT64_MAX);
	if (!xy_replay_accept(&s->lane.replay, counter, w->dp->cfg.limits.reject_after_messages))
		return XY_OPEN_DROP_REPLAY;
	return XY_OPEN_GOOD;
}

// Counts it, tells of a session's first, and leaves the overlay packet and its padding as the data.
static inline void xy_open_take(struct xy_worker *w, struct rte_mbuf *m, const struct xy_session *s,
				struct xy_lane *lane, const struct xy_aead_op *op)
{
	uint32_t len =
		(uint32_t)(op->tag - op->data); // more than what it covers, where that is light
	XY_SET(lane->rx_packets, lane->rx_packets + 1);
	XY_SET(lane->rx_any, w->now);
	if (len) {
		XY_SET(lane->rx_bytes, lane->rx_bytes + len);
		XY_SET(lane->rx_data, w->now);
	}
	if (unlikely(!lane->first_seen))
		lane->first_seen = xy_event_put(w, XY_DP_FIRST, xy_packet(m)->port, s->index, NULL);
	m->data_off += XY_WG_DATA_HEADER_LEN;
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
}
