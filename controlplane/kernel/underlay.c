// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/underlay.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/ipv6.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

enum {
	REQUEST = 512,	    // bytes, more than any of them
	HOPS = 32,	    // of one route
	LINK_TRIES = 3,	    // when links come and go as they are read
	LOWER_UP = 1 << 16, // IFF_LOWER_UP of <linux/if.h>, which does not go with <net/if.h>
};

static void via_addr(const struct nlattr *attr, struct xy_addr *out)
{
	const struct rtvia *via = mnl_attr_get_payload(attr);
	uint16_t len = mnl_attr_get_payload_len(attr);
	if (len == sizeof(*via) + 16 && via->rtvia_family == AF_INET6)
		memcpy(out->b, via->rtvia_addr, 16);
}

// --- the route that the kernel would take

struct route_answer {
	struct xy_underlay_path *path;
	uint32_t mtu, expires;
};

static void on_metrics(const struct nlattr *metrics, struct route_answer *r)
{
	const struct nlattr *metric;
	mnl_attr_for_each_nested(metric, metrics)
	{
		if (mnl_attr_get_type(metric) == RTAX_MTU)
			r->mtu = mnl_attr_get_u32(metric);
	}
}

static int on_route(const struct nlmsghdr *h, void *arg)
{
	struct route_answer *r = arg;
	struct xy_underlay_path *p = r->path;
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	mnl_attr_for_each(attr, h, sizeof(*m))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			p->next.ifindex = mnl_attr_get_u32(attr);
			break;
		case RTA_GATEWAY:
			xy_netlink_get_addr(attr, &p->next.addr);
			break;
		case RTA_VIA:
			via_addr(attr, &p->next.addr);
			break;
		case RTA_PREFSRC:
			xy_netlink_get_addr(attr, &p->source);
			break;
		case RTA_METRICS:
			on_metrics(attr, r);
			break;
		case RTA_CACHEINFO:
			// Only a clone made for one destination expires for what ICMP told; a route
			// by router advertisement expires, too.
			if (m->rtm_flags & RTM_F_CLONED)
				r->expires = (uint32_t)((const struct rta_cacheinfo *)
								mnl_attr_get_payload(attr))
						     ->rta_expires;
			break;
		}
	}
	return MNL_CB_OK;
}

static struct nlmsghdr *route_request(const struct xy_underlay *u, char *buf,
				      const struct xy_endpoint *to, unsigned ifindex,
				      uint32_t flags)
{
	struct rtmsg *rt;
	struct nlmsghdr *h = xy_netlink_request(u->netlink, buf, RTM_GETROUTE, 0, sizeof(*rt), &rt);
	rt->rtm_family = xy_netlink_family(&to->addr);
	rt->rtm_dst_len = rt->rtm_family == AF_INET ? 32 : 128;
	rt->rtm_flags = flags;
	xy_netlink_put_addr(h, RTA_DST, &to->addr);
	mnl_attr_put_u8(h, RTA_IP_PROTO, IPPROTO_UDP); // rules may ask for these
	mnl_attr_put_u16(h, RTA_DPORT, htons(to->port));
	if (u->port)
		mnl_attr_put_u16(h, RTA_SPORT, htons(u->port));
	if (!xy_addr_is_unspecified(&u->source)) {
		rt->rtm_src_len = rt->rtm_dst_len;
		xy_netlink_put_addr(h, RTA_SRC, &u->source);
	}
	if (ifindex)
		mnl_attr_put_u32(h, RTA_OIF, ifindex);
	if (u->fwmark)
		mnl_attr_put_u32(h, RTA_MARK, u->fwmark);
	return h;
}

static int ask_route(const struct xy_underlay *u, const struct xy_endpoint *to, unsigned ifindex,
		     struct xy_underlay_path *p)
{
	char buf[REQUEST];
	struct route_answer answer = {.path = p};
	int r = xy_netlink_answer(u->netlink, route_request(u, buf, to, ifindex, 0), on_route,
				  &answer);
	p->mtu = answer.expires ? 0 : answer.mtu;
	p->icmp_mtu = answer.expires ? answer.mtu : 0;
	return r;
}

// --- link

static void lower(uint32_t *mtu, uint32_t to)
{
	if (to && (!*mtu || to < *mtu))
		*mtu = to;
}

// IPv6 on a link may have a smaller MTU than the link, by a router's advertisement.
static uint32_t mtu_ipv6(const struct nlattr *spec)
{
	const struct nlattr *family, *attr;
	mnl_attr_for_each_nested(family, spec)
	{
		if (mnl_attr_get_type(family) != AF_INET6)
			continue;
		mnl_attr_for_each_nested(attr, family)
		{
			const uint32_t *conf = mnl_attr_get_payload(attr);
			if (mnl_attr_get_type(attr) == IFLA_INET6_CONF &&
			    mnl_attr_get_payload_len(attr) > DEVCONF_MTU6 * sizeof(*conf))
				return conf[DEVCONF_MTU6];
		}
	}
	return 0;
}

