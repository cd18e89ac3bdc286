// SPDX-License-Identifier: BSD-3-Clause
// What is wrong with the node and its host: drops, queues, load, what routing refuses, warnings.
#include "client/finding.h"

#include "base/bytes.h"
#include "fields/fields.h"

#include <stdio.h>
#include <string.h>

enum {
	LAG_US = 100000, // of the control thread, 99 of 100 times
	PRESSURE = 40,	 // percent
	NOISE = 20,	 // a second: fewer of what strangers send is nothing
};
static const double BUSY = 0.95;

// --- drops

// What it means when a reason rises. least: a second. Those that are not here are noise, or said
// elsewhere.
static const struct meaning {
	const char *reason;
	bool fault;
	unsigned least;
	const char *cause, *remedy;
} meanings[] = {
	{"spoofed", true, 0,
	 "spoofed source: somebody sends in an address that is ours or another node's: he lies, "
	 "two "
	 "nodes have one key, or static routes form a loop",
	 "find whose link it comes by (RX of xylem show peers -w 1), and ask there"},
	{"source_not_allowed", true, 0,
	 "source not allowed: a leaf sends from outside its `allowed`, or a network sends of which "
	 "routing.accept does not name the gateway",
	 "compare the device's Address with `allowed`; of a gateway: routing.accept on both sides"},
	{"no_route", true, 0, "no route: this node or its peers send where no route leads",
	 "find the destination (xylem show routes, gateways), and ask: xylem diagnose ADDRESS"},
	{"not_sealed", true, 0,
	 "a node sends what is not sealed from end to end: it runs something old, or is no node",
	 "see versions: xylem show tree"},
	{"exit_not_allowed", true, 0, "somebody uses this node as exit whom exit_for does not name",
	 "name him in exit_for, or let him choose another exit"},
	{"same_peer", true, 0,
	 "loop: what a peer sends here would go back to it: static routes form a loop",
	 "compare `routes` on both sides"},
	{"hop_limit", true, NOISE, "loop: packets go round until their hop limit is used up",
	 "see the way: xylem trace ADDRESS"},
	{"no_session", true, 0, "packets wait for a session with a peer, and none comes in time",
	 "see why it does not come up: xylem show peers"},
	{"hold_full", true, 0,
	 "full queue: too many packets wait for a session or for a route that do not come",
	 "see who does not answer: xylem show peers"},
	{"no_answer", true, 0, "no route, or no session with a far node, comes in time",
	 "see the way there: xylem show sessions, xylem trace ADDRESS"},
	{"no_endpoint", true, 0, "packets for a peer of which nobody knows where it is",
	 "give it an endpoint, or wait for its call"},
	{"tx_failed", true, 0,
	 "the kernel does not take what links send: a firewall of this host (output), or no route",
	 "see: nft list ruleset, ip route get ENDPOINT"},
	{"tx_full", true, 0, "full queue: more is to be sent than the port takes",
	 "more workers, a faster card, or less traffic"},
	{"host_full", true, 0, "full queue: this host takes its packets slower than they come",
	 "see what loads this host: top; a longer queue: ip link set xylem0 txqueuelen 2000"},
	{"ring_full", true, 0, "full queue: one worker cannot take what others hand to it",
	 "more workers (workers.count)"},
	{"punt_full", true, 0, "full queue: the control thread does not come to what it is handed",
	 "see what loads this host: top, xylem show node (loop lag)"},
	{"no_buffer", true, 0, "full queue: no packet buffer is free",
	 "fewer queues or more memory: xylem show node (memory)"},
	{"handshake_full", false, NOISE, "flood of handshakes that look like peers'",
	 "see where from: tcpdump udp port 51820"},
	{"stranger_rate", false, NOISE, "flood of strangers' handshakes; peers' come through",
	 "let a firewall in front limit it, if it costs too much"},
	{"stranger_full", false, NOISE, "flood of strangers' handshakes; peers' come through",
	 "let a firewall in front limit it, if it costs too much"},
	{"bad_tag", false, NOISE, "packets that do not open: damage on the way, or somebody plays",
	 "see which way: xylem show peers -w 1"},
	{"replay", false, NOISE, "packets that came before: doubled on the way, or played again",
	 "see the way of the peer that has them"},
	{"underlay_mtu", false, 0, "a path carries less than was thought; it is being measured",
	 "ask again in some seconds: xylem netcheck"},
	{"too_big", false, NOISE,
	 "packets are larger than the next link carries; who sends them is told",
	 "is ICMPv6 \"too big\" filtered on the sender's side?"},
	{"host_down", false, 0, "packets for this host, which has no interface (tun = false)",
	 "send them elsewhere, or give it one"},
	{"bad_header_sum", false, 0, "frames with a damaged IPv4 header: a cable, card or switch",
	 "see the counters of the card: ethtool -S"},
	{"hs_bad", false, NOISE, // a fault where it can be a peer's
	 "wrong key or secret: handshakes of somebody who knows our key do not open",
	 "compare keys and network_secret with the peer that does not come up"},
	{"hs_bad_mac", false, 0,
	 "handshakes for another key: somebody has another one for this node",
	 "is it a peer? Its config must have our key: xylem pubkey"},
	{"hs_unknown_key", false, 0,
	 "handshakes of a key that is no peer here: a peer with a wrong key in our config, or a "
	 "stranger",
	 "the log has the key (journalctl -u xylem): is it a peer's?"},
	{"hs_flood", true, 0, "a peer begins handshakes without an end",
	 "see it: xylem show peers; two nodes with one key do that"},
	{"hs_no_index", true, 0, "full: no session is free for a handshake", "raise max_sessions"},
	{"hs_own_key", false, 0, // it comes before anything proves it
	 "another node has this node's key: a key file was copied; or somebody plays",
	 "make each node one: xylem genkey"},
};

