// SPDX-License-Identifier: BSD-3-Clause
// A place for each node, found by a hash of its link key; and what each source calls its records:
// its holds on places.
#include "fleet/book.h"

#include "base/grow.h"
#include "base/list.h"
#include "base/map.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NOWHERE UINT32_MAX

enum { AWAITED_S = 60 }; // between two looks for what is awaited

const char *const xy_fleet_outcome_names[] = {XY_FLEET_OUTCOMES(XY_LIST_NAME) NULL};
const char *const xy_fleet_outcome_texts[] = {XY_FLEET_OUTCOMES(XY_LIST_TEXT) NULL};

struct digest {
	uint8_t b[16];
};

struct place {
	struct xy_fleet_entry e;
	struct digest digest;		  // of its text
	uint32_t holds[XY_FLEET_SOURCES]; // how many names each source has for it
};

struct hold {
	char *name; // NULL: free
	unsigned source;
	uint32_t place; // NOWHERE: of nothing that counts
	uint32_t mark;	// of the resync that saw it
	struct digest digest;
	enum xy_fleet_outcome outcome;
	bool refused; // stands among the refusals
	uint32_t next_free;
};

struct xy_fleet_book {
	struct xy_fleet_book_config cfg;
	struct xy_key self_link;
	uint8_t secret[crypto_shorthash_KEYBYTES],
		digest_key[32]; // strangers choose what is hashed
	struct place **place;	// [places_used], some NULL
	uint32_t places_used, places_room, places_count;
	struct hold *hold; // [holds_used], some free
	uint32_t holds_used, holds_room, holds_free, holds_count, evict_at;
	struct xy_map by_link, by_hold;
	uint32_t mark[XY_FLEET_SOURCES];
	unsigned live;
	uint64_t generation, next_end, own_epoch;
	uint64_t outcomes[XY_FLEET_OUTCOME_COUNT];
	size_t text_bytes;
	struct xy_fleet_refusal refusal[XY_FLEET_REFUSED];
	unsigned refusals;
};

// --- hashes

static uint64_t link_hash(const struct xy_fleet_book *b, const struct xy_key *key)
{
	uint64_t h;
	crypto_shorthash((unsigned char *)&h, key->b, sizeof(key->b), b->secret);
	return h;
}

static uint64_t hold_hash(const struct xy_fleet_book *b, unsigned source, const char *name)
{
	uint8_t in[1 + XY_FLEET_HOLD];
	size_t len = strlen(name);
	uint64_t h;
	in[0] = (uint8_t)source;
	memcpy(in + 1, name, len);
	crypto_shorthash((unsigned char *)&h, in, 1 + len, b->secret);
	return h;
}

static struct digest digest_of(const struct xy_fleet_book *b, const void *text, size_t len)
{
	struct digest d;
	crypto_generichash(d.b, sizeof(d.b), text, len, b->digest_key, sizeof(b->digest_key));
	return d;
}

