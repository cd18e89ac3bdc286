// SPDX-License-Identifier: BSD-3-Clause
// What the mesh may reach of this host: the rules' text by table, names that would be more than
// names, and what the kernel makes of it in a network namespace of the test's own.
#include "base/bytes.h"
#include "policy/nat.h"
#include "policy/nft.h"
#include "policy/policy.h"
#include "unit.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#define K1 "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
#define K2 "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
#define PEERS                                                                                   \
	"peers = ( { name = \"a\"; key = \"" K1 "\"; },\n"                                      \
	"{ name = \"leaf\"; key = \"" K2 "\"; leaf = true; allowed = [ \"10.1.0.0/24\", "       \
	"\"10.1.0.5/32\", \"2001:db8::5/128\", \"10.2.0.0/16\", \"::/0\", \"0.0.0.0/0\" ]; }, " \
	"{ name = \"later\"; endpoint = \"192.0.2.1:1\"; } );\n"

static char a_net[XY_PREFIX_STRLEN];

// host.allow -> the lines of the rules between ping's and the last; %s is a's /64. NULL: no table.
static const struct {
	const char *allow, *rules;
} table[] = {
	{"( )", ""},
	{"[ ]", ""},
	{"\"all\"", NULL},
	{"( \"tcp/22\" )", "tcp dport 22 counter name \"allow_1\" accept\n"},
	{"( \"udp/1000-2000\", \"tcp\" )", "udp dport 1000-2000 counter name \"allow_1\" accept\n"
					   "meta l4proto 6 counter name \"allow_2\" accept\n"},
	{"( \"tcp/7-7\", \"udp\" )", "tcp dport 7 counter name \"allow_1\" accept\n"
				     "meta l4proto 17 counter name \"allow_2\" accept\n"},
	{"( { port = \"tcp/22\"; from = \"a\"; } )",
	 "ip6 saddr { %s } tcp dport 22 counter name \"allow_1\" accept\n"},
	{"( { port = \"tcp/22\"; from = \"" K1 "\"; } )",
	 "ip6 saddr { %s } tcp dport 22 counter name \"allow_1\" accept\n"},
	// a leaf's, by either of its names: no two that overlap
	{"( { port = \"udp\"; from = \"leaf\"; } )",
	 "ip6 saddr { ::/0 } meta l4proto 17 counter name \"allow_1\" accept\n"
	 "ip saddr { 0.0.0.0/0 } meta l4proto 17 counter name \"allow_1\" accept\n"},
	{"( { port = \"udp\"; from = \"" K2 "\"; } )",
	 "ip6 saddr { ::/0 } meta l4proto 17 counter name \"allow_1\" accept\n"
	 "ip saddr { 0.0.0.0/0 } meta l4proto 17 counter name \"allow_1\" accept\n"},
	{"( { port = \"tcp/1\"; from = \"10.9.0.0/16\"; }, { port = \"tcp/1\"; from = "
	 "\"10.8.0.1\"; } )",
	 "ip saddr { 10.9.0.0/16 } tcp dport 1 counter name \"allow_1\" accept\n"
	 "ip saddr { 10.8.0.1/32 } tcp dport 1 counter name \"allow_2\" accept\n"},
	{"( { port = \"tcp/1\"; from = \"200::/7\"; }, { port = \"tcp/2\"; from = \"2001:db8::1\"; "
	 "} )",
	 "ip6 saddr { 200::/7 } tcp dport 1 counter name \"allow_1\" accept\n"
	 "ip6 saddr { 2001:db8::1/128 } tcp dport 2 counter name \"allow_2\" accept\n"},
	// its key is not known, so it lets nobody in
	{"( { port = \"tcp/1\"; from = \"later\"; }, \"tcp/2\" )",
	 "tcp dport 2 counter name \"allow_2\" accept\n"},
};

static void parse(const char *allow, struct xy_config *c)
{
	char text[4096];
	struct xy_err err = {""};
	int n = snprintf(text, sizeof(text), PEERS "host = { allow = %s; };", allow);
	int r = xy_config_parse("t", text, (size_t)n, c, &err);
	if (r)
		printf("\n  %s\n", err.text);
	CU_ASSERT_FATAL(r == 0);
}

// What stands between the rules that are always there, without the indent.
static void rules_of(const char *text, char *to, size_t size)
{
	const char *at = strstr(text, "icmpv6 type echo-request counter name \"ping\" accept\n");
	const char *end = strstr(text, "\t\tcounter name \"refused\" drop\n");
	size_t n = 0;
	CU_ASSERT_FATAL(at != NULL && end != NULL);
	for (at = strchr(at, '\n') + 1; at < end && n + 1 < size; at++)
		if (*at != '\t')
			to[n++] = *at;
	to[n] = 0;
}

