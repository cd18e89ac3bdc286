// SPDX-License-Identifier: BSD-3-Clause
// The set of far nodes: making it, what the dataplane tells, running what is due.
#define XY_LOG_PART XY_PART_LINKS

#include "far/fars.h"

#include "base/bytes.h"
#include "wire/e2e.h"

#include <sodium.h>
#include <stdlib.h>

// Handshakes of strangers before cookies are asked, and with one, of all that one link brings; and
// those that bear a known node's address, which a relay can forge, by one link. 1,000 a second are
// a tenth of a core of helpers; a gateway with 100,000 nodes has 850 by itself.
#define STRANGER_RATE  1000
#define STRANGER_BURST 200
#define COOKIED_RATE   500
#define COOKIED_BURST  100
// Whom we ask because somebody says that they send in sessions of before.
#define LOST_RATE	 200
#define LOST_BURST	 200
#define LINK_RATE	 2000
#define LINK_BURST	 4000 // answers, when as many were asked at once

#define PROVISIONAL_TIME (10 * XY_SEC)
#define MTU_TIME	 (600 * XY_SEC)
#define TELL_AGAIN	 XY_SEC	      // where memory is lacking
#define JUST_BEGUN	 (2 * XY_SEC) // events of before are still on their way

enum { NUMBERS_STEP = 64 }; // that are nobody's, in one step

// --- making it

static int tables_init(struct xy_fars *f)
{
	uint32_t n = f->cfg.max;
	int r = xy_heap_init(&f->timers, n);
	r = r ? r : xy_map_init(&f->by_net);
	r = r ? r : xy_map_reserve(&f->by_net, n);
	f->node = calloc(n, sizeof(struct xy_far_node *));
	f->free = calloc(n, sizeof(*f->free));
	f->brought = calloc(f->cfg.first + 1u, sizeof(*f->brought));
	if (r || !f->node || !f->free || !f->brought)
		return -ENOMEM;
	for (; f->free_count < n; f->free_count++)
		f->free[f->free_count] = f->cfg.first + f->free_count;
	return 0;
}

static void own(struct xy_fars *f)
{
	const struct xy_fars_config *c = &f->cfg;
	f->owner = (struct xy_exchange_owner){.ops = &xy_far_exchange_ops,
					      .arg = f,
					      .first = c->first,
					      .count = c->max,
					      .label = XY_FAR_LABEL};
	f->owner.admission.rate = c->stranger_rate ? c->stranger_rate : STRANGER_RATE;
	f->owner.admission.burst = c->stranger_burst ? c->stranger_burst : STRANGER_BURST;
	f->owner.admission.cookied_rate = COOKIED_RATE;
	f->owner.admission.cookied_burst = COOKIED_BURST;
	xy_exchanges_own(c->exchanges, &f->owner);
}

int xy_fars_create(const struct xy_fars_config *cfg, struct xy_fars **out, struct xy_err *err)
{
	uint8_t key[16];
	struct xy_fars *f = calloc(1, sizeof(*f));
	if (!f)
		return xy_err_set(err, ENOMEM, "no memory for far nodes");
	f->cfg = *cfg;
	randombytes_buf(f->hash_key, sizeof(f->hash_key));
	randombytes_buf(key, sizeof(key));
	xy_limiter_init_rate(&f->by_link, key,
			     XY_SEC / (cfg->link_rate ? cfg->link_rate : LINK_RATE),
			     cfg->link_burst ? cfg->link_burst : LINK_BURST);
	xy_bucket_init(&f->lost_rate, XY_SEC / LOST_RATE, LOST_BURST);
	own(f);
	if (tables_init(f)) {
		xy_fars_destroy(f);
		return xy_err_set(err, ENOMEM, "no memory for %u far nodes: lower max_sessions",
				  cfg->max);
	}
	*out = f;
	return 0;
}

