// SPDX-License-Identifier: BSD-3-Clause
#include "base/bytes.h"
#include "unit.h"
#include "wire/icmp.h"
#include "wire/inet.h"
#include "wire/udp6.h"

#include <errno.h>
#include <stdlib.h>

// 16-bit words in network order, as RFC 1071 writes it.
static uint16_t slow_sum(uint16_t start, const uint8_t *p, size_t len)
{
	uint64_t sum = start;
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint64_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

// Sums are the same when both are zero in ones' complement.
static bool same_sum(uint16_t a, uint16_t b)
{
	return a % 0xffff == b % 0xffff;
}

static uint16_t stored(uint16_t folded) // as it lies in the packet -> host order
{
	return __builtin_bswap16(folded);
}

static void test_csum_vectors(void)
{
	// RFC 1071, section 3: the words sum to ddf2.
	static const uint8_t rfc[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	CU_ASSERT_EQUAL(stored(xy_csum_fold(xy_csum_add(0, rfc, sizeof(rfc)))), 0x220d);
	// An IPv4 header with its right checksum sums to zero.
	static const uint8_t ip[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
				     0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
	CU_ASSERT_EQUAL(xy_csum_fold(xy_csum_add(0, ip, sizeof(ip))), 0);
	CU_ASSERT_EQUAL(xy_csum_fold(0), 0xffff);
	CU_ASSERT_EQUAL(xy_csum_fold(UINT32_MAX), 0);
}

static void test_csum_random(void)
{
	static uint8_t buf[65536 + 8];
	srand(2);
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)rand();
	for (unsigned i = 0; i < 3000; i++) {
		size_t len = i < 300 ? i : (size_t)(rand() % 65536), at = (size_t)(rand() % 8);
		size_t cut = len ? (size_t)rand() % len & ~(size_t)1 : 0;
		uint16_t want = slow_sum(0, buf + at, len);
		uint32_t sum = xy_csum_add(0, buf + at, cut);
		sum = xy_csum_add(sum, buf + at + cut, len - cut);
		if (!same_sum((uint16_t)~stored(xy_csum_fold(sum)), want))
			CU_FAIL("sum differs from the slow model");
	}
	memset(buf, 0xff, sizeof(buf));
	CU_ASSERT(
		same_sum((uint16_t)~stored(xy_csum_fold(xy_csum_add(UINT32_MAX, buf, 65536))), 0));
}

// Callers add 16-bit words to a sum before they fold it: there is room for them, whatever was
// summed.
static void test_csum_room(void)
{
	static const uint8_t tops[][8] = {
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff},
		{0xff, 0xff, 0xfe, 0xff},
		{0xfe, 0xff, 0xff, 0xff, 0, 0, 0, 0x01},
	};
	static const uint8_t words[] = {0xff, 0xfe, 0xff, 0xfd};
	for (size_t i = 0; i < XY_ARRAY_SIZE(tops); i++)
		for (size_t len = 0; len <= sizeof(tops[i]); len += 2) {
			uint32_t sum = xy_csum_add(UINT32_MAX, tops[i], len);
			CU_ASSERT(sum <= 2 * UINT16_MAX);
			sum = xy_csum_add(0, tops[i], len);
			CU_ASSERT(sum <= 2 * UINT16_MAX);
			sum += xy_le16_load(words);
			sum += xy_le16_load(words + 2);
			uint16_t want = slow_sum(slow_sum(0, tops[i], len), words, sizeof(words));
			CU_ASSERT(same_sum((uint16_t)~stored(xy_csum_fold(sum)), want));
		}
}

static void test_csum_pseudo(void)
{
	static const char *const pairs[][2] = {
		{"192.0.2.1", "198.51.100.7"},
		{"2001:db8::1", "2ab:1:2:3:4:5:6:7"},
		{"255.255.255.255", "255.255.255.255"},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(pairs); i++) {
		struct xy_addr s, d;
		CU_ASSERT_EQUAL_FATAL(xy_addr_parse(pairs[i][0], &s), 0);
		CU_ASSERT_EQUAL_FATAL(xy_addr_parse(pairs[i][1], &d), 0);
		unsigned skip = xy_addr_is_v4(&s) ? 12 : 0;
		uint8_t pseudo[40];
		size_t n = 16 - skip;
		memcpy(pseudo, s.b + skip, n);
		memcpy(pseudo + n, d.b + skip, n);
		xy_be32_store(pseudo + 2 * n, 65512);
		xy_be32_store(pseudo + 2 * n + 4, XY_PROTO_UDP);
		uint16_t want = slow_sum(0, pseudo, 2 * n + 8);
		uint32_t got = xy_csum_pseudo(&s, &d, XY_PROTO_UDP, 65512);
		CU_ASSERT(same_sum((uint16_t)~stored(xy_csum_fold(got)), want));
	}
}

static size_t make_v4(uint8_t *p, unsigned ihl, unsigned total)
{
	memset(p, 0, 128);
	p[0] = (uint8_t)(0x40 | ihl);
	p[1] = 0xb9;
	xy_be16_store(p + 2, (uint16_t)total);
	p[8] = 63;
	p[9] = XY_PROTO_UDP;
	memcpy(p + 12, (uint8_t[]){192, 0, 2, 1, 198, 51, 100, 7}, 8);
	xy_le16_store(p + 10, xy_csum_fold(xy_csum_add(0, p, 20)));
	return total;
}

static size_t make_v6(uint8_t *p, unsigned payload)
{
	static const uint8_t addrs[32] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1, [16] = 0x02, [31] = 9};
	memset(p, 0, 128);
	xy_be32_store(p, 0x6b912345);
	xy_be16_store(p + 4, (uint16_t)payload);
	p[6] = XY_PROTO_E2E;
	p[7] = 62;
	memcpy(p + 8, addrs, sizeof(addrs));
	return XY_IPV6_LEN + payload;
}

