// SPDX-License-Identifier: BSD-3-Clause
// Prints docs/openapi.json, as scripts/gen-docs writes it.
#include <jansson.h>
#include <stdio.h>

json_t *xy_openapi(void);

int main(void)
{
	json_t *o = xy_openapi();
	if (!o || json_dumpf(o, stdout, JSON_INDENT(1)))
		return 1;
	putchar('\n');
	json_decref(o);
	return 0;
}
