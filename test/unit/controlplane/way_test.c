// SPDX-License-Identifier: BSD-3-Clause
// By which port, from which address and by which way: a table of cases over the kernel's own
// routes, in a network namespace of the test's own, each in IPv4 and in IPv6.
//
//   u1, u2: two uplinks with gateways G1, G2     lan: one more interface     lo: an address, too
#include "kernel/way.h"
#include "unit.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

// --- addresses by name

static const struct name {
	const char *name, *v4, *v6;
} names[] = {
	{"R", "10.99.0.9", "2001:db8:99::9"},	 // the peer
	{"A1", "192.0.2.1", "2001:db8:1::1"},	 // of u1
	{"B1", "192.0.2.2", "2001:db8:1::2"},	 // of u1, sometimes
	{"A2", "198.51.100.1", "2001:db8:2::1"}, // of u2
	{"L", "10.0.0.1", "fd00:a::1"},		 // of lan
	{"O", "203.0.113.1", "2001:db8:f::1"},	 // of lo
	{"N", "203.0.113.99", "2001:db8:f::99"}, // of nobody
	{"G1", "192.0.2.254", "2001:db8:1::fe"}, // of providers
	{"G2", "198.51.100.254", "2001:db8:2::fe"},
	{"P1", "192.0.2.1/24", "2001:db8:1::1/64"},
	{"Q1", "192.0.2.2/24", "2001:db8:1::2/64"},
	{"H1", "192.0.2.2/32", "2001:db8:1::2/128"},
	{"HO", "203.0.113.1/32", "2001:db8:f::1/128"},
	{"P2", "198.51.100.1/24", "2001:db8:2::1/64"},
	{"PL", "10.0.0.1/24", "fd00:a::1/64"},
	{"Z", "0.0.0.0", "::"}, // any of the family; in IPv6 of both
	{"nodad", "", "nodad"},
	{"X", "10.0.0.1", "fd00:a::1"}, // of the other family, see below
};

static int family; // 4 or 6
static struct xy_netlink n;
static struct xy_ways w;

static const char *text_of(const char *name, size_t len, int of)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i].name) == len && memcmp(names[i].name, name, len) == 0)
			return of == 4 ? names[i].v4 : names[i].v6;
	return NULL;
}

static struct xy_addr addr(const char *name) // "-": unspecified
{
	struct xy_addr a = {0};
	int of = *name == 'X' ? 10 - family : family;
	if (*name != '-')
		CU_ASSERT_EQUAL_FATAL(xy_addr_parse(text_of(name, strlen(name), of), &a), 0);
	return a;
}

// @NAME becomes the address, "ip" speaks of the family.
static void sh(const char *cmd)
{
	char out[1024];
	size_t o = 0;
	while (*cmd && o < sizeof(out) - 64) {
		size_t len = 0;
		if (*cmd == '@') {
			while (isalnum((unsigned char)cmd[1 + len]))
				len++;
			o += (size_t)sprintf(out + o, "%s", text_of(cmd + 1, len, family));
			cmd += 1 + len;
		} else if (strncmp(cmd, "ip ", 3) == 0) {
			o += (size_t)sprintf(out + o, "ip -%d ", family);
			cmd += 3;
		} else {
			out[o++] = *cmd++;
		}
	}
	out[o] = 0;
	int r = system(out);
	if (r)
		fprintf(stderr, "failed: %s\n", out);
	CU_ASSERT_EQUAL_FATAL(r, 0);
}

// --- ports by words: "*" a socket of all addresses, "A1" one of that address, "u1" a card whose
// socket is for it alone, "u1!" one whose socket is not; ":1" behind: UDP port 51821.

static void port_add(char *word)
{
	struct xy_way_port *p = &w.port[w.count];
	char *more = strchr(word, ':');
	*p = (struct xy_way_port){.id = w.count, .udp_port = more ? 51821 : 51820};
	if (more)
		*more = 0;
	w.count++;
	bool free_socket = word[strlen(word) - 1] == '!';
	if (free_socket)
		word[strlen(word) - 1] = 0;
	p->card = if_nametoindex(word);
	p->bound = p->card && !free_socket;
	if (!p->card && *word != '*')
		p->address = addr(word);
}

static void ports_make(const char *words)
{
	char copy[64], *at = NULL;
	w.count = 0;
	snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok_r(copy, " ", &at); word; word = strtok_r(NULL, " ", &at))
		port_add(word);
}

