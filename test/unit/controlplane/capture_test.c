// SPDX-License-Identifier: BSD-3-Clause
// What a captured packet looks like: as raw IP with the headers that a datagram was sent with, as a
// line, and as blocks of a pcapng file.
#include "client/sight.h"

#include "base/bytes.h"
#include "unit.h"
#include "wire/inet.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct xy_sight s;
static char line[XY_SIGHT_LINE];

static json_t *packet(const char *point, const uint8_t *data, size_t caplen, size_t len)
{
	char text[4096];
	sodium_bin2base64(text, sizeof(text), data, caplen, sodium_base64_VARIANT_ORIGINAL);
	return json_pack("{s:I, s:s, s:I, s:s}", "at", (json_int_t)1700000000123456789, "point",
			 point, "len", (json_int_t)len, "data", text);
}

static json_t *datagram(const char *point, const char *remote, const char *local)
{
	static const uint8_t data[40] = {4, [4] = 0x78, 0x56, 0x34, 0x12, [8] = 7};
	json_t *o = packet(point, data, sizeof(data), sizeof(data));
	json_object_set_new(o, "port", json_integer(2));
	json_object_set_new(o, "remote", json_string(remote));
	json_object_set_new(o, "local", json_string(local));
	return o;
}

static int take(json_t *o)
{
	int r = xy_sight_take(o, &s);
	json_decref(o);
	if (!r)
		xy_sight_line(&s, line);
	return r;
}

static const uint8_t ipv6[48] = {0x60, [5] = 8, 253, 64, [8] = 2, [23] = 1, [24] = 2, [39] = 2};

static bool sum_is_right(size_t ip_len, bool v4)
{
	const struct xy_addr src = xy_inner_src(s.data, v4 ? 4 : 6),
			     dst = xy_inner_dst(s.data, v4 ? 4 : 6);
	size_t udp = s.len - ip_len;
	uint32_t sum = xy_csum_pseudo(&src, &dst, XY_PROTO_UDP, (uint32_t)udp);
	return xy_csum_fold(xy_csum_add(sum, s.data + ip_len, udp)) == 0;
}

static void test_overlay(void)
{
	uint8_t padded[64] = {0};
	memcpy(padded, ipv6, sizeof(ipv6));
	json_t *o = packet("in", padded, 64, 64);
	json_object_set_new(o, "peer", json_string("r1\x1b[2J"));
	CU_ASSERT_EQUAL_FATAL(take(o), 0);
	CU_ASSERT(s.len == 48 && s.caplen == 48 && s.direction == XY_PCAPNG_IN); // without padding
	CU_ASSERT_STRING_EQUAL(s.place, "links");
	CU_ASSERT_STRING_EQUAL(
		line + 8,
		".123456 links in (peer r1?[2J): 200::1 > 200::2, sealed end to end, 48 bytes");
}

static void test_datagram(void)
{
	CU_ASSERT_EQUAL_FATAL(take(datagram("rx", "192.0.2.1:5", "192.0.2.2:51820")), 0);
	CU_ASSERT(s.len == 68 && s.direction == XY_PCAPNG_IN && s.data[0] == 0x45);
	CU_ASSERT_EQUAL(xy_csum_fold(xy_csum_add(0, s.data, 20)), 0);
	CU_ASSERT_EQUAL(xy_be16_load(s.data + 2), 68);
	CU_ASSERT(xy_be16_load(s.data + 20) == 5 && xy_be16_load(s.data + 22) == 51820);
	CU_ASSERT_STRING_EQUAL(line + 8, ".123456 port 2 rx: 192.0.2.1 > 192.0.2.2, udp 5 > 51820, "
					 "WireGuard data 7 of session 12345678, 68 bytes");
	CU_ASSERT_EQUAL_FATAL(take(datagram("tx", "[2001:db8::1]:5", "[2001:db8::2]:51820")), 0);
	CU_ASSERT(s.len == 88 && s.direction == XY_PCAPNG_OUT && sum_is_right(40, false));
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "2001:db8::2 > 2001:db8::1, udp 51820 > 5"));
	// Where it was sent to is not always known, nor is our port.
	CU_ASSERT_EQUAL_FATAL(take(datagram("rx", "192.0.2.1:5", "[::]:0")), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "192.0.2.1 > 0.0.0.0, udp 5 > 0"));
}

