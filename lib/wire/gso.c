// SPDX-License-Identifier: BSD-3-Clause
#include "wire/gso.h"

#include "base/cursor.h"

#include <errno.h>

enum {
	V4_LEN = 2,
	V4_ID = 4,
	V4_FRAG = 6,
	V4_CSUM = 10,
	V4_DF = 0x4000,
	V4_FRAGMENT = 0x3fff, // more fragments, or an offset
	V6_LEN = 4,
	V6_HOP_BY_HOP = 0, // extension headers, RFC 8200 section 4
	V6_ROUTING = 43,
	V6_DESTINATION = 60,

	TCP_LEN = 20,
	TCP_SEQ = 4,
	TCP_ACK = 8,
	TCP_OFF = 12,
	TCP_FLAGS = 13,
	TCP_WINDOW = 14,
	TCP_CSUM = 16,
	TCP_URGENT = 18,
	FIN = 0x01,
	PSH = 0x08,
	ACK = 0x10,
	CWR = 0x80,

	UDP_LENGTH = 4,
	UDP_CSUM = 6,
	UDP_SEGMENTS = 64, // Linux's UDP_MAX_SEGMENTS, the lowest of all versions
};

// IP's part of the pseudo header, from where it lies. sum of words as stored, like all sums here.
static uint32_t pseudo_sum(const uint8_t *pkt, uint8_t version, uint8_t protocol, uint32_t l4_len)
{
	uint32_t sum = __builtin_bswap16((uint16_t)l4_len) + ((uint32_t)protocol << 8);
	return version == 4 ? xy_csum_add(sum, pkt + 12, 8) : xy_csum_add(sum, pkt + 8, 32);
}

static unsigned csum_offset(uint8_t protocol)
{
	return protocol == XY_PROTO_TCP ? TCP_CSUM : UDP_CSUM;
}

static void set_ip_len(uint8_t *pkt, uint8_t version, uint16_t l3_len, uint32_t len)
{
	if (version == 6) {
		xy_be16_store(pkt + V6_LEN, (uint16_t)(len - XY_IPV6_LEN));
		return;
	}
	xy_be16_store(pkt + V4_LEN, (uint16_t)len);
	xy_be16_store(pkt + V4_CSUM, 0);
	xy_le16_store(pkt + V4_CSUM, xy_csum_fold(xy_csum_add(0, pkt, l3_len)));
}

// The L4 checksum of a whole packet, whatever stood in its place.
static void set_l4_csum(uint8_t *pkt, const struct xy_gso_cut *cut, uint32_t len)
{
	uint32_t l4_len = len - cut->l3_len;
	uint8_t *l4 = pkt + cut->l3_len, *at = l4 + csum_offset(cut->protocol);
	xy_le16_store(at, 0);
	uint32_t sum = (uint32_t)cut->pseudo + __builtin_bswap16((uint16_t)l4_len);
	uint16_t csum = xy_csum_fold(xy_csum_add(sum, l4, l4_len));
	if (csum == 0 && cut->protocol == XY_PROTO_UDP)
		csum = 0xffff; // 0 says "none" (RFC 768)
	xy_le16_store(at, csum);
}

// A plain packet whose sender left the sum from csum_start on to us.
static int complete_csum(const struct xy_vnet *vnet, const struct xy_inner *in, uint8_t *pkt)
{
	uint32_t start = vnet->csum_start, at = start + vnet->csum_offset;
	if (start < in->header_len || at + 2 > in->total_len)
		return -EBADMSG;
	uint16_t csum = xy_csum_fold(xy_csum_add(0, pkt + start, in->total_len - start));
	if (csum == 0 && vnet->csum_offset == UDP_CSUM)
		csum = 0xffff;
	xy_le16_store(pkt + at, csum);
	return 0;
}

// The length of the L4 header, or -EBADMSG.
static int l4_header_len(const uint8_t *l4, uint8_t protocol, uint32_t l4_len)
{
	if (protocol == XY_PROTO_UDP)
		return l4_len >= XY_UDP_LEN ? XY_UDP_LEN : -EBADMSG;
	if (protocol != XY_PROTO_TCP || l4_len < TCP_LEN)
		return -EBADMSG;
	uint32_t n = (l4[TCP_OFF] >> 4) * 4U;
	return n >= TCP_LEN && n <= l4_len ? (int)n : -EBADMSG;
}

