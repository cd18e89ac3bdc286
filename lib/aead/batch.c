// SPDX-License-Identifier: BSD-3-Clause
// Packets of as many blocks go side by side, where the kernel has a way for that and they are
// enough to fill a vector. The others are cut into blocks, and lanes filled with those. Each
// packet's block 0 makes the key of its tag; the message begins with block 1.
#include "aead/batch.h"

#include "aead/kernel.h"
#include "base/wipe.h"

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
	uint8_t tags[XY_BATCH_MAX][XY_BATCH_TAG_LEN];
};

// What lies above all that computes on secrets, so that the kernel's wipe() reaches that: its array
// begins below what a compiler lays on top of a frame (saved registers, a protector's canary, up to
// 63 bytes to begin at a line), and this is more. So frames of what computes hold nothing else.
struct burst {
	const struct xy_batch_kernel *k;
	struct xy_batch_op *op;
	unsigned n;
	uint8_t rest[XY_BATCH_MAX]; // those that are cut into blocks, so many
	unsigned rests;
	struct lanes lanes;
	struct xy_batch_text text[XY_BATCH_MAX];
	struct secrets s;
};

enum { ABOVE = 512 };

static __attribute__((noinline)) void below(void (*f)(struct burst *b), struct burst *b)
{
	uint8_t above[ABOVE];
	__asm__ volatile("" : "+r"(f) : "r"(above) : "memory"); // it is there, and `f` is anything
	f(b);
	__asm__ volatile("" : : "r"(above) : "memory"); // still, so `f` has a frame of its own
}

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

static inline struct xy_batch_op *rest(const struct burst *b, unsigned i)
{
	return &b->op[b->rest[i]];
}

