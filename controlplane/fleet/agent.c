// SPDX-License-Identifier: BSD-3-Clause
#include "fleet/agent.h"

#include "fleet/answers.h"
#include "fleet/folder.h"
#include "fleet/links.h"
#include "fleet/own.h"
#include "fleet/store.h"
#include "fleet/talk.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	TICK_MS = 1000,
	TEND_MS = 5000,
	FIRST_SLICE = 256,     // records of the cache at the start,
	SLICE = 64,	       // and in a turn
	SAVE_MS = 30000,       // of a few records,
	SAVE_MANY_MS = 300000, // of many
	MANY = 1000,
	CLAIM_MS = 60000, // is told the daemon again
	CLAIM_LIFE = 86400,
	STEP_S = 30,	  // of the clock: what it refused is looked at again
	LISTEN_S = 600,	  // without a gap: who said nothing meanwhile is gone
	GAP_S = 30,	  // between two ticks: the host slept
	ROOM_MS = 300000, // between two looks for what had no room
};

struct agent {
	struct xy_fleet face;
	struct xy_fleet_setup setup;
	uv_timer_t tick;
	uint64_t saved, claimed, tended, told_again;
	uint64_t listens, ticked; // seconds since the boot: without a gap, since; the last tick
	bool listened;		  // for long enough, once
	int64_t clock;		  // the wall's, less the time since the boot, at its last step
	bool clock_set;
	uint64_t full; // outcomes FULL when all was told again
	bool reading, closing, ends;
	struct xy_log_limit refusals, log_claim;
	unsigned links_left;
	xy_fleet_source_done *left;
	void *left_arg;
	int left_code;
	char left_why[XY_FLEET_WHY_SIZE];
};

uint64_t xy_fleet_wall(void)
{
	time_t now = time(NULL);
	return now > 0 ? (uint64_t)now : 0;
}

bool xy_fleet_clock_is_set(uint64_t wall)
{
	return wall >= XY_FLEET_CLOCK_SET;
}

static uint64_t boot_now(void)
{
	struct timespec up;
	clock_gettime(CLOCK_BOOTTIME, &up);
	return (uint64_t)up.tv_sec;
}

static int64_t clock_now(void)
{
	return (int64_t)xy_fleet_wall() - (int64_t)boot_now();
}

// --- what a source tells

static void entry_say(struct agent *a, const char *name, enum xy_fleet_outcome o,
		      const struct xy_err *why)
{
	unsigned long more;
	if (o == XY_FLEET_OLDER || !xy_log_limit_pass(&a->refusals, uv_hrtime(), &more))
		return;
	if (more)
		xy_log_warn("refused, %s: %s (and %lu more; xylem show fleet)", name, why->text,
			    more);
	else
		xy_log_warn("refused, %s: %s", name, why->text);
}

static void take(struct agent *a, unsigned source, const char *name, const char *text, size_t len)
{
	struct xy_fleet *f = &a->face;
	struct xy_err why = {""};
	uint64_t before = xy_fleet_book_generation(f->book);
	enum xy_fleet_outcome o =
		xy_fleet_book_put(f->book, source, name, text, len, xy_fleet_wall(), &why);
	if (o == XY_FLEET_REVOKES && source != XY_FLEET_FROM_SOURCE && f->source->revoked)
		f->source->revoked(f->source, text, len);
	if (o == XY_FLEET_OURS && source == XY_FLEET_FROM_SOURCE)
		xy_fleet_own_seen(f->own, text, len);
	else if (o >= XY_FLEET_MALFORMED && source == XY_FLEET_FROM_SOURCE)
		entry_say(a, name, o, &why);
	else if (o == XY_FLEET_NEW || o == XY_FLEET_LEFT || o == XY_FLEET_REVOKES)
		xy_log_debug("%s: %s", name, xy_fleet_outcome_texts[o]);
	if (before != xy_fleet_book_generation(f->book))
		xy_fleet_links_look(f->links);
}

