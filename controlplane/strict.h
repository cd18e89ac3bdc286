// SPDX-License-Identifier: BSD-3-Clause
// rp_filter: does the kernel drop what comes by an interface over which no way back leads? The
// daemon warns by this, and the command line looks at hosts with it. Any thread; it reads /proc
// below a root, which is "" but in tests.
#pragma once

#include <stdbool.h>

bool xy_strict(const char *root, const char *interface);
// And does it look for the way back without the mark that what we send bears? (src_valid_mark)
bool xy_strict_to_marks(const char *root, const char *interface);
