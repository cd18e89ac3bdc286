// SPDX-License-Identifier: BSD-3-Clause
// One error text per failed call: what is wrong, where, and what to do.
// Any thread; the caller owns the struct (usually on its stack).
#pragma once

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

struct xy_err {
	char text[480];
};

// Sets the text (when err is not NULL) and returns -code, so that a function ends with
// `return xy_err_set(err, EINVAL, "...")`. code is a positive errno value.
__attribute__((format(printf, 3, 4))) static inline int xy_err_set(struct xy_err *err, int code,
								   const char *fmt, ...)
{
	if (err) {
		va_list ap;
		va_start(ap, fmt);
		vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
	}
	return -code;
}
