// SPDX-License-Identifier: BSD-3-Clause
// Networks of a mesh's addresses: who draws, looks, writes and reads again, against a registry in
// memory that loses answers, requests and, where a case says so, what it had acknowledged.
#include "fleet/claims.h"
#include "fleet/ipam.h"
#include "unit.h"

#include <sodium.h>
#include <stdlib.h>

enum { NODES = 50, KEYS = 512, LIFETIME_S = 3600, WALL = 1796000000 };

struct row {
	char key[XY_IPAM_KEY];
	char value[XY_KV_VALUE];
	size_t len;
	uint64_t revision;
	bool gone;
};

struct registry {
	struct row row[KEYS];
	unsigned count;
	uint64_t revision, made;
};

struct node {
	struct xy_identity id;
	struct xy_ipam ipam;
	struct xy_claims claims;
	struct xy_fleet_claimed others; // of what it has; seen 0: no record names it
	bool dumb;			// the daemon signs nothing
	bool has;			// as claimed() said
	struct xy_prefix prefix;
	char why[200];
	unsigned told;
	// An answer on its way.
	xy_nsec due;
	struct xy_ipam_step step;
	int code;
	struct row read;
};

static struct registry reg;
static struct node node[NODES];
static unsigned node_count;
static struct xy_ipam_now t;
static uint64_t seed;
static unsigned lose_answer, lose_request, refuse; // in 1,000

