// SPDX-License-Identifier: BSD-3-Clause
// Rules of policy routing of an exit, in the kernel, in a network namespace of the test's own: who
// makes them, who takes them away, and who else has some.
#include "kernel/detour.h"
#include "unit.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct xy_netlink n;
static const struct xy_detour detour = {.mark = 0x1234, .ifindex = 1, .v4 = true, .v6 = true};

static void sh(const char *cmd)
{
	if (system(cmd))
		printf("\n  fails: %s\n", cmd);
}

// How many of our rules there are in a family with this text; -1: nobody knows.
static int rules(const char *family, const char *text)
{
	char cmd[256];
	int count = -1;
	snprintf(cmd, sizeof(cmd), "ip %s rule show | grep '^3179' | grep -c -- '%s'", family,
		 text);
	FILE *f = popen(cmd, "r");
	if (f && fscanf(f, "%d", &count) != 1)
		count = -1;
	if (f)
		pclose(f);
	return count;
}

static bool are(const char *text, int count)
{
	int v4 = rules("-4", text), v6 = rules("-6", text);
	if (v4 != count || v6 != count)
		printf("\n  '%s': %d rules of IPv4, %d of IPv6, not %d\n", text, v4, v6, count);
	return v4 == count && v6 == count;
}

static void test_open(void)
{
	struct xy_err err;
	CU_ASSERT_EQUAL_FATAL(xy_netlink_open(&n, &err), 0);
	sh("ip link set lo up");
}

static void test_make(void)
{
	uint32_t table = xy_detour_table("a");
	CU_ASSERT(xy_detour_make(&n, table, &detour) > 0);
	CU_ASSERT(are("", 3) && are("31790:.*suppress_prefixlength 0", 1));
	CU_ASSERT_EQUAL(xy_detour_make(&n, table, &detour), 0);
	sh("ip rule del pref 31792; ip -6 rule del pref 31790");
	CU_ASSERT_EQUAL(xy_detour_make(&n, table, &detour), 2);
	CU_ASSERT(are("", 3));
	CU_ASSERT(xy_detour_make(&n, table, NULL) > 0);
	CU_ASSERT(are("", 0));
}

// What keeps the LAN reachable is one rule for all instances: none takes it from another.
static void test_two(void)
{
	uint32_t a = xy_detour_table("a"), b = xy_detour_table("b");
	CU_ASSERT(xy_detour_make(&n, a, &detour) > 0);
	CU_ASSERT_EQUAL(xy_detour_make(&n, b, NULL), 0); // one that uses no exit starts
	CU_ASSERT(are("", 3) && are("31790:", 1));
	CU_ASSERT(xy_detour_make(&n, b, &detour) > 0);
	CU_ASSERT(are("", 5) && are("31790:", 1));
	CU_ASSERT(xy_detour_other(&n, a) == b && xy_detour_other(&n, b) == a);
	CU_ASSERT(xy_detour_make(&n, a, NULL) > 0);
	CU_ASSERT(are("", 3) && are("31790:", 1));
	sh("ip rule del pref 31790; ip -6 rule del pref 31790");
	CU_ASSERT(xy_detour_other(&n, a) == b && xy_detour_other(&n, b) == 0);
	xy_detour_make(&n, a, NULL); // nor leaves it without
	CU_ASSERT(are("31790:", 1));
	CU_ASSERT(xy_detour_make(&n, b, NULL) > 0);
	CU_ASSERT(are("", 0));
}

static void may(bool admin)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct c[2];
	CU_ASSERT_EQUAL_FATAL(syscall(SYS_capget, &h, c), 0);
	if (admin)
		c[0].effective |= 1u << CAP_NET_ADMIN;
	else
		c[0].effective &= ~(1u << CAP_NET_ADMIN);
	CU_ASSERT_EQUAL_FATAL(syscall(SYS_capset, &h, c), 0);
}

// What the kernel tells of rules, in its order; of whichever family.
static char heard[128];
static void hear(void *arg, const struct nlmsghdr *h)
{
	size_t at = strlen(heard);
	if (h && (h->nlmsg_type == RTM_NEWRULE || h->nlmsg_type == RTM_DELRULE) &&
	    ((const struct fib_rule_hdr *)mnl_nlmsg_get_payload(h))->family == AF_INET &&
	    at + 1 < sizeof(heard))
		heard[at] = h->nlmsg_type == RTM_NEWRULE ? '+' : '-';
}

static void listen_anew(void)
{
	n.see = NULL;
	while (xy_netlink_changed(&n))
		continue;
	n.see = hear;
	memset(heard, 0, sizeof(heard));
}

// What is wrong goes after what is right has come, though it is more than is looked at.
static void test_wrong(void)
{
	uint32_t table = xy_detour_table("a");
	char cmd[512];
	snprintf(cmd, sizeof(cmd),
		 "for f in -4 -6; do for i in $(seq 1 20); do ip $f rule add pref 31791 not fwmark "
		 "$i table %u proto 120; done; ip $f rule add pref 31791 table %u proto 120; done",
		 table, table);
	sh(cmd);
	CU_ASSERT(are("", 21));
	listen_anew();
	CU_ASSERT(xy_detour_make(&n, table, &detour) > 0);
	while (xy_netlink_changed(&n))
		continue;
	CU_ASSERT(strncmp(heard, "+++-", 4) == 0);
	CU_ASSERT(are("", 3) && are("31791:.*fwmark 0x1234", 1));
	CU_ASSERT(xy_detour_make(&n, table, NULL) > 0);
	CU_ASSERT(are("", 0));
}

static void test_refuse(void)
{
	uint32_t a = xy_detour_table("a");
	CU_ASSERT_EQUAL(xy_detour_refuse(&n, a, 0x1234), 2);
	CU_ASSERT(are("", 1) && are("31792:.*fwmark 0x1234.*unreachable", 1));
	CU_ASSERT_EQUAL(xy_detour_refuse(&n, a, 0x1234), 0);
	CU_ASSERT_EQUAL(xy_detour_make(&n, a, &detour), 6); // a route and two rules of each
	CU_ASSERT(are("", 3) && xy_detour_make(&n, a, NULL) > 0 && are("", 0));
}

// What the kernel does not let us do is said, and can be done later.
static void test_refused(void)
{
	uint32_t a = xy_detour_table("a");
	may(false);
	CU_ASSERT_EQUAL(xy_detour_make(&n, a, NULL), 0); // nothing is to be done
	CU_ASSERT_EQUAL(xy_detour_make(&n, a, &detour), -EPERM);
	may(true);
	CU_ASSERT(xy_detour_make(&n, a, &detour) > 0);
	may(false);
	CU_ASSERT_EQUAL(xy_detour_make(&n, a, NULL), -EPERM);
	may(true);
	CU_ASSERT(are("", 3));
	CU_ASSERT(xy_detour_make(&n, a, NULL) > 0);
	CU_ASSERT(are("", 0));
}

static void test_close(void)
{
	xy_netlink_close(&n);
}

static const struct xy_unit_case cases[] = {
	{"open", test_open, .always = true},   {"make, look, take away", test_make},
	{"two instances", test_two},	       {"wrong ones", test_wrong},
	{"the refusal alone", test_refuse},    {"refused", test_refused},
	{"close", test_close, .always = true},
};

int main(int argc, char **argv)
{
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		puts("skipped: no network namespace of our own");
		return 77;
	}
	return xy_unit_run("detour", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