static void test_drop(void)
{
	json_t *o = packet("drop", ipv6, 48, 48);
	json_object_set_new(o, "peer", json_string("a"));
	json_object_set_new(o, "drop", json_string("spoofed"));
	CU_ASSERT_EQUAL_FATAL(take(o), 0);
	CU_ASSERT_STRING_EQUAL(s.comment, "peer a, drop spoofed");
	CU_ASSERT_STRING_EQUAL(s.place, "drops");
	CU_ASSERT_EQUAL_FATAL(take(packet("drop", (const uint8_t *)"\x60", 1, 1)), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "drops drop: no valid IP packet, 1 bytes"));
	CU_ASSERT_EQUAL_FATAL(take(packet("drop", NULL, 0, 0)), 0);
	CU_ASSERT_EQUAL_FATAL(take(packet("from_host", ipv6, 41, 48)), 0); // a part of it
	CU_ASSERT(s.len == 48 && s.caplen == 41);
}

static void test_bad(void)
{
	CU_ASSERT_NOT_EQUAL(take(json_object()), 0);
	CU_ASSERT_NOT_EQUAL(take(packet("nowhere", ipv6, 48, 48)), 0);
	CU_ASSERT_NOT_EQUAL(take(packet("in", ipv6, 48, 47)), 0);
	CU_ASSERT_NOT_EQUAL(take(packet("in", ipv6, 48, 70000)), 0);
	CU_ASSERT_NOT_EQUAL(take(datagram("rx", "192.0.2.1", "192.0.2.2:1")), 0);
	json_t *o = packet("in", ipv6, 48, 48);
	json_object_set_new(o, "data", json_string("YWJj*"));
	CU_ASSERT_NOT_EQUAL(take(o), 0);
}

static uint32_t word(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

// Blocks are whole multiples of four bytes, with their length at both ends; an interface comes
// once, before the first packet of it.
static void test_file(void)
{
	static const char *const places[] = {"port 0", "drops", "port 0"};
	static const uint32_t want[] = {0x0a0d0d0a, 1, 6, 1, 6, 6};
	char *text = NULL;
	size_t size = 0;
	struct xy_pcapng *p;
	struct xy_err err;
	unsigned n = 0, packets = 0;
	FILE *f = open_memstream(&text, &size);
	CU_ASSERT_EQUAL_FATAL(xy_pcapng_begin(f, &p, &err), 0);
	for (unsigned i = 0; i < 3; i++) {
		const struct xy_pcapng_packet k = {.interface = places[i],
						   .at = 1700000000123456789,
						   .direction = XY_PCAPNG_OUT,
						   .comment =
							   i == 1 ? "peer a, drop spoofed" : NULL,
						   .data = ipv6,
						   .caplen = 41 + i,
						   .len = 48};
		CU_ASSERT_EQUAL(xy_pcapng_put(p, &k, &err), 0);
	}
	xy_pcapng_end(p);
	fclose(f);
	const uint8_t *b = (const uint8_t *)text;
	for (size_t at = 0; at < size; n++) {
		uint32_t type = word(b + at), len = word(b + at + 4);
		CU_ASSERT_FATAL(n < 6 && type == want[n] && len >= 12 && len % 4 == 0 &&
				at + len <= size);
		CU_ASSERT_EQUAL(word(b + at + len - 4), len);
		if (type == 6) {
			CU_ASSERT_EQUAL(word(b + at + 8), packets == 1);
			CU_ASSERT_EQUAL(word(b + at + 20), 41 + packets);
			CU_ASSERT_EQUAL(word(b + at + 24), 48);
			packets++;
		}
		at += len;
	}
	CU_ASSERT(n == 6 && packets == 3);
	free(text);
}

// A disk that is full is told, with why.
static void test_no_room(void)
{
	struct xy_pcapng *p = NULL;
	struct xy_err err = {""};
	FILE *f = fopen("/dev/full", "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	setvbuf(f, NULL, _IONBF, 0);
	CU_ASSERT_EQUAL(xy_pcapng_begin(f, &p, &err), -ENOSPC);
	CU_ASSERT(p == NULL && strstr(err.text, "No space"));
	fclose(f);
}

XY_UNIT_MAIN("capture", {"an overlay packet", test_overlay}, {"a datagram", test_datagram},
	     {"what is dropped", test_drop}, {"what is none", test_bad}, {"a file", test_file},
	     {"no room", test_no_room})
