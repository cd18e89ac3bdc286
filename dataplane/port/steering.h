// SPDX-License-Identifier: BSD-3-Clause
// The XDP program of a card, as its port sees it: whoever has the privileges loads and attaches it
// by a bpf_link (xy_dp_program_* in dataplane.h), ourselves or another (xy_dp_config by). What it
// counts is memory that both see. It goes when those that hold the link go, however they end: we,
// and the other. Control thread.
#pragma once

#include "dp.h"
#include "wire/steer.h"

struct xy_steering;

// Loads, attached to nothing yet.
int xy_steering_load(const struct xy_dp *dp, const struct xy_dp_program_config *cfg,
		     struct xy_steering **out, struct xy_err *err);
int xy_steering_frame_max(struct xy_steering *s, uint32_t frame_max);
// Addresses that are ours from now on (v4-mapped for IPv4).
int xy_steering_addresses(struct xy_steering *s, const struct xy_addr *addr, unsigned count);
int xy_steering_socket(struct xy_steering *s, uint32_t queue, int xsk_fd);
// -EBUSY: another XDP program is there (the text says how to see and remove it).
int xy_steering_attach(struct xy_steering *s, struct xy_err *err);
void xy_steering_free(struct xy_steering *s); // detaches

// May this device give trains (wire/steer.h)? Known once it is attached.
bool xy_steering_may_train(const struct xy_steering *s);
// One has come: all that is ours goes by the kernel's socket from now on. Any thread.
void xy_steering_train(const struct xy_steering *s);
bool xy_steering_trained(const struct xy_steering *s);

const char *xy_steering_mode(const struct xy_steering *s); // "native", "generic", "offloaded"
void xy_steering_counters(const struct xy_steering *s, uint64_t out[static XY_STEER_COUNT]);
