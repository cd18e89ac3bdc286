// SPDX-License-Identifier: BSD-3-Clause
// The agent's own socket: /xylem/fleet tells all that `xylem show fleet` shows, in pages;
// /xylem/fleet_leave ends it, for root and for whom the agent is. The loop's thread.
#pragma once

#include "fleet/fleet.h"

int xy_fleet_answers_create(struct xy_fleet *f, struct xy_fleet_answers **out, struct xy_err *err);
// Now and then: a socket that somebody removed is made again, and given to its group.
void xy_fleet_answers_tend(struct xy_fleet_answers *a);
void xy_fleet_answers_close(struct xy_fleet_answers *a);
