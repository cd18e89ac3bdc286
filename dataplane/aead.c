// SPDX-License-Identifier: BSD-3-Clause
#include "aead.h"

#include "noise/wg.h"

#include <rte_common.h>
#include <stdlib.h>

// What of a job is the same for all packets of a direction.
static void fill_suite(IMB_JOB *job, bool seal)
{
	job->cipher_direction = seal ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	job->chain_order = seal ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
	job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
	job->key_len_in_bytes = XY_WG_KEY_LEN;
	job->iv_len_in_bytes = 12;
	job->cipher_start_src_offset_in_bytes = 0;
	job->hash_start_src_offset_in_bytes = 0;
	job->u.CHACHA20_POLY1305.aad = NULL;
	job->u.CHACHA20_POLY1305.aad_len_in_bytes = 0;
	job->auth_tag_output_len_in_bytes = XY_WG_TAG_LEN;
}

static struct xy_aead_suite suite_of(IMB_MGR *mb, bool seal)
{
	IMB_JOB job = {0};
	fill_suite(&job, seal);
	return xy_aead_suite(mb, &job);
}

struct xy_aead *xy_aead_create(void)
{
	struct xy_aead *a = calloc(1, sizeof(*a));
	IMB_MGR *mb = a ? alloc_mb_mgr(0) : NULL;
	if (mb)
		init_mb_mgr_auto(mb, NULL);
	if (!mb || imb_get_errno(mb)) {
		if (mb)
			free_mb_mgr(mb);
		free(a);
		return NULL;
	}
	*a = (struct xy_aead){.mb = mb, .seal = suite_of(mb, true), .open = suite_of(mb, false)};
	return a;
}

void xy_aead_destroy(struct xy_aead *a)
{
	if (a)
		free_mb_mgr(a->mb);
	free(a);
}

static void fill(IMB_JOB *job, const struct xy_aead_op *op, const uint8_t *nonce, uint8_t *tag)
{
	job->enc_keys = op->key;
	job->dec_keys = op->key;
	job->iv = nonce;
	job->src = op->data;
	job->dst = op->data;
	job->msg_len_to_cipher_in_bytes = op->len;
	job->msg_len_to_hash_in_bytes = op->len;
	job->auth_tag_output = tag;
}

struct nonce {
	uint32_t zero;
	uint64_t counter;
} __attribute__((packed));

// Inlined for what `seal` decides in each job.
static inline __attribute__((always_inline)) void run(const struct xy_aead *a,
						      struct xy_aead_op *ops, unsigned n,
						      uint8_t (*tags)[XY_WG_TAG_LEN], bool seal)
{
	IMB_MGR *mb = a->mb;
	IMB_JOB *jobs[XY_BURST];
	struct nonce nonces[XY_BURST];
	uint32_t got = IMB_GET_NEXT_BURST(mb, n, jobs);
	RTE_ASSERT(got == n); // nothing is left queued between bursts
	for (unsigned i = 0; i < n; i++) {
		nonces[i] = (struct nonce){0, ops[i].counter};
		fill_suite(jobs[i], seal);
		xy_aead_suite_put(seal ? &a->seal : &a->open, jobs[i]);
		fill(jobs[i], &ops[i], (const uint8_t *)&nonces[i], seal ? ops[i].tag : tags[i]);
	}
	uint32_t done = IMB_SUBMIT_BURST_NOCHECK(mb, got, jobs);
	while (done < n) { // ChaCha completes at once today; a library that queues must be emptied
		uint32_t more = IMB_FLUSH_BURST(mb, n - done, jobs);
		if (!more)
			break;
		done += more;
	}
}

void xy_aead_seal_burst(const struct xy_aead *a, struct xy_aead_op *ops, unsigned n)
{
	run(a, ops, n, NULL, true);
}

// Constant time: the same work whichever byte differs.
static bool tag_equal(const uint8_t *a, const uint8_t *b)
{
	uint64_t x[2], y[2];
	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

void xy_aead_open_burst(const struct xy_aead *a, struct xy_aead_op *ops, unsigned n)
{
	uint8_t tags[XY_BURST][XY_WG_TAG_LEN];
	run(a, ops, n, tags, false);
	for (unsigned i = 0; i < n; i++)
		ops[i].ok = tag_equal(tags[i], ops[i].tag);
}
