// SPDX-License-Identifier: BSD-3-Clause
#include "base/bytes.h"
#include "base/cursor.h"
#include "base/heap.h"
#include "base/ip.h"
#include "base/map.h"
#include "fake_net.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

static void test_addr_text(void)
{
	static const struct {
		const char *in, *out; // out NULL: refused
	} t[] = {
		{"::", "::"},
		{"0.0.0.0", "0.0.0.0"},
		{"192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		// RFC 5952, section 4
		{"2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"2001:DB8::AbCd", "2001:db8::abcd"},
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
		{"02e4:9ace:9252:0630:beee:e405:74c0:d876",
		 "2e4:9ace:9252:630:beee:e405:74c0:d876"},
		{"", NULL},
		{" ::1", NULL},
		{"::1 ", NULL},
		{"1.2.3", NULL},
		{"1.2.3.256", NULL},
		{"01.2.3.4", NULL},
		{"1:2:3:4:5:6:7", NULL},
		{"::1::", NULL},
		{"fe80::1%lo", NULL},
		{"[::1]", NULL},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(t); i++) {
		struct xy_addr a;
		char buf[XY_ADDR_STRLEN];
		int rc = xy_addr_parse(t[i].in, &a);
		CU_ASSERT_EQUAL(rc, t[i].out ? 0 : -EINVAL);
		if (rc == 0)
			CU_ASSERT_STRING_EQUAL(xy_addr_str(&a, buf), t[i].out);
	}
}

// The C library is the model: what it reads we read, what it prints we print.
static void test_addr_against_libc(void)
{
	static const char chars[] = "0123456789abcdefABCDEF::::::....";
	unsigned good = 0;
	srand(4);
	for (unsigned i = 0; i < 300000; i++) {
		struct xy_addr a = {0}, b = {0};
		char text[64], ours[XY_ADDR_STRLEN];
		for (unsigned k = 0; k < 16; k++) // many zero groups
			a.b[k] = rand() & 2 ? (uint8_t)(rand() & rand()) : 0;
		if (rand() & 1)
			a.b[0] = 0x20; // not ::a.b.c.d, which the C library prints with dots
		inet_ntop(AF_INET6, a.b, text, sizeof(text));
		if (a.b[0] == 0x20 && strcmp(text, xy_addr_str(&a, ours)) != 0)
			CU_FAIL("printed otherwise");
		for (unsigned k = (unsigned)rand() % 4; k; k--) // spoil it, or not
			text[(unsigned)rand() % strlen(text)] =
				chars[(unsigned)rand() % (sizeof(chars) - 1)];
		int want = inet_pton(AF_INET6, text, a.b) == 1;
		if (!want && inet_pton(AF_INET, text, a.b + 12) == 1) {
			a = xy_addr_from_v4(xy_be32_load(a.b + 12));
			want = 1;
		}
		good += (unsigned)want;
		if (xy_addr_parse(text, &b) != (want ? 0 : -EINVAL) ||
		    (want && !xy_addr_eq(&a, &b)))
			CU_FAIL("read otherwise");
	}
	CU_ASSERT(good > 80000 && good < 290000);
}

static void test_addr_kinds(void)
{
	static const struct {
		const char *text;
		bool multicast, unspecified, link_local, mesh;
	} t[] = {
		{"::", .unspecified = true},
		{"0.0.0.0", .unspecified = true},
		{"ff02::1", .multicast = true},
		{"224.0.0.1", .multicast = true},
		{"239.255.255.255", .multicast = true},
		{"255.255.255.255", .multicast = true},
		{"223.255.255.255"},
		{"240.0.0.1"},
		{"fe80::1", .link_local = true},
		{"febf::1", .link_local = true},
		{"fec0::1"},
		{"200::1", .mesh = true},
		{"3ff::1", .mesh = true},
		{"1ff::1"},
		{"400::1"},
		{"2.0.0.1"},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(t); i++) {
		struct xy_addr a;
		CU_ASSERT_EQUAL_FATAL(xy_addr_parse(t[i].text, &a), 0);
		CU_ASSERT_EQUAL(xy_addr_is_multicast(&a), t[i].multicast);
		CU_ASSERT_EQUAL(xy_addr_is_unspecified(&a), t[i].unspecified);
		CU_ASSERT_EQUAL(xy_addr_is_link_local(&a), t[i].link_local);
		CU_ASSERT_EQUAL(xy_addr_is_mesh(&a), t[i].mesh);
	}
	struct xy_addr a = xy_addr_from_v4(0xc0000201), b;
	CU_ASSERT_EQUAL(xy_addr_parse("192.0.2.1", &b), 0);
	CU_ASSERT(xy_addr_eq(&a, &b) && xy_addr_is_v4(&a));
}

static void test_prefix_text(void)
{
	static const struct {
		const char *in;
		int rc;
		unsigned len;
		const char *out;
	} t[] = {
		{"200::/7", 0, 7, "200::/7"},
		{"::/0", 0, 0, "::/0"},
		{"0.0.0.0/0", 0, 96, "0.0.0.0/0"},
		{"10.0.0.0/8", 0, 104, "10.0.0.0/8"},
		{"10.1.2.3", 0, 128, "10.1.2.3/32"},
		{"2001:db8::1", 0, 128, "2001:db8::1/128"},
		{"::ffff:10.0.0.0/104", 0, 104, "10.0.0.0/8"},
		{"10.0.0.1/8", -EDOM, 104, "10.0.0.1/8"}, // as meant, for the error's text
		{"2001:db8::1/64", -EDOM, 64, "2001:db8::1/64"},
		{"300::/7", -EDOM, 7, "300::/7"},
		{"10.0.0.0/33", -EINVAL, 0, NULL},
		{"::/129", -EINVAL, 0, NULL},
		{"::/", -EINVAL, 0, NULL},
		{"::/-1", -EINVAL, 0, NULL},
		{"::/+1", -EINVAL, 0, NULL},
		{"::/ 1", -EINVAL, 0, NULL},
		{"::/01", -EINVAL, 0, NULL},
		{"::/1/2", -EINVAL, 0, NULL},
		{"::/4294967297", -EINVAL, 0, NULL},
		{"/7", -EINVAL, 0, NULL},
		{"", -EINVAL, 0, NULL},
		{"example.org/7", -EINVAL, 0, NULL},
		{"2001:0db8:0000:0000:0000:0000:0000:0000:0000:0000:0000/9", -EINVAL, 0, NULL},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(t); i++) {
		struct xy_prefix p;
		char buf[XY_PREFIX_STRLEN];
		CU_ASSERT_EQUAL(xy_prefix_parse(t[i].in, &p), t[i].rc);
		if (!t[i].out)
			continue;
		CU_ASSERT_EQUAL(p.len, t[i].len);
		CU_ASSERT_STRING_EQUAL(xy_prefix_str(&p, buf), t[i].out);
	}
}

static void test_endpoint_text(void)
{
	static const struct {
		const char *in;
		int rc;
		const char *out;
	} t[] = {
		{"192.0.2.1:51820", 0, "192.0.2.1:51820"},
		{"[2001:db8::1]:51820", 0, "[2001:db8::1]:51820"},
		{"[::ffff:192.0.2.1]:1", 0, "192.0.2.1:1"},
		{"[fe80::1%7]:65535", 0, "[fe80::1%7]:65535"},
		{"[fe80:1111:2222:3333:4444:5555:6666:7777%2147483647]:65535", 0,
		 "[fe80:1111:2222:3333:4444:5555:6666:7777%2147483647]:65535"},
		{"[fe80::1%eth0]:1", -ENOENT, NULL},
		{"[fe80::1%/etc]:1", -EINVAL, NULL},
		{"[fe80::1%123456789abcdefg]:1", -EINVAL, NULL},
		{"[fe80::1%]:1", -EINVAL, NULL},
		{"[fe80::1%0]:1", -EINVAL, NULL},
		{"[fe80::1]:1", -EINVAL, NULL},
		{"[2001:db8::1%1]:1", -EINVAL, NULL},
		{"example.org:51820", -ENOENT, NULL},
		{"relay-1:51820", -ENOENT, NULL},
		{"[example.org]:51820", -EINVAL, NULL},
		{"[192.0.2.1]:51820", -EINVAL, NULL},
		{"300.1.1.1:51820", -EINVAL, NULL},
		{"exa mple.org:1", -EINVAL, NULL},
		{"2001:db8::1:51820", -EINVAL, NULL},
		{"192.0.2.1", -EINVAL, NULL},
		{"192.0.2.1:", -EINVAL, NULL},
		{"192.0.2.1:0", -EINVAL, NULL},
		{"192.0.2.1:65536", -EINVAL, NULL},
		{"192.0.2.1:051820", -EINVAL, NULL},
		{":51820", -EINVAL, NULL},
		{"[]:51820", -EINVAL, NULL},
		{"[2001:db8::1:51820", -EINVAL, NULL},
		{"[2001:db8::1]51820", -EINVAL, NULL},
		{"[", -EINVAL, NULL},
		{"", -EINVAL, NULL},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(t); i++) {
		struct xy_endpoint e, f;
		char buf[XY_ENDPOINT_STRLEN];
		CU_ASSERT_EQUAL(xy_endpoint_parse(t[i].in, &e), t[i].rc);
		if (!t[i].out)
			continue;
		CU_ASSERT_STRING_EQUAL(xy_endpoint_str(&e, buf), t[i].out);
		CU_ASSERT_EQUAL(xy_endpoint_parse(buf, &f), 0);
		CU_ASSERT(xy_endpoint_eq(&e, &f));
	}
}

static void test_hostport(void)
{
	char host[16];
	uint16_t port = 0;
	CU_ASSERT_EQUAL(xy_hostport_split("example.org:80", host, sizeof(host), &port), 0);
	CU_ASSERT_STRING_EQUAL(host, "example.org");
	CU_ASSERT_EQUAL(port, 80);
	CU_ASSERT_EQUAL(xy_hostport_split("[fe80::1%eth0]:81", host, sizeof(host), &port), 0);
	CU_ASSERT_STRING_EQUAL(host, "fe80::1%eth0");
	CU_ASSERT_EQUAL(port, 81);
	CU_ASSERT_EQUAL(xy_hostport_split("123456789012345:1", host, sizeof(host), &port), 0);
	CU_ASSERT_EQUAL(xy_hostport_split("1234567890123456:1", host, sizeof(host), &port),
			-ENAMETOOLONG);
}

// Bit by bit, which is obviously right.
static bool slow_contains(const struct xy_prefix *p, const struct xy_addr *a)
{
	if (xy_prefix_is_v4(p) != xy_addr_is_v4(a))
		return false;
	for (unsigned i = 0; i < p->len; i++)
		if ((p->addr.b[i / 8] ^ a->b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static void test_prefix_contains(void)
{
	unsigned hits = 0;
	srand(1);
	for (unsigned i = 0; i < 100000; i++) {
		struct xy_addr a = xy_addr_from_v4((uint32_t)rand());
		if (i & 1)
			for (unsigned k = 0; k < 16; k++)
				a.b[k] = (uint8_t)rand();
		struct xy_prefix p = {.addr = a, .len = (uint8_t)(rand() % 129)};
		if (rand() & 1) // differ in one bit, inside or outside of the prefix
			p.addr.b[rand() % 16] ^= (uint8_t)(1 << rand() % 8);
		struct xy_prefix masked = p;
		xy_prefix_mask(&masked);
		bool want = slow_contains(&masked, &a);
		hits += want;
		if (xy_prefix_contains(&masked, &a) != want)
			CU_FAIL("contains differs from the slow model");
		for (unsigned k = 0; k < 128; k++)
			if ((masked.addr.b[k / 8] >> (7 - k % 8) & 1) !=
			    (k < p.len ? p.addr.b[k / 8] >> (7 - k % 8) & 1 : 0))
				CU_FAIL("mask differs from the slow model");
	}
	CU_ASSERT(hits > 10000 && hits < 90000);
}

static void test_prefix_covers(void)
{
	static const struct {
		const char *outer, *inner;
		bool covers;
	} t[] = {
		{"200::/7", "200::/7", true},	      {"200::/7", "2ab:1:2:3::/64", true},
		{"2ab:1:2:3::/64", "200::/7", false}, {"::/0", "2001:db8::/32", true},
		{"::/0", "10.0.0.0/8", false},	      {"0.0.0.0/0", "10.0.0.0/8", true},
		{"0.0.0.0/0", "::/0", false},	      {"10.0.0.0/8", "11.0.0.0/8", false},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(t); i++) {
		struct xy_prefix outer, inner;
		CU_ASSERT_EQUAL_FATAL(xy_prefix_parse(t[i].outer, &outer), 0);
		CU_ASSERT_EQUAL_FATAL(xy_prefix_parse(t[i].inner, &inner), 0);
		CU_ASSERT_EQUAL(xy_prefix_covers(&outer, &inner), t[i].covers);
		CU_ASSERT_EQUAL(xy_prefix_eq(&outer, &inner), i == 0);
	}
}

static void test_cursor(void)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	struct xy_cursor c = xy_cursor(bytes, sizeof(bytes));
	CU_ASSERT_EQUAL(xy_cursor_u8(&c), 1);
	CU_ASSERT_EQUAL(xy_cursor_be16(&c), 0x0203);
	CU_ASSERT_EQUAL(xy_cursor_be32(&c), 0x04050607);
	struct xy_cursor sub = xy_cursor_sub(&c, 1);
	CU_ASSERT_EQUAL(xy_cursor_u8(&sub), 8);
	CU_ASSERT_EQUAL(xy_cursor_u8(&sub), 0);
	CU_ASSERT(sub.bad && !c.bad);
	CU_ASSERT_EQUAL(xy_cursor_be16(&c), 0); // one byte short
	CU_ASSERT(c.bad);
	CU_ASSERT_EQUAL(xy_cursor_u8(&c), 0); // and stays bad
}

static void test_reaches(void)
{
	static const struct {
		const char *local, *remote;
		bool want;
	} rows[] = {
		{"::", "192.0.2.1", true},	     {"::", "2001:db8::1", true},
		{"0.0.0.0", "192.0.2.1", true},	     {"0.0.0.0", "2001:db8::1", false},
		{"192.0.2.9", "192.0.2.1", true},    {"192.0.2.9", "2001:db8::1", false},
		{"2001:db8::9", "192.0.2.1", false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xy_addr local, remote;
		CU_ASSERT_EQUAL_FATAL(xy_addr_parse(rows[i].local, &local), 0);
		CU_ASSERT_EQUAL_FATAL(xy_addr_parse(rows[i].remote, &remote), 0);
		CU_ASSERT_EQUAL(xy_addr_reaches(&local, &remote), rows[i].want);
	}
}

static void test_heap(void)
{
	enum { N = 200 };
	static struct xy_heap_node node[N];
	struct xy_heap h;
	uint64_t seed = 88172645463325252;
	CU_ASSERT_FATAL(xy_heap_init(&h, N) == 0);
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t r[2];
		xy_nsec least = XY_NEVER;
		fake_random(&seed, r, sizeof(r));
		xy_heap_set(&h, &node[r[0] % N], r[1] % 5 ? r[1] % 1000 : XY_NEVER);
		for (unsigned k = 0; k < N; k++)
			if (node[k].pos && node[k].at < least)
				least = node[k].at;
		const struct xy_heap_node *first = xy_heap_first(&h);
		CU_ASSERT_EQUAL_FATAL(first ? first->at : XY_NEVER, least);
	}
	xy_heap_fini(&h);
}

static void test_map(void)
{
	enum { KEYS = 500 };
	static uint32_t model[KEYS]; // 0 = not there
	struct xy_map m;
	uint64_t seed = 88172645463325252;
	uint32_t count = 0;
	CU_ASSERT_FATAL(xy_map_init(&m) == 0);
	for (unsigned i = 0; i < 50000; i++) {
		uint32_t r[2], value = 0;
		fake_random(&seed, r, sizeof(r));
		uint64_t key = r[0] % KEYS;
		if (r[1] % 3) {
			count += !model[key];
			model[key] = r[1] | 1;
			CU_ASSERT_FATAL(xy_map_set(&m, key, model[key]) == 0);
		} else {
			count -= model[key] != 0;
			model[key] = 0;
			xy_map_del(&m, key);
		}
		key = r[1] % KEYS;
		bool there = xy_map_get(&m, key, &value);
		CU_ASSERT_FATAL(there == (model[key] != 0) && (!there || value == model[key]));
		CU_ASSERT_EQUAL_FATAL(m.count, count);
	}
	xy_map_fini(&m);
}

XY_UNIT_MAIN("base", {"which port reaches whom", test_reaches}, {"address text", test_addr_text},
	     {"address text against libc", test_addr_against_libc},
	     {"address kinds", test_addr_kinds}, {"prefix text", test_prefix_text},
	     {"endpoint text", test_endpoint_text}, {"host and port", test_hostport},
	     {"prefix contains", test_prefix_contains}, {"prefix covers", test_prefix_covers},
	     {"cursor", test_cursor}, {"heap against a scan", test_heap},
	     {"map against an array", test_map})
