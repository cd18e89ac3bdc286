// SPDX-License-Identifier: BSD-3-Clause
// A request as the daemon's sockets take it: what is read is whole, and once it is written it is
// read again as the same.
#include "api/request.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xy_request_text r, again;
	char out[XY_REQUEST_MAX + 1], *buf = malloc(size + 1);
	check(buf != NULL);
	memcpy(buf, data, size);
	int ret = xy_request_read(buf, size, &r);
	check((ret == 0) == (size <= XY_REQUEST_MAX));
	if (!ret) {
		check(!strpbrk(r.command, "\r\n,") && !(r.params && strpbrk(r.params, "\r\n")));
		check(xy_request_write(out, r.command, r.params) == 0);
		size_t len = strlen(out);
		check(len <= size && xy_request_read(out, len, &again) == 0);
		check(same(r.command, again.command) && same(r.params, again.params));
	}
	free(buf);
	return 0;
}
