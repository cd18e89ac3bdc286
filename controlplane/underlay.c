// SPDX-License-Identifier: BSD-3-Clause
#include "underlay.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <time.h>

struct xy_underlay {
	struct mnl_socket *ask, *watch;
	uint32_t fwmark;
	unsigned seq;
};

static const unsigned groups[] = {RTNLGRP_LINK,	       RTNLGRP_NEIGH,	   RTNLGRP_IPV4_IFADDR,
				  RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
				  RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE};

static struct mnl_socket *socket_open(bool watch)
{
	struct mnl_socket *s =
		mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | (watch ? SOCK_NONBLOCK : 0));
	if (!s)
		return NULL;
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID)) {
		mnl_socket_close(s);
		return NULL;
	}
	for (size_t i = 0; watch && i < sizeof(groups) / sizeof(groups[0]); i++) {
		int group = (int)groups[i];
		mnl_socket_setsockopt(s, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
	}
	return s;
}

int xy_underlay_open(uint32_t fwmark, struct xy_underlay **out, struct xy_err *err)
{
	struct xy_underlay *u = calloc(1, sizeof(*u));
	if (!u)
		return xy_err_set(err, ENOMEM, "no memory for netlink");
	u->fwmark = fwmark;
	u->seq = (unsigned)time(NULL);
	u->ask = socket_open(false);
	u->watch = socket_open(true);
	if (!u->ask || !u->watch) {
		int code = errno ? errno : EIO;
		xy_underlay_close(u);
		return xy_err_set(err, code, "netlink: %s", strerror(code));
	}
	*out = u;
	return 0;
}

void xy_underlay_close(struct xy_underlay *u)
{
	if (!u)
		return;
	if (u->ask)
		mnl_socket_close(u->ask);
	if (u->watch)
		mnl_socket_close(u->watch);
	free(u);
}

int xy_underlay_fd(const struct xy_underlay *u)
{
	return mnl_socket_get_fd(u->watch);
}

bool xy_underlay_changed(struct xy_underlay *u)
{
	char buf[32768];
	bool any = false;
	ssize_t n;
	while ((n = mnl_socket_recvfrom(u->watch, buf, sizeof(buf))) > 0 || errno == ENOBUFS)
		any = true; // ENOBUFS: changes were lost, which is a change as well
	return any;
}

// --- one request, its answers

static struct nlmsghdr *request(struct xy_underlay *u, char *buf, uint16_t type, uint16_t flags,
				size_t extra, void *extra_out)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = ++u->seq;
	*(void **)extra_out = mnl_nlmsg_put_extra_header(h, extra);
	return h;
}

// Sends and reads until the kernel is done; -errno as it says.
static int answer(struct xy_underlay *u, struct nlmsghdr *h, mnl_cb_t cb, void *arg)
{
	char buf[32768];
	unsigned port = mnl_socket_get_portid(u->ask);
	if (mnl_socket_sendto(u->ask, h, h->nlmsg_len) < 0)
		return -errno;
	bool dump = (h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(u->ask, buf, sizeof(buf));
		if (n < 0)
			return -errno;
		int r = mnl_cb_run(buf, (size_t)n, u->seq, port, cb, arg);
		if (r < 0)
			return errno == EPROTO || errno == ESRCH ? -EIO : -errno;
		if (r == MNL_CB_STOP || !dump)
			return 0;
	}
}

static void put_addr(struct nlmsghdr *h, uint16_t type, const struct xy_addr *a)
{
	if (xy_addr_is_v4(a))
		mnl_attr_put(h, type, 4, a->b + 12);
	else
		mnl_attr_put(h, type, 16, a->b);
}

static bool get_addr(const struct nlattr *attr, struct xy_addr *out)
{
	uint16_t len = mnl_attr_get_payload_len(attr);
	const uint8_t *p = mnl_attr_get_payload(attr);
	if (len == 4)
		*out = xy_addr_from_v4((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
				       (uint32_t)p[2] << 8 | p[3]);
	else if (len == 16)
		memcpy(out->b, p, 16);
	else
		return false;
	return true;
}

static uint8_t family_of(const struct xy_addr *a)
{
	return xy_addr_is_v4(a) ? AF_INET : AF_INET6;
}

// --- route

static void via_addr(const struct nlattr *attr, struct xy_addr *out)
{
	const struct rtvia *via = mnl_attr_get_payload(attr);
	uint16_t len = mnl_attr_get_payload_len(attr);
	if (len == sizeof(*via) + 16 && via->rtvia_family == AF_INET6)
		memcpy(out->b, via->rtvia_addr, 16);
}

static int on_route(const struct nlmsghdr *h, void *arg)
{
	struct xy_underlay_path *p = arg;
	const struct nlattr *attr, *metric;
	mnl_attr_for_each(attr, h, sizeof(struct rtmsg))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			p->ifindex = mnl_attr_get_u32(attr);
			break;
		case RTA_GATEWAY:
			get_addr(attr, &p->next_hop);
			break;
		case RTA_VIA:
			via_addr(attr, &p->next_hop);
			break;
		case RTA_PREFSRC:
			get_addr(attr, &p->source);
			break;
		case RTA_METRICS:
			mnl_attr_for_each_nested(metric,
						 attr) if (mnl_attr_get_type(metric) == RTAX_MTU)
				p->mtu = mnl_attr_get_u32(metric);
			break;
		}
	}
	return MNL_CB_OK;
}

