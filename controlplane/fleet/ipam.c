// SPDX-License-Identifier: BSD-3-Clause
#include "fleet/ipam.h"

#include "fleet/claims.h"

#include <jansson.h>
#include <sodium.h>
#include <string.h>

enum {
	PAUSE_MS = 1000, // after an error
	HEARD_MS = 400,
	REFUSED_S = 30, // what is somebody's may be free later
	LOSSES = 16,	// draws in a row, then a pause: hardly any are free
	LOSSES_PAUSE_S = 5,
	FRESH_S = 120, // a claim so young counts, whatever its owner's record does not say yet
	RENEW = 2,     // when 1/RENEW of its time is left
};

static unsigned v4_bits(const struct xy_prefix *p)
{
	return xy_prefix_is_v4(p) ? 96 : 0;
}

static xy_nsec in(struct xy_ipam_now now, uint64_t ms)
{
	return now.mono + ms * XY_MSEC / 4 * 3 +
	       ms * XY_MSEC / 2 * randombytes_uniform(1001) / 1000;
}

void xy_ipam_init(struct xy_ipam *m, const struct xy_ipam_kind *kind, void *arg)
{
	*m = (struct xy_ipam){.kind = kind, .arg = arg};
}

// --- how networks are cut

int xy_ipam_grid_text(const struct xy_fleet_wish *w, char *out, size_t size)
{
	char cidr[XY_PREFIX_STRLEN];
	return snprintf(out, size, "{\"v\":1,\"cidr\":\"%s\",\"prefix\":%u}",
			xy_prefix_str(&w->cidr, cidr), w->bits - v4_bits(&w->cidr));
}

int xy_ipam_grid_check(const struct xy_fleet_wish *w, const void *text, size_t len,
		       struct xy_err *err)
{
	char ours[XY_PREFIX_STRLEN], theirs[XY_PREFIX_STRLEN];
	struct xy_prefix cidr;
	const char *cidr_text = NULL;
	int bits = 0, v = 0;
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	int bad = !o ||
		  json_unpack(o, "{s:i, s:s, s:i}", "v", &v, "cidr", &cidr_text, "prefix", &bits) ||
		  v != 1 || xy_prefix_parse(cidr_text, &cidr);
	json_decref(o);
	if (bad)
		return xy_err_set(err, EPROTO, "the registry's key ipam is none that we can read");
	if (xy_prefix_eq(&cidr, &w->cidr) && (unsigned)bits + v4_bits(&cidr) == w->bits)
		return 0;
	return xy_err_set(err, EINVAL,
			  "the registry gives out /%d of %s, and here /%u of %s is wanted: one of "
			  "both is to be changed",
			  bits, xy_prefix_str(&cidr, theirs), w->bits - v4_bits(&w->cidr),
			  xy_prefix_str(&w->cidr, ours));
}

struct xy_prefix xy_ipam_draw(const struct xy_fleet_wish *w)
{
	struct xy_prefix p = {.addr = w->cidr.addr, .len = (uint8_t)w->bits};
	bool more_than_one = w->bits > w->cidr.len;
	do {
		uint8_t random[16];
		randombytes_buf(random, sizeof(random));
		for (unsigned bit = w->cidr.len; bit < w->bits; bit++) {
			uint8_t mask = (uint8_t)(0x80 >> bit % 8);
			p.addr.b[bit / 8] =
				(uint8_t)((p.addr.b[bit / 8] & ~mask) | (random[bit / 8] & mask));
		}
	} while (more_than_one && xy_addr_eq(&p.addr, &w->cidr.addr)); // the cidr's own address
	return p;
}

static int wish_check(const struct xy_fleet_wish *w, struct xy_err *err)
{
	char text[XY_PREFIX_STRLEN];
	if (w->bits < w->cidr.len || w->bits > 128 || w->cidr.len < v4_bits(&w->cidr))
		return xy_err_set(err, EINVAL, "no network of that size is in %s",
				  xy_prefix_str(&w->cidr, text));
	if (w->drawn.len && (w->drawn.len != w->bits || !xy_prefix_covers(&w->cidr, &w->drawn)))
		return xy_err_set(err, EINVAL, "%s is none of those that are drawn",
				  xy_prefix_str(&w->drawn, text));
	return 0;
}

// --- what is said

// The last thing that is done: who is told may ask for the next step at once.
static void say(struct xy_ipam *m, const struct xy_prefix *p, const char *why)
{
	if (m->held == (p != NULL) && strncmp(m->why, why, sizeof(m->why) - 1) == 0)
		return;
	m->held = p != NULL;
	snprintf(m->why, sizeof(m->why), "%.299s", why);
	m->kind->claimed(m->arg, p, m->why);
}

