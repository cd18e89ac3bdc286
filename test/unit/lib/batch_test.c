// SPDX-License-Identifier: BSD-3-Clause
// ChaCha20-Poly1305 over bursts against libsodium, packet by packet, and RFC 8439's examples
// through it. Each kernel that the machine has the instructions of is tested, and on each machine
// the one for AVX-512 with those in plain C (emulated/immintrin.h), with fewer cases.
#include "aead/batch.h"
#include "aead/kernel.h"
#include "unit.h"

#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#ifndef __has_feature // clang has
#define __has_feature(what) 0
#endif

enum {
	LONGEST = 2100,
	ROOM = LONGEST + 64,
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
	SANITIZED = 1,
	CASES = 100000,
#else
	SANITIZED = 0,
	CASES = 1000000,
#endif
};

extern const struct xy_batch_kernel xy_batch_emulated;
static const struct xy_batch_kernel *kernel;
static struct xy_batch_op op[XY_BATCH_MAX];
static uint8_t key[XY_BATCH_MAX][32], plain[XY_BATCH_MAX][ROOM], box[XY_BATCH_MAX][ROOM],
	tag[XY_BATCH_MAX][16 + 16], want[ROOM];
static uint64_t state = 88172645463325252; // xorshift64*: the same cases in each run

static uint64_t chance(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t below(uint64_t n)
{
	return (chance() >> 16) % n;
}

static void fill(void *to, size_t n)
{
	for (size_t i = 0; i < n; i += 8) {
		uint64_t x = chance();
		memcpy((uint8_t *)to + i, &x, n - i < 8 ? n - i : 8);
	}
}

// Packet i: from `src` to its place in box, shifted by so many bytes; in place where src is that.
static void packet(unsigned i, uint32_t len, uint64_t counter, unsigned shift, bool in_place)
{
	fill(key[i], 32);
	fill(plain[i] + shift, len);
	if (in_place)
		memcpy(box[i] + shift, plain[i] + shift, len);
	box[i][shift + len] = 0xa5; // nothing is written behind it
	op[i] = (struct xy_batch_op){.key = key[i],
				     .counter = counter,
				     .src = (in_place ? box[i] : plain[i]) + shift,
				     .dst = box[i] + shift,
				     .tag = tag[i] + shift % 16,
				     .len = len};
}

static bool as_sodium(unsigned i)
{
	uint8_t nonce[12] = {0}, mac[16];
	const uint8_t *from = plain[i] + (op[i].dst - box[i]);
	memcpy(nonce + 4, &op[i].counter, 8);
	crypto_aead_chacha20poly1305_ietf_encrypt_detached(want, mac, NULL, from, op[i].len, NULL,
							   0, NULL, nonce, key[i]);
	return memcmp(want, op[i].dst, op[i].len) == 0 && memcmp(mac, op[i].tag, 16) == 0 &&
	       op[i].dst[op[i].len] == 0xa5;
}

// Sealed as libsodium does; opened in place or elsewhere, it is what it was.
static void check(unsigned n)
{
	xy_batch_seal(kernel, op, n);
	for (unsigned i = 0; i < n; i++)
		CU_ASSERT_FATAL(as_sodium(i));
	static uint8_t out[XY_BATCH_MAX][ROOM];
	for (unsigned i = 0; i < n; i++) {
		bool in_place = op[i].src == op[i].dst;
		op[i].src = op[i].dst;
		op[i].dst = in_place ? op[i].dst : out[i] + (op[i].dst - box[i]);
	}
	xy_batch_open(kernel, op, n);
	for (unsigned i = 0; i < n; i++) {
		CU_ASSERT_FATAL(op[i].ok);
		CU_ASSERT_FATAL(memcmp(plain[i] + (op[i].src - box[i]), op[i].dst, op[i].len) == 0);
	}
}

static void test_kernel(void)
{
	unsigned n = 0;
	CU_ASSERT(sodium_init() >= 0);
	for (; xy_batch_kernel(n); n++)
		printf("(%s) ", xy_batch_name(xy_batch_kernel(n)));
	if (n < XY_BATCH_KERNELS)
		printf("(not tested, for this CPU has not the instructions: %u) ",
		       XY_BATCH_KERNELS - n);
}

static const struct xy_batch_kernel *kernel_of(unsigned k)
{
	unsigned own = 0;
	while (xy_batch_kernel(own))
		own++;
	return k < own ? xy_batch_kernel(k) : k == own ? &xy_batch_emulated : NULL;
}

static unsigned slower(unsigned times) // what is emulated has so many times fewer cases
{
	return kernel == &xy_batch_emulated ? times : 1;
}

// With each of them.
#define EACH(name)                                                         \
	static void test_##name(void)                                      \
	{                                                                  \
		for (unsigned k = 0; (kernel = kernel_of(k)) != NULL; k++) \
			name();                                            \
	}

static void every_length(void)
{
	for (uint32_t len = 0; len <= LONGEST; len += slower(13)) {
		packet(0, len, chance(), 0, true); // alone
		check(1);
		for (unsigned i = 0; i < 17; i++) // beside others as long, and in more vectors
			packet(i, len, chance(), i, i & 1);
		check(9);
		for (unsigned i = 0; i < 9; i++)
			packet(i, len, chance(), i, i & 1);
		check(17);
	}
}

EACH(every_length)

// As long as a packet of IPv6 can be, alone.
static void long_ones(void)
{
	enum { LONG = 65535 };
	static uint8_t text[LONG], sealed[LONG], opened[LONG], expected[LONG];
	static const uint32_t len[] = {4095, 4096, 9000, 16384, 32769, 65519, 65520, LONG};
	for (unsigned i = 0; i < sizeof(len) / sizeof(*len); i++) {
		uint8_t nonce[12] = {0}, mac[16], own[16];
		fill(key[0], 32);
		fill(text, len[i]);
		op[0] = (struct xy_batch_op){
			.key = key[0], .src = text, .dst = sealed, .tag = own, .len = len[i]};
		xy_batch_seal(kernel, op, 1);
		crypto_aead_chacha20poly1305_ietf_encrypt_detached(
			expected, mac, NULL, text, len[i], NULL, 0, NULL, nonce, key[0]);
		CU_ASSERT_FATAL(memcmp(expected, sealed, len[i]) == 0);
		CU_ASSERT_FATAL(memcmp(mac, own, 16) == 0);
		op[0].src = sealed;
		op[0].dst = opened;
		xy_batch_open(kernel, op, 1);
		CU_ASSERT_FATAL(op[0].ok && memcmp(text, opened, len[i]) == 0);
	}
}

EACH(long_ones)

static uint64_t blocks_of_burst;

static uint32_t some_length(unsigned kind)
{
	switch (kind) {
	case 0:
		return (uint32_t)below(LONGEST + 1);
	case 1:
		return (uint32_t)below(130);
	case 2:
		return below(8) ? 64 : 1420;
	case 3:
		return below(8) ? 1420 : (uint32_t)below(64);
	case 4: // as many blocks, or about
		return 64 * (uint32_t)(blocks_of_burst) + (uint32_t)below(66);
	default:
		return 16 * (uint32_t)below(20);
	}
}

// Mixed bursts of 1 to 64, anywhere in memory.
static void random_bursts(void)
{
	for (unsigned done = 0; done < CASES / slower(100);) {
		unsigned n = (unsigned)below(XY_BATCH_MAX) + 1, kind = (unsigned)below(8);
		blocks_of_burst = below(30);
		for (unsigned i = 0; i < n; i++)
			packet(i, some_length(kind), chance(), (unsigned)below(48), below(2));
		check(n);
		done += n;
	}
}

EACH(random_bursts)

// Packets of as many blocks each, so many at once, in any order; in place and not.
static void packets_check(unsigned n, unsigned blocks)
{
	static uint8_t out[XY_BATCH_LANES_MAX][ROOM], made[XY_BATCH_LANES_MAX][16];
	uint8_t which[XY_BATCH_LANES_MAX];
	const bool whole = below(3) == 0, in_place = below(2);
	for (unsigned i = 0; i < n; i++) {
		uint32_t end = whole ? 64 : (uint32_t)below(64) + 1;
		packet(i, blocks ? 64 * (blocks - 1) + end : 0, chance(), i, in_place);
		unsigned k = (unsigned)below(i + 1);
		which[i] = which[k];
		which[k] = (uint8_t)i;
	}
	kernel->packets(op, which, n, NULL);
	for (unsigned i = 0; i < n; i++) {
		CU_ASSERT_FATAL(as_sodium(i));
		op[i].src = op[i].dst;
		op[i].dst = in_place ? op[i].dst : out[i];
	}
	kernel->packets(op, which, n, made);
	for (unsigned i = 0; i < n; i++) {
		CU_ASSERT_FATAL(memcmp(made[i], op[i].tag, 16) == 0);
		CU_ASSERT_FATAL(memcmp(plain[i] + i, op[i].dst, op[i].len) == 0);
	}
}

static void packets_alone(void)
{
	for (unsigned blocks = 0; kernel->packets && blocks < 32; blocks += slower(3))
		for (unsigned n = 1; n <= kernel->lanes; n++)
			for (unsigned run = 0; run < 4; run++)
				packets_check(n, blocks);
}

EACH(packets_alone)

// --- nothing beside a packet is read or written

enum { PAGE = 4096, ALONE = 2000, PLACES = 4 };

struct places { // each at the end, or at the beginning, of memory that has none beside it
	uint8_t *page[PLACES];
};

static void places_make(struct places *p)
{
	for (unsigned i = 0; i < PLACES; i++) {
		uint8_t *all = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CU_ASSERT_FATAL(all != MAP_FAILED);
		p->page[i] = all + PAGE;
		CU_ASSERT_FATAL(mprotect(p->page[i], PAGE, PROT_READ | PROT_WRITE) == 0);
	}
}

static void places_free(const struct places *p)
{
	for (unsigned i = 0; i < PLACES; i++)
		munmap(p->page[i] - PAGE, 3 * PAGE);
}

static uint8_t *place(const struct places *p, unsigned i, uint32_t len, bool at_end)
{
	return p->page[i] + (at_end ? PAGE - len : 0);
}

// Key, text, result and tag each have a page; a fault ends the test. Sealed and opened.
static void beside(const struct places *p, unsigned n, uint32_t len, bool at_end, bool in_place)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t *src = place(&p[i], 0, len, at_end);
		uint8_t *dst = in_place ? src : place(&p[i], 1, len, at_end);
		uint8_t *k = place(&p[i], 2, 32, at_end);
		fill(k, 32);
		fill(src, len);
		memcpy(plain[i], src, len);
		op[i] = (struct xy_batch_op){.key = k,
					     .counter = i,
					     .src = src,
					     .dst = dst,
					     .tag = place(&p[i], 3, 16, at_end),
					     .len = len};
	}
	xy_batch_seal(kernel, op, n);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *src = op[i].dst;
		op[i].dst = in_place ? src : place(&p[i], 0, len, at_end);
		op[i].src = src;
	}
	xy_batch_open(kernel, op, n);
	for (unsigned i = 0; i < n; i++)
		CU_ASSERT_FATAL(op[i].ok && memcmp(op[i].dst, plain[i], len) == 0);
}

