// SPDX-License-Identifier: BSD-3-Clause
#include "fleet/links.h"

#include "base/grow.h"
#include "base/map.h"
#include "fleet/claims.h"
#include "fleet/talk.h"
#include "log.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
	PASS_MS = 10000,       // without any news: trials, round trips, lifetimes
	SOON_MS = 200,	       // after some: more of them come
	APART_MS = 500,	       // two passes, at least; and 20 times what one took
	LOOK_MS = 10000,       // at the daemon's links,
	LOOK_SOON_MS = 2000,   // while one is awaited, or how far it is
	UNDER_WAY = 64,	       // questions of ours at once
	DOWN_MS = 15000,       // a link that is not up so long after it was asked for
	ADMIT_AT_ONCE = 32,    // keys in a question, which has 4096 bytes
	LIVES = 21,	       // lifetimes of a question differ by less than a factor of two
	LEAVE_MS = 10000,      // what the daemon does not take back by then ends by itself
	DEVICE_LIFE = 86400,   // seconds: a plain device's record has no end
	LIFE_MOST = 604800,    // that the daemon takes
	REFUSED_AGAIN = 60000, // ms; also of a claim that another had still
	WHOLE_MS = 60000,      // the first choice waits so long for all that the source has
};

// What we told the daemon of somebody.
struct told {
	struct xy_key link_key;
	bool is;  // told, and not taken back
	bool has; // the daemon may have it, whatever it answered
	bool asking;
	uint64_t until;	  // Unix seconds, when the daemon lets it go by itself
	uint8_t hash[16]; // of what was told
	char peer[XY_NAME_LEN + 1], in_force[16], trouble[160];
	uint64_t again; // uv_now: not before, after it was refused
};

struct place {
	struct xy_key key; // whose all this is; zeros: nobody's
	enum xy_fleet_why why;
	uint64_t since, wanted; // uv_now: of why; since when any link is
	uint64_t tried;		// seconds of uv_now
	uint64_t admitted;	// Unix seconds, until when, with this claim
	uint64_t let_in;	// and until when at most, whatever was answered
	struct xy_prefix claim; // len 0: none
	bool given;		// the claim of its record is its own
	uint64_t pass, look;	// that saw it last
	uint64_t ring, finger;	// of its key
	uint32_t rtt_us;
	bool up, state_known;
	struct told t;
};

struct device {
	char *entry; // malloc'd
	struct xy_fleet_device d;
	struct told t;
	uint64_t look; // that saw it last
	bool up, gone; // gone: to be taken back
};

// What is to be taken back, until the daemon said that it was.
struct back {
	struct xy_key link_key;
	struct {
		bool is;
		uint32_t asked; // number of the question under way; 0: none
	} peer, admission;
};

struct asked {
	struct xy_fleet_links *l;
	struct xy_key link_key;
	uint32_t number;     // of a taking back; 0: none
	unsigned count;	     // of an admission
	struct xy_key key[]; // [count]
};

struct chunk { // of who is let in, by one question
	json_t *keys;
	unsigned count;
	uint32_t at[ADMIT_AT_ONCE];
	uint64_t least;
};

struct xy_fleet_links {
	struct xy_fleet *f;
	uv_timer_t timer, look_timer;
	struct place place[XY_FLEET_PLACES];
	uint32_t places; // behind the last that was ever in use
	unsigned handles;
	struct device *device;
	unsigned devices, device_room;
	struct back *back; // [backs]
	unsigned backs, back_room;
	struct xy_map back_by_key; // of a hash
	uint32_t number;
	uint64_t looks, leave_until;
	uint64_t session;	     // of what we say; what others said ends
	bool whole, failed, settled; // all was said; not all was taken; they did
	struct xy_fleet_node *node;  // for choosing: malloc'd, grown
	enum xy_fleet_why *why;
	uint32_t *at;
	unsigned room;
	uint64_t pass, passed, took; // number; uv_now of the last, and how long it was
	uint64_t seed;
	uint64_t claims_again; // uv_now: all that have one are said again; 0: not
	unsigned under_way;
	bool waits; // for room under way
	bool looking, closing, leaving;
	void (*left)(void *arg);
	void *left_arg;
	struct xy_map by_name; // of the daemon's links: of a hash
	uint8_t secret[crypto_shorthash_KEYBYTES];
	struct xy_fleet_links_sum sum;
};

static void arm(struct xy_fleet_links *l, uint64_t ms);

static uint64_t hash_of(const struct xy_fleet_links *l, const void *what, size_t len)
{
	uint64_t h;
	crypto_shorthash((unsigned char *)&h, what, len, l->secret);
	return h;
}

// --- telling the daemon

static struct told *told_of(struct xy_fleet_links *l, const struct xy_key *link_key)
{
	uint32_t at;
	for (unsigned i = 0; i < l->devices; i++)
		if (memcmp(&l->device[i].t.link_key, link_key, sizeof(*link_key)) == 0)
			return &l->device[i].t;
	if (xy_fleet_book_find(l->f->book, link_key, &at) && at < XY_FLEET_PLACES &&
	    memcmp(&l->place[at].t.link_key, link_key, sizeof(*link_key)) == 0)
		return &l->place[at].t;
	return NULL;
}

static void maybe_left(struct xy_fleet_links *l)
{
	void (*left)(void *arg) = l->left;
	bool late = uv_now(l->f->loop) >= l->leave_until;
	if (!l->leaving || l->under_way || !left || (l->backs && !late))
		return;
	l->left = NULL;
	left(l->left_arg);
}

