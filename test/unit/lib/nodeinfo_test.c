// SPDX-License-Identifier: BSD-3-Clause
// The node-info service's bytes: the vectors of docs/wire-format.md, round trips, what is refused.
#include "base/bytes.h"
#include "nodeinfo/nodeinfo.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

static struct xy_addr mesh(unsigned low)
{
	struct xy_addr a = {{0x02, 0x01}};
	xy_be32_store(a.b + 12, low);
	return a;
}

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = 0;
	unsigned v;
	int used;
	for (; sscanf(hex, " %2x%n", &v, &used) == 1; hex += used)
		out[n++] = (uint8_t)v;
	return n;
}

static struct xy_nodeinfo_request request(uint8_t kind, unsigned addr, size_t len)
{
	struct xy_nodeinfo_request r = {.kind = kind, .addr = mesh(addr), .len = len};
	for (unsigned i = 0; i < sizeof(r.nonce); i++)
		r.nonce[i] = (uint8_t)(0xa0 + i);
	return r;
}

static const char next_request[] =
	"01 02 0000 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 02010000000000000000000000000007"
	"00000000000000000000000000000000 00000000000000000000000000000000 00000000";
static const char next_reply[] = "01 82 0000 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 05 72656c6179 02 00c0"
				 "02010000000000000000000000000005";
static const char info_reply[] =
	"01 81 0000 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 01 61 05 302e312e30 03 0003 02"
	"02010000000000000000000000000008 0060 00000123"
	"02010000000000000000000000000009 0060 00000000";

static const char suites_request[] =
	"01 03 0000 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 03 01 0000000000000000000000000000";
static const char suites_reply[] = "01 83 0000 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 03 00";

static const char seen_request[] = "01 04 0000 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf";
static const char seen_reply[] = "01 84 0000 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
				 "00000000000000000000ffffc0000207 ca6c";

static void test_seen(void)
{
	uint8_t want[XY_NODEINFO_REQUEST_MAX] = {0}, made[XY_NODEINFO_REQUEST_MAX];
	struct xy_nodeinfo_request got, q = {.kind = XY_NODEINFO_SEEN, .len = XY_NODEINFO_SEEN_LEN};
	struct xy_nodeinfo_reply back, r = {.kind = XY_NODEINFO_SEEN};
	CU_ASSERT_FATAL(xy_endpoint_parse("192.0.2.7:51820", &r.seen.at) == 0);
	for (unsigned i = 0; i < sizeof(q.nonce); i++)
		q.nonce[i] = (uint8_t)(0xa0 + i);
	unhex(seen_request, want);
	CU_ASSERT(xy_nodeinfo_request_write(&q, made) == q.len && memcmp(made, want, q.len) == 0);
	CU_ASSERT(xy_nodeinfo_request_read(made, q.len, &got) == 0 && got.len == q.len);
	size_t len = unhex(seen_reply, want);
	CU_ASSERT(xy_nodeinfo_reply_write(&q, &r, made) == len && memcmp(made, want, len) == 0);
	CU_ASSERT(xy_nodeinfo_reply_read(made, len, &back) == 0);
	CU_ASSERT(xy_endpoint_eq(&back.seen.at, &r.seen.at));
	CU_ASSERT(xy_nodeinfo_reply_read(made, len - 1, &back) == -EBADMSG);
	q.len = XY_NODEINFO_REQUEST_MIN; // no room for an answer
	CU_ASSERT(xy_nodeinfo_reply_write(&q, &r, made) == 0);
	static const struct {
		const char *at;
		int is;
	} row[] = {{"00000000000000000000000000000000 0000", 0}, // it has no link with us
		   {"00000000000000000000000000000000 0001", -EBADMSG},
		   {"00000000000000000000ffffc0000207 0000", -EBADMSG},
		   {"00000000000000000000ffff7f000001 0001", -EBADMSG},
		   {"fe800000000000000000000000000001 0001", -EBADMSG},
		   {"ff020000000000000000000000000001 0001", -EBADMSG},
		   {"00000000000000000000ffff0a000001 0001", 0}}; // for the asker to judge
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		unhex(seen_reply, want);
		unhex(row[i].at, want + 20);
		CU_ASSERT(xy_nodeinfo_reply_read(want, len, &back) == row[i].is);
	}
}

