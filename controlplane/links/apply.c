// SPDX-License-Identifier: BSD-3-Clause
// From one config to the next, in slices: links that the plan wants are marked, those that it does
// not want go, the others come or change, then the routes are set (routes.c), and those of the old
// plan go. A link that goes leaves its number behind until no route leads there; where numbers run
// out, the links that lack one come in a second round.
#include "links/link.h"

#include <sodium.h>

enum {
	PEER_STEPS = 8,	 // of work in a peer, to one in a route
	SLOTS_STEP = 64, // slots without a link, in one
};

static bool is_same(const struct xy_link *k, const struct xy_plan *plan, unsigned at)
{
	// Another pre-shared key or another kind: its sessions must not go on.
	return k->leaf == plan->config.peers[at].leaf &&
	       sodium_memcmp(&k->exchange.theirs, &plan->remote[at], sizeof(k->exchange.theirs)) ==
		       0;
}

static bool mark_run(struct xy_links *l, unsigned *max)
{
	struct xy_links_apply *a = &l->apply;
	for (; a->at < a->plan->config.peer_count && *max; --*max, a->at++) {
		struct xy_link *k = xy_link_by_key(l, a->plan->config.peers[a->at].key.b);
		if (k)
			k->mark = is_same(k, a->plan, a->at) ? l->mark : 0;
	}
	return a->at < a->plan->config.peer_count;
}

// A stranger's stays as well, where peering is open.
static bool is_wanted(const struct xy_links *l, const struct xy_link *k)
{
	bool open = l->apply.plan->config.peering != XY_PEERING_CLOSED;
	return k->mark == l->mark || (k->mark && k->open && open);
}

static void open_set(struct xy_links *l, const struct xy_config *c)
{
	l->open_most = c->max_open_peers;
	memcpy(l->open_psk, c->network_secret, sizeof(l->open_psk)); // zeros: none
}

void xy_links_apply_failed(struct xy_links *l, int result, const struct xy_err *err)
{
	if (!l->apply.result)
		l->apply.err = *err;
	l->apply.result = l->apply.result ? l->apply.result : result;
}

static void drop(struct xy_links *l, struct xy_link *k)
{
	xy_log_info("peer %s: removed", k->name);
	xy_link_order_drop(l, k);
	xy_link_remove(l, k);
}

static bool remove_run(struct xy_links *l, unsigned *max)
{
	struct xy_links_apply *a = &l->apply;
	for (; a->at < l->cfg.max_peers; a->at++) {
		struct xy_link *k = l->link[a->at];
		unsigned steps = k ? 1 : a->at % SLOTS_STEP == 0;
		if (k && !is_wanted(l, k))
			steps = PEER_STEPS;
		if (*max < steps)
			return true;
		*max -= steps;
		if (steps == PEER_STEPS)
			drop(l, k);
	}
	return false;
}

static int change(struct xy_links *l, struct xy_link *k, const struct xy_config_peer *p,
		  xy_nsec now)
{
	bool renamed = strcmp(k->name, p->name) != 0; // the list is moved for nothing else
	if (renamed)
		xy_link_order_drop(l, k);
	xy_link_open_adopt(l, k, now);
	int r = xy_link_change(l, k, p, now);
	if (renamed)
		xy_link_order_put(l, k);
	return r;
}

static void bring_in(struct xy_links *l, unsigned at, xy_nsec now)
{
	const struct xy_plan *plan = l->apply.plan;
	const struct xy_config_peer *p = &plan->config.peers[at];
	struct xy_link *k = xy_link_by_key(l, p->key.b);
	struct xy_err err;
	int r = 0;
	if (xy_key_is_zero(&p->key)) // not known yet
		return;
	if (k && !is_same(k, plan, at)) { // a stranger that came since the others went
		drop(l, k);
		k = NULL;
	}
	if (k) {
		r = change(l, k, p, now);
	} else {
		r = xy_link_add(l, p, &plan->remote[at], now, &k);
		if (!r)
			xy_link_order_put(l, k);
	}
	if (r == -EAGAIN)
		l->apply.lacking = true;
	else if (r)
		xy_links_apply_failed(
			l,
			xy_err_set(&err, -r, "peer %s: cannot be added: %s%s", p->name,
				   strerror(-r),
				   r == -ENOSPC ? "; raise max_peers and restart" : ""),
			&err);
}

static bool peers_run(struct xy_links *l, unsigned *max, xy_nsec now)
{
	struct xy_links_apply *a = &l->apply;
	if (!a->at)
		a->lacking = false;
	for (; a->at < a->plan->config.peer_count && *max >= PEER_STEPS; *max -= PEER_STEPS)
		bring_in(l, a->at++, now);
	return a->at < a->plan->config.peer_count;
}

static bool phase_run(struct xy_links *l, unsigned *max, xy_nsec now)
{
	switch (l->apply.phase) {
	case XY_APPLY_MARK:
		return mark_run(l, max);
	case XY_APPLY_REMOVE:
		return remove_run(l, max);
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
	case XY_APPLY_SWEEP:
		return a->lacking ? XY_APPLY_WAIT : XY_APPLY_NONE;
	case XY_APPLY_WAIT:
		return XY_APPLY_PEERS;
	default:
		return a->phase + 1;
	}
}

static void phase_begin(struct xy_links_apply *a, enum xy_apply_phase phase)
{
	a->phase = phase;
	a->at = a->nth = a->list = 0;
	a->swept_source = 0;
}

void xy_links_apply_begin(struct xy_links *l, const struct xy_plan *plan)
{
	l->apply = (struct xy_links_apply){.plan = plan};
	open_set(l, &plan->config);
	l->mark += l->mark == UINT32_MAX ? 2 : 1; // never 0
	phase_begin(&l->apply, XY_APPLY_MARK);
}

bool xy_links_applying(const struct xy_links *l)
{
	return l->apply.phase != XY_APPLY_NONE;
}

bool xy_links_apply_due(const struct xy_links *l)
{
	return l->apply.phase == XY_APPLY_WAIT ? l->free_count || !l->leaving_count
					       : l->apply.phase != XY_APPLY_NONE;
}

void xy_links_apply_run(struct xy_links *l, unsigned max, xy_nsec now)
{
	while (xy_links_apply_due(l)) {
		if (phase_run(l, &max, now))
			break; // max is used up
		phase_begin(&l->apply, phase_after(&l->apply));
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
