// SPDX-License-Identifier: BSD-3-Clause
// diagnose: asks the daemon for all that it tells, twice, looks whether the hosts of lost peers and
// the nodes behind links that are up answer ping, and has client/causes.h say what is wrong.
#include "cli/cli.h"
#include "cli/text.h"
#include "client/causes.h"
#include "client/echo.h"
#include "client/who.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MOST_PEERS = 128,   // that are pinged
	MOST_FINDINGS = 40, // that are printed
	ROUND_MS = 200,
	WAIT_MS = 900,
	SMALL = 56,
	HEADERS = 48,
};

struct asked {
	struct xy_who who;
	json_t *neighbours[2], *gateways, *workers[2], *ports[2], *drops[2];
	json_t *host, *underlay, *overlay, *target, *owners;
	double at[2]; // ms
	const char *peer;
	unsigned up, peers;
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	return text ? text : "";
}

// --- the daemon's answers

// Of what rises, and of what is a matter of trust: whose it was. One that does not tell is no
// fault.
static int ask_owners(struct xy_client *c, struct asked *a, struct xy_err *err)
{
	const json_t *now = json_object_get(a->drops[1], XY_KEY(drops, drops)), *d, *old;
	const json_t *then = json_object_get(a->drops[0], XY_KEY(drops, drops));
	size_t i;
	int ret = 0;
	json_array_foreach(now, i, d)
	{
		const char *reason = text_of(d, XY_KEY(drop, reason));
		json_int_t n = json_integer_value(json_object_get(d, XY_KEY(drop, packets)));
		bool trust =
			strcmp(reason, "spoofed") == 0 || strcmp(reason, "source_not_allowed") == 0;
		json_t *reply;
		old = json_array_get(then, i); // lists keep their order
		if (!n || (!trust &&
			   n == json_integer_value(json_object_get(old, XY_KEY(drop, packets)))))
			continue;
		ret = xy_client_ask(c, "/xylem/drop", reason, &reply, err);
		if (ret == -EREMOTE)
			continue;
		if (ret)
			return ret;
		json_object_set_new(a->owners, reason, reply);
	}
	return 0;
}

static int ask_counters(struct xy_client *c, struct asked *a, unsigned turn, struct xy_err *err)
{
	int ret = xy_client_ask_all(c, "/xylem/workers", NULL, &a->workers[turn], err);
	ret = ret ? ret : xy_client_ask_all(c, "/xylem/ports", NULL, &a->ports[turn], err);
	ret = ret ? ret : xy_client_ask_all(c, "/xylem/drops", NULL, &a->drops[turn], err);
	a->at[turn] = xy_echo_clock();
	return ret;
}

// turn 1: what was seen before is seen again.
static int ask_all(const char *instance, struct asked *a, unsigned turn, struct xy_err *err)
{
	struct xy_client *c = NULL;
	int ret = xy_cli_connect(instance, &c, err);
	ret = ret ? ret : ask_counters(c, a, turn, err);
	if (!ret && !turn)
		ret = xy_client_ask_all(c, "/xylem/gateways", NULL, &a->gateways, err);
	if (!ret && turn)
		ret = ask_owners(c, a, err);
	if (!ret)
		ret = xy_client_ask_all(c, "/xylem/neighbours", NULL, &a->neighbours[turn], err);
	xy_client_close(c);
	return ret;
}

static json_t *pressure(void)
{
	double avg;
	FILE *f = fopen("/proc/pressure/cpu", "re");
	bool good = f && fscanf(f, "some avg10=%lf", &avg) == 1;
	if (f)
		fclose(f);
	return good ? json_real(avg) : json_null();
}

static json_t *host_facts(void)
{
	double load;
	bool good = getloadavg(&load, 1) == 1;
	return json_pack("{s:o, s:i, s:o}", "load", good ? json_real(load) : json_null(), "cpus",
			 (int)sysconf(_SC_NPROCESSORS_ONLN), "pressure", pressure());
}

// --- ping

