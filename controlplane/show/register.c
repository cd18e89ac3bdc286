// SPDX-License-Identifier: BSD-3-Clause
#include "daemon.h"
#include "show/show.h"

int xy_show_register_all(struct xy_daemon *d, const struct xy_show_reply *v, unsigned count)
{
	int r = 0;
	for (unsigned i = 0; !r && i < count; i++) {
		const struct xy_reply *as = xy_reply_find(v[i].name);
		r = as ? xy_server_register(d->telemetry, as->command, as->help, v[i].handler, d)
		       : -ENOENT;
	}
	return r;
}
