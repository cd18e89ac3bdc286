// SPDX-License-Identifier: BSD-3-Clause
// ping: ICMP echo over the mesh, and which way it goes; what does not come back is told with who
// said so. Exit codes as iputils' ping: 0 something came back, 1 nothing did, 2 anything else.
#include "cli/cli.h"
#include "cli/echo.h"
#include "cli/text.h"
#include "cli/who.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { PING_NOTHING = 1, PING_ERROR = 2, DATA = 56, LAST_WAIT_MS = 2000, IPV6 = 40, IPV4 = 20 };

struct ping {
	struct xy_who who;
	struct xy_echo echo;
	struct xy_addr to;
	char name[XY_WHO_LEN], by[200];
	unsigned data, count; // count 0: until it is interrupted
	double interval;      // ms
	bool json;
	double began, last_sent; // ms
	unsigned sent, received, errors, twice, unsent;
	double least, most, sum, squares;
	uint8_t done[65536 / 8]; // by sequence number: answered, or told of
	json_t *said;		 // what errors said, for --json
};

static volatile sig_atomic_t ended;

static void end(int signal)
{
	ended = 1;
}

// --- which way

static const json_t *in_force(const json_t *reply)
{
	const json_t *routes = json_object_get(reply, XY_KEY(route_reply, routes)), *r;
	size_t i;
	json_array_foreach(routes, i, r)
	{
		if (json_is_true(json_object_get(r, XY_KEY(candidate, in_force))))
			return r;
	}
	return NULL;
}

// "by r1", "by r1 or r2, each flow by one".
static void by_peers(const json_t *route, char *to, size_t size)
{
	const json_t *peers = json_object_get(route, XY_KEY(route, peers));
	size_t n = 0, count = json_array_size(peers);
	for (size_t i = 0; i < count && n < size; i++) {
		const char *name = json_string_value(json_array_get(peers, i));
		n += (size_t)snprintf(to + n, size - n, "%s%s", i ? " or " : "by ",
				      name ? name : "?");
	}
	if (count > 1 && n < size)
		snprintf(to + n, size - n, ", each flow by one");
}

static void way_text(struct xy_who *who, const struct xy_addr *to, const json_t *reply, char *text,
		     size_t size)
{
	const json_t *route = in_force(reply);
	const char *kind = json_string_value(json_object_get(route, XY_KEY(route, kind)));
	const char *own = xy_who_is(who, to);
	kind = kind ? kind : "";
	if (own && strcmp(own, "this node") == 0)
		snprintf(text, size, "to this node itself: its kernel answers, nothing is sent");
	else if (!route && !xy_addr_is_mesh(to)) // the kernel may have one of its own
		snprintf(text, size, "not over the mesh, in which this node has no route to it");
	else if (!route)
		snprintf(text, size, "by nobody: this node has no route to it");
	else if (strcmp(kind, "peer") == 0)
		by_peers(route, text, size);
	else if (strcmp(kind, "host") == 0)
		snprintf(text, size, "by this host, which has it behind it");
	else if (strcmp(kind, "reject") == 0)
		snprintf(text, size, "by nobody: a route of this node refuses it");
	else if (strcmp(kind, "ask") == 0)
		snprintf(text, size, "by whom its relay says (this node is a stub)");
	else
		snprintf(text, size, "by this node's %s", kind);
}

static int find_way(struct ping *p, const char *instance, struct xy_err *err)
{
	char text[XY_ADDR_STRLEN];
	struct xy_client *c = NULL;
	json_t *reply;
	int ret = xy_cli_connect(instance, &c, err);
	ret = ret ? ret : xy_client_ask(c, "/xylem/route", xy_addr_str(&p->to, text), &reply, err);
	xy_client_close(c);
	if (ret)
		return ret;
	way_text(&p->who, &p->to, reply, p->by, sizeof(p->by));
	json_decref(reply);
	return 0;
}

// --- what comes

static void name_of(struct ping *p, const struct xy_addr *a, char *to, size_t size)
{
	char text[XY_ADDR_STRLEN];
	const char *name = xy_who_is(&p->who, a);
	xy_addr_str(a, text);
	char *plain = name ? xy_text_clean(name) : NULL; // they are others' words
	if (plain)
		snprintf(to, size, "%s (%s)", plain, text);
	else
		snprintf(to, size, "%s", text);
	free(plain);
}

static bool is_new(struct ping *p, uint16_t seq)
{
	uint8_t bit = (uint8_t)(1 << (seq & 7)), *at = &p->done[seq >> 3];
	bool fresh = !(*at & bit);
	*at |= bit;
	return fresh;
}

