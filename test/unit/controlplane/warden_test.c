// SPDX-License-Identifier: BSD-3-Clause
// What the privileged helper lets pass: what the parts that talk with the kernel really say, caught
// on its way, and no neighbour of it: each byte of it another, an attribute more, one less, another
// interface, table or address.
#include "base/bytes.h"
#include "kernel/detour.h"
#include "kernel/hostlink.h"
#include "kernel/underlay.h"
#include "unit.h"
#include "warden/netmsg.h"
#include "warden/request.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

enum { OURS = 7, OTHER = 8, ROOM = 4096 };

#define K1 "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
#define K2 "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="

static const char text[] =
	"host = { name = \"xylem0\"; addresses = [ \"10.9.0.1/24\", \"fd00:9::1/64\" ]; "
	"allow = \"all\"; };\n"
	"fwmark = 77;\n"
	"ports = ( { driver = \"socket\"; port = 500; }, { driver = \"af_xdp\"; interface = "
	"\"eth0\"; port = 4500; } );\n"
	"peers = ( { name = \"a\"; key = \"" K1 "\"; }, { name = \"leaf\"; key = \"" K2
	"\"; leaf = true; allowed = [ \"10.1.0.0/24\", \"2001:db8:1::/48\" ]; } );\n"
	"routes = ( { prefix = \"10.2.0.0/16\"; peer = \"a\"; } );\n"
	"routing = { accept = ( { key = \"" K1 "\"; prefix = \"2001:db8:2::/48\"; } ); };\n";

static struct xy_scope scope;
static uint32_t table;

static struct xy_prefix prefix(const char *s)
{
	struct xy_prefix p;
	int r = xy_prefix_parse(s, &p);
	CU_ASSERT_FATAL(r == 0 || r == -EDOM);
	return p;
}

static void scope_of(const char *config, struct xy_scope *out)
{
	struct xy_config c;
	struct xy_err err = {""};
	struct xy_prefix node = prefix("200:1:2:3:4:5:6:7/128");
	int r = xy_config_parse("t", config, strlen(config), &c, &err);
	if (r)
		printf("\n  %s\n", err.text);
	CU_ASSERT_FATAL(r == 0);
	CU_ASSERT_FATAL(xy_scope_make(&c, &node.addr, table, false, out) == 0);
	xy_config_free(&c);
}

// --- what a config has

static void test_routes(void)
{
	static const struct {
		const char *prefix;
		bool has;
	} v[] = {{"200::/7", true},	     {"200:1:2:3::/64", true},
		 {"200:1:2:3::5/128", true}, // of our /64
		 {"200:1:2:4::/64", false},  // somebody else's
		 {"200::/8", false},	     {"::/0", false},
		 {"0.0.0.0/0", false},	     {"10.1.0.0/24", true},
		 {"10.1.0.7/32", true},	     {"10.1.0.0/23", false},
		 {"10.2.0.0/16", true},	     {"10.3.0.0/16", false},
		 {"0.0.0.0/1", false},	     {"2001:db8:1::/48", true},
		 {"2001:db8:2::/64", true},  {"2001:db8:3::/48", false},
		 {"2000::/3", false},	     {"fe80::/10", false},
		 {"127.0.0.0/8", false}};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(v); i++) {
		struct xy_prefix p = prefix(v[i].prefix);
		if (xy_scope_has_route(&scope, &p) != v[i].has)
			printf("\n  %s\n", v[i].prefix);
		CU_ASSERT_EQUAL(xy_scope_has_route(&scope, &p), v[i].has);
	}
}

static void test_exit(void)
{
	struct xy_scope s;
	scope_of("peers = ( { name = \"a\"; key = \"" K1 "\"; } ); exit = \"a\";\n"
		 "host = { addresses = [ \"10.9.0.1/24\" ]; allow = \"all\"; };",
		 &s);
	const struct xy_prefix any = prefix("10.3.0.0/16"), all = prefix("0.0.0.0/0"),
			       mesh = prefix("200:1:2:4::/64"), lo = prefix("127.0.0.0/8");
	CU_ASSERT_TRUE(s.exit);
	CU_ASSERT_TRUE(xy_scope_has_route(&s, &any)); // an exit may announce what is inside
	CU_ASSERT_FALSE(xy_scope_has_route(&s, &all));
	CU_ASSERT_FALSE(xy_scope_has_route(&s, &mesh));
	CU_ASSERT_FALSE(xy_scope_has_route(&s, &lo));
	xy_scope_free(&s);
}