static void test_inner_v4(void)
{
	static const struct {
		unsigned ihl, total, len;
		bool good;
	} t[] = {
		{5, 20, 20, true},  {5, 28, 28, true},	{5, 28, 44, true}, // padding
		{15, 60, 60, true}, {15, 64, 64, true}, {5, 28, 27, false},  {5, 20, 19, false},
		{5, 19, 28, false}, {4, 28, 28, false}, {0, 28, 28, false},  {6, 20, 28, false},
		{6, 24, 23, false}, {5, 0, 28, false},	{15, 60, 59, false}, {5, 65535, 128, false},
		{5, 20, 1, false},  {5, 20, 0, false},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(t); i++) {
		uint8_t p[128], *tight = malloc(t[i].len ? t[i].len : 1);
		struct xy_inner in;
		make_v4(p, t[i].ihl, t[i].total);
		memcpy(tight, p, t[i].len); // so that ASan sees a read too far
		CU_ASSERT_EQUAL(xy_inner_parse(tight, t[i].len, &in), t[i].good ? 0 : -EBADMSG);
		free(tight);
		if (!t[i].good)
			continue;
		CU_ASSERT_EQUAL(in.version, 4);
		CU_ASSERT_EQUAL(in.header_len, t[i].ihl * 4);
		CU_ASSERT_EQUAL(in.total_len, t[i].total);
		CU_ASSERT_EQUAL(in.protocol, XY_PROTO_UDP);
		CU_ASSERT_EQUAL(in.hop_limit, 63);
		CU_ASSERT_EQUAL(in.traffic_class, 0xb9);
	}
}

