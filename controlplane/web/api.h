// SPDX-License-Identifier: BSD-3-Clause
// /api/v1, by the table (table.h). The loop's thread alone.
#pragma once

#include "url/url.h"
#include "web/web.h"

void xy_api_serve(struct xy_web *w, struct xy_http_request *q, const struct xy_url *url);