static unsigned chance(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static struct row *row_of(const char *key)
{
	for (unsigned i = 0; i < reg.count; i++)
		if (strcmp(reg.row[i].key, key) == 0)
			return &reg.row[i];
	return NULL;
}

static int write_row(const char *key, const void *value, size_t len, uint64_t bound, bool gone)
{
	struct row *r = row_of(key);
	if (bound != XY_KV_ANY && bound != (r ? r->revision : 0))
		return -EEXIST;
	if (!r) {
		CU_ASSERT_FATAL(reg.count < KEYS);
		r = &reg.row[reg.count++];
		snprintf(r->key, sizeof(r->key), "%s", key);
	}
	CU_ASSERT_FATAL(len <= sizeof(r->value));
	if (len)
		memcpy(r->value, value, len);
	r->len = len;
	r->gone = gone;
	r->revision = ++reg.revision;
	return 0;
}

// --- a node

static xy_nsec turn(struct node *n);

// As a source does whose agent publishes its record at once: the next step is asked for in here.
static void claimed(void *arg, const struct xy_prefix *p, const char *why)
{
	struct node *n = arg;
	n->has = p != NULL;
	n->told++;
	if (p)
		n->prefix = *p;
	snprintf(n->why, sizeof(n->why), "%s", why);
	turn(n);
}

static void judge(void *arg, const struct xy_prefix *p, const void *value, size_t len,
		  uint64_t wall, struct xy_ipam_holder *out)
{
	xy_claims_judge(&((struct node *)arg)->claims, p, value, len, wall, out);
}

static bool let_go(void *arg, const struct xy_prefix *p, const struct xy_ipam_holder *h,
		   const void *value, size_t len)
{
	(void)arg;
	return xy_claims_let_go(p, h, value, len);
}

static uint64_t dated(void *arg, const struct xy_prefix *p, const struct xy_ipam_holder *h)
{
	const struct xy_fleet_claimed *k = &((struct node *)arg)->others;
	return xy_fleet_claim_since(k->seen ? k : NULL, h->since, t.wall);
}

static bool overlaps(void *arg, const struct xy_prefix *p, char *why, size_t size)
{
	return xy_claims_overlap(&((struct node *)arg)->claims, p, why, size);
}

static const struct xy_ipam_kind kind = {.grid = "ipam",
					 .key = xy_claims_key,
					 .judge = judge,
					 .let_go = let_go,
					 .dated = dated,
					 .overlaps = overlaps,
					 .claimed = claimed};

static struct xy_fleet_wish wish_of(const char *cidr, unsigned bits, bool retry)
{
	struct xy_fleet_wish w = {.bits = bits, .retry = retry};
	CU_ASSERT_EQUAL_FATAL(xy_prefix_parse(cidr, &w.cidr), 0);
	w.bits += xy_prefix_is_v4(&w.cidr) ? 96 : 0;
	return w;
}

static void begin(unsigned count, const struct xy_fleet_wish *w)
{
	memset(&reg, 0, sizeof(reg));
	reg.made = 1;
	t = (struct xy_ipam_now){.mono = 1000 * XY_SEC, .wall = WALL};
	node_count = count;
	lose_answer = lose_request = refuse = 0;
	for (unsigned i = 0; i < count; i++) {
		struct node *n = &node[i];
		uint8_t s[32] = {(uint8_t)(i + 1), (uint8_t)seed};
		memset(n, 0, sizeof(*n));
		xy_identity_from_seed(s, &n->id);
		CU_ASSERT_EQUAL_FATAL(xy_claims_init(&n->claims), 0);
		n->claims.self = n->id.ed25519;
		n->claims.wish = *w;
		xy_ipam_init(&n->ipam, &kind, n);
		CU_ASSERT_EQUAL(xy_ipam_want(&n->ipam, w, t, NULL), 0);
	}
}

static void end(void)
{
	for (unsigned i = 0; i < node_count; i++)
		xy_claims_fini(&node[i].claims);
}

static char *claim_text(struct node *n, const struct xy_prefix *p, uint64_t since, uint64_t epoch)
{
	struct xy_fleet_claim c = {
		.prefix = *p, .epoch = epoch, .expires = t.wall + LIFETIME_S, .since = since};
	char *text = NULL;
	struct xy_err err = {""};
	CU_ASSERT_EQUAL_FATAL(xy_fleet_claim_sign(&c, &n->id, &text, &err), 0);
	return text;
}

// What is asked reaches the registry at once, or never; its answer comes later, or never.
static void ask(struct node *n)
{
	n->code = 0;
	n->due = t.mono + (1 + chance(200)) * XY_MSEC;
	n->read = (struct row){0};
	const struct xy_ipam_step *s = &n->step;
	if (chance(1000) < refuse)
		n->code = -EAGAIN;
	else if (chance(1000) < lose_request)
		n->code = -ETIMEDOUT;
	else if (s->what == XY_IPAM_GET) {
		struct row *r = row_of(s->key);
		if (r)
			n->read = *r;
	} else {
		n->code = write_row(s->key, s->value, s->len, s->bound, s->what == XY_IPAM_DELETE);
		if (chance(1000) < lose_answer)
			n->code = -ETIMEDOUT;
	}
}

static void deliver(struct node *n)
{
	struct xy_kv_entry e = {.key = n->step.key,
				.value = n->read.len && !n->read.gone ? (uint8_t *)n->read.value
								      : NULL,
				.len = n->read.len,
				.revision = n->read.revision,
				.gone = n->read.gone,
				.made = reg.made};
	n->due = 0;
	if (n->step.what == XY_IPAM_SIGN && n->dumb) {
		xy_ipam_signed(&n->ipam, t, NULL, 0, "the daemon is away");
		return;
	}
	if (n->step.what == XY_IPAM_SIGN) {
		char *text = claim_text(n, &n->step.prefix, n->step.since, t.wall);
		xy_ipam_signed(&n->ipam, t, text, strlen(text), NULL);
		free(text);
		return;
	}
	xy_ipam_answer(&n->ipam, t, n->code, n->step.what == XY_IPAM_GET && !n->code ? &e : NULL);
}

static xy_nsec turn(struct node *n)
{
	if (n->due && n->due <= t.mono)
		deliver(n);
	if (n->due)
		return n->due;
	struct xy_ipam_step step;
	xy_nsec at = xy_ipam_step(&n->ipam, t, &step);
	if (step.what == XY_IPAM_WAIT)
		return n->due ? n->due : at;
	CU_ASSERT_EQUAL_FATAL(n->due, 0); // one thing at a time
	n->step = step;
	if (n->step.what == XY_IPAM_SIGN)
		n->due = t.mono + (1 + chance(50)) * XY_MSEC;
	else
		ask(n);
	return n->due;
}

static unsigned duplicates(void)
{
	unsigned k = 0;
	for (unsigned i = 0; i < node_count; i++)
		for (unsigned j = 0; j < i; j++)
			k += node[i].has && node[j].has &&
			     xy_prefix_eq(&node[i].prefix, &node[j].prefix);
	return k;
}

static unsigned holders(void)
{
	unsigned k = 0;
	for (unsigned i = 0; i < node_count; i++)
		k += node[i].has;
	return k;
}

// Runs so many seconds of the registry's time; strict: no two ever hold one network.
static void run(unsigned seconds, bool strict)
{
	xy_nsec stop = t.mono + seconds * XY_SEC;
	while (t.mono < stop) {
		xy_nsec next = stop;
		unsigned from = chance(node_count);
		for (unsigned i = 0; i < node_count; i++) {
			xy_nsec at = turn(&node[(from + i) % node_count]);
			next = at < next ? at : next;
		}
		if (strict)
			CU_ASSERT_EQUAL_FATAL(duplicates(), 0);
		xy_nsec before = t.mono;
		t.mono = next > t.mono ? next : t.mono + XY_MSEC;
		t.wall += t.mono / XY_SEC - before / XY_SEC;
	}
}

// --- cases

static void test_one(void)
{
	struct xy_fleet_wish w = wish_of("fd10::/16", 48, false);
	seed = 1;
	begin(1, &w);
	run(10, true);
	CU_ASSERT_TRUE(node[0].has);
	CU_ASSERT_EQUAL(node[0].prefix.len, 48);
	CU_ASSERT_TRUE(xy_prefix_covers(&w.cidr, &node[0].prefix));
	CU_ASSERT_EQUAL(reg.count, 2);
	CU_ASSERT_NSTRING_EQUAL(row_of("ipam")->value,
				"{\"v\":1,\"cidr\":\"fd10::/16\",\"prefix\":48}",
				row_of("ipam")->len);
	char key[XY_IPAM_KEY];
	xy_claims_key(&node[0].prefix, key);
	uint64_t revision = row_of(key)->revision;
	run(LIFETIME_S / 2 + 200, true); // renewed before its end, with the time of before
	CU_ASSERT_TRUE(row_of(key)->revision > revision);
	struct xy_fleet_claim c;
	CU_ASSERT_EQUAL(xy_fleet_claim_parse(row_of(key)->value, row_of(key)->len, &c, NULL), 0);
	CU_ASSERT_TRUE(c.since < WALL + 10 && c.expires > t.wall + LIFETIME_S / 2);
	CU_ASSERT_EQUAL(node[0].told, 1);
	// Given back.
	xy_ipam_want(&node[0].ipam, NULL, t, NULL);
	run(10, true);
	CU_ASSERT_TRUE(row_of(key)->gone);
	CU_ASSERT_TRUE(xy_ipam_is_idle(&node[0].ipam));
	end();
}

static void test_many(void)
{
	struct xy_fleet_wish w = wish_of("10.9.0.0/16", 22, true); // 64 of them
	for (unsigned i = 0; i < 6; i++) {
		seed = 100 + i;
		begin(NODES, &w);
		lose_answer = lose_request = refuse = i % 3 * 100;
		run(400, true);
		CU_ASSERT_EQUAL(holders(), NODES);
		end();
	}
}

// More than there are: all are given out, and who has none goes on to ask.
static void test_full(void)
{
	struct xy_fleet_wish w = wish_of("10.9.0.0/29", 32, true);
	seed = 5;
	begin(20, &w);
	run(300, true);
	CU_ASSERT_EQUAL(holders(), 7); // all but the cidr's own address
	for (unsigned i = 0; i < 20; i++)
		if (node[i].has) {
			xy_ipam_want(&node[i].ipam, NULL, t, NULL);
			node[i].has = false;
			break;
		}
	run(300, true);
	CU_ASSERT_EQUAL(holders(), 7);
	end();
}

// Two want the same one, and do not draw another.
static void test_same(void)
{
	struct xy_fleet_wish w = wish_of("fd10::/16", 48, false);
	xy_prefix_parse("fd10:7::/48", &w.drawn);
	for (seed = 1; seed < 15; seed++) {
		begin(2, &w);
		run(20, true);
		CU_ASSERT_EQUAL(holders(), 1);
		unsigned loser = node[0].has;
		CU_ASSERT_PTR_NOT_NULL(strstr(node[loser].why, "fd10:7::/48"));
		CU_ASSERT_PTR_NOT_NULL(strstr(node[loser].why, "retry"));
		// The other leaves: it is free then.
		xy_ipam_want(&node[!loser].ipam, NULL, t, NULL);
		node[!loser].has = false;
		run(60, true);
		CU_ASSERT_TRUE(node[loser].has);
		end();
	}
}

// A restart finds its own; who was away until its claim ended finds it another's.
static void test_restart(void)
{
	struct xy_fleet_wish w = wish_of("fd10::/16", 48, true);
	seed = 9;
	begin(2, &w);
	run(10, true);
	struct xy_prefix first = node[0].prefix;
	uint64_t since = node[0].ipam.since;
	w.drawn = first;
	xy_ipam_init(&node[0].ipam, &kind, &node[0]);
	node[0].has = false;
	node[0].due = 0;
	xy_ipam_want(&node[0].ipam, &w, t, NULL);
	run(10, true);
	CU_ASSERT_TRUE(node[0].has && xy_prefix_eq(&node[0].prefix, &first));
	CU_ASSERT_EQUAL(node[0].ipam.since, since);
	t.wall += LIFETIME_S + 10; // nobody could say a word for so long
	t.mono += (LIFETIME_S + 10) * XY_SEC;
	node[0].due = node[1].due = 0;
	node[0].ipam.asked = node[1].ipam.asked = false;
	xy_ipam_want(&node[1].ipam, &w, t, NULL); // is content with what it has
	struct xy_ipam_step s;
	xy_ipam_step(&node[0].ipam, t, &s);
	CU_ASSERT_FALSE(node[0].has);
	CU_ASSERT_PTR_NOT_NULL(strstr(node[0].why, "end"));
	node[0].ipam.asked = false;
	run(10, true);
	CU_ASSERT_EQUAL(holders(), 2);
	end();
}

// The registry forgets what it had acknowledged, or gives it to another: then the one who claimed
// it first has it in the end, and the other draws anew.
static void test_forgets(void)
{
	struct xy_fleet_wish w = wish_of("fd10::/16", 48, true);
	for (seed = 1; seed < 10; seed++) {
		begin(2, &w);
		node[1].ipam.at = t.mono + 10 * XY_SEC;
		run(8, true);
		struct xy_prefix first = node[0].prefix;
		char key[XY_IPAM_KEY];
		xy_claims_key(&first, key);
		memset(row_of(key), 0, sizeof(struct row)); // never heard of it
		run(10, true);
		// The other took it meanwhile, by its own honest write.
		char *text = claim_text(&node[1], &first, t.wall, t.wall);
		CU_ASSERT_EQUAL(write_row(key, text, strlen(text), XY_KV_ANY, false), 0);
		free(text);
		xy_ipam_heard(&node[0].ipam, t, key);
		run(90, false);
		CU_ASSERT_TRUE(node[0].has && xy_prefix_eq(&node[0].prefix, &first));
		CU_ASSERT_EQUAL(holders(), 2);
		CU_ASSERT_EQUAL(duplicates(), 0);
		// And when the other's is the earlier, this one yields.
		text = claim_text(&node[1], &first, WALL - 1000, t.wall);
		write_row(key, text, strlen(text), XY_KV_ANY, false);
		free(text);
		run(90, false);
		CU_ASSERT_TRUE(node[0].has && !xy_prefix_eq(&node[0].prefix, &first));
		end();
	}
}

// Of a claim that is held for long nobody can say that it was his before.
static void test_backdated(void)
{
	struct xy_fleet_wish w = wish_of("fd10::/16", 48, true);
	seed = 12;
	begin(2, &w);
	run(XY_FLEET_SLACK_S + 100, true); // its first lifetime has hardly begun
	struct xy_prefix first = node[0].prefix;
	char key[XY_IPAM_KEY];
	xy_claims_key(&first, key);
	char *text = claim_text(&node[1], &first, 1, t.wall);
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(write_row(key, text, strlen(text), XY_KV_ANY, false), 0);
		run(90, true);
		CU_ASSERT_TRUE(node[0].has && xy_prefix_eq(&node[0].prefix, &first));
		CU_ASSERT_EQUAL(node[0].told, 1);
		struct xy_fleet_claim c;
		CU_ASSERT_EQUAL(
			xy_fleet_claim_parse(row_of(key)->value, row_of(key)->len, &c, NULL), 0);
		CU_ASSERT_EQUAL(memcmp(&c.key, &node[0].id.ed25519, sizeof(c.key)), 0);
	}
	// Its record named it soon after ours, and its claim comes now: its date is that of its
	// record. But what was heard in time counts.
	uint64_t since = node[0].ipam.since;
	node[0].others.seen = since + 10;
	write_row(key, text, strlen(text), XY_KV_ANY, false);
	run(90, true);
	CU_ASSERT_TRUE(node[0].has && xy_prefix_eq(&node[0].prefix, &first));
	node[0].others.dated = since - 290;
	write_row(key, text, strlen(text), XY_KV_ANY, false);
	run(90, false);
	CU_ASSERT_TRUE(node[0].has && !xy_prefix_eq(&node[0].prefix, &first));
	free(text);
	end();
}

