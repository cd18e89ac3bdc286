// SPDX-License-Identifier: BSD-3-Clause
#include "fleet/claims.h"

#include "base/grow.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int xy_claims_init(struct xy_claims *c)
{
	*c = (struct xy_claims){.foreign = calloc(XY_CLAIMS_FOREIGN, sizeof(*c->foreign))};
	xy_fleet_trust_init(&c->trust);
	return c->foreign ? 0 : -ENOMEM;
}

void xy_claims_fini(struct xy_claims *c)
{
	xy_fleet_trust_fini(&c->trust);
	free(c->foreign);
}

void xy_claims_key(const struct xy_prefix *p, char out[static XY_IPAM_KEY])
{
	char hex[XY_FLEET_KEY_STRLEN];
	snprintf(out, XY_IPAM_KEY, "claim.%s", xy_fleet_key_hex(&p->addr, hex));
}

void xy_claims_record_key(const struct xy_addr *a, char out[static XY_IPAM_KEY])
{
	char hex[XY_FLEET_KEY_STRLEN];
	snprintf(out, XY_IPAM_KEY, "node.%s", xy_fleet_key_hex(a, hex));
}

// --- whose a network is

void xy_claims_judge(const struct xy_claims *c, const struct xy_prefix *p, const void *value,
		     size_t len, uint64_t wall, struct xy_ipam_holder *out)
{
	struct xy_fleet_claim claim;
	char key[XY_KEY_STRLEN];
	*out = (struct xy_ipam_holder){.who = XY_IPAM_NOBODY};
	if (xy_fleet_claim_parse(value, len, &claim, NULL) || !xy_prefix_eq(&claim.prefix, p) ||
	    claim.expires <= wall || claim.expires > xy_fleet_valid_most(wall))
		return;
	bool mine = memcmp(&claim.key, &c->self, sizeof(claim.key)) == 0;
	if (!mine && xy_fleet_trust_admit(&c->trust, &claim.key, &claim.membership, wall))
		return;
	struct xy_addr owner = xy_key_addr(&claim.link_key);
	out->who = mine ? XY_IPAM_MINE : XY_IPAM_OTHERS;
	out->since = claim.since;
	out->expires = claim.expires;
	out->epoch = claim.epoch;
	out->key = claim.key;
	snprintf(out->name, sizeof(out->name), "the node %.44s", xy_key_str(&claim.key, key));
	xy_claims_record_key(&owner, out->owner);
}

// A claim stays in the registry, or is put back there by whoever may write it: what its node says
// of itself later counts.
bool xy_claims_let_go(const struct xy_prefix *p, const struct xy_ipam_holder *h, const void *value,
		      size_t len)
{
	struct xy_fleet_record r;
	if (xy_fleet_record_parse(value, len, &r, NULL) || r.epoch <= h->epoch ||
	    memcmp(&r.key, &h->key, sizeof(r.key)) != 0)
		return false;
	return r.ended || !r.has_claim || !xy_prefix_eq(&r.claim, p);
}

// --- who uses parts of it

static void name_hash(const char *name, uint8_t out[static 16])
{
	crypto_generichash(out, 16, (const uint8_t *)name, strlen(name), NULL, 0);
}

static void forget(struct xy_claims *c, const uint8_t name[static 16])
{
	for (unsigned i = 0; i < c->count;)
		if (memcmp(c->foreign[i].name, name, 16) == 0)
			c->foreign[i] = c->foreign[--c->count];
		else
			i++;
}

static bool overlap(const struct xy_prefix *a, const struct xy_prefix *b)
{
	return xy_prefix_covers(a, b) || xy_prefix_covers(b, a);
}

static void add(struct xy_claims *c, const uint8_t name[static 16], const char *node,
		const struct xy_prefix *p, uint64_t expires)
{
	// the way to all of it, as an exit's or a gateway's, is no use of a part
	if (c->count == XY_CLAIMS_FOREIGN || !xy_prefix_covers(&c->wish.cidr, p) ||
	    xy_prefix_eq(&c->wish.cidr, p))
		return;
	struct xy_claims_foreign *f = &c->foreign[c->count++];
	*f = (struct xy_claims_foreign){.prefix = *p, .expires = expires};
	memcpy(f->name, name, sizeof(f->name));
	snprintf(f->node, sizeof(f->node), "%s", node);
}