// --- the table

struct row {
	const char *what;
	const char *before; // done to the host, and stays
	const char *ports;
	unsigned heard_by; // port
	// in: with a "!" the peer came there by itself; "?": an interface that is no more
	const char *heard_at, *heard_in;
	// what is expected
	unsigned port;
	const char *via, *source, *local; // via NULL: an error, "": either
	int only;			  // family
};

static const struct row rows[] = {
	// one socket, no rules
	{"nothing heard", "", "*", 0, "-", "-", 0, "u1", "A1", "-", 0},
	{"heard at the way's address", "", "*", 0, "A1", "u1", 0, "u1", "A1", "A1", 0},
	{"at the other uplink's, no rule", "", "*", 0, "A2", "u2", 0, "u1", "A1", "-", 0},
	{"at another interface's, by the way", "", "*", 0, "L", "u1", 0, "u1", "L", "L", 0},
	{"at another's, by the other uplink", "", "*", 0, "L", "u2", 0, "u1", "L", "L", 0},
	{"at loopback's, by the way", "", "*", 0, "O", "u1", 0, "u1", "O", "O", 0},
	{"at loopback's, by the other uplink", "", "*", 0, "O", "u2", 0, "u1", "O", "O", 0},
	{"at an address that is gone", "", "*", 0, "N", "u1", 0, "u1", "A1", "-", 0},
	{"by a port that is gone", "", "*", 7, "A1", "u1", 0, "u1", "A1", "A1", 0},

	// cards
	{"nothing heard, cards", "", "u1 u2", 0, "-", "-", 0, "u1", "A1", "A1", 0},
	{"no rule, cards", "", "u1 u2", 1, "A2", "u2", 0, "u1", "A1", "A1", 0},
	{"loopback's, cards", "", "u1 u2", 1, "O", "u2", 0, "u1", "O", "O", 0},
	{"cards listed the other way round", "", "u2 u1", 0, "-", "-", 1, "u1", "A1", "A1", 0},
	{"a card elsewhere, and a socket", "", "u2 *", 0, "-", "-", 1, "u1", "A1", "-", 0},
	{"a card elsewhere, whose socket may", "", "u2!", 0, "-", "-", 0, "u1", "A1", "-", 0},
	{"a card before a socket", "", "* u1", 0, "A1", "u1", 1, "u1", "A1", "A1", 0},

	// a rule for the second uplink's address
	{"by rule",
	 "ip rule add from @A2 lookup 102; ip route add default via @G2 dev u2 table 102", "*", 0,
	 "A2", "u2", 0, "u2", "A2", "A2", 0},
	{"by rule, nothing heard", "", "*", 0, "-", "-", 0, "u1", "A1", "-", 0},
	{"by rule, cards", "", "u1 u2", 1, "A2", "u2", 1, "u2", "A2", "A2", 0},
	{"by rule, heard by the wrong card", "", "u1 u2", 0, "A2", "u1", 1, "u2", "A2", "A2", 0},
	{"by rule, a card and a socket", "", "u1 *", 1, "A2", "u2", 1, "u2", "A2", "A2", 0},
	{"by rule, a card's own socket", "", "u1!", 0, "A2", "u2", 0, "u2", "A2", "A2", 0},

	// sockets with addresses of their own
	{"two addresses, nothing heard", "", "A1 A2", 0, "-", "-", 0, "u1", "A1", "-", 0},
	{"the other way round", "", "A2 A1", 0, "-", "-", 1, "u1", "A1", "-", 0},
	{"heard at the second", "", "A1 A2", 1, "A2", "u2", 1, "u2", "A2", "A2", 0},
	{"the second alone", "", "A2", 0, "-", "-", 0, "u2", "A2", "A2", 0},
	{"an address, a card elsewhere", "", "u1 A2", 1, "A2", "u2", 1, "u2", "A2", "A2", 0},
	{"one with an address before one of all", "", "* A1", 0, "A1", "u1", 1, "u1", "A1", "A1",
	 0},
	{"one whose address is gone, nothing heard", "", "N A2", 0, "-", "-", 1, "u2", "A2", "A2",
	 0},
	{"and nothing else", "", "N", 0, "-", "-", 0, "", NULL, "N", 0},
	{"without its rule, the second alone",
	 "ip rule del from @A2 lookup 102; ip route flush table 102", "A2", 0, "-", "-", 0, "u1",
	 "A2", "A2", 0},
	{"and both", "", "A2 A1", 0, "A2", "u2", 1, "u1", "A1", "-", 0},

	// UDP ports
	{"another UDP port, nothing heard", "", "*:1 *", 1, "-", "-", 1, "u1", "A1", "-", 0},
	{"heard at the other", "", "* *:1", 1, "A1", "u1", 1, "u1", "A1", "A1", 0},
	{"the peer came to a socket's, though there is a card", "", "u1 *:1", 1, "A1", "u1!", 1,
	 "u1", "A1", "A1", 0},
	{"we sent by it before", "", "u1 *:1", 1, "A1", "u1", 0, "u1", "A1", "A1", 0},
	{"heard at the card's", "", "u1 *:1", 0, "A1", "u1", 0, "u1", "A1", "A1", 0},
	{"a rule for a UDP port",
	 "ip rule add ipproto udp sport 51821 lookup 103; "
	 "ip route add default via @G2 dev u2 table 103",
	 "*:1", 0, "-", "-", 0, "u2", "A2", "-", 0},
	{"heard by it", "", "* *:1", 1, "A2", "u2", 1, "u2", "A2", "A2", 0},
	{"not heard by it", "", "* *:1", 0, "A2", "u2", 0, "u1", "A1", "-", 0},
	{"a card whose UDP port it is", "ip rule del ipproto udp sport 51821 lookup 103", "u2:1 *",
	 0, "-", "-", 1, "u1", "A1", "-", 0},

	// marks
	{"by the mark", "ip rule add fwmark 7 lookup 103", "*", 0, "-", "-", 0, "u2", "A2", "-", 0},
	{"by the mark, heard at the first", "", "u1 u2", 0, "A1", "u1", 1, "u2", "A2", "A2", 0},
	{"by the mark, heard at the second", "", "u1 u2", 1, "A2", "u2", 1, "u2", "A2", "A2", 0},

	// a route that names the source, and one for a source
	{"a route with a source of its own",
	 "ip rule del fwmark 7 lookup 103; ip route add @R via @G1 dev u1 src @O", "u1 *", 0, "-",
	 "-", 0, "u1", "O", "O", 0},
	{"and heard elsewhere", "", "*", 0, "A1", "u1", 0, "u1", "A1", "A1", 0},
	{"no such route", "ip route del @R", "*", 0, "-", "-", 0, "u1", "A1", "-", 0},
	{"a route for a source", "ip route add default from @A2/128 via @G2 dev u2", "u1 u2", 1,
	 "A2", "u2", 1, "u2", "A2", "A2", 6},

	// the way moves, as when an uplink dies
	{"the default route moves", "ip route replace default via @G2 dev u2 metric 1", "*", 0,
	 "A1", "u1", 0, "u2", "A2", "-", 0},
	{"on cards", "", "u1 u2", 0, "A1", "u1", 1, "u2", "A2", "A2", 0},
	{"came by an interface that was made anew since", "", "*", 0, "A1", "?", 0, "u2", "A2", "-",
	 0},
	{"loopback's goes with it", "", "u1 u2", 0, "O", "u1", 1, "u2", "O", "O", 0},
	{"another's that is routed to us as well", "", "u1 u2", 0, "L", "u1", 1, "u2", "L", "L", 0},
	{"sockets with addresses", "", "A1 A2", 0, "A1", "u1", 1, "u2", "A2", "-", 0},
	{"and back", "ip route replace default via @G1 dev u1 metric 1", "u1 u2", 0, "A1", "u1", 0,
	 "u1", "A1", "A1", 0},

	// addresses come, go and move
	{"a second address", "ip addr add @Q1 dev u1 @nodad", "*", 0, "B1", "u1", 0, "u1", "B1",
	 "B1", 0},
	{"it moves elsewhere, but comes by the way",
	 "ip addr del @Q1 dev u1; ip addr add @H1 dev lan @nodad", "*", 0, "B1", "u1", 0, "u1",
	 "B1", "B1", 0},
	{"it comes by where it is", "", "*", 0, "B1", "lan", 0, "u1", "A1", "-", 0},
	{"it stands on two interfaces", "ip addr add @H1 dev u1 @nodad", "*", 0, "B1", "lan", 0,
	 "u1", "B1", "B1", 0},
	{"it goes", "ip addr del @H1 dev lan; ip addr del @H1 dev u1", "u1 *", 0, "B1", "u1", 0,
	 "u1", "A1", "A1", 0},
	{"it is there, but tentative", "ip addr add @Q1 dev u1", "*", 0, "B1", "u1", 0, "u1", "A1",
	 "-", 6},
	{"deprecated: not for what is new",
	 "ip addr del @Q1 dev u1; ip addr add @Q1 dev u1 nodad preferred_lft 0", "*", 0, "-", "-",
	 0, "u1", "A1", "-", 6},
	{"deprecated: for what is there", "", "*", 0, "B1", "u1", 0, "u1", "B1", "B1", 6},
	{"an address whose interface is down: the kernel takes it still", "ip link set lan down",
	 "*", 0, "L", "u1", 0, "u1", "L", "L", 4},
	{"an address that went with its interface", "ip link set lan down", "*", 0, "L", "u1", 0,
	 "u1", "A1", "-", 6},

	// families, and no way at all
	{"a port of each family", "", "X Z", 0, "-", "-", 1, "u1", "A1", "-", 0},
	{"no way", "ip route del default; ip route del default", "X Z", 0, "-", "-", 1, NULL, NULL,
	 "-", 0},
	{"no way, cards", "", "u1 u2 *", 0, "-", "-", 2, NULL, NULL, "-", 0},
	{"no way: where it was heard", "", "u2 u1 *", 1, "A1", "u1", 1, NULL, NULL, "-", 0},
	{"no port", "", "X", 0, "A1", "u1", 0, NULL, NULL, "-", 4},
};