static void on_put(void *arg, struct xy_fleet_source *s, const char *name, const char *text,
		   size_t len, uint64_t revision, const char *why)
{
	struct agent *a = arg;
	unsigned long more;
	if (text) {
		take(a, XY_FLEET_FROM_SOURCE, name, text, len);
		return;
	}
	a->face.unread++;
	xy_fleet_book_unread(a->face.book, XY_FLEET_FROM_SOURCE, name, xy_fleet_wall(), why);
	if (xy_log_limit_pass(&a->refusals, uv_hrtime(), &more))
		xy_log_warn("%s: %s %s", s->place, name, why);
}

static void on_gone(void *arg, struct xy_fleet_source *s, const char *name)
{
	struct agent *a = arg;
	struct xy_fleet *f = &a->face;
	xy_fleet_links_device_gone(f->links, name);
	if (xy_fleet_book_gone(f->book, XY_FLEET_FROM_SOURCE, name))
		xy_log_info("%s is gone from %s: its node is no peer any more", name, s->place);
	xy_fleet_links_look(f->links);
}

static void on_device(void *arg, struct xy_fleet_source *s, const char *name,
		      const struct xy_fleet_device *d)
{
	struct agent *a = arg;
	xy_fleet_book_gone(a->face.book, XY_FLEET_FROM_SOURCE, name); // it is refused no more
	xy_fleet_links_device(a->face.links, name, d);
}

static void on_state(void *arg, struct xy_fleet_source *s, bool up, const char *why)
{
	struct agent *a = arg;
	struct xy_fleet *f = &a->face;
	bool changed = up != f->up || strcmp(f->why, why ? why : "") != 0;
	snprintf(f->why, sizeof(f->why), "%s", why ? why : "");
	if (!changed && f->up_once)
		return;
	if (up != f->up || !f->up_once) {
		f->since = uv_now(f->loop);
		a->listens = boot_now();
	}
	f->up = up;
	if (up && why)
		xy_log_warn("%s: %s", s->kind, why);
	else if (up)
		xy_log_info("%s: %s is there, nodes: %u", s->kind, s->place,
			    xy_fleet_book_count(f->book));
	else
		xy_log_warn("%s: %s; links stay until their records end", s->kind,
			    why ? why : "is away");
	if (up && !f->up_once) { // what only the cache knew is not there any more
		f->up_once = true;
		xy_fleet_book_resync_begin(f->book, XY_FLEET_FROM_CACHE);
		xy_fleet_book_resync_end(f->book, XY_FLEET_FROM_CACHE);
	}
	xy_fleet_links_look(f->links);
}

// --- addresses that are claimed

static void on_claim(void *arg, struct xy_fleet_source *s, const struct xy_addr *address,
		     const char *text, size_t len)
{
	struct agent *a = arg;
	struct xy_fleet *f = &a->face;
	struct xy_claims_stood stood = {.prefix.addr = *address};
	struct xy_fleet_claim c;
	uint64_t wall = xy_fleet_wall();
	if (text && !xy_fleet_claim_parse(text, len, &c, NULL) && c.expires > wall &&
	    c.expires <= xy_fleet_valid_most(wall) && xy_addr_eq(&c.prefix.addr, address) &&
	    !xy_fleet_trust_admit(&f->trust, &c.key, &c.membership, wall)) {
		stood = (struct xy_claims_stood){
			.prefix = c.prefix, .key = c.key, .since = c.since, .expires = c.expires};
		xy_fleet_book_claim_heard(f->book, &c.key, &c.prefix, c.since, wall);
	}
	xy_claims_table_set(&f->claims, &stood);
	xy_fleet_links_look(f->links);
}

static uint64_t on_dated(void *arg, struct xy_fleet_source *s, const struct xy_key *key,
			 const struct xy_prefix *claim, uint64_t since)
{
	struct agent *a = arg;
	struct xy_key link;
	uint32_t at;
	const struct xy_fleet_entry *e = NULL;
	if (!xy_key_from_ed25519(key, &link))
		e = xy_fleet_book_find(a->face.book, &link, &at);
	bool is = e && (e->live || e->awaited) && e->record.has_claim &&
		  xy_prefix_eq(&e->record.claim, claim);
	return xy_fleet_claim_since(is ? &e->claimed : NULL, since, xy_fleet_wall());
}

