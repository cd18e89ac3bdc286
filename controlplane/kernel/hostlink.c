// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/hostlink.h"

#include <linux/gen_stats.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
	REQUEST = 512,	     // bytes, more than any single one here
	ROUTE_REQUEST = 128, // bytes, more than one for a route
};

int xy_hostlink_quiet(struct xy_netlink *n, unsigned ifindex)
{
	char buf[REQUEST];
	struct ifinfomsg *m;
	struct nlmsghdr *h = xy_netlink_request(n, buf, RTM_NEWLINK, NLM_F_ACK, sizeof(*m), &m);
	m->ifi_family = AF_UNSPEC;
	m->ifi_index = (int)ifindex;
	struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(h, AF_INET6);
	mnl_attr_put_u8(h, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(h, inet6);
	mnl_attr_nest_end(h, spec);
	return xy_netlink_answer(n, h, NULL, NULL);
}

int xy_hostlink_set(struct xy_netlink *n, unsigned ifindex, uint32_t mtu, bool up)
{
	char buf[REQUEST];
	struct ifinfomsg *m;
	struct nlmsghdr *h = xy_netlink_request(n, buf, RTM_NEWLINK, NLM_F_ACK, sizeof(*m), &m);
	m->ifi_family = AF_UNSPEC;
	m->ifi_index = (int)ifindex;
	m->ifi_change = up ? IFF_UP : 0;
	m->ifi_flags = up ? IFF_UP : 0;
	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	return xy_netlink_answer(n, h, NULL, NULL);
}

int xy_hostlink_address_add(struct xy_netlink *n, unsigned ifindex,
			    const struct xy_hostlink_address *address)
{
	char buf[REQUEST];
	struct ifaddrmsg *m;
	const struct xy_addr *a = &address->at.addr;
	bool v4 = xy_addr_is_v4(a);
	uint16_t how = address->again ? NLM_F_EXCL : NLM_F_REPLACE;
	struct nlmsghdr *h = xy_netlink_request(
		n, buf, RTM_NEWADDR, (uint16_t)(NLM_F_ACK | NLM_F_CREATE | how), sizeof(*m), &m);
	m->ifa_family = xy_netlink_family(a);
	m->ifa_prefixlen = (uint8_t)(v4 ? address->at.len - 96 : address->at.len);
	m->ifa_index = ifindex;
	xy_netlink_put_addr(h, IFA_LOCAL, a);
	xy_netlink_put_addr(h, IFA_ADDRESS, a);
	mnl_attr_put_u32(h, IFA_FLAGS,
			 IFA_F_NODAD | // nobody else is on this link
				 (address->alone ? IFA_F_NOPREFIXROUTE : 0));
	return xy_netlink_answer(n, h, NULL, NULL);
}

int xy_hostlink_address_del(struct xy_netlink *n, unsigned ifindex,
			    const struct xy_hostlink_address *address)
{
	char buf[REQUEST];
	struct ifaddrmsg *m;
	const struct xy_addr *a = &address->at.addr;
	bool v4 = xy_addr_is_v4(a);
	struct nlmsghdr *h = xy_netlink_request(n, buf, RTM_DELADDR, NLM_F_ACK, sizeof(*m), &m);
	m->ifa_family = xy_netlink_family(a);
	m->ifa_prefixlen = (uint8_t)(v4 ? address->at.len - 96 : address->at.len);
	m->ifa_index = ifindex;
	xy_netlink_put_addr(h, IFA_LOCAL, a);
	return xy_netlink_answer(n, h, NULL, NULL);
}

// --- routes

static struct nlmsghdr *route_request(struct xy_netlink *n, char *buf, unsigned ifindex,
				      const struct xy_hostlink_route *r)
{
	struct rtmsg *m;
	bool v4 = xy_prefix_is_v4(&r->prefix);
	struct nlmsghdr *h =
		xy_netlink_request(n, buf, r->add ? RTM_NEWROUTE : RTM_DELROUTE,
				   r->add ? NLM_F_CREATE | NLM_F_EXCL : 0, sizeof(*m), &m);
	m->rtm_family = v4 ? AF_INET : AF_INET6;
	m->rtm_dst_len = (uint8_t)(v4 ? r->prefix.len - 96 : r->prefix.len);
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = XY_HOSTLINK_PROTOCOL;
	m->rtm_scope = v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	mnl_attr_put(h, RTA_DST, v4 ? 4 : 16, v4 ? r->prefix.addr.b + 12 : r->prefix.addr.b);
	mnl_attr_put_u32(h, RTA_OIF, ifindex);
	if (r->metric)
		mnl_attr_put_u32(h, RTA_PRIORITY, r->metric);
	return h;
}

struct batch {
	struct xy_hostlink_route *routes;
	unsigned count;
	uint32_t first; // nlmsg_seq of routes[0]
};

static void on_error(void *arg, uint32_t seq, int error)
{
	const struct batch *b = arg;
	if (seq - b->first < b->count)
		b->routes[seq - b->first].result = error;
}

void xy_hostlink_routes(struct xy_netlink *n, unsigned ifindex, struct xy_hostlink_route *routes,
			unsigned count)
{
	char buf[XY_HOSTLINK_BATCH * ROUTE_REQUEST];
	struct batch b = {routes, count, n->seq + 1};
	struct nlmsghdr *h = NULL;
	size_t len = 0;
	for (unsigned i = 0; i < count; i++) {
		h = route_request(n, buf + len, ifindex, &routes[i]);
		len += MNL_ALIGN(h->nlmsg_len);
		routes[i].result = 0;
	}
	if (!h)
		return;
	h->nlmsg_flags |= NLM_F_ACK;
	int r = xy_netlink_answer_all(n, buf, len, on_error, &b);
	for (unsigned i = 0; r && i < count; i++)
		routes[i].result = r;
}

struct left { // by an earlier run
	unsigned ifindex, count;
	struct xy_hostlink_route route[XY_HOSTLINK_BATCH];
};

// A route's prefix, its interface and its metric; false: it is in another table, or not for a
// prefix.
static bool route_read(const struct nlmsghdr *h, struct xy_hostlink_route *out, unsigned *ifindex)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	bool v4 = m->rtm_family == AF_INET;
	*out = (struct xy_hostlink_route){0};
	*ifindex = 0;
	if ((!v4 && m->rtm_family != AF_INET6) || m->rtm_flags & RTM_F_CLONED ||
	    m->rtm_table != RT_TABLE_MAIN)
		return false;
	if (v4)
		out->prefix.addr = xy_addr_from_v4(0);
	mnl_attr_for_each(attr, h, sizeof(*m))
	{
		if (mnl_attr_get_type(attr) == RTA_DST)
			xy_netlink_get_addr(attr, &out->prefix.addr);
		if (mnl_attr_get_type(attr) == RTA_OIF)
			*ifindex = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == RTA_PRIORITY)
			out->metric = mnl_attr_get_u32(attr);
	}
	out->prefix.len = (uint8_t)(v4 ? m->rtm_dst_len + 96 : m->rtm_dst_len);
	return true;
}

