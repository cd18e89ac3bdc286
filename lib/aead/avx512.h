// SPDX-License-Identifier: BSD-3-Clause
// The parts of the kernel for AVX-512 with IFMA, of which each is a file. They alone have its
// instructions.
#pragma once

#include "aead/kernel.h"

void xy_batch_avx512_blocks(const struct xy_batch_block *b, unsigned n);
void xy_batch_avx512_stretch(const struct xy_batch_block *b, unsigned times);
void xy_batch_avx512_tags(const struct xy_batch_text *t, unsigned n);
void xy_batch_avx512_packets(const struct xy_batch_op *op, const uint8_t *which, unsigned n,
			     uint8_t (*tags)[16]);
