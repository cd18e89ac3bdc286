// SPDX-License-Identifier: BSD-3-Clause
#include "wire/udp6.h"
#include "base/cursor.h"

#include <errno.h>

enum { CSUM_AT = XY_IPV6_LEN + 6 };

static uint16_t checksum(const struct xy_udp6 *u, const void *udp, size_t len)
{
	uint32_t sum = xy_csum_pseudo(&u->src, &u->dst, XY_PROTO_UDP, (uint32_t)len);
	return xy_csum_fold(xy_csum_add(sum, udp, len));
}

int xy_udp6_parse(const void *pkt, size_t len, struct xy_udp6 *out)
{
	struct xy_cursor c = xy_cursor(pkt, len);
	uint32_t first = xy_cursor_be32(&c);
	uint16_t payload = xy_cursor_be16(&c);
	uint8_t protocol = xy_cursor_u8(&c);
	*out = (struct xy_udp6){.traffic_class = (uint8_t)(first >> 20),
				.hop_limit = xy_cursor_u8(&c)};
	xy_cursor_copy(&c, &out->src, sizeof(out->src));
	xy_cursor_copy(&c, &out->dst, sizeof(out->dst));
	struct xy_cursor udp = xy_cursor_sub(&c, payload), whole = udp;
	out->src_port = xy_cursor_be16(&udp);
	out->dst_port = xy_cursor_be16(&udp);
	uint16_t udp_len = xy_cursor_be16(&udp), csum = xy_cursor_be16(&udp);
	if (udp.bad || first >> 28 != 6 || protocol != XY_PROTO_UDP || udp_len != payload)
		return -EBADMSG;
	// RFC 8200, 8.1: a checksum of zero is no checksum, and not allowed here.
	if (!csum || checksum(out, whole.p, payload))
		return -EBADMSG;
	out->data = udp.p;
	out->len = xy_cursor_left(&udp);
	return 0;
}

size_t xy_udp6_build(const struct xy_udp6 *u, void *out, size_t room)
{
	uint8_t *p = out;
	size_t udp_len = XY_UDP_LEN + u->len;
	if (udp_len > UINT16_MAX || XY_IPV6_LEN + udp_len > room)
		return 0;
	xy_be32_store(p, UINT32_C(6) << 28 | (uint32_t)u->traffic_class << 20);
	xy_be16_store(p + 4, (uint16_t)udp_len);
	p[6] = XY_PROTO_UDP;
	p[7] = u->hop_limit;
	memcpy(p + 8, &u->src, sizeof(u->src));
	memcpy(p + 24, &u->dst, sizeof(u->dst));
	xy_be16_store(p + 40, u->src_port);
	xy_be16_store(p + 42, u->dst_port);
	xy_be16_store(p + 44, (uint16_t)udp_len);
	xy_be16_store(p + CSUM_AT, 0);
	if (u->len)
		memcpy(p + XY_UDP6_HEADERS, u->data, u->len);
	uint16_t csum = checksum(u, p + XY_IPV6_LEN, udp_len);
	csum = csum ? csum : 0xffff;
	memcpy(p + CSUM_AT, &csum, sizeof(csum)); // _fold gives it as it is stored
	return XY_IPV6_LEN + udp_len;
}
