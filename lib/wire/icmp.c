// SPDX-License-Identifier: BSD-3-Clause
#include "wire/icmp.h"

#include "base/bytes.h"
#include "base/cursor.h"

enum {
	HOP_BY_HOP = 0,
	ROUTING = 43,
	FRAGMENT = 44,
	AUTHENTICATION = 51,
	DESTINATION = 60,
	EXTENSIONS_MAX = 8, // a longer chain is nobody's honest packet

	ICMP_LEN = 8,	       // type, code, checksum, one word
	V4_ERROR_MAX = 576,    // RFC 1812, 4.3.2.3
	V4_TOS_CONTROL = 0xc0, // RFC 1812, 4.3.2.5: precedence 6
	HOP_LIMIT = 64,
};

struct code {
	uint8_t type, code;
};

static const struct {
	struct code v4, v6;
} codes[] = {
	[XY_ICMP_TIME_EXCEEDED] = {{11, 0}, {3, 0}}, [XY_ICMP_NO_ROUTE] = {{3, 0}, {1, 0}},
	[XY_ICMP_PROHIBITED] = {{3, 13}, {1, 1}},    [XY_ICMP_ADDR_UNREACHABLE] = {{3, 1}, {1, 3}},
	[XY_ICMP_TOO_BIG] = {{3, 4}, {2, 0}},
};

// A source that is not one host (RFC 1122, 3.2.2; RFC 4443, 2.4(e.6)).
static bool source_is_host(const struct xy_addr *src)
{
	static const struct xy_addr loopback = {.b = {[15] = 1}};
	if (xy_addr_is_multicast(src) || xy_addr_is_unspecified(src))
		return false;
	if (!xy_addr_is_v4(src))
		return !xy_addr_eq(src, &loopback);
	return src->b[12] != 0 && src->b[12] != 127 && src->b[12] < 240;
}

// RFC 792's errors; all else asks or answers.
static bool icmp_is_query(struct xy_cursor c)
{
	uint8_t type = xy_cursor_u8(&c);
	return !c.bad && type != 3 && type != 4 && type != 5 && type != 11 && type != 12;
}

// Errors are below 128 (RFC 4443, 2.1); a redirect is not answered either (RFC 4443, 2.4(e.2)).
static bool icmpv6_is_query(struct xy_cursor c)
{
	uint8_t type = xy_cursor_u8(&c);
	return !c.bad && type >= 128 && type != 137;
}

static bool v4_may_answer(struct xy_cursor c, const struct xy_inner *in)
{
	xy_cursor_take(&c, 6);
	bool later = xy_cursor_be16(&c) & 0x1fff; // fragment offset
	xy_cursor_take(&c, in->header_len - 8U);
	if (c.bad || later)
		return false;
	return in->protocol != XY_PROTO_ICMP || icmp_is_query(c);
}

// Steps over one extension header; false when there is none (and *next is the upper layer) or when
// the packet must not be answered (and c is bad).
static bool skip_extension(struct xy_cursor *c, uint8_t *next)
{
	uint8_t kind = *next;
	if (kind != HOP_BY_HOP && kind != ROUTING && kind != FRAGMENT && kind != AUTHENTICATION &&
	    kind != DESTINATION)
		return false;
	*next = xy_cursor_u8(c);
	size_t units = xy_cursor_u8(c);
	if (kind != FRAGMENT) {
		// AH counts words beyond two, the others 8 octets beyond the first.
		xy_cursor_take(c, kind == AUTHENTICATION ? units * 4 + 6 : units * 8 + 6);
		return !c->bad;
	}
	c->bad |= (xy_cursor_be16(c) & 0xfff8) != 0; // a later fragment
	xy_cursor_take(c, 4);
	return !c->bad;
}

static bool v6_may_answer(struct xy_cursor c, const struct xy_inner *in)
{
	uint8_t next = in->protocol;
	unsigned n = 0;
	xy_cursor_take(&c, XY_IPV6_LEN);
	while (skip_extension(&c, &next))
		if (++n > EXTENSIONS_MAX)
			return false;
	return !c.bad && (next != XY_PROTO_ICMPV6 || icmpv6_is_query(c));
}

bool xy_icmp_may_answer(const uint8_t *pkt, size_t len)
{
	struct xy_inner in;
	if (xy_inner_parse(pkt, len, &in) < 0)
		return false;
	struct xy_addr src = xy_inner_src(pkt, in.version), dst = xy_inner_dst(pkt, in.version);
	if (!source_is_host(&src) || xy_addr_is_multicast(&dst))
		return false;
	struct xy_cursor c = xy_cursor(pkt, in.total_len);
	return in.version == 4 ? v4_may_answer(c, &in) : v6_may_answer(c, &in);
}

// c: behind type, code, checksum and word.
static struct xy_addr quoted_dst(struct xy_cursor c, uint8_t version)
{
	struct xy_addr dst = {0};
	size_t len = version == 4 ? XY_IPV4_MIN_LEN : XY_IPV6_LEN;
	const uint8_t *quote = xy_cursor_take(&c, len);
	if (quote && quote[0] >> 4 == version)
		dst = xy_inner_dst(quote, version);
	return dst;
}

