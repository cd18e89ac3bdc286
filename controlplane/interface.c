// SPDX-License-Identifier: BSD-3-Clause
// The host interface: TUN, our address, MTU, and the kernel's routes into the overlay. The TUN is
// not persistent: when the process ends, however it ends, all of it is gone.
#include "daemon.h"

#include <net/if.h>
#include <stdlib.h>

#define MTU_MIN	     1280 // RFC 8200
#define MTU_DEFAULT  1344 // 1500 - 80 - 72, rounded down to 16
#define E2E_OVERHEAD 72	  // the layer from end to end, 40 + 16 + 16
#define ROUND	     16	  // WireGuard's padding

static const struct xy_prefix mesh = {.addr.b = {0x02}, .len = 7};

// The smallest underlay less link and end-to-end overheads, unless the config says otherwise.
static uint32_t mtu_wanted(const struct xy_daemon *d)
{
	uint32_t room = xy_links_room(d->links), most = d->max_packet;
	if (d->plan.config.host.mtu)
		return d->plan.config.host.mtu;
	if (!room)
		return MTU_DEFAULT;
	room = room > E2E_OVERHEAD ? (room - E2E_OVERHEAD) / ROUND * ROUND : 0;
	room = room > most ? most : room;
	return room < MTU_MIN ? MTU_MIN : room;
}

void xy_interface_mtu_update(struct xy_daemon *d)
{
	uint32_t mtu = mtu_wanted(d);
	if (!d->host_open || mtu == d->host_mtu)
		return;
	int r = xy_hostlink_set(&d->netlink, d->host_index, mtu, true);
	if (r) {
		xy_log_warn("%s: MTU %u: %s", d->host_name, mtu, strerror(-r));
		return;
	}
	if (d->host_mtu)
		xy_log_info("%s: MTU %u -> %u", d->host_name, d->host_mtu, mtu);
	d->host_mtu = mtu;
}

static int address_add(struct xy_daemon *d, const struct xy_prefix *a, struct xy_err *err)
{
	char text[XY_PREFIX_STRLEN];
	int r = xy_hostlink_address_add(&d->netlink, d->host_index, a);
	if (!r)
		return 0;
	const char *why = strerror(-r);
	if (r == -EACCES)
		why = "IPv6 is switched off: sysctl net.ipv6.conf.all.disable_ipv6=0";
	return xy_err_set(err, -r, "%s: address %s: %s", d->host_name, xy_prefix_str(a, text), why);
}

static int addresses_add(struct xy_daemon *d, struct xy_err *err)
{
	const struct xy_config *c = &d->plan.config;
	struct xy_prefix own = {.addr = d->id.addr, .len = 64};
	int r = address_add(d, &own, err);
	for (unsigned i = 0; !r && i < c->host.address_count; i++)
		r = address_add(d, &c->host.addresses[i], err);
	return r;
}

static int mesh_route_add(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_hostlink_route to_mesh = {.prefix = mesh, .add = true};
	xy_hostlink_routes(&d->netlink, d->host_index, &to_mesh, 1);
	int r = to_mesh.result;
	if (r == -EEXIST) // two daemons on one machine
		xy_log_warn("%s: 200::/7 leads to another interface already, and stays there; of "
			    "the overlay this one gets its own /64",
			    d->host_name);
	if (!r || r == -EEXIST)
		return 0;
	return xy_err_set(err, -r, "%s: route 200::/7: %s", d->host_name, strerror(-r));
}

static int configure(struct xy_daemon *d, struct xy_err *err)
{
	d->host_index = if_nametoindex(d->host_name);
	if (!d->host_index)
		return xy_err_set(err, ENODEV, "%s: the interface is not there", d->host_name);
	xy_hostlink_quiet(&d->netlink, d->host_index); // without it: a few drops more
	xy_interface_mtu_update(d);
	if (!d->host_mtu)
		return xy_err_set(err, EPERM,
				  "%s: cannot be brought up: needs CAP_NET_ADMIN; run as root, "
				  "or with --no-tun",
				  d->host_name);
	int r = addresses_add(d, err);
	return r ? r : mesh_route_add(d, err);
}

void xy_interface_check(struct xy_daemon *d)
{
	char name[IF_NAMESIZE];
	if (!d->host_open || d->host_lost || if_indextoname(d->host_index, name))
		return;
	d->host_lost = true;
	xy_log_error("%s: somebody deleted the interface; this host has no way into the overlay "
		     "until xylemd is restarted",
		     d->host_name);
}

// --- the kernel's routes for what lies outside 200::/7

static bool is_default(const struct xy_prefix *p)
{
	return p->len == (xy_prefix_is_v4(p) ? 96 : 0);
}

// Its place among those withheld; count: it is none.
static unsigned withheld(const struct xy_daemon *d, const struct xy_prefix *p)
{
	unsigned i = 0;
	while (i < d->withheld.count && !xy_prefix_eq(&d->withheld.v[i], p))
		i++;
	return i;
}

// A default route would take the underlay with it: that step is the user's.
static bool is_for_kernel(const struct xy_daemon *d, const struct xy_rib_route *r)
{
	return r && r->route.kind == XY_DP_ROUTE_PEER && !is_default(&r->prefix) &&
	       !xy_prefix_covers(&mesh, &r->prefix) && withheld(d, &r->prefix) == d->withheld.count;
}

