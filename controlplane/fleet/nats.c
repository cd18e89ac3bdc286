// SPDX-License-Identifier: BSD-3-Clause
// A bucket of NATS as a source: our own record is kept there as it is now, others' are told as they
// come. In a bucket of Xylem's what is deleted ends nobody: who may write it is not who signs.
#include "fleet/source.h"

#include "base/grow.h"
#include "base/map.h"
#include "config/fleet.h"
#include "fleet/bucket.h"
#include "fleet/claims.h"
#include "fleet/ikto.h"
#include "log.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	AGAIN_MS = 1000, // after our record could not be written; doubled up to
	AGAIN_MAX_MS = 30000,
	HEAL_MS = 3000,	   // after another wrote at our key
	LEADER_MS = 10000, // after another server leads: within that
	HANDLES = 2,	   // timer, bucket
	BACK_MS = 5000, // until a revocation that is missing is put back, at most; others do, too
	BACK_MAX_MS = 600000,
	BACK_DAYS = 20, // then it is written anew: a bucket of ours forgets what is 30 days old
	BACK_MORE_DAYS = 5,
	ROOM_S = 10, // between two looks for what had no room
};

// A revocation that is known, and what stands at its key.
struct back {
	struct xy_key key;
	uint64_t due;	   // wall, when it is to be written; 0: it is not there
	uint64_t revision; // of whatever is there; 0: nothing was ever
};

struct nats {
	struct xy_fleet_source face; // first
	uv_loop_t *loop;
	const struct xy_config_fleet *config;
	bool ikto, closing;
	unsigned handles;
	uv_timer_t timer;
	struct xy_bucket *bucket;
	char trouble[200]; // said beside "up"

	// Our record.
	bool known; // who we are
	struct xy_fleet_self self;
	char key[XY_IPAM_KEY];
	char text[XY_FLEET_ENTRY_BYTES];
	size_t len;
	bool heard_since;	// the last write was asked
	bool there;		// as it was last heard, or written
	bool writing;		// and what is written is still what is to be
	unsigned asks, answers; // in one order: only the last ask's answer is of what is to be
	xy_nsec again_at;
	unsigned again_ms;
	xy_fleet_source_done *done;
	void *done_arg;
	bool leaving;

	struct xy_ipam ipam;
	struct xy_fleet_wish wish;
	bool wished;
	struct xy_claims claims;
	struct back *back;
	struct xy_map back_by_key;
	unsigned back_count, back_room, back_ms, back_asked;
	xy_nsec back_at;

	struct xy_ikto_mesh *mesh;
	struct xy_log_limit kept;
	bool wants_again;	  // of ikto's devices some had no room, and there is some
	xy_nsec wants_at;	  // not before
	struct xy_prefix claimed; // ikto: what is ours
};

static void drive(struct nats *n);

static xy_nsec mono(void)
{
	struct timespec t;
	clock_gettime(CLOCK_BOOTTIME, &t);
	return (xy_nsec)t.tv_sec * XY_SEC + (xy_nsec)t.tv_nsec;
}

static struct xy_ipam_now now(void)
{
	return (struct xy_ipam_now){.mono = mono(), .wall = (uint64_t)time(NULL)};
}

static xy_nsec about(uint64_t ms)
{
	return mono() + ms * XY_MSEC / 4 * 3 + ms * XY_MSEC / 2 * randombytes_uniform(1001) / 1000;
}

static void finish(struct nats *n, int code, const char *why)
{
	xy_fleet_source_done *done = n->done;
	n->done = NULL;
	if (done)
		done(n->done_arg, code, why);
}

static void tell_state(struct nats *n, bool up, const char *why)
{
	if (!n->closing)
		n->face.ops->state(n->face.arg, &n->face, up, why[0] ? why : NULL);
}

// Up, but for this; "": all is well.
static void trouble(struct nats *n, const char *why)
{
	if (strcmp(n->trouble, why) == 0)
		return;
	snprintf(n->trouble, sizeof(n->trouble), "%s", why);
	if (xy_bucket_is_up(n->bucket))
		tell_state(n, true, n->trouble);
}

