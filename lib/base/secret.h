// SPDX-License-Identifier: BSD-3-Clause
// Memory that holds keys, kept out of core dumps, also of those that somebody asks for. Any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

// The whole pages around it: what else is there is missing in a dump, too, and nothing else. For
// few and large places, since each may be a mapping of its own from then on.
static inline void xy_secret_hide(const void *p, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)p & ~(page - 1);
	uintptr_t end = ((uintptr_t)p + size + page - 1) & ~(page - 1);
	if (p && size)
		(void)madvise((void *)from, end - from, MADV_DONTDUMP); // a kernel without: no more
}
