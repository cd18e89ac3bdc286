// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/way.h"

#include <errno.h>

enum { LOOPBACK = 1 }; // its index in every network namespace

// --- addresses

static bool is_there(unsigned ifindex)
{
	char name[IF_NAMESIZE];
	return ifindex && if_indextoname(ifindex, name);
}

// May packets from this address leave at the interface? Where it stands; where its packets come in;
// anywhere, when they come in elsewhere than where it stands, so that it is routed to us (also by
// one of several uplinks), or when it stands on loopback. An interface that was deleted
// since, and may be there again with another index, says nothing.
static bool is_valid(const struct xy_ways *w, const struct xy_addr *a, unsigned out, unsigned in)
{
	const struct xy_host_addresses *all = &w->addresses;
	bool any = false, loopback = false, stands_at_in = false;
	for (unsigned i = xy_host_addresses_find(all, a);
	     i < all->count && xy_addr_eq(&all->v[i].addr, a); i++) {
		const struct xy_host_address *h = &all->v[i];
		if (!h->usable)
			continue;
		if (h->ifindex == out)
			return true;
		any = true;
		loopback |= h->ifindex == LOOPBACK;
		stands_at_in |= h->ifindex == in;
	}
	if (!any || xy_addr_is_link_local(a))
		return false;
	return loopback || in == out || (!stands_at_in && is_there(in));
}

static bool is_ours(const struct xy_ways *w, const struct xy_addr *a)
{
	const struct xy_host_addresses *all = &w->addresses;
	for (unsigned i = xy_host_addresses_find(all, a);
	     i < all->count && xy_addr_eq(&all->v[i].addr, a); i++)
		if (all->v[i].usable)
			return true;
	return false;
}

// --- ports

// How well a port sends from an address at an interface; 0: it cannot. Interface 0: not known.
static unsigned fitness(const struct xy_way_port *p, const struct xy_addr *source, unsigned out)
{
	bool any = xy_addr_is_unspecified(&p->address);
	if (!any && !xy_addr_eq(&p->address, source))
		return 0;
	if (p->card)
		return p->card == out ? 4 : !p->bound;
	return any ? 2 : 3;
}

static const struct xy_way_port *port_of(const struct xy_ways *w, unsigned id)
{
	for (unsigned i = 0; i < w->count; i++)
		if (w->port[i].id == id)
			return &w->port[i];
	return NULL;
}

// The best that can; of equal ones the one that the peer was heard by. With same, one of its UDP
// port comes before all.
static const struct xy_way_port *choose(const struct xy_ways *w, const struct xy_endpoint *to,
					const struct xy_addr *source, unsigned out,
					const struct xy_way_port *heard, bool same)
{
	const struct xy_way_port *best = NULL;
	unsigned most = 0;
	for (unsigned i = 0; i < w->count; i++) {
		const struct xy_way_port *p = &w->port[i];
		unsigned fit =
			xy_addr_reaches(&p->address, &to->addr) ? fitness(p, source, out) : 0;
		if (!fit)
			continue;
		fit = 2 * fit + (p == heard);
		if (same && heard && p->udp_port == heard->udp_port)
			fit += 16;
		if (fit > most) {
			most = fit;
			best = p;
		}
	}
	return best;
}

// --- the decision

static int look(struct xy_ways *w, const struct xy_endpoint *to, const struct xy_addr *source,
		const struct xy_way_port *p, struct xy_underlay_path *path)
{
	bool cards = false;
	for (unsigned i = 0; i < w->count; i++)
		cards |= w->port[i].card != 0;
	w->underlay.source = *source;
	w->underlay.port = p ? p->udp_port : 0;
	int r = xy_underlay_path(&w->underlay, to, cards, path);
	if (!r && !xy_addr_is_unspecified(source))
		path->source = *source;
	return r;
}

static void take(struct xy_way *out, const struct xy_way_port *p, const struct xy_addr *local)
{
	out->port = p->id;
	out->by_card = p->card && p->card == out->path.next.ifindex;
	out->source = out->path.source;
	out->local = out->by_card ? out->path.source : *local;
}

