// SPDX-License-Identifier: BSD-3-Clause
// Which requests to the kernel's routing (rtnetlink) the privileged helper passes on: those that
// kernel/ makes, and no other; each field and attribute is looked at, and what is not known is
// refused. Pure; any thread.
#pragma once

#include "warden/scope.h"

#include <stddef.h>

enum {
	XY_NETMSG_MOST = 64,	 // in one request
	XY_NETMSG_BYTES = 16384, // all of them
};

struct xy_netmsg {
	uint32_t at, len; // among the bytes
	int error;	  // 0: it may pass; -EPERM: it may not
};

// ifindex: of our host interface, as whoever made it knows it; 0: there is none. How many messages
// there are, or -EBADMSG: that is no list of messages, and none of it may pass.
int xy_netmsg_check(const struct xy_scope *s, unsigned ifindex, const void *bytes, size_t len,
		    struct xy_netmsg out[static XY_NETMSG_MOST]);
