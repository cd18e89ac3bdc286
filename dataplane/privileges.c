// SPDX-License-Identifier: BSD-3-Clause
#include "privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TUN_DEVICE   "/dev/net/tun"
#define BUFFER_BYTES (4 << 20) // of the kernel, each way: 3 ms at 10 Gbit/s

// --- whoever has the privilege

static int set_number(int fd, int name, int value)
{
	return setsockopt(fd, SOL_SOCKET, name, &value, sizeof(value)) ? -errno : 0;
}

static int attach(int fd, char name[static 16], int flags)
{
	struct ifreq r = {0};
	memcpy(r.ifr_name, name, IFNAMSIZ);
	r.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | flags);
	if (ioctl(fd, TUNSETIFF, &r))
		return -errno;
	memcpy(name, r.ifr_name, IFNAMSIZ);
	return 0;
}

// The first queue makes the interface (IFF_TUN_EXCL: of a multi-queue one, another daemon's, we
// would become a further queue in silence). One that waits there for a single user, made by `ip
// tuntap add`, is taken too: the kernel sees to it that nobody else has it.
int xy_dp_tun_attach(char name[static 16], unsigned queue, bool many, bool *device)
{
	int queues = many ? IFF_MULTI_QUEUE : 0;
	int fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	*device = fd < 0;
	if (fd < 0)
		return -errno;
	int r = attach(fd, name, queue ? queues : queues | IFF_TUN_EXCL);
	if (r == -EBUSY && !queue && !many)
		r = attach(fd, name, 0);
	if (!r)
		return fd;
	close(fd);
	return r;
}

int xy_dp_socket_mark(int fd, uint32_t mark)
{
	return set_number(fd, SO_MARK, (int)mark);
}

int xy_dp_socket_device(int fd, const char *interface)
{
	socklen_t len = (socklen_t)strlen(interface);
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, len) ? -errno : 0;
}

int xy_dp_socket_bind(int fd, const struct xy_addr *address, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int family = 0;
	socklen_t len = sizeof(family);
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len))
		return -errno;
	bool is_v4 = xy_addr_is_v4(address);
	// "::" where there is no IPv6 is all of IPv4
	if (family == AF_INET ? !is_v4 && !xy_addr_is_unspecified(address) : is_v4)
		return -EAFNOSUPPORT;
	memcpy(&v4.sin_addr, address->b + 12, 4);
	memcpy(&v6.sin6_addr, address->b, sizeof(address->b));
	int r = family == AF_INET ? bind(fd, (const struct sockaddr *)&v4, sizeof(v4))
				  : bind(fd, (const struct sockaddr *)&v6, sizeof(v6));
	return r ? -errno : 0;
}

int xy_dp_socket_buffers(int fd)
{
	int r = set_number(fd, SO_RCVBUFFORCE, BUFFER_BYTES);
	return r ? r : set_number(fd, SO_SNDBUFFORCE, BUFFER_BYTES);
}

// --- ourselves first, then by another

static bool is_forbidden(int r)
{
	return r == -EPERM || r == -EACCES;
}

int xy_privileged_tun(const struct xy_dp *dp, char name[static 16], unsigned queue, bool many,
		      bool *device)
{
	const struct xy_dp_privileges *by = dp->cfg.by; // who makes the interface sets it up, too
	return by ? by->tun(dp->cfg.by_arg, name, queue, many, device)
		  : xy_dp_tun_attach(name, queue, many, device);
}

int xy_privileged_mark(const struct xy_dp *dp, int fd, uint32_t mark)
{
	int r = xy_dp_socket_mark(fd, mark);
	return is_forbidden(r) && dp->cfg.by ? dp->cfg.by->mark(dp->cfg.by_arg, fd, mark) : r;
}

int xy_privileged_device(const struct xy_dp *dp, int fd, const char *interface)
{
	int r = xy_dp_socket_device(fd, interface);
	return is_forbidden(r) && dp->cfg.by ? dp->cfg.by->device(dp->cfg.by_arg, fd, interface)
					     : r;
}

int xy_privileged_bind(const struct xy_dp *dp, int fd, const struct xy_addr *address, uint16_t port)
{
	int r = xy_dp_socket_bind(fd, address, port);
	return is_forbidden(r) && dp->cfg.by ? dp->cfg.by->bind(dp->cfg.by_arg, fd, address, port)
					     : r;
}

void xy_privileged_buffers(const struct xy_dp *dp, int fd)
{
	if (!xy_dp_socket_buffers(fd) || (dp->cfg.by && !dp->cfg.by->buffers(dp->cfg.by_arg, fd)))
		return;
	set_number(fd, SO_RCVBUF, BUFFER_BYTES); // cut to net.core.*mem_max
	set_number(fd, SO_SNDBUF, BUFFER_BYTES);
}
