// SPDX-License-Identifier: BSD-3-Clause
// A socket for each interface, bound to the group there: so it hears what is said to the group on
// that link alone, and several daemons on one host each hear all.
#define XY_LOG_PART XY_PART_JOINING

#include "discovery.h"

#include "daemon.h"
#include "interface.h"
#include "join/join.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	PORT = 51821,
	LINKS = XY_CONFIG_INTERFACES,
	PREFIXES = 128,
	PER_TURN = 16,	  // datagrams; the rest waits for the next turn of the loop
	SCAN_SECONDS = 5, // interfaces come and go
	QUICK = 3,	  // beacons a second apart, when an interface is new
	INTERVAL = 10,	  // seconds, and up to JITTER more
	JITTER = 3,
};

// "xylem" in the group: ff02::78:796c:656d
static const struct in6_addr group = {
	{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x78, 0x79, 0x6c, 0x65, 0x6d}}};

struct link {
	struct xy_daemon *d;
	uv_poll_t poll; // first handle that keeps the link's memory
	bool open, closing;
	bool wanted, portless; // told that no port fits
	char name[IF_NAMESIZE];
	unsigned ifindex;
	int fd;
	unsigned sent, wait; // beacons; seconds to the next
};

struct xy_discovery {
	struct link link[LINKS];
	unsigned prefixes;
	struct xy_prefix prefix[PREFIXES]; // of the links' interfaces
	unsigned addresses, asked;	   // asked for in that second
	struct xy_addr address[PREFIXES];  // link-local ones of this host
	struct xy_log_limit log;
};

// --- one link

static struct sockaddr_in6 to_group(unsigned ifindex)
{
	return (struct sockaddr_in6){.sin6_family = AF_INET6,
				     .sin6_port = htons(PORT),
				     .sin6_addr = group,
				     .sin6_scope_id = ifindex};
}

static int socket_open(unsigned ifindex)
{
	const struct sockaddr_in6 at = to_group(ifindex);
	const struct ipv6_mreq join = {.ipv6mr_multiaddr = group, .ipv6mr_interface = ifindex};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &on, sizeof(on)) ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)) ||
	    setsockopt(fd, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &join, sizeof(join)) ||
	    setsockopt(fd, SOL_IPV6, IPV6_MULTICAST_IF, &ifindex, sizeof(ifindex))) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

static void hear(struct link *k)
{
	uint8_t data[XY_JOIN_BEACON_LEN + 1]; // longer ones are cut, and then too long
	struct sockaddr_in6 sa;
	for (unsigned i = 0; i < PER_TURN; i++) {
		socklen_t size = sizeof(sa);
		ssize_t n = recvfrom(k->fd, data, sizeof(data), 0, (struct sockaddr *)&sa, &size);
		if (n < 0)
			return;
		struct xy_endpoint from = {.scope = k->ifindex, .port = ntohs(sa.sin6_port)};
		memcpy(from.addr.b, &sa.sin6_addr, sizeof(from.addr.b));
		if (xy_addr_is_link_local(&from.addr))
			xy_join_beacon(k->d->join, &from, data, (size_t)n, xy_now());
	}
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct link *k = poll->data;
	if (!status)
		hear(k);
}

static void link_open(struct xy_daemon *d, struct link *k, const char *name, unsigned ifindex)
{
	unsigned long missed;
	int fd = socket_open(ifindex);
	*k = (struct link){.d = d, .ifindex = ifindex, .fd = fd, .wanted = true};
	snprintf(k->name, sizeof(k->name), "%s", name);
	if (fd < 0) {
		if (xy_log_limit_pass(&d->discovery->log, xy_now(), &missed))
			xy_log_warn("discovery on %s: %s", name, strerror(-fd));
		return;
	}
	if (uv_poll_init(&d->loop.uv, &k->poll, fd)) {
		close(fd);
		return;
	}
	k->poll.data = k;
	k->open = true;
	uv_poll_start(&k->poll, UV_READABLE, on_readable);
	xy_log_info("discovery: on %s", name);
}

static void closed(uv_handle_t *handle)
{
	struct link *k = handle->data;
	k->closing = false;
}

static void link_close(struct link *k)
{
	if (!k->open)
		return;
	k->open = false;
	k->closing = true;
	uv_close((uv_handle_t *)&k->poll, closed);
	close(k->fd); // libuv has stopped polling it
}

// --- beacons

