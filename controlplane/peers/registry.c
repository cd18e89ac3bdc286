// SPDX-License-Identifier: BSD-3-Clause
#include "peers/registry.h"

#include "base/grow.h"
#include "base/secret.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

// --- life

static void peer_free(struct xy_registry_peer *p)
{
	if (!p)
		return;
	free(p->says.endpoints);
	free(p->says.allowed.v);
	sodium_memzero(p, sizeof(*p));
	free(p);
}

int xy_registry_init(struct xy_registry *r, struct xy_book *book, const struct xy_identity *id)
{
	*r = (struct xy_registry){
		.book = book, .identity = id, .next = XY_NEVER, .claims_changed = XY_NEVER};
	randombytes_buf(r->hash_key, sizeof(r->hash_key));
	return xy_map_init(&r->by_key);
}

void xy_registry_fini(struct xy_registry *r)
{
	for (unsigned i = 0; i < r->count; i++)
		peer_free(r->peer[i]);
	for (unsigned i = 0; i < r->gone; i++)
		peer_free(r->leaving[i]);
	free(r->peer);
	free(r->leaving);
	free(r->admitted);
	xy_map_fini(&r->by_key);
	*r = (struct xy_registry){.next = XY_NEVER};
}

static unsigned place_of(const struct xy_registry *r, const struct xy_key *key)
{
	unsigned i = 0;
	while (i < r->count && memcmp(&r->peer[i]->says.key, key, sizeof(*key)) != 0)
		i++;
	return i;
}

const struct xy_config_peer *xy_registry_peer(const struct xy_registry *r, const struct xy_key *key)
{
	unsigned i = place_of(r, key);
	return i < r->count ? &r->peer[i]->says : NULL;
}

// --- names

static bool name_taken(const struct xy_registry *r, const char *name, const struct xy_key *key)
{
	for (unsigned i = 0; i < r->count; i++)
		if (strcmp(r->peer[i]->says.name, name) == 0 &&
		    memcmp(&r->peer[i]->says.key, key, sizeof(*key)) != 0)
			return true;
	return r->is_taken && r->is_taken(r->arg, name);
}

// As it calls itself, where nobody else is called so; then with the beginning of its address, which
// nobody chooses for another.
static void name_choose(const struct xy_registry *r, const struct xy_registry_want *want,
			char out[static XY_NAME_LEN + 1])
{
	struct xy_addr a = xy_key_addr(&want->key);
	char hex[33];
	sodium_bin2hex(hex, sizeof(hex), a.b, sizeof(a.b));
	snprintf(out, XY_NAME_LEN + 1, "%s", want->name);
	for (unsigned n = 4; n < 32 && (!out[0] || name_taken(r, out, &want->key)); n += 4) {
		int room = XY_NAME_LEN - 1 - (int)n;
		snprintf(out, XY_NAME_LEN + 1, "%.*s-%.*s", room > 0 ? room : 0,
			 want->name[0] ? want->name : "node", (int)n, hex);
	}
}

// --- peers

static void psk_choose(const struct xy_config *c, bool leaf, uint8_t psk[static 32])
{
	memset(psk, 0, 32);
	if (!leaf && c->has_network_secret)
		memcpy(psk, c->network_secret, 32);
}

