// SPDX-License-Identifier: BSD-3-Clause
#include "web/assets.h"

// Built without the dashboard.
const struct xy_asset *xy_asset_find(const char *path)
{
	return NULL;
}