static void maybe_settle(struct xy_fleet_links *l);

static void answered(struct xy_fleet_links *l)
{
	l->under_way--;
	maybe_settle(l);
	if (l->waits && l->under_way < UNDER_WAY / 2)
		arm(l, 0);
	maybe_left(l);
}

static void text_copy(char *to, size_t size, const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	snprintf(to, size, "%s", text ? text : "");
}

static void on_told(void *arg, const struct xy_ask_answer *a)
{
	struct asked *q = arg;
	struct xy_fleet_links *l = q->l;
	struct told *t = l->closing ? NULL : told_of(l, &q->link_key);
	if (t) {
		bool was = t->trouble[0];
		t->asking = false;
		if (a->answer) {
			text_copy(t->peer, sizeof(t->peer), a->answer, "name");
			text_copy(t->in_force, sizeof(t->in_force), a->answer, "in_force");
			if (strcmp(t->in_force, "registry") == 0)
				t->in_force[0] = 0;
			t->trouble[0] = 0;
		} else {
			l->failed = l->failed || a->code != -EREMOTE;
			t->is = false; // `has` stays: it may have it of before, or be late
			memset(t->hash, 0, sizeof(t->hash));
			t->again = uv_now(l->f->loop) + (a->code == -EREMOTE ? REFUSED_AGAIN : 0);
			snprintf(t->trouble, sizeof(t->trouble), "%s", a->text);
			l->sum.refused += a->code == -EREMOTE;
			if (a->code == -EREMOTE && !was)
				xy_log_warn("the daemon does not take a node: %s", a->text);
		}
	}
	if (!l->closing)
		answered(l);
	json_decref(a->answer);
	free(q);
}

static bool has_room(struct xy_fleet_links *l)
{
	if (l->under_way < UNDER_WAY)
		return true;
	l->waits = true;
	return false;
}

static struct asked *ask_new(struct xy_fleet_links *l, const struct xy_key *key, unsigned count)
{
	struct asked *q = calloc(1, sizeof(*q) + count * sizeof(*key));
	if (q) {
		q->l = l;
		q->link_key = *key;
		q->count = count;
		memcpy(q->key, key, count * sizeof(*key));
		l->under_way++;
	}
	return q;
}

// --- taking back

static uint64_t key_hash(const struct xy_fleet_links *l, const struct xy_key *key)
{
	return hash_of(l, key->b, sizeof(key->b));
}

static struct back *back_find(const struct xy_fleet_links *l, const struct xy_key *key)
{
	uint32_t at;
	return l->backs && xy_map_get(&l->back_by_key, key_hash(l, key), &at) ? &l->back[at] : NULL;
}

// Without memory it is not taken back, and ends by itself.
static struct back *back_new(struct xy_fleet_links *l, const struct xy_key *key)
{
	struct back *v = xy_grow(l->back, &l->back_room, l->backs, sizeof(*v));
	if (!v)
		return NULL;
	l->back = v;
	if (xy_map_set(&l->back_by_key, key_hash(l, key), l->backs))
		return NULL;
	l->back[l->backs] = (struct back){.link_key = *key};
	return &l->back[l->backs++];
}

static void back_maybe_del(struct xy_fleet_links *l, struct back *b)
{
	struct back *last = &l->back[l->backs - 1];
	if (b->peer.is || b->admission.is)
		return;
	xy_map_del(&l->back_by_key, key_hash(l, &b->link_key));
	if (b != last) {
		*b = *last;
		xy_map_set(&l->back_by_key, key_hash(l, &b->link_key), (uint32_t)(b - l->back));
	}
	l->backs--;
}

static void forget(struct xy_fleet_links *l, struct told *t)
{
	if (!t->has)
		return;
	struct back *b = back_find(l, &t->link_key);
	b = b ? b : back_new(l, &t->link_key);
	if (b) {
		b->peer.is = true;
		b->peer.asked = 0;
	}
	l->sum.forgotten += t->is;
	t->is = t->has = t->asking = false;
	t->peer[0] = t->in_force[0] = 0;
}

// Who left, or was revoked, may come no more.
static void unadmit(struct xy_fleet_links *l, struct place *p)
{
	if (p->let_in > xy_fleet_wall()) {
		struct back *b = back_find(l, &p->t.link_key);
		b = b ? b : back_new(l, &p->t.link_key);
		if (b) {
			b->admission.is = true;
			b->admission.asked = 0;
		}
	}
	p->admitted = p->let_in = 0;
	p->claim.len = 0;
}

// It is to stay.
static void keep(struct xy_fleet_links *l, const struct xy_key *key, bool peer, bool admission)
{
	struct back *b = back_find(l, key);
	if (!b)
		return;
	b->peer.is = b->peer.is && !peer;
	b->admission.is = b->admission.is && !admission;
	back_maybe_del(l, b);
}

static void back_answered(struct xy_fleet_links *l, const struct xy_key *key, unsigned count,
			  uint32_t number, bool good)
{
	for (unsigned i = 0; i < count; i++) {
		struct back *b = back_find(l, &key[i]);
		if (b && b->peer.asked == number) {
			b->peer.asked = 0;
			b->peer.is = b->peer.is && !good;
		}
		if (b && b->admission.asked == number) {
			b->admission.asked = 0;
			b->admission.is = b->admission.is && !good;
		}
		if (b)
			back_maybe_del(l, b);
	}
}

