// SPDX-License-Identifier: BSD-3-Clause
#include "api/request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int xy_request_read(char *buf, size_t len, struct xy_request_text *out)
{
	if (len > XY_REQUEST_MAX)
		return -EMSGSIZE;
	buf[len] = 0;
	buf[strcspn(buf, "\r\n")] = 0;
	char *comma = strchr(buf, ',');
	if (comma)
		*comma++ = 0;
	*out = (struct xy_request_text){.command = buf, .params = comma};
	return 0;
}

int xy_request_write(char out[static XY_REQUEST_MAX + 1], const char *command, const char *params)
{
	if (strpbrk(command, "\r\n,") || (params && strpbrk(params, "\r\n")))
		return -EINVAL;
	int n = snprintf(out, XY_REQUEST_MAX + 1, "%s%s%s", command, params ? "," : "",
			 params ? params : "");
	return n < 0 || n > XY_REQUEST_MAX ? -EMSGSIZE : 0;
}