static void test_sockets(void)
{
	static const struct xy_addr any, other = {.b = {[15] = 1}};
	CU_ASSERT_TRUE(xy_scope_has_mark(&scope, 0));
	CU_ASSERT_TRUE(xy_scope_has_mark(&scope, 77));
	CU_ASSERT_TRUE(xy_scope_has_mark(&scope, table));
	CU_ASSERT_FALSE(xy_scope_has_mark(&scope, 78));
	CU_ASSERT_TRUE(xy_scope_has_port(&scope, &any, 500));
	CU_ASSERT_FALSE(xy_scope_has_port(&scope, &any, 501));
	CU_ASSERT_FALSE(xy_scope_has_port(&scope, &other, 500));
	CU_ASSERT_FALSE(xy_scope_has_device(&scope, "eth0")); // it shares its port with nobody
	CU_ASSERT_FALSE(xy_scope_has_device(&scope, ""));
	CU_ASSERT_TRUE(xy_scope_has_card(&scope, "eth0"));
	CU_ASSERT_FALSE(xy_scope_has_card(&scope, "eth1"));
	CU_ASSERT_FALSE(xy_scope_has_card(&scope, ""));
	CU_ASSERT_TRUE(xy_scope_has_program(&scope, "eth0", 4500));
	CU_ASSERT_FALSE(xy_scope_has_program(&scope, "eth0", 500)); // of another port
	CU_ASSERT_FALSE(xy_scope_has_program(&scope, "", 500));
	CU_ASSERT_TRUE(xy_scope_has_card_address(&scope, "eth0", &other)); // it has none of its own
}

// One without a port of the config's has the one that it took first.
static void test_card_port(void)
{
	struct xy_scope s;
	scope_of("ports = ( { driver = \"af_xdp\"; interface = \"e0\"; port = 0; },\n"
		 "{ driver = \"af_xdp\"; interface = \"e1\"; port = 0; } );",
		 &s);
	CU_ASSERT_TRUE(xy_scope_has_program(&s, "e0", 53));
	CU_ASSERT_TRUE(xy_scope_has_program(&s, "e0", 40000));
	xy_scope_card_takes(&s, "e0", 40000);
	CU_ASSERT_TRUE(xy_scope_has_program(&s, "e0", 40000));
	CU_ASSERT_FALSE(xy_scope_has_program(&s, "e0", 53));
	CU_ASSERT_FALSE(xy_scope_has_program(&s, "e0", 0));
	CU_ASSERT_TRUE(xy_scope_has_program(&s, "e1", 53));
	xy_scope_free(&s);
}

// What a reload brings is in force, and what it cannot change stays.
static void test_follow(void)
{
	struct xy_scope s, next;
	const struct xy_prefix was = prefix("10.2.0.0/16"), is = prefix("10.5.0.0/16");
	scope_of(text, &s);
	scope_of("fwmark = 5; host = { name = \"eth0\"; allow = \"all\"; addresses = [ "
		 "\"10.7.0.1/24\" ]; }; ports = ( { port = 1; } );\n"
		 "peers = ( { name = \"a\"; key = \"" K1 "\"; } );\n"
		 "routes = ( { prefix = \"10.5.0.0/16\"; peer = \"a\"; } );",
		 &next);
	xy_scope_follow(&s, &next);
	CU_ASSERT_TRUE(xy_scope_has_route(&s, &is));
	CU_ASSERT_FALSE(xy_scope_has_route(&s, &was));
	CU_ASSERT_STRING_EQUAL(s.name, "xylem0");
	CU_ASSERT_EQUAL(s.fwmark, 77);
	CU_ASSERT_FALSE(xy_scope_has_address(&s, &(struct xy_prefix){.len = 24}));
	xy_scope_free(&s);
	xy_scope_free(&next);
}

// --- messages, as they are made