// Our UDP port as nodes on that link reach it: of the card there, or of all addresses.
static uint16_t port_on(const struct xy_daemon *d, const struct link *k)
{
	struct xy_dp_port_info info;
	for (unsigned i = 0; i < XY_DP_PORTS; i++) {
		if (xy_dp_port_info(d->dp, i, &info) || xy_addr_is_v4(&info.address))
			continue;
		if (info.interface[0] ? strcmp(info.interface, k->name) == 0
				      : xy_addr_is_unspecified(&info.address))
			return info.port;
	}
	return 0;
}

static void beacon_send(struct xy_daemon *d, struct link *k)
{
	const struct sockaddr_in6 to = to_group(k->ifindex);
	uint8_t beacon[XY_JOIN_BEACON_LEN];
	uint16_t port = port_on(d, k);
	if (!port) {
		if (!k->portless)
			xy_log_warn("discovery on %s: no port of ours takes IPv6 there, so we are "
				    "not told of; use a port with address \"::\"",
				    k->name);
		k->portless = true;
		return;
	}
	xy_join_beacon_write(&d->id, port, beacon);
	// An address that is still tentative sends nothing: then again in a second.
	if (sendto(k->fd, beacon, sizeof(beacon), 0, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return;
	k->sent++;
	k->wait = k->sent < QUICK ? 1 : INTERVAL + (unsigned)random() % JITTER;
}

// --- which interfaces

static bool is_listed(const struct xy_daemon *d, const char *name)
{
	const struct xy_config *c = &d->plan.config;
	for (unsigned i = 0; i < c->discovery.count; i++)
		if (strcmp(c->discovery.interfaces[i], name) == 0)
			return true;
	return false;
}

// With a link-local address of its own, up, and of many: no tunnel, no loopback, not ours.
static bool is_suitable(const struct xy_daemon *d, const struct ifaddrs *i)
{
	unsigned want = IFF_UP | IFF_MULTICAST, not = IFF_LOOPBACK | IFF_POINTOPOINT;
	const struct sockaddr_in6 *sa = (const struct sockaddr_in6 *)i->ifa_addr;
	if (!sa || sa->sin6_family != AF_INET6 || !IN6_IS_ADDR_LINKLOCAL(&sa->sin6_addr))
		return false;
	if ((i->ifa_flags & want) != want || strcmp(i->ifa_name, xy_interface_name(d)) == 0)
		return false;
	return d->plan.config.discovery.all ? !(i->ifa_flags & not ) : is_listed(d, i->ifa_name);
}

static void want(struct xy_daemon *d, const char *name)
{
	unsigned ifindex = if_nametoindex(name);
	struct link *room = NULL;
	for (unsigned i = 0; i < LINKS; i++) {
		struct link *k = &d->discovery->link[i];
		if (k->open && k->ifindex == ifindex) {
			k->wanted = true;
			return;
		}
		if (!k->open && !k->closing)
			room = k;
	}
	if (room && ifindex)
		link_open(d, room, name, ifindex);
}

static unsigned ones(const uint8_t *mask, unsigned len)
{
	unsigned n = 0;
	while (n < 8 * len && mask[n / 8] & 0x80 >> n % 8)
		n++;
	return n;
}

static bool prefix_of(const struct ifaddrs *i, struct xy_prefix *out)
{
	if (!i->ifa_addr || !i->ifa_netmask)
		return false;
	if (i->ifa_addr->sa_family == AF_INET) {
		const struct sockaddr_in *a = (const void *)i->ifa_addr,
					 *m = (const void *)i->ifa_netmask;
		out->addr = xy_addr_from_v4(ntohl(a->sin_addr.s_addr));
		out->len = (uint8_t)(96 + ones((const uint8_t *)&m->sin_addr, 4));
	} else if (i->ifa_addr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *a = (const void *)i->ifa_addr,
					  *m = (const void *)i->ifa_netmask;
		memcpy(out->addr.b, &a->sin6_addr, sizeof(out->addr.b));
		out->len = (uint8_t)ones((const uint8_t *)&m->sin6_addr, 16);
	} else {
		return false;
	}
	xy_prefix_mask(out);
	return true;
}

static bool is_on(const struct xy_discovery *y, const char *name)
{
	for (unsigned i = 0; i < LINKS; i++)
		if (y->link[i].open && strcmp(y->link[i].name, name) == 0)
			return true;
	return false;
}

static void prefixes_note(struct xy_discovery *y, const struct ifaddrs *all)
{
	y->prefixes = 0;
	for (const struct ifaddrs *i = all; i && y->prefixes < PREFIXES; i = i->ifa_next)
		if (is_on(y, i->ifa_name) && prefix_of(i, &y->prefix[y->prefixes]))
			y->prefixes++;
}

static void addresses_note(struct xy_discovery *y, const struct ifaddrs *all)
{
	y->addresses = 0;
	for (const struct ifaddrs *i = all; i && y->addresses < PREFIXES; i = i->ifa_next) {
		const struct sockaddr_in6 *sa = (const struct sockaddr_in6 *)i->ifa_addr;
		if (sa && sa->sin6_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&sa->sin6_addr))
			memcpy(y->address[y->addresses++].b, &sa->sin6_addr,
			       sizeof(struct xy_addr));
	}
}

static void scan(struct xy_daemon *d)
{
	struct xy_discovery *y = d->discovery;
	struct ifaddrs *all = NULL;
	if (getifaddrs(&all))
		return;
	for (unsigned i = 0; i < LINKS; i++)
		y->link[i].wanted = false;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next)
		if (is_suitable(d, i))
			want(d, i->ifa_name);
	for (unsigned i = 0; i < LINKS; i++)
		if (y->link[i].open && !y->link[i].wanted)
			link_close(&y->link[i]);
	prefixes_note(y, all);
	addresses_note(y, all);
	freeifaddrs(all);
}

