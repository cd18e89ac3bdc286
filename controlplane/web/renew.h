// SPDX-License-Identifier: BSD-3-Clause
// The config is read again while the process runs, and the certificate with it: who may log in, by
// what, names and metrics hold at once. What was listened on stays until a restart. The loop's
// thread alone.
#pragma once

#include "web/web.h"

// What is broken changes nothing, and is said in the log. optional: the file may be missing.
void xy_renew(struct xy_web *w, const char *path, bool optional);