static bool on_named(void *arg, struct xy_fleet_source *s, const struct xy_prefix *p, char *who,
		     size_t size)
{
	struct agent *a = arg;
	char text[XY_ADDR_STRLEN];
	// of another size it is none that is given out, and keeps nobody from those
	const struct xy_fleet_entry *e = xy_fleet_book_claimer(a->face.book, p);
	if (e)
		snprintf(who, size, "%s",
			 e->record.name[0] ? e->record.name
					   : xy_addr_str(&e->record.address, text));
	return e;
}

static void on_claim_told(void *arg, const struct xy_ask_answer *answer)
{
	struct agent *a = arg;
	if (answer->code == -EREMOTE && !a->closing)
		xy_log_warn("the daemon does not take the claim: %s", answer->text);
	json_decref(answer->answer);
}

static void claim_tell(struct agent *a)
{
	struct xy_fleet *f = &a->face;
	char prefix[XY_PREFIX_STRLEN], address[XY_ADDR_STRLEN];
	struct xy_addr first = f->claim.addr;
	a->claimed = uv_now(f->loop);
	if (f->config->mode == XY_CONFIG_FLEET_IKTO || !f->met || xy_fleet_daemon_why(f->daemon))
		return;
	if (!f->claim.len && !f->claim_said)
		return; // an agent before this one may have told it
	json_t *p = json_object();
	if (f->claim.len) {
		first.b[15] |= f->claim.len < 128; // its first address
		json_object_set_new(p, "prefix", json_string(xy_prefix_str(&f->claim, prefix)));
		json_object_set_new(p, "address", json_string(xy_addr_str(&first, address)));
		json_object_set_new(p, "lifetime", json_integer(CLAIM_LIFE));
	} else {
		json_object_set_new(p, "prefix", json_null());
	}
	xy_fleet_daemon_tell(f->daemon, "/xylem/fleet_claim", p, on_claim_told, a);
}

static void on_claimed(void *arg, struct xy_fleet_source *s, const struct xy_prefix *claim,
		       const char *why)
{
	static const struct xy_prefix none = {0};
	struct agent *a = arg;
	struct xy_fleet *f = &a->face;
	char text[XY_PREFIX_STRLEN];
	struct xy_prefix is = claim ? *claim : none;
	bool changed = !f->claim_said || is.len != f->claim.len ||
		       memcmp(&is.addr, &f->claim.addr, sizeof(is.addr)) != 0;
	unsigned long missed;
	if (why && strcmp(f->claim_why, why) != 0 &&
	    xy_log_limit_pass(&a->log_claim, uv_hrtime(), &missed))
		xy_log_warn("claim: %s (%lu more like this)", why, missed);
	snprintf(f->claim_why, sizeof(f->claim_why), "%s", why ? why : "");
	if (!changed)
		return;
	f->claim = is;
	f->claim_said = true;
	if (claim)
		xy_log_info("claim: %s is ours", xy_prefix_str(claim, text));
	if (!f->claim_since || !claim)
		f->claim_since = claim ? xy_fleet_wall() : 0;
	claim_tell(a);
	xy_fleet_own_look(f->own);
}

static void on_sign(void *arg, struct xy_fleet_source *s, const struct xy_prefix *claim,
		    uint64_t since, xy_fleet_source_signed *done, void *done_arg)
{
	struct agent *a = arg;
	a->face.claim_since = since;
	xy_fleet_own_sign(a->face.own, claim, since, done, done_arg);
}

static void wish(struct agent *a)
{
	struct xy_fleet *f = &a->face;
	const struct xy_config_fleet *c = f->config;
	struct xy_fleet_kept k = xy_fleet_store_kept(f->store, &f->self.key);
	struct xy_fleet_wish w = {.cidr = c->claim.cidr,
				  .drawn = c->claim.first,
				  .bits = c->claim.bits,
				  .retry = c->claim.retry};
	bool ikto = c->mode == XY_CONFIG_FLEET_IKTO;
	if (!f->source->claim || (!w.bits && !ikto)) {
		f->claim_said = true;
		return;
	}
	if (ikto)
		w = (struct xy_fleet_wish){.cidr = c->ikto.mesh_cidr,
					   .drawn = c->ikto.allowed_ip,
					   .bits = c->ikto.allowed_ip.len -
						   (xy_prefix_is_v4(&c->ikto.allowed_ip) ? 96 : 0)};
	else if (k.claim.len && xy_prefix_covers(&w.cidr, &k.claim) &&
		 k.claim.len == w.bits + (xy_prefix_is_v4(&w.cidr) ? 96u : 0u))
		w.drawn = k.claim; // that we had goes before what is written
	if (!ikto && k.since && k.expires > xy_fleet_wall() && xy_prefix_eq(&w.drawn, &k.claim)) {
		f->claim = k.claim; // it is ours still, and goes on while the source looks
		f->claim_until = k.expires;
	}
	f->claim_since = k.since;
	f->source->claim(f->source, &f->self, &w);
}