static int on_left(const struct nlmsghdr *h, void *arg)
{
	struct left *l = arg;
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	unsigned ifindex;
	if (l->count < XY_HOSTLINK_BATCH && m->rtm_protocol == XY_HOSTLINK_PROTOCOL &&
	    route_read(h, &l->route[l->count], &ifindex) && ifindex == l->ifindex)
		l->count++;
	return MNL_CB_OK;
}

void xy_hostlink_routes_flush(struct xy_netlink *n, unsigned ifindex)
{
	struct left l = {.ifindex = ifindex};
	char buf[REQUEST];
	do {
		struct rtmsg *m;
		struct nlmsghdr *h =
			xy_netlink_request(n, buf, RTM_GETROUTE, NLM_F_DUMP, sizeof(*m), &m);
		m->rtm_family = AF_UNSPEC;
		l.count = 0;
		xy_netlink_answer(n, h, on_left, &l);
		xy_hostlink_routes(n, ifindex, l.route, l.count);
	} while (l.count == XY_HOSTLINK_BATCH && !l.route[0].result);
}

// --- changes

static void link_read(const struct nlmsghdr *h, struct xy_hostlink_event *out)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	out->what = XY_HOSTLINK_LINK;
	out->up = m->ifi_flags & IFF_UP;
	mnl_attr_for_each(attr, h, sizeof(*m))
	{
		if (mnl_attr_get_type(attr) == IFLA_MTU)
			out->mtu = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			snprintf(out->name, sizeof(out->name), "%s", mnl_attr_get_str(attr));
	}
}

static int on_link(const struct nlmsghdr *h, void *out)
{
	link_read(h, out);
	return MNL_CB_OK;
}

int xy_hostlink_get(struct xy_netlink *n, unsigned ifindex, struct xy_hostlink_event *out)
{
	char buf[REQUEST];
	struct ifinfomsg *m;
	struct nlmsghdr *h = xy_netlink_request(n, buf, RTM_GETLINK, 0, sizeof(*m), &m);
	m->ifi_index = (int)ifindex;
	*out = (struct xy_hostlink_event){.what = XY_HOSTLINK_OTHER};
	return xy_netlink_answer(n, h, on_link, out);
}

