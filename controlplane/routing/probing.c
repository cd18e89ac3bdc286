// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_ROUTING

#include "routing/probing.h"

#include "log.h"
#include "pmtu/pmtu.h"
#include "wire/udp6.h"

#include <stdlib.h>

enum { PACKET = 9216, CS6 = 0xc0 };

struct probed {
	bool there;
	struct xy_pmtu pmtu;
	struct xy_endpoint remote; // where the path leads
	uint32_t floor, icmp;
	struct xy_link_probed told;
	uint32_t said; // of a narrow path
	struct xy_log_limit narrow, lost;
};

struct xy_probing {
	struct xy_dp *dp;
	const struct xy_linkview *links;
	struct xy_addr local;
	uint32_t max_peers;
	struct probed *link; // [max_peers], by slot
	uint8_t data[PACKET], packet[PACKET];
};

struct xy_probing *xy_probing_create(struct xy_dp *dp, const struct xy_linkview *links,
				     const struct xy_addr *local, uint32_t max_peers)
{
	struct xy_probing *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	*p = (struct xy_probing){.dp = dp, .links = links, .local = *local, .max_peers = max_peers};
	p->link = calloc(max_peers, sizeof(*p->link));
	if (!p->link) {
		free(p);
		return NULL;
	}
	return p;
}

void xy_probing_destroy(struct xy_probing *p)
{
	if (p)
		free(p->link);
	free(p);
}

// Once: a path that carries less than its first link, of which no router told.
static void say_narrow(struct xy_probing *p, uint32_t slot, xy_nsec now)
{
	struct probed *k = &p->link[slot];
	const struct xy_pmtu *m = &k->pmtu;
	unsigned long missed;
	if (m->size == m->limit)
		k->said = 0;
	if ((m->state != XY_PMTU_COMPLETE && m->state != XY_PMTU_ERROR) || m->size == m->limit ||
	    m->size == m->hint || m->size == k->said)
		return;
	k->said = m->size;
	if (xy_log_limit_pass(&k->narrow, now, &missed))
		xy_log_info("peer %s: the path carries %u bytes whole, less than the %u of the way "
			    "out, and no ICMP error said so; larger ones go in fragments or are "
			    "refused",
			    p->links->name(p->links->arg, slot), m->size, m->limit);
}

static void say_lost(struct xy_probing *p, uint32_t slot, const struct xy_link_path *path,
		     xy_nsec now)
{
	struct probed *k = &p->link[slot];
	uint32_t size = k->pmtu.size;
	unsigned long missed;
	if (xy_log_limit_pass(&k->lost, now, &missed))
		xy_log_warn(
			"peer %s: fragments do not arrive, so the link carries %u bytes and not "
			"the %u that each should: let IP fragments pass, or set the path's MTU "
			"on the kernel's route there (ip route change ... mtu %u)",
			p->links->name(p->links->arg, slot),
			size > path->overhead ? size - path->overhead : 0,
			path->floor - path->overhead, size ? size : XY_PMTU_BASE);
}

static void tell(struct xy_probing *p, uint32_t slot, const struct xy_link_path *path, xy_nsec now)
{
	struct probed *k = &p->link[slot];
	const struct xy_pmtu *m = &k->pmtu;
	struct xy_link_probed is = {.size = m->size,
				    .confirmed = m->confirmed,
				    .lost = m->pieces == XY_PMTU_PIECES_LOST && m->size < m->floor};
	say_narrow(p, slot, now);
	if (is.lost && !k->told.lost)
		say_lost(p, slot, path, now);
	if (is.size == k->told.size && is.confirmed == k->told.confirmed && is.lost == k->told.lost)
		return;
	k->told = is;
	p->links->probed(p->links->arg, slot, &is);
}

static void ask(struct xy_probing *p, struct xy_babel *b, uint32_t slot,
		const struct xy_babel_link_info *i, uint32_t inside, bool pieces)
{
	if (inside < XY_UDP6_HEADERS + XY_BABEL_PROBE_MIN || inside > PACKET)
		return;
	size_t len = xy_babel_link_probe(b, (uint16_t)slot, p->data, inside - XY_UDP6_HEADERS);
	struct xy_udp6 u = {.src = p->local,
			    .dst = i->address,
			    .src_port = XY_BABEL_PORT,
			    .dst_port = XY_BABEL_PORT,
			    .traffic_class = CS6,
			    .hop_limit = 1,
			    .data = p->data,
			    .len = len};
	len = len ? xy_udp6_build(&u, p->packet, sizeof(p->packet)) : 0;
	if (len)
		xy_dp_overlay_probe(p->dp, slot, pieces, p->packet, len);
}

static void follow(struct probed *k, const struct xy_link_path *path, xy_nsec now)
{
	uint32_t most = PACKET + path->overhead, limit = path->limit < most ? path->limit : most;
	if (!k->there || !xy_addr_eq(&k->remote.addr, &path->remote.addr) ||
	    k->floor != path->floor) {
		xy_pmtu_reset(&k->pmtu, limit, path->floor, now);
		k->icmp = 0;
		k->there = true;
	}
	if (!path->probed) // also when it went elsewhere and came back between two looks
		k->told = (struct xy_link_probed){.size = limit};
	k->remote = path->remote;
	k->floor = path->floor;
	xy_pmtu_limit(&k->pmtu, limit);
	if (k->icmp != path->icmp)
		xy_pmtu_hint(&k->pmtu, path->icmp, now);
	k->icmp = path->icmp;
}

bool xy_probing_look(struct xy_probing *p, struct xy_babel *b, uint32_t slot,
		     const struct xy_dp_peer_stats *s, xy_nsec now)
{
	struct probed *k = &p->link[slot];
	struct xy_link_path path;
	struct xy_babel_link_info i;
	struct xy_pmtu_probe probe;
	if (!p->links->path(p->links->arg, slot, &path) ||
	    xy_babel_link_info(b, (uint16_t)slot, &i)) {
		xy_probing_gone(p, slot);
		return false;
	}
	follow(k, &path, now);
	if (i.usable && i.acknowledges)
		xy_pmtu_up(&k->pmtu, now);
	else
		xy_pmtu_down(&k->pmtu);
	if (i.probed)
		xy_pmtu_acked(&k->pmtu, k->pmtu.probe, now);
	struct xy_pmtu_seen seen = {
		.heard = s->rx_any, .carried = s->tx_carried, .rtt = i.rtt * XY_USEC};
	if (xy_pmtu_run(&k->pmtu, &seen, now, &probe)) {
		if (probe.companion)
			ask(p, b, slot, &i, XY_UDP6_HEADERS + XY_BABEL_PROBE_MIN, true);
		ask(p, b, slot, &i, probe.size - path.overhead, probe.pieces);
	}
	tell(p, slot, &path, now);
	return k->pmtu.probe || k->pmtu.state == XY_PMTU_SEARCHING;
}

void xy_probing_down(struct xy_probing *p, uint32_t slot)
{
	xy_pmtu_down(&p->link[slot].pmtu);
}

void xy_probing_gone(struct xy_probing *p, uint32_t slot)
{
	if (!p->link[slot].there)
		return;
	memset(&p->link[slot], 0, sizeof(p->link[slot]));
	p->links->probed(p->links->arg, slot, NULL);
}