static void say_default(const struct xy_daemon *d, const struct xy_rib_route *r)
{
	char text[XY_PREFIX_STRLEN];
	if (r && r->route.kind == XY_DP_ROUTE_PEER && is_default(&r->prefix))
		xy_log_warn("%s: route %s is not put into the kernel, since the underlay would go "
			    "with it: this host's own packets do not use it; docs/operating.md "
			    "says how they can",
			    d->host_name, xy_prefix_str(&r->prefix, text));
}

bool xy_interface_default_left(const struct xy_daemon *d)
{
	static const struct xy_prefix all[] = {{.len = 0},
					       {.addr.b = {[10] = 0xff, [11] = 0xff}, .len = 96}};
	for (unsigned i = 0; d->host_open && i < 2; i++) {
		const struct xy_rib_route *r = xy_rib_best(xy_links_rib(d->links), &all[i]);
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
	if (!r->result || r->result == -ESRCH ||
	    !xy_log_limit_pass(&d->log_kernel, xy_now(), &missed))
		return;
	xy_log_warn("%s: kernel route %s: %s (%lu more like this)", d->host_name,
		    xy_prefix_str(&r->prefix, text),
		    r->result == -EEXIST ? "there is one already, and it stays; this host does not "
					   "use ours"
					 : strerror(-r->result),
		    missed);
}

static bool kernel_later(struct xy_daemon *d, const struct xy_prefix *p, bool there)
{
	struct xy_kernel_queue *q = &d->kernel;
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
	bool there = is_for_kernel(d, is), was_there = is_for_kernel(d, was);
	unsigned at = is ? d->withheld.count : withheld(d, &was->prefix);
	if (at < d->withheld.count)
		d->withheld.v[at] = d->withheld.v[--d->withheld.count];
	if (!was)
		say_default(d, is);
	if (was_there == there)
		return;
	if (!kernel_later(d, is ? &is->prefix : &was->prefix, there))
		xy_log_error("%s: no memory for a kernel route", d->host_name);
	xy_loop_kernel_later(d);
}

static void withhold(struct xy_daemon *d, const struct xy_prefix *p, const struct xy_addr *underlay)
{
	char text[XY_PREFIX_STRLEN], at[XY_ADDR_STRLEN];
	if (d->withheld.count == XY_ARRAY_SIZE(d->withheld.v) || !kernel_later(d, p, false))
		return; // it is found again
	d->withheld.v[d->withheld.count++] = *p;
	xy_loop_kernel_later(d);
	xy_log_warn("%s: route %s is taken out of the kernel, since a link to %s would go with it: "
		    "this host's own packets do not use it; set fwmark, and see docs/operating.md",
		    d->host_name, xy_prefix_str(p, text), xy_addr_str(underlay, at));
}

bool xy_interface_withhold(struct xy_daemon *d, const struct xy_addr *underlay)
{
	const struct xy_rib_route *r = NULL;
	int len = 128;
	do {
		r = xy_rib_covering(xy_links_rib(d->links), underlay, len);
		len = r ? r->prefix.len - 1 : 0;
	} while (r && !is_for_kernel(d, r));
	if (r)
		withhold(d, &r->prefix, underlay);
	return r;
}

bool xy_interface_routes_run(struct xy_daemon *d)
{
	struct xy_kernel_queue *q = &d->kernel;
	unsigned n = q->count - q->at < XY_HOSTLINK_BATCH ? q->count - q->at : XY_HOSTLINK_BATCH;
	if (n)
		xy_hostlink_routes(&d->netlink, d->host_index, &q->v[q->at], n);
	for (; n; n--)
		say_result(d, &q->v[q->at++]);
	if (q->at < q->count)
		return true;
	q->at = q->count = 0;
	return false;
}

static void routes_follow(struct xy_daemon *d)
{
	struct xy_rib *rib = xy_links_rib(d->links);
	const struct xy_rib_route *r = NULL;
	while ((r = xy_rib_after(rib, r ? &r->prefix : NULL))) {
		say_default(d, r);
		if (is_for_kernel(d, r) && !kernel_later(d, &r->prefix, true))
			xy_log_error("%s: no memory for a kernel route", d->host_name);
	}
	while (xy_interface_routes_run(d))
		;
	rib->tell = on_route;
	rib->arg = d;
}

int xy_interface_up(struct xy_daemon *d, struct xy_err *err)
{
	if (d->no_tun || !d->plan.config.host.enabled)
		return 0;
	memcpy(d->host_name, d->plan.config.host.name, sizeof(d->host_name));
	int r = xy_dp_host_open(d->dp, d->host_name, err);
	if (r)
		return r;
	d->host_open = true;
	r = configure(d, err);
	if (r)
		xy_interface_down(d);
	else
		routes_follow(d);
	return r;
}

void xy_interface_down(struct xy_daemon *d)
{
	if (d->host_open)
		xy_dp_host_close(d->dp); // the kernel's routes go with it
	if (d->links)
		xy_links_rib(d->links)->tell = NULL;
	d->host_open = false;
	free(d->kernel.v);
	d->kernel = (struct xy_kernel_queue){0};
	d->withheld.count = 0;
}
