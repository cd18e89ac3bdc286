// SPDX-License-Identifier: BSD-3-Clause
#include "fleet/own.h"

#include "fleet/store.h"
#include "fleet/talk.h"
#include "log.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LOOK_MS = 5000,		   // has anything changed?
	APART_MS = 3000,	   // two records, at least; doubled while they go on to change,
	APART_MOST = 60000,	   // up to this,
	CALM_MS = 120000,	   // and begun anew after so long
	LEAVE_MS = 15000,	   // then nobody waits for it any more, and we stay
	EPOCH_AHEAD = 300 * 86400, // of the clock; the daemon signs none that is a year ahead
	FIGHT_MOST = 300000,	   // of another who speaks with our key
	MEMBER_SOON = 7 * 86400,   // a membership's end is said before it comes
};

struct signing {
	struct xy_fleet_own *o;
	xy_fleet_source_signed *done;
	void *arg;
};

struct xy_fleet_own {
	struct xy_fleet *f;
	uv_timer_t timer;
	bool asking, again, leaving, leave_given, closing;
	char *text; // as it was published last; malloc'd
	struct xy_fleet_record record;
	uint64_t epoch; // that is asked for
	uint64_t given, published, count;
	uint64_t refresh; // uv_now, when half of its life is over
	uint64_t apart, fight, fight_until;
	uint64_t foreign; // epoch of another with our key; 0: none
	uint64_t leave_until;
	xy_fleet_source_done *left;
	void *left_arg;
	struct xy_fleet_membership member;
	char *member_text; // malloc'd
	char member_why[XY_FLEET_WHY_SIZE], why[XY_FLEET_WHY_SIZE], place_why[XY_FLEET_WHY_SIZE],
		sign_why[XY_FLEET_WHY_SIZE];
	struct xy_fleet_own_state told;
};

static void arm(struct xy_fleet_own *o, uint64_t ms);

static void say(char to[static XY_FLEET_WHY_SIZE], const char *why)
{
	if (why[0] && strcmp(to, why) != 0)
		xy_log_warn("%s", why);
	snprintf(to, XY_FLEET_WHY_SIZE, "%s", why);
}

// --- membership

static void member_read(struct xy_fleet_own *o)
{
	const char *path = o->f->config->membership;
	struct xy_fleet_member m;
	struct xy_err err = {""};
	char text[XY_FLEET_TEXT + 1], why[XY_FLEET_WHY_SIZE] = "";
	o->member = (struct xy_fleet_membership){0};
	free(o->member_text);
	o->member_text = NULL;
	if (!path[0])
		return;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	int code = errno;
	if (fd >= 0)
		close(fd);
	while (n > 0 && strchr(" \r\n\t", text[n - 1]))
		n--;
	uint64_t now = xy_fleet_wall();
	if (xy_fleet_trust_is_revoked(&o->f->trust, &o->f->self.key))
		snprintf(why, sizeof(why),
			 "membership: the CA revoked this node's key; only another key can be let "
			 "in again");
	else if (n < 0)
		snprintf(why, sizeof(why), "membership: %.200s: %s", path, strerror(code));
	else if (xy_fleet_member_parse(text, (size_t)n, &m, &err))
		snprintf(why, sizeof(why), "membership: %.120s: %.150s", path, err.text);
	else if (memcmp(&m.key, &o->f->self.key, sizeof(m.key)) != 0)
		snprintf(why, sizeof(why),
			 "membership: %.120s is another key's; sign the one that `xylem fleet "
			 "info` says",
			 path);
	else if (o->f->config->trust == XY_CONFIG_FLEET_CA &&
		 !xy_fleet_membership_holds(&m.membership, &m.key, &o->f->config->ca))
		snprintf(why, sizeof(why),
			 "membership: %.120s is not signed by the CA that trust.ca names", path);
	else if (m.membership.until <= now)
		snprintf(why, sizeof(why),
			 "membership: %.120s has ended: have it signed anew (xylem fleet ca sign)",
			 path);
	else if (m.membership.until < now + MEMBER_SOON)
		snprintf(why, sizeof(why),
			 "membership: %.120s ends within %d days: have it signed anew (xylem fleet "
			 "ca sign)",
			 path, (int)((m.membership.until - now) / 86400) + 1);
	if (n >= 0 && !err.text[0] && m.membership.until > now) {
		o->member = m.membership;
		o->member_text = strndup(text, (size_t)n);
	}
	say(o->member_why, why);
}

// --- asking for it

