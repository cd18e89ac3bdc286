// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/addresses.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROOM_FIRST = 32,
	REQUEST = 128,
};

static int compare(const void *a, const void *b)
{
	const struct xy_host_address *x = a, *y = b;
	int r = memcmp(x->addr.b, y->addr.b, sizeof(x->addr.b));
	return r ? r : (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

static bool grow(struct xy_host_addresses *a)
{
	unsigned room = a->room ? 2 * a->room : ROOM_FIRST;
	struct xy_host_address *v = realloc(a->v, room * sizeof(*v));
	if (!v)
		return false;
	a->v = v;
	a->room = room;
	return true;
}

static bool is_usable(uint32_t flags)
{
	bool tentative = (flags & IFA_F_TENTATIVE) && !(flags & IFA_F_OPTIMISTIC);
	return !tentative && !(flags & IFA_F_DADFAILED);
}

static int on_address(const struct nlmsghdr *h, void *arg)
{
	struct xy_host_addresses *a = arg;
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr, *found = NULL;
	uint32_t flags = ifa->ifa_flags;
	mnl_attr_for_each(attr, h, sizeof(*ifa))
	{
		uint16_t type = mnl_attr_get_type(attr);
		if (type == IFA_LOCAL ||
		    (type == IFA_ADDRESS && !found)) // point to point: LOCAL is ours
			found = attr;
		if (type == IFA_FLAGS)
			flags = mnl_attr_get_u32(attr);
	}
	if (!found)
		return MNL_CB_OK;
	if (a->count == a->room && !grow(a)) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	struct xy_host_address *one = &a->v[a->count];
	*one = (struct xy_host_address){.ifindex = ifa->ifa_index, .usable = is_usable(flags)};
	a->count += xy_netlink_get_addr(found, &one->addr);
	one->len = (uint8_t)(ifa->ifa_prefixlen + (xy_addr_is_v4(&one->addr) ? 96 : 0));
	return MNL_CB_OK;
}

int xy_host_addresses_read(struct xy_netlink *n, struct xy_host_addresses *a)
{
	struct xy_host_addresses fresh = {0};
	char buf[REQUEST];
	struct ifaddrmsg *ifa;
	struct nlmsghdr *h =
		xy_netlink_request(n, buf, RTM_GETADDR, NLM_F_DUMP, sizeof(*ifa), &ifa);
	ifa->ifa_family = AF_UNSPEC;
	int r = xy_netlink_answer(n, h, on_address, &fresh);
	if (r) {
		xy_host_addresses_free(&fresh);
		return r;
	}
	if (fresh.count)
		qsort(fresh.v, fresh.count, sizeof(*fresh.v), compare);
	xy_host_addresses_free(a);
	*a = fresh;
	return 0;
}

unsigned xy_host_addresses_find(const struct xy_host_addresses *a, const struct xy_addr *addr)
{
	unsigned from = 0, to = a->count;
	while (from < to) {
		unsigned mid = from + (to - from) / 2;
		if (memcmp(a->v[mid].addr.b, addr->b, sizeof(addr->b)) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from < a->count && xy_addr_eq(&a->v[from].addr, addr) ? from : a->count;
}

// 127.0.0.0/8 and ::1 come by no wire.
static bool is_loopback(const struct xy_addr *a)
{
	static const struct xy_addr one = {.b = {[15] = 1}};
	return xy_addr_is_v4(a) ? a->b[12] == 127 : xy_addr_eq(a, &one);
}

static bool stands_at(const struct xy_host_addresses *all, const struct xy_addr *a,
		      unsigned ifindex)
{
	for (unsigned i = xy_host_addresses_find(all, a);
	     i < all->count && xy_addr_eq(&all->v[i].addr, a); i++)
		if (all->v[i].ifindex == ifindex)
			return true;
	return false;
}

static bool comes_by(const struct xy_host_addresses *all, unsigned i, unsigned ifindex, bool own)
{
	const struct xy_host_address *a = &all->v[i];
	if (!a->usable || xy_addr_is_mesh(&a->addr) || is_loopback(&a->addr))
		return false;
	if (own)
		return a->ifindex == ifindex;
	bool first = i == xy_host_addresses_find(all, &a->addr); // of several interfaces
	return first && !xy_addr_is_link_local(&a->addr) && !stands_at(all, &a->addr, ifindex);
}

unsigned xy_host_addresses_at(const struct xy_host_addresses *a, unsigned ifindex, bool others,
			      struct xy_addr *out, unsigned max)
{
	unsigned count = 0;
	for (int own = 1; own >= !others; own--)
		for (unsigned i = 0; i < a->count && count < max; i++)
			if (comes_by(a, i, ifindex, own))
				out[count++] = a->v[i].addr;
	return count;
}

void xy_host_addresses_free(struct xy_host_addresses *a)
{
	free(a->v);
	*a = (struct xy_host_addresses){0};
}
