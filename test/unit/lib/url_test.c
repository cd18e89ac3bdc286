// SPDX-License-Identifier: BSD-3-Clause
// Targets, hosts, cookies and tokens of HTTP: what is taken apart, and what is refused.
#include "unit.h"
#include "url/url.h"

#include <errno.h>
#include <string.h>

// --- targets

static const struct {
	const char *target;
	int ret;
	unsigned segments, params;
	const char *last, *key, *value; // the last segment, the first parameter
} targets[] = {
	{"/", 0, 1, 0, "", NULL, NULL},
	{"/api/v1/peers", 0, 3, 0, "peers", NULL, NULL},
	{"/api/v1/peers/", 0, 4, 0, "", NULL, NULL},
	{"/api/v1/peers?peer=a%20b&count=true", 0, 3, 2, "peers", "peer", "a b"},
	{"/a?k=a+b", 0, 1, 1, "a", "k", "a b"},
	{"/a+b", 0, 1, 0, "a+b", NULL, NULL},
	{"/a?k=x=y", 0, 1, 1, "a", "k", "x=y"},
	{"/a?&&k&", 0, 1, 1, "a", "k", ""},
	{"/a?", 0, 1, 0, "a", NULL, NULL},
	{"/a%2Fb/c", 0, 2, 0, "c", NULL, NULL},
	{"/peers/%E2%82%AC", 0, 2, 0, "\xe2\x82\xac", NULL, NULL},
	{"/peers/AbC+/x%3D", 0, 3, 0, "x=", NULL, NULL},
	{"http://h/a?b=c", 0, 1, 1, "a", "b", "c"},
	{"HTTPS://h:1/a", 0, 1, 0, "a", NULL, NULL},
	{"http://h%zz/a", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"http://x@h/a", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"http:///a", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"http://h", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"*", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"a/b", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"//a", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a//b", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/../a", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a/..", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a/%2e%2E/b", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/./a", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a%00b", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a%0ab", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a%7F", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a\nb", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a%", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a%4", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a%4x", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a%ff", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a%c0%af", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a%ed%a0%80", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a%f4%90%80%80", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a%e2%82", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a?k=%00", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a?k=1&k=2", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/a?k=1&%6b=2", -EINVAL, 0, 0, NULL, NULL, NULL},
	{"/1/2/3/4/5/6", 0, 6, 0, "6", NULL, NULL},
	{"/1/2/3/4/5/6/7", -E2BIG, 0, 0, NULL, NULL, NULL},
	{"/?1&2&3&4&5&6&7&8", 0, 1, 8, "", "1", ""},
	{"/?1&2&3&4&5&6&7&8&9", -E2BIG, 0, 0, NULL, NULL, NULL},
};

static void test_targets(void)
{
	struct xy_url u;
	const char *why;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		int ret = xy_url_parse(targets[i].target, &u, &why);
		if (ret != targets[i].ret)
			printf("%s: %d %s\n", targets[i].target, ret, why);
		CU_ASSERT_EQUAL(ret, targets[i].ret);
		CU_ASSERT(ret == 0 || strlen(why) > 10);
		if (ret || targets[i].ret)
			continue;
		CU_ASSERT_EQUAL(u.segment_count, targets[i].segments);
		CU_ASSERT_EQUAL(u.param_count, targets[i].params);
		CU_ASSERT_STRING_EQUAL(u.segments[u.segment_count - 1], targets[i].last);
		if (targets[i].key)
			CU_ASSERT_STRING_EQUAL(xy_url_param(&u, targets[i].key), targets[i].value);
	}
}

static void test_authority(void)
{
	struct xy_url u;
	const char *why;
	CU_ASSERT(xy_url_parse("/http://h/", &u, &why) && xy_url_parse("/a", &u, &why) == 0);
	CU_ASSERT_PTR_NULL(u.authority);
	CU_ASSERT_EQUAL(xy_url_parse("http://[2001:db8::1]:80/a?b=http://c", &u, &why), 0);
	CU_ASSERT_STRING_EQUAL(u.authority, "[2001:db8::1]:80");
	CU_ASSERT_STRING_EQUAL(u.path, "/a");
}

