// SPDX-License-Identifier: BSD-3-Clause
// A file of the state folder, written so that it is the old one or the new one whole: beside,
// synced, renamed, mode 0600. Any thread, a helper mostly; nothing is owned.
#pragma once

#include <stddef.h>
#include <sys/types.h>

// -errno.
int xy_keep_write(const char *folder, const char *name, const char *text, size_t len);
// The same for others to read: of that mode, whatever the umask.
int xy_keep_write_as(const char *folder, const char *name, const char *text, size_t len,
		     unsigned mode);
// A regular file of at most `most` bytes, malloc'd into *text, with a NUL behind it. Its length, or
// -errno; -ENOENT: there is none.
ssize_t xy_keep_read(const char *folder, const char *name, size_t most, char **text);
// What makes no sense is put aside as NAME.lost, or .lost2 to 4 where there is one, and is not
// there any more. -errno: it cannot; -EEXIST: all of them are there.
int xy_keep_aside(const char *folder, const char *name);
