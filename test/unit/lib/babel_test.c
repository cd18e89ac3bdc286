// SPDX-License-Identifier: BSD-3-Clause
// Babel's codec: bytes against RFC 8966, 9229 and 9616, round trips of every TLV, and what must be
// ignored.
#include "unit.h"

#include "babel/wire.h"

static const struct xy_addr source = {.b = {0xfe, 0x80, [15] = 1}};

static struct xy_prefix prefix(const char *s)
{
	struct xy_prefix p;
	CU_ASSERT_EQUAL_FATAL(xy_prefix_parse(s, &p), 0);
	return p;
}

static struct xy_addr addr(const char *s)
{
	struct xy_addr a;
	CU_ASSERT_EQUAL_FATAL(xy_addr_parse(s, &a), 0);
	return a;
}

static size_t unhex(const char *s, uint8_t *out)
{
	size_t n = 0;
	for (; *s; s++) {
		if (*s == ' ')
			continue;
		unsigned v;
		CU_ASSERT_EQUAL_FATAL(sscanf(s, "%2x", &v), 1);
		out[n++] = (uint8_t)v;
		s++;
	}
	return n;
}

// A packet around the TLVs given in hex.
static struct xy_babel_parser packet(const char *hex)
{
	static uint8_t data[2048];
	struct xy_babel_parser p;
	size_t n = unhex(hex, data + 4);
	data[0] = 42;
	data[1] = 2;
	xy_be16_store(data + 2, (uint16_t)n);
	CU_ASSERT_EQUAL_FATAL(xy_babel_parse(&p, data, n + 4, &source), 0);
	return p;
}

static void test_header(void)
{
	static const struct {
		const char *hex;
		int result;
	} table[] = {
		{"2a020000", 0},
		{"2a02000000", 0},	    // a trailer byte
		{"2a02 0004 0302 0001", 0}, // an Acknowledgment
		{"2b020000", -EBADMSG},	    // magic
		{"2a030000", -EBADMSG},	    // version
		{"2a020001", -EBADMSG},	    // body longer than the packet
		{"2a0200", -EBADMSG},
		{"", -EBADMSG},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(table); i++) {
		uint8_t data[64];
		struct xy_babel_parser p;
		size_t n = unhex(table[i].hex, data);
		CU_ASSERT_EQUAL(xy_babel_parse(&p, data, n, &source), table[i].result);
	}
}

// RFC 8966 section 4.6, field by field.
static void test_fixed_bytes(void)
{
	struct xy_babel_tlv t;
	struct xy_babel_parser p = packet("00 0103000000 0206 0000 1234 00c8 0302 1234"
					  "0406 8000 0007 0190 0508 0300 0060 04b0 0000"
					  "0510 0300 0060 04b0 0000000000000002 0000");
	CU_ASSERT_TRUE_FATAL(xy_babel_parse_next(&p, &t));
	CU_ASSERT_EQUAL(t.type, XY_BABEL_ACK_REQUEST);
	CU_ASSERT_EQUAL(t.ack.opaque, 0x1234);
	CU_ASSERT_EQUAL(t.ack.interval, 200);
	CU_ASSERT_TRUE_FATAL(xy_babel_parse_next(&p, &t));
	CU_ASSERT_EQUAL(t.type, XY_BABEL_ACK);
	CU_ASSERT_EQUAL(t.ack.opaque, 0x1234);
	CU_ASSERT_TRUE_FATAL(xy_babel_parse_next(&p, &t));
	CU_ASSERT_EQUAL(t.type, XY_BABEL_HELLO);
	CU_ASSERT_EQUAL(t.hello.flags, XY_BABEL_HELLO_UNICAST);
	CU_ASSERT_EQUAL(t.hello.seqno, 7);
	CU_ASSERT_EQUAL(t.hello.interval, 400);
	CU_ASSERT_FALSE(t.hello.has_time);
	// The first IHU is too short for its address: ignored; the second has two Pad1 sub-TLVs.
	CU_ASSERT_TRUE_FATAL(xy_babel_parse_next(&p, &t));
	CU_ASSERT_EQUAL(t.type, XY_BABEL_IHU);
	CU_ASSERT_EQUAL(t.ihu.rxcost, 96);
	CU_ASSERT_EQUAL(t.ihu.interval, 1200);
	struct xy_addr want = addr("fe80::2");
	CU_ASSERT_TRUE(xy_addr_eq(&t.ihu.address, &want));
	CU_ASSERT_FALSE(xy_babel_parse_next(&p, &t));
	CU_ASSERT_EQUAL(p.ignored, 1);
}