static void test_inner_v6(void)
{
	static const struct {
		unsigned payload, len;
		bool good;
	} t[] = {
		{0, 40, true},	{60, 100, true}, {60, 116, true},     {60, 99, false},
		{0, 39, false}, {0, 1, false},	 {65535, 128, false},
	};
	uint8_t p[128];
	struct xy_inner in;
	for (size_t i = 0; i < XY_ARRAY_SIZE(t); i++) {
		uint8_t *tight = malloc(t[i].len);
		make_v6(p, t[i].payload);
		memcpy(tight, p, t[i].len);
		CU_ASSERT_EQUAL(xy_inner_parse(tight, t[i].len, &in), t[i].good ? 0 : -EBADMSG);
		free(tight);
		if (!t[i].good)
			continue;
		CU_ASSERT_EQUAL(in.version, 6);
		CU_ASSERT_EQUAL(in.header_len, 40);
		CU_ASSERT_EQUAL(in.total_len, t[i].payload + 40);
		CU_ASSERT_EQUAL(in.protocol, XY_PROTO_E2E);
		CU_ASSERT_EQUAL(in.hop_limit, 62);
		CU_ASSERT_EQUAL(in.traffic_class, 0xb9);
	}
	uint8_t *big = calloc(1, 65536 + 40); // 40 + 65535 does not fit the field
	make_v6(p, 65535 - 40);
	memcpy(big, p, 40);
	CU_ASSERT_EQUAL(xy_inner_parse(big, 65575, &in), 0);
	CU_ASSERT_EQUAL(in.total_len, 65535);
	xy_be16_store(big + 4, 65535 - 39);
	CU_ASSERT_EQUAL(xy_inner_parse(big, 65575, &in), -EBADMSG);
	free(big);
}

static void test_inner_other(void)
{
	uint8_t p[128];
	struct xy_inner in;
	make_v6(p, 0);
	for (unsigned v = 0; v < 16; v++) {
		p[0] = (uint8_t)(v << 4 | (p[0] & 0xf));
		if (v != 4 && v != 6)
			CU_ASSERT_EQUAL(xy_inner_parse(p, 40, &in), -EBADMSG);
	}
	// v4-mapped addresses inside IPv6 would be taken for IPv4.
	struct xy_addr mapped = xy_addr_from_v4(0x0a000001);
	make_v6(p, 0);
	memcpy(p + 8, mapped.b, 16);
	CU_ASSERT_EQUAL(xy_inner_parse(p, 40, &in), -EBADMSG);
	make_v6(p, 0);
	memcpy(p + 24, mapped.b, 16);
	CU_ASSERT_EQUAL(xy_inner_parse(p, 40, &in), -EBADMSG);
}

static void test_inner_addrs(void)
{
	uint8_t p[128];
	char buf[XY_ADDR_STRLEN];
	make_v4(p, 5, 20);
	struct xy_addr a = xy_inner_src(p, 4);
	CU_ASSERT_STRING_EQUAL(xy_addr_str(&a, buf), "192.0.2.1");
	a = xy_inner_dst(p, 4);
	CU_ASSERT_STRING_EQUAL(xy_addr_str(&a, buf), "198.51.100.7");
	make_v6(p, 0);
	a = xy_inner_src(p, 6);
	CU_ASSERT_STRING_EQUAL(xy_addr_str(&a, buf), "2001:db8::1");
	a = xy_inner_dst(p, 6);
	CU_ASSERT_STRING_EQUAL(xy_addr_str(&a, buf), "200::9");
}

