// SPDX-License-Identifier: BSD-3-Clause
// The dashboard's files, built into the program. One thread, the loop's; constant.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct xy_asset {
	const char *path, *type, *etag; // etag with its quotes
	const void *bytes, *gzip;	// gzip: NULL where it is no smaller
	size_t size, gzip_size;
	bool immutable; // its path has its hash in it
};

const struct xy_asset *xy_asset_find(const char *path); // NULL: there is none
