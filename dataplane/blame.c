// SPDX-License-Identifier: BSD-3-Clause
#include "blame.h"

#include "base/bytes.h"
#include "dp.h"
#include "end.h"
#include "pages.h"
#include "table/exact_hash.h"
#include "wire/inet.h"

#include <stdlib.h>

enum { WAYS = 4, SETS = 256, ENTRIES = SETS * WAYS, TRIES = 16 };

#define OLD (600 * XY_SEC) // without a drop since

// The worker writes, the control thread reads: a version that is odd while the worker is at it.
struct entry {
	uint64_t key; // key_of(); 0: free
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
	uint64_t missed[SETS]; // packets without a place since one of the set gave way
	uint64_t no_room[XY_DROP_COUNT];
};

// Whose a drop is, and what the buffer holds then. Else: who brought it, and an overlay packet if
// it looks like one.
enum {
	NEXT = 1,   // it is the next hop's: the other end of where it could not go
	RAW = 2,    // a datagram that came, unopened: remote is its source
	SENT = 4,   // a datagram to be sent
	INSIDE = 8, // an overlay packet, also if it looks like none
};
static const uint8_t kind_of[XY_DROP_COUNT] = {
	[XY_DROP_NOT_WIREGUARD] = RAW,
	[XY_DROP_TRAIN] = RAW,
	[XY_DROP_BAD_HEADER_SUM] = RAW,
	[XY_DROP_UNKNOWN_INDEX] = RAW,
	[XY_DROP_SESSION_EXPIRED] = RAW,
	[XY_DROP_BAD_TAG] = RAW,
	[XY_DROP_REPLAY] = RAW,
	[XY_DROP_BAD_INNER] = INSIDE,
	[XY_DROP_HOST_BAD] = INSIDE,
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

// Another end may have the number by now. A packet that was not opened yet, or waits at most for a
// port, is of today's.
static uint32_t incarnation_of(const struct xy_dp *dp, enum xy_drop reason,
			       const struct xy_packet *p, uint32_t owner)
{
	if (owner >= dp->ends)
		return 0;
	return kind_of[reason] & (NEXT | RAW | SENT) ? xy_end_incarnation(dp, owner)
						     : xy_packet_incarnation(p);
}

// Never 0. Of an incarnation what has room: a record would have to outlive 16 million of them.
static uint64_t key_make(uint32_t owner, uint32_t incarnation, enum xy_drop reason)
{
	return (uint64_t)incarnation << 40 | (uint64_t)owner << 8 | ((uint64_t)reason + 1);
}

static bool is_ip(const struct rte_mbuf *m, uint8_t *version)
{
	unsigned v = m->data_len ? *rte_pktmbuf_mtod(m, const uint8_t *) >> 4 : 0;
	*version = (uint8_t)v;
	return (v == 6 && m->data_len >= XY_IPV6_LEN) || (v == 4 && m->data_len >= 20);
}

enum xy_blame_holds xy_blame_holds(enum xy_drop reason, const struct rte_mbuf *m)
{
	uint8_t version;
	if (kind_of[reason] & SENT)
		return XY_BLAME_OURS;
	if (kind_of[reason] & RAW)
		return XY_BLAME_CAME;
	return kind_of[reason] & INSIDE || is_ip(m, &version) ? XY_BLAME_OVERLAY : XY_BLAME_CAME;
}

uint32_t xy_blame_end(const struct xy_dp *dp, enum xy_drop reason, const struct xy_packet *p)
{
	uint32_t owner = owner_of(dp, reason, p);
	if (owner >= dp->ends ||
	    incarnation_of(dp, reason, p, owner) != xy_end_incarnation(dp, owner))
		return XY_DP_NO_PEER;
	return owner;
}

static uint64_t key_of(const struct xy_dp *dp, enum xy_drop reason, const struct xy_packet *p)
{
	uint32_t owner = owner_of(dp, reason, p);
	return key_make(owner, incarnation_of(dp, reason, p, owner), reason);
}

static uint32_t key_owner(uint64_t key)
{
	return (uint32_t)(key >> 8);
}

// Whose it is is there no more, whoever has his number now.
static bool is_gone(const struct xy_dp *dp, uint64_t key)
{
	uint32_t owner = key_owner(key);
	return owner < dp->ends && key >> 40 != (uint64_t)xy_end_incarnation(dp, owner) << 40 >> 40;
}

// Keyed, so that nobody can aim at one set.
static uint32_t set_of(const struct xy_dp *dp, uint64_t key)
{
	return (uint32_t)(xy_exact_fold(key ^ dp->flow_key[0], dp->flow_key[1]) % SETS);
}

static bool is_old(const struct entry *e, xy_nsec now)
{
	return now >= e->at && now - e->at >= OLD;
}

// The worker's: its entry, one to be its, or NULL: there is no room for its n packets. The one that
// gives way is old, and has less than found no room since.
static struct entry *find(struct xy_worker *w, uint64_t key, uint64_t n)
{
	struct xy_blames *b = w->blames;
	uint32_t set = set_of(w->dp, key);
	struct entry *e = &b->of[set * WAYS], *empty = NULL, *least = NULL;
	for (unsigned i = 0; i < WAYS; i++) {
		if (e[i].key == key)
			return &e[i];
		if (!empty && (!e[i].key || is_gone(w->dp, e[i].key)))
			empty = &e[i];
		if (is_old(&e[i], w->now) && (!least || e[i].packets < least->packets))
			least = &e[i];
	}
	if (empty)
		return empty;
	if (least && least->packets < b->missed[set] + n) {
		b->missed[set] = 0;
		return least;
	}
	b->missed[set] += n;
	XY_SET(b->no_room[(key & UINT8_MAX) - 1], b->no_room[(key & UINT8_MAX) - 1] + n);
	return NULL;
}

static void address_put(uint64_t to[2], const struct xy_addr *a)
{
	uint64_t word[2];
	memcpy(word, a->b, sizeof(word));
	XY_SET(to[0], word[0]);
	XY_SET(to[1], word[1]);
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
	struct entry *e = is_gone(w->dp, key) ? NULL : find(w, key, n);
	if (!e)
		return;
	uint64_t before = e->key == key ? e->packets : 0;
	XY_SET(e->version, e->version + 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	XY_SET(e->key, key);
	XY_SET(e->packets, before + n);
	XY_SET(e->at, w->now);
	last_put(e, reason, m);
	__atomic_store_n(&e->version, e->version + 1, __ATOMIC_RELEASE);
}

void xy_blame(struct xy_worker *w, enum xy_drop reason, struct rte_mbuf *m, uint64_t n)
{
	if (w->blames) // workers of some tests have none
		put(w, key_of(w->dp, reason, xy_packet(m)), reason, m, n);
}

void xy_blame_burst(struct xy_worker *w, enum xy_drop reason, void **objs, unsigned n)
{
	for (unsigned i = 0, run; w->blames && i < n; i += run) {
		uint64_t key = key_of(w->dp, reason, xy_packet(objs[i]));
		for (run = 1; i + run < n; run++)
			if (key_of(w->dp, reason, xy_packet(objs[i + run])) != key)
				break;
		put(w, key, reason, objs[i + run - 1], run);
	}
}

// --- the control thread's

static uint64_t get(const uint64_t *from)
{
	return __atomic_load_n(from, __ATOMIC_RELAXED);
}

static void address_get(struct xy_addr *to, const uint64_t from[2])
{
	uint64_t word[2] = {get(&from[0]), get(&from[1])};
	memcpy(to->b, word, sizeof(word));
}

// One that a worker is at all the time keeps its count, and has no addresses. Whose it is: 0: that
// changed.
static uint64_t entry_read(const struct entry *e, struct xy_dp_blame *out)
{
	bool whole = false;
	uint64_t key = 0;
	for (unsigned i = 0; !whole && i < TRIES; i++) {
		uint32_t version = __atomic_load_n(&e->version, __ATOMIC_ACQUIRE);
		key = get(&e->key);
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
		return key;
	out->src = out->dst = (struct xy_addr){.b = {0}};
	out->src_port = 0;
	return get(&e->key) == key ? key : 0;
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

static bool is_of(const struct xy_dp *dp, uint64_t key, enum xy_drop reason)
{
	return (key & UINT8_MAX) == (uint64_t)reason + 1 && !is_gone(dp, key);
}

uint64_t xy_dp_blames_no_room(const struct xy_dp *dp, enum xy_drop reason)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < dp->workers; i++)
		sum += get(&dp->worker[i]->blames->no_room[reason]);
	return sum;
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
			if (!is_of(dp, get(&e->key), reason))
				continue;
			uint64_t key = entry_read(e, &v[n]);
			if (is_of(dp, key, reason))
				v[n++].of = key_owner(key);
		}
	*count = merge(v, n);
	*out = v;
	return 0;
}
