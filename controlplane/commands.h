// SPDX-License-Identifier: BSD-3-Clause
// What the control socket understands. Control thread.
#pragma once

struct xy_daemon;

int xy_commands_register(struct xy_daemon *d); // at d->control; -errno
