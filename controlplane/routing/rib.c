// SPDX-License-Identifier: BSD-3-Clause
// A treap over (prefix, source): a search tree by key that is a heap by random rank, so its depth
// is logarithmic whatever prefixes strangers announce.
#include "routing/rib.h"

#include <sodium.h>
#include <stdlib.h>

const char *const xy_route_source_text[XY_ROUTE_SOURCES] = {
	[XY_ROUTE_STATIC] = "static",	[XY_ROUTE_OWN] = "own",
	[XY_ROUTE_LEAF] = "leaf",	[XY_ROUTE_ANNOUNCED] = "announced",
	[XY_ROUTE_LEARNED] = "learned", [XY_ROUTE_PEER] = "peer"};

struct xy_rib_node {
	struct xy_rib_route r;
	uint32_t rank;
	bool refused; // by the dataplane, when it was last set
	struct xy_rib_node *left, *right;
};

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
	if (peer < rib->peers && --rib->uses[peer] == 0)
		rib->freed = true;
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

static void route_put(struct xy_rib *rib, struct xy_rib_node *n, const struct xy_rib_route *r)
{
	each_peer(rib, &r->route, xy_rib_hold);
	each_peer(rib, &n->r.route, xy_rib_release);
	n->r = *r;
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
	free(out);
}

// The first node that is not before the key.
static const struct xy_rib_route *bound(const struct xy_rib *rib, const struct xy_prefix *p,
					unsigned source)
{
	const struct xy_rib_node *n = rib->root, *best = NULL;
	while (n) {
		if (compare(p, source, n) <= 0) {
			best = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best ? &best->r : NULL;
}

const struct xy_rib_route *xy_rib_get(const struct xy_rib *rib, const struct xy_prefix *p,
				      enum xy_route_source source)
{
	const struct xy_rib_route *r = bound(rib, p, source);
	return r && r->source == source && xy_prefix_eq(&r->prefix, p) ? r : NULL;
}

const struct xy_rib_route *xy_rib_best(const struct xy_rib *rib, const struct xy_prefix *p)
{
	const struct xy_rib_route *r = bound(rib, p, 0);
	return r && xy_prefix_eq(&r->prefix, p) ? r : NULL;
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
	return p ? bound(rib, p, XY_ROUTE_SOURCES) : bound(rib, &first, 0);
}

const struct xy_rib_route *xy_rib_next(const struct xy_rib *rib, const struct xy_prefix *p,
				       enum xy_route_source source)
{
	return p ? bound(rib, p, source + 1) : xy_rib_after(rib, NULL);
}

static bool is_equal(const struct xy_dp_route *a, const struct xy_dp_route *b)
{
	if (a->kind != b->kind || a->kind != XY_DP_ROUTE_PEER)
		return a->kind == b->kind;
	return a->peer == b->peer && a->hop_count == b->hop_count &&
	       memcmp(a->hops, b->hops, a->hop_count * sizeof(a->hops[0])) == 0;
}

// The dataplane and who listens follow what is in force now.
static int settle(struct xy_rib *rib, const struct xy_rib_route *was, bool again,
		  const struct xy_prefix *p)
{
	const struct xy_rib_route *is = xy_rib_best(rib, p);
	int r = 0;
	if (is && (!was || again || !is_equal(&was->route, &is->route)))
		r = xy_dp_route_set(rib->dp, p, &is->route);
	if (was && (r || !is)) // what was must not outlive the peer that it leads to
		xy_dp_route_del(rib->dp, p);
	rib->changed = true;
	if (rib->tell)
		rib->tell(rib->arg, was, is);
	return r;
}

int xy_rib_set(struct xy_rib *rib, const struct xy_rib_route *r)
{
	xy_dp_route_prefetch(rib->dp, &r->prefix);
	const struct xy_rib_route *best = xy_rib_best(rib, &r->prefix);
	struct xy_rib_route was;
	struct xy_rib_node *n = *place(rib, &r->prefix, r->source);
	bool again = n && n->refused;

	if (best)
		was = *best;
	if (n) {
		bool same = !again && is_equal(&n->r.route, &r->route);
		route_put(rib, n, r);
		if (same)
			return 0;
	} else {
		n = calloc(1, sizeof(*n));
		if (!n)
			return -ENOMEM;
		route_put(rib, n, r);
		n->rank = rank(rib);
		insert(rib, n);
	}
	int e = settle(rib, best ? &was : NULL, again, &r->prefix);
	n->refused = e;
	return e;
}

void xy_rib_del(struct xy_rib *rib, const struct xy_prefix *p, enum xy_route_source source)
{
	xy_dp_route_prefetch(rib->dp, p);
	struct xy_rib_node **at = place(rib, p, source);
	if (!*at)
		return;
	struct xy_prefix prefix = *p; // it may be the node's own
	struct xy_rib_route was = *xy_rib_best(rib, &prefix);
	take_out(rib, at);
	settle(rib, &was, false, &prefix);
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
	return rib->uses ? 0 : -ENOMEM;
}

void xy_rib_fini(struct xy_rib *rib)
{
	free(rib->uses);
	rib->uses = NULL;
	rib->peers = 0;
}

void xy_rib_clear(struct xy_rib *rib)
{
	while (rib->root)
		xy_rib_del(rib, &rib->root->r.prefix, rib->root->r.source);
	xy_rib_commit(rib);
}
