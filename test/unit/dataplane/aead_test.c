// SPDX-License-Identifier: BSD-3-Clause
// The burst AEAD against libsodium; and whoever of the two computes which part of a burst (the
// choice is set by hand), as ipsec-mb alone.
#include "aead.h"
#include "aead/kernel.h"
#include "aead_choice.h"
#include "unit.h"

#include <sodium.h>
#include <string.h>

#define CHACHA XY_AEAD_CHACHA20_POLY1305
#define AES    XY_AEAD_AES_256_GCM

static struct xy_aead *aead;

static void nonce_of(uint64_t counter, uint8_t nonce[12])
{
	memset(nonce, 0, 12);
	memcpy(nonce + 4, &counter, 8);
}

static void sodium_seal(enum xy_aead_suite suite, uint8_t *out, const uint8_t *in, size_t len,
			const uint8_t *nonce, const uint8_t *key)
{
	if (suite == AES)
		crypto_aead_aes256gcm_encrypt(out, NULL, in, len, NULL, 0, NULL, nonce, key);
	else
		crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, in, len, NULL, 0, NULL, nonce,
							  key);
}

static bool has_aes(void)
{
	return xy_aead_able(aead) >> AES & 1 && crypto_aead_aes256gcm_is_available();
}

// Every length from nothing (a keepalive) to a full packet, in bursts of uneven lengths and keys,
// and of both suites where there are two.
static void against_sodium(unsigned suites)
{
	enum { MAX = 1500 };
	static uint8_t data[XY_BURST][MAX + 16], plain[XY_BURST][MAX], want[MAX + 16];
	struct xy_aead_schedule schedule[XY_BURST];
	uint8_t key[XY_BURST][32], nonce[12];
	memset(schedule, 0, sizeof(schedule));

	for (unsigned base = 0; base <= MAX; base += XY_BURST) {
		struct xy_aead_op op[XY_BURST];
		unsigned n = 0;
		for (unsigned len = base; len < base + XY_BURST && len <= MAX; len++, n++) {
			randombytes_buf(key[n], 32);
			enum xy_aead_suite suite = suites > 1 ? len / 3 % suites : CHACHA;
			CU_ASSERT_EQUAL(xy_aead_key_set(suite, &schedule[n], key[n]), 0);
			randombytes_buf(plain[n], len);
			memcpy(data[n], plain[n], len);
			op[n] = (struct xy_aead_op){.key = &schedule[n],
						    .suite = (uint8_t)suite,
						    .counter = len * UINT64_C(0x100000001),
						    .data = data[n],
						    .len = len,
						    .tag = data[n] + len};
		}
		xy_aead_seal_burst(aead, op, n);
		for (unsigned i = 0; i < n; i++) {
			nonce_of(op[i].counter, nonce);
			sodium_seal(op[i].suite, want, plain[i], op[i].len, nonce, key[i]);
			CU_ASSERT_FATAL(memcmp(want, data[i], op[i].len + 16) == 0);
		}
		xy_aead_open_burst(aead, op, n);
		for (unsigned i = 0; i < n; i++) {
			CU_ASSERT(op[i].ok);
			CU_ASSERT(memcmp(plain[i], data[i], op[i].len) == 0);
			xy_aead_key_clear(op[i].suite, &schedule[i]);
			CU_ASSERT(
				sodium_is_zero((const uint8_t *)&schedule[i], sizeof(schedule[i])));
		}
	}
}

static void test_against_sodium(void)
{
	against_sodium(1);
}

static void test_both_suites(void)
{
	if (has_aes())
		against_sodium(2);
	else
		printf("(skipped: no AES-NI here) ");
}