void xy_fars_destroy(struct xy_fars *f)
{
	if (!f)
		return;
	for (uint32_t i = 0; f->node && i < f->cfg.max; i++)
		if (f->node[i])
			xy_far_forget(f, f->node[i]);
	xy_exchanges_disown(f->cfg.exchanges, &f->owner);
	xy_heap_fini(&f->timers);
	xy_map_fini(&f->by_net);
	free(f->node);
	free(f->free);
	free(f->brought);
	sodium_memzero(f, sizeof(*f));
	free(f);
}

// --- whose a /64 is

static bool names_key(const struct xy_rib_route *r, const struct xy_prefix *net, struct xy_key *key,
		      uint32_t *epoch)
{
	if (!r || !r->origin || !r->origin->has_key)
		return false;
	const struct xy_prefix own = xy_key_prefix(&r->origin->key);
	if (!xy_prefix_eq(&own, net)) // its hash is all that makes it the owner
		return false;
	*key = r->origin->key;
	*epoch = r->origin->epoch;
	return true;
}

// What is in force may be a static route, which need not name the key that a signed one does.
bool xy_far_route(const struct xy_fars *f, const struct xy_addr *net, struct xy_key *key,
		  uint32_t *epoch)
{
	struct xy_prefix p = {.addr = *net, .len = 64};
	xy_prefix_mask(&p);
	return names_key(xy_rib_best(f->cfg.rib, &p), &p, key, epoch) ||
	       names_key(xy_rib_get(f->cfg.rib, &p, XY_ROUTE_LEARNED), &p, key, epoch);
}

static void keyless(struct xy_fars *f, const struct xy_addr *net, xy_nsec now)
{
	char text[XY_PREFIX_STRLEN];
	unsigned long missed;
	f->keyless++;
	f->keyless_at = now;
	f->keyless_net = (struct xy_prefix){.addr = *net, .len = 64};
	if (xy_log_limit_pass(&f->log_keyless, now, &missed))
		xy_log_warn("node of %s: no route says its key, so nothing can be sealed for it, "
			    "and what is sent there is dropped; a static route that leads beyond "
			    "its peer needs `key` (%lu more like this)",
			    xy_prefix_str(&f->keyless_net, text), missed);
}

// --- timers

static xy_nsec idle_time(const struct xy_fars *f)
{
	return 2 * xy_exchanges_limits(f->cfg.exchanges)->rekey_after_time;
}

// A pinned one that is at rest has nothing that could end.
static xy_nsec end_of(const struct xy_fars *f, const struct xy_far_node *n)
{
	xy_nsec at = n->active + idle_time(f);
	if (n->provisional && n->since + PROVISIONAL_TIME < at)
		at = n->since + PROVISIONAL_TIME;
	if (n->pins && (n->phase != XY_FAR_READY || (n->exchange.hs == XY_EXCHANGE_HS_NONE &&
						     !xy_exchange_sessions(&n->exchange))))
		return XY_NEVER;
	return n->ends < at ? n->ends : at;
}

void xy_far_schedule(struct xy_fars *f, struct xy_far_node *n, xy_nsec now)
{
	xy_nsec at = end_of(f, n), due = XY_NEVER;
	if (n->mtu && n->mtu_until < at)
		at = n->mtu_until;
	if (n->phase == XY_FAR_READY)
		due = n->wanted ? 0 : xy_exchange_deadline(f->cfg.exchanges, &n->exchange, now);
	xy_heap_set(&f->timers, &n->timer, due < at ? due : at);
}

void xy_far_want(struct xy_fars *f, struct xy_far_node *n, xy_nsec now)
{
	const struct xy_keypair *current = xy_keypairs_current(&n->exchange.keypairs);
	if (n->phase == XY_FAR_CANNOT)
		return;
	n->ends = XY_NEVER;
	n->wanted = n->phase != XY_FAR_READY;
	xy_far_touch(f, n, now);
	if (n->wanted || (current && now - current->born < JUST_BEGUN))
		return;
	xy_exchange_want(f->cfg.exchanges, &n->exchange, now);
}

static xy_nsec later(xy_nsec a, xy_nsec b)
{
	return a > b ? a : b;
}