static json_int_t packets_of(const json_t *drops, const char *reason)
{
	return xy_answer_count(xy_answer_row(json_object_get(drops, XY_KEY(drops, drops)),
					     XY_KEY(drop, reason), reason),
			       XY_KEY(drop, packets));
}

// Whose they were, the last one, and the command that shows it.
static void owner_evidence(const struct xy_answers *a, const char *reason, struct xy_finding *f)
{
	const json_t *of = json_object_get(a->owners, reason);
	const json_t *last = json_object_get(of, "last");
	const char *peer = xy_answer_text(last, "peer"),
		   *node = xy_answer_text(last, "source_node");
	const char *source = xy_answer_text(last, "source");
	const char *to = xy_answer_text(last, "destination");
	xy_finding_command(f, "xylem show drops%s%s", of ? " " : "", of ? reason : "");
	if (!*peer)
		return;
	xy_finding_evidence(f, "the last one %lld s ago, %s %s%s%s%s%s%s%s%s",
			    (long long)xy_answer_count(last, "last"),
			    json_is_true(json_object_get(last, "certain")) ? "by"
									   : "in the name of",
			    peer, *source ? ": from " : "", source, *node ? " (" : "", node,
			    *node ? ")" : "", *to ? " to " : "", to);
}

// Who has no name in our config can bring these as he likes, and leave with what waits for him.
// What fills our own queues is a fault, whoever it is.
static bool is_strangers(const struct xy_answers *a, const json_t *owner)
{
	const char *name = xy_answer_text(owner, XY_KEY(drop_owner, peer));
	const json_t *peers = json_object_get(a->peers, XY_KEY(peers, peers));
	return xy_answer_is(name, "(a stranger)") ||
	       xy_answer_is_stranger(xy_answer_row(peers, XY_KEY(peer, name), name));
}

static bool is_by_strangers(const struct xy_answers *a, const char *reason)
{
	static const char *const ours[] = {"tx_full",	"host_full", "ring_full",
					   "punt_full", "no_buffer", "tx_failed"};
	const json_t *of = json_object_get(a->owners, reason), *row;
	const json_t *rows = json_object_get(of, XY_KEY(drop_reason, owners));
	size_t i;
	for (i = 0; i < XY_ARRAY_SIZE(ours); i++)
		if (xy_answer_is(reason, ours[i]))
			return false;
	json_array_foreach(rows, i, row)
	{
		if ((double)xy_answer_count(row, XY_KEY(drop_owner, last)) <= a->seconds + 1 &&
		    !is_strangers(a, row))
			return false;
	}
	return of && is_strangers(a, json_object_get(of, XY_KEY(drop_reason, last)));
}