// NIST's vectors for GCM (gcmEncryptExtIV256.rsp) have random nonces; this one has a nonce of ours:
// the first 32 bits zero. Computed by OpenSSL 3.0.
static void test_aes_vector(void)
{
	static const char box_hex[] = "0450670dd9e40f990b96f7e4126a37ff6ae84ed1c3c05e7bf1e24e"
				      "4b772ac1d20f093abbbe9feb01c82e48b046047e890acaeb921135"
				      "8d91732383d84f922cd0d35787510032592f6c6d4d382f1e7aa0";
	static const char key_hex[] =
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
	uint8_t secret[32], data[64 + 16], box[64 + 16];
	if (!has_aes())
		return;
	sodium_hex2bin(secret, 32, key_hex, 64, NULL, NULL, NULL);
	sodium_hex2bin(box, sizeof(box), box_hex, 160, NULL, NULL, NULL);
	for (unsigned i = 0; i < 64; i++)
		data[i] = (uint8_t)i;
	struct xy_aead_schedule key = {{0}};
	CU_ASSERT_EQUAL(xy_aead_key_set(AES, &key, secret), 0);
	struct xy_aead_op op = {.key = &key,
				.suite = AES,
				.counter = UINT64_C(0x0807060504030201),
				.data = data,
				.len = 64,
				.tag = data + 64};
	xy_aead_seal_burst(aead, &op, 1);
	CU_ASSERT(memcmp(data, box, sizeof(box)) == 0);
	// the beginning alone, without its tag, as an ICMP error quotes it
	xy_aead_look(AES, &key, op.counter, data, 33);
	for (unsigned i = 0; i < 33; i++)
		CU_ASSERT_EQUAL(data[i], i);
	xy_aead_key_clear(AES, &key);
}

// Slots of schedules are used again, and those of others stay as they are.
static void test_aes_slots(void)
{
	enum { KEYS = 2000 };
	static struct xy_aead_schedule key[KEYS];
	static uint8_t tag[KEYS][16];
	if (!has_aes())
		return;
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = round ? round % 2 : 0; i < KEYS; i += round ? 2 : 1) {
			uint8_t secret[32] = {(uint8_t)i, (uint8_t)(i >> 8), (uint8_t)round};
			struct xy_aead_op op = {
				.key = &key[i], .suite = AES, .data = tag[i], .tag = tag[i]};
			xy_aead_key_clear(AES, &key[i]);
			CU_ASSERT_EQUAL(xy_aead_key_set(AES, &key[i], secret), 0);
			xy_aead_seal_burst(aead, &op, 1);
		}
	for (unsigned i = 0; i < KEYS; i++) {
		struct xy_aead_op op = {
			.key = &key[i], .suite = AES, .data = tag[i], .tag = tag[i]};
		xy_aead_open_burst(aead, &op, 1);
		CU_ASSERT(op.ok);
		xy_aead_key_clear(AES, &key[i]);
	}
}

static void test_fastest(void)
{
	enum xy_aead_suite best = xy_aead_fastest(aead);
	CU_ASSERT(xy_aead_able(aead) >> best & 1 && xy_aead_able(aead) & 1);
	printf("(%s; AES: %s) ", best == AES ? "AES-256-GCM" : "ChaCha20-Poly1305",
	       xy_aead_tell(aead, AES));
}

static void refuses(enum xy_aead_suite suite)
{
	uint8_t secret[32], good[80], data[80];
	struct xy_aead_schedule key = {{0}};
	randombytes_buf(secret, sizeof(secret));
	CU_ASSERT_EQUAL(xy_aead_key_set(suite, &key, secret), 0);
	randombytes_buf(good, 64);
	struct xy_aead_op op = {.key = &key,
				.suite = (uint8_t)suite,
				.counter = 7,
				.data = good,
				.len = 64,
				.tag = good + 64};
	xy_aead_seal_burst(aead, &op, 1);
	for (unsigned bit = 0; bit < sizeof(good) * 8; bit++) {
		memcpy(data, good, sizeof(data));
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		op = (struct xy_aead_op){.key = &key,
					 .suite = (uint8_t)suite,
					 .counter = 7,
					 .data = data,
					 .len = 64,
					 .tag = data + 64};
		xy_aead_open_burst(aead, &op, 1);
		CU_ASSERT(!op.ok);
	}
	memcpy(data, good, sizeof(data));
	op = (struct xy_aead_op){.key = &key,
				 .suite = (uint8_t)suite,
				 .counter = 8,
				 .data = data,
				 .len = 64,
				 .tag = data + 64};
	xy_aead_open_burst(aead, &op, 1);
	CU_ASSERT(!op.ok); // another counter is another nonce
	xy_aead_key_clear(suite, &key);
	CU_ASSERT(sodium_is_zero((const uint8_t *)&key, sizeof(key)));
	xy_aead_key_clear(suite, &key);
}

