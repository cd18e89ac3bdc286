// SPDX-License-Identifier: BSD-3-Clause
#include "pages.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE ((size_t)2 << 20)

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

// From the first huge page on that lies in it whole, behind as much in small ones.
static void *map_huge(size_t size)
{
	char *all = map(size + HUGE);
	if (!all)
		return NULL;
	size_t before = -(uintptr_t)all & (HUGE - 1);
	if (before)
		munmap(all, before);
	if (before < HUGE)
		munmap(all + before + size, HUGE - before);
	(void)madvise(all + before + HUGE, size - HUGE,
		      MADV_HUGEPAGE); // a kernel without: small ones
	return all + before;
}

static size_t whole(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	return (size + page - 1) & ~(page - 1);
}

void *xy_pages_reserve(size_t size)
{
	return map(size);
}

void *xy_pages_reserve_large(size_t size)
{
	return size > HUGE ? map_huge(whole(size)) : map(size);
}

void xy_pages_release(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}