static void test_inner_ports(void)
{
	struct xy_inner_ports ports;
	uint8_t p[128];
	for (unsigned ihl = 5; ihl <= 15; ihl += 10) {
		size_t at = ihl * 4, len = make_v4(p, ihl, (unsigned)at + 8);
		xy_be32_store(p + at, 0x12345678);
		CU_ASSERT_TRUE_FATAL(xy_inner_ports(p, len, &ports));
		CU_ASSERT(ports.src == 0x1234 && ports.dst == 0x5678);
		CU_ASSERT_EQUAL(ports.protocol, XY_PROTO_UDP);
		CU_ASSERT_FALSE(xy_inner_ports(p, at + 3, &ports));
		p[6] = 0x40; // don't fragment
		CU_ASSERT_TRUE(xy_inner_ports(p, len, &ports));
		p[6] = 0x20; // the first fragment
		CU_ASSERT_FALSE(xy_inner_ports(p, len, &ports));
		p[6] = 0;
		p[7] = 1; // the last
		CU_ASSERT_FALSE(xy_inner_ports(p, len, &ports));
		p[7] = 0;
		p[9] = XY_PROTO_ICMP;
		CU_ASSERT_FALSE(xy_inner_ports(p, len, &ports));
	}
	make_v6(p, 8);
	xy_be32_store(p + 40, 0x12345678);
	CU_ASSERT_FALSE(xy_inner_ports(p, 48, &ports)); // sealed
	p[6] = XY_PROTO_TCP;
	CU_ASSERT_TRUE_FATAL(xy_inner_ports(p, 44, &ports));
	CU_ASSERT(ports.src == 0x1234 && ports.dst == 0x5678);
	CU_ASSERT_EQUAL(ports.protocol, XY_PROTO_TCP);
	CU_ASSERT_FALSE(xy_inner_ports(p, 43, &ports));
	p[6] = 44; // a fragment
	CU_ASSERT_FALSE(xy_inner_ports(p, 48, &ports));
}

static bool v4_csum_good(const uint8_t *p)
{
	return slow_sum(0, p, 20) == 0xffff;
}

static void test_hop(void)
{
	uint8_t p[128];
	srand(3);
	// All sums that the rest of a header can have: RFC 1624's corner cases are among them.
	for (unsigned i = 0; i < 200000; i++) {
		make_v4(p, 5, 20);
		xy_be16_store(p + 4, (uint16_t)i);
		p[8] = (uint8_t)(1 + i % 255);
		xy_be16_store(p + 10, 0);
		xy_le16_store(p + 10, xy_csum_fold(xy_csum_add(0, p, 20)));
		uint8_t was = p[8];
		xy_inner_hop(p, 4);
		if (p[8] != was - 1 || !v4_csum_good(p))
			CU_FAIL("hop limit or checksum wrong");
	}
	make_v4(p, 5, 20);
	p[10] ^= 0x40;
	xy_inner_hop(p, 4);
	CU_ASSERT_FALSE(v4_csum_good(p)); // a wrong one stays wrong
	make_v6(p, 0);
	xy_inner_hop(p, 6);
	CU_ASSERT_EQUAL(p[7], 61);
}

static void test_ecn(void)
{
	// RFC 6040, figure 4, with 0 = not-ECT, 1 = ECT(1), 2 = ECT(0), 3 = CE; -1 = drop.
	static const struct {
		uint8_t inner, outer;
		int out;
	} t[] = {
		{0, 0, 0}, {0, 2, 0}, {0, 1, 0}, {0, 3, -1}, {2, 0, 2}, {2, 2, 2},
		{2, 1, 1}, {2, 3, 3}, {1, 0, 1}, {1, 2, 1},  {1, 1, 1}, {1, 3, 3},
		{3, 0, 3}, {3, 2, 3}, {3, 1, 3}, {3, 3, 3},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(t); i++) {
		for (uint8_t version = 4; version <= 6; version += 2) {
			uint8_t p[128], was[128];
			if (version == 4) {
				make_v4(p, 5, 20);
				p[1] = 0xb8 | t[i].inner;
				xy_be16_store(p + 10, 0);
				xy_le16_store(p + 10, xy_csum_fold(xy_csum_add(0, p, 20)));
			} else {
				make_v6(p, 0);
				p[1] = (uint8_t)(0x81 | t[i].inner << 4);
			}
			memcpy(was, p, sizeof(p));
			CU_ASSERT_EQUAL(xy_ecn_encap(p, version), t[i].inner);
			CU_ASSERT_EQUAL(xy_ecn_decap(p, version, t[i].outer), t[i].out >= 0);
			uint8_t want = t[i].out >= 0 ? (uint8_t)t[i].out : t[i].inner;
			CU_ASSERT_EQUAL(xy_ecn_encap(p, version), want);
			if (version == 4) {
				CU_ASSERT(v4_csum_good(p));
				CU_ASSERT_EQUAL(p[1] & ~3, 0xb8);
				memcpy(p + 10, was + 10, 2);
			}
			p[1] = was[1]; // and nothing else has changed
			CU_ASSERT_EQUAL(memcmp(p, was, sizeof(p)), 0);
		}
	}
}

