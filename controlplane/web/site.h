// SPDX-License-Identifier: BSD-3-Clause
// What is served where: the API, the dashboard's files. A request comes from http.h, and goes to
// who answers it once its host and target are plainly right. The loop's thread alone.
#pragma once

#include "web/web.h"

void xy_site_serve(void *web, struct xy_http_request *q);
