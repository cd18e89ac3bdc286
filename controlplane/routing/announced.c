// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_ROUTING

#include "routing/announced.h"

#include "log.h"

#include <stdlib.h>

#define HOLD_DOWN      (10 * XY_SEC) // doubled each time that it is lost again soon
#define HOLD_DOWN_MOST (300 * XY_SEC)
#define SOON	       (120 * XY_SEC)
#define ASK_EVERY      (10 * XY_SEC) // nothing is sent there that would

static int by_prefix(const void *a, const void *b)
{
	const struct xy_announced_net *x = a, *y = b;
	int c = memcmp(x->prefix.addr.b, y->prefix.addr.b, sizeof(x->prefix.addr.b));
	return c ? c : (int)x->prefix.len - (int)y->prefix.len;
}

static struct xy_announced_net *find(const struct xy_announced *a, const struct xy_prefix *p)
{
	const struct xy_announced_net key = {.prefix = *p};
	return a->count ? bsearch(&key, a->v, a->count, sizeof(*a->v), by_prefix) : NULL;
}

static struct xy_announced_net net_of(const struct xy_prefix *p, bool claimed)
{
	return (struct xy_announced_net){
		.prefix = *p, .leaf = XY_DP_NO_PEER, .hold_down = HOLD_DOWN, .claimed = claimed};
}

// In order, each once; with what is claimed now, unless the config has it as well.
static int list_make(struct xy_announced *a, const struct xy_config_prefixes *want,
		     const struct xy_announced *now)
{
	unsigned kept = 0, count = want->count;
	*a = (struct xy_announced){.v = calloc(count + 2u, sizeof(*a->v))};
	if (!a->v)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++)
		a->v[i] = net_of(&want->v[i], false);
	for (unsigned i = 0; i < now->count && count == want->count; i++)
		if (now->v[i].claimed)
			a->v[count++] = net_of(&now->v[i].prefix, true);
	qsort(a->v, count, sizeof(*a->v), by_prefix);
	for (unsigned i = 0; i < count; i++)
		if (!kept || by_prefix(&a->v[kept - 1], &a->v[i]) != 0)
			a->v[kept++] = a->v[i];
	a->count = kept;
	return 0;
}

int xy_announced_set(struct xy_announced *a, const struct xy_config_prefixes *want, xy_nsec now)
{
	struct xy_announced next;
	int r = list_make(&next, want, a);
	if (r)
		return r;
	for (unsigned i = 0; i < a->count; i++) {
		struct xy_announced_net *n = find(&next, &a->v[i].prefix);
		if (n) {
			bool claimed = n->claimed;
			*n = a->v[i];
			n->claimed = claimed;
		} else if (a->v[i].told)
			xy_babel_withdraw(a->babel, &a->v[i].prefix, now);
	}
	free(a->v);
	a->v = next.v;
	a->count = next.count;
	return 0;
}

static void claimed_end(struct xy_announced *a, xy_nsec now)
{
	for (unsigned i = 0; i < a->count; i++) {
		if (!a->v[i].claimed)
			continue;
		if (a->v[i].told)
			xy_babel_withdraw(a->babel, &a->v[i].prefix, now);
		memmove(&a->v[i], &a->v[i + 1], (--a->count - i) * sizeof(*a->v));
		return; // there is one at most
	}
}

int xy_announced_claim(struct xy_announced *a, const struct xy_prefix *p, xy_nsec now)
{
	const struct xy_announced_net *have = p ? find(a, p) : NULL;
	if (have)
		return have->claimed ? 0 : -EEXIST;
	if (p) {
		struct xy_announced_net *v = reallocarray(a->v, a->count + 2u, sizeof(*v));
		if (!v)
			return -ENOMEM;
		a->v = v;
	}
	claimed_end(a, now);
	if (p) {
		a->v[a->count++] = net_of(p, true);
		qsort(a->v, a->count, sizeof(*a->v), by_prefix);
	}
	return 0;
}