// Servers lose what the one has while he is away, the other takes it and never saw his: neither
// believes the other, and it is over when the claim ends of who was away.
static void test_contested(void)
{
	struct xy_fleet_wish w = wish_of("fd10::/16", 48, true);
	seed = 21;
	begin(2, &w);
	node[1].ipam.at = t.mono + 100000 * XY_SEC;
	run(600, true);
	struct xy_prefix first = node[0].prefix;
	char key[XY_IPAM_KEY];
	xy_claims_key(&first, key);
	memset(row_of(key), 0, sizeof(struct row));
	reg.made = 2;
	node[0].ipam.at = t.mono + 1200 * XY_SEC; // is away
	w.drawn = first;
	xy_ipam_want(&node[1].ipam, &w, t, NULL);
	run(1100, false); // it believes still that it has it
	CU_ASSERT_TRUE(node[1].has && xy_prefix_eq(&node[1].prefix, &first));
	run(LIFETIME_S + 1200, false);
	CU_ASSERT_EQUAL(holders(), 2);
	CU_ASSERT_EQUAL(duplicates(), 0);
	CU_ASSERT_TRUE(xy_prefix_eq(&node[1].prefix, &first));
	end();
}

// In a bucket that had the one's claim another cannot have missed it: whoever writes over it while
// its holder is away, and again and again, has it not, and it is renewed.
static void test_away(void)
{
	struct xy_fleet_wish w = wish_of("fd10::/16", 48, true);
	seed = 22;
	begin(2, &w);
	node[1].ipam.at = t.mono + 100000 * XY_SEC;
	run(LIFETIME_S * 3, true);
	struct xy_prefix first = node[0].prefix;
	char key[XY_IPAM_KEY];
	xy_claims_key(&first, key);
	node[0].ipam.at = t.mono + 400 * XY_SEC; // is away
	run(350, true);
	for (unsigned i = 0; i < 2 * LIFETIME_S / 200; i++) {
		char *text = claim_text(&node[1], &first, t.wall - 5, t.wall);
		write_row(key, text, strlen(text), XY_KV_ANY, false);
		free(text);
		run(200, true);
		CU_ASSERT_TRUE(node[0].has && xy_prefix_eq(&node[0].prefix, &first));
	}
	CU_ASSERT_EQUAL(node[0].told, 1);
	end();
}

