// SPDX-License-Identifier: BSD-3-Clause
// Large arrays whose pages come with use: reserved, zeroed by the kernel, never swapped into being
// for slots that nobody uses. Control thread.
#pragma once

#include <stddef.h>

void *xy_pages_reserve(size_t size);	     // NULL when the address space or a limit refuses
void xy_pages_release(void *p, size_t size); // p may be NULL