// One that does not answer and has begun a new epoch since has started anew, and knows nothing of
// the session: who waits for WireGuard to find that out waits for fifteen seconds.
static void restart_look(struct xy_fars *f, struct xy_far_node *n, const struct xy_dp_peer_stats *s,
			 xy_nsec now)
{
	struct xy_key key;
	uint32_t epoch;
	if (s->tx_data <= s->rx_any || !xy_exchange_is_well(f->cfg.exchanges, &n->exchange, now) ||
	    !xy_far_route(f, &n->addr, &key, &epoch) || memcmp(key.b, n->key.b, sizeof(key.b)) != 0)
		return;
	bool again = n->epoch && epoch > n->epoch;
	n->epoch = epoch;
	if (again)
		xy_exchange_want(f->cfg.exchanges, &n->exchange, now);
}

static void look(struct xy_fars *f, struct xy_far_node *n, xy_nsec now)
{
	struct xy_dp_peer_stats s;
	if (xy_dp_peer_stats(f->cfg.dp, n->number, &s))
		return;
	xy_far_touch(f, n, later(s.rx_data, s.tx_data));
	restart_look(f, n, &s, now);
}

static bool is_over(const struct xy_fars *f, struct xy_far_node *n, xy_nsec now)
{
	if (now < end_of(f, n))
		return false;
	// A rekey was not answered, but something else was heard since.
	bool heard = n->phase == XY_FAR_READY && now < n->active + idle_time(f) &&
		     !n->provisional && xy_exchange_is_up(f->cfg.exchanges, &n->exchange, now) &&
		     xy_exchange_is_heard(f->cfg.exchanges, &n->exchange, now);
	if (heard)
		n->ends = XY_NEVER;
	return !heard;
}

// What could not be told is not so: the next error of a relay, or the next look, tries it again.
static void mtu_set(struct xy_fars *f, struct xy_far_node *n, uint32_t mtu, xy_nsec now)
{
	uint32_t was = n->mtu;
	n->mtu = mtu;
	if (!xy_far_tell(f, n)) {
		n->mtu_until = now + MTU_TIME;
		return;
	}
	n->mtu = was;
	if (!mtu)
		n->mtu_until = now + TELL_AGAIN;
}

// What it had ends, but its place does not.
static void rest(struct xy_fars *f, struct xy_far_node *n)
{
	n->ends = XY_NEVER;
	n->wanted = false;
	if (n->phase == XY_FAR_READY)
		xy_exchange_restart(f->cfg.exchanges, &n->exchange);
}

static void run(struct xy_fars *f, struct xy_far_node *n, xy_nsec now)
{
	if (n->mtu && now >= n->mtu_until)
		mtu_set(f, n, 0, now);
	if (n->phase == XY_FAR_READY) {
		if (n->wanted)
			xy_far_want(f, n, now);
		xy_exchange_run(f->cfg.exchanges, &n->exchange, now);
		look(f, n, now);
	}
	if (!is_over(f, n, now)) {
		xy_far_schedule(f, n, now);
	} else if (n->pins) {
		rest(f, n);
		xy_far_schedule(f, n, now);
	} else {
		xy_far_forget(f, n);
	}
}

// --- by and by

static bool numbers_step(struct xy_fars *f, uint32_t *left, unsigned *max, struct xy_far_node **n)
{
	for (unsigned nobody = 0; *left && *max;) {
		*n = f->node[--*left];
		if (*n || ++nobody % NUMBERS_STEP == 0)
			--*max;
		if (*n)
			return true;
	}
	return false;
}

// Who has a session and is in use is asked at once: it would not find out for a while.
static void renew(struct xy_fars *f, struct xy_far_node *n, xy_nsec now)
{
	bool used = xy_keypairs_current(&n->exchange.keypairs) &&
		    now - n->active < xy_exchanges_limits(f->cfg.exchanges)->rekey_after_time;
	if (n->phase != XY_FAR_READY)
		return;
	memcpy(n->exchange.theirs.psk, f->cfg.psk, sizeof(n->exchange.theirs.psk));
	xy_exchange_restart(f->cfg.exchanges, &n->exchange);
	n->wanted = n->wanted || used;
	xy_far_schedule(f, n, now);
}

