// SPDX-License-Identifier: BSD-3-Clause
// The host interface: TUN, our address, MTU, and the kernel's routes into the overlay. The TUN is
// not persistent: when the process ends, however it ends, all of it is gone.
#include "daemon.h"
#include "restore.h"

#include <net/if.h>
#include <stdlib.h>

#define MTU_MIN	    1280 // RFC 8200
#define MTU_DEFAULT 1344 // 1500 - 80 - 72, rounded down to 16
#define ROUND	    16	 // WireGuard's padding
#define OWN_METRIC  4096 // of our /64; the kernel's own are 256, people's 1024

static const struct xy_prefix mesh = XY_MESH_PREFIX;

// The smallest underlay less link and end-to-end overheads, unless the config says otherwise. What
// is learned of a path is told those who send there, each by "too big".
static uint32_t mtu_wanted(const struct xy_daemon *d)
{
	uint32_t room = xy_links_room(d->links), most = d->max_packet;
	if (d->plan.config.host.mtu)
		return d->plan.config.host.mtu;
	if (!room)
		return MTU_DEFAULT;
	room = room / ROUND * ROUND;
	room = room > most ? most : room;
	return room < MTU_MIN ? MTU_MIN : room;
}

void xy_interface_mtu_update(struct xy_daemon *d)
{
	uint32_t mtu = mtu_wanted(d);
	if (!d->host_open || mtu == d->host_mtu)
		return;
	bool first = !d->host_mtu; // later it may be down because somebody wants it down
	int r = xy_hostlink_set(&d->netlink, d->host_index, mtu, first);
	if (r) {
		xy_log_warn("%s: MTU %u: %s", d->host_name, mtu, strerror(-r));
		return;
	}
	if (!first)
		xy_log_info("%s: MTU %u -> %u", d->host_name, d->host_mtu, mtu);
	d->host_mtu = mtu;
}

// --- addresses, and the routes that are there with them

static int address_error(const struct xy_daemon *d, const struct xy_prefix *a, int r,
			 struct xy_err *err)
{
	char text[XY_PREFIX_STRLEN];
	const char *why = strerror(-r);
	if (r == -EACCES)
		why = "IPv6 is switched off: sysctl net.ipv6.conf.all.disable_ipv6=0, and that of "
		      "the interface";
	return xy_err_set(err, -r, "%s: address %s: %s", d->host_name, xy_prefix_str(a, text), why);
}

// One in our /64 comes without the network around it: that may be on a LAN of this host's.
static struct xy_hostlink_address address_at(const struct xy_daemon *d, unsigned i)
{
	const struct xy_prefix own = {.addr = d->id.addr, .len = 64};
	struct xy_hostlink_address a = {.at = i ? d->plan.config.host.addresses[i - 1] : own};
	a.alone = a.at.len == 64 && xy_prefix_contains(&own, &a.at.addr);
	return a;
}

static unsigned address_count(const struct xy_daemon *d)
{
	return 1 + d->plan.config.host.address_count;
}

static int addresses_add(struct xy_daemon *d, struct xy_err *err)
{
	int r = 0;
	for (unsigned i = 0; i < address_count(d); i++) { // IPv6 may be off, IPv4 is not
		struct xy_hostlink_address a = address_at(d, i);
		int e = xy_hostlink_address_add(&d->netlink, d->host_index, &a);
		if (e && (!r || r == -EACCES))
			r = address_error(d, &a.at, e, err);
	}
	return r;
}

int xy_interface_readdress(struct xy_daemon *d, struct xy_err *err)
{
	int back = 0;
	err->text[0] = 0;
	for (unsigned i = 0; i < address_count(d); i++) {
		char text[XY_PREFIX_STRLEN];
		struct xy_hostlink_address a = address_at(d, i);
		a.again = true;
		int r = xy_hostlink_address_add(&d->netlink, d->host_index, &a);
		if (!r)
			xy_log_warn("%s: address %s was missing; restored", d->host_name,
				    xy_prefix_str(&a.at, text));
		back += !r;
		if (r && r != -EEXIST)
			address_error(d, &a.at, r, err);
	}
	return back;
}

// 200::/7; and our /64 for where that leads elsewhere, behind all that others have for it.
static void mesh_routes(const struct xy_daemon *d, struct xy_hostlink_route to[static 2])
{
	to[0] = (struct xy_hostlink_route){.prefix = mesh, .add = true};
	to[1] = (struct xy_hostlink_route){
		.prefix = {.addr = d->id.addr, .len = 64}, .add = true, .metric = OWN_METRIC};
	xy_prefix_mask(&to[1].prefix);
}