// A date may be no later than when its record was seen, and no claim is for longer than a record.
static void test_bounds(void)
{
	struct xy_fleet_wish w = wish_of("fd10::/16", 48, true);
	struct xy_ipam_holder h;
	begin(2, &w);
	CU_ASSERT_EQUAL(xy_fleet_claim_dated(WALL + 1200, WALL), WALL);
	CU_ASSERT_EQUAL(xy_fleet_claim_dated(1, WALL), WALL - XY_FLEET_SLACK_S);
	CU_ASSERT_EQUAL(xy_fleet_claim_dated(WALL - 9, WALL), WALL - 9);
	struct xy_prefix p = xy_ipam_draw(&w);
	for (unsigned i = 0; i < 2; i++) {
		struct xy_fleet_claim c = {.prefix = p,
					   .epoch = 1,
					   .since = WALL,
					   .expires = WALL + XY_FLEET_VALID_MOST + i};
		char *text = NULL;
		CU_ASSERT_EQUAL_FATAL(xy_fleet_claim_sign(&c, &node[1].id, &text, NULL), 0);
		xy_claims_judge(&node[0].claims, &p, text, strlen(text), WALL, &h);
		CU_ASSERT_EQUAL(h.who, i ? XY_IPAM_NOBODY : XY_IPAM_OTHERS);
		free(text);
	}
	end();
}