// Handshakes that do not open: a peer of the config that is not there may be who sends them. A
// device that was here has the right key, and may be off.
static bool can_be_peers(const struct xy_answers *a, const char *reason)
{
	const json_t *peers = json_object_get(a->peers, XY_KEY(peers, peers)), *p;
	size_t i;
	if (!xy_answer_is(reason, "hs_bad"))
		return false;
	json_array_foreach(peers, i, p)
	{
		const char *state = xy_answer_text(p, XY_KEY(peer, state));
		bool leaf = xy_answer_is(xy_answer_text(p, XY_KEY(peer, kind)), "leaf");
		bool met = xy_answer_has(p, XY_KEY(peer, last_handshake));
		if (!xy_answer_is(state, "up") && !xy_answer_is(state, "idle") &&
		    !xy_answer_is(state, "traffic off") && !(leaf && met) &&
		    !xy_answer_is_stranger(p))
			return true;
	}
	return false;
}

static void look_at_drop(const struct xy_answers *a, const struct meaning *m, json_t *to)
{
	json_int_t now = packets_of(a->drops, m->reason);
	json_int_t more = now - packets_of(a->drops_before, m->reason);
	double rate = a->seconds > 0 ? (double)more / a->seconds : 0;
	bool peers = can_be_peers(a, m->reason);
	unsigned least = peers ? 0 : m->least;
	struct xy_finding f = {.fault = peers || (m->fault && !is_by_strangers(a, m->reason)),
			       .about = m->reason};
	if (!now || (a->drops_before && (more <= 0 || rate < least)) || (!a->drops_before && least))
		return;
	xy_finding_say(f.cause, "%s", m->cause);
	xy_finding_say(f.remedy, "%s", m->remedy);
	if (a->drops_before)
		xy_finding_evidence(&f, "%s: %.1f a second now, %lld in all", m->reason, rate,
				    (long long)now);
	else
		xy_finding_evidence(&f, "%s: %lld in all", m->reason, (long long)now);
	owner_evidence(a, m->reason, &f);
	xy_finding_put(to, &f);
}

// What rises no more is worth a word where it is a matter of trust.
static void look_at_past(const struct xy_answers *a, json_t *to)
{
	static const char *const worth[] = {"spoofed", "source_not_allowed"};
	for (size_t i = 0; a->drops_before && i < XY_ARRAY_SIZE(worth); i++) {
		json_int_t now = packets_of(a->drops, worth[i]);
		struct xy_finding f = {.about = worth[i]};
		if (!now || now != packets_of(a->drops_before, worth[i]))
			continue;
		for (size_t k = 0; k < XY_ARRAY_SIZE(meanings); k++)
			if (xy_answer_is(meanings[k].reason, worth[i]))
				xy_finding_say(f.cause, "in the past: %s", meanings[k].cause);
		xy_finding_evidence(&f, "%s: %lld since the start, and none now", worth[i],
				    (long long)now);
		owner_evidence(a, worth[i], &f);
		xy_finding_say(f.remedy, "nothing, if it stays so");
		xy_finding_put(to, &f);
	}
}

// --- queues that the kernel and the card have

static void look_at_queue(const json_t *row, const json_t *before, const char *name, json_t *to)
{
	json_int_t missed = xy_answer_count(row, XY_KEY(port, rx_missed));
	json_int_t failed = xy_answer_count(row, XY_KEY(port, tx_errors));
	json_int_t more = missed - xy_answer_count(before, XY_KEY(port, rx_missed));
	json_int_t worse = failed - xy_answer_count(before, XY_KEY(port, tx_errors));
	struct xy_finding f = {.fault = true, .about = name, .command = "xylem show ports"};
	if (before && more > 0) {
		xy_finding_say(
			f.cause,
			"full queue: more comes by %s than the workers take, and the kernel or "
			"the card drops it before any of them sees it",
			name);
		xy_finding_evidence(&f, "rx missed: %lld more now, %lld in all", (long long)more,
				    (long long)missed);
		xy_finding_say(f.remedy,
			       "more workers (workers.count), a longer queue (ip link set ... "
			       "txqueuelen 2000, net.core.rmem_max), or less load on this host");
		xy_finding_put(to, &f);
	}
	f = (struct xy_finding){.fault = true, .about = name, .command = "xylem show ports"};
	if (!before || worse <= 0)
		return;
	xy_finding_say(
		f.cause,
		"what is sent by %s is not taken: a firewall of this host (output), no route, "
		"or a full queue of the kernel",
		name);
	xy_finding_evidence(&f, "tx errors: %lld more now, %lld in all", (long long)worse,
			    (long long)failed);
	xy_finding_say(f.remedy, "see: nft list ruleset, ip route get ENDPOINT, tc -s qdisc");
	xy_finding_put(to, &f);
}