struct link_answer {
	struct xy_underlay_path *path;
	bool v6; // what is to be sent
	uint32_t mtu;
};

static int on_link(const struct nlmsghdr *h, void *arg)
{
	struct link_answer *answer = arg;
	struct xy_underlay_path *p = answer->path;
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	p->ethernet = ifi->ifi_type == ARPHRD_ETHER;
	p->carried = ifi->ifi_flags & LOWER_UP;
	mnl_attr_for_each(attr, h, sizeof(*ifi))
	{
		uint16_t type = mnl_attr_get_type(attr);
		if (type == IFLA_MTU)
			lower(&answer->mtu, mnl_attr_get_u32(attr));
		if (type == IFLA_AF_SPEC && answer->v6)
			lower(&answer->mtu, mtu_ipv6(attr));
		if (type == IFLA_ADDRESS && mnl_attr_get_payload_len(attr) == 6)
			memcpy(p->own_mac, mnl_attr_get_payload(attr), 6);
	}
	return MNL_CB_OK;
}

static int ask_link(const struct xy_underlay *u, const struct xy_endpoint *to,
		    struct xy_underlay_path *p)
{
	char buf[REQUEST];
	struct link_answer answer = {p, !xy_addr_is_v4(&to->addr), 0};
	struct ifinfomsg *ifi;
	struct nlmsghdr *h =
		xy_netlink_request(u->netlink, buf, RTM_GETLINK, 0, sizeof(*ifi), &ifi);
	ifi->ifi_index = (int)p->next.ifindex;
	int r = xy_netlink_answer(u->netlink, h, on_link, &answer);
	p->route_mtu = p->mtu && answer.mtu && p->mtu < answer.mtu;
	lower(&p->mtu, answer.mtu);
	return r;
}

// --- neighbour

// States in which the kernel itself would send to this hardware address.
#define USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

static int on_neighbour(const struct nlmsghdr *h, void *arg)
{
	struct xy_underlay_path *p = arg;
	const struct ndmsg *nd = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	mnl_attr_for_each(attr, h, sizeof(*nd))
	{
		if (mnl_attr_get_type(attr) == NDA_LLADDR && mnl_attr_get_payload_len(attr) == 6 &&
		    (nd->ndm_state & USABLE)) {
			memcpy(p->next_mac, mnl_attr_get_payload(attr), 6);
			p->resolved = true;
			p->fixed = nd->ndm_state & NUD_PERMANENT;
		}
	}
	return MNL_CB_OK;
}

static struct nlmsghdr *neighbour_request(const struct xy_underlay *u, char *buf, uint16_t type,
					  uint16_t flags, const struct xy_underlay_hop *hop,
					  struct ndmsg **nd)
{
	struct nlmsghdr *h = xy_netlink_request(u->netlink, buf, type, flags, sizeof(**nd), nd);
	(*nd)->ndm_family = xy_netlink_family(&hop->addr);
	(*nd)->ndm_ifindex = (int)hop->ifindex;
	xy_netlink_put_addr(h, NDA_DST, &hop->addr);
	return h;
}

static void ask_neighbour(const struct xy_underlay *u, struct xy_underlay_path *p)
{
	char buf[REQUEST];
	struct ndmsg *nd;
	struct nlmsghdr *h = neighbour_request(u, buf, RTM_GETNEIGH, 0, &p->next, &nd);
	xy_netlink_answer(u->netlink, h, on_neighbour, p); // none yet: not resolved
}

static void use(const struct xy_underlay *u, const struct xy_underlay_hop *hop)
{
	char buf[REQUEST];
	struct ndmsg *nd;
	struct nlmsghdr *h =
		neighbour_request(u, buf, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_ACK, hop, &nd);
	nd->ndm_state = NUD_NONE;
	nd->ndm_flags = NTF_USE;
	// Without the right to: the kernel resolves it when its socket sends.
	xy_netlink_answer(u->netlink, h, NULL, NULL);
}

void xy_underlay_use(const struct xy_underlay *u, const struct xy_underlay_path *path)
{
	if (!path->ethernet)
		return;
	if (!path->fixed) // NTF_USE would unset it
		use(u, &path->next);
	if (path->left.ifindex)
		use(u, &path->left);
}

// --- several next hops

struct hops {
	const struct xy_addr *to; // where a hop without a gateway is
	struct xy_underlay_hop hop[HOPS];
	unsigned count;
	uint32_t nexthop; // id of a nexthop object, 0 = none
};

