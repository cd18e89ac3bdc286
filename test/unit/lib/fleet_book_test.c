// SPDX-License-Identifier: BSD-3-Clause
// The book of records: what wins, what is refused, what is remembered of those that went, and that
// neither a stranger nor a source that lies or loses things ends what others have.
#include "fleet/book.h"
#include "fleet_rig.h"

enum { FOLDER, NATS, SELF = 999, CA = 100 };

struct rig {
	struct xy_fleet_trust trust;
	struct xy_fleet_book *book;
	struct xy_err why;
	bool pins;
};

static bool is_pinned(void *arg, const struct xy_fleet_record *r)
{
	const struct rig *g = arg;
	return g->pins && r->relay;
}

static void begin(struct rig *g)
{
	*g = (struct rig){0};
	xy_fleet_trust_init(&g->trust);
	struct xy_fleet_book_config cfg = {.self = identity(SELF).ed25519,
					   .deletes = 1 << FOLDER,
					   .trust = &g->trust,
					   .is_pinned = is_pinned,
					   .arg = g};
	CU_ASSERT_FATAL(xy_fleet_book_create(&cfg, &g->book) == 0);
}

static void end(struct rig *g)
{
	xy_fleet_book_destroy(g->book);
	xy_fleet_trust_fini(&g->trust);
}

static enum xy_fleet_outcome put_text(struct rig *g, unsigned source, const char *hold,
				      const char *text, uint64_t now)
{
	return xy_fleet_book_put(g->book, source, hold, text, strlen(text), now, &g->why);
}

struct says {
	uint64_t epoch, expires;
	const char *name;
	bool ended, relay;
	struct xy_fleet_membership member;
	uint8_t claim; // fd10:CLAIM::/48; 0: none
};

static char *record_of(unsigned n, const struct says *s)
{
	struct xy_identity id = identity(n);
	struct xy_fleet_record r = {.epoch = s->epoch,
				    .expires = s->expires,
				    .ended = s->ended,
				    .relay = s->relay,
				    .has_claim = s->claim,
				    .claim = {.addr = {{0xfd, 0x10, 0, s->claim}}, .len = 48},
				    .membership = s->member};
	struct xy_err err;
	char *text;
	snprintf(r.name, sizeof(r.name), "%s", s->name ? s->name : "node");
	CU_ASSERT_FATAL(xy_fleet_record_sign(&r, &id, &text, &err) == 0);
	return text;
}

static enum xy_fleet_outcome put(struct rig *g, unsigned source, const char *hold, unsigned n,
				 struct says s, uint64_t now)
{
	char *text = record_of(n, &s);
	enum xy_fleet_outcome o = put_text(g, source, hold, text, now);
	free(text);
	return o;
}

static const struct xy_fleet_entry *find(const struct rig *g, unsigned n)
{
	struct xy_key link = identity(n).x25519;
	uint32_t at;
	const struct xy_fleet_entry *e = xy_fleet_book_find(g->book, &link, &at);
	CU_ASSERT(!e || at < XY_FLEET_PLACES);
	return e;
}

static bool is_live(const struct rig *g, unsigned n)
{
	const struct xy_fleet_entry *e = find(g, n);
	return e && e->live;
}

static bool word(const struct rig *g, const char *w)
{
	bool has = strstr(g->why.text, w);
	if (!has)
		printf("no \"%s\" in: %s\n", w, g->why.text);
	return has;
}

// --- what wins

static void test_epochs(void)
{
	struct rig g;
	begin(&g);
	uint64_t v = xy_fleet_book_generation(g.book);
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){5, NOW + 100}, NOW) == XY_FLEET_NEW);
	CU_ASSERT(xy_fleet_book_generation(g.book) != v && is_live(&g, 1));
	v = xy_fleet_book_generation(g.book);
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){5, NOW + 100}, NOW) == XY_FLEET_SAME);
	CU_ASSERT(put(&g, FOLDER, "b", 1, (struct says){5, NOW + 100}, NOW) == XY_FLEET_SAME);
	CU_ASSERT(xy_fleet_book_generation(g.book) == v && find(&g, 1)->sources == 3);
	// Replayed: whatever the source and however late.
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){4, NOW + 900}, NOW) == XY_FLEET_OLDER);
	CU_ASSERT(word(&g, "has epoch 4, and 5 is known") && word(&g, "node"));
	CU_ASSERT(find(&g, 1)->record.epoch == 5 && find(&g, 1)->until == NOW + 100);
	// Two nodes with one key: the first stays, and it is said.
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){5, NOW + 200, "twin"}, NOW) ==
		  XY_FLEET_CONFLICT);
	CU_ASSERT(word(&g, "two nodes with one key") && find(&g, 1)->until == NOW + 100);
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){6, NOW + 50, "new"}, NOW) ==
		  XY_FLEET_CHANGED);
	CU_ASSERT(find(&g, 1)->until == NOW + 50 && find(&g, 1)->epoch_until == NOW + 100);
	CU_ASSERT_STRING_EQUAL(find(&g, 1)->record.name, "new");
	CU_ASSERT(strstr(find(&g, 1)->text, "\"new\"") && xy_fleet_book_count(g.book) == 1);
	// A source that still has the one of before, as it had it.
	CU_ASSERT(put(&g, FOLDER, "b", 1, (struct says){5, NOW + 100}, NOW) == XY_FLEET_OLDER);
	end(&g);
}