// RFC 9616 section 5: longer Timestamps are read, shorter ones are not there.
static void test_timestamps(void)
{
	struct xy_babel_tlv t;
	struct xy_babel_parser p = packet("040c 0000 0001 0190 0304 00000102"
					  "040e 0000 0002 0190 0306 00000102 ffff"
					  "040b 0000 0003 0190 0303 000001"
					  "0510 0000 0060 04b0 0308 00000001 00000002");
	bool has[] = {true, true, false};
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_TRUE_FATAL(xy_babel_parse_next(&p, &t));
		CU_ASSERT_EQUAL(t.hello.has_time, has[i]);
		if (has[i])
			CU_ASSERT_EQUAL(t.hello.time, 258);
	}
	CU_ASSERT_TRUE_FATAL(xy_babel_parse_next(&p, &t));
	CU_ASSERT_TRUE(t.ihu.any);
	CU_ASSERT_TRUE(t.ihu.has_time);
	CU_ASSERT_EQUAL(t.ihu.origin_time, 1);
	CU_ASSERT_EQUAL(t.ihu.receive_time, 2);
}

struct update_row {
	const char *name, *hex; // the TLVs; the last one is the Update in question
	const char *prefix;	// NULL: ignored
	uint64_t rid;
	const char *next_hop;
	uint16_t metric;
};

#define RID "060a 0000 0102030405060708 "

// Numbered: a failure prints its row.
static const struct update_row updates[] = {
	{"plain", RID "080e 0200 20 00 0640 0001 0060 20010db8", "2001:db8::/32",
	 0x0102030405060708, "fe80::1", 96},
	{"no router-id", "080e 0200 20 00 0640 0001 0060 20010db8", NULL},
	{"router-id of zeroes",
	 "060a 0000 0000000000000000 080e 0200 20 00 0640 0001 0060 20010db8", NULL},
	{"router-id of ones", "060a 0000 ffffffffffffffff 080e 0200 20 00 0640 0001 0060 20010db8",
	 NULL},
	{"router-id TLV with unknown mandatory sub-TLV counts",
	 "060c 0000 0102030405060708 8000 080e 0200 20 00 0640 0001 0060 20010db8", "2001:db8::/32",
	 0x0102030405060708, "fe80::1", 96},
	{"unknown mandatory sub-TLV", RID "0810 0200 20 00 0640 0001 0060 20010db8 8000", NULL},
	{"unknown optional sub-TLV", RID "0810 0200 20 00 0640 0001 0060 20010db8 7e00",
	 "2001:db8::/32", 0x0102030405060708, "fe80::1", 96},
	{"sub-TLV past the end", RID "0810 0200 20 00 0640 0001 0060 20010db8 7e01", NULL},
	{"router-id out of a v6 prefix",
	 "081a 0240 80 00 0640 0001 0060"
	 "20010db8000000000011223344556677",
	 "2001:db8::11:2233:4455:6677/128", 0x0011223344556677, "fe80::1", 96},
	{"router-id out of a v4 prefix, AE 4", "080e 0440 20 00 0640 0001 0060 c0000201",
	 "192.0.2.1/32", 0xc0000201, "fe80::1", 96},
	{"omitted",
	 RID "0810 0280 30 00 0640 0001 0060 20010db80001"
	     "080c 0200 30 04 0640 0001 0060 0002",
	 "2001:db8:2::/48", 0x0102030405060708, "fe80::1", 96},
	{"omitted without a default", RID "080c 0200 30 04 0640 0001 0060 0002", NULL},
	{"default set by an ignored Update",
	 RID "0812 0280 30 00 0640 0001 0060 20010db80001 ff00"
	     "080c 0200 30 04 0640 0001 0060 0002",
	 "2001:db8:2::/48", 0x0102030405060708, "fe80::1", 96},
	{"no default of another AE",
	 RID "080e 0480 20 00 0640 0001 0060 c0000201"
	     "080b 0200 20 03 0640 0001 0060 09",
	 NULL},
	{"AE 1 and AE 4 compress apart",
	 RID "080e 0480 20 00 0640 0001 0060 c0000201"
	     "080b 0100 20 03 0640 0001 0060 09",
	 NULL},
	{"AE 4 compressed",
	 RID "080e 0480 20 00 0640 0001 0060 c0000201"
	     "080b 0400 20 03 0640 0001 0060 09",
	 "192.0.2.9/32", 0x0102030405060708, "fe80::1", 96},
	{"AE 1 without a next hop", RID "080e 0100 20 00 0640 0001 0060 c0000201", NULL},
	{"AE 1 with a next hop", RID "0706 0100 c0000263 080e 0100 20 00 0640 0001 0060 c0000201",
	 "192.0.2.1/32", 0x0102030405060708, "192.0.2.99", 96},
	{"AE 4 takes the v6 next hop",
	 RID "0706 0100 c0000263 070a 0300 0000000000000009"
	     "080e 0400 20 00 0640 0001 0060 c0000201",
	 "192.0.2.1/32", 0x0102030405060708, "fe80::9", 96},
	{"next hop in AE 4 is ignored",
	 RID "0706 0400 c0000263"
	     "080e 0100 20 00 0640 0001 0060 c0000201",
	 NULL},
	{"bits beyond plen are cleared", RID "080d 0200 14 00 0640 0001 0060 20010f", "2001::/20",
	 0x0102030405060708, "fe80::1", 96},
	{"plen above 128", RID "081b 0200 81 00 0640 0001 0060 2001000000000000000000000000000000",
	 NULL},
	{"plen above 32 in AE 4", RID "080f 0400 21 00 0640 0001 0060 c000020100", NULL},
	{"omitted more than the prefix has",
	 RID "0812 0280 40 00 0640 0001 0060 20010db800010001"
	     "080a 0200 10 03 0640 0001 0060",
	 NULL},
	{"interval 0", RID "080e 0200 20 00 0000 0001 0060 20010db8", NULL},
	{"retraction needs no router-id", "080e 0200 20 00 0640 0001 ffff 20010db8",
	 "2001:db8::/32", 0, "fe80::1", XY_BABEL_INFINITY},
	{"AE 0 with a finite metric", RID "080a 0000 00 00 0640 0001 0060", NULL},
	{"AE 0 with a length", "080a 0000 01 00 0640 0001 ffff", NULL},
	{"unknown AE", RID "080e 0500 20 00 0640 0001 0060 20010db8", NULL},
	{"default route", RID "080a 0200 00 00 0640 0001 0060", "::/0", 0x0102030405060708,
	 "fe80::1", 96},
	{"cut off within its fields", RID "0805 0200 20 00 06", NULL},
	{"cut off by the end of the packet", RID "08ff 0200 20 00 06", NULL},
	{"link-local", RID "0812 0300 80 00 0640 0001 0060 0000000000000007", "fe80::7/128",
	 0x0102030405060708, "fe80::1", 96},
};

