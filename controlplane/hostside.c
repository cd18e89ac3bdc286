// SPDX-License-Identifier: BSD-3-Clause
#include "hostside.h"

#include "daemon.h"
#include "hostroutes.h"
#include "interface.h"

static int make(struct xy_daemon *d, struct xy_err *err)
{
	int r = xy_interface_open(d, err);
	if (r)
		return r;
	r = xy_interface_address(d, err);
	r = r ? r : xy_hostroutes_own_add(d, err);
	if (r == -EACCES) // IPv6 is switched off: what follows the kernel says so, and waits
		r = 0;
	if (!r)
		xy_hostqueue_begin(d);
	return r;
}

static void leave(struct xy_daemon *d)
{
	xy_interface_close(d); // the kernel's routes go with it
	xy_hostroutes_rest(d);
}

int xy_hostside_up(struct xy_daemon *d, struct xy_err *err)
{
	if (d->no_tun || !d->plan.config.host.enabled)
		return 0;
	int r = make(d, err);
	r = r ? r : xy_hostroutes_follow(d, err);
	if (r)
		xy_hostside_down(d);
	return r;
}

int xy_hostside_again(struct xy_daemon *d, struct xy_err *err)
{
	leave(d);
	int r = make(d, err);
	if (r)
		leave(d);
	else
		xy_hostroutes_again(d);
	return r;
}

void xy_hostside_down(struct xy_daemon *d)
{
	xy_hostroutes_close(d);
	xy_interface_free(d);
}
