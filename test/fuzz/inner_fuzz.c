// SPDX-License-Identifier: BSD-3-Clause
// Inner headers: parse, hop, ECN and the error about the packet. The first byte chooses the error
// and the outer ECN bits.
#include "wire/icmp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(uint8_t choice, const uint8_t *pkt, size_t len, uint8_t version)
{
	static const struct xy_addr v6 = {.b = {0x02, [15] = 1}};
	uint8_t out[XY_ICMP_ERROR_MAX];
	struct xy_inner in;
	struct xy_addr from = version == 4 ? xy_addr_from_v4(0x0a000001) : v6;
	size_t n =
		xy_icmp_error_build((enum xy_icmp_error)(choice % 5), 1400, &from, pkt, len, out);
	if ((n > 0) != xy_icmp_may_answer(pkt, len))
		abort();
	if (n == 0)
		return;
	if (xy_inner_parse(out, n, &in) < 0 || in.total_len != n || in.version != version)
		abort();
	if (xy_icmp_may_answer(out, n)) // an error about an error
		abort();
	struct xy_addr about, dst = xy_inner_dst(pkt, version);
	if (!xy_icmp_is_error(out, n, &about) || !xy_addr_eq(&about, &dst))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xy_inner in, after;
	if (size < 1)
		return 0;
	uint8_t choice = data[0], *pkt = malloc(size);
	size_t len = size - 1;
	memcpy(pkt, data + 1, len);
	if (xy_inner_parse(pkt, len, &in) == 0) {
		if (in.total_len > len || in.header_len > in.total_len)
			abort();
		check_error(choice, pkt, len, in.version);
		struct xy_inner_ports ports;
		if (xy_inner_ports(pkt, in.total_len, &ports) &&
		    (ports.protocol != in.protocol || in.header_len + 4 > in.total_len))
			abort();
		struct xy_addr about;
		if (xy_icmp_is_error(pkt, in.total_len, &about) && xy_icmp_may_answer(pkt, len))
			abort();
		if (in.hop_limit > 0)
			xy_inner_hop(pkt, in.version);
		xy_ecn_decap(pkt, in.version, choice >> 6);
		if (xy_inner_parse(pkt, len, &after) < 0 || after.total_len != in.total_len ||
		    (after.traffic_class ^ in.traffic_class) & ~XY_ECN_MASK)
			abort();
	} else if (xy_icmp_may_answer(pkt, len)) {
		abort();
	}
	free(pkt);
	return 0;
}