static int mesh_routes_add(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_hostlink_route to[2];
	mesh_routes(d, to);
	xy_hostlink_routes(&d->netlink, d->host_index, to, 2);
	if (to[0].result == -EEXIST) // two daemons on one machine
		xy_log_warn("%s: 200::/7 leads to another interface already, and stays there; of "
			    "the overlay this one gets its own /64",
			    d->host_name);
	for (unsigned i = 0; i < 2; i++) {
		char text[XY_PREFIX_STRLEN];
		int r = to[i].result;
		if (r && r != -EEXIST)
			return xy_err_set(err, -r, "%s: route %s: %s", d->host_name,
					  xy_prefix_str(&to[i].prefix, text), strerror(-r));
	}
	return 0;
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
	xy_hostlink_routes_flush(&d->netlink, d->host_index);
	int r = addresses_add(d, err);
	r = r ? r : mesh_routes_add(d, err);
	return r == -EACCES ? 0
			    : r; // IPv6 is switched off: what follows the kernel says so, and waits
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

// 200::/7 stands for what is in it, but for leaves in our /64, which may lead to a LAN.
static bool is_in_mesh(const struct xy_daemon *d, const struct xy_prefix *p)
{
	const struct xy_prefix own = {.addr = d->id.addr, .len = 64};
	return xy_prefix_covers(&mesh, p) && !(p->len > 64 && xy_prefix_covers(&own, p));
}

// A default route would take the underlay with it: that step is the user's.
static bool is_for_kernel(const struct xy_daemon *d, const struct xy_rib_route *r)
{
	return r && r->route.kind == XY_DP_ROUTE_PEER && !is_default(&r->prefix) &&
	       !is_in_mesh(d, &r->prefix) && withheld(d, &r->prefix) == d->withheld.count;
}

bool xy_interface_wants(const struct xy_daemon *d, const struct xy_prefix *p)
{
	struct xy_hostlink_route own[2];
	mesh_routes(d, own);
	return xy_prefix_eq(p, &own[0].prefix) || xy_prefix_eq(p, &own[1].prefix) ||
	       is_for_kernel(d, xy_rib_best(&d->rib, p));
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
	if (!r->result || r->result == -ESRCH || (r->again && r->result == -EEXIST) ||
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
	d->kernel_due = true;
}

static void withhold(struct xy_daemon *d, const struct xy_prefix *p, const struct xy_addr *underlay)
{
	char text[XY_PREFIX_STRLEN], at[XY_ADDR_STRLEN];
	if (d->withheld.count == XY_ARRAY_SIZE(d->withheld.v) || !kernel_later(d, p, false))
		return; // it is found again
	d->withheld.v[d->withheld.count++] = *p;
	d->kernel_due = true;
	xy_log_warn("%s: route %s is taken out of the kernel, since a link to %s would go with it: "
		    "this host's own packets do not use it; set fwmark, and see docs/operating.md",
		    d->host_name, xy_prefix_str(p, text), xy_addr_str(underlay, at));
}

bool xy_interface_withhold(struct xy_daemon *d, const struct xy_addr *underlay)
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
	struct xy_kernel_again *a = &d->kernel_again;
	const struct xy_rib_route *r = NULL;
	for (unsigned i = 0; i < XY_HOSTLINK_BATCH && a->going; i++) {
		r = xy_rib_after(&d->rib, a->begun ? &a->at : NULL);
		a->begun = true;
		a->going = r;
		if (!r)
			return;
		a->at = r->prefix;
		if (is_for_kernel(d, r) && kernel_later(d, &r->prefix, true))
			d->kernel.v[d->kernel.count - 1].again = true;
	}
}

static void routes_back_say(struct xy_daemon *d)
{
	if (d->kernel_again.back)
		xy_restore_routes_back(d, d->kernel_again.back);
	d->kernel_again = (struct xy_kernel_again){0};
}

void xy_interface_routes_again(struct xy_daemon *d)
{
	struct xy_hostlink_route own[2];
	mesh_routes(d, own);
	xy_hostlink_routes(&d->netlink, d->host_index, own, 2);
	d->kernel_again = (struct xy_kernel_again){
		.going = true, .back = d->kernel_again.back + !own[0].result + !own[1].result};
	d->kernel_due = true;
}

bool xy_interface_routes_run(struct xy_daemon *d)
{
	struct xy_kernel_queue *q = &d->kernel;
	unsigned n = q->count - q->at < XY_HOSTLINK_BATCH ? q->count - q->at : XY_HOSTLINK_BATCH;
	if (n && d->host_open)
		xy_hostlink_routes(&d->netlink, d->host_index, &q->v[q->at], n);
	for (; n; n--, q->at++) {
		d->kernel_again.back += q->v[q->at].again && !q->v[q->at].result;
		say_result(d, &q->v[q->at]);
	}
	if (q->at < q->count)
		return true;
	q->at = q->count = 0;
	if (d->kernel_again.going)
		routes_next(d);
	if (!d->kernel_again.going && !q->count)
		routes_back_say(d);
	return d->kernel_again.going || q->count;
}

static void routes_follow(struct xy_daemon *d)
{
	struct xy_rib *rib = &d->rib;
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

static int interface_make(struct xy_daemon *d, struct xy_err *err)
{
	memcpy(d->host_name, d->plan.config.host.name, sizeof(d->host_name));
	int r = xy_dp_host_open(d->dp, XY_DP_HOST_MAIN, d->host_name, err);
	if (r)
		return r;
	d->host_open = true;
	r = configure(d, err);
	if (!r)
		xy_hostqueue_begin(d);
	return r;
}

static void interface_leave(struct xy_daemon *d)
{
	if (d->host_open)
		xy_dp_host_close(d->dp, XY_DP_HOST_MAIN); // the kernel's routes go with it
	d->host_open = false;
	d->host_index = d->host_mtu = 0;
	d->kernel_again = (struct xy_kernel_again){0};
}

int xy_interface_up(struct xy_daemon *d, struct xy_err *err)
{
	if (d->no_tun || !d->plan.config.host.enabled)
		return 0;
	int r = interface_make(d, err);
	if (r)
		xy_interface_down(d);
	else
		routes_follow(d);
	return r;
}

int xy_interface_again(struct xy_daemon *d, struct xy_err *err)
{
	interface_leave(d);
	int r = interface_make(d, err);
	if (r)
		interface_leave(d);
	else
		xy_interface_routes_again(d);
	return r;
}

void xy_interface_down(struct xy_daemon *d)
{
	interface_leave(d);
	if (d->links)
		d->rib.tell = NULL;
	free(d->kernel.v);
	d->kernel = (struct xy_kernel_queue){0};
	d->withheld.count = 0;
}
