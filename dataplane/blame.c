// SPDX-License-Identifier: BSD-3-Clause
#include "blame.h"

#include "base/bytes.h"
#include "dp.h"
#include "pages.h"
#include "wire/inet.h"

#include <stdlib.h>

enum { WAYS = 4, SETS = 256, ENTRIES = SETS * WAYS, TRIES = 16 };

// The worker writes, the control thread reads: a version that is odd while the worker is at it.
// Only a key that nobody uses any more is taken away by the control thread.
struct entry {
	uint64_t key; // owner + 1, reason; 0: free
	uint64_t packets;
	xy_nsec at;
	uint32_t version;
	uint16_t port; // of the source
	uint16_t datagram;
	uint64_t src[2], dst[2];
};
_Static_assert(sizeof(struct entry) == 64, "a line");

struct xy_blames {
	struct entry of[ENTRIES];
};

// Whose a drop is, and what the buffer holds then. Else: who brought it, and an overlay packet if
// it looks like one.
enum {
	NEXT = 1, // it is the next hop's: the other end of where it could not go
	RAW = 2,  // a datagram that came, unopened: remote is its source
	SENT = 4, // a datagram to be sent
};
static const uint8_t kind_of[XY_DROP_COUNT] = {
	[XY_DROP_NOT_WIREGUARD] = RAW,
	[XY_DROP_TRAIN] = RAW,
	[XY_DROP_BAD_HEADER_SUM] = RAW,
	[XY_DROP_UNKNOWN_INDEX] = RAW,
	[XY_DROP_SESSION_EXPIRED] = RAW,
	[XY_DROP_BAD_TAG] = RAW,
	[XY_DROP_REPLAY] = RAW,
	[XY_DROP_RING_FULL] = RAW,
	[XY_DROP_HANDSHAKE_FULL] = RAW,
	[XY_DROP_STRANGER_FULL] = RAW,
	[XY_DROP_STRANGER_RATE] = RAW,
	[XY_DROP_NO_SESSION] = NEXT,
	[XY_DROP_NO_ENDPOINT] = NEXT,
	[XY_DROP_TX_FAILED] = NEXT | SENT,
	[XY_DROP_TX_FULL] = NEXT | SENT,
	[XY_DROP_UNDERLAY_MTU] = NEXT | SENT,
	[XY_DROP_PORT_GONE] = NEXT | SENT,
};

struct xy_blames *xy_blames_create(void)
{
	return xy_pages_reserve(sizeof(struct xy_blames));
}

void xy_blames_destroy(struct xy_blames *b)
{
	xy_pages_release(b, sizeof(*b));
}

static uint32_t owner_of(const struct xy_dp *dp, enum xy_drop reason, const struct xy_packet *p)
{
	uint32_t of = kind_of[reason] & NEXT ? p->next : p->from;
	if (of < dp->ends)
		return of;
	if (kind_of[reason] & NEXT || of != XY_PEER_NONE)
		return XY_DP_OF_NODE;
	return kind_of[reason] & RAW ? XY_DP_OF_STRANGER : XY_DP_OF_HOST;
}

static uint64_t key_of(uint32_t owner, enum xy_drop reason)
{
	return ((uint64_t)owner + 1) << 8 | (uint64_t)reason;
}

// The worker's: its entry, a new one, or NULL: there is no room.
static struct entry *find(struct xy_blames *b, uint64_t key)
{
	uint32_t set = (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) % SETS;
	struct entry *e = &b->of[set * WAYS], *empty = NULL;
	for (unsigned i = 0; i < WAYS; i++) {
		uint64_t has = __atomic_load_n(&e[i].key, __ATOMIC_ACQUIRE);
		if (has == key)
			return &e[i];
		if (!has && !empty)
			empty = &e[i];
	}
	if (!empty)
		return NULL;
	XY_SET(empty->packets, 0);
	__atomic_store_n(&empty->key, key, __ATOMIC_RELEASE);
	return empty;
}

static void address_put(uint64_t to[2], const struct xy_addr *a)
{
	uint64_t word[2];
	memcpy(word, a->b, sizeof(word));
	XY_SET(to[0], word[0]);
	XY_SET(to[1], word[1]);
}

static bool is_ip(struct rte_mbuf *m, uint8_t *version)
{
	unsigned v = m->data_len ? *rte_pktmbuf_mtod(m, const uint8_t *) >> 4 : 0;
	*version = (uint8_t)v;
	return (v == 6 && m->data_len >= XY_IPV6_LEN) || (v == 4 && m->data_len >= 20);
}

static void last_put(struct entry *e, enum xy_drop reason, struct rte_mbuf *m)
{
	const struct xy_packet *p = xy_packet(m);
	struct xy_addr src = p->remote.addr, dst = p->local;
	uint8_t version;
	bool opened = !(kind_of[reason] & (RAW | SENT)) && is_ip(m, &version);
	if (opened) {
		src = xy_inner_src(rte_pktmbuf_mtod(m, const uint8_t *), version);
		dst = xy_inner_dst(rte_pktmbuf_mtod(m, const uint8_t *), version);
	} else if (kind_of[reason] & SENT) {
		src = p->local;
		dst = p->remote.addr;
	}
	address_put(e->src, &src);
	address_put(e->dst, &dst);
	XY_SET(e->datagram, !opened);
	XY_SET(e->port, opened || kind_of[reason] & SENT ? 0 : p->remote.port);
}

