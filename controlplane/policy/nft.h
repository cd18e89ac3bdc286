// SPDX-License-Identifier: BSD-3-Clause
// A table of ours in the kernel's packet filter: made and replaced in one transaction each, looked
// at, removed (libnftables); its counters, and word of what others do to it (netlink). What takes a
// transaction or a list waits for the kernel, a few ms and longer where others hold it: such calls
// are for a helper, one at a time. What tells of changes and counters is the control thread's.
// Memory is open's, and goes by close.
#pragma once

#include "base/err.h"
#include "policy/policy.h"

#include <stdbool.h>
#include <stdint.h>

struct xy_nft;

// -EPERM, -EPROTONOSUPPORT and the like: this process, or this kernel, has no packet filter to use.
int xy_nft_open(const char *instance, struct xy_nft **out, struct xy_err *err);
void xy_nft_close(struct xy_nft *n); // no other call is under way; the table stays
// One of which nothing but xy_nft_count works. -errno.
int xy_nft_ask_open(const char *instance, struct xy_nft **out);
// A descriptor that tells of changes, which another process may have read; and one of which nothing
// but xy_nft_fd and xy_nft_changed work, which takes it over. -errno.
int xy_nft_watch_open(int *fd, struct xy_err *err);
int xy_nft_watch_take(const char *instance, int fd, struct xy_nft **out);

// --- on any thread, one call at a time
// text is of xy_policy_text. On failure all is as it was.
int xy_nft_make(struct xy_nft *n, const char *text, struct xy_err *err);
int xy_nft_remove(struct xy_nft *n, struct xy_err *err); // also when it is not there
// Is it there as it was made last? False, too, when it cannot be read.
bool xy_nft_is_whole(struct xy_nft *n);

// --- on one thread
int xy_nft_fd(const struct xy_nft *n); // readable: something changed
// Reads what there is, a bounded share at a time. True: somebody, or we, changed our table.
bool xy_nft_changed(struct xy_nft *n);

struct xy_nft_count {
	bool there;
	uint64_t packets, bytes;
};
// v has XY_POLICY_COUNTERS. 0, or -errno and v is what could be read.
int xy_nft_count(struct xy_nft *n, struct xy_nft_count *v);
