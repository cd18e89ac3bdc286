// SPDX-License-Identifier: BSD-3-Clause
#include "web/assets.h"

#include <string.h>

#ifdef XY_DASHBOARD

#define XY_ASSET(symbol, path, type, hash, for_good)                      \
	extern const char xy_asset_##symbol[], xy_asset_##symbol##_end[]; \
	extern const char xy_asset_##symbol##_gz[], xy_asset_##symbol##_gz_end[];
#include "assets_list.h"
#undef XY_ASSET

// clang-format off
#define XY_ASSET(symbol, its_path, its_type, hash, for_good)                                       \
	if (strcmp(path, its_path) == 0) {                                                         \
		static struct xy_asset a = {.path = its_path, .type = its_type,                    \
			.etag = "\"" hash "\"", .bytes = xy_asset_##symbol,                        \
			.gzip = xy_asset_##symbol##_gz, .immutable = for_good};                    \
		return sized(&a, xy_asset_##symbol##_end, xy_asset_##symbol##_gz_end);             \
	}
// clang-format on

// Where they end is known to the linker alone, and the same each time.
static const struct xy_asset *sized(struct xy_asset *a, const char *end, const char *gzip_end)
{
	if (!a->size) {
		a->size = (size_t)(end - (const char *)a->bytes);
		a->gzip_size = (size_t)(gzip_end - (const char *)a->gzip);
		if (a->gzip_size >= a->size)
			a->gzip = NULL;
	}
	return a;
}

const struct xy_asset *xy_asset_find(const char *path)
{
#include "assets_list.h"
	return NULL;
}

#else

// Built without the dashboard: what is at "/" says so.
const struct xy_asset *xy_asset_find(const char *path)
{
	static const char said[] =
		"This xylem-web was built without its dashboard. The API is at /api/v1; how to\n"
		"build with it: scripts/install-deps build, then scripts/build.\n";
	static const struct xy_asset none = {.path = "/",
					     .type = "text/plain; charset=utf-8",
					     .etag = "\"none\"",
					     .bytes = said,
					     .size = sizeof(said) - 1};
	return strcmp(path, "/") == 0 ? &none : NULL;
}

#endif