static void put(struct xy_worker *w, uint64_t key, enum xy_drop reason, struct rte_mbuf *m,
		uint64_t n)
{
	struct entry *e = find(w->blames, key);
	if (!e)
		return;
	XY_SET(e->version, e->version + 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	XY_SET(e->packets, e->packets + n);
	XY_SET(e->at, w->now);
	last_put(e, reason, m);
	__atomic_store_n(&e->version, e->version + 1, __ATOMIC_RELEASE);
}

void xy_blame(struct xy_worker *w, enum xy_drop reason, struct rte_mbuf *m, uint64_t n)
{
	if (w->blames) // workers of some tests have none
		put(w, key_of(owner_of(w->dp, reason, xy_packet(m)), reason), reason, m, n);
}

void xy_blame_burst(struct xy_worker *w, enum xy_drop reason, void **objs, unsigned n)
{
	for (unsigned i = 0, run; w->blames && i < n; i += run) {
		uint32_t owner = owner_of(w->dp, reason, xy_packet(objs[i]));
		for (run = 1; i + run < n; run++)
			if (owner_of(w->dp, reason, xy_packet(objs[i + run])) != owner)
				break;
		put(w, key_of(owner, reason), reason, objs[i + run - 1], run);
	}
}

// --- the control thread's

void xy_blames_forget(struct xy_dp *dp, uint32_t end)
{
	for (unsigned i = 0; i < dp->workers; i++)
		for (unsigned k = 0; dp->worker[i]->blames && k < ENTRIES; k++) {
			struct entry *e = &dp->worker[i]->blames->of[k];
			if (__atomic_load_n(&e->key, __ATOMIC_RELAXED) >> 8 == (uint64_t)end + 1)
				__atomic_store_n(&e->key, 0, __ATOMIC_RELEASE);
		}
}

static uint64_t get(const uint64_t *from)
{
	return __atomic_load_n(from, __ATOMIC_RELAXED);
}

static void address_get(struct xy_addr *to, const uint64_t from[2])
{
	uint64_t word[2] = {get(&from[0]), get(&from[1])};
	memcpy(to->b, word, sizeof(word));
}

// One that a worker is at all the time keeps its count, and has no addresses.
static void entry_read(const struct entry *e, struct xy_dp_blame *out)
{
	bool whole = false;
	for (unsigned i = 0; !whole && i < TRIES; i++) {
		uint32_t version = __atomic_load_n(&e->version, __ATOMIC_ACQUIRE);
		out->packets = get(&e->packets);
		out->at = get(&e->at);
		address_get(&out->src, e->src);
		address_get(&out->dst, e->dst);
		out->src_port = __atomic_load_n(&e->port, __ATOMIC_RELAXED);
		out->datagram = __atomic_load_n(&e->datagram, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		whole = !(version & 1) && version == __atomic_load_n(&e->version, __ATOMIC_RELAXED);
	}
	if (whole)
		return;
	out->src = out->dst = (struct xy_addr){.b = {0}};
	out->src_port = 0;
}

static int by_owner(const void *a, const void *b)
{
	const struct xy_dp_blame *x = a, *y = b;
	return (x->of > y->of) - (x->of < y->of);
}

int xy_dp_blame_compare(const void *a, const void *b)
{
	const struct xy_dp_blame *x = a, *y = b;
	return x->packets != y->packets ? (x->packets < y->packets) - (x->packets > y->packets)
					: by_owner(a, b);
}

// One of each owner: all that workers counted, and the last of it.
static unsigned merge(struct xy_dp_blame *v, unsigned n)
{
	unsigned kept = 0;
	qsort(v, n, sizeof(*v), by_owner);
	for (unsigned i = 0; i < n; i++) {
		struct xy_dp_blame *to = kept ? &v[kept - 1] : NULL;
		if (!to || to->of != v[i].of) {
			v[kept++] = v[i];
			continue;
		}
		uint64_t sum = to->packets + v[i].packets;
		if (v[i].at > to->at)
			*to = v[i];
		to->packets = sum;
	}
	qsort(v, kept, sizeof(*v), xy_dp_blame_compare);
	return kept;
}

int xy_dp_blames(const struct xy_dp *dp, enum xy_drop reason, struct xy_dp_blame **out,
		 unsigned *count)
{
	struct xy_dp_blame *v = calloc((size_t)dp->workers * ENTRIES, sizeof(*v));
	unsigned n = 0;
	if (!v)
		return -ENOMEM;
	for (unsigned i = 0; i < dp->workers; i++)
		for (unsigned k = 0; k < ENTRIES; k++) {
			const struct entry *e = &dp->worker[i]->blames->of[k];
			uint64_t key = __atomic_load_n(&e->key, __ATOMIC_ACQUIRE);
			if (!key || (key & UINT8_MAX) != (uint64_t)reason)
				continue;
			v[n].of = (uint32_t)((key >> 8) - 1);
			entry_read(e, &v[n++]);
		}
	*count = merge(v, n);
	*out = v;
	return 0;
}