static int ask_route(struct xy_underlay *u, const struct xy_endpoint *to,
		     struct xy_underlay_path *p)
{
	char buf[512];
	struct rtmsg *rt;
	struct nlmsghdr *h = request(u, buf, RTM_GETROUTE, 0, sizeof(*rt), &rt);
	rt->rtm_family = family_of(&to->addr);
	rt->rtm_dst_len = rt->rtm_family == AF_INET ? 32 : 128;
	put_addr(h, RTA_DST, &to->addr);
	if (to->scope)
		mnl_attr_put_u32(h, RTA_OIF, to->scope);
	if (u->fwmark)
		mnl_attr_put_u32(h, RTA_MARK, u->fwmark);
	return answer(u, h, on_route, p);
}

// --- link

static int on_link(const struct nlmsghdr *h, void *arg)
{
	struct xy_underlay_path *p = arg;
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	p->ethernet = ifi->ifi_type == ARPHRD_ETHER;
	mnl_attr_for_each(attr, h, sizeof(*ifi))
	{
		uint16_t type = mnl_attr_get_type(attr);
		if (type == IFLA_MTU && (!p->mtu || mnl_attr_get_u32(attr) < p->mtu))
			p->mtu = mnl_attr_get_u32(attr);
		if (type == IFLA_ADDRESS && mnl_attr_get_payload_len(attr) == 6)
			memcpy(p->own_mac, mnl_attr_get_payload(attr), 6);
	}
	return MNL_CB_OK;
}

static int ask_link(struct xy_underlay *u, struct xy_underlay_path *p)
{
	char buf[512];
	struct ifinfomsg *ifi;
	struct nlmsghdr *h = request(u, buf, RTM_GETLINK, 0, sizeof(*ifi), &ifi);
	ifi->ifi_index = (int)p->ifindex;
	return answer(u, h, on_link, p);
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
		}
	}
	return MNL_CB_OK;
}

static void ask_neighbour(struct xy_underlay *u, struct xy_underlay_path *p)
{
	char buf[512];
	struct ndmsg *nd;
	struct nlmsghdr *h = request(u, buf, RTM_GETNEIGH, 0, sizeof(*nd), &nd);
	nd->ndm_family = family_of(&p->next_hop);
	nd->ndm_ifindex = (int)p->ifindex;
	put_addr(h, NDA_DST, &p->next_hop);
	answer(u, h, on_neighbour, p); // none yet: not resolved
}

int xy_underlay_path(struct xy_underlay *u, const struct xy_endpoint *to,
		     struct xy_underlay_path *out)
{
	*out = (struct xy_underlay_path){.next_hop = to->addr};
	int r = ask_route(u, to, out);
	r = r ? r : ask_link(u, out);
	if (r)
		return r;
	if (out->ethernet)
		ask_neighbour(u, out);
	return 0;
}

void xy_underlay_use(struct xy_underlay *u, const struct xy_underlay_path *path)
{
	char buf[512];
	struct ndmsg *nd;
	if (!path->ethernet)
		return;
	struct nlmsghdr *h =
		request(u, buf, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_ACK, sizeof(*nd), &nd);
	nd->ndm_family = family_of(&path->next_hop);
	nd->ndm_ifindex = (int)path->ifindex;
	nd->ndm_state = NUD_NONE;
	nd->ndm_flags = NTF_USE;
	put_addr(h, NDA_DST, &path->next_hop);
	answer(u, h, NULL,
	       NULL); // without the right to: the kernel resolves it when its socket sends
}

// --- addresses

struct address_list {
	unsigned ifindex, count, max;
	struct xy_addr *out;
};

static int on_address(const struct nlmsghdr *h, void *arg)
{
	struct address_list *l = arg;
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr, *found = NULL;
	struct xy_addr a;
	if (ifa->ifa_index != l->ifindex)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, h, sizeof(*ifa))
	{
		uint16_t type = mnl_attr_get_type(attr);
		if (type == IFA_LOCAL ||
		    (type == IFA_ADDRESS && !found)) // point to point: LOCAL is ours
			found = attr;
	}
	if (found && get_addr(found, &a)) {
		if (l->count < l->max)
			l->out[l->count] = a;
		l->count++;
	}
	return MNL_CB_OK;
}

int xy_underlay_addresses(struct xy_underlay *u, unsigned ifindex, struct xy_addr *out,
			  unsigned max)
{
	struct address_list l = {.ifindex = ifindex, .max = max, .out = out};
	char buf[512];
	struct ifaddrmsg *ifa;
	struct nlmsghdr *h = request(u, buf, RTM_GETADDR, NLM_F_DUMP, sizeof(*ifa), &ifa);
	ifa->ifa_family = AF_UNSPEC;
	int r = answer(u, h, on_address, &l);
	return r ? r : (int)l.count;
}
