// SPDX-License-Identifier: BSD-3-Clause
#include "strict.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 3))) static int number(const char *root, const char *fmt, ...)
{
	char name[128], path[512];
	int v = -1;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/proc/sys/net/ipv4/conf/%s", root, name);
	FILE *f = fopen(path, "re");
	if (f && fscanf(f, "%d", &v) != 1)
		v = -1;
	if (f)
		fclose(f);
	return v;
}

bool xy_strict(const char *root, const char *interface)
{
	int all = number(root, "all/rp_filter"), one = number(root, "%.15s/rp_filter", interface);
	return (all > one ? all : one) == 1;
}

bool xy_strict_to_marks(const char *root, const char *interface)
{
	return xy_strict(root, interface) && number(root, "all/src_valid_mark") != 1 &&
	       number(root, "%.15s/src_valid_mark", interface) != 1;
}
