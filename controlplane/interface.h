// SPDX-License-Identifier: BSD-3-Clause
// The host interface: TUN, our addresses, MTU (its routes: hostroutes.h). The TUN is not
// persistent: when the process ends, however it ends, all of it is gone. What is there may be asked
// where the config wants none, too. Control thread only.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct xy_daemon;
struct xy_interface;

// The TUN, its MTU set, up, without routes that another of its name may have left; also once it was
// closed. On an error it is the caller's to close or free.
int xy_interface_open(struct xy_daemon *d, struct xy_err *err);
int xy_interface_address(struct xy_daemon *d, struct xy_err *err); // -EACCES: IPv6 is off
void xy_interface_close(struct xy_daemon *d);
void xy_interface_free(struct xy_daemon *d);

bool xy_interface_is_open(const struct xy_daemon *d);
const char *xy_interface_name(const struct xy_daemon *d); // also of one that is gone; "": none yet
unsigned xy_interface_index(const struct xy_daemon *d);	  // 0: not there
uint32_t xy_interface_mtu(const struct xy_daemon *d);	  // 0: not there
void xy_interface_renamed(struct xy_daemon *d, const char *name);

// Adds the addresses that are missing; returns how many. err says why one cannot be; else empty.
int xy_interface_readdress(struct xy_daemon *d, struct xy_err *err);
void xy_interface_mtu_update(struct xy_daemon *d);
