// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_INTERFACE

#include "hostroutes.h"

#include "daemon.h"
#include "interface.h"

#include <stdlib.h>

#define OWN_METRIC 4096 // of our /64; the kernel's own are 256, people's 1024

static const struct xy_prefix mesh = XY_MESH_PREFIX;

struct queue { // changes of the kernel's routes, in order
	unsigned at, count, room;
	struct xy_hostlink_route *v;
};

struct again { // all routes are told to the kernel again, which may have lost some
	bool going, begun;
	struct xy_prefix at; // last one told
	unsigned back;	     // it had lost
};

// Routes that are not put into the kernel, since it would send a link's datagrams by them.
struct withheld {
	unsigned count;
	struct xy_prefix v[64];
};

struct xy_hostroutes {
	struct queue queue;
	struct again again;
	struct withheld withheld;
	bool due;    // there are changes
	bool denied; // some, since the config file does not name them
	struct xy_log_limit refused;
};

// --- our own, which are always there

// 200::/7; and our /64 for where that leads elsewhere, behind all that others have for it.
static void mesh_routes(const struct xy_daemon *d, struct xy_hostlink_route to[static 2])
{
	to[0] = (struct xy_hostlink_route){.prefix = mesh, .add = true};
	to[1] = (struct xy_hostlink_route){
		.prefix = {.addr = d->id.addr, .len = 64}, .add = true, .metric = OWN_METRIC};
	xy_prefix_mask(&to[1].prefix);
}

int xy_hostroutes_own_add(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_hostlink_route to[2];
	mesh_routes(d, to);
	xy_hostlink_routes(&d->netlink, xy_interface_index(d), to, 2);
	if (to[0].result == -EEXIST) // two daemons on one machine
		xy_log_warn("%s: 200::/7 leads to another interface already, and stays there; of "
			    "the overlay this one gets its own /64",
			    xy_interface_name(d));
	for (unsigned i = 0; i < 2; i++) {
		char text[XY_PREFIX_STRLEN];
		int r = to[i].result;
		if (r && r != -EEXIST)
			return xy_err_set(err, -r, "%s: route %s: %s", xy_interface_name(d),
					  xy_prefix_str(&to[i].prefix, text), strerror(-r));
	}
	return 0;
}

// --- the kernel's routes for what lies outside 200::/7

// Its place among those withheld; count: it is none.
static unsigned withheld(const struct xy_daemon *d, const struct xy_prefix *p)
{
	const struct withheld *all = &d->hostroutes->withheld;
	unsigned i = 0;
	while (i < all->count && !xy_prefix_eq(&all->v[i], p))
		i++;
	return i;
}

// 200::/7 stands for what is in it, but for leaves in our /64, which may lead to a LAN.
static bool is_in_mesh(const struct xy_daemon *d, const struct xy_prefix *p)
{
	const struct xy_prefix own = {.addr = d->id.addr, .len = 64};
	return xy_prefix_covers(&mesh, p) && !(p->len > 64 && xy_prefix_covers(&own, p));
}

// A default route would take the underlay with it: that step is the user's.
static bool is_for_kernel(const struct xy_daemon *d, const struct xy_rib_route *r)
{
	return r && r->route.kind == XY_DP_ROUTE_PEER && !xy_prefix_is_default(&r->prefix) &&
	       !is_in_mesh(d, &r->prefix) &&
	       withheld(d, &r->prefix) == d->hostroutes->withheld.count;
}

bool xy_hostroutes_wants(const struct xy_daemon *d, const struct xy_prefix *p)
{
	struct xy_hostlink_route own[2];
	mesh_routes(d, own);
	return xy_prefix_eq(p, &own[0].prefix) || xy_prefix_eq(p, &own[1].prefix) ||
	       is_for_kernel(d, xy_rib_best(&d->rib, p));
}