static uint64_t epoch_next(struct xy_fleet_own *o)
{
	struct xy_fleet_kept k = xy_fleet_store_kept(o->f->store, &o->f->self.key);
	uint64_t seen = xy_fleet_book_own_epoch(o->f->book), next = xy_fleet_wall();
	next = k.epoch + 1 > next ? k.epoch + 1 : next;
	next = seen + 1 > next ? seen + 1 : next;
	uint64_t most =
		xy_fleet_wall() + EPOCH_AHEAD; // a clock that was wrong once counts for nothing
	return next <= most ? next : most;
}

static json_t *params_of(struct xy_fleet_own *o, const struct xy_prefix *claim, uint64_t since,
			 bool ended)
{
	const struct xy_config_fleet *c = o->f->config;
	struct xy_fleet_kept k = xy_fleet_store_kept(o->f->store, &o->f->self.key);
	char text[XY_PREFIX_STRLEN];
	uint64_t expires = xy_fleet_wall() + c->lifetime;
	expires = ended && k.expires > expires ? k.expires : expires; // none of before outlives it
	o->epoch = epoch_next(o);
	json_t *p = json_pack("{s:b, s:b, s:I, s:I}", "relay", (int)c->relay, "prefixes", 1,
			      "epoch", (json_int_t)o->epoch, "expires", (json_int_t)expires);
	json_t *at = json_array();
	for (unsigned i = 0; i < c->endpoint_count; i++)
		json_array_append_new(at, json_string(c->endpoints[i]));
	json_object_set_new(p, "endpoints", at);
	if (ended)
		json_object_set_new(p, "ended", json_true());
	if (claim->len) {
		json_object_set_new(p, "claim", json_string(xy_prefix_str(claim, text)));
		json_object_set_new(p, "since", json_integer((json_int_t)since));
	}
	json_t *member = o->member_text ? json_loads(o->member_text, 0, NULL) : NULL;
	if (member)
		json_object_set_new(p, "membership", member);
	return p;
}

// Its epoch counts as used before anybody sees it.
static void epoch_keep(struct xy_fleet_own *o, uint64_t epoch, uint64_t expires)
{
	struct xy_fleet_kept k = xy_fleet_store_kept(o->f->store, &o->f->self.key);
	struct xy_err err = {""};
	k.epoch = epoch > k.epoch ? epoch : k.epoch;
	k.expires = expires > k.expires ? expires : k.expires;
	if (o->f->claim_said) {
		k.claim = o->f->claim;
		k.since = o->f->claim_since;
	}
	if (o->leaving)
		k.since = 0; // given back: it is tried first again, but is not ours
	if (xy_fleet_store_keep(o->f->store, &k, &err) == 0)
		err.text[0] = 0;
	char why[XY_FLEET_WHY_SIZE];
	snprintf(why, sizeof(why), "%.290s", err.text);
	say(o->place_why, why);
}

// --- publishing

static void on_placed(void *arg, int code, const char *why)
{
	struct xy_fleet_own *o = arg;
	if (code == -ECANCELED || o->closing)
		return;
	if (code == 0 && !o->published)
		xy_log_info("our record is there, epoch %llu: %s",
			    (unsigned long long)o->record.epoch, o->f->source->place);
	if (code == 0) {
		o->published = uv_now(o->f->loop);
		o->count++;
	}
	snprintf(o->why, sizeof(o->why), "%s", code == 0 ? "" : why ? why : strerror(-code));
}

static void on_left(void *arg, int code, const char *why)
{
	struct xy_fleet_own *o = arg;
	xy_fleet_source_done *done = o->left;
	if (o->closing || !done) // it was given up
		return;
	o->left = NULL;
	if (code) { // others may have read that we left: a later record says that we are here
		o->leaving = o->leave_given = false;
		o->refresh = 0;
		o->given = 0;
		arm(o, 0);
	}
	if (code == 0)
		xy_log_info("our record says that we left, epoch %llu",
			    (unsigned long long)o->record.epoch);
	done(o->left_arg, code, why);
}

// The source may be away, or its folder full.
static void leave_bound(struct xy_fleet_own *o)
{
	char why[XY_FLEET_WHY_SIZE + 80];
	if (!o->leaving || !o->left || uv_now(o->f->loop) < o->leave_until)
		return;
	snprintf(why, sizeof(why), "that we leave could not be published in %d s%s%s",
		 LEAVE_MS / 1000, o->f->why[0] ? ": " : "", o->f->why);
	on_left(o, -ETIMEDOUT, why);
}

static bool same_endpoints(const struct xy_fleet_record *a, const struct xy_fleet_record *b)
{
	if (a->endpoint_count != b->endpoint_count)
		return false;
	for (unsigned i = 0; i < a->endpoint_count; i++)
		if (!xy_endpoint_eq(&a->endpoint[i].at, &b->endpoint[i].at) ||
		    a->endpoint[i].from != b->endpoint[i].from)
			return false;
	return true;
}

