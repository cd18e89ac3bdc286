// SPDX-License-Identifier: BSD-3-Clause
#include "aead_choice.h"

#include <rte_cycles.h>
#include <stdlib.h>

enum {
	STRIDE = 1472, // whole lines, and what has the same place in each buffer is in other sets
	// The least of all tries counts, and each round has some of each: who has the machine in
	// between, for milliseconds, spoils a round of all and not all rounds of one.
	ROUNDS = 4,
	TRIES = 2,
	LEVEL = 16, // who is not faster by this part is level
	AGAIN = 2,  // times at most
	LONGEST = 1420,
	NEAR = 1,
	WHO = XY_AEAD_WHO,
};

const uint16_t xy_aead_size[XY_AEAD_SIZES] = {64, 256, 512, 1024, LONGEST};
const uint16_t xy_aead_burst[XY_AEAD_BURSTS] = {4, 8, 64};

struct trial {
	struct xy_aead_schedule key[XY_BURST];
	uint8_t data[XY_BURST][STRIDE], other[XY_BURST][STRIDE], text[XY_BURST][STRIDE];
	struct xy_aead_op op[XY_BURST];
};

static void ops_make(struct trial *t, uint8_t (*data)[STRIDE], uint32_t size)
{
	for (unsigned i = 0; i < XY_BURST; i++)
		t->op[i] = (struct xy_aead_op){.key = &t->key[i],
					       .counter = UINT64_C(0xfffffff0) + i,
					       .data = data[i],
					       .len = size,
					       .tag = data[i] + size};
}

// The first n: of lengths from 0 to the longest; NEAR: of as many blocks, and not as long; or,
// `size`, of that one.
static void lengths_set(struct trial *t, uint8_t (*data)[STRIDE], unsigned n, uint32_t size)
{
	ops_make(t, data, size);
	for (unsigned i = 0; size <= NEAR && i < n; i++) {
		t->op[i].len =
			size ? 21 * 64 + 1 + i * 13 % 64
			     : (n > 1 && i == 0 ? 0 : (i + 1) * LONGEST / n - (i & 1 ? 7 : 0));
		t->op[i].tag = data[i] + t->op[i].len;
	}
}

static void by_mb(void *mb, struct xy_aead_op *op, unsigned n, bool seal)
{
	(seal ? xy_aead_chacha_mb.seal_burst : xy_aead_chacha_mb.open_burst)(mb, op, n);
}

// One bit of packet `bad`, of its tag or text, is wrong: it is refused, all others are what they
// were.
static bool opens(struct trial *t, const struct xy_batch_kernel *k, unsigned n, unsigned bad)
{
	const unsigned bit = bad * 37 + n;
	t->op[bad].data[bit / 8 % (t->op[bad].len + 16)] ^= (uint8_t)(1 << bit % 8);
	xy_aead_batch(k, t->op, n, false);
	bool right = true;
	for (unsigned i = 0; i < n; i++)
		right &= i == bad ? !t->op[i].ok
				  : t->op[i].ok &&
					    memcmp(t->op[i].data, t->text[i], t->op[i].len) == 0;
	return right;
}

// Bursts that fill vectors and not, with messages that have all lanes, some or one.
static bool agree(struct trial *t, const struct xy_batch_kernel *k, void *mb)
{
	static const uint8_t many[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 33, XY_BURST};
	static const uint16_t sizes[] = {0, NEAR, 64, LONGEST};
	bool right = true;
	for (unsigned m = 0; m < RTE_DIM(many); m++)
		for (unsigned size = 0; size < RTE_DIM(sizes); size++) {
			unsigned n = many[m];
			memcpy(t->data, t->text, sizeof(t->data));
			memcpy(t->other, t->text, sizeof(t->other));
			lengths_set(t, t->other, n, sizes[size]);
			by_mb(mb, t->op, n, true);
			lengths_set(t, t->data, n, sizes[size]);
			xy_aead_batch(k, t->op, n, true);
			right &= memcmp(t->data, t->other, sizeof(t->data)) == 0;
			right &= opens(t, k, n, (n + size) % n);
		}
	return right;
}

