// SPDX-License-Identifier: BSD-3-Clause
// Where a peer is: configured endpoints (by address or by name, the name resolved again when nobody
// answers), and the address that authenticated messages come from, which wins (roaming).
#define XY_LOG_PART XY_PART_LINKS

#include "links/link.h"

#include <stdlib.h>

#define RESOLVE_INTERVAL (10 * XY_SEC) // at most so often per name
#define ACCEPTS_AGAIN	 XY_SEC	       // where memory was lacking

// The overlay cannot carry its own underlay.
bool xy_link_usable(const struct xy_endpoint *e)
{
	return e->port && !xy_addr_is_mesh(&e->addr) && !xy_addr_is_multicast(&e->addr) &&
	       !xy_addr_is_unspecified(&e->addr);
}

int xy_links_send(struct xy_links *l, const struct xy_endpoint *to, const struct xy_dp_heard *heard,
		  const void *data, size_t len)
{
	struct xy_dp_peer p = {.remote = *to};
	if (heard)
		p.heard = *heard;
	l->cfg.ops.path(l->cfg.ops.arg, &p);
	return xy_dp_send(l->dp, p.port, to, &p.local, data, len);
}

static bool heard_eq(const struct xy_dp_heard *a, const struct xy_dp_heard *b)
{
	return a->port == b->port && a->interface == b->interface &&
	       xy_addr_eq(&a->local, &b->local);
}

static bool is_told(const struct xy_dp_peer *a, const struct xy_dp_peer *b)
{
	return a->leaf == b->leaf && a->routing == b->routing && a->open == b->open &&
	       a->provisional == b->provisional && a->port == b->port &&
	       xy_endpoint_eq(&a->remote, &b->remote) && xy_addr_eq(&a->local, &b->local) &&
	       heard_eq(&a->heard, &b->heard) && a->via == b->via &&
	       xy_addr_eq(&a->source, &b->source) && a->mtu == b->mtu && a->room == b->room &&
	       a->route_mtu == b->route_mtu && a->resolved == b->resolved &&
	       memcmp(a->next_mac, b->next_mac, sizeof(a->next_mac)) == 0 &&
	       memcmp(a->own_mac, b->own_mac, sizeof(a->own_mac)) == 0;
}

// The way to where it was all along is another now, by the kernel's word.
static bool turns(const struct xy_dp_peer *from, const struct xy_dp_peer *to)
{
	return from->remote.port && xy_endpoint_eq(&from->remote, &to->remote) &&
	       heard_eq(&from->heard, &to->heard) &&
	       (from->port != to->port || !xy_addr_eq(&from->local, &to->local) ||
		!xy_addr_eq(&from->source, &to->source));
}

// Routing need not find out by itself that there is no way; another one may not lead there.
static void way_tell(struct xy_links *l, struct xy_link *k, const struct xy_dp_peer *p)
{
	bool other =
		k->told.via && p->via != k->told.via && xy_endpoint_eq(&k->told.remote, &p->remote);
	if (p->no_way != k->no_way)
		xy_link_tell(l, k, p->no_way ? XY_LINK_NO_WAY : XY_LINK_WAY);
	else if (other || turns(&k->told, p))
		xy_link_tell(l, k, XY_LINK_WAY);
	k->no_way = p->no_way;
}

int xy_link_accepts_tell(struct xy_links *l, struct xy_link *k)
{
	const struct xy_prefix *prefix = NULL;
	unsigned n = 0;
	if (!k->leaf && l->cfg.accepts)
		n = xy_accepts_of(l->cfg.accepts, &k->key, &prefix);
	xy_dp_exit_allow(l->dp, k->slot,
			 l->cfg.accepts && xy_accepts_exits(l->cfg.accepts, &k->key));
	int r = n || k->accepts ? xy_dp_accepts_set(l->dp, k->slot, prefix, n) : 0;
	if (r) // what was is wider, maybe; nothing needs no memory
		xy_dp_accepts_set(l->dp, k->slot, NULL, 0);
	k->accepts = n && !r;
	k->untold = r;
	l->untold = l->untold || r;
	return r;
}

void xy_links_accepts_changed(struct xy_links *l)
{
	for (uint32_t i = 0; i < l->cfg.max_peers; i++)
		if (l->link[i])
			l->untold = l->link[i]->untold = true;
}