static void test_refuses(void)
{
	refuses(CHACHA);
	if (has_aes())
		refuses(AES);
}

// --- the choice

enum {
	ROOM = 2112,
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	CASES = 30000,
#else
	CASES = 400000,
#endif
};

static uint64_t state = 88172645463325252; // xorshift64*: the same cases in each run

static uint32_t below(uint32_t n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)(state * UINT64_C(0x2545f4914f6cdd1d) >> 33) % n;
}

static struct xy_aead_schedule key[XY_BURST];
static uint8_t first[XY_BURST][ROOM], own[XY_BURST][ROOM], mb[XY_BURST][ROOM];

static void ops_make(struct xy_aead_op *op, uint8_t (*data)[ROOM], const uint32_t *len, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		op[i] = (struct xy_aead_op){.key = &key[i],
					    .counter = len[i] * UINT64_C(0x123456789abcd),
					    .data = data[i],
					    .len = len[i],
					    .tag = data[i] + len[i],
					    .ok = true};
}

static void as_mb(void *alone, unsigned n)
{
	struct xy_aead_op op[XY_BURST], other[XY_BURST];
	uint32_t len[XY_BURST], kind = below(3), bad = below(n * 2);
	for (unsigned i = 0; i < n; i++)
		len[i] = kind == 0 ? below(2049) : kind == 1 ? 64 : below(4) ? 64 : 1420;
	memcpy(own, first, sizeof(own));
	memcpy(mb, first, sizeof(mb));
	ops_make(op, own, len, n);
	ops_make(other, mb, len, n);
	xy_aead_seal_burst(aead, op, n);
	xy_aead_chacha_mb.seal_burst(alone, other, n);
	CU_ASSERT_FATAL(memcmp(own, mb, sizeof(own)) == 0);
	if (bad < n)
		own[bad][below(len[bad] + 16)] ^= 1;
	xy_aead_open_burst(aead, op, n);
	for (unsigned i = 0; i < n; i++) {
		CU_ASSERT_FATAL(op[i].ok == (i != bad));
		CU_ASSERT_FATAL(!op[i].ok || memcmp(own[i], first[i], len[i]) == 0);
	}
}

static void test_choice(void)
{
	struct xy_aead_choice *c = xy_aead_choice(NULL); // made by create
	struct xy_aead_choice kept = *c;
	void *alone = xy_aead_chacha_mb.create();
	unsigned kernels = 0;
	while (kernels < XY_BATCH_KERNELS && c->kernel[kernels])
		kernels++;
	CU_ASSERT_PTR_NOT_NULL_FATAL(alone);
	randombytes_buf(key, sizeof(key));
	randombytes_buf(first, sizeof(first));
	for (unsigned done = 0; done < CASES;) {
		unsigned n = 1 + below(XY_BURST);
		for (unsigned i = 0; i < XY_AEAD_SIZES; i++) // by size, by burst, all, none
			for (unsigned b = 0; b < XY_AEAD_BURSTS; b++)
				c->use[i][b] = (uint8_t)below(kernels + 1);
		as_mb(alone, n);
		done += n;
	}
	xy_aead_chacha_mb.destroy(alone);
	*c = kept;
}

