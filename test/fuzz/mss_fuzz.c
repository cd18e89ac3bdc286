// SPDX-License-Identifier: BSD-3-Clause
// TCP options of a handshake: whatever stands there, no more than two bytes and the checksum
// change, and a checksum that was right is right after. The first two bytes are the size.
#include "base/bytes.h"
#include "wire/mss.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint16_t checksum(const uint8_t *pkt, const struct xy_inner *in)
{
	struct xy_addr src = xy_inner_src(pkt, in->version), dst = xy_inner_dst(pkt, in->version);
	uint32_t len = (uint32_t)in->total_len - in->header_len;
	uint32_t sum = xy_csum_pseudo(&src, &dst, XY_PROTO_TCP, len);
	return xy_csum_fold(xy_csum_add(sum, pkt + in->header_len, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xy_inner in;
	if (size < 2)
		return 0;
	uint32_t most = xy_be16_load(data);
	uint8_t *pkt = malloc(size - 1);
	memcpy(pkt, data + 2, size - 2);
	if (xy_inner_parse(pkt, size - 2, &in) == 0) {
		uint16_t before = checksum(pkt, &in);
		bool changed = xy_mss_clamp(pkt, in.total_len, in.version, most);
		uint16_t after = checksum(pkt, &in);
		// Ones' complement has two zeros.
		if (after != before && !((before ^ after) == 0xffff && (!before || !after)))
			abort();
		if (changed && xy_mss_clamp(pkt, in.total_len, in.version, most))
			abort();
	}
	free(pkt);
	return 0;
}
