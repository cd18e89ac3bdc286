// SPDX-License-Identifier: BSD-3-Clause
// What of sockets and interfaces needs a privilege: done here, or, where this process may not,
// asked of whoever may (xy_dp_config by). Control thread.
#pragma once

#include "dp.h"

// A queue of a TUN: as xy_dp_tun_attach.
int xy_privileged_tun(const struct xy_dp *dp, char name[static 16], unsigned queue, bool many,
		      bool *device);
int xy_privileged_mark(const struct xy_dp *dp, int fd, uint32_t mark);
int xy_privileged_device(const struct xy_dp *dp, int fd, const char *interface);
int xy_privileged_bind(const struct xy_dp *dp, int fd, const struct xy_addr *address,
		       uint16_t port);
void xy_privileged_buffers(const struct xy_dp *dp, int fd); // as large as we may