// What no library is asked for: RFC 8439, appendix A.5, but the first 64 bytes and without
// associated data. So the tag is another one; libsodium makes it.
static bool known(struct trial *t, const struct xy_batch_kernel *k)
{
	static const uint8_t secret[32] = {0x1c, 0x92, 0x40, 0xa5, 0xeb, 0x55, 0xd3, 0x8a,
					   0xf3, 0x33, 0x88, 0x86, 0x04, 0xf6, 0xb5, 0xf0,
					   0x47, 0x39, 0x17, 0xc1, 0x40, 0x2b, 0x80, 0x09,
					   0x9d, 0xca, 0x5c, 0xbc, 0x20, 0x70, 0x75, 0xc0};
	static const uint8_t box[64 + 16] = {
		0x64, 0xa0, 0x86, 0x15, 0x75, 0x86, 0x1a, 0xf4, 0x60, 0xf0, 0x62, 0xc7, 0x9b, 0xe6,
		0x43, 0xbd, 0x5e, 0x80, 0x5c, 0xfd, 0x34, 0x5c, 0xf3, 0x89, 0xf1, 0x08, 0x67, 0x0a,
		0xc7, 0x6c, 0x8c, 0xb2, 0x4c, 0x6c, 0xfc, 0x18, 0x75, 0x5d, 0x43, 0xee, 0xa0, 0x9e,
		0xe9, 0x4e, 0x38, 0x2d, 0x26, 0xb0, 0xbd, 0xb7, 0xb7, 0x3c, 0x32, 0x1b, 0x01, 0x00,
		0xd4, 0xf0, 0x3b, 0x7f, 0x35, 0x58, 0x94, 0xcf, 0x6a, 0x03, 0x47, 0x0a, 0xd6, 0x73,
		0xe5, 0xd2, 0x76, 0x44, 0x7e, 0x00, 0x0e, 0x77, 0x16, 0xc4};
	static const char text[] =
		"Internet-Drafts are draft documents valid for a maximum of six months";
	struct xy_aead_schedule key;
	struct xy_aead_op op = {.key = &key,
				.counter = UINT64_C(0x0807060504030201),
				.data = t->data[0],
				.len = 64,
				.tag = t->data[0] + 64};
	if (xy_aead_chacha_mb.key_set(&key, secret))
		return false;
	memcpy(t->data[0], text, 64);
	xy_aead_batch(k, &op, 1, true);
	return memcmp(t->data[0], box, sizeof(box)) == 0;
}

static void trial_fill(struct trial *t)
{
	uint64_t state = 88172645463325252, x; // xorshift64*
	for (size_t at = 0; at + 8 <= offsetof(struct trial, op); at += 8) {
		state ^= state >> 12;
		state ^= state << 25;
		state ^= state >> 27;
		x = state * UINT64_C(0x2545f4914f6cdd1d);
		memcpy((uint8_t *)t + at, &x, 8);
	}
}

bool xy_aead_agrees(const struct xy_batch_kernel *k, void *mb)
{
	struct trial *t = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*t), 64));
	if (!t)
		return false;
	trial_fill(t);
	bool right = agree(t, k, mb) && known(t, k);
	free(t);
	return right;
}

struct times {
	uint64_t least[XY_AEAD_SIZES][XY_AEAD_BURSTS][WHO][2]; // to open and to seal
};

static void try(struct times *t, const struct xy_aead_choice *c, xy_aead_clock *clock, void *of,
		unsigned size, unsigned burst)
{
	for (unsigned i = 0; i < TRIES * 2; i++) // by turns
		for (unsigned who = 0; who < WHO && (!who || c->kernel[who - 1]); who++) {
			uint64_t *least = &t->least[size][burst][who][i & 1];
			uint64_t spent = clock(of, c, who, size, burst, i & 1);
			*least = RTE_MIN(*least, spent);
		}
}

// Level with the library is the library; with a kernel that wants more of the machine, that.
static uint8_t fastest(const struct times *t, const struct xy_aead_choice *c, unsigned size,
		       unsigned burst)
{
	uint64_t best = 0;
	uint8_t is = 0;
	for (unsigned who = 0; who < WHO && (!who || c->kernel[who - 1]); who++) {
		const uint64_t *least = t->least[size][burst][who];
		uint64_t spent = least[0] + least[1];
		if (!who || spent < best - best / LEVEL) {
			best = spent;
			is = (uint8_t)who;
		}
	}
	return is;
}