// Over IPv6 extension headers, each of which says what follows it. The length up to what is none of
// those that hosts put before TCP and UDP, or -EBADMSG.
static int skip_extensions(struct xy_gso_cut *cut)
{
	struct xy_cursor c = xy_cursor(cut->pkt, cut->len);
	xy_cursor_take(&c, XY_IPV6_LEN);
	while (cut->protocol == V6_HOP_BY_HOP || cut->protocol == V6_ROUTING ||
	       cut->protocol == V6_DESTINATION) {
		uint8_t next = xy_cursor_u8(&c), units = xy_cursor_u8(&c);
		xy_cursor_take(&c, 6 + 8U * units);
		if (c.bad)
			return -EBADMSG;
		cut->protocol = next;
	}
	return (int)(cut->len - xy_cursor_left(&c));
}

// The pseudo header's part of the sums. Behind extension headers, what the kernel put in the sum's
// place is it, with the length of the whole: a routing header changes the destination in it.
static int find_pseudo(struct xy_gso_cut *cut, const struct xy_vnet *vnet, bool extended)
{
	uint32_t l4_len = cut->len - cut->l3_len, sum;
	if (extended && !(vnet->flags & XY_VNET_NEEDS_CSUM))
		return -EBADMSG;
	if (extended)
		sum = (uint32_t)xy_le16_load(cut->pkt + cut->l3_len + csum_offset(cut->protocol)) +
		      (uint16_t)~__builtin_bswap16((uint16_t)l4_len);
	else
		sum = pseudo_sum(cut->pkt, cut->version, cut->protocol, 0);
	cut->pseudo = (uint16_t)~xy_csum_fold(sum);
	return 0;
}

static bool type_matches(uint8_t type, const struct xy_gso_cut *cut)
{
	if (type == XY_VNET_GSO_UDP_L4)
		return cut->protocol == XY_PROTO_UDP;
	return cut->protocol == XY_PROTO_TCP && cut->version == (type == XY_VNET_GSO_TCPV4 ? 4 : 6);
}

static bool is_fragment(const uint8_t *pkt, const struct xy_inner *in)
{
	return in->version == 4 && (xy_be16_load(pkt + V4_FRAG) & V4_FRAGMENT) != 0;
}

// Finds the headers that each packet gets, and what of the sums is common to all.
static int find_headers(struct xy_gso_cut *cut, const struct xy_vnet *vnet, uint8_t type,
			const struct xy_inner *in)
{
	int l3 = in->version == 6 ? skip_extensions(cut) : in->header_len;
	if (l3 < 0 || !type_matches(type, cut) || is_fragment(cut->pkt, in))
		return -EBADMSG;
	cut->l3_len = (uint16_t)l3;
	int l4 = l4_header_len(cut->pkt + l3, cut->protocol, cut->len - cut->l3_len);
	if (l4 < 0)
		return l4;
	if ((vnet->flags & XY_VNET_NEEDS_CSUM) &&
	    (vnet->csum_start != l3 || vnet->csum_offset != csum_offset(cut->protocol)))
		return -EBADMSG;
	cut->hdr_len = (uint16_t)(l3 + l4);
	return find_pseudo(cut, vnet, l3 > in->header_len);
}

// vnet->hdr_len is a hint that senders get wrong; the packet's own headers count.
static int begin_segment(struct xy_gso_cut *cut, const struct xy_vnet *vnet, uint8_t type,
			 const struct xy_inner *in)
{
	int r = vnet->gso_size ? find_headers(cut, vnet, type, in) : -EBADMSG;
	if (r)
		return r;
	uint32_t payload = cut->len - cut->hdr_len;
	cut->size = vnet->gso_size;
	cut->count = (uint16_t)((payload + cut->size - 1) / cut->size);
	if (cut->count > 1)
		return cut->count;
	cut->count = 1;
	if (cut->protocol == XY_PROTO_UDP)
		xy_be16_store(cut->pkt + cut->l3_len + UDP_LENGTH,
			      (uint16_t)(XY_UDP_LEN + payload));
	set_l4_csum(cut->pkt, cut, cut->len);
	return 1;
}

