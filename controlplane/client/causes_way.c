// SPDX-License-Identifier: BSD-3-Clause
// Why packets do not get to an address, or to a network that somebody offers.
#include "client/finding.h"

#include "base/ip.h"
#include "fields/fields.h"

#include <string.h>

enum { NETWORKS = 8 }; // that are named when nobody asks about one

static const json_t *gateways_of(const struct xy_answers *a)
{
	return json_object_get(a->gateways, XY_KEY(gateways, gateways));
}

static bool not_accepted(const json_t *g)
{
	const char *why = xy_answer_text(g, XY_KEY(gateway, why_not));
	return strncmp(why, "not accepted", strlen("not accepted")) == 0;
}

// Somebody's route to that very network is used, or it is our own.
static bool is_served(const struct xy_answers *a, const char *prefix)
{
	const json_t *g;
	size_t i;
	json_array_foreach(gateways_of(a), i, g)
	{
		const char *why = xy_answer_text(g, XY_KEY(gateway, why_not));
		if (xy_answer_is(xy_answer_text(g, XY_KEY(gateway, prefix)), prefix) &&
		    (json_is_true(json_object_get(g, XY_KEY(gateway, used))) ||
		     strstr(why, "this node announces") || strstr(why, "goes before it")))
			return true;
	}
	return false;
}

static bool is_default(const char *prefix)
{
	return xy_answer_is(prefix, "::/0") || xy_answer_is(prefix, "0.0.0.0/0");
}

static void missing_accept(const json_t *g, bool sure, json_t *to)
{
	const char *prefix = xy_answer_text(g, XY_KEY(gateway, prefix));
	struct xy_finding f = {.fault = sure, .about = prefix};
	xy_finding_say(
		f.cause,
		is_default(prefix)
			? "missing accept: %s offers the way to the Internet, and this node takes "
			  "it "
			  "from nobody"
			: "missing accept: %s has this network, and this node does not take it: "
			  "routing.accept names nobody for it, so packets there are dropped as "
			  "no_route",
		xy_answer_text(g, XY_KEY(gateway, gateway)));
	xy_finding_evidence(&f, "gateway %s by peer %s: %s",
			    xy_answer_text(g, XY_KEY(gateway, gateway)),
			    xy_answer_text(g, XY_KEY(gateway, via)),
			    xy_answer_text(g, XY_KEY(gateway, why_not)));
	if (is_default(prefix))
		xy_finding_say(f.remedy, "if it is wanted: exit = \"%s\";",
			       xy_answer_text(g, XY_KEY(gateway, gateway)));
	else
		xy_finding_say(f.remedy,
			       "if it is wanted: routing = { accept = ( { key = \"%s\"; prefix = "
			       "\"%s\"; } ); };",
			       xy_answer_text(g, XY_KEY(gateway, key)), prefix);
	xy_finding_command(&f, "xylem show gateways %s", prefix);
	xy_finding_put(to, &f);
}

static void held_back(const json_t *g, json_t *to)
{
	struct xy_finding f = {.fault = true, .about = xy_answer_text(g, XY_KEY(gateway, prefix))};
	xy_finding_say(
		f.cause,
		"it flaps: the route to this network came and went too often, and is held back");
	xy_finding_evidence(&f, "gateway %s by peer %s",
			    xy_answer_text(g, XY_KEY(gateway, gateway)),
			    xy_answer_text(g, XY_KEY(gateway, via)));
	xy_finding_say(f.remedy, "look at that gateway's link and log");
	xy_finding_command(&f, "xylem show route %s", f.about);
	xy_finding_put(to, &f);
}

static bool holds(const json_t *g, const struct xy_addr *addr)
{
	struct xy_prefix p;
	return xy_prefix_parse(xy_answer_text(g, XY_KEY(gateway, prefix)), &p) == 0 &&
	       xy_prefix_contains(&p, addr);
}

static json_int_t no_route_drops(const json_t *drops)
{
	return xy_answer_count(xy_answer_row(json_object_get(drops, XY_KEY(drops, drops)),
					     XY_KEY(drop, reason), "no_route"),
			       XY_KEY(drop, packets));
}

