// SPDX-License-Identifier: BSD-3-Clause
// A treap over (prefix, source): a search tree by key that is a heap by random rank, so its depth
// is logarithmic whatever prefixes strangers announce.
#include "routes/rib.h"

#include <sodium.h>
#include <stdlib.h>

const char *const xy_route_source_text[XY_ROUTE_SOURCES] = {
	[XY_ROUTE_STATIC] = "static",	[XY_ROUTE_OWN] = "own",
	[XY_ROUTE_LEAF] = "leaf",	[XY_ROUTE_ANNOUNCED] = "announced",
	[XY_ROUTE_LEARNED] = "learned", [XY_ROUTE_PEER] = "peer"};

struct link {
	struct xy_rib_node *prev, *next;
};

struct xy_rib_node {
	struct xy_rib_route r;
	struct xy_rib_origin origin; // if r has one: without whom to seal it for none may be kept
	uint32_t rank;
	bool in_force;
	bool in_news, told_none; // LEARNED: and what was last said of its room
	bool unsealed;		 // a refusal is told: it could not be sealed
	bool narrowed;		 // of several next hops one is told: its origin itself
	uint8_t list;		 // enum list: where its place is
	uint32_t far;		 // in force: the far node that it is sealed for, or NO_FAR
	struct link place, news, again;
	struct xy_rib_node *left, *right;
};

enum { NO_FAR = UINT32_MAX };

// Waiting is +1 for what yields.
enum list { NOWHERE, YIELDING, WAITING };

// --- lists of nodes

#define LINK(n, which) ((struct link *)((char *)(n) + (which)))

static void list_put(struct xy_rib_list *l, struct xy_rib_node *n, size_t which, bool first)
{
	struct link *k = LINK(n, which);
	*k = first ? (struct link){.next = l->head} : (struct link){.prev = l->tail};
	*(k->prev ? &LINK(k->prev, which)->next : &l->head) = n;
	*(k->next ? &LINK(k->next, which)->prev : &l->tail) = n;
}

static void list_take(struct xy_rib_list *l, struct xy_rib_node *n, size_t which)
{
	struct link *k = LINK(n, which);
	*(k->prev ? &LINK(k->prev, which)->next : &l->head) = k->next;
	*(k->next ? &LINK(k->next, which)->prev : &l->tail) = k->prev;
}

enum {
	PLACE = offsetof(struct xy_rib_node, place),
	NEWS = offsetof(struct xy_rib_node, news),
	AGAIN = offsetof(struct xy_rib_node, again),
};

static struct xy_rib_list *list_of(struct xy_rib *rib, unsigned list)
{
	return list >= WAITING ? &rib->waiting[list - WAITING] : &rib->yielding;
}

static bool is_waiting(const struct xy_rib_node *n)
{
	return n->list >= WAITING;
}

static void move_to(struct xy_rib *rib, struct xy_rib_node *n, unsigned list, bool first)
{
	rib->waiting_count -= is_waiting(n);
	if (n->list)
		list_take(list_of(rib, n->list), n, PLACE);
	n->list = (uint8_t)list;
	if (list)
		list_put(list_of(rib, list), n, PLACE, first);
	rib->waiting_count += is_waiting(n);
}

static void unsealed_set(struct xy_rib *rib, struct xy_rib_node *n, bool unsealed)
{
	if (n->unsealed)
		list_take(&rib->unsealed, n, AGAIN);
	if (unsealed)
		list_put(&rib->unsealed, n, AGAIN, false);
	n->unsealed = unsealed;
}

// What is said of its room follows what is so.
static void news_follow(struct xy_rib *rib, struct xy_rib_node *n)
{
	bool is_news = n->r.source == XY_ROUTE_LEARNED && is_waiting(n) != n->told_none;
	if (is_news == n->in_news)
		return;
	n->in_news = is_news;
	if (is_news)
		list_put(&rib->news, n, NEWS, false);
	else
		list_take(&rib->news, n, NEWS);
}

bool xy_rib_room_news(struct xy_rib *rib, struct xy_prefix *p, bool *room)
{
	struct xy_rib_node *n = rib->news.head;
	if (!n)
		return false;
	n->told_none = !n->told_none;
	news_follow(rib, n);
	*p = n->r.prefix;
	*room = !n->told_none;
	return true;
}

// --- the tree