// Packets by size, who computes those of a size by their number (from 4, from 8, from 32; 1 and 2
// are kernels), and how many each then has.
static const struct {
	uint8_t packets[XY_AEAD_SIZES], use[XY_AEAD_SIZES][XY_AEAD_BURSTS];
	uint16_t count[XY_AEAD_WHO];
} divisions[] = {
	// A few of another kernel's size go with the rest.
	{{1, 0, 0, 0, 63}, {{2, 2, 2}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}}, {0, 64, 0}},
	{{3, 0, 0, 0, 61}, {{2, 2, 2}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}}, {0, 64, 0}},
	{{4, 0, 0, 0, 60}, {{2, 2, 2}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}}, {0, 60, 4}},
	{{3, 0, 0, 0, 61}, {{2, 2, 2}, {0}, {0}, {0}, {0, 0, 0}}, {64, 0, 0}},
	{{2, 2, 0, 0, 60}, {{2, 2, 2}, {2, 2, 2}, {0}, {0}, {1, 1, 1}}, {0, 60, 4}},
	{{1, 1, 0, 0, 60}, {{2, 2, 2}, {2, 2, 2}, {0}, {0}, {1, 1, 1}}, {0, 62, 0}},
	{{1, 0, 2, 0, 61}, {{2, 2, 2}, {0}, {1, 1, 1}, {0}, {0, 0, 0}}, {64, 0, 0}},
	{{3, 0, 0, 0, 3}, {{2, 2, 2}, {0}, {0}, {0}, {1, 1, 1}}, {0, 6, 0}},
	// Not enough for the kernel to be faster: by who is with so many, and only those.
	{{20, 0, 0, 0, 44}, {{0, 0, 2}, {0}, {0}, {0}, {0, 0, 1}}, {20, 44, 0}},
	{{20, 0, 0, 0, 44}, {{0, 1, 2}, {0}, {0}, {0}, {2, 2, 1}}, {0, 64, 0}},
	{{6, 0, 0, 0, 58}, {{0, 2, 1}, {0}, {0}, {0}, {2, 2, 2}}, {6, 0, 58}},
	{{6, 0, 0, 0, 40}, {{0, 2, 2}, {0}, {0}, {0}, {2, 2, 1}}, {6, 40, 0}},
	{{0, 0, 0, 0, 4}, {{0}, {0}, {0}, {0}, {1, 0, 0}}, {0, 4, 0}},
	{{0, 0, 0, 0, 8}, {{0}, {0}, {0}, {0}, {1, 0, 1}}, {8, 0, 0}},
};

static void test_division(void)
{
	for (size_t d = 0; d < RTE_DIM(divisions); d++) {
		struct xy_aead_choice c = {.use = {{0}}};
		struct xy_aead_op op[XY_BURST];
		struct xy_aead_parts p;
		unsigned n = 0, sum[XY_AEAD_WHO] = {0};
		memcpy(c.use, divisions[d].use, sizeof(c.use));
		for (unsigned size = 0; size < XY_AEAD_SIZES; size++)
			for (unsigned i = 0; i < divisions[d].packets[size]; i++)
				op[n++] = (struct xy_aead_op){.len = xy_aead_size[size]};
		xy_aead_divide(&c, op, n, &p);
		for (unsigned i = 0; i < n; i++)
			sum[p.who[xy_aead_size_class(op[i].len)]]++;
		for (unsigned who = 0; who < XY_AEAD_WHO; who++) {
			CU_ASSERT_EQUAL(p.count[who], divisions[d].count[who]);
			CU_ASSERT_EQUAL(p.count[who], sum[who]);
		}
	}
}

// --- a kernel that is wrong somewhere is not used

static const struct xy_batch_kernel *right;
static struct xy_batch_kernel wrong;
static bool opening; // tags are made before what is opened, and after what is sealed

static void blocks(const struct xy_batch_block *b, unsigned n)
{
	right->blocks(b, n);
}

// What is opened is wrong; its tag is right.
static void blocks_open(const struct xy_batch_block *b, unsigned n)
{
	right->blocks(b, n);
	if (opening)
		b[n - 1].dst[0] ^= 1;
}

static void stretch_open(const struct xy_batch_block *b, unsigned times)
{
	right->stretch(b, times);
	if (opening)
		b->dst[63] ^= 1;
}

