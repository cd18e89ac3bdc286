// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_EXITS

#include "taken.h"

#include "daemon.h"
#include "interface.h"
#include "kernel/addresses.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>

#define LOOK_EVERY 5 // seconds, whatever the kernel told

struct xy_taken {
	struct xy_host_addresses addresses;
	bool stale;   // they may be others
	bool lacking; // memory to tell the dataplane
};

static bool is_lan(const struct xy_daemon *d, const struct xy_host_address *a)
{
	return a->ifindex != xy_interface_index(d) && !xy_addr_is_mesh(&a->addr) &&
	       a->len > (xy_addr_is_v4(&a->addr) ? 96 : 0);
}

static struct xy_prefix network(const struct xy_host_address *a)
{
	struct xy_prefix p = {.addr = a->addr, .len = a->len};
	for (unsigned bit = p.len; bit < 128; bit++)
		p.addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return p;
}

static int tell(struct xy_daemon *d)
{
	const struct xy_host_addresses *all = &d->taken->addresses;
	const struct xy_accepts *a = &d->accepts;
	unsigned n = 0;
	struct xy_prefix *v = calloc((size_t)a->taken_count + all->count + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (; a->whole && n < a->taken_count; n++)
		v[n] = a->taken[n];
	for (unsigned i = 0; a->whole && i < all->count; i++)
		if (is_lan(d, &all->v[i]))
			v[n++] = network(&all->v[i]);
	int r = xy_dp_taken_set(d->dp, v, n);
	free(v);
	return r;
}

// A list that changes while it is read is read again, at the next tick at the latest.
static void look(struct xy_daemon *d)
{
	struct xy_taken *t = d->taken;
	if (d->accepts.whole)
		t->stale = xy_host_addresses_read(&d->netlink, &t->addresses) != 0;
	bool lacks = tell(d) != 0;
	if (lacks && !t->lacking)
		xy_log_error("no memory for what an exit may not send from; it is tried again");
	t->lacking = lacks;
}

void xy_taken_tell(struct xy_daemon *d)
{
	if (!d->taken)
		d->taken = calloc(1, sizeof(*d->taken));
	if (d->taken)
		look(d);
}

void xy_taken_heard(struct xy_daemon *d, const struct nlmsghdr *h)
{
	if (d->taken && (!h || h->nlmsg_type == RTM_NEWADDR || h->nlmsg_type == RTM_DELADDR))
		d->taken->stale = true;
}

void xy_taken_second(struct xy_daemon *d)
{
	bool due = xy_tick_every(&d->tick, LOOK_EVERY);
	if (!d->taken)
		xy_taken_tell(d);
	else if (d->taken->lacking || (d->accepts.whole && (due || d->taken->stale)))
		look(d);
}

void xy_taken_free(struct xy_daemon *d)
{
	if (d->taken)
		xy_host_addresses_free(&d->taken->addresses);
	free(d->taken);
	d->taken = NULL;
}