static void check_row(size_t i)
{
	struct xy_config c;
	struct xy_err err = {""};
	char *text, want[1024], got[1024];
	parse(table[i].allow, &c);
	const struct xy_policy_of of = {.instance = "x", .interface = "xylem0", .config = &c};
	CU_ASSERT_FATAL(xy_policy_text(&of, &text, &err) == 0);
	if (!table[i].rules) {
		CU_ASSERT(text == NULL);
	} else if (text) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(want, sizeof(want), table[i].rules, a_net);
#pragma GCC diagnostic pop
		rules_of(text, got, sizeof(got));
		if (strcmp(want, got) != 0)
			printf("\n  row %zu: %s", i, got);
		CU_ASSERT(strcmp(want, got) == 0);
	} else {
		CU_FAIL("no text");
	}
	free(text);
	xy_config_free(&c);
}

static void net_of_a(void)
{
	struct xy_key key;
	CU_ASSERT_FATAL(xy_key_parse(K1, &key, NULL) == 0);
	const struct xy_prefix p = xy_key_prefix(&key);
	xy_prefix_str(&p, a_net);
}

static void test_table(void)
{
	net_of_a();
	for (size_t i = 0; i < XY_ARRAY_SIZE(table); i++)
		check_row(i);
}

static bool known(void *arg, const struct xy_config_peer *p, struct xy_key *out)
{
	CU_ASSERT(strcmp(p->name, "later") == 0);
	memcpy(out, arg, sizeof(*out));
	return true;
}

static void test_key_that_is_found(void)
{
	struct xy_config c;
	struct xy_key key;
	char *text = NULL, port[XY_POLICY_PORT_LEN], from[XY_POLICY_FROM_LEN];
	net_of_a();
	CU_ASSERT_FATAL(xy_key_parse(K1, &key, NULL) == 0);
	parse("( \"tcp/2-3\", { port = \"udp\"; from = \"later\"; } )", &c);
	struct xy_policy_of of = {.instance = "x", .interface = "xylem0", .config = &c};
	CU_ASSERT(xy_policy_waits(&of, 1) && !xy_policy_waits(&of, 0));
	of.key = known;
	of.arg = &key;
	CU_ASSERT(!xy_policy_waits(&of, 1));
	CU_ASSERT_FATAL(xy_policy_text(&of, &text, NULL) == 0);
	CU_ASSERT(strstr(text, a_net) != NULL);
	CU_ASSERT_STRING_EQUAL(xy_policy_port_str(&c, 0, port), "tcp/2-3");
	CU_ASSERT_STRING_EQUAL(xy_policy_from_str(&c, 0, from), "all");
	CU_ASSERT_STRING_EQUAL(xy_policy_port_str(&c, 1, port), "udp");
	CU_ASSERT_STRING_EQUAL(xy_policy_from_str(&c, 1, from), "later");
	free(text);
	xy_config_free(&c);
}

// An interface may get any name from somebody else, and the kernel allows nearly all.
static void test_names(void)
{
	static const char *const bad[] = {"",	 "x\"", "\" accept #", "x*",
					  "x\\", "a b", "a\nb",	       "{",
					  "x;y", "$x",	"\xc3\xa4",    "sixteen-letters-"};
	static const char *const good[] = {"xylem0", "a.b-c_d", "123", "x@y+", "-x"};
	struct xy_config c;
	struct xy_err err;
	char *text;
	parse("( )", &c);
	struct xy_policy_of of = {.instance = "x", .config = &c};
	for (size_t i = 0; i < XY_ARRAY_SIZE(bad); i++) {
		of.interface = bad[i];
		CU_ASSERT(xy_policy_text(&of, &text, &err) == -EINVAL && text == NULL);
	}
	for (size_t i = 0; i < XY_ARRAY_SIZE(good); i++) {
		of.interface = good[i];
		CU_ASSERT(xy_policy_text(&of, &text, &err) == 0);
		free(text);
	}
	of.instance = "x { }";
	CU_ASSERT(xy_policy_text(&of, &text, &err) == -EINVAL);
	xy_config_free(&c);
}