// A vector that is not full, not of keys alone.
static void blocks_partial(const struct xy_batch_block *b, unsigned n)
{
	right->blocks(b, n);
	if (n < right->lanes && n > right->lanes / 2 && b[n - 1].number)
		b[n - 1].dst[0] ^= 1;
}

// Lanes 8 apart are taken for each other.
static void blocks_far(const struct xy_batch_block *b, unsigned n)
{
	struct xy_batch_block mixed[XY_BATCH_LANES_MAX];
	memcpy(mixed, b, n * sizeof(*b));
	if (n > 8)
		mixed[8].key = b[0].key;
	right->blocks(mixed, n);
}

static void tags(const struct xy_batch_text *t, unsigned n)
{
	right->tags(t, n);
	opening = true;
}

static void tags_few(const struct xy_batch_text *t, unsigned n) // a message has several lanes
{
	right->tags(t, n);
	if (n == 2 && t[0].len > 1000 && t[1].len > 1000)
		t[1].tag[15] ^= 0x80;
}

// The last of those that are together is opened wrong, or one that has not as long a text as the
// others is sealed with a wrong tag.
static void packets_open(const struct xy_batch_op *op, const uint8_t *which, unsigned n,
			 uint8_t (*made)[16])
{
	right->packets(op, which, n, made);
	if (made)
		op[which[n - 1]].dst[op[which[n - 1]].len - 1] ^= 1;
}

static void packets_near(const struct xy_batch_op *op, const uint8_t *which, unsigned n,
			 uint8_t (*made)[16])
{
	right->packets(op, which, n, made);
	if (op[which[1]].len != op[which[0]].len)
		(made ? made[which[1]] : op[which[1]].tag)[0] ^= 1;
}

static void done(void)
{
	right->wipe();
	opening = false;
}

static void test_agrees(void)
{
	void *alone = xy_aead_chacha_mb.create();
	CU_ASSERT_PTR_NOT_NULL_FATAL(alone);
	for (unsigned k = 0; (right = xy_batch_kernel(k)) != NULL; k++) {
		wrong = *right;
		wrong.blocks = blocks;
		wrong.tags = tags;
		wrong.wipe = done;
		CU_ASSERT(xy_aead_agrees(right, alone));
		CU_ASSERT(xy_aead_agrees(&wrong, alone));
		wrong.blocks = blocks_open;
		CU_ASSERT(!xy_aead_agrees(&wrong, alone));
		wrong.blocks = blocks;
		wrong.stretch = stretch_open;
		CU_ASSERT(!xy_aead_agrees(&wrong, alone));
		wrong.stretch = right->stretch;
		wrong.blocks = blocks_partial;
		CU_ASSERT(!xy_aead_agrees(&wrong, alone));
		wrong.blocks = blocks_far;
		CU_ASSERT(right->lanes < 9 || !xy_aead_agrees(&wrong, alone));
		wrong.blocks = blocks;
		wrong.tags = tags_few;
		CU_ASSERT(!xy_aead_agrees(&wrong, alone));
		wrong.tags = right->tags;
		wrong.packets = right->packets ? packets_open : NULL;
		CU_ASSERT(!right->packets || !xy_aead_agrees(&wrong, alone));
		wrong.packets = right->packets ? packets_near : NULL;
		CU_ASSERT(!right->packets || !xy_aead_agrees(&wrong, alone));
	}
	xy_aead_chacha_mb.destroy(alone);
}

