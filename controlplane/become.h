// SPDX-License-Identifier: BSD-3-Clause
// A program beside the daemon, started as root: it becomes somebody who may do nothing, or says how
// it can. Before there are threads.
#pragma once

#include "base/err.h"

// user: of the program, where `name` (--user) is NULL. files: that are given to that user, of this
// process's making; NULL ends them, empty ones are none.
int xy_become(const char *user, const char *name, const char *const *files, struct xy_err *err);