static void on_taken_back(void *arg, const struct xy_ask_answer *a)
{
	struct asked *q = arg;
	struct xy_fleet_links *l = q->l;
	if (!l->closing) {
		back_answered(l, q->key, q->count, q->number, a->answer != NULL);
		answered(l);
	}
	json_decref(a->answer);
	free(q);
}

static uint32_t number_next(struct xy_fleet_links *l)
{
	l->number += l->number == UINT32_MAX ? 2 : 1;
	return l->number;
}

static void ask_back(struct xy_fleet_links *l, const char *command, json_t *params,
		     const struct xy_key *key, unsigned count, uint32_t number)
{
	struct asked *q = ask_new(l, key, count);
	if (!q) {
		json_decref(params);
		back_answered(l, key, count, number, false);
		return;
	}
	q->number = number;
	xy_fleet_daemon_tell(l->f->daemon, command, params, on_taken_back, q);
}

// As many as may be asked at once; an answer may come within, and change the list.
static void peers_back(struct xy_fleet_links *l)
{
	char text[XY_KEY_STRLEN];
	for (unsigned i = 0; i < l->backs; i++) {
		struct back *b = &l->back[i];
		if (!b->peer.is || b->peer.asked)
			continue;
		if (!has_room(l))
			return;
		struct xy_key key = b->link_key;
		uint32_t number = b->peer.asked = number_next(l);
		ask_back(l, "/xylem/fleet_forget",
			 json_pack("{s:s}", "key", xy_key_str(&key, text)), &key, 1, number);
	}
}

static void admissions_back(struct xy_fleet_links *l)
{
	struct xy_key key[ADMIT_AT_ONCE];
	char text[XY_KEY_STRLEN];
	for (unsigned i = 0; i < l->backs && has_room(l);) {
		json_t *keys = json_array();
		uint32_t number = number_next(l);
		unsigned n = 0;
		for (; i < l->backs && n < ADMIT_AT_ONCE; i++) {
			struct back *b = &l->back[i];
			if (!b->admission.is || b->admission.asked)
				continue;
			b->admission.asked = number;
			json_array_append_new(keys, json_string(xy_key_str(&b->link_key, text)));
			key[n++] = b->link_key;
		}
		if (n)
			ask_back(l, "/xylem/fleet_admit",
				 json_pack("{s:O, s:i}", "keys", keys, "lifetime", 0), key, n,
				 number);
		json_decref(keys);
	}
}

// Asked again by each pass until the answer was good.
static void take_back(struct xy_fleet_links *l)
{
	peers_back(l);
	admissions_back(l);
}

// --- telling

// Takes params, but for the lifetime: what is told again when it is another, or half over.
static void tell(struct xy_fleet_links *l, struct told *t, json_t *params, uint64_t until)
{
	uint64_t wall = xy_fleet_wall(), now = uv_now(l->f->loop);
	uint8_t hash[sizeof(t->hash)];
	until = until > wall + LIFE_MOST ? wall + LIFE_MOST : until;
	char *text = json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS);
	if (!text) {
		json_decref(params);
		return;
	}
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)text, strlen(text), NULL, 0);
	free(text);
	bool same = t->is && memcmp(hash, t->hash, sizeof(hash)) == 0;
	struct asked *q = NULL;
	// a record that was renewed: its peer is told so before it ends, but not of each at once
	bool late = same && until > t->until && t->until < wall + (until - wall) / 2;
	if (until > wall && !t->asking && now >= t->again && (!same || late) && has_room(l))
		q = ask_new(l, &t->link_key, 0);
	if (!q) {
		json_decref(params);
		return;
	}
	l->sum.added += !t->is;
	l->sum.changed += t->is && !same;
	t->is = t->has = t->asking = true;
	t->until = until;
	memcpy(t->hash, hash, sizeof(hash));
	json_object_set_new(params, "lifetime", json_integer((json_int_t)(until - wall)));
	json_object_set_new(params, "session", json_integer((json_int_t)l->session));
	xy_fleet_daemon_tell(l->f->daemon, "/xylem/fleet_peer", params, on_told, q);
}

static json_t *params_of_record(const struct xy_fleet_record *r)
{
	char key[XY_KEY_STRLEN], at[XY_ENDPOINT_STRLEN], name[XY_ADDR_STRLEN];
	json_t *list = json_array();
	for (unsigned i = 0; i < r->endpoint_count; i++)
		json_array_append_new(list, json_string(xy_endpoint_str(&r->endpoint[i].at, at)));
	snprintf(name, sizeof(name), "%s", r->name);
	json_t *o = json_pack("{s:s, s:o, s:b}", "key", xy_key_str(&r->link_key, key), "endpoints",
			      list, "node", 1);
	if (name[0])
		json_object_set_new(o, "name", json_string(name));
	return o;
}

static json_t *params_of_device(const struct xy_fleet_device *d)
{
	char key[XY_KEY_STRLEN], prefix[XY_PREFIX_STRLEN];
	json_t *allowed = json_array();
	for (unsigned i = 0; i < d->allowed_count; i++)
		json_array_append_new(allowed, json_string(xy_prefix_str(&d->allowed[i], prefix)));
	json_t *o = json_pack("{s:s, s:[s], s:o}", "key", xy_key_str(&d->link_key, key),
			      "endpoints", d->endpoint, "allowed", allowed);
	if (d->name[0])
		json_object_set_new(o, "name", json_string(d->name));
	return o;
}

