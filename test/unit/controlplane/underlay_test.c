// SPDX-License-Identifier: BSD-3-Clause
// The underlay as the kernel tells it, in a network namespace of the test's own: routes, marks,
// source addresses, next hops, MTU, neighbours, several next hops, and that changes are noticed;
// and the routes that we put there.
#include "kernel/addresses.h"
#include "kernel/hostlink.h"
#include "kernel/underlay.h"
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct xy_netlink n;
static struct xy_underlay u = {.netlink = &n, .fwmark = 7};

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
	CU_ASSERT_EQUAL_FATAL(xy_underlay_path(&u, &e, true, &p), 0);
	xy_addr_parse(next_hop, &a);
	CU_ASSERT(xy_addr_eq(&p.next.addr, &a));
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
	CU_ASSERT_EQUAL_FATAL(xy_netlink_open(&n, &err), 0);
	xy_netlink_watch_neighbours(&n);
	while (xy_netlink_changed(&n))
		;
}

static void test_paths(void)
{
	struct xy_underlay_path p;
	struct xy_endpoint e = to("203.0.113.9");
	expect("192.0.2.9", "192.0.2.9", "192.0.2.1", 1500);
	expect("2001:db8::9", "2001:db8::9", "2001:db8::1", 1500);
	CU_ASSERT_EQUAL(xy_underlay_path(&u, &e, true, &p), -ENETUNREACH);
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
	CU_ASSERT_EQUAL(xy_underlay_path(&u, &e, true, &p), 0);
	CU_ASSERT(!p.resolved);
	xy_underlay_use(&u, &p); // the kernel asks on the wire: an entry appears, not resolved
	sh("ip neigh show dev a0 | grep -q '192.0.2.9 '");
	sh("ip neigh replace 192.0.2.9 lladdr 02:00:00:00:00:09 dev a0");
	CU_ASSERT_EQUAL(xy_underlay_path(&u, &e, true, &p), 0);
	CU_ASSERT(p.resolved);
	CU_ASSERT(memcmp(p.next_mac, mac, 6) == 0);
	CU_ASSERT(p.own_mac[0] || p.own_mac[5]);
	xy_underlay_use(&u, &p);
	sh("ip neigh show dev a0 | grep -q '192.0.2.9 .*PERMANENT'"); // the operator's stays
}

// The kernel's choice is taken while it answers, another while it does not, and it is not
// forgotten.
static void leaves_dead_hop(const char *dst, const char *one, const char *other)
{
	struct xy_underlay_path p;
	struct xy_endpoint e = to(dst);
	struct xy_addr hop[2];
	char cmd[256], chosen[XY_ADDR_STRLEN];
	xy_addr_parse(one, &hop[0]);
	xy_addr_parse(other, &hop[1]);
	CU_ASSERT_EQUAL_FATAL(xy_underlay_path(&u, &e, true, &p), 0);
	unsigned kernels = xy_addr_eq(&p.next.addr, &hop[1]);
	CU_ASSERT(xy_addr_eq(&p.next.addr, &hop[kernels]));
	CU_ASSERT_EQUAL(p.left.ifindex, 0);

	xy_addr_str(&hop[kernels], chosen);
	snprintf(cmd, sizeof(cmd), "ip neigh del %s dev a0", chosen);
	sh(cmd);
	CU_ASSERT_EQUAL(xy_underlay_path(&u, &e, true, &p), 0);
	CU_ASSERT(xy_addr_eq(&p.next.addr, &hop[!kernels]));
	CU_ASSERT(p.resolved);
	CU_ASSERT(xy_addr_eq(&p.left.addr, &hop[kernels]));
	CU_ASSERT_EQUAL(p.left.ifindex, if_nametoindex("a0"));
	xy_underlay_use(&u, &p); // asks for the one that was left as well
	snprintf(cmd, sizeof(cmd), "ip neigh show dev a0 | grep -q '%s '", chosen);
	sh(cmd);

	snprintf(cmd, sizeof(cmd), "ip neigh replace %s lladdr 02:00:00:00:00:11 dev a0", chosen);
	sh(cmd);
	CU_ASSERT_EQUAL(xy_underlay_path(&u, &e, true, &p), 0);
	CU_ASSERT(xy_addr_eq(&p.next.addr, &hop[kernels]));
	CU_ASSERT_EQUAL(p.left.ifindex, 0);
}

