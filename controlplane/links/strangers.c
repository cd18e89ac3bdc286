// SPDX-License-Identifier: BSD-3-Clause
// Open peering: links to keys that nobody configured. Such a link is provisional, one of a few
// whose oldest makes room, until a valid transport message has come in its session: only then has
// the other side shown that it is there, and no replay. Then it is a peer with the least rights:
// its own /64, no leaf's addresses, and the end of its link when it has been idle for long.
#define XY_LOG_PART XY_PART_LINKS

#include "links/link.h"

#include <sodium.h>
#include <stdlib.h>

#define PROVISIONAL_TIME (10 * XY_SEC)	 // to its first transport message
#define IDLE_TIME	 (600 * XY_SEC)	 // without a session
#define SHARE_EVERY	 (100 * XY_MSEC) // looks for a site that holds too many places

enum { PER_SOURCE = 8 }; // provisional ones of one source: who has one address, has not all slots

static unsigned provisional_most(const struct xy_links *l)
{
	unsigned half = l->cfg.max_peers / 2;
	return half < XY_LINK_PROVISIONAL ? half : XY_LINK_PROVISIONAL;
}

bool xy_links_crowded(const struct xy_links *l)
{
	return l->provisional_count && l->provisional_count >= provisional_most(l) / 2;
}

bool xy_links_open_to(const struct xy_links *l, const struct xy_endpoint *from)
{
	return l->cfg.ops.open_to && l->cfg.ops.open_to(l->cfg.ops.arg, from);
}

static bool is_admitted(const struct xy_links *l, const struct xy_key *key)
{
	return l->cfg.ops.admits && l->cfg.ops.admits(l->cfg.ops.arg, key);
}

// Peering is open to where he is, or to who he is.
bool xy_links_lets_in(const struct xy_links *l, const uint8_t pk[static XY_WG_KEY_LEN],
		      const struct xy_endpoint *from)
{
	struct xy_key key;
	memcpy(key.b, pk, sizeof(key.b));
	return xy_links_open_to(l, from) || is_admitted(l, &key);
}

// --- the provisional ones, oldest first

static void provisional_put(struct xy_links *l, struct xy_link *k)
{
	k->provisional = true;
	l->provisional[l->provisional_count++] = k;
}

static void provisional_end(struct xy_links *l, struct xy_link *k)
{
	unsigned at = 0;
	if (!k->provisional)
		return;
	while (l->provisional[at] != k)
		at++;
	memmove(&l->provisional[at], &l->provisional[at + 1],
		(--l->provisional_count - at) * sizeof(l->provisional[0]));
	k->provisional = false;
}

static struct xy_link *oldest_from(const struct xy_links *l, const struct xy_addr *from)
{
	uint64_t source = xy_limiter_source(from);
	struct xy_link *oldest = NULL;
	unsigned n = 0;
	for (unsigned i = 0; i < l->provisional_count; i++) {
		struct xy_link *k = l->provisional[i];
		if (xy_limiter_source(&k->remote.addr) != source)
			continue;
		oldest = oldest ? oldest : k;
		n++;
	}
	return n >= PER_SOURCE ? oldest : NULL;
}

static bool make_room(struct xy_links *l, const struct xy_addr *from)
{
	struct xy_link *k = oldest_from(l, from);
	if (!k && (l->provisional_count >= provisional_most(l) || !l->free_count))
		k = l->provisional_count ? l->provisional[0] : NULL;
	if (k) {
		xy_links_drop(l, XY_HS_DROP_PROVISIONAL, NULL, &k->remote); // it goes
		xy_link_open_drop(l, k);
	}
	return l->free_count && provisional_most(l);
}

// --- a life

// What is in the book of a stranger: the least rights. It goes there with the link, and goes with
// it, so it is no news to links.
static const struct xy_config_peer least;

static struct xy_link *add(struct xy_links *l, const struct xy_job *job, xy_nsec now)
{
	struct xy_hs_remote theirs = job->theirs;
	struct xy_book_peer p = {.source = XY_BOOK_OPEN, .says = &least, .remote = &theirs};
	struct xy_link *k;
	memcpy(theirs.psk, l->open_psk, sizeof(theirs.psk)); // it may be another by now
	memcpy(p.key.b, job->pk, sizeof(p.key.b));
	if (!make_room(l, &job->at.remote.addr)) {
		xy_links_drop(l, XY_HS_DROP_OPEN_FULL, NULL, &job->at.remote);
		return NULL;
	}
	int r = xy_link_add(l, &p, now, &k);
	sodium_memzero(&theirs, sizeof(theirs));
	if (r)
		return NULL;
	k->open = true;
	k->admitted = !xy_links_open_to(l, &job->at.remote);
	k->open_since = now;
	provisional_put(l, k);
	xy_link_order_put(l, k);
	p.remote = &k->exchange.theirs;
	if (xy_book_set(l->book, &p)) {
		xy_link_open_drop(l, k);
		return NULL;
	}
	xy_link_schedule(l, k, now); // its end, if nothing else
	return k;
}