// --- our record

static void written(void *arg, const struct xy_bucket_answer *a)
{
	struct nats *n = arg;
	if (++n->answers != n->asks || n->closing)
		return;
	bool same = n->writing;
	n->writing = false;
	if (same && !a->code) { // what was heard meanwhile may be of a write after ours
		n->there = n->there || !n->heard_since;
		if (!n->there)
			n->again_at = about(HEAL_MS);
		n->again_ms = AGAIN_MS;
		trouble(n, "");
		if (!n->leaving)
			finish(n, 0, NULL);
	} else if (same) {
		char why[sizeof(n->trouble)];
		snprintf(why, sizeof(why), "our record is not written: %.150s", a->why);
		if (a->code != -ENOTCONN)
			trouble(n, why);
		n->again_at = about(n->again_ms);
		n->again_ms = n->again_ms * 2 < AGAIN_MAX_MS ? n->again_ms * 2 : AGAIN_MAX_MS;
	}
	drive(n);
}

static xy_nsec write_record(struct nats *n)
{
	if (n->ikto || !n->len || n->there || n->writing || !xy_bucket_is_up(n->bucket))
		return XY_NEVER;
	if (mono() < n->again_at)
		return n->again_at;
	n->again_at = about(HEAL_MS);
	n->heard_since = false;
	n->writing = xy_bucket_ask(n->bucket, XY_BUCKET_PUT, n->key, n->text, n->len, XY_KV_ANY,
				   written, n);
	n->asks += n->writing;
	return n->writing ? XY_NEVER : n->again_at;
}

// What stands at our key now.
static void own_heard(struct nats *n, const struct xy_kv_entry *e)
{
	n->heard_since = true;
	n->there = e->value && e->len == n->len && memcmp(e->value, n->text, n->len) == 0;
	drive(n);
}

// --- addresses

static void asked(void *arg, const struct xy_bucket_answer *a)
{
	struct nats *n = arg;
	if (n->closing)
		return;
	xy_ipam_answer(&n->ipam, now(), a->code,
		       a->what == XY_BUCKET_GET && !a->code ? &a->entry : NULL);
	drive(n);
}

static void signed_claim(void *arg, const char *text, size_t len, const char *why)
{
	struct nats *n = arg;
	xy_ipam_signed(&n->ipam, now(), text, len, why);
	drive(n);
}

static int ikto_record(struct nats *n, const struct xy_prefix *allowed, char *out, size_t size)
{
	const struct xy_config_fleet *c = n->config;
	struct xy_ikto_record r = {.key = n->self.link_key,
				   .at = c->ikto.advertise_address,
				   .allowed = *allowed,
				   .port = c->ikto.wg_port};
	snprintf(r.name, sizeof(r.name), "%s", n->self.name[0] ? n->self.name : "xylem");
	return xy_ikto_text(&r, out, size);
}

static void sign(struct nats *n, const struct xy_ipam_step *step)
{
	char text[XY_IKTO_TEXT];
	if (!n->ikto) {
		n->face.ops->sign(n->face.arg, &n->face, &step->prefix, step->since, signed_claim,
				  n);
		return;
	}
	int len = ikto_record(n, &step->prefix, text, sizeof(text));
	xy_ipam_signed(&n->ipam, now(), text, (size_t)len, NULL);
}

// One step after the other, as far as it goes without waiting.
static xy_nsec addresses(struct nats *n)
{
	static const enum xy_bucket_what what[] = {[XY_IPAM_GET] = XY_BUCKET_GET,
						   [XY_IPAM_PUT] = XY_BUCKET_PUT,
						   [XY_IPAM_DELETE] = XY_BUCKET_DELETE};
	struct xy_ipam_step step;
	if (!xy_bucket_is_up(n->bucket) && n->ipam.state != XY_IPAM_HELD)
		return XY_NEVER;
	for (;;) {
		xy_nsec at = xy_ipam_step(&n->ipam, now(), &step);
		if (step.what == XY_IPAM_WAIT)
			return at;
		if (step.what == XY_IPAM_SIGN)
			sign(n, &step);
		else if (!xy_bucket_ask(n->bucket, what[step.what], step.key, step.value, step.len,
					step.bound, asked, n))
			xy_ipam_answer(&n->ipam, now(), -EAGAIN, NULL);
	}
}