struct probe {
	const json_t *peer;
	struct xy_echo_run *small, *large; // large NULL: the host at its endpoint
};

static bool probe_of(const struct asked *a, const json_t *p, struct probe *out,
		     struct xy_echo_run *run)
{
	const char *state = text_of(p, XY_KEY(peer, state));
	json_int_t host = json_integer_value(json_object_get(a->who.node, XY_KEY(node, mtu)));
	json_int_t mtu = json_integer_value(json_object_get(p, XY_KEY(peer, mtu)));
	struct xy_endpoint at;
	struct xy_addr to;
	*out = (struct probe){.peer = p, .small = run};
	if (strcmp(state, "up") != 0) {
		if (xy_endpoint_parse(text_of(p, XY_KEY(peer, endpoint)), &at))
			return false;
		*run = (struct xy_echo_run){.to = at.addr, .count = 2, .data = SMALL};
		return true;
	}
	mtu = host && host < mtu ? host : mtu;
	if (!json_is_string(json_object_get(a->who.node, XY_KEY(node, interface))) ||
	    !xy_who_addr(&a->who, p, &to) || mtu <= HEADERS + SMALL)
		return false;
	out->large = run + 1;
	run[0] = (struct xy_echo_run){.to = to, .count = 2, .data = SMALL};
	run[1] = (struct xy_echo_run){.to = to, .count = 2, .data = (unsigned)mtu - HEADERS};
	return true;
}

static void keep(struct asked *a, const struct probe *p)
{
	const char *name = text_of(p->peer, XY_KEY(peer, name));
	if (p->small->why) // it could not be asked
		return;
	if (!p->large)
		json_object_set_new(a->underlay, name, json_boolean(p->small->answers));
	else if (!p->large->why)
		json_object_set_new(a->overlay, name,
				    json_pack("{s:b, s:b, s:i}", "small", p->small->answers,
					      "large", p->large->answers, "size",
					      (int)p->large->data + HEADERS));
}

static void ping_all(struct asked *a)
{
	const json_t *peers = json_object_get(a->who.peers, XY_KEY(peers, peers)), *p;
	struct probe *probe = xy_cli_must(calloc(MOST_PEERS, sizeof(*probe)));
	struct xy_echo_run *run = xy_cli_must(calloc(2 * MOST_PEERS, sizeof(*run)));
	unsigned n = 0, runs = 0;
	size_t i;
	json_array_foreach(peers, i, p)
	{
		bool asked = !a->peer || strcmp(a->peer, text_of(p, XY_KEY(peer, name))) == 0;
		if (n == MOST_PEERS || !asked || !probe_of(a, p, &probe[n], &run[runs]))
			continue;
		runs += probe[n++].large ? 2 : 1;
	}
	double began = xy_echo_clock();
	xy_echo_all(run, runs, ROUND_MS, WAIT_MS);
	double left = began + ROUND_MS + WAIT_MS - xy_echo_clock(); // for rates
	if (left > 0)
		usleep((useconds_t)(left * 1e3));
	for (i = 0; i < n; i++)
		keep(a, &probe[i]);
	free(probe);
	free(run);
}

// --- an address

static void target_way(struct asked *a, const struct xy_addr *to, const json_t *reply)
{
	const json_t *routes = json_object_get(reply, XY_KEY(route_reply, routes)), *r,
		     *found = NULL;
	const char *who = xy_who_is(&a->who, to);
	const char *kind;
	size_t i;
	json_array_foreach(routes, i, r)
	{
		if (json_is_true(json_object_get(r, XY_KEY(candidate, in_force))))
			found = r;
	}
	kind = found ? text_of(found, XY_KEY(route, kind)) : "none";
	if (who && strcmp(who, "this node") == 0)
		kind = "own";
	json_object_set_new(a->target, "way", json_string(kind));
	json_t *by = found ? json_object_get(found, XY_KEY(route, peers)) : NULL;
	json_object_set_new(a->target, "by", by ? json_incref(by) : json_array());
}