static void check_update(size_t row)
{
	const struct update_row *want = &updates[row];
	struct xy_babel_parser p = packet(want->hex);
	struct xy_babel_tlv t, last = {0};
	unsigned found = 0;
	while (xy_babel_parse_next(&p, &t))
		if (t.type == XY_BABEL_UPDATE) {
			last = t;
			found++;
		}
	bool right = want->prefix || p.ignored > 0;
	if (want->prefix) {
		struct xy_prefix pr = prefix(want->prefix);
		struct xy_addr hop = addr(want->next_hop);
		right = found && xy_prefix_eq(&last.update.prefix, &pr) &&
			last.update.metric == want->metric && last.update.rid == want->rid &&
			xy_addr_eq(&last.update.next_hop, &hop);
	}
	if (!right)
		fprintf(stderr, "\n  row %zu: %s\n", row, want->name);
	CU_ASSERT_TRUE(right);
}

static void test_updates(void)
{
	for (size_t i = 0; i < XY_ARRAY_SIZE(updates); i++)
		check_update(i);
}

// What is to be ignored is counted as that, one by one; a good one after it is taken.
static void test_router_ids(void)
{
	struct xy_babel_tlv t;
	struct xy_babel_parser p = packet("060c 0000 0102030405060708 8000"
					  "060a 0000 0000000000000000"
					  "060c 0000 ffffffffffffffff 7e00"
					  "060c 0000 1112131415161718 7e00");
	CU_ASSERT_TRUE_FATAL(xy_babel_parse_next(&p, &t));
	CU_ASSERT_TRUE(t.type == XY_BABEL_ROUTER_ID && t.rid == 0x1112131415161718);
	CU_ASSERT_EQUAL(p.ignored, 3);
	CU_ASSERT_FALSE(xy_babel_parse_next(&p, &t));
}