static void claimed(void *arg, const struct xy_prefix *p, const char *why)
{
	struct nats *n = arg;
	if (n->ikto) {
		n->claimed = p ? *p : (struct xy_prefix){0};
		xy_ikto_mesh_self(n->mesh, &n->self.link_key, &n->claimed);
		if (p && !n->leaving)
			finish(n, 0, NULL);
	}
	n->face.ops->claimed(n->face.arg, &n->face, p, why[0] ? why : NULL);
}

// --- revocations

static uint64_t back_hash(const struct xy_key *key) // the CA chose it
{
	uint64_t h;
	memcpy(&h, key->b + 8, sizeof(h));
	return h;
}

static struct back *back_find(const struct nats *n, const struct xy_key *key)
{
	uint32_t at;
	if (!xy_map_get(&n->back_by_key, back_hash(key), &at) ||
	    memcmp(&n->back[at].key, key, sizeof(*key)) != 0)
		return NULL;
	return &n->back[at];
}

static void back_soon(struct nats *n)
{
	n->back_ms = BACK_MS;
	n->back_at = mono() + randombytes_uniform(BACK_MS) * XY_MSEC;
}

static struct back *back_make(struct nats *n, const struct xy_key *key)
{
	struct back *b = back_find(n, key);
	if (b)
		return b;
	struct back *more = xy_grow(n->back, &n->back_room, n->back_count, sizeof(*more));
	if (!more)
		return NULL;
	n->back = more;
	if (xy_map_set(&n->back_by_key, back_hash(key), n->back_count))
		return NULL;
	b = &n->back[n->back_count++];
	*b = (struct back){.key = *key};
	back_soon(n);
	return b;
}

static uint64_t back_due(uint64_t written)
{
	return written + BACK_DAYS * 86400 + randombytes_uniform(BACK_MORE_DAYS * 86400);
}

// A revocation of our CA's becomes known. NULL: it is none.
static struct back *back_take(struct nats *n, const void *text, size_t len)
{
	struct xy_fleet_revocation r;
	struct xy_fleet_trust *t = &n->claims.trust;
	if (t->kind != XY_FLEET_TRUST_CA || !text ||
	    xy_fleet_revocation_parse(text, len, &t->ca, &r, NULL) ||
	    xy_fleet_trust_revoke(t, &r) < 0)
		return NULL;
	return back_make(n, &r.key);
}

static bool back_key_of(const char *name, struct xy_key *out)
{
	return sodium_hex2bin(out->b, sizeof(out->b), name + sizeof("revoked.") - 1, 64, NULL, NULL,
			      NULL) == 0;
}

// What stands at a key, as it was heard or read.
static void back_see(struct nats *n, const struct xy_kv_entry *e)
{
	struct xy_key key;
	struct back *is = back_take(n, e->value, e->len);
	struct back *at = back_key_of(e->key, &key) ? back_find(n, &key) : NULL;
	if (!at)
		return;
	at->due = is == at ? back_due(e->at ? e->at : (uint64_t)time(NULL)) : 0;
	at->revision = e->revision;
	if (!at->due)
		back_soon(n);
}

