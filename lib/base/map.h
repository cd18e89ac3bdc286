// SPDX-License-Identifier: BSD-3-Clause
// A hash map from 64-bit keys to 32-bit numbers, grown as needed. One thread. Keys are taken as
// they are: whoever lets strangers choose them hashes them first, with a secret.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xy_map_entry {
	uint64_t key;
	uint32_t value;
	uint8_t state;
};

struct xy_map {
	struct xy_map_entry *entry;
	uint32_t mask; // entries - 1
	uint32_t count;
};

int xy_map_init(struct xy_map *m); // -ENOMEM
// So many come without a call that moves them all. -ENOMEM.
int xy_map_reserve(struct xy_map *m, uint32_t count);
void xy_map_fini(struct xy_map *m);
int xy_map_set(struct xy_map *m, uint64_t key, uint32_t value); // adds or changes; -ENOMEM
bool xy_map_get(const struct xy_map *m, uint64_t key, uint32_t *value);
void xy_map_del(struct xy_map *m, uint64_t key);