// None is known: the kernel asks for both on the wire, so that either may answer.
static void asks_all_hops(const char *dst, const char *one, const char *other)
{
	struct xy_underlay_path p;
	struct xy_endpoint e = to(dst);
	char cmd[256];
	snprintf(cmd, sizeof(cmd), "ip neigh del %s dev a0 && ip neigh del %s dev a0", one, other);
	sh(cmd);
	CU_ASSERT_EQUAL(xy_underlay_path(&u, &e, true, &p), 0);
	CU_ASSERT(!p.resolved);
	xy_underlay_use(&u, &p);
	snprintf(cmd, sizeof(cmd),
		 "ip neigh show dev a0 | grep -q '%s ' && ip neigh show dev a0 | grep -q '%s '",
		 one, other);
	sh(cmd);
	snprintf(cmd, sizeof(cmd),
		 "for a in %s %s; do ip neigh replace $a lladdr 02:00:00:00:00:21 dev a0; done",
		 one, other);
	sh(cmd);
}

static void test_multipath(void)
{
	sh("ip neigh replace 192.0.2.21 lladdr 02:00:00:00:00:21 dev a0 && "
	   "ip neigh replace 192.0.2.22 lladdr 02:00:00:00:00:22 dev a0 && "
	   "ip neigh replace 2001:db8::21 lladdr 02:00:00:00:00:21 dev a0 && "
	   "ip neigh replace 2001:db8::22 lladdr 02:00:00:00:00:22 dev a0");
	sh("ip route add 10.77.0.0/16 nexthop via 192.0.2.21 nexthop via 192.0.2.22");
	leaves_dead_hop("10.77.0.1", "192.0.2.21", "192.0.2.22");
	sh("ip route add 2001:db8:77::/48 nexthop via 2001:db8::21 nexthop via 2001:db8::22");
	leaves_dead_hop("2001:db8:77::1", "2001:db8::21", "2001:db8::22");
	asks_all_hops("10.77.0.1", "192.0.2.21", "192.0.2.22");
	asks_all_hops("2001:db8:77::1", "2001:db8::21", "2001:db8::22");
}

static void test_nexthop_group(void)
{
	if (system("ip nexthop add id 21 via 192.0.2.21 dev a0")) {
		puts("skipped: a kernel without nexthop objects");
		return;
	}
	sh("ip nexthop add id 22 via 192.0.2.22 dev a0 && ip nexthop add id 20 group 21/22 && "
	   "ip nexthop add id 23 via 2001:db8::21 dev a0 && "
	   "ip nexthop add id 24 via 2001:db8::22 dev a0 && ip nexthop add id 25 group 23/24 && "
	   "ip route add 10.78.0.0/16 nhid 20 && ip route add 2001:db8:78::/48 nhid 25");
	leaves_dead_hop("10.78.0.1", "192.0.2.21", "192.0.2.22");
	leaves_dead_hop("2001:db8:78::1", "2001:db8::21", "2001:db8::22");
	sh("echo 0 >/proc/sys/net/ipv4/nexthop_compat_mode"); // the route names the group alone
	leaves_dead_hop("10.78.0.2", "192.0.2.21", "192.0.2.22");
	leaves_dead_hop("2001:db8:78::2", "2001:db8::21", "2001:db8::22");
}

// A bridge takes its parts' packets and has the addresses; a VRF leaves both to them.
static void test_master(void)
{
	char name[IF_NAMESIZE];
	sh("ip link add m0 type veth peer name m1");
	unsigned m0 = if_nametoindex("m0");
	CU_ASSERT_EQUAL(xy_underlay_master(&u, m0, name), 0);
	CU_ASSERT_STRING_EQUAL(name, "");
	sh("ip link add br7 type bridge && ip link set m0 master br7");
	CU_ASSERT_EQUAL(xy_underlay_master(&u, m0, name), 0);
	CU_ASSERT_STRING_EQUAL(name, "br7");
	CU_ASSERT_EQUAL(xy_underlay_master(&u, if_nametoindex("br7"), name), 0);
	CU_ASSERT_STRING_EQUAL(name, "");
	sh("ip link del br7");
	CU_ASSERT_EQUAL(xy_underlay_master(&u, m0, name), 0);
	CU_ASSERT_STRING_EQUAL(name, "");
	if (system("ip link add vrf7 type vrf table 77 2>/dev/null") == 0) {
		sh("ip link set m0 master vrf7");
		CU_ASSERT_EQUAL(xy_underlay_master(&u, m0, name), 0);
		CU_ASSERT_STRING_EQUAL(name, "");
		sh("ip link del vrf7");
	}
	CU_ASSERT_EQUAL(xy_underlay_master(&u, 9999, name), -ENODEV);
	sh("ip link del m0");
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
	while (xy_netlink_changed(&n))
		;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		CU_ASSERT(!xy_netlink_changed(&n));
		sh(changes[i]);
		CU_ASSERT(xy_netlink_changed(&n));
	}
}

