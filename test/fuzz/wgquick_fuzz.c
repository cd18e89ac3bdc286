// SPDX-License-Identifier: BSD-3-Clause
// wg-quick files: what is made of one is a config that is taken, with as many peers as it says;
// else it is said why, and nothing is made.
#include "config/wgquick.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct xy_key own = {.b = {9}};
	struct xy_wgquick w;
	struct xy_err err = {""};
	bool knows = size && data[0] & 1;
	int ret = xy_wgquick_import((const char *)data, size, knows ? &own : NULL,
				    knows ? "/a \"b\\" : NULL, &w);
	if (ret == 0) {
		struct xy_config *c = malloc(sizeof(*c));
		if (!w.config || w.errors.count ||
		    xy_config_parse("f", w.config, strlen(w.config), c, &err) ||
		    c->peer_count != w.leaves + w.nodes)
			abort();
		xy_config_free(c);
		free(c);
	} else if (w.config || (ret == -EINVAL && !w.errors.count)) {
		abort();
	} else if (ret == -EINVAL && w.errors.v[0].line == 0 &&
		   !strstr(w.errors.v[0].text, "no [Peer]")) {
		abort(); // the reader of configs refused what was made: it should have been seen
			 // before
	}
	xy_wgquick_free(&w);
	return 0;
}
