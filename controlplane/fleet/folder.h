// SPDX-License-Identifier: BSD-3-Clause
// A folder as a source of records: a file an entry, whose name ends in .json and does not begin
// with a dot, so that what editors and we ourselves write beside is none. It is looked through when
// the kernel says that something changed (inotify), and each minute in any case; what cannot be
// read yet is looked at again. A file that goes is an entry that is gone, unless the folder itself
// has gone or is another: a file system that is not mounted ends no record. The loop's thread
// alone.
#pragma once

#include "fleet/source.h"

// path must stay.
int xy_fleet_folder_create(uv_loop_t *loop, const char *path, const struct xy_fleet_source_ops *ops,
			   void *arg, struct xy_fleet_source **out);
