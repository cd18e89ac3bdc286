// SPDX-License-Identifier: BSD-3-Clause
// Fragments: a packet is cut, each piece is parsed, cut again, and put back to its place; what
// comes together must be the packet's payload. The first two bytes choose the two sizes; the
// checksum is made right, for the fuzzer cannot.
#include "base/bytes.h"
#include "wire/fragment.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MF = 0x2000, OFFSET = 0x1fff, MOST = 20000 };

static uint8_t joined[MOST];

static void seal(uint8_t *pkt, size_t len)
{
	struct xy_inner in;
	if (xy_inner_parse(pkt, len, &in) || in.version != 4)
		return;
	xy_le16_store(pkt + 10, 0);
	xy_le16_store(pkt + 10, xy_csum_fold(xy_csum_add(0, pkt, in.header_len)));
}

static uint32_t place(const uint8_t *pkt)
{
	return (xy_be16_load(pkt + 6) & OFFSET) * 8U;
}

// A piece must be a packet that can be cut in turn; its payload goes where it belongs.
static void take(const uint8_t *pkt, int len, uint32_t mtu, uint32_t base)
{
	struct xy_inner in;
	if (len <= 0 || (uint32_t)len > mtu || xy_inner_parse(pkt, (size_t)len, &in) ||
	    in.total_len != len || xy_csum_fold(xy_csum_add(0, pkt, in.header_len)) != 0)
		abort();
	memcpy(joined + (place(pkt) - base), pkt + in.header_len,
	       (size_t)in.total_len - in.header_len);
}

static void again(const uint8_t *pkt, size_t len, uint32_t mtu, uint32_t base)
{
	struct xy_fragment_cut cut;
	int n = xy_fragment_begin(&cut, pkt, len, mtu);
	if (n == -EBADMSG)
		abort();
	for (int i = 0; i < n; i++) {
		uint8_t *out = malloc(mtu);
		take(out, xy_fragment_next(&cut, (unsigned)i, out, mtu), mtu, base);
		free(out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xy_fragment_cut cut;
	if (size < 2 || size > MOST)
		return 0;
	uint32_t mtu = data[0] * 4U, finer = data[1] + 68U;
	size_t len = size - 2;
	uint8_t *pkt = malloc(len ? len : 1);
	memcpy(pkt, data + 2, len);
	seal(pkt, len);
	int n = xy_fragment_begin(&cut, pkt, len, mtu);
	if (n > 0) {
		uint32_t payload = (uint32_t)cut.total_len - cut.first_header;
		memset(joined, 0xa5, sizeof(joined));
		for (int i = 0; i < n; i++) {
			uint8_t *out = malloc(mtu);
			int l = xy_fragment_next(&cut, (unsigned)i, out, mtu);
			take(out, l, mtu, place(pkt));
			again(out, (size_t)l, finer, place(pkt));
			free(out);
		}
		if (memcmp(joined, pkt + cut.first_header, payload) != 0)
			abort();
	}
	free(pkt);
	return 0;
}
