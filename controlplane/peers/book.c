// SPDX-License-Identifier: BSD-3-Clause
// A node for each key, found by a hash, with a place for each source; it stays as long as a source
// has something on the key, or it is still to be told that none has.
#include "peers/book.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NOBODY UINT32_MAX

const char *const xy_book_source_names[] = {
	[XY_BOOK_COMMAND_LINE] = "command line", [XY_BOOK_CONFIG] = "config",
	[XY_BOOK_RUNTIME] = "run time",		 [XY_BOOK_PIN] = "pin",
	[XY_BOOK_REGISTRY] = "registry",	 [XY_BOOK_OPEN] = "open",
};

struct entry {
	const struct xy_config_peer *says; // NULL: nothing
	const struct xy_hs_remote *remote;
};

struct xy_book_node {
	struct xy_key key;
	struct entry by[XY_BOOK_SOURCES];
	uint32_t mark[XY_BOOK_SOURCES];
	uint32_t prev, next; // in its list; next: of free nodes, too
	struct xy_book_list *list;
	bool told; // of somebody in force; else nobody need know that it goes
};

// --- lists of nodes

static void move_to(struct xy_book *b, uint32_t at, struct xy_book_list *to)
{
	struct xy_book_node *v = b->node, *n = &v[at];
	if (n->list == to)
		return;
	if (n->list) {
		*(n->prev == NOBODY ? &n->list->head : &v[n->prev].next) = n->next;
		*(n->next == NOBODY ? &n->list->tail : &v[n->next].prev) = n->prev;
	}
	n->list = to;
	if (!to)
		return;
	n->prev = to->tail;
	n->next = NOBODY;
	*(to->tail == NOBODY ? &to->head : &v[to->tail].next) = at;
	to->tail = at;
}

// --- nodes

static uint64_t hash(const struct xy_book *b, const struct xy_key *key)
{
	uint64_t h;
	crypto_shorthash((unsigned char *)&h, key->b, sizeof(key->b), b->hash_key);
	return h;
}

static uint32_t find(const struct xy_book *b, const struct xy_key *key)
{
	uint32_t at;
	if (!xy_map_get(&b->by_key, hash(b, key), &at))
		return NOBODY;
	return memcmp(&b->node[at].key, key, sizeof(*key)) == 0 ? at : NOBODY;
}

static int grow(struct xy_book *b, uint32_t room)
{
	void *v = reallocarray(b->node, room, sizeof(*b->node));
	if (!v)
		return -ENOMEM;
	b->node = v;
	b->room = room;
	return 0;
}

static int node_make(struct xy_book *b, const struct xy_key *key, uint32_t *out)
{
	uint32_t at = b->free == NOBODY ? b->used : b->free;
	if (at == b->room && grow(b, 2 * at))
		return -ENOMEM;
	if (xy_map_set(&b->by_key, hash(b, key), at))
		return -ENOMEM;
	if (at == b->used)
		b->used++;
	else
		b->free = b->node[at].next;
	b->node[at] = (struct xy_book_node){.key = *key};
	*out = at;
	return 0;
}

static void node_free(struct xy_book *b, uint32_t at)
{
	struct xy_book_node *n = &b->node[at];
	move_to(b, at, NULL);
	xy_map_del(&b->by_key, hash(b, &n->key));
	*n = (struct xy_book_node){.next = b->free};
	b->free = at;
}

static unsigned first_of(const struct xy_book_node *n) // SOURCES: nobody wants it
{
	unsigned s = 0;
	while (s < XY_BOOK_SOURCES && !n->by[s].says)
		s++;
	return s;
}

static void give(const struct xy_book_node *n, unsigned source, struct xy_book_peer *out)
{
	*out = (struct xy_book_peer){.key = n->key, .source = source};
	if (source == XY_BOOK_SOURCES)
		return;
	out->mark = n->mark[source];
	out->says = n->by[source].says;
	out->remote = n->by[source].remote;
}

// --- what sources say