static void test_suites(void)
{
	uint8_t want[XY_NODEINFO_REQUEST_MAX], made[XY_NODEINFO_REQUEST_MAX];
	struct xy_nodeinfo_request got, q = {.kind = XY_NODEINFO_SUITES,
					     .suites = {.can = 3, .best = 1},
					     .len = XY_NODEINFO_REQUEST_MIN};
	struct xy_nodeinfo_reply back,
		r = {.kind = XY_NODEINFO_SUITES, .suites = {.can = 3, .best = 0}};
	for (unsigned i = 0; i < sizeof(q.nonce); i++)
		q.nonce[i] = (uint8_t)(0xa0 + i);
	size_t len = unhex(suites_request, want);
	CU_ASSERT(xy_nodeinfo_request_write(&q, made) == len && memcmp(made, want, len) == 0);
	CU_ASSERT(xy_nodeinfo_request_read(made, len, &got) == 0);
	CU_ASSERT(got.suites.can == 3 && got.suites.best == 1);
	len = unhex(suites_reply, want);
	CU_ASSERT(xy_nodeinfo_reply_write(&q, &r, made) == len && memcmp(made, want, len) == 0);
	CU_ASSERT(xy_nodeinfo_reply_read(made, len, &back) == 0);
	CU_ASSERT(back.suites.can == 3 && back.suites.best == 0);
	CU_ASSERT(xy_nodeinfo_reply_read(made, len - 1, &back) == -EBADMSG);
	static const uint8_t bad[][2] = {{0, 0}, {1, 1}, {2, 0}, {3, 2}, {255, 8}, {255, 255}};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]);
	     i++) { // it would have what it has not
		memcpy(made + 20, bad[i], 2);
		CU_ASSERT(xy_nodeinfo_reply_read(made, len, &back) == -EBADMSG);
		unhex(suites_request, want);
		memcpy(want + 20, bad[i], 2);
		CU_ASSERT(xy_nodeinfo_request_read(want, XY_NODEINFO_REQUEST_MIN, &got) ==
			  -EBADMSG);
	}
}

static void test_lanes(void)
{
	static const char request[] = "01 05 0000 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 0a0b0c0d 08 "
				      "0000000000000000000000";
	static const char reply[] = "01 85 0000 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 0a0b0c0d 04 "
				    "000000000000000b";
	uint8_t want[XY_NODEINFO_REQUEST_MAX], made[XY_NODEINFO_REQUEST_MAX];
	struct xy_nodeinfo_request got,
		q = {.kind = XY_NODEINFO_LANES, .lanes.count = 8, .len = XY_NODEINFO_REQUEST_MIN};
	struct xy_nodeinfo_reply back,
		r = {.kind = XY_NODEINFO_LANES, .lanes = {.count = 4, .heard = 11}};
	memcpy(&q.lanes.session, "\x0a\x0b\x0c\x0d", 4); // as on the wire
	r.lanes.session = q.lanes.session;
	for (unsigned i = 0; i < sizeof(q.nonce); i++)
		q.nonce[i] = (uint8_t)(0xa0 + i);
	size_t len = unhex(request, want);
	CU_ASSERT(xy_nodeinfo_request_write(&q, made) == len && memcmp(made, want, len) == 0);
	CU_ASSERT(xy_nodeinfo_request_read(made, len, &got) == 0);
	CU_ASSERT(got.lanes.session == q.lanes.session && got.lanes.count == 8);
	for (unsigned bad = 0; bad < 256; bad++) { // none, or more than there can be
		made[24] = (uint8_t)bad;
		CU_ASSERT_EQUAL(xy_nodeinfo_request_read(made, len, &got) == 0,
				bad >= 1 && bad <= 64);
	}
	len = unhex(reply, want);
	CU_ASSERT(xy_nodeinfo_reply_write(&q, &r, made) == len && memcmp(made, want, len) == 0);
	CU_ASSERT(xy_nodeinfo_reply_read(made, len, &back) == 0);
	CU_ASSERT(back.lanes.session == q.lanes.session && back.lanes.count == 4 &&
		  back.lanes.heard == 11);
	CU_ASSERT(xy_nodeinfo_reply_read(made, len - 1, &back) == -EBADMSG);
	made[24] = 65;
	CU_ASSERT(xy_nodeinfo_reply_read(made, len, &back) == -EBADMSG);
}