static void back_answer(void *arg, const struct xy_bucket_answer *a)
{
	struct nats *n = arg;
	struct xy_key key;
	n->back_asked--;
	if (n->closing)
		return;
	struct back *b = back_key_of(a->entry.key, &key) ? back_find(n, &key) : NULL;
	if (a->what == XY_BUCKET_GET && !a->code) {
		back_see(n, &a->entry);
	} else if (a->code == -EEXIST) { // what is it, then?
		n->back_asked += xy_bucket_ask(n->bucket, XY_BUCKET_GET, a->entry.key, NULL, 0, 0,
					       back_answer, n);
	} else if (a->code) {
		n->back_ms = n->back_ms * 2 < BACK_MAX_MS ? n->back_ms * 2 : BACK_MAX_MS;
		n->back_at = about(n->back_ms);
	} else if (b) {
		b->due = back_due((uint64_t)time(NULL));
		b->revision = a->revision;
		n->back_ms = BACK_MS;
	}
	drive(n);
}

static bool back_write(struct nats *n, const struct back *b)
{
	const struct xy_fleet_trust *t = &n->claims.trust;
	char name[XY_IPAM_KEY] = "revoked.", hex[65], *text = NULL;
	for (unsigned i = 0; i < t->revoked_count && !text; i++)
		if (memcmp(&t->revoked[i].key, &b->key, sizeof(b->key)) == 0)
			text = xy_fleet_revocation_text(&t->revoked[i]);
	if (!text)
		return false;
	sodium_bin2hex(hex, sizeof(hex), b->key.b, sizeof(b->key.b));
	snprintf(name, sizeof(name), "revoked.%s", hex);
	bool asked = xy_bucket_ask(n->bucket, XY_BUCKET_PUT, name, text, strlen(text), b->revision,
				   back_answer, n);
	n->back_asked += asked;
	free(text);
	return asked;
}

// One at a time: what is missing in the bucket, or would be soon.
static xy_nsec put_back(struct nats *n)
{
	uint64_t wall = (uint64_t)time(NULL), next = UINT64_MAX;
	if (n->back_asked || !n->back_count || !xy_bucket_is_up(n->bucket))
		return XY_NEVER;
	if (mono() < n->back_at)
		return n->back_at;
	for (unsigned i = 0; i < n->back_count; i++) {
		if (n->back[i].due <= wall && back_write(n, &n->back[i]))
			return XY_NEVER;
		next = n->back[i].due < next ? n->back[i].due : next;
	}
	n->back_at = mono() + (next > wall && next - wall < 3600 ? next - wall : 3600) * XY_SEC;
	return n->back_at;
}

// What had no room among ikto's devices is told again, since one went.
static xy_nsec look_for_room(struct nats *n)
{
	if (!n->wants_again)
		return XY_NEVER;
	if (mono() < n->wants_at)
		return n->wants_at;
	n->wants_again = false;
	n->wants_at = mono() + ROOM_S * XY_SEC;
	xy_bucket_tell_again(n->bucket);
	return XY_NEVER;
}

static void left(struct nats *n)
{
	if (n->leaving && n->done && xy_ipam_is_idle(&n->ipam) && (n->ikto || n->there))
		finish(n, 0, NULL);
}

static void tick(uv_timer_t *timer)
{
	drive(timer->data);
}

static void drive(struct nats *n)
{
	if (n->closing)
		return;
	xy_nsec at = write_record(n), then = addresses(n), back = put_back(n);
	at = then < at ? then : at;
	at = back < at ? back : at;
	xy_nsec room = look_for_room(n);
	at = room < at ? room : at;
	left(n);
	if (n->closing || at == XY_NEVER) {
		uv_timer_stop(&n->timer);
		return;
	}
	xy_nsec t = mono();
	uv_update_time(n->loop);
	uv_timer_start(&n->timer, tick, at > t ? (at - t) / XY_MSEC + 1 : 0, 0);
}

// --- Xylem's claims and ikto's devices, as the machine that draws sees them

static void judge(void *arg, const struct xy_prefix *p, const void *value, size_t len,
		  uint64_t wall, struct xy_ipam_holder *out)
{
	xy_claims_judge(&((struct nats *)arg)->claims, p, value, len, wall, out);
}

static bool let_go(void *arg, const struct xy_prefix *p, const struct xy_ipam_holder *h,
		   const void *value, size_t len)
{
	return xy_claims_let_go(p, h, value, len);
}