static struct xy_fleet_claimed asked_claimed(void *arg, const struct xy_fleet_record *r)
{
	unsigned *asked = arg;
	++*asked;
	return r->claim.addr.b[3] == 1 ? (struct xy_fleet_claimed){.seen = NOW - 500,
								   .dated = NOW - 510,
								   .given = true}
				       : (struct xy_fleet_claimed){.dated = 1};
}

static bool is_claimed(struct rig *g, uint64_t seen, uint64_t dated, bool given)
{
	const struct xy_fleet_claimed *k = &find(g, 1)->claimed;
	return k->seen == seen && k->dated == dated && k->given == given;
}

static void begin_claimed(struct rig *g, unsigned *asked)
{
	*asked = 0;
	begin(g);
	xy_fleet_book_destroy(g->book);
	struct xy_fleet_book_config cfg = {.trust = &g->trust,
					   .self = identity(200).ed25519,
					   .claimed = asked_claimed,
					   .arg = asked};
	CU_ASSERT_FATAL(xy_fleet_book_create(&cfg, &g->book) == 0);
}

// Since when a node has claimed what it does: without a gap, also over a restart.
static void test_claimed(void)
{
	struct rig g;
	unsigned asked;
	begin_claimed(&g, &asked);
	put(&g, NATS, "a", 1, (struct says){1, NOW + 900}, NOW);
	CU_ASSERT(asked == 0);
	put(&g, NATS, "a", 1, (struct says){2, NOW + 900, .claim = 1}, NOW);
	CU_ASSERT(is_claimed(&g, NOW - 500, NOW - 510, true) && asked == 1);
	put(&g, NATS, "a", 1, (struct says){3, NOW + 900, .claim = 1}, NOW + 10);
	CU_ASSERT(is_claimed(&g, NOW - 500, NOW - 510, true) && asked == 1);
	put(&g, NATS, "a", 1, (struct says){4, NOW + 900, .claim = 2}, NOW + 20);
	CU_ASSERT(is_claimed(&g, NOW + 20, NOW + 20 - XY_FLEET_SLACK_S, false));
	put(&g, NATS, "a", 1, (struct says){5, NOW + 100, .claim = 2}, NOW + 30);
	CU_ASSERT(is_claimed(&g, NOW + 20, NOW + 20 - XY_FLEET_SLACK_S, false));
	xy_fleet_book_expire(g.book, NOW + 100, true);
	put(&g, NATS, "a", 1, (struct says){6, NOW + 900, .claim = 2}, NOW + 110);
	CU_ASSERT(find(&g, 1)->claimed.seen == NOW + 110); // it let go
	end(&g);
}

// While nobody listens nobody lets go; once somebody does, who is silent has.
static void test_awaited(void)
{
	struct rig g;
	unsigned asked;
	begin_claimed(&g, &asked);
	put(&g, NATS, "a", 1, (struct says){2, NOW + 100, .claim = 1}, NOW);
	xy_fleet_book_expire(g.book, NOW + 100, false);
	CU_ASSERT(!is_live(&g, 1) && find(&g, 1)->awaited);
	xy_fleet_book_expire(g.book, NOW + 50000, false);
	CU_ASSERT_FATAL(find(&g, 1) != NULL);
	CU_ASSERT(xy_fleet_book_next_end(g.book) <= NOW + 50060);
	put(&g, NATS, "a", 1, (struct says){3, NOW + 60000, .claim = 1}, NOW + 50010);
	CU_ASSERT(is_claimed(&g, NOW - 500, NOW - 510, true) && asked == 1);
	CU_ASSERT(is_live(&g, 1) && !find(&g, 1)->awaited);
	// Its word still ends it at once,
	xy_fleet_book_expire(g.book, NOW + 60000, false);
	put(&g, NATS, "a", 1, (struct says){4, NOW + 70000, .claim = 2}, NOW + 60010);
	put(&g, NATS, "a", 1, (struct says){5, NOW + 70000}, NOW + 60020);
	CU_ASSERT(!find(&g, 1)->awaited);
	put(&g, NATS, "a", 1, (struct says){6, NOW + 70000, .claim = 3}, NOW + 60030);
	CU_ASSERT(find(&g, 1)->claimed.seen == NOW + 60030);
	// and its silence.
	xy_fleet_book_expire(g.book, NOW + 70000, false);
	CU_ASSERT(find(&g, 1)->awaited);
	xy_fleet_book_expire(g.book, NOW + 70060, true);
	CU_ASSERT(!find(&g, 1));
	end(&g);
}