// --- who may link to us

static void on_admitted(void *arg, const struct xy_ask_answer *a)
{
	struct asked *q = arg;
	struct xy_fleet_links *l = q->l;
	uint32_t at;
	for (unsigned i = 0; !l->closing && !a->answer && i < q->count; i++)
		if (xy_fleet_book_find(l->f->book, &q->key[i], &at) && at < XY_FLEET_PLACES)
			l->place[at].admitted = 0; // said again
	if (json_integer_value(json_object_get(a->answer, "claims_taken")) > 0 && !l->claims_again)
		l->claims_again = uv_now(l->f->loop) + REFUSED_AGAIN;
	l->failed = l->failed || (!a->answer && a->code != -EREMOTE);
	if (!l->closing && a->code == -EREMOTE)
		xy_log_debug("the daemon admits nobody: %s", a->text);
	if (!l->closing)
		answered(l);
	json_decref(a->answer);
	free(q);
}

static void admit_some(struct xy_fleet_links *l, struct chunk *c)
{
	uint64_t wall = xy_fleet_wall();
	struct xy_key key[ADMIT_AT_ONCE];
	for (unsigned i = 0; i < c->count; i++)
		key[i] = l->place[c->at[i]].t.link_key;
	struct asked *q = c->count && c->least > wall ? ask_new(l, key, c->count) : NULL;
	for (unsigned i = 0; q && i < c->count; i++) {
		struct place *p = &l->place[c->at[i]];
		p->admitted = c->least;
		p->let_in = c->least > p->let_in ? c->least : p->let_in;
	}
	if (q)
		xy_fleet_daemon_tell(l->f->daemon, "/xylem/fleet_admit",
				     json_pack("{s:O, s:I, s:I}", "keys", c->keys, "lifetime",
					       (json_int_t)(c->least - wall), "session",
					       (json_int_t)l->session),
				     on_admitted, q);
	json_decref(c->keys);
	*c = (struct chunk){0};
}

static bool overlap(const struct xy_prefix *a, const struct xy_prefix *b)
{
	return xy_prefix_covers(a, b) || xy_prefix_covers(b, a);
}

// Not a part of ours, nor of another size than all are that are given out with ours.
static bool may_be_others(const struct xy_fleet *f, const struct xy_prefix *p)
{
	const struct xy_prefix *cidr = &f->config->claim.cidr;
	unsigned bits = f->config->claim.bits;
	if (f->claim.len && overlap(&f->claim, p))
		return false;
	return !bits || !overlap(cidr, p) ||
	       xy_claims_is_given_out(cidr, bits + (xy_prefix_is_v4(cidr) ? 96u : 0u), p);
}

static bool has_word(const struct xy_fleet *f, const struct xy_fleet_entry *e)
{
	return (e->live || e->awaited) && e->record.has_claim && may_be_others(f, &e->record.claim);
}

// Whose each claim is, as `given` of its place; also of those whose word is awaited.
static int claims_weigh(struct xy_fleet_links *l)
{
	struct xy_claims_weighed *v = NULL, *more;
	const struct xy_fleet_entry *e;
	uint32_t n = 0, room = 0;
	for (uint32_t at = 0; (e = xy_fleet_book_next(l->f->book, &at)) && at < XY_FLEET_PLACES;
	     at++) {
		l->place[at].given = false;
		if (!has_word(l->f, e)) {
			xy_fleet_book_claim_given(l->f->book, at, false);
			continue;
		}
		more = xy_grow(v, &room, n, sizeof(*v));
		if (!more) {
			free(v);
			return -ENOMEM;
		}
		v = more;
		v[n++] = (struct xy_claims_weighed){.prefix = e->record.claim,
						    .key = e->record.key,
						    .stood = e->claimed.given,
						    .dated = e->claimed.dated,
						    .seen = e->claimed.seen,
						    .at = at};
	}
	int r = xy_claims_weigh(v, n);
	for (uint32_t i = 0; !r && i < n; i++) {
		l->place[v[i].at].given = v[i].given;
		xy_fleet_book_claim_given(l->f->book, v[i].at, v[i].given);
	}
	free(v);
	return r;
}

static struct xy_prefix claim_of(const struct place *p, const struct xy_fleet_record *r)
{
	static const struct xy_prefix none = {0};
	return p->given ? r->claim : none;
}

static bool has_claim(const struct place *p, const struct xy_prefix *claim)
{
	return p->claim.len == claim->len &&
	       memcmp(&p->claim.addr, &claim->addr, sizeof(claim->addr)) == 0;
}

static bool wants_admission(const struct place *p, const struct xy_prefix *claim, uint64_t until,
			    uint64_t wall)
{
	uint64_t has = has_claim(p, claim) ? p->admitted : 0;
	return until > wall && until > has && has < wall + (until - wall) / 2;
}

static json_t *admission(const struct xy_fleet_record *r, const struct xy_prefix *claim)
{
	char key[XY_KEY_STRLEN], text[XY_PREFIX_STRLEN];
	xy_key_str(&r->link_key, key);
	return claim->len ? json_pack("{s:s, s:s}", "key", key, "claim", xy_prefix_str(claim, text))
			  : json_string(key);
}