static bool overlaps(void *arg, const struct xy_prefix *p, char *why, size_t size)
{
	struct nats *n = arg;
	char who[XY_FLEET_NAME + XY_ADDR_STRLEN];
	n->claims.wall = (uint64_t)time(NULL);
	if (xy_claims_overlap(&n->claims, p, why, size))
		return true;
	if (!n->face.ops->named || !n->face.ops->named(n->face.arg, &n->face, p, who, sizeof(who)))
		return false;
	snprintf(why, size, "in use: the record of %s names it", who);
	return true;
}

static uint64_t dated(void *arg, const struct xy_prefix *p, const struct xy_ipam_holder *h)
{
	struct nats *n = arg;
	return n->face.ops->dated ? n->face.ops->dated(n->face.arg, &n->face, &h->key, p, h->since)
				  : h->since;
}

static const struct xy_ipam_kind xylem_kind = {.grid = "ipam",
					       .key = xy_claims_key,
					       .judge = judge,
					       .let_go = let_go,
					       .dated = dated,
					       .overlaps = overlaps,
					       .claimed = claimed};

// Nothing ends, and who is later cannot be told: an agent of ikto never writes over another's.
static void ikto_judge(void *arg, const struct xy_prefix *p, const void *value, size_t len,
		       uint64_t wall, struct xy_ipam_holder *out)
{
	struct nats *n = arg;
	struct xy_ikto_record r;
	*out = (struct xy_ipam_holder){.who = XY_IPAM_NOBODY};
	if (xy_ikto_parse(value, len, &r, NULL) || !xy_prefix_eq(&r.allowed, p))
		return;
	bool mine = memcmp(&r.key, &n->self.link_key, sizeof(r.key)) == 0;
	out->who = mine ? XY_IPAM_MINE : XY_IPAM_OTHERS;
	out->since = mine ? wall : UINT64_MAX;
	out->key = r.key;
	snprintf(out->name, sizeof(out->name), "%.60s", r.name);
}

static bool ikto_overlaps(void *arg, const struct xy_prefix *p, char *why, size_t size)
{
	return xy_ikto_mesh_overlaps(((struct nats *)arg)->mesh, p, why, size);
}

static const struct xy_ipam_kind ikto_kind = {
	.key = xy_ikto_key, .judge = ikto_judge, .overlaps = ikto_overlaps, .claimed = claimed};

static void mesh_device(void *arg, const char *key, const struct xy_fleet_device *d)
{
	struct nats *n = arg;
	n->face.ops->device(n->face.arg, &n->face, key, d);
}

static void mesh_gone(void *arg, const char *key)
{
	struct nats *n = arg;
	n->face.ops->gone(n->face.arg, &n->face, key);
}

static void mesh_refused(void *arg, const char *key, const char *why)
{
	struct nats *n = arg;
	n->face.ops->put(n->face.arg, &n->face, key, NULL, 0, 0, why);
}

static void mesh_kept(void *arg, const char *key, const char *why)
{
	struct nats *n = arg;
	unsigned long more;
	if (xy_log_limit_pass(&n->kept, uv_hrtime(), &more))
		xy_log_warn("registry: %s was written over, and stays as it was: %s", key, why);
}

// --- what the bucket tells

static bool is_hex(const char *text, size_t len)
{
	return strlen(text) == len && strspn(text, "0123456789abcdef") == len;
}

static bool xylem_wants(const char *key)
{
	return (strncmp(key, "node.", 5) == 0 && is_hex(key + 5, 32)) ||
	       (strncmp(key, "claim.", 6) == 0 && is_hex(key + 6, 32)) ||
	       (strncmp(key, "revoked.", 8) == 0 && is_hex(key + 8, 64));
}

static bool ikto_wants(const char *key)
{
	return strncmp(key, "peers.", 6) == 0 && !strchr(key + 6, '.');
}