// From this address, if it is valid on the way that the kernel then takes.
static bool from(struct xy_ways *w, const struct xy_endpoint *to, const struct xy_addr *source,
		 const struct xy_dp_heard *heard, struct xy_way *out)
{
	const struct xy_way_port *by = port_of(w, heard->port);
	if (!is_ours(w, source) || look(w, to, source, by, &out->path) ||
	    !is_valid(w, source, out->path.next.ifindex, heard->interface))
		return false;
	// The UDP port that the peer chose to send to may be all that a NAT or firewall in between
	// lets back.
	const struct xy_way_port *p =
		choose(w, to, source, out->path.next.ifindex, by, heard->theirs);
	if (!p)
		return false;
	if ((!by || p->udp_port != by->udp_port) && // a rule may ask for it
	    (look(w, to, source, p, &out->path) ||
	     !is_valid(w, source, out->path.next.ifindex, heard->interface)))
		return false;
	take(out, p, source);
	return true;
}

static bool as_heard(struct xy_ways *w, const struct xy_endpoint *to,
		     const struct xy_dp_heard *heard, struct xy_way *out)
{
	return !xy_addr_is_unspecified(&heard->local) &&
	       xy_addr_is_v4(&heard->local) == xy_addr_is_v4(&to->addr) &&
	       from(w, to, &heard->local, heard, out);
}

static bool as_kernel(struct xy_ways *w, const struct xy_endpoint *to,
		      const struct xy_dp_heard *heard, struct xy_way *out, int *result)
{
	static const struct xy_addr any;
	unsigned again = 0; // with the UDP port that it is, for which there may be a rule
	const struct xy_way_port *by = port_of(w, heard->port), *p = by ? by : &w->port[0], *asked;
	do {
		asked = p;
		*result = look(w, to, &any, asked, &out->path);
		if (*result)
			return false;
		p = choose(w, to, &out->path.source, out->path.next.ifindex, by, false);
	} while (p && p->udp_port != asked->udp_port && !again++);
	if (p)
		take(out, p, &any);
	return p;
}

// Ports that are bound to an address and cannot send from the one that the kernel chose.
static bool as_bound(struct xy_ways *w, const struct xy_endpoint *to, struct xy_way *out)
{
	for (unsigned i = 0; i < w->count; i++) {
		const struct xy_way_port *p = &w->port[i];
		const struct xy_dp_heard by = {.port = p->id};
		if (!xy_addr_is_unspecified(&p->address) &&
		    xy_addr_reaches(&p->address, &to->addr) && from(w, to, &p->address, &by, out))
			return true;
	}
	return false;
}

// Nothing is right: a port of that family, as the kernel will have it; the one that the peer was
// heard by, or one whose address is there.
static void somehow(struct xy_ways *w, const struct xy_endpoint *to,
		    const struct xy_dp_heard *heard, struct xy_way *out)
{
	static const struct xy_addr any;
	const struct xy_way_port *best = NULL;
	unsigned most = 0;
	for (unsigned i = 0; i < w->count; i++) {
		const struct xy_way_port *p = &w->port[i];
		bool all = xy_addr_is_unspecified(&p->address);
		bool by = !xy_addr_is_unspecified(&heard->local) && p->id == heard->port;
		unsigned fit =
			1 + (!p->card || !p->bound) + 2 * (all || is_ours(w, &p->address)) + 4 * by;
		if (xy_addr_reaches(&p->address, &to->addr) && fit > most) {
			most = fit;
			best = p;
		}
	}
	const struct xy_addr *source =
		best && !xy_addr_is_unspecified(&best->address) ? &best->address : &any;
	if (look(w, to, source, best, &out->path))
		out->path = (struct xy_underlay_path){.next.addr = to->addr};
	if (best)
		take(out, best, source);
}

int xy_way_find(struct xy_ways *w, const struct xy_endpoint *to, const struct xy_dp_heard *heard,
		struct xy_way *out)
{
	int r = 0;
	*out = (struct xy_way){0};
	if (as_heard(w, to, heard, out) || as_kernel(w, to, heard, out, &r) || as_bound(w, to, out))
		return 0;
	somehow(w, to, heard, out);
	return r;
}
