// SPDX-License-Identifier: BSD-3-Clause
// AES-256-GCM (NIST SP 800-38D) through ipsec-mb's direct calls, packet by packet: it has its
// parallelism within one, and these are the fastest of the library's ways. A key's schedule is
// about a kilobyte, so it lies in a slot of memory that is kept out of core dumps. ipsec-mb 1.3
// leaves the nonce and lengths alone in a context, but others may leave keystream there: so that is
// wiped after each burst (below what can be measured).
#include "aead_suite.h"
#include "base/secret.h"

#include <errno.h>
#include <intel-ipsec-mb.h>
#include <sodium.h>
#include <stdlib.h>

enum {
	ALIGN = 64,
	SLAB = 256 * 1024,
	SLOT = (sizeof(struct gcm_key_data) + ALIGN - 1) / ALIGN * ALIGN,
	IV_LEN = 12,
};

union slot {
	struct gcm_key_data key;
	union slot *next; // free
	uint8_t b[SLOT];
} __attribute__((aligned(ALIGN)));

// The direct calls keep nothing in the manager, which is their table: one for all threads, made
// before there are several. Slots are the control thread's.
static struct gcm {
	IMB_MGR *mb;
	union slot *free; // slabs stay for the process
} gcm;

static union slot *slot_take(void)
{
	if (!gcm.free) {
		union slot *slab = mmap(NULL, SLAB, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (slab == MAP_FAILED)
			return NULL;
		xy_secret_hide(slab, SLAB);
		for (unsigned i = SLAB / sizeof(*slab); i-- > 0;) {
			slab[i].next = gcm.free;
			gcm.free = &slab[i];
		}
	}
	union slot *s = gcm.free;
	gcm.free = s->next;
	return s;
}

static void slot_give(union slot *s)
{
	sodium_memzero(s, sizeof(*s));
	s->next = gcm.free;
	gcm.free = s;
}

static union slot *slot_of(const struct xy_aead_schedule *key)
{
	union slot *s;
	memcpy(&s, key->b, sizeof(s));
	return s;
}

static bool is_here(void)
{
	const uint64_t need = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
	return gcm.mb && (gcm.mb->features & need) == need;
}

static void *create(void)
{
	IMB_MGR *mb = gcm.mb ? NULL : alloc_mb_mgr(0);
	if (!mb)
		return &gcm;
	init_mb_mgr_auto(mb, NULL);
	if (imb_get_errno(mb))
		free_mb_mgr(mb); // then it is not here, and nothing else is missing
	else
		gcm.mb = mb;
	return &gcm;
}

static void destroy(void *state)
{
	(void)state;
}

static int key_set(struct xy_aead_schedule *key, const uint8_t secret[static XY_AEAD_KEY_LEN])
{
	if (!is_here())
		return -ENOTSUP;
	memset(key, 0, sizeof(*key));
	union slot *s = slot_take();
	if (!s)
		return -ENOMEM;
	memcpy(key->b, &s, sizeof(s));
	IMB_AES256_GCM_PRE(gcm.mb, secret, &s->key);
	return 0;
}

static void key_clear(struct xy_aead_schedule *key)
{
	union slot *s = slot_of(key);
	if (s)
		slot_give(s);
	sodium_memzero(key, sizeof(*key));
}

struct iv {
	uint32_t zero;
	uint64_t counter;
} __attribute__((packed));
_Static_assert(sizeof(struct iv) == IV_LEN, "SP 800-38D section 8.2.1, 96 bits");

// The tag is left to nobody. In place.
static void look(const struct xy_aead_schedule *key, uint64_t counter, uint8_t *data, size_t len)
{
	struct gcm_context_data ctx;
	const struct iv iv = {0, counter};
	uint8_t tag[XY_AEAD_TAG_LEN];
	IMB_AES256_GCM_DEC(gcm.mb, &slot_of(key)->key, &ctx, data, data, len, (const uint8_t *)&iv,
			   NULL, 0, tag, sizeof(tag));
	sodium_memzero(&ctx, sizeof(ctx));
	sodium_memzero(tag, sizeof(tag));
}

static const char *tell(const void *state)
{
	(void)state;
	if (!is_here())
		return "not on this CPU";
	return gcm.mb->features & IMB_FEATURE_VAES ? "ipsec-mb (VAES)" : "ipsec-mb (AES-NI)";
}

static bool able(const void *state)
{
	(void)state;
	return is_here();
}

static void seal_burst(void *state, struct xy_aead_op *op, unsigned n)
{
	struct gcm_context_data ctx;
	(void)state;
	for (unsigned i = 0; i < n; i++) {
		const struct iv iv = {0, op[i].counter};
		IMB_AES256_GCM_ENC(gcm.mb, &slot_of(op[i].key)->key, &ctx, op[i].data, op[i].data,
				   op[i].len, (const uint8_t *)&iv, NULL, 0, op[i].tag,
				   XY_AEAD_TAG_LEN);
	}
	sodium_memzero(&ctx, sizeof(ctx));
}

static void open_burst(void *state, struct xy_aead_op *op, unsigned n)
{
	struct gcm_context_data ctx;
	uint8_t tag[XY_AEAD_TAG_LEN];
	(void)state;
	for (unsigned i = 0; i < n; i++) {
		const struct iv iv = {0, op[i].counter};
		IMB_AES256_GCM_DEC(gcm.mb, &slot_of(op[i].key)->key, &ctx, op[i].data, op[i].data,
				   op[i].len, (const uint8_t *)&iv, NULL, 0, tag, sizeof(tag));
		op[i].ok = crypto_verify_16(tag, op[i].tag) == 0;
	}
	sodium_memzero(&ctx, sizeof(ctx));
	sodium_memzero(tag, sizeof(tag)); // of what was forged it would be right
}

const struct xy_aead_suite_ops xy_aead_gcm = {
	.create = create,
	.destroy = destroy,
	.able = able,
	.key_set = key_set,
	.key_clear = key_clear,
	.look = look,
	.tell = tell,
	.seal_burst = seal_burst,
	.open_burst = open_burst,
};