static const struct xy_fleet_source_ops source_ops = {.put = on_put,
						      .device = on_device,
						      .gone = on_gone,
						      .claim = on_claim,
						      .dated = on_dated,
						      .named = on_named,
						      .state = on_state,
						      .claimed = on_claimed,
						      .sign = on_sign};

// --- met

static bool book_pins(void *arg, const struct xy_fleet_record *r)
{
	struct agent *a = arg;
	const struct xy_config_fleet *c = a->face.config;
	for (unsigned i = 0; i < c->pin_count; i++)
		if (!c->pins[i].name[0] &&
		    (memcmp(&c->pins[i].key, &r->key, sizeof(r->key)) == 0 ||
		     memcmp(&c->pins[i].key, &r->link_key, sizeof(r->key)) == 0))
			return true;
	return false;
}

static struct xy_fleet_claimed book_claimed(void *arg, const struct xy_fleet_record *r)
{
	struct agent *a = arg;
	struct xy_fleet_claimed k = xy_fleet_store_claimed(a->face.store, r);
	if (!k.seen)
		k.dated =
			xy_claims_table_since(&a->face.claims, &r->claim, &r->key, xy_fleet_wall());
	return k;
}

static int trust_make(struct xy_fleet *f)
{
	const struct xy_config_fleet *c = f->config;
	xy_fleet_trust_init(&f->trust);
	if (c->trust == XY_CONFIG_FLEET_CA)
		xy_fleet_trust_ca(&f->trust, &c->ca);
	return c->trust == XY_CONFIG_FLEET_LISTED
		       ? xy_fleet_trust_keys(&f->trust, c->keys, c->key_count)
		       : 0;
}

static int source_make(struct agent *a, struct xy_err *err)
{
	struct xy_fleet *f = &a->face;
	int r = f->config->folder[0]
			? xy_fleet_folder_create(f->loop, f->config->folder, &source_ops, a,
						 &f->source)
			: xy_fleet_nats_create(f->loop, f->config, xy_fleet_store_folder(f->store),
					       &source_ops, a, &f->source, err);
	return r == -ENOMEM ? xy_err_set(err, ENOMEM, "not enough memory") : r;
}

static int book_make(struct agent *a, struct xy_err *err)
{
	struct xy_fleet *f = &a->face;
	unsigned folder = 1u << XY_FLEET_FROM_SOURCE | 1u << XY_FLEET_FROM_CACHE;
	struct xy_fleet_book_config book = {.self = f->self.key,
					    .deletes = f->config->folder[0] ? folder : 0,
					    .trust = &f->trust,
					    .is_pinned = book_pins,
					    .claimed = book_claimed,
					    .arg = a};
	if (trust_make(f) || xy_fleet_book_create(&book, &f->book))
		return xy_err_set(err, ENOMEM, "not enough memory");
	return source_make(a, err);
}

static void end(struct agent *a, enum xy_fleet_end how)
{
	if (!a->ends)
		a->setup.ended(a->setup.arg, how);
	a->ends = true;
}

static void cache_each(void *arg, const char *text, size_t len)
{
	struct agent *a = arg;
	char name[40];
	uint32_t hash = 2166136261; // a name for each; two with one are one
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)text[i]) * 16777619;
	snprintf(name, sizeof(name), "cache.%08x.%zu", hash, len);
	bool revokes = xy_fleet_kind_of(text, len) == XY_FLEET_IS_REVOCATION;
	if (!a->face.up_once || revokes)
		take(a, XY_FLEET_FROM_CACHE, name, text, len);
}