static void test_tell(void)
{
	struct xy_aead_choice c = {.kernel = {xy_batch_kernel(0), xy_batch_kernel(1)}};
	printf("(%s) ", xy_aead_tell(aead, CHACHA));
	CU_ASSERT(strstr(xy_aead_tell(aead, CHACHA), "ipsec-mb") != NULL);
	CU_ASSERT(strstr(xy_aead_tell(aead, CHACHA), "wrong") == NULL);
	xy_aead_choice_tell(&c);
	CU_ASSERT_STRING_EQUAL(c.text, "ipsec-mb");
	if (!c.kernel[0])
		return;
	memset(c.use, 1, sizeof(c.use));
	c.use[4][0] = c.use[4][2] = 0;
	xy_aead_choice_tell(&c);
	char want[sizeof(c.text)];
	snprintf(want, sizeof(want),
		 "%s in bursts from 64 of 64/256/512/1024, 8 of any size, 4 of 64/256/512/1024; "
		 "else ipsec-mb",
		 xy_batch_name(c.kernel[0]));
	CU_ASSERT_STRING_EQUAL(c.text, want);
	if (!c.kernel[1])
		return;
	c.use[3][1] = 2;
	xy_aead_choice_tell(&c);
	snprintf(want, sizeof(want),
		 "%s in bursts from 64 of 64/256/512/1024, 8 of 64/256/512/1420, 4 of "
		 "64/256/512/1024; %s in bursts from 8 of 1024; else ipsec-mb",
		 xy_batch_name(c.kernel[0]), xy_batch_name(c.kernel[1]));
	CU_ASSERT_STRING_EQUAL(c.text, want);
}

static const struct xy_batch_kernel *two_wrong(unsigned i)
{
	static struct xy_batch_kernel bad[2];
	if (i == 2)
		return NULL;
	bad[i] = *right;
	bad[i].name = i ? "second" : "first";
	bad[i].blocks = blocks_partial;
	return &bad[i];
}

static void test_all_wrong(void)
{
	struct xy_aead_choice c = {.use = {{0}}};
	void *alone = xy_aead_chacha_mb.create();
	CU_ASSERT_PTR_NOT_NULL_FATAL(alone);
	if ((right = xy_batch_kernel(0)) != NULL) {
		xy_aead_choice_find(&c, two_wrong, alone);
		xy_aead_choice_tell(&c);
		CU_ASSERT_PTR_NULL(c.kernel[0]);
		CU_ASSERT_STRING_EQUAL(c.text, "ipsec-mb (wrong results here: first, second)");
	}
	xy_aead_chacha_mb.destroy(alone);
}

// --- what is measured by a clock that others disturb

struct fake_clock {
	unsigned cost[XY_AEAD_SIZES][XY_AEAD_BURSTS][XY_AEAD_WHO];
	unsigned now, from, until, times; // between those calls all takes so many times as long
	unsigned every, by;		  // and of each `every` calls one takes `by` times
	unsigned who;			  // of whom alone; XY_AEAD_WHO: of all
};

static uint64_t fake_clock(void *of, const struct xy_aead_choice *c, unsigned who, unsigned size,
			   unsigned burst, bool seal)
{
	struct fake_clock *f = of;
	(void)c;
	(void)seal;
	uint64_t spent = f->cost[size][burst][who];
	f->now++;
	if (f->who == XY_AEAD_WHO || f->who == who) {
		if (f->now >= f->from && f->now < f->until)
			spent *= f->times;
		if (f->every && below(f->every))
			spent = spent * (10 + below(10 * f->by)) / 10;
	}
	return spent;
}

static void costs_set(struct fake_clock *f, unsigned lib, unsigned one, unsigned two)
{
	const unsigned cost[] = {lib, one, two};
	for (unsigned size = 0; size < XY_AEAD_SIZES; size++)
		for (unsigned b = 0; b < XY_AEAD_BURSTS; b++)
			memcpy(f->cost[size][b], cost, sizeof(cost));
}

static bool all_use(const struct xy_aead_choice *c, unsigned who)
{
	bool is = true;
	for (unsigned size = 0; size < XY_AEAD_SIZES; size++)
		for (unsigned b = 0; b < XY_AEAD_BURSTS; b++)
			is &= c->use[size][b] == who;
	return is;
}