// A kernel gains by more packets. Where it is faster with fewer alone, one of both was disturbed.
static bool at_odds(const struct xy_aead_choice *c, unsigned size)
{
	for (unsigned burst = 1; burst < XY_AEAD_BURSTS; burst++)
		if (c->use[size][burst - 1] && !c->use[size][burst])
			return true;
	return false;
}

static void choose(struct xy_aead_choice *c, const struct times *t)
{
	for (unsigned size = 0; size < XY_AEAD_SIZES; size++)
		for (unsigned burst = 0; burst < XY_AEAD_BURSTS; burst++)
			c->use[size][burst] = fastest(t, c, size, burst);
}

void xy_aead_choice_measure(struct xy_aead_choice *c, xy_aead_clock *clock, void *of)
{
	struct times t;
	bool odd[XY_AEAD_SIZES];
	memset(&t, 0xff, sizeof(t));
	memset(odd, true, sizeof(odd));
	for (unsigned time = 0; time <= AGAIN; time++) {
		for (unsigned round = 0; round < ROUNDS; round++)
			for (unsigned size = 0; size < XY_AEAD_SIZES; size++)
				for (unsigned b = 0; odd[size] && b < XY_AEAD_BURSTS; b++)
					try(&t, c, clock, of, size, b);
		choose(c, &t);
		for (unsigned size = 0; size < XY_AEAD_SIZES; size++)
			odd[size] = at_odds(c, size);
	}
}

struct stage {
	struct trial *t;
	void *mb;
};

static uint64_t by_tsc(void *of, const struct xy_aead_choice *c, unsigned who, unsigned size,
		       unsigned burst, bool seal)
{
	const struct stage *s = of;
	const unsigned n = xy_aead_burst[burst];
	ops_make(s->t, s->t->data, xy_aead_size[size]);
	uint64_t start = rte_rdtsc();
	if (who)
		xy_aead_batch(c->kernel[who - 1], s->t->op, n, seal);
	else
		by_mb(s->mb, s->t->op, n, seal);
	return rte_rdtsc() - start;
}

// The sizes of that kernel at that burst, as "64/256" or "any size"; returns how many.
static unsigned sizes_tell(const struct xy_aead_choice *c, unsigned who, unsigned burst,
			   char text[40])
{
	size_t end = 0;
	unsigned n = 0;
	for (unsigned size = 0; size < XY_AEAD_SIZES; size++)
		if (c->use[size][burst] == who) {
			end += (size_t)snprintf(text + end, 40 - end, "%s%u", n ? "/" : "",
						xy_aead_size[size]);
			n++;
		}
	if (n == XY_AEAD_SIZES)
		snprintf(text, 40, "any size");
	return n;
}

void xy_aead_choice_tell(struct xy_aead_choice *c)
{
	size_t at = 0;
	for (unsigned who = 1; who < WHO && c->kernel[who - 1]; who++) {
		bool any = false;
		for (unsigned burst = XY_AEAD_BURSTS; burst-- > 0;) {
			char sizes[40], from[80] = ", ";
			if (!sizes_tell(c, who, burst, sizes))
				continue;
			if (!any)
				snprintf(from, sizeof(from), "%s in bursts from ",
					 xy_batch_name(c->kernel[who - 1]));
			at += (size_t)snprintf(c->text + at, sizeof(c->text) - at, "%s%u of %s",
					       from, xy_aead_burst[burst], sizes);
			any = true;
		}
		if (any)
			at += (size_t)snprintf(c->text + at, sizeof(c->text) - at, "; ");
	}
	at += (size_t)snprintf(c->text + at, sizeof(c->text) - at, "%sipsec-mb", at ? "else " : "");
	for (unsigned i = 0; i < XY_BATCH_KERNELS && c->wrong[i]; i++)
		at += (size_t)snprintf(
			c->text + at, sizeof(c->text) - at, "%s%s",
			i ? ", " : " (wrong results here: ", xy_batch_name(c->wrong[i]));
	if (c->wrong[0])
		snprintf(c->text + at, sizeof(c->text) - at, ")");
}

