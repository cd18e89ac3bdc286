// SPDX-License-Identifier: BSD-3-Clause
// What is wrong with peers and their links.
#include "client/finding.h"

#include "base/bytes.h"
#include "fields/fields.h"

#include <stdio.h>
#include <string.h>

enum {
	FLAPS = 3,	  // so many losses in ten minutes are a flap
	CLOCK_NEAR = 600, // s
};

// --- a peer that is not up

struct peer {
	const json_t *row;
	const char *name, *state, *trouble, *endpoint;
	bool leaf, met; // met: it was up once
	bool stranger;	// it may come, go and be as it likes: nothing of it is a fault of ours
	int host;	// 1: the host at its endpoint answers ping, 0: not, -1: not known
};

static void put(const struct peer *p, struct xy_finding *f, json_t *to)
{
	f->fault &= !p->stranger;
	xy_finding_put(to, f);
}

static const char *secret_of(const struct peer *p)
{
	return p->leaf ? "pre-shared key (psk)" : "network_secret (or psk)";
}

static void host_evidence(const struct peer *p, struct xy_finding *f)
{
	if (p->host == 1)
		xy_finding_evidence(f, "the host at %s answers ping", p->endpoint);
	else if (p->host == 0)
		xy_finding_evidence(f, "the host at %s answers no ping either", p->endpoint);
}

static void nobody_answers(const struct peer *p, struct xy_finding *f)
{
	if (p->host == 1)
		xy_finding_say(
			f->cause,
			"its host is there, but nothing comes back from UDP %s: a firewall drops "
			"it (here, there or between), or the node there has another key or does "
			"not know ours",
			p->endpoint);
	else
		xy_finding_say(
			f->cause,
			"nothing comes back from %s: its host is down or out of reach, a firewall "
			"drops UDP, or the node there has another key or does not know ours",
			p->endpoint);
	xy_finding_say(
		f->remedy,
		"let UDP in at that port on both hosts; on the peer: xylem diagnose, and compare "
		"the keys (xylem pubkey); WireGuard does not answer who it does not know");
	host_evidence(p, f);
}

static void secret_differs(const struct peer *p, struct xy_finding *f)
{
	xy_finding_say(f->cause, "wrong secret: its %s is another than ours", secret_of(p));
	xy_finding_say(f->remedy, "compare it in both configs, character by character");
	xy_finding_evidence(f, "it answers from %s, and the answer does not open with ours",
			    p->endpoint);
}

static void answers_not_taken(const struct peer *p, struct xy_finding *f)
{
	xy_finding_say(
		f->cause,
		"wrong secret, or a firewall: it takes none of our answers, so its %s is another "
		"than ours, or they do not reach it",
		secret_of(p));
	xy_finding_say(f->remedy,
		       "on the peer xylem diagnose says which of the two; compare the secrets");
	xy_finding_evidence(f, "it asks from %s, we answer, and it asks again", p->endpoint);
}

static void our_key_wrong(const struct peer *p, struct xy_finding *f)
{
	xy_finding_say(f->cause, "wrong key there: its config has another key for this node");
	xy_finding_say(f->remedy, "put ours into its config (xylem pubkey prints it)");
	xy_finding_evidence(f, "its handshakes from %s are made for another key", p->endpoint);
}

static void its_key_wrong(const struct peer *p, struct xy_finding *f)
{
	xy_finding_say(f->cause,
		       "wrong key here: the node at %s has another key than our config says",
		       p->endpoint);
	xy_finding_say(f->remedy,
		       "the log has the key that it uses (journalctl -u xylem): put it into our "
		       "config, if it is the right node");
	xy_finding_evidence(f, "a handshake came from %s with another key", p->endpoint);
}

static void other_is_there(const struct peer *p, struct xy_finding *f)
{
	xy_finding_say(f->cause, "wrong endpoint or key here: at %s another peer of ours answers",
		       p->endpoint);
	xy_finding_say(f->remedy, "correct its endpoint, or its key, in our config");
	xy_finding_evidence(f, "two peers have one place");
}