static bool icmp_csum_good(const uint8_t *p, size_t len)
{
	if (p[0] >> 4 == 4)
		return v4_csum_good(p) && slow_sum(0, p + 20, len - 20) == 0xffff;
	uint8_t pseudo[40] = {[39] = XY_PROTO_ICMPV6};
	memcpy(pseudo, p + 8, 32);
	xy_be16_store(pseudo + 34, (uint16_t)(len - 40));
	return slow_sum(slow_sum(0, pseudo, 40), p + 40, len - 40) == 0xffff;
}

static void test_icmp_build(void)
{
	static const struct {
		enum xy_icmp_error error;
		uint8_t v4[2], v6[2];
	} t[] = {
		{XY_ICMP_TIME_EXCEEDED, {11, 0}, {3, 0}},
		{XY_ICMP_NO_ROUTE, {3, 0}, {1, 0}},
		{XY_ICMP_PROHIBITED, {3, 13}, {1, 1}},
		{XY_ICMP_ADDR_UNREACHABLE, {3, 1}, {1, 3}},
		{XY_ICMP_TOO_BIG, {3, 4}, {2, 0}},
	};
	static uint8_t p[2000], out[XY_ICMP_ERROR_MAX];
	struct xy_addr from4 = xy_addr_from_v4(0x0a000001), from6;
	CU_ASSERT_EQUAL(xy_addr_parse("2e4::1", &from6), 0);
	for (size_t i = 0; i < XY_ARRAY_SIZE(t); i++) {
		for (unsigned len = 100; len <= 1500; len += 7) {
			bool big = t[i].error == XY_ICMP_TOO_BIG;
			make_v4(p, 5, len);
			size_t n = xy_icmp_error_build(t[i].error, 70000, &from4, p, len + 9, out);
			CU_ASSERT_EQUAL_FATAL(n, len + 28 < 576 ? len + 28 : 576);
			CU_ASSERT(out[20] == t[i].v4[0] && out[21] == t[i].v4[1]);
			CU_ASSERT_EQUAL(xy_be32_load(out + 24), big ? 65535 : 0);
			CU_ASSERT_EQUAL(xy_be16_load(out + 2), n);
			CU_ASSERT_EQUAL(memcmp(out + 28, p, n - 28), 0);
			CU_ASSERT_EQUAL(memcmp(out + 16, p + 12, 4), 0);
			CU_ASSERT(icmp_csum_good(out, n));
			CU_ASSERT_EQUAL(xy_icmp_error_build(t[i].error, 0, &from6, p, len, out), 0);

			make_v6(p, len - 40);
			n = xy_icmp_error_build(t[i].error, 1280, &from6, p, len + 9, out);
			CU_ASSERT_EQUAL_FATAL(n, len + 48 < 1280 ? len + 48 : 1280);
			CU_ASSERT(out[40] == t[i].v6[0] && out[41] == t[i].v6[1]);
			CU_ASSERT_EQUAL(xy_be32_load(out + 44), big ? 1280 : 0);
			CU_ASSERT_EQUAL(xy_be16_load(out + 4), n - 40);
			CU_ASSERT_EQUAL(memcmp(out + 48, p, n - 48), 0);
			CU_ASSERT_EQUAL(memcmp(out + 24, p + 8, 16), 0);
			CU_ASSERT(icmp_csum_good(out, n));
			CU_ASSERT_EQUAL(xy_icmp_error_build(t[i].error, 0, &from4, p, len, out), 0);
			CU_ASSERT_FALSE(xy_icmp_may_answer(out, n)); // no error about an error
		}
	}
}