static void on_met(void *arg, const struct xy_fleet_self *self, bool anew)
{
	struct agent *a = arg;
	struct xy_fleet *f = &a->face;
	struct xy_err err = {""};
	char text[XY_ADDR_STRLEN];
	if (f->met && memcmp(&self->key, &f->self.key, sizeof(self->key)) != 0) {
		xy_log_warn("the node has another key than before: all begins anew");
		end(a, XY_FLEET_END_AGAIN);
		return;
	}
	xy_log_info("the daemon of instance %s answers: %s", f->instance,
		    xy_addr_str(&self->address, text));
	if (!f->met) {
		f->self = *self;
		a->clock = clock_now();
		a->clock_set = xy_fleet_clock_is_set(xy_fleet_wall());
		if (book_make(a, &err)) {
			xy_log_error("%s", err.text);
			end(a, XY_FLEET_END_FAILED);
			return;
		}
		// first whom the CA revoked: its word stands there first, and must be known before
		// records
		a->reading = xy_fleet_store_read(f->store, FIRST_SLICE, cache_each, a);
		if (f->source->start(f->source, &err)) {
			xy_log_error("%s", err.text);
			end(a, XY_FLEET_END_FAILED);
			return;
		}
		f->met = true;
		wish(a);
	}
	if (anew) {
		xy_fleet_links_untold(f->links);
		claim_tell(a);
	}
	xy_fleet_links_look(f->links);
	xy_fleet_own_look(f->own);
}

static void on_away(void *arg, const char *why)
{
	xy_log_warn("%s", why);
}

static const struct xy_fleet_daemon_ops daemon_ops = {.met = on_met, .away = on_away};

// --- the clock

// What was refused because the clock was wrong, or for want of room, may count now.
static void tend_refused(struct agent *a)
{
	struct xy_fleet *f = &a->face;
	uint64_t now = uv_now(f->loop), full = xy_fleet_book_outcomes(f->book, XY_FLEET_FULL);
	int64_t clock = clock_now(), step = clock - a->clock;
	bool set = xy_fleet_clock_is_set(xy_fleet_wall());
	bool stepped = step > STEP_S || step < -STEP_S;
	bool room = full != a->full && now - a->told_again >= ROOM_MS &&
		    xy_fleet_book_count(f->book) < XY_FLEET_RECORDS - XY_FLEET_RESERVED;
	if (set && !a->clock_set && xy_fleet_book_review(f->book, xy_fleet_wall()))
		xy_fleet_links_look(f->links);
	a->clock_set = set;
	if (!stepped && !room)
		return;
	if (stepped)
		xy_log_info("the clock was set by %lld s: all records are looked at again",
			    (long long)step);
	a->clock = clock;
	a->listens = stepped ? boot_now() : a->listens;
	a->full = full;
	a->told_again = now;
	f->source->tell_again(f->source);
}

// Has all that nodes said been heard for long enough to know who is silent?
static bool listened(struct agent *a)
{
	uint64_t now = boot_now();
	if (now - a->ticked > GAP_S)
		a->listens = now;
	a->ticked = now;
	bool is = a->face.up && now - a->listens >= LISTEN_S;
	if (is && !a->listened)
		xy_fleet_store_claims_end(a->face.store);
	a->listened = a->listened || is;
	return is;
}

static void expire(struct agent *a, uint64_t wall)
{
	struct xy_fleet *f = &a->face;
	bool is = listened(a);
	uint64_t before = xy_fleet_book_generation(f->book);
	if (xy_fleet_book_next_end(f->book) > wall)
		return;
	xy_fleet_book_expire(f->book, wall, is);
	if (before != xy_fleet_book_generation(f->book))
		xy_fleet_links_look(f->links);
}

static void on_tick(uv_timer_t *t)
{
	struct agent *a = t->data;
	struct xy_fleet *f = &a->face;
	uint64_t now = uv_now(f->loop), wall = xy_fleet_wall();
	if (now - a->tended >= TEND_MS) {
		a->tended = now;
		xy_fleet_answers_tend(f->answers);
	}
	if (!f->met)
		return;
	if (a->reading) {
		a->reading = xy_fleet_store_read(f->store, SLICE, cache_each, a);
		uv_timer_start(&a->tick, on_tick, a->reading ? 1 : TICK_MS, TICK_MS);
	}
	tend_refused(a);
	expire(a, wall);
	bool many = xy_fleet_book_count(f->book) >= MANY;
	if (now - a->saved >= (many ? SAVE_MANY_MS : SAVE_MS)) {
		a->saved = now;
		xy_fleet_store_save(f->store, f->book, &f->trust);
	}
	if (f->claim.len && !f->claim_said && wall >= f->claim_until)
		on_claimed(a, f->source, NULL,
			   "the registry could not be reached until the claim's end");
	if (f->claim.len && now - a->claimed >= CLAIM_MS)
		claim_tell(a);
}