static void nothing_beside(void)
{
	static const uint8_t many[] = {1, 3, 8, 16, 31};
	struct places p[31];
	for (unsigned i = 0; i < 31; i++)
		places_make(&p[i]);
	for (uint32_t len = 0; len <= ALONE; len += slower(7))
		for (unsigned m = 0; m < sizeof(many); m++)
			for (unsigned way = 0; way < 4; way++)
				beside(p, many[m], len, way & 1, way & 2);
	for (unsigned i = 0; i < 31; i++)
		places_free(&p[i]);
}

EACH(nothing_beside)

static void counters(void)
{
	static const uint64_t border[] = {0, UINT64_C(1) << 32, UINT64_C(1) << 63};
	for (unsigned b = 0; b < 3; b++) {
		for (unsigned i = 0; i < XY_BATCH_MAX; i++) // around 2^32, 2^63 and 2^64
			packet(i, 100 + i, border[b] + i - XY_BATCH_MAX / 2, 0, true);
		check(XY_BATCH_MAX);
	}
}

EACH(counters)

// One bit of one packet's data or tag, each in turn: that one is refused, and no other.
static void flip_all(unsigned n, const uint32_t *len)
{
	static uint8_t kept[XY_BATCH_MAX][ROOM];
	for (unsigned i = 0; i < n; i++)
		packet(i, len[i], chance(), 0, true);
	xy_batch_seal(kernel, op, n);
	memcpy(kept, box, sizeof(kept));
	for (unsigned who = 0; who < n; who++)
		for (unsigned bit = 0; bit < (len[who] + 16) * 8; bit++) {
			uint8_t *at = bit / 8 < len[who] ? &box[who][bit / 8]
							 : &tag[who][bit / 8 - len[who]];
			*at ^= (uint8_t)(1 << bit % 8);
			xy_batch_open(kernel, op, n);
			for (unsigned i = 0; i < n; i++)
				CU_ASSERT_FATAL(op[i].ok == (i != who));
			if (bit / 8 >= len[who])
				*at ^= (uint8_t)(1 << bit % 8);
			for (unsigned i = 0; i < n; i++)
				memcpy(box[i], kept[i], len[i]);
		}
}

