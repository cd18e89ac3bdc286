// SPDX-License-Identifier: BSD-3-Clause
// Sessions of an exchange: from keys to the dataplane, and out of it again.
#define XY_LOG_PART XY_PART_LINKS

#include "exchange/exchanges.h"

#include <inttypes.h>
#include <sodium.h>

#define MOVE_MIN_PACKETS 32 // judged over at least so many

int xy_exchange_session_reserve(struct xy_exchanges *e, struct xy_exchange *x, uint32_t *index,
				const struct xy_exchange_place *asked_from, xy_nsec now)
{
	unsigned long missed;
	int r = xy_dp_session_reserve(e->dp, x->number, index);
	if (!r) {
		r = xy_map_set(&e->by_index, *index, x->number);
		if (r)
			xy_dp_session_del(e->dp, *index);
	}
	if (r) {
		xy_exchanges_drop(e, XY_HS_DROP_NO_INDEX, x, asked_from);
		if (xy_log_limit_pass(&e->log_no_index, now, &missed))
			xy_log_warn("no free session for %s %s: raise max_sessions in the config "
				    "(%lu more like this)",
				    xy_exchange_kind(e, x), xy_exchange_name(e, x), missed);
	}
	return r;
}

void xy_exchange_session_free(struct xy_exchanges *e, uint32_t index)
{
	xy_map_del(&e->by_index, index);
	xy_dp_session_del(e->dp, index);
}

unsigned xy_exchange_sessions(const struct xy_exchange *x)
{
	unsigned n = 0;
	for (unsigned i = 0; i < XY_KEYPAIR_SLOTS; i++)
		n += x->keypairs.slot[i].live;
	return n;
}

static void let_go(struct xy_exchanges *e, const struct xy_keypair_drops *drops)
{
	for (unsigned i = 0; i < drops->n; i++)
		xy_exchange_session_free(e, drops->index[i]);
}

static void became_current(struct xy_exchanges *e, struct xy_exchange *x, uint32_t index,
			   bool initiator, xy_nsec now)
{
	xy_dp_session_use(e->dp, index);
	xy_wg_timers_session(&x->timers, now, initiator);
	x->last_handshake = now;
	x->unanswered = false;
	x->answers_unused = 0;
	xy_exchange_lanes_begun(e, x, index, now);
	xy_exchange_tell(e, x, XY_EXCHANGE_CURRENT, now);
}

// False: there is none, and who made it must not be told of one.
bool xy_exchange_session_begun(struct xy_exchanges *e, struct xy_exchange *x,
			       const struct xy_job *job, bool initiator, xy_nsec now)
{
	struct xy_keypair_drops drops = {0};
	struct xy_dp_session_keys keys = {.remote_index = job->state.remote_index,
					  .owner = job->at.worker,
					  .port = job->at.inside ? XY_DP_PORTS : job->at.heard.port,
					  .suite = job->state.suite,
					  .born = now};
	memcpy(keys.send, job->keys.send, sizeof(keys.send));
	memcpy(keys.recv, job->keys.recv, sizeof(keys.recv));
	// Ours may be others since the helper began.
	int r = xy_exchange_suite_allowed(e, x, keys.suite) ? 0 : -ESTALE;
	r = r ? r : xy_dp_session_set(e->dp, job->index, &keys);
	sodium_memzero(&keys, sizeof(keys));
	if (r) {
		xy_exchange_session_free(e, job->index);
		return false;
	}
	if (initiator) {
		xy_keypairs_initiated(&x->keypairs, job->index, now, &drops);
		became_current(e, x, job->index, true, now);
		// The responder may send only after it heard from us in this session.
		xy_dp_session_keepalive(e->dp, job->index);
	} else {
		xy_keypairs_responded(&x->keypairs, job->index, now, &drops);
	}
	let_go(e, &drops);
	xy_exchange_suite_begun(e, x, job->state.suite, initiator, now);
	xy_exchange_tell(e, x, XY_EXCHANGE_BEGUN, now);
	return true;
}

void xy_exchange_first(struct xy_exchanges *e, struct xy_exchange *x, uint32_t index, xy_nsec now)
{
	struct xy_keypair_drops drops = {0};
	x->answers_unused = 0;
	if (xy_keypairs_received(&x->keypairs, index, &drops))
		became_current(e, x, index, false, now);
	let_go(e, &drops);
}

void xy_exchange_sessions_clear(struct xy_exchanges *e, struct xy_exchange *x)
{
	struct xy_keypair_drops drops = {0};
	xy_keypairs_clear(&x->keypairs, &drops);
	let_go(e, &drops);
}

void xy_exchange_sessions_expire(struct xy_exchanges *e, struct xy_exchange *x, xy_nsec now)
{
	struct xy_keypair_drops drops = {0};
	xy_keypairs_expire(&x->keypairs, now, e->cfg.limits.reject_after_time, &drops);
	let_go(e, &drops);
	if (drops.n && !xy_keypairs_current(&x->keypairs))
		xy_exchange_tell(e, x, XY_EXCHANGE_AGED, now);
}

xy_nsec xy_exchange_sessions_deadline(const struct xy_exchanges *e, const struct xy_exchange *x)
{
	xy_nsec first = XY_NEVER;
	for (unsigned i = 0; i < XY_KEYPAIR_SLOTS; i++) {
		const struct xy_keypair *p = &x->keypairs.slot[i];
		xy_nsec at = p->born + e->cfg.limits.reject_after_time;
		if (p->live && at < first)
			first = at;
	}
	return first;
}

// The replay window belongs where most of the session's packets arrive; handing each over costs a
// ring and another core's cache.
void xy_exchange_session_place(struct xy_exchanges *e, struct xy_exchange *x)
{
	const struct xy_keypair *current = xy_keypairs_current(&x->keypairs);
	struct xy_dp_session_stats s;

	if (xy_dp_workers(e->dp) < 2 || !current || xy_dp_session_stats(e->dp, current->index, &s))
		return;
	xy_dp_session_lanes_place(e->dp, current->index);
	if (x->moved_index != current->index || s.handed_over < x->moved_handed) {
		x->moved_index = current->index;
		x->moved_rx = s.rx_packets;
		x->moved_handed = s.handed_over;
		return;
	}
	uint64_t rx = s.rx_packets - x->moved_rx, handed = s.handed_over - x->moved_handed;
	if (rx < MOVE_MIN_PACKETS)
		return;
	x->moved_rx = s.rx_packets;
	x->moved_handed = s.handed_over;
	if (handed > rx / 2 && s.handed_from != s.owner &&
	    xy_dp_session_move(e->dp, current->index, s.handed_from) == 0)
		xy_log_debug("%s %s: session %08" PRIx32 " moves to worker %u",
			     xy_exchange_kind(e, x), xy_exchange_name(e, x), current->index,
			     s.handed_from);
}

void xy_exchange_activity(const struct xy_exchanges *e, const struct xy_exchange *x,
			  struct xy_wg_activity *out)
{
	const struct xy_keypair *current = xy_keypairs_current(&x->keypairs);
	struct xy_dp_peer_stats p = {0};
	struct xy_dp_session_stats s = {0};

	xy_dp_peer_stats(e->dp, x->number, &p);
	if (current)
		xy_dp_session_stats(e->dp, current->index, &s);
	*out = (struct xy_wg_activity){.rx_any = p.rx_any,
				       .rx_data = p.rx_data,
				       .tx_any = p.tx_any,
				       .tx_data = p.tx_data,
				       .tx_counter = s.tx_used,
				       .messages = p.rx_packets + p.tx_packets};
}
