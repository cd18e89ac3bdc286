// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_INTERFACE

#include "interface.h"

#include "daemon.h"
#include "warden/warden.h"

#include <net/if.h>
#include <stdlib.h>

#define MTU_MIN	    1280 // RFC 8200
#define MTU_DEFAULT 1344 // 1500 - 80 - 72, rounded down to 16
#define ROUND	    16	 // WireGuard's padding

struct xy_interface {
	bool open;
	char name[16];
	unsigned index;
	uint32_t mtu;
};

// --- what is there

bool xy_interface_is_open(const struct xy_daemon *d)
{
	return d->interface && d->interface->open;
}

const char *xy_interface_name(const struct xy_daemon *d)
{
	return d->interface ? d->interface->name : "";
}

unsigned xy_interface_index(const struct xy_daemon *d)
{
	return d->interface ? d->interface->index : 0;
}

uint32_t xy_interface_mtu(const struct xy_daemon *d)
{
	return d->interface ? d->interface->mtu : 0;
}

void xy_interface_renamed(struct xy_daemon *d, const char *name)
{
	snprintf(d->interface->name, sizeof(d->interface->name), "%s", name);
}

// --- MTU

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
	if (!xy_interface_is_open(d) || mtu == d->interface->mtu)
		return;
	bool first = !d->interface->mtu; // later it may be down because somebody wants it down
	int r = xy_hostlink_set(&d->netlink, d->interface->index, mtu, first);
	if (r) {
		xy_log_warn("%s: MTU %u: %s", d->interface->name, mtu, strerror(-r));
		return;
	}
	if (!first)
		xy_log_info("%s: MTU %u -> %u", d->interface->name, d->interface->mtu, mtu);
	d->interface->mtu = mtu;
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
	return xy_err_set(err, -r, "%s: address %s: %s", d->interface->name, xy_prefix_str(a, text),
			  why);
}

// One in our /64 comes without the network around it: that may be on a LAN of this host's.
static struct xy_hostlink_address address_at(const struct xy_daemon *d, unsigned i)
{
	const struct xy_prefix own = {.addr = d->id.addr, .len = 64};
	if (i > d->plan.config.host.address_count)
		return d->claimed.address;
	struct xy_hostlink_address a = {.at = i ? d->plan.config.host.addresses[i - 1] : own};
	a.alone = a.at.len == 64 && xy_prefix_contains(&own, &a.at.addr);
	return a;
}

static unsigned address_count(const struct xy_daemon *d)
{
	return 1 + d->plan.config.host.address_count + d->claimed.set;
}

int xy_interface_address(struct xy_daemon *d, struct xy_err *err)
{
	int r = 0;
	for (unsigned i = 0; i < address_count(d); i++) { // IPv6 may be off, IPv4 is not
		struct xy_hostlink_address a = address_at(d, i);
		int e = xy_hostlink_address_add(&d->netlink, d->interface->index, &a);
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
		int r = xy_hostlink_address_add(&d->netlink, d->interface->index, &a);
		if (!r)
			xy_log_warn("%s: address %s was missing; restored", d->interface->name,
				    xy_prefix_str(&a.at, text));
		back += !r;
		if (r && r != -EEXIST)
			address_error(d, &a.at, r, err);
	}
	return back;
}

static int bring_up(struct xy_daemon *d, struct xy_err *err)
{
	d->interface->index = if_nametoindex(d->interface->name);
	if (!d->interface->index)
		return xy_err_set(err, ENODEV, "%s: the interface is not there",
				  d->interface->name);
	xy_hostlink_quiet(&d->netlink, d->interface->index); // without it: a few drops more
	xy_interface_mtu_update(d);
	if (!d->interface->mtu)
		return xy_err_set(err, EPERM,
				  "%s: cannot be brought up: needs CAP_NET_ADMIN; run as root, "
				  "or with --no-tun",
				  d->interface->name);
	xy_hostlink_routes_flush(&d->netlink, d->interface->index);
	return 0;
}

int xy_interface_open(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_interface *f = d->interface ? d->interface : calloc(1, sizeof(*f));
	if (!f)
		return xy_err_set(err, ENOMEM, "no memory for the host interface");
	d->interface = f;
	memcpy(f->name, d->plan.config.host.name, sizeof(f->name));
	int r = xy_dp_host_open(d->dp, XY_DP_HOST_MAIN, f->name, err);
	if (r)
		return r;
	f->open = true;
	return bring_up(d, err);
}

void xy_interface_close(struct xy_daemon *d)
{
	struct xy_interface *f = d->interface;
	if (f->open)
		xy_dp_host_close(d->dp, XY_DP_HOST_MAIN);
	if (f->open && d->sandbox.warden) // it holds the interface as well
		xy_warden_closed(d->sandbox.warden);
	f->open = false;
	f->index = f->mtu = 0;
}

void xy_interface_free(struct xy_daemon *d)
{
	if (d->interface)
		xy_interface_close(d);
	free(d->interface);
	d->interface = NULL;
}
