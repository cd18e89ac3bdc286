// SPDX-License-Identifier: BSD-3-Clause
// What tells a guest that it goes on from a snapshot, so that a copy of it may run elsewhere with
// the same keys and counters: the kernel's uevent of a new VM generation ID, and the vmclock
// device's page (include/uapi/linux/vmclock-abi.h). Any thread; the bytes are the caller's.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { XY_VMCLOCK_LEN = 112 }; // of the page, what we look at

// Is this uevent, as a NETLINK_KOBJECT_UEVENT socket gives it, about a new VM generation?
bool xy_vmgen_is_new(const void *uevent, size_t len);
// A number that another one takes the place of when the machine goes on from a snapshot (or, where
// the device has no count of these, from a live migration, too). False: no such page, or it is
// being written; look again.
bool xy_vmclock_read(const void *page, size_t len, uint64_t *generation);
