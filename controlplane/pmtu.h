// SPDX-License-Identifier: BSD-3-Clause
// What the underlay carries, as the kernel knows it. Control thread only.
#pragma once

#include "base/ip.h"

#include <stdint.h>

// Path MTU to there, bytes, from the kernel's routes and what ICMP told it; 0 when it has no route.
// fwmark: the mark that our ports send with (routes may depend on it); 0 = none.
uint32_t xy_pmtu_get(const struct xy_endpoint *remote, uint32_t fwmark);
// The largest MTU of an interface that is up, loopback aside; 0 when there is none.
uint32_t xy_mtu_largest(void);