static void test_vectors(void)
{
	uint8_t want[XY_NODEINFO_REPLY_MAX], made[XY_NODEINFO_REPLY_MAX];
	struct xy_nodeinfo_request q = request(XY_NODEINFO_NEXT, 7, XY_NODEINFO_NEXT_LEN);
	size_t len = unhex(next_request, want);
	CU_ASSERT(xy_nodeinfo_request_write(&q, made) == len && memcmp(made, want, len) == 0);

	struct xy_nodeinfo_reply next = {
		.kind = XY_NODEINFO_NEXT,
		.next = {
			.name = "relay", .result = XY_NODEINFO_VIA, .metric = 192, .hop = mesh(5)}};
	len = unhex(next_reply, want);
	CU_ASSERT(xy_nodeinfo_reply_write(&q, &next, made) == len && memcmp(made, want, len) == 0);

	struct xy_nodeinfo_reply info = {
		.kind = XY_NODEINFO_INFO,
		.info = {.name = "a",
			 .version = "0.1.0",
			 .tells_neighbours = true,
			 .total = 3,
			 .count = 3,
			 .neighbour = {{mesh(8), 96, 0x123}, {mesh(9), 96, 0}, {mesh(10), 96, 0}}}};
	q = request(XY_NODEINFO_INFO, 7, 95); // room for two of the three
	len = unhex(info_reply, want);
	CU_ASSERT(xy_nodeinfo_reply_write(&q, &info, made) == len && memcmp(made, want, len) == 0);
}

static void test_requests(void)
{
	static const uint8_t kinds[] = {XY_NODEINFO_INFO, XY_NODEINFO_NEXT};
	uint8_t b[XY_NODEINFO_REQUEST_MAX + 1] = {0};
	struct xy_nodeinfo_request got;
	for (unsigned i = 0; i < 2; i++) {
		for (size_t len = XY_NODEINFO_REQUEST_MIN; len <= XY_NODEINFO_REQUEST_MAX; len++) {
			struct xy_nodeinfo_request q = request(kinds[i], (unsigned)len, len);
			xy_nodeinfo_request_write(&q, b);
			CU_ASSERT(xy_nodeinfo_request_read(b, len, &got) == 0);
			CU_ASSERT(memcmp(&got, &q, sizeof(q)) == 0);
			CU_ASSERT(!xy_nodeinfo_is_reply(b, len));
		}
	}
	for (size_t len = 0; len < XY_NODEINFO_REQUEST_MIN; len++)
		CU_ASSERT(xy_nodeinfo_request_read(b, len, &got) == -EBADMSG);
	CU_ASSERT(xy_nodeinfo_request_read(b, sizeof(b), &got) == -EBADMSG); // too long
	b[1] = 6;
	CU_ASSERT(xy_nodeinfo_request_read(b, 100, &got) == -ENOTSUP);
	b[1] = XY_NODEINFO_INFO;
	b[0] = 2;
	CU_ASSERT(xy_nodeinfo_request_read(b, 100, &got) == -ENOTSUP);
	b[1] = XY_NODEINFO_INFO | XY_NODEINFO_REPLY;
	CU_ASSERT(xy_nodeinfo_is_reply(b, 100));
	b[0] = 1;
	CU_ASSERT(xy_nodeinfo_request_read(b, 100, &got) == -ENOTSUP);
}

