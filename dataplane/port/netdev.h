// SPDX-License-Identifier: BSD-3-Clause
// What the kernel says of an interface of its own. Control thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { XY_NETDEV_QUEUES_MAX = 64 }; // entries of the XDP program's socket map

int xy_netdev_mtu(const char *interface); // or -errno
// A TUN or TAP: who writes to it (a virtual machine) may give trains of segments, which pass a
// program in its driver as well.
bool xy_netdev_is_tun(const char *interface);
// Receive queues, 1..XY_NETDEV_QUEUES_MAX; 1 when it is not there or does not say.
unsigned xy_netdev_queues(const char *interface);