static void flipped(void)
{
	static const uint32_t alone[] = {300}, mixed[] = {64, 0, 17, 400, 64};
	flip_all(1, alone);
	flip_all(5, mixed);
}

EACH(flipped)

// --- Poly1305 by itself, with keys that no keystream ever has

static bool tag_as_sodium(const struct xy_batch_text *t)
{
	uint8_t mac[16], whole[ROOM + 32] = {0};
	uint64_t len = t->len;
	size_t padded = (t->len + 15) / 16 * 16;
	memcpy(whole, t->data, t->len);
	memcpy(whole + padded + 8, &len, 8);
	crypto_onetimeauth_poly1305(mac, whole, padded + 16, t->key);
	return memcmp(mac, t->tag, 16) == 0;
}

// By r = 1 the sum is that of the blocks: from 2^130 - 5 - 20 to 2^130 - 5 + 20, of 2 to 69 of
// them, which are spread over lanes where there are few messages.
static bool at_border(uint8_t *text, unsigned blocks, int k)
{
	// With the length's block there are so many 2^128, of which four are 5.
	const unsigned fours = (blocks + 1) / 4, full = 4 - (blocks + 1) % 4;
	typedef unsigned __int128 u128;
	u128 v = 0 - (u128)(5 + 5 * (int)fours - k) - ((u128)(16 * blocks) << 64) + (full - 1);
	if (full > blocks)
		return false;
	memset(text, 0, 16 * (size_t)blocks);
	memset(text, 0xff, 16 * (size_t)full);
	memcpy(text, &v, 16);
	for (unsigned i = full; i < blocks; i++) { // what one has, another may have
		uint64_t some[2], from[2];
		uint8_t *at = text + 16 * below(full);
		fill(some, sizeof(some));
		memcpy(from, at, 16);
		for (unsigned w = 0; w < 2; w++) {
			some[w] &= from[w];
			from[w] ^= some[w];
		}
		memcpy(at, from, 16);
		memcpy(text + 16 * (size_t)i, some, 16);
	}
	return true;
}

