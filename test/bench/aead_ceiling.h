// SPDX-License-Identifier: BSD-3-Clause
// What ChaCha20-Poly1305 cannot cost less than on this CPU, with AVX-512 and IFMA, if each packet
// has its own blocks and shares vectors with others: the rounds of ChaCha20, and the products of
// Poly1305, on what is in registers, all lanes full. No load, no store, no key, nothing turned
// about. For a CPU that the kernel for AVX-512 runs on.
#pragma once

#include <stdint.h>

struct ceiling {
	double block;	// TSC cycles for 64 bytes of ChaCha20: its rounds
	double product; // for 16 bytes of Poly1305
};

struct ceiling xy_ceiling_measure(unsigned tries);
double xy_ceiling_packet(const struct ceiling *c, uint32_t len); // TSC cycles