// The date of a claim is fixed by what was heard soon after its record, and by nothing later.
static void test_dated(void)
{
	struct rig g;
	unsigned asked;
	begin_claimed(&g, &asked);
	xy_fleet_book_destroy(g.book);
	struct xy_fleet_book_config cfg = {.trust = &g.trust, .self = identity(200).ed25519};
	CU_ASSERT_FATAL(xy_fleet_book_create(&cfg, &g.book) == 0);
	put(&g, NATS, "a", 1, (struct says){1, NOW + 9000, .claim = 1}, NOW);
	const struct xy_fleet_record r = find(&g, 1)->record;
	struct xy_prefix other = r.claim;
	other.addr.b[3] ^= 1;
	xy_fleet_book_claim_heard(g.book, &r.key, &other, 1, NOW + 1);
	CU_ASSERT(is_claimed(&g, NOW, 0, false));
	xy_fleet_book_claim_heard(g.book, &r.key, &r.claim, 1, NOW + XY_FLEET_SLACK_S + 1);
	CU_ASSERT(is_claimed(&g, NOW, 0, false));
	CU_ASSERT(xy_fleet_claim_since(&find(&g, 1)->claimed, 1, NOW + 9999) == NOW);
	xy_fleet_book_claim_heard(g.book, &r.key, &r.claim, NOW - 7, NOW + 5);
	xy_fleet_book_claim_heard(g.book, &r.key, &r.claim, 1, NOW + 6);
	CU_ASSERT(is_claimed(&g, NOW, NOW - 7, false));
	// What is wider, or a part of it, is another network.
	other = r.claim;
	CU_ASSERT(xy_fleet_book_claimer(g.book, &other) == find(&g, 1));
	other.len--;
	CU_ASSERT(!xy_fleet_book_claimer(g.book, &other));
	other.len += 2;
	CU_ASSERT(!xy_fleet_book_claimer(g.book, &other));
	uint32_t at;
	uint64_t before = xy_fleet_book_generation(g.book);
	CU_ASSERT_FATAL(xy_fleet_book_find(g.book, &r.link_key, &at) != NULL);
	xy_fleet_book_claim_given(g.book, at, true);
	CU_ASSERT(is_claimed(&g, NOW, NOW - 7, true) && before != xy_fleet_book_generation(g.book));
	end(&g);
}

static void test_expiry(void)
{
	struct rig g;
	begin(&g);
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){5, NOW}, NOW) == XY_FLEET_EXPIRED);
	CU_ASSERT(word(&g, "clock") && !find(&g, 1));
	CU_ASSERT(xy_fleet_book_next_end(g.book) == UINT64_MAX);
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){5, NOW + 100}, NOW) == XY_FLEET_NEW);
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){6, NOW + 50}, NOW) == XY_FLEET_CHANGED);
	CU_ASSERT(xy_fleet_book_next_end(g.book) == NOW + 50);
	CU_ASSERT(xy_fleet_book_expire(g.book, NOW + 49, true) == 0 && is_live(&g, 1));
	CU_ASSERT(xy_fleet_book_expire(g.book, NOW + 50, true) == 1 && !is_live(&g, 1));
	// The one of before would be valid still: its node has said otherwise since.
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){5, NOW + 100}, NOW + 60) == XY_FLEET_OLDER);
	CU_ASSERT(xy_fleet_book_next_end(g.book) == NOW + 100 && find(&g, 1));
	CU_ASSERT(xy_fleet_book_expire(g.book, NOW + 100, true) == 0 && !find(&g, 1));
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){5, NOW + 100}, NOW + 100) ==
		  XY_FLEET_EXPIRED);
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){7, NOW + 300}, NOW + 100) == XY_FLEET_NEW);
	// A newer one that has expired ends an older one that has not.
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){8, NOW + 90}, NOW + 100) == XY_FLEET_EXPIRED);
	CU_ASSERT(!is_live(&g, 1) && xy_fleet_book_count(g.book) == 0);
	end(&g);
}

