// SPDX-License-Identifier: BSD-3-Clause
// How a table hands over memory that readers may still see. The owner of the table implements it: a
// test frees at once or after its readers have passed, the dataplane after an RCU grace period.
// Called by the table's one writer.
#pragma once

#include <stddef.h>

struct xy_reclaim {
	// Calls free_fn(ptr) once no reader can hold ptr. size is for accounting, in bytes.
	void (*retire)(struct xy_reclaim *r, void *ptr, size_t size, void (*free_fn)(void *ptr));
};