static void port_closed(const struct peer *p, struct xy_finding *f)
{
	xy_finding_say(f->cause, "%sno daemon runs there: its host says that nobody listens at %s",
		       p->met ? "dead peer: " : "", p->endpoint);
	xy_finding_say(f->remedy, "start it there (systemctl status xylem), or correct the port");
	xy_finding_evidence(f, "ICMP from there: port closed");
}

struct host {
	const char *text;
	int len;
};

// An endpoint without its port, brackets and zone, as other commands want it.
static struct host host_of(const char *endpoint)
{
	const char *text = endpoint && endpoint[0] == '[' ? endpoint + 1 : endpoint;
	const char *port = text ? strrchr(text, ':') : NULL;
	if (!port)
		return (struct host){"ADDRESS", 7};
	int len = (int)strcspn(text, endpoint[0] == '[' ? "]%" : ":");
	return (struct host){text, len};
}

static void unreachable(const struct peer *p, struct xy_finding *f)
{
	xy_finding_say(
		f->cause,
		"out of reach: a router, a firewall or its host says that %s cannot be reached",
		p->endpoint);
	struct host h = host_of(p->endpoint);
	xy_finding_say(f->remedy, "see the way: ip route get %.*s; traceroute %.*s", h.len, h.text,
		       h.len, h.text);
	xy_finding_evidence(f, "ICMP: unreachable");
	host_evidence(p, f);
}

static void under_load(const struct peer *p, struct xy_finding *f)
{
	xy_finding_say(f->cause,
		       "it is flooded: it is there, with that key, and asks for a cookie first");
	xy_finding_say(f->remedy, "wait: who shows that it hears is let in");
	xy_finding_evidence(f, "it answers from %s with a cookie", p->endpoint);
}

static void clock_back(const struct peer *p, struct xy_finding *f)
{
	xy_finding_say(f->cause,
		       "its clock was set back: its handshakes have time stamps older than before");
	xy_finding_say(
		f->remedy,
		"set its clock (date -u on both), or restart this node's end: xylem peer reset "
		"%s",
		p->name);
	xy_finding_evidence(f, "handshakes from %s are refused for their time stamp", p->endpoint);
}

// The words of links/trouble.c.
static const struct {
	const char *trouble;
	void (*tell)(const struct peer *p, struct xy_finding *f);
} troubles[] = {
	{"no answer", nobody_answers},
	{"its secret differs", secret_differs},
	{"does not take our answers", answers_not_taken},
	{"has another key for us", our_key_wrong},
	{"another key is there", its_key_wrong},
	{"another peer is there", other_is_there},
	{"port closed (ICMP)", port_closed},
	{"unreachable (ICMP)", unreachable},
	{"under load, asks for a cookie", under_load},
	{"its clock went back", clock_back},
};

static bool by_trouble(const struct peer *p, struct xy_finding *f)
{
	for (size_t i = 0; i < XY_ARRAY_SIZE(troubles); i++) {
		if (!xy_answer_is(p->trouble, troubles[i].trouble))
			continue;
		troubles[i].tell(p, f);
		return true;
	}
	return false;
}

static void silent(const struct peer *p, struct xy_finding *f)
{
	if (xy_answer_is(p->trouble, "port closed (ICMP)") ||
	    xy_answer_is(p->trouble, "unreachable (ICMP)")) {
		by_trouble(p, f);
		return;
	}
	xy_finding_say(
		f->cause,
		p->host == 1
			? "dead peer, or a firewall: its daemon answers nothing any more, and "
			  "its host is there"
			: "dead peer, or the way is cut: it was heard, and answers nothing any "
			  "more");
	xy_finding_say(f->remedy, "look there: systemctl status xylem; is UDP still let through?");
	host_evidence(p, f);
}