static void go(struct xy_ipam *m, enum xy_ipam_state state, xy_nsec at)
{
	m->state = state;
	m->at = at;
}

static void begin(struct xy_ipam *m, xy_nsec at)
{
	m->len = 0;
	m->stood = false;
	m->contested = 0;
	go(m, m->kind->grid ? XY_IPAM_GRID : XY_IPAM_LOOK, at);
}

int xy_ipam_want(struct xy_ipam *m, const struct xy_fleet_wish *wish, struct xy_ipam_now now,
		 struct xy_err *err)
{
	int e = wish ? wish_check(wish, err) : 0;
	if (e)
		return e;
	if (!wish) {
		bool something = m->wanted && m->state >= XY_IPAM_LOOK;
		m->wanted = false;
		m->stale = m->asked;
		go(m, something ? XY_IPAM_GIVE_BACK : XY_IPAM_IDLE, now.mono);
		m->held = false;
		return 0;
	}
	m->wish = *wish;
	m->wanted = true;
	if (m->state > XY_IPAM_GRID && m->state < XY_IPAM_GIVE_BACK &&
	    m->prefix.len == wish->bits && xy_prefix_covers(&wish->cidr, &m->prefix))
		return 0; // what there is will do
	m->prefix = wish->drawn.len ? wish->drawn : xy_ipam_draw(wish);
	m->losses = 0;
	m->stale = m->asked;
	begin(m, now.mono);
	return 0;
}

// --- what is asked

static bool is_over(const struct xy_ipam *m, uint64_t wall)
{
	return m->len && m->mine.expires && wall >= m->mine.expires;
}

static void step_look(struct xy_ipam *m, struct xy_ipam_step *out)
{
	out->what = XY_IPAM_GET;
	m->kind->key(&m->prefix, out->key);
}

static void step_grid(struct xy_ipam *m, struct xy_ipam_step *out)
{
	out->what = m->state == XY_IPAM_GRID ? XY_IPAM_GET : XY_IPAM_PUT;
	snprintf(out->key, sizeof(out->key), "%s", m->kind->grid);
	if (m->state == XY_IPAM_GRID)
		return;
	out->bound = m->bound;
	out->len = (size_t)xy_ipam_grid_text(&m->wish, m->text, sizeof(m->text));
	out->value = m->text;
}

xy_nsec xy_ipam_step(struct xy_ipam *m, struct xy_ipam_now now, struct xy_ipam_step *out)
{
	*out = (struct xy_ipam_step){.what = XY_IPAM_WAIT};
	if (m->asked || m->state == XY_IPAM_IDLE)
		return XY_NEVER;
	if (m->state == XY_IPAM_HELD && is_over(m, now.wall)) {
		begin(m, now.mono);
		say(m, NULL, "the registry could not be reached until the claim's end");
		if (m->asked)
			return XY_NEVER;
	}
	if (now.mono < m->at)
		return m->at;
	m->asked = true;
	switch (m->state) {
	case XY_IPAM_GRID:
	case XY_IPAM_GRID_MAKE:
		step_grid(m, out);
		break;
	case XY_IPAM_OWNER:
		out->what = XY_IPAM_GET;
		memcpy(out->key, m->other.owner, sizeof(out->key));
		break;
	case XY_IPAM_SIGNING:
		out->what = XY_IPAM_SIGN;
		out->prefix = m->prefix;
		out->since = m->since;
		break;
	case XY_IPAM_TAKE:
		m->kind->key(&m->prefix, out->key);
		out->what = XY_IPAM_PUT;
		out->value = m->text;
		out->len = m->len;
		out->bound = m->bound;
		break;
	case XY_IPAM_DELETE_IT:
		step_look(m, out);
		out->what = XY_IPAM_DELETE;
		out->bound = m->bound;
		break;
	default:
		step_look(m, out);
		break;
	}
	return XY_NEVER;
}

// --- what comes of it

static void lost(struct xy_ipam *m, struct xy_ipam_now now, const char *who)
{
	char text[XY_PREFIX_STRLEN], why[sizeof(m->why)];
	snprintf(why, sizeof(why), "%s is %s", xy_prefix_str(&m->prefix, text), who);
	m->losses++;
	if (!m->wish.retry) {
		snprintf(why, sizeof(why), "%s is %.140s: another is drawn with retry", text, who);
		begin(m, in(now, REFUSED_S * 1000));
	} else {
		m->prefix = xy_ipam_draw(&m->wish);
		begin(m, m->losses % LOSSES ? now.mono : in(now, LOSSES_PAUSE_S * 1000));
	}
	say(m, NULL, why);
}

