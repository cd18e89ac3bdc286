// SPDX-License-Identifier: BSD-3-Clause
#include "web/auth.h"

int xy_auth_scopes(struct xy_web *w, struct xy_http_request *q, unsigned *scopes)
{
	*scopes = 0;
	if (xy_http_is_public(q) || !xy_config_web_has_login(&w->config))
		*scopes = XY_WEB_READ | XY_WEB_METRICS;
	return 0;
}