static void test_measure(void)
{
	static const struct {
		unsigned cost[XY_AEAD_WHO], use;
	} still[] = {
		{{1000, 1000, 1000}, 0}, {{1000, 950, 960}, 0}, // level is the library
		{{1000, 900, 870}, 1},				// and the first kernel
		{{1000, 900, 800}, 2},	 {{1000, 2000, 900}, 2}, {{1000, 500, 2000}, 1},
	};
	struct xy_aead_choice c = {.kernel = {xy_batch_kernel(0), xy_batch_kernel(1)}};
	if (!c.kernel[1])
		return;
	for (size_t i = 0; i < RTE_DIM(still); i++) {
		struct fake_clock f = {.who = XY_AEAD_WHO};
		costs_set(&f, still[i].cost[0], still[i].cost[1], still[i].cost[2]);
		xy_aead_choice_measure(&c, fake_clock, &f);
		CU_ASSERT(all_use(&c, still[i].use));
	}
	// Somebody has the machine for half of all tries, wherever that begins.
	struct fake_clock quiet = {.who = XY_AEAD_WHO};
	costs_set(&quiet, 1000, 500, 2000);
	xy_aead_choice_measure(&c, fake_clock, &quiet);
	for (unsigned from = 1; from <= quiet.now; from += 7)
		for (unsigned who = 0; who <= XY_AEAD_WHO; who++) {
			struct fake_clock f = {.from = from,
					       .until = from + quiet.now / 2,
					       .times = 9,
					       .who = who};
			costs_set(&f, 1000, 500, 2000);
			xy_aead_choice_measure(&c, fake_clock, &f);
			CU_ASSERT(all_use(&c, 1));
			costs_set(&f, 1000, 2000, 2500);
			f.now = 0;
			xy_aead_choice_measure(&c, fake_clock, &f);
			CU_ASSERT(all_use(&c, 0));
		}
	// Four of five take up to four times as long.
	for (unsigned run = 0; run < 500; run++) {
		struct fake_clock f = {.every = 5, .by = 3, .who = XY_AEAD_WHO};
		costs_set(&f, 1000, 2000, 2500);
		xy_aead_choice_measure(&c, fake_clock, &f);
		CU_ASSERT(all_use(&c, 0));
	}
}

// Slower with more packets than with few: that is measured again, and what is so then stays.
static void test_measure_again(void)
{
	struct xy_aead_choice c = {.kernel = {xy_batch_kernel(0)}};
	struct fake_clock usual = {.who = XY_AEAD_WHO}, odd = usual;
	if (!c.kernel[0])
		return;
	costs_set(&usual, 1000, 500, 0);
	xy_aead_choice_measure(&c, fake_clock, &usual);
	costs_set(&odd, 1000, 500, 0);
	odd.cost[2][2][1] = 1500;
	xy_aead_choice_measure(&c, fake_clock, &odd);
	CU_ASSERT(odd.now > usual.now && odd.now < 2 * usual.now);
	CU_ASSERT(c.use[2][0] == 1 && c.use[2][1] == 1 && c.use[2][2] == 0 && c.use[1][2] == 1);
}

static void test_create(void)
{
	CU_ASSERT_FATAL(sodium_init() >= 0);
	aead = xy_aead_create();
	CU_ASSERT_PTR_NOT_NULL_FATAL(aead);
}

static void test_destroy(void)
{
	xy_aead_destroy(aead);
}

XY_UNIT_MAIN("aead", {"create", test_create, .always = true},
	     {"as libsodium, every length", test_against_sodium},
	     {"both suites in a burst", test_both_suites}, {"a vector of AES", test_aes_vector},
	     {"slots of schedules", test_aes_slots}, {"which is faster", test_fastest},
	     {"a flipped bit or another counter is refused", test_refuses},
	     {"either computes, as ipsec-mb alone", test_choice},
	     {"who has how many of a burst", test_division},
	     {"a kernel that is wrong is seen", test_agrees},
	     {"all that are wrong are told", test_all_wrong},
	     {"who is faster, however it is disturbed", test_measure},
	     {"what is at odds is measured again", test_measure_again},
	     {"what computes is told", test_tell}, {"destroy", test_destroy, .always = true})
