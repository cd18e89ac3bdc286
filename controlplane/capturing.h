// SPDX-License-Identifier: BSD-3-Clause
// Packets shown to people: /xylem/capture, _next and _end of the control socket. One capture at a
// time; it ends when whoever began it says so, or asks no more. Control thread only.
#pragma once

struct xy_capturing;
struct xy_daemon;

int xy_capturing_begin(struct xy_daemon *d);   // at d->control; -errno
void xy_capturing_second(struct xy_daemon *d); // ends one that nobody asks for
void xy_capturing_close(struct xy_daemon *d);