static bool same_prefixes(const struct xy_fleet_record *a, const struct xy_fleet_record *b)
{
	if (a->prefix_count != b->prefix_count)
		return false;
	for (unsigned i = 0; i < a->prefix_count; i++)
		if (!xy_prefix_eq(&a->prefix[i], &b->prefix[i]))
			return false;
	return true;
}

// But for when it was made.
static bool says_the_same(const struct xy_fleet_record *a, const struct xy_fleet_record *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->version, b->version) == 0 &&
	       same_endpoints(a, b) && same_prefixes(a, b) && a->relay == b->relay &&
	       a->ended == b->ended && a->has_claim == b->has_claim &&
	       (!a->has_claim || xy_prefix_eq(&a->claim, &b->claim)) &&
	       memcmp(&a->membership, &b->membership, sizeof(a->membership)) == 0;
}

static void give(struct xy_fleet_own *o, const char *text, const struct xy_fleet_record *r)
{
	struct xy_fleet *f = o->f;
	uint64_t now = uv_now(f->loop), half = (uint64_t)f->config->lifetime * 500;
	char *copy = strdup(text);
	if (!copy)
		return;
	bool calm = now - o->given > CALM_MS;
	o->apart = calm || !o->apart	       ? APART_MS
		   : o->apart * 2 < APART_MOST ? o->apart * 2
					       : APART_MOST;
	o->given = now;
	o->refresh = now + half - half / 10 + randombytes_uniform((uint32_t)(half / 5) + 1);
	free(o->text);
	o->text = copy;
	o->record = *r;
	memcpy(f->self.name, r->name, sizeof(f->self.name));
	epoch_keep(o, r->epoch, r->expires);
	o->leave_given = o->leaving;
	if (o->leaving)
		f->source->leave(f->source, &f->self, o->text, strlen(o->text), on_left, o);
	else
		f->source->publish(f->source, &f->self, o->text, strlen(o->text), on_placed, o);
}

static bool is_due(struct xy_fleet_own *o, const struct xy_fleet_record *r)
{
	uint64_t now = uv_now(o->f->loop);
	if (!o->text || o->leaving || now >= o->refresh)
		return true;
	if (o->foreign >= o->record.epoch && now >= o->fight_until)
		return true;
	return !says_the_same(&o->record, r) && now >= o->given + o->apart;
}

static void on_record(void *arg, const struct xy_ask_answer *a)
{
	struct xy_fleet_own *o = arg;
	struct xy_fleet_record r;
	struct xy_err err = {""};
	char why[XY_FLEET_WHY_SIZE] = "";
	o->asking = false;
	const char *text = json_string_value(json_object_get(a->answer, "record"));
	if (o->closing) {
		json_decref(a->answer);
		return;
	}
	if (!text)
		snprintf(why, sizeof(why), "the daemon signs no record: %.250s",
			 a->text ? a->text : "its answer has none");
	else if (xy_fleet_record_parse(text, strlen(text), &r, &err))
		snprintf(why, sizeof(why), "the daemon's record is none: %.250s", err.text);
	else if (r.ended == o->leaving && is_due(o, &r)) // asked for before that changed: no more
		give(o, text, &r);
	if (!why[0] || a->code != -ENOTCONN)
		say(o->sign_why, why);
	if (why[0] && o->leaving)
		on_left(o, -EIO, why);
	json_decref(a->answer);
	arm(o, o->again ? 0 : LOOK_MS);
	o->again = false;
}

static void look(struct xy_fleet_own *o)
{
	static const struct xy_prefix none = {0};
	struct xy_fleet *f = o->f;
	uint64_t wall = xy_fleet_wall();
	arm(o, LOOK_MS);
	if (o->asking || !f->met || o->leave_given || xy_fleet_daemon_why(f->daemon)) {
		o->again = o->again || o->asking;
		return;
	}
	if (!xy_fleet_clock_is_set(wall)) {
		say(o->sign_why,
		    "the clock of this host is not set, so our record would have expired "
		    "for all others; it is published "
		    "when it is");
		return;
	}
	member_read(o);
	o->asking = true;
	xy_fleet_daemon_tell(
		f->daemon, "/xylem/fleet_record",
		params_of(o, o->leaving ? &none : &f->claim, f->claim_since, o->leaving), on_record,
		o);
}

// A source of plain devices wants no record; it is told who we are at times.
static void look_plain(struct xy_fleet_own *o)
{
	struct xy_fleet *f = o->f;
	uint64_t now = uv_now(f->loop);
	arm(o, LOOK_MS);
	if (!f->met || o->leave_given || (o->given && now < o->refresh && !o->leaving))
		return;
	o->given = now;
	o->leave_given = o->leaving;
	o->refresh = now + (uint64_t)f->config->lifetime * 500;
	if (o->leaving)
		f->source->leave(f->source, &f->self, NULL, 0, on_left, o);
	else
		f->source->publish(f->source, &f->self, NULL, 0, on_placed, o);
}