static const char *leaf_name(const struct xy_announced *a, const struct xy_announced_net *n)
{
	const char *name = a->links->name(a->links->arg, n->leaf);
	return name ? name : "?";
}

static int tell(struct xy_announced *a, struct xy_announced_net *n, xy_nsec now)
{
	char text[XY_PREFIX_STRLEN];
	int e = xy_babel_announce(a->babel, &n->prefix, now);
	if (e && e != -EEXIST)
		return e;
	if (n->lost)
		xy_log_info("routing: %s is announced again: peer %s answers, or has it no longer",
			    xy_prefix_str(&n->prefix, text), leaf_name(a, n));
	n->told = true;
	n->lost = false;
	n->told_at = now;
	return 0;
}

static void withdraw(struct xy_announced *a, struct xy_announced_net *n, xy_nsec now)
{
	char text[XY_PREFIX_STRLEN];
	if (!n->lost)
		xy_log_warn("routing: %s is not announced: peer %s, which has it, does not answer",
			    xy_prefix_str(&n->prefix, text), leaf_name(a, n));
	if (n->told)
		xy_babel_withdraw(a->babel, &n->prefix, now);
	bool soon = n->told_at && now - n->told_at < SOON;
	if (n->told)
		n->hold_down = soon ? 2 * n->hold_down : HOLD_DOWN;
	if (n->hold_down > HOLD_DOWN_MOST)
		n->hold_down = HOLD_DOWN_MOST;
	n->told = false;
	n->lost = true;
}

// Who was there before has to stay for a while, or a tunnel that comes and goes is told to
// everyone.
static bool is_back(struct xy_announced_net *n, enum xy_link_health h, xy_nsec now)
{
	if (h == XY_LINK_WELL && !n->well)
		n->well = now;
	if (h != XY_LINK_WELL)
		return false;
	return !n->told_at || now - n->well >= n->hold_down;
}

static uint32_t leaf_of(const struct xy_announced *a, const struct xy_prefix *p)
{
	const struct xy_rib_route *r = xy_rib_best(a->rib, p);
	return r && r->route.kind == XY_DP_ROUTE_PEER ? r->route.peer : XY_DP_NO_PEER;
}

static int look_leaf(struct xy_announced *a, struct xy_announced_net *n, xy_nsec now)
{
	enum xy_link_health h = a->links->health(a->links->arg, n->leaf, now);
	if (h == XY_LINK_LOST) {
		n->well = 0;
		if (!n->lost)
			withdraw(a, n, now);
	}
	if (n->lost && h != XY_LINK_WELL && now - n->asked >= ASK_EVERY) {
		n->asked = now;
		a->links->ask(a->links->arg, n->leaf, now);
	}
	if (n->told || (n->lost && !is_back(n, h, now)))
		return 0;
	return tell(a, n, now);
}

static int look(struct xy_announced *a, struct xy_announced_net *n, xy_nsec now)
{
	n->leaf = leaf_of(a, &n->prefix);
	if (n->leaf != XY_DP_NO_PEER)
		return look_leaf(a, n, now);
	return n->told ? 0 : tell(a, n, now);
}

int xy_announced_look(struct xy_announced *a, unsigned from, unsigned max, xy_nsec now, bool *told)
{
	int failed = 0;
	for (unsigned i = from; i < a->count && i - from < max; i++) {
		bool before = a->v[i].told;
		int e = look(a, &a->v[i], now);
		failed = e ? e : failed;
		*told |= before != a->v[i].told;
	}
	return failed;
}

const char *xy_announced_withheld(const struct xy_announced *a, unsigned nth, struct xy_prefix *p)
{
	for (unsigned i = 0; i < a->count; i++) {
		if (!a->v[i].lost || nth--)
			continue;
		*p = a->v[i].prefix;
		return leaf_name(a, &a->v[i]);
	}
	return NULL;
}

void xy_announced_fini(struct xy_announced *a)
{
	free(a->v);
	a->v = NULL;
	a->count = 0;
}
