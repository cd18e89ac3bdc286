// SPDX-License-Identifier: BSD-3-Clause
// Making, running and ending a worker: for dp.c alone. Control thread, but for xy_worker_main.
#pragma once

#include "dp.h"
#include "event.h"

int xy_worker_init(struct xy_worker *w, struct xy_err *err);
void xy_worker_fini(struct xy_worker *w); // also of one whose init failed
int xy_worker_main(void *worker);