static void changed(struct xy_book *b, uint32_t at)
{
	const struct xy_book_node *n = &b->node[at];
	if (first_of(n) < XY_BOOK_SOURCES)
		move_to(b, at, &b->come);
	else if (n->told)
		move_to(b, at, &b->gone);
	else
		node_free(b, at);
}

int xy_book_set(struct xy_book *b, const struct xy_book_peer *p)
{
	uint32_t at = find(b, &p->key);
	assert(p->says && p->source < XY_BOOK_SOURCES);
	if (at == NOBODY && node_make(b, &p->key, &at))
		return -ENOMEM;
	struct xy_book_node *n = &b->node[at];
	n->by[p->source] = (struct entry){p->says, p->remote};
	n->mark[p->source] = p->mark;
	if (first_of(n) == p->source)
		changed(b, at);
	return 0;
}

static void take_back(struct xy_book *b, uint32_t at, enum xy_book_source source)
{
	struct xy_book_node *n = &b->node[at];
	bool was_in_force = first_of(n) == source;
	n->by[source] = (struct entry){0};
	if (was_in_force)
		changed(b, at);
}

void xy_book_del(struct xy_book *b, const struct xy_key *key, enum xy_book_source source)
{
	uint32_t at = find(b, key);
	if (at != NOBODY && b->node[at].by[source].says)
		take_back(b, at, source);
}

bool xy_book_sweep(struct xy_book *b, unsigned sources, uint32_t mark, uint32_t *at, unsigned *max)
{
	for (; *at < b->used && *max; ++*at, --*max) {
		const struct xy_book_node *n = &b->node[*at];
		for (unsigned s = 0; s < XY_BOOK_SOURCES; s++)
			if (sources & 1u << s && n->by[s].says && n->mark[s] != mark)
				take_back(b, *at, s);
	}
	return *at < b->used;
}

// --- what stands there

bool xy_book_get(const struct xy_book *b, const struct xy_key *key, enum xy_book_source source,
		 struct xy_book_peer *out)
{
	uint32_t at = find(b, key);
	if (at == NOBODY || !b->node[at].by[source].says)
		return false;
	give(&b->node[at], source, out);
	return true;
}

bool xy_book_in_force(const struct xy_book *b, const struct xy_key *key, struct xy_book_peer *out)
{
	uint32_t at = find(b, key);
	if (at == NOBODY || first_of(&b->node[at]) == XY_BOOK_SOURCES)
		return false;
	give(&b->node[at], first_of(&b->node[at]), out);
	return true;
}

// --- news

bool xy_book_has_news(const struct xy_book *b)
{
	return b->gone.head != NOBODY || b->come.head != NOBODY;
}

bool xy_book_news(struct xy_book *b, struct xy_book_peer *out)
{
	uint32_t at = b->gone.head == NOBODY ? b->come.head : b->gone.head;
	if (at == NOBODY)
		return false;
	struct xy_book_node *n = &b->node[at];
	give(n, first_of(n), out);
	n->told = out->says;
	if (n->told)
		move_to(b, at, NULL);
	else
		node_free(b, at);
	return true;
}

void xy_book_wait(struct xy_book *b, const struct xy_key *key)
{
	uint32_t at = find(b, key);
	if (at != NOBODY && !b->node[at].list)
		move_to(b, at, &b->waiting);
}

void xy_book_wake(struct xy_book *b)
{
	while (b->waiting.head != NOBODY)
		move_to(b, b->waiting.head, &b->come);
}

// --- life

int xy_book_init(struct xy_book *b, uint32_t peers)
{
	const struct xy_book_list none = {NOBODY, NOBODY};
	*b = (struct xy_book){.free = NOBODY, .gone = none, .come = none, .waiting = none};
	randombytes_buf(b->hash_key, sizeof(b->hash_key));
	int r = xy_map_init(&b->by_key);
	r = r ? r : xy_map_reserve(&b->by_key, peers);
	return r ? r : grow(b, 2 * peers); // while one plan takes another's place
}

void xy_book_fini(struct xy_book *b)
{
	xy_map_fini(&b->by_key);
	free(b->node);
	*b = (struct xy_book){0};
}