static struct caught {
	uint8_t bytes[ROOM];
	size_t len;
} caught;

static int catch (void *arg, const void *bytes, size_t len, int32_t *error, unsigned count)
{
	struct caught *c = arg;
	CU_ASSERT_FATAL(len <= ROOM);
	memcpy(c->bytes, bytes, len);
	c->len = len;
	return 0;
}

static int check(const struct xy_scope *s, unsigned ifindex, const void *bytes, size_t len)
{
	struct xy_netmsg m[XY_NETMSG_MOST];
	int n = xy_netmsg_check(s, ifindex, bytes, len, m);
	for (int i = 0; i < n; i++)
		if (m[i].error)
			return m[i].error;
	return n;
}

// With each byte another: what still passes differs in what is the asker's alone.
struct free_bytes { // what is the asker's alone, or only aligns
	size_t from, to;
};

static void each_byte(const char *what, struct free_bytes free)
{
	uint8_t changed[ROOM];
	for (size_t i = 0; i < caught.len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(changed, caught.bytes, caught.len);
			changed[i] ^= (uint8_t)(1 << bit);
			bool number = i >= 8 && i < 12; // nlmsg_seq
			bool route = strncmp(what, "route", 5) == 0;
			bool ack = route && i == 6 && bit == 2;
			bool inside = route && i == 17; // a longer prefix
			bool family = strcmp(what, "rule") == 0 && i == 16 && bit == 3; // the other
			bool may = number || ack || inside || family ||
				   (i >= free.from && i < free.to);
			int r = check(&scope, OURS, changed, caught.len);
			if (r > 0 && !may)
				printf("\n  %s: byte %zu bit %u passes\n", what, i, bit);
			CU_ASSERT_TRUE(r < 0 || may);
		}
}

static void cut_and_grown(void)
{
	struct xy_netmsg m[XY_NETMSG_MOST];
	uint8_t longer[ROOM + 64];
	struct nlmsghdr *h = (void *)longer;
	for (size_t n = 0; n < caught.len; n++) {
		CU_ASSERT_EQUAL(xy_netmsg_check(&scope, OURS, caught.bytes, n, m), -EBADMSG);
		memcpy(longer, caught.bytes, n);
		if (n < sizeof(*h))
			continue;
		h->nlmsg_len = (uint32_t)n; // it says so itself
		bool no_metric = n == 44 && h->nlmsg_type == RTM_NEWROUTE;
		CU_ASSERT_TRUE(check(&scope, OURS, longer, n) < 0 || no_metric);
	}
	static const uint16_t more[] = {0, 1, 2, 5, 9, 15, 21, 22, 26, 99, 0x4000, 0x8001};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(more); i++) { // unknown ones, and known ones twice
		memcpy(longer, caught.bytes, caught.len);
		struct nlattr *a = (void *)(longer + caught.len);
		*a = (struct nlattr){.nla_len = 8, .nla_type = more[i]};
		memset(a + 1, 0, 4);
		h->nlmsg_len = (uint32_t)caught.len + 8;
		bool metric = (h->nlmsg_type == RTM_NEWROUTE || h->nlmsg_type == RTM_DELROUTE) &&
			      more[i] == RTA_PRIORITY;
		bool suppress = h->nlmsg_type == RTM_DELRULE && more[i] == 14;
		int r = check(&scope, OURS, longer, caught.len + 8);
		if (r > 0 && !metric && !suppress)
			printf("\n  type %u takes attribute %u\n", h->nlmsg_type, more[i]);
		CU_ASSERT_TRUE(r < 0 || metric || suppress);
	}
}

static const struct free_bytes none, mtu_is_free = {36, 38};

static void passes(const char *what, struct free_bytes free)
{
	int r = check(&scope, OURS, caught.bytes, caught.len);
	if (r != 1)
		printf("\n  %s: %d\n", what, r);
	CU_ASSERT_EQUAL(r, 1);
	each_byte(what, free);
	cut_and_grown();
}

static void on_interface(const char *what, struct free_bytes free)
{
	passes(what, free);
	CU_ASSERT_EQUAL(check(&scope, OTHER, caught.bytes, caught.len), -EPERM);
	CU_ASSERT_EQUAL(check(&scope, 0, caught.bytes, caught.len), -EPERM);
}