// Those whose records end at about the same time are said together: each for as long as the first
// of them.
static struct chunk *chunk_of(struct chunk chunk[static LIVES], uint64_t life)
{
	unsigned n = 0;
	while (n + 1 < LIVES && life >> (n + 1))
		n++;
	return &chunk[n];
}

static void admit_all(struct xy_fleet_links *l, struct chunk chunk[static LIVES])
{
	for (unsigned i = 0; i < LIVES; i++)
		admit_some(l, &chunk[i]);
}

static void admit(struct xy_fleet_links *l, unsigned count)
{
	uint64_t wall = xy_fleet_wall();
	struct chunk chunk[LIVES] = {0};
	int r = claims_weigh(l);
	bool again = l->claims_again && uv_now(l->f->loop) >= l->claims_again;
	l->claims_again = again ? 0 : l->claims_again;
	// first who has no more what he had: another may have it now
	for (unsigned i = 0; !r && i < 2 * count; i++) {
		if (i == count)
			admit_all(l, chunk);
		uint32_t at = l->at[i % count];
		const struct xy_fleet_entry *e = xy_fleet_book_next(l->f->book, &at);
		struct place *p = &l->place[at];
		struct xy_prefix claim = claim_of(p, &e->record);
		uint64_t until = e->until < wall + LIFE_MOST ? e->until : wall + LIFE_MOST;
		if ((i < count && (!p->claim.len || has_claim(p, &claim))) ||
		    (!wants_admission(p, &claim, until, wall) &&
		     !(again && i >= count && claim.len && until > wall)))
			continue;
		struct chunk *c = chunk_of(chunk, until - wall);
		if (!c->keys && !has_room(l))
			break;
		p->admitted = has_claim(p, &claim) ? p->admitted : 0;
		p->claim = claim;
		c->keys = c->keys ? c->keys : json_array();
		c->least = c->count && c->least < until ? c->least : until;
		c->at[c->count++] = at;
		json_array_append_new(c->keys, admission(&e->record, &claim));
		if (c->count == ADMIT_AT_ONCE)
			admit_some(l, c);
	}
	admit_all(l, chunk);
}

// --- choosing

static bool grow(struct xy_fleet_links *l, unsigned room)
{
	if (room <= l->room)
		return true;
	struct xy_fleet_node *node = reallocarray(l->node, room, sizeof(*node));
	l->node = node ? node : l->node;
	enum xy_fleet_why *why = node ? reallocarray(l->why, room, sizeof(*why)) : NULL;
	l->why = why ? why : l->why;
	uint32_t *at = why ? reallocarray(l->at, room, sizeof(*at)) : NULL;
	l->at = at ? at : l->at;
	l->room = at ? room : l->room;
	return at != NULL;
}

static bool is_pinned(const struct xy_config_fleet *c, const struct xy_fleet_record *r)
{
	for (unsigned i = 0; i < c->pin_count; i++) {
		const struct xy_config_fleet_pin *p = &c->pins[i];
		if (p->name[0] ? strcmp(p->name, r->name) == 0
			       : memcmp(&p->key, &r->key, sizeof(r->key)) == 0 ||
					 memcmp(&p->key, &r->link_key, sizeof(r->key)) == 0)
			return true;
	}
	return false;
}

static struct place *place_of(struct xy_fleet_links *l, uint32_t at,
			      const struct xy_fleet_record *r)
{
	struct place *p = &l->place[at];
	if (memcmp(&p->key, &r->key, sizeof(p->key)) == 0)
		return p;
	forget(l, &p->t);
	unadmit(l, p);
	*p = (struct place){.key = r->key,
			    .t.link_key = r->link_key,
			    .ring = xy_fleet_ring(&r->key),
			    .finger = xy_fleet_finger(&r->key)};
	l->places = at >= l->places ? at + 1 : l->places;
	return p;
}

static unsigned gather(struct xy_fleet_links *l)
{
	const struct xy_config_fleet *c = l->f->config;
	const struct xy_fleet_entry *e;
	uint64_t now = uv_now(l->f->loop);
	unsigned n = 0;
	for (uint32_t at = 0; (e = xy_fleet_book_next(l->f->book, &at)) && at < XY_FLEET_PLACES;
	     at++) {
		if (!e->live)
			continue;
		struct place *p = place_of(l, at, &e->record);
		p->pass = l->pass;
		bool wanted = p->why != XY_FLEET_WHY_NOT;
		l->at[n] = at;
		l->node[n++] = (struct xy_fleet_node){
			.key = e->record.key,
			.ring = p->ring,
			.finger = p->finger,
			.relay = e->record.relay,
			.pinned = is_pinned(c, &e->record),
			.linked = p->up,
			.down = wanted && !p->up && p->t.is && now - p->wanted >= DOWN_MS,
			.was = p->why,
			.rtt_us = p->rtt_us,
			.since = p->since / 1000,
			.tried = p->tried,
		};
	}
	return n;
}

static void choose(struct xy_fleet_links *l, unsigned n)
{
	const struct xy_config_fleet *c = l->f->config;
	uint64_t now = uv_now(l->f->loop);
	struct xy_fleet_choice choice = {.self = l->f->self.key,
					 .self_relay = c->relay,
					 .full = c->links == XY_CONFIG_FLEET_ALL,
					 .near = c->links,
					 .now = now / 1000,
					 .seed = l->seed};
	xy_fleet_choose(&choice, l->node, n, l->why);
	l->sum.wanted = 0;
	for (unsigned i = 0; i < n; i++) {
		struct place *p = &l->place[l->at[i]];
		l->sum.wanted += l->why[i] != XY_FLEET_WHY_NOT;
		if (p->why == l->why[i])
			continue;
		if (p->why == XY_FLEET_WHY_NOT)
			p->wanted = now;
		if (l->why[i] == XY_FLEET_WHY_TRIAL)
			p->tried = now / 1000 ? now / 1000 : 1;
		p->why = l->why[i];
		p->since = now;
	}
}

