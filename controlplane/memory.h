// SPDX-License-Identifier: BSD-3-Clause
// What is remembered from one start to the next: what the parts want kept goes into the state
// folder, sliced, and out to the disk at most once in ten seconds. Control thread only.
#pragma once

#include "base/err.h"
#include "noise/wg.h"

struct xy_config;
struct xy_daemon;
struct xy_memory;

int xy_memory_open(struct xy_daemon *d, const struct xy_config *c, struct xy_err *err);
void xy_memory_close(struct xy_daemon *d);
void xy_memory_stamp_floor(const struct xy_daemon *d, uint8_t out[static XY_WG_TAI64N_LEN]);
uint32_t xy_memory_epoch_first(struct xy_daemon *d);  // of this start, saved
void xy_memory_epoch_save(void *arg, uint32_t epoch); // arg: the daemon
void xy_memory_recall(struct xy_daemon *d);	      // tells the links where their peers were
void xy_memory_note(struct xy_daemon *d);	      // once a tick: what is new
void xy_memory_prune(struct xy_daemon *d);	      // forgets peers that are gone
