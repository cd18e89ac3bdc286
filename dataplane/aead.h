// SPDX-License-Identifier: BSD-3-Clause
// ChaCha20-Poly1305 (RFC 8439) with WireGuard's nonce (four zero bytes, little-endian counter, no
// associated data) over a burst, through ipsec-mb's fastest interface for it: the burst of jobs
// without parameter checks (6.5 Mpps at 64 bytes where the direct calls do 3.7). A worker's own.
// ipsec-mb 1.3 (Debian 12) and 2.0 (Debian 13) both: compat.h.
#pragma once

#include "compat.h"
#include "packet.h"

struct xy_aead {
	IMB_MGR *mb;
	struct xy_aead_suite seal, open;
};

struct xy_aead_op {
	const uint8_t *key;
	uint64_t counter;
	uint8_t *data; // in place
	uint32_t len;  // bytes, without the tag
	uint8_t *tag;  // seal: written here (16 bytes); open: compared with this
	bool ok;       // open: the tag was right (the data is garbage otherwise)
};

struct xy_aead *xy_aead_create(void); // NULL: no memory, or ipsec-mb's self test failed
void xy_aead_destroy(struct xy_aead *a);

// n at most XY_BURST.
void xy_aead_seal_burst(const struct xy_aead *a, struct xy_aead_op *ops, unsigned n);
void xy_aead_open_burst(const struct xy_aead *a, struct xy_aead_op *ops, unsigned n);