static void test_long(void)
{
	char text[XY_URL_MAX + 2];
	struct xy_url u;
	const char *why;
	memset(text, 'a', sizeof(text));
	text[0] = '/';
	text[XY_URL_MAX] = 0;
	CU_ASSERT_EQUAL(xy_url_parse(text, &u, &why), -E2BIG);
	text[XY_URL_MAX - 1] = 0;
	CU_ASSERT_EQUAL(xy_url_parse(text, &u, &why), 0);
	CU_ASSERT_STRING_EQUAL(u.path, text);
	CU_ASSERT_STRING_EQUAL(u.segments[0], text + 1);
	CU_ASSERT_PTR_NULL(xy_url_param(&u, "a"));
}

// --- hosts

static const struct {
	const char *text;
	int ret;
	const char *name;
	unsigned port;
	bool address;
} hosts[] = {
	{"localhost", 0, "localhost", 0, false},
	{"LocalHost:8989", 0, "localhost", 8989, false},
	{"node.example", 0, "node.example", 0, false},
	{"192.0.2.1", 0, "192.0.2.1", 0, true},
	{"192.0.2.1:80", 0, "192.0.2.1", 80, true},
	{"[::1]:80", 0, "::1", 80, true},
	{"[2001:DB8::1]", 0, "2001:db8::1", 0, true},
	{"[fe80::1%25eth0]", -EINVAL, NULL, 0, false},
	{"::1", -EINVAL, NULL, 0, false},
	{"[node.example]", -EINVAL, NULL, 0, false},
	{"[192.0.2.1]", -EINVAL, NULL, 0, false},
	{"[::1", -EINVAL, NULL, 0, false},
	{"[::1]x", -EINVAL, NULL, 0, false},
	{"", -EINVAL, NULL, 0, false},
	{":80", -EINVAL, NULL, 0, false},
	{"a:", -EINVAL, NULL, 0, false},
	{"a:65536", -EINVAL, NULL, 0, false},
	{"a:80x", -EINVAL, NULL, 0, false},
	{"a b", -EINVAL, NULL, 0, false},
	{"a/b", -EINVAL, NULL, 0, false},
	{"user@a", -EINVAL, NULL, 0, false},
};

static void test_hosts(void)
{
	struct xy_url_host h;
	char name[400];
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		int ret = xy_url_host_parse(hosts[i].text, &h);
		if (ret != hosts[i].ret)
			printf("%s: %d\n", hosts[i].text, ret);
		CU_ASSERT_EQUAL(ret, hosts[i].ret);
		if (ret || hosts[i].ret)
			continue;
		CU_ASSERT_STRING_EQUAL(h.name, hosts[i].name);
		CU_ASSERT_EQUAL(h.port, hosts[i].port);
		CU_ASSERT_EQUAL(h.address, hosts[i].address);
	}
	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = 0;
	CU_ASSERT_EQUAL(xy_url_host_parse(name, &h), -EINVAL);
}

static void test_origins(void)
{
	struct xy_url_host h;
	bool tls;
	CU_ASSERT_EQUAL(xy_url_origin_parse("https://a.example:1", &tls, &h), 0);
	CU_ASSERT(tls && h.port == 1 && strcmp(h.name, "a.example") == 0);
	CU_ASSERT_EQUAL(xy_url_origin_parse("http://[::1]", &tls, &h), 0);
	CU_ASSERT(!tls && h.address);
	CU_ASSERT_EQUAL(xy_url_origin_parse("null", &tls, &h), -EINVAL);
	CU_ASSERT_EQUAL(xy_url_origin_parse("http://a/", &tls, &h), -EINVAL);
	CU_ASSERT_EQUAL(xy_url_origin_parse("file://a", &tls, &h), -EINVAL);
	CU_ASSERT_EQUAL(xy_url_origin_parse("", &tls, &h), -EINVAL);
}

// --- cookies and tokens