static void slices_run(struct xy_fars *f, unsigned *max, xy_nsec now)
{
	struct xy_far_node *n;
	while (numbers_step(f, &f->renewing, max, &n))
		renew(f, n, now);
	while (numbers_step(f, &f->telling, max, &n))
		if (!f->telling_untold || n->untold)
			xy_far_accepts_tell(f, n);
}

static void tell_again(struct xy_fars *f, xy_nsec now)
{
	if (!f->untold || f->telling || now < f->tell_at)
		return;
	f->tell_at = now + TELL_AGAIN;
	f->untold = false;
	f->telling_untold = true;
	f->telling = f->cfg.max;
}

void xy_fars_run(struct xy_fars *f, unsigned max, xy_nsec now)
{
	struct xy_heap_node *due;
	tell_again(f, now);
	slices_run(f, &max, now);
	for (; max && (due = xy_heap_first(&f->timers)) && due->at <= now; max--)
		run(f, (struct xy_far_node *)due, now);
	xy_fars_trim(f, now);
	xy_far_meets_next(f, now);
}

xy_nsec xy_fars_deadline(const struct xy_fars *f)
{
	const struct xy_heap_node *due = xy_heap_first(&f->timers);
	xy_nsec at = due ? due->at : XY_NEVER;
	if (f->renewing || f->telling)
		return 0;
	if (f->untold && f->tell_at < at)
		at = f->tell_at;
	return xy_far_meets_due(f) && f->meet_at < at ? f->meet_at : at;
}

void xy_fars_accepts_changed(struct xy_fars *f)
{
	f->telling = f->cfg.max;
	f->telling_untold = false;
}

void xy_fars_secret_set(struct xy_fars *f, const uint8_t psk[static XY_WG_KEY_LEN])
{
	if (sodium_memcmp(f->cfg.psk, psk, sizeof(f->cfg.psk)) == 0)
		return;
	memcpy(f->cfg.psk, psk, sizeof(f->cfg.psk));
	f->renewing = f->cfg.max;
}

// --- pins

static bool is_own(const struct xy_fars *f, const struct xy_key *key)
{
	return memcmp(key->b, f->cfg.identity->x25519.b, sizeof(key->b)) == 0;
}

// A known one with the /64 of this key makes room, unless it is pinned. False: it stays.
static bool other_leaves(struct xy_fars *f, const struct xy_key *key)
{
	const struct xy_addr addr = xy_key_addr(key);
	struct xy_far_node *n = xy_far_by_net(f, &addr);
	if (!n || memcmp(n->key.b, key->b, sizeof(key->b)) == 0)
		return true;
	if (n->pins)
		return false;
	xy_far_forget(f, n);
	return true;
}

int xy_fars_pin(struct xy_fars *f, const struct xy_key *key, uint32_t *number, xy_nsec now)
{
	if (is_own(f, key))
		return -EINVAL;
	if (!other_leaves(f, key))
		return -EEXIST;
	struct xy_far_node *n = xy_far_by_key(f, key);
	n = n ? n : xy_far_make(f, key, XY_FAR_BY_PIN, XY_DP_NO_PEER, now);
	if (!n)
		return f->free_count ? -EBUSY : -ENOSPC;
	xy_far_pins_set(f, n, n->pins + 1, now);
	*number = n->number;
	return 0;
}

void xy_fars_unpin(struct xy_fars *f, uint32_t number, xy_nsec now)
{
	struct xy_far_node *n = xy_far_at(f, number);
	if (n && n->pins)
		xy_far_pins_set(f, n, n->pins - 1, now);
}

// --- what the dataplane tells