// A record that never ends would have its place for ever, and its epoch, too.
static void test_for_ever(void)
{
	const uint64_t ever = XY_FLEET_NUMBER_MAX, most = NOW + XY_FLEET_VALID_MOST;
	struct rig g;
	begin(&g);
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){5, ever}, NOW) == XY_FLEET_EXPIRED);
	CU_ASSERT(word(&g, "is for more than 8") && !find(&g, 1));
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){5, ever, .ended = true}, NOW) ==
		  XY_FLEET_EXPIRED);
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){5, most + 1}, NOW) == XY_FLEET_EXPIRED);
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){5, most}, NOW) == XY_FLEET_NEW);
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){6, ever}, NOW) == XY_FLEET_EXPIRED);
	CU_ASSERT(!is_live(&g, 1) && find(&g, 1)->epoch_until == most);
	xy_fleet_book_expire(g.book, most, true);
	CU_ASSERT(!find(&g, 1));
	// Taken with a clock that was not set yet, looked at again when it is.
	CU_ASSERT(put(&g, NATS, "b", 2, (struct says){5, NOW + 99}, 1000) == XY_FLEET_NEW);
	CU_ASSERT(put(&g, NATS, "c", 3, (struct says){5, ever}, 1000) == XY_FLEET_NEW);
	CU_ASSERT(xy_fleet_book_review(g.book, NOW) == 1 && is_live(&g, 2) && !is_live(&g, 3));
	xy_fleet_book_expire(g.book, most, true);
	CU_ASSERT(!find(&g, 3));
	end(&g);
}

static void test_leaving(void)
{
	struct rig g;
	begin(&g);
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){5, NOW + 100}, NOW) == XY_FLEET_NEW);
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){6, NOW + 100, .ended = true}, NOW) ==
		  XY_FLEET_LEFT);
	CU_ASSERT(!is_live(&g, 1) && find(&g, 1)->record.ended);
	CU_ASSERT(put(&g, FOLDER, "x", 1, (struct says){5, NOW + 100}, NOW) == XY_FLEET_OLDER);
	CU_ASSERT(put(&g, NATS, "a", 1, (struct says){6, NOW + 100, .ended = true}, NOW) ==
		  XY_FLEET_LEFT);
	// Known as one that left before it was known as one that is there.
	CU_ASSERT(put(&g, NATS, "b", 2, (struct says){6, NOW + 100, .ended = true}, NOW) ==
		  XY_FLEET_LEFT);
	CU_ASSERT(put(&g, FOLDER, "b", 2, (struct says){5, NOW + 100}, NOW) == XY_FLEET_OLDER);
	CU_ASSERT(put(&g, NATS, "b", 2, (struct says){7, NOW + 100}, NOW) == XY_FLEET_CHANGED);
	CU_ASSERT(is_live(&g, 2));
	end(&g);
}

static void test_ours(void)
{
	struct rig g;
	begin(&g);
	CU_ASSERT(xy_fleet_book_own_epoch(g.book) == 0);
	CU_ASSERT(put(&g, NATS, "me", SELF, (struct says){9, NOW + 9}, NOW) == XY_FLEET_OURS);
	CU_ASSERT(put(&g, NATS, "me", SELF, (struct says){7, NOW + 9}, NOW) == XY_FLEET_OURS);
	CU_ASSERT(xy_fleet_book_own_epoch(g.book) == 9 && xy_fleet_book_count(g.book) == 0);
	end(&g);
}

// --- sources

