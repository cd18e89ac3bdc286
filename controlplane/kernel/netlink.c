// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

enum {
	BUFFER = 32768,	     // the kernel's largest part of a dump
	READS_PER_TURN = 64, // of changes, 2 us each; the descriptor stays readable
	CHANGES = 64	     // in one request
};

static const unsigned groups[] = {RTNLGRP_LINK,	      RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				  RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
				  RTNLGRP_IPV6_RULE,  RTNLGRP_NEXTHOP};

static void watch(struct mnl_socket *s, unsigned group)
{
	int number = (int)group; // a kernel that does not know it has no such changes
	mnl_socket_setsockopt(s, NETLINK_ADD_MEMBERSHIP, &number, sizeof(number));
}

static struct mnl_socket *open_bound(int flags)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);
	if (s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(s);
		s = NULL;
	}
	return s;
}

static int refused(struct xy_netlink *n, struct xy_err *err)
{
	int e = errno ? errno : EIO;
	xy_netlink_close(n);
	return xy_err_set(err, e, "netlink socket: %s", strerror(e));
}

int xy_netlink_ask_open(struct xy_netlink *n, struct xy_err *err)
{
	*n = (struct xy_netlink){.ask = open_bound(0)};
	return n->ask ? 0 : refused(n, err);
}

int xy_netlink_open(struct xy_netlink *n, struct xy_err *err)
{
	*n = (struct xy_netlink){.ask = open_bound(0)};
	n->watch = n->ask ? open_bound(SOCK_NONBLOCK) : NULL;
	if (!n->watch)
		return refused(n, err);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		watch(n->watch, groups[i]);
	return 0;
}

void xy_netlink_close(struct xy_netlink *n)
{
	if (n->ask)
		mnl_socket_close(n->ask);
	if (n->watch)
		mnl_socket_close(n->watch);
	*n = (struct xy_netlink){0};
}

// --- changes

int xy_netlink_fd(const struct xy_netlink *n)
{
	return mnl_socket_get_fd(n->watch);
}

void xy_netlink_watch_neighbours(struct xy_netlink *n)
{
	watch(n->watch, RTNLGRP_NEIGH);
}

// Our own routes lead into the overlay, and no path of the underlay changes by them.
static bool is_our_route(const struct xy_netlink *n, const struct nlmsghdr *h)
{
	return (h->nlmsg_type == RTM_NEWROUTE || h->nlmsg_type == RTM_DELROUTE) &&
	       (h->nlmsg_pid == mnl_socket_get_portid(n->ask) ||
		(n->by.change && h->nlmsg_pid == n->by.portid));
}

static bool see(struct xy_netlink *n, const struct nlmsghdr *h)
{
	if (h && is_our_route(n, h))
		return false;
	if (n->see)
		n->see(n->see_arg, h);
	return true;
}

bool xy_netlink_changed(struct xy_netlink *n)
{
	char buf[BUFFER];
	bool any = false;
	for (unsigned i = 0; i < READS_PER_TURN; i++) {
		ssize_t got = mnl_socket_recvfrom(n->watch, buf, sizeof(buf));
		if (got < 0 && errno != ENOBUFS)
			break;
		if (got < 0) // changes were lost, which is a change as well
			any |= see(n, NULL);
		int left = (int)got;
		for (struct nlmsghdr *h = (void *)buf; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left))
			any |= see(n, h);
	}
	return any;
}

// --- requests

struct nlmsghdr *xy_netlink_request(struct xy_netlink *n, void *buf, uint16_t type, uint16_t flags,
				    size_t extra, void *extra_out)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = ++n->seq;
	*(void **)extra_out = mnl_nlmsg_put_extra_header(h, extra);
	return h;
}

// Something changed while the kernel told of it (NLM_F_DUMP_INTR). Taken off, as mnl_cb_run would
// leave the rest of the dump unread, and the kernel refuse the next (-EBUSY) until it is.
static bool is_interrupted(char *buf, ssize_t got)
{
	bool any = false;
	int left = (int)got;
	for (struct nlmsghdr *h = (void *)buf; mnl_nlmsg_ok(h, left);
	     h = mnl_nlmsg_next(h, &left)) {
		any |= h->nlmsg_flags & NLM_F_DUMP_INTR;
		h->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
	}
	return any;
}