static void say_answer(struct ping *p, const struct xy_echo_seen *s)
{
	char from[XY_WHO_LEN + XY_ADDR_STRLEN + 8];
	bool fresh = is_new(p, s->seq);
	p->received += fresh;
	p->twice += !fresh;
	if (fresh && s->ms >= 0) {
		p->least = p->received == 1 || s->ms < p->least ? s->ms : p->least;
		p->most = s->ms > p->most ? s->ms : p->most;
		p->sum += s->ms;
		p->squares += s->ms * s->ms;
	}
	name_of(p, &s->from, from, sizeof(from));
	if (!p->json)
		printf("%u bytes from %s: icmp_seq=%u ttl=%u time=%.3g ms%s\n", s->bytes, from,
		       s->seq, s->hops, s->ms, fresh ? "" : " (DUP!)");
}

static void say_error(struct ping *p, const struct xy_echo_seen *s)
{
	char from[XY_WHO_LEN + XY_ADDR_STRLEN + 8], text[400], more[120] = "";
	unsigned headers = (p->echo.v4 ? IPV4 : IPV6) + 8;
	if (!is_new(p, s->seq))
		return;
	p->errors++;
	name_of(p, &s->from, from, sizeof(from));
	if (s->mtu > headers)
		snprintf(more, sizeof(more), ": it carries %u bytes; -s %u is the most", s->mtu,
			 s->mtu - headers);
	snprintf(text, sizeof(text), "From %s: icmp_seq=%u %s%s",
		 s->what == XY_ECHO_LOCAL ? "this host's kernel" : from, s->seq,
		 xy_echo_error_text(s, p->echo.v4), more);
	if (!p->json)
		puts(text);
	json_array_append_new(p->said, json_string(text));
}

static void take_all(struct ping *p)
{
	struct xy_echo_seen s;
	while (xy_echo_take(&p->echo, &s)) {
		if (s.what == XY_ECHO_ANSWER)
			say_answer(p, &s);
		else
			say_error(p, &s);
	}
	fflush(stdout);
}

// --- what is sent

// What the kernel refuses at once stands in its queue of errors, too, or is told here.
static void send_one(struct ping *p)
{
	uint16_t seq = (uint16_t)++p->sent;
	int ret;
	p->done[seq >> 3] &= (uint8_t) ~(1 << (seq & 7));
	p->last_sent = xy_echo_clock();
	ret = xy_echo_send(&p->echo, seq, p->data);
	take_all(p);
	if (!ret || !is_new(p, seq))
		return;
	p->errors++;
	char text[120];
	snprintf(text, sizeof(text), "this host's kernel: icmp_seq=%u %s", seq,
		 ret == -EMSGSIZE ? "too big for its interface" : strerror(-ret));
	json_array_append_new(p->said, json_string(text));
	if (!p->json)
		puts(text);
}

static void run(struct ping *p)
{
	p->began = xy_echo_clock();
	while (!ended) {
		double now = xy_echo_clock(), next = p->sent ? p->last_sent + p->interval : now;
		bool last = p->count && p->sent == p->count;
		if (!last && now >= next) {
			send_one(p);
			continue;
		}
		if (last &&
		    (p->received + p->errors >= p->sent || now >= p->last_sent + LAST_WAIT_MS))
			break;
		double until = last ? p->last_sent + LAST_WAIT_MS : next;
		struct pollfd fd = {.fd = p->echo.fd, .events = POLLIN};
		poll(&fd, 1, (int)(until - now) + 1);
		take_all(p);
	}
}

static double loss_of(const struct ping *p)
{
	return p->sent ? 100.0 * (p->sent - p->received) / p->sent : 0;
}

static int sum_up(struct ping *p)
{
	double n = p->received ? p->received : 1, mean = p->sum / n;
	double spread = sqrt(fmax(p->squares / n - mean * mean, 0));
	char errors[40] = "", twice[40] = "";
	if (p->errors)
		snprintf(errors, sizeof(errors), "+%u errors, ", p->errors);
	if (p->twice)
		snprintf(twice, sizeof(twice), "+%u duplicates, ", p->twice);
	printf("\n--- %s ping statistics ---\n", p->name);
	printf("%u packets transmitted, %u received, %s%s%.3g%% packet loss, time %.0fms\n",
	       p->sent, p->received, twice, errors, loss_of(p), xy_echo_clock() - p->began);
	if (p->received)
		printf("rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n", p->least, mean, p->most,
		       spread);
	return p->received ? CLI_OK : PING_NOTHING;
}