static void no_way(const struct peer *p, struct xy_finding *f)
{
	xy_finding_say(
		f->cause,
		"this host has no way to it: an interface is down or without a carrier, or no "
		"route leads to %s",
		p->endpoint);
	struct host h = host_of(p->endpoint);
	xy_finding_say(f->remedy, "see: ip -br link; ip route get %.*s", h.len, h.text);
}

static void left(const struct peer *p, struct xy_finding *f)
{
	xy_finding_say(f->cause,
		       "it said goodbye: it was stopped or drained there, and was not heard since");
	xy_finding_say(f->remedy, "start it there, or end the drain: xylem drain off");
}

static void one_way(const struct peer *p, struct xy_finding *f)
{
	xy_finding_say(
		f->cause,
		"firewall, in one direction: we hear it, and it says that it does not hear us; or "
		"traffic was switched off there");
	xy_finding_say(f->remedy, "let our UDP in there; on the peer: xylem show peers");
}

static void lossy(const struct peer *p, struct xy_finding *f)
{
	xy_finding_say(f->cause, "the way loses packets: most of its Hellos do not arrive");
	xy_finding_say(f->remedy, "measure it: xylem netcheck %s", p->name);
}

static void no_endpoint(const struct peer *p, struct xy_finding *f)
{
	f->fault = p->met; // who calls us has none until it does
	xy_finding_say(
		f->cause,
		"it is not known where it is: our config has no endpoint of it, and it has not "
		"called us");
	xy_finding_say(
		f->remedy,
		"give one of the two an endpoint; if it should call: on the peer xylem diagnose");
}

static void unresolved(const struct peer *p, struct xy_finding *f)
{
	xy_finding_say(f->cause, "DNS: %s has no address",
		       xy_answer_text(p->row, XY_KEY(peer, unresolved)));
	xy_finding_say(f->remedy,
		       "see: getent hosts, and whether this host reaches its DNS server");
}

static void shut(const struct peer *p, struct xy_finding *f)
{
	f->fault = false;
	xy_finding_say(f->cause, "its traffic was switched off here");
	xy_finding_say(f->remedy, "xylem set peer %s traffic on", p->name);
}

static void asked(const struct peer *p, struct xy_finding *f)
{
	f->fault = p->met || xy_answer_count(p->row, XY_KEY(peer, handshakes_sent)) > 1;
	xy_finding_say(
		f->cause,
		"no session yet: it is being asked, and it is too early to say why it does not "
		"answer");
	xy_finding_say(f->remedy, "ask again in five seconds");
}

static const struct {
	const char *state;
	void (*tell)(const struct peer *p, struct xy_finding *f);
} states[] = {
	{"silent", silent},	    {"no way", no_way},	   {"left", left},
	{"one way", one_way},	    {"lossy", lossy},	   {"no endpoint", no_endpoint},
	{"unresolved", unresolved}, {"traffic off", shut}, {"handshake", asked},
	{"down", nobody_answers},
};

static void ages(const struct peer *p, struct xy_finding *f)
{
	json_int_t failed = xy_answer_count(p->row, XY_KEY(peer, handshakes_failed));
	char heard[60] = "never heard";
	if (xy_answer_has(p->row, XY_KEY(peer, last_received)))
		snprintf(heard, sizeof(heard), "heard %lld s ago",
			 (long long)xy_answer_count(p->row, XY_KEY(peer, last_received)));
	xy_finding_evidence(f, "state %s, %s, %lld handshakes without an answer", p->state, heard,
			    (long long)failed);
}

// What says more goes first: a state of routing, then the trouble of its handshakes.
static void peer_down(const struct peer *p, json_t *to)
{
	struct xy_finding f = {.fault = true, .about = p->name};
	bool lost = xy_answer_is(p->state, "handshake") || xy_answer_is(p->state, "down");
	bool told = lost && by_trouble(p, &f);
	for (size_t i = 0; !told && i < XY_ARRAY_SIZE(states); i++) {
		if (!xy_answer_is(p->state, states[i].state))
			continue;
		states[i].tell(p, &f);
		told = true;
	}
	if (!told)
		return;
	ages(p, &f);
	xy_finding_command(&f, "xylem show peers");
	put(p, &f, to);
}