// The route says who it is, once there is one with a key; until then it is who it was.
static void meet(struct xy_fars *f, const struct xy_addr *net, xy_nsec now)
{
	struct xy_key key;
	uint32_t epoch;
	struct xy_far_node *n = xy_far_by_net(f, net);
	bool named = xy_far_route(f, net, &key, &epoch);
	if (named && is_own(f, &key))
		return;
	if (named && !other_leaves(f, &key))
		named = false; // for the one that is pinned
	else if (named)
		n = xy_far_by_key(f, &key);
	if (!n && !named) {
		keyless(f, net, now);
		return;
	}
	n = n ? n : xy_far_make(f, &key, XY_FAR_BY_TRAFFIC, XY_DP_NO_PEER, now);
	if (!n)
		return;
	xy_far_confirm(f, n, now); // whoever brought it: we want it now
	xy_far_want(f, n, now);
	xy_far_schedule(f, n, now);
	xy_far_meets_next(f, now);
}

static bool is_asked(const struct xy_fars *f, const struct xy_far_node *n, xy_nsec now)
{
	return n->phase == XY_FAR_READY
		       ? n->exchange.timers.attempt_start ||
				 xy_exchange_is_up(f->cfg.exchanges, &n->exchange, now)
		       : n->wanted;
}

// We may have started anew, and it seals in a session of before: by itself it finds that out after
// WireGuard's fifteen seconds. It is asked, if a route names its key. Anybody may say so in its
// name: so one with whom there is a session, or that is being asked, is left alone, and it comes as
// a stranger does, in nobody's place.
static void lost(struct xy_fars *f, const struct xy_addr *net, uint32_t link, xy_nsec now)
{
	struct xy_key key;
	uint32_t epoch;
	struct xy_far_node *n = xy_far_by_net(f, net);
	if (n && is_asked(f, n, now))
		return;
	if (!xy_far_route(f, net, &key, &epoch) || is_own(f, &key) ||
	    (n && memcmp(n->key.b, key.b, sizeof(key.b)) != 0) ||
	    !xy_bucket_take(&f->lost_rate, now))
		return;
	n = n ? n : xy_far_make(f, &key, XY_FAR_BY_LOST, link, now);
	if (!n)
		return;
	xy_log_debug("node %s: seals in a session of before, and is asked for another",
		     xy_far_exchange_ops.name(&n->exchange));
	xy_far_want(f, n, now);
	xy_far_schedule(f, n, now);
	xy_far_meets_next(f, now);
}

static void mtu_told(struct xy_fars *f, struct xy_far_node *n, uint32_t mtu, xy_nsec now)
{
	mtu = mtu < XY_E2E_MTU_MIN ? XY_E2E_MTU_MIN : mtu;
	if (n->mtu && mtu >= n->mtu)
		return;
	mtu_set(f, n, mtu, now);
	xy_far_schedule(f, n, now);
}

// Of a link an address that is nobody's, for limits.
static struct xy_addr link_payer(uint32_t link)
{
	struct xy_addr a = {.b = {0xfe, 0x80}};
	xy_be32_store(a.b + 12, link + 1);
	return a;
}

// Whose handshake a response or a cookie is for; NULL: it is neither, or nobody's.
static const struct xy_exchange *answered(const struct xy_fars *f, const struct xy_dp_event *ev)
{
	enum xy_wg_type type = xy_wg_classify(ev->data, ev->len);
	size_t at = type == XY_WG_RESPONSE ? offsetof(struct xy_wg_response, receiver)
					   : offsetof(struct xy_wg_cookie_reply, receiver);
	if (type != XY_WG_RESPONSE && type != XY_WG_COOKIE_REPLY)
		return NULL;
	return xy_exchanges_by_index(f->cfg.exchanges, &f->owner, xy_le32_load(ev->data + at));
}

// A known node's by the link that its last one came by: any other can send in its name, and is a
// stranger's way till it has shown its key. Or an answer, whose index only who sees ours knows.
// What is not even meant for our key costs the link nothing.
static bool is_known(struct xy_fars *f, const struct xy_exchange_message *m,
		     const struct xy_exchange *x, const struct xy_addr *link, xy_nsec now)
{
	const struct xy_addr *from = &m->at.remote.addr;
	const struct xy_far_node *n = xy_far_by_net(f, from);
	bool known = x || (n && !n->provisional && n->via == (uint32_t)m->at.heard.port &&
			   xy_addr_eq(&n->addr, from));
	return known && xy_exchanges_is_meant(f->cfg.exchanges, m, now) &&
	       xy_limiter_take(&f->by_link, link, now);
}