static void test_sources(void)
{
	struct rig g;
	begin(&g);
	const struct says s = {5, NOW + 100};
	CU_ASSERT(put(&g, NATS, "a", 1, s, NOW) == XY_FLEET_NEW);
	CU_ASSERT(put(&g, FOLDER, "1.json", 1, s, NOW) == XY_FLEET_SAME);
	CU_ASSERT(put(&g, FOLDER, "1.json~", 1, s, NOW) == XY_FLEET_SAME); // an editor's copy
	CU_ASSERT(!xy_fleet_book_gone(g.book, FOLDER, "1.json~") && is_live(&g, 1));
	CU_ASSERT(!xy_fleet_book_gone(g.book, FOLDER, "none"));
	CU_ASSERT(!xy_fleet_book_gone(g.book, NATS, "1.json")); // another source's
	CU_ASSERT(find(&g, 1)->sources == 3);
	// Who may write the bucket ends nothing by deleting it, ...
	CU_ASSERT(!xy_fleet_book_gone(g.book, FOLDER, "1.json") && is_live(&g, 1));
	CU_ASSERT(!xy_fleet_book_gone(g.book, NATS, "a") && is_live(&g, 1));
	CU_ASSERT(find(&g, 1)->sources == 0);
	// ... who has the folder does, and a file that comes back counts again.
	CU_ASSERT(put(&g, FOLDER, "2.json", 2, s, NOW) == XY_FLEET_NEW);
	CU_ASSERT(xy_fleet_book_gone(g.book, FOLDER, "2.json") && !is_live(&g, 2));
	CU_ASSERT(put(&g, FOLDER, "2.json", 2, s, NOW) == XY_FLEET_CHANGED && is_live(&g, 2));
	// The file is another node's now.
	CU_ASSERT(put(&g, FOLDER, "2.json", 3, s, NOW) == XY_FLEET_NEW);
	CU_ASSERT(!is_live(&g, 2) && is_live(&g, 3));
	// Half a file, or another's text in it: what it said before stays.
	CU_ASSERT(put_text(&g, FOLDER, "2.json", "{\"v\":1,", NOW) == XY_FLEET_MALFORMED);
	CU_ASSERT(is_live(&g, 3));
	CU_ASSERT(put(&g, FOLDER, "2.json", 3, s, NOW) == XY_FLEET_SAME);
	end(&g);
}

static void test_resync(void)
{
	struct rig g;
	char hold[16];
	begin(&g);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(hold, sizeof(hold), "%u", i);
		CU_ASSERT(put(&g, i % 2, hold, i, (struct says){5, NOW + 100}, NOW) ==
			  XY_FLEET_NEW);
	}
	for (unsigned source = 0; source < 2; source++) {
		xy_fleet_book_resync_begin(g.book, source);
		for (unsigned i = 0; i < 20; i++) {
			snprintf(hold, sizeof(hold), "%u", i);
			if (i % 2 == source)
				CU_ASSERT(put(&g, source, hold, i, (struct says){5, NOW + 100},
					      NOW) == XY_FLEET_SAME);
		}
		xy_fleet_book_resync_end(g.book, source);
	}
	for (unsigned i = 0; i < 40; i++) { // of the folder's, those that went
		CU_ASSERT(is_live(&g, i) == (i < 20 || i % 2 == NATS));
		CU_ASSERT((find(&g, i)->sources != 0) == (i < 20));
	}
	end(&g);
}

// --- what is refused

static const struct xy_fleet_refusal *refusal_of(const struct rig *g, const char *hold)
{
	const struct xy_fleet_refusal *r;
	for (unsigned i = 0; (r = xy_fleet_book_refusal(g->book, i)); i++)
		if (strcmp(r->hold, hold) == 0)
			return r;
	return NULL;
}

static void test_refusals(void)
{
	struct rig g;
	char hold[XY_FLEET_HOLD + 2];
	begin(&g);
	const struct says s = {5, NOW + 100, "evil"};
	char *text = record_of(1, &s), *forged = replaced(text, "evil", "good");
	CU_ASSERT(put_text(&g, NATS, "k", forged, NOW) == XY_FLEET_FORGED);
	const struct xy_fleet_refusal *r = refusal_of(&g, "k");
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	CU_ASSERT(r->outcome == XY_FLEET_FORGED && r->has_key && r->count == 1);
	CU_ASSERT(strcmp(r->node, "good") == 0 && strstr(r->why, "signature"));
	CU_ASSERT(put_text(&g, NATS, "k", forged, NOW + 5) == XY_FLEET_FORGED); // not verified anew
	CU_ASSERT(word(&g, "signature") && r->count == 2 && r->last == NOW + 5 && r->first == NOW);
	CU_ASSERT(xy_fleet_book_refused(g.book, XY_FLEET_FORGED) == 1); // however often it is told
	CU_ASSERT(put_text(&g, NATS, "k", text, NOW) == XY_FLEET_NEW && !refusal_of(&g, "k"));
	CU_ASSERT(put_text(&g, NATS, "k", forged, NOW) == XY_FLEET_FORGED && is_live(&g, 1));
	xy_fleet_book_gone(g.book, NATS, "k");
	CU_ASSERT(!refusal_of(&g, "k") && !xy_fleet_book_refused(g.book, XY_FLEET_FORGED));
	CU_ASSERT(put_text(&g, NATS, "k", "hello", NOW) == XY_FLEET_MALFORMED);
	CU_ASSERT(put_text(&g, NATS, "", "", NOW) == XY_FLEET_MALFORMED);
	char *big = malloc(XY_FLEET_TEXT + 2);
	memset(big, ' ', XY_FLEET_TEXT + 1);
	big[XY_FLEET_TEXT + 1] = 0;
	CU_ASSERT(put_text(&g, NATS, "big", big, NOW) == XY_FLEET_MALFORMED && word(&g, "4096"));
	free(big);
	memset(hold, 'h', sizeof(hold));
	hold[XY_FLEET_HOLD + 1] = 0;
	CU_ASSERT(put_text(&g, NATS, hold, text, NOW) == XY_FLEET_MALFORMED && word(&g, "name"));
	CU_ASSERT(!xy_fleet_book_gone(g.book, NATS, hold));
	hold[XY_FLEET_HOLD] = 0;
	CU_ASSERT(put_text(&g, NATS, hold, text, NOW) == XY_FLEET_SAME);
	for (unsigned i = 0; i < 2 * XY_FLEET_REFUSED; i++) { // the view is bounded
		snprintf(hold, sizeof(hold), "%u", i);
		CU_ASSERT(put_text(&g, NATS, hold, "no", NOW + i) == XY_FLEET_MALFORMED);
	}
	CU_ASSERT(!refusal_of(&g, "1") && refusal_of(&g, hold));
	CU_ASSERT_PTR_NULL(xy_fleet_book_refusal(g.book, XY_FLEET_REFUSED));
	CU_ASSERT(xy_fleet_book_outcomes(g.book, XY_FLEET_FORGED) == 3);
	free(forged);
	free(text);
	end(&g);
}