static void test_wildcards(void)
{
	struct xy_babel_tlv t;
	struct xy_babel_parser p = packet("080a 0000 00 00 0640 0001 ffff 0902 0000 0902 0001"
					  "0912 0280 20010db8000000000000000000000001"
					  "0a0e 0000 0001 4000 0102030405060708"
					  "0a12 0120 0001 0000 0102030405060708 c0000201"
					  "0a12 0120 0001 4000 0000000000000000 c0000201"
					  "0a12 0120 0001 4000 0102030405060708 c0000201");
	CU_ASSERT_TRUE_FATAL(xy_babel_parse_next(&p, &t));
	CU_ASSERT_TRUE(t.type == XY_BABEL_UPDATE && t.update.wildcard);
	CU_ASSERT_TRUE_FATAL(xy_babel_parse_next(&p, &t));
	CU_ASSERT_TRUE(t.type == XY_BABEL_ROUTE_REQUEST && t.request.wildcard);
	CU_ASSERT_TRUE_FATAL(xy_babel_parse_next(&p, &t)); // AE 0 with plen 1 was skipped
	struct xy_prefix want = prefix("2001:db8::1");
	CU_ASSERT_TRUE(!t.request.wildcard && xy_prefix_eq(&t.request.prefix, &want));
	CU_ASSERT_TRUE_FATAL(xy_babel_parse_next(&p, &t)); // AE 0, hop count 0, router-id 0 skipped
	want = prefix("192.0.2.1");
	CU_ASSERT_EQUAL(t.type, XY_BABEL_SEQNO_REQUEST);
	CU_ASSERT_TRUE(xy_prefix_eq(&t.request.prefix, &want));
	CU_ASSERT_EQUAL(t.request.seqno, 1);
	CU_ASSERT_EQUAL(t.request.hops, 64);
	CU_ASSERT_EQUAL(t.request.rid, 0x0102030405060708);
	CU_ASSERT_FALSE(xy_babel_parse_next(&p, &t));
	CU_ASSERT_EQUAL(p.ignored, 4);
}

