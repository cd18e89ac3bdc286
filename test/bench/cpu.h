// SPDX-License-Identifier: BSD-3-Clause
// Which CPU a benchmark ran on.
#pragma once

#include <stdio.h>
#include <string.h>

// The name alone may say nothing ("AMD EPYC"): family and model tell which.
static inline void cpu_name(char *out, size_t size)
{
	char line[256], name[128] = "unknown CPU", family[16] = "?", model[16] = "?";
	FILE *f = fopen("/proc/cpuinfo", "re");
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "model name : %127[^\n]", name);
		sscanf(line, "cpu family : %15[^\n]", family);
		if (sscanf(line, "model : %15[^\n]", model) == 1 && strcmp(name, "unknown CPU"))
			break;
	}
	if (f)
		fclose(f);
	snprintf(out, size, "%s (family %s, model %s)", name, family, model);
}
