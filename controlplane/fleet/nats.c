// SPDX-License-Identifier: BSD-3-Clause
// A bucket of NATS as a source: our own record is kept there as it is now, others' are told as they
// come. In a bucket of Xylem's what is deleted ends nobody: who may write it is not who signs.
#include "fleet/source.h"

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
	struct xy_ikto_mesh *mesh;
	struct xy_log_limit kept;
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
	xy_nsec at = write_record(n), then = addresses(n);
	at = then < at ? then : at;
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
	n->claims.wall = (uint64_t)time(NULL);
	return xy_claims_overlap(&n->claims, p, why, size);
}

static const struct xy_ipam_kind xylem_kind = {.grid = "ipam",
					       .key = xy_claims_key,
					       .judge = judge,
					       .let_go = let_go,
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

static void revoked(struct nats *n, const struct xy_kv_entry *e)
{
	struct xy_fleet_revocation r;
	struct xy_fleet_trust *t = &n->claims.trust;
	if (t->kind == XY_FLEET_TRUST_CA && e->value &&
	    !xy_fleet_revocation_parse(e->value, e->len, &t->ca, &r, NULL))
		xy_fleet_trust_revoke(t, &r);
	put(n, e);
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
		revoked(n, e);
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
	xy_ipam_heard(&n->ipam, now(), e->key);
	drive(n);
}

static void state(void *arg, bool up, const char *why)
{
	struct nats *n = arg;
	if (n->closing)
		return;
	tell_state(n, up, up ? n->trouble : why);
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
	if (!n->mesh || xy_claims_init(&n->claims) || trust(n)) {
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