static void hop_add(struct hops *l, const struct xy_underlay_hop *hop, unsigned flags)
{
	if (l->count == HOPS || !hop->ifindex || flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN))
		return;
	l->hop[l->count] = *hop;
	if (xy_addr_is_unspecified(&hop->addr))
		l->hop[l->count].addr = *l->to;
	l->count++;
}

static void on_multipath(const struct nlattr *multipath, struct hops *l)
{
	const struct rtnexthop *nh = mnl_attr_get_payload(multipath);
	size_t left = mnl_attr_get_payload_len(multipath);
	while (left >= sizeof(*nh) && nh->rtnh_len >= sizeof(*nh) && nh->rtnh_len <= left) {
		struct xy_underlay_hop hop = {.ifindex = (unsigned)nh->rtnh_ifindex};
		const struct nlattr *attr;
		mnl_attr_for_each_payload((const void *)(nh + 1), nh->rtnh_len - sizeof(*nh))
		{
			if (mnl_attr_get_type(attr) == RTA_GATEWAY)
				xy_netlink_get_addr(attr, &hop.addr);
			if (mnl_attr_get_type(attr) == RTA_VIA)
				via_addr(attr, &hop.addr);
		}
		hop_add(l, &hop, nh->rtnh_flags);
		size_t step = RTNH_ALIGN(nh->rtnh_len);
		left -= step < left ? step : left;
		nh = (const void *)((const char *)nh + step);
	}
}

static int on_fib_entry(const struct nlmsghdr *h, void *arg)
{
	struct hops *l = arg;
	const struct nlattr *attr;
	mnl_attr_for_each(attr, h, sizeof(struct rtmsg))
	{
		if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
			on_multipath(attr, l);
		if (mnl_attr_get_type(attr) == RTA_NH_ID)
			l->nexthop = mnl_attr_get_u32(attr);
	}
	return MNL_CB_OK;
}

struct nexthop_answer {
	struct xy_underlay_hop hop;
	unsigned flags;
	uint32_t member[HOPS];
	unsigned members;
};

static int on_nexthop(const struct nlmsghdr *h, void *arg)
{
	struct nexthop_answer *a = arg;
	const struct nhmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	a->flags = m->nh_flags;
	mnl_attr_for_each(attr, h, sizeof(*m))
	{
		const struct nexthop_grp *g = mnl_attr_get_payload(attr);
		size_t n = mnl_attr_get_payload_len(attr) / sizeof(*g);
		switch (mnl_attr_get_type(attr)) {
		case NHA_GATEWAY:
			xy_netlink_get_addr(attr, &a->hop.addr);
			break;
		case NHA_OIF:
			a->hop.ifindex = mnl_attr_get_u32(attr);
			break;
		case NHA_GROUP:
			for (size_t i = 0; i < n && a->members < HOPS; i++)
				a->member[a->members++] = g[i].id;
			break;
		}
	}
	return MNL_CB_OK;
}

static void ask_nexthop(const struct xy_underlay *u, uint32_t id, struct nexthop_answer *out)
{
	char buf[REQUEST];
	struct nhmsg *m;
	*out = (struct nexthop_answer){0};
	struct nlmsghdr *h = xy_netlink_request(u->netlink, buf, RTM_GETNEXTHOP, 0, sizeof(*m), &m);
	mnl_attr_put_u32(h, NHA_ID, id);
	xy_netlink_answer(u->netlink, h, on_nexthop, out); // gone meanwhile: none
}

// With nexthop_compat_mode = 0 a route names its group alone.
static void ask_group(const struct xy_underlay *u, struct hops *l)
{
	struct nexthop_answer group, one;
	ask_nexthop(u, l->nexthop, &group);
	for (unsigned i = 0; i < group.members; i++) {
		ask_nexthop(u, group.member[i], &one);
		hop_add(l, &one.hop, one.flags);
	}
}

static void ask_hops(const struct xy_underlay *u, const struct xy_endpoint *to, struct hops *l)
{
	char buf[REQUEST];
	*l = (struct hops){.to = &to->addr};
	struct nlmsghdr *h = route_request(u, buf, to, to->scope, RTM_F_FIB_MATCH);
	if (xy_netlink_answer(u->netlink, h, on_fib_entry, l) == 0 && !l->count && l->nexthop)
		ask_group(u, l);
}

// The way by one of the next hops, if its hardware address is known.
static bool by_hop(const struct xy_underlay *u, const struct xy_endpoint *to,
		   const struct xy_underlay_hop *hop, struct xy_underlay_path *out)
{
	*out = (struct xy_underlay_path){0};
	if (ask_route(u, to, hop->ifindex, out))
		return false;
	out->next = *hop;
	if (ask_link(u, to, out))
		return false;
	ask_neighbour(u, out);
	return out->resolved;
}