void xy_discovery_second(struct xy_daemon *d)
{
	struct xy_discovery *y = d->discovery;
	bool on = d->plan.config.discovery.all || d->plan.config.discovery.count;
	if (xy_tick_every(&d->tick, SCAN_SECONDS) && (on || xy_discovery_interface(d, 0)))
		scan(d);
	for (unsigned i = 0; i < LINKS; i++) {
		struct link *k = &y->link[i];
		k->wait -= k->wait < d->tick.passed ? k->wait : d->tick.passed;
		if (k->open && !k->wait)
			beacon_send(d, k);
	}
}

// --- life

int xy_discovery_start(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_discovery *y = calloc(1, sizeof(*y));
	if (!y)
		return xy_err_set(err, ENOMEM, "no memory for discovery");
	d->discovery = y;
	if (d->plan.config.discovery.all || d->plan.config.discovery.count)
		scan(d);
	return 0;
}

void xy_discovery_stop(struct xy_daemon *d)
{
	for (unsigned i = 0; d->discovery && i < LINKS; i++)
		link_close(&d->discovery->link[i]);
}

void xy_discovery_close(struct xy_daemon *d)
{
	free(d->discovery);
	d->discovery = NULL;
}

static bool knows(const struct xy_discovery *y, const struct xy_addr *a)
{
	for (unsigned i = 0; i < y->addresses; i++)
		if (xy_addr_eq(&y->address[i], a))
			return true;
	return y->addresses == PREFIXES; // there may be more
}

bool xy_discovery_is_here(const struct xy_daemon *d, const struct xy_endpoint *at)
{
	struct xy_discovery *y = d->discovery;
	struct ifaddrs *all = NULL;
	if (!y || knows(y, &at->addr))
		return true;
	if (y->asked == d->tick.seconds || getifaddrs(&all)) // once a second, whoever beacons
		return true;
	y->asked = d->tick.seconds;
	addresses_note(y, all);
	freeifaddrs(all);
	return knows(y, &at->addr);
}

bool xy_discovery_is_near(const struct xy_daemon *d, const struct xy_endpoint *from)
{
	const struct xy_discovery *y = d->discovery;
	for (unsigned i = 0; y && i < LINKS; i++)
		if (y->link[i].open && xy_addr_is_link_local(&from->addr) &&
		    from->scope == y->link[i].ifindex)
			return true;
	for (unsigned i = 0; y && i < y->prefixes; i++)
		if (!xy_addr_is_link_local(&from->addr) &&
		    xy_prefix_contains(&y->prefix[i], &from->addr))
			return true;
	return false;
}

const char *xy_discovery_interface(const struct xy_daemon *d, unsigned at)
{
	for (unsigned i = 0; d->discovery && i < LINKS; i++)
		if (d->discovery->link[i].open && at-- == 0)
			return d->discovery->link[i].name;
	return NULL;
}