// Started anew, with a daemon that signs nothing: another's claim is not written over with nothing.
static void test_unsigned(void)
{
	struct xy_fleet_wish w = wish_of("fd10::/16", 48, true);
	seed = 23;
	begin(2, &w);
	node[1].ipam.at = t.mono + 100000 * XY_SEC;
	run(60, true);
	struct xy_prefix first = node[0].prefix;
	char key[XY_IPAM_KEY];
	xy_claims_key(&first, key);
	w.drawn = first;
	xy_ipam_init(&node[0].ipam, &kind, &node[0]);
	xy_ipam_want(&node[0].ipam, &w, t, NULL);
	node[0].dumb = true;
	node[0].due = 0;
	run(10, false);
	char *text = claim_text(&node[1], &first, t.wall, t.wall);
	write_row(key, text, strlen(text), XY_KV_ANY, false);
	run(60, false);
	CU_ASSERT_STRING_EQUAL(row_of(key)->value, text);
	CU_ASSERT_EQUAL(row_of(key)->len, strlen(text));
	node[0].dumb = false; // and it is the earlier still
	run(60, false);
	CU_ASSERT_TRUE(node[0].has && xy_prefix_eq(&node[0].prefix, &first));
	CU_ASSERT_TRUE(row_of(key)->len && strcmp(row_of(key)->value, text) != 0);
	free(text);
	end();
}

// Who may write the registry puts back what a node claimed once: what that node said later counts.
static void test_replayed(void)
{
	struct xy_fleet_wish w = wish_of("fd10::/16", 48, true);
	seed = 3;
	begin(2, &w);
	run(10, true);
	char key[XY_IPAM_KEY], record_key[XY_IPAM_KEY], *text;
	xy_claims_key(&node[0].prefix, key);
	struct xy_prefix first = node[0].prefix;
	char *old = claim_text(&node[1], &first, WALL - 5000, WALL - 5000);
	struct xy_fleet_record r = {.epoch = WALL, .expires = t.wall + LIFETIME_S, .ended = true};
	CU_ASSERT_EQUAL(xy_fleet_record_sign(&r, &node[1].id, &text, NULL), 0);
	xy_claims_record_key(&node[1].id.addr, record_key);
	write_row(record_key, text, strlen(text), XY_KV_ANY, false);
	free(text);
	write_row(key, old, strlen(old), XY_KV_ANY, false);
	run(90, true);
	CU_ASSERT_TRUE(node[0].has && xy_prefix_eq(&node[0].prefix, &first));
	CU_ASSERT_TRUE(strcmp(row_of(key)->value, old) != 0); // and it stands there again
	free(old);
	// What is no claim at all is nobody's, whoever wrote it.
	static const char *const bad[] = {"", "x", "{}", "{\"v\":1,\"claims\":\"fd10::/48\"}"};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_row(key, bad[i], strlen(bad[i]), XY_KV_ANY, false);
		run(70, true);
		CU_ASSERT_TRUE(node[0].has && xy_prefix_eq(&node[0].prefix, &first));
	}
	end();
}

