// SPDX-License-Identifier: BSD-3-Clause
// Babel on an interface, as a stock router speaks it: UDP 6696 on link-local addresses.
#include "carrier.h"

#include "babel/babel.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct wire {
	struct carrier c;
	unsigned interface;
};

static struct sockaddr_in6 address(const struct wire *w, const struct xy_addr *a)
{
	struct sockaddr_in6 out = {.sin6_family = AF_INET6,
				   .sin6_port = htons(XY_BABEL_PORT),
				   .sin6_scope_id = w->interface};
	memcpy(&out.sin6_addr, a->b, 16);
	return out;
}

static void send_wire(struct carrier *c, const struct xy_addr *to, const void *data, size_t len)
{
	struct sockaddr_in6 a = address((struct wire *)c, to);
	(void)!sendto(c->fd, data, len, 0, (const void *)&a, sizeof(a));
}

static int receive_wire(struct carrier *c, void *buf, size_t size, struct xy_addr *from,
			xy_nsec now)
{
	struct sockaddr_in6 a = {0};
	socklen_t a_len = sizeof(a);
	ssize_t len = recvfrom(c->fd, buf, size, 0, (void *)&a, &a_len);
	if (len < 0)
		return -EAGAIN;
	memcpy(from->b, &a.sin6_addr, 16);
	if (xy_addr_eq(from, &c->local))
		return 0;
	c->remote = *from;
	return ntohs(a.sin6_port) == XY_BABEL_PORT ? (int)len : 0;
}

static void poll_wire(struct carrier *c, xy_nsec now)
{
}

static void close_wire(struct carrier *c)
{
	close(c->fd);
	free(c);
}

static int join(int fd, unsigned interface)
{
	int hops = 1, off = 0;
	struct ipv6_mreq group = {.ipv6mr_interface = interface};
	memcpy(&group.ipv6mr_multiaddr, xy_babel_group.b, 16);
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface, sizeof(interface)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &off, sizeof(off)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof(group)))
		return -errno;
	return 0;
}

// The kernel sends from it: it is the only one that a veth has.
static int own_link_local(const char *interface, struct xy_addr *out)
{
	struct ifaddrs *all;
	int ret = -ENOENT;
	if (getifaddrs(&all))
		return -errno;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		const struct sockaddr_in6 *a = (const void *)i->ifa_addr;
		if (!a || a->sin6_family != AF_INET6 || strcmp(i->ifa_name, interface) != 0)
			continue;
		if (!IN6_IS_ADDR_LINKLOCAL(&a->sin6_addr))
			continue;
		memcpy(out->b, &a->sin6_addr, 16);
		ret = 0;
	}
	freeifaddrs(all);
	return ret;
}

static int wire_start(struct wire *w, const char *interface)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(XY_BABEL_PORT)};
	int ret = own_link_local(interface, &w->c.local);
	if (ret)
		return ret;
	w->interface = if_nametoindex(interface);
	ret = join(w->c.fd, w->interface);
	if (ret)
		return ret;
	return bind(w->c.fd, (void *)&any, sizeof(any)) ? -errno : 0;
}

struct carrier *wire_open(const char *interface, struct xy_err *err)
{
	struct wire *w = calloc(1, sizeof(*w));
	int fd = carrier_socket();
	if (!w || fd < 0) {
		xy_err_set(err, ENOMEM, "no socket or no memory");
		free(w);
		return NULL;
	}
	w->c = (struct carrier){.fd = fd,
				.up = true,
				.send = send_wire,
				.receive = receive_wire,
				.poll = poll_wire,
				.close = close_wire};
	int ret = wire_start(w, interface);
	if (ret) {
		xy_err_set(err, -ret, "%s: %s; it must be up and have a link-local address",
			   interface, strerror(-ret));
		close_wire(&w->c);
		return NULL;
	}
	return &w->c;
}