int xy_gso_cut_begin(struct xy_gso_cut *cut, const struct xy_vnet *vnet, uint8_t *pkt, uint32_t len)
{
	struct xy_inner in;
	uint8_t type = vnet->gso_type & (uint8_t)~XY_VNET_GSO_ECN;
	if (type != XY_VNET_GSO_NONE && type != XY_VNET_GSO_TCPV4 && type != XY_VNET_GSO_TCPV6 &&
	    type != XY_VNET_GSO_UDP_L4)
		return -EOPNOTSUPP;
	if (xy_inner_parse(pkt, len, &in) < 0)
		return -EBADMSG;
	*cut = (struct xy_gso_cut){
		.pkt = pkt,
		.len = in.total_len,
		.count = 1,
		.version = in.version,
		.protocol = in.protocol,
	};
	if (type != XY_VNET_GSO_NONE)
		return begin_segment(cut, vnet, type, &in);
	int rc = vnet->flags & XY_VNET_NEEDS_CSUM ? complete_csum(vnet, &in, pkt) : 0;
	return rc < 0 ? rc : 1;
}

static void cut_tcp(const struct xy_gso_cut *cut, unsigned i, uint8_t *tcp)
{
	xy_be32_store(tcp + TCP_SEQ, xy_be32_load(tcp + TCP_SEQ) + i * cut->size);
	if (i + 1 < cut->count)
		tcp[TCP_FLAGS] &= (uint8_t) ~(FIN | PSH);
	if (i > 0)
		tcp[TCP_FLAGS] &= (uint8_t)~CWR; // RFC 3168, 6.1.2: said once
}

int xy_gso_cut_next(const struct xy_gso_cut *cut, unsigned i, uint8_t *out, uint32_t room)
{
	if (i >= cut->count)
		return -EINVAL;
	if (cut->count == 1) {
		if (room < cut->len)
			return -ENOSPC;
		memcpy(out, cut->pkt, cut->len);
		return (int)cut->len;
	}
	uint32_t at = cut->hdr_len + i * cut->size, n = cut->len - at;
	if (n > cut->size)
		n = cut->size;
	uint32_t len = cut->hdr_len + n;
	if (room < len)
		return -ENOSPC;
	memcpy(out, cut->pkt, cut->hdr_len);
	memcpy(out + cut->hdr_len, cut->pkt + at, n);
	if (cut->version == 4)
		xy_be16_store(out + V4_ID, (uint16_t)(xy_be16_load(out + V4_ID) + i));
	set_ip_len(out, cut->version, cut->l3_len, len);
	if (cut->protocol == XY_PROTO_TCP)
		cut_tcp(cut, i, out + cut->l3_len);
	else
		xy_be16_store(out + cut->l3_len + UDP_LENGTH, (uint16_t)(len - cut->l3_len));
	set_l4_csum(out, cut, len);
	return (int)len;
}

// IP as GRO wants it. The IPv4 sum is checked since _finish writes a right one: joining must not
// mend what the receiver would have dropped.
static bool ip_can_join(const uint8_t *pkt, const struct xy_inner *in)
{
	if (in->protocol != XY_PROTO_TCP && in->protocol != XY_PROTO_UDP)
		return false;
	if (in->version == 6)
		return true;
	return in->header_len == XY_IPV4_MIN_LEN && xy_be16_load(pkt + V4_FRAG) == V4_DF &&
	       xy_csum_fold(xy_csum_add(0, pkt, XY_IPV4_MIN_LEN)) == 0;
}

static bool l4_can_join(const uint8_t *l4, uint8_t protocol, uint32_t l4_len)
{
	if (protocol == XY_PROTO_UDP)
		return xy_be16_load(l4 + UDP_LENGTH) == l4_len && xy_le16_load(l4 + UDP_CSUM) != 0;
	return (l4[TCP_FLAGS] & ~PSH) == ACK;
}

static bool classify(struct xy_gro_item *it, const struct xy_inner *in)
{
	if (!ip_can_join(it->pkt, in))
		return false;
	const uint8_t *l4 = it->pkt + in->header_len;
	uint32_t l4_len = it->len - in->header_len;
	int n = l4_header_len(l4, in->protocol, l4_len);
	if (n < 0 || (uint32_t)n == l4_len || !l4_can_join(l4, in->protocol, l4_len))
		return false;
	uint32_t sum = pseudo_sum(it->pkt, in->version, in->protocol, l4_len);
	if (xy_csum_fold(xy_csum_add(sum, l4, l4_len)) != 0)
		return false;
	it->l3_len = in->header_len;
	it->hdr_len = (uint16_t)(in->header_len + n);
	it->size = (uint16_t)(l4_len - (uint32_t)n);
	if (in->protocol == XY_PROTO_TCP) {
		it->next_seq = xy_be32_load(l4 + TCP_SEQ) + it->size;
		it->closed = l4[TCP_FLAGS] & PSH;
	}
	return true;
}