// --- trust

static struct xy_fleet_membership member_of(unsigned node, uint64_t until)
{
	struct xy_identity id = identity(node), by = identity(CA);
	struct xy_fleet_member m = {.key = id.ed25519, .membership.until = until};
	struct xy_err err;
	char *text;
	CU_ASSERT_FATAL(xy_fleet_member_sign(&m, &by, &text, &err) == 0);
	free(text);
	return m.membership;
}

static void test_members(void)
{
	struct rig g;
	struct xy_err err;
	char *text;
	struct xy_identity ca = identity(CA), other = identity(CA + 1);
	begin(&g);
	struct xy_fleet_revocation r = {.key = identity(1).ed25519, .epoch = NOW};
	CU_ASSERT_FATAL(xy_fleet_revocation_sign(&r, &ca, &text, &err) == 0);
	CU_ASSERT(put_text(&g, NATS, "r", text, NOW) == XY_FLEET_UNTRUSTED && word(&g, "no CA"));
	xy_fleet_trust_ca(&g.trust, &ca.ed25519);
	const struct says s = {5, NOW + 100, .member = member_of(1, NOW + 30)};
	CU_ASSERT(put(&g, NATS, "a", 1, s, NOW) == XY_FLEET_NEW);
	CU_ASSERT(find(&g, 1)->until == NOW + 30);
	CU_ASSERT(put(&g, NATS, "b", 2, (struct says){5, NOW + 100}, NOW) == XY_FLEET_UNTRUSTED);
	CU_ASSERT(word(&g, "no membership") && !find(&g, 2));
	CU_ASSERT(refusal_of(&g, "b")->verdict == XY_FLEET_NO_MEMBERSHIP);
	CU_ASSERT(put(&g, NATS, "b", 2,
		      (struct says){6, NOW + 100, .member = member_of(1, NOW + 9)},
		      NOW) == XY_FLEET_UNTRUSTED &&
		  word(&g, "not signed by the CA"));
	CU_ASSERT(put(&g, NATS, "b", 2,
		      (struct says){6, NOW + 100, .member = member_of(2, NOW + 90)},
		      NOW) == XY_FLEET_NEW);
	CU_ASSERT(xy_fleet_book_expire(g.book, NOW + 30, true) == 1 && !is_live(&g, 1) &&
		  is_live(&g, 2));
	CU_ASSERT(put(&g, NATS, "a", 1, s, NOW + 31) == XY_FLEET_UNTRUSTED &&
		  word(&g, "has ended"));
	CU_ASSERT(put(&g, NATS, "a", 1,
		      (struct says){6, NOW + 100, .member = member_of(1, NOW + 99)},
		      NOW + 31) == XY_FLEET_CHANGED);
	// Revoked: at once, whichever the record, for good.
	CU_ASSERT(put_text(&g, NATS, "r", text, NOW) == XY_FLEET_REVOKES && !is_live(&g, 1));
	CU_ASSERT(put_text(&g, NATS, "r", text, NOW) == XY_FLEET_SAME);
	xy_fleet_book_gone(g.book, NATS, "r");
	CU_ASSERT(put(&g, NATS, "a", 1,
		      (struct says){7, NOW + 100, .member = member_of(1, NOW + 99)},
		      NOW + 31) == XY_FLEET_UNTRUSTED &&
		  word(&g, "revoked"));
	free(text);
	CU_ASSERT_FATAL(xy_fleet_revocation_sign(&r, &other, &text, &err) == 0);
	CU_ASSERT(put_text(&g, NATS, "r2", text, NOW) == XY_FLEET_FORGED);
	free(text);
	// Trust that narrows ends who is not in it.
	CU_ASSERT(is_live(&g, 2) && xy_fleet_trust_keys(&g.trust, NULL, 0) == 0);
	CU_ASSERT(xy_fleet_book_review(g.book, NOW) == 1 && !is_live(&g, 2));
	end(&g);
}