static int made(const struct xy_registry *r, const struct xy_registry_want *want,
		const struct xy_config *c, struct xy_registry_peer **out)
{
	struct xy_registry_peer *p = calloc(1, sizeof(*p));
	uint8_t psk[32];
	if (!p)
		return -ENOMEM;
	xy_secret_hide(p, sizeof(*p));
	p->says.key = want->key;
	p->says.leaf = want->leaf;
	p->says.keepalive = want->keepalive;
	p->says.mtu = want->mtu;
	name_choose(r, want, p->says.name);
	p->says.endpoints = xy_config_endpoints_copy(want->endpoints, want->endpoint_count);
	p->says.endpoint_count = want->endpoint_count;
	p->says.allowed.v = calloc(want->allowed.count + 1u, sizeof(*p->says.allowed.v));
	int e = p->says.endpoints && p->says.allowed.v ? 0 : -ENOMEM;
	for (unsigned i = 0; !e && i < want->allowed.count; i++)
		p->says.allowed.v[i] = want->allowed.v[i];
	p->says.allowed.count = want->allowed.count;
	if (!e && r->lay)
		r->lay(r->arg, &p->says);
	psk_choose(c, want->leaf, psk);
	e = e ? e : xy_hs_remote_init(want->key.b, psk, &p->remote);
	sodium_memzero(psk, sizeof(psk));
	if (e) {
		peer_free(p);
		return e;
	}
	*out = p;
	return 0;
}

static bool is_same(const struct xy_config_peer *a, const struct xy_config_peer *b)
{
	bool same = strcmp(a->name, b->name) == 0 && a->leaf == b->leaf &&
		    a->no_traffic == b->no_traffic && a->cost == b->cost &&
		    a->keepalive == b->keepalive && a->mtu == b->mtu &&
		    a->endpoint_count == b->endpoint_count && a->allowed.count == b->allowed.count;
	for (unsigned i = 0; same && i < a->endpoint_count; i++)
		same = strcmp(a->endpoints[i], b->endpoints[i]) == 0;
	for (unsigned i = 0; same && i < a->allowed.count; i++)
		same = xy_prefix_eq(&a->allowed.v[i], &b->allowed.v[i]);
	return same;
}

static int book_put(struct xy_registry *r, const struct xy_registry_peer *p)
{
	const struct xy_book_peer e = {.key = p->says.key,
				       .source = XY_BOOK_REGISTRY,
				       .says = &p->says,
				       .remote = &p->remote};
	return xy_book_set(r->book, &e);
}

static int leaving_room(struct xy_registry *r)
{
	struct xy_registry_peer **v =
		reallocarray(r->leaving, r->gone + 1u, sizeof(struct xy_registry_peer *));
	r->leaving = v ? v : r->leaving;
	return v ? 0 : -ENOMEM;
}

static int add(struct xy_registry *r, struct xy_registry_peer *p)
{
	struct xy_registry_peer **v =
		reallocarray(r->peer, r->count + 1u, sizeof(struct xy_registry_peer *));
	r->peer = v ? v : r->peer;
	int e = v ? book_put(r, p) : -ENOMEM;
	if (!e)
		r->peer[r->count++] = p;
	return e;
}

static int replace(struct xy_registry *r, unsigned at, struct xy_registry_peer *p)
{
	int e = leaving_room(r);
	e = e ? e : book_put(r, p);
	if (e)
		return e;
	r->leaving[r->gone++] = r->peer[at];
	r->peer[at] = p;
	return 0;
}

static int refuse(const struct xy_registry *r, const struct xy_registry_want *want, unsigned at,
		  struct xy_err *err)
{
	char key[XY_KEY_STRLEN];
	if (memcmp(&want->key, &r->identity->x25519, sizeof(want->key)) == 0)
		return xy_err_set(err, EINVAL, "key: this is our own");
	if (at == r->count && r->count == XY_REGISTRY_PEERS)
		return xy_err_set(
			err, ENOSPC,
			"%d peers of a registry are there, and no more may be: want fewer "
			"links (`links` of the fleet's config)",
			XY_REGISTRY_PEERS);
	if (want->leaf && !want->allowed.count)
		return xy_err_set(err, EINVAL, "allowed: a WireGuard device needs one at least: %s",
				  xy_key_str(&want->key, key));
	return 0;
}

static void ends_at(struct xy_registry *r, xy_nsec at)
{
	r->next = at < r->next ? at : r->next;
}