// Before anything is told: a key may have come to another place, or to another device.
static void let_go(struct xy_fleet_links *l, unsigned n)
{
	for (uint32_t at = 0; at < l->places; at++) {
		struct place *p = &l->place[at];
		bool stale = p->pass != l->pass;
		p->why = stale ? XY_FLEET_WHY_NOT : p->why;
		if (p->why == XY_FLEET_WHY_NOT)
			forget(l, &p->t);
		if (stale)
			unadmit(l, p);
	}
	for (unsigned i = 0; i < l->devices;) {
		struct device *d = &l->device[i];
		if (!d->gone) {
			i++;
			continue;
		}
		forget(l, &d->t);
		free(d->entry);
		*d = l->device[--l->devices];
	}
	for (unsigned i = 0; l->backs && i < n; i++) {
		const struct place *p = &l->place[l->at[i]];
		keep(l, &p->t.link_key, p->why != XY_FLEET_WHY_NOT, true);
	}
	for (unsigned i = 0; l->backs && i < l->devices; i++)
		keep(l, &l->device[i].t.link_key, true, false);
}

static void follow(struct xy_fleet_links *l, unsigned n)
{
	uint64_t until = xy_fleet_wall() + DEVICE_LIFE;
	for (unsigned i = 0; i < n; i++) {
		uint32_t at = l->at[i];
		const struct xy_fleet_entry *e = xy_fleet_book_next(l->f->book, &at);
		struct place *p = &l->place[at];
		if (p->why != XY_FLEET_WHY_NOT)
			tell(l, &p->t, params_of_record(&e->record), e->until);
	}
	for (unsigned i = 0; i < l->devices; i++)
		tell(l, &l->device[i].t, params_of_device(&l->device[i].d), until);
}

static void on_settled(void *arg, const struct xy_ask_answer *a)
{
	struct asked *q = arg;
	struct xy_fleet_links *l = q->l;
	if (!l->closing) {
		l->settled = a->answer || a->code == -EREMOTE;
		answered(l);
	}
	json_decref(a->answer);
	free(q);
}

// An agent before this one may have said more than we did: somebody may have left, or been revoked,
// since. Once all that the source has was said, and answered.
static void maybe_settle(struct xy_fleet_links *l)
{
	static const struct xy_key nobody = {0};
	if (l->settled || !l->whole || l->failed || l->under_way || l->leaving)
		return;
	l->whole = false;
	struct asked *q = ask_new(l, &nobody, 0);
	if (q)
		xy_fleet_daemon_tell(l->f->daemon, "/xylem/fleet_session",
				     json_pack("{s:I}", "session", (json_int_t)l->session),
				     on_settled, q);
}

static void on_timer(uv_timer_t *t)
{
	struct xy_fleet_links *l = t->data;
	struct xy_fleet *f = l->f;
	arm(l, PASS_MS);
	if (l->leaving) {
		arm(l, 1000);
		l->waits = false;
		take_back(l);
		maybe_left(l);
		return;
	}
	if (!f->met || xy_fleet_daemon_why(f->daemon))
		return;
	if (!f->up_once && !f->since && uv_now(f->loop) - f->begun < WHOLE_MS) {
		arm(l, SOON_MS); // of half the nodes others would be chosen, and let go again
		return;
	}
	uint64_t begun = uv_hrtime();
	l->pass++;
	l->waits = l->whole = l->failed = false;
	if (!grow(l, xy_fleet_book_count(f->book) + 64))
		return;
	unsigned n = gather(l);
	choose(l, n);
	let_go(l, n);
	take_back(l);
	follow(l, n);
	admit(l, n);
	l->whole = f->up_once && !l->waits;
	maybe_settle(l);
	l->took = (uv_hrtime() - begun) / 1000000;
	uv_update_time(f->loop);
	l->passed = uv_now(f->loop);
	uint64_t next = xy_fleet_book_next_end(f->book), wall = xy_fleet_wall();
	if (next <= wall + PASS_MS / 1000)
		arm(l, next > wall ? (next - wall) * 1000 : SOON_MS);
}

static void arm(struct xy_fleet_links *l, uint64_t ms)
{
	if (!l->closing)
		uv_timer_start(&l->timer, on_timer, ms, 0);
}

void xy_fleet_links_look(struct xy_fleet_links *l)
{
	uint64_t now = uv_now(l->f->loop),
		 apart = l->took * 20 > APART_MS ? l->took * 20 : APART_MS;
	uint64_t due = l->passed + apart > now + SOON_MS ? l->passed + apart : now + SOON_MS;
	if (!uv_is_active((uv_handle_t *)&l->timer) || uv_timer_get_due_in(&l->timer) > due - now)
		arm(l, due - now);
}

static void untold(struct told *t)
{
	t->is = t->has = t->asking = false;
	t->again = 0;
	t->peer[0] = t->in_force[0] = t->trouble[0] = 0;
}