static void test_addresses(void)
{
	struct xy_host_addresses all = {0};
	struct xy_addr a[32], want;
	unsigned a0 = if_nametoindex("a0");
	sh("ip addr add 192.0.2.2/32 dev b0 && ip addr add 203.0.113.80/32 dev lo && "
	   "ip addr add 2001:db8::5/64 dev b0"); // b0: in DAD
	CU_ASSERT_EQUAL_FATAL(xy_host_addresses_read(&n, &all), 0);
	xy_addr_parse("192.0.2.2", &want); // on two interfaces
	unsigned at = xy_host_addresses_find(&all, &want);
	CU_ASSERT_FATAL(at + 1 < all.count && xy_addr_eq(&all.v[at].addr, &want));
	CU_ASSERT(xy_addr_eq(&all.v[at + 1].addr, &want));
	CU_ASSERT(all.v[at].ifindex != all.v[at + 1].ifindex);
	CU_ASSERT(all.v[at].usable);
	xy_addr_parse("2001:db8::5", &want);
	at = xy_host_addresses_find(&all, &want);
	CU_ASSERT_FATAL(at < all.count);
	CU_ASSERT(!all.v[at].usable);
	xy_addr_parse("198.51.100.250", &want);
	CU_ASSERT_EQUAL(xy_host_addresses_find(&all, &want), all.count);
	// a0: two IPv4, one IPv6, its link-local; then 203.0.113.80 of lo, not b0's link-local.
	unsigned count = xy_host_addresses_at(&all, a0, true, a, 32), others = 0;
	xy_addr_parse("203.0.113.80", &want);
	CU_ASSERT(count >= 4 && xy_addr_eq(&a[count - 1], &want));
	for (unsigned i = 0; i < count; i++)
		others += xy_addr_is_link_local(&a[i]); // a0's own is in DAD for a moment
	CU_ASSERT(others <= 1);
	CU_ASSERT_EQUAL(count - others, 4);
	CU_ASSERT_EQUAL(xy_host_addresses_at(&all, a0, true, a, 2), 2);
	CU_ASSERT_EQUAL(xy_host_addresses_at(&all, a0, false, a, 32), count - 1);
	xy_host_addresses_free(&all);
	CU_ASSERT_EQUAL(xy_host_addresses_at(&all, a0, true, a, 32), 0);
	sh("ip addr del 192.0.2.2/32 dev b0 && ip addr del 203.0.113.80/32 dev lo && "
	   "ip addr del 2001:db8::5/64 dev b0");
}

// --- routes of ours

static struct xy_prefix prefix(unsigned i)
{
	struct xy_prefix p;
	char text[40];
	snprintf(text, sizeof(text), i % 2 ? "10.99.%u.0/24" : "2001:db8:99:%x::/64", i);
	CU_ASSERT_EQUAL_FATAL(xy_prefix_parse(text, &p), 0);
	return p;
}

static unsigned kernel_count(void)
{
	unsigned lines = 0;
	FILE *f = popen("(ip route show dev b0; ip -6 route show dev b0) | grep -c '99[.:]'", "r");
	CU_ASSERT_FATAL(f && fscanf(f, "%u", &lines) <= 1);
	pclose(f);
	return lines;
}