static void put_keys(struct burst *b)
{
	struct lanes *l = &b->lanes;
	for (unsigned i = 0; i < b->rests; i++) {
		const struct xy_batch_op *op = rest(b, i);
		struct xy_batch_block *block = next(l);
		block->key = op->key;
		block->src = zeros;
		block->dst = b->s.key[i];
		block->len = XY_BATCH_KEY_LEN;
		block->number = block->zero = 0;
		block->counter = op->counter;
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

static void tags_make(struct burst *b, uint8_t (*tags)[XY_BATCH_TAG_LEN])
{
	if (!b->rests)
		return;
	for (unsigned i = 0; i < b->rests; i++) {
		const struct xy_batch_op *op = rest(b, i);
		b->text[i] = (struct xy_batch_text){.data = tags ? op->src : op->dst,
						    .key = b->s.key[i],
						    .tag = tags ? tags[b->rest[i]] : op->tag,
						    .len = op->len};
	}
	b->k->tags(b->text, b->rests);
}

// --- packets of as many blocks

enum { SIZES = 32 }; // blocks; those that have more are cut, if not all have as many

// With fewer than eight a vector is not full, while a packet that is cut takes only what it has.
// But that costs more for each, which counts where it has few blocks.
static bool worth(unsigned n, uint32_t blocks)
{
	return n >= (blocks < 2 ? 4 : 7);
}

// How many of n with so many blocks go together next; 0: none.
static unsigned together(unsigned n, uint32_t blocks)
{
	if (n >= 16)
		return 16;
	if (n > 8)
		return worth(n - 8, blocks) ? n : 8;
	return worth(n, blocks) ? n : 0;
}

// Those of one size; the ones that are not worth it are `rest`.
static void one_size(struct burst *b, const uint8_t *which, unsigned n, bool open)
{
	const uint32_t blocks = blocks_of(&b->op[which[0]]);
	for (unsigned now; n && (now = together(n, blocks)) != 0; n -= now, which += now)
		b->k->packets(b->op, which, now, open ? b->s.tags : NULL);
	memcpy(b->rest + b->rests, which, n);
	b->rests += n;
}

// Lists of packets, by size.
struct sizes {
	uint32_t used;				  // a bit for each size that packets have
	uint8_t first[SIZES], next[XY_BATCH_MAX]; // each ends with itself
};

static void sizes_find(struct burst *b, struct sizes *s)
{
	s->used = 0;
	for (unsigned i = b->n; i-- > 0;) {
		uint32_t blocks = blocks_of(&b->op[i]);
		if (blocks >= SIZES) {
			b->rest[b->rests++] = (uint8_t)i;
			continue;
		}
		s->next[i] = s->used >> blocks & 1 ? s->first[blocks] : (uint8_t)i;
		s->used |= 1u << blocks;
		s->first[blocks] = (uint8_t)i;
	}
}

static void mixed_sizes(struct burst *b, bool open)
{
	struct sizes s;
	sizes_find(b, &s);
	for (; s.used; s.used &= s.used - 1) {
		uint8_t which[XY_BATCH_MAX];
		unsigned n = 0, i = s.first[__builtin_ctz(s.used)];
		for (which[n++] = (uint8_t)i; s.next[i] != i; which[n++] = (uint8_t)i)
			i = s.next[i];
		one_size(b, which, n, open);
	}
}

static void sizes_run(struct burst *b, bool open)
{
	static const uint8_t all[XY_BATCH_MAX] = {
		0,  1,	2,  3,	4,  5,	6,  7,	8,  9,	10, 11, 12, 13, 14, 15,
		16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
		32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
		48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
	b->rests = 0;
	if (!b->n)
		return;
	if (!b->k->packets) {
		memcpy(b->rest, all, sizeof(all));
		b->rests = b->n;
		return;
	}
	const uint32_t blocks = blocks_of(&b->op[0]);
	uint32_t differ = 0;
	for (unsigned i = 1; i < b->n; i++)
		differ |= blocks ^ blocks_of(&b->op[i]);
	if (differ)
		mixed_sizes(b, open);
	else
		one_size(b, all, b->n, open);
}

static void seal(struct burst *b)
{
	sizes_run(b, false);
	put_keys(b);
	for (unsigned i = 0; i < b->rests; i++)
		put_message(&b->lanes, rest(b, i), 1);
	flush(&b->lanes);
	tags_make(b, NULL);
}

static inline __attribute__((always_inline)) void run(struct burst *b, void (*part)(struct burst *),
						      const struct xy_batch_kernel *k,
						      struct xy_batch_op *op, unsigned n)
{
	b->k = b->lanes.k = k;
	b->op = op;
	b->n = n;
	b->lanes.n = 0;
	below(part, b);
	xy_registers_wipe(); // what follows may call, and the loader keep them
	k->wipe();
	wipe(b->s.key, n * sizeof(*b->s.key));
}

void xy_batch_seal(const struct xy_batch_kernel *k, struct xy_batch_op *op, unsigned n)
{
	struct burst b;
	run(&b, seal, k, op, n);
}

// --- open: a tag is made over what came, so of `rest` in place nothing may be opened before

// Where the keys leave lanes free, keystream for the first blocks of messages is made in them.
struct ahead {
	struct xy_batch_block block[XY_BATCH_LANES_MAX]; // as they are to be
	unsigned n, op;	 // how many, and the packet of which not all are among them
	uint32_t number; // whose next block that is
};

static void put_ahead(struct burst *b, struct ahead *a)
{
	struct lanes *l = &b->lanes;
	for (a->number = 1; l->n && a->op < b->rests;) {
		const struct xy_batch_op *op = rest(b, a->op);
		if (a->number > blocks_of(op)) {
			a->op++;
			a->number = 1;
			continue;
		}
		struct xy_batch_block *block = next(l);
		block_set(block, op, a->number++);
		a->block[a->n] = *block;
		block->src = zeros;
		block->dst = b->s.rest[a->n++];
		put(l);
	}
	flush(l);
}

static inline void on_part(uint8_t *dst, const uint8_t *src, const uint8_t *keystream, uint32_t n)
{
	uint32_t k = 0;
	for (; k + 8 <= n; k += 8) {
		uint64_t x, y;
		memcpy(&x, src + k, 8);
		memcpy(&y, keystream + k, 8);
		x ^= y;
		memcpy(dst + k, &x, 8);
	}
	for (; k < n; k++)
		dst[k] = src[k] ^ keystream[k];
}

static void take_ahead(const struct ahead *a, struct secrets *s)
{
	for (unsigned i = 0; i < a->n; i++)
		on_part(a->block[i].dst, a->block[i].src, s->rest[i], a->block[i].len);
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

static void open_all(struct burst *b)
{
	struct ahead a;
	a.n = a.op = 0;
	sizes_run(b, true);
	put_keys(b);
	put_ahead(b, &a);
	tags_make(b, b->s.tags);
	for (unsigned i = 0; i < b->n; i++)
		b->op[i].ok = tag_equal(b->s.tags[i], b->op[i].tag);
	take_ahead(&a, &b->s);
	for (unsigned i = a.op; i < b->rests; i++)
		put_message(&b->lanes, rest(b, i), i == a.op ? a.number : 1);
	flush(&b->lanes);
}

void xy_batch_open(const struct xy_batch_kernel *k, struct xy_batch_op *op, unsigned n)
{
	struct burst b;
	run(&b, open_all, k, op, n);
	wipe(b.s.tags, n * sizeof(*b.s.tags)); // of what was forged: it would be right
}

// --- which one

// These ask for what the CPU has, and by XGETBV whether the system keeps its registers.
static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

static bool has_avx512(void)
{
	return has_avx2() && __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512ifma") &&
	       __builtin_cpu_supports("avx512vbmi2");
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
