// SPDX-License-Identifier: BSD-3-Clause
// What is new comes into force, in slices. A config's peers go into the book; what is news there is
// followed, whoever said it: links that nobody wants go, the others come or change. Then the routes
// are set (routes.c), and those of before go. A link that goes leaves its number behind until no
// route leads there; where numbers run out, the links that lack one wait, and come in a second
// round.
#define XY_LOG_PART XY_PART_LINKS

#include "links/link.h"

#include <sodium.h>

enum { PEER_STEPS = 8 }; // of work in a peer, to one in a route

static void open_set(struct xy_links *l, const struct xy_config *c)
{
	l->open_most = c->max_open_peers;
	if (sodium_memcmp(l->open_psk, c->network_secret, sizeof(l->open_psk)) == 0)
		return;
	memcpy(l->open_psk, c->network_secret, sizeof(l->open_psk)); // zeros: none
	l->reopening = l->cfg.max_peers;
}

void xy_links_apply_failed(struct xy_links *l, int result, const struct xy_err *err)
{
	struct xy_links_apply *a = &l->apply;
	if (a->alone) { // nobody waits for the result: the first is said, as that would be
		if (!a->said)
			xy_log_error("%s", err->text);
		a->said = true;
		return;
	}
	if (!a->result)
		a->err = *err;
	a->result = a->result ? a->result : result;
}

static bool feed_run(struct xy_links *l, unsigned *max)
{
	struct xy_err err;
	int r;
	while ((r = xy_feed_run(&l->feed, max, &err)) < 0)
		xy_links_apply_failed(l, r, &err);
	return r;
}

// --- the book's news

static void drop(struct xy_links *l, struct xy_link *k)
{
	xy_log_changes_end(k->name);
	xy_log_info("peer %s: removed", k->name);
	xy_link_order_drop(l, k);
	xy_link_remove(l, k);
}

// Another pre-shared key or another kind: its sessions must not go on.
static bool is_same(const struct xy_link *k, const struct xy_book_peer *p)
{
	return k->leaf == p->says->leaf && xy_hs_remote_same(&k->exchange.theirs, p->remote);
}

static void change(struct xy_links *l, struct xy_link *k, const struct xy_book_peer *p, xy_nsec now)
{
	bool renamed = strcmp(k->name, p->says->name) != 0; // the list is moved for nothing else
	if (renamed || k->open)
		xy_log_changes_end(k->name);
	if (renamed)
		xy_link_order_drop(l, k);
	xy_link_open_adopt(l, k, now);
	xy_link_change(l, k, p, now);
	if (renamed)
		xy_link_order_put(l, k);
}

static int add(struct xy_links *l, const struct xy_book_peer *p, xy_nsec now, struct xy_link **out)
{
	int r = xy_link_add(l, p, now, out);
	if (!r)
		xy_link_order_put(l, *out);
	return r;
}

static void bring_in(struct xy_links *l, struct xy_link *k, const struct xy_book_peer *p,
		     xy_nsec now)
{
	bool same = k && is_same(k, p);
	struct xy_err err;
	if (same)
		change(l, k, p, now);
	else if (k)
		drop(l, k);
	int r = same ? 0 : add(l, p, now, &k);
	if (!r)
		xy_link_tell(l, k, XY_LINK_SET);
	if (r == -EAGAIN || r == -ENOSPC)
		xy_book_wait(l->book, &p->key);
	if (r == -EAGAIN)
		l->apply.lacking = true;
	else if (r)
		xy_links_apply_failed(
			l,
			xy_err_set(&err, -r, "peer %s: cannot be added: %s%s", p->says->name,
				   strerror(-r),
				   r == -ENOSPC ? "; raise max_peers and restart" : ""),
			&err);
}