// A batch is done whole, each refusal is told of the route that it is about, and our own routes are
// no change of the underlay.
static void test_route_batch(void)
{
	struct xy_hostlink_route r[XY_HOSTLINK_BATCH];
	unsigned b0 = if_nametoindex("b0");
	sh("ip route add 10.99.5.0/24 dev a0 && ip addr add 198.51.100.77/32 dev b0");
	while (xy_netlink_changed(&n))
		;
	for (unsigned i = 0; i < XY_HOSTLINK_BATCH; i++)
		r[i] = (struct xy_hostlink_route){.prefix = prefix(i), .add = true, .result = 1};
	xy_hostlink_routes(&n, b0, r, XY_HOSTLINK_BATCH);
	for (unsigned i = 0; i < XY_HOSTLINK_BATCH; i++)
		CU_ASSERT_EQUAL(r[i].result, i == 5 ? -EEXIST : 0);
	CU_ASSERT_EQUAL(kernel_count(), XY_HOSTLINK_BATCH - 1);
	for (unsigned i = 0; i < XY_HOSTLINK_BATCH; i++)
		r[i].add = false;
	xy_hostlink_routes(&n, b0, r, XY_HOSTLINK_BATCH);
	for (unsigned i = 0; i < XY_HOSTLINK_BATCH; i++)
		CU_ASSERT_EQUAL(r[i].result, i == 5 ? -ESRCH : 0); // the other's stays
	CU_ASSERT_EQUAL(kernel_count(), 0);
	CU_ASSERT(!xy_netlink_changed(&n));
	xy_hostlink_routes(&n, b0, r, 0);
	sh("ip route show dev a0 | grep -q 10.99.5.0/24");
}

// --- addresses of ours, and what is told of them

static struct xy_hostlink_event told[64]; // of the kind that is waited for
static unsigned told_count;
static enum xy_hostlink_what waited_for;

static void see(void *arg, const struct nlmsghdr *h)
{
	struct xy_hostlink_event e = {0};
	if (h) // else changes were lost
		xy_hostlink_event_read(h, *(unsigned *)arg, &e);
	if (e.what == waited_for && told_count < 64)
		told[told_count++] = e;
}

// One turn reads a share; it may all be ours.
static void read_all(void)
{
	struct pollfd p = {.fd = xy_netlink_fd(&n), .events = POLLIN};
	while (poll(&p, 1, 0) > 0)
		xy_netlink_changed(&n);
}

static void expect_told(const char *cmd, enum xy_hostlink_what what, const char *text)
{
	char at[XY_PREFIX_STRLEN];
	bool found = false;
	read_all();
	told_count = 0;
	waited_for = what;
	sh(cmd);
	read_all();
	for (unsigned i = 0; i < told_count; i++)
		found |= !text || strcmp(xy_prefix_str(&told[i].prefix, at), text) == 0;
	if (!found)
		fprintf(stderr, "not told: %s\n", cmd);
	CU_ASSERT_FATAL(found);
}

// Without the network around it: that may be on another interface. Added again, it says whether it
// was there.
static void test_own_address(void)
{
	unsigned b0 = if_nametoindex("b0");
	struct xy_hostlink_address a = {.alone = true}, v4 = {.at.len = 96 + 24};
	xy_addr_parse("2001:db8:77::1", &a.at.addr);
	a.at.len = 64;
	xy_addr_parse("10.77.0.1", &v4.at.addr);
	CU_ASSERT_EQUAL(xy_hostlink_address_add(&n, b0, &a), 0);
	CU_ASSERT_EQUAL(xy_hostlink_address_add(&n, b0, &v4), 0);
	sh("ip addr show dev b0 | grep -q 'inet6 2001:db8:77::1/64'");
	sh("! ip -6 route show dev b0 | grep -q 2001:db8:77::/64");
	sh("ip route show dev b0 | grep -q 10.77.0.0/24");
	a.again = v4.again = true;
	CU_ASSERT_EQUAL(xy_hostlink_address_add(&n, b0, &a), -EEXIST);
	CU_ASSERT_EQUAL(xy_hostlink_address_add(&n, b0, &v4), -EEXIST);
	sh("ip addr del 2001:db8:77::1/64 dev b0");
	CU_ASSERT_EQUAL(xy_hostlink_address_add(&n, b0, &a), 0);
	CU_ASSERT_EQUAL(xy_hostlink_address_add(&n, 9999, &a), -ENODEV);
}