void xy_links_accepts_again(struct xy_links *l, xy_nsec now)
{
	if (!l->untold || now < l->tell_at)
		return;
	l->untold = false;
	l->tell_at = now + ACCEPTS_AGAIN;
	for (uint32_t i = 0; i < l->cfg.max_peers; i++)
		if (l->link[i] && l->link[i]->untold)
			xy_link_accepts_tell(l, l->link[i]);
}

int xy_link_endpoint_publish(struct xy_links *l, struct xy_link *k)
{
	if (k->entering)
		return 0;
	struct xy_dp_peer p = {.leaf = k->leaf,
			       .routing = k->routing,
			       .open = k->open,
			       .provisional = k->provisional,
			       .remote = k->remote,
			       .heard = k->heard};
	if (!k->leaf)
		p.node = xy_key_addr(&k->key);
	if (p.remote.port)
		l->cfg.ops.path(l->cfg.ops.arg, &p);
	xy_link_size(k, &p);
	xy_link_room_count(l, k);
	way_tell(l, k, &p);
	if (is_told(&p, &k->told))
		return 0;
	bool turned = turns(&k->told, &p);
	int r = xy_dp_peer_set(l->dp, k->slot, &p);
	if (r)
		return r;
	k->told = p;
	// Who only listens would not tell the peer that we send from elsewhere, and it would go on
	// sending to an address that may be gone.
	if (turned)
		xy_exchange_keepalive(l->exchanges, &k->exchange);
	return 0;
}

void xy_link_heard_forget(struct xy_links *l, struct xy_link *k)
{
	if (xy_addr_is_unspecified(&k->heard.local))
		return;
	k->heard = (struct xy_dp_heard){0};
	xy_link_endpoint_publish(l, k);
}

static uint64_t remote_hash(const struct xy_links *l, const struct xy_endpoint *e)
{
	uint8_t bytes[19];
	memcpy(bytes, e->addr.b, 16);
	memcpy(bytes + 16, &e->port, 2);
	bytes[18] = e->carrier;
	return xy_links_hash(l, bytes, sizeof(bytes));
}

// by_remote tells which handshakes come from where a peer is known to be.
static void remote_set(struct xy_links *l, struct xy_link *k, const struct xy_endpoint *remote)
{
	uint32_t slot;
	if (k->remote.port && xy_map_get(&l->by_remote, remote_hash(l, &k->remote), &slot) &&
	    slot == k->slot)
		xy_map_del(&l->by_remote, remote_hash(l, &k->remote));
	if (!xy_addr_eq(&k->remote.addr, &remote->addr)) // another path
		k->sizes.probed = false;
	k->remote = *remote;
	if (remote->port && !k->provisional)
		xy_map_set(&l->by_remote, remote_hash(l, remote), k->slot);
}

void xy_link_remote_known(struct xy_links *l, struct xy_link *k)
{
	struct xy_endpoint same = k->remote;
	remote_set(l, k, &same);
}

struct xy_link *xy_link_by_remote(const struct xy_links *l, const struct xy_endpoint *remote)
{
	uint32_t slot;
	if (!xy_map_get(&l->by_remote, remote_hash(l, remote), &slot) || !l->link[slot] ||
	    !xy_endpoint_eq(&l->link[slot]->remote, remote))
		return NULL;
	return l->link[slot];
}

static void go_to(struct xy_links *l, struct xy_link *k, const struct xy_endpoint *remote)
{
	remote_set(l, k, remote);
	k->heard = (struct xy_dp_heard){0};
	xy_link_endpoint_publish(l, k);
}

// Two nodes with one key take a link from each other at every handshake.
static void say_moved(struct xy_link *k, const struct xy_endpoint *to, xy_nsec now)
{
	enum { OFTEN = 3 }; // in ten seconds; who roams does so once in a while
	char at[XY_ENDPOINT_STRLEN];
	unsigned long missed;
	if (!xy_log_limit_pass(&k->moves, now, &missed))
		return;
	xy_endpoint_str(to, at);
	if (missed < OFTEN)
		xy_log_info("peer %s: moved to %s", k->name, at);
	else
		xy_log_warn("peer %s: moved to %s, and %lu times before: do two nodes have its "
			    "key? Give each one of its own (xylem genkey)",
			    k->name, at, missed);
}