// --- leaving

static void after_leaving(struct agent *a)
{
	xy_fleet_source_done *done = a->left;
	a->left = NULL;
	if (done)
		done(a->left_arg, a->left_code, a->left_why[0] ? a->left_why : NULL);
	if (!a->left_code)
		end(a, XY_FLEET_END_LEFT);
}

static void on_links_left(void *arg)
{
	after_leaving(arg);
}

static void on_own_left(void *arg, int code, const char *why)
{
	struct agent *a = arg;
	a->left_code = code;
	snprintf(a->left_why, sizeof(a->left_why), "%s", why ? why : "");
	if (code) {
		after_leaving(a);
		return;
	}
	a->face.claim.len = 0;
	a->face.claim_said = true;
	claim_tell(a);
	xy_fleet_links_leave(a->face.links, on_links_left, a);
}

void xy_fleet_agent_leave(struct xy_fleet *f, xy_fleet_source_done *done, void *arg)
{
	struct agent *a = (struct agent *)f;
	if (a->left) {
		done(arg, -EBUSY, "it leaves already");
		return;
	}
	if (!f->met) {
		done(arg, -EAGAIN, xy_fleet_daemon_why(f->daemon));
		return;
	}
	a->left = done;
	a->left_arg = arg;
	xy_fleet_own_leave(f->own, on_own_left, a);
}

// --- life

int xy_fleet_agent_create(uv_loop_t *loop, const struct xy_fleet_setup *s, struct xy_fleet **out,
			  struct xy_err *err)
{
	struct agent *a = calloc(1, sizeof(*a));
	struct xy_err lost;
	if (!a)
		return xy_err_set(err, ENOMEM, "not enough memory");
	a->setup = *s;
	struct xy_fleet *f = &a->face;
	*f = (struct xy_fleet){
		.loop = loop, .instance = s->instance, .config = s->config, .begun = uv_now(loop)};
	uv_timer_init(loop, &a->tick);
	a->tick.data = a;
	uv_timer_start(&a->tick, on_tick, TICK_MS, TICK_MS);
	*out = f;
	int r = xy_fleet_store_open(loop, s->state, &f->store, &lost);
	if (!r && lost.text[0])
		xy_log_warn("%s", lost.text);
	r = r ? r : xy_claims_table_init(&f->claims);
	r = r ? r : xy_fleet_own_create(f, &f->own);
	r = r ? r : xy_fleet_links_create(f, &f->links);
	r = r ? xy_err_set(err, -r, "not enough memory")
	      : xy_fleet_answers_create(f, &f->answers, err);
	if (r)
		return r;
	r = xy_fleet_daemon_create(loop, s->instance, &daemon_ops, a, &f->daemon);
	return r ? xy_err_set(err, -r, "not enough memory") : 0;
}

static void freed(uv_handle_t *h)
{
	struct agent *a = h->data;
	xy_fleet_book_destroy(a->face.book);
	xy_claims_table_fini(&a->face.claims);
	if (a->face.met)
		xy_fleet_trust_fini(&a->face.trust);
	free(a);
}

void xy_fleet_agent_close(struct xy_fleet *f)
{
	struct agent *a = (struct agent *)f;
	if (!a)
		return;
	a->closing = true;
	if (f->met)
		xy_fleet_store_save(f->store, f->book, &f->trust);
	xy_fleet_answers_close(f->answers);
	xy_fleet_own_close(f->own);
	xy_fleet_links_close(f->links);
	if (f->source)
		f->source->close(f->source);
	xy_fleet_daemon_close(f->daemon);
	xy_fleet_store_close(f->store);
	uv_close((uv_handle_t *)&a->tick, freed);
}