static bool is_given_out(const struct xy_claims *c, const struct xy_prefix *p)
{
	return xy_claims_is_given_out(&c->wish.cidr, c->wish.bits, p);
}

static void note_record(struct xy_claims *c, const uint8_t name[static 16], const void *text,
			size_t len, uint64_t wall)
{
	struct xy_fleet_record r;
	if (xy_fleet_record_parse(text, len, &r, NULL) || r.ended ||
	    memcmp(&r.key, &c->self, sizeof(r.key)) == 0 ||
	    xy_fleet_trust_admit(&c->trust, &r.key, &r.membership, wall))
		return;
	for (unsigned i = 0; i < r.prefix_count; i++)
		if (!r.has_claim || !xy_prefix_covers(&r.claim, &r.prefix[i]))
			add(c, name, r.name, &r.prefix[i], r.expires);
	if (r.has_claim && !is_given_out(c, &r.claim))
		add(c, name, r.name, &r.claim, r.expires);
}

static void note_claim(struct xy_claims *c, const uint8_t name[static 16], const void *text,
		       size_t len, uint64_t wall)
{
	struct xy_fleet_claim claim;
	if (xy_fleet_claim_parse(text, len, &claim, NULL) || is_given_out(c, &claim.prefix) ||
	    claim.expires > xy_fleet_valid_most(wall) ||
	    memcmp(&claim.key, &c->self, sizeof(claim.key)) == 0 ||
	    xy_fleet_trust_admit(&c->trust, &claim.key, &claim.membership, wall))
		return;
	add(c, name, "", &claim.prefix, claim.expires);
}

void xy_claims_note(struct xy_claims *c, const char *name, const void *text, size_t len,
		    uint64_t wall)
{
	uint8_t hash[16];
	name_hash(name, hash);
	forget(c, hash);
	c->wall = wall;
	if (!text || !c->wish.bits)
		return;
	if (strncmp(name, "node.", 5) == 0)
		note_record(c, hash, text, len, wall);
	else
		note_claim(c, hash, text, len, wall);
}

bool xy_claims_overlap(const struct xy_claims *c, const struct xy_prefix *p, char *why, size_t size)
{
	char text[XY_PREFIX_STRLEN];
	for (unsigned i = 0; i < c->count; i++) {
		const struct xy_claims_foreign *f = &c->foreign[i];
		if (f->expires <= c->wall || !overlap(&f->prefix, p))
			continue;
		snprintf(why, size, "in use: %s has %s", f->node[0] ? f->node : "another node",
			 xy_prefix_str(&f->prefix, text));
		return true;
	}
	return false;
}

// --- whose of several claims counts

enum { WITHIN_NONE = UINT32_MAX, WITHIN_SAME = UINT32_MAX - 1 };

static int before(const struct xy_claims_weighed *a, const struct xy_claims_weighed *b)
{
	if (a->stood != b->stood)
		return a->stood ? -1 : 1;
	uint64_t one = a->dated ? a->dated : a->seen, other = b->dated ? b->dated : b->seen;
	if (one != other)
		return one < other ? -1 : 1;
	if (a->seen != b->seen)
		return a->seen < b->seen ? -1 : 1;
	return memcmp(&a->key, &b->key, sizeof(a->key));
}

static int by_prefix(const void *one, const void *other)
{
	const struct xy_claims_weighed *a = one, *b = other;
	int r = memcmp(&a->prefix.addr, &b->prefix.addr, sizeof(a->prefix.addr));
	r = r ? r : (int)a->prefix.len - (int)b->prefix.len;
	return r ? r : before(a, b);
}

static int by_turn(const void *one, const void *other)
{
	return before(*(struct xy_claims_weighed *const *)one,
		      *(struct xy_claims_weighed *const *)other);
}

