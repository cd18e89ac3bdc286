// SPDX-License-Identifier: BSD-3-Clause
#include "netlink.h"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFER 8192

static struct mnl_socket *open_bound(unsigned groups)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (s && mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(s);
		s = NULL;
	}
	return s;
}

int xy_netlink_open(struct xy_netlink *n, struct xy_err *err)
{
	*n = (struct xy_netlink){0};
	n->ask = open_bound(0);
	n->listen = n->ask ? open_bound(RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE |
					RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)
			   : NULL;
	if (n->listen)
		return 0;
	int e = errno;
	xy_netlink_close(n);
	return xy_err_set(err, e, "netlink socket: %s", strerror(e));
}

void xy_netlink_close(struct xy_netlink *n)
{
	if (n->ask)
		mnl_socket_close(n->ask);
	if (n->listen)
		mnl_socket_close(n->listen);
	*n = (struct xy_netlink){0};
}

int xy_netlink_fd(const struct xy_netlink *n)
{
	return mnl_socket_get_fd(n->listen);
}

bool xy_netlink_drain(struct xy_netlink *n)
{
	char buf[BUFFER];
	bool changed = false;
	// An overrun (ENOBUFS) is a change too: we do not know of what.
	while (mnl_socket_recvfrom(n->listen, buf, sizeof(buf)) > 0 || errno == ENOBUFS) {
		changed = true;
		errno = 0;
	}
	return changed;
}

static struct nlmsghdr *begin(struct xy_netlink *n, char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	h->nlmsg_seq = ++n->seq;
	return h;
}

// The kernel works a request off and puts its answer on the socket before send returns.
static int ask(struct xy_netlink *n, const struct nlmsghdr *h)
{
	char buf[BUFFER];
	unsigned port = mnl_socket_get_portid(n->ask);
	if (mnl_socket_sendto(n->ask, h, h->nlmsg_len) < 0)
		return -errno;
	ssize_t got;
	while ((got = mnl_socket_recvfrom(n->ask, buf, sizeof(buf))) > 0) {
		int r = mnl_cb_run(buf, (size_t)got, n->seq, port, NULL, NULL);
		if (r < 0 && errno != EPROTO) // EPROTO: the rest of an earlier answer
			return -errno;
		if (r == MNL_CB_STOP)
			return 0;
	}
	return -errno;
}

int xy_netlink_link_quiet(struct xy_netlink *n, unsigned ifindex)
{
	char buf[BUFFER];
	struct nlmsghdr *h = begin(n, buf, RTM_NEWLINK, 0);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifi_family = AF_UNSPEC;
	m->ifi_index = (int)ifindex;
	struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(h, AF_INET6);
	mnl_attr_put_u8(h, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(h, inet6);
	mnl_attr_nest_end(h, spec);
	return ask(n, h);
}

int xy_netlink_link_set(struct xy_netlink *n, unsigned ifindex, uint32_t mtu, bool up)
{
	char buf[BUFFER];
	struct nlmsghdr *h = begin(n, buf, RTM_NEWLINK, 0);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifi_family = AF_UNSPEC;
	m->ifi_index = (int)ifindex;
	m->ifi_change = up ? IFF_UP : 0;
	m->ifi_flags = up ? IFF_UP : 0;
	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	return ask(n, h);
}

static void put_addr(struct nlmsghdr *h, uint16_t attr, const struct xy_addr *a, bool v4)
{
	mnl_attr_put(h, attr, v4 ? 4 : 16, v4 ? a->b + 12 : a->b);
}

int xy_netlink_address_add(struct xy_netlink *n, unsigned ifindex, const struct xy_prefix *address)
{
	char buf[BUFFER];
	bool v4 = xy_addr_is_v4(&address->addr);
	struct nlmsghdr *h = begin(n, buf, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifa_family = v4 ? AF_INET : AF_INET6;
	m->ifa_prefixlen = (uint8_t)(v4 ? address->len - 96 : address->len);
	m->ifa_index = ifindex;
	m->ifa_flags = IFA_F_NODAD; // nobody else is on this link
	put_addr(h, IFA_LOCAL, &address->addr, v4);
	put_addr(h, IFA_ADDRESS, &address->addr, v4);
	return ask(n, h);
}

static int route(struct xy_netlink *n, uint16_t type, uint16_t flags, unsigned ifindex,
		 const struct xy_prefix *prefix)
{
	char buf[BUFFER];
	bool v4 = xy_prefix_is_v4(prefix);
	struct nlmsghdr *h = begin(n, buf, type, flags);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->rtm_family = v4 ? AF_INET : AF_INET6;
	m->rtm_dst_len = (uint8_t)(v4 ? prefix->len - 96 : prefix->len);
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	put_addr(h, RTA_DST, &prefix->addr, v4);
	mnl_attr_put_u32(h, RTA_OIF, ifindex);
	return ask(n, h);
}

int xy_netlink_route_add(struct xy_netlink *n, unsigned ifindex, const struct xy_prefix *prefix)
{
	return route(n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, ifindex, prefix);
}

int xy_netlink_route_del(struct xy_netlink *n, unsigned ifindex, const struct xy_prefix *prefix)
{
	return route(n, RTM_DELROUTE, 0, ifindex, prefix);
}