static void look_at_list(const struct xy_answers *a, const char *list, json_t *to)
{
	const json_t *rows = json_object_get(a->ports, list), *row;
	const json_t *before = json_object_get(a->ports_before, list);
	size_t i;
	json_array_foreach(rows, i, row)
	{
		char name[80];
		const char *host = xy_answer_text(row, XY_KEY(host, host));
		if (*host)
			snprintf(name, sizeof(name), "%s", host);
		else
			snprintf(name, sizeof(name), "port %lld",
				 (long long)xy_answer_count(row, XY_KEY(port, port)));
		look_at_queue(row, json_array_get(before, i), name, to);
	}
}

// --- load

static void look_at_workers(const struct xy_answers *a, json_t *to)
{
	const json_t *rows = json_object_get(a->workers, XY_KEY(workers, workers)), *w;
	size_t i;
	json_array_foreach(rows, i, w)
	{
		double busy = json_number_value(json_object_get(w, XY_KEY(worker, busy)));
		bool stuck = json_is_false(json_object_get(w, XY_KEY(worker, alive)));
		struct xy_finding f = {
			.fault = true, .about = "workers", .command = "xylem show workers"};
		if (!stuck && busy < BUSY)
			continue;
		if (stuck)
			xy_finding_say(
				f.cause,
				"worker %zu is stuck: it has not run for seconds; this host is "
				"overloaded, or the program has a fault",
				i);
		else
			xy_finding_say(
				f.cause,
				"overload: worker %zu is busy all the time, and what comes faster "
				"waits or is dropped",
				i);
		xy_finding_evidence(&f, "busy %.0f %% of the last second", busy * 100);
		xy_finding_say(f.remedy, "more workers (workers.count), each on a CPU of its own "
					 "(workers.cpus), or a faster one");
		xy_finding_put(to, &f);
	}
}

static void load_evidence(const json_t *host, struct xy_finding *f)
{
	if (xy_answer_has(host, "pressure"))
		xy_finding_evidence(
			f,
			"for %.0f %% of the last ten seconds something waited for a CPU "
			"(/proc/pressure/cpu)",
			json_number_value(json_object_get(host, "pressure")));
	if (xy_answer_has(host, "load"))
		xy_finding_evidence(f, "load of the last minute: %.1f on %lld CPUs",
				    json_number_value(json_object_get(host, "load")),
				    (long long)xy_answer_count(host, "cpus"));
}

// The control thread is late by what it does itself, or by what others do on this host.
static void look_at_load(const struct xy_answers *a, json_t *to)
{
	json_int_t lag = xy_answer_count(a->node, XY_KEY(node, loop_lag_p99_us));
	json_int_t own = xy_answer_count(a->node, XY_KEY(node, longest_turn_cpu_us));
	double pressure = json_number_value(json_object_get(a->host, "pressure"));
	double load = json_number_value(json_object_get(a->host, "load"));
	double cpus = json_number_value(json_object_get(a->host, "cpus"));
	bool late = lag > LAG_US, crowded = pressure > PRESSURE || (cpus > 0 && load > 3 * cpus);
	struct xy_finding f = {.fault = late, .about = "host"}; // late: the node suffers from it
	if (!late && !crowded)
		return;
	if (late && !crowded && own > LAG_US)
		xy_finding_say(f.cause, "overload: the control thread has more to do than it can");
	else
		xy_finding_say(f.cause,
			       "host overload: other programs take the CPUs that this node needs%s",
			       late ? "" : "; it is not late by it yet");
	if (late)
		xy_finding_evidence(&f, "the control thread is up to %lld ms late",
				    (long long)(lag / 1000));
	load_evidence(a->host, &f);
	xy_finding_say(f.remedy,
		       "see who takes them: top; give the node CPUs of its own (workers.cpus, "
		       "isolcpus, CPUWeight= of the unit), or look at xylem doctor");
	xy_finding_command(&f, late ? "xylem show node" : "top");
	xy_finding_put(to, &f);
}