static bool hop_eq(const struct xy_underlay_hop *a, const struct xy_underlay_hop *b)
{
	return a->ifindex == b->ifindex && xy_addr_eq(&a->addr, &b->addr);
}

// The kernel shares destinations out over a route's next hops; to one that does not answer, or
// whose link is down, it goes on sending (fib_multipath_use_neigh, ignore_routes_with_linkdown =
// 0). Another that answers takes its share, each destination beginning its search at another. When
// none does, all are asked: one that was never used, or died before, is not known to the kernel.
static void leave_dead_hop(const struct xy_underlay *u, const struct xy_endpoint *to,
			   struct xy_underlay_path *p)
{
	struct xy_underlay_path other;
	struct hops l;
	unsigned from = to->addr.b[15] ^ to->addr.b[7] ^ to->port;
	ask_hops(u, to, &l);
	for (unsigned i = 0; i < l.count; i++) {
		const struct xy_underlay_hop *hop = &l.hop[(from + i) % l.count];
		if (!hop_eq(hop, &p->next) && by_hop(u, to, hop, &other)) {
			other.left = p->next;
			*p = other;
			return;
		}
	}
	for (unsigned i = 0; i < l.count; i++)
		if (!hop_eq(&l.hop[i], &p->next)) // for that one, the caller does
			use(u, &l.hop[i]);
}

int xy_underlay_path(const struct xy_underlay *u, const struct xy_endpoint *to, bool hardware,
		     struct xy_underlay_path *out)
{
	*out = (struct xy_underlay_path){.next.addr = to->addr};
	int r = ask_route(u, to, to->scope, out);
	r = r ? r : ask_link(u, to, out);
	if (r || !hardware || !out->ethernet)
		return r;
	ask_neighbour(u, out);
	if (!out->resolved)
		leave_dead_hop(u, to, out);
	return 0;
}

// --- interfaces

struct master {
	unsigned ifindex;
	bool vrf;
};

static int on_master(const struct nlmsghdr *h, void *arg)
{
	struct master *m = arg;
	const struct nlattr *attr, *info, *kind = NULL;
	mnl_attr_for_each(attr, h, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attr) == IFLA_MASTER)
			m->ifindex = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) != IFLA_LINKINFO)
			continue;
		mnl_attr_for_each_nested(info, attr) if (mnl_attr_get_type(info) ==
							 IFLA_INFO_SLAVE_KIND) kind = info;
	}
	m->vrf = kind && mnl_attr_validate(kind, MNL_TYPE_NUL_STRING) == 0 &&
		 strcmp(mnl_attr_get_str(kind), "vrf") == 0;
	return MNL_CB_OK;
}

int xy_underlay_master(const struct xy_underlay *u, unsigned ifindex, char out[static IF_NAMESIZE])
{
	struct master m = {0};
	char buf[REQUEST];
	struct ifinfomsg *ifi;
	struct nlmsghdr *h =
		xy_netlink_request(u->netlink, buf, RTM_GETLINK, 0, sizeof(*ifi), &ifi);
	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)ifindex;
	int r = xy_netlink_answer(u->netlink, h, on_master, &m);
	out[0] = 0;
	if (r || !m.ifindex || m.vrf)
		return r;
	if (!if_indextoname(m.ifindex, out)) // of another network namespace
		snprintf(out, IF_NAMESIZE, "interface %u", m.ifindex);
	return 0;
}

static int on_any_link(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	uint32_t *largest = arg;
	if (!(ifi->ifi_flags & IFF_UP) || (ifi->ifi_flags & IFF_LOOPBACK))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, h, sizeof(*ifi))
	{
		if (mnl_attr_get_type(attr) == IFLA_MTU && mnl_attr_get_u32(attr) > *largest)
			*largest = mnl_attr_get_u32(attr);
	}
	return MNL_CB_OK;
}

uint32_t xy_underlay_mtu_largest(const struct xy_underlay *u)
{
	char buf[REQUEST];
	uint32_t largest = 0;
	int r = -EINTR;
	for (unsigned i = 0; r == -EINTR && i < LINK_TRIES; i++) {
		struct ifinfomsg *ifi;
		struct nlmsghdr *h = xy_netlink_request(u->netlink, buf, RTM_GETLINK, NLM_F_DUMP,
							sizeof(*ifi), &ifi);
		r = xy_netlink_answer(u->netlink, h, on_any_link, &largest);
	}
	return r && r != -EINTR ? 0 : largest;
}
