// SPDX-License-Identifier: BSD-3-Clause
// Sessions of a link: from keys to the dataplane, and out of it again.
#include "links/link.h"

#include <inttypes.h>
#include <sodium.h>

#define MOVE_MIN_PACKETS 32 // judged over at least so many

int xy_link_session_reserve(struct xy_links *l, struct xy_link *k, uint32_t *index, xy_nsec now)
{
	unsigned long missed;
	int r = xy_dp_session_reserve(l->dp, k->slot, index);
	if (!r) {
		r = xy_map_set(&l->by_index, *index, k->slot);
		if (r)
			xy_dp_session_del(l->dp, *index);
	}
	if (r) {
		xy_links_drop(l, XY_LINK_DROP_HS_NO_INDEX);
		if (xy_log_limit_pass(&l->log_no_index, now, &missed))
			xy_log_warn("no free session for peer %s: raise max_sessions in the config "
				    "(%lu more like this)",
				    k->name, missed);
	}
	return r;
}

void xy_link_session_free(struct xy_links *l, uint32_t index)
{
	xy_map_del(&l->by_index, index);
	xy_dp_session_del(l->dp, index);
}

unsigned xy_link_sessions(const struct xy_link *k)
{
	unsigned n = 0;
	for (unsigned i = 0; i < XY_KEYPAIR_SLOTS; i++)
		n += k->keypairs.slot[i].live;
	return n;
}

static void meet(struct xy_links *l, struct xy_link *k)
{
	if (k->met || !xy_link_sessions(k))
		return;
	k->met = true;
	k->met_at = l->met_count;
	l->met[l->met_count++] = k;
}

void xy_link_unmeet(struct xy_links *l, struct xy_link *k)
{
	if (!k->met)
		return;
	k->met = false;
	l->met[k->met_at] = l->met[--l->met_count];
	l->met[k->met_at]->met_at = k->met_at;
}

static void let_go(struct xy_links *l, struct xy_link *k, const struct xy_keypair_drops *drops)
{
	for (unsigned i = 0; i < drops->n; i++)
		xy_link_session_free(l, drops->index[i]);
	meet(l, k);
}

static void became_current(struct xy_links *l, struct xy_link *k, uint32_t index, bool initiator,
			   xy_nsec now)
{
	xy_dp_session_use(l->dp, index);
	xy_wg_timers_session(&k->timers, now, initiator);
	k->last_handshake = now;
	k->unanswered = false;
	xy_link_trouble_over(k);
	k->start_at = XY_NEVER;
	if (!k->told_up && !k->provisional)
		xy_link_tell_up(l, k);
}

void xy_link_session_begun(struct xy_links *l, struct xy_link *k, const struct xy_job *job,
			   bool initiator, xy_nsec now)
{
	struct xy_keypair_drops drops = {0};
	struct xy_dp_session_keys keys = {
		.remote_index = job->state.remote_index, .owner = job->worker, .born = now};
	memcpy(keys.send, job->keys.send, sizeof(keys.send));
	memcpy(keys.recv, job->keys.recv, sizeof(keys.recv));
	int r = xy_dp_session_set(l->dp, job->index, &keys);
	sodium_memzero(&keys, sizeof(keys));
	if (r) {
		xy_link_session_free(l, job->index);
		return;
	}
	if (initiator) {
		xy_keypairs_initiated(&k->keypairs, job->index, now, &drops);
		became_current(l, k, job->index, true, now);
		// The responder may send only after it heard from us in this session.
		xy_dp_session_keepalive(l->dp, job->index);
	} else {
		xy_keypairs_responded(&k->keypairs, job->index, now, &drops);
	}
	let_go(l, k, &drops);
}

void xy_link_session_first(struct xy_links *l, struct xy_link *k, uint32_t index, xy_nsec now)
{
	struct xy_keypair_drops drops = {0};
	k->answers_unused = 0;
	if (xy_keypairs_received(&k->keypairs, index, &drops))
		became_current(l, k, index, false, now);
	let_go(l, k, &drops);
}

void xy_link_sessions_clear(struct xy_links *l, struct xy_link *k)
{
	struct xy_keypair_drops drops = {0};
	xy_keypairs_clear(&k->keypairs, &drops);
	let_go(l, k, &drops);
}

void xy_link_sessions_expire(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	struct xy_keypair_drops drops = {0};
	xy_keypairs_expire(&k->keypairs, now, l->cfg.limits.reject_after_time, &drops);
	let_go(l, k, &drops);
	if (drops.n && k->told_up && !xy_keypairs_current(&k->keypairs)) {
		xy_log_info("peer %s: down, its session ended", k->name);
		xy_link_down(l, k, now);
	}
}

xy_nsec xy_link_sessions_deadline(const struct xy_links *l, const struct xy_link *k)
{
	xy_nsec first = XY_NEVER;
	for (unsigned i = 0; i < XY_KEYPAIR_SLOTS; i++) {
		const struct xy_keypair *p = &k->keypairs.slot[i];
		xy_nsec at = p->born + l->cfg.limits.reject_after_time;
		if (p->live && at < first)
			first = at;
	}
	return first;
}

// The replay window belongs where most of the session's packets arrive; handing each over costs a
// ring and another core's cache.
void xy_link_session_place(struct xy_links *l, struct xy_link *k)
{
	const struct xy_keypair *current = xy_keypairs_current(&k->keypairs);
	struct xy_dp_session_stats s;

	if (xy_dp_workers(l->dp) < 2 || !current || xy_dp_session_stats(l->dp, current->index, &s))
		return;
	if (k->moved_index != current->index || s.handed_over < k->moved_handed) {
		k->moved_index = current->index;
		k->moved_rx = s.rx_packets;
		k->moved_handed = s.handed_over;
		return;
	}
	uint64_t rx = s.rx_packets - k->moved_rx, handed = s.handed_over - k->moved_handed;
	if (rx < MOVE_MIN_PACKETS)
		return;
	k->moved_rx = s.rx_packets;
	k->moved_handed = s.handed_over;
	if (handed > rx / 2 && s.handed_from != s.owner &&
	    xy_dp_session_move(l->dp, current->index, s.handed_from) == 0)
		xy_log_debug("peer %s: session %08" PRIx32 " moves to worker %u", k->name,
			     current->index, s.handed_from);
}

void xy_link_activity(struct xy_links *l, struct xy_link *k, struct xy_wg_activity *out)
{
	const struct xy_keypair *current = xy_keypairs_current(&k->keypairs);
	struct xy_dp_peer_stats p = {0};
	struct xy_dp_session_stats s = {0};

	xy_dp_peer_stats(l->dp, k->slot, &p);
	if (current)
		xy_dp_session_stats(l->dp, current->index, &s);
	*out = (struct xy_wg_activity){.rx_any = p.rx_any,
				       .rx_data = p.rx_data,
				       .tx_any = p.tx_any,
				       .tx_data = p.tx_data,
				       .tx_counter = s.tx_counter};
}
