// SPDX-License-Identifier: BSD-3-Clause
// What diagnose says of answers: for each what is wrong in them, the words, how grave it is, and
// the command.
#include "client/causes.h"
#include "unit.h"

#include <stdbool.h>
#include <string.h>

#define PEER(more)                                                                            \
	"{\"name\":\"p\",\"kind\":\"mesh\",\"endpoint\":\"192.0.2.1:51820\","                 \
	"\"mtu\":1440,\"mtu_from\":\"interface\",\"fragments\":\"no\",\"unfragmented\":1440," \
	"\"path_limit\":1440,\"handshakes_failed\":3,\"handshakes_sent\":4,"                  \
	"\"last_handshake\":9,\"last_received\":9," more "}"
#define DOWN(trouble) PEER("\"state\":\"handshake\",\"trouble\":\"" trouble "\"")
#define LOST(state)   PEER("\"state\":\"" state "\",\"trouble\":null")
#define UP(more)      PEER("\"state\":\"up\",\"trouble\":null" more)

#define OPEN(state)   PEER("\"state\":\"" state "\",\"trouble\":null,\"peering\":\"open\"")

// NULL: as if not asked. before: of drops and ports.
static const struct row {
	const char *peer, *neighbour, *node, *gateways, *drops, *before, *ports, *ports_before,
		*host, *underlay, *overlay, *target, *asked, *workers, *owners;
	const char *evidence; // a part of one, of that one
	const char *cause;    // in a finding's; NULL: nothing may be found
	const char *command;  // of that one
	const char *remedy;   // a part of that one's
	bool note;
} rows[] = {
	{.peer = UP("")},
	{.peer = DOWN("its secret differs"),
	 .cause = "wrong secret: its network_secret (or psk) is another than ours",
	 .command = "xylem show peers"},
	{.peer = DOWN("does not take our answers"),
	 .cause = "wrong secret, or a firewall",
	 .command = "xylem show peers"},
	{.peer = DOWN("has another key for us"),
	 .cause = "wrong key there",
	 .command = "xylem show peers"},
	{.peer = DOWN("another key is there"),
	 .cause = "wrong key here",
	 .command = "xylem show peers"},
	{.peer = DOWN("another peer is there"),
	 .cause = "wrong endpoint or key here",
	 .command = "xylem show peers"},
	{.peer = DOWN("no answer"),
	 .cause = "its host is down or out of reach, a firewall drops UDP, or the node there has "
		  "another key",
	 .command = "xylem show peers"},
	{.peer = DOWN("no answer"),
	 .underlay = "{\"p\":true}",
	 .cause = "its host is there, but nothing comes back from UDP 192.0.2.1:51820: a firewall",
	 .command = "xylem show peers"},
	{.peer = DOWN("port closed (ICMP)"),
	 .cause = "dead peer: no daemon runs there",
	 .command = "xylem show peers"},
	{.peer = DOWN("unreachable (ICMP)"),
	 .cause = "out of reach",
	 .command = "xylem show peers"},
	{.peer = DOWN("its clock went back"),
	 .cause = "its clock was set back",
	 .command = "xylem show peers"},
	{.peer = LOST("handshake"), .cause = "no session yet", .command = "xylem show peers"},
	{.peer = LOST("silent"),
	 .cause = "dead peer, or the way is cut",
	 .command = "xylem show peers"},
	{.peer = LOST("silent"),
	 .underlay = "{\"p\":true}",
	 .cause = "dead peer, or a firewall",
	 .command = "xylem show peers"},
	{.peer = LOST("no way"),
	 .cause = "this host has no way to it",
	 .remedy = "ip route get 192.0.2.1",
	 .command = "xylem show peers"},
	{.peer = "{\"name\":\"p\",\"kind\":\"mesh\",\"state\":\"no way\",\"trouble\":null,"
		 "\"endpoint\":\"[fe80::1%eth0]:51820\"}",
	 .cause = "this host has no way to it",
	 .remedy = "ip route get fe80::1",
	 .command = "xylem show peers"},
	{.peer = LOST("left"), .cause = "it said goodbye", .command = "xylem show peers"},
	{.peer = LOST("one way"),
	 .cause = "firewall, in one direction",
	 .command = "xylem show peers"},
	{.peer = LOST("lossy"), .cause = "the way loses packets", .command = "xylem show peers"},
	{.peer = LOST("unresolved"), .cause = "DNS: ", .command = "xylem show peers"},
	{.peer = LOST("traffic off"),
	 .cause = "switched off here",
	 .command = "xylem show peers",
	 .note = true},
	{.peer = LOST("no endpoint"),
	 .cause = "not known where it is",
	 .command = "xylem show peers"},
	// a link that carries less
	{.peer = "{\"name\":\"p\",\"state\":\"up\",\"mtu_from\":\"probed\",\"mtu\":1352,"
		 "\"unfragmented\":1340,\"path_limit\":1440,\"fragments\":\"yes\"}",
	 .cause = "MTU black hole: the path carries 1340 bytes of the 1440",
	 .command = "xylem netcheck p"},
	{.peer = "{\"name\":\"p\",\"state\":\"up\",\"mtu_from\":\"probed\",\"mtu\":1400,"
		 "\"unfragmented\":1400,\"path_limit\":1440,\"fragments\":\"no\"}",
	 .cause = "MTU black hole",
	 .command = "xylem netcheck p",
	 .note = true},
	{.peer = "{\"name\":\"p\",\"state\":\"up\",\"mtu_from\":\"probed\",\"mtu\":1440,"
		 "\"unfragmented\":1440,\"path_limit\":1440,\"fragments\":\"no\"}"},
	{.peer = "{\"name\":\"p\",\"state\":\"up\",\"mtu_from\":\"ICMP\",\"mtu\":1352,"
		 "\"unfragmented\":1340,\"path_limit\":1440,\"fragments\":\"yes\"}"},
	{.peer = UP(""),
	 .overlay = "{\"p\":{\"small\":true,\"large\":false,\"size\":1344}}",
	 .cause = "small packets pass and large ones do not",
	 .command = "xylem ping p -s 1296"},
	{.peer = UP(""), .overlay = "{\"p\":{\"small\":false,\"large\":false,\"size\":1344}}"},
	{.peer = UP(""),
	 .neighbour = "{\"peer\":\"p\",\"losses\":9,\"losses_lately\":3}",
	 .cause = "it flaps",
	 .command = "xylem show neighbours"},
	{.peer = UP(""), .neighbour = "{\"peer\":\"p\",\"losses\":9,\"losses_lately\":2}"},
	{.peer = UP(",\"clock_apart\":-7200"),
	 .cause = "its clock is 7200 s behind ours",
	 .command = "xylem netcheck p"},
	{.peer = UP(",\"clock_apart\":30")},
	{.peer = UP(",\"clock_apart\":null")},
	// who came by himself may go when he likes, and be as he likes
	{.peer = OPEN("left"),
	 .cause = "it said goodbye",
	 .command = "xylem show peers",
	 .note = true},
	{.peer = OPEN("silent"), .cause = "dead peer", .command = "xylem show peers", .note = true},
	{.peer = PEER("\"state\":\"handshake\",\"trouble\":\"its secret differs\",\"peering\":"
		      "\"provisional\""),
	 .cause = "wrong secret",
	 .command = "xylem show peers",
	 .note = true},
	{.peer = PEER("\"state\":\"left\",\"trouble\":null,\"peering\":\"configured\""),
	 .cause = "it said goodbye",
	 .command = "xylem show peers"},
	{.peer = OPEN("up"),
	 .neighbour = "{\"peer\":\"p\",\"losses\":9,\"losses_lately\":3}",
	 .cause = "it flaps",
	 .command = "xylem show neighbours",
	 .note = true},
	{.peer = OPEN("up"),
	 .neighbour = "{\"peer\":\"p\",\"trouble\":\"takes us for a stub\"}",
	 .cause = "routing: takes us for a stub",
	 .command = "xylem show neighbours",
	 .note = true},
	{.peer = PEER("\"state\":\"up\",\"trouble\":null,\"peering\":\"open\","
		      "\"clock_apart\":-7200"),
	 .cause = "its clock is 7200 s behind ours",
	 .command = "xylem netcheck p",
	 .note = true},
	// handshakes that anybody can send: a fault where they can be a peer's
	{.peer = UP(""),
	 .drops = "{\"reason\":\"hs_bad\",\"packets\":7}",
	 .before = "{\"reason\":\"hs_bad\",\"packets\":2}"},
	{.peer = UP(""),
	 .drops = "{\"reason\":\"hs_bad\",\"packets\":102}",
	 .before = "{\"reason\":\"hs_bad\",\"packets\":2}",
	 .cause = "wrong key or secret: handshakes of somebody",
	 .command = "xylem show drops",
	 .note = true},
	{.peer = LOST("handshake"),
	 .drops = "{\"reason\":\"hs_bad\",\"packets\":3}",
	 .before = "{\"reason\":\"hs_bad\",\"packets\":2}",
	 .cause = "wrong key or secret: handshakes of somebody",
	 .command = "xylem show drops"},
	{.peer = OPEN("left"),
	 .drops = "{\"reason\":\"hs_bad\",\"packets\":102}",
	 .before = "{\"reason\":\"hs_bad\",\"packets\":2}",
	 .cause = "wrong key or secret: handshakes of somebody",
	 .command = "xylem show drops",
	 .note = true},
	{.peer = "{\"name\":\"p\",\"kind\":\"leaf\",\"state\":\"down\",\"last_handshake\":900}",
	 .drops = "{\"reason\":\"hs_bad\",\"packets\":102}",
	 .before = "{\"reason\":\"hs_bad\",\"packets\":2}",
	 .cause = "wrong key or secret: handshakes of somebody",
	 .command = "xylem show drops",
	 .note = true},
	{.peer = UP(""),
	 .drops = "{\"reason\":\"handshake_full\",\"packets\":102}",
	 .before = "{\"reason\":\"handshake_full\",\"packets\":2}",
	 .cause = "flood of handshakes that look like peers'",
	 .command = "xylem show drops",
	 .note = true},
	{.peer = UP(""),
	 .drops = "{\"reason\":\"handshake_full\",\"packets\":7}",
	 .before = "{\"reason\":\"handshake_full\",\"packets\":2}"},
	{.drops = "{\"reason\":\"hs_own_key\",\"packets\":7}",
	 .before = "{\"reason\":\"hs_own_key\",\"packets\":2}",
	 .cause = "another node has this node's key",
	 .command = "xylem show drops",
	 .note = true},
	// whose the drops are
	{.peer = OPEN("up"),
	 .drops = "{\"reason\":\"spoofed\",\"packets\":12}",
	 .before = "{\"reason\":\"spoofed\",\"packets\":2}",
	 .owners = "{\"spoofed\":{\"last\":{\"peer\":\"p\",\"last\":0,\"certain\":true},\"owners\":"
		   "[{\"peer\":\"p\",\"last\":0},{\"peer\":\"q\",\"last\":900}]}}",
	 .cause = "spoofed source",
	 .command = "xylem show drops spoofed",
	 .note = true},
	{.peer = OPEN("up"),
	 .drops = "{\"reason\":\"spoofed\",\"packets\":12}",
	 .before = "{\"reason\":\"spoofed\",\"packets\":2}",
	 .owners = "{\"spoofed\":{\"last\":{\"peer\":\"p\",\"last\":0,\"certain\":true},\"owners\":"
		   "[{\"peer\":\"p\",\"last\":0},{\"peer\":\"q\",\"last\":1}]}}",
	 .cause = "spoofed source",
	 .command = "xylem show drops spoofed"},
	{.peer = OPEN("up"),
	 .drops = "{\"reason\":\"ring_full\",\"packets\":12}",
	 .before = "{\"reason\":\"ring_full\",\"packets\":2}",
	 .owners = "{\"ring_full\":{\"last\":{\"peer\":\"p\",\"last\":0,\"certain\":true}}}",
	 .cause = "one worker cannot take",
	 .command = "xylem show drops ring_full"},
	// who is asked about
	{.peer = DOWN("its secret differs"), .asked = "q"},
	{.peer = DOWN("its secret differs"),
	 .asked = "p",
	 .cause = "wrong secret",
	 .command = "xylem show peers"},
	// drops: what rises
	{.drops = "{\"reason\":\"spoofed\",\"packets\":12}",
	 .before = "{\"reason\":\"spoofed\",\"packets\":2}",
	 .cause = "spoofed source",
	 .command = "xylem show drops"},
	{.drops = "{\"reason\":\"spoofed\",\"packets\":12}",
	 .before = "{\"reason\":\"spoofed\",\"packets\":2}",
	 .owners = "{\"spoofed\":{\"last\":{\"peer\":\"g\",\"last\":3,\"certain\":true,"
		   "\"source\":\"200::7\",\"source_node\":\"b\",\"destination\":\"200::1\"}}}",
	 .cause = "spoofed source",
	 .evidence = "the last one 3 s ago, by g: from 200::7 (b) to 200::1",
	 .command = "xylem show drops spoofed"},
	{.drops = "{\"reason\":\"spoofed\",\"packets\":2}",
	 .before = "{\"reason\":\"spoofed\",\"packets\":2}",
	 .cause = "in the past: spoofed source",
	 .command = "xylem show drops",
	 .note = true},
	{.drops = "{\"reason\":\"no_route\",\"packets\":2}",
	 .before = "{\"reason\":\"no_route\",\"packets\":2}"},
	{.drops = "{\"reason\":\"bad_tag\",\"packets\":5}",
	 .before = "{\"reason\":\"bad_tag\",\"packets\":2}"},
	{.drops = "{\"reason\":\"tx_full\",\"packets\":5}",
	 .before = "{\"reason\":\"tx_full\",\"packets\":2}",
	 .cause = "full queue",
	 .command = "xylem show drops"},
	{.ports = "{\"port\":0,\"rx_missed\":5}",
	 .ports_before = "{\"port\":0,\"rx_missed\":2}",
	 .cause = "full queue: more comes by port 0",
	 .command = "xylem show ports"},
	{.ports = "{\"port\":0,\"rx_missed\":5}", .ports_before = "{\"port\":0,\"rx_missed\":5}"},
	{.ports = "{\"port\":0,\"tx_errors\":5}",
	 .ports_before = "{\"port\":0,\"tx_errors\":2}",
	 .cause = "a firewall of this host (output)",
	 .command = "xylem show ports"},
	// load
	{.node = "{\"loop_lag_p99_us\":500000,\"longest_turn_cpu_us\":900}",
	 .host = "{\"load\":9.0,\"cpus\":2,\"pressure\":80.0}",
	 .cause = "host overload: other programs",
	 .command = "xylem show node"},
	{.node = "{\"loop_lag_p99_us\":500000,\"longest_turn_cpu_us\":900000}",
	 .host = "{\"load\":1.0,\"cpus\":2,\"pressure\":1.0}",
	 .cause = "the control thread has more to do than it can",
	 .command = "xylem show node"},
	{.node = "{\"loop_lag_p99_us\":500}",
	 .host = "{\"load\":9.0,\"cpus\":2,\"pressure\":null}",
	 .cause = "host overload",
	 .command = "top",
	 .note = true},
	{.node = "{\"loop_lag_p99_us\":500}", .host = "{\"load\":1.0,\"cpus\":2,\"pressure\":3.0}"},
	{.workers = "{\"worker\":0,\"alive\":true,\"busy\":0.99}",
	 .cause = "overload: worker 0 is busy all the time",
	 .command = "xylem show workers"},
	{.workers = "{\"worker\":0,\"alive\":false,\"busy\":0.0}",
	 .cause = "worker 0 is stuck",
	 .command = "xylem show workers"},
	{.workers = "{\"worker\":0,\"alive\":true,\"busy\":0.5}"},
	// the node's own words, and not again what a peer's row told
	{.node = "{\"warnings\":[\"the kernel drops packets of this host before a worker sees "
		 "them: "
		 "show ports, host\"]}",
	 .cause = "full queue: the kernel drops",
	 .command = "xylem show ports"},
	{.peer = UP(""),
	 .node = "{\"warnings\":[\"peer p is silent: it died\",\"and 3 more peers with faults: "
		 "xylem "
		 "show peers\"]}"},
	{.node = "{\"warnings\":[\"24 routes find no room and wait: raise max_routes and "
		 "restart\"]}",
	 .cause = "routes refused: 24 routes find no room and wait",
	 .command = "xylem show routing"},
	{.node = "{\"warnings\":[\"a peer brings more origins than max_origins allows\"]}",
	 .cause = "more origins",
	 .command = "xylem show node",
	 .note = true},
	{.node = "{\"warnings\":[\"a handshake from 192.0.2.9:5 is for another key than this "
		 "node's: "
		 "see the log\"]}",
	 .cause = "another key",
	 .command = "xylem show node",
	 .note = true},
	{.peer = UP(""),
	 .node = "{\"warnings\":[\"peer pp is silent: it died\"]}",
	 .cause = "peer pp is silent",
	 .command = "xylem show node"},
	{.node = "{\"joining\":[{\"peer\":\"j\",\"state\":\"asking\",\"probes\":4}]}",
	 .cause = "joining: its key is not known yet",
	 .command = "xylem show node"},
	// networks
	{.gateways = "{\"prefix\":\"10.1.0.0/16\",\"gateway\":\"g\",\"key\":\"K\",\"via\":\"r\","
		     "\"used\":false,\"why_not\":\"not accepted: routing.accept does not name "
		     "it\"}"},
	{.gateways = "{\"prefix\":\"10.1.0.0/16\",\"gateway\":\"g\",\"key\":\"K\",\"via\":\"r\","
		     "\"used\":false,\"why_not\":\"not accepted: routing.accept does not name "
		     "it\"}",
	 .drops = "{\"reason\":\"no_route\",\"packets\":5}",
	 .before = "{\"reason\":\"no_route\",\"packets\":2}",
	 .cause = "missing accept: g has this network",
	 .command = "xylem show gateways 10.1.0.0/16"},
	{.gateways = "{\"prefix\":\"10.1.0.0/16\",\"gateway\":\"g\",\"used\":false,\"why_not\":"
		     "\"not accepted\"},{\"prefix\":\"10.1.0.0/16\",\"gateway\":\"h\",\"used\":"
		     "true}",
	 .drops = "{\"reason\":\"no_route\",\"packets\":5}",
	 .before = "{\"reason\":\"no_route\",\"packets\":5}"},
	{.gateways = "{\"prefix\":\"10.1.0.0/16\",\"gateway\":\"g\",\"used\":false,\"why_not\":"
		     "\"held back: it came and went too often\"}",
	 .cause = "it flaps: the route",
	 .command = "xylem show route 10.1.0.0/16"},
	{.gateways = "{\"prefix\":\"10.1.0.0/16\",\"gateway\":\"g\",\"used\":false,\"why_not\":"
		     "\"not accepted\"},{\"prefix\":\"10.1.2.0/24\",\"gateway\":\"h\",\"used\":"
		     "false,\"why_not\":\"not accepted\"}",
	 .target = "{\"address\":\"10.1.2.3\",\"way\":\"none\",\"by\":[]}",
	 .cause = "missing accept: h has this network",
	 .command = "xylem show gateways 10.1.2.0/24"},
	{.target = "{\"address\":\"200::1\",\"way\":\"none\",\"by\":[]}",
	 .cause = "no route: nobody announces it",
	 .command = "xylem show route 200::1"},
	{.target = "{\"address\":\"200::1\",\"way\":\"own\",\"by\":[]}"},
	{.target = "{\"address\":\"200::1\",\"way\":\"peer\",\"by\":[\"r\"],\"answers\":true}"},
	{.target = "{\"address\":\"200::1\",\"way\":\"peer\",\"by\":[\"r\"],\"answers\":false,"
		   "\"end\":\"no route\",\"last\":\"r\"}",
	 .cause = "no route: r, on the way, has none",
	 .command = "xylem trace 200::1"},
	{.target = "{\"address\":\"200::1\",\"way\":\"peer\",\"by\":[\"p\"],\"answers\":true}",
	 .peer = DOWN("its secret differs"),
	 .cause = "wrong secret",
	 .command = "xylem show peers"},
	// what lies, or is not what it should be
	{.peer = "{\"name\":7,\"state\":[],\"trouble\":{}}"},
	{.peer = "null", .drops = "7", .gateways = "[]", .target = "{}"},
};

