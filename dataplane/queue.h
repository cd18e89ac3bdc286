// SPDX-License-Identifier: BSD-3-Clause
// Packets in line, oldest first, linked by mbuf->next (a packet is one segment). A worker's own;
// zeroed memory is an empty one.
#pragma once

#include <rte_mbuf.h>

struct xy_queue {
	struct rte_mbuf *head, *tail;
	uint32_t count;
};

static inline void xy_queue_put(struct xy_queue *q, struct rte_mbuf *m)
{
	m->next = NULL;
	if (q->count++)
		q->tail->next = m;
	else
		q->head = m;
	q->tail = m;
}

// There must be one.
static inline struct rte_mbuf *xy_queue_take(struct xy_queue *q)
{
	struct rte_mbuf *m = q->head;
	q->head = m->next;
	m->next = NULL;
	q->count--;
	return m;
}
