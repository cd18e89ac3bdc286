// SPDX-License-Identifier: BSD-3-Clause
// The side of an AF_XDP socket that has frames of its own: half of them for receiving, half for
// sending. xsk.c only; the same threads.
#pragma once

#include "xsk.h"

// The frames, to be the socket's UMEM; -ENOMEM.
int xy_xsk_copy_make(struct xy_xsk *x, struct xdp_umem_reg *out, struct xy_err *err);
void xy_xsk_copy_fill(struct xy_xsk *x); // once the socket is there
void xy_xsk_copy_close(struct xy_xsk *x);

uint16_t xy_xsk_copy_take(struct xy_xsk *x, struct rte_mbuf **out, uint16_t n);
// Those that were taken are copied and freed.
uint16_t xy_xsk_copy_put(struct xy_xsk *x, struct rte_mbuf **pkts, uint16_t n);
void xy_xsk_copy_reclaim(struct xy_xsk *x);
