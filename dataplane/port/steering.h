// SPDX-License-Identifier: BSD-3-Clause
// The XDP program on a card: loaded, its maps filled, then attached by a bpf_link, so that it goes
// when this process goes, however it ends. Control thread.
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "wire/steer.h"

#include <stdbool.h>

struct xy_steering;

// Loads and fills maps, attached to nothing yet. first..last: our UDP ports. frame_max: a longer
// frame holds several datagrams. pieces: frames may lie in several buffers.
int xy_steering_load(const char *interface, uint16_t first, uint16_t last, uint32_t frame_max,
		     bool pieces, struct xy_steering **out, struct xy_err *err);
int xy_steering_frame_max(struct xy_steering *s, uint32_t frame_max);
// Addresses that are ours from now on (v4-mapped for IPv4).
int xy_steering_addresses(struct xy_steering *s, const struct xy_addr *addr, unsigned count);
int xy_steering_socket(struct xy_steering *s, uint32_t queue, int xsk_fd);
// -EBUSY: another XDP program is there (the text says how to see and remove it).
int xy_steering_attach(struct xy_steering *s, struct xy_err *err);
void xy_steering_free(struct xy_steering *s); // detaches

// May this device give trains (wire/steer.h)? Known once it is attached.
bool xy_steering_may_train(const struct xy_steering *s);
// One has come: all that is ours goes by the kernel's socket from now on. A system call; any
// thread.
void xy_steering_train(const struct xy_steering *s);
bool xy_steering_trained(const struct xy_steering *s);

const char *xy_steering_mode(const struct xy_steering *s); // "native", "generic", "offloaded"
void xy_steering_counters(const struct xy_steering *s, uint64_t out[static XY_STEER_COUNT]);