static int sum_up_json(struct ping *p)
{
	char text[XY_ADDR_STRLEN];
	bool some = p->received;
	json_t *o = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:f, s:o, s:o, s:o, s:O}", "name",
			      p->name, "address", xy_addr_str(&p->to, text), "way", p->by, "sent",
			      (int)p->sent, "received", (int)p->received, "errors", (int)p->errors,
			      "loss", loss_of(p) / 100, "rtt_min_ms",
			      some ? json_real(p->least) : json_null(), "rtt_avg_ms",
			      some ? json_real(p->sum / p->received) : json_null(), "rtt_max_ms",
			      some ? json_real(p->most) : json_null(), "said", p->said);
	json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
	return some ? CLI_OK : PING_NOTHING;
}

// --- arguments

static int number(const char *what, const char *text, double least, double most, double *out)
{
	char *after;
	*out = strtod(text, &after);
	if (after == text || *after || !(*out >= least && *out <= most))
		return xy_cli_misuse("%s %.40s: write a number, %g to %g", what, text, least, most);
	return 0;
}

static int options(struct ping *p, const struct xy_cli_args *a)
{
	double v;
	for (unsigned i = 0; i < a->options; i++) {
		const char *name = a->option[i].name, *value = a->option[i].value;
		bool size = strcmp(name, "-s") == 0, count = strcmp(name, "-c") == 0;
		int ret = number(name, value,
				 size	 ? 0
				 : count ? 1
					 : 0.01,
				 size	 ? XY_ECHO_MOST
				 : count ? 1e9
					 : 3600,
				 &v);
		if (ret)
			return ret;
		if ((size || count) && v != floor(v))
			return xy_cli_misuse("%s %.40s: write a whole number", name, value);
		if (size)
			p->data = (unsigned)v;
		else if (count)
			p->count = (unsigned)v;
		else
			p->interval = v * 1e3;
	}
	return 0;
}

static int error(const char *text)
{
	xy_cli_fail("%s", text);
	return PING_ERROR;
}

static bool has_interface(const struct xy_who *w)
{
	return json_is_string(json_object_get(w->node, XY_KEY(node, interface)));
}

// From an address that is not of the mesh its nodes would send nothing back.
static void warn_source(const struct ping *p)
{
	char text[XY_ADDR_STRLEN], source[XY_ADDR_STRLEN];
	xy_addr_str(&p->to, text);
	if (xy_addr_is_mesh(&p->to) && !xy_addr_is_mesh(&p->echo.source))
		fprintf(stderr,
			"this host sends it from %s, so not by the mesh's interface: see ip route "
			"get %s\n",
			xy_addr_str(&p->echo.source, source), text);
}

static int ping(struct ping *p, const char *instance, const char *to)
{
	char text[XY_ADDR_STRLEN];
	struct sigaction act = {.sa_handler = end};
	struct xy_err err = {""};
	struct xy_who_one one;
	if (xy_who_load(instance, &p->who, &err) || xy_who_find(&p->who, to, &one, &err) ||
	    xy_who_address(&one, &p->to, &err))
		return error(err.text);
	if (!has_interface(&p->who))
		return error("this node has no host interface (tun = false, --no-tun), so nothing "
			     "of this host goes into the mesh: ping from another node, or see "
			     "xylem trace");
	if (find_way(p, instance, &err) || xy_echo_open(&p->echo, &p->to, &err))
		return error(err.text);
	xy_addr_str(&p->to, text);
	snprintf(p->name, sizeof(p->name), "%s", one.name[0] ? one.name : text);
	if (!p->json)
		printf("PING %s (%s) %s: %u data bytes\n", p->name, text, p->by, p->data);
	fflush(stdout);
	warn_source(p);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	p->said = json_array();
	run(p);
	int ret = p->json ? sum_up_json(p) : sum_up(p);
	json_decref(p->said);
	return ret;
}

int xy_cli_ping(int argc, char **argv)
{
	static const char *const with_value[] = {"-s", "-c", "-i", NULL};
	static struct ping p = {.data = DATA, .interval = 1000, .echo = {.fd = -1}};
	struct xy_cli_args a = {0};
	int ret = xy_cli_args(&a, argc, argv, with_value);
	p.json = a.json;
	if (!ret && a.count != 1)
		ret = xy_cli_misuse("write: xylem ping ADDRESS, or the name or key of a node");
	ret = ret ? ret : options(&p, &a);
	if (!ret && p.json && !p.count)
		p.count = 1;
	ret = ret ? ret : ping(&p, a.instance, a.word[0]);
	xy_echo_close(&p.echo);
	xy_who_free(&p.who);
	return ret;
}