void xy_link_endpoint_learn(struct xy_links *l, struct xy_link *k, const struct xy_endpoint *remote,
			    const struct xy_dp_heard *heard, xy_nsec now)
{
	if (!xy_link_usable(remote)) {
		xy_links_drop(l, XY_HS_DROP_OVERLAY, k, remote);
		xy_link_refused(k, XY_HS_DROP_OVERLAY, remote, now);
		return;
	}
	bool moved = !xy_endpoint_eq(&k->remote, remote);
	if (!moved && heard_eq(&k->heard, heard))
		return;
	if (moved && k->told_up)
		say_moved(k, remote, now);
	remote_set(l, k, remote);
	k->endpoints.learned = *remote;
	bool first = !k->told.remote.port || k->told.port != heard->port, theirs = k->heard.theirs;
	if (xy_addr_is_unspecified(&k->heard.local) || k->heard.port != heard->port)
		theirs = first;
	k->heard = *heard;
	k->heard.theirs = theirs;
	xy_link_endpoint_publish(l, k);
}

// Most links have one, so no room stands ready for all that there could be.
static void candidates_of(struct xy_endpoints *e, unsigned endpoint,
			  const struct xy_endpoint *found, unsigned count)
{
	struct xy_candidate *now;
	unsigned kept = 0;
	for (unsigned i = 0; i < e->candidates; i++)
		if (e->candidate[i].endpoint < endpoint)
			kept++;
	unsigned behind = kept;
	while (behind < e->candidates && e->candidate[behind].endpoint == endpoint)
		behind++;
	if (count > XY_ENDPOINT_ADDRESSES)
		count = XY_ENDPOINT_ADDRESSES;
	now = calloc(kept + count + (e->candidates - behind) + 1, sizeof(*now));
	if (!now) // where it is said to be will be asked for again
		return;
	for (unsigned i = 0; i < kept; i++)
		now[i] = e->candidate[i];
	for (unsigned i = 0; i < count; i++)
		now[kept + i] = (struct xy_candidate){.at = found[i], .endpoint = endpoint};
	for (unsigned i = behind; i < e->candidates; i++)
		now[kept + count + i - behind] = e->candidate[i];
	free(e->candidate);
	e->candidate = now;
	e->candidates = kept + count + (e->candidates - behind);
}

static bool is_name(const char *text)
{
	struct xy_endpoint literal;
	return xy_endpoint_parse(text, &literal) != 0;
}

// What a resolver is given to answer to: the endpoint, and of which edition of the config.
static unsigned question(const struct xy_endpoints *e, unsigned i)
{
	return e->edition * XY_CONFIG_ENDPOINTS + i;
}

// Said once, and once when it does again: it is asked for again and again.
static void say_name(struct xy_link *k, unsigned i, const char *trouble)
{
	const char *text = k->endpoints.text[i];
	bool *lost = &k->endpoints.unresolved[i];
	if (*lost == (trouble != NULL))
		return;
	*lost = trouble != NULL;
	if (trouble)
		xy_log_warn("peer %s: endpoint %s: %s; asked again", k->name, text, trouble);
	else
		xy_log_info("peer %s: endpoint %s: the name resolves now", k->name, text);
}

static void found(void *who, uint64_t serial, unsigned asked, const struct xy_endpoint *found,
		  unsigned count, xy_nsec now)
{
	xy_links_resolved(who, serial, asked, found, count, now);
}

static void ask(struct xy_links *l, struct xy_link *k, unsigned i, xy_nsec now)
{
	struct xy_endpoints *e = &k->endpoints;
	struct xy_env_asker by = {found, l, k->exchange.serial, question(e, i)};
	char host[XY_CONFIG_HOST_LEN];
	uint16_t port;
	if (e->asking[i] || (e->asked[i] && now - e->asked[i] < RESOLVE_INTERVAL))
		return;
	e->asked[i] = now;
	e->asking[i] = xy_hostport_split(e->text[i], host, sizeof(host), &port) == 0 &&
		       xy_env_resolve(l->cfg.env, &by, host, port) == 0;
	if (!e->asking[i])
		say_name(k, i, "the name cannot be asked for");
}

void xy_link_endpoints_ask(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	for (unsigned i = 0; i < k->endpoints.count; i++)
		if (is_name(k->endpoints.text[i]))
			ask(l, k, i, now);
}

