// SPDX-License-Identifier: BSD-3-Clause
// Captured packets as a download. The loop's thread alone.
#pragma once

#include "web/api.h"

xy_api_handler xy_capture_serve;
void xy_capture_look(struct xy_web *w);	 // of who may no more it ends
void xy_capture_close(struct xy_web *w); // the file ends where it is
