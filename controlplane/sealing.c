// SPDX-License-Identifier: BSD-3-Clause
// Where links, routes and far nodes meet, which do not know each other: who may send from what, and
// which routes outside the mesh are sealed for their owner.
#define XY_LOG_PART XY_PART_ROUTING

#include "daemon.h"
#include "taken.h"

#include <sodium.h>

enum { AGAIN_AT_ONCE = 64 };

// A hop that is the owner itself needs no second seal: then the route leads there alone.
static bool owner_hop(const struct xy_daemon *d, const struct xy_rib_route *r, uint32_t *slot)
{
	const struct xy_dp_route *to = &r->route;
	unsigned n = to->hop_count > 1 ? to->hop_count : 1;
	for (unsigned i = 0; i < n; i++) {
		*slot = to->hop_count > 1 ? to->hops[i] : to->peer;
		const struct xy_key *key = xy_links_key(d->links, *slot);
		if (key && memcmp(key->b, r->origin->key.b, sizeof(key->b)) == 0)
			return true;
	}
	return false;
}

static void say_unsealed(struct xy_daemon *d, const struct xy_rib_route *r, int e)
{
	char prefix[XY_PREFIX_STRLEN], addr[XY_ADDR_STRLEN];
	unsigned long missed;
	const struct xy_addr owner = xy_key_addr(&r->origin->key);
	if (xy_log_limit_pass(&d->log_unsealed, xy_now(), &missed))
		xy_log_warn("route %s: cannot be sealed for %s, and is refused: %s (%lu more like "
			    "this)",
			    xy_prefix_str(&r->prefix, prefix), xy_addr_str(&owner, addr),
			    e == -EINVAL   ? "that is this node"
			    : e == -EEXIST ? "another key has its /64"
			    : e == -ENOSPC ? "raise max_sessions and restart"
					   : strerror(-e),
			    missed);
}

static int resolve(void *arg, const struct xy_rib_route *r, struct xy_dp_route *out)
{
	struct xy_daemon *d = arg;
	uint32_t number;
	if (owner_hop(d, r, &number)) {
		*out = (struct xy_dp_route){.kind = XY_DP_ROUTE_PEER, .peer = number};
		return 0;
	}
	*out = (struct xy_dp_route){.kind = XY_DP_ROUTE_FAR};
	int e = xy_fars_pin(d->fars, &r->origin->key, &out->peer, xy_now());
	if (e && e != -EBUSY) // that is a moment's
		say_unsealed(d, r, e);
	return e;
}

static void release(void *arg, uint32_t far)
{
	const struct xy_daemon *d = arg;
	xy_fars_unpin(d->fars, far, xy_now());
}

int xy_sealing_up(struct xy_daemon *d, struct xy_err *err)
{
	const struct xy_config *c = &d->plan.config;
	struct xy_fars_config cfg = {.dp = d->dp,
				     .exchanges = d->exchanges,
				     .rib = &d->rib,
				     .accepts = &d->accepts,
				     .identity = &d->id,
				     .first = c->max_peers,
				     .max = c->max_sessions,
				     .max_sessions = c->max_sessions};
	memcpy(cfg.psk, c->network_secret, sizeof(cfg.psk)); // zeros: none
	if (xy_accepts_make(c, d->plan.remote, &d->accepts))
		return xy_err_set(err, ENOMEM, "no memory for routing.accept");
	xy_taken_tell(d);
	int r = xy_fars_create(&cfg, &d->fars, err);
	sodium_memzero(cfg.psk, sizeof(cfg.psk));
	if (!r)
		d->rib.seal = (struct xy_rib_seal_ops){d, resolve, release};
	return r;
}

void xy_sealing_down(struct xy_daemon *d)
{
	xy_fars_destroy(d->fars);
	d->fars = NULL;
}

// Without memory nothing is accepted: what was before may be wider.
void xy_sealing_accepts(struct xy_daemon *d, struct xy_accepts *made)
{
	struct xy_accepts here = {0};
	bool lacking = !made->key && xy_accepts_make(&d->plan.config, d->plan.remote, &here);
	if (lacking && !d->accepts_lacking)
		xy_log_error("no memory for routing.accept: nothing is accepted until there is");
	d->accepts_lacking = lacking;
	xy_accepts_free(&d->accepts);
	d->accepts = made->key ? *made : here;
	*made = (struct xy_accepts){0};
	xy_taken_tell(d);
	xy_fars_accepts_changed(d->fars);
}

static void accepts_again(struct xy_daemon *d)
{
	struct xy_accepts none = {0};
	if (!d->accepts_lacking)
		return;
	xy_sealing_accepts(d, &none);
	if (!d->accepts_lacking)
		xy_links_accepts_changed(d->links);
}

// Links are told by the plan that comes into force next.
void xy_sealing_apply(struct xy_daemon *d)
{
	xy_fars_secret_set(d->fars, d->plan.config.network_secret);
}

void xy_sealing_second(struct xy_daemon *d)
{
	accepts_again(d);
	xy_taken_second(d);
	if (!xy_rib_wants_again(&d->rib))
		return;
	xy_rib_again(&d->rib, AGAIN_AT_ONCE);
	xy_rib_commit(&d->rib);
}