static bool v4_is_error(struct xy_cursor *c, const uint8_t *pkt)
{
	bool later = xy_be16_load(pkt + 6) & 0x1fff;
	xy_cursor_take(c, (pkt[0] & 0xfU) * 4);
	return pkt[9] == XY_PROTO_ICMP && !later && !icmp_is_query(*c);
}

static bool v6_is_error(struct xy_cursor *c, const uint8_t *pkt)
{
	uint8_t next = pkt[6];
	unsigned n = 0;
	xy_cursor_take(c, XY_IPV6_LEN);
	while (skip_extension(c, &next))
		if (++n > EXTENSIONS_MAX)
			return true;
	return next == XY_PROTO_ICMPV6 && !c->bad && !icmpv6_is_query(*c);
}

bool xy_icmp_is_error(const uint8_t *pkt, size_t len, struct xy_addr *about)
{
	struct xy_cursor c = xy_cursor(pkt, len);
	uint8_t version = pkt[0] >> 4;
	if (version == 4 ? !v4_is_error(&c, pkt) : !v6_is_error(&c, pkt))
		return false;
	xy_cursor_take(&c, ICMP_LEN);
	*about = quoted_dst(c, version);
	return true;
}

// Type, code, the word, the quote, and the checksum over all of it and `pseudo`.
static void put_icmp(uint8_t *out, struct code code, uint32_t word, uint32_t pseudo,
		     const uint8_t *quote, size_t quoted)
{
	memset(out, 0, ICMP_LEN);
	out[0] = code.type;
	out[1] = code.code;
	xy_be32_store(out + 4, word);
	memcpy(out + ICMP_LEN, quote, quoted);
	xy_le16_store(out + 2, xy_csum_fold(xy_csum_add(pseudo, out, ICMP_LEN + quoted)));
}

static size_t build_v4(enum xy_icmp_error error, uint32_t mtu, const struct xy_addr *from,
		       const uint8_t *pkt, size_t quoted, uint8_t *out)
{
	static const size_t room = V4_ERROR_MAX - XY_IPV4_MIN_LEN - ICMP_LEN;
	struct xy_addr to = xy_inner_src(pkt, 4);
	if (quoted > room)
		quoted = room;
	size_t len = XY_IPV4_MIN_LEN + ICMP_LEN + quoted;
	memset(out, 0, XY_IPV4_MIN_LEN);
	out[0] = 0x45;
	out[1] = V4_TOS_CONTROL;
	xy_be16_store(out + 2, (uint16_t)len);
	out[6] = 0x40; // DF: an atomic datagram needs no id (RFC 6864)
	out[8] = HOP_LIMIT;
	out[9] = XY_PROTO_ICMP;
	memcpy(out + 12, from->b + 12, 4);
	memcpy(out + 16, to.b + 12, 4);
	xy_le16_store(out + 10, xy_csum_fold(xy_csum_add(0, out, XY_IPV4_MIN_LEN)));
	uint32_t word = mtu < UINT16_MAX ? mtu : UINT16_MAX; // RFC 1191: the low 16 bits
	put_icmp(out + XY_IPV4_MIN_LEN, codes[error].v4, error == XY_ICMP_TOO_BIG ? word : 0, 0,
		 pkt, quoted);
	return len;
}

static size_t build_v6(enum xy_icmp_error error, uint32_t mtu, const struct xy_addr *from,
		       const uint8_t *pkt, size_t quoted, uint8_t *out)
{
	static const size_t room = XY_ICMP_ERROR_MAX - XY_IPV6_LEN - ICMP_LEN;
	struct xy_addr to = xy_inner_src(pkt, 6);
	if (quoted > room)
		quoted = room;
	uint32_t payload = ICMP_LEN + (uint32_t)quoted;
	xy_be32_store(out, 0x60000000);
	xy_be16_store(out + 4, (uint16_t)payload);
	out[6] = XY_PROTO_ICMPV6;
	out[7] = HOP_LIMIT;
	memcpy(out + 8, from->b, 16);
	memcpy(out + 24, to.b, 16);
	put_icmp(out + XY_IPV6_LEN, codes[error].v6, error == XY_ICMP_TOO_BIG ? mtu : 0,
		 xy_csum_pseudo(from, &to, XY_PROTO_ICMPV6, payload), pkt, quoted);
	return XY_IPV6_LEN + payload;
}

size_t xy_icmp_error_build(enum xy_icmp_error error, uint32_t mtu, const struct xy_addr *from,
			   const uint8_t *pkt, size_t len, uint8_t out[static XY_ICMP_ERROR_MAX])
{
	struct xy_inner in;
	if (!xy_icmp_may_answer(pkt, len) || xy_inner_parse(pkt, len, &in) < 0)
		return 0;
	if (xy_addr_is_v4(from) != (in.version == 4))
		return 0;
	return in.version == 4 ? build_v4(error, mtu, from, pkt, in.total_len, out)
			       : build_v6(error, mtu, from, pkt, in.total_len, out);
}
