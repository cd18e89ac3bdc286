// SPDX-License-Identifier: BSD-3-Clause
// Which computes a burst of ChaCha20-Poly1305: a kernel that this machine has (lib/aead), or
// ipsec-mb. Measured once in a process, when the first worker is made, by the control thread;
// then all only read it. dataplane/aead*.c, their test and their benchmark.
#pragma once

#include "aead/batch.h"
#include "aead_suite.h"

enum { XY_AEAD_SIZES = 5, XY_AEAD_BURSTS = 3 };

// What is measured, and stands for what is about as long, and for as many or more.
extern const uint16_t xy_aead_size[XY_AEAD_SIZES], xy_aead_burst[XY_AEAD_BURSTS];

struct xy_aead_choice {
	const struct xy_batch_kernel *kernel[XY_BATCH_KERNELS]; // of this machine, then NULL
	const struct xy_batch_kernel *wrong[XY_BATCH_KERNELS];	// which it has, but not used
	uint8_t use[XY_AEAD_SIZES][XY_AEAD_BURSTS];		// 0: ipsec-mb; k + 1: kernel[k]
	char text[240];						// of it all, for operators
};

static inline unsigned xy_aead_size_class(uint32_t len) // the nearest, by ratio
{
	return (len > 128) + (len > 362) + (len > 724) + (len > 1206);
}

// Which one of the bursts n packets count as; below the first of them, -1.
static inline int xy_aead_burst_class(unsigned n)
{
	return (n >= 4) + (n >= 8) + (n >= 32) - 1;
}

enum { XY_AEAD_WHO = 1 + XY_BATCH_KERNELS }; // ipsec-mb, and the kernels

struct xy_aead_parts {
	uint8_t who[XY_AEAD_SIZES];  // computes the packets of a class of sizes
	uint16_t count[XY_AEAD_WHO]; // the packets of each; all of them: n
};

// A burst of n, at least xy_aead_burst[0]. A part whose kernel was faster only with more of them
// goes to who is fastest with so few; below xy_aead_burst[0], to who has most. All else stays.
void xy_aead_divide(const struct xy_aead_choice *c, const struct xy_aead_op *op, unsigned n,
		    struct xy_aead_parts *p);

// Does the kernel, in bursts of all layouts, seal as the library and as RFC 8439, open that, and
// refuse what is wrong? Without memory: no.
bool xy_aead_agrees(const struct xy_batch_kernel *k, void *mb);

// Some milliseconds. `mb` is of xy_aead_chacha_mb. Without memory it chooses that.
void xy_aead_choice_make(struct xy_aead_choice *c, void *mb);
// From `use`, `kernel` and `wrong`; a test may set those.
void xy_aead_choice_tell(struct xy_aead_choice *c);

// Its parts. Those of `kernels` that agree, and those that do not; at most XY_BATCH_KERNELS.
typedef const struct xy_batch_kernel *xy_aead_kernels(unsigned i);
void xy_aead_choice_find(struct xy_aead_choice *c, xy_aead_kernels *kernels, void *mb);
// What it costs `who` (0: ipsec-mb; k + 1: kernel[k]) to seal or open a burst of those classes,
// once.
typedef uint64_t xy_aead_clock(void *of, const struct xy_aead_choice *c, unsigned who,
			       unsigned size, unsigned burst, bool seal);
// Fills `use`, by a clock that may be disturbed.
void xy_aead_choice_measure(struct xy_aead_choice *c, xy_aead_clock *clock, void *of);

// The process's own; made by the first who asks.
struct xy_aead_choice *xy_aead_choice(void *mb);

// A burst by the kernel.
void xy_aead_batch(const struct xy_batch_kernel *k, struct xy_aead_op *op, unsigned n, bool seal);