static void test_icmp_may_answer_v4(void)
{
	static const struct {
		uint8_t at, value[4], n;
		bool yes;
	} t[] = {
		{0, {0x45}, 1, true},		{6, {0x20, 0}, 2, true}, // a first fragment
		{6, {0x20, 1}, 2, false},				 // a later one
		{6, {0x1f, 0}, 2, false},	{12, {0, 0, 0, 0}, 4, false},
		{12, {127, 0, 0, 1}, 4, false}, {12, {224, 0, 0, 1}, 4, false},
		{12, {240, 0, 0, 1}, 4, false}, {12, {255, 255, 255, 255}, 4, false},
		{16, {224, 0, 0, 1}, 4, false}, {16, {255, 255, 255, 255}, 4, false},
		{0, {0x44}, 1, false},
	};
	uint8_t p[128];
	for (size_t i = 0; i < XY_ARRAY_SIZE(t); i++) {
		make_v4(p, 5, 60);
		memcpy(p + t[i].at, t[i].value, t[i].n);
		CU_ASSERT_EQUAL(xy_icmp_may_answer(p, 60), t[i].yes);
	}
	for (unsigned type = 0; type < 20; type++) {
		bool error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
		for (unsigned ihl = 5; ihl <= 6; ihl++) {
			make_v4(p, ihl, 60);
			p[9] = XY_PROTO_ICMP;
			p[ihl * 4] = (uint8_t)type;
			CU_ASSERT_EQUAL(xy_icmp_may_answer(p, 60), !error);
		}
	}
	make_v4(p, 5, 20);
	p[9] = XY_PROTO_ICMP;
	CU_ASSERT_FALSE(xy_icmp_may_answer(p, 20)); // no type to be seen
}

static void test_icmp_may_answer_v6(void)
{
	static const struct {
		uint8_t next, rest[32]; // what follows the IPv6 header
		bool yes;
	} t[] = {
		{XY_PROTO_E2E, {0}, true},
		{XY_PROTO_TCP, {0}, true},
		{59, {0}, true},
		{XY_PROTO_ICMPV6, {128}, true},
		{XY_PROTO_ICMPV6, {129}, true},
		{XY_PROTO_ICMPV6, {1}, false},
		{XY_PROTO_ICMPV6, {2}, false},
		{XY_PROTO_ICMPV6, {127}, false},
		{XY_PROTO_ICMPV6, {137}, false},
		{0, {XY_PROTO_ICMPV6, 0, [8] = 1}, false}, // behind hop-by-hop
		{0, {XY_PROTO_ICMPV6, 0, [8] = 128}, true},
		{60, {XY_PROTO_ICMPV6, 1, [16] = 1}, false}, // 16 bytes of options
		{60, {XY_PROTO_ICMPV6, 1, [16] = 128}, true},
		{51, {XY_PROTO_ICMPV6, 1, [12] = 3}, false}, // AH counts in words
		{51, {XY_PROTO_ICMPV6, 1, [12] = 128}, true},
		{44, {XY_PROTO_TCP, 0, 0, 1}, true},  // first fragment
		{44, {XY_PROTO_TCP, 0, 0, 8}, false}, // a later one
		{44, {XY_PROTO_ICMPV6, 0, 0, 1, [8] = 4}, false},
		{0, {60, 0, [8] = 44, 0, [16] = XY_PROTO_TCP, 0, 1, 0}, false},
		{0, {XY_PROTO_TCP, 3}, true},  // just fits
		{0, {XY_PROTO_TCP, 4}, false}, // chain runs out of the packet
		{0, {XY_PROTO_ICMPV6, 3}, false},
	};
	uint8_t p[128];
	for (size_t i = 0; i < XY_ARRAY_SIZE(t); i++) {
		make_v6(p, 32);
		p[6] = t[i].next;
		memcpy(p + 40, t[i].rest, 32);
		CU_ASSERT_EQUAL(xy_icmp_may_answer(p, 72), t[i].yes);
	}
	make_v6(p, 80); // ten hop-by-hop headers
	p[6] = 0;
	CU_ASSERT_FALSE(xy_icmp_may_answer(p, 120));
	static const char *const bad[] = {"::", "::1", "ff02::1"};
	for (size_t i = 0; i < XY_ARRAY_SIZE(bad); i++) {
		struct xy_addr a;
		make_v6(p, 32);
		xy_addr_parse(bad[i], &a);
		memcpy(p + 8, a.b, 16);
		CU_ASSERT_FALSE(xy_icmp_may_answer(p, 72));
	}
	make_v6(p, 32);
	p[24] = 0xff;
	CU_ASSERT_FALSE(xy_icmp_may_answer(p, 72));
}

