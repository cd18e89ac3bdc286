// SPDX-License-Identifier: BSD-3-Clause
// What links tell about themselves.
#include "links/link.h"

unsigned xy_links_count(const struct xy_links *l)
{
	return l->count;
}

unsigned xy_links_after(const struct xy_links *l, const char *after)
{
	unsigned from = 0, to = l->count;
	while (after && from < to) {
		unsigned mid = from + (to - from) / 2;
		if (strcmp(l->link[l->order[mid]]->name, after) <= 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

// A lost packet or two is no silence: a peer that is there answers the second initiation.
#define SILENT_AFTER (10 * XY_SEC)

// A session outlives the peer by up to three minutes; what is not answered tells sooner.
static bool is_silent(const struct xy_link *k, xy_nsec heard, xy_nsec now)
{
	xy_nsec asking =
		k->exchange.timers.attempt_start ? now - k->exchange.timers.attempt_start : 0;
	return (k->exchange.unanswered || asking > SILENT_AFTER) &&
	       xy_since(heard, now) > SILENT_AFTER;
}

static enum xy_link_state state_of(const struct xy_links *l, const struct xy_link *k, xy_nsec heard,
				   xy_nsec now)
{
	if (xy_link_is_up(l, k, now))
		return is_silent(k, heard, now) ? XY_LINK_SILENT : XY_LINK_UP;
	if (!k->remote.port)
		return k->endpoints.count ? XY_LINK_UNRESOLVED : XY_LINK_NO_ENDPOINT;
	if (k->exchange.timers.attempt_start)
		return XY_LINK_HANDSHAKE;
	return k->exchange.unanswered ? XY_LINK_DOWN : XY_LINK_IDLE;
}

static const char *unresolved_of(const struct xy_link *k)
{
	for (unsigned i = 0; i < k->endpoints.count; i++)
		if (k->endpoints.unresolved[i] || !k->remote.port)
			return k->endpoints.text[i];
	return NULL;
}

static xy_nsec last_received(const struct xy_link *k, const struct xy_dp_peer_stats *s)
{
	return s->rx_any > k->exchange.last_handshake ? s->rx_any : k->exchange.last_handshake;
}

static void describe(const struct xy_links *l, const struct xy_link *k, xy_nsec now,
		     struct xy_link_info *out)
{
	const struct xy_keypair *current = xy_keypairs_current(&k->exchange.keypairs);
	*out = (struct xy_link_info){
		.name = k->name,
		.slot = k->slot,
		.key = k->key,
		.leaf = k->leaf,
		.open = k->open,
		.provisional = k->provisional,
		.remote = k->remote,
		.unresolved = unresolved_of(k),
		.endpoint_count = k->endpoints.count,
		.endpoints = k->endpoints.text,
		.last_handshake = k->exchange.last_handshake,
		.session_born = current ? current->born : 0,
		.mtu = k->remote.port ? k->sizes.room : 0,
		.whole = k->sizes.whole,
		.whence = k->sizes.whence,
		.fragments_lost = k->sizes.probed && k->sizes.found.lost,
		.limit =
			k->sizes.limit > k->sizes.overhead ? k->sizes.limit - k->sizes.overhead : 0,
		.clock_known = xy_link_clock_known(l, k, now),
		.clock_apart = k->clock.apart,
		.keepalive = k->keepalive,
		.allowed_count = k->allowed->count,
		.allowed = k->allowed->v,
		.sessions = xy_exchange_sessions(&k->exchange),
		.handshakes_sent = k->exchange.sent,
		.handshakes_failed = k->exchange.failed,
		.fallbacks = k->exchange.suite.fallbacks,
		.lanes = xy_exchange_lanes(&k->exchange),
		.lanes_why = xy_exchange_lanes_why(l->exchanges, &k->exchange),
	};
	xy_dp_peer_stats(l->dp, k->slot, &out->stats);
	out->last_received = last_received(k, &out->stats);
	out->state = state_of(l, k, out->last_received, now);
	if (k->no_way && k->remote.port)
		out->state = XY_LINK_UNROUTED;
	out->trouble = xy_link_trouble_text(k, out->last_received);
}

void xy_links_info(const struct xy_links *l, unsigned at, xy_nsec now, struct xy_link_info *out)
{
	describe(l, l->link[l->order[at]], now, out);
}

unsigned xy_links_met(const struct xy_links *l)
{
	return l->met_count;
}

void xy_links_met_info(const struct xy_links *l, unsigned at, xy_nsec now, struct xy_link_info *out)
{
	describe(l, l->met[at], now, out);
}

// Without an answer a peer is given as long as one with a session, and nothing more once an attempt
// was given up.
enum xy_link_health xy_links_health(const struct xy_links *l, uint32_t slot, xy_nsec now)
{
	const struct xy_link *k = slot < l->cfg.max_peers ? l->link[slot] : NULL;
	struct xy_dp_peer_stats stats = {0};
	if (!k)
		return XY_LINK_LOST;
	xy_dp_peer_stats(l->dp, slot, &stats);
	switch (state_of(l, k, last_received(k, &stats), now)) {
	case XY_LINK_UP:
		return XY_LINK_WELL;
	case XY_LINK_IDLE:
		return XY_LINK_UNSURE;
	case XY_LINK_HANDSHAKE:
		return k->exchange.unanswered ||
				       now - k->exchange.timers.attempt_start > SILENT_AFTER
			       ? XY_LINK_LOST
			       : XY_LINK_UNSURE;
	case XY_LINK_SILENT:
	case XY_LINK_UNROUTED:
	case XY_LINK_DOWN:
	case XY_LINK_NO_ENDPOINT:
	case XY_LINK_UNRESOLVED:
		break;
	}
	return XY_LINK_LOST;
}

bool xy_links_up(const struct xy_links *l, const struct xy_key *key, xy_nsec now)
{
	const struct xy_link *k = xy_link_by_key(l, key->b);
	return k && xy_link_is_well(l, k, now);
}

bool xy_links_up_at(const struct xy_links *l, const struct xy_endpoint *at, xy_nsec now)
{
	const struct xy_link *k = xy_link_by_remote(l, at);
	return k && xy_link_is_well(l, k, now);
}

bool xy_links_is_at(const struct xy_links *l, const struct xy_endpoint *at)
{
	return xy_link_by_remote(l, at);
}

const char *xy_links_name_at(const struct xy_links *l, const struct xy_endpoint *at)
{
	const struct xy_link *k = xy_link_by_remote(l, at);
	return k ? k->name : NULL;
}

bool xy_links_has(const struct xy_links *l, const struct xy_key *key)
{
	return xy_link_by_key(l, key->b) != NULL;
}

bool xy_links_place(const struct xy_links *l, unsigned at, struct xy_key *key,
		    struct xy_endpoint *out)
{
	const struct xy_link *k = l->link[l->order[at]];
	*key = k->key;
	*out = k->endpoints.learned;
	return !k->leaf && !k->open && out->port;
}

unsigned xy_links_sessions(const struct xy_links *l, unsigned at, struct xy_link_session out[3])
{
	static const char *const use[XY_KEYPAIR_SLOTS] = {[XY_KEYPAIR_PREVIOUS] = "previous",
							  [XY_KEYPAIR_CURRENT] = "current",
							  [XY_KEYPAIR_NEXT] = "next"};
	const struct xy_link *k = l->link[l->order[at]];
	unsigned n = 0;
	for (unsigned i = 0; i < XY_KEYPAIR_SLOTS; i++) {
		const struct xy_keypair *p = &k->exchange.keypairs.slot[i];
		if (p->live)
			out[n++] = (struct xy_link_session){
				.index = p->index, .initiator = p->initiator, .use = use[i]};
	}
	return n;
}

const char *xy_links_name(const struct xy_links *l, uint32_t slot)
{
	return slot < l->cfg.max_peers && l->link[slot] ? l->link[slot]->name : NULL;
}

const struct xy_key *xy_links_key(const struct xy_links *l, uint32_t slot)
{
	return slot < l->cfg.max_peers && l->link[slot] ? &l->link[slot]->key : NULL;
}

uint32_t xy_links_slot_at(const struct xy_links *l, unsigned at)
{
	return l->order[at];
}

int xy_links_slot(const struct xy_links *l, const struct xy_key *key, uint32_t *slot)
{
	const struct xy_link *k = xy_link_by_key(l, key->b);
	if (k)
		*slot = k->slot;
	return k ? 0 : -ENOENT;
}

bool xy_links_is_up(const struct xy_links *l, uint32_t slot, xy_nsec now)
{
	const struct xy_link *k = slot < l->cfg.max_peers ? l->link[slot] : NULL;
	return k && xy_link_is_up(l, k, now);
}

bool xy_links_is_open(const struct xy_links *l, uint32_t slot)
{
	const struct xy_link *k = slot < l->cfg.max_peers ? l->link[slot] : NULL;
	return k && k->open;
}

const struct xy_config_peer *xy_links_says(const struct xy_links *l, uint32_t slot)
{
	const struct xy_link *k = slot < l->cfg.max_peers ? l->link[slot] : NULL;
	struct xy_book_peer p;
	return k && xy_book_in_force(l->book, &k->key, &p) ? p.says : NULL;
}

bool xy_links_node_addr(const struct xy_links *l, uint32_t slot, struct xy_addr *out)
{
	const struct xy_link *k = slot < l->cfg.max_peers ? l->link[slot] : NULL;
	if (!k || k->leaf)
		return false;
	*out = xy_key_addr(&k->key);
	return true;
}
