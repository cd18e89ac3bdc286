// SPDX-License-Identifier: BSD-3-Clause
#include "base/bytes.h"
#include "unit.h"
#include "wire/gso.h"

#include <errno.h>
#include <stdlib.h>

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128 };

struct made {					   // what a packet is made of
	uint8_t version, protocol, flags, options; // options: bytes in the TCP header, times 4
	uint32_t seq, payload;
	uint16_t id;
};

static uint8_t payload_byte(uint32_t seq)
{
	return (uint8_t)(seq * 167 + (seq >> 8));
}

// The obviously right sum: byte by byte over a pseudo header written out.
static uint16_t slow_l4_csum(const uint8_t *p, uint32_t len)
{
	unsigned v6 = p[0] >> 4 == 6, l3 = v6 ? 40 : (p[0] & 15) * 4U, n = v6 ? 16 : 4;
	uint64_t sum = v6 ? p[6] : p[9];
	sum += len - l3;
	for (unsigned i = 0; i < 2 * n; i++)
		sum += (uint64_t)p[(v6 ? 8 : 12) + i] << (i & 1 ? 0 : 8);
	for (unsigned i = 0; i < len - l3; i++)
		sum += (uint64_t)p[l3 + i] << (i & 1 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint16_t slow_ip_csum(const uint8_t *p)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < (p[0] & 15) * 4U; i++)
		sum += (uint64_t)p[i] << (i & 1 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static unsigned l3_of(const uint8_t *p)
{
	return p[0] >> 4 == 6 ? 40 : (p[0] & 15) * 4U;
}

static uint8_t *l4_csum_of(uint8_t *p)
{
	uint8_t protocol = p[0] >> 4 == 6 ? p[6] : p[9];
	return p + l3_of(p) + (protocol == XY_PROTO_TCP ? 16 : 6);
}

static void seal_ip(uint8_t *p)
{
	if (p[0] >> 4 != 4)
		return;
	xy_be16_store(p + 10, 0);
	xy_be16_store(p + 10, slow_ip_csum(p));
}

static void seal_l4(uint8_t *p, uint32_t len)
{
	uint8_t *at = l4_csum_of(p);
	xy_be16_store(at, 0);
	uint16_t c = slow_l4_csum(p, len);
	bool udp = at - p == l3_of(p) + 6;
	xy_be16_store(at, c == 0 && udp ? 0xffff : c);
}

static uint32_t make(uint8_t *p, const struct made *m)
{
	unsigned l3 = m->version == 6 ? 40 : 20;
	unsigned l4 = m->protocol == XY_PROTO_TCP ? 20 + m->options * 4U : 8;
	uint32_t len = l3 + l4 + m->payload;
	memset(p, 0, l3 + l4);
	if (m->version == 6) {
		xy_be32_store(p, 0x62123456);
		xy_be16_store(p + 4, (uint16_t)(len - 40));
		p[6] = m->protocol;
		p[7] = 64;
		memcpy(p + 8, "\x02\x7f\1\2\3\4\5\6\7\x08\1\2\3\4\5\6", 16);
		memcpy(p + 24, "\x02\xe4\1\2\3\4\5\6\7\x08\1\2\3\4\5\7", 16);
	} else {
		p[0] = 0x45;
		p[1] = 0x22;
		xy_be16_store(p + 2, (uint16_t)len);
		xy_be16_store(p + 4, m->id);
		p[6] = 0x40;
		p[8] = 64;
		p[9] = m->protocol;
		memcpy(p + 12, "\xc0\0\2\1\xc6\x33\x64\7", 8);
	}
	uint8_t *q = p + l3;
	xy_be32_store(q, 0x9c40115c);
	if (m->protocol == XY_PROTO_TCP) {
		xy_be32_store(q + 4, m->seq);
		xy_be32_store(q + 8, 0x01020304);
		q[12] = (uint8_t)(l4 / 4 << 4);
		q[13] = m->flags;
		xy_be16_store(q + 14, 502);
		for (unsigned i = 20; i < l4; i++)
			q[i] = (uint8_t)(i + 1);
	} else {
		xy_be16_store(q + 4, (uint16_t)(8 + m->payload));
	}
	for (uint32_t i = 0; i < m->payload; i++)
		q[l4 + i] = payload_byte(m->seq + i);
	seal_ip(p);
	seal_l4(p, len);
	return len;
}

static bool csums_good(uint8_t *p, uint32_t len)
{
	uint8_t copy[65536];
	memcpy(copy, p, len);
	seal_ip(copy);
	seal_l4(copy, len);
	return memcmp(copy, p, len) == 0;
}

static struct xy_vnet vnet_for(const struct made *m, uint16_t size)
{
	bool tcp = m->protocol == XY_PROTO_TCP, v6 = m->version == 6;
	return (struct xy_vnet){
		.flags = XY_VNET_NEEDS_CSUM,
		.gso_type = !tcp ? XY_VNET_GSO_UDP_L4
			    : v6 ? XY_VNET_GSO_TCPV6
				 : XY_VNET_GSO_TCPV4,
		.gso_size = size,
		.csum_start = v6 ? 40 : 20,
		.csum_offset = tcp ? 16 : 6,
	};
}

static struct made random_made(void)
{
	return (struct made){
		.version = rand() & 1 ? 4 : 6,
		.protocol = rand() & 1 ? XY_PROTO_TCP : XY_PROTO_UDP,
		.flags = ACK,
		.options = (uint8_t)(rand() % 11),
		.seq = (uint32_t)rand() * 2,
		.id = (uint16_t)rand(),
	};
}

static uint8_t super[65536 + 64], packet[65536], want[65536], joined[65536];

// Each packet of a cut is compared with the packet that its sender would have made by itself.
static void test_cut_random(void)
{
	srand(5);
	for (unsigned round = 0; round < 1500; round++) {
		struct made m = random_made(), one = m;
		bool tcp = m.protocol == XY_PROTO_TCP;
		if (!tcp)
			m.options = 0;
		m.payload = 1 + (uint32_t)rand() % (rand() & 1 ? 64000 : 3000);
		m.flags = (uint8_t)(ACK | (rand() & (FIN | PSH | CWR | ECE)));
		uint16_t size = (uint16_t)(1 + rand() % (m.payload > 5000 ? 9000 : 1400));
		uint32_t len = make(super, &m);
		struct xy_vnet v = vnet_for(&m, size);
		struct xy_gso_cut cut;
		uint16_t spoiled = (uint16_t)rand(); // the sender left anything there
		memcpy(l4_csum_of(super), &spoiled, 2);
		if (rand() & 1)
			v.gso_type |= XY_VNET_GSO_ECN;
		int count = xy_gso_cut_begin(&cut, &v, super, len + (uint32_t)rand() % 16);
		CU_ASSERT_EQUAL_FATAL(count, (int)((m.payload + size - 1) / size));
		for (unsigned i = 0; i < (unsigned)count; i++) {
			bool last = i + 1 == (unsigned)count;
			one = m;
			one.seq += i * size;
			one.id = (uint16_t)(m.id + i);
			one.payload = last ? m.payload - i * size : size;
			one.flags = (uint8_t)(m.flags & ~((last ? 0 : FIN | PSH) | (i ? CWR : 0)));
			uint32_t n = make(want, &one);
			CU_ASSERT_EQUAL(xy_gso_cut_next(&cut, i, packet, n - 1), -ENOSPC);
			CU_ASSERT_EQUAL_FATAL(xy_gso_cut_next(&cut, i, packet, n), (int)n);
			if (memcmp(packet, want, n) != 0)
				CU_FAIL("a cut packet differs from one that was made alone");
		}
		CU_ASSERT_EQUAL(xy_gso_cut_next(&cut, (unsigned)count, packet, 65536), -EINVAL);
	}
}

static void test_cut_plain(void)
{
	static const struct xy_vnet none;
	struct made m = {.version = 4, .protocol = XY_PROTO_UDP, .payload = 101};
	struct xy_gso_cut cut;
	for (unsigned i = 0; i < 4; i++) {
		m.version = i & 1 ? 6 : 4;
		m.protocol = i & 2 ? XY_PROTO_TCP : XY_PROTO_UDP;
		uint32_t len = make(want, &m);
		memcpy(super, want, len);
		CU_ASSERT_EQUAL(xy_gso_cut_begin(&cut, &none, super, len), 1);
		CU_ASSERT_EQUAL(xy_gso_cut_next(&cut, 0, packet, len), (int)len);
		CU_ASSERT_EQUAL(memcmp(packet, want, len), 0);
		// As the kernel leaves it: the pseudo header's sum stands in the field.
		struct xy_vnet v = vnet_for(&m, 0);
		v.gso_type = 0;
		struct xy_addr src = xy_inner_src(super, m.version),
			       dst = xy_inner_dst(super, m.version);
		uint32_t sum = xy_csum_pseudo(&src, &dst, m.protocol, len - l3_of(super));
		xy_le16_store(l4_csum_of(super), (uint16_t)~xy_csum_fold(sum));
		CU_ASSERT_EQUAL(xy_gso_cut_begin(&cut, &v, super, len), 1);
		CU_ASSERT_EQUAL(memcmp(super, want, len), 0);
	}
}

// A UDP sum that comes out as zero is sent as 0xffff, since zero says "none".
static void test_cut_udp_zero_csum(void)
{
	struct made m = {.version = 6, .protocol = XY_PROTO_UDP, .payload = 30};
	struct xy_vnet v = vnet_for(&m, 20);
	struct xy_gso_cut cut;
	uint32_t len = make(super, &m), one = 48 + 20;
	CU_ASSERT_EQUAL(xy_gso_cut_begin(&cut, &v, super, len), 2);
	CU_ASSERT_EQUAL(xy_gso_cut_next(&cut, 0, packet, one), (int)one);
	xy_be16_store(super + 48, 0); // the first two bytes of the payload take up the rest
	xy_gso_cut_next(&cut, 0, packet, one);
	xy_be16_store(super + 48, xy_be16_load(packet + 46));
	CU_ASSERT_EQUAL(xy_gso_cut_next(&cut, 0, packet, one), (int)one);
	CU_ASSERT_EQUAL(xy_be16_load(packet + 46), 0xffff);
}

static void test_cut_refused(void)
{
	struct xy_gso_cut cut;
	for (unsigned i = 0; i < 17; i++) {
		struct made m = {
			.version = 4, .protocol = XY_PROTO_TCP, .flags = ACK, .payload = 3000};
		uint32_t len = make(super, &m);
		struct xy_vnet v = vnet_for(&m, 1000);
		int rc = -EBADMSG;
		switch (i) {
		case 0:
			rc = 3;
			break;
		case 1:
			v.gso_type = 3;
			rc = -EOPNOTSUPP;
			break; // UFO
		case 2:
			v.gso_type = XY_VNET_GSO_TCPV6;
			break;
		case 3:
			v.gso_type = XY_VNET_GSO_UDP_L4;
			break;
		case 4:
			v.gso_size = 0;
			break;
		case 5:
			len--;
			break;
		case 6:
			v.csum_start++;
			break;
		case 7:
			v.csum_offset = 6;
			break;
		case 8:
			super[32] = 0x40;
			break; // data offset 16
		case 9:
			xy_be16_store(super + 2, 39);
			break; // no room for TCP
		case 10:
			super[6] = 0x20;
			break; // a fragment
		case 11:
			super[7] = 1;
			break; // a later one
		case 12:
			v.gso_type = 0;
			v.csum_start = 19;
			break;
		case 13:
			v.gso_type = 0;
			v.csum_start = 3039;
			v.csum_offset = 0;
			break;
		case 14:
			v.gso_type = 0;
			v.csum_start = 0xffff;
			v.csum_offset = 0xffff;
			break;
		case 15:
			super[0] = 0x55;
			break;
		case 16:
			super[32] = 0xf0;
			xy_be16_store(super + 2, 60);
			break; // options cut
		}
		CU_ASSERT_EQUAL(xy_gso_cut_begin(&cut, &v, super, len), rc);
	}
}

// Puts extension headers into an IPv6 packet, as kinds names them: 0 hop by hop, 43 routing, 60
// destination options, 44 fragment; each of 8 bytes and 8 more for each one before it. A routing
// header makes another hop the destination. Returns the new length.
static uint32_t extend(uint8_t *p, uint32_t len, const uint8_t *kinds, unsigned count)
{
	static uint8_t copy[65536];
	uint32_t ext = 0;
	memcpy(copy, p, len);
	uint8_t *next = p + 6, last = p[6];
	for (unsigned i = 0; i < count; i++) {
		uint8_t *e = p + 40 + ext;
		memset(e, 0, 8 * (i + 1));
		*next = kinds[i];
		next = e;
		e[1] = (uint8_t)i;
		if (kinds[i] == 43)
			p[24 + 15] ^= 0x55;
		ext += 8 * (i + 1);
	}
	*next = last;
	memcpy(p + 40 + ext, copy + 40, len - 40);
	xy_be16_store(p + 4, (uint16_t)(len - 40 + ext));
	return len + ext;
}

// The super packet of m, with extension headers, as the kernel leaves it: the pseudo header's sum,
// to the destination at the end, stands in the place of the sum.
static uint32_t make_extended(const struct made *m, const uint8_t *kinds, unsigned count)
{
	uint32_t len = make(super, m);
	struct xy_addr src = xy_inner_src(super, 6), dst = xy_inner_dst(super, 6);
	uint32_t sum = xy_csum_pseudo(&src, &dst, m->protocol, len - 40);
	xy_le16_store(l4_csum_of(super), (uint16_t)~xy_csum_fold(sum));
	return extend(super, len, kinds, count);
}

static const struct {
	uint8_t kinds[3];
	unsigned count;
	uint16_t l4; // where TCP or UDP begins
} chains[] = {
	{{60}, 1, 48}, {{0}, 1, 48}, {{43}, 1, 48}, {{0, 60}, 2, 64}, {{0, 43, 60}, 3, 88},
};

static void check_extended(const struct made *m, unsigned chain, uint16_t size)
{
	struct xy_gso_cut cut;
	struct xy_vnet v = vnet_for(m, size);
	uint32_t len = make_extended(m, chains[chain].kinds, chains[chain].count);
	v.csum_start = chains[chain].l4;
	int count = (int)((m->payload + size - 1) / size);
	CU_ASSERT_EQUAL_FATAL(xy_gso_cut_begin(&cut, &v, super, len), count);
	for (unsigned i = 0; i < (unsigned)count; i++) {
		struct made one = *m;
		one.seq += i * size;
		one.payload = i + 1 == (unsigned)count ? m->payload - i * size : size;
		uint32_t n =
			extend(want, make(want, &one), chains[chain].kinds, chains[chain].count);
		CU_ASSERT_EQUAL_FATAL(xy_gso_cut_next(&cut, i, packet, n), (int)n);
		CU_ASSERT_EQUAL(memcmp(packet, want, n), 0);
	}
}

static void test_cut_extensions(void)
{
	for (unsigned chain = 0; chain < sizeof(chains) / sizeof(chains[0]); chain++)
		for (unsigned i = 0; i < 8; i++) {
			struct made m = {.version = 6,
					 .protocol = i & 1 ? XY_PROTO_TCP : XY_PROTO_UDP,
					 .flags = ACK,
					 .seq = 77,
					 .payload = i & 2 ? 5001 : 900};
			check_extended(&m, chain, i & 4 ? 1201 : 1000);
		}
}

static void test_cut_extensions_refused(void)
{
	static const uint8_t destination[] = {60}, fragment[] = {44};
	struct xy_gso_cut cut;
	for (unsigned i = 0; i < 7; i++) {
		struct made m = {
			.version = 6, .protocol = XY_PROTO_TCP, .flags = ACK, .payload = 3000};
		struct xy_vnet v = vnet_for(&m, 1000);
		uint32_t len = make_extended(&m, i == 1 ? fragment : destination, 1);
		v.csum_start = 48;
		int rc = -EBADMSG;
		switch (i) {
		case 0:
			rc = 3;
			break;
		case 2:
			v.csum_start = 40;
			break;
		case 3:
			v.flags = 0; // whose sum, to which destination?
			break;
		case 4:
			super[41] = 255; // as long as that, but the packet is longer
			break;
		case 5:
			xy_be16_store(super + 4, 7); // it ends in the header
			len = 47;
			break;
		case 6:
			super[40] = 59; // nothing follows
			break;
		}
		CU_ASSERT_EQUAL(xy_gso_cut_begin(&cut, &v, super, len), rc);
	}
}

// Joins as the host interface does; returns how many packets the first segment took.
static unsigned join(struct xy_gro_item *a, uint8_t *buf, const struct made *m, unsigned n,
		     uint32_t max)
{
	struct xy_gro_item b;
	uint32_t len = make(buf, &m[0]);
	if (!xy_gro_begin(a, buf, len))
		return 1;
	for (unsigned i = 1; i < n; i++) {
		len = make(packet, &m[i]);
		xy_gro_begin(&b, packet, len);
		if (!xy_gro_continues(a, &b, max))
			return i;
		memcpy(buf + a->len, packet + b.hdr_len, b.len - b.hdr_len);
		xy_gro_join(a, &b);
	}
	return n;
}

static void test_join_then_cut(void)
{
	srand(6);
	for (unsigned round = 0; round < 1500; round++) {
		struct made m[48], first = random_made();
		unsigned n = 2 + (unsigned)rand() % 46;
		uint32_t size = 1 + (uint32_t)rand() % 1300;
		if (first.protocol == XY_PROTO_UDP)
			first.options = 0;
		for (unsigned i = 0; i < n; i++) {
			m[i] = first;
			m[i].seq += i * size;
			m[i].id = (uint16_t)(first.id + i);
			m[i].payload = i + 1 < n ? size : 1 + (uint32_t)rand() % size;
		}
		if (first.protocol == XY_PROTO_TCP && rand() & 1)
			m[n - 1].flags |= PSH;
		struct xy_gro_item a;
		struct xy_vnet v;
		struct xy_gso_cut cut;
		CU_ASSERT_EQUAL_FATAL(join(&a, joined, m, n, 65535), n);
		xy_gro_finish(&a, &v);
		CU_ASSERT_EQUAL(v.gso_size, size);
		CU_ASSERT_EQUAL(v.hdr_len, a.hdr_len);
		// The segment is a right packet once the pseudo header's sum is completed.
		struct xy_vnet whole = v;
		memcpy(super, joined, a.len);
		whole.gso_type = XY_VNET_GSO_NONE;
		CU_ASSERT_EQUAL(xy_gso_cut_begin(&cut, &whole, super, a.len), 1);
		CU_ASSERT(csums_good(super, a.len));
		CU_ASSERT_EQUAL_FATAL(xy_gso_cut_begin(&cut, &v, joined, a.len), (int)n);
		for (unsigned i = 0; i < n; i++) {
			uint32_t len = make(want, &m[i]);
			CU_ASSERT_EQUAL(xy_gso_cut_next(&cut, i, packet, 65536), (int)len);
			if (memcmp(packet, want, len) != 0)
				CU_FAIL("cut and joined is not what it was");
		}
	}
}

static void test_join_limits(void)
{
	struct made m[80];
	struct xy_gro_item a;
	for (unsigned i = 0; i < 80; i++)
		m[i] = (struct made){.version = 6, .protocol = XY_PROTO_UDP, .payload = 10};
	CU_ASSERT_EQUAL(join(&a, joined, m, 80, 65535), 64); // UDP_MAX_SEGMENTS
	CU_ASSERT_EQUAL(join(&a, joined, m, 80, 48 + 100), 10);
	for (unsigned i = 0; i < 80; i++)
		m[i] = (struct made){.version = 6,
				     .protocol = XY_PROTO_TCP,
				     .flags = ACK,
				     .seq = i * 1000,
				     .payload = 1000};
	CU_ASSERT_EQUAL(join(&a, joined, m, 80, 1000000), 65); // 65,535 bytes at most
	m[1].payload = 999;				       // short: the last
	m[2].seq = 1999;
	CU_ASSERT_EQUAL(join(&a, joined, m, 80, 65535), 2);
	m[1].payload = 1001; // longer than the first
	CU_ASSERT_EQUAL(join(&a, joined, m, 80, 65535), 1);
	m[1].payload = 1000;
	m[1].flags |= PSH; // ends it
	m[2].seq = 2000;
	CU_ASSERT_EQUAL(join(&a, joined, m, 80, 65535), 2);
	m[0].flags |= PSH;
	CU_ASSERT_EQUAL(join(&a, joined, m, 80, 65535), 1);
}

// Every byte of the second packet's header changed, one at a time: none but the few that may differ
// can still be joined, even with right checksums.
static void test_join_header_bytes(void)
{
	for (unsigned kind = 0; kind < 4; kind++) {
		struct made m = {.version = kind & 1 ? 6 : 4,
				 .options = 3,
				 .flags = ACK,
				 .protocol = kind & 2 ? XY_PROTO_TCP : XY_PROTO_UDP,
				 .payload = 500};
		struct made next = m;
		struct xy_gro_item a, b;
		next.seq += 500;
		uint32_t len = make(joined, &m);
		CU_ASSERT_FATAL(xy_gro_begin(&a, joined, len));
		unsigned l3 = m.version == 6 ? 40 : 20, csum = l3 + (kind & 2 ? 16 : 6);
		for (unsigned at = 0; at < a.hdr_len; at++) {
			for (unsigned bit = 0; bit < 8; bit++) {
				make(packet, &next);
				packet[at] ^= (uint8_t)(1 << bit);
				bool id = m.version == 4 && (at == 4 || at == 5);
				bool psh = kind & 2 && at == l3 + 13 && bit == 3;
				bool sum = at == csum || at == csum + 1 ||
					   (m.version == 4 && (at == 10 || at == 11));
				if (!sum && at > 0 && !(kind & 2 && at == l3 + 12)) {
					seal_ip(packet);
					seal_l4(packet, len);
				}
				bool ok = xy_gro_begin(&b, packet, len) &&
					  xy_gro_continues(&a, &b, 65535);
				CU_ASSERT_EQUAL(ok, id || psh);
			}
		}
		make(packet, &next); // payload spoiled: the checksum tells
		packet[len - 1] ^= 1;
		CU_ASSERT_FALSE(xy_gro_begin(&b, packet, len));
		CU_ASSERT_FALSE(xy_gro_continues(&a, &b, 65535));
	}
}

// Each kind after each other one, alike in all that both have: never joined, though two headers of
// two kinds may be of one length.
static void test_join_kinds(void)
{
	static const struct made kinds[] = {
		{.version = 4, .protocol = XY_PROTO_UDP},
		{.version = 6, .protocol = XY_PROTO_UDP},
		{.version = 4, .protocol = XY_PROTO_TCP, .flags = ACK},
		{.version = 6, .protocol = XY_PROTO_TCP, .flags = ACK},
		{.version = 4, .protocol = XY_PROTO_TCP, .flags = ACK, .options = 2}, // as UDP in 6
		{.version = 4, .protocol = XY_PROTO_TCP, .flags = ACK, .options = 5}, // as TCP in 6
		{.version = 6, .protocol = XY_PROTO_TCP, .flags = ACK, .options = 3},
	};
	struct xy_gro_item a;
	for (size_t i = 0; i < XY_ARRAY_SIZE(kinds); i++)
		for (size_t k = 0; k < XY_ARRAY_SIZE(kinds); k++) {
			struct made m[2] = {kinds[i], kinds[k]};
			m[0].payload = m[1].payload = m[1].seq = 500;
			CU_ASSERT_EQUAL(join(&a, joined, m, 2, 65535), i == k ? 2 : 1);
		}
}

static void test_join_never(void)
{
	static const uint8_t flags[] = {0,	   SYN,	      SYN | ACK, FIN | ACK, RST | ACK,
					URG | ACK, ECE | ACK, CWR | ACK, PSH};
	struct xy_gro_item it;
	for (unsigned i = 0; i < sizeof(flags); i++) {
		struct made m = {
			.version = 6, .protocol = XY_PROTO_TCP, .flags = flags[i], .payload = 9};
		CU_ASSERT_FALSE(xy_gro_begin(&it, packet, make(packet, &m)));
		CU_ASSERT(it.closed && it.count == 1);
	}
	struct made m = {.version = 4, .protocol = XY_PROTO_TCP, .flags = ACK, .payload = 0};
	CU_ASSERT_FALSE(xy_gro_begin(&it, packet, make(packet, &m))); // a bare acknowledgement
	m.payload = 9;
	uint32_t len = make(packet, &m);
	packet[6] = 0; // no DF
	seal_ip(packet);
	CU_ASSERT_FALSE(xy_gro_begin(&it, packet, len));
	m.protocol = XY_PROTO_UDP;
	len = make(packet, &m);
	xy_be16_store(l4_csum_of(packet), 0);
	CU_ASSERT_FALSE(xy_gro_begin(&it, packet, len)); // no checksum
	CU_ASSERT_FALSE(xy_gro_begin(&it, packet, 0));
	struct xy_vnet v = {.flags = 9}, zero = {0};
	len = make(packet, &m);
	memcpy(want, packet, len);
	CU_ASSERT(xy_gro_begin(&it, packet, len));
	xy_gro_finish(&it, &v);
	CU_ASSERT_EQUAL(memcmp(&v, &zero, sizeof(v)), 0);
	CU_ASSERT_EQUAL(memcmp(packet, want, len), 0);
}

XY_UNIT_MAIN("gso", {"cut, random", test_cut_random}, {"cut, plain", test_cut_plain},
	     {"cut, UDP sum of zero", test_cut_udp_zero_csum}, {"cut, refused", test_cut_refused},
	     {"cut, extension headers", test_cut_extensions},
	     {"cut, extension headers refused", test_cut_extensions_refused},
	     {"join, then cut", test_join_then_cut}, {"join, limits", test_join_limits},
	     {"join, header bytes", test_join_header_bytes}, {"join, kinds", test_join_kinds},
	     {"join, never", test_join_never})