static struct xy_netlink netlink = {.by = {.change = catch, .arg = &caught}};

static void test_link(void)
{
	xy_hostlink_quiet(&netlink, OURS);
	on_interface("quiet", (struct free_bytes){45, 48});
	xy_hostlink_set(&netlink, OURS, 1500, true);
	on_interface("up", mtu_is_free);
	xy_hostlink_set(&netlink, OURS, 1279, true);
	CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len), -EPERM);
	xy_hostlink_set(&netlink, OURS, 65536, false);
	CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len), -EPERM);
	xy_hostlink_set(&netlink, OURS, 1500, false);
	on_interface("mtu", mtu_is_free);
}

static void test_address(void)
{
	static const struct {
		const char *at;
		bool passes;
	} v[] = {{"200:1:2:3:4:5:6:7/64", true},  {"200:1:2:3:4:5:6:7/7", false},
		 {"200:1:2:3:4:5:6:8/64", false}, {"10.9.0.1/24", true},
		 {"10.9.0.1/8", false},		  {"10.9.0.2/24", false},
		 {"fd00:9::1/64", true},	  {"192.168.1.1/24", false}};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(v); i++)
		for (unsigned how = 0; how < 4; how++) {
			const struct xy_hostlink_address a = {
				.at = prefix(v[i].at), .alone = how & 1, .again = how & 2};
			xy_hostlink_address_add(&netlink, OURS, &a);
			CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len),
					v[i].passes ? 1 : -EPERM);
		}
	struct xy_hostlink_address a = {.at = prefix("10.9.0.1/24"), .again = true};
	xy_hostlink_address_add(&netlink, OURS, &a);
	CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len), 1);
	CU_ASSERT_EQUAL(check(&scope, OTHER, caught.bytes, caught.len), -EPERM);
	cut_and_grown();
	struct nlmsghdr *h = (void *)caught.bytes; // an address is never taken away
	h->nlmsg_type = RTM_DELADDR;
	CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len), -EPERM);
}

// What a fleet claims: single addresses in what routing.claims names come and go; no other goes.
static void test_claims(void)
{
	static const struct {
		const char *at;
		bool comes, goes;
	} v[] = {{"fd10:1::1/128", true, true},	    {"fd10:1::1/64", false, false},
		 {"fd11:1::1/128", false, false},   {"10.8.3.1/32", true, true},
		 {"10.8.3.1/16", false, false},	    {"10.9.3.1/32", false, false},
		 {"10.8.0.9/32", true, false}, // the config's own
		 {"200:1:2:3::9/128", false, false}};
	static const char claims[] =
		"host = { name = \"xylem0\"; addresses = [ \"10.8.0.9/32\" ]; allow = \"all\"; };\n"
		"routing = { claims = [ \"fd10::/16\", \"10.8.0.0/16\" ]; };\n";
	struct xy_scope s, next;
	scope_of(claims, &s);
	for (unsigned i = 0; i < XY_ARRAY_SIZE(v); i++) {
		const struct xy_hostlink_address a = {.at = prefix(v[i].at)};
		xy_hostlink_address_add(&netlink, OURS, &a);
		CU_ASSERT_EQUAL(check(&s, OURS, caught.bytes, caught.len), v[i].comes ? 1 : -EPERM);
		CU_ASSERT_EQUAL(check(&s, OTHER, caught.bytes, caught.len), -EPERM);
		xy_hostlink_address_del(&netlink, OURS, &a);
		CU_ASSERT_EQUAL(check(&s, OURS, caught.bytes, caught.len), v[i].goes ? 1 : -EPERM);
		CU_ASSERT_EQUAL(check(&s, OTHER, caught.bytes, caught.len), -EPERM);
	}
	const struct xy_prefix in = prefix("fd10:7::/48"), all = prefix("fd00::/8"),
			       way = prefix("10.8.7.0/24");
	CU_ASSERT_TRUE(xy_scope_has_route(&s, &in) && xy_scope_has_route(&s, &way));
	CU_ASSERT_FALSE(xy_scope_has_route(&s, &all));
	// A reload that names them no more: none comes, and what is there may go.
	scope_of("host = { name = \"xylem0\"; addresses = [ \"10.8.0.9/32\" ]; allow = \"all\"; };",
		 &next);
	xy_scope_follow(&s, &next);
	const struct xy_hostlink_address a = {.at = prefix("fd10:1::1/128")};
	xy_hostlink_address_add(&netlink, OURS, &a);
	CU_ASSERT_EQUAL(check(&s, OURS, caught.bytes, caught.len), -EPERM);
	xy_hostlink_address_del(&netlink, OURS, &a);
	CU_ASSERT_EQUAL(check(&s, OURS, caught.bytes, caught.len), 1);
	CU_ASSERT_FALSE(xy_scope_has_route(&s, &in));
	xy_scope_free(&s);
	xy_scope_free(&next);
}