static json_t *parse(const char *text)
{
	json_t *v = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
	CU_ASSERT_FATAL(!text || v != NULL);
	return v;
}

// {"KEY": [TEXT]}
static json_t *list(const char *key, const char *text)
{
	char all[2048];
	snprintf(all, sizeof(all), "{\"%s\":[%s]}", key, text ? text : "");
	return text ? parse(all) : NULL;
}

static bool found(const struct row *r, const json_t *causes)
{
	const json_t *f;
	size_t i;
	json_array_foreach(causes, i, f)
	{
		const char *cause = json_string_value(json_object_get(f, "cause"));
		const char *command = json_string_value(json_object_get(f, "command"));
		const char *level = json_string_value(json_object_get(f, "level"));
		const char *remedy = json_string_value(json_object_get(f, "remedy"));
		char *evidence = json_dumps(json_object_get(f, "evidence"), 0);
		bool told = !r->evidence || strstr(evidence, r->evidence);
		free(evidence);
		if (strstr(cause, r->cause))
			return told && strcmp(command, r->command) == 0 &&
			       (!r->remedy || strstr(remedy, r->remedy)) &&
			       strcmp(level, r->note ? "note" : "fault") == 0;
	}
	return false;
}

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		json_t *all[] = {parse(r->node),
				 list("peers", r->peer),
				 list("neighbours", r->neighbour),
				 list("gateways", r->gateways),
				 list("drops", r->drops),
				 list("drops", r->before),
				 list("ports", r->ports),
				 list("ports", r->ports_before),
				 parse(r->host),
				 parse(r->underlay),
				 parse(r->overlay),
				 parse(r->target),
				 list("workers", r->workers),
				 parse(r->owners)};
		const struct xy_answers a = {.node = all[0],
					     .peers = all[1],
					     .neighbours = all[2],
					     .gateways = all[3],
					     .drops = all[4],
					     .drops_before = all[5],
					     .ports = all[6],
					     .ports_before = all[7],
					     .host = all[8],
					     .underlay = all[9],
					     .overlay = all[10],
					     .target = all[11],
					     .workers = all[12],
					     .owners = all[13],
					     .peer = r->asked,
					     .seconds = 1};
		json_t *causes = xy_causes(&a);
		bool good = r->cause ? found(r, causes) : json_array_size(causes) == 0;
		if (!good) {
			char *text = json_dumps(causes, 0);
			printf("\n  row %zu, %s: %s\n", i, r->cause ? r->cause : "nothing", text);
			free(text);
		}
		CU_ASSERT(good);
		json_decref(causes);
		for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
			json_decref(all[k]);
	}
}

