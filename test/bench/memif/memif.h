// SPDX-License-Identifier: BSD-3-Clause
// What the parts of this benchmark share. Each part is a process of its own: EAL starts once in
// one, and keeps its CPU.
//
//   generator: hosts A and B --(memif)-- the relay, or who only passes frames on
#pragma once

#include "noise/wg.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum memif_way { IN_MEMORY, RELAYED, PASSED_ON, MEMIF_WAYS };
enum { MEMIF_SIZES = 3, MEMIF_ROUNDS = 41, MEMIF_ROUNDS_SHORT = 9, PORT = 51820 };

extern const uint16_t memif_size[MEMIF_SIZES]; // of the overlay packet, bytes
extern const char *const memif_way_text[MEMIF_WAYS];

struct memif_row {
	double mpps, mpps_p10, mpps_p90, cycles;
};

// A and B, as they see the relay.
enum { HOST_A, HOST_B, HOSTS };

struct memif_shared { // by all processes
	char socket[48];
	int relay_cpu, generator_cpu;
	unsigned rounds;
	uint8_t to_relay[HOSTS][XY_WG_KEY_LEN], from_relay[HOSTS][XY_WG_KEY_LEN];
	uint32_t index[HOSTS]; // the relay's, of each session; that of a host is its number
	_Atomic bool ready;    // there is somebody behind the memif
	double tsc_hz;
	char memory[64];
	struct memif_row row[MEMIF_WAYS][MEMIF_SIZES];
};

_Noreturn void fail(const char *what, const char *why);

// An end of the memif, as ethdev 0 of this process, which it starts EAL in.
struct memif_end {
	const char *who, *role, *megabytes; // role: "client" or "server"
	int cpu;
	unsigned buffers;
};
struct rte_mempool *memif_open(const struct memif_shared *s, const struct memif_end *e);

// Each is a process's whole work.
void memory_run(struct memif_shared *s, unsigned size); // a row of `bench relay`
void relay_run(struct memif_shared *s);			// till it is ended
void pass_on_run(struct memif_shared *s);		// likewise
void generator_run(struct memif_shared *s, enum memif_way way);
