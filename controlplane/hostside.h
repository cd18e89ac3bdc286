// SPDX-License-Identifier: BSD-3-Clause
// This host's side of the overlay as a whole: the interface (interface.h), its routes
// (hostroutes.h) and its queue (hostqueue.h), brought up, made anew and taken down. Control thread
// only.
#pragma once

#include "base/err.h"

struct xy_daemon;

int xy_hostside_up(struct xy_daemon *d, struct xy_err *err); // where the config wants one
void xy_hostside_down(struct xy_daemon *d);
int xy_hostside_again(struct xy_daemon *d, struct xy_err *err); // the interface was deleted