enum { GONE = 9999 }; // no interface has this index

static struct xy_way found;

static void check(const struct row *r)
{
	const struct xy_endpoint to = {.addr = addr("R"), .port = 51820};
	char in[IF_NAMESIZE];
	snprintf(in, sizeof(in), "%.*s", (int)strcspn(r->heard_in, "!"), r->heard_in);
	const struct xy_dp_heard heard = {addr(r->heard_at), *in == '?' ? GONE : if_nametoindex(in),
					  r->heard_by, strchr(r->heard_in, '!')};
	struct xy_addr local = addr(r->local), source = {0};
	char got[2][XY_ADDR_STRLEN], via[IF_NAMESIZE] = "";
	ports_make(r->ports);
	int e = xy_way_find(&w, &to, &heard, &found);
	if (r->source)
		source = addr(r->source);
	bool ok = found.port == r->port &&
		  (xy_addr_eq(&found.local, &local) ||
		   (*r->local == '-' && xy_addr_is_unspecified(&found.local)));
	if (!r->via || *r->via)
		ok = ok && (r->via ? !e && found.path.next.ifindex == if_nametoindex(r->via) &&
					     xy_addr_eq(&found.source, &source)
				   : e != 0);
	if (!ok)
		fprintf(stderr, "\n%s, IPv%d: port %u, via %s, source %s, local %s (%s)\n", r->what,
			family, found.port, if_indextoname(found.path.next.ifindex, via),
			xy_addr_str(&found.source, got[0]), xy_addr_str(&found.local, got[1]),
			strerror(-e));
	CU_ASSERT(ok);
}