// Who is not let in holds nothing.
static void test_strangers(void)
{
	struct xy_fleet_wish w = wish_of("fd10::/16", 48, false);
	seed = 4;
	xy_prefix_parse("fd10:7::/48", &w.drawn);
	begin(2, &w);
	CU_ASSERT_EQUAL(xy_fleet_trust_keys(&node[0].claims.trust, &node[0].id.ed25519, 1), 0);
	node[0].claims.trust.kind = XY_FLEET_TRUST_KEYS;
	char *text = claim_text(&node[1], &w.drawn, 1, t.wall), key[XY_IPAM_KEY];
	xy_claims_key(&w.drawn, key);
	write_row(key, text, strlen(text), XY_KV_ANY, false);
	free(text);
	node[1].ipam.state = XY_IPAM_IDLE;
	run(10, true);
	CU_ASSERT_TRUE(node[0].has);
	end();
}

static char *record_text(struct node *n, const char *prefix, const char *claim)
{
	struct xy_fleet_record r = {.name = "other", .epoch = 1, .expires = t.wall + 100};
	char *text = NULL;
	r.prefix_count = prefix != NULL;
	if (prefix)
		xy_prefix_parse(prefix, &r.prefix[0]);
	r.has_claim = claim != NULL;
	if (claim)
		xy_prefix_parse(claim, &r.claim);
	CU_ASSERT_EQUAL_FATAL(xy_fleet_record_sign(&r, &n->id, &text, NULL), 0);
	return text;
}

static void test_overlaps(void)
{
	static const struct {
		const char *prefix, *claim;
		bool overlaps; // with fd10:7::/48
	} row[] = {
		{"fd10:7::/64", NULL, true},  {"fd10::/20", NULL, true},
		{"fd10:8::/48", NULL, false}, {"fd11::/16", NULL, false},
		{NULL, "fd10:7::/56", true},  {NULL, "fd10::/24", true},
		{"::/0", NULL, false},	      {"fd10::/16", NULL, false}, // an exit, a gateway
		{"fd00::/8", NULL, false},    {NULL, "fd10::/16", false},
		{NULL, "fd10:7::/48", false}, // as they are given out: the claim's own key says
					      // whose
	};
	struct xy_fleet_wish w = wish_of("fd10::/16", 48, true);
	seed = 6;
	begin(2, &w);
	struct xy_prefix p;
	char why[120];
	xy_prefix_parse("fd10:7::/48", &p);
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char *text = record_text(&node[1], row[i].prefix, row[i].claim);
		xy_claims_note(&node[0].claims, "node.x", text, strlen(text), t.wall);
		free(text);
		CU_ASSERT_EQUAL(xy_claims_overlap(&node[0].claims, &p, why, sizeof(why)),
				row[i].overlaps);
		if (row[i].overlaps)
			CU_ASSERT_PTR_NOT_NULL(strstr(why, "other"));
	}
	char *text = record_text(&node[1], "fd10:7::/64", NULL);
	xy_claims_note(&node[0].claims, "node.x", text, strlen(text), t.wall);
	CU_ASSERT_TRUE(xy_claims_overlap(&node[0].claims, &p, why, sizeof(why)));
	node[0].claims.wall += 200; // it has ended
	CU_ASSERT_FALSE(xy_claims_overlap(&node[0].claims, &p, why, sizeof(why)));
	xy_claims_note(&node[0].claims, "node.x", text, strlen(text), t.wall);
	xy_claims_note(&node[0].claims, "node.x", NULL, 0, t.wall);
	CU_ASSERT_FALSE(xy_claims_overlap(&node[0].claims, &p, why, sizeof(why)));
	// A wish for what somebody uses a part of.
	xy_claims_note(&node[0].claims, "node.x", text, strlen(text), t.wall);
	free(text);
	w.drawn = p;
	w.retry = false;
	xy_ipam_want(&node[0].ipam, &w, t, NULL);
	node[1].ipam.state = XY_IPAM_IDLE;
	run(5, true);
	CU_ASSERT_FALSE(node[0].has);
	CU_ASSERT_PTR_NOT_NULL(strstr(node[0].why, "fd10:7::/48 is in use: other has fd10:7::/64"));
	end();
	// Who has it keeps it, over renewals and a restart.
	begin(1, &w);
	run(10, true);
	CU_ASSERT_TRUE_FATAL(node[0].has && xy_prefix_eq(&node[0].prefix, &p));
	text = record_text(&node[1], "fd10:7::/64", NULL);
	for (unsigned i = 0; i < 2; i++) {
		xy_claims_note(&node[0].claims, "node.x", text, strlen(text), t.wall);
		xy_ipam_renew(&node[0].ipam, t);
		run(20, true);
		CU_ASSERT_TRUE(node[0].has);
		CU_ASSERT_EQUAL(node[0].told, i ? 2 : 1);
		xy_ipam_init(&node[0].ipam, &kind, &node[0]);
		node[0].has = i;
		node[0].due = 0;
		xy_ipam_want(&node[0].ipam, &w, t, NULL);
	}
	free(text);
	end();
}