static void tags_check(unsigned n, unsigned blocks)
{
	struct xy_batch_text t[8];
	for (unsigned i = 0; i < n; i++)
		t[i] = (struct xy_batch_text){plain[i], key[i], tag[i], 16 * blocks};
	kernel->tags(t, n);
	for (unsigned i = 0; i < n; i++)
		CU_ASSERT_FATAL(tag_as_sodium(&t[i]));
}

static void sums_at_border(void)
{
	memset(key, 0, sizeof(key));
	for (unsigned i = 0; i < 8; i++)
		key[i][0] = 1;
	for (unsigned blocks = 2; blocks < 70; blocks++)
		for (int k = -20; k <= 20; k += (int)slower(4))
			for (unsigned n = 1; n <= 8; n += SANITIZED ? 3 : 1) {
				bool is = true;
				for (unsigned i = 0; i < n; i++)
					is &= at_border(plain[i], blocks, k);
				if (is)
					tags_check(n, blocks);
			}
}

EACH(sums_at_border)

// By r = 1, and all bits above the lowest 44 ones: what a limb has too much goes through all.
static void rows_of_ones(void)
{
	memset(key, 0, sizeof(key));
	for (unsigned i = 0; i < 8; i++)
		key[i][0] = 1;
	for (unsigned blocks = 2; blocks < 128; blocks += slower(5))
		for (unsigned n = 1; n <= 8; n += SANITIZED ? 3 : 1)
			for (unsigned j = 0; j < 64; j += SANITIZED ? 5 : 1) {
				const uint64_t low = (UINT64_C(1) << 44) - 1 - j;
				for (unsigned i = 0; i < n; i++) {
					memset(plain[i], 0, 16 * (size_t)blocks);
					for (unsigned b = 1; b < blocks; b++)
						memset(plain[i] + 16 * (size_t)b + 6, 0xff, 10);
					memcpy(plain[i], &low, 8);
					plain[i][5] |= (uint8_t)(0x10 * ((i & 1) | (j >> 3 & 3)));
				}
				tags_check(n, blocks);
			}
}