static void test_told(void)
{
	unsigned b0 = if_nametoindex("b0");
	struct xy_hostlink_event e;
	n.see = see;
	n.see_arg = &b0;
	expect_told("ip link set b0 down", XY_HOSTLINK_LINK, NULL);
	CU_ASSERT_FATAL(told_count > 0);
	CU_ASSERT(!told[told_count - 1].up);
	CU_ASSERT_EQUAL(xy_hostlink_get(&n, b0, &e), 0);
	CU_ASSERT(!e.up && e.mtu == 1500 && strcmp(e.name, "b0") == 0);
	expect_told("ip link set b0 mtu 1400 up", XY_HOSTLINK_LINK, NULL);
	CU_ASSERT(xy_hostlink_get(&n, b0, &e) == 0 && e.up && e.mtu == 1400);
	sh("ip addr add 2001:db8:78::1/64 dev b0 nodad && ip route add 2001:db8:79::/64 dev a0");
	expect_told("ip addr del 2001:db8:78::1/64 dev b0", XY_HOSTLINK_NO_ADDRESS, NULL);
	expect_told("ip route del 2001:db8:79::/64", XY_HOSTLINK_NO_ROUTE, "2001:db8:79::/64");
	sh("ip route add 10.79.0.0/16 dev a0");
	expect_told("ip route del 10.79.0.0/16", XY_HOSTLINK_NO_ROUTE, "10.79.0.0/16");
	sh("ip route add 10.79.0.0/16 dev b0");
	expect_told("ip route replace 10.79.0.0/16 dev a0", XY_HOSTLINK_REPLACED, "10.79.0.0/16");
	sh("ip route del 10.79.0.0/16");
	CU_ASSERT_EQUAL(xy_hostlink_get(&n, 9999, &e), -ENODEV);
	n.see = NULL;
}

// What an earlier run left is known by its number; more of it than fits one batch.
static void test_flush(void)
{
	struct xy_hostlink_route r[XY_HOSTLINK_BATCH];
	unsigned b0 = if_nametoindex("b0");
	sh("ip route add 2001:db8:99:aaaa::/64 dev b0");
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < XY_HOSTLINK_BATCH; i++)
			r[i] = (struct xy_hostlink_route){
				.prefix = prefix(i), .add = true, .metric = 2000 + round};
		xy_hostlink_routes(&n, b0, r, XY_HOSTLINK_BATCH);
	}
	CU_ASSERT(kernel_count() > 2 * XY_HOSTLINK_BATCH);
	xy_hostlink_routes_flush(&n, b0);
	CU_ASSERT_EQUAL(kernel_count(), 1); // not ours
	sh("ip -6 route del 2001:db8:99:aaaa::/64 dev b0");
}

// A list that changes while it is read says so, or is whole; and the next reading works again.
static void test_interrupted(void)
{
	struct xy_host_addresses a = {0};
	unsigned whole = 0, changed = 0;
	int r = 0;
	sh("for i in $(seq 1 1500); do printf 'addr add fd01::%x/64 dev b0 nodad\n' $i; done | ip "
	   "-batch -");
	fflush(stdout);
	pid_t pid = fork();
	setpgid(pid, pid); // it and what it runs are killed together
	if (pid == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL); // nor does it outlive a test that is killed
		execlp("sh", "sh", "-c",
		       "while :; do for i in $(seq 1 200); do echo addr add fd02::1/64 dev b0 "
		       "nodad; "
		       "echo addr del fd02::1/64 dev b0; done | ip -batch -; done",
		       NULL);
		_exit(127);
	}
	for (unsigned i = 0; i < 100000 && (!whole || changed < 3); i++) {
		r = xy_host_addresses_read(&n, &a);
		whole += r == 0 && a.count >= 1500;
		changed += r == -EINTR;
		if (r ? r != -EINTR : a.count < 1500)
			break;
	}
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (r && r != -EINTR)
		fprintf(stderr, "%d after %u whole, %u changed\n", r, whole, changed);
	CU_ASSERT(r ? r == -EINTR : a.count >= 1500);
	xy_host_addresses_free(&a);
	CU_ASSERT(changed > 0);
	sh("ip addr flush dev b0 || ip addr flush dev b0"); // the last change may be under way
}

static void test_close(void)
{
	xy_netlink_close(&n);
}

static const struct xy_unit_case cases[] = {
	{"open", test_open, .always = true},
	{"paths", test_paths},
	{"fwmark", test_mark},
	{"neighbours", test_neighbours},
	{"multipath", test_multipath},
	{"nexthop group", test_nexthop_group},
	{"parts of a bridge", test_master},
	{"changes", test_changes},
	{"addresses", test_addresses},
	{"addresses that change while read", test_interrupted},
	{"routes in a batch", test_route_batch},
	{"routes of an earlier run", test_flush},
	{"own address", test_own_address},
	{"what is told of", test_told},
	{"close", test_close, .always = true},
};

int main(int argc, char **argv)
{
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		puts("skipped: no network namespace of our own");
		return 77;
	}
	return xy_unit_run("underlay", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