// A record belongs to the key of its address: else one node's would be told under many names.
static bool is_at_its_key(const char *key, const struct xy_kv_entry *e)
{
	char member[XY_ADDR_STRLEN + 16], text[XY_ADDR_STRLEN];
	struct xy_addr a;
	sodium_hex2bin(a.b, sizeof(a.b), key + 5, 32, NULL, NULL, NULL);
	snprintf(member, sizeof(member), "\"address\":\"%s\"", xy_addr_str(&a, text));
	return memmem(e->value, e->len, member, strlen(member));
}

static void put(struct nats *n, const struct xy_kv_entry *e)
{
	const char *why = NULL;
	char large[80];
	if (e->gone) {
		n->face.ops->gone(n->face.arg, &n->face, e->key);
		return;
	}
	if (!e->value) {
		snprintf(large, sizeof(large), "it has %zu bytes, an entry has no more than %d",
			 e->len, XY_FLEET_ENTRY_BYTES);
		why = large;
	} else if (e->key[0] == 'n' && !is_at_its_key(e->key, e)) {
		why = "it is no record, or another node's than its key says";
	}
	n->face.ops->put(n->face.arg, &n->face, e->key, why ? NULL : (const char *)e->value,
			 why ? 0 : e->len, e->revision, why);
}

static void revocation(struct nats *n, const struct xy_kv_entry *e)
{
	back_see(n, e);
	put(n, e);
	drive(n);
}

static void tell_claim(struct nats *n, const struct xy_kv_entry *e)
{
	struct xy_addr a;
	sodium_hex2bin(a.b, sizeof(a.b), e->key + 6, 32, NULL, NULL, NULL);
	if (n->face.ops->claim)
		n->face.ops->claim(n->face.arg, &n->face, &a,
				   e->gone ? NULL : (const char *)e->value, e->len);
}

static void xylem_entry(struct nats *n, const struct xy_kv_entry *e)
{
	if (e->key[0] == 'r') {
		revocation(n, e);
		return;
	}
	xy_claims_note(&n->claims, e->key, e->value, e->len, (uint64_t)time(NULL));
	if (e->key[0] == 'c') {
		tell_claim(n, e);
		xy_ipam_heard(&n->ipam, now(), e->key);
		drive(n);
		return;
	}
	if (n->known && strcmp(e->key, n->key) == 0)
		own_heard(n, e);
	put(n, e);
}

static void entry(void *arg, const struct xy_kv_entry *e)
{
	struct nats *n = arg;
	if (n->closing)
		return;
	if (!n->ikto) {
		xylem_entry(n, e);
		return;
	}
	if (e->gone)
		xy_ikto_mesh_gone(n->mesh, e->key);
	else
		xy_ikto_mesh_put(n->mesh, e->key, e->value, e->len);
	n->wants_again = n->wants_again || xy_ikto_mesh_wants_again(n->mesh);
	xy_ipam_heard(&n->ipam, now(), e->key);
	drive(n);
}

static void state(void *arg, bool up, const char *why)
{
	struct nats *n = arg;
	if (n->closing)
		return;
	tell_state(n, up, up ? n->trouble : why);
	if (up)
		back_soon(n);
	drive(n);
}

static void leader(void *arg)
{
	struct nats *n = arg;
	char key[XY_IPAM_KEY];
	if (n->closing)
		return;
	n->there = false;
	n->again_at = mono() + randombytes_uniform(LEADER_MS) * XY_MSEC;
	if (n->ipam.prefix.len) {
		n->ipam.kind->key(&n->ipam.prefix, key);
		xy_ipam_heard(&n->ipam, now(), key);
	}
	drive(n);
}

static void heard_trouble(void *arg, const char *text)
{
	struct nats *n = arg;
	if (!n->closing)
		trouble(n, text);
}

// --- the face

