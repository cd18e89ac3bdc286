// SPDX-License-Identifier: BSD-3-Clause
// Who may what: by a session's cookie, by a token, or, where the config has neither password nor
// tokens, everybody who reaches the address (which is this host alone then) may read. The loop's
// thread alone.
#pragma once

#include "web/web.h"

// 0, and what the request may do (enum xy_web_scope). Else it was answered, and is done with.
int xy_auth_scopes(struct xy_web *w, struct xy_http_request *q, unsigned *scopes);
