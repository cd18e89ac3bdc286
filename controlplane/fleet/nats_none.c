// SPDX-License-Identifier: BSD-3-Clause
// In place of NATS, where this was built without its library.
#include "fleet/source.h"

int xy_fleet_nats_create(uv_loop_t *loop, const struct xy_config_fleet *config, const char *state,
			 const struct xy_fleet_source_ops *ops, void *arg,
			 struct xy_fleet_source **out, struct xy_err *err)
{
	return xy_err_set(err, ENOTSUP,
			  "this xylem-fleet was built without libnats, and knows folders alone; "
			  "write `folder` in "
			  "place of `nats`, or build it where libnats-dev is");
}
