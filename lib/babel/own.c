// SPDX-License-Identifier: BSD-3-Clause
// What we announce: our prefixes, plain routes that we bring into the mesh, the aggregate; seqnos
// and epochs. The seqno is kept per prefix: a source is (prefix, router-id), so a request moves
// one prefix and costs one signature.
#include "babel/state.h"

#include <sodium.h>

enum { SIGN_STEPS = 8 };     // what a SIGN action costs
enum { SEQNO_LAST = 32767 }; // the epoch rises before a seqno passes it

bool babel_own_rid(const struct xy_babel *b, uint64_t rid)
{
	bool found = rid == b->rid;
	for (size_t i = 0; i < XY_ARRAY_SIZE(b->old_rids); i++)
		found |= rid == b->old_rids[i];
	return found;
}

void babel_own_current(const struct own *o, uint64_t *rid, uint16_t *seqno)
{
	*rid = o->ready ? o->rid : 0;
	*seqno = o->seqno;
}

// ---- epochs ----

static void ask_epoch(struct xy_babel *b, uint32_t above)
{
	uint32_t want = above + 1;
	if (b->epoch_asked >= want || above >= UINT32_MAX - 1)
		return;
	b->epoch_asked = want;
	babel_action_add(b, XY_BABEL_SAVE_EPOCH)->epoch = want;
	b->stats.raises++;
}

static void sign(struct xy_babel *b, uint32_t i);

void xy_babel_epoch_saved(struct xy_babel *b, uint32_t epoch, xy_nsec now)
{
	xy_babel_enter(b, now);
	if (epoch <= b->epoch || epoch != b->epoch_asked)
		return;
	b->old_rids[b->old_rid_at++ % XY_ARRAY_SIZE(b->old_rids)] = b->rid;
	b->epoch = epoch;
	b->rid = xy_babel_router_id(&b->c.key, epoch);
	b->max_seqno = 0;
	b->dropped = false;
	b->resign = 1;
	babel_global_at(b, b->now);
}

// What we announce gets its signature under the new epoch, a slice at a time; until then it stands
// under the older one.
void babel_own_resign(struct xy_babel *b)
{
	for (; b->resign && b->resign <= b->owns.top && steps_left(b); b->resign++) {
		struct own *o = OWN(b, b->resign);
		b->stats.steps += SIGN_STEPS;
		// A seqno that rose meanwhile is under the new epoch already, and stays.
		uint32_t epoch = o->signing ? o->next.origin.epoch : o->epoch;
		if (!o->live || epoch == b->epoch)
			continue;
		o->want_seqno = 0;
		sign(b, b->resign);
	}
	if (b->resign > b->owns.top)
		b->resign = 0;
}

// Under our key, and no echo of what we said. What was announced and dropped in this epoch is not
// kept, so after that only a seqno above all of ours tells.
bool babel_own_foreign(const struct xy_babel *b, const struct xy_babel_claim *c)
{
	if (c->origin.epoch != b->epoch)
		return c->origin.epoch > b->epoch;
	if (c->seqno > b->max_seqno || b->dropped)
		return c->seqno > b->max_seqno;
	uint32_t dest = babel_dest_find(b, &c->prefix, 0), i = dest ? DEST(b, dest)->own : 0;
	const struct own *o = i ? OWN(b, i) : NULL;
	bool external = c->origin.flags & XY_BABEL_ORIGIN_EXTERNAL;
	return !o || c->seqno > o->want_seqno || external != o->external || c->origin.tag != o->tag;
}