static void test_route(void)
{
	struct xy_hostlink_route r[] = {{.prefix = prefix("10.2.0.0/16"), .add = true}};
	xy_hostlink_routes(&netlink, OURS, r, 1);
	CU_ASSERT_EQUAL(r[0].result, 0);
	on_interface("route", none);
	r[0].metric = 9;
	xy_hostlink_routes(&netlink, OURS, r, 1);
	on_interface("route with a metric", (struct free_bytes){48, 52});
	r[0] = (struct xy_hostlink_route){.prefix = prefix("10.77.0.0/16")};
	xy_hostlink_routes(&netlink, OURS, r, 1); // ours, of an earlier config
	CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len), 1);
	CU_ASSERT_EQUAL(check(&scope, OTHER, caught.bytes, caught.len), -EPERM);
	r[0].add = true;
	xy_hostlink_routes(&netlink, OURS, r, 1);
	CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len), -EPERM);
}

// Of several those pass that may, and each is told of.
static void test_several(void)
{
	static const char *const at[] = {"10.2.0.0/16", "10.3.0.0/16", "200::/7", "2001:db8:9::/48",
					 "10.1.0.0/24"};
	struct xy_hostlink_route r[XY_ARRAY_SIZE(at)];
	struct xy_netmsg m[XY_NETMSG_MOST];
	uint8_t many[XY_NETMSG_BYTES];
	size_t len = 0;
	for (unsigned i = 0; i < XY_ARRAY_SIZE(at); i++)
		r[i] = (struct xy_hostlink_route){.prefix = prefix(at[i]), .add = true};
	xy_hostlink_routes(&netlink, OURS, r, XY_ARRAY_SIZE(at));
	CU_ASSERT_EQUAL_FATAL(xy_netmsg_check(&scope, OURS, caught.bytes, caught.len, m), 5);
	for (unsigned i = 0; i < XY_ARRAY_SIZE(at); i++) {
		CU_ASSERT_EQUAL(m[i].error, i == 1 || i == 3 ? -EPERM : 0);
		CU_ASSERT_EQUAL(m[i].at, len);
		len += m[i].len;
	}
	CU_ASSERT_EQUAL(len, caught.len);
	xy_hostlink_routes(&netlink, OURS, r, 1);
	for (len = 0; len + caught.len <= sizeof(many) && len / caught.len < 65; len += caught.len)
		memcpy(many + len, caught.bytes, caught.len);
	CU_ASSERT_EQUAL(xy_netmsg_check(&scope, OURS, many, len, m), -EBADMSG); // one too many
	CU_ASSERT_EQUAL(xy_netmsg_check(&scope, OURS, many, 64 * caught.len, m), 64);
}

// As the kernel would be told where it has none.
static void rule(uint16_t type, uint32_t priority, uint32_t of_table, uint32_t mark, uint8_t action,
		 bool suppress)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(caught.bytes);
	struct fib_rule_hdr *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	h->nlmsg_type = type;
	h->nlmsg_flags =
		NLM_F_REQUEST | NLM_F_ACK | (type == RTM_NEWRULE ? NLM_F_CREATE | NLM_F_EXCL : 0);
	*m = (struct fib_rule_hdr){
		.family = AF_INET6, .action = action, .flags = mark ? FIB_RULE_INVERT : 0};
	mnl_attr_put_u32(h, FRA_PRIORITY, priority);
	mnl_attr_put_u32(h, FRA_TABLE, of_table);
	mnl_attr_put_u8(h, FRA_PROTOCOL, XY_HOSTLINK_PROTOCOL);
	if (mark)
		mnl_attr_put_u32(h, FRA_FWMARK, mark);
	if (suppress)
		mnl_attr_put_u32(h, FRA_SUPPRESS_PREFIXLEN, 0);
	caught.len = h->nlmsg_len;
}