// The origin sub-TLV takes exactly one version and two lengths; another one leaves the Update
// unsigned, and two of them are none.
static void test_origin(void)
{
	static const struct {
		uint8_t version, flags;
		int extra;
		unsigned copies;
		bool good;
	} table[] = {{1, 0, 0, 1, true},  {1, 1, 4, 1, true},  {1, 0, 4, 1, false},
		     {1, 1, 0, 1, false}, {2, 0, 0, 1, false}, {1, 0, -1, 1, false},
		     {1, 2, 0, 1, true},  {1, 0, 0, 2, false}};
	for (size_t i = 0; i < XY_ARRAY_SIZE(table); i++) {
		uint8_t data[512] = {42, 2, 0, 0, 6, 10, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
		uint8_t *at = data + 16;
		uint8_t body = (uint8_t)(XY_BABEL_ORIGIN_LEN + table[i].extra);
		const uint8_t update[] = {8,	(uint8_t)(14 + (2 + body) * (int)table[i].copies),
					  2,	0,
					  32,	0,
					  6,	64,
					  0,	1,
					  0,	96,
					  0x20, 1,
					  0xd,	0xb8};
		memcpy(at, update, sizeof(update));
		at += sizeof(update);
		for (unsigned j = 0; j < table[i].copies; j++, at += body + 2) {
			at[0] = XY_BABEL_SUB_ORIGIN;
			at[1] = body;
			at[2] = table[i].version;
			at[3] = table[i].flags;
		}
		size_t len = (size_t)(at - data);
		xy_be16_store(data + 2, (uint16_t)(len - 4));
		struct xy_babel_parser p;
		struct xy_babel_tlv t;
		CU_ASSERT_EQUAL_FATAL(xy_babel_parse(&p, data, len, &source), 0);
		CU_ASSERT_TRUE_FATAL(xy_babel_parse_next(&p, &t) && t.type == XY_BABEL_ROUTER_ID);
		if (14 + (2 + body) * (int)table[i].copies > 255)
			continue;
		CU_ASSERT_TRUE_FATAL(xy_babel_parse_next(&p, &t));
		CU_ASSERT_EQUAL(t.update.has_origin, table[i].good);
		CU_ASSERT_EQUAL(t.update.bad_origin, !table[i].good);
	}
}

static bool same_origin(const struct xy_babel_origin *a, const struct xy_babel_origin *b)
{
	return a->flags == b->flags && a->epoch == b->epoch && a->tag == b->tag &&
	       !memcmp(a->key, b->key, 32) && !memcmp(a->signature, b->signature, 64);
}

static struct xy_babel_update sample(unsigned i)
{
	struct xy_babel_update u = {.metric = (uint16_t)(i * 7),
				    .interval = 400,
				    .seqno = (uint16_t)i,
				    .has_rid = true,
				    .rid = 1 + i / 3,
				    .next_hop = source};
	switch (i % 4) {
	case 0:
		u.prefix = prefix("27f:b2c5:a944:4dad::/64");
		u.prefix.addr.b[7] = (uint8_t)i;
		u.has_origin = true;
		u.origin.epoch = i;
		memset(u.origin.signature, (int)i, 64);
		break;
	case 1:
		u.prefix = prefix("192.0.2.0/24");
		u.prefix.addr.b[14] = (uint8_t)i;
		u.has_origin = true;
		u.origin.flags = XY_BABEL_ORIGIN_EXTERNAL;
		u.origin.tag = i * 77;
		break;
	case 2:
		u.prefix = prefix("10.0.0.0/8");
		u.next_hop = addr("10.1.1.1");
		break;
	case 3:
		u.prefix = prefix("2001:db8::/61");
		u.metric = XY_BABEL_INFINITY;
		break;
	}
	return u;
}

static void test_round_trip_updates(void)
{
	uint8_t data[1200];
	struct xy_babel_builder b;
	struct xy_babel_parser p;
	struct xy_babel_tlv t;
	unsigned n = 0, got = 0;
	xy_babel_build(&b, data, sizeof(data), &source);
	for (;; n++) {
		struct xy_babel_update u = sample(n);
		if (!xy_babel_build_update(&b, &u))
			break;
	}
	CU_ASSERT_TRUE(n > 8);
	CU_ASSERT_EQUAL_FATAL(xy_babel_parse(&p, data, xy_babel_build_end(&b), &source), 0);
	while (xy_babel_parse_next(&p, &t)) {
		if (t.type != XY_BABEL_UPDATE)
			continue;
		struct xy_babel_update u = sample(got++);
		CU_ASSERT_TRUE(xy_prefix_eq(&t.update.prefix, &u.prefix));
		CU_ASSERT_EQUAL(t.update.metric, u.metric);
		CU_ASSERT_EQUAL(t.update.seqno, u.seqno);
		CU_ASSERT_EQUAL(t.update.has_origin, u.has_origin);
		CU_ASSERT_TRUE(same_origin(&t.update.origin, &u.origin));
		if (u.metric == XY_BABEL_INFINITY)
			continue;
		CU_ASSERT_EQUAL(t.update.rid, u.rid);
		CU_ASSERT_TRUE(xy_addr_eq(&t.update.next_hop, &u.next_hop));
	}
	CU_ASSERT_EQUAL(got, n);
	CU_ASSERT_EQUAL(p.ignored, 0);
}

static void test_round_trip_rest(void)
{
	uint8_t data[512];
	struct xy_babel_builder b;
	struct xy_babel_parser p;
	struct xy_babel_tlv t;
	struct xy_babel_hello hello = {0x8000, 65535, 400, true, 0xfedcba98};
	struct xy_babel_ihu ihus[] = {{.any = true, .rxcost = 96, .interval = 1200},
				      {.address = addr("10.0.0.1"), .rxcost = 1, .interval = 1},
				      {.address = addr("2001:db8::1"), .rxcost = 1, .interval = 1},
				      {.address = addr("fe80::1:2"),
				       .rxcost = 0xffff,
				       .interval = 9,
				       .has_time = true,
				       .origin_time = 5,
				       .receive_time = 6}};
	struct xy_babel_request want = {
		.prefix = prefix("2001:db8:1::/48"), .seqno = 9, .hops = 64, .rid = 77};
	xy_babel_build(&b, data, sizeof(data), &source);
	CU_ASSERT_TRUE(xy_babel_build_empty(&b));
	CU_ASSERT_TRUE(xy_babel_build_ack_request(&b, 0xabcd, 200));
	CU_ASSERT_TRUE(xy_babel_build_ack(&b, 0xdcba));
	CU_ASSERT_TRUE(xy_babel_build_hello(&b, &hello));
	for (size_t i = 0; i < XY_ARRAY_SIZE(ihus); i++)
		CU_ASSERT_TRUE(xy_babel_build_ihu(&b, &ihus[i]));
	CU_ASSERT_TRUE(xy_babel_build_route_request(&b, &want));
	CU_ASSERT_TRUE(
		xy_babel_build_route_request(&b, &(struct xy_babel_request){.wildcard = true}));
	CU_ASSERT_TRUE(xy_babel_build_seqno_request(&b, &want));
	CU_ASSERT_EQUAL_FATAL(xy_babel_parse(&p, data, xy_babel_build_end(&b), &source), 0);

	CU_ASSERT_TRUE(xy_babel_parse_next(&p, &t) && t.ack.opaque == 0xabcd &&
		       t.ack.interval == 200);
	CU_ASSERT_TRUE(xy_babel_parse_next(&p, &t) && t.ack.opaque == 0xdcba);
	CU_ASSERT_TRUE(xy_babel_parse_next(&p, &t) && t.hello.flags == 0x8000 &&
		       t.hello.seqno == 65535 && t.hello.interval == 400 && t.hello.has_time &&
		       t.hello.time == 0xfedcba98);
	for (size_t i = 0; i < XY_ARRAY_SIZE(ihus); i++) {
		CU_ASSERT_TRUE(xy_babel_parse_next(&p, &t) && t.type == XY_BABEL_IHU);
		CU_ASSERT_TRUE(t.ihu.any == ihus[i].any && t.ihu.rxcost == ihus[i].rxcost &&
			       xy_addr_eq(&t.ihu.address, &ihus[i].address) &&
			       t.ihu.has_time == ihus[i].has_time);
	}
	CU_ASSERT_TRUE(xy_babel_parse_next(&p, &t) &&
		       xy_prefix_eq(&t.request.prefix, &want.prefix));
	CU_ASSERT_TRUE(xy_babel_parse_next(&p, &t) && t.request.wildcard);
	CU_ASSERT_TRUE(xy_babel_parse_next(&p, &t) &&
		       xy_prefix_eq(&t.request.prefix, &want.prefix) && t.request.seqno == 9 &&
		       t.request.hops == 64 && t.request.rid == 77);
	CU_ASSERT_FALSE(xy_babel_parse_next(&p, &t));
	CU_ASSERT_EQUAL(p.ignored, 0);
}

// However small the packet, a TLV that does not fit leaves it as it was.
// A packet can be as long as one likes, and says the same.
static void test_pad(void)
{
	for (size_t size = 12; size < 1500; size++) {
		uint8_t data[1500];
		struct xy_babel_builder b;
		struct xy_babel_parser p;
		struct xy_babel_tlv t;
		memset(data, 0x5a, sizeof(data));
		xy_babel_build(&b, data, size, &source);
		CU_ASSERT_TRUE(xy_babel_build_ack_request(&b, (uint16_t)size, 5));
		xy_babel_build_pad(&b, size);
		CU_ASSERT_EQUAL(xy_babel_build_end(&b), size);
		for (size_t i = size; i < sizeof(data); i++)
			CU_ASSERT_EQUAL_FATAL(data[i], 0x5a);
		CU_ASSERT_EQUAL_FATAL(xy_babel_parse(&p, data, size, &source), 0);
		CU_ASSERT_TRUE_FATAL(xy_babel_parse_next(&p, &t));
		CU_ASSERT(t.type == XY_BABEL_ACK_REQUEST && t.ack.opaque == (uint16_t)size);
		CU_ASSERT_FALSE(xy_babel_parse_next(&p, &t));
		CU_ASSERT_EQUAL(p.ignored, 0);
	}
}

static void test_no_room(void)
{
	struct xy_babel_update u = sample(1);
	for (size_t size = XY_BABEL_HEADER_LEN; size < 200; size++) {
		uint8_t data[200];
		struct xy_babel_builder b;
		memset(data, 0x5a, sizeof(data));
		xy_babel_build(&b, data, size, &source);
		while (xy_babel_build_update(&b, &u))
			;
		CU_ASSERT_TRUE(xy_babel_build_end(&b) <= size);
		for (size_t i = size; i < sizeof(data); i++)
			CU_ASSERT_EQUAL(data[i], 0x5a);
	}
}

XY_UNIT_MAIN("babel", {"packet header", test_header}, {"fixed bytes", test_fixed_bytes},
	     {"timestamps", test_timestamps}, {"updates, numbered table", test_updates},
	     {"router-ids", test_router_ids}, {"wildcards and requests", test_wildcards},
	     {"origin sub-TLV", test_origin}, {"round trip: updates", test_round_trip_updates},
	     {"round trip: the rest", test_round_trip_rest}, {"padding", test_pad},
	     {"no room", test_no_room})