bool xy_gro_begin(struct xy_gro_item *it, uint8_t *pkt, uint32_t len)
{
	struct xy_inner in;
	*it = (struct xy_gro_item){.pkt = pkt, .len = len, .count = 1};
	if (xy_inner_parse(pkt, len, &in) == 0) {
		it->len = in.total_len;
		it->version = in.version;
		it->protocol = in.protocol;
		if (classify(it, &in))
			return true;
	}
	it->closed = true;
	return false;
}

// Bytes [at, at + n) are the same in both.
static bool same(const uint8_t *a, const uint8_t *b, unsigned at, unsigned n)
{
	return memcmp(a + at, b + at, n) == 0;
}

// The IPv4 id is not compared: with DF it says nothing (RFC 6864).
static bool same_ip(const uint8_t *a, const uint8_t *b, uint8_t version)
{
	if (version == 4)
		return a[1] == b[1] && a[8] == b[8] && same(a, b, 12, 8);
	return same(a, b, 0, 4) && a[7] == b[7] && same(a, b, 8, 32);
}

static bool same_tcp(const uint8_t *a, const uint8_t *b, unsigned len)
{
	return same(a, b, 0, 4) && same(a, b, TCP_ACK, 4) && a[TCP_OFF] == b[TCP_OFF] &&
	       same(a, b, TCP_WINDOW, 2) && same(a, b, TCP_URGENT, len - TCP_URGENT);
}

bool xy_gro_continues(const struct xy_gro_item *a, const struct xy_gro_item *b, uint32_t max)
{
	if (a->closed || b->hdr_len == 0 || b->count != 1 || a->version != b->version ||
	    a->protocol != b->protocol || a->hdr_len != b->hdr_len || b->size > a->size)
		return false;
	uint32_t len = a->len + b->size;
	if (len > max || len > UINT16_MAX)
		return false;
	const uint8_t *l4a = a->pkt + a->l3_len, *l4b = b->pkt + b->l3_len;
	if (a->protocol == XY_PROTO_UDP)
		return a->count < UDP_SEGMENTS && same(l4a, l4b, 0, 4) &&
		       same_ip(a->pkt, b->pkt, a->version);
	return xy_be32_load(l4b + TCP_SEQ) == a->next_seq &&
	       same_tcp(l4a, l4b, (unsigned)(a->hdr_len - a->l3_len)) &&
	       same_ip(a->pkt, b->pkt, a->version);
}

void xy_gro_join(struct xy_gro_item *a, const struct xy_gro_item *b)
{
	a->len += b->size;
	a->next_seq += b->size;
	a->count++;
	a->closed = b->closed || b->size < a->size;
	if (a->protocol == XY_PROTO_TCP)
		a->pkt[a->l3_len + TCP_FLAGS] |= b->pkt[b->l3_len + TCP_FLAGS] & PSH;
}

static uint8_t vnet_type(const struct xy_gro_item *it)
{
	if (it->protocol == XY_PROTO_UDP)
		return XY_VNET_GSO_UDP_L4;
	return it->version == 4 ? XY_VNET_GSO_TCPV4 : XY_VNET_GSO_TCPV6;
}

void xy_gro_finish(struct xy_gro_item *it, struct xy_vnet *vnet)
{
	*vnet = (struct xy_vnet){0};
	if (it->count < 2)
		return;
	uint32_t l4_len = it->len - it->l3_len;
	uint8_t *l4 = it->pkt + it->l3_len;
	set_ip_len(it->pkt, it->version, it->l3_len, it->len);
	if (it->protocol == XY_PROTO_UDP)
		xy_be16_store(l4 + UDP_LENGTH, (uint16_t)l4_len);
	// The pseudo header's sum alone, not complemented: the kernel adds the rest.
	uint32_t sum = pseudo_sum(it->pkt, it->version, it->protocol, l4_len);
	xy_le16_store(l4 + csum_offset(it->protocol), (uint16_t)~xy_csum_fold(sum));
	*vnet = (struct xy_vnet){
		.flags = XY_VNET_NEEDS_CSUM,
		.gso_type = vnet_type(it),
		.hdr_len = it->hdr_len,
		.gso_size = it->size,
		.csum_start = it->l3_len,
		.csum_offset = (uint16_t)csum_offset(it->protocol),
	};
}