static void route_changed(const struct nlmsghdr *h, bool here, struct xy_hostlink_event *out)
{
	if (h->nlmsg_type == RTM_DELROUTE)
		out->what = XY_HOSTLINK_NO_ROUTE;
	else if (h->nlmsg_flags & NLM_F_REPLACE && !here)
		out->what = XY_HOSTLINK_REPLACED;
}

void xy_hostlink_event_read(const struct nlmsghdr *h, unsigned ifindex,
			    struct xy_hostlink_event *out)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(h);
	const struct ifaddrmsg *address = mnl_nlmsg_get_payload(h);
	struct xy_hostlink_route route;
	unsigned by;
	*out = (struct xy_hostlink_event){.what = XY_HOSTLINK_OTHER};
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
		if (link->ifi_index == (int)ifindex && link->ifi_family == AF_UNSPEC)
			link_read(h, out);
		break;
	case RTM_DELLINK: // of a bridge's own family: it left the bridge
		if (link->ifi_index == (int)ifindex && link->ifi_family == AF_UNSPEC)
			out->what = XY_HOSTLINK_GONE;
		break;
	case RTM_DELADDR:
		if (address->ifa_index == ifindex)
			out->what = XY_HOSTLINK_NO_ADDRESS;
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (route_read(h, &route, &by))
			route_changed(h, by == ifindex, out);
		out->prefix = route.prefix;
		break;
	}
}

// --- counters

static int on_counters(const struct nlmsghdr *h, void *arg)
{
	struct xy_hostlink_counters *c = arg;
	struct rtnl_link_stats64 s = {0};
	const struct nlattr *attr;
	mnl_attr_for_each(attr, h, sizeof(struct ifinfomsg))
	{
		size_t len = mnl_attr_get_payload_len(attr);
		if (mnl_attr_get_type(attr) == IFLA_STATS64) // longer with each kernel
			memcpy(&s, mnl_attr_get_payload(attr), len < sizeof(s) ? len : sizeof(s));
	}
	c->rx_packets = s.tx_packets;
	c->rx_bytes = s.tx_bytes;
	c->rx_missed = s.tx_dropped + s.tx_errors;
	c->tx_packets = s.rx_packets;
	c->tx_bytes = s.rx_bytes;
	c->tx_errors = s.rx_dropped + s.rx_errors;
	return MNL_CB_OK;
}

struct queue {
	unsigned ifindex;
	uint64_t drops;
};

static uint64_t queue_drops(const struct nlattr *stats)
{
	struct gnet_stats_queue q = {0};
	const struct nlattr *attr;
	mnl_attr_for_each_nested(attr, stats)
	{
		size_t len = mnl_attr_get_payload_len(attr);
		if (mnl_attr_get_type(attr) == TCA_STATS_QUEUE)
			memcpy(&q, mnl_attr_get_payload(attr), len < sizeof(q) ? len : sizeof(q));
	}
	return q.drops;
}

// The root's counts are those of all queues below it.
static int on_queue(const struct nlmsghdr *h, void *arg)
{
	struct queue *q = arg;
	const struct tcmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	if (m->tcm_ifindex != (int)q->ifindex || m->tcm_parent != TC_H_ROOT)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, h, sizeof(*m))
	{
		if (mnl_attr_get_type(attr) == TCA_STATS2)
			q->drops = queue_drops(attr);
	}
	return MNL_CB_OK;
}

// TUN drops by itself, or, where it stops the queue before it (newer kernels), that one does.
int xy_hostlink_counters(struct xy_netlink *n, unsigned ifindex, struct xy_hostlink_counters *out)
{
	char buf[REQUEST];
	struct queue q = {.ifindex = ifindex};
	struct ifinfomsg *m;
	struct tcmsg *tc;
	struct nlmsghdr *h = xy_netlink_request(n, buf, RTM_GETLINK, 0, sizeof(*m), &m);
	m->ifi_index = (int)ifindex;
	*out = (struct xy_hostlink_counters){0};
	int r = xy_netlink_answer(n, h, on_counters, out);
	if (r)
		return r;
	h = xy_netlink_request(n, buf, RTM_GETQDISC, NLM_F_DUMP, sizeof(*tc), &tc);
	tc->tcm_ifindex = (int)ifindex;
	xy_netlink_answer(n, h, on_queue, &q); // a kernel without queues has none
	out->rx_missed += q.drops;
	return 0;
}