// --- a peer that is up

static void black_hole(const struct peer *p, json_t *to)
{
	json_int_t whole = xy_answer_count(p->row, XY_KEY(peer, unfragmented));
	json_int_t limit = xy_answer_count(p->row, XY_KEY(peer, path_limit));
	const char *fragments = xy_answer_text(p->row, XY_KEY(peer, fragments));
	bool lost = xy_answer_is(fragments, "lost");
	struct xy_finding f = {.fault = !xy_answer_is(fragments, "no"), .about = p->name};
	if (!xy_answer_is(xy_answer_text(p->row, XY_KEY(peer, mtu_from)), "probed") || !whole ||
	    whole >= limit)
		return;
	xy_finding_say(f.cause,
		       "MTU black hole: the path carries %lld bytes of the %lld that the interface "
		       "allows, "
		       "and drops larger ones without a word%s",
		       (long long)whole, (long long)limit,
		       lost				? "; fragments are lost, too"
		       : xy_answer_is(fragments, "yes") ? "; what is larger goes in fragments"
							: "; the link keeps to it");
	xy_finding_evidence(&f,
			    "probed: %lld go, larger ones do not come back, and no ICMP says why",
			    (long long)whole);
	xy_finding_say(
		f.remedy,
		"let ICMP \"too big\" through on the way, or give the kernel the size: ip route "
		"... mtu N%s",
		lost ? "; let fragments through" : "");
	xy_finding_command(&f, "xylem netcheck %s", p->name);
	put(p, &f, to);
}

// Of who is not probed.
static void large_lost(const struct xy_answers *a, const struct peer *p, json_t *to)
{
	const json_t *o = json_object_get(a->overlay, p->name);
	struct xy_finding f = {.fault = true, .about = p->name};
	if (!json_is_true(json_object_get(o, "small")) ||
	    !json_is_false(json_object_get(o, "large")))
		return;
	xy_finding_say(f.cause, "MTU black hole: small packets pass and large ones do not");
	xy_finding_evidence(&f, "a ping of 104 bytes is answered, one of %lld is not",
			    (long long)xy_answer_count(o, "size"));
	xy_finding_say(
		f.remedy,
		"set mtu = 1280; at this peer, and MTU = 1280 on a device; let ICMP \"too big\" "
		"through on the way");
	xy_finding_command(&f, "xylem ping %s -s %lld", p->name,
			   (long long)xy_answer_count(o, "size") - 48);
	put(p, &f, to);
}

static void flaps(const json_t *neighbour, const struct peer *p, json_t *to)
{
	json_int_t lately = xy_answer_count(neighbour, XY_KEY(neighbour, losses_lately));
	struct xy_finding f = {.fault = true, .about = p->name};
	if (lately < FLAPS)
		return;
	xy_finding_say(
		f.cause,
		"it flaps: it comes and goes, by its link or because it is restarted again and "
		"again; traffic goes other ways each time, and its routes are held back");
	xy_finding_evidence(
		&f, "lost %lld times%s in the last ten minutes, %lld in all; now it is %s",
		(long long)lately, lately == 8 ? " or more" : "",
		(long long)xy_answer_count(neighbour, XY_KEY(neighbour, losses)), p->state);
	xy_finding_say(
		f.remedy,
		"look at the line and at the log there; meanwhile: xylem set peer %s traffic off",
		p->name);
	xy_finding_command(&f, "xylem show neighbours");
	put(p, &f, to);
}

static void clock_apart(const struct peer *p, json_t *to)
{
	json_int_t apart = xy_answer_count(p->row, XY_KEY(peer, clock_apart));
	struct xy_finding f = {.fault = true, .about = p->name};
	if (apart <= CLOCK_NEAR && apart >= -CLOCK_NEAR)
		return;
	xy_finding_say(f.cause, "clock: its clock is %lld s %s ours: one of the two is wrong",
		       (long long)(apart < 0 ? -apart : apart), apart < 0 ? "behind" : "ahead of");
	xy_finding_evidence(&f, "by the time stamp of its last handshake");
	xy_finding_say(f.remedy, "date -u on both, and an NTP client");
	xy_finding_command(&f, "xylem netcheck %s", p->name);
	put(p, &f, to);
}