static void target_trace(struct asked *a, const json_t *trace)
{
	const json_t *hops = json_object_get(trace, XY_KEY(trace, hops)), *h;
	const char *last = NULL;
	size_t i;
	json_array_foreach(hops, i, h)
	{
		const char *name = text_of(h, XY_KEY(hop, name));
		const char *peer = text_of(h, XY_KEY(hop, peer));
		if (strcmp(text_of(h, XY_KEY(hop, state)), "answered") == 0)
			last = *peer ? peer : *name ? name : text_of(h, XY_KEY(hop, address));
	}
	json_t *end = json_object_get(trace, XY_KEY(trace, end));
	json_object_set_new(a->target, "end", end ? json_incref(end) : json_null());
	json_object_set_new(a->target, "last", last ? json_string(last) : json_null());
}

static void target_ping(struct asked *a, const struct xy_addr *to)
{
	struct xy_echo_run run = {.to = *to, .count = 3, .data = SMALL};
	char said[300], from[XY_ADDR_STRLEN];
	xy_echo_all(&run, 1, ROUND_MS, WAIT_MS);
	if (run.why == -EPERM || run.why == -EACCES)
		return; // nothing is known
	json_object_set_new(a->target, "answers", json_boolean(run.answers));
	if (!run.error)
		return;
	const char *who = xy_who_is(&a->who, &run.seen.from);
	snprintf(said, sizeof(said), "%s, by %s", xy_echo_error_text(&run.seen, run.echo.v4),
		 who ? who : xy_addr_str(&run.seen.from, from));
	json_object_set_new(a->target, "said", json_string(said));
}

static int look_at_address(struct asked *a, const char *instance, const struct xy_addr *to,
			   struct xy_err *err)
{
	char text[XY_ADDR_STRLEN];
	struct xy_client *c = NULL;
	json_t *reply = NULL, *trace = NULL;
	xy_addr_str(to, text);
	int ret = xy_cli_connect(instance, &c, err);
	ret = ret ? ret : xy_client_ask(c, "/xylem/route", text, &reply, err);
	xy_client_close(c);
	if (ret)
		return ret;
	a->target = json_pack("{s:s}", "address", text);
	target_way(a, to, reply);
	json_decref(reply);
	if (strcmp(text_of(a->target, "way"), "peer") == 0) {
		ret = xy_cli_ask_done(instance, "/xylem/trace", text, &trace, err);
		if (!ret)
			target_trace(a, trace);
		json_decref(trace);
	}
	bool way = strcmp(text_of(a->target, "way"), "none") != 0; // what has none, is dropped
	if (way && json_is_string(json_object_get(a->who.node, XY_KEY(node, interface))))
		target_ping(a, to);
	return ret;
}

// --- what is shown

static void print_part(const char *head, const char *text)
{
	if (*text)
		xy_cli_prose(7, head, 9, text);
}

static void print_finding(const json_t *f)
{
	const json_t *evidence = json_object_get(f, "evidence");
	bool fault = strcmp(text_of(f, "level"), "fault") == 0,
	     colour = xy_cli_colour(STDOUT_FILENO);
	char *about = xy_text_clean(text_of(f, "about"));
	printf("%s%s%s  %s\n", colour ? fault ? "\033[31m" : "\033[33m" : "",
	       fault ? "FAULT" : "note ", colour ? "\033[0m" : "", about);
	free(about);
	print_part("cause", text_of(f, "cause"));
	for (size_t i = 0; i < json_array_size(evidence); i++)
		print_part(i ? "" : "evidence", json_string_value(json_array_get(evidence, i)));
	print_part("see", text_of(f, "command"));
	print_part("then", text_of(f, "remedy"));
}

