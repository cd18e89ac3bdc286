// SPDX-License-Identifier: BSD-3-Clause
#include "pages.h"

#include <sys/mman.h>

void *xy_pages_reserve(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

void xy_pages_release(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}