static void test_rules(void)
{
	static const struct {
		uint32_t priority, table, mark;
		uint8_t action;
		bool suppress, made, taken_without, taken; // without: no exit was ever used
	} v[] = {
		{XY_DETOUR_MAIN, RT_TABLE_MAIN, 0, FR_ACT_TO_TBL, true, true, false, true},
		{XY_DETOUR_MAIN, RT_TABLE_MAIN, 0, FR_ACT_TO_TBL, false, false, false, false},
		{XY_DETOUR_MAIN, RT_TABLE_LOCAL, 0, FR_ACT_TO_TBL, true, false, false, false},
		{XY_DETOUR_OURS, 0, 77, FR_ACT_TO_TBL, false, true, true, true},
		{XY_DETOUR_OURS, 0, 78, FR_ACT_TO_TBL, false, false, true, true},
		{XY_DETOUR_OURS, 0, 0, FR_ACT_TO_TBL, false, false, true, true},
		{XY_DETOUR_OURS, 0, 77, FR_ACT_BLACKHOLE, false, false, true, true},
		{XY_DETOUR_OURS, RT_TABLE_MAIN, 77, FR_ACT_TO_TBL, false, false, false, false},
		{XY_DETOUR_REFUSED, 0, 77, FR_ACT_UNREACHABLE, false, true, true, true},
		{XY_DETOUR_REFUSED, 0, 77, FR_ACT_TO_TBL, false, false, true, true},
		{0, RT_TABLE_LOCAL, 0, FR_ACT_TO_TBL, false, false, false, false},
		{100, 0, 77, FR_ACT_TO_TBL, false, false, true, true},
		{32766, RT_TABLE_MAIN, 0, FR_ACT_TO_TBL, true, false, false, false},
	};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(v); i++) {
		uint32_t of = v[i].table ? v[i].table : table;
		for (unsigned used = 0; used < 2; used++) {
			scope.exit = scope.exit_was = used;
			rule(RTM_NEWRULE, v[i].priority, of, v[i].mark, v[i].action, v[i].suppress);
			CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len) == 1,
					used && v[i].made);
		}
		rule(RTM_DELRULE, v[i].priority, of, v[i].mark, v[i].action, v[i].suppress);
		for (unsigned was = 0; was < 2; was++) {
			scope.exit_was = was;
			CU_ASSERT_EQUAL(check(&scope, 0, caught.bytes, caught.len) == 1,
					was ? v[i].taken : v[i].taken_without);
		}
	}
	scope.exit = true;
	rule(RTM_NEWRULE, XY_DETOUR_OURS, table, 77, FR_ACT_TO_TBL, false);
	each_byte("rule", (struct free_bytes){49, 52}); // the other family is as good
	cut_and_grown();
	scope.exit = false;
}

// The real ones, of a host that has none of them.
static void test_detour(void)
{
	struct xy_netlink n;
	struct xy_err err;
	CU_ASSERT_EQUAL_FATAL(xy_netlink_ask_open(&n, &err), 0);
	n.by = netlink.by;
	scope.exit = true;
	CU_ASSERT_TRUE(xy_detour_refuse(&n, table, 77) > 0);
	CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len), 1);
	CU_ASSERT_TRUE(xy_detour_refuse(&n, table, 78) > 0);
	CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len), -EPERM);
	CU_ASSERT_TRUE(xy_detour_refuse(&n, table + 1, 77) > 0);
	CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len), -EPERM);
	xy_detour_make(&n, table, NULL); // ends with the table's default routes
	CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len), 1);
	struct nlmsghdr *h = (void *)caught.bytes;
	CU_ASSERT_EQUAL(h->nlmsg_type, RTM_DELROUTE);
	h->nlmsg_type = RTM_NEWROUTE;
	h->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len), -EPERM); // by no interface
	mnl_attr_put_u32(h, RTA_OIF, OURS);
	CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, h->nlmsg_len), 1);
	CU_ASSERT_EQUAL(check(&scope, OTHER, caught.bytes, h->nlmsg_len), -EPERM);
	scope.exit = false;
	CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, h->nlmsg_len), -EPERM);
	xy_netlink_close(&n);
}