// A relay passes on what it takes from nobody itself, and lacks nothing: only where packets find no
// route it is worth a word, and where they do now it is what is wrong.
static void look_at_networks(const struct xy_answers *a, json_t *to)
{
	json_int_t dropped = no_route_drops(a->drops);
	bool now = a->drops_before && dropped > no_route_drops(a->drops_before);
	const json_t *g;
	unsigned named = 0;
	size_t i;
	json_array_foreach(gateways_of(a), i, g)
	{
		const char *prefix = xy_answer_text(g, XY_KEY(gateway, prefix));
		if (dropped && named < NETWORKS && !is_default(prefix) && not_accepted(g) &&
		    !is_served(a, prefix)) {
			missing_accept(g, now, to);
			named++;
		}
		if (strncmp(xy_answer_text(g, XY_KEY(gateway, why_not)), "held back", 9) == 0 &&
		    !is_served(a, prefix))
			held_back(g, to);
	}
}

// --- one address

// The longest network that holds it, which somebody has and we do not take.
static const json_t *offered(const struct xy_answers *a, const struct xy_addr *addr)
{
	const json_t *g, *best = NULL;
	struct xy_prefix p, longest = {0};
	size_t i;
	json_array_foreach(gateways_of(a), i, g)
	{
		if (!not_accepted(g) || !holds(g, addr) ||
		    xy_prefix_parse(xy_answer_text(g, XY_KEY(gateway, prefix)), &p) != 0)
			continue;
		if (best && p.len <= longest.len)
			continue;
		best = g;
		longest = p;
	}
	return best;
}

static void no_route(const struct xy_answers *a, const char *text, json_t *to)
{
	struct xy_finding f = {.fault = true, .about = text};
	struct xy_addr addr = {0};
	const json_t *g = xy_addr_parse(text, &addr) == 0 ? offered(a, &addr) : NULL;
	if (g) {
		missing_accept(g, true, to);
		return;
	}
	if (xy_addr_is_mesh(&addr))
		xy_finding_say(
			f.cause,
			"no route: nobody announces it: its node is down, or cut off from here, "
			"or the address is wrong");
	else
		xy_finding_say(
			f.cause,
			"no route: no gateway that this node hears of has a network with it");
	xy_finding_evidence(&f, "this node has no route to it");
	xy_finding_say(f.remedy, "on the node that has it: xylem show neighbours; for a network: "
				 "routing.announce there");
	xy_finding_command(&f, "xylem show route %s", text);
	xy_finding_put(to, &f);
}

static void by_trace(const struct xy_answers *a, struct xy_finding *f)
{
	const char *end = xy_answer_text(a->target, "end"),
		   *last = xy_answer_text(a->target, "last");
	last = *last ? last : "the next hop";
	if (xy_answer_is(end, "no route"))
		xy_finding_say(f->cause, "no route: %s, on the way, has none to it", last);
	else if (xy_answer_is(end, "loop"))
		xy_finding_say(f->cause, "loop: the way leads back to a node before");
	else if (xy_answer_is(end, "reached"))
		xy_finding_say(
			f->cause,
			"its node is there, and the address answers no ping: the host behind it "
			"is down, a firewall there drops ping, or its node has no interface");
	else if (xy_answer_is(end, "no answer"))
		xy_finding_say(
			f->cause,
			"the way ends behind %s: the node after it is down or cut off, or tells "
			"nothing of itself (node_info.enabled)",
			last);
	else
		xy_finding_say(f->cause, "it does not answer");
	if (*end)
		xy_finding_evidence(f, "trace: %s, the last that answered: %s", end, last);
}

static void look_at_target(const struct xy_answers *a, json_t *to)
{
	const char *text = xy_answer_text(a->target, "address"),
		   *way = xy_answer_text(a->target, "way");
	const char *said = xy_answer_text(a->target, "said");
	struct xy_finding f = {.fault = true, .about = text};
	if (xy_answer_is(way, "own"))
		return;
	if (xy_answer_is(way, "none")) {
		no_route(a, text, to);
		return;
	}
	if (xy_answer_is(way, "reject")) {
		xy_finding_say(f.cause, "a route of this node refuses it");
		xy_finding_command(&f, "xylem show route %s", text);
		xy_finding_put(to, &f);
		return;
	}
	if (!json_is_false(json_object_get(a->target, "answers")))
		return;
	by_trace(a, &f);
	if (*said)
		xy_finding_evidence(&f, "a ping is answered with: %s", said);
	else
		xy_finding_evidence(&f, "no ping is answered, and nobody says why");
	xy_finding_say(f.remedy, "on the last node that answered: xylem diagnose %s", text);
	xy_finding_command(&f, "xylem trace %s", text);
	xy_finding_put(to, &f);
}

void xy_causes_way(const struct xy_answers *a, json_t *to)
{
	if (a->target)
		look_at_target(a, to);
	else if (!a->peer)
		look_at_networks(a, to);
}