static int start(struct xy_fleet_source *s, struct xy_err *err)
{
	struct nats *n = (struct nats *)s;
	const struct xy_config_fleet *c = n->config;
	const char *servers[XY_CONFIG_FLEET_SERVERS];
	for (unsigned i = 0; i < c->server_count; i++)
		servers[i] = c->servers[i];
	const struct xy_kv_config kv = {.servers = servers,
					.server_count = c->server_count,
					.bucket = c->bucket,
					.creds = c->creds,
					.ca = c->tls.ca,
					.cert = c->tls.cert,
					.key = c->tls.key,
					.name = "xylem-fleet",
					.make = !n->ikto};
	const struct xy_bucket_ops ops = {.entry = entry,
					  .state = state,
					  .leader = leader,
					  .trouble = heard_trouble,
					  .wants = n->ikto ? ikto_wants : xylem_wants};
	int e = xy_bucket_open(n->loop, &kv, &ops, n, &n->bucket);
	if (e)
		return xy_err_set(err, -e, "no thread for NATS: %s", strerror(-e));
	n->handles++;
	return 0;
}

static void be(struct nats *n, const struct xy_fleet_self *self)
{
	n->self = *self;
	n->known = true;
	n->claims.self = self->key;
	xy_claims_record_key(&self->address, n->key);
	if (n->ikto)
		xy_ikto_mesh_self(n->mesh, &self->link_key,
				  n->claimed.len ? &n->claimed : &n->config->ikto.allowed_ip);
}

static void set_record(struct nats *n, const char *text, size_t len)
{
	if (n->len == len && memcmp(n->text, text, len) == 0)
		return;
	memcpy(n->text, text, len);
	n->len = len;
	n->there = n->writing = false;
	n->again_at = 0;
	n->again_ms = AGAIN_MS;
}

static void publish(struct xy_fleet_source *s, const struct xy_fleet_self *self, const char *text,
		    size_t len, xy_fleet_source_done *done, void *arg)
{
	struct nats *n = (struct nats *)s;
	char before[XY_IKTO_TEXT], after[XY_IKTO_TEXT];
	finish(n, -ECANCELED, "another came");
	if (len > sizeof(n->text)) {
		done(arg, -EMSGSIZE, "it is too large");
		return;
	}
	ikto_record(n, &n->claimed, before, sizeof(before));
	be(n, self);
	n->done = done;
	n->done_arg = arg;
	if (n->ikto) {
		ikto_record(n, &n->claimed, after, sizeof(after));
		if (strcmp(before, after) != 0)
			xy_ipam_renew(&n->ipam, now());
		if (n->claimed.len)
			finish(n, 0, NULL);
	} else {
		set_record(n, text, len);
		if (n->there)
			finish(n, 0, NULL);
	}
	drive(n);
}

static void leave(struct xy_fleet_source *s, const struct xy_fleet_self *self, const char *text,
		  size_t len, xy_fleet_source_done *done, void *arg)
{
	struct nats *n = (struct nats *)s;
	finish(n, -ECANCELED, "it leaves");
	be(n, self);
	n->leaving = true;
	n->done = done;
	n->done_arg = arg;
	if (!n->ikto && len <= sizeof(n->text))
		set_record(n, text, len);
	xy_ipam_want(&n->ipam, NULL, now(), NULL);
	drive(n);
}

static void claim(struct xy_fleet_source *s, const struct xy_fleet_self *self,
		  const struct xy_fleet_wish *wish)
{
	struct nats *n = (struct nats *)s;
	struct xy_err err;
	struct xy_fleet_wish w = wish ? *wish : (struct xy_fleet_wish){0};
	be(n, self);
	if (wish && xy_prefix_is_v4(&w.cidr))
		w.bits += 96; // as prefixes have them
	if (wish && !n->ikto && !xy_prefix_eq(&n->claims.wish.cidr, &w.cidr))
		xy_bucket_tell_again(n->bucket); // who uses parts of it
	n->claims.wish = w;
	if (xy_ipam_want(&n->ipam, wish ? &w : NULL, now(), &err))
		n->face.ops->claimed(n->face.arg, s, NULL, err.text);
	drive(n);
}

static void revoked(struct xy_fleet_source *s, const char *text, size_t len)
{
	struct nats *n = (struct nats *)s;
	if (!n->ikto && back_take(n, text, len) && n->bucket)
		drive(n);
}