static void test_neighbour(void)
{
	const struct xy_underlay u = {.netlink = &netlink};
	const struct xy_underlay_path path = {
		.next = {.ifindex = 3, .addr = prefix("192.0.2.1/32").addr}, .ethernet = true};
	xy_underlay_use(&u, &path);
	CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len), 1);
	cut_and_grown();
	for (unsigned i = 24; i < 28; i++) { // state, flags, type: a neighbour is never set
		caught.bytes[i] ^= 1;
		CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len), -EPERM);
		caught.bytes[i] ^= 1;
	}
	scope.cards = false;
	CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len), -EPERM);
	scope.cards = true;
}

static void test_types(void)
{
	xy_hostlink_set(&netlink, OURS, 1500, true);
	struct nlmsghdr *h = (void *)caught.bytes;
	for (unsigned type = 0; type < 200; type++) {
		h->nlmsg_type = (uint16_t)type;
		CU_ASSERT_EQUAL(check(&scope, OURS, caught.bytes, caught.len) == 1,
				type == RTM_NEWLINK);
	}
}

// --- requests

static void request(const struct xy_warden_request *r)
{
	uint8_t bytes[XY_WARDEN_MESSAGE + 1] = {0}, again[XY_WARDEN_MESSAGE];
	struct xy_warden_request got;
	size_t len = xy_warden_request_write(r, bytes);
	CU_ASSERT_TRUE_FATAL(len > 0);
	CU_ASSERT_EQUAL_FATAL(xy_warden_request_read(bytes, len, &got), 0);
	CU_ASSERT_EQUAL(xy_warden_request_write(&got, again), len);
	CU_ASSERT_EQUAL(memcmp(bytes, again, len), 0);
	for (size_t n = 0; n < len && r->op != XY_WARDEN_NETLINK; n++)
		CU_ASSERT_EQUAL(xy_warden_request_read(bytes, n, &got), -EBADMSG);
	if (r->op != XY_WARDEN_NETLINK || len == XY_NETMSG_BYTES + 1)
		CU_ASSERT_EQUAL(xy_warden_request_read(bytes, len + 1, &got), -EBADMSG);
}

static void test_addresses(void)
{
	static uint8_t all[XY_WARDEN_ADDRESSES_MOST * 16 + 16];
	struct xy_warden_request r = {.op = XY_WARDEN_ADDRESSES, .program = 3, .bytes = all}, got;
	uint8_t bytes[XY_WARDEN_MESSAGE];
	for (r.len = 0; r.len <= sizeof(all); r.len++) {
		bool may = r.len % 16 == 0 && r.len < sizeof(all);
		size_t len = xy_warden_request_write(&r, bytes);
		CU_ASSERT_EQUAL(len, may ? 5 + r.len : 0);
		CU_ASSERT_EQUAL(xy_warden_request_read(bytes, 5 + r.len, &got), may ? 0 : -EBADMSG);
		CU_ASSERT_EQUAL(got.len, may ? r.len : got.len);
	}
}