static void fill(struct xy_nodeinfo_info *i, unsigned count)
{
	i->tells_neighbours = true;
	i->count = count;
	i->total = 5000;
	for (unsigned k = 0; k < count; k++)
		i->neighbour[k] =
			(struct xy_nodeinfo_neighbour){mesh(k), (uint16_t)rand(), (uint32_t)rand()};
}

static bool same_neighbours(const struct xy_nodeinfo_info *a, const struct xy_nodeinfo_info *b)
{
	for (unsigned k = 0; k < a->count; k++)
		if (!xy_addr_eq(&a->neighbour[k].addr, &b->neighbour[k].addr) ||
		    a->neighbour[k].cost != b->neighbour[k].cost ||
		    a->neighbour[k].rtt_us != b->neighbour[k].rtt_us)
			return false;
	return true;
}

// No reply is longer than its request, whatever there is to tell; what is in it comes back.
static void test_info(void)
{
	uint8_t b[XY_NODEINFO_REPLY_MAX];
	srand(1);
	for (size_t len = XY_NODEINFO_REQUEST_MIN; len <= XY_NODEINFO_REQUEST_MAX; len++) {
		struct xy_nodeinfo_request q = request(XY_NODEINFO_INFO, 0, len);
		struct xy_nodeinfo_reply r = {.kind = XY_NODEINFO_INFO}, got;
		fill(&r.info, (unsigned)rand() % (XY_NODEINFO_PAGE + 1));
		memset(r.info.name, 'n', (size_t)rand() % (XY_NODEINFO_TEXT_LEN + 1));
		memset(r.info.version, '1', (size_t)rand() % (XY_NODEINFO_TEXT_LEN + 1));
		size_t n = xy_nodeinfo_reply_write(&q, &r, b);
		CU_ASSERT(n <= len && (n > 0) == (len >= XY_NODEINFO_INFO_LEN));
		if (!n)
			continue;
		CU_ASSERT_FATAL(xy_nodeinfo_reply_read(b, n, &got) == 0);
		CU_ASSERT(got.kind == XY_NODEINFO_INFO && memcmp(got.nonce, q.nonce, 16) == 0);
		CU_ASSERT(strcmp(got.info.name, r.info.name) == 0);
		CU_ASSERT(strcmp(got.info.version, r.info.version) == 0);
		CU_ASSERT(got.info.total == 5000 && got.info.count <= r.info.count);
		CU_ASSERT(got.info.more == (got.info.count && got.info.count < r.info.count));
		// one more would not have fitted
		CU_ASSERT(got.info.count == r.info.count || n + XY_NODEINFO_NEIGHBOUR_LEN > len);
		CU_ASSERT(same_neighbours(&got.info, &r.info));
		for (size_t cut = 0; cut < n; cut++)
			CU_ASSERT(xy_nodeinfo_reply_read(b, cut, &got) == -EBADMSG);
	}
}

// A whole page fits when the texts are empty.
static void test_page(void)
{
	uint8_t b[XY_NODEINFO_REPLY_MAX];
	struct xy_nodeinfo_request q = request(XY_NODEINFO_INFO, 0, XY_NODEINFO_REQUEST_MAX);
	struct xy_nodeinfo_reply r = {.kind = XY_NODEINFO_INFO}, got;
	fill(&r.info, XY_NODEINFO_PAGE);
	size_t n = xy_nodeinfo_reply_write(&q, &r, b);
	CU_ASSERT(n <= XY_NODEINFO_REPLY_MAX && xy_nodeinfo_reply_read(b, n, &got) == 0);
	CU_ASSERT(got.info.count == XY_NODEINFO_PAGE && !got.info.more);
	r.info.tells_neighbours = false; // then none of them is told
	n = xy_nodeinfo_reply_write(&q, &r, b);
	CU_ASSERT(n == XY_NODEINFO_INFO_LEN - 64 && xy_nodeinfo_reply_read(b, n, &got) == 0);
	CU_ASSERT(!got.info.tells_neighbours && !got.info.total && !got.info.count);
}

