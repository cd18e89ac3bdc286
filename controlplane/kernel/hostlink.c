// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/hostlink.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
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

int xy_hostlink_address_add(struct xy_netlink *n, unsigned ifindex, const struct xy_prefix *address)
{
	char buf[REQUEST];
	struct ifaddrmsg *m;
	bool v4 = xy_addr_is_v4(&address->addr);
	struct nlmsghdr *h = xy_netlink_request(
		n, buf, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, sizeof(*m), &m);
	m->ifa_family = xy_netlink_family(&address->addr);
	m->ifa_prefixlen = (uint8_t)(v4 ? address->len - 96 : address->len);
	m->ifa_index = ifindex;
	m->ifa_flags = IFA_F_NODAD; // nobody else is on this link
	xy_netlink_put_addr(h, IFA_LOCAL, &address->addr);
	xy_netlink_put_addr(h, IFA_ADDRESS, &address->addr);
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
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	mnl_attr_put(h, RTA_DST, v4 ? 4 : 16, v4 ? r->prefix.addr.b + 12 : r->prefix.addr.b);
	mnl_attr_put_u32(h, RTA_OIF, ifindex);
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