static void run_table(int of)
{
	family = of;
	sh("ip addr add @P1 dev u1 @nodad; ip addr add @P2 dev u2 @nodad; "
	   "ip addr add @PL dev lan @nodad; ip addr add @HO dev lo; "
	   "ip route add default via @G1 dev u1 metric 1; "
	   "ip route add default via @G2 dev u2 metric 100");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].only && rows[i].only != family)
			continue;
		if (*rows[i].before)
			sh(rows[i].before);
		CU_ASSERT_EQUAL_FATAL(xy_host_addresses_read(&n, &w.addresses), 0);
		check(&rows[i]);
	}
	sh("ip addr flush dev u1; ip addr flush dev u2; ip addr flush dev lan; ip link set lan up; "
	   "ip addr del @HO dev lo");
}

static void test_v4(void)
{
	run_table(4);
}

static void test_v6(void)
{
	run_table(6);
}

// What is of one link alone: the address that is heard belongs to it, and the way leads there.
static void test_link_local(void)
{
	struct xy_endpoint to = {.port = 51820, .scope = if_nametoindex("u2")};
	struct xy_dp_heard heard = {.interface = if_nametoindex("u2")};
	sh("ip link set u2 addrgenmode none; ip link set u1 addrgenmode none; "
	   "ip addr add fe80::2/64 dev u2 nodad; ip addr add fe80::1/64 dev u1 nodad");
	xy_addr_parse("fe80::9", &to.addr);
	xy_addr_parse("fe80::2", &heard.local);
	CU_ASSERT_EQUAL_FATAL(xy_host_addresses_read(&n, &w.addresses), 0);
	ports_make("u1 u2 *");
	CU_ASSERT_EQUAL(xy_way_find(&w, &to, &heard, &found), 0);
	CU_ASSERT_EQUAL(found.port, 1);
	CU_ASSERT_EQUAL(found.path.next.ifindex, to.scope);
	CU_ASSERT(xy_addr_eq(&found.local, &heard.local));
	xy_addr_parse("fe80::1", &heard.local); // of the other link
	CU_ASSERT_EQUAL(xy_way_find(&w, &to, &heard, &found), 0);
	CU_ASSERT_EQUAL(found.port, 1);
	CU_ASSERT(xy_addr_eq(&found.source, &found.local));
	CU_ASSERT(!xy_addr_eq(&found.local, &heard.local));
}

