// SPDX-License-Identifier: BSD-3-Clause
#include "group.h"

#include "pages.h"

enum { END = 0 }; // no further entry: links are number + 1

struct entry { // what only the control thread knows of a set
	uint32_t refs;
	uint32_t next; // of the same hash, or the next free one
	bool idle;     // without a reference at some time since the last commit
	uint32_t next_idle;
};

struct xy_groups {
	struct xy_group group[XY_GROUPS]; // workers: ro
	struct entry entry[XY_GROUPS];
	uint32_t head[XY_GROUPS]; // by hash
	uint32_t free, idle;
	uint32_t made; // numbers below this were used once
};

int xy_groups_init(struct xy_dp *dp, struct xy_err *err)
{
	dp->groups = xy_pages_reserve(sizeof(*dp->groups)); // pages come with use
	return dp->groups ? 0 : xy_err_set(err, ENOMEM, "no memory for sets of next hops");
}

void xy_groups_fini(struct xy_dp *dp)
{
	xy_pages_release(dp->groups, sizeof(*dp->groups));
}

const struct xy_group *xy_group_rcu(const struct xy_dp *dp, uint32_t number)
{
	return &dp->groups->group[number];
}

static uint32_t *chain(struct xy_groups *s, const struct xy_group *g)
{
	uint64_t h = g->count;
	for (uint32_t i = 0; i < g->count; i++)
		h = (h ^ g->hop[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return &s->head[(h >> 32) % XY_GROUPS];
}

static bool same(const struct xy_group *a, const struct xy_group *b)
{
	return a->count == b->count && memcmp(a->hop, b->hop, a->count * sizeof(a->hop[0])) == 0;
}

static uint32_t number_new(struct xy_groups *s)
{
	if (s->free == END)
		return s->made < XY_GROUPS ? s->made++ : XY_GROUPS;
	uint32_t number = s->free - 1;
	s->free = s->entry[number].next;
	return number;
}

int xy_group_take(struct xy_dp *dp, const struct xy_group *g)
{
	struct xy_groups *s = dp->groups;
	uint32_t *head = chain(s, g);
	for (uint32_t at = *head; at != END; at = s->entry[at - 1].next)
		if (same(&s->group[at - 1], g)) {
			s->entry[at - 1].refs++;
			return (int)at - 1;
		}
	uint32_t number = number_new(s);
	if (number == XY_GROUPS)
		return -ENOSPC;
	s->group[number] = *g; // seen by workers when a table is published that names it
	s->entry[number] = (struct entry){.refs = 1, .next = *head};
	*head = number + 1;
	return (int)number;
}

// A table that is not published yet may still show it to workers, so it goes at the next commit.
void xy_group_give(struct xy_dp *dp, uint32_t number)
{
	struct xy_groups *s = dp->groups;
	struct entry *e = &s->entry[number];
	if (--e->refs || e->idle)
		return;
	e->idle = true;
	e->next_idle = s->idle;
	s->idle = number + 1;
}

static void unlink_entry(struct xy_groups *s, uint32_t number)
{
	uint32_t *at = chain(s, &s->group[number]);
	while (*at != number + 1)
		at = &s->entry[*at - 1].next;
	*at = s->entry[number].next;
}

// After the grace period.
static void release(struct xy_dp *dp, void *ptr)
{
	struct xy_groups *s = dp->groups;
	uint32_t number = (uint32_t)((struct xy_group *)ptr - s->group);
	s->entry[number].next = s->free;
	s->free = number + 1;
}

void xy_groups_commit(struct xy_dp *dp)
{
	struct xy_groups *s = dp->groups;
	while (s->idle != END) {
		uint32_t number = s->idle - 1;
		struct entry *e = &s->entry[number];
		s->idle = e->next_idle;
		e->idle = false;
		if (e->refs)
			continue; // taken again meanwhile
		unlink_entry(s, number);
		xy_dp_retire(dp, &s->group[number], release);
	}
}
