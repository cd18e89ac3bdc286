// SPDX-License-Identifier: BSD-3-Clause
#include "base/heap.h"

#include <errno.h>
#include <stdlib.h>

int xy_heap_init(struct xy_heap *h, uint32_t room)
{
	*h = (struct xy_heap){.room = room};
	h->node = calloc(room, sizeof(*h->node));
	return h->node ? 0 : -ENOMEM;
}

void xy_heap_fini(struct xy_heap *h)
{
	free(h->node);
	*h = (struct xy_heap){0};
}

static void place(struct xy_heap *h, uint32_t i, struct xy_heap_node *n)
{
	h->node[i] = n;
	n->pos = i + 1;
}

static void rise(struct xy_heap *h, uint32_t i, struct xy_heap_node *n)
{
	while (i && h->node[(i - 1) / 2]->at > n->at) {
		place(h, i, h->node[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(h, i, n);
}

static void sink(struct xy_heap *h, uint32_t i, struct xy_heap_node *n)
{
	for (;;) {
		uint32_t child = 2 * i + 1;
		if (child + 1 < h->count && h->node[child + 1]->at < h->node[child]->at)
			child++;
		if (child >= h->count || h->node[child]->at >= n->at)
			break;
		place(h, i, h->node[child]);
		i = child;
	}
	place(h, i, n);
}

static void settle(struct xy_heap *h, uint32_t i, struct xy_heap_node *n)
{
	if (i && h->node[(i - 1) / 2]->at > n->at)
		rise(h, i, n);
	else
		sink(h, i, n);
}

static void take_out(struct xy_heap *h, struct xy_heap_node *n)
{
	uint32_t i = n->pos - 1;
	struct xy_heap_node *last = h->node[--h->count];
	n->pos = 0;
	if (last != n)
		settle(h, i, last);
}

void xy_heap_set(struct xy_heap *h, struct xy_heap_node *n, xy_nsec at)
{
	n->at = at;
	if (at == XY_NEVER) {
		if (n->pos)
			take_out(h, n);
	} else if (n->pos) {
		settle(h, n->pos - 1, n);
	} else if (h->count < h->room) {
		rise(h, h->count++, n);
	}
}

struct xy_heap_node *xy_heap_first(const struct xy_heap *h)
{
	return h->count ? h->node[0] : NULL;
}
