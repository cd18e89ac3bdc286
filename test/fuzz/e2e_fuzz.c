// SPDX-License-Identifier: BSD-3-Clause
// What comes from inside the mesh about what we sealed: the outer header and the quote in an ICMPv6
// error. The reader and the test that relays do must agree, and the quote must lie in the packet.
#include "wire/e2e.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_quote(const uint8_t *pkt, size_t len)
{
	struct xy_e2e_quote q;
	bool about = xy_e2e_is_about_sealed(pkt, len);
	if (xy_e2e_quote_parse(pkt, len, &q))
		return;
	if (!about || q.box < pkt || q.box_len > (size_t)(pkt + len - q.box) ||
	    q.box_len > q.sealed_len || (q.type != 2 && q.mtu))
		abort();
}

// What is written is read as it was.
static void check_header(const uint8_t *data, size_t size)
{
	struct xy_e2e_header h = {.hops = data[0], .ecn = data[1], .len = (uint16_t)(size - 4)};
	uint8_t out[XY_IPV6_LEN];
	struct xy_inner in;
	memcpy(&h.flow, data, sizeof(h.flow));
	h.src.b[0] = h.dst.b[0] = 2;
	xy_e2e_header_write(&h, out);
	if (xy_inner_parse(out, (size_t)XY_IPV6_LEN + h.len, &in) || !xy_e2e_is_sealed(out) ||
	    in.hop_limit != h.hops || in.total_len != XY_IPV6_LEN + h.len ||
	    in.traffic_class != (h.ecn & XY_ECN_MASK))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *pkt = malloc(size ? size : 1); // its end is watched
	memcpy(pkt, data, size);
	check_quote(pkt, size);
	if (size >= 4 && size <= 9216)
		check_header(pkt, size);
	free(pkt);
	return 0;
}