static void test_next(void)
{
	uint8_t b[XY_NODEINFO_REPLY_MAX];
	struct xy_nodeinfo_reply r = {.kind = XY_NODEINFO_NEXT, .next = {.hop = mesh(3)}}, got;
	memset(r.next.name, 'x', XY_NODEINFO_TEXT_LEN);
	for (uint8_t result = 0; result < 6; result++) {
		struct xy_nodeinfo_request q = request(XY_NODEINFO_NEXT, 0, XY_NODEINFO_NEXT_LEN);
		r.next.result = result;
		r.next.metric = (uint16_t)(result * 1000);
		size_t n = xy_nodeinfo_reply_write(&q, &r, b);
		CU_ASSERT(n == XY_NODEINFO_NEXT_LEN);
		bool known = result >= XY_NODEINFO_HERE && result <= XY_NODEINFO_NONE;
		CU_ASSERT(xy_nodeinfo_reply_read(b, n, &got) == (known ? 0 : -EBADMSG));
		CU_ASSERT(!known || memcmp(&got.next, &r.next, sizeof(r.next)) == 0);
		q.len--;
		CU_ASSERT(xy_nodeinfo_reply_write(&q, &r, b) == 0);
	}
}

// Each would mislead who walks by it: names that speak to a terminal, neighbours that are none,
// pages that lead back.
static void test_refused(void)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
	} t[] = {
		{"a blank in the name", 21, ' '},	{"an escape in the name", 21, 0x1b},
		{"a NUL in the version", 23, 0},	{"a version beyond the end", 22, 200},
		{"more neighbours than told", 30, 1},	{"a count beyond the end", 31, 3},
		{"a neighbour outside 200::/7", 32, 4}, {"neighbours not ascending", 47, 9},
		{"a neighbour twice", 47, 9},		{"no reply", 1, 1},
	};
	uint8_t b[XY_NODEINFO_REPLY_MAX], copy[XY_NODEINFO_REPLY_MAX];
	struct xy_nodeinfo_reply got;
	size_t len = unhex(info_reply, b);
	CU_ASSERT(xy_nodeinfo_reply_read(b, len, &got) == 0);
	for (size_t i = 0; i < XY_ARRAY_SIZE(t); i++) {
		memcpy(copy, b, len);
		copy[t[i].at] = t[i].value;
		if (xy_nodeinfo_reply_read(copy, len, &got) != -EBADMSG)
			printf("\n  taken: %s", t[i].what);
		CU_ASSERT(xy_nodeinfo_reply_read(copy, len, &got) == -EBADMSG);
	}
	b[1] = XY_NODEINFO_REPLY | 6;
	CU_ASSERT(xy_nodeinfo_reply_read(b, len, &got) == -ENOTSUP);
	len = unhex(next_reply, b);
	b[29] = 0xfd; // a hop outside 200::/7
	CU_ASSERT(xy_nodeinfo_reply_read(b, len, &got) == -EBADMSG);
}

static void test_text(void)
{
	CU_ASSERT(xy_nodeinfo_text_ok("", 0) && xy_nodeinfo_text_ok("0.1.0~rc1+b-2_x", 15));
	CU_ASSERT(!xy_nodeinfo_text_ok("a b", 3) && !xy_nodeinfo_text_ok("a\n", 2));
	CU_ASSERT(!xy_nodeinfo_text_ok("\xc3\xa4", 2) && !xy_nodeinfo_text_ok("a\0b", 3));
	CU_ASSERT(xy_nodeinfo_text_ok("01234567890123456789012345678901", 32));
	CU_ASSERT(!xy_nodeinfo_text_ok("012345678901234567890123456789012", 33));
}

XY_UNIT_MAIN("nodeinfo", {"vectors", test_vectors}, {"requests", test_requests},
	     {"INFO: never longer than asked", test_info}, {"INFO: a whole page", test_page},
	     {"NEXT", test_next}, {"SUITES", test_suites}, {"LANES", test_lanes},
	     {"SEEN", test_seen}, {"refused", test_refused}, {"texts", test_text})