static void punt(struct xy_fars *f, const struct xy_dp_event *ev, xy_nsec now)
{
	const struct xy_addr link = link_payer(ev->peer);
	const struct xy_exchange *x = answered(f, ev);
	struct xy_exchange_message m = {
		.data = ev->data,
		.len = ev->len,
		.at = {.remote = {.addr = ev->remote.addr},
		       .heard = {.port = ev->peer},
		       .worker = ev->worker,
		       .inside = true},
	};
	// An answer comes from where the question went, to all 128 bits.
	if (!xy_addr_is_mesh(&ev->remote.addr) ||
	    (x && !xy_addr_eq(&xy_far_of(x)->addr, &ev->remote.addr))) {
		xy_exchanges_drop(f->cfg.exchanges, XY_HS_DROP_SOURCE, NULL, &m.at);
		return;
	}
	f->known = is_known(f, &m, x, &link, now);
	m.payer = f->known ? ev->remote.addr : link;
	xy_exchanges_take(f->cfg.exchanges, &f->owner, &m, now);
}

// Of a session, and not of a handshake under way.
static struct xy_far_node *by_session(const struct xy_fars *f, uint32_t index)
{
	const struct xy_exchange *x = xy_exchanges_by_index(f->cfg.exchanges, &f->owner, index);
	return x && xy_keypairs_find(&x->keypairs, index) != XY_KEYPAIR_SLOTS ? xy_far_of(x) : NULL;
}

static void first(struct xy_fars *f, struct xy_far_node *n, uint32_t index, xy_nsec now)
{
	const struct xy_keypair *p;
	xy_exchange_first(f->cfg.exchanges, &n->exchange, index, now);
	p = xy_keypairs_current(&n->exchange.keypairs);
	// The other side may be waiting for a transport message of ours, too.
	if (n->provisional && p && !p->initiator)
		xy_dp_session_keepalive(f->cfg.dp, p->index);
	xy_far_confirm(f, n, now);
	xy_far_schedule(f, n, now);
}

bool xy_fars_is_theirs(const struct xy_fars *f, const struct xy_dp_event *ev)
{
	switch (ev->type) {
	case XY_DP_MEET:
	case XY_DP_LOST:
	case XY_DP_FAR_MTU:
		return true;
	case XY_DP_PUNT:
		return ev->peer != XY_DP_NO_PEER;
	case XY_DP_WANT:
	case XY_DP_FIRST:
	case XY_DP_NUDGE:
	case XY_DP_ROAM:
		return ev->peer - f->cfg.first < f->cfg.max;
	default:
		return false;
	}
}

void xy_fars_event(struct xy_fars *f, const struct xy_dp_event *ev, xy_nsec now)
{
	struct xy_far_node *n = NULL;
	switch (ev->type) {
	case XY_DP_MEET:
		meet(f, &ev->addr, now);
		break;
	case XY_DP_LOST:
		lost(f, &ev->addr, ev->source, now);
		break;
	case XY_DP_PUNT:
		punt(f, ev, now);
		break;
	case XY_DP_WANT:
		n = xy_far_at(f, ev->peer);
		if (n)
			meet(f, &n->addr, now);
		break;
	case XY_DP_FAR_MTU:
		n = xy_far_at(f, ev->peer);
		if (n)
			mtu_told(f, n, ev->mtu, now);
		break;
	case XY_DP_FIRST:
		n = by_session(f, ev->index);
		if (n)
			first(f, n, ev->index, now);
		break;
	case XY_DP_NUDGE:
		n = by_session(f, ev->index);
		if (n)
			run(f, n, now);
		break;
	default: // there is no roaming
		break;
	}
}