int xy_registry_set(struct xy_registry *r, const struct xy_registry_want *want,
		    const struct xy_config *c, xy_nsec until, bool *changed, struct xy_err *err)
{
	struct xy_registry_peer *p;
	unsigned at = place_of(r, &want->key);
	int e = refuse(r, want, at, err);
	if (e)
		return e;
	e = made(r, want, c, &p);
	if (e)
		return xy_err_set(err, -e, "%s",
				  e == -EBADMSG ? "key: no handshake can be done with it"
						: strerror(-e));
	p->until = until;
	p->session = r->session;
	ends_at(r, until);
	*changed = at == r->count || !is_same(&r->peer[at]->says, &p->says);
	if (!*changed) {
		r->peer[at]->until = until;
		r->peer[at]->session = r->session;
		peer_free(p);
		return 0;
	}
	e = at == r->count ? add(r, p) : replace(r, at, p);
	if (e)
		peer_free(p);
	return e ? xy_err_set(err, -e, "no memory for one more peer") : 0;
}

static int remove_at(struct xy_registry *r, unsigned at)
{
	int e = leaving_room(r);
	if (e)
		return e;
	struct xy_registry_peer *p = r->peer[at];
	r->peer[at] = r->peer[--r->count];
	r->leaving[r->gone++] = p;
	xy_book_del(r->book, &p->says.key, XY_BOOK_REGISTRY);
	return 0;
}

int xy_registry_forget(struct xy_registry *r, const struct xy_key *key)
{
	unsigned at = place_of(r, key);
	return at < r->count ? remove_at(r, at) : -ENOENT;
}

// --- who may come

static uint64_t hash(const struct xy_registry *r, const struct xy_key *key)
{
	uint64_t h;
	crypto_shorthash((unsigned char *)&h, key->b, sizeof(key->b), r->hash_key);
	return h;
}

static struct xy_registry_admitted *admitted(const struct xy_registry *r, const struct xy_key *key)
{
	uint32_t at;
	if (!xy_map_get(&r->by_key, hash(r, key), &at))
		return NULL;
	return memcmp(&r->admitted[at].key, key, sizeof(*key)) == 0 ? &r->admitted[at] : NULL;
}

static bool claims_same(const struct xy_registry_admitted *a, const struct xy_prefix *claim)
{
	return a->has_claim ? claim && xy_prefix_eq(&a->claim, claim) : !claim;
}

int xy_registry_admit(struct xy_registry *r, const struct xy_key *key,
		      const struct xy_prefix *claim, xy_nsec until)
{
	struct xy_registry_admitted *a = admitted(r, key);
	if (!a) {
		if (r->admitted_count == XY_REGISTRY_ADMITTED)
			return -ENOSPC;
		a = xy_grow(r->admitted, &r->admitted_room, r->admitted_count, sizeof(*a));
		if (!a)
			return -ENOMEM;
		r->admitted = a;
		if (xy_map_set(&r->by_key, hash(r, key), r->admitted_count))
			return -ENOMEM;
		a = &r->admitted[r->admitted_count++];
		*a = (struct xy_registry_admitted){.key = *key};
	}
	if (!claims_same(a, claim)) {
		a->has_claim = claim;
		a->claim = claim ? *claim : (struct xy_prefix){0};
		r->claims++;
	}
	a->until = until;
	a->session = r->session;
	ends_at(r, until);
	return 0;
}

bool xy_registry_admits(const struct xy_registry *r, const struct xy_key *key, xy_nsec now)
{
	const struct xy_registry_admitted *a = admitted(r, key);
	return a && now < a->until;
}

static void admitted_end(struct xy_registry *r, struct xy_registry_admitted *a)
{
	struct xy_registry_admitted *last = &r->admitted[--r->admitted_count];
	r->claims += a->has_claim;
	r->left_out++;
	xy_map_del(&r->by_key, hash(r, &a->key));
	if (last == a)
		return;
	*a = *last;
	xy_map_set(&r->by_key, hash(r, &a->key), // it is there: no memory is needed
		   (uint32_t)(a - r->admitted));
}

