// SPDX-License-Identifier: BSD-3-Clause
#include "wire/e2e.h"

#include "base/bytes.h"
#include "base/cursor.h"
#include "noise/wg.h"

#include <errno.h>

enum {
	ICMPV6_ERROR_MAX = 127, // RFC 4443, 2.1: above are queries
	ICMPV6_HEADER_LEN = 8,
	TOO_BIG = 2,
	QUOTE_AT = XY_IPV6_LEN + ICMPV6_HEADER_LEN,
};

void xy_e2e_header_write(const struct xy_e2e_header *h, uint8_t out[static XY_IPV6_LEN])
{
	xy_be32_store(out, UINT32_C(6) << 28 | (uint32_t)(h->ecn & XY_ECN_MASK) << 20 |
				   (h->flow & XY_FLOW_LABEL));
	xy_be16_store(out + 4, h->len);
	out[6] = XY_PROTO_E2E;
	out[7] = h->hops;
	memcpy(out + 8, h->src.b, sizeof(h->src.b));
	memcpy(out + 24, h->dst.b, sizeof(h->dst.b));
}

bool xy_e2e_is_about_sealed(const uint8_t *pkt, size_t len)
{
	const uint8_t *quote = pkt + QUOTE_AT;
	return len >= QUOTE_AT + XY_IPV6_LEN && pkt[6] == XY_PROTO_ICMPV6 &&
	       pkt[XY_IPV6_LEN] <= ICMPV6_ERROR_MAX && quote[0] >> 4 == 6 &&
	       xy_e2e_is_sealed(quote) && memcmp(quote + 8, pkt + 24, 16) == 0;
}

static void addr_take(struct xy_cursor *c, struct xy_addr *out)
{
	const uint8_t *b = xy_cursor_take(c, sizeof(out->b));
	if (b)
		memcpy(out->b, b, sizeof(out->b));
}

int xy_e2e_quote_parse(const uint8_t *pkt, size_t len, struct xy_e2e_quote *out)
{
	struct xy_cursor c = xy_cursor(pkt, len);
	if (!xy_e2e_is_about_sealed(pkt, len))
		return -EBADMSG;
	xy_cursor_take(&c, 8);
	addr_take(&c, &out->from);
	xy_cursor_take(&c, 16);
	out->type = xy_cursor_u8(&c);
	out->code = xy_cursor_u8(&c);
	xy_cursor_take(&c, 2);
	out->mtu = xy_cursor_be32(&c);
	if (out->type != TOO_BIG)
		out->mtu = 0;
	// What was quoted.
	out->flow = xy_cursor_be32(&c) & XY_FLOW_LABEL;
	size_t sent = xy_cursor_be16(&c);
	xy_cursor_take(&c, 2 + 16);
	addr_take(&c, &out->dst);
	struct xy_wg_data msg;
	xy_cursor_copy(&c, &msg, XY_WG_DATA_HEADER_LEN);
	if (c.bad || sent < XY_WG_DATA_OVERHEAD || msg.type != XY_WG_DATA)
		return -EBADMSG;
	out->receiver = msg.receiver;
	out->counter = msg.counter;
	out->sealed_len = sent - XY_WG_DATA_OVERHEAD;
	out->box_len = xy_cursor_left(&c) < out->sealed_len ? xy_cursor_left(&c) : out->sealed_len;
	out->box = xy_cursor_take(&c, out->box_len);
	return 0;
}