// --- what routing refuses

static bool is_grave(const char *reason)
{
	static const char *const grave[] = {"bad_signature", "not_owner",   "unsigned",
					    "collision",     "route_limit", "origin_limit",
					    "bad_router_id", "not_accepted"};
	for (size_t i = 0; i < XY_ARRAY_SIZE(grave); i++)
		if (xy_answer_is(reason, grave[i]))
			return true;
	return false;
}

// Does it rise? What was refused once may long be withdrawn.
static bool is_refused_now(const struct xy_answers *a, const json_t *r)
{
	const json_t *rows = json_object_get(a->neighbours_before, XY_KEY(neighbours, refusals));
	const char *peer = xy_answer_text(r, XY_KEY(refusal, peer));
	const char *reason = xy_answer_text(r, XY_KEY(refusal, reason));
	json_int_t then = 0;
	const json_t *old;
	size_t i;
	json_array_foreach(rows, i, old)
	{
		if (xy_answer_is(xy_answer_text(old, XY_KEY(refusal, peer)), peer) &&
		    xy_answer_is(xy_answer_text(old, XY_KEY(refusal, reason)), reason))
			then = xy_answer_count(old, XY_KEY(refusal, count));
	}
	return a->neighbours_before && xy_answer_count(r, XY_KEY(refusal, count)) > then;
}

static bool is_of_stranger(const struct xy_answers *a, const char *peer)
{
	const json_t *peers = json_object_get(a->peers, XY_KEY(peers, peers));
	return xy_answer_is_stranger(xy_answer_row(peers, XY_KEY(peer, name), peer));
}

static void look_at_refusals(const struct xy_answers *a, json_t *to)
{
	const json_t *rows = json_object_get(a->neighbours, XY_KEY(neighbours, refusals)), *r;
	size_t i;
	json_array_foreach(rows, i, r)
	{
		const char *reason = xy_answer_text(r, XY_KEY(refusal, reason));
		struct xy_finding f = {.about = xy_answer_text(r, XY_KEY(refusal, peer)),
				       .command = "xylem show neighbours"};
		bool limit =
			xy_answer_is(reason, "origin_limit") || xy_answer_is(reason, "route_limit");
		if (!is_grave(reason) || (a->peer && !xy_answer_is(a->peer, f.about)))
			continue;
		f.fault = limit && !is_of_stranger(a, f.about) && is_refused_now(a, r);
		xy_finding_say(f.cause, "routes refused: what it announces is not taken: %s",
			       xy_answer_text(r, XY_KEY(refusal, meaning)));
		xy_finding_evidence(&f, "%s: %lld since it is there", reason,
				    (long long)xy_answer_count(r, XY_KEY(refusal, count)));
		xy_finding_say(f.remedy, limit ? "raise max_origins of this peer, or max_routes"
					       : "nothing, where it is a stranger's; else look at "
						 "that node's key and "
						 "config");
		xy_finding_put(to, &f);
	}
}

// --- what the node says of itself

// Peers' and queues' are told with more above.
static const char *command_of(const char *warning)
{
	static const struct {
		const char *word, *command;
	} commands[] = {
		{"the config of ", "xylemd --check"},
		{"the kernel drops packets of this host", "xylem show ports"},
		{"a worker is stuck", "xylem show workers"},
		{"the mesh can reach every port", "xylem show policy"},
		{"discovery: ", "ip -br addr"},
		{"this node is drained", "xylem drain off"},
	};
	if (strstr(warning, " routes find no room and wait"))
		return "xylem show routing";
	for (size_t i = 0; i < XY_ARRAY_SIZE(commands); i++)
		if (strncmp(warning, commands[i].word, strlen(commands[i].word)) == 0)
			return commands[i].command;
	return "xylem show node";
}