// A revocation looks at the one it is of: thousands of them may come at once.
static void test_revoked_alone(void)
{
	struct rig g;
	struct xy_err err;
	char *text;
	struct xy_identity ca = identity(CA);
	begin(&g);
	xy_fleet_trust_ca(&g.trust, &ca.ed25519);
	for (unsigned i = 1; i < 3; i++)
		CU_ASSERT(put(&g, NATS, i == 1 ? "a" : "b", i,
			      (struct says){5, NOW + 100, .member = member_of(i, NOW + 30)},
			      NOW) == XY_FLEET_NEW);
	struct xy_fleet_revocation r = {.key = identity(1).ed25519, .epoch = NOW};
	CU_ASSERT_FATAL(xy_fleet_revocation_sign(&r, &ca, &text, &err) == 0);
	CU_ASSERT(put_text(&g, NATS, "r", text, NOW + 31) == XY_FLEET_REVOKES);
	CU_ASSERT(!is_live(&g, 1) && is_live(&g, 2)); // its membership's end is another's to see
	free(text);
	end(&g);
}

// Another Ed25519 key has the same X25519 form (the other sign of x), and so the same address.
static void test_other_sign(void)
{
	struct xy_identity id = identity(1);
	struct xy_key other = id.ed25519, link;
	other.b[31] ^= 0x80;
	CU_ASSERT(xy_key_from_ed25519(&other, &link) == 0);
	CU_ASSERT(memcmp(&link, &id.x25519, sizeof(link)) == 0);
}

// --- bounds

static void test_full(void)
{
	enum { LIMIT = XY_FLEET_RECORDS - XY_FLEET_RESERVED };
	struct rig g;
	char hold[16];
	unsigned made = 0;
	begin(&g);
	for (unsigned i = 1000; made < LIMIT; i++, made++) {
		snprintf(hold, sizeof(hold), "%u", i);
		if (put(&g, NATS, hold, i, (struct says){5, NOW + 100 + i}, NOW) != XY_FLEET_NEW)
			break;
	}
	CU_ASSERT(made == LIMIT && xy_fleet_book_count(g.book) == LIMIT);
	CU_ASSERT(put(&g, NATS, "late", 1, (struct says){5, NOW + 100}, NOW) == XY_FLEET_FULL);
	CU_ASSERT(word(&g, "16384 records are kept") && !find(&g, 1));
	CU_ASSERT(is_live(&g, 1000)); // nobody is pushed out
	CU_ASSERT(put(&g, NATS, "1000", 1000, (struct says){6, NOW + 1100}, NOW) ==
		  XY_FLEET_CHANGED);
	g.pins = true;
	CU_ASSERT(put(&g, NATS, "late", 1, (struct says){5, NOW + 100, .relay = true}, NOW) ==
		  XY_FLEET_NEW);
	CU_ASSERT(xy_fleet_book_memory(g.book) < 64u << 20);
	printf("%u records: %zu bytes each; ", xy_fleet_book_count(g.book),
	       xy_fleet_book_memory(g.book) / xy_fleet_book_count(g.book));
	CU_ASSERT(xy_fleet_book_expire(g.book, NOW + 100, true) == 1);
	CU_ASSERT(put(&g, NATS, "late", 1, (struct says){6, NOW + 900}, NOW + 100) ==
		  XY_FLEET_FULL);
	CU_ASSERT(xy_fleet_book_expire(g.book, NOW + 100000, true) == LIMIT);
	CU_ASSERT(xy_fleet_book_count(g.book) == 0);
	uint32_t at = 0;
	CU_ASSERT_PTR_NULL(xy_fleet_book_next(g.book, &at));
	CU_ASSERT(put(&g, NATS, "late", 1, (struct says){6, NOW + 600000}, NOW) == XY_FLEET_NEW);
	end(&g);
}