void xy_aead_choice_find(struct xy_aead_choice *c, xy_aead_kernels *kernels, void *mb)
{
	const struct xy_batch_kernel *k;
	unsigned right = 0, wrong = 0;
	for (unsigned i = 0; (k = kernels(i)) != NULL; i++) {
		if (xy_aead_agrees(k, mb))
			c->kernel[right++] = k;
		else
			c->wrong[wrong++] = k;
	}
}

void xy_aead_choice_make(struct xy_aead_choice *c, void *mb)
{
	*c = (struct xy_aead_choice){.use = {{0}}};
	struct trial *t = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*t), 64));
	if (t) {
		struct stage s = {t, mb};
		trial_fill(t);
		xy_aead_choice_find(c, xy_batch_kernel, mb);
		xy_aead_choice_measure(c, by_tsc, &s);
	}
	free(t);
	xy_aead_choice_tell(c);
}

struct xy_aead_choice *xy_aead_choice(void *mb)
{
	static struct xy_aead_choice choice;
	static bool made;
	if (!made)
		xy_aead_choice_make(&choice, mb);
	made = true;
	return &choice;
}

// --- a burst

struct division {
	const struct xy_aead_choice *c;
	unsigned packets[XY_AEAD_SIZES];
	int burst[XY_AEAD_SIZES]; // the class by which a size is given; -1: too few for all
	struct xy_aead_parts *p;
};

static void give(struct division *d, unsigned size, unsigned who, int burst)
{
	d->p->who[size] = (uint8_t)who;
	d->p->count[who] = (uint16_t)(d->p->count[who] + d->packets[size]);
	d->burst[size] = burst;
}

// The kernel with the smallest part, of those whose part is of a lower class than it was given by;
// 0: there is none.
static unsigned too_few(const struct division *d)
{
	unsigned least = 0;
	for (unsigned size = 0; size < XY_AEAD_SIZES; size++) {
		unsigned who = d->p->who[size], count = d->p->count[who];
		if (d->packets[size] && who && xy_aead_burst_class(count) < d->burst[size] &&
		    (!least || count < d->p->count[least]))
			least = who;
	}
	return least;
}

static unsigned most(const uint16_t count[WHO])
{
	unsigned who = 0;
	for (unsigned k = 1; k < WHO; k++)
		if (count[k] > count[who])
			who = k;
	return who;
}

// A kernel's part is given again, by how many they are.
static void give_again(struct division *d, unsigned who)
{
	int now = xy_aead_burst_class(d->p->count[who]);
	d->p->count[who] = 0;
	const unsigned rest = most(d->p->count);
	for (unsigned size = 0; size < XY_AEAD_SIZES; size++) {
		if (d->p->who[size] != who || !d->packets[size])
			continue;
		int burst = RTE_MIN(now, d->burst[size]);
		give(d, size, burst < 0 ? rest : d->c->use[size][burst], burst);
	}
}

void xy_aead_divide(const struct xy_aead_choice *c, const struct xy_aead_op *op, unsigned n,
		    struct xy_aead_parts *p)
{
	struct division d = {.c = c, .p = p};
	*p = (struct xy_aead_parts){.who = {0}};
	for (unsigned i = 0; i < n; i++)
		d.packets[xy_aead_size_class(op[i].len)]++;
	const int burst = xy_aead_burst_class(n);
	for (unsigned size = 0; size < XY_AEAD_SIZES; size++)
		give(&d, size, c->use[size][burst], burst);
	if (p->count[p->who[xy_aead_size_class(op[0].len)]] == n)
		return;				      // as nearly always
	for (unsigned who; (who = too_few(&d)) != 0;) // each time a size's class falls
		give_again(&d, who);
}

void xy_aead_batch(const struct xy_batch_kernel *k, struct xy_aead_op *op, unsigned n, bool seal)
{
	struct xy_batch_op b[XY_BURST];
	for (unsigned i = 0; i < n; i++)
		b[i] = (struct xy_batch_op){.key = op[i].key->b,
					    .counter = op[i].counter,
					    .src = op[i].data,
					    .dst = op[i].data,
					    .tag = op[i].tag,
					    .len = op[i].len};
	if (seal) {
		xy_batch_seal(k, b, n);
		return;
	}
	xy_batch_open(k, b, n);
	for (unsigned i = 0; i < n; i++)
		op[i].ok = b[i].ok;
}