static void sign_next(struct xy_ipam *m, struct xy_ipam_now now, uint64_t since, uint64_t bound)
{
	char who[120];
	bool drawn = !m->stood && !m->len; // what is ours stays so, whatever others say later
	if (drawn && m->kind->overlaps && m->kind->overlaps(m->arg, &m->prefix, who, sizeof(who))) {
		lost(m, now, who);
		return;
	}
	m->since = since;
	m->bound = bound;
	go(m, XY_IPAM_SIGNING, now.mono);
}

static bool mine_is_before(const struct xy_ipam *m, const struct xy_ipam_holder *other)
{
	if (m->since != other->since)
		return m->since < other->since;
	return memcmp(&m->mine.key, &other->key, sizeof(other->key)) < 0;
}

// Held for longer than a claim lives without a renewal: an earlier one would have been seen since.
static bool is_settled(const struct xy_ipam *m, uint64_t wall)
{
	return m->len && m->mine.expires &&
	       wall > m->since + (m->mine.expires - m->signed_at) + XY_FLEET_SLACK_S;
}

// Two who were never seen by one another while they held it believe each other nothing: the bucket
// was lost and made anew while the one was away. He renews no claim then, so it ends. In a bucket
// that had his claim nobody can say that he did not see it.
static void contest(struct xy_ipam *m, uint64_t made, xy_nsec mono)
{
	bool was_away = m->stood && mono > m->stood_at + XY_FLEET_SLACK_S * XY_SEC;
	m->contested = m->contested || (was_away && made != m->made) ? mono : 0;
}

// Another's claim stands, and counts. What stood there as ours is so again if it is the earlier:
// who was not let write has lost, whatever the clocks say.
static void conflict(struct xy_ipam *m, struct xy_ipam_now now)
{
	char who[100];
	bool mine = mine_is_before(m, &m->other) || is_settled(m, now.wall);
	if (m->stood && mine && !is_over(m, now.wall)) {
		go(m, m->len ? XY_IPAM_TAKE : XY_IPAM_SIGNING, in(now, PAUSE_MS));
		return;
	}
	snprintf(who, sizeof(who), "%s's", m->other.name);
	lost(m, now, who);
}

static void hold(struct xy_ipam *m, struct xy_ipam_now now)
{
	m->losses = 0;
	m->stood = true;
	if (m->contested && now.mono > m->contested + XY_FLEET_SLACK_S * XY_SEC)
		m->contested = 0; // nobody does any more
	m->stood_at = now.mono;
	go(m, XY_IPAM_HELD, in(now, XY_IPAM_CHECK_S * 1000));
	say(m, &m->prefix, "");
}

static bool is_to_renew(const struct xy_ipam *m, uint64_t wall)
{
	if (m->contested)
		return false;
	return m->renew ||
	       (m->mine.expires && wall >= m->signed_at + (m->mine.expires - m->signed_at) / RENEW);
}

// What stands at our key.
static void looked(struct xy_ipam *m, struct xy_ipam_now now, const struct xy_kv_entry *e)
{
	struct xy_ipam_holder h = {.who = XY_IPAM_NOBODY};
	if (e->value)
		m->kind->judge(m->arg, &m->prefix, e->value, e->len, now.wall, &h);
	m->bound = e->revision;
	m->stood = m->stood || h.who == XY_IPAM_MINE;
	m->made = h.who == XY_IPAM_MINE || !m->made ? e->made : m->made;
	if (m->state == XY_IPAM_GIVE_BACK)
		go(m, h.who == XY_IPAM_MINE ? XY_IPAM_DELETE_IT : XY_IPAM_IDLE, now.mono);
	else if (h.who == XY_IPAM_NOBODY) // of one that we had: it was lost
		sign_next(m, now, m->len ? m->since : now.wall, e->revision);
	else if (h.who == XY_IPAM_MINE && (!m->len || is_to_renew(m, now.wall)))
		sign_next(m, now, h.since, e->revision); // without a text: of before a restart
	else if (h.who == XY_IPAM_MINE)
		hold(m, now);
	else {
		contest(m, e->made, now.mono);
		if (m->kind->dated)
			h.since = m->kind->dated(m->arg, &m->prefix, &h);
		m->other = h;
		if (h.owner[0] && m->kind->let_go && h.since + FRESH_S < now.wall)
			go(m, XY_IPAM_OWNER, now.mono);
		else
			conflict(m, now);
	}
}