static struct xy_claims_weighed weighed(const char *prefix, bool stood, uint64_t dated, uint8_t key)
{
	struct xy_claims_weighed c = {
		.stood = stood, .dated = dated, .seen = 7, .key = {{key}}, .at = key};
	CU_ASSERT_EQUAL_FATAL(xy_prefix_parse(prefix, &c.prefix), 0);
	return c;
}

// Of claims that are parts of others one alone is given, and what gets nothing keeps out nobody.
static void test_weigh(void)
{
	static const struct {
		const char *what;
		struct {
			const char *prefix;
			bool stood;
			uint64_t dated;
		} claim[4];
		const char *given; // by number
	} row[] = {
		{"apart", {{"fd10:1::/48", 0, 5}, {"fd10:2::/48", 0, 4}}, "12"},
		{"one address of it", {{"fd10:1::/48", 0, 5}, {"fd10:1::1/128", 0, 6}}, "1"},
		{"all of it", {{"fd10:1::/48", 0, 5}, {"fd10::/16", 0, 6}}, "1"},
		{"all of several",
		 {{"fd10:1::/48", 0, 5},
		  {"fd10::/16", 0, 6},
		  {"fd10:2::/48", 0, 7},
		  {"::/0", 0, 8}},
		 "13"},
		{"earlier", {{"fd10:1::/48", 0, 5}, {"fd10:1::/48", 0, 4}}, "2"},
		{"what stands", {{"fd10:1::/48", 1, 5}, {"fd10::/16", 0, 1}}, "1"},
		{"by key", {{"fd10:1::/48", 0, 5}, {"fd10:1::/48", 0, 5}}, "1"},
		{"not known", {{"fd10:1::/48", 0, 0}, {"fd10:1::/48", 0, 6}}, "2"},
		{"of one prefix, within another's",
		 {{"fd10::/16", 1, 5}, {"fd10:1::/48", 0, 5}, {"fd10:1::/48", 0, 4}},
		 "1"},
		{"nested thrice",
		 {{"fd10::/16", 0, 9},
		  {"fd10:1::/48", 0, 8},
		  {"fd10:1:0:1::/64", 0, 7},
		  {"fd10:1::/64", 0, 9}},
		 "34"},
	};
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct xy_claims_weighed v[4];
		unsigned n = 0;
		char given[5] = "";
		for (; n < 4 && row[i].claim[n].prefix; n++)
			v[n] = weighed(row[i].claim[n].prefix, row[i].claim[n].stood,
				       row[i].claim[n].dated, (uint8_t)(n + 1));
		CU_ASSERT_EQUAL(xy_claims_weigh(v, n), 0);
		for (unsigned at = 1, len = 0; at <= n; at++)
			for (unsigned k = 0; k < n; k++)
				if (v[k].at == at && v[k].given)
					given[len++] = (char)('0' + at);
		CU_ASSERT_STRING_EQUAL(given, row[i].given);
		if (strcmp(given, row[i].given) != 0)
			printf("%s: %s\n", row[i].what, given);
	}
	CU_ASSERT_EQUAL(xy_claims_weigh(NULL, 0), 0);
	// By dates; of who has none, when it was seen.
	static const struct {
		uint64_t dated, seen;
		bool first;
	} late[] = {{WALL + 1, WALL - 5, false},
		    {WALL - 1, WALL + 5, true},
		    {0, WALL + 1, false},
		    {0, WALL - 1, true}};
	for (unsigned i = 0; i < sizeof(late) / sizeof(late[0]); i++) {
		struct xy_claims_weighed v[2] = {weighed("fd10:1::/48", false, WALL, 2),
						 weighed("fd10:1::/48", false, late[i].dated, 1)};
		v[0].seen = WALL;
		v[1].seen = late[i].seen;
		CU_ASSERT_EQUAL(xy_claims_weigh(v, 2), 0);
		CU_ASSERT_EQUAL(v[0].given ? v[0].at : v[1].at, late[i].first ? 1 : 2);
		CU_ASSERT_TRUE(v[0].given != v[1].given);
	}
}