static void print_all(const struct asked *a, const json_t *causes, unsigned faults)
{
	const json_t *f;
	size_t i, n = json_array_size(causes);
	json_array_foreach(causes, i, f)
	{
		if (i == MOST_FINDINGS)
			break;
		print_finding(f);
		putchar('\n');
	}
	if (n > MOST_FINDINGS)
		printf("and %zu more: name a peer, or see all with --json\n\n", n - MOST_FINDINGS);
	if (n)
		printf("%u fault%s, %zu note%s; ", faults, faults == 1 ? "" : "s", n - faults,
		       n - faults == 1 ? "" : "s");
	else
		printf("nothing found; ");
	printf("peers: %u, up: %u", a->peers, a->up);
	if (a->target && json_is_true(json_object_get(a->target, "answers")))
		printf("; %s answers", text_of(a->target, "address"));
	puts("");
}

static int report(struct asked *a, bool json)
{
	const struct xy_answers given = {
		.node = a->who.node,
		.peers = a->who.peers,
		.neighbours = a->neighbours[1],
		.neighbours_before = a->neighbours[0],
		.gateways = a->gateways,
		.workers = a->workers[1],
		.workers_before = a->workers[0],
		.ports = a->ports[1],
		.ports_before = a->ports[0],
		.drops = a->drops[1],
		.drops_before = a->drops[0],
		.seconds = (a->at[1] - a->at[0]) / 1e3,
		.owners = a->owners,
		.host = a->host,
		.underlay = a->underlay,
		.overlay = a->overlay,
		.peer = a->peer,
		.target = a->target,
	};
	json_t *causes = xy_causes(&given), *f;
	unsigned faults = 0;
	size_t i;
	json_array_foreach(causes, i, f)
	{
		faults += strcmp(text_of(f, "level"), "fault") == 0;
	}
	json_array_foreach(json_object_get(a->who.peers, XY_KEY(peers, peers)), i, f)
	{
		a->peers++;
		a->up += strcmp(text_of(f, XY_KEY(peer, state)), "up") == 0;
	}
	if (json) {
		json_dumpf(causes, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_all(a, causes, faults);
	}
	json_decref(causes);
	return faults ? CLI_FAILED : CLI_OK;
}

static void forget(struct asked *a)
{
	json_t *const all[] = {a->neighbours[0], a->neighbours[1], a->gateways, a->workers[0],
			       a->workers[1],	 a->ports[0],	   a->ports[1], a->drops[0],
			       a->drops[1],	 a->host,	   a->underlay, a->overlay,
			       a->target,	 a->owners};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		json_decref(all[i]);
	xy_who_free(&a->who);
}

// what: NULL for all, a peer, or whoever has an address.
static int gather(struct asked *a, const char *instance, const char *what, struct xy_err *err)
{
	struct xy_who_one one = {.has_addr = false};
	struct xy_addr to;
	const struct xy_who_config cfg = {.instance = instance};
	int ret = xy_who_load(&cfg, &a->who, err);
	if (!ret && what)
		ret = xy_who_find(&a->who, what, &one, err);
	const json_t *peer = xy_who_row(&a->who, &one);
	a->peer = peer ? text_of(peer, XY_KEY(peer, name)) : NULL;
	if (!ret && what && !peer)
		ret = xy_who_address(&one, &to, err);
	ret = ret ? ret : ask_all(instance, a, 0, err);
	a->host = host_facts();
	a->underlay = json_object();
	a->overlay = json_object();
	a->owners = json_object();
	if (ret)
		return ret;
	ping_all(a);
	if (what && !peer)
		ret = look_at_address(a, instance, &to, err);
	return ret ? ret : ask_all(instance, a, 1, err);
}

int xy_cli_diagnose(int argc, char **argv)
{
	struct xy_cli_args args = {0};
	struct xy_err err = {""};
	struct asked a = {0};
	int ret = xy_cli_args(&args, argc, argv, NULL);
	if (!ret && args.count > 1)
		ret = xy_cli_misuse("diagnose takes a peer or an address, or nothing for all");
	if (ret)
		return ret;
	if (gather(&a, args.instance, args.count ? args.word[0] : NULL, &err))
		ret = xy_cli_fail("%s", err.text);
	else
		ret = report(&a, args.json);
	forget(&a);
	return ret;
}
