// SPDX-License-Identifier: BSD-3-Clause
// One walk over all nodes for each rule, which keeps the few best.
#include "fleet/choose.h"

#include "base/bytes.h"
#include "base/list.h"

#include <sodium.h>
#include <string.h>

const char *const xy_fleet_why_names[] = {XY_FLEET_WHYS(XY_LIST_NAME) NULL};
const char *const xy_fleet_why_texts[] = {XY_FLEET_WHYS(XY_LIST_TEXT) NULL};

// --- places in the order of keys, which is a ring

static uint64_t place(const char *domain, const struct xy_key *key)
{
	uint8_t out[16];
	crypto_generichash_state s;
	crypto_generichash_init(&s, NULL, 0, sizeof(out));
	crypto_generichash_update(&s, (const uint8_t *)domain, strlen(domain));
	crypto_generichash_update(&s, key->b, sizeof(key->b));
	crypto_generichash_final(&s, out, sizeof(out));
	return xy_be64_load(out);
}

uint64_t xy_fleet_ring(const struct xy_key *key)
{
	return place("xylem fleet ring 1\n", key);
}

uint64_t xy_fleet_finger(const struct xy_key *key)
{
	return place("xylem fleet finger 1\n", key);
}

// --- the few best of many

struct best {
	unsigned most, count;
	uint64_t far[XY_FLEET_NEAR_MOST]; // ascending
	unsigned at[XY_FLEET_NEAR_MOST];
};

static void best_see(struct best *b, uint64_t far, unsigned at)
{
	unsigned i = b->count;
	if (!b->most || (i == b->most && far >= b->far[i - 1]))
		return;
	i = i == b->most ? i - 1 : b->count++;
	for (; i && b->far[i - 1] > far; i--) {
		b->far[i] = b->far[i - 1];
		b->at[i] = b->at[i - 1];
	}
	b->far[i] = far;
	b->at[i] = at;
}

struct choosing {
	const struct xy_fleet_choice *c;
	const struct xy_fleet_node *node;
	unsigned count;
	enum xy_fleet_why *out;
	uint64_t ring;
};

static uint64_t ring_of(const struct xy_fleet_node *n)
{
	return n->ring ? n->ring : xy_fleet_ring(&n->key);
}

static uint64_t finger_of(const struct xy_fleet_node *n)
{
	return n->finger ? n->finger : xy_fleet_finger(&n->key);
}

static bool is_self(const struct choosing *v, unsigned i)
{
	return memcmp(&v->node[i].key, &v->c->self, sizeof(v->c->self)) == 0;
}

static void want(struct choosing *v, unsigned i, enum xy_fleet_why why)
{
	if (v->out[i] == XY_FLEET_WHY_NOT)
		v->out[i] = why;
}

// Up to the first that is not known to be down.
static void want_up_to_one(struct choosing *v, const struct best *b, enum xy_fleet_why why)
{
	for (unsigned i = 0; i < b->count; i++) {
		want(v, b->at[i], why);
		if (!v->node[b->at[i]].down)
			return;
	}
}

// --- ring

static void ring(struct choosing *v, bool relays, enum xy_fleet_why why)
{
	struct best next = {.most = XY_FLEET_RING_PASS + 1}, last = next;
	for (unsigned i = 0; i < v->count; i++) {
		if (is_self(v, i) || (relays && !v->node[i].relay))
			continue;
		uint64_t at = ring_of(&v->node[i]);
		best_see(&next, at - v->ring, i);
		best_see(&last, v->ring - at, i);
	}
	want_up_to_one(v, &next, why);
	want_up_to_one(v, &last, why);
}

// --- fingers: ours, and those that lead here

static void finger(struct choosing *v)
{
	struct best to = {.most = XY_FLEET_RING_PASS + 1};
	uint64_t from = xy_fleet_finger(&v->c->self);
	for (unsigned i = 0; i < v->count; i++)
		if (!is_self(v, i))
			best_see(&to, ring_of(&v->node[i]) - from, i);
	want_up_to_one(v, &to, XY_FLEET_WHY_FINGER);
}

// Those that point behind the node before us, up to us; and that node itself, where it would point
// to itself, and so to the next. Of too many those that are here already, then the nearest.
static void fingers_here(struct choosing *v)
{
	struct best before = {.most = 2}, here = {.most = XY_FLEET_FINGERS_HERE};
	for (unsigned i = 0; i < v->count; i++)
		if (!is_self(v, i))
			best_see(&before, v->ring - ring_of(&v->node[i]), i);
	for (unsigned i = 0; before.count && i < v->count; i++) {
		bool is_before = i == before.at[0] && before.count > 1;
		uint64_t arc = before.far[is_before ? 1 : 0];
		uint64_t far = v->ring - finger_of(&v->node[i]);
		bool is_new = v->node[i].was != XY_FLEET_WHY_FINGER;
		if (!is_self(v, i) && far < arc)
			best_see(&here, (uint64_t)is_new << 63 | far >> 1, i);
	}
	for (unsigned i = 0; i < here.count; i++)
		want(v, here.at[i], XY_FLEET_WHY_FINGER);
}