// Seen since the start and perhaps over, or what anybody can bring about. What of it goes on rises
// in a counter.
static bool is_past(const char *warning)
{
	static const char *const begin[] = {"there was no room to seal for one more node",
					    "handshakes found no free session",
					    "two keys announce one /64",
					    "a peer brings more origins than", "a handshake from "};
	for (size_t i = 0; i < XY_ARRAY_SIZE(begin); i++)
		if (strncmp(warning, begin[i], strlen(begin[i])) == 0)
			return true;
	return strstr(warning, " dropped as handshake_full") != NULL;
}

static bool is_told(const struct xy_answers *a, const char *warning)
{
	const json_t *peers = json_object_get(a->peers, XY_KEY(peers, peers)), *p;
	size_t i;
	if (strncmp(warning, "and ", 4) == 0 && strstr(warning, " more peers "))
		return true;
	if (strncmp(warning, "peer ", 5) != 0)
		return false;
	json_array_foreach(peers, i, p)
	{
		const char *name = xy_answer_text(p, XY_KEY(peer, name));
		size_t n = strlen(name);
		if (n && strncmp(warning + 5, name, n) == 0 && strchr(" :,", warning[5 + n]))
			return true;
	}
	return false;
}

static void look_at_warnings(const struct xy_answers *a, json_t *to)
{
	const json_t *list = json_object_get(a->node, XY_KEY(node, warnings)), *w;
	size_t i;
	json_array_foreach(list, i, w)
	{
		const char *text = json_string_value(w);
		struct xy_finding f = {.about = "node"};
		if (!text || is_told(a, text))
			continue;
		f.fault = !is_past(text);
		if (strncmp(text, "the kernel drops packets of this host", 37) == 0)
			xy_finding_say(f.cause, "full queue: %s", text);
		else if (strstr(text, " routes find no room and wait"))
			xy_finding_say(f.cause, "routes refused: %s", text);
		else
			xy_finding_say(f.cause, "%s", text);
		xy_finding_evidence(&f, f.fault ? "a warning of the node itself, which stands"
						: "a warning of the node itself, of what was "
						  "seen, and may be over");
		xy_finding_command(&f, "%s", command_of(text));
		xy_finding_put(to, &f);
	}
	list = json_object_get(a->node, XY_KEY(node, waiting_for));
	json_array_foreach(list, i, w)
	{
		struct xy_finding f = {
			.fault = true, .about = "node", .command = "xylem show node"};
		xy_finding_say(f.cause, "something that the config names is not there: %s",
			       json_string_value(w) ? json_string_value(w) : "?");
		xy_finding_evidence(&f, "the node waits for it");
		xy_finding_put(to, &f);
	}
}

static void look_at_joining(const struct xy_answers *a, json_t *to)
{
	const json_t *list = json_object_get(a->node, XY_KEY(node, joining)), *j;
	size_t i;
	json_array_foreach(list, i, j)
	{
		const char *state = xy_answer_text(j, XY_KEY(joining, state));
		struct xy_finding f = {.fault = true,
				       .about = xy_answer_text(j, XY_KEY(joining, peer)),
				       .command = "xylem show node"};
		if (xy_answer_is(state, "pinned"))
			continue;
		xy_finding_say(f.cause, "joining: its key is not known yet (%s)", state);
		xy_finding_evidence(&f, "asked %lld times at %s",
				    (long long)xy_answer_count(j, XY_KEY(joining, probes)),
				    xy_answer_text(j, XY_KEY(joining, endpoint)));
		xy_finding_say(
			f.remedy,
			"is peering open there, and its UDP port in the firewall? Or write its "
			"key into the config");
		xy_finding_put(to, &f);
	}
}

void xy_causes_node(const struct xy_answers *a, json_t *to)
{
	look_at_joining(a, to);
	for (size_t i = 0; i < XY_ARRAY_SIZE(meanings); i++)
		look_at_drop(a, &meanings[i], to);
	look_at_list(a, XY_KEY(ports, ports), to);
	look_at_list(a, XY_KEY(ports, hosts), to);
	look_at_workers(a, to);
	look_at_load(a, to);
	look_at_refusals(a, to);
	look_at_warnings(a, to);
	look_at_past(a, to);
}