static void test_requests(void)
{
	static uint8_t long_one[XY_NETMSG_BYTES + 1];
	struct xy_warden_request r = {.op = XY_WARDEN_NETLINK, .bytes = long_one, .len = 1};
	uint8_t bytes[XY_WARDEN_MESSAGE];
	request(&r);
	r.len = XY_NETMSG_BYTES;
	request(&r);
	r.len++;
	CU_ASSERT_EQUAL(xy_warden_request_write(&r, bytes), 0);
	request(&(struct xy_warden_request){.op = XY_WARDEN_TUN, .queue = 3, .many = true});
	request(&(struct xy_warden_request){.op = XY_WARDEN_MARK, .mark = 0x12345678});
	request(&(struct xy_warden_request){.op = XY_WARDEN_DEVICE, .interface = "eth0"});
	request(&(struct xy_warden_request){.op = XY_WARDEN_BIND, .port = 500});
	request(&(struct xy_warden_request){.op = XY_WARDEN_GIVE, .gid = 65534});
	request(&(struct xy_warden_request){.op = XY_WARDEN_XSK, .interface = "eth0"});
	request(&(struct xy_warden_request){.op = XY_WARDEN_PROGRAM,
					    .interface = "eth0",
					    .port = 4500,
					    .frame_max = 0x12345678,
					    .pieces = true});
	request(&(struct xy_warden_request){
		.op = XY_WARDEN_FRAMES, .program = 0x12345678, .frame_max = 9014});
	request(&(struct xy_warden_request){.op = XY_WARDEN_SOCKET, .program = 3, .queue = 63});
	request(&(struct xy_warden_request){.op = XY_WARDEN_ATTACH, .program = 3});
	request(&(struct xy_warden_request){.op = XY_WARDEN_FREE, .program = 3});
	test_addresses();
	struct xy_warden_request keys = {.op = XY_WARDEN_RULES, .key_count = XY_CONFIG_KEYLESS};
	for (unsigned i = 0; i < XY_CONFIG_KEYLESS; i++)
		snprintf(keys.key[i].peer, sizeof(keys.key[i].peer), "peer-%u", i);
	request(&keys);
	for (unsigned op = XY_WARDEN_NONE; op < XY_WARDEN_OPS; op++)
		request(&(struct xy_warden_request){.op = op});
	static const struct {
		uint8_t bytes[24];
		size_t len;
	} bad[] = {{{0}, 0},
		   {{0}, 1},
		   {{XY_WARDEN_OPS}, 1},
		   {{255}, 1},
		   {{XY_WARDEN_NETLINK}, 1},
		   {{XY_WARDEN_TUN, 64, 1}, 3}, // more queues than there may be
		   {{XY_WARDEN_TUN, 1, 0}, 3},	// a second one of one
		   {{XY_WARDEN_TUN, 0, 2}, 3},
		   {{XY_WARDEN_DEVICE}, 17}, // without a name
		   {{XY_WARDEN_DEVICE, 'a', 0, 'b'}, 17},
		   {{XY_WARDEN_RULES, 2, 0}, 3},
		   {{XY_WARDEN_RULES, 0, 65}, 3},
		   {{XY_WARDEN_SOCKET, 0, 0, 0, 0, 64}, 6},  // a queue that none has
		   {{XY_WARDEN_PROGRAM, 'a', [23] = 2}, 24}, // neither whole nor in pieces
		   {{XY_WARDEN_XSK, 'a', 0, 'b'}, 17},
		   {{XY_WARDEN_CLOSE, 0}, 2},
		   {{XY_WARDEN_NONE, 2}, 2}};
	struct xy_warden_request got;
	for (unsigned i = 0; i < XY_ARRAY_SIZE(bad); i++)
		CU_ASSERT_EQUAL(xy_warden_request_read(bad[i].bytes, bad[i].len, &got), -EBADMSG);
	memset(bytes, 'x', 17); // a name that does not end
	bytes[0] = XY_WARDEN_DEVICE;
	CU_ASSERT_EQUAL(xy_warden_request_read(bytes, 17, &got), -EBADMSG);
}

static void test_begin(void)
{
	table = xy_detour_table("t");
	scope_of(text, &scope);
}

static void test_end(void)
{
	xy_scope_free(&scope);
}

XY_UNIT_MAIN("warden", {"begin", test_begin, .always = true},
	     {"what routes a config has", test_routes}, {"what an exit may announce", test_exit},
	     {"marks, ports and devices", test_sockets}, {"a card's port", test_card_port},
	     {"a reload changes some", test_follow}, {"the interface", test_link},
	     {"addresses", test_address}, {"claims", test_claims}, {"routes", test_route},
	     {"several messages", test_several}, {"rules", test_rules},
	     {"an exit's, as they are made", test_detour}, {"neighbours", test_neighbour},
	     {"no other type", test_types}, {"requests", test_requests},
	     {"end", test_end, .always = true})