EACH(rows_of_ones)

static void poly1305(void)
{
	static const uint8_t byte[] = {0x00, 0x01, 0x80, 0xff, 0xfb, 0x03};
	for (unsigned k = 0; k < 40000 / slower(20); k++) {
		struct xy_batch_text t[XY_BATCH_MAX];
		unsigned n = k % 12 + 1, kind = (unsigned)below(5);
		for (unsigned i = 0; i < n; i++) {
			uint32_t len = below(4) ? 16 * (uint32_t)below(8) : some_length(kind);
			fill(key[i], 32);
			fill(plain[i], len);
			if (below(2))
				memset(key[i], byte[below(6)], 16);
			if (below(2))
				memset(key[i] + 16, byte[below(6)], 16);
			if (below(2))
				memset(plain[i], byte[below(6)], len);
			t[i] = (struct xy_batch_text){plain[i], key[i], tag[i], len};
		}
		kernel->tags(t, n);
		for (unsigned i = 0; i < n; i++)
			CU_ASSERT_FATAL(tag_as_sodium(&t[i]));
	}
}

EACH(poly1305)

// --- nothing of keys is left on the stack

enum { STACK = 256 << 10, SECRET = 12 };

static uint8_t stack[STACK] __attribute__((aligned(64)));
static ucontext_t here, there;
static bool sealing;

static void burst_there(void)
{
	(sealing ? xy_batch_seal : xy_batch_open)(kernel, op, SECRET);
}

// Two words of 32 bits beside each other, anywhere.
static bool stack_has(uint32_t a, uint32_t b)
{
	for (size_t i = 0; i + 8 <= STACK; i += 4)
		if (memcmp(stack + i, &a, 4) == 0 && memcmp(stack + i + 4, &b, 4) == 0)
			return true;
	return false;
}

static unsigned words_left(uint32_t (*word)[16], unsigned words) // of each of SECRET packets
{
	unsigned found = 0;
	for (unsigned i = 0; i < SECRET; i++)
		for (unsigned w = 0; w < words; w++) {
			found += w + 1 < words && stack_has(word[i][w], word[i][w + 1]);
			found += i + 1 < SECRET && stack_has(word[i][w], word[i + 1][w]);
		}
	return found;
}

// As they are, and as registers have them: word by word of all packets, r by limbs.
static unsigned secrets_left(void)
{
	static uint32_t keys[SECRET][16], block[2][SECRET][16];
	unsigned found = 0;
	for (unsigned i = 0; i < SECRET; i++) {
		uint8_t nonce[12] = {0}, none[64] = {0};
		memcpy(nonce + 4, &op[i].counter, 8);
		memcpy(keys[i], key[i], 32);
		for (uint32_t b = 0; b < 2; b++)
			crypto_stream_chacha20_ietf_xor_ic((uint8_t *)block[b][i], none, 64, nonce,
							   b, key[i]);
		found += stack_has(block[0][i][0] & 0x3ffffff, 0); // of 26 bits
		found += stack_has(block[0][i][0] & 0xfffffff, block[0][i][1] & 0xffc); // of 44
	}
	return found + words_left(keys, 8) + words_left(block[0], 16) + words_left(block[1], 16);
}

static __attribute__((noinline)) void run_there(void)
{
	memset(stack, 0, sizeof(stack));
	getcontext(&there);
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = sizeof(stack);
	there.uc_link = &here;
	makecontext(&there, burst_there, 0);
	swapcontext(&here, &there);
}

// Of code as it ships: sanitizers' frames are larger.
static void wiped(void)
{
	static const uint32_t length[] = {64, 100, 1420};
	for (unsigned k = 0; !SANITIZED && kernel != &xy_batch_emulated && k < 6; k++) {
		for (unsigned i = 0; i < SECRET; i++)
			packet(i, length[k / 2] + (k / 2 == 1 ? 40 * i : 0), chance(), 0, true);
		sealing = k % 2;
		run_there();
		CU_ASSERT_EQUAL(secrets_left(), 0);
	}
}