static int compare(const struct xy_prefix *p, unsigned source, const struct xy_rib_node *n)
{
	int c = memcmp(p->addr.b, n->r.prefix.addr.b, sizeof(p->addr.b));
	c = c ? c : (int)p->len - (int)n->r.prefix.len;
	return c ? c : (int)source - (int)n->r.source;
}

static uint32_t rank(struct xy_rib *rib)
{
	rib->random ^= rib->random << 13; // xorshift64, seeded in secret
	rib->random ^= rib->random >> 7;
	rib->random ^= rib->random << 17;
	return (uint32_t)(rib->random >> 32);
}

static void split(struct xy_rib_node *n, const struct xy_rib_route *by, struct xy_rib_node **left,
		  struct xy_rib_node **right)
{
	while (n) {
		if (compare(&by->prefix, by->source, n) < 0) {
			*right = n;
			right = &n->left;
			n = n->left;
		} else {
			*left = n;
			left = &n->right;
			n = n->right;
		}
	}
	*left = *right = NULL;
}

static void insert(struct xy_rib *rib, struct xy_rib_node *new)
{
	struct xy_rib_node **at = &rib->root;
	while (*at && (*at)->rank > new->rank)
		at = compare(&new->r.prefix, new->r.source, *at) < 0 ? &(*at)->left : &(*at)->right;
	split(*at, &new->r, &new->left, &new->right);
	*at = new;
	rib->count++;
}

// --- who is named

void xy_rib_hold(struct xy_rib *rib, uint32_t peer)
{
	if (peer < rib->peers)
		rib->uses[peer]++;
}

void xy_rib_release(struct xy_rib *rib, uint32_t peer)
{
	if (peer >= rib->peers || --rib->uses[peer] || rib->is_unused[peer])
		return;
	rib->is_unused[peer] = true;
	rib->unused[rib->unused_count++] = peer;
}

bool xy_rib_unused(struct xy_rib *rib, uint32_t *peer)
{
	while (rib->unused_count) {
		*peer = rib->unused[--rib->unused_count];
		rib->is_unused[*peer] = false;
		if (!rib->uses[*peer])
			return true;
	}
	return false;
}

static void each_peer(struct xy_rib *rib, const struct xy_dp_route *r,
		      void (*fn)(struct xy_rib *rib, uint32_t peer))
{
	if (r->kind != XY_DP_ROUTE_PEER)
		return;
	fn(rib, r->peer);
	for (unsigned i = 0; i < r->hop_count; i++)
		fn(rib, r->hops[i]);
}

static bool is_mapping(const struct xy_rib *rib, const struct xy_rib_route *r)
{
	bool inside = r->prefix.len >= 7 && xy_addr_is_mesh(&r->prefix.addr);
	return rib->seal.resolve && r->route.kind == XY_DP_ROUTE_PEER && !inside && r->origin &&
	       r->origin->has_key;
}

static void route_put(struct xy_rib *rib, struct xy_rib_node *n, const struct xy_rib_route *r)
{
	each_peer(rib, &r->route, xy_rib_hold);
	each_peer(rib, &n->r.route, xy_rib_release);
	if (r->origin)
		n->origin = *r->origin;
	n->r = *r;
	n->r.origin = r->origin ? &n->origin : NULL;
}

// What was in force before a change: it does not keep its origin, but what it holds.
struct was {
	bool there, unsealed, narrowed;
	struct xy_rib_route r;
	uint32_t far;
};

static const struct xy_rib_route *told_of(const struct was *was)
{
	return was->there ? &was->r : NULL;
}

static struct xy_rib_node **place(struct xy_rib *rib, const struct xy_prefix *p, unsigned source)
{
	struct xy_rib_node **at = &rib->root;
	int c;
	while (*at && (c = compare(p, source, *at)))
		at = c < 0 ? &(*at)->left : &(*at)->right;
	return at;
}

static void take_out(struct xy_rib *rib, struct xy_rib_node **at)
{
	struct xy_rib_node *out = *at, *l = out->left, *r = out->right;
	while (l && r) {
		if (l->rank > r->rank) {
			*at = l;
			at = &l->right;
			l = l->right;
		} else {
			*at = r;
			at = &r->left;
			r = r->left;
		}
	}
	*at = l ? l : r;
	rib->count--;
	each_peer(rib, &out->r.route, xy_rib_release);
	move_to(rib, out, NOWHERE, false);
	unsealed_set(rib, out, false);
	if (out->in_news)
		list_take(&rib->news, out, NEWS);
	free(out);
}