static void follow(struct xy_links *l, const struct xy_book_peer *p, xy_nsec now)
{
	struct xy_link *k = xy_link_by_key(l, p->key.b);
	if (p->says ? p->source == XY_BOOK_OPEN : !k) // strangers.c has seen to it
		return;
	l->apply.changed = true;
	if (p->says)
		bring_in(l, k, p, now);
	else
		drop(l, k);
}

static bool peers_run(struct xy_links *l, unsigned *max, xy_nsec now)
{
	struct xy_book_peer p;
	for (; *max >= PEER_STEPS && xy_book_news(l->book, &p); *max -= PEER_STEPS)
		follow(l, &p, now);
	return xy_book_has_news(l->book);
}

// --- phases

static bool phase_run(struct xy_links *l, unsigned *max, xy_nsec now)
{
	switch (l->apply.phase) {
	case XY_APPLY_FEED:
		return feed_run(l, max);
	case XY_APPLY_PEERS:
		return peers_run(l, max, now);
	case XY_APPLY_ROUTES:
		return xy_links_routes_run(l, max);
	case XY_APPLY_SWEEP:
		return xy_links_routes_sweep(l, max);
	case XY_APPLY_WAIT:
	case XY_APPLY_NONE:
		break;
	}
	return false;
}

static enum xy_apply_phase phase_after(const struct xy_links_apply *a)
{
	switch (a->phase) {
	case XY_APPLY_PEERS:
		return a->changed ? XY_APPLY_ROUTES : XY_APPLY_NONE;
	case XY_APPLY_SWEEP:
		return a->lacking ? XY_APPLY_WAIT : XY_APPLY_NONE;
	case XY_APPLY_WAIT:
		return XY_APPLY_PEERS;
	default:
		return a->phase + 1;
	}
}

static void phase_begin(struct xy_links *l, enum xy_apply_phase phase)
{
	struct xy_links_apply *a = &l->apply;
	a->phase = phase;
	a->at = a->nth = a->list = 0;
	a->swept_source = 0;
	if (phase == XY_APPLY_PEERS)
		a->lacking = false;
	if (phase == XY_APPLY_ROUTES)
		l->mark += l->mark == UINT32_MAX ? 2 : 1; // never 0
}

void xy_links_apply_begin(struct xy_links *l, const struct xy_plan *plan)
{
	l->apply = (struct xy_links_apply){.plan = plan, .changed = true};
	open_set(l, &plan->config);
	xy_feed_begin(&l->feed, plan);
	phase_begin(l, XY_APPLY_FEED);
}

static void alone_begin(struct xy_links *l)
{
	l->apply.alone = true;
	l->apply.changed = l->apply.said = false;
	phase_begin(l, XY_APPLY_PEERS);
}

bool xy_links_applying(const struct xy_links *l)
{
	return l->apply.phase != XY_APPLY_NONE;
}

bool xy_links_apply_due(const struct xy_links *l)
{
	const struct xy_links_apply *a = &l->apply;
	if (a->phase == XY_APPLY_NONE)
		return a->plan && xy_book_has_news(l->book);
	return a->phase != XY_APPLY_WAIT || xy_book_has_news(l->book) || !l->leaving_count;
}

void xy_links_apply_run(struct xy_links *l, unsigned max, xy_nsec now)
{
	while (xy_links_apply_due(l)) {
		if (l->apply.phase == XY_APPLY_NONE)
			alone_begin(l);
		if (phase_run(l, &max, now))
			break; // max is used up
		phase_begin(l, phase_after(&l->apply));
	}
	xy_rib_commit(l->rib);
	xy_links_slots_free(l);
}

int xy_links_apply_result(const struct xy_links *l, struct xy_err *err)
{
	if (l->apply.result && err)
		*err = l->apply.err;
	return l->apply.result;
}

int xy_links_apply(struct xy_links *l, const struct xy_plan *plan, xy_nsec now, struct xy_err *err)
{
	xy_links_apply_begin(l, plan);
	while (xy_links_apply_due(l))
		xy_links_apply_run(l, UINT32_MAX, now);
	return xy_links_apply_result(l, err);
}