// --- near

// Who has the place keeps it unless another is 25 % and 1 ms better.
static uint64_t weight(const struct xy_fleet_node *n, enum xy_fleet_why why)
{
	uint64_t rtt = n->rtt_us, quarter = rtt + (rtt + 2) / 3;
	if (n->was == why)
		return rtt;
	return quarter > rtt + 1000 ? quarter : rtt + 1000;
}

static uint64_t mixed(uint64_t x) // splitmix64
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint64_t chance(const struct choosing *v, unsigned i)
{
	return mixed(v->c->seed ^ ring_of(&v->node[i]));
}

// Those of which nothing is known come last, in an order of our own.
static void nearest(struct choosing *v, bool relays, unsigned most, enum xy_fleet_why why)
{
	struct best b = {.most = most};
	for (unsigned i = 0; i < v->count; i++) {
		const struct xy_fleet_node *n = &v->node[i];
		if (is_self(v, i) || n->down || (relays && !n->relay))
			continue;
		if (n->rtt_us)
			best_see(&b, weight(n, why), i);
		else if (relays)
			best_see(&b, 1ULL << 63 | chance(v, i) >> 1, i);
	}
	for (unsigned i = 0; i < b.count; i++)
		want(v, b.at[i], why);
}

// --- trials

static bool is_on_trial(const struct choosing *v, const struct xy_fleet_node *n)
{
	return n->was == XY_FLEET_WHY_TRIAL && !n->rtt_us && !n->down &&
	       v->c->now - n->since < XY_FLEET_TRIAL_TIME;
}

static bool may_try(const struct choosing *v, unsigned i)
{
	const struct xy_fleet_node *n = &v->node[i];
	return v->out[i] == XY_FLEET_WHY_NOT && !n->rtt_us && !n->down && !is_self(v, i) &&
	       (!n->tried || v->c->now - n->tried >= XY_FLEET_TRIAL_EVERY);
}

static void trials(struct choosing *v)
{
	unsigned under_way = 0, known = 0;
	uint64_t last = 0;
	for (unsigned i = 0; i < v->count; i++) {
		const struct xy_fleet_node *n = &v->node[i];
		known += n->rtt_us != 0;
		last = n->tried > last ? n->tried : last;
		if (v->out[i] != XY_FLEET_WHY_NOT || is_self(v, i) || !is_on_trial(v, n))
			continue;
		if (under_way++ < XY_FLEET_TRIALS)
			v->out[i] = XY_FLEET_WHY_TRIAL;
	}
	unsigned most = XY_FLEET_TRIALS;
	if (known >= XY_FLEET_SAMPLE)
		most = !last || v->c->now - last >= XY_FLEET_TRIAL_REST;
	struct best b = {.most = under_way < most ? most - under_way : 0};
	for (unsigned i = 0; b.most && i < v->count; i++)
		if (may_try(v, i))
			best_see(&b, chance(v, i), i);
	for (unsigned i = 0; i < b.count; i++)
		v->out[b.at[i]] = XY_FLEET_WHY_TRIAL;
}

void xy_fleet_choose(const struct xy_fleet_choice *c, const struct xy_fleet_node *node,
		     unsigned count, enum xy_fleet_why *out)
{
	struct choosing v = {c, node, count, out, xy_fleet_ring(&c->self)};
	unsigned k = c->near < XY_FLEET_NEAR_MOST ? c->near : XY_FLEET_NEAR_MOST;
	for (unsigned i = 0; i < count; i++) {
		out[i] = c->full ? XY_FLEET_WHY_FULL : XY_FLEET_WHY_NOT;
		if (node[i].pinned)
			out[i] = XY_FLEET_WHY_PINNED;
		if (is_self(&v, i))
			out[i] = XY_FLEET_WHY_NOT;
	}
	if (c->full)
		return;
	ring(&v, false, XY_FLEET_WHY_RING);
	finger(&v);
	fingers_here(&v);
	if (c->self_relay)
		ring(&v, true, XY_FLEET_WHY_RELAY);
	else
		nearest(&v, true, XY_FLEET_RELAYS_NEAR, XY_FLEET_WHY_RELAY);
	nearest(&v, false, k, XY_FLEET_WHY_NEAR);
	if (k)
		trials(&v);
}