static void test_rubbish(void)
{
	struct rig g;
	char hold[16];
	begin(&g);
	CU_ASSERT(put(&g, NATS, "good", 1, (struct says){5, NOW + 100}, NOW) == XY_FLEET_NEW);
	for (unsigned i = 0; i < XY_FLEET_HOLDS + 5; i++) {
		snprintf(hold, sizeof(hold), "%u", i);
		CU_ASSERT_FATAL(put_text(&g, NATS, hold, "no", NOW) == XY_FLEET_MALFORMED);
	}
	CU_ASSERT(put(&g, NATS, "late", 2, (struct says){5, NOW + 100}, NOW) == XY_FLEET_NEW);
	CU_ASSERT(put(&g, NATS, "good", 1, (struct says){5, NOW + 100}, NOW) == XY_FLEET_SAME);
	end(&g);
}

static void test_unread(void)
{
	struct rig g;
	begin(&g);
	CU_ASSERT(put(&g, FOLDER, "a", 1, (struct says){5, NOW + 100}, NOW) == XY_FLEET_NEW);
	xy_fleet_book_unread(g.book, FOLDER, "a", NOW, "cannot be read");
	xy_fleet_book_unread(g.book, FOLDER, "a", NOW + 5, "cannot be read");
	const struct xy_fleet_refusal *r = refusal_of(&g, "a");
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	CU_ASSERT(r->outcome == XY_FLEET_MALFORMED && r->count == 2 && r->last == NOW + 5);
	CU_ASSERT_STRING_EQUAL(r->why, "cannot be read");
	CU_ASSERT(is_live(&g, 1)); // what it said before stays
	CU_ASSERT(put(&g, FOLDER, "a", 1, (struct says){5, NOW + 100}, NOW) == XY_FLEET_SAME);
	CU_ASSERT(!refusal_of(&g, "a"));
	xy_fleet_book_unread(g.book, FOLDER, "b", NOW, "is larger");
	xy_fleet_book_gone(g.book, FOLDER, "b");
	CU_ASSERT(!refusal_of(&g, "b"));
	end(&g);
}

static void test_places(void)
{
	struct rig g;
	char hold[16];
	uint32_t at, places[100];
	begin(&g);
	for (unsigned i = 0; i < 100; i++) {
		struct xy_key link = identity(i).x25519;
		snprintf(hold, sizeof(hold), "%u", i);
		put(&g, NATS, hold, i, (struct says){5, NOW + (i % 2 ? 50 : 100)}, NOW);
		xy_fleet_book_find(g.book, &link, &places[i]);
	}
	xy_fleet_book_expire(g.book, NOW + 50, true);
	for (unsigned i = 0; i < 100; i += 2) { // who stays keeps its place
		struct xy_key link = identity(i).x25519;
		CU_ASSERT(xy_fleet_book_find(g.book, &link, &at) && at == places[i]);
	}
	unsigned n = 0;
	for (at = 0; xy_fleet_book_next(g.book, &at); at++)
		n++;
	CU_ASSERT(n == 50 && xy_fleet_book_count(g.book) == 50);
	for (unsigned i = 1; i < 100; i += 2) { // and a name that outlived its record is taken on
		snprintf(hold, sizeof(hold), "%u", i);
		CU_ASSERT(put(&g, NATS, hold, i, (struct says){6, NOW + 100}, NOW + 50) ==
			  XY_FLEET_NEW);
	}
	CU_ASSERT(xy_fleet_book_count(g.book) == 100);
	end(&g);
}

static void test_names(void)
{
	for (unsigned i = 0; i < XY_FLEET_OUTCOME_COUNT; i++)
		CU_ASSERT(xy_fleet_outcome_names[i] && xy_fleet_outcome_texts[i]);
	CU_ASSERT_STRING_EQUAL(xy_fleet_outcome_names[XY_FLEET_FULL], "full");
}

XY_UNIT_MAIN("fleet_book", {"epochs", test_epochs}, {"claimed", test_claimed},
	     {"awaited", test_awaited}, {"dated", test_dated}, {"expiry", test_expiry},
	     {"for ever", test_for_ever}, {"leaving", test_leaving}, {"ours", test_ours},
	     {"sources", test_sources}, {"resync", test_resync}, {"refusals", test_refusals},
	     {"members", test_members}, {"revoked alone", test_revoked_alone},
	     {"rubbish", test_rubbish}, {"unread", test_unread},
	     {"the other sign", test_other_sign}, {"full", test_full}, {"places", test_places},
	     {"names", test_names})
