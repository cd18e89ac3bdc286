// SPDX-License-Identifier: BSD-3-Clause
// A core dump holds every key, and goes to a disk or to a program that sends it somewhere: there is
// none, nor may another process of our user read our memory, unless the config asks for dumps.
// Control thread, and the command line.
#pragma once

#include <stdbool.h>

// False before the first key is read; true brings back the limit that we were started with.
void xy_cores_set(bool wanted);