void xy_fleet_links_untold(struct xy_fleet_links *l)
{
	uint64_t now = uv_now(l->f->loop);
	for (uint32_t at = 0; at < l->places; at++) {
		struct place *p = &l->place[at];
		untold(&p->t);
		p->admitted = p->let_in = 0;
		p->up = false;
		p->wanted = now; // it has its time to come up
	}
	for (unsigned i = 0; i < l->devices; i++)
		untold(&l->device[i].t);
	for (unsigned i = 0; i < l->backs; i++)
		xy_map_del(&l->back_by_key, key_hash(l, &l->back[i].link_key));
	l->backs = 0;
	l->whole = false;
	arm(l, 0);
}

// --- what the daemon sees of them

static void look_next(struct xy_fleet_links *l, const char *command, const char *next);

static void see_peer(struct xy_fleet_links *l, const json_t *row)
{
	const char *text = json_string_value(json_object_get(row, "key"));
	const char *name = json_string_value(json_object_get(row, "name"));
	const char *state = json_string_value(json_object_get(row, "state"));
	struct xy_key key;
	struct xy_err err;
	uint32_t at;
	if (!text || !name || !state || xy_key_parse(text, &key, &err))
		return;
	bool up = strcmp(state, "up") == 0 || strcmp(state, "lossy") == 0 ||
		  strcmp(state, "traffic off") == 0;
	for (unsigned i = 0; i < l->devices; i++)
		if (memcmp(&l->device[i].d.link_key, &key, sizeof(key)) == 0) {
			l->device[i].up = up;
			l->device[i].look = l->looks;
		}
	if (!xy_fleet_book_find(l->f->book, &key, &at) || at >= XY_FLEET_PLACES ||
	    memcmp(&l->place[at].t.link_key, &key, sizeof(key)) != 0)
		return;
	struct place *p = &l->place[at];
	if (p->up && !up)
		p->wanted = uv_now(l->f->loop); // from here on it is down, if it does not come back
	p->up = up;
	p->look = l->looks;
	p->state_known = true;
	if (!p->t.peer[0])
		snprintf(p->t.peer, sizeof(p->t.peer), "%.32s", name);
	xy_map_set(&l->by_name, hash_of(l, name, strlen(name)), at);
}

