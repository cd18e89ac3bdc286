// SPDX-License-Identifier: BSD-3-Clause
// From where peers see us: what several say alike, and what one alone says counts for nothing.
#include "peers/seen.h"
#include "unit.h"

static struct xy_seen s;
static const xy_nsec now = 5000 * XY_SEC;

static void told(uint8_t who, const char *at, xy_nsec when)
{
	struct xy_addr from = {{0x02, [15] = who}};
	struct xy_endpoint e = {0};
	CU_ASSERT_FATAL(!at || xy_endpoint_parse(at, &e) == 0);
	xy_seen_told(&s, &from, &e, when);
}

// "AT AT", by blanks.
static const char *places(xy_nsec when)
{
	static char text[2 * XY_ENDPOINT_STRLEN + 2];
	struct xy_endpoint at[XY_SEEN_PLACES];
	char one[XY_ENDPOINT_STRLEN];
	unsigned n = xy_seen_places(&s, when, at);
	text[0] = 0;
	for (unsigned i = 0; i < n; i++) {
		strcat(text, i ? " " : "");
		strcat(text, xy_endpoint_str(&at[i], one));
	}
	return text;
}

static void test_votes(void)
{
	memset(&s, 0, sizeof(s));
	CU_ASSERT_STRING_EQUAL(places(now), "");
	CU_ASSERT(xy_seen_mapping(&s, now) == XY_SEEN_UNKNOWN);
	told(1, "192.0.2.1:7000", now);
	told(1, "192.0.2.1:7000", now); // one and the same
	CU_ASSERT_STRING_EQUAL(places(now), "");
	CU_ASSERT(xy_seen_mapping(&s, now) == XY_SEEN_UNKNOWN);
	told(2, "192.0.2.1:7001", now);
	CU_ASSERT_STRING_EQUAL(places(now), "");
	CU_ASSERT(xy_seen_mapping(&s, now) == XY_SEEN_APART);
	told(2, "192.0.2.1:7000", now);
	CU_ASSERT_STRING_EQUAL(places(now), "192.0.2.1:7000");
	CU_ASSERT(xy_seen_mapping(&s, now) == XY_SEEN_ALIKE);
	told(3, "[2001:db8::1]:7", now);
	told(4, "[2001:db8::1]:7", now);
	CU_ASSERT_STRING_EQUAL(places(now), "[2001:db8::1]:7 192.0.2.1:7000");
	// Two who lie alike are outvoted by three.
	told(5, "198.51.100.1:9", now);
	told(6, "198.51.100.1:9", now);
	told(7, "192.0.2.1:7000", now);
	CU_ASSERT_STRING_EQUAL(places(now), "[2001:db8::1]:7 192.0.2.1:7000");
	// Who sees us no more, and who said nothing for long.
	told(7, NULL, now);
	told(1, NULL, now);
	CU_ASSERT_STRING_EQUAL(places(now), "[2001:db8::1]:7 198.51.100.1:9");
	told(5, "198.51.100.1:9", now + XY_SEEN_LIFE);
	told(6, "198.51.100.1:9", now + XY_SEEN_LIFE);
	CU_ASSERT_STRING_EQUAL(places(now + XY_SEEN_LIFE), "198.51.100.1:9");
	CU_ASSERT_STRING_EQUAL(places(now + 2 * XY_SEEN_LIFE), "");
}

// Inside of somebody's network such an address is another's.
static void test_closed(void)
{
	static const char *const at[] = {
		"10.1.1.1:1",	 "172.16.0.1:1",  "172.31.255.1:1", "192.168.1.1:1", "100.64.0.1:1",
		"100.127.0.1:1", "169.254.1.1:1", "127.0.0.1:1",    "0.1.2.3:1",     "224.0.0.1:1",
		"240.0.0.1:1",	 "[fe80::1%2]:1", "[fd00::1]:1",    "[::1]:1",	     "[200::1]:1",
		"[ff02::1]:1",	 "[64:ff9b::1]:1"};
	static const char *const open[] = {"172.15.0.1:1", "172.32.0.1:1", "100.128.0.1:1",
					   "192.167.1.1:1", "[2000::1]:1"};
	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		memset(&s, 0, sizeof(s));
		told(1, "192.0.2.1:1", now);
		for (uint8_t who = 1; who < 9; who++)
			told(who, at[i], now);
		CU_ASSERT_STRING_EQUAL(places(now), "");
		CU_ASSERT(xy_seen_mapping(&s, now) == XY_SEEN_UNKNOWN);
	}
	for (unsigned i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		memset(&s, 0, sizeof(s));
		told(1, open[i], now);
		told(2, open[i], now);
		CU_ASSERT_STRING_EQUAL(places(now), open[i]);
	}
}

// More peers than are kept: the latest count.
static void test_bounds(void)
{
	memset(&s, 0, sizeof(s));
	for (unsigned i = 0; i < XY_SEEN_PEERS; i++)
		told((uint8_t)(i + 1), "192.0.2.1:7", now + i);
	for (unsigned i = 0; i < XY_SEEN_PEERS; i++)
		told((uint8_t)(i + 101), "192.0.2.2:7", now + 100 + i);
	CU_ASSERT_STRING_EQUAL(places(now + 200), "192.0.2.2:7");
	unsigned n = 0;
	for (unsigned i = 0; i < XY_SEEN_PEERS; i++)
		n += s.word[i].from.b[15] > 100;
	CU_ASSERT_EQUAL(n, XY_SEEN_PEERS);
}

XY_UNIT_MAIN("seen", {"votes", test_votes}, {"closed", test_closed}, {"bounds", test_bounds})
