// SPDX-License-Identifier: BSD-3-Clause
// What a link carries. Between nodes it is at least 1280 and what the layer from end to end adds,
// to any other device 1280, whatever the underlay (RFC 8200 section 5): what does not go whole goes
// in fragments. How much goes whole is the interface's and the route's, unless probing or ICMP says
// less; the config may set how much it carries in all.
#include "links/link.h"

#include "wire/e2e.h"

#include <stdlib.h>

enum { UNKNOWN = 1500 };

static uint32_t inside(const struct xy_link_sizes *s, uint32_t datagram)
{
	return datagram > s->overhead ? datagram - s->overhead : 0;
}

// How large a datagram goes whole.
static uint32_t whole_of(struct xy_link_sizes *s, bool route_mtu, bool by_hand)
{
	const struct xy_link_probed *f = &s->found;
	uint32_t whole = s->limit;
	s->whence = route_mtu ? XY_WHENCE_ROUTE : XY_WHENCE_INTERFACE;
	if (s->probed && !by_hand) {
		if (f->confirmed || f->size < whole)
			s->whence = XY_WHENCE_PROBED;
		whole = f->size < whole ? f->size : whole;
		if (s->icmp && whole == s->icmp)
			s->whence = XY_WHENCE_ICMP;
	} else if (s->icmp && s->icmp < whole) {
		whole = s->icmp;
		s->whence = XY_WHENCE_ICMP;
	}
	return whole;
}

static uint32_t most(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

void xy_link_size(struct xy_link *k, struct xy_dp_peer *p)
{
	struct xy_link_sizes *s = &k->sizes;
	s->overhead = xy_wg_link_overhead(&k->remote);
	s->floor = k->leaf ? XY_IPV6_MIN_MTU : XY_E2E_MTU_MIN;
	s->limit = p->mtu ? p->mtu : UNKNOWN;
	s->icmp = p->icmp_mtu;
	p->mtu = whole_of(s, p->route_mtu, k->mtu);
	s->whole = inside(s, p->mtu);
	if (k->mtu)
		s->whence = XY_WHENCE_CONFIG;
	if (k->mtu)
		s->room = k->mtu;
	else if (s->probed && s->found.lost) // it cannot be helped
		s->room = most(s->whole, XY_IPV6_MIN_MTU);
	else
		s->room = most(s->whole, s->floor);
	s->whole = s->whole < s->room ? s->whole : s->room;
	s->local = most(inside(s, s->limit), s->floor) - (k->leaf ? 0 : XY_E2E_OVERHEAD);
	p->room = s->room;
}

bool xy_links_path(const struct xy_links *l, uint32_t slot, struct xy_link_path *out)
{
	const struct xy_link *k = slot < l->cfg.max_peers ? l->link[slot] : NULL;
	if (!k || !k->remote.port || k->mtu)
		return false;
	*out = (struct xy_link_path){
		.remote = k->remote,
		.limit = k->sizes.limit,
		.icmp = k->sizes.icmp,
		.floor = k->sizes.floor + k->sizes.overhead,
		.overhead = k->sizes.overhead,
		.probed = k->sizes.probed,
	};
	return true;
}

void xy_links_probed(struct xy_links *l, uint32_t slot, const struct xy_link_probed *found)
{
	struct xy_link *k = slot < l->cfg.max_peers ? l->link[slot] : NULL;
	if (!k)
		return;
	k->sizes.probed = found;
	if (found)
		k->sizes.found = *found;
	xy_link_endpoint_publish(l, k);
}

static void count(struct xy_links *l, uint32_t size, bool more)
{
	unsigned i = 0;
	while (i < l->rooms_count && l->rooms[i].size != size)
		i++;
	if (i == l->rooms_count)
		l->rooms[l->rooms_count++] = (struct xy_link_room){.size = size};
	l->rooms[i].count += more ? 1 : UINT32_MAX;
	if (!l->rooms[i].count)
		l->rooms[i] = l->rooms[--l->rooms_count];
}

static bool room_for_one(struct xy_links *l)
{
	enum { MORE = 8 };
	if (l->rooms_count < l->rooms_size)
		return true;
	void *v = reallocarray(l->rooms, l->rooms_size + MORE, sizeof(*l->rooms));
	if (!v)
		return false;
	l->rooms = v;
	l->rooms_size += MORE;
	return true;
}

// Without memory it counts as before: one size is a little off.
void xy_link_room_count(struct xy_links *l, struct xy_link *k)
{
	uint32_t size = k->remote.port ? k->sizes.local : 0;
	if (size == k->counted || !room_for_one(l))
		return;
	if (k->counted)
		count(l, k->counted, false);
	if (size)
		count(l, size, true);
	k->counted = size;
}

uint32_t xy_links_room(const struct xy_links *l)
{
	uint32_t least = 0;
	for (unsigned i = 0; i < l->rooms_count; i++)
		if (!least || l->rooms[i].size < least)
			least = l->rooms[i].size;
	return least;
}