static void see_neighbour(struct xy_fleet_links *l, const json_t *row)
{
	const char *name = json_string_value(json_object_get(row, "peer"));
	const json_t *rtt = json_object_get(row, "rtt_us");
	uint32_t at;
	if (!name || !json_is_integer(rtt) || json_integer_value(rtt) <= 0 ||
	    !xy_map_get(&l->by_name, hash_of(l, name, strlen(name)), &at))
		return;
	long long us = json_integer_value(rtt);
	l->place[at].rtt_us = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static void on_look(uv_timer_t *t);

static void look_end(struct xy_fleet_links *l)
{
	uint64_t now = uv_now(l->f->loop);
	bool awaited = false;
	xy_map_fini(&l->by_name);
	l->looking = false;
	l->sum.up = 0;
	for (uint32_t at = 0; at < l->places; at++) {
		const struct place *p = &l->place[at];
		l->sum.up += p->up && p->t.is;
		awaited = awaited || (p->t.is && !p->rtt_us && now - p->wanted < 2 * DOWN_MS);
	}
	uv_timer_start(&l->look_timer, on_look, awaited ? LOOK_SOON_MS : LOOK_MS, 0);
}

// All peers of the daemon were seen: who is not among them has no link.
static void peers_seen(struct xy_fleet_links *l)
{
	for (uint32_t at = 0; at < l->places; at++) {
		struct place *p = &l->place[at];
		if (p->look == l->looks || !p->up)
			continue;
		p->up = false;
		p->wanted = uv_now(l->f->loop);
	}
	for (unsigned i = 0; i < l->devices; i++)
		l->device[i].up = l->device[i].up && l->device[i].look == l->looks;
}

static void on_page(struct xy_fleet_links *l, const struct xy_ask_answer *a, const char *command,
		    const char *list, void (*see)(struct xy_fleet_links *l, const json_t *row))
{
	const json_t *row;
	size_t i;
	if (l->closing) {
		json_decref(a->answer);
		return;
	}
	json_array_foreach(json_object_get(a->answer, list), i, row) see(l, row);
	const char *next = json_string_value(json_object_get(a->answer, "next"));
	if (next) {
		look_next(l, command, next);
	} else if (a->answer && strcmp(list, "peers") == 0) {
		peers_seen(l);
		look_next(l, "/xylem/neighbours", NULL);
	} else {
		look_end(l);
	}
	json_decref(a->answer);
}

static void on_peers(void *arg, const struct xy_ask_answer *a)
{
	struct xy_fleet_links *l = arg;
	on_page(l, a, "/xylem/peers", "peers", see_peer);
}

static void on_neighbours(void *arg, const struct xy_ask_answer *a)
{
	struct xy_fleet_links *l = arg;
	on_page(l, a, "/xylem/neighbours", "neighbours", see_neighbour);
}

static void look_next(struct xy_fleet_links *l, const char *command, const char *next)
{
	bool peers = strcmp(command, "/xylem/peers") == 0;
	xy_fleet_daemon_look(l->f->daemon, command, next, peers ? on_peers : on_neighbours, l);
}

static void on_look(uv_timer_t *t)
{
	struct xy_fleet_links *l = t->data;
	struct xy_fleet *f = l->f;
	bool nobody = !f->met || (!xy_fleet_book_count(f->book) && !l->devices);
	uv_timer_start(t, on_look, LOOK_SOON_MS, 0);
	if (l->looking || nobody || xy_fleet_daemon_why(f->daemon) || xy_map_init(&l->by_name))
		return;
	l->looking = true;
	l->looks++;
	look_next(l, "/xylem/peers", NULL);
}

// --- plain devices

static struct device *device_find(struct xy_fleet_links *l, const char *entry)
{
	for (unsigned i = 0; i < l->devices; i++)
		if (strcmp(l->device[i].entry, entry) == 0)
			return &l->device[i];
	return NULL;
}

void xy_fleet_links_device(struct xy_fleet_links *l, const char *entry,
			   const struct xy_fleet_device *d)
{
	struct device *at = device_find(l, entry);
	if (!at && l->devices == XY_FLEET_DEVICES) {
		xy_log_warn("device %s: there are %d, and no more are taken", entry,
			    XY_FLEET_DEVICES);
		return;
	}
	if (!at && l->devices == l->device_room) {
		unsigned room = l->device_room ? l->device_room * 2 : 16;
		struct device *v = reallocarray(l->device, room, sizeof(*v));
		if (!v)
			return;
		l->device = v;
		l->device_room = room;
	}
	if (!at) {
		at = &l->device[l->devices];
		*at = (struct device){.entry = strdup(entry)};
		l->devices += at->entry != NULL;
		if (!at->entry)
			return;
	}
	if (memcmp(&at->t.link_key, &d->link_key, sizeof(d->link_key)) != 0)
		forget(l, &at->t); // it has another key
	at->d = *d;
	at->t.link_key = d->link_key;
	at->gone = false;
	xy_fleet_links_look(l);
}

void xy_fleet_links_device_gone(struct xy_fleet_links *l, const char *entry)
{
	struct device *d = device_find(l, entry);
	if (d)
		d->gone = true;
	xy_fleet_links_look(l);
}

static void link_tell(const struct told *t, struct xy_fleet_link *out)
{
	out->told = t->is;
	out->peer = t->peer;
	out->in_force = t->in_force;
	out->trouble = t->trouble;
}

const struct xy_fleet_device *xy_fleet_links_device_at(const struct xy_fleet_links *l, unsigned nth,
						       struct xy_fleet_link *out)
{
	*out = (struct xy_fleet_link){.why = XY_FLEET_WHY_FULL};
	if (nth >= l->devices)
		return NULL;
	out->up = l->device[nth].up;
	link_tell(&l->device[nth].t, out);
	return &l->device[nth].d;
}

void xy_fleet_links_tell(const struct xy_fleet_links *l, uint32_t at, struct xy_fleet_link *out)
{
	const struct place *p = &l->place[at < XY_FLEET_PLACES ? at : 0];
	*out = (struct xy_fleet_link){
		.why = p->why, .since = p->since, .up = p->up, .rtt_us = p->rtt_us};
	link_tell(&p->t, out);
}

void xy_fleet_links_sum(const struct xy_fleet_links *l, struct xy_fleet_links_sum *out)
{
	*out = l->sum;
	out->told = 0;
	for (uint32_t at = 0; at < l->places; at++)
		out->told += l->place[at].t.is;
	out->devices = l->devices;
}

// --- life

int xy_fleet_links_create(struct xy_fleet *f, struct xy_fleet_links **out)
{
	struct xy_fleet_links *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->f = f;
	randombytes_buf(&l->session, sizeof(l->session));
	l->session = l->session % XY_FLEET_NUMBER_MAX + 1;
	randombytes_buf(&l->seed, sizeof(l->seed));
	randombytes_buf(l->secret, sizeof(l->secret));
	if (xy_map_init(&l->back_by_key)) {
		free(l);
		return -ENOMEM;
	}
	uv_timer_init(f->loop, &l->timer);
	uv_timer_init(f->loop, &l->look_timer);
	l->timer.data = l->look_timer.data = l;
	uv_timer_start(&l->look_timer, on_look, 1000, 0);
	arm(l, 0);
	*out = l;
	return 0;
}

void xy_fleet_links_leave(struct xy_fleet_links *l, void (*done)(void *arg), void *arg)
{
	l->leaving = true;
	l->left = done;
	l->left_arg = arg;
	l->leave_until = uv_now(l->f->loop) + LEAVE_MS;
	for (uint32_t at = 0; at < l->places; at++) {
		forget(l, &l->place[at].t);
		unadmit(l, &l->place[at]);
	}
	for (unsigned i = 0; i < l->devices; i++)
		forget(l, &l->device[i].t);
	l->waits = false;
	arm(l, 0);
}

static void freed(uv_handle_t *h)
{
	struct xy_fleet_links *l = h->data;
	if (--l->handles)
		return;
	for (unsigned i = 0; i < l->devices; i++)
		free(l->device[i].entry);
	free(l->device);
	free(l->back);
	xy_map_fini(&l->back_by_key);
	free(l->node);
	free(l->why);
	free(l->at);
	free(l);
}

void xy_fleet_links_close(struct xy_fleet_links *l)
{
	if (!l)
		return;
	l->closing = true;
	if (l->looking)
		xy_map_fini(&l->by_name);
	l->handles = 2;
	uv_close((uv_handle_t *)&l->timer, freed);
	uv_close((uv_handle_t *)&l->look_timer, freed);
}
