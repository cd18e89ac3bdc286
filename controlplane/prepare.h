// SPDX-License-Identifier: BSD-3-Clause
// xylemd --prepare: what a service's root does for a daemon that is not root (ExecStartPre=+ and
// the like): its config and key become readable by its group, its sockets those groups' that the
// config names. By descriptor, nothing else, and no link is followed.
#pragma once

struct xy_setup;

int xy_prepare(const struct xy_setup *s, const char *name); // the exit code; says what is wrong
