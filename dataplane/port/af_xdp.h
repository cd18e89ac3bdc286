// SPDX-License-Identifier: BSD-3-Clause
// A port on a card that stays the kernel's: our UDP by AF_XDP, one socket per queue, and a kernel
// UDP socket beside it, which reserves the port, takes what XDP passes (fragments, tags, queues
// without a socket) and sends what has no resolved neighbour yet. Control thread.
#pragma once

#include "port.h"
#include "wire/steer.h"

// cfg->address may be unspecified; cfg->interface names the card. Queues are spread over the
// workers.
int xy_port_af_xdp_open(struct xy_dp *dp, const struct xy_dp_port_config *cfg, unsigned id,
			struct xy_port **out, struct xy_err *err);
// What is ours from now on: the card's addresses. -ENOSPC above 256.
int xy_port_af_xdp_addresses(struct xy_port *port, const struct xy_addr *addr, unsigned count);
uint64_t xy_port_af_xdp_missed(const struct xy_port *port);
const char *xy_port_af_xdp_mode(const struct xy_port *port); // "native, copy" and the like
unsigned xy_port_af_xdp_queues(const struct xy_port *port);
void xy_port_af_xdp_verdicts(const struct xy_port *port, uint64_t out[static XY_STEER_COUNT]);