// Over two next hops each destination is sent from an address of the uplink that it goes by,
// whatever was heard.
static void two_uplinks(int of)
{
	unsigned used[2] = {0};
	family = of;
	sh("ip addr add @P1 dev u1 @nodad; ip addr add @P2 dev u2 @nodad; "
	   "ip route add default nexthop via @G1 dev u1 nexthop via @G2 dev u2");
	CU_ASSERT_EQUAL_FATAL(xy_host_addresses_read(&n, &w.addresses), 0);
	struct xy_addr a1 = addr("A1"), a2 = addr("A2");
	for (unsigned i = 0; i < 256; i++) {
		struct xy_endpoint to = {.addr = addr("R"), .port = 51820};
		struct xy_dp_heard heard = {i & 1 ? a1 : a2, if_nametoindex(i & 1 ? "u1" : "u2"),
					    i & 1};
		to.addr.b[15] = (uint8_t)i;
		to.addr.b[14] = (uint8_t)(i * 7);
		ports_make(i & 2 ? "u1 u2" : "*");
		CU_ASSERT_EQUAL(xy_way_find(&w, &to, &heard, &found), 0);
		bool second = found.path.next.ifindex == if_nametoindex("u2");
		CU_ASSERT(xy_addr_eq(&found.source, second ? &a2 : &a1));
		CU_ASSERT_EQUAL(found.port, i & 2 ? second : 0);
		used[second]++;
	}
	CU_ASSERT(used[0] > 0 && used[1] > 0);
	sh("ip route del default; ip addr flush dev u1; ip addr flush dev u2");
}

static void test_two_uplinks_v4(void)
{
	two_uplinks(4);
}

static void test_two_uplinks_v6(void)
{
	two_uplinks(6);
}

static void test_open(void)
{
	struct xy_err err;
	family = 4;
	CU_ASSERT_EQUAL_FATAL(xy_netlink_open(&n, &err), 0);
	w.underlay = (struct xy_underlay){.netlink = &n, .fwmark = 7};
	sh("ip link set lo up; for i in u1 u2 lan; do ip link add $i type veth peer name x$i && "
	   "ip link set x$i up && ip link set $i up || exit 1; done");
	// The kernel's own view of them follows a moment later.
	sh("for i in u1 u2 lan; do n=0; until ip link show $i | grep -q 'state UP'; do "
	   "n=$((n + 1)); [ $n -lt 200 ] || exit 1; sleep 0.05; done; done");
}

static void test_close(void)
{
	xy_host_addresses_free(&w.addresses);
	xy_netlink_close(&n);
}

static const struct xy_unit_case cases[] = {
	{"open", test_open, .always = true},
	{"IPv4", test_v4},
	{"IPv6", test_v6},
	{"two next hops, IPv4", test_two_uplinks_v4},
	{"two next hops, IPv6", test_two_uplinks_v6},
	{"link-local", test_link_local},
	{"close", test_close, .always = true},
};

int main(int argc, char **argv)
{
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		puts("skipped: no network namespace of our own");
		return 77;
	}
	return xy_unit_run("way", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