// Routes that a peer's limit keeps out: a fault while their number rises, and of a peer of ours.
static void refusal(const char *reason, const char *peering, int before, const char *level)
{
	json_t *then = json_pack("{s:[{s:s,s:s,s:i}]}", "refusals", "peer", "p", "reason", reason,
				 "count", before);
	json_t *now = json_pack("{s:[{s:s,s:s,s:i,s:s}]}", "refusals", "peer", "p", "reason",
				reason, "count", 24, "meaning", "too many");
	json_t *peers = json_pack("{s:[{s:s,s:s,s:s}]}", "peers", "name", "p", "state", "up",
				  "peering", peering);
	const struct xy_answers a = {.peers = peers,
				     .neighbours = now,
				     .neighbours_before = before < 0 ? NULL : then,
				     .seconds = 1};
	json_t *causes = xy_causes(&a);
	CU_ASSERT(json_array_size(causes) == 1);
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(json_array_get(causes, 0), "level")), level);
	json_decref(causes);
	json_decref(then);
	json_decref(now);
	json_decref(peers);
}

static void test_refusals(void)
{
	static const char *const reasons[] = {"origin_limit", "route_limit"};
	for (unsigned i = 0; i < 2; i++) {
		refusal(reasons[i], "configured", 23, "fault");
		refusal(reasons[i], "configured", 24, "note");
		refusal(reasons[i], "configured", -1, "note");
		refusal(reasons[i], "open", 23, "note");
	}
	refusal("bad_signature", "configured", 23, "note");
}

static void test_order(void)
{
	json_t *peers = list("peers", LOST("traffic off") "," DOWN("its secret differs"));
	const struct xy_answers a = {.peers = peers};
	json_t *causes = xy_causes(&a);
	CU_ASSERT(json_array_size(causes) == 2);
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(json_array_get(causes, 0), "level")), "fault");
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(json_array_get(causes, 1), "level")), "note");
	json_decref(causes);
	json_decref(peers);
}

XY_UNIT_MAIN("causes", {"each cause", test_rows}, {"refusals", test_refusals},
	     {"faults first", test_order})
