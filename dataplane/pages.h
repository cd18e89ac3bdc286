// SPDX-License-Identifier: BSD-3-Clause
// Large arrays whose pages come with use: reserved, zeroed by the kernel, never swapped into being
// for slots that nobody uses. Control thread.
#pragma once

#include <stddef.h>

void *xy_pages_reserve(size_t size); // NULL when the address space or a limit refuses
// What is behind the first 2 MB comes in pages of 2 MB, and whoever touches one first waits until
// it is zeroed, some milliseconds: for what this thread alone writes.
void *xy_pages_reserve_large(size_t size);
void xy_pages_release(void *p, size_t size); // p may be NULL