static void on_timer(uv_timer_t *t)
{
	struct xy_fleet_own *o = t->data;
	leave_bound(o);
	if (o->f->config->mode == XY_CONFIG_FLEET_IKTO)
		look_plain(o);
	else
		look(o);
}

static void arm(struct xy_fleet_own *o, uint64_t ms)
{
	if (!o->closing)
		uv_timer_start(&o->timer, on_timer, ms, 0);
}

void xy_fleet_own_look(struct xy_fleet_own *o)
{
	o->again = o->asking;
	arm(o, 0);
}

void xy_fleet_own_seen(struct xy_fleet_own *o, const char *text, size_t len)
{
	struct xy_fleet_record r;
	struct xy_err err;
	uint64_t now = uv_now(o->f->loop);
	bool known = o->text && strlen(o->text) == len && memcmp(o->text, text, len) == 0;
	if (known || xy_fleet_record_parse(text, len, &r, &err) || !o->text ||
	    r.epoch < o->record.epoch)
		return;
	// what an earlier start left has been seen before we published, or is older
	o->fight = o->fight ? (o->fight * 2 < FIGHT_MOST ? o->fight * 2 : FIGHT_MOST) : APART_MS;
	o->fight_until = now + o->fight;
	if (r.epoch != o->foreign)
		xy_log_warn("another record of our key, epoch %llu, is in %s: two nodes have one "
			    "key, or a state folder was "
			    "copied; ours is published above it",
			    (unsigned long long)r.epoch, o->f->source->place);
	o->foreign = r.epoch;
}

// --- claims

static void on_signed(void *arg, const struct xy_ask_answer *a)
{
	struct signing *s = arg;
	const char *text = json_string_value(json_object_get(a->answer, "claim"));
	if (!s->o->closing)
		s->done(s->arg, text, text ? strlen(text) : 0,
			text	  ? NULL
			: a->text ? a->text
				  : "the daemon signs no claim");
	json_decref(a->answer);
	free(s);
}

void xy_fleet_own_sign(struct xy_fleet_own *o, const struct xy_prefix *claim, uint64_t since,
		       xy_fleet_source_signed *done, void *arg)
{
	struct signing *s = calloc(1, sizeof(*s));
	if (!s) {
		done(arg, NULL, 0, "not enough memory");
		return;
	}
	*s = (struct signing){o, done, arg};
	member_read(o);
	json_t *p = params_of(o, claim, since, false);
	epoch_keep(o, o->epoch, xy_fleet_wall() + o->f->config->lifetime);
	xy_fleet_daemon_tell(o->f->daemon, "/xylem/fleet_record", p, on_signed, s);
}

// --- life

void xy_fleet_own_leave(struct xy_fleet_own *o, xy_fleet_source_done *done, void *arg)
{
	const char *why = xy_fleet_daemon_why(o->f->daemon);
	if (why || !o->f->met || o->left) {
		done(arg, -EAGAIN,
		     why       ? why
		     : o->left ? "it leaves already"
			       : "the daemon was not reached yet");
		return;
	}
	o->leaving = true;
	o->leave_until = uv_now(o->f->loop) + LEAVE_MS;
	o->left = done;
	o->left_arg = arg;
	xy_fleet_own_look(o);
}

void xy_fleet_own_tell(const struct xy_fleet_own *o, struct xy_fleet_own_state *out)
{
	*out = (struct xy_fleet_own_state){.epoch = o->record.epoch,
					   .expires = o->record.expires,
					   .published = o->published,
					   .count = o->count,
					   .ended = o->leaving,
					   .why = o->sign_why[0]     ? o->sign_why
						  : o->why[0]	     ? o->why
						  : o->member_why[0] ? o->member_why
						  : o->place_why[0]  ? o->place_why
								     : NULL,
					   .text = o->text,
					   .record = o->text ? &o->record : NULL};
}

int xy_fleet_own_create(struct xy_fleet *f, struct xy_fleet_own **out)
{
	struct xy_fleet_own *o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->f = f;
	uv_timer_init(f->loop, &o->timer);
	o->timer.data = o;
	*out = o;
	return 0;
}

static void freed(uv_handle_t *h)
{
	struct xy_fleet_own *o = h->data;
	free(o->text);
	free(o->member_text);
	free(o);
}

void xy_fleet_own_close(struct xy_fleet_own *o)
{
	if (!o)
		return;
	o->closing = true;
	o->left = NULL;
	uv_close((uv_handle_t *)&o->timer, freed);
}
