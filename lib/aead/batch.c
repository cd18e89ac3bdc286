// SPDX-License-Identifier: BSD-3-Clause
// Cuts packets into blocks and fills lanes with them. Each packet's block 0 makes the key of its
// tag; the message begins with block 1.
#include "aead/batch.h"

#include "aead/kernel.h"

#include <stddef.h>
#include <string.h>

enum { BLOCK = 64 };

// Blocks that wait until there are enough for all lanes.
struct lanes {
	const struct xy_batch_kernel *k;
	unsigned n;
	struct xy_batch_block block[XY_BATCH_LANES_MAX];
};

// What must not be read by whoever has this stack next. `rest` is keystream.
struct secrets {
	uint8_t key[XY_BATCH_MAX][XY_BATCH_KEY_LEN];
	uint8_t rest[XY_BATCH_LANES_MAX][BLOCK];
};

static const uint8_t zeros[BLOCK];

static void wipe(void *p, size_t n)
{
	memset(p, 0, n);
	__asm__ volatile("" : : "r"(p) : "memory"); // it is read, for all the compiler knows
}

static void flush(struct lanes *l)
{
	if (l->n)
		l->k->blocks(l->block, l->n);
	l->n = 0;
}

// The place of the next block; put() when that is filled in.
static inline struct xy_batch_block *next(struct lanes *l)
{
	return &l->block[l->n];
}

static inline void put(struct lanes *l)
{
	if (++l->n == l->k->lanes)
		flush(l);
}

static inline void block_set(struct xy_batch_block *b, const struct xy_batch_op *op,
			     uint32_t number)
{
	uint32_t at = (number - 1) * BLOCK, left = op->len - at;
	b->key = op->key;
	b->src = op->src + at;
	b->dst = op->dst + at;
	b->len = left < BLOCK ? left : BLOCK;
	b->number = number;
	b->zero = 0;
	b->counter = op->counter;
}

static inline uint32_t blocks_of(const struct xy_batch_op *op)
{
	return op->len / BLOCK + (op->len % BLOCK != 0);
}

static void put_keys(struct lanes *l, const struct xy_batch_op *op, unsigned n, struct secrets *s)
{
	for (unsigned i = 0; i < n; i++) {
		struct xy_batch_block *b = next(l);
		b->key = op[i].key;
		b->src = zeros;
		b->dst = s->key[i];
		b->len = XY_BATCH_KEY_LEN;
		b->number = b->zero = 0;
		b->counter = op[i].counter;
		put(l);
	}
}

// The message's blocks from `number` on: what fills all lanes by itself at once.
static void put_message(struct lanes *l, const struct xy_batch_op *op, uint32_t number)
{
	uint32_t last = blocks_of(op), lanes = l->k->lanes;
	uint32_t times = op->len / BLOCK >= number ? (op->len / BLOCK - number + 1) / lanes : 0;
	if (times) {
		struct xy_batch_block b;
		block_set(&b, op, number);
		l->k->stretch(&b, times);
		number += times * lanes;
	}
	for (; number <= last; number++) {
		block_set(next(l), op, number);
		put(l);
	}
}

static void tags_make(const struct xy_batch_kernel *k, const struct xy_batch_op *op, unsigned n,
		      const struct secrets *s, uint8_t (*tags)[XY_BATCH_TAG_LEN])
{
	struct xy_batch_text text[XY_BATCH_MAX];
	if (!n)
		return;
	for (unsigned i = 0; i < n; i++)
		text[i] = (struct xy_batch_text){.data = tags ? op[i].src : op[i].dst,
						 .key = s->key[i],
						 .tag = tags ? tags[i] : op[i].tag,
						 .len = op[i].len};
	k->tags(text, n);
}

void xy_batch_seal(const struct xy_batch_kernel *k, struct xy_batch_op *op, unsigned n)
{
	struct secrets s;
	struct lanes l = {.k = k};
	put_keys(&l, op, n, &s);
	for (unsigned i = 0; i < n; i++)
		put_message(&l, &op[i], 1);
	flush(&l);
	tags_make(k, op, n, &s, NULL);
	k->wipe();
	wipe(s.key, n * sizeof(*s.key));
}

// --- open: a tag is made over what came, so in place nothing may be opened before

// Where the keys leave lanes free, keystream for the first blocks of messages is made in them.
struct ahead {
	struct xy_batch_block block[XY_BATCH_LANES_MAX]; // as they are to be
	unsigned n, op;	 // how many, and the packet of which not all are among them
	uint32_t number; // whose next block that is
};

static void put_ahead(struct lanes *l, const struct xy_batch_op *op, unsigned n, struct ahead *a,
		      struct secrets *s)
{
	for (a->number = 1; l->n && a->op < n;) {
		if (a->number > blocks_of(&op[a->op])) {
			a->op++;
			a->number = 1;
			continue;
		}
		struct xy_batch_block *b = next(l);
		block_set(b, &op[a->op], a->number++);
		a->block[a->n] = *b;
		b->src = zeros;
		b->dst = s->rest[a->n++];
		put(l);
	}
	flush(l);
}

static void take_ahead(const struct ahead *a, struct secrets *s)
{
	for (unsigned i = 0; i < a->n; i++)
		for (uint32_t k = 0; k < a->block[i].len; k++)
			a->block[i].dst[k] = a->block[i].src[k] ^ s->rest[i][k];
	wipe(s->rest, a->n * sizeof(*s->rest));
}

// The same work whichever byte differs.
static bool tag_equal(const uint8_t *a, const uint8_t *b)
{
	uint64_t x[2], y[2];
	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

void xy_batch_open(const struct xy_batch_kernel *k, struct xy_batch_op *op, unsigned n)
{
	struct secrets s;
	struct lanes l = {.k = k};
	struct ahead a = {.n = 0};
	uint8_t tags[XY_BATCH_MAX][XY_BATCH_TAG_LEN];
	put_keys(&l, op, n, &s);
	put_ahead(&l, op, n, &a, &s);
	tags_make(k, op, n, &s, tags);
	for (unsigned i = 0; i < n; i++)
		op[i].ok = tag_equal(tags[i], op[i].tag); // before dst is written
	take_ahead(&a, &s);
	for (unsigned i = a.op; i < n; i++)
		put_message(&l, &op[i], i == a.op ? a.number : 1);
	flush(&l);
	k->wipe();
	wipe(s.key, n * sizeof(*s.key));
	wipe(tags, n * sizeof(*tags)); // of what was forged: it would be right
}

// --- which one

// These ask for what the CPU has, and by XGETBV whether the system keeps its registers.
static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vbmi2");
}

// Those that want more come first.
static const struct {
	const struct xy_batch_kernel *kernel;
	bool (*usable)(void);
} kernels[] = {{&xy_batch_avx512, has_avx512}, {&xy_batch_avx2, has_avx2}};

_Static_assert(sizeof(kernels) / sizeof(*kernels) == XY_BATCH_KERNELS, "all are in the list");

const struct xy_batch_kernel *xy_batch_kernel(unsigned i)
{
	__builtin_cpu_init();
	for (size_t k = 0; k < XY_BATCH_KERNELS; k++)
		if (kernels[k].usable() && !i--)
			return kernels[k].kernel;
	return NULL;
}

const char *xy_batch_name(const struct xy_batch_kernel *k)
{
	return k->name;
}