// The nearest that each lies within; of those of one prefix all but the first say so.
static void nest(struct xy_claims_weighed *v, unsigned count)
{
	unsigned last = WITHIN_NONE;
	for (unsigned i = 0; i < count; i++) {
		v[i].given = v[i].below = false;
		while (last != WITHIN_NONE && !xy_prefix_covers(&v[last].prefix, &v[i].prefix))
			last = v[last].within;
		bool same = last != WITHIN_NONE && xy_prefix_eq(&v[last].prefix, &v[i].prefix);
		v[i].within = same ? WITHIN_SAME : last;
		last = same ? last : i;
	}
}

static bool is_free(const struct xy_claims_weighed *v, const struct xy_claims_weighed *c)
{
	if (c->within == WITHIN_SAME || c->below)
		return false;
	for (unsigned i = c->within; i != WITHIN_NONE; i = v[i].within)
		if (v[i].given)
			return false;
	return true;
}

int xy_claims_weigh(struct xy_claims_weighed *v, unsigned count)
{
	struct xy_claims_weighed **turn = malloc((count + 1) * sizeof(struct xy_claims_weighed *));
	if (!turn)
		return -ENOMEM;
	if (count)
		qsort(v, count, sizeof(*v), by_prefix);
	nest(v, count);
	for (unsigned i = 0; i < count; i++)
		turn[i] = &v[i];
	if (count)
		qsort(turn, count, sizeof(struct xy_claims_weighed *), by_turn);
	for (unsigned k = 0; k < count; k++) {
		turn[k]->given = is_free(v, turn[k]);
		for (unsigned i = turn[k]->within;
		     turn[k]->given && i != WITHIN_NONE && !v[i].below; i = v[i].within)
			v[i].below = true;
	}
	free(turn);
	return 0;
}

// --- since when

enum { STOOD_MOST = 16384 };

static uint64_t address_hash(const struct xy_claims_table *t, const struct xy_addr *a)
{
	uint64_t h;
	crypto_shorthash((unsigned char *)&h, a->b, sizeof(a->b), t->secret);
	return h;
}

int xy_claims_table_init(struct xy_claims_table *t)
{
	*t = (struct xy_claims_table){0};
	randombytes_buf(t->secret, sizeof(t->secret));
	return xy_map_init(&t->by_address);
}

void xy_claims_table_fini(struct xy_claims_table *t)
{
	xy_map_fini(&t->by_address);
	free(t->v);
}

static void stood_del(struct xy_claims_table *t, uint32_t at)
{
	xy_map_del(&t->by_address, address_hash(t, &t->v[at].prefix.addr));
	t->v[at] = t->v[--t->count];
	if (at < t->count) // it is there: no memory is needed
		xy_map_set(&t->by_address, address_hash(t, &t->v[at].prefix.addr), at);
}

void xy_claims_table_set(struct xy_claims_table *t, const struct xy_claims_stood *c)
{
	uint32_t at;
	if (xy_map_get(&t->by_address, address_hash(t, &c->prefix.addr), &at))
		stood_del(t, at);
	if (!c->since || t->count == STOOD_MOST)
		return;
	struct xy_claims_stood *v = xy_grow(t->v, &t->room, t->count, sizeof(*v));
	if (!v)
		return;
	t->v = v;
	if (xy_map_set(&t->by_address, address_hash(t, &c->prefix.addr), t->count) == 0)
		t->v[t->count++] = *c;
}

uint64_t xy_claims_table_since(const struct xy_claims_table *t, const struct xy_prefix *p,
			       const struct xy_key *key, uint64_t wall)
{
	uint32_t at;
	if (!xy_map_get(&t->by_address, address_hash(t, &p->addr), &at))
		return 0;
	const struct xy_claims_stood *c = &t->v[at];
	bool is = xy_prefix_eq(&c->prefix, p) && memcmp(&c->key, key, sizeof(*key)) == 0 &&
		  c->expires > wall;
	return is ? c->since : 0;
}