void xy_registry_unadmit(struct xy_registry *r, const struct xy_key *key)
{
	struct xy_registry_admitted *a = admitted(r, key);
	if (a)
		admitted_end(r, a);
}

static void admitted_run(struct xy_registry *r, xy_nsec now)
{
	for (unsigned i = 0; i < r->admitted_count;) {
		if (r->admitted[i].until > now)
			ends_at(r, r->admitted[i++].until);
		else
			admitted_end(r, &r->admitted[i]);
	}
}

bool xy_registry_claims_due(struct xy_registry *r, xy_nsec now)
{
	if (r->claims == r->laid)
		return false;
	if (r->claims_changed == XY_NEVER)
		r->claims_changed = now;
	if (r->claims != r->claims_seen)
		r->claims_last = now;
	r->claims_seen = r->claims;
	return now >= r->claims_last + XY_REGISTRY_CALM_MS * XY_MSEC ||
	       now >= r->claims_changed + XY_REGISTRY_CALM_MOST_MS * XY_MSEC;
}

void xy_registry_claims_laid(struct xy_registry *r)
{
	r->laid = r->claims_seen = r->claims;
	r->claims_changed = XY_NEVER;
}

// --- what ends

unsigned xy_registry_only(struct xy_registry *r, uint64_t session)
{
	unsigned ended = 0;
	for (unsigned i = 0; i < r->admitted_count;)
		if (r->admitted[i].session == session)
			i++;
		else
			admitted_end(r, &r->admitted[i]);
	for (unsigned i = 0; i < r->count;)
		if (r->peer[i]->session == session || admitted(r, &r->peer[i]->says.key) ||
		    remove_at(r, i)) // without memory: it ends by itself
			i++;
		else
			ended++;
	return ended;
}

unsigned xy_registry_run(struct xy_registry *r, xy_nsec now, char name[static XY_NAME_LEN + 1])
{
	unsigned ended = 0;
	if (now < r->next)
		return 0;
	r->next = XY_NEVER;
	for (unsigned i = 0; i < r->count;) {
		const struct xy_registry_peer *p = r->peer[i];
		if (p->until > now || remove_at(r, i)) { // without memory: by the next look
			ends_at(r, p->until > now ? p->until : now + XY_SEC);
			i++;
			continue;
		}
		if (!ended++)
			memcpy(name, p->says.name, XY_NAME_LEN + 1);
	}
	admitted_run(r, now);
	return ended;
}

// Its own entry is made anew under another name, or with the secret that counts now.
static void renew(struct xy_registry *r, unsigned at, const struct xy_config *c)
{
	const struct xy_config_peer *s = &r->peer[at]->says;
	const struct xy_registry_want want = {.key = s->key,
					      .name = s->name,
					      .leaf = s->leaf,
					      .endpoints = (const char *const *)s->endpoints,
					      .endpoint_count = s->endpoint_count,
					      .allowed = s->allowed,
					      .keepalive = s->keepalive,
					      .mtu = s->mtu};
	struct xy_registry_peer *p;
	if (made(r, &want, c, &p))
		return;
	p->until = r->peer[at]->until;
	p->session = r->peer[at]->session;
	if (replace(r, at, p))
		peer_free(p);
}

void xy_registry_settle(struct xy_registry *r, const struct xy_config *c)
{
	uint8_t psk[32];
	for (unsigned i = 0; i < r->count; i++) {
		const struct xy_registry_peer *p = r->peer[i];
		psk_choose(c, p->says.leaf, psk);
		if (sodium_memcmp(psk, p->remote.psk, sizeof(psk)) != 0 ||
		    name_taken(r, p->says.name, &p->says.key))
			renew(r, i, c);
	}
	sodium_memzero(psk, sizeof(psk));
}

void xy_registry_sweep(struct xy_registry *r)
{
	if (!r->gone || xy_book_has_news(r->book)) // links look at what they have not left
		return;
	while (r->gone)
		peer_free(r->leaving[--r->gone]);
}
