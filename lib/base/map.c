// SPDX-License-Identifier: BSD-3-Clause
// Open addressing with linear probing, at most half full; deletion closes the gap, so there are no
// tombstones to clean up.
#include "base/map.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_SIZE 64

int xy_map_init(struct xy_map *m)
{
	*m = (struct xy_map){.mask = FIRST_SIZE - 1};
	m->entry = calloc(FIRST_SIZE, sizeof(*m->entry));
	return m->entry ? 0 : -ENOMEM;
}

void xy_map_fini(struct xy_map *m)
{
	free(m->entry);
	*m = (struct xy_map){0};
}

static uint32_t home(const struct xy_map *m, uint64_t key)
{
	return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & m->mask;
}

static struct xy_map_entry *find(const struct xy_map *m, uint64_t key)
{
	uint32_t i = home(m, key);
	while (m->entry[i].state && m->entry[i].key != key)
		i = (i + 1) & m->mask;
	return &m->entry[i];
}

static int grow(struct xy_map *m)
{
	struct xy_map bigger = {.mask = m->mask * 2 + 1};
	bigger.entry = calloc((size_t)bigger.mask + 1, sizeof(*bigger.entry));
	if (!bigger.entry)
		return -ENOMEM;
	for (uint32_t i = 0; i <= m->mask; i++)
		if (m->entry[i].state)
			*find(&bigger, m->entry[i].key) = m->entry[i];
	bigger.count = m->count;
	free(m->entry);
	*m = bigger;
	return 0;
}

int xy_map_reserve(struct xy_map *m, uint32_t count)
{
	int r = 0;
	while (!r && count > m->mask / 2)
		r = grow(m);
	return r;
}

int xy_map_set(struct xy_map *m, uint64_t key, uint32_t value)
{
	struct xy_map_entry *e = find(m, key);
	if (!e->state && m->count > m->mask / 2) {
		int r = grow(m);
		if (r)
			return r;
		e = find(m, key);
	}
	m->count += !e->state;
	*e = (struct xy_map_entry){.key = key, .value = value, .state = 1};
	return 0;
}

bool xy_map_get(const struct xy_map *m, uint64_t key, uint32_t *value)
{
	const struct xy_map_entry *e = find(m, key);
	if (e->state)
		*value = e->value;
	return e->state;
}

void xy_map_del(struct xy_map *m, uint64_t key)
{
	struct xy_map_entry *e = find(m, key);
	if (!e->state)
		return;
	uint32_t gap = (uint32_t)(e - m->entry);
	for (uint32_t i = (gap + 1) & m->mask; m->entry[i].state; i = (i + 1) & m->mask) {
		// An entry moves back into the gap unless its home lies behind the gap.
		if (((i - home(m, m->entry[i].key)) & m->mask) >= ((i - gap) & m->mask)) {
			m->entry[gap] = m->entry[i];
			gap = i;
		}
	}
	m->entry[gap].state = 0;
	m->count--;
}