static bool digest_eq(const struct digest *a, const struct digest *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

// --- places

static uint32_t place_find(const struct xy_fleet_book *b, const struct xy_key *link_key)
{
	uint32_t at;
	if (!xy_map_get(&b->by_link, link_hash(b, link_key), &at))
		return NOWHERE;
	return memcmp(&b->place[at]->e.record.link_key, link_key, sizeof(*link_key)) == 0 ? at
											  : NOWHERE;
}

static void text_drop(struct xy_fleet_book *b, struct place *p)
{
	b->text_bytes -= p->e.len;
	free(p->e.text);
	p->e.text = NULL;
	p->e.len = 0;
}

static void place_free(struct xy_fleet_book *b, uint32_t at) // holds_clear follows
{
	struct place *p = b->place[at];
	xy_map_del(&b->by_link, link_hash(b, &p->e.record.link_key));
	text_drop(b, p);
	free(p);
	b->place[at] = NULL;
	b->places_count--;
}

static void holds_clear(struct xy_fleet_book *b) // of places that went
{
	for (uint32_t i = 0; i < b->holds_used; i++)
		if (b->hold[i].place != NOWHERE && !b->place[b->hold[i].place])
			b->hold[i].place = NOWHERE;
}

// It counts no more; its epoch is remembered while an older record could be valid.
static void unlive(struct xy_fleet_book *b, struct place *p)
{
	if (!p->e.live)
		return;
	p->e.live = false;
	text_drop(b, p);
	b->live--;
	b->generation++;
}

// Of those kept for their epoch alone the one that ends first makes room: that a node which left
// could be shown again is less than that another cannot come.
static bool forget_one(struct xy_fleet_book *b)
{
	uint32_t first = NOWHERE;
	for (uint32_t i = 0; i < b->places_used; i++)
		if (b->place[i] && !b->place[i]->e.live &&
		    (first == NOWHERE ||
		     b->place[i]->e.epoch_until < b->place[first]->e.epoch_until))
			first = i;
	if (first == NOWHERE)
		return false;
	place_free(b, first);
	holds_clear(b);
	return true;
}

static uint32_t free_place(struct xy_fleet_book *b)
{
	uint32_t at = 0;
	if (b->places_count == b->places_used)
		at = b->places_used;
	while (at < b->places_used && b->place[at])
		at++;
	return at;
}

static uint32_t place_make(struct xy_fleet_book *b, const struct xy_key *link_key)
{
	if (b->places_count == XY_FLEET_PLACES && !forget_one(b))
		return NOWHERE;
	uint32_t at = free_place(b);
	struct place *p = calloc(1, sizeof(*p));
	struct place **v = xy_grow(b->place, &b->places_room, at, sizeof(struct place *));
	b->place = v ? v : b->place;
	if (!p || !v || xy_map_set(&b->by_link, link_hash(b, link_key), at)) {
		free(p);
		return NOWHERE;
	}
	p->e.record.link_key = *link_key;
	b->place[at] = p;
	b->places_count++;
	b->places_used += at == b->places_used;
	return at;
}

static unsigned kept_for_epoch(const struct xy_fleet_book *b)
{
	return b->places_count - b->live;
}

// --- holds

static void sources_count(struct place *p)
{
	p->e.sources = 0;
	for (unsigned s = 0; s < XY_FLEET_SOURCES; s++)
		p->e.sources |= p->holds[s] ? 1u << s : 0;
}

// The source has it no more by this name. True: so the record ended.
static bool let_go(struct xy_fleet_book *b, struct hold *h)
{
	struct place *p = h->place == NOWHERE ? NULL : b->place[h->place];
	h->place = NOWHERE;
	if (!p)
		return false;
	p->holds[h->source]--;
	sources_count(p);
	if (p->e.sources || !(b->cfg.deletes & 1u << h->source) || !p->e.live)
		return false;
	unlive(b, p);
	return true;
}

static void take_hold(struct xy_fleet_book *b, struct hold *h, uint32_t at)
{
	if (h->place == at)
		return;
	b->place[at]->holds[h->source]++;
	sources_count(b->place[at]);
	let_go(b, h);
	h->place = at;
}

static struct hold *hold_find(const struct xy_fleet_book *b, unsigned source, const char *name)
{
	uint32_t at;
	if (!xy_map_get(&b->by_hold, hold_hash(b, source, name), &at))
		return NULL;
	struct hold *h = &b->hold[at];
	return h->source == source && strcmp(h->name, name) == 0 ? h : NULL;
}

static void hold_free(struct xy_fleet_book *b, struct hold *h)
{
	xy_map_del(&b->by_hold, hold_hash(b, h->source, h->name));
	free(h->name);
	*h = (struct hold){.place = NOWHERE, .next_free = b->holds_free};
	b->holds_free = (uint32_t)(h - b->hold);
	b->holds_count--;
}

static struct hold *hold_make(struct xy_fleet_book *b, unsigned source, const char *name)
{
	uint32_t at = b->holds_free == NOWHERE ? b->holds_used : b->holds_free;
	if (b->holds_count == XY_FLEET_HOLDS)
		return NULL;
	struct hold *v = xy_grow(b->hold, &b->holds_room, at, sizeof(*v));
	if (!v)
		return NULL;
	b->hold = v;
	char *copy = strdup(name);
	if (!copy || xy_map_set(&b->by_hold, hold_hash(b, source, name), at)) {
		free(copy);
		return NULL;
	}
	if (at == b->holds_used)
		b->holds_used++;
	else
		b->holds_free = b->hold[at].next_free;
	b->holds_count++;
	b->hold[at] = (struct hold){.name = copy, .source = source, .place = NOWHERE};
	return &b->hold[at];
}

// --- what was refused

static struct xy_fleet_refusal *refusal_find(struct xy_fleet_book *b, unsigned source,
					     const char *hold)
{
	for (unsigned i = 0; i < b->refusals; i++)
		if (b->refusal[i].source == source && strcmp(b->refusal[i].hold, hold) == 0)
			return &b->refusal[i];
	return NULL;
}

static struct xy_fleet_refusal *refusal_make(struct xy_fleet_book *b)
{
	struct xy_fleet_refusal *oldest = b->refusal;
	if (b->refusals < XY_FLEET_REFUSED)
		return &b->refusal[b->refusals++];
	for (unsigned i = 1; i < b->refusals; i++)
		if (b->refusal[i].last < oldest->last)
			oldest = &b->refusal[i];
	struct hold *h = hold_find(b, oldest->source, oldest->hold);
	if (h)
		h->refused = false;
	return oldest;
}

static void refusal_drop(struct xy_fleet_book *b, struct hold *h)
{
	struct xy_fleet_refusal *r = h->refused ? refusal_find(b, h->source, h->name) : NULL;
	h->refused = false;
	if (r)
		*r = b->refusal[--b->refusals];
}

struct coming {
	unsigned source;
	const char *hold;
	const void *text;
	size_t len;
	uint64_t now;
	struct digest digest;
	struct xy_fleet_record record;
	char called[XY_ADDR_STRLEN]; // its node, for texts
	enum xy_fleet_verdict verdict;
	struct xy_err why;
};

static void refusal_note(struct xy_fleet_book *b, const struct coming *c, struct hold *h,
			 enum xy_fleet_outcome outcome)
{
	struct xy_fleet_refusal *r = refusal_find(b, c->source, c->hold);
	uint64_t first = r ? r->first : c->now;
	unsigned count = r ? r->count : 0;
	r = r ? r : refusal_make(b);
	*r = (struct xy_fleet_refusal){.outcome = outcome,
				       .verdict = c->verdict,
				       .has_key = !xy_key_is_zero(&c->record.link_key),
				       .key = c->record.key,
				       .source = c->source,
				       .first = first,
				       .last = c->now,
				       .count = count + 1};
	memcpy(r->node, c->record.name, sizeof(r->node));
	snprintf(r->hold, sizeof(r->hold), "%s", c->hold);
	snprintf(r->why, sizeof(r->why), "%.255s", c->why.text);
	if (h)
		h->refused = true;
}

// A name of nothing that counts makes room for another: who fills the source with rubbish keeps
// nobody out.
static bool evict_one(struct xy_fleet_book *b)
{
	for (uint32_t i = 0; i < b->holds_used; i++) {
		b->evict_at = (b->evict_at + 1) % b->holds_used;
		struct hold *h = &b->hold[b->evict_at];
		if (!h->name || h->place != NOWHERE)
			continue;
		refusal_drop(b, h);
		hold_free(b, h);
		return true;
	}
	return false;
}

static struct hold *hold_of(struct xy_fleet_book *b, struct coming *c)
{
	struct hold *h = hold_find(b, c->source, c->hold);
	if (!h && b->holds_count == XY_FLEET_HOLDS)
		evict_one(b);
	h = h ? h : hold_make(b, c->source, c->hold);
	if (!h) {
		xy_err_set(&c->why, ENOSPC, "record: the sources have more than %d names",
			   XY_FLEET_HOLDS);
		refusal_note(b, c, NULL, XY_FLEET_FULL);
		return NULL;
	}
	h->mark = b->mark[c->source];
	return h;
}

// --- taking

static void ends_at(struct xy_fleet_book *b, uint64_t at)
{
	b->next_end = at < b->next_end ? at : b->next_end;
}

uint64_t xy_fleet_valid_most(uint64_t now)
{
	return now < XY_FLEET_CLOCK_SET ? UINT64_MAX : now + XY_FLEET_VALID_MOST;
}

static bool is_same_claim(const struct xy_fleet_record *a, const struct xy_fleet_record *r)
{
	return a->has_claim && r->has_claim && xy_prefix_eq(&a->claim, &r->claim);
}

static bool holds_on(const struct place *p, const struct xy_fleet_record *r)
{
	return (p->e.live || p->e.awaited) && !r->ended && is_same_claim(&p->e.record, r);
}

// Who names another claim meanwhile, or lets his record end while we listen, has let go of it.
static struct xy_fleet_claimed claimed_before(const struct xy_fleet_book *b, const struct place *p,
					      const struct coming *c)
{
	struct xy_fleet_claimed k = {0};
	if (holds_on(p, &c->record))
		return p->e.claimed;
	if (c->record.has_claim && b->cfg.claimed)
		k = b->cfg.claimed(b->cfg.arg, &c->record);
	if (k.seen && k.seen < c->now)
		return k;
	k.seen = c->now;
	k.dated = k.dated ? xy_fleet_claim_dated(k.dated, k.seen) : 0;
	return k;
}

// The node's word is this record from here on, whether it counts or not.
static void place_set(struct xy_fleet_book *b, struct place *p, const struct coming *c)
{
	p->e.claimed = claimed_before(b, p, c);
	p->e.awaited = c->record.expires <= c->now && holds_on(p, &c->record);
	unlive(b, p);
	p->e.record = c->record;
	p->digest = c->digest;
	p->e.taken = c->now;
	p->e.first = p->e.first ? p->e.first : c->now;
	p->e.until = c->record.expires;
	uint64_t most = xy_fleet_valid_most(c->now);
	uint64_t epoch_until = c->record.expires < most ? c->record.expires : most;
	if (epoch_until > p->e.epoch_until)
		p->e.epoch_until = epoch_until;
	ends_at(b, p->e.epoch_until);
}

static bool liven(struct xy_fleet_book *b, struct place *p, const struct coming *c)
{
	uint64_t member = xy_fleet_trust_until(b->cfg.trust, &c->record.membership);
	p->e.text = malloc(c->len + 1);
	if (!p->e.text)
		return false;
	memcpy(p->e.text, c->text, c->len);
	p->e.text[c->len] = 0;
	p->e.len = c->len;
	p->e.until = member < p->e.until ? member : p->e.until;
	p->e.live = true;
	p->e.awaited = false;
	b->text_bytes += c->len;
	b->live++;
	b->generation++;
	ends_at(b, p->e.until);
	return true;
}

static bool is_full(const struct xy_fleet_book *b, const struct coming *c)
{
	bool pinned = b->cfg.is_pinned && b->cfg.is_pinned(b->cfg.arg, &c->record);
	return b->live >= XY_FLEET_RECORDS - (pinned ? 0 : XY_FLEET_RESERVED);
}

static enum xy_fleet_outcome full(struct coming *c)
{
	xy_err_set(&c->why, ENOSPC,
		   "record of %s: %d records are kept, and no more; those of nodes that are gone "
		   "must expire first",
		   c->called, XY_FLEET_RECORDS);
	return XY_FLEET_FULL;
}

// Why it does not count now, though it is the node's newest; NEW: it does.
static enum xy_fleet_outcome weighed(const struct xy_fleet_book *b, struct coming *c)
{
	const struct xy_fleet_record *r = &c->record;
	if (r->expires <= c->now) {
		xy_err_set(&c->why, ETIME,
			   "record of %s: expired %llu s ago; its node is gone, or its clock and "
			   "ours differ",
			   c->called, (unsigned long long)(c->now - r->expires));
		return XY_FLEET_EXPIRED;
	}
	if (r->expires > xy_fleet_valid_most(c->now)) {
		xy_err_set(&c->why, ERANGE,
			   "record of %s: would be valid for another %llu days, and none is for "
			   "more than %d: its clock and ours differ, or it is to fill the memory",
			   c->called, (unsigned long long)(r->expires - c->now) / 86400,
			   XY_FLEET_VALID_MOST / 86400);
		return XY_FLEET_EXPIRED;
	}
	if (r->ended)
		return XY_FLEET_LEFT;
	c->verdict = xy_fleet_trust_admit(b->cfg.trust, &r->key, &r->membership, c->now);
	if (c->verdict == XY_FLEET_ADMITTED)
		return XY_FLEET_NEW;
	xy_err_set(&c->why, EPERM, "record of %s: %s", c->called,
		   xy_fleet_verdict_texts[c->verdict]);
	return XY_FLEET_UNTRUSTED;
}

static enum xy_fleet_outcome take_new(struct xy_fleet_book *b, struct coming *c, struct hold *h)
{
	enum xy_fleet_outcome o = weighed(b, c);
	if (o != XY_FLEET_NEW && o != XY_FLEET_LEFT)
		return o;
	if (o == XY_FLEET_NEW && is_full(b, c))
		return full(c);
	if (o == XY_FLEET_LEFT && kept_for_epoch(b) >= XY_FLEET_PLACES - XY_FLEET_RECORDS)
		return o; // who makes up nodes that left takes no memory of those that did
	uint32_t at = place_make(b, &c->record.link_key);
	if (at == NOWHERE)
		return full(c);
	place_set(b, b->place[at], c);
	if (o == XY_FLEET_NEW && !liven(b, b->place[at], c)) {
		place_free(b, at); // no hold is on it yet
		return full(c);
	}
	take_hold(b, h, at);
	return o;
}

static enum xy_fleet_outcome take_known(struct xy_fleet_book *b, struct coming *c, struct hold *h,
					uint32_t at)
{
	struct place *p = b->place[at];
	const struct xy_fleet_record *r = &c->record, *have = &p->e.record;
	bool same = memcmp(r->signature, have->signature, sizeof(r->signature)) == 0;
	if (r->epoch < have->epoch) {
		xy_err_set(&c->why, ESTALE, "record of %s: has epoch %llu, and %llu is known",
			   c->called, (unsigned long long)r->epoch,
			   (unsigned long long)have->epoch);
		return XY_FLEET_OLDER;
	}
	if (r->epoch == have->epoch && !same) {
		xy_err_set(&c->why, EEXIST, "record of %s: epoch %llu: %s", c->called,
			   (unsigned long long)r->epoch, xy_fleet_outcome_texts[XY_FLEET_CONFLICT]);
		return XY_FLEET_CONFLICT;
	}
	take_hold(b, h, at);
	if (same && p->e.live)
		return XY_FLEET_SAME;
	enum xy_fleet_outcome o = weighed(b, c);
	bool was_live = p->e.live;
	place_set(b, p, c);
	if (o != XY_FLEET_NEW)
		return o;
	if (!was_live && is_full(b, c))
		return full(c);
	return liven(b, p, c) ? XY_FLEET_CHANGED : full(c);
}

static enum xy_fleet_outcome take_record(struct xy_fleet_book *b, struct coming *c, struct hold *h)
{
	int r = xy_fleet_record_parse(c->text, c->len, &c->record, &c->why);
	if (r)
		return r == -EBADMSG ? XY_FLEET_FORGED : XY_FLEET_MALFORMED;
	xy_addr_str(&c->record.address, c->called);
	if (c->record.name[0])
		memcpy(c->called, c->record.name, sizeof(c->record.name));
	uint32_t at = place_find(b, &c->record.link_key);
	if (h->place != NOWHERE && h->place != at)
		let_go(b, h); // it is another node's from here on
	if (memcmp(&c->record.link_key, &b->self_link, sizeof(b->self_link)) == 0) {
		if (c->record.epoch > b->own_epoch)
			b->own_epoch = c->record.epoch;
		return XY_FLEET_OURS;
	}
	return at == NOWHERE ? take_new(b, c, h) : take_known(b, c, h, at);
}

static bool is_let_in(const struct xy_fleet_book *b, const struct place *p, uint64_t now)
{
	return xy_fleet_trust_admit(b->cfg.trust, &p->e.record.key, &p->e.record.membership, now) ==
	       XY_FLEET_ADMITTED;
}

static void end_revoked(struct xy_fleet_book *b, const struct xy_key *key, uint64_t now)
{
	struct xy_key link;
	uint32_t at = xy_key_from_ed25519(key, &link) ? NOWHERE : place_find(b, &link);
	if (at == NOWHERE || is_let_in(b, b->place[at], now))
		return;
	unlive(b, b->place[at]);
	b->place[at]->e.awaited = false;
}

static enum xy_fleet_outcome take_revocation(struct xy_fleet_book *b, struct coming *c)
{
	struct xy_fleet_revocation v;
	if (b->cfg.trust->kind != XY_FLEET_TRUST_CA) {
		xy_err_set(&c->why, EPERM, "revocation: trust names no CA");
		return XY_FLEET_UNTRUSTED;
	}
	int r = xy_fleet_revocation_parse(c->text, c->len, &b->cfg.trust->ca, &v, &c->why);
	if (r)
		return r == -EBADMSG ? XY_FLEET_FORGED : XY_FLEET_MALFORMED;
	r = xy_fleet_trust_revoke(b->cfg.trust, &v);
	if (r < 0) {
		xy_err_set(&c->why, -r,
			   "revocation: %d are kept, and no more: its key is still let in; make a "
			   "new CA",
			   XY_FLEET_REVOCATIONS);
		return XY_FLEET_FULL;
	}
	if (r)
		end_revoked(b, &v.key, c->now);
	return r ? XY_FLEET_REVOKES : XY_FLEET_SAME;
}

static bool is_revocation(const void *text, size_t len)
{
	static const char mark[] = "\"revokes\"";
	return memmem(text, len, mark, sizeof(mark) - 1) &&
	       xy_fleet_kind_of(text, len) == XY_FLEET_IS_REVOCATION;
}

// Told again, as each resync does: no signature is looked at twice.
static bool is_known(const struct xy_fleet_book *b, const struct hold *h, const struct digest *d)
{
	if (!digest_eq(&h->digest, d))
		return false;
	if (h->outcome == XY_FLEET_MALFORMED || h->outcome == XY_FLEET_FORGED)
		return true;
	return h->place != NOWHERE && b->place[h->place]->e.live &&
	       digest_eq(&b->place[h->place]->digest, d);
}

static enum xy_fleet_outcome said(struct xy_fleet_book *b, enum xy_fleet_outcome o,
				  const struct coming *c, struct xy_err *why)
{
	b->outcomes[o]++;
	if (o >= XY_FLEET_MALFORMED)
		xy_err_set(why, EINVAL, "%s", c->why.text);
	return o;
}

static enum xy_fleet_outcome known_again(struct xy_fleet_book *b, struct hold *h, struct coming *c,
					 struct xy_err *why)
{
	struct xy_fleet_refusal *r = refusal_find(b, c->source, c->hold);
	if (h->outcome < XY_FLEET_MALFORMED)
		return said(b, XY_FLEET_SAME, c, why);
	xy_err_set(&c->why, EINVAL, "%s", r ? r->why : xy_fleet_outcome_texts[h->outcome]);
	if (r) {
		r->last = c->now;
		r->count++;
	}
	return said(b, h->outcome, c, why);
}

enum xy_fleet_outcome xy_fleet_book_put(struct xy_fleet_book *b, unsigned source, const char *hold,
					const void *text, size_t len, uint64_t now,
					struct xy_err *why)
{
	struct coming c = {.source = source, .hold = hold, .text = text, .len = len, .now = now};
	if (strlen(hold) > XY_FLEET_HOLD) {
		xy_err_set(&c.why, ENAMETOOLONG, "record: its name in the source is too long");
		return said(b, XY_FLEET_MALFORMED, &c, why);
	}
	struct hold *h = hold_of(b, &c);
	if (!h)
		return said(b, XY_FLEET_FULL, &c, why);
	c.digest = digest_of(b, text, len);
	if (is_known(b, h, &c.digest))
		return known_again(b, h, &c, why);
	enum xy_fleet_outcome o =
		is_revocation(text, len) ? take_revocation(b, &c) : take_record(b, &c, h);
	h->digest = c.digest;
	h->outcome = o;
	if (o < XY_FLEET_MALFORMED)
		refusal_drop(b, h);
	else
		refusal_note(b, &c, h, o);
	return said(b, o, &c, why);
}

void xy_fleet_book_unread(struct xy_fleet_book *b, unsigned source, const char *hold, uint64_t now,
			  const char *why)
{
	struct coming c = {.source = source, .hold = hold, .now = now};
	struct hold *h = strlen(hold) > XY_FLEET_HOLD ? NULL : hold_of(b, &c);
	b->outcomes[XY_FLEET_MALFORMED]++;
	if (!h)
		return;
	h->digest = (struct digest){0}; // of no text
	h->outcome = XY_FLEET_MALFORMED;
	xy_err_set(&c.why, EINVAL, "%s", why);
	refusal_note(b, &c, h, XY_FLEET_MALFORMED);
}

// --- what goes

static bool hold_gone(struct xy_fleet_book *b, struct hold *h)
{
	refusal_drop(b, h);
	bool ended = let_go(b, h);
	hold_free(b, h);
	return ended;
}

bool xy_fleet_book_gone(struct xy_fleet_book *b, unsigned source, const char *hold)
{
	if (strlen(hold) > XY_FLEET_HOLD)
		return false;
	struct hold *h = hold_find(b, source, hold);
	struct xy_fleet_refusal *r = h ? NULL : refusal_find(b, source, hold); // FULL
	if (r)
		*r = b->refusal[--b->refusals];
	return h && hold_gone(b, h);
}

void xy_fleet_book_resync_begin(struct xy_fleet_book *b, unsigned source)
{
	b->mark[source]++;
}

void xy_fleet_book_resync_end(struct xy_fleet_book *b, unsigned source)
{
	for (uint32_t i = 0; i < b->holds_used; i++) {
		struct hold *h = &b->hold[i];
		if (h->name && h->source == source && h->mark != b->mark[source])
			hold_gone(b, h);
	}
}

// What is awaited goes once we listen again, and its node does not say it.
static void await(struct xy_fleet_book *b, struct place *p, uint64_t now, bool listened)
{
	bool ends = p->e.live && p->e.until <= now;
	bool awaited = !listened && (p->e.awaited || (ends && p->e.record.has_claim));
	b->generation += p->e.awaited != awaited;
	p->e.awaited = awaited;
	if (awaited)
		ends_at(b, now + AWAITED_S);
}

unsigned xy_fleet_book_expire(struct xy_fleet_book *b, uint64_t now, bool listened)
{
	unsigned ended = 0;
	bool freed = false;
	b->next_end = UINT64_MAX;
	for (uint32_t i = 0; i < b->places_used; i++) {
		struct place *p = b->place[i];
		if (!p)
			continue;
		await(b, p, now, listened);
		if (p->e.live && p->e.until <= now) {
			unlive(b, p);
			ended++;
		}
		if (p->e.live || p->e.epoch_until > now) {
			ends_at(b, p->e.live ? p->e.until : p->e.epoch_until);
			continue;
		}
		if (p->e.awaited)
			continue;
		place_free(b, i);
		freed = true;
	}
	if (freed)
		holds_clear(b);
	return ended;
}

void xy_fleet_book_claim_heard(struct xy_fleet_book *b, const struct xy_key *key,
			       const struct xy_prefix *claim, uint64_t since, uint64_t now)
{
	struct xy_key link;
	uint32_t at = xy_key_from_ed25519(key, &link) ? NOWHERE : place_find(b, &link);
	struct xy_fleet_entry *e = at == NOWHERE ? NULL : &b->place[at]->e;
	if (!e || !e->live || !e->record.has_claim || !xy_prefix_eq(&e->record.claim, claim) ||
	    e->claimed.dated || now > e->claimed.seen + XY_FLEET_SLACK_S)
		return;
	e->claimed.dated = xy_fleet_claim_dated(since, e->claimed.seen);
	b->generation++;
}

const struct xy_fleet_entry *xy_fleet_book_claimer(const struct xy_fleet_book *b,
						   const struct xy_prefix *claim)
{
	for (uint32_t i = 0; i < b->places_used; i++) {
		const struct xy_fleet_entry *e = b->place[i] ? &b->place[i]->e : NULL;
		if (e && (e->live || e->awaited) && e->record.has_claim &&
		    xy_prefix_eq(&e->record.claim, claim))
			return e;
	}
	return NULL;
}

void xy_fleet_book_claim_given(struct xy_fleet_book *b, uint32_t at, bool given)
{
	struct place *p = at < b->places_used ? b->place[at] : NULL;
	if (!p || p->e.claimed.given == given)
		return;
	p->e.claimed.given = given;
	b->generation++;
}

uint64_t xy_fleet_book_next_end(const struct xy_fleet_book *b)
{
	return b->next_end;
}

unsigned xy_fleet_book_review(struct xy_fleet_book *b, uint64_t now)
{
	unsigned ended = 0;
	uint64_t most = xy_fleet_valid_most(now);
	for (uint32_t i = 0; i < b->places_used; i++) {
		struct place *p = b->place[i];
		if (p && p->e.epoch_until > most) {
			p->e.epoch_until = most;
			ends_at(b, most);
		}
		if (!p || !p->e.live || (p->e.record.expires <= most && is_let_in(b, p, now)))
			continue;
		unlive(b, p);
		ended++;
	}
	return ended;
}

// --- what stands there

uint64_t xy_fleet_book_generation(const struct xy_fleet_book *b)
{
	return b->generation;
}

unsigned xy_fleet_book_count(const struct xy_fleet_book *b)
{
	return b->live;
}

uint64_t xy_fleet_book_own_epoch(const struct xy_fleet_book *b)
{
	return b->own_epoch;
}

uint64_t xy_fleet_book_outcomes(const struct xy_fleet_book *b, enum xy_fleet_outcome o)
{
	return b->outcomes[o];
}

size_t xy_fleet_book_memory(const struct xy_fleet_book *b)
{
	return sizeof(*b) + b->places_room * sizeof(struct place *) +
	       b->places_count * sizeof(struct place) + b->text_bytes +
	       b->holds_room * sizeof(struct hold) +
	       (b->by_link.mask + b->by_hold.mask + 2) * sizeof(struct xy_map_entry);
}

const struct xy_fleet_entry *xy_fleet_book_next(const struct xy_fleet_book *b, uint32_t *at)
{
	while (*at < b->places_used && !b->place[*at])
		++*at;
	return *at < b->places_used ? &b->place[*at]->e : NULL;
}

const struct xy_fleet_entry *xy_fleet_book_find(const struct xy_fleet_book *b,
						const struct xy_key *link_key, uint32_t *at)
{
	uint32_t found = place_find(b, link_key);
	if (found == NOWHERE)
		return NULL;
	*at = found;
	return &b->place[found]->e;
}

unsigned xy_fleet_book_refused(const struct xy_fleet_book *b, enum xy_fleet_outcome o)
{
	unsigned n = 0;
	for (uint32_t i = 0; i < b->holds_used; i++)
		n += b->hold[i].name && b->hold[i].outcome == o;
	for (unsigned i = 0; i < b->refusals && o == XY_FLEET_FULL; i++)
		n += b->refusal[i].outcome == o &&
		     !hold_find(b, b->refusal[i].source, b->refusal[i].hold);
	return n;
}

const struct xy_fleet_refusal *xy_fleet_book_refusal(const struct xy_fleet_book *b, unsigned nth)
{
	return nth < b->refusals ? &b->refusal[nth] : NULL;
}

// --- life

int xy_fleet_book_create(const struct xy_fleet_book_config *cfg, struct xy_fleet_book **out)
{
	struct xy_fleet_book *b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->cfg = *cfg;
	b->holds_free = NOWHERE;
	b->next_end = UINT64_MAX;
	randombytes_buf(b->secret, sizeof(b->secret));
	randombytes_buf(b->digest_key, sizeof(b->digest_key));
	int r = xy_key_from_ed25519(&cfg->self, &b->self_link);
	r = r ? r : xy_map_init(&b->by_link);
	r = r ? r : xy_map_init(&b->by_hold);
	*out = b;
	if (r) {
		xy_fleet_book_destroy(b);
		*out = NULL;
	}
	return r;
}

void xy_fleet_book_destroy(struct xy_fleet_book *b)
{
	if (!b)
		return;
	for (uint32_t i = 0; i < b->places_used; i++) {
		if (b->place[i])
			free(b->place[i]->e.text);
		free(b->place[i]);
	}
	for (uint32_t i = 0; i < b->holds_used; i++)
		free(b->hold[i].name);
	free(b->place);
	free(b->hold);
	xy_map_fini(&b->by_link);
	xy_map_fini(&b->by_hold);
	free(b);
}