// Whom an error is about; asked of what xy_inner_parse took.
static void test_icmp_is_error(void)
{
	static const struct xy_addr from6 = {.b = {0x02, [15] = 1}}, none = {0};
	const struct xy_addr from4 = xy_addr_from_v4(0x0a000001);
	struct xy_addr about;
	uint8_t p[1500], out[XY_ICMP_ERROR_MAX], behind[200];
	for (enum xy_icmp_error e = 0; e <= XY_ICMP_TOO_BIG; e++) {
		make_v4(p, 5, 100);
		CU_ASSERT_FALSE(xy_icmp_is_error(p, 100, &about));
		size_t n = xy_icmp_error_build(e, 1400, &from4, p, 100, out);
		struct xy_addr dst = xy_inner_dst(p, 4);
		CU_ASSERT(xy_icmp_is_error(out, n, &about) && xy_addr_eq(&about, &dst));
		CU_ASSERT(xy_icmp_is_error(out, 20 + 8 + 19, &about) && xy_addr_eq(&about, &none));
		out[7] = 1; // a later fragment
		CU_ASSERT_FALSE(xy_icmp_is_error(out, n, &about));

		make_v6(p, 60);
		CU_ASSERT_FALSE(xy_icmp_is_error(p, 100, &about));
		n = xy_icmp_error_build(e, 1400, &from6, p, 100, out);
		dst = xy_inner_dst(p, 6);
		CU_ASSERT(xy_icmp_is_error(out, n, &about) && xy_addr_eq(&about, &dst));
		CU_ASSERT(xy_icmp_is_error(out, 40 + 8 + 39, &about) && xy_addr_eq(&about, &none));
		CU_ASSERT(xy_icmp_is_error(out, 40, &about) && xy_addr_eq(&about, &none));
		// Behind a header of options, which is no place to hide.
		memcpy(behind, out, 40);
		memset(behind + 40, 0, 8);
		behind[6] = 60;
		behind[40] = XY_PROTO_ICMPV6;
		memcpy(behind + 48, out + 40, n - 40);
		CU_ASSERT(xy_icmp_is_error(behind, n + 8, &about) && xy_addr_eq(&about, &dst));
		out[48] = 0x45; // an IPv4 packet in ICMPv6
		CU_ASSERT(xy_icmp_is_error(out, n, &about) && xy_addr_eq(&about, &none));
		out[40] = 128; // a question
		CU_ASSERT_FALSE(xy_icmp_is_error(out, n, &about));
	}
	make_v6(p, 80); // ten hop-by-hop headers
	p[6] = 0;
	CU_ASSERT(xy_icmp_is_error(p, 120, &about) && xy_addr_eq(&about, &none));
}