// RTM_NEW..., DEL..., GET..., SET... follow each other; to look needs no privilege.
static bool is_change(const struct nlmsghdr *h)
{
	return h->nlmsg_type % 4 != RTM_GETLINK % 4;
}

// By another process. Results go to those that the kernel refused.
static int change_by(struct xy_netlink *n, const void *request, size_t len,
		     void (*on_error)(void *arg, uint32_t seq, int error), void *arg)
{
	int32_t error[CHANGES] = {0};
	uint32_t seq[CHANGES];
	unsigned count = 0;
	int left = (int)len;
	for (const struct nlmsghdr *h = request; mnl_nlmsg_ok(h, left) && count < CHANGES;
	     h = mnl_nlmsg_next(h, &left))
		seq[count++] = h->nlmsg_seq;
	if (left)
		return -E2BIG;
	int r = n->by.change(n->by.arg, request, len, error, count);
	for (unsigned i = 0; !r && i < count; i++)
		if (error[i])
			on_error(arg, seq[i], error[i]);
	return r;
}

static void note_error(void *arg, uint32_t seq, int error)
{
	*(int *)arg = error;
}

int xy_netlink_answer(struct xy_netlink *n, const struct nlmsghdr *h, mnl_cb_t cb, void *arg)
{
	if (n->by.change && is_change(h)) {
		int refusal = 0, e = change_by(n, h, h->nlmsg_len, note_error, &refusal);
		return e ? e : refusal;
	}
	char buf[BUFFER];
	unsigned port = mnl_socket_get_portid(n->ask);
	bool dump = (h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP, changed = false;
	if (mnl_socket_sendto(n->ask, h, h->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		ssize_t got = mnl_socket_recvfrom(n->ask, buf, sizeof(buf));
		if (got < 0)
			return -errno;
		changed |= dump && is_interrupted(buf, got);
		int r = mnl_cb_run(buf, (size_t)got, n->seq, port, cb, arg);
		if (r < 0 && errno == EPROTO) // the rest of a dump that broke off
			continue;
		if (r < 0)
			return -errno;
		if (r == MNL_CB_STOP || !dump)
			return changed ? -EINTR : 0;
	}
}

// True for the last request's acknowledgment; a refusal is told of on the way.
static bool is_done(const struct nlmsghdr *h, uint32_t last,
		    void (*on_error)(void *arg, uint32_t seq, int error), void *arg)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
	if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < mnl_nlmsg_size(sizeof(*e)))
		return false;
	if (e->error)
		on_error(arg, h->nlmsg_seq, e->error);
	return h->nlmsg_seq == last;
}

int xy_netlink_answer_all(struct xy_netlink *n, const void *request, size_t len,
			  void (*on_error)(void *arg, uint32_t seq, int error), void *arg)
{
	char buf[BUFFER];
	if (n->by.change)
		return change_by(n, request, len, on_error, arg);
	if (mnl_socket_sendto(n->ask, request, len) < 0)
		return -errno;
	for (bool done = false; !done;) {
		ssize_t got = mnl_socket_recvfrom(n->ask, buf, sizeof(buf));
		if (got < 0)
			return -errno;
		int left = (int)got;
		for (struct nlmsghdr *h = (void *)buf; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left))
			done |= is_done(h, n->seq, on_error, arg);
	}
	return 0;
}

// --- addresses

uint8_t xy_netlink_family(const struct xy_addr *a)
{
	return xy_addr_is_v4(a) ? AF_INET : AF_INET6;
}

void xy_netlink_put_addr(struct nlmsghdr *h, uint16_t type, const struct xy_addr *a)
{
	bool v4 = xy_addr_is_v4(a);
	mnl_attr_put(h, type, v4 ? 4 : 16, v4 ? a->b + 12 : a->b);
}

bool xy_netlink_get_addr(const struct nlattr *attr, struct xy_addr *out)
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