static void neighbour_trouble(const json_t *neighbour, const struct peer *p, json_t *to)
{
	const char *trouble = xy_answer_text(neighbour, XY_KEY(neighbour, trouble));
	struct xy_finding f = {.fault = true, .about = p->name};
	if (!*trouble)
		return;
	xy_finding_say(f.cause, "routing: %s", trouble);
	xy_finding_command(&f, "xylem show neighbours");
	put(p, &f, to);
}

// Both lists come by name, so one goes along the other: ten thousand are not looked through for
// each.
static const json_t *neighbour_of(const struct xy_answers *a, const char *name, size_t *at)
{
	const json_t *list = json_object_get(a->neighbours, XY_KEY(neighbours, neighbours)), *row;
	for (; (row = json_array_get(list, *at)); ++*at) {
		int order = strcmp(xy_answer_text(row, XY_KEY(neighbour, peer)), name);
		if (order >= 0)
			return order ? NULL : row;
	}
	return NULL;
}

static void look_at_peer(const struct xy_answers *a, const json_t *row, size_t *at, json_t *to)
{
	const json_t *ping;
	struct peer p = {.row = row,
			 .name = xy_answer_text(row, XY_KEY(peer, name)),
			 .state = xy_answer_text(row, XY_KEY(peer, state)),
			 .trouble = xy_answer_text(row, XY_KEY(peer, trouble)),
			 .endpoint = xy_answer_text(row, XY_KEY(peer, endpoint)),
			 .leaf = xy_answer_is(xy_answer_text(row, XY_KEY(peer, kind)), "leaf"),
			 .met = xy_answer_has(row, XY_KEY(peer, last_handshake)),
			 .stranger = xy_answer_is_stranger(row),
			 .host = -1};
	const json_t *neighbour = neighbour_of(a, p.name, at);
	ping = json_object_get(a->underlay, p.name);
	p.host = json_is_boolean(ping) ? json_is_true(ping) : -1;
	if (!xy_answer_is(p.state, "up") && !xy_answer_is(p.state, "idle"))
		peer_down(&p, to);
	if (xy_answer_is(p.state, "up")) {
		size_t before = json_array_size(to);
		black_hole(&p, to);
		if (json_array_size(to) == before)
			large_lost(a, &p, to);
	}
	flaps(neighbour, &p, to);
	clock_apart(&p, to);
	neighbour_trouble(neighbour, &p, to);
}

static bool is_asked_about(const struct xy_answers *a, const char *name)
{
	const json_t *by = json_object_get(a->target, "by");
	if (a->peer)
		return xy_answer_is(a->peer, name);
	for (size_t i = 0; i < json_array_size(by); i++)
		if (xy_answer_is(json_string_value(json_array_get(by, i)), name))
			return true;
	return !a->target;
}

void xy_causes_peers(const struct xy_answers *a, json_t *to)
{
	const json_t *list = json_object_get(a->peers, XY_KEY(peers, peers)), *p;
	size_t i, at = 0;
	json_array_foreach(list, i, p)
	{
		if (is_asked_about(a, xy_answer_text(p, XY_KEY(peer, name))))
			look_at_peer(a, p, &at, to);
	}
	struct xy_finding f = {.about = "peers", .command = "xylem show peers"};
	if (!a->peers || json_array_size(list) ||
	    json_array_size(json_object_get(a->node, XY_KEY(node, joining))))
		return;
	xy_finding_say(f.cause, "there is no peer, so there is nobody to send to");
	xy_finding_say(f.remedy, "write one into `peers`, or xylem peer add");
	xy_finding_put(to, &f);
}