// Since when it is claimed is the word of its own claim, of whole networks, until that ends.
static void test_table(void)
{
	struct xy_claims_table table;
	struct xy_claims_stood c[300], gone;
	CU_ASSERT_EQUAL_FATAL(xy_claims_table_init(&table), 0);
	for (unsigned i = 0; i < 300; i++) {
		c[i] = (struct xy_claims_stood){
			.prefix.len = 48, .since = 100 + i, .expires = WALL};
		c[i].prefix.addr.b[0] = 0xfd;
		c[i].prefix.addr.b[4] = (uint8_t)(i >> 8);
		c[i].prefix.addr.b[5] = (uint8_t)i;
		c[i].key.b[0] = (uint8_t)i;
		xy_claims_table_set(&table, &c[i]);
	}
	for (unsigned i = 0; i < 300; i += 3) {
		gone = (struct xy_claims_stood){.prefix.addr = c[i].prefix.addr};
		xy_claims_table_set(&table, &gone);
	}
	for (unsigned i = 0; i < 300; i++)
		CU_ASSERT_EQUAL(xy_claims_table_since(&table, &c[i].prefix, &c[i].key, WALL - 1),
				i % 3 ? 100 + i : 0);
	CU_ASSERT_EQUAL(xy_claims_table_since(&table, &c[1].prefix, &c[2].key, 1), 0);
	CU_ASSERT_EQUAL(xy_claims_table_since(&table, &c[1].prefix, &c[1].key, WALL), 0);
	c[1].since = 7; // another's
	c[1].key = c[2].key;
	xy_claims_table_set(&table, &c[1]);
	CU_ASSERT_EQUAL(xy_claims_table_since(&table, &c[1].prefix, &c[1].key, 1), 7);
	CU_ASSERT_EQUAL(table.count, 200);
	c[1].prefix.len = 64;
	CU_ASSERT_EQUAL(xy_claims_table_since(&table, &c[1].prefix, &c[1].key, 1), 0);
	xy_claims_table_fini(&table);
}

static void test_grid(void)
{
	struct xy_fleet_wish w = wish_of("fd10::/16", 48, true),
			     other = wish_of("fd10::/16", 56, true),
			     v4 = wish_of("10.0.0.0/8", 24, true);
	struct xy_err err = {""};
	char text[128];
	seed = 8;
	xy_ipam_grid_text(&v4, text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "{\"v\":1,\"cidr\":\"10.0.0.0/8\",\"prefix\":24}");
	CU_ASSERT_EQUAL(xy_ipam_grid_check(&v4, text, strlen(text), &err), 0);
	CU_ASSERT_EQUAL(xy_ipam_grid_check(&w, text, strlen(text), &err), -EINVAL);
	CU_ASSERT_EQUAL(xy_ipam_grid_check(&w, "{}", 2, &err), -EPROTO);
	CU_ASSERT_EQUAL(xy_ipam_grid_check(&w, "[1]", 3, &err), -EPROTO);
	begin(2, &w);
	node[1].ipam.wish = other;
	node[1].ipam.at = t.mono + 10 * XY_SEC;
	run(30, true);
	CU_ASSERT_TRUE(node[0].has);
	CU_ASSERT_FALSE(node[1].has);
	CU_ASSERT_PTR_NOT_NULL(strstr(node[1].why, "/48 of fd10::/16, and here /56"));
	end();
	// What cannot be wanted.
	struct xy_ipam m;
	xy_ipam_init(&m, &kind, NULL);
	struct xy_fleet_wish bad = wish_of("fd10::/16", 8, true);
	CU_ASSERT_EQUAL(xy_ipam_want(&m, &bad, t, &err), -EINVAL);
	bad = w;
	xy_prefix_parse("fd11::/48", &bad.drawn);
	CU_ASSERT_EQUAL(xy_ipam_want(&m, &bad, t, &err), -EINVAL);
	CU_ASSERT_TRUE(xy_ipam_is_idle(&m));
}

XY_UNIT_MAIN("fleet_ipam", {"one", test_one}, {"many", test_many}, {"full", test_full},
	     {"same", test_same}, {"restart", test_restart}, {"forgets", test_forgets},
	     {"backdated", test_backdated}, {"contested", test_contested}, {"away", test_away},
	     {"bounds", test_bounds}, {"unsigned", test_unsigned}, {"replayed", test_replayed},
	     {"strangers", test_strangers}, {"overlaps", test_overlaps}, {"weigh", test_weigh},
	     {"table", test_table}, {"grid", test_grid})