EACH(wiped)

// --- RFC 8439: its examples whose nonce begins with four zero bytes

// Appendix A.1, vector 2: block 1, key and nonce of zeros. Appendix A.5: the text's beginning.
static void rfc_8439(void)
{
	static const uint8_t zeros[64] = {
		0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a, 0x98, 0xba, 0x97, 0x7c, 0x73,
		0x2d, 0x08, 0x0d, 0xcb, 0x0f, 0x29, 0xa0, 0x48, 0xe3, 0x65, 0x69, 0x12, 0xc6,
		0x53, 0x3e, 0x32, 0xee, 0x7a, 0xed, 0x29, 0xb7, 0x21, 0x76, 0x9c, 0xe6, 0x4e,
		0x43, 0xd5, 0x71, 0x33, 0xb0, 0x74, 0xd8, 0x39, 0xd5, 0x31, 0xed, 0x1f, 0x28,
		0x51, 0x0a, 0xfb, 0x45, 0xac, 0xe1, 0x0a, 0x1f, 0x4b, 0x79, 0x4d, 0x6f};
	static const uint8_t a5_key[32] = {0x1c, 0x92, 0x40, 0xa5, 0xeb, 0x55, 0xd3, 0x8a,
					   0xf3, 0x33, 0x88, 0x86, 0x04, 0xf6, 0xb5, 0xf0,
					   0x47, 0x39, 0x17, 0xc1, 0x40, 0x2b, 0x80, 0x09,
					   0x9d, 0xca, 0x5c, 0xbc, 0x20, 0x70, 0x75, 0xc0};
	static const uint8_t a5_box[64] = {
		0x64, 0xa0, 0x86, 0x15, 0x75, 0x86, 0x1a, 0xf4, 0x60, 0xf0, 0x62, 0xc7, 0x9b,
		0xe6, 0x43, 0xbd, 0x5e, 0x80, 0x5c, 0xfd, 0x34, 0x5c, 0xf3, 0x89, 0xf1, 0x08,
		0x67, 0x0a, 0xc7, 0x6c, 0x8c, 0xb2, 0x4c, 0x6c, 0xfc, 0x18, 0x75, 0x5d, 0x43,
		0xee, 0xa0, 0x9e, 0xe9, 0x4e, 0x38, 0x2d, 0x26, 0xb0, 0xbd, 0xb7, 0xb7, 0x3c,
		0x32, 0x1b, 0x01, 0x00, 0xd4, 0xf0, 0x3b, 0x7f, 0x35, 0x58, 0x94, 0xcf};
	static const char a5_text[] =
		"Internet-Drafts are draft documents valid for a maximum of six months";
	for (unsigned i = 0; i < 16; i++) {
		packet(i, i & 1 ? 64 : 64 * (i + 1), 0, 0, false);
		memcpy(plain[i], a5_text, 64);
		memcpy(key[i], a5_key, 32);
		op[i].counter = UINT64_C(0x0807060504030201);
		if (i & 1)
			continue;
		memset(plain[i], 0, op[i].len);
		memset(key[i], 0, 32);
		op[i].counter = 0;
	}
	xy_batch_seal(kernel, op, 16);
	for (unsigned i = 0; i < 16; i++)
		CU_ASSERT(memcmp(box[i], i & 1 ? a5_box : zeros, 64) == 0);
}

EACH(rfc_8439)

XY_UNIT_MAIN("batch", {"kernel", test_kernel, .always = true}, {"RFC 8439", test_rfc_8439},
	     {"every length as libsodium", test_every_length},
	     {"random bursts as libsodium", test_random_bursts},
	     {"packets of as many blocks", test_packets_alone},
	     {"nothing beside a packet", test_nothing_beside}, {"counters", test_counters},
	     {"long ones", test_long_ones}, {"Poly1305 as libsodium, odd keys", test_poly1305},
	     {"sums at 2^130 - 5", test_sums_at_border}, {"rows of ones", test_rows_of_ones},
	     {"nothing of keys is left", test_wiped},
	     {"a flipped bit is refused, and that packet alone", test_flipped})