// The first node that is not before the key.
static struct xy_rib_node *bound(const struct xy_rib *rib, const struct xy_prefix *p,
				 unsigned source)
{
	struct xy_rib_node *n = rib->root, *best = NULL;
	while (n) {
		if (compare(p, source, n) <= 0) {
			best = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

// What the first source wants.
static struct xy_rib_node *first_of(const struct xy_rib *rib, const struct xy_prefix *p)
{
	struct xy_rib_node *n = bound(rib, p, 0);
	return n && xy_prefix_eq(&n->r.prefix, p) ? n : NULL;
}

static const struct xy_rib_route *route_of(const struct xy_rib_node *n)
{
	return n ? &n->r : NULL;
}

const struct xy_rib_route *xy_rib_get(const struct xy_rib *rib, const struct xy_prefix *p,
				      enum xy_route_source source)
{
	const struct xy_rib_node *n = bound(rib, p, source);
	return n && n->r.source == source && xy_prefix_eq(&n->r.prefix, p) ? &n->r : NULL;
}

bool xy_rib_in_force(const struct xy_rib *rib, const struct xy_rib_route *r)
{
	return xy_rib_best(rib, &r->prefix) == r;
}

const struct xy_rib_route *xy_rib_best(const struct xy_rib *rib, const struct xy_prefix *p)
{
	const struct xy_rib_node *n = first_of(rib, p);
	return n && n->in_force ? &n->r : NULL;
}

const struct xy_rib_route *xy_rib_covering(const struct xy_rib *rib, const struct xy_addr *a,
					   int len)
{
	int shortest = xy_addr_is_v4(a) ? 96 : 0;
	const struct xy_rib_route *r = NULL;
	for (; !r && len >= shortest; len--) {
		struct xy_prefix p = {.addr = *a, .len = (uint8_t)len};
		xy_prefix_mask(&p);
		r = xy_rib_best(rib, &p);
	}
	return r;
}

const struct xy_rib_route *xy_rib_after(const struct xy_rib *rib, const struct xy_prefix *p)
{
	static const struct xy_prefix first;
	const struct xy_rib_node *n = p ? bound(rib, p, XY_ROUTE_SOURCES) : bound(rib, &first, 0);
	while (n && !n->in_force) // of the first source of a prefix: nothing is
		n = bound(rib, &n->r.prefix, XY_ROUTE_SOURCES);
	return route_of(n);
}

const struct xy_rib_route *xy_rib_next(const struct xy_rib *rib, const struct xy_prefix *p,
				       enum xy_route_source source)
{
	static const struct xy_prefix first;
	return route_of(p ? bound(rib, p, source + 1) : bound(rib, &first, 0));
}

static struct was was_of(struct xy_rib_node *n)
{
	if (!n || !n->in_force)
		return (struct was){.far = NO_FAR};
	struct was was = {.there = true,
			  .unsealed = n->unsealed,
			  .narrowed = n->narrowed,
			  .r = n->r,
			  .far = n->far};
	was.r.origin = NULL;
	n->far = NO_FAR; // settle's from here on
	return was;
}

static bool is_equal(const struct xy_dp_route *a, const struct xy_dp_route *b)
{
	if (a->kind == XY_DP_ROUTE_HOST && a->host != b->host)
		return false;
	if (a->kind == XY_DP_ROUTE_FAR && a->peer != b->peer)
		return false;
	if (a->kind != b->kind || a->kind != XY_DP_ROUTE_PEER)
		return a->kind == b->kind;
	return a->peer == b->peer && a->hop_count == b->hop_count &&
	       memcmp(a->hops, b->hops, a->hop_count * sizeof(a->hops[0])) == 0;
}

// --- what is in force

static void tell(struct xy_rib *rib, const struct xy_rib_route *was, const struct xy_rib_node *is)
{
	rib->changed = true;
	if (rib->tell && (was || is))
		rib->tell(rib->arg, was, route_of(is));
}

// What a node stands in follows whether it is in force, or waits for room.
static void stand(struct xy_rib *rib, struct xy_rib_node *n, int refused)
{
	bool waits = refused == -ENOSPC || refused == -ENOMEM;
	unsigned to = waits ? WAITING + n->r.yields : NOWHERE;
	rib->lacking = rib->lacking || refused == -ENOMEM;
	n->in_force = !refused;
	if (n->in_force && n->r.yields)
		to = YIELDING;
	if (n->list != to)
		move_to(rib, n, to, false);
	news_follow(rib, n);
}

static void release(const struct xy_rib *rib, uint32_t far)
{
	if (far != NO_FAR)
		rib->seal.release(rib->seal.arg, far);
}

static void unseal(struct xy_rib *rib, struct xy_rib_node *n)
{
	release(rib, n->far);
	n->far = NO_FAR;
	unsealed_set(rib, n, false);
}

// The latest of those that yield gives up its place; it is the first to have one again.
static bool make_room(struct xy_rib *rib)
{
	struct xy_rib_node *n = rib->yielding.tail;
	if (!n)
		return false;
	xy_dp_route_del(rib->dp, &n->r.prefix);
	n->in_force = false;
	unseal(rib, n);
	move_to(rib, n, WAITING + true, true);
	news_follow(rib, n);
	tell(rib, &n->r, NULL);
	return true;
}

// What the dataplane is told; n holds the far node that it names. What cannot be sealed is refused:
// a relay would drop it, and a shorter prefix is not meant.
static struct xy_dp_route resolve(struct xy_rib *rib, struct xy_rib_node *n)
{
	struct xy_dp_route out = n->r.route;
	bool mapping = is_mapping(rib, &n->r);
	bool failed = mapping && rib->seal.resolve(rib->seal.arg, &n->r, &out);
	if (failed)
		out = (struct xy_dp_route){.kind = XY_DP_ROUTE_REJECT};
	unsealed_set(rib, n, failed);
	n->narrowed = out.kind == XY_DP_ROUTE_PEER && !is_equal(&out, &n->r.route);
	if (out.kind == XY_DP_ROUTE_FAR)
		n->far = out.peer;
	return out;
}

static int put_resolved(struct xy_rib *rib, struct xy_rib_node *n, const struct xy_dp_route *route)
{
	int e = xy_dp_route_set(rib->dp, &n->r.prefix, route);
	if (e == -ENOSPC && !n->r.yields && make_room(rib))
		e = xy_dp_route_set(rib->dp, &n->r.prefix, route);
	if (e)
		unseal(rib, n);
	return e;
}

static struct xy_dp_route told_route(const struct was *was)
{
	if (was->unsealed)
		return (struct xy_dp_route){.kind = XY_DP_ROUTE_REJECT};
	return was->far == NO_FAR ? was->r.route
				  : (struct xy_dp_route){.kind = XY_DP_ROUTE_FAR, .peer = was->far};
}

// What is told already is not told again.
static int put(struct xy_rib *rib, struct xy_rib_node *n, const struct was *was)
{
	const struct xy_dp_route route = resolve(rib, n), told = told_route(was);
	return was->there && !was->narrowed && is_equal(&told, &route)
		       ? 0
		       : put_resolved(rib, n, &route);
}

// A place is free, or there may be memory again: for who has waited longest. Where it does not fit
// all the same, nobody's would. True: it is in force.
static bool room_given(struct xy_rib *rib)
{
	struct xy_rib_node *n = rib->waiting[false].head;
	n = n ? n : rib->waiting[true].head;
	rib->lacking = rib->lacking && n;
	if (!n || rib->clearing)
		return false;
	const struct xy_dp_route route = resolve(rib, n);
	int e = xy_dp_route_set(rib->dp, &n->r.prefix, &route);
	if (e) {
		rib->lacking = e == -ENOMEM;
		unseal(rib, n);
		return false;
	}
	stand(rib, n, 0);
	tell(rib, NULL, n);
	return true;
}

// The dataplane and who listens follow what the sources of a prefix want now.
static int settle(struct xy_rib *rib, const struct was *was, const struct xy_prefix *p)
{
	struct xy_rib_node *is = first_of(rib, p), *below;
	int r = is ? put(rib, is, was) : 0;
	if (is)
		stand(rib, is, r);
	// What is behind the first source is neither in force nor waits.
	below = is ? bound(rib, p, is->r.source + 1u) : NULL;
	if (below && xy_prefix_eq(&below->r.prefix, p)) {
		below->in_force = false;
		unsealed_set(rib, below, false);
		move_to(rib, below, NOWHERE, false);
		news_follow(rib, below);
	}
	tell(rib, told_of(was), r ? NULL : is);
	bool gone = was->there && (r || !is);
	if (gone) // what was must not outlive the peer that it leads to
		xy_dp_route_del(rib->dp, p);
	release(rib, was->far);
	if (gone)
		room_given(rib);
	// One that yields may have come into a place that was held by one that does not.
	if (rib->waiting[false].head && !rib->lacking && make_room(rib))
		room_given(rib);
	return r;
}

// One that could not be sealed is tried again.
static bool is_sealed_alike(const struct xy_rib *rib, const struct xy_rib_node *n,
			    const struct xy_rib_route *r)
{
	if (n->unsealed)
		return false;
	if (!is_mapping(rib, &n->r) || !is_mapping(rib, r))
		return is_mapping(rib, &n->r) == is_mapping(rib, r);
	return memcmp(n->r.origin->key.b, r->origin->key.b, sizeof(r->origin->key.b)) == 0;
}

int xy_rib_set(struct xy_rib *rib, const struct xy_rib_route *r)
{
	xy_dp_route_prefetch(rib->dp, &r->prefix);
	struct xy_rib_node *n = *place(rib, &r->prefix, r->source);

	if (n && n->in_force && is_equal(&n->r.route, &r->route) && n->r.yields == r->yields &&
	    is_sealed_alike(rib, n, r)) {
		route_put(rib, n, r);
		return 0;
	}
	struct xy_rib_node *new = n ? NULL : calloc(1, sizeof(*new));
	if (!n && !new)
		return -ENOMEM;
	struct was was = was_of(first_of(rib, &r->prefix));
	if (new) {
		new->far = NO_FAR;
		new->rank = rank(rib);
		n = new;
	}
	route_put(rib, n, r);
	if (new)
		insert(rib, new);
	return settle(rib, &was, &r->prefix);
}

void xy_rib_del(struct xy_rib *rib, const struct xy_prefix *p, enum xy_route_source source)
{
	xy_dp_route_prefetch(rib->dp, p);
	struct xy_rib_node **at = place(rib, p, source);
	if (!*at)
		return;
	struct xy_prefix prefix = *p; // it may be the node's own
	struct was was = was_of(first_of(rib, &prefix));
	take_out(rib, at);
	settle(rib, &was, &prefix);
}

static void seal_again(struct xy_rib *rib, unsigned *max)
{
	const struct xy_rib_node *last = rib->unsealed.tail;
	for (struct xy_rib_node *n; *max && (n = rib->unsealed.head); --*max) {
		bool end = n == last; // what cannot be sealed still is behind it then
		struct was was = was_of(n);
		settle(rib, &was, &n->r.prefix);
		if (end)
			break;
	}
}

bool xy_rib_wants_again(const struct xy_rib *rib)
{
	return rib->unsealed.head || rib->lacking;
}

void xy_rib_again(struct xy_rib *rib, unsigned max)
{
	seal_again(rib, &max);
	while (max-- && rib->lacking && room_given(rib))
		;
}

void xy_rib_commit(struct xy_rib *rib)
{
	if (rib->changed)
		xy_dp_route_commit(rib->dp);
	rib->changed = false;
}

int xy_rib_init(struct xy_rib *rib, struct xy_dp *dp, uint32_t peers)
{
	*rib = (struct xy_rib){.dp = dp, .peers = peers};
	randombytes_buf(&rib->random, sizeof(rib->random));
	rib->random |= 1; // xorshift's one bad state
	rib->uses = calloc(peers, sizeof(*rib->uses));
	rib->unused = calloc(peers, sizeof(*rib->unused));
	rib->is_unused = calloc(peers, sizeof(*rib->is_unused));
	return rib->uses && rib->unused && rib->is_unused ? 0 : -ENOMEM;
}

void xy_rib_fini(struct xy_rib *rib)
{
	free(rib->uses);
	free(rib->unused);
	free(rib->is_unused);
	rib->uses = rib->unused = NULL;
	rib->is_unused = NULL;
	rib->peers = 0;
}

void xy_rib_clear(struct xy_rib *rib)
{
	rib->clearing = true; // nobody is given what goes next
	while (rib->root)
		xy_rib_del(rib, &rib->root->r.prefix, rib->root->r.source);
	rib->clearing = false;
	xy_rib_commit(rib);
}