// Two keys for one /64: the one that is known stays.
static bool is_taken(const struct xy_links *l, const struct xy_prefix *p)
{
	const struct xy_rib_route *r = xy_rib_get(l->rib, p, XY_ROUTE_PEER);
	return (r && l->link[r->route.peer]) || xy_rib_get(l->rib, p, XY_ROUTE_OWN);
}

// --- those that stay: no site holds the places of others

// Who has one address often has those beside it: an IPv4 /24, an IPv6 /48.
static uint64_t site_of(const struct xy_addr *a)
{
	uint64_t source = xy_limiter_source(a);
	if (xy_addr_is_v4(a))
		return source & ~UINT64_C(0xff);
	return xy_addr_is_link_local(a) ? source : source & ~UINT64_C(0xffff);
}

static bool is_staying(const struct xy_link *k)
{
	return k && k->open && !k->provisional;
}

struct site { // and those that stay there
	uint64_t id;
	uint32_t count;
	struct xy_link *oldest;
};

// Its place in a table of a power of two, of which half is free at least.
static struct site *site_find(const struct xy_links *l, struct site *table, uint32_t mask,
			      uint64_t id)
{
	uint32_t at = (uint32_t)xy_links_hash(l, &id, sizeof(id)) & mask;
	while (table[at].count && table[at].id != id)
		at = (at + 1) & mask;
	return &table[at];
}

// Fills the table; returns the fullest.
static const struct site *sites_count(const struct xy_links *l, struct site *table, uint32_t mask)
{
	const struct site *most = table;
	for (uint32_t i = 0; i < l->cfg.max_peers; i++) {
		struct xy_link *k = l->link[i];
		if (!is_staying(k))
			continue;
		uint64_t id = site_of(&k->remote.addr);
		struct site *s = site_find(l, table, mask, id);
		s->id = id;
		if (!s->count++ || k->open_since < s->oldest->open_since)
			s->oldest = k;
		if (s->count > most->count)
			most = s;
	}
	return most;
}

// All places are taken: the oldest of the fullest site gives its own to one whose site holds fewer,
// also with it. So who makes up keys and addresses takes places from himself alone.
static bool share_place(struct xy_links *l, const struct xy_link *k, xy_nsec now)
{
	uint32_t room = 1;
	if (now < l->shared_at)
		return false;
	l->shared_at = now + SHARE_EVERY; // it is a look at every link
	while (room < 2 * l->open_count)
		room *= 2;
	struct site *table = calloc(room, sizeof(*table));
	if (!table)
		return false;
	const struct site *most = sites_count(l, table, room - 1);
	const struct site *own = site_find(l, table, room - 1, site_of(&k->remote.addr));
	struct xy_link *oldest = most->count > own->count + 1 ? most->oldest : NULL;
	free(table);
	if (!oldest)
		return false;
	xy_links_drop(l, XY_HS_DROP_OPEN_SHARE, NULL, &oldest->remote); // it goes
	xy_link_open_drop(l, oldest);
	return true;
}

static bool may_stay(struct xy_links *l, const struct xy_link *k, const struct xy_prefix *p,
		     xy_nsec now)
{
	bool full = l->open_count >= l->open_most && !share_place(l, k, now);
	unsigned long missed;
	if (!full && !is_taken(l, p))
		return true;
	xy_links_drop(l, full ? XY_HS_DROP_OPEN_FULL : XY_HS_DROP_COLLISION, NULL, &k->remote);
	if (xy_log_limit_pass(&l->log_open_full, now, &missed))
		xy_log_warn("%s: %s (%lu more like this)", k->name,
			    full ? "no room for one more open peer: raise max_open_peers"
				 : "its key has the /64 of another node: refused",
			    missed);
	return false;
}

void xy_link_open_confirm(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	const struct xy_keypair *current = xy_keypairs_current(&k->exchange.keypairs);
	const struct xy_rib_route route = {.prefix = xy_key_prefix(&k->key),
					   .source = XY_ROUTE_PEER,
					   .route = {.kind = XY_DP_ROUTE_PEER, .peer = k->slot}};
	if (!may_stay(l, k, &route.prefix, now)) {
		k->open_since = now > PROVISIONAL_TIME ? now - PROVISIONAL_TIME : 0; // ends now
		return;
	}
	provisional_end(l, k);
	l->open_count++;
	xy_link_remote_known(l, k);
	xy_link_endpoint_publish(l, k);
	xy_rib_set(l->rib, &route);
	xy_rib_commit(l->rib);
	xy_link_tell_up(l, k, now);
	// The other side may be waiting for a transport message of ours, too.
	if (current && !current->initiator)
		xy_dp_session_keepalive(l->dp, current->index);
}

static void end(struct xy_links *l, struct xy_link *k)
{
	if (k->provisional)
		provisional_end(l, k);
	else
		l->open_count--;
	k->open = k->admitted = false;
	xy_book_del(l->book, &k->key, XY_BOOK_OPEN);
}

