// SPDX-License-Identifier: BSD-3-Clause
#include "netdev.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int ask(const char *interface, unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", interface);
	int r = fd < 0 || ioctl(fd, request, ifr) ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return r;
}

int xy_netdev_mtu(const char *interface)
{
	struct ifreq ifr = {0};
	int r = ask(interface, SIOCGIFMTU, &ifr);
	return r ? r : ifr.ifr_mtu;
}

bool xy_netdev_is_tun(const char *interface)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq ifr = {.ifr_data = (void *)&info};
	return ask(interface, SIOCETHTOOL, &ifr) == 0 && strcmp(info.driver, "tun") == 0;
}

// Combined queues and receive-only ones (veth tells the latter).
unsigned xy_netdev_queues(const char *interface)
{
	struct ethtool_channels ch = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq ifr = {.ifr_data = (void *)&ch};
	unsigned n = ask(interface, SIOCETHTOOL, &ifr) ? 0 : ch.combined_count + ch.rx_count;
	if (n < 1)
		return 1;
	return n < XY_NETDEV_QUEUES_MAX ? n : XY_NETDEV_QUEUES_MAX;
}
