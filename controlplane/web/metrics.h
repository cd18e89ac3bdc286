// SPDX-License-Identifier: BSD-3-Clause
// /metrics. The daemon is asked page by page, by one scrape at a time: who comes meanwhile waits
// for its answer, and who comes within a second after it has the same one, so neither many clients
// nor many peers cost the daemon more. What is told, and how, says exposition.h. The loop's thread
// alone.
#pragma once

#include "web/web.h"

struct xy_metrics;

int xy_metrics_create(struct xy_web *w, struct xy_metrics **out); // -ENOMEM
void xy_metrics_serve(struct xy_metrics *m, struct xy_http_request *q);
// Behind xy_ask_close, by which who waits was told; memory goes when the loop has closed its
// handle. NULL: nothing.
void xy_metrics_free(struct xy_metrics *m);
