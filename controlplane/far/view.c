// SPDX-License-Identifier: BSD-3-Clause
// What is going on, for those who look.
#include "far/fars.h"

const char *const xy_far_state_text[XY_FAR_STATES] = {
	[XY_FAR_MEETING] = "meeting", [XY_FAR_IDLE] = "idle", [XY_FAR_HANDSHAKE] = "handshake",
	[XY_FAR_DOWN] = "down",	      [XY_FAR_UP] = "up",     [XY_FAR_SILENT] = "silent",
	[XY_FAR_REFUSED] = "bad key",
};

bool xy_fars_next(const struct xy_fars *f, uint32_t *number, unsigned most)
{
	uint32_t at = *number < f->cfg.first ? 0 : *number - f->cfg.first;
	for (; at < f->cfg.max && most && !f->node[at]; most--)
		at++;
	*number = f->cfg.first + at;
	return at < f->cfg.max && f->node[at];
}

static enum xy_far_state state_of(const struct xy_fars *f, const struct xy_far_node *n, xy_nsec now)
{
	const struct xy_exchanges *e = f->cfg.exchanges;
	const struct xy_exchange *x = &n->exchange;
	if (n->phase == XY_FAR_CANNOT)
		return XY_FAR_REFUSED;
	if (n->phase != XY_FAR_READY)
		return XY_FAR_MEETING;
	if (xy_exchange_is_up(e, x, now))
		return xy_exchange_is_well(e, x, now) || xy_exchange_is_heard(e, x, now)
			       ? XY_FAR_UP
			       : XY_FAR_SILENT;
	if (x->timers.attempt_start)
		return x->unanswered ? XY_FAR_DOWN : XY_FAR_HANDSHAKE;
	return x->unanswered ? XY_FAR_DOWN : XY_FAR_IDLE;
}

static unsigned sessions_of(const struct xy_far_node *n, struct xy_far_session out[3])
{
	static const char *const use[XY_KEYPAIR_SLOTS] = {[XY_KEYPAIR_PREVIOUS] = "previous",
							  [XY_KEYPAIR_CURRENT] = "current",
							  [XY_KEYPAIR_NEXT] = "next"};
	unsigned count = 0;
	for (unsigned i = 0; i < XY_KEYPAIR_SLOTS; i++) {
		const struct xy_keypair *p = &n->exchange.keypairs.slot[i];
		if (p->live)
			out[count++] = (struct xy_far_session){p->index, p->initiator, use[i]};
	}
	return count;
}

bool xy_fars_info(const struct xy_fars *f, uint32_t number, xy_nsec now, struct xy_far_info *out)
{
	const struct xy_far_node *n = xy_far_at(f, number);
	if (!n)
		return false;
	const struct xy_keypair *current = xy_keypairs_current(&n->exchange.keypairs);
	*out = (struct xy_far_info){
		.number = number,
		.key = n->key,
		.addr = n->addr,
		.state = state_of(f, n, now),
		.provisional = n->provisional,
		.pins = n->pins,
		.via = n->via,
		.since = n->since,
		.session_born = current ? current->born : 0,
		.last_handshake = n->exchange.last_handshake,
		.active = n->active,
		.mtu = n->mtu,
		.handshakes_sent = n->exchange.sent,
		.handshakes_failed = n->exchange.failed,
		.fallbacks = n->exchange.suite.fallbacks,
		.lanes = xy_exchange_lanes(&n->exchange),
		.lanes_why = xy_exchange_lanes_why(f->cfg.exchanges, &n->exchange),
	};
	out->session_count = sessions_of(n, out->session);
	xy_dp_peer_stats(f->cfg.dp, number, &out->stats);
	return true;
}

void xy_fars_counts(const struct xy_fars *f, struct xy_fars_counts *out)
{
	*out = (struct xy_fars_counts){
		.count = f->cfg.max - f->free_count,
		.limit = f->cfg.max,
		.provisional = f->provisional_count,
		.pinned = f->pinned_count,
		.made = f->made,
		.ended = f->ended,
		.evicted = f->evicted,
		.refused = f->refused,
		.unanswered = f->unanswered,
		.keyless = f->keyless,
	};
}

bool xy_fars_keyless(const struct xy_fars *f, xy_nsec now, struct xy_prefix *net)
{
	*net = f->keyless_net;
	return f->keyless_at && now - f->keyless_at < XY_FAR_KEYLESS_TIME;
}