static void say_default(const struct xy_daemon *d, const struct xy_rib_route *r)
{
	char text[XY_PREFIX_STRLEN];
	if (r && r->route.kind == XY_DP_ROUTE_PEER && xy_prefix_is_default(&r->prefix) &&
	    !d->plan.config.exit.used)
		xy_log_warn("%s: route %s is not put into the kernel, since the underlay would go "
			    "with it: this host's own packets do not use it; exit in the config, "
			    "naming the node that has it, lets them",
			    xy_interface_name(d), xy_prefix_str(&r->prefix, text));
}

bool xy_hostroutes_default_left(const struct xy_daemon *d)
{
	static const struct xy_prefix all[] = {{.len = 0},
					       {.addr.b = {[10] = 0xff, [11] = 0xff}, .len = 96}};
	for (unsigned i = 0; xy_interface_is_open(d) && !d->plan.config.exit.used && i < 2; i++) {
		const struct xy_rib_route *r = xy_rib_best(&d->rib, &all[i]);
		if (r && r->route.kind == XY_DP_ROUTE_PEER)
			return true;
	}
	return false;
}

// Limited: an accepted key may announce, and withdraw, any number of them.
static void say_result(struct xy_daemon *d, const struct xy_hostlink_route *r)
{
	char text[XY_PREFIX_STRLEN];
	unsigned long missed;
	bool denied = r->result == -EPERM && d->sandbox.warden;
	d->hostroutes->denied |= denied;
	if (!r->result || r->result == -ESRCH || (r->again && r->result == -EEXIST) ||
	    !xy_log_limit_pass(&d->hostroutes->refused, xy_now(), &missed))
		return;
	xy_log_warn("%s: kernel route %s: %s (%lu more like this)", xy_interface_name(d),
		    xy_prefix_str(&r->prefix, text),
		    r->result == -EEXIST ? "there is one already, and it stays; this host does not "
					   "use ours"
		    : denied ? "the config file does not name it, and the privileged helper lets "
			       "nothing else pass; write it there (xylem config write) and reload"
			     : strerror(-r->result),
		    missed);
}

static bool kernel_later(struct xy_daemon *d, const struct xy_prefix *p, bool there)
{
	struct queue *q = &d->hostroutes->queue;
	if (q->count == q->room) {
		unsigned room = q->room ? 2 * q->room : 64;
		void *v = reallocarray(q->v, room, sizeof(*q->v));
		if (!v)
			return false;
		q->v = v;
		q->room = room;
	}
	q->v[q->count++] = (struct xy_hostlink_route){.prefix = *p, .add = there};
	return true;
}

static void on_route(void *arg, const struct xy_rib_route *was, const struct xy_rib_route *is)
{
	struct xy_daemon *d = arg;
	struct withheld *all = &d->hostroutes->withheld;
	bool there = is_for_kernel(d, is), was_there = is_for_kernel(d, was);
	unsigned at = is ? all->count : withheld(d, &was->prefix);
	if (at < all->count)
		all->v[at] = all->v[--all->count];
	if (!was)
		say_default(d, is);
	if (was_there == there)
		return;
	if (!kernel_later(d, is ? &is->prefix : &was->prefix, there))
		xy_log_error("%s: no memory for a kernel route", xy_interface_name(d));
	d->hostroutes->due = true;
}

static void withhold(struct xy_daemon *d, const struct xy_prefix *p, const struct xy_addr *underlay)
{
	char text[XY_PREFIX_STRLEN], at[XY_ADDR_STRLEN];
	struct withheld *all = &d->hostroutes->withheld;
	if (all->count == XY_ARRAY_SIZE(all->v) || !kernel_later(d, p, false))
		return; // it is found again
	all->v[all->count++] = *p;
	d->hostroutes->due = true;
	xy_log_warn("%s: route %s is taken out of the kernel, since a link to %s would go with it: "
		    "this host's own packets do not use it; set fwmark, and see docs/operating.md",
		    xy_interface_name(d), xy_prefix_str(p, text), xy_addr_str(underlay, at));
}

bool xy_hostroutes_withhold(struct xy_daemon *d, const struct xy_addr *underlay)
{
	const struct xy_rib_route *r = NULL;
	int len = 128;
	do {
		r = xy_rib_covering(&d->rib, underlay, len);
		len = r ? r->prefix.len - 1 : 0;
	} while (r && !is_for_kernel(d, r));
	if (r)
		withhold(d, &r->prefix, underlay);
	return r;
}