// "hi" from ::1 to itself, ports 4660 and 6696; the sum by RFC 1071 on paper.
static void test_udp6(void)
{
	static const uint8_t packet[] = {0x6c, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x11, 0x40, 0,   0,
					 0,    0,    0,	   0,	 0,    0,    0,	   0,	 0,   0,
					 0,    0,    0,	   1,	 0,    0,    0,	   0,	 0,   0,
					 0,    0,    0,	   0,	 0,    0,    0,	   0,	 0,   1,
					 0x12, 0x34, 0x1a, 0x28, 0x00, 0x0a, 0x6b, 0x13, 'h', 'i'};
	struct xy_udp6 u;
	uint8_t copy[sizeof(packet)], made[sizeof(packet)];
	CU_ASSERT_FATAL(xy_udp6_parse(packet, sizeof(packet), &u) == 0);
	CU_ASSERT(u.src_port == 4660 && u.dst_port == 6696 && u.len == 2);
	CU_ASSERT(u.hop_limit == 64 && u.traffic_class == 0xc0 && memcmp(u.data, "hi", 2) == 0);
	CU_ASSERT(xy_udp6_build(&u, made, sizeof(made)) == sizeof(packet));
	CU_ASSERT(memcmp(made, packet, sizeof(packet)) == 0);
	CU_ASSERT(xy_udp6_build(&u, made, sizeof(made) - 1) == 0);
	for (size_t len = 0; len < sizeof(packet); len++)
		CU_ASSERT(xy_udp6_parse(packet, len, &u) == -EBADMSG);
	// Each bit of what the sum covers, and of version, length and next header.
	for (unsigned bit = 0; bit < 8 * sizeof(packet); bit++) {
		bool free = (bit >= 4 && bit < 32) || (bit >= 56 && bit < 64); // class, label, hops
		memcpy(copy, packet, sizeof(packet));
		copy[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		CU_ASSERT(xy_udp6_parse(copy, sizeof(copy), &u) == (free ? 0 : -EBADMSG));
	}
	memcpy(copy, packet, sizeof(packet));
	copy[46] = copy[47] = 0; // no checksum
	CU_ASSERT(xy_udp6_parse(copy, sizeof(copy), &u) == -EBADMSG);
}

// A sum of zero is sent as ffff (RFC 8200, 8.1).
static void test_udp6_zero(void)
{
	struct xy_udp6 u = {.src_port = 1, .dst_port = 2, .hop_limit = 1}, got;
	uint8_t made[XY_UDP6_HEADERS + 2], word[2] = {0};
	u.data = word;
	u.len = sizeof(word);
	CU_ASSERT_FATAL(xy_udp6_build(&u, made, sizeof(made)) == sizeof(made));
	memcpy(word, made + 46, 2); // then the rest sums to zero
	CU_ASSERT(xy_udp6_build(&u, made, sizeof(made)) == sizeof(made));
	CU_ASSERT(xy_be16_load(made + 46) == 0xffff);
	CU_ASSERT(xy_udp6_parse(made, sizeof(made), &got) == 0);
}

XY_UNIT_MAIN("wire", {"checksum vectors", test_csum_vectors}, {"checksum random", test_csum_random},
	     {"checksum, room for more", test_csum_room}, {"pseudo header", test_csum_pseudo},
	     {"inner IPv4", test_inner_v4}, {"inner IPv6", test_inner_v6},
	     {"inner other", test_inner_other}, {"inner addresses", test_inner_addrs},
	     {"inner ports", test_inner_ports}, {"hop limit", test_hop}, {"ECN", test_ecn},
	     {"ICMP errors", test_icmp_build}, {"ICMP about IPv4", test_icmp_may_answer_v4},
	     {"ICMP about IPv6", test_icmp_may_answer_v6},
	     {"whom an ICMP error is about", test_icmp_is_error}, {"UDP in IPv6", test_udp6},
	     {"UDP checksum of zero", test_udp6_zero})