// Somebody shows our key with an epoch above ours, or in ours with what we never signed: our state
// was lost, or a second node has our key. We go above it, at most once a minute.
void babel_own_seen(struct xy_babel *b, const struct xy_babel_claim *c)
{
	if (!babel_own_foreign(b, c))
		return;
	bool again = b->epoch_raised != 0;
	if (c->origin.epoch > b->lost_epoch)
		b->lost_epoch = c->origin.epoch;
	if (again && b->now - b->epoch_raised < EPOCH_PAUSE) {
		b->lost_pending = true;
		babel_global_at(b, b->epoch_raised + EPOCH_PAUSE);
		return;
	}
	b->epoch_raised = b->now;
	b->lost_pending = false;
	babel_notice(b, again ? XY_BABEL_NOTICE_TWO_NODES : XY_BABEL_NOTICE_EPOCH_LOST, NULL,
		     &c->prefix, &b->c.key);
	ask_epoch(b, c->origin.epoch);
}

static void raise_withdrawn(struct xy_babel *b)
{
	if (!b->withdrawn)
		return;
	xy_nsec next = b->withdraw_raised + WITHDRAW_PAUSE;
	if (b->withdraw_raised && b->now < next) {
		babel_global_at(b, next);
		return;
	}
	b->withdrawn = false;
	b->withdraw_raised = b->now;
	ask_epoch(b, b->epoch > b->epoch_asked ? b->epoch : b->epoch_asked);
}

void babel_own_global(struct xy_babel *b)
{
	raise_withdrawn(b);
	if (!b->lost_pending)
		return;
	if (b->now - b->epoch_raised < EPOCH_PAUSE) {
		babel_global_at(b, b->epoch_raised + EPOCH_PAUSE);
		return;
	}
	b->lost_pending = false;
	if (b->lost_epoch < b->epoch)
		return;
	b->epoch_raised = b->now;
	babel_notice(b, XY_BABEL_NOTICE_TWO_NODES, NULL, NULL, &b->c.key);
	ask_epoch(b, b->lost_epoch);
}

// ---- signatures ----

static void announce_new(struct xy_babel *b, uint32_t i, bool new_source)
{
	struct own *o = OWN(b, i);
	if (new_source)
		babel_log_touch(b, o->dest, true);
	babel_request_check(b, o->dest);
}

static void sign(struct xy_babel *b, uint32_t i)
{
	struct own *o = OWN(b, i);
	if (o->aggregate) {
		bool new_source = !o->ready || o->rid != b->rid;
		o->rid = b->rid;
		o->seqno = o->want_seqno;
		o->ready = true;
		announce_new(b, i, new_source);
		return;
	}
	o->serial = ++b->serial;
	o->signing = true;
	o->next = (struct xy_babel_claim){
		.prefix = DEST(b, o->dest)->prefix,
		.rid = b->rid,
		.seqno = o->want_seqno,
		.origin = {.flags = o->external ? XY_BABEL_ORIGIN_EXTERNAL : 0,
			   .epoch = b->epoch,
			   .tag = o->tag}};
	memcpy(o->next.origin.key, b->c.ed25519.b, 32);
	struct xy_babel_action *a = babel_action_add(b, XY_BABEL_SIGN);
	a->sign.id = (uint64_t)o->serial << 32 | i;
	a->sign.claim = o->next;
}

void xy_babel_signed(struct xy_babel *b, uint64_t id, const uint8_t signature[static 64],
		     xy_nsec now)
{
	uint32_t i = (uint32_t)id;
	xy_babel_enter(b, now);
	if (!i || i > b->owns.top)
		return;
	struct own *o = OWN(b, i);
	if (!o->live || !o->signing || o->serial != id >> 32)
		return;
	bool new_source = !o->ready || o->rid != o->next.rid;
	o->signing = false;
	o->ready = true;
	o->rid = o->next.rid;
	o->seqno = o->next.seqno;
	o->epoch = o->next.origin.epoch;
	memcpy(o->signature, signature, 64);
	announce_new(b, i, new_source);
	xy_babel_leave(b);
}

static void raise_seqno(struct xy_babel *b, uint32_t i)
{
	struct own *o = OWN(b, i);
	o->wanted = false;
	o->raised = b->now;
	if (o->want_seqno >= SEQNO_LAST) {
		ask_epoch(b, b->epoch);
		return;
	}
	o->want_seqno++;
	if (o->want_seqno > b->max_seqno)
		b->max_seqno = o->want_seqno;
	sign(b, i);
}