static void test_counters(void)
{
	char name[XY_POLICY_NAME_LEN];
	for (int i = 0; i < XY_POLICY_COUNTERS; i++)
		CU_ASSERT(xy_policy_counter_find(xy_policy_counter((unsigned)i, name)) == i);
	static const char *const none[] = {"",	       "allow_",   "allow_0",  "allow_257",
					   "allow_1x", "allow_-1", "allow_ 1", "pings"};
	for (size_t i = 0; i < XY_ARRAY_SIZE(none); i++)
		CU_ASSERT(xy_policy_counter_find(none[i]) == -1);
}

// --- the kernel's

static bool has_namespace(void)
{
	return unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

static void make(struct xy_nft *n, const char *allow)
{
	struct xy_config c;
	struct xy_err err = {""};
	char *text;
	parse(allow, &c);
	const struct xy_policy_of of = {.instance = "t.1-x", .interface = "xylem0", .config = &c};
	CU_ASSERT_FATAL(xy_policy_text(&of, &text, &err) == 0);
	int r = xy_nft_make(n, text, &err);
	if (r)
		printf("\n  %s\n%s", err.text, text);
	CU_ASSERT(r == 0);
	free(text);
	xy_config_free(&c);
}

static unsigned counted(struct xy_nft *n)
{
	struct xy_nft_count v[XY_POLICY_COUNTERS];
	unsigned count = 0;
	CU_ASSERT(xy_nft_count(n, v) == 0);
	for (unsigned i = 0; i < XY_POLICY_COUNTERS; i++)
		count += v[i].there && !v[i].packets && !v[i].bytes;
	return count;
}

static bool heard(struct xy_nft *n) // all of it
{
	bool any = false;
	while (xy_nft_changed(n))
		any = true;
	return any;
}

static void test_kernel(void)
{
	struct xy_nft *n, *other;
	struct xy_err err = {""};
	if (!has_namespace() || xy_nft_open("t.1-x", &n, &err)) {
		printf("(no namespace, or no nftables: %s) ", err.text);
		return;
	}
	CU_ASSERT(!xy_nft_is_whole(n));
	CU_ASSERT(counted(n) == 0);
	for (size_t i = 0; i < XY_ARRAY_SIZE(table); i++)
		if (table[i].rules)
			make(n, table[i].allow);
	CU_ASSERT(heard(n) && xy_nft_is_whole(n));
	CU_ASSERT(!heard(n)); // a look is no change
	CU_ASSERT(counted(n) == XY_POLICY_ALLOWED + 2);

	// what cannot be made leaves all as it was
	CU_ASSERT(xy_nft_make(n, "delete table inet xylem_t.1-x\ndelete table inet nobodys\n",
			      &err) != 0);
	CU_ASSERT(strstr(err.text, "nftables says: ") != NULL && !strchr(err.text, '\n'));
	CU_ASSERT(xy_nft_is_whole(n));

	CU_ASSERT_FATAL(xy_nft_open("other", &other, &err) == 0);
	make(n, "( \"tcp/1\" )");
	CU_ASSERT(heard(n) && !heard(other));
	CU_ASSERT(xy_nft_make(other, "flush ruleset\n", &err) == 0);
	CU_ASSERT(heard(n) && !xy_nft_is_whole(n));
	make(n, "( \"tcp/1\" )");
	CU_ASSERT(xy_nft_make(other, "insert rule inet xylem_t.1-x mesh accept\n", &err) == 0);
	CU_ASSERT(!xy_nft_is_whole(n));
	CU_ASSERT(xy_nft_remove(n, &err) == 0 && counted(n) == 0);
	CU_ASSERT(xy_nft_remove(n, &err) == 0); // there is none
	xy_nft_close(other);
	xy_nft_close(n);
}

// --- the NAT of an exit

#define POSTROUTING(family)                                                            \
	"{\"chain\": {\"family\": \"" family "\", \"table\": \"t\", \"name\": \"p\", " \
	"\"type\": \"nat\", \"hook\": \"postrouting\"}}, "
#define RULE(family, expr)                  \
	"{\"rule\": {\"family\": \"" family \
	"\", \"table\": \"t\", \"chain\": \"p\", \"expr\": [ " expr " ]}}"
#define MATCH(left, op, right) \
	"{\"match\": {\"op\": \"" op "\", \"left\": " left ", \"right\": " right "}}, "
#define SADDR(family) "{\"payload\": {\"protocol\": \"" family "\", \"field\": \"saddr\"}}"
#define META(key)     "{\"meta\": {\"key\": \"" key "\"}}"
#define PREFIX(a, n)  "{\"prefix\": {\"addr\": \"" a "\", \"len\": " #n "}}"
#define MASQUERADE    "{\"masquerade\": null}"

// Rules -> which of IPv6 and IPv4 (10.77.0.2/32 and 10.78.0.0/16) they do.
static const struct {
	const char *rules;
	bool v6, v4;
} nats[] = {
	{"", false, false},
	{RULE("inet", MASQUERADE), false, false}, // in no chain of that kind
	{POSTROUTING("inet") RULE("inet", MASQUERADE), true, true},
	{POSTROUTING("ip") RULE("ip", MASQUERADE), false, true},
	{POSTROUTING("ip6") RULE("ip6", MASQUERADE), true, false},
	{POSTROUTING("ip6") RULE("ip6", "{\"snat\": {\"addr\": \"2001:db8::1\"}}"), true, false},
	{POSTROUTING("ip") RULE("ip", "{\"xt\": {\"type\": \"target\", \"name\": \"MASQUERADE\"}}"),
	 false, true},
	{POSTROUTING("inet") RULE("inet", "{\"accept\": null}"), false, false},
	{POSTROUTING("inet") RULE("inet", MATCH(SADDR("ip6"), "==", PREFIX("200::", 7)) MASQUERADE),
	 true, false},
	{POSTROUTING("inet")
		 RULE("inet", MATCH(SADDR("ip6"), "==", PREFIX("2001:db8::", 32)) MASQUERADE),
	 false, false},
	{POSTROUTING("ip")
		 RULE("ip", MATCH(SADDR("ip"), "==", PREFIX("172.17.0.0", 16)) MASQUERADE),
	 false, false},
	{POSTROUTING("ip") RULE("ip", MATCH(SADDR("ip"), "==", "\"10.77.0.2\"") MASQUERADE), false,
	 false}, // one of both
	{POSTROUTING("ip")
		 RULE("ip", MATCH(SADDR("ip"),
				  "==", "{\"set\": [ \"10.77.0.2\", " PREFIX("10.78.0.0", 16) " ]}")
				    MASQUERADE),
	 false, true},
	{POSTROUTING("ip")
		 RULE("ip", MATCH(SADDR("ip"), "==", "\"10.77.0.2\"") MASQUERADE) ", " RULE(
			 "ip", MATCH(SADDR("ip"), "==", PREFIX("10.0.0.0", 8)) MASQUERADE),
	 false, true},
	{POSTROUTING("ip") RULE("ip", MATCH(SADDR("ip"), "==", "\"@users\"") MASQUERADE), false,
	 true},
	{POSTROUTING("ip") RULE("ip", MATCH(SADDR("ip"), "!=", PREFIX("10.0.0.0", 8)) MASQUERADE),
	 false, false},
	{POSTROUTING("inet") RULE("inet", MATCH(META("iifname"), "==", "\"docker0\"") MASQUERADE),
	 false, false},
	{POSTROUTING("inet") RULE("inet", MATCH(META("iifname"), "==", "\"xylem0\"") MASQUERADE),
	 true, true},
	{POSTROUTING("inet") RULE("inet", MATCH(META("iifname"), "!=", "\"xylem0\"") MASQUERADE),
	 false, false},
	{POSTROUTING("inet") RULE("inet", MATCH(META("nfproto"), "==", "\"ipv4\"") MASQUERADE),
	 false, true},
	{POSTROUTING("inet") RULE("inet", MATCH(META("oifname"), "!=", "\"xylem0\"") MASQUERADE),
	 true, true},
};

static void nat_sources(struct xy_prefix v4[static 2])
{
	CU_ASSERT_FATAL(xy_prefix_parse("10.77.0.2/32", &v4[0]) == 0);
	CU_ASSERT_FATAL(xy_prefix_parse("10.78.0.0/16", &v4[1]) == 0);
}

static void test_nat(void)
{
	struct xy_prefix v4[2];
	struct xy_nat_found f;
	char json[2048];
	nat_sources(v4);
	for (size_t i = 0; i < XY_ARRAY_SIZE(nats); i++) {
		snprintf(json, sizeof(json), "{\"nftables\": [ %s ]}", nats[i].rules);
		CU_ASSERT_EQUAL(xy_nat_find(json, "xylem0", v4, 2, &f), 0);
		if (f.v6 != nats[i].v6 || f.v4 != nats[i].v4)
			printf("\n  row %zu: %d %d", i, f.v6, f.v4);
		CU_ASSERT(f.v6 == nats[i].v6 && f.v4 == nats[i].v4);
	}
	CU_ASSERT_EQUAL(xy_nat_find("{\"nftables\": [ ", "xylem0", v4, 2, &f), -EINVAL);
	CU_ASSERT_EQUAL(xy_nat_find("[ ]", "xylem0", v4, 2, &f), -EINVAL);
}

// By the config: of users alone, and none inside another.
static void test_nat_sources(void)
{
	static const char text[] =
		PEERS "exit = \"offer\"; exit_for = [ \"a\", \"leaf\" ]; routing = { accept = ( "
		      "{ key = \"" K1 "\"; prefix = \"10.77.0.2/32\"; }, "
		      "{ key = \"" K1 "\"; prefix = \"10.77.0.0/24\"; }, "
		      "{ key = \"" K1 "\"; prefix = \"2001:db8::/32\"; } ); };";
	struct xy_config c;
	struct xy_err err;
	unsigned count;
	char *said = NULL, want[XY_PREFIX_STRLEN];
	size_t len;
	CU_ASSERT_FATAL(xy_config_parse("t", text, strlen(text), &c, &err) == 0);
	struct xy_prefix *v = xy_nat_sources(&c, &count);
	CU_ASSERT_FATAL(v != NULL && count == 1); // the leaf may be anybody
	CU_ASSERT(strcmp(xy_prefix_str(&v[0], want), "0.0.0.0/0") == 0);
	free(v);
	c.exit.user_count = 1;
	v = xy_nat_sources(&c, &count);
	CU_ASSERT_FATAL(v != NULL && count == 1);
	CU_ASSERT(strcmp(xy_prefix_str(&v[0], want), "10.77.0.0/24") == 0);
	FILE *to = open_memstream(&said, &len);
	CU_ASSERT_FATAL(to != NULL);
	xy_nat_print(to, "# ", "xylem0", v, count);
	fclose(to);
	CU_ASSERT(strstr(said,
			 "# nft 'add rule inet xylem_exit postrouting ip saddr { 10.77.0.0/24 "
			 "} oifname != \"xylem0\" masquerade'\n") != NULL);
	CU_ASSERT(strstr(said, "# nft 'add rule inet xylem_exit postrouting ip6 saddr 200::/7 "
			       "oifname != \"xylem0\" masquerade'\n") != NULL);
	free(said);
	free(v);
	xy_config_free(&c);
}

// What was printed, typed, is found.
static void test_nat_kernel(void)
{
	struct xy_prefix v4[2];
	struct xy_nat_found f;
	struct xy_err err;
	struct xy_nft *n;
	char *json;
	nat_sources(v4);
	if (unshare(CLONE_NEWNET) || xy_nft_open("t", &n, &err)) {
		printf(" (skipped: no network namespace here)");
		return;
	}
	CU_ASSERT_FATAL(xy_nat_list(&json, &err) == 0);
	CU_ASSERT(xy_nat_find(json, "xylem0", v4, 2, &f) == 0 && !f.v6 && !f.v4);
	free(json);
	static const char rules[] =
		"add table inet xylem_exit\n"
		"add set inet xylem_exit many { type ipv4_addr; elements = { 172.30.0.1, "
		"172.30.0.2 }; }\n"
		"add chain inet xylem_exit postrouting { type nat hook postrouting priority "
		"srcnat; }\n"
		"add rule inet xylem_exit postrouting ip6 saddr 200::/7 oifname != \"xylem0\" "
		"masquerade\n"
		"add rule inet xylem_exit postrouting ip saddr { 10.77.0.2/32, 10.78.0.0/16 } "
		"oifname != "
		"\"xylem0\" masquerade\n";
	CU_ASSERT_FATAL(xy_nft_make(n, rules, &err) == 0);
	CU_ASSERT_FATAL(xy_nat_list(&json, &err) == 0);
	CU_ASSERT(xy_nat_find(json, "xylem0", v4, 2, &f) == 0 && f.v6 && f.v4);
	CU_ASSERT(strstr(json, "10.78.0.0") && !strstr(json, "172.30.0.1")); // not all of a set
	free(json);
	xy_nft_close(n);
}

XY_UNIT_MAIN("policy", {"the rules' text", test_table},
	     {"a key that is found later", test_key_that_is_found},
	     {"names that no rule can hold", test_names}, {"counters", test_counters},
	     {"what the kernel makes of it", test_kernel}, {"rules of a NAT", test_nat},
	     {"whose sources it is for", test_nat_sources}, {"the kernel's NAT", test_nat_kernel})