// The next of all that the kernel is to have, into the queue, which is empty.
static void routes_next(struct xy_daemon *d)
{
	struct xy_hostroutes *h = d->hostroutes;
	struct again *a = &h->again;
	const struct xy_rib_route *r = NULL;
	for (unsigned i = 0; i < XY_HOSTLINK_BATCH && a->going; i++) {
		r = xy_rib_after(&d->rib, a->begun ? &a->at : NULL);
		a->begun = true;
		a->going = r;
		if (!r)
			return;
		a->at = r->prefix;
		if (is_for_kernel(d, r) && kernel_later(d, &r->prefix, true))
			h->queue.v[h->queue.count - 1].again = true;
	}
}

void xy_hostroutes_again(struct xy_daemon *d)
{
	struct xy_hostlink_route own[2];
	mesh_routes(d, own);
	xy_hostlink_routes(&d->netlink, xy_interface_index(d), own, 2);
	struct xy_hostroutes *h = d->hostroutes;
	h->again = (struct again){.going = true,
				  .back = h->again.back + !own[0].result + !own[1].result};
	h->due = true;
}

void xy_hostroutes_reloaded(struct xy_daemon *d)
{
	if (!d->hostroutes || !d->hostroutes->denied)
		return;
	d->hostroutes->denied = false;
	xy_hostroutes_again(d);
}

void xy_hostroutes_rest(struct xy_daemon *d)
{
	if (d->hostroutes)
		d->hostroutes->again = (struct again){0};
}

// True: there are more.
static bool routes_run(struct xy_daemon *d)
{
	struct xy_hostroutes *h = d->hostroutes;
	struct queue *q = &h->queue;
	unsigned n = q->count - q->at < XY_HOSTLINK_BATCH ? q->count - q->at : XY_HOSTLINK_BATCH;
	if (n && xy_interface_is_open(d))
		xy_hostlink_routes(&d->netlink, xy_interface_index(d), &q->v[q->at], n);
	for (; n; n--, q->at++) {
		h->again.back += q->v[q->at].again && !q->v[q->at].result;
		say_result(d, &q->v[q->at]);
	}
	if (q->at < q->count)
		return true;
	q->at = q->count = 0;
	if (h->again.going)
		routes_next(d);
	return h->again.going || q->count;
}

xy_nsec xy_hostroutes_deadline(const struct xy_daemon *d)
{
	return d->hostroutes && d->hostroutes->due ? 0 : XY_NEVER;
}

unsigned xy_hostroutes_run(struct xy_daemon *d)
{
	struct xy_hostroutes *h = d->hostroutes;
	h->due = routes_run(d);
	unsigned back = h->due ? 0 : h->again.back;
	if (!h->due)
		h->again = (struct again){0};
	return back;
}

// --- life

int xy_hostroutes_follow(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_rib *rib = &d->rib;
	const struct xy_rib_route *r = NULL;
	d->hostroutes = calloc(1, sizeof(*d->hostroutes));
	if (!d->hostroutes)
		return xy_err_set(err, ENOMEM, "no memory for the kernel's routes");
	while ((r = xy_rib_after(rib, r ? &r->prefix : NULL))) {
		say_default(d, r);
		if (is_for_kernel(d, r) && !kernel_later(d, &r->prefix, true))
			xy_log_error("%s: no memory for a kernel route", xy_interface_name(d));
	}
	while (routes_run(d))
		;
	rib->tell = on_route;
	rib->arg = d;
	return 0;
}

void xy_hostroutes_close(struct xy_daemon *d)
{
	if (!d->hostroutes)
		return;
	d->rib.tell = NULL;
	free(d->hostroutes->queue.v);
	free(d->hostroutes);
	d->hostroutes = NULL;
}

bool xy_hostroutes_withholds(const struct xy_daemon *d)
{
	return d->hostroutes && d->hostroutes->withheld.count;
}