// Raised by one, whatever was asked for (RFC 8966 section 3.8.1.2), at most once in 4 s.
bool babel_own_request(struct xy_babel *b, uint32_t i, uint16_t seqno)
{
	struct own *o = OWN(b, i);
	if (!o->ready || !seqno_above(seqno, o->want_seqno))
		return o->signing;
	if (o->wanted)
		return true;
	if (o->raised && b->now - o->raised < SEQNO_PAUSE) {
		o->wanted = true;
		babel_timer_set(b, T_OWN, i, o->raised + SEQNO_PAUSE);
		return true;
	}
	raise_seqno(b, i);
	return true;
}

void babel_own_timer(struct xy_babel *b, uint32_t i)
{
	if (OWN(b, i)->wanted)
		raise_seqno(b, i);
}

// ---- prefixes ----

static uint32_t own_add(struct xy_babel *b, uint32_t dest)
{
	uint32_t i = babel_pool_take(&b->owns);
	if (!i)
		return 0;
	struct own *o = OWN(b, i);
	o->live = true;
	o->dest = dest;
	// Not below what was announced for it in this epoch, were it announced before.
	o->want_seqno = b->max_seqno;
	DEST(b, dest)->own = i;
	return i;
}

void babel_own_drop(struct xy_babel *b, uint32_t i)
{
	struct own *o = OWN(b, i);
	babel_timer_stop(b, T_OWN, i);
	DEST(b, o->dest)->own = 0;
	DEST(b, o->dest)->was_external |= o->external;
	o->live = o->signing = false;
	b->dropped = true;
	babel_pool_give(&b->owns, i);
}

uint32_t babel_own_external(struct xy_babel *b, uint32_t dest, uint32_t tag)
{
	uint32_t i = own_add(b, dest);
	if (!i)
		return 0;
	OWN(b, i)->external = true;
	OWN(b, i)->tag = tag;
	sign(b, i);
	return i;
}

void babel_own_aggregate(struct xy_babel *b)
{
	const struct xy_prefix mesh = XY_MESH_PREFIX;
	uint32_t dest = babel_dest_get(b, &mesh, 0);
	if (!dest || DEST(b, dest)->own)
		return;
	uint32_t i = own_add(b, dest);
	if (!i)
		return;
	OWN(b, i)->aggregate = true;
	sign(b, i);
}

int xy_babel_announce(struct xy_babel *b, const struct xy_prefix *p, xy_nsec now)
{
	struct xy_prefix mine = xy_key_prefix(&b->c.key);
	xy_babel_enter(b, now);
	if (xy_addr_is_mesh(&p->addr) && p->len >= 7 && !xy_prefix_eq(p, &mine))
		return -EPERM;
	uint32_t dest = babel_dest_get(b, p, 0);
	if (!dest)
		return -ENOMEM;
	struct dest *d = DEST(b, dest);
	if (d->own && !OWN(b, d->own)->external)
		return -EEXIST;
	if (d->own)
		babel_own_drop(b, d->own);
	uint32_t i = own_add(b, dest);
	if (!i)
		return -ENOMEM;
	sign(b, i);
	babel_dest_select(b, dest);
	xy_babel_leave(b);
	return 0;
}

int xy_babel_withdraw(struct xy_babel *b, const struct xy_prefix *p, xy_nsec now)
{
	xy_babel_enter(b, now);
	uint32_t dest = babel_dest_find(b, p, 0), i = dest ? DEST(b, dest)->own : 0;
	if (!i || OWN(b, i)->external || OWN(b, i)->aggregate)
		return -ENOENT;
	babel_own_drop(b, i);
	babel_dest_withdrawn(b, dest);
	b->withdrawn = true;
	raise_withdrawn(b);
	xy_babel_leave(b);
	return 0;
}