static void owner_read(struct xy_ipam *m, struct xy_ipam_now now, const struct xy_kv_entry *e)
{
	if (e->value && m->kind->let_go(m->arg, &m->prefix, &m->other, e->value, e->len))
		sign_next(m, now, m->len ? m->since : now.wall, m->bound);
	else
		conflict(m, now);
}

static void grid_read(struct xy_ipam *m, struct xy_ipam_now now, const struct xy_kv_entry *e)
{
	struct xy_err err;
	m->bound = e->revision;
	if (!e->value)
		go(m, XY_IPAM_GRID_MAKE, now.mono);
	else if (!xy_ipam_grid_check(&m->wish, e->value, e->len, &err))
		go(m, XY_IPAM_LOOK, now.mono);
	else {
		go(m, XY_IPAM_GRID, in(now, REFUSED_S * 1000));
		say(m, NULL, err.text);
	}
}

static void written(struct xy_ipam *m, struct xy_ipam_now now)
{
	if (m->state == XY_IPAM_GRID_MAKE)
		go(m, XY_IPAM_GRID, in(now, XY_IPAM_SETTLE_MS)); // and read what it is now
	else if (m->state == XY_IPAM_DELETE_IT)
		go(m, XY_IPAM_IDLE, now.mono);
	else {
		m->stood = true;
		go(m, XY_IPAM_SETTLE, in(now, XY_IPAM_SETTLE_MS));
	}
}

// It was not written, or it is not known whether it was: what stands there is read.
static void failed(struct xy_ipam *m, struct xy_ipam_now now, int code)
{
	xy_nsec at = code == -EEXIST ? now.mono : in(now, PAUSE_MS);
	if (m->state == XY_IPAM_GRID_MAKE)
		go(m, XY_IPAM_GRID, at);
	else if (m->state == XY_IPAM_DELETE_IT)
		go(m, XY_IPAM_GIVE_BACK, at);
	else if (m->state == XY_IPAM_TAKE)
		go(m, m->held ? XY_IPAM_HELD : XY_IPAM_SETTLE, at);
	else
		m->at = at;
}

// The answer to what is wanted no more is none.
static bool is_stale(struct xy_ipam *m)
{
	bool stale = m->stale;
	m->asked = m->stale = false;
	return stale;
}

void xy_ipam_answer(struct xy_ipam *m, struct xy_ipam_now now, int code,
		    const struct xy_kv_entry *e)
{
	if (is_stale(m))
		return;
	if (code)
		failed(m, now, code);
	else if (!e)
		written(m, now);
	else if (m->state == XY_IPAM_GRID)
		grid_read(m, now, e);
	else if (m->state == XY_IPAM_OWNER)
		owner_read(m, now, e);
	else
		looked(m, now, e);
}

void xy_ipam_signed(struct xy_ipam *m, struct xy_ipam_now now, const char *text, size_t len,
		    const char *why)
{
	struct xy_ipam_holder h = {.who = XY_IPAM_NOBODY};
	if (is_stale(m))
		return;
	if (text && len <= sizeof(m->text))
		m->kind->judge(m->arg, &m->prefix, text, len, now.wall, &h);
	if (h.who != XY_IPAM_MINE) {
		go(m, m->held ? XY_IPAM_HELD : XY_IPAM_LOOK, in(now, PAUSE_MS));
		if (!m->held)
			say(m, NULL, text ? "the daemon signed another claim than was asked" : why);
		return;
	}
	memcpy(m->text, text, len);
	m->len = len;
	m->mine = h;
	m->signed_at = now.wall;
	m->renew = false;
	go(m, XY_IPAM_TAKE, now.mono);
}

void xy_ipam_renew(struct xy_ipam *m, struct xy_ipam_now now)
{
	m->renew = true;
	if (m->state == XY_IPAM_HELD && !m->asked)
		m->at = now.mono;
}

void xy_ipam_heard(struct xy_ipam *m, struct xy_ipam_now now, const char *key)
{
	char ours[XY_IPAM_KEY];
	if (m->asked || (m->state != XY_IPAM_HELD && m->state != XY_IPAM_SETTLE))
		return;
	m->kind->key(&m->prefix, ours);
	xy_nsec soon = in(now, HEARD_MS);
	if (strcmp(key, ours) == 0 && soon < m->at)
		m->at = soon;
}
