// SPDX-License-Identifier: BSD-3-Clause
#include "pmtu.h"

#include "base/bytes.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static socklen_t to_sockaddr(const struct xy_endpoint *e, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (xy_addr_is_v4(&e->addr)) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;
		in->sin_family = AF_INET;
		in->sin_port = htons(e->port);
		memcpy(&in->sin_addr, e->addr.b + 12, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(e->port);
	in6->sin6_scope_id = e->scope;
	memcpy(&in6->sin6_addr, e->addr.b, 16);
	return sizeof(*in6);
}

// A connected UDP socket sends nothing; the kernel only looks up the route.
uint32_t xy_pmtu_get(const struct xy_endpoint *remote, uint32_t fwmark)
{
	struct sockaddr_storage to;
	socklen_t len = to_sockaddr(remote, &to), size = sizeof(int);
	bool v4 = to.ss_family == AF_INET;
	int mtu = 0;
	int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	if (fwmark) // without the right to it our ports would not have opened
		setsockopt(fd, SOL_SOCKET, SO_MARK, &fwmark, sizeof(fwmark));
	if (connect(fd, (struct sockaddr *)&to, len) ||
	    getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU, &mtu, &size))
		mtu = 0;
	close(fd);
	return mtu > 0 ? (uint32_t)mtu : 0;
}

static uint32_t interface_mtu(int fd, const char *name)
{
	struct ifreq r = {0};
	strncpy(r.ifr_name, name, sizeof(r.ifr_name) - 1);
	return ioctl(fd, SIOCGIFMTU, &r) == 0 && r.ifr_mtu > 0 ? (uint32_t)r.ifr_mtu : 0;
}

uint32_t xy_mtu_largest(void)
{
	struct ifaddrs *all;
	uint32_t largest = 0;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || getifaddrs(&all)) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		uint32_t mtu = interface_mtu(fd, i->ifa_name);
		if ((i->ifa_flags & IFF_UP) && !(i->ifa_flags & IFF_LOOPBACK) && mtu > largest)
			largest = mtu;
	}
	freeifaddrs(all);
	close(fd);
	return largest;
}