static void tell_again(struct xy_fleet_source *s)
{
	struct nats *n = (struct nats *)s;
	if (n->bucket)
		xy_bucket_tell_again(n->bucket);
}

static void freed(struct nats *n)
{
	if (--n->handles)
		return;
	xy_claims_fini(&n->claims);
	xy_map_fini(&n->back_by_key);
	free(n->back);
	xy_ikto_mesh_free(n->mesh);
	free(n);
}

static void timer_closed(uv_handle_t *h)
{
	freed(h->data);
}

static void bucket_closed(void *arg)
{
	freed(arg);
}

static void close_source(struct xy_fleet_source *s)
{
	struct nats *n = (struct nats *)s;
	if (!n || n->closing)
		return;
	finish(n, -ECANCELED, "it ends");
	n->closing = true;
	uv_timer_stop(&n->timer);
	if (n->bucket)
		xy_bucket_close(n->bucket, bucket_closed, n);
	uv_close((uv_handle_t *)&n->timer, timer_closed);
}

// --- making one

static int trust(struct nats *n)
{
	const struct xy_config_fleet *c = n->config;
	if (n->ikto && c->trust == XY_CONFIG_FLEET_LISTED)
		xy_ikto_mesh_trust(n->mesh, c->keys, c->key_count);
	if (c->trust == XY_CONFIG_FLEET_LISTED)
		return xy_fleet_trust_keys(&n->claims.trust, c->keys, c->key_count);
	if (c->trust == XY_CONFIG_FLEET_CA)
		xy_fleet_trust_ca(&n->claims.trust, &c->ca);
	return 0;
}

static void place(struct nats *n)
{
	const struct xy_config_fleet *c = n->config;
	char host[XY_CONFIG_HOST_LEN] = "?", more[32] = "";
	uint16_t port = 0;
	bool tls = false;
	xy_config_fleet_url(c->servers[0], host, &port, &tls);
	if (c->server_count > 1)
		snprintf(more, sizeof(more), " (of %u)", c->server_count);
	snprintf(n->face.place, sizeof(n->face.place), "%s://%.120s:%u%s, bucket %.64s",
		 tls ? "tls" : "nats", host, port, more, c->bucket);
}

int xy_fleet_nats_create(uv_loop_t *loop, const struct xy_config_fleet *config, const char *folder,
			 const struct xy_fleet_source_ops *ops, void *arg,
			 struct xy_fleet_source **out, struct xy_err *err)
{
	static const struct xy_ikto_ops mesh = {.device = mesh_device,
						.gone = mesh_gone,
						.refused = mesh_refused,
						.kept = mesh_kept};
	struct nats *n = calloc(1, sizeof(*n));
	if (!n)
		return xy_err_set(err, ENOMEM, "no memory");
	n->ikto = config->mode == XY_CONFIG_FLEET_IKTO;
	n->face = (struct xy_fleet_source){.kind = n->ikto ? "ikto" : "nats",
					   .start = start,
					   .publish = publish,
					   .leave = leave,
					   .claim = claim,
					   .revoked = revoked,
					   .tell_again = tell_again,
					   .close = close_source,
					   .ops = ops,
					   .arg = arg};
	n->loop = loop;
	n->config = config;
	n->again_ms = AGAIN_MS;
	place(n);
	xy_ipam_init(&n->ipam, n->ikto ? &ikto_kind : &xylem_kind, n);
	n->mesh = xy_ikto_mesh_make(&config->ikto.mesh_cidr, &mesh, n);
	if (!n->mesh || xy_claims_init(&n->claims) || trust(n) || xy_map_init(&n->back_by_key)) {
		xy_claims_fini(&n->claims);
		xy_ikto_mesh_free(n->mesh);
		free(n);
		return xy_err_set(err, ENOMEM, "no memory");
	}
	uv_timer_init(loop, &n->timer);
	n->timer.data = n;
	n->handles = 1;
	*out = &n->face;
	return 0;
}
