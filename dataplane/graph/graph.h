// SPDX-License-Identifier: BSD-3-Clause
// One rte_graph per worker. Control thread; walking is the worker's.
#pragma once

#include "dp.h"

int xy_graph_create(struct xy_worker *w, struct xy_err *err);
void xy_graph_destroy(struct xy_worker *w);
// A turn: the sources, then what they brought, to its end. Worker w.
void xy_graph_walk(struct xy_worker *w);
