// SPDX-License-Identifier: BSD-3-Clause
// Fragments of IPv4 packets against a receiver that puts them together byte by byte (RFC 791,
// section 3.2) and a slow reading of the options.
#include "base/bytes.h"
#include "unit.h"
#include "wire/fragment.h"

#include <errno.h>
#include <stdlib.h>

enum { DF = 0x4000, MF = 0x2000, OFFSET = 0x1fff, ROOM = 65535 };

static uint8_t packet[ROOM], piece[ROOM], finer[ROOM];

// --- the other end

static struct {
	uint8_t data[ROOM];
	bool there[ROOM];
	uint32_t end, held; // end: known from the piece without MF
} whole;

static uint16_t word(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static unsigned header_of(const uint8_t *p)
{
	return (p[0] & 15) * 4U;
}

static bool sum_is_right(const uint8_t *p)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < header_of(p); i += 2)
		sum += word(p + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static void seal(uint8_t *p)
{
	uint64_t sum = 0;
	p[10] = p[11] = 0;
	for (unsigned i = 0; i < header_of(p); i += 2)
		sum += word(p + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	xy_be16_store(p + 10, (uint16_t)~sum);
}

// Takes a piece; false when it is malformed or says twice what it should once.
static bool receive(const uint8_t *p, uint32_t len)
{
	unsigned at = (word(p + 6) & OFFSET) * 8U, n = len - header_of(p);
	if (word(p + 2) != len || !sum_is_right(p) || n == 0 || at + n > ROOM)
		return false;
	if (word(p + 6) & MF ? n % 8 != 0 : whole.end != 0)
		return false;
	if (!(word(p + 6) & MF))
		whole.end = at + n;
	for (unsigned i = 0; i < n; i++) {
		if (whole.there[at + i])
			return false;
		whole.there[at + i] = true;
		whole.data[at + i] = p[header_of(p) + i];
	}
	whole.held += n;
	return true;
}

// --- packets

struct made {
	const char *options; // hex would be longer than these
	uint8_t options_len;
	uint16_t where;
	uint32_t payload;
};

static uint32_t make(const struct made *m)
{
	unsigned header = 20U + m->options_len;
	uint32_t len = header + m->payload;
	packet[0] = (uint8_t)(0x40 | header / 4);
	packet[1] = 0xb9;
	xy_be16_store(packet + 2, (uint16_t)len);
	xy_be16_store(packet + 4, 0xbeef);
	xy_be16_store(packet + 6, m->where);
	packet[8] = 61;
	packet[9] = XY_PROTO_UDP;
	memcpy(packet + 12, "\xc0\0\2\1\xc6\x33\x64\7", 8);
	if (m->options_len)
		memcpy(packet + 20, m->options, m->options_len);
	for (uint32_t i = 0; i < m->payload; i++)
		packet[header + i] = (uint8_t)(i * 167 + (i >> 8));
	seal(packet);
	return len;
}

// What the options of a later piece must be.
static unsigned copied_options(const uint8_t *p, uint8_t out[static 40])
{
	unsigned n = 0, end = header_of(p);
	memset(out, 0, 40);
	for (unsigned i = 20; i < end && p[i] != 0; i += p[i] == 1 ? 1 : p[i + 1])
		for (unsigned k = 0; p[i] & 0x80 && k < p[i + 1]; k++)
			out[n++] = p[i + k];
	while (n % 4)
		n++;
	return n;
}

static bool header_is_right(const uint8_t *p, const uint8_t *of, unsigned i)
{
	uint8_t options[40];
	unsigned n = copied_options(of, options);
	bool same = p[1] == of[1] && memcmp(p + 4, of + 4, 2) == 0 && memcmp(p + 8, of + 8, 2) == 0;
	if (!same || memcmp(p + 12, of + 12, 8) != 0)
		return false;
	if (i == 0)
		return header_of(p) == header_of(of) &&
		       memcmp(p + 20, of + 20, header_of(of) - 20) == 0;
	return header_of(p) == 20 + n && memcmp(p + 20, options, n) == 0;
}

// The fewest pieces that it can be done with.
static unsigned fewest(const uint8_t *p, uint32_t mtu)
{
	uint8_t options[40];
	uint32_t left = word(p + 2) - header_of(p), header = header_of(p);
	unsigned n = 1;
	for (; header + left > mtu; n++) {
		left -= (mtu - header) / 8 * 8;
		header = 20 + copied_options(p, options);
	}
	return n;
}

// --- cases

static bool cut_is_right(const uint8_t *p, uint32_t len, uint32_t mtu)
{
	struct xy_fragment_cut cut;
	int n = xy_fragment_begin(&cut, p, len, mtu);
	uint32_t payload = len - header_of(p), base = (word(p + 6) & OFFSET) * 8U;
	bool more = word(p + 6) & MF;
	memset(&whole, 0, sizeof(whole));
	if (n != (int)fewest(p, mtu))
		return false;
	for (int i = 0; i < n; i++) {
		int l = xy_fragment_next(&cut, (unsigned)i, piece, mtu);
		if (l < 0 || (uint32_t)l > mtu || !header_is_right(piece, p, (unsigned)i) ||
		    (word(piece + 6) & OFFSET) * 8U != base + whole.held || // in order, no gap
		    (bool)(word(piece + 6) & MF) != (more || i < n - 1) ||
		    !receive(piece, (uint32_t)l))
			return false;
	}
	return whole.held == payload && (more || whole.end == base + payload) &&
	       memcmp(whole.data + base, p + header_of(p), payload) == 0;
}

// RFC 791, appendix A, example 2: 452 bytes of data through a network of 280.
static void test_rfc791(void)
{
	struct xy_fragment_cut cut;
	uint32_t len = make(&(struct made){.payload = 452});
	CU_ASSERT_EQUAL(xy_fragment_begin(&cut, packet, len, 280), 2);
	CU_ASSERT_EQUAL(xy_fragment_next(&cut, 0, piece, ROOM), 276);
	CU_ASSERT_EQUAL(word(piece + 6), MF);
	CU_ASSERT_EQUAL(xy_fragment_next(&cut, 1, piece, ROOM), 216);
	CU_ASSERT_EQUAL(word(piece + 6), 32);
	CU_ASSERT(cut_is_right(packet, len, 280));
}

static void test_every_length(void)
{
	for (uint32_t mtu = 68; mtu < 110; mtu++)
		for (uint32_t payload = 1; payload < 500; payload++) {
			uint32_t len = make(&(struct made){.payload = payload});
			if (!cut_is_right(packet, len, mtu)) {
				fprintf(stderr, "%u bytes through %u\n", len, mtu);
				CU_FAIL_FATAL("a wrong fragment");
			}
		}
}

static void test_options(void)
{
	static const struct {
		const char *name;
		struct made m;
		unsigned later; // header of the later pieces
	} rows[] = {
		{"record route, not copied", {"\x07\x07\x04\1\2\3\4\0", 8, 0, 900}, 20},
		{"source route, copied", {"\x83\x07\x04\1\2\3\4\0", 8, 0, 900}, 28},
		{"after a NOP", {"\x01\x83\x07\x04\1\2\3\4", 8, 0, 900}, 28},
		{"router alert", {"\x94\x04\0\0", 4, 0, 900}, 24},
		{"time stamp, security, NOPs",
		 {"\x44\x08\x05\0\0\0\0\0\x82\x0b\1\2\3\4\5\6\7\x08\x09\1\1\1\1\1", 24, 0, 900},
		 32},
		{"behind the end is nothing", {"\x94\x04\0\0\0\x94\x04\1", 8, 0, 900}, 24},
		{"all 40 copied",
		 {"\x83\x28\x04\1\2\3\4\5\6\7\x08\1\2\3\4\5\6\7\x08\1\2\3\4\5\6\7\x08\1\2\3\4\5"
		  "\6\7\x08\1\2\3\4",
		  40, 0, 900},
		 60},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xy_fragment_cut cut;
		uint32_t len = make(&rows[i].m);
		bool ok = cut_is_right(packet, len, 400) && cut_is_right(packet, len, 68);
		ok = ok && xy_fragment_begin(&cut, packet, len, 400) > 1 &&
		     cut.header == rows[i].later;
		if (!ok)
			fprintf(stderr, "%s\n", rows[i].name);
		CU_ASSERT(ok);
	}
}

static uint8_t random_options(uint8_t *out) // well-formed ones; their length
{
	unsigned want = (unsigned)rand() % 11 * 4, n = 0;
	memset(out, 0, 40);
	while (n + 2 <= want && rand() % 8) {
		unsigned len = 2 + (unsigned)rand() % 12;
		out[n] = (uint8_t)(rand() % 3 ? 2 + rand() % 254 : 1);
		if (out[n] == 1) {
			n++;
			continue;
		}
		len = n + len > want ? want - n : len;
		out[n + 1] = (uint8_t)len;
		for (unsigned i = 2; i < len; i++)
			out[n + i] = (uint8_t)rand();
		n += len;
	}
	return (uint8_t)want;
}

// Pieces of pieces: cut once, each piece cut again, all of them together are the packet's payload.
static bool twice_is_right(const uint8_t *p, uint32_t len, uint32_t mtu, uint32_t second)
{
	struct xy_fragment_cut cut, again;
	int n = xy_fragment_begin(&cut, p, len, mtu);
	memset(&whole, 0, sizeof(whole));
	for (int i = 0; i < n; i++) {
		int l = xy_fragment_next(&cut, (unsigned)i, piece, ROOM);
		int k = xy_fragment_begin(&again, piece, (size_t)l, second);
		for (int j = 0; j < k; j++) {
			int f = xy_fragment_next(&again, (unsigned)j, finer, second);
			if (f < 0 || !receive(finer, (uint32_t)f))
				return false;
		}
	}
	uint32_t base = (word(p + 6) & OFFSET) * 8U;
	return whole.held == len - header_of(p) &&
	       memcmp(whole.data + base, p + header_of(p), whole.held) == 0;
}

static void test_random(void)
{
	srand(791);
	for (unsigned i = 0; i < 4000; i++) {
		uint8_t options[40];
		struct made m = {.options = (const char *)options,
				 .options_len = random_options(options),
				 .payload = 1 + (uint32_t)rand() % (i % 10 ? 3000 : 65000)};
		if (rand() % 2)
			m.where = (uint16_t)(rand() % ((65535 - m.payload) / 8 + 1));
		if (rand() % 2 && m.payload > 8) {
			m.where |= MF;
			m.payload &= ~7U;
		}
		if (rand() % 4 == 0)
			m.where |= 0x8000; // reserved: as it came
		uint32_t len = make(&m), mtu = 68 + (uint32_t)rand() % 1500;
		if (!cut_is_right(packet, len, mtu) ||
		    !twice_is_right(packet, len, mtu, 68 + (uint32_t)rand() % mtu)) {
			fprintf(stderr, "round %u: %u bytes through %u\n", i, len, mtu);
			CU_FAIL_FATAL("a wrong fragment");
		}
	}
}

static void test_fits(void)
{
	struct xy_fragment_cut cut;
	uint32_t len = make(&(struct made){.where = DF, .payload = 100});
	CU_ASSERT_EQUAL(xy_fragment_begin(&cut, packet, len, len), 1);
	CU_ASSERT_EQUAL(xy_fragment_next(&cut, 0, piece, len), (int)len);
	CU_ASSERT_EQUAL(memcmp(piece, packet, len), 0);
	CU_ASSERT_EQUAL(xy_fragment_next(&cut, 0, piece, len - 1), -ENOSPC);
	len = make(&(struct made){.payload = 100});
	CU_ASSERT_EQUAL(xy_fragment_begin(&cut, packet, len, len - 1), 2);
	CU_ASSERT_EQUAL(xy_fragment_next(&cut, 1, piece, 23), -ENOSPC);
	CU_ASSERT_EQUAL(xy_fragment_next(&cut, 1, piece, 24), 24);
}

static void test_allowed(void)
{
	make(&(struct made){.where = MF | 7, .payload = 8});
	CU_ASSERT(xy_fragment_allowed(packet, 4));
	make(&(struct made){.where = DF, .payload = 8});
	CU_ASSERT_FALSE(xy_fragment_allowed(packet, 4));
	memset(packet, 0, 40);
	CU_ASSERT_FALSE(xy_fragment_allowed(packet, 6));
}

static void test_refused(void)
{
	static const struct {
		const char *name;
		struct made m;
		uint32_t mtu;
		int want;
	} rows[] = {
		{"DF", {NULL, 0, DF, 1000}, 500, -EMSGSIZE},
		{"no room for 8 bytes", {NULL, 0, 0, 1000}, 27, -EMSGSIZE},
		{"room for 8 bytes", {NULL, 0, 0, 1000}, 28, 125},
		{"no room behind options", {"\x94\x04\0\0", 4, 0, 1000}, 31, -EMSGSIZE},
		{"no room at all", {NULL, 0, 0, 1000}, 0, -EMSGSIZE},
		{"option of length 0", {"\x94\0\0\0", 4, 0, 1000}, 500, -EBADMSG},
		{"option of length 1", {"\x94\1\0\0", 4, 0, 1000}, 500, -EBADMSG},
		{"option beyond the header", {"\x94\5\0\0", 4, 0, 1000}, 500, -EBADMSG},
		{"option without a length", {"\1\1\1\x94", 4, 0, 1000}, 500, -EBADMSG},
		{"MF and no whole units", {NULL, 0, MF, 1001}, 500, -EBADMSG},
		{"beyond 65,535", {NULL, 0, OFFSET, 8}, 500, -EBADMSG},
		{"up to 65,535", {NULL, 0, OFFSET, 7}, 500, 1},
	};
	struct xy_fragment_cut cut;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t len = make(&rows[i].m);
		int got = xy_fragment_begin(&cut, packet, len, rows[i].mtu);
		if (got != rows[i].want)
			fprintf(stderr, "%s: %d\n", rows[i].name, got);
		CU_ASSERT_EQUAL(got, rows[i].want);
	}
	uint32_t len = make(&(struct made){.payload = 1000});
	CU_ASSERT_EQUAL(xy_fragment_begin(&cut, packet, len - 1, 500), -EBADMSG);
	packet[8]--; // a wrong checksum is not made right
	CU_ASSERT_EQUAL(xy_fragment_begin(&cut, packet, len, 500), -EBADMSG);
	memset(packet, 0, 40);
	packet[0] = 0x60;
	CU_ASSERT_EQUAL(xy_fragment_begin(&cut, packet, 40, 30), -EBADMSG);
	CU_ASSERT_EQUAL(xy_fragment_begin(&cut, packet, 0, 30), -EBADMSG);
}

XY_UNIT_MAIN("fragment", {"RFC 791's example", test_rfc791}, {"every length", test_every_length},
	     {"options", test_options}, {"random, and twice", test_random},
	     {"what fits", test_fits}, {"may it be cut", test_allowed}, {"refused", test_refused})
