// SPDX-License-Identifier: BSD-3-Clause
// The underlay as the kernel tells it, in a network namespace of the test's own: routes, marks,
// source addresses, next hops, MTU, neighbours, and that changes are noticed.
#include "underlay.h"
#include "unit.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct xy_underlay *u;

static void sh(const char *cmd)
{
	int r = system(cmd);
	if (r)
		fprintf(stderr, "failed: %s\n", cmd);
	CU_ASSERT_EQUAL_FATAL(r, 0);
}

static struct xy_endpoint to(const char *text)
{
	struct xy_endpoint e = {.port = 51820};
	CU_ASSERT_EQUAL_FATAL(xy_addr_parse(text, &e.addr), 0);
	return e;
}

static void expect(const char *dst, const char *next_hop, const char *source, uint32_t mtu)
{
	struct xy_underlay_path p;
	struct xy_endpoint e = to(dst);
	struct xy_addr a;
	CU_ASSERT_EQUAL_FATAL(xy_underlay_path(u, &e, &p), 0);
	xy_addr_parse(next_hop, &a);
	CU_ASSERT(xy_addr_eq(&p.next_hop, &a));
	xy_addr_parse(source, &a);
	CU_ASSERT(xy_addr_eq(&p.source, &a));
	CU_ASSERT_EQUAL(p.mtu, mtu);
	CU_ASSERT(p.ethernet);
}

static void test_open(void)
{
	struct xy_err err;
	sh("ip link set lo up && ip link add a0 type veth peer name b0 && "
	   "ip addr add 192.0.2.1/24 dev a0 && ip addr add 2001:db8::1/64 dev a0 nodad && "
	   "ip link set a0 up && ip link set b0 up");
	CU_ASSERT_EQUAL_FATAL(xy_underlay_open(7, &u, &err), 0);
	while (xy_underlay_changed(u))
		;
}

static void test_paths(void)
{
	struct xy_underlay_path p;
	struct xy_endpoint e = to("203.0.113.9");
	expect("192.0.2.9", "192.0.2.9", "192.0.2.1", 1500);
	expect("2001:db8::9", "2001:db8::9", "2001:db8::1", 1500);
	CU_ASSERT_EQUAL(xy_underlay_path(u, &e, &p), -ENETUNREACH);
	sh("ip route add default via 192.0.2.254");
	expect("203.0.113.9", "192.0.2.254", "192.0.2.1", 1500);
	sh("ip route add 203.0.113.0/25 via 192.0.2.253 mtu 1400");
	expect("203.0.113.9", "192.0.2.253", "192.0.2.1", 1400);
	sh("ip link set a0 mtu 1300");
	expect("192.0.2.9", "192.0.2.9", "192.0.2.1", 1300);
	sh("ip link set a0 mtu 1500");
	sh("ip route add 198.51.100.0/24 via inet6 2001:db8::fe dev a0");
	expect("198.51.100.1", "2001:db8::fe", "192.0.2.1", 1500);
}

static void test_mark(void)
{
	sh("ip rule add fwmark 7 table 77 && ip route add default via 192.0.2.77 table 77 && "
	   "ip route add 192.0.2.0/24 dev a0 table 77");
	expect("203.0.113.200", "192.0.2.77", "192.0.2.1", 1500);
	sh("ip rule del fwmark 7 table 77");
}

static void test_neighbours(void)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
	struct xy_underlay_path p;
	struct xy_endpoint e = to("192.0.2.9");
	CU_ASSERT_EQUAL(xy_underlay_path(u, &e, &p), 0);
	CU_ASSERT(!p.resolved);
	xy_underlay_use(u, &p); // the kernel asks on the wire: an entry appears, not resolved
	sh("ip neigh show dev a0 | grep -q '192.0.2.9 '");
	sh("ip neigh replace 192.0.2.9 lladdr 02:00:00:00:00:09 dev a0");
	CU_ASSERT_EQUAL(xy_underlay_path(u, &e, &p), 0);
	CU_ASSERT(p.resolved);
	CU_ASSERT(memcmp(p.next_mac, mac, 6) == 0);
	CU_ASSERT(p.own_mac[0] || p.own_mac[5]);
}

static void test_changes(void)
{
	static const char *const changes[] = {
		"ip addr add 192.0.2.2/24 dev a0",
		"ip route replace default via 192.0.2.250",
		"ip neigh replace 192.0.2.9 lladdr 02:00:00:00:00:0a dev a0",
		"ip link set a0 mtu 1400",
		"ip rule add fwmark 8 table 88",
	};
	while (xy_underlay_changed(u))
		;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		CU_ASSERT(!xy_underlay_changed(u));
		sh(changes[i]);
		CU_ASSERT(xy_underlay_changed(u));
	}
}

static void test_addresses(void)
{
	struct xy_addr a[16], want;
	int n = xy_underlay_addresses(u, if_nametoindex("a0"), a, 16);
	bool found = false;
	CU_ASSERT_FATAL(n >= 3 && n <= 16); // two IPv4, one IPv6 and a link-local
	xy_addr_parse("192.0.2.2", &want);
	for (int i = 0; i < n; i++)
		found |= xy_addr_eq(&a[i], &want);
	CU_ASSERT(found);
	CU_ASSERT_EQUAL(xy_underlay_addresses(u, 9999, a, 16), 0);
}

static void test_close(void)
{
	xy_underlay_close(u);
}

static const struct xy_unit_case cases[] = {
	{"open", test_open},	   {"paths", test_paths},
	{"fwmark", test_mark},	   {"neighbours", test_neighbours},
	{"changes", test_changes}, {"addresses", test_addresses},
	{"close", test_close},
};

int main(void)
{
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		puts("skipped: no network namespace of our own");
		return 77;
	}
	return xy_unit_run("underlay", cases, sizeof(cases) / sizeof(cases[0]));
}
