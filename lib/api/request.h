// SPDX-License-Identifier: BSD-3-Clause
// A request to one of the daemon's sockets, as it is on the wire: "/command" or "/command,params",
// one message of at most XY_REQUEST_MAX bytes; a line's end, and what stands behind it, does not
// count. Both sides use this. Any thread; owns nothing.
#pragma once

#include <stddef.h>

enum { XY_REQUEST_MAX = 4096 };

struct xy_request_text {
	const char *command;
	const char *params; // behind the first comma; NULL: there is none
};

// Takes a message apart where it stands: buf has room for a byte behind its len. -EMSGSIZE.
int xy_request_read(char *buf, size_t len, struct xy_request_text *out);
// params: NULL for none. -EMSGSIZE: it would be too long; -EINVAL: a line's end or a comma (of the
// command) in it would make it another.
int xy_request_write(char out[static XY_REQUEST_MAX + 1], const char *command, const char *params);