static void test_cookies(void)
{
	char v[8];
	CU_ASSERT(xy_url_cookie("xylem=abc", "xylem", v, sizeof(v)));
	CU_ASSERT_STRING_EQUAL(v, "abc");
	CU_ASSERT(xy_url_cookie("a=b; xylem=abcdefg; c=d", "xylem", v, sizeof(v)));
	CU_ASSERT_STRING_EQUAL(v, "abcdefg");
	CU_ASSERT(xy_url_cookie("xylem=", "xylem", v, sizeof(v)));
	CU_ASSERT_STRING_EQUAL(v, "");
	CU_ASSERT_FALSE(xy_url_cookie("xylem=abcdefgh", "xylem", v, sizeof(v)));
	CU_ASSERT_FALSE(xy_url_cookie("xylem=a; xylem=b", "xylem", v, sizeof(v)));
	CU_ASSERT_FALSE(xy_url_cookie("myxylem=a; xylems=b; xylem", "xylem", v, sizeof(v)));
	CU_ASSERT_FALSE(xy_url_cookie("", "xylem", v, sizeof(v)));
	CU_ASSERT_FALSE(xy_url_cookie(";;; ; ", "xylem", v, sizeof(v)));
}

static void test_bearers(void)
{
	char v[8];
	CU_ASSERT_EQUAL(xy_url_bearer("Bearer abc", v, sizeof(v)), 0);
	CU_ASSERT_STRING_EQUAL(v, "abc");
	CU_ASSERT_EQUAL(xy_url_bearer("bearer  a_-.~+/", v, sizeof(v)), 0);
	CU_ASSERT_STRING_EQUAL(v, "a_-.~+/");
	CU_ASSERT_EQUAL(xy_url_bearer("Bearer abcdefgh", v, sizeof(v)), -EINVAL);
	CU_ASSERT_EQUAL(xy_url_bearer("Bearer", v, sizeof(v)), -EINVAL);
	CU_ASSERT_EQUAL(xy_url_bearer("Bearer a b", v, sizeof(v)), -EINVAL);
	CU_ASSERT_EQUAL(xy_url_bearer("Bearer a,", v, sizeof(v)), -EINVAL);
	CU_ASSERT_EQUAL(xy_url_bearer("Bearerabc", v, sizeof(v)), -ENOENT);
	CU_ASSERT_EQUAL(xy_url_bearer("Basic YTpi", v, sizeof(v)), -ENOENT);
	CU_ASSERT_EQUAL(xy_url_bearer("", v, sizeof(v)), -ENOENT);
}

static void test_accepts(void)
{
	static const struct {
		const char *header;
		unsigned weight; // of a/b, version 1.0
	} table[] = {
		{"", 0},
		{"a/b", 1000},
		{"A/B", 1000},
		{" a/b ;\tq=0.5 ", 500},
		{"a/b;q=0.123", 123},
		{"a/b;q=1.000", 1000},
		{"a/b;q=0", 0},
		{"a/b;q=1.001", 0},
		{"a/b;q=0.1234", 0},
		{"a/b;q=2", 0},
		{"a/b;q=-1", 0},
		{"a/b;q=nan", 0},
		{"a/b;q=", 0},
		{"a/b;q", 0},
		{"a/b;Q=0.7", 700},
		{"a/b;version=1.0", 1000},
		{"a/b;version=\"1.0\";charset=utf-8", 1000},
		{"a/b;version=1.0.1", 0},
		{"a/b;version=2;q=1, a/b;version=1.0;q=0.3", 300},
		{"c/d, a/b;q=0.2, a/b;q=0.4", 400},
		{"*/*", 0},
		{"a/*", 0},
		{"a/bc", 0},
		{",,;q=1,;,a", 0},
		{";", 0},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		unsigned weight = xy_url_accept(table[i].header, "a/b", "1.0");
		if (weight != table[i].weight)
			printf("\n  %s: %u\n", table[i].header, weight);
		CU_ASSERT_EQUAL(weight, table[i].weight);
	}
}

XY_UNIT_MAIN("url", {"targets", test_targets}, {"authority", test_authority},
	     {"a long target", test_long}, {"hosts", test_hosts}, {"origins", test_origins},
	     {"cookies", test_cookies}, {"bearer tokens", test_bearers},
	     {"what is accepted", test_accepts})
