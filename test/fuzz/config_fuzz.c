// SPDX-License-Identifier: BSD-3-Clause
// The config file's reader: any text gives a config or an error that names the file.
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

// libconfig 1.5 loses the string that it has read last when a syntax error follows.
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xy_config c;
	struct xy_err err = {""};
	int ret = xy_config_parse("fuzz", (const char *)data, size, &c, &err);
	if (ret && strncmp(err.text, "fuzz:", 5) != 0)
		abort();
	for (unsigned i = 0; i < c.errors.count; i++)
		if (strncmp(c.errors.v[i].text, "fuzz:", 5) != 0)
			abort();
	xy_config_free(&c);
	return 0;
}
