// SPDX-License-Identifier: BSD-3-Clause
// Who was shown the newest epoch of which key, and when: at most once in ANSWER_PAUSE for each pair
// of key and neighbour. One who says an old epoch again and again costs what he is sent, and cannot
// have another's answer withheld.
#include "babel/state.h"

static uint32_t answer_find(const struct xy_babel *b, const struct neigh *n, uint32_t origin)
{
	struct answer key = {.origin = origin, .neigh = n->id};
	uint32_t i = babel_map_first(&b->answer_map, b->answer_map.hash(b, &key));
	while (i && (ANSWER(b, i)->origin != origin || ANSWER(b, i)->neigh != n->id))
		i = babel_map_next(&b->answer_map, i);
	return i;
}

static void forget_first(struct xy_babel *b)
{
	uint32_t i = b->answered.head;
	b->answered.head = ANSWER(b, i)->next;
	if (!b->answered.head)
		b->answered.tail = 0;
	babel_map_remove(&b->answer_map, i);
	babel_pool_give(&b->answers, i);
}

static void remember(struct xy_babel *b, const struct neigh *n, uint32_t origin)
{
	if (b->answers.used == b->answers.limit)
		forget_first(b); // rather an answer too many
	uint32_t i = babel_pool_take(&b->answers);
	if (!i)
		return;
	*ANSWER(b, i) = (struct answer){.origin = origin, .neigh = n->id, .at = b->now};
	if (!babel_map_insert(&b->answer_map, i)) {
		babel_pool_give(&b->answers, i);
		return;
	}
	*(b->answered.tail ? &ANSWER(b, b->answered.tail)->next : &b->answered.head) = i;
	b->answered.tail = i;
}

bool babel_answer_due(struct xy_babel *b, const struct neigh *n, uint32_t origin)
{
	while (b->answered.head && b->now - ANSWER(b, b->answered.head)->at >= ANSWER_PAUSE) {
		b->stats.steps++;
		forget_first(b);
	}
	if (answer_find(b, n, origin))
		return false;
	remember(b, n, origin);
	return true;
}