void xy_link_open_end(struct xy_links *l, struct xy_link *k)
{
	struct xy_prefix p = xy_key_prefix(&k->key);
	const struct xy_rib_route *route = xy_rib_get(l->rib, &p, XY_ROUTE_PEER);
	if (!k->open)
		return;
	end(l, k);
	if (route && route->route.peer == k->slot) // else another's, of the config
		xy_rib_del(l->rib, &p, XY_ROUTE_PEER);
}

void xy_link_open_drop(struct xy_links *l, struct xy_link *k)
{
	xy_log_changes_end(k->name);
	if (!k->provisional)
		xy_log_info("peer %s: removed, it was idle or had to make room", k->name);
	xy_link_order_drop(l, k);
	xy_link_remove(l, k);
}

static struct xy_link *quietest(const struct xy_links *l)
{
	struct xy_link *k = NULL;
	for (uint32_t i = 0; l->open_count && i < l->cfg.max_peers; i++)
		if (l->link[i] && l->link[i]->open &&
		    (!k || l->link[i]->exchange.last_handshake < k->exchange.last_handshake))
			k = l->link[i];
	return k;
}

bool xy_link_open_evict(struct xy_links *l)
{
	struct xy_link *k = l->provisional_count ? l->provisional[0] : quietest(l);
	if (k)
		xy_link_open_drop(l, k);
	return k;
}

void xy_link_open_adopt(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	bool told = !k->provisional;
	if (!k->open)
		return;
	end(l, k); // its route is the config's from here on
	xy_link_remote_known(l, k);
	xy_link_endpoint_publish(l, k);
	if (!told && xy_link_is_up(l, k, now))
		xy_link_tell_up(l, k, now);
}

void xy_links_admitted_review(struct xy_links *l)
{
	for (uint32_t i = 0; l->open_count + l->provisional_count && i < l->cfg.max_peers; i++) {
		struct xy_link *k = l->link[i];
		if (!k || !k->admitted || is_admitted(l, &k->key))
			continue;
		xy_log_info("peer %s: is let in no more", k->name);
		xy_link_open_drop(l, k);
	}
}

xy_nsec xy_link_open_ends(const struct xy_links *l, const struct xy_link *k)
{
	if (!k->open)
		return XY_NEVER;
	if (k->provisional)
		return k->open_since + PROVISIONAL_TIME;
	return k->exchange.last_handshake + xy_exchanges_limits(l->exchanges)->reject_after_time +
	       IDLE_TIME;
}

// --- meeting

static void have_met(struct xy_links *l, const uint8_t pk[static XY_WG_KEY_LEN],
		     const struct xy_endpoint *at, const struct xy_job *opened)
{
	xy_exchanges_meet(l->exchanges, &l->owner, pk, l->open_psk, at, opened);
}

void xy_link_meet(struct xy_links *l, const struct xy_job *opened)
{
	have_met(l, opened->pk, &opened->at.remote, opened);
}

// A known one that is not up is tried there.
static void meet_known(struct xy_links *l, struct xy_link *k, const struct xy_endpoint *at,
		       xy_nsec now)
{
	if (k->leaf || xy_link_is_well(l, k, now))
		return;
	k->endpoints.learned = *at; // for when the present attempt is given up
	if (k->exchange.hs != XY_EXCHANGE_HS_NONE && k->remote.port)
		return;
	xy_link_ask_there(l, k, at, now);
}

bool xy_links_meet(struct xy_links *l, const struct xy_key *key, const struct xy_endpoint *at,
		   xy_nsec now)
{
	struct xy_link *k = xy_link_by_key(l, key->b);
	if (memcmp(key->b, l->cfg.identity->x25519.b, sizeof(key->b)) == 0 || !xy_link_usable(at))
		return false;
	if (k) {
		meet_known(l, k, at, now);
		return true;
	}
	if (!xy_links_lets_in(l, key->b, at))
		return false;
	have_met(l, key->b, at, NULL);
	return true;
}

static void met_asking(struct xy_links *l, const struct xy_job *job, xy_nsec now)
{
	struct xy_link *k = xy_link_by_key(l, job->pk);
	if (!k)
		k = xy_links_lets_in(l, job->pk, &job->at.remote) ? add(l, job, now) : NULL;
	if (k)
		xy_exchange_answer(l->exchanges, &k->exchange, job, now);
}

static void met_beacon(struct xy_links *l, const struct xy_job *job, xy_nsec now)
{
	struct xy_link *k = xy_link_by_key(l, job->pk);
	if (!k)
		k = xy_links_lets_in(l, job->pk, &job->at.remote) ? add(l, job, now) : NULL;
	if (k)
		meet_known(l, k, &job->at.remote, now);
}

void xy_link_met(struct xy_links *l, const struct xy_job *job, xy_nsec now)
{
	if (job->asked)
		met_asking(l, job, now);
	else
		met_beacon(l, job, now);
}