void xy_link_endpoint_next(struct xy_links *l, struct xy_link *k)
{
	struct xy_endpoints *e = &k->endpoints;
	unsigned at = 0;
	while (at < e->candidates && !xy_endpoint_eq(&e->candidate[at].at, &k->remote))
		at++;
	if (at < e->candidates)
		at++; // behind the one that did not answer
	else
		at = 0; // what was learned did not answer: the first configured one
	bool learned = e->learned.port != 0;
	for (unsigned i = 0; learned && i < e->candidates; i++)
		learned = !xy_endpoint_eq(&e->candidate[i].at, &e->learned);
	if (at < e->candidates)
		go_to(l, k, &e->candidate[at].at);
	else if (learned)
		go_to(l, k, &e->learned);
	else if (e->candidates)
		go_to(l, k, &e->candidate[0].at);
}

void xy_links_resolved(struct xy_links *l, uint64_t serial, unsigned asked,
		       const struct xy_endpoint *found, unsigned count, xy_nsec now)
{
	unsigned endpoint = asked % XY_CONFIG_ENDPOINTS;
	struct xy_endpoint good[XY_ENDPOINT_ADDRESSES];
	unsigned n = 0;
	uint32_t slot;
	struct xy_link *k = xy_map_get(&l->by_serial, serial, &slot) ? l->link[slot] : NULL;

	if (!k || endpoint >= k->endpoints.count || asked != question(&k->endpoints, endpoint))
		return;
	k->endpoints.asking[endpoint] = false;
	for (unsigned i = 0; i < count && n < XY_ENDPOINT_ADDRESSES; i++)
		if (xy_link_usable(&found[i]))
			good[n++] = found[i];
	if (!n) {
		say_name(k, endpoint,
			 count ? "its addresses cannot be used as an underlay"
			       : "the name does not resolve");
		if (!k->remote.port) // nothing to try meanwhile
			k->start_at = now + RESOLVE_INTERVAL;
		xy_link_schedule(l, k, now);
		return;
	}
	say_name(k, endpoint, NULL);
	candidates_of(&k->endpoints, endpoint, good, n);
	if (!k->remote.port && k->endpoints.candidates) {
		go_to(l, k, &k->endpoints.candidate[0].at);
		if (!k->leaf || k->keepalive)
			k->start_at = now;
	}
	xy_link_schedule(l, k, now);
}

static void literals_add(struct xy_endpoints *e)
{
	struct xy_endpoint literal;
	for (unsigned i = 0; i < e->count; i++)
		if (xy_endpoint_parse(e->text[i], &literal) == 0 && xy_link_usable(&literal))
			candidates_of(e, i, &literal, 1);
}

static bool is_unchanged(const struct xy_endpoints *e, const struct xy_config_peer *p)
{
	if (e->count != p->endpoint_count)
		return false;
	for (unsigned i = 0; i < e->count; i++)
		if (strcmp(e->text[i], p->endpoints[i]) != 0)
			return false;
	return true;
}

void xy_link_endpoints_set(struct xy_links *l, struct xy_link *k, const struct xy_config_peer *p,
			   xy_nsec now)
{
	struct xy_endpoints *e = &k->endpoints;
	struct xy_endpoint learned = e->learned;
	bool unchanged = is_unchanged(e, p);

	e->text = p->endpoints;
	if (unchanged)
		return;
	free(e->candidate);
	*e = (struct xy_endpoints){.count = p->endpoint_count,
				   .edition = e->edition + 1,
				   .text = p->endpoints,
				   .learned = learned};
	literals_add(e);
	if (!k->remote.port && e->candidates)
		go_to(l, k, &e->candidate[0].at);
	xy_link_endpoints_ask(l, k, now);
}

void xy_link_endpoint_try(struct xy_links *l, struct xy_link *k, const struct xy_endpoint *at)
{
	go_to(l, k, at);
}

void xy_links_place_set(struct xy_links *l, const struct xy_key *key,
			const struct xy_endpoint *place, xy_nsec now)
{
	struct xy_link *k = xy_link_by_key(l, key->b);
	if (!k || k->leaf || !xy_link_usable(place))
		return;
	k->endpoints.learned = *place; // tried when the configured ones do not answer
	if (!k->remote.port)
		go_to(l, k, place);
	xy_link_start_plan(l, k, now);
	xy_link_schedule(l, k, now);
}

void xy_link_endpoints_free(struct xy_links *l, struct xy_link *k)
{
	static const struct xy_endpoint none;
	remote_set(l, k, &none);
	xy_link_room_count(l, k);
	free(k->endpoints.candidate);
	k->endpoints.text = NULL;
	k->endpoints.candidate = NULL;
	k->endpoints.candidates = k->endpoints.count = 0;
}
